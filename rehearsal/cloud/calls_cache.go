package cloud

// ElastiCache.

const (
	cacheGuide = "https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/"
	cachePage  = authorization + "amazonelasticache.html"
	// The policies that ElastiCache's guide calls complete leave its network interfaces to the service-linked role, and ask for grants on
	// the key and its description.
	cacheLinked = cacheGuide + "using-service-linked-roles.html"
	cacheKeys   = cacheGuide + "at-rest-encryption.html"
	cacheFinal  = cacheGuide + "Replication.DeletingRepGroup.html"
	cacheReads  = "recorded requests of the genuine provider for aws_elasticache_replication_group"
)

func cacheCalls() map[string]lifecycle {
	const group, subnets, parameters = "elasticache:replicationgroup:{replicationGroupId}", "elasticache:subnetgroup:{name}",
		"elasticache:parametergroup:{name}"
	made := func(operation, on string) []row {
		return []row{
			call("elasticache:"+operation, on).tags(),
			call("elasticache:AddTagsToResource", on).creating("", ""),
		}
	}
	tags := func(on string) []row {
		return retag("elasticache:AddTagsToResource", "elasticache:RemoveTagsFromResource", on)
	}
	members := call("elasticache:DescribeCacheClusters").on_(func(v view) []string {
		return []string{v.a.arn("elasticache", "cluster:"+v.str("replicationGroupId")+"-001")}
	}).from(cacheReads)
	final := has("finalSnapshotIdentifier")
	return map[string]lifecycle{
		cacheType: {
			source: cachePage,
			create: all(made("CreateReplicationGroup", group),
				call("elasticache:CreateReplicationGroup", "elasticache:subnetgroup:{subnetGroupName}").if_(has("subnetGroupName")),
				call("elasticache:CreateReplicationGroup").on_(cacheParametersOf),
				cacheKeyRights("CreateGrant", "DescribeKey"), links("elasticache.amazonaws.com", cacheLinked)),
			read: all(call("elasticache:DescribeReplicationGroups", group), members, call("elasticache:ListTagsForResource", group)),
			update: all(call("elasticache:ModifyReplicationGroup", group).if_(otherThan("numCacheClusters", "applyImmediately",
				"finalSnapshotIdentifier")),
				call("elasticache:ModifyReplicationGroup", "elasticache:parametergroup:{parameterGroupName}").
					if_(changes("parameterGroupName"), has("parameterGroupName")),
				call("elasticache:IncreaseReplicaCount", group).if_(moreNodes(1)), call("elasticache:DecreaseReplicaCount", group).if_(moreNodes(-1)),
				tags(group)),
			delete: all(call("elasticache:DeleteReplicationGroup", group), call("elasticache:DescribeReplicationGroups", group),
				call("elasticache:DeleteReplicationGroup", "elasticache:snapshot:{finalSnapshotIdentifier}").if_(final),
				call("elasticache:CreateSnapshot", "elasticache:snapshot:{finalSnapshotIdentifier}", group).if_(final).
					because("the deletion makes a final snapshot").from(cacheFinal)),
		},
		cacheSubnetType: {
			source: cachePage,
			create: made("CreateCacheSubnetGroup", subnets),
			read:   all(call("elasticache:DescribeCacheSubnetGroups", subnets), call("elasticache:ListTagsForResource", subnets)),
			update: all(call("elasticache:ModifyCacheSubnetGroup", subnets).if_(otherThan()), tags(subnets)),
			delete: all(call("elasticache:DeleteCacheSubnetGroup", subnets), call("elasticache:DescribeCacheSubnetGroups", subnets)),
		},
		cacheParamsType: {
			source: cachePage,
			create: made("CreateCacheParameterGroup", parameters),
			then:   all(call("elasticache:ModifyCacheParameterGroup", parameters).if_(has("parameters[]"))),
			read: all(call("elasticache:DescribeCacheParameterGroups", parameters), call("elasticache:DescribeCacheParameters", parameters),
				call("elasticache:ListTagsForResource", parameters)),
			update: all(call("elasticache:ModifyCacheParameterGroup", parameters).if_(changes("parameters")),
				call("elasticache:ResetCacheParameterGroup", parameters).if_(fewerParameters), tags(parameters)),
			delete: all(call("elasticache:DeleteCacheParameterGroup", parameters)),
		},
	}
}

// cacheParametersOf is the parameter group of a new cache, which is always authorised: without one it is AWS's own of the family.
func cacheParametersOf(v view) []string {
	name := orElse(v.str("parameterGroupName"), "default."+cacheFamily(v.str("engine"), v.str("engineVersion")))
	return []string{v.a.arn("elasticache", "parametergroup:"+name)}
}

// cacheKeyRights are the rights on the key: ElastiCache calls KMS under its own name or that of DAX.
func cacheKeyRights(actions ...string) []row {
	return append(keyRights("elasticache", "kmsKeyId", cacheKeys, actions...), keyRights("dax", "kmsKeyId", cacheKeys, actions...)...)
}

// moreNodes is an update to more nodes, or with -1 to fewer; both, if the number changes and nothing says how.
func moreNodes(sign int) func(v view) bool {
	return func(v view) bool {
		was, is := Inputs(v.was.Outputs).Int("numCacheClusters"), Inputs(v.o.Outputs).Int("numCacheClusters")
		return (is-was)*sign > 0 || was == is && changes("numCacheClusters")(v)
	}
}
