package site

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/bastion"
	"slipway/batch"
	"slipway/cicd"
	"slipway/ecs"
	"slipway/internal/catalog"
	"slipway/internal/fargate"
	"slipway/logging"
)

func (d *deployment) repositories() []pulumi.StringInput {
	arns := make([]pulumi.StringInput, len(d.images.Repositories))
	for i, arn := range d.images.Repositories {
		arns[i] = arn
	}
	return arns
}

// program is how the app's image starts in every task.
func (d *deployment) program() fargate.Program {
	return fargate.Program{Image: d.images.Django, Entrypoint: d.stack.App.Entrypoint, Writable: d.stack.App.Writable}
}

// proxy is what nginx does for this site.
func (d *deployment) proxy() ecs.Proxy {
	app, nginx := d.stack.App, d.stack.App.Nginx
	p := ecs.Proxy{
		Region: d.site.Region, HealthPath: d.stack.Web.HealthPath,
		MaxBody: nginx.MaxBody, Timeout: nginx.Timeout, StaticURL: app.Static.URL,
		Headers: nginx.Headers, LimitPaths: nginx.LimitPaths, CachePaths: nginx.CachePaths,
	}
	if d.balancer != nil {
		p.Host = d.balancer.Offer.Values["host"].Text
	}
	if app.Static.Serve == "nginx" && d.media != nil {
		p.StaticBucket = d.media.Bucket
	}
	return p
}

// migrate declares the migration. Everything that runs the release waits for it.
func (d *deployment) migrate() (*ecs.Migration, error) {
	logs, err := d.group("migration")
	if err != nil {
		return nil, err
	}
	// Its own image is an input. The other one must exist too: without it the release cannot run, and the database would be
	// migrated for nothing.
	after := []pulumi.Resource{d.images}
	if d.psql != nil { // a copy that fails does so before anything of the site changes
		after = append(after, d.psql)
	}
	return ecs.NewMigration(d.ctx, "migration", &ecs.MigrationArgs{
		Site: d.site, Cluster: d.cluster, Placement: d.network.Work, Binding: d.migrationBinding(),
		Program: d.program(), Repositories: d.repositories(), Group: logs.Name,
		CPU: migrationCPU, Memory: migrationMemory, Architecture: d.stack.Web.Architecture,
		Release: pulumi.Sprintf("%s password %d%s", d.images.Django, d.settings.Secrets[sitePassword].Version, d.otherwise()),
		Limit:   time.Duration(d.stack.App.Migrate.Limit) * time.Minute,
		Runner:  d.runner, Say: d.say,
		After: after,
	}, d.opts...)
}

// otherwise is what a migration does otherwise than by default. The migration sets the password of the site's role and makes the
// role, so a new password or another role needs a migration, as a new image does; so do other commands.
func (d *deployment) otherwise() string {
	var text string
	if role(d.stack) == asOwner {
		text += " as owner"
	}
	app := d.stack.App
	if commands := string(words([]any{app.Manage, app.Migrate.Commands})); commands != `[["python","manage.py"],[["migrate","--noinput"]]]` {
		sum := sha256.Sum256([]byte(commands))
		text += " commands " + hex.EncodeToString(sum[:4])
	}
	return text
}

