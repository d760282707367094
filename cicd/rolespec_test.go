package cicd_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"slipway/cicd"
)

// Bootstrap and the program make the same roles, with the same documents.
func TestRoleSpecsAreTheRolesOfTheProgram(t *testing.T) {
	args := deployerOf()
	args.ProviderARN = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"
	args.OwnerID, args.RepositoryID = 583231, 1296269
	g := recordDeployer(t, args)
	args.ProviderARN = "" // the account's one is known by its name
	deployer, reader, err := args.RoleSpecs()
	if err != nil {
		t.Fatal(err)
	}
	same := func(what string, made any, spec string) {
		t.Helper()
		var a, b any
		if err := json.Unmarshal([]byte(fmt.Sprint(made)), &a); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(spec), &b); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(a, b); diff != "" {
			t.Errorf("%s (-program +spec):\n%s", what, diff)
		}
	}
	on := map[any]string{}
	for logical, spec := range map[string]*cicd.RoleSpec{"deployer": deployer, "deployer-read": reader} {
		role := g.Named("aws:iam/role:Role", logical)
		same("the trust of "+logical, role.Input("assumeRolePolicy"), spec.Trust)
		if role.Input("name") != spec.Name || role.Input("description") != spec.Description ||
			role.Input("maxSessionDuration") != float64(spec.SessionSeconds) {
			t.Errorf("the program's role is %v (%v, %v s), the spec's is %s (%s, %d s)", role.Input("name"), role.Input("description"),
				role.Input("maxSessionDuration"), spec.Name, spec.Description, spec.SessionSeconds)
		}
		for _, p := range spec.Policies {
			on[p.Name] = p.Document
			if len(p.Document) > 6144 {
				t.Errorf("%s has %d characters; IAM takes 6144", p.Name, len(p.Document))
			}
		}
	}
	policies := g.Of("aws:iam/policy:Policy")
	if len(policies) != len(on) {
		t.Fatalf("%d policies, %d in the specs", len(policies), len(on))
	}
	for _, p := range policies {
		same(fmt.Sprint(p.Input("name")), p.Input("policy"), on[p.Input("name")])
	}
}

func TestThereIsNoSpecOfAReadRoleWithoutReaders(t *testing.T) {
	args := deployerOf()
	args.ReadBranches, args.ReadPullRequests = nil, false
	if deployer, reader, err := args.RoleSpecs(); err != nil || deployer == nil || reader != nil {
		t.Errorf("got %v, %v and %v, want a deploy role alone", deployer, reader, err)
	}
}

func TestARoleSpecNeedsARepository(t *testing.T) {
	args := deployerOf()
	args.Repository = "*"
	if _, _, err := args.RoleSpecs(); err == nil {
		t.Error("a wildcard became a role")
	}
}
