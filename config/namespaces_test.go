package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A project with the name of a provider would have its keys in the provider's namespace: the name is the only mistake.
func TestNamesOfProvidersAreReserved(t *testing.T) {
	for _, name := range []string{"aws", "pulumi", "docker"} {
		path := project(t, "dev", "config:\n  aws:region: us-east-1\n  "+name+":domain: example.com\n  "+name+":zone: example.com\n")
		if err := os.WriteFile(filepath.Join(filepath.Dir(path), "Pulumi.yaml"), []byte("name: "+name+"\nruntime: go\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		source, err := FromFile(path)
		if err != nil {
			t.Fatal(err)
		}
		_, err = load(source)
		if got := lines(t, err, false); len(got) != 1 || !strings.Contains(got[0], "the name is reserved") ||
			!strings.Contains(got[0], name+"-site") {
			t.Errorf("%s: %q", name, got)
		}
	}
}
