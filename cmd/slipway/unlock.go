package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"slipway/release"
)

// An unlocking is what unlock was told to do.
type unlocking struct {
	force   bool
	restore bool
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

With --restore-state it puts the newest version of the state that can be read in the place of one that is damaged. It says
which version that is, and asks for the stack's name too. Resources that were created after that version are not in it:
they still exist, and have to be imported or deleted by hand.

In the rehearsal the lock is the kernel's and ends with its process: there is nothing to break, only to repair.`,
		Example: `  slipway unlock --stack prod --live
  slipway unlock --stack prod --live --force
  slipway unlock --stack prod --live --restore-state
  slipway unlock --stack prod --live --made web-logs=/slipway/prod/web --not-made`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return t.unlock(cmd.Context(), k) },
	}
	cmd.Flags().BoolVar(&k.force, "force", false, "with --live: remove the lock of a run that lives, or may live")
	cmd.Flags().StringVar(&k.confirm, "confirm", "", "with --force or --restore-state: the `name` of the stack, instead of typing it")
	cmd.Flags().BoolVar(&k.restore, "restore-state", false, "with --live: put the newest readable version in the place of a damaged state")
	cmd.Flags().StringArrayVar(&k.made, "made", nil, "what a create in doubt has made, as `name=ID`")
	cmd.Flags().BoolVar(&k.notMade, "not-made", false, "no other create in doubt has made anything")
	return cmd
}

// enginePatience is how long an engine that lost its slipway may take to end.
const enginePatience = 10 * time.Second

// An unlocked is what unlock writes with --json.
type unlocked struct {
	Stack  string          `json:"stack"`
	Live   bool            `json:"live"`
	Locks  []release.Lock  `json:"locks"`            // that there were
	Killed *release.Owner  `json:"killed,omitempty"` // in a rehearsal: the run whose work was repaired
	Freed  bool            `json:"freed"`            // nobody holds the stack any more
	Doubts []release.Doubt `json:"doubts,omitempty"` // creates of which nobody knows whether they happened

	Restored *release.StateVersion `json:"restored,omitempty"` // the version that took the place of a damaged state
}

func (t *tool) unlock(ctx context.Context, k unlocking) (err error) {
	answer, err := k.answer()
	if err != nil {
		return err
	}
	if k.confirm != "" && k.confirm != t.stack {
		return usageError{fmt.Errorf("--confirm names %s, and the stack is %s", k.confirm, t.stack)}
	}
	if k.restore && !t.live {
		return usageError{errors.New("--restore-state: only with --live; a rehearsal keeps no versions of its state")}
	}
	c, err := t.configure()
	if err != nil {
		return err
	}
	s, err := t.open(ctx, c, stackDir(c.root, t.stack), "unlock", false)
	var held *release.Held
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
		alive := slices.ContainsFunc(report.Locks, func(l release.Lock) bool { return l.Life == release.Alive })
		if !alive || s.hold == nil || s.hold.Killed == nil || ctx.Err() != nil || time.Now().After(deadline) {
			break
		}
	}
	report.Locks = append([]release.Lock{}, report.Locks...)
	s.progress.close()
	for _, l := range report.Locks {
		t.say("Stack %s is locked by %s.", t.stack, l)
	}
	if err := t.mayBreak(report.Locks, k); err != nil {
		return err
	}
	if k.restore {
		if report.Restored, err = t.restore(ctx, s, k); err != nil {
			return err
		}
	}
	if err := s.stack.Break(ctx, report.Locks); err != nil {
		return err
	}
	if s.live != nil {
		report.Doubts, err = s.stack.Settle(ctx, answer)
	} else {
		report.Killed = s.hold.Killed
		err = s.stack.Repair(ctx, s.hold)
	}
	if err != nil {
		return err
	}
	report.Freed = true
	switch {
	case len(report.Doubts) > 0:
		err = &release.InDoubt{Stack: t.stack, Doubts: report.Doubts}
	case report.Restored != nil:
		t.say("Next: slipway preview%s --live. A resource that it would create and that exists has to be imported or deleted first.", t.stackFlag())
	case len(report.Locks) == 0 && report.Killed == nil:
		t.say("Nobody holds stack %s.", t.stack)
	default:
		t.say("Stack %s is free, and its state says what is there.", t.stack)
	}
	return errors.Join(t.print(report, func() {}), err)
}

// mayBreak refuses to break the locks of runs that live or may live, unless it was told twice to.
func (t *tool) mayBreak(locks []release.Lock, k unlocking) error {
	locks = slices.DeleteFunc(slices.Clone(locks), func(l release.Lock) bool { return l.Life == release.Gone })
	if len(locks) == 0 {
		return nil
	}
	if !k.force {
		return &release.Locked{Stack: t.stack, Locks: locks}
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
func (k unlocking) answer() (*release.Answer, error) {
	if len(k.made) == 0 && !k.notMade {
		return nil, nil
	}
	answer := &release.Answer{Made: map[string]string{}, NotMade: k.notMade}
	for _, words := range k.made {
		name, id, ok := strings.Cut(words, "=")
		if !ok || name == "" || id == "" {
			return nil, usageError{fmt.Errorf("--made: expected name=ID, got %q", words)}
		}
		answer.Made[name] = id
	}
	return answer, nil
}
