package cicd_test

import (
	"fmt"
	"strings"
	"testing"

	"slipway/cicd"
	"slipway/internal/github"
	"slipway/internal/wiring"
	"slipway/rehearsal/iam"
	"slipway/site"
)

const (
	requestAccount  = "123456789012"
	prodStateKey    = "arn:aws:kms:us-east-1:123456789012:key/state-of-prod"
	prodStateBucket = "slipway-prod-state-123456789012-us-east-1"
)

// prod is the deploy role of a protected stack as bootstrap creates it.
func prod() *cicd.DeployerArgs {
	here := wiring.Site{
		Project: "slipway", Stack: "prod", Partition: "aws", Region: "us-east-1", AccountID: requestAccount, Protect: true,
	}
	return &cicd.DeployerArgs{
		Site: here, Facts: site.Catalog(here),
		Repository: "acme/shop", OwnerID: 583231, RepositoryID: 1296269, Environments: []string{"production"},
		ReadBranches: []string{"main"}, StateBucket: prodStateBucket, StateKeyARN: prodStateKey, Sources: []string{"222222222222"},
	}
}

// arn is a resource in prod's account and region.
func arn(service, resource string) string {
	return fmt.Sprintf("arn:aws:%s:us-east-1:%s:%s", service, requestAccount, resource)
}

func iamARN(resource string) string { return "arn:aws:iam::" + requestAccount + ":" + resource }

func s3ARN(resource string) string { return "arn:aws:s3:::" + resource }

// Keys and the context that a call about one has.
var (
	someKey  = arn("kms", "key/0d990263")
	ownKey   = tagged("prod").with("kms:ResourceAliases", "alias/slipway-prod-data")
	devKey   = tagged("dev").with("kms:ResourceAliases", "alias/slipway-dev-data")
	euKey    = tagged("prod-eu")
	shopKey  = requestContext{"aws:ResourceTag/project": {"shop"}, "aws:ResourceTag/stack": {"prod"}}
	plainKey = requestContext{"kms:ResourceAliases": {"alias/payroll"}} // of a program that sets no tags
	newKey   = requestContext{}                                         // KMS does not see its tags yet
	// What bootstrap creates has no tags of a stack.
	stateKey    = requestContext{"aws:ResourceTag/slipway:made-by": {"bootstrap"}, "kms:ResourceAliases": {"alias/slipway-prod-state"}}
	devStateKey = requestContext{"aws:ResourceTag/slipway:made-by": {"bootstrap"}, "kms:ResourceAliases": {"alias/slipway-dev-state"}}
	prodTags    = requestContext{"aws:RequestTag/project": {"slipway"}, "aws:RequestTag/stack": {"prod"}, "aws:RequestedRegion": {"us-east-1"}}
	devTags     = requestContext{"aws:RequestTag/project": {"slipway"}, "aws:RequestTag/stack": {"dev"}, "aws:RequestedRegion": {"us-east-1"}}
	here        = requestContext{"aws:RequestedRegion": {"us-east-1"}}
)

func via(key requestContext, service string) requestContext {
	return key.with("kms:ViaService", service+".us-east-1.amazonaws.com")
}

func to(service string) requestContext { return requestContext{"iam:PassedToService": {service}} }

func bounded(boundary string) requestContext {
	return requestContext{"iam:PermissionsBoundary": {iamARN("policy/" + boundary)}}
}

// join is the context of a call that has both.
func join(a, b requestContext) requestContext {
	all := a.with()
	for k, v := range b {
		all[k] = v
	}
	return all
}

// tagged is the context of a call on a resource of a stack.
func tagged(stack string) requestContext {
	return requestContext{"aws:ResourceTag/project": {"slipway"}, "aws:ResourceTag/stack": {stack}}
}

// An incident is a call, and what happens to the deployment or to the account if IAM answers otherwise.
type incident struct {
	name string
	call
}

func on(action string, c requestContext, resources ...string) call { return call{action, resources, c} }

