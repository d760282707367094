package cicd_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"slipway/cicd"
	"slipway/internal/policy"
)

// settings are the actions of the deploy role that only read settings. A new action of the deploy role that begins with
// Describe, Get or List needs a decision here whether a pull request may call it.
var settings = []string{
	"acm:DescribeCertificate", "acm:ListTagsForCertificate",
	"application-autoscaling:DescribeScalableTargets", "application-autoscaling:DescribeScalingPolicies",
	"application-autoscaling:ListTagsForResource",
	"cloudwatch:DescribeAlarms", "cloudwatch:GetDashboard", "cloudwatch:ListTagsForResource",
	"ec2:DescribeAccountAttributes", "ec2:DescribeAddresses", "ec2:DescribeAddressesAttribute", "ec2:DescribeAvailabilityZones",
	"ec2:DescribeFlowLogs", "ec2:DescribeIamInstanceProfileAssociations", "ec2:DescribeImages", "ec2:DescribeInstanceAttribute",
	"ec2:DescribeInstanceCreditSpecifications", "ec2:DescribeInstanceTypes", "ec2:DescribeInstances", "ec2:DescribeInternetGateways",
	"ec2:DescribeNatGateways", "ec2:DescribeNetworkAcls", "ec2:DescribeNetworkInterfaces", "ec2:DescribePrefixLists",
	"ec2:DescribeRouteTables", "ec2:DescribeSecurityGroupRules", "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets",
	"ec2:DescribeTags", "ec2:DescribeVolumes", "ec2:DescribeVpcAttribute", "ec2:DescribeVpcEndpoints", "ec2:DescribeVpcs",
	"ecr:DescribeImages", "ecr:DescribeRepositories", "ecr:GetAuthorizationToken", "ecr:GetLifecyclePolicy", "ecr:GetRepositoryPolicy",
	"ecr:ListTagsForResource",
	"ecs:DescribeClusters", "ecs:DescribeServiceDeployments", "ecs:DescribeServices", "ecs:DescribeTaskDefinition", "ecs:DescribeTasks",
	"ecs:ListServiceDeployments", "ecs:ListTaskDefinitionFamilies", "ecs:ListTaskDefinitions", "ecs:ListTasks",
	"elasticache:DescribeCacheClusters", "elasticache:DescribeCacheSubnetGroups", "elasticache:DescribeReplicationGroups",
	"elasticache:ListTagsForResource",
	"elasticloadbalancing:DescribeListenerAttributes", "elasticloadbalancing:DescribeListeners",
	"elasticloadbalancing:DescribeLoadBalancerAttributes", "elasticloadbalancing:DescribeLoadBalancers",
	"elasticloadbalancing:DescribeTags", "elasticloadbalancing:DescribeTargetGroupAttributes",
	"elasticloadbalancing:DescribeTargetGroups",
	"events:DescribeRule", "events:ListTagsForResource", "events:ListTargetsByRule",
	"firehose:DescribeDeliveryStream", "firehose:ListTagsForDeliveryStream",
	"iam:GetInstanceProfile", "iam:GetOpenIDConnectProvider", "iam:GetPolicy", "iam:GetPolicyVersion", "iam:GetRole",
	"iam:GetRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListInstanceProfilesForRole", "iam:ListOpenIDConnectProviderTags",
	"iam:ListPolicyVersions", "iam:ListRolePolicies",
	"kms:DescribeKey", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus", "kms:ListAliases", "kms:ListResourceTags",
	"logs:DescribeLogGroups", "logs:DescribeLogStreams", "logs:DescribeResourcePolicies", "logs:DescribeSubscriptionFilters",
	"logs:GetLogDelivery", "logs:ListLogDeliveries", "logs:ListTagsForResource",
	"rds:DescribeDBInstances", "rds:DescribeDBParameterGroups", "rds:DescribeDBParameters", "rds:DescribeDBSubnetGroups",
	"rds:DescribeEventSubscriptions", "rds:ListTagsForResource",
	"route53:GetChange", "route53:GetHostedZone", "route53:ListHostedZones", "route53:ListResourceRecordSets",
	"route53:ListTagsForResource",
	"s3:GetAccelerateConfiguration", "s3:GetBucketAcl", "s3:GetBucketCORS", "s3:GetBucketLogging",
	"s3:GetBucketObjectLockConfiguration", "s3:GetBucketOwnershipControls", "s3:GetBucketPolicy", "s3:GetBucketPublicAccessBlock",
	"s3:GetBucketRequestPayment", "s3:GetBucketTagging", "s3:GetBucketVersioning", "s3:GetBucketWebsite",
	"s3:GetEncryptionConfiguration", "s3:GetLifecycleConfiguration", "s3:GetReplicationConfiguration", "s3:ListBucket",
	"scheduler:GetSchedule", "scheduler:GetScheduleGroup", "scheduler:ListTagsForResource",
	"servicequotas:GetAWSDefaultServiceQuota", "servicequotas:GetServiceQuota",
	"sns:GetSubscriptionAttributes", "sns:GetTopicAttributes", "sns:ListTagsForResource",
	"sqs:GetQueueAttributes", "sqs:ListQueueTags",
	"ssm:DescribeDocument", "ssm:DescribeDocumentPermission", "ssm:DescribeParameters", "ssm:GetDocument", "ssm:GetParameter",
	"ssm:ListTagsForResource",
	"wafv2:GetLoggingConfiguration", "wafv2:GetWebACL", "wafv2:GetWebACLForResource", "wafv2:ListTagsForResource",
}