func (d *deployment) runWeb() error {
	django, err := d.group("django")
	if err != nil {
		return err
	}
	nginx, err := d.group("nginx")
	if err != nil {
		return err
	}
	groups := append([]pulumi.StringInput{django.Name, nginx.Name}, d.workloadGroups()...)
	d.roles, err = fargate.NewRoles(d.ctx, "site-roles", &fargate.RolesArgs{
		Site: d.site, Part: "site", Repositories: d.repositories(), Groups: groups,
		Firehose: d.firehose, Binding: d.bind(role(d.stack), 1), Exec: d.cluster.Exec,
	}, d.opts...)
	if err != nil {
		return err
	}
	migration, err := d.migrate()
	if err != nil {
		return err
	}
	web, app := d.stack.Web, d.stack.App
	d.web, err = ecs.NewWeb(d.ctx, "web", &ecs.WebArgs{
		Site: d.site, Cluster: d.cluster, Balancer: d.balancer, Placement: d.network.Web, Roles: d.roles,
		Binding: d.bind(role(d.stack), web.Connections), Program: d.program(), Command: app.Command, Port: app.Port, Start: app.Start,
		TCP: app.Health == "tcp", Nginx: d.images.Nginx, Proxy: d.proxy(), DjangoGroup: django.Name, NginxGroup: nginx.Name, Firehose: d.firehose,
		CPU: web.CPU, Memory: web.Memory, Architecture: web.Architecture,
		Min: web.Min, Max: web.Max, Spot: web.Spot, CPUTarget: web.CPUTarget,
		RequestsPerTarget: web.RequestsPerTarget,
		Alarmed:           true,
		After:             []pulumi.Resource{migration, d.alarms}, Judge: d.judge,
	}, d.opts...)
	if err != nil {
		return err
	}
	_, err = batch.NewTask(d.ctx, "task", &batch.TaskArgs{
		Site: d.site, ClusterARN: d.cluster.ARN, Placement: d.network.Work, Roles: d.roles, Binding: d.bind(role(d.stack), 1),
		Program: d.program(), Command: append(slices.Clone(app.Manage), "check"), Group: django.Name,
		CPU: web.CPU, Memory: web.Memory, Architecture: web.Architecture, After: []pulumi.Resource{d.web},
	}, d.opts...)
	return err
}

func workerPart(name string) string { return "worker-" + name }

func jobPart(name string) string { return "job-" + name }

// workloadGroups are the log groups of workers and jobs, as patterns: a role's inline policies may have 10,240 characters,
// too few to list the groups of a hundred workers.
func (d *deployment) workloadGroups() []pulumi.StringInput {
	var groups []pulumi.StringInput
	if len(d.stack.Workers) > 0 {
		groups = append(groups, pulumi.String(d.site.Path(workerPart("*"))))
	}
	if len(d.stack.Jobs) > 0 {
		groups = append(groups, pulumi.String(d.site.Path(jobPart("*"))))
	}
	return groups
}

// runWorkers starts the workers after the web service, and so after the migration.
func (d *deployment) runWorkers() error {
	for _, w := range d.stack.Workers {
		logs, err := d.group(workerPart(w.Name))
		if err != nil {
			return err
		}
		if _, err := ecs.NewWorker(d.ctx, workerPart(w.Name), &ecs.WorkerArgs{
			Site: d.site, Name: w.Name, Command: w.Command, Cluster: d.cluster, Placement: d.network.Work,
			Roles: d.roles, Binding: d.bind(role(d.stack), w.Connections), Program: d.program(), Group: logs.Name, Firehose: d.firehose,
			CPU: w.CPU, Memory: w.Memory, Architecture: d.stack.Web.Architecture, Count: w.Count, Single: w.Single,
			Spot:  d.stack.Web.Spot,
			After: []pulumi.Resource{d.web}, Judge: d.judge,
		}, d.opts...); err != nil {
			return err
		}
	}
	return nil
}

func (d *deployment) runJobs() error {
	if len(d.stack.Jobs) == 0 {
		return nil
	}
	timetable, err := batch.NewTimetable(d.ctx, "jobs", &batch.TimetableArgs{
		Site: d.site, ClusterARN: d.cluster.ARN, KeyARN: d.keys.Alarms, TopicARN: d.topic.ARN,
	}, d.opts...)
	if err != nil {
		return err
	}
	for _, j := range d.stack.Jobs {
		logs, err := d.group(jobPart(j.Name))
		if err != nil {
			return err
		}
		if _, err := batch.NewJob(d.ctx, jobPart(j.Name), &batch.JobArgs{
			Site: d.site, Name: j.Name, Timetable: timetable, Schedule: j.Schedule, TimeZone: j.TimeZone, Command: j.Command,
			Placement: d.network.Work, Roles: d.roles, Binding: d.bind(role(d.stack), 1), Program: d.program(), Group: logs.Name,
			Firehose: d.firehose,
			CPU:      j.CPU, Memory: j.Memory, Architecture: d.stack.Web.Architecture,
			After: []pulumi.Resource{d.web},
		}, d.opts...); err != nil {
			return err
		}
	}
	return nil
}

