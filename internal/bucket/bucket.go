// Package bucket makes private S3 buckets. Every bucket of a site is one, so that one place blocks public access, enforces
// ownership and denies plain HTTP.
package bucket

import (
	"cmp"
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/s3"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/bucket/hardening"
	"slipway/internal/policy"
	"slipway/internal/wiring"
)

const typeToken = "slipway:bucket:Private"

// These shorten the longest names of the provider's SDK.
type (
	encryptionArgs = s3.BucketServerSideEncryptionConfigurationV2RuleApplyServerSideEncryptionByDefaultArgs
	abortArgs      = s3.BucketLifecycleConfigurationV2RuleAbortIncompleteMultipartUploadArgs
	expirationArgs = s3.BucketLifecycleConfigurationV2RuleNoncurrentVersionExpirationArgs
)

// Args describe a Private bucket.
type Args struct {
	Site wiring.Site
	Part string // physical name: project-stack-part- and a random suffix; the prefix has at most 37 characters

	// KeyARN is the KMS key of new objects, used with a bucket key. Nil means SSE-S3, which AWS requires for access logs
	// of load balancers and of S3.
	KeyARN pulumi.StringInput

	// Delivery returns more statements of the bucket's policy for its ARN: the services that write to it.
	Delivery func(bucketARN pulumi.StringOutput) []policy.Statement

	Rules []s3.BucketLifecycleConfigurationV2RuleInput // in addition to those of every bucket

	// OldVersionDays is how long an overwritten, deleted or expired object can still be restored; default: 90. In a versioned
	// bucket an expiration only makes the object an old version, which is stored and billed for that time.
	OldVersionDays int

	// AccessLogs is the bucket for S3's access logs; nil for the access-log bucket itself. Its policy must allow S3 to
	// write to s3/.
	AccessLogs *Private
}

// A Private is an S3 bucket without access from outside the account: public access blocked, ACLs off, versioned,
// encrypted, TLS only. Old versions expire after OldVersionDays, delete markers with the last old version, and incomplete uploads
// after 7 days (see hardening.Settings).
//
// A protected stack keeps it on destroy; any other stack empties and deletes it. Cost: $0.023 per GB-month (us-east-1)
// and requests. Changing Part or the stack's name replaces it.
type Private struct {
	pulumi.ResourceState
	Name pulumi.StringOutput
	ARN  pulumi.StringOutput

	policy pulumi.Resource
}

// Ready is the bucket's policy, which services need to deliver to the bucket.
func (b *Private) Ready() []pulumi.Resource { return []pulumi.Resource{b.policy} }

// New creates a private bucket.
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
	if err := b.secure(ctx, name, args); err != nil {
		return nil, err
	}
	if err := b.retain(ctx, name, args); err != nil {
		return nil, err
	}
	return b, ctx.RegisterResourceOutputs(b, pulumi.Map{"name": b.Name, "arn": b.ARN})
}

// secure blocks public access and ACLs, turns on encryption and requires TLS.
func (b *Private) secure(ctx *pulumi.Context, name string, args *Args) error {
	settings := hardening.Settings(args.KeyARN != nil)
	public := settings.PublicAccess
	block, err := s3.NewBucketPublicAccessBlock(ctx, name+"-block", &s3.BucketPublicAccessBlockArgs{
		Bucket:          b.Name,
		BlockPublicAcls: pulumi.Bool(public.BlockACLs), IgnorePublicAcls: pulumi.Bool(public.IgnoreACLs),
		BlockPublicPolicy: pulumi.Bool(public.BlockPolicy), RestrictPublicBuckets: pulumi.Bool(public.Restrict),
	}, pulumi.Parent(b))
	if err != nil {
		return err
	}
	if _, err := s3.NewBucketOwnershipControls(ctx, name+"-owner", &s3.BucketOwnershipControlsArgs{
		Bucket: b.Name,
		Rule:   &s3.BucketOwnershipControlsRuleArgs{ObjectOwnership: pulumi.String(settings.Ownership)},
	}, pulumi.Parent(b)); err != nil {
		return err
	}
	byDefault := &encryptionArgs{SseAlgorithm: pulumi.String(settings.Encryption)}
	if args.KeyARN != nil {
		byDefault.KmsMasterKeyId = args.KeyARN.ToStringOutput()
	}
	if _, err := s3.NewBucketServerSideEncryptionConfigurationV2(ctx, name+"-encryption", &s3.BucketServerSideEncryptionConfigurationV2Args{
		Bucket: b.Name,
		Rules: s3.BucketServerSideEncryptionConfigurationV2RuleArray{&s3.BucketServerSideEncryptionConfigurationV2RuleArgs{
			ApplyServerSideEncryptionByDefault: byDefault,
			BucketKeyEnabled:                   pulumi.Bool(settings.BucketKey),
		}},
	}, pulumi.Parent(b)); err != nil {
		return err
	}
	statements := []policy.Statement{policy.TLSOnly("s3", b.ARN, pulumi.Sprintf("%s/*", b.ARN))}
	if args.Delivery != nil {
		statements = append(statements, args.Delivery(b.ARN)...)
	}
	// S3 rejects concurrent changes of a bucket's access (OperationAborted), so the policy waits for the block.
	b.policy, err = s3.NewBucketPolicy(ctx, name+"-policy", &s3.BucketPolicyArgs{
		Bucket: b.Name,
		Policy: policy.Document(statements...),
	}, pulumi.Parent(b), pulumi.DependsOn([]pulumi.Resource{block}))
	return err
}

// retain sets versioning, lifecycle and access logging.
func (b *Private) retain(ctx *pulumi.Context, name string, args *Args) error {
	settings := hardening.Settings(args.KeyARN != nil)
	versioning, err := s3.NewBucketVersioningV2(ctx, name+"-versions", &s3.BucketVersioningV2Args{
		Bucket:                  b.Name,
		VersioningConfiguration: &s3.BucketVersioningV2VersioningConfigurationArgs{Status: pulumi.String(settings.Versioning)},
	}, pulumi.Parent(b))
	if err != nil {
		return err
	}
	var rules s3.BucketLifecycleConfigurationV2RuleArray
	for _, r := range settings.Lifecycle {
		rule := &s3.BucketLifecycleConfigurationV2RuleArgs{
			Id: pulumi.String(r.ID), Status: pulumi.String(hardening.Enabled),
			Filter: &s3.BucketLifecycleConfigurationV2RuleFilterArgs{Prefix: pulumi.String("")},
		}
		if r.BrokenUploadDays > 0 {
			rule.AbortIncompleteMultipartUpload = &abortArgs{DaysAfterInitiation: pulumi.Int(r.BrokenUploadDays)}
		}
		if r.OldVersionDays > 0 {
			rule.NoncurrentVersionExpiration = &expirationArgs{NoncurrentDays: pulumi.Int(cmp.Or(args.OldVersionDays, r.OldVersionDays))}
		}
		rules = append(rules, rule)
	}
	// A delete marker stays for ever otherwise, and makes listing slow. S3 takes this only in a rule without days (S3 guide,
	// "Lifecycle configuration elements", ExpiredObjectDeleteMarker).
	rules = append(rules, &s3.BucketLifecycleConfigurationV2RuleArgs{
		Id: pulumi.String("delete-markers"), Status: pulumi.String(hardening.Enabled),
		Filter:     &s3.BucketLifecycleConfigurationV2RuleFilterArgs{Prefix: pulumi.String("")},
		Expiration: &s3.BucketLifecycleConfigurationV2RuleExpirationArgs{ExpiredObjectDeleteMarker: pulumi.Bool(true)},
	})
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
