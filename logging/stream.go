package logging

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/kinesis"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/catalog"
	"slipway/internal/policy"
	"slipway/internal/wiring"
)

const streamType = "slipway:logging:Stream"

// A Source is who writes to a stream.
type Source string

const (
	// Subscription is CloudWatch Logs. It sends batches of log events; each batch is one JSON object that names its log
	// group and log stream. An object in S3 has one batch per line.
	Subscription Source = "subscription"
	// FireLens is the log router of a task. It sends lines.
	FireLens Source = "firelens"
)

// StreamArgs describe a stream: its source, its destination and its key.
type StreamArgs struct {
	Site      wiring.Site
	Source    Source
	KeyARN    pulumi.StringInput // encrypts the stream and the objects
	BucketARN pulumi.StringInput
	Days      int // retention of the stream's own errors
}

// A Stream is a Kinesis Firehose from one Source to the archive: encrypted, gzipped, one prefix per hour
// (SOURCE/yyyy/MM/dd/HH/, UTC), failed records under errors/, and its own errors in a log group.
//
// Cost: $0.029 per GB, each record rounded up to 5 KB (us-east-1, from memory). Renaming the stack replaces it.
type Stream struct {
	pulumi.ResourceState
	Name pulumi.StringOutput
	ARN  pulumi.StringOutput
	// KeyARN is the stream's key, which those that put records into it may use (EncryptRecords).
	KeyARN pulumi.StringInput
	// WriterARN is the role that CloudWatch Logs assumes to write to the stream; set for Subscription only.
	WriterARN pulumi.StringOutput

	writes pulumi.Resource // the writer's policy: AWS tests it when a subscription is created
	watch  catalog.Watch
}

// Watch is the alarm of the stream.
func (s *Stream) Watch() catalog.Watch {
	if s == nil {
		return catalog.Watch{}
	}
	return s.watch
}

// NewStream creates a stream.
func NewStream(ctx *pulumi.Context, name string, args *StreamArgs, opts ...pulumi.ResourceOption) (*Stream, error) {
	if args.Source != Subscription && args.Source != FireLens {
		return nil, fmt.Errorf("logging: source must be subscription or firelens, got %q", args.Source)
	}
	s := &Stream{}
	if err := ctx.RegisterComponentResource(streamType, name, s, opts...); err != nil {
		return nil, err
	}
	streamName := args.Site.Name(string(args.Source))
	alarm := freshness
	alarm.Name, alarm.Entry = alarm.Name+"-"+string(args.Source), alarm.Name
	s.watch = catalog.Watch{
		Alarms:     []catalog.Alarm{alarm},
		Dimensions: map[string]pulumi.StringInput{"DeliveryStreamName": pulumi.String(streamName)},
	}

	errors, err := cloudwatch.NewLogGroup(ctx, name+"-errors", &cloudwatch.LogGroupArgs{
		Name:            pulumi.String(args.Site.Path("firehose", string(args.Source))),
		KmsKeyId:        args.KeyARN.ToStringOutput(),
		RetentionInDays: pulumi.Int(args.Days),
	}, pulumi.Parent(s))
	if err != nil {
		return nil, err
	}
	errorStream, err := cloudwatch.NewLogStream(ctx, name+"-errors-delivery", &cloudwatch.LogStreamArgs{
		Name: pulumi.String(string(args.Source)), LogGroupName: errors.Name,
	}, pulumi.Parent(s))
	if err != nil {
		return nil, err
	}
	role, grant, err := s.deliverer(ctx, name, args, errors.Arn)
	if err != nil {
		return nil, err
	}
	firehose, err := kinesis.NewFirehoseDeliveryStream(ctx, name, &kinesis.FirehoseDeliveryStreamArgs{
		Name:        pulumi.String(streamName),
		Destination: pulumi.String("extended_s3"),
		ServerSideEncryption: &kinesis.FirehoseDeliveryStreamServerSideEncryptionArgs{
			Enabled: pulumi.Bool(true), KeyType: pulumi.String("CUSTOMER_MANAGED_CMK"), KeyArn: args.KeyARN.ToStringOutput(),
		},
		ExtendedS3Configuration: &kinesis.FirehoseDeliveryStreamExtendedS3ConfigurationArgs{
			RoleArn: role.Arn, BucketArn: args.BucketARN, KmsKeyArn: args.KeyARN.ToStringOutput(),
			Prefix:            pulumi.String(string(args.Source) + "/!{timestamp:yyyy/MM/dd/HH}/"),
			ErrorOutputPrefix: pulumi.String("errors/" + string(args.Source) + "/!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd}/"),
			CompressionFormat: pulumi.String("GZIP"),
			BufferingSize:     pulumi.Int(64),
			BufferingInterval: pulumi.Int(300),
			CloudwatchLoggingOptions: &kinesis.FirehoseDeliveryStreamExtendedS3ConfigurationCloudwatchLoggingOptionsArgs{
				Enabled: pulumi.Bool(true), LogGroupName: errors.Name, LogStreamName: errorStream.Name,
			},
			ProcessingConfiguration: processing(args.Source),
		},
	}, pulumi.Parent(s), pulumi.DependsOn([]pulumi.Resource{grant}))
	if err != nil {
		return nil, err
	}
	s.Name, s.ARN, s.KeyARN = firehose.Name, firehose.Arn, args.KeyARN
	if args.Source == Subscription {
		if err := s.writer(ctx, name, args); err != nil {
			return nil, err
		}
	}
	return s, ctx.RegisterResourceOutputs(s, pulumi.Map{"name": s.Name, "arn": s.ARN})
}

