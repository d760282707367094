package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"slipway/cmd/slipway/commandline"
	"slipway/operation"
)

func rehearseCommand(run *invocation) *cobra.Command {
	return &cobra.Command{
		Use:   "rehearse",
		Short: "Rehearse the whole life of a stack: up, up again, destroy",
		Long: `Rehearse runs the whole life of any stack in an empty model of its own: up; up again, which must change
nothing; destroy, which must leave nothing. A protected stack must first refuse to be destroyed. It ends with a verdict,
exits 0 only if everything is good, and keeps nothing. Secrets are not decrypted: each is replaced by a stand-in.`,
		Example: `  slipway rehearse --stack prod
  slipway rehearse --stack dev --config network.zones=3 --json`,
		Args: commandline.None,
		RunE: func(cmd *cobra.Command, _ []string) error { return rehearse(cmd.Context(), run) },
	}
}

func rehearse(ctx context.Context, run *invocation) error {
	target, err := run.target()
	if err != nil {
		return err
	}
	v, err := operation.Rehearse(ctx, target)
	if v != nil {
		err = errors.Join(run.out.print(v, func() { printRehearsal(run.out.stdout, v) }), err)
	}
	if err == nil && !v.Good {
		return fmt.Errorf("the rehearsal of stack %s failed", run.stack)
	}
	return err
}

func printRehearsal(out io.Writer, v *operation.Rehearsal) {
	line := func(name string, a *operation.Act) {
		if a != nil {
			fmt.Fprintf(out, "%-9s %7s  %s\n", name, elapsed(time.Duration(a.Seconds*float64(time.Second))), counted(a.Result))
		}
	}
	line("up", v.Up)
	line("up again", v.Again)
	if len(v.Protected) > 0 {
		fmt.Fprintf(out, "%-9s %7s  %d resources refuse to be destroyed, until it is lifted\n", "protected", "", len(v.Protected))
	}
	line("destroy", v.Destroy)
	for _, reason := range v.Wrong() {
		fmt.Fprintln(out, "wrong:", reason)
	}
	if v.Good {
		fmt.Fprintf(out, "Stack %s deploys, stays unchanged and is destroyed.\n", v.Stack)
	} else {
		fmt.Fprintf(out, "Stack %s is not fit to be deployed.\n", v.Stack)
	}
}
