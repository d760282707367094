package incidents_test

import (
	"maps"
	"strings"
	"testing"
)

// Settings that AWS refuses or that never work, each changed in the real program. A source that is a guide names AWS's own page.

// rejectedSettings change one resource of stack prod.
var rejectedSettings = []struct {
	failure, source, kind, name string
	change                      change
	code, says                  string
}{
	{"platform 1.2", "ECS Developer Guide, Fargate Linux platform version change log", "Service", "web", change{"platformVersion": "1.2.0"},
		"PlatformUnknownException", "does not exist"},
	{"platform 1.3 and Graviton", "ECS Developer Guide, Fargate Linux platform version change log", "Service", "web",
		change{"platformVersion": "1.3.0"}, "PlatformTaskDefinitionIncompatibilityException", "cpuArchitecture ARM64"},
	{"a daemon on Fargate", "ECS API Reference, CreateService", "Service", "web", change{"schedulingStrategy": "DAEMON"},
		"InvalidParameterException", "daemon scheduling strategy"},
	{"a placement strategy on Fargate", "ECS API Reference, CreateService", "Service", "web", change{"orderedPlacementStrategies": []any{
		change{"type": "spread", "field": "attribute:ecs.availability-zone"}}}, "InvalidParameterException", "Placement strategies"},
	{"a role for the load balancer with awsvpc", "hashicorp/terraform-provider-aws#4657", "Service", "web",
		change{"iamRole": "arn:aws:iam::123456789012:role/x"}, "InvalidParameterException", "service linked role"},
	{"a circuit breaker with CodeDeploy", "ECS API Reference, DeploymentCircuitBreaker", "Service", "web",
		change{"deploymentController": change{
			"type": "CODE_DEPLOY"}}, "InvalidParameterException", "needs the deployment controller ECS"},
	{"90 and 110 percent of two tasks", "ECS API Reference, DeploymentConfiguration", "Service", "web", change{"desiredCount": 2,
		"deploymentMinimumHealthyPercent": 90, "deploymentMaximumPercent": 110}, "DeploymentFailed", "of 2 tasks at least 2 must run"},
	{"Service Connect without its port", "ECS API Reference, ServiceConnectService", "Service", "web",
		change{"serviceConnectConfiguration": change{
			"enabled": true, "services": []any{change{"portName": "api"}}}}, "InvalidParameterException", "portName(api) does not refer"},
	{"pidMode host", "ECS Developer Guide, task definition differences for Fargate", "TaskDefinition", "web-task", change{"pidMode": "host"},
		"ClientException", "pidMode task only"},
	{"placement constraints of a task", "ECS Developer Guide, task definition differences for Fargate", "TaskDefinition", "web-task",
		change{"placementConstraints": []any{change{"type": "memberOf", "expression": "attribute:x == y"}}}, "ClientException",
		"placement constraints"},
	{"Windows on Graviton", "ECS Developer Guide, Windows containers on Fargate considerations", "TaskDefinition", "web-task",
		change{"runtimePlatform": change{"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE", "cpuArchitecture": "ARM64"}}, "ClientException",
		"need the cpuArchitecture X86_64"},
	{"an unknown parameter", "RDS guide, Working with parameter groups", "ParameterGroup", "database-parameters",
		change{"parameters": []any{
			change{"name": "max_conections", "value": "100", "applyMethod": "pending-reboot"}}}, "InvalidParameterValue",
		"Could not find parameter"},
	{"a parameter with a unit", "RDS guide, Working with parameter groups", "ParameterGroup", "database-parameters",
		change{"parameters": []any{
			change{"name": "work_mem", "value": "64MB", "applyMethod": "immediate"}}}, "InvalidParameterValue", "without a unit"},
	{"storage that may grow by 5 percent", "RDS guide, Managing capacity automatically with storage autoscaling", "Instance", "database",
		change{"maxAllocatedStorage": 105}, "InvalidParameterCombination", "at least 10 percent"},
	{"an expired certificate authority", "RDS guide, Using SSL/TLS to encrypt a connection", "Instance", "database",
		change{"caCertIdentifier": "rds-ca-2019"}, "CertificateNotFound", "has expired"},
	{"sticky sessions by address", "Application Load Balancers guide, Sticky sessions", "TargetGroup", "balancer-targets",
		change{"stickiness": change{"type": "source_ip", "enabled": true}}, "InvalidConfigurationRequest", "'source_ip' is not supported"},
	{"a cookie of more than a week", "Application Load Balancers guide, Sticky sessions", "TargetGroup", "balancer-targets",
		change{"stickiness": change{"type": "lb_cookie", "cookieDuration": 700000}}, "cookieDuration", "604800"},
	{"slow start with least outstanding requests", "Application Load Balancers guide, Target group attributes", "TargetGroup",
		"balancer-targets", change{"slowStart": 60, "loadBalancingAlgorithmType": "least_outstanding_requests"}, "InvalidConfigurationRequest",
		"needs the algorithm round_robin"},
	{"HTTP status codes of a gRPC health check", "ELB API Reference, Matcher", "TargetGroup", "balancer-targets",
		change{"protocolVersion": "GRPC"}, "ValidationError", "gRPC codes"},
	{"a filter pattern without a value", "CloudWatch Logs guide, Filter pattern syntax", "LogSubscriptionFilter", "logs-django-archive",
		change{"filterPattern": "{ $.level = }"}, "InvalidParameterException", "a comparison has no value"},
	{"an alias of type CNAME to a load balancer", "Route 53 guide, Values specific for simple alias records", "Record", "balancer-alias",
		change{"type": "CNAME"}, "InvalidChangeBatch", "has type A or AAAA"},
	{"a certificate with RSA 4096 that ACM shall issue", "ACM API Reference, RequestCertificate", "Certificate", "balancer-certificate",
		change{"keyAlgorithm": "RSA_4096"}, "ValidationException", "EC_prime256v1"},
	{"no health checks of addresses", "ELB API Reference, CreateTargetGroup", "TargetGroup", "balancer-targets",
		change{"healthCheck": change{"enabled": false}}, "ValidationError", "Health check enabled must be true"},
	{"IPv6 without addresses", "Application Load Balancers guide, IP address type", "LoadBalancer", "balancer",
		change{"ipAddressType": "dualstack"}, "InvalidSubnet", "associated IPv6 CIDR block"},
	{"a Fargate task on EC2", "ECS API Reference, CreateService", "Service", "web", change{"launchType": "EC2",
		"capacityProviderStrategies": nil}, "InvalidParameterException", "does not support launch_type EC2"},
	{"Service Connect without a namespace", "ECS API Reference, ServiceConnectConfiguration", "Service", "web",
		change{"serviceConnectConfiguration": change{"enabled": true}}, "InvalidParameterException", "needs a namespace"},
	{"a parameter of MySQL", "WikiWatershed/model-my-watershed#3149", "ParameterGroup", "database-parameters", change{"parameters": []any{
		change{"name": "innodb_buffer_pool_size", "value": "1", "applyMethod": "immediate"}}}, "InvalidParameterValue",
		"Could not find parameter"},
	{"a proxy that is no container", "ECS API Reference, ProxyConfiguration", "TaskDefinition", "web-task",
		change{"proxyConfiguration": change{
			"type": "APPMESH", "containerName": "envoy", "properties": change{}}}, "ClientException", "container envoy does not exist"},
	{"a parameter that RDS sets", "debezium/debezium.github.io#272", "ParameterGroup", "database-parameters", change{"parameters": []any{
		change{"name": "wal_level", "value": "logical", "applyMethod": "pending-reboot"}}}, "InvalidParameterValue",
		"wal_level cannot be modified"},
	{"a parameter with a word that it does not take", "PostgreSQL's manual, Server Configuration", "ParameterGroup", "database-parameters",
		change{"parameters": []any{change{"name": "password_encryption", "value": "md6", "applyMethod": "immediate"}}},
		"InvalidParameterValue", "md5, scram-sha-256"},
	{"a time zone that does not exist", "RDS User Guide, Working with parameters", "ParameterGroup", "database-parameters",
		change{"parameters": []any{change{"name": "timezone", "value": "Mars/Base", "applyMethod": "immediate"}}}, "InvalidParameterValue",
		"expected a time zone"},
	{"a library that is spelt otherwise", "RDS Release Notes, Extension versions", "ParameterGroup", "database-parameters",
		change{"parameters": []any{change{"name": "shared_preload_libraries", "value": "pg_stat_statement", "applyMethod": "pending-reboot"}}},
		"InvalidParameterValue", "did you mean pg_stat_statements"},
	{"an option group of another version", "RDS User Guide, Working with option groups", "Instance", "database",
		change{"optionGroupName": "default:postgres-16"}, "InvalidParameterCombination", "it is for PostgreSQL 16"},
	{"500 provisioned IOPS", "RDS User Guide, Provisioned IOPS SSD storage", "Instance", "database", change{"storageType": "io2", "iops": 500},
		"InvalidParameterValue", "1000 to 256000"},
	{"500 IOPS for each GiB", "RDS User Guide, Provisioned IOPS SSD storage", "Instance", "database", change{"storageType": "io1",
		"iops": 50000}, "InvalidParameterCombination", "between 0.5 and 50"},
	{"IPv6 for a database in subnets without", "RDS User Guide, dual-stack mode", "Instance", "database", change{"networkType": "DUAL"},
		"InvalidSubnet", "network type DUAL"},
	{"a certificate authority that does not exist", "RDS User Guide, Certificate authorities", "Instance", "database",
		change{"caCertIdentifier": "rds-ca-rsa2048"}, "CertificateNotFound", "rds-ca-rsa2048-g1"},
	{"extended support by another name", "RDS API Reference, CreateDBInstance", "Instance", "database",
		change{"engineLifecycleSupport": "open-source"}, "engineLifecycleSupport", "open-source-rds-extended-support-disabled"},
	{"a filter pattern that is not closed", "CloudWatch Logs guide, Filter pattern syntax", "LogSubscriptionFilter", "logs-django-archive",
		change{"filterPattern": `{ $.level = "ERROR" `}, "InvalidParameterException", "not closed"},
}

