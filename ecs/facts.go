package ecs

import (
	"fmt"
	"slices"

	"slipway/internal/catalog"
	"slipway/internal/fargate"
	"slipway/internal/policy"
	"slipway/internal/wiring"
)

// Port is the one on which nginx takes the balancer's requests.
const Port = 8080

// clusterName is the physical name of the cluster.
func clusterName(site wiring.Site) string { return site.Name("site") }

// Facts are the facts about the edge of the site and about what runs behind it.
func Facts(site wiring.Site) []catalog.Resource {
	task := fargate.TaskDefinition(site).Offering(catalog.Plain("connections", "port")...)
	return slices.Concat(edge(site), names(site), firewall(site), services(site), fargate.Facts(site),
		[]catalog.Resource{task, catalog.Parameter(site)})
}

func edge(site wiring.Site) []catalog.Resource {
	look := func(calls ...string) catalog.Grant { return catalog.Look("edge", calls...) }
	build := func(prefix string, actions ...string) catalog.Grant {
		return catalog.Grant{Area: "edge", Statement: policy.Statement{
			Sid: "BuildBalancer", Actions: append(actions, "elasticloadbalancing:AddTags", "elasticloadbalancing:RemoveTags"),
			Resources: catalog.Named(site, "elasticloadbalancing", prefix),
		}}
	}
	const quiet = catalog.Bound | catalog.AWSManaged | catalog.Losses | catalog.Offers | catalog.Ports
	return []catalog.Resource{
		{
			Type: "aws:lb/loadBalancer:LoadBalancer",
			Deploy: []catalog.Grant{
				look("elasticloadbalancing:DescribeLoadBalancerAttributes", "elasticloadbalancing:DescribeLoadBalancers",
					"elasticloadbalancing:DescribeTags"),
				build("loadbalancer/app/", "elasticloadbalancing:CreateLoadBalancer", "elasticloadbalancing:DeleteLoadBalancer",
					"elasticloadbalancing:ModifyLoadBalancerAttributes", "elasticloadbalancing:SetSecurityGroups",
					"elasticloadbalancing:SetSubnets"),
				catalog.FirstUse(site, "elasticloadbalancing.amazonaws.com"),
			},
			Risks: []catalog.Risk{
				{
					Path: `enableDeletionProtection|dropInvalidHeaderFields|accessLogs`,
					Why:  "the balancer is less protected, or logs less",
					When: func(from, to any) bool { return from == true && to != true || from != true && from != false },
				},
				{Path: `securityGroups|internal|desyncMitigationMode`, Why: "others may reach the balancer"},
			},
			Missing: "the site is not reachable; up creates one with another name",
			Loss:    catalog.Loss{Kind: "balancer", Order: 5, Says: "the site is no longer reachable"},
			Alarms:  balancerAlarms,
			Offers:  catalog.Plain("host", "hosts", "https", "origins", "url"),
			Ports:   []int{80, 443},
			None:    catalog.Bound | catalog.AWSManaged | catalog.Mirrors,
		},
		{
			Type:    "aws:lb/listener:Listener",
			Effects: []catalog.Effect{{Does: catalog.Interrupts, Says: "the balancer does not answer on its port meanwhile"}},
			Deploy: []catalog.Grant{
				look("elasticloadbalancing:DescribeListenerAttributes", "elasticloadbalancing:DescribeListeners"),
				build("listener/app/", "elasticloadbalancing:CreateListener", "elasticloadbalancing:DeleteListener",
					"elasticloadbalancing:ModifyListener"),
			},
			Risks: []catalog.Risk{{
				Path: `protocol|sslPolicy|certificateArn|defaultActions|actions|conditions`,
				Why:  "requests are taken without TLS, or go elsewhere",
			}},
			None: catalog.Inert,
		},
		{
			Type: "aws:lb/targetGroup:TargetGroup",
			Deploy: []catalog.Grant{
				look("elasticloadbalancing:DescribeTargetGroupAttributes", "elasticloadbalancing:DescribeTargetGroups"),
				build("targetgroup/", "elasticloadbalancing:CreateTargetGroup", "elasticloadbalancing:DeleteTargetGroup",
					"elasticloadbalancing:ModifyTargetGroup", "elasticloadbalancing:ModifyTargetGroupAttributes"),
			},
			Mirrors: "the balancer that uses it",
			Risks:   []catalog.Risk{{Path: `protocol|healthCheck`, Why: "the balancer checks its targets differently"}},
			Alarms:  targetAlarms,
			None:    quiet | catalog.Missing,
		},
	}
}

