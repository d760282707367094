package modelaccount

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"slipway/operation/account"
	"slipway/rehearsal/cloud"
	live "slipway/rehearsal/containers"
	"slipway/verdict"
)

// Observe implements account.Account.
func (a *Account) Observe() account.Observer {
	o := observer{model: a.model.Account}
	if a.containers != nil {
		o.view = a.containers.View()
	}
	return o
}

// A Glance is a model that is only looked at.
type Glance struct {
	Observer account.Observer
	ECS      verdict.ECSReader
	Note     string // what cannot be seen
}

// Look looks at the model in a stack's folder, whatever other processes do with it. If there is no model, the error is fs.ErrNotExist.
func Look(ctx context.Context, stack, dir, domain string) (*Glance, error) {
	model, err := cloud.Peek(File(dir))
	if err != nil {
		return nil, err
	}
	o := observer{model: model}
	g := &Glance{ECS: ecsModel{account: model}}
	if run := live.Dir(dir); live.Exists(run) {
		var wrong error
		if o.view, wrong = live.Look(ctx, run, model.Objects(), live.Options{Stack: stack, Domain: domain}); wrong != nil {
			g.Note = wrong.Error()
		}
	}
	g.Observer = o
	return g, nil
}

// An observer is the model, and the containers of a stack that runs.
type observer struct {
	model *cloud.Account
	view  *live.View // nil: it does not run
}

// Simulated implements account.Observer.
func (o observer) Simulated() bool { return true }

// all are the model's objects of a type.
func (o observer) all(kind string) []*cloud.Object {
	return slices.DeleteFunc(o.model.Objects(), func(object *cloud.Object) bool { return object.Type != kind })
}

// find is the object of a type with this value of an output; nil if there is none.
func (o observer) find(kind, by, value string) cloud.Inputs {
	for _, object := range o.all(kind) {
		if out := cloud.Inputs(object.Outputs); out.String(by) == value {
			return out
		}
	}
	return nil
}

// Tasks implements account.Observer: those that run as containers, and those that ran on their own, such as the migration and jobs.
// Without containers a service has the tasks that it should have, all of them well.
func (o observer) Tasks(ctx context.Context, cluster string) ([]account.Task, error) {
	var tasks []account.Task
	if o.view != nil {
		viewed, err := o.view.Tasks(ctx)
		if err != nil {
			return nil, err
		}
		for _, t := range viewed {
			tasks = append(tasks, viewedTask(t))
		}
	}
	for _, s := range o.all(typeService) {
		out := cloud.Inputs(s.Outputs)
		if o.view != nil || out.String("cluster") != cluster {
			continue
		}
		for i := range out.Int("desiredCount") {
			tasks = append(tasks, account.Task{ID: fmt.Sprintf("simulated-%d", i+1), Service: out.String("name"), Status: "RUNNING",
				Health:     "HEALTHY",
				Definition: out.String("taskDefinition"), Family: familyOf(out.String("taskDefinition"))})
		}
	}
	for _, r := range o.model.TaskRecords() {
		code := r.Result.ExitCode
		t := account.Task{ARN: r.Result.ARN, ID: r.Result.ARN[strings.LastIndex(r.Result.ARN, "/")+1:], Definition: r.Run.TaskDefinition,
			Family: familyOf(r.Run.TaskDefinition), Status: "STOPPED", Stops: true, Health: "UNKNOWN", StartedBy: r.Run.StartedBy,
			Stopped: r.At, Reason: r.Result.Reason}
		container := account.TaskContainer{Name: r.Run.Container, Health: "UNKNOWN"}
		if code != cloud.NeverStarted {
			container.ExitCode = &code
		}
		t.Containers = []account.TaskContainer{container}
		tasks = append(tasks, t)
	}
	return tasks, nil
}

// familyOf is the family of a task definition, by its ARN.
func familyOf(arn string) string {
	family, _, _ := strings.Cut(arn[strings.LastIndex(arn, "/")+1:], ":")
	return family
}

