package operation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"slipway/operation/account"
	"slipway/verdict"
)

// PauseArgs say how a stack is paused.
type PauseArgs struct {
	// Confirm gets what pausing means, before anything is changed. An error ends the pause.
	Confirm func(Pausing) error
}

// A Pausing is what pausing a stack means.
type Pausing struct {
	Stack     string     `json:"stack"`
	Live      bool       `json:"live"`
	Protected bool       `json:"protected"`
	Where     string     `json:"where"` // the account
	Services  []string   `json:"services"`
	Schedules int        `json:"schedules"`
	Database  string     `json:"database"`
	Costs     []Cost     `json:"costs"`              // that a pause does not end, a month
	Unpriced  []string   `json:"unpriced,omitempty"` // parts that still cost money, without a price
	Again     bool       `json:"again"`              // the stack was paused already
	Since     time.Time  `json:"since"`
	Starts    *time.Time `json:"starts,omitempty"` // when AWS starts the database again
}

// Dollars is what a paused stack still costs a month.
func (p Pausing) Dollars() float64 {
	sum := 0.0
	for _, c := range p.Costs {
		sum += c.Dollars
	}
	return sum
}

// Pause takes the services of a stack to zero, its schedules out of use, and stops its database. Nothing is lost. Repeated, it completes
// what an interrupted pause began, and stops a database that AWS has started again.
func Pause(ctx context.Context, t Target, args PauseArgs) (report *Pausing, err error) {
	c, err := configure(t)
	if err != nil {
		return nil, err
	}
	err = act(ctx, t, c, "pause", func(a *acting) error {
		var err error
		report, err = a.pause(ctx, args)
		return err
	})
	return report, err
}

func (a *acting) pause(ctx context.Context, args PauseArgs) (*Pausing, error) {
	p := a.paused
	again := p != nil
	if !again {
		var err error
		if p, err = a.before(ctx); err != nil {
			return nil, err
		}
	}
	is, err := a.account.Observe().Database(ctx, p.Database)
	if err != nil {
		return nil, err
	}
	if is.Replicas {
		return nil, fmt.Errorf("database %s has read replicas, or is one: RDS does not stop it (RDS User Guide, \"Stopping an Amazon RDS DB "+
			"instance temporarily\"); nothing was changed\ndelete the replicas first", p.Database)
	}
	r := &Pausing{Stack: a.target.Stack, Live: a.target.Live, Protected: a.config.stack.Protect, Where: a.where(), Services: []string{},
		Schedules: len(p.Schedules), Database: p.Database, Again: again, Since: p.Since}
	for _, s := range p.Services {
		r.Services = append(r.Services, a.part(s.Service))
	}
	r.Costs, r.Unpriced = standing(a.resources)
	if err := args.Confirm(*r); err != nil {
		return nil, err
	}
	if !again {
		written, err := a.writePaused(ctx, p, true)
		if err == nil && !written { // another pause was faster, and knows what was before
			p, err = a.readPaused(ctx)
		}
		if err != nil {
			return nil, err
		}
		if p == nil {
			return nil, fmt.Errorf("stack %s was resumed meanwhile; nothing was changed", a.target.Stack)
		}
	}
	if err := a.stopServices(ctx, p); err != nil {
		return nil, a.half(ctx, err)
	}
	if err := a.stopDatabase(ctx, p, is); err != nil {
		return nil, a.half(ctx, err)
	}
	r.Starts = p.Starts()
	return r, nil
}

// half says how an interrupted pause is completed or taken back.
func (a *acting) half(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		err = errors.New("interrupted")
	}
	return fmt.Errorf("%w\nstack %s is only partly paused; to complete that, repeat slipway pause%s; to take it back, run "+
		"slipway resume%[3]s", err, a.target.Stack, a.target.Flags())
}

