package cloud

import (
	"strings"

	"slipway/rehearsal/iam"
)

// ECS, ECR, Application Auto Scaling, Elastic Load Balancing, EventBridge Scheduler, WAF.

const (
	ecsPage       = authorization + "amazonelasticcontainerservice.html"
	ecsTagging    = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/supported-iam-actions-tagging.html"
	ecsLinked     = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using-service-linked-roles.html"
	ecrPage       = authorization + "amazonelasticcontainerregistry.html"
	ecrKeys       = "https://docs.aws.amazon.com/AmazonECR/latest/userguide/encryption-at-rest.html"
	ecrPushing    = "https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-push-iam.html"
	scalingPage   = authorization + "applicationautoscaling.html"
	scalingChecks = "https://docs.aws.amazon.com/autoscaling/application/userguide/security_iam_permission_validation.html"
	scalingLinked = "https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-service-linked-roles.html"
	balancerPage  = authorization + "awselasticloadbalancingv2.html"
	balancerTags  = "https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/tagging-resources-during-creation.html"
	balancerRole  = "https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/elb-service-linked-roles.html"
	schedulerPage = authorization + "amazoneventbridgescheduler.html"
	schedulerKeys = "https://docs.aws.amazon.com/scheduler/latest/UserGuide/security_iam_id-based-policy-examples.html"
	schedulerRole = "https://docs.aws.amazon.com/scheduler/latest/UserGuide/setting-up.html"
	wafPage       = authorization + "awswafv2.html"
	wafManaged    = "https://github.com/aws-samples/amazon-cloudfront-waf-secretsmanager/issues/3"
	wafBalancer   = "https://github.com/mattclay/aws-terminator/pull/136"
	wafLogging    = "https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/AWS-logs-infrastructure-CWL.html"
	wafLinked     = "https://docs.aws.amazon.com/waf/latest/developerguide/using-service-linked-roles.html"
)

