package awsaccount

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"slipway/bootstrap"
)

// A Bootstrap is an AWS account to which a bootstrap.Spec is applied, with the credentials of the caller.
type Bootstrap struct {
	s3  *s3.Client
	kms *kms.Client
	iam *iam.Client
}

// NewBootstrap is the account of these credentials.
func NewBootstrap(settings aws.Config) *Bootstrap {
	return &Bootstrap{
		s3: s3Client(settings), kms: kms.NewFromConfig(settings), iam: iam.NewFromConfig(settings),
	}
}

// s3Client names buckets in the path where the endpoint is not AWS's own.
func s3Client(settings aws.Config) *s3.Client {
	return s3.NewFromConfig(settings, func(o *s3.Options) {
		o.UsePathStyle = os.Getenv("AWS_ENDPOINT_URL") != "" || os.Getenv("AWS_ENDPOINT_URL_S3") != ""
	})
}

// madeBy is the tag of what bootstrap makes.
const madeBy, byBootstrap = "slipway:made-by", "bootstrap"

// is says whether an error has one of these codes.
func is(err error, codes ...string) bool {
	var api smithy.APIError
	return errors.As(err, &api) && slices.Contains(codes, api.ErrorCode())
}

func status(err error) int {
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) {
		return response.HTTPStatusCode()
	}
	return 0
}

// DataKey makes the key that encrypts the stack's secrets, and gives it encrypted by the KMS key, in base64, as Pulumi
// keeps it in Pulumi.<stack>.yaml. It is never shown in plain text: who may use the KMS key can decrypt it.
func (g *Bootstrap) DataKey(ctx context.Context, keyARN string) (string, error) {
	made, err := g.kms.GenerateDataKeyWithoutPlaintext(ctx, &kms.GenerateDataKeyWithoutPlaintextInput{
		KeyId: &keyARN, KeySpec: kmstypes.DataKeySpecAes256,
	})
	if err != nil {
		return "", fmt.Errorf("a data key of %s: %w", keyARN, err)
	}
	return base64.StdEncoding.EncodeToString(made.CiphertextBlob), nil
}

// Key implements bootstrap.Account.
func (g *Bootstrap) Key(f *bootstrap.Spec) bootstrap.Resource {
	describe := func(ctx context.Context, id string) (*kmstypes.KeyMetadata, error) {
		found, err := g.kms.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: &id})
		if err != nil {
			return nil, err
		}
		return found.KeyMetadata, nil
	}
	return bootstrap.Resource{
		What: "the key", Name: f.Alias,
		Find: func(ctx context.Context) (string, error) {
			key, err := describe(ctx, f.Alias)
			switch {
			case err == nil:
				return aws.ToString(key.Arn), nil
			case !is(err, "NotFoundException"):
				return "", err
			}
			return g.nameless(ctx, f, describe)
		},
		Make: func(ctx context.Context) (string, error) {
			made, err := g.kms.CreateKey(ctx, &kms.CreateKeyInput{
				Description: aws.String(f.KeyDescription()), Policy: aws.String(f.KeyPolicy()),
				Tags: []kmstypes.Tag{{TagKey: aws.String(madeBy), TagValue: aws.String(byBootstrap)}},
			})
			if err != nil {
				return "", err
			}
			return aws.ToString(made.KeyMetadata.Arn), nil
		},
		Settings: []bootstrap.Setting{
			{Name: "its deletion", Holds: func(ctx context.Context, id string) (bool, error) {
				key, err := describe(ctx, id)
				return err == nil && key.KeyState != kmstypes.KeyStatePendingDeletion, err
			}, Set: func(ctx context.Context, id string) error {
				_, err := g.kms.CancelKeyDeletion(ctx, &kms.CancelKeyDeletionInput{KeyId: &id})
				return err
			}},
			{Name: "it was disabled", Holds: func(ctx context.Context, id string) (bool, error) {
				key, err := describe(ctx, id)
				return err == nil && key.Enabled, err
			}, Set: func(ctx context.Context, id string) error {
				_, err := g.kms.EnableKey(ctx, &kms.EnableKeyInput{KeyId: &id})
				return err
			}},
			{Name: "alias", Holds: func(ctx context.Context, id string) (bool, error) {
				key, err := describe(ctx, f.Alias)
				if is(err, "NotFoundException") {
					return false, nil
				}
				return err == nil && aws.ToString(key.Arn) == id, err
			}, Set: func(ctx context.Context, id string) error {
				_, err := g.kms.CreateAlias(ctx, &kms.CreateAliasInput{AliasName: &f.Alias, TargetKeyId: &id})
				return err
			}},
			{Name: "rotation", Holds: func(ctx context.Context, id string) (bool, error) {
				found, err := g.kms.GetKeyRotationStatus(ctx, &kms.GetKeyRotationStatusInput{KeyId: &id})
				return err == nil && found.KeyRotationEnabled, err
			}, Set: func(ctx context.Context, id string) error {
				_, err := g.kms.EnableKeyRotation(ctx, &kms.EnableKeyRotationInput{KeyId: &id})
				return err
			}},
			{Name: "policy", Holds: func(ctx context.Context, id string) (bool, error) {
				found, err := g.kms.GetKeyPolicy(ctx, &kms.GetKeyPolicyInput{KeyId: &id, PolicyName: aws.String("default")})
				return err == nil && bootstrap.SameJSON(aws.ToString(found.Policy), f.KeyPolicy()), err
			}, Set: func(ctx context.Context, id string) error {
				_, err := g.kms.PutKeyPolicy(ctx, &kms.PutKeyPolicyInput{KeyId: &id, PolicyName: aws.String("default"), Policy: aws.String(f.KeyPolicy())})
				return err
			}},
		},
	}
}

