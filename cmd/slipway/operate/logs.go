package operate

import (
	"context"
	"encoding/json"
	"time"

	"github.com/spf13/cobra"

	"slipway/cmd/slipway/commandline"
	"slipway/operation"
	"slipway/screen"
)

func logsCommand(t *Tools) *cobra.Command {
	var args operation.LogsArgs
	cmd := &cobra.Command{
		Use:   "logs",
		Short: "Show what the site's containers wrote, also long ago, and follow it",
		Long: `Logs writes the lines of the stack's containers by time: time (UTC), container, level and message. Recent lines come from CloudWatch
Logs, older ones from the archive in S3; it finds out itself where a line is, and shows none twice. Without --since it begins an hour ago, with
--follow ten minutes ago, with --release when that was deployed.

A time is how long ago (30m, 2h, 3d, 1w), or absolute: 2026-02-03T04:05:00Z. A request can be followed by its ID, which nginx gives it and passes
to the app in X-Request-ID: both log it, if the app does. A time with ~ is that of an object in the archive, whose lines have none of their own.

With --json it writes JSON Lines: one object a line, with the text as it was written. What looks like a password is removed either way. In a
rehearsal only containers write lines: slipway up --run.`,
		Example: `  slipway logs --stack prod --live --follow
  slipway logs --service mail --since 3d --filter timeout
  slipway logs --request 7f1c0a52e9c84a3d8a7b6f7d0c9e1b2a
  slipway logs --release 20261122-190817-3f2a9c1 --container django --json | jq -r .text`,
		Args: commandline.None,
		RunE: t.on(func(ctx context.Context, target operation.Target, _ []string) error { return t.logs(ctx, target, args) }),
	}
	flags := cmd.Flags()
	flags.StringVar(&args.Since, "since", "", "begin at this `time`: 2h, 3d, 2026-02-03T04:05:00Z (default 1h)")
	flags.StringVar(&args.Until, "until", "", "end before this `time`")
	flags.BoolVarP(&args.Follow, "follow", "f", false, "also show what is written from now on, until Ctrl-C")
	flags.StringVar(&args.Service, "service", "", "only of this `service`: web, migration, a worker or a job")
	flags.StringVar(&args.Container, "container", "", "only of this `container`: django, nginx")
	flags.StringVar(&args.Filter, "filter", "", "only lines that contain this `text`, in upper or lower case")
	flags.StringVar(&args.Request, "request", "", "only lines of the request with this `ID`")
	flags.StringVar(&args.Release, "release", "", "only of tasks that run this `release`")
	return cmd
}

func (t *Tools) logs(ctx context.Context, target operation.Target, args operation.LogsArgs) error {
	n := 0
	show := func(l operation.LogLine) error { return t.Data.WriteLog(lineOf(l)) }
	if t.JSON() {
		out := json.NewEncoder(t.Stdout)
		out.SetEscapeHTML(false)
		show = func(l operation.LogLine) error { return out.Encode(l) }
	}
	err := operation.Logs(ctx, target, args, func(l operation.LogLine) error {
		n++
		return show(l)
	})
	if err == nil && n == 0 {
		t.Say("No lines. Look further back with --since, such as --since 1d.")
	}
	return err
}

func lineOf(l operation.LogLine) screen.LogLine {
	line := screen.LogLine{Container: l.Container, Level: string(l.Level), Message: l.Message, Details: l.Details, Request: l.Request}
	if l.Time != nil {
		line.Time = *l.Time
	}
	if l.Archived != nil {
		line.Archived = *l.Archived
	}
	return line
}

// ago is how long ago a moment was.
func ago(at *time.Time, now time.Time) string {
	if at == nil {
		return "-"
	}
	if age := screen.Age(now.Sub(*at)); age != "now" {
		return age + " ago"
	}
	return "now"
}
