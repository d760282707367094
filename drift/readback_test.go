package drift

import (
	"slices"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
)

func TestOnlyWhatAnOperationTouchedIsReadBack(t *testing.T) {
	const group, rule, parameter = "aws:ec2/securityGroup:SecurityGroup", "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
		"aws:ssm/parameter:Parameter"
	urn := func(kind, name string) resource.URN {
		return resource.NewURN("dev", "slipway", "", tokens.Type(kind), name)
	}
	then, now := time.Unix(1, 0), time.Unix(2, 0)
	made := func(at time.Time, kind, name string, of ...string) apitype.ResourceV3 {
		r := apitype.ResourceV3{URN: urn(kind, name), Type: tokens.Type(kind), ID: resource.ID(name), Modified: &at}
		for _, name := range of {
			r.Dependencies = append(r.Dependencies, urn(group, name))
		}
		return r
	}
	type state = []apitype.ResourceV3
	web, data := made(then, group, "web"), made(then, group, "data")
	in := made(then, rule, "in", "web")
	for name, c := range map[string]struct {
		before, after state
		want          []string
	}{
		"the first up reads all of them": {nil, state{web, data, in}, []string{"web", "data"}},
		"nothing changed":                {state{web, data, in}, state{web, data, in}, nil},
		"a rule was made":                {state{web, data}, state{web, data, in}, []string{"web"}},
		"a rule was changed":             {state{web, data, in}, state{web, data, made(now, rule, "in", "web")}, []string{"web"}},
		"a rule was deleted":             {state{web, data, in}, state{web, data}, []string{"web"}},
		"a group was changed":            {state{web, data, in}, state{web, made(now, group, "data"), in}, []string{"data"}},
		"a group was deleted":            {state{web, data}, state{web}, nil},
		"another resource was changed":   {state{web, data}, state{web, data, made(now, parameter, "marker")}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, one := range Outdated(func(token string) bool { return token == group }, c.before, c.after) {
				got = append(got, resource.URN(one).Name())
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}
