package wiring

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/policy"
)

// ReadSecrets is what an execution role must be allowed so that its task can start with the Binding's secrets: read
// exactly those parameters and decrypt with exactly those keys, for exactly those parameters. It is the execution role,
// not the task role, that reads them: the container agent does it before the container exists.
//
// Without secrets there is nothing to allow. The order is that of the secrets' names.
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
			// Parameter Store encrypts each value under its own name, so the keys open these parameters and nothing else
			// that they encrypt.
			Conditions: map[string]map[string]any{
				"StringEquals": {"kms:EncryptionContext:PARAMETER_ARN": arns},
				"StringLike":   {"kms:ViaService": "ssm.*"},
			},
		},
	}
}

// distinct are the values without repetitions, in the order of their first appearance; a list of one is its one value,
// as IAM writes it.
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

// Version is a short text that changes whenever a secret changes, and says nothing about its value:
// "DB_PASSWORD:1 SECRET_KEY:3". A task reads its secrets only when it starts; with this text among its settings a
// changed secret makes a new task definition, and the service rolls.
func Version(secrets map[string]Secret) pulumi.StringOutput {
	var format []string
	var versions []any
	for _, name := range slices.Sorted(maps.Keys(secrets)) {
		format = append(format, fmt.Sprintf("%s:%%d", name))
		versions = append(versions, secrets[name].Version)
	}
	return pulumi.Sprintf(strings.Join(format, " "), versions...)
}
