package ecs

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/bucket"
	"slipway/internal/fargate"
	"slipway/internal/graph"
	"slipway/internal/wiring"
)

var update = flag.Bool("update", false, "write the golden files")

var site = wiring.Site{Project: "slipway", Stack: "test", Partition: "aws", Region: "us-east-1", AccountID: graph.Account}

const (
	logsKey  = "arn:aws:kms:us-east-1:123456789012:key/logs"
	settings = "arn:aws:kms:us-east-1:123456789012:key/settings"
	digest   = "@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
)

func secret(part string, version int) wiring.Secret {
	return wiring.Secret{
		ARN:     pulumi.String("arn:aws:ssm:us-east-1:123456789012:parameter/slipway/test/" + part),
		KeyARN:  pulumi.String(settings),
		Version: pulumi.Int(version),
	}
}

func place(group string) wiring.Placement {
	return wiring.Placement{Subnets: pulumi.ToStringArray([]string{"subnet-a", "subnet-b"}),
		SecurityGroups: pulumi.ToStringArray([]string{group})}
}

// A whole holds the arguments of everything that this package creates. A test may change them before they are declared.
type whole struct {
	site      wiring.Site
	balancer  BalancerArgs
	web       WebArgs
	worker    WorkerArgs
	migration MigrationArgs
}

func sample() *whole {
	return &whole{
		site:     site,
		balancer: BalancerArgs{VPCID: pulumi.String("vpc-1"), Placement: place("sg-edge")},
		web: WebArgs{
			Placement: place("sg-web"), CPU: 512, Memory: 1024, Architecture: "arm64", Min: 2, Max: 6, Spot: 40,
			Port: 8000, Start: 45,
			Proxy: Proxy{Host: pulumi.String("www.example.com"), Region: "us-east-1", HealthPath: "/healthz", MaxBody: 25, Timeout: 60,
				StaticURL: "/static/", StaticBucket: pulumi.String("media"),
				Headers:    map[string]string{"Content-Security-Policy": `default-src 'self'`, "X-Quoted": `a"b\c`},
				LimitPaths: []string{"/log-in/", "/account.v2/*"}, CachePaths: []string{"/media/*", "/logo.png"}},
			Binding: wiring.Binding{
				Env: map[string]pulumi.StringInput{"PGSSLMODE": pulumi.String("verify-full"),
					"AWS_REGION": pulumi.String("us-east-1")},
				Secrets: map[string]wiring.Secret{"SECRET_KEY": secret("django/secret-key", 3), "DB_PASSWORD": secret("db/password", 1)},
			},
		},
		worker: WorkerArgs{
			Name: "mail", Command: []string{"python", "manage.py", "send_mail"}, Placement: place("sg-work"),
			CPU: 256, Memory: 512, Architecture: "arm64", Count: 1,
		},
		migration: MigrationArgs{
			Placement: place("sg-work"), CPU: 256, Memory: 512, Architecture: "arm64",
			Release: pulumi.String("sha256:0123 DB_PASSWORD:1"),
			Binding: wiring.Binding{Secrets: map[string]wiring.Secret{"DB_PASSWORD": secret("db/owner", 1)}},
		},
	}
}

