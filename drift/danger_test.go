package drift

import (
	"encoding/json"
	"os"
	"testing"
)

// TestTheTablesSpeakOfWhatTheSiteIsMadeOf holds the names of types in the tables against those that the site declares: a
// misspelt one would call everything harmless.
func TestTheTablesSpeakOfWhatTheSiteIsMadeOf(t *testing.T) {
	text, err := os.ReadFile("../site/testdata/graph.prod.json")
	if err != nil {
		t.Fatal(err)
	}
	var declared []struct{ Type string }
	if err := json.Unmarshal(text, &declared); err != nil {
		t.Fatal(err)
	}
	types := map[string]bool{}
	for _, r := range declared {
		types[r.Type] = true
	}
	for kind := range lossIfMissing {
		if !types[kind] {
			t.Errorf("lossIfMissing: the site has no %s", kind)
		}
	}
	for _, kind := range mirrors {
		if !types[kind] {
			t.Errorf("mirrors: the site has no %s", kind)
		}
	}
	for kind := range awsManagedOutputs {
		if !types[kind] {
			t.Errorf("awsManagedOutputs: the site has no %s", kind)
		}
	}
	for _, r := range risks {
		used := false
		for kind := range types {
			used = used || r.kind.MatchString(kind)
		}
		if !used {
			t.Errorf("risks: the site has nothing that %s means", r.kind)
		}
	}
	if len(types) < 40 {
		t.Errorf("the site has only %d types", len(types))
	}
}

func TestDanger(t *testing.T) {
	for _, c := range []struct {
		name, kind, path string
		from, to         any
		dangerous        bool
	}{
		{"a rule opened by hand", "aws:ec2/securityGroup:SecurityGroup", "ingress", []any{}, []any{map[string]any{"cidrBlocks": []any{"0.0.0.0/0"}}}, true},
		{"the source of a rule", "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", "cidrIpv4", nil, "0.0.0.0/0", true},
		{"the words of a rule", "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", "description", "a", "b", false},
		{"a role that may do more", "aws:iam/rolePolicy:RolePolicy", "policy", "{}", "{*}", true},
		{"a role that others may take", "aws:iam/role:Role", "assumeRolePolicy", "{}", "{*}", true},
		{"a tag of a role", "aws:iam/role:Role", "tags.team", nil, "x", false},
		{"the public access of a bucket", "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", "blockPublicAcls", true, false, true},
		{"a public access that is closed", "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", "blockPublicAcls", false, true, false},
		{"the protection of the database", "aws:rds/instance:Instance", "deletionProtection", true, false, true},
		{"a protection that somebody added", "aws:rds/instance:Instance", "deletionProtection", false, true, false},
		{"fewer backups", "aws:rds/instance:Instance", "backupRetentionPeriod", 14.0, 1.0, true},
		{"more backups", "aws:rds/instance:Instance", "backupRetentionPeriod", 7.0, 14.0, false},
		{"another window", "aws:rds/instance:Instance", "backupWindow", "03:00-04:00", "04:00-05:00", false},
		{"a public database", "aws:rds/instance:Instance", "publiclyAccessible", false, true, true},
		{"a log that is kept for less long", "aws:cloudwatch/logGroup:LogGroup", "retentionInDays", 90.0, 1.0, true},
		{"a key that rotates no more", "aws:kms/key:Key", "enableKeyRotation", true, false, true},
		{"a setting of the site", "aws:ssm/parameter:Parameter", "value", "[secret]", "[secret]", true},
		{"an alarm that is silent", "aws:cloudwatch/metricAlarm:MetricAlarm", "actionsEnabled", true, false, true},
		{"a listener without TLS", "aws:lb/listener:Listener", "protocol", "HTTPS", "HTTP", true},
		{"the protection of the balancer", "aws:lb/loadBalancer:LoadBalancer", "enableDeletionProtection", true, false, true},
		{"access logs to another bucket", "aws:lb/loadBalancer:LoadBalancer", "accessLogs.bucket", "a", "b", true},
		{"the timeout of the balancer", "aws:lb/loadBalancer:LoadBalancer", "idleTimeout", 60.0, 90.0, false},
		{"a release that was rolled back", "aws:ecs/service:Service", "taskDefinition", "web:2", "web:1", true},
	} {
		if got := danger(c.kind, c.path, c.from, c.to) != ""; got != c.dangerous {
			t.Errorf("%s: dangerous is %t", c.name, got)
		}
	}
}
