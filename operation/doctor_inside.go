package operation

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"slipway/diagnosis"
	"slipway/operation/account"
)

// seen is what Checkup.Inside says if the inside was seen.
const seen = "seen"

// insideLimit is how long the task may take: to start, and for its checks, each of which ends within a minute.
const insideLimit = 8 * time.Minute

// A helperCheck is a line that the helper's doctor writes.
type helperCheck struct {
	Check    string   `json:"check"`
	State    string   `json:"state"` // ok, failed, not tried
	Kind     string   `json:"kind"`
	Seen     string   `json:"seen"`
	Cause    string   `json:"cause"`
	Evidence []string `json:"evidence"`
}

// inside runs the helper's doctor as a task in the VPC, and says whether that was seen.
func (d *doctor) inside(ctx context.Context, args DoctorArgs) string {
	switch {
	case args.Outside:
		return "not seen: --outside"
	case d.paused != nil:
		return "not seen: the stack is paused"
	case !d.runsContainers():
		return "not seen: in the model nothing runs; slipway up" + d.target.Flags() + " --run starts containers"
	}
	run, image, err := d.examination(ctx)
	if err != nil {
		return "not seen: " + diagnosis.Clean(err.Error())
	}
	if why := d.cannotStart(image); why != "" {
		return "not seen: no task can be started: " + why
	}
	result, err := d.examine(ctx, run)
	switch {
	case ctx.Err() != nil:
		return "not seen: interrupted"
	case err != nil:
		d.found(diagnosis.Finding{Kind: diagnosis.KindOf([]string{err.Error()}, nil, diagnosis.NotStarted),
			Text: "ECS starts no task: " + err.Error()})
		return "not seen: " + diagnosis.Clean(err.Error())
	case !result.Started:
		d.found(diagnosis.Finding{Kind: diagnosis.KindOf([]string{result.Reason}, nil, diagnosis.NotStarted),
			Text: "a task of this release does not start: " + result.Reason})
		return "not seen: the task did not start: " + diagnosis.Clean(result.Reason)
	}
	if d.report(result.Lines) == 0 {
		return "not seen: the task wrote no checks: " + diagnosis.Clean(strings.Join(append(result.Lines, result.Reason), " "))
	}
	return seen
}

// examine runs the task and waits for it.
func (d *doctor) examine(ctx context.Context, run account.Examination) (account.Examined, error) {
	ctx, cancel := context.WithTimeout(ctx, insideLimit)
	defer cancel()
	d.target.Progress.Logf("Looking from inside: a task of the running release checks the database and Django.")
	return d.read.Examine(ctx, run)
}

// examination is the task: the migration's definition, whose entrypoint is the helper and whose log is always in CloudWatch, in the
// web service's network and with its variables. The site's own definition would first run the project's entrypoint, which may wait
// for the database, and its log may go to the archive alone.
func (d *doctor) examination(ctx context.Context) (run account.Examination, image string, err error) {
	none := func(format string, args ...any) (account.Examination, string, error) {
		return account.Examination{}, "", fmt.Errorf(format, args...)
	}
	i := slices.IndexFunc(d.services, func(p *patient) bool { return len(groupsOf(p.resource)) > 0 })
	if i < 0 || d.services[i].app() == nil {
		return none("the stack has no web service that runs")
	}
	web := d.services[i]
	definition := ""
	for _, r := range d.of(typeDefinition) {
		if r.URN.Name() == "migration-task" {
			definition = stringOf(r.Outputs, "arn")
		}
	}
	if definition == "" {
		return none("the stack has no migration, whose task definition would be used")
	}
	containers, err := d.read.Settings(ctx, definition)
	if err != nil {
		return none("%w", err)
	}
	at := slices.IndexFunc(containers, func(c account.ContainerSettings) bool { return c.Name == appContainer })
	if at < 0 {
		return none("%s has no container %s", lastOf(definition), appContainer)
	}
	c := containers[at]
	network, _ := web.resource.Inputs["networkConfiguration"].(map[string]any)
	return account.Examination{
		Cluster: d.expected.Cluster, TaskDefinition: definition, Subnets: stringsOf(network, "subnets"),
		SecurityGroups: stringsOf(network, "securityGroups"), Container: appContainer,
		Command: append([]string{"doctor", "--json"}, healthFlags(web.app().Health)...), Environment: differing(web.app().Env, c.Env),
		LogGroup: c.Group, LogPrefix: c.Prefix, StartedBy: "slipway-doctor",
	}, c.Image, nil
}

func stringsOf(values map[string]any, key string) (all []string) {
	list, _ := values[key].([]any)
	for _, one := range list {
		if text, ok := one.(string); ok {
			all = append(all, text)
		}
	}
	return all
}

// healthFlags are what the health check of the app asks, as flags of the helper's doctor.
func healthFlags(health []string) (flags []string) {
	for _, word := range health {
		if strings.HasPrefix(word, "--path=") || strings.HasPrefix(word, "--below=") {
			flags = append(flags, word)
		}
	}
	return flags
}

// differing are the variables of the web service that the migration has with another value: what was changed by hand, for example.
// Its database role stays, because the migration's passwords belong to that.
func differing(web, migration map[string]string) map[string]string {
	env := map[string]string{}
	for name, value := range web {
		if was, has := migration[name]; has && was != value && value != web["SLIPWAY_DB_USER"] {
			env[name] = value
		}
	}
	return env
}

// cannotStart is what the outside found that keeps this task from starting; "" if nothing does.
func (d *doctor) cannotStart(image string) string {
	for _, f := range d.findings {
		if f.Kind == diagnosis.ImageMissing && f.Subject == image {
			return f.Text
		}
	}
	return ""
}

// report adds the helper's checks to the report, and says how many there were.
func (d *doctor) report(lines []string) (n int) {
	for _, line := range lines {
		var c helperCheck
		if json.Unmarshal([]byte(line), &c) != nil || c.Check == "" {
			continue
		}
		n++
		check := Checked{View: "inside", Name: c.Check, State: c.State, Detail: c.Evidence}
		switch {
		case c.State == checkFailed && c.Kind == string(diagnosis.HealthPath) && !d.seesUnhealthy():
			check.State = checkOK // what answers the path may stand in front of Django
			check.Detail = append([]string{c.Seen + ", and the load balancer finds it healthy"}, c.Evidence...)
		case c.State == checkFailed:
			d.found(diagnosis.Finding{Kind: diagnosis.Kind(c.Kind), Part: d.webName(), Text: c.Seen, Evidence: append(c.Evidence, c.Cause)})
			check.Detail = append([]string{c.Seen}, c.Evidence...)
		case c.State != checkOK:
			check.State = checkUnseen
		}
		d.checks = append(d.checks, check)
	}
	return n
}

// seesUnhealthy says whether the outside found tasks that fail a health check.
func (d *doctor) seesUnhealthy() bool {
	return slices.ContainsFunc(d.findings, func(f diagnosis.Finding) bool {
		return f.Kind == diagnosis.Unhealthy || f.Kind == diagnosis.HealthPath || f.Kind == diagnosis.WrongRelease || f.Kind == diagnosis.Crash
	})
}

// webName is the service that the inside speaks for.
func (d *doctor) webName() string {
	for _, p := range d.services {
		if len(groupsOf(p.resource)) > 0 {
			return p.name
		}
	}
	return ""
}
