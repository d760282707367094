package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"slipway/drift"
	"slipway/engine"
)

// A driftFound is the error of a drift that found some: the command worked, and the account is not what it should be.
type driftFound struct {
	stack   string
	counted string
}

func (e *driftFound) Error() string {
	return fmt.Sprintf("stack %s has drifted: %s", e.stack, e.counted)
}

func (t *tool) driftCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "drift",
		Short: "Say what differs from what the last up left, and how bad that is",
		Long: `Drift asks for every resource of the stack and compares it with what the last operation left. It changes nothing,
neither the account nor the state. What AWS changes by itself, such as the number of tasks that scaling owns, is no drift.

Each difference is dangerous (it opens something, or something is not protected any more), replaced (putting it right
replaces the resource), missing (the resource is gone) or harmless. It exits with 0 if there is none, with 3 if there is.`,
		Example: `  slipway drift
  slipway drift --stack prod --live --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return t.drift(cmd.Context()) },
	}
}

func (t *tool) drift(ctx context.Context) (err error) {
	c, err := t.configure()
	if err != nil {
		return err
	}
	s, err := t.open(ctx, c, stackDir(c.root, t.stack), "preview", false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	steps, err := s.stack.Reread(ctx, s.hold)
	if err != nil {
		return t.missing(err)
	}
	found := drift.Of(steps)
	s.progress.close()
	counts := map[string]int{}
	for class := drift.Harmless; class <= drift.Missing; class++ {
		counts[class.String()] = 0
	}
	for _, d := range found {
		counts[d.Class.String()]++
	}
	if err := s.keepCheck(ctx, drift.NewCheck(time.Now(), found)); err != nil {
		t.say("What was found is not kept for slipway stacks: %v", err)
	}
	err = t.print(struct {
		Stack     string           `json:"stack"`
		Live      bool             `json:"live,omitempty"`
		Drift     bool             `json:"drift"`
		Counts    map[string]int   `json:"counts"`
		Resources []drift.Resource `json:"resources"`
	}{t.stack, s.live != nil, len(found) > 0, counts, found}, func() { t.printDrift(found) })
	if err != nil {
		return err
	}
	if len(found) == 0 {
		t.say("Stack %s is as the last up left it.", t.stack)
		return nil
	}
	var words []string
	for class := drift.Missing; class >= drift.Harmless; class-- {
		if n := counts[class.String()]; n > 0 {
			words = append(words, fmt.Sprintf("%d %s", n, class))
		}
	}
	flags := t.stackFlag()
	if t.live {
		flags += " --live"
	}
	t.say("Next: slipway up%s puts back what the program says; what should stay belongs into the program first.", flags)
	return &driftFound{t.stack, strings.Join(words, ", ")}
}

// printDrift writes one line a resource, with the reason, and one line a property.
func (t *tool) printDrift(found []drift.Resource) {
	for _, d := range found {
		fmt.Fprintf(t.stdout, "%-9s %s  %s", d.Class, d.Name, d.Type)
		if d.Why != "" {
			fmt.Fprintf(t.stdout, ": %s", d.Why)
		}
		fmt.Fprintln(t.stdout)
		for _, p := range d.Properties {
			fmt.Fprintf(t.stdout, "            %s: %s -> %s\n", p.Path, short(p.From), short(p.To))
		}
	}
}

func (s *stage) keepCheck(ctx context.Context, c drift.Check) error {
	bucket, err := s.stack.Bucket(ctx)
	if err != nil {
		return err
	}
	defer bucket.Close()
	return c.Write(ctx, bucket, s.stack.ProjectName(), s.stack.Stack)
}

// up brings the stack up. What a drift check found since the last one is read first, and so put right.
func (s *stage) up(ctx context.Context) (engine.Result, error) {
	bucket, err := s.stack.Bucket(ctx)
	if err != nil {
		return engine.Result{}, err
	}
	last, err := drift.LastCheck(ctx, bucket, s.stack.ProjectName(), s.stack.Stack)
	bucket.Close()
	found := err == nil && last != nil && last.Found > 0
	result, err := s.stack.Up(ctx, s.hold, engine.UpOptions{Refresh: found})
	if err == nil && found {
		err = s.keepCheck(ctx, drift.Check{When: time.Now().UTC()})
	}
	return result, err
}
