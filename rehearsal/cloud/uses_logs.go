package cloud

import (
	"strings"

	"slipway/rehearsal/iam"
)

// logGroup: CloudWatch Logs encrypts with the group's key.
func (u *uses) logGroup(_ *Object, in Inputs) {
	group := u.a.arn("logs", "log-group:"+in.String("name"))
	u.key(reason{Caller{Service: "logs." + u.a.Region + ".amazonaws.com"},
		"CloudWatch Logs User Guide, \"Encrypt log data in CloudWatch Logs using AWS KMS\"",
		refuse("InvalidParameterException", "", "The specified KMS key does not exist or is not allowed to be used with Arn '%s'", group)},
		in.String("kmsKeyId"), "", encryption("aws:logs:arn", group), "Encrypt", "Decrypt", "GenerateDataKey")
}

func (u *uses) flowLog(o *Object, in Inputs) {
	const source = "VPC User Guide, \"Publish flow logs to CloudWatch Logs\""
	id := o.ID
	if id == "" {
		id = "*"
	}
	role, ok := u.assumed("vpc-flow-logs.amazonaws.com", in.String("iamRoleArn"), u.from(u.a.arn("ec2", "vpc-flow-log/"+id)), source,
		refuse("InvalidParameter", "", "Unable to assume given IAM role"))
	if !ok {
		return
	}
	group := strings.TrimSuffix(in.String("logDestination"), ":*")
	u.add(role, Call{Action: "logs:DescribeLogGroups", Resource: u.a.arn("logs", "log-group::log-stream:"), Source: source}, nil)
	u.add(role, Call{Action: "logs:DescribeLogStreams", Resource: group + ":*", Source: source}, nil)
	for _, action := range []string{"logs:CreateLogStream", "logs:PutLogEvents"} {
		u.add(role, Call{Action: action, Resource: group + ":log-stream:eni-0-all", Source: source}, nil)
	}
}

// subscription: CloudWatch Logs sends a test message when the filter is created.
func (u *uses) subscription(_ *Object, in Inputs) {
	const source = "CloudWatch Logs User Guide, \"Log group-level subscription filters\", Firehose"
	refusal := refuse("InvalidParameterException", "",
		"Could not deliver test message to specified destination. Check if the destination is valid.")
	keys := iam.Context{}
	keys.Set("aws:SourceArn", iam.One(u.a.arn("logs", "*")))
	// Trust policies name the service with or without its region; CloudWatch Logs comes as both.
	service := "logs.amazonaws.com"
	if o := find(u.a, "arn", in.String("roleArn"), roleType); o != nil && strings.Contains(documentText(o.Outputs, "assumeRolePolicy"),
		"logs."+u.a.Region) {
		service = "logs." + u.a.Region + ".amazonaws.com"
	}
	role, ok := u.assumed(service, in.String("roleArn"), keys, source, refusal)
	if !ok {
		return
	}
	destination := in.String("destinationArn")
	if strings.Contains(destination, ":kinesis:") {
		u.add(role, Call{Action: "kinesis:PutRecord", Resource: destination, Source: source}, refusal)
		return
	}
	u.add(role, Call{Action: "firehose:PutRecord", Resource: destination, Source: source}, refusal)
	u.add(role, Call{Action: "firehose:PutRecordBatch", Resource: destination, Source: source}, nil)
	from := len(u.all)
	u.stream(role, destination)
	for i := range u.all[from:] {
		u.all[from+i].Refusal = refusal
	}
}

