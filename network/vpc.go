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

// A NAT says how private subnets reach the internet. Prices are those of us-east-1, for 730 hours.
type NAT string

const (
	PerZone NAT = "perZone" // a gateway in every zone: losing a zone costs the others nothing. $36.50 a month each, $0.045 a GB
	Single  NAT = "single"  // one gateway in the first zone, on which all depend. $36.50 a month, $0.045 a GB
	None    NAT = "none"    // no internet, only AWS, through 9 interface endpoints (10 with a bastion). $7.30 a month each in each zone: $131 over two zones, so this buys isolation, not savings
)

// A Network is a VPC over 2 or 3 zones. The public subnets hold the balancer and the NAT gateways, the private ones
// whatever runs, the data subnets the database; data subnets have no route out of the VPC.
//
// What it gives is ready for use: a subnet's ID is not known before its routes and endpoints are there, nor a security
// group's before its rules, so whoever is placed by them starts with a working network and needs no DependsOn.
//
// The default network ACLs stay as AWS makes them and let everything pass. Security groups alone decide, because ACLs
// remember no connections: one that refused port 3389 would also drop answers to NAT gateways and balancers, which
// open connections from any port above 1023.
//
// Cost: NAT or endpoints (see NAT), and the flow logs at $0.50 a GB. All else is free.
type Network struct {
	pulumi.ResourceState

	VpcID            pulumi.StringOutput
	PublicSubnetIDs  pulumi.StringArrayOutput
	PrivateSubnetIDs pulumi.StringArrayOutput
	DataSubnetIDs    pulumi.StringArrayOutput

	// Groups are the IDs of the security groups: those of Groups(Rules(args.NAT, args.Bastion)).
	Groups map[Group]pulumi.StringOutput

	Web     wiring.Placement // of web tasks
	Work    wiring.Placement // of workers, jobs and migrations
	Bastion wiring.Placement // of the operation server; empty unless Args.Bastion

	Layout Layout // the subnets' ranges
}

// Args describe a Network.
type Args struct {
	Site wiring.Site // of Site.Zones the first Zones are used

	// CIDR is the VPC's range, /16 to /24. Another one replaces the whole network and all that is in it.
	CIDR netip.Prefix

	Zones   int  // 2 or 3; growing keeps every subnet, shrinking takes the third zone away
	NAT     NAT  // a change interrupts outgoing connections for some minutes
	Bastion bool // whether there is an operation server

	// WithoutARM are the zones of Site.Zones that have no arm64 machines. The operation server, which is arm64, is placed in
	// the others, and so are tasks if ARMTasks. The subnets stay in every zone: moving them would replace the network.
	WithoutARM []string
	ARMTasks   bool

	FlowLogDays int                // how long flow logs are kept, in days
	LogsKeyARN  pulumi.StringInput // the KMS key that encrypts flow logs
}

// New makes the network. It refuses a range that does not hold the subnets, and zones that the region does not have.
func New(ctx *pulumi.Context, name string, args *Args, opts ...pulumi.ResourceOption) (*Network, error) {
	layout, err := args.check()
	if err != nil {
		return nil, err
	}

	n := &Network{Layout: layout}
	if err := ctx.RegisterComponentResource(Type, name, n, opts...); err != nil {
		return nil, err
	}
	m := making{name: name, args: args}
	if m.vpc, err = n.newVPC(ctx, m); err != nil {
		return nil, err
	}
	if err := n.newFlowLog(ctx, m); err != nil {
		return nil, err
	}
	subnets, err := n.newSubnets(ctx, m)
	if err != nil {
		return nil, err
	}
	s3, err := n.newS3Endpoint(ctx, m, subnets.tables)
	if err != nil {
		return nil, err
	}
	fw, err := n.newFirewall(ctx, m, s3.PrefixListId)
	if err != nil {
		return nil, err
	}
	endpoints, err := n.newInterfaceEndpoints(ctx, m, subnets.private, fw.ready[Endpoints])
	if err != nil {
		return nil, err
	}

	n.VpcID = m.vpc.ID().ToStringOutput()
	n.PublicSubnetIDs = subnets.public.ToStringArrayOutput()
	ready := append(endpoints, s3)
	n.PrivateSubnetIDs = after(ctx, subnets.private.ToStringArrayOutput(), ready...)
	arm := after(ctx, m.withARM(subnets.private).ToStringArrayOutput(), ready...)
	n.DataSubnetIDs = subnets.data.ToStringArrayOutput()
	n.Groups = fw.ready
	tasks := n.PrivateSubnetIDs
	if args.ARMTasks {
		tasks = arm
	}
	n.Web, n.Work = n.placement(Web, tasks), n.placement(Work, tasks)
	if args.Bastion {
		n.Bastion = n.placement(Bastion, arm)
	}
	groups := pulumi.Map{}
	for g, id := range n.Groups {
		groups[string(g)] = id
	}
	return n, ctx.RegisterResourceOutputs(n, pulumi.Map{
		"vpcId":            n.VpcID,
		"publicSubnetIds":  n.PublicSubnetIDs,
		"privateSubnetIds": n.PrivateSubnetIDs,
		"dataSubnetIds":    n.DataSubnetIDs,
		"groups":           groups,
	})
}

