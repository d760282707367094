package operation

import (
	"context"
	"errors"
	"testing"
	"time"

	"slipway/engine"
)

// A command that waits begins again from nothing: what it knew of the stack is from before the run that it waited for.
func TestWaitingBeginsAgain(t *testing.T) {
	was := waitEach
	waitEach = time.Millisecond
	defer func() { waitEach = was }()
	other := &engine.LockedError{Stack: "prod", Owner: engine.Owner{PID: 7, Host: "laptop", Operation: "up"}}
	broken := errors.New("it is broken")
	for _, c := range []struct {
		name string
		wait time.Duration
		ends []error
		runs int
		want error
	}{
		{"without being asked", 0, []error{other, nil}, 1, other},
		{"free at once", time.Minute, []error{nil}, 1, nil},
		{"free in the end", time.Minute, []error{other, other, other, nil}, 4, nil},
		{"another mistake", time.Minute, []error{other, broken, nil}, 2, broken},
		{"never free", 20 * time.Millisecond, nil, 0, other},
	} {
		t.Run(c.name, func(t *testing.T) {
			var said []string
			runs := 0
			err := Wait(t.Context(), c.wait, func(by string, _ time.Time) { said = append(said, by) }, func() error {
				runs++
				if c.ends == nil {
					return other
				}
				return c.ends[runs-1]
			})
			if !errors.Is(err, c.want) || c.runs > 0 && runs != c.runs {
				t.Errorf("it ran %d times and ended with %v; want %d and %v", runs, err, c.runs, c.want)
			}
			if want := min(1, runs-1); len(said) != want || want == 1 && said[0] != "slipway up, process 7 on laptop" {
				t.Errorf("after %d runs it says %q", runs, said)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	err := Wait(ctx, time.Hour, func(string, time.Time) {}, func() error { cancel(); return other })
	if !errors.Is(err, other) {
		t.Errorf("after Ctrl-C: %v", err)
	}
}
