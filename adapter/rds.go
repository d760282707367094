package adapter

import (
	_ "embed"
	"strings"
)

// bundle is the root certificates of RDS in the regions that open to every account (RDS guide, "Using SSL/TLS to encrypt a
// connection to a DB instance or cluster"). It is part of Slipway so that an image does not depend on what a download gives that
// day, and can be built without one.
//
//go:embed rds/global-bundle.pem
var bundle string

// TrustsRDS reports whether images trust the databases of a region. Where they do not, every connection of the app would fail:
// PGSSLMODE is verify-full.
func TrustsRDS(region string) bool {
	return strings.Contains(bundle, "# Amazon RDS "+region+" Root CA ")
}