// check judges the arguments and gives the layout. It reports every mistake.
func (a *Args) check() (Layout, error) {
	layout, err := Plan(a.CIDR, a.Zones)
	errs := []error{err}
	if a.Zones > 0 && a.Zones <= maxZones && len(a.Site.Zones) < a.Zones {
		errs = append(errs, fmt.Errorf("network: %d zones are wanted, the region %s has %d: %v", a.Zones, a.Site.Region, len(a.Site.Zones), a.Site.Zones))
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
	if a.FlowLogDays < 1 {
		errs = append(errs, fmt.Errorf("network: flow logs must be kept for at least 1 day, got %d", a.FlowLogDays))
	}
	if a.LogsKeyARN == nil {
		errs = append(errs, errors.New("network: flow logs need a KMS key"))
	}
	return layout, errors.Join(errs...)
}

// making is what every step of New needs.
type making struct {
	name string
	args *Args
	vpc  *ec2.Vpc
}

// zones lists the zones in use.
func (a *Args) zones() []string { return a.Site.Zones[:min(max(a.Zones, 0), len(a.Site.Zones))] }

func (a *Args) hasARM(zone string) bool { return !slices.Contains(a.WithoutARM, zone) }

func (m making) zones() []string { return m.args.zones() }

// withARM leaves out the subnets of zones without arm64 machines. Every zone has one of subnets.
func (m making) withARM(subnets pulumi.StringArray) pulumi.StringArray {
	var all pulumi.StringArray
	for i, zone := range m.zones() {
		if m.args.hasARM(zone) {
			all = append(all, subnets[i])
		}
	}
	return all
}

// tags give part the name that the console shows.
func (m making) tags(part string) pulumi.StringMap {
	return pulumi.StringMap{"Name": pulumi.String(m.args.Site.Name(part))}
}

// letter is what tells a zone from the others of its region: "a" of us-east-1a. Logical names carry it, so that each
// zone's resources keep their identity when another zone comes or goes.
func letter(zone string) string {
	if zone == "" {
		return ""
	}
	return zone[len(zone)-1:]
}

// placement is where workloads of group g live.
func (n *Network) placement(g Group, subnets pulumi.StringArrayOutput) wiring.Placement {
	return wiring.Placement{Subnets: subnets, SecurityGroups: pulumi.StringArray{n.Groups[g]}}
}

// newVPC makes the VPC and closes its default security group, in which AWS puts whatever names no other.
func (n *Network) newVPC(ctx *pulumi.Context, m making) (*ec2.Vpc, error) {
	v, err := ec2.NewVpc(ctx, m.name, &ec2.VpcArgs{
		CidrBlock:          pulumi.String(m.args.CIDR.String()),
		EnableDnsSupport:   pulumi.Bool(true),
		EnableDnsHostnames: pulumi.Bool(true), // private names of endpoints need both
		Tags:               m.tags("vpc"),
	}, pulumi.Parent(n))
	if err != nil {
		return nil, err
	}
	_, err = ec2.NewDefaultSecurityGroup(ctx, m.name+"-default", &ec2.DefaultSecurityGroupArgs{
		VpcId: v.ID(),
		Tags:  m.tags("default-closed"),
	}, pulumi.Parent(n))
	return v, err
}

// after gives the output o, known only when resources are there as well.
func after[T pulumi.Output](ctx *pulumi.Context, o T, resources ...pulumi.Resource) T {
	return pulumi.OutputWithDependencies(ctx.Context(), o, resources...).(T)
}
