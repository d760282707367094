package site

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"slipway/internal/graph"
	"slipway/internal/policy"
)

// An offender is a resource that breaks a rule.
type offender struct{ Type, Name, Why string }

// A rule returns the offenders in the graph of one stack. A stack without any resource to check fails too.
type rule func(g graph.Graph) []offender

// A control is a row of docs/security.md that is met: on all stacks, or on those that are named.
type control struct {
	ids   string // as in the document
	title string
	on    []string
	rule  rule
}

var (
	published = []string{"staging", "prod"} // the stacks with a domain, a worker, a job, a deploy role and a read role
	protected = []string{"prod"}
)

var controls = slices.Concat(networkControls, edgeControls, databaseControls, taskControls, imageControls, dataControls, bastionControls,
	identityControls)

func TestControls(t *testing.T) {
	for _, stack := range stacks {
		g := declared(t, stack, nil)
		for _, c := range controls {
			if c.on != nil && !slices.Contains(c.on, stack) {
				continue
			}
			for _, o := range c.rule(g) {
				t.Errorf("%s: %s (%s): %s %s: %s", stack, c.ids, c.title, o.Type, o.Name, o.Why)
			}
		}
	}
}

// A rule that cannot fail is no rule: each must fail for a stack that declares nothing, and for some one
// input of prod changed or gone.
func TestEveryRuleCanFail(t *testing.T) {
	g := declared(t, "prod", nil)
	type input struct{ token, name string }
	var inputs []input
	for _, r := range g {
		for _, name := range slices.Sorted(maps.Keys(r.Inputs)) {
			if i := (input{r.Type, name}); r.Custom() && !slices.Contains(inputs, i) {
				inputs = append(inputs, i)
			}
		}
	}
	for _, c := range controls {
		if len(c.rule(nil)) == 0 {
			t.Errorf("%s: finds no fault with nothing", c.ids)
		}
		if !slices.ContainsFunc(inputs, func(i input) bool {
			return len(c.rule(upset(g, i.token, i.name, turned))) > 0 || len(c.rule(upset(g, i.token, i.name, gone))) > 0
		}) {
			t.Errorf("%s: passes whatever input changes", c.ids)
		}
	}
}

// upset is the graph with one input of all resources of a type changed.
func upset(g graph.Graph, token, name string, change func(any) any) graph.Graph {
	g = slices.Clone(g)
	for i, r := range g {
		if r.Type == token && r.Inputs[name] != nil {
			g[i].Inputs = maps.Clone(r.Inputs)
			g[i].Inputs[name] = change(r.Inputs[name])
		}
	}
	return g
}

func gone(any) any { return nil }

func turned(value any) any {
	switch v := value.(type) {
	case bool:
		return !v
	case float64:
		return 0.0
	case string:
		return "*"
	}
	return nil
}

// each checks every resource of a type; wrong returns what is wrong with one, or "".
func each(token string, wrong func(g graph.Graph, r graph.Resource) string) rule {
	return func(g graph.Graph) []offender {
		if len(g.Of(token)) == 0 {
			return []offender{{token, "", "there is none"}}
		}
		var found []offender
		for _, r := range g.Of(token) {
			if why := wrong(g, r); why != "" {
				found = append(found, offender{r.Type, r.Name, why})
			}
		}
		return found
	}
}

// is requires inputs of a resource to have the given values.
func is(r graph.Resource, want map[string]any) string {
	for _, path := range slices.Sorted(maps.Keys(want)) {
		if got := r.Input(path); got != want[path] {
			return fmt.Sprintf("%s is %v, want %v", path, got, want[path])
		}
	}
	return ""
}

// has is a rule of is alone.
func has(token string, want map[string]any) rule {
	return each(token, func(_ graph.Graph, r graph.Resource) string { return is(r, want) })
}

func given(token string, paths ...string) rule {
	return each(token, func(_ graph.Graph, r graph.Resource) string {
		for _, path := range paths {
			if r.Input(path) == nil {
				return "no " + path
			}
		}
		return ""
	})
}

func allOf(rules ...rule) rule {
	return func(g graph.Graph) []offender {
		var found []offender
		for _, r := range rules {
			found = append(found, r(g)...)
		}
		return found
	}
}

func absent(token string) rule {
	return func(g graph.Graph) []offender {
		var found []offender
		for _, r := range g.Of(token) {
			found = append(found, offender{r.Type, r.Name, "is not wanted"})
		}
		return found
	}
}

func atLeast(token, path string, least float64) rule {
	return each(token, func(_ graph.Graph, r graph.Resource) string {
		if got, _ := r.Input(path).(float64); got < least {
			return fmt.Sprintf("%s is %v, want at least %v", path, r.Input(path), least)
		}
		return ""
	})
}

const (
	vpcType        = "aws:ec2/vpc:Vpc"
	groupType      = "aws:ec2/securityGroup:SecurityGroup"
	ingressType    = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
	egressType     = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
	balancerType   = "aws:lb/loadBalancer:LoadBalancer"
	listenerType   = "aws:lb/listener:Listener"
	webACLType     = "aws:wafv2/webAcl:WebAcl"
	databaseType   = "aws:rds/instance:Instance"
	serviceType    = "aws:ecs/service:Service"
	scheduleType   = "aws:scheduler/schedule:Schedule"
	taskType       = "aws:ecs/taskDefinition:TaskDefinition"
	clusterType    = "aws:ecs/cluster:Cluster"
	repositoryType = "aws:ecr/repository:Repository"
	bucketType     = "aws:s3/bucketV2:BucketV2"
	keyType        = "aws:kms/key:Key"
	logGroupType   = "aws:cloudwatch/logGroup:LogGroup"
	instanceType   = "aws:ec2/instance:Instance"
	parameterType  = "aws:ssm/parameter:Parameter"
	documentType   = "aws:ssm/document:Document"
	roleType       = "aws:iam/role:Role"
)