// must are calls of a deployment.
var must = []incident{
	{"first deployment: the bastion's disk is encrypted", on("kms:GenerateDataKeyWithoutPlaintext", via(ownKey, "ec2"), someKey)},
	{"first deployment: the AMI's snapshot is encrypted anew, from", on("kms:ReEncryptFrom", via(ownKey, "ec2"), someKey)},
	{"first deployment: the AMI's snapshot is encrypted anew, to", on("kms:ReEncryptTo", via(ownKey, "ec2"), someKey)},
	{"first deployment: EBS gets a grant", on("kms:CreateGrant", via(ownKey, "ec2").with("kms:GrantIsForAWSResource", "true"), someKey)},
	{"first deployment: RDS gets a grant", on("kms:CreateGrant", via(ownKey, "rds").with("kms:GrantIsForAWSResource", "true"), someKey)},
	{"first deployment: Firehose gets a grant",
		on("kms:CreateGrant", via(ownKey, "firehose").with("kms:GrantIsForAWSResource", "true"), someKey)},
	{"first deployment: a repository gets a grant",
		on("kms:CreateGrant", via(ownKey, "ecr").with("kms:GrantIsForAWSResource", "true"), someKey)},
	{"destroy: a repository gives its grant back", on("kms:RetireGrant", via(ownKey, "ecr"), someKey)},
	{"a secret is written", on("kms:Encrypt", via(ownKey, "ssm"), someKey)},
	{"a secret is compared", on("kms:Decrypt", via(ownKey, "ssm"), someKey)},
	{"a schedule is encrypted", on("kms:GenerateDataKey", via(ownKey, "scheduler"), someKey)},
	{"first deployment: a key is made", on("kms:CreateKey", prodTags, "*")},
	{"first deployment: a key is tagged as it is made", on("kms:TagResource", prodTags, someKey)},
	{"seconds after a key is made, it gets its alias", on("kms:CreateAlias", newKey, someKey, arn("kms", "alias/slipway-prod-data"))},
	{"seconds after a key is made, it rotates", on("kms:EnableKeyRotation", newKey, someKey)},
	{"seconds after a key is made, S3 uses it", on("kms:GenerateDataKey", via(newKey, "s3"), someKey)},
	{"the policy of a key changes", on("kms:PutKeyPolicy", ownKey, someKey)},
	{"a tag is added to the configuration", on("kms:TagResource", join(ownKey, requestContext{"aws:RequestTag/team": {"web"}}), someKey)},
	{"a tag is taken out of the configuration", on("kms:UntagResource", ownKey, someKey)},
	{"destroy deletes a key", on("kms:ScheduleKeyDeletion", ownKey, someKey)},
	{"destroy deletes an alias", on("kms:DeleteAlias", ownKey, someKey, arn("kms", "alias/slipway-prod-data"))},
	{"a key is looked at", on("kms:DescribeKey", plainKey, someKey)},
	{"target tracking: the caller's own right to alarms is checked", on("cloudwatch:PutMetricAlarm", nil,
		arn("cloudwatch", "alarm:TargetTracking-service/slipway-prod-site/slipway-prod-web-AlarmHigh-1"))},
	{"target tracking: and to look at them", on("cloudwatch:DescribeAlarms", nil, "*")},
	{"target tracking: and to delete them", on("cloudwatch:DeleteAlarms", nil,
		arn("cloudwatch", "alarm:TargetTracking-service/slipway-prod-site/slipway-prod-web-AlarmLow-1"))},
	{"an alarm of the stack changes",
		on("cloudwatch:PutMetricAlarm", tagged("prod"),
			arn("cloudwatch", "alarm:slipway-prod-errors"))},
	{"WAF logs: the resource policy is written", on("logs:PutResourcePolicy", here, "*")},
	{"WAF logs: the resource policy is looked for", on("logs:DescribeResourcePolicies", here, "*")},
	{"WAF logs: destroy takes the resource policy away", on("logs:DeleteResourcePolicy", here, "*")},
	{"WAF logs: the first logging configuration of an account makes WAF's role", on("iam:CreateServiceLinkedRole",
		requestContext{"iam:AWSServiceName": {"wafv2.amazonaws.com"}},
		iamARN("role/aws-service-role/wafv2.amazonaws.com/AWSServiceRoleForWAFV2Logging"))},
	{"the pipeline asks why tasks stopped",
		on("ecs:ListTasks", requestContext{"ecs:cluster": {arn("ecs", "cluster/slipway-prod-site")}},
			arn("ecs", "container-instance/slipway-prod-site/*"))},
	{"the role of subscription filters is passed, CloudWatch Logs says so",
		on("iam:PassRole", to("logs.amazonaws.com"), iamARN("role/slipway-prod-logs-to-firehose"))},
	{"the role of subscription filters is passed, CloudWatch Logs says so by region",
		on("iam:PassRole", to("logs.us-east-1.amazonaws.com"), iamARN("role/slipway-prod-logs-to-firehose"))},
	{"the role of subscription filters is passed, CloudWatch Logs says nothing",
		on("iam:PassRole", nil, iamARN("role/slipway-prod-logs-to-firehose"))},
	{"a task's role is passed", on("iam:PassRole", to("ecs-tasks.amazonaws.com"), iamARN("role/slipway-prod-web-task"))},
	{"a role is made within the boundary", on("iam:CreateRole", bounded("slipway-prod-boundary"), iamARN("role/slipway-prod-web-task"))},
	{"the state is read", on("s3:GetObject", nil, s3ARN(prodStateBucket+"/.pulumi/stacks/slipway/prod.json"))},
	{"the state is written", on("s3:PutObject", nil, s3ARN(prodStateBucket+"/.pulumi/stacks/slipway/prod.json"))},
	{"the state's lock is released", on("s3:DeleteObject", nil, s3ARN(prodStateBucket+"/.pulumi/locks/organization/slipway/prod/1.json"))},
	{"the state is found", on("s3:ListBucket", nil, s3ARN(prodStateBucket))},
	{"a secret in the state is opened", on("kms:Decrypt", stateKey, prodStateKey)},
	{"a secret in the state is sealed", on("kms:Encrypt", stateKey, prodStateKey)},
	{"the media bucket gets its policy", on("s3:PutBucketPolicy", nil, s3ARN("slipway-prod-media-20260101"))},
	{"the log bucket gets its lifecycle", on("s3:PutLifecycleConfiguration", nil, s3ARN("slipway-prod-logs-20260101"))},
	{"destroy empties the access-log bucket", on("s3:DeleteObjectVersion", nil, s3ARN("slipway-prod-access-20260101/s3/1"))},
	{"a promotion reads the release of dev",
		on("s3:GetObject", nil, s3ARN("slipway-dev-state-222222222222-us-east-1/.slipway/releases/slipway/dev.json"))},
	{"a promotion opens the release of dev", on("kms:Decrypt", via(devStateKey, "s3"), "arn:aws:kms:us-east-1:222222222222:key/state-of-dev")},
}

