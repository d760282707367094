package cloud

import (
	"regexp"
	"slices"
	"strings"
)

// Data Firehose and Kinesis streams.

var (
	firehoseCode  = "InvalidArgumentException"
	prefixPart    = regexp.MustCompile(`!\{([^}]*)\}`)
	compressions  = words("UNCOMPRESSED GZIP ZIP Snappy HADOOP_SNAPPY")
	destinations  = words("extended_s3 redshift elasticsearch opensearch opensearchserverless splunk http_endpoint snowflake iceberg")
	processorsSet = words("RecordDeAggregation Decompression CloudWatchLogProcessing Lambda MetadataExtraction AppendDelimiterToRecord")
)

// streamKinds are the resource types of Data Firehose and Kinesis.
func streamKinds() []Kind {
	return []Kind{
		deliveryStreamKind(), kinesisStreamKind(),
	}
}

func deliveryStreamKind() Kind {
	return Kind{
		Type: firehoseType, CreateAction: "firehose:CreateDeliveryStream", UpdateAction: "firehose:UpdateDestination",
		DeleteAction: "firehose:DeleteDeliveryStream",
		Name:         Name{Input: "name", Max: 64, Form: `[a-zA-Z0-9_.-]+`, Taken: "ResourceInUseException"},
		NotFound:     "ResourceNotFoundException",
		Refs: []Ref{soft("extendedS3Configuration.bucketArn", "arn", bucketType), roleRef("extendedS3Configuration.roleArn"),
			keyRef("extendedS3Configuration.kmsKeyArn"),
			soft("extendedS3Configuration.s3BackupConfiguration.bucketArn", "arn", bucketType), keyRef("serverSideEncryption.keyArn"),
			soft("kinesisSourceConfiguration.kinesisStreamArn", "arn", streamType), roleRef("kinesisSourceConfiguration.roleArn"),
			roleRef("httpEndpointConfiguration.roleArn"), soft("httpEndpointConfiguration.s3Configuration.bucketArn", "arn", bucketType)},
		Defaults:   map[string]any{"destinationId": "destinationId-000000000001", "versionId": "1"},
		Check:      checkFirehose,
		CheckState: checkFirehoseState,
		Compute: func(a *Account, o *Object) error {
			o.ID = a.arn("firehose", "deliverystream/"+Inputs(o.Outputs).String("name"))
			o.Outputs["arn"] = o.ID
			if was := a.was(o); was != nil {
				o.Outputs["versionId"] = was.Outputs["versionId"]
				if !same(was.Inputs["extendedS3Configuration"], o.Inputs["extendedS3Configuration"]) {
					o.Outputs["versionId"] = jsonText(atoi(Inputs(was.Outputs).String("versionId")) + 1)
				}
			}
			if Inputs(o.Inputs).Has("extendedS3Configuration") {
				for path, v := range map[string]any{"bufferingInterval": 300, "bufferingSize": 5, "compressionFormat": "UNCOMPRESSED",
					"s3BackupMode": "Disabled", "customTimeZone": "UTC"} {
					fill(o, "extendedS3Configuration."+path, v)
				}
			}
			return nil
		},
		Recomputed: map[string][]string{"extendedS3Configuration": {"versionId"}},
	}
}

func kinesisStreamKind() Kind {
	return Kind{
		Type: streamType, CreateAction: "kinesis:CreateStream", UpdateAction: "kinesis:UpdateShardCount", DeleteAction: "kinesis:DeleteStream",
		Name:     Name{Input: "name", Max: 128, Form: `[a-zA-Z0-9_.-]+`, Taken: "ResourceInUseException"},
		NotFound: "ResourceNotFoundException",
		Refs:     []Ref{keyRef("kmsKeyId")},
		Defaults: map[string]any{"retentionPeriod": 24, "encryptionType": "NONE", "enforceConsumerDeletion": false},
		Check: func(in Inputs, unknown Unknowns) []Problem {
			p := allOf(between(in, "retentionPeriod", 24, 8760), oneOf(in, "encryptionType", "NONE", "KMS"),
				oneOf(in, "streamModeDetails.streamMode", "PROVISIONED", "ON_DEMAND"), tagProblems(in))
			if in.String("streamModeDetails.streamMode") != "ON_DEMAND" && given(in, unknown, "shardCount") == 0 &&
				!unknown.Within("streamModeDetails") {
				p = append(p, awsProblem("shardCount", firehoseCode, "a provisioned stream needs at least 1 shard"))
			}
			if in.String("encryptionType") == "KMS" && given(in, unknown, "kmsKeyId") == 0 {
				p = append(p, awsProblem("kmsKeyId", firehoseCode, "encryption with KMS needs a key"))
			}
			return p
		},
		Compute: func(a *Account, o *Object) error {
			o.ID = a.arn("kinesis", "stream/"+Inputs(o.Outputs).String("name"))
			o.Outputs["arn"] = o.ID
			fill(o, "streamModeDetails", map[string]any{"streamMode": "PROVISIONED"})
			return nil
		},
	}
}

