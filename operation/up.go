package operation

import (
	"context"
	"errors"
	"time"

	"slipway/drift"
	"slipway/engine"
	"slipway/operation/account"
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

	// Containers run the site on this machine, nil if nothing does. The caller closes them.
	Containers account.Containers
}

// Up deploys the program as it is configured: with images that it builds, or with those of a release of this stack. If
// the services do not run what is expected, it returns both a result and an error.
func Up(ctx context.Context, t Target, release string) (*Deployed, error) {
	p, err := again(ctx, t, release)
	if err != nil {
		return nil, err
	}
	c, err := configure(t)
	if err == nil {
		err = p.suits(t, c)
	}
	if err != nil {
		return nil, err
	}
	p.warn(t)
	s, err := open(ctx, t, c, openArgs{operation: "up", pinned: p, builds: true})
	if err != nil {
		return nil, err
	}
	return s.deploy(ctx, "up")
}

// deploy runs the engine, judges the services, and records both in the ledger. It closes the session.
func (s *session) deploy(ctx context.Context, operation string) (d *Deployed, err error) {
	defer func() {
		if d != nil && err == nil && s.containers != nil { // they keep running
			d.Containers, err = s.containers, errors.Join(s.containers.Deployed(), s.release())
			return
		}
		err = errors.Join(err, s.close())
	}()
	k, err := newKeeper(ctx, s, operation)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, k.close()) }()
	s.first = func() error { return k.begin(ctx) }
	result, err := s.up(ctx)
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
	d = &Deployed{Stack: s.target.Stack, Live: s.target.Live, Where: s.where(), Result: result, Verdict: judged, Release: of}
	if of != nil {
		if _, known := k.before.Find(of.ID); known != nil {
			d.Note = k.source.Note
		}
	}
	return d, err
}

// up runs the engine. If a drift check found something since the last up, every resource is read first, and so reverted.
func (s *session) up(ctx context.Context) (engine.Result, error) {
	last, err := s.lastCheck(ctx)
	found := err == nil && last != nil && last.Found > 0
	s.begun.reset()
	result, err := s.stack.Up(ctx, s.account.Lock(), engine.UpOptions{Refresh: found})
	s.public, _ = result.Outputs["url"].(string)
	if err == nil && found {
		err = s.keepCheck(ctx, drift.Check{When: time.Now().UTC()})
	}
	return result, err
}
