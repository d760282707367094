package cicd_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"slipway/internal/policy"
)

// A call is one API call as IAM sees it: an action, every resource that it is authorized on, and the request's context.
type call struct {
	action    string
	resources []string
	context   requestContext
}

// A requestContext holds the values of condition keys. IAM does not distinguish capitals in their names.
type requestContext map[string][]string

func (c requestContext) value(key string) ([]string, bool) {
	for k, values := range c {
		if strings.EqualFold(k, key) {
			return values, true
		}
	}
	return nil, false
}

// with is the context and further values.
func (c requestContext) with(pairs ...string) requestContext {
	all := requestContext{}
	for k, v := range c {
		all[k] = v
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		all[pairs[i]] = append(slices.Clone(all[pairs[i]]), pairs[i+1])
	}
	return all
}

// parse reads policies for evaluation, and refuses what the evaluation does not know: a NotAction that nothing looks at
// would make every answer wrong.
func parse(t *testing.T, documents ...string) []policy.ParsedStatement {
	t.Helper()
	var all []policy.ParsedStatement
	for _, document := range documents {
		var d struct {
			Version   string
			Statement []map[string]any
		}
		if err := json.Unmarshal([]byte(document), &d); err != nil || d.Version != "2012-10-17" {
			t.Fatalf("version %q: %v", d.Version, err)
		}
		for _, s := range d.Statement {
			for field := range s {
				if !slices.Contains([]string{"Sid", "Effect", "Action", "Resource", "Principal", "Condition"}, field) {
					t.Fatalf("%v has %s, which is not evaluated", s["Sid"], field)
				}
			}
		}
		read, err := policy.Parse(document)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, read...)
	}
	for _, s := range all {
		if _, err := holds(s.Condition, requestContext{}); err != nil {
			t.Fatalf("%s: %v", s.Sid, err)
		}
	}
	return all
}

// allows evaluates identity policies: every resource of the call needs an Allow and must not meet a Deny. It says which
// statement decided. IAM guide, "Policy evaluation logic".
func allows(statements []policy.ParsedStatement, c call) (bool, string) {
	why := ""
	for _, resource := range c.resources {
		allowed := ""
		for _, s := range statements {
			about := slices.ContainsFunc(s.Action, func(a string) bool { return wild(strings.ToLower(a), strings.ToLower(c.action)) }) &&
				slices.ContainsFunc(s.Resource, func(r string) bool { return wild(r, resource) })
			if met, err := holds(s.Condition, c.context); !about || !met || err != nil {
				continue
			}
			if s.Effect == "Deny" {
				return false, s.Sid + " denies " + resource
			}
			allowed = s.Sid
		}
		if allowed == "" {
			return false, "nothing allows " + resource
		}
		why += allowed + " "
	}
	return len(c.resources) > 0, why
}

// wild is IAM's matching: * is any characters, ? is one.
func wild(pattern, value string) bool {
	form := strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(pattern))
	return regexp.MustCompile("(?s)^" + form + "$").MatchString(value)
}

// holds evaluates a condition block: all operators and all keys must hold, one of a key's values is enough. A key that the
// request lacks fails a positive operator and satisfies a negated one, one with IfExists, and ForAllValues. IAM guide, "IAM
// JSON policy elements: Condition operators" and "Multivalued context keys".
func holds(conditions map[string]map[string]policy.Many, c requestContext) (bool, error) {
	all := true
	for operator, keys := range conditions {
		bare, ifExists := strings.CutSuffix(operator, "IfExists")
		bare, one := strings.CutPrefix(bare, "ForAnyValue:")
		bare, each := strings.CutPrefix(bare, "ForAllValues:")
		var equal func(want, got string) bool
		negated := false
		switch bare {
		case "Null":
		case "StringEquals", "Bool":
			equal = func(want, got string) bool { return want == got }
		case "StringNotEquals":
			equal, negated = func(want, got string) bool { return want == got }, true
		case "StringLike", "ArnLike", "ArnEquals": // ArnEquals and ArnLike are the same
			equal = wild
		default:
			return false, fmt.Errorf("operator %s is not evaluated", operator)
		}
		for key, wants := range keys {
			got, there := c.value(key)
			hit := func(g string) bool {
				return slices.ContainsFunc(wants, func(w string) bool { return equal(w, g) }) != negated
			}
			met := false
			switch {
			case equal == nil:
				met = there == (wants[0] == "false")
			case !there:
				met = ifExists || negated && !one || each
			case each:
				met = !slices.ContainsFunc(got, func(g string) bool { return !hit(g) })
			default:
				met = slices.ContainsFunc(got, hit)
			}
			all = all && met
		}
	}
	return all, nil
}