// watched has the alarms in the order of the dashboard. A component that this stack does not have contributes none.
func (d *deployment) watched() logging.Watched {
	parts := []catalog.Watch{d.balancer.Watch(), ecs.WatchWeb(d.site, d.cluster), d.store.Watch(), d.stream.Watch(), d.direct.Watch()}
	return logging.Watched{
		Parts:    append(parts, d.cache.Watches()...),
		Database: d.store.Identifier, DatabaseParameters: d.store.Parameters,
	}
}

// watch creates the alarms before the web service, which names some of them.
func (d *deployment) watch() (err error) {
	d.alarms, err = logging.NewAlarms(d.ctx, "alarm", &logging.AlarmsArgs{Site: d.site, Topic: d.topic, Watched: d.watched()}, d.opts...)
	return err
}

func (d *deployment) makeBastion() error {
	if !d.stack.Bastion.Enabled {
		return nil
	}
	sessions, err := d.group("sessions")
	if err != nil {
		return err
	}
	d.bastion, err = bastion.New(d.ctx, "bastion", &bastion.Args{
		Site: d.site, Placement: d.network.Bastion, InstanceType: d.stack.Bastion.Type,
		DiskKeyARN: d.keys.Disk, SessionKeyARN: d.keys.Logs,
		LogBucket: d.archive.Logs.Name, LogGroupName: sessions.Name, LogGroupARN: sessions.ARN,
	}, d.opts...)
	return err
}

func (d *deployment) admitGitHub() error {
	if d.stack.GitHub.Repository == "" {
		return nil
	}
	github := d.stack.GitHub
	args := &cicd.DeployerArgs{
		Site: d.site, Facts: Catalog(d.site), Repository: github.Repository, OwnerID: github.OwnerID, RepositoryID: github.RepositoryID,
		Environments: github.Environments, Branches: github.Branches, ProviderARN: github.Provider,
		Sources:     d.stack.Promotion.From,
		StateBucket: d.stack.Backend.Bucket, StateKeyARN: d.stack.Backend.Key,
	}
	if github.ReadRole != "" { // bootstrap made it, and the stack must not change it
		d.ctx.Export("readRole", pulumi.String(github.ReadRole))
	} else {
		args.ReadBranches, args.ReadPullRequests = github.ReadBranches, github.ReadPullRequests
	}
	if github.Role != "" { // bootstrap made this one too, and a read role with it
		d.ctx.Export("deployRole", pulumi.String(github.Role))
		return nil
	}
	deployer, err := cicd.NewDeployer(d.ctx, "github", args, d.opts...)
	if err != nil {
		return err
	}
	d.ctx.Export("deployRole", deployer.RoleARN)
	if args.HasReadRole() {
		d.ctx.Export("readRole", deployer.ReadRoleARN)
	}
	return nil
}

// output exports what people and scripts need to find the site.
func (d *deployment) output() error {
	dashboard, err := logging.NewDashboard(d.ctx, "dashboard", &logging.DashboardArgs{Site: d.site, Watched: d.watched()}, d.opts...)
	if err != nil {
		return err
	}
	d.ctx.Export("url", d.balancer.URL)
	d.ctx.Export("cluster", d.cluster.Name)
	d.ctx.Export("service", d.web.ServiceName)
	d.ctx.Export("taskDefinition", d.web.TaskDefinitionARN)
	d.ctx.Export("images", pulumi.Map{"django": d.images.Django, "nginx": d.images.Nginx})
	d.ctx.Export("databaseAddress", d.store.Address)
	d.ctx.Export("mediaBucket", d.media.Bucket)
	d.ctx.Export("logBucket", d.archive.Logs.Name)
	d.ctx.Export("dashboard", pulumi.String(dashboard.URL))
	if d.bastion != nil {
		d.ctx.Export("bastion", pulumi.Map{"instance": d.bastion.InstanceID, "sessionDocument": d.bastion.SessionDocument})
	}
	return nil
}
