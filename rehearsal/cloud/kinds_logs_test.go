package cloud

import (
	"strings"
	"testing"
)

func TestLogIncidents(t *testing.T) {
	const s3 = "extendedS3Configuration"
	refuses(t, []incident{
		{name: "logs kept for 42 days", like: "logs", change: properties{"retentionInDays": 42}, code: "expected 0, 1, 3", path: "retentionInDays"},
		{name: "a log group with a space", like: "logs", change: properties{"name": "/site/my web"}, code: "not a name", path: "name"},
		{name: "a log group that exists", like: "logs", change: properties{"name": "/site/web"}, code: "ResourceAlreadyExistsException"},
		{name: "a subscription of a log group that does not exist", like: "subscription", change: properties{"logGroup": "/site/nothing"}, code: "ResourceNotFoundException"},
		{name: "a third subscription", before: func(w *world) {
			w.create(subscriptionType, "second", changed(w.inputs["subscription"], properties{"name": "second"}))
		}, like: "subscription", change: properties{"name": "third"}, code: "LimitExceededException"},
		{name: "a subscription without a role", like: "subscription", change: properties{"roleArn": nil}, code: "needs a role", path: "roleArn"},
		{name: "a subscription with Firehose's role", like: "subscription", change: properties{"name": "b", "roleArn": "arn:aws:iam::" + defaultAccountID + ":role/firehose"}, code: "InvalidParameterException"},
		{name: "a subscription whose role may not put records", before: func(w *world) {
			if err := w.delete("subscription-policy"); err != nil {
				w.t.Fatal(err)
			}
		}, like: "subscription", change: properties{"name": "b"}, code: "InvalidParameterException"},
		{name: "a subscription to a stream that does not exist", like: "subscription", change: properties{"name": "b", "destinationArn": "arn:aws:firehose:us-east-1:" + defaultAccountID + ":deliverystream/nothing"}, code: "ResourceNotFoundException"},
		{name: "a metric with dimensions and a default", like: "errors", change: properties{"metricTransformation.dimensions": properties{"a": "$.a"}, "metricTransformation.defaultValue": "0"}, code: "no default", path: "metricTransformation.defaultValue"},
		{name: "a stream whose name is too long", like: "firehose", change: properties{"name": strings.Repeat("x", 65)}, code: "at most 64", path: "name"},
		{name: "a stream that exists", like: "firehose", change: properties{"name": "site-logs"}, code: "ResourceInUseException"},
		{name: "expressions without an error prefix", like: "firehose", change: properties{s3 + ".errorOutputPrefix": nil}, code: "ErrorOutputPrefix must be given", path: s3 + ".errorOutputPrefix"},
		{name: "an error prefix that does not say the error", like: "firehose", change: properties{s3 + ".errorOutputPrefix": "failed/!{timestamp:yyyy}/"}, code: "error-output-type", path: s3 + ".errorOutputPrefix"},
		{name: "an expression that does not exist", like: "firehose", change: properties{s3 + ".prefix": "logs/!{time:yyyy}/"}, code: "there is no expression", path: s3 + ".prefix"},
		{name: "an expression that is not closed", like: "firehose", change: properties{s3 + ".prefix": "logs/!{timestamp:yyyy/"}, code: "not closed", path: s3 + ".prefix"},
		{name: "a buffer of 200 MB", like: "firehose", change: properties{s3 + ".bufferingSize": 200}, code: "1 to 128", path: s3 + ".bufferingSize"},
		{name: "a compression that does not exist", like: "firehose", change: properties{s3 + ".compressionFormat": "gzip"}, code: "GZIP", path: s3 + ".compressionFormat"},
		{name: "a role that Firehose may not take", like: "firehose", change: properties{s3 + ".roleArn": "arn:aws:iam::" + defaultAccountID + ":role/task"}, code: "InvalidArgumentException"},
		{name: "a bucket that does not exist", like: "firehose", change: properties{s3 + ".bucketArn": "arn:aws:s3:::site-nothing"}, code: "NoSuchBucket"},
		{name: "records split without being unpacked", like: "firehose", change: properties{s3 + ".processingConfiguration": properties{"enabled": true, "processors": []any{properties{"type": "CloudWatchLogProcessing"}}}}, code: "Decompression", path: s3 + ".processingConfiguration.processors"},
	})
}

