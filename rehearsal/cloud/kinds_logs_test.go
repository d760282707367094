package cloud

import (
	"fmt"
	"strings"
	"testing"
)

func TestLogIncidents(t *testing.T) {
	const s3 = "extendedS3Configuration"
	refuses(t, []incident{
		{name: "logs kept for 42 days", like: "logs", change: properties{"retentionInDays": 42}, code: "expected 0, 1, 3",
			path: "retentionInDays"},
		{name: "a log group with a space", like: "logs", change: properties{"name": "/site/my web"}, code: "not a name", path: "name"},
		{name: "a log group that exists", like: "logs", change: properties{"name": "/site/web"}, code: "ResourceAlreadyExistsException"},
		{name: "a subscription of a log group that does not exist", like: "subscription", change: properties{"logGroup": "/site/nothing"},
			code: "ResourceNotFoundException"},
		{name: "a third subscription", before: func(w *world) {
			w.create(subscriptionType, "second", changed(w.inputs["subscription"], properties{"name": "second"}))
		}, like: "subscription", change: properties{"name": "third"}, code: "LimitExceededException"},
		{name: "a subscription without a role", like: "subscription", change: properties{"roleArn": nil}, code: "needs a role", path: "roleArn"},
		{name: "a subscription with Firehose's role", like: "subscription", change: properties{"name": "b",
			"roleArn": "arn:aws:iam::" + DefaultAccountID + ":role/firehose"}, code: "InvalidParameterException"},
		{name: "a subscription whose role may not put records", before: func(w *world) {
			if err := w.delete("subscription-policy"); err != nil {
				w.t.Fatal(err)
			}
		}, like: "subscription", change: properties{"name": "b"}, code: "InvalidParameterException"},
		{name: "a subscription whose role's boundary holds no records", before: func(w *world) {
			w.create(policyType, "boundary", properties{"name": "boundary", "policy": policyText(allow("logs:*", "*"))})
			if err := w.update("subscription-role", properties{"permissionsBoundary": w.arn("boundary")}); err != nil {
				w.t.Fatal(err)
			}
		}, like: "subscription", change: properties{"name": "b"}, code: "InvalidParameterException"},
		{name: "a subscription to a stream that does not exist", like: "subscription", change: properties{"name": "b",
			"destinationArn": "arn:aws:firehose:us-east-1:" + DefaultAccountID + ":deliverystream/nothing"}, code: "ResourceNotFoundException"},
		{name: "a metric with dimensions and a default", like: "errors",
			change: properties{"metricTransformation.dimensions": properties{"a": "$.a"}, "metricTransformation.defaultValue": "0"},
			code:   "no default", path: "metricTransformation.defaultValue"},
		{name: "a stream whose name is too long", like: "firehose", change: properties{"name": strings.Repeat("x", 65)},
			code: "at most 64", path: "name"},
		{name: "a stream that exists", like: "firehose", change: properties{"name": "site-logs"}, code: "ResourceInUseException"},
		{name: "expressions without an error prefix", like: "firehose", change: properties{s3 + ".errorOutputPrefix": nil},
			code: "ErrorOutputPrefix must be given", path: s3 + ".errorOutputPrefix"},
		{name: "an error prefix that does not say the error", like: "firehose",
			change: properties{s3 + ".errorOutputPrefix": "failed/!{timestamp:yyyy}/"}, code: "error-output-type", path: s3 + ".errorOutputPrefix"},
		{name: "an expression that does not exist", like: "firehose", change: properties{s3 + ".prefix": "logs/!{time:yyyy}/"},
			code: "unknown expression", path: s3 + ".prefix"},
		{name: "an expression that is not closed", like: "firehose", change: properties{s3 + ".prefix": "logs/!{timestamp:yyyy/"},
			code: "not closed", path: s3 + ".prefix"},
		{name: "a buffer of 200 MB", like: "firehose", change: properties{s3 + ".bufferingSize": 200}, code: "1 to 128",
			path: s3 + ".bufferingSize"},
		{name: "a compression that does not exist", like: "firehose", change: properties{s3 + ".compressionFormat": "gzip"}, code: "GZIP",
			path: s3 + ".compressionFormat"},
		{name: "a role that Firehose may not take", like: "firehose", change: properties{s3 + ".roleArn": "arn:aws:iam::" + DefaultAccountID +
			":role/task"}, code: "InvalidArgumentException"},
		{name: "a bucket that does not exist", like: "firehose",
			change: properties{s3 + ".bucketArn": "arn:aws:s3:::site-nothing"}, code: "NoSuchBucket"},
		{name: "records split without being unpacked", like: "firehose",
			change: properties{s3 + ".processingConfiguration": properties{"enabled": true,
				"processors": []any{properties{"type": "CloudWatchLogProcessing"}}}}, code: "Decompression",
			path: s3 + ".processingConfiguration.processors"},
	})
}

