package operation

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"slipway/operation/account"
	"slipway/site"
	"slipway/verdict"
)

// running is what ECS says of the services, and of all tasks.
type running struct {
	services []verdict.Service
	tasks    []account.Task
}

// askServices asks for services, their scaling and their targets, and for the runs of jobs. Services and tasks are one question, because
// each part needs both.
func (o *observed) askServices(ctx context.Context, a *survey, s *Status) {
	l := o.layout
	if l.cluster == "" {
		return
	}
	var scaling map[string]account.Scaling
	targets := map[string][]account.Target{}
	ask(a, "scaling", func() (map[string]account.Scaling, error) { return o.observer.Scaling(ctx, l.cluster, l.services()) },
		func(found map[string]account.Scaling) {
			scaling = found
			join(s, scaling, targets, l)
		})
	ask(a, "services", func() (running, error) {
		services, err := o.services.Services(ctx, l.cluster, l.services())
		if err != nil {
			return running{}, err
		}
		tasks, err := o.observer.Tasks(ctx, l.cluster)
		return running{services, tasks}, err
	}, func(r running) {
		for i := range l.parts {
			if p := &l.parts[i]; p.Service != "" {
				s.Services = append(s.Services, serviceState(p, r))
			}
		}
		join(s, scaling, targets, l)
		o.jobs(s, r.tasks)
	})
	for _, p := range l.parts {
		if p.Targets != "" && p.Service != "" {
			ask(a, "targets of "+p.Name, func() ([]account.Target, error) { return o.observer.Targets(ctx, p.Targets) },
				func(found []account.Target) {
					if found != nil {
						targets[p.Service] = found
						join(s, scaling, targets, l)
					}
				})
		}
	}
	o.askJobs(ctx, a, s)
}

// serviceState is a service by what ECS says. A task is healthy if its containers' checks say so; where nothing checks them that is not
// known.
func serviceState(p *part, r running) ServiceState {
	state := ServiceState{Name: p.Name, Service: p.Service, Min: p.Min, Max: p.Max}
	i := slices.IndexFunc(r.services, func(s verdict.Service) bool { return s.Name == p.Service })
	if i < 0 {
		state.Wanted, state.Reason = p.Desired, "ECS has no such service"
		return state
	}
	found := r.services[i]
	state.Wanted = found.Desired
	for _, d := range found.Deployments {
		if d.Rollout == "IN_PROGRESS" || d.Rollout == "FAILED" {
			state.Deployment, state.Reason = strings.ToLower(strings.ReplaceAll(d.Rollout, "_", " ")), d.Reason
			break
		}
	}
	healthy := 0
	for _, t := range r.tasks {
		if t.Service != p.Service || t.Stops || t.Status != "RUNNING" {
			continue
		}
		state.Running++
		if t.Health == "HEALTHY" {
			healthy++
		} else if t.Health == "UNHEALTHY" && state.Reason == "" {
			state.Reason = "a container's health check fails in task " + t.ID
		}
	}
	if slices.ContainsFunc(p.Containers, func(c container) bool { return c.Check }) {
		state.Healthy = &healthy
	}
	return state
}

// join adds what comes from elsewhere to the services: the range of scaling, and the load balancer's view of health, whichever is worse.
func join(s *Status, scaling map[string]account.Scaling, targets map[string][]account.Target, l *layout) {
	for i := range s.Services {
		state := &s.Services[i]
		if found, ok := scaling[state.Service]; ok {
			state.Min, state.Max, state.Suspended = found.Min, found.Max, found.InSuspended && found.OutSuspended
		}
		all, ok := targets[state.Service]
		if !ok {
			continue
		}
		healthy := 0
		for _, t := range all {
			switch t.State {
			case "healthy":
				healthy++
			case "unhealthy":
				state.Reason = cmp.Or(state.Reason, "the load balancer: "+cmp.Or(t.Reason, t.State))
			}
		}
		if state.Healthy == nil || healthy < *state.Healthy {
			state.Healthy = &healthy
		}
	}
}