func (u *uses) firehose(o *Object, in Inputs) {
	const source = "Firehose Developer Guide, \"Grant Firehose access to an Amazon S3 destination\""
	to := in.Map("extendedS3Configuration")
	role, ok := u.assumed("firehose.amazonaws.com", to.String("roleArn"), nil, source,
		refuse(firehoseCode, "", "Firehose is unable to assume role %s. Please check the role provided.", to.String("roleArn")))
	if !ok {
		return
	}
	bucket := u.bucketARN(to.String("bucketArn"))
	for _, action := range []string{"GetBucketLocation", "ListBucket", "ListBucketMultipartUploads"} {
		u.add(role, Call{Action: "s3:" + action, Resource: bucket, Source: source}, nil)
	}
	for _, prefix := range []string{to.String("prefix"), to.String("errorOutputPrefix")} {
		object := bucket + "/" + plainPrefix(prefix) + "object"
		for _, action := range []string{"PutObject", "AbortMultipartUpload", "GetObject"} {
			u.add(role, Call{Action: "s3:" + action, Resource: object, Source: source}, nil)
		}
	}
	u.key(reason{by: role, source: source}, orElse(to.String("kmsKeyArn"), u.bucketKey(bucket)), "s3", encryption("aws:s3:arn", bucket),
		"GenerateDataKey", "Decrypt")
	if logs := to.Map("cloudwatchLoggingOptions"); logs.Bool("enabled") {
		u.add(role, Call{Action: "logs:PutLogEvents", Source: source,
			Resource: u.a.arn("logs", "log-group:"+logs.String("logGroupName")+":log-stream:"+logs.String("logStreamName"))}, nil)
	}
	if stream := in.String("kinesisSourceConfiguration.kinesisStreamArn"); stream != "" {
		u.add(role, Call{Action: "kinesis:GetRecords", Resource: stream, Source: source}, nil)
	}
}

// plainPrefix replaces the expressions of a prefix: !{timestamp:yyyy/MM} becomes some text.
func plainPrefix(prefix string) string {
	for {
		before, rest, found := strings.Cut(prefix, "!{")
		_, after, closed := strings.Cut(rest, "}")
		if !found || !closed {
			return prefix
		}
		prefix = before + "2026" + after
	}
}

// accessLogs: the balancer writes a test file when logging is turned on. It asks for encryption with S3's own key, and AWS documents no
// other condition key for it.
func (u *uses) accessLogs(_ *Object, in Inputs) {
	encrypted := iam.Context{}
	encrypted.Set("s3:x-amz-server-side-encryption", iam.One("AES256"))
	for _, path := range []string{"accessLogs", "connectionLogs"} {
		logs := in.Map(path)
		if !logs.Bool("enabled") {
			continue
		}
		object := strings.TrimPrefix(logs.String("prefix")+"/AWSLogs/"+u.a.AccountID+"/ELBAccessLogTestFile", "/")
		u.write(reason{Caller{Service: "logdelivery.elasticloadbalancing.amazonaws.com"},
			"Elastic Load Balancing, \"Enable access logs for your Application Load Balancer\"",
			refuse("InvalidConfigurationRequest", "", "Access Denied for bucket: %s. Please check S3bucket permission", logs.String("bucket"))},
			u.bucketARN(logs.String("bucket")), object, encrypted)
	}
}

func (u *uses) bucketLogs(_ *Object, in Inputs) {
	u.write(reason{by: Caller{Service: "logging.s3.amazonaws.com"}, source: "S3 User Guide, \"Enabling Amazon S3 server access logging\""},
		u.bucketARN(in.String("targetBucket")), in.String("targetPrefix")+"2026-01-01", u.from(u.bucketARN(in.String("bucket"))))
}

// firewallLogs: delivery to a log group needs a resource policy of CloudWatch Logs. If there is none, AWS writes one with the rights
// of the caller (CloudWatch Logs User Guide, "Enable logging from AWS services").
func (u *uses) firewallLogs(_ *Object, in Inputs) {
	if u.a.authorize(u.a.Caller, Call{Action: "logs:PutResourcePolicy", Resource: "*"}) == nil {
		return
	}
	for _, destination := range in.Strings("logDestinationConfigs") {
		if !strings.Contains(destination, ":log-group:") {
			continue
		}
		for _, action := range []string{"logs:CreateLogStream", "logs:PutLogEvents"} {
			u.add(Caller{Service: "delivery.logs.amazonaws.com"}, Call{Action: action, Resource: strings.TrimSuffix(destination,
				":*") + ":log-stream:waf",
				Context: u.from(u.a.arn("logs", "*")), Source: "WAF Developer Guide, \"Sending web ACL traffic logs to a CloudWatch Logs log group\""},
				refuse("WAFLogDestinationPermissionIssueException", "", "Unable to deliver logs to the configured destination. "+
					"You might need to grant log delivery permissions for the destination."))
		}
	}
}
