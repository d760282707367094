package fargate

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ecs"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/fargate/size"
	"slipway/internal/wiring"
)

// TaskArgs describe a task.
type TaskArgs struct {
	Site         wiring.Site
	Part         string // the family is project-stack-part; replaces every revision when it changes
	CPU          int    // units; 1024 are one vCPU
	Memory       int    // MiB
	Architecture string // "arm64" or "amd64": what the images were built for
	Roles        *Roles
	Containers   []Container
	Firehose     *Firehose // nil: logs go to each container's log group
}

// Check returns every mistake in args, without calling AWS.
func (args *TaskArgs) Check() error {
	var all []error
	if err := size.Check(args.CPU, args.Memory); err != nil {
		all = append(all, fmt.Errorf("fargate: task %s: %w", args.Part, err))
	}
	if platform(args.Architecture) == "" {
		all = append(all, fmt.Errorf("fargate: task %s: architecture must be arm64 or amd64, got %q", args.Part, args.Architecture))
	}
	return errors.Join(append(all, check(args.Containers))...)
}

// NewTask registers a revision of a task definition. Any change makes a new revision, and the old one stays registered, at
// no cost. Callers check args before they register anything.
//
// The old revision stays because ECS rolls back to it if the deployment fails, after the engine has replaced it: ECS cannot
// deploy a service or run a task from a deregistered revision (ECS guide, "Deregister a task definition revision"). The
// provider reads skipDestroy from the state when it deletes, so it works from the first revision created with it.
// `slipway destroy` deregisters the remaining revisions; plain `pulumi destroy` does not.
func NewTask(ctx *pulumi.Context, name string, args *TaskArgs, opts ...pulumi.ResourceOption) (*ecs.TaskDefinition, error) {
	family := args.Site.Name(args.Part)
	return ecs.NewTaskDefinition(ctx, name, &ecs.TaskDefinitionArgs{
		Family:                  pulumi.String(family),
		RequiresCompatibilities: pulumi.StringArray{pulumi.String("FARGATE")},
		NetworkMode:             pulumi.String("awsvpc"),
		RuntimePlatform: &ecs.TaskDefinitionRuntimePlatformArgs{
			OperatingSystemFamily: pulumi.String("LINUX"),
			CpuArchitecture:       pulumi.String(platform(args.Architecture)),
		},
		Cpu:                  pulumi.String(strconv.Itoa(args.CPU)),
		Memory:               pulumi.String(strconv.Itoa(args.Memory)),
		ExecutionRoleArn:     args.Roles.ExecutionARN,
		TaskRoleArn:          args.Roles.TaskARN,
		Volumes:              volumes(args.Containers),
		ContainerDefinitions: definitions(args.Part, args.Site.Region, args.Containers, args.Firehose),
		SkipDestroy:          pulumi.Bool(true),
	}, opts...)
}

// platform is ECS's name of the architecture that Docker and Go call arm64 or amd64; empty for any other.
func platform(architecture string) string {
	return map[string]string{"arm64": "ARM64", "amd64": "X86_64"}[architecture]
}

func volumes(containers []Container) ecs.TaskDefinitionVolumeArray {
	var names []string
	for _, c := range containers {
		for _, path := range c.Writable {
			names = append(names, c.volume(path))
		}
	}
	slices.Sort(names)
	var all ecs.TaskDefinitionVolumeArray
	for _, name := range names {
		all = append(all, &ecs.TaskDefinitionVolumeArgs{Name: pulumi.String(name)})
	}
	return all
}
