package cache

import "slipway/internal/catalog"

var node = []string{"CacheClusterId"}

// alarms are those that AWS recommends for Valkey; with TLS one more: a node of two vCPUs spends much on encryption, which the
// engine's own thread does not show.
// Source: ElastiCache guide, "Which metrics should I monitor?".
var alarms = []catalog.Alarm{
	{Name: "cache-engine-cpu",
		Why:       "Valkey's thread is busy, so that every command waits. Find slow commands with SLOWLOG; a larger node of the same family rarely helps.",
		Namespace: "AWS/ElastiCache", Metric: "EngineCPUUtilization", Statistic: "Average", Dimensions: node,
		Above: true, Threshold: 90, Minutes: 10, Period: 60, Next: "status",
		Check: []string{
			"slow commands: `SLOWLOG GET` in `slipway shell`",
			"commands that go through all keys: `KEYS`, large `DEL`",
		}},
	{Name: "cache-cpu",
		Why:       "The cache's node is busy. Reuse connections, each of which costs a TLS handshake, or choose a larger node.",
		Namespace: "AWS/ElastiCache", Metric: "CPUUtilization", Statistic: "Average", Dimensions: node,
		Above: true, Threshold: 90, Minutes: 10, Period: 60, Next: "status",
		Check: []string{
			"`slipway logs --since 15m`: do tasks connect for each request?",
			"many tasks that start: `slipway status`",
		}},
	{Name: "cache-memory",
		Why:       "The cache is nearly full. When it is full, Valkey evicts keys that expire, and refuses writes if there are none: choose a larger node.",
		Namespace: "AWS/ElastiCache", Metric: "DatabaseMemoryUsagePercentage", Statistic: "Maximum", Dimensions: node,
		Above: true, Threshold: 80, Minutes: 10, Period: 60, Next: "status",
		Check: []string{
			"what is kept without a timeout",
			"`cache.node`: the next larger node",
		}},
	{Name: "cache-evictions",
		Why:       "The cache is full: Valkey evicts keys before they expire, sessions and locks among them. Choose a larger node or shorter timeouts.",
		Namespace: "AWS/ElastiCache", Metric: "Evictions", Statistic: "Sum", Dimensions: node,
		Above: true, Threshold: 100, Minutes: 10, Period: 300, Next: "status",
		Check: []string{
			"`cache-memory`: is the cache full?",
			"`cache.node`: the next larger node",
		}},
}
