package operate

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"slipway/operation"
)

func jobCommand(t *Tools) *cobra.Command {
	return &cobra.Command{
		Use:   "run JOB",
		Short: "Run a scheduled job now, as a container",
		Long: `Run starts one of the stack's jobs as its schedule would, from the task definition that the program declared, and
writes the last lines of its log. The stack must be up with --run. It exits 0 only if the job does.`,
		Example: `  slipway run clean-up
  slipway run clean-up --stack prod`,
		Args: cobra.ExactArgs(1),
		RunE: t.on(func(ctx context.Context, target operation.Target, args []string) error {
			result, err := operation.Job(ctx, target, args[0])
			if err != nil {
				return err
			}
			err = t.Print(result, func() {
				for _, line := range result.Logs {
					fmt.Fprintln(t.Stdout, line)
				}
			})
			if err == nil && result.ExitCode != 0 {
				err = fmt.Errorf("job %s ended with exit code %d: %s", args[0], result.ExitCode, result.Reason)
			}
			return err
		}),
	}
}
