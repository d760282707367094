package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/blang/semver"
)

const (
	pipesTimeout = 5 * time.Second  // how long the output of an engine that has ended may still be held open
	killAfter    = 10 * time.Second // how long an engine may take to end after an interrupt
)

// A CLI is a Pulumi CLI. It is the Automation API's PulumiCommand, but ends operations differently.
//
// When the context is cancelled it interrupts the engine once, and then waits: the engine finishes the calls under way and
// writes its state, however long that takes. (The SDK's own command kills it after ten seconds.) Terminate cuts
// that short. The engine runs in a process group of its own, because a terminal sends Ctrl-C to the whole foreground
// group and on a second interrupt the engine abandons its work.
type CLI struct {
	path      string
	version   semver.Version
	terminate atomic.Pointer[func()] // ends the engine that is running, if one is
	killed    atomic.Bool            // the last engine was ended by a signal: the outcome of its calls is unknown
}

func newCLI(ctx context.Context, path string) (*CLI, error) {
	cmd := exec.CommandContext(ctx, path, "version")
	cmd.Env = append(surroundings(), "PULUMI_SKIP_UPDATE_CHECK=true")
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("engine: %s version: %w", path, err)
	}
	version, err := semver.ParseTolerant(strings.TrimSpace(string(out)))
	if err != nil {
		return nil, fmt.Errorf("engine: %s version: %w", path, err)
	}
	return &CLI{path: path, version: version}, nil
}

// Version is the version of the CLI.
func (c *CLI) Version() semver.Version { return c.version }

// Path is where the CLI is.
func (c *CLI) Path() string { return c.path }

// Terminate ends at once an engine that is already ending. Calls under way are abandoned: the state says that
// they are pending, and the next operation on the stack finds out what became of them.
func (c *CLI) Terminate() {
	if end := c.terminate.Load(); end != nil {
		(*end)()
	}
}

// Run runs the CLI, and returns its stdout, its stderr and its exit code.
func (c *CLI) Run(ctx context.Context, workdir string, stdin io.Reader, stdouts, stderrs []io.Writer,
	env []string, args ...string,
) (string, string, int, error) {
	if err := ctx.Err(); err != nil {
		return "", "", -1, err
	}
	// Up and Refresh ask for the last entry of the history when they are done. Slipway does not read it, and it costs a
	// process: half a second of every run.
	if len(args) > 1 && args[0] == "stack" && args[1] == "history" {
		return "[]", "", 0, nil
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(c.path, append([]string{"--non-interactive"}, args...)...)
	cmd.Dir = workdir
	cmd.Env = append(append(surroundings(), env...), "PULUMI_AUTOMATION_API=true")
	cmd.Stdin = stdin
	cmd.Stdout = io.MultiWriter(append(stdouts, &stdout)...)
	cmd.Stderr = io.MultiWriter(append(stderrs, &stderr)...)
	cmd.WaitDelay = pipesTimeout
	ownGroup(cmd)

	// The engine is to die with this process (see ownGroup), and the kernel takes "this process" to be the thread that
	// started it. The goroutine keeps that thread until the engine has ended.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		return "", "", -1, fmt.Errorf("engine: %w", err)
	}
	ended := make(chan struct{})
	terminate := func() {
		_ = cmd.Process.Signal(os.Interrupt)
		select {
		case <-ended:
		case <-time.After(killAfter):
			_ = cmd.Process.Kill()
		}
	}
	c.terminate.Store(&terminate)
	defer c.terminate.Store(nil)
	go func() {
		select {
		case <-ctx.Done():
			_ = cmd.Process.Signal(os.Interrupt)
		case <-ended:
		}
	}()
	err := cmd.Wait()
	close(ended)
	c.killed.Store(!cmd.ProcessState.Exited())
	code := cmd.ProcessState.ExitCode()
	if errors.Is(err, exec.ErrWaitDelay) && code == 0 {
		err = nil
	}
	return stdout.String(), stderr.String(), code, err
}

// surroundings are the few variables of the caller's environment that the engine may see. Everything else, above all
// credentials and Pulumi's own settings, stays out.
func surroundings() []string {
	var env []string
	for _, name := range []string{"PATH", "USER", "TMPDIR", "TEMP", "TMP", "LANG", "LC_ALL", "TZ", "SYSTEMROOT"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}
