package engine

import (
	"os/exec"
	"syscall"
)

// ownGroup makes cmd the leader of a process group, and has the kernel kill it when the thread that starts it ends, so
// that no engine outlives a slipway that was killed.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