// jobs adds the jobs, with the runs that ECS knows of.
func (o *observed) jobs(s *Status, tasks []account.Task) {
	for _, p := range o.layout.parts {
		if p.Schedule == "" {
			continue
		}
		at := slices.IndexFunc(s.Jobs, func(j JobState) bool { return j.Name == jobName(p.Name) })
		if at < 0 {
			at = len(s.Jobs)
			s.Jobs = append(s.Jobs, JobState{Name: jobName(p.Name), Schedule: p.Schedule})
		}
		job := &s.Jobs[at]
		for _, t := range tasks {
			if t.Family != p.Family || t.Service != "" {
				continue
			}
			when := t.Stopped
			if when.IsZero() {
				when = t.Started
			}
			if when.IsZero() {
				when = t.Created
			}
			if job.Last != nil && !job.logged && when.Before(*job.Last) {
				continue
			}
			job.logged = false // what ECS knows of a run is more than when it last wrote
			job.Last, job.Running, job.ExitCode, job.Reason = &when, !t.Stops && t.Stopped.IsZero(), nil, t.Reason
			for _, c := range t.Containers {
				if slices.ContainsFunc(p.Containers, func(own container) bool { return own.Name == c.Name }) || len(t.Containers) == 1 {
					job.ExitCode = c.ExitCode
				}
			}
		}
	}
}

// disable marks the jobs whose schedules a pause disabled.
func (o *observed) disable(s *Status, schedules []Schedule) {
	for _, schedule := range schedules {
		for i := range s.Jobs {
			if job := &s.Jobs[i]; o.layout.prefix+"job-"+job.Name == schedule.Name {
				job.Disabled = true
			}
		}
	}
}

func jobName(part string) string { return strings.TrimPrefix(part, "job-") }

// askJobs asks when jobs last wrote: ECS forgets a task an hour after it ended, and with it the exit code.
func (o *observed) askJobs(ctx context.Context, a *survey, s *Status) {
	for _, p := range o.layout.parts {
		if p.Schedule == "" || len(p.Containers) == 0 || p.Containers[0].Group == "" {
			continue
		}
		ask(a, "last run of "+p.Name, func() ([]account.LogStream, error) {
			return o.observer.LogStreams(ctx, p.Containers[0].Group, time.Now().Add(-8*24*time.Hour))
		}, func(streams []account.LogStream) {
			o.jobs(s, nil)
			for i := range s.Jobs {
				if job := &s.Jobs[i]; job.Name == jobName(p.Name) {
					job.wrote(streams)
				}
			}
		})
	}
}

// wrote takes the newest log stream for the last run, unless ECS knows one.
func (j *JobState) wrote(streams []account.LogStream) {
	if j.Last != nil {
		return
	}
	for _, stream := range streams {
		if at := stream.Last; !at.IsZero() && (j.Last == nil || at.After(*j.Last)) {
			j.Last, j.Reason, j.logged = &at, "ECS keeps an exit code for an hour", true
		}
	}
}

// askStores asks for the database and the cache, and what they measure.
func (o *observed) askStores(ctx context.Context, a *survey, s *Status) {
	if id := o.layout.database; id != "" {
		ask(a, "database", func() (account.Database, error) { return o.observer.Database(ctx, id) }, func(d account.Database) {
			state := o.databaseOf(s)
			state.ID, state.Class, state.Status, state.Engine = d.ID, d.Class, d.Status, strings.TrimSpace(d.Engine+" "+d.Version)
			state.MultiAZ, state.StorageGB, state.MaxStorageGB, state.BackupDays = d.MultiAZ, d.Storage, d.MaxStorage, d.BackupDays
			state.LatestRestorable, state.MostConnections = moment(d.LatestRestorable), site.MostConnections(d.Class)
			if !d.CertificateValidTill.IsZero() {
				s.Certificates = append(s.Certificates, CertificateState{Name: "database " + d.CertificateAuthority, Status: "ISSUED",
					Until: moment(d.CertificateValidTill)})
			}
		})
		ask(a, "snapshots of the database", func() ([]account.Snapshot, error) { return o.observer.Snapshots(ctx, id) },
			func(all []account.Snapshot) {
				state := o.databaseOf(s)
				if state.Snapshots = len(all); len(all) > 0 {
					state.LastSnapshot = moment(all[0].Created)
				}
			})
		of := map[string]string{"DBInstanceIdentifier": id}
		ask(a, "metrics of the database", func() ([]*float64, error) {
			return o.observer.Metrics(ctx, []account.Metric{{Namespace: "AWS/RDS", Name: "FreeStorageSpace", Statistic: "Average", Dimensions: of},
				{Namespace: "AWS/RDS", Name: "DatabaseConnections", Statistic: "Maximum", Dimensions: of}})
		}, func(values []*float64) {
			state := o.databaseOf(s)
			if values[0] != nil {
				free := *values[0] / (1 << 30)
				state.FreeGB = &free
			}
			state.Connections = values[1]
		})
	}
	if id := o.layout.cache; id != "" {
		o.askCache(ctx, a, s, id)
	}
}