const world = "0.0.0.0/0"

// The way to the network.

var networkControls = []control{
	{"EC2.2, CIS 5.4, CKV2_AWS_12, T0173", "the default security group has no rules", nil,
		each(vpcType, func(g graph.Graph, r graph.Resource) string {
			for _, d := range g.Of("aws:ec2/defaultSecurityGroup:DefaultSecurityGroup") {
				if d.Input("vpcId") == r.Name+"-id" && d.Input("ingress") == nil && d.Input("egress") == nil {
					return ""
				}
			}
			return "its default security group is open"
		})},
	{"EC2.6, CIS 3.7, CKV2_AWS_11, T0178", "flow logs of all traffic", nil, each(vpcType, func(g graph.Graph, r graph.Resource) string {
		for _, l := range g.Of("aws:ec2/flowLog:FlowLog") {
			if l.Input("vpcId") == r.Name+"-id" && l.Input("trafficType") == "ALL" {
				return ""
			}
		}
		return "no flow log"
	})},
	{"EC2.13, EC2.14, EC2.19, EC2.53, EC2.54, CIS 5.2, CIS 5.3, CKV_AWS_24, CKV_AWS_25, CKV_AWS_277, T0107",
		"only the edge is open to the world", nil, each(ingressType, func(_ graph.Graph, r graph.Resource) string {
			if group := fmt.Sprint(r.Input("securityGroupId")); opensToWorld(r) && group != "network-edge-id" {
				return "lets the world into " + group
			}
			if group := fmt.Sprint(r.Input("securityGroupId")); group == "network-bastion-id" {
				return "opens the bastion, which Session Manager reaches without ingress"
			}
			return ""
		})},
	{"EC2.18", "the world comes in at ports 80 and 443 only", nil, each(ingressType, func(_ graph.Graph, r graph.Resource) string {
		if p := r.Input("fromPort"); opensToWorld(r) && (p != r.Input("toPort") || p != 80.0 && p != 443.0) {
			return fmt.Sprintf("lets the world in at port %v to %v", p, r.Input("toPort"))
		}
		return ""
	})},
	{"CKV_AWS_382", "nothing is let out at every port", nil, each(egressType, func(_ graph.Graph, r graph.Resource) string {
		if p := r.Input("fromPort"); p == nil || p != r.Input("toPort") || opensToWorld(r) && p != 443.0 {
			return fmt.Sprintf("lets out at port %v to %v", p, r.Input("toPort"))
		}
		return ""
	})},
	{"CKV_AWS_23, T0124, T0099", "groups and rules say what they are for", nil,
		allOf(given(groupType, "description"), given(ingressType, "description"), given(egressType, "description"))},
	{"EC2.15, CKV_AWS_130, T0164", "subnets assign no public address", nil,
		has("aws:ec2/subnet:Subnet", map[string]any{"mapPublicIpOnLaunch": false})},
	{"EC2.12, CKV2_AWS_19", "every public address is in use", nil, each("aws:ec2/eip:Eip", func(g graph.Graph, r graph.Resource) string {
		for _, n := range g.Of("aws:ec2/natGateway:NatGateway") {
			if n.Input("allocationId") == r.Name+"-id" {
				return ""
			}
		}
		return "no NAT gateway uses it"
	})},
	{"CKV2_AWS_5", "every security group is in use", published, each(groupType, func(g graph.Graph, r graph.Resource) string {
		for _, user := range g {
			if user.Type != ingressType && user.Type != egressType && user.Custom() &&
				strings.Contains(fmt.Sprint(user.Inputs), r.Name+"-id") {
				return ""
			}
		}
		return "nothing is in it"
	})},
}

func opensToWorld(r graph.Resource) bool {
	return r.Input("cidrIpv4") == world || r.Input("cidrIpv6") != nil
}

// The edge: balancer, TLS, names.

