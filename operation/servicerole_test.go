package operation

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"slipway/bootstrap"
	"slipway/internal/wiring"
	"slipway/site"
)

// TestBootstrapMakesTheServiceLinkedRolesOfTheFacts holds bootstrap's list against the services whose first use, by the facts
// of the components, creates a service-linked role.
func TestBootstrapMakesTheServiceLinkedRolesOfTheFacts(t *testing.T) {
	var facts []string
	for _, grant := range site.Catalog(wiring.Site{}).Grants() {
		if !slices.Contains(grant.Actions, "iam:CreateServiceLinkedRole") {
			continue
		}
		services, _ := grant.Conditions["StringEquals"]["iam:AWSServiceName"].([]any)
		if len(services) == 0 {
			t.Errorf("%s creates a service-linked role of any service", grant.Sid)
		}
		for _, service := range services {
			facts = append(facts, fmt.Sprint(service))
		}
	}
	made := append(slices.Clone(bootstrap.ServiceRoles), bootstrap.WAFServiceRole, bootstrap.CacheServiceRole)
	slices.Sort(facts)
	slices.Sort(made)
	if diff := cmp.Diff(slices.Compact(facts), made); diff != "" {
		t.Errorf("service-linked roles (-facts +bootstrap):\n%s", diff)
	}
}
