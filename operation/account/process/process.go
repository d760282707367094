// Package process runs a program of this machine that is connected with one of the site: the Session Manager plugin, docker, psql.
package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
)

// A Command is a program of this machine.
type Command struct {
	Path string
	Args []string
	Env  []string // added to the environment of this process: what must not appear in a list of processes is passed here

	Without []string // variables of this process that it does not get

	// Hold gives the program an input that stays open and has nothing in it. The Session Manager plugin ends its session at the end of
	// its input (session/shellsession/shellsession_unix.go in aws/session-manager-plugin).
	Hold bool
}

// Streams are what a program reads and writes.
type Streams struct {
	In       io.Reader // nil: nothing
	Out, Err io.Writer

	// Terminal says that the program talks to the user's terminal. It stays in the terminal's process group, so keys such as Ctrl-C
	// reach it. Any other program gets a group of its own: an interrupt reaches it through the context alone.
	Terminal bool
}

// patience is how long a program may take to end after it was interrupted.
const patience = 5 * time.Second

// Run runs the command to its end and returns its exit code. When ctx is done it interrupts the program, and kills it if it does not
// end within five seconds; the error is then that of ctx.
func Run(ctx context.Context, c Command, s Streams) (exit int, err error) {
	cmd := exec.CommandContext(ctx, c.Path, c.Args...)
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return slices.Contains(c.Without, name)
	}), c.Env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = s.In, s.Out, s.Err
	cmd.WaitDelay = patience
	if c.Hold {
		read, write, err := os.Pipe()
		if err != nil {
			return -1, err
		}
		defer read.Close()
		defer write.Close()
		cmd.Stdin = read
	}
	stop := syscall.SIGTERM // the terminal is gone, or this process is to end: the keyboard's signals the program gets itself
	if !s.Terminal {
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		stop = syscall.SIGINT
	}
	cmd.Cancel = func() error { return cmd.Process.Signal(stop) }
	err = cmd.Run()
	var ended *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return -1, ctx.Err()
	case err == nil:
		return 0, nil
	case !errors.As(err, &ended):
		return -1, fmt.Errorf("%s: %w", c.Path, err)
	}
	if status, ok := ended.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal()), nil
	}
	return ended.ExitCode(), nil
}
