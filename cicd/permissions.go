package cicd

import (
	"cmp"
	"fmt"

	"slipway/internal/policy"
	"slipway/internal/wiring"
)

// deployerPart is the deploy role's part of its physical name; its policies' names begin with it.
const deployerPart = "deploy"

// An area is one managed policy of the deploy role. IAM takes 6,144 characters a policy and ten policies a role.
type area struct {
	name       string
	statements []policy.Statement
}

// permissions are what an `up` of this program calls, by service: every action by name.
//
// Resources are limited in the narrowest way that AWS offers:
//
//   - by name (project-stack-*, /project/stack/*) where the name is part of the ARN: roles, databases, services, log
//     groups, parameters, topics, queues, streams, repositories, buckets;
//   - by the stack's tags for KMS keys, whose identifiers AWS chooses (see keys);
//   - by account and region for the other resources whose identifiers AWS chooses: VPC parts, certificates, endpoints;
//   - not at all ("*") only for listing and describing, and for the few calls that take no resource.
//
// A role that may write roles and pass them to a task can do whatever those roles may do. So the deploy role can only write
// roles that have the stack's permissions boundary (boundary.go), and cannot change the boundary or the roles of the
// workflows (see identity). Within that limit GitHub is the gate: protect the environments or branches that the
// configuration names.
func (a *DeployerArgs) permissions() []area {
	areas := []area{
		{"network", a.network()},
		{"edge", a.edge()},
		{"data", a.data()},
		{"keys", a.keys()},
		{"compute", a.compute()},
		{"logs", a.logs()},
		{"identity", append(a.identity(), a.stateIsOffLimits()...)},
	}
	if a.StateBucket != "" || a.StateKeyARN != "" {
		areas = append(areas, area{"state", a.state()})
	}
	return areas
}

// named are the resources of a service whose ARN is prefix and a name of this stack.
func (a *DeployerArgs) named(service string, prefixes ...string) []any {
	var arns []any
	for _, prefix := range prefixes {
		arns = append(arns, a.Site.ARN(service, prefix+a.Site.Name("*")))
	}
	return arns
}

// within are all resources of a service in this account and region.
func (a *DeployerArgs) within(service string, kinds ...string) []any {
	var arns []any
	for _, kind := range kinds {
		arns = append(arns, a.Site.ARN(service, kind))
	}
	return arns
}

// tagged requires the two tags by which a key belongs to this stack: "aws:ResourceTag" those that it has, "aws:RequestTag"
// those that the request gives it. The stack's AWS provider puts both on everything that it makes (site/provider.go), and
// the configuration cannot give them other values. They are compared as a whole, so prod does not match prod-eu.
func (a *DeployerArgs) tagged(where string) map[string]any {
	return map[string]any{where + "/project": a.Site.Project, where + "/stack": a.Site.Stack}
}

// any is the site of whichever stack of the project.
func (a *DeployerArgs) any() wiring.Site {
	site := a.Site
	site.Stack = "*"
	return site
}

// released are resources of every region of the accounts from which a release may come: this one and the Sources.
func (a *DeployerArgs) released(service string, kinds ...string) []any {
	var arns []any
	for _, account := range append([]string{a.Site.AccountID}, a.Sources...) {
		for _, kind := range kinds {
			arns = append(arns, fmt.Sprintf("arn:%s:%s:*:%s:%s", a.Site.Partition, service, account, kind))
		}
	}
	return arns
}

// buckets are the stack's buckets, and what is in them.
func (a *DeployerArgs) buckets(parts ...string) []any {
	var arns []any
	for _, part := range parts {
		arns = append(arns, fmt.Sprintf("arn:%s:s3:::%s", a.Site.Partition, a.Site.Name(part)))
	}
	return arns
}

// global is the ARN of a resource that has no region.
func (a *DeployerArgs) global(service, resource string) string {
	return fmt.Sprintf("arn:%s:%s::%s:%s", a.Site.Partition, service, a.Site.AccountID, resource)
}

// boundaryARN is the permissions boundary of the roles that the stack makes.
func (a *DeployerArgs) boundaryARN() string {
	return cmp.Or(a.BoundaryARN, a.global("iam", "policy/"+a.Site.Name(boundaryPart)))
}

// through are services of this region as KMS names them when they call with the caller's permissions.
func (a *DeployerArgs) through(services ...string) []any {
	var names []any
	for _, s := range services {
		names = append(names, fmt.Sprintf("%s.%s.amazonaws.com", s, a.Site.Region))
	}
	return names
}

