package config

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pulumi/esc"
	pulumiconfig "github.com/pulumi/pulumi/sdk/v3/go/common/resource/config"
	"github.com/pulumi/pulumi/sdk/v3/go/common/workspace"
)

// A project that gives its stacks an app, in both forms that Pulumi.yaml has for a value.
var sharedProjects = map[string]string{
	"default": `name: slipway
runtime: go
config:
  slipway:app:
    type: object
    default:
      port: 9000
      manage: [python, src/manage.py]
      env: {A: shared, B: shared}
      migrate: {limit: 5}
`,
	"value": `name: slipway
runtime: go
config:
  app:
    value: {port: 9000, manage: [python, src/manage.py], env: {A: shared, B: shared}, migrate: {limit: 5}}
`,
}

// bothWays reads a stack's file as the command does, and the values of the same file as the engine passes them, and checks that
// the results are the same.
func bothWays(t *testing.T, pulumi, stack string) (*Stack, []string) {
	t.Helper()
	file := project(t, "dev", stack)
	folder := filepath.Dir(file)
	if err := os.WriteFile(filepath.Join(folder, "Pulumi.yaml"), []byte(pulumi), 0o644); err != nil {
		t.Fatal(err)
	}
	source, err := FromFile(file)
	if err != nil {
		t.Fatal(err)
	}
	read, wrong := load(source)

	declared, err := workspace.LoadProject(filepath.Join(folder, "Pulumi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	values, err := workspace.LoadProjectStack(nil, declared, file)
	if err != nil {
		t.Fatal(err)
	}
	none := pulumiconfig.NopDecrypter
	if err := workspace.ApplyProjectConfig(context.Background(), "dev", declared, esc.Value{}, values.Config,
		pulumiconfig.NopEncrypter, none); err != nil {
		t.Fatal(err)
	}
	config, secret := map[string]string{}, []string(nil)
	for key, value := range values.Config {
		if config[key.String()], err = value.Value(none); err != nil {
			t.Fatal(err)
		}
		if key.String() == "slipway:secrets" { // which the engine decrypts
			config[key.String()] = `{"API":"x"}`
		}
		if value.Secure() {
			secret = append(secret, key.String())
		}
	}
	engine := fromEngine(t, config, secret, false, folder)
	ours := lines(t, wrong, true)
	if diff := cmp.Diff(ours, lines(t, engine, true)); diff != "" {
		t.Errorf("mistakes (-file +engine):\n%s", diff)
	}
	return read, ours
}

func TestAppOfAStackIsMergedIntoThatOfTheProject(t *testing.T) {
	for form, pulumi := range sharedProjects {
		for _, c := range []struct {
			name, stack string
			want        func(*App)
		}{
			{"nothing of its own", in(), func(*App) {}},
			{"an empty object", in("slipway:app: {}"), func(*App) {}},
			{"a scalar", in("slipway:app: {port: 9001}"), func(a *App) { a.Port = 9001 }},
			{"a key of an object", in("slipway:app: {env: {B: own, C: own}}"), func(a *App) {
				a.Env = map[string]string{"A": "shared", "B": "own", "C": "own"}
			}},
			{"a list is replaced", in("slipway:app: {manage: [shopctl]}"), func(a *App) { a.Manage = []string{"shopctl"} }},
			{"an empty value", in("slipway:app: {env: {A: ''}}"), func(a *App) { a.Env["A"] = "" }},
			{"beside encrypted secrets", in("slipway:app: {migrate: {commands: []}}", "slipway:secrets: {API: {secure: AAABBB}}"),
				func(a *App) { a.Migrate.Commands = [][]string{} }},
		} {
			t.Run(form+" "+c.name, func(t *testing.T) {
				got, mistakes := bothWays(t, pulumi, c.stack)
				if mistakes != nil {
					t.Fatal(mistakes)
				}
				want, _ := bothWays(t, "name: slipway\nruntime: go\n", in())
				want.App.Port, want.App.Manage, want.App.Migrate.Limit = 9000, []string{"python", "src/manage.py"}, 5
				want.App.Env = map[string]string{"A": "shared", "B": "shared"}
				want.App.Shared = map[string]string{"A": "shared", "B": "shared"}
				c.want(&want.App)
				if diff := cmp.Diff(want.App, got.App); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		}
	}
}

func TestAMistakeInAppNamesItsFileAndLine(t *testing.T) {
	pulumi := sharedProjects["default"]
	for _, c := range []struct{ name, pulumi, stack, want string }{
		{"of the project", strings.Replace(pulumi, "port: 9000", "port: 80", 1), in("slipway:app: {start: 10}"),
			"Pulumi.yaml:7: app.port: must be from 1024 to 65535, got 80"},
		{"of the project, without any of the stack", strings.Replace(pulumi, "A: shared,", "A: 2023-05-15,", 1), in(),
			`Pulumi.yaml:9: app.env.A: must be a string, but YAML reads 2023-05-15 as a date: write "2023-05-15"`},
		{"of the stack", pulumi, in("slipway:app:", "  env: {A: '{x'}"),
			`Pulumi.dev.yaml:4: app.env.A: has a { without }: write {{ for a brace at character 1, got "{x"`},
		{"of the stack over a right one", pulumi, in("slipway:app:", "  port: 80"),
			"Pulumi.dev.yaml:4: app.port: must be from 1024 to 65535, got 80"},
		{"an unknown key of the project", strings.Replace(pulumi, "port: 9000", "prot: 9000", 1), in("slipway:app: {start: 10}"),
			"Pulumi.yaml:7: app.prot: unknown key, did you mean port?"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, got := bothWays(t, c.pulumi, c.stack)
			if diff := cmp.Diff([]string{c.want}, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// The engine says only that a part of app is secret; the file says which.
func TestASecretInAppIsRefusedBothWays(t *testing.T) {
	file := project(t, "dev", in("slipway:app: {env: {A: {secure: AAABBB}}}"))
	source, err := FromFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, err = load(source)
	if diff := cmp.Diff([]string{"app.env.A: must not be secret: put secret values under slipway:secrets, got [secret]"},
		lines(t, err, false)); diff != "" {
		t.Error(diff)
	}
	engine := map[string]string{"aws:region": "us-east-1", "slipway:app": `{"env":{"A":"hunter2"}}`}
	if diff := cmp.Diff([]string{"app: must not be secret: put secret values under slipway:secrets, got [secret]"},
		lines(t, fromEngine(t, engine, []string{"slipway:app"}, false, filepath.Dir(file)), false)); diff != "" {
		t.Error(diff)
	}
}

// pulumi config set --path writes into the stack's file; the project's other keys stay.
func TestAPathSetByPulumiGoesOverTheProjects(t *testing.T) {
	file := project(t, "dev", in())
	folder := filepath.Dir(file)
	if err := os.WriteFile(filepath.Join(folder, "Pulumi.yaml"), []byte(sharedProjects["default"]), 0o644); err != nil {
		t.Fatal(err)
	}
	declared, err := workspace.LoadProject(filepath.Join(folder, "Pulumi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	stack, err := workspace.LoadProjectStack(nil, declared, file)
	if err != nil {
		t.Fatal(err)
	}
	for path, value := range map[string]string{"slipway:app.env.A": "own", "slipway:app.port": "9001"} {
		key, err := pulumiconfig.ParseKey(path)
		if err == nil {
			err = stack.Config.Set(key, pulumiconfig.NewValue(value), true)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := stack.Save(file); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	got, mistakes := bothWays(t, sharedProjects["default"], string(text))
	if mistakes != nil {
		t.Fatalf("%v\n%s", mistakes, text)
	}
	if got.App.Port != 9001 || got.App.Env["A"] != "own" || got.App.Env["B"] != "shared" || got.App.Migrate.Limit != 5 {
		t.Errorf("read %+v from\n%s", got.App, text)
	}
}
