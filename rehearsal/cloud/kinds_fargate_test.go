package cloud

import (
	"slices"
	"strings"
	"testing"
)

func TestContainerIncidents(t *testing.T) {
	// bad creates an incident of one change to the containers.
	bad := func(name, path, code string, change func(app, proxy properties)) incident {
		return incident{name: name, like: "task", code: code, path: path, before: func(w *world) {
			w.inputs["task"] = changed(w.inputs["task"], properties{"containerDefinitions": containerText(w, change)})
		}}
	}
	const app, proxy = "containerDefinitions[0]", "containerDefinitions[1]"
	set := func(path string, v any) func(app, proxy properties) {
		return func(app, _ properties) {
			for k, v := range changed(app, properties{path: v}) {
				app[k] = v
			}
			if v == nil {
				delete(app, path)
			}
		}
	}
	refuses(t, []incident{
		{name: "256 units with 4096 MiB", like: "task", change: properties{"memory": "4096"}, code: "512, 1024 or 2048", path: "memory"},
		{name: "300 units", like: "task", change: properties{"cpu": "300"}, code: "ClientException", path: "cpu"},
		{name: "one vCPU in words, with too little memory", like: "task", change: properties{"cpu": "1 vCPU"},
			code: "No Fargate configuration exists", path: "memory"},
		{name: "Fargate without memory", like: "task", change: properties{"memory": nil}, code: "ClientException", path: "memory"},
		{name: "Fargate on a bridge", like: "task", change: properties{"networkMode": "bridge"}, code: "ClientException", path: "networkMode"},
		{name: "a family with a space", like: "task", change: properties{"family": "my web"}, code: "ClientException", path: "family"},
		{name: "an architecture that Docker knows and ECS not", like: "task", change: properties{"runtimePlatform.cpuArchitecture": "amd64"},
			code: "X86_64 or ARM64", path: "runtimePlatform.cpuArchitecture"},
		{name: "containers that are no JSON", like: "task", change: properties{"containerDefinitions": "[{"}, code: "ClientException",
			path: "containerDefinitions"},
		{name: "no containers", like: "task", change: properties{"containerDefinitions": "[]"}, code: "ClientException",
			path: "containerDefinitions"},
		{name: "a role that ECS may not take", before: func(w *world) {
			w.inputs["task"] = changed(w.inputs["task"], properties{"executionRoleArn": w.arn("bastion-role")})
		}, like: "task", code: "ClientException"},
		{name: "a role that does not exist", like: "task", change: properties{"taskRoleArn": "arn:aws:iam::" + DefaultAccountID + ":role/absent"},
			code: "NoSuchEntity"},
		bad("a misspelt key that the provider would drop", "containerDefinitions", "readonlyRootFileSystem2",
			set("readonlyRootFileSystem2", true)),
		bad("two containers of one name", proxy+".name", "two containers", func(_, proxy properties) {
			proxy["name"], proxy["dependsOn"] = "django", nil
		}),
		bad("a container without an image", app+".image", "null or empty", set("image", "")),
		bad("an image in capitals", app+".image", "is not an image", set("image", "Site/Django")),
		bad("a digest of the wrong length", app+".image", "is not an image", set("image", "site@sha256:abc")),
		bad("both containers on one port", proxy+".portMappings[0].containerPort", "both listen on port 8000", func(_, proxy properties) {
			proxy["portMappings"] = []any{properties{"containerPort": 8000}}
		}),
		bad("port 0", app+".portMappings[0].containerPort", "1 to 65535", set("portMappings", []any{properties{"containerPort": 0}})),
		bad("another host port", app+".portMappings[0].hostPort", "must match",
			set("portMappings", []any{properties{"containerPort": 8000, "hostPort": 80}})),
		bad("a variable twice", app+".environment[1].name", "appears twice", set("environment", []any{properties{"name": "A", "value": "1"},
			properties{"name": "A", "value": "2"}})),
		bad("a variable that is a secret too", app+".secrets[0].name", "must be unique",
			set("environment", []any{properties{"name": "SECRET_KEY", "value": "x"}})),
		bad("a secret from S3", app+".secrets[0].valueFrom", "expected an SSM parameter",
			set("secrets", []any{properties{"name": "A", "valueFrom": "arn:aws:s3:::bucket/key"}})),
		bad("a dependency that does not exist", proxy+".dependsOn[0].containerName", "does not exist", func(_, proxy properties) {
			proxy["dependsOn"] = []any{properties{"containerName": "djnago", "condition": "START"}}
		}),
		bad("a container that waits for health without a check", proxy+".dependsOn[0].condition", "no health check", set("healthCheck", nil)),
		bad("a container that waits for the end of an essential one", proxy+".dependsOn[0].condition", "essential", func(_, proxy properties) {
			proxy["dependsOn"] = []any{properties{"containerName": "django", "condition": "SUCCESS"}}
		}),
		bad("two containers that wait for each other", app+".dependsOn", "cycle",
			set("dependsOn", []any{properties{"containerName": "nginx", "condition": "START"}})),
		bad("no essential container", "containerDefinitions", "must be essential", func(app, proxy properties) {
			app["essential"], proxy["essential"] = false, false
		}),
		bad("a mount of a volume that the task has not", app+".mountPoints[0].sourceVolume", "Unknown volume",
			set("mountPoints", []any{properties{"sourceVolume": "var", "containerPath": "/var"}})),
		bad("a health check that is a bare command", app+".healthCheck.command", "CMD or CMD-SHELL",
			set("healthCheck.command", []any{"curl", "localhost"})),
		bad("a health check every second", app+".healthCheck.interval", "5 to 300", set("healthCheck.interval", 1)),
		bad("containers with more memory than the task", "containerDefinitions", "adds up to", set("memory", 1024)),
		bad("containers with more cpu than the task", "containerDefinitions", "adds up to", set("cpu", 256)),
		bad("a log driver that Fargate has not", app+".logConfiguration.logDriver", "awslogs, splunk and awsfirelens",
			set("logConfiguration", properties{"logDriver": "json-file"})),
		bad("awslogs without a prefix", app+".logConfiguration.options", "requires options",
			set("logConfiguration", properties{"logDriver": "awslogs", "options": properties{"awslogs-group": "/site/web",
				"awslogs-region": "us-east-1"}})),
		bad("firelens without its router", app+".logConfiguration.logDriver", "firelensConfiguration",
			set("logConfiguration", properties{"logDriver": "awsfirelens"})),
		bad("a privileged container", app+".privileged", "privileged", set("privileged", true)),
		bad("a capability that Fargate has not", app+".linuxParameters.capabilities.add", "SYS_PTRACE",
			set("linuxParameters", properties{"capabilities": properties{"add": []any{"NET_ADMIN"}}})),
		bad("ten minutes to stop", app+".stopTimeout", "2 to 120", set("stopTimeout", 600)),
		{name: "secrets without an execution role", like: "task", before: func(w *world) {
			text := containerText(w, func(app, proxy properties) {
				app["image"], proxy["image"] = "django", "nginx"
				delete(app, "logConfiguration")
			})
			w.inputs["task"] = changed(w.inputs["task"], properties{"containerDefinitions": text, "executionRoleArn": nil})
		}, code: "executionRoleArn", path: app + ".secrets"},
		{name: "awslogs without an execution role", like: "task", before: func(w *world) {
			text := containerText(w, func(app, proxy properties) {
				app["image"], proxy["image"] = "django", "nginx"
				delete(app, "secrets")
			})
			w.inputs["task"] = changed(w.inputs["task"], properties{"containerDefinitions": text, "executionRoleArn": nil})
		}, code: "support log driver awslogs", path: app + ".logConfiguration"},
	})
}

