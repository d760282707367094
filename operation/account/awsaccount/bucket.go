package awsaccount

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"slipway/bootstrap"
	"slipway/internal/bucket/hardening"
)

// Bucket implements bootstrap.Account.
func (g *Bootstrap) Bucket(f *bootstrap.Spec, keyARN string) bootstrap.Resource {
	return bootstrap.Resource{
		What: "the bucket", Name: f.Bucket,
		Find: func(ctx context.Context) (string, error) {
			_, err := g.s3.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &f.Bucket, ExpectedBucketOwner: &f.Account})
			switch status(err) {
			case 404:
				return "", nil
			case 403:
				return "", fmt.Errorf("it belongs to another account than %s, or is closed to you; it is left alone: %w", f.Account, err)
			case 301:
				return "", fmt.Errorf("it lies in another region than %s; it is left alone: %w", f.Region, err)
			}
			return f.Bucket, err
		},
		Make: func(ctx context.Context) (string, error) {
			in := &s3.CreateBucketInput{Bucket: &f.Bucket, ObjectOwnership: s3types.ObjectOwnership(f.Hardening().Ownership)}
			if f.Region != "us-east-1" {
				in.CreateBucketConfiguration = &s3types.CreateBucketConfiguration{LocationConstraint: s3types.BucketLocationConstraint(f.Region)}
			}
			_, err := g.s3.CreateBucket(ctx, in)
			if is(err, "BucketAlreadyOwnedByYou") {
				err = nil
			}
			return f.Bucket, err
		},
		Settings: []bootstrap.Setting{
			g.publicAccessBlock(f), g.ownership(f), g.encryption(f, keyARN),
			g.versioning(f), g.lifecycle(f), g.bucketPolicy(f),
		},
	}
}

// publicAccessBlock blocks public access by policies and access lists.
func (g *Bootstrap) publicAccessBlock(f *bootstrap.Spec) bootstrap.Setting {
	return bootstrap.Setting{Name: "public access block", Holds: func(ctx context.Context, _ string) (bool, error) {
		found, err := g.s3.GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: &f.Bucket, ExpectedBucketOwner: &f.Account})
		if is(err, "NoSuchPublicAccessBlockConfiguration") {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		is := found.PublicAccessBlockConfiguration
		return hardening.PublicAccess{
			BlockACLs: aws.ToBool(is.BlockPublicAcls), IgnoreACLs: aws.ToBool(is.IgnorePublicAcls),
			BlockPolicy: aws.ToBool(is.BlockPublicPolicy), Restrict: aws.ToBool(is.RestrictPublicBuckets),
		} == f.Hardening().PublicAccess, nil
	}, Set: func(ctx context.Context, _ string) error {
		want := f.Hardening().PublicAccess
		_, err := g.s3.PutPublicAccessBlock(ctx, &s3.PutPublicAccessBlockInput{Bucket: &f.Bucket, ExpectedBucketOwner: &f.Account,
			PublicAccessBlockConfiguration: &s3types.PublicAccessBlockConfiguration{
				BlockPublicAcls: &want.BlockACLs, IgnorePublicAcls: &want.IgnoreACLs,
				BlockPublicPolicy: &want.BlockPolicy, RestrictPublicBuckets: &want.Restrict}})
		return err
	}}
}

// ownership turns access lists off.
func (g *Bootstrap) ownership(f *bootstrap.Spec) bootstrap.Setting {
	return bootstrap.Setting{Name: "ownership", Holds: func(ctx context.Context, _ string) (bool, error) {
		found, err := g.s3.GetBucketOwnershipControls(ctx,
			&s3.GetBucketOwnershipControlsInput{Bucket: &f.Bucket, ExpectedBucketOwner: &f.Account})
		if is(err, "OwnershipControlsNotFoundError") {
			return false, nil
		}
		return err == nil && len(found.OwnershipControls.Rules) == 1 &&
			found.OwnershipControls.Rules[0].ObjectOwnership == s3types.ObjectOwnership(f.Hardening().Ownership), err
	}, Set: func(ctx context.Context, _ string) error {
		_, err := g.s3.PutBucketOwnershipControls(ctx, &s3.PutBucketOwnershipControlsInput{Bucket: &f.Bucket, ExpectedBucketOwner: &f.Account,
			OwnershipControls: &s3types.OwnershipControls{Rules: []s3types.OwnershipControlsRule{{
				ObjectOwnership: s3types.ObjectOwnership(f.Hardening().Ownership)}}}})
		return err
	}}
}

// encryption is with the key, by default and with a bucket key.
func (g *Bootstrap) encryption(f *bootstrap.Spec, keyARN string) bootstrap.Setting {
	return bootstrap.Setting{Name: "encryption", Holds: func(ctx context.Context, _ string) (bool, error) {
		found, err := g.s3.GetBucketEncryption(ctx, &s3.GetBucketEncryptionInput{Bucket: &f.Bucket, ExpectedBucketOwner: &f.Account})
		if is(err, "ServerSideEncryptionConfigurationNotFoundError") {
			return false, nil
		}
		if err != nil || len(found.ServerSideEncryptionConfiguration.Rules) != 1 {
			return false, err
		}
		rule := found.ServerSideEncryptionConfiguration.Rules[0]
		by := rule.ApplyServerSideEncryptionByDefault
		want := f.Hardening()
		return by != nil && string(by.SSEAlgorithm) == want.Encryption && aws.ToString(by.KMSMasterKeyID) == keyARN &&
			aws.ToBool(rule.BucketKeyEnabled) == want.BucketKey, nil
	}, Set: func(ctx context.Context, _ string) error {
		want := f.Hardening()
		_, err := g.s3.PutBucketEncryption(ctx, &s3.PutBucketEncryptionInput{Bucket: &f.Bucket, ExpectedBucketOwner: &f.Account,
			ServerSideEncryptionConfiguration: &s3types.ServerSideEncryptionConfiguration{Rules: []s3types.ServerSideEncryptionRule{{
				BucketKeyEnabled: &want.BucketKey,
				ApplyServerSideEncryptionByDefault: &s3types.ServerSideEncryptionByDefault{
					SSEAlgorithm: s3types.ServerSideEncryption(want.Encryption), KMSMasterKeyID: &keyARN},
			}}}})
		return err
	}}
}

