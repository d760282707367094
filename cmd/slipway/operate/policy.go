package operate

import (
	"bytes"
	"context"
	"encoding/json"

	"github.com/spf13/cobra"

	"slipway/operation"
)

func policyCommand(t *Tools) *cobra.Command {
	policy := &cobra.Command{
		Use:   "policy",
		Short: "Print the IAM policies of people who work with a stack",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	policy.AddCommand(&cobra.Command{
		Use:   "on-call",
		Short: "Print the IAM policy that the commands after a deployment need",
		Long: `On-call prints the IAM policy of a person on call: status, logs, doctor, exec, task, job, shell, db, scale, restart, pause
and resume for this stack, and nothing else. It deploys and deletes nothing. Who may run commands in the site's containers may do
what the site may do: read its data and its secrets. The policy fits among a role's inline policies, or into a permission set; a managed
policy is too small.

The account in it is that of aws:allowedAccountIds, or with --live the caller's.`,
		Example: `  slipway policy on-call --stack prod >on-call.json
  aws iam put-role-policy --role-name on-call --policy-name shop-prod-on-call --policy-document file://on-call.json`,
		Args: cobra.NoArgs,
		RunE: t.on(func(ctx context.Context, target operation.Target, _ []string) error {
			p, err := operation.OnCallPolicy(ctx, target)
			if err != nil {
				return err
			}
			if p.Modelled {
				t.Say("The stack's file names no account (aws:allowedAccountIds): the policy has %s, the model's.", p.Account)
			}
			var text bytes.Buffer
			if err := json.Indent(&text, []byte(p.Document), "", "  "); err != nil {
				return err
			}
			_, err = text.WriteTo(t.Stdout)
			return err
		}),
	})
	return policy
}