var edgeControls = []control{
	{"ELB.1, CKV2_AWS_20, CKV_AWS_2, T0054, alb-http-to-https-redirection", "HTTP redirects to HTTPS", published,
		each(listenerType, func(_ graph.Graph, r graph.Resource) string {
			if r.Input("protocol") == "HTTPS" {
				return ""
			}
			actions, _ := r.Input("defaultActions").([]any)
			for _, a := range actions {
				action := graph.Resource{Inputs: a.(map[string]any)}
				if why := is(action, map[string]any{"type": "redirect", "redirect.protocol": "HTTPS", "redirect.port": "443",
					"redirect.statusCode": "HTTP_301"}); why != "" {
					return why
				}
			}
			if len(actions) != 1 {
				return fmt.Sprintf("%d actions, want one", len(actions))
			}
			return ""
		})},
	{"ELB.17, CKV_AWS_103, CKV2_AWS_74, T0047", "TLS 1.2 and 1.3 only", published, func(g graph.Graph) []offender {
		for _, r := range g.Of(listenerType) {
			if r.Input("protocol") != "HTTPS" {
				continue
			}
			if why := is(r, map[string]any{"sslPolicy": "ELBSecurityPolicy-TLS13-1-2-2021-06"}); why != "" {
				return []offender{{r.Type, r.Name, why}}
			}
			return nil
		}
		return []offender{{listenerType, "", "none speaks HTTPS"}}
	}},
	{"ELB.4, CKV_AWS_131, T0052", "invalid headers are dropped", nil, has(balancerType, map[string]any{"dropInvalidHeaderFields": true})},
	{"ELB.5, CKV_AWS_91", "access logs, in a bucket that the balancer can write to", nil,
		each(balancerType, func(g graph.Graph, r graph.Resource) string {
			bucket := strings.TrimSuffix(fmt.Sprint(r.Input("accessLogs.bucket")), "-bucket")
			if algorithm := encryption(g, graph.Resource{Name: bucket}).Input("sseAlgorithm"); algorithm != "AES256" {
				return fmt.Sprintf("its log bucket is encrypted with %v; access logs need AES256", algorithm)
			}
			return is(r, map[string]any{"accessLogs.enabled": true})
		})},
	{"ELB.6, CKV_AWS_150", "deletion protection of the balancer", protected,
		has(balancerType, map[string]any{"enableDeletionProtection": true})},
	{"ELB.12, CKV_AWS_328", "desync mitigation", nil, has(balancerType, map[string]any{"desyncMitigationMode": "defensive"})},
	{"ELB.13", "the balancer is in two zones or more", nil, each(balancerType, func(g graph.Graph, r graph.Resource) string {
		zones := map[any]bool{}
		subnets, _ := r.Input("subnets").([]any)
		for _, s := range subnets {
			zones[g.Named("aws:ec2/subnet:Subnet", strings.TrimSuffix(fmt.Sprint(s), "-id")).Input("availabilityZone")] = true
		}
		if len(zones) < 2 || zones[nil] {
			return fmt.Sprintf("its zones are %v", zones)
		}
		return ""
	})},
	{"CKV_AWS_261", "a health check is defined", nil, given("aws:lb/targetGroup:TargetGroup", "healthCheck.path", "healthCheck.matcher")},
	{"ELB.16, CKV2_AWS_28", "the balancer has a web ACL", protected, each(balancerType, func(g graph.Graph, r graph.Resource) string {
		for _, guard := range g.Of("aws:wafv2/webAclAssociation:WebAclAssociation") {
			if guard.Input("resourceArn") == "arn:aws:lb:us-east-1:"+graph.Account+":loadBalancer/"+r.Name {
				return is(guard, map[string]any{"webAclArn": "arn:aws:wafv2:us-east-1:" + graph.Account + ":webAcl/waf"})
			}
		}
		return "it has none"
	})},
	{"WAF.10, WAF.11, WAF.12, CKV2_AWS_31, CKV2_AWS_76, CKV_AWS_175, CKV_AWS_192",
		"the web ACL has rules, metrics, and a log without credentials; Log4j is blocked", protected, allOf(
			each(webACLType, func(g graph.Graph, r graph.Resource) string {
				rules, _ := r.Input("rules").([]any)
				blocked := false
				for _, one := range rules {
					rule := graph.Resource{Inputs: one.(map[string]any)}
					if why := is(rule, map[string]any{"visibilityConfig.cloudwatchMetricsEnabled": true}); why != "" {
						return fmt.Sprintf("rule %v: %s", rule.Input("name"), why)
					}
					if rule.Input("statement.managedRuleGroupStatement.name") == "AWSManagedRulesKnownBadInputsRuleSet" {
						blocked = rule.Input("overrideAction.none") != nil &&
							rule.Input("statement.managedRuleGroupStatement.ruleActionOverrides") == nil
					}
				}
				if !blocked {
					return "nothing blocks known bad inputs"
				}
				return is(r, map[string]any{"visibilityConfig.cloudwatchMetricsEnabled": true})
			}),
			each("aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration", func(_ graph.Graph, r graph.Resource) string {
				for _, header := range []string{"authorization", "cookie"} {
					if !strings.Contains(fmt.Sprint(r.Input("redactedFields")), "name:"+header) {
						return "logs the header " + header
					}
				}
				if logs := fmt.Sprint(r.Input("logDestinationConfigs")); !strings.Contains(logs, "logs-waf") {
					return "logs to " + logs
				}
				return ""
			}))},
	{"ACM.1, ACM.2, CKV_AWS_233, CKV_AWS_234, CKV2_AWS_71", "a certificate of one name that renews itself", published,
		each("aws:acm/certificate:Certificate", func(_ graph.Graph, r graph.Resource) string {
			if strings.Contains(fmt.Sprint(r.Inputs), "*") {
				return "is for a wildcard"
			}
			if algorithm := r.Input("keyAlgorithm"); algorithm != nil && algorithm != "RSA_2048" {
				return fmt.Sprintf("its key is %v", algorithm)
			}
			return is(r, map[string]any{"validationMethod": "DNS", "options.certificateTransparencyLoggingPreference": nil})
		})},
}

// The database.

