package modelaccount

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"slipway/ecs"
	"slipway/operation/account"
	"slipway/rehearsal/cloud"
)

// Diagnosis implements account.Account.
func (a *Account) Diagnosis() account.Diagnosis { return diagnosis{a.model.Account} }

type diagnosis struct{ account *cloud.Account }

// find is the object of a type with this value of an output; nil if there is none.
func (d diagnosis) find(kind, by, value string) *cloud.Object {
	all := d.account.Objects()
	i := slices.IndexFunc(all, func(o *cloud.Object) bool { return o.Type == kind && cloud.Inputs(o.Outputs).String(by) == value })
	if i < 0 {
		return nil
	}
	return all[i]
}

func (d diagnosis) Settings(_ context.Context, taskDefinition string) ([]account.ContainerSettings, error) {
	o := d.find(typeDefinition, "arn", taskDefinition)
	if o == nil {
		return nil, fmt.Errorf("the model has no task definition %s", taskDefinition)
	}
	var containers []struct {
		Name, Image      string
		Environment      []struct{ Name, Value string }
		Secrets          []struct{ Name, ValueFrom string }
		HealthCheck      struct{ Command []string }
		LogConfiguration struct {
			LogDriver string
			Options   map[string]string
		}
	}
	if err := json.Unmarshal([]byte(cloud.Inputs(o.Outputs).String("containerDefinitions")), &containers); err != nil {
		return nil, fmt.Errorf("task definition %s: %w", taskDefinition, err)
	}
	var all []account.ContainerSettings
	for _, c := range containers {
		s := account.ContainerSettings{Name: c.Name, Image: c.Image, Health: c.HealthCheck.Command,
			Env: map[string]string{}, Secrets: map[string]string{}}
		for _, e := range c.Environment {
			s.Env[e.Name] = e.Value
		}
		for _, e := range c.Secrets {
			s.Secrets[e.Name] = e.ValueFrom
		}
		if c.LogConfiguration.LogDriver == "awslogs" {
			s.Group, s.Prefix = c.LogConfiguration.Options["awslogs-group"], c.LogConfiguration.Options["awslogs-stream-prefix"]
		}
		all = append(all, s)
	}
	return all, nil
}

func (d diagnosis) Missing(_ context.Context, images []string) (missing []string, err error) {
	for _, image := range images {
		if d.account.InRegistry(image) && !d.account.Holds(image) {
			missing = append(missing, image)
		}
	}
	return missing, nil
}

func (d diagnosis) Parameters(_ context.Context, names []string) (map[string]int, error) {
	versions := map[string]int{}
	for _, o := range d.account.Objects() {
		out := cloud.Inputs(o.Outputs)
		if name := out.String("name"); o.Type == typeParameter && slices.Contains(names, name) {
			versions[name] = out.Int("version")
		}
	}
	return versions, nil
}

func (d diagnosis) Examine(ctx context.Context, run account.Examination) (account.Examined, error) {
	result, err := Runner(d.account).RunTask(ctx, ecs.TaskRun{Cluster: run.Cluster, TaskDefinition: run.TaskDefinition, Subnets: run.Subnets,
		SecurityGroups: run.SecurityGroups, Container: run.Container, Command: run.Command, Environment: run.Environment,
		LogGroup: run.LogGroup, LogPrefix: run.LogPrefix, StartedBy: run.StartedBy})
	return account.Examined{Started: result.ExitCode != ecs.NotStarted, Reason: result.StoppedReason, Lines: result.Logs}, err
}
