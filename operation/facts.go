package operation

import (
	"slipway/internal/catalog"
	"slipway/internal/wiring"
	"slipway/site"
)

// facts are those about every type of resource, whatever the stack: what drift and a loss mean.
func facts() catalog.Catalog { return site.Catalog(wiring.Site{}) }
