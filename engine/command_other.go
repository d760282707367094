//go:build !unix

package engine

import "os/exec"

// ownGroup leaves cmd as it is: process groups exist on Unix only.
func ownGroup(*exec.Cmd) {}
