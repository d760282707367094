package site

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"slipway/internal/catalog"
)

// TestTheTableOfResources holds docs/resources.md to the catalog.
func TestTheTableOfResources(t *testing.T) {
	const file = "../docs/resources.md"
	got := resourcesTable()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(lines(want), lines([]byte(got))); diff != "" {
		t.Errorf("the facts have changed (go test ./site -run TestTheTableOfResources -update writes the page):\n%s", diff)
	}
}

func resourcesTable() string {
	components := map[string][]string{}
	for _, c := range Components {
		for _, r := range c.Facts(anySite) {
			if !slices.Contains(components[r.Type], c.Name) {
				components[r.Type] = append(components[r.Type], c.Name)
			}
		}
	}
	rows := map[string]catalog.Resource{}
	for _, r := range Catalog(anySite) {
		if known, there := rows[r.Type]; there {
			r.Offers = append(slices.Clone(known.Offers), r.Offers...)
			r.Alarms = append(slices.Clone(known.Alarms), r.Alarms...)
			r.Ports = append(slices.Clone(known.Ports), r.Ports...)
		}
		rows[r.Type] = r
	}
	var b strings.Builder
	b.WriteString("# Resources\n\nWhat the components know about the types of resources that they create, from their `facts.go`. " +
		"Generated: `go test ./site -run TestTheTableOfResources -update`.\n\n" +
		"| type | components | if it is missing | when deleted or replaced | effects of changes | dangerous drift " +
		"| AWS changes | alarms | offers | ports |\n" +
		"|---|---|---|---|---|---|---|---|---|---|\n")
	for _, token := range slices.Sorted(maps.Keys(rows)) {
		r := rows[token]
		names := components[token]
		slices.Sort(names)
		var risks, effects, alarms, ports, offers []string
		for _, v := range r.Offers {
			offers = append(offers, code("{"+v.Name+"}"))
		}
		for _, e := range r.Effects {
			effects = append(effects, code(strings.ReplaceAll(cmp.Or(e.Path, "replaced"), "|", ", "))+" "+e.Says)
		}
		for _, risk := range r.Risks {
			risks = append(risks, code(strings.ReplaceAll(risk.Path, "|", ", "))+" "+risk.Why)
		}
		for _, a := range r.Alarms {
			alarms = append(alarms, a.Name)
		}
		for _, port := range r.Ports {
			ports = append(ports, fmt.Sprint(port))
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", code(token), listed(names), text(r.Missing), text(r.Loss.Says),
			listed(effects), listed(risks), code(strings.ReplaceAll(r.AWSManaged, "|", ", ")), listed(alarms),
			listed(slices.Compact(slices.Sorted(slices.Values(offers)))), listed(ports))
	}
	return b.String()
}

func text(s string) string {
	if s == "" {
		return "–"
	}
	return s
}

func code(s string) string {
	if s == "" {
		return "–"
	}
	return "`" + s + "`"
}

func listed(all []string) string { return text(strings.Join(all, "; ")) }
