package cloud

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// graphTypes are the AWS resource types of all stacks.
func graphTypes(t *testing.T) map[string]bool {
	t.Helper()
	files, err := filepath.Glob("../../site/testdata/graph.*.json")
	if err != nil || len(files) != 4 {
		t.Fatalf("expected the graphs of four stacks, got %v (%v)", files, err)
	}
	types := map[string]bool{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var graph []struct{ Type string }
		if err := json.Unmarshal(data, &graph); err != nil {
			t.Fatal(err)
		}
		for _, r := range graph {
			if strings.HasPrefix(r.Type, "aws:") {
				types[r.Type] = true
			}
		}
	}
	return types
}

// keepsOnDelete are types whose delete calls nothing.
var keepsOnDelete = map[string]bool{
	defaultGroupType: true, // belongs to the VPC
	"aws:acm/certificateValidation:CertificateValidation": true,
}

func TestEveryResourceTypeOfTheStacksHasItsCalls(t *testing.T) {
	types := graphTypes(t)
	if len(types) < 60 {
		t.Fatalf("the graphs have %d AWS types: too few to be meaningful", len(types))
	}
	for token := range types {
		l, ok := callTable()[token]
		if !ok {
			t.Errorf("%s has no calls", token)
			continue
		}
		for op, missing := range map[operation]bool{
			creates: len(l.create) == 0, reads: len(l.read) == 0, deletes: len(l.delete) == 0 && !keepsOnDelete[token],
		} {
			if missing {
				t.Errorf("%s has no calls of %s", token, op)
			}
		}
	}
}

// Each row names an action of IAM, at least one resource, and where the fact comes from.
func TestEveryCallHasASource(t *testing.T) {
	rows, sources := 0, map[string]bool{}
	tables := map[string]lifecycle{}
	for token, l := range callTable() {
		tables[token] = l
	}
	for token, l := range tables {
		if _, known := awsRegistry().kinds[token]; !known && token != imageType && token != taskRunType && sourceTable[token].source == "" {
			t.Errorf("%s is not a type of the model", token)
		}
		for _, op := range []operation{creates, follows, reads, updates, deletes} {
			for i, r := range l.rows(op) {
				rows++
				source := orElse(r.source, l.source)
				sources[source] = true
				service, name, ok := strings.Cut(r.action, ":")
				if !ok || service == "" || name == "" || strings.ContainsAny(r.action, "* ") {
					t.Errorf("%s %s %d: %q is not an action", token, op, i, r.action)
				}
				if len(r.on) == 0 && r.at == nil {
					t.Errorf("%s %s: %s is on nothing", token, op, r.action)
				}
				if source == "" {
					t.Errorf("%s %s: %s has no source", token, op, r.action)
				}
			}
		}
	}
	if rows < 300 || len(sources) < 30 {
		t.Errorf("%d rows with %d sources are too few to be the whole table", rows, len(sources))
	}
	t.Logf("%d types, %d rows, %d sources", len(tables), rows, len(sources))
}

// A role that may do everything but one action is refused exactly there, before anything exists.
func TestACallThatIsNotAllowedIsRefused(t *testing.T) {
	w := newWorld(t)
	w.create(roleType, "deployer", properties{"name": "deployer", "assumeRolePolicy": trustFor("ec2.amazonaws.com")})
	w.create("aws:iam/rolePolicy:RolePolicy", "rights", properties{"role": "deployer", "policy": policyOfStatements(
		`{"Sid": "Everything", "Effect": "Allow", "Action": "*", "Resource": "*"},
		 {"Sid": "NoTags", "Effect": "Deny", "Action": "ec2:CreateTags", "Resource": "arn:aws:ec2:*:*:vpc/*"}`)})
	w.a.Caller = Caller{Role: "deployer"}
	w.create(vpcType, "untagged", properties{"cidrBlock": "10.0.0.0/16"})
	_, err := w.try(vpcType, "tagged", properties{"cidrBlock": "10.1.0.0/16", "tags": properties{"Name": "x"}})
	e, ok := err.(*Error)
	if !ok || e.Code != "UnauthorizedOperation" || e.Action != "ec2:CreateTags" {
		t.Fatalf("expected a refusal of ec2:CreateTags, got %v", err)
	}
	for _, want := range []string{"arn:aws:ec2:us-east-1:123456789012:vpc/*", "assumed-role/deployer/", "NoTags", "tags at creation"} {
		if !strings.Contains(e.Error(), want) {
			t.Errorf("the refusal lacks %q: %v", want, e)
		}
	}
	if n := len(w.a.list(vpcType)); n != 1 {
		t.Errorf("there are %d VPCs", n)
	}
}

