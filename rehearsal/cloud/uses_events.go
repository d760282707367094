package cloud

import (
	"encoding/json"
	"strings"

	"slipway/rehearsal/iam"
)

// publish adds a message to a topic, with its key.
func (u *uses) publish(r reason, topicARN string, keys, onKey iam.Context) {
	u.add(r.by, Call{Action: "sns:Publish", Resource: topicARN, Context: keys, Source: r.source}, r.refusal)
	topic := find(u.a, "arn", topicARN, "aws:sns/topic:Topic")
	if topic == nil {
		return
	}
	name := Inputs(topic.Outputs).String("kmsMasterKeyId")
	const keySource = "SNS Developer Guide, \"Enable compatibility between event sources from AWS services and encrypted topics\""
	if strings.HasSuffix(name, "alias/aws/sns") {
		u.add(r.by, Call{Action: "kms:GenerateDataKey", Resource: u.a.arn("kms", "key/aws-sns"), Source: keySource,
			Reason: "the policy of alias/aws/sns cannot be changed and allows no service"}, r.refusal)
		return
	}
	u.key(r.documented(keySource), name, "", onKey, "GenerateDataKey", "Decrypt")
}

func (u *uses) account() iam.Context {
	c := iam.Context{}
	c.Set("aws:SourceAccount", iam.One(u.a.AccountID))
	return c
}

func (u *uses) alarm(_ *Object, in Inputs) {
	from := u.from(u.a.arn("cloudwatch", "alarm:"+in.String("name")))
	for _, path := range []string{"alarmActions", "okActions", "insufficientDataActions"} {
		for _, action := range in.Strings(path) {
			if strings.Contains(action, ":sns:") {
				u.publish(reason{by: Caller{Service: "cloudwatch.amazonaws.com"},
					source: "SNS Developer Guide, \"Example cases for Amazon SNS access control\", CloudWatch alarms"},
					action, from, u.account())
			}
		}
	}
}

// databaseEvents: RDS refuses a topic that it may not publish to.
func (u *uses) databaseEvents(_ *Object, in Inputs) {
	u.publish(reason{Caller{Service: "events.rds.amazonaws.com"},
		"RDS User Guide, \"Granting permissions to publish notifications to an Amazon SNS topic\"",
		&Error{Code: "SNSNoAuthorization", Message: "You do not have permission to publish to the SNS topic ARN."}},
		in.String("snsTopic"), u.from(u.a.arn("rds", "es:"+in.String("name"))), nil)
}

// eventTarget: EventBridge sends no source keys to the key of an encrypted topic or queue.
func (u *uses) eventTarget(_ *Object, in Inputs) {
	rule := u.a.arn("events", "rule/"+in.String("rule"))
	const source = "EventBridge User Guide, \"Using resource-based policies for Amazon EventBridge\""
	events := Caller{Service: "events.amazonaws.com"}
	keys := iam.Context{}
	keys.Set("aws:SourceArn", iam.One(rule))
	to := in.String("arn")
	switch {
	case strings.Contains(to, ":sns:"):
		u.publish(reason{by: events, source: source}, to, nil, nil) // conditions are not supported in topic policies for EventBridge
	case strings.Contains(to, ":sqs:"):
		u.deliver(events, to, source, keys)
	}
	if queue := in.String("deadLetterConfig.arn"); queue != "" {
		u.deliver(events, queue, "EventBridge User Guide, \"Using dead-letter queues\"", keys)
	}
}

// deliver adds a message of a service to a queue, with its key.
func (u *uses) deliver(by Caller, queueARN, source string, keys iam.Context) {
	u.add(by, Call{Action: "sqs:SendMessage", Resource: queueARN, Context: keys, Source: source}, nil)
	queue := find(u.a, "arn", queueARN, "aws:sqs/queue:Queue")
	if queue == nil {
		return
	}
	name := Inputs(queue.Outputs).String("kmsMasterKeyId")
	const keySource = "SQS Developer Guide, \"Enable compatibility between event sources from AWS services and encrypted queues\""
	if strings.HasSuffix(name, "alias/aws/sqs") {
		u.add(by, Call{Action: "kms:GenerateDataKey", Resource: u.a.arn("kms", "key/aws-sqs"), Source: keySource,
			Reason: "the policy of alias/aws/sqs cannot be changed and allows no service"}, nil)
		return
	}
	u.key(reason{by: by, source: keySource}, name, "", nil, "GenerateDataKey", "Decrypt")
}

