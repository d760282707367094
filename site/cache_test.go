package site

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"slipway/internal/graph"
)

const cacheType = "aws:elasticache/replicationGroup:ReplicationGroup"

// withCache is prod with a cache whose URL the app gets.
var withCache = map[string]string{
	"slipway:cache": `{"node":"cache.t4g.micro","replicas":1}`,
	"slipway:app":   `{"env":{"REDIS_URL":"{redis.url}","CACHE":"{redis.host}:{redis.port}"}}`,
}

// more are the resources of a graph that another does not have.
func more(g, than graph.Graph) graph.Graph {
	var all graph.Graph
	for _, r := range g {
		if than.Named(r.Type, r.Name).Name == "" {
			all = append(all, r)
		}
	}
	return all
}

// What a cache adds to a stack, as prod has it.
func TestGraphOfACache(t *testing.T) {
	got, err := more(declared(t, "prod", withCache), declared(t, "prod", nil)).JSON()
	if err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "cache.json")
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(lines(want), lines(got)); diff != "" {
		t.Errorf("a cache adds something else (update with go test ./site -run TestGraphOfACache -update, and read the diff):\n%s", diff)
	}
}

// A stack without a cache has nothing of one, and a cache takes nothing away.
func TestACacheIsOptional(t *testing.T) {
	for _, stack := range stacks {
		without := declared(t, stack, nil)
		for _, r := range without {
			if strings.Contains(r.Type, "elasticache") || strings.Contains(r.Name, "cache") {
				t.Errorf("%s: %s %s without a cache", stack, r.Type, r.Name)
			}
		}
		if stack == "prod" {
			if less := more(without, declared(t, stack, withCache)); len(less) > 0 {
				t.Errorf("with a cache %d resources are gone", len(less))
			}
		}
	}
}

// The controls of Security Hub for ElastiCache, on a protected stack.
func TestControlsOfACache(t *testing.T) {
	g := declared(t, "prod", withCache)
	all := []rule{
		has(cacheType, map[string]any{
			"snapshotRetentionLimit": 7.0, "automaticFailoverEnabled": true, "multiAzEnabled": true, // ElastiCache.1, .3
			"atRestEncryptionEnabled": true, "transitEncryptionEnabled": true, // ElastiCache.4, .5
			"kmsKeyId": "arn:aws:kms:us-east-1:" + graph.Account + ":key/keys-data",
		}),
		given(cacheType, "authToken", "subnetGroupName", "finalSnapshotIdentifier"), // ElastiCache.6, .7
	}
	for _, rule := range all {
		for _, o := range rule(g) {
			t.Errorf("%s %s: %s", o.Type, o.Name, o.Why)
		}
		if len(rule(nil)) == 0 {
			t.Error("a rule finds no fault with nothing")
		}
	}
}

// What contains the password reaches containers by ARN only: it is in no task definition, and each database role has a parameter of
// its own.
func TestThePasswordOfACacheIsNowhereElse(t *testing.T) {
	g := declared(t, "prod", withCache)
	for _, task := range g.Of("aws:ecs/taskDefinition:TaskDefinition") {
		c := appContainer(t, g, task.Name)
		if _, plain := c.env["REDIS_URL"]; plain || c.secrets["REDIS_URL"] == "" {
			t.Errorf("%s: REDIS_URL is no secret", task.Name)
		}
		if c.env["CACHE"] == "" || strings.HasPrefix(c.env["CACHE"], ":") {
			t.Errorf("%s: CACHE is %q", task.Name, c.env["CACHE"])
		}
	}
	for _, role := range []string{asSite, asOwner} {
		p := g.Named(parameterType, "environment-"+role+"/REDIS_URL")
		if p.Input("type") != "SecureString" {
			t.Errorf("the parameter for the role %s is %v", role, p.Input("type"))
		}
	}
}

// After a failover the primary is another node, so each has its alarms, on the dashboard as well.
func TestEveryNodeOfACacheIsWatched(t *testing.T) {
	g := declared(t, "prod", withCache)
	watched := map[string][]string{}
	for _, a := range g.Of("aws:cloudwatch/metricAlarm:MetricAlarm") {
		if a.Input("namespace") == "AWS/ElastiCache" {
			metric := fmt.Sprint(a.Input("metricName"))
			watched[metric] = append(watched[metric], fmt.Sprint(a.Input("dimensions.CacheClusterId")))
		}
	}
	if got := slices.Sorted(maps.Keys(watched)); len(got) != 4 {
		t.Errorf("alarms watch %v", got)
	}
	dashboard := fmt.Sprint(g.Of("aws:cloudwatch/dashboard:Dashboard")[0].Input("dashboardBody"))
	for metric, nodes := range watched {
		if len(nodes) != 2 || nodes[0] == nodes[1] || !strings.HasSuffix(nodes[0], "-001") && !strings.HasSuffix(nodes[1], "-001") {
			t.Errorf("%s is watched on %v", metric, nodes)
		}
		if !strings.Contains(dashboard, metric) {
			t.Errorf("the dashboard has no %s", metric)
		}
	}
}