var databaseControls = []control{
	{"RDS.3, CIS 2.3.1, CKV_AWS_16, T0080", "storage is encrypted with the site's key", nil,
		allOf(has(databaseType, map[string]any{"storageEncrypted": true}), given(databaseType, "kmsKeyId"))},
	{"RDS.2, RDS.46, CIS 2.3.3, CKV_AWS_17, T0180", "the database cannot be reached from the internet, nor reach it", nil, allOf(
		has(databaseType, map[string]any{"publiclyAccessible": false}),
		each("aws:rds/subnetGroup:SubnetGroup", func(g graph.Graph, r graph.Resource) string {
			subnets, _ := r.Input("subnetIds").([]any)
			for _, a := range g.Of("aws:ec2/routeTableAssociation:RouteTableAssociation") {
				if !slices.Contains(subnets, a.Input("subnetId")) {
					continue
				}
				subnets = slices.DeleteFunc(slices.Clone(subnets), func(s any) bool { return s == a.Input("subnetId") })
				for _, route := range g.Of("aws:ec2/route:Route") {
					if route.Input("routeTableId") == a.Input("routeTableId") {
						return fmt.Sprintf("%v has the route %s", a.Input("subnetId"), route.Name)
					}
				}
			}
			if len(subnets) > 0 {
				return fmt.Sprintf("%v follow the main route table", subnets)
			}
			return ""
		}))},
	{"RDS.13, CIS 2.3.2, CKV_AWS_226", "minor versions are taken", nil, has(databaseType, map[string]any{"autoMinorVersionUpgrade": true})},
	{"RDS.5, CKV_AWS_157", "a standby in another zone", protected, has(databaseType, map[string]any{"multiAz": true})},
	{"RDS.8, CKV_AWS_293, T0177", "the database cannot be deleted by mistake", protected, allOf(
		has(databaseType, map[string]any{"deletionProtection": true, "skipFinalSnapshot": false, "deleteAutomatedBackups": false}),
		each(databaseType, func(_ graph.Graph, r graph.Resource) string {
			if !r.Protect {
				return "Pulumi does not protect it"
			}
			return ""
		}))},
	{"RDS.11, CKV_AWS_133, T0077", "backups of seven days or more", []string{"local", "staging", "prod"},
		atLeast(databaseType, "backupRetentionPeriod", 7)},
	{"RDS.10, CKV_AWS_161, T0176", "IAM authentication", nil, has(databaseType, map[string]any{"iamDatabaseAuthenticationEnabled": true})},
	{"RDS.6, CKV_AWS_118", "enhanced monitoring", nil,
		allOf(atLeast(databaseType, "monitoringInterval", 1), given(databaseType, "monitoringRoleArn"))},
	{"RDS.9, RDS.36, CKV_AWS_129", "logs are exported", nil, each(databaseType, func(_ graph.Graph, r graph.Resource) string {
		exports := fmt.Sprint(r.Input("enabledCloudwatchLogsExports"))
		if exports != "[postgresql upgrade]" {
			return "exports " + exports
		}
		return ""
	})},
	{"RDS.17, CKV2_AWS_60", "snapshots have the tags", nil, has(databaseType, map[string]any{"copyTagsToSnapshot": true})},
	{"RDS.38, CKV2_AWS_69", "TLS all the way to a database that proves who it is", nil, allOf(
		each("aws:rds/parameterGroup:ParameterGroup", func(_ graph.Graph, r graph.Resource) string {
			parameters, _ := r.Input("parameters").([]any)
			for _, p := range parameters {
				if is(graph.Resource{Inputs: p.(map[string]any)}, map[string]any{"name": "rds.force_ssl", "value": "1"}) == "" {
					return ""
				}
			}
			return "rds.force_ssl is not 1"
		}),
		eachContainer(func(_ graph.Resource, c container) string {
			if mode, set := c.env()["PGSSLMODE"]; c.env()["SLIPWAY_DB_HOST"] != "" && (!set || mode != "verify-full") {
				return "connects to the database with sslmode " + mode
			}
			return ""
		}))},
	{"CKV_AWS_353, CKV_AWS_354, T0133, T0078", "Performance Insights, encrypted", nil,
		allOf(has(databaseType, map[string]any{"performanceInsightsEnabled": true}), given(databaseType, "performanceInsightsKmsKeyId"))},
	{"CKV_AWS_211, certificate_expiration", "a certificate authority that does not expire soon", nil,
		has(databaseType, map[string]any{"caCertIdentifier": "rds-ca-rsa2048-g1"})},
	{"RDS.25", "the owner has a name of its own", nil, each(databaseType, func(_ graph.Graph, r graph.Resource) string {
		if name := r.Input("username"); name == nil || name == "postgres" || name == "admin" {
			return fmt.Sprintf("is owned by %v", name)
		}
		return ""
	})},
}

// Tasks.

type container struct {
	Name, Image, User                  string
	ReadonlyRootFilesystem, Privileged bool
	Environment                        []struct{ Name, Value string }
	Secrets                            []struct{ Name, ValueFrom string }
	LogConfiguration                   *struct {
		LogDriver string
		Options   map[string]string
	}
}

// router reports whether the container is the log router, whose image is AWS's.
func (c container) router() bool { return c.Name == "log-router" }

func (c container) env() map[string]string {
	all := map[string]string{}
	for _, e := range c.Environment {
		all[e.Name] = e.Value
	}
	return all
}

func eachContainer(wrong func(task graph.Resource, c container) string) rule {
	return each(taskType, func(_ graph.Graph, r graph.Resource) string {
		text, ok := r.Input("containerDefinitions").(string)
		if !ok {
			return "the container definitions are secret, so they contain a secret value"
		}
		var containers []container
		if err := json.Unmarshal([]byte(text), &containers); err != nil {
			return err.Error()
		}
		for _, c := range containers {
			if why := wrong(r, c); why != "" {
				return c.Name + " " + why
			}
		}
		return ""
	})
}

var digest = regexp.MustCompile(`@sha256:[0-9a-f]{64}$`)

