package modelaccount

import (
	"context"
	"errors"
	"fmt"
	"time"

	"slipway/operation/account"
	"slipway/rehearsal/cloud"
)

// An actor changes what runs in the model, and what runs as containers.
type actor struct {
	account    *cloud.Account
	containers *containers // nil: nothing runs
}

// Actor implements account.Account.
func (a *Account) Actor() account.Actor { return actor{a.model.Account, a.containers} }

func (m actor) service(cluster, name string) (*cloud.Object, error) {
	for _, o := range m.account.Objects() {
		if out := cloud.Inputs(o.Outputs); o.Type == typeService && out.String("cluster") == cluster && out.String("name") == name {
			return o, nil
		}
	}
	return nil, fmt.Errorf("the model has no service %s", name)
}

// Scale implements account.Actor.
func (m actor) Scale(_ context.Context, cluster, service string, tasks int) error {
	o, err := m.service(cluster, service)
	if err != nil {
		return err
	}
	return m.account.ScaleService(o.ID, tasks)
}

// Restart implements account.Actor.
func (m actor) Restart(_ context.Context, cluster, service string) (string, error) {
	o, err := m.service(cluster, service)
	if err != nil {
		return "", err
	}
	began := cloud.Inputs(o.Outputs).String("taskDefinition")
	var unsteady *cloud.Unsteady // which the verdict finds out
	if err := m.account.RestartService(o.ID); err != nil && !errors.As(err, &unsteady) {
		return "", err
	}
	for _, r := range m.account.Rollouts() {
		if r.Service == o.ID {
			return deployment(o.ID, r.TaskDefinition, r.At.Format(time.RFC3339Nano)), nil
		}
	}
	return deployment(o.ID, began, m.account.Object(o.Type, o.ID).Restarts()), nil
}

// SetScaling implements account.Actor.
func (m actor) SetScaling(_ context.Context, cluster, service string, s account.Scaling) error {
	o := m.account.Object(typeScaling, scalable(cluster, service))
	if o == nil {
		return fmt.Errorf("service %s does not scale", service)
	}
	return m.account.RegisterScaling(o.ID, s.Min, s.Max, cloud.Suspension{In: s.InSuspended, Out: s.OutSuspended, Scheduled: s.TimeSuspended})
}

// StopDatabase implements account.Actor.
func (m actor) StopDatabase(_ context.Context, id string) error {
	return m.onDatabase(id, m.account.StopDatabase)
}

// StartDatabase implements account.Actor.
func (m actor) StartDatabase(_ context.Context, id string) error {
	return m.onDatabase(id, m.account.StartDatabase)
}

func (m actor) onDatabase(id string, do func(id string) error) error {
	o := observer{model: m.account}.database(id)
	if o == nil {
		return fmt.Errorf("database %s: %w", id, account.ErrGone)
	}
	err := do(o.ID)
	if err == nil && m.containers != nil {
		err = m.containers.Converge()
	}
	return err
}

// Enable implements account.Actor.
func (m actor) Enable(_ context.Context, group, name string, enabled bool) error {
	o := m.account.Object(typeSchedule, group+"/"+name)
	if o == nil {
		return fmt.Errorf("the model has no schedule %s in group %s", name, group)
	}
	return m.account.SetSchedule(o.ID, map[bool]string{true: "ENABLED", false: "DISABLED"}[enabled])
}