func checkFirehose(in Inputs, unknown Unknowns) []Problem {
	p := allOf(oneOf(in, "destination", destinations...), oneOf(in, "serverSideEncryption.keyType", "AWS_OWNED_CMK",
		"CUSTOMER_MANAGED_CMK"), tagProblems(in))
	if in.Has("serverSideEncryption.keyArn") && in.String("serverSideEncryption.keyType") != "CUSTOMER_MANAGED_CMK" {
		p = append(p, awsProblem("serverSideEncryption.keyType", firehoseCode, "a key needs keyType CUSTOMER_MANAGED_CMK"))
	}
	if in.String("serverSideEncryption.keyType") == "CUSTOMER_MANAGED_CMK" && given(in, unknown, "serverSideEncryption.keyArn") == 0 {
		p = append(p, awsProblem("serverSideEncryption.keyArn", firehoseCode, "keyType CUSTOMER_MANAGED_CMK needs a key"))
	}
	if in.Bool("serverSideEncryption.enabled") && in.Has("kinesisSourceConfiguration") {
		p = append(p, awsProblem("serverSideEncryption", firehoseCode, "a stream that reads from Kinesis is encrypted there"))
	}
	if in.String("destination") != "extended_s3" {
		return p
	}
	const s3 = "extendedS3Configuration"
	if given(in, unknown, s3) == 0 && !unknown.Within(s3) {
		return append(p, awsProblem(s3, firehoseCode, "required for the destination extended_s3"))
	}
	p = append(p, allOf(between(in, s3+".bufferingSize", 1, 128), between(in, s3+".bufferingInterval", 0, 900),
		oneOf(in, s3+".compressionFormat", compressions...),
		oneOf(in, s3+".s3BackupMode", "Disabled", "Enabled"), longest(in, s3+".prefix", 1024), longest(in, s3+".errorOutputPrefix", 1024))...)
	p = append(p, prefixProblems(in.Map(s3), unknown, s3)...)
	if z := in.String(s3 + ".customTimeZone"); z != "" {
		if f := zoneFault(z); f != "" {
			p = append(p, awsProblem(s3+".customTimeZone", firehoseCode, "%s", f))
		}
	}
	if in.Bool(s3+".cloudwatchLoggingOptions.enabled") && (given(in, unknown, s3+".cloudwatchLoggingOptions.logGroupName") == 0 ||
		given(in, unknown, s3+".cloudwatchLoggingOptions.logStreamName") == 0) {
		p = append(p, awsProblem(s3+".cloudwatchLoggingOptions", firehoseCode, "error logging needs logGroupName and logStreamName"))
	}
	dynamic := in.Bool(s3 + ".dynamicPartitioningConfiguration.enabled")
	if size := numberOr(in, s3+".bufferingSize", 5); dynamic && size < 64 {
		p = append(p, awsProblem(s3+".bufferingSize", firehoseCode,
			"BufferingHints.SizeInMBs must be at least 64 when Dynamic Partitioning is enabled, got %v", size))
	}
	if x := in.String(s3 + ".fileExtension"); x != "" && !strings.HasPrefix(x, ".") {
		p = append(p, awsProblem(s3+".fileExtension", firehoseCode, "expected an extension with its dot, such as .log.gz, got %q", x))
	}
	steps := map[string]bool{}
	for i, step := range in.Maps(s3 + ".processingConfiguration.processors") {
		kind := step.String("type")
		if !slices.Contains(processorsSet, kind) {
			p = append(p, awsProblem(at(s3+".processingConfiguration.processors", i)+".type", firehoseCode, "expected %s, got %q",
				alternatives(processorsSet), kind))
		}
		steps[kind] = true
	}
	// Firehose guide, "Understand partitioning keys": a key from a query is extracted by the processor MetadataExtraction.
	if strings.Contains(in.String(s3+".prefix"), "!{partitionKeyFromQuery:") && !steps["MetadataExtraction"] &&
		!unknown.Within(s3+".processingConfiguration") {
		p = append(p, awsProblem(s3+".processingConfiguration", firehoseCode,
			"partitionKeyFromQuery needs a processor of type MetadataExtraction"))
	}
	if dynamic && numberOr(in, s3+".bufferingSize", 5) >= 64 && !strings.Contains(in.String(s3+".prefix"), "!{partitionKey") &&
		!unknown.Has(s3+".prefix") {
		p = append(p, awsProblem(s3+".prefix", firehoseCode,
			"S3 Prefix should contain Dynamic Partitioning namespaces when Dynamic Partitioning is enabled"))
	}
	if steps["CloudWatchLogProcessing"] && !steps["Decompression"] {
		p = append(p, awsProblem(s3+".processingConfiguration.processors", firehoseCode, "CloudWatchLogProcessing needs Decompression before it"))
	}
	return p
}

