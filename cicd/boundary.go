package cicd

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/policy"
	"slipway/internal/wiring"
)

const boundaryType = "slipway:cicd:Boundary"

// boundaryPart is the permissions boundary's part of its physical name.
const boundaryPart = "boundary"

// BoundaryArgs say whose roles are bound.
type BoundaryArgs struct{ Site wiring.Site }

// A Boundary is the permissions boundary of every role that the stack makes: what a task, a job, the bastion or a service
// that writes logs may do at most, whatever its own policies say. The deploy role may make and widen roles only within it,
// and cannot change it, so that whoever may deploy gets no more of the account than the site has.
//
// A part of the site that needs more (to send mail with SES, say) needs it here as well, and that is for a person to apply:
// by bootstrap, or by an `up` of their own. Cost: none. Replaced when the stack's name changes.
type Boundary struct {
	pulumi.ResourceState
	ARN pulumi.StringOutput
}

// NewBoundary makes the policy.
func NewBoundary(ctx *pulumi.Context, name string, args *BoundaryArgs, opts ...pulumi.ResourceOption) (*Boundary, error) {
	b := &Boundary{}
	if err := ctx.RegisterComponentResource(boundaryType, name, b, opts...); err != nil {
		return nil, err
	}
	made, err := iam.NewPolicy(ctx, name, &iam.PolicyArgs{
		Name:        pulumi.String(args.Site.Name(boundaryPart)),
		Description: pulumi.String(args.purpose()),
		Policy:      policy.Document(args.limits()...),
	}, pulumi.Parent(b))
	if err != nil {
		return nil, err
	}
	b.ARN = made.Arn
	return b, ctx.RegisterResourceOutputs(b, pulumi.Map{"arn": b.ARN})
}

// PolicySpec is the same policy as a plain document.
func (a *BoundaryArgs) PolicySpec() PolicySpec {
	document, err := policy.JSON(a.limits()...)
	if err != nil {
		panic(err) // it is made of strings
	}
	return PolicySpec{a.Site.Name(boundaryPart), a.purpose(), document}
}

func (a *BoundaryArgs) purpose() string {
	return "What the roles of " + a.Site.Name("*") + " may do at most"
}

