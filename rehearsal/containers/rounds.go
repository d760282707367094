package containers

import (
	"context"
	"strings"
	"sync"
	"time"

	"slipway/rehearsal/cloud"
)

// rounds are the health checks of the registered targets. A new target is healthy, because it was registered after a success.
type rounds struct {
	run *Run
	ask func(p *probe, ctx context.Context, address string) *unwell

	next map[string]time.Time // when each target group is due, by its ID
	was  map[target]condition
}

// A condition is that of a target.
type condition struct {
	bad    bool
	streak int // answers in a row that say otherwise
}

// after is the condition after another answer.
func (c condition) after(p *probe, wrong *unwell) condition {
	limit := p.unhealthyAfter
	if wrong == nil {
		limit = p.healthyAfter
	}
	switch {
	case c.bad == (wrong != nil):
		c.streak = 0
	case c.streak+1 < limit:
		c.streak++
	default:
		c = condition{bad: !c.bad}
	}
	return c
}

// hosts are the targets of a group.
type hosts struct{ healthy, unhealthy int }

// round asks the targets of the groups whose interval has passed, and counts all targets by the ID of their group.
func (r *rounds) round(ctx context.Context, now time.Time) map[string]hosts {
	if r.next == nil {
		r.next = map[string]time.Time{}
	}
	groups := map[string][]target{}
	is := map[target]condition{} // without the targets that left
	for _, t := range r.run.targets() {
		groups[t.Group] = append(groups[t.Group], t)
		is[t] = r.was[t]
	}
	found := map[string]hosts{}
	for id, p := range r.run.probes() {
		if !now.Before(r.next[id]) {
			r.next[id] = now.Add(r.run.sooner(p.interval))
			for i, wrong := range r.answers(ctx, p, groups[id]) {
				t := groups[id][i]
				is[t] = is[t].after(p, wrong)
			}
		}
		var n hosts
		for _, t := range groups[id] {
			if is[t].bad {
				n.unhealthy++
			} else {
				n.healthy++
			}
		}
		if len(groups[id]) > 0 {
			found[id] = n
		}
	}
	r.was = is
	return found
}

// answers asks the targets of a group, all at once.
func (r *rounds) answers(ctx context.Context, p *probe, targets []target) []*unwell {
	var asked sync.WaitGroup
	answers := make([]*unwell, len(targets))
	for i, t := range targets {
		asked.Go(func() {
			host, _, _ := strings.Cut(t.Address, ":")
			answers[i] = r.ask(p, ctx, host)
		})
	}
	asked.Wait()
	return answers
}

// probes are the health checks of the target groups that services use, by the group's ID.
func (r *Run) probes() map[string]*probe {
	all := map[string]*probe{}
	for _, service := range r.all("aws:ecs/service:Service") {
		for _, balancer := range cloud.Inputs(service.Outputs).Maps("loadBalancers") {
			if p, err := r.probe(balancer); err == nil {
				all[p.group.ID] = p
			}
		}
	}
	return all
}
