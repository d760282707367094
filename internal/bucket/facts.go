package bucket

import (
	"fmt"

	"slipway/internal/catalog"
	"slipway/internal/policy"
	"slipway/internal/wiring"
)

// Facts are the facts about a private bucket. The deploy role keeps its settings; of its contents it has only what destroy
// needs in order to empty it. used says that roles of the stack read and write it. Each bucket is named by its part, because
// project-stack-* would also match the bucket that holds the state.
func Facts(site wiring.Site, part string, used bool) []catalog.Resource {
	arn := fmt.Sprintf("arn:%s:s3:::%s", site.Partition, site.Name(part+"-*"))
	keep := func(actions ...string) []catalog.Grant {
		return []catalog.Grant{{Area: "data", Statement: policy.Statement{Sid: "KeepBuckets", Actions: actions, Resources: []any{arn}}}}
	}
	const open = "others may read or write the bucket"
	const encryption = "new objects are encrypted differently, or not at all"
	of := func(token string, deploy []catalog.Grant, missing string, risks ...catalog.Risk) catalog.Resource {
		r := catalog.Resource{Type: token, Deploy: deploy, Missing: missing, Risks: risks, None: catalog.Inert}
		if missing != "" {
			r.None &^= catalog.Missing
		}
		if len(risks) == 0 {
			r.None |= catalog.Risks
		}
		return r
	}
	bucket := catalog.Resource{
		Type: "aws:s3/bucketV2:BucketV2",
		// The provider reads every setting of a bucket, also those that are resources of their own here.
		Deploy: append(keep("s3:CreateBucket", "s3:DeleteBucket", "s3:DeleteObject", "s3:DeleteObjectVersion",
			"s3:GetAccelerateConfiguration", "s3:GetBucketAcl", "s3:GetBucketCORS", "s3:GetBucketLogging",
			"s3:GetBucketObjectLockConfiguration", "s3:GetBucketPolicy", "s3:GetBucketRequestPayment", "s3:GetBucketTagging",
			"s3:GetBucketVersioning", "s3:GetBucketWebsite", "s3:GetEncryptionConfiguration", "s3:GetLifecycleConfiguration",
			"s3:GetReplicationConfiguration", "s3:ListBucket", "s3:ListBucketVersions", "s3:PutBucketTagging"),
			catalog.UseKey(site, "s3")),
		Mirrors: "its policy and its other settings",
		Risks: []catalog.Risk{
			{Path: `policy`, Why: open}, {Path: `grants|acl`, Why: open}, {Path: `serverSideEncryptionConfigurations`, Why: encryption},
		},
		Effects: []catalog.Effect{{Path: `forceDestroy`, Does: catalog.Loses, When: catalog.TurnedOn,
			Says: "it loses its protection: from then on its objects are deleted with it"}},
		Missing: "up creates an empty bucket; its objects are gone",
		Loss: catalog.Loss{Kind: "bucket", Order: 2, Says: "all that it holds is deleted", Holds: "object",
			Counted: "deleted with every old version"},
		None: catalog.Bound | catalog.AWSManaged | catalog.Alarms | catalog.Offers | catalog.Ports,
	}
	if used {
		bucket.None &^= catalog.Bound
		bucket.Bound = []policy.Statement{{ // what is in the buckets, not how they are set
			Sid: "UseBuckets",
			Actions: []string{
				"s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetBucketLocation", "s3:GetEncryptionConfiguration", "s3:GetObject",
				"s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:PutObject",
			},
			Resources: []any{arn},
		}}
	}
	lifecycle := of("aws:s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2",
		keep("s3:GetLifecycleConfiguration", "s3:PutLifecycleConfiguration"),
		"", catalog.Risk{Path: `rules`, Why: "objects are deleted sooner, or never"})
	lifecycle.Effects = []catalog.Effect{{Path: `rules\[\d+\]\.(expiration\.days|noncurrentVersionExpiration\.noncurrentDays)`,
		Does: catalog.Loses, When: catalog.Fewer, Says: "objects older than that are deleted"}}
	return []catalog.Resource{
		bucket, lifecycle,
		of("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", keep("s3:GetBucketPublicAccessBlock", "s3:PutBucketPublicAccessBlock"),
			"the bucket can be made public", catalog.Risk{Path: `.*`, Why: "the bucket can be made public", When: catalog.TurnedOff}),
		of("aws:s3/bucketPolicy:BucketPolicy", keep("s3:DeleteBucketPolicy", "s3:GetBucketPolicy", "s3:PutBucketPolicy"),
			"the bucket takes requests without TLS, and deliveries of logs are refused", catalog.Risk{Path: `policy`, Why: open}),
		of("aws:s3/bucketOwnershipControls:BucketOwnershipControls", keep("s3:GetBucketOwnershipControls", "s3:PutBucketOwnershipControls"),
			"", catalog.Risk{Path: `rule`, Why: "ACLs of single objects apply again"}),
		of("aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2",
			keep("s3:GetEncryptionConfiguration", "s3:PutEncryptionConfiguration"), "", catalog.Risk{Path: `rules`, Why: encryption}),
		of("aws:s3/bucketVersioningV2:BucketVersioningV2", keep("s3:GetBucketVersioning", "s3:PutBucketVersioning"),
			"", catalog.Risk{Path: `versioningConfiguration`, Why: "what is overwritten or deleted is lost"}),
		of("aws:s3/bucketLoggingV2:BucketLoggingV2", keep("s3:GetBucketLogging", "s3:PutBucketLogging"), ""),
	}
}
