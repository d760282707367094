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

// noSuchEntity are IAM's codes for an object that does not exist: the one of its API, and the name of the exception, which stand-ins
// for IAM send.
var noSuchEntity = []string{"NoSuchEntity", "NoSuchEntityException"}

// is reports whether an error has one of these codes.
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

// DataKey creates the key that encrypts the stack's secrets, and returns it encrypted by the KMS key, in base64, as Pulumi
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
	return bootstrap.Resource{
		What: "the key", Name: f.Alias,
		Find: func(ctx context.Context) (string, error) {
			key, err := g.describeKey(ctx, f.Alias)
			switch {
			case err == nil:
				return aws.ToString(key.Arn), nil
			case !is(err, "NotFoundException"):
				return "", err
			}
			return g.nameless(ctx, f)
		},
		Make: func(ctx context.Context) (string, error) {
			made, err := g.kms.CreateKey(ctx, &kms.CreateKeyInput{
				Description: aws.String(f.KeyDescription()), Policy: aws.String(f.KeyPolicy()),
				Tags: keyTags(f),
			})
			if err != nil {
				return "", err
			}
			return aws.ToString(made.KeyMetadata.Arn), nil
		},
		Owner: g.keyOwner,
		Settings: []bootstrap.Setting{g.keyNotDeleted(), g.keyEnabled(), g.keyAlias(f.Alias), g.keyRotation(),
			g.keyPolicy(f.KeyPolicy())},
	}
}

func (g *Bootstrap) describeKey(ctx context.Context, id string) (*kmstypes.KeyMetadata, error) {
	found, err := g.kms.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: &id})
	if err != nil {
		return nil, err
	}
	return found.KeyMetadata, nil
}

// keyOwner reads the tag of the project that created a key.
func (g *Bootstrap) keyOwner(ctx context.Context, id string) (string, error) {
	for pages := kms.NewListResourceTagsPaginator(g.kms, &kms.ListResourceTagsInput{KeyId: &id}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return "", err
		}
		for _, t := range page.Tags {
			if aws.ToString(t.TagKey) == bootstrap.OwnerTag {
				return aws.ToString(t.TagValue), nil
			}
		}
	}
	return "", nil
}

func (g *Bootstrap) keyNotDeleted() bootstrap.Setting {
	return bootstrap.Setting{Name: "its deletion", Holds: func(ctx context.Context, id string) (bool, error) {
		key, err := g.describeKey(ctx, id)
		return err == nil && key.KeyState != kmstypes.KeyStatePendingDeletion, err
	}, Set: func(ctx context.Context, id string) error {
		_, err := g.kms.CancelKeyDeletion(ctx, &kms.CancelKeyDeletionInput{KeyId: &id})
		return err
	}}
}

func (g *Bootstrap) keyEnabled() bootstrap.Setting {
	return bootstrap.Setting{Name: "it was disabled", Holds: func(ctx context.Context, id string) (bool, error) {
		key, err := g.describeKey(ctx, id)
		return err == nil && key.Enabled, err
	}, Set: func(ctx context.Context, id string) error {
		_, err := g.kms.EnableKey(ctx, &kms.EnableKeyInput{KeyId: &id})
		return err
	}}
}

func (g *Bootstrap) keyAlias(alias string) bootstrap.Setting {
	return bootstrap.Setting{Name: "alias", Holds: func(ctx context.Context, id string) (bool, error) {
		key, err := g.describeKey(ctx, alias)
		if is(err, "NotFoundException") {
			return false, nil
		}
		return err == nil && aws.ToString(key.Arn) == id, err
	}, Set: func(ctx context.Context, id string) error {
		_, err := g.kms.CreateAlias(ctx, &kms.CreateAliasInput{AliasName: &alias, TargetKeyId: &id})
		return err
	}}
}

func (g *Bootstrap) keyRotation() bootstrap.Setting {
	return bootstrap.Setting{Name: "rotation", Holds: func(ctx context.Context, id string) (bool, error) {
		found, err := g.kms.GetKeyRotationStatus(ctx, &kms.GetKeyRotationStatusInput{KeyId: &id})
		return err == nil && found.KeyRotationEnabled, err
	}, Set: func(ctx context.Context, id string) error {
		_, err := g.kms.EnableKeyRotation(ctx, &kms.EnableKeyRotationInput{KeyId: &id})
		return err
	}}
}

func (g *Bootstrap) keyPolicy(document string) bootstrap.Setting {
	return bootstrap.Setting{Name: "policy", Holds: func(ctx context.Context, id string) (bool, error) {
		found, err := g.kms.GetKeyPolicy(ctx, &kms.GetKeyPolicyInput{KeyId: &id, PolicyName: aws.String("default")})
		return err == nil && bootstrap.SameJSON(aws.ToString(found.Policy), document), err
	}, Set: func(ctx context.Context, id string) error {
		_, err := g.kms.PutKeyPolicy(ctx, &kms.PutKeyPolicyInput{KeyId: &id, PolicyName: aws.String("default"), Policy: &document})
		return err
	}}
}

func keyTags(f *bootstrap.Spec) []kmstypes.Tag {
	tags := []kmstypes.Tag{{TagKey: aws.String(madeBy), TagValue: aws.String(byBootstrap)}}
	if f.Owner != "" {
		tags = append(tags, kmstypes.Tag{TagKey: aws.String(bootstrap.OwnerTag), TagValue: &f.Owner})
	}
	return tags
}

