package settings

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/graph"
	"slipway/internal/wiring"
)

const (
	key       = pulumi.String("arn:aws:kms:us-east-1:123456789012:key/settings")
	parameter = "aws:ssm/parameter:Parameter"
)

func good() *Args {
	return &Args{
		Site:     wiring.Site{Project: "slipway", Stack: "dev", Partition: "aws", Region: "us-east-1", AccountID: graph.Account},
		KeyARN:   key,
		Rotation: 2,
		Secrets: map[string]pulumi.StringInput{
			"db/password":    pulumi.String("correct horse"), // plain on purpose: New must make it secret
			"app/STRIPE_KEY": pulumi.ToSecret(pulumi.String("battery staple").ToStringOutput()).(pulumi.StringOutput),
		},
	}
}

func record(args *Args) (g graph.Graph, store *Store, err error) {
	g, err = graph.Record("dev", nil, func(ctx *pulumi.Context) (err error) {
		store, err = New(ctx, "settings", args)
		return err
	})
	return g, store, err
}

func TestParametersAreEncryptedAndSecret(t *testing.T) {
	args := good()
	g, store, err := record(args)
	if err != nil {
		t.Fatal(err)
	}
	for part, value := range map[string]string{
		"app/STRIPE_KEY": "battery staple", "db/password": "correct horse", "django/secret-key": "generated-settings-secret-key",
	} {
		p := g.Named(parameter, "settings-"+part)
		want := map[string]any{
			"name": "/slipway/dev/" + part, "type": "SecureString", "tier": "Standard", "keyId": string(key),
			"value": map[string]any{"secret": value},
		}
		if diff := cmp.Diff(want, p.Inputs); diff != "" {
			t.Errorf("%s (-want +got):\n%s", part, diff)
		}
		secret, ok := store.Secrets[part]
		if !ok || pulumi.IsSecret(secret.ARN.ToStringOutput()) || pulumi.IsSecret(secret.Version.ToIntOutput()) {
			t.Errorf("%s: ARN and version must exist and not be secret: task definitions contain them", part)
		}
		if secret.KeyARN != key {
			t.Errorf("%s: decrypted with %v", part, secret.KeyARN)
		}
	}
	if got := slices.Sorted(maps.Keys(store.Secrets)); len(got) != 3 {
		t.Errorf("got %v, want three secrets", got)
	}
	if len(args.Secrets) != 2 {
		t.Error("New changed the caller's map")
	}
}

func TestSecretKeyRotates(t *testing.T) {
	g, _, err := record(good())
	if err != nil {
		t.Fatal(err)
	}
	made := g.Named("random:index/randomPassword:RandomPassword", "settings-secret-key")
	if got := made.Input("keepers.rotation"); got != "2" {
		t.Errorf("rotation keeper is %v, want 2", got)
	}
	if got := made.Input("length"); got != 64.0 {
		t.Errorf("length is %v; Django warns below 50", got)
	}
}

func TestMistakes(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Args)
		want   string
	}{
		{"no key", func(a *Args) { a.KeyARN = nil }, "settings: a KMS key is required"},
		{"rotation 0", func(a *Args) { a.Rotation = 0 }, "settings: rotation must be at least 1, got 0"},
		{"generated secret set", func(a *Args) { a.Secrets[SecretKey] = pulumi.String("x") },
			"settings: django/secret-key is generated and cannot be set"},
		{"space in a name", func(a *Args) { a.Secrets["a b"] = pulumi.String("x") },
			`settings: name "a b" must be letters, digits, _, . or -, in parts separated by /`},
		{"leading slash", func(a *Args) { a.Secrets["/a"] = pulumi.String("x") },
			`settings: name "/a" must be letters, digits, _, . or -, in parts separated by /`},
		{"too deep", func(a *Args) { a.Secrets["a"+strings.Repeat("/a", 13)] = pulumi.String("x") }, `must have at most 13 parts`},
		{"no value", func(a *Args) { a.Secrets["a"] = nil }, "settings: a has no value"},
		{"empty value", func(a *Args) { a.Secrets["a"] = pulumi.String("") }, "settings: /slipway/dev/a must not be empty"},
		{"too long", func(a *Args) { a.Secrets["a"] = pulumi.String(strings.Repeat("x", 4097)) },
			"settings: /slipway/dev/a must be at most 4096 bytes, got 4097"},
		{"two at once", func(a *Args) { a.KeyARN, a.Rotation = nil, -1 },
			"settings: a KMS key is required\nsettings: rotation must be at least 1, got -1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := good()
			c.change(args)
			_, _, err := record(args)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
			if strings.Contains(fmt.Sprint(err), "xxx") {
				t.Error("the error contains the value")
			}
		})
	}
}