func (w *whole) declare(ctx *pulumi.Context) error {
	image := func(name string) pulumi.StringInput { return pulumi.String(name + digest) }
	group := func(name string) pulumi.StringInput { return pulumi.String("/slipway/test/" + name) }
	access, err := bucket.New(ctx, "access", &bucket.Args{Site: w.site, Part: "access"})
	if err != nil {
		return err
	}
	cluster, err := NewCluster(ctx, "cluster", &ClusterArgs{Site: w.site, ExecGroup: group("exec"), ExecKeyARN: pulumi.String(logsKey)})
	if err != nil {
		return err
	}
	w.balancer.Site, w.balancer.AccessLogs = w.site, access
	balancer, err := NewBalancer(ctx, "balancer", &w.balancer)
	if err != nil {
		return err
	}
	m := w.migration
	m.Site, m.Cluster, m.Program.Image, m.Group = w.site, cluster, image("django"), group("migration")
	migration, err := NewMigration(ctx, "migration", &m)
	if err != nil {
		return err
	}
	binding := w.web.Binding
	binding.Env = maps.Clone(binding.Env)
	for name, value := range balancer.Offer.Values {
		binding.Env["OFFER_"+strings.ToUpper(name)] = value.Text
	}
	roles, err := fargate.NewRoles(ctx, "roles", &fargate.RolesArgs{Site: w.site, Part: "web", Binding: binding, Exec: cluster.Exec})
	if err != nil {
		return err
	}
	web := w.web
	web.Site, web.Cluster, web.Balancer, web.Roles, web.Binding = w.site, cluster, balancer, roles, binding
	web.Program.Image, web.Nginx, web.DjangoGroup, web.NginxGroup = image("django"), image("nginx"), group("django"), group("nginx")
	web.After = []pulumi.Resource{migration}
	if _, err := NewWeb(ctx, "web", &web); err != nil {
		return err
	}
	worker := w.worker
	worker.Site, worker.Cluster, worker.Roles, worker.Binding = w.site, cluster, roles, binding
	worker.Program.Image, worker.Group, worker.After = image("django"), group("worker"), []pulumi.Resource{migration}
	_, err = NewWorker(ctx, "worker", &worker)
	return err
}

func record(t *testing.T, w *whole) graph.Graph {
	t.Helper()
	g, err := graph.Record("test", nil, w.declare)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

const (
	serviceToken  = "aws:ecs/service:Service"
	taskToken     = "aws:ecs/taskDefinition:TaskDefinition"
	listenerToken = "aws:lb/listener:Listener"
)

// expect compares inputs of one resource by path.
func expect(t *testing.T, g graph.Graph, token, name string, want map[string]any) {
	t.Helper()
	r := g.Named(token, name)
	if r.Type == "" {
		t.Errorf("%s %s is not declared", token, name)
		return
	}
	for path, value := range want {
		if diff := cmp.Diff(value, r.Input(path)); diff != "" {
			t.Errorf("%s %s: %s (-want +got):\n%s", token, name, path, diff)
		}
	}
}

func containers(t *testing.T, g graph.Graph, name string) map[string]map[string]any {
	t.Helper()
	var list []map[string]any
	if err := json.Unmarshal([]byte(g.Named(taskToken, name).Inputs["containerDefinitions"].(string)), &list); err != nil {
		t.Fatal(err)
	}
	all := map[string]map[string]any{}
	for _, c := range list {
		all[c["name"].(string)] = c
	}
	return all
}

func TestWebTaskGolden(t *testing.T) {
	definitions := record(t, sample()).Named(taskToken, "web-task").Inputs["containerDefinitions"].(string)
	var got bytes.Buffer
	if err := json.Indent(&got, []byte(definitions), "", "  "); err != nil {
		t.Fatal(err)
	}
	got.WriteByte('\n')
	golden := filepath.Join("testdata", "web.json")
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("container definitions (-want +got); -update when meant:\n%s", diff)
	}
	for range 5 { // maps have no order; the definitions must
		if again := record(t, sample()).Named(taskToken, "web-task").Inputs["containerDefinitions"]; again != definitions {
			t.Fatalf("the same task rendered differently:\n%s\n%s", definitions, again)
		}
	}
}

