package operate

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"slipway/cmd/slipway/commandline"
	"slipway/operation"
	"slipway/release"
	"slipway/screen"
)

func statusCommand(t *Tools) *cobra.Command {
	var watch bool
	every := 5 * time.Second
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show how the site is: tasks, database, cache, alarms, jobs, deployments",
		Long: `Status shows a stack on one screen: its URL, the release and its verdict, wanted, running and healthy tasks, the database
and its backups, the cache, alarms that fire, certificates, the last runs of jobs, who holds the lock, and the last drift
check. It takes no lock, so it also works while another run deploys, and changes nothing.

It shows and does not judge: the exit code is 0 if the stack could be looked at, whatever is wrong with it; slipway drift
and the verdict of a deployment judge. A part that cannot be read says why. With --watch the picture is drawn again until
Ctrl-C, and without a terminal written again. In a rehearsal, what a model cannot know is missing.`,
		Example: `  slipway status --stack prod --live --watch
  slipway status --json | jq '.services[] | {name, running, healthy}'`,
		Args: commandline.None,
		RunE: t.on(func(ctx context.Context, target operation.Target, _ []string) error {
			if every < time.Second {
				return operation.UsageError{Err: fmt.Errorf("--every %s: at least 1s", every)}
			}
			return t.status(ctx, target, watch, every)
		}),
	}
	cmd.Flags().BoolVarP(&watch, "watch", "w", false, "draw it again until Ctrl-C")
	cmd.Flags().DurationVar(&every, "every", every, "with --watch: how often")
	return cmd
}

func (t *Tools) status(ctx context.Context, target operation.Target, watch bool, every time.Duration) error {
	looking, err := operation.WatchStatus(ctx, target)
	if err != nil {
		return err
	}
	draw := func(page screen.Terminal) error {
		s, err := looking.Look(ctx)
		if err == nil {
			page.WriteStatus(statusOf(s))
		}
		return err
	}
	switch {
	case !watch:
		s, err := looking.Look(ctx)
		if err != nil {
			return err
		}
		return t.Print(s, func() { t.Data.WriteStatus(statusOf(s)) })
	case t.JSON():
		return operation.UsageError{Err: fmt.Errorf("--watch draws a picture, --json writes one value: give one of them")}
	}
	return t.Data.Redraw(ctx, every, draw)
}

// statusOf is a status in words.
func statusOf(s *operation.Status) screen.Status {
	place := "live"
	if !s.Live {
		place = "rehearsal"
	}
	shown := screen.Status{Title: fmt.Sprintf("Stack %s, %s, %s", s.Stack, place, s.At.Format(time.RFC3339))}
	fact := func(name, value string) {
		if value != "" {
			shown.Facts = append(shown.Facts, screen.Pair{Name: name, Value: value})
		}
	}
	fact("URL", s.URL)
	fact("Paused", pausedOf(s.Paused))
	fact("Release", releaseOf(s))
	fact("Database", databaseOf(s.Database))
	fact("Backups", backupsOf(s))
	fact("Cache", cacheOf(s.Cache))
	for _, c := range s.Certificates {
		fact("Certificate", certificateOf(c, s.At))
	}
	fact("Alarms", alarmsOf(s.Alarms))
	unread := func(what string) bool {
		return slices.ContainsFunc(s.Unknown, func(u operation.Unread) bool { return u.What == what })
	}
	lock := "free"
	if unread("lock") {
		lock = ""
	} else if len(s.Locks) > 0 {
		lock = "held by " + strings.Join(s.Locks, "; ")
	}
	fact("Lock", lock)
	drift := "never checked"
	if unread("last drift check") {
		drift = ""
	} else if s.Drift != nil {
		drift = fmt.Sprintf("%d resources differ, checked %s", s.Drift.Found, ago(&s.Drift.When, s.At))
		if s.Drift.Found == 1 {
			drift = "1 resource differs, checked " + ago(&s.Drift.When, s.At)
		}
		if s.Drift.Found == 0 {
			drift = "none, checked " + ago(&s.Drift.When, s.At)
		}
	}
	fact("Drift", drift)
	fact("Simulated", s.Simulated)
	shown.Services, shown.Jobs = servicesOf(s.Services), jobsOf(s)
	for _, d := range s.Deployments {
		shown.Deployed = append(shown.Deployed, []string{release.Moment(d.When), d.Operation, cmp.Or(d.Release, "-"), d.Who, verdictOf(d)})
	}
	if s.Alarms != nil {
		for _, a := range s.Alarms.Firing {
			shown.Firing = append(shown.Firing, []string{a.Name, ago(a.Since, s.At), cmp.Or(a.Reason, a.Description)})
		}
	}
	for _, u := range s.Unknown {
		shown.Unknown = append(shown.Unknown, screen.Pair{Name: u.What, Value: u.Why})
	}
	return shown
}

func pausedOf(p *operation.PausedState) string {
	if p == nil {
		return ""
	}
	words := fmt.Sprintf("since %s, by %s; to end it: %s", p.Since.Format(time.DateTime+" MST"), p.Who, p.Next)
	if p.Starts != nil {
		words += "; AWS starts the database on " + p.Starts.Format(time.DateOnly)
	}
	return words
}

