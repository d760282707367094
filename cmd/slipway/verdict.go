package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"time"

	"slipway/operation/account/awsaccount"
	"slipway/rehearsal/cloud"
	"slipway/verdict"
)

// settling is how long the services may still be changing when the engine is done. It has waited for them already.
const settling = 10 * time.Minute

// judge says whether the stack's services run what its program asked for.
func (s *stage) judge(ctx context.Context, _ map[string]any) (verdict.Verdict, error) {
	asked, err := s.expected(ctx)
	if err != nil {
		return verdict.Verdict{}, err
	}
	return verdict.Judge(ctx, s.crew(), asked, settling)
}

// crew are the services of the stack's account, or of the model.
func (s *stage) crew() verdict.ECSScaler {
	if s.live != nil {
		return awsaccount.ECS(s.live.aws)
	}
	return fleet{s.model.Account}
}

// wake gives services that a destroy scaled to zero, and that it did not come to delete, the tasks that were asked for.
func (s *stage) wake(ctx context.Context) error {
	return s.scale(ctx, func(asked verdict.Running, is verdict.Service) int {
		if is.Desired == 0 {
			return asked.Tasks
		}
		return is.Desired
	})
}

// scale gives each service as many tasks as want says.
func (s *stage) scale(ctx context.Context, want func(verdict.Running, verdict.Service) int) error {
	asked, err := s.expected(ctx)
	if err != nil || len(asked.Services) == 0 {
		return err
	}
	byName := map[string]verdict.Running{}
	for _, r := range asked.Services {
		byName[r.Service] = r
	}
	crew := s.crew()
	services, err := crew.Services(ctx, asked.Cluster, slices.Collect(maps.Keys(byName)))
	if err != nil {
		return fmt.Errorf("the services of cluster %s: %w", asked.Cluster, err)
	}
	for _, is := range services {
		if n := want(byName[is.Name], is); n != is.Desired && is.Status == "ACTIVE" {
			if err := crew.Scale(ctx, asked.Cluster, is.Name, n); err != nil {
				return fmt.Errorf("service %s: %d tasks: %w", is.Name, n, err)
			}
		}
	}
	return nil
}

// A badVerdict is the error of a command after which the services do not run what was asked for.
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

// judged is err with the verdict, after an engine that is done or gave up.
func (s *stage) judged(ctx context.Context, outputs map[string]any, err error) (verdict.Verdict, error) {
	if ctx.Err() != nil {
		return verdict.Verdict{}, err
	}
	v, wrong := s.judge(ctx, outputs)
	switch {
	case wrong != nil:
		return v, errors.Join(err, wrong)
	case !v.Good:
		return v, &badVerdict{v, err}
	}
	return v, err
}

// A fleet is the model as ECS and CloudWatch Logs.
type fleet struct{ account *cloud.Account }

const (
	typeService    = "aws:ecs/service:Service"
	typeDefinition = "aws:ecs/taskDefinition:TaskDefinition"
)

func (f fleet) Services(_ context.Context, cluster string, names []string) ([]verdict.Service, error) {
	var all []verdict.Service
	for _, o := range f.account.Objects() {
		out := cloud.Inputs(o.Outputs)
		if o.Type == typeService && out.String("cluster") == cluster && slices.Contains(names, out.String("name")) {
			all = append(all, f.service(o))
		}
	}
	return all, nil
}

func (f fleet) service(o *cloud.Object) verdict.Service {
	out := cloud.Inputs(o.Outputs)
	runs, desired := out.String("taskDefinition"), out.Int("desiredCount")
	s := verdict.Service{Name: out.String("name"), Status: "ACTIVE", Desired: desired, Running: desired}
	primary := verdict.Deployed{ID: deployment(o.ID, runs, time.Time{}), Status: "PRIMARY", TaskDefinition: runs, Rollout: "COMPLETED",
		Reason: "ECS deployment completed.", Desired: desired, Running: desired}
	r := f.rollout(o.ID)
	if r == nil {
		s.Deployments = []verdict.Deployed{primary}
		return s
	}
	failed := verdict.Deployed{ID: deployment(o.ID, r.TaskDefinition, r.At), Status: "INACTIVE", TaskDefinition: r.TaskDefinition,
		Rollout: "FAILED", Reason: "ECS deployment circuit breaker: tasks failed to start.", Failed: len(r.Tasks), Created: r.At}
	if r.Back {
		s.Deployments = []verdict.Deployed{primary, failed}
		return s
	}
	failed.Status, failed.Desired = "PRIMARY", desired
	s.Running, s.Deployments = 0, []verdict.Deployed{failed}
	return s
}

