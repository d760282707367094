package modelaccount

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"slipway/rehearsal/cloud"
	"slipway/verdict"
)

// An ecsModel is the model as ECS and CloudWatch Logs.
type ecsModel struct {
	account    *cloud.Account
	containers *containers // nil: the services have no tasks that could be asked
}

func (m ecsModel) Services(_ context.Context, cluster string, names []string) ([]verdict.Service, error) {
	var all []verdict.Service
	for _, o := range m.account.Objects() {
		out := cloud.Inputs(o.Outputs)
		if o.Type == typeService && out.String("cluster") == cluster && slices.Contains(names, out.String("name")) {
			all = append(all, m.service(o))
		}
	}
	return all, nil
}

func (m ecsModel) service(o *cloud.Object) verdict.Service {
	out := cloud.Inputs(o.Outputs)
	runs, desired := out.String("taskDefinition"), out.Int("desiredCount")
	s := verdict.Service{Name: out.String("name"), Status: "ACTIVE", Desired: desired, Running: desired}
	if out.Bool("alarms.enable") {
		s.Alarms = out.Strings("alarms.alarmNames")
	}
	primary := verdict.Deployed{ID: deployment(o.ID, runs, o.Restarts()), Status: "PRIMARY", TaskDefinition: runs, Rollout: "COMPLETED",
		Reason: "ECS deployment completed.", Desired: desired, Running: desired}
	r := m.rollout(o.ID)
	if r == nil {
		s.Deployments = []verdict.Deployed{primary}
		return s
	}
	failed := verdict.Deployed{ID: deployment(o.ID, r.TaskDefinition, r.At.Format(time.RFC3339Nano)), Status: "INACTIVE",
		TaskDefinition: r.TaskDefinition, Rollout: "FAILED", Reason: "ECS deployment circuit breaker: tasks failed to start.",
		Failed: len(r.Tasks), Created: r.At}
	if r.Failure.Alarm != "" {
		failed.Reason, s.Triggered = "ECS deployment failed: alarm detected.", []string{r.Failure.Alarm}
	}
	if r.Back {
		s.Deployments = []verdict.Deployed{primary, failed}
		return s
	}
	failed.Status, failed.Desired = "PRIMARY", desired
	s.Running, s.Deployments = 0, []verdict.Deployed{failed}
	return s
}

func (m ecsModel) rollout(service string) *cloud.Rollout {
	all := m.account.Rollouts()
	if i := slices.IndexFunc(all, func(r cloud.Rollout) bool { return r.Service == service }); i >= 0 {
		return &all[i]
	}
	return nil
}

// deployment is the ID of a deployment, in the form of ECS. which tells the deployments of one task definition apart.
func deployment(service, definition, which string) string {
	sum := fnv.New64a()
	fmt.Fprint(sum, service, definition, which)
	return fmt.Sprintf("ecs-svc/%019d", sum.Sum64()%1e19)
}

func (m ecsModel) Definition(_ context.Context, arn string) (verdict.Definition, error) {
	for _, o := range m.account.Objects() {
		out := cloud.Inputs(o.Outputs)
		if o.Type != typeDefinition || out.String("arn") != arn {
			continue
		}
		var containers []struct {
			Name, Image           string
			LogConfiguration      struct{ Options map[string]string }
			HealthCheck           struct{ Command []string }
			FirelensConfiguration any
		}
		if err := json.Unmarshal([]byte(out.String("containerDefinitions")), &containers); err != nil {
			return verdict.Definition{}, fmt.Errorf("task definition %s: %w", arn, err)
		}
		d := verdict.Definition{ARN: arn}
		for _, c := range containers {
			options := c.LogConfiguration.Options
			d.Containers = append(d.Containers, verdict.Container{Name: c.Name, Image: c.Image, Group: options["awslogs-group"],
				Prefix: options["awslogs-stream-prefix"], Router: c.FirelensConfiguration != nil, Health: strings.Join(c.HealthCheck.Command, " ")})
		}
		return d, nil
	}
	return verdict.Definition{}, fmt.Errorf("the model has no task definition %s", arn)
}

func (m ecsModel) Stopped(ctx context.Context, _, service string) ([]verdict.Task, error) {
	var tasks []verdict.Task
	for _, r := range m.account.Rollouts() {
		if !strings.HasSuffix(r.Service, "/"+service) {
			continue
		}
		definition, err := m.Definition(ctx, r.TaskDefinition)
		if err != nil {
			return nil, err
		}
		for _, arn := range r.Tasks {
			t := verdict.Task{ARN: arn, TaskDefinition: r.TaskDefinition, Reason: r.Failure.Reason, At: r.At, Check: r.Failure.Check}
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

// Unhealthy implements verdict.ECSReader: it asks the containers.
func (m ecsModel) Unhealthy(ctx context.Context, _, service string) (*verdict.Unhealthy, error) {
	if m.containers == nil {
		return nil, nil
	}
	sick, err := m.containers.Unhealthy(ctx, service)
	if sick == nil || err != nil {
		return nil, err
	}
	return &verdict.Unhealthy{Reason: sick.Reason, Check: sick.Said, Logs: sick.Logs}, nil
}

// Scale implements verdict.ECSScaler.
func (m ecsModel) Scale(_ context.Context, _, service string, tasks int) error {
	for _, o := range m.account.Objects() {
		if o.Type == typeService && cloud.Inputs(o.Outputs).String("name") == service {
			return m.account.Alter(o.Type, o.ID, func(o *cloud.Object) { o.Outputs["desiredCount"] = float64(tasks) })
		}
	}
	return fmt.Errorf("the model has no service %s", service)
}

func (m ecsModel) Tail(_ context.Context, _, stream string, lines int) ([]string, error) {
	parts := strings.Split(stream, "/")
	for _, r := range m.account.Rollouts() {
		ran := slices.ContainsFunc(r.Tasks, func(arn string) bool { return strings.HasSuffix(arn, "/"+parts[len(parts)-1]) })
		if !ran {
			continue
		}
		logs := r.Failure.Others[parts[len(parts)-2]]
		if parts[len(parts)-2] == r.Failure.Container {
			logs = r.Failure.Logs
		}
		logs = slices.Clone(logs)
		return logs[max(0, len(logs)-lines):], nil
	}
	return nil, nil
}
