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

	"slipway/internal/fargate"
	"slipway/internal/wiring"
)

const migrationType = "slipway:ecs:Migration"

// migrationWait is how long a migration may take, from the request for the task to its end.
const migrationWait = 15 * time.Minute

// MigrationArgs describe the migration of a release.
type MigrationArgs struct {
	Site      wiring.Site
	Cluster   *Cluster
	Placement wiring.Placement // private subnets, the group of workers
	Binding   wiring.Binding   // the owner's database role, and the lesser role that the migration makes

	Django       pulumi.StringInput   // image, by digest
	Repositories []pulumi.StringInput // ARN of the repository it is pulled from
	Group        pulumi.StringInput   // name of its log group; never Firehose, because its last lines are read back

	CPU, Memory  int // units and MiB
	Architecture string

	// Release says what the database is migrated to: the image's digest and whatever else must run the migration again.
	// It is written to a parameter that is not secret.
	Release pulumi.StringInput

	// Runner starts the task. Nil declares the marker without its hook, for a program that is looked at and never run:
	// Pulumi's mocks know no hooks.
	Runner Runner
	Wait   time.Duration // default 15 minutes

	After []pulumi.Resource // what the task needs though no input names it: routes, endpoints, the database
}

// A Migration migrates the database once per release, inside the VPC, before any service changes.
//
// Whoever runs the new release comes After this component. Its marker, the parameter /project/stack/release/migrated,
// says to which release the database is migrated. Before the marker is made or changed, a resource hook runs the
// migration as a task; when that fails the step fails with the task's own words, the marker and everything behind it
// stay as they were, and the next run tries again. A second run of the same release does nothing.
//
// Cost: a task for as long as it runs, well below a cent. Nothing is ever rolled back: a migration must suit the
// release before it as well.
type Migration struct {
	pulumi.ResourceState
	TaskDefinitionARN pulumi.StringOutput
	Release           pulumi.StringOutput

	marker pulumi.Resource
}

// Ready is the marker: the database is migrated to Release.
func (m *Migration) Ready() []pulumi.Resource { return []pulumi.Resource{m.marker} }

// NewMigration declares the migration.
func NewMigration(ctx *pulumi.Context, name string, args *MigrationArgs, opts ...pulumi.ResourceOption) (*Migration, error) {
	task := &fargate.TaskArgs{
		Site: args.Site, Part: "migration", CPU: args.CPU, Memory: args.Memory, Architecture: args.Architecture,
		Containers: []fargate.Container{fargate.App(args.Django, []string{"python", "manage.py", "migrate_locked"}, args.Binding, args.Group)},
	}
	if err := task.Check(); err != nil {
		return nil, err
	}
	m := &Migration{}
	if err := ctx.RegisterComponentResource(migrationType, name, m, opts...); err != nil {
		return nil, err
	}

	// Its own roles: nobody else may read the owner's password, and nobody may step into it.
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
	// The marker waits for planned.outputs, for the roles' policies and for what the task needs unnamed.
	waits := pulumi.DependsOnInputs(planned.fill(args, definition.Arn, fargate.Ready(append([]pulumi.Resource{roles, definition, args.Cluster}, args.After...)...)))
	hooks := pulumi.ResourceHooks(nil)
	if args.Runner != nil {
		hook, err := ctx.RegisterResourceHook(name+"-run", migrate(ctx.Context(), args.Runner, cmp.Or(args.Wait, migrationWait), planned), nil)
		if err != nil {
			return nil, err
		}
		hooks = pulumi.ResourceHooks(before(hook))
	}
	marker, err := ssm.NewParameter(ctx, name+"-marker", &ssm.ParameterArgs{
		Name:        pulumi.String(args.Site.Path("release", "migrated")),
		Description: pulumi.String("The release to which the database is migrated. Changing it by hand changes nothing but this text."),
		Type:        pulumi.String("String"),
		// Not value, which the SDK marks as secret: a preview shows from which release to which.
		InsecureValue: args.Release.ToStringOutput(),
	}, pulumi.Parent(m), waits, hooks)
	if err != nil {
		return nil, err
	}

	m.marker, m.Release = marker, marker.InsecureValue
	return m, ctx.RegisterResourceOutputs(m, pulumi.Map{"release": m.Release, "taskDefinition": m.TaskDefinitionARN})
}

