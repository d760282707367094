package operation

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"slipway/engine"
)

// Rehearse runs the whole life of a stack in an empty model: up, up again, destroy. The result says what is wrong; the error
// is an interrupt, or a failure to begin.
func Rehearse(ctx context.Context, t Target) (v *Rehearsal, err error) {
	c, err := configure(t)
	if err != nil {
		return nil, err
	}
	warnings, err := c.fit(ctx, t)
	if unfit := (*Unfit)(nil); errors.As(err, &unfit) {
		v = &Rehearsal{Stack: t.Stack, Unjudged: []string{}}
		v.wrong("the project in "+unfit.Folder+" would not run as it is; nothing was created"+unfit.warnings, "", unfit.Findings...)
		return v, nil
	} else if err != nil {
		return nil, err
	}
	defer func() {
		if v != nil {
			v.Warnings = warnings
		}
	}()
	tried, err := t.try(ctx, "")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, tried.close()) }()
	return t.rehearse(ctx, asideArgs{tried: tried, monitor: tried.monitor()})
}

// rehearse plays the life of a stack aside.
func (t Target) rehearse(ctx context.Context, args asideArgs) (v *Rehearsal, err error) {
	err = t.aside(ctx, args, func(s *session) error {
		v = &Rehearsal{Stack: t.Stack, Unjudged: []string{}}
		err := s.play(ctx, v)
		found := s.findings(err)
		// Also after an interrupt: no later run knows the containers of a rehearsal.
		err = errors.Join(err, s.removeContainers(context.WithoutCancel(ctx)))
		if err != nil {
			if ctx.Err() != nil {
				v = nil
				return err
			}
			v.wrong(err.Error(), firstLine(err, found), found...)
		}
		v.Good = len(v.Reasons) == 0
		return nil
	})
	if err == nil && v != nil {
		t.locate(ctx, args, v.Findings)
	}
	return v, err
}

// foundation bootstraps the model for a stack that workflows deploy, as an administrator does once in the account. Everything after it
// runs as the deploy role.
func foundation(ctx context.Context, t Target, c *configuration, dir string) (err error) {
	if c.stack.GitHub.Repository == "" || c.role("up") != "" {
		return nil
	}
	b := &bootstrapping{target: t, config: c}
	if b.account, err = openModel(ctx, t, c, openArgs{operation: "bootstrap", dir: dir}); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.account.Close()) }()
	t.Progress.Logf("Bootstrapping the model: the deploy role of %s makes the calls.", c.stack.GitHub.Repository)
	made, err := b.spec().Apply(ctx, b.account.Bootstrap())
	if err != nil {
		return err
	}
	settings, err := b.settings(ctx, made)
	if err != nil {
		return err
	}
	return writeSettings(overlayFile(dir), settings)
}

// A trespassing account knows which rights of the deploy role reach beyond its stack.
type trespassing interface{ Trespasses() ([]string, error) }

// play runs the acts of a stack's life. A mistake that does not stop it becomes a reason of the result.
func (s *session) play(ctx context.Context, v *Rehearsal) error {
	lock, logf := s.account.Lock(), s.target.Progress.Logf
	logf("Rehearsing stack %s: up.", s.target.Stack)
	up, err := s.up(ctx, nil)
	sayDelayed(s.account, logf)
	if judge, ok := s.account.(judging); ok {
		v.Unjudged = append(v.Unjudged, judge.Unjudged()...)
	}
	if _, err := s.judged(ctx, err); err != nil && !v.later(err, s.findings(err)) {
		return err
	}
	v.Up = newAct(up)
	if judge, ok := s.account.(trespassing); ok {
		wide, err := judge.Trespasses()
		if err != nil {
			return err
		}
		for _, reason := range wide {
			v.wrong(reason, "")
		}
	}
	if err := s.archived(ctx, v); err != nil {
		return err
	}

	logf("Up again: nothing must change.")
	again, err := s.up(ctx, nil)
	if err != nil {
		return err
	}
	v.Again = newAct(again)
	v.Again.Changes = again.Changes
	if again.Changed() > 0 {
		v.wrong(unexpected(again.Changes), "a second up changed resources although the program did not change", unstable(again.Changes)...)
	}

	var gone engine.Result
	if s.config.stack.Protect {
		gone, err = s.protection(ctx, v)
	}
	if err == nil {
		logf("Destroy: nothing must be left.")
		var rest engine.Result
		rest, err = s.stack.Destroy(ctx, lock)
		gone = gone.Add(rest)
	}
	if err == nil {
		err = s.retire(ctx)
	}
	if err != nil {
		return err
	}
	v.Destroy = newAct(gone)
	if v.Left = s.account.Leftovers(nil); len(v.Left) > 0 {
		v.wrong("destroy left "+Tally(v.Left), "")
	}
	return nil
}

func unexpected(changes []engine.Change) string {
	reason := "a second up changed resources although the program did not change:"
	for _, c := range changes {
		reason += fmt.Sprintf(" %s (%s of %s)", c.Name(), c.Op, c.Type)
		for _, p := range c.Properties {
			reason += " " + p.Path
		}
		reason += ";"
	}
	return strings.TrimSuffix(reason, ";")
}

// protection runs two more acts with a protected stack: it must refuse to be destroyed, and then be destroyed with its
// protection lifted. The snapshot's key stays, as intended.
func (s *session) protection(ctx context.Context, v *Rehearsal) (engine.Result, error) {
	s.target.Progress.Logf("Destroy while it is protected: it must refuse.")
	_, err := s.stack.Destroy(ctx, s.account.Lock())
	var refusal *engine.Protected
	if !errors.As(err, &refusal) {
		v.wrong("the stack says protect: true, and destroy was not refused", "")
		return engine.Result{}, err
	}
	v.Protected = refusal.URNs
	d := &demolition{session: s}
	result, err := d.demolish(ctx)
	if err != nil {
		return result, err
	}
	if d.key == "" || d.snapshot == "" {
		v.wrong("the database left no snapshot with its key", "")
	}
	return result, nil
}

// archived is the part of a rehearsal that looks whether the log of the running site reaches the archive.
func (s *session) archived(ctx context.Context, v *Rehearsal) error {
	if s.containers == nil {
		return nil
	}
	n, err := s.containers.Archived(ctx)
	if err == nil && n == 0 {
		v.wrong("no log line reached the archive", "")
	}
	return err
}

// removeContainers removes the containers of a stack that is destroyed.
func (s *session) removeContainers(ctx context.Context) error {
	if s.containers == nil {
		return nil
	}
	containers := s.containers
	s.containers, s.removed = nil, true
	return containers.Remove(ctx)
}
