// Package colourquery keeps a program from asking the terminal for its background colour before main starts.
//
// Bubble Tea asks when it is initialized, in every program that contains it, and Pulumi's SDK does (sdk/go/common/util/cmdutil). A
// terminal that does not answer, such as those of script and expect, delays each command by the five seconds that termenv waits
// (charmbracelet/bubbletea, tea_init.go; termenv.OSCTimeout). No style of Slipway depends on the background.
//
// This is a module of its own for its import path: among packages whose imports are initialized, Go takes the first one by import path
// (The Go Programming Language Specification, "Program initialization"). "colourquery" comes before "github.com/charmbracelet/bubbletea",
// and every path in the module slipway would come after it.
package colourquery

import "github.com/charmbracelet/lipgloss"

func init() { lipgloss.SetHasDarkBackground(true) }
