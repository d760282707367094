package config

import (
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"
)

var update = flag.Bool("update", false, "write the tables in docs/configuration.md and README.md")

func TestTheReferenceIsInTheDocuments(t *testing.T) {
	for _, path := range []string{"../docs/configuration.md", "../README.md"} {
		t.Run(path, func(t *testing.T) {
			data, err := os.ReadFile(path)
			if err != nil && strings.HasSuffix(path, "README.md") {
				t.Skip("no README")
			}
			if err != nil {
				t.Fatal(err)
			}
			want, ok := Embed(string(data))
			if !ok {
				if strings.HasSuffix(path, "README.md") {
					t.Skip("the README does not contain the table")
				}
				t.Fatalf("no markers %s and %s", strings.TrimSpace(begin), strings.TrimSpace(end))
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

// Pulumi.yaml declares the same keys, types, defaults and descriptions as the struct.
func TestPulumiYAMLDeclaresTheSameKeys(t *testing.T) {
	data, err := os.ReadFile("../Pulumi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	type declaration struct {
		Type        string
		Items       map[string]string
		Description string
		Default     any
	}
	var got struct {
		Name   string
		Config map[string]declaration
	}
	if err := yaml.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	means := comments()
	want := map[string]declaration{}
	for _, f := range fieldsOf(reflect.TypeFor[Stack]()) {
		first, _, _ := strings.Cut(means["Stack."+f.name], ". ")
		d := declaration{Description: strings.TrimSuffix(first, ".") + ".", Default: f.def}
		switch f.kind() {
		case boolean:
			d.Type, d.Default = "boolean", f.def == "true"
		case list:
			d.Type, d.Default, d.Items = "array", []any{}, map[string]string{"type": "object"}
		case object:
			d.Type, d.Default = "object", map[string]any{}
		default:
			d.Type = "string"
		}
		want[got.Name+":"+f.key] = d
	}
	if diff := cmp.Diff(want, got.Config); diff != "" {
		t.Errorf("Pulumi.yaml and the struct differ (-struct +Pulumi.yaml):\n%s", diff)
	}
}
