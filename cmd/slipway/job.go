package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"slipway/operation"
)

func jobCommand(run *invocation) *cobra.Command {
	return &cobra.Command{
		Use:   "run JOB",
		Short: "Run a scheduled job now, as a container",
		Long: `Run starts one of the stack's jobs as its schedule would, from the task definition that the program declared, and
writes the last lines of its log. The stack must be up with --run. It exits 0 only if the job does.`,
		Example: `  slipway run clean-up
  slipway run clean-up --stack prod`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return runScheduled(cmd.Context(), run, args[0]) },
	}
}

func runScheduled(ctx context.Context, run *invocation, name string) error {
	target, err := run.target()
	if err != nil {
		return err
	}
	result, err := operation.Job(ctx, target, name)
	if err != nil {
		return err
	}
	err = run.out.print(result, func() {
		for _, line := range result.Logs {
			fmt.Fprintln(run.out.stdout, line)
		}
	})
	if err == nil && result.ExitCode != 0 {
		err = fmt.Errorf("job %s ended with exit code %d: %s", name, result.ExitCode, result.Reason)
	}
	return err
}