func TestServiceIncidents(t *testing.T) {
	// with creates the service of another task.
	with := func(change func(app, proxy properties), task properties) func(w *world) {
		return func(w *world) {
			in := changed(w.inputs["task"], task)
			in["containerDefinitions"] = containerText(w, change)
			w.create(taskType, "other-task", in)
			w.inputs["service"] = changed(w.inputs["service"], properties{"taskDefinition": w.arn("other-task"), "name": "other"})
		}
	}
	refuses(t, []incident{
		{name: "a target group that no listener uses", before: func(w *world) {
			w.create(targetGroupType, "idle", changed(w.inputs["targets"], properties{"name": "idle"}))
			w.inputs["service"] = changed(w.inputs["service"], properties{"loadBalancers[0].targetGroupArn": w.arn("idle")})
		}, like: "service", code: "InvalidParameterException"},
		{name: "a target group of instances", before: func(w *world) {
			w.create(targetGroupType, "hosts", changed(w.inputs["targets"], properties{"name": "hosts", "targetType": "instance"}))
			w.create(ruleType, "rule", properties{"listenerArn": w.arn("listener"), "priority": 7,
				"conditions": []any{properties{"pathPattern": properties{"values": []any{"/x"}}}},
				"actions":    []any{properties{"type": "forward", "targetGroupArn": w.arn("hosts")}}})
			w.inputs["service"] = changed(w.inputs["service"], properties{"loadBalancers[0].targetGroupArn": w.arn("hosts")})
		}, like: "service", code: "InvalidParameterException"},
		{name: "a target group that does not exist", like: "service",
			change: properties{"loadBalancers[0].targetGroupArn": "arn:aws:elasticloadbalancing:us-east-1:" + DefaultAccountID +
				":targetgroup/x/0123456789abcdef"}, code: "TargetGroupNotFound"},
		{name: "a container that the task has not", like: "service", change: properties{"loadBalancers[0].containerName": "apache"},
			code: "InvalidParameterException"},
		{name: "a port that the container has not", like: "service", change: properties{"loadBalancers[0].containerPort": 80},
			code: "InvalidParameterException"},
		{name: "a cluster that does not exist", like: "service", change: properties{"cluster": "nowhere"}, code: "ClusterNotFoundException"},
		{name: "a service of one name twice in a cluster", like: "service", change: properties{"name": "web"}, code: "InvalidParameterException"},
		{name: "no network", like: "service", change: properties{"networkConfiguration": nil}, code: "InvalidParameterException"},
		{name: "a deployment that could never progress", like: "service", change: properties{"deploymentMaximumPercent": 100},
			code: "never progress", path: "deploymentMaximumPercent"},
		{name: "a strategy and a launch type", like: "service", change: properties{"launchType": "FARGATE"},
			code: "cannot both", path: "launchType"},
		{name: "a capacity provider that does not exist", like: "service",
			change: properties{"capacityProviderStrategies[0].capacityProvider": "SPOT"}, code: "InvalidParameterException",
			path: "capacityProviderStrategies[0].capacityProvider"},
		{name: "a strategy without weight", like: "service", change: properties{"capacityProviderStrategies[0].weight": 0},
			code: "weight greater than zero", path: "capacityProviderStrategies"},
		{name: "a strategy on a cluster without capacity providers", before: func(w *world) {
			w.create(clusterType, "bare", properties{"name": "bare"})
			w.inputs["service"] = changed(w.inputs["service"], properties{"cluster": w.arn("bare")})
		}, like: "service", code: "InvalidParameterException"},
		{name: "ECS Exec without a task role", before: with(nil, properties{"taskRoleArn": nil}), like: "service",
			code: "InvalidParameterException"},
		{name: "a grace period without a load balancer", like: "service", change: properties{"loadBalancers": nil,
			"healthCheckGracePeriodSeconds": 60}, code: "InvalidParameterException", path: "healthCheckGracePeriodSeconds"},
		{name: "a security group of another VPC", before: func(w *world) {
			w.create(vpcType, "other", properties{"cidrBlock": "10.9.0.0/16"})
			w.create(groupType, "stranger", properties{"vpcId": w.id("other"), "name": "stranger", "description": "elsewhere"})
			w.inputs["service"] = changed(w.inputs["service"], properties{"networkConfiguration.securityGroups": []any{w.id("stranger")}})
		}, like: "service", code: "InvalidParameterException"},
		{name: "a cluster deleted with services", like: "cluster", delete: true, code: "ClusterContainsServicesException"},
		{name: "capacity providers taken from a cluster that uses them", like: "providers", delete: true, code: "ResourceInUseException"},

		{name: "an image that was never pushed", before: with(func(app, _ properties) {
			app["image"] = strings.Replace(app["image"].(string), digest[:10], "sha256:fff", 1)
		}, nil), like: "service", code: "DeploymentFailed"},
		{name: "a secret that does not exist", before: with(func(app, _ properties) {
			app["secrets"] = []any{properties{"name": "A", "valueFrom": "arn:aws:ssm:us-east-1:" + DefaultAccountID + ":parameter/site/nothing"}}
		}, nil), like: "service", code: "DeploymentFailed"},
		{name: "a log group that does not exist", before: with(func(app, _ properties) {
			app["logConfiguration"].(properties)["options"].(properties)["awslogs-group"] = "/site/nothing"
		}, nil), like: "service", code: "DeploymentFailed"},
		{name: "an execution role that may not read the parameter", before: withoutPermission("ssm:GetParameters"), like: "service",
			code: "DeploymentFailed"},
		{name: "an execution role that may not decrypt the parameter", before: withoutPermission("kms:Decrypt"), like: "service",
			code: "DeploymentFailed"},
		{name: "an execution role that may not pull the image", before: withoutPermission("ecr:BatchGetImage"), like: "service",
			code: "DeploymentFailed"},
		{name: "an execution role that may not write logs", before: withoutPermission("logs:CreateLogStream"), like: "service",
			code: "DeploymentFailed"},
		{name: "an execution role whose boundary holds no secrets", before: bound("ecr:*", "logs:*", "kms:*"), like: "service",
			code: "DeploymentFailed"},
	})
}

