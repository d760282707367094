// Package incidents_test plants failures that others reported into the real program, one at a time: the site of stack prod is
// deployed into the model once, by the deploy role that bootstrap makes; a policy of it is changed, and the model must name the resource
// and the reason.
package incidents_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/encoding"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/config"
	"github.com/pulumi/pulumi/sdk/v3/go/common/workspace"

	"slipway/engine"
	"slipway/engine/inprocess"
	"slipway/operation"
	"slipway/operation/account/modelaccount"
	"slipway/rehearsal"
	"slipway/rehearsal/cloud"
	"slipway/site"
)

const repository = "../.."

// silent is a Progress.
type silent struct{}

func (silent) Event(engine.Event)  {}
func (silent) Logf(string, ...any) {}

// checkout is a copy of the project: its configuration, except the files that are given, and the app.
func checkout(t *testing.T, configuration map[string]string) string {
	t.Helper()
	root := t.TempDir()
	must(t, os.CopyFS(filepath.Join(root, "app"), os.DirFS(filepath.Join(repository, "app"))))
	files, err := filepath.Glob(filepath.Join(repository, "Pulumi*.yaml"))
	must(t, err)
	for _, file := range files {
		data, err := os.ReadFile(file)
		must(t, err)
		must(t, os.WriteFile(filepath.Join(root, filepath.Base(file)), data, 0o600))
	}
	for name, text := range configuration {
		must(t, os.WriteFile(filepath.Join(root, name), []byte(text), 0o600))
	}
	return root
}

// target is a stack of a checkout.
func target(root, stack string) operation.Target {
	return operation.Target{Root: root, Stack: stack, Throwaway: true, Progress: silent{}}
}

// dir is the folder with a stack's model.
func dir(t operation.Target) string { return filepath.Join(t.Root, ".slipway", t.Stack) }

func up(t *testing.T, to operation.Target) error {
	t.Helper()
	_, err := operation.Up(t.Context(), to, operation.UpArgs{Confirm: func(*operation.Plan) error { return nil }})
	return err
}

// deployed is the folder of a model that holds the site of a stack.
func deployed(t *testing.T, stack string, values map[string]string) string {
	t.Helper()
	s, dir, done := opened(t, stack, values)
	defer done()
	must(t, s.Up(t.Context(), inprocess.Run{}))
	return dir
}

// opened is a stack in an empty model, and the folder of the model.
func opened(t *testing.T, stack string, values map[string]string) (s *inprocess.Stack, dir string, done func() error) {
	t.Helper()
	root, dir := t.TempDir(), t.TempDir()
	must(t, os.CopyFS(filepath.Join(root, "app"), os.DirFS(filepath.Join(repository, "app"))))
	data, err := os.ReadFile(filepath.Join(repository, "Pulumi.yaml"))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(root, "Pulumi.yaml"), data, 0o600)) // the project's part of slipway:app
	project, err := workspace.LoadProjectBytes(data, "Pulumi.yaml", encoding.YAML)
	must(t, err)
	data, err = os.ReadFile(filepath.Join(repository, "Pulumi."+stack+".yaml"))
	must(t, err)
	var file struct {
		Config config.Map `yaml:"config"`
	}
	must(t, encoding.YAML.Unmarshal(data, &file))
	for key, value := range values {
		file.Config[config.MustParseKey(key)] = config.NewObjectValue(value)
	}
	model, err := rehearsal.Open(filepath.Join(dir, "model.json"), rehearsal.Options{Root: root,
		Zones: []cloud.HostedZone{{Name: "example.com"}}})
	must(t, err)
	s, err = inprocess.Open(inprocess.Options{Project: project, Stack: stack, Dir: root, State: filepath.Join(dir, "state"),
		Passphrase: "correct horse",
		Config:     file.Config, Program: site.New(site.Options{Root: root, Runner: modelaccount.Runner(model.Account)}).Run,
		Providers: model.Providers()})
	must(t, err)
	return s, dir, model.Close
}

