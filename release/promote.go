package release

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"slipway/internal/image"
)

// Promotable is the release with the given ID, or the one that was deployed last, with its newest deployment.
func (h History) Promotable(id string) (r Release, d Deployment, err error) {
	last, any := h.Last()
	switch {
	case !any:
		return r, d, fmt.Errorf("stack %s was never deployed; begin with: slipway up%s", h.Stack, h.Flags)
	case id != "":
		if r, err = h.Find(id); err != nil {
			return r, d, err
		}
		d, _ = h.Of(r.ID)
		return r, d, nil
	case last.Operation == "destroy" && !last.Good():
		return r, d, fmt.Errorf("the destroy of stack %[1]s on %[2]s did not finish; name a release (slipway releases%[3]s), "+
			"or bring it up again: slipway up%[3]s",
			h.Stack, Moment(last.When), h.Flags)
	case last.Operation == "destroy":
		return r, d, fmt.Errorf("stack %[1]s was destroyed on %[2]s, so nothing runs there; name a release (slipway releases%[3]s)",
			h.Stack, Moment(last.When), h.Flags)
	case last.Release == "" && last.Verdict == nil:
		return r, d, fmt.Errorf("the last deployment of stack %[1]s never ended (%[2]s by %[3]s, on %[4]s); finish it with: slipway up%[5]s",
			h.Stack, last.Operation, last.Who, Moment(last.When), h.Flags)
	case last.Release == "":
		return r, d, fmt.Errorf("the last deployment of stack %[1]s failed before it had images: %[2]s\n"+
			"fix it there, or name a release (slipway releases%[3]s)",
			h.Stack, strings.Join(last.Verdict.Reasons, "; "), h.Flags)
	}
	r, err = h.Find(last.Release)
	return r, last, err
}

// Unfit is the reason why a release may not be promoted from the stack; "": it may.
func (h History) Unfit(r Release, d Deployment) string {
	switch {
	case d.ID == "":
		return fmt.Sprintf("it was never deployed in stack %s.", h.Stack)
	case d.Verdict == nil:
		return fmt.Sprintf("its deployment in stack %s never ended (%s by %s, on %s).", h.Stack, d.Operation, d.Who, Moment(d.When))
	case !d.Verdict.Good:
		return fmt.Sprintf("it is not good in stack %s: %s.", h.Stack,
			cmp.Or(strings.Join(d.Verdict.Reasons, "; "), "the verdict gives no reason"))
	}
	return ""
}

// ImagesOf is where the images of a release are in the stack; zero: nowhere.
func (h History) ImagesOf(r Release) image.Pair {
	for _, d := range slices.Backward(h.Deployments) {
		if d.Release == r.ID && d.Images != nil {
			return *d.Images
		}
	}
	if r.Stack == h.Stack {
		return r.Images
	}
	return image.Pair{}
}

// Moment formats a time for messages.
func Moment(at time.Time) string { return at.UTC().Format("2006-01-02 15:04:05 UTC") }