func (u *uses) monitoring(o *Object, in Inputs) {
	if in.Int("monitoringInterval") == 0 {
		return
	}
	const source = "RDS User Guide, \"Setting up and enabling Enhanced Monitoring\""
	role, ok := u.assumed("monitoring.rds.amazonaws.com", in.String("monitoringRoleArn"), u.from(u.a.arn("rds",
		"db:"+in.String("identifier"))), source,
		refuse("InvalidParameterValue", "",
			"IAM role ARN value is invalid or does not include the required permissions for: ENHANCED_MONITORING"))
	if !ok {
		return
	}
	group := u.a.arn("logs", "log-group:RDSOSMetrics")
	for _, action := range []string{"logs:CreateLogGroup", "logs:PutRetentionPolicy"} {
		u.add(role, Call{Action: action, Resource: group, Source: source}, nil)
	}
	for _, action := range []string{"logs:CreateLogStream", "logs:PutLogEvents"} {
		u.add(role, Call{Action: action, Resource: group + ":log-stream:db-" + orElse(o.ID, "x"), Source: source}, nil)
	}
}

const agentSource = "Systems Manager User Guide, \"Configure instance permissions required for Systems Manager\""

// instance: the agent registers the machine, and records sessions as the account's session documents ask.
func (u *uses) instance(_ *Object, in Inputs) {
	profile := find(u.a, "id", in.String("iamInstanceProfile"), profileType)
	if profile == nil {
		return
	}
	o := find(u.a, "id", Inputs(profile.Inputs).String("role"), roleType)
	if o == nil {
		return
	}
	role, ok := u.assumed("ec2.amazonaws.com", Inputs(o.Outputs).String("arn"), nil, "IAM User Guide, \"IAM roles for Amazon EC2\"",
		refuse("InvalidParameterValue", "", "Value (%s) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name",
			profile.ID))
	if !ok {
		return
	}
	for _, action := range []string{"ssm:UpdateInstanceInformation", "ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel",
		"ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel"} {
		u.add(role, Call{Action: action, Resource: "*", Source: agentSource}, nil)
	}
	u.vpc = u.network([]string{in.String("subnetId")})
	for _, bucket := range []string{"al2023-repos-" + u.a.Region + "-de612dc2", "amazon-ssm-" + u.a.Region} {
		u.add(Caller{}, Call{Action: "s3:GetObject", AWSOwned: true, Resource: "arn:" + u.a.Partition + ":s3:::" + bucket + "/package",
			Source: "Amazon Linux 2023 guide, \"Updating AL2023\"; Systems Manager User Guide, \"SSM Agent communications\"",
			Reason: "packages and updates of the agent are in S3"}, nil)
	}
	const source = "Systems Manager User Guide, \"Create a custom IAM role for Session Manager\""
	for _, document := range u.a.list("aws:ssm/document:Document") {
		var content struct{ Inputs map[string]any }
		if Inputs(document.Outputs).String("documentType") != "Session" ||
			json.Unmarshal([]byte(Inputs(document.Outputs).String("content")), &content) != nil {
			continue
		}
		session := Inputs(content.Inputs)
		u.key(reason{by: role, source: source}, session.String("kmsKeyId"), "", nil, "Decrypt")
		u.recorded(role, session.String("cloudWatchLogGroupName"), session.String("s3BucketName"), session.String("s3KeyPrefix"), source)
	}
}

func (u *uses) backup(_ *Object, in Inputs) {
	u.assumed("backup.amazonaws.com", in.String("iamRoleArn"), nil, "AWS Backup Developer Guide, \"IAM service roles\"",
		refuse("InvalidParameterValueException", "", "IAM Role %s cannot be assumed by AWS Backup", in.String("iamRoleArn")))
}
