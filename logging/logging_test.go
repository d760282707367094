package logging

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/catalog"
	"slipway/internal/graph"
	"slipway/internal/wiring"
)

var site = wiring.Site{Project: "slipway", Stack: "dev", Partition: "aws", Region: "us-east-1", AccountID: graph.Account, Protect: true}

const key = pulumi.String("arn:aws:kms:us-east-1:123456789012:key/logs")

func record(t *testing.T) graph.Graph {
	t.Helper()
	g, err := graph.Record("dev", nil, func(ctx *pulumi.Context) error {
		archive, err := NewArchive(ctx, "archive", &ArchiveArgs{Site: site, KeyARN: key, ArchiveDays: 365})
		if err != nil {
			return err
		}
		subscription, err := NewStream(ctx, "subscription",
			&StreamArgs{Site: site, Source: Subscription, KeyARN: key, BucketARN: archive.Logs.ARN, Days: 30})
		if err != nil {
			return err
		}
		firelens, err := NewStream(ctx, "firelens",
			&StreamArgs{Site: site, Source: FireLens, KeyARN: key, BucketARN: archive.Logs.ARN, Days: 30})
		if err != nil {
			return err
		}
		if _, err := NewGroup(ctx, "web", &GroupArgs{Name: site.Path("web"), KeyARN: key, Days: 30, Archive: subscription}); err != nil {
			return err
		}
		topic, err := NewTopic(ctx, "alarms", &TopicArgs{Site: site, KeyARN: key, Email: "ops@example.com"})
		if err != nil {
			return err
		}
		watched := Watched{Parts: []catalog.Watch{{
			Alarms: []catalog.Alarm{
				{Name: "cpu", Why: "Tasks are busy although scaling should have added some.", Dimensions: []string{"ClusterName"}, Statistic: "Average",
					Above: true, Threshold: 90, Minutes: 15, Period: 60},
				{Name: "storage", Why: "Less than a tenth of the storage is free and autoscaling has not helped.", Dimensions: []string{"Instance"},
					Statistic: "p99", Threshold: 0.1, Of: "bytes", Minutes: 15, Period: 300},
			},
			Dimensions: map[string]pulumi.StringInput{"ClusterName": pulumi.String("c"), "Instance": pulumi.String("db")},
			Capacity:   map[string]float64{"bytes": 20 << 30},
		}, subscription.Watch(), firelens.Watch(), (*Stream)(nil).Watch()},
			Database: pulumi.String("db"), DatabaseParameters: pulumi.String("parameters"),
		}
		if _, err := NewAlarms(ctx, "alarms", &AlarmsArgs{Site: site, Topic: topic, Watched: watched}); err != nil {
			return err
		}
		_, err = NewDashboard(ctx, "dashboard", &DashboardArgs{Site: site, Watched: watched})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestEveryBucketIsPrivate(t *testing.T) {
	g := record(t)
	buckets := g.Of("aws:s3/bucketV2:BucketV2")
	if len(buckets) != 2 {
		t.Fatalf("want the log and the access bucket, got %d", len(buckets))
	}
	for _, b := range buckets {
		if !b.Protect || b.Input("forceDestroy") != false {
			t.Errorf("%s: a protected stack must keep it", b.Name)
		}
		block := g.Named("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", b.Name+"-block")
		for _, input := range []string{"blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"} {
			if block.Input(input) != true {
				t.Errorf("%s: S3.8 %s is %v", b.Name, input, block.Input(input))
			}
		}
		policy := fmt.Sprint(g.Named("aws:s3/bucketPolicy:BucketPolicy", b.Name+"-policy").Input("policy"))
		if !strings.Contains(policy, `"aws:SecureTransport":"false"`) || !strings.Contains(policy, `"Deny"`) {
			t.Errorf("%s: S3.5 plain HTTP is not refused: %s", b.Name, policy)
		}
		if g.Named("aws:s3/bucketVersioningV2:BucketVersioningV2",
			b.Name+"-versions").Input("versioningConfiguration.status") != "Enabled" {
			t.Errorf("%s: S3.14 not versioned", b.Name)
		}
		if g.Named("aws:s3/bucketOwnershipControls:BucketOwnershipControls",
			b.Name+"-owner").Input("rule.objectOwnership") != "BucketOwnerEnforced" {
			t.Errorf("%s: S3.12 ACLs are on", b.Name)
		}
	}
}

func TestAccessLogsNeedABucketWithoutKMS(t *testing.T) {
	g := record(t)
	algorithm := func(bucket string) string {
		return fmt.Sprint(g.Named("aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2",
			bucket+"-encryption").Input("rules"))
	}
	if got := algorithm("archive-access"); !strings.Contains(got, "AES256") {
		t.Errorf("balancers deliver access logs only to SSE-S3, got %s", got)
	}
	if got := algorithm("archive-logs"); !strings.Contains(got, "aws:kms") || !strings.Contains(got, string(key)) {
		t.Errorf("logs must be encrypted with the key, got %s", got)
	}
	policy := fmt.Sprint(g.Named("aws:s3/bucketPolicy:BucketPolicy", "archive-access-policy").Input("policy"))
	for _, service := range []string{"logdelivery.elasticloadbalancing.amazonaws.com", "logging.s3.amazonaws.com"} {
		if !strings.Contains(policy, service) {
			t.Errorf("%s may not deliver: %s", service, policy)
		}
	}
}

func TestStreamsAreEncryptedCompressedDatedAndLogTheirErrors(t *testing.T) {
	g := record(t)
	for _, source := range []string{"subscription", "firelens"} {
		s := g.Named("aws:kinesis/firehoseDeliveryStream:FirehoseDeliveryStream", source)
		for path, want := range map[string]any{
			"name":                                      "slipway-dev-" + source,
			"serverSideEncryption.keyType":              "CUSTOMER_MANAGED_CMK",
			"serverSideEncryption.keyArn":               string(key),
			"extendedS3Configuration.kmsKeyArn":         string(key),
			"extendedS3Configuration.compressionFormat": "GZIP",
			"extendedS3Configuration.prefix":            source + "/!{timestamp:yyyy/MM/dd/HH}/",
			"extendedS3Configuration.errorOutputPrefix": "errors/" + source +
				"/!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd}/",
			"extendedS3Configuration.cloudwatchLoggingOptions.enabled":      true,
			"extendedS3Configuration.cloudwatchLoggingOptions.logGroupName": "/slipway/dev/firehose/" + source,
		} {
			if got := s.Input(path); got != want {
				t.Errorf("%s: %s is %v, want %v", source, path, got, want)
			}
		}
	}
}

// A batch of CloudWatch Logs is decompressed, kept complete and put on its own line: message extraction would drop the log
// group, stream and time of each event. Lines of a log router are what they are.
func TestBatchesOfCloudWatchLogsStayComplete(t *testing.T) {
	g := record(t)
	const processing = "extendedS3Configuration.processingConfiguration"
	batches := g.Named("aws:kinesis/firehoseDeliveryStream:FirehoseDeliveryStream", "subscription")
	want := []any{
		map[string]any{"type": "Decompression", "parameters": []any{
			map[string]any{"parameterName": "CompressionFormat", "parameterValue": "GZIP"},
		}},
		map[string]any{"type": "AppendDelimiterToRecord"},
	}
	if diff := cmp.Diff(want, batches.Input(processing+".processors")); diff != "" || batches.Input(processing+".enabled") != true {
		t.Errorf("processors (-want +got):\n%s", diff)
	}
	if got := g.Named("aws:kinesis/firehoseDeliveryStream:FirehoseDeliveryStream", "firelens").Input(processing); got != nil {
		t.Errorf("lines of the log router are processed by %v", got)
	}
}

func TestAGroupIsEncryptedRetainedAndForwarded(t *testing.T) {
	g := record(t)
	group := g.Named("aws:cloudwatch/logGroup:LogGroup", "web")
	if group.Input("kmsKeyId") != string(key) || group.Input("retentionInDays") != 30.0 {
		t.Errorf("group: %v", group.Inputs)
	}
	filter := g.Named("aws:cloudwatch/logSubscriptionFilter:LogSubscriptionFilter", "web-archive")
	if filter.Input("destinationArn") != "arn:aws:kinesis:us-east-1:123456789012:firehoseDeliveryStream/subscription" {
		t.Errorf("filter forwards to %v", filter.Input("destinationArn"))
	}
	if !strings.Contains(strings.Join(filter.DependsOn, " "), "subscription-writer-policy") {
		t.Errorf("AWS tests the role when the filter is made, so its policy must be there: %v", filter.DependsOn)
	}
}

func TestGroupRejectsAnUnsupportedRetention(t *testing.T) {
	_, err := graph.Record("dev", nil, func(ctx *pulumi.Context) error {
		_, err := NewGroup(ctx, "web", &GroupArgs{Name: "/slipway/dev/web", KeyARN: key, Days: 42})
		return err
	})
	if err == nil || !strings.Contains(err.Error(), "days of /slipway/dev/web must be one of 1 3 5 7") ||
		!strings.Contains(err.Error(), "got 42") {
		t.Fatalf("got %v", err)
	}
}

func TestEveryAlarmNotifiesTheTopicAndSaysWhatToDo(t *testing.T) {
	g := record(t)
	alarms := g.Of("aws:cloudwatch/metricAlarm:MetricAlarm")
	want := []string{"cpu", "storage", "firehose-subscription", "firehose-firelens"}
	if len(alarms) != len(want) {
		t.Errorf("want %d alarms, got %d", len(want), len(alarms))
	}
	for _, name := range want {
		a := g.Named("aws:cloudwatch/metricAlarm:MetricAlarm", "alarms-"+name)
		if a.Name == "" {
			t.Errorf("no alarm %s", name)
			continue
		}
		if fmt.Sprint(a.Input("alarmActions")) != "[arn:aws:sns:us-east-1:123456789012:topic/alarms]" {
			t.Errorf("%s notifies %v", name, a.Input("alarmActions"))
		}
		if len(fmt.Sprint(a.Input("alarmDescription"))) < 40 {
			t.Errorf("%s does not say what to do", name)
		}
	}
}

func TestAnAlarmHasTheDimensionsAndTheThresholdOfTheStack(t *testing.T) {
	g := record(t)
	storage := g.Named("aws:cloudwatch/metricAlarm:MetricAlarm", "alarms-storage")
	for path, want := range map[string]any{
		"dimensions.Instance": "db", "threshold": 2147483648.0, "comparisonOperator": "LessThanOrEqualToThreshold",
		"extendedStatistic": "p99", "evaluationPeriods": 3.0,
	} {
		if got := storage.Input(path); got != want {
			t.Errorf("%s is %v, want %v", path, got, want)
		}
	}
	stream := g.Named("aws:cloudwatch/metricAlarm:MetricAlarm", "alarms-firehose-firelens")
	if got := stream.Input("dimensions.DeliveryStreamName"); got != "slipway-dev-firelens" {
		t.Errorf("the alarm of a stream watches %v", got)
	}
	for _, a := range []catalog.Alarm{{Name: "cache", Dimensions: []string{"CacheClusterId"}}, {Name: "cache", Of: "CacheClusterId"}} {
		_, err := table(Watched{Parts: []catalog.Watch{{Alarms: []catalog.Alarm{a}}}})
		if err == nil || !strings.Contains(err.Error(), "CacheClusterId, for which its component has no value") {
			t.Errorf("an alarm of nothing: %v", err)
		}
	}
}

func TestTheTopicIsEncryptedWithAKeyThatAlarmsMayUse(t *testing.T) {
	topic := record(t).Named("aws:sns/topic:Topic", "alarms")
	if topic.Input("kmsMasterKeyId") != string(key) {
		t.Errorf("SNS.1: %v", topic.Inputs)
	}
}

// The buckets are versioned: an expiration only makes a log an old version. If those stayed as long as in other buckets, an
// archive of 30 days would hold, and bill, 120.
func TestTheArchiveEndsSoonAfterItsRetention(t *testing.T) {
	g, err := graph.Record("test", nil, func(ctx *pulumi.Context) error {
		_, err := NewArchive(ctx, "archive", &ArchiveArgs{
			Site: wiring.Site{Project: "slipway", Stack: "test"}, KeyARN: pulumi.String("arn:key"), ArchiveDays: 30,
		})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, bucket := range []string{"archive-logs", "archive-access"} {
		stored := map[string]any{}
		rules := g.Named("aws:s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2", bucket+"-lifecycle").Input("rules").([]any)
		for _, r := range rules {
			rule := graph.Resource{Inputs: r.(map[string]any)}
			for _, path := range []string{"expiration.days", "noncurrentVersionExpiration.noncurrentDays", "expiration.expiredObjectDeleteMarker"} {
				if value := rule.Input(path); value != nil {
					stored[path] = value
				}
			}
		}
		want := map[string]any{"expiration.days": 30.0, "noncurrentVersionExpiration.noncurrentDays": 7.0,
			"expiration.expiredObjectDeleteMarker": true}
		if diff := cmp.Diff(want, stored); diff != "" {
			t.Errorf("%s (-want +got):\n%s", bucket, diff)
		}
	}
}
