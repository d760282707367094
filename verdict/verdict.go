package verdict

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"

	"slipway/internal/redact"
)

// A Verdict says whether the services run what the program declares. "Stable" is not enough: a service whose deployment failed is
// stable again as soon as the circuit breaker has rolled it back.
//
// Expected, Runs and the fields after them describe one service: the first that is wrong, else the first of all.
type Verdict struct {
	Good    bool     `json:"good"`
	Reasons []string `json:"reasons,omitempty"` // what is wrong, one a service

	Expected Running  `json:"asked"`
	Runs     Running  `json:"runs"`
	Stopped  []string `json:"stopped,omitempty"` // why tasks stopped, the newest first, each reason once
	Check    []string `json:"check,omitempty"`   // the health check that failed: what it asks, and what it said
	Logs     []string `json:"logs,omitempty"`    // the last lines of the container that failed
	Cause    string   `json:"cause,omitempty"`   // the likely one, in words
	Next     string   `json:"next,omitempty"`    // what to do about it

	Page *Visit `json:"page,omitempty"` // the answer to the request after the deployment; nil: none was made

	Services []ServiceStatus `json:"services"`
}

// A ServiceStatus is the verdict on one service.
type ServiceStatus struct {
	Service  string `json:"service"`
	Good     bool   `json:"good"`
	Expected string `json:"asked"`          // task definition, family:revision
	Runs     string `json:"runs,omitempty"` // the same; empty: nothing does
	Tasks    int    `json:"tasks"`          // that run
	Desired  int    `json:"desired"`
}

// A Running is what a service runs, or should run.
type Running struct {
	Service        string            `json:"service,omitempty"`
	TaskDefinition string            `json:"taskDefinition,omitempty"` // ARN
	Images         map[string]string `json:"images,omitempty"`         // by container: repository@digest
	Deployment     string            `json:"deployment,omitempty"`     // ECS's name for it
	Tasks          int               `json:"-"`                        // the declared number to start with; scaling owns it afterwards
	Min, Max       int               `json:"-"`                        // the range of scaling; 0: the service does not scale
	Check          *TargetCheck      `json:"-"`                        // the load balancer's health check; nil: no load balancer
	Restarted      string            `json:"-"`                        // the deployment that must be the one that runs; "": any
}

// Wanted is how many tasks the service should have if it has desired ones. Scaling owns the number within its range.
func (r Running) Wanted(desired int) int {
	if desired == 0 {
		desired = r.Tasks
	}
	if r.Max == 0 || desired == 0 {
		return desired
	}
	return min(max(desired, r.Min), r.Max)
}

// A TargetCheck is how a load balancer checks the health of a target.
type TargetCheck struct {
	Path, Matcher string        // the request, and the status codes that are healthy: 200, 200-299
	Notices       time.Duration // how long it takes to find out that a target fails
}

func (c *TargetCheck) String() string { return fmt.Sprintf("GET %s must answer %s", c.Path, c.Matcher) }

// Expected is what the services of a cluster should run.
type Expected struct {
	Cluster  string // ARN or name
	Services []Running
	Recheck  bool // the load balancer's health check has just changed, so what is healthy may not be any more
}

// An ECSReader reads ECS and CloudWatch Logs, or a model of them.
type ECSReader interface {
	// Services are those of a cluster with these names, without those that do not exist.
	Services(ctx context.Context, cluster string, names []string) ([]Service, error)

	// Definition is a task definition by its ARN, also one that is retired.
	Definition(ctx context.Context, arn string) (Definition, error)

	// Stopped are the tasks of a service that stopped recently, in any order. ECS forgets them after an hour.
	Stopped(ctx context.Context, cluster, service string) ([]Task, error)

	// Unhealthy is a running task of a service that fails the health check of its load balancer now. It is nil if all pass, or
	// where only the service's events know.
	Unhealthy(ctx context.Context, cluster, service string) (*Unhealthy, error)

	// Tail are the last lines of a log stream, none if there is no such stream.
	Tail(ctx context.Context, group, stream string, lines int) ([]string, error)
}

// An ECSScaler can also change the number of tasks of a service.
type ECSScaler interface {
	ECSReader
	Scale(ctx context.Context, cluster, service string, tasks int) error
}

