// Package cache makes the site's cache: a Valkey replication group of ElastiCache.
package cache

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/elasticache"
	"github.com/pulumi/pulumi-random/sdk/v4/go/random"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/catalog"
	"slipway/internal/wiring"
)

const cacheType = "slipway:cache:Cache"

// Port is the port of Valkey. The firewall needs it before the cache exists.
const Port = 6379

// Args describe one cache.
type Args struct {
	Site      wiring.Site
	Placement wiring.Placement // data subnets, and the firewall's group for the cache

	KeyARN pulumi.StringInput // encrypts swap, sync files and snapshots; changing it replaces the cache

	Version      string // "8.0"; a newer one is an upgrade in place, an older one is refused
	Node         string // "cache.t4g.micro"; changing it keeps the data
	Replicas     int    // 0 to 5; with at least one, a replica takes over when the primary fails
	SnapshotDays int    // how long daily snapshots are kept; 0: none
	Rotation     int    // raising it generates a new password
}

// A Cache is the site's Valkey: one primary node and its replicas in the data subnets, reached with TLS and a password.
//
// In a protected stack Pulumi does not delete it, and an unlocked deletion leaves a final snapshot. Any other stack deletes it on
// destroy, with all data. Changing KeyARN or the name of the stack replaces it with an empty cache.
//
// Cost: each node by the hour, a replica as much as the primary: $29 a month for cache.t4g.small in Tokyo (docs/costs.md). Snapshots
// cost their storage.
type Cache struct {
	pulumi.ResourceState
	ID       pulumi.StringOutput // of the replication group
	Host     pulumi.StringOutput // of the primary: the name follows a failover
	Password pulumi.StringOutput // secret; known when Valkey accepts it

	nodes    int
	capacity map[string]float64 // of which alarms' thresholds are parts
}

// New creates a cache.
func New(ctx *pulumi.Context, name string, args *Args, opts ...pulumi.ResourceOption) (*Cache, error) {
	if err := args.check(); err != nil {
		return nil, err
	}
	c := &Cache{nodes: args.Replicas + 1, capacity: capacities(args.Node)}
	if err := ctx.RegisterComponentResource(cacheType, name, c, opts...); err != nil {
		return nil, err
	}

	if err := c.password(ctx, name, args); err != nil {
		return nil, err
	}
	if err := c.identify(ctx, name, args); err != nil {
		return nil, err
	}
	subnets, err := elasticache.NewSubnetGroup(ctx, name+"-subnets", &elasticache.SubnetGroupArgs{
		Name:        c.ID,
		Description: pulumi.String("The data subnets, which have no route to the internet"),
		SubnetIds:   args.Placement.Subnets,
	}, pulumi.Parent(c))
	if err != nil {
		return nil, err
	}
	group, err := c.group(ctx, name, args, subnets.Name)
	if err != nil {
		return nil, err
	}

	c.ID, c.Host = group.ReplicationGroupId, group.PrimaryEndpointAddress // the same name, known when the cache exists
	// Of the group and not of the generator: nothing gets a new password before Valkey accepts it.
	c.Password = pulumi.ToSecret(group.AuthToken.Elem()).(pulumi.StringOutput)
	return c, ctx.RegisterResourceOutputs(c, pulumi.Map{"id": c.ID, "host": c.Host, "port": pulumi.Int(Port)})
}

// Offer is the cache as the app sees it.
//
// redis.url asks for a checked certificate in the words of redis-py and Celery. ElastiCache's certificates are Amazon's own, which
// the images' CA certificates include (ElastiCache guide, "In-transit encryption").
func (c *Cache) Offer() wiring.Offer {
	if c == nil {
		return wiring.Offer{}
	}
	return wiring.Offer{Values: map[string]wiring.Value{
		"redis.host":     {Text: c.Host},
		"redis.port":     {Text: pulumi.String(strconv.Itoa(Port))},
		"redis.password": {Text: c.Password, Secret: true},
		"redis.url":      {Text: pulumi.Sprintf("rediss://:%s@%s:%d/0?ssl_cert_reqs=required", c.Password, c.Host, Port), Secret: true},
	}}
}

// Watches are the alarms of the cache, for each node: after a failover the primary is another one.
func (c *Cache) Watches() []catalog.Watch {
	if c == nil {
		return nil
	}
	var all []catalog.Watch
	for i := range c.nodes {
		member := fmt.Sprintf("%03d", i+1) // ElastiCache's numbers of the nodes
		watch := catalog.Watch{
			Dimensions: map[string]pulumi.StringInput{"CacheClusterId": pulumi.Sprintf("%s-%s", c.ID, member)},
			Capacity:   c.capacity,
		}
		for _, alarm := range alarms {
			if i > 0 {
				alarm.Name, alarm.Entry = alarm.Name+"-"+member, alarm.Name
			}
			watch.Alarms = append(watch.Alarms, alarm)
		}
		all = append(all, watch)
	}
	return all
}

