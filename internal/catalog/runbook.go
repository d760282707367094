package catalog

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"slipway/internal/version"
	"slipway/internal/wiring"
)

// runbook is the page with an entry for each alarm, in this repository.
const runbook = "docs/runbook.md"

// onCall are the commands for which the policy of `slipway policy on-call` is enough.
var onCall = []string{"status", "logs", "doctor", "exec", "task", "job", "shell", "db", "scale", "restart", "pause", "resume"}

// deployers is what an alarm and the runbook say of any other command.
const deployers = " (needs the rights to deploy)"

// OnCall reports whether the on-call policy allows a command of Slipway, which may be given with its arguments.
func OnCall(command string) bool {
	name, _, _ := strings.Cut(command, " ")
	return slices.Contains(onCall, name)
}

// rights is what to say after a command.
func rights(command string) string {
	if OnCall(command) {
		return ""
	}
	return deployers
}

// Anchor is the alarm's entry in the runbook.
func (a Alarm) Anchor() string { return cmp.Or(a.Entry, a.Name) }

// Description is what AWS sends with the alarm: what it means, what to do next, and where more is said.
func (a Alarm) Description(site wiring.Site) string {
	page := cmp.Or(site.Runbook, version.Repository+"/blob/main/"+runbook) // of no version: an upgrade changes no alarm
	return fmt.Sprintf("%s Next: slipway %s --stack %s --live%s. Runbook: %s#%s", a.Why, a.Next, site.Stack, rights(a.Next), page, a.Anchor())
}

// commands are those that a text of the runbook names.
var commands = regexp.MustCompile("`slipway ([^`]+)`")

// marked is a text in which each command that needs more than the policy for people on call says so.
func marked(text string) string {
	return commands.ReplaceAllStringFunc(text, func(quoted string) string {
		return quoted + rights(commands.FindStringSubmatch(quoted)[1])
	})
}

// Runbook is the page: for every alarm what it means, what to check, and which command is next.
func (c Catalog) Runbook() string {
	var b strings.Builder
	b.WriteString("# Runbook\n\nOne entry for each alarm: what it means, what to check, and the next command. The description of an alarm " +
		"in AWS, and so the e-mail, links to its entry; `alarms.runbook` sets where this page is published. Add `--stack NAME --live` after " +
		"the command's name, as in `slipway db psql --stack NAME --live -- -c 'SELECT 1'`. `slipway policy on-call` allows all commands here " +
		"but those that need the rights to deploy. Generated from the components' facts: `go test ./site -run TestTheRunbook -update`.\n")
	seen := map[string]bool{}
	for _, r := range c {
		for _, a := range r.Alarms {
			if seen[a.Anchor()] {
				continue
			}
			seen[a.Anchor()] = true
			fmt.Fprintf(&b, "\n## %s\n\n%s\n\nFires when %s.", a.Anchor(), marked(a.Why), a.condition())
			if a.Release {
				b.WriteString(" If it fires while a release is being deployed, ECS rolls the release back.")
			}
			b.WriteString("\n\nCheck:\n\n")
			for i, check := range a.Check {
				fmt.Fprintf(&b, "%d. %s\n", i+1, marked(check))
			}
			fmt.Fprintf(&b, "\nNext: %s\n", marked("`slipway "+a.Next+"`"))
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
