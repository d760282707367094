package cloud

import (
	"fmt"
	"slices"
	"strings"
)

// ElastiCache: Redis and Valkey replication groups.

var cacheEngines = words("redis valkey")

// elasticacheKinds are the resource types of ElastiCache.
func elasticacheKinds() []Kind {
	return []Kind{
		cacheSubnetsKind(), cacheParametersKind(), replicationGroupKind(),
	}
}

func cacheSubnetsKind() Kind {
	return Kind{
		Type: cacheSubnetType, CreateAction: "elasticache:CreateCacheSubnetGroup", UpdateAction: "elasticache:ModifyCacheSubnetGroup",
		DeleteAction: "elasticache:DeleteCacheSubnetGroup",
		Name:         Name{Input: "name", Max: 255, Lower: true, Form: `[a-z0-9-]+`, Taken: "CacheSubnetGroupAlreadyExists"},
		NotFound:     "CacheSubnetGroupNotFoundFault", InUse: "CacheSubnetGroupInUse",
		Refs:     []Ref{held("subnetIds[]", "id", subnetType)},
		Defaults: map[string]any{"description": "Managed by Pulumi"},
		Check:    func(in Inputs, unknown Unknowns) []Problem { return tagProblems(in) },
		CheckState: func(a *Account, o *Object) error {
			if _, err := oneNetwork(a, Inputs(o.Inputs).Strings("subnetIds"), nil); err != nil {
				return refuse("InvalidSubnet", err.Error(), "The requested subnets are not all in the same VPC")
			}
			return nil
		},
		Compute: func(a *Account, o *Object) error {
			o.ID = Inputs(o.Outputs).String("name")
			o.Outputs["arn"] = a.arn("elasticache", "subnetgroup:"+o.ID)
			if s := find(a, "id", firstOf(Inputs(o.Inputs).Strings("subnetIds")), subnetType); s != nil {
				o.Outputs["vpcId"] = s.Outputs["vpcId"]
			}
			return nil
		},
	}
}

func cacheParametersKind() Kind {
	return Kind{
		Type: cacheParamsType, CreateAction: "elasticache:CreateCacheParameterGroup", UpdateAction: "elasticache:ModifyCacheParameterGroup",
		DeleteAction: "elasticache:DeleteCacheParameterGroup",
		Name:         Name{Input: "name", Max: 255, Lower: true, Form: rdsName, Taken: "CacheParameterGroupAlreadyExists"},
		NotFound:     "CacheParameterGroupNotFound", InUse: "InvalidCacheParameterGroupState",
		Defaults: map[string]any{"description": "Managed by Pulumi"},
		Check: func(in Inputs, unknown Unknowns) []Problem {
			return allOf(oneOf(in, "family", words("redis4.0 redis5.0 redis6.x redis7 valkey7 valkey8 memcached1.4 memcached1.5 memcached1.6")...),
				tagProblems(in))
		},
		Compute: func(a *Account, o *Object) error {
			o.ID = Inputs(o.Outputs).String("name")
			o.Outputs["arn"] = a.arn("elasticache", "parametergroup:"+o.ID)
			return nil
		},
	}
}

func replicationGroupKind() Kind {
	return Kind{
		Type: "aws:elasticache/replicationGroup:ReplicationGroup", CreateAction: "elasticache:CreateReplicationGroup",
		UpdateAction: "elasticache:ModifyReplicationGroup", DeleteAction: "elasticache:DeleteReplicationGroup",
		Name:     Name{Input: "replicationGroupId", Max: 40, Lower: true, Form: rdsName, Taken: "ReplicationGroupAlreadyExists"},
		NotFound: "ReplicationGroupNotFoundFault",
		Refs: []Ref{held("subnetGroupName", "id", cacheSubnetType), held("securityGroupIds[]", "id", anyGroup...),
			{Path: "parameterGroupName", To: []string{cacheParamsType}, By: "id", Any: true},
			keyRef("kmsKeyId"), maybe("notificationTopicArn", "arn", topicType)},
		Defaults: map[string]any{"engine": "redis", "automaticFailoverEnabled": false, "multiAzEnabled": false, "port": 6379,
			"snapshotRetentionLimit": 0},
		Check:   checkReplicationGroup,
		Compute: computeReplicationGroup,
	}
}