// nameless looks for the key of a run that was killed before the key had its alias.
func (g *Bootstrap) nameless(ctx context.Context, f *bootstrap.Spec) (string, error) {
	for pages := kms.NewListKeysPaginator(g.kms, nil); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return "", err
		}
		for _, listed := range page.Keys {
			key, err := g.describeKey(ctx, aws.ToString(listed.KeyArn))
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
			if is(err, noSuchEntity...) {
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
	resource := bootstrap.Resource{
		What: role.What, Name: role.Name,
		Find: func(ctx context.Context) (string, error) {
			there, err := g.getRole(ctx, role.Name)
			switch {
			case is(err, noSuchEntity...):
				return "", nil
			case err != nil:
				return "", err
			case roleTag(there, madeBy) != byBootstrap:
				return "", errors.New("it is there, but bootstrap did not make it; it is left alone. If the stack itself made it, take " +
					"slipway:github out of its file, run up, put it back and bootstrap again")
			}
			return aws.ToString(there.Arn), nil
		},
		Make: func(ctx context.Context) (string, error) {
			made, err := g.iam.CreateRole(ctx, &iam.CreateRoleInput{
				RoleName: &role.Name, Description: &role.Description, AssumeRolePolicyDocument: &role.Trust,
				MaxSessionDuration: &role.SessionSeconds, Tags: roleTags(f),
			})
			if err != nil {
				return "", err
			}
			return aws.ToString(made.Role.Arn), nil
		},
		Owner: func(ctx context.Context, _ string) (string, error) {
			there, err := g.getRole(ctx, role.Name)
			if err != nil {
				return "", err
			}
			return roleTag(there, bootstrap.OwnerTag), nil
		},
		Settings: []bootstrap.Setting{g.trust(role), g.session(role)},
	}
	for _, p := range role.Policies {
		arn := f.PolicyARN(p)
		resource.Settings = append(resource.Settings, g.says(arn, p), g.attached(arn, role, p))
	}
	return resource
}

func (g *Bootstrap) getRole(ctx context.Context, name string) (*iamtypes.Role, error) {
	found, err := g.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: &name})
	if err != nil {
		return nil, err
	}
	return found.Role, nil
}

// roleTag is the value of a tag of a role; "" if the role has no such tag.
func roleTag(role *iamtypes.Role, key string) string {
	for _, t := range role.Tags {
		if aws.ToString(t.Key) == key {
			return aws.ToString(t.Value)
		}
	}
	return ""
}

// trust is that a role's trust policy is the one of the Spec.
func (g *Bootstrap) trust(role *bootstrap.Role) bootstrap.Setting {
	return bootstrap.Setting{Name: "trust", Holds: func(ctx context.Context, _ string) (bool, error) {
		there, err := g.getRole(ctx, role.Name)
		if err != nil {
			return false, err
		}
		return bootstrap.SameJSON(decoded(there.AssumeRolePolicyDocument), role.Trust), nil
	}, Set: func(ctx context.Context, _ string) error {
		_, err := g.iam.UpdateAssumeRolePolicy(ctx, &iam.UpdateAssumeRolePolicyInput{RoleName: &role.Name, PolicyDocument: &role.Trust})
		return err
	}}
}

// session is that sessions of a role last as long as the Spec says.
func (g *Bootstrap) session(role *bootstrap.Role) bootstrap.Setting {
	return bootstrap.Setting{Name: "session", Holds: func(ctx context.Context, _ string) (bool, error) {
		there, err := g.getRole(ctx, role.Name)
		return err == nil && aws.ToInt32(there.MaxSessionDuration) == role.SessionSeconds, err
	}, Set: func(ctx context.Context, _ string) error {
		_, err := g.iam.UpdateRole(ctx, &iam.UpdateRoleInput{RoleName: &role.Name, MaxSessionDuration: &role.SessionSeconds,
			Description: &role.Description})
		return err
	}}
}

func roleTags(f *bootstrap.Spec) []iamtypes.Tag {
	tags := []iamtypes.Tag{{Key: aws.String(madeBy), Value: aws.String(byBootstrap)}}
	if f.Owner != "" {
		tags = append(tags, iamtypes.Tag{Key: aws.String(bootstrap.OwnerTag), Value: &f.Owner})
	}
	return tags
}

// Boundary implements bootstrap.Account.
func (g *Bootstrap) Boundary(f *bootstrap.Spec) bootstrap.Resource {
	arn := f.PolicyARN(*f.Boundary)
	says := g.says(arn, *f.Boundary)
	return bootstrap.Resource{
		What: "the permissions boundary", Name: f.Boundary.Name,
		Find: func(ctx context.Context) (string, error) {
			_, err := g.iam.GetPolicy(ctx, &iam.GetPolicyInput{PolicyArn: &arn})
			if is(err, noSuchEntity...) {
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
		if is(err, noSuchEntity...) {
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
		for pages := iam.NewListAttachedRolePoliciesPaginator(g.iam,
			&iam.ListAttachedRolePoliciesInput{RoleName: &role.Name}); pages.HasMorePages(); {
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