// A Service is an ECS service.
type Service struct {
	Name, Status     string // Status: ACTIVE, DRAINING or INACTIVE
	Desired, Running int    // tasks
	Deployments      []Deployed
	Events           []ServiceEvent // the newest first
	Unhealthy        *Unhealthy     // running tasks that their load balancer calls unhealthy; nil: none known
	Alarms           []string       // that end a deployment when they fire, by name
	Triggered        []string       // those that ended the last one, where ECS says which
}

// Unhealthy is a target that runs and fails its load balancer's health check.
type Unhealthy struct {
	Reason string   // in ELB's words
	Check  []string // what the check said, where it is known
	Logs   []string // the last lines of its containers, where they are known
}

// A Deployed is one deployment of a service. A service has one, and more while it changes.
type Deployed struct {
	ID, Status       string // Status: PRIMARY, ACTIVE (the one before) or INACTIVE
	TaskDefinition   string // ARN
	Rollout, Reason  string // Rollout: COMPLETED, IN_PROGRESS, FAILED; empty where ECS does not watch it
	Desired, Running int
	Failed           int // tasks
	Created          time.Time
}

// A ServiceEvent is an event of a service.
type ServiceEvent struct {
	At      time.Time
	Message string
}

// A Definition is a task definition, as far as a verdict needs it.
type Definition struct {
	ARN        string
	Containers []Container
}

// A Container is one of a task definition's.
type Container struct {
	Name, Image string
	Group       string // log group; empty: its lines go elsewhere
	Prefix      string // of its log streams
	Router      bool   // FireLens's, which carries the lines of the others
	Health      string // the command of its health check; empty: it has none
}

// A Task is one that stopped.
type Task struct {
	ARN, TaskDefinition string
	Code, Reason        string // ECS's stop code and reason
	At                  time.Time
	Containers          []StoppedContainer
	Check               []string // what the failed health check said, where it is known
}

// A StoppedContainer is a container of a stopped task.
type StoppedContainer struct {
	Name     string
	ExitCode *int // nil: it never started
	Reason   string
}

const (
	logLines    = 20 // of a failing container
	stopReasons = 5  // shown of a service
)

// poll is how long to wait between two reads of a service that is still changing.
var poll = 5 * time.Second

// Judge compares what the services run with what is expected, and waits up to wait for services that are still changing. A
// service whose deployment failed or was rolled back is wrong at once; one that has not settled after wait is wrong too. The
// error is a failure to read, never what was found.
func Judge(ctx context.Context, ecs ECSReader, expected Expected, wait time.Duration) (Verdict, error) {
	v := Verdict{Good: true, Services: []ServiceStatus{}}
	if len(expected.Services) == 0 {
		return v, nil
	}
	if expected.Recheck && wait > 0 {
		if err := sleep(ctx, min(expected.slowestCheck(), wait)); err != nil {
			return Verdict{}, err
		}
	}
	found, err := waitUntilSettled(ctx, ecs, expected, time.Now().Add(wait))
	if err != nil {
		return Verdict{}, err
	}
	for _, want := range expected.Services {
		service := found[want.Service]
		wrong, final := judge(service, want)
		if !final {
			wrong = fmt.Sprintf("did not settle within %s: %s", wait, wrong)
		}
		if !v.add(service, want, wrong) {
			continue
		}
		v.describe(ctx, ecs, service, want)
		if wrong != "" {
			v.explain(ctx, ecs, expected.Cluster, service)
		}
	}
	return v, nil
}

// slowestCheck is how long it takes until every load balancer has noticed a target that fails.
func (e Expected) slowestCheck() time.Duration {
	var notices time.Duration
	for _, s := range e.Services {
		if s.Check != nil {
			notices = max(notices, s.Check.Notices)
		}
	}
	return notices
}

// waitUntilSettled reads the expected services, by name, until none of them is changing or the deadline has passed.
func waitUntilSettled(ctx context.Context, ecs ECSReader, expected Expected, deadline time.Time) (map[string]Service, error) {
	names := make([]string, len(expected.Services))
	for i, s := range expected.Services {
		names[i] = s.Service
	}
	for {
		services, err := ecs.Services(ctx, expected.Cluster, names)
		if err != nil {
			return nil, fmt.Errorf("verdict: the services of cluster %s: %w", expected.Cluster, err)
		}
		found := map[string]Service{}
		for _, s := range services {
			found[s.Name] = s
		}
		if err := examine(ctx, ecs, expected, found); err != nil {
			return nil, err
		}
		changing := slices.ContainsFunc(expected.Services, func(r Running) bool {
			_, final := judge(found[r.Service], r)
			return !final
		})
		if !changing || !time.Now().Before(deadline) {
			return found, nil
		}
		if err := sleep(ctx, min(poll, time.Until(deadline))); err != nil {
			return nil, err
		}
	}
}

