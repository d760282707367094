package cicd

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/policy"
	"slipway/internal/wiring"
)

const deployerType = "slipway:cicd:Deployer"

// issuer signs the tokens that GitHub gives to workflow runs.
const issuer = "token.actions.githubusercontent.com"

// DeployerArgs say who may deploy.
type DeployerArgs struct {
	Site         wiring.Site
	Repository   string   // owner/name
	Environments []string // GitHub environments that may deploy: the better gate, since GitHub can ask for a reviewer
	Branches     []string // branches that may deploy
	ProviderARN  string   // the account's OIDC provider for GitHub, if there is one: an account has one at most
	Sources      []string // other accounts from which releases may be promoted to this stack

	StateBucket string // the bucket that holds Pulumi's state; "": elsewhere, AWS need not allow it
	StateKeyARN string // the key of Pulumi's secrets provider awskms; "": another provider
}

// A Deployer is the role with which workflow runs of one GitHub repository deploy this stack, without a stored key.
//
// It may do what this program does and little else (permissions.go says what, and where AWS cannot say it more
// narrowly). It cannot change itself: that takes an `up` by somebody else. Cost: none.
type Deployer struct {
	pulumi.ResourceState
	RoleARN     pulumi.StringOutput
	ProviderARN pulumi.StringOutput
}

// NewDeployer makes the role, and the provider if there is none.
func NewDeployer(ctx *pulumi.Context, name string, args *DeployerArgs, opts ...pulumi.ResourceOption) (*Deployer, error) {
	if err := args.check(); err != nil {
		return nil, err
	}
	d := &Deployer{}
	if err := ctx.RegisterComponentResource(deployerType, name, d, opts...); err != nil {
		return nil, err
	}

	d.ProviderARN = pulumi.String(args.ProviderARN).ToStringOutput()
	if args.ProviderARN == "" {
		// No thumbprint: AWS trusts GitHub's certificate by its authority.
		provider, err := iam.NewOpenIdConnectProvider(ctx, name+"-github", &iam.OpenIdConnectProviderArgs{
			Url:           pulumi.String("https://" + issuer),
			ClientIdLists: pulumi.StringArray{pulumi.String("sts.amazonaws.com")},
		}, pulumi.Parent(d))
		if err != nil {
			return nil, err
		}
		d.ProviderARN = provider.Arn
	}
	role, err := iam.NewRole(ctx, name, &iam.RoleArgs{
		Name:             pulumi.String(args.Site.Name(deployerPart)),
		Description:      pulumi.String(args.description()),
		AssumeRolePolicy: policy.Document(args.trust(d.ProviderARN)),
		// A first deployment waits for a database: a quarter of an hour, and much more on a bad day.
		MaxSessionDuration: pulumi.Int(sessionSeconds),
	}, pulumi.Parent(d))
	if err != nil {
		return nil, err
	}
	d.RoleARN = role.Arn
	for _, area := range args.permissions() {
		granted, err := iam.NewPolicy(ctx, name+"-"+area.name, &iam.PolicyArgs{
			Name:        pulumi.String(args.Site.Name(deployerPart + "-" + area.name)),
			Description: pulumi.String(args.purpose(area)),
			Policy:      policy.Document(area.statements...),
		}, pulumi.Parent(d))
		if err != nil {
			return nil, err
		}
		if _, err := iam.NewRolePolicyAttachment(ctx, name+"-"+area.name, &iam.RolePolicyAttachmentArgs{
			Role: role.Name, PolicyArn: granted.Arn,
		}, pulumi.Parent(d)); err != nil {
			return nil, err
		}
	}
	return d, ctx.RegisterResourceOutputs(d, pulumi.Map{"roleArn": d.RoleARN, "providerArn": d.ProviderARN})
}

const sessionSeconds = 2 * 60 * 60

func (a *DeployerArgs) description() string {
	return "Deploys " + a.Site.Name("*") + " from GitHub repository " + a.Repository
}

