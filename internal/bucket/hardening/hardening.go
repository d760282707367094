// Package hardening describes a private S3 bucket as values. A stack's buckets (internal/bucket) and the bucket of its state
// (bootstrap) are created through different APIs; both have these settings.
package hardening

// A Bucket holds the settings of a private bucket, in the words of S3's API.
type Bucket struct {
	PublicAccess PublicAccess
	Ownership    string // of objects: it decides whether ACLs count
	Encryption   string // the algorithm of new objects, unless the request names another
	BucketKey    bool   // one data key per bucket instead of one per object: fewer calls to KMS
	Versioning   string
	Lifecycle    []Rule
}

// A PublicAccess is the four switches of S3's public access block.
type PublicAccess struct{ BlockACLs, IgnoreACLs, BlockPolicy, Restrict bool }

// A Rule is a lifecycle rule for all objects. Zero days: it does not do that.
type Rule struct {
	ID               string
	OldVersionDays   int // how long an overwritten or deleted version is kept
	BrokenUploadDays int // when an incomplete multipart upload is removed
}

// The values that turn settings on.
const (
	Enabled   = "Enabled"             // of versioning and of a lifecycle rule
	OwnerOnly = "BucketOwnerEnforced" // of Ownership: ACLs are off
	WithKMS   = "aws:kms"             // of Encryption: with a KMS key
	WithS3    = "AES256"              // of Encryption: with S3's own keys
)

// Settings are the settings of a private bucket whose objects are encrypted with a KMS key, or with S3's own keys.
func Settings(kms bool) Bucket {
	b := Bucket{
		PublicAccess: PublicAccess{BlockACLs: true, IgnoreACLs: true, BlockPolicy: true, Restrict: true},
		Ownership:    OwnerOnly,
		Encryption:   WithS3,
		Versioning:   Enabled,
		Lifecycle:    []Rule{{ID: "broken-uploads", BrokenUploadDays: 7}, {ID: "old-versions", OldVersionDays: 90}},
	}
	if kms {
		b.Encryption, b.BucketKey = WithKMS, true
	}
	return b
}
