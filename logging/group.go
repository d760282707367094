package logging

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/catalog"
)

const groupType = "slipway:logging:Group"

// GroupArgs describe one log group.
type GroupArgs struct {
	Name    string // physical name: /project/stack/part
	KeyARN  pulumi.StringInput
	Days    int     // one of catalog.Retentions
	Archive *Stream // the stream that events are forwarded to; nil: CloudWatch only
}

// A Group is an encrypted log group with retention, forwarded to the archive.
//
// Cost: $0.50 per GB ingested, $0.03 per GB-month stored (us-east-1, from memory). Another Name replaces it, which deletes
// its events from CloudWatch; the archive keeps them.
type Group struct {
	pulumi.ResourceState
	Name pulumi.StringOutput
	ARN  pulumi.StringOutput
}

// NewGroup creates a log group.
func NewGroup(ctx *pulumi.Context, name string, args *GroupArgs, opts ...pulumi.ResourceOption) (*Group, error) {
	if !slices.Contains(catalog.Retentions, args.Days) {
		return nil, fmt.Errorf("logging: days of %s must be one of %s, got %d",
			args.Name, strings.Trim(fmt.Sprint(catalog.Retentions), "[]"), args.Days)
	}
	g := &Group{}
	if err := ctx.RegisterComponentResource(groupType, name, g, opts...); err != nil {
		return nil, err
	}
	group, err := cloudwatch.NewLogGroup(ctx, name, &cloudwatch.LogGroupArgs{
		Name:            pulumi.String(args.Name),
		KmsKeyId:        args.KeyARN.ToStringOutput(),
		RetentionInDays: pulumi.Int(args.Days),
	}, pulumi.Parent(g))
	if err != nil {
		return nil, err
	}
	g.Name, g.ARN = group.Name, group.Arn
	if args.Archive != nil {
		if _, err := cloudwatch.NewLogSubscriptionFilter(ctx, name+"-archive", &cloudwatch.LogSubscriptionFilterArgs{
			Name:           pulumi.String("archive"),
			LogGroup:       group.Name,
			FilterPattern:  pulumi.String(""),
			DestinationArn: args.Archive.ARN,
			RoleArn:        args.Archive.WriterARN.ToStringPtrOutput(),
		}, pulumi.Parent(g), pulumi.DependsOn([]pulumi.Resource{args.Archive.writes})); err != nil {
			return nil, err
		}
	}
	return g, ctx.RegisterResourceOutputs(g, pulumi.Map{"name": g.Name})
}