// roleStatements are the statements of the deploy role and of the read role, in all their policies.
func roleStatements(t *testing.T) (deploy, read []policy.ParsedStatement) {
	t.Helper()
	deployer, reader, err := deployerOf().RoleSpecs()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range deployer.Policies {
		deploy = append(deploy, statements(t, p.Document)...)
	}
	for _, p := range reader.Policies {
		read = append(read, statements(t, p.Document)...)
	}
	return deploy, read
}

// actions are those of statements, sorted, each once.
func actions(statements []policy.ParsedStatement) []string {
	var all []string
	for _, s := range statements {
		all = append(all, s.Action...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func TestEveryActionThatReadsIsKnown(t *testing.T) {
	deploy, _ := roleStatements(t)
	var found []string
	for _, action := range actions(deploy) {
		if cicd.Reads(action) {
			found = append(found, action)
		}
	}
	if diff := cmp.Diff(settings, found); diff != "" {
		t.Errorf("actions of the deploy role that are taken for reading (-known +found):\n%s", diff)
	}
	for _, action := range cicd.Contents {
		if !slices.Contains(actions(deploy), action) {
			t.Errorf("%s is kept from the read role, and the deploy role has no such action", action)
		}
	}
}

func TestTheReadRoleChangesNothing(t *testing.T) {
	// What it may besides reading settings: decrypt this stack's parameters and its state, and record a drift check.
	more := map[string]string{
		"OpenParameters": "kms:Decrypt", "OpenState": "kms:Decrypt", "SealLook": "kms:GenerateDataKey",
		"ReadState": "s3:GetObject", "KeepLook": "s3:PutObject",
	}
	_, read := roleStatements(t)
	for _, s := range read {
		if s.Effect == "Deny" {
			t.Errorf("%s denies, and what is not allowed is denied anyway", s.Sid)
		}
		if want, ok := more[s.Sid]; ok {
			delete(more, s.Sid)
			if got := strings.Join(s.Action, " "); got != want {
				t.Errorf("%s allows %s, want %s", s.Sid, got, want)
			}
			continue
		}
		for _, action := range s.Action {
			if !slices.Contains(settings, action) {
				t.Errorf("%s allows %s", s.Sid, action)
			}
		}
	}
	if len(more) > 0 {
		t.Errorf("it lacks %v", more)
	}
}

// Nothing is read that the deploy role may not read, nor more widely.
func TestTheReadRoleReadsWhatTheDeployRoleReads(t *testing.T) {
	deployStatements, read := roleStatements(t)
	deploy := map[string]policy.ParsedStatement{}
	for _, s := range deployStatements {
		deploy[s.Sid] = s
	}
	own := []string{"OpenParameters", "ReadState", "KeepLook", "OpenState", "SealLook"}
	var got []string
	for _, s := range read {
		if slices.Contains(own, s.Sid) {
			continue
		}
		got = append(got, s.Action...)
		like := deploy[s.Sid]
		if diff := cmp.Diff(like.Resource, s.Resource); diff != "" || !cmp.Equal(like.Condition, s.Condition) {
			t.Errorf("%s is not the deploy role's:\n%s", s.Sid, diff)
		}
	}
	slices.Sort(got)
	if diff := cmp.Diff(settings, slices.Compact(got)); diff != "" {
		t.Errorf("of what may be read (-all +the read role):\n%s", diff)
	}
}

func TestTheReadRoleOpensThisStacksSecretsAlone(t *testing.T) {
	opens := 0
	_, read := roleStatements(t)
	for _, s := range read {
		if !slices.Contains(s.Action, "kms:Decrypt") {
			continue
		}
		opens++
		if cmp.Equal(s.Resource, policy.Many{"arn:aws:kms:us-east-1:123456789012:key/state"}) {
			continue
		}
		want := map[string]map[string]policy.Many{
			"StringEquals": {"kms:ViaService": {"ssm.us-east-1.amazonaws.com"}},
			"StringLike":   {"kms:EncryptionContext:PARAMETER_ARN": {"arn:aws:ssm:us-east-1:123456789012:parameter/slipway/dev/*"}},
		}
		if diff := cmp.Diff(want, s.Condition); diff != "" {
			t.Errorf("%s (-want +got):\n%s", s.Sid, diff)
		}
	}
	if opens != 2 {
		t.Errorf("%d statements decrypt, want the state's and the parameters'", opens)
	}
}

func TestTheReadRoleWritesOneObject(t *testing.T) {
	_, read := roleStatements(t)
	for _, s := range read {
		if slices.Contains(s.Action, "s3:PutObject") &&
			!cmp.Equal(s.Resource, policy.Many{"arn:aws:s3:::acme-state/.slipway/drift/slipway/dev.json"}) {
			t.Errorf("%s writes %v", s.Sid, s.Resource)
		}
	}
}
