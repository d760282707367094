package operation

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"slipway/logline"
	"slipway/operation/account"
)

// A source writes events by time into a channel.
type source struct {
	name string
	read func(ctx context.Context, send func([]logline.Event) error) error
}

// A cut is the moment from which on CloudWatch has all events of a log group. What is older comes from the archive, so no line is read twice.
type cut map[string]time.Time

// expiry is how long before the end of its retention an event is read from the archive: CloudWatch deletes what is older, not to the second.
const expiry = time.Hour

// cuts asks for the log groups. One that was deleted has nothing, and one that was created again nothing from before that.
func (s *selection) cuts(ctx context.Context, now time.Time) (cut, error) {
	found, err := s.observer.LogGroups(ctx, s.layout.path)
	if err != nil {
		return nil, fmt.Errorf("the log groups of stack %s: %w", s.target.Stack, err)
	}
	cuts := cut{}
	for _, g := range found {
		from := g.Created
		if g.Retention > 0 && from.Before(now.Add(-g.Retention).Add(expiry)) {
			from = now.Add(-g.Retention).Add(expiry)
		}
		cuts[g.Name] = from
	}
	return cuts, nil
}

// read emits the lines of the range of time, by time.
func (s *selection) read(ctx context.Context) error {
	now := time.Now()
	cuts, err := s.cuts(ctx, now)
	if err != nil {
		return err
	}
	var sources []source
	archived := false // events are older than what CloudWatch has
	for _, group := range s.groups {
		from, there := cuts[group]
		archived = archived || !there || s.from.Before(from)
		if there && (s.until.IsZero() || from.Before(s.until)) {
			sources = append(sources, s.fromGroup(group, later(s.from, from), s.until))
		}
	}
	for _, a := range s.layout.archives {
		if a.grouped && archived || !a.grouped && s.routed {
			sources = append(sources, s.fromArchive(a, cuts, now))
		}
	}
	return s.merge(ctx, sources)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// fromGroup reads a log group. A request's ID is a word of its own in a line, so CloudWatch can look for it.
func (s *selection) fromGroup(group string, from, until time.Time) source {
	return source{"log group " + group, func(ctx context.Context, send func([]logline.Event) error) error {
		query := account.EventQuery{Group: group, From: from, To: until, Term: s.args.Request}
		return s.observer.Events(ctx, query, func(events []logline.Event) error {
			if events = slices.DeleteFunc(events, func(e logline.Event) bool { return !s.wants(e) }); len(events) == 0 {
				return nil
			}
			return send(events)
		})
	}}
}

// A flow is what is waiting of a source.
type flow struct {
	name   string
	events chan []logline.Event
	head   []logline.Event
	err    error
}

// merge reads sources at the same time and emits their events by time. It holds one page of each. A source that cannot be read leaves the
// others readable.
func (s *selection) merge(ctx context.Context, sources []source) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var group errgroup.Group
	flows := make([]*flow, len(sources))
	for i, one := range sources {
		f := &flow{name: one.name, events: make(chan []logline.Event, 1)}
		flows[i] = f
		group.Go(func() error {
			defer close(f.events)
			f.err = one.read(ctx, func(events []logline.Event) error {
				select {
				case f.events <- events:
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			})
			return nil
		})
	}
	emitted := s.drain(flows)
	cancelled := ctx.Err()
	cancel()
	_ = group.Wait()
	if emitted != nil {
		return emitted
	}
	if cancelled != nil {
		return cancelled
	}
	var wrong []error
	for _, f := range flows {
		if f.err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", f.name, f.err))
		}
	}
	if len(wrong) > 0 {
		return &incompleteError{wrong}
	}
	return nil
}

// drain emits the earliest event of all flows, until there is none.
func (s *selection) drain(flows []*flow) error {
	open := slices.Clone(flows)
	for {
		open = slices.DeleteFunc(open, func(f *flow) bool {
			for len(f.head) == 0 {
				var more bool
				if f.head, more = <-f.events; !more {
					return true
				}
			}
			return false
		})
		if len(open) == 0 {
			return nil
		}
		first := slices.MinFunc(open, func(a, b *flow) int { return a.head[0].When().Compare(b.head[0].When()) })
		if err := s.show(first.head[0]); err != nil {
			return err
		}
		first.head = first.head[1:]
	}
}

// show emits an event, unless it was shown before.
func (s *selection) show(e logline.Event) error {
	if s.shown != nil && e.ID != "" {
		key := e.Group + " " + e.Stream + " " + e.ID
		if _, known := s.shown[key]; known {
			return nil
		}
		s.shown[key] = e.Time
	}
	if err := s.emit(s.line(e)); err != nil {
		s.stopped = err
		return err
	}
	return nil
}

// sortEvents sorts events by time, those of one moment by where they come from.
func sortEvents(events []logline.Event) {
	slices.SortStableFunc(events, func(a, b logline.Event) int {
		return cmp.Or(a.When().Compare(b.When()), cmp.Compare(a.Group+a.Stream, b.Group+b.Stream), cmp.Compare(a.ID, b.ID))
	})
}
