package cicd_test

import (
	"maps"
	"strings"
	"testing"

	"slipway/rehearsal/iam"
)

// A call is one API call as IAM sees it: an action, every resource that it is authorized on, and the request's context.
type call struct {
	action    string
	resources []string
	context   requestContext
}

// A requestContext holds the values of condition keys.
type requestContext map[string][]string

// with is the context and further values.
func (c requestContext) with(pairs ...string) requestContext {
	all := requestContext{}
	maps.Copy(all, c)
	for i := 0; i+1 < len(pairs); i += 2 {
		all[pairs[i]] = append(all[pairs[i]][:len(all[pairs[i]]):len(all[pairs[i]])], pairs[i+1])
	}
	return all
}

func (c requestContext) iam() iam.Context {
	all := iam.Context{}
	for key, values := range c {
		all.Set(key, iam.Several(values...))
	}
	return all
}

// parse reads policies for evaluation.
func parse(t *testing.T, documents ...string) []*iam.Document {
	t.Helper()
	var all []*iam.Document
	for _, document := range documents {
		d, err := iam.Parse([]byte(document))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, d)
	}
	return all
}

// delegation is a resource policy that leaves a resource to the IAM policies of its account: KMS's default key policy (KMS Developer
// Guide, "Default key policy").
const delegation = `{"Version":"2012-10-17","Statement":[{"Sid":"Account","Effect":"Allow","Action":"*","Resource":"*",` +
	`"Principal":{"AWS":"` + requestAccount + `"}}]}`

// allows decides a call of a role that has these identity policies. Every resource of the call must be allowed. It reports what
// decided.
func allows(t *testing.T, identity []*iam.Document, c call) (bool, string) {
	t.Helper()
	caller, err := iam.ParsePrincipal(iamARN("role/tested"))
	if err != nil {
		t.Fatal(err)
	}
	policies := iam.Policies{Identity: identity, Resource: parse(t, delegation)[0]}
	var why []string
	for _, resource := range c.resources {
		d := iam.Decide(iam.Request{Principal: caller, Action: c.action, Resource: resource, Account: requestAccount, Context: c.context.iam()},
			policies)
		why = append(why, d.Reasons()...)
		if !d.Allowed() {
			return false, strings.Join(why, "; ")
		}
	}
	return len(c.resources) > 0, strings.Join(why, "; ")
}

// trusts decides whether a role's trust policy admits a web identity of an OIDC provider.
func trusts(t *testing.T, trust, provider string, token requestContext) iam.Decision {
	t.Helper()
	return iam.Decide(iam.Request{Principal: iam.Federated(provider), Action: "sts:AssumeRoleWithWebIdentity", Resource: iamARN("role/tested"),
		Account: requestAccount, Context: token.iam()}, iam.Policies{Resource: parse(t, trust)[0]})
}

func TestACallNeedsEveryResource(t *testing.T) {
	identity := parse(t, `{"Version":"2012-10-17","Statement":[
		{"Sid":"All","Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::a*"}]}`)
	for _, c := range []struct {
		resources []string
		want      bool
	}{
		{[]string{"arn:aws:s3:::a/1"}, true},
		{[]string{"arn:aws:s3:::a/1", "arn:aws:s3:::a/2"}, true},
		{[]string{"arn:aws:s3:::a/1", "arn:aws:s3:::b/1"}, false},
		{nil, false},
	} {
		if got, why := allows(t, identity, call{action: "s3:GetObject", resources: c.resources}); got != c.want {
			t.Errorf("%v: got %v (%s)", c.resources, got, why)
		}
	}
}
