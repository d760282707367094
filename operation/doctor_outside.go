package operation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"

	"slipway/diagnosis"
	"slipway/engine"
	"slipway/internal/version"
	"slipway/operation/account"
	"slipway/verdict"
)

// The types of resources that doctor reads from a checkpoint, besides verdict's.
const (
	typeListener = "aws:lb/listener:Listener"
)

// outside makes every check that needs no task. What a task needs comes before what tasks do.
func (d *doctor) outside(ctx context.Context) {
	d.check(ctx, "outside", "pause", d.pause)
	d.check(ctx, "outside", "services", d.readServices)
	d.check(ctx, "outside", "images", d.images)
	d.check(ctx, "outside", "secrets", d.secrets)
	d.check(ctx, "outside", "database", d.database)
	d.check(ctx, "outside", "network path", d.path)
	d.check(ctx, "outside", "permissions", d.permissions)
	d.check(ctx, "outside", "load balancer", d.targets)
	d.check(ctx, "outside", "tasks", d.tasks)
	d.check(ctx, "outside", "certificate", d.certificate)
	d.check(ctx, "outside", "alarms", d.alarms)
	d.check(ctx, "outside", "lock", d.lock)
	d.check(ctx, "outside", "drift", d.drift)
}

// pause looks for the record of a pause.
func (d *doctor) pause(ctx context.Context) (err error) {
	if d.paused, err = d.readPaused(ctx); err != nil {
		return err
	}
	if d.paused == nil {
		return errNothing
	}
	f := diagnosis.Finding{Kind: diagnosis.Paused, Text: fmt.Sprintf("stack %s is %s", d.target.Stack, d.paused)}
	if starts := d.paused.Starts(); starts != nil {
		f.Evidence = []string{"AWS starts the database by itself on " + starts.Format(time.DateOnly) + "; no task runs then either"}
	}
	d.found(f)
	d.note("%s", d.paused)
	return nil
}

// readServices reads what ECS runs.
func (d *doctor) readServices(ctx context.Context) error {
	if len(d.services) == 0 {
		d.found(diagnosis.Finding{Kind: diagnosis.Incomplete, Text: "the stack has no service: its first up did not end"})
		return nil
	}
	names := make([]string, len(d.expected.Services))
	for i, s := range d.expected.Services {
		names[i] = s.Service
	}
	all, err := d.account.ECS().Services(ctx, d.expected.Cluster, names)
	if err != nil {
		return err
	}
	for _, p := range d.services {
		i := slices.IndexFunc(all, func(s verdict.Service) bool { return s.Name == p.expected.Service })
		if i < 0 {
			d.found(diagnosis.Finding{Kind: diagnosis.Stopped, Part: p.name, Text: "service " + p.expected.Service + " does not exist"})
			continue
		}
		p.is = all[i]
		for _, deployed := range p.is.Deployments {
			if deployed.Status == "PRIMARY" {
				p.runs = deployed.TaskDefinition
			}
		}
		d.note("%s: %d of %s, %s", p.name, p.is.Running, some(p.is.Desired, false, "task"), lastOf(p.runs))
		if p.runs == "" {
			continue
		}
		if p.settings, err = d.read.Settings(ctx, p.runs); err != nil {
			return err
		}
	}
	return nil
}

// lastOf is the last part of an ARN.
func lastOf(arn string) string { return arn[strings.LastIndex(arn, "/")+1:] }

// definitions are the task definitions that a service runs or should run, with their containers.
func (d *doctor) definitions(ctx context.Context, p *patient) (map[string][]account.ContainerSettings, error) {
	all := map[string][]account.ContainerSettings{}
	if p.runs != "" {
		all[p.runs] = p.settings
	}
	if asked := p.expected.TaskDefinition; asked != "" && asked != p.runs {
		settings, err := d.read.Settings(ctx, asked)
		if err != nil {
			return nil, err
		}
		all[asked] = settings
	}
	return all, nil
}