func TestAlarmIncidents(t *testing.T) {
	body := func(widget string) properties { return properties{"dashboardBody": `{"widgets":[` + widget + `]}`} }
	refuses(t, []incident{
		{name: "an alarm on a mean", like: "alarm", change: properties{"statistic": "Mean"}, code: "expected SampleCount", path: "statistic"},
		{name: "an alarm without a statistic", like: "alarm", change: properties{"statistic": nil},
			code: "exactly one of statistic", path: "statistic"},
		{name: "an alarm on two statistics", like: "alarm", change: properties{"extendedStatistic": "p99"},
			code: "exactly one of statistic", path: "statistic"},
		{name: "a percentile above all", like: "alarm", change: properties{"statistic": nil, "extendedStatistic": "p999"}, code: "percentile",
			path: "extendedStatistic"},
		{name: "an alarm every 45 seconds", like: "alarm", change: properties{"period": 45}, code: "multiple of 60", path: "period"},
		{name: "an alarm over more than a day", like: "alarm", change: properties{"period": 300, "evaluationPeriods": 300},
			code: "more than a day", path: "evaluationPeriods"},
		{name: "more datapoints than periods", like: "alarm", change: properties{"datapointsToAlarm": 4}, code: "1 to evaluationPeriods",
			path: "datapointsToAlarm"},
		{name: "an alarm that is greater", like: "alarm", change: properties{"comparisonOperator": "Greater"}, code: "GreaterThanThreshold",
			path: "comparisonOperator"},
		{name: "an alarm without a threshold", like: "alarm", change: properties{"threshold": nil}, code: "needs a threshold", path: "threshold"},
		{name: "an alarm to a topic that does not exist", like: "alarm",
			change: properties{"alarmActions": []any{"arn:aws:sns:us-east-1:" + DefaultAccountID + ":nothing"}}, code: "NotFound"},
		{name: "two queries that return data", like: "alarm", change: properties{"metricName": nil, "namespace": nil, "statistic": nil,
			"period": nil, "metricQueries": []any{
				properties{"id": "a", "expression": "1", "returnData": true}, properties{"id": "b", "expression": "a*2", "returnData": true}}},
			code: "exactly one query", path: "metricQueries"},
		{name: "a query named in capitals", like: "alarm", change: properties{"metricName": nil, "namespace": nil, "statistic": nil,
			"period": nil, "metricQueries": []any{
				properties{"id": "Errors", "expression": "1", "returnData": true}}}, code: "lower-case letter", path: "metricQueries[0].id"},
		{name: "a dashboard that is no JSON", like: "dashboard", change: properties{"dashboardBody": "{"},
			code: "InvalidParameterInput", path: "dashboardBody"},
		{name: "a widget past the edge", like: "dashboard", change: body(`{"type":"text","x":20,"width":8,"properties":{"markdown":"x"}}`),
			code: "past column 24", path: "dashboardBody.widgets[0].x"},
		{name: "a widget of no kind", like: "dashboard", change: body(`{"type":"graph"}`), code: "InvalidParameterInput",
			path: "dashboardBody.widgets[0].type"},
		{name: "a metric widget without a region", like: "dashboard", change: body(`{"type":"metric","properties":{"metrics":[["A","B"]]}}`),
			code: "region", path: "dashboardBody.widgets[0].properties.region"},
		{name: "a rule that waits for nothing", like: "failed", change: properties{"eventPattern": nil},
			code: "needs an eventPattern", path: "eventPattern"},
		{name: "a pattern with a bare value", like: "failed", change: properties{"eventPattern": `{"source":"aws.ecs"}`},
			code: "InvalidEventPatternException", path: "eventPattern"},
	})
}

