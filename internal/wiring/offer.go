package wiring

import (
	"fmt"
	"maps"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/policy"
)

// An Offer is what a component offers to the app: values, by their names in the templates of app.env, and the permissions that
// using them takes. The component that owns the resource makes it, because it knows what using the resource takes.
type Offer struct {
	Values map[string]Value
	Grants []policy.Statement // for the workload's task role
}

// A Value is the value of a name such as db.host.
type Value struct {
	Text   pulumi.StringInput
	Secret bool // it never appears in a task definition

	// Parameter holds the same value already; nil: none does. Only a secret has one.
	Parameter *Secret
}

// Offers merges offers. It returns an error if two of them have a value of the same name.
func Offers(offers ...Offer) (Offer, error) {
	all := Offer{Values: map[string]Value{}}
	for _, o := range offers {
		for name := range o.Values {
			if _, twice := all.Values[name]; twice {
				return Offer{}, fmt.Errorf("wiring: two components offer {%s}", name)
			}
		}
		maps.Copy(all.Values, o.Values)
		all.Grants = append(all.Grants, o.Grants...)
	}
	return all, nil
}
