package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"slipway/engine"
)

// Interrupts turn the first Ctrl-C (or SIGTERM) into a cancelled context, so that the engine finishes the calls under way,
// and the second into the end of the engine.
type interrupts struct {
	ctx  context.Context
	stop func()

	mu    sync.Mutex
	got   os.Signal
	stack *engine.Stack
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
			stack := i.stack
			first := i.got == nil
			if first {
				i.got = got
			}
			i.mu.Unlock()
			switch {
			case first:
				fmt.Fprintln(stderr, "Stopping when the calls under way are done. Press Ctrl-C again to abandon them.")
				cancel()
			case stack != nil:
				go stack.Terminate()
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

// engine sets the stack whose engine a second interrupt ends.
func (i *interrupts) engine(stack *engine.Stack) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.stack = stack
}