// neverState are calls that change or erase the state of any stack of the project.
var neverState = []incident{
	{"it takes over the state's key by tagging it as its own", on("kms:TagResource", join(stateKey, prodTags), prodStateKey)},
	{"it takes over a state's key that has no alias yet", on("kms:TagResource",
		join(requestContext{"aws:ResourceTag/slipway:made-by": {"bootstrap"}}, prodTags), someKey)},
	{"it points the state's alias at another key", on("kms:UpdateAlias", ownKey, someKey, arn("kms", "alias/slipway-prod-state"))},
	{"it takes the state's alias", on("kms:DeleteAlias", stateKey, prodStateKey, arn("kms", "alias/slipway-prod-state"))},
	{"it passes a key off as dev's state key", on("kms:CreateAlias", ownKey, someKey, arn("kms", "alias/slipway-dev-state"))},
	{"it gives the state's key another alias", on("kms:CreateAlias", stateKey, prodStateKey, arn("kms", "alias/slipway-prod-x"))},
	{"it rewrites the policy of the state's key", on("kms:PutKeyPolicy", stateKey, prodStateKey)},
	{"it rewrites the policy of the state's key, after an administrator tagged it", on("kms:PutKeyPolicy", ownKey, prodStateKey)},
	{"it deletes the state's key", on("kms:ScheduleKeyDeletion", stateKey, prodStateKey)},
	{"it disables the state's key", on("kms:DisableKey", stateKey, prodStateKey)},
	{"it grants the state's key", on("kms:CreateGrant", via(stateKey, "ec2").with("kms:GrantIsForAWSResource", "true"), prodStateKey)},
	{"it rewrites the policy of dev's state key", on("kms:PutKeyPolicy", devStateKey, someKey)},
	{"it deletes dev's state key, after an administrator tagged it as prod's",
		on("kms:ScheduleKeyDeletion", join(ownKey, requestContext{"kms:ResourceAliases": {"alias/slipway-dev-state"}}), someKey)},
	{"it opens the state to the world", on("s3:PutBucketPolicy", nil, s3ARN(prodStateBucket))},
	{"it drops the state's policy", on("s3:DeleteBucketPolicy", nil, s3ARN(prodStateBucket))},
	{"it turns the state's versions off", on("s3:PutBucketVersioning", nil, s3ARN(prodStateBucket))},
	{"it lets the state expire", on("s3:PutLifecycleConfiguration", nil, s3ARN(prodStateBucket))},
	{"it changes the state's encryption", on("s3:PutEncryptionConfiguration", nil, s3ARN(prodStateBucket))},
	{"it lets the public at the state", on("s3:PutBucketPublicAccessBlock", nil, s3ARN(prodStateBucket))},
	{"it brings access lists back to the state", on("s3:PutBucketOwnershipControls", nil, s3ARN(prodStateBucket))},
	{"it deletes the bucket of the state", on("s3:DeleteBucket", nil, s3ARN(prodStateBucket))},
	{"it erases the history of the state", on("s3:DeleteObjectVersion", nil, s3ARN(prodStateBucket+"/.pulumi/stacks/slipway/prod.json"))},
	{"it erases the history of dev's state",
		on("s3:DeleteObjectVersion", nil, s3ARN("slipway-dev-state-123456789012-us-east-1/.pulumi/stacks/slipway/dev.json"))},
}

