package operate

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"slipway/operation"
)

func restartCommand(t *Tools) *cobra.Command {
	return &cobra.Command{
		Use:   "restart [SERVICE]",
		Short: "Replace the tasks of a service, or of all, by new ones of the same release",
		Long: `Restart starts new tasks of the release that runs, and stops the old ones when the new ones are healthy, as a deployment
does. It waits for the verdict. If the new tasks fail, ECS keeps the old ones.

Ctrl-C ends the waiting, not the restart.`,
		Example: `  slipway restart --stack prod
  slipway restart web --stack prod --live`,
		Args: cobra.MaximumNArgs(1),
		RunE: t.on(func(ctx context.Context, target operation.Target, args []string) error {
			r, err := operation.Restart(ctx, target, strings.Join(args, ""))
			if r == nil || err != nil {
				return err
			}
			for _, name := range r.Skipped {
				t.Say("Service %s has no task: there is nothing to restart.", name)
			}
			if len(r.Services) > 0 {
				t.Say("Restarted: %s.", strings.Join(r.Services, ", "))
			}
			return t.Print(r, func() {})
		}),
	}
}
