// Package architecture checks which packages may import which, and that files do not all depend on each other.
package architecture

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"slipway/site"
)

const module = "slipway/"

// components are the packages that only site may import.
func components() []string {
	var names []string
	for _, c := range site.Components {
		names = append(names, c.Name)
	}
	return names
}

// allowed says which packages of this module each part may import; a trailing slash covers what is below. Each layer imports
// only layers below it: command, operation, account, then the rules and the engine, which imports nothing of this module.
var allowed = map[string][]string{
	"main": {"site"},
	"site": append([]string{"config", "adapter", "internal/"}, components()...),
	// The helper's sources are part of the images' tags; its program is no package of Slipway's.
	"adapter": {"helper", "internal/fargate/mount", "internal/image"},
	"config": {"internal/fargate/size", "internal/fargate/mount", "internal/catalog", "internal/github", "internal/image",
		"internal/version"}, // what AWS and GitHub offer, once

	// The command knows neither the model nor the account: it gets results, and values of the layers below in them.
	"cmd/slipway": {"cmd/slipway/commandline", "cmd/slipway/interrupts", "cmd/slipway/operate", "screen", "operation", "operation/account",
		"operation/pullrequest", "operation/workflows", "internal/version", "engine", "release", "verdict", "drift", "bootstrap"},
	"cmd/slipway/commandline": {"cmd/slipway/interrupts", "operation", "operation/workflows", "release", "internal/version"},
	"cmd/slipway/operate": {"cmd/slipway/commandline", "cmd/slipway/interrupts", "screen", "operation", "operation/account",
		"operation/account/process", "operation/setup", "check", "release", "verdict"},
	"cmd/slipway/interrupts": {},
	"screen":                 {},

	"check": {}, // it reads a project, and knows neither AWS nor the engine

	"operation": {"operation/account", "operation/account/", "engine", "engine/inprocess", "release", "verdict", "drift", "diagnosis",
		"bootstrap", "check", "logline", "internal/redact",
		"rehearsal/finding", "rehearsal/whatif",
		// bootstrap creates the deploy role before a program can run
		"site", "config", "cicd", "internal/catalog", "internal/image", "internal/version", "internal/wiring",
		"internal/fargate/size"}, // which sizes of a one-off task Fargate has
	"operation/pullrequest": {"operation", "engine", "internal/github"},
	"operation/setup":       {"operation", "check", "config", "internal/version", "internal/yamlmerge"},
	"operation/workflows":   {"operation", "config", "site", "internal/version"}, // which names are reserved

	// What an account does for a program (migrate, copy images) has the types of the components that ask for it.
	"operation/account":             {"engine", "verdict", "bootstrap", "ecs", "operation/account/process", "logline"},
	"operation/account/process":     {},
	"operation/account/accounttest": {"operation/account", "verdict", "bootstrap", "internal/image", "logline"},
	"operation/account/awsaccount": {"operation/account", "operation/account/process", "engine", "verdict", "drift", "bootstrap", "ecs",
		"cicd", "logline", "internal/bucket/hardening", "internal/github"},
	"operation/account/modelaccount": {"operation/account", "operation/account/process", "engine", "verdict", "bootstrap", "ecs", "logline",
		"rehearsal", "rehearsal/", "internal/bucket/hardening", "internal/image", "internal/redact"},

	"engine":                      {"engine/inprocess"},
	"engine/inprocess":            {"engine/inprocess/passphrase"},
	"engine/inprocess/passphrase": {},
	"verdict":                     {"internal/redact"},
	"logline":                     {}, // usable on its own
	"drift":                       {},
	"diagnosis":                   {"internal/redact"},
	"release":                     {"verdict", "internal/image"},
	"bootstrap":                   {"release", "internal/policy", "internal/bucket/hardening"}, // release: other accounts may read its records

	"rehearsal":            {"rehearsal/"},
	"rehearsal/provider":   {"rehearsal/cloud", "rehearsal/contracts"},
	"rehearsal/cloud":      {"rehearsal/iam", "rehearsal/finding", "rehearsal/reach", "rehearsal/contracts"},
	"rehearsal/finding":    {},
	"rehearsal/whatif":     {"rehearsal/cloud"},
	"rehearsal/iam":        {}, // usable on its own
	"rehearsal/reach":      {}, // usable on its own
	"rehearsal/contracts":  {}, // usable on its own
	"rehearsal/containers": {"rehearsal/cloud", "rehearsal/provider", "rehearsal/contracts"},

	"cmd/sandbox":   {"sandbox"},
	"tools/iamcase": {"rehearsal/iam"},
	"sandbox":       {}, // it drives the command like a user
}

// sdkFree are the packages that call no AWS API themselves.
var sdkFree = []string{"cmd/slipway", "cmd/slipway/operate", "operation", "engine", "release", "verdict", "drift", "diagnosis",
	"bootstrap", "logline"}

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
			case slices.Contains(sdkFree, importer) && strings.HasPrefix(path, "github.com/aws/"):
				t.Errorf("%s imports %s: only an account calls AWS", importer, path)
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

func TestPackageNamesAreMeaningful(t *testing.T) {
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
