package network

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/policy"
)

// newFlowLog logs every connection, accepted or rejected, to its own encrypted log group.
func (b *builder) newFlowLog() error {
	site := b.args.Site
	group, err := cloudwatch.NewLogGroup(b.ctx, b.name+"-flow", &cloudwatch.LogGroupArgs{
		Name:            pulumi.String(site.Path("network", "flow")),
		RetentionInDays: pulumi.Int(b.args.FlowLogDays),
		KmsKeyId:        b.args.LogsKeyARN.ToStringOutput().ToStringPtrOutput(),
	}, b.parent())
	if err != nil {
		return err
	}
	// The conditions are those of the VPC guide, "IAM role for publishing flow logs to CloudWatch Logs".
	role, err := iam.NewRole(b.ctx, b.name+"-flow", &iam.RoleArgs{
		Name:                pulumi.String(site.Name("flow")),
		Description:         pulumi.String("Writes the flow logs of the VPC"),
		AssumeRolePolicy:    policy.Trust("vpc-flow-logs.amazonaws.com", policy.From(site.AccountID, site.ARN("ec2", "vpc-flow-log/*"))),
		PermissionsBoundary: site.Boundary,
	}, b.parent())
	if err != nil {
		return err
	}
	permission, err := iam.NewRolePolicy(b.ctx, b.name+"-flow", &iam.RolePolicyArgs{
		Name: pulumi.String("write"),
		Role: role.ID(),
		Policy: policy.Document(
			policy.Statement{
				Sid:       "WriteFlowLogs",
				Actions:   []string{"logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"},
				Resources: []any{group.Arn, pulumi.Sprintf("%s:*", group.Arn)},
			},
			policy.Statement{
				Sid:       "FindLogGroup",
				Actions:   []string{"logs:DescribeLogGroups"},
				Resources: []any{site.ARN("logs", "log-group:*")}, // this action has no resource-level permission
			}),
	}, b.parent())
	if err != nil {
		return err
	}
	_, err = ec2.NewFlowLog(b.ctx, b.name+"-flow", &ec2.FlowLogArgs{
		VpcId:                  b.vpc.ID().ToStringOutput().ToStringPtrOutput(),
		TrafficType:            pulumi.String("ALL"),
		LogDestinationType:     pulumi.String("cloud-watch-logs"),
		LogDestination:         group.Arn,
		IamRoleArn:             role.Arn,
		MaxAggregationInterval: pulumi.Int(600), // seconds; 60 would write ten times as many lines
		Tags:                   b.tags("flow"),
	}, b.parent(), pulumi.DependsOn([]pulumi.Resource{permission}))
	return err
}
