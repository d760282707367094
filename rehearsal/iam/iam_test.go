package iam_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"slipway/rehearsal/iam"
)

const (
	account = "111122223333"
	userA   = "arn:aws:iam::111122223333:user/ana"
	roleR   = "arn:aws:iam::111122223333:role/team/site"
	session = "arn:aws:sts::111122223333:assumed-role/site/one"
	fed     = "arn:aws:sts::111122223333:federated-user/bob"
	object1 = "arn:aws:s3:::media/a"
	key1    = "arn:aws:kms:us-east-1:111122223333:key/1"
)

func document(t testing.TB, statements ...string) *iam.Document {
	t.Helper()
	d, err := iam.Parse([]byte(`{"Version": "2012-10-17", "Statement": [` + strings.Join(statements, ",") + `]}`))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func principalOf(t testing.TB, name string) iam.Principal {
	t.Helper()
	p, err := iam.ParsePrincipal(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func allow(rest string) string {
	return `{"Effect": "Allow", "Action": "s3:*", "Resource": "*"` + rest + `}`
}

func to(principal string) string {
	return allow(`, "Principal": {"AWS": "` + principal + `"}`)
}

// TestImplicitDenials is the table of the IAM User Guide, "Resource-based policies and implicit denies in other policy types": which
// grants of a resource policy the other policies of the caller limit by not allowing the request. Every caller here has an
// identity policy, a boundary and (a session) a session policy that allow nothing of S3.
func TestImplicitDenials(t *testing.T) {
	nothing := document(t, `{"Effect": "Allow", "Action": "ec2:*", "Resource": "*"}`)
	for _, c := range []struct {
		caller, named string
		want          bool
	}{
		{userA, userA, true},
		{roleR, roleR, false},
		{session, roleR, false},
		{session, session, true},
		{fed, fed, true},
		{userA, "arn:aws:iam::111122223333:root", false},
		{roleR, "111122223333", false},
	} {
		p := iam.Policies{Identity: []*iam.Document{nothing}, Boundaries: []*iam.Document{nothing}, Resource: document(t, to(c.named))}
		if strings.Contains(c.caller, ":sts:") {
			p.Session = []*iam.Document{nothing}
		}
		r := iam.Request{Principal: principalOf(t, c.caller), Action: "s3:GetObject", Resource: object1, Account: account}
		if d := iam.Decide(r, p); d.Allowed() != c.want {
			t.Errorf("%s named as %s: %s %v", c.caller, c.named, d.Outcome, d.Reasons())
		}
	}
}

// A case of TestDecisions: what applies, and the outcome.
type decision struct {
	name     string
	caller   string
	action   string
	resource string
	owner    string
	context  iam.Context
	identity string // statements
	policy   string // statements of the resource policy
	boundary string
	scp      []string // statements, one level each
	rcp      string
	endpoint string
	grants   []iam.Grant
	want     iam.Outcome
}

func (c decision) decide(t *testing.T) iam.Decision {
	t.Helper()
	one := func(statements string) []*iam.Document {
		if statements == "" {
			return nil
		}
		return []*iam.Document{document(t, statements)}
	}
	p := iam.Policies{Identity: one(c.identity), Boundaries: one(c.boundary), Endpoint: one(c.endpoint), Grants: c.grants}
	if c.policy != "" {
		p.Resource = document(t, c.policy)
	}
	for i, s := range c.scp {
		p.SCP = append(p.SCP, iam.Level{Name: fmt.Sprint("level ", i), Policies: one(s)})
	}
	if c.rcp != "" {
		p.RCP = []iam.Level{{Name: "root", Policies: one(c.rcp)}}
	}
	r := iam.Request{Principal: iam.Anonymous, Action: c.action, Resource: c.resource, Account: c.owner, Context: c.context}
	if c.caller != "" {
		r.Principal = principalOf(t, c.caller)
	}
	if r.Action == "" {
		r.Action, r.Resource = "s3:GetObject", object1
	}
	if r.Account == "" {
		r.Account = account
	}
	return iam.Decide(r, p)
}

func TestDecisions(t *testing.T) {
	everything := `{"Effect": "Allow", "Action": "*", "Resource": "*"}`
	keyOf := func(principal string) string {
		return `{"Effect": "Allow", "Action": "kms:*", "Resource": "*", "Principal": {` + principal + `}}`
	}
	const trustRole = "arn:aws:iam::111122223333:role/target"
	for _, c := range []decision{
		{name: "nothing allows it", caller: roleR, want: iam.ImplicitlyDenied},
		{name: "identity policy", caller: roleR, identity: allow(""), want: iam.Allowed},
		{name: "a denial wins", caller: roleR, identity: allow("") + `, {"Effect": "Deny", "Action": "s3:Get*", "Resource": "*"}`,
			want: iam.ExplicitlyDenied},
		{name: "a denial wins in any case of the action", caller: roleR, action: "S3:deleteobject", resource: "arn:aws:s3:::media/b",
			identity: allow("") + `, {"Effect": "Deny", "Action": "s3:Delete*", "Resource": "arn:aws:s3:::media/*"}`,
			want:     iam.ExplicitlyDenied},
		{name: "a denial of another resource", caller: roleR,
			identity: allow("") + `, {"Effect": "Deny", "Action": "s3:Get*", "Resource": "arn:aws:s3:::static/*"}`, want: iam.Allowed},
		{name: "a denial of another action", caller: roleR,
			identity: allow("") + `, {"Effect": "Deny", "Action": "s3:Delete*", "Resource": "*"}`, want: iam.Allowed},
		{name: "a denial whose condition does not hold", caller: roleR, context: iam.Context{"aws:x": iam.One("y")},
			identity: allow("") + `, {"Effect": "Deny", "Action": "s3:Get*", "Resource": "*", "Condition": {"StringEquals": {"aws:x": "x"}}}`,
			want:     iam.Allowed},
		{name: "another service", caller: roleR, action: "ec2:GetObject", resource: object1, identity: allow(""), want: iam.ImplicitlyDenied},
		{name: "boundary does not allow it", caller: roleR, identity: allow(""),
			boundary: `{"Effect": "Allow", "Action": "ec2:*", "Resource": "*"}`,
			want:     iam.ImplicitlyDenied},
		{name: "anonymous", policy: allow(`, "Principal": "*"`), want: iam.Allowed},
		{name: "anonymous is no AWS principal", policy: to("111122223333"), want: iam.ImplicitlyDenied},
		{name: "another account needs both sides: resource policy alone", caller: "arn:aws:iam::444455556666:role/x", policy: to("444455556666"),
			want: iam.ImplicitlyDenied},
		{name: "another account needs both sides: identity policy alone", caller: "arn:aws:iam::444455556666:role/x", identity: allow(""),
			want: iam.ImplicitlyDenied},
		{name: "another account needs both sides", caller: "arn:aws:iam::444455556666:role/x", identity: allow(""), policy: to("444455556666"),
			want: iam.Allowed},
		{name: "a key needs its own policy", caller: roleR, action: "kms:Decrypt", resource: key1, identity: everything,
			want: iam.ImplicitlyDenied},
		{name: "a key policy that trusts the account", caller: roleR, action: "kms:Decrypt", resource: key1, identity: everything,
			policy: keyOf(`"AWS": "arn:aws:iam::111122223333:root"`), want: iam.Allowed},
		{name: "a key policy that trusts the account, without identity policy", caller: roleR, action: "kms:Decrypt", resource: key1,
			policy: keyOf(`"AWS": "arn:aws:iam::111122223333:root"`), want: iam.ImplicitlyDenied},
		{name: "a key policy that names the role", caller: session, action: "kms:Decrypt", resource: key1,
			policy: keyOf(`"AWS": "` + roleR + `"`),
			want:   iam.Allowed},
		{name: "a grant", caller: session, action: "kms:Decrypt", resource: key1,
			grants: []iam.Grant{{ID: "g", Grantee: roleR, Operations: []string{"Decrypt"}}}, want: iam.Allowed},
		{name: "a grant of another operation", caller: session, action: "kms:Encrypt", resource: key1,
			grants: []iam.Grant{{ID: "g", Grantee: roleR, Operations: []string{"Decrypt"}}}, want: iam.ImplicitlyDenied},
		{name: "a grant whose encryption context differs", caller: session, action: "kms:Decrypt", resource: key1,
			context: iam.Context{"kms:encryptioncontext:disk": iam.One("2")},
			grants:  []iam.Grant{{ID: "g", Grantee: roleR, Operations: []string{"Decrypt"}, ContextSubset: map[string]string{"Disk": "1"}}},
			want:    iam.ImplicitlyDenied},
		{name: "a service needs the key policy", caller: "logs.us-east-1.amazonaws.com", action: "kms:Encrypt", resource: key1,
			policy: keyOf(`"AWS": "arn:aws:iam::111122223333:root"`), want: iam.ImplicitlyDenied},
		{name: "a trust policy that names the caller", caller: roleR, action: "sts:AssumeRole", resource: trustRole,
			policy: `{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "` + roleR + `"}}`, want: iam.Allowed},
		{name: "a trust policy is needed in the same account too", caller: roleR, action: "sts:AssumeRole", resource: trustRole,
			identity: everything,
			want:     iam.ImplicitlyDenied},
		{name: "the root user needs no policy", caller: "arn:aws:iam::111122223333:root", want: iam.Allowed},
		{name: "a control policy limits the root user", caller: "arn:aws:iam::111122223333:root",
			scp: []string{`{"Effect": "Allow", "Action": "ec2:*", "Resource": "*"}`}, want: iam.ImplicitlyDenied},
		{name: "every level must allow it", caller: roleR, identity: allow(""), scp: []string{everything,
			`{"Effect": "Allow", "Action": "ec2:*", "Resource": "*"}`},
			want: iam.ImplicitlyDenied},
		{name: "control policies do not limit services", caller: "ec2.amazonaws.com",
			policy: allow(`, "Principal": {"Service": "ec2.amazonaws.com"}`),
			scp:    []string{`{"Effect": "Allow", "Action": "ec2:*", "Resource": "*"}`}, want: iam.Allowed},
		{name: "control policies do not limit service-linked roles",
			caller:   "arn:aws:iam::111122223333:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS",
			identity: allow(""), scp: []string{`{"Effect": "Deny", "Action": "*", "Resource": "*"}`}, want: iam.Allowed},
		{name: "a resource control policy needs no Allow", caller: roleR, identity: allow(""),
			rcp: `{"Effect": "Deny", "Action": "s3:Put*", "Resource": "*", "Principal": "*"}`, want: iam.Allowed},
		{name: "a resource control policy denies", caller: roleR, identity: allow(""),
			rcp: `{"Effect": "Deny", "Action": "s3:Get*", "Resource": "*", "Principal": "*"}`, want: iam.ExplicitlyDenied},
		{name: "an endpoint policy", caller: roleR, identity: allow(""),
			endpoint: allow(`, "Principal": "*", "Condition": {"StringEquals": {"aws:PrincipalAccount": "444455556666"}}`),
			want:     iam.ImplicitlyDenied},
		{name: "NotPrincipal spares the listed", caller: userA, identity: allow(""),
			policy: `{"Effect": "Deny", "Action": "s3:*", "Resource": "*", "NotPrincipal": {"AWS": "` + userA + `"}}`, want: iam.Allowed},
		{name: "NotPrincipal denies every caller with a boundary", caller: userA, identity: allow(""), boundary: everything,
			policy: `{"Effect": "Deny", "Action": "s3:*", "Resource": "*", "NotPrincipal": {"AWS": "` + userA + `"}}`, want: iam.ExplicitlyDenied},
		{name: "keys derived from a session", caller: session,
			identity: allow(`, "Condition": {"ArnEquals": {"aws:PrincipalArn": "arn:aws:iam::111122223333:role/site"},
			"StringEquals": {"aws:ResourceAccount": "${aws:PrincipalAccount}"}, "Bool": {"aws:PrincipalIsAWSService": "false"}}`),
			want: iam.Allowed},
	} {
		t.Run(c.name, func(t *testing.T) {
			if d := c.decide(t); d.Outcome != c.want {
				t.Errorf("got %s %v, want %s", d.Outcome, d.Reasons(), c.want)
			}
		})
	}
}

// TestConditions covers the condition operators of the IAM User Guide and what they do with keys that are absent or multivalued.
func TestConditions(t *testing.T) {
	for _, c := range []struct {
		condition string
		context   iam.Context
		want      bool
	}{
		{`"StringEquals": {"aws:x": "a*"}`, iam.Context{"aws:x": iam.One("abc")}, false},
		{`"StringEquals": {"AWS:X": ["b", "a"]}`, iam.Context{"aws:x": iam.One("a")}, true},
		{`"StringLike": {"aws:x": "a*c"}`, iam.Context{"aws:x": iam.One("abc")}, true},
		{`"StringLike": {"aws:x": "a${*}c"}`, iam.Context{"aws:x": iam.One("abc")}, false},
		{`"StringEquals": {"aws:x": "a${*}"}`, iam.Context{"aws:x": iam.One("a*")}, true},
		{`"StringNotEquals": {"aws:x": ["a", "b"]}`, iam.Context{"aws:x": iam.One("b")}, false},
		{`"StringNotEquals": {"aws:x": "a"}`, nil, true},
		{`"StringNotEquals": {"aws:x": "a"}`, iam.Context{"aws:x": iam.One("b")}, true},
		{`"StringEquals": {"aws:x": "a"}`, nil, false},
		{`"StringEquals": {"aws:x": "a"}`, iam.Context{"aws:x": iam.One("A")}, false},
		{`"StringEquals": {"aws:x": "a", "aws:y": "b"}`, iam.Context{"aws:x": iam.One("a")}, false},
		{`"StringEquals": {"aws:x": "a"}, "StringLike": {"aws:y": "b*"}`, iam.Context{"aws:x": iam.One("a"), "aws:y": iam.One("bc")}, true},
		{`"StringEquals": {"aws:x": "a"}, "StringLike": {"aws:y": "b*"}`, iam.Context{"aws:x": iam.One("a"), "aws:y": iam.One("c")}, false},
		{`"StringEqualsIfExists": {"aws:x": "a"}`, nil, true},
		{`"StringEqualsIfExists": {"aws:x": "a"}`, iam.Context{"aws:x": iam.One("b")}, false},
		{`"StringEqualsIgnoreCase": {"aws:x": "ÄB"}`, iam.Context{"aws:x": iam.One("äb")}, true},
		{`"Null": {"aws:x": "true"}`, nil, true},
		{`"Null": {"aws:x": "true"}`, iam.Context{"aws:x": iam.One("a")}, false},
		{`"Null": {"aws:x": false}`, nil, false},
		{`"Null": {"aws:x": false}`, iam.Context{"aws:x": iam.One("a")}, true},
		{`"Bool": {"aws:x": true}`, nil, false},
		{`"Bool": {"aws:x": true}`, iam.Context{"aws:x": iam.One("TRUE")}, true},
		{`"NumericLessThan": {"aws:x": "3600"}`, iam.Context{"aws:x": iam.One("100")}, true},
		{`"NumericLessThan": {"aws:x": "3600"}`, iam.Context{"aws:x": iam.One("soon")}, false},
		{`"NumericEquals": {"aws:x": "1.50"}`, iam.Context{"aws:x": iam.One("1.5")}, true},
		{`"DateGreaterThan": {"aws:x": "2026-01-01T00:00:00Z"}`, iam.Context{"aws:x": iam.One("1795860000")}, true},
		{`"DateLessThan": {"aws:x": "2026-01-01"}`, iam.Context{"aws:x": iam.One("2025-12-31T23:59:59Z")}, true},
		{`"IpAddress": {"aws:x": "10.0.0.0/16"}`, iam.Context{"aws:x": iam.One("10.0.255.1")}, true},
		{`"IpAddress": {"aws:x": "2001:db8::/32"}`, iam.Context{"aws:x": iam.One("2001:db8::7")}, true},
		{`"NotIpAddress": {"aws:x": "10.0.0.1"}`, iam.Context{"aws:x": iam.One("2001:db8::7")}, true},
		{`"ArnLike": {"aws:x": "arn:aws:sns:*:1:t"}`, iam.Context{"aws:x": iam.One("arn:aws:sns:us-east-1:1:t")}, true},
		{`"ArnEquals": {"aws:x": "arn:aws:sns:*:1:t"}`, iam.Context{"aws:x": iam.One("arn:aws:sns:us-east-1:1:t")}, true},
		{`"ArnEquals": {"aws:x": "arn:aws:sns:*:1:t"}`, iam.Context{"aws:x": iam.One("arn:aws:sns:us-east-1:1:tu")}, false},
		{`"ArnLike": {"aws:x": "arn:aws:*:t"}`, iam.Context{"aws:x": iam.One("arn:aws:sns:us-east-1:1:t")}, false},
		{`"BinaryEquals": {"aws:x": "YQ=="}`, iam.Context{"aws:x": iam.One("YQ==")}, true},
		{`"ForAllValues:StringEquals": {"aws:x": ["a", "b"]}`, iam.Context{"aws:x": iam.Several("a", "b")}, true},
		{`"ForAllValues:StringEquals": {"aws:x": ["a"]}`, iam.Context{"aws:x": iam.Several("a", "b")}, false},
		{`"ForAllValues:StringEquals": {"aws:x": ["a"]}`, nil, true},
		{`"ForAnyValue:StringEquals": {"aws:x": ["a"]}`, iam.Context{"aws:x": iam.Several("a", "b")}, true},
		{`"ForAnyValue:StringNotEquals": {"aws:x": ["a"]}`, iam.Context{"aws:x": iam.Several("a")}, false},
		{`"ForAnyValue:StringEquals": {"aws:x": ["a"]}`, nil, false},
		{`"ForAnyValue:StringLike": {"aws:x": "a*"}`, iam.Context{"aws:x": iam.Several("b", "ac")}, true},
		{`"ForAnyValue:StringLike": {"aws:x": "a*"}`, iam.Context{"aws:x": iam.Several("b", "c")}, false},
		{`"ForAnyValue:StringEqualsIfExists": {"aws:x": ["a"]}`, nil, false},
		{`"StringEquals": {"aws:x": "${aws:y}"}`, iam.Context{"aws:x": iam.One("a"), "aws:y": iam.One("a")}, true},
		{`"StringLike": {"aws:x": "${aws:y}"}`, iam.Context{"aws:x": iam.One("abc"), "aws:y": iam.One("a*")}, false},
		{`"StringEquals": {"aws:x": "${aws:y, 'a'}"}`, iam.Context{"aws:x": iam.One("a")}, true},
		{`"StringNotEquals": {"aws:x": "${aws:y}"}`, iam.Context{"aws:x": iam.One("a")}, false},
		{`"StringEquals": {"aws:x": "${aws:y}"}`, iam.Context{"aws:x": iam.One("a"), "aws:y": iam.Several("a")}, false},
	} {
		identity := document(t, allow(`, "Condition": {`+c.condition+`}`))
		r := iam.Request{Principal: principalOf(t, userA), Action: "s3:GetObject", Resource: object1, Account: account, Context: c.context}
		if d := iam.Decide(r, iam.Policies{Identity: []*iam.Document{identity}}); d.Allowed() != c.want {
			t.Errorf("%s with %v: %s", c.condition, c.context, d.Outcome)
		}
	}
}

func TestResourcesAndVariables(t *testing.T) {
	for _, c := range []struct {
		version, element string
		want             bool
	}{
		{"2012-10-17", `"Resource": "arn:aws:s3:::media/${aws:username}"`, true},
		{"2008-10-17", `"Resource": "arn:aws:s3:::media/${aws:username}"`, false}, // literal text
		{"2012-10-17", `"Resource": "arn:aws:s3:::media/${aws:PrincipalTag/none}"`, false},
		{"2012-10-17", `"NotResource": "arn:aws:s3:::media/${aws:PrincipalTag/none}"`, false},
		{"2012-10-17", `"NotResource": "arn:aws:s3:::other/*"`, true},
		{"2012-10-17", `"Resource": "arn:aws:s3:::media/an?"`, true},
		{"2012-10-17", `"Resource": "arn:aws:s3:::MEDIA/*"`, false},
	} {
		d, err := iam.Parse([]byte(`{"Version": "` + c.version + `", "Statement": {"Effect": "Allow", "Action": "S3:getobject", ` +
			c.element + `}}`))
		if err != nil {
			t.Fatal(err)
		}
		r := iam.Request{Principal: principalOf(t, userA), Action: "s3:GetObject", Resource: "arn:aws:s3:::media/ana", Account: account}
		if got := iam.Decide(r, iam.Policies{Identity: []*iam.Document{d}}); got.Allowed() != c.want {
			t.Errorf("%s %s: %s", c.version, c.element, got.Outcome)
		}
	}
}

func TestInvalidDocuments(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{`[]`, "expected an object"},
		{`{"Version": "2012-10-17", "Statement": {"Effect": "Permit", "Action": "s3:*", "Resource": "*"}}`, "Allow or Deny"},
		{`{"Version": "2012", "Statement": []}`, "Version"},
		{`{"Statement": {"Effect": "Allow", "Resource": "*"}}`, "Action"},
		{`{"Statement": {"Effect": "Allow", "Action": "s3", "Resource": "*"}}`, "s3:GetObject"},
		{`{"Statement": {"Effect": "Allow", "Action": "s3:*", "NotAction": "s3:*", "Resource": "*"}}`, "exclude each other"},
		{
			`{"Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Condition": {"StringEqual": {"a:b": "c"}}}}`,
			"StringEqual",
		},
		{`{"Statement": {"effect": "Allow", "Action": "s3:*", "Resource": "*"}}`, `"effect"`},
		{`{"Statement": {"Effect": "Allow", "Effect": "Deny", "Action": "s3:*", "Resource": "*"}}`, "twice"},
		{`{"Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Principal": {"Services": "x"}}}`, "Services"},
		{`{"Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Principal": "arn"}}`, "Principal"},
		{`{"Statement": {"Effect": "Allow", "Action": [{}], "Resource": "*"}}`, "list of strings"},
		{`{"Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}} x`, "after the end"},
		{
			`{"Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}, {"Effect": "Maybe", "Action": "s3:*", "Resource": "*"}]}`,
			"statement 2",
		},
		{`{"Statement": ` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`, "nested"},
	} {
		if _, err := iam.Parse([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.120s: %v, want %q", c.text, err, c.want)
		}
	}
}

// TestNearest: the explanation names the statement that almost allowed the request, and what is different.
func TestNearest(t *testing.T) {
	p := iam.Policies{Identity: []*iam.Document{document(t,
		`{"Sid": "Elsewhere", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::other/*"}`,
		`{"Sid": "ByVPC", "Effect": "Allow", "Action": "s3:Get*", "Resource": "*", "Condition": {"StringEquals": {"aws:SourceVpce": "vpce-1"}}}`,
		`{"Sid": "Writes", "Effect": "Allow", "Action": "s3:Put*", "Resource": "*"}`)}}
	r := iam.Request{Principal: principalOf(t, roleR), Action: "s3:GetObject", Resource: object1, Account: account}
	if d := iam.Decide(r, p); d.Outcome != iam.ImplicitlyDenied || d.Reasons()[0] != "no identity policy allows it" {
		t.Fatalf("%s %v", d.Outcome, d.Reasons())
	}
	var got []string
	for _, n := range iam.Nearest(r, p, 5) {
		got = append(got, n.Statement.Sid+": "+n.Because)
	}
	want := []string{
		"ByVPC: its condition is StringEquals aws:SourceVpce = vpce-1, and the request does not send aws:SourceVpce",
		"Elsewhere: it covers arn:aws:s3:::other/*, not arn:aws:s3:::media/a",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(
		`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:*"], "Resource": "arn:aws:s3:::${aws:username, 'x'}/${*}",
		"Principal": {"AWS": "*"}, "Condition": {"ForAllValues:StringLikeIfExists": {"aws:TagKeys": ["a", true, 1]}}}]}`))
	f.Add([]byte(`{"Statement": {"Effect": "Deny", "NotAction": "*", "NotResource": "*", "NotPrincipal": "*"}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := iam.Parse(text)
		if err != nil {
			return
		}
		// Whatever parses can be evaluated, and a document that only denies never allows.
		r := iam.Request{Principal: principalOf(t, session), Action: "s3:GetObject", Resource: object1, Account: account,
			Context: iam.Context{"aws:tagkeys": iam.Several("a", "b"), "aws:currenttime": iam.One("2026-01-01")}}
		got := iam.Decide(r, iam.Policies{Identity: []*iam.Document{d}, Resource: d, Boundaries: []*iam.Document{d}, Session: []*iam.Document{d}})
		allows := false
		for _, s := range d.Statements {
			allows = allows || !s.Deny
		}
		if got.Allowed() && !allows {
			t.Errorf("%s allows a request without any Allow", text)
		}
		iam.Nearest(r, iam.Policies{Identity: []*iam.Document{d}}, 3)
	})
}

func FuzzCase(f *testing.F) {
	f.Add([]byte(
		`{"id": "1", "request": {"principal": {"type": "Anonymous"}, "action": "s3:GetObject", "resource": {"resource": "*", "accountId": "1"},
		"context": {"a:b": ["c"]}}, "resourcePolicy": {"Statement": []}, "serviceControlPolicies": [{"orgIdentifier": "r", "policies": [{}]}]}`))
	f.Fuzz(func(_ *testing.T, text []byte) {
		if _, r, p, err := iam.ParseCase(text); err == nil {
			iam.Decide(r, p)
		}
	})
}

// BenchmarkDecisions decides calls with the policies of prod's deploy role, as the program's golden graph has them.
func BenchmarkDecisions(b *testing.B) {
	data, err := os.ReadFile("../../site/testdata/graph.prod.json")
	if err != nil {
		b.Fatal(err)
	}
	var graph []struct {
		Type, Name string
		Inputs     struct{ Name, Policy string }
	}
	if err := json.Unmarshal(data, &graph); err != nil {
		b.Fatal(err)
	}
	var policies iam.Policies
	for _, r := range graph {
		if r.Type == "aws:iam/policy:Policy" && strings.HasPrefix(r.Inputs.Name, "slipway-prod-deploy") {
			d, err := iam.Parse([]byte(r.Inputs.Policy))
			if err != nil {
				b.Fatal(err)
			}
			policies.Identity = append(policies.Identity, d)
		}
	}
	if len(policies.Identity) < 3 {
		b.Fatalf("the graph has %d policies of the deploy role", len(policies.Identity))
	}
	p, err := iam.ParsePrincipal("arn:aws:sts::123456789012:assumed-role/slipway-prod-deploy/run")
	if err != nil {
		b.Fatal(err)
	}
	tags := iam.Context{}
	tags.Set("aws:ResourceTag/stack", iam.One("prod"))
	requests := []iam.Request{
		{Principal: p, Action: "ec2:DescribeVpcs", Resource: "*"},
		{Principal: p, Action: "rds:ModifyDBInstance", Resource: "arn:aws:rds:us-east-1:123456789012:db:slipway-prod-database-0"},
		{Principal: p, Action: "kms:PutKeyPolicy", Resource: "arn:aws:kms:us-east-1:123456789012:key/1", Context: tags},
		{Principal: p, Action: "iam:PassRole", Resource: "arn:aws:iam::123456789012:role/slipway-prod-site-task"},
		{Principal: p, Action: "s3:PutBucketPolicy", Resource: "arn:aws:s3:::slipway-prod-logs-1"},
		{Principal: p, Action: "ecs:UpdateService", Resource: "arn:aws:ecs:us-east-1:123456789012:service/slipway-prod-site/slipway-prod-web"},
	}
	for i := range requests {
		requests[i].Account = "123456789012"
	}
	b.ResetTimer()
	for i := 0; b.Loop(); i++ {
		iam.Decide(requests[i%len(requests)], policies)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "decisions/s")
}

// A policy without the statement that allows a request does not allow it; what limits a caller still limits it, even if nothing is left.
func TestWithoutAStatement(t *testing.T) {
	parse := func(text string) *iam.Document {
		d, err := iam.Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	identity := parse(`{"Statement": [{"Sid": "Read", "Effect": "Allow", "Action": ["s3:Get*", "s3:GetObject", "s3:List*"], "Resource": "*"},
		{"Sid": "NoSecrets", "Effect": "Deny", "Action": "s3:*", "Resource": "arn:aws:s3:::secrets/*"}]}`)
	boundary := parse(`{"Statement": {"Sid": "S3", "Effect": "Allow", "Action": "s3:*", "Resource": "*"}}`)
	p, err := iam.ParsePrincipal("arn:aws:iam::123456789012:role/reader")
	if err != nil {
		t.Fatal(err)
	}
	ask := func(resource string, policies iam.Policies) iam.Outcome {
		return iam.Decide(iam.Request{Principal: p, Action: "s3:GetObject", Resource: resource, Account: "123456789012"}, policies).Outcome
	}
	all := iam.Policies{Identity: []*iam.Document{identity}, Boundaries: []*iam.Document{boundary}}
	const object, secret = "arn:aws:s3:::media/1", "arn:aws:s3:::secrets/1"
	for _, c := range []struct {
		name     string
		policies iam.Policies
		resource string
		want     iam.Outcome
	}{
		{"all", all, object, iam.Allowed},
		{"without the permission", all.Without(identity.Statements[0]), object, iam.ImplicitlyDenied},
		{"without the boundary's statement", all.Without(boundary.Statements[0]), object, iam.ImplicitlyDenied},
		{"the denial", all, secret, iam.ExplicitlyDenied},
		{"without the denial", all.Without(identity.Statements[1]), secret, iam.Allowed},
		{"all, still", all, secret, iam.ExplicitlyDenied},
		{"no boundary", iam.Policies{Identity: all.Identity}.Without(boundary.Statements[0]), object, iam.Allowed},
	} {
		if got := ask(c.resource, c.policies); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	if got := fmt.Sprint(identity.Statements[0].ActionsFor("s3:GetObject"), identity.Statements[0].Actions()); got !=
		"[s3:get* s3:getobject] [s3:get* s3:getobject s3:list*]" {
		t.Error(got)
	}
}
