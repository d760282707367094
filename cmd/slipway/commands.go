package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"slipway/operation"
)

const help = `Slipway puts a Django site on AWS Fargate with one Pulumi program, and rehearses it.

Every command works on a model of AWS inside this process. The engine is the real Pulumi engine, and
the program is the one that "pulumi up" deploys; only the account is not real. No credentials are
read, no account is called and nothing costs money.

With --live a command works on the stack's own AWS account, with the credentials of the environment.
Begin there with "slipway bootstrap --live", and see README.md.

What a stack is made of is kept in .slipway/<stack>/. Delete that folder to forget it.`

// rootCommand is the command with all its subcommands.
func rootCommand(run *invocation) *cobra.Command {
	root := &cobra.Command{
		Use:   "slipway",
		Short: "A Django site on AWS Fargate, rehearsed",
		Long:  help,
		Example: `  slipway up                            put the stack local up; again: nothing changes
  slipway preview --config web.max=6    what would change with another setting
  slipway outputs                       where the site is
  slipway rehearse --stack prod         would prod go up, stay as it is, and come down?
  slipway destroy                       take the stack down`,
		Args:          cobra.NoArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if err := operation.CheckStackName(run.stack); err != nil {
				return fmt.Errorf("--stack: %w", err)
			}
			if run.live && (run.runs || slices.Contains([]string{"rehearse", "run"}, cmd.Name())) {
				return errors.New("--live: containers and rehearsals are of the model, not of an account")
			}
			run.began = true
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.PersistentFlags().StringVarP(&run.stack, "stack", "s", "local", "the stack: the middle of Pulumi.<stack>.yaml")
	root.PersistentFlags().BoolVar(&run.live, "live", false, "work on the stack's AWS account instead of the model")
	root.PersistentFlags().BoolVarP(&run.yes, "yes", "y", false, "with --live: do not ask before the account is changed")
	root.PersistentFlags().BoolVar(&run.out.json, "json", false, "write the result to stdout as JSON")

	configured := func(cmd *cobra.Command) *cobra.Command {
		cmd.Flags().StringArrayVarP(&run.overrides, "config", "c", nil,
			"a setting for this run, as `key=value`: web.max=6, aws:region=eu-west-1, 'env.GREETING=\"5\"'")
		return cmd
	}
	running := func(cmd *cobra.Command) *cobra.Command {
		cmd.Flags().BoolVar(&run.runs, "run", false, "also run what is deployed, as containers of the Docker engine")
		cmd.Flags().StringVar(&run.postgres, "postgres", "", "with --run: the image of the database (default the official one of its version)")
		return cmd
	}
	root.AddCommand(
		running(configured(upCommand(run))),
		configured(previewCommand(run)),
		running(configured(promoteCommand(run))),
		running(configured(rollbackCommand(run))),
		releasesCommand(run),
		destroyCommand(run),
		driftCommand(run),
		bootstrapCommand(run),
		stacksCommand(run),
		unlockCommand(run),
		outputsCommand(run),
		exportCommand(run),
		ciCommand(run),
		commentCommand(run),
		schemaCommand(run),
		jobCommand(run),
		running(configured(rehearseCommand(run))),
	)
	run.letWait(root)
	return root
}
