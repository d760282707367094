package catalog

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"slipway/internal/policy"
)

func TestAColumnIsFilledOrSaidToBeEmpty(t *testing.T) {
	full := Resource{
		Type: "aws:sns/topic:Topic", Deploy: []Grant{Look("logs", "sns:ListTopics")}, Risks: []Risk{{Path: `policy`, Why: "open"}}, None: Inert,
	}
	if err := full.Check(); err != nil {
		t.Errorf("every column is filled or in None: %v", err)
	}
	for _, c := range []struct {
		name   string
		change func(*Resource)
		want   string
	}{
		{"forgotten", func(r *Resource) { r.Risks = nil }, "column Risks is empty"},
		{"an empty list", func(r *Resource) { r.Deploy = []Grant{} }, "column Deploy is empty"},
		{"not in None", func(r *Resource) { r.None &^= Losses }, "column Loss is empty"},
		{"both", func(r *Resource) { r.Missing = "gone" }, "column Missing is filled, and None"},
		{"a zero row", func(r *Resource) { *r = Resource{Type: r.Type} }, "column Ports is empty"},
		{"no type", func(r *Resource) { r.Type = "Topic" }, `"Topic" is not a type token`},
		{"a pattern", func(r *Resource) { r.Risks[0].Path = `(` }, "needs a regular expression"},
	} {
		r := full
		r.Risks = []Risk{full.Risks[0]}
		c.change(&r)
		if err := r.Check(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", c.name, err, c.want)
		}
	}
}

func TestRules(t *testing.T) {
	c := Catalog{
		{Type: "aws:rds/instance:Instance", AWSManaged: `status|replicas`, Missing: "restore a snapshot",
			Loss: Loss{Kind: "database"}, Risks: []Risk{
				{Path: `deletionProtection`, Why: "it can be deleted", When: TurnedOff},
				{Path: `backupRetentionPeriod`, Why: "fewer days", When: Fewer},
				{Path: `accessLogs`, Why: "less is logged"},
			}},
		{Type: "aws:sns/topic:Topic", Mirrors: "its policy", Risks: []Risk{{Path: `.*`, Why: "alarms go elsewhere"}}},
	}
	for _, d := range []struct {
		kind, path string
		from, to   any
		want       string
	}{
		{"aws:rds/instance:Instance", "deletionProtection", true, false, "it can be deleted"},
		{"aws:rds/instance:Instance", "deletionProtection", false, true, ""},
		{"aws:rds/instance:Instance", "backupRetentionPeriod", 14.0, 1.0, "fewer days"},
		{"aws:rds/instance:Instance", "backupRetentionPeriod", 7.0, 14.0, ""},
		{"aws:rds/instance:Instance", "accessLogs.bucket", "a", "b", "less is logged"},
		{"aws:rds/instance:Instance", "accessLogs[0]", "a", "b", "less is logged"},
		{"aws:rds/instance:Instance", "accessLogsBucket", "a", "b", ""},
		{"aws:sns/topic:Topic", "policy", "a", "b", "alarms go elsewhere"},
		{"aws:sns/topic:Topic", "tags.team", "a", "b", ""},
		{"aws:sns/topic:Topic", `tagsAll["a.b"]`, "a", "b", ""},
		{"aws:sqs/queue:Queue", "policy", "a", "b", ""},
	} {
		if got := c.Dangerous(d.kind, d.path, d.from, d.to); got != d.want {
			t.Errorf("%s of %s from %v to %v: %q, want %q", d.path, d.kind, d.from, d.to, got, d.want)
		}
	}
	if !c.ManagedByAWS("aws:rds/instance:Instance", "status") || c.ManagedByAWS("aws:rds/instance:Instance", "statusCode") ||
		c.ManagedByAWS("aws:sns/topic:Topic", "status") {
		t.Error("AWS changes status and replicas of an instance, and nothing else")
	}
	if !c.Mirrors("aws:sns/topic:Topic") || c.Mirrors("aws:rds/instance:Instance") {
		t.Error("only the topic shows another resource")
	}
	if loss, ok := c.Loss("aws:rds/instance:Instance"); !ok || loss.Kind != "database" {
		t.Errorf("loss: %v", loss)
	}
	if _, ok := c.Loss("aws:sns/topic:Topic"); ok || c.Missing("aws:sns/topic:Topic") != "" {
		t.Error("nothing is lost with the topic")
	}
}

func TestPartsOfAStatementAreMerged(t *testing.T) {
	passed := func(services ...any) policy.Conditions {
		return policy.Conditions{"StringEquals": {"iam:PassedToService": services}}
	}
	got, err := Merge([]policy.Statement{
		{Sid: "New", Actions: []string{"elasticache:CreateCacheCluster"}, Resources: []any{"*"}},
		{Sid: "Pass", Actions: []string{"iam:PassRole"}, Resources: []any{"role/*"}, Conditions: passed("rds.amazonaws.com")},
		{Sid: "Keep", Actions: []string{"rds:ModifyDBInstance", "rds:AddTags"}, Resources: []any{"pg:default", "db:a"}},
		{Sid: "Pass", Actions: []string{"iam:PassRole"}, Resources: []any{"role/*"},
			Conditions: passed("ec2.amazonaws.com", "rds.amazonaws.com")},
		{Sid: "Keep", Actions: []string{"rds:AddTags", "kms:ListAliases"}, Resources: []any{"pg:a"}},
	}, []Place{{Sid: "Keep", First: []string{"rds:A", "db:", "pg:", "pg:default"}}, {Sid: "Absent"}})
	if err != nil {
		t.Fatal(err)
	}
	want := []policy.Statement{
		{Sid: "Keep", Actions: []string{"rds:AddTags", "kms:ListAliases", "rds:ModifyDBInstance"},
			Resources: []any{"db:a", "pg:a", "pg:default"}},
		{Sid: "New", Actions: []string{"elasticache:CreateCacheCluster"}, Resources: []any{"*"}},
		{Sid: "Pass", Actions: []string{"iam:PassRole"}, Resources: []any{"role/*"},
			Conditions: passed("ec2.amazonaws.com", "rds.amazonaws.com")},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestPartsThatDoNotFitTogetherAreRefused(t *testing.T) {
	allow := policy.Statement{Sid: "A", Actions: []string{"s3:GetObject"}, Resources: []any{"*"},
		Conditions: policy.Conditions{"StringEquals": {"aws:RequestedRegion": "us-east-1"}}}
	for name, change := range map[string]func(*policy.Statement){
		"a denial":     func(s *policy.Statement) { s.Deny = true },
		"no condition": func(s *policy.Statement) { s.Conditions = nil },
		"another operator": func(s *policy.Statement) {
			s.Conditions = policy.Conditions{"StringLike": {"aws:RequestedRegion": "us-east-1"}}
		},
		"another key": func(s *policy.Statement) {
			s.Conditions = policy.Conditions{"StringEquals": {"aws:SourceAccount": "1"}}
		},
		"another value": func(s *policy.Statement) {
			s.Conditions = policy.Conditions{"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}
		},
		"principals": func(s *policy.Statement) { s.Principals = map[string][]any{"AWS": {"*"}} },
		"a list for a value": func(s *policy.Statement) {
			s.Conditions = policy.Conditions{"StringEquals": {"aws:RequestedRegion": []any{"us-east-1"}}}
		},
	} {
		part := allow
		change(&part)
		if _, err := Merge([]policy.Statement{allow, part}, nil); err == nil || !strings.Contains(err.Error(), "parts of statement A differ") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
