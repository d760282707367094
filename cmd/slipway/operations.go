package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"slipway/config"
	"slipway/engine"
	"slipway/verdict"
)

// up deploys the program as it is configured: with images that it builds, or with those of a release of this stack.
func (t *tool) up(ctx context.Context, id string) (err error) {
	if id != "" {
		if _, err := t.again(ctx, id); err != nil {
			return err
		}
	}
	c, err := t.configure()
	if err == nil {
		err = t.suits(c)
	}
	if err != nil {
		return err
	}
	s, err := t.open(ctx, c, stackDir(c.root, t.stack), "up", false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	return t.deploy(ctx, c, s, "up")
}

// deploy has the engine make the account what the program says, judges what runs then, and keeps both in the ledger.
func (t *tool) deploy(ctx context.Context, c *configuration, s *stage, operation string) (err error) {
	k, err := t.keeper(ctx, c, s, operation)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, k.close()) }()
	s.first = func() error { return k.begin(ctx) }
	result, err := s.up(ctx)
	if err == nil {
		err = s.wake(ctx)
	}
	if err == nil && s.run != nil {
		result.Outputs["url"], err = s.run.URL(), s.run.Converge()
	}
	judged, err := s.judged(ctx, result.Outputs, err)
	of, unkept := k.end(ctx, result, judged, err)
	if unkept != nil {
		err = errors.Join(err, unkept)
	}
	if err != nil && judged.Good {
		return err
	}
	s.progress.close()
	if err == nil {
		t.say("Stack %s is up: %s, in %s.", t.stack, counted(result), elapsed(result.Took))
		t.sayRelease(of, k)
		err = handOn(idOf(of))
	}
	err = errors.Join(err, t.print(struct {
		Stack   string `json:"stack"`
		Release string `json:"release,omitempty"`
		engine.Summary
		Outputs map[string]any  `json:"outputs"`
		Verdict verdict.Verdict `json:"verdict"`
	}{t.stack, idOf(of), result.Summary(), result.Outputs, judged}, func() { t.printOutputs(result.Outputs) }))
	if err != nil {
		return err
	}
	if s.run != nil {
		return errors.Join(err, t.serve(ctx, s))
	}
	if s.live != nil {
		t.say("It is up in %s.", s.live)
		return err
	}
	t.say("It is up in a model of AWS, so no browser finds its url. Next:\n"+
		"  slipway preview%[1]s --config web.max=6: what a change would do\n"+
		"  slipway destroy%[1]s: take it down\n"+
		"  README.md, \"Deploying for real\": the same program, in an account", t.stackFlag())
	return err
}