var taskControls = []control{
	{"ECS.1, ECS.3, ECS.17, CKV_AWS_335", "tasks have a network of their own, and no root but in the log router", nil, allOf(
		has(taskType, map[string]any{"networkMode": "awsvpc", "pidMode": nil}),
		eachContainer(func(_ graph.Resource, c container) string {
			if !c.router() && (c.User == "" || strings.HasPrefix(c.User, "0") || strings.HasPrefix(c.User, "root")) {
				return "runs as root"
			}
			return ""
		}))},
	{"ECS.2, ECS.16, CKV_AWS_333", "no task has a public address", nil, allOf(
		has(serviceType, map[string]any{"networkConfiguration.assignPublicIp": false}),
		func(g graph.Graph) []offender {
			if len(g.Of(scheduleType)) == 0 {
				return nil
			}
			return has(scheduleType, map[string]any{"target.ecsParameters.networkConfiguration.assignPublicIp": false})(g)
		})},
	{"ECS.4, CKV_AWS_334, ecs_task_definitions_no_privileged_containers", "no container is privileged", nil,
		eachContainer(func(_ graph.Resource, c container) string {
			if c.Privileged {
				return "is privileged"
			}
			return ""
		})},
	{"ECS.5, CKV_AWS_336", "root file systems are read-only but in the log router", nil,
		eachContainer(func(_ graph.Resource, c container) string {
			if !c.router() && !c.ReadonlyRootFilesystem {
				return "may write its root file system"
			}
			return ""
		})},
	{"ECS.8, T0036, no_environment_secrets", "secrets come by ARN", nil, eachContainer(func(_ graph.Resource, c container) string {
		for name, value := range c.env() {
			if strings.Contains(value, "generated-") {
				return "gets the secret " + name + " in plain text"
			}
		}
		for _, s := range c.Secrets {
			if !strings.HasPrefix(s.ValueFrom, "arn:aws:ssm:") {
				return "has the secret " + s.Name + " from " + s.ValueFrom
			}
		}
		return ""
	})},
	{"ECS.9, logging_enabled", "every container logs, and is not held up by its log", nil,
		eachContainer(func(_ graph.Resource, c container) string {
			switch l := c.LogConfiguration; {
			case l == nil:
				return "logs nowhere"
			case l.LogDriver == "awslogs" && l.Options["mode"] != "non-blocking":
				return "waits for its log"
			case l.LogDriver != "awslogs" && l.LogDriver != "awsfirelens":
				return "logs to " + l.LogDriver
			}
			return ""
		})},
	{"ECS.10, CKV_AWS_332", "the newest platform", nil, has(serviceType, map[string]any{"platformVersion": "LATEST"})},
	{"ECS.12, CKV_AWS_65, T0034", "Container Insights", nil, each(clusterType, func(_ graph.Graph, r graph.Resource) string {
		if settings := fmt.Sprint(r.Input("settings")); settings != "[map[name:containerInsights value:enabled]]" {
			return "its settings are " + settings
		}
		return ""
	})},
	{"CKV_AWS_223, CKV_AWS_224", "sessions of ECS Exec are encrypted and recorded", nil, allOf(
		has(clusterType, map[string]any{
			"configuration.executeCommandConfiguration.logging":                                      "OVERRIDE",
			"configuration.executeCommandConfiguration.logConfiguration.cloudWatchEncryptionEnabled": true,
			"configuration.executeCommandConfiguration.logConfiguration.s3BucketEncryptionEnabled":   true,
		}),
		given(clusterType, "configuration.executeCommandConfiguration.kmsKeyId"))},
	{"CKV_AWS_249", "the role that starts a task is not the task's", nil, each(taskType, func(_ graph.Graph, r graph.Resource) string {
		if r.Input("executionRoleArn") == nil || r.Input("taskRoleArn") == nil || r.Input("executionRoleArn") == r.Input("taskRoleArn") {
			return fmt.Sprintf("execution role %v, task role %v", r.Input("executionRoleArn"), r.Input("taskRoleArn"))
		}
		return ""
	})},
	{"CKV_AWS_297", "schedules are encrypted, retried, and reported when they fail", published, allOf(
		given(scheduleType, "kmsKeyArn", "target.deadLetterConfig.arn"),
		atLeast(scheduleType, "target.retryPolicy.maximumRetryAttempts", 1))},
}

// Images.

var imageControls = []control{
	{"ECR.1, CKV_AWS_163, T0030", "images are scanned on push", nil,
		has(repositoryType, map[string]any{"imageScanningConfiguration.scanOnPush": true})},
	{"ECR.2, CKV_AWS_51, T0031", "tags cannot be moved, and tasks run digests", nil, allOf(
		has(repositoryType, map[string]any{"imageTagMutability": "IMMUTABLE"}),
		eachContainer(func(_ graph.Resource, c container) string {
			if !c.router() && !digest.MatchString(c.Image) {
				return "runs " + c.Image + ", which is no digest"
			}
			return ""
		}))},
	{"ECR.3", "old images go", nil, each(repositoryType, func(g graph.Graph, r graph.Resource) string {
		for _, p := range g.Of("aws:ecr/lifecyclePolicy:LifecyclePolicy") {
			if p.Input("repository") == r.Input("name") {
				return ""
			}
		}
		return "has no lifecycle policy"
	})},
	{"ECR.4, ECR.5, CKV_AWS_136, CKV_AWS_32, T0033, T0032", "images are encrypted with the site's key and private", nil, allOf(
		each(repositoryType, func(_ graph.Graph, r graph.Resource) string {
			if text := fmt.Sprint(r.Input("encryptionConfigurations")); !strings.Contains(text, "KMS") ||
				!strings.Contains(text, "arn:aws:kms:") {
				return "is encrypted by " + text
			}
			return ""
		}),
		absent("aws:ecr/repositoryPolicy:RepositoryPolicy"))},
}

// Stores of data, and notifications about them.

// configOf returns the resource of a type that configures the bucket.
func configOf(g graph.Graph, token string, bucket graph.Resource) graph.Resource {
	for _, r := range g.Of(token) {
		if r.Input("bucket") == bucket.Name+"-bucket" {
			return r
		}
	}
	return graph.Resource{}
}

// encryption is a bucket's default encryption; its inputs are those of the one rule.
func encryption(g graph.Graph, bucket graph.Resource) graph.Resource {
	rules, _ := configOf(g, "aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2",
		bucket).Input("rules").([]any)
	if len(rules) != 1 {
		return graph.Resource{}
	}
	one := graph.Resource{Inputs: rules[0].(map[string]any)}
	inputs, _ := one.Input("applyServerSideEncryptionByDefault").(map[string]any)
	inputs = maps.Clone(inputs)
	if inputs != nil {
		inputs["bucketKeyEnabled"] = one.Input("bucketKeyEnabled")
	}
	return graph.Resource{Inputs: inputs}
}

// accessLogs is the bucket to which the balancer and the other buckets write their access logs.
const accessLogs = "archive-access"