func TestMessageIncidents(t *testing.T) {
	refuses(t, []incident{
		{name: "mail without an address", like: "mail", change: properties{"endpoint": "ops"}, code: "Email endpoint", path: "endpoint"},
		{name: "a protocol that does not exist", like: "mail", change: properties{"protocol": "pager"}, code: "expected email", path: "protocol"},
		{name: "a subscription of a topic that does not exist", like: "mail",
			change: properties{"topic": "arn:aws:sns:us-east-1:" + DefaultAccountID + ":nothing"}, code: "NotFound"},
		{name: "a queue by its address", like: "mail", change: properties{"protocol": "sqs",
			"endpoint": "https://sqs.us-east-1.amazonaws.com/1/x"}, code: "SQS endpoint ARN", path: "endpoint"},
		{name: "a FIFO topic without its ending", like: "topic", change: properties{"fifoTopic": true}, code: ".fifo", path: "name"},
		{name: "messages kept for a month", like: "queue", change: properties{"messageRetentionSeconds": 2592000}, code: "60 to 1209600",
			path: "messageRetentionSeconds"},
		{name: "messages hidden for a day", like: "queue", change: properties{"visibilityTimeoutSeconds": 86400}, code: "0 to 43200",
			path: "visibilityTimeoutSeconds"},
		{name: "a queue of a name that is taken", like: "queue", change: properties{"name": "work"}, code: "QueueAlreadyExists"},
		{name: "a dead-letter queue that does not exist", like: "queue",
			change: properties{"redrivePolicy": `{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:` + DefaultAccountID +
				`:nothing","maxReceiveCount":5}`}, code: "InvalidParameterValue"},
		{name: "a dead-letter queue without a count", like: "queue",
			change: properties{"redrivePolicy": `{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:` + DefaultAccountID + `:dead"}`},
			code:   "maxReceiveCount", path: "redrivePolicy"},
		{name: "a FIFO queue with a plain dead-letter queue", like: "queue", change: properties{"name": "x.fifo", "fifoQueue": true},
			code: "InvalidParameterValue"},
		{name: "a queue that is encrypted twice", like: "queue", change: properties{"sqsManagedSseEnabled": true,
			"kmsMasterKeyId": "alias/aws/sqs"}, code: "either by SQS", path: "sqsManagedSseEnabled"},
	})
}

