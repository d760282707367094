package site

import (
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"

	"slipway/internal/graph"
)

var update = flag.Bool("update", false, "write testdata anew")

var stacks = []string{"local", "dev", "staging", "prod"}

// configured is the configuration of a stack of this repository as the engine hands it over, with more on top.
func configured(t testing.TB, stack string, further map[string]string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "Pulumi."+stack+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Config map[string]any }
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	for key, value := range file.Config { // the engine hands texts over as they are, and all else as JSON
		if text, ok := value.(string); ok {
			values[key] = text
			continue
		}
		text, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		values[key] = string(text)
	}
	maps.Copy(values, further)
	return values
}

// declared records what the program declares for a stack of this repository, with further configuration on top.
func declared(t testing.TB, stack string, further map[string]string) graph.Graph {
	t.Helper()
	g, err := graph.Record(stack, configured(t, stack, further), New(Options{Root: "..", Declare: true}).Run)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func lines(text []byte) []string { return strings.Split(string(text), "\n") }

// builtFrom is the tag of an image that was built: it changes with every byte of the app, which is not what TestGraph is
// about.
var builtFrom = regexp.MustCompile(`("imageName": "[^":]+:|\.slipway/contexts/)[0-9a-f]{20}`)

func TestGraph(t *testing.T) {
	for _, stack := range stacks {
		t.Run(stack, func(t *testing.T) {
			got, err := declared(t, stack, nil).JSON()
			if err != nil {
				t.Fatal(err)
			}
			got = builtFrom.ReplaceAll(got, []byte(`${1}TAG`))
			golden := filepath.Join("testdata", "graph."+stack+".json")
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(lines(want), lines(got)); diff != "" {
				t.Errorf("the %s stack declares something else (update with go test ./site -run TestGraph -update, and read the diff):\n%s",
					stack, diff)
			}
		})
	}
}
