package rehearsal_test

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optdestroy"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/engine"
	"slipway/rehearsal"
)

// register registers a resource by its type token, so that these tests do not compile the AWS SDK.
func register(ctx *pulumi.Context, token, name string, inputs pulumi.Map, opts ...pulumi.ResourceOption) (*untyped, error) {
	r := &untyped{}
	return r, ctx.RegisterResource(token, name, inputs, r, opts...)
}

type untyped struct {
	pulumi.CustomResourceState
	Arn    pulumi.StringOutput `pulumi:"arn"`
	Result pulumi.StringOutput `pulumi:"result"`
	Digest pulumi.StringOutput `pulumi:"repoDigest"`
	URL    pulumi.StringOutput `pulumi:"repositoryUrl"`
}

// site opens a rehearsal in dir, and a stack of the real engine that uses it.
func site(t *testing.T, dir string, program pulumi.RunFunc) (*rehearsal.Rehearsal, auto.Stack) {
	t.Helper()
	return siteWith(t, dir, program, rehearsal.Options{})
}

func siteWith(t *testing.T, dir string, program pulumi.RunFunc, options rehearsal.Options) (*rehearsal.Rehearsal, auto.Stack) {
	t.Helper()
	cli, err := engine.FindCLI(t.Context(), t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", filepath.Dir(cli.Path())+string(os.PathListSeparator)+os.Getenv("PATH"))
	r, err := rehearsal.Open(filepath.Join(dir, "model.json"), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	env, err := r.Serve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(env, map[string]string{
		"PULUMI_CONFIG_PASSPHRASE": "correct horse", "PULUMI_BACKEND_URL": "file://" + dir, "PULUMI_HOME": filepath.Join(dir, "home"),
	})
	stack, err := auto.UpsertStackInlineSource(context.Background(), "local", "small", program, auto.EnvVars(env), auto.WorkDir(dir))
	if err != nil {
		t.Fatal(err)
	}
	if err := stack.SetConfig(context.Background(), "aws:region", auto.ConfigValue{Value: "us-east-1"}); err != nil {
		t.Fatal(err)
	}
	return r, stack
}

func TestTheRealEngineDeploysAndDestroys(t *testing.T) {
	dir, app := t.TempDir(), t.TempDir()
	write(t, filepath.Join(app, "Dockerfile"), "FROM scratch\n")
	description := "one"
	r, stack := site(t, dir, func(ctx *pulumi.Context) error {
		key, err := register(ctx, "aws:kms/key:Key", "data", pulumi.Map{"description": pulumi.String(description),
			"enableKeyRotation": pulumi.Bool(true)})
		if err != nil {
			return err
		}
		password, err := register(ctx, "random:index/randomPassword:RandomPassword", "password", pulumi.Map{"length": pulumi.Int(20)})
		if err != nil {
			return err
		}
		if _, err := register(ctx, "aws:ssm/parameter:Parameter", "secret", pulumi.Map{
			"name": pulumi.String("/small/local/secret"), "type": pulumi.String("SecureString"), "keyId": key.Arn, "value": password.Result,
		}); err != nil {
			return err
		}
		repository, err := register(ctx, "aws:ecr/repository:Repository", "app", pulumi.Map{"forceDelete": pulumi.Bool(true),
			"imageTagMutability": pulumi.String("IMMUTABLE")})
		if err != nil {
			return err
		}
		image, err := register(ctx, "docker:index/image:Image", "app", pulumi.Map{
			"imageName": pulumi.Sprintf("%s:v1", repository.URL),
			"build":     pulumi.Map{"context": pulumi.String(app), "platform": pulumi.String("linux/arm64")},
			"registry":  pulumi.Map{"server": repository.URL, "username": pulumi.String("AWS"), "password": pulumi.ToSecret(pulumi.String("token"))},
		})
		if err != nil {
			return err
		}
		ctx.Export("key", key.Arn)
		ctx.Export("password", password.Result)
		ctx.Export("image", image.Digest)
		return nil
	})

	up := func() auto.UpResult {
		t.Helper()
		result, err := stack.Up(t.Context(), optup.ProgressStreams(io.Discard), optup.ErrorProgressStreams(io.Discard))
		if err != nil {
			t.Fatal(err)
		}
		return result
	}
	first := up()
	if arn, _ := first.Outputs["key"].Value.(string); !strings.HasPrefix(arn, "arn:aws:kms:us-east-1:123456789012:key/") {
		t.Errorf("key = %q", arn)
	}
	if image, _ := first.Outputs["image"].Value.(string); !strings.Contains(image, ".dkr.ecr.us-east-1.amazonaws.com/app-") ||
		!strings.Contains(image, "@sha256:") {
		t.Errorf("image = %q", image)
	}
	password, _ := first.Outputs["password"].Value.(string)
	if !first.Outputs["password"].Secret || len(password) != 20 {
		t.Errorf("the password is not a secret of 20 characters: %+v", first.Outputs["password"].Secret)
	}
	nowhereIn(t, dir, password)

	if changes := *up().Summary.ResourceChanges; changes["same"] != 6 || len(changes) != 1 {
		t.Errorf("a second up changed something: %v", changes)
	}
	description = "two"
	if changes := *up().Summary.ResourceChanges; changes["update"] != 1 || changes["same"] != 5 {
		t.Errorf("another description must update the key alone: %v", changes)
	}
	if refreshed, err := stack.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	} else if changes := *refreshed.Summary.ResourceChanges; changes["update"] != 0 || changes["delete"] != 0 {
		t.Errorf("a refresh found drift: %v", changes)
	}
	if _, err := stack.Destroy(t.Context(), optdestroy.ProgressStreams(io.Discard)); err != nil {
		t.Fatal(err)
	}
	if !r.Account.Empty() {
		t.Errorf("destroy left %v", r.Account.Summary())
	}
}

// All mistakes in a resource are reported at once, and nothing is created.
func TestTheRealEngineRefusesAWrongResource(t *testing.T) {
	r, stack := site(t, t.TempDir(), func(ctx *pulumi.Context) error {
		_, err := register(ctx, "aws:kms/key:Key", "data", pulumi.Map{"descripton": pulumi.String("x"),
			"enableKeyRotation": pulumi.String("yes")})
		return err
	})
	_, err := stack.Up(t.Context())
	if err == nil {
		t.Fatal("the deployment succeeded")
	}
	for _, want := range []string{`did you mean "description"?`, "expected a boolean, got a string"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error lacks %q:\n%v", want, err)
		}
	}
	if !r.Account.Empty() {
		t.Errorf("something was created: %v", r.Account.Summary())
	}
}

// nowhereIn fails if a file below dir contains the secret.
func nowhereIn(t *testing.T, dir, secret string) {
	t.Helper()
	inJSON, _ := json.Marshal(secret)
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if strings.Contains(string(text), secret) || strings.Contains(string(text), strings.Trim(string(inJSON), `"`)) {
			t.Errorf("%s holds the password in plain text", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
