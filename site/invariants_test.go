package site

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"slipway/internal/graph"
)

// everywhere runs a rule over the resources of every stack, and of one with every optional component; the rule returns what is wrong
// with one, or "".
func everywhere(t *testing.T, rule func(g graph.Graph, r graph.Resource) string) {
	for _, stack := range append(slices.Clone(stacks), "everything") {
		var g graph.Graph
		if stack == "everything" {
			g = declared(t, "prod", everything(t))
		} else {
			g = declared(t, stack, nil)
		}
		for _, r := range g {
			if wrong := rule(g, r); wrong != "" {
				t.Errorf("%s: %s %s: %s", stack, r.Type, r.Name, wrong)
			}
		}
	}
}

func TestEveryResourceDescendsFromAComponentAndHasItsName(t *testing.T) {
	everywhere(t, func(g graph.Graph, r graph.Resource) string {
		if !r.Custom() || strings.HasPrefix(r.Type, "pulumi:") {
			return ""
		}
		parents := map[string]bool{}
		for _, c := range g {
			if !c.Custom() {
				parents[c.Name] = true
			}
		}
		if !parents[r.Parent] {
			return fmt.Sprintf("its parent %q is not a component", r.Parent)
		}
		if !strings.HasPrefix(r.Name, r.Parent) {
			return fmt.Sprintf("its name does not begin with its component's, %q", r.Parent)
		}
		return ""
	})
}

// stateful are the types that hold data that cannot be recreated.
var stateful = []string{databaseType, bucketType, keyType, repositoryType, cacheType}

func TestStatefulResourcesAreProtectedInProtectedStacks(t *testing.T) {
	seen := map[string]bool{}
	everywhere(t, func(g graph.Graph, r graph.Resource) string {
		if !slices.Contains(stateful, r.Type) {
			return ""
		}
		seen[r.Type] = true
		if r.Type == repositoryType && r.Name == "psql" { // a copy of a public image, which a protected stack can do without again
			if r.Protect || r.Input("forceDelete") != true {
				return "it cannot be turned off"
			}
			return ""
		}
		if protected := slices.ContainsFunc(g, func(r graph.Resource) bool {
			return r.Type == databaseType && r.Input("deletionProtection") == true
		}); r.Protect != protected {
			return fmt.Sprintf("protect is %v, the stack's is %v", r.Protect, protected)
		}
		return ""
	})
	if len(seen) != len(stateful) {
		t.Errorf("looked at %v only", seen)
	}
}

func TestPasswordsAreSecretsInTheState(t *testing.T) {
	secrets := map[string]string{databaseType: "password", cacheType: "authToken", parameterType: "value"}
	everywhere(t, func(_ graph.Graph, r graph.Resource) string {
		input := secrets[r.Type]
		if input == "" || r.Input("type") == "String" {
			return ""
		}
		if value, _ := r.Input(input).(map[string]any); value["secret"] == nil {
			return input + " is no secret"
		}
		return ""
	})
}

// The execution role reads a task's secrets, and only those: a role that may not is a task that never starts, and one
// that may read more is one too many.
func TestExecutionRolesReadExactlyTheSecretsOfTheirTasks(t *testing.T) {
	valueFrom := regexp.MustCompile(`"valueFrom":"([^"]+)"`)
	everywhere(t, func(g graph.Graph, r graph.Resource) string {
		if r.Type != "aws:ecs/taskDefinition:TaskDefinition" {
			return ""
		}
		role := fmt.Sprint(r.Input("executionRoleArn"))
		name := role[strings.LastIndex(role, "/")+1:]
		policy := fmt.Sprint(g.Named("aws:iam/rolePolicy:RolePolicy", name+"-policy").Input("policy"))
		for _, secret := range valueFrom.FindAllStringSubmatch(fmt.Sprint(r.Input("containerDefinitions")), -1) {
			if !strings.Contains(policy, secret[1]) {
				return fmt.Sprintf("needs %s, which %s may not read", secret[1], name)
			}
		}
		if !strings.HasPrefix(r.Name, "migration") && strings.Contains(policy, "owner-password") {
			return name + " may read the owner's password"
		}
		return ""
	})
}

func TestTheServiceWaitsForTheMigration(t *testing.T) {
	for _, stack := range stacks {
		service := declared(t, stack, nil).Named("aws:ecs/service:Service", "web")
		if !slices.Contains(service.DependsOn, "migration-marker") {
			t.Errorf("%s: the web service does not wait for the migration: %v", stack, service.DependsOn)
		}
		if !slices.Contains(service.IgnoreChanges, "desiredCount") {
			t.Errorf("%s: scaling and the program both own desiredCount", stack)
		}
	}
}

// A port that the internet may reach and on which nothing listens is open to whatever listens there one day.
func TestVisitorsReachTheListenersPortsAndNoOther(t *testing.T) {
	for _, stack := range stacks {
		g := declared(t, stack, nil)
		var open, listened []string
		for _, r := range g.Of("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule") {
			if r.Input("cidrIpv4") == "0.0.0.0/0" {
				open = append(open, fmt.Sprint(r.Input("fromPort"), "-", r.Input("toPort")))
			}
		}
		for _, r := range g.Of("aws:lb/listener:Listener") {
			listened = append(listened, fmt.Sprint(r.Input("port"), "-", r.Input("port")))
		}
		slices.Sort(open)
		slices.Sort(listened)
		if diff := cmp.Diff(listened, open); diff != "" || len(open) == 0 {
			t.Errorf("%s: listeners, and ports open to the internet (-want +got):\n%s", stack, diff)
		}
	}
}

func TestAReleaseByDigestBuildsNothing(t *testing.T) {
	images := fmt.Sprintf(`{"django":"sha256:%s","nginx":"sha256:%s"}`, strings.Repeat("a", 64), strings.Repeat("b", 64))
	g := declared(t, "staging", map[string]string{"slipway:images": images})
	if built := g.Of("docker:index/image:Image"); len(built) != 0 {
		t.Errorf("%d images are built", len(built))
	}
	web := fmt.Sprint(g.Named("aws:ecs/taskDefinition:TaskDefinition", "web-task").Input("containerDefinitions"))
	if !strings.Contains(web, strings.Repeat("a", 64)) || !strings.Contains(web, strings.Repeat("b", 64)) {
		t.Errorf("the release does not run: %s", web)
	}
	users := 0
	for _, r := range g.Of("aws:ecs/taskDefinition:TaskDefinition") {
		if users++; !slices.Contains(r.DependsOn, "images-marker") {
			t.Errorf("%s does not wait until the release's images are there: %v", r.Name, r.DependsOn)
		}
	}
	if users < 3 {
		t.Errorf("only %d task definitions were looked at", users)
	}
}

// Zone c is use1-az3 here, in which neither Fargate nor RDS has current machines, so three zones are a, b and d.
func TestTheOldZoneIsTheLastChoice(t *testing.T) {
	g := declared(t, "prod", nil)
	var zones []any
	for _, s := range g.Of("aws:ec2/subnet:Subnet") {
		if zone := s.Input("availabilityZone"); !slices.Contains(zones, zone) {
			zones = append(zones, zone)
		}
	}
	if diff := cmp.Diff([]any{"us-east-1a", "us-east-1b", "us-east-1d"}, zones); diff != "" {
		t.Errorf("zones (-want +got):\n%s", diff)
	}
}