func checkReplicationGroup(in Inputs, unknown Unknowns) []Problem {
	const code = "InvalidParameterCombination"
	p := allOf(oneOf(in, "engine", cacheEngines...), between(in, "numCacheClusters", 1, 6), between(in, "numNodeGroups", 1, 500),
		between(in, "replicasPerNodeGroup", 0, 5),
		between(in, "snapshotRetentionLimit", 0, 35), windowProblems(in, "snapshotWindow", "maintenanceWindow",
			"InvalidParameterValue"), tagProblems(in))
	nodes := int(numberOr(in, "numCacheClusters", numberOr(in, "replicasPerNodeGroup", 0)+1))
	if in.Bool("automaticFailoverEnabled") && nodes < 2 && !unknown.Has("numCacheClusters") && !unknown.Has("replicasPerNodeGroup") {
		p = append(p, awsProblem("automaticFailoverEnabled", code, "failover needs at least 2 nodes, got %d", nodes))
	}
	if in.Bool("multiAzEnabled") && !in.Bool("automaticFailoverEnabled") && !unknown.Has("automaticFailoverEnabled") {
		p = append(p, awsProblem("multiAzEnabled", code, "several zones need automaticFailoverEnabled"))
	}
	if in.Has("authToken") && !in.Bool("transitEncryptionEnabled") && !unknown.Has("transitEncryptionEnabled") {
		p = append(p, awsProblem("authToken", code, "a token needs transitEncryptionEnabled"))
	}
	if n := len(in.String("authToken")); in.Has("authToken") && (n < 16 || n > 128) {
		p = append(p, awsProblem("authToken", "InvalidParameterValue", "a token has 16 to 128 characters"))
	}
	if in.Has("kmsKeyId") && !in.Bool("atRestEncryptionEnabled") && !unknown.Has("atRestEncryptionEnabled") {
		p = append(p, awsProblem("kmsKeyId", code, "a key needs atRestEncryptionEnabled"))
	}
	if t := in.String("nodeType"); in.Has("nodeType") && (!strings.HasPrefix(t, "cache.") || strings.Count(t, ".") != 2) {
		p = append(p, awsProblem("nodeType", "InvalidParameterValue", "expected a node type such as cache.t4g.micro, got %q", t))
	}
	return p
}

func computeReplicationGroup(a *Account, o *Object) error {
	in := Inputs(o.Outputs)
	o.ID = in.String("replicationGroupId")
	o.Outputs["arn"] = a.arn("elasticache", "replicationgroup:"+o.ID)
	suffix := draw(6, a.AccountID, a.Region, "elasticache") + "." + regions[a.Region].short + ".cache.amazonaws.com"
	o.Outputs["primaryEndpointAddress"] = "master." + o.ID + "." + suffix
	o.Outputs["readerEndpointAddress"] = "replica." + o.ID + "." + suffix
	clustered := in.Int("numNodeGroups") > 1
	o.Outputs["clusterEnabled"] = clustered
	o.Outputs["configurationEndpointAddress"] = ""
	if clustered {
		o.Outputs["configurationEndpointAddress"] = "clustercfg." + o.ID + "." + suffix
	}
	fill(o, "numCacheClusters", 1)
	var members []any
	for i := range Inputs(o.Outputs).Int("numCacheClusters") {
		members = append(members, fmt.Sprintf("%s-%03d", o.ID, i+1))
	}
	o.Outputs["memberClusters"] = members
	fill(o, "engineVersion", map[bool]string{true: "8.0", false: "7.1"}[slices.Contains([]string{"valkey"}, in.String("engine"))])
	o.Outputs["engineVersionActual"] = Inputs(o.Outputs).String("engineVersion")
	for path, v := range map[string]any{"atRestEncryptionEnabled": false, "transitEncryptionEnabled": false, "autoMinorVersionUpgrade": true,
		"maintenanceWindow": "sun:05:00-sun:06:00", "snapshotWindow": "03:00-04:00", "numNodeGroups": 1, "replicasPerNodeGroup": 0} {
		fill(o, path, v)
	}
	return nil
}
