package batch

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/scheduler"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/fargate"
	"slipway/internal/policy"
	"slipway/internal/wiring"
)

const jobType = "slipway:batch:Job"

const (
	retries  = 2    // of a start that failed
	lateness = 3600 // seconds after which a start is not retried any more
)

// JobArgs describe one job.
type JobArgs struct {
	Site      wiring.Site
	Name      string // physical names are project-stack-job-NAME; replaces the job when it changes
	Timetable *Timetable

	Schedule string   // cron(minute hour day month weekday year), rate(2 hours) or at(2030-01-31T03:00:00)
	TimeZone string   // IANA name of the zone of Schedule, such as Europe/Paris; daylight saving time applies
	Command  []string // the program and its arguments; no shell reads it

	Placement wiring.Placement // private subnets, the group of workers
	Roles     *fargate.Roles
	Binding   wiring.Binding // the application's environment
	Program   fargate.Program
	Group     pulumi.StringInput // name of its log group
	Firehose  *fargate.Firehose

	CPU, Memory  int // units and MiB of the task
	Architecture string

	After []pulumi.Resource // what the task needs without an input that refers to it: routes, endpoints, the migration
}

// A Job is one command of the application on a schedule, as a Fargate task of its own.
//
// A start that fails is retried twice within the hour. A run that fails is not retried: it is reported. Two runs overlap
// when one lasts longer than the schedule's interval: a command that must not run twice takes a lock.
//
// Cost: the task's minutes; the schedules of a small site stay within the free 14 million a month. Name replaces it.
type Job struct {
	pulumi.ResourceState
	ScheduleName      pulumi.StringOutput
	TaskDefinitionARN pulumi.StringOutput
}

var expression = regexp.MustCompile(`^(cron|rate|at)\([^()]+\)$`)

func (args *JobArgs) check(task *fargate.TaskArgs) error {
	all := []error{task.Check()}
	if args.Name == "" {
		all = append(all, errors.New("batch: a job needs a name"))
	}
	if len(args.Command) == 0 {
		all = append(all, fmt.Errorf("batch: job %s: command must be a program and its arguments, got none", args.Name))
	}
	if !expression.MatchString(args.Schedule) {
		all = append(all, fmt.Errorf("batch: job %s: schedule must be cron(...), rate(...) or at(...), got %q", args.Name, args.Schedule))
	}
	if args.TimeZone == "" {
		all = append(all, fmt.Errorf("batch: job %s: time zone must be an IANA name such as UTC or Europe/Paris", args.Name))
	}
	return errors.Join(all...)
}

// NewJob creates a job.
func NewJob(ctx *pulumi.Context, name string, args *JobArgs, opts ...pulumi.ResourceOption) (*Job, error) {
	task := &fargate.TaskArgs{
		Site: args.Site, Part: part(args.Name), CPU: args.CPU, Memory: args.Memory, Architecture: args.Architecture,
		Roles: args.Roles, Firehose: args.Firehose,
		Containers: []fargate.Container{args.Program.Container(args.Command, args.Binding, args.Group)},
	}
	if err := args.check(task); err != nil {
		return nil, err
	}
	j := &Job{}
	if err := ctx.RegisterComponentResource(jobType, name, j, opts...); err != nil {
		return nil, err
	}

	definition, err := fargate.NewTask(ctx, name+"-task", task, pulumi.Parent(j))
	if err != nil {
		return nil, err
	}
	starter, grant, err := j.starter(ctx, name, args)
	if err != nil {
		return nil, err
	}
	schedule, err := scheduler.NewSchedule(ctx, name, &scheduler.ScheduleArgs{
		Name:                       pulumi.String(args.Site.Name(task.Part)),
		GroupName:                  args.Timetable.Group,
		KmsKeyArn:                  args.Timetable.key.ToStringOutput(),
		ScheduleExpression:         pulumi.String(args.Schedule),
		ScheduleExpressionTimezone: pulumi.String(args.TimeZone),
		FlexibleTimeWindow:         &scheduler.ScheduleFlexibleTimeWindowArgs{Mode: pulumi.String("OFF")},
		Target: &scheduler.ScheduleTargetArgs{
			Arn:              args.Timetable.cluster,
			RoleArn:          starter.Arn,
			DeadLetterConfig: &scheduler.ScheduleTargetDeadLetterConfigArgs{Arn: args.Timetable.QueueARN},
			RetryPolicy: &scheduler.ScheduleTargetRetryPolicyArgs{
				MaximumRetryAttempts: pulumi.Int(retries), MaximumEventAgeInSeconds: pulumi.Int(lateness),
			},
			EcsParameters: &scheduler.ScheduleTargetEcsParametersArgs{
				TaskDefinitionArn: definition.Arn,
				TaskCount:         pulumi.Int(1),
				LaunchType:        pulumi.String("FARGATE"),
				PlatformVersion:   pulumi.String("LATEST"),
				NetworkConfiguration: &scheduler.ScheduleTargetEcsParametersNetworkConfigurationArgs{
					Subnets: args.Placement.Subnets, SecurityGroups: args.Placement.SecurityGroups, AssignPublicIp: pulumi.Bool(false),
				},
				EnableEcsManagedTags: pulumi.Bool(true),
				PropagateTags:        pulumi.String("TASK_DEFINITION"),
			},
		},
		// A schedule may be due the moment it exists.
	}, pulumi.Parent(j), fargate.After(append([]pulumi.Resource{grant, args.Roles, args.Timetable}, args.After...)...))
	if err != nil {
		return nil, err
	}

	j.ScheduleName, j.TaskDefinitionARN = schedule.Name, definition.Arn
	return j, ctx.RegisterResourceOutputs(j, pulumi.Map{"schedule": j.ScheduleName, "taskDefinition": j.TaskDefinitionARN})
}

