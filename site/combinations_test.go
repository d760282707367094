package site

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"slipway/internal/graph"
)

// changed is a configuration with a value of an object changed.
func changed(t *testing.T, values map[string]string, key, name string, value any) {
	t.Helper()
	object := map[string]any{}
	if text := values[key]; text != "" {
		if err := json.Unmarshal([]byte(text), &object); err != nil {
			t.Fatal(err)
		}
	}
	object[name] = value
	text, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	values[key] = string(text)
}

// TestEveryCombinationIsDeclared declares the four stacks with every combination of NAT, zones, architecture, log route, domain and
// bastion. FireLens without NAT is refused, because its router's image is public.
func TestEveryCombinationIsDeclared(t *testing.T) {
	accepted, refused := 0, 0
	step := 7 // has no common divisor with the numbers of values: the sample has all values of every setting
	if os.Getenv("SLIPWAY_DEEP") != "" {
		step = 1
	}
	for i := 0; i < 4*3*2*2*2*2*2; i += step {
		stack := stacks[i%4]
		nat := []string{"perZone", "single", "none"}[i/4%3]
		zones := 2 + i/12%2
		architecture := []string{"arm64", "amd64"}[i/24%2]
		route := []string{"subscription", "firelens"}[i/48%2]
		domain, bastion := i/96%2 == 0, i/192%2 == 0
		name := fmt.Sprintf("%s, nat %s, %d zones, %s, %s, domain %v, bastion %v", stack, nat, zones, architecture, route, domain, bastion)
		values := configured(t, stack, nil)
		changed(t, values, "slipway:network", "nat", nat)
		changed(t, values, "slipway:network", "zones", zones)
		changed(t, values, "slipway:web", "architecture", architecture)
		changed(t, values, "slipway:logs", "route", route)
		changed(t, values, "slipway:bastion", "enabled", bastion)
		delete(values, "slipway:domain")
		delete(values, "slipway:zone")
		delete(values, "slipway:plainHTTP")
		if domain {
			values["slipway:domain"], values["slipway:zone"] = "www.example.com", "example.com"
		} else {
			values["slipway:plainHTTP"] = "true"
		}
		g, err := graph.Record(stack, values, New(Options{Root: "..", Declare: true}).Run)
		if nat == "none" && route == "firelens" {
			if err == nil || !strings.Contains(err.Error(), "logs.route") || !strings.Contains(err.Error(), "NAT") {
				t.Errorf("%s: FireLens without NAT is not refused: %v", name, err)
			}
			refused++
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		accepted++
		counts := map[string]int{}
		for _, r := range g {
			counts[r.Type[strings.LastIndex(r.Type, ":")+1:]]++
		}
		gateways := map[string]int{"perZone": zones, "single": 1, "none": 0}[nat]
		if counts["NatGateway"] != gateways || counts["Subnet"] != 3*zones || counts["Certificate"] > 0 != domain {
			t.Errorf("%s: %d NAT gateways, %d subnets, %d certificates", name, counts["NatGateway"], counts["Subnet"], counts["Certificate"])
		}
	}
	t.Logf("%d combinations declared, %d refused", accepted, refused)
	if accepted == 0 || refused == 0 {
		t.Error("the sample lacks combinations that are accepted, or that are refused")
	}
}
