package cache

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/graph"
	"slipway/internal/wiring"
)

const dataKey = pulumi.String("arn:aws:kms:us-east-1:123456789012:key/data")

func good(protect bool) *Args {
	return &Args{
		Site: wiring.Site{Project: "slipway", Stack: "dev", Partition: "aws", Region: "us-east-1", AccountID: graph.Account,
			Protect: protect},
		Placement: wiring.Placement{
			Subnets:        pulumi.ToStringArray([]string{"subnet-a", "subnet-b"}),
			SecurityGroups: pulumi.ToStringArray([]string{"sg-cache"}),
		},
		KeyARN: dataKey, Version: "8.0", Node: "cache.t4g.micro", SnapshotDays: 7, Rotation: 1,
	}
}

func record(t *testing.T, args *Args) (graph.Graph, *Cache) {
	t.Helper()
	var c *Cache
	g, err := graph.Record("dev", nil, func(ctx *pulumi.Context) (err error) {
		c, err = New(ctx, "cache", args)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return g, c
}

const groupType = "aws:elasticache/replicationGroup:ReplicationGroup"

// The controls are Security Hub's for ElastiCache.
func TestCacheMeetsItsControls(t *testing.T) {
	args := good(true)
	args.Replicas = 1
	g, _ := record(t, args)
	group := g.Named(groupType, "cache")
	for _, c := range []struct {
		control, input string
		want           any
	}{
		{"ElastiCache.1", "snapshotRetentionLimit", 7.0},
		{"ElastiCache.3", "automaticFailoverEnabled", true},
		{"another zone", "multiAzEnabled", true},
		{"a node to fail over to", "numCacheClusters", 2.0},
		{"ElastiCache.4", "atRestEncryptionEnabled", true},
		{"ElastiCache.4 key", "kmsKeyId", string(dataKey)},
		{"ElastiCache.5", "transitEncryptionEnabled", true},
		{"ElastiCache.7", "subnetGroupName", "slipway-dev-cache-0123abcd"},
		{"no downgrade after an automatic upgrade", "autoMinorVersionUpgrade", false},
		{"changes happen in the deployment", "applyImmediately", true},
		{"engine", "engine", "valkey"},
		{"a rotation keeps the previous password", "authTokenUpdateStrategy", "ROTATE"},
	} {
		got := group.Input(c.input)
		if c.input == "subnetGroupName" {
			if got == nil || strings.HasPrefix(fmt.Sprint(got), "default") {
				t.Errorf("%s: %s is %v", c.control, c.input, got)
			}
			continue
		}
		if got != c.want {
			t.Errorf("%s: %s is %v, want %v", c.control, c.input, got, c.want)
		}
	}
	if group.Input("authToken") == nil {
		t.Error("ElastiCache.6: there is no password")
	}
	if fmt.Sprint(group.Input("securityGroupIds")) != "[sg-cache]" {
		t.Errorf("security groups %v", group.Input("securityGroupIds"))
	}
	if fmt.Sprint(g.Named("aws:elasticache/subnetGroup:SubnetGroup", "cache-subnets").Input("subnetIds")) != "[subnet-a subnet-b]" {
		t.Error("it is not in the data subnets")
	}
}

// A single node cannot fail over, and ElastiCache refuses to pretend.
func TestOneNodeHasNoFailover(t *testing.T) {
	g, _ := record(t, good(false))
	group := g.Named(groupType, "cache")
	if group.Input("automaticFailoverEnabled") != false || group.Input("multiAzEnabled") != false || group.Input("numCacheClusters") != 1.0 {
		t.Errorf("failover %v, zones %v, nodes %v", group.Input("automaticFailoverEnabled"), group.Input("multiAzEnabled"),
			group.Input("numCacheClusters"))
	}
}

// What a protected stack keeps, also while it is unlocked to be destroyed; another stack keeps nothing.
func TestFinalSnapshot(t *testing.T) {
	for _, c := range []struct{ protect, snapshot, want bool }{{true, true, true}, {false, true, true}, {false, false, false}} {
		args := good(c.protect)
		args.Site.Snapshot = c.snapshot
		g, _ := record(t, args)
		group := g.Named(groupType, "cache")
		name, _ := group.Input("finalSnapshotIdentifier").(string)
		if (name != "") != c.want {
			t.Errorf("protect %v, snapshot %v: the final snapshot is %q", c.protect, c.snapshot, name)
		}
		if group.Protect != c.protect || g.Named("random:index/randomId:RandomId", "cache-id").Protect != c.protect {
			t.Errorf("protect %v: the group's is %v", c.protect, group.Protect)
		}
	}
}

// Nothing gets a new password before Valkey accepts it: what the app gets is the group's, which exists when the change is made.
func TestThePasswordIsTheGroups(t *testing.T) {
	var password, url string
	m := &mocks{}
	err := pulumi.RunErr(func(ctx *pulumi.Context) error {
		c, err := New(ctx, "cache", good(false))
		if err != nil {
			return err
		}
		values := c.Offer().Values
		for name, value := range values {
			secret := name == "redis.password" || name == "redis.url"
			if value.Secret != secret || pulumi.IsSecret(value.Text.ToStringOutput()) != secret {
				t.Errorf("{%s} is a secret: %v", name, value.Secret)
			}
		}
		pulumi.All(values["redis.password"].Text, values["redis.url"].Text).ApplyT(func(all []any) any {
			password, url = all[0].(string), all[1].(string)
			return nil
		})
		return nil
	}, pulumi.WithMocks("slipway", "dev", m))
	if err != nil {
		t.Fatal(err)
	}
	if password != "accepted" {
		t.Error("the password is not the one that the group accepts")
	}
	if url != "rediss://:accepted@master.cache:6379/0?ssl_cert_reqs=required" {
		t.Errorf("the url is %q", strings.ReplaceAll(url, "accepted", "..."))
	}
}

// mocks give the group another password than the generator, as if the change were not made yet.
type mocks struct{}

func (*mocks) NewResource(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	out := args.Inputs.Copy()
	if args.TypeToken == groupType {
		out["authToken"] = resource.MakeSecret(resource.NewStringProperty("accepted"))
		out["primaryEndpointAddress"] = resource.NewStringProperty("master.cache")
	}
	if args.TypeToken == "random:index/randomPassword:RandomPassword" {
		out["result"] = resource.NewStringProperty("generated")
	}
	if bytes, is := args.Inputs["byteLength"]; is {
		out["hex"] = resource.NewStringProperty(strings.Repeat("ab", int(bytes.NumberValue())))
	}
	return args.Name, out, nil
}

func (*mocks) Call(args pulumi.MockCallArgs) (resource.PropertyMap, error) { return args.Args, nil }

// The longest name that the configuration allows still fits: ElastiCache takes 40 characters.
func TestTheNameFits(t *testing.T) {
	args := good(false)
	args.Site.Project, args.Site.Stack = strings.Repeat("p", 20), strings.Repeat("s", 7) // project-stack-web has at most 32
	var id string
	if err := pulumi.RunErr(func(ctx *pulumi.Context) error {
		c, err := New(ctx, "cache", args)
		if err == nil {
			c.ID.ApplyT(func(name string) any { id = name; return nil })
		}
		return err
	}, pulumi.WithMocks("slipway", "dev", &mocks{})); err != nil {
		t.Fatal(err)
	}
	if id == "" || len(id) > 40 {
		t.Errorf("%q has %d characters", id, len(id))
	}
}

func TestWatches(t *testing.T) {
	var none *Cache
	if len(none.Watches()) != 0 || len(none.Offer().Values) != 0 {
		t.Error("a stack without a cache has alarms or values of one")
	}
	args := good(false)
	args.Replicas = 2
	_, c := record(t, args)
	names := map[string]bool{}
	for _, w := range c.Watches() {
		for _, a := range w.Alarms {
			names[a.Name] = true
		}
		if w.Capacity[vCPUs] != 50 {
			t.Errorf("a node of two vCPUs: one is %v %%", w.Capacity[vCPUs])
		}
	}
	if len(names) != 3*len(alarms) || !names["cache-memory"] || !names["cache-memory-003"] {
		t.Errorf("the alarms of three nodes are %v", names)
	}
	if capacities("cache.r7g.xlarge")[vCPUs] != 100 || capacities("cache.r7g.large")[vCPUs] != 50 {
		t.Error("large has two vCPUs, xlarge four")
	}
}

func TestMistakes(t *testing.T) {
	for _, c := range []struct {
		name, want string
		change     func(*Args)
	}{
		{"a version without a minor", "version must be", func(a *Args) { a.Version = "8" }},
		{"a class of RDS", "node must be", func(a *Args) { a.Node = "db.t4g.micro" }},
		{"six replicas", "replicas must be 0 to 5", func(a *Args) { a.Replicas = 6 }},
		{"36 days", "snapshotDays must be 0 to 35", func(a *Args) { a.SnapshotDays = 36 }},
		{"protected without snapshots", "at least 1 on a protected stack", func(a *Args) { a.SnapshotDays, a.Site.Protect = 0, true }},
		{"no generation", "rotation must be at least 1", func(a *Args) { a.Rotation = 0 }},
		{"no key", "needs a key", func(a *Args) { a.KeyARN = nil }},
		{"nowhere", "needs data subnets", func(a *Args) { a.Placement = wiring.Placement{} }},
	} {
		args := good(false)
		c.change(args)
		if err := args.check(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if err := good(true).check(); err != nil {
		t.Error(err)
	}
}
