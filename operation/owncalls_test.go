package operation

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"slipway/bootstrap"
	"slipway/rehearsal/cloud"
	"slipway/rehearsal/iam"
)

// An ownCall is a call that Slipway and the engine make themselves, and no resource: on the state, on images, and on what runs. A
// rehearsal has no bucket behind its state and no registry, so the model does not see these calls.
type ownCall struct {
	actions string
	on      string // template; see asked
	keys    string // key=value ...
	source  string
}

const (
	diyState       = "pulumi/pulumi, pkg/backend/diy, with gocloud.dev/blob/s3blob: list, get, put, copy and delete objects"
	sealed         = "S3 User Guide, \"Using server-side encryption with AWS KMS keys\": Decrypt to read, GenerateDataKey to write, via s3"
	kmsSecret      = "gocloud.dev/secrets/awskms: Encrypt and Decrypt, by the key's own name"
	pulling        = "ECR User Guide, \"Private repository policy examples\": what a pull takes"
	pushing        = "ECR User Guide, \"IAM permissions for pushing an image\""
	ledgerOfSource = "release.Ledger of the stack that a release comes from"
	foreseeing     = "operation/account/awsaccount, quotas.go and names.go; Service Authorization Reference"
	ecsActs        = "operation/account/awsaccount and ecs/runner_aws.go; ECS in the Service Authorization Reference"
)

// deployCalls are those of up, promote, rollback, destroy and unlock; readCalls those of preview and drift.
var (
	deployCalls = []ownCall{
		{"s3:ListBucket", "{bucket}", "", diyState},
		{"s3:GetObject s3:PutObject s3:DeleteObject", "{bucket}/.pulumi/stacks/slipway/{stack}.json", "", diyState},
		{"kms:Decrypt kms:GenerateDataKey", "{key}", "kms:ViaService=s3.{region}.amazonaws.com", sealed},
		{"kms:Decrypt kms:Encrypt", "{key}", "", kmsSecret},

		{"s3:ListBucket", "{other bucket}", "s3:prefix=.slipway/releases/slipway/{other}/", ledgerOfSource},
		{"s3:GetObject", "{other bucket}/.slipway/releases/slipway/{other}/1.json", "", ledgerOfSource},
		{"kms:Decrypt", "{other key}", "kms:ViaService=s3.{region}.amazonaws.com kms:ResourceAliases=alias/slipway-{other}-state", sealed},

		{"ecr:GetAuthorizationToken", "*", "", pulling},
		{"ecr:BatchGetImage ecr:GetDownloadUrlForLayer", "{arn}ecr:{region}:{account}:repository/slipway-{other}/django", "", pulling},
		{"ecr:BatchCheckLayerAvailability", "{arn}ecr:{region}:{account}:repository/slipway-{other}/nginx", "", pulling},
		{"ecr:InitiateLayerUpload ecr:UploadLayerPart ecr:CompleteLayerUpload ecr:PutImage ecr:BatchCheckLayerAvailability ecr:BatchGetImage " +
			"ecr:DescribeImages", "{arn}ecr:{region}:{account}:repository/slipway-{stack}/django", "", pushing},
		{"ecr:InitiateLayerUpload ecr:UploadLayerPart ecr:CompleteLayerUpload ecr:PutImage ecr:BatchCheckLayerAvailability ecr:BatchGetImage",
			"{arn}ecr:{region}:{account}:repository/slipway-{stack}/psql", "", pushing},

		{"ecs:DescribeServices ecs:UpdateService", "{arn}ecs:{region}:{account}:service/slipway-{stack}-site/slipway-{stack}-web", "", ecsActs},
		{"ecs:ListTasks", "*", "ecs:cluster={arn}ecs:{region}:{account}:cluster/slipway-{stack}-site", ecsActs},
		{"ecs:ListServiceDeployments", "{arn}ecs:{region}:{account}:service/slipway-{stack}-site/slipway-{stack}-web", "", ecsActs},
		{"ecs:DescribeServiceDeployments",
			"{arn}ecs:{region}:{account}:service-deployment/slipway-{stack}-site/slipway-{stack}-web/1", "", ecsActs},
		{"ecs:DescribeTasks ecs:StopTask", "{arn}ecs:{region}:{account}:task/slipway-{stack}-site/1", "", ecsActs},
		{"ecs:DescribeTaskDefinition ecs:DeregisterTaskDefinition ecs:ListTaskDefinitionFamilies ecs:ListTaskDefinitions", "*", "", ecsActs},
		{"logs:GetLogEvents", "{arn}logs:{region}:{account}:log-group:/slipway/{stack}/django:log-stream:1", "",
			"the last lines of a task that failed"},
		{"s3:ListBucket", "{media}", "", "what destroy counts"},
	}
	readCalls = []ownCall{
		{"s3:ListBucket", "{bucket}", "", diyState},
		{"s3:GetObject", "{bucket}/.pulumi/stacks/slipway/{stack}.json", "", diyState},
		{"s3:PutObject", "{bucket}/.slipway/drift/slipway/{stack}.json", "", "drift.Check.Write: the record of a check"},
		{"kms:Decrypt kms:GenerateDataKey", "{key}", "kms:ViaService=s3.{region}.amazonaws.com", sealed},
		{"kms:Decrypt", "{key}", "", kmsSecret},
	}
	// Both roles look before a plan whether a quota or a taken name stands in its way.
	foreseen = []ownCall{
		{"servicequotas:GetServiceQuota servicequotas:GetAWSDefaultServiceQuota", "*", "", foreseeing},
		{"ec2:DescribeVpcs ec2:DescribeInternetGateways ec2:DescribeAddresses elasticloadbalancing:DescribeLoadBalancers", "*", "", foreseeing},
		{"rds:DescribeDBInstances", "{arn}rds:{region}:{account}:db:slipway-{stack}-database", "", foreseeing},
		{"iam:GetRole", "{arn}iam::{account}:role/slipway-{stack}-site-task", "", foreseeing},
		{"iam:GetPolicy", "{arn}iam::{account}:policy/slipway-{stack}-boundary", "", foreseeing},
		{"ecr:DescribeRepositories", "{arn}ecr:{region}:{account}:repository/slipway-{stack}/django", "", foreseeing},
		{"ecs:DescribeClusters", "{arn}ecs:{region}:{account}:cluster/slipway-{stack}-site", "", foreseeing},
		{"logs:DescribeLogGroups kms:ListAliases ssm:DescribeParameters", "*", "", foreseeing},
	}
)

