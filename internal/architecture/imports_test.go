// Package architecture holds the rules of who may import whom.
package architecture

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "slipway/"

var components = []string{"keys", "network", "datastore", "settings", "cicd", "ecs", "batch", "logging", "bastion"}

// allowed says which packages of this module each part may import; a trailing slash covers what lies below.
var allowed = map[string][]string{
	"main":               {"site"},
	"site":               append([]string{"config", "internal/"}, components...),
	"config":             {"internal/fargate/size"}, // one table of what Fargate offers
	"release":            {},
	"rehearsal":          {"rehearsal/"},
	"rehearsal/provider": {"rehearsal/cloud"},
	"rehearsal/cloud":    {},
	"rehearsal/run":      {"rehearsal/cloud", "rehearsal/provider"},
	"cmd/slipway": {"site", "config", "release", "rehearsal", "rehearsal/", "ecs",
		"cicd", "internal/policy", "internal/wiring"}, // bootstrap makes the deploy role before a program can run
	"sandbox":     {}, // it judges the command from outside, as a user does
	"cmd/sandbox": {"sandbox"},
}

func TestWhoMayImportWhom(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", "{{.ImportPath}} {{join .Imports \" \"}}", module+"...").Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		fields := strings.Fields(line)
		importer, imports := strings.TrimPrefix(fields[0], module), fields[1:]
		if importer == "slipway" {
			importer = "main"
		}
		for _, path := range imports {
			imported, ours := strings.CutPrefix(path, module)
			seen++
			switch {
			case ours && !may(importer, imported):
				t.Errorf("%s imports %s: it may import only %v of this module", importer, imported, rule(importer))
			case importer == "rehearsal/cloud" && strings.Contains(path, "pulumi"):
				t.Errorf("%s imports %s: the model of AWS knows nothing of Pulumi", importer, path)
			case strings.HasPrefix(importer, "rehearsal") && strings.Contains(path, "pulumi-aws"):
				t.Errorf("%s imports %s: the rehearsal reads the provider's schema, not its SDK", importer, path)
			}
		}
	}
	if seen < 100 {
		t.Errorf("only %d imports were looked at: the listing is not what this test believes", seen)
	}
}

// rule is what importer may import of this module.
func rule(importer string) []string {
	if own, ok := allowed[importer]; ok {
		return own
	}
	return []string{"internal/"} // components and internal packages
}

func may(importer, imported string) bool {
	return slices.ContainsFunc(rule(importer), func(r string) bool {
		return r == imported || (strings.HasSuffix(r, "/") && strings.HasPrefix(imported, r))
	})
}

func TestNoPackageIsADrawerForEverything(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", "{{.Name}} {{.ImportPath}}", module+"...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		name, path, _ := strings.Cut(line, " ")
		if slices.Contains([]string{"util", "utils", "common", "helpers", "types", "misc"}, name) {
			t.Errorf("%s: a package says what it is about, %q says nothing", path, name)
		}
	}
}