// versioning keeps every state that is overwritten.
func (g *Bootstrap) versioning(f *bootstrap.Spec) bootstrap.Setting {
	return bootstrap.Setting{Name: "versioning", Holds: func(ctx context.Context, _ string) (bool, error) {
		found, err := g.s3.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: &f.Bucket, ExpectedBucketOwner: &f.Account})
		return err == nil && string(found.Status) == f.Hardening().Versioning, err
	}, Set: func(ctx context.Context, _ string) error {
		_, err := g.s3.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{Bucket: &f.Bucket, ExpectedBucketOwner: &f.Account,
			VersioningConfiguration: &s3types.VersioningConfiguration{Status: s3types.BucketVersioningStatus(f.Hardening().Versioning)}})
		return err
	}}
}

// lifecycle removes old versions and incomplete uploads. Further rules do no harm, and one rule may do what two are asked for.
func (g *Bootstrap) lifecycle(f *bootstrap.Spec) bootstrap.Setting {
	return bootstrap.Setting{Name: "lifecycle", Holds: func(ctx context.Context, _ string) (bool, error) {
		found, err := g.s3.GetBucketLifecycleConfiguration(ctx,
			&s3.GetBucketLifecycleConfigurationInput{Bucket: &f.Bucket, ExpectedBucketOwner: &f.Account})
		if is(err, "NoSuchLifecycleConfiguration") {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		return !slices.ContainsFunc(f.Hardening().Lifecycle, func(want hardening.Rule) bool {
			return !slices.ContainsFunc(found.Rules, func(r s3types.LifecycleRule) bool { return does(r, want) })
		}), nil
	}, Set: func(ctx context.Context, _ string) error {
		var rules []s3types.LifecycleRule
		for _, want := range f.Hardening().Lifecycle {
			rules = append(rules, lifecycleRule(want))
		}
		_, err := g.s3.PutBucketLifecycleConfiguration(ctx, &s3.PutBucketLifecycleConfigurationInput{Bucket: &f.Bucket,
			ExpectedBucketOwner: &f.Account, LifecycleConfiguration: &s3types.BucketLifecycleConfiguration{Rules: rules}})
		return err
	}}
}

// does says whether a rule of the bucket does what is wanted.
func does(r s3types.LifecycleRule, want hardening.Rule) bool {
	var has hardening.Rule
	if e := r.NoncurrentVersionExpiration; e != nil {
		has.OldVersionDays = int(aws.ToInt32(e.NoncurrentDays))
	}
	if a := r.AbortIncompleteMultipartUpload; a != nil {
		has.BrokenUploadDays = int(aws.ToInt32(a.DaysAfterInitiation))
	}
	return string(r.Status) == hardening.Enabled && (want.OldVersionDays == 0 || has.OldVersionDays == want.OldVersionDays) &&
		(want.BrokenUploadDays == 0 || has.BrokenUploadDays == want.BrokenUploadDays)
}

func lifecycleRule(want hardening.Rule) s3types.LifecycleRule {
	r := s3types.LifecycleRule{
		ID: &want.ID, Status: s3types.ExpirationStatus(hardening.Enabled), Filter: &s3types.LifecycleRuleFilter{Prefix: aws.String("")},
	}
	if want.OldVersionDays > 0 {
		r.NoncurrentVersionExpiration = &s3types.NoncurrentVersionExpiration{NoncurrentDays: aws.Int32(int32(want.OldVersionDays))}
	}
	if want.BrokenUploadDays > 0 {
		r.AbortIncompleteMultipartUpload = &s3types.AbortIncompleteMultipartUpload{DaysAfterInitiation: aws.Int32(int32(want.BrokenUploadDays))}
	}
	return r
}

// bucketPolicy denies requests without TLS, and lets other accounts read the releases.
func (g *Bootstrap) bucketPolicy(f *bootstrap.Spec) bootstrap.Setting {
	return bootstrap.Setting{Name: "policy", Holds: func(ctx context.Context, _ string) (bool, error) {
		found, err := g.s3.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: &f.Bucket, ExpectedBucketOwner: &f.Account})
		if is(err, "NoSuchBucketPolicy") {
			return false, nil
		}
		return err == nil && bootstrap.SameJSON(aws.ToString(found.Policy), f.BucketPolicy()), err
	}, Set: func(ctx context.Context, _ string) error {
		_, err := g.s3.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: &f.Bucket, ExpectedBucketOwner: &f.Account,
			Policy: aws.String(f.BucketPolicy())})
		return err
	}}
}
