package awsaccount

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// TestContentsAgainstMoto counts what a destroy would lose in another implementation of S3 and ECR.
func TestContentsAgainstMoto(t *testing.T) {
	settings := awsAt(t, moto(t))
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	buckets := s3.NewFromConfig(settings, func(o *s3.Options) { o.UsePathStyle = true })
	_, err := buckets.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("shop-media")})
	must(err)
	for _, key := range []string{"cats.jpg", "dogs.jpg"} {
		_, err := buckets.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("shop-media"), Key: aws.String(key), Body: strings.NewReader("x")})
		must(err)
	}
	images := ecr.NewFromConfig(settings)
	_, err = images.CreateRepository(ctx, &ecr.CreateRepositoryInput{RepositoryName: aws.String("shop/django")})
	must(err)
	for _, tag := range []string{"1", "2", "3"} {
		_, err := images.PutImage(ctx, &ecr.PutImageInput{RepositoryName: aws.String("shop/django"), ImageTag: aws.String(tag),
			ImageManifest: aws.String(
				`{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json",` +
					`"config":{"mediaType":"application/vnd.docker.container.image.v1+json","size":1,` +
					`"digest":"sha256:` + strings.Repeat(tag, 64) + `"},"layers":[]}`)})
		must(err)
	}
	contents := Contents(settings)
	for bucket, want := range map[string]int{"shop-media": 2, "shop-gone": 0} {
		if n, more, err := contents.Objects(ctx, bucket); err != nil || n != want || more {
			t.Errorf("%s holds %d objects, want %d; more is %t, error %v", bucket, n, want, more, err)
		}
	}
	for repository, want := range map[string]int{"shop/django": 3, "shop/gone": 0} {
		if n, err := contents.Images(ctx, repository); err != nil || n != want {
			t.Errorf("%s holds %d images, want %d, error %v", repository, n, want, err)
		}
	}

	services := ecs.NewFromConfig(settings)
	_, err = services.CreateCluster(ctx, &ecs.CreateClusterInput{ClusterName: aws.String("shop")})
	must(err)
	_, err = services.RegisterTaskDefinition(ctx, &ecs.RegisterTaskDefinitionInput{Family: aws.String("web"),
		ContainerDefinitions: []types.ContainerDefinition{{Name: aws.String("django"), Image: aws.String("r/django:1"), Memory: aws.Int32(512)}}})
	must(err)
	_, err = services.CreateService(ctx, &ecs.CreateServiceInput{Cluster: aws.String("shop"), ServiceName: aws.String("web"),
		TaskDefinition: aws.String("web"), DesiredCount: aws.Int32(2)})
	must(err)
	crew := ECS(settings)
	must(crew.Scale(ctx, "shop", "web", 0))
	if all, err := crew.Services(ctx, "shop", []string{"web"}); err != nil || len(all) != 1 || all[0].Desired != 0 {
		t.Errorf("services are %+v, %v", all, err)
	}
	if err := crew.Scale(ctx, "shop", "absent", 0); err == nil {
		t.Error("a service that does not exist was scaled")
	}
}