// nameless looks for the key of a run that was killed before the key had its alias.
func (g *Bootstrap) nameless(ctx context.Context, f *bootstrap.Spec, describe func(context.Context, string) (*kmstypes.KeyMetadata, error)) (string, error) {
	for pages := kms.NewListKeysPaginator(g.kms, nil); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return "", err
		}
		for _, listed := range page.Keys {
			key, err := describe(ctx, aws.ToString(listed.KeyArn))
			if err != nil { // a key that others keep to themselves
				continue
			}
			if aws.ToString(key.Description) == f.KeyDescription() && key.Enabled {
				return aws.ToString(key.Arn), nil
			}
		}
	}
	return "", nil
}

// Bucket implements bootstrap.Account.
func (g *Bootstrap) Bucket(f *bootstrap.Spec, keyARN string) bootstrap.Resource {
	owner := &f.Account
	return bootstrap.Resource{
		What: "the bucket", Name: f.Bucket,
		Find: func(ctx context.Context) (string, error) {
			_, err := g.s3.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &f.Bucket, ExpectedBucketOwner: owner})
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
			in := &s3.CreateBucketInput{Bucket: &f.Bucket, ObjectOwnership: s3types.ObjectOwnershipBucketOwnerEnforced}
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
			{Name: "public access block", Holds: func(ctx context.Context, _ string) (bool, error) {
				found, err := g.s3.GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: &f.Bucket, ExpectedBucketOwner: owner})
				if is(err, "NoSuchPublicAccessBlockConfiguration") {
					return false, nil
				}
				if err != nil {
					return false, err
				}
				is := found.PublicAccessBlockConfiguration
				return aws.ToBool(is.BlockPublicAcls) && aws.ToBool(is.BlockPublicPolicy) && aws.ToBool(is.IgnorePublicAcls) && aws.ToBool(is.RestrictPublicBuckets), nil
			}, Set: func(ctx context.Context, _ string) error {
				yes := aws.Bool(true)
				_, err := g.s3.PutPublicAccessBlock(ctx, &s3.PutPublicAccessBlockInput{Bucket: &f.Bucket, ExpectedBucketOwner: owner,
					PublicAccessBlockConfiguration: &s3types.PublicAccessBlockConfiguration{
						BlockPublicAcls: yes, BlockPublicPolicy: yes, IgnorePublicAcls: yes, RestrictPublicBuckets: yes}})
				return err
			}},
			{Name: "ownership", Holds: func(ctx context.Context, _ string) (bool, error) {
				found, err := g.s3.GetBucketOwnershipControls(ctx, &s3.GetBucketOwnershipControlsInput{Bucket: &f.Bucket, ExpectedBucketOwner: owner})
				if is(err, "OwnershipControlsNotFoundError") {
					return false, nil
				}
				return err == nil && len(found.OwnershipControls.Rules) == 1 &&
					found.OwnershipControls.Rules[0].ObjectOwnership == s3types.ObjectOwnershipBucketOwnerEnforced, err
			}, Set: func(ctx context.Context, _ string) error {
				_, err := g.s3.PutBucketOwnershipControls(ctx, &s3.PutBucketOwnershipControlsInput{Bucket: &f.Bucket, ExpectedBucketOwner: owner,
					OwnershipControls: &s3types.OwnershipControls{Rules: []s3types.OwnershipControlsRule{{ObjectOwnership: s3types.ObjectOwnershipBucketOwnerEnforced}}}})
				return err
			}},
			{Name: "encryption", Holds: func(ctx context.Context, _ string) (bool, error) {
				found, err := g.s3.GetBucketEncryption(ctx, &s3.GetBucketEncryptionInput{Bucket: &f.Bucket, ExpectedBucketOwner: owner})
				if is(err, "ServerSideEncryptionConfigurationNotFoundError") {
					return false, nil
				}
				if err != nil || len(found.ServerSideEncryptionConfiguration.Rules) != 1 {
					return false, err
				}
				rule := found.ServerSideEncryptionConfiguration.Rules[0]
				by := rule.ApplyServerSideEncryptionByDefault
				return by != nil && by.SSEAlgorithm == s3types.ServerSideEncryptionAwsKms && aws.ToString(by.KMSMasterKeyID) == keyARN &&
					aws.ToBool(rule.BucketKeyEnabled), nil
			}, Set: func(ctx context.Context, _ string) error {
				_, err := g.s3.PutBucketEncryption(ctx, &s3.PutBucketEncryptionInput{Bucket: &f.Bucket, ExpectedBucketOwner: owner,
					ServerSideEncryptionConfiguration: &s3types.ServerSideEncryptionConfiguration{Rules: []s3types.ServerSideEncryptionRule{{
						BucketKeyEnabled: aws.Bool(true),
						ApplyServerSideEncryptionByDefault: &s3types.ServerSideEncryptionByDefault{
							SSEAlgorithm: s3types.ServerSideEncryptionAwsKms, KMSMasterKeyID: &keyARN},
					}}}})
				return err
			}},
			{Name: "versioning", Holds: func(ctx context.Context, _ string) (bool, error) {
				found, err := g.s3.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: &f.Bucket, ExpectedBucketOwner: owner})
				return err == nil && found.Status == s3types.BucketVersioningStatusEnabled, err
			}, Set: func(ctx context.Context, _ string) error {
				_, err := g.s3.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{Bucket: &f.Bucket, ExpectedBucketOwner: owner,
					VersioningConfiguration: &s3types.VersioningConfiguration{Status: s3types.BucketVersioningStatusEnabled}})
				return err
			}},
			{Name: "lifecycle", Holds: func(ctx context.Context, _ string) (bool, error) {
				found, err := g.s3.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: &f.Bucket, ExpectedBucketOwner: owner})
				if is(err, "NoSuchLifecycleConfiguration") {
					return false, nil
				}
				return err == nil && slices.ContainsFunc(found.Rules, func(r s3types.LifecycleRule) bool {
					return r.Status == s3types.ExpirationStatusEnabled && r.NoncurrentVersionExpiration != nil &&
						aws.ToInt32(r.NoncurrentVersionExpiration.NoncurrentDays) == bootstrap.OldVersionDays
				}), err
			}, Set: func(ctx context.Context, _ string) error {
				_, err := g.s3.PutBucketLifecycleConfiguration(ctx, &s3.PutBucketLifecycleConfigurationInput{Bucket: &f.Bucket, ExpectedBucketOwner: owner,
					LifecycleConfiguration: &s3types.BucketLifecycleConfiguration{Rules: []s3types.LifecycleRule{{
						ID: aws.String("old-versions"), Status: s3types.ExpirationStatusEnabled, Filter: &s3types.LifecycleRuleFilter{Prefix: aws.String("")},
						NoncurrentVersionExpiration:    &s3types.NoncurrentVersionExpiration{NoncurrentDays: aws.Int32(bootstrap.OldVersionDays)},
						AbortIncompleteMultipartUpload: &s3types.AbortIncompleteMultipartUpload{DaysAfterInitiation: aws.Int32(7)},
					}}}})
				return err
			}},
			{Name: "policy", Holds: func(ctx context.Context, _ string) (bool, error) {
				found, err := g.s3.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: &f.Bucket, ExpectedBucketOwner: owner})
				if is(err, "NoSuchBucketPolicy") {
					return false, nil
				}
				return err == nil && bootstrap.SameJSON(aws.ToString(found.Policy), f.BucketPolicy()), err
			}, Set: func(ctx context.Context, _ string) error {
				_, err := g.s3.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: &f.Bucket, ExpectedBucketOwner: owner, Policy: aws.String(f.BucketPolicy())})
				return err
			}},
		},
	}
}

