package site

import (
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

// A Component is a package that creates resources. Its name is that of the folder, and the second part of its type tokens.
type Component struct {
	Name  string
	Facts func(wiring.Site) []catalog.Resource
}

// Components are all components of a site. This is the only list of them: the permissions, the boundary, the rules of drift
// and the import rules come from it. TestTheCatalogKnowsEveryResource names the types of a component that is missing.
var Components = []Component{
	{"keys", keys.Facts}, {"network", network.Facts}, {"ecs", ecs.Facts}, {"datastore", datastore.Facts}, {"settings", settings.Facts},
	{"logging", logging.Facts}, {"cicd", cicd.Facts}, {"batch", batch.Facts}, {"bastion", bastion.Facts},
}

// Catalog joins the facts that the components state about their resources.
func Catalog(site wiring.Site) catalog.Catalog {
	all := catalog.Catalog(Facts(site))
	for _, c := range Components {
		all = append(all, c.Facts(site)...)
	}
	return all
}

// Load is config.Load for this site: templates may use what its components offer, the environment variables that every container
// has are reserved, and its tasks must not need more connections than its database takes.
func Load(source config.Source) (*config.Stack, error) {
	source.Reserved, source.Names = reserved, Catalog(wiring.Site{}).Values()
	source.Connections = datastore.Usable
	return config.Load(source)
}

// Facts are the facts about the stack's AWS provider, and about what the program looks up before it creates anything.
func Facts(wiring.Site) []catalog.Resource {
	return []catalog.Resource{{
		Type: "pulumi:providers:aws",
		Deploy: []catalog.Grant{catalog.Look("network", "ec2:DescribeAccountAttributes", "ec2:DescribeAvailabilityZones",
			"ec2:DescribeSubnets")},
		Offers: catalog.Plain("region"),
		None:   catalog.Inert&^catalog.Offers | catalog.Risks,
	}, catalog.Random("pulumi:index:Stash")}
}

// MostConnections is how many connections a database of a class takes; 0: that is not known.
func MostConnections(class string) int { return datastore.MaxConnections(class) }