func names(site wiring.Site) []catalog.Resource {
	certify := catalog.Grant{Area: "edge", Statement: policy.Statement{
		Sid: "Certify",
		Actions: []string{
			"acm:AddTagsToCertificate", "acm:DeleteCertificate", "acm:DescribeCertificate", "acm:ListTagsForCertificate",
			"acm:RemoveTagsFromCertificate", "acm:RequestCertificate", "acm:UpdateCertificateOptions",
		},
		Resources: []any{site.ARN("acm", "certificate/*")},
	}}
	const harmless = catalog.Inert | catalog.Risks
	return []catalog.Resource{
		{
			Type:       "aws:acm/certificate:Certificate",
			Deploy:     []catalog.Grant{certify},
			AWSManaged: `status|notAfter|notBefore|renewalSummaries|renewalEligibility|pendingRenewal|validationEmails`,
			None:       harmless &^ catalog.AWSManaged,
		},
		{Type: "aws:acm/certificateValidation:CertificateValidation", Deploy: []catalog.Grant{certify}, None: harmless},
		{
			Type: "aws:route53/record:Record",
			Deploy: []catalog.Grant{
				catalog.Look("edge", "route53:ListHostedZones"),
				{Area: "edge", Statement: policy.Statement{
					Sid: "NameSite",
					Actions: []string{
						"route53:ChangeResourceRecordSets", "route53:GetHostedZone", "route53:ListResourceRecordSets", "route53:ListTagsForResource",
					},
					Resources: []any{fmt.Sprintf("arn:%s:route53:::hostedzone/*", site.Partition)},
				}},
				{Area: "edge", Statement: policy.Statement{
					Sid: "AwaitNames", Actions: []string{"route53:GetChange"},
					Resources: []any{fmt.Sprintf("arn:%s:route53:::change/*", site.Partition)},
				}},
			},
			Risks: []catalog.Risk{{Path: `records|aliases`, Why: "the site's name resolves elsewhere"}},
			None:  catalog.Inert,
		},
	}
}

func firewall(site wiring.Site) []catalog.Resource {
	acl := append(catalog.Named(site, "wafv2", "regional/webacl/"), site.ARN("wafv2", "regional/managedruleset/*"))
	keep := func(resources []any, actions ...string) catalog.Grant {
		return catalog.Grant{Area: "edge", Statement: policy.Statement{Sid: "KeepWAF", Actions: actions, Resources: resources}}
	}
	// Turning on a log of a service (here: of WAF) takes the rights to the delivery and to the resource policy that lets the
	// service write. Neither takes a resource. CloudWatch Logs guide, "Logging that requires additional permissions".
	deliver := func(actions ...string) catalog.Grant {
		return catalog.Grant{Area: "logs", Statement: policy.Statement{
			Sid: "DeliverLogs", Actions: actions, Resources: []any{"*"},
			Conditions: policy.Conditions{"StringEquals": {"aws:RequestedRegion": site.Region}},
		}}
	}
	risks := []catalog.Risk{{Path: `.*`, Why: "the WAF allows requests that it blocked"}}
	group := catalog.LogGroup(site, WAFLogs+site.Name(""))
	return []catalog.Resource{
		{
			// A web ACL is made with the managed rule groups that it names.
			Type: "aws:wafv2/webAcl:WebAcl",
			Deploy: []catalog.Grant{
				keep(acl, "wafv2:CreateWebACL", "wafv2:DeleteWebACL", "wafv2:GetWebACL", "wafv2:ListTagsForResource", "wafv2:TagResource",
					"wafv2:UntagResource", "wafv2:UpdateWebACL"),
				catalog.FirstUse(site, "wafv2.amazonaws.com"),
			},
			Risks: risks, Missing: "the site has no WAF",
			None: catalog.Inert &^ catalog.Missing,
		},
		{
			Type: "aws:wafv2/webAclAssociation:WebAclAssociation",
			Deploy: []catalog.Grant{keep(append(acl[:2:2], catalog.Named(site, "elasticloadbalancing", "loadbalancer/app/")...),
				"elasticloadbalancing:SetWebACL", "wafv2:AssociateWebACL", "wafv2:DisassociateWebACL", "wafv2:GetWebACLForResource")},
			Risks: risks, None: catalog.Inert,
		},
		{
			Type: "aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration",
			Deploy: append(group.Deploy,
				keep(acl, "wafv2:DeleteLoggingConfiguration", "wafv2:GetLoggingConfiguration", "wafv2:PutLoggingConfiguration"),
				deliver("logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:GetLogDelivery", "logs:ListLogDeliveries",
					"logs:UpdateLogDelivery")),
			Risks: risks, None: catalog.Inert,
		},
		{
			Type: "aws:cloudwatch/logResourcePolicy:LogResourcePolicy",
			Deploy: []catalog.Grant{
				catalog.Look("logs", "logs:DescribeResourcePolicies"), deliver("logs:DeleteResourcePolicy", "logs:PutResourcePolicy"),
			},
			None: catalog.Inert | catalog.Risks,
		},
	}
}

