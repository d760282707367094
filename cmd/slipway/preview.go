package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"slipway/cmd/slipway/commandline"
	"slipway/operation"
	"slipway/screen"
)

func previewCommand(run *invocation) *cobra.Command {
	var release string
	cmd := &cobra.Command{
		Use:   "preview",
		Short: "Show what up would change",
		Long: `Preview shows the plan of an up: the data that would be lost, what is down for a while, which resources would be
created, changed, replaced or deleted, and which of their settings differ. What up would refuse, preview refuses too, such
as a project with mistakes (slipway check). Of a paused stack it shows the plan, and says that up is refused until resume.
Every resource is read first, so the plan shows what up reverts of what was changed outside Slipway.

It changes nothing. Secrets are shown as [secret].

` + commandline.Trying + `
The plan is followed by a rehearsal of the change on a copy of the stack: up, up again, destroy.`,
		Example: `  slipway preview
  slipway preview --config web.max=6 --json
  slipway preview --with 'Instance::database.instanceClass="db.t4g.medium"'`,
		Args: commandline.None,
		RunE: func(cmd *cobra.Command, _ []string) error { return preview(cmd.Context(), run, release) },
	}
	cmd.Flags().StringVar(&release, "release", "", "do not build; use the images of this release of the stack")
	return cmd
}

func preview(ctx context.Context, run *invocation, release string) error {
	target, err := run.target()
	if err != nil {
		return err
	}
	plan, err := operation.Preview(ctx, target, release)
	if err != nil {
		return err
	}
	err = run.out.print(plan.Summary(), func() {
		shownPlan(plan).Write(run.out.stdout, screen.Look{})
		if plan.WhatIf != nil {
			shownRehearsal(plan.WhatIf).Write(run.out.stdout, run.out.verbose)
		}
	})
	run.out.say("Plan for %s: %s.", run.stack, planned(plan.Result))
	if err == nil && plan.WhatIf != nil && !plan.WhatIf.Good {
		err = fmt.Errorf("stack %s is not fit to be deployed with this change", run.stack)
	}
	return err
}