func TestAlarmIncidents(t *testing.T) {
	body := func(widget string) properties { return properties{"dashboardBody": `{"widgets":[` + widget + `]}`} }
	refuses(t, []incident{
		{name: "an alarm on a mean", like: "alarm", change: properties{"statistic": "Mean"}, code: "expected SampleCount", path: "statistic"},
		{name: "an alarm without a statistic", like: "alarm", change: properties{"statistic": nil}, code: "exactly one of statistic", path: "statistic"},
		{name: "an alarm on two statistics", like: "alarm", change: properties{"extendedStatistic": "p99"}, code: "exactly one of statistic", path: "statistic"},
		{name: "a percentile above all", like: "alarm", change: properties{"statistic": nil, "extendedStatistic": "p999"}, code: "percentile", path: "extendedStatistic"},
		{name: "an alarm every 45 seconds", like: "alarm", change: properties{"period": 45}, code: "multiple of 60", path: "period"},
		{name: "an alarm over more than a day", like: "alarm", change: properties{"period": 300, "evaluationPeriods": 300}, code: "more than a day", path: "evaluationPeriods"},
		{name: "more datapoints than periods", like: "alarm", change: properties{"datapointsToAlarm": 4}, code: "1 to evaluationPeriods", path: "datapointsToAlarm"},
		{name: "an alarm that is greater", like: "alarm", change: properties{"comparisonOperator": "Greater"}, code: "GreaterThanThreshold", path: "comparisonOperator"},
		{name: "an alarm without a threshold", like: "alarm", change: properties{"threshold": nil}, code: "needs a threshold", path: "threshold"},
		{name: "an alarm to a topic that does not exist", like: "alarm", change: properties{"alarmActions": []any{"arn:aws:sns:us-east-1:" + defaultAccountID + ":nothing"}}, code: "NotFound"},
		{name: "two queries that return data", like: "alarm", change: properties{"metricName": nil, "namespace": nil, "statistic": nil, "period": nil, "metricQueries": []any{
			properties{"id": "a", "expression": "1", "returnData": true}, properties{"id": "b", "expression": "a*2", "returnData": true}}}, code: "exactly one query", path: "metricQueries"},
		{name: "a query named in capitals", like: "alarm", change: properties{"metricName": nil, "namespace": nil, "statistic": nil, "period": nil, "metricQueries": []any{
			properties{"id": "Errors", "expression": "1", "returnData": true}}}, code: "small letter", path: "metricQueries[0].id"},
		{name: "a dashboard that is no JSON", like: "dashboard", change: properties{"dashboardBody": "{"}, code: "InvalidParameterInput", path: "dashboardBody"},
		{name: "a widget past the edge", like: "dashboard", change: body(`{"type":"text","x":20,"width":8,"properties":{"markdown":"x"}}`), code: "past column 24", path: "dashboardBody.widgets[0].x"},
		{name: "a widget of no kind", like: "dashboard", change: body(`{"type":"graph"}`), code: "InvalidParameterInput", path: "dashboardBody.widgets[0].type"},
		{name: "a metric widget without a region", like: "dashboard", change: body(`{"type":"metric","properties":{"metrics":[["A","B"]]}}`), code: "region", path: "dashboardBody.widgets[0].properties.region"},
		{name: "a rule that waits for nothing", like: "failed", change: properties{"eventPattern": nil}, code: "needs an eventPattern", path: "eventPattern"},
		{name: "a pattern with a bare value", like: "failed", change: properties{"eventPattern": `{"source":"aws.ecs"}`}, code: "InvalidEventPatternException", path: "eventPattern"},
	})
}