// Provider implements bootstrap.Account. An account has one provider for GitHub at most, so an existing one is used, no matter who created
// it.
func (g *Bootstrap) Provider(_ *bootstrap.Spec, trusted *bootstrap.Role) bootstrap.Resource {
	arn := &trusted.ProviderARN
	const audience = "sts.amazonaws.com"
	get := func(ctx context.Context) (*iam.GetOpenIDConnectProviderOutput, error) {
		return g.iam.GetOpenIDConnectProvider(ctx, &iam.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: arn})
	}
	return bootstrap.Resource{
		What: "the OIDC provider", Name: *arn,
		Find: func(ctx context.Context) (string, error) {
			_, err := get(ctx)
			if is(err, "NoSuchEntity", "NoSuchEntityException") {
				return "", nil
			}
			return *arn, err
		},
		Make: func(ctx context.Context) (string, error) {
			made, err := g.iam.CreateOpenIDConnectProvider(ctx, &iam.CreateOpenIDConnectProviderInput{
				Url: aws.String("https://" + trusted.Issuer), ClientIDList: []string{audience},
			})
			if err != nil {
				return "", err
			}
			return aws.ToString(made.OpenIDConnectProviderArn), nil
		},
		Settings: []bootstrap.Setting{{Name: "audience " + audience, Holds: func(ctx context.Context, _ string) (bool, error) {
			found, err := get(ctx)
			return err == nil && slices.Contains(found.ClientIDList, audience), err
		}, Set: func(ctx context.Context, _ string) error {
			_, err := g.iam.AddClientIDToOpenIDConnectProvider(ctx, &iam.AddClientIDToOpenIDConnectProviderInput{
				OpenIDConnectProviderArn: arn, ClientID: aws.String(audience)})
			return err
		}}},
	}
}