// images looks for the images of all task definitions in the registry.
func (d *doctor) images(ctx context.Context) error {
	users := map[string][]*patient{}
	for _, p := range d.services {
		definitions, err := d.definitions(ctx, p)
		if err != nil {
			return err
		}
		for _, containers := range definitions {
			for _, c := range containers {
				if !slices.Contains(users[c.Image], p) {
					users[c.Image] = append(users[c.Image], p)
				}
			}
		}
	}
	missing, err := d.read.Missing(ctx, slices.Sorted(maps.Keys(users)))
	if err != nil {
		return err
	}
	for _, image := range missing {
		for _, p := range users[image] {
			d.found(diagnosis.Finding{Kind: diagnosis.ImageMissing, Part: p.name, Subject: image,
				Text:     "the registry does not have image " + lastOf(image),
				Evidence: []string{p.name + " uses " + image}})
		}
	}
	d.note("%d of %s missing", len(missing), some(len(users), false, "image"))
	return nil
}

// secrets looks for the parameters that task definitions name, and compares their versions with those that tasks have read.
func (d *doctor) secrets(ctx context.Context) error {
	type use struct {
		service  *patient
		variable string
		read     int // version; 0: it is not known
	}
	uses := map[string][]use{}
	for _, p := range d.services {
		definitions, err := d.definitions(ctx, p)
		if err != nil {
			return err
		}
		for arn, containers := range definitions {
			for _, c := range containers {
				read := versionsRead(c.Env["SLIPWAY_SETTINGS_VERSION"])
				if arn != p.runs {
					read = nil
				}
				for variable, from := range c.Secrets {
					uses[parameterName(from)] = append(uses[parameterName(from)], use{p, variable, read[variable]})
				}
			}
		}
	}
	if len(uses) == 0 {
		return errNothing
	}
	versions, err := d.read.Parameters(ctx, slices.Sorted(maps.Keys(uses)))
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(uses)) {
		version, there := versions[name]
		for _, u := range uses[name] {
			switch {
			case !there:
				d.found(diagnosis.Finding{Kind: diagnosis.SecretMissing, Part: u.service.name, Subject: name,
					Text:     "parameter " + name + " does not exist",
					Evidence: []string{fmt.Sprintf("%s reads %s from it", u.service.name, u.variable)}})
			case u.read != 0 && u.read != version:
				d.found(diagnosis.Finding{Kind: diagnosis.OldSecret, Part: u.service.name, Subject: name,
					Text:     fmt.Sprintf("tasks of %s have version %d of parameter %s, which is at version %d", u.service.name, u.read, name, version),
					Evidence: []string{"SLIPWAY_SETTINGS_VERSION of " + lastOf(u.service.runs)}})
			}
		}
	}
	d.note("%d of %s missing", len(uses)-len(versions), some(len(uses), false, "parameter"))
	return nil
}

// versionsRead are the versions of secrets, by variable, that a task definition was made with: "DB_PASSWORD:2 SECRET_KEY:1".
func versionsRead(text string) map[string]int {
	all := map[string]int{}
	for _, word := range strings.Fields(text) {
		name, number, _ := strings.Cut(word, ":")
		all[name], _ = strconv.Atoi(number)
	}
	return all
}

// parameterName is the name of a parameter that a task definition names by its ARN or its name.
func parameterName(from string) string {
	if _, name, ok := strings.Cut(from, ":parameter/"); ok {
		return "/" + name
	}
	return from
}

// serving are the states of an instance that takes connections.
// Source: RDS guide, "Viewing Amazon RDS DB instance status".
var serving = []string{"available", "backing-up", "configuring-enhanced-monitoring", "configuring-iam-database-auth",
	"configuring-log-exports", "modifying", "storage-optimization", "storage-config-upgrade", "storage-initialization",
	"resetting-master-credentials", "renaming", "converting-to-vpc", "moving-to-vpc", "delete-precheck"}

