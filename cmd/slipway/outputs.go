package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"slipway/cmd/slipway/commandline"
	"slipway/operation"
	"slipway/screen"
)

func outputsCommand(run *invocation) *cobra.Command {
	var show bool
	cmd := &cobra.Command{
		Use:   "outputs [KEY]",
		Short: "Show the URL, names and addresses, and how to connect",
		Long: `Outputs shows what the last up left: the URL first, then names and addresses, then the commands that connect to
the running site. With KEY it writes that value alone. A key is one of the JSON's, such as url or images.django, or a name as
it is shown, such as "Task definition".

A stack that is not up is an error. The commands need the AWS CLI with its Session Manager plugin.`,
		Example: `  slipway outputs
  slipway outputs url
  slipway outputs images.django --stack prod
  slipway outputs --json | jq -r .url`,
		Args: commandline.AtMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return outputs(cmd.Context(), run, argument(args), show)
		},
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
		Args: commandline.None,
		RunE: func(cmd *cobra.Command, _ []string) error { return export(cmd.Context(), run, show) },
	}
	cmd.Flags().BoolVar(&show, "show-secrets", false, "show secrets in plain text")
	return cmd
}

func outputs(ctx context.Context, run *invocation, key string, showSecrets bool) error {
	target, err := run.target()
	if err != nil {
		return err
	}
	all, err := operation.Outputs(ctx, target, showSecrets)
	if err != nil {
		return err
	}
	if key != "" {
		value, err := operation.Pick(all, key)
		if err != nil {
			return err
		}
		return run.out.print(value, func() { fmt.Fprintln(run.out.stdout, screen.Value(value)) })
	}
	return run.out.print(all, func() {
		run.out.printOutputs(all)
		title := "To connect:"
		if !run.live {
			title = "To connect, once the stack is in an account (this one is simulated):"
		}
		var pairs []screen.Pair
		for _, one := range operation.Connect(all) {
			pairs = append(pairs, screen.Pair{Name: one.Name, Value: screen.Value(one.Value)})
		}
		run.out.data.WriteCommands(title, pairs)
	})
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
	run.out.printed = true
	_, err = run.out.stdout.Write(state)
	return err
}
