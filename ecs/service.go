package ecs

import (
	"errors"
	"fmt"

	awsecs "github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ecs"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/catalog"
	"slipway/internal/fargate"
	"slipway/internal/wiring"
)

const webType = "slipway:ecs:Web"

// WebArgs describe the web service.
type WebArgs struct {
	Site      wiring.Site
	Cluster   *Cluster
	Balancer  *Balancer
	Placement wiring.Placement // private subnets, the group of the web tasks
	Roles     *fargate.Roles   // with the Cluster's Exec
	Binding   wiring.Binding   // the app's environment

	Program fargate.Program
	Command []string // nil: the image's own
	Port    int      // on which the app's server listens
	Start   int      // seconds that the app may take until it is healthy, 1 to 300
	TCP     bool     // its health check only opens a connection; otherwise it asks Proxy.HealthPath

	Nginx                   pulumi.StringInput // image, by digest
	Proxy                   Proxy
	DjangoGroup, NginxGroup pulumi.StringInput // names of log groups
	Firehose                *fargate.Firehose  // the other log route; nil: the log groups

	CPU, Memory  int    // units (1024 are one vCPU) and MiB of one task
	Architecture string // "arm64" or "amd64"

	Min, Max          int // tasks
	Spot              int // percentage of the tasks beyond the first on Fargate Spot; 100: the first as well
	CPUTarget         int // average CPU that scaling aims at, in percent; default 60
	RequestsPerTarget int // requests per task and minute that scaling aims at; default 1000

	Alarmed bool // the alarms of the Balancer's targets exist, and ECS rolls a release back that makes one fire

	// After is what tasks need without an input that refers to it: the network's routes and endpoints, and the Migration.
	After []pulumi.Resource

	Judge Judge // says whether the service runs what was deployed; nil: a caller of the program finds out
}

// A Web is the service that handles requests: tasks of nginx and Django in the private subnets behind the Balancer.
//
// A deployment starts new tasks before it stops old ones (100 to 200 percent) and ECS rolls it back if the new tasks do
// not become healthy. Scaling owns the number of tasks once the service exists. Cost: at 256 units and 512 MiB on arm64
// about $7 a month per task; Spot costs up to 70 percent less. Nothing but the stack's name replaces the service.
type Web struct {
	pulumi.ResourceState
	ServiceName       pulumi.StringOutput
	TaskDefinitionARN pulumi.StringOutput

	service pulumi.Resource
}

// webName is the physical name of the service.
func webName(site wiring.Site) string { return site.Name("web") }

// WatchWeb is the alarms of the web service. They exist before the service, which names some of them for its deployments, so they have
// its name and no output of it.
func WatchWeb(site wiring.Site, cluster *Cluster) catalog.Watch {
	return catalog.Watch{
		Alarms:     serviceAlarms,
		Dimensions: map[string]pulumi.StringInput{"ClusterName": cluster.Name, "ServiceName": pulumi.String(webName(site))},
	}
}

// Ready is the service, in a steady state and after its migration.
func (w *Web) Ready() []pulumi.Resource { return []pulumi.Resource{w.service} }

func (args *WebArgs) check(task *fargate.TaskArgs) error {
	all := []error{task.Check()}
	if args.Min < 1 || args.Max < args.Min {
		all = append(all, fmt.Errorf("ecs: tasks must be at least 1 and min not above max, got min %d, max %d", args.Min, args.Max))
	}
	if args.Start < 1 || args.Start > 300 { // ECS API reference, HealthCheck, startPeriod
		all = append(all, fmt.Errorf("ecs: start must be from 1 to 300 seconds, got %d", args.Start))
	}
	if args.Spot < 0 || args.Spot > 100 {
		all = append(all, fmt.Errorf("ecs: spot must be from 0 to 100 percent, got %d", args.Spot))
	}
	return errors.Join(all...)
}

// NewWeb creates the web service.
func NewWeb(ctx *pulumi.Context, name string, args *WebArgs, opts ...pulumi.ResourceOption) (*Web, error) {
	task := &fargate.TaskArgs{
		Site: args.Site, Part: "web", CPU: args.CPU, Memory: args.Memory, Architecture: args.Architecture,
		Roles: args.Roles, Containers: web(args), Firehose: args.Firehose,
	}
	if err := args.check(task); err != nil {
		return nil, err
	}
	w := &Web{}
	if err := ctx.RegisterComponentResource(webType, name, w, opts...); err != nil {
		return nil, err
	}

	definition, err := fargate.NewTask(ctx, name+"-task", task, pulumi.Parent(w))
	if err != nil {
		return nil, err
	}
	s := service(webName(args.Site), args.Cluster, args.Placement, definition, args.Spot)
	s.DesiredCount = pulumi.Int(args.Min)
	// nginx answers once the app is healthy and it has published its static files.
	s.HealthCheckGracePeriodSeconds = pulumi.Int(args.Start + nginxStart)
	s.LoadBalancers = awsecs.ServiceLoadBalancerArray{&awsecs.ServiceLoadBalancerArgs{
		TargetGroupArn: args.Balancer.TargetGroupARN,
		ContainerName:  pulumi.String("nginx"), ContainerPort: pulumi.Int(NginxPort(args.Port)),
	}}
	s.Alarms = releaseAlarms(args)
	after := append([]pulumi.Resource{args.Balancer, args.Roles, args.Cluster}, args.After...)
	hooks, err := judged(ctx, name, args.Judge)
	if err != nil {
		return nil, err
	}
	made, err := awsecs.NewService(ctx, name, s, pulumi.Parent(w), fargate.After(after...), timeouts, hooks,
		pulumi.IgnoreChanges([]string{"desiredCount"})) // scaling owns it
	if err != nil {
		return nil, err
	}
	if err := scale(ctx, name, args, made.Name, pulumi.Parent(w)); err != nil {
		return nil, err
	}

	w.service, w.ServiceName, w.TaskDefinitionARN = made, made.Name, definition.Arn
	return w, ctx.RegisterResourceOutputs(w, pulumi.Map{"service": w.ServiceName, "taskDefinition": w.TaskDefinitionARN})
}

