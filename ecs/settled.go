package ecs

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/redact"
)

// A Settled is a service after an update of it: it is stable, which says nothing about what it runs.
type Settled struct {
	Cluster        string // ARN
	Service        string // name
	TaskDefinition string // ARN of the one that was deployed
}

// A Judge returns an error if a service does not run what was deployed. ECS calls a service stable as soon as the circuit
// breaker has rolled it back, and so does the provider.
type Judge func(ctx context.Context, s Settled) error

// judged calls judge after a service was created or changed. The engine fails a deployment whose after hook fails (Pulumi 3.238
// and later, pulumi/pulumi#22935), with the service in the state as it is. Nil: no hook.
func judged(ctx *pulumi.Context, name string, judge Judge) (pulumi.ResourceOption, error) {
	if judge == nil {
		return pulumi.ResourceHooks(nil), nil
	}
	hook, err := ctx.RegisterResourceHook(name+"-settled", func(args *pulumi.ResourceHookArgs) error {
		text := func(key string) string {
			if value := args.NewInputs[resource.PropertyKey(key)]; value.IsString() {
				return value.StringValue()
			}
			return ""
		}
		return judge(ctx.Context(), Settled{Cluster: text("cluster"), Service: text("name"), TaskDefinition: text("taskDefinition")})
	}, nil)
	if err != nil {
		return nil, err
	}
	hooks := []*pulumi.ResourceHook{hook}
	return pulumi.ResourceHooks(&pulumi.ResourceHookBinding{AfterCreate: hooks, AfterUpdate: hooks}), nil
}

// Judge implements Judge on AWS.
func (r AWSRunner) Judge(ctx context.Context, s Settled) error {
	settings, err := config.LoadDefaultConfig(ctx, config.WithRegion(r.Region), config.WithSharedConfigProfile(r.Profile))
	if err != nil {
		return fmt.Errorf("AWS configuration: %w", err)
	}
	client := ecs.NewFromConfig(settings)
	for deadline := time.Now().Add(alarmPatience); ; {
		out, err := client.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: aws.String(s.Cluster), Services: []string{s.Service}})
		switch {
		case err != nil:
			return fmt.Errorf("service %s: cannot find out what it runs: %w", s.Service, err)
		case len(out.Services) == 0:
			return fmt.Errorf("service %s does not exist: %s", s.Service, reasons(out.Failures))
		case !watching(out.Services[0]) || time.Now().After(deadline):
			return verdict(s, out.Services[0])
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(alarmPoll):
		}
	}
}

// While ECS watches the alarms of a deployment whose tasks all run, the provider calls the service stable already. ECS "computes this time
// period based on the alarm configuration"; the formula is not documented (ECS Developer Guide, "How CloudWatch alarms detect Amazon ECS
// deployment failures"). The alarms of a release look back five minutes, and metrics of ELB arrive minutes late: this is well beyond both.
const alarmPatience = 15 * time.Minute

var alarmPoll = 10 * time.Second

// watching reports whether ECS still watches the alarms of the newest deployment.
func watching(service types.Service) bool {
	c := service.DeploymentConfiguration
	if c == nil || c.Alarms == nil || !c.Alarms.Enable {
		return false
	}
	for _, d := range service.Deployments {
		if aws.ToString(d.Status) == "PRIMARY" {
			return d.RolloutState == types.DeploymentRolloutStateInProgress
		}
	}
	return false
}

// verdict compares what a service runs with what was deployed.
func verdict(s Settled, service types.Service) error {
	runs := aws.ToString(service.TaskDefinition)
	var primary types.Deployment
	for _, d := range service.Deployments {
		if aws.ToString(d.Status) == "PRIMARY" {
			primary = d
			runs = aws.ToString(d.TaskDefinition)
		}
	}
	var what string
	switch {
	case runs != s.TaskDefinition:
		what = fmt.Sprintf("was rolled back: it runs %s, and not %s, whose tasks failed", revision(runs), revision(s.TaskDefinition))
	case primary.RolloutState == types.DeploymentRolloutStateFailed:
		what = fmt.Sprintf("does not run %s: its tasks fail, and there is no earlier revision to go back to", revision(runs))
	default:
		return nil
	}
	lines := []string{fmt.Sprintf("service %s %s.", s.Service, what)}
	for _, event := range service.Events[:min(3, len(service.Events))] { // the newest first
		lines = append(lines, "  ECS: "+redact.Text(aws.ToString(event.Message)))
	}
	return fmt.Errorf("%s\n  Why a task stopped: aws ecs list-tasks --cluster %s --service-name %s --desired-status STOPPED",
		strings.Join(lines, "\n"), s.Cluster[strings.LastIndex(s.Cluster, "/")+1:], s.Service)
}

// revision is the end of a task definition's ARN: family:7.
func revision(arn string) string { return arn[strings.LastIndex(arn, "/")+1:] }
