package network

import (
	"slipway/internal/catalog"
	"slipway/internal/policy"
	"slipway/internal/wiring"
)

// Facts are the facts about the resources of the network.
func Facts(site wiring.Site) []catalog.Resource {
	look := func(calls ...string) catalog.Grant { return catalog.Look("network", ec2Calls(calls)...) }
	build := func(calls ...string) catalog.Grant {
		return catalog.Grant{Area: "network", Statement: policy.Statement{
			Sid: "BuildNetwork", Actions: ec2Calls(append(calls, "CreateTags", "DeleteTags")), Resources: []any{site.ARN("ec2", "*")},
		}}
	}
	const rule = "a firewall rule was changed by hand"
	routes := []catalog.Risk{{
		Path: `routes|gatewayId|natGatewayId|destinationCidrBlock`, Why: "network traffic takes another route",
	}}
	group := []catalog.Risk{{Path: `ingress|egress`, Why: "a firewall rule was added, changed or removed by hand"}}
	const harmless = catalog.Inert | catalog.Risks

	return []catalog.Resource{
		{
			Type: "aws:ec2/vpc:Vpc", None: harmless,
			Deploy: []catalog.Grant{
				look("DescribeNetworkAcls", "DescribeRouteTables", "DescribeSecurityGroups", "DescribeTags", "DescribeVpcAttribute", "DescribeVpcs"),
				build("CreateVpc", "DeleteVpc", "ModifyVpcAttribute"),
			},
		},
		{
			Type:   "aws:ec2/subnet:Subnet",
			Deploy: []catalog.Grant{look("DescribeSubnets"), build("CreateSubnet", "DeleteSubnet", "ModifySubnetAttribute")},
			Risks: []catalog.Risk{{
				Path: `mapPublicIpOnLaunch`, Why: "instances in the subnet get a public address", When: catalog.TurnedOn,
			}},
			None: catalog.Inert,
		},
		{
			Type: "aws:ec2/internetGateway:InternetGateway", None: harmless,
			Deploy: []catalog.Grant{
				look("DescribeInternetGateways"),
				build("AttachInternetGateway", "CreateInternetGateway", "DeleteInternetGateway", "DetachInternetGateway"),
			},
		},
		{
			Type:    "aws:ec2/eip:Eip",
			Mirrors: "the NAT gateway that uses it",
			Loss:    catalog.Loss{Kind: "address", Order: 7, Says: "the public address of outgoing connections is released and does not come back"},
			Deploy: []catalog.Grant{
				look("DescribeAddresses", "DescribeAddressesAttribute"),
				build("AllocateAddress", "AssociateAddress", "DisassociateAddress", "ReleaseAddress"),
			},
			None: harmless &^ (catalog.Mirrors | catalog.Losses),
		},
		{
			Type: "aws:ec2/natGateway:NatGateway", None: harmless,
			Effects: []catalog.Effect{{Does: catalog.Interrupts, Says: "outgoing connections are interrupted"}},
			Deploy: []catalog.Grant{
				look("DescribeNatGateways", "DescribeNetworkInterfaces"), build("CreateNatGateway", "DeleteNatGateway"),
			},
		},
		{
			Type:    "aws:ec2/routeTable:RouteTable",
			Deploy:  []catalog.Grant{look("DescribeRouteTables"), build("CreateRouteTable", "DeleteRouteTable")},
			Mirrors: "its routes", Risks: routes, None: catalog.Inert &^ catalog.Mirrors,
		},
		{
			Type:   "aws:ec2/route:Route",
			Deploy: []catalog.Grant{look("DescribeRouteTables"), build("CreateRoute", "DeleteRoute", "ReplaceRoute")},
			Risks:  routes, None: catalog.Inert,
		},
		{
			Type: "aws:ec2/routeTableAssociation:RouteTableAssociation", None: harmless,
			Deploy: []catalog.Grant{
				look("DescribeRouteTables"), build("AssociateRouteTable", "DisassociateRouteTable", "ReplaceRouteTableAssociation"),
			},
		},
		{
			Type: "aws:ec2/securityGroup:SecurityGroup",
			Deploy: []catalog.Grant{
				look("DescribeNetworkInterfaces", "DescribeSecurityGroups"),
				build("CreateSecurityGroup", "DeleteSecurityGroup", "RevokeSecurityGroupEgress"),
			},
			Mirrors: "its rules", Risks: group, None: catalog.Inert &^ catalog.Mirrors,
		},
		{
			Type: "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup",
			Deploy: []catalog.Grant{
				look("DescribeSecurityGroups"), build("RevokeSecurityGroupEgress", "RevokeSecurityGroupIngress"),
			},
			Risks: group, None: catalog.Inert,
		},
		{
			Type: "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
			Deploy: []catalog.Grant{
				look("DescribeSecurityGroupRules"),
				build("AuthorizeSecurityGroupIngress", "ModifySecurityGroupRules", "RevokeSecurityGroupIngress"),
			},
			Risks: []catalog.Risk{{Path: `.*`, Why: rule}}, None: catalog.Inert,
		},
		{
			Type: "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",
			Deploy: []catalog.Grant{
				look("DescribeSecurityGroupRules"),
				build("AuthorizeSecurityGroupEgress", "ModifySecurityGroupRules", "RevokeSecurityGroupEgress"),
			},
			Risks: []catalog.Risk{{Path: `.*`, Why: rule}}, None: catalog.Inert,
		},
		{
			Type: "aws:ec2/vpcEndpoint:VpcEndpoint", None: harmless,
			Deploy: []catalog.Grant{
				look("DescribePrefixLists", "DescribeVpcEndpoints"),
				build("CreateVpcEndpoint", "DeleteVpcEndpoints", "ModifyVpcEndpoint"),
			},
		},
		{
			Type: "aws:ec2/flowLog:FlowLog", None: harmless,
			Deploy: []catalog.Grant{
				look("DescribeFlowLogs"), build("CreateFlowLogs", "DeleteFlowLogs"), catalog.PassRole(site, "vpc-flow-logs.amazonaws.com"),
			},
		},
		catalog.LogGroup(site, site.Path("")), catalog.Role(site), catalog.RolePolicy(site),
	}
}

func ec2Calls(calls []string) []string {
	actions := make([]string, len(calls))
	for i, call := range calls {
		actions[i] = "ec2:" + call
	}
	return actions
}