func TestABoundaryAllowsWhatItHolds(t *testing.T) {
	w := siteWorld(t)
	bound("ecr:*", "logs:*", "kms:*", "ssm:*")(w)
	w.create(serviceType, "other", w.inputs["service"])
}

// withoutPermission takes one action from the execution role's policy.
func withoutPermission(action string) func(w *world) {
	return func(w *world) {
		text := w.inputs["execution-policy"]["policy"].(string)
		if err := w.update("execution-policy", properties{"policy": strings.Replace(text, action, "s3:ListAllMyBuckets", 1)}); err != nil {
			w.t.Fatal(err)
		}
		w.inputs["service"] = changed(w.inputs["service"], properties{"name": "other"})
	}
}

// bound returns the execution role a permissions boundary that allows these actions.
func bound(actions ...any) func(w *world) {
	return func(w *world) {
		w.create(policyType, "boundary", properties{"name": "boundary", "policy": policyText(allow(actions, "*"))})
		if err := w.update("execution", properties{"permissionsBoundary": w.arn("boundary")}); err != nil {
			w.t.Fatal(err)
		}
		w.inputs["service"] = changed(w.inputs["service"], properties{"name": "other"})
	}
}

func TestBalancerIncidents(t *testing.T) {
	refuses(t, []incident{
		{name: "a balancer in one subnet", before: func(w *world) {
			w.inputs["balancer"] = changed(w.inputs["balancer"], properties{"subnets": []any{w.id("public-a")}})
		}, like: "balancer", code: "ValidationError", path: "subnets"},
		{name: "a balancer in two subnets of one zone", before: func(w *world) {
			w.inputs["balancer"] = changed(w.inputs["balancer"], properties{"subnets": []any{w.id("public-a"), w.id("private-a")}})
		}, like: "balancer", code: "InvalidConfigurationRequest"},
		{name: "a balancer whose name is too long", like: "balancer", change: properties{"name": strings.Repeat("x", 33)},
			code: "at most 32", path: "name"},
		{name: "a balancer whose name ends with a hyphen", like: "balancer", change: properties{"name": "site-"},
			code: "not a name", path: "name"},
		{name: "a balancer that pretends to be internal", like: "balancer", change: properties{"name": "internal-site"},
			code: "internal-", path: "name"},
		{name: "two balancers of one name", like: "balancer", change: properties{"name": "site"}, code: "DuplicateLoadBalancerName"},
		{name: "a protected balancer deleted", before: func(w *world) {
			if err := w.update("balancer", properties{"enableDeletionProtection": true}); err != nil {
				w.t.Fatal(err)
			}
		}, like: "balancer", delete: true, code: "OperationNotPermitted"},
		{name: "access logs to a bucket that does not let them in", like: "balancer", change: properties{"accessLogs.bucket": "site-media-1"},
			code: "InvalidConfigurationRequest"},
		{name: "access logs under another prefix than the policy's", like: "balancer", change: properties{"accessLogs.prefix": "web"},
			code: "InvalidConfigurationRequest"},
		{name: "access logs to a bucket that encrypts with KMS", before: func(w *world) {
			w.create("aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2", "sse",
				properties{"bucket": "site-logs-1",
					"rules": []any{properties{"applyServerSideEncryptionByDefault": properties{"sseAlgorithm": "aws:kms",
						"kmsMasterKeyId": w.arn("key")}}}})
		}, like: "balancer", code: "InvalidConfigurationRequest"},
		{name: "a public balancer in a VPC without a way in", before: func(w *world) {
			w.create(vpcType, "island", properties{"cidrBlock": "10.9.0.0/16"})
			w.create(subnetType, "island-a", properties{"vpcId": w.id("island"), "cidrBlock": "10.9.0.0/24", "availabilityZone": "us-east-1a"})
			w.create(subnetType, "island-b", properties{"vpcId": w.id("island"), "cidrBlock": "10.9.1.0/24", "availabilityZone": "us-east-1b"})
			w.inputs["balancer"] = properties{"name": "island", "subnets": []any{w.id("island-a"), w.id("island-b")}}
		}, like: "balancer", code: "InvalidSubnet"},
		{name: "a target group deleted while a listener uses it", like: "targets", delete: true, code: "ResourceInUse"},
		{name: "a target group whose name is too long", like: "targets", change: properties{"name": strings.Repeat("x", 33)},
			code: "at most 32", path: "name"},
		{name: "a health check that takes longer than its interval", like: "targets", change: properties{"healthCheck.timeout": 15},
			code: "smaller than the interval", path: "healthCheck.timeout"},
		{name: "a health path without a slash", like: "targets", change: properties{"healthCheck.path": "healthz"}, code: "begin with a '/'",
			path: "healthCheck.path"},
		{name: "a health matcher that runs backwards", like: "targets", change: properties{"healthCheck.matcher": "200-99"}, code: "status codes",
			path: "healthCheck.matcher"},
		{name: "a target group without a port", like: "targets", change: properties{"port": nil}, code: "port should be set", path: "port"},
		{name: "two listeners on one port", like: "listener", code: "DuplicateListener"},
		{name: "TLS without a certificate", like: "secure", change: properties{"port": 8443, "certificateArn": nil},
			code: "A certificate must be specified", path: "certificateArn"},
		{name: "a certificate on plain HTTP", like: "secure", change: properties{"port": 8080, "protocol": "HTTP", "sslPolicy": nil},
			code: "only HTTPS and TLS", path: "certificateArn"},
		{name: "a TLS policy that does not exist", like: "secure", change: properties{"port": 8443, "sslPolicy": "ELBSecurityPolicy-TLS13"},
			code: "SSLPolicyNotFound", path: "sslPolicy"},
		{name: "a certificate that is not issued yet", before: func(w *world) {
			w.create(certificateType, "fresh", properties{"domainName": "new.example.com", "validationMethod": "DNS"})
			w.inputs["secure"] = changed(w.inputs["secure"], properties{"port": 8443, "certificateArn": w.arn("fresh")})
		}, like: "secure", code: "UnsupportedCertificate"},
		{name: "a redirect that is no redirect", like: "listener", change: properties{"port": 81,
			"defaultActions": []any{properties{"type": "redirect"}}}, code: "InvalidLoadBalancerAction", path: "defaultActions[0]"},
		{name: "scaling of a service that does not exist", like: "scaling", change: properties{"resourceId": "service/site/absent"},
			code: "ValidationException"},
		{name: "scaling to less than the least", like: "scaling", change: properties{"minCapacity": 5},
			code: "cannot be less", path: "minCapacity"},
		{name: "scaling of a service by a name of another form", like: "scaling", change: properties{"resourceId": "site/web"},
			code: "service/<cluster>/<service>", path: "resourceId"},
		{name: "a policy for what was not registered", like: "scaling-cpu", change: properties{"resourceId": "service/site/absent"},
			code: "ObjectNotFoundException"},
		{name: "a policy that aims at nothing", like: "scaling-cpu",
			change: properties{"targetTrackingScalingPolicyConfiguration.targetValue": 0}, code: "more than 0",
			path: "targetTrackingScalingPolicyConfiguration.targetValue"},
		{name: "requests per target without saying of which", like: "scaling-cpu",
			change: properties{
				"targetTrackingScalingPolicyConfiguration.predefinedMetricSpecification.predefinedMetricType": "ALBRequestCountPerTarget",
			}, code: "needs the label",
			path: "targetTrackingScalingPolicyConfiguration.predefinedMetricSpecification.resourceLabel"},
	})
}

