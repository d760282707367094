package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"slipway/cmd/slipway/commandline"
	"slipway/operation"
	"slipway/screen"
)

func rehearseCommand(run *invocation) *cobra.Command {
	return &cobra.Command{
		Use:   "rehearse",
		Short: "Rehearse the whole life of a stack: up, up again, destroy",
		Long: `Rehearse runs the whole life of any stack in an empty model of its own: up; up again, which must change
nothing; destroy, which must leave nothing. A protected stack must first refuse to be destroyed. It ends with a verdict,
exits 0 only if everything is good, and keeps nothing. Secrets are not decrypted: each is replaced by a stand-in.

` + commandline.Trying,
		Example: `  slipway rehearse --stack prod
  slipway rehearse --stack dev --config network.zones=3 --json
  slipway rehearse --stack prod --without 'site-roles-execution-policy#ReadSecrets'
  slipway rehearse --stack prod --with 'web.healthCheckGracePeriodSeconds=1'`,
		Args: commandline.None,
		RunE: func(cmd *cobra.Command, _ []string) error { return rehearse(cmd.Context(), run) },
	}
}

func rehearse(ctx context.Context, run *invocation) error {
	target, err := run.target()
	if err != nil {
		return err
	}
	v, err := operation.Rehearse(ctx, target)
	if v != nil {
		err = errors.Join(run.out.print(v, func() { shownRehearsal(v).Write(run.out.stdout, run.out.verbose) }), err)
	}
	if err == nil && !v.Good {
		return fmt.Errorf("the rehearsal of stack %s failed", run.stack)
	}
	return err
}

// shownRehearsal is a rehearsal for the terminal.
func shownRehearsal(v *operation.Rehearsal) screen.Rehearsal {
	r := screen.Rehearsal{Stack: v.Stack, Good: v.Good, Protected: len(v.Protected), Wrong: v.Wrong(),
		Unjudged: v.Unjudged}
	for _, act := range v.Acts() {
		r.Acts = append(r.Acts, screen.Act{Name: act.Name, Seconds: act.Seconds, Counts: act.Result.Counts})
	}
	return r
}
