package cicd_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/cicd"
	"slipway/internal/github"
	"slipway/internal/graph"
	"slipway/internal/policy"
	"slipway/internal/wiring"
	"slipway/site"
)

var devSite = wiring.Site{Project: "slipway", Stack: "dev", Partition: "aws", Region: "us-east-1", AccountID: graph.Account}

func deployerOf() *cicd.DeployerArgs {
	return &cicd.DeployerArgs{
		Site: devSite, Facts: site.Catalog(devSite), Repository: "acme/shop", Environments: []string{"dev"},
		Branches:     []string{"main"},
		ReadBranches: []string{"main"}, ReadPullRequests: true,
		StateBucket: "acme-state", StateKeyARN: "arn:aws:kms:us-east-1:123456789012:key/state",
	}
}

func recordDeployer(t *testing.T, args *cicd.DeployerArgs) graph.Graph {
	t.Helper()
	g, err := graph.Record("dev", nil, func(ctx *pulumi.Context) error {
		_, err := cicd.NewDeployer(ctx, "deployer", args)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func statements(t *testing.T, document any) []policy.ParsedStatement {
	t.Helper()
	all, err := policy.Parse(fmt.Sprint(document))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func granted(t *testing.T, g graph.Graph) []policy.ParsedStatement {
	t.Helper()
	var all []policy.ParsedStatement
	for _, p := range g.Of("aws:iam/policy:Policy") {
		all = append(all, statements(t, p.Input("policy"))...)
	}
	if len(all) < 20 {
		t.Fatalf("only %d statements", len(all))
	}
	return all
}

func TestOnlyTheNamedWorkflowsMayDeploy(t *testing.T) {
	g := recordDeployer(t, deployerOf())
	for _, c := range []struct {
		logical, name string
		subjects      policy.Many
	}{
		{"deployer", "slipway-dev-deploy", policy.Many{"repo:acme/shop:environment:dev", "repo:acme/shop:ref:refs/heads/main"}},
		{"deployer-read", "slipway-dev-read", policy.Many{"repo:acme/shop:ref:refs/heads/main", "repo:acme/shop:pull_request"}},
	} {
		role := g.Named("aws:iam/role:Role", c.logical)
		want := []policy.ParsedStatement{{
			Sid: "GitHub", Effect: "Allow", Action: policy.Many{"sts:AssumeRoleWithWebIdentity"},
			Principal: map[string]policy.Many{"Federated": {"arn:aws:iam:us-east-1:123456789012:openIdConnectProvider/deployer-github"}},
			Condition: map[string]map[string]policy.Many{"StringEquals": {
				"token.actions.githubusercontent.com:aud": {"sts.amazonaws.com"},
				"token.actions.githubusercontent.com:sub": c.subjects,
			}},
		}}
		if diff := cmp.Diff(want, statements(t, role.Input("assumeRolePolicy"))); diff != "" {
			t.Errorf("trust of %s (-want +got):\n%s", c.logical, diff)
		}
		if got := role.Input("name"); got != c.name {
			t.Errorf("role is called %v, want %s", got, c.name)
		}
	}
}

// A repository with GitHub's IDs is trusted in both forms of the subject, and in no other.
func TestBothFormsOfTheSubjectAreTrusted(t *testing.T) {
	args := deployerOf()
	args.OwnerID, args.RepositoryID = 583231, 1296269
	g := recordDeployer(t, args)
	for logical, want := range map[string]policy.Many{
		"deployer": {
			"repo:acme/shop:environment:dev", "repo:acme@583231/shop@1296269:environment:dev",
			"repo:acme/shop:ref:refs/heads/main", "repo:acme@583231/shop@1296269:ref:refs/heads/main",
		},
		"deployer-read": {
			"repo:acme/shop:ref:refs/heads/main", "repo:acme@583231/shop@1296269:ref:refs/heads/main",
			"repo:acme/shop:pull_request", "repo:acme@583231/shop@1296269:pull_request",
		},
	} {
		trust := statements(t, g.Named("aws:iam/role:Role", logical).Input("assumeRolePolicy"))
		diff := cmp.Diff(want, trust[0].Condition["StringEquals"][github.Issuer+":sub"])
		if diff != "" || len(trust) != 1 || len(trust[0].Condition) != 1 {
			t.Errorf("%s trusts %v (-want +got):\n%s", logical, trust, diff)
		}
	}
}

// A role that no workflow may assume is not created.
func TestThereIsAReadRoleOnlyIfReadersAreNamed(t *testing.T) {
	for _, c := range []struct {
		branches []string
		pulls    bool
		want     string
	}{
		{nil, false, ""},
		{[]string{"main"}, false, "repo:acme/shop:ref:refs/heads/main"},
		{nil, true, "repo:acme/shop:pull_request"},
	} {
		args := deployerOf()
		args.ReadBranches, args.ReadPullRequests = c.branches, c.pulls
		var made []string
		for _, role := range recordDeployer(t, args).Of("aws:iam/role:Role") {
			if role.Name != "deployer" {
				made = append(made, statements(t, role.Input("assumeRolePolicy"))[0].Condition["StringEquals"][github.Issuer+":sub"]...)
			}
		}
		if strings.Join(made, " ") != c.want {
			t.Errorf("branches %v, pull requests %v: the read role trusts %v, want %s", c.branches, c.pulls, made, c.want)
		}
	}
}

func TestAnExistingProviderIsUsed(t *testing.T) {
	args := deployerOf()
	args.ProviderARN = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"
	g := recordDeployer(t, args)
	if made := g.Of("aws:iam/openIdConnectProvider:OpenIdConnectProvider"); len(made) != 0 {
		t.Error("a second provider for the same github.Issuer would be refused")
	}
	trust := statements(t, g.Named("aws:iam/role:Role", "deployer").Input("assumeRolePolicy"))
	if got := trust[0].Principal["Federated"]; !slices.Equal(got, policy.Many{args.ProviderARN}) {
		t.Errorf("trusts %s", got)
	}
}

func TestPoliciesFitIAM(t *testing.T) {
	args := deployerOf()
	args.Site.Project, args.Site.Stack = "a-project-with", "a-long-name" // 32 characters are a balancer's name at most
	args.Site.Region = "ap-southeast-2"
	g := recordDeployer(t, args)
	policies := g.Of("aws:iam/policy:Policy")
	attached := map[string]int{}
	for _, a := range g.Of("aws:iam/rolePolicyAttachment:RolePolicyAttachment") {
		attached[fmt.Sprint(a.Input("role"))]++
	}
	all := 0
	for role, n := range attached {
		all += n
		if n > 10 {
			t.Errorf("%s has %d policies; a role takes 10", role, n)
		}
	}
	if len(attached) != 2 || all != len(policies) {
		t.Errorf("%v of %d policies are attached", attached, len(policies))
	}
	for _, p := range policies {
		if n := len(fmt.Sprint(p.Input("policy"))); n > 6144 {
			t.Errorf("%s has %d characters; IAM takes 6144", p.Name, n)
		}
		var sids []string
		for _, s := range statements(t, p.Input("policy")) {
			sids = append(sids, s.Sid)
		}
		slices.Sort(sids)
		if once := slices.Compact(slices.Clone(sids)); len(once) != len(sids) {
			t.Errorf("%s names two statements alike: %v", p.Name, sids)
		}
	}
}

func TestEveryActionIsNamed(t *testing.T) {
	for _, s := range granted(t, recordDeployer(t, deployerOf())) {
		for _, action := range s.Action {
			if strings.Contains(action, "*") && s.Effect != "Deny" { // a Deny may well take in what AWS adds later
				t.Errorf("%s allows %s", s.Sid, action)
			}
		}
		if !slices.IsSorted(s.Action) && !strings.HasPrefix(s.Sid, "LookAt") {
			t.Errorf("%s: actions are not sorted, so a repetition hides", s.Sid)
		}
	}
}

// Calls that change nothing, that take no resource, or (alarms) whose resource AWS does not document.
var anywhere = regexp.MustCompile(`:(Describe|List|Get)|^kms:CreateKey$|^ecs:DeregisterTaskDefinition$|` +
	`^logs:\w+(LogDelivery|ResourcePolicy)$|^cloudwatch:(DeleteAlarms|PutMetricAlarm)$`)

func TestChangesAreLimitedToThisStack(t *testing.T) {
	for _, s := range granted(t, recordDeployer(t, deployerOf())) {
		if s.Effect == "Deny" {
			continue
		}
		for _, r := range s.Resource {
			if r != "*" {
				if !strings.HasPrefix(r, "arn:aws:") {
					t.Errorf("%s: %q is no ARN", s.Sid, r)
				}
				continue
			}
			for _, action := range s.Action {
				if !anywhere.MatchString(action) {
					t.Errorf("%s allows %s on everything", s.Sid, action)
				}
			}
		}
	}
}

// Services whose names are part of the ARN: no resources of another stack.
func TestNamedResourcesAreThisStacks(t *testing.T) {
	named := regexp.MustCompile(`^arn:aws:(ecr|ecs|elasticloadbalancing|events|firehose|iam|s3|sns|sqs|rds|scheduler|logs|cloudwatch|ssm):`)
	ours := regexp.MustCompile(`slipway-dev[-/]|/slipway/dev/`)
	theirs := []string{ // AWS's own, and the state of Pulumi
		"arn:aws:rds:us-east-1:123456789012:pg:default.*", "arn:aws:rds:us-east-1:123456789012:og:default:*",
		"arn:aws:ssm:us-east-1::parameter/aws/service/*",
		"arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com", "arn:aws:iam::123456789012:role/aws-service-role/*",
		"arn:aws:s3:::acme-state", "arn:aws:s3:::acme-state/*", "arn:aws:s3:::acme-state/.slipway/drift/slipway/dev.json",
		// Read access to the releases of other stacks, and to nothing else of their state.
		"arn:aws:s3:::slipway-*-state-123456789012-*", "arn:aws:s3:::slipway-*-state-123456789012-*/.slipway/releases/*",
		"arn:aws:ecr:*:123456789012:repository/slipway-*/django", "arn:aws:ecr:*:123456789012:repository/slipway-*/nginx",
	}
	for _, s := range granted(t, recordDeployer(t, deployerOf())) {
		if s.Effect == "Deny" {
			continue
		}
		for _, r := range s.Resource {
			if named.MatchString(r) && !ours.MatchString(r) && !slices.Contains(theirs, r) {
				t.Errorf("%s reaches %s", s.Sid, r)
			}
		}
	}
}

// In the accounts that the stack names a promotion only reads releases, and changes nothing.
func TestReleasesComeFromTheNamedAccounts(t *testing.T) {
	args := deployerOf()
	args.Sources = []string{"222222222222"}
	got := map[string]policy.ParsedStatement{}
	for _, s := range granted(t, recordDeployer(t, args)) {
		if slices.ContainsFunc(s.Resource, func(r string) bool { return strings.Contains(r, "222222222222") }) {
			got[s.Sid] = s
		}
	}
	const bucket, own = "arn:aws:s3:::slipway-*-state-222222222222-*", "arn:aws:s3:::slipway-*-state-123456789012-*"
	want := map[string]policy.ParsedStatement{
		"PullReleases": {
			Sid: "PullReleases", Effect: "Allow",
			Action: policy.Many{"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"},
			Resource: policy.Many{
				"arn:aws:ecr:*:123456789012:repository/slipway-*/django", "arn:aws:ecr:*:123456789012:repository/slipway-*/nginx",
				"arn:aws:ecr:*:222222222222:repository/slipway-*/django", "arn:aws:ecr:*:222222222222:repository/slipway-*/nginx",
			},
		},
		"ReadReleases": {Sid: "ReadReleases", Effect: "Allow", Action: policy.Many{"s3:GetObject"},
			Resource: policy.Many{own + "/.slipway/releases/*", bucket + "/.slipway/releases/*"}},
		"FindReleases": {
			Sid: "FindReleases", Effect: "Allow", Action: policy.Many{"s3:ListBucket"}, Resource: policy.Many{own, bucket},
			Condition: map[string]map[string]policy.Many{"StringLike": {"s3:prefix": {".slipway/releases/*"}}},
		},
		"OpenReleases": {
			Sid: "OpenReleases", Effect: "Allow", Action: policy.Many{"kms:Decrypt"},
			Resource: policy.Many{"arn:aws:kms:*:123456789012:key/*", "arn:aws:kms:*:222222222222:key/*"},
			Condition: map[string]map[string]policy.Many{
				"StringLike":             {"kms:ViaService": {"s3.*.amazonaws.com"}},
				"ForAnyValue:StringLike": {"kms:ResourceAliases": {"alias/slipway-*-state"}},
			},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what reaches the other account (-want +got):\n%s", diff)
	}
}

func TestRolesArePassedToNamedServicesOnly(t *testing.T) {
	passes := 0
	for _, s := range granted(t, recordDeployer(t, deployerOf())) {
		if s.Effect == "Deny" || !slices.Contains(s.Action, "iam:PassRole") {
			continue
		}
		passes++
		role, services := "slipway-dev-*", s.Condition["StringEquals"]["iam:PassedToService"]
		if s.Sid == "PassSubscriptionRole" {
			role, services = "slipway-dev-logs-to-firehose", s.Condition["StringEqualsIfExists"]["iam:PassedToService"]
		}
		if diff := cmp.Diff(policy.Many{"arn:aws:iam::123456789012:role/" + role}, s.Resource); diff != "" {
			t.Errorf("%s passes (-want +got):\n%s", s.Sid, diff)
		}
		if len(services) < 2 || s.Sid == "PassRoles" && !slices.IsSorted(services) {
			t.Errorf("%s passes to %v", s.Sid, services)
		}
		if len(s.Action) != 1 {
			t.Errorf("the condition of %s also applies to %v", s.Sid, s.Action)
		}
	}
	if passes != 2 {
		t.Errorf("%d statements pass roles, want 2", passes)
	}
}

func TestTheRoleChangesNeitherItselfNorTheReadRole(t *testing.T) {
	want := policy.Many{
		"arn:aws:iam::123456789012:role/slipway-dev-deploy", "arn:aws:iam::123456789012:policy/slipway-dev-deploy-*",
		"arn:aws:iam::123456789012:role/slipway-dev-read", "arn:aws:iam::123456789012:policy/slipway-dev-read-*",
		"arn:aws:iam::123456789012:policy/slipway-dev-boundary",
	}
	for _, s := range granted(t, recordDeployer(t, deployerOf())) {
		if s.Sid != "NeverChangeItself" || s.Effect != "Deny" {
			continue
		}
		if diff := cmp.Diff(want, s.Resource); diff != "" {
			t.Errorf("denied resources (-want +got):\n%s", diff)
		}
		for _, action := range []string{
			"iam:AttachRolePolicy", "iam:CreatePolicyVersion", "iam:CreateRole", "iam:PutRolePolicy", "iam:UpdateAssumeRolePolicy",
		} {
			if !slices.Contains(s.Action, action) {
				t.Errorf("%s is not denied", action)
			}
		}
		return
	}
	t.Error("nothing is denied")
}

func TestPushIsLimitedToTheRepositories(t *testing.T) {
	for _, s := range granted(t, recordDeployer(t, deployerOf())) {
		if !slices.Contains(s.Action, "ecr:PutImage") {
			continue
		}
		want := policy.Many{"arn:aws:ecr:us-east-1:123456789012:repository/slipway-dev/django",
			"arn:aws:ecr:us-east-1:123456789012:repository/slipway-dev/nginx", "arn:aws:ecr:us-east-1:123456789012:repository/slipway-dev/psql"}
		if diff := cmp.Diff(want, s.Resource); diff != "" {
			t.Errorf("pushes to (-want +got):\n%s", diff)
		}
		return
	}
	t.Error("nothing may be pushed")
}

func TestDeployerMistakes(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*cicd.DeployerArgs)
		want   string
	}{
		{"no owner", func(a *cicd.DeployerArgs) { a.Repository = "repo" },
			`github: repository must be owner/name without wildcards, got "repo"`},
		{"every repository", func(a *cicd.DeployerArgs) { a.Repository = "acme/*" },
			`github: repository must be owner/name without wildcards, got "acme/*"`},
		{"a subject for a repository", func(a *cicd.DeployerArgs) { a.Repository = "acme/shop:ref" }, `got "acme/shop:ref"`},
		{"no workflow", func(a *cicd.DeployerArgs) { a.Environments, a.Branches = nil, nil },
			"github: environments or branches must name at least one that may deploy"},
		{"every branch", func(a *cicd.DeployerArgs) { a.Branches = []string{"*"} },
			`github: branch must be an exact name without wildcards, got "*"`},
		{"every branch may read", func(a *cicd.DeployerArgs) { a.ReadBranches = []string{"*"} },
			`github: branch must be an exact name without wildcards, got "*"`},
		{"a policy variable", func(a *cicd.DeployerArgs) { a.Environments = []string{"${aws:username}"} },
			"github: environment must be an exact name"},
		{"a colon", func(a *cicd.DeployerArgs) { a.Environments = []string{"x:y"} },
			`github: environment must be an exact name without wildcards, got "x:y"`},
		{"an owner without a repository", func(a *cicd.DeployerArgs) { a.OwnerID = 1 },
			"github: owner and repository ids must be positive numbers and go together, got 1 and 0"},
		{"a repository without an owner", func(a *cicd.DeployerArgs) { a.RepositoryID = 1 },
			"github: owner and repository ids must be positive numbers and go together, got 0 and 1"},
		{"a negative number", func(a *cicd.DeployerArgs) { a.OwnerID, a.RepositoryID = -1, 5 }, "got -1 and 5"},
		{"another provider", func(a *cicd.DeployerArgs) { a.ProviderARN = "arn:aws:iam::123456789012:oidc-provider/gitlab.com" },
			"github: provider must be the ARN"},
		{"two at once", func(a *cicd.DeployerArgs) { a.Repository, a.Branches = "", []string{"?"} },
			"github: repository must be owner/name without wildcards, got \"\"\ngithub: branch must be"},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := deployerOf()
			c.change(args)
			g, err := graph.Record("dev", nil, func(ctx *pulumi.Context) error {
				_, err := cicd.NewDeployer(ctx, "deployer", args)
				return err
			})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
			if len(g) > 0 {
				t.Error("something was registered before the mistake was found")
			}
		})
	}
}
