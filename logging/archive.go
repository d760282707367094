// Package logging stores the site's logs: log groups for recent logs, Kinesis Firehose to S3 for long retention, alarms,
// and a dashboard.
//
// CloudWatch Logs costs $0.50 per GB ingested (us-east-1, from memory) and Firehose $0.029: the FireLens route bypasses
// CloudWatch Logs for that reason, at the price of losing `aws logs tail`.
package logging

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/s3"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/bucket"
	"slipway/internal/policy"
	"slipway/internal/wiring"
)

const archiveType = "slipway:logging:Archive"

// ArchiveArgs describe an Archive.
type ArchiveArgs struct {
	Site        wiring.Site
	KeyARN      pulumi.StringInput // encrypts the log bucket
	ArchiveDays int                // retention of archived logs
}

// regretDays is how long S3 still stores archived logs after they expired, or after someone deleted them. Nothing overwrites
// them, so old versions only exist to undo a deletion.
const regretDays = 7

// An Archive is two buckets for logs: Logs for the logs of the site and its services (encrypted with the key, in cold
// storage after 30 days, deleted after ArchiveDays), Access for the access logs that the balancer and S3 deliver. AWS
// delivers access logs only to a bucket with SSE-S3, which is why there are two. Both are versioned: what expires or is deleted
// stays restorable, and billed, for another week, so logs are gone after ArchiveDays and 7 days.
//
// Protected stacks keep both on destroy. Cost: $0.023 per GB-month at first, $0.004 in cold storage (from memory). S3 leaves
// objects below 128 KB in standard storage (S3 guide, "Transitioning objects using Amazon S3 Lifecycle", constraints), which is
// most objects of a small site.
// Renaming the stack replaces both.
type Archive struct {
	pulumi.ResourceState
	Logs   *bucket.Private
	Access *bucket.Private
}

// NewArchive creates the archive.
func NewArchive(ctx *pulumi.Context, name string, args *ArchiveArgs, opts ...pulumi.ResourceOption) (*Archive, error) {
	a := &Archive{}
	if err := ctx.RegisterComponentResource(archiveType, name, a, opts...); err != nil {
		return nil, err
	}
	var err error
	a.Access, err = bucket.New(ctx, name+"-access", &bucket.Args{
		Site: args.Site, Part: "access",
		Delivery: func(arn pulumi.StringOutput) []policy.Statement { return deliverAccessLogs(args.Site, arn) },
		Rules:    coldThenGone(args.ArchiveDays), OldVersionDays: regretDays,
	}, pulumi.Parent(a))
	if err != nil {
		return nil, err
	}
	a.Logs, err = bucket.New(ctx, name+"-logs", &bucket.Args{
		Site: args.Site, Part: "logs",
		KeyARN: args.KeyARN,
		Rules:  coldThenGone(args.ArchiveDays), OldVersionDays: regretDays,
		AccessLogs: a.Access,
	}, pulumi.Parent(a))
	if err != nil {
		return nil, err
	}
	return a, ctx.RegisterResourceOutputs(a, pulumi.Map{"logs": a.Logs.Name, "access": a.Access.Name})
}

// deliverAccessLogs lets the balancer write to alb/ and S3 to s3/, for this account only.
//
// The balancer's statement has no condition, as in the guide "Access logs for your Application Load Balancer": its path
// holds the account. With aws:SourceArn, AWS has answered "Access Denied for bucket". S3's statement is that of the S3
// guide, "Enabling Amazon S3 server access logging", with the buckets of this stack as sources.
func deliverAccessLogs(site wiring.Site, bucketARN pulumi.StringOutput) []policy.Statement {
	return []policy.Statement{{
		Sid:        "BalancerAccessLogs",
		Principals: map[string][]any{"Service": {"logdelivery.elasticloadbalancing.amazonaws.com"}},
		Actions:    []string{"s3:PutObject"},
		Resources:  []any{pulumi.Sprintf("%s/alb/AWSLogs/%s/*", bucketARN, site.AccountID)},
	}, {
		Sid:        "S3AccessLogs",
		Principals: map[string][]any{"Service": {"logging.s3.amazonaws.com"}},
		Actions:    []string{"s3:PutObject"},
		Resources:  []any{pulumi.Sprintf("%s/s3/*", bucketARN)},
		Conditions: policy.From(site.AccountID, fmt.Sprintf("arn:%s:s3:::%s", site.Partition, site.Name("*"))),
	}}
}

// coldThenGone is the lifecycle of archived logs. Glacier Instant Retrieval bills at least 90 days, so logs that are
// deleted sooner stay in standard storage.
func coldThenGone(days int) []s3.BucketLifecycleConfigurationV2RuleInput {
	rule := &s3.BucketLifecycleConfigurationV2RuleArgs{
		Id: pulumi.String("cold-then-gone"), Status: pulumi.String("Enabled"),
		Filter:     &s3.BucketLifecycleConfigurationV2RuleFilterArgs{Prefix: pulumi.String("")},
		Expiration: &s3.BucketLifecycleConfigurationV2RuleExpirationArgs{Days: pulumi.Int(days)},
	}
	if days >= 120 {
		rule.Transitions = s3.BucketLifecycleConfigurationV2RuleTransitionArray{
			&s3.BucketLifecycleConfigurationV2RuleTransitionArgs{Days: pulumi.Int(30), StorageClass: pulumi.String("GLACIER_IR")},
		}
	}
	return []s3.BucketLifecycleConfigurationV2RuleInput{rule}
}
