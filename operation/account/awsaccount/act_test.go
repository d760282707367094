package awsaccount

import (
	"net/url"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	scaling "github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	scalingtypes "github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	schedulertypes "github.com/aws/aws-sdk-go-v2/service/scheduler/types"

	"slipway/operation/account/accounttest"
)

// acted creates what the suite acts on, in moto.
func acted(t *testing.T, settings aws.Config) accounttest.Acted {
	t.Helper()
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	client := ecs.NewFromConfig(settings)
	cluster, err := client.CreateCluster(ctx, &ecs.CreateClusterInput{ClusterName: aws.String("acts")})
	must(err)
	definition, err := client.RegisterTaskDefinition(ctx, &ecs.RegisterTaskDefinitionInput{Family: aws.String("web"),
		ContainerDefinitions: []types.ContainerDefinition{{Name: aws.String("app"), Image: aws.String("x/y:1"), Memory: aws.Int32(512)}}})
	must(err)
	_, err = client.CreateService(ctx, &ecs.CreateServiceInput{Cluster: aws.String("acts"), ServiceName: aws.String("web"),
		TaskDefinition: definition.TaskDefinition.TaskDefinitionArn, DesiredCount: aws.Int32(0)})
	must(err)
	_, err = scaling.NewFromConfig(settings).RegisterScalableTarget(ctx, &scaling.RegisterScalableTargetInput{
		ServiceNamespace: scalingtypes.ServiceNamespaceEcs, ScalableDimension: dimension, ResourceId: aws.String("service/acts/web"),
		MinCapacity: aws.Int32(1), MaxCapacity: aws.Int32(4)})
	must(err)
	must(rdsService.call(ctx, settings, "CreateDBInstance", url.Values{"DBInstanceIdentifier": {"acts-db"}, "Engine": {"postgres"},
		"DBInstanceClass": {"db.t4g.micro"}, "MasterUsername": {"owner"}, "MasterUserPassword": {"longenough"}, "AllocatedStorage": {"20"}},
		&struct{}{}))
	jobs := scheduler.NewFromConfig(settings)
	_, err = jobs.CreateScheduleGroup(ctx, &scheduler.CreateScheduleGroupInput{Name: aws.String("acts-jobs")})
	must(err)
	_, err = jobs.CreateSchedule(ctx, &scheduler.CreateScheduleInput{GroupName: aws.String("acts-jobs"), Name: aws.String("nightly"),
		ScheduleExpression: aws.String("rate(1 day)"), State: schedulertypes.ScheduleStateEnabled,
		FlexibleTimeWindow: &schedulertypes.FlexibleTimeWindow{Mode: schedulertypes.FlexibleTimeWindowModeOff},
		Target: &schedulertypes.Target{Arn: cluster.Cluster.ClusterArn, RoleArn: aws.String("arn:aws:iam::123456789012:role/starter"),
			EcsParameters: &schedulertypes.EcsParameters{TaskDefinitionArn: definition.TaskDefinition.TaskDefinitionArn}}})
	must(err)
	return accounttest.Acted{Cluster: aws.ToString(cluster.Cluster.ClusterArn), Service: "web", Database: "acts-db", Group: "acts-jobs",
		Schedule: "nightly"}
}

// A schedule that is switched off and on stays what it was: UpdateSchedule replaces all of it.
func TestASwitchedScheduleStaysWhatItWas(t *testing.T) {
	settings := awsAt(t, moto(t))
	on := acted(t, settings)
	a, err := Open(t.Context(), Args{Stack: "prod", Region: "us-east-1"})
	if err != nil {
		t.Fatal(err)
	}
	jobs := scheduler.NewFromConfig(settings)
	read := func() *scheduler.GetScheduleOutput {
		t.Helper()
		out, err := jobs.GetSchedule(t.Context(), &scheduler.GetScheduleInput{GroupName: &on.Group, Name: &on.Schedule})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	before := read()
	for _, enabled := range []bool{false, true} {
		if err := a.Actor().Enable(t.Context(), on.Group, on.Schedule, enabled); err != nil {
			t.Fatal(err)
		}
	}
	after := read()
	if aws.ToString(after.ScheduleExpression) != aws.ToString(before.ScheduleExpression) ||
		aws.ToString(after.Target.EcsParameters.TaskDefinitionArn) != aws.ToString(before.Target.EcsParameters.TaskDefinitionArn) ||
		aws.ToString(after.Target.RoleArn) != aws.ToString(before.Target.RoleArn) ||
		after.FlexibleTimeWindow.Mode != before.FlexibleTimeWindow.Mode {
		t.Errorf("the schedule was %+v and is %+v", before, after)
	}
}
