package cloud

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// ElastiCache: Redis and Valkey replication groups.

var (
	cacheEngines  = words("redis valkey")
	cacheFamilies = words("redis4.0 redis5.0 redis6.x redis7 valkey7 valkey8 valkey9 memcached1.4 memcached1.5 memcached1.6")
)

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
			return allOf(oneOf(in, "family", cacheFamilies...), tagProblems(in))
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
		Type: cacheType, CreateAction: "elasticache:CreateReplicationGroup",
		UpdateAction: "elasticache:ModifyReplicationGroup", DeleteAction: "elasticache:DeleteReplicationGroup",
		Name:     Name{Input: "replicationGroupId", Max: 40, Lower: true, Form: rdsName, Taken: "ReplicationGroupAlreadyExists"},
		NotFound: "ReplicationGroupNotFoundFault", InUse: "InvalidReplicationGroupState",
		Refs: []Ref{held("subnetGroupName", "id", cacheSubnetType), held("securityGroupIds[]", "id", anyGroup...),
			{Path: "parameterGroupName", To: []string{cacheParamsType}, By: "id", Any: true},
			keyRef("kmsKeyId"), maybe("notificationTopicArn", "arn", topicType)},
		Defaults: map[string]any{"engine": "redis", "automaticFailoverEnabled": false, "multiAzEnabled": false, "port": 6379,
			"snapshotRetentionLimit": 0},
		Check:       checkReplicationGroup,
		CheckState:  checkReplicationGroupState,
		Compute:     computeReplicationGroup,
		CheckDelete: checkReplicationGroupDelete,
		AfterDelete: keepCacheSnapshot,
		Recomputed:  map[string][]string{"engineVersion": {"engineVersionActual"}, "numCacheClusters": {"memberClusters"}},
	}
}

// nodeSizes are the node types, by family: those of the current generation, and earlier ones that can still be created.
// Source: ElastiCache guide, "Supported node types".
var nodeSizes = map[string][]string{
	"t3": words("micro small medium"), "t4g": words("micro small medium"),
	"m4": words("large xlarge 2xlarge 4xlarge 10xlarge"), "m5": words("large xlarge 2xlarge 4xlarge 12xlarge 24xlarge"),
	"m6g": words("large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge"),
	"m7g": words("large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge"),
	"r4":  words("large xlarge 2xlarge 4xlarge 8xlarge 16xlarge"), "r5": words("large xlarge 2xlarge 4xlarge 12xlarge 24xlarge"),
	"r6g":  words("large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge"),
	"r7g":  words("large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge"),
	"r6gd": words("xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge"),
	"c7gn": words("large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge"),
}

// retiredNodes are families of which no new cluster can be created.
var retiredNodes = words("t1 t2 m1 m2 m3 c1 r3")

// cacheVersions are the versions by engine, oldest first. Source: ElastiCache guide, "Supported engines and versions".
var cacheVersions = map[string][]string{
	"valkey": words("7.2 8.0 8.1 8.2 9.0 9.1"),
	"redis":  words("4.0.10 5.0.6 6.0 6.x 6.2 7.0 7.1"),
}

// cacheFamily is the family of parameter groups of a version. Source: ElastiCache guide, "Engine specific parameters".
func cacheFamily(engine, version string) string {
	engine = orElse(engine, "redis")
	known := cacheVersions[engine]
	if version == "" && len(known) > 0 {
		version = known[len(known)-1]
	}
	major, _, _ := strings.Cut(version, ".")
	switch {
	case engine == "redis" && major == "6":
		return "redis6.x"
	case engine == "redis" && atoi(major) < 6:
		return "redis" + major + ".0"
	}
	return engine + major
}

// olderVersion reports whether a version is older than another; an unknown or absent one is not.
func olderVersion(version, than string) bool {
	a, b := strings.Split(version, "."), strings.Split(than, ".")
	if version == "" || than == "" || len(a) < 2 || len(b) < 2 {
		return false
	}
	return atoi(a[0]) < atoi(b[0]) || a[0] == b[0] && atoi(a[1]) < atoi(b[1])
}

// authToken is the form of a token. Source: ElastiCache guide, "Authenticating with the Valkey and Redis OSS AUTH command".
var authToken = regexp.MustCompile(`^[A-Za-z0-9!&#$^<>-]{16,128}$`)

