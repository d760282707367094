package ecs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ssm"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumix"

	"slipway/internal/fargate"
	"slipway/internal/redact"
	"slipway/internal/wiring"
)

const migrationType = "slipway:ecs:Migration"

// startWait is what a task may need beside the migration itself: to get its network interface, pull its image, wait for the
// database, and write its last lines.
var startWait = 10 * time.Minute

// MigrationArgs describe the migration of a release.
type MigrationArgs struct {
	Site      wiring.Site
	Cluster   *Cluster
	Placement wiring.Placement // private subnets, the group of workers
	Binding   wiring.Binding   // the app's environment as the owner of the database, and what the helper needs

	Program      fargate.Program
	Repositories []pulumi.StringInput // ARN of the repository it is pulled from
	Group        pulumi.StringInput   // name of its log group; not Firehose, because its last lines are read back

	CPU, Memory  int // units and MiB
	Architecture string

	// Release identifies what the database is migrated to: the image's digest, and everything else whose change must run
	// the migration again. It is stored in a parameter that is not secret.
	Release pulumi.StringInput

	// Runner starts the task. Nil declares the marker without its hook, for a program that runs under Pulumi's mocks,
	// which have no hooks.
	Runner Runner
	Limit  time.Duration // of the migration's commands together, which the helper enforces; default 15 minutes
	Say    func(string)  // is called every half minute while the task runs; may be nil

	After []pulumi.Resource // what the task needs without an input that refers to it: routes, endpoints, the database
}

// A Migration migrates the database once per release, inside the VPC, before any service changes.
//
// Everything that runs the new release comes After this component. Its marker, the parameter
// /project/stack/release/migrated, records which release the database is migrated to. Before the marker is created or
// changed, a resource hook runs the migration as a task. If the task fails the step fails with the task's log, the marker
// and everything that depends on it stay unchanged, and the next run tries again. A second run of the same release does
// nothing.
//
// Cost: one task while it runs, well below a cent. A migration is never rolled back: the previous release must work with
// the new schema as well. Nothing but the stack's name replaces the marker; a replacement runs the migration again.
type Migration struct {
	pulumi.ResourceState
	TaskDefinitionARN pulumi.StringOutput
	Release           pulumi.StringOutput

	marker pulumi.Resource
}

// Ready is the marker, whose existence means that the database is migrated to Release.
func (m *Migration) Ready() []pulumi.Resource { return []pulumi.Resource{m.marker} }

// NewMigration declares the migration.
func NewMigration(ctx *pulumi.Context, name string, args *MigrationArgs, opts ...pulumi.ResourceOption) (*Migration, error) {
	program := args.Program
	program.Entrypoint = []string{fargate.Helper} // the project's entrypoint may migrate on its own, or start a server
	task := &fargate.TaskArgs{
		Site: args.Site, Part: "migration", CPU: args.CPU, Memory: args.Memory, Architecture: args.Architecture,
		Containers: []fargate.Container{
			program.Container([]string{"migrate"}, args.Binding, args.Group),
		},
	}
	if err := task.Check(); err != nil {
		return nil, err
	}
	m := &Migration{}
	if err := ctx.RegisterComponentResource(migrationType, name, m, opts...); err != nil {
		return nil, err
	}

	// Its own roles: only the migration may read the owner's password, and ECS Exec stays off.
	roles, err := fargate.NewRoles(ctx, name+"-roles", &fargate.RolesArgs{
		Site: args.Site, Part: "migration", Repositories: args.Repositories,
		Groups: []pulumi.StringInput{args.Group}, Binding: args.Binding,
	}, pulumi.Parent(m))
	if err != nil {
		return nil, err
	}
	task.Roles = roles
	definition, err := fargate.NewTask(ctx, name+"-task", task, pulumi.Parent(m))
	if err != nil {
		return nil, err
	}
	m.TaskDefinitionARN = definition.Arn

	planned := &plan{}
	// The marker waits for the plan, for the roles' policies and for what the task needs.
	needs := append([]pulumi.Resource{roles, definition, args.Cluster}, args.After...)
	waits := pulumi.DependsOnInputs(planned.fill(args, definition.Arn, fargate.Ready(needs...)))
	hooks := pulumi.ResourceHooks(nil)
	if args.Runner != nil {
		run := migrate(ctx.Context(), args.Runner, cmp.Or(args.Limit, 15*time.Minute), planned, args.Say)
		hook, err := ctx.RegisterResourceHook(name+"-run", run, nil)
		if err != nil {
			return nil, err
		}
		hooks = pulumi.ResourceHooks(before(hook))
	}
	marker, err := ssm.NewParameter(ctx, name+"-marker", &ssm.ParameterArgs{
		Name:        pulumi.String(args.Site.Path("release", "migrated")),
		Description: pulumi.String("The release to which the database is migrated. Editing it has no effect on the database."),
		Type:        pulumi.String("String"),
		// Not Value, which the SDK marks as secret: a preview shows both releases.
		InsecureValue: args.Release.ToStringOutput(),
	}, pulumi.Parent(m), waits, hooks)
	if err != nil {
		return nil, err
	}

	m.marker, m.Release = marker, marker.InsecureValue
	return m, ctx.RegisterResourceOutputs(m, pulumi.Map{"release": m.Release, "taskDefinition": m.TaskDefinitionARN})
}

