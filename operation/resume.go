package operation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"slipway/verdict"
)

// A Resumed is what resume did.
type Resumed struct {
	Stack    string           `json:"stack"`
	Live     bool             `json:"live"`
	Nothing  bool             `json:"nothing"` // the stack was not paused
	Since    *time.Time       `json:"since,omitempty"`
	Services []string         `json:"services"`
	Verdict  *verdict.Verdict `json:"verdict,omitempty"`
}

// Waiting for a database. Starting one takes minutes, sometimes longer (RDS User Guide, "Stopping an Amazon RDS DB instance temporarily").
const startPatience = 40 * time.Minute

var startPoll = 15 * time.Second

// Resume starts the database of a paused stack, restores the tasks, scaling and schedules that were before, and waits for the verdict. It
// can be repeated after an interrupt.
func Resume(ctx context.Context, t Target) (report *Resumed, err error) {
	c, err := configure(t)
	if err != nil {
		return nil, err
	}
	err = act(ctx, t, c, "resume", func(a *acting) error {
		var err error
		report, err = a.resume(ctx)
		return err
	})
	return report, err
}

func (a *acting) resume(ctx context.Context) (*Resumed, error) {
	p := a.paused
	r := &Resumed{Stack: a.target.Stack, Live: a.target.Live, Nothing: p == nil, Services: []string{}}
	if p == nil {
		return r, nil
	}
	r.Since = &p.Since
	if err := a.agree("resume"); err != nil {
		return nil, err
	}
	if err := a.startDatabase(ctx, p.Database); err != nil {
		return nil, a.unresumed(ctx, err, "AWS continues to start the database; no task runs yet")
	}
	services, err := a.startServices(ctx, p)
	if err != nil {
		return nil, a.unresumed(ctx, err, "some services may have their tasks already")
	}
	for _, s := range services {
		r.Services = append(r.Services, a.part(s.Service))
	}
	if err := a.removePaused(ctx); err != nil {
		return nil, err
	}
	v, err := a.await(ctx, services, fmt.Sprintf("The stack is resumed, and ECS continues to start its tasks. See: slipway status%s",
		a.target.Flags()))
	r.Verdict = &v
	return r, err
}

// unresumed says how a resume is completed.
func (a *acting) unresumed(ctx context.Context, err error, state string) error {
	if ctx.Err() != nil {
		err = errors.New("interrupted: " + state)
	}
	return fmt.Errorf("%w\nstack %s is still paused; to complete this, repeat slipway resume%s", err, a.target.Stack, a.target.Flags())
}

// startDatabase starts the database, unless it runs, and waits until it is available.
func (a *acting) startDatabase(ctx context.Context, id string) error {
	for deadline := time.Now().Add(startPatience); ; {
		is, err := a.account.Observe().Database(ctx, id)
		if err != nil {
			return err
		}
		switch is.Status {
		case "available":
			return nil
		case "stopped":
			if err := a.account.Actor().StartDatabase(ctx, id); err != nil {
				return fmt.Errorf("database %s: %w", id, err)
			}
			a.target.Progress.Logf("Database %s is starting. That takes minutes.", id)
			continue
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("database %s is %s after %s", id, is.Status, startPatience)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(startPoll):
		}
	}
}

// startServices restores tasks, scaling and schedules. What is no longer there is left out.
func (a *acting) startServices(ctx context.Context, p *Paused) ([]verdict.Running, error) {
	actor := a.account.Actor()
	var all []verdict.Running
	for _, was := range p.Services {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		declared, err := a.service(was.Service)
		if err != nil {
			continue
		}
		is, err := a.found(ctx, was.Service)
		if err == nil && is.Desired != was.Tasks {
			err = actor.Scale(ctx, a.expected.Cluster, was.Service, was.Tasks)
			a.target.Progress.Logf("Service %s: %s.", a.part(was.Service), some(was.Tasks, false, "task"))
		}
		if err == nil && was.Scaling != nil {
			err = actor.SetScaling(ctx, a.expected.Cluster, was.Service, *was.Scaling)
		}
		if err != nil {
			return nil, fmt.Errorf("service %s: %w", was.Service, err)
		}
		declared.Tasks = was.Tasks
		all = append(all, declared)
	}
	for _, s := range p.Schedules {
		if err := a.enable(ctx, s, true); err != nil {
			return nil, err
		}
	}
	return all, nil
}