func TestMessageIncidents(t *testing.T) {
	refuses(t, []incident{
		{name: "mail to nobody", like: "mail", change: properties{"endpoint": "ops"}, code: "Email endpoint", path: "endpoint"},
		{name: "a protocol that does not exist", like: "mail", change: properties{"protocol": "pager"}, code: "expected email", path: "protocol"},
		{name: "a subscription of a topic that does not exist", like: "mail", change: properties{"topic": "arn:aws:sns:us-east-1:" + defaultAccountID + ":nothing"}, code: "NotFound"},
		{name: "a queue by its address", like: "mail", change: properties{"protocol": "sqs", "endpoint": "https://sqs.us-east-1.amazonaws.com/1/x"}, code: "SQS endpoint ARN", path: "endpoint"},
		{name: "a FIFO topic without its ending", like: "topic", change: properties{"fifoTopic": true}, code: ".fifo", path: "name"},
		{name: "messages kept for a month", like: "queue", change: properties{"messageRetentionSeconds": 2592000}, code: "60 to 1209600", path: "messageRetentionSeconds"},
		{name: "messages hidden for a day", like: "queue", change: properties{"visibilityTimeoutSeconds": 86400}, code: "0 to 43200", path: "visibilityTimeoutSeconds"},
		{name: "a queue of a name that is taken", like: "queue", change: properties{"name": "work"}, code: "QueueAlreadyExists"},
		{name: "a dead-letter queue that does not exist", like: "queue", change: properties{"redrivePolicy": `{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:` + defaultAccountID + `:nothing","maxReceiveCount":5}`}, code: "InvalidParameterValue"},
		{name: "a dead-letter queue without a count", like: "queue", change: properties{"redrivePolicy": `{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:` + defaultAccountID + `:dead"}`}, code: "maxReceiveCount", path: "redrivePolicy"},
		{name: "a FIFO queue with a plain dead-letter queue", like: "queue", change: properties{"name": "x.fifo", "fifoQueue": true}, code: "InvalidParameterValue"},
		{name: "a queue that is encrypted twice", like: "queue", change: properties{"sqsManagedSseEnabled": true, "kmsMasterKeyId": "alias/aws/sqs"}, code: "either by SQS", path: "sqsManagedSseEnabled"},
	})
}

func TestScheduleIncidents(t *testing.T) {
	expression := func(name, text, code string) incident {
		return incident{name: name, like: "job", change: properties{"scheduleExpression": text}, code: code, path: "scheduleExpression"}
	}
	refuses(t, []incident{
		expression("the cron of Unix", "cron(* * * * *)", "6 fields"),
		expression("no form at all", "* * * * * *", "expected at(...)"),
		expression("both days", "cron(0 3 1 * 2 *)", "must be ? and the other not"),
		expression("no day", "cron(0 3 ? * ? *)", "must be ? and the other not"),
		expression("minute 60", "cron(60 3 * * ? *)", "no minutes"),
		expression("a month in German", "cron(0 3 1 MAI ? *)", "no month"),
		expression("one days", "rate(1 days)", "takes the singular"),
		expression("five minute", "rate(5 minute)", "takes the plural"),
		expression("never", "rate(0 minutes)", "more than 0"),
		expression("every few seconds", "rate(5 seconds)", "minutes|hours|days"),
		expression("a day without an hour", "at(2030-01-01)", "yyyy-mm-ddThh:mm:ss"),
		{name: "a zone that does not exist", like: "job", change: properties{"scheduleExpressionTimezone": "Europe/Bern"}, code: "no time zone", path: "scheduleExpressionTimezone"},
		{name: "a window that is not flexible", like: "job", change: properties{"flexibleTimeWindow": properties{"mode": "OFF", "maximumWindowInMinutes": 5}}, code: "FLEXIBLE", path: "flexibleTimeWindow.maximumWindowInMinutes"},
		{name: "two hundred attempts", like: "job", change: properties{"target.retryPolicy": properties{"maximumRetryAttempts": 200}}, code: "0 to 185", path: "target.retryPolicy.maximumRetryAttempts"},
		{name: "a role that Scheduler may not take", like: "job", change: properties{"target.roleArn": "arn:aws:iam::" + defaultAccountID + ":role/task"}, code: "ValidationException"},
		{name: "a task definition that does not exist", like: "job", change: properties{"target.ecsParameters.taskDefinitionArn": "arn:aws:ecs:us-east-1:" + defaultAccountID + ":task-definition/web:99"}, code: "ClientException"},
		{name: "a command for a container that the task has not", like: "job", change: properties{"target.input": `{"containerOverrides":[{"name":"cron","command":["x"]}]}`}, code: "ValidationException"},
		{name: "a command that is no JSON", like: "job", change: properties{"target.input": "clearsessions"}, code: "not valid JSON", path: "target.input"},
		{name: "a task on Fargate without a network", like: "job", change: properties{"target.ecsParameters.networkConfiguration": nil}, code: "needs its network", path: "target.ecsParameters.networkConfiguration"},
		{name: "a group that does not exist", like: "job", change: properties{"groupName": "night"}, code: "ResourceNotFoundException"},
		{name: "a dead-letter queue that does not exist", like: "job", change: properties{"target.deadLetterConfig.arn": "arn:aws:sqs:us-east-1:" + defaultAccountID + ":nothing"}, code: "AWS.SimpleQueueService.NonExistentQueue"},
		{name: "a job of one name twice", like: "job", change: properties{"name": "clean"}, code: "ConflictException"},
	})
}

