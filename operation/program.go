package operation

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/site"
)

// Program is the Pulumi program.
var Program pulumi.RunFunc = site.Deploy

// IsProgram reports whether this process is to be the Pulumi program. The Pulumi CLI starts the file that runtime.options.binary of
// Pulumi.yaml names, without arguments, and says in the environment where its engine listens. No command line is that: slipway without
// arguments shows its help, which needs no engine.
func IsProgram(args []string, getenv func(string) string) bool {
	return len(args) == 0 && getenv(pulumi.EnvMonitor) != "" && getenv(pulumi.EnvEngine) != ""
}
