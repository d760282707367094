package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"slipway/cmd/slipway/commandline"
	"slipway/drift"
	"slipway/operation"
	"slipway/screen"
)

// A driftFound is the error when drift was found: the command worked, but the account differs from the state.
type driftFound struct {
	stack   string
	counted string
}

func (e *driftFound) Error() string {
	return fmt.Sprintf("stack %s has drifted: %s", e.stack, e.counted)
}

func (e *driftFound) Exit() (code int, kind string) { return exitDrift, "drift" }

func driftCommand(run *invocation) *cobra.Command {
	return &cobra.Command{
		Use:   "drift",
		Short: "Show what differs from what the last up deployed, and how bad that is",
		Long: `Drift reads every resource of the stack and compares it with the result of the last operation. It changes neither the
account nor the state. Changes that AWS makes automatically, such as the number of tasks that autoscaling sets, are no drift. Nor is what
slipway pause has changed, until slipway resume.

Each difference is dangerous (it grants access or removes a protection), replaced (reverting it replaces the resource),
missing (the resource is gone) or harmless. The exit code is 0 without drift and 3 with drift.`,
		Example: `  slipway drift
  slipway drift --stack prod --live --json`,
		Args: commandline.None,
		RunE: func(cmd *cobra.Command, _ []string) error { return checkDrift(cmd.Context(), run) },
	}
}

func checkDrift(ctx context.Context, run *invocation) error {
	target, err := run.target()
	if err != nil {
		return err
	}
	drifted, err := operation.Drift(ctx, target, operation.DriftArgs{Unlocked: run.wait > 0})
	if err != nil {
		return err
	}
	found := drifted.Found
	counts := drift.NewCheck(time.Now(), found).Classes
	err = run.out.print(struct {
		Stack     string           `json:"stack"`
		Live      bool             `json:"live,omitempty"`
		Drift     bool             `json:"drift"`
		Paused    bool             `json:"paused,omitempty"`
		LeftOut   []string         `json:"leftOut,omitempty"`
		Counts    map[string]int   `json:"counts"`
		Resources []drift.Resource `json:"resources"`
	}{run.stack, run.live, len(found) > 0, drifted.Paused, drifted.LeftOut, counts, found}, func() { printDrift(run.out.stdout, found) })
	if err != nil {
		return err
	}
	switch {
	case len(found) == 0 && drifted.Paused:
		run.out.say("Apart from the pause, stack %s is as the last up deployed it.", run.stack)
		return nil
	case len(found) == 0:
		run.out.say("Stack %s is as the last up deployed it.", run.stack)
		return nil
	}
	var parts []string
	for class := drift.Missing; class >= drift.Harmless; class-- {
		if n := counts[class.String()]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, class))
		}
	}
	if drifted.Paused {
		run.out.say("No up reverts a change while the stack is paused. Put what should stay into the program. Next, before an up:\n"+
			"  slipway resume%s", run.flags())
		return &driftFound{run.stack, strings.Join(parts, ", ")}
	}
	words := run.flags()
	if drifted.Release != "" {
		words += " --release " + drifted.Release
	}
	run.out.say("Put what should stay into the program. An up reverts only what the program sets; undo the rest where it was done. Next, "+
		"to see what an up\nreverts, and to revert it:\n  slipway preview%[1]s\n  slipway up%[1]s", words)
	return &driftFound{run.stack, strings.Join(parts, ", ")}
}

// printDrift writes one line a resource, with the reason, and one line a property.
func printDrift(out io.Writer, found []drift.Resource) {
	for _, d := range found {
		fmt.Fprintf(out, "%-9s %s  %s", d.Class, d.Name, d.Type)
		if d.Why != "" {
			fmt.Fprintf(out, ": %s", d.Why)
		}
		fmt.Fprintln(out)
		for _, p := range d.Properties {
			fmt.Fprintf(out, "            %s: %s -> %s\n", p.Path, screen.Short(p.From), screen.Short(p.To))
		}
	}
}