// never are calls by which a stolen or careless workflow of prod would reach further than prod's site.
var never = []incident{
	{"it calls KMS itself for a data key", on("kms:GenerateDataKeyWithoutPlaintext", ownKey, someKey)},
	{"it encrypts disks through another service", on("kms:GenerateDataKeyWithoutPlaintext", via(ownKey, "s3"), someKey)},
	{"it encrypts a disk with dev's key", on("kms:GenerateDataKeyWithoutPlaintext", via(devKey, "ec2"), someKey)},
	{"it re-encrypts directly", on("kms:ReEncryptFrom", ownKey, someKey)},
	{"it decrypts directly", on("kms:Decrypt", ownKey, someKey)},
	{"it decrypts what dev stored", on("kms:Decrypt", via(devKey, "ssm"), someKey)},
	{"it decrypts what the same stack of another project stored", on("kms:Decrypt", via(shopKey, "s3"), someKey)},
	{"it grants a key to itself, by name of a service", on("kms:CreateGrant", via(ownKey, "ec2"), someKey)},
	{"it grants a key to itself", on("kms:CreateGrant", ownKey.with("kms:GrantIsForAWSResource", "false"), someKey)},
	{"it grants dev's key", on("kms:CreateGrant", via(devKey, "ec2").with("kms:GrantIsForAWSResource", "true"), someKey)},
	{"it retires any grant", on("kms:RetireGrant", ownKey, someKey)},
	{"it makes keys that belong to no stack", on("kms:CreateKey", here, "*")},
	{"it makes a key for dev", on("kms:CreateKey", devTags, "*")},
	{"it makes a key elsewhere",
		on("kms:CreateKey", requestContext{"aws:RequestTag/project": {"slipway"}, "aws:RequestTag/stack": {"prod"},
			"aws:RequestedRegion": {"eu-west-1"}}, "*")},
	{"it rewrites the policy of dev's key", on("kms:PutKeyPolicy", devKey, someKey)},
	{"it rewrites the policy of a key of prod-eu, whose name begins alike", on("kms:PutKeyPolicy", euKey, someKey)},
	{"it rewrites the policy of a key of another project's prod", on("kms:PutKeyPolicy", shopKey, someKey)},
	{"it rewrites the policy of a key without tags", on("kms:PutKeyPolicy", plainKey, someKey)},
	{"it deletes dev's key", on("kms:ScheduleKeyDeletion", devKey, someKey)},
	{"it deletes a key without tags", on("kms:ScheduleKeyDeletion", plainKey, someKey)},
	{"it disables a key", on("kms:DisableKey", ownKey, someKey)},
	{"it takes over dev's key by tagging it as its own", on("kms:TagResource", join(devKey, prodTags), someKey)},
	{"it takes over another program's key by tagging it as its own", on("kms:TagResource", join(plainKey, prodTags), someKey)},
	{"it tags a new key as dev's", on("kms:TagResource", devTags, someKey)},
	{"it takes dev's tags away", on("kms:UntagResource", devKey, someKey)},
	{"it gives dev's key an alias", on("kms:CreateAlias", devKey, someKey, arn("kms", "alias/slipway-prod-data"))},
	{"it takes an alias of dev's", on("kms:UpdateAlias", ownKey, someKey, arn("kms", "alias/slipway-dev-data"))},
	{"it opens the secrets in dev's state", on("kms:Decrypt", devStateKey, "arn:aws:kms:us-east-1:222222222222:key/state-of-dev")},
	{"it opens the secrets in the state of another stack here", on("kms:Decrypt", devStateKey, someKey)},
	{"it deletes the state of prod-eu, whose name begins alike",
		on("s3:DeleteObject", nil, s3ARN("slipway-prod-eu-state-123456789012-us-east-1/.pulumi/stacks/slipway/prod-eu.json"))},
	{"it reads the state of dev", on("s3:GetObject", nil, s3ARN("slipway-dev-state-123456789012-us-east-1/.pulumi/stacks/slipway/dev.json"))},
	{"it writes the state of dev", on("s3:PutObject", nil, s3ARN("slipway-dev-state-123456789012-us-east-1/.pulumi/stacks/slipway/dev.json"))},
	{"it forges a release of dev",
		on("s3:PutObject", nil, s3ARN("slipway-dev-state-222222222222-us-east-1/.slipway/releases/slipway/dev.json"))},
	{"it silences an alarm of dev",
		on("cloudwatch:DeleteAlarms", tagged("dev"), arn("cloudwatch", "alarm:slipway-dev-errors"))},
	{"it changes an alarm of another project's prod",
		on("cloudwatch:PutMetricAlarm", requestContext{"aws:ResourceTag/project": {"shop"}, "aws:ResourceTag/stack": {"prod"}},
			arn("cloudwatch", "alarm:shop-prod-errors"))},
	{"it lists the tasks of dev", on("ecs:ListTasks", requestContext{"ecs:cluster": {arn("ecs", "cluster/slipway-dev-site")}}, "*")},
	{"it lists the tasks of prod-eu, whose name begins alike",
		on("ecs:ListTasks", requestContext{"ecs:cluster": {arn("ecs", "cluster/slipway-prod-eu-site")}}, "*")},
	{"it lists all tasks", on("ecs:ListTasks", nil, "*")},
	{"it writes resource policies elsewhere", on("logs:PutResourcePolicy", requestContext{"aws:RequestedRegion": {"eu-west-1"}}, "*")},
	{"it passes a task's role to a service that does not say which it is", on("iam:PassRole", nil, iamARN("role/slipway-prod-web-task"))},
	{"it passes the role of subscription filters to Lambda",
		on("iam:PassRole", to("lambda.amazonaws.com"), iamARN("role/slipway-prod-logs-to-firehose"))},
	{"it passes itself to a task", on("iam:PassRole", to("ecs-tasks.amazonaws.com"), iamARN("role/slipway-prod-deploy"))},
	{"it passes a role of dev", on("iam:PassRole", to("ecs-tasks.amazonaws.com"), iamARN("role/slipway-dev-web-task"))},
	{"it makes a role without the boundary", on("iam:CreateRole", nil, iamARN("role/slipway-prod-x"))},
	{"it makes a role within dev's boundary", on("iam:CreateRole", bounded("slipway-dev-boundary"), iamARN("role/slipway-prod-x"))},
	{"it widens itself", on("iam:PutRolePolicy", bounded("slipway-prod-boundary"), iamARN("role/slipway-prod-deploy"))},
	{"it widens the read role", on("iam:PutRolePolicy", bounded("slipway-prod-boundary"), iamARN("role/slipway-prod-read"))},
	{"it lets others assume the read role", on("iam:UpdateAssumeRolePolicy", nil, iamARN("role/slipway-prod-read"))},
	{"it widens the boundary", on("iam:CreatePolicyVersion", nil, iamARN("policy/slipway-prod-boundary"))},
	{"it takes a boundary away", on("iam:DeleteRolePermissionsBoundary", nil, iamARN("role/slipway-prod-web-task"))},
	{"it lets others assume it", on("iam:UpdateAssumeRolePolicy", nil, iamARN("role/slipway-prod-deploy"))},
}

