package cloud

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// What ElastiCache refuses, each as a change of the site's cache.
func TestCacheIncidents(t *testing.T) {
	tls := properties{"transitEncryptionEnabled": true, "authToken": "correct-horse-battery"}
	refuses(t, []incident{
		{name: "a node type that does not exist", like: "cache", change: properties{"nodeType": "cache.t9.huge"},
			code: "ElastiCache has no node type", path: "nodeType"},
		{name: "a size that its family has not", like: "cache", change: properties{"nodeType": "cache.t4g.large"},
			code: "ElastiCache has no node type", path: "nodeType"},
		{name: "a class of RDS", like: "cache", change: properties{"nodeType": "db.t4g.micro"}, code: "expected a node type", path: "nodeType"},
		{name: "an earlier generation", like: "cache", change: properties{"nodeType": "cache.t2.micro"}, code: "earlier generation",
			path: "nodeType"},
		{name: "data tiering left off", like: "cache", change: properties{"nodeType": "cache.r6gd.xlarge"}, code: "needs dataTieringEnabled",
			path: "nodeType"},
		{name: "data tiering of another family", like: "cache", change: properties{"dataTieringEnabled": true}, code: "needs dataTieringEnabled",
			path: "nodeType"},
		{name: "a token without TLS", like: "cache", change: properties{"authToken": "correct-horse-battery"},
			code: "needs transitEncryptionEnabled", path: "authToken"},
		{name: "a short token", like: "cache", change: changed(tls, properties{"authToken": "correct-horse"}), code: "16 to 128",
			path: "authToken"},
		{name: "a token of 129 characters", like: "cache", change: changed(tls, properties{"authToken": strings.Repeat("x", 129)}),
			code: "16 to 128", path: "authToken"},
		{name: "a token with an at sign", like: "cache", change: changed(tls, properties{"authToken": "correct@horse@battery"}),
			code: "letters, digits and", path: "authToken"},
		{name: "an unknown strategy", like: "cache", change: changed(tls, properties{"authTokenUpdateStrategy": "REPLACE"}), code: "ROTATE",
			path: "authTokenUpdateStrategy"},
		{name: "failover of one node", like: "cache", change: properties{"automaticFailoverEnabled": true}, code: "at least 2 nodes",
			path: "automaticFailoverEnabled"},
		{name: "several zones without failover", like: "cache", change: properties{"multiAzEnabled": true, "numCacheClusters": 2},
			code: "need automaticFailoverEnabled", path: "multiAzEnabled"},
		{name: "seven nodes", like: "cache", change: properties{"numCacheClusters": 7}, code: "1 to 6", path: "numCacheClusters"},
		{name: "a key without encryption", like: "cache", change: properties{"kmsKeyId": "alias/site"}, code: "needs atRestEncryptionEnabled",
			path: "kmsKeyId"},
		{name: "snapshots for 36 days", like: "cache", change: properties{"snapshotRetentionLimit": 36}, code: "0 to 35",
			path: "snapshotRetentionLimit"},
		{name: "a version of Redis for Valkey", like: "cache", change: properties{"engine": "valkey", "engineVersion": "7.1"},
			code: "valkey has the versions", path: "engineVersion"},
		{name: "a name of 41 characters", like: "cache", change: properties{"replicationGroupId": "a" + strings.Repeat("b", 40)}, code: "40",
			path: "replicationGroupId"},
		{name: "a name that is taken", like: "cache", change: properties{"replicationGroupId": "site"}, code: "ReplicationGroupAlreadyExists"},
		{name: "a group that does not exist", like: "cache", change: properties{"subnetGroupName": "other"},
			code: "CacheSubnetGroupNotFoundFault"},
		{name: "parameters of another family", like: "cache", change: properties{"engine": "valkey", "engineVersion": "8.0",
			"parameterGroupName": "redis"}, code: "InvalidParameterCombination",
			before: func(w *world) { w.create(cacheParamsType, "params", properties{"name": "redis", "family": "redis7"}) }},
		{name: "a firewall in another network", like: "cache", code: "InvalidParameterCombination",
			before: func(w *world) {
				w.create(vpcType, "elsewhere", properties{"cidrBlock": "10.9.0.0/16"})
				w.create(groupType, "elsewhere-group", properties{"vpcId": w.id("elsewhere"), "name": "other", "description": "other"})
				w.inputs["cache"] = changed(w.inputs["cache"], properties{"securityGroupIds": []any{w.id("elsewhere-group")}})
			}},
		{name: "subnets that the cache uses", like: "cache-subnets", delete: true, code: "CacheSubnetGroupInUse"},
	})
}

