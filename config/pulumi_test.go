package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

type noResources struct{}

func (noResources) NewResource(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	return "", nil, fmt.Errorf("the loader registered %s", args.TypeToken)
}

func (noResources) Call(args pulumi.MockCallArgs) (resource.PropertyMap, error) {
	return nil, fmt.Errorf("the loader called %s", args.Token)
}

// program runs body as the engine would for stack dev: inline, or with the keys in the environment, as `pulumi up` in the folder
// root does.
func program(t *testing.T, config map[string]string, secret []string, inline bool, root string, body func(*pulumi.Context) error) error {
	t.Helper()
	for name, value := range map[string]any{pulumi.EnvConfig: config, pulumi.EnvConfigSecretKeys: secret} {
		data, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		if inline {
			data = nil
		}
		t.Setenv(name, string(data))
	}
	t.Setenv(pulumi.EnvProject, "slipway")
	t.Setenv(pulumi.EnvStack, "dev")
	return pulumi.RunErr(body, pulumi.WithMocks("slipway", "dev", noResources{}), func(info *pulumi.RunInfo) {
		info.Config, info.ConfigSecretKeys, info.RootDirectory = config, secret, root
	})
}

// fromEngine loads a configuration in a program and returns its mistakes.
func fromEngine(t *testing.T, config map[string]string, secret []string, inline bool, root string) error {
	t.Helper()
	var result error
	err := program(t, config, secret, inline, root, func(ctx *pulumi.Context) error {
		source, err := FromPulumi(ctx)
		if err != nil {
			return err
		}
		_, result = load(source)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func TestUnderPulumiUpEveryKeyIsSeen(t *testing.T) {
	config := map[string]string{
		"aws:region":       "us-east-1",
		"slipway:netwrok":  `{"zones":2}`,
		"slipway:network":  `{"zones":"2","zones":3}`,
		"slipway:protect":  "true ",
		"slipway:web":      `{"min":2`,
		"slipway:logs":     `{"days":3e1}`,
		"slipway:workers":  `[{"name":"feed","command":"x"}]`,
		"slipway:database": `{"storage":null}`,
	}
	want := []string{
		`database.storage: must be a number; omit the key to use its default, got null`,
		`logs.days: must be a whole number, got 3e1`,
		`network.zones: duplicate key`,
		`protect: must be a boolean (true or false), without quotes, got "true "`,
		`slipway:netwrok: unknown key, did you mean network?`,
		`web: must be an object: invalid JSON`,
		`workers[0].command: must be a list, got "x"`,
	}
	if diff := cmp.Diff(want, lines(t, fromEngine(t, config, nil, false, ""), true)); diff != "" {
		t.Errorf("pulumi up (-want +got):\n%s", diff)
	}
	// An inline program cannot see unknown keys, but it sees all others.
	want = append(want[:4:4], want[5:]...)
	if diff := cmp.Diff(want, lines(t, fromEngine(t, config, nil, true, ""), true)); diff != "" {
		t.Errorf("inline (-want +got):\n%s", diff)
	}
}

func TestTheEnvironmentOfAnotherRunIsNotRead(t *testing.T) {
	config := map[string]string{"aws:region": "us-east-1"}
	err := program(t, map[string]string{"slipway:other": "1"}, nil, false, "", func(ctx *pulumi.Context) error {
		t.Setenv(pulumi.EnvStack, "prod")
		s, err := FromPulumi(ctx)
		if len(s.Values) != 0 {
			t.Errorf("read %v", s.Values)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := fromEngine(t, config, nil, true, ""); err != nil {
		t.Error(err)
	}
}

func TestSecretsReachTheProgramAsSecretOutputs(t *testing.T) {
	config := map[string]string{"aws:region": "us-east-1", "slipway:secrets": `{"API_KEY":"hunter2","OTHER":"hunter3"}`}
	got := make(chan string, 1)
	err := program(t, config, []string{"slipway:secrets"}, false, "", func(ctx *pulumi.Context) error {
		source, err := FromPulumi(ctx)
		if err != nil {
			return err
		}
		for _, shown := range []string{fmt.Sprint(source), fmt.Sprintf("%#v", source.Values["slipway:secrets"])} {
			if strings.Contains(shown, "hunter") {
				t.Errorf("printed in plain text: %s", shown)
			}
		}
		stack, err := load(source)
		if err != nil {
			return err
		}
		if diff := cmp.Diff([]string{"API_KEY", "OTHER"}, stack.SecretNames); diff != "" {
			t.Error(diff)
		}
		if !pulumi.IsSecret(stack.Secrets["API_KEY"]) {
			t.Error("the value is not secret")
		}
		if shown := fmt.Sprintf("%v %+v", stack, *stack); strings.Contains(shown, "hunter") {
			t.Errorf("printed in plain text: %s", shown)
		}
		stack.Secrets["API_KEY"].ApplyT(func(v string) string { got <- v; return v })
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if v := <-got; v != "hunter2" {
		t.Errorf("got %q", v)
	}
}

func TestASecretIsNeverInAMistake(t *testing.T) {
	for _, c := range []struct {
		name, value string
		secret      bool
		want        []string
	}{
		{"plain text", `{"API":"hunter2"}`, false,
			[]string{`secrets.API: must be secret: slipway secret set API --stack dev, got [secret]`}},
		{"empty", `{"API":""}`, true, []string{`secrets.API: must not be empty`}},
		{"too long for SSM", `{"API":"` + strings.Repeat("hunter2", 600) + `"}`, true,
			[]string{`secrets.API: must be at most 4096 bytes, but has 4200`}},
		{"names another parameter", `{"API":"{{hunter2}}"}`, true,
			[]string{`secrets.API: must not contain {{, which SSM reads as a reference to another parameter`}},
		{"zero byte", `{"API":"hunter2\u0000"}`, true, []string{`secrets.API: must not contain a NUL byte`}},
		{"an object", `{"API":{"x":"hunter2"}}`, true, []string{`secrets.API: must be a string, got [secret]`}},
		{"one string", `hunter2`, true,
			[]string{`secrets: must be an object of names and encrypted values: ` +
				`slipway secret set NAME --stack dev, got [secret]`}},
		{"not JSON", `{"API":"hunter2`, true,
			[]string{`secrets: must be an object of names and encrypted values: ` +
				`slipway secret set NAME --stack dev, got [secret]`}},
		{"bad name", `{"1API":"hunter2"}`, true,
			[]string{`secrets.1API: must contain only letters, digits and _, must not start with a digit, and must be at most 128 characters`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var secret []string
			if c.secret {
				secret = []string{"slipway:secrets"}
			}
			err := fromEngine(t, map[string]string{"aws:region": "us-east-1", "slipway:secrets": c.value}, secret, false, "")
			if diff := cmp.Diff(c.want, lines(t, err, true)); diff != "" {
				t.Error(diff)
			}
		})
	}
	t.Run("encrypted where it would be printed", func(t *testing.T) {
		config := map[string]string{"aws:region": "us-east-1", "slipway:app": `{"env":{"MAILER":"hunter2"}}`, "slipway:domain": "hunter2",
			"slipway:protect": "hunter2"}
		err := fromEngine(t, config, []string{"slipway:app", "slipway:domain", "slipway:protect"}, false, "")
		want := []string{
			`app: must not be secret: put secret values under slipway:secrets, got [secret]`,
			`domain: must not be secret: put secret values under slipway:secrets, got [secret]`,
			`protect: must not be secret: put secret values under slipway:secrets, got [secret]`,
		}
		if diff := cmp.Diff(want, lines(t, err, true)); diff != "" {
			t.Error(diff)
		}
	})
}

// The engine marks a whole object as secret if any part of it is. Only the file shows which parts are not.
func TestAPlainSecretBesideAnEncryptedOneIsFound(t *testing.T) {
	path := project(t, "dev", in("slipway:secrets:", "  GOOD: {secure: AAABBB}", "  BAD: hunter2", "slipway:network: {zones: 5}"))
	config := map[string]string{"aws:region": "us-east-1", "slipway:secrets": `{"GOOD":"hunter1","BAD":"hunter2"}`,
		"slipway:network": `{"zones":5}`}
	err := fromEngine(t, config, []string{"slipway:secrets"}, false, filepath.Dir(path))
	want := []string{
		`Pulumi.dev.yaml:6: network.zones: must be 2 or 3, got 5`,
		`Pulumi.dev.yaml:5: secrets.BAD: must be secret: slipway secret set BAD --stack dev, got [secret]`,
	}
	if diff := cmp.Diff(want, lines(t, err, true)); diff != "" {
		t.Error(diff)
	}
}

// FuzzFromFile checks that any file yields either a Stack or mistakes that name a key or a line, each on one line, without any
// encrypted or secret value.
func FuzzFromFile(f *testing.F) {
	files, err := filepath.Glob("../Pulumi.*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(data))
	}
	for _, seed := range []string{"", "\x00", "config: [", "? {a: b}\n: c\n", "a: &a [*a]\n", "config: {<<: {a: b}}\n",
		"%YAML 1.1\n---\n...\n---\n",
		in("slipway:secrets: {A: {secure: AKIAIOSFODNN7EXAMPLE}}"), in("slipway:app: {env: {A: AKIAIOSFODNN7EXAMPLE}}"),
		"config:\n  \"\": \n  a: !!binary x\n"} {
		f.Add(seed)
	}
	dir := filepath.Dir(project(f, "dev", ""))
	f.Fuzz(func(t *testing.T, content string) {
		path := filepath.Join(dir, "Pulumi.dev.yaml")
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		source, err := FromFile(path)
		if err == nil {
			_, err = load(source)
		}
		sound(t, err)
	})
}

// FuzzLoad does the same for the values that the engine passes.
func FuzzLoad(f *testing.F) {
	for _, key := range known("slipway") {
		for _, text := range []string{"", "{}", "[]", "null", "true", `{"a":1}`, `[{"name":"x","command":["y"],"schedule":"cron(0 3 L * ? *)"}]`,
			"AKIAIOSFODNN7EXAMPLE", "[[[[", "\xff"} {
			f.Add(key, text, "dev", false)
			f.Add(key, text, "", true)
		}
	}
	f.Add("slipway:", "1", "prod", false)
	f.Add("", "1", "prod", false)
	f.Add("slipway:network", `{"cidr":"10.0.0.0/16","zones":3,"nat":"none"}`, "prod", false)
	f.Fuzz(func(t *testing.T, key, text, stack string, secret bool) {
		source := Source{Project: "slipway", Stack: stack, Values: map[string]RawValue{"aws:region": {Text: "us-east-1"}}}
		source.Values[key] = RawValue{Text: text, Secret: secret}
		_, err := load(source)
		sound(t, err)
		if secret && len(text) > 20 && err != nil && strings.Contains(err.Error(), text) && !strings.Contains(key, text) {
			t.Errorf("shows the secret %q: %v", text, err)
		}
	})
}

func sound(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	var mistakes Mistakes
	if !errors.As(err, &mistakes) || len(mistakes) == 0 {
		t.Fatalf("no Mistakes: %#v", err)
	}
	for _, m := range mistakes {
		if m.Key == "" && m.File == "" {
			t.Errorf("names neither key nor file: %#v", m)
		}
		if m.Rule == "" || strings.ContainsAny(m.String(), "\n\r\x00") {
			t.Errorf("is not one line: %q", m.String())
		}
		if strings.Contains(m.String(), "AKIAIOSFODNN7EXAMPLE") && !strings.Contains(m.Key, "AKIA") {
			t.Errorf("shows an access key: %s", m)
		}
	}
}