// password generates the AUTH token. Rotation is its keeper: raising it generates another.
//
// ElastiCache takes 16 to 128 characters, and of punctuation only ! & # $ ^ < > - (ElastiCache guide, "Authenticating with the
// Valkey and Redis OSS AUTH command"); a hyphen needs no quoting in a URL.
func (c *Cache) password(ctx *pulumi.Context, name string, args *Args) error {
	password, err := random.NewRandomPassword(ctx, name+"-password", &random.RandomPasswordArgs{
		Length:          pulumi.Int(64),
		OverrideSpecial: pulumi.String("-"),
		Keepers:         pulumi.StringMap{"rotation": pulumi.String(strconv.Itoa(args.Rotation))},
	}, pulumi.Parent(c))
	if err != nil {
		return err
	}
	c.Password = pulumi.ToSecret(password.Result).(pulumi.StringOutput)
	return nil
}

// identify chooses a name that no earlier cache of this stack had, because the final snapshot is named after the cache and outlives
// the stack. It has at most 40 characters: the stack's own part has up to 28 (see config).
func (c *Cache) identify(ctx *pulumi.Context, name string, args *Args) error {
	id, err := random.NewRandomId(ctx, name+"-id", &random.RandomIdArgs{
		ByteLength: pulumi.Int(2),
		Keepers:    pulumi.StringMap{"key": args.KeyARN},
	}, pulumi.Parent(c), pulumi.Protect(args.Site.Protect))
	if err != nil {
		return err
	}
	c.ID = pulumi.Sprintf("%s-%s", args.Site.Name("cache"), id.Hex)
	return nil
}

func (c *Cache) group(
	ctx *pulumi.Context, name string, args *Args, subnets pulumi.StringOutput,
) (*elasticache.ReplicationGroup, error) {
	var final pulumi.StringPtrInput
	if args.Site.Protect || args.Site.Snapshot {
		final = pulumi.Sprintf("%s-final", c.ID).ToStringPtrOutput()
	}
	return elasticache.NewReplicationGroup(ctx, name, &elasticache.ReplicationGroupArgs{
		ReplicationGroupId: c.ID,
		Description:        pulumi.String("The cache of " + args.Site.Project + ", stack " + args.Site.Stack),
		Engine:             pulumi.String("valkey"), EngineVersion: pulumi.String(args.Version),
		NodeType: pulumi.String(args.Node), Port: pulumi.Int(Port),
		NumCacheClusters:         pulumi.Int(args.Replicas + 1),
		AutomaticFailoverEnabled: pulumi.Bool(args.Replicas > 0), MultiAzEnabled: pulumi.Bool(args.Replicas > 0),

		SubnetGroupName: subnets, SecurityGroupIds: args.Placement.SecurityGroups,

		AtRestEncryptionEnabled: pulumi.Bool(true), KmsKeyId: args.KeyARN.ToStringOutput(),
		TransitEncryptionEnabled: pulumi.Bool(true), AuthToken: c.Password,
		// Valkey then accepts the new and the previous password, so tasks that still run keep their access. With SET they would lose it
		// at once (ElastiCache guide, "Modifying the AUTH token on an existing cluster").
		AuthTokenUpdateStrategy: pulumi.String("ROTATE"),

		// After an automatic upgrade the next update would ask for the older minor version, which ElastiCache refuses: a downgrade.
		AutoMinorVersionUpgrade: pulumi.Bool(false),
		// Otherwise a change would be reported as done but wait for the maintenance window.
		ApplyImmediately: pulumi.Bool(true),

		SnapshotRetentionLimit:  pulumi.Int(args.SnapshotDays),
		FinalSnapshotIdentifier: final,
	}, pulumi.Parent(c), pulumi.Protect(args.Site.Protect))
}

var (
	versionForm = regexp.MustCompile(`^[7-9]\.[0-9]$`)
	nodeForm    = regexp.MustCompile(`^cache\.[a-z0-9]+\.[a-z0-9]+$`)
)

// check returns every mistake that ElastiCache would report only after minutes, or not at all.
func (a *Args) check() error {
	var wrong []error
	must := func(ok bool, format string, values ...any) {
		if !ok {
			wrong = append(wrong, fmt.Errorf("cache: "+format, values...))
		}
	}
	must(versionForm.MatchString(a.Version), `version must be major.minor such as 8.0, got %q`, a.Version)
	must(nodeForm.MatchString(a.Node), `node must be a node type such as cache.t4g.micro, got %q`, a.Node)
	must(a.Replicas >= 0 && a.Replicas <= 5, "replicas must be 0 to 5, got %d", a.Replicas)
	must(a.SnapshotDays >= 0 && a.SnapshotDays <= 35, "snapshotDays must be 0 to 35, got %d", a.SnapshotDays)
	must(a.SnapshotDays > 0 || !a.Site.Protect, "snapshotDays must be at least 1 on a protected stack, got %d", a.SnapshotDays)
	must(a.Rotation > 0, "rotation must be at least 1, got %d", a.Rotation)
	must(a.KeyARN != nil, "needs a key for its data")
	must(a.Placement.Subnets != nil && a.Placement.SecurityGroups != nil, "needs data subnets and a security group")
	return errors.Join(wrong...)
}
