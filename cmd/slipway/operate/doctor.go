package operate

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"slipway/operation"
	"slipway/screen"
)

func doctorCommand(t *Tools) *cobra.Command {
	var args operation.DoctorArgs
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Find out why the site does not work",
		Long: `Doctor looks at the site from two sides and names the likely cause first, with its evidence and the next command.

From outside, through AWS's API: what ECS runs, images, secrets, the database, targets, stopped tasks, the certificate, alarms, the lock
and the last drift check. From inside, as a one-off task of the running release in the VPC: environment, network path to the database,
log-in, Django's settings, migrations, tables, the cache and the health path. The task costs less than a cent and takes one to two minutes.
It writes names of variables, never a value of a secret. If no task can be started, the outside still names the cause.

In a rehearsal the outside is the model's, and doctor also asks the model for network paths and permissions, as why does. The inside needs
containers: slipway up --run. Exit codes: 0 healthy, or being deployed; 3 a problem was found; 1 not everything could be looked at.`,
		Example: `  slipway doctor --stack prod --live
  slipway doctor --stack prod --live --outside     start no task
  slipway doctor --json`,
		Args: cobra.NoArgs,
		RunE: t.on(func(ctx context.Context, target operation.Target, _ []string) error {
			checkup, err := operation.Doctor(ctx, target, args)
			if err != nil {
				return err
			}
			if err := t.Print(checkup, func() { t.Data.WriteCheckup(shown(checkup)) }); err != nil {
				return err
			}
			switch checkup.State {
			case operation.Problem:
				return &operation.ProblemError{Stack: target.Stack, Cause: checkup.Causes[0].Text}
			case operation.Unsure:
				return fmt.Errorf("stack %s: not everything could be looked at", target.Stack)
			}
			return nil
		}),
	}
	cmd.Flags().BoolVar(&args.Outside, "outside", false, "start no task: look only through AWS's API")
	return cmd
}

// shown is a checkup as the terminal shows it.
func shown(c *operation.Checkup) screen.Checkup {
	s := screen.Checkup{Stack: c.Stack, State: c.State, Inside: c.Inside}
	for _, cause := range c.Causes {
		s.Causes = append(s.Causes, screen.Cause{Text: cause.Text, Because: cause.Because, Next: cause.Next, Services: cause.Parts,
			Evidence: cause.Evidence, Explains: cause.Explains})
	}
	for _, cause := range c.Notices {
		s.Notices = append(s.Notices, screen.Cause{Text: cause.Text, Because: cause.Because, Next: cause.Next, Services: cause.Parts,
			Evidence: cause.Evidence, Explains: cause.Explains})
	}
	for _, check := range c.Checks {
		s.Checks = append(s.Checks, screen.Checked(check))
	}
	return s
}