func (f fleet) rollout(service string) *cloud.Rollout {
	all := f.account.Rollouts()
	if i := slices.IndexFunc(all, func(r cloud.Rollout) bool { return r.Service == service }); i >= 0 {
		return &all[i]
	}
	return nil
}

// deployment is ECS's kind of name for a deployment.
func deployment(service, definition string, at time.Time) string {
	sum := fnv.New64a()
	fmt.Fprint(sum, service, definition, at.UnixNano())
	return fmt.Sprintf("ecs-svc/%019d", sum.Sum64()%1e19)
}

func (f fleet) Definition(_ context.Context, arn string) (verdict.Definition, error) {
	for _, o := range f.account.Objects() {
		out := cloud.Inputs(o.Outputs)
		if o.Type != typeDefinition || out.String("arn") != arn {
			continue
		}
		var containers []struct {
			Name, Image      string
			LogConfiguration struct{ Options map[string]string }
		}
		if err := json.Unmarshal([]byte(out.String("containerDefinitions")), &containers); err != nil {
			return verdict.Definition{}, fmt.Errorf("task definition %s: %w", arn, err)
		}
		d := verdict.Definition{ARN: arn}
		for _, c := range containers {
			options := c.LogConfiguration.Options
			d.Containers = append(d.Containers, verdict.Container{Name: c.Name, Image: c.Image, Group: options["awslogs-group"], Prefix: options["awslogs-stream-prefix"]})
		}
		return d, nil
	}
	return verdict.Definition{}, fmt.Errorf("the model has no task definition %s", arn)
}

func (f fleet) Stopped(ctx context.Context, _, service string) ([]verdict.Task, error) {
	var tasks []verdict.Task
	for _, r := range f.account.Rollouts() {
		if !strings.HasSuffix(r.Service, "/"+service) {
			continue
		}
		definition, err := f.Definition(ctx, r.TaskDefinition)
		if err != nil {
			return nil, err
		}
		for _, arn := range r.Tasks {
			t := verdict.Task{ARN: arn, TaskDefinition: r.TaskDefinition, Reason: r.Failure.Reason, At: r.At}
			for _, c := range definition.Containers {
				ended := verdict.StoppedContainer{Name: c.Name}
				if c.Name == r.Failure.Container {
					ended.Reason = r.Failure.Detail
				}
				if code := r.Failure.ExitCode; code != cloud.NeverStarted {
					if c.Name != r.Failure.Container {
						code = 0 // stopped with the task
					}
					ended.ExitCode = &code
				}
				t.Containers = append(t.Containers, ended)
			}
			tasks = append(tasks, t)
		}
	}
	return tasks, nil
}

// Scale implements verdict.ECSScaler.
func (f fleet) Scale(_ context.Context, _, service string, tasks int) error {
	for _, o := range f.account.Objects() {
		if o.Type == typeService && cloud.Inputs(o.Outputs).String("name") == service {
			return f.account.Alter(o.Type, o.ID, func(o *cloud.Object) { o.Outputs["desiredCount"] = float64(tasks) })
		}
	}
	return fmt.Errorf("the model has no service %s", service)
}

func (f fleet) Tail(_ context.Context, _, stream string, lines int) ([]string, error) {
	parts := strings.Split(stream, "/")
	for _, r := range f.account.Rollouts() {
		ran := slices.ContainsFunc(r.Tasks, func(arn string) bool { return strings.HasSuffix(arn, "/"+parts[len(parts)-1]) })
		if ran && parts[len(parts)-2] == r.Failure.Container {
			logs := slices.Clone(r.Failure.Logs)
			return logs[max(0, len(logs)-lines):], nil
		}
	}
	return nil, nil
}

func (s *stage) expected(ctx context.Context) (verdict.Expected, error) {
	state, err := s.stack.Checkpoint(ctx)
	if err != nil {
		return verdict.Expected{}, err
	}
	return verdict.ExpectedOf(state.Resources)
}