func computeCalls() map[string]lifecycle {
	forwarded := func(actions ...string) []row {
		var rows []row
		for _, action := range actions {
			rows = append(rows, call("cloudwatch:"+action, "*").if_(is("policyType", "TargetTrackingScaling")).
				because("Application Auto Scaling checks the caller's rights on the alarms of target tracking").from(scalingChecks))
		}
		return rows
	}
	scaled := func() []row {
		return []row{
			call("ecs:DescribeServices", "ecs:{resourceId}").if_(is("serviceNamespace", "ecs")).with(clusterOfScaled).
				because("Application Auto Scaling checks the caller's rights on the service").from(scalingChecks),
			call("ecs:UpdateService", "ecs:{resourceId}").if_(is("serviceNamespace", "ecs")).with(clusterOfScaled).
				because("Application Auto Scaling checks the caller's rights on the service").from(scalingChecks),
		}
	}
	scaling := func(r row) row {
		return r.key("application-autoscaling:service-namespace", "{serviceNamespace}").
			key("application-autoscaling:scalable-dimension", "{scalableDimension}")
	}
	service := func(r row) row { return r.with(clusterOfService) }
	return map[string]lifecycle{
		clusterType: {
			source: ecsPage,
			create: all(call("ecs:CreateCluster", "ecs:cluster/{name}").tags(),
				call("ecs:TagResource", "ecs:cluster/{name}").creating("ecs:CreateAction", "CreateCluster").from(ecsTagging),
				links("ecs.amazonaws.com", ecsLinked)),
			read: all(call("ecs:DescribeClusters", "ecs:cluster/{name}")),
			update: all(call("ecs:UpdateCluster", "ecs:cluster/{name}").if_(otherThan()),
				retag("ecs:TagResource", "ecs:UntagResource", "ecs:cluster/{name}")),
			delete: all(call("ecs:DeleteCluster", "ecs:cluster/{name}"), call("ecs:DescribeClusters", "ecs:cluster/{name}")),
		},
		providersType: {
			source: ecsPage,
			create: all(call("ecs:PutClusterCapacityProviders", "ecs:cluster/{clusterName}")),
			read:   all(call("ecs:DescribeClusters", "ecs:cluster/{clusterName}")),
			update: all(call("ecs:PutClusterCapacityProviders", "ecs:cluster/{clusterName}")),
			delete: all(call("ecs:PutClusterCapacityProviders", "ecs:cluster/{clusterName}")),
		},
		taskType: {
			source: ecsPage,
			create: all(call("ecs:RegisterTaskDefinition", "ecs:task-definition/{family}:*").tags(),
				call("ecs:TagResource", "ecs:task-definition/{family}:*").creating("ecs:CreateAction", "RegisterTaskDefinition").from(ecsTagging),
				passes("executionRoleArn", "ecs-tasks.amazonaws.com"), passes("taskRoleArn", "ecs-tasks.amazonaws.com")),
			read:   all(call("ecs:DescribeTaskDefinition", "*")),
			update: retag("ecs:TagResource", "ecs:UntagResource", "{arn}"),
			delete: all(call("ecs:DeregisterTaskDefinition", "*")),
		},
		serviceType: {
			source: ecsPage,
			create: all(service(call("ecs:CreateService", "ecs:service/{cluster|last}/{name}").tags().
				key("ecs:task-definition", "{taskDefinition}")),
				call("ecs:TagResource", "ecs:service/{cluster|last}/{name}").creating("ecs:CreateAction", "CreateService").from(ecsTagging),
				links("ecs.amazonaws.com", ecsLinked)),
			read: all(service(call("ecs:DescribeServices", "ecs:service/{cluster|last}/{name}"))),
			update: all(service(call("ecs:UpdateService", "ecs:service/{cluster|last}/{name}").key("ecs:task-definition", "{taskDefinition}").
				if_(otherThan())), retag("ecs:TagResource", "ecs:UntagResource", "ecs:service/{cluster|last}/{name}")),
			delete: all(service(call("ecs:UpdateService", "ecs:service/{cluster|last}/{name}").
				from("recorded requests of the genuine provider: it scales a service to 0 before it deletes it")),
				service(call("ecs:DeleteService", "ecs:service/{cluster|last}/{name}")),
				service(call("ecs:DescribeServices", "ecs:service/{cluster|last}/{name}"))),
		},
		scalingType: {
			source: scalingPage,
			create: all(scaling(call("application-autoscaling:RegisterScalableTarget", "application-autoscaling:scalable-target/*").tags()),
				call("application-autoscaling:TagResource", "application-autoscaling:scalable-target/*").creating("", ""),
				links("ecs.application-autoscaling.amazonaws.com", scalingLinked).if_(is("serviceNamespace", "ecs")), scaled()),
			read: all(call("application-autoscaling:DescribeScalableTargets", "*"), call("application-autoscaling:ListTagsForResource", "{arn}")),
			update: all(scaling(call("application-autoscaling:RegisterScalableTarget", "{arn}").if_(otherThan())),
				retag("application-autoscaling:TagResource", "application-autoscaling:UntagResource", "{arn}")),
			delete: all(scaling(call("application-autoscaling:DeregisterScalableTarget", "{arn}")),
				call("application-autoscaling:DescribeScalableTargets", "*")),
		},
		scalingPolicyType: {
			source: scalingPage,
			create: all(scaling(call("application-autoscaling:PutScalingPolicy").on_(scalableTarget)), scaled(),
				forwarded("PutMetricAlarm", "DescribeAlarms", "DeleteAlarms")),
			read: all(call("application-autoscaling:DescribeScalingPolicies", "*")),
			update: all(scaling(call("application-autoscaling:PutScalingPolicy").on_(scalableTarget)),
				forwarded("PutMetricAlarm", "DescribeAlarms", "DeleteAlarms")),
			delete: all(scaling(call("application-autoscaling:DeleteScalingPolicy").on_(scalableTarget)), forwarded("DeleteAlarms")),
		},
		balancerType: {
			source: balancerPage,
			create: all(call("elasticloadbalancing:CreateLoadBalancer", "elasticloadbalancing:loadbalancer/app/{name}/*").tags(),
				call("elasticloadbalancing:AddTags", "elasticloadbalancing:loadbalancer/app/{name}/*").
					creating("elasticloadbalancing:CreateAction", "CreateLoadBalancer").from(balancerTags),
				links("elasticloadbalancing.amazonaws.com", balancerRole)),
			then: all(call("elasticloadbalancing:ModifyLoadBalancerAttributes", "{arn}")),
			read: all(call("elasticloadbalancing:DescribeLoadBalancers", "*"), call("elasticloadbalancing:DescribeLoadBalancerAttributes", "*"),
				call("elasticloadbalancing:DescribeTags", "*")),
			update: all(call("elasticloadbalancing:SetSecurityGroups", "{arn}").if_(changes("securityGroups")),
				call("elasticloadbalancing:SetSubnets", "{arn}").if_(changes("subnets", "subnetMappings")),
				call("elasticloadbalancing:SetIpAddressType", "{arn}").if_(changes("ipAddressType")),
				call("elasticloadbalancing:ModifyLoadBalancerAttributes", "{arn}").if_(otherThan("securityGroups", "subnets", "ipAddressType")),
				retag("elasticloadbalancing:AddTags", "elasticloadbalancing:RemoveTags", "{arn}")),
			delete: all(call("elasticloadbalancing:DeleteLoadBalancer", "{arn}"), call("ec2:DescribeNetworkInterfaces", "*").
				from("recorded requests of the genuine provider: it waits for the balancer's network interfaces")),
		},
		targetGroupType: {
			source: balancerPage,
			create: all(call("elasticloadbalancing:CreateTargetGroup", "elasticloadbalancing:targetgroup/{name}/*").tags(),
				call("elasticloadbalancing:AddTags", "elasticloadbalancing:targetgroup/{name}/*").
					creating("elasticloadbalancing:CreateAction", "CreateTargetGroup").from(balancerTags)),
			then: all(call("elasticloadbalancing:ModifyTargetGroupAttributes", "{arn}")),
			read: all(call("elasticloadbalancing:DescribeTargetGroups", "*"), call("elasticloadbalancing:DescribeTargetGroupAttributes", "*"),
				call("elasticloadbalancing:DescribeTags", "*")),
			update: all(call("elasticloadbalancing:ModifyTargetGroup", "{arn}").if_(changes("healthCheck")),
				call("elasticloadbalancing:ModifyTargetGroupAttributes", "{arn}").if_(otherThan("healthCheck")),
				retag("elasticloadbalancing:AddTags", "elasticloadbalancing:RemoveTags", "{arn}")),
			delete: all(call("elasticloadbalancing:DeleteTargetGroup", "{arn}")),
		},
		listenerType: {
			source: balancerPage,
			create: all(call("elasticloadbalancing:CreateListener", "{loadBalancerArn}").tags().
				key("elasticloadbalancing:ListenerProtocol", "{protocol}"),
				call("elasticloadbalancing:AddTags").on_(newListener).
					creating("elasticloadbalancing:CreateAction", "CreateListener").from(balancerTags)),
			read: all(call("elasticloadbalancing:DescribeListeners", "*"), call("elasticloadbalancing:DescribeListenerAttributes", "*"),
				call("elasticloadbalancing:DescribeTags", "*")),
			update: all(call("elasticloadbalancing:ModifyListener", "{arn}").if_(otherThan()),
				retag("elasticloadbalancing:AddTags", "elasticloadbalancing:RemoveTags", "{arn}")),
			delete: all(call("elasticloadbalancing:DeleteListener", "{arn}")),
		},
		repositoryType: {
			source: ecrPage,
			create: all(call("ecr:CreateRepository", "ecr:repository/{name}").tags(),
				call("ecr:TagResource", "ecr:repository/{name}").creating("", ""),
				keyRights("ecr", "encryptionConfigurations[].kmsKey", ecrKeys, "CreateGrant", "RetireGrant", "DescribeKey")),
			read: all(call("ecr:DescribeRepositories", "ecr:repository/{name}"), call("ecr:ListTagsForResource", "ecr:repository/{name}")),
			update: all(call("ecr:PutImageTagMutability", "ecr:repository/{name}").if_(changes("imageTagMutability")),
				call("ecr:PutImageScanningConfiguration", "ecr:repository/{name}").if_(changes("imageScanningConfiguration")),
				retag("ecr:TagResource", "ecr:UntagResource", "ecr:repository/{name}")),
			delete: all(call("ecr:DeleteRepository", "ecr:repository/{name}"),
				keyRights("ecr", "encryptionConfigurations[].kmsKey", ecrKeys, "RetireGrant")),
		},
		"aws:ecr/lifecyclePolicy:LifecyclePolicy": {
			source: ecrPage,
			create: all(call("ecr:PutLifecyclePolicy", "ecr:repository/{repository}")),
			read:   all(call("ecr:GetLifecyclePolicy", "ecr:repository/{repository}")),
			update: all(call("ecr:PutLifecyclePolicy", "ecr:repository/{repository}")),
			delete: all(call("ecr:DeleteLifecyclePolicy", "ecr:repository/{repository}")),
		},
		"aws:ecr/repositoryPolicy:RepositoryPolicy": {
			source: ecrPage,
			create: all(call("ecr:SetRepositoryPolicy", "ecr:repository/{repository}")),
			read:   all(call("ecr:GetRepositoryPolicy", "ecr:repository/{repository}")),
			update: all(call("ecr:SetRepositoryPolicy", "ecr:repository/{repository}")),
			delete: all(call("ecr:DeleteRepositoryPolicy", "ecr:repository/{repository}")),
		},
		// What a push makes: docker logs in, asks which layers exist, uploads the others and puts the manifest.
		imageType: {
			source: ecrPushing,
			create: all(call("ecr:GetAuthorizationToken", "*"),
				call("ecr:BatchCheckLayerAvailability", "ecr:repository/{repository}"),
				call("ecr:InitiateLayerUpload", "ecr:repository/{repository}"),
				call("ecr:UploadLayerPart", "ecr:repository/{repository}"), call("ecr:CompleteLayerUpload", "ecr:repository/{repository}"),
				call("ecr:PutImage", "ecr:repository/{repository}")),
		},
		scheduleGroupType: {
			source: schedulerPage,
			create: all(call("scheduler:CreateScheduleGroup", "scheduler:schedule-group/{name}").tags(),
				call("scheduler:TagResource", "scheduler:schedule-group/{name}").creating("", "")),
			read:   all(call("scheduler:GetScheduleGroup", "{arn}"), call("scheduler:ListTagsForResource", "{arn}")),
			update: retag("scheduler:TagResource", "scheduler:UntagResource", "{arn}"),
			delete: all(call("scheduler:DeleteScheduleGroup", "{arn}"), call("scheduler:GetScheduleGroup", "{arn}"),
				call("scheduler:DeleteSchedule", "scheduler:schedule/{name}/*").because("a group is deleted with its schedules").from(schedulerKeys)),
		},
		scheduleType: {
			source: schedulerPage,
			create: all(call("scheduler:CreateSchedule", "scheduler:schedule/{groupName}/{name}"),
				passes("target.roleArn", "scheduler.amazonaws.com").from(schedulerRole),
				scheduleKey()),
			read: all(call("scheduler:GetSchedule", "scheduler:schedule/{groupName}/{name}").from(schedulerKeys)),
			update: all(call("scheduler:UpdateSchedule", "scheduler:schedule/{groupName}/{name}"),
				passes("target.roleArn", "scheduler.amazonaws.com").from(schedulerRole),
				scheduleKey()),
			delete: all(call("scheduler:DeleteSchedule", "scheduler:schedule/{groupName}/{name}")),
		},
		webACLType: {
			source: wafPage,
			create: all(call("wafv2:CreateWebACL", "wafv2:regional/webacl/{name}/*").tags(), managedRules("wafv2:CreateWebACL"),
				call("wafv2:TagResource", "wafv2:regional/webacl/{name}/*").creating("", "")),
			read: all(call("wafv2:GetWebACL", "{arn}"), call("wafv2:ListTagsForResource", "{arn}")),
			update: all(call("wafv2:UpdateWebACL", "{arn}").if_(otherThan()), managedRules("wafv2:UpdateWebACL").if_(otherThan()),
				retag("wafv2:TagResource", "wafv2:UntagResource", "{arn}")),
			delete: all(call("wafv2:DeleteWebACL", "{arn}")),
		},
		webACLGuardType: {
			source: wafPage,
			create: all(call("wafv2:AssociateWebACL", "{webAclArn}", "{resourceArn}"),
				call("elasticloadbalancing:SetWebACL", "{resourceArn}").because("WAF asks for it with the caller's rights").from(wafBalancer)),
			read: all(call("wafv2:GetWebACLForResource", "{resourceArn}", "{webAclArn}")),
			delete: all(call("wafv2:DisassociateWebACL", "{resourceArn}"),
				call("elasticloadbalancing:SetWebACL", "{resourceArn}").because("WAF asks for it with the caller's rights").from(wafBalancer)),
		},
		webACLLogsType: {
			source: wafPage,
			create: wafLogs(),
			read:   all(call("wafv2:GetLoggingConfiguration", "{resourceArn}")),
			update: wafLogs(),
			delete: all(call("wafv2:DeleteLoggingConfiguration", "{resourceArn}"),
				call("logs:DeleteLogDelivery", "*").because("WAF ends the delivery with the caller's rights").from(wafLogging)),
		},
	}
}