func TestWebService(t *testing.T) {
	g := record(t, sample())
	expect(t, g, serviceToken, "web", map[string]any{
		"networkConfiguration": map[string]any{"subnets": []any{"subnet-a", "subnet-b"}, "securityGroups": []any{"sg-web"},
			"assignPublicIp": false},
		"platformVersion": "LATEST", "enableExecuteCommand": true, "propagateTags": "SERVICE", "enableEcsManagedTags": true,
		"deploymentCircuitBreaker":        map[string]any{"enable": true, "rollback": true},
		"deploymentMinimumHealthyPercent": 100.0, "deploymentMaximumPercent": 200.0,
		"healthCheckGracePeriodSeconds": 120.0, "waitForSteadyState": true, "desiredCount": 2.0,
		"capacityProviderStrategies": []any{
			map[string]any{"capacityProvider": "FARGATE", "base": 1.0, "weight": 60.0},
			map[string]any{"capacityProvider": "FARGATE_SPOT", "base": 0.0, "weight": 40.0},
		},
		"loadBalancers": []any{map[string]any{
			"containerName": "nginx", "containerPort": 8080.0,
			"targetGroupArn": "arn:aws:lb:us-east-1:123456789012:targetGroup/balancer-targets",
		}},
	})
	service := g.Named(serviceToken, "web")
	if !slices.Contains(service.IgnoreChanges, "desiredCount") {
		t.Error("the service takes the number of tasks back from scaling")
	}
	for _, first := range []string{"balancer-http", "migration-marker", "roles-execution-policy", "roles-task-policy", "cluster-capacity"} {
		if !slices.Contains(service.DependsOn, first) {
			t.Errorf("the service does not wait for %s, only for %v", first, service.DependsOn)
		}
	}
	expect(t, g, taskToken, "web-task", map[string]any{
		"family": "slipway-test-web", "cpu": "512", "memory": "1024", "networkMode": "awsvpc",
		"requiresCompatibilities": []any{"FARGATE"},
		"runtimePlatform":         map[string]any{"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"},
	})
}

func TestSpotIsTheShareOfSpotTasks(t *testing.T) {
	provider := func(name string, base, weight float64) any {
		return map[string]any{"capacityProvider": name, "base": base, "weight": weight}
	}
	for spot, want := range map[int][]any{
		0:   {provider("FARGATE", 1, 100)},
		50:  {provider("FARGATE", 1, 50), provider("FARGATE_SPOT", 0, 50)},
		100: {provider("FARGATE_SPOT", 0, 100)},
	} {
		w := sample()
		w.web.Spot, w.worker.Spot = spot, spot
		g := record(t, w)
		for _, name := range []string{"web", "worker"} {
			if diff := cmp.Diff(any(want), g.Named(serviceToken, name).Input("capacityProviderStrategies")); diff != "" {
				t.Errorf("%s, spot %d (-want +got):\n%s", name, spot, diff)
			}
		}
	}
}

func TestOnlyLongRunningTasksRestartForASecret(t *testing.T) {
	g := record(t, sample())
	for task, want := range map[string]bool{"web-task": true, "worker-task": true, "migration-task": false} {
		text := g.Named(taskToken, task).Inputs["containerDefinitions"].(string)
		if got := strings.Contains(text, "SLIPWAY_SETTINGS_VERSION"); got != want {
			t.Errorf("%s: SLIPWAY_SETTINGS_VERSION is %v, want %v", task, got, want)
		}
	}
	changed := sample()
	changed.web.Binding.Secrets["SECRET_KEY"] = secret("django/secret-key", 4)
	after := record(t, changed)
	for _, task := range []string{"web-task", "worker-task"} {
		if cmp.Equal(g.Named(taskToken, task).Inputs, after.Named(taskToken, task).Inputs) {
			t.Errorf("%s: a changed secret makes no new revision", task)
		}
	}
	if diff := cmp.Diff(g.Named(taskToken, "migration-task").Inputs, after.Named(taskToken, "migration-task").Inputs); diff != "" {
		t.Errorf("the migration changed with a secret that it does not use:\n%s", diff)
	}
}

func TestWorkerHasNoIngress(t *testing.T) {
	g := record(t, sample())
	expect(t, g, serviceToken, "worker", map[string]any{
		"name": "slipway-test-worker-mail", "desiredCount": 1.0, "loadBalancers": nil, "enableExecuteCommand": true,
		"networkConfiguration": map[string]any{"subnets": []any{"subnet-a", "subnet-b"}, "securityGroups": []any{"sg-work"},
			"assignPublicIp": false},
		"capacityProviderStrategies": []any{map[string]any{"capacityProvider": "FARGATE", "base": 1.0, "weight": 100.0}},
	})
	for _, first := range []string{"migration-marker", "roles-execution-policy", "cluster-capacity"} {
		if service := g.Named(serviceToken, "worker"); !slices.Contains(service.DependsOn, first) {
			t.Errorf("the worker does not wait for %s, only for %v", first, service.DependsOn)
		}
	}
	all := containers(t, g, "worker-task")
	if diff := cmp.Diff([]any{"python", "manage.py", "send_mail"}, all["django"]["command"]); diff != "" || len(all) != 1 {
		t.Errorf("%d containers, command (-want +got):\n%s", len(all), diff)
	}
}