// database looks at the instance, and whether the services ask for its address.
func (d *doctor) database(ctx context.Context) error {
	instances := d.of(typeInstance)
	if len(instances) == 0 {
		return errNothing
	}
	declared := instances[0]
	id := stringOf(declared.Outputs, "identifier")
	is, err := d.observer.Database(ctx, id)
	switch {
	case errors.Is(err, account.ErrGone):
		d.found(diagnosis.Finding{Kind: diagnosis.DatabaseDown, Text: "database " + id + " does not exist",
			Next: version.Page("docs/operations.md#restore-the-database")})
		return nil
	case err != nil:
		return err
	case !slices.Contains(serving, is.Status):
		d.found(diagnosis.Finding{Kind: diagnosis.DatabaseDown, Text: "database " + id + " is " + is.Status,
			Evidence: []string{"RDS reports the status " + is.Status}})
	}
	d.note("%s is %s", id, is.Status)
	for _, p := range d.services {
		app := p.app()
		if app == nil {
			continue
		}
		if host := app.Env["SLIPWAY_DB_HOST"]; host != "" && host != is.Address {
			d.found(diagnosis.Finding{Kind: diagnosis.WrongHost, Part: p.name,
				Text:     fmt.Sprintf("%s asks the host %s for its database", p.name, host),
				Evidence: []string{fmt.Sprintf("SLIPWAY_DB_HOST of %s; the database is at %s", lastOf(p.runs), is.Address)},
				Next:     "slipway up{flags}, which deploys the declared task definition again"})
		}
	}
	return nil
}

// path asks the model whether the services reach the database.
func (d *doctor) path(context.Context) error {
	judge, ok := d.account.(explaining)
	instances := d.of(typeInstance)
	if !ok || len(instances) == 0 {
		return errNothing
	}
	port, _ := instances[0].Outputs["port"].(float64)
	to := fmt.Sprintf("%s:%d", instances[0].URN.Name(), int(cmp.Or(port, 5432)))
	for _, p := range d.services {
		answer, err := judge.Reach(p.name, to)
		if err != nil {
			return err
		}
		if answer.Allowed {
			d.note("%s -> %s is open", p.name, to)
			continue
		}
		d.found(diagnosis.Finding{Kind: diagnosis.NoRoute, Part: p.name,
			Text:     fmt.Sprintf("%s does not reach %s: %s", p.name, to, blocks(answer.Chain)),
			Evidence: answer.Chain, Next: fmt.Sprintf("slipway why%s %s %s; to fix it: %s", d.target.Flags(), p.name, to, answer.Fix)})
	}
	return nil
}

// blocks is what of a chain is in the way.
func blocks(chain []string) string {
	var all []string
	for _, line := range chain {
		if words, ok := strings.CutPrefix(line, "blocked by "); ok {
			all = append(all, words)
		}
	}
	return strings.Join(all, "; ")
}

// permissions asks the model whether the execution roles may read the secrets of their tasks.
func (d *doctor) permissions(context.Context) error {
	judge, ok := d.account.(explaining)
	if !ok {
		return errNothing
	}
	asked := map[[2]string]bool{}
	for _, p := range d.services {
		role := d.executionRole(p.runs)
		for _, c := range p.settings {
			for _, from := range c.Secrets {
				question := [2]string{role, from}
				if role == "" || asked[question] || !strings.HasPrefix(from, "arn:") {
					continue
				}
				asked[question] = true
				answer, err := judge.Why(role, "ssm:GetParameters", from, nil)
				if err != nil {
					return err
				}
				if !answer.Allowed {
					d.found(diagnosis.Finding{Kind: diagnosis.SecretDenied, Part: p.name, Subject: role,
						Text:     fmt.Sprintf("%s may not read parameter %s", role, parameterName(from)),
						Evidence: append(append([]string{answer.Message}, answer.Chain...), answer.Nearest...),
						Next:     fmt.Sprintf("slipway why%s %s ssm:GetParameters %s; to fix it: %s", d.target.Flags(), role, from, answer.Fix)})
				}
			}
		}
	}
	d.note("%s may be read by the roles that start tasks", some(len(asked), false, "parameter"))
	return nil
}

