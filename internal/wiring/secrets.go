package wiring

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/policy"
)

// ReadSecrets are the permissions of an execution role to start a task with the Binding's secrets: to read exactly those
// parameters, and to decrypt with exactly their keys for exactly those parameters. The execution role reads them, not the
// task role: the container agent does it before the container exists.
//
// Without secrets there are no statements. The order is that of the secrets' names.
func (b Binding) ReadSecrets() []policy.Statement {
	if len(b.Secrets) == 0 {
		return nil
	}
	parameters, keys := pulumi.StringArray{}, pulumi.StringArray{}
	for _, name := range slices.Sorted(maps.Keys(b.Secrets)) {
		parameters = append(parameters, b.Secrets[name].ARN)
		keys = append(keys, b.Secrets[name].KeyARN)
	}
	arns := distinct(parameters)
	return []policy.Statement{
		{
			Sid:       "ReadSecrets",
			Actions:   []string{"ssm:GetParameters"},
			Resources: []any{arns},
		},
		{
			Sid:       "DecryptSecrets",
			Actions:   []string{"kms:Decrypt"},
			Resources: []any{distinct(keys)},
			// Parameter Store puts the parameter's ARN into the encryption context, so the role can decrypt these parameters
			// and nothing else that the keys encrypt.
			Conditions: map[string]map[string]any{
				"StringEquals": {"kms:EncryptionContext:PARAMETER_ARN": arns},
				"StringLike":   {"kms:ViaService": "ssm.*"},
			},
		},
	}
}

// distinct removes duplicates and keeps the order. A list of one becomes a single value, as IAM stores it.
func distinct(values pulumi.StringArray) pulumi.AnyOutput {
	return values.ToStringArrayOutput().ApplyT(compact).(pulumi.AnyOutput)
}

func compact(values []string) any {
	var once []string
	for _, v := range values {
		if !slices.Contains(once, v) {
			once = append(once, v)
		}
	}
	if len(once) == 1 {
		return once[0]
	}
	return once
}

// Version is a short string that changes whenever a secret changes and reveals nothing about its value:
// "DB_PASSWORD:1 SECRET_KEY:3". A task reads its secrets only when it starts; with this string in its environment a changed
// secret creates a new task definition, and the service rolls.
func Version(secrets map[string]Secret) pulumi.StringOutput {
	var format []string
	var versions []any
	for _, name := range slices.Sorted(maps.Keys(secrets)) {
		format = append(format, fmt.Sprintf("%s:%%d", name))
		versions = append(versions, secrets[name].Version)
	}
	return pulumi.Sprintf(strings.Join(format, " "), versions...)
}
