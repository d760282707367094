package cloud

import (
	"strings"
	"testing"

	"slipway/rehearsal/iam"
)

// The data perimeter that AWS publishes (https://github.com/aws-samples/data-perimeter-policy-examples): callers and services of the
// organization pass it, others do not.
func TestAResourceControlPolicyKnowsTheOrganization(t *testing.T) {
	w := newWorld(t)
	perimeter := mustParse("perimeter.json", `{"Version": "2012-10-17", "Statement": [
		{"Sid": "OwnCallers", "Effect": "Deny", "Principal": "*", "Action": ["sqs:*", "kms:*", "s3:*"], "Resource": "*", "Condition": {
			"StringNotEqualsIfExists": {"aws:PrincipalOrgID": "o-example1234"}, "BoolIfExists": {"aws:PrincipalIsAWSService": "false"}}},
		{"Sid": "OwnSources", "Effect": "Deny", "Principal": "*", "Action": ["sqs:*", "kms:*", "s3:*"], "Resource": "*", "Condition": {
			"StringNotEqualsIfExists": {"aws:SourceOrgID": "o-example1234"}, "Null": {"aws:SourceAccount": "false"},
			"Bool": {"aws:PrincipalIsAWSService": "true"}}}]}`)
	w.a.Organization = ControlPolicies{perimeter}
	w.create(queueType, "queue", properties{"name": "queue", "policy": policyOfStatements(
		`{"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": "*"}`)})

	arn := w.a.arn("sqs", "queue")
	decide := func(c Caller, keys iam.Context) iam.Decision {
		t.Helper()
		d, err := w.a.Decide(c, Call{Action: "sqs:SendMessage", Resource: arn, Context: keys})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	source := iam.Context{}
	source.Set("aws:SourceAccount", iam.One(w.a.AccountID))
	events := Caller{Service: "events.amazonaws.com"}
	for name, d := range map[string]iam.Decision{
		"administrator": decide(Caller{}, nil), "service": decide(events, nil), "service for the account": decide(events, source),
	} {
		if !d.Allowed() {
			t.Errorf("%s: %s", name, d.Reasons())
		}
	}

	// One that forgets that services are not in the organization.
	w.a.Organization = ControlPolicies{mustParse("forgetful.json", `{"Version": "2012-10-17", "Statement": [
		{"Sid": "OwnCallers", "Effect": "Deny", "Principal": "*", "Action": ["sqs:*", "sns:*"], "Resource": "*", "Condition": {
			"StringNotEqualsIfExists": {"aws:PrincipalOrgID": "o-example1234"}}}]}`)}
	if d := decide(Caller{}, nil); !d.Allowed() {
		t.Errorf("administrator: %s", d.Reasons())
	}
	if d := decide(events, nil); d.Outcome != iam.ExplicitlyDenied || !strings.Contains(strings.Join(d.Reasons(), "; "), "OwnCallers") {
		t.Errorf("a service that no exception covers: %s %s", d.Outcome, d.Reasons())
	}
	// SNS is not among the services whose resources such a policy limits.
	w.create("aws:sns/topic:Topic", "topic", properties{"name": "topic", "policy": policyOfStatements(
		`{"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sns:Publish", "Resource": "*"}`)})
	d, err := w.a.Decide(events, Call{Action: "sns:Publish", Resource: w.a.arn("sns", "topic")})
	if err != nil || !d.Allowed() {
		t.Errorf("a topic: %v %s", err, d.Reasons())
	}
}

// AWS says which kind of policy denied a call.
func TestARefusalNamesTheResourceControlPolicy(t *testing.T) {
	w := newWorld(t)
	w.a.Organization = ControlPolicies{mustParse("encryption.json", policyOfStatements(`{"Sid": "NoKeys", "Effect": "Deny", "Principal": "*",
		"Action": "kms:CreateKey", "Resource": "*"}`)), mustParse("retire.json", policyOfStatements(`{"Sid": "NoRetire", "Effect": "Deny",
		"Principal": "*", "Action": "kms:RetireGrant", "Resource": "*"}`))}
	_, err := w.try(keyType, "key", properties{"description": "data"})
	if err == nil || !strings.Contains(err.Error(), "with an explicit deny in a resource control policy") ||
		!strings.Contains(err.Error(), "encryption.json NoKeys") {
		t.Errorf("expected a refusal by the resource control policy, got %v", err)
	}
	// Organizations User Guide, "Resources and entities not restricted by RCPs".
	if d, err := w.a.Decide(Caller{}, Call{Action: "kms:RetireGrant", Resource: w.a.arn("kms", "key/1")}); err != nil ||
		d.Outcome == iam.ExplicitlyDenied {
		t.Errorf("kms:RetireGrant: %v %s", err, d.Reasons())
	}
}
