package operation

import (
	"context"
	"errors"

	"slipway/engine"
)

// Preview returns what Up would change. It changes nothing.
func Preview(ctx context.Context, t Target, release string) (result engine.Result, err error) {
	p, err := again(ctx, t, release)
	if err != nil {
		return result, err
	}
	c, err := configure(t)
	if err == nil {
		err = p.suits(t, c)
	}
	if err != nil {
		return result, err
	}
	p.warn(t)
	s, err := open(ctx, t, c, openArgs{operation: "preview", pinned: p, builds: true})
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	return s.stack.Preview(ctx, s.account.Lock())
}