func documents(specs ...cicd.PolicySpec) (all []string) {
	for _, p := range specs {
		all = append(all, p.Document)
	}
	return all
}

func judge(t *testing.T, identity []*iam.Document, incidents []incident, want bool) {
	t.Helper()
	seen := map[string]bool{}
	for _, i := range incidents {
		if seen[i.name] {
			t.Errorf("two cases are named %q", i.name)
		}
		seen[i.name] = true
		t.Run(strings.ReplaceAll(i.name, "/", "-"), func(t *testing.T) {
			if got, why := allows(t, identity, i.call); got != want {
				t.Errorf("%s on %v in %v: allowed is %v, want %v (%s)", i.action, i.resources, i.context, got, want, why)
			}
		})
	}
}

func TestWhatADeploymentCalls(t *testing.T) {
	deployer, _, err := prod().RoleSpecs()
	if err != nil {
		t.Fatal(err)
	}
	judge(t, parse(t, documents(deployer.Policies...)...), must, true)
}

func TestWhatADeploymentNeverCalls(t *testing.T) {
	deployer, _, err := prod().RoleSpecs()
	if err != nil {
		t.Fatal(err)
	}
	identity := parse(t, documents(deployer.Policies...)...)
	judge(t, identity, never, false)
	judge(t, identity, neverState, false)
}