// What the provider does after the create is refused after it: the resource exists, and is reported as such.
func TestAReadThatIsNotAllowedLeavesTheResource(t *testing.T) {
	w := newWorld(t)
	w.create(roleType, "deployer", properties{"name": "deployer", "assumeRolePolicy": trustFor("ec2.amazonaws.com")})
	w.create("aws:iam/rolePolicy:RolePolicy", "rights", properties{"role": "deployer", "policy": policyOfStatements(
		`{"Effect": "Allow", "Action": ["sns:CreateTopic", "sns:TagResource", "sns:SetTopicAttributes"], "Resource": "*"}`)})
	w.a.Caller = Caller{Role: "deployer"}
	const urn = "urn:pulumi:test::site::aws:sns/topic:Topic::alarms"
	id, _, err := w.a.Create(Change{Type: topicType, URN: urn, Inputs: properties{"name": "alarms"}})
	partial, ok := err.(*Partial)
	if !ok || id == "" || !strings.Contains(partial.Error(), "sns:GetTopicAttributes") {
		t.Fatalf("expected a topic and a refusal of sns:GetTopicAttributes, got %q and %v", id, err)
	}
	if w.a.Object(topicType, id) == nil {
		t.Error("there is no topic")
	}
}

// Tags decide: a statement for resources with a tag covers the tagged ones only, and at creation those that ask for it.
func TestConditionsOnTagsSeeTheRequestAndTheResource(t *testing.T) {
	w := newWorld(t)
	w.create(roleType, "deployer", properties{"name": "deployer", "assumeRolePolicy": trustFor("ec2.amazonaws.com")})
	w.create("aws:iam/rolePolicy:RolePolicy", "rights", properties{"role": "deployer", "policy": policyOfStatements(
		`{"Effect": "Allow", "Action": "sqs:*", "Resource": "*", "Condition": {"StringEquals": {"aws:RequestTag/stack": "dev"}}},
		 {"Effect": "Allow", "Action": "sqs:*", "Resource": "*", "Condition": {"StringEquals": {"aws:ResourceTag/stack": "dev"}}}`)})
	foreign := w.create(queueType, "foreign", properties{"name": "foreign", "tags": properties{"stack": "prod"}})
	w.a.Caller = Caller{Role: "deployer"}
	w.create(queueType, "own", properties{"name": "own", "tags": properties{"stack": "dev"}})
	if _, err := w.try(queueType, "bare", properties{"name": "bare"}); err == nil || !strings.Contains(err.Error(), "sqs:CreateQueue") {
		t.Errorf("a queue without the tag: expected a refusal, got %v", err)
	}
	if err := w.a.Delete(queueType, foreign.ID); err == nil || !strings.Contains(err.Error(), "sqs:DeleteQueue") {
		t.Errorf("another stack's queue: expected a refusal, got %v", err)
	}
	if err := w.delete("own"); err != nil {
		t.Error(err)
	}
}

// An administrator is limited by a service control policy, and by the policy of the resource.
func TestAdministratorsAreLimitedByTheOrganisation(t *testing.T) {
	w := newWorld(t)
	w.a.Organization = ControlPolicies{mustParse("root", `{"Version": "2012-10-17", "Statement": [
		{"Effect": "Allow", "Action": "*", "Resource": "*"},
		{"Sid": "NoInstances", "Effect": "Deny", "Action": "sqs:CreateQueue", "Resource": "*"}]}`)}
	_, err := w.try(queueType, "queue", properties{"name": "queue"})
	if err == nil || !strings.Contains(err.Error(), "service control policy") {
		t.Errorf("expected a refusal by the service control policy, got %v", err)
	}
}

// A missing service-linked role is created with the caller's rights.
func TestAServiceLinkedRoleNeedsARight(t *testing.T) {
	w := newWorld(t)
	w.create(roleType, "deployer", properties{"name": "deployer", "assumeRolePolicy": trustFor("ec2.amazonaws.com")})
	w.create("aws:iam/rolePolicy:RolePolicy", "rights", properties{"role": "deployer",
		"policy": policyOfStatements(`{"Effect": "Allow", "Action": "ecs:*", "Resource": "*"}`)})
	w.a.Caller = Caller{Role: "deployer"}
	_, err := w.try(clusterType, "site", properties{"name": "site"})
	if err == nil || !strings.Contains(err.Error(), "AWSServiceRoleForECS") {
		t.Fatalf("expected a refusal of the service-linked role, got %v", err)
	}
	w.a.Caller = Caller{}
	w.create("aws:iam/serviceLinkedRole:ServiceLinkedRole", "linked", properties{"awsServiceName": "ecs.amazonaws.com"})
	w.a.Caller = Caller{Role: "deployer"}
	w.create(clusterType, "site", properties{"name": "site"})
}

func policyOfStatements(statements string) string {
	return fmt.Sprintf(`{"Version": "2012-10-17", "Statement": [%s]}`, statements)
}

func trustFor(service string) string {
	return policyOfStatements(fmt.Sprintf(`{"Effect": "Allow", "Principal": {"Service": %q}, "Action": "sts:AssumeRole"}`, service))
}
