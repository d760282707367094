package main

import (
	"context"
	"errors"
	"fmt"

	"slipway/release"
)

// restore puts the newest version of the state that can be read in the place of a damaged one, when the stack's name was
// typed or given with --confirm.
func (t *tool) restore(ctx context.Context, s *stage, k unlocking) (*release.StateVersion, error) {
	version, err := s.stack.Restorable(ctx)
	switch {
	case errors.Is(err, release.ErrSound):
		return nil, fmt.Errorf("the state of stack %s can be read: there is nothing to restore, and nothing was done", t.stack)
	case err != nil:
		return nil, t.missing(err)
	}
	t.say("The state of stack %s is damaged. The newest version that can be read is %s.", t.stack, version)
	t.say("%d newer versions cannot be read. Resources that were created after that version exist, and the state will not know them.", version.Newer)
	if k.confirm != t.stack {
		name, err := t.ask("Type the name of the stack to restore this version: ")
		if err != nil {
			return nil, fmt.Errorf("%w; --restore-state needs --confirm %s too", err, t.stack)
		}
		if name != t.stack {
			return nil, errors.New("that is not its name; nothing was done")
		}
	}
	if err := s.stack.RestoreState(ctx, version); err != nil {
		return nil, err
	}
	t.say("Restored %s.", version)
	return version, nil
}
