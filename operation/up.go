package operation

import (
	"context"
	"errors"
	"time"

	"slipway/drift"
	"slipway/engine"
	"slipway/operation/account"
	"slipway/rehearsal/finding"
	"slipway/release"
	"slipway/verdict"
)

// Deployed is what an up, a promotion or a rollback did.
type Deployed struct {
	Stack   string
	Live    bool
	Where   string // the account
	Result  engine.Result
	Verdict verdict.Verdict
	Release *release.Release // that runs now; nil: not known
	Note    string           // why a new release names no commit; "": it does

	Plan       *Plan
	Deviations []Deviation // from the plan

	Warnings []Warning // about the project, of an up that built it

	// Containers run the site on this machine, nil if nothing does. The caller closes them.
	Containers account.Containers
}

// UpArgs say what an up deploys.
type UpArgs struct {
	Release string            // of this stack; "": what is built from the folder
	Confirm func(*Plan) error // gets the plan before anything is changed
}

// Up deploys the program as it is configured: with images that it builds, or with those of a release of this stack. The
// result is also there, with the error, when the services do not run what is expected.
func Up(ctx context.Context, t Target, args UpArgs) (*Deployed, error) {
	p, err := again(ctx, t, args.Release)
	if err != nil {
		return nil, err
	}
	c, err := configure(t)
	if err == nil {
		err = p.suits(t, c)
	}
	var warnings []finding.Finding
	if err == nil {
		warnings, err = c.fitOr(ctx, t, p)
	}
	if err != nil {
		return nil, err
	}
	p.warn(t)
	s, err := open(ctx, t, c, openArgs{operation: "up", pinned: p, builds: true})
	if err != nil {
		return nil, err
	}
	d, err := s.deploy(ctx, "up", args.Confirm)
	if d != nil {
		d.Warnings = warnings
	}
	return d, err
}

// deploy makes a plan, has it confirmed, runs the engine, judges what runs then, and keeps both in the ledger. It closes the
// session.
func (s *session) deploy(ctx context.Context, operation string, confirm func(*Plan) error) (d *Deployed, err error) {
	defer func() {
		if d != nil && err == nil && s.containers != nil { // they keep running
			d.Containers, err = s.containers, errors.Join(s.containers.Deployed(), s.release())
			return
		}
		err = errors.Join(err, s.withoutUntried(ctx), s.close())
	}()
	if err := s.notPaused(ctx); err != nil {
		return nil, err
	}
	k, err := newKeeper(ctx, s, operation)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, k.close()) }()
	plan, err := s.plan(ctx, operation)
	if err == nil {
		err = confirm(plan)
	}
	if err != nil {
		return nil, err
	}
	s.first = func() error { return k.begin(ctx) }
	result, err := s.carryOut(ctx, plan)
	if err == nil {
		err = s.settle(ctx)
	}
	if err == nil && s.containers != nil {
		result.Outputs["url"], err = s.containers.URL(), s.containers.Converge()
	}
	judged, err := s.judged(ctx, err)
	of, unkept := k.end(ctx, result, judged, err)
	err = errors.Join(err, unkept)
	if bad := (*badVerdict)(nil); err != nil && !errors.As(err, &bad) {
		return nil, err
	}
	d = &Deployed{Stack: s.target.Stack, Live: s.target.Live, Where: s.where(), Result: result, Verdict: judged, Release: of, Plan: plan}
	if err == nil {
		d.Deviations = plan.deviations(result)
	}
	if of != nil {
		if _, known := k.before.Find(of.ID); known != nil {
			d.Note = k.source.Note
		}
	}
	return d, err
}

// withoutUntried removes the containers of a first up --run that did not succeed. Otherwise every later command would need Docker, and
// fail where that up failed.
func (s *session) withoutUntried(ctx context.Context) error {
	if s.containers == nil || !s.containers.Untried() {
		return nil
	}
	s.target.Progress.Logf("This first up --run did not succeed: its containers are removed, and stack %s is only modelled again.",
		s.target.Stack)
	return s.removeContainers(context.WithoutCancel(ctx)) // also after an interrupt
}

// carryOut runs the engine. Where the plan is to change nothing it has run already: the program, the providers and the state
// agree, and a rehearsed stack is locked since. In an account the engine's own lock is the only one, so there it runs again.
func (s *session) carryOut(ctx context.Context, plan *Plan) (engine.Result, error) {
	if s.target.Live || s.containers != nil || plan.Result.Changed() > 0 || plan.Result.Unsettled || plan.Refresh {
		return s.up(ctx, plan)
	}
	s.public, _ = plan.Result.Outputs["url"].(string)
	return plan.Result, errors.Join(s.first(), s.stack.Backup())
}

// up runs the engine. If the plan says so, every resource is read first: the engine compares the program with its own record. That
// also puts into the record what the program does not set, such as a rule that was added to a security group by hand; so that a
// drift check still finds it, it is kept beside the state. plan is nil in a rehearsal.
func (s *session) up(ctx context.Context, plan *Plan) (engine.Result, error) {
	refresh := plan != nil && plan.Refresh
	if refresh {
		check := drift.NewCheck(time.Now(), plan.Left)
		check.Taken = plan.Differs
		if err := s.keepCheck(ctx, check); err != nil { // before the engine reads: nothing is lost if the run is killed
			return engine.Result{}, err
		}
	}
	s.begun.reset()
	result, err := s.stack.Up(ctx, s.account.Lock(), engine.UpOptions{Refresh: refresh})
	s.public, _ = result.Outputs["url"].(string)
	return result, err
}
