package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"slipway/cmd/slipway/commandline"
	"slipway/operation"
)

func promoteCommand(run *invocation) *cobra.Command {
	var args operation.PromoteArgs
	var to string
	cmd := &cobra.Command{
		Use:   "promote --from STACK --to STACK [RELEASE]",
		Short: "Run the release of one stack in another",
		Long: `Promote runs a release of one stack in another: the very same images, by digest, copied from registry to registry.
Nothing is built. It shows what would change before it begins.

Without RELEASE it is the release that was deployed last in the source stack. A release that is not good there, or whose
deployment never ended, is refused.`,
		Example: `  slipway promote --from dev --to staging
  slipway promote --from staging --to prod 20261122-190817-3f2a9c1
  slipway promote --from staging --to prod --live`,
		Args: commandline.AtMost(1),
		RunE: func(cmd *cobra.Command, releases []string) error {
			if cmd.Flags().Changed("stack") {
				return operation.UsageError{Err: errors.New("promote takes --from and --to, not --stack")}
			}
			if args.From == to {
				return operation.UsageError{Err: fmt.Errorf("--from and --to are both %q: a release is promoted from one stack to another", args.From)}
			}
			run.stack, args.Release = to, argument(releases)
			return promote(cmd.Context(), run, args)
		},
	}
	cmd.Flags().StringVar(&args.From, "from", "", "the stack that the release comes from")
	cmd.Flags().StringVar(&to, "to", "", "the stack that the release goes to")
	cmd.Flags().BoolVar(&args.EvenUnhealthy, "even-unhealthy", false, "also promote a release that is not good in its source stack")
	cmd.MarkFlagRequired("from")
	cmd.MarkFlagRequired("to")
	return cmd
}

func promote(ctx context.Context, run *invocation, args operation.PromoteArgs) error {
	target, err := run.target()
	if err != nil {
		return err
	}
	args.Confirm = run.confirmPlan
	return report(ctx, run, func() (*operation.Deployed, error) { return operation.Promote(ctx, target, args) })
}

func rollbackCommand(run *invocation) *cobra.Command {
	return &cobra.Command{
		Use:   "rollback [RELEASE]",
		Short: "Run an earlier release again",
		Long: `Rollback runs the digests of an earlier release of the stack again: without RELEASE the last good one before the one that
runs, with other images. A second rollback goes further back. A newer release runs again only if you name it. Nothing is
built. It shows what would change before it begins.

The database is not rolled back: migrations that the earlier release does not have are listed, and stay applied.`,
		Example: `  slipway rollback --stack prod
  slipway rollback --stack prod 20261122-190817-3f2a9c1`,
		Args: commandline.AtMost(1),
		RunE: func(cmd *cobra.Command, args []string) error { return rollback(cmd.Context(), run, argument(args)) },
	}
}

func rollback(ctx context.Context, run *invocation, id string) error {
	target, err := run.target()
	if err != nil {
		return err
	}
	return report(ctx, run, func() (*operation.Deployed, error) { return operation.Rollback(ctx, target, id, run.confirmPlan) })
}