// before has hook called when the marker is about to name a release, the first one or another, and at no other step:
// deleting the marker migrates nothing.
func before(hook *pulumi.ResourceHook) *pulumi.ResourceHookBinding {
	return &pulumi.ResourceHookBinding{BeforeCreate: []*pulumi.ResourceHook{hook}, BeforeUpdate: []*pulumi.ResourceHook{hook}}
}

// A plan carries to the hook what only the deployment knows: the task definition's revision, subnets and groups.
//
// A hook is shown the inputs of its own resource and nothing else. Writing the plan into the marker would make the
// marker change with every subnet and revision, and the migration run with it. So the marker depends on an output that
// resolves only after the plan is stored; its registration is sent after that, and the hook is called after the
// registration: no waiting in the hook, which would deadlock under --parallel 1, and no race. In a preview the output is
// unknown, nothing is stored, and the engine does not call the hook.
type plan struct{ run atomic.Pointer[TaskRun] }

// fill stores the plan once it is known, and then yields resources.
func (p *plan) fill(args *MigrationArgs, definition pulumi.StringOutput, resources []pulumi.Resource) pulumi.ResourceArrayOutput {
	known := pulumi.ToOutput(map[string]any{
		"cluster": args.Cluster.ARN, "definition": definition, "group": args.Group, "release": args.Release,
		"subnets": args.Placement.Subnets, "groups": args.Placement.SecurityGroups,
	})
	return known.ApplyT(func(v any) []pulumi.Resource {
		known := v.(map[string]any)
		p.run.Store(&TaskRun{
			Cluster:        known["cluster"].(string),
			TaskDefinition: known["definition"].(string),
			Subnets:        known["subnets"].([]string),
			SecurityGroups: known["groups"].([]string),
			Container:      "django",
			LogGroup:       known["group"].(string),
			LogPrefix:      "migration",
			StartedBy:      args.Site.Name("migration"),
		})
		return resources
	}).(pulumi.ResourceArrayOutput)
}

// migrate is the hook: it runs the planned task, for at most wait, and fails unless the task ends well.
func migrate(ctx context.Context, runner Runner, wait time.Duration, planned *plan) pulumi.ResourceHookFunction {
	return func(step *pulumi.ResourceHookArgs) error {
		release := text(step.NewInputs, "insecureValue")
		if step.OldInputs != nil && text(step.OldInputs, "insecureValue") == release {
			return nil // something else about the marker changes, such as a tag
		}
		run := planned.run.Load()
		if run == nil {
			return errors.New("migration: the task is not known yet, although the marker depends on it: this is a mistake in slipway")
		}
		ctx, cancel := context.WithTimeout(ctx, wait)
		defer cancel()
		result, err := runner.RunTask(ctx, *run)
		switch {
		case errors.Is(ctx.Err(), context.DeadlineExceeded):
			return failure(release, *run, result, fmt.Sprintf("it did not end within %s and was stopped", wait))
		case err != nil:
			return failure(release, *run, result, err.Error())
		case result.ExitCode == NotStarted:
			return failure(release, *run, result, "its task never started: "+result.StoppedReason)
		case result.ExitCode != 0:
			return failure(release, *run, result, fmt.Sprintf("exit code %d (%s)", result.ExitCode, result.StoppedReason))
		}
		return nil
	}
}

// failure says what happened, why, and the next step.
func failure(release string, run TaskRun, result TaskResult, why string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "migration to %s failed: %s. The services are as they were.\n", release, hide(why))
	if len(result.Logs) > 0 {
		b.WriteString("Last lines of its log:\n")
		for _, line := range result.Logs {
			fmt.Fprintf(&b, "  %s\n", hide(line))
		}
	}
	fmt.Fprintf(&b, "All of it: log group %s, streams migration/. Mend the cause and run up again; the migration holds a lock and starts where it stopped.", run.LogGroup)
	return errors.New(b.String())
}

// secrets are what a careless log line may hold: the password in an address, or a value after a telling name.
var secrets = regexp.MustCompile(`(?i)(://[^:/@\s]+:)[^@\s]+(@)|((?:password|passwd|secret|secret_key|token|api_?key)["']?\s*[=:]\s*["']?)[^\s"',]+`)

func hide(line string) string { return secrets.ReplaceAllString(line, "${1}${3}…${2}") }

// text is a plain property, or the same inside a secret.
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