// Role implements bootstrap.Account.
func (g *Bootstrap) Role(f *bootstrap.Spec, role *bootstrap.Role) bootstrap.Resource {
	name := &role.Name
	get := func(ctx context.Context) (*iamtypes.Role, error) {
		found, err := g.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: name})
		if err != nil {
			return nil, err
		}
		return found.Role, nil
	}
	thing := bootstrap.Resource{
		What: role.What, Name: *name,
		Find: func(ctx context.Context) (string, error) {
			there, err := get(ctx)
			if is(err, "NoSuchEntity", "NoSuchEntityException") {
				return "", nil
			}
			if err != nil {
				return "", err
			}
			if !slices.ContainsFunc(there.Tags, func(t iamtypes.Tag) bool {
				return aws.ToString(t.Key) == madeBy && aws.ToString(t.Value) == byBootstrap
			}) {
				return "", errors.New("it is there, but bootstrap did not make it; it is left alone. If the stack itself made it, take " +
					"slipway:github out of its file, run up, put it back and bootstrap again")
			}
			return aws.ToString(there.Arn), nil
		},
		Make: func(ctx context.Context) (string, error) {
			made, err := g.iam.CreateRole(ctx, &iam.CreateRoleInput{
				RoleName: name, Description: &role.Description, AssumeRolePolicyDocument: &role.Trust, MaxSessionDuration: &role.SessionSeconds,
				Tags: []iamtypes.Tag{{Key: aws.String(madeBy), Value: aws.String(byBootstrap)}},
			})
			if err != nil {
				return "", err
			}
			return aws.ToString(made.Role.Arn), nil
		},
		Settings: []bootstrap.Setting{
			{Name: "trust", Holds: func(ctx context.Context, _ string) (bool, error) {
				there, err := get(ctx)
				if err != nil {
					return false, err
				}
				return bootstrap.SameJSON(decoded(there.AssumeRolePolicyDocument), role.Trust), nil
			}, Set: func(ctx context.Context, _ string) error {
				_, err := g.iam.UpdateAssumeRolePolicy(ctx, &iam.UpdateAssumeRolePolicyInput{RoleName: name, PolicyDocument: &role.Trust})
				return err
			}},
			{Name: "session", Holds: func(ctx context.Context, _ string) (bool, error) {
				there, err := get(ctx)
				return err == nil && aws.ToInt32(there.MaxSessionDuration) == role.SessionSeconds, err
			}, Set: func(ctx context.Context, _ string) error {
				_, err := g.iam.UpdateRole(ctx, &iam.UpdateRoleInput{RoleName: name, MaxSessionDuration: &role.SessionSeconds, Description: &role.Description})
				return err
			}},
		},
	}
	for _, p := range role.Policies {
		arn := f.PolicyARN(p)
		thing.Settings = append(thing.Settings, g.says(arn, p), g.attached(arn, role, p))
	}
	return thing
}