// Fargate's memories are exactly those of its documentation.
func TestFargateSizes(t *testing.T) {
	for cpu, want := range map[int]struct {
		first, last string
		count       int
	}{256: {"512", "2048", 3}, 512: {"1024", "4096", 4}, 1024: {"2048", "8192", 7}, 2048: {"4096", "16384", 13}, 4096: {"8192", "30720", 23},
		8192: {"16384", "61440", 12}, 16384: {"32768", "122880", 12}} {
		got := fargateMemories(cpu)
		if len(got) != want.count || got[0] != want.first || got[len(got)-1] != want.last {
			t.Errorf("%d units: expected %d memories from %s to %s, got %v", cpu, want.count, want.first, want.last, got)
		}
	}
	if got := fargateMemories(256); !slices.Equal(got, []string{"512", "1024", "2048"}) {
		t.Errorf("256 units: got %v", got)
	}
	if fargateMemories(300) != nil {
		t.Error("there are no 300 units")
	}
}

// The revisions of a family are numbered, and each is a resource of its own.
func TestRevisionsCountUp(t *testing.T) {
	w := siteWorld(t)
	second := w.create(taskType, "second", w.inputs["task"])
	other := w.create(taskType, "other", changed(w.inputs["task"], properties{"family": "worker"}))
	if n := second.Outputs["revision"]; n != 2.0 || !strings.HasSuffix(second.Outputs["arn"].(string), ":task-definition/web:2") {
		t.Errorf("expected revision 2, got %v (%v)", n, second.Outputs["arn"])
	}
	if n := other.Outputs["revision"]; n != 1.0 {
		t.Errorf("another family begins at 1, got %v", n)
	}
}