// scheduleKey are the rights of the caller on the key of a schedule, in the context of the schedule.
func scheduleKey() []row {
	rows := keyRights("scheduler", "kmsKeyArn", schedulerKeys, "DescribeKey", "GenerateDataKey", "Decrypt")
	for i := range rows {
		if rows[i].action != "kms:DescribeKey" { // which has no encryption context
			rows[i] = rows[i].with(func(v view, c iam.Context) {
				c.Set("kms:EncryptionContext:aws:scheduler:schedule:arn", iam.One(v.a.resource(v.expand("scheduler:schedule/{groupName}/{name}")[0])))
				c.Set("kms:EncryptionContextKeys", iam.Several("aws:scheduler:schedule:arn"))
			})
		}
	}
	return rows
}

// wafLogs are the calls for the logging of a web ACL into CloudWatch Logs.
func wafLogs() []row {
	delivered := func(action string) row {
		return call("logs:"+action, "*").because("WAF sets up the delivery with the caller's rights").from(wafLogging)
	}
	groups := delivered("DescribeLogGroups")
	groups.on = []string{"logs:log-group::log-stream:"}
	return all(call("wafv2:PutLoggingConfiguration", "{resourceArn}"), delivered("CreateLogDelivery"), delivered("PutResourcePolicy"),
		delivered("DescribeResourcePolicies"), groups,
		links("wafv2.amazonaws.com", wafLinked))
}

