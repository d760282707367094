package awsaccount

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/verdict"
)

// Limits of the API: how many services and tasks one call describes.
const (
	servicesACall = 10
	tasksACall    = 100
)

// ECS reads ECS and CloudWatch Logs of an account. It needs ecs:DescribeServices, ecs:DescribeTaskDefinition,
// ecs:ListTasks, ecs:DescribeTasks, logs:GetLogEvents and, for Scale alone, ecs:UpdateService; ecs:ListServiceDeployments and
// ecs:DescribeServiceDeployments, to name the alarm that ended a deployment. The SDK retries throttled calls.
func ECS(settings aws.Config) verdict.ECSScaler {
	return ecsScaler{ecs.NewFromConfig(settings), cloudwatchlogs.NewFromConfig(settings)}
}

type ecsScaler struct {
	ecs  *ecs.Client
	logs *cloudwatchlogs.Client
}

func (f ecsScaler) Services(ctx context.Context, cluster string, names []string) ([]verdict.Service, error) {
	var all []verdict.Service
	for part := range slices.Chunk(names, servicesACall) {
		out, err := f.ecs.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: aws.String(cluster), Services: part})
		var none *types.ClusterNotFoundException
		if errors.As(err, &none) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		for _, failure := range out.Failures {
			if reason := aws.ToString(failure.Reason); reason != "MISSING" {
				return nil, fmt.Errorf("%s: %s %s", aws.ToString(failure.Arn), reason, aws.ToString(failure.Detail))
			}
		}
		for _, s := range out.Services {
			service := serviceOf(s)
			if service.Alarmed() {
				service.Triggered = f.triggered(ctx, cluster, service.Name)
			}
			all = append(all, service)
		}
	}
	return all, nil
}

func serviceOf(s types.Service) verdict.Service {
	service := verdict.Service{Name: aws.ToString(s.ServiceName), Status: aws.ToString(s.Status), Desired: int(s.DesiredCount),
		Running: int(s.RunningCount)}
	if c := s.DeploymentConfiguration; c != nil && c.Alarms != nil && c.Alarms.Enable {
		service.Alarms = c.Alarms.AlarmNames
	}
	for _, d := range s.Deployments {
		service.Deployments = append(service.Deployments, verdict.Deployed{
			ID: aws.ToString(d.Id), Status: aws.ToString(d.Status), TaskDefinition: aws.ToString(d.TaskDefinition),
			Rollout: string(d.RolloutState), Reason: aws.ToString(d.RolloutStateReason),
			Desired: int(d.DesiredCount), Running: int(d.RunningCount), Failed: int(d.FailedTasks), Created: aws.ToTime(d.CreatedAt),
		})
	}
	for _, e := range s.Events {
		service.Events = append(service.Events, verdict.ServiceEvent{At: aws.ToTime(e.CreatedAt), Message: aws.ToString(e.Message)})
	}
	return service
}

// triggered are the alarms that ended the last deployment of a service. Only its service deployment names them. It is nil where that
// cannot be read: the verdict then names all alarms that may have done it.
func (f ecsScaler) triggered(ctx context.Context, cluster, service string) []string {
	list, err := f.ecs.ListServiceDeployments(ctx, &ecs.ListServiceDeploymentsInput{Cluster: &cluster, Service: &service})
	if err != nil {
		return nil
	}
	var arns []string
	for _, d := range list.ServiceDeployments { // the newest first
		arns = append(arns, aws.ToString(d.ServiceDeploymentArn))
	}
	if len(arns) == 0 {
		return nil
	}
	out, err := f.ecs.DescribeServiceDeployments(ctx, &ecs.DescribeServiceDeploymentsInput{ServiceDeploymentArns: arns[:min(len(arns), 20)]})
	if err != nil {
		return nil
	}
	newest := func(a, b types.ServiceDeployment) int {
		return aws.ToTime(b.CreatedAt).Compare(aws.ToTime(a.CreatedAt))
	}
	slices.SortFunc(out.ServiceDeployments, newest)
	for _, d := range out.ServiceDeployments {
		if d.Alarms != nil && len(d.Alarms.TriggeredAlarmNames) > 0 {
			return d.Alarms.TriggeredAlarmNames
		}
	}
	return nil
}