func (a *DeployerArgs) purpose(area area) string {
	return "Deploying " + a.Site.Name("*") + ": " + area.name
}

// A Paper is a deploy role as plain documents, for an account in which the role must be there before a program can run.
type Paper struct {
	Name, Description string
	SessionSeconds    int
	Issuer            string // what the account's OIDC provider is for, without https://
	ProviderARN       string
	Trust             string // JSON
	Policies          []PaperPolicy
}

// A PaperPolicy is one managed policy of the role.
type PaperPolicy struct{ Name, Description, Document string }

// Paper is the role that NewDeployer makes, on paper. Without a ProviderARN it trusts the account's own: an account has
// one provider for GitHub at most, so its ARN is known before it is made.
func (a *DeployerArgs) Paper() (*Paper, error) {
	if err := a.check(); err != nil {
		return nil, err
	}
	p := &Paper{
		Name: a.Site.Name(deployerPart), Description: a.description(), SessionSeconds: sessionSeconds, Issuer: issuer,
		ProviderARN: cmp.Or(a.ProviderARN, a.global("iam", "oidc-provider/"+issuer)),
	}
	var err error
	if p.Trust, err = policy.JSON(a.trust(p.ProviderARN)); err != nil {
		return nil, err
	}
	for _, area := range a.permissions() {
		document, err := policy.JSON(area.statements...)
		if err != nil {
			return nil, err
		}
		p.Policies = append(p.Policies, PaperPolicy{a.Site.Name(deployerPart + "-" + area.name), a.purpose(area), document})
	}
	return p, nil
}

// trust admits tokens made for AWS, whose subject is one of the named environments or branches: equal, not alike.
func (a *DeployerArgs) trust(providerARN any) policy.Statement {
	var subjects []any
	for _, environment := range a.Environments {
		subjects = append(subjects, fmt.Sprintf("repo:%s:environment:%s", a.Repository, environment))
	}
	for _, branch := range a.Branches {
		subjects = append(subjects, fmt.Sprintf("repo:%s:ref:refs/heads/%s", a.Repository, branch))
	}
	var subject any = subjects
	if len(subjects) == 1 {
		subject = subjects[0]
	}
	return policy.Statement{
		Sid:        "GitHub",
		Principals: map[string][]any{"Federated": {providerARN}},
		Actions:    []string{"sts:AssumeRoleWithWebIdentity"},
		Conditions: map[string]map[string]any{"StringEquals": {issuer + ":aud": "sts.amazonaws.com", issuer + ":sub": subject}},
	}
}

var (
	repositoryForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}$`)
	// No wildcard, no policy variable (${), and no colon, which divides the parts of a subject.
	refForm      = regexp.MustCompile(`^[A-Za-z0-9._][A-Za-z0-9._/ -]*$`)
	providerForm = regexp.MustCompile(`^arn:[a-z-]+:iam::[0-9]{12}:oidc-provider/` + regexp.QuoteMeta(issuer) + `$`)
)

func (a *DeployerArgs) check() error {
	var wrong []error
	say := func(format string, values ...any) { wrong = append(wrong, fmt.Errorf("github: "+format, values...)) }
	if !repositoryForm.MatchString(a.Repository) {
		say("repository must be owner/name without wildcards, got %q", a.Repository)
	}
	if len(a.Environments)+len(a.Branches) == 0 {
		say("environments or branches must name at least one that may deploy")
	}
	for _, e := range a.Environments {
		if !refForm.MatchString(e) {
			say("environment must be an exact name without wildcards, got %q", e)
		}
	}
	for _, b := range a.Branches {
		if !refForm.MatchString(b) {
			say("branch must be an exact name without wildcards, got %q", b)
		}
	}
	if a.ProviderARN != "" && !providerForm.MatchString(a.ProviderARN) {
		say("provider must be the ARN of the account's OIDC provider for %s, got %q", issuer, a.ProviderARN)
	}
	return errors.Join(wrong...)
}