// The state is denied explicitly: another policy on the role gives no access to it.
func TestNoOtherPolicyOpensTheState(t *testing.T) {
	deployer, _, err := prod().RoleSpecs()
	if err != nil {
		t.Fatal(err)
	}
	const everything = `{"Version":"2012-10-17","Statement":[{"Sid":"Everything","Effect":"Allow","Action":"*","Resource":"*"}]}`
	judge(t, parse(t, append(documents(deployer.Policies...), everything)...), neverState, false)
}

// What docs/security.md lists as open is open: a change that closes one of these has to change that page too.
func TestTheDocumentedGapsExist(t *testing.T) {
	deployer, _, err := prod().RoleSpecs()
	if err != nil {
		t.Fatal(err)
	}
	judge(t, parse(t, documents(deployer.Policies...)...), []incident{
		{"a VPC of another stack is deleted", on("ec2:DeleteVpc", tagged("dev"), arn("ec2", "vpc/vpc-1"))},
		{"an instance of another stack is stopped", on("ec2:StopInstances", tagged("dev"), arn("ec2", "instance/i-1"))},
		{"a certificate of another stack is deleted", on("acm:DeleteCertificate", tagged("dev"), arn("acm", "certificate/1"))},
		{"a record of another stack is changed", on("route53:ChangeResourceRecordSets", nil, "arn:aws:route53:::hostedzone/Z1")},
		{"a key without tags and alias is tagged", on("kms:TagResource", prodTags, someKey)},
		{"an alarm without tags is deleted", on("cloudwatch:DeleteAlarms", nil, arn("cloudwatch", "alarm:payroll"))},
		{"a resource policy of another program is rewritten", on("logs:PutResourcePolicy", here, "*")},
		{"a service of prod-eu, whose name begins alike, is changed",
			on("ecs:UpdateService", nil, arn("ecs", "service/slipway-prod-eu-site/slipway-prod-eu-web"))},
	}, true)
	judge(t, parse(t, (&cicd.BoundaryArgs{Site: prod().Site, Facts: site.Catalog(prod().Site)}).PolicySpec().Document), []incident{
		{"a state key of one's own, without bootstrap's tag and alias", on("kms:Decrypt", plainKey, arn("kms", "key/acme"))},
	}, true)
}

