package operation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"slipway/engine"
)

// waitEach is how long Wait waits before it looks at the stack again.
var waitEach = 5 * time.Second

// Wait runs an operation again, from its beginning, while another run holds the stack and there is time. What the other run did is
// then part of what the operation sees: the release before the one that runs, for example. inUse is called once for each run that is
// waited for.
func Wait(ctx context.Context, most time.Duration, inUse func(by string, until time.Time), run func() error) error {
	if most < 0 {
		return UsageError{fmt.Errorf("--wait %s: a time to wait cannot be negative", most)}
	}
	said := ""
	for deadline := time.Now().Add(most); ; {
		err := run()
		var held *engine.LockedError
		var locked *engine.StateLockedError
		if most == 0 || !errors.As(err, &held) && !errors.As(err, &locked) || time.Now().After(deadline) {
			return err
		}
		who := ""
		switch {
		case held != nil:
			who = held.Owner.Holder()
		case len(locked.Locks) > 0:
			who = locked.Locks[0].Holder()
		}
		if who != said {
			inUse(who, deadline)
			said = who
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(min(waitEach, max(0, time.Until(deadline)))):
		}
	}
}
