package cloud

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// How the deployment of a service ends. ECS starts tasks of the new definition until enough are healthy, or until so many have
// failed that the deployment circuit breaker trips. Then it rolls back to the task definition of the last completed deployment.
// The provider waits until the service is stable, which it also is after a rollback: to the provider, an update that was rolled
// back looks successful. A first deployment cannot be rolled back, and the wait ends in a timeout.

// A Failure is why the tasks of a deployment did not become healthy.
type Failure struct {
	Container string   `json:"container"`        // the one that failed
	ExitCode  int      `json:"exitCode"`         // its exit code, or NeverStarted
	Reason    string   `json:"reason"`           // why the task stopped, in ECS's wording
	Detail    string   `json:"detail,omitempty"` // ECS's reason for the container
	Logs      []string `json:"logs,omitempty"`   // its last lines
	Check     []string `json:"check,omitempty"`  // what the health check said that it failed
	Alarm     string   `json:"alarm,omitempty"`  // the one that fired, although the tasks are healthy

	// Others are the last lines of the task's other containers, by name, where they may be to blame.
	Others map[string][]string `json:"others,omitempty"`
}

func (f *Failure) Error() string {
	text := f.Reason
	if f.ExitCode != NeverStarted {
		text += fmt.Sprintf(" (%s: exit code %d)", f.Container, f.ExitCode)
	}
	return strings.Join(append([]string{text}, f.Logs...), "\n  ")
}

// A Rollout is a failed deployment. It is kept until the service's next deployment, as ECS keeps stopped tasks for a while.
type Rollout struct {
	Service        string    `json:"service"`        // ARN
	TaskDefinition string    `json:"taskDefinition"` // ARN of the one that failed
	Back           bool      `json:"back"`           // it was rolled back; false if there was no completed deployment before
	Tasks          []string  `json:"tasks"`          // ARNs of those that stopped
	Failure        Failure   `json:"failure"`
	At             time.Time `json:"at"`
}

// An Unsteady error means that a service was created or updated, but did not become stable before the provider's timeout. The
// service exists.
type Unsteady struct {
	Operation string // "create" or "update"
	Service   string
	Rollout   Rollout
}

func (e *Unsteady) Error() string {
	return fmt.Sprintf("waiting for ECS Service (%s) %s: timeout while waiting for state to become 'tfSTABLE' (last state: 'tfPENDING', "+
		"timeout: 20m0s)", e.Service, e.Operation)
}

func (e *Unsteady) finding(urn string) Finding {
	return Finding{Resource: urn, Code: "DeploymentFailed", Message: e.Error(), Chain: []string{e.Service + ": " + e.Rollout.Failure.Reason},
		Fix:    "change what the tasks of the service run, or what they need to start",
		Source: "ECS Developer Guide, \"How the Amazon ECS deployment circuit breaker detects failures\""}
}

// Rollouts are the failed deployments of services whose last deployment failed.
func (a *Account) Rollouts() []Rollout {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return slices.Clone(a.rollouts)
}

// carry lets Healthy and Carry decide how a deployment ends. was is nil in a create, now in a delete. A failure means that the
// deployment failed, an error that the call did.
func (a *Account) carry(was, now *Object) (*Failure, error) {
	o := now
	if o == nil {
		o = was
	}
	if o == nil || o.Type != serviceType {
		return nil, nil
	}
	if now != nil && a.Healthy != nil && numberOr(Inputs(now.Outputs), "desiredCount", 0) > 0 {
		a.mu.RLock()
		definition := a.definition(Inputs(now.Outputs).String("taskDefinition"))
		if definition != nil {
			definition = definition.copy()
		}
		a.mu.RUnlock()
		if f := a.Healthy(now.copy(), definition); f != nil && (f.Alarm == "" || was != nil && watches(now, f.Alarm)) {
			return f, nil
		}
	}
	if a.Carry == nil {
		return nil, nil
	}
	err := a.Carry(was, now)
	var f *Failure
	if now != nil && errors.As(err, &f) {
		return f, nil
	}
	return nil, err
}