// Two schedulers of Celery send every task twice.
func TestSingleWorkerIsNeverThereTwice(t *testing.T) {
	for single, want := range map[bool][]any{false: {100.0, 200.0, "ENABLED", 120.0}, true: {0.0, 100.0, "DISABLED", 10.0}} {
		w := sample()
		w.worker.Single = single
		g := record(t, w)
		service := g.Named(serviceToken, "worker")
		got := []any{service.Input("deploymentMinimumHealthyPercent"), service.Input("deploymentMaximumPercent"),
			service.Input("availabilityZoneRebalancing"), containers(t, g, "worker-task")["django"]["stopTimeout"]}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("single %v: minimum, maximum, rebalancing, stopTimeout (-want +got):\n%s", single, diff)
		}
	}
}

func TestScalingOwnsTheCount(t *testing.T) {
	g := record(t, sample())
	expect(t, g, "aws:appautoscaling/target:Target", "web-scaling", map[string]any{
		"minCapacity": 2.0, "maxCapacity": 6.0, "serviceNamespace": "ecs", "scalableDimension": "ecs:service:DesiredCount",
		"resourceId": "service/slipway-test-site/slipway-test-web",
	})
	const configuration = "targetTrackingScalingPolicyConfiguration"
	expect(t, g, "aws:appautoscaling/policy:Policy", "web-scaling-cpu", map[string]any{
		configuration + ".targetValue":                                        60.0,
		configuration + ".predefinedMetricSpecification.predefinedMetricType": "ECSServiceAverageCPUUtilization",
	})
	expect(t, g, "aws:appautoscaling/policy:Policy", "web-scaling-requests", map[string]any{
		configuration + ".targetValue": 1000.0,
		configuration + ".predefinedMetricSpecification.resourceLabel": "app/balancer/0123456789abcdef/" +
			"targetgroup/balancer-targets/0123456789abcdef",
	})
	if n := g.Named(serviceToken, "worker").IgnoreChanges; len(n) != 0 {
		t.Errorf("nothing scales a worker, but the program gives up %v", n)
	}
}

func TestBalancerWithoutDomain(t *testing.T) {
	g := record(t, sample())
	expect(t, g, "aws:lb/loadBalancer:LoadBalancer", "balancer", map[string]any{
		"internal": false, "dropInvalidHeaderFields": true, "desyncMitigationMode": "defensive", "enableDeletionProtection": false,
		"securityGroups": []any{"sg-edge"}, "accessLogs": map[string]any{"enabled": true, "bucket": "access-bucket", "prefix": "alb"},
	})
	if !slices.Contains(g.Named("aws:lb/loadBalancer:LoadBalancer", "balancer").DependsOn, "access-policy") {
		t.Error("the balancer writes its test object before the bucket's policy allows it")
	}
	expect(t, g, "aws:lb/targetGroup:TargetGroup", "balancer-targets", map[string]any{
		"targetType": "ip", "port": 8080.0, "deregistrationDelay": 30.0, "loadBalancingAlgorithmType": "least_outstanding_requests",
		"healthCheck.path": "/.slipway/health", "healthCheck.matcher": "200-499",
	})
	if n := len(g.Of(listenerToken)); n != 1 {
		t.Errorf("%d listeners, want plain HTTP alone", n)
	}
	got := env(containers(t, g, "web-task")["django"])
	for name, want := range map[string]string{
		"OFFER_HOST":  "balancer-1234567890.us-east-1.elb.amazonaws.com",
		"OFFER_URL":   "http://balancer-1234567890.us-east-1.elb.amazonaws.com",
		"OFFER_HTTPS": "false",
	} {
		if got[name] != want {
			t.Errorf("Django has %s=%q, want %q", name, got[name], want)
		}
	}
}