// A shared key, and the owner's own names of buckets and keys, do not change that.
func TestACustomStateKeyAndBucket(t *testing.T) {
	args := prod()
	args.StateBucket, args.StateKeyARN = "acme-pulumi", arn("kms", "key/acme")
	deployer, _, err := args.RoleSpecs()
	if err != nil {
		t.Fatal(err)
	}
	identity := parse(t, documents(deployer.Policies...)...)
	shared := tagged("prod").with("kms:ResourceAliases", "alias/slipway-prod-all")
	judge(t, identity, []incident{
		{"the state is written", on("s3:PutObject", nil, s3ARN("acme-pulumi/.pulumi/stacks/slipway/prod.json"))},
		{"a secret in the state is sealed", on("kms:Encrypt", plainKey, arn("kms", "key/acme"))},
		{"the shared key's policy changes", on("kms:PutKeyPolicy", shared, someKey)},
		{"the shared key is granted", on("kms:CreateGrant", via(shared, "rds").with("kms:GrantIsForAWSResource", "true"), someKey)},
	}, true)
	judge(t, identity, []incident{
		{"the history of the state is erased", on("s3:DeleteObjectVersion", nil, s3ARN("acme-pulumi/.pulumi/stacks/slipway/prod.json"))},
		{"the bucket of the state is opened", on("s3:PutBucketPolicy", nil, s3ARN("acme-pulumi"))},
		{"the key of the state, tagged as the stack's, is deleted", on("kms:ScheduleKeyDeletion", shared, arn("kms", "key/acme"))},
	}, false)
}

func TestWhatAPullRequestReads(t *testing.T) {
	_, reader, err := prod().RoleSpecs()
	if err != nil {
		t.Fatal(err)
	}
	identity := parse(t, documents(reader.Policies...)...)
	judge(t, identity, []incident{
		{"the alarms of target tracking are read", on("cloudwatch:DescribeAlarms", nil, "*")},
		{"the resource policy of WAF's logs is read", on("logs:DescribeResourcePolicies", nil, "*")},
		{"the tasks are listed", on("ecs:ListTasks", requestContext{"ecs:cluster": {arn("ecs", "cluster/slipway-prod-site")}}, "*")},
		{"the tags of a key are read", on("kms:ListResourceTags", ownKey, someKey)},
		{"the state is read", on("s3:GetObject", nil, s3ARN(prodStateBucket+"/.pulumi/stacks/slipway/prod.json"))},
		{"a parameter is opened",
			on("kms:Decrypt", via(ownKey, "ssm").with("kms:EncryptionContext:PARAMETER_ARN",
				arn("ssm", "parameter/slipway/prod/db/password")), someKey)},
	}, true)
	judge(t, identity, []incident{
		{"it tags a key", on("kms:TagResource", join(ownKey, prodTags), someKey)},
		{"it makes a key", on("kms:CreateKey", prodTags, "*")},
		{"it encrypts a disk", on("kms:GenerateDataKeyWithoutPlaintext", via(ownKey, "ec2"), someKey)},
		{"it retires a grant", on("kms:RetireGrant", via(ownKey, "ecr"), someKey)},
		{"it silences an alarm", on("cloudwatch:DeleteAlarms", nil, arn("cloudwatch", "alarm:slipway-prod-errors"))},
		{"it rewrites the resource policy of WAF's logs", on("logs:PutResourcePolicy", here, "*")},
		{"it lists the tasks of dev", on("ecs:ListTasks", requestContext{"ecs:cluster": {arn("ecs", "cluster/slipway-dev-site")}}, "*")},
		{"it writes the state", on("s3:PutObject", nil, s3ARN(prodStateBucket+"/.pulumi/stacks/slipway/prod.json"))},
		{"it deletes the state", on("s3:DeleteObject", nil, s3ARN(prodStateBucket+"/.pulumi/stacks/slipway/prod.json"))},
		{"it opens a parameter of dev",
			on("kms:Decrypt", via(devKey, "ssm").with("kms:EncryptionContext:PARAMETER_ARN",
				arn("ssm", "parameter/slipway/dev/db/password")), someKey)},
		{"it passes a role", on("iam:PassRole", nil, iamARN("role/slipway-prod-logs-to-firehose"))},
	}, false)
}