// The evaluation itself: what IAM documents of each operator.
func TestConditionsAreEvaluatedAsIAMDoes(t *testing.T) {
	for _, c := range []struct {
		condition string
		context   requestContext
		want      bool
	}{
		{`{"StringEquals":{"a:b":"x"}}`, requestContext{"A:B": {"x"}}, true},
		{`{"StringEquals":{"a:b":"x"}}`, requestContext{"a:b": {"X"}}, false},
		{`{"StringEquals":{"a:b":"x*"}}`, requestContext{"a:b": {"xy"}}, false},
		{`{"StringEquals":{"a:b":"x"}}`, requestContext{}, false},
		{`{"StringEquals":{"a:b":["x","y"]}}`, requestContext{"a:b": {"y"}}, true},
		{`{"StringEquals":{"a:b":"x","a:c":"y"}}`, requestContext{"a:b": {"x"}}, false},
		{`{"StringEquals":{"a:b":"x"},"StringLike":{"a:c":"y*"}}`, requestContext{"a:b": {"x"}, "a:c": {"yes"}}, true},
		{`{"StringEquals":{"a:b":"x"},"StringLike":{"a:c":"y*"}}`, requestContext{"a:b": {"x"}, "a:c": {"no"}}, false},
		{`{"StringEqualsIfExists":{"a:b":"x"}}`, requestContext{}, true},
		{`{"StringEqualsIfExists":{"a:b":"x"}}`, requestContext{"a:b": {"y"}}, false},
		{`{"StringNotEquals":{"a:b":"x"}}`, requestContext{}, true},
		{`{"StringNotEquals":{"a:b":"x"}}`, requestContext{"a:b": {"x"}}, false},
		{`{"StringNotEquals":{"a:b":["x","y"]}}`, requestContext{"a:b": {"y"}}, false},
		{`{"StringNotEquals":{"a:b":"x"}}`, requestContext{"a:b": {"y"}}, true},
		{`{"Null":{"a:b":"true"}}`, requestContext{}, true},
		{`{"Null":{"a:b":"true"}}`, requestContext{"a:b": {"x"}}, false},
		{`{"Null":{"a:b":"false"}}`, requestContext{"a:b": {"x"}}, true},
		{`{"Bool":{"a:b":"true"}}`, requestContext{}, false},
		{`{"Bool":{"a:b":"true"}}`, requestContext{"a:b": {"true"}}, true},
		{`{"ForAnyValue:StringLike":{"a:b":"x*"}}`, requestContext{"a:b": {"a", "xy"}}, true},
		{`{"ForAnyValue:StringLike":{"a:b":"x*"}}`, requestContext{"a:b": {"a", "b"}}, false},
		{`{"ForAnyValue:StringLike":{"a:b":"x*"}}`, requestContext{}, false},
		{`{"ForAllValues:StringLike":{"a:b":"x*"}}`, requestContext{}, true},
		{`{"ForAllValues:StringLike":{"a:b":"x*"}}`, requestContext{"a:b": {"x", "y"}}, false},
		{`{"ArnEquals":{"a:b":"arn:aws:ecs:*:1:cluster/x"}}`, requestContext{"a:b": {"arn:aws:ecs:us-east-1:1:cluster/x"}}, true},
		{`{"ArnEquals":{"a:b":"arn:aws:ecs:*:1:cluster/x"}}`, requestContext{"a:b": {"arn:aws:ecs:us-east-1:1:cluster/xy"}}, false},
	} {
		var condition map[string]map[string]policy.Many
		if err := json.Unmarshal([]byte(c.condition), &condition); err != nil {
			t.Fatal(err)
		}
		if got, err := holds(condition, c.context); err != nil || got != c.want {
			t.Errorf("%s in %v: %v (%v), want %v", c.condition, c.context, got, err, c.want)
		}
	}
	if _, err := holds(map[string]map[string]policy.Many{"DateLessThan": {"a:b": {"x"}}}, requestContext{}); err == nil {
		t.Error("an operator that is not evaluated must be an error")
	}
}

func TestADenyOverrides(t *testing.T) {
	statements := parse(t, `{"Version":"2012-10-17","Statement":[
		{"Sid":"All","Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::a*"},
		{"Sid":"Not","Effect":"Deny","Action":"s3:Delete*","Resource":"arn:aws:s3:::ab/*","Condition":{"StringEquals":{"a:b":"x"}}}]}`)
	for _, c := range []struct {
		action, resource, value string
		want                    bool
	}{
		{"s3:DeleteObject", "arn:aws:s3:::ac/1", "x", true},
		{"S3:deleteobject", "arn:aws:s3:::ac/1", "x", true},
		{"s3:DeleteObject", "arn:aws:s3:::ab/1", "x", false},
		{"s3:DeleteObject", "arn:aws:s3:::ab/1", "y", true},
		{"s3:GetObject", "arn:aws:s3:::ab/1", "x", true},
		{"s3:GetObject", "arn:aws:s3:::b/1", "x", false},
		{"ec2:GetObject", "arn:aws:s3:::a/1", "x", false},
	} {
		if got, why := allows(statements, call{c.action, []string{c.resource}, requestContext{"a:b": {c.value}}}); got != c.want {
			t.Errorf("%+v: got %v (%s)", c, got, why)
		}
	}
	both := call{"s3:GetObject", []string{"arn:aws:s3:::a/1", "arn:aws:s3:::b/1"}, nil}
	if got, _ := allows(statements, both); got {
		t.Error("a call on two resources needs both to be allowed")
	}
	if got, _ := allows(statements, call{action: "s3:GetObject"}); got {
		t.Error("a call on nothing is not a call")
	}
}
