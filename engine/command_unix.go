//go:build unix && !linux

package engine

import (
	"os/exec"
	"syscall"
)

// ownGroup makes cmd the leader of a process group. An engine whose slipway was killed ends soon here: its program
// and its providers are gone, so its next call fails.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
