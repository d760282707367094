package network

import (
	"net/netip"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

const anywhere = "0.0.0.0/0"

// subnets are the IDs of a network's subnets, and of the private ones' route tables.
type subnets struct{ public, private, data, tables pulumi.StringArray }

// newSubnets makes all subnets with their routes, and the NAT gateways between public and private ones.
func (n *Network) newSubnets(ctx *pulumi.Context, m making) (s subnets, err error) {
	if s.public, err = n.newPublic(ctx, m); err != nil {
		return s, err
	}
	gateways, err := n.newGateways(ctx, m, s.public)
	if err != nil {
		return s, err
	}
	if s.private, s.tables, err = n.newPrivate(ctx, m, gateways); err != nil {
		return s, err
	}
	s.data, err = n.newData(ctx, m)
	return s, err
}

// newPublic makes the public subnets, whose way out is the internet gateway. It gives nobody a public address: the
// balancer and the NAT gateways bring their own.
func (n *Network) newPublic(ctx *pulumi.Context, m making) (pulumi.StringArray, error) {
	gateway, err := ec2.NewInternetGateway(ctx, m.name, &ec2.InternetGatewayArgs{VpcId: m.vpc.ID(), Tags: m.tags("internet")}, pulumi.Parent(n))
	if err != nil {
		return nil, err
	}
	table, err := n.newTable(ctx, m, "public")
	if err != nil {
		return nil, err
	}
	route, err := ec2.NewRoute(ctx, m.name+"-public-out", &ec2.RouteArgs{
		RouteTableId:         table.ID(),
		DestinationCidrBlock: pulumi.String(anywhere),
		GatewayId:            gateway.ID(),
	}, pulumi.Parent(n))
	if err != nil {
		return nil, err
	}
	var ids pulumi.StringArray
	for i, zone := range m.zones() {
		id, err := n.newSubnet(ctx, m, "public-"+letter(zone), zone, n.Layout.Public[i], table, route)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// newGateways makes the NAT gateways, one for each zone or one for all, and gives each zone its own.
func (n *Network) newGateways(ctx *pulumi.Context, m making, public pulumi.StringArray) ([]*ec2.NatGateway, error) {
	if m.args.NAT == None {
		return nil, nil
	}
	var gateways []*ec2.NatGateway
	for i, zone := range m.zones() {
		if m.args.NAT == Single && i > 0 {
			gateways = append(gateways, gateways[0])
			continue
		}
		part := "nat-" + letter(zone)
		address, err := ec2.NewEip(ctx, m.name+"-"+part, &ec2.EipArgs{Domain: pulumi.String("vpc"), Tags: m.tags(part)}, pulumi.Parent(n))
		if err != nil {
			return nil, err
		}
		gateway, err := ec2.NewNatGateway(ctx, m.name+"-"+part, &ec2.NatGatewayArgs{
			SubnetId:     public[i],
			AllocationId: address.ID().ToStringOutput().ToStringPtrOutput(),
			Tags:         m.tags(part),
		}, pulumi.Parent(n))
		if err != nil {
			return nil, err
		}
		gateways = append(gateways, gateway)
	}
	return gateways, nil
}

// newPrivate makes the private subnets, each with a route table of its own, so that a zone leaves by its own gateway.
// It gives the tables too, for the S3 endpoint.
func (n *Network) newPrivate(ctx *pulumi.Context, m making, gateways []*ec2.NatGateway) (ids, tables pulumi.StringArray, err error) {
	for i, zone := range m.zones() {
		part := "private-" + letter(zone)
		table, err := n.newTable(ctx, m, part)
		if err != nil {
			return nil, nil, err
		}
		var routes []pulumi.Resource
		if gateways != nil {
			route, err := ec2.NewRoute(ctx, m.name+"-"+part+"-out", &ec2.RouteArgs{
				RouteTableId:         table.ID(),
				DestinationCidrBlock: pulumi.String(anywhere),
				NatGatewayId:         gateways[i].ID(),
			}, pulumi.Parent(n))
			if err != nil {
				return nil, nil, err
			}
			routes = append(routes, route)
		}
		id, err := n.newSubnet(ctx, m, part, zone, n.Layout.Private[i], table, routes...)
		if err != nil {
			return nil, nil, err
		}
		ids, tables = append(ids, id), append(tables, table.ID().ToStringOutput())
	}
	return ids, tables, nil
}

// newData makes the data subnets. Their table has no route but the VPC's own; it is named, because the VPC's main table
// would give them whatever route somebody adds there.
func (n *Network) newData(ctx *pulumi.Context, m making) (pulumi.StringArray, error) {
	table, err := n.newTable(ctx, m, "data")
	if err != nil {
		return nil, err
	}
	var ids pulumi.StringArray
	for i, zone := range m.zones() {
		id, err := n.newSubnet(ctx, m, "data-"+letter(zone), zone, n.Layout.Data[i], table)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func (n *Network) newTable(ctx *pulumi.Context, m making, part string) (*ec2.RouteTable, error) {
	return ec2.NewRouteTable(ctx, m.name+"-"+part, &ec2.RouteTableArgs{VpcId: m.vpc.ID(), Tags: m.tags(part)}, pulumi.Parent(n))
}

// newSubnet makes a subnet that follows table and gives its ID, known when the table's routes are there too.
func (n *Network) newSubnet(ctx *pulumi.Context, m making, part, zone string, cidr netip.Prefix, table *ec2.RouteTable, routes ...pulumi.Resource) (pulumi.StringOutput, error) {
	subnet, err := ec2.NewSubnet(ctx, m.name+"-"+part, &ec2.SubnetArgs{
		VpcId:               m.vpc.ID(),
		AvailabilityZone:    pulumi.String(zone),
		CidrBlock:           pulumi.String(cidr.String()),
		MapPublicIpOnLaunch: pulumi.Bool(false),
		Tags:                m.tags(part),
	}, pulumi.Parent(n))
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	association, err := ec2.NewRouteTableAssociation(ctx, m.name+"-"+part+"-routes", &ec2.RouteTableAssociationArgs{
		SubnetId:     subnet.ID().ToStringOutput().ToStringPtrOutput(),
		RouteTableId: table.ID(),
	}, pulumi.Parent(n))
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	return after(ctx, subnet.ID().ToStringOutput(), append([]pulumi.Resource{association}, routes...)...), nil
}