func TestSettingsThatAWSRefuses(t *testing.T) {
	dir := deployed(t, "prod", nil)
	for _, c := range rejectedSettings {
		t.Run(c.failure, func(t *testing.T) {
			a := zoned(t, dir)
			if said := refused(t, a, named(t, a, c.kind, c.name), c.change); !strings.Contains(said, c.code) || !strings.Contains(said, c.says) {
				t.Errorf("%s: %s %s is not refused with %s that says %q: %s", c.source, c.kind, c.name, c.code, c.says, said)
			}
		})
	}
	for _, c := range []struct { // within a container of the web task
		property string
		value    any
		says     string
	}{
		{"workingDirectory", "srv", "needs to be an absolute path"},
		{"disableNetworking", true, "disableNetworking"},
		{"resourceRequirements", []any{change{"type": "GPU", "value": "1"}}, "GPUs"},
		{"environmentFiles", []any{change{"type": "s3", "value": "arn:aws:s3:::settings/prod.txt"}}, "ends in .env"},
		{"startTimeout", 200, "2 to 120 seconds for a dependency"},
		{"linuxParameters", change{"capabilities": change{"drop": []any{"NET_RAWW"}}}, "NET_RAW"},
		{"memoryReservation", 4096, "memory adds up to"},
		{"restartPolicy", change{"enabled": true, "restartAttemptPeriod": 10}, "60 to 1800"},
		{"portMappings", []any{change{"containerPort": 8000, "name": "HTTP"}}, "lower-case"},
		{"portMappings", []any{change{"containerPort": 8000, "name": "http", "appProtocol": "https"}}, "http, http2 or grpc"},
		{"mountPoints", []any{change{"sourceVolume": "django-tmp", "containerPath": "/tmp"}, change{"sourceVolume": "django-tmp",
			"containerPath": "/tmp"}}, "Duplicate mount point: /tmp"},
		{"logConfiguration", change{"logDriver": "awslogs", "options": change{"awslogs-group": "x", "awslogs-region": "us-east-1",
			"awslogs-stream-prefix": "x", "awslogs-datetime-format": "%Y", "awslogs-multiline-pattern": "^x"}}, "at the same time"},
		{"logConfiguration", change{"logDriver": "awslogs", "options": change{"awslogs-group": "x", "awslogs-region": "us-east-1",
			"awslogs-stream-prefix": "x", "awslogs-retention": "7"}}, "no option"},
	} {
		t.Run(c.property+" "+c.says, func(t *testing.T) {
			a := zoned(t, dir)
			put("web-task", "django", c.property, c.value)(t, a)
			task := named(t, a, "TaskDefinition", "web-task")
			news := change{"containerDefinitions": task.Outputs["containerDefinitions"]}
			if said := refused(t, a, task, news); !strings.Contains(said, "ClientException") || !strings.Contains(said, c.says) {
				t.Errorf("not refused with %q: %s", c.says, said)
			}
		})
	}
}

