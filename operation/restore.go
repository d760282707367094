package operation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"slipway/engine"
	"slipway/operation/account"
)

// A StateVersion is an earlier version of the state, which the bucket of the state keeps.
type StateVersion struct {
	ID        string    `json:"id"`
	Written   time.Time `json:"written"`
	Resources int       `json:"resources"`
	Pending   int       `json:"pending"` // operations that it lists as not completed
	Newer     int       `json:"newer"`   // newer versions, none of which can be read

	data []byte
}

func (v StateVersion) String() string {
	return fmt.Sprintf("version %s of %s, with %s and %s", v.ID, v.Written.UTC().Format(time.RFC3339),
		some(v.Resources, false, "resource"), some(v.Pending, false, "pending operation"))
}

// errSound means that the state can be read, so there is nothing to restore.
var errSound = errors.New("the state can be read")

// restorable finds the newest version of the state that can be read, when the current one cannot: an engine that loses its
// credentials or its connection can leave one that is cut short (pulumi/pulumi#2801). It changes nothing.
func restorable(ctx context.Context, history account.StateHistory, key string) (*StateVersion, error) {
	var found *StateVersion
	damaged := 0
	sound := false
	err := history.StateVersions(ctx, key, func(v account.StateVersion) bool {
		state, err := engine.ParseState(v.Data)
		if err != nil {
			damaged++
			return true
		}
		sound = v.Latest
		found = &StateVersion{ID: v.ID, Written: v.Written, Resources: len(state.Resources), Pending: len(state.Pending),
			Newer: damaged, data: v.Data}
		return false
	})
	switch {
	case err != nil:
		return nil, err
	case sound:
		return nil, errSound
	case found != nil:
		return found, nil
	case damaged > 0:
		return nil, fmt.Errorf("none of the %d versions of %s can be read", damaged, key)
	}
	return nil, engine.ErrNoStack
}

// restore puts the newest version of the state that can be read in the place of a damaged one, after the user agreed.
func (s *session) restore(ctx context.Context, agree func(StateVersion) error) (*StateVersion, error) {
	history, ok := s.account.(account.StateHistory)
	if !ok {
		return nil, errors.New("this account keeps no versions of the state")
	}
	version, err := restorable(ctx, history, s.stack.StateKey())
	switch {
	case errors.Is(err, errSound):
		return nil, fmt.Errorf("the state of stack %s can be read: there is nothing to restore, and nothing was done", s.target.Stack)
	case err != nil:
		return nil, missing(s.target, err)
	}
	s.target.Progress.Logf("The state of stack %s is damaged. The newest version that can be read is %s.", s.target.Stack, version)
	s.target.Progress.Logf("%d newer versions cannot be read. Resources that were created after that version exist, but are not in the state.",
		version.Newer)
	if err := agree(*version); err != nil {
		return nil, err
	}
	if err := s.stack.RestoreState(ctx, version.data); err != nil {
		return nil, err
	}
	s.target.Progress.Logf("Restored %s.", version)
	return version, nil
}