// A role of the site whose own policy allows everything can do only what its boundary allows.
func TestWhatTheBoundaryAllows(t *testing.T) {
	identity := parse(t, (&cicd.BoundaryArgs{Site: prod().Site, Facts: site.Catalog(prod().Site)}).PolicySpec().Document)
	judge(t, identity, []incident{
		{"a task opens a secret", on("kms:Decrypt", via(ownKey, "ssm"), someKey)},
		{"a shell session is encrypted", on("kms:GenerateDataKey", ownKey, someKey)},
		{"Firehose writes minutes after its key was made", on("kms:GenerateDataKey", via(newKey, "s3"), someKey)},
		{"CloudWatch Logs writes to Firehose", on("firehose:PutRecordBatch", nil, arn("firehose", "deliverystream/slipway-prod-subscription"))},
	}, true)
	judge(t, identity, []incident{
		{"a task opens what dev stored", on("kms:Decrypt", devKey, someKey)},
		{"a task opens what prod-eu stored", on("kms:Decrypt", euKey, someKey)},
		{"a task opens the secrets in Pulumi.prod.yaml", on("kms:Decrypt", stateKey, prodStateKey)},
		{"a task opens the secrets in Pulumi.dev.yaml", on("kms:Decrypt", devStateKey, someKey)},
		{"a task opens the secrets in Pulumi.dev.yaml, before the key has its alias",
			on("kms:Decrypt", requestContext{"aws:ResourceTag/slipway:made-by": {"bootstrap"}}, someKey)},
		{"a task reads the state", on("s3:GetObject", nil, s3ARN(prodStateBucket+"/.pulumi/stacks/slipway/prod.json"))},
		{"a task rewrites a key's policy", on("kms:PutKeyPolicy", ownKey, someKey)},
		{"a task makes a role", on("iam:CreateRole", bounded("slipway-prod-boundary"), iamARN("role/slipway-prod-x"))},
		{"a task rewrites resource policies", on("logs:PutResourcePolicy", here, "*")},
	}, false)
}

func TestWhichTokensMayDeployAndRead(t *testing.T) {
	deployer, reader, err := prod().RoleSpecs()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, subject, audience string
		deploy, read            bool
	}{
		{"the environment, as older repositories sign in", "repo:acme/shop:environment:production", "sts.amazonaws.com", true, false},
		{"the environment, as newer repositories sign in",
			"repo:acme@583231/shop@1296269:environment:production", "sts.amazonaws.com", true, false},
		{"the branch, as older repositories sign in", "repo:acme/shop:ref:refs/heads/main", "sts.amazonaws.com", false, true},
		{"the branch, as newer repositories sign in", "repo:acme@583231/shop@1296269:ref:refs/heads/main", "sts.amazonaws.com", false, true},
		{"a repository of the same name, made later", "repo:acme@583231/shop@99:environment:production", "sts.amazonaws.com", false, false},
		{"an owner of the same name, who came later", "repo:acme@99/shop@1296269:environment:production", "sts.amazonaws.com", false, false},
		{"a repository that is named like an owner with a number",
			"repo:acme@583231/shop:environment:production", "sts.amazonaws.com", false, false},
		{"another environment", "repo:acme/shop:environment:staging", "sts.amazonaws.com", false, false},
		{"another environment that begins alike", "repo:acme/shop:environment:production-eu", "sts.amazonaws.com", false, false},
		{"a pull request", "repo:acme/shop:pull_request", "sts.amazonaws.com", false, false},
		{"another repository", "repo:acme/shop2:environment:production", "sts.amazonaws.com", false, false},
		{"a token that is made for another service", "repo:acme/shop:environment:production", "https://github.com/acme", false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, role := range []struct {
				spec *cicd.RoleSpec
				want bool
			}{{deployer, c.deploy}, {reader, c.read}} {
				trust := statements(t, role.spec.Trust)
				if len(trust) != 1 || trust[0].Effect != "Allow" || trust[0].Principal["Federated"][0] != iamARN("oidc-provider/"+github.Issuer) {
					t.Fatalf("%s trusts %+v", role.spec.Name, trust)
				}
				token := requestContext{github.Issuer + ":sub": {c.subject}, github.Issuer + ":aud": {c.audience}}
				if d := trusts(t, role.spec.Trust, trust[0].Principal["Federated"][0], token); d.Allowed() != role.want {
					t.Errorf("%s: %s (%v), want admitted %v", role.spec.Name, d.Outcome, d.Reasons(), role.want)
				}
			}
		})
	}
}
