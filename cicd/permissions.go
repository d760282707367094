package cicd

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"slipway/internal/catalog"
	"slipway/internal/policy"
	"slipway/internal/wiring"
)

// deployerPart is the deploy role's part of its physical name; its policies' names begin with it.
const deployerPart = "deploy"

// An area is one managed policy of the deploy role. IAM takes 6,144 characters a policy and ten policies a role.
type area struct {
	name       string
	statements []policy.Statement
}

// areas are the names of the areas, in their order, but for that of the state.
var areas = []string{"network", "edge", "data", "keys", "compute", "logs", "identity"}

// permissions are what an `up` of this program calls, by service: every action by name. The facts about the resources that
// the stack creates say what; own adds what depends on the role itself.
//
// Resources are limited in the narrowest way that AWS offers:
//
//   - by name (project-stack-*, /project/stack/*) where the name is part of the ARN: roles, databases, services, log
//     groups, parameters, topics, queues, streams, repositories, buckets;
//   - by the stack's tags for KMS keys, whose identifiers AWS chooses (see keys);
//   - by account and region for the other resources whose identifiers AWS chooses: VPC parts, certificates, endpoints;
//   - not at all ("*") only for listing and describing, and for the few calls that take no resource.
//
// A role that may write roles and pass them to a task can do whatever those roles may do. So the deploy role can only write
// roles that have the stack's permissions boundary (boundary.go), and cannot change the boundary or the roles of the
// workflows (see own). Within that limit GitHub is the gate: protect the environments or branches that the configuration
// names.
func (a *DeployerArgs) permissions() []area {
	all, err := a.assemble()
	if err != nil {
		panic(err) // check has tried it
	}
	return all
}

func (a *DeployerArgs) assemble() ([]area, error) {
	if len(a.Facts) == 0 {
		return nil, errors.New("cicd: the facts about the stack's resources are missing")
	}
	parts := map[string][]policy.Statement{}
	areaOf := map[string]string{}
	for _, grant := range append(a.Facts.Grants(), a.own()...) {
		if !slices.Contains(areas, grant.Area) {
			return nil, fmt.Errorf("cicd: statement %s is in area %q, which is none of %v", grant.Sid, grant.Area, areas)
		}
		if in := cmp.Or(areaOf[grant.Sid], grant.Area); in != grant.Area {
			return nil, fmt.Errorf("cicd: statement %s is in areas %s and %s", grant.Sid, in, grant.Area)
		}
		areaOf[grant.Sid] = grant.Area
		parts[grant.Area] = append(parts[grant.Area], grant.Statement)
	}
	var all []area
	for _, name := range areas {
		statements, err := catalog.Merge(parts[name], places)
		if err != nil {
			return nil, err
		}
		all = append(all, area{name, statements})
	}
	if a.StateBucket != "" || a.StateKeyARN != "" {
		all = append(all, area{"state", a.state()})
	}
	return all, nil
}

// any is the site of whichever stack of the project.
func (a *DeployerArgs) any() wiring.Site {
	site := a.Site
	site.Stack = "*"
	return site
}

// released are resources of every region of the accounts from which a release may come: this one and the Sources.
func (a *DeployerArgs) released(service string, kinds ...string) []any {
	var arns []any
	for _, account := range append([]string{a.Site.AccountID}, a.Sources...) {
		for _, kind := range kinds {
			arns = append(arns, fmt.Sprintf("arn:%s:%s:*:%s:%s", a.Site.Partition, service, account, kind))
		}
	}
	return arns
}

// boundaryARN is the permissions boundary of the roles that the stack makes.
func (a *DeployerArgs) boundaryARN() string {
	return cmp.Or(a.BoundaryARN, catalog.Global(a.Site, "iam", "policy/"+a.Site.Name(boundaryPart)))
}