func TestScheduleIncidents(t *testing.T) {
	expression := func(name, text, code string) incident {
		return incident{name: name, like: "job", change: properties{"scheduleExpression": text}, code: code, path: "scheduleExpression"}
	}
	refuses(t, []incident{
		expression("the cron of Unix", "cron(* * * * *)", "6 fields"),
		expression("no form at all", "* * * * * *", "expected at(...)"),
		expression("both days", "cron(0 3 1 * 2 *)", "exactly one of day of month and day of week"),
		expression("no day", "cron(0 3 ? * ? *)", "exactly one of day of month and day of week"),
		expression("minute 60", "cron(60 3 * * ? *)", "not valid for minutes"),
		expression("a month in German", "cron(0 3 1 MAI ? *)", "not valid for month"),
		expression("one days", "rate(1 days)", "takes the singular"),
		expression("five minute", "rate(5 minute)", "takes the plural"),
		expression("never", "rate(0 minutes)", "more than 0"),
		expression("every few seconds", "rate(5 seconds)", "minutes|hours|days"),
		expression("a day without an hour", "at(2030-01-01)", "yyyy-mm-ddThh:mm:ss"),
		{name: "a zone that does not exist", like: "job", change: properties{"scheduleExpressionTimezone": "Europe/Bern"},
			code: "not an IANA time zone",
			path: "scheduleExpressionTimezone"},
		{name: "a window that is not flexible", like: "job", change: properties{"flexibleTimeWindow": properties{"mode": "OFF",
			"maximumWindowInMinutes": 5}}, code: "FLEXIBLE", path: "flexibleTimeWindow.maximumWindowInMinutes"},
		{name: "two hundred attempts", like: "job", change: properties{"target.retryPolicy": properties{"maximumRetryAttempts": 200}},
			code: "0 to 185", path: "target.retryPolicy.maximumRetryAttempts"},
		{name: "a role that Scheduler may not take", like: "job", change: properties{"target.roleArn": "arn:aws:iam::" + DefaultAccountID +
			":role/task"}, code: "ValidationException"},
		{name: "a task definition that does not exist", like: "job",
			change: properties{"target.ecsParameters.taskDefinitionArn": "arn:aws:ecs:us-east-1:" + DefaultAccountID + ":task-definition/web:99"},
			code:   "ClientException"},
		{name: "a command for a container that the task has not", like: "job",
			change: properties{"target.input": `{"containerOverrides":[{"name":"cron","command":["x"]}]}`}, code: "ValidationException"},
		{name: "a command that is no JSON", like: "job", change: properties{"target.input": "clearsessions"},
			code: "not valid JSON", path: "target.input"},
		{name: "a task on Fargate without a network", like: "job", change: properties{"target.ecsParameters.networkConfiguration": nil},
			code: "needs its network", path: "target.ecsParameters.networkConfiguration"},
		{name: "a group that does not exist", like: "job", change: properties{"groupName": "night"}, code: "ResourceNotFoundException"},
		{name: "a dead-letter queue that does not exist", like: "job",
			change: properties{"target.deadLetterConfig.arn": "arn:aws:sqs:us-east-1:" + DefaultAccountID + ":nothing"},
			code:   "AWS.SimpleQueueService.NonExistentQueue"},
		{name: "a job of one name twice", like: "job", change: properties{"name": "clean"}, code: "ConflictException"},
	})
}

// The examples of AWS's documentation are accepted.
func TestSchedulesThatAWSTakes(t *testing.T) {
	for _, text := range entries(`rate(1 minute)|rate(5 minutes)|rate(1 hour)|rate(7 days)|at(2030-11-20T13:00:00)|
		cron(0 10 * * ? *)|cron(15 12 * * ? *)|cron(0 18 ? * MON-FRI *)|
		cron(0 8 1 * ? *)|cron(0/15 * * * ? *)|cron(0/10 * ? * MON-FRI *)|cron(0/5 8-17 ? * MON-FRI *)|cron(0 9 ? * 2#1 *)|
		cron(0 0 L * ? *)|cron(0 0 ? * 6L 2024-2030)|cron(0 0 3W * ? *)|cron(0 6,18 * JAN,JUL ? *)`) {
		if fault := scheduleFault(text, "at", "rate", "cron"); fault != "" {
			t.Errorf("%s: %s", text, fault)
		}
	}
}

// entries splits a table whose entries hold spaces.
func entries(text string) []string {
	var all []string
	for _, s := range strings.Split(text, "|") {
		all = append(all, strings.TrimSpace(s))
	}
	return all
}

