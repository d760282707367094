package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"slipway/engine"
)

// waiting are the commands that need exclusive use of a stack, and drift, whose stack must not change meanwhile.
var waiting = []string{"up", "promote", "rollback", "destroy", "unlock", "drift"}

// waitEach is how long a command waits before it looks at the stack again.
var waitEach = 5 * time.Second

// letWait adds the flag --wait to the commands of root that need exclusive use of a stack.
func (i *invocation) letWait(root *cobra.Command) {
	for _, name := range waiting {
		cmd, _, err := root.Find([]string{name})
		if err != nil {
			panic(err) // the names are those of this program
		}
		cmd.Flags().DurationVar(&i.wait, "wait", 0, "if the stack is in use, wait for it so long, such as 20m")
		run := cmd.RunE
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			return i.patiently(cmd.Context(), func() error { return run(cmd, args) })
		}
	}
}

// patiently runs a command again, from its beginning, while another run holds the stack and there is time. What the other
// run did is then part of what the command sees: the release before the one that runs, for example.
func (i *invocation) patiently(ctx context.Context, run func() error) error {
	said := ""
	for deadline := time.Now().Add(i.wait); ; {
		err := run()
		var held *engine.LockedError
		var locked *engine.StateLockedError
		if i.wait == 0 || !errors.As(err, &held) && !errors.As(err, &locked) || time.Now().After(deadline) {
			return err
		}
		who := ""
		switch {
		case held != nil:
			who = held.Owner.Holder()
		case len(locked.Locks) > 0:
			who = locked.Locks[0].Holder()
		}
		if who != said { // once for each run that is waited for
			i.out.say("Stack %s is in use by %s. Waiting until %s.", i.stack, who, deadline.Format(time.TimeOnly))
			said = who
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(min(waitEach, max(0, time.Until(deadline)))):
		}
	}
}
