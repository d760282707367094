package main

import (
	"context"

	"github.com/spf13/cobra"

	"slipway/operation"
)

func outputsCommand(run *invocation) *cobra.Command {
	var show bool
	cmd := &cobra.Command{
		Use:   "outputs",
		Short: "Show outputs: the url, names, addresses",
		Example: `  slipway outputs
  slipway outputs --json | jq -r .url`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return outputs(cmd.Context(), run, show) },
	}
	cmd.Flags().BoolVar(&show, "show-secrets", false, "show secrets in plain text")
	return cmd
}

func exportCommand(run *invocation) *cobra.Command {
	var show bool
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write the stack's state, as `pulumi stack export` does",
		Example: `  slipway export > state.json
  slipway export --show-secrets`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return export(cmd.Context(), run, show) },
	}
	cmd.Flags().BoolVar(&show, "show-secrets", false, "show secrets in plain text")
	return cmd
}

func outputs(ctx context.Context, run *invocation, showSecrets bool) error {
	target, err := run.target()
	if err != nil {
		return err
	}
	all, err := operation.Outputs(ctx, target, showSecrets)
	if err != nil {
		return err
	}
	return run.out.print(all, func() { run.out.printOutputs(all) })
}

func export(ctx context.Context, run *invocation, showSecrets bool) error {
	target, err := run.target()
	if err != nil {
		return err
	}
	state, err := operation.Export(ctx, target, showSecrets)
	if err != nil {
		return err
	}
	_, err = run.out.stdout.Write(state)
	return err
}