// deliverer is the role that Firehose assumes to write and encrypt objects, and to log its errors. Its trust policy has no
// condition, as in the Firehose guide, "Grant Firehose access to an Amazon S3 destination".
func (s *Stream) deliverer(
	ctx *pulumi.Context, name string, args *StreamArgs, errorsARN pulumi.StringOutput,
) (*iam.Role, *iam.RolePolicy, error) {
	role, err := iam.NewRole(ctx, name+"-role", &iam.RoleArgs{
		Name:                pulumi.String(args.Site.Name("firehose-" + string(args.Source))),
		Description:         pulumi.String("Firehose writes logs into the archive"),
		AssumeRolePolicy:    policy.Trust("firehose.amazonaws.com", nil),
		PermissionsBoundary: args.Site.Boundary,
	}, pulumi.Parent(s))
	if err != nil {
		return nil, nil, err
	}
	grant, err := iam.NewRolePolicy(ctx, name+"-role-policy", &iam.RolePolicyArgs{
		Role: role.ID(), Name: pulumi.String("deliver"),
		Policy: policy.Document(policy.Statement{
			Sid:       "FindBucket",
			Actions:   []string{"s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"},
			Resources: []any{args.BucketARN},
		}, policy.Statement{
			Sid:     "WriteObjects",
			Actions: []string{"s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"},
			Resources: []any{
				pulumi.Sprintf("%s/%s/*", args.BucketARN, string(args.Source)),
				pulumi.Sprintf("%s/errors/%s/*", args.BucketARN, string(args.Source)),
			},
		}, policy.Statement{
			Sid:        "EncryptObjects",
			Actions:    []string{"kms:Decrypt", "kms:GenerateDataKey"},
			Resources:  []any{args.KeyARN},
			Conditions: map[string]map[string]any{"StringEquals": {"kms:ViaService": "s3." + args.Site.Region + ".amazonaws.com"}},
		}, policy.Statement{
			Sid:       "LogErrors",
			Actions:   []string{"logs:PutLogEvents"},
			Resources: []any{pulumi.Sprintf("%s:log-stream:*", errorsARN)},
		}),
	}, pulumi.Parent(s))
	return role, grant, err
}

// writer is the role that CloudWatch Logs assumes to write to this stream only. Its trust policy is that of the CloudWatch
// Logs guide, "Subscription filters with Amazon Data Firehose", which has no source account.
func (s *Stream) writer(ctx *pulumi.Context, name string, args *StreamArgs) error {
	site := args.Site
	role, err := iam.NewRole(ctx, name+"-writer", &iam.RoleArgs{
		Name:        pulumi.String(site.Name(writerPart)),
		Description: pulumi.String("CloudWatch Logs forwards log events to Firehose"),
		AssumeRolePolicy: policy.Trust("logs."+site.Region+".amazonaws.com", policy.Conditions{
			"StringLike": {"aws:SourceArn": site.ARN("logs", "*")},
		}),
		PermissionsBoundary: site.Boundary,
	}, pulumi.Parent(s))
	if err != nil {
		return err
	}
	grant, err := iam.NewRolePolicy(ctx, name+"-writer-policy", &iam.RolePolicyArgs{
		Role: role.ID(), Name: pulumi.String("put"),
		Policy: policy.Document(policy.Statement{
			Sid:       "PutRecords",
			Actions:   []string{"firehose:PutRecord", "firehose:PutRecordBatch"},
			Resources: []any{s.ARN},
		}, policy.EncryptRecords(site.Region, args.KeyARN)),
	}, pulumi.Parent(s))
	if err != nil {
		return err
	}
	s.WriterARN, s.writes = role.Arn, grant
	return nil
}

// processing decompresses the batches of CloudWatch Logs and adds a newline after each, because Firehose writes records
// without a separator. The processor CloudWatchLogProcessing stays off: it keeps only the message of each event, and drops
// its log group, log stream, time and ID. Source: Firehose guide, "Send CloudWatch Logs to Firehose", and its API
// reference, Processor, by which AppendDelimiterToRecord needs no parameter.
func processing(source Source) kinesis.FirehoseDeliveryStreamExtendedS3ConfigurationProcessingConfigurationPtrInput {
	if source != Subscription {
		return nil
	}
	return &kinesis.FirehoseDeliveryStreamExtendedS3ConfigurationProcessingConfigurationArgs{
		Enabled: pulumi.Bool(true),
		Processors: kinesis.FirehoseDeliveryStreamExtendedS3ConfigurationProcessingConfigurationProcessorArray{
			&kinesis.FirehoseDeliveryStreamExtendedS3ConfigurationProcessingConfigurationProcessorArgs{
				Type: pulumi.String("Decompression"),
				Parameters: kinesis.FirehoseDeliveryStreamExtendedS3ConfigurationProcessingConfigurationProcessorParameterArray{
					&kinesis.FirehoseDeliveryStreamExtendedS3ConfigurationProcessingConfigurationProcessorParameterArgs{
						ParameterName: pulumi.String("CompressionFormat"), ParameterValue: pulumi.String("GZIP"),
					},
				},
			},
			&kinesis.FirehoseDeliveryStreamExtendedS3ConfigurationProcessingConfigurationProcessorArgs{
				Type: pulumi.String("AppendDelimiterToRecord"),
			},
		},
	}
}
