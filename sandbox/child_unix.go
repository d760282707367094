//go:build unix && !linux

package sandbox

import (
	"os/exec"
	"syscall"
)

// bind returns cmd a process group of its own, because a terminal sends Ctrl-C to the whole foreground group.
func bind(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
