package operation

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"slipway/engine"
	"slipway/verdict"
)

// settling is how long the services may still change after the engine is done. The engine has already waited for them.
const settling = 10 * time.Minute

// A begun is what the engine has begun in this run, as far as a verdict on the run needs it.
type begun struct {
	mu       sync.Mutex
	services verdict.Started
	recheck  bool // the load balancer's health check changed
}

// hear notes a step of the engine.
func (b *begun) hear(e engine.Event) {
	if e.Phase != engine.Begun || !slices.Contains([]string{"create", "update", "replace", "create-replacement"}, e.Change.Op) {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e.Change.Type {
	case verdict.TypeService:
		if b.services == nil {
			b.services = verdict.Started{}
		}
		definition := b.services[e.Change.URN]
		for _, p := range e.Change.Properties {
			if to, ok := p.To.(string); ok && p.Path == "taskDefinition" {
				definition = to
			}
		}
		b.services[e.Change.URN] = definition
	case verdict.TypeTargetGroup:
		for _, p := range e.Change.Properties {
			b.recheck = b.recheck || strings.HasPrefix(p.Path, "healthCheck")
		}
	}
}

// reset forgets the run before.
func (b *begun) reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.services, b.recheck = nil, false
}

func (b *begun) known() (services verdict.Started, recheck bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.services), b.recheck
}

// judge says whether services run what is expected of them.
func (s *session) judge(ctx context.Context, expected verdict.Expected) (verdict.Verdict, error) {
	_, expected.Recheck = s.begun.known()
	wait := settling
	if !s.target.Live { // what a model says does not change any more
		wait = 0
	}
	return verdict.Judge(ctx, s.account.ECS(), expected, wait)
}

// expected is what the program last declared of its services.
func (s *session) expected(ctx context.Context) (verdict.Expected, error) {
	state, err := s.stack.Checkpoint(ctx)
	if err != nil {
		return verdict.Expected{}, err
	}
	return verdict.ExpectedOf(state.Resources)
}

// settle gives services the number of tasks that the program declares. It restores those that an interrupted destroy scaled to
// zero, and brings those that scale into their range: scaling owns their number, but a new minimum alone starts no task
// until an alarm does (ECS guide, "Automatically scale your Amazon ECS service", considerations).
func (s *session) settle(ctx context.Context) error {
	return s.scale(ctx, func(declared verdict.Running, is verdict.Service) int {
		n := declared.Wanted(is.Desired)
		if is.Desired > 0 && n != is.Desired {
			s.target.Progress.Logf("Service %s: %s instead of %d, because web.min is %d and web.max is %d.", is.Name, some(n, false, "task"),
				is.Desired, declared.Min, declared.Max)
		}
		return n
	})
}

// scale returns each service as many tasks as want says.
func (s *session) scale(ctx context.Context, want func(verdict.Running, verdict.Service) int) error {
	expected, err := s.expected(ctx)
	if err != nil || len(expected.Services) == 0 {
		return err
	}
	byName := map[string]verdict.Running{}
	for _, r := range expected.Services {
		byName[r.Service] = r
	}
	services := s.account.ECS()
	found, err := services.Services(ctx, expected.Cluster, slices.Collect(maps.Keys(byName)))
	if err != nil {
		return fmt.Errorf("the services of cluster %s: %w", expected.Cluster, err)
	}
	for _, is := range found {
		if n := want(byName[is.Name], is); n != is.Desired && is.Status == "ACTIVE" {
			if err := services.Scale(ctx, expected.Cluster, is.Name, n); err != nil {
				return fmt.Errorf("service %s: %d tasks: %w", is.Name, n, err)
			}
		}
	}
	return nil
}

// A badVerdict is the error of an operation after which the services do not run what is expected.
type badVerdict struct {
	verdict.Verdict
	engine error // what the engine said of it, if anything
}

func (e *badVerdict) Error() string {
	if e.engine != nil {
		return e.engine.Error() + "\n" + e.Verdict.String()
	}
	return e.Verdict.String()
}

func (e *badVerdict) Unwrap() error { return e.engine }

// A notStarted is the error of a run whose engine failed before it began to deploy any service. What runs is the work of an
// earlier run, and so is whatever is wrong with it.
type notStarted struct {
	engine error
	runs   bool // a service exists
}

func (e *notStarted) Error() string {
	if !e.runs {
		return e.engine.Error() + "\nThis run started no deployment, and no service runs yet."
	}
	return e.engine.Error() + "\nThis run started no deployment: the services run what they ran before it."
}

func (e *notStarted) Unwrap() error { return e.engine }

// judged is the verdict on this run alone, and the error that it ends with: err, if the engine or the containers failed. After
// a failure of the engine only services are judged that it began to deploy.
func (s *session) judged(ctx context.Context, err error) (verdict.Verdict, error) {
	none := verdict.Verdict{Services: []verdict.ServiceStatus{}}
	if ctx.Err() != nil {
		return none, err
	}
	var failed *engine.Failure
	if err != nil && !errors.As(err, &failed) {
		return none, err
	}
	state, wrong := s.stack.Checkpoint(ctx)
	if wrong != nil {
		return none, errors.Join(err, wrong)
	}
	expected, wrong := verdict.ExpectedOf(state.Resources)
	if err != nil && wrong == nil {
		started, _ := s.begun.known()
		if len(started) == 0 {
			return none, &notStarted{err, len(expected.Services) > 0}
		}
		expected, wrong = started.ExpectedOf(state.Resources)
	}
	if wrong != nil {
		return none, errors.Join(err, wrong)
	}
	v, wrong := s.judge(ctx, expected)
	if wrong != nil {
		return none, errors.Join(err, wrong)
	}
	if err == nil && v.Good {
		v.Add(s.visit(ctx))
	}
	if err == nil && v.Good {
		for _, f := range s.findings(nil) {
			v.Reasons = append(v.Reasons, strings.ReplaceAll(f.String(), "\n", "\n  "))
		}
		v.Good = len(v.Reasons) == 0
	}
	if !v.Good {
		return v, &badVerdict{v, err}
	}
	return v, err
}
