package batch

import (
	"errors"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/fargate"
	"slipway/internal/wiring"
)

const taskType = "slipway:batch:Task"

// taskPart is the part of a one-off task in names: the family is project-stack-task.
const taskPart = "task"

// TaskArgs describe one-off tasks.
type TaskArgs struct {
	Site       wiring.Site
	ClusterARN pulumi.StringInput

	Placement wiring.Placement // private subnets, the group of workers
	Roles     *fargate.Roles
	Binding   wiring.Binding // the application's environment
	Program   fargate.Program
	Command   []string           // of a task that is given none; it should change nothing
	Group     pulumi.StringInput // name of the log group; not Firehose, because `slipway task` reads the lines back

	CPU, Memory  int // units and MiB; a run may ask for another size
	Architecture string

	After []pulumi.Resource // the web service: its release is the one that one-off tasks run
}

// A Task is the task definition of one-off commands: the application's image and environment, without nginx. Nothing starts it but
// `slipway task`, which gives it a command.
//
// It comes after the web service. If a release does not become healthy, the definition stays at the release that runs.
//
// Cost: none until a task runs; then the task's minutes.
type Task struct {
	pulumi.ResourceState
	TaskDefinitionARN pulumi.StringOutput
}

// NewTask creates the definition of one-off tasks. Its outputs say where they run.
func NewTask(ctx *pulumi.Context, name string, args *TaskArgs, opts ...pulumi.ResourceOption) (*Task, error) {
	task := &fargate.TaskArgs{
		Site: args.Site, Part: taskPart, CPU: args.CPU, Memory: args.Memory, Architecture: args.Architecture, Roles: args.Roles,
		Containers: []fargate.Container{args.Program.Container(args.Command, args.Binding, args.Group)},
	}
	if err := args.check(task); err != nil {
		return nil, err
	}
	t := &Task{}
	if err := ctx.RegisterComponentResource(taskType, name, t, opts...); err != nil {
		return nil, err
	}
	definition, err := fargate.NewTask(ctx, name+"-definition", task, pulumi.Parent(t),
		fargate.After(append([]pulumi.Resource{args.Roles}, args.After...)...))
	if err != nil {
		return nil, err
	}
	t.TaskDefinitionARN = definition.Arn
	return t, ctx.RegisterResourceOutputs(t, pulumi.Map{
		"cluster": args.ClusterARN, "taskDefinition": t.TaskDefinitionARN,
		"subnets": args.Placement.Subnets, "securityGroups": args.Placement.SecurityGroups,
	})
}

func (args *TaskArgs) check(task *fargate.TaskArgs) error {
	all := []error{task.Check()}
	if len(args.Command) == 0 {
		all = append(all, errors.New("batch: one-off tasks need a command for those that are given none"))
	}
	if args.ClusterARN == nil || args.Placement.Subnets == nil || args.Placement.SecurityGroups == nil {
		all = append(all, errors.New("batch: one-off tasks need a cluster, subnets and security groups"))
	}
	return errors.Join(all...)
}