// add records the verdict on one service; wrong is "" if it runs what it should. It reports whether this is the service that the
// verdict describes: the first that is wrong, else the first of all.
func (v *Verdict) add(service Service, want Running, wrong string) (described bool) {
	described = len(v.Services) == 0 || wrong != "" && v.Good
	v.Services = append(v.Services, ServiceStatus{Service: want.Service, Good: wrong == "", Expected: short(want.TaskDefinition),
		Runs: short(service.primary().TaskDefinition), Tasks: service.Running, Desired: service.Desired})
	if wrong != "" {
		v.Good = false
		v.Reasons = append(v.Reasons, "service "+want.Service+" "+wrong)
	}
	return described
}

// describe says what one service runs and should run. Images that cannot be read are left out: the verdict holds without them.
func (v *Verdict) describe(ctx context.Context, ecs ECSReader, service Service, want Running) {
	primary := service.primary()
	v.Expected, v.Runs = want, Running{Service: want.Service, TaskDefinition: primary.TaskDefinition, Deployment: primary.ID}
	v.Expected.Deployment = service.of(want.TaskDefinition).ID
	if v.Runs.TaskDefinition == want.TaskDefinition {
		v.Runs.Images = want.Images
	} else if primary.TaskDefinition != "" {
		d, _ := ecs.Definition(ctx, primary.TaskDefinition)
		v.Runs.Images = d.images()
	}
}

// examine asks for the health of running tasks, where the service itself looks as it should.
func examine(ctx context.Context, ecs ECSReader, expected Expected, found map[string]Service) error {
	for _, want := range expected.Services {
		s := found[want.Service]
		if wrong, _ := judge(s, want); wrong != "" || want.Check == nil {
			continue
		}
		var err error
		if s.Unhealthy, err = ecs.Unhealthy(ctx, expected.Cluster, want.Service); err != nil {
			return fmt.Errorf("verdict: the health of service %s: %w", want.Service, err)
		}
		found[want.Service] = s
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return fmt.Errorf("verdict: %w", ctx.Err())
	case <-time.After(d):
		return nil
	}
}

// judge says what is wrong with a service, and whether waiting may still change that.
func judge(s Service, want Running) (wrong string, settled bool) {
	if s.Name == "" || s.Status != "" && s.Status != "ACTIVE" {
		return fmt.Sprintf("does not run: ECS says %s", cmp.Or(s.Status, "that there is none")), true
	}
	primary, mine := s.primary(), s.of(want.TaskDefinition)
	if primary.TaskDefinition == want.TaskDefinition {
		if wrong, settled := s.restarted(want.Restarted); wrong != "" {
			return wrong, settled
		}
	}
	switch {
	case primary.TaskDefinition != want.TaskDefinition:
		runs := fmt.Sprintf("it runs %s, and %s was asked for", short(primary.TaskDefinition), short(want.TaskDefinition))
		if mine.Rollout == "FAILED" {
			return "was rolled back" + s.because() + ": " + runs + " (" + reason(mine) + ")", true
		}
		// ECS forgets a failed deployment with its last task, but not what happened.
		if slices.ContainsFunc(s.Events, func(e ServiceEvent) bool {
			return rolledBack.MatchString(e.Message) && !e.At.Before(primary.Created)
		}) {
			return "was rolled back" + s.because() + ": " + runs, true
		}
		return "does not run what was asked for: " + runs + "; it was rolled back, or another deployment has replaced it", true
	case primary.Rollout == "FAILED":
		return fmt.Sprintf("failed: %s does not come up, and there is no deployment before it to go back to (%s)", short(want.TaskDefinition),
			reason(primary)), true
	case primary.Rollout != "" && primary.Rollout != "COMPLETED":
		return fmt.Sprintf("%d of %d tasks of %s run, %d failed", primary.Running, s.Desired, short(want.TaskDefinition), primary.Failed), false
	case s.Desired == 0 && want.Tasks > 0:
		return "is scaled to zero, by hand or by a destroy that did not end: nothing runs", true
	case s.Running != s.Desired || primary.Rollout == "" && len(s.Deployments) > 1:
		return fmt.Sprintf("%d of %d tasks of %s run", s.Running, s.Desired, short(want.TaskDefinition)), false
	}
	if reason := s.unhealthy(); reason != "" {
		return fmt.Sprintf("runs %s, but its load balancer calls it unhealthy: %s", short(want.TaskDefinition), redact.Text(reason)),
			s.Unhealthy != nil // asked just now; events may be outdated by the next one
	}
	return "", true
}

