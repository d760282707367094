package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"slipway/engine"
)

// An unlocking is what unlock was told to do.
type unlocking struct {
	force   bool
	confirm string
	made    []string
	notMade bool
}

func (t *tool) unlockCommand() *cobra.Command {
	var k unlocking
	cmd := &cobra.Command{
		Use:   "unlock",
		Short: "Say who holds a stack, and free it from a run that has ended",
		Long: `Unlock says who holds the stack, since when, and whether that run still lives: a process of this host is looked for,
and of a GitHub run GitHub is asked, if there is a GITHUB_TOKEN. The lock of a run that has ended is removed, and what it
left undone is settled: every resource is read back. A create of which nobody knows whether it happened stays listed until
you say what became of it, with --made or --not-made.

The lock of a run that lives, or may live, is not removed. With --force it is, when the stack's name is typed or given with
--confirm: two engines at once ruin the state.

In the rehearsal the lock is the kernel's and ends with its process: there is nothing to break, only to repair.`,
		Example: `  slipway unlock --stack prod --live
  slipway unlock --stack prod --live --force
  slipway unlock --stack prod --live --made web-logs=/slipway/prod/web --not-made`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return t.unlock(cmd.Context(), k) },
	}
	cmd.Flags().BoolVar(&k.force, "force", false, "with --live: remove the lock of a run that lives, or may live")
	cmd.Flags().StringVar(&k.confirm, "confirm", "", "with --force: the `name` of the stack, instead of typing it")
	cmd.Flags().StringArrayVar(&k.made, "made", nil, "what a create in doubt has made, as `name=ID`")
	cmd.Flags().BoolVar(&k.notMade, "not-made", false, "no other create in doubt has made anything")
	return cmd
}

// enginePatience is how long an engine that lost its slipway may take to end.
const enginePatience = 10 * time.Second

// An unlocked is what unlock writes with --json.
type unlocked struct {
	Stack  string                 `json:"stack"`
	Live   bool                   `json:"live"`
	Locks  []engine.StateLock     `json:"locks"`            // that there were
	Killed *engine.Owner          `json:"killed,omitempty"` // in a rehearsal: the run whose work was repaired
	Freed  bool                   `json:"freed"`            // nobody holds the stack any more
	Doubts []engine.PendingCreate `json:"doubts,omitempty"` // creates of which nobody knows whether they happened
}

func (t *tool) unlock(ctx context.Context, k unlocking) (err error) {
	answer, err := k.answer()
	if err != nil {
		return err
	}
	if k.confirm != "" && k.confirm != t.stack {
		return usageError{fmt.Errorf("--confirm names %s, and the stack is %s", k.confirm, t.stack)}
	}
	c, err := t.configure()
	if err != nil {
		return err
	}
	s, err := t.open(ctx, c, stackDir(c.root, t.stack), "unlock", false)
	var held *engine.LockedError
	if errors.As(err, &held) && k.force {
		return fmt.Errorf("%w: the kernel gives its lock back when that process ends, and not before; nothing can break it", err)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()

	report := unlocked{Stack: t.stack, Live: t.live}
	// The engine of a run that was killed a moment ago is still ending.
	for deadline := time.Now().Add(enginePatience); ; time.Sleep(200 * time.Millisecond) {
		if report.Locks, err = s.stack.Locks(ctx); err != nil {
			return err
		}
		alive := slices.ContainsFunc(report.Locks, func(l engine.StateLock) bool { return l.Life == engine.Alive })
		if !alive || s.hold == nil || s.hold.Killed == nil || ctx.Err() != nil || time.Now().After(deadline) {
			break
		}
	}
	report.Locks = append([]engine.StateLock{}, report.Locks...)
	s.progress.close()
	for _, l := range report.Locks {
		t.say("Stack %s is locked by %s.", t.stack, l)
	}
	if err := t.mayBreak(report.Locks, k); err != nil {
		return err
	}
	if err := s.stack.Break(ctx, report.Locks); err != nil {
		return err
	}
	if s.live != nil {
		report.Doubts, err = s.stack.Recover(ctx, nil, answer)
	} else {
		report.Killed = s.hold.Killed
		_, err = s.stack.Recover(ctx, s.hold, nil)
	}
	if err != nil {
		return err
	}
	report.Freed = true
	switch {
	case len(report.Doubts) > 0:
		err = &engine.PendingCreatesError{Stack: t.stack, Creates: report.Doubts}
	case len(report.Locks) == 0 && report.Killed == nil:
		t.say("Nobody holds stack %s.", t.stack)
	default:
		t.say("Stack %s is free, and its state says what is there.", t.stack)
	}
	return errors.Join(t.print(report, func() {}), err)
}

// mayBreak refuses to break the locks of runs that live or may live, unless it was told twice to.
func (t *tool) mayBreak(locks []engine.StateLock, k unlocking) error {
	locks = slices.DeleteFunc(slices.Clone(locks), func(l engine.StateLock) bool { return l.Life == engine.Gone })
	if len(locks) == 0 {
		return nil
	}
	if !k.force {
		return &engine.StateLockedError{Stack: t.stack, Locks: locks}
	}
	if k.confirm == t.stack {
		return nil
	}
	t.say("Two engines at once ruin the state. Be sure that this run has ended.")
	name, err := t.ask("The name of the stack, to break its lock: ")
	if err != nil {
		return fmt.Errorf("%w; --force needs --confirm %s too", err, t.stack)
	}
	if name != t.stack {
		return errors.New("that is not its name; nothing was done")
	}
	return nil
}

// answer is what the flags say of creates in doubt, nil if they say nothing.
func (k unlocking) answer() (*engine.Resolution, error) {
	if len(k.made) == 0 && !k.notMade {
		return nil, nil
	}
	answer := &engine.Resolution{Made: map[string]string{}, NotMade: k.notMade}
	for _, words := range k.made {
		name, id, ok := strings.Cut(words, "=")
		if !ok || name == "" || id == "" {
			return nil, usageError{fmt.Errorf("--made: expected name=ID, got %q", words)}
		}
		answer.Made[name] = id
	}
	return answer, nil
}