// executionRole is the name in the program of the role that starts a task definition's tasks; "" if the program does not declare it.
func (d *doctor) executionRole(definition string) string {
	for _, r := range d.of(typeDefinition) {
		if stringOf(r.Outputs, "arn") != definition {
			continue
		}
		for _, role := range d.of("aws:iam/role:Role") {
			if stringOf(role.Outputs, "arn") == stringOf(r.Outputs, "executionRoleArn") {
				return role.URN.Name()
			}
		}
	}
	return ""
}

// targets looks at the targets that the load balancer knows.
func (d *doctor) targets(ctx context.Context) error {
	groups := 0
	for _, p := range d.services {
		for _, group := range groupsOf(p.resource) {
			groups++
			all, err := d.observer.Targets(ctx, group)
			if err != nil {
				return err
			}
			var failing []account.Target
			for _, t := range all {
				if t.State == "unhealthy" {
					failing = append(failing, t)
				}
			}
			d.note("%s: %d of %s unhealthy", p.name, len(failing), some(len(all), false, "target"))
			if len(failing) > 0 {
				d.failing(p, failing, len(all))
			}
		}
	}
	if groups == 0 {
		return errNothing
	}
	return nil
}

func (d *doctor) failing(p *patient, failing []account.Target, of int) {
	reason := failing[0].Reason
	if kind := diagnosis.KindOf([]string{reason}, nil, diagnosis.Unhealthy); kind != diagnosis.Unhealthy {
		text := fmt.Sprintf("the health check of %s fails: %s", p.name, reason)
		if check := p.expected.Check; check != nil {
			text = fmt.Sprintf("the health check of %s fails: %s; %s", p.name, check, reason)
		}
		d.found(diagnosis.Finding{Kind: kind, Part: p.name, Text: text})
	}
	d.found(diagnosis.Finding{Kind: diagnosis.Unhealthy, Part: p.name,
		Text:     fmt.Sprintf("%d of %s of %s fail the load balancer's health check", len(failing), some(of, false, "target"), p.name),
		Evidence: []string{strings.TrimSpace("target "+failing[0].Address) + ": " + reason}})
}

// groupsOf are the target groups of a declared service.
func groupsOf(service apitype.ResourceV3) (groups []string) {
	all, _ := service.Inputs["loadBalancers"].([]any)
	for _, one := range all {
		values, _ := one.(map[string]any)
		if group := stringOf(values, "targetGroupArn"); group != "" {
			groups = append(groups, group)
		}
	}
	return groups
}

// tasks judges each service: what its events, stopped tasks and logs say.
func (d *doctor) tasks(ctx context.Context) error {
	if len(d.services) > 0 && !slices.ContainsFunc(d.services, func(p *patient) bool { return p.is.Name != "" }) {
		return errors.New("no service could be read")
	}
	for _, p := range d.services {
		if p.is.Name == "" {
			continue // readServices said so
		}
		if p.changing() {
			d.found(diagnosis.Finding{Kind: diagnosis.Deploying, Part: p.name,
				Text: fmt.Sprintf("%s is being deployed: %d of %s of %s run", p.name, p.is.Running, some(p.is.Desired, false, "task"), lastOf(p.runs))})
			continue
		}
		one := verdict.Expected{Cluster: d.expected.Cluster, Services: []verdict.Running{p.expected}}
		v, err := verdict.Judge(ctx, d.account.ECS(), one, 0)
		if err != nil {
			return err
		}
		if !v.Good {
			d.sick(p, v)
			continue
		}
		d.note("%s runs what was asked for", p.name)
	}
	return nil
}

const logEvidence = 5 // lines

