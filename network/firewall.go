package network

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/vpc"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// A Group is one side of a Rule: a security group of the site, or a place beyond it.
type Group string

// The security groups.
const (
	Edge      Group = "edge"      // the balancer
	Web       Group = "web"       // web tasks
	Work      Group = "work"      // workers, jobs and migrations
	Data      Group = "data"      // the database
	Bastion   Group = "bastion"   // the operation server
	Endpoints Group = "endpoints" // interface endpoints of AWS services
)

// The places beyond: they have addresses, not a security group.
const (
	World Group = "world" // any address, 0.0.0.0/0
	S3    Group = "s3"    // the addresses of S3 in the region, a managed prefix list
)

// beyond reports whether g is outside the VPC.
func (g Group) beyond() bool { return g == World || g == S3 }

// A Rule lets From open TCP connections to Port of To. What no rule says is refused; answers need no rule, for security
// groups remember connections. DNS and time of the VPC's own resolver and clock pass security groups unasked.
type Rule struct {
	From, To Group
	Port     int
	Why      string
}

// Rules is the whole firewall: who may speak to whom. It is the table from which the security groups are made, and
// from which one can work out who reaches what.
//
// Without NAT the tasks reach AWS through endpoints and nothing else; without a bastion it has no rules.
func Rules(nat NAT, bastion bool) []Rule {
	rules := []Rule{
		{World, Edge, 80, "visitors, who are redirected to HTTPS where the site has a domain"},
		{World, Edge, 443, "visitors"},
		{Edge, Web, 8080, "the balancer passes requests and health checks to nginx"},
	}
	inside := []Group{Web, Work}
	if bastion {
		inside = append(inside, Bastion)
	}
	for _, g := range inside {
		rules = append(rules, Rule{g, Data, 5432, "Postgres"})
		if nat == None {
			rules = append(rules,
				Rule{g, Endpoints, 443, "AWS services, through endpoints in the VPC"},
				Rule{g, S3, 443, "image layers, media, session logs, through the gateway endpoint"})
		} else {
			rules = append(rules, Rule{g, World, 443, "AWS services and the APIs that the site calls, through NAT"})
		}
	}
	return rules
}

// Groups lists the security groups that rules speak of, in the order in which they appear.
func Groups(rules []Rule) []Group {
	var groups []Group
	seen := map[Group]bool{}
	for _, r := range rules {
		for _, g := range []Group{r.From, r.To} {
			if !g.beyond() && !seen[g] {
				seen[g] = true
				groups = append(groups, g)
			}
		}
	}
	return groups
}

// name is the part of the rule's logical name that tells it from every other rule.
func (r Rule) name() string { return fmt.Sprintf("%s-to-%s-%d", r.From, r.To, r.Port) }

// describe is what AWS shows beside the rule.
func (r Rule) describe() string { return fmt.Sprintf("%s to %s: %s", r.From, r.To, r.Why) }

// A firewall is the rules as security groups.
type firewall struct {
	ids   map[Group]pulumi.StringOutput // known as soon as the group is there, for what the rules themselves refer to
	ready map[Group]pulumi.StringOutput // known when the group's rules are there as well, for what must be able to speak
}

// newFirewall makes the security groups and their rules. Both ends of a rule are written: the sender's egress and the
// receiver's ingress. Rules are resources of their own, so that two groups can name each other. s3 is the ID of the
// prefix list of S3.
func (n *Network) newFirewall(ctx *pulumi.Context, m making, s3 pulumi.StringInput) (firewall, error) {
	fw := firewall{ids: map[Group]pulumi.StringOutput{}, ready: map[Group]pulumi.StringOutput{}}
	rules := Rules(m.args.NAT, m.args.Bastion)
	for _, g := range Groups(rules) {
		sg, err := ec2.NewSecurityGroup(ctx, m.name+"-"+string(g), &ec2.SecurityGroupArgs{
			VpcId:       m.vpc.ID(),
			Description: pulumi.String(m.args.Site.Name(string(g))),
			Tags:        m.tags(string(g)),
		}, pulumi.Parent(n))
		if err != nil {
			return firewall{}, err
		}
		fw.ids[g] = sg.ID().ToStringOutput()
	}

	made := map[Group][]pulumi.Resource{}
	for _, r := range rules {
		if !r.From.beyond() {
			out, err := n.newEgress(ctx, m, r, fw, s3)
			if err != nil {
				return firewall{}, err
			}
			made[r.From] = append(made[r.From], out)
		}
		if !r.To.beyond() {
			in, err := n.newIngress(ctx, m, r, fw)
			if err != nil {
				return firewall{}, err
			}
			made[r.To] = append(made[r.To], in)
		}
	}
	for g, id := range fw.ids {
		fw.ready[g] = after(ctx, id, made[g]...)
	}
	return fw, nil
}

func (n *Network) newEgress(ctx *pulumi.Context, m making, r Rule, fw firewall, s3 pulumi.StringInput) (pulumi.Resource, error) {
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
		args.PrefixListId = s3.ToStringOutput().ToStringPtrOutput()
	default:
		args.ReferencedSecurityGroupId = fw.ids[r.To].ToStringPtrOutput()
	}
	return vpc.NewSecurityGroupEgressRule(ctx, m.name+"-"+r.name()+"-out", args, pulumi.Parent(n))
}

func (n *Network) newIngress(ctx *pulumi.Context, m making, r Rule, fw firewall) (pulumi.Resource, error) {
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
	return vpc.NewSecurityGroupIngressRule(ctx, m.name+"-"+r.name()+"-in", args, pulumi.Parent(n))
}
