package main

import (
	"strings"
	"testing"
)

// TestRun: one line in, one line out, also for what cannot be read.
func TestRun(t *testing.T) {
	in := strings.Join([]string{
		`{"id": "a", "request": {"principal": "arn:aws:iam::111122223333:user/ana", "action": "s3:GetObject", "resource": {"resource": ` +
			`"arn:aws:s3:::b/k", "accountId": "111122223333"}, "context": {"aws:SourceIp": "10.0.0.1", "aws:TagKeys": ["x"]}}, ` +
			`"identityPolicies": [{"Version": "2012-10-17", "Statement": {"Sid": "Read", "Effect": "Allow", "Action": "s3:Get*", "Resource": ` +
			`"*", "Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}}]}`,
		`{"id": "b", "request": {"principal": {"type": "Anonymous"}, "action": "s3:GetObject", "resource": {"resource": "arn:aws:s3:::b/k", ` +
			`"accountId": "111122223333"}}}`,
		`{"id": "c", "request": {"principal": "ec2.amazonaws.com", "action": "s3:GetObject", "resource": {"resource": "arn:aws:s3:::b/k", ` +
			`"accountId": "111122223333"}}, "resourcePolicy": {"Statement": {"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}}}`,
		`{"id": "d", "request": {"principal": "somewhere", "action": "s3", "resource": {}}, ` +
			`"identityPolicies": [{"Statement": {"Effect": "x"}}]}`,
		`{"id": "e", "colour": "blue"}`,
		`not JSON`,
	}, "\n")
	var out strings.Builder
	if err := run(strings.NewReader(in), &out); err != nil {
		t.Fatal(err)
	}
	want := []string{
		`{"id":"a","decision":"Allowed","by":["identity policy identityPolicies[0] Read"]}`,
		`{"id":"b","decision":"ImplicitlyDenied","by":["no resource policy allows it"]}`,
		`{"id":"c","decision":"ExplicitlyDenied","by":["resource policy resourcePolicy statement 1"]}`,
	}
	got := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(got) != 6 {
		t.Fatalf("%d lines:\n%s", len(got), out.String())
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("got  %s\nwant %s", got[i], want[i])
		}
	}
	// Every mistake of a case at once.
	for _, mistake := range []string{`"id":"d"`, "somewhere", "s3:GetObject", "resource is missing", "identityPolicies[0]"} {
		if !strings.Contains(got[3], mistake) {
			t.Errorf("%q is not in %s", mistake, got[3])
		}
	}
	if !strings.HasPrefix(got[4], `{"id":"e","error":`) || !strings.HasPrefix(got[5], `{"id":"","error":`) {
		t.Errorf("got %s and %s", got[4], got[5])
	}
}