var dataControls = []control{
	{"S3.1, S3.8, CIS 2.1.4, CKV2_AWS_6, CKV_AWS_53, CKV_AWS_54, CKV_AWS_55, CKV_AWS_56, T0086, T0087, T0091, T0093, T0094",
		"public access is blocked", nil, each(bucketType, func(g graph.Graph, r graph.Resource) string {
			return is(configOf(g, "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", r), map[string]any{
				"blockPublicAcls": true, "blockPublicPolicy": true, "ignorePublicAcls": true, "restrictPublicBuckets": true})
		})},
	{"S3.2, S3.3, CKV_AWS_20, CKV_AWS_57, CKV_AWS_70, CKV_AWS_375, T0092", "no public access", nil,
		allOf(absent("aws:s3/bucketAclV2:BucketAclV2"), notPublic("aws:s3/bucketPolicy:BucketPolicy"))},
	{"S3.12", "no access lists", nil, each(bucketType, func(g graph.Graph, r graph.Resource) string {
		return is(configOf(g, "aws:s3/bucketOwnershipControls:BucketOwnershipControls", r),
			map[string]any{"rule.objectOwnership": "BucketOwnerEnforced"})
	})},
	{"S3.5, CIS 2.1.1, CKV_AWS_379, secure_transport", "TLS only", nil, each(bucketType, func(g graph.Graph, r graph.Resource) string {
		for _, s := range read(configOf(g, "aws:s3/bucketPolicy:BucketPolicy", r).Input("policy")) {
			if s.Effect == "Deny" && slices.Equal(s.Action, policy.Many{"s3:*"}) &&
				slices.Equal(s.Condition["Bool"]["aws:SecureTransport"], policy.Many{"false"}) && len(s.Resource) == 2 {
				return ""
			}
		}
		return "is open without TLS"
	})},
	{"S3.17, CKV_AWS_145, CKV_AWS_19, T0088, T0132", "encrypted with the site's key, but for access logs", nil,
		each(bucketType, func(g graph.Graph, r graph.Resource) string {
			how := encryption(g, r)
			if r.Name == accessLogs {
				return is(how, map[string]any{"sseAlgorithm": "AES256"})
			}
			if how.Input("kmsMasterKeyId") == nil {
				return "has no key"
			}
			return is(how, map[string]any{"sseAlgorithm": "aws:kms", "bucketKeyEnabled": true})
		})},
	{"S3.14, S3.10, S3.13, CKV_AWS_21, CKV2_AWS_61, CKV_AWS_300, T0090", "versions are kept for some time; incomplete uploads expire",
		nil, each(bucketType, func(g graph.Graph, r graph.Resource) string {
			rules := fmt.Sprint(configOf(g, "aws:s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2", r).Input("rules"))
			for _, part := range []string{"noncurrentVersionExpiration", "abortIncompleteMultipartUpload"} {
				if !strings.Contains(rules, part) {
					return "no " + part
				}
			}
			return is(configOf(g, "aws:s3/bucketVersioningV2:BucketVersioningV2", r),
				map[string]any{"versioningConfiguration.status": "Enabled"})
		})},
	{"S3.9, CKV_AWS_18, T0089", "access is logged, but for access logs", nil,
		each(bucketType, func(g graph.Graph, r graph.Resource) string {
			if r.Name == accessLogs {
				return ""
			}
			return is(configOf(g, "aws:s3/bucketLoggingV2:BucketLoggingV2", r), map[string]any{"targetBucket": accessLogs + "-bucket"})
		})},
	{"DataFirehose.1, CKV_AWS_240, CKV_AWS_241", "streams are encrypted with the site's key and log their errors", nil, allOf(
		has(streamType, map[string]any{
			"serverSideEncryption.enabled": true, "serverSideEncryption.keyType": "CUSTOMER_MANAGED_CMK",
			"extendedS3Configuration.cloudwatchLoggingOptions.enabled": true}),
		given(streamType, "serverSideEncryption.keyArn", "extendedS3Configuration.kmsKeyArn",
			"extendedS3Configuration.errorOutputPrefix"))},
	{"KMS.4, CIS 3.6, CKV_AWS_7, T0065", "keys rotate", nil, has(keyType, map[string]any{"enableKeyRotation": true})},
	{"KMS.3, KMS.5, CKV_AWS_33, CKV_AWS_227, CKV2_AWS_64", "keys have a policy without public access, and a deletion window of 30 days",
		nil, allOf(
			has(keyType, map[string]any{"deletionWindowInDays": 30.0, "isEnabled": nil}),
			notPublic(keyType))},
	{"CKV_AWS_158, CKV_AWS_66, T0017", "log groups are encrypted and have a retention period", nil,
		allOf(given(logGroupType, "kmsKeyId"), atLeast(logGroupType, "retentionInDays", 1))},
	{"SNS.1, SNS.4, CKV_AWS_26, CKV_AWS_169, CKV_AWS_385, T0095, T0136", "the topic is encrypted with the site's key and private", nil,
		allOf(
			each("aws:sns/topic:Topic", func(_ graph.Graph, r graph.Resource) string {
				if key := fmt.Sprint(r.Input("kmsMasterKeyId")); !strings.HasPrefix(key, "arn:aws:kms:") {
					return "its key is " + key + ", which alarms may not use"
				}
				return ""
			}),
			notPublic("aws:sns/topicPolicy:TopicPolicy"))},
	{"RDS.20, RDS.21", "RDS reports events of the database and its parameters", nil,
		each("aws:rds/eventSubscription:EventSubscription", func(g graph.Graph, r graph.Resource) string {
			events := map[any]any{}
			for _, s := range g.Of(r.Type) {
				events[s.Input("sourceType")] = s.Input("eventCategories")
			}
			if !cmp.Equal(events, map[any]any{"db-instance": []any{"maintenance", "configuration change", "failure"},
				"db-parameter-group": []any{"configuration change"}}) {
				return fmt.Sprintf("they report %v", events)
			}
			return is(r, map[string]any{"enabled": nil, "snsTopic": "arn:aws:sns:us-east-1:" + graph.Account + ":topic/alarms"})
		})},
	{"CKV_AWS_319", "alarms notify the topic", nil,
		each("aws:cloudwatch/metricAlarm:MetricAlarm", func(_ graph.Graph, r graph.Resource) string {
			if actions, _ := r.Input("alarmActions").([]any); len(actions) == 0 || r.Input("actionsEnabled") == false {
				return "notifies nothing"
			}
			return ""
		})},
}

