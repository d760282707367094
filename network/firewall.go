package network

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/vpc"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// A firewall is the security groups that its rules refer to.
type firewall struct {
	*builder
	ids map[Group]pulumi.StringOutput // known as soon as the group exists
	s3  pulumi.StringInput            // the prefix list of S3
}

// newFirewall creates the security groups and their rules, and returns the groups' IDs, each resolved when the group's
// rules exist as well. Each rule becomes two: the sender's egress and the receiver's ingress. Rules are resources of
// their own, so that two groups can refer to each other.
func (b *builder) newFirewall(s3 pulumi.StringInput) (map[Group]pulumi.StringOutput, error) {
	fw := firewall{builder: b, ids: map[Group]pulumi.StringOutput{}, s3: s3}
	rules := Rules(b.args.NAT, b.args.Bastion, b.args.HTTPS, b.args.Ports)
	for _, g := range Groups(rules) {
		sg, err := ec2.NewSecurityGroup(b.ctx, b.name+"-"+string(g), &ec2.SecurityGroupArgs{
			VpcId:       b.vpc.ID(),
			Description: pulumi.String(b.args.Site.Name(string(g))),
			Tags:        b.tags(string(g)),
		}, b.parent())
		if err != nil {
			return nil, err
		}
		fw.ids[g] = sg.ID().ToStringOutput()
	}

	made := map[Group][]pulumi.Resource{}
	for _, r := range rules {
		if !r.From.outside() {
			out, err := fw.newEgress(r)
			if err != nil {
				return nil, err
			}
			made[r.From] = append(made[r.From], out)
		}
		if !r.To.outside() {
			in, err := fw.newIngress(r)
			if err != nil {
				return nil, err
			}
			made[r.To] = append(made[r.To], in)
		}
	}
	ready := map[Group]pulumi.StringOutput{}
	for g, id := range fw.ids {
		ready[g] = after(b, id, made[g]...)
	}
	return ready, nil
}

func (fw firewall) newEgress(r Rule) (pulumi.Resource, error) {
	args := &vpc.SecurityGroupEgressRuleArgs{
		SecurityGroupId: fw.ids[r.From],
		IpProtocol:      pulumi.String("tcp"),
		FromPort:        pulumi.Int(r.Port),
		ToPort:          pulumi.Int(r.Port),
		Description:     pulumi.String(r.describe()),
	}
	switch r.To {
	case World:
		args.CidrIpv4 = pulumi.String("0.0.0.0/0")
	case S3:
		args.PrefixListId = fw.s3.ToStringOutput().ToStringPtrOutput()
	default:
		args.ReferencedSecurityGroupId = fw.ids[r.To].ToStringPtrOutput()
	}
	return vpc.NewSecurityGroupEgressRule(fw.ctx, fw.name+"-"+r.name()+"-out", args, fw.parent())
}

func (fw firewall) newIngress(r Rule) (pulumi.Resource, error) {
	args := &vpc.SecurityGroupIngressRuleArgs{
		SecurityGroupId: fw.ids[r.To],
		IpProtocol:      pulumi.String("tcp"),
		FromPort:        pulumi.Int(r.Port),
		ToPort:          pulumi.Int(r.Port),
		Description:     pulumi.String(r.describe()),
	}
	switch r.From {
	case World:
		args.CidrIpv4 = pulumi.String("0.0.0.0/0")
	case S3:
		return nil, fmt.Errorf("network: rule %s: S3 opens no connections", r.name())
	default:
		args.ReferencedSecurityGroupId = fw.ids[r.From].ToStringPtrOutput()
	}
	return vpc.NewSecurityGroupIngressRule(fw.ctx, fw.name+"-"+r.name()+"-in", args, fw.parent())
}