// starter is the role that lets the scheduler start this job and nothing else. The source in its trust policy is the
// group: EventBridge Scheduler rejects the ARN of a schedule, or a prefix of one. Source: EventBridge Scheduler User
// Guide, "Confused deputy prevention".
func (j *Job) starter(ctx *pulumi.Context, name string, args *JobArgs) (*iam.Role, *iam.RolePolicy, error) {
	role, err := iam.NewRole(ctx, name+"-starter", &iam.RoleArgs{
		Name:                pulumi.String(args.Site.Name(part(args.Name) + "-starter")),
		Description:         pulumi.Sprintf("Starts the scheduled job %s", args.Name),
		AssumeRolePolicy:    policy.Trust("scheduler.amazonaws.com", policy.From(args.Site.AccountID, groupARN(args.Site))),
		PermissionsBoundary: args.Site.Boundary,
	}, pulumi.Parent(j))
	if err != nil {
		return nil, nil, err
	}
	grant, err := iam.NewRolePolicy(ctx, name+"-starter-policy", &iam.RolePolicyArgs{
		Name: pulumi.String("start"), Role: role.Name, Policy: policy.Document(args.start()...),
	}, pulumi.Parent(j))
	return role, grant, err
}

func (args *JobArgs) start() []policy.Statement {
	return []policy.Statement{{
		Sid:        "RunThisJob",
		Actions:    []string{"ecs:RunTask"},
		Resources:  []any{args.Site.ARN("ecs", "task-definition/"+args.Site.Name(part(args.Name))+":*")},
		Conditions: map[string]map[string]any{"ArnEquals": {"ecs:cluster": args.Timetable.cluster}},
	}, {
		Sid:        "TagItsTasks",
		Actions:    []string{"ecs:TagResource"},
		Resources:  []any{args.Timetable.cluster.ToStringOutput().ApplyT(tasksOf)},
		Conditions: map[string]map[string]any{"StringEquals": {"ecs:CreateAction": "RunTask"}},
	}, {
		Sid:        "PassItsRoles",
		Actions:    []string{"iam:PassRole"},
		Resources:  []any{args.Roles.ExecutionARN, args.Roles.TaskARN},
		Conditions: map[string]map[string]any{"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
	}, {
		Sid:       "ReportFailures",
		Actions:   []string{"sqs:SendMessage"},
		Resources: []any{args.Timetable.QueueARN},
	}, {
		Sid:       "ReadScheduleAndEncryptReport",
		Actions:   []string{"kms:Decrypt", "kms:GenerateDataKey"},
		Resources: []any{args.Timetable.key},
	}}
}

// tasksOf returns the ARN pattern of the tasks of a cluster.
func tasksOf(cluster string) string { return strings.Replace(cluster, ":cluster/", ":task/", 1) + "/*" }