// viewedTask is a task of containers as ECS would show it.
func viewedTask(v live.ViewedTask) account.Task {
	t := account.Task{ARN: v.ID, ID: v.ID, Service: v.Service, Definition: v.Definition, Family: familyOf(v.Definition), Status: "RUNNING",
		Health: "UNKNOWN", Exec: true}
	for _, c := range v.Containers {
		container := account.TaskContainer{Name: c.Name, Health: "UNKNOWN", Runtime: c.Name, Exec: c.Running}
		switch c.Health {
		case "healthy":
			container.Health = "HEALTHY"
		case "unhealthy":
			container.Health = "UNHEALTHY"
		}
		_, container.Digest, _ = strings.Cut(c.Image, "@")
		if !c.Running {
			code := c.ExitCode
			container.ExitCode = &code
			t.Status = "DEPROVISIONING"
		}
		if t.Started.IsZero() || c.Started.Before(t.Started) {
			t.Started = c.Started
		}
		t.Containers = append(t.Containers, container)
	}
	t.Created, t.Health = t.Started, health(v.Containers)
	return t
}

// health is that of a task: unhealthy if one container is, unknown while one has not answered (ECS Developer Guide, "Determine Amazon
// ECS task health using container health checks").
func health(containers []live.ViewedContainer) string {
	found := "UNKNOWN"
	for _, c := range containers {
		switch c.Health {
		case "unhealthy":
			return "UNHEALTHY"
		case "starting":
			return "UNKNOWN"
		case "healthy":
			found = "HEALTHY"
		}
	}
	return found
}

// planted are the targets of a group whose state says what they are.
func (o observer) planted(group string) []account.Target {
	for _, g := range o.all("aws:lb/targetGroup:TargetGroup") {
		if cloud.Inputs(g.Outputs).String("arn") == group && g.State["health"] != "" {
			return []account.Target{{State: g.State["health"], Reason: g.State["reason"]}}
		}
	}
	return nil
}

// Targets implements account.Observer. It asks containers as the load balancer does. Without containers there are none.
func (o observer) Targets(ctx context.Context, group string) ([]account.Target, error) {
	if planted := o.planted(group); planted != nil || o.view == nil {
		return planted, nil
	}
	found, err := o.view.Targets(ctx, group)
	var targets []account.Target
	for address, wrong := range found {
		t := account.Target{Address: address, State: "healthy", Reason: wrong}
		if wrong != "" {
			t.State = "unhealthy"
		}
		targets = append(targets, t)
	}
	slices.SortFunc(targets, func(a, b account.Target) int { return cmp.Compare(a.Address, b.Address) })
	return targets, err
}

// scalable is the ID of a service as a scalable target; cluster is its ARN or name.
func scalable(cluster, service string) string {
	return "service/" + cluster[strings.LastIndex(cluster, "/")+1:] + "/" + service
}

// Scaling implements account.Observer.
func (o observer) Scaling(_ context.Context, cluster string, services []string) (map[string]account.Scaling, error) {
	scaling := map[string]account.Scaling{}
	for _, service := range services {
		t, err := o.model.Look(typeScaling, scalable(cluster, service))
		if err != nil {
			return nil, err
		}
		if t == nil {
			continue
		}
		out := cloud.Inputs(t.Outputs)
		suspended := out.Map("suspendedState")
		scaling[service] = account.Scaling{Min: out.Int("minCapacity"), Max: out.Int("maxCapacity"),
			InSuspended: suspended.Bool("dynamicScalingInSuspended"), OutSuspended: suspended.Bool("dynamicScalingOutSuspended"),
			TimeSuspended: suspended.Bool("scheduledScalingSuspended")}
	}
	return scaling, nil
}

// Enabled implements account.Observer.
func (o observer) Enabled(_ context.Context, group, name string) (enabled, there bool, err error) {
	s, err := o.model.Look(typeSchedule, group+"/"+name)
	if s == nil || err != nil {
		return false, false, err
	}
	return cloud.Inputs(s.Outputs).String("state") == "ENABLED", true, nil
}

// database is the object of a database; nil if there is none.
func (o observer) database(id string) *cloud.Object {
	for _, d := range o.all(typeDatabase) {
		if cloud.Inputs(d.Outputs).String("identifier") == id {
			return d
		}
	}
	return nil
}

