// Package incidents_test plants failures that others reported into the real program, one at a time: the site of stack prod is
// deployed into the model once, a policy of it is changed, and the model must name the resource and the reason.
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

	"slipway/engine/inprocess"
	"slipway/operation/account/modelaccount"
	"slipway/rehearsal"
	"slipway/rehearsal/cloud"
	"slipway/site"
)

const repository = "../.."

// deployed is the folder of a model that holds the site of a stack.
func deployed(t *testing.T, stack string, values map[string]string) string {
	t.Helper()
	root, dir := t.TempDir(), t.TempDir()
	must(t, os.CopyFS(filepath.Join(root, "app"), os.DirFS(filepath.Join(repository, "app"))))
	data, err := os.ReadFile(filepath.Join(repository, "Pulumi.yaml"))
	must(t, err)
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
	defer model.Close()
	s, err := inprocess.Open(inprocess.Options{Project: project, Stack: stack, Dir: root, State: filepath.Join(dir, "state"),
		Passphrase: "correct horse",
		Config:     file.Config, Program: site.New(site.Options{Root: root, Runner: modelaccount.Runner(model.Account)}).Run,
		Providers: model.Providers()})
	must(t, err)
	must(t, s.Up(t.Context(), inprocess.Run{}))
	return dir
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
	a, err := cloud.Open(filepath.Join(copied, "model.json"), cloud.Options{})
	must(t, err)
	t.Cleanup(func() { a.Close() })
	return a
}

// A plant changes the account.
type plant func(t *testing.T, a *cloud.Account)

// named finds the object that a program calls name; several types may share one.
func named(t *testing.T, a *cloud.Account, kind, name string) *cloud.Object {
	t.Helper()
	for _, o := range a.Objects() {
		if strings.HasSuffix(o.URN, "::"+name) && strings.HasSuffix(o.Type, ":"+kind) {
			return o
		}
	}
	t.Fatalf("the site has no %s %s", kind, name)
	return nil
}

// set changes a property.
func set(kind, name, property string, value any) plant {
	return func(t *testing.T, a *cloud.Account) {
		t.Helper()
		o := named(t, a, kind, name)
		must(t, a.Alter(o.Type, o.ID, func(o *cloud.Object) { o.Inputs[property], o.Outputs[property] = value, value }))
	}
}

type statement = map[string]any

// edit changes the statements of the policy in a property.
func edit(kind, name, property string, change func(t *testing.T, all []statement) []statement) plant {
	return func(t *testing.T, a *cloud.Account) {
		t.Helper()
		o := named(t, a, kind, name)
		text, _ := o.Outputs[property].(string)
		var document struct {
			Version   string
			Statement []statement
		}
		must(t, json.Unmarshal([]byte(text), &document))
		before := len(text)
		document.Statement = change(t, document.Statement)
		edited, err := json.Marshal(document)
		must(t, err)
		if len(edited) == before && string(edited) == text {
			t.Fatalf("%s %s is as before", kind, name)
		}
		set(kind, name, property, string(edited))(t, a)
	}
}

// without removes the statement with a Sid.
func without(kind, name, property, sid string) plant {
	return edit(kind, name, property, func(t *testing.T, all []statement) []statement {
		t.Helper()
		left := slices.DeleteFunc(slices.Clone(all), func(s statement) bool { return s["Sid"] == sid })
		if len(left) == len(all) {
			t.Fatalf("%s %s has no statement %s", kind, name, sid)
		}
		return left
	})
}

// replaced replaces text in a policy.
func replaced(kind, name, property, old, now string) plant {
	return func(t *testing.T, a *cloud.Account) {
		t.Helper()
		text, _ := named(t, a, kind, name).Outputs[property].(string)
		if !strings.Contains(text, old) {
			t.Fatalf("%s %s does not contain %s:\n%s", kind, name, old, text)
		}
		set(kind, name, property, strings.ReplaceAll(text, old, now))(t, a)
	}
}

// added adds a statement.
func added(kind, name, property string, s statement) plant {
	return edit(kind, name, property, func(_ *testing.T, all []statement) []statement { return append(all, s) })
}

func both(one, other plant) plant {
	return func(t *testing.T, a *cloud.Account) {
		t.Helper()
		one(t, a)
		other(t, a)
	}
}

