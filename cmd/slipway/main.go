// Command slipway deploys a Django site to AWS Fargate, or rehearses that on a model of AWS, with the real Pulumi engine and
// the same program that `pulumi up` runs. Started by the Pulumi CLI, it is that program.
package main

import (
	"context"
	"errors"
	"io"
	"os"
	"runtime/debug"
	"syscall"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/cmd/slipway/commandline"
	"slipway/cmd/slipway/interrupts"
	"slipway/engine"
	"slipway/operation"
)

func main() {
	if operation.IsProgram(os.Args[1:], os.Getenv) {
		pulumi.Run(operation.Program)
		return
	}
	// Collecting garbage less often saves a short command a tenth of its time and costs 20 MB.
	debug.SetGCPercent(200)
	os.Exit(execute(os.Args[1:], os.Stdout, os.Stderr))
}

// Exit codes. A command that a signal ended exits with 128 and the signal's number.
const (
	exitFailed = 1 // it was tried, and did not work
	exitUsage  = 2 // the command line is wrong
	exitDrift  = 3 // drift was found; why: the answer is no; doctor: a problem was found
	exitLocked = 4 // another run has the stack
)

// execute is the whole command: arguments in, exit code out. Data goes to stdout and messages to stderr.
func execute(args []string, stdout, stderr io.Writer) int {
	out := newOutput(stdout, stderr)
	out.json = commandline.AsksForJSON(args)
	listening := interrupts.Listen(out.progress.Logf)
	defer listening.Stop()
	run := newInvocation(out, listening)
	run.args = args
	root := rootCommand(run)
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(listening.Context)
	out.progress.Close()
	code, kind := exitOf(err, run.began)
	if got := listening.Signal(); err != nil && got != nil {
		code, kind = 128+int(got.(syscall.Signal)), "interrupted"
		if errors.Is(err, context.Canceled) {
			err = errors.New("interrupted")
		}
	}
	if err != nil {
		out.fail(operation.Explain(err), kind, code)
	}
	return code
}

// exitOf is the exit code of an error, and its kind for programs. Until the command line is understood every error is about it.
func exitOf(err error, began bool) (code int, kind string) {
	var usage operation.UsageError
	var locked *engine.LockedError
	var stateLocked *engine.StateLockedError
	var own interface {
		Exit() (code int, kind string)
	} // of drift, of a no, or of a program of the site
	switch {
	case err == nil:
		return 0, ""
	case !began || errors.As(err, &usage):
		return exitUsage, "usage"
	case errors.As(err, &locked) || errors.As(err, &stateLocked):
		return exitLocked, "locked"
	case errors.As(err, &own):
		return own.Exit()
	}
	return exitFailed, "failed"
}
