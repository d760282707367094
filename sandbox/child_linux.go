package sandbox

import (
	"os/exec"
	"syscall"
)

// bind returns cmd a process group of its own, because a terminal sends Ctrl-C to the whole foreground group, and has the
// kernel kill it with this program. A killed engine leaves its creates pending in the state, where the clean-up finds them; one
// that lost its proxy would call them failed and forget them.
func bind(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
