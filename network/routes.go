package network

import (
	"net/netip"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

const anywhere = "0.0.0.0/0"

// subnets are the IDs of a network's subnets, and of the private ones' route tables.
type subnets struct{ public, private, data, tables pulumi.StringArray }

// newSubnets creates all subnets with their routes, and the NAT gateways.
func (b *builder) newSubnets() (s subnets, err error) {
	if s.public, err = b.newPublic(); err != nil {
		return s, err
	}
	gateways, err := b.newGateways(s.public)
	if err != nil {
		return s, err
	}
	if s.private, s.tables, err = b.newPrivate(gateways); err != nil {
		return s, err
	}
	s.data, err = b.newData()
	return s, err
}

// newPublic creates the public subnets, routed to the internet gateway. They assign no public addresses: the balancer and
// the NAT gateways bring their own.
func (b *builder) newPublic() (pulumi.StringArray, error) {
	gateway, err := ec2.NewInternetGateway(b.ctx, b.name, &ec2.InternetGatewayArgs{
		VpcId: b.vpc.ID(), Tags: b.tags("internet"),
	}, b.parent())
	if err != nil {
		return nil, err
	}
	table, err := b.newTable("public")
	if err != nil {
		return nil, err
	}
	route, err := ec2.NewRoute(b.ctx, b.name+"-public-out", &ec2.RouteArgs{
		RouteTableId:         table.ID(),
		DestinationCidrBlock: pulumi.String(anywhere),
		GatewayId:            gateway.ID(),
	}, b.parent())
	if err != nil {
		return nil, err
	}
	var ids pulumi.StringArray
	for i, zone := range b.zones() {
		id, err := b.newSubnet(subnetArgs{
			part: "public-" + letter(zone), zone: zone, cidr: b.network.Layout.Public[i], table: table, routes: []pulumi.Resource{route},
		})
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// newGateways creates one NAT gateway for each zone, or one for all, and returns the gateway of each zone.
func (b *builder) newGateways(public pulumi.StringArray) ([]*ec2.NatGateway, error) {
	if b.args.NAT == None {
		return nil, nil
	}
	var gateways []*ec2.NatGateway
	for i, zone := range b.zones() {
		if b.args.NAT == Single && i > 0 {
			gateways = append(gateways, gateways[0])
			continue
		}
		part := "nat-" + letter(zone)
		address, err := ec2.NewEip(b.ctx, b.name+"-"+part, &ec2.EipArgs{Domain: pulumi.String("vpc"), Tags: b.tags(part)}, b.parent())
		if err != nil {
			return nil, err
		}
		gateway, err := ec2.NewNatGateway(b.ctx, b.name+"-"+part, &ec2.NatGatewayArgs{
			SubnetId:     public[i],
			AllocationId: address.ID().ToStringOutput().ToStringPtrOutput(),
			Tags:         b.tags(part),
		}, b.parent())
		if err != nil {
			return nil, err
		}
		gateways = append(gateways, gateway)
	}
	return gateways, nil
}

// newPrivate creates the private subnets. Each has its own route table, so that a zone uses its own gateway. It returns
// the tables too, for the S3 endpoint.
func (b *builder) newPrivate(gateways []*ec2.NatGateway) (ids, tables pulumi.StringArray, err error) {
	for i, zone := range b.zones() {
		part := "private-" + letter(zone)
		table, err := b.newTable(part)
		if err != nil {
			return nil, nil, err
		}
		var routes []pulumi.Resource
		if gateways != nil {
			route, err := ec2.NewRoute(b.ctx, b.name+"-"+part+"-out", &ec2.RouteArgs{
				RouteTableId:         table.ID(),
				DestinationCidrBlock: pulumi.String(anywhere),
				NatGatewayId:         gateways[i].ID(),
			}, b.parent())
			if err != nil {
				return nil, nil, err
			}
			routes = append(routes, route)
		}
		id, err := b.newSubnet(subnetArgs{part: part, zone: zone, cidr: b.network.Layout.Private[i], table: table, routes: routes})
		if err != nil {
			return nil, nil, err
		}
		ids, tables = append(ids, id), append(tables, table.ID().ToStringOutput())
	}
	return ids, tables, nil
}

// newData creates the data subnets. Their route table has only the VPC's local route. It is explicit, because subnets
// without one follow the VPC's main table, and with it every route that is ever added there.
func (b *builder) newData() (pulumi.StringArray, error) {
	table, err := b.newTable("data")
	if err != nil {
		return nil, err
	}
	var ids pulumi.StringArray
	for i, zone := range b.zones() {
		id, err := b.newSubnet(subnetArgs{part: "data-" + letter(zone), zone: zone, cidr: b.network.Layout.Data[i], table: table})
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func (b *builder) newTable(part string) (*ec2.RouteTable, error) {
	return ec2.NewRouteTable(b.ctx, b.name+"-"+part, &ec2.RouteTableArgs{VpcId: b.vpc.ID(), Tags: b.tags(part)}, b.parent())
}

// subnetArgs describe one subnet.
type subnetArgs struct {
	part, zone string
	cidr       netip.Prefix
	table      *ec2.RouteTable
	routes     []pulumi.Resource // of the table, which whatever runs in the subnet needs
}

// newSubnet creates a subnet and returns its ID, resolved when the routes of its table exist as well.
func (b *builder) newSubnet(args subnetArgs) (pulumi.StringOutput, error) {
	subnet, err := ec2.NewSubnet(b.ctx, b.name+"-"+args.part, &ec2.SubnetArgs{
		VpcId:               b.vpc.ID(),
		AvailabilityZone:    pulumi.String(args.zone),
		CidrBlock:           pulumi.String(args.cidr.String()),
		MapPublicIpOnLaunch: pulumi.Bool(false),
		Tags:                b.tags(args.part),
	}, b.parent())
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	association, err := ec2.NewRouteTableAssociation(b.ctx, b.name+"-"+args.part+"-routes", &ec2.RouteTableAssociationArgs{
		SubnetId:     subnet.ID().ToStringOutput().ToStringPtrOutput(),
		RouteTableId: args.table.ID(),
	}, b.parent())
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	return after(b, subnet.ID().ToStringOutput(), append([]pulumi.Resource{association}, args.routes...)...), nil
}
