package config

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
	"github.com/pulumi/esc"
	pulumiconfig "github.com/pulumi/pulumi/sdk/v3/go/common/resource/config"
	"github.com/pulumi/pulumi/sdk/v3/go/common/workspace"
)

// projectWithValues has every kind of value that a project can give to its stacks.
const projectWithValues = `name: slipway
runtime: go
config:
  aws:profile: {value: shop}
  slipway:domain: {type: string, default: ""}
  slipway:protect: {type: boolean, default: false}
  slipway:keys: {type: string, default: shared}
  slipway:app: {type: object, default: {port: 9000, env: {A: b, C: ""}, manage: [a, b]}}
  slipway:jobs: {type: array, items: {type: object}, default: []}
`

// scalars are what YAML reads in one way and a person in another.
var scalars = []string{"2023-05-15", "2023-05-15T10:00:00Z", "2001-12-14 21:59:43.10 -5", "017", "0o17", "0x1F", "0b1", "1_000", "1e3",
	"1.10", "+5", "-0", ".5", "5.",
	".inf", "-.Inf", ".NaN", "yes", "No", "on", "OFF", "y", "n", "true", "True", "FALSE", "~", "null", "NULL", "", "12:30:45", "1:30", "=",
	"<<", "'x'", `"x"`, `"\x41\u00e9\n"`,
	"|\n    x\n", ">-\n    x\n    y\n", "!!str 5", "!!int 5", "!!binary eA==", "!x y", "&a x", "*a", "x # y", "#x", "12345678901234567890",
	"1e400", "@x", "`x`", "%x", "\u2028", "\u0085",
	"caf\u00e9", "[a, 1]", "{a: 1}", "[]", "{}", "? a", "- a", "a: b"}

// stackFiles are the seeds: each scalar in each place, and files as editors and other programs write them.
func stackFiles() []string {
	var all []string
	for _, s := range scalars {
		for _, at := range []string{"slipway:app: {env: {X: %}}", "slipway:app:\n    env:\n      X: %", "slipway:app: {port: %}",
			"slipway:app: {manage: [x, %]}", "slipway:app: %", "slipway:keys: %", "slipway:protect: %",
			"slipway:web: {max: %}", "slipway:domain: %",
			"slipway:tags: {%: x}", "slipway:workers: [{name: a, command: [x, %]}]", "aws:allowedAccountIds: [%]", "aws:allowedAccountIds: %",
			"aws:profile: %",
			"slipway:secrets: {X: {secure: %}}", "aws:maxRetries: %", "pulumi:tags: {a: %}", "%: x"} {
			all = append(all, in(strings.ReplaceAll(at, "%", s)))
		}
	}
	plain := in("slipway:app: {env: {A: 'b'}}", "slipway:web: {max: 3}", "slipway:domain: www.example.com",
		"slipway:secrets: {A: {secure: AAABBB}}", "aws:allowedAccountIds: ['123456789012']")
	wide := []byte{0xFF, 0xFE}
	for _, r := range utf16.Encode([]rune(plain)) {
		wide = append(wide, byte(r), byte(r>>8))
	}
	return append(all, plain, string(wide), "\xEF\xBB\xBF"+plain, strings.ReplaceAll(plain, "\n", "\r\n"), strings.ReplaceAll(plain, "\n",
		"\r"),
		"---\n"+plain+"...\n", "%YAML 1.1\n---\n"+plain, "%YAML 1.2\n---\n"+plain, plain+"---\n", plain+"# end", strings.TrimSuffix(plain, "\n"),
		"# caf\xe9\n"+plain, "config: &c\n  aws:region: us-east-1\nother: *c\n", "config:\n  <<: {aws:region: us-east-1}\n", plain+plain,
		"encryptionsalt: v1:x\n"+plain,
		"secretsprovider: awskms://x\nencryptedkey: AAA\n"+plain, "environment: [a]\n"+plain, "config:\n  \"aws:region\": us-east-1\n",
		"config: {\"aws:region\": us-east-1}\n",
		`{"config": {"aws:region": "us-east-1", "slipway:web": {"max": 3}}}`, "config:\n  aws:region: us-east-1\n  region: x\n",
		"config:\n  slipway:config:domain: a.example.com\n  aws:region: us-east-1\n",
		"config:\n  ? aws:region\n  : us-east-1\n", "config:\n  ? [a]\n  : us-east-1\n", in("slipway:app: {env: {A: b, A: c}}"),
		in("slipway:app: {env: {A: b}}", "slipway:app: {env: {A: c}}"),
		in("slipway:app: {env: {'A': &x b, B: *x}}"), in("slipway:web: {max: 3, <<: {min: 2}}"), in("slipway:app: {env: {secure: x}}"),
		in("slipway:web: {secure: AAA}"), in("aws:profile: {secure: AAA}"),
		in("slipway:app: !!map {port: 9000}"), in("slipway:jobs: !!seq []"), in("slipway:workers: !!omap [a: b]"),
		in("slipway:app: {env: !!set {A}}"))
}