func TestDomainIncidents(t *testing.T) {
	refuses(t, []incident{
		{name: "a record in a zone that does not exist", like: "www", change: properties{"zoneId": "Z00000000000000000000"},
			code: "NoSuchHostedZone"},
		{name: "a record that exists", like: "www", code: "InvalidChangeBatch"},
		{name: "an alias of a balancer that does not exist", like: "www", change: properties{"name": "new",
			"aliases[0].name": "site-1.us-east-1.elb.amazonaws.com"}, code: "InvalidChangeBatch"},
		{name: "an address that is a name", like: "www", change: properties{"name": "new", "aliases": nil, "ttl": 60,
			"records": []any{"www.example.org"}}, code: "IllegalIPv4Address", path: "records[0]"},
		{name: "records without a time to live", like: "www", change: properties{"name": "new", "aliases": nil, "records": []any{"192.0.2.1"}},
			code: "need a ttl", path: "ttl"},
		{name: "an alias and records", like: "www", change: properties{"name": "new", "ttl": nil, "records": []any{"192.0.2.1"}},
			code: "exactly one of records and aliases", path: "records"},
		{name: "a CNAME at the top of the zone", like: "proof", change: properties{"name": "example.com"}, code: "InvalidChangeBatch"},
		{name: "a CNAME beside an address", like: "proof", change: properties{"name": "www.example.com"}, code: "InvalidChangeBatch"},
		{name: "a certificate for an address", like: "certificate", change: properties{"domainName": "https://example.com/"},
			code: "ValidationException", path: "domainName"},
		{name: "a certificate with a dot at the end", like: "certificate", change: properties{"domainName": "example.com."},
			code: "no dot at its end", path: "domainName"},
		{name: "a certificate for eleven names", like: "certificate", change: properties{"subjectAlternativeNames": []any{"a.b.co", "b.b.co",
			"c.b.co", "d.b.co", "e.b.co", "f.b.co", "g.b.co", "h.b.co", "i.b.co", "j.b.co", "k.b.co"}}, code: "LimitExceededException",
			path: "subjectAlternativeNames"},
		{name: "a certificate without its validation record", before: func(w *world) {
			w.create(certificateType, "fresh", properties{"domainName": "new.example.com", "validationMethod": "DNS"})
			w.inputs["valid"] = properties{"certificateArn": w.arn("fresh")}
		}, like: "valid", code: "PENDING_VALIDATION"},
		{name: "a certificate with the record of another", before: func(w *world) {
			w.create(certificateType, "fresh", properties{"domainName": "new.example.com", "validationMethod": "DNS"})
			w.inputs["valid"] = properties{"certificateArn": w.arn("fresh"), "validationRecordFqdns": []any{w.out("proof", "fqdn")}}
		}, like: "valid", code: "MissingValidationRecord"},
		{name: "a certificate deleted under its listener", like: "certificate", delete: true, code: "ResourceInUseException"},
		{name: "a zone deleted with records", before: func(w *world) {
			w.create(zoneType, "own", properties{"name": "example.net"})
			w.create(recordType, "own-www", properties{"zoneId": w.id("own"), "name": "www", "type": "A", "ttl": 60, "records": []any{"192.0.2.1"}})
		}, like: "own", delete: true, code: "HostedZoneNotEmpty"},
	})
}

// A wildcard and the name under it are proved by one record.
func TestAWildcardSharesItsProof(t *testing.T) {
	w := siteWorld(t)
	c := w.create(certificateType, "wild", properties{"domainName": "example.com", "subjectAlternativeNames": []any{"*.example.com"},
		"validationMethod": "DNS"})
	options := Inputs(c.Outputs).Maps("domainValidationOptions")
	if len(options) != 2 || options[0]["resourceRecordName"] != options[1]["resourceRecordName"] ||
		options[0]["resourceRecordValue"] != options[1]["resourceRecordValue"] {
		t.Errorf("expected two names with one record, got %v", options)
	}
}

