package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"slipway/bootstrap"
	"slipway/cmd/slipway/commandline"
	"slipway/internal/version"
	"slipway/operation"
	"slipway/screen"
)

func bootstrapCommand(run *invocation) *cobra.Command {
	return &cobra.Command{
		Use:   "bootstrap",
		Short: "Create what a stack needs in its account before it can be deployed",
		Long: `Bootstrap creates, once, what an account needs before a stack can be deployed to it: a bucket for the state
(versioned, encrypted, private, TLS only), a KMS key that encrypts the state and the secrets in it, the service-linked
roles of ECS, RDS, Elastic Load Balancing and Application Auto Scaling, and of WAF if waf.enabled, and, if the stack names
a GitHub repository, the account's OIDC provider for GitHub, the deploy role, the read role for those that the stack allows
to read only, and the permissions boundary of all other roles of the stack. With --live it then writes the stack's settings
into Pulumi.<stack>.yaml.

It can be run again at any time: what exists is found, what is missing is created, manual changes are reverted and
reported. Resources of another owner are refused. In the rehearsal all of it happens in the model, and the file is not
changed. Destroy deletes none of it.

Cost: $1 a month for the key.`,
		Example: `  slipway bootstrap --stack prod
  slipway bootstrap --stack prod --live`,
		Args: commandline.None,
		RunE: func(cmd *cobra.Command, _ []string) error { return bootstrapStack(cmd.Context(), run) },
	}
}

func bootstrapStack(ctx context.Context, run *invocation) error {
	target, err := run.target()
	if err != nil {
		return err
	}
	b, err := operation.Bootstrap(ctx, target)
	if err != nil {
		return err
	}
	file := "Pulumi." + run.stack + ".yaml"
	switch {
	case !run.live:
		run.out.say("This was the model of AWS. With --live, %s would get:", file)
	case len(b.Settings) > 0:
		run.out.say("%s got:", file)
	default:
		run.out.say("%s has all its settings.", file)
	}
	for _, s := range b.Settings {
		run.out.say("  %s = %s", strings.Join(s.Path, " "), screen.Value(s.Value))
	}
	if run.live {
		run.out.say("Stack %s can be deployed to %s. Next:\n"+
			"  slipway secret set NAME%[4]s    for each secret of the app, see %[6]s\n"+
			"  pulumi login '%[3]s'    only for the Pulumi CLI\n"+
			"  slipway preview%[4]s    what the first up creates\n"+
			"  git commit %[5]s    everyone who deploys needs these settings; none of them is secret",
			run.stack, b.Where, b.Backend, run.flags(), file, version.Page("docs/operations.md#secrets"))
	}
	return run.out.print(struct {
		Stack   string `json:"stack"`
		Live    bool   `json:"live"`
		Account string `json:"account"`
		Region  string `json:"region"`
		bootstrap.Result
		Settings []operation.Setting `json:"settings"`
	}{run.stack, run.live, b.Where.Account, b.Where.Region, b.Result, b.Settings}, func() {})
}
