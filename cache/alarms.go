package cache

import (
	"strings"

	"slipway/internal/catalog"
)

var node = []string{"CacheClusterId"}

// vCPUs is the capacity of the alarm on all of a node's CPU: the percentage that one of its vCPUs is.
const vCPUs = "vCPUs"

// capacities are those of a node type. Valkey runs commands on one thread, so that on a node of two vCPUs half of the CPU is all
// that it can use; larger nodes are limited by the alarm on that thread. All types up to large have two vCPUs.
func capacities(node string) map[string]float64 {
	for _, size := range []string{".micro", ".small", ".medium", ".large"} {
		if strings.HasSuffix(node, size) {
			return map[string]float64{vCPUs: 50}
		}
	}
	return map[string]float64{vCPUs: 100}
}

// alarms are those that AWS recommends for Valkey, with its thresholds where it names some: CPU at 90 % of what one thread can use.
// Source: ElastiCache guide, "Which metrics should I monitor?".
var alarms = []catalog.Alarm{
	{Name: "cache-engine-cpu",
		Why:       "Valkey's thread is busy, so that every command waits. Look for slow commands with SLOWLOG, or add a replica for reads.",
		Namespace: "AWS/ElastiCache", Metric: "EngineCPUUtilization", Statistic: "Average", Dimensions: node,
		Above: true, Threshold: 90, Minutes: 10, Period: 60, Next: "status",
		Check: []string{
			"slow commands: `SLOWLOG GET` in `slipway shell`",
			"commands that go through all keys: `KEYS`, large `DEL`",
		}},
	{Name: "cache-cpu",
		Why:       "The cache's node is busy. Reuse connections, each of which costs a TLS handshake, or choose a larger node.",
		Namespace: "AWS/ElastiCache", Metric: "CPUUtilization", Statistic: "Average", Dimensions: node,
		Above: true, Threshold: 0.9, Of: vCPUs, Minutes: 10, Period: 60, Next: "status",
		Check: []string{
			"`slipway logs --since 15m`: do tasks connect for each request?",
			"many tasks that start: `slipway status`",
		}},
	{Name: "cache-memory",
		Why:       "The cache is nearly full. A full one evicts keys that expire, and refuses writes if there are none: choose a larger node.",
		Namespace: "AWS/ElastiCache", Metric: "DatabaseMemoryUsagePercentage", Statistic: "Maximum", Dimensions: node,
		Above: true, Threshold: 80, Minutes: 10, Period: 60, Next: "status",
		Check: []string{
			"what is kept without a timeout",
			"`cache.node`: the next larger node",
		}},
	{Name: "cache-evictions",
		Why:       "The cache is full: it evicts keys before they expire, sessions and locks too. Choose a larger node or shorter timeouts.",
		Namespace: "AWS/ElastiCache", Metric: "Evictions", Statistic: "Sum", Dimensions: node,
		Above: true, Threshold: 100, Minutes: 10, Period: 300, Next: "status",
		Check: []string{
			"`cache-memory`: is the cache full?",
			"`cache.node`: the next larger node",
		}},
}
