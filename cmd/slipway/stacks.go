package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"slipway/cmd/slipway/commandline"
	"slipway/operation"
	"slipway/screen"
)

func stacksCommand(run *invocation) *cobra.Command {
	return &cobra.Command{
		Use:   "stacks",
		Short: "List the environments: what runs there, since when, and its verdict",
		Long: `Stacks lists the project's stacks, each a Pulumi.<stack>.yaml, with the release that runs, its age, the verdict on it, and
what the last drift check found. By default these are the rehearsed stacks of this folder. With --live each stack is read
from its own account, with the credentials of the environment or its aws:profile. A stack that cannot be read says why.
A stack whose account has no place for its state yet is not bootstrapped: see slipway bootstrap.`,
		Example: `  slipway stacks
  slipway stacks --live --json`,
		Args: commandline.None,
		RunE: func(cmd *cobra.Command, _ []string) error { return stacks(cmd.Context(), run) },
	}
}

func stacks(ctx context.Context, run *invocation) error {
	target, err := run.target()
	if err != nil {
		return err
	}
	all, err := operation.Stacks(ctx, target)
	if err != nil {
		return err
	}
	return run.out.print(all, func() {
		printStacks(run.out.data, all)
		for _, e := range all {
			if e.Problem != "" {
				run.out.warn("%s: %s", e.Stack, e.Problem)
			}
		}
	})
}

func printStacks(out screen.Terminal, all []operation.Environment) {
	var rows [][]string
	for _, e := range all {
		running, age, verdict, drift := columns(e)
		rows = append(rows, []string{e.Stack, whereOf(e), running, age, verdict, drift})
	}
	out.WriteTable([]screen.Column{{Name: "STACK"}, {Name: "WHERE", Drop: 3}, {Name: "RELEASE"}, {Name: "AGE", Drop: 2}, {Name: "VERDICT"},
		{Name: "DRIFT", Drop: 1}}, rows)
}

// whereOf is the place of a stack.
func whereOf(e operation.Environment) string {
	if e.Account == "" {
		return e.Place
	}
	return e.Place + ", " + e.Account + ", " + e.Region
}

// columns are the last columns of a stack in the table.
func columns(e operation.Environment) (running, age, verdict, drift string) {
	running, age, verdict, drift = "-", "-", "-", "-"
	switch {
	case e.Problem != "":
		running = "?"
	case e.NotBootstrapped:
		running = "not bootstrapped"
	case !e.Up:
		running = "not up"
	}
	if e.Release != nil {
		running = e.Release.ID
		age = screen.Age(time.Since(e.Release.When))
		if len(e.Release.Commit) >= 7 {
			running += " (" + e.Release.Commit[:7] + ")"
		}
	}
	if e.Last != nil {
		switch {
		case e.Last.Verdict == nil:
			verdict = e.Last.Operation + " under way, or killed"
		case e.Last.Verdict.Good:
			verdict = "good"
		default:
			verdict = e.Last.Operation + " failed"
		}
	}
	if e.Drift != nil {
		drift = "none"
		if e.Drift.Found > 0 {
			drift = screen.Some(e.Drift.Found, "resource")
		}
		if ago := screen.Age(time.Since(e.Drift.When)); ago == "now" {
			drift += ", just now"
		} else {
			drift += ", " + ago + " ago"
		}
	}
	return running, age, verdict, drift
}