// sick adds the findings of a bad verdict: what is wrong with the service, and why its tasks fail.
func (d *doctor) sick(p *patient, v verdict.Verdict) {
	reason := strings.Replace(v.Reasons[0], "did not settle within 0s: ", "", 1)
	state := diagnosis.Stopped
	switch {
	case p.runs != p.expected.TaskDefinition && p.runs != "":
		state = diagnosis.WrongRelease
	case strings.Contains(reason, "unhealthy"):
		state = diagnosis.Unhealthy
	}
	if d.paused != nil && p.is.Desired == 0 && state == diagnosis.Stopped {
		reason = "service " + p.expected.Service + " runs no task: the pause took it to zero"
	}
	d.found(diagnosis.Finding{Kind: state, Part: p.name, Text: reason})
	if p.is.Desired == 0 || len(v.Stopped)+len(v.Check)+len(v.Logs) == 0 {
		return
	}
	reported := append(slices.Clone(v.Stopped), v.Check...)
	evidence := append(reported, v.Logs[max(0, len(v.Logs)-logEvidence):]...)
	f := diagnosis.Finding{Kind: diagnosis.KindOf(reported, v.Logs, diagnosis.Crash), Part: p.name, Evidence: evidence,
		Text: fmt.Sprintf("tasks of %s fail: %s", p.name, cmp.Or(v.Cause, evidence[0]))}
	if f.Kind == diagnosis.Crash {
		f.Next = v.Next
	}
	d.found(f)
}

// expiresSoon is when ACM should have renewed a certificate for a month.
const expiresSoon = 30 * 24 * time.Hour

// certificate looks at the certificates of the listeners.
func (d *doctor) certificate(ctx context.Context) error {
	var arns []string
	for _, r := range d.of(typeListener) {
		if arn := stringOf(r.Inputs, "certificateArn"); arn != "" && !slices.Contains(arns, arn) {
			arns = append(arns, arn)
		}
	}
	if len(arns) == 0 {
		return errNothing
	}
	for _, arn := range arns {
		c, err := d.observer.Certificate(ctx, arn)
		switch {
		case errors.Is(err, account.ErrGone):
			d.found(diagnosis.Finding{Kind: diagnosis.CertificateInvalid, Text: "certificate " + lastOf(arn) + " does not exist",
				Next: "slipway up{flags}, which makes it again"})
			continue
		case err != nil:
			return err
		}
		if f := certified(c, d.config.stack.Domain); f != nil {
			d.found(*f)
		} else {
			d.note("%s, %s%s", strings.Join(c.Names, ", "), c.Status, until(c.NotAfter))
		}
	}
	return nil
}

func until(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return ", until " + at.Format(time.DateOnly)
}

// certified is what is wrong with a certificate; nil: nothing is.
func certified(c account.Certificate, domain string) *diagnosis.Finding {
	f := &diagnosis.Finding{Subject: c.ARN, Evidence: []string{"certificate " + c.ARN}}
	if renewal := strings.TrimSpace(c.Renewal + " " + c.Reason); renewal != "" && renewal != "SUCCESS" {
		f.Evidence = append(f.Evidence, "renewal: "+renewal)
	}
	left := time.Until(c.NotAfter)
	switch {
	case c.Status == "EXPIRED" || !c.NotAfter.IsZero() && left <= 0:
		f.Kind, f.Text = diagnosis.CertificateExpired, fmt.Sprintf("the certificate of %s expired%s", domain, on(c.NotAfter))
	case c.Status != "ISSUED":
		f.Kind, f.Text = diagnosis.CertificateInvalid, fmt.Sprintf("the certificate of %s is %s", domain, c.Status)
	case domain != "" && !slices.ContainsFunc(c.Names, func(name string) bool { return covers(name, domain) }):
		f.Kind, f.Text = diagnosis.CertificateInvalid, fmt.Sprintf("the certificate is for %s, not for %s", strings.Join(c.Names, ", "), domain)
	case !c.NotAfter.IsZero() && left < expiresSoon:
		f.Kind, f.Text = diagnosis.CertificateExpiring, fmt.Sprintf("the certificate of %s expires%s", domain, on(c.NotAfter))
	default:
		return nil
	}
	return f
}

func on(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return " on " + at.Format(time.DateOnly)
}

// covers says whether a name of a certificate is good for a host. A wildcard stands for one label.
func covers(name, host string) bool {
	if rest, ok := strings.CutPrefix(name, "*."); ok {
		_, parent, _ := strings.Cut(host, ".")
		return strings.EqualFold(rest, parent)
	}
	return strings.EqualFold(name, host)
}

