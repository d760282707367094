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

	"slipway/operation/account"
)

// Contents looks into S3 and ECR of an account. It needs s3:ListBucket and ecr:DescribeImages, and changes nothing.
func Contents(settings aws.Config) account.Contents {
	return contents{
		s3.NewFromConfig(settings, func(o *s3.Options) {
			o.UsePathStyle = os.Getenv("AWS_ENDPOINT_URL") != "" || os.Getenv("AWS_ENDPOINT_URL_S3") != ""
		}),
		ecr.NewFromConfig(settings),
	}
}

type contents struct {
	s3  *s3.Client
	ecr *ecr.Client
}

func (c contents) Objects(ctx context.Context, bucket string) (int, bool, error) {
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

func (c contents) Images(ctx context.Context, repository string) (int, error) {
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

func (c contents) Tagged(ctx context.Context, repository, tag string) (string, error) {
	out, err := c.ecr.DescribeImages(ctx, &ecr.DescribeImagesInput{
		RepositoryName: aws.String(repository), ImageIds: []ecrtypes.ImageIdentifier{{ImageTag: aws.String(tag)}},
	})
	var none *ecrtypes.RepositoryNotFoundException
	var untagged *ecrtypes.ImageNotFoundException
	if errors.As(err, &none) || errors.As(err, &untagged) {
		return "", nil
	}
	if err != nil || len(out.ImageDetails) == 0 {
		return "", err
	}
	return aws.ToString(out.ImageDetails[0].ImageDigest), nil
}