func checkReplicationGroup(in Inputs, unknown Unknowns) []Problem {
	const code = "InvalidParameterCombination"
	p := allOf(oneOf(in, "engine", cacheEngines...), between(in, "numCacheClusters", 1, 6), between(in, "numNodeGroups", 1, 500),
		between(in, "replicasPerNodeGroup", 0, 5), oneOf(in, "authTokenUpdateStrategy", words("SET ROTATE DELETE")...),
		between(in, "snapshotRetentionLimit", 0, 35), windowProblems(in, "snapshotWindow", "maintenanceWindow",
			"InvalidParameterValue"), tagProblems(in))
	nodes := int(numberOr(in, "numCacheClusters", numberOr(in, "replicasPerNodeGroup", 0)+1))
	if in.Bool("automaticFailoverEnabled") && nodes < 2 && !unknown.Has("numCacheClusters") && !unknown.Has("replicasPerNodeGroup") {
		p = append(p, awsProblem("automaticFailoverEnabled", code, "failover needs at least 2 nodes, got %d", nodes))
	}
	if in.Bool("multiAzEnabled") && !in.Bool("automaticFailoverEnabled") && !unknown.Has("automaticFailoverEnabled") {
		p = append(p, awsProblem("multiAzEnabled", code, "several zones need automaticFailoverEnabled"))
	}
	p = append(p, tokenProblems(in, unknown)...)
	if in.Has("kmsKeyId") && !in.Bool("atRestEncryptionEnabled") && !unknown.Has("atRestEncryptionEnabled") {
		p = append(p, awsProblem("kmsKeyId", code, "a key needs atRestEncryptionEnabled"))
	}
	if version, engine := in.String("engineVersion"), orElse(in.String("engine"), "redis"); version != "" && cacheVersions[engine] != nil &&
		!slices.Contains(cacheVersions[engine], version) && !unknown.Has("engine") {
		p = append(p, awsProblem("engineVersion", "InvalidParameterValue", "%s has the versions %s, got %q", engine,
			alternatives(cacheVersions[engine]), version))
	}
	return append(p, nodeProblems(in)...)
}

// tokenProblems: a token needs TLS, has a form, and excludes users. Source: ElastiCache API reference, CreateReplicationGroup.
func tokenProblems(in Inputs, unknown Unknowns) []Problem {
	if !in.Has("authToken") {
		return nil
	}
	const code = "InvalidParameterCombination"
	var p []Problem
	if !in.Bool("transitEncryptionEnabled") && !unknown.Has("transitEncryptionEnabled") {
		p = append(p, awsProblem("authToken", code, "a token needs transitEncryptionEnabled"))
	}
	if len(in.List("userGroupIds")) > 0 {
		p = append(p, awsProblem("authToken", code, "a token and user groups exclude each other"))
	}
	if !authToken.MatchString(in.String("authToken")) {
		p = append(p, awsProblem("authToken", "InvalidParameterValue", "a token has 16 to 128 characters, letters, digits and !&#$^<>- only"))
	}
	return p
}

func nodeProblems(in Inputs) []Problem {
	const path, code = "nodeType", "InvalidParameterValue"
	node := in.String(path)
	if !in.Has(path) {
		return nil
	}
	parts := strings.Split(node, ".")
	if len(parts) != 3 || parts[0] != "cache" {
		return []Problem{awsProblem(path, code, "expected a node type such as cache.t4g.micro, got %q", node)}
	}
	sizes, tiering := nodeSizes[parts[1]], in.Bool("dataTieringEnabled")
	switch {
	case slices.Contains(retiredNodes, parts[1]):
		return []Problem{awsProblem(path, code, "no new cluster can have the node type %s: it is of an earlier generation", node)}
	case sizes == nil || !slices.Contains(sizes, parts[2]):
		return []Problem{awsProblem(path, code, "ElastiCache has no node type %s", node)}
	case (parts[1] == "r6gd") != tiering: // ElastiCache guide, "Data tiering"
		return []Problem{awsProblem(path, "InvalidParameterCombination", "the family r6gd, and no other, needs dataTieringEnabled; got %s", node)}
	}
	return nil
}

