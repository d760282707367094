package operation

import (
	"context"
	"fmt"
	"strings"

	"slipway/release"
)

// Rollback runs an earlier release of the stack again; "" is the newest that was good and has other images than those that run.
func Rollback(ctx context.Context, t Target, id string, confirm func(*Plan) error) (*Deployed, error) {
	h, err := Releases(ctx, t)
	if err != nil {
		return nil, err
	}
	if id == "" {
		previous, ok := h.Previous()
		if !ok {
			return nil, fmt.Errorf("stack %s has no earlier release that was good and has other images: there is nothing to go back to", t.Stack)
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
	if stay := p.running.Without(r); len(stay) > 0 {
		t.Progress.Logf("Warning: the database keeps what these migrations did, which release %s does not know: %s.\n"+
			"They are not undone. Its code must suit the database as it is.", id, strings.Join(stay, ", "))
	}
	sayDropped(t, h, "rollback")
	return bring(ctx, t, p, "rollback", confirm)
}
