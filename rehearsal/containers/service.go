package containers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"slipway/rehearsal/cloud"
)

// carry starts and stops the tasks of a service after a change. was is nil in a create, now in a delete. After an error the
// previous tasks keep running.
func (r *Run) carry(was, now *cloud.Object) error {
	if now == nil {
		return r.stop(was)
	}
	return r.roll(r.ctx, now, r.vigil(was, now))
}

func (r *Run) stop(service *cloud.Object) error {
	tasks, err := r.tasks(r.ctx, cloud.Inputs(service.Outputs).String("name"))
	if err != nil {
		return err
	}
	for id := range tasks {
		if err := r.retire(r.ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// tasks are the containers of a service, by task.
func (r *Run) tasks(ctx context.Context, service string) (map[string][]*box, error) {
	boxes, err := r.engine.boxes(ctx, labelService+"="+service)
	if err != nil {
		return nil, err
	}
	tasks := map[string][]*box{}
	for _, b := range boxes {
		id := b.Config.Labels[labelTask]
		tasks[id] = append(tasks[id], b)
	}
	return tasks, nil
}

// retire deregisters a task from the balancer and stops it. Containers may finish current requests within their stop timeouts.
func (r *Run) retire(ctx context.Context, id string) error {
	if r.register(id, "", "") {
		if err := pause(ctx, 500*time.Millisecond); err != nil {
			return err
		}
	}
	return r.remove(ctx, id)
}

// failures is how many failed tasks trip the deployment circuit breaker: half of the desired count, at least 3 and at most 200.
func failures(wanted int) int { return min(max((wanted+1)/2, 3), 200) }

// A rollout is a deployment of a service that goes on.
type rollout struct {
	*Run
	in         cloud.Inputs // of the service
	name       string
	definition *definition
	restarts   string
	was        *standing
	first      bool     // old tasks stop before new ones start
	made       []string // tasks
}

// roll deploys a service's task definition and desired count, as ECS does between 100 and 200 percent: it starts new tasks first,
// and stops old ones when enough new ones are healthy. With a maximum of 100 percent it stops the old ones first. If new ones fail too
// often, or an alarm of the deployment fires, it stops them and keeps the old ones, or starts the old definition again; the error then
// wraps a *cloud.Failure, and the account records a failed deployment.
func (r *Run) roll(ctx context.Context, service *cloud.Object, v *vigil) error {
	in := cloud.Inputs(service.Outputs)
	o := &rollout{Run: r, in: in, name: in.String("name"), restarts: service.Restarts(), first: stopsFirst(in)}
	wanted := in.Int("desiredCount")
	var err error
	if o.definition, err = r.definition(in.String("taskDefinition")); err != nil {
		return err
	}
	if err := r.ensureData(ctx); err != nil {
		return err
	}
	if o.was, err = r.standing(ctx, service, o.definition, wanted); err != nil {
		return err
	}
	if o.first {
		if err := r.retireAll(ctx, o.was.old); err != nil {
			return err
		}
	}
	for failed := 0; len(o.was.current)+len(o.made) < wanted; {
		err := o.add(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if name := v.fired(); err == nil && name != "" {
			return o.alarmed(ctx, name)
		}
		if err == nil {
			continue
		}
		failed++
		r.options.Say(fmt.Sprintf("%s: a task failed (%d of %d): %s", o.name, failed, failures(wanted), firstLine(err.Error())))
		if failed == failures(wanted) {
			return o.back(ctx, fmt.Sprintf("tasks failed to start (%d of %d)", failed, failures(wanted)), err)
		}
	}
	if !o.first {
		if err := r.retireAll(ctx, o.was.old); err != nil {
			return err
		}
	}
	name, err := v.bake(ctx)
	if name != "" {
		o.first = true // the old tasks have stopped
		return o.alarmed(ctx, name)
	}
	return err
}

// add starts a task of the definition that is deployed.
func (o *rollout) add(ctx context.Context) error {
	t := &task{id: draw(), service: o.name, definition: o.definition, restarts: o.restarts}
	if err := o.begin(ctx, t, o.in); err != nil {
		return err
	}
	o.made = append(o.made, t.id)
	if len(o.made) <= o.was.died {
		o.options.Say(fmt.Sprintf("%s: task %s runs in its place.", o.name, t.id))
	}
	return nil
}

// alarmed ends a deployment because of an alarm. Without alarms.rollback the service keeps its new tasks.
func (o *rollout) alarmed(ctx context.Context, name string) error {
	stopped := &errStopped{reason: "alarm " + name + " fires", failure: &cloud.Failure{Alarm: name, ExitCode: cloud.NeverStarted,
		Reason: "alarm " + name + " fires"}}
	if !o.in.Bool("alarms.rollback") {
		return stopped
	}
	return o.back(ctx, "alarm detected", stopped)
}

// back rolls a deployment back that failed.
func (o *rollout) back(ctx context.Context, why string, err error) error {
	back := "there was no previous task to keep"
	switch n := len(o.was.old); {
	case n > 0 && o.first:
		back = "rolled back, the previous definition runs again"
	case n > 0:
		back = fmt.Sprintf("rolled back, %d previous tasks keep running", n)
	}
	stop := func() error { return o.retireAll(ctx, o.made) }
	again := func() error { return o.restart(ctx, o.was, o.in) }
	switch {
	case len(o.was.old) == 0 || !o.first:
		err = errors.Join(err, stop())
	case stopsFirst(o.in):
		err = errors.Join(err, stop(), again())
	default: // as in any deployment, the new tasks of this one start before others stop
		err = errors.Join(err, again(), stop())
	}
	words := fmt.Sprintf("%s: deployment failed: %s: %s", o.name, why, back)
	o.options.Say(words)
	return fmt.Errorf("service %s\n%w", words, err)
}

// stopsFirst reports whether a service may not have more tasks than it wants, also in a deployment (ECS API Reference,
// DeploymentConfiguration, maximumPercent).
func stopsFirst(service cloud.Inputs) bool {
	return service.Has("deploymentMaximumPercent") && service.Int("deploymentMaximumPercent") <= 100
}

// A standing is what a service runs before a deployment.
type standing struct {
	current, old []string // tasks of the definition that is deployed, and the others
	before       string   // the definition of the old ones
	restarts     string   // of the old ones, see cloud.Object.Restarts
	died         int      // tasks of the current definition that do not run any longer
}

// standing looks at the tasks of a service.
func (r *Run) standing(ctx context.Context, service *cloud.Object, d *definition, wanted int) (*standing, error) {
	name := cloud.Inputs(service.Outputs).String("name")
	tasks, err := r.tasks(ctx, name)
	if err != nil {
		return nil, err
	}
	s := &standing{}
	for id, boxes := range tasks {
		t := &task{id: id, service: name, definition: d}
		runs := boxes[0].Config.Labels[labelDefinition]
		same := runs == d.ARN && boxes[0].Config.Labels[labelRestarts] == service.Restarts()
		container, err := r.well(ctx, t)
		if same && err == nil && len(s.current) < wanted {
			s.current = append(s.current, id)
			continue
		}
		s.old = append(s.old, id)
		if !same {
			s.before, s.restarts = runs, boxes[0].Config.Labels[labelRestarts]
		} else if err != nil && ctx.Err() == nil {
			s.died++
			r.bury(ctx, t, container, err)
		}
	}
	return s, nil
}

func (r *Run) retireAll(ctx context.Context, tasks []string) error {
	for _, id := range tasks {
		if err := r.retire(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// restart starts the tasks that a failed deployment stopped before it began.
func (r *Run) restart(ctx context.Context, was *standing, service cloud.Inputs) error {
	if was.before == "" {
		return nil
	}
	d, err := r.definition(was.before)
	if err != nil {
		return err
	}
	for range was.old {
		t := &task{id: draw(), service: service.String("name"), definition: d, restarts: was.restarts}
		if err := r.begin(ctx, t, service); err != nil {
			return err
		}
	}
	return nil
}

// bury reports a task that died while its service ran, once.
func (r *Run) bury(ctx context.Context, t *task, container string, err error) {
	if _, known := r.buried.LoadOrStore(t.id, true); known {
		return
	}
	says := fmt.Sprintf("%s: task %s stopped: container %s: %v; another one is started in its place.", t.service, t.id, container, err)
	for _, line := range r.last(ctx, t.box(r, container), 5) {
		says += "\n  " + line
	}
	r.options.Say(says)
}

// begin starts a task of a service and waits until its containers and the balancer's health checks are healthy.
func (r *Run) begin(ctx context.Context, t *task, service cloud.Inputs) error {
	if err := r.start(ctx, t, nil); err != nil {
		return err
	}
	balancers := service.Maps("loadBalancers")
	container, err := "", error(nil)
	if len(balancers) == 0 {
		container, err = r.steady(ctx, t)
	}
	for _, b := range balancers {
		if container, err = r.admit(ctx, t, b, service.Int("healthCheckGracePeriodSeconds")); err != nil {
			break
		}
	}
	if err != nil {
		return r.fail(ctx, t, container, err)
	}
	return nil
}

// steady waits until the task's containers are healthy, and a few seconds for those without a health check.
func (r *Run) steady(ctx context.Context, t *task) (string, error) {
	for _, c := range t.definition.Containers {
		if c.HealthCheck != nil {
			if err := r.await(ctx, t, c.Name, "HEALTHY"); err != nil {
				return c.Name, err
			}
		}
	}
	if err := pause(ctx, 3*time.Second); err != nil {
		return "", err
	}
	return r.well(ctx, t)
}

// admit runs the health checks of a target group until the target is healthy, and registers it. As with a load balancer, a new
// target is healthy after one success. Failures count only after the service's grace period.
func (r *Run) admit(ctx context.Context, t *task, target cloud.Inputs, grace int) (container string, err error) {
	container = target.String("containerName")
	p, err := r.probe(target)
	if err != nil {
		return container, err
	}
	address, err := r.address(ctx, t)
	if err != nil {
		return container, err
	}
	since := time.Now()
	for bad := 0; ; {
		if container, err := r.well(ctx, t); err != nil {
			return container, err
		}
		wrong := p.ask(ctx, address)
		if wrong == nil {
			r.register(t.id, p.group.ID, p.at(address))
			return "", nil
		}
		if time.Since(since) > time.Duration(grace)*time.Second {
			if bad++; bad >= p.unhealthyAfter {
				return container, wrong
			}
		}
		if err := pause(ctx, r.sooner(p.interval)); err != nil {
			return "", err
		}
	}
}

// matches reports whether a code is among those of a matcher: 200, 200-299 or 200,302.
func matches(matcher string, code int) bool {
	return slices.ContainsFunc(strings.Split(matcher, ","), func(part string) bool {
		low, high, ranged := strings.Cut(strings.TrimSpace(part), "-")
		if !ranged {
			high = low
		}
		var from, to int
		fmt.Sscan(low, &from)
		fmt.Sscan(high, &to)
		return from <= code && code <= to
	})
}

// Converge starts the tasks of every service, which an update without changes does not do.
func (r *Run) Converge() error { return r.converge(r.ctx) }

// converge brings every service to its desired count: after a kill, a restart of Docker, or the end of a task.
func (r *Run) converge(ctx context.Context) error {
	var wrong []error
	for _, service := range r.all("aws:ecs/service:Service") {
		if err := r.roll(ctx, service, nil); err != nil {
			wrong = append(wrong, err)
		}
	}
	return errors.Join(wrong...)
}
