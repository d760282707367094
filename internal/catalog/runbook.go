package catalog

import (
	"cmp"
	"fmt"
	"strings"

	"slipway/internal/version"
	"slipway/internal/wiring"
)

// runbook is the page with an entry for each alarm, in this repository.
const runbook = "docs/runbook.md"

// Anchor is the alarm's entry in the runbook.
func (a Alarm) Anchor() string { return cmp.Or(a.Entry, a.Name) }

// Description is what AWS sends with the alarm: what it means, what to do next, and where more is said.
func (a Alarm) Description(site wiring.Site) string {
	page := cmp.Or(site.Runbook, version.Repository+"/blob/main/"+runbook) // of no version: an upgrade changes no alarm
	return fmt.Sprintf("%s Next: slipway %s --stack %s --live. Runbook: %s#%s", a.Why, a.Next, site.Stack, page, a.Anchor())
}

// Runbook is the page: for every alarm what it means, what to check, and which command is next.
func (c Catalog) Runbook() string {
	var b strings.Builder
	b.WriteString("# Runbook\n\nOne entry for each alarm: what it means, what to check, and the next command. The description of an alarm " +
		"in AWS, and so the e-mail, links to its entry; `alarms.runbook` sets where this page is published. Add `--stack NAME --live` to the " +
		"commands. Generated from the components' facts: `go test ./site -run TestTheRunbook -update`.\n")
	seen := map[string]bool{}
	for _, r := range c {
		for _, a := range r.Alarms {
			if seen[a.Anchor()] {
				continue
			}
			seen[a.Anchor()] = true
			fmt.Fprintf(&b, "\n## %s\n\n%s\n\nFires when %s.", a.Anchor(), a.Why, a.condition())
			if a.Release {
				b.WriteString(" If it fires while a release is being deployed, ECS rolls the release back.")
			}
			b.WriteString("\n\nCheck:\n\n")
			for i, check := range a.Check {
				fmt.Fprintf(&b, "%d. %s\n", i+1, check)
			}
			fmt.Fprintf(&b, "\nNext: `slipway %s`\n", a.Next)
		}
	}
	return b.String()
}

// condition is when the alarm fires, in words.
func (a Alarm) condition() string {
	limit := fmt.Sprintf("%g", a.Threshold)
	if a.Of != "" {
		limit = fmt.Sprintf("%g %% of %s", a.Threshold*100, a.Of)
	}
	side := map[bool]string{true: "at least", false: "at most"}[a.Above]
	if a.Threshold == 0 {
		side, limit = "more than", "0"
	}
	return fmt.Sprintf("`%s` (%s) is %s %s for %d minutes", a.Metric, a.Statistic, side, limit, a.Minutes)
}

// valid reports whether an alarm has its entry.
func (a Alarm) valid() bool { return a.Why != "" && len(a.Check) > 0 && a.Next != "" }
