package datastore

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/s3"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/bucket"
	"slipway/internal/policy"
	"slipway/internal/wiring"
)

const mediaType = "slipway:datastore:Media"

// MediaArgs describe a Media bucket.
type MediaArgs struct {
	Site       wiring.Site
	KeyARN     pulumi.StringInput // encrypts new objects, through a bucket key
	AccessLogs *bucket.Private    // the bucket for S3's access logs; nil: none
}

// A Media is the private bucket for uploaded files. The site's tasks have no persistent or shared disk.
//
// Below StaticPrefix nginx keeps the static files of releases, which browsers may ask for long after a rollout.
//
// A protected stack keeps it on destroy; any other stack deletes it with its files. A deleted or overwritten file can be
// restored for 90 days. Cost: $0.023 per GB-month (us-east-1). Renaming the stack replaces it.
type Media struct {
	pulumi.ResourceState
	Offer  wiring.Offer // its name, and permission to list, read, write and delete
	Bucket pulumi.StringOutput
	ARN    pulumi.StringOutput
}

// NewMedia creates the bucket.
func NewMedia(ctx *pulumi.Context, name string, args *MediaArgs, opts ...pulumi.ResourceOption) (*Media, error) {
	if args.KeyARN == nil {
		return nil, fmt.Errorf("datastore: the media bucket needs a key")
	}
	m := &Media{}
	if err := ctx.RegisterComponentResource(mediaType, name, m, opts...); err != nil {
		return nil, err
	}

	private, err := bucket.New(ctx, name, &bucket.Args{
		Site: args.Site, Part: "media", KeyARN: args.KeyARN, AccessLogs: args.AccessLogs,
		Rules: []s3.BucketLifecycleConfigurationV2RuleInput{staticFiles()},
	}, pulumi.Parent(m))
	if err != nil {
		return nil, err
	}

	m.Bucket, m.ARN = private.Name, private.ARN
	m.Offer = wiring.Offer{
		Values: map[string]wiring.Value{"bucket": {Text: m.Bucket}},
		Grants: mediaGrants(args, m.ARN),
	}
	return m, ctx.RegisterResourceOutputs(m, pulumi.Map{"bucket": m.Bucket, "arn": m.ARN})
}

// StaticPrefix is where nginx keeps static files.
const StaticPrefix = "slipway/static/"

// staticFiles expires what no running release has written for 100 days. nginx writes the files of its release again every week, so
// they stay for at least 90 days after the release has stopped. Copies that were written over need not be restored. Of two rules for
// one object S3 applies the shorter time (S3 guide, "How Amazon S3 handles conflicts in lifecycle configurations").
func staticFiles() *s3.BucketLifecycleConfigurationV2RuleArgs {
	return &s3.BucketLifecycleConfigurationV2RuleArgs{
		Id: pulumi.String("static-files"), Status: pulumi.String("Enabled"),
		Filter:                      &s3.BucketLifecycleConfigurationV2RuleFilterArgs{Prefix: pulumi.String(StaticPrefix)},
		Expiration:                  &s3.BucketLifecycleConfigurationV2RuleExpirationArgs{Days: pulumi.Int(100)},
		NoncurrentVersionExpiration: &s3.BucketLifecycleConfigurationV2RuleNoncurrentVersionExpirationArgs{NoncurrentDays: pulumi.Int(1)},
	}
}

// mediaGrants are the site's permissions for its media. The key encrypts other data too, so its use is limited to S3 and
// to this bucket: with a bucket key the encryption context is the bucket's ARN.
func mediaGrants(args *MediaArgs, bucketARN pulumi.StringOutput) []policy.Statement {
	return []policy.Statement{
		{
			Sid:       "ListMedia",
			Actions:   []string{"s3:ListBucket"},
			Resources: []any{bucketARN},
		},
		{
			Sid:       "KeepMedia",
			Actions:   []string{"s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject"},
			Resources: []any{pulumi.Sprintf("%s/*", bucketARN)},
		},
		{
			Sid:       "EncryptMedia",
			Actions:   []string{"kms:Decrypt", "kms:GenerateDataKey"},
			Resources: []any{args.KeyARN},
			Conditions: map[string]map[string]any{"StringEquals": {
				"kms:ViaService":                   fmt.Sprintf("s3.%s.amazonaws.com", args.Site.Region),
				"kms:EncryptionContext:aws:s3:arn": bucketARN,
			}},
		},
	}
}
