package commandline

import "github.com/spf13/cobra"

// CheckCommand is the command check, which runs with the folder that it is about, or "".
func CheckCommand(run func(cmd *cobra.Command, path string) error) *cobra.Command {
	return &cobra.Command{
		Use:   "check [PATH]",
		Short: "Read a Django project, and list what would keep it from running",
		Long: `Check reads a Django project without building or running it, and lists everything that would keep it from running or that would
expose it, with file, line and fix. Without PATH it is the stack's own project, the folder of images.app. The project's Python code
is parsed with python3. What reading alone cannot show is listed as unknown. The exit code is 1 if anything is refused.`,
		Example: "  slipway check\n  slipway check --stack prod\n  slipway check app --json",
		Args:    AtMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return run(cmd, args[0])
			}
			return run(cmd, "")
		},
	}
}