func TestBalancerWithDomain(t *testing.T) {
	w := sample()
	w.site.Protect = true
	w.balancer.Domain, w.balancer.ZoneID = "www.example.com", pulumi.String("Z1")
	g := record(t, w)
	expect(t, g, listenerToken, "balancer-https",
		map[string]any{"port": 443.0, "protocol": "HTTPS", "sslPolicy": "ELBSecurityPolicy-TLS13-1-2-2021-06"})
	if g.Named(listenerToken, "balancer-https").Input("certificateArn") == nil {
		t.Error("no certificate")
	}
	expect(t, g, listenerToken, "balancer-http", map[string]any{
		"port": 80.0, "defaultActions": []any{map[string]any{
			"type": "redirect", "redirect": map[string]any{"port": "443", "protocol": "HTTPS", "statusCode": "HTTP_301"},
		}},
	})
	expect(t, g, "aws:route53/record:Record", "balancer-proof",
		map[string]any{"zoneId": "Z1", "name": "_x.www.example.com.", "type": "CNAME"})
	expect(t, g, "aws:route53/record:Record", "balancer-alias", map[string]any{"zoneId": "Z1", "name": "www.example.com", "type": "A"})
	balancer := g.Named("aws:lb/loadBalancer:LoadBalancer", "balancer")
	if balancer.Input("enableDeletionProtection") != true || !balancer.Protect {
		t.Error("the balancer of a protected stack can be deleted")
	}
	got := env(containers(t, g, "web-task")["django"])
	if got["OFFER_HOSTS"] != "www.example.com" || got["OFFER_ORIGINS"] != "https://www.example.com" || got["OFFER_HTTPS"] != "true" {
		t.Errorf("Django has %v", got)
	}
}

func TestClusterRecordsSessions(t *testing.T) {
	expect(t, record(t, sample()), "aws:ecs/cluster:Cluster", "cluster", map[string]any{
		"settings": []any{map[string]any{"name": "containerInsights", "value": "enabled"}},
		"configuration.executeCommandConfiguration": map[string]any{
			"kmsKeyId": logsKey, "logging": "OVERRIDE",
			"logConfiguration": map[string]any{"cloudWatchEncryptionEnabled": true, "cloudWatchLogGroupName": "/slipway/test/exec"},
		},
	})
}

func TestMigrationHasItsOwnRoles(t *testing.T) {
	g := record(t, sample())
	marker := g.Named("aws:ssm/parameter:Parameter", "migration-marker")
	if marker.Input("insecureValue") != "sha256:0123 DB_PASSWORD:1" || marker.Input("name") != "/slipway/test/release/migrated" {
		t.Errorf("marker is %v", marker.Inputs)
	}
	for _, first := range []string{"migration-task", "migration-roles-execution-policy"} {
		if !slices.Contains(marker.DependsOn, first) {
			t.Errorf("the marker does not wait for %s, only for %v", first, marker.DependsOn)
		}
	}
	policy := func(name string) string {
		text, _ := g.Named("aws:iam/rolePolicy:RolePolicy", name).Input("policy").(string)
		return text
	}
	const owner = "parameter/slipway/test/db/owner"
	if !strings.Contains(policy("migration-roles-execution-policy"), owner) {
		t.Error("the migration cannot read the owner's password")
	}
	if strings.Contains(policy("roles-execution-policy"), owner) {
		t.Error("the site's tasks may read the owner's password")
	}
	if text := policy("migration-roles-task-policy"); text != "" {
		t.Errorf("the migration's task role may do something, although nothing was granted: %s", text)
	}
}

func TestEverythingDescendsFromAComponent(t *testing.T) {
	g := record(t, sample())
	components := map[string]bool{}
	for _, r := range g {
		if !r.Custom() {
			components[r.Name] = true
		}
	}
	for _, r := range g {
		if r.Custom() && !components[r.Parent] {
			t.Errorf("%s %s is parented to %s", r.Type, r.Name, r.Parent)
		}
	}
}