func services(site wiring.Site) []catalog.Resource {
	keep := func(prefixes []string, actions ...string) catalog.Grant {
		return catalog.Grant{Area: "compute", Statement: policy.Statement{
			Sid: "KeepServices", Actions: append(actions, "ecs:TagResource", "ecs:UntagResource"),
			Resources: catalog.Named(site, "ecs", prefixes...),
		}}
	}
	scale := func(look []string, actions ...string) []catalog.Grant {
		return []catalog.Grant{
			catalog.Look("compute", look...), // all calls of scaling that describe take no resource
			{Area: "compute", Statement: policy.Statement{
				Sid: "Scale", Actions: actions, Resources: []any{site.ARN("application-autoscaling", "scalable-target/*")},
			}},
		}
	}
	insights := catalog.LogGroup(site, "/aws/ecs/containerinsights/"+site.Name("")) // made by ECS itself
	const harmless = catalog.Inert | catalog.Risks
	return []catalog.Resource{
		{
			Type: "aws:ecs/cluster:Cluster",
			Deploy: append(insights.Deploy,
				keep([]string{"cluster/"}, "ecs:CreateCluster", "ecs:DeleteCluster", "ecs:DescribeClusters", "ecs:UpdateCluster"),
				catalog.FirstUse(site, "ecs.amazonaws.com")),
			Risks: []catalog.Risk{{Path: `configuration`, Why: "sessions into containers are not recorded, or not encrypted"}},
			None:  catalog.Inert,
		},
		{
			Type:   "aws:ecs/clusterCapacityProviders:ClusterCapacityProviders",
			Deploy: []catalog.Grant{keep([]string{"cluster/"}, "ecs:DescribeClusters", "ecs:PutClusterCapacityProviders")},
			None:   harmless,
		},
		{
			Type: "aws:ecs/service:Service",
			Deploy: []catalog.Grant{
				// Authorized on container instances, of which Fargate has none: ECS guide, "Identity and Access Management", ListTasks.
				{Area: "compute", Statement: policy.Statement{
					Sid: "FindTasks", Actions: []string{"ecs:ListTasks"}, Resources: []any{"*"},
					Conditions: policy.Conditions{"ArnEquals": {"ecs:cluster": site.ARN("ecs", "cluster/"+clusterName(site))}},
				}},
				// To name the alarm that ended a deployment.
				keep([]string{"service/", "service-deployment/"}, "ecs:DescribeServiceDeployments", "ecs:ListServiceDeployments"),
				keep([]string{"service/", "task/"}, "ecs:CreateService", "ecs:DeleteService", "ecs:DescribeServices", "ecs:DescribeTasks",
					"ecs:RunTask", "ecs:StopTask", "ecs:UpdateService"),
			},
			Risks: []catalog.Risk{
				{Path: `taskDefinition`, Why: "the service does not run the revision that was deployed"},
				{Path: `networkConfiguration|loadBalancers`, Why: "the network path to the tasks changed"},
				{Path: `deploymentCircuitBreaker|alarms`, Why: "a bad release is not rolled back"},
			},
			Missing: "no tasks run",
			Loss:    catalog.Loss{Kind: "service", Order: 4, Says: "tasks stop after finishing current requests", Again: true},
			Alarms:  serviceAlarms,
			Ports:   []int{Port},
			None:    catalog.Bound | catalog.AWSManaged | catalog.Mirrors | catalog.Offers,
		},
		{
			Type: "aws:appautoscaling/target:Target",
			Deploy: append(scale([]string{"application-autoscaling:DescribeScalableTargets"},
				"application-autoscaling:DeregisterScalableTarget", "application-autoscaling:ListTagsForResource",
				"application-autoscaling:RegisterScalableTarget", "application-autoscaling:TagResource",
				"application-autoscaling:UntagResource"),
				catalog.FirstUse(site, "ecs.application-autoscaling.amazonaws.com")),
			AWSManaged: `suspendedState`,
			None:       harmless &^ catalog.AWSManaged,
		},
		{
			Type: "aws:appautoscaling/policy:Policy",
			Deploy: scale([]string{"application-autoscaling:DescribeScalingPolicies"},
				"application-autoscaling:DeleteScalingPolicy", "application-autoscaling:PutScalingPolicy"),
			None: harmless,
		},
	}
}