// TestSettingsThatAWSAccepts: no false alarm.
func TestSettingsThatAWSAccepts(t *testing.T) {
	dir := deployed(t, "prod", nil)
	for _, c := range []struct {
		kind, name string
		change     change
	}{
		{"TaskDefinition", "web-task", change{"cpu": "1 vCPU", "memory": "2 GB"}}, // ECS API Reference, RegisterTaskDefinition
		{"TaskDefinition", "web-task", change{"pidMode": "task"}},
		{"Service", "web", change{"desiredCount": 2, "deploymentMinimumHealthyPercent": 50, "deploymentMaximumPercent": 110}},
		{"Service", "web", change{"desiredCount": 10, "deploymentMinimumHealthyPercent": 90, "deploymentMaximumPercent": 110}},
		{"Service", "web", change{"platformVersion": "1.4.0"}},
		{"Instance", "database", change{"caCertIdentifier": "rds-ca-ecc384-g1"}},
		{"Instance", "database", change{"maxAllocatedStorage": 110}},
		{"ParameterGroup", "database-parameters",
			change{"parameters": []any{
				change{"name": "work_mem", "value": "65536", "applyMethod": "immediate"},
				change{"name": "max_connections", "value": "LEAST({DBInstanceClassMemory/9531392},5000)", "applyMethod": "pending-reboot"},
				change{"name": "shared_buffers", "value": "{DBInstanceClassMemory/32768}", "applyMethod": "pending-reboot"},
				change{"name": "idle_session_timeout", "value": "0", "applyMethod": "immediate"}}}},
		{"TargetGroup", "balancer-targets", change{"stickiness": change{"type": "app_cookie", "cookieName": "sessionid", "cookieDuration": 60}}},
		{"LogSubscriptionFilter", "logs-django-archive", change{"filterPattern": `{ ($.level = "ERROR") || ($.status >= 500) }`}},
		{"LogSubscriptionFilter", "logs-django-archive", change{"filterPattern": `[ip, user, ..., status=5*, size]`}},
		{"LogSubscriptionFilter", "logs-django-archive", change{"filterPattern": `?ERROR -"(half"`}},
		{"LogSubscriptionFilter", "logs-django-archive", change{"filterPattern": `{ $.message = %Exception\s% && $.x IS NULL }`}},
	} {
		a := account(t, dir)
		if said := refused(t, a, named(t, a, c.kind, c.name), maps.Clone(c.change)); said != "" {
			t.Errorf("%s %s with %v: %s", c.kind, c.name, c.change, said)
		}
	}
}