const streamType = "aws:kinesis/firehoseDeliveryStream:FirehoseDeliveryStream"

// notPublic requires that a resource has a policy, and that it allows nothing to everyone.
func notPublic(token string) rule {
	return each(token, func(_ graph.Graph, r graph.Resource) string {
		statements := read(r.Input("policy"))
		if len(statements) == 0 {
			return "has no policy"
		}
		for _, s := range statements {
			for _, names := range s.Principal {
				if s.Effect == "Allow" && slices.Contains(names, "*") {
					return s.Sid + " allows everyone"
				}
			}
		}
		return ""
	})
}

// The bastion and the settings.

var bastionControls = []control{
	{"EC2.8, EC2.170, CIS 5.6, CKV_AWS_79, CKV_AWS_341, T0028, T0130", "instance metadata by token, one hop", nil,
		has(instanceType, map[string]any{"metadataOptions.httpTokens": "required", "metadataOptions.httpPutResponseHopLimit": 1.0})},
	{"EC2.9, CKV_AWS_88", "no public address", nil, has(instanceType, map[string]any{"associatePublicIpAddress": false})},
	{"EC2.3, CKV_AWS_8, T0131, T0026, T0027", "the disk is encrypted with the site's key", nil,
		allOf(has(instanceType, map[string]any{"rootBlockDevice.encrypted": true}), given(instanceType, "rootBlockDevice.kmsKeyId"))},
	{"CIS 1.18, CKV2_AWS_41, CKV_AWS_126, CKV_AWS_135", "a role, no key pair; monitored; EBS-optimised", nil, allOf(
		given(instanceType, "iamInstanceProfile"),
		has(instanceType, map[string]any{"monitoring": true, "ebsOptimized": true, "keyName": nil}))},
	{"SSM.1", "Session Manager manages the machine", nil, func(g graph.Graph) []offender {
		core := g.Named("aws:iam/rolePolicyAttachment:RolePolicyAttachment", "bastion-core")
		if why := is(core, map[string]any{"policyArn": "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore", "role": "slipway-" +
			stackOf(g) + "-bastion"}); why != "" {
			return []offender{{core.Type, "bastion-core", why}}
		}
		return nil
	}},
	{"SSM.4, CKV_AWS_112, CKV_AWS_113, CKV_AWS_303", "sessions are encrypted and recorded; the document is private", nil,
		each(documentType, func(_ graph.Graph, r graph.Resource) string {
			var content struct{ Inputs map[string]any }
			if err := json.Unmarshal([]byte(fmt.Sprint(r.Input("content"))), &content); err != nil {
				return err.Error()
			}
			document := graph.Resource{Inputs: content.Inputs}
			if !strings.HasPrefix(fmt.Sprint(document.Input("kmsKeyId")), "arn:aws:kms:") {
				return "sessions are not encrypted"
			}
			if r.Input("permissions") != nil {
				return "is shared"
			}
			return is(document, map[string]any{"cloudWatchEncryptionEnabled": true, "cloudWatchStreamingEnabled": true,
				"s3EncryptionEnabled": true})
		})},
	{"CKV2_AWS_34, CKV_AWS_337", "parameters are encrypted with the site's key, but for markers", nil,
		each(parameterType, func(_ graph.Graph, r graph.Resource) string {
			if r.Name == "migration-marker" || r.Name == "psql-marker" {
				return ""
			}
			if r.Input("keyId") == nil {
				return "has no key"
			}
			return is(r, map[string]any{"type": "SecureString", "insecureValue": nil})
		})},
}

// stackOf is the name of the stack that the graph is of.
func stackOf(g graph.Graph) string {
	return fmt.Sprint(g.Named("pulumi:providers:aws", "aws").Input("defaultTags.tags.stack"))
}

// Who may do what.

// attachable are the policies of AWS's that are attached to a role.
var attachable = []string{
	"arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore",                 // the bastion
	"arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole", // the database's monitoring
}

// wildcards are the statements that name every resource, because AWS offers no narrower one for their actions.
// Source: AWS Service Authorization Reference.
var wildcards = map[string]string{
	"LoginToRegistry": "ecr:GetAuthorizationToken has no resource",
	"ExecChannels":    "ssmmessages has no resources",
	"LookAtNetwork":   "deploy and read role: ec2:Describe* has no resources",
	"LookAtEdge":      "deploy and read role: elasticloadbalancing:Describe* and lists have no resources",
	"LookAtData":      "deploy and read role: lists",
	"LookAtCompute":   "deploy and read role: describing and deregistering a task definition know no resource",
	"LookAtLogs":      "deploy and read role: lists",
	"DeliverLogs": "deploy and read role: log deliveries and resource policies of CloudWatch Logs take no resource; " +
		"in this region only",
	"FindTasks":  "deploy and read role: ecs:ListTasks is for container instances, which Fargate lacks; of this stack's cluster only",
	"KeepAlarms": "deploy role: AWS documents the rights for target tracking on every alarm; not on those tagged for another stack",
	"MakeKeys":   "deploy role: a key has no ARN before it exists; in this region and with this stack's tags only",
}

// workflow is the subject of a token for one environment or branch, or for the pull requests, of one repository.
var workflow = regexp.MustCompile(`^repo:[^:*?/]+/[^:*?/]+:((environment:|ref:refs/heads/)[^*?]+|pull_request)$`)

