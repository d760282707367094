package site

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"slipway/internal/catalog"
	"slipway/internal/graph"
	"slipway/internal/wiring"
)

var anySite = wiring.Site{Project: "slipway", Stack: "prod", Partition: "aws", Region: "us-east-1", AccountID: graph.Account}

// component is the component of a name; nil if there is none.
func component(name string) *Component {
	for _, c := range Components {
		if c.Name == name {
			return &c
		}
	}
	return nil
}

// recorded are the graphs of all stacks, of one that runs a release of another, and of one with every optional component.
func recorded(t *testing.T) map[string]graph.Graph {
	t.Helper()
	all := map[string]graph.Graph{
		"a release by digest": declared(t, "staging", map[string]string{
			"slipway:images": fmt.Sprintf(`{"django":"sha256:%s","nginx":"sha256:%s"}`, strings.Repeat("a", 64), strings.Repeat("b", 64)),
		}),
		"everything": declared(t, "prod", everything(t)),
	}
	files, err := filepath.Glob("testdata/graph.*.json")
	if err != nil || len(files) != len(stacks) {
		t.Fatalf("graphs %v, stacks %v: %v", files, stacks, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var g graph.Graph
		if err := json.Unmarshal(text, &g); err != nil {
			t.Fatal(err)
		}
		all[file] = g
	}
	return all
}

// owner is the nearest component of a resource that has facts, by its package; "" if there is none. A component and its
// child may have the same name.
func owner(g graph.Graph, r graph.Resource) string {
	for parent, seen := r.Parent, map[string]bool{}; !seen[parent]; {
		seen[parent] = true
		next := parent
		for _, c := range g {
			if c.Name != parent || !strings.HasPrefix(c.Type, "slipway:") {
				continue
			}
			if name := strings.Split(c.Type, ":")[1]; component(name) != nil {
				return name
			}
			if c.Parent != parent {
				next = c.Parent
			}
		}
		parent = next
	}
	return ""
}

// TestTheCatalogKnowsEveryResource holds the catalog against what the stacks declare, in both directions: a type that a
// component creates is in its facts with every column filled or said to be empty, and a type of the facts is created.
func TestTheCatalogKnowsEveryResource(t *testing.T) {
	all := Catalog(anySite)
	if err := all.Check(); err != nil {
		t.Error(err)
	}
	known := map[string]bool{}
	for _, r := range all {
		known[r.Type] = true
	}
	stale := map[string]bool{}
	for _, c := range Components {
		for _, r := range c.Facts(anySite) {
			stale[c.Name+" "+r.Type] = true
		}
	}
	seen := 0
	for stack, g := range recorded(t) {
		for _, r := range g {
			if strings.HasPrefix(r.Type, "slipway:") || r.Type == "pulumi:pulumi:Stack" {
				continue
			}
			seen++
			if !known[r.Type] {
				t.Errorf("%s: %s %s is not in the catalog", stack, r.Type, r.Name)
				continue
			}
			name := owner(g, r)
			if name == "" {
				continue // the provider, and the roles of all that runs as the site
			}
			if !slices.ContainsFunc(component(name).Facts(anySite), func(f catalog.Resource) bool { return f.Type == r.Type }) {
				t.Errorf("%s: %s/facts.go says nothing about %s %s", stack, name, r.Type, r.Name)
			}
			delete(stale, name+" "+r.Type)
		}
	}
	for fact := range stale {
		t.Errorf("no stack has what the facts are about: %s", fact)
	}
	if seen < 500 {
		t.Errorf("only %d resources were looked at", seen)
	}
}

// TestTheCatalogNamesEveryValue holds the names of the catalog against what the components really offer: each can be used, is a
// secret where the facts say so, and is no other name.
func TestTheCatalogNamesEveryValue(t *testing.T) {
	known := Catalog(anySite).Values()
	if len(known) < 15 {
		t.Fatalf("only %v", known)
	}
	env := map[string]string{}
	for name := range known {
		env[variable(name)] = "{" + name + "}"
		if _, there := placeholders[name]; !there {
			t.Errorf("the build has no placeholder for {%s}", name)
		}
	}
	for name := range placeholders {
		if _, there := known[name]; !there {
			t.Errorf("the build has a placeholder for {%s}, which no component offers", name)
		}
	}
	c := appContainer(t, declared(t, "dev", map[string]string{
		"slipway:app": asJSON(t, map[string]any{"env": env}), "slipway:cache": `{"node":"cache.t4g.micro"}`,
	}), "web-task")
	for name, secret := range known {
		value, plain := c.env[variable(name)]
		from, hidden := c.secrets[variable(name)]
		switch {
		case secret && (plain || from == ""):
			t.Errorf("{%s} is a secret, and the container has %q", name, value)
		case !secret && (hidden || value == ""):
			t.Errorf("{%s} is %q", name, value)
		}
	}
}

func variable(name string) string { return "X_" + strings.ToUpper(strings.ReplaceAll(name, ".", "_")) }

// TestEveryVariableIsReserved holds the reserved names against the containers of all stacks.
func TestEveryVariableIsReserved(t *testing.T) {
	used := map[string]bool{}
	own := regexp.MustCompile(`^AWS_|^ECS_|^SLIPWAY_`)
	for stack, g := range recorded(t) {
		name, ok := strings.CutPrefix(filepath.Base(stack), "graph.")
		if !ok {
			continue
		}
		user := []string{gunicornArgs} // what the configuration may set
		for name := range templates(loaded(t, strings.TrimSuffix(name, ".json"), nil)) {
			user = append(user, name)
		}
		for _, task := range g.Of("aws:ecs/taskDefinition:TaskDefinition") {
			c := appContainer(t, g, task.Name)
			for _, variable := range slices.Concat(slices.Collect(maps.Keys(c.env)), slices.Collect(maps.Keys(c.secrets))) {
				used[variable] = true
				if !own.MatchString(variable) && !slices.Contains(user, variable) && !slices.Contains(reserved, variable) {
					t.Errorf("%s: %s has the variable %s, which is not reserved", stack, task.Name, variable)
				}
			}
		}
	}
	for _, name := range reserved {
		if !used[name] && name != "DJANGO_SETTINGS_MODULE" {
			t.Errorf("%s is reserved, and no container has it", name)
		}
	}
}

// TestTheCatalogNamesEveryAlarmAndPort holds the alarms and the ports against those that the stacks declare.
func TestTheCatalogNamesEveryAlarmAndPort(t *testing.T) {
	alarms, ports := map[string]string{}, []int{443} // of AWS's endpoints and of the world
	for _, r := range Catalog(anySite) {
		for _, a := range r.Alarms {
			alarms[a.Metric] = r.Type
		}
		ports = append(ports, r.Ports...)
	}
	watched := map[string]bool{}
	for stack, g := range recorded(t) {
		for _, a := range g.Of("aws:cloudwatch/metricAlarm:MetricAlarm") {
			metric := fmt.Sprint(a.Input("metricName"))
			watched[metric] = true
			if alarms[metric] == "" {
				t.Errorf("%s: %s watches %s, which is an alarm of no resource", stack, a.Name, metric)
			}
		}
		for _, rule := range g.Of("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule") {
			if port, _ := rule.Input("fromPort").(float64); !slices.Contains(ports, int(port)) {
				t.Errorf("%s: %s opens port %v, on which no resource listens", stack, rule.Name, port)
			}
		}
	}
	for metric, token := range alarms {
		if !watched[metric] {
			t.Errorf("the alarm on %s of %s is in no stack", metric, token)
		}
	}
}

// TestDanger asks the rules of drift that the facts make.
func TestDanger(t *testing.T) {
	rules := Catalog(anySite)
	for _, c := range []struct {
		name, kind, path string
		from, to         any
		dangerous        bool
	}{
		{"a rule opened by hand", "aws:ec2/securityGroup:SecurityGroup", "ingress", []any{},
			[]any{map[string]any{"cidrBlocks": []any{"0.0.0.0/0"}}}, true},
		{"the source of a rule", "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", "cidrIpv4", nil, "0.0.0.0/0", true},
		{"a rule of the default group", "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup", "ingress", []any{},
			[]any{map[string]any{"self": true}}, true},
		{"the words of a rule", "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", "description", "a", "b", false},
		{"a role that may do more", "aws:iam/rolePolicy:RolePolicy", "policy", "{}", "{*}", true},
		{"a role that others may take", "aws:iam/role:Role", "assumeRolePolicy", "{}", "{*}", true},
		{"a tag of a role", "aws:iam/role:Role", "tags.team", nil, "x", false},
		{"the public access of a bucket", "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", "blockPublicAcls", true, false, true},
		{"a public access that is closed", "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", "blockPublicAcls", false, true, false},
		{"the protection of the database", "aws:rds/instance:Instance", "deletionProtection", true, false, true},
		{"a protection that was added", "aws:rds/instance:Instance", "deletionProtection", false, true, false},
		{"fewer backups", "aws:rds/instance:Instance", "backupRetentionPeriod", 14.0, 1.0, true},
		{"more backups", "aws:rds/instance:Instance", "backupRetentionPeriod", 7.0, 14.0, false},
		{"another window", "aws:rds/instance:Instance", "backupWindow", "03:00-04:00", "04:00-05:00", false},
		{"a public database", "aws:rds/instance:Instance", "publiclyAccessible", false, true, true},
		{"a log that is kept for less long", "aws:cloudwatch/logGroup:LogGroup", "retentionInDays", 90.0, 1.0, true},
		{"a key that no longer rotates", "aws:kms/key:Key", "enableKeyRotation", true, false, true},
		{"a setting of the site", "aws:ssm/parameter:Parameter", "value", "[secret]", "[secret]", true},
		{"an alarm that is silent", "aws:cloudwatch/metricAlarm:MetricAlarm", "actionsEnabled", true, false, true},
		{"a listener without TLS", "aws:lb/listener:Listener", "protocol", "HTTPS", "HTTP", true},
		{"the protection of the balancer", "aws:lb/loadBalancer:LoadBalancer", "enableDeletionProtection", true, false, true},
		{"access logs to another bucket", "aws:lb/loadBalancer:LoadBalancer", "accessLogs.bucket", "a", "b", true},
		{"the timeout of the balancer", "aws:lb/loadBalancer:LoadBalancer", "idleTimeout", 60.0, 90.0, false},
		{"images that another account may pull", "aws:ecr/repositoryPolicy:RepositoryPolicy", "policy", "{}", "{*}", true},
		{"a release that was rolled back", "aws:ecs/service:Service", "taskDefinition", "web:2", "web:1", true},
	} {
		if got := rules.Dangerous(c.kind, c.path, c.from, c.to) != ""; got != c.dangerous {
			t.Errorf("%s: dangerous is %t", c.name, got)
		}
	}
}

func TestTheConfigurationCannotSetWhatEveryContainerHas(t *testing.T) {
	for _, name := range append(slices.Clone(reserved), "SLIPWAY_HOST", "AWS_REGION") {
		_, err := graph.Record("dev", configured(t, "dev", map[string]string{"slipway:app": fmt.Sprintf(`{"env":{%q:"x"}}`, name)}),
			New(Options{Root: "..", Declare: true}).Run)
		if err == nil || !strings.Contains(err.Error(), "env."+name) {
			t.Errorf("%s can be set: %v", name, err)
		}
	}
}

// What happens on a normal night is no drift: a Multi-AZ database fails over, the subscription of the alarms is confirmed.
func TestNormalEventsAreNoDrift(t *testing.T) {
	facts := Catalog(wiring.Site{})
	for token, path := range map[string]string{
		"aws:rds/instance:Instance":                   "availabilityZone",
		"aws:sns/topicSubscription:TopicSubscription": "pendingConfirmation",
	} {
		if !facts.ManagedByAWS(token, path) {
			t.Errorf("a change of %s of %s is reported as drift", path, token)
		}
	}
	if facts.ManagedByAWS("aws:sns/topicSubscription:TopicSubscription", "endpoint") {
		t.Error("alarms that go elsewhere are no drift")
	}
}
