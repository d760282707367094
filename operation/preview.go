package operation

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"slipway/engine"
)

// Preview is what Up would change. It changes nothing, and refuses what Up would refuse, except of a paused stack: its plan is shown,
// with the note that up is refused. A change that is tried is planned on a copy of the stack, and that copy then lives with it: up, up
// again, destroy.
func Preview(ctx context.Context, t Target, release string) (plan *Plan, err error) {
	p, err := again(ctx, t, release)
	if err != nil {
		return nil, err
	}
	c, err := configure(t)
	if err == nil {
		err = p.suits(t, c)
	}
	if err == nil {
		_, err = c.fitOr(ctx, t, p)
	}
	if err != nil {
		return nil, err
	}
	p.warn(t)
	if t.WhatIf.Asked() {
		return t.previewChanged(ctx, p)
	}
	s, err := open(ctx, t, c, openArgs{operation: "preview", pinned: p, builds: true})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if p, err := s.readPaused(ctx); err == nil && p != nil {
		t.Progress.Logf("Stack %s is %s. This plan is for later: up is refused until slipway resume%s.", t.Stack, p, t.Flags())
	}
	return s.plan(ctx, "preview")
}

// previewChanged plans a change that is tried, and rehearses what follows.
func (t Target) previewChanged(ctx context.Context, p *pinned) (plan *Plan, err error) {
	from := ""
	if _, err := os.Stat(filepath.Join(t.dir(), "model.json")); !errors.Is(err, fs.ErrNotExist) {
		from = t.dir()
	}
	tried, err := t.try(ctx, from)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, tried.close()) }()
	asked := asideArgs{from: from, tried: tried, pinned: p, monitor: tried.monitor()}
	err = t.aside(ctx, asked, func(s *session) error {
		plan, err = s.plan(ctx, "preview")
		return err
	})
	var failed *engine.Failure
	if errors.As(err, &failed) && !failed.Interrupted { // the rehearsal fails in the same way, and says more
		plan, err = &Plan{Stack: t.Stack, Operation: "preview", Changes: []PlannedChange{}, Losses: []Effect{}, Downtime: []Effect{}}, nil
	}
	if err == nil {
		t.Progress = onCopy{t.Progress}
		t.Progress.Logf("The change is rehearsed on a copy of the stack, which is deleted afterwards. The stack itself stays as it is.")
		plan.WhatIf, err = t.rehearse(ctx, asked)
	}
	return plan, err
}

// onCopy is the progress of work on a copy. Its steps are not those of the stack, so they are not shown.
type onCopy struct{ Progress }

func (onCopy) Event(engine.Event) {}
