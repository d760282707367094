package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"slipway/drift"
	"slipway/engine"
	"slipway/release"
)

func (t *tool) stacksCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "stacks",
		Short: "List the environments: what runs there, since when, and how it is",
		Long: `Stacks lists the project's stacks, each a Pulumi.<stack>.yaml, with the release that runs, its age, the verdict on it, and
what the last look for drift found. By default these are the rehearsed ones of this folder. With --live each is asked for
in its own account, with the credentials of the environment or its aws:profile; one that these do not open says so.`,
		Example: `  slipway stacks
  slipway stacks --live --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return t.stacks(cmd.Context()) },
	}
}

// An environment is a stack in the list of them.
type environment struct {
	Stack     string              `json:"stack"`
	Place     string              `json:"place"` // "rehearsal" or "live"
	Account   string              `json:"account,omitempty"`
	Region    string              `json:"region,omitempty"`
	Protected bool                `json:"protected"`
	Up        bool                `json:"up"` // it was deployed, and is not destroyed
	Release   *release.Release    `json:"release,omitempty"`
	Last      *release.Deployment `json:"last,omitempty"` // the newest deployment, of this release or another
	Drift     *drift.Check        `json:"drift,omitempty"`
	Problem   string              `json:"problem,omitempty"` // why no more is known
}

func (t *tool) stacks(ctx context.Context) error {
	root, err := findRoot()
	if err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(root, "Pulumi.*.yaml"))
	if err != nil {
		return err
	}
	all := []environment{}
	for _, file := range files {
		name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), "Pulumi."), ".yaml")
		e := environment{Stack: name, Place: "rehearsal"}
		if t.live {
			e.Place = "live"
		}
		one := *t
		one.stack = name
		if err := one.look(ctx, &e); err != nil {
			if ctx.Err() != nil {
				return err
			}
			e.Problem = err.Error()
		}
		all = append(all, e)
	}
	return t.print(all, func() {
		table := tabwriter.NewWriter(t.stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "STACK\tWHERE\tRELEASE\tAGE\tVERDICT\tDRIFT")
		for _, e := range all {
			running, age, verdict, drift := e.words()
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", e.Stack, e.where(), running, age, verdict, drift)
		}
		table.Flush()
		for _, e := range all {
			if e.Problem != "" {
				t.say("%s: %s", e.Stack, e.Problem)
			}
		}
	})
}

func (e environment) where() string {
	if e.Account == "" {
		return e.Place
	}
	return e.Place + ", " + e.Account + ", " + e.Region
}

func (e environment) words() (running, age, verdict, drift string) {
	running, age, verdict, drift = "-", "-", "-", "-"
	switch {
	case e.Problem != "":
		running = "?"
	case !e.Up:
		running = "not up"
	}
	if e.Release != nil {
		running = e.Release.ID
		age = aged(time.Since(e.Release.When))
		if len(e.Release.Commit) >= 7 {
			running += " (" + e.Release.Commit[:7] + ")"
		}
	}
	if e.Last != nil {
		switch {
		case e.Last.Verdict == nil:
			verdict = e.Last.Operation + " under way, or killed"
		case e.Last.Verdict.Good:
			verdict = "good"
		default:
			verdict = e.Last.Operation + " failed"
		}
	}
	if e.Drift != nil {
		drift = "none"
		if e.Drift.Found > 0 {
			drift = fmt.Sprint(e.Drift.Found, " drifted")
		}
		if ago := aged(time.Since(e.Drift.When)); ago == "now" {
			drift += ", just now"
		} else {
			drift += ", " + ago + " ago"
		}
	}
	return running, age, verdict, drift
}

// aged is a duration as one says it.
func aged(d time.Duration) string {
	switch {
	case d < time.Minute:
		return "now"
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	default:
		return fmt.Sprintf("%dd", int(d.Hours()/24))
	}
}

// look fills in what is known of the stack. Nothing is changed or made, and no engine is started.
func (t *tool) look(ctx context.Context, e *environment) error {
	c, err := t.configure()
	if err != nil {
		return err
	}
	e.Region, e.Protected = c.stack.Region, c.stack.Protect
	options := engine.Options{Dir: stackDir(c.root, t.stack), Stack: t.stack, Project: c.project, Config: c.engine}
	if t.live {
		if c.stack.Backend.Bucket == "" {
			return nil // never bootstrapped
		}
		where, err := t.findPlace(ctx, c)
		if err != nil {
			return err
		}
		e.Account = where.account
		options.Backend = &engine.Backend{URL: engine.S3(c.stack.Backend.Bucket, where.region, c.profile)}
	} else {
		if _, err := os.Stat(options.Dir); errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if len(c.accounts) > 0 {
			e.Account = c.accounts[0]
		}
	}
	s, err := engine.Open(options)
	if err != nil {
		return err
	}
	state, err := s.Checkpoint(ctx)
	if err != nil {
		return err
	}
	e.Up = state.Deployed()
	ledger, err := ledgerOf(ctx, s)
	if err != nil {
		return err
	}
	defer ledger.Close()
	history, err := ledger.Read(ctx)
	if err != nil {
		return err
	}
	if running, ok := history.Running(); ok && e.Up {
		e.Release = &running
	}
	if last, ok := history.Last(); ok {
		e.Last = &last
	}
	e.Drift, err = drift.LastCheck(ctx, ledger.Bucket, s.ProjectName(), s.Stack)
	return err
}
