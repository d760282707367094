// Package interrupts stops a run in an orderly way when a signal asks for it.
package interrupts

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// Interrupts turn the first Ctrl-C (or SIGTERM) into a cancelled context, so that the engine finishes the calls under way,
// and the second into the end of the engine. A terminal that closes (SIGHUP) and a reader that goes away (SIGPIPE) also cancel
// the context, and never more than that: each of a run's later lines makes another SIGPIPE.
type Interrupts struct {
	Context context.Context // of the run
	Stop    func()          // ends the listening

	mu    sync.Mutex
	got   os.Signal
	stack interface{ Terminate() }
	ceded int // to programs that talk to the terminal

	asking int // questions that wait for an answer: no call is under way
}

// inContext is the key of the Interrupts in their context.
type inContext struct{}

// Cede gives the keyboard's signals to a program that talks to the terminal, until the function that it returns is called: Ctrl-C and
// Ctrl-\ are for that program, which gets them itself because it is in the terminal's process group. If far is true, so is Ctrl-Z: the
// program passes it on to another machine, and this process does not stop either. AWS's CLI does the same for its sessions
// (aws/aws-cli, compat.py, ignore_user_entered_signals).
func Cede(ctx context.Context, far bool) (back func()) {
	i, _ := ctx.Value(inContext{}).(*Interrupts)
	signals := make(chan os.Signal, 8) // caught and dropped; ignored ones would be ignored by the program as well
	signal.Notify(signals, syscall.SIGQUIT)
	if far {
		signal.Notify(signals, syscall.SIGTSTP)
	}
	add := func(n int) {
		if i != nil {
			i.mu.Lock()
			i.ceded += n
			i.mu.Unlock()
		}
	}
	add(1)
	return sync.OnceFunc(func() { add(-1); signal.Stop(signals) })
}

// Ask notes that the run waits for an answer, until the function that it returns is called.
func Ask(ctx context.Context) (answered func()) {
	i, _ := ctx.Value(inContext{}).(*Interrupts)
	add := func(n int) {
		if i != nil {
			i.mu.Lock()
			i.asking += n
			i.mu.Unlock()
		}
	}
	add(1)
	return sync.OnceFunc(func() { add(-1) })
}

// Listen listens to signals until Stop. say writes a line for the user.
func Listen(say func(format string, args ...any)) *Interrupts {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGPIPE)
	if !signal.Ignored(syscall.SIGHUP) { // under nohup the run outlives its terminal
		signal.Notify(signals, syscall.SIGHUP)
	}
	i := &Interrupts{}
	i.Context = context.WithValue(ctx, inContext{}, i)
	over := make(chan struct{})
	i.Stop = sync.OnceFunc(func() { signal.Stop(signals); close(over); cancel() })
	go func() {
		for {
			select {
			case got := <-signals:
				i.take(got, say, cancel)
			case <-over:
				return
			}
		}
	}()
	return i
}

// take does what a signal asks for.
func (i *Interrupts) take(got os.Signal, say func(string, ...any), cancel func()) {
	if got == syscall.SIGPIPE && !readerGone() {
		return
	}
	i.mu.Lock()
	if got == os.Interrupt && i.ceded > 0 {
		i.mu.Unlock()
		return
	}
	stack, asking, first := i.stack, i.asking > 0, i.got == nil
	if first {
		i.got = got
	}
	i.mu.Unlock()
	typed := got == os.Interrupt || got == syscall.SIGTERM
	switch {
	case first:
		cancel()
		if typed && stack != nil && !asking {
			say("Stopping when the calls under way are done. Press Ctrl-C again to abandon them.")
		} else if got == syscall.SIGHUP {
			say("The terminal is gone. Stopping when the calls under way are done.")
		}
	case typed && stack != nil:
		go stack.Terminate()
	}
}

// Signal is the signal that ended the command, nil if none did.
func (i *Interrupts) Signal() os.Signal {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.got
}

// engine sets the stack whose engine a second interrupt ends.
func (i *Interrupts) On(stack interface{ Terminate() }) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.stack = stack
}