func TestIncidentsOfResourcePolicies(t *testing.T) {
	const token = "aws:cloudwatch/logResourcePolicy:LogResourcePolicy"
	policy := func(name, resource string) properties {
		return properties{"policyName": name, "policyDocument": policyText(allow([]any{"logs:CreateLogStream", "logs:PutLogEvents"}, resource,
			properties{"Principal": properties{"Service": "delivery.logs.amazonaws.com"}}))}
	}
	document := func(text string) func(*world) properties {
		return func(*world) properties { return properties{"policyName": "waf", "policyDocument": text} }
	}
	long := "arn:aws:logs:us-east-1:" + DefaultAccountID + ":log-group:" + strings.Repeat("x", 5000)
	refuses(t, []incident{
		{name: "one that is too long", like: "waf", before: offer("waf", token, func(*world) properties { return policy("waf", long) }),
			code: "at most 5120 characters", path: "policyDocument"},
		{name: "one that is no JSON", like: "waf", before: offer("waf", token, document("{")),
			code: "the text is not JSON", path: "policyDocument"},
		{name: "one that lets no service in", like: "waf", before: offer("waf", token, document(policyText(allow("logs:PutLogEvents", "*")))),
			code: "it needs a Principal", path: "policyDocument"},
		{name: "an eleventh", like: "p9", before: func(w *world) {
			for i := range 10 {
				w.create(token, fmt.Sprint("p", i), policy(fmt.Sprint("p", i), "*"))
			}
		}, change: properties{"policyName": "p10"}, code: "LimitExceededException"},
	})
}