// unhealthy is why running targets are unhealthy; "" if they are not. Where only events say so, those count that are newer than
// the last steady state, which ECS reports of a service that is healthy and at its desired number of tasks (ECS guide, "Amazon
// ECS service action events" and "Amazon ECS service unhealthy event messages").
func (s Service) unhealthy() string {
	if s.Unhealthy != nil {
		return s.Unhealthy.Reason
	}
	since := s.primary().Created
	for _, e := range s.Events {
		switch {
		case strings.Contains(e.Message, "has reached a steady state"), e.At.Before(since):
			return ""
		case unhealthyTarget.MatchString(e.Message):
			return e.Message
		}
	}
	return ""
}

// unhealthyTarget matches the event of a target that fails its load balancer's health check.
var unhealthyTarget = regexp.MustCompile(`is unhealthy in \(?target-group`)

// rolledBack matches the events of a service that report a rollback.
var rolledBack = regexp.MustCompile(`(?i)rolling back|rolled back|deployment failed`)

func reason(d Deployed) string {
	return strings.TrimSuffix(cmp.Or(redact.Text(d.Reason), fmt.Sprintf("%d tasks failed", d.Failed)), ".")
}

// primary is the deployment that ECS works on, or has finished.
func (s Service) primary() Deployed {
	i := slices.IndexFunc(s.Deployments, func(d Deployed) bool { return d.Status == "PRIMARY" })
	if i < 0 {
		return Deployed{}
	}
	return s.Deployments[i]
}

// of is the newest deployment of a task definition.
func (s Service) of(definition string) Deployed {
	var newest Deployed
	for _, d := range s.Deployments {
		if d.TaskDefinition == definition && (newest.ID == "" || d.Created.After(newest.Created)) {
			newest = d
		}
	}
	return newest
}

func (d Definition) images() map[string]string {
	images := map[string]string{}
	for _, c := range d.Containers {
		images[c.Name] = c.Image
	}
	return images
}

// silent reports whether the most likely of suspects writes nothing to CloudWatch Logs.
func (d Definition) silent(suspects []StoppedContainer) bool {
	return len(suspects) > 0 && slices.ContainsFunc(d.Containers,
		func(c Container) bool { return c.Name == suspects[0].Name && c.Group == "" })
}

// short is a task definition's name without the account: family:revision.
func short(arn string) string {
	if arn == "" {
		return "nothing"
	}
	return arn[strings.LastIndex(arn, "/")+1:]
}

