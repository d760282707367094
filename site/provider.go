package site

import (
	"encoding/json"
	"fmt"
	"maps"
	"strconv"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/config"
)

// provider creates the AWS provider of all resources. It puts the stack's tags on every resource, and works only in the
// accounts that the stack allows.
//
// An explicit provider does not read the aws: keys of the stack's configuration, so this passes on the keys that select an
// account or an endpoint.
func provider(ctx *pulumi.Context, stack *config.Stack, opts ...pulumi.ResourceOption) (*aws.Provider, error) {
	tags := map[string]string{"project": stack.Project, "stack": stack.Name, "managed-by": "pulumi"}
	maps.Copy(tags, stack.Tags)

	args := &aws.ProviderArgs{
		Region:      pulumi.String(stack.Region),
		DefaultTags: &aws.ProviderDefaultTagsArgs{Tags: pulumi.ToStringMap(tags)},
	}
	if value, ok := ctx.GetConfig("aws:profile"); ok {
		args.Profile = pulumi.String(value)
	}
	for key, field := range map[string]*pulumi.BoolPtrInput{
		"aws:s3UsePathStyle":            &args.S3UsePathStyle,
		"aws:skipCredentialsValidation": &args.SkipCredentialsValidation,
		"aws:skipMetadataApiCheck":      &args.SkipMetadataApiCheck,
		"aws:skipRequestingAccountId":   &args.SkipRequestingAccountId,
	} {
		if text, ok := ctx.GetConfig(key); ok {
			value, err := strconv.ParseBool(text)
			if err != nil {
				return nil, fmt.Errorf("%s: must be true or false, got %q", key, text)
			}
			*field = pulumi.Bool(value)
		}
	}
	if text, ok := ctx.GetConfig("aws:maxRetries"); ok {
		retries, err := strconv.Atoi(text)
		if err != nil {
			return nil, fmt.Errorf("aws:maxRetries: must be a whole number, got %q", text)
		}
		args.MaxRetries = pulumi.Int(retries)
	}
	if text, ok := ctx.GetConfig("aws:allowedAccountIds"); ok {
		var accounts []string
		if err := json.Unmarshal([]byte(text), &accounts); err != nil {
			return nil, fmt.Errorf("aws:allowedAccountIds: must be a list of account ids, got %q", text)
		}
		args.AllowedAccountIds = pulumi.ToStringArray(accounts)
	}
	return aws.NewProvider(ctx, "aws", args, opts...)
}
