package settings

import (
	"slipway/internal/catalog"
	"slipway/internal/wiring"
)

// Facts are the facts about the parameters and the secret key.
func Facts(site wiring.Site) []catalog.Resource {
	return []catalog.Resource{
		catalog.Parameter(site),
		catalog.Random("random:index/randomPassword:RandomPassword").Offering(catalog.Secret("key")...),
	}
}