// releaseAlarms are those that tell that a release is bad. ECS rolls a deployment back when one of them fires, while it goes on and for a
// while after (ECS Developer Guide, "How CloudWatch alarms detect Amazon ECS deployment failures"). It asks CloudWatch as its
// service-linked role (AmazonECSServiceRolePolicy allows cloudwatch:DescribeAlarms). Alarms without data do not count, and with one that
// fires already ECS ignores them all for that deployment (aws/copilot-cli#4512): a release that mends the site can be deployed.
//
// A target that is slow to start counts as unhealthy, so the alarm about that is left out where a start may take as long as the alarm.
func releaseAlarms(args *WebArgs) *awsecs.ServiceAlarmsArgs {
	if !args.Alarmed {
		return nil
	}
	var names pulumi.StringArray
	for _, a := range targetAlarms {
		slow := a.Metric == unhealthyHosts && args.Start+nginxStart >= (a.Minutes-1)*60
		if a.Release && !slow {
			names = append(names, pulumi.String(args.Site.Name(a.Name)))
		}
	}
	return &awsecs.ServiceAlarmsArgs{AlarmNames: names, Enable: pulumi.Bool(true), Rollback: pulumi.Bool(true)}
}

// timeouts cover a slow start of every task and a rollback after it. Deleting waits for draining.
var timeouts = pulumi.Timeouts(&pulumi.CustomTimeouts{Create: "20m", Update: "25m", Delete: "20m"})

// service is what all services of a site have in common.
func service(name string, cluster *Cluster, placement wiring.Placement, definition *awsecs.TaskDefinition, spot int) *awsecs.ServiceArgs {
	return &awsecs.ServiceArgs{
		Name:                       pulumi.String(name),
		Cluster:                    cluster.ARN,
		TaskDefinition:             definition.Arn,
		PlatformVersion:            pulumi.String("LATEST"),
		CapacityProviderStrategies: capacity(spot),
		// Without this the provider replaces a service whose Spot share changes. On its own it deploys nothing.
		ForceNewDeployment: pulumi.Bool(true),
		NetworkConfiguration: &awsecs.ServiceNetworkConfigurationArgs{
			Subnets: placement.Subnets, SecurityGroups: placement.SecurityGroups, AssignPublicIp: pulumi.Bool(false),
		},
		AvailabilityZoneRebalancing:     pulumi.String("ENABLED"),
		DeploymentMinimumHealthyPercent: pulumi.Int(100),
		DeploymentMaximumPercent:        pulumi.Int(200),
		DeploymentCircuitBreaker: &awsecs.ServiceDeploymentCircuitBreakerArgs{
			Enable: pulumi.Bool(true), Rollback: pulumi.Bool(true),
		},
		EnableExecuteCommand: pulumi.Bool(true),
		EnableEcsManagedTags: pulumi.Bool(true),
		PropagateTags:        pulumi.String("SERVICE"),
		WaitForSteadyState:   pulumi.Bool(true),
	}
}

// capacity keeps the first task on demand, so that a shortage of Spot capacity never takes the site down, and splits the
// rest. With everything on Spot there is no such task: a base on FARGATE would make the only task of a small stack run on
// demand (ECS guide, "Amazon ECS capacity providers for Fargate": the base is placed before the weights count).
func capacity(spot int) awsecs.ServiceCapacityProviderStrategyArray {
	if spot == 100 {
		return awsecs.ServiceCapacityProviderStrategyArray{&awsecs.ServiceCapacityProviderStrategyArgs{
			CapacityProvider: pulumi.String("FARGATE_SPOT"), Base: pulumi.Int(0), Weight: pulumi.Int(100),
		}}
	}
	all := awsecs.ServiceCapacityProviderStrategyArray{&awsecs.ServiceCapacityProviderStrategyArgs{
		CapacityProvider: pulumi.String("FARGATE"), Base: pulumi.Int(1), Weight: pulumi.Int(100 - spot),
	}}
	if spot > 0 {
		all = append(all, &awsecs.ServiceCapacityProviderStrategyArgs{
			CapacityProvider: pulumi.String("FARGATE_SPOT"), Base: pulumi.Int(0), Weight: pulumi.Int(spot),
		})
	}
	return all
}
