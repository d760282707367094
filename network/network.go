// Package network makes the VPC of a site: subnets, routes, NAT, endpoints, and the firewall between its parts.
package network

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/wiring"
)

// Type is the type token of a Network.
const Type = "slipway:network:Network"

// A NAT selects how private subnets reach the internet. Prices are those of us-east-1, for 730 hours.
type NAT string

const (
	// PerZone creates a gateway in every zone, so that an outage of one zone does not affect the others: $36.50 a month
	// each, and $0.045 a GB.
	PerZone NAT = "perZone"
	// Single creates one gateway in the first zone, which all zones depend on: $36.50 a month, and $0.045 a GB.
	Single NAT = "single"
	// None means no internet access. Tasks reach AWS through 6 interface endpoints, at $7.30 a month each in each zone: $88 over
	// two zones. It buys isolation, not savings.
	None NAT = "none"
)

// A Network is a VPC over 2 or 3 zones. The public subnets hold the balancer and the NAT gateways, the private subnets
// the tasks and the bastion, the data subnets the database. Data subnets have no route out of the VPC.
//
// Its outputs are ready to use: a subnet's ID resolves after the subnet's routes and endpoints exist, and a security
// group's after its rules exist. A workload placed by them has a working network from the start and needs no DependsOn.
//
// The default network ACLs stay as AWS makes them and allow everything. Only security groups filter, because ACLs are
// stateless: an ACL that denied port 3389 would also drop replies to NAT gateways and balancers, which open connections
// from any port above 1023.
//
// Cost: NAT or endpoints (see NAT), and the flow logs at $0.50 a GB. Everything else is free. Another CIDR replaces it,
// with everything in it.
type Network struct {
	pulumi.ResourceState

	VpcID            pulumi.StringOutput
	PublicSubnetIDs  pulumi.StringArrayOutput
	PrivateSubnetIDs pulumi.StringArrayOutput
	DataSubnetIDs    pulumi.StringArrayOutput

	// Groups are the IDs of the security groups: those of Groups(Rules(args.NAT, args.Bastion, args.HTTPS, args.Ports)).
	Groups map[Group]pulumi.StringOutput

	Web     wiring.Placement // of web tasks
	Work    wiring.Placement // of workers, jobs and migrations
	Bastion wiring.Placement // of the bastion; empty unless Args.Bastion

	Layout Layout // the subnets' ranges
}

// Args describe a Network.
type Args struct {
	Site wiring.Site // the network uses the first Zones of Site.Zones

	// CIDR is the VPC's range, /16 to /24. Changing it replaces the network and everything in it.
	CIDR netip.Prefix

	Zones   int  // 2 or 3; going from 2 to 3 keeps every subnet, going back deletes the third zone's
	NAT     NAT  // changing it interrupts outgoing connections for some minutes
	Bastion bool // whether there is a bastion
	HTTPS   bool // whether the balancer listens on 443, which it does if the site has a certificate
	Ports   Ports

	// Endpoints are the services that the application itself calls, such as "sqs", if NAT is None. Each costs $7.30 a month in
	// each zone.
	Endpoints []string

	// WithoutARM are the zones of Site.Zones without arm64 capacity. The bastion, which is arm64, is placed in the other
	// zones, and so are the tasks if ARMTasks is set. Every zone keeps its subnets: moving them would replace the network.
	WithoutARM []string
	ARMTasks   bool

	FlowLogDays int                // how long flow logs are kept, in days
	LogsKeyARN  pulumi.StringInput // the KMS key that encrypts flow logs
}

// check returns the layout, or every mistake in the arguments.
func (a *Args) check() (Layout, error) {
	layout, err := Plan(a.CIDR, a.Zones)
	errs := []error{err}
	if a.Zones > 0 && a.Zones <= maxZones && len(a.Site.Zones) < a.Zones {
		errs = append(errs, fmt.Errorf("network: %d zones are wanted, the region %s has %d: %v",
			a.Zones, a.Site.Region, len(a.Site.Zones), a.Site.Zones))
	}
	letters := map[string]string{}
	if zones := a.zones(); len(zones) > 0 && !slices.ContainsFunc(zones, a.hasARM) {
		errs = append(errs, fmt.Errorf("network: none of the zones %v has arm64 machines", zones))
	}
	for _, zone := range a.zones() {
		if other, taken := letters[letter(zone)]; taken || zone == "" {
			errs = append(errs, fmt.Errorf("network: zones must end in different letters, got %q and %q", other, zone))
		}
		letters[letter(zone)] = zone
	}
	if a.NAT != PerZone && a.NAT != Single && a.NAT != None {
		errs = append(errs, fmt.Errorf("network: nat must be %s, %s or %s, got %q", PerZone, Single, None, a.NAT))
	}
	if a.Ports.Web < 1 || a.Ports.Data < 1 {
		errs = append(errs, fmt.Errorf("network: the ports of web and data must be set, got %+v", a.Ports))
	}
	if a.FlowLogDays < 1 {
		errs = append(errs, fmt.Errorf("network: flow logs must be kept for at least 1 day, got %d", a.FlowLogDays))
	}
	if a.LogsKeyARN == nil {
		errs = append(errs, errors.New("network: flow logs need a KMS key"))
	}
	return layout, errors.Join(errs...)
}

// zones lists the zones in use.
func (a *Args) zones() []string { return a.Site.Zones[:min(max(a.Zones, 0), len(a.Site.Zones))] }

func (a *Args) hasARM(zone string) bool { return !slices.Contains(a.WithoutARM, zone) }

// A builder makes the parts of one network.
type builder struct {
	ctx     *pulumi.Context
	name    string
	args    *Args
	network *Network
	vpc     *ec2.Vpc
}

// parent makes a resource a child of the network.
func (b *builder) parent() pulumi.ResourceOrInvokeOption { return pulumi.Parent(b.network) }

func (b *builder) zones() []string { return b.args.zones() }

// withARM returns the subnets of the zones with arm64 capacity. subnets has one subnet for each zone.
func (b *builder) withARM(subnets pulumi.StringArray) pulumi.StringArray {
	var all pulumi.StringArray
	for i, zone := range b.zones() {
		if b.args.hasARM(zone) {
			all = append(all, subnets[i])
		}
	}
	return all
}

// tags give part the name that the console shows.
func (b *builder) tags(part string) pulumi.StringMap {
	return pulumi.StringMap{"Name": pulumi.String(b.args.Site.Name(part))}
}

// after returns o, resolved only when resources exist as well.
func after[T pulumi.Output](b *builder, o T, resources ...pulumi.Resource) T {
	return pulumi.OutputWithDependencies(b.ctx.Context(), o, resources...).(T)
}

// letter is the last letter of a zone's name: "a" of us-east-1a. Logical names contain it, so that the resources of a
// zone keep their identity when another zone is added or removed.
func letter(zone string) string {
	if zone == "" {
		return ""
	}
	return zone[len(zone)-1:]
}