func (a *DeployerArgs) network() []policy.Statement {
	return []policy.Statement{
		{
			Sid: "LookAtNetwork",
			Actions: []string{
				"ec2:DescribeAccountAttributes", "ec2:DescribeAddresses", "ec2:DescribeAddressesAttribute", "ec2:DescribeAvailabilityZones",
				"ec2:DescribeFlowLogs", "ec2:DescribeIamInstanceProfileAssociations", "ec2:DescribeImages", "ec2:DescribeInstanceAttribute",
				"ec2:DescribeInstanceCreditSpecifications", "ec2:DescribeInstanceStatus", "ec2:DescribeInstanceTypes", "ec2:DescribeInstances",
				"ec2:DescribeInternetGateways", "ec2:DescribeManagedPrefixLists", "ec2:DescribeNatGateways", "ec2:DescribeNetworkAcls",
				"ec2:DescribeNetworkInterfaces", "ec2:DescribePrefixLists", "ec2:DescribeRouteTables", "ec2:DescribeSecurityGroupRules",
				"ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeTags", "ec2:DescribeVolumes", "ec2:DescribeVpcAttribute",
				"ec2:DescribeVpcEndpoints", "ec2:DescribeVpcEndpointServices", "ec2:DescribeVpcs", "ec2:GetManagedPrefixListEntries",
			},
			Resources: []any{"*"},
		},
		{
			Sid: "BuildNetwork",
			Actions: []string{
				"ec2:AllocateAddress", "ec2:AssociateAddress", "ec2:AssociateRouteTable", "ec2:AttachInternetGateway",
				"ec2:AuthorizeSecurityGroupEgress", "ec2:AuthorizeSecurityGroupIngress", "ec2:CreateFlowLogs", "ec2:CreateInternetGateway",
				"ec2:CreateNatGateway", "ec2:CreateRoute", "ec2:CreateRouteTable", "ec2:CreateSecurityGroup", "ec2:CreateSubnet",
				"ec2:CreateTags", "ec2:CreateVpc", "ec2:CreateVpcEndpoint", "ec2:DeleteFlowLogs", "ec2:DeleteInternetGateway",
				"ec2:DeleteNatGateway", "ec2:DeleteRoute", "ec2:DeleteRouteTable", "ec2:DeleteSecurityGroup", "ec2:DeleteSubnet",
				"ec2:DeleteTags", "ec2:DeleteVpc", "ec2:DeleteVpcEndpoints", "ec2:DetachInternetGateway", "ec2:DisassociateAddress",
				"ec2:DisassociateRouteTable", "ec2:ModifySecurityGroupRules", "ec2:ModifySubnetAttribute", "ec2:ModifyVpcAttribute",
				"ec2:ModifyVpcEndpoint", "ec2:ReleaseAddress", "ec2:ReplaceRoute", "ec2:ReplaceRouteTableAssociation",
				"ec2:RevokeSecurityGroupEgress", "ec2:RevokeSecurityGroupIngress", "ec2:UpdateSecurityGroupRuleDescriptionsEgress",
				"ec2:UpdateSecurityGroupRuleDescriptionsIngress",
			},
			Resources: a.within("ec2", "*"),
		},
		{
			Sid: "RunBastion",
			Actions: []string{
				"ec2:AssociateIamInstanceProfile", "ec2:DisassociateIamInstanceProfile", "ec2:ModifyInstanceAttribute",
				"ec2:ModifyInstanceCreditSpecification", "ec2:ModifyInstanceMetadataOptions", "ec2:ModifyVolume", "ec2:MonitorInstances",
				"ec2:ReplaceIamInstanceProfileAssociation", "ec2:RunInstances", "ec2:StartInstances", "ec2:StopInstances",
				"ec2:TerminateInstances", "ec2:UnmonitorInstances",
			},
			// Images belong to whoever published them.
			Resources: append(a.within("ec2", "*"), fmt.Sprintf("arn:%s:ec2:%s::image/*", a.Site.Partition, a.Site.Region)),
		},
	}
}