func (t *tool) preview(ctx context.Context, id string) (err error) {
	if id != "" {
		if _, err := t.again(ctx, id); err != nil {
			return err
		}
	}
	c, err := t.configure()
	if err == nil {
		err = t.suits(c)
	}
	if err != nil {
		return err
	}
	s, err := t.open(ctx, c, stackDir(c.root, t.stack), "preview", false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	result, err := s.stack.Preview(ctx, s.hold)
	if err != nil {
		return err
	}
	s.progress.close()
	err = t.print(struct {
		Stack string `json:"stack"`
		Live  bool   `json:"live,omitempty"`
		engine.Summary
	}{t.stack, s.live != nil, result.Summary()}, func() { t.tellChanges(t.stdout, result.Changes) })
	t.say("An up of stack %s would make: %s.", t.stack, counted(result))
	return err
}

// tellChanges writes one line a resource and one line a setting that differs.
func (t *tool) tellChanges(out io.Writer, changes []engine.Change) {
	for _, c := range changes {
		fmt.Fprintf(out, "%-8s %s  %s\n", c.Op, c.Name(), c.Type)
		for _, p := range c.Properties {
			note := ""
			if strings.HasSuffix(p.Kind, "-replace") {
				note = "  (replaces it)"
			}
			fmt.Fprintf(out, "           %s: %s -> %s%s\n", p.Path, short(p.From), short(p.To), note)
		}
	}
}

// short is a value in at most about half a line.
func short(v any) string {
	const most = 60
	text := []rune(shown(v))
	if len(text) > most {
		return string(text[:most-3]) + "..."
	}
	return string(text)
}

// stored opens the stack for reading what is kept of it.
func (t *tool) stored(ctx context.Context) (*engine.Stack, error) {
	if t.live {
		c, err := t.configure()
		if err != nil {
			return nil, err
		}
		s, err := t.openLive(ctx, c, "read")
		if err != nil {
			return nil, err
		}
		return s.stack, s.close()
	}
	root, err := findRoot()
	if err != nil {
		return nil, err
	}
	project, err := os.ReadFile(root + "/Pulumi.yaml")
	if err != nil {
		return nil, err
	}
	if _, err := config.FromFile(root + "/Pulumi." + t.stack + ".yaml"); err != nil {
		return nil, t.mistakes(err)
	}
	cli, err := engine.FindCLI(ctx, t.say)
	if err != nil {
		return nil, err
	}
	return engine.Open(engine.Options{CLI: cli, Dir: stackDir(root, t.stack), Stack: t.stack, Project: project})
}

func (t *tool) outputs(ctx context.Context, showSecrets bool) error {
	s, err := t.stored(ctx)
	if err != nil {
		return err
	}
	outputs, err := s.Outputs(ctx, showSecrets)
	if err != nil {
		return t.missing(err)
	}
	return t.print(outputs, func() { t.printOutputs(outputs) })
}

func (t *tool) export(ctx context.Context, showSecrets bool) error {
	s, err := t.stored(ctx)
	if err != nil {
		return err
	}
	state, err := s.Export(ctx, showSecrets)
	if err != nil {
		return t.missing(err)
	}
	_, err = t.stdout.Write(state)
	return err
}

// A rehearsalResult is what a rehearsal came to.
type rehearsalResult struct {
	Stack     string         `json:"stack"`
	Good      bool           `json:"good"`
	Reasons   []string       `json:"reasons,omitempty"` // why it is not
	Up        *act           `json:"up,omitempty"`
	Again     *act           `json:"again,omitempty"`
	Protected []string       `json:"protected,omitempty"` // the resources that refused to be destroyed, as they should
	Destroy   *act           `json:"destroy,omitempty"`
	Left      map[string]int `json:"left,omitempty"` // what destroy left, by type
}

// An act is one operation of a rehearsal.
type act struct {
	Counts  map[string]int  `json:"counts"`
	Seconds float64         `json:"seconds"`
	Changes []engine.Change `json:"changes,omitempty"` // of an act that should have none
	note    string
}

func newAct(r engine.Result) *act {
	return &act{Counts: r.Counts, Seconds: r.Summary().Seconds, note: counted(r)}
}

func (t *tool) rehearse(ctx context.Context) (err error) {
	c, err := t.configure()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "slipway-rehearsal-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	s, err := t.open(ctx, c, dir, "rehearse", true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()

	v := rehearsalResult{Stack: t.stack}
	err = t.play(ctx, c, s, c.stack.Protect, &v)
	// Also after an interrupt: nobody knows a rehearsal's containers later.
	err = errors.Join(err, t.unrun(context.WithoutCancel(ctx), c, s))
	if err != nil {
		if ctx.Err() != nil {
			return err
		}
		v.Reasons = append(v.Reasons, err.Error())
	}
	s.progress.close()
	v.Good = len(v.Reasons) == 0
	if err := t.print(v, func() { t.printVerdict(v) }); err != nil {
		return err
	}
	if !v.Good {
		return fmt.Errorf("the rehearsal of stack %s failed", t.stack)
	}
	return nil
}

// play takes the stack through its life. What is wrong but does not stop the play is a reason of the verdict.
func (t *tool) play(ctx context.Context, c *configuration, s *stage, protected bool, v *rehearsalResult) error {
	s.progress.say("Rehearsing stack " + t.stack + ": up.")
	up, err := s.up(ctx)
	if _, err := s.judged(ctx, up.Outputs, err); err != nil {
		return err
	}
	v.Up = newAct(up)
	if err := s.look(ctx, v); err != nil {
		return err
	}

	s.progress.say("Up again: nothing must change.")
	again, err := s.up(ctx)
	if err != nil {
		return err
	}
	v.Again = newAct(again)
	v.Again.Changes = again.Changes
	if again.Changed() > 0 {
		reason := "a second up changed what nobody had changed:"
		for _, c := range again.Changes {
			reason += fmt.Sprintf(" %s (%s of %s)", c.Name(), c.Op, c.Type)
			for _, p := range c.Properties {
				reason += " " + p.Path
			}
			reason += ";"
		}
		v.Reasons = append(v.Reasons, strings.TrimSuffix(reason, ";"))
	}

	var gone engine.Result
	if protected {
		gone, err = t.protection(ctx, c, s, v)
	}
	if err == nil {
		s.progress.say("Destroy: nothing must be left.")
		var rest engine.Result
		rest, err = s.stack.Destroy(ctx, s.hold)
		gone = gone.Add(rest)
	}
	if err != nil {
		return err
	}
	v.Destroy = newAct(gone)
	if v.Left = s.model.Account.Summary(); len(v.Left) > 0 {
		v.Reasons = append(v.Reasons, "destroy left "+tally(v.Left))
	}
	return nil
}

// protection plays two acts more with a protected stack: it must refuse to be destroyed, and then come down in good order
// with its protection lifted. What is left on purpose is then taken away.
func (t *tool) protection(ctx context.Context, c *configuration, s *stage, v *rehearsalResult) (engine.Result, error) {
	s.progress.say("Destroy while it is protected: it must refuse.")
	_, err := s.stack.Destroy(ctx, s.hold)
	var refusal *engine.Protected
	if !errors.As(err, &refusal) {
		v.Reasons = append(v.Reasons, "the stack says protect: true, and destroy was not refused")
		return engine.Result{}, err
	}
	v.Protected = refusal.URNs
	state, err := s.stack.Checkpoint(ctx)
	if err != nil {
		return engine.Result{}, err
	}
	d := &demolition{tool: t, c: c, s: s}
	result, err := d.demolish(ctx, state.Managed())
	if err != nil {
		return result, err
	}
	if d.key == "" || d.snapshot == "" {
		v.Reasons = append(v.Reasons, "the database left no snapshot with its key")
	}
	for _, o := range s.model.Account.Objects() {
		if disowned(o) {
			if _, err := s.model.Account.Remove(o.Type, o.ID); err != nil {
				return result, err
			}
		}
	}
	return result, nil
}

func (t *tool) printVerdict(v rehearsalResult) {
	line := func(name string, a *act) {
		if a != nil {
			fmt.Fprintf(t.stdout, "%-9s %7s  %s\n", name, elapsed(time.Duration(a.Seconds*float64(time.Second))), a.note)
		}
	}
	line("up", v.Up)
	line("up again", v.Again)
	if len(v.Protected) > 0 {
		fmt.Fprintf(t.stdout, "%-9s %7s  %d resources refuse to be destroyed, until it is lifted\n", "protected", "", len(v.Protected))
	}
	line("destroy", v.Destroy)
	for _, reason := range v.Reasons {
		fmt.Fprintln(t.stdout, "wrong:", reason)
	}
	if v.Good {
		fmt.Fprintf(t.stdout, "Stack %s goes up, stays as it is and comes down.\n", v.Stack)
	} else {
		fmt.Fprintf(t.stdout, "Stack %s is not fit to be deployed.\n", v.Stack)
	}
}

// counted says what an operation did: "139 created", "0 changes".
func counted(r engine.Result) string {
	var parts []string
	for _, op := range []struct{ op, done string }{
		{"create", "created"}, {"update", "updated"}, {"replace", "replaced"}, {"delete", "deleted"}, {"import", "adopted"},
	} {
		if n := r.Counts[op.op]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, op.done))
		}
	}
	if len(parts) == 0 {
		parts = []string{"0 changes"}
	}
	if same := r.Counts["same"]; same > 0 {
		parts = append(parts, fmt.Sprintf("%d unchanged", same))
	}
	return strings.Join(parts, ", ")
}

// tally lists objects by type: "2 aws:ec2/vpc:Vpc, 1 aws:kms/key:Key".
func tally(counts map[string]int) string {
	var parts []string
	for _, kind := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%d %s", counts[kind], kind))
	}
	return strings.Join(parts, ", ")
}