func TestRarerLogIncidents(t *testing.T) {
	const s3 = "extendedS3Configuration"
	body := func(widget string) properties { return properties{"dashboardBody": `{"widgets":[` + widget + `]}`} }
	queries := func(all ...any) properties {
		return properties{"metricName": nil, "namespace": nil, "statistic": nil, "period": nil, "metricQueries": all}
	}
	refuses(t, []incident{
		{name: "a key that is not said", like: "firehose", change: properties{"serverSideEncryption": properties{"enabled": true,
			"keyType": "CUSTOMER_MANAGED_CMK"}}, code: "needs a key", path: "serverSideEncryption.keyArn"},
		{name: "a key of AWS that is said", like: "firehose", change: properties{"serverSideEncryption": properties{"enabled": true,
			"keyArn": "arn:aws:kms:us-east-1:" + DefaultAccountID + ":key/x"}}, code: "CUSTOMER_MANAGED_CMK", path: "serverSideEncryption.keyType"},
		{name: "a disabled key", like: "firehose", before: and(func(w *world) {
			if err := w.update("key", properties{"isEnabled": false}); err != nil {
				w.t.Fatal(err)
			}
		}, "firehose", func(w *world) properties {
			return properties{"serverSideEncryption": properties{"enabled": true, "keyType": "CUSTOMER_MANAGED_CMK", "keyArn": w.arn("key")}}
		}), code: "InvalidKMSResourceException"},
		{name: "a destination that is not described", like: "firehose", change: properties{s3: nil},
			code: "required for the destination", path: s3},
		{name: "a prefix in a zone that does not exist", like: "firehose", change: properties{s3 + ".customTimeZone": "CET/Berlin"},
			code: "not an IANA time zone", path: s3 + ".customTimeZone"},
		{name: "errors logged nowhere", like: "firehose", change: properties{s3 + ".cloudwatchLoggingOptions": properties{"enabled": true}},
			code: "logGroupName", path: s3 + ".cloudwatchLoggingOptions"},
		{name: "partitions with a small buffer", like: "firehose",
			change: properties{s3 + ".dynamicPartitioningConfiguration": properties{"enabled": true}}, code: "at least 64",
			path: s3 + ".bufferingSize"},
		{name: "an extension without its dot", like: "firehose", change: properties{s3 + ".fileExtension": "gz"}, code: "with its dot",
			path: s3 + ".fileExtension"},
		{name: "a processor that does not exist", like: "firehose",
			change: properties{s3 + ".processingConfiguration": properties{"enabled": true, "processors": []any{properties{"type": "Gunzip"}}}},
			code:   "expected RecordDeAggregation", path: s3 + ".processingConfiguration.processors[0].type"},
		{name: "the kind of error in a prefix of records", like: "firehose", change: properties{s3 + ".prefix": "!{firehose:error-output-type}/"},
			code: "errorOutputPrefix only", path: s3 + ".prefix"},
		{name: "an expression of Firehose that does not exist", like: "firehose", change: properties{s3 + ".prefix": "!{firehose:date}/"},
			code: "random-string", path: s3 + ".prefix"},
		{name: "an error prefix with partition keys", like: "firehose",
			change: properties{s3 + ".errorOutputPrefix": "!{firehose:error-output-type}/!{partitionKeyFromQuery:a}/"}, code: "no partition keys",
			path: s3 + ".errorOutputPrefix"},
		{name: "a stream encrypted with nothing", like: "stream", before: offer("stream", streamType, func(*world) properties {
			return properties{"name": "s", "shardCount": 1, "encryptionType": "KMS"}
		}), code: "needs a key", path: "kmsKeyId"},
		{name: "four dimensions of a metric", like: "errors", change: properties{"metricTransformation.dimensions": properties{"a": "$.a",
			"b": "$.b", "c": "$.c", "d": "$.d"}}, code: "at most 3", path: "metricTransformation.dimensions"},
		{name: "a hundred and first metric filter", like: "errors", before: func(w *world) {
			for i := range 99 {
				w.create("aws:cloudwatch/logMetricFilter:LogMetricFilter", fmt.Sprint("f", i),
					changed(w.inputs["errors"], properties{"name": fmt.Sprint("f", i)}))
			}
		}, change: properties{"name": "last"}, code: "LimitExceededException"},
		{name: "a query of 51 log groups", like: "query", before: offer("query", "aws:cloudwatch/queryDefinition:QueryDefinition",
			func(*world) properties {
				return properties{"name": "errors", "queryString": "fields @message", "logGroupNames": many(51, func(int) any { return "/site/web" })}
			}), code: "at most 50", path: "logGroupNames"},
		{name: "an alarm on an alarm that does not exist", like: "both", before: offer("both", compositeType, func(*world) properties {
			return properties{"alarmName": "both", "alarmRule": `ALARM("cpu") AND ALARM("memory")`}
		}), code: "ValidationError"},
		{name: "31 dimensions", like: "alarm", change: properties{"dimensions": func() properties {
			d := properties{}
			for i := range 31 {
				d[fmt.Sprint("d", i)] = "x"
			}
			return d
		}()}, code: "at most 30", path: "dimensions"},
		{name: "two queries of one name", like: "alarm", change: queries(properties{"id": "a", "expression": "1", "returnData": true},
			properties{"id": "a", "expression": "2"}), code: "appears twice", path: "metricQueries[1].id"},
		{name: "a query of nothing", like: "alarm", change: queries(properties{"id": "a", "returnData": true}),
			code: "either a metric or an expression", path: "metricQueries[0]"},
		{name: "six actions", like: "alarm", before: and(nil, "alarm", func(w *world) properties {
			return properties{"alarmActions": many(6, func(int) any { return w.arn("topic") })}
		}), code: "at most 5", path: "alarmActions"},
		{name: "501 widgets", like: "dashboard", change: body(strings.TrimSuffix(strings.Repeat(`{"type":"text","properties":{"markdown":"x"}},`,
			501), ",")), code: "at most 500", path: "dashboardBody"},
		{name: "a widget of no width", like: "dashboard", change: body(`{"type":"text","width":0,"properties":{"markdown":"x"}}`),
			code: "1 to 24", path: "dashboardBody.widgets[0].width"},
		{name: "a widget of no height", like: "dashboard", change: body(`{"type":"text","height":0,"properties":{"markdown":"x"}}`),
			code: "1 to 1000", path: "dashboardBody.widgets[0].height"},
		{name: "a metric widget of nothing", like: "dashboard", change: body(`{"type":"metric","properties":{"region":"us-east-1"}}`),
			code: "metrics or annotations", path: "dashboardBody.widgets[0].properties"},
		{name: "a metric that is no list", like: "dashboard",
			change: body(`{"type":"metric","properties":{"region":"us-east-1","metrics":["CPU"]}}`), code: "is a list",
			path: "dashboardBody.widgets[0].properties.metrics[0]"},
		{name: "a log widget without a query", like: "dashboard", change: body(`{"type":"log","properties":{"region":"us-east-1"}}`),
			code: "its query", path: "dashboardBody.widgets[0].properties.query"},
		{name: "a text widget without text", like: "dashboard", change: body(`{"type":"text","properties":{}}`), code: "its markdown",
			path: "dashboardBody.widgets[0].properties.markdown"},
	})
}