// databaseOf is the status's database, which several questions fill in.
func (o *observed) databaseOf(s *Status) *DatabaseState {
	if s.Database == nil {
		s.Database = &DatabaseState{ID: o.layout.database}
	}
	return s.Database
}

func (o *observed) askCache(ctx context.Context, a *survey, s *Status, id string) {
	of := func() *CacheState {
		if s.Cache == nil {
			s.Cache = &CacheState{ID: id, Engine: o.layout.cacheEngine}
		}
		return s.Cache
	}
	ask(a, "cache", func() (account.Cache, error) { return o.observer.Cache(ctx, id) }, func(c account.Cache) {
		state := of()
		state.Node, state.Status, state.Failover, state.Replicas = c.Node, c.Status, c.Failover, max(0, len(c.Members)-1)
	})
	ask(a, "metrics of the cache", func() ([]*float64, error) {
		c, err := o.observer.Cache(ctx, id)
		if err != nil || len(c.Members) == 0 {
			return make([]*float64, 3), err
		}
		of := map[string]string{"CacheClusterId": c.Members[0].ID}
		for _, m := range c.Members {
			if m.Role == "primary" {
				of["CacheClusterId"] = m.ID
			}
		}
		metrics := []account.Metric{{Namespace: "AWS/ElastiCache", Name: "DatabaseMemoryUsagePercentage", Statistic: "Maximum", Dimensions: of},
			{Namespace: "AWS/ElastiCache", Name: "CurrConnections", Statistic: "Maximum", Dimensions: of}}
		for _, m := range c.Members {
			if m.Role == "replica" {
				metrics = append(metrics, account.Metric{Namespace: "AWS/ElastiCache", Name: "ReplicationLag", Statistic: "Maximum",
					Dimensions: map[string]string{"CacheClusterId": m.ID}})
			}
		}
		return o.observer.Metrics(ctx, metrics)
	}, func(values []*float64) {
		state := of()
		state.MemoryPercent, state.Connections = values[0], values[1]
		for _, lag := range values[2:] {
			if lag != nil && (state.LagSeconds == nil || *lag > *state.LagSeconds) {
				state.LagSeconds = lag
			}
		}
	})
}

// askSignals asks for alarms and certificates.
func (o *observed) askSignals(ctx context.Context, a *survey, s *Status) {
	if len(o.layout.alarms) > 0 {
		ask(a, "alarms", func() ([]account.Alarm, error) { return o.observer.Alarms(ctx, o.layout.alarms) }, func(all []account.Alarm) {
			s.Alarms = &AlarmState{Firing: []Alarm{}}
			for _, alarm := range all {
				switch alarm.State {
				case "OK":
					s.Alarms.OK++
				case "ALARM":
					s.Alarms.Firing = append(s.Alarms.Firing, Alarm{Name: alarm.Name, Since: moment(alarm.Since), Description: alarm.Description,
						Reason: alarm.Reason})
				default:
					s.Alarms.Insufficient++
				}
			}
		})
	}
	for _, arn := range o.layout.certificates {
		ask(a, "certificate", func() (account.Certificate, error) { return o.observer.Certificate(ctx, arn) }, func(c account.Certificate) {
			status := c.Status
			if c.Renewal != "" && c.Renewal != "SUCCESS" {
				status = fmt.Sprintf("%s, renewal %s", status, strings.ToLower(c.Renewal))
			}
			s.Certificates = append(s.Certificates, CertificateState{Name: c.Domain, Status: status, Until: moment(c.NotAfter)})
		})
	}
}

// moment is a time; nil: it is not known.
func moment(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	at = at.UTC()
	return &at
}
