package provider

import (
	"slices"
	"strings"

	"slipway/rehearsal/cloud"
)

// An expected error is one that the genuine provider waits out: it sends the same request again until a timeout of minutes.
type expected struct {
	types  []string // empty: every type of S3
	code   string
	says   []string // one of these is in the message; empty: any message
	source string   // file of github.com/hashicorp/terraform-provider-aws
}

// waitedOut are the errors of AWS's eventual consistency that the provider retries. What is not here ends a deployment: the provider has
// no retry in internal/service/wafv2/web_acl_logging_configuration.go, for example.
var waitedOut = []expected{
	{[]string{"aws:iam/role:Role"}, "MalformedPolicyDocument", []string{"Invalid principal in policy"}, "internal/service/iam/role.go"},
	{[]string{"aws:kms/key:Key", "aws:kms/keyPolicy:KeyPolicy"}, "MalformedPolicyDocumentException", nil, "internal/service/kms/key.go"},
	{[]string{"aws:s3/bucketPolicy:BucketPolicy"}, "MalformedPolicy", nil, "internal/service/s3/bucket_policy.go"},
	{nil, "OperationAborted", []string{"A conflicting conditional operation is currently in progress against this resource"},
		"internal/service/s3/service_package.go"},
	{[]string{"aws:sns/topic:Topic", "aws:sns/topicPolicy:TopicPolicy"}, "InvalidParameter", nil, "internal/service/sns/topic.go"},
	{[]string{"aws:sqs/queuePolicy:QueuePolicy"}, "InvalidAttributeValue", []string{"Invalid value for the parameter Policy"},
		"internal/service/sqs/attribute_handler.go"},
	{[]string{"aws:ecr/repositoryPolicy:RepositoryPolicy"}, "InvalidParameterException", []string{"Invalid repository policy provided"},
		"internal/service/ecr/repository_policy.go"},
	{[]string{"aws:ecs/cluster:Cluster"}, "InvalidParameterException", []string{"Unable to assume the service linked role"},
		"internal/service/ecs/cluster.go"},
	{[]string{"aws:ec2/flowLog:FlowLog"}, "InvalidParameter", []string{"Unable to assume given IAM role"},
		"internal/service/ec2/vpc_flow_log.go"},
	{[]string{"aws:ec2/instance:Instance"}, "InvalidParameterValue", []string{"Invalid IAM Instance Profile", "has no associated IAM Roles"},
		"internal/service/ec2/ec2_instance.go"},
	{[]string{"aws:kinesis/firehoseDeliveryStream:FirehoseDeliveryStream"}, "InvalidArgumentException",
		[]string{"Firehose is unable to assume role", "is not authorized to"}, "internal/service/firehose/delivery_stream.go"},
	{[]string{"aws:cloudwatch/logSubscriptionFilter:LogSubscriptionFilter"}, "InvalidParameterException",
		[]string{"Could not deliver test message to specified"}, "internal/service/logs/subscription_filter.go"},
	{[]string{"aws:scheduler/schedule:Schedule"}, "ValidationException",
		[]string{"The execution role you provide must allow AWS EventBridge Scheduler to assume the role."},
		"internal/service/scheduler/retry.go"},
	{[]string{"aws:rds/instance:Instance"}, "InvalidParameterValue", []string{"ENHANCED_MONITORING"}, "internal/service/rds/instance.go"},
	{[]string{"aws:backup/selection:Selection"}, "InvalidParameterValueException",
		[]string{"cannot be assumed", "is not authorized to call"}, "internal/service/backup/selection.go"},
	{[]string{"aws:acm/certificate:Certificate"}, "ResourceInUseException", nil, "internal/service/acm/certificate.go"},
}

func (x expected) is(token string, e *cloud.Error) bool {
	ofType := slices.Contains(x.types, token) || x.types == nil && strings.HasPrefix(token, "aws:s3/")
	says := len(x.says) == 0 || slices.ContainsFunc(x.says, func(text string) bool { return strings.Contains(e.Message, text) })
	return ofType && e.Code == x.code && says
}

// attempts is how often the model's provider sends a request. The genuine one tries for minutes; here nothing takes time, so an error that
// lasts is the same after a few attempts.
const attempts = 4

// patiently sends a request about a resource again as long as the genuine provider would. An error after AWS made the change is of another
// type, and final.
func patiently(token string, send func() error) error {
	err := send()
	for range attempts - 1 {
		e, ok := err.(*cloud.Error)
		if !ok || !slices.ContainsFunc(waitedOut, func(x expected) bool { return x.is(token, e) }) {
			break
		}
		err = send()
	}
	return err
}
