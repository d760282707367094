package operation

import (
	"context"
	"errors"
)

// Preview is what Up would change. It changes nothing, and refuses what Up would refuse.
func Preview(ctx context.Context, t Target, release string) (plan *Plan, err error) {
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
	s, err := open(ctx, t, c, openArgs{operation: "preview", pinned: p})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	return s.plan(ctx, "preview")
}