// explain finds out why the expected tasks do not run. What cannot be found out is reported instead; the
// verdict does not depend on it.
func (v *Verdict) explain(ctx context.Context, ecs ECSReader, cluster string, s Service) {
	if u := s.Unhealthy; u != nil {
		v.Check, v.Logs = clean(append([]string{v.Expected.Check.said()}, u.Check...)), clean(u.Logs)
		v.Cause, v.Next = likely(append([]string{u.Reason}, u.Check...), u.Logs)
		return
	}
	var tasks []Task
	if s.Name != "" {
		stopped, err := ecs.Stopped(ctx, cluster, s.Name)
		if err != nil {
			v.Stopped = append(v.Stopped, "they cannot be read: "+err.Error())
		}
		for _, t := range stopped {
			if t.TaskDefinition == v.Expected.TaskDefinition && !scaled.MatchString(t.Reason) {
				tasks = append(tasks, t)
			}
		}
		slices.SortStableFunc(tasks, func(a, b Task) int { return b.At.Compare(a.At) })
	}
	var definition Definition
	var unread error
	if len(tasks) > 0 {
		defer func() { v.Check = v.Expected.checks(definition, tasks[0]) }()
		definition, unread = ecs.Definition(ctx, v.Expected.TaskDefinition)
	}
	var reported []string
	for i, t := range tasks {
		t = definition.withoutRouter(t)
		tasks[i] = t
		if words := redact.Text(t.words()); !slices.Contains(v.Stopped, words) && len(v.Stopped) < stopReasons {
			v.Stopped = append(v.Stopped, words)
		}
		reported = append(reported, t.words())
	}
	if alarm := s.because(); alarm != "" {
		reported = append(reported, "alarm detected"+alarm)
	}
	since := s.of(v.Expected.TaskDefinition).Created
	for _, e := range s.Events {
		if !e.At.Before(since) {
			reported = append(reported, e.Message)
			if len(tasks) == 0 && len(v.Stopped) < stopReasons && !strings.Contains(e.Message, "has reached a steady state") {
				v.Stopped = append(v.Stopped, redact.Text(e.Message))
			}
		}
	}
	if len(tasks) > 0 {
		err := unread
		if err == nil {
			v.Logs, err = lastWords(ctx, ecs, definition, tasks)
		}
		switch {
		case err != nil:
			defer func() { v.Logs = []string{"it cannot be read: " + err.Error()} }()
		case len(v.Logs) == 0 && definition.silent(tasks[0].suspects()):
			defer func() {
				v.Logs = []string{"it is not in CloudWatch Logs: the log router delivers it to the archive, some minutes later"}
			}()
		}
	}
	if len(tasks) > 0 {
		reported = append(reported, tasks[0].Check...)
	}
	v.Cause, v.Next = likely(reported, v.Logs)
}

// clean redacts lines that containers wrote, and drops empty ones.
func clean(lines []string) []string {
	var all []string
	for _, line := range lines {
		if line != "" {
			all = append(all, redact.Text(line))
		}
	}
	return all
}

func (c *TargetCheck) said() string {
	if c == nil {
		return ""
	}
	return "the load balancer's: " + c.String()
}

// failedTarget and failedContainer match the reasons of tasks that failed a health check: the load balancer's, and a
// container's own.
var (
	failedTarget    = regexp.MustCompile(`(?i)failed (ELB|load balancer) health checks`)
	failedContainer = regexp.MustCompile(`(?i)failed container health checks`)
)

// checks are the health check that a task failed, and what it said; none if the task stopped for another reason.
func (r Running) checks(d Definition, t Task) []string {
	var all []string
	switch {
	case failedTarget.MatchString(t.Reason):
		all = append(all, r.Check.said())
	case failedContainer.MatchString(t.Reason):
		for _, c := range d.Containers {
			failed := slices.ContainsFunc(t.Containers, func(s StoppedContainer) bool { return s.Name == c.Name && s.Reason != "" })
			if c.Health != "" && (failed || len(t.Containers) == 1) {
				all = append(all, "container "+c.Name+": "+c.Health)
			}
		}
	}
	return clean(append(all, t.Check...))
}

// withoutRouter is a task without its log router, where that was killed because the task ended. It is stopped last, and
// often killed: its exit code says nothing of the task (aws/aws-for-fluent-bit#174).
func (d Definition) withoutRouter(t Task) Task {
	ran := slices.ContainsFunc(t.Containers, func(e StoppedContainer) bool { return e.ExitCode != nil && !d.routes(e.Name) })
	t.Containers = slices.DeleteFunc(slices.Clone(t.Containers), func(e StoppedContainer) bool {
		killed := e.ExitCode != nil && (*e.ExitCode == 137 || *e.ExitCode == 143) && e.Reason == ""
		return ran && killed && d.routes(e.Name)
	})
	return t
}

func (d Definition) routes(name string) bool {
	return slices.ContainsFunc(d.Containers, func(c Container) bool { return c.Name == name && c.Router })
}

// scaled matches the stop reason of a healthy task whose deployment was rolled back.
var scaled = regexp.MustCompile(`(?i)^scaling activity initiated by`)

// words say why a task stopped: "Essential container in task exited (django: exit code 3)".
func (t Task) words() string {
	var parts []string
	failed := slices.ContainsFunc(t.Containers, func(c StoppedContainer) bool { return c.ExitCode != nil && *c.ExitCode != 0 })
	for _, c := range t.Containers {
		part := ""
		if c.ExitCode != nil && (*c.ExitCode != 0 || !failed && strings.HasPrefix(t.Reason, "Essential container")) {
			part = fmt.Sprintf("exit code %d", *c.ExitCode) // 0 beside another: it was stopped with the task
		}
		if c.Reason != "" {
			part += strings.TrimPrefix(", "+c.Reason, map[bool]string{true: ", "}[part == ""])
		}
		if part != "" {
			parts = append(parts, c.Name+": "+part)
		}
	}
	words := cmp.Or(t.Reason, t.Code, "no reason given")
	if len(parts) > 0 {
		words += " (" + strings.Join(parts, "; ") + ")"
	}
	return words
}