// own decides Slipway's own calls with the policies of the account. A denial is an error.
func own(account *cloud.Account, stack, other string) error {
	bucket := func(stack, of string) string {
		return "arn:aws:s3:::slipway-" + stack + "-" + of + "-" + account.AccountID + "-" + account.Region
	}
	// The key of the state of the other stack, as bootstrap makes it.
	_, made, err := account.Create(cloud.Change{Type: "aws:kms/key:Key", URN: "urn:pulumi:other::slipway::aws:kms/key:Key::other-state",
		Inputs: map[string]any{"policy": (&bootstrap.Spec{Account: account.AccountID, Partition: account.Partition}).KeyPolicy()}})
	if err != nil {
		return err
	}
	values := []string{
		"{arn}", "arn:aws:", "{region}", account.Region, "{account}", account.AccountID, "{stack}", stack, "{other}", other,
		"{bucket}", bucket(stack, "state"), "{other bucket}", bucket(other, "state"), "{other key}", fmt.Sprint(made["arn"]),
	}
	for _, o := range account.Objects() {
		out := cloud.Inputs(o.Outputs)
		switch {
		case o.Type == "aws:kms/key:Key" && o.Seeded:
			values = append(values, "{key}", out.String("arn"))
		case o.Type == "aws:s3/bucketV2:BucketV2" && strings.HasSuffix(o.URN, "::media"):
			values = append(values, "{media}", out.String("arn"))
		}
	}
	fill := strings.NewReplacer(values...)
	for role, calls := range map[string][]ownCall{"slipway-" + stack + "-deploy": deployCalls, "slipway-" + stack + "-read": readCalls} {
		for _, c := range append(slices.Clone(calls), foreseen...) {
			for _, action := range strings.Fields(c.actions) {
				call := cloud.Call{Action: action, Resource: fill.Replace(c.on), Context: iam.Context{}, Source: c.source}
				for _, pair := range strings.Fields(c.keys) {
					key, value, _ := strings.Cut(fill.Replace(pair), "=")
					call.Context.Set(key, iam.One(value))
				}
				d, err := account.Decide(cloud.Caller{Role: role}, call)
				if err == nil && !d.Allowed() {
					err = fmt.Errorf("%s may not %s on %s (%s): %v", role, action, call.Resource, c.source, d.Reasons())
				}
				if err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// What Slipway itself does in a real account is allowed to the roles that bootstrap makes.
func TestSlipwaysOwnCallsAreAllowed(t *testing.T) {
	target := Target{Root: checkout(t), Stack: "staging", Throwaway: true, Progress: logged{t}}
	if _, err := Bootstrap(t.Context(), target); err != nil {
		t.Fatal(err)
	}
	if _, err := Up(t.Context(), target, UpArgs{Confirm: anything}); err != nil {
		t.Fatal(err)
	}
	if err := own(opened(t, target), "staging", "dev"); err != nil {
		t.Error(err)
	}
}
