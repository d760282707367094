package fargate

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/policy"
	"slipway/internal/wiring"
)

const rolesType = "slipway:fargate:Roles"

// RolesArgs describe what a family of tasks uses.
type RolesArgs struct {
	Site         wiring.Site
	Part         string               // role names are project-stack-part-execution and -task
	Repositories []pulumi.StringInput // ARNs of the ECR repositories that its images come from
	Groups       []pulumi.StringInput // names of the log groups that its containers write
	Firehose     *Firehose            // the other log route
	Binding      wiring.Binding       // secrets for the execution role, grants for the task role
	Exec         *Exec                // nil: no ECS Exec in these tasks
}

// Exec says where ECS Exec sessions are recorded, and with which key they are encrypted.
type Exec struct {
	Group  pulumi.StringInput // log group name
	KeyARN pulumi.StringInput
	Bucket pulumi.StringInput // bucket name; nil: the log group only
	Prefix string             // prefix in the bucket; tasks may write only there
}

// Roles are the two roles of a family of tasks. The ECS agent uses the execution role: it may pull exactly these images,
// write exactly these log groups and read exactly these parameters. The application uses the task role: it has exactly the
// Binding's grants. The agent reads the secrets, so a secret that only the task role may read keeps the task from starting.
//
// A resource that starts tasks comes After the component, because a role exists before its policy does. Cost: none.
// Changing Part or the stack's name replaces the roles.
type Roles struct {
	pulumi.ResourceState
	ExecutionARN pulumi.StringOutput
	TaskARN      pulumi.StringOutput

	policies []pulumi.Resource
}

// Ready are the policies, without which tasks cannot start.
func (r *Roles) Ready() []pulumi.Resource { return r.policies }

// NewRoles creates both roles.
func NewRoles(ctx *pulumi.Context, name string, args *RolesArgs, opts ...pulumi.ResourceOption) (*Roles, error) {
	r := &Roles{}
	if err := ctx.RegisterComponentResource(rolesType, name, r, opts...); err != nil {
		return nil, err
	}
	var err error
	r.ExecutionARN, err = r.role(ctx, name, "execution", args, executionStatements(args))
	if err != nil {
		return nil, err
	}
	r.TaskARN, err = r.role(ctx, name, "task", args, taskStatements(args))
	if err != nil {
		return nil, err
	}
	return r, ctx.RegisterResourceOutputs(r, pulumi.Map{"executionArn": r.ExecutionARN, "taskArn": r.TaskARN})
}

// role creates one of the two. The trust policy is that of the ECS guide, "Amazon ECS task IAM role": the source cannot be
// limited to one cluster.
func (r *Roles) role(ctx *pulumi.Context, name, kind string, args *RolesArgs, statements []policy.Statement) (pulumi.StringOutput, error) {
	role, err := iam.NewRole(ctx, name+"-"+kind, &iam.RoleArgs{
		Name:                pulumi.String(args.Site.Name(args.Part + "-" + kind)),
		Description:         pulumi.Sprintf("%s role of the %s tasks", kind, args.Part),
		AssumeRolePolicy:    policy.Trust("ecs-tasks.amazonaws.com", policy.From(args.Site.AccountID, args.Site.ARN("ecs", "*"))),
		PermissionsBoundary: args.Site.Boundary,
	}, pulumi.Parent(r))
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	if len(statements) == 0 { // IAM rejects a policy without statements
		return role.Arn, nil
	}
	attached, err := iam.NewRolePolicy(ctx, name+"-"+kind+"-policy", &iam.RolePolicyArgs{
		Name:   pulumi.String(kind),
		Role:   role.Name,
		Policy: policy.Document(statements...),
	}, pulumi.Parent(r))
	r.policies = append(r.policies, attached)
	return role.Arn, err
}

func executionStatements(args *RolesArgs) []policy.Statement {
	var statements []policy.Statement
	if len(args.Repositories) > 0 {
		statements = append(statements, policy.Statement{
			Sid:       "LoginToRegistry", // this action has no resource-level permission
			Actions:   []string{"ecr:GetAuthorizationToken"},
			Resources: []any{"*"},
		}, policy.Statement{
			Sid:       "PullImages",
			Actions:   []string{"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"},
			Resources: inputs(args.Repositories),
		})
	}
	if len(args.Groups) > 0 {
		statements = append(statements, policy.Statement{
			Sid:       "WriteLogs",
			Actions:   []string{"logs:CreateLogStream", "logs:PutLogEvents"},
			Resources: groups(args.Site, args.Groups...),
		})
	}
	return append(statements, args.Binding.ReadSecrets()...)
}

func taskStatements(args *RolesArgs) []policy.Statement {
	statements := append([]policy.Statement(nil), args.Binding.Grants...)
	if args.Firehose != nil {
		// The log router runs in the task, so the task role needs this, not the execution role.
		statements = append(statements, policy.Statement{
			Sid:       "SendLogs",
			Actions:   []string{"firehose:PutRecordBatch"},
			Resources: []any{args.Firehose.ARN},
		}, policy.EncryptRecords(args.Site.Region, args.Firehose.KeyARN))
	}
	if args.Exec != nil {
		statements = append(statements, execStatements(args.Site, *args.Exec)...)
	}
	return statements
}

// execStatements are the permissions of ECS Exec inside the task. The message channels have no resource.
// Source: Amazon ECS Developer Guide, "Logging ECS Exec", which lists the three S3 actions. Sessions are uploaded with the
// ACL bucket-owner-full-control; a bucket with ACLs off accepts that header without s3:PutObjectAcl.
func execStatements(site wiring.Site, exec Exec) []policy.Statement {
	statements := []policy.Statement{{
		Sid: "ExecChannels",
		Actions: []string{
			"ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel",
			"ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel",
		},
		Resources: []any{"*"},
	}, {
		Sid:       "ExecFindGroup",
		Actions:   []string{"logs:DescribeLogGroups"},
		Resources: []any{site.ARN("logs", "log-group:*")}, // this action has no resource-level permission
	}, {
		Sid:       "ExecRecord",
		Actions:   []string{"logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"},
		Resources: groups(site, exec.Group),
	}, {
		Sid:       "ExecEncrypt",
		Actions:   []string{"kms:Decrypt", "kms:GenerateDataKey"},
		Resources: []any{exec.KeyARN},
	}}
	if exec.Bucket == nil {
		return statements
	}
	return append(statements, policy.Statement{
		Sid:       "ExecRecordToBucket",
		Actions:   []string{"s3:PutObject"},
		Resources: []any{pulumi.Sprintf("arn:%s:s3:::%s/%s/*", site.Partition, exec.Bucket, exec.Prefix)},
	}, policy.Statement{
		Sid:       "ExecReadBucketSettings",
		Actions:   []string{"s3:GetBucketLocation", "s3:GetEncryptionConfiguration"},
		Resources: []any{pulumi.Sprintf("arn:%s:s3:::%s", site.Partition, exec.Bucket)},
	})
}

// groups are the ARNs of the log groups and their streams: the one form that matches both CreateLogStream and
// PutLogEvents.
func groups(site wiring.Site, names ...pulumi.StringInput) []any {
	all := make([]any, len(names))
	for i, name := range names {
		all[i] = pulumi.Sprintf("%s%s:*", site.ARN("logs", "log-group:"), name)
	}
	return all
}

func inputs(names []pulumi.StringInput) []any {
	all := make([]any, len(names))
	for i, name := range names {
		all[i] = name
	}
	return all
}