func TestAllMistakesAreReported(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*whole)
		want   []string
	}{
		"web": {func(w *whole) {
			w.web.CPU, w.web.Architecture, w.web.Min, w.web.Max, w.web.Spot, w.web.Start = 300, "sparc", 4, 2, 101, 301
		}, []string{"cpu must be one of 256,", "architecture must be arm64 or amd64, got \"sparc\"", "min 4, max 2",
			"0 to 100 percent, got 101", "start must be from 1 to 300 seconds, got 301"}},
		"worker": {func(w *whole) { w.worker.Command, w.worker.Count = nil, -1 },
			[]string{"worker mail: command must be", "count must be 0 or more, got -1"}},
		"single worker": {func(w *whole) { w.worker.Single, w.worker.Count = true, 2 },
			[]string{"worker mail: count of a single worker must be 0 or 1, got 2"}},
		"balancer": {func(w *whole) {
			w.site.Stack, w.balancer.Domain = "a-stack-with-longname", "www.example.com"
		}, []string{"at most 32 characters, got 33", "must have a hosted zone"}},
		"migration": {func(w *whole) { w.migration.Memory = 2 },
			[]string{"task migration: memory for cpu 256 must be one of 512, 1024, 2048, got 2"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := sample()
			c.change(w)
			_, err := graph.Record("test", nil, w.declare)
			if err == nil {
				t.Fatal("accepted")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error does not say %q:\n%v", want, err)
				}
			}
		})
	}
}

func TestFireLensSendsLinesToFirehose(t *testing.T) {
	w := sample()
	w.web.Firehose = &fargate.Firehose{Name: pulumi.String("slipway-test-firelens"), ARN: pulumi.String("arn:stream"),
		RouterImage: pulumi.String("router" + digest)}
	all := containers(t, record(t, w), "web-task")
	for _, name := range []string{"django", "nginx"} {
		log := all[name]["logConfiguration"].(map[string]any)
		options := log["options"].(map[string]any)
		if log["logDriver"] != "awsfirelens" || options["delivery_stream"] != "slipway-test-firelens" || options["region"] != "us-east-1" {
			t.Errorf("%s logs to %v", name, log)
		}
	}
	router := all["log-router"]
	if router == nil || router["firelensConfiguration"] == nil || router["logConfiguration"].(map[string]any)["logDriver"] != "awslogs" {
		t.Errorf("router is %v", router)
	}
}

func env(container map[string]any) map[string]string {
	all := map[string]string{}
	for _, e := range container["environment"].([]any) {
		pair := e.(map[string]any)
		all[pair["name"].(string)] = pair["value"].(string)
	}
	return all
}

