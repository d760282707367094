package awsaccount

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/internal/awstest"
	"slipway/verdict"
)

func awsAt(t *testing.T, url string) aws.Config {
	t.Helper()
	awstest.Point(t, url)
	return settings(t)
}

// settings are those of the SDK as the environment has them.
func settings(t *testing.T) aws.Config {
	t.Helper()
	settings, err := config.LoadDefaultConfig(t.Context(), config.WithRegion("us-east-1"))
	if err != nil {
		t.Fatal(err)
	}
	return settings
}

// moto is plain moto, until the test ends.
func moto(t *testing.T) string { t.Helper(); return recorded(t, awstest.Moto(t, "-m", "moto.server")) }

// TestVerdictAgainstMoto has another implementation of ECS and CloudWatch Logs answer.
func TestVerdictAgainstMoto(t *testing.T) {
	settings := awsAt(t, moto(t))
	ctx := t.Context()
	client, logs := ecs.NewFromConfig(settings), cloudwatchlogs.NewFromConfig(settings)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	cluster, err := client.CreateCluster(ctx, &ecs.CreateClusterInput{ClusterName: aws.String("shop")})
	must(err)
	register := func(image string) string {
		t.Helper()
		out, err := client.RegisterTaskDefinition(ctx, &ecs.RegisterTaskDefinitionInput{
			Family: aws.String("shop-web"), NetworkMode: types.NetworkModeAwsvpc,
			RequiresCompatibilities: []types.Compatibility{types.CompatibilityFargate}, Cpu: aws.String("256"), Memory: aws.String("512"),
			ContainerDefinitions: []types.ContainerDefinition{{Name: aws.String("django"), Image: aws.String(image),
				LogConfiguration: &types.LogConfiguration{
					LogDriver: types.LogDriverAwslogs, Options: map[string]string{"awslogs-group": "/shop/django", "awslogs-stream-prefix": "web"}}}},
		})
		must(err)
		return aws.ToString(out.TaskDefinition.TaskDefinitionArn)
	}
	first, second := register("r/django@sha256:1"), register("r/django@sha256:2")
	_, err = client.CreateService(ctx, &ecs.CreateServiceInput{Cluster: cluster.Cluster.ClusterArn, ServiceName: aws.String("shop-web"),
		TaskDefinition: aws.String(first),
		DesiredCount:   aws.Int32(0), LaunchType: types.LaunchTypeFargate})
	must(err)
	reader := ECS(settings)
	judge := func(definition, image string, services ...string) verdict.Verdict {
		t.Helper()
		asked := verdict.Expected{Cluster: aws.ToString(cluster.Cluster.ClusterArn)}
		for _, name := range services {
			asked.Services = append(asked.Services, verdict.Running{Service: name, TaskDefinition: definition,
				Images: map[string]string{"django": image}})
		}
		v, err := verdict.Judge(ctx, reader, asked, 0)
		must(err)
		return v
	}
	if v := judge(first, "r/django@sha256:1", "shop-web"); !v.Good || v.Runs.TaskDefinition != first {
		t.Errorf("what runs is what was asked for: %+v", v)
	}
	v := judge(second, "r/django@sha256:2", "shop-web")
	if v.Good || v.Runs.TaskDefinition != first || v.Runs.Images["django"] != "r/django@sha256:1" {
		t.Errorf("the service still runs the first: %+v", v)
	}
	if v := judge(first, "r/django@sha256:1", "shop-web", "shop-mail"); v.Good ||
		!slices.Equal(v.Reasons, []string{"service shop-mail does not run: ECS says that there is none"}) {
		t.Errorf("a service is missing: %+v", v)
	}
	// moto stores the update and never deploys it: the service names the second definition, its deployment the first.
	_, err = client.UpdateService(ctx, &ecs.UpdateServiceInput{Cluster: cluster.Cluster.ClusterArn, Service: aws.String("shop-web"),
		TaskDefinition: aws.String(second)})
	must(err)
	if v := judge(second, "r/django@sha256:2", "shop-web"); v.Good || v.Runs.TaskDefinition != first {
		t.Errorf("after an update that is not deployed: %+v", v)
	}
	_, err = client.CreateService(ctx, &ecs.CreateServiceInput{Cluster: cluster.Cluster.ClusterArn, ServiceName: aws.String("shop-mail"),
		TaskDefinition: aws.String(second),
		DesiredCount:   aws.Int32(1), LaunchType: types.LaunchTypeFargate})
	must(err)
	if v := judge(second, "r/django@sha256:2", "shop-mail"); v.Good ||
		!strings.Contains(v.Reasons[0], "did not settle within 0s: 0 of 1 tasks") {
		t.Errorf("no task comes: %+v", v)
	}
	_, err = client.DeregisterTaskDefinition(ctx, &ecs.DeregisterTaskDefinitionInput{TaskDefinition: aws.String(first)})
	must(err)
	if d, err := reader.Definition(ctx, first); err != nil || d.Containers[0].Image != "r/django@sha256:1" ||
		d.Containers[0].Group != "/shop/django" {
		t.Errorf("a retired task definition is %+v, %v", d, err)
	}

	_, err = logs.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: aws.String("/shop/django")})
	must(err)
	_, err = logs.CreateLogStream(ctx, &cloudwatchlogs.CreateLogStreamInput{LogGroupName: aws.String("/shop/django"),
		LogStreamName: aws.String("web/django/a")})
	must(err)
	var events []logtypes.InputLogEvent
	for i := range 30 {
		events = append(events, logtypes.InputLogEvent{Message: aws.String(fmt.Sprintf("line %d", i)),
			Timestamp: aws.Int64(time.Now().Add(time.Duration(i-40) * time.Second).UnixMilli())})
	}
	_, err = logs.PutLogEvents(ctx, &cloudwatchlogs.PutLogEventsInput{LogGroupName: aws.String("/shop/django"),
		LogStreamName: aws.String("web/django/a"), LogEvents: events})
	must(err)
	if lines, err := reader.Tail(ctx, "/shop/django", "web/django/a", 20); err != nil || len(lines) != 20 || lines[19] != "line 29" {
		t.Errorf("the tail is %q, %v", lines, err)
	}
	if lines, err := reader.Tail(ctx, "/shop/django", "web/django/b", 20); err != nil || len(lines) != 0 {
		t.Errorf("the tail of no stream is %q, %v", lines, err)
	}
	if tasks, err := reader.Stopped(ctx, aws.ToString(cluster.Cluster.ClusterArn), "shop-web"); err != nil {
		t.Errorf("stopped tasks are %+v, %v", tasks, err)
	}
}
