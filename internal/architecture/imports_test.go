// Package architecture checks which packages may import which, and that files do not all depend on each other.
package architecture

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "slipway/"

var components = []string{"keys", "network", "datastore", "settings", "cicd", "ecs", "batch", "logging", "bastion"}

// allowed lists which packages of this module each package may import; a trailing slash includes the packages below.
var allowed = map[string][]string{
	"main":                 {"site"},
	"site":                 append([]string{"config", "internal/"}, components...),
	"config":               {"internal/fargate/size"}, // one table of what Fargate offers
	"release":              {},
	"rehearsal":            {"rehearsal/"},
	"rehearsal/provider":   {"rehearsal/cloud"},
	"rehearsal/cloud":      {},
	"rehearsal/containers": {"rehearsal/cloud", "rehearsal/provider"},
	"cmd/slipway": {"site", "config", "release", "rehearsal", "rehearsal/", "ecs",
		"cicd", "internal/policy", "internal/wiring"}, // bootstrap makes the deploy role before a program can run
	"sandbox":     {}, // it judges the command from outside, as a user does
	"cmd/sandbox": {"sandbox"},
}

func TestPackagesImportOnlyWhatTheyMay(t *testing.T) {
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
				t.Errorf("%s imports %s: the model of AWS must not depend on Pulumi", importer, path)
			case strings.HasPrefix(importer, "rehearsal") && strings.Contains(path, "pulumi-aws"):
				t.Errorf("%s imports %s: the rehearsal reads the provider's schema, not its SDK", importer, path)
			}
		}
	}
	if seen < 100 {
		t.Errorf("only %d imports were checked: go list printed something unexpected", seen)
	}
}

// rule lists what importer may import from this module.
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

func TestPackageNamesSayWhatTheyAreAbout(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", "{{.Name}} {{.ImportPath}}", module+"...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		name, path, _ := strings.Cut(line, " ")
		if slices.Contains([]string{"util", "utils", "common", "helpers", "types", "misc"}, name) {
			t.Errorf("%s: %q does not say what the package is about", path, name)
		}
	}
}
