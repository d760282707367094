package cloud

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"strings"

	"slipway/rehearsal/finding"
)

// services maps IAM's service prefixes to the names that the AWS SDK uses in errors.
var services = map[string]string{
	"acm": "ACM", "application-autoscaling": "Application Auto Scaling", "budgets": "Budgets", "cloudtrail": "CloudTrail",
	"cloudwatch": "CloudWatch", "dynamodb": "DynamoDB", "ec2": "EC2", "ecr": "ECR", "ecs": "ECS",
	"elasticache": "ElastiCache", "elasticloadbalancing": "Elastic Load Balancing v2", "events": "EventBridge",
	"firehose": "Firehose", "iam": "IAM", "kms": "KMS", "kinesis": "Kinesis", "logs": "CloudWatch Logs", "rds": "RDS",
	"route53": "Route 53", "s3": "S3", "scheduler": "Scheduler", "secretsmanager": "Secrets Manager",
	"servicediscovery": "ServiceDiscovery", "sns": "SNS", "sqs": "SQS", "ssm": "SSM", "sts": "STS",
	"backup": "Backup",
}

// Error formats the error as the AWS SDK does, and adds the model's reason.
func (e *Error) Error() string {
	service, operation, _ := strings.Cut(e.Action, ":")
	if name := services[service]; name != "" {
		service = name
	}
	status := e.Status
	if status == 0 {
		status = http.StatusBadRequest
	}
	sum := sha256.Sum256([]byte(e.Action + e.Code + e.Message))
	text := fmt.Sprintf("operation error %s: %s, https response error StatusCode: %d, RequestID: %x-%x-4%x-a%x-%x, %s: %s",
		service, operation, status, sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16], e.Code, e.Message)
	if e.Why != "" {
		text += "\n  why: " + e.Why
	}
	if e.Fix != "" {
		text += "\n  fix: " + e.Fix
	}
	return text
}

// An Error is a refusal by AWS: AWS's error code and message, and the model's reason.
type Error struct {
	Code    string // "DependencyViolation"
	Action  string // "ec2:DeleteVpc"
	Status  int    // HTTP status; default 400
	Message string // AWS's wording
	Why     string // the model's reason: which object or rule; "" if the message says it all

	// Of a call that policies deny, or a check that explains itself: see Finding.
	Chain       []string
	Fix, Source string
	Change      []string
}

// refuse is AWS's refusal of the current call; the account adds the action.
func refuse(code, why, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...), Why: why}
}

// acting adds the action to an error if it has none.
func acting(err error, action string) error {
	e, ok := err.(*Error)
	if !ok || e == nil {
		return err
	}
	if e.Action == "" {
		e.Action = action
	}
	return e
}

// A Finding is something that does not work.
type Finding = finding.Finding

// finding is the refusal as a finding on a resource.
func (e *Error) finding(urn string) Finding {
	f := Finding{Resource: urn, Code: e.Code, Message: e.Message, Chain: e.Chain, Change: e.Change,
		Fix: orElse(e.Fix, "change "+finding.Name(urn)+" so that AWS accepts it"), Source: orElse(e.Source, referenceOf(e.Action))}
	if len(f.Chain) == 0 {
		f.Chain = []string{strings.TrimSuffix(e.Action+": "+e.Why, ": ")}
	}
	return f
}

// referenceOf is AWS's page about an API action.
func referenceOf(action string) string {
	service, operation, ok := strings.Cut(action, ":")
	if !ok {
		return ""
	}
	return fmt.Sprintf("%s API reference, %s", orElse(services[service], service), operation)
}
