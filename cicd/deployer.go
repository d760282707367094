package cicd

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/policy"
	"slipway/internal/wiring"
)

const deployerType = "slipway:cicd:Deployer"

// issuer signs the tokens that GitHub gives to workflow runs.
const issuer = "token.actions.githubusercontent.com"

// DeployerArgs say who may deploy, and who may look.
type DeployerArgs struct {
	Site         wiring.Site
	Repository   string   // owner/name
	OwnerID      int      // GitHub's numbers of the owner and of the repository, both or neither: with them the roles also
	RepositoryID int      // trust the immutable form of the subject
	Environments []string // GitHub environments that may deploy: the better gate, since GitHub can ask for a reviewer
	Branches     []string // branches that may deploy

	ReadBranches     []string // branches that may look; without these and ReadPullRequests there is no read role
	ReadPullRequests bool     // pull requests of the repository may look, which run their own code; those of forks get no token

	ProviderARN string   // the account's OIDC provider for GitHub, if there is one: an account has one at most
	Sources     []string // other accounts from which releases may be promoted to this stack

	BoundaryARN string // of the roles that the stack makes; "": the one that NewBoundary makes

	StateBucket string // the bucket that holds Pulumi's state; "": elsewhere, AWS need not allow it
	StateKeyARN string // the key of Pulumi's secrets provider awskms; "": another provider
}

// A Deployer is the role with which workflow runs of one GitHub repository deploy this stack, without a stored key, and,
// where somebody is named who may only look, a second one that reads what the first may change.
//
// The first may do what this program does and little else (permissions.go says what, and where AWS cannot say it more
// narrowly). The second may look at everything that the stack is made of, secrets included, and change nothing (reader.go).
// Neither can change one of the two: that takes an `up` by somebody else. Cost: none.
type Deployer struct {
	pulumi.ResourceState
	RoleARN     pulumi.StringOutput
	ReadRoleARN pulumi.StringOutput // "" without a read role
	ProviderARN pulumi.StringOutput
}

// NewDeployer makes the roles, and the provider if there is none.
func NewDeployer(ctx *pulumi.Context, name string, args *DeployerArgs, opts ...pulumi.ResourceOption) (*Deployer, error) {
	if err := args.check(); err != nil {
		return nil, err
	}
	d := &Deployer{ReadRoleARN: pulumi.String("").ToStringOutput()}
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
	var err error
	if d.RoleARN, err = d.role(ctx, name, args, args.deploy()); err != nil {
		return nil, err
	}
	if args.Looking() {
		if d.ReadRoleARN, err = d.role(ctx, name+"-read", args, args.read()); err != nil {
			return nil, err
		}
	}
	return d, ctx.RegisterResourceOutputs(d, pulumi.Map{"roleArn": d.RoleARN, "readRoleArn": d.ReadRoleARN, "providerArn": d.ProviderARN})
}

func (d *Deployer) role(ctx *pulumi.Context, name string, args *DeployerArgs, r role) (pulumi.StringOutput, error) {
	made, err := iam.NewRole(ctx, name, &iam.RoleArgs{
		Name:               pulumi.String(args.Site.Name(r.part)),
		Description:        pulumi.String(r.does + " from GitHub repository " + args.Repository),
		AssumeRolePolicy:   policy.Document(args.trust(d.ProviderARN, r.subjects)),
		MaxSessionDuration: pulumi.Int(r.seconds),
	}, pulumi.Parent(d))
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	for _, area := range r.areas {
		granted, err := iam.NewPolicy(ctx, name+"-"+area.name, &iam.PolicyArgs{
			Name:        pulumi.String(args.Site.Name(r.part + "-" + area.name)),
			Description: pulumi.String(r.purpose + ": " + area.name),
			Policy:      policy.Document(area.statements...),
		}, pulumi.Parent(d))
		if err != nil {
			return pulumi.StringOutput{}, err
		}
		if _, err := iam.NewRolePolicyAttachment(ctx, name+"-"+area.name, &iam.RolePolicyAttachmentArgs{
			Role: made.Name, PolicyArn: granted.Arn,
		}, pulumi.Parent(d)); err != nil {
			return pulumi.StringOutput{}, err
		}
	}
	return made.Arn, nil
}

// A role is one of the two, before anybody makes it.
type role struct {
	part          string // of its physical name
	does, purpose string // the role, and each of its policies
	subjects      []any  // of the tokens that may assume it
	seconds       int    // that a session lasts at most
	areas         []area
}

