package network

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func lines(rules []Rule) []string {
	var all []string
	for _, r := range rules {
		all = append(all, fmt.Sprintf("%s>%s:%d", r.From, r.To, r.Port))
	}
	slices.Sort(all)
	return all
}

func TestFirewall(t *testing.T) {
	edge := "world>edge:80 edge>web:8080 web>data:5432 work>data:5432 "
	for _, test := range []struct {
		name    string
		nat     NAT
		bastion bool
		want    string
	}{
		{"a gateway in each zone", PerZone, true, edge + "bastion>data:5432 web>world:443 work>world:443 bastion>world:443"},
		{"one gateway", Single, true, edge + "bastion>data:5432 web>world:443 work>world:443 bastion>world:443"},
		{"no bastion", Single, false, edge + "web>world:443 work>world:443"},
		{"only AWS is reached", None, true, edge +
			"bastion>data:5432 web>endpoints:443 work>endpoints:443 bastion>endpoints:443 web>s3:443 work>s3:443 bastion>s3:443"},
		{"only AWS, no bastion", None, false, edge + "web>endpoints:443 work>endpoints:443 web>s3:443 work>s3:443"},
	} {
		want := strings.Fields(test.want)
		slices.Sort(want)
		if diff := cmp.Diff(want, lines(Rules(test.nat, test.bastion, false, ports))); diff != "" {
			t.Errorf("%s: rules (-want +got):\n%s", test.name, diff)
		}
		want = append(want, "world>edge:443")
		slices.Sort(want)
		if diff := cmp.Diff(want, lines(Rules(test.nat, test.bastion, true, ports))); diff != "" {
			t.Errorf("%s, with HTTPS: rules (-want +got):\n%s", test.name, diff)
		}
	}
}

func TestGroupsAreThoseInTheRules(t *testing.T) {
	for _, test := range []struct {
		nat     NAT
		bastion bool
		want    []Group
	}{
		{Single, false, []Group{Edge, Web, Data, Work}},
		{PerZone, true, []Group{Edge, Web, Data, Work, Bastion}},
		{None, true, []Group{Edge, Web, Data, Endpoints, Work, Bastion}},
	} {
		if diff := cmp.Diff(test.want, Groups(Rules(test.nat, test.bastion, true, ports))); diff != "" {
			t.Errorf("%s, bastion %v: groups (-want +got):\n%s", test.nat, test.bastion, diff)
		}
	}
}

var ports = Ports{Web: 8080, Data: 5432}

// A cache is reached by what reaches the database, and opens no connections itself.
func TestFirewallOfACache(t *testing.T) {
	with := ports
	with.Cache = 6379
	for _, bastion := range []bool{false, true} {
		var more []string
		without := lines(Rules(Single, bastion, true, ports))
		for _, l := range lines(Rules(Single, bastion, true, with)) {
			if !slices.Contains(without, l) {
				more = append(more, l)
			}
		}
		want := []string{"web>cache:6379", "work>cache:6379"}
		if bastion {
			want = append([]string{"bastion>cache:6379"}, want...)
		}
		if diff := cmp.Diff(want, more); diff != "" {
			t.Errorf("bastion %v: rules (-want +got):\n%s", bastion, diff)
		}
	}
}

// AWS refuses other characters in the description of a rule, and more than 255 of them.
var describable = regexp.MustCompile(`^[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]{1,255}$`)

func TestRulesCanBeDescribed(t *testing.T) {
	for _, nat := range []NAT{PerZone, Single, None} {
		for _, r := range Rules(nat, true, true, ports) {
			if !describable.MatchString(r.describe()) || r.Why == "" {
				t.Errorf("%s: AWS refuses the description %q", r.name(), r.describe())
			}
		}
	}
}