var (
	ofBalancer = []string{"LoadBalancer"}
	ofTargets  = []string{"LoadBalancer", "TargetGroup"}
	ofService  = []string{"ClusterName", "ServiceName"}
)

const unhealthyHosts = "UnHealthyHostCount"

var balancerAlarms = []catalog.Alarm{
	{Name: "5xx-balancer",
		Why:       "The balancer itself answers 5xx: no healthy task, or tasks that close connections. Look at the service's events.",
		Namespace: "AWS/ApplicationELB", Metric: "HTTPCode_ELB_5XX_Count", Statistic: "Sum", Dimensions: ofBalancer,
		Above: true, Threshold: 5, Minutes: 5, Period: 60, Next: "doctor",
		Check: []string{
			"`slipway status`: does the web service have healthy tasks?",
			"the service's events, in `slipway doctor`: tasks that stop or fail their health check",
			"after a `slipway pause` visitors get 503: that is expected",
		}},
}

var targetAlarms = []catalog.Alarm{
	{Name: "5xx-site", Why: "The site answers 5xx. Look at the django log group for errors with the request id.",
		Namespace: "AWS/ApplicationELB", Metric: "HTTPCode_Target_5XX_Count", Statistic: "Sum", Dimensions: ofTargets,
		Above: true, Threshold: 5, Minutes: 5, Period: 60, Release: true, Next: "logs --since 15m",
		Check: []string{
			"`slipway logs --since 15m --filter ERROR`: the exception, with the request's id",
			"`slipway status`: did it begin with a release? Then `slipway rollback`",
			"the database: `database-connections` and `database-cpu` often fire with it",
		}},
	{Name: "unhealthy-hosts", Why: "A task fails its health check. Compare /healthz with the task's logs.",
		Namespace: "AWS/ApplicationELB", Metric: unhealthyHosts, Statistic: "Maximum", Dimensions: ofTargets,
		Above: true, Threshold: 1, Minutes: 5, Period: 60, Release: true, Next: "doctor",
		Check: []string{
			"`slipway doctor`: what the health path answers, and why tasks stopped",
			"a start that takes longer than `app.start` seconds",
			"memory: a task that is killed is unhealthy first",
		}},
	{Name: "latency", Why: "One request in a hundred takes over 2 seconds. Look at slow queries and CPU.",
		Namespace: "AWS/ApplicationELB", Metric: "TargetResponseTime", Statistic: "p99", Dimensions: ofTargets,
		Above: true, Threshold: 2, Minutes: 15, Period: 60, Next: "status",
		Check: []string{
			"`slipway status`: are there as many tasks as `web.max` allows?",
			"slow queries: Performance Insights of the database",
			"`slipway logs --since 15m`: the requests that take long",
		}},
}

var serviceAlarms = []catalog.Alarm{
	{Name: "cpu", Why: "Tasks are busy although scaling should have added some: web.max is reached, or scaling is too slow.",
		Namespace: "AWS/ECS", Metric: "CPUUtilization", Statistic: "Average", Dimensions: ofService,
		Above: true, Threshold: 90, Minutes: 15, Period: 60, Next: "scale web MIN..MAX",
		Check: []string{
			"`slipway status`: is `web.max` reached? Then `slipway scale web MIN..MAX`",
			"one task that is busy and others that are not: a request that does not end",
		}},
	{Name: "memory", Why: "Tasks are near their memory; beyond it they are killed. Raise web.memory or find the leak.",
		Namespace: "AWS/ECS", Metric: "MemoryUtilization", Statistic: "Average", Dimensions: ofService,
		Above: true, Threshold: 90, Minutes: 15, Period: 60, Next: "restart web",
		Check: []string{
			"`slipway status`: does it grow from deployment to deployment? Then it is a leak: `slipway restart` helps for a while",
			"`web.memory`, and the number of gunicorn workers in a task",
		}},
}
