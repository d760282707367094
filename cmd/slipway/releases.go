package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"slipway/cmd/slipway/commandline"
	"slipway/operation"
	"slipway/release"
	"slipway/screen"
)

func releasesCommand(run *invocation) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "releases",
		Short: "List what was deployed, by whom, and how it went",
		Long: `Releases lists the deployments of the stack, newest first: which release, when, by whom, and the verdict. A deployment
that never ended is under way, or was killed. With --json it is the whole ledger, oldest first.`,
		Example: `  slipway releases --stack prod
  slipway releases --json | jq -r '.releases[-1].images.django'`,
		Args: commandline.None,
		RunE: func(cmd *cobra.Command, _ []string) error { return releases(cmd.Context(), run, all) },
	}
	cmd.Flags().BoolVar(&all, "all", false, "also list old deployments, and those that changed nothing")
	return cmd
}

// listed is how many deployments are listed unless all are wanted.
const listed = 20

func releases(ctx context.Context, run *invocation, all bool) error {
	target, err := run.target()
	if err != nil {
		return err
	}
	h, err := operation.Releases(ctx, target)
	if err != nil {
		return err
	}
	for _, d := range h.Damaged {
		run.out.warn("Damaged, and left out: %s: %s", d.Key, d.Why)
	}
	running, runs := h.Running()
	err = run.out.print(struct {
		release.History
		Running string `json:"running,omitempty"`
	}{h, running.ID}, func() { printReleases(run.out.data, h, all) })
	switch {
	case err != nil:
	case len(h.Deployments) == 0:
		run.out.say("Stack %s was never deployed; begin with: slipway up%s", run.stack, run.flags())
	case runs:
		d, _ := h.Of(running.ID)
		run.out.say("Release %s was deployed last: %s.", running.ID, outcome(d))
	default:
		run.out.say("No release runs in stack %s.", run.stack)
	}
	return err
}

func printReleases(out screen.Terminal, h release.History, all bool) {
	var rows [][]string
	for i, d := range slices.Backward(h.Deployments) {
		unchanged := i > 0 && d.Good() && d.Changes == 0 && d.Operation != "destroy" && h.Deployments[i-1].Release == d.Release
		if !all && (len(rows) == listed || unchanged) {
			continue
		}
		operation := d.Operation
		if d.From != "" {
			operation += " from " + d.From
		}
		commit, adds := "-", "-"
		if r, err := h.Find(d.Release); err == nil {
			if len(r.Commit) > 10 {
				commit = r.Commit[:10]
			}
			if r.Dirty {
				commit += " (changed)"
			}
			before := func(earlier release.Deployment) bool { return earlier.Release == r.ID }
			if r.Stack == h.Stack && len(r.Adds) > 0 && !slices.ContainsFunc(h.Deployments[:i], before) {
				adds = fmt.Sprintf("%d new", len(r.Adds))
			}
		}
		rows = append(rows, []string{cmp.Or(d.Release, "-"), release.Moment(d.When), operation, commit, adds, d.Who, outcome(d)})
	}
	if len(rows) > 0 {
		out.WriteTable([]screen.Column{{Name: "RELEASE"}, {Name: "DEPLOYED", Drop: 4}, {Name: "BY", Drop: 3}, {Name: "COMMIT", Drop: 5},
			{Name: "MIGRATIONS", Drop: 7}, {Name: "WHO", Drop: 6}, {Name: "VERDICT"}}, rows)
	}
}

// outcome is a deployment's verdict in a few words.
func outcome(d release.Deployment) string {
	switch {
	case d.Verdict == nil:
		return "never ended"
	case d.Verdict.Good:
		return "good"
	case len(d.Verdict.Reasons) == 0:
		return "not good"
	}
	return "not good: " + screen.Short(strings.Join(d.Verdict.Reasons, "; "))
}