// before calls hook before the marker is created or updated, and at no other step: deleting the marker migrates nothing.
func before(hook *pulumi.ResourceHook) *pulumi.ResourceHookBinding {
	return &pulumi.ResourceHookBinding{BeforeCreate: []*pulumi.ResourceHook{hook}, BeforeUpdate: []*pulumi.ResourceHook{hook}}
}

// A plan passes to the hook what is known only during the deployment: the task definition's revision, subnets and groups.
//
// A hook sees only the inputs of its own resource. If the marker held the plan, it would change with every subnet and
// revision, and the migration would run each time. So the marker depends on an output that resolves after the plan is
// stored. The marker is registered after that, and the hook is called after the registration: there is no race, and no
// waiting in the hook, which would deadlock with --parallel 1. In a preview the output is unknown, nothing is stored, and
// the engine does not call the hook.
type plan struct{ run atomic.Pointer[TaskRun] }

// fill stores the plan once it is known, and then resolves to resources.
func (p *plan) fill(args *MigrationArgs, definition pulumi.StringOutput, resources []pulumi.Resource) pulumi.ResourceArrayOutput {
	store := func(cluster, definition, logGroup string, subnets, securityGroups []string) []pulumi.Resource {
		p.run.Store(&TaskRun{
			Cluster:        cluster,
			TaskDefinition: definition,
			Subnets:        subnets,
			SecurityGroups: securityGroups,
			Container:      fargate.AppName,
			LogGroup:       logGroup,
			LogPrefix:      "migration",
			StartedBy:      args.Site.Name("migration"),
		})
		return resources
	}
	return pulumix.Apply5(args.Cluster.ARN, definition, args.Group.ToStringOutput(),
		args.Placement.Subnets.ToStringArrayOutput(), args.Placement.SecurityGroups.ToStringArrayOutput(), store,
	).Untyped().(pulumi.ResourceArrayOutput)
}

// Exit codes of the helper's migration.
const (
	limitReached = 3
	lockNotFree  = 4
)