func (a *DeployerArgs) edge() []policy.Statement {
	return []policy.Statement{
		{
			Sid: "LookAtEdge",
			Actions: []string{
				"elasticloadbalancing:DescribeListenerAttributes", "elasticloadbalancing:DescribeListeners",
				"elasticloadbalancing:DescribeLoadBalancerAttributes", "elasticloadbalancing:DescribeLoadBalancers",
				"elasticloadbalancing:DescribeRules", "elasticloadbalancing:DescribeTags", "elasticloadbalancing:DescribeTargetGroupAttributes",
				"elasticloadbalancing:DescribeTargetGroups", "elasticloadbalancing:DescribeTargetHealth", "route53:ListHostedZones",
				"route53:ListHostedZonesByName", "acm:ListCertificates",
			},
			Resources: []any{"*"},
		},
		{
			Sid: "BuildBalancer",
			Actions: []string{
				"elasticloadbalancing:AddListenerCertificates", "elasticloadbalancing:AddTags", "elasticloadbalancing:CreateListener",
				"elasticloadbalancing:CreateLoadBalancer", "elasticloadbalancing:CreateRule", "elasticloadbalancing:CreateTargetGroup",
				"elasticloadbalancing:DeleteListener", "elasticloadbalancing:DeleteLoadBalancer", "elasticloadbalancing:DeleteRule",
				"elasticloadbalancing:DeleteTargetGroup", "elasticloadbalancing:ModifyListener", "elasticloadbalancing:ModifyListenerAttributes",
				"elasticloadbalancing:ModifyLoadBalancerAttributes", "elasticloadbalancing:ModifyRule", "elasticloadbalancing:ModifyTargetGroup",
				"elasticloadbalancing:ModifyTargetGroupAttributes", "elasticloadbalancing:RemoveListenerCertificates",
				"elasticloadbalancing:RemoveTags", "elasticloadbalancing:SetSecurityGroups", "elasticloadbalancing:SetSubnets",
			},
			Resources: a.named("elasticloadbalancing", "loadbalancer/app/", "listener/app/", "listener-rule/app/", "targetgroup/"),
		},
		{
			// A web ACL is made with the managed rule groups that it names, and stood before the balancer.
			Sid: "KeepWAF",
			Actions: []string{
				"elasticloadbalancing:SetWebACL", "wafv2:AssociateWebACL", "wafv2:CreateWebACL", "wafv2:DeleteLoggingConfiguration", "wafv2:DeleteWebACL",
				"wafv2:DisassociateWebACL", "wafv2:GetLoggingConfiguration", "wafv2:GetWebACL", "wafv2:GetWebACLForResource",
				"wafv2:ListTagsForResource", "wafv2:PutLoggingConfiguration", "wafv2:TagResource", "wafv2:UntagResource",
				"wafv2:UpdateWebACL",
			},
			Resources: append(append(a.named("wafv2", "regional/webacl/"), a.within("wafv2", "regional/managedruleset/*")...),
				a.named("elasticloadbalancing", "loadbalancer/app/")...),
		},
		{
			Sid: "Certify",
			Actions: []string{
				"acm:AddTagsToCertificate", "acm:DeleteCertificate", "acm:DescribeCertificate", "acm:ListTagsForCertificate",
				"acm:RemoveTagsFromCertificate", "acm:RequestCertificate", "acm:UpdateCertificateOptions",
			},
			Resources: a.within("acm", "certificate/*"),
		},
		{
			Sid: "NameSite",
			Actions: []string{
				"route53:ChangeResourceRecordSets", "route53:GetHostedZone", "route53:ListResourceRecordSets", "route53:ListTagsForResource",
			},
			Resources: []any{fmt.Sprintf("arn:%s:route53:::hostedzone/*", a.Site.Partition)},
		},
		{
			Sid:       "AwaitNames",
			Actions:   []string{"route53:GetChange"},
			Resources: []any{fmt.Sprintf("arn:%s:route53:::change/*", a.Site.Partition)},
		},
	}
}

func (a *DeployerArgs) data() []policy.Statement {
	return []policy.Statement{
		{
			// The provider looks for the database among all of them, by what it is called inside RDS.
			Sid: "LookAtData",
			Actions: []string{
				"kms:ListAliases", "rds:DescribeDBEngineVersions", "rds:DescribeDBInstances", "rds:DescribeOrderableDBInstanceOptions",
				"ssm:DescribeParameters",
			},
			Resources: []any{"*"},
		},
		{
			Sid: "KeepDatabase",
			Actions: []string{
				"rds:AddSourceIdentifierToSubscription", "rds:AddTagsToResource", "rds:CreateDBInstance", "rds:CreateDBParameterGroup",
				"rds:CreateDBSnapshot", "rds:CreateDBSubnetGroup", "rds:CreateEventSubscription", "rds:DeleteDBInstance",
				"rds:DeleteDBParameterGroup", "rds:DeleteDBSubnetGroup", "rds:DeleteEventSubscription", "rds:DescribeDBParameterGroups",
				"rds:DescribeDBParameters", "rds:DescribeDBSnapshots", "rds:DescribeDBSubnetGroups",
				"rds:DescribeEventSubscriptions", "rds:ListTagsForResource", "rds:ModifyDBInstance", "rds:ModifyDBParameterGroup",
				"rds:ModifyDBSubnetGroup", "rds:ModifyEventSubscription", "rds:RebootDBInstance",
				"rds:RemoveSourceIdentifierFromSubscription", "rds:RemoveTagsFromResource", "rds:ResetDBParameterGroup",
			},
			Resources: append(a.named("rds", "db:", "pg:", "subgrp:", "snapshot:", "es:"), a.Site.ARN("rds", "pg:default.*"), a.Site.ARN("rds", "og:default:*")),
		},
		{
			// The settings of the stack's three buckets. Of their contents only what destroy needs in order to empty them. The
			// names are listed because project-stack-* would also match the bucket that holds the state.
			Sid: "KeepBuckets",
			Actions: []string{
				"s3:CreateBucket", "s3:DeleteBucket", "s3:DeleteBucketPolicy", "s3:DeleteObject", "s3:DeleteObjectVersion",
				"s3:GetAccelerateConfiguration", "s3:GetBucketAcl", "s3:GetBucketCORS", "s3:GetBucketLocation", "s3:GetBucketLogging",
				"s3:GetBucketObjectLockConfiguration", "s3:GetBucketOwnershipControls", "s3:GetBucketPolicy", "s3:GetBucketPublicAccessBlock",
				"s3:GetBucketRequestPayment", "s3:GetBucketTagging", "s3:GetBucketVersioning", "s3:GetBucketWebsite",
				"s3:GetEncryptionConfiguration", "s3:GetLifecycleConfiguration", "s3:GetReplicationConfiguration", "s3:ListBucket",
				"s3:ListBucketVersions", "s3:PutBucketLogging", "s3:PutBucketOwnershipControls", "s3:PutBucketPolicy",
				"s3:PutBucketPublicAccessBlock", "s3:PutBucketTagging", "s3:PutBucketVersioning", "s3:PutEncryptionConfiguration",
				"s3:PutLifecycleConfiguration",
			},
			Resources: a.buckets("access-*", "logs-*", "media-*"),
		},
		{
			Sid: "KeepParameters",
			Actions: []string{
				"ssm:AddTagsToResource", "ssm:DeleteParameter", "ssm:GetParameter", "ssm:GetParameters", "ssm:LabelParameterVersion",
				"ssm:ListTagsForResource", "ssm:PutParameter", "ssm:RemoveTagsFromResource",
			},
			Resources: a.within("ssm", "parameter"+a.Site.Path("*")),
		},
		{
			// The image of the bastion is looked up in a parameter of AWS's.
			Sid:       "ReadPublicParameters",
			Actions:   []string{"ssm:GetParameter", "ssm:GetParameters"},
			Resources: []any{fmt.Sprintf("arn:%s:ssm:%s::parameter/aws/service/*", a.Site.Partition, a.Site.Region)},
		},
		{
			Sid: "KeepSessionDocument",
			Actions: []string{
				"ssm:AddTagsToResource", "ssm:CreateDocument", "ssm:DeleteDocument", "ssm:DescribeDocument", "ssm:DescribeDocumentPermission",
				"ssm:GetDocument", "ssm:ListTagsForResource", "ssm:RemoveTagsFromResource", "ssm:UpdateDocument", "ssm:UpdateDocumentDefaultVersion",
			},
			Resources: a.named("ssm", "document/"),
		},
	}
}

