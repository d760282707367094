package cicd

import (
	"errors"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/catalog"
	"slipway/internal/policy"
	"slipway/internal/wiring"
)

const boundaryType = "slipway:cicd:Boundary"

// boundaryPart is the permissions boundary's part of its physical name.
const boundaryPart = "boundary"

// BoundaryArgs say whose roles are bound.
type BoundaryArgs struct {
	Site  wiring.Site
	Facts catalog.Catalog // about all resources of the stack
}

// A Boundary is the permissions boundary of every role that the stack makes: the most that a task, a job, the bastion or a
// service that writes logs may do, whatever its own policies say. The deploy role may create and extend roles only within it,
// and cannot change it, so that the right to deploy gives no access beyond that of the site.
//
// A part of the site that needs more (to send mail with SES, say) needs it here as well, and that is for a person to apply:
// by bootstrap, or by an `up` of their own. Cost: none. Replaced when the stack's name changes.
type Boundary struct {
	pulumi.ResourceState
	ARN pulumi.StringOutput
}

// NewBoundary creates the policy.
func NewBoundary(ctx *pulumi.Context, name string, args *BoundaryArgs, opts ...pulumi.ResourceOption) (*Boundary, error) {
	limits, err := args.limits()
	if err != nil {
		return nil, err
	}
	b := &Boundary{}
	if err := ctx.RegisterComponentResource(boundaryType, name, b, opts...); err != nil {
		return nil, err
	}
	made, err := iam.NewPolicy(ctx, name, &iam.PolicyArgs{
		Name:        pulumi.String(args.Site.Name(boundaryPart)),
		Description: pulumi.String(args.purpose()),
		Policy:      policy.Document(limits...),
	}, pulumi.Parent(b))
	if err != nil {
		return nil, err
	}
	b.ARN = made.Arn
	return b, ctx.RegisterResourceOutputs(b, pulumi.Map{"arn": b.ARN})
}

// PolicySpec is the same policy as a plain document.
func (a *BoundaryArgs) PolicySpec() PolicySpec {
	limits, err := a.limits()
	if err != nil {
		panic(err) // the test of the catalog finds parts that do not fit together
	}
	document, err := policy.JSON(limits...)
	if err != nil {
		panic(err) // it is made of strings
	}
	return PolicySpec{a.Site.Name(boundaryPart), a.purpose(), document}
}

func (a *BoundaryArgs) purpose() string {
	return "What the roles of " + a.Site.Name("*") + " may do at most"
}

// limits are all that the roles of this program are granted, together, as the facts about the stack's resources say. IAM
// takes 6,144 characters of a policy, so they are put by what names the stack and not by role.
func (a *BoundaryArgs) limits() ([]policy.Statement, error) {
	if len(a.Facts) == 0 {
		return nil, errors.New("cicd: the facts about the stack's resources are missing")
	}
	site := a.Site
	keys := []any{site.ARN("kms", "key/*")}
	return catalog.Merge(append(a.Facts.Bounds(), []policy.Statement{
		{
			// The key of a state has no tags of a stack. Its policy leaves it to IAM who may use it, and what it opens lies in
			// Pulumi.<stack>.yaml, whose ciphertext is public.
			Sid: "NeverUseStateKeys", Deny: true, Actions: []string{"kms:*"}, Resources: keys,
			Conditions: policy.Conditions{"ForAnyValue:StringLike": {"kms:ResourceAliases": "alias/" + site.Project + "-*-state"}},
		},
		{
			Sid: "NeverUseBootstrapKeys", Deny: true, Actions: []string{"kms:*"}, Resources: keys,
			Conditions: policy.Conditions{"StringEquals": {"aws:ResourceTag/" + catalog.MadeBy: "bootstrap"}},
		},
	}...), boundaryPlaces)
}