func (f ecsScaler) Definition(ctx context.Context, arn string) (verdict.Definition, error) {
	out, err := f.ecs.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: aws.String(arn)})
	if err != nil {
		return verdict.Definition{}, err
	}
	d := verdict.Definition{ARN: aws.ToString(out.TaskDefinition.TaskDefinitionArn)}
	for _, c := range out.TaskDefinition.ContainerDefinitions {
		container := verdict.Container{Name: aws.ToString(c.Name), Image: aws.ToString(c.Image),
			Router: c.FirelensConfiguration != nil}
		if c.HealthCheck != nil {
			container.Health = strings.Join(c.HealthCheck.Command, " ")
		}
		if log := c.LogConfiguration; log != nil && log.LogDriver == types.LogDriverAwslogs {
			container.Group, container.Prefix = log.Options["awslogs-group"], log.Options["awslogs-stream-prefix"]
		}
		d.Containers = append(d.Containers, container)
	}
	return d, nil
}

func (f ecsScaler) Stopped(ctx context.Context, cluster, service string) ([]verdict.Task, error) {
	var tasks []verdict.Task
	pages := ecs.NewListTasksPaginator(f.ecs, &ecs.ListTasksInput{
		Cluster: aws.String(cluster), ServiceName: aws.String(service), DesiredStatus: types.DesiredStatusStopped,
		MaxResults: aws.Int32(tasksACall),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		var gone *types.ServiceNotFoundException
		if errors.As(err, &gone) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		if len(page.TaskArns) == 0 {
			continue
		}
		out, err := f.ecs.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: aws.String(cluster), Tasks: page.TaskArns})
		if err != nil {
			return nil, err
		}
		for _, t := range out.Tasks { // those that ECS forgot meanwhile are among its failures
			tasks = append(tasks, taskOf(t))
		}
	}
	return tasks, nil
}

func taskOf(t types.Task) verdict.Task {
	task := verdict.Task{
		ARN: aws.ToString(t.TaskArn), TaskDefinition: aws.ToString(t.TaskDefinitionArn),
		Code: string(t.StopCode), Reason: aws.ToString(t.StoppedReason), At: aws.ToTime(t.StoppedAt),
	}
	if t.StoppedAt == nil { // it is still stopping
		task.At = aws.ToTime(t.StoppingAt)
	}
	for _, c := range t.Containers {
		ended := verdict.StoppedContainer{Name: aws.ToString(c.Name), Reason: aws.ToString(c.Reason)}
		if c.ExitCode != nil {
			code := int(*c.ExitCode)
			ended.ExitCode = &code
		}
		if c.HealthStatus == types.HealthStatusUnhealthy && ended.Reason == "" {
			ended.Reason = "its health check failed"
		}
		task.Containers = append(task.Containers, ended)
	}
	return task
}

// Unhealthy implements verdict.ECSReader. ECS reports targets that fail in its events, which Services has.
func (f ecsScaler) Unhealthy(context.Context, string, string) (*verdict.Unhealthy, error) {
	return nil, nil
}

// Scale implements verdict.ECSScaler.
func (f ecsScaler) Scale(ctx context.Context, cluster, service string, tasks int) error {
	_, err := f.ecs.UpdateService(ctx, &ecs.UpdateServiceInput{Cluster: aws.String(cluster), Service: aws.String(service),
		DesiredCount: aws.Int32(int32(tasks))})
	return err
}

func (f ecsScaler) Tail(ctx context.Context, group, stream string, lines int) ([]string, error) {
	in := &cloudwatchlogs.GetLogEventsInput{
		LogGroupName: aws.String(group), LogStreamName: aws.String(stream), Limit: aws.Int32(int32(lines)), StartFromHead: aws.Bool(false),
	}
	const most = 5 // a page may be empty although there are lines before it
	for range most {
		out, err := f.logs.GetLogEvents(ctx, in)
		var none *logtypes.ResourceNotFoundException
		if errors.As(err, &none) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		var all []string
		for _, e := range out.Events {
			all = append(all, strings.TrimRight(aws.ToString(e.Message), "\r\n"))
		}
		if len(all) > 0 || out.NextBackwardToken == nil || aws.ToString(out.NextBackwardToken) == aws.ToString(in.NextToken) {
			return all, nil
		}
		in.NextToken = out.NextBackwardToken
	}
	return nil, nil
}