// prefixProblems checks the S3 prefixes of a delivery stream. Expressions are !{namespace:value}; a prefix with expressions needs
// an errorOutputPrefix that contains the error type.
func prefixProblems(s3 Inputs, unknown Unknowns, root string) []Problem {
	var p []Problem
	prefix, failed := s3.String("prefix"), s3.String("errorOutputPrefix")
	for _, name := range []string{"prefix", "errorOutputPrefix"} {
		text := s3.String(name)
		for _, m := range prefixPart.FindAllStringSubmatch(text, -1) {
			space, value, _ := strings.Cut(m[1], ":")
			switch {
			case !slices.Contains(words("timestamp firehose partitionKeyFromQuery partitionKeyFromLambda"), space):
				p = append(p, awsProblem(root+"."+name, firehoseCode,
					"unknown expression !{%s}: expected timestamp, firehose, partitionKeyFromQuery or partitionKeyFromLambda", m[1]))
			case name == "prefix" && value == "error-output-type":
				p = append(p, awsProblem(root+"."+name, firehoseCode, "!{firehose:error-output-type} is for errorOutputPrefix only"))
			case space == "firehose" && value != "random-string" && value != "error-output-type":
				p = append(p, awsProblem(root+"."+name, firehoseCode, "expected !{firehose:random-string} or !{firehose:error-output-type}, got !{%s}",
					m[1]))
			case name == "errorOutputPrefix" && strings.HasPrefix(space, "partitionKey"):
				p = append(p, awsProblem(root+"."+name, firehoseCode, "an error prefix takes no partition keys"))
			case strings.HasPrefix(space, "partitionKey") && !s3.Bool("dynamicPartitioningConfiguration.enabled") &&
				!unknown.Within(root+".dynamicPartitioningConfiguration"):
				p = append(p, awsProblem(root+"."+name, firehoseCode, "!{%s} needs dynamic partitioning, which is not enabled", m[1]))
			}
		}
		if strings.Count(text, "!{") != len(prefixPart.FindAllString(text, -1)) {
			p = append(p, awsProblem(root+"."+name, firehoseCode, "an expression !{...} is not closed in %q", text))
		}
	}
	if strings.Contains(prefix, "!{") && failed == "" && !unknown.Has(root+".errorOutputPrefix") {
		p = append(p, awsProblem(root+".errorOutputPrefix", firehoseCode, "ErrorOutputPrefix must be given when Prefix has expressions"))
	}
	if strings.Contains(failed, "!{") && !strings.Contains(failed, "!{firehose:error-output-type}") {
		p = append(p, awsProblem(root+".errorOutputPrefix", firehoseCode,
			"ErrorOutputPrefix with expressions must hold !{firehose:error-output-type}"))
	}
	return p
}

// checkFirehoseState checks the stream's key and the quota.
func checkFirehoseState(a *Account, o *Object) error {
	in := Inputs(o.Inputs)
	if key := keyNamed(a, in.String("serverSideEncryption.keyArn")); key != nil && key.Outputs["isEnabled"] == false {
		return refuse("InvalidKMSResourceException", "the key is disabled", "Firehose is unable to use the KMS key %s", key.Outputs["arn"])
	}
	return limit{most: 5000, code: "LimitExceededException", message: "The limit of delivery streams is reached."}.check(a, o)
}