// before is what runs now.
func (a *acting) before(ctx context.Context) (*Paused, error) {
	p := &Paused{Since: time.Now().UTC().Truncate(time.Second), Who: who(), Schedules: []Schedule{}}
	for _, declared := range a.expected.Services {
		is, err := a.found(ctx, declared.Service)
		if err != nil {
			return nil, err
		}
		scaling, err := a.scaling(ctx, declared.Service)
		if err != nil {
			return nil, err
		}
		p.Services = append(p.Services, PausedService{declared.Service, is.Desired, scaling})
	}
	for _, r := range a.resources {
		out := outputs(r.Outputs)
		switch r.Type {
		case typeSchedule:
			s := Schedule{out.text("groupName"), out.text("name")}
			enabled, _, err := a.account.Observe().Enabled(ctx, s.Group, s.Name)
			if err != nil {
				return nil, fmt.Errorf("schedule %s: %w", s.Name, err)
			}
			if enabled {
				p.Schedules = append(p.Schedules, s)
			}
		case typeInstance:
			p.Database = out.text("identifier")
		}
	}
	return p, nil
}

// stopServices takes services to zero and schedules out of use, and waits until no task runs: what runs longer loses its database.
func (a *acting) stopServices(ctx context.Context, p *Paused) error {
	actor := a.account.Actor()
	var stopped []verdict.Running
	for _, s := range p.Services {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if s.Scaling != nil { // it would start tasks again
			suspended := *s.Scaling
			suspended.InSuspended, suspended.OutSuspended, suspended.TimeSuspended = true, true, true
			if err := actor.SetScaling(ctx, a.expected.Cluster, s.Service, suspended); err != nil {
				return fmt.Errorf("the scaling of service %s: %w", s.Service, err)
			}
		}
		is, err := a.found(ctx, s.Service)
		if err == nil && is.Desired > 0 {
			a.target.Progress.Logf("Service %s: no task instead of %d.", a.part(s.Service), is.Desired)
			err = actor.Scale(ctx, a.expected.Cluster, s.Service, 0)
		}
		if err != nil {
			return fmt.Errorf("service %s: %w", s.Service, err)
		}
		stopped = append(stopped, a.stoppedService(s.Service))
	}
	for _, s := range p.Schedules {
		if err := a.enable(ctx, s, false); err != nil {
			return err
		}
	}
	v, err := a.judge(ctx, verdict.Expected{Cluster: a.expected.Cluster, Services: stopped})
	if err == nil && ctx.Err() == nil && !v.Good {
		a.target.Progress.Logf("Not every task has stopped; the database is stopped nevertheless: %s", v.Reasons)
	}
	return errors.Join(err, ctx.Err())
}

// stoppedService is what is expected of a paused service: what it ran, without tasks.
func (a *acting) stoppedService(name string) verdict.Running {
	for _, r := range a.expected.Services {
		if r.Service == name {
			r.Tasks, r.Check = 0, nil
			return r
		}
	}
	return verdict.Running{Service: name}
}

// enable changes a schedule, unless it is so already, or gone.
func (a *acting) enable(ctx context.Context, s Schedule, enabled bool) error {
	is, there, err := a.account.Observe().Enabled(ctx, s.Group, s.Name)
	if err == nil && there && is != enabled {
		err = a.account.Actor().Enable(ctx, s.Group, s.Name, enabled)
	}
	if err != nil {
		return fmt.Errorf("schedule %s: %w", s.Name, err)
	}
	return nil
}

// stopDatabase stops the database, and records when. RDS stops only an instance that is available.
func (a *acting) stopDatabase(ctx context.Context, p *Paused, is account.Database) error {
	switch is.Status {
	case "stopped", "stopping":
		if p.Stopped != nil {
			return nil
		}
	case "available":
		if err := a.account.Actor().StopDatabase(ctx, p.Database); err != nil {
			return fmt.Errorf("database %s: %w", p.Database, err)
		}
		a.target.Progress.Logf("Database %s is stopping.", p.Database)
	default:
		return fmt.Errorf("database %s is %s: RDS stops only one that is available; wait until it is", p.Database, is.Status)
	}
	now := time.Now().UTC().Truncate(time.Second)
	p.Stopped = &now
	_, err := a.writePaused(ctx, p, false)
	return err
}