func TestRarerMessageIncidents(t *testing.T) {
	const ecs = "target.ecsParameters"
	refuses(t, []incident{
		{name: "mail through Firehose without a role", like: "mail", before: and(nil, "mail", func(w *world) properties {
			return properties{"protocol": "firehose", "endpoint": w.arn("firehose")}
		}), code: "required for the protocol firehose", path: "subscriptionRoleArn"},
		{name: "a topic's policy for another topic", like: "topic-policy", before: offer("topic-policy", "aws:sns/topicPolicy:TopicPolicy",
			func(w *world) properties {
				return properties{"arn": w.arn("topic"), "policy": policyText(allow("sns:Publish", "arn:aws:sns:us-east-1:"+DefaultAccountID+":other",
					properties{"Principal": properties{"Service": "cloudwatch.amazonaws.com"}}))}
			}), code: "single resource", path: "policy"},
		{name: "a FIFO queue without its ending", like: "queue", change: properties{"fifoQueue": true, "redrivePolicy": nil},
			code: ".fifo", path: "name"},
		{name: "a redrive permission that does not exist", like: "queue",
			change: properties{"redriveAllowPolicy": `{"redrivePermission":"none"}`},
			code:   "allowAll", path: "redriveAllowPolicy"},
		{name: "the default group", like: "group", change: properties{"name": "default"}, before: offer("group", scheduleGroupType,
			func(*world) properties { return properties{"name": "default"} }), code: "exists already", path: "name"},
		{name: "a schedule that ends before it starts", like: "job", change: properties{"startDate": "2030-02-01T00:00:00Z",
			"endDate": "2030-01-01T00:00:00Z"}, code: "ends before", path: "endDate"},
		{name: "a cluster without a task", like: "job", change: properties{ecs: nil}, code: "needs them", path: ecs},
		{name: "a job with a strategy and a launch type", like: "job",
			change: properties{ecs + ".capacityProviderStrategies": []any{properties{"capacityProvider": "FARGATE", "weight": 1}}},
			code:   "cannot both", path: ecs + ".launchType"},
		{name: "a job in two VPCs", like: "job", before: and(elsewhere, "job", func(w *world) properties {
			return properties{ecs + ".networkConfiguration.securityGroups": []any{w.id("stranger")}}
		}), code: "ValidationException"},
		{name: "a health check of nothing", like: "check", before: offer("check", healthCheckType, func(*world) properties {
			return properties{"type": "HTTPS"}
		}), code: "fqdn and ipAddress", path: "fqdn"},
		{name: "an old address as a new one", like: "www", change: properties{"name": "new", "type": "AAAA", "aliases": nil, "ttl": 60,
			"records": []any{"192.0.2.1"}}, code: "IllegalIPv6Address", path: "records[0]"},
		{name: "a CNAME of two names", like: "proof", change: properties{"name": "new", "records": []any{"a.example.org", "b.example.org"}},
			code: "has one value", path: "records"},
		{name: "a certificate whose first name is too long", like: "certificate",
			change: properties{"domainName": strings.Repeat("x", 60) + ".example.com"}, code: "at most 64", path: "domainName"},
	})
}