func checkReplicationGroupState(a *Account, o *Object) error {
	in := Inputs(o.Inputs)
	if subnets := find(a, "id", in.String("subnetGroupName"), cacheSubnetType); subnets != nil {
		for _, id := range in.Strings("securityGroupIds") {
			if g := find(a, "id", id, anyGroup...); g != nil && g.Outputs["vpcId"] != subnets.Outputs["vpcId"] {
				return refuse("InvalidParameterCombination", fmt.Sprintf("%s is in %v, and the subnets are in %v", id, g.Outputs["vpcId"],
					subnets.Outputs["vpcId"]), "The security group and the cache subnet group are in different VPCs.")
			}
		}
	}
	if group := find(a, "id", in.String("parameterGroupName"), cacheParamsType); group != nil {
		have, want := Inputs(group.Inputs).String("family"), cacheFamily(in.String("engine"), in.String("engineVersion"))
		if have != want {
			return refuse("InvalidParameterCombination", "its family is "+have,
				"The parameter group %s can't be used for this cache. Please use a parameter group of family %s", group.ID, want)
		}
	}
	if key := keyNamed(a, in.String("kmsKeyId")); key != nil && key.Outputs["isEnabled"] == false {
		return refuse("InvalidKMSKeyFault", "the key is disabled", "The KMS key %s is not enabled.", key.ID)
	}
	if was := a.was(o); was != nil && olderVersion(in.String("engineVersion"), Inputs(was.Outputs).String("engineVersion")) {
		// ElastiCache API Reference, ModifyReplicationGroup, EngineVersion
		return refuse("InvalidParameterValue", "delete the cache and create it anew for an older version",
			"Cannot downgrade from version %s to %s.", was.Outputs["engineVersion"], in.String("engineVersion"))
	}
	return nil
}

// checkReplicationGroupDelete: a final snapshot has a name of its own, which outlives the group.
func checkReplicationGroupDelete(a *Account, o *Object) error {
	name := Inputs(o.Outputs).String("finalSnapshotIdentifier")
	if s := a.get(cacheSnapshotType, name); name != "" && s != nil {
		return refuse("SnapshotAlreadyExistsFault", "created for an earlier cache on "+Inputs(s.Outputs).String("createdAt"),
			"The snapshot %s already exists.", name)
	}
	return nil
}

func keepCacheSnapshot(a *Account, o *Object) {
	if name := Inputs(o.Outputs).String("finalSnapshotIdentifier"); name != "" {
		// Seeded, because it belongs to no stack any longer.
		_ = a.put(&Object{Type: cacheSnapshotType, ID: name, Seeded: true,
			Outputs: map[string]any{"identifier": o.ID, "createdAt": stamp(a)}})
	}
}

func computeReplicationGroup(a *Account, o *Object) error {
	in := Inputs(o.Outputs)
	o.ID = in.String("replicationGroupId")
	o.Outputs["arn"] = a.arn("elasticache", "replicationgroup:"+o.ID)
	suffix := draw(6, a.AccountID, a.Region, "elasticache") + "." + regions[a.Region].short + ".cache.amazonaws.com"
	// Names of a group without TLS begin with the group's own; those with TLS say what they are for.
	o.Outputs["primaryEndpointAddress"] = "master." + o.ID + "." + suffix
	o.Outputs["readerEndpointAddress"] = "replica." + o.ID + "." + suffix
	if !in.Bool("transitEncryptionEnabled") {
		o.Outputs["primaryEndpointAddress"] = o.ID + "." + draw(6, a.AccountID, o.ID) + ".ng.0001." + regions[a.Region].short +
			".cache.amazonaws.com"
		o.Outputs["readerEndpointAddress"] = o.ID + "-ro." + draw(6, a.AccountID, o.ID) + ".ng.0001." + regions[a.Region].short +
			".cache.amazonaws.com"
	}
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
	engine := in.String("engine")
	fill(o, "replicasPerNodeGroup", Inputs(o.Outputs).Int("numCacheClusters")-1)
	fill(o, "engineVersion", map[bool]string{true: "8.0", false: "7.1"}[engine == "valkey"])
	o.Outputs["engineVersionActual"] = Inputs(o.Outputs).String("engineVersion") + ".1" // with the patch, which AWS chooses
	fill(o, "parameterGroupName", "default."+cacheFamily(engine, Inputs(o.Outputs).String("engineVersion")))
	for path, v := range map[string]any{"atRestEncryptionEnabled": false, "transitEncryptionEnabled": false, "autoMinorVersionUpgrade": true,
		"maintenanceWindow": "sun:05:00-sun:06:00", "snapshotWindow": "03:00-04:00", "numNodeGroups": 1,
		"networkType": "ipv4", "ipDiscovery": "ipv4", "clusterMode": "disabled", "dataTieringEnabled": false} {
		fill(o, path, v)
	}
	return nil
}
