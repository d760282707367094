// Command slipway is the Pulumi program: what `pulumi up` runs.
package main

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/site"
)

func main() { pulumi.Run(site.Deploy) }
