package site

import (
	"maps"
	"slices"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/config"
)

// provider creates the AWS provider of all resources. It puts the stack's tags on every resource, and works only in the
// accounts that the stack allows.
//
// An explicit provider does not read the aws: keys of the stack's configuration, so this passes on all those that config reads;
// config refuses the others.
func provider(ctx *pulumi.Context, stack *config.Stack, opts ...pulumi.ResourceOption) (*aws.Provider, error) {
	prefix := stack.TagPrefix()
	tags := map[string]string{prefix + "project": stack.Project, prefix + "stack": stack.Name, prefix + "managed-by": "pulumi"}
	maps.Copy(tags, stack.Tags)

	args := &aws.ProviderArgs{
		Region:      pulumi.String(stack.Region),
		DefaultTags: &aws.ProviderDefaultTagsArgs{Tags: pulumi.ToStringMap(tags)},
	}
	keys := stack.AWS
	if keys.Profile != "" {
		args.Profile = pulumi.String(keys.Profile)
	}
	if len(keys.AllowedAccountIDs) > 0 {
		args.AllowedAccountIds = pulumi.ToStringArray(keys.AllowedAccountIDs)
	}
	if len(keys.ForbiddenAccountIDs) > 0 {
		args.ForbiddenAccountIds = pulumi.ToStringArray(keys.ForbiddenAccountIDs)
	}
	if slices.Contains(keys.Given, "maxRetries") {
		args.MaxRetries = pulumi.Int(keys.MaxRetries)
	}
	for key, one := range map[string]struct {
		field *pulumi.BoolPtrInput
		value bool
	}{
		"s3UsePathStyle":            {&args.S3UsePathStyle, keys.S3UsePathStyle},
		"skipCredentialsValidation": {&args.SkipCredentialsValidation, keys.SkipCredentialsValidation},
		"skipMetadataApiCheck":      {&args.SkipMetadataApiCheck, keys.SkipMetadataAPICheck},
		"skipRequestingAccountId":   {&args.SkipRequestingAccountId, keys.SkipRequestingAccountID},
	} {
		if slices.Contains(keys.Given, key) {
			*one.field = pulumi.Bool(one.value)
		}
	}
	return aws.NewProvider(ctx, "aws", args, opts...)
}
