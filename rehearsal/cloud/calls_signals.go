package cloud

import (
	"strings"

	"slipway/rehearsal/iam"
)

// CloudWatch, CloudWatch Logs, EventBridge, Firehose, SNS, SQS.

const (
	logsPage      = authorization + "amazoncloudwatchlogs.html"
	logsResources = "https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/iam-access-control-overview-cwl.html"
	logsTagging   = "https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html"
	filterIssue   = "https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/1784"
	watchPage     = authorization + "amazoncloudwatch.html"
	eventsPage    = authorization + "amazoneventbridge.html"
	firehosePage  = authorization + "amazonkinesisfirehose.html"
	firehoseKeys  = "https://docs.aws.amazon.com/firehose/latest/APIReference/API_DeliveryStreamEncryptionConfigurationInput.html"
	firehoseRole  = "https://docs.aws.amazon.com/firehose/latest/dev/controlling-access.html"
	topicPage     = authorization + "amazonsns.html"
	topicTagging  = "https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html"
	queuePage     = authorization + "amazonsqs.html"
	queueTagging  = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html"
)

func signalCalls() map[string]lifecycle {
	// Logs authorises most actions on the group's ARN with an empty stream, and those about tags on the group's ARN itself.
	onGroup := func(action, name string) row {
		return call("logs:"+action, "logs:log-group:{"+name+"}:log-stream:").from(logsResources)
	}
	onGroupItself := func(action string) row { return call("logs:"+action, "logs:log-group:{name}").from(logsResources) }
	allGroups := call("logs:DescribeLogGroups", "logs:log-group::log-stream:").from(logsResources)
	onRule := "events:rule/{name}"
	targets := all(call("events:PutTargets", "events:rule/{rule}").key("events:TargetArn", "{arn}"), passes("roleArn", "events.amazonaws.com"))
	passFilter := call("iam:PassRole", "{roleArn}").if_(has("roleArn")).
		because("the call passes the role to CloudWatch Logs, without iam:PassedToService").from(filterIssue)
	firehoseRoles := func() row {
		return call("iam:PassRole").on_(deliveryRoles).because("the call passes the role to firehose.amazonaws.com").from(firehoseRole).
			with(func(_ view, c iam.Context) { c.Set("iam:PassedToService", iam.One("firehose.amazonaws.com")) })
	}
	onStream := "firehose:deliverystream/{name}"
	customerKey := is("serverSideEncryption.keyType", "CUSTOMER_MANAGED_CMK")
	onQueue := call("sqs:SetQueueAttributes").on_(queueARN)
	return map[string]lifecycle{
		logGroupType: {
			source: logsPage,
			create: all(onGroup("CreateLogGroup", "name").tags(), onGroupItself("TagResource").creating("", "").from(logsTagging)),
			then:   all(onGroup("PutRetentionPolicy", "name").if_(retained)),
			read:   all(allGroups, onGroupItself("ListTagsForResource")),
			update: all(onGroup("PutRetentionPolicy", "name").if_(changes("retentionInDays"), retained),
				onGroup("DeleteRetentionPolicy", "name").if_(changes("retentionInDays"), not(retained)),
				onGroup("AssociateKmsKey", "name").if_(changes("kmsKeyId"), has("kmsKeyId")),
				onGroup("DisassociateKmsKey", "name").if_(changes("kmsKeyId"), not(has("kmsKeyId"))),
				retag("logs:TagResource", "logs:UntagResource", "logs:log-group:{name}")),
			delete: all(onGroup("DeleteLogGroup", "name")),
		},
		"aws:cloudwatch/logStream:LogStream": {
			source: logsPage,
			create: all(call("logs:CreateLogStream", "logs:log-group:{logGroupName}:log-stream:{name}")),
			read:   all(onGroup("DescribeLogStreams", "logGroupName")),
			delete: all(call("logs:DeleteLogStream", "logs:log-group:{logGroupName}:log-stream:{name}")),
		},
		subscriptionType: {
			source: logsPage,
			create: all(onGroup("PutSubscriptionFilter", "logGroup"), passFilter),
			read:   all(onGroup("DescribeSubscriptionFilters", "logGroup")),
			update: all(onGroup("PutSubscriptionFilter", "logGroup"), passFilter),
			delete: all(onGroup("DeleteSubscriptionFilter", "logGroup")),
		},
		"aws:cloudwatch/logMetricFilter:LogMetricFilter": {
			source: logsPage,
			create: all(onGroup("PutMetricFilter", "logGroupName")),
			read:   all(onGroup("DescribeMetricFilters", "logGroupName")),
			update: all(onGroup("PutMetricFilter", "logGroupName")),
			delete: all(onGroup("DeleteMetricFilter", "logGroupName")),
		},
		"aws:cloudwatch/logResourcePolicy:LogResourcePolicy": {
			source: logsPage,
			create: all(call("logs:PutResourcePolicy", "*")),
			read:   all(call("logs:DescribeResourcePolicies", "*")),
			update: all(call("logs:PutResourcePolicy", "*")),
			delete: all(call("logs:DeleteResourcePolicy", "*")),
		},
		alarmType: {
			source: watchPage,
			create: all(notifying(call("cloudwatch:PutMetricAlarm", "cloudwatch:alarm:{name}").tags()),
				call("cloudwatch:TagResource", "cloudwatch:alarm:{name}").creating("", "")),
			read: all(call("cloudwatch:DescribeAlarms", "cloudwatch:alarm:{name}"),
				call("cloudwatch:ListTagsForResource", "cloudwatch:alarm:{name}")),
			update: all(notifying(call("cloudwatch:PutMetricAlarm", "cloudwatch:alarm:{name}")).if_(otherThan()),
				retag("cloudwatch:TagResource", "cloudwatch:UntagResource", "cloudwatch:alarm:{name}")),
			delete: all(call("cloudwatch:DeleteAlarms", "cloudwatch:alarm:{name}")),
		},
		"aws:cloudwatch/dashboard:Dashboard": {
			source: watchPage,
			create: all(call("cloudwatch:PutDashboard", "cloudwatch::dashboard/{dashboardName}")),
			read:   all(call("cloudwatch:GetDashboard", "cloudwatch::dashboard/{dashboardName}")),
			update: all(call("cloudwatch:PutDashboard", "cloudwatch::dashboard/{dashboardName}")),
			delete: all(call("cloudwatch:DeleteDashboards", "cloudwatch::dashboard/{dashboardName}")),
		},
		eventRuleType: {
			source: eventsPage,
			create: all(call("events:PutRule", onRule).tags(), call("events:TagResource", onRule).creating("", ""),
				passes("roleArn", "events.amazonaws.com")),
			read: all(call("events:DescribeRule", onRule), call("events:ListTagsForResource", onRule)),
			update: all(call("events:PutRule", onRule).if_(otherThan()), passes("roleArn", "events.amazonaws.com").if_(otherThan()),
				retag("events:TagResource", "events:UntagResource", onRule)),
			delete: all(call("events:DeleteRule", onRule)),
		},
		"aws:cloudwatch/eventTarget:EventTarget": {
			source: eventsPage,
			create: targets,
			read:   all(call("events:ListTargetsByRule", "events:rule/{rule}")),
			update: targets,
			delete: all(call("events:RemoveTargets", "events:rule/{rule}")),
		},
		firehoseType: {
			source: firehosePage,
			create: all(call("firehose:CreateDeliveryStream", onStream).tags(), call("firehose:TagDeliveryStream", onStream).creating("", ""),
				firehoseRoles()),
			then: all(call("firehose:StartDeliveryStreamEncryption", onStream).if_(on("serverSideEncryption.enabled")),
				limited(keyRights("firehose", "serverSideEncryption.keyArn", firehoseKeys, "CreateGrant"), customerKey)),
			read: all(call("firehose:DescribeDeliveryStream", onStream), call("firehose:ListTagsForDeliveryStream", onStream)),
			update: all(call("firehose:UpdateDestination", onStream).if_(otherThan("serverSideEncryption")),
				firehoseRoles().if_(otherThan("serverSideEncryption")),
				call("firehose:StartDeliveryStreamEncryption", onStream).if_(changes("serverSideEncryption"), on("serverSideEncryption.enabled")),
				limited(keyRights("firehose", "serverSideEncryption.keyArn", firehoseKeys, "CreateGrant"), changes("serverSideEncryption"),
					customerKey),
				call("firehose:StopDeliveryStreamEncryption", onStream).if_(changes("serverSideEncryption"), not(on("serverSideEncryption.enabled"))),
				retag("firehose:TagDeliveryStream", "firehose:UntagDeliveryStream", onStream)),
			delete: all(call("firehose:DeleteDeliveryStream", onStream), call("firehose:DescribeDeliveryStream", onStream)),
		},
		topicType: {
			source: topicPage,
			create: all(call("sns:CreateTopic", "sns:{name}").tags(), call("sns:TagResource", "sns:{name}").creating("", "").from(topicTagging)),
			then:   all(call("sns:SetTopicAttributes", "sns:{name}")),
			read:   all(call("sns:GetTopicAttributes", "sns:{name}"), call("sns:ListTagsForResource", "sns:{name}")),
			update: all(call("sns:SetTopicAttributes", "sns:{name}").if_(otherThan()),
				retag("sns:TagResource", "sns:UntagResource", "sns:{name}")),
			delete: all(call("sns:DeleteTopic", "sns:{name}")),
		},
		"aws:sns/topicPolicy:TopicPolicy": {
			source: topicPage,
			create: all(call("sns:SetTopicAttributes", "{arn}")),
			read:   all(call("sns:GetTopicAttributes", "{arn}")),
			update: all(call("sns:SetTopicAttributes", "{arn}")),
			delete: all(call("sns:SetTopicAttributes", "{arn}")),
		},
		"aws:sns/topicSubscription:TopicSubscription": {
			source: topicPage,
			create: all(call("sns:Subscribe", "{topic}").key("sns:Protocol", "{protocol}").key("sns:Endpoint", "{endpoint}")),
			read:   all(call("sns:GetSubscriptionAttributes", "{topic}")),
			update: all(call("sns:SetSubscriptionAttributes", "{topic}")),
			delete: all(call("sns:Unsubscribe", "{topic}")),
		},
		queueType: {
			source: queuePage,
			create: all(call("sqs:CreateQueue", "sqs:{name}").tags(), call("sqs:TagQueue", "sqs:{name}").creating("", "").from(queueTagging)),
			read:   all(call("sqs:GetQueueAttributes", "sqs:{name}"), call("sqs:ListQueueTags", "sqs:{name}")),
			update: all(call("sqs:SetQueueAttributes", "sqs:{name}").if_(otherThan()), retag("sqs:TagQueue", "sqs:UntagQueue", "sqs:{name}")),
			delete: all(call("sqs:DeleteQueue", "sqs:{name}"), call("sqs:GetQueueAttributes", "sqs:{name}")),
		},
		"aws:sqs/queuePolicy:QueuePolicy": {
			source: queuePage,
			create: all(onQueue), read: all(call("sqs:GetQueueAttributes").on_(queueARN)), update: all(onQueue), delete: all(onQueue),
		},
	}
}

func retained(v view) bool { return Inputs(v.o.Outputs).Int("retentionInDays") > 0 }

// notifying sends where an alarm notifies.
func notifying(r row) row {
	return r.with(func(v view, c iam.Context) {
		var found []string
		for _, path := range []string{"alarmActions", "okActions", "insufficientDataActions"} {
			found = append(found, Inputs(v.o.Outputs).Strings(path)...)
		}
		if len(found) > 0 {
			c.Set("cloudwatch:AlarmActions", iam.Several(found...))
		}
	})
}

// queueARN is the ARN of the queue with the URL that a queue policy names.
func queueARN(v view) []string {
	return []string{v.a.arn("sqs", lastPart(strings.TrimSuffix(v.str("queueUrl"), "/"), "/"))}
}

// deliveryRoles are the roles in the destination of a delivery stream.
func deliveryRoles(v view) []string {
	var roles []string
	for name := range v.o.Outputs {
		if strings.HasSuffix(name, "Configuration") {
			if role := Inputs(v.o.Outputs).String(name + ".roleArn"); role != "" && !contains(roles, role) {
				roles = append(roles, role)
			}
		}
	}
	return roles
}
