package cache

import (
	"slipway/internal/catalog"
	"slipway/internal/policy"
	"slipway/internal/wiring"
)

// Facts are the facts about the cache.
func Facts(site wiring.Site) []catalog.Resource {
	return []catalog.Resource{
		groupFacts(site),
		{
			Type: "aws:elasticache/subnetGroup:SubnetGroup",
			Deploy: []catalog.Grant{keep(catalog.Named(site, "elasticache", "subnetgroup:"),
				"elasticache:CreateCacheSubnetGroup", "elasticache:DeleteCacheSubnetGroup", "elasticache:DescribeCacheSubnetGroups",
				"elasticache:ModifyCacheSubnetGroup")},
			None: catalog.Inert | catalog.Risks,
		},
		catalog.Random("random:index/randomId:RandomId"),
		catalog.Random("random:index/randomPassword:RandomPassword").Offering(catalog.Secret("redis.password", "redis.url")...),
	}
}

func keep(resources []any, actions ...string) catalog.Grant {
	actions = append(actions, "elasticache:AddTagsToResource", "elasticache:ListTagsForResource", "elasticache:RemoveTagsFromResource")
	return catalog.Grant{Area: "data", Statement: policy.Statement{Sid: "KeepCache", Actions: actions, Resources: resources}}
}

func groupFacts(site wiring.Site) catalog.Resource {
	return catalog.Resource{
		Type: "aws:elasticache/replicationGroup:ReplicationGroup",
		Deploy: []catalog.Grant{
			keep(append(catalog.Named(site, "elasticache", "replicationgroup:", "cluster:", "snapshot:"),
				site.ARN("elasticache", "parametergroup:default.*")),
				"elasticache:CreateReplicationGroup",
				"elasticache:CreateSnapshot", // of the final snapshot (ElastiCache guide, "Deleting a replication group")
				"elasticache:DecreaseReplicaCount",
				"elasticache:DeleteReplicationGroup", "elasticache:DescribeCacheClusters", "elasticache:DescribeReplicationGroups",
				"elasticache:IncreaseReplicaCount", "elasticache:ModifyReplicationGroup"),
			// ElastiCache calls KMS under either name (ElastiCache guide, "At-rest encryption", on kms:ViaService).
			catalog.UseKey(site, "elasticache"), catalog.GrantKey(site, "elasticache"),
			catalog.UseKey(site, "dax"), catalog.GrantKey(site, "dax"),
			catalog.FirstUse(site, "elasticache.amazonaws.com"),
		},
		Risks: []catalog.Risk{
			{Path: `transitEncryptionEnabled|atRestEncryptionEnabled`, Why: "the cache is no longer encrypted", When: catalog.TurnedOff},
			{Path: `transitEncryptionMode`, Why: "the cache may take connections without TLS"},
			{Path: `authToken|userGroupIds`, Why: "the cache accepts another password or other users"},
			{Path: `automaticFailoverEnabled|multiAzEnabled`, Why: "no replica takes over when the primary fails", When: catalog.TurnedOff},
			{Path: `snapshotRetentionLimit`, Why: "snapshots are kept for fewer days", When: catalog.Fewer},
			{Path: `securityGroupIds|subnetGroupName|kmsKeyId`, Why: "other hosts may reach the cache, or its protection changed"},
		},
		Missing: "up creates an empty cache: sessions and queued tasks are lost",
		Loss:    catalog.Loss{Kind: "cache", Order: 2, Says: "all that it holds is deleted: sessions, cached values, queued tasks"},
		Effects: effects,
		Alarms:  alarms,
		Offers:  catalog.Plain("redis.host", "redis.port"),
		Ports:   []int{Port},
		None:    catalog.Bound | catalog.AWSManaged | catalog.Mirrors,
	}
}

// effects are what ElastiCache does with changes that it applies immediately. Sources: ElastiCache guide, "Scaling single-node clusters"
// and "Scaling replica nodes" (the data stays), "Upgrading engine versions", "Scheduling automatic backups".
var effects = []catalog.Effect{
	{Path: `nodeType`, Does: catalog.Interrupts,
		Says: "ElastiCache copies the data to new nodes, which takes minutes: at the end connections break for some seconds"},
	{Path: `engineVersion`, Does: catalog.Impossible, When: catalog.Older, Says: "ElastiCache cannot downgrade Valkey",
		Way: "keep the version that runs; or, to give the data up, remove cache.node, run up, and set it again with the older version"},
	{Path: `engineVersion`, Does: catalog.Interrupts, When: catalog.Newer,
		Says: "ElastiCache upgrades the nodes: connections break for some seconds, and there is no way back to the old version"},
	{Path: `snapshotRetentionLimit`, Does: catalog.Loses, When: catalog.Fewer, Says: "automatic snapshots older than that are deleted"},
}
