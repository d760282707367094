package adapter

import (
	_ "embed"
	"strings"

	"slipway/internal/image"
)

// bundle is the root certificates of RDS in the regions that open to every account (RDS guide, "Using SSL/TLS to encrypt a
// connection to a DB instance or cluster"). It is part of Slipway so that an image does not depend on what a download gives that
// day, and can be built without one.
//
//go:embed rds/global-bundle.pem
var bundle string

// bundleStep puts the certificates of the region's databases into the image. What the bundle lacks comes from AWS in the build, as
// an app whose PGSSLMODE is verify-full could not connect otherwise. The builder would make such a file unreadable for all but root.
func (a App) bundleStep() string {
	if strings.Contains(bundle, "# Amazon RDS "+a.Region+" Root CA ") {
		return "COPY " + bundleFile + " " + image.CABundle
	}
	return "ADD --chmod=0644 https://truststore.pki.rds.amazonaws.com/" + a.Region + "/" + a.Region + "-bundle.pem " + image.CABundle
}
