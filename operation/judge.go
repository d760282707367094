package operation

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"slipway/verdict"
)

// settling is how long the services may still change after the engine is done. The engine has already waited for them.
const settling = 10 * time.Minute

// judge reports whether the stack's services run what its program declares.
func (s *session) judge(ctx context.Context) (verdict.Verdict, error) {
	expected, err := s.expected(ctx)
	if err != nil {
		return verdict.Verdict{}, err
	}
	return verdict.Judge(ctx, s.account.ECS(), expected, settling)
}

// expected is what the program last declared of its services.
func (s *session) expected(ctx context.Context) (verdict.Expected, error) {
	state, err := s.stack.Checkpoint(ctx)
	if err != nil {
		return verdict.Expected{}, err
	}
	return verdict.ExpectedOf(state.Resources)
}

// wake restores the tasks of services that an interrupted destroy scaled to zero.
func (s *session) wake(ctx context.Context) error {
	return s.scale(ctx, func(declared verdict.Running, is verdict.Service) int {
		if is.Desired == 0 {
			return declared.Tasks
		}
		return is.Desired
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

// judged adds the verdict to the engine's error, if it had one.
func (s *session) judged(ctx context.Context, err error) (verdict.Verdict, error) {
	if ctx.Err() != nil {
		return verdict.Verdict{}, err
	}
	v, wrong := s.judge(ctx)
	switch {
	case wrong != nil:
		return v, errors.Join(err, wrong)
	case !v.Good:
		return v, &badVerdict{v, err}
	}
	return v, err
}
