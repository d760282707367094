package wiring

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/graph"
	"slipway/internal/policy"
)

func secret(arn, key string, version int) Secret {
	return Secret{ARN: pulumi.String(arn), KeyARN: pulumi.String(key), Version: pulumi.Int(version)}
}

// resolve runs a program without resources and returns what its output becomes.
func resolve(t *testing.T, output func() pulumi.StringOutput) string {
	t.Helper()
	got := make(chan string, 1)
	if _, err := graph.Record("dev", nil, func(ctx *pulumi.Context) error {
		ctx.Export("got", output().ApplyT(func(v string) string { got <- v; return v }))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return <-got
}

func TestExecutionRoleReadsExactlyItsSecrets(t *testing.T) {
	b := Binding{Secrets: map[string]Secret{
		"SECRET_KEY":  secret("arn:key", "kms:settings", 3),
		"DB_PASSWORD": secret("arn:db", "kms:settings", 1),
		"PARTNER":     secret("arn:partner", "kms:partner", 2),
	}}
	text := resolve(t, func() pulumi.StringOutput { return policy.Document(b.ReadSecrets()...) })
	var got any
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	arns := []any{"arn:db", "arn:partner", "arn:key"} // in the order of the names
	want := map[string]any{"Version": "2012-10-17", "Statement": []any{
		map[string]any{"Sid": "ReadSecrets", "Effect": "Allow", "Action": "ssm:GetParameters", "Resource": arns},
		map[string]any{
			"Sid": "DecryptSecrets", "Effect": "Allow", "Action": "kms:Decrypt",
			"Resource": []any{"kms:settings", "kms:partner"}, // each once
			"Condition": map[string]any{
				"StringEquals": map[string]any{"kms:EncryptionContext:PARAMETER_ARN": arns},
				"StringLike":   map[string]any{"kms:ViaService": "ssm.*"},
			},
		},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("statements (-want +got):\n%s", diff)
	}
}

func TestOneSecretIsWrittenAsOneValue(t *testing.T) {
	b := Binding{Secrets: map[string]Secret{"A": secret("arn:a", "kms:a", 1)}}
	got := resolve(t, func() pulumi.StringOutput { return policy.Document(b.ReadSecrets()...) })
	want := `{"Statement":[{"Action":"ssm:GetParameters","Effect":"Allow","Resource":"arn:a","Sid":"ReadSecrets"},` +
		`{"Action":"kms:Decrypt","Condition":{"StringEquals":{"kms:EncryptionContext:PARAMETER_ARN":"arn:a"},` +
		`"StringLike":{"kms:ViaService":"ssm.*"}},` +
		`"Effect":"Allow","Resource":"kms:a","Sid":"DecryptSecrets"}],"Version":"2012-10-17"}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestWithoutSecretsNothingIsAllowed(t *testing.T) {
	if got := (Binding{}).ReadSecrets(); got != nil {
		t.Errorf("got %v, want no statement", got)
	}
}

func TestVersion(t *testing.T) {
	for _, c := range []struct {
		name    string
		secrets map[string]Secret
		want    string
	}{
		{"none", nil, ""},
		{"sorted by name", map[string]Secret{"SECRET_KEY": secret("", "", 3), "DB_PASSWORD": secret("", "", 1)},
			"DB_PASSWORD:1 SECRET_KEY:3"},
		{"counts on", map[string]Secret{"SECRET_KEY": secret("", "", 4), "DB_PASSWORD": secret("", "", 1)}, "DB_PASSWORD:1 SECRET_KEY:4"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := resolve(t, func() pulumi.StringOutput { return Version(c.secrets) }); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
