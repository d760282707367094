package main

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"slipway/engine"
)

// Interrupts turn the first Ctrl-C (or SIGTERM) into a cancelled context, so that the engine finishes the calls under way,
// and the second into the end of the engine. A terminal that closes (SIGHUP) and a reader that goes away (SIGPIPE) also cancel
// the context, and never more than that: each of a run's later lines makes another SIGPIPE.
type interrupts struct {
	ctx  context.Context
	stop func()

	mu    sync.Mutex
	got   os.Signal
	stack *engine.Stack
}

func newInterrupts(out *output) *interrupts {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGPIPE)
	if !signal.Ignored(syscall.SIGHUP) { // under nohup the run outlives its terminal
		signal.Notify(signals, syscall.SIGHUP)
	}
	i := &interrupts{ctx: ctx}
	over := make(chan struct{})
	i.stop = sync.OnceFunc(func() { signal.Stop(signals); close(over); cancel() })
	go func() {
		for {
			select {
			case got := <-signals:
				i.take(got, out, cancel)
			case <-over:
				return
			}
		}
	}()
	return i
}

// take does what a signal asks for.
func (i *interrupts) take(got os.Signal, out *output, cancel func()) {
	i.mu.Lock()
	stack, first := i.stack, i.got == nil
	if first {
		i.got = got
	}
	i.mu.Unlock()
	typed := got == os.Interrupt || got == syscall.SIGTERM
	switch {
	case first:
		cancel()
		if typed {
			out.progress.Logf("Stopping when the calls under way are done. Press Ctrl-C again to abandon them.")
		} else if got == syscall.SIGHUP {
			out.progress.Logf("The terminal is gone. Stopping when the calls under way are done.")
		}
	case typed && stack != nil:
		go stack.Terminate()
	}
}

// signal is the signal that ended the command, nil if none did.
func (i *interrupts) signal() os.Signal {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.got
}

// engine sets the stack whose engine a second interrupt ends.
func (i *interrupts) engine(stack *engine.Stack) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.stack = stack
}
