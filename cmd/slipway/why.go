package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"slipway/cmd/slipway/commandline"
	"slipway/operation"
)

// A deniedError is the answer no.
type deniedError struct{ decision string }

func (e *deniedError) Error() string { return "the answer is no: " + e.decision }

func (e *deniedError) Exit() (code int, kind string) { return exitDrift, "denied" }

func whyCommand(run *invocation) *cobra.Command {
	return &cobra.Command{
		Use:     "why ROLE ACTION RESOURCE [key=value ...] | SOURCE DESTINATION:PORT",
		Short:   "Say why a call is allowed or denied, and whether a connection is possible",
		Long:    commandline.Why,
		Example: commandline.WhyExample,
		Args:    commandline.AtLeast(2),
		RunE:    func(cmd *cobra.Command, words []string) error { return why(cmd.Context(), run, words) },
	}
}

func why(ctx context.Context, run *invocation, words []string) error {
	target, err := run.target()
	if err != nil {
		return err
	}
	answer, err := operation.Why(ctx, target, words)
	if err != nil {
		return err
	}
	err = run.out.print(answer, func() { fmt.Fprintln(run.out.stdout, answer) })
	if err == nil && !answer.Allowed {
		err = &deniedError{answer.Decision}
	}
	return err
}
