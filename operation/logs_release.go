package operation

import (
	"context"
	"fmt"
	"sync"
	"time"

	"slipway/logline"
	"slipway/release"
)

// A reign is a time in which tasks that start are those of a release. end zero: it has not ended.
type reign struct{ begin, end time.Time }

func (r reign) has(at time.Time) bool {
	return !at.Before(r.begin) && (r.end.IsZero() || at.Before(r.end))
}

// spansOf are the times in which tasks that started ran a release.
func (o *observed) spansOf(ctx context.Context, id string) ([]reign, error) {
	ledger, err := ledgerOf(ctx, o.stack)
	if err != nil {
		return nil, err
	}
	defer ledger.Close()
	h, err := ledger.Read(ctx)
	if err != nil {
		return nil, err
	}
	r, err := h.Find(id)
	if err != nil {
		return nil, err
	}
	spans := reigns(h.Deployments, r.ID)
	if len(spans) == 0 {
		return nil, fmt.Errorf("release %s never ran in stack %s", r.ID, o.target.Stack)
	}
	return spans, nil
}

// reigns reads a ledger's deployments, oldest first. A task that starts during a deployment runs what that deploys; after one that was not
// good, ECS starts what ran before.
func reigns(deployments []release.Deployment, id string) []reign {
	var all []reign
	running := ""
	turn := func(to string, at time.Time) {
		switch {
		case to == id && (len(all) == 0 || !all[len(all)-1].end.IsZero()):
			all = append(all, reign{begin: at})
		case to != id && len(all) > 0 && all[len(all)-1].end.IsZero():
			all[len(all)-1].end = at
		}
	}
	for _, d := range deployments {
		deploys := d.Release
		if d.Operation == "destroy" {
			deploys = ""
		} else if deploys == "" { // it is under way, or was killed, and what it deploys is not known
			continue
		}
		turn(deploys, d.When)
		if d.Verdict != nil && !d.Verdict.Good && d.Operation != "destroy" {
			turn(running, d.Ended)
			continue
		}
		running = deploys
	}
	return all
}

// births are the times at which tasks began to write, by their log streams.
type births struct {
	spans []reign
	mu    sync.Mutex
	seen  map[string]time.Time
}

// learn asks for the log streams of the groups that are wanted.
func (b *births) learn(ctx context.Context, s *selection) error {
	for _, group := range s.groups {
		streams, err := s.observer.LogStreams(ctx, group, s.from)
		if err != nil {
			return fmt.Errorf("the streams of log group %s: %w", group, err)
		}
		for _, stream := range streams {
			b.mu.Lock()
			b.seen[group+" "+stream.Name] = stream.Created
			b.mu.Unlock()
		}
	}
	return nil
}

// has says whether a task that wrote an event ran the release. Of a stream that is not known, the first event that is read is its beginning.
func (b *births) has(e logline.Event) bool {
	key := e.Group + " " + e.Stream
	if e.Stream == "" {
		key = e.Family + " " + e.Task
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	at, known := b.seen[key]
	if !known {
		at = e.When()
		b.seen[key] = at
	}
	for _, span := range b.spans {
		if span.has(at) {
			return true
		}
	}
	return false
}
