package cicd

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What bootstrap makes by hand and what a program makes are the same roles: the documents say the same.
func TestTheRolesOnPaperAreTheRolesOfTheProgram(t *testing.T) {
	args := deployerOf()
	args.ProviderARN = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"
	args.OwnerID, args.RepositoryID = 583231, 1296269
	g := recordDeployer(t, args)
	args.ProviderARN = "" // the account's one is known by its name
	deployer, reader, err := args.Papers()
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
	on := map[any]string{}
	for logical, paper := range map[string]*Paper{"deployer": deployer, "deployer-read": reader} {
		role := g.Named("aws:iam/role:Role", logical)
		same("the trust of "+logical, role.Input("assumeRolePolicy"), paper.Trust)
		if role.Input("name") != paper.Name || role.Input("description") != paper.Description || role.Input("maxSessionDuration") != float64(paper.SessionSeconds) {
			t.Errorf("the program's role is %v (%v, %v s), on paper it is %s (%s, %d s)", role.Input("name"), role.Input("description"),
				role.Input("maxSessionDuration"), paper.Name, paper.Description, paper.SessionSeconds)
		}
		for _, p := range paper.Policies {
			on[p.Name] = p.Document
			if len(p.Document) > 6144 {
				t.Errorf("%s has %d characters; IAM takes 6144", p.Name, len(p.Document))
			}
		}
	}
	policies := g.Of("aws:iam/policy:Policy")
	if len(policies) != len(on) {
		t.Fatalf("%d policies, %d on paper", len(policies), len(on))
	}
	for _, p := range policies {
		same(fmt.Sprint(p.Input("name")), p.Input("policy"), on[p.Input("name")])
	}
}

func TestThereIsNoPaperForNobody(t *testing.T) {
	args := deployerOf()
	args.ReadBranches, args.ReadPullRequests = nil, false
	if deployer, reader, err := args.Papers(); err != nil || deployer == nil || reader != nil {
		t.Errorf("got %v, %v and %v, want a deploy role alone", deployer, reader, err)
	}
}

func TestAPaperNeedsARepository(t *testing.T) {
	args := deployerOf()
	args.Repository = "*"
	if _, _, err := args.Papers(); err == nil {
		t.Error("a wildcard became a role")
	}
}
