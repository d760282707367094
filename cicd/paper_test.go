package cicd

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What bootstrap makes by hand and what a program makes are one role: the documents say the same.
func TestTheRoleOnPaperIsTheRoleOfTheProgram(t *testing.T) {
	args := deployerOf()
	args.ProviderARN = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"
	g := recordDeployer(t, args)
	args.ProviderARN = "" // the account's one is known by its name
	paper, err := args.Paper()
	if err != nil {
		t.Fatal(err)
	}
	same := func(what string, made any, paper string) {
		t.Helper()
		var a, b any
		if err := json.Unmarshal([]byte(fmt.Sprint(made)), &a); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(paper), &b); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(a, b); diff != "" {
			t.Errorf("%s (-program +paper):\n%s", what, diff)
		}
	}
	role := g.Named("aws:iam/role:Role", "deployer")
	same("the trust", role.Input("assumeRolePolicy"), paper.Trust)
	if role.Input("name") != paper.Name || role.Input("description") != paper.Description {
		t.Errorf("the program's role is %v (%v), on paper it is %s (%s)", role.Input("name"), role.Input("description"), paper.Name, paper.Description)
	}
	policies := g.Of("aws:iam/policy:Policy")
	if len(policies) != len(paper.Policies) {
		t.Fatalf("%d policies, %d on paper", len(policies), len(paper.Policies))
	}
	on := map[any]string{}
	for _, p := range paper.Policies {
		on[p.Name] = p.Document
		if len(p.Document) > 6144 {
			t.Errorf("%s has %d characters; IAM takes 6144", p.Name, len(p.Document))
		}
	}
	for _, p := range policies {
		same(fmt.Sprint(p.Input("name")), p.Input("policy"), on[p.Input("name")])
	}
}

func TestAPaperNeedsARepository(t *testing.T) {
	args := deployerOf()
	args.Repository = "*"
	if _, err := args.Paper(); err == nil {
		t.Error("a wildcard became a role")
	}
}
