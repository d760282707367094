package incidents_test

import (
	"strings"
	"testing"

	"slipway/rehearsal/cloud"
	"slipway/rehearsal/githubtoken"
)

// assumes is how a job fares that assumes a role of the account: "" if it has the role, else why not.
func assumes(a *cloud.Account, role string, j githubtoken.Job) string {
	token, err := j.Token()
	if err == nil {
		err = a.AssumeWithToken(role, cloud.Token(token))
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// The jobs of example/site.
var (
	onMain       = githubtoken.Job{Repository: "example/site", Event: "push", Ref: "refs/heads/main", IDToken: true}
	inProduction = with(onMain, func(j *githubtoken.Job) { j.Environment = "production" })
)

func with(j githubtoken.Job, change func(*githubtoken.Job)) githubtoken.Job {
	change(&j)
	return j
}

// TestWhoMayAssumeTheRolesOfTheWorkflows: the trust policies of prod, which is deployed from an environment, and of staging, which is
// deployed from a branch, with the tokens that GitHub gives.
func TestWhoMayAssumeTheRolesOfTheWorkflows(t *testing.T) {
	accounts := map[string]*cloud.Account{"prod": account(t, deployed(t, "prod", nil)), "staging": account(t, deployed(t, "staging", nil))}
	const (
		pull   = "pull_request"
		merged = "refs/pull/5/merge"
	)
	for _, c := range []struct {
		name   string
		job    githubtoken.Job
		admits string // the roles that the job may assume
	}{
		{"a push to main", onMain, "staging-deploy prod-read staging-read"},
		{"a push to main, in the environment", inProduction, "prod-deploy"},
		{"a push to another branch", with(onMain, func(j *githubtoken.Job) { j.Ref = "refs/heads/feature" }), ""},
		{"a push to a branch whose name begins with main", with(onMain, func(j *githubtoken.Job) { j.Ref = "refs/heads/main2" }), ""},
		{"a tag", with(onMain, func(j *githubtoken.Job) { j.Ref = "refs/tags/v1" }), ""},
		{"a tag called main", with(onMain, func(j *githubtoken.Job) { j.Ref = "refs/tags/main" }), ""},
		{"a pull request", with(onMain, func(j *githubtoken.Job) { j.Event, j.Ref = pull, merged }), ""},
		{"a pull request from a fork", with(onMain, func(j *githubtoken.Job) { j.Event, j.Ref, j.Fork = pull, merged, true }), ""},
		{"another environment", with(onMain, func(j *githubtoken.Job) { j.Environment = "staging" }), ""},
		{"an environment called like a subject", with(onMain, func(j *githubtoken.Job) { j.Environment = "x:ref:refs/heads/main" }), ""},
		{"a merge queue", with(onMain, func(j *githubtoken.Job) {
			j.Event, j.Ref = "merge_group", "refs/heads/gh-readonly-queue/main/pr-5-0a1b2c"
		}), ""},
		{"a manual run on main", with(onMain, func(j *githubtoken.Job) { j.Event = "workflow_dispatch" }),
			"staging-deploy prod-read staging-read"},
		{"a manual run on main, in the environment", with(inProduction, func(j *githubtoken.Job) { j.Event = "workflow_dispatch" }),
			"prod-deploy"},
		{"a manual run on another branch", with(onMain, func(j *githubtoken.Job) {
			j.Event, j.Ref = "workflow_dispatch", "refs/heads/feature"
		}), ""},
		{"the nightly run", with(onMain, func(j *githubtoken.Job) { j.Event = "schedule" }), "staging-deploy prod-read staging-read"},
		{"a reusable workflow of another repository, called on main", with(onMain, func(j *githubtoken.Job) {
			j.Workflow = "acme/shared/.github/workflows/deploy.yml@refs/heads/main"
		}), "staging-deploy prod-read staging-read"},
		{"a customised subject", with(onMain, func(j *githubtoken.Job) {
			j.ClaimKeys, j.Workflow = []string{"repo", "context", "job_workflow_ref"}, "acme/shared/.github/workflows/deploy.yml@refs/heads/main"
		}), ""},
		{"a subject without the repository", with(onMain, func(j *githubtoken.Job) { j.ClaimKeys = []string{"repository_owner"} }), ""},
		{"another repository", with(inProduction, func(j *githubtoken.Job) { j.Repository = "example/other" }), ""},
		{"another owner", with(inProduction, func(j *githubtoken.Job) { j.Repository = "evil/site" }), ""},
		{"another audience", with(inProduction, func(j *githubtoken.Job) { j.Audience = "https://github.com/example" }), ""},
		{"no permission id-token", with(inProduction, func(j *githubtoken.Job) { j.IDToken = false }), ""},
		{"the immutable form of the subject, without ids in the configuration", with(inProduction, func(j *githubtoken.Job) {
			j.OwnerID, j.RepositoryID = 583231, 1296269
		}), ""},
	} {
		for _, role := range []string{"prod-deploy", "staging-deploy", "prod-read", "staging-read"} {
			stack, _, _ := strings.Cut(role, "-")
			admitted := contains(c.admits, role)
			if why := assumes(accounts[stack], "slipway-"+role, c.job); (why == "") != admitted {
				t.Errorf("%s: role %s: want admitted %v, got %q", c.name, role, admitted, why)
			}
		}
	}
}

func contains(words, word string) bool { return strings.Contains(" "+words+" ", " "+word+" ") }

// TestIncidentsOfGitHubsTokens plants reported failures into the trust of prod's deploy role, the token or the account's provider. The
// number is that of the collection of incidents, where the failure is in it; source is where it was reported.
func TestIncidentsOfGitHubsTokens(t *testing.T) {
	dir := deployed(t, "prod", nil)
	const kind, name, trust, sub = "Role", "github", "assumeRolePolicy", "repo:example/site:environment:production"
	for _, c := range []struct {
		id, source string
		plant      plant
		job        githubtoken.Job
		says       []string
	}{
		{"A08", "aws-actions/configure-aws-credentials#452", replaced(kind, name, trust, sub, "repo:example/site:ref:refs/heads/main"),
			inProduction, []string{"AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity", "role slipway-prod-deploy", sub,
				"refs/heads/main"}},
		{"A10", "aws-actions/configure-aws-credentials#1137", replaced(kind, name, trust, sub, "repo:example/*"), inProduction,
			[]string{"AccessDenied", "StringEquals compares repo:example/* as it is", "StringLike"}},
		{"A11", "aws-actions/configure-aws-credentials#318", replaced(kind, name, trust, sub, "repo:Example/Site:environment:production"),
			inProduction, []string{"AccessDenied", "differ in upper and lower case only", "repo:Example/Site"}},
		{"the immutable form", "terraform-aws-modules/terraform-aws-iam#659", nil,
			with(inProduction, func(j *githubtoken.Job) { j.OwnerID, j.RepositoryID = 583231, 1296269 }),
			[]string{"AccessDenied", "repo:example@583231/site@1296269:environment:production", "name the ids of owner and repository"}},
		{"no permission id-token", "aws-actions/configure-aws-credentials#271", nil,
			with(inProduction, func(j *githubtoken.Job) { j.IDToken = false }), []string{"id-token: write"}},
		{"a fork", "aws-actions/configure-aws-credentials#373", nil,
			with(inProduction, func(j *githubtoken.Job) { j.Fork = true }), []string{"pull request from a fork"}},
		{"a wrong audience", "aws-actions/configure-aws-credentials#775", nil,
			with(inProduction, func(j *githubtoken.Job) { j.Audience = "https://github.com/example" }),
			[]string{"InvalidIdentityToken", "Incorrect token audience", "https://github.com/example"}},
		{"a provider without the audience", "guardian/cdk#1350", set("OpenIdConnectProvider", "github-github",
			"clientIdLists", []any{"https://github.com/example"}), inProduction, []string{"InvalidIdentityToken", "Incorrect token audience"}},
		{"no provider", "aws-actions/configure-aws-credentials#721", func(t *testing.T, a *cloud.Account) {
			t.Helper()
			o := named(t, a, "OpenIdConnectProvider", "github-github")
			_, err := a.Remove(o.Type, o.ID)
			must(t, err)
		}, inProduction, []string{"InvalidIdentityToken", "No OpenIDConnect provider found"}},
		{"a customised subject", "aws-actions/configure-aws-credentials#454", nil,
			with(inProduction, func(j *githubtoken.Job) { j.ClaimKeys = []string{"repo", "context", "event_name"} }),
			[]string{"AccessDenied", sub + ":event_name:push"}},
	} {
		t.Run(c.id, func(t *testing.T) {
			a := account(t, dir)
			if why := assumes(a, "slipway-prod-deploy", inProduction); why != "" {
				t.Fatalf("before anything is planted: %s", why)
			}
			if c.plant != nil {
				c.plant(t, a)
			}
			why := assumes(a, "slipway-prod-deploy", c.job)
			if why == "" {
				t.Fatalf("%s: the job may assume the role", c.source)
			}
			for _, says := range c.says {
				if !strings.Contains(why, says) {
					t.Errorf("%s: the refusal lacks %q: %s", c.source, says, why)
				}
			}
		})
	}
}

// Rows 7 and 8 of a review: a workflow of dev that its trust admits must not reach prod. Each role is assumed by its own stack's jobs
// alone, whatever its policies say.
func TestTheRolesOfAStackTrustNoOtherStack(t *testing.T) {
	a := account(t, deployed(t, "staging", nil))
	trespasses, err := a.Trespasses("slipway-staging-deploy")
	if err != nil || len(trespasses) > 0 {
		t.Errorf("%v %v", err, trespasses)
	}
	if why := assumes(a, "slipway-staging-deploy", inProduction); !strings.Contains(why, "environment:production") {
		t.Errorf("a job of prod's environment and staging's role: %q", why)
	}
}