// FuzzAgainstPulumi compares what Slipway reads from a stack's file with what Pulumi's own workspace passes to the program. A
// file that Slipway accepts means the same to both, to the last character; any other is refused.
func FuzzAgainstPulumi(f *testing.F) {
	for _, content := range stackFiles() {
		f.Add(content)
	}
	path := project(f, "dev", "")
	folder := filepath.Dir(path)
	if err := os.WriteFile(filepath.Join(folder, "Pulumi.yaml"), []byte(projectWithValues), 0o644); err != nil {
		f.Fatal(err)
	}
	pulumi, err := workspace.LoadProject(filepath.Join(folder, "Pulumi.yaml"))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, content string) {
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		source, err := FromFile(path)
		var read *Stack
		if err == nil {
			read, err = load(source)
		}
		sound(t, err)
		if err != nil {
			return
		}
		agrees(t, pulumi, path, source, read)
	})
}

// agrees checks that Pulumi reads the same as Slipway.
func agrees(t *testing.T, pulumi *workspace.Project, path string, source Source, read *Stack) {
	t.Helper()
	file, err := workspace.LoadProjectStack(nil, pulumi, path)
	if err != nil {
		t.Fatalf("Pulumi refuses what Slipway read as %v: %v", source.Values, err)
	}
	none := pulumiconfig.NopDecrypter
	if err := workspace.ApplyProjectConfig(context.Background(), "dev", pulumi, esc.Value{}, file.Config, pulumiconfig.NopEncrypter,
		none); err != nil {
		t.Fatalf("Pulumi refuses what Slipway read as %v: %v", source.Values, err)
	}
	passed := Source{Project: source.Project, Stack: source.Stack, Root: source.Root, Values: map[string]RawValue{}}
	var ours, theirs []string
	for key := range source.Values {
		ours = append(ours, key)
	}
	for key, value := range file.Config {
		text, err := value.Value(none)
		if err != nil {
			t.Fatal(err)
		}
		theirs = append(theirs, key.String())
		if key.String() != "slipway:secrets" {
			passed.Values[key.String()] = RawValue{Text: text, Secret: value.Secure()}
			continue
		}
		var secrets map[string]any
		if err := json.Unmarshal([]byte(text), &secrets); err != nil {
			t.Fatalf("Pulumi's secrets are %q: %v", text, err)
		}
		var names []string
		for name := range secrets {
			names = append(names, name)
		}
		slices.Sort(names)
		if diff := cmp.Diff(names, read.SecretNames); diff != "" {
			t.Errorf("names of secrets (-Pulumi +Slipway):\n%s", diff)
		}
	}
	slices.Sort(ours)
	slices.Sort(theirs)
	if diff := cmp.Diff(theirs, ours); diff != "" {
		t.Errorf("keys (-Pulumi +Slipway):\n%s", diff)
	}
	engine, err := load(passed)
	if err != nil {
		t.Fatalf("what Pulumi passes is refused: %v", err)
	}
	engine.SecretNames, engine.Secrets = read.SecretNames, read.Secrets
	if diff := cmp.Diff(engine, read); diff != "" {
		t.Errorf("(-Pulumi +Slipway):\n%s", diff)
	}
}
