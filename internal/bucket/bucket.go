// Package bucket makes private S3 buckets: every bucket of a site is one of these, so that there is one place where
// public access is blocked, owners are enforced and plain HTTP is refused.
package bucket

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/s3"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/policy"
	"slipway/internal/wiring"
)

const typeToken = "slipway:bucket:Private"

// Args say what one bucket is for.
type Args struct {
	Site wiring.Site
	Part string // physical name: project-stack-part- and a suffix of S3's choosing; at most 36 characters with the dash

	// KeyARN is the KMS key of new objects, used through a bucket key. Nil means SSE-S3: access logs of load balancers
	// and of S3 itself are delivered to no other kind of bucket.
	KeyARN pulumi.StringInput

	// Delivery are further statements of the bucket's policy, made from the bucket's ARN: the services that write to it.
	Delivery func(bucketARN pulumi.StringOutput) []policy.Statement

	Rules []s3.BucketLifecycleConfigurationV2RuleInput // beside those that every bucket has

	// AccessLogs is the bucket to which S3 writes who read what; nil for the access-log bucket itself. Its policy must
	// admit S3 below s3/.
	AccessLogs *Private
}

// A Private is an S3 bucket that nobody outside the account reads: public access blocked, ACLs off, versioned,
// encrypted, TLS only, old versions gone after 90 days and broken uploads after 7.
//
// A protected stack keeps it on destroy; elsewhere destroy empties it. Cost: $0.023 per GB-month (us-east-1) and
// requests. Replaced when Part or the stack's name changes.
type Private struct {
	pulumi.ResourceState
	Name pulumi.StringOutput
	ARN  pulumi.StringOutput

	policy pulumi.Resource
}

// Ready is the bucket's policy: before it nobody may deliver to the bucket.
func (b *Private) Ready() []pulumi.Resource { return []pulumi.Resource{b.policy} }

// New makes a private bucket.
func New(ctx *pulumi.Context, name string, args *Args, opts ...pulumi.ResourceOption) (*Private, error) {
	prefix := args.Site.Name(args.Part) + "-"
	if len(prefix) > 37 {
		return nil, fmt.Errorf("bucket: name prefix %q must be at most 37 characters, got %d", prefix, len(prefix))
	}
	b := &Private{}
	if err := ctx.RegisterComponentResource(typeToken, name, b, opts...); err != nil {
		return nil, err
	}

	bucket, err := s3.NewBucketV2(ctx, name, &s3.BucketV2Args{
		BucketPrefix: pulumi.String(prefix),
		ForceDestroy: pulumi.Bool(!args.Site.Protect),
	}, pulumi.Parent(b), pulumi.Protect(args.Site.Protect))
	if err != nil {
		return nil, err
	}
	b.Name, b.ARN = bucket.Bucket, bucket.Arn
	if err := b.close(ctx, name, args); err != nil {
		return nil, err
	}
	if err := b.keep(ctx, name, args); err != nil {
		return nil, err
	}
	return b, ctx.RegisterResourceOutputs(b, pulumi.Map{"name": b.Name, "arn": b.ARN})
}

