package operation

import (
	"context"
	"errors"

	"slipway/engine"
)

// Outputs returns the outputs of the program's last run.
func Outputs(ctx context.Context, t Target, showSecrets bool) (outputs map[string]any, err error) {
	err = reading(ctx, t, func(s *engine.Stack) error {
		outputs, err = s.Outputs(ctx, showSecrets)
		return err
	})
	return outputs, err
}

// Export is the state of the stack, as `pulumi stack export` writes it.
func Export(ctx context.Context, t Target, showSecrets bool) (state []byte, err error) {
	err = reading(ctx, t, func(s *engine.Stack) error {
		state, err = s.Export(ctx, showSecrets)
		return err
	})
	return state, err
}

// reading opens the stack to read its state.
func reading(ctx context.Context, t Target, read func(*engine.Stack) error) (err error) {
	if t.Live {
		c, err := configure(t)
		if err != nil {
			return err
		}
		s, err := open(ctx, t, c, openArgs{operation: "read"})
		if err != nil {
			return err
		}
		return errors.Join(missing(t, read(s.stack)), s.close())
	}
	options, err := stored(t)
	if err != nil {
		return err
	}
	s, err := engine.Open(options)
	if err != nil {
		return err
	}
	return missing(t, read(s))
}