// A final snapshot outlives the cache, and its name stays taken.
func TestCacheLeavesASnapshot(t *testing.T) {
	w := siteWorld(t)
	again := w.inputs["cache"]
	if err := w.update("cache", properties{"finalSnapshotIdentifier": "site-final"}); err != nil {
		t.Fatal(err)
	}
	if err := w.delete("cache"); err != nil {
		t.Fatal(err)
	}
	w.create(cacheType, "second", changed(again, properties{"finalSnapshotIdentifier": "site-final"}))
	err := w.delete("second")
	var refusal *Error
	if !errors.As(err, &refusal) || refusal.Code != "SnapshotAlreadyExistsFault" {
		t.Errorf("the second cache: %v", err)
	}
}

// ElastiCache upgrades a cache in place, and cannot downgrade it.
func TestCacheVersions(t *testing.T) {
	for version, refused := range map[string]bool{"7.2": true, "8.0": true, "8.1": false, "8.2": false, "9.0": false} {
		w := siteWorld(t)
		w.create(cacheType, "valkey", changed(w.inputs["cache"], properties{"engine": "valkey", "engineVersion": "8.1",
			"replicationGroupId": "valkey"}))
		err := w.update("valkey", properties{"engineVersion": version})
		var refusal *Error
		if errors.As(err, &refusal) != refused || refused && !strings.Contains(refusal.Message, "downgrade") {
			t.Errorf("8.1 to %s: %v", version, err)
		}
	}
}

func TestCacheFamilies(t *testing.T) {
	for _, c := range [][3]string{{"valkey", "7.2", "valkey7"}, {"valkey", "8.2", "valkey8"}, {"valkey", "", "valkey9"},
		{"redis", "6.2", "redis6.x"}, {"redis", "7.1", "redis7"}, {"redis", "5.0.6", "redis5.0"}, {"", "", "redis7"}} {
		if got := cacheFamily(c[0], c[1]); got != c[2] {
			t.Errorf("%s %s is of the family %s, want %s", c[0], c[1], got, c[2])
		}
	}
}

// AWS checks more than the call for a new cache: the key through both names of the service, the role, the groups; and a final snapshot
// is a right of its own.
func TestCallsOfACache(t *testing.T) {
	w := siteWorld(t)
	in := changed(w.inputs["cache"], properties{"engine": "valkey", "engineVersion": "8.0", "atRestEncryptionEnabled": true,
		"kmsKeyId": Inputs(w.made["key"].Outputs).String("arn"), "finalSnapshotIdentifier": "last", "replicationGroupId": "keyed"})
	w.create(cacheType, "keyed", in)
	o := w.made["keyed"]
	has := func(op operation, want string) {
		t.Helper()
		var all []string
		for _, c := range w.a.callsOf(op, o, nil) {
			via, _ := c.Context.Get("kms:ViaService")
			all = append(all, strings.TrimSpace(c.Action+" "+strings.TrimPrefix(c.Resource, w.a.arn("elasticache", ""))+" "+strings.Join(via, "")))
		}
		if !slices.ContainsFunc(all, func(s string) bool { return strings.Contains(s, want) }) {
			t.Errorf("%s has no %s:\n%s", op, want, strings.Join(all, "\n"))
		}
	}
	has(creates, "elasticache:CreateReplicationGroup replicationgroup:keyed")
	has(creates, "elasticache:CreateReplicationGroup subnetgroup:site")
	has(creates, "elasticache:CreateReplicationGroup parametergroup:default.valkey8")
	has(creates, "elasticache.us-east-1.amazonaws.com")
	has(creates, "dax.us-east-1.amazonaws.com")
	has(creates, "iam:CreateServiceLinkedRole")
	has(reads, "elasticache:DescribeCacheClusters cluster:keyed-001")
	has(deletes, "elasticache:CreateSnapshot snapshot:last")
}