func releaseOf(s *operation.Status) string {
	if s.Release == nil {
		if slices.ContainsFunc(s.Unknown, func(u operation.Unread) bool { return u.What == "releases" }) {
			return ""
		}
		return "none runs"
	}
	for _, d := range s.Deployments {
		if d.Release == s.Release.ID {
			return s.Release.ID + ", " + verdictOf(d)
		}
	}
	return s.Release.ID
}

// verdictOf is a deployment's verdict in a few words.
func verdictOf(d release.Deployment) string {
	switch {
	case d.Verdict == nil:
		return "under way, or never ended"
	case d.Verdict.Good:
		return "good"
	case len(d.Verdict.Reasons) == 0:
		return "not good"
	}
	return "not good: " + screen.Short(strings.Join(d.Verdict.Reasons, "; "))
}

func servicesOf(all []operation.ServiceState) [][]string {
	var rows [][]string
	for _, s := range all {
		healthy, scaling := "-", "-"
		if s.Healthy != nil {
			healthy = fmt.Sprint(*s.Healthy)
		}
		if s.Max > 0 {
			scaling = fmt.Sprintf("%d to %d", s.Min, s.Max)
			if s.Suspended {
				scaling += ", suspended"
			}
		}
		note := s.Reason
		if s.Deployment != "" {
			note = strings.TrimSuffix("deployment "+s.Deployment+": "+s.Reason, ": ")
		}
		rows = append(rows, []string{s.Name, fmt.Sprint(s.Wanted), fmt.Sprint(s.Running), healthy, scaling, note})
	}
	return rows
}

func jobsOf(s *operation.Status) [][]string {
	var rows [][]string
	for _, j := range s.Jobs {
		result := cmp.Or(j.Reason, "-")
		switch {
		case j.Running:
			result = "running"
		case j.ExitCode != nil && *j.ExitCode == 0:
			result = "exit code 0"
		case j.ExitCode != nil:
			result = strings.TrimSuffix(fmt.Sprintf("exit code %d: %s", *j.ExitCode, j.Reason), ": ")
		}
		schedule := j.Schedule
		if j.Disabled {
			schedule += ", disabled"
		}
		rows = append(rows, []string{j.Name, schedule, ago(j.Last, s.At), result})
	}
	return rows
}

func databaseOf(d *operation.DatabaseState) string {
	if d == nil || d.Class == "" {
		return ""
	}
	words := []string{d.Class, d.Status, d.Engine}
	if d.MultiAZ {
		words = append(words, "Multi-AZ")
	}
	storage := fmt.Sprintf("%d GB", d.StorageGB)
	if d.FreeGB != nil {
		storage += fmt.Sprintf(", %.1f free", *d.FreeGB)
	}
	words = append(words, storage)
	if d.Connections != nil {
		connections := fmt.Sprintf("%.0f connections", *d.Connections)
		if d.MostConnections > 0 {
			connections = fmt.Sprintf("%.0f of about %d connections", *d.Connections, d.MostConnections)
		}
		words = append(words, connections)
	} else if d.MostConnections > 0 {
		words = append(words, fmt.Sprintf("at most about %d connections", d.MostConnections))
	}
	return strings.Join(words, ", ")
}

func backupsOf(s *operation.Status) string {
	d := s.Database
	if d == nil || d.Class == "" {
		return ""
	}
	words := []string{"kept " + screen.Some(d.BackupDays, "day")}
	if d.LatestRestorable != nil {
		words = append(words, "restorable until "+ago(d.LatestRestorable, s.At))
	}
	if d.Snapshots > 0 {
		words = append(words, fmt.Sprintf("%s, the last %s", screen.Some(d.Snapshots, "snapshot"), ago(d.LastSnapshot, s.At)))
	}
	return strings.Join(words, ", ")
}

func cacheOf(c *operation.CacheState) string {
	if c == nil || c.Node == "" {
		return ""
	}
	words := []string{c.Node, c.Status}
	if c.Engine != "" {
		words = append(words, c.Engine)
	}
	words = append(words, screen.Some(c.Replicas, "replica")+", failover "+c.Failover)
	if c.LagSeconds != nil {
		words = append(words, fmt.Sprintf("%.1fs behind", *c.LagSeconds))
	}
	if c.MemoryPercent != nil {
		words = append(words, fmt.Sprintf("memory %.0f%%", *c.MemoryPercent))
	}
	if c.Connections != nil {
		words = append(words, fmt.Sprintf("%.0f connections", *c.Connections))
	}
	return strings.Join(words, ", ")
}

func certificateOf(c operation.CertificateState, now time.Time) string {
	words := c.Name + ", " + strings.ToLower(c.Status)
	switch {
	case c.Until == nil:
	case c.Until.Before(now):
		words += ", EXPIRED " + c.Until.Format(time.DateOnly)
	default:
		words += fmt.Sprintf(", until %s (%d days)", c.Until.Format(time.DateOnly), int(c.Until.Sub(now).Hours()/24))
	}
	return words
}

func alarmsOf(a *operation.AlarmState) string {
	if a == nil {
		return ""
	}
	words := fmt.Sprintf("%d fire, %d OK", len(a.Firing), a.OK)
	if a.Insufficient > 0 {
		words += fmt.Sprintf(", %d without data", a.Insufficient)
	}
	return words
}
