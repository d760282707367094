package operate

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"slipway/cmd/slipway/commandline"
	"slipway/operation"
)

func scaleCommand(t *Tools) *cobra.Command {
	return &cobra.Command{
		Use:   "scale SERVICE MIN[..MAX]",
		Short: "Change how many tasks a service has, until the next up",
		Long: `Scale changes between which numbers of tasks the web service scales, or how many tasks a worker has, and waits until
they run. One number for web is its new minimum; the maximum stays, unless it is smaller.

The configuration stays as it is. So the next up reverts the change and says so in its plan, and drift lists it. To keep it, set what
scale prints in the stack's file. What the configuration would refuse is refused here too, such as more connections than the database
has.`,
		Example: `  slipway scale web 4..12 --stack prod
  slipway scale worker-feed 3 --stack prod --live`,
		Args: commandline.Exactly(2),
		RunE: t.on(func(ctx context.Context, target operation.Target, args []string) error {
			r, err := operation.Scale(ctx, target, operation.ScaleArgs{Service: args[0], Tasks: args[1]})
			if r == nil {
				return err
			}
			if err == nil {
				sayScaled(t, target, r)
				err = t.Print(r, func() {})
			}
			return err
		}),
	}
}

func sayScaled(t *Tools, target operation.Target, r *operation.Scaled) {
	if !r.Changed {
		t.Say("Service %s has %s already. Nothing was changed.", r.Service, r.Is)
		return
	}
	t.Say("Service %s has %s.", r.Service, r.Is)
	if len(r.Settings) == 0 {
		return
	}
	t.Say("The next up of stack %s reverts this, and says so in its plan. To keep it, set in %s:", target.Stack, r.File)
	for line := range strings.Lines(r.Nested) {
		t.Say("  %s", strings.TrimSuffix(line, "\n"))
	}
}
