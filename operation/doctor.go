package operation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"

	"slipway/diagnosis"
	"slipway/operation/account"
	"slipway/operation/account/modelaccount"
	"slipway/verdict"
)

// DoctorArgs say how closely doctor looks.
type DoctorArgs struct {
	Outside bool // start no task: only what AWS's API shows
}

// What a checkup can come to.
const (
	Healthy    = "healthy"
	IsChanging = "deploying" // nothing is wrong, and a deployment is in progress
	Problem    = "problem"
	Unsure     = "unknown" // nothing was found, and not everything could be looked at
)

// A Checkup is what doctor found.
type Checkup struct {
	Stack string `json:"stack"`
	Live  bool   `json:"live"`
	State string `json:"state"` // healthy, deploying, problem, unknown
	diagnosis.Diagnosis
	Checks []Checked `json:"checks"`
	Inside string    `json:"inside"` // "seen", or why not
}

// A Checked is one thing that doctor looked at.
type Checked struct {
	View   string   `json:"view"` // outside, inside
	Name   string   `json:"name"`
	State  string   `json:"state"`            // ok, failed, not seen, not made
	Detail []string `json:"detail,omitempty"` // what was seen; why it was not
}

// A ProblemError says that doctor found a problem, which its result describes.
type ProblemError struct{ Stack, Cause string }

func (e *ProblemError) Error() string {
	return fmt.Sprintf("stack %s has a problem: %s", e.Stack, e.Cause)
}

// Exit is the exit code of the command, and the kind of the error for programs.
func (e *ProblemError) Exit() (code int, kind string) { return 3, "problem" }

// States of a check.
const (
	checkOK     = "ok"
	checkFailed = "failed"
	checkUnseen = "not seen"
	checkUnmade = "not made"
)

// A doctor collects findings.
type doctor struct {
	*session
	read      account.Diagnosis
	observer  account.Observer
	resources []apitype.ResourceV3
	expected  verdict.Expected
	services  []*patient
	paused    *Paused // nil: the stack is not paused, or that is not known
	findings  []diagnosis.Finding
	checks    []Checked
	detail    []string // of the check that runs
}

// A patient is one service of the stack.
type patient struct {
	name     string // in the program
	expected verdict.Running
	is       verdict.Service
	runs     string                      // ARN of the task definition that runs; "": nothing does
	settings []account.ContainerSettings // of that
	resource apitype.ResourceV3
}

// Doctor finds out why a site does not work: from outside through AWS's API, and from inside as a task in the VPC. It changes
// nothing.
func Doctor(ctx context.Context, t Target, args DoctorArgs) (result *Checkup, err error) {
	c, err := configure(t)
	if err != nil {
		return nil, err
	}
	s, err := open(ctx, t, c, openArgs{operation: "read"})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	d := &doctor{session: s, read: s.account.Diagnosis(), observer: s.account.Observe()}
	if err := d.begin(ctx); err != nil {
		return nil, missing(t, err)
	}
	d.outside(ctx)
	result = &Checkup{Stack: t.Stack, Live: t.Live}
	if ctx.Err() == nil {
		result.Inside = d.inside(ctx, args)
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	result.Diagnosis, result.Checks = diagnosis.Of(d.findings, t.Flags()), d.checks
	result.State = result.state()
	return result, nil
}

// state is the verdict. What could not be seen is no problem of the site, but it is not health either.
func (c *Checkup) state() string {
	unseen := func(check Checked) bool { return check.State == checkUnseen && check.View == "outside" }
	switch {
	case len(c.Causes) > 0:
		return Problem
	case slices.ContainsFunc(c.Checks, unseen):
		return Unsure
	case slices.ContainsFunc(c.Notices, func(n diagnosis.Cause) bool { return n.Kind == diagnosis.Deploying }):
		return IsChanging
	}
	return Healthy
}

// begin reads what the program declared.
func (d *doctor) begin(ctx context.Context) error {
	state, err := d.stack.Checkpoint(ctx)
	if err != nil {
		return err
	}
	d.resources = slices.DeleteFunc(slices.Clone(state.Resources), func(r apitype.ResourceV3) bool { return r.Delete })
	if d.expected, err = verdict.ExpectedOf(d.resources); err != nil {
		return err
	}
	if len(d.resources) == 0 {
		return fmt.Errorf("stack %s is not deployed; begin with: slipway up%s", d.target.Stack, d.target.Flags())
	}
	for _, r := range d.of(verdict.TypeService) {
		name := stringOf(r.Outputs, "name")
		if name == "" {
			name = stringOf(r.Inputs, "name")
		}
		i := slices.IndexFunc(d.expected.Services, func(s verdict.Running) bool { return s.Service == name })
		if i >= 0 {
			d.services = append(d.services, &patient{name: r.URN.Name(), expected: d.expected.Services[i], resource: r})
		}
	}
	return nil
}

// of are the declared resources of a type.
func (d *doctor) of(kind string) []apitype.ResourceV3 {
	return slices.DeleteFunc(slices.Clone(d.resources), func(r apitype.ResourceV3) bool { return string(r.Type) != kind || r.External })
}

func stringOf(values map[string]any, key string) string { s, _ := values[key].(string); return s }

// errNothing is the result of a check that the stack has nothing for.
var errNothing = errors.New("nothing to check")

// errUnmade is the result of reading a check that another command makes, and that was never made.
var errUnmade = errors.New("not made")

// check runs one check of a view. One that cannot be made is noted.
func (d *doctor) check(ctx context.Context, view, name string, run func(context.Context) error) {
	if ctx.Err() != nil {
		return
	}
	d.detail = nil
	before := len(d.findings)
	err := run(ctx)
	c := Checked{View: view, Name: name, State: checkOK, Detail: d.detail}
	switch {
	case errors.Is(err, errNothing):
		return
	case errors.Is(err, errUnmade):
		c.State = checkUnmade
	case err != nil:
		c.State, c.Detail = checkUnseen, append(c.Detail, diagnosis.Clean(err.Error()))
	}
	for _, f := range d.findings[before:] {
		if diagnosis.IsNotice(f.Kind) {
			continue
		}
		c.State = checkFailed
		if len(c.Detail) == 0 {
			c.Detail = []string{f.Text}
		}
	}
	d.checks = append(d.checks, c)
}

func (d *doctor) found(f diagnosis.Finding) { d.findings = append(d.findings, f) }

func (d *doctor) note(format string, args ...any) {
	d.detail = append(d.detail, fmt.Sprintf(format, args...))
}

// runsContainers says whether the stack has containers that a task of the model can run beside.
func (d *doctor) runsContainers() bool {
	return d.target.Live || d.containers != nil && modelaccount.Running(d.target.dir())
}

// A deployment without failed tasks that takes longer than this is stuck: ECS has no room for its tasks, for example.
const longestDeployment = 30 * time.Minute

// changing says whether a service is in the middle of a deployment in which nothing has failed.
func (p *patient) changing() bool {
	for _, deployed := range p.is.Deployments {
		if deployed.Status == "PRIMARY" {
			fresh := deployed.Created.IsZero() || time.Since(deployed.Created) < longestDeployment
			return deployed.Rollout == "IN_PROGRESS" && deployed.Failed == 0 && fresh
		}
	}
	return false
}

// app is the container of the application; nil: it is not known.
func (p *patient) app() *account.ContainerSettings {
	i := slices.IndexFunc(p.settings, func(c account.ContainerSettings) bool { return c.Name == appContainer })
	if i < 0 {
		return nil
	}
	return &p.settings[i]
}

// appContainer is the name of the container that runs the application, in every task.
const appContainer = "django"