// keys are the stack's KMS keys. A key's ARN does not name the stack, so its tags do.
//
// Sources: KMS guide, "Controlling access to tags" (CreateKey with tags needs kms:TagResource on all keys of the account and
// region), "Use tags to control access to KMS keys" (a change of tags or aliases takes up to five minutes to affect
// authorization), "Controlling access to aliases" (a call is authorized on the alias and on the key).
func (a *DeployerArgs) keys() []policy.Statement {
	every := a.within("kms", "key/*")
	alias := []string{"kms:CreateAlias", "kms:DeleteAlias", "kms:UpdateAlias"}
	tags := a.tagged("aws:RequestTag")
	tags["aws:RequestedRegion"] = a.Site.Region
	// via is that one of services calls with this role's permissions, for a key of this stack or one without tags.
	via := func(services ...string) map[string]map[string]any {
		var names any = a.through(services...)
		if len(services) == 1 {
			names = a.through(services...)[0]
		}
		return map[string]map[string]any{"StringEquals": {"kms:ViaService": names}, "StringEqualsIfExists": a.tagged("aws:ResourceTag")}
	}
	grant := via("ec2", "ecr", "firehose", "rds")
	grant["Bool"] = map[string]any{"kms:GrantIsForAWSResource": "true"}
	return []policy.Statement{
		{
			Sid:       "LookAtKeys",
			Actions:   []string{"kms:DescribeKey", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus", "kms:ListResourceTags"},
			Resources: every,
		},
		{
			// A key has no ARN before it exists.
			Sid:        "MakeKeys",
			Actions:    []string{"kms:CreateKey"},
			Resources:  []any{"*"},
			Conditions: map[string]map[string]any{"StringEquals": tags},
		},
		{
			// Tags decide who may change a key, so this must not take over an existing one: whatever has a stack's tags, the tag
			// of bootstrap or an alias is not new.
			Sid:       "TagNewKeys",
			Actions:   []string{"kms:TagResource"},
			Resources: every,
			Conditions: map[string]map[string]any{
				"StringEquals": a.tagged("aws:RequestTag"),
				"Null": {
					"aws:ResourceTag/" + madeBy: "true", "aws:ResourceTag/project": "true", "aws:ResourceTag/stack": "true",
					"kms:ResourceAliases": "true",
				},
			},
		},
		{
			Sid: "KeepKeys",
			Actions: []string{
				"kms:PutKeyPolicy", "kms:ScheduleKeyDeletion", "kms:TagResource", "kms:UntagResource", "kms:UpdateKeyDescription",
			},
			Resources:  every,
			Conditions: map[string]map[string]any{"StringEquals": a.tagged("aws:ResourceTag")},
		},
		{
			// These follow seconds after CreateKey, when KMS may not yet see the tags. On a key without tags they do no harm: the
			// alias still has to be one of this stack's.
			Sid:        "NameKeys",
			Actions:    []string{"kms:CreateAlias", "kms:DeleteAlias", "kms:EnableKeyRotation", "kms:UpdateAlias"},
			Resources:  every,
			Conditions: map[string]map[string]any{"StringEqualsIfExists": a.tagged("aws:ResourceTag")},
		},
		{Sid: "KeepAliases", Actions: alias, Resources: a.named("kms", "alias/")},
		{
			// The services that hold this stack's data; the policies of its own keys admit the same ones. Some keys without tags
			// (of other programs in the account) leave the decision to IAM: a workflow cannot call KMS with those itself.
			Sid:        "UseKeysThroughServices",
			Actions:    []string{"kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"},
			Resources:  every,
			Conditions: via("ec2", "ecr", "firehose", "rds", "s3", "scheduler", "sns", "sqs", "ssm"),
		},
		{
			// EBS guide, "Requirements for Amazon EBS encryption": without these the instance ends with Client.InternalError.
			Sid:        "EncryptDisks",
			Actions:    []string{"kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncryptFrom", "kms:ReEncryptTo"},
			Resources:  every,
			Conditions: via("ec2"),
		},
		{
			// Services that go on using a key when no caller is there have the caller grant it.
			Sid:        "GrantKeysToServices",
			Actions:    []string{"kms:CreateGrant"},
			Resources:  every,
			Conditions: grant,
		},
		{
			// ECR guide, "Encryption at rest": needed to make and to delete an encrypted repository.
			Sid:        "RetireGrants",
			Actions:    []string{"kms:RetireGrant"},
			Resources:  every,
			Conditions: map[string]map[string]any{"StringEquals": {"kms:ViaService": a.through("ecr")[0]}},
		},
	}
}

func (a *DeployerArgs) compute() []policy.Statement {
	return []policy.Statement{
		{
			// Task definitions are described and deregistered without a resource; so are all calls of scaling that describe.
			Sid: "LookAtCompute",
			Actions: []string{
				"application-autoscaling:DescribeScalableTargets", "application-autoscaling:DescribeScalingPolicies",
				"application-autoscaling:DescribeScheduledActions", "ecr:GetAuthorizationToken", "ecs:DeregisterTaskDefinition",
				"ecs:DescribeTaskDefinition", "ecs:ListTaskDefinitionFamilies", "ecs:ListTaskDefinitions",
			},
			Resources: []any{"*"},
		},
		{
			// Authorized on container instances, of which Fargate has none: ECS guide, "Identity and Access Management", ListTasks.
			Sid:        "FindTasks",
			Actions:    []string{"ecs:ListTasks"},
			Resources:  []any{"*"},
			Conditions: map[string]map[string]any{"ArnEquals": {"ecs:cluster": a.Site.ARN("ecs", "cluster/"+a.Site.Name("site"))}},
		},
		{
			Sid: "KeepServices",
			Actions: []string{
				"ecs:CreateCluster", "ecs:CreateService", "ecs:DeleteCluster", "ecs:DeleteService", "ecs:DescribeClusters",
				"ecs:DescribeServiceDeployments", "ecs:DescribeServiceRevisions", "ecs:DescribeServices", "ecs:DescribeTasks",
				"ecs:ListServiceDeployments", "ecs:ListTagsForResource", "ecs:PutClusterCapacityProviders", "ecs:RegisterTaskDefinition",
				"ecs:RunTask", "ecs:StopTask", "ecs:TagResource", "ecs:UntagResource", "ecs:UpdateCluster", "ecs:UpdateClusterSettings",
				"ecs:UpdateService",
			},
			Resources: a.named("ecs", "cluster/", "service/", "service-deployment/", "service-revision/", "task/", "task-definition/"),
		},
		{
			Sid: "Scale",
			Actions: []string{
				"application-autoscaling:DeleteScalingPolicy", "application-autoscaling:DeregisterScalableTarget",
				"application-autoscaling:ListTagsForResource", "application-autoscaling:PutScalingPolicy",
				"application-autoscaling:RegisterScalableTarget", "application-autoscaling:TagResource", "application-autoscaling:UntagResource",
			},
			Resources: a.within("application-autoscaling", "scalable-target/*"),
		},
		{
			Sid: "KeepSchedules",
			Actions: []string{
				"scheduler:CreateSchedule", "scheduler:CreateScheduleGroup", "scheduler:DeleteSchedule", "scheduler:DeleteScheduleGroup",
				"scheduler:GetSchedule", "scheduler:GetScheduleGroup", "scheduler:ListTagsForResource", "scheduler:TagResource",
				"scheduler:UntagResource", "scheduler:UpdateSchedule",
			},
			Resources: append(a.named("scheduler", "schedule/", "schedule-group/"), a.Site.ARN("scheduler", "schedule/default/"+a.Site.Name("*"))),
		},
		{
			Sid: "PushImages",
			Actions: []string{
				"ecr:BatchCheckLayerAvailability", "ecr:BatchDeleteImage", "ecr:BatchGetImage", "ecr:CompleteLayerUpload", "ecr:CreateRepository",
				"ecr:DeleteLifecyclePolicy", "ecr:DeleteRepository", "ecr:DeleteRepositoryPolicy", "ecr:DescribeImages",
				"ecr:DescribeRepositories", "ecr:GetDownloadUrlForLayer", "ecr:GetLifecyclePolicy", "ecr:GetRepositoryPolicy",
				"ecr:InitiateLayerUpload", "ecr:ListImages", "ecr:ListTagsForResource", "ecr:PutImage", "ecr:PutImageScanningConfiguration",
				"ecr:PutImageTagMutability", "ecr:PutLifecyclePolicy", "ecr:SetRepositoryPolicy", "ecr:TagResource", "ecr:UntagResource",
				"ecr:UploadLayerPart",
			},
			Resources: a.within("ecr", "repository/"+repositoryName(a.Site, "django"), "repository/"+repositoryName(a.Site, "nginx")),
		},
		{
			// What a promotion brings here: the images of the project's other stacks. In another account the repositories
			// themselves must admit this one as well.
			Sid:       "PullReleases",
			Actions:   pulls,
			Resources: a.released("ecr", "repository/"+repositoryName(a.any(), "django"), "repository/"+repositoryName(a.any(), "nginx")),
		},
	}
}

func (a *DeployerArgs) logs() []policy.Statement {
	return []policy.Statement{
		{
			Sid:       "LookAtLogs",
			Actions:   []string{"logs:DescribeLogGroups", "logs:DescribeResourcePolicies", "cloudwatch:DescribeAlarms", "sns:ListTopics"},
			Resources: []any{"*"},
		},
		{
			Sid: "KeepLogGroups",
			Actions: []string{
				"logs:AssociateKmsKey", "logs:CreateLogGroup", "logs:CreateLogStream", "logs:DeleteLogGroup", "logs:DeleteLogStream",
				"logs:DeleteRetentionPolicy", "logs:DeleteSubscriptionFilter", "logs:DescribeLogStreams", "logs:DescribeSubscriptionFilters",
				"logs:DisassociateKmsKey", "logs:FilterLogEvents", "logs:GetLogEvents", "logs:ListTagsForResource", "logs:PutRetentionPolicy",
				"logs:PutSubscriptionFilter", "logs:TagResource", "logs:UntagResource",
			},
			Resources: a.within("logs", "log-group:"+a.Site.Path("*"), "log-group:/aws/ecs/containerinsights/"+a.Site.Name("*"),
				"log-group:/aws/rds/instance/"+a.Site.Name("*"), "log-group:aws-waf-logs-"+a.Site.Name("*")),
		},
		{
			// Turning on a log of a service (here: of WAF) takes the rights to the delivery and to the resource policy that lets the
			// service write. Neither takes a resource. CloudWatch Logs guide, "Logging that requires additional permissions".
			Sid: "DeliverLogs",
			Actions: []string{
				"logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:DeleteResourcePolicy", "logs:GetLogDelivery",
				"logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:UpdateLogDelivery",
			},
			Resources:  []any{"*"},
			Conditions: map[string]map[string]any{"StringEquals": {"aws:RequestedRegion": a.Site.Region}},
		},
		{
			Sid: "KeepStreams",
			Actions: []string{
				"firehose:CreateDeliveryStream", "firehose:DeleteDeliveryStream", "firehose:DescribeDeliveryStream",
				"firehose:ListTagsForDeliveryStream", "firehose:StartDeliveryStreamEncryption", "firehose:StopDeliveryStreamEncryption",
				"firehose:TagDeliveryStream", "firehose:UntagDeliveryStream", "firehose:UpdateDestination",
			},
			Resources: a.named("firehose", "deliverystream/"),
		},
		{
			Sid:       "TagAlarms",
			Actions:   []string{"cloudwatch:ListTagsForResource", "cloudwatch:TagResource", "cloudwatch:UntagResource"},
			Resources: a.named("cloudwatch", "alarm:"),
		},
		{
			// The stack's own alarms, and those of target tracking: Application Auto Scaling makes them with its own role, but first
			// checks that the caller may. AWS documents these rights for every alarm and names none. Application Auto Scaling guide,
			// "Permissions validation for Application Auto Scaling API calls on target resources".
			Sid:       "KeepAlarms",
			Actions:   []string{"cloudwatch:DeleteAlarms", "cloudwatch:PutMetricAlarm"},
			Resources: []any{"*"},
		},
		a.othersAlarms("OtherStacksAlarms", "stack", a.Site.Stack),
		a.othersAlarms("OtherProjectsAlarms", "project", a.Site.Project),
		{
			Sid:       "KeepDashboard",
			Actions:   []string{"cloudwatch:DeleteDashboards", "cloudwatch:GetDashboard", "cloudwatch:PutDashboard"},
			Resources: []any{a.global("cloudwatch", "dashboard/"+a.Site.Name("*"))},
		},
		{
			Sid: "KeepTopics",
			Actions: []string{
				"sns:CreateTopic", "sns:DeleteTopic", "sns:GetSubscriptionAttributes", "sns:GetTopicAttributes", "sns:ListSubscriptionsByTopic",
				"sns:ListTagsForResource", "sns:SetSubscriptionAttributes", "sns:SetTopicAttributes", "sns:Subscribe", "sns:TagResource",
				"sns:Unsubscribe", "sns:UntagResource",
			},
			Resources: a.named("sns", ""),
		},
		{
			Sid: "KeepQueues",
			Actions: []string{
				"sqs:CreateQueue", "sqs:DeleteQueue", "sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:ListQueueTags", "sqs:SetQueueAttributes",
				"sqs:TagQueue", "sqs:UntagQueue",
			},
			Resources: a.named("sqs", ""),
		},
		{
			Sid: "KeepRules",
			Actions: []string{
				"events:DeleteRule", "events:DescribeRule", "events:ListTagsForResource", "events:ListTargetsByRule", "events:PutRule",
				"events:PutTargets", "events:RemoveTargets", "events:TagResource", "events:UntagResource",
			},
			Resources: a.named("events", "rule/"),
		},
	}
}

// othersAlarms are off limits: those whose tag has another value. Alarms of target tracking have no tags.
func (a *DeployerArgs) othersAlarms(sid, tag, own string) policy.Statement {
	return policy.Statement{
		Sid: sid, Deny: true,
		Actions:   []string{"cloudwatch:DeleteAlarms", "cloudwatch:PutMetricAlarm"},
		Resources: []any{"*"},
		Conditions: map[string]map[string]any{
			"Null": {"aws:ResourceTag/" + tag: "false"}, "StringNotEquals": {"aws:ResourceTag/" + tag: own},
		},
	}
}

func (a *DeployerArgs) identity() []policy.Statement {
	roles := a.global("iam", "role/"+a.Site.Name("*"))
	policies := a.global("iam", "policy/"+a.Site.Name("*")) // of the roles of the workflows, and the boundary: to look at
	profiles := a.global("iam", "instance-profile/"+a.Site.Name("*"))
	provider := a.global("iam", "oidc-provider/"+issuer)
	return []policy.Statement{
		{
			Sid: "KeepRoles",
			Actions: []string{
				"iam:AddRoleToInstanceProfile", "iam:CreateInstanceProfile", "iam:DeleteInstanceProfile", "iam:DeleteRole",
				"iam:DeleteRolePolicy", "iam:DetachRolePolicy", "iam:GetInstanceProfile", "iam:GetPolicy", "iam:GetPolicyVersion", "iam:GetRole",
				"iam:GetRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListInstanceProfilesForRole", "iam:ListPolicyVersions",
				"iam:ListRolePolicies", "iam:ListRoleTags", "iam:RemoveRoleFromInstanceProfile", "iam:TagInstanceProfile", "iam:TagRole",
				"iam:UntagInstanceProfile", "iam:UntagRole", "iam:UpdateAssumeRolePolicy", "iam:UpdateRole", "iam:UpdateRoleDescription",
			},
			Resources: []any{roles, policies, profiles},
		},
		{
			// What gives a role more: only where the role is made, or is, with the boundary.
			Sid:        "WidenBoundRoles",
			Actions:    []string{"iam:AttachRolePolicy", "iam:CreateRole", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy"},
			Resources:  []any{roles},
			Conditions: map[string]map[string]any{"StringEquals": {"iam:PermissionsBoundary": a.boundaryARN()}},
		},
		{
			Sid:       "LookAtProvider",
			Actions:   []string{"iam:GetOpenIDConnectProvider", "iam:ListOpenIDConnectProviderTags"},
			Resources: []any{provider},
		},
		{
			// The services to which this program gives a role. ECS, not EC2 at large, gets the tasks' roles.
			Sid:       "PassRoles",
			Actions:   []string{"iam:PassRole"},
			Resources: []any{roles},
			Conditions: map[string]map[string]any{"StringEquals": {"iam:PassedToService": []any{
				"ec2.amazonaws.com", "ecs-tasks.amazonaws.com", "firehose.amazonaws.com", "monitoring.rds.amazonaws.com",
				"scheduler.amazonaws.com", "vpc-flow-logs.amazonaws.com",
			}}},
		},
		{
			// PutSubscriptionFilter is reported not to send iam:PassedToService (aws-cloudformation/cloudformation-coverage-roadmap
			// #1784), so this is for the one role that subscription filters use (logging/stream.go).
			Sid:       "PassSubscriptionRole",
			Actions:   []string{"iam:PassRole"},
			Resources: []any{a.global("iam", "role/"+a.Site.Name("logs-to-firehose"))},
			Conditions: map[string]map[string]any{"StringEqualsIfExists": {"iam:PassedToService": []any{
				"logs.amazonaws.com", "logs." + a.Site.Region + ".amazonaws.com",
			}}},
		},
		{
			// Only in an account that has never used the service.
			Sid:       "FirstUseOfServices",
			Actions:   []string{"iam:CreateServiceLinkedRole"},
			Resources: []any{a.global("iam", "role/aws-service-role/*")},
			Conditions: map[string]map[string]any{"StringEquals": {"iam:AWSServiceName": []any{
				"ecs.amazonaws.com", "ecs.application-autoscaling.amazonaws.com", "elasticloadbalancing.amazonaws.com", "rds.amazonaws.com",
				"wafv2.amazonaws.com",
			}}},
		},
		{
			// A change that widens what a workflow may do, or who may look, is applied by a person.
			Sid: "NeverChangeItself", Deny: true,
			Actions: []string{
				"iam:AttachRolePolicy", "iam:CreatePolicy", "iam:CreatePolicyVersion", "iam:CreateRole", "iam:DeletePolicy",
				"iam:DeletePolicyVersion", "iam:DeleteRole", "iam:DeleteRolePermissionsBoundary", "iam:DeleteRolePolicy", "iam:DetachRolePolicy",
				"iam:PassRole", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy", "iam:SetDefaultPolicyVersion",
				"iam:UpdateAssumeRolePolicy", "iam:UpdateRole",
			},
			Resources: []any{
				a.global("iam", "role/"+a.Site.Name(deployerPart)),
				a.global("iam", "policy/"+a.Site.Name(deployerPart+"-*")),
				a.global("iam", "role/"+a.Site.Name(readerPart)),
				a.global("iam", "policy/"+a.Site.Name(readerPart+"-*")),
				a.boundaryARN(),
			},
		},
	}
}

// madeBy is the tag that bootstrap puts on the key of a stack's state. The key has none of the stack's own tags.
const madeBy = "slipway:made-by"

// stateIsOffLimits denies what no deployment does to the buckets and keys that hold state: this stack's, and by their names
// those of all stacks of the project. Whatever else the role is given later, the history of a state stays.
func (a *DeployerArgs) stateIsOffLimits() []policy.Statement {
	buckets := []any{fmt.Sprintf("arn:%s:s3:::%s-*-state-%s-*", a.Site.Partition, a.Site.Project, a.Site.AccountID)}
	if a.StateBucket != "" {
		bucket := fmt.Sprintf("arn:%s:s3:::%s", a.Site.Partition, a.StateBucket)
		buckets = append(buckets, bucket, bucket+"/*")
	}
	keys := []any{a.Site.ARN("kms", "alias/"+a.any().Name("state"))}
	if a.StateKeyARN != "" {
		keys = append(keys, a.StateKeyARN)
	}
	manage := []string{
		"kms:Cancel*", "kms:Create*", "kms:Delete*", "kms:Disable*", "kms:Enable*", "kms:Import*", "kms:Put*", "kms:Replicate*",
		"kms:Retire*", "kms:Revoke*", "kms:Rotate*", "kms:Schedule*", "kms:Tag*", "kms:Untag*", "kms:Update*",
	}
	return []policy.Statement{
		{
			Sid: "NeverManageStateBuckets", Deny: true,
			Actions: []string{
				"s3:BypassGovernanceRetention", "s3:CreateBucket*", "s3:DeleteBucket*", "s3:DeleteObjectVersion*", "s3:Put*Configuration",
				"s3:PutBucket*", "s3:PutObjectAcl", "s3:PutObjectLegalHold", "s3:PutObjectRetention", "s3:PutObjectVersion*", "s3:Replicate*",
			},
			Resources: buckets,
		},
		{Sid: "NeverManageStateKeys", Deny: true, Actions: manage, Resources: keys},
		{
			Sid: "NeverManageStateKeysByAlias", Deny: true, Actions: manage, Resources: a.within("kms", "key/*"),
			Conditions: map[string]map[string]any{"ForAnyValue:StringLike": {"kms:ResourceAliases": "alias/" + a.any().Name("state")}},
		},
		{
			Sid: "NeverManageBootstrapKeys", Deny: true, Actions: manage, Resources: a.within("kms", "key/*"),
			Conditions: map[string]map[string]any{"StringEquals": {"aws:ResourceTag/" + madeBy: "bootstrap"}},
		},
	}
}

// state lets Pulumi keep this stack's state where the backend is S3.
func (a *DeployerArgs) state() []policy.Statement {
	var statements []policy.Statement
	if a.StateBucket != "" {
		bucket := fmt.Sprintf("arn:%s:s3:::%s", a.Site.Partition, a.StateBucket)
		statements = append(statements,
			policy.Statement{Sid: "FindState", Actions: []string{"s3:GetBucketLocation", "s3:ListBucket"}, Resources: []any{bucket}},
			policy.Statement{
				Sid: "KeepState", Actions: []string{"s3:DeleteObject", "s3:GetObject", "s3:PutObject"},
				Resources: []any{bucket + "/*"},
			})
	}
	if a.StateKeyARN != "" {
		statements = append(statements, policy.Statement{
			Sid: "ReadSecretConfiguration", Actions: []string{"kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"},
			Resources: []any{a.StateKeyARN},
		})
	}
	if a.StateBucket != "" && a.StateKeyARN != "" {
		// A promotion reads the record of another stack of the project, and nothing else of it: the key works through S3
		// alone, so that the secrets in that stack's state stay closed.
		var buckets, releases []any
		for _, account := range append([]string{a.Site.AccountID}, a.Sources...) {
			bucket := fmt.Sprintf("arn:%s:s3:::%s-*-state-%s-*", a.Site.Partition, a.Site.Project, account)
			buckets, releases = append(buckets, bucket), append(releases, bucket+"/.slipway/releases/*")
		}
		statements = append(statements,
			policy.Statement{Sid: "ReadReleases", Actions: []string{"s3:GetObject"}, Resources: releases},
			policy.Statement{
				Sid: "FindReleases", Actions: []string{"s3:ListBucket"}, Resources: buckets,
				Conditions: map[string]map[string]any{"StringLike": {"s3:prefix": ".slipway/releases/*"}},
			},
			policy.Statement{
				Sid: "OpenReleases", Actions: []string{"kms:Decrypt"}, Resources: a.released("kms", "key/*"),
				Conditions: map[string]map[string]any{
					"StringLike":             {"kms:ViaService": "s3.*.amazonaws.com"},
					"ForAnyValue:StringLike": {"kms:ResourceAliases": "alias/" + a.Site.Project + "-*-state"},
				},
			})
	}
	return statements
}