// own is what depends on the role itself, and not on a resource alone.
func (a *DeployerArgs) own() []catalog.Grant {
	identity := []policy.Statement{
		{
			// What returns a role more: only where the role is made, or is, with the boundary.
			Sid:        "WidenBoundRoles",
			Actions:    []string{"iam:AttachRolePolicy", "iam:CreateRole", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy"},
			Resources:  []any{catalog.Global(a.Site, "iam", "role/"+a.Site.Name("*"))},
			Conditions: policy.Conditions{"StringEquals": {"iam:PermissionsBoundary": a.boundaryARN()}},
		},
		{
			// A person has to apply a change that extends what a workflow may do, or who may read.
			Sid: "NeverChangeItself", Deny: true,
			Actions: []string{
				"iam:AttachRolePolicy", "iam:CreatePolicy", "iam:CreatePolicyVersion", "iam:CreateRole", "iam:DeletePolicy",
				"iam:DeletePolicyVersion", "iam:DeleteRole", "iam:DeleteRolePermissionsBoundary", "iam:DeleteRolePolicy", "iam:DetachRolePolicy",
				"iam:PassRole", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy", "iam:SetDefaultPolicyVersion",
				"iam:UpdateAssumeRolePolicy", "iam:UpdateRole",
			},
			Resources: []any{
				catalog.Global(a.Site, "iam", "role/"+a.Site.Name(deployerPart)),
				catalog.Global(a.Site, "iam", "policy/"+a.Site.Name(deployerPart+"-*")),
				catalog.Global(a.Site, "iam", "role/"+a.Site.Name(readerPart)),
				catalog.Global(a.Site, "iam", "policy/"+a.Site.Name(readerPart+"-*")),
				a.boundaryARN(),
			},
		},
	}
	all := []catalog.Grant{{Area: "compute", Statement: policy.Statement{
		// What a promotion brings here: the images of the project's other stacks. In another account the repositories
		// themselves must admit this one as well.
		Sid: "PullReleases", Actions: pulls,
		Resources: a.released("ecr", "repository/"+repositoryName(a.any(), "django"), "repository/"+repositoryName(a.any(), "nginx")),
	}}}
	for _, s := range append(identity, a.stateIsOffLimits()...) {
		all = append(all, catalog.Grant{Area: "identity", Statement: s})
	}
	return all
}

// stateIsOffLimits denies what no deployment does to the buckets and keys that hold state: this stack's, and by their names
// those of all stacks of the project. Whatever else the role is given later, the history of a state stays.
func (a *DeployerArgs) stateIsOffLimits() []policy.Statement {
	buckets := []any{fmt.Sprintf("arn:%s:s3:::%s-*-state-%s-*", a.Site.Partition, a.Site.Project, a.Site.AccountID)}
	if a.StateBucket != "" {
		bucket := fmt.Sprintf("arn:%s:s3:::%s", a.Site.Partition, a.StateBucket)
		buckets = append(buckets, bucket, bucket+"/*")
	}
	keys := []any{a.Site.ARN("kms", "alias/"+a.any().Name("state"))}
	if a.StateKeyARN != "" {
		keys = append(keys, a.StateKeyARN)
	}
	manage := []string{
		"kms:Cancel*", "kms:Create*", "kms:Delete*", "kms:Disable*", "kms:Enable*", "kms:Import*", "kms:Put*", "kms:Replicate*",
		"kms:Retire*", "kms:Revoke*", "kms:Rotate*", "kms:Schedule*", "kms:Tag*", "kms:Untag*", "kms:Update*",
	}
	return []policy.Statement{
		{
			Sid: "NeverManageStateBuckets", Deny: true,
			Actions: []string{
				"s3:BypassGovernanceRetention", "s3:CreateBucket*", "s3:DeleteBucket*", "s3:DeleteObjectVersion*", "s3:Put*Configuration",
				"s3:PutBucket*", "s3:PutObjectAcl", "s3:PutObjectLegalHold", "s3:PutObjectRetention", "s3:PutObjectVersion*", "s3:Replicate*",
			},
			Resources: buckets,
		},
		{Sid: "NeverManageStateKeys", Deny: true, Actions: manage, Resources: keys},
		{
			Sid: "NeverManageStateKeysByAlias", Deny: true, Actions: manage, Resources: []any{a.Site.ARN("kms", "key/*")},
			Conditions: map[string]map[string]any{"ForAnyValue:StringLike": {"kms:ResourceAliases": "alias/" + a.any().Name("state")}},
		},
		{
			Sid: "NeverManageBootstrapKeys", Deny: true, Actions: manage, Resources: []any{a.Site.ARN("kms", "key/*")},
			Conditions: map[string]map[string]any{"StringEquals": {"aws:ResourceTag/" + catalog.MadeBy: "bootstrap"}},
		},
	}
}

// state lets Pulumi keep this stack's state where the backend is S3.
func (a *DeployerArgs) state() []policy.Statement {
	var statements []policy.Statement
	if a.StateBucket != "" {
		bucket := fmt.Sprintf("arn:%s:s3:::%s", a.Site.Partition, a.StateBucket)
		statements = append(statements,
			policy.Statement{Sid: "FindState", Actions: []string{"s3:ListBucket"}, Resources: []any{bucket}},
			policy.Statement{
				Sid: "KeepState", Actions: []string{"s3:DeleteObject", "s3:GetObject", "s3:PutObject"},
				Resources: []any{bucket + "/*"},
			})
	}
	if a.StateKeyARN != "" {
		statements = append(statements, policy.Statement{
			Sid: "ReadSecretConfiguration", Actions: []string{"kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"},
			Resources: []any{a.StateKeyARN},
		})
	}
	if a.StateBucket != "" && a.StateKeyARN != "" {
		// A promotion reads the record of another stack of the project, and nothing else of it: the key works through S3
		// alone, so that the secrets in that stack's state stay closed.
		var buckets, releases []any
		for _, account := range append([]string{a.Site.AccountID}, a.Sources...) {
			bucket := fmt.Sprintf("arn:%s:s3:::%s-*-state-%s-*", a.Site.Partition, a.Site.Project, account)
			buckets, releases = append(buckets, bucket), append(releases, bucket+"/.slipway/releases/*")
		}
		statements = append(statements,
			policy.Statement{Sid: "ReadReleases", Actions: []string{"s3:GetObject"}, Resources: releases},
			policy.Statement{
				Sid: "FindReleases", Actions: []string{"s3:ListBucket"}, Resources: buckets,
				Conditions: map[string]map[string]any{"StringLike": {"s3:prefix": ".slipway/releases/*"}},
			},
			policy.Statement{
				Sid: "OpenReleases", Actions: []string{"kms:Decrypt"}, Resources: a.released("kms", "key/*"),
				Conditions: map[string]map[string]any{
					"StringLike":             {"kms:ViaService": "s3.*.amazonaws.com"},
					"ForAnyValue:StringLike": {"kms:ResourceAliases": "alias/" + a.Site.Project + "-*-state"},
				},
			})
	}
	return statements
}
