//go:build !unix

package engine

import "os/exec"

// ownGroup leaves cmd as it is: process groups are a Unix idea.
func ownGroup(*exec.Cmd) {}
