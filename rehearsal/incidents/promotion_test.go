package incidents_test

import (
	"os"
	"strings"
	"testing"

	"slipway/operation"
	"slipway/operation/account/modelaccount"
	"slipway/rehearsal/cloud"
)

// A release goes from a stack of one account to a stack of another if both sides allow the pull: the policy of the repository, and those
// of the deploy role that pulls.
func TestPromotionBetweenAccounts(t *testing.T) {
	const source = `config:
  aws:region: us-east-1
  aws:allowedAccountIds: ["111111111111"]
  slipway:promotion:
    to: ["222222222222"]
`
	const receiving = `config:
  aws:region: us-east-1
  aws:allowedAccountIds: ["222222222222"]
  slipway:github:
    repository: acme/shop
    branches: [main]
  slipway:promotion:
    from: ["111111111111"]
`
	root := checkout(t, map[string]string{"Pulumi.dev.yaml": source, "Pulumi.local.yaml": receiving})
	dev, local := target(root, "dev"), target(root, "local")
	must(t, up(t, dev))
	_, err := operation.Bootstrap(t.Context(), local)
	must(t, err)
	before := map[string][]byte{}
	for _, to := range []operation.Target{dev, local} {
		data, err := os.ReadFile(modelaccount.File(dir(to)))
		must(t, err)
		before[to.Stack] = data
	}
	planted := func(t *testing.T, to operation.Target, plant func(a *cloud.Account)) {
		t.Helper()
		t.Cleanup(func() { must(t, os.WriteFile(modelaccount.File(dir(to)), before[to.Stack], 0o600)) })
		a, err := cloud.Open(modelaccount.File(dir(to)), cloud.Options{})
		must(t, err)
		plant(a)
		must(t, a.Close())
	}
	promote := func() error {
		_, err := operation.Promote(t.Context(), local, operation.PromoteArgs{From: "dev", EvenUnhealthy: true,
			Confirm: func(*operation.Plan) error { return nil }})
		return err
	}
	refused := func(t *testing.T, words ...string) {
		t.Helper()
		err := promote()
		for _, w := range words {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("expected a refusal with %q, got %v", w, err)
			}
		}
	}

	// https://github.com/awslabs/amazon-ecr-credential-helper/issues/259
	t.Run("the deploy role has no rights on the repository of the other account", func(t *testing.T) {
		planted(t, local, func(a *cloud.Account) {
			found := false
			for _, o := range a.Objects() {
				text := cloud.Inputs(o.Outputs).String("policy")
				if o.Type != "aws:iam/policy:Policy" || !strings.Contains(text, "PullReleases") {
					continue
				}
				found = true
				text = strings.ReplaceAll(text, "arn:aws:ecr:*:111111111111:", "arn:aws:ecr:*:333333333333:")
				must(t, a.Alter(o.Type, o.ID, func(o *cloud.Object) { o.Inputs["policy"], o.Outputs["policy"] = text, text }))
			}
			if !found {
				t.Fatal("the deploy role has no statement PullReleases")
			}
		})
		refused(t, "slipway-local-deploy", "ecr:BatchGetImage", "repository/slipway-dev/", "no identity-based policy allows")
	})

	// https://github.com/aws/containers-roadmap/issues/2053
	t.Run("the repository does not admit the other account", func(t *testing.T) {
		planted(t, dev, func(a *cloud.Account) {
			const kind = "aws:ecr/repositoryPolicy:RepositoryPolicy"
			for _, o := range a.Objects() {
				if o.Type == kind {
					_, err := a.Remove(kind, o.ID)
					must(t, err)
				}
			}
		})
		refused(t, "reading 111111111111.dkr.ecr", "ecr:BatchGetImage", "no resource-based policy allows", `"222222222222" in promotion.to`)
	})

	must(t, promote())
}