// TestPermissionsOfServicesAndRoles: the number is that of the collection of incidents; source is where it was reported.
func TestPermissionsOfServicesAndRoles(t *testing.T) {
	dir := deployed(t, "prod", nil)
	if found := account(t, dir).Findings(); len(found) > 0 {
		t.Fatalf("the program itself: %+v", found)
	}
	const role, bucket, topic, queue, key = "RolePolicy", "BucketPolicy", "TopicPolicy", "QueuePolicy", "Key"
	for _, c := range []struct {
		id, source string
		plant      plant
		resource   string // logical name of the resource at fault
		says       string // in its chain
	}{
		{"A02", "aws/aws-cdk#3529", without(role, "site-roles-execution-policy", "policy", "ReadSecrets"), "web", "ssm:GetParameters"},
		{"A06", "awslabs/service-workbench-on-aws#974", replaced(role, "network-flow", "policy", "/network/flow", "/flow"),
			"network-flow", "logs:PutLogEvents"},
		{"A07", "terraform-aws-modules/terraform-aws-ecs#313", replaced("TaskDefinition", "web-task", "containerDefinitions",
			`"awslogs-region"`, `"awslogs-create-group":"true","awslogs-region"`), "web", "logs:CreateLogGroup"},
		{"B01", "cn-terraform/terraform-aws-ecs-fargate-scheduled-task#42", without(role, "job-clean-up-starter-policy", "policy", "TagItsTasks"),
			"job-clean-up", "ecs:TagResource"},
		{"B03", "GiamPy5/terraform-aws-directus#10", without(role, "site-roles-execution-policy", "policy", "DecryptSecrets"), "web",
			"kms:Decrypt"},
		{"B07", "hashicorp/terraform-provider-aws#8042", without(key, "keys-logs", "policy", "CloudWatchLogs"), "network-flow",
			"logs.us-east-1.amazonaws.com -> kms:Encrypt"},
		{"B08", "cloudposse/terraform-aws-cloudwatch-flow-logs#5", without(role, "subscription-role-policy", "policy", "EncryptObjects"),
			"subscription", "kms:GenerateDataKey"},
		{"B09", "ASFHyP3/hyp3#762", set("Topic", "alarms", "kmsMasterKeyId", "alias/aws/sns"), "alarm-5xx-balancer",
			"alias/aws/sns cannot be changed"},
		{"B10", "awslabs/landing-zone-accelerator-on-aws#31", without(key, "keys-alarms", "policy", "ServiceCloudwatch"), "alarm-5xx-balancer",
			"cloudwatch.amazonaws.com -> kms:GenerateDataKey"},
		{"B12", "aws-solutions/quota-monitor-for-aws#38", set("Queue", "jobs-failures", "kmsMasterKeyId", "alias/aws/sqs"), "jobs-failed",
			"alias/aws/sqs cannot be changed"},
		{"B13", "aws/aws-cdk#33169", without(key, "keys-alarms", "policy", "ServiceEvents"), "jobs-failed",
			"events.amazonaws.com -> kms:GenerateDataKey"},
		{"B14", "ministryofjustice/modernisation-platform-environments#19063", without(role, "subscription-writer-policy", "policy",
			"EncryptRecords"),
			"logs-django-archive", "kms:GenerateDataKey"},
		// The key also lets the account open sessions, by which the writer could use it: that goes as well.
		{"B15", "awsdocs/amazon-cloudwatch-logs-user-guide#47", both(without(key, "keys-logs", "policy", "AccountOpensSessions"),
			replaced(key, "keys-logs", "policy", `"firehose.us-east-1.amazonaws.com",`, ``)), "logs-django-archive", "kms:GenerateDataKey"},
		{"B17", "awsdocs/amazon-ecs-developer-guide#208", replaced("Role", "site-roles-task", "assumeRolePolicy",
			"arn:aws:ecs:us-east-1:123456789012:*", "arn:aws:ecs:us-east-1:123456789012:cluster/slipway-prod-site"), "web-task", "aws:SourceArn"},
		{"B21", "aws-containers/amazon-ecs-exec-checker#79", without(role, "site-roles-task-policy", "policy", "ExecFindGroup"), "web",
			"logs:DescribeLogGroups"},
		{"B22", "aws/amazon-ssm-agent#212", without(role, "bastion-record", "policy", "ReadBucketSettings"), "bastion",
			"s3:GetEncryptionConfiguration"},
		{"B26", "aws-solutions/automated-security-response-on-aws#20", replaced("Role", "network-flow", "assumeRolePolicy",
			"vpc-flow-logs.amazonaws.com",
			"cloudtrail.amazonaws.com"), "network-flow", "vpc-flow-logs.amazonaws.com -> sts:AssumeRole"},
		{"B28", "hashicorp/terraform-provider-aws#315", replaced("Role", "database-monitoring", "assumeRolePolicy",
			"monitoring.rds.amazonaws.com",
			"rds.amazonaws.com"), "database", "monitoring.rds.amazonaws.com -> sts:AssumeRole"},
		{"C02", "aws-solutions/automated-security-response-on-aws#43", replaced(topic, "alarms-policy", "policy", "cloudwatch.amazonaws.com",
			"events.amazonaws.com"), "alarm-5xx-balancer", "cloudwatch.amazonaws.com -> sns:Publish"},
		{"C03", "terraform-aws-modules/terraform-aws-s3-bucket#185", replaced(bucket, "archive-access-policy", "policy",
			"logdelivery.elasticloadbalancing.amazonaws.com", "delivery.logs.amazonaws.com"), "balancer", "s3:PutObject"},
		{"C04", "kubernetes-sigs/aws-load-balancer-controller#1956", replaced(bucket, "archive-access-policy", "policy",
			`{"Service":"logdelivery.elasticloadbalancing.amazonaws.com"}`, `{"AWS":"arn:aws:iam::123456789012:root"}`), "balancer", "s3:PutObject"},
		{"C06", "cloudposse/terraform-aws-lb-s3-bucket#9", added(bucket, "archive-access-policy", "policy", statement{"Sid": "OnlyKMS",
			"Effect":    "Deny",
			"Principal": "*", "Action": "s3:PutObject", "Resource": "*", "Condition": statement{"StringNotEquals": statement{
				"s3:x-amz-server-side-encryption": "aws:kms"}}}), "balancer", "OnlyKMS"},
		{"C10", "buildkite/on-demand#26", without(queue, "jobs-failures", "policy", "FailedRuns"), "jobs-failed",
			"events.amazonaws.com -> sqs:SendMessage"},
		{"C11", "cds-snc/notification-terraform#214", without(key, "keys-alarms", "policy", "ServiceEventsrds"), "alarm-database-events",
			"events.rds.amazonaws.com -> kms:GenerateDataKey"},
		{"C12", "aws-quickstart/quickstart-compliance-common#29", added(bucket, "archive-access-policy", "policy", statement{"Sid": "NeedsHeader",
			"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": "*", "Condition": statement{"Null": statement{
				"s3:x-amz-server-side-encryption": "true"}}}), "archive-logs-access", "NeedsHeader"},
		{"C13", "maximhq/bifrost#6497", added(bucket, "media-policy", "policy", statement{"Sid": "NeedsKMS", "Effect": "Deny", "Principal": "*",
			"Action": "s3:PutObject", "Resource": "*", "Condition": statement{"StringNotEquals": statement{
				"s3:x-amz-server-side-encryption": "aws:kms"}}}), "web", "NeedsKMS"},
		{"C14", "cloudposse/terraform-aws-vpc-flow-logs-s3-bucket#101", edit(bucket, "archive-access-policy", "policy",
			func(_ *testing.T, all []statement) []statement {
				for _, s := range all {
					if s["Sid"] == "BalancerAccessLogs" {
						s["Condition"] = statement{"StringEquals": statement{"s3:x-amz-acl": "bucket-owner-full-control"}}
					}
				}
				return all
			}), "balancer", "the request does not send s3:x-amz-acl"},
		{"D05", "awsdocs/amazon-ecr-user-guide#8", replaced("VpcEndpoint", "network-s3", "policy",
			"arn:aws:s3:::prod-us-east-1-starport-layer-bucket/*",
			"arn:aws:s3:::other/*"), "web", "no endpoint policy allows it"},
		{"D06", "margince/margince#5281", edit("VpcEndpoint", "network-s3", "policy", func(_ *testing.T, all []statement) []statement {
			for _, s := range all {
				if s["Sid"] == "ImageLayersAndPackages" {
					s["Condition"] = statement{"StringEquals": statement{"aws:PrincipalAccount": "123456789012"}}
				}
			}
			return all
		}), "web", "image layers are in S3"},
	} {
		t.Run(c.id, func(t *testing.T) {
			a := account(t, dir)
			c.plant(t, a)
			found := a.Findings()
			at := slices.IndexFunc(found, func(f cloud.Finding) bool {
				return strings.HasSuffix(f.Resource, "::"+c.resource) && strings.Contains(strings.Join(f.Chain, "\n"), c.says)
			})
			if at < 0 {
				t.Errorf("%s: no finding at %s that says %q; %d findings:\n%s", c.source, c.resource, c.says, len(found), list(found))
			} else if f := found[at]; f.Code == "" || f.Message == "" || f.Fix == "" || f.Source == "" {
				t.Errorf("the finding is incomplete: %+v", f)
			}
		})
	}
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
