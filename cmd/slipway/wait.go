package main

import (
	"time"

	"github.com/spf13/cobra"

	"slipway/operation"
)

// waiting are the commands that need exclusive use of a stack, and drift, whose stack must not change meanwhile.
var waiting = []string{"up", "promote", "rollback", "destroy", "unlock", "drift", "scale", "restart", "pause", "resume"}

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
			return operation.Wait(cmd.Context(), i.wait, i.inUse, func() error { return run(cmd, args) })
		}
	}
}

func (i *invocation) inUse(by string, until time.Time) {
	i.out.say("Stack %s is in use by %s. Waiting until %s.", i.stack, by, until.Format(time.TimeOnly))
}
