package operation

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"

	"slipway/rehearsal/cloud"
)

// The prices of a paused stack are those of docs/costs.md.
func TestPricesAreThoseOfTheDocumentation(t *testing.T) {
	page, err := os.ReadFile("../docs/costs.md")
	if err != nil {
		t.Fatal(err)
	}
	for what, price := range map[string]string{
		"NAT gateways ($%s an hour)": fmt.Sprint(natHour), "balancer ($%s an hour)": fmt.Sprint(addressHour),
		"without LCUs ($%s an hour": fmt.Sprint(balancerHour), "| $%s per GiB and month": fmt.Sprint(storageMonth),
		"alarms ($%s each": fmt.Sprintf("%.2f", alarmMonth), "| $%s a month, with `waf": fmt.Sprint(webACLMonth),
	} {
		if words := fmt.Sprintf(what, price); !strings.Contains(string(page), words) {
			t.Errorf("docs/costs.md does not say %q", words)
		}
	}
}

func TestWhatAPausedStackCosts(t *testing.T) {
	costs, unknown := standing([]apitype.ResourceV3{
		{Type: "aws:ec2/natGateway:NatGateway"}, {Type: "aws:ec2/eip:Eip"},
		{Type: "aws:lb/loadBalancer:LoadBalancer", Outputs: map[string]any{"subnets": []any{"a", "b"}}},
		{Type: "aws:rds/instance:Instance", Outputs: map[string]any{"allocatedStorage": 100.0, "multiAz": true}},
		{Type: "aws:elasticache/replicationGroup:ReplicationGroup", Outputs: map[string]any{"nodeType": "cache.t4g.micro"}},
		{Type: "aws:ecs/service:Service"},
	})
	got := map[string]float64{}
	for _, c := range costs {
		got[c.What] = math.Round(c.Dollars)
	}
	want := map[string]float64{"NAT gateways": 33, "public addresses": 11, "load balancer": 16, "database storage": 23}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if !slices.Equal(unknown, []string{"cache cache.t4g.micro"}) {
		t.Errorf("without a price: %q", unknown)
	}
	if costs[0].What != "NAT gateways" {
		t.Errorf("the dearest is not first: %v", costs)
	}
}

// Application Auto Scaling owns the number of tasks of a service that scales. That of a worker is the program's.
func TestTheNumberOfTasksOfAWorkerIsDrift(t *testing.T) {
	step := func(kind, id string, old, is map[string]any) apitype.StepEventMetadata {
		state := func(outputs map[string]any) *apitype.StepEventStateMetadata {
			return &apitype.StepEventStateMetadata{Type: kind, ID: id, Custom: true, Outputs: outputs}
		}
		return apitype.StepEventMetadata{Op: apitype.OpRefresh, URN: "urn:pulumi:dev::shop::" + kind + "::" + id, Type: kind,
			Old: state(old), New: state(is)}
	}
	const arn = "arn:aws:ecs:us-east-1:123456789012:service/shop-dev-site/shop-dev-"
	tasks := func(n float64) map[string]any { return map[string]any{"desiredCount": n} }
	found, _ := differences(nil, []apitype.StepEventMetadata{
		step(typeService, arn+"web", tasks(1), tasks(4)),
		step(typeService, arn+"worker-feed", tasks(1), tasks(4)),
		step(typeScaling, "service/shop-dev-site/shop-dev-web", map[string]any{"resourceId": "service/shop-dev-site/shop-dev-web"},
			map[string]any{"resourceId": "service/shop-dev-site/shop-dev-web"}),
	})
	if len(found) != 1 || found[0].ID != arn+"worker-feed" || found[0].Properties[0].Path != "desiredCount" {
		t.Errorf("drift is %+v: want the worker's number of tasks alone", found)
	}
}

// A pause makes no drift: every value that it set counts as it was before. What was changed by hand before or beside it is still drift.
func TestAPauseIsNoDrift(t *testing.T) {
	target := working(t, "staging")
	if _, err := Scale(t.Context(), target, ScaleArgs{Service: "feed", Tasks: "2"}); err != nil {
		t.Fatal(err)
	}
	if _, err := Pause(t.Context(), target, PauseArgs{Confirm: func(Pausing) error { return nil }}); err != nil {
		t.Fatal(err)
	}
	paths := func() (found []string) {
		t.Helper()
		d, err := Drift(t.Context(), target, DriftArgs{})
		if err != nil {
			t.Fatal(err)
		}
		if !d.Paused || len(d.LeftOut) < 4 || !slices.Contains(d.LeftOut, "web-scaling") || !slices.Contains(d.LeftOut, "worker-feed") {
			t.Errorf("paused %v, left out %q", d.Paused, d.LeftOut)
		}
		for _, r := range d.Found {
			for _, p := range r.Properties {
				found = append(found, fmt.Sprintf("%s %s %v", r.Name, p.Path, p.To))
			}
		}
		slices.Sort(found)
		return found
	}
	if got, want := paths(), []string{"worker-feed desiredCount 2"}; !slices.Equal(got, want) {
		t.Errorf("drift is %q, want %q", got, want)
	}
	byHand(t, target, func(m *cloud.Account) {
		alter(t, m, typeScaling, "", func(o *cloud.Object) { o.Outputs["maxCapacity"] = float64(9) })
		alter(t, m, typeSchedule, "", func(o *cloud.Object) { o.Outputs["scheduleExpression"] = "rate(1 day)" })
	})
	got := paths()
	want := []string{"job-clean-up scheduleExpression rate(1 day)", "web-scaling maxCapacity 9", "worker-feed desiredCount 2"}
	if !slices.Equal(got, want) {
		t.Errorf("with manual changes drift is %q, want %q", got, want)
	}
}
