package operation

import (
	"context"
	"fmt"
	"strings"

	"slipway/release"
)

// Rollback runs an earlier release of the stack again; "" is the last good one before the one that runs, with other images.
func Rollback(ctx context.Context, t Target, id string, confirm func(*Plan) error) (*Deployed, error) {
	h, err := Releases(ctx, t)
	if err != nil {
		return nil, err
	}
	if id == "" {
		previous, ok := h.Previous()
		if !ok {
			return nil, noneBefore(t, h)
		}
		id = previous.ID
	}
	p, err := pin(h, id)
	if err != nil {
		return nil, err
	}
	r := p.release
	if d, _ := h.Of(id); !d.Good() {
		t.Progress.Logf("Warning: release %s is not good here itself: %s", id, h.Unfit(r, d))
	}
	t.Progress.Logf("Going back to release %s of %s.", id, release.Moment(r.When))
	p.warn(t)
	sayDropped(t, h, "rollback")
	return bring(ctx, t, p, "rollback", confirm)
}

// noneBefore says why a stack has nothing to go back to, and what it has instead.
func noneBefore(t Target, h release.History) error {
	const few = 5
	var later []string
	for _, r := range h.Later() {
		later = append(later, r.ID)
	}
	running, _ := h.Running()
	destroyed, gone := h.Destroyed()
	switch {
	case len(later) > 0:
		rest := ""
		if n := len(later) - few; n > 0 {
			later, rest = later[:few], fmt.Sprintf(" and %d more", n)
		}
		return fmt.Errorf("stack %s has no earlier release than %s that was good and has other images; nothing was changed\n"+
			"newer ones: %s%s\nto run one of them on purpose: slipway rollback RELEASE%s",
			t.Stack, running.ID, strings.Join(later, ", "), rest, t.Flags())
	case gone:
		return fmt.Errorf("stack %s was destroyed on %s, and the images of its releases before that were deleted with it: "+
			"there is nothing to go back to. To build what is in the folder: slipway up%s", t.Stack, release.Moment(destroyed), t.Flags())
	}
	return fmt.Errorf("stack %s has no earlier release that was good and has other images: there is nothing to go back to", t.Stack)
}