// Boundary implements bootstrap.Account.
func (g *Bootstrap) Boundary(f *bootstrap.Spec) bootstrap.Resource {
	arn := f.PolicyARN(*f.Boundary)
	says := g.says(arn, *f.Boundary)
	return bootstrap.Resource{
		What: "the permissions boundary", Name: f.Boundary.Name,
		Find: func(ctx context.Context) (string, error) {
			_, err := g.iam.GetPolicy(ctx, &iam.GetPolicyInput{PolicyArn: &arn})
			if is(err, "NoSuchEntity", "NoSuchEntityException") {
				return "", nil
			}
			return arn, err
		},
		Make:     func(ctx context.Context) (string, error) { return arn, says.Set(ctx, arn) },
		Settings: []bootstrap.Setting{says},
	}
}

// decoded is a policy document as IAM gives it: percent-encoded.
func decoded(document *string) string {
	text, err := url.PathUnescape(aws.ToString(document))
	if err != nil {
		return ""
	}
	return text
}

// says is that a managed policy is there and says what it must.
func (g *Bootstrap) says(arn string, p bootstrap.Policy) bootstrap.Setting {
	return bootstrap.Setting{Name: "policy " + p.Name, Holds: func(ctx context.Context, _ string) (bool, error) {
		found, err := g.iam.GetPolicy(ctx, &iam.GetPolicyInput{PolicyArn: &arn})
		if is(err, "NoSuchEntity", "NoSuchEntityException") {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		version, err := g.iam.GetPolicyVersion(ctx, &iam.GetPolicyVersionInput{PolicyArn: &arn, VersionId: found.Policy.DefaultVersionId})
		return err == nil && bootstrap.SameJSON(decoded(version.PolicyVersion.Document), p.Document), err
	}, Set: func(ctx context.Context, _ string) error {
		_, err := g.iam.CreatePolicy(ctx, &iam.CreatePolicyInput{PolicyName: &p.Name, Description: &p.Description, PolicyDocument: &p.Document})
		if !is(err, "EntityAlreadyExists", "EntityAlreadyExistsException") {
			return err
		}
		if err := g.makeRoom(ctx, arn); err != nil {
			return err
		}
		_, err = g.iam.CreatePolicyVersion(ctx, &iam.CreatePolicyVersionInput{PolicyArn: &arn, PolicyDocument: &p.Document, SetAsDefault: true})
		return err
	}}
}

// attached is that a role has a managed policy.
func (g *Bootstrap) attached(arn string, role *bootstrap.Role, p bootstrap.Policy) bootstrap.Setting {
	return bootstrap.Setting{Name: "attachment of " + p.Name, Holds: func(ctx context.Context, _ string) (bool, error) {
		for pages := iam.NewListAttachedRolePoliciesPaginator(g.iam, &iam.ListAttachedRolePoliciesInput{RoleName: &role.Name}); pages.HasMorePages(); {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return false, err
			}
			if slices.ContainsFunc(page.AttachedPolicies, func(a iamtypes.AttachedPolicy) bool { return aws.ToString(a.PolicyArn) == arn }) {
				return true, nil
			}
		}
		return false, nil
	}, Set: func(ctx context.Context, _ string) error {
		_, err := g.iam.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: &role.Name, PolicyArn: &arn})
		return err
	}}
}

// makeRoom deletes the oldest version of a policy that has as many as IAM keeps.
func (g *Bootstrap) makeRoom(ctx context.Context, arn string) error {
	const most = 5
	found, err := g.iam.ListPolicyVersions(ctx, &iam.ListPolicyVersionsInput{PolicyArn: &arn})
	if err != nil || len(found.Versions) < most {
		return err
	}
	old := slices.DeleteFunc(found.Versions, func(v iamtypes.PolicyVersion) bool { return v.IsDefaultVersion })
	oldest := slices.MinFunc(old, func(a, b iamtypes.PolicyVersion) int {
		return aws.ToTime(a.CreateDate).Compare(aws.ToTime(b.CreateDate))
	})
	_, err = g.iam.DeletePolicyVersion(ctx, &iam.DeletePolicyVersionInput{PolicyArn: &arn, VersionId: oldest.VersionId})
	return err
}