// migrate is the hook: it runs the planned task and fails unless the task exits with 0. The helper enforces the limit; a task that
// needs much longer is stopped from here.
func migrate(ctx context.Context, runner Runner, limit time.Duration, planned *plan, say func(string)) pulumi.ResourceHookFunction {
	return func(step *pulumi.ResourceHookArgs) error {
		release := text(step.NewInputs, "insecureValue")
		if step.OldInputs != nil && text(step.OldInputs, "insecureValue") == release {
			return nil // only something else about the marker changes, such as a tag
		}
		run := planned.run.Load()
		if run == nil {
			return errors.New("migration: the task is not known yet, although the marker depends on it: this is a bug in slipway")
		}
		wait := limit + startWait
		ctx, cancel := context.WithTimeout(ctx, wait)
		defer cancel()
		defer report(ctx, say, limit)()
		result, err := runner.RunTask(ctx, *run)
		switch {
		case errors.Is(ctx.Err(), context.DeadlineExceeded):
			return failure(release, *run, result, fmt.Sprintf("it did not finish within %s and was stopped", wait))
		case err != nil:
			return failure(release, *run, result, err.Error())
		case result.ExitCode == NotStarted:
			return failure(release, *run, result, "its task did not start: "+result.StoppedReason)
		case result.ExitCode == limitReached:
			return failure(release, *run, result, fmt.Sprintf("it did not finish within app.migrate.limit, %s, and was stopped", limit))
		case result.ExitCode == lockNotFree:
			return failure(release, *run, result, "another migration holds the lock")
		case result.ExitCode != 0:
			return failure(release, *run, result, fmt.Sprintf("exit code %d (%s)", result.ExitCode, result.StoppedReason))
		}
		return nil
	}
}

// reportEach is how often a running migration is reported.
var reportEach = 30 * time.Second

// report says again and again that the migration still runs, until the function that it returns is called.
func report(ctx context.Context, say func(string), limit time.Duration) (stop func()) {
	if say == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		began := time.Now()
		ticker := time.NewTicker(reportEach)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				say(fmt.Sprintf("The migration has been running for %s; it is stopped after %s.", time.Since(began).Round(time.Second), limit))
			}
		}
	}()
	return func() { cancel(); <-done }
}

// failure says what happened, why, and the next step.
func failure(release string, run TaskRun, result TaskResult, why string) error {
	var b strings.Builder
	in := ""
	if name := failedMigration(result.Logs); name != "" {
		in = " in " + name
	}
	fmt.Fprintf(&b, "migration to %s failed%s: %s. The services were not changed.\n", release, in, redact.Text(why))
	if len(result.Logs) > 0 {
		b.WriteString("Last lines of its log:\n")
		for _, line := range result.Logs {
			fmt.Fprintf(&b, "  %s\n", redact.Text(line))
		}
	}
	fmt.Fprintf(&b, "The whole log is in log group %s, streams migration/. Fix the cause and run up again: the migration takes a lock "+
		"and continues where it stopped.", run.LogGroup)
	return errors.New(b.String())
}

// The places where a log names the migration that failed: the note of migrate_locked, the line that Django's migrate
// completes with OK, and a frame of the traceback.
var (
	noted    = regexp.MustCompile(`(?:migration failed: |the migration )(\w+\.\w+)`)
	applying = regexp.MustCompile(`Applying (\w+\.\w+)\.\.\.(.*)`)
	frame    = regexp.MustCompile(`/(\w+)/migrations/(\d\w*)\.py`)
)

// failedMigration is the migration that failed, as app.name; "" if the log does not say.
func failedMigration(log []string) string {
	named, started, seen := "", "", ""
	for _, line := range log {
		if m := noted.FindStringSubmatch(line); m != nil {
			named = m[1]
		}
		if m := applying.FindStringSubmatch(line); m != nil {
			started = m[1]
			if strings.Contains(m[2], "OK") {
				started = ""
			}
		}
		if m := frame.FindStringSubmatch(line); m != nil {
			seen = m[1] + "." + m[2]
		}
	}
	return cmp.Or(named, started, seen)
}

// text returns a string property, plain or secret.
func text(properties resource.PropertyMap, key resource.PropertyKey) string {
	v := properties[key]
	for v.IsSecret() || v.IsOutput() {
		if v.IsSecret() {
			v = v.SecretValue().Element
		} else {
			v = v.OutputValue().Element
		}
	}
	if !v.IsString() {
		return ""
	}
	return v.StringValue()
}
