package network

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/wiring"
)

// New creates the network. It refuses a range that does not hold the subnets, and zones that the region does not have.
func New(ctx *pulumi.Context, name string, args *Args, opts ...pulumi.ResourceOption) (*Network, error) {
	layout, err := args.check()
	if err != nil {
		return nil, err
	}

	n := &Network{Layout: layout}
	if err := ctx.RegisterComponentResource(Type, name, n, opts...); err != nil {
		return nil, err
	}
	b := &builder{ctx: ctx, name: name, args: args, network: n}
	if b.vpc, err = b.newVPC(); err != nil {
		return nil, err
	}
	if err := b.newFlowLog(); err != nil {
		return nil, err
	}
	subnets, err := b.newSubnets()
	if err != nil {
		return nil, err
	}
	s3, err := b.newS3Endpoint(subnets.tables)
	if err != nil {
		return nil, err
	}
	if n.Groups, err = b.newFirewall(s3.PrefixListId); err != nil {
		return nil, err
	}
	endpoints, err := b.newInterfaceEndpoints(subnets.private, n.Groups[Endpoints])
	if err != nil {
		return nil, err
	}

	n.VpcID = b.vpc.ID().ToStringOutput()
	n.PublicSubnetIDs, n.DataSubnetIDs = subnets.public.ToStringArrayOutput(), subnets.data.ToStringArrayOutput()
	ready := append(endpoints, s3)
	n.PrivateSubnetIDs = after(b, subnets.private.ToStringArrayOutput(), ready...)
	n.place(after(b, b.withARM(subnets.private).ToStringArrayOutput(), ready...), args)
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

// place sets the placements of workloads. arm are the private subnets of the zones with arm64 capacity.
func (n *Network) place(arm pulumi.StringArrayOutput, args *Args) {
	tasks := n.PrivateSubnetIDs
	if args.ARMTasks {
		tasks = arm
	}
	n.Web, n.Work = n.placement(Web, tasks), n.placement(Work, tasks)
	if args.Bastion {
		n.Bastion = n.placement(Bastion, arm)
	}
}

// placement is where workloads of group g run.
func (n *Network) placement(g Group, subnets pulumi.StringArrayOutput) wiring.Placement {
	return wiring.Placement{Subnets: subnets, SecurityGroups: pulumi.StringArray{n.Groups[g]}}
}

// newVPC creates the VPC and removes the rules of its default security group, which AWS assigns when none is named.
func (b *builder) newVPC() (*ec2.Vpc, error) {
	v, err := ec2.NewVpc(b.ctx, b.name, &ec2.VpcArgs{
		CidrBlock:          pulumi.String(b.args.CIDR.String()),
		EnableDnsSupport:   pulumi.Bool(true),
		EnableDnsHostnames: pulumi.Bool(true), // private DNS names of endpoints need both
		Tags:               b.tags("vpc"),
	}, b.parent())
	if err != nil {
		return nil, err
	}
	_, err = ec2.NewDefaultSecurityGroup(b.ctx, b.name+"-default", &ec2.DefaultSecurityGroupArgs{
		VpcId: v.ID(),
		Tags:  b.tags("default-closed"),
	}, b.parent())
	return v, err
}
