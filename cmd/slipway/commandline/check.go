package commandline

import (
	"errors"

	"github.com/spf13/cobra"

	"slipway/operation"
)

// CheckCommand is the command check. Target is the stack that the flags name. Print writes a value as JSON, or calls what writes it for
// people.
func CheckCommand(target func() operation.Target, print func(v any, text func()) error) *cobra.Command {
	return &cobra.Command{
		Use:   "check [PATH]",
		Short: "Read a Django project, and list what would keep it from running",
		Long: `Check reads a Django project without building or running it, and lists everything that would keep it from running or that would
expose it, with file, line and fix. Without PATH it is the stack's own project, the folder of app.path. The project's Python code
is parsed with python3. What reading alone cannot show is listed as unknown. The exit code is 1 if anything is refused.`,
		Example: "  slipway check\n  slipway check --stack prod\n  slipway check app --json",
		Args:    AtMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path := ""
			if len(args) > 0 {
				path = args[0]
			}
			report, err := operation.Check(cmd.Context(), target(), path)
			if report == nil {
				return err
			}
			return errors.Join(print(report, func() { report.Write(cmd.OutOrStdout()) }), err)
		},
	}
}
