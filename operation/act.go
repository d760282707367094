package operation

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"

	"slipway/operation/account"
	"slipway/verdict"
)

// An acting is a deployed stack in which something is changed outside of the program.
type acting struct {
	*session
	resources []apitype.ResourceV3 // of the checkpoint
	expected  verdict.Expected
	paused    *Paused // nil: the stack is not paused
}

// act opens a stack that is deployed and that no other run is changing.
func act(ctx context.Context, t Target, c *configuration, operation string, do func(*acting) error) (err error) {
	s, err := open(ctx, t, c, openArgs{operation: operation})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if t.Live {
		if err := s.stack.Free(ctx); err != nil {
			return err
		}
	}
	state, err := s.stack.Checkpoint(ctx)
	if err != nil {
		return err
	}
	a := &acting{session: s, resources: state.Resources}
	if a.expected, err = verdict.ExpectedOf(state.Resources); err != nil {
		return err
	}
	if len(a.expected.Services) == 0 {
		return fmt.Errorf("stack %s has no services: it was never deployed, or it was destroyed; begin with: slipway up%s", t.Stack, t.Flags())
	}
	if a.paused, err = s.readPaused(ctx); err != nil {
		return err
	}
	return do(a)
}

// agree asks before a real account is changed.
func (a *acting) agree(operation string) error {
	if !a.target.Live || a.target.Confirm == nil {
		return nil
	}
	return a.target.Confirm(operation, a.account.Identity())
}

// notPaused refuses what a paused stack cannot take.
func (a *acting) notPaused() error { return a.paused.refuse(a.target) }

// part is what people call a service: web, worker-feed.
func (a *acting) part(service string) string {
	return strings.TrimPrefix(service, a.config.stack.Project+"-"+a.config.stack.Name+"-")
}

// service is one of the stack's services: by the name that the stack's file has, by the one that people call it, or by its name in ECS.
func (a *acting) service(name string) (verdict.Running, error) {
	for _, form := range []string{name, "worker-" + name} {
		for _, r := range a.expected.Services {
			if a.part(r.Service) == form || r.Service == name {
				return r, nil
			}
		}
	}
	var names []string
	for _, r := range a.expected.Services {
		names = append(names, strings.TrimPrefix(a.part(r.Service), "worker-"))
	}
	return verdict.Running{}, noService(name, names)
}

// found is what ECS says of a service.
func (a *acting) found(ctx context.Context, service string) (verdict.Service, error) {
	all, err := a.account.ECS().Services(ctx, a.expected.Cluster, []string{service})
	switch {
	case err != nil:
		return verdict.Service{}, fmt.Errorf("service %s: %w", service, err)
	case len(all) == 0 || all[0].Status != "ACTIVE":
		return verdict.Service{}, fmt.Errorf("service %s does not exist in the account; to create it again, run: slipway up%s", service,
			a.target.Flags())
	}
	return all[0], nil
}

// scaling is how a service scales; nil if it does not.
func (a *acting) scaling(ctx context.Context, service string) (*account.Scaling, error) {
	all, err := a.account.Observe().Scaling(ctx, a.expected.Cluster, []string{service})
	if err != nil {
		return nil, fmt.Errorf("the scaling of service %s: %w", service, err)
	}
	if s, ok := all[service]; ok {
		return &s, nil
	}
	return nil, nil
}

// await waits until services run what is expected of them. An interrupt ends only the waiting: still says what AWS
// continues to do.
func (a *acting) await(ctx context.Context, services []verdict.Running, still string) (verdict.Verdict, error) {
	v, err := a.judge(ctx, verdict.Expected{Cluster: a.expected.Cluster, Services: services})
	switch {
	case ctx.Err() != nil:
		return v, fmt.Errorf("stopped waiting. %s", still)
	case err != nil:
		return v, err
	case !v.Good:
		return v, &badVerdict{v, nil}
	}
	return v, nil
}
