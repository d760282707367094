package site

import (
	"encoding/json"
	"strings"
	"testing"

	"slipway/internal/graph"
	"slipway/internal/policy"
)

// admitting are the policies that give services access, by the resource they are attached to.
var admitting = map[string]struct{ token, input string }{
	"trust":  {"aws:iam/role:Role", "assumeRolePolicy"},
	"bucket": {"aws:s3/bucketPolicy:BucketPolicy", "policy"},
	"topic":  {"aws:sns/topicPolicy:TopicPolicy", "policy"},
	"queue":  {"aws:sqs/queuePolicy:QueuePolicy", "policy"},
	"key":    {keyType, "policy"},
	"logs":   {"aws:cloudwatch/logResourcePolicy:LogResourcePolicy", "policyDocument"},
}

const (
	fromAccount = `{"StringEquals":{"aws:SourceAccount":"123456789012"}}`
	anywhere    = `null`
)

// from is the condition on account and source, with the operator that AWS's page has for the source.
func from(operator, arn string) string {
	return `{"` + operator + `":{"aws:SourceArn":"` + arn + `"},"StringEquals":{"aws:SourceAccount":"123456789012"}}`
}

// documented are the conditions under which services have access, from AWS's own pages. A key that the service does not
// send locks it out; a key that it does send and the policy leaves out lets other accounts in. STACK is the prefix of
// the stack's names.
var documented = map[string]string{
	// VPC guide: IAM role for publishing flow logs to CloudWatch Logs.
	"trust vpc-flow-logs": from("ArnLike", "arn:aws:ec2:us-east-1:123456789012:vpc-flow-log/*"),
	// Firehose guide: Grant Firehose access to an Amazon S3 destination.
	"trust firehose": anywhere,
	// CloudWatch Logs guide: Log group-level subscription filters, with Amazon Data Firehose.
	"trust logs.us-east-1": `{"StringLike":{"aws:SourceArn":"arn:aws:logs:us-east-1:123456789012:*"}}`,
	// RDS guide: Setting up and enabling Enhanced Monitoring.
	"trust monitoring.rds": from("StringLike", "arn:aws:rds:us-east-1:123456789012:db:STACK-database-*"),
	// ECS guide: Amazon ECS task IAM role.
	"trust ecs-tasks": from("ArnLike", "arn:aws:ecs:us-east-1:123456789012:*"),
	// EventBridge Scheduler guide: Confused deputy prevention.
	"trust scheduler": from("ArnLike", "arn:aws:scheduler:us-east-1:123456789012:schedule-group/STACK-jobs"),
	// IAM guide: EC2 assumes roles of its own account only.
	"trust ec2": anywhere,

	// Elastic Load Balancing guide: Access logs for your Application Load Balancer.
	"bucket logdelivery.elasticloadbalancing": anywhere,
	// S3 guide: Enabling Amazon S3 server access logging.
	"bucket logging.s3": from("ArnLike", "arn:aws:s3:::STACK-*"),
	// SNS guide: Example cases for Amazon SNS access control.
	"topic cloudwatch": from("ArnLike", "arn:aws:cloudwatch:us-east-1:123456789012:alarm:*"),
	// RDS guide: Granting permissions to publish notifications to an Amazon SNS topic.
	"topic events.rds": from("ArnLike", "arn:aws:rds:us-east-1:123456789012:*"),
	// SQS guide and EventBridge guide: the rule.
	"queue events": `{"ArnEquals":{"aws:SourceArn":"arn:aws:cloudwatch:us-east-1:123456789012:eventRule/jobs-failed"}}`,
	// CloudWatch Logs guide: Logs sent to CloudWatch Logs.
	"logs delivery.logs": from("ArnLike", "arn:aws:logs:us-east-1:123456789012:*"),

	// CloudWatch Logs guide: Encrypt log data in CloudWatch Logs.
	"key logs.us-east-1": `{"ArnLike":{"kms:EncryptionContext:aws:logs:arn":["arn:aws:logs:us-east-1:123456789012:log-group:/PATH/*",` +
		`"arn:aws:logs:us-east-1:123456789012:log-group:/aws/ecs/containerinsights/STACK-*",` +
		`"arn:aws:logs:us-east-1:123456789012:log-group:/aws/rds/instance/STACK-*",` +
		`"arn:aws:logs:us-east-1:123456789012:log-group:aws-waf-logs-STACK-*"]}}`,
	// SNS guide: Enable compatibility between event sources from AWS services and encrypted topics, which has the form for
	// CloudWatch and says that EventBridge sends no source.
	"key cloudwatch": fromAccount,
	"key events":     anywhere,
	"key events.rds": anywhere,
}

func TestServicesAreTrustedUnderTheConditionsThatAWSDocuments(t *testing.T) {
	seen := map[string]bool{}
	for _, stack := range stacks {
		g := declared(t, stack, nil)
		for where, in := range admitting {
			for _, r := range g.Of(in.token) {
				for service, condition := range conditions(t, r, in.input) {
					at := where + " " + service
					want, ok := documented[at]
					if !ok {
						t.Errorf("%s: %s lets %s in, and the test does not know what AWS documents of it", stack, r.Name, service)
						continue
					}
					seen[at] = true
					want = strings.NewReplacer("STACK", "slipway-"+stack, "PATH", "slipway/"+stack).Replace(want)
					if canonical(t, condition) != canonical(t, want) {
						t.Errorf("%s: %s lets %s in under\n  %s\nand AWS documents\n  %s", stack, r.Name, at, condition, want)
					}
				}
			}
		}
	}
	for at := range documented {
		if !seen[at] {
			t.Errorf("no stack has a statement for %s", at)
		}
	}
}