// Database implements account.Observer.
func (o observer) Database(_ context.Context, id string) (account.Database, error) {
	found := o.database(id)
	if found == nil {
		return account.Database{}, fmt.Errorf("database %s: %w", id, account.ErrGone)
	}
	found, err := o.model.Look(typeDatabase, found.ID)
	if err != nil {
		return account.Database{}, err
	}
	out := cloud.Inputs(found.Outputs)
	return account.Database{ID: id, Address: out.String("address"), Class: out.String("instanceClass"), Status: out.String("status"),
		Engine: out.String("engine"), Version: cmp.Or(out.String("engineVersionActual"), out.String("engineVersion")),
		Storage: out.Int("allocatedStorage"), MaxStorage: out.Int("maxAllocatedStorage"), MultiAZ: out.Bool("multiAz"),
		Replicas:   len(out.List("replicas")) > 0 || out.Has("replicateSourceDb"),
		BackupDays: out.Int("backupRetentionPeriod"), CertificateAuthority: out.String("caCertIdentifier")}, nil
}

// Snapshots implements account.Observer. A model has no data, so it has none.
func (o observer) Snapshots(context.Context, string) ([]account.Snapshot, error) { return nil, nil }

// Cache implements account.Observer.
func (o observer) Cache(_ context.Context, id string) (account.Cache, error) {
	out := o.find("aws:elasticache/replicationGroup:ReplicationGroup", "replicationGroupId", id)
	if out == nil {
		return account.Cache{}, fmt.Errorf("cache %s: %w", id, account.ErrGone)
	}
	c := account.Cache{ID: id, Status: cmp.Or(out.String("status"), "available"), Node: out.String("nodeType"), Failover: "disabled"}
	if out.Bool("automaticFailoverEnabled") {
		c.Failover = "enabled"
	}
	for i, member := range out.Strings("memberClusters") {
		role := "replica"
		if i == 0 {
			role = "primary"
		}
		c.Members = append(c.Members, account.CacheMember{ID: member, Role: role})
	}
	return c, nil
}

// Alarms implements account.Observer. Nothing measures what a model does, so an alarm is OK unless its state says otherwise.
func (o observer) Alarms(_ context.Context, names []string) ([]account.Alarm, error) {
	var all []account.Alarm
	for _, a := range o.all("aws:cloudwatch/metricAlarm:MetricAlarm") {
		out := cloud.Inputs(a.Outputs)
		if !slices.Contains(names, out.String("name")) {
			continue
		}
		alarm := account.Alarm{Name: out.String("name"), State: cmp.Or(a.State["state"], "OK"), Description: out.String("alarmDescription"),
			Reason: a.State["reason"]}
		if at, err := time.Parse(time.RFC3339, a.State["since"]); err == nil {
			alarm.Since = at
		}
		all = append(all, alarm)
	}
	return all, nil
}

// Certificate implements account.Observer. The model's certificates do not end, unless their objects say so.
func (o observer) Certificate(_ context.Context, arn string) (account.Certificate, error) {
	for _, certificate := range o.all(typeCertificate) {
		if out := cloud.Inputs(certificate.Outputs); out.String("arn") == arn {
			return o.certificate(certificate, out), nil
		}
	}
	return account.Certificate{}, fmt.Errorf("certificate %s: %w", arn, account.ErrGone)
}

func (o observer) certificate(certificate *cloud.Object, out cloud.Inputs) account.Certificate {
	c := account.Certificate{ARN: certificate.ID, Domain: out.String("domainName"), Names: out.Strings("subjectAlternativeNames"),
		Status: out.String("status"), Reason: certificate.State["reason"]}
	if c.Status == "PENDING_VALIDATION" && o.model.Issued(certificate) {
		c.Status = "ISSUED"
	}
	if at, err := time.Parse(time.RFC3339, out.String("notAfter")); err == nil {
		c.NotAfter = at
	}
	return c
}

// Metrics implements account.Observer.
func (o observer) Metrics(_ context.Context, metrics []account.Metric) ([]*float64, error) {
	return make([]*float64, len(metrics)), account.ErrSimulated
}

// Archived implements account.LogReader.
func (o observer) Archived(_ context.Context, bucket, prefix string) ([]string, error) {
	if o.view == nil {
		return nil, nil
	}
	return o.view.Objects(bucket, prefix)
}

// Archive implements account.LogReader.
func (o observer) Archive(_ context.Context, bucket, key string) (io.ReadCloser, error) {
	if o.view == nil {
		return nil, account.ErrSimulated
	}
	return o.view.Open(bucket, key)
}