// deployedByRole is the folder of a model in which the deploy role that bootstrap makes deployed a stack.
func deployedByRole(t *testing.T, stack string) string {
	t.Helper()
	to := target(checkout(t, nil), stack)
	_, err := operation.Bootstrap(t.Context(), to)
	must(t, err)
	must(t, up(t, to))
	return dir(to)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// account opens a copy of a deployed model.
func account(t *testing.T, dir string) *cloud.Account {
	t.Helper()
	copied := t.TempDir()
	must(t, os.CopyFS(copied, os.DirFS(dir)))
	a, err := cloud.Open(modelaccount.File(copied), cloud.Options{})
	must(t, err)
	t.Cleanup(func() { a.Close() })
	return a
}

// deploy is the role that deploys the site.
var deploy = cloud.Caller{Role: "slipway-prod-deploy"}

// A refusal is what the model says about a resource.
type refusal struct{ resource, text string }

// refusals are everything that the model refuses: inputs, calls of the deploy role that creates, reads or deletes a resource, and calls
// of services and of the site's own roles.
func refusals(t *testing.T, a *cloud.Account) []refusal {
	t.Helper()
	var all []refusal
	add := func(urn, text string) { all = append(all, refusal{urn[strings.LastIndex(urn, "::")+2:], text}) }
	for _, f := range a.Findings() {
		if f.Code == "" || f.Message == "" || f.Fix == "" || f.Source == "" {
			t.Errorf("the finding is incomplete: %+v", f)
		}
		add(f.Resource, f.Code+" "+f.Message+"\n"+strings.Join(f.Chain, "\n"))
	}
	for _, o := range a.Made() {
		_, problems := a.Check(cloud.CheckRequest{Type: o.Type, URN: o.URN, News: o.Inputs})
		for _, p := range problems {
			add(o.URN, p.Path+" "+p.Rule)
		}
		for _, operation := range []string{"create", "delete"} {
			if operation == "create" && o.Type == "aws:kms/key:Key" {
				continue // the role may tag a key only as long as it has no alias
			}
			if err := a.Try(deploy, operation, o.Type, o.ID); err != nil {
				add(o.URN, err.Error())
			}
		}
	}
	return all
}

// TestReportedFailures: each case is a failure that happened to others, and source is where they reported it.
func TestReportedFailures(t *testing.T) {
	model := deployedByRole(t, "prod")
	if found := refusals(t, account(t, model)); len(found) > 0 {
		t.Fatalf("the program itself:\n%s", listed(found))
	}
	const role, bucket, topic, queue, key = "RolePolicy", "BucketPolicy", "TopicPolicy", "QueuePolicy", "Key"
	const github = "https://github.com/"
	for _, c := range []struct {
		failure, source string
		plant           plant
		resource        string // logical name of the resource at fault
		says            string
	}{
		// Calls of the deploy role.
		{"the deploy role may not tag a task definition at creation", "aws-amplify/amplify-category-api/issues/2299",
			mayNot("ecs:TagResource"), "web-task", "ecs:TagResource"},
		{"the deploy role may create everything but schedules", "ministryofjustice/modernisation-platform/issues/7930",
			mayNot("scheduler:CreateSchedule"), "job-clean-up", "scheduler:CreateSchedule"},
		{"a role without the permissions boundary that its creator must set", "aws/chalice/issues/1716",
			unset("Role", "bastion", "permissionsBoundary"), "bastion", "iam:CreateRole"},
		{"the deploy role may create topics, but not read them back", "mattermost/mattermost-cloud-monitoring/issues/144",
			mayNot("sns:GetTopicAttributes"), "alarms", "sns:GetTopicAttributes"},

		// What AWS checks besides the call: on behalf of the deploy role ...
		{"target tracking creates alarms, which the deploy role may not", "OWASP/Nest/issues/5043",
			onlyOn("cloudwatch:PutMetricAlarm", "arn:aws:cloudwatch:us-east-1:123456789012:alarm:slipway-prod-*"), "web-scaling-cpu",
			"cloudwatch:PutMetricAlarm"},
		{"EC2 needs the caller's right to grant on the key of a root disk", "aws-samples/aws-service-catalog-reference-architectures/issues/103",
			mayNot("kms:CreateGrant"), "bastion", "kms:CreateGrant"},
		{"the key of a root disk does not admit EC2", "aws/karpenter-provider-aws/issues/1407",
			replaced(key, "keys-disk", "policy", "ec2.us-east-1.amazonaws.com", "rds.us-east-1.amazonaws.com"), "bastion", "kms:ViaService"},
		{"the key of a database lets RDS create no grant", "wandb/terraform-aws-wandb/issues/305",
			without(key, "keys-data", "policy", "AccountGrantsToServices"), "database", "kms:CreateGrant"},
		{"the deploy role may not pass the role of a schedule", "serverless-operations/serverless-step-functions/issues/606",
			deployer(`"scheduler.amazonaws.com",`, ""), "job-clean-up", "iam:PassRole"},
		{"WAF writes a resource policy for its logs, which the caller may not", "hashicorp/terraform-provider-aws/issues/47111",
			mayNot("logs:PutResourcePolicy"), "waf", "logs:PutResourcePolicy"},
		{"flow logs need the caller's right to deliver logs", "iann0036/iam-dataset/issues/12",
			mayNot("logs:CreateLogDelivery"), "network-flow", "logs:CreateLogDelivery"},
		{"the deploy role may not pass the role of the flow logs", "RiotGames/cloud-inquisitor/issues/150",
			deployer(`"vpc-flow-logs.amazonaws.com"`, `"ec2.amazonaws.com"`), "network-flow", "iam:PassRole"},

		// ... and of the site's own roles.
		{"the execution role may not read a secret of a container", "aws/aws-cdk/issues/3529",
			without(role, "site-roles-execution-policy", "policy", "ReadSecrets"), "web", "ssm:GetParameters"},
		{"the execution role may read a secret, but not decrypt it", "GiamPy5/terraform-aws-directus/issues/10",
			without(role, "site-roles-execution-policy", "policy", "DecryptSecrets"), "web", "kms:Decrypt"},
		{"the role of the flow logs may write to another group than theirs", "awslabs/service-workbench-on-aws/issues/974",
			replaced(role, "network-flow", "policy", "/network/flow", "/flow"), "network-flow", "logs:PutLogEvents"},
		{"awslogs-create-group asks for a right although the group exists", "terraform-aws-modules/terraform-aws-ecs/issues/313",
			replaced("TaskDefinition", "web-task", "containerDefinitions", `"awslogs-region"`, `"awslogs-create-group":"true","awslogs-region"`),
			"web", "logs:CreateLogGroup"},
		{"the role that starts a job may not tag its tasks", "cn-terraform/terraform-aws-ecs-fargate-scheduled-task/issues/42",
			without(role, "job-clean-up-starter-policy", "policy", "TagItsTasks"), "job-clean-up", "ecs:TagResource"},
		{"the role that writes the archive may not use its key", "cloudposse/terraform-aws-cloudwatch-flow-logs/issues/5",
			without(role, "subscription-role-policy", "policy", "EncryptObjects"), "subscription", "kms:GenerateDataKey"},
		{"who sends to a stream with a customer key may not use the key", "ministryofjustice/modernisation-platform-environments/issues/19063",
			without(role, "subscription-writer-policy", "policy", "EncryptRecords"), "logs-django-archive", "kms:GenerateDataKey"},
		// The key also lets the account open sessions, by which the writer could use it: that goes as well.
		{"the test message of a subscription fails on the key of the stream", "awsdocs/amazon-cloudwatch-logs-user-guide/issues/47",
			both(without(key, "keys-logs", "policy", "AccountOpensSessions"),
				replaced(key, "keys-logs", "policy", `"firehose.us-east-1.amazonaws.com",`, ``)), "logs-django-archive", "kms:GenerateDataKey"},
		{"a trust policy asks for the ARN of a cluster, which ECS does not send", "awsdocs/amazon-ecs-developer-guide/issues/208",
			replaced("Role", "site-roles-task", "assumeRolePolicy", "arn:aws:ecs:us-east-1:123456789012:*",
				"arn:aws:ecs:us-east-1:123456789012:cluster/slipway-prod-site"), "web-task", "aws:SourceArn"},
		{"the agent in a task may not see whether the group of its session is encrypted", "aws-containers/amazon-ecs-exec-checker/issues/79",
			without(role, "site-roles-task-policy", "policy", "ExecFindGroup"), "web", "logs:DescribeLogGroups"},
		{"the agent on a host may not see whether the bucket of its session is encrypted", "aws/amazon-ssm-agent/issues/212",
			without(role, "bastion-record", "policy", "ReadBucketSettings"), "bastion", "s3:GetEncryptionConfiguration"},
		{"the role of the flow logs trusts another service", "aws-solutions/automated-security-response-on-aws/issues/20",
			replaced("Role", "network-flow", "assumeRolePolicy", "vpc-flow-logs.amazonaws.com", "cloudtrail.amazonaws.com"), "network-flow",
			"vpc-flow-logs.amazonaws.com -> sts:AssumeRole"},
		{"the role for enhanced monitoring trusts RDS itself", "hashicorp/terraform-provider-aws/issues/315",
			replaced("Role", "database-monitoring", "assumeRolePolicy", "monitoring.rds.amazonaws.com", "rds.amazonaws.com"), "database",
			"monitoring.rds.amazonaws.com -> sts:AssumeRole"},

		// Keys and the services that use them.
		{"a key policy that no one could change again", "widdix/aws-cf-templates/issues/259",
			without(key, "keys-data", "policy", "AccountAdministers"), "keys-data", "will not allow you to update the key policy in the future"},
		{"a key does not admit CloudWatch Logs", "hashicorp/terraform-provider-aws/issues/8042",
			without(key, "keys-logs", "policy", "CloudWatchLogs"), "network-flow", "logs.us-east-1.amazonaws.com -> kms:Encrypt"},
		{"alarms publish to a topic with the AWS-managed key", "ASFHyP3/hyp3/issues/762",
			set("Topic", "alarms", "kmsMasterKeyId", "alias/aws/sns"), "alarm-5xx-balancer", "alias/aws/sns cannot be changed"},
		{"the key of a topic does not admit CloudWatch", "awslabs/landing-zone-accelerator-on-aws/issues/31",
			without(key, "keys-alarms", "policy", "ServiceCloudwatch"), "alarm-5xx-balancer", "cloudwatch.amazonaws.com -> kms:GenerateDataKey"},
		{"events go to a queue with the AWS-managed key", "aws-solutions/quota-monitor-for-aws/issues/38",
			set("Queue", "jobs-failures", "kmsMasterKeyId", "alias/aws/sqs"), "jobs-failed", "alias/aws/sqs cannot be changed"},
		{"the key of a queue does not admit EventBridge", "aws/aws-cdk/issues/33169",
			without(key, "keys-alarms", "policy", "ServiceEvents"), "jobs-failed", "events.amazonaws.com -> kms:GenerateDataKey"},
		{"the key of a topic does not admit the events of RDS", "cds-snc/notification-terraform/issues/214",
			without(key, "keys-alarms", "policy", "ServiceEventsrds"), "alarm-database-events", "events.rds.amazonaws.com -> kms:GenerateDataKey"},

		// Policies of topics, queues and buckets.
		{"a topic does not admit CloudWatch", "aws-solutions/automated-security-response-on-aws/issues/43",
			replaced(topic, "alarms-policy", "policy", "cloudwatch.amazonaws.com", "events.amazonaws.com"), "alarm-5xx-balancer",
			"cloudwatch.amazonaws.com -> sns:Publish"},
		{"a queue does not admit EventBridge", "buildkite/on-demand/issues/26",
			without(queue, "jobs-failures", "policy", "FailedRuns"), "jobs-failed", "events.amazonaws.com -> sqs:SendMessage"},
		{"the bucket of the balancer's log admits another log service", "terraform-aws-modules/terraform-aws-s3-bucket/issues/185",
			replaced(bucket, "archive-access-policy", "policy", "logdelivery.elasticloadbalancing.amazonaws.com", "delivery.logs.amazonaws.com"),
			"balancer", "s3:PutObject"},
		{"the bucket of the balancer's log admits the site's own account", "kubernetes-sigs/aws-load-balancer-controller/issues/1956",
			replaced(bucket, "archive-access-policy", "policy", `{"Service":"logdelivery.elasticloadbalancing.amazonaws.com"}`,
				`{"AWS":"arn:aws:iam::123456789012:root"}`), "balancer", "s3:PutObject"},
		{"a bucket that demands KMS shuts out the balancer, which writes with S3's key", "cloudposse/terraform-aws-lb-s3-bucket/issues/9",
			added(bucket, "archive-access-policy", "policy", denyPut("OnlyKMS", "StringNotEquals", "aws:kms")), "balancer", "OnlyKMS"},
		{"a bucket that demands a header shuts out S3's access logs, which send none", "aws-quickstart/quickstart-compliance-common/issues/29",
			added(bucket, "archive-access-policy", "policy", denyPut("NeedsHeader", "Null", "true")), "archive-logs-access", "NeedsHeader"},
		{"a bucket that demands a header refuses uploads, which rely on its default encryption", "maximhq/bifrost/issues/6497",
			added(bucket, "media-policy", "policy", denyPut("NeedsKMS", "StringNotEquals", "aws:kms")), "web", "NeedsKMS"},
		{"a condition on an ACL that the balancer need not send", "cloudposse/terraform-aws-vpc-flow-logs-s3-bucket/issues/101",
			condition(bucket, "archive-access-policy", "BalancerAccessLogs", statement{"StringEquals": statement{
				"s3:x-amz-acl": "bucket-owner-full-control"}}), "balancer", "the request does not send s3:x-amz-acl"},

		// Endpoints.
		{"the S3 endpoint does not admit the bucket with the layers of images", "awsdocs/amazon-ecr-user-guide/issues/8",
			replaced("VpcEndpoint", "network-s3", "policy", "arn:aws:s3:::prod-us-east-1-starport-layer-bucket/*", "arn:aws:s3:::other/*"), "web",
			"no endpoint policy allows it"},
		{"the S3 endpoint admits own principals only, and AWS signs for the layers", "margince/margince/issues/5281",
			condition("VpcEndpoint", "network-s3", "ImageLayersAndPackages", statement{"StringEquals": statement{
				"aws:PrincipalAccount": "123456789012"}}), "web", "image layers are in S3"},
	} {
		t.Run(c.failure, func(t *testing.T) {
			a := account(t, model)
			c.plant(t, a)
			found := refusals(t, a)
			if !slices.ContainsFunc(found, func(r refusal) bool { return r.resource == c.resource && strings.Contains(r.text, c.says) }) {
				t.Errorf("%s: %s is not refused with %q; %d refusals:\n%s", github+c.source, c.resource, c.says, len(found), listed(found))
			}
		})
	}
}

func listed(all []refusal) string {
	var lines []string
	for _, r := range all[:min(8, len(all))] {
		lines = append(lines, r.resource+": "+r.text)
	}
	return strings.Join(lines, "\n")
}

// unjudged are statements whose removal breaks no call of a service or of a role of the site, with the reason.
var unjudged = map[string]string{
	"AccountAdministers":         "used by the deployment's own calls",
	"AccountGrantsToServices":    "used by the deployment's own calls",
	"AccountUsesThroughServices": "used by the deployment's own calls; other statements of keys-logs cover the roles",
	"AccountDecryptsSchedules":   "AWS does not say whether Scheduler sends kms:ViaService or the encryption context: both are admitted",
	"__default_statement_ID":     "the topic's own default, which TopicPolicy replaces",
	"DeliverWAFLogs":             "AWS writes it with the caller's rights if it is missing",
	"EncryptRecords":             "ECS Exec has the same rights where it uses the same key",
	"GitHub":                     "tokens of GitHub are not modelled",
}

// TestEveryStatementIsNeeded removes each Allow statement that services and roles of a site use, one at a time: something must then be
// denied, or the statement was unnecessary.
func TestEveryStatementIsNeeded(t *testing.T) {
	for _, stack := range []string{"prod", "staging"} {
		t.Run(stack, func(t *testing.T) {
			a := account(t, deployed(t, stack, nil))
			removed, denied := 0, 0
			for _, o := range a.Objects() {
				for _, property := range []string{"policy", "assumeRolePolicy", "policyDocument"} {
					// Managed policies are the deploy role's and the boundary, which limits and grants nothing.
					if text, _ := o.Outputs[property].(string); text != "" && o.URN != "" && !strings.HasSuffix(o.Type, ":Policy") {
						r, d := remove(t, a, o, property)
						removed, denied = removed+r, denied+d
					}
				}
			}
			t.Logf("%d statements removed, one at a time: %d refused", removed, denied)
			if denied < 60 {
				t.Errorf("only %d of %d removals were refused", denied, removed)
			}
		})
	}
}

// remove removes each Allow statement of a policy in turn, and reports how many it removed and how many removals were refused.
func remove(t *testing.T, a *cloud.Account, o *cloud.Object, property string) (removed, denied int) {
	t.Helper()
	text, _ := o.Outputs[property].(string)
	var document struct {
		Version   string
		Statement []statement
	}
	must(t, json.Unmarshal([]byte(text), &document))
	put := func(text string) {
		t.Helper()
		must(t, a.Alter(o.Type, o.ID, func(o *cloud.Object) { o.Outputs[property] = text }))
	}
	defer put(text)
	for i, s := range document.Statement {
		if s["Effect"] != "Allow" {
			continue
		}
		removed++
		less := document
		less.Statement = slices.Delete(slices.Clone(document.Statement), i, i+1)
		edited, err := json.Marshal(less)
		must(t, err)
		put(string(edited))
		sid, _ := s["Sid"].(string)
		if len(a.Findings()) > 0 {
			denied++
		} else if unjudged[sid] == "" {
			t.Errorf("%s: nothing needs statement %s of its %s", o.URN, sid, property)
		}
	}
	return removed, denied
}

func list(all []cloud.Finding) string {
	var lines []string
	for _, f := range all {
		lines = append(lines, f.Resource[strings.LastIndex(f.Resource, "::")+1:]+" "+f.Code+" "+strings.Join(f.Chain, " | "))
	}
	return strings.Join(lines[:min(8, len(lines))], "\n")
}
