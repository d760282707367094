package main

import (
	"context"

	"github.com/spf13/cobra"

	"slipway/cmd/slipway/commandline"
	"slipway/engine"
	"slipway/operation"
)

func previewCommand(run *invocation) *cobra.Command {
	var release string
	cmd := &cobra.Command{
		Use:   "preview",
		Short: "Show what up would change",
		Long: `Preview shows which resources up would create, update, replace or delete, and which of their properties
differ. It changes nothing. Secrets are shown as [secret].`,
		Example: `  slipway preview
  slipway preview --config web.max=6 --json`,
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
	result, err := operation.Preview(ctx, target, release)
	if err != nil {
		return err
	}
	err = run.out.print(struct {
		Stack string `json:"stack"`
		Live  bool   `json:"live,omitempty"`
		engine.Summary
	}{run.stack, run.live, result.Summary()}, func() { writeChanges(run.out.stdout, result.Changes) })
	run.out.say("Plan for %s: %s.", run.stack, planned(result))
	return err
}