func canonical(t *testing.T, text string) string {
	t.Helper()
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	sorted, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(sorted)
}

// conditions are the conditions of a policy's statements for a service, as JSON.
func conditions(t *testing.T, r graph.Resource, input string) map[string]string {
	t.Helper()
	text, _ := r.Input(input).(string)
	var document struct {
		Statement []struct {
			Principal map[string]policy.Many
			Condition any
		}
	}
	if err := json.Unmarshal([]byte(text), &document); err != nil {
		t.Fatalf("%s: %v", r.Name, err)
	}
	found := map[string]string{}
	for _, s := range document.Statement {
		for _, name := range s.Principal["Service"] {
			condition, err := json.Marshal(s.Condition)
			if err != nil {
				t.Fatal(err)
			}
			found[strings.TrimSuffix(name, ".amazonaws.com")] = string(condition)
		}
	}
	return found
}

// The schedule's own role decrypts the schedule, as itself and not through a service.
// Source: EventBridge Scheduler guide, Encryption at rest.
func TestTheRoleOfAScheduleMayDecryptIt(t *testing.T) {
	for _, stack := range stacks {
		found := false
		for _, key := range declared(t, stack, nil).Of(keyType) {
			for _, s := range read(key.Input("policy")) {
				context := s.Condition["ArnLike"]["kms:EncryptionContext:aws:scheduler:schedule:arn"]
				if len(context) != 1 || !s.Covers("kms:Decrypt") {
					continue
				}
				found = true
				want := "arn:aws:scheduler:us-east-1:123456789012:schedule/slipway-" + stack + "-*"
				if context[0] != want || len(s.Condition) != 1 || len(s.Action) != 1 {
					t.Errorf("%s: %s lets roles %v under %v, want to decrypt %s and no other condition", stack, key.Name, s.Action,
						s.Condition, want)
				}
			}
		}
		if !found {
			t.Errorf("%s: no key lets the role of a schedule decrypt it", stack)
		}
	}
}

// What AWS calls with the deploying principal's permissions when it creates a disk, a repository or a database under a key.
// Sources: EBS guide, Requirements for Amazon EBS encryption; ECR guide, Encryption at rest; RDS guide, AWS KMS key
// management.
func TestTheDeployRoleMayUseTheKeys(t *testing.T) {
	needs := map[string][]string{
		"ec2": {"kms:CreateGrant", "kms:Decrypt", "kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncryptFrom", "kms:ReEncryptTo"},
		"ecr": {"kms:CreateGrant", "kms:RetireGrant"},
		"rds": {"kms:CreateGrant", "kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"},
	}
	for _, stack := range stacks {
		for service, actions := range needs {
			for _, action := range actions {
				may := false
				for _, key := range declared(t, stack, nil).Of(keyType) {
					for _, s := range read(key.Input("policy")) {
						for _, via := range s.Condition["StringEquals"]["kms:ViaService"] {
							may = may || via == service+".us-east-1.amazonaws.com" && s.Covers(action)
						}
					}
				}
				if !may {
					t.Errorf("%s: no key allows %s through %s", stack, action, service)
				}
			}
		}
	}
}

// AWS delivers the log only if a resource policy of CloudWatch Logs allows it; without one of the stack's own it extends one
// that the whole account shares.
func TestTheWebACLsLogMayBeDeliveredBeforeItIsTurnedOn(t *testing.T) {
	seen := 0
	for _, stack := range stacks {
		g := declared(t, stack, nil)
		for _, log := range g.Of("aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration") {
			seen++
			policies := g.Of("aws:cloudwatch/logResourcePolicy:LogResourcePolicy")
			if len(policies) != 1 {
				t.Errorf("%s: %d resource policies, want one", stack, len(policies))
				continue
			}
			found := false
			for _, name := range log.DependsOn {
				found = found || name == policies[0].Name
			}
			if !found {
				t.Errorf("%s: the log begins before %s: %v", stack, policies[0].Name, log.DependsOn)
			}
			if name := policies[0].Input("policyName"); name != "slipway-"+stack+"-waf-logs" {
				t.Errorf("%s: the policy is named %v", stack, name)
			}
			for _, s := range read(policies[0].Input("policyDocument")) {
				group := "arn:aws:logs:us-east-1:123456789012:log-group:aws-waf-logs-slipway-" + stack + "-web:log-stream:*"
				writes := len(s.Action) == 2 && s.Covers("logs:CreateLogStream") && s.Covers("logs:PutLogEvents")
				if len(s.Resource) != 1 || s.Resource[0] != group || !writes {
					t.Errorf("%s: delivery may %v on %v, want to write into %s", stack, s.Action, s.Resource, group)
				}
			}
		}
	}
	if seen == 0 {
		t.Error("no stack has a web ACL")
	}
}
