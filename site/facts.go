package site

import (
	"slices"

	"slipway/bastion"
	"slipway/batch"
	"slipway/cicd"
	"slipway/config"
	"slipway/datastore"
	"slipway/ecs"
	"slipway/internal/catalog"
	"slipway/internal/wiring"
	"slipway/keys"
	"slipway/logging"
	"slipway/network"
	"slipway/settings"
)

// Catalog joins the facts that the components state about their resources. A component that is not listed here has no
// permissions, no boundary and no rules of drift, and TestTheCatalogKnowsEveryResource names its types.
func Catalog(site wiring.Site) catalog.Catalog {
	return slices.Concat(Facts(site), keys.Facts(site), network.Facts(site), ecs.Facts(site), datastore.Facts(site), settings.Facts(site),
		logging.Facts(site), cicd.Facts(site), batch.Facts(site), bastion.Facts(site))
}

// Load is config.Load for this site: the environment variables that its components bind are reserved.
func Load(source config.Source) (*config.Stack, error) {
	source.Reserved = Catalog(wiring.Site{}).Names()
	return config.Load(source)
}

// Facts are the facts about the stack's AWS provider, and about what the program looks up before it creates anything.
func Facts(wiring.Site) []catalog.Resource {
	return []catalog.Resource{{
		Type:   "pulumi:providers:aws",
		Deploy: []catalog.Grant{catalog.Look("network", "ec2:DescribeAccountAttributes", "ec2:DescribeAvailabilityZones")},
		None:   catalog.Inert | catalog.Risks,
	}, catalog.Random("pulumi:index:Stash")}
}