// close shuts the bucket: no public access, no ACLs, encryption, TLS.
func (b *Private) close(ctx *pulumi.Context, name string, args *Args) error {
	block, err := s3.NewBucketPublicAccessBlock(ctx, name+"-block", &s3.BucketPublicAccessBlockArgs{
		Bucket:          b.Name,
		BlockPublicAcls: pulumi.Bool(true), IgnorePublicAcls: pulumi.Bool(true),
		BlockPublicPolicy: pulumi.Bool(true), RestrictPublicBuckets: pulumi.Bool(true),
	}, pulumi.Parent(b))
	if err != nil {
		return err
	}
	if _, err := s3.NewBucketOwnershipControls(ctx, name+"-owner", &s3.BucketOwnershipControlsArgs{
		Bucket: b.Name,
		Rule:   &s3.BucketOwnershipControlsRuleArgs{ObjectOwnership: pulumi.String("BucketOwnerEnforced")},
	}, pulumi.Parent(b)); err != nil {
		return err
	}
	byDefault := &s3.BucketServerSideEncryptionConfigurationV2RuleApplyServerSideEncryptionByDefaultArgs{SseAlgorithm: pulumi.String("AES256")}
	if args.KeyARN != nil {
		byDefault.SseAlgorithm = pulumi.String("aws:kms")
		byDefault.KmsMasterKeyId = args.KeyARN.ToStringOutput()
	}
	if _, err := s3.NewBucketServerSideEncryptionConfigurationV2(ctx, name+"-encryption", &s3.BucketServerSideEncryptionConfigurationV2Args{
		Bucket: b.Name,
		Rules: s3.BucketServerSideEncryptionConfigurationV2RuleArray{&s3.BucketServerSideEncryptionConfigurationV2RuleArgs{
			ApplyServerSideEncryptionByDefault: byDefault,
			BucketKeyEnabled:                   pulumi.Bool(args.KeyARN != nil),
		}},
	}, pulumi.Parent(b)); err != nil {
		return err
	}
	statements := []policy.Statement{{
		Sid: "TLSOnly", Deny: true,
		Principals: map[string][]any{"AWS": {"*"}},
		Actions:    []string{"s3:*"},
		Resources:  []any{b.ARN, pulumi.Sprintf("%s/*", b.ARN)},
		Conditions: map[string]map[string]any{"Bool": {"aws:SecureTransport": "false"}},
	}}
	if args.Delivery != nil {
		statements = append(statements, args.Delivery(b.ARN)...)
	}
	// S3 refuses two changes of a bucket's access at once (OperationAborted), so the policy waits for the block.
	b.policy, err = s3.NewBucketPolicy(ctx, name+"-policy", &s3.BucketPolicyArgs{
		Bucket: b.Name,
		Policy: policy.Document(statements...),
	}, pulumi.Parent(b), pulumi.DependsOn([]pulumi.Resource{block}))
	return err
}

// keep says how long things stay: versions, lifecycle, and the record of who read them.
func (b *Private) keep(ctx *pulumi.Context, name string, args *Args) error {
	versioning, err := s3.NewBucketVersioningV2(ctx, name+"-versions", &s3.BucketVersioningV2Args{
		Bucket:                  b.Name,
		VersioningConfiguration: &s3.BucketVersioningV2VersioningConfigurationArgs{Status: pulumi.String("Enabled")},
	}, pulumi.Parent(b))
	if err != nil {
		return err
	}
	rules := s3.BucketLifecycleConfigurationV2RuleArray{
		&s3.BucketLifecycleConfigurationV2RuleArgs{
			Id: pulumi.String("broken-uploads"), Status: pulumi.String("Enabled"),
			Filter:                         &s3.BucketLifecycleConfigurationV2RuleFilterArgs{Prefix: pulumi.String("")},
			AbortIncompleteMultipartUpload: &s3.BucketLifecycleConfigurationV2RuleAbortIncompleteMultipartUploadArgs{DaysAfterInitiation: pulumi.Int(7)},
		},
		&s3.BucketLifecycleConfigurationV2RuleArgs{
			Id: pulumi.String("old-versions"), Status: pulumi.String("Enabled"),
			Filter:                      &s3.BucketLifecycleConfigurationV2RuleFilterArgs{Prefix: pulumi.String("")},
			NoncurrentVersionExpiration: &s3.BucketLifecycleConfigurationV2RuleNoncurrentVersionExpirationArgs{NoncurrentDays: pulumi.Int(90)},
		},
	}
	if _, err := s3.NewBucketLifecycleConfigurationV2(ctx, name+"-lifecycle", &s3.BucketLifecycleConfigurationV2Args{
		Bucket: b.Name,
		Rules:  append(rules, args.Rules...),
	}, pulumi.Parent(b), pulumi.DependsOn([]pulumi.Resource{versioning})); err != nil {
		return err
	}
	if args.AccessLogs == nil {
		return nil
	}
	_, err = s3.NewBucketLoggingV2(ctx, name+"-access", &s3.BucketLoggingV2Args{
		Bucket:       b.Name,
		TargetBucket: args.AccessLogs.Name,
		TargetPrefix: pulumi.Sprintf("s3/%s/", b.Name),
	}, pulumi.Parent(b), pulumi.DependsOn(args.AccessLogs.Ready()))
	return err
}
