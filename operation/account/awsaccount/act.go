package awsaccount

import (
	"context"
	"fmt"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	scaling "github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	scalingtypes "github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	schedulertypes "github.com/aws/aws-sdk-go-v2/service/scheduler/types"

	"slipway/operation/account"
)

// An actor changes what runs in an account.
type actor struct {
	settings  aws.Config
	ecs       *ecs.Client
	scaling   *scaling.Client
	scheduler *scheduler.Client
}

// Actor implements account.Account. It needs ecs:UpdateService, application-autoscaling:RegisterScalableTarget, rds:StopDBInstance and
// StartDBInstance, scheduler:GetSchedule and UpdateSchedule, and iam:PassRole for the roles of schedules.
func (a *Account) Actor() account.Actor {
	return actor{a.aws, ecs.NewFromConfig(a.aws), scaling.NewFromConfig(a.aws), scheduler.NewFromConfig(a.aws)}
}

// Scale implements account.Actor.
func (a actor) Scale(ctx context.Context, cluster, service string, tasks int) error {
	return ecsScaler{ecs: a.ecs}.Scale(ctx, cluster, service, tasks)
}

// Restart implements account.Actor.
func (a actor) Restart(ctx context.Context, cluster, service string) (string, error) {
	out, err := a.ecs.UpdateService(ctx, &ecs.UpdateServiceInput{Cluster: &cluster, Service: &service, ForceNewDeployment: true})
	if err != nil {
		return "", err
	}
	for _, d := range out.Service.Deployments {
		if aws.ToString(d.Status) == "PRIMARY" {
			return aws.ToString(d.Id), nil
		}
	}
	return "", fmt.Errorf("ECS names no deployment of service %s", service)
}

// dimension is what scales of a service.
const dimension = scalingtypes.ScalableDimensionECSServiceDesiredCount

// scalable is the ID of a service as a scalable target; cluster is its name or ARN.
func scalable(cluster, service string) string {
	return "service/" + afterLast(cluster, "/") + "/" + service
}

// SetScaling implements account.Actor.
func (a actor) SetScaling(ctx context.Context, cluster, service string, s account.Scaling) error {
	_, err := a.scaling.RegisterScalableTarget(ctx, &scaling.RegisterScalableTargetInput{
		ServiceNamespace: scalingtypes.ServiceNamespaceEcs, ScalableDimension: dimension, ResourceId: aws.String(scalable(cluster, service)),
		MinCapacity: aws.Int32(int32(s.Min)), MaxCapacity: aws.Int32(int32(s.Max)),
		SuspendedState: &scalingtypes.SuspendedState{
			DynamicScalingInSuspended: &s.InSuspended, DynamicScalingOutSuspended: &s.OutSuspended, ScheduledScalingSuspended: &s.TimeSuspended,
		},
	})
	return err
}

// StopDatabase implements account.Actor.
func (a actor) StopDatabase(ctx context.Context, id string) error {
	return rdsService.call(ctx, a.settings, "StopDBInstance", url.Values{"DBInstanceIdentifier": {id}}, &struct{}{})
}

// StartDatabase implements account.Actor.
func (a actor) StartDatabase(ctx context.Context, id string) error {
	return rdsService.call(ctx, a.settings, "StartDBInstance", url.Values{"DBInstanceIdentifier": {id}}, &struct{}{})
}

// Enable implements account.Actor. UpdateSchedule takes a whole schedule: what is left out gets its default (EventBridge Scheduler API
// Reference, UpdateSchedule).
func (a actor) Enable(ctx context.Context, group, name string, enabled bool) error {
	is, err := schedule(ctx, a.scheduler, group, name)
	if err != nil {
		return err
	}
	if is == nil {
		return fmt.Errorf("group %s has no schedule %s", group, name)
	}
	state := schedulertypes.ScheduleStateDisabled
	if enabled {
		state = schedulertypes.ScheduleStateEnabled
	}
	_, err = a.scheduler.UpdateSchedule(ctx, &scheduler.UpdateScheduleInput{
		GroupName: is.GroupName, Name: is.Name, State: state,
		ActionAfterCompletion: is.ActionAfterCompletion, Description: is.Description, EndDate: is.EndDate, StartDate: is.StartDate,
		FlexibleTimeWindow: is.FlexibleTimeWindow, KmsKeyArn: is.KmsKeyArn, ScheduleExpression: is.ScheduleExpression,
		ScheduleExpressionTimezone: is.ScheduleExpressionTimezone, Target: is.Target,
	})
	return err
}