// managedRules is the right on managed rule groups, which AWS checks if a rule of the web ACL uses one.
func managedRules(action string) row {
	return call(action, "wafv2:regional/managedruleset/*").if_(has("rules[].statement.managedRuleGroupStatement")).
		because("the web ACL uses managed rule groups").from(wafManaged)
}

// clusterOfService and clusterOfScaled send ecs:cluster.
func clusterOfService(v view, c iam.Context) {
	c.Set("ecs:cluster", iam.One(v.a.arn("ecs", "cluster/"+lastPart(v.str("cluster"), "/"))))
}

func clusterOfScaled(v view, c iam.Context) {
	if parts := strings.Split(v.str("resourceId"), "/"); len(parts) == 3 {
		c.Set("ecs:cluster", iam.One(v.a.arn("ecs", "cluster/"+parts[1])))
	}
}

// newListener is the ARN of a listener that a balancer is to have.
func newListener(v view) []string {
	return []string{strings.Replace(v.str("loadBalancerArn"), ":loadbalancer/", ":listener/", 1) + "/*"}
}

// scalableTarget is the target that a scaling policy is for.
func scalableTarget(v view) []string {
	for _, target := range v.a.list(scalingType) {
		if Inputs(target.Outputs).String("resourceId") == v.str("resourceId") {
			return []string{Inputs(target.Outputs).String("arn")}
		}
	}
	return []string{v.a.arn("application-autoscaling", "scalable-target/*")}
}