// suspects are the containers of a task whose log may say why it stopped, the most likely first.
func (t Task) suspects() []StoppedContainer {
	rank := func(c StoppedContainer) int {
		switch {
		case c.ExitCode == nil && c.Reason == "": // it waited for another
			return 4
		case c.ExitCode != nil && (*c.ExitCode == 0 || *c.ExitCode == 143 || *c.ExitCode == 137 && c.Reason == ""): // stopped with the task
			return 3
		case c.ExitCode == nil:
			return 2
		}
		return 1
	}
	all := slices.Clone(t.Containers)
	slices.SortStableFunc(all, func(a, b StoppedContainer) int { return rank(a) - rank(b) })
	return all
}

// lastWords are the last lines of the container that failed, of the newest task that left any. A load balancer's check goes
// through all containers, so a task that fails it has a part for each.
func lastWords(ctx context.Context, ecs ECSReader, d Definition, tasks []Task) ([]string, error) {
	const most = 3 // a task that never started has no log; the one before it may have
	for _, t := range tasks[:min(len(tasks), most)] {
		var all []string
		for _, c := range t.suspects() {
			i := slices.IndexFunc(d.Containers, func(x Container) bool { return x.Name == c.Name })
			if i < 0 || d.Containers[i].Group == "" {
				continue
			}
			stream := d.Containers[i].Prefix + "/" + c.Name + "/" + t.ARN[strings.LastIndex(t.ARN, "/")+1:]
			lines, err := ecs.Tail(ctx, d.Containers[i].Group, stream, logLines)
			if err != nil {
				return nil, fmt.Errorf("container %s: %w", c.Name, err)
			}
			for i, line := range lines {
				lines[i] = redact.Text(line)
			}
			if len(lines) > 0 {
				all = append(append(all, c.Name+", log group "+d.Containers[i].Group+", stream "+stream+":"), lines...)
			}
			if len(all) > 0 && !failedTarget.MatchString(t.Reason) {
				return all, nil
			}
		}
		if len(all) > 0 {
			return all, nil
		}
	}
	return nil, nil
}

// title is the first line of a verdict that is not good.
func (v Verdict) title() string {
	if v.Page != nil && !v.Page.Good {
		return "the release runs, but the site does not answer as it should"
	}
	if slices.ContainsFunc(v.Services, func(s ServiceStatus) bool { return !s.Good && s.Runs != s.Expected }) {
		return "what runs is not what was asked for"
	}
	return "the release does not run as it should"
}

// String is the verdict in words, for a terminal.
func (v Verdict) String() string {
	if v.Good {
		var all []string
		for _, s := range v.Services {
			all = append(all, fmt.Sprintf("%s runs %s", s.Service, s.Expected))
		}
		return strings.Join(all, ", ")
	}
	var b strings.Builder
	b.WriteString(v.title())
	for _, r := range v.Reasons {
		b.WriteString("\n  " + r)
	}
	show := func(name string, r Running, tasks string) {
		fmt.Fprintf(&b, "\n%s %s%s", name, short(r.TaskDefinition), tasks)
		for _, container := range slices.Sorted(maps.Keys(r.Images)) {
			fmt.Fprintf(&b, "\n  %s %s", container, r.Images[container])
		}
	}
	tasks := ""
	if i := slices.IndexFunc(v.Services, func(j ServiceStatus) bool { return j.Service == v.Runs.Service }); i >= 0 &&
		v.Runs.TaskDefinition != "" {
		tasks = fmt.Sprintf(", %d of %d tasks", v.Services[i].Tasks, v.Services[i].Desired)
	}
	if v.Page == nil || v.Page.Good {
		if v.Runs.TaskDefinition != v.Expected.TaskDefinition {
			show("Asked for:", v.Expected, "")
		}
		show("Runs now: ", v.Runs, tasks)
	}
	list := func(title string, lines []string) {
		if len(lines) > 0 {
			b.WriteString("\n" + title)
		}
		for _, line := range lines {
			b.WriteString("\n  " + line)
		}
	}
	list("Its tasks stopped:", v.Stopped)
	list("Health check:", v.Check)
	list("Last lines of the log:", v.Logs)
	if v.Cause != "" {
		b.WriteString("\nLikely cause: " + v.Cause)
	}
	if v.Next != "" {
		b.WriteString("\nNext: " + v.Next)
	}
	return b.String()
}

