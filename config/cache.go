package config

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// nodes lists the current node sizes of ElastiCache for Valkey, by family. r6gd is left out: it needs data tiering.
// Source: ElastiCache guide, "Supported node types".
var nodes = map[string]string{
	"t3": "micro small medium", "t4g": "micro small medium",
	"m5": "large xlarge 2xlarge 4xlarge 12xlarge 24xlarge", "m6g": g, "m7g": g,
	"r5": "large xlarge 2xlarge 4xlarge 12xlarge 24xlarge", "r6g": g, "r7g": g,
	"c7gn": "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge",
}

// valkeys are the versions of Valkey that ElastiCache offers.
// Source: ElastiCache guide, "Supported engines and versions".
var valkeys = []string{"7.2", "8.0", "8.1", "8.2", "9.0"}

var nodeTypeForm = regexp.MustCompile(`^cache\.([a-z0-9]+)\.([a-z0-9]+)$`)

// OfCache reports whether a name of templates is one that only a stack with a cache offers.
func OfCache(name string) bool { return strings.HasPrefix(name, "redis.") }

// protectedSnapshots is how many days a protected stack keeps snapshots of its cache unless it says otherwise.
const protectedSnapshots = 7

func (d *decoder) cache(s *Stack) {
	c := &s.Cache
	if !slices.Contains(valkeys, c.Version) && d.valid("cache.version") {
		d.add("cache.version", quoted(c.Version), "must be %s", either(valkeys))
	}
	if !c.Enabled() {
		if c.Replicas > 0 {
			d.add("cache.replicas", strconv.Itoa(c.Replicas), "needs cache.node: the stack has no cache")
		}
		if c.SnapshotDays > 0 {
			d.add("cache.snapshotDays", strconv.Itoa(c.SnapshotDays), "needs cache.node: the stack has no cache")
		}
		return
	}
	d.nodeType(c.Node)
	if s.Protect && c.SnapshotDays == 0 && d.valid("cache.snapshotDays") {
		c.SnapshotDays = protectedSnapshots
	}
}

func (d *decoder) nodeType(node string) {
	const key = "cache.node"
	m := nodeTypeForm.FindStringSubmatch(node)
	if m == nil {
		d.add(key, quoted(node), "must be a node type such as cache.t4g.micro")
		return
	}
	sizes, ok := nodes[m[1]]
	if !ok {
		d.add(key, quoted(node), "must be of one of the families %s", either(slices.Sorted(maps.Keys(nodes))))
		return
	}
	if all := strings.Fields(sizes); !slices.Contains(all, m[2]) {
		d.add(key, quoted(node), "cache.%s is available as %s", m[1], either(all))
	}
}
