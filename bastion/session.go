package bastion

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ssm"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/policy"
)

// newDocument creates the session preferences: encrypted with the key, streamed to the log group, stored in the bucket,
// ended after 20 idle minutes or 8 hours. It has its own name and is not SSM-SessionManagerRunShell, the account's
// default, because an account has one of those per region and may hold several stacks.
func (h *Host) newDocument(ctx *pulumi.Context, name string, args *Args) (*ssm.Document, error) {
	return ssm.NewDocument(ctx, name+"-session", &ssm.DocumentArgs{
		Name:           pulumi.String(args.Site.Name("session")),
		DocumentType:   pulumi.String("Session"),
		DocumentFormat: pulumi.String("JSON"),
		Content: pulumi.JSONMarshal(map[string]any{
			"schemaVersion": "1.0",
			"description":   "Recorded and encrypted sessions on " + args.Site.Name("bastion"),
			"sessionType":   "Standard_Stream",
			"inputs": map[string]any{
				"kmsKeyId":                    args.SessionKeyARN,
				"s3BucketName":                args.LogBucket,
				"s3KeyPrefix":                 args.logPrefix(),
				"s3EncryptionEnabled":         true,
				"cloudWatchLogGroupName":      args.LogGroupName,
				"cloudWatchEncryptionEnabled": true,
				"cloudWatchStreamingEnabled":  true,
				"idleSessionTimeout":          "20",  // minutes
				"maxSessionDuration":          "480", // minutes
				"runAsEnabled":                false,
				"runAsDefaultUser":            "",
				"shellProfile":                map[string]any{"linux": "cd; exec bash -l"},
			},
		}),
		Tags: pulumi.StringMap{"Name": pulumi.String(args.Site.Name("session"))},
	}, pulumi.Parent(h), pulumi.DeleteBeforeReplace(true)) // two documents cannot have the same name
}

// newProfile creates the instance profile, and returns the permissions that the agent needs to register.
//
// The managed policy is the one that Session Manager requires. It also lets the instance read SSM parameters, but not
// secret ones, because nothing here grants it their key.
func (h *Host) newProfile(ctx *pulumi.Context, name string, args *Args) (*iam.InstanceProfile, []pulumi.Resource, error) {
	role, err := iam.NewRole(ctx, name, &iam.RoleArgs{
		Name:        pulumi.String(args.Site.Name("bastion")),
		Description: pulumi.String("Registers the bastion with Session Manager and records sessions"),
		// EC2 returns a role only to instances in the role's own account, and sends no source.
		AssumeRolePolicy:    policy.Trust("ec2.amazonaws.com", nil),
		PermissionsBoundary: args.Site.Boundary,
	}, pulumi.Parent(h))
	if err != nil {
		return nil, nil, err
	}
	core, err := iam.NewRolePolicyAttachment(ctx, name+"-core", &iam.RolePolicyAttachmentArgs{
		Role:      role.Name,
		PolicyArn: pulumi.Sprintf("arn:%s:iam::aws:policy/AmazonSSMManagedInstanceCore", args.Site.Partition),
	}, pulumi.Parent(h))
	if err != nil {
		return nil, nil, err
	}
	record, err := iam.NewRolePolicy(ctx, name+"-record", &iam.RolePolicyArgs{
		Name:   pulumi.String("record"),
		Role:   role.ID(),
		Policy: policy.Document(args.recording()...),
	}, pulumi.Parent(h))
	if err != nil {
		return nil, nil, err
	}
	profile, err := iam.NewInstanceProfile(ctx, name, &iam.InstanceProfileArgs{
		Name: pulumi.String(args.Site.Name("bastion")),
		Role: role.Name,
	}, pulumi.Parent(h))
	return profile, []pulumi.Resource{core, record}, err
}

// recording are the permissions that the agent needs to record and encrypt a session.
func (a *Args) recording() []policy.Statement {
	bucket := pulumi.Sprintf("arn:%s:s3:::%s", a.Site.Partition, a.LogBucket)
	return []policy.Statement{
		{Sid: "KeepSession", Actions: []string{"s3:PutObject"}, Resources: []any{pulumi.Sprintf("%s/%s/*", bucket, a.logPrefix())}},
		{Sid: "ReadBucketSettings", Actions: []string{"s3:GetBucketLocation", "s3:GetEncryptionConfiguration"}, Resources: []any{bucket}},
		{
			Sid:       "StreamSession",
			Actions:   []string{"logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"},
			Resources: []any{a.LogGroupARN, pulumi.Sprintf("%s:*", a.LogGroupARN)},
		},
		{
			Sid:       "SeeThatLogGroupIsEncrypted",
			Actions:   []string{"logs:DescribeLogGroups"},
			Resources: []any{a.Site.ARN("logs", "log-group:*")}, // this action has no resource-level permission
		},
		{Sid: "EncryptSession", Actions: []string{"kms:Decrypt", "kms:GenerateDataKey"}, Resources: []any{a.SessionKeyARN}},
	}
}
