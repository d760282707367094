package awsaccount

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"slipway/logline"
	"slipway/operation/account"
)

// A logReader reads CloudWatch Logs and S3.
type logReader struct {
	logs *cloudwatchlogs.Client
	s3   *s3.Client
}

// LogGroups implements account.LogReader.
func (r logReader) LogGroups(ctx context.Context, prefix string) ([]account.LogGroup, error) {
	var groups []account.LogGroup
	pages := cloudwatchlogs.NewDescribeLogGroupsPaginator(r.logs, &cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, g := range page.LogGroups {
			groups = append(groups, account.LogGroup{Name: aws.ToString(g.LogGroupName), Created: milliseconds(g.CreationTime),
				Retention: time.Duration(aws.ToInt32(g.RetentionInDays)) * 24 * time.Hour})
		}
	}
	return groups, nil
}

func milliseconds(ms *int64) time.Time {
	if ms == nil {
		return time.Time{}
	}
	return time.UnixMilli(*ms).UTC()
}

// lateness is how late the time of a stream's last event may be. Source: CloudWatch Logs API reference, LogStream: "updates on an eventual
// consistency basis. It typically updates in less than an hour from ingestion".
const lateness = time.Hour

// LogStreams implements account.LogReader.
func (r logReader) LogStreams(ctx context.Context, group string, since time.Time) ([]account.LogStream, error) {
	var streams []account.LogStream
	pages := cloudwatchlogs.NewDescribeLogStreamsPaginator(r.logs, &cloudwatchlogs.DescribeLogStreamsInput{LogGroupName: &group,
		OrderBy: logtypes.OrderByLastEventTime, Descending: aws.Bool(true)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		var none *logtypes.ResourceNotFoundException
		if errors.As(err, &none) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		for _, s := range page.LogStreams {
			if s.LastEventTimestamp != nil && milliseconds(s.LastEventTimestamp).Add(lateness).Before(since) {
				return streams, nil // and so are the rest
			}
			streams = append(streams, account.LogStream{Name: aws.ToString(s.LogStreamName), Created: milliseconds(s.CreationTime),
				First: milliseconds(s.FirstEventTimestamp), Last: milliseconds(s.LastEventTimestamp)})
		}
	}
	return streams, nil
}

// Events implements account.LogReader. FilterLogEvents returns events by time, those of one moment in no order that matters here (CloudWatch
// Logs API reference, FilterLogEvents).
func (r logReader) Events(ctx context.Context, q account.EventQuery, visit func([]logline.Event) error) error {
	in := &cloudwatchlogs.FilterLogEventsInput{LogGroupName: &q.Group, StartTime: aws.Int64(q.From.UnixMilli())}
	if !q.To.IsZero() {
		in.EndTime = aws.Int64(q.To.UnixMilli() - 1) // which is included
	}
	if q.Term != "" {
		in.FilterPattern = aws.String(`"` + strings.ReplaceAll(q.Term, `"`, `\"`) + `"`)
	}
	pages := cloudwatchlogs.NewFilterLogEventsPaginator(r.logs, in)
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		var none *logtypes.ResourceNotFoundException
		if errors.As(err, &none) {
			return nil
		}
		if err != nil {
			return err
		}
		var events []logline.Event
		for _, e := range page.Events {
			event := logline.Event{Time: milliseconds(e.Timestamp), ID: aws.ToString(e.EventId), Group: q.Group, Stream: aws.ToString(e.LogStreamName),
				Text: strings.TrimRight(aws.ToString(e.Message), "\r\n")}
			event.Place()
			events = append(events, event)
		}
		slices.SortStableFunc(events, func(a, b logline.Event) int { return a.Time.Compare(b.Time) })
		if len(events) > 0 {
			if err := visit(events); err != nil {
				return err
			}
		}
	}
	return nil
}

// Archived implements account.LogReader.
func (r logReader) Archived(ctx context.Context, bucket, prefix string) ([]string, error) {
	var keys []string
	pages := s3.NewListObjectsV2Paginator(r.s3, &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		var none *s3types.NoSuchBucket
		if errors.As(err, &none) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		for _, o := range page.Contents {
			keys = append(keys, aws.ToString(o.Key))
		}
	}
	return keys, nil
}

// Archive implements account.LogReader.
func (r logReader) Archive(ctx context.Context, bucket, key string) (io.ReadCloser, error) {
	out, err := r.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return nil, err
	}
	return out.Body, nil
}
