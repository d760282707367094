// Command slipway puts a Django site on a model of AWS, with the real Pulumi engine and the same program that
// `pulumi up` deploys to an account.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"slipway/engine"
)

func main() { os.Exit(execute(os.Args[1:], os.Stdout, os.Stderr)) }

// Exit codes. A command that a signal ended exits with 128 and the signal's number.
const (
	exitFailed = 1 // it was tried, and did not work
	exitUsage  = 2 // the command line is wrong
	exitDrift  = 3 // drift was found
	exitLocked = 4 // somebody else is at work on the stack
)

// execute is the whole command: arguments in, exit code out. Data goes to stdout and words to stderr.
func execute(args []string, stdout, stderr io.Writer) int {
	interrupts := newInterrupts(stderr)
	defer interrupts.stop()
	t := &tool{stdout: stdout, stderr: stderr, interrupts: interrupts}
	root := t.command()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(interrupts.ctx)
	for _, clear := range t.after {
		err = errors.Join(err, clear())
	}
	var usage usageError
	var held *engine.LockedError
	var locked *engine.StateLockedError
	var drift *driftFound
	switch {
	case err == nil:
		return 0
	case interrupts.signal() != nil:
		if !errors.Is(err, context.Canceled) {
			fmt.Fprintln(stderr, err)
		}
		return 128 + int(interrupts.signal().(syscall.Signal))
	case !t.began || errors.As(err, &usage):
		fmt.Fprintf(stderr, "slipway: %v\nSee slipway --help.\n", err)
		return exitUsage
	case errors.As(err, &held) || errors.As(err, &locked):
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

// A usageError is a mistake on the command line that flags alone cannot find.
type usageError struct{ error }

// Interrupts turn the first Ctrl-C (or SIGTERM) into a cancelled context, which lets the engine end what it is doing,
// and the second into the end of the engine.
type interrupts struct {
	ctx  context.Context
	stop func()

	mu  sync.Mutex
	got os.Signal
	cli *engine.CLI
}

func newInterrupts(stderr io.Writer) *interrupts {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	i := &interrupts{ctx: ctx}
	i.stop = func() { signal.Stop(signals); cancel() }
	go func() {
		for n := 1; ; n++ {
			var got os.Signal
			select {
			case got = <-signals:
			case <-ctx.Done():
				if i.signal() == nil { // the command is over
					return
				}
				got = <-signals
			}
			i.mu.Lock()
			cli := i.cli
			first := i.got == nil
			if first {
				i.got = got
			}
			i.mu.Unlock()
			switch {
			case first:
				fmt.Fprintln(stderr, "Stopping when the calls under way are done. Press Ctrl-C again to abandon them.")
				cancel()
			case cli != nil:
				go cli.Terminate()
			}
		}
	}()
	return i
}

// signal is the signal that ended the command, nil if none did.
func (i *interrupts) signal() os.Signal {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.got
}

// engine says which engine a second interrupt ends.
func (i *interrupts) engine(cli *engine.CLI) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.cli = cli
}