// watches reports whether an alarm ends a deployment of a service (ECS Developer Guide, "How CloudWatch alarms detect Amazon ECS
// deployment failures").
func watches(service *Object, alarm string) bool {
	in := Inputs(service.Outputs)
	return in.Bool("alarms.enable") && slices.Contains(in.Strings("alarms.alarmNames"), alarm)
}

// rollsBack reports whether a deployment that failed is rolled back.
func rollsBack(in Inputs, f *Failure) bool {
	if f.Alarm != "" {
		return in.Bool("alarms.rollback")
	}
	return in.Bool("deploymentCircuitBreaker.enable") && in.Bool("deploymentCircuitBreaker.rollback")
}

// settle records how the deployment of o ended, and rolls o back if it failed. was is the service before, nil for a new one.
func (a *Account) settle(was, o *Object, f *Failure) error {
	if o.Type != serviceType {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	before := -1
	if was != nil {
		before = slices.IndexFunc(a.rollouts, func(r Rollout) bool { return r.Service == o.ID })
	}
	completed := was != nil && (before < 0 || a.rollouts[before].Back)
	if before >= 0 {
		a.rollouts = slices.Delete(a.rollouts, before, before+1)
		a.version++
	}
	if f == nil {
		a.forget(o)
		return nil
	}
	in := Inputs(o.Outputs)
	r := Rollout{
		Service: o.ID, TaskDefinition: in.String("taskDefinition"), Failure: *f, At: a.now().UTC(),
		Back: completed && rollsBack(in, f),
	}
	for i := range failedTasks(f, int(numberOr(in, "desiredCount", 0))) {
		r.Tasks = append(r.Tasks, a.arn("ecs", "task/"+clusterOf(o.ID)+"/"+draw(32, o.ID, r.TaskDefinition, fmt.Sprint(r.At.UnixNano(), i))))
	}
	a.rollouts = append(a.rollouts, r)
	a.version++
	if !r.Back {
		operation := "update"
		if was == nil {
			operation = "create"
		}
		if in.Bool("waitForSteadyState") {
			return &Unsteady{Operation: operation, Service: o.ID, Rollout: r}
		}
		return nil
	}
	for _, settings := range []map[string]any{o.Inputs, o.Outputs} {
		settings["taskDefinition"] = Inputs(was.Outputs).String("taskDefinition")
	}
	o.State = was.State
	return a.put(o)
}

// failedTasks is how many tasks fail in a deployment: none where an alarm ends it.
func failedTasks(f *Failure, wanted int) int {
	if f.Alarm != "" {
		return 0
	}
	return tolerated(wanted)
}

// tolerated is how many failed tasks trip the circuit breaker: half of the desired count, at least 3 and at most 200.
func tolerated(wanted int) int { return min(max((wanted+1)/2, 3), 200) }

// clusterOf is the cluster's name in a service's ARN.
func clusterOf(service string) string {
	parts := strings.Split(service, "/")
	if len(parts) < 3 {
		return "default"
	}
	return parts[len(parts)-2]
}

// retire keeps a deregistered task definition while a service uses it. In ECS it is INACTIVE, and the service continues to use it.
// It is dropped with the service, or when the service uses another one.
func (a *Account) retire(definition *Object) {
	arn := Inputs(definition.Outputs).String("arn")
	for _, service := range a.list(serviceType) {
		if Inputs(service.Outputs).String("taskDefinition") == arn {
			kept := definition.copy()
			kept.URN = ""
			kept.Owner = Key(serviceType, service.ID)
			// The error is always nil: the object has been encoded before.
			_ = a.put(kept)
			return
		}
	}
}

// forget drops the retired task definitions that service no longer uses.
func (a *Account) forget(service *Object) {
	runs := Inputs(service.Outputs).String("taskDefinition")
	for _, d := range a.list(taskType) {
		if d.Owner == Key(serviceType, service.ID) && Inputs(d.Outputs).String("arn") != runs {
			a.drop(d)
		}
	}
}

// undeployed removes the failed deployment of a deleted service.
func (a *Account) undeployed(service *Object) {
	a.rollouts = slices.DeleteFunc(a.rollouts, func(r Rollout) bool { return r.Service == service.ID })
}
