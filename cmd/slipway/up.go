package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"slipway/cmd/slipway/commandline"
	"slipway/engine"
	"slipway/internal/version"
	"slipway/operation"
	"slipway/operation/workflows"
	"slipway/verdict"
)

func upCommand(run *invocation) *cobra.Command {
	var release string
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Deploy the program: create, update and delete resources",
		Long: `Up creates, updates and deletes resources until the account matches the program.

It first shows its plan, data that would be lost at the top. It asks for yes before it changes a real account, and for the
stack's name if data would be lost. A script says --yes instead, and --confirm NAME for a loss. What cannot be completed is
refused before anything is changed. At the end up reports what differed from the plan.

A second up changes nothing. After an interrupt the next up continues where it stopped. After a kill the next up finds
out what was done, repairs the state and continues.

With --run the images are built, every task runs as containers of the Docker engine, and the command serves the site
until Ctrl-C. The containers keep running: the next up finds them, and destroy removes them. While one up serves, another
can deploy the next release.`,
		Example: `  slipway up
  slipway up --run                      and a browser finds the site
  slipway up --config web.max=6
  slipway up --stack dev --dry-run
  slipway up --stack dev --config database.name=shop --confirm dev
  slipway up --stack dev --json`,
		Args: commandline.None,
		RunE: func(cmd *cobra.Command, _ []string) error { return up(cmd.Context(), run, release) },
	}
	cmd.Flags().StringVar(&release, "release", "", "do not build; use the images of this release of the stack")
	return cmd
}

func up(ctx context.Context, run *invocation, release string) error {
	target, err := run.target()
	if err != nil {
		return err
	}
	return report(ctx, run, func() (*operation.Deployed, error) {
		return operation.Up(ctx, target, operation.UpArgs{Release: release, Confirm: run.confirmPlan})
	})
}

// report writes what was deployed, and serves the site if its containers run.
func report(ctx context.Context, run *invocation, deploy func() (*operation.Deployed, error)) (err error) {
	if run.confirmed != "" && run.confirmed != run.stack {
		return operation.UsageError{Err: fmt.Errorf("--confirm names %s, and the stack is %s", run.confirmed, run.stack)}
	}
	d, err := deploy()
	if errors.Is(err, operation.ErrPlanned) {
		run.out.say("Nothing was done: this is the plan.")
		return nil
	}
	if d == nil {
		return err
	}
	for _, deviation := range d.Deviations {
		run.out.say("%s", deviation)
	}
	if d.Containers != nil {
		defer func() { err = errors.Join(err, d.Containers.Close()) }()
	}
	release := ""
	if d.Release != nil {
		release = d.Release.ID
	}
	if err == nil {
		run.out.say("Stack %s is up: %s, in %s.", d.Stack, counted(d.Result), elapsed(d.Result.Took))
		if release != "" {
			run.out.say("It runs release %s.", release)
		}
		if d.Note != "" {
			run.out.say("The release names no commit: %s.", d.Note)
		}
		err = workflows.HandOn(release)
	}
	err = errors.Join(err, run.out.print(struct {
		Stack   string `json:"stack"`
		Release string `json:"release,omitempty"`
		engine.Summary
		Losses     []operation.Effect    `json:"losses"`
		Downtime   []operation.Effect    `json:"downtime"`
		Deviations []operation.Deviation `json:"deviations,omitempty"`
		Warnings   []operation.Warning   `json:"warnings,omitempty"`
		Outputs    map[string]any        `json:"outputs"`
		Verdict    verdict.Verdict       `json:"verdict"`
	}{d.Stack, release, d.Result.Summary(), d.Plan.Losses, d.Plan.Downtime, d.Deviations, d.Warnings, d.Result.Outputs, d.Verdict},
		func() { run.out.printOutputs(d.Result.Outputs) }))
	switch {
	case err != nil:
	case d.Containers != nil:
		return serve(ctx, run, d)
	case d.Live:
		run.out.say("It is up in %s. How to connect:\n  slipway outputs%s", d.Where, run.flags())
	default:
		run.out.say("This is simulated: the URL will not open. Next:\n"+
			"  slipway preview%[1]s --config web.max=6    what a change would do\n"+
			"  slipway outputs%[1]s                       how to connect\n"+
			"  slipway destroy%[1]s                       take it down\n"+
			"To deploy the same program to an account: %[2]s", run.flags(), version.Page("README.md#deploying-for-real"))
	}
	return err
}

// serve serves a stack that runs as containers, until an interrupt or until the stack is destroyed.
func serve(ctx context.Context, run *invocation, d *operation.Deployed) error {
	if d.Containers.Serves() {
		run.out.say("The site is at %s until Ctrl-C.", d.Containers.URL())
	} else {
		run.out.say("The site is at %s, served by the up that runs already.", d.Containers.URL())
	}
	err := d.Containers.Serve(ctx)
	if err == nil && ctx.Err() != nil {
		run.out.say("The site is no longer served; its containers stay. Next:\n"+
			"  slipway up%[1]s         serve it again\n"+
			"  slipway destroy%[1]s    take it down, containers included", run.flags())
	}
	return err
}