// alarms looks for alarms of the stack that fire.
func (d *doctor) alarms(ctx context.Context) error {
	declared := map[string]apitype.ResourceV3{}
	for _, r := range d.of(typeAlarm) {
		declared[stringOf(r.Outputs, "name")] = r
	}
	if len(declared) == 0 {
		return errNothing
	}
	all, err := d.observer.Alarms(ctx, slices.Sorted(maps.Keys(declared)))
	if err != nil {
		return err
	}
	firing := 0
	for _, alarm := range all {
		if alarm.State != "ALARM" {
			continue
		}
		firing++
		r := declared[alarm.Name]
		description := stringOf(r.Inputs, "alarmDescription")
		f := diagnosis.Finding{Kind: diagnosis.OtherAlarm, Part: d.partOf(r), Subject: alarm.Name,
			Text: fmt.Sprintf("alarm %s fires: %s", alarm.Name, description), Evidence: []string{}}
		if stringOf(r.Inputs, "namespace") == "AWS/ApplicationELB" && stringOf(r.Inputs, "metricName") != "TargetResponseTime" {
			f.Kind = diagnosis.SiteAlarm
		}
		if alarm.Reason != "" {
			f.Evidence = append(f.Evidence, alarm.Reason)
		}
		if !alarm.Since.IsZero() {
			f.Evidence = append(f.Evidence, "since "+alarm.Since.UTC().Format(time.RFC3339))
		}
		d.found(f)
	}
	d.note("%d of %s firing", firing, some(len(all), false, "alarm"))
	return nil
}

// partOf is the service that an alarm watches: of the load balancer, the one behind it. Another alarm is its own part.
func (d *doctor) partOf(alarm apitype.ResourceV3) string {
	dimensions, _ := alarm.Inputs["dimensions"].(map[string]any)
	for _, p := range d.services {
		if stringOf(dimensions, "ServiceName") == p.expected.Service {
			return p.name
		}
		if stringOf(alarm.Inputs, "namespace") == "AWS/ApplicationELB" && len(groupsOf(p.resource)) > 0 {
			return p.name
		}
	}
	if stringOf(alarm.Inputs, "namespace") == "AWS/RDS" {
		return "" // it can be a consequence for any service
	}
	return alarm.URN.Name()
}

// maybeStale is after how long a lock whose owner cannot be seen is taken for one that was left behind. The longest operation, a first
// up with a standby database, takes about half an hour.
const maybeStale = 3 * time.Hour

// lock looks for runs that have the stack, and for those that left it locked.
func (d *doctor) lock(ctx context.Context) error {
	locks, err := d.stack.Locks(ctx)
	if err != nil {
		return err
	}
	if own := d.account.Lock(); own != nil && own.Killed != nil {
		d.found(diagnosis.Finding{Kind: diagnosis.StaleLock, Text: fmt.Sprintf("a killed run left the stack locked: %s", own.Killed)})
	}
	for _, l := range locks {
		switch {
		case l.Life == engine.Gone, l.Life == engine.Unclear && time.Since(l.Since) > maybeStale:
			d.found(diagnosis.Finding{Kind: diagnosis.StaleLock, Text: "a run that has ended left the stack locked", Evidence: []string{l.String()}})
		default:
			d.found(diagnosis.Finding{Kind: diagnosis.Deploying, Text: "a run has the stack: " + l.String()})
		}
	}
	d.note("%s", some(len(locks), false, "lock"))
	return nil
}

// drift says what the last drift check found.
func (d *doctor) drift(ctx context.Context) error {
	check, err := d.lastCheck(ctx)
	if err != nil {
		return err
	}
	if check == nil {
		d.note("no drift check was made: slipway drift%s", d.target.Flags())
		return errUnmade
	}
	when := check.When.Format(time.RFC3339)
	if check.Found > 0 {
		d.found(diagnosis.Finding{Kind: diagnosis.Drift, Text: fmt.Sprintf("the last drift check found %s changed outside Slipway",
			some(check.Found, false, "resource")), Evidence: []string{"checked at " + when}})
	}
	d.note("%s drifted at %s", some(check.Found, false, "resource"), when)
	return nil
}
