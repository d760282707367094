package awsaccount

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"slipway/operation/account"
)

// StateVersions implements account.StateHistory.
func (a *Account) StateVersions(ctx context.Context, key string, visit func(account.StateVersion) bool) error {
	if a.args.State == nil {
		return errors.New("the stack has no state in S3")
	}
	where, err := url.Parse(a.args.State.URL)
	if err != nil || where.Scheme != "s3" || where.Host == "" {
		return fmt.Errorf("the backend %s is not in S3", a.args.State.URL)
	}
	bucket, client := where.Host, s3Client(a.aws)
	for pages := s3.NewListObjectVersionsPaginator(client, &s3.ListObjectVersionsInput{Bucket: &bucket, Prefix: &key}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("the versions of %s in %s: %w", key, a.args.State.URL, err)
		}
		for _, marker := range page.DeleteMarkers {
			if aws.ToString(marker.Key) == key && aws.ToBool(marker.IsLatest) {
				return nil
			}
		}
		for _, listed := range page.Versions { // S3 lists the versions of a key from the newest to the oldest
			if aws.ToString(listed.Key) != key {
				continue
			}
			version, err := readVersion(ctx, client, bucket, listed)
			if err != nil {
				return err
			}
			if !visit(version) {
				return nil
			}
		}
	}
	return nil
}

func readVersion(ctx context.Context, client *s3.Client, bucket string, listed types.ObjectVersion) (account.StateVersion, error) {
	version := account.StateVersion{
		ID: aws.ToString(listed.VersionId), Written: aws.ToTime(listed.LastModified).UTC(), Latest: aws.ToBool(listed.IsLatest),
	}
	got, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: listed.Key, VersionId: listed.VersionId})
	if err == nil {
		defer got.Body.Close()
		version.Data, err = io.ReadAll(got.Body)
	}
	if err != nil {
		return version, fmt.Errorf("version %s of %s: %w", version.ID, aws.ToString(listed.Key), err)
	}
	return version, nil
}