func TestWAFRefuses(t *testing.T) {
	err := (&WAFArgs{RateLimit: 5, LogGroup: "/slipway/test/waf"}).check()
	for _, want := range []string{"needs a balancer", "got 5", `must begin with aws-waf-logs-, got "/slipway/test/waf"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q in %v", want, err)
		}
	}
}

// firewallRules records a web ACL and returns its rules by name.
func firewallRules(t *testing.T, uploads ...string) map[string]graph.Resource {
	t.Helper()
	g, err := graph.Record("test", nil, func(ctx *pulumi.Context) error {
		_, err := NewWAF(ctx, "waf", &WAFArgs{
			Site: sample().site, LoadBalancerARN: pulumi.String("arn:balancer"), RateLimit: 2000, UploadPaths: uploads,
			LogGroup: WAFLogs + "test", LogGroupARN: pulumi.String("arn:logs"),
		})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	rules := map[string]graph.Resource{}
	for i, r := range g.Named("aws:wafv2/webAcl:WebAcl", "waf").Input("rules").([]any) {
		rule := graph.Resource{Inputs: r.(map[string]any)}
		if rule.Input("priority") != float64(i) {
			t.Errorf("rule %v has priority %v, want %d", rule.Input("name"), rule.Input("priority"), i)
		}
		rules[rule.Input("name").(string)] = rule
	}
	return rules
}

// counted are the rules of a group that only count.
func counted(rule graph.Resource) []string {
	var names []string
	overrides, _ := rule.Input("statement.managedRuleGroupStatement.ruleActionOverrides").([]any)
	for _, o := range overrides {
		override := graph.Resource{Inputs: o.(map[string]any)}
		if override.Input("actionToUse.count") != nil {
			names = append(names, override.Input("name").(string))
		}
	}
	return names
}

// Uploads are larger than the 8 KB body limit of AWS's common rules.
func TestWAFAllowsLargeUploads(t *testing.T) {
	rules := firewallRules(t)
	if got := counted(rules["common"]); !cmp.Equal(got, []string{"SizeRestrictions_BODY"}) {
		t.Errorf("the common rules count %v, want large bodies only", got)
	}
	if got := counted(rules["sql"]); got != nil || len(rules) != 5 {
		t.Errorf("without upload paths the SQL rules count %v, and there are %d rules", got, len(rules))
	}
}

// AWS's rules find attacks in the bytes of pictures, and block the upload. Where uploads are expected they only count, and
// everywhere else their findings still block.
func TestWAFLetsFilesPassOnUploadPathsOnly(t *testing.T) {
	rules := firewallRules(t, "/", "/admin/*")
	want := map[string][]string{
		"common": {"SizeRestrictions_BODY", "CrossSiteScripting_BODY", "EC2MetaDataSSRF_BODY", "GenericLFI_BODY", "GenericRFI_BODY"},
		"sql":    {"SQLiExtendedPatterns_BODY", "SQLi_BODY"},
		"inputs": nil, "reputation": nil,
	}
	for name, names := range want {
		if diff := cmp.Diff(names, counted(rules[name])); diff != "" {
			t.Errorf("%s counts (-want +got):\n%s", name, diff)
		}
	}

	last := rules["bodies"]
	if last.Input("action.block") == nil || last.Input("priority") != 5.0 {
		t.Fatalf("nothing blocks an attack in a body elsewhere, after the groups: %v", last.Inputs)
	}
	all := last.Input("statement.andStatement.statements").([]any)
	part := func(i int) graph.Resource { return graph.Resource{Inputs: all[i].(map[string]any)} }
	var labels []string
	for _, s := range part(0).Input("orStatement.statements").([]any) {
		labels = append(labels, graph.Resource{Inputs: s.(map[string]any)}.Input("labelMatchStatement.key").(string))
	}
	if diff := cmp.Diff([]string{
		"awswaf:managed:aws:core-rule-set:CrossSiteScripting_Body", "awswaf:managed:aws:core-rule-set:EC2MetaDataSSRF_Body",
		"awswaf:managed:aws:core-rule-set:GenericLFI_Body", "awswaf:managed:aws:core-rule-set:GenericRFI_Body",
		"awswaf:managed:aws:sql-database:SQLiExtendedPatterns_Body", "awswaf:managed:aws:sql-database:SQLi_Body",
	}, labels); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
	var paths []string
	for i := range all[1:] {
		match := part(i + 1).Input("notStatement.statements").([]any)[0].(map[string]any)["byteMatchStatement"].(map[string]any)
		paths = append(paths, match["positionalConstraint"].(string)+" "+match["searchString"].(string))
	}
	if diff := cmp.Diff([]string{"EXACTLY /", "STARTS_WITH /admin/"}, paths); diff != "" {
		t.Errorf("paths (-want +got):\n%s", diff)
	}
}

// The agent of ECS Exec records a session with the program script. Alpine lacks it, and the session then runs unrecorded
// (aws/amazon-ssm-agent#653). app/test.sh looks into the built images, but builds them on Debian where Alpine is out of reach.
func TestSessionsIntoNginxAreRecorded(t *testing.T) {
	text, err := os.ReadFile("../adapter/nginx/Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	if _, last, ok := strings.Cut(string(text), "FROM nginx\n"); !ok ||
		!regexp.MustCompile(`(?m)^RUN .*apk add .*\butil-linux-misc\b`).MatchString(last) {
		t.Error("Alpine, the default base of nginx, has no program script, and the image does not install it")
	}
}

// A what-if may change how a certificate is validated. The SDK's own index panics on an empty list, in a goroutine.
func TestACertificateWithoutARecordIsAnError(t *testing.T) {
	if _, err := first(nil); err == nil || !strings.Contains(err.Error(), "ACM names no DNS record") {
		t.Errorf("got %v", err)
	}
}