func TestRarerFargateIncidents(t *testing.T) {
	const app = "containerDefinitions[0]"
	bad := func(name, path, code string, change properties) incident {
		return incident{name: name, like: "task", code: code, path: path, before: and(nil, "task", func(w *world) properties {
			return properties{"containerDefinitions": containerText(w, func(app, _ properties) {
				for k, v := range change {
					app[k] = v
				}
			})}
		})}
	}
	const policy = "targetTrackingScalingPolicyConfiguration"
	requests := func(label string) properties {
		return properties{policy + ".predefinedMetricSpecification": properties{"predefinedMetricType": "ALBRequestCountPerTarget",
			"resourceLabel": label}}
	}
	refuses(t, []incident{
		{name: "logging of shells that goes nowhere", like: "cluster",
			change: properties{"configuration": properties{"executeCommandConfiguration": properties{"logging": "OVERRIDE"}}},
			code:   "logging OVERRIDE needs",
			path:   "configuration.executeCommandConfiguration.logging"},
		{name: "a capacity provider taken away under a service", like: "providers", update: true,
			change: properties{"capacityProviders": []any{"FARGATE_SPOT"}}, code: "ResourceInUseException"},
		{name: "a default strategy of a provider that the cluster has not", like: "providers",
			change: properties{"capacityProviders": []any{"FARGATE"},
				"defaultCapacityProviderStrategies": []any{properties{"capacityProvider": "FARGATE_SPOT", "weight": 1}}}, code: "not among",
			path: "defaultCapacityProviderStrategies[0].capacityProvider"},
		{name: "a provider twice in a strategy", like: "service", change: properties{"capacityProviderStrategies": many(2, func(int) any {
			return properties{"capacityProvider": "FARGATE", "weight": 1}
		})}, code: "appears twice", path: "capacityProviderStrategies[1].capacityProvider"},
		{name: "a base below nothing", like: "service", change: properties{"capacityProviderStrategies[0].base": -1}, code: "0 to 100000",
			path: "capacityProviderStrategies[0].base"},
		{name: "two bases", like: "service", change: properties{"capacityProviderStrategies": []any{properties{"capacityProvider": "FARGATE",
			"base": 1, "weight": 1}, properties{"capacityProvider": "FARGATE_SPOT", "base": 1, "weight": 1}}}, code: "only one capacity provider",
			path: "capacityProviderStrategies"},
		{name: "rebalancing without room", like: "service", change: properties{"availabilityZoneRebalancing": "ENABLED",
			"deploymentMaximumPercent": 100, "deploymentMinimumHealthyPercent": 50}, code: "above 100", path: "availabilityZoneRebalancing"},
		{name: "seventeen subnets", like: "service", change: properties{"networkConfiguration.subnets": many(17, func(int) any {
			return "subnet-00000000"
		})}, code: "at most 16", path: "networkConfiguration.subnets"},
		{name: "six groups", like: "service", change: properties{"networkConfiguration.securityGroups": many(6, func(int) any {
			return "sg-00000000"
		})}, code: "at most 5", path: "networkConfiguration.securityGroups"},
		{name: "six target groups", like: "service", change: properties{"loadBalancers": many(6, func(int) any {
			return properties{"containerName": "nginx", "containerPort": 8080}
		})}, code: "at most 5", path: "loadBalancers"},
		{name: "a task of machines on Fargate", like: "service", before: and(func(w *world) {
			w.create(taskType, "hosts", changed(w.inputs["task"], properties{"requiresCompatibilities": []any{"EC2"}}))
		}, "service", func(w *world) properties { return properties{"taskDefinition": w.arn("hosts")} }), code: "InvalidParameterException"},
		{name: "a name in a registry for a container that the task has not", like: "service", before: and(func(w *world) {
			w.create(discoveryType, "registry", properties{"name": "web", "dnsConfig": properties{"namespaceId": w.id("namespace"),
				"dnsRecords": []any{properties{"ttl": 10, "type": "SRV"}}}})
		}, "service", func(w *world) properties {
			return properties{"serviceRegistries": properties{"registryArn": w.arn("registry"), "containerName": "apache", "containerPort": 80}}
		}), code: "InvalidParameterException"},
		{name: "targets of another VPC", like: "service", before: and(func(w *world) {
			elsewhere(w)
			w.create(balancerType, "other-balancer", properties{"name": "other", "subnets": []any{w.id("other-a"), w.id("other-b")}})
			w.create(targetGroupType, "other-targets", properties{"name": "other", "port": 80, "protocol": "HTTP",
				"vpcId": w.id("other"), "targetType": "ip"})
			w.create(listenerType, "other-listener", properties{"loadBalancerArn": w.arn("other-balancer"), "port": 80,
				"defaultActions": []any{properties{"type": "forward", "targetGroupArn": w.arn("other-targets")}}})
		}, "service", func(w *world) properties {
			return properties{"loadBalancers[0].targetGroupArn": w.arn("other-targets")}
		}), code: "InvalidParameterException"},

		{name: "a volume twice", like: "task", change: properties{"volumes": []any{properties{"name": "tmp"}, properties{"name": "tmp"}}},
			code: "appears twice", path: "volumes[1].name"},
		{name: "a Docker volume on Fargate", like: "task",
			change: properties{"volumes": []any{properties{"name": "tmp", "dockerVolumeConfiguration": properties{"scope": "task"}}}},
			code:   "does not support Docker volumes", path: "volumes[0]"},
		{name: "a folder of the host on Fargate", like: "task",
			change: properties{"volumes": []any{properties{"name": "tmp", "hostPath": "/tmp"}}}, code: "host path", path: "volumes[0].hostPath"},
		bad("a variable with an equals sign", app+".environment[0].name", "not a valid name",
			properties{"environment": []any{properties{"name": "A=B", "value": "1"}}}),
		bad("a secret from nowhere", app+".secrets[0].valueFrom", "needs valueFrom", properties{"secrets": []any{properties{"name": "A"}}}),
		bad("log options without a driver", app+".logConfiguration.logDriver", "need a logDriver",
			properties{"logConfiguration": properties{"options": properties{"mode": "blocking"}}}),
		bad("logs that half block", app+".logConfiguration.options.mode", "non-blocking",
			properties{"logConfiguration": properties{"logDriver": "awslogs", "options": properties{"awslogs-group": "/site/web",
				"awslogs-region": "us-east-1", "awslogs-stream-prefix": "web", "mode": "async"}}}),
		bad("a log option that does not exist", app+".logConfiguration.options.retention", "no option",
			properties{"logConfiguration": properties{"logDriver": "awslogs", "options": properties{"awslogs-group": "/site/web",
				"awslogs-region": "us-east-1", "awslogs-stream-prefix": "web", "retention": "7"}}}),
		bad("a container that waits for itself", app+".dependsOn[0].containerName", "depends on itself",
			properties{"dependsOn": []any{properties{"containerName": "django", "condition": "START"}}}),
		bad("a container that waits for something else", app+".dependsOn[0].condition", "expected START",
			properties{"dependsOn": []any{properties{"containerName": "nginx", "condition": "READY"}}}),

		{name: "six values in a rule", like: "rule", before: offer("rule", ruleType, func(w *world) properties {
			return properties{"listenerArn": w.arn("listener"),
				"conditions": []any{properties{"pathPattern": properties{"values": many(6, func(int) any { return "/x" })}}},
				"actions":    []any{properties{"type": "forward", "targetGroupArn": w.arn("targets")}}}
		}), code: "TooManyConditionValues", path: "conditions"},
		{name: "two rules of one priority", like: "rule", before: func(w *world) {
			w.create(ruleType, "rule", properties{"listenerArn": w.arn("listener"), "priority": 1,
				"conditions": []any{properties{"pathPattern": properties{"values": []any{"/x"}}}},
				"actions":    []any{properties{"type": "forward", "targetGroupArn": w.arn("targets")}}})
		}, code: "PriorityInUse"},
		{name: "six groups on a balancer", like: "balancer", change: properties{"securityGroups": many(6, func(int) any {
			return "sg-00000000"
		})}, code: "TooManySecurityGroups", path: "securityGroups"},
		{name: "a balancer with a group of another VPC", like: "balancer", before: and(elsewhere, "balancer", func(w *world) properties {
			return properties{"securityGroups": []any{w.id("stranger")}}
		}), code: "InvalidConfigurationRequest"},
		{name: "targets that pretend to be internal", like: "targets", change: properties{"name": "internal-web"},
			code: "internal-", path: "name"},
		{name: "a listener that forwards to another VPC", like: "listener", before: and(func(w *world) {
			elsewhere(w)
			w.create(targetGroupType, "other-targets", properties{"name": "other", "port": 80, "protocol": "HTTP",
				"vpcId": w.id("other"), "targetType": "ip"})
		}, "listener", func(w *world) properties {
			return properties{"port": 81, "defaultActions": []any{properties{"type": "forward", "targetGroupArn": w.arn("other-targets")}}}
		}), code: "ValidationError"},
		{name: "a fixed answer 302", like: "listener", change: properties{"port": 81, "defaultActions": []any{properties{"type": "fixed-response",
			"fixedResponse": properties{"contentType": "text/plain", "statusCode": "302"}}}}, code: "2XX, 4XX or 5XX",
			path: "defaultActions[0].fixedResponse.statusCode"},
		{name: "a fixed answer of two kilobytes", like: "listener", change: properties{"port": 81,
			"defaultActions": []any{properties{"type": "fixed-response", "fixedResponse": properties{"contentType": "text/plain",
				"messageBody": strings.Repeat("x", 2048)}}}}, code: "1024", path: "defaultActions[0].fixedResponse.messageBody"},
		{name: "a policy that tracks nothing", like: "scaling-cpu", change: properties{policy: nil},
			code: "required for a policy of type TargetTrackingScaling", path: policy},
		{name: "requests of a label in another form", like: "scaling-cpu", change: requests("site/targets"), code: "expected app/",
			path: policy + ".predefinedMetricSpecification.resourceLabel"},
		{name: "requests of a balancer that does not exist", like: "scaling-cpu",
			change: requests("app/nothing/0123456789abcdef/targetgroup/nothing/0123456789abcdef"), code: "ValidationException"},
		{name: "a night of more than the day", like: "night", before: offer("night", "aws:appautoscaling/scheduledAction:ScheduledAction",
			func(*world) properties {
				return properties{"name": "night", "schedule": "cron(0 20 * * ? *)", "serviceNamespace": "ecs",
					"scalableDimension": "ecs:service:DesiredCount", "resourceId": "service/site/web",
					"scalableTargetAction": properties{"minCapacity": 2, "maxCapacity": 1}}
			}), code: "cannot be less", path: "scalableTargetAction.minCapacity"},
	})
}
