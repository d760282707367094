package site

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"slipway/internal/policy"
	"slipway/keys"
)

// throughService are the values of kms:ViaService in statements.
func throughService(statements ...policy.Statement) map[string]bool {
	all := map[string]bool{}
	for _, s := range statements {
		switch v := s.Conditions["StringEquals"]["kms:ViaService"].(type) {
		case string:
			all[v] = true
		case []any:
			for _, one := range v {
				all[fmt.Sprint(one)] = true
			}
		}
	}
	return all
}

// usedBy are the services through which the deploy role uses the stack's keys, by the facts about types that begin with prefix.
func usedBy(prefix string) map[string]bool {
	all := map[string]bool{}
	for _, r := range Catalog(anySite) {
		if strings.HasPrefix(r.Type, prefix) {
			for _, g := range r.Deploy {
				maps.Copy(all, throughService(g.Statement))
			}
		}
	}
	return all
}

// TestKeysAreUsedThroughTheServicesOfTheFacts holds the keys' policies against the facts. The deploy role's permission to use
// a key through a service is no use if the key's own policy does not name that service, and the other way round.
func TestKeysAreUsedThroughTheServicesOfTheFacts(t *testing.T) {
	facts, keyPolicies := usedBy(""), throughService(keys.Statements(anySite, keys.Purposes...)...)
	for service := range facts {
		if !keyPolicies[service] {
			t.Errorf("the deploy role uses keys through %s, and no key allows that: see keys/purposes.go", service)
		}
	}
	for service := range keyPolicies {
		if !facts[service] {
			t.Errorf("keys are used through %s, and no resource's facts say so: see catalog.UseKey", service)
		}
	}
	if len(facts) < 8 {
		t.Errorf("only %v use keys", slices.Collect(maps.Keys(facts)))
	}
}

// TestEveryKeyAllowsWhatIsEncryptedWithIt holds the policy of each key against the resources that have it: the key of the
// wrong purpose would be refused when the resource is created.
func TestEveryKeyAllowsWhatIsEncryptedWithIt(t *testing.T) {
	checked := 0
	for stack, g := range recorded(t) {
		for _, r := range g {
			module, _, _ := strings.Cut(r.Type, "/")
			for _, purpose := range keys.Purposes {
				if !mentions(r.Inputs, ":key/keys-"+string(purpose)) {
					continue
				}
				allowed := throughService(keys.Statements(anySite, purpose)...)
				for service := range usedBy(module + "/") {
					checked++
					if !allowed[service] {
						t.Errorf("%s: %s %s has the key for %s, which cannot be used through %s", stack, r.Type, r.Name, purpose, service)
					}
				}
			}
		}
	}
	if checked < 20 {
		t.Errorf("only %d uses of keys were checked", checked)
	}
}

// mentions reports whether a value is a string that ends so, or contains one.
func mentions(value any, end string) bool {
	switch v := value.(type) {
	case string:
		return strings.HasSuffix(v, end)
	case []any:
		return slices.ContainsFunc(v, func(one any) bool { return mentions(one, end) })
	case map[string]any:
		for _, one := range v {
			if mentions(one, end) {
				return true
			}
		}
	}
	return false
}
