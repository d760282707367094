package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"slipway/rehearsal/cloud"
	live "slipway/rehearsal/run"
)

func (t *tool) runOptions(c *configuration, say func(string)) live.Options {
	return live.Options{Stack: t.stack, Domain: c.stack.Domain, Postgres: t.postgres, Say: say}
}

// runDir is where the running side of a stack is kept. A rehearsal's is not in its own folder, which a kill would make
// unknown to the next one.
func runDir(c *configuration, dir, operation, stack string) string {
	if operation == "rehearse" {
		return filepath.Join(c.root, ".slipway", "rehearsed", stack, "run")
	}
	return live.Dir(dir)
}

// running opens the running side of the stage, for a stack that is run or is to be.
func (t *tool) running(ctx context.Context, c *configuration, s *stage, dir, operation string) error {
	if operation == "preview" || !t.runs && !live.Exists(dir) {
		return nil
	}
	say := func(words string) {
		if s.progress != nil {
			s.progress.say(words)
		}
	}
	s.runDir = dir
	if operation == "rehearse" { // one that was killed may have left its containers
		if err := live.Remove(ctx, dir, t.runOptions(c, say)); err != nil || !t.runs {
			return err
		}
	}
	var err error
	if s.run, err = live.Open(ctx, dir, s.model.Account, t.runOptions(c, say)); err != nil {
		return err
	}
	s.model.Builder = s.run
	return nil
}

// serve stays with a stack that is run, until an interrupt or the stack's end.
func (t *tool) serve(ctx context.Context, s *stage) error {
	if s.run.Serves() {
		t.say("The site is at %s until Ctrl-C.", s.run.URL())
	} else {
		t.say("The site is at %s, served by the up that runs already.", s.run.URL())
	}
	if err := s.run.Deployed(); err != nil {
		return err
	}
	model := s.model.Account.Path()
	if err := s.rest(); err != nil {
		return err
	}
	err := s.run.Serve(ctx, func() (*cloud.Account, error) { return cloud.Open(model, cloud.Options{}) })
	if err == nil && ctx.Err() != nil {
		t.say("Nobody serves the site any more; its containers stay. Next:\n"+
			"  slipway up%[1]s: serve it again\n"+
			"  slipway destroy%[1]s: take it down, containers and all", t.stackFlag())
	}
	return err
}

// unrun removes the containers of a stack that is destroyed.
func (t *tool) unrun(ctx context.Context, c *configuration, s *stage) error {
	if s.run == nil {
		return nil
	}
	err := s.run.Close()
	s.run = nil
	return errors.Join(err, live.Remove(ctx, s.runDir, t.runOptions(c, nil)))
}

// look is the part of a rehearsal that asks the running site.
func (s *stage) look(ctx context.Context, v *rehearsalResult) error {
	if s.run == nil {
		return nil
	}
	s.progress.say("The site runs at " + s.run.URL() + ": asking for its first page.")
	if err := s.run.Check(ctx); err != nil {
		v.Reasons = append(v.Reasons, "the site does not answer: "+err.Error())
	}
	n, err := s.run.Archived(ctx)
	if err == nil && n == 0 {
		v.Reasons = append(v.Reasons, "no log line came into the archive")
	}
	return err
}

func (t *tool) runCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "run JOB",
		Short: "Run a scheduled job now, as a container",
		Long: `Run starts one of the stack's jobs as its schedule would, from the task definition that the program declared, and
writes the last lines of its log. The stack must be up with --run. It exits 0 only if the job does.`,
		Example: `  slipway run clean-up
  slipway run clean-up --stack prod`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return t.runJob(cmd.Context(), args[0]) },
	}
}

func (t *tool) runJob(ctx context.Context, name string) (err error) {
	c, err := t.configure()
	if err != nil {
		return err
	}
	dir := stackDir(c.root, t.stack)
	if !live.Exists(live.Dir(dir)) {
		return fmt.Errorf("stack %s does not run; begin with: slipway up%s --run", t.stack, t.stackFlag())
	}
	s, err := t.open(ctx, c, dir, "run", false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	result, err := s.run.Job(name)
	if err != nil {
		return err
	}
	s.progress.close()
	if err := t.print(result, func() {
		for _, line := range result.Logs {
			fmt.Fprintln(t.stdout, line)
		}
	}); err != nil {
		return err
	}
	if result.ExitCode != 0 {
		return fmt.Errorf("job %s ended with exit code %d: %s", name, result.ExitCode, result.Reason)
	}
	return nil
}
