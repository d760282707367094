package awsaccount

import (
	"context"
	"errors"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// Contents says what would be lost with a bucket or a repository.
type Contents interface {
	// Objects counts the objects of a bucket, up to a thousand; more says that there are more. No bucket has none.
	Objects(ctx context.Context, bucket string) (n int, more bool, err error)

	// Images counts the images of a repository. No repository has none.
	Images(ctx context.Context, repository string) (int, error)
}

// AWSContents asks S3 and ECR of an account. It needs s3:ListBucket and ecr:DescribeImages, and changes nothing.
func AWSContents(settings aws.Config) Contents {
	return awsContents{
		s3.NewFromConfig(settings, func(o *s3.Options) {
			o.UsePathStyle = os.Getenv("AWS_ENDPOINT_URL") != "" || os.Getenv("AWS_ENDPOINT_URL_S3") != ""
		}),
		ecr.NewFromConfig(settings),
	}
}

type awsContents struct {
	s3  *s3.Client
	ecr *ecr.Client
}

func (c awsContents) Objects(ctx context.Context, bucket string) (int, bool, error) {
	out, err := c.s3.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String(bucket)})
	var none *s3types.NoSuchBucket
	if errors.As(err, &none) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	return len(out.Contents), aws.ToBool(out.IsTruncated), nil
}

func (c awsContents) Images(ctx context.Context, repository string) (int, error) {
	n := 0
	pages := ecr.NewDescribeImagesPaginator(c.ecr, &ecr.DescribeImagesInput{RepositoryName: aws.String(repository)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		var none *ecrtypes.RepositoryNotFoundException
		if errors.As(err, &none) {
			return 0, nil
		}
		if err != nil {
			return 0, err
		}
		n += len(page.ImageDetails)
	}
	return n, nil
}
