package operation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"slipway/engine"
)

// UnlockArgs say what unlock may do.
type UnlockArgs struct {
	Force bool // remove the lock of a run that is alive, or may be
	// Confirm asks before such a lock is removed.
	Confirm    func() error
	Resolution *engine.Resolution // of pending creates; nil: none

	// Restore agrees to replace a damaged state with an earlier version, or refuses. Nil: the state is left as it is.
	Restore func(StateVersion) error
}

// enginePatience is how long an engine that lost its slipway may take to end.
const enginePatience = 10 * time.Second

// Unlocked is what unlock found and did.
type Unlocked struct {
	Stack  string                 `json:"stack"`
	Live   bool                   `json:"live"`
	Locks  []engine.StateLock     `json:"locks"`            // that there were
	Killed *engine.Owner          `json:"killed,omitempty"` // in a rehearsal: the run whose work was repaired
	Freed  bool                   `json:"freed"`            // the stack is no longer locked
	Doubts []engine.PendingCreate `json:"doubts,omitempty"` // creates with an unknown outcome

	Restored *StateVersion `json:"restored,omitempty"` // the version that replaced a damaged state
}

// Unlock frees a stack from a run that has ended, and completes what that left undone. If creates are still pending, it
// returns both a result and an error.
func Unlock(ctx context.Context, t Target, args UnlockArgs) (report *Unlocked, err error) {
	c, err := configure(t)
	if err != nil {
		return nil, err
	}
	s, err := open(ctx, t, c, openArgs{operation: "unlock"})
	var locked *engine.LockedError
	if errors.As(err, &locked) && args.Force {
		return nil, fmt.Errorf("%w: the kernel releases its lock when that process ends, and not before; nothing can break it", err)
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()

	lock := s.account.Lock()
	report = &Unlocked{Stack: t.Stack, Live: t.Live}
	// The engine of a run that was killed a moment ago is still ending.
	for deadline := time.Now().Add(enginePatience); ; time.Sleep(200 * time.Millisecond) {
		if report.Locks, err = s.stack.Locks(ctx); err != nil {
			return nil, err
		}
		alive := slices.ContainsFunc(report.Locks, func(l engine.StateLock) bool { return l.Life == engine.Alive })
		if !alive || lock == nil || lock.Killed == nil || ctx.Err() != nil || time.Now().After(deadline) {
			break
		}
	}
	report.Locks = append([]engine.StateLock{}, report.Locks...)
	for _, l := range report.Locks {
		t.Progress.Logf("Stack %s is locked by %s.", t.Stack, l)
	}
	if err := mayBreak(t, report.Locks, args); err != nil {
		return nil, err
	}
	if args.Restore != nil {
		if report.Restored, err = s.restore(ctx, args.Restore); err != nil {
			return nil, err
		}
	}
	if err := s.stack.Break(ctx, report.Locks); err != nil {
		return nil, err
	}
	if lock != nil {
		report.Killed = lock.Killed
	}
	if report.Doubts, err = s.stack.Recover(ctx, lock, args.Resolution); err != nil {
		return nil, err
	}
	report.Freed = true
	if len(report.Doubts) > 0 {
		err = &engine.PendingCreatesError{Stack: t.Stack, Creates: report.Doubts}
	}
	return report, err
}

// mayBreak refuses to break the locks of runs that are alive, or may be, unless Force is set and the user confirms.
func mayBreak(t Target, locks []engine.StateLock, args UnlockArgs) error {
	locks = slices.DeleteFunc(slices.Clone(locks), func(l engine.StateLock) bool { return l.Life == engine.Gone })
	switch {
	case len(locks) == 0:
		return nil
	case !args.Force:
		return &engine.StateLockedError{Stack: t.Stack, Locks: locks}
	}
	return args.Confirm()
}
