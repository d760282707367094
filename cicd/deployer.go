package cicd

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/catalog"
	"slipway/internal/github"
	"slipway/internal/policy"
	"slipway/internal/wiring"
)

const deployerType = "slipway:cicd:Deployer"

const issuer = github.Issuer

// DeployerArgs say who may deploy, and who may only read.
type DeployerArgs struct {
	Site         wiring.Site
	Facts        catalog.Catalog // about all resources of the stack: what deploying and reading them takes
	Repository   string          // owner/name
	OwnerID      int             // GitHub's IDs of the owner and of the repository, both or neither: with them the roles also
	RepositoryID int             // trust the immutable form of the subject
	Environments []string        // GitHub environments that may deploy: the better gate, because GitHub can require a review
	Branches     []string        // branches that may deploy

	ReadBranches     []string // branches that may read; without these and ReadPullRequests there is no read role
	ReadPullRequests bool     // lets pull requests of the repository read, and those run their own code; forks get no token

	ProviderARN string   // the account's OIDC provider for GitHub, if it has one: an account has at most one
	Sources     []string // other accounts from which releases may be promoted to this stack

	BoundaryARN string // of the roles that the stack creates; default: the boundary of NewBoundary

	StateBucket string // the bucket that holds Pulumi's state; "": state is not in AWS
	StateKeyARN string // the key of Pulumi's awskms secrets provider; "": another provider
}

// A Deployer is the role that lets workflow runs of one GitHub repository deploy this stack without a stored key and, if
// the arguments name anyone who may only read, a second role that reads what the first may change.
//
// The deploy role may do what this program does and little else. The read role may read everything that the stack is made
// of, secrets included, and change nothing. Neither role can change either of them: that takes an `up` with other
// credentials. Cost: none. Nothing but the stack's name replaces the roles.
type Deployer struct {
	pulumi.ResourceState
	RoleARN     pulumi.StringOutput
	ReadRoleARN pulumi.StringOutput // "" if there is no read role
	ProviderARN pulumi.StringOutput
}

// NewDeployer creates the roles, and the OIDC provider unless the account has one.
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
		// No thumbprint: AWS verifies GitHub's certificate by its CA.
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
	if args.HasReadRole() {
		if d.ReadRoleARN, err = d.role(ctx, name+"-read", args, args.read()); err != nil {
			return nil, err
		}
	}
	return d, ctx.RegisterResourceOutputs(d, pulumi.Map{
		"roleArn": d.RoleARN, "readRoleArn": d.ReadRoleARN, "providerArn": d.ProviderARN,
	})
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

// A role is one of the two, as plain values.
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
		// A first deployment waits for a database: usually 15 minutes, sometimes much longer.
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

// HasReadRole reports whether anyone may only read, and so whether there is a read role.
func (a *DeployerArgs) HasReadRole() bool { return len(a.ReadBranches) > 0 || a.ReadPullRequests }

// subjects are the token subjects of the repository's runs in each of these places. A setting of the repository selects
// one of two forms: repo:OWNER/NAME:..., or, by default for repositories created since July 2026,
// repo:OWNER@ID/NAME@ID:..., which does not match a later repository with the same name.
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

// A RoleSpec is a role as plain documents, for an account that needs the role before the Pulumi program can run.
type RoleSpec struct {
	Name, Description string
	SessionSeconds    int
	Issuer            string // of the account's OIDC provider, without https://
	ProviderARN       string
	Trust             string // JSON
	Policies          []PolicySpec
}

// A PolicySpec is one managed policy as a plain document.
type PolicySpec struct{ Name, Description, Document string }

// RoleSpecs describe the roles that NewDeployer makes; reader is nil if there is no read role. Without a ProviderARN they
// trust the account's provider for GitHub: an account has at most one, so its ARN is known before it exists.
func (a *DeployerArgs) RoleSpecs() (deployer, reader *RoleSpec, err error) {
	if err := a.check(); err != nil {
		return nil, nil, err
	}
	if deployer, err = a.roleSpec(a.deploy()); err == nil && a.HasReadRole() {
		reader, err = a.roleSpec(a.read())
	}
	return deployer, reader, err
}

func (a *DeployerArgs) roleSpec(r role) (*RoleSpec, error) {
	spec := &RoleSpec{
		Name: a.Site.Name(r.part), Description: r.does + " from GitHub repository " + a.Repository, SessionSeconds: r.seconds,
		Issuer: issuer, ProviderARN: cmp.Or(a.ProviderARN, catalog.Global(a.Site, "iam", "oidc-provider/"+issuer)),
	}
	var err error
	if spec.Trust, err = policy.JSON(a.trust(spec.ProviderARN, r.subjects)); err != nil {
		return nil, err
	}
	for _, area := range r.areas {
		document, err := policy.JSON(area.statements...)
		if err != nil {
			return nil, err
		}
		spec.Policies = append(spec.Policies, PolicySpec{a.Site.Name(r.part + "-" + area.name), r.purpose + ": " + area.name, document})
	}
	return spec, nil
}

// trust accepts tokens for AWS whose subject equals one of subjects. No wildcards.
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

func (a *DeployerArgs) check() error {
	var wrong []error
	add := func(format string, values ...any) { wrong = append(wrong, fmt.Errorf("github: "+format, values...)) }
	if !github.Repository.MatchString(a.Repository) {
		add("repository must be owner/name without wildcards, got %q", a.Repository)
	}
	if (a.OwnerID == 0) != (a.RepositoryID == 0) || a.OwnerID < 0 || a.RepositoryID < 0 {
		add("owner and repository ids must be positive numbers and go together, got %d and %d", a.OwnerID, a.RepositoryID)
	}
	if len(a.Environments)+len(a.Branches) == 0 {
		add("environments or branches must name at least one that may deploy")
	}
	for _, e := range a.Environments {
		if !github.Environment.MatchString(e) {
			add("environment must be an exact name without wildcards, got %q", e)
		}
	}
	for _, b := range slices.Concat(a.Branches, a.ReadBranches) {
		if !github.Branch.MatchString(b) {
			add("branch must be an exact name without wildcards, got %q", b)
		}
	}
	if a.ProviderARN != "" && !github.Provider.MatchString(a.ProviderARN) {
		add("provider must be the ARN of the account's OIDC provider for %s, got %q", issuer, a.ProviderARN)
	}
	if _, err := a.assemble(); err != nil {
		wrong = append(wrong, err)
	}
	return errors.Join(wrong...)
}
