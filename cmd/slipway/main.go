// Command slipway deploys a Django site to AWS Fargate, or rehearses that on a model of AWS, with the real Pulumi engine and
// the same program that `pulumi up` runs.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"syscall"

	"slipway/engine"
	"slipway/operation"
)

// Collecting garbage less often saves a short command a tenth of its time and costs 20 MB.
func main() { debug.SetGCPercent(200); os.Exit(execute(os.Args[1:], os.Stdout, os.Stderr)) }

// Exit codes. A command that a signal ended exits with 128 and the signal's number.
const (
	exitFailed = 1 // it was tried, and did not work
	exitUsage  = 2 // the command line is wrong
	exitDrift  = 3 // drift was found
	exitLocked = 4 // another run has the stack
)

// execute is the whole command: arguments in, exit code out. Data goes to stdout and messages to stderr.
func execute(args []string, stdout, stderr io.Writer) int {
	interrupts := newInterrupts(stderr)
	defer interrupts.stop()
	run := newInvocation(stdout, stderr, interrupts)
	run.args = args
	root := rootCommand(run)
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(interrupts.ctx)
	run.out.progress.close()
	var usage operation.UsageError
	var locked *engine.LockedError
	var stateLocked *engine.StateLockedError
	var drift *driftFound
	switch {
	case err == nil:
		return 0
	case interrupts.signal() != nil:
		if !errors.Is(err, context.Canceled) {
			fmt.Fprintln(stderr, err)
		}
		return 128 + int(interrupts.signal().(syscall.Signal))
	case !run.began || errors.As(err, &usage):
		fmt.Fprintf(stderr, "slipway: %v\nSee slipway --help.\n", err)
		return exitUsage
	case errors.As(err, &locked) || errors.As(err, &stateLocked):
		fmt.Fprintf(stderr, "slipway: %v\n", err)
		return exitLocked
	case errors.As(err, &drift):
		fmt.Fprintf(stderr, "slipway: %v\n", err)
		return exitDrift
	default:
		fmt.Fprintf(stderr, "slipway: %v\n", err)
		return exitFailed
	}
}