var identityControls = []control{
	{"IAM.1, IAM.21, CIS 1.16, CKV_AWS_62, CKV_AWS_63, CKV_AWS_274, CKV2_AWS_40, CKV2_AWS_56, T0345, T0346, iam-no-policy-wildcards",
		"no permission for every action, of all or of a service", nil, allOf(
			eachGrant(func(_ graph.Resource, s policy.ParsedStatement) string {
				for _, action := range s.Action {
					if strings.Contains(action, "*") {
						return "allows " + action
					}
				}
				return ""
			}),
			each("aws:iam/rolePolicyAttachment:RolePolicyAttachment", func(_ graph.Graph, r graph.Resource) string {
				if policy := fmt.Sprint(r.Input("policyArn")); strings.Contains(policy, ":iam::aws:") &&
					!slices.Contains(attachable, policy) {
					return "gives " + policy
				}
				return ""
			}))},
	{"CKV_AWS_288, CKV_AWS_289, CKV_AWS_355", "a resource is named wherever AWS knows one", nil,
		eachGrant(func(_ graph.Resource, s policy.ParsedStatement) string {
			if slices.Contains(s.Resource, "*") && wildcards[s.Sid] == "" {
				return "is for every resource"
			}
			return ""
		})},
	{"CKV_AWS_286", "only the deploy role may change permissions", nil, eachGrant(func(r graph.Resource, s policy.ParsedStatement) string {
		for _, action := range s.Action {
			looking := looks(r) && (strings.HasPrefix(action, "iam:Get") || strings.HasPrefix(action, "iam:List"))
			if (action == "*" || strings.HasPrefix(action, "iam:")) && action != "iam:PassRole" && !deploys(r) && !looking {
				return "allows " + action
			}
		}
		return ""
	})},
	{"Permissions boundary", "every role but those of the workflows has it", published,
		each(roleType, func(g graph.Graph, r graph.Resource) string {
			if slices.Contains([]string{"github", "github-read"}, r.Name) {
				return is(r, map[string]any{"permissionsBoundary": nil})
			}
			if g.Named("aws:iam/policy:Policy", "boundary").Name == "" {
				return "there is no boundary"
			}
			return is(r, map[string]any{"permissionsBoundary": "arn:aws:iam:us-east-1:" + graph.Account + ":policy/boundary"})
		})},
	{"T0342", "roles are passed by name, to named services", published, eachGrant(func(_ graph.Resource, s policy.ParsedStatement) string {
		if !s.Covers("iam:PassRole") {
			return ""
		}
		// CloudWatch Logs is reported not to name itself: such a role must be named exactly.
		exact := len(s.Condition["StringEqualsIfExists"]["iam:PassedToService"]) > 0 &&
			len(s.Resource) == 1 && !strings.Contains(s.Resource[0], "*")
		if len(s.Condition["StringEquals"]["iam:PassedToService"]) == 0 && !exact {
			return "passes roles to any service"
		}
		for _, r := range s.Resource {
			if _, role, _ := strings.Cut(r, "role/"); role == "" || role == "*" {
				return "passes " + r
			}
		}
		return ""
	})},
	{"KMS.1, KMS.2", "decrypts with one key, and the roles of workflows through services alone", nil,
		eachGrant(func(r graph.Resource, s policy.ParsedStatement) string {
			if !s.Covers("kms:Decrypt") && !s.Covers("kms:ReEncryptFrom") {
				return ""
			}
			if through := s.Condition["StringEquals"]["kms:ViaService"]; (deploys(r) || looks(r)) && len(through) > 0 {
				return ""
			}
			for _, key := range s.Resource {
				if strings.HasSuffix(key, "*") {
					return "decrypts with " + key
				}
			}
			return ""
		})},
	{"CKV_AWS_393", "GitHub's tokens are for one repository, by name", published, func(g graph.Graph) []offender {
		const issuer = "token.actions.githubusercontent.com"
		var found []offender
		federated := 0
		for _, r := range g.Of(roleType) {
			for _, s := range read(r.Input("assumeRolePolicy")) {
				if len(s.Principal["Federated"]) == 0 {
					continue
				}
				federated++
				equal := s.Condition["StringEquals"]
				if !slices.Equal(equal[issuer+":aud"], policy.Many{"sts.amazonaws.com"}) || len(equal[issuer+":sub"]) == 0 ||
					len(s.Condition) != 1 {
					found = append(found, offender{r.Type, r.Name, fmt.Sprintf("%s allows under %v", s.Sid, s.Condition)})
				}
				for _, subject := range equal[issuer+":sub"] {
					if !workflow.MatchString(subject) {
						found = append(found, offender{r.Type, r.Name, s.Sid + " allows " + subject})
					}
				}
			}
		}
		if federated == 0 {
			return []offender{{roleType, "", "none trusts GitHub"}}
		}
		return found
	}},
	{"CKV_AWS_60, CKV_AWS_61, cross_service_confused_deputy", "a role trusts one service, and only a source of this account",
		nil, each(roleType, func(_ graph.Graph, r graph.Resource) string {
			statements := read(r.Input("assumeRolePolicy"))
			if len(statements) != 1 {
				return fmt.Sprintf("%d statements, want one", len(statements))
			}
			s := statements[0]
			if len(s.Principal["AWS"]) > 0 || len(s.Principal) != 1 {
				return fmt.Sprintf("trusts %v", s.Principal)
			}
			for _, service := range s.Principal["Service"] { // EC2 and Firehose send no source
				account := slices.Equal(s.Condition["StringEquals"]["aws:SourceAccount"], policy.Many{graph.Account})
				source := slices.Equal(s.Condition["StringLike"]["aws:SourceArn"],
					policy.Many{"arn:aws:logs:us-east-1:" + graph.Account + ":*"})
				if !account && !source && service != "ec2.amazonaws.com" && service != "firehose.amazonaws.com" {
					return fmt.Sprintf("trusts %s for any account", service)
				}
			}
			return ""
		})},
}

func TestEveryWildcardIsStillNeeded(t *testing.T) {
	unused := maps.Clone(wildcards)
	for _, stack := range stacks {
		eachGrant(func(_ graph.Resource, s policy.ParsedStatement) string {
			if slices.Contains(s.Resource, "*") {
				delete(unused, s.Sid)
			}
			return ""
		})(declared(t, stack, nil))
	}
	for sid := range unused {
		t.Errorf("no stack has a statement %s for every resource", sid)
	}
}
