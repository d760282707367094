package cicd

import (
	"slices"

	"slipway/bastion"
	"slipway/batch"
	"slipway/datastore"
	"slipway/ecs"
	"slipway/internal/catalog"
	"slipway/internal/wiring"
	"slipway/keys"
	"slipway/logging"
	"slipway/network"
	parameters "slipway/settings"
)

// factsOf are the facts of all components, as site.Catalog joins them: site cannot be imported here.
func factsOf(site wiring.Site) catalog.Catalog {
	return slices.Concat(keys.Facts(site), network.Facts(site), ecs.Facts(site), datastore.Facts(site), parameters.Facts(site),
		logging.Facts(site), Facts(site), batch.Facts(site), bastion.Facts(site),
		[]catalog.Resource{{Deploy: []catalog.Grant{catalog.Look("network", "ec2:DescribeAccountAttributes", "ec2:DescribeAvailabilityZones")}}})
}
