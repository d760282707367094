package config

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"
)

var update = flag.Bool("update", false, "write the tables in docs/configuration.md and README.md, and the config block of Pulumi.yaml")

// mostUsed are the settings that the README explains, in its order.
var mostUsed = []string{"domain", "alarms.email", "app.env", "secrets", "web.memory", "web.min", "web.max",
	"database.class", "workers", "jobs"}

func TestTheReferenceIsInTheDocuments(t *testing.T) {
	for path, embed := range map[string]func(string) (string, bool){
		"../docs/configuration.md": Embed,
		"../README.md":             embedMostUsed,
	} {
		t.Run(path, func(t *testing.T) {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			want, ok := embed(string(data))
			if !ok {
				t.Fatal("the document has no markers, or a setting of the README is not in the reference")
			}
			if want == string(data) {
				return
			}
			if !*update {
				t.Fatalf("out of date; go test ./config -update writes it:\n%s", cmp.Diff(string(data), want))
			}
			if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestTheReferenceIsInOneDocument keeps the whole table out of the README, which is to be read in a few minutes.
func TestTheReferenceIsInOneDocument(t *testing.T) {
	data, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if _, whole := Embed(string(data)); whole {
		t.Error("the README has the markers of the whole reference")
	}
	if lines := strings.Count(string(data), "\n"); lines > 150 {
		t.Errorf("the README has %d lines, want at most 150", lines)
	}
}

// embedMostUsed puts the table of the most used settings between its two markers. Their defaults and meanings are those of the
// reference, without what follows the first sentence. It fails if a setting is not in the reference.
func embedMostUsed(doc string) (string, bool) {
	const begin, end = "<!-- settings:begin -->\n", "<!-- settings:end -->\n"
	before, rest, ok := strings.Cut(doc, begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		return doc, false
	}
	reference := map[string]Key{}
	for _, k := range Reference() {
		reference[k.Path] = k
	}
	var b strings.Builder
	b.WriteString("| key | default | what it is |\n|---|---|---|\n")
	for _, path := range mostUsed {
		k, known := reference[path]
		if !known {
			return doc, false
		}
		def := k.Default
		if def != "" && def != "required" {
			def = "`" + def + "`"
		}
		first, _, _ := strings.Cut(k.Means, ". ")
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", path, def, strings.TrimSuffix(first, ".")+".")
	}
	return before + begin + b.String() + end + after, true
}

func TestEveryKeyIsExplained(t *testing.T) {
	all := Reference()
	if len(all) < 60 {
		t.Fatalf("only %d keys", len(all))
	}
	for _, k := range all {
		if k.Means == "" || !strings.HasSuffix(k.Means, ".") {
			t.Errorf("%s: explained by %q", k.Path, k.Means)
		}
	}
}

// TestPulumiYAMLDeclaresTheKeys holds the config block of Pulumi.yaml to the struct.
func TestPulumiYAMLDeclaresTheKeys(t *testing.T) {
	const path = "../Pulumi.yaml"
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want, err := Declare(string(data))
	if err != nil {
		t.Fatal(err)
	}
	if want == string(data) {
		return
	}
	if !*update {
		t.Fatalf("out of date; go test ./config -update writes it:\n%s", cmp.Diff(string(data), want))
	}
	if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Pulumi reads the block: it refuses a default that is not of the declared type.
func TestDeclarationsAreWhatPulumiTakes(t *testing.T) {
	text, err := Declare("name: shop\nruntime: go\nconfig:\n  shop:old:\n    type: string\n")
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Name, Runtime string
		Config        map[string]struct {
			Type        string
			Items       map[string]string
			Description string
			Default     any
		}
	}
	if err := yaml.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	if got.Name != "shop" || got.Runtime != "go" {
		t.Errorf("the rest of the file is %+v", got)
	}
	keys := 0
	for _, k := range Reference() {
		if strings.ContainsAny(k.Path, ".[") {
			continue
		}
		keys++
		d, declared := got.Config["shop:"+k.Path]
		if !declared || !strings.HasPrefix(k.Means, strings.TrimSuffix(d.Description, ".")) {
			t.Errorf("%s is declared as %+v", k.Path, d)
		}
		switch d.Default.(type) {
		case string:
			if d.Type != "string" || d.Default != k.Default {
				t.Errorf("%s: default %q of type %s, want %q", k.Path, d.Default, d.Type, k.Default)
			}
		case bool:
			if d.Type != "boolean" || k.Type != "boolean" {
				t.Errorf("%s: a boolean of type %s", k.Path, d.Type)
			}
		case []any:
			if d.Type != "array" || d.Items["type"] != "object" || k.Type != "list of objects" {
				t.Errorf("%s: a list of type %s, %v", k.Path, d.Type, d.Items)
			}
		case map[string]any:
			if d.Type != "object" {
				t.Errorf("%s: an object of type %s", k.Path, d.Type)
			}
		default:
			t.Errorf("%s: default %v", k.Path, d.Default)
		}
	}
	if len(got.Config) != keys || keys < 15 {
		t.Errorf("%d keys are declared, the struct has %d", len(got.Config), keys)
	}
	if _, err := Declare("name: shop\n"); err == nil {
		t.Error("a file without a config block is accepted")
	}
}
