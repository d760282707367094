package incidents_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"slipway/operation/account/modelaccount"
	"slipway/rehearsal/cloud"
)

// Settings that AWS accepts, each in its place, and that leave visitors, tasks or people without what they need. A source that is a guide
// names AWS's own page; others are GitHub issues in which the failure was reported.

// within replaces part of a property that is an object.
func within(kind, name, property string, values change) plant {
	return func(t *testing.T, a *cloud.Account) {
		t.Helper()
		inner, _ := named(t, a, kind, name).Outputs[property].(map[string]any)
		changed := change{}
		for k, v := range inner {
			changed[k] = v
		}
		for k, v := range values {
			changed[k] = v
		}
		set(kind, name, property, changed)(t, a)
	}
}

const certificates = "Application Load Balancers guide, SSL certificates for your Application Load Balancer"

var unfitSettings = []struct {
	failure, source string
	plant           plant
	resource, code  string
	says            string // in the message or the chain
}{
	{"an internal load balancer with a public name", "Application Load Balancers guide, load balancer scheme",
		set("LoadBalancer", "balancer", "internal", true), "balancer", "Timeout", "record www.example.com in a public zone leads to it"},
	{"an archive of messages alone", "Firehose guide, Extract messages after decompression of CloudWatch Logs",
		within("FirehoseDeliveryStream", "subscription", "extendedS3Configuration", change{"processingConfiguration": change{"enabled": true,
			"processors": []any{change{"type": "Decompression"}, change{"type": "CloudWatchLogProcessing", "parameters": []any{change{
				"parameterName": "DataMessageExtraction", "parameterValue": "true"}}}}}}), "subscription", "UndatedLog",
		"without their log group, log stream and time"},
	{"an internal load balancer that admits everyone", "Application Load Balancers guide, load balancer scheme",
		both(set("LoadBalancer", "balancer", "internal", true), gone("Record", "balancer-alias")), "balancer", "Timeout",
		"its security group admits everyone on port"},
	{"a certificate for another name", certificates, both(set("Certificate", "balancer-certificate", "domainName", "other.example.com"),
		set("Certificate", "balancer-certificate", "subjectAlternativeNames", []any{"other.example.com"})), "balancer-alias",
		"CertificateNameMismatch", "presents a certificate for other.example.com"},
	{"a wildcard stands for one label", certificates, both(set("Certificate", "balancer-certificate", "domainName", "*.www.example.com"),
		set("Certificate", "balancer-certificate", "subjectAlternativeNames", []any{"*.www.example.com"})), "balancer-alias",
		"CertificateNameMismatch", "*.www.example.com"},
	{"no record for the name of the certificate", "Route 53 guide, Routing traffic to an ELB load balancer",
		gone("Record", "balancer-alias"), "balancer-https", "NXDOMAIN", "zone example.com has no such record"},
	{"an alias of type AAAA to a load balancer without IPv6", "Route 53 guide, Values specific for simple alias records",
		set("Record", "balancer-alias", "type", "AAAA"), "balancer-alias", "NODATA", "has the address type ipv4"},
	{"a redirect to HTTP on the port of HTTPS", "ELB API Reference, RedirectActionConfig", redirect("HTTP", "443"), "balancer-http",
		"RedirectFails", "speaks HTTPS"},
	{"a redirect to itself", "ELB API Reference, RedirectActionConfig", redirect("HTTP", "80"), "balancer-http", "RedirectFails",
		"ERR_TOO_MANY_REDIRECTS"},
	{"a redirect to a port without a listener", "ELB API Reference, RedirectActionConfig", redirect("HTTPS", "8443"), "balancer-http",
		"RedirectFails", "has no listener on port 8443"},
	{"a web ACL that blocks by default", "AWS WAF Developer Guide, default action",
		set("WebAcl", "waf", "defaultAction", change{"block": change{}}), "waf", "403", "none of its rules allows a request"},
	{"tasks in a zone that the load balancer does not have", "ELB API Reference, TargetHealth",
		func(t *testing.T, a *cloud.Account) {
			t.Helper()
			subnets := []any{named(t, a, "Subnet", "network-public-a").ID, named(t, a, "Subnet", "network-public-b").ID}
			set("LoadBalancer", "balancer", "subnets", subnets)(t, a)
			set("LoadBalancer", "balancer", "subnetMappings", nil)(t, a)
		}, "web", "Target.NotInUse", "tasks may start in us-east-1d"},
	{"health checks speak another protocol to the same port", "Application Load Balancers guide, Health checks",
		within("TargetGroup", "balancer-targets", "healthCheck", change{"protocol": "HTTPS"}), "balancer-targets",
		"Target.FailedHealthChecks", "requests speak HTTP and health checks HTTPS"},
	{"HTTP/2 to an nginx that is not set up for it", "Application Load Balancers guide, protocol version",
		set("TargetGroup", "balancer-targets", "protocolVersion", "HTTP2"), "web", "HTTPCode_ELB_502_Count", "sends HTTP2"},
	{"gRPC to an nginx that is not set up for it", "Application Load Balancers guide, protocol version",
		set("TargetGroup", "balancer-targets", "protocolVersion", "GRPC"), "web", "HTTPCode_ELB_502_Count", "sends GRPC"},
	{"a container behind the load balancer that is not essential", "aws/amazon-ecs-cli#62",
		put("web-task", "nginx", "essential", false), "web",
		"Target.FailedHealthChecks", "container nginx, which is not essential"},
	{"the agent's own variable", "ECS Developer Guide, Amazon ECS task IAM role",
		variable("web-task", "django", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/x"), "web", "ReservedVariable",
		"by which the agent gives it its role"},
	{"the agent's own variable for metadata", "ECS Developer Guide, task metadata endpoint",
		variable("web-task", "django", "ECS_CONTAINER_METADATA_URI_V4", "http://x"), "web", "ReservedVariable", "ECS_CONTAINER_METADATA_URI_V4"},
	{"access keys take the place of the task role", "aws/amazon-ecs-agent#2412",
		variable("web-task", "django", "AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
		"web", "ReservedVariable", "which SDKs prefer to the credentials of slipway-prod-site-task"},
	{"a limit that Fargate does not set", "ECS API Reference, Ulimit", put("web-task", "django", "ulimits",
		[]any{change{"name": "memlock", "softLimit": -1, "hardLimit": -1}}), "web", "IgnoredLimit", "the ulimit memlock"},
	{"more open files than Fargate admits", "reown-com/blockchain-api#1183", put("web-task", "django", "ulimits",
		[]any{change{"name": "nofile", "softLimit": 2000000, "hardLimit": 2000000}}), "web", "CannotStartContainerError", "admits 1048576"},
	{"a service whose command ends", "ECS API Reference, ContainerDefinition", put("web-task", "django", "command",
		[]any{"python", "manage.py", "migrate"}), "web", "EssentialContainerExited", "python manage.py migrate"},
	{"no temporary folder", "Python's manual, tempfile.gettempdir", unmounted("web-task", "django", "/tmp"), "web", "FileNotFoundError",
		"no volume is at /tmp"},
	{"images that expire by their age", "ECR User Guide, Lifecycle policy properties", replaced("LifecyclePolicy", "images-django", "policy",
		`"countNumber":100,"countType":"imageCountMoreThan"`, `"countNumber":1,"countUnit":"days","countType":"sinceImagePushed"`), "web",
		"CannotPullContainerError", "expires every image 1 days after its push"},
	{"a health check that always fails", "ECS API Reference, HealthCheck", put("web-task", "nginx", "healthCheck",
		change{"command": []any{"CMD-SHELL", "exit 1"}}), "web", "ContainerHealthCheck", "never ends with 0"},
	{"a buffer of logs whose size cannot be read", "ECS API Reference, LogConfiguration", replaced("TaskDefinition", "web-task",
		"containerDefinitions", `"max-buffer-size":"25m"`, `"max-buffer-size":"25 megabytes"`), "web", "CannotStartContainerError",
		"25 megabytes"},
	{"a database with a public address that nothing uses", "ScaleSec/terraform_aws_scp#59",
		set("Instance", "database", "publiclyAccessible", true), "database", "PubliclyAccessible", "nothing uses it"},
	{"shared_buffers larger than the machine", "RDS User Guide, incompatible parameters status", set("ParameterGroup", "database-parameters",
		"parameters", []any{change{"name": "shared_buffers", "value": "80000000", "applyMethod": "pending-reboot"}}), "database",
		"incompatible-parameters", "610 GiB"},
	{"the port of another database", "RDS User Guide, Connecting to a DB instance", variable("web-task", "django", "DB_PORT", "3306"),
		"web", "OperationalError",
		"the database listens on port 5432"},
	{"a database that RDS did not create", "RDS User Guide, Connecting to a DB instance",
		variable("web-task", "django", "DB_DATABASE", "other"), "web",
		"OperationalError", "RDS creates the database site"},
	{"no TLS to a database that demands it", "RDS User Guide, Using SSL with a PostgreSQL DB instance",
		variable("web-task", "django", "DB_SSLMODE", "disable"), "web",
		"OperationalError", "rds.force_ssl is 1"},
	{"a bucket of the stack's that is not there", "ECS Developer Guide, Amazon ECS task IAM role",
		variable("web-task", "django", "UPLOADS_BUCKET", "slipway-prod-uploads"), "web",
		"AccessDenied", "which is no bucket of this account"},
	{"an alarm on a metric that is spelt otherwise", "CloudWatch guide, missing data", set("MetricAlarm", "alarm-latency", "metricName",
		"TargetResponsetime"), "alarm-latency", "INSUFFICIENT_DATA", "no metric TargetResponsetime"},
	{"an alarm on a load balancer that does not exist", "CloudWatch guide, missing data", within("MetricAlarm", "alarm-latency", "dimensions",
		change{"LoadBalancer": "app/other/1"}), "alarm-latency", "INSUFFICIENT_DATA", "the account has no such load balancer"},
	{"a machine without instance metadata", "Systems Manager User Guide, Troubleshooting SSM Agent", within("Instance", "bastion",
		"metadataOptions", change{"httpEndpoint": "disabled"}), "bastion", "TargetNotConnected", "its instance metadata is disabled"},
	{"a schedule with another launch type than its task", "ECS API Reference, RunTask", replacedIn("Schedule", "job-clean-up", "target",
		"ecsParameters", change{"launchType": "EC2"}), "job-clean-up", "InvalidParameterException", "requiresCompatibilities FARGATE"},
	{"a target of more than 100 percent", "Application Auto Scaling guide, Target tracking scaling policies", within("Policy",
		"web-scaling-cpu", "targetTrackingScalingPolicyConfiguration", change{"targetValue": 200.0}), "web-scaling-cpu", "NeverScales",
		"its target is 200"},
	{"a deployment controller by which ECS deploys nothing", "ECS API Reference, UpdateService", set("Service", "web", "deploymentController",
		change{"type": "CODE_DEPLOY"}), "web", "InvalidParameterException", "a later release cannot be deployed"},
}

// redirect replaces the redirect of the listener for HTTP.
func redirect(protocol, port string) plant {
	return set("Listener", "balancer-http", "defaultActions", []any{change{"type": "redirect", "redirect": change{"protocol": protocol,
		"port": port, "statusCode": "HTTP_301", "host": "#{host}", "path": "/#{path}", "query": "#{query}"}}})
}

// replacedIn replaces part of an object in a property that is one.
func replacedIn(kind, name, property, inner string, values change) plant {
	return func(t *testing.T, a *cloud.Account) {
		t.Helper()
		outer, _ := named(t, a, kind, name).Outputs[property].(map[string]any)
		old, _ := outer[inner].(map[string]any)
		changed := change{}
		for k, v := range old {
			changed[k] = v
		}
		for k, v := range values {
			changed[k] = v
		}
		within(kind, name, property, change{inner: changed})(t, a)
	}
}

// zoned opens a copy of a deployed model with the DNS zone of its site.
func zoned(t *testing.T, dir string) *cloud.Account {
	t.Helper()
	copied := t.TempDir()
	must(t, os.CopyFS(copied, os.DirFS(dir)))
	a, err := cloud.Open(modelaccount.File(copied), cloud.Options{Zones: []cloud.HostedZone{{Name: "example.com"}}})
	must(t, err)
	t.Cleanup(func() { a.Close() })
	return a
}

func TestSettingsThatDoNotWork(t *testing.T) {
	dir := deployed(t, "prod", nil)
	if found := zoned(t, dir).FindingsOf(cloud.Settings); len(found) > 0 {
		t.Fatalf("the program itself:\n%s", list(found))
	}
	for _, c := range unfitSettings {
		t.Run(c.failure, func(t *testing.T) {
			a := zoned(t, dir)
			c.plant(t, a)
			found := a.FindingsOf(cloud.Settings)
			if !slices.ContainsFunc(found, func(f cloud.Finding) bool {
				return strings.HasSuffix(f.Resource, "::"+c.resource) && f.Code == c.code && f.Fix != "" && f.Source != "" &&
					strings.Contains(f.Message+"\n"+strings.Join(f.Chain, "\n"), c.says)
			}) {
				t.Errorf("%s: no finding %s on %s says %q:\n%s", c.source, c.code, c.resource, c.says, list(found))
			}
		})
	}
}

// TestLogRoutesThatDoNotWork: the outputs of the log router of stack staging.
func TestLogRoutesThatDoNotWork(t *testing.T) {
	dir := deployed(t, "staging", nil)
	for _, c := range []struct{ old, now, says string }{
		{`"Name":"kinesis_firehose"`, `"Name":"kinesis_firehos"`, "Output plugin 'kinesis_firehos' cannot be loaded"},
		{`"region":"us-east-1"`, `"region":"eu-west-1"`, "not found"},
		{`"time_key":"time",`, ``, "archived without their time"},
		{`"time_key":"time",`, `"time_key":"time","log_key":"log",`, "archived without their time"},
	} {
		a := zoned(t, dir)
		replaced("TaskDefinition", "web-task", "containerDefinitions", c.old, c.now)(t, a)
		if found := a.FindingsOf(cloud.Settings); !slices.ContainsFunc(found, func(f cloud.Finding) bool {
			return strings.HasSuffix(f.Resource, "::web") && strings.Contains(f.Message, c.says)
		}) {
			t.Errorf("%s: no finding says %q:\n%s", c.now, c.says, list(found))
		}
	}
}

// TestSettingsThatWork: no false alarm.
func TestSettingsThatWork(t *testing.T) {
	dir := deployed(t, "prod", nil)
	for _, c := range []struct {
		what  string
		plant plant
	}{
		{"an internal load balancer of a private network", both(both(set("LoadBalancer", "balancer", "internal", true),
			gone("Record", "balancer-alias")), both(within("TargetGroup", "balancer-targets", "healthCheck", change{}),
			both(gone("SecurityGroupIngressRule", "network-world-to-edge-80-in", "network-world-to-edge-443-in"),
				gone("Listener", "balancer-https"))))},
		{"a wildcard certificate", set("Certificate", "balancer-certificate", "subjectAlternativeNames", []any{"*.example.com",
			"www.example.com"})},
		{"a redirect to another host", set("Listener", "balancer-http", "defaultActions", []any{change{"type": "redirect",
			"redirect": change{"protocol": "HTTPS", "port": "443", "host": "example.org", "statusCode": "HTTP_301"}}})},
		{"the limit of open files", put("web-task", "django", "ulimits", []any{change{"name": "nofile", "softLimit": 4096, "hardLimit": 8192}})},
		{"a metric that the model does not know", set("MetricAlarm", "alarm-latency", "metricName", "SomethingElse")},
		{"a target of 100 percent", within("Policy", "web-scaling-cpu", "targetTrackingScalingPolicyConfiguration",
			change{"targetValue": 100.0})},
		{"empty access keys, which are none to an SDK", in("web-task", "django", func(c map[string]any) {
			c["environment"] = append(c["environment"].([]any), map[string]any{"name": "AWS_ACCESS_KEY_ID", "value": ""},
				map[string]any{"name": "AWS_SECRET_ACCESS_KEY", "value": ""})
		})},
		{"a variable that only sounds like one of a database", variable("web-task", "django", "REPORTS_DB_NAMES", "a,b")},
		{"a check that may succeed", put("web-task", "nginx", "healthCheck", change{"command": []any{"CMD-SHELL", "test -f /tmp/x || exit 1"}})},
	} {
		a := zoned(t, dir)
		c.plant(t, a)
		if found := a.FindingsOf(cloud.Settings); len(found) > 0 && !strings.HasPrefix(c.what, "an internal") ||
			slices.ContainsFunc(found, func(f cloud.Finding) bool { return strings.HasSuffix(f.Resource, "::balancer") }) {
			t.Errorf("%s: a false alarm:\n%s", c.what, list(found))
		}
	}
}

// TestCertificatesThatAreNotIssued: a CAA record that names other authorities, and a listener that does not wait for ACM.
func TestCertificatesThatAreNotIssued(t *testing.T) {
	dir := deployed(t, "prod", nil)
	again := func(t *testing.T, a *cloud.Account) string {
		t.Helper()
		listener := named(t, a, "Listener", "balancer-https")
		gone("Listener", "balancer-https")(t, a)
		return created(a, listener, nil)
	}
	if text := again(t, zoned(t, dir)); text != "" {
		t.Errorf("the program itself: %s", text)
	}
	a := zoned(t, dir)
	gone("CertificateValidation", "balancer-issued")(t, a)
	if text := again(t, a); !strings.Contains(text, "UnsupportedCertificate") || !strings.Contains(text, "wait for") {
		t.Errorf("https://github.com/govuk-paas/paas-cf/pull/3063: AWS says %q", text)
	}
	for records, says := range map[string]string{`0 issue "letsencrypt.org"`: "CAA_ERROR", `0 issue "amazon.com"`: "",
		`0 issue "amazontrust.com; policy=x"`: "", `0 iodef "mailto:security@example.com"`: "", `0 issuewild "letsencrypt.org"`: "",
		`0 issue ";"`: "CAA_ERROR"} {
		a := zoned(t, dir)
		zone, _ := named(t, a, "Record", "balancer-alias").Outputs["zoneId"].(string)
		_, _, err := a.Create(cloud.Change{Type: "aws:route53/record:Record", URN: "urn:pulumi:prod::slipway::aws:route53/record:Record::caa",
			Inputs: map[string]any{"zoneId": zone, "name": "example.com", "type": "CAA", "ttl": 300, "records": []any{records}}})
		must(t, err)
		text := created(a, named(t, a, "CertificateValidation", "balancer-issued"), nil)
		if (says == "") != (text == "") || !strings.Contains(text, says) {
			t.Errorf("ACM User Guide, Configure a CAA record: with %s ACM says %q", records, text)
		}
	}
}

// TestAnArchiveOfAnInfrequentGroup (CloudWatch Logs guide, Log classes).
func TestAnArchiveOfAnInfrequentGroup(t *testing.T) {
	a := zoned(t, deployed(t, "prod", nil))
	set("LogGroup", "logs-django", "logGroupClass", "INFREQUENT_ACCESS")(t, a)
	text := refused(t, a, named(t, a, "LogSubscriptionFilter", "logs-django-archive"), change{"filterPattern": "x"})
	if !strings.Contains(text, "Subscription filters are not supported") {
		t.Errorf("AWS says %q", text)
	}
}

// TestImagesOfAnotherRegion: the execution role may pull from the repositories of its own region only (ECS Developer Guide, "Amazon
// ECS task execution IAM role").
func TestImagesOfAnotherRegion(t *testing.T) {
	a := zoned(t, deployed(t, "prod", nil))
	replaced("TaskDefinition", "web-task", "containerDefinitions", "dkr.ecr.us-east-1.amazonaws.com/slipway-prod/django",
		"dkr.ecr.eu-west-1.amazonaws.com/slipway-prod/django")(t, a)
	if found := a.FindingsOf(cloud.Permissions); !slices.ContainsFunc(found, func(f cloud.Finding) bool {
		return strings.HasSuffix(f.Resource, "::web") && strings.Contains(strings.Join(f.Chain, " "), "ecr:BatchGetImage")
	}) {
		t.Errorf("an image of another region is not refused:\n%s", list(found))
	}
}