// What AWS's documentation gives as examples is taken.
func TestSchedulesThatAWSTakes(t *testing.T) {
	for _, text := range words2(`rate(1 minute)|rate(5 minutes)|rate(1 hour)|rate(7 days)|at(2030-11-20T13:00:00)|cron(0 10 * * ? *)|cron(15 12 * * ? *)|cron(0 18 ? * MON-FRI *)|
		cron(0 8 1 * ? *)|cron(0/15 * * * ? *)|cron(0/10 * ? * MON-FRI *)|cron(0/5 8-17 ? * MON-FRI *)|cron(0 9 ? * 2#1 *)|cron(0 0 L * ? *)|cron(0 0 ? * 6L 2024-2030)|cron(0 0 3W * ? *)|cron(0 6,18 * JAN,JUL ? *)`) {
		if fault := scheduleFault(text, "at", "rate", "cron"); fault != "" {
			t.Errorf("%s: %s", text, fault)
		}
	}
}

// words2 splits a table whose entries hold spaces.
func words2(text string) []string {
	var all []string
	for _, s := range strings.Split(text, "|") {
		all = append(all, strings.TrimSpace(s))
	}
	return all
}

func TestDomainIncidents(t *testing.T) {
	refuses(t, []incident{
		{name: "a record in a zone that does not exist", like: "www", change: properties{"zoneId": "Z00000000000000000000"}, code: "NoSuchHostedZone"},
		{name: "a record that exists", like: "www", code: "InvalidChangeBatch"},
		{name: "an alias of a balancer that does not exist", like: "www", change: properties{"name": "new", "aliases[0].name": "site-1.us-east-1.elb.amazonaws.com"}, code: "InvalidChangeBatch"},
		{name: "an address that is a name", like: "www", change: properties{"name": "new", "aliases": nil, "ttl": 60, "records": []any{"www.example.org"}}, code: "IllegalIPv4Address", path: "records[0]"},
		{name: "records without a time to live", like: "www", change: properties{"name": "new", "aliases": nil, "records": []any{"192.0.2.1"}}, code: "need a ttl", path: "ttl"},
		{name: "an alias and records", like: "www", change: properties{"name": "new", "ttl": nil, "records": []any{"192.0.2.1"}}, code: "exactly one of records and aliases", path: "records"},
		{name: "a CNAME at the top of the zone", like: "proof", change: properties{"name": "example.com"}, code: "InvalidChangeBatch"},
		{name: "a CNAME beside an address", like: "proof", change: properties{"name": "www.example.com"}, code: "InvalidChangeBatch"},
		{name: "a certificate for an address", like: "certificate", change: properties{"domainName": "https://example.com/"}, code: "ValidationException", path: "domainName"},
		{name: "a certificate with a dot at the end", like: "certificate", change: properties{"domainName": "example.com."}, code: "no dot at its end", path: "domainName"},
		{name: "a certificate for eleven names", like: "certificate", change: properties{"subjectAlternativeNames": []any{"a.b.co", "b.b.co", "c.b.co", "d.b.co", "e.b.co", "f.b.co", "g.b.co", "h.b.co", "i.b.co", "j.b.co", "k.b.co"}}, code: "LimitExceededException", path: "subjectAlternativeNames"},
		{name: "a certificate whose record nobody made", before: func(w *world) {
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
	c := w.create(certificateType, "wild", properties{"domainName": "example.com", "subjectAlternativeNames": []any{"*.example.com"}, "validationMethod": "DNS"})
	options := Inputs(c.Outputs).Maps("domainValidationOptions")
	if len(options) != 2 || options[0]["resourceRecordName"] != options[1]["resourceRecordName"] || options[0]["resourceRecordValue"] != options[1]["resourceRecordValue"] {
		t.Errorf("expected two names with one record, got %v", options)
	}
}
