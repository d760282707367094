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
//   - by account and region where AWS gives out the identifier: VPC parts, KMS keys, certificates, endpoints;
//   - not at all ("*") only for listing and describing, and for the few calls that know no resource.
//
// Whoever may write roles and pass them to a task can in the end do what those roles may do. So it writes none without the
// stack's permissions boundary (boundary.go), and neither the boundary nor a role of the workflows (see identity). Within
// that, GitHub stands before it: protect the environments or branches that are named in the configuration.
func (a *DeployerArgs) permissions() []area {
	areas := []area{
		{"network", a.network()},
		{"edge", a.edge()},
		{"data", a.data()},
		{"compute", a.compute()},
		{"logs", a.logs()},
		{"identity", a.identity()},
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

// global is the ARN of a resource that has no region.
func (a *DeployerArgs) global(service, resource string) string {
	return fmt.Sprintf("arn:%s:%s::%s:%s", a.Site.Partition, service, a.Site.AccountID, resource)
}

// boundaryARN is the permissions boundary of the roles that the stack makes.
func (a *DeployerArgs) boundaryARN() string {
	return cmp.Or(a.BoundaryARN, a.global("iam", "policy/"+a.Site.Name(boundaryPart)))
}

// through are services of this region as KMS names them when they call on somebody's behalf.
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
			// Buckets' own settings; what is in them only so far as destroy must empty them.
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
			Resources: []any{fmt.Sprintf("arn:%s:s3:::%s", a.Site.Partition, a.Site.Name("*"))},
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
		{
			Sid: "KeepKeys",
			Actions: []string{
				"kms:CreateAlias", "kms:DeleteAlias", "kms:DescribeKey", "kms:EnableKeyRotation", "kms:GetKeyPolicy",
				"kms:GetKeyRotationStatus", "kms:ListResourceTags", "kms:PutKeyPolicy", "kms:ScheduleKeyDeletion", "kms:TagResource",
				"kms:UntagResource", "kms:UpdateAlias", "kms:UpdateKeyDescription",
			},
			Resources: append(a.within("kms", "key/*"), a.named("kms", "alias/")...),
		},
		{
			// The services that hold this stack's data, which are those that its keys' own policies admit. The keys of others in
			// the account may admit whoever IAM does: for them it is this condition that keeps a workflow from decrypting.
			Sid:       "UseKeysThroughServices",
			Actions:   []string{"kms:CreateGrant", "kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"},
			Resources: a.within("kms", "key/*"),
			Conditions: map[string]map[string]any{"StringEquals": {"kms:ViaService": a.through(
				"ec2", "ecr", "firehose", "rds", "s3", "scheduler", "sns", "sqs", "ssm")}},
		},
		{
			// A key has no name before it exists.
			Sid:        "MakeKeys",
			Actions:    []string{"kms:CreateKey"},
			Resources:  []any{"*"},
			Conditions: map[string]map[string]any{"StringEquals": {"aws:RequestedRegion": a.Site.Region}},
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
				"ecs:DescribeTaskDefinition", "ecs:ListTaskDefinitions",
			},
			Resources: []any{"*"},
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
			// Who turns a log on for a service needs leave for the delivery, which knows no resource.
			Sid:        "DeliverLogs",
			Actions:    []string{"logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:GetLogDelivery", "logs:ListLogDeliveries", "logs:UpdateLogDelivery"},
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
			Sid: "KeepAlarms",
			Actions: []string{
				"cloudwatch:DeleteAlarms", "cloudwatch:ListTagsForResource", "cloudwatch:PutMetricAlarm", "cloudwatch:TagResource",
				"cloudwatch:UntagResource",
			},
			Resources: a.named("cloudwatch", "alarm:"),
		},
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
				"ec2.amazonaws.com", "ecs-tasks.amazonaws.com", "firehose.amazonaws.com", "logs.amazonaws.com",
				"monitoring.rds.amazonaws.com", "scheduler.amazonaws.com", "vpc-flow-logs.amazonaws.com",
			}}},
		},
		{
			// Only in an account that has never used the service.
			Sid:       "FirstUseOfServices",
			Actions:   []string{"iam:CreateServiceLinkedRole"},
			Resources: []any{a.global("iam", "role/aws-service-role/*")},
			Conditions: map[string]map[string]any{"StringEquals": {"iam:AWSServiceName": []any{
				"ecs.amazonaws.com", "ecs.application-autoscaling.amazonaws.com", "elasticloadbalancing.amazonaws.com", "rds.amazonaws.com",
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