// ExpectedOf is what the program last declared of its services, given the resources of the stack's checkpoint.
func ExpectedOf(resources []apitype.ResourceV3) (Expected, error) {
	images := map[string]map[string]string{}
	for _, r := range resources {
		if r.Type == "aws:ecs/taskDefinition:TaskDefinition" {
			arn, _ := r.Outputs["arn"].(string)
			text, _ := r.Outputs["containerDefinitions"].(string)
			images[arn] = imagesOf(text)
		}
	}
	ranges, checks := scaling(resources), targetChecks(resources)
	var expected Expected
	for _, r := range resources {
		if r.Type != TypeService || r.Delete {
			continue
		}
		text := func(key string) string { s, _ := r.Inputs[key].(string); return s }
		if expected.Cluster != "" && expected.Cluster != text("cluster") {
			return Expected{}, errors.New("verdict: the stack's services are in more than one cluster")
		}
		expected.Cluster = text("cluster")
		name := cmp.Or(text("name"), r.URN.Name())
		tasks, _ := r.Inputs["desiredCount"].(float64)
		run := Running{Tasks: int(tasks), Service: name, TaskDefinition: text("taskDefinition"), Images: images[text("taskDefinition")],
			Min: ranges[name].min, Max: ranges[name].max}
		if balancers, _ := r.Inputs["loadBalancers"].([]any); len(balancers) > 0 {
			first, _ := balancers[0].(map[string]any)
			group, _ := first["targetGroupArn"].(string)
			run.Check = checks[group]
		}
		expected.Services = append(expected.Services, run)
	}
	return expected, nil
}

// The types of resources that a verdict reads from a checkpoint.
const (
	TypeService     = "aws:ecs/service:Service"
	TypeTargetGroup = "aws:lb/targetGroup:TargetGroup"
	typeScaling     = "aws:appautoscaling/target:Target"
)

// scaling is the range of tasks of the services that scale, by name. Its resource is service/CLUSTER/SERVICE.
func scaling(resources []apitype.ResourceV3) map[string]struct{ min, max int } {
	ranges := map[string]struct{ min, max int }{}
	for _, r := range resources {
		if r.Type != typeScaling || r.Delete {
			continue
		}
		of, _ := r.Inputs["resourceId"].(string)
		low, _ := r.Inputs["minCapacity"].(float64)
		high, _ := r.Inputs["maxCapacity"].(float64)
		ranges[short(of)] = struct{ min, max int }{int(low), int(high)}
	}
	return ranges
}

// targetChecks are the health checks of target groups, by ARN.
func targetChecks(resources []apitype.ResourceV3) map[string]*TargetCheck {
	checks := map[string]*TargetCheck{}
	for _, r := range resources {
		if r.Type != TypeTargetGroup || r.Delete {
			continue
		}
		arn, _ := r.Outputs["arn"].(string)
		check, _ := r.Inputs["healthCheck"].(map[string]any)
		text := func(key, otherwise string) string { s, _ := check[key].(string); return cmp.Or(s, otherwise) }
		seconds := func(key string, otherwise float64) time.Duration {
			n, _ := check[key].(float64)
			return time.Duration(cmp.Or(n, otherwise)) * time.Second
		}
		interval, timeout := seconds("interval", 30), seconds("timeout", 5)
		failures := seconds("unhealthyThreshold", 2) / time.Second
		checks[arn] = &TargetCheck{Path: text("path", "/"), Matcher: text("matcher", "200"), Notices: failures*(interval+timeout) + interval}
	}
	return checks
}

func imagesOf(containerDefinitions string) map[string]string {
	var containers []struct{ Name, Image string }
	if json.Unmarshal([]byte(containerDefinitions), &containers) != nil {
		return nil
	}
	images := map[string]string{}
	for _, c := range containers {
		images[c.Name] = c.Image
	}
	return images
}
