package awsaccount

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"slipway/operation/account/accounttest"
)

// TestSuite runs the suite against moto.
func TestSuite(t *testing.T) {
	accounttest.Run(t, func(t *testing.T) accounttest.World {
		settings := awsAt(t, moto(t))
		account, err := Open(t.Context(), Args{Stack: "prod", Region: "us-east-1"})
		if err != nil {
			t.Fatal(err)
		}
		must := func(t *testing.T, err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		buckets := s3.NewFromConfig(settings, func(o *s3.Options) { o.UsePathStyle = true })
		return accounttest.World{
			Account: account,
			Service: func(t *testing.T, s accounttest.Service) (string, string) {
				ctx, client := t.Context(), ecs.NewFromConfig(settings)
				_, err := cloudwatchlogs.NewFromConfig(settings).CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: &s.LogGroup})
				must(t, err)
				cluster, err := client.CreateCluster(ctx, &ecs.CreateClusterInput{ClusterName: &s.Cluster})
				must(t, err)
				definition, err := client.RegisterTaskDefinition(ctx, &ecs.RegisterTaskDefinitionInput{Family: &s.Name,
					ContainerDefinitions: []types.ContainerDefinition{{Name: aws.String("app"), Image: &s.Image, Memory: aws.Int32(512),
						LogConfiguration: &types.LogConfiguration{LogDriver: types.LogDriverAwslogs,
							Options: map[string]string{"awslogs-group": s.LogGroup, "awslogs-stream-prefix": "web"}}}}})
				must(t, err)
				_, err = client.CreateService(ctx, &ecs.CreateServiceInput{Cluster: &s.Cluster, ServiceName: &s.Name,
					TaskDefinition: definition.TaskDefinition.TaskDefinitionArn, DesiredCount: aws.Int32(0)})
				must(t, err)
				return aws.ToString(cluster.Cluster.ClusterArn), aws.ToString(definition.TaskDefinition.TaskDefinitionArn)
			},
			Watched: func(t *testing.T, w accounttest.Watched) string {
				return watched(t, settings, w)
			},
			Bucket: func(t *testing.T, name string, keys ...string) {
				_, err := buckets.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &name})
				must(t, err)
				for _, key := range keys {
					_, err := buckets.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &name, Key: &key, Body: strings.NewReader("x")})
					must(t, err)
				}
			},
			Parameter: func(t *testing.T, name string) {
				_, err := ssm.NewFromConfig(settings).PutParameter(t.Context(), &ssm.PutParameterInput{Name: &name, Value: aws.String("x"),
					Type: ssmtypes.ParameterTypeSecureString})
				must(t, err)
			},
			Repository: func(t *testing.T, name string, images int) {
				client := ecr.NewFromConfig(settings)
				_, err := client.CreateRepository(t.Context(), &ecr.CreateRepositoryInput{RepositoryName: &name})
				must(t, err)
				for i := range images {
					_, err := client.PutImage(t.Context(), &ecr.PutImageInput{RepositoryName: &name, ImageTag: aws.String(fmt.Sprint(i)),
						ImageManifest: aws.String(`{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json",` +
							`"config":{"mediaType":"application/vnd.docker.container.image.v1+json","size":1,"digest":"sha256:` +
							strings.Repeat(fmt.Sprint(i), 64) + `"},"layers":[]}`)})
					must(t, err)
				}
			},
		}
	})
}