// limits are all that the roles of this program are granted, together. IAM takes 6,144 characters of a policy, so they are
// put by what names the stack and not by role.
func (a *BoundaryArgs) limits() []policy.Statement {
	site := a.Site
	roles := fmt.Sprintf("arn:%s:iam::%s:role/%s", site.Partition, site.AccountID, site.Name("*"))
	return []policy.Statement{
		{
			Sid:       "WriteLogs",
			Actions:   []string{"logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"},
			Resources: []any{site.ARN("logs", "log-group:"+site.Path("*"))},
		},
		{
			// RDS keeps the metrics of all databases of a region in one group, and makes it when there is none.
			Sid: "WriteDatabaseMetrics",
			Actions: []string{
				"logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:GetLogEvents", "logs:PutLogEvents",
				"logs:PutRetentionPolicy",
			},
			Resources: []any{site.ARN("logs", "log-group:RDS*")},
		},
		{
			Sid:       "SendLogs",
			Actions:   []string{"firehose:PutRecord", "firehose:PutRecordBatch"},
			Resources: []any{site.ARN("firehose", "deliverystream/"+site.Name("*"))},
		},
		{
			// What is in the buckets, not how they are set.
			Sid: "UseBuckets",
			Actions: []string{
				"s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetBucketLocation", "s3:GetEncryptionConfiguration", "s3:GetObject",
				"s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:PutObject",
			},
			Resources: []any{
				fmt.Sprintf("arn:%s:s3:::%s", site.Partition, site.Name("media-*")), fmt.Sprintf("arn:%s:s3:::%s", site.Partition, site.Name("logs-*")),
			},
		},
		{
			// Each role names its keys, whose own policies say through which services they are used. A key of another stack is out
			// of reach by its tags; KMS may not see those of this stack's keys in their first five minutes, so none is allowed too.
			Sid:       "UseKeys",
			Actions:   []string{"kms:Decrypt", "kms:GenerateDataKey"},
			Resources: []any{site.ARN("kms", "key/*")},
			Conditions: map[string]map[string]any{"StringEqualsIfExists": {
				"aws:ResourceTag/project": site.Project, "aws:ResourceTag/stack": site.Stack,
			}},
		},
		{
			// The key of a state has no tags of a stack. Its policy leaves it to IAM who may use it, and what it opens lies in
			// Pulumi.<stack>.yaml, where anybody can read the ciphertext.
			Sid: "NeverUseStateKeys", Deny: true, Actions: []string{"kms:*"}, Resources: []any{site.ARN("kms", "key/*")},
			Conditions: map[string]map[string]any{"ForAnyValue:StringLike": {"kms:ResourceAliases": "alias/" + site.Project + "-*-state"}},
		},
		{
			Sid: "NeverUseBootstrapKeys", Deny: true, Actions: []string{"kms:*"}, Resources: []any{site.ARN("kms", "key/*")},
			Conditions: map[string]map[string]any{"StringEquals": {"aws:ResourceTag/" + madeBy: "bootstrap"}},
		},
		{
			Sid:       "ReadSecrets",
			Actions:   []string{"ssm:GetParameter", "ssm:GetParameters"},
			Resources: []any{site.ARN("ssm", "parameter"+site.Path("*"))},
		},
		{
			Sid:       "PullImages",
			Actions:   pulls,
			Resources: []any{site.ARN("ecr", "repository/"+repositoryName(site, "*"))},
		},
		{
			Sid:       "RunJobs",
			Actions:   []string{"ecs:RunTask"},
			Resources: []any{site.ARN("ecs", "task-definition/"+site.Name("*"))},
		},
		{
			Sid:       "TagTasks",
			Actions:   []string{"ecs:TagResource"},
			Resources: []any{site.ARN("ecs", "task/"+site.Name("*"))},
		},
		{
			Sid:        "PassRolesToTasks",
			Actions:    []string{"iam:PassRole"},
			Resources:  []any{roles},
			Conditions: map[string]map[string]any{"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
		},
		{
			Sid:       "ReportFailures",
			Actions:   []string{"sqs:SendMessage"},
			Resources: []any{site.ARN("sqs", site.Name("*"))},
		},
		{
			// Calls that know no resource: the channels of ECS Exec and Session Manager, and what the agent of the bastion says of
			// itself. Of AWS's policy for that agent, all but its parameters and documents of the whole account.
			Sid: "SpeakToSystemsManager",
			Actions: []string{
				"ec2messages:AcknowledgeMessage", "ec2messages:DeleteMessage", "ec2messages:FailMessage", "ec2messages:GetEndpoint",
				"ec2messages:GetMessages", "ec2messages:SendReply", "ssm:DescribeAssociation", "ssm:GetDeployablePatchSnapshotForInstance",
				"ssm:GetManifest", "ssm:ListAssociations", "ssm:ListInstanceAssociations", "ssm:PutComplianceItems",
				"ssm:PutConfigurePackageResult", "ssm:PutInventory", "ssm:UpdateAssociationStatus", "ssm:UpdateInstanceAssociationStatus",
				"ssm:UpdateInstanceInformation", "ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel",
				"ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel",
			},
			Resources: []any{"*"},
		},
		{
			// Session Manager gives the agent a document of the stack's; patching and inventory are AWS's own.
			Sid:       "ReadDocuments",
			Actions:   []string{"ssm:DescribeDocument", "ssm:GetDocument"},
			Resources: []any{site.ARN("ssm", "document/"+site.Name("*")), fmt.Sprintf("arn:%s:ssm:%s:*:document/AWS*", site.Partition, site.Region)},
		},
		{
			Sid:       "SignInToRegistry",
			Actions:   []string{"ecr:GetAuthorizationToken"},
			Resources: []any{"*"},
		},
		{
			Sid:       "FindLogGroups",
			Actions:   []string{"logs:DescribeLogGroups"},
			Resources: []any{site.ARN("logs", "log-group:*")},
		},
	}
}
