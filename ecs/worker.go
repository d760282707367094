package ecs

import (
	"errors"
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	awsecs "github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ecs"

	"slipway/internal/fargate"
	"slipway/internal/wiring"
)

const workerType = "slipway:ecs:Worker"

// WorkerArgs describe one worker.
type WorkerArgs struct {
	Site      wiring.Site
	Name      string   // physical names are project-stack-worker-NAME; replaces the worker when it changes
	Command   []string // the program and its arguments; no shell reads it
	Cluster   *Cluster
	Placement wiring.Placement // private subnets, the group of workers
	Roles     *fargate.Roles   // the site's, with the Cluster's Exec
	Binding   wiring.Binding   // the application's environment

	Program  fargate.Program
	Group    pulumi.StringInput // name of its log group
	Firehose *fargate.Firehose

	CPU, Memory  int // units and MiB of one task
	Architecture string
	Count        int  // tasks; 0 pauses the worker
	Single       bool // never two tasks at once; Count is 0 or 1
	Spot         int  // as in WebArgs

	After []pulumi.Resource // as in WebArgs
	Judge Judge             // as in WebArgs
}

// A Worker is a service of the site without ingress: the application's image with another command.
//
// The program sets its count; it does not scale. A new task starts before the old one stops, unless it is Single: then ECS stops the old
// one first, and the worker is away for a minute. Cost: the same as a task of Web. Name replaces it.
type Worker struct {
	pulumi.ResourceState
	ServiceName       pulumi.StringOutput
	TaskDefinitionARN pulumi.StringOutput
}

func (args *WorkerArgs) check(task *fargate.TaskArgs) error {
	all := []error{task.Check()}
	if args.Name == "" {
		all = append(all, errors.New("ecs: a worker needs a name"))
	}
	if len(args.Command) == 0 {
		all = append(all, fmt.Errorf("ecs: worker %s: command must be a program and its arguments, got none", args.Name))
	}
	if args.Count < 0 {
		all = append(all, fmt.Errorf("ecs: worker %s: count must be 0 or more, got %d", args.Name, args.Count))
	}
	if args.Single && args.Count > 1 {
		all = append(all, fmt.Errorf("ecs: worker %s: count of a single worker must be 0 or 1, got %d", args.Name, args.Count))
	}
	return errors.Join(all...)
}

// Times that a worker's task has to finish its work after SIGTERM, in seconds. A worker of Celery finishes the tasks that it
// executes, which takes as long as they do (Celery, "Workers Guide", Stopping the worker). Fargate allows 120 at most (ECS API
// reference, ContainerDefinition, stopTimeout), which is also the warning before a Spot interruption.
//
// To ECS a task that is stopping is not running any longer, so the next one may start meanwhile (aws/containers-roadmap#959). A single task
// therefore has little time to stop: it should be gone before Fargate has started the next one. AWS does not say how long that takes.
// Others measured 11 to 44 seconds before a task even begins to pull its image (opensearch-project/opensearch-migrations#2116).
const (
	workerStop = 120
	singleStop = 10
)

// container is the app's container of the worker.
func (args *WorkerArgs) container() fargate.Container {
	c := longRunning(args.Program, args.Command, args.Binding, args.Group)
	if c.Stop = workerStop; args.Single {
		c.Stop = singleStop
	}
	return c
}

// alone lets ECS stop the task before it starts the next one, also when it replaces an unhealthy one. Rebalancing would start a task in
// another zone first, and ECS refuses it with a maximum of 100 percent (ECS guide, "Balancing an Amazon ECS service across Availability
// Zones").
func alone(s *awsecs.ServiceArgs) {
	s.DeploymentMinimumHealthyPercent, s.DeploymentMaximumPercent = pulumi.Int(0), pulumi.Int(100)
	s.AvailabilityZoneRebalancing = pulumi.String("DISABLED")
}

// NewWorker creates a worker.
func NewWorker(ctx *pulumi.Context, name string, args *WorkerArgs, opts ...pulumi.ResourceOption) (*Worker, error) {
	task := &fargate.TaskArgs{
		Site: args.Site, Part: "worker-" + args.Name, CPU: args.CPU, Memory: args.Memory, Architecture: args.Architecture,
		Roles: args.Roles, Firehose: args.Firehose,
		Containers: []fargate.Container{args.container()},
	}
	if err := args.check(task); err != nil {
		return nil, err
	}
	w := &Worker{}
	if err := ctx.RegisterComponentResource(workerType, name, w, opts...); err != nil {
		return nil, err
	}

	definition, err := fargate.NewTask(ctx, name+"-task", task, pulumi.Parent(w))
	if err != nil {
		return nil, err
	}
	s := service(args.Site.Name(task.Part), args.Cluster, args.Placement, definition, args.Spot)
	s.DesiredCount = pulumi.Int(args.Count)
	if args.Single {
		alone(s)
	}
	after := append([]pulumi.Resource{args.Roles, args.Cluster}, args.After...)
	hooks, err := judged(ctx, name, args.Judge)
	if err != nil {
		return nil, err
	}
	made, err := awsecs.NewService(ctx, name, s, pulumi.Parent(w), fargate.After(after...), timeouts, hooks)
	if err != nil {
		return nil, err
	}

	w.ServiceName, w.TaskDefinitionARN = made.Name, definition.Arn
	return w, ctx.RegisterResourceOutputs(w, pulumi.Map{"service": w.ServiceName, "taskDefinition": w.TaskDefinitionARN})
}