func (a *DeployerArgs) deploy() role {
	return role{
		part: deployerPart, does: "Deploys " + a.Site.Name("*"), purpose: "Deploying " + a.Site.Name("*"),
		subjects: append(a.subjects("environment:", a.Environments), a.subjects("ref:refs/heads/", a.Branches)...),
		// A first deployment waits for a database: a quarter of an hour, and much more on a bad day.
		seconds: 2 * 60 * 60, areas: a.permissions(),
	}
}

func (a *DeployerArgs) read() role {
	subjects := a.subjects("ref:refs/heads/", a.ReadBranches)
	if a.ReadPullRequests {
		subjects = append(subjects, a.subjects("", []string{"pull_request"})...)
	}
	return role{
		part: readerPart, does: "Looks at " + a.Site.Name("*"), purpose: "Looking at " + a.Site.Name("*"),
		subjects: subjects, seconds: 60 * 60, areas: a.looks(),
	}
}

// Looking says whether there is somebody who may only look, and so a read role.
func (a *DeployerArgs) Looking() bool { return len(a.ReadBranches) > 0 || a.ReadPullRequests }

// subjects are what GitHub calls a run of the repository in each of these places. Which of two forms it uses is a setting of
// the repository: repo:OWNER/NAME:..., or, by default for repositories since July 2026, repo:OWNER@ID/NAME@ID:..., which does
// not fit a repository that is made later under the same name.
// Sources: github/docs#45221; aws-actions/configure-aws-credentials#1888.
func (a *DeployerArgs) subjects(kind string, names []string) []any {
	repositories := []string{a.Repository}
	if a.OwnerID != 0 && a.RepositoryID != 0 {
		owner, name, _ := strings.Cut(a.Repository, "/")
		repositories = append(repositories, fmt.Sprintf("%s@%d/%s@%d", owner, a.OwnerID, name, a.RepositoryID))
	}
	var all []any
	for _, name := range names {
		for _, repository := range repositories {
			all = append(all, "repo:"+repository+":"+kind+name)
		}
	}
	return all
}

// A Paper is a role as plain documents, for an account in which the role must be there before a program can run.
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

// Papers are the roles that NewDeployer makes, on paper; reader is nil if there is none. Without a ProviderARN they trust
// the account's own: an account has one provider for GitHub at most, so its ARN is known before it is made.
func (a *DeployerArgs) Papers() (deployer, reader *Paper, err error) {
	if err := a.check(); err != nil {
		return nil, nil, err
	}
	if deployer, err = a.paper(a.deploy()); err == nil && a.Looking() {
		reader, err = a.paper(a.read())
	}
	return deployer, reader, err
}

func (a *DeployerArgs) paper(r role) (*Paper, error) {
	p := &Paper{
		Name: a.Site.Name(r.part), Description: r.does + " from GitHub repository " + a.Repository, SessionSeconds: r.seconds,
		Issuer: issuer, ProviderARN: cmp.Or(a.ProviderARN, a.global("iam", "oidc-provider/"+issuer)),
	}
	var err error
	if p.Trust, err = policy.JSON(a.trust(p.ProviderARN, r.subjects)); err != nil {
		return nil, err
	}
	for _, area := range r.areas {
		document, err := policy.JSON(area.statements...)
		if err != nil {
			return nil, err
		}
		p.Policies = append(p.Policies, PaperPolicy{a.Site.Name(r.part + "-" + area.name), r.purpose + ": " + area.name, document})
	}
	return p, nil
}

// trust admits tokens made for AWS with one of the subjects: equal, not alike.
func (a *DeployerArgs) trust(providerARN any, subjects []any) policy.Statement {
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
	if (a.OwnerID == 0) != (a.RepositoryID == 0) || a.OwnerID < 0 || a.RepositoryID < 0 {
		say("owner and repository ids must be positive numbers and go together, got %d and %d", a.OwnerID, a.RepositoryID)
	}
	if len(a.Environments)+len(a.Branches) == 0 {
		say("environments or branches must name at least one that may deploy")
	}
	for _, e := range a.Environments {
		if !refForm.MatchString(e) {
			say("environment must be an exact name without wildcards, got %q", e)
		}
	}
	for _, b := range slices.Concat(a.Branches, a.ReadBranches) {
		if !refForm.MatchString(b) {
			say("branch must be an exact name without wildcards, got %q", b)
		}
	}
	if a.ProviderARN != "" && !providerForm.MatchString(a.ProviderARN) {
		say("provider must be the ARN of the account's OIDC provider for %s, got %q", issuer, a.ProviderARN)
	}
	return errors.Join(wrong...)
}
