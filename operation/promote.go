package operation

import (
	"context"
	"fmt"

	"slipway/internal/image"
)

// PromoteArgs say what is promoted.
type PromoteArgs struct {
	From          string // the stack that the release comes from
	Release       string // "": the one that was deployed last there
	EvenUnhealthy bool   // also a release that is not good there
	Confirm       func(*Plan) error
}

// Promote runs a release of one stack in another: the same images, by digest.
func Promote(ctx context.Context, t Target, args PromoteArgs) (*Deployed, error) {
	if err := t.known(); err != nil {
		return nil, err
	}
	source := t.of(args.From)
	h, err := sourceReleases(ctx, source, t)
	if err != nil {
		return nil, err
	}
	r, d, err := h.Promotable(args.Release)
	if err != nil {
		return nil, err
	}
	if wrong := h.Unfit(r, d); wrong != "" {
		if !args.EvenUnhealthy {
			return nil, fmt.Errorf("release %s is not promoted: %s\nnothing was done. Next: fix it there; "+
				"or promote another one (slipway releases%s); or override this check with --even-unhealthy", r.ID, wrong, source.Flags())
		}
		t.Progress.Logf("Promoting release %s although %s", r.ID, wrong)
	}
	p := &pinned{release: r, from: args.From, images: h.ImagesOf(r)}
	if p.images == (image.Pair{}) {
		return nil, fmt.Errorf(
			"release %s was never deployed in stack %s far enough to have images there; promote it from stack %s, which built it",
			r.ID, args.From, r.Stack)
	}
	if c, err := configure(source); err == nil {
		p.profile = c.profile
	}
	to, err := Releases(ctx, t)
	if err != nil {
		return nil, err
	}
	p.running, _ = to.Running()
	sayDropped(t, to, "promote")
	t.Progress.Logf("Promoting release %s from stack %s to stack %s.", r.ID, args.From, t.Stack)
	p.warn(t)
	return bring(ctx, t, p, "promote", args.Confirm)
}

// bring deploys a pinned release.
func bring(ctx context.Context, t Target, p *pinned, operation string, confirm func(*Plan) error) (*Deployed, error) {
	c, err := configure(t)
	if err == nil {
		err = p.suits(t, c)
	}
	if err == nil && operation == "promote" { // what a rollback brings back suited the stack before
		_, err = c.fitOr(ctx, t, p)
	}
	if err != nil {
		return nil, err
	}
	s, err := open(ctx, t, c, openArgs{operation: operation, pinned: p})
	if err != nil {
		return nil, err
	}
	return s.deploy(ctx, operation, confirm)
}
