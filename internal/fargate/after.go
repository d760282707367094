package fargate

import "github.com/pulumi/pulumi/sdk/v3/go/pulumi"

// A Readier is a component that knows which of its children must be there before it can be used.
type Readier interface {
	pulumi.Resource
	Ready() []pulumi.Resource
}

// After makes a resource wait for others; for a Readier, for what makes it ready.
//
// pulumi.DependsOn a component looks complete and is not: the SDK enters a child with its parent in the goroutine that
// registers the child, so a resource declared right afterwards may find some children missing (measured: a service
// without its listener in 1 of 12 runs). A child that is named is always waited for.
func After(resources ...pulumi.Resource) pulumi.ResourceOrInvokeOption {
	return pulumi.DependsOn(Ready(resources...))
}

// Ready are resources, with what makes them ready in the place of those that are Readiers.
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
