package release

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// A StateVersion is an earlier version of the state, which the bucket of a Backend keeps.
type StateVersion struct {
	ID        string    `json:"id"`
	Written   time.Time `json:"written"`
	Resources int       `json:"resources"`
	Pending   int       `json:"pending"` // operations that it says were under way
	Newer     int       `json:"newer"`   // versions after it, none of which can be read

	data []byte
}

func (v StateVersion) String() string {
	return fmt.Sprintf("version %s of %s, with %d resources and %d pending operations",
		v.ID, v.Written.UTC().Format(time.RFC3339), v.Resources, v.Pending)
}

// ErrSound says that the state can be read, so there is nothing to restore.
var ErrSound = errors.New("the state can be read")

// Restorable finds the newest version of the state that can be read, when the current one cannot: an engine that loses its
// credentials or its connection can leave one that is cut short (pulumi/pulumi#2801). It changes nothing.
func (s *Stack) Restorable(ctx context.Context) (*StateVersion, error) {
	if s.Backend == nil {
		return nil, errors.New("release: only a backend in S3 keeps versions of the state")
	}
	bucket, err := s.Bucket(ctx)
	if err != nil {
		return nil, err
	}
	defer bucket.Close()
	var client *s3.Client
	if !bucket.As(&client) {
		return nil, fmt.Errorf("release: the backend %s is not in S3", s.Backend.URL)
	}
	name, err := s.Backend.bucketName()
	if err != nil {
		return nil, err
	}
	key := s.stateKey()
	newer := 0
	for pages := s3.NewListObjectVersionsPaginator(client, &s3.ListObjectVersionsInput{Bucket: &name, Prefix: &key}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("the versions of %s in %s: %w", key, s.Backend.URL, err)
		}
		for _, marker := range page.DeleteMarkers {
			if aws.ToString(marker.Key) == key && aws.ToBool(marker.IsLatest) { // the stack was removed, its state is not damaged
				return nil, ErrNoStack
			}
		}
		for _, listed := range page.Versions { // S3 lists the versions of a key from the newest to the oldest
			if aws.ToString(listed.Key) != key {
				continue
			}
			version, err := readVersion(ctx, client, name, listed)
			if err != nil {
				return nil, err
			}
			switch {
			case version != nil && aws.ToBool(listed.IsLatest):
				return nil, ErrSound
			case version != nil:
				version.Newer = newer
				return version, nil
			}
			newer++
		}
	}
	if newer == 0 {
		return nil, ErrNoStack
	}
	return nil, fmt.Errorf("no version of %s in %s can be read; %d were looked at", key, s.Backend.URL, newer)
}

// readVersion reads a version of the state, nil if it is damaged.
func readVersion(ctx context.Context, client *s3.Client, bucket string, listed s3types.ObjectVersion) (*StateVersion, error) {
	got, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: listed.Key, VersionId: listed.VersionId})
	if err != nil {
		return nil, fmt.Errorf("version %s of %s: %w", aws.ToString(listed.VersionId), aws.ToString(listed.Key), err)
	}
	defer got.Body.Close()
	data, err := io.ReadAll(got.Body)
	if err != nil {
		return nil, fmt.Errorf("version %s of %s: %w", aws.ToString(listed.VersionId), aws.ToString(listed.Key), err)
	}
	state, err := parseState(data)
	if err != nil {
		return nil, nil // the caller asks for the next one
	}
	return &StateVersion{
		ID: aws.ToString(listed.VersionId), Written: aws.ToTime(listed.LastModified).UTC(),
		Resources: len(state.Resources), Pending: len(state.Pending), data: data,
	}, nil
}

// RestoreState puts a version that Restorable found in the place of the damaged state. That stays among the versions for as
// long as the bucket keeps them.
func (s *Stack) RestoreState(ctx context.Context, v *StateVersion) error {
	bucket, err := s.Bucket(ctx)
	if err != nil {
		return err
	}
	defer bucket.Close()
	if err := bucket.WriteAll(ctx, s.stateKey(), v.data, nil); err != nil {
		return fmt.Errorf("the backend %s: %w", s.Backend.URL, err)
	}
	return nil
}