// TestStreamsAndRoutes: a partition of an archive that is not partitioned, and a route to an endpoint that takes none.
func TestStreamsAndRoutes(t *testing.T) {
	dir := deployed(t, "prod", nil)
	a := account(t, dir)
	stream := named(t, a, "FirehoseDeliveryStream", "subscription")
	s3 := maps.Clone(stream.Inputs["extendedS3Configuration"].(map[string]any))
	s3["prefix"] = "logs/!{partitionKeyFromQuery:group}/"
	if said := refused(t, a, stream, change{"extendedS3Configuration": s3}); !strings.Contains(said, "needs dynamic partitioning") {
		t.Error(said)
	}
	s3["dynamicPartitioningConfiguration"], s3["bufferingSize"] = change{"enabled": true}, 64
	if said := refused(t, a, stream, change{"extendedS3Configuration": s3}); !strings.Contains(said, "type MetadataExtraction") {
		t.Error(said)
	}
	a = account(t, dir)
	news := change{"natGatewayId": nil, "vpcEndpointId": id(t, a, "VpcEndpoint", "network-s3")}
	route := named(t, a, "Route", "network-private-a-out")
	if said := refused(t, a, route, news); !strings.Contains(said, "not a Gateway Load Balancer endpoint") {
		t.Error(said)
	}
	listener := named(t, a, "Listener", "balancer-http")
	set("TargetGroup", "balancer-targets", "protocol", "TCP")(t, a)
	if said := refused(t, a, listener, change{"defaultActions": []any{change{"type": "forward",
		"targetGroupArn": id(t, a, "TargetGroup", "balancer-targets")}}}); !strings.Contains(said, "IncompatibleProtocols") {
		t.Error(said)
	}
}

// TestLogsOfAnotherRegion: the role may write to the groups of its own region only.
func TestLogsOfAnotherRegion(t *testing.T) {
	a := account(t, deployed(t, "prod", nil))
	replaced("TaskDefinition", "web-task", "containerDefinitions", `"awslogs-region":"us-east-1"`, `"awslogs-region":"us-west-2"`)(t, a)
	for _, f := range a.Findings() {
		if strings.HasSuffix(f.Resource, "::web") && strings.Contains(strings.Join(f.Chain, " "), "us-west-2") {
			return
		}
	}
	t.Error("a log driver that writes to another region is not refused")
}
