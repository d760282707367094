package fargate

import "github.com/pulumi/pulumi/sdk/v3/go/pulumi"

// A Readier is a component that lists the children that must exist before it can be used.
type Readier interface {
	pulumi.Resource
	Ready() []pulumi.Resource
}

// After makes a resource wait for others; in place of a Readier, for its Ready resources.
//
// pulumi.DependsOn a component may miss children: the SDK adds a child to its parent in the goroutine that registers the
// child, so a resource declared right afterwards may not see all of them (measured: a service without its listener in 1
// of 12 runs). A child that is passed explicitly is always waited for.
func After(resources ...pulumi.Resource) pulumi.ResourceOrInvokeOption {
	return pulumi.DependsOn(Ready(resources...))
}

// Ready returns resources, with every Readier replaced by its Ready resources.
func Ready(resources ...pulumi.Resource) []pulumi.Resource {
	var all []pulumi.Resource
	for _, r := range resources {
		if c, ok := r.(Readier); ok {
			all = append(all, Ready(c.Ready()...)...)
		} else {
			all = append(all, r)
		}
	}
	return all
}
