package cloud

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"go4.org/netipx"
)

// VPCs, subnets, gateways and routes.

// Quotas of a new account, per region unless noted.
const (
	quotaVPCs          = 5
	quotaGateways      = 5
	quotaAddresses     = 5
	quotaNATsPerZone   = 5
	quotaSubnetsPerVPC = 200
	quotaTablesPerVPC  = 200
	quotaRoutes        = 50
	quotaGroupsPerVPC  = 2500
	quotaGroupRules    = 60 // per group and direction
	quotaGroupsPerENI  = 5
)

// networkKinds are the resource types of a VPC: its subnets, gateways and routes.
func networkKinds() []Kind {
	return []Kind{
		vpcKind(), secondaryCIDRKind(), subnetKind(), internetGatewayKind(), eipKind(), eipAssociationKind(), natKind(), routeTableKind(),
		mainRouteTableKind(), routeKind(), routeTableAssociationKind(), mainRouteTableAssociationKind(), dhcpKind(),
		vpcDhcpOptionsAssociationKind(),
	}
}

func vpcKind() Kind {
	return Kind{
		Type: vpcType, CreateAction: "ec2:CreateVpc", UpdateAction: "ec2:ModifyVpcAttribute", DeleteAction: "ec2:DeleteVpc",
		NotFound: "InvalidVpcID.NotFound", InUse: "DependencyViolation",
		Defaults: map[string]any{
			"enableDnsSupport": true, "enableDnsHostnames": false, "enableNetworkAddressUsageMetrics": false,
			"instanceTenancy": "default", "assignGeneratedIpv6CidrBlock": false, "ipv6CidrBlock": "", "ipv6IpamPoolId": "",
			"ipv6NetmaskLength": 0, "ipv6CidrBlockNetworkBorderGroup": "", "ipv6AssociationId": "",
		},
		Check: func(in Inputs, unknown Unknowns) []Problem {
			p := allOf(cidrProblems(in, "cidrBlock", 16, 28, "InvalidVpc.Range"), oneOf(in, "instanceTenancy", "default",
				"dedicated"), tagProblems(in))
			if !in.Has("cidrBlock") && !unknown.Has("cidrBlock") && !in.Has("ipv4IpamPoolId") && !unknown.Has("ipv4IpamPoolId") {
				p = append(p, problem("cidrBlock", "one of cidrBlock and ipv4IpamPoolId must be given"))
			}
			return p
		},
		CheckState: func(a *Account, o *Object) error {
			return limit{most: quotaVPCs, code: "VpcLimitExceeded", message: "The maximum number of VPCs has been reached."}.check(a, o)
		},
		Compute: func(a *Account, o *Object) error {
			newID(a, o, "vpc-")
			o.Outputs["arn"] = a.arn("ec2", "vpc/"+o.ID)
			o.Outputs["ownerId"] = a.AccountID
			o.Outputs["defaultNetworkAclId"] = "acl-" + draw(17, o.ID, "acl")
			o.Outputs["defaultRouteTableId"] = "rtb-" + draw(17, o.ID, "rtb")
			o.Outputs["mainRouteTableId"] = o.Outputs["defaultRouteTableId"]
			o.Outputs["defaultSecurityGroupId"] = "sg-" + draw(17, o.ID, "sg")
			o.Outputs["dhcpOptionsId"] = "dopt-" + draw(17, a.AccountID, a.Region)
			return ownDefaults(a, o)
		},
	}
}

func secondaryCIDRKind() Kind {
	return Kind{
		Type: secondaryCIDRType, CreateAction: "ec2:AssociateVpcCidrBlock", DeleteAction: "ec2:DisassociateVpcCidrBlock",
		NotFound: "InvalidVpcCidrBlockAssociationIdError.NotFound",
		Refs:     []Ref{held("vpcId", "id", vpcType)},
		Check: func(in Inputs, unknown Unknowns) []Problem {
			return cidrProblems(in, "cidrBlock", 16, 28, "InvalidVpc.Range")
		},
		Compute: func(a *Account, o *Object) error { newID(a, o, "vpc-cidr-assoc-"); return nil },
	}
}

func subnetKind() Kind {
	return Kind{
		Type: subnetType, CreateAction: "ec2:CreateSubnet", UpdateAction: "ec2:ModifySubnetAttribute", DeleteAction: "ec2:DeleteSubnet",
		NotFound: "InvalidSubnetID.NotFound", InUse: "DependencyViolation",
		Refs: []Ref{held("vpcId", "id", vpcType)},
		Defaults: map[string]any{
			"mapPublicIpOnLaunch": false, "assignIpv6AddressOnCreation": false, "enableDns64": false, "ipv6Native": false,
			"enableResourceNameDnsARecordOnLaunch": false, "enableResourceNameDnsAaaaRecordOnLaunch": false,
			"privateDnsHostnameTypeOnLaunch": "ip-name", "mapCustomerOwnedIpOnLaunch": false, "customerOwnedIpv4Pool": "",
			"outpostArn": "", "ipv6CidrBlock": "", "ipv6CidrBlockAssociationId": "", "enableLniAtDeviceIndex": 0,
		},
		Check: func(in Inputs, unknown Unknowns) []Problem {
			p := allOf(cidrProblems(in, "cidrBlock", 16, 28, "InvalidSubnet.Range"), tagProblems(in),
				oneOf(in, "privateDnsHostnameTypeOnLaunch", "ip-name", "resource-name"))
			if s := in.String("ipv6CidrBlock"); s != "" {
				if r, err := netip.ParsePrefix(s); err != nil || !r.Addr().Is6() {
					p = append(p, problem("ipv6CidrBlock", "expected an IPv6 address range, got %q", s))
				}
			}
			if in.Has("availabilityZone") && in.Has("availabilityZoneId") {
				p = append(p, problem("availabilityZone", "only one of availabilityZone and availabilityZoneId may be given"))
			}
			if !in.Has("cidrBlock") && !unknown.Has("cidrBlock") && !in.Bool("ipv6Native") {
				p = append(p, awsProblem("cidrBlock", "MissingParameter", "a subnet needs its address range"))
			}
			return p
		},
		CheckState: checkSubnetState,
		Compute: func(a *Account, o *Object) error {
			newID(a, o, "subnet-")
			in := Inputs(o.Outputs)
			zones := zonesOf(a)
			switch {
			case in.Has("availabilityZone"):
			case in.Has("availabilityZoneId"):
				for _, z := range zones {
					if zoneID(a, z) == in.String("availabilityZoneId") {
						o.Outputs["availabilityZone"] = z
					}
				}
			default:
				o.Outputs["availabilityZone"] = zones[0]
			}
			o.Outputs["availabilityZoneId"] = zoneID(a, Inputs(o.Outputs).String("availabilityZone"))
			o.Outputs["arn"] = a.arn("ec2", "subnet/"+o.ID)
			o.Outputs["ownerId"] = a.AccountID
			return nil
		},
	}
}

func internetGatewayKind() Kind {
	return Kind{
		Type: gatewayType, CreateAction: "ec2:CreateInternetGateway", UpdateAction: "ec2:AttachInternetGateway",
		DeleteAction: "ec2:DeleteInternetGateway",
		NotFound:     "InvalidInternetGatewayID.NotFound", InUse: "DependencyViolation",
		Refs:     []Ref{held("vpcId", "id", vpcType)},
		Defaults: map[string]any{"vpcId": ""},
		Check:    func(in Inputs, unknown Unknowns) []Problem { return tagProblems(in) },
		CheckState: func(a *Account, o *Object) error {
			vpc := Inputs(o.Inputs).String("vpcId")
			for _, other := range others(a, o, gatewayType) {
				if vpc != "" && Inputs(other.Outputs).String("vpcId") == vpc {
					return refuse("InvalidParameterValue", "", "Network %s already has an internet gateway attached", vpc)
				}
			}
			return limit{most: quotaGateways, code: "InternetGatewayLimitExceeded",
				message: "The maximum number of internet gateways has been reached."}.check(a, o)
		},
		Compute: func(a *Account, o *Object) error {
			newID(a, o, "igw-")
			o.Outputs["arn"] = a.arn("ec2", "internet-gateway/"+o.ID)
			o.Outputs["ownerId"] = a.AccountID
			return nil
		},
		CheckDelete: checkGatewayDelete,
	}
}

func eipKind() Kind {
	return Kind{
		Type: eipType, CreateAction: "ec2:AllocateAddress", UpdateAction: "ec2:AssociateAddress", DeleteAction: "ec2:ReleaseAddress",
		NotFound: "InvalidAllocationID.NotFound", InUse: "InvalidIPAddress.InUse",
		Refs: []Ref{soft("instance", "id", instanceType), soft("networkInterface", "id", interfaceType)},
		Defaults: map[string]any{"domain": "vpc", "publicIpv4Pool": "amazon", "instance": "", "networkInterface": "", "customerOwnedIpv4Pool": "",
			"customerOwnedIp": "", "carrierIp": "", "ipamPoolId": "", "associationId": "", "privateIp": ""},
		Check: func(in Inputs, unknown Unknowns) []Problem {
			return allOf(oneOf(in, "domain", "vpc", "standard"), tagProblems(in))
		},
		CheckState: func(a *Account, o *Object) error {
			return limit{most: quotaAddresses, code: "AddressLimitExceeded",
				message: "The maximum number of addresses has been reached."}.check(a, o)
		},
		Compute: func(a *Account, o *Object) error {
			newID(a, o, "eipalloc-")
			ip := publicAddress(o.ID)
			o.Outputs["allocationId"] = o.ID
			o.Outputs["arn"] = a.arn("ec2", "elastic-ip/"+o.ID)
			o.Outputs["publicIp"] = ip
			o.Outputs["publicDns"] = publicName(a, ip)
			o.Outputs["ptrRecord"] = ""
			o.Outputs["vpc"] = true
			fill(o, "networkBorderGroup", a.Region)
			return nil
		},
	}
}

func eipAssociationKind() Kind {
	return Kind{
		Type: "aws:ec2/eipAssociation:EipAssociation", CreateAction: "ec2:AssociateAddress", DeleteAction: "ec2:DisassociateAddress",
		NotFound: "InvalidAssociationID.NotFound",
		Refs: []Ref{held("allocationId", "id", eipType), soft("instanceId", "id", instanceType),
			soft("networkInterfaceId", "id", interfaceType)},
		CheckState: addressFits("allocationId"),
		Compute: func(a *Account, o *Object) error {
			newID(a, o, "eipassoc-")
			if e := find(a, "id", Inputs(o.Inputs).String("allocationId"), eipType); e != nil {
				fill(o, "publicIp", e.Outputs["publicIp"])
			}
			fill(o, "networkInterfaceId", "eni-"+draw(17, o.ID, "eni"))
			fill(o, "privateIpAddress", "")
			fill(o, "instanceId", "")
			return nil
		},
	}
}

func natKind() Kind {
	return Kind{
		Type: natType, CreateAction: "ec2:CreateNatGateway", UpdateAction: "ec2:AssociateNatGatewayAddress", DeleteAction: "ec2:DeleteNatGateway",
		NotFound: "NatGatewayNotFound", InUse: "DependencyViolation",
		Refs: []Ref{held("subnetId", "id", subnetType), held("allocationId", "id", eipType), held("secondaryAllocationIds[]", "id", eipType)},
		Defaults: map[string]any{"connectivityType": "public", "secondaryAllocationIds": []any{}, "secondaryPrivateIpAddresses": []any{},
			"secondaryPrivateIpAddressCount": 0},
		Check: func(in Inputs, unknown Unknowns) []Problem {
			p := allOf(oneOf(in, "connectivityType", "public", "private"), address(in, "privateIp"), tagProblems(in))
			private := in.String("connectivityType") == "private"
			if !private && !in.Has("allocationId") && !unknown.Has("allocationId") {
				p = append(p, awsProblem("allocationId", "MissingParameter", "a public NAT gateway needs an Elastic IP"))
			}
			if private && in.Has("allocationId") {
				p = append(p, awsProblem("allocationId", "InvalidParameter", "a private NAT gateway takes no Elastic IP"))
			}
			return p
		},
		CheckState: checkNATState,
		Compute: func(a *Account, o *Object) error {
			newID(a, o, "nat-0")
			in := Inputs(o.Outputs)
			o.Outputs["networkInterfaceId"] = "eni-" + draw(17, o.ID, "eni")
			fill(o, "privateIp", privateAddress(a, o, in.String("subnetId")))
			if e := find(a, "id", in.String("allocationId"), eipType); e != nil {
				o.Outputs["publicIp"] = e.Outputs["publicIp"]
				o.Outputs["associationId"] = "eipassoc-" + draw(17, o.ID, "eipassoc")
			}
			return nil
		},
	}
}

func routeTableKind() Kind {
	return Kind{
		Type: routeTableType, CreateAction: "ec2:CreateRouteTable", UpdateAction: "ec2:ReplaceRoute", DeleteAction: "ec2:DeleteRouteTable",
		NotFound: "InvalidRouteTableID.NotFound", InUse: "DependencyViolation",
		Refs:     append(routeRefs("routes[]."), held("vpcId", "id", vpcType)),
		Defaults: map[string]any{"propagatingVgws": []any{}, "routes": []any{}},
		Check: func(in Inputs, unknown Unknowns) []Problem {
			return allOf(routesProblems(in, unknown), tagProblems(in))
		},
		CheckState: func(a *Account, o *Object) error {
			vpc := Inputs(o.Inputs).String("vpcId")
			if err := (limit{most: quotaTablesPerVPC, code: "RouteTableLimitExceeded",
				message: "The maximum number of route tables has been reached.", among: sameVPC(vpc)}).check(a, o); err != nil {
				return err
			}
			return routesFit(a, o, vpc)
		},
		Compute: func(a *Account, o *Object) error {
			newID(a, o, "rtb-0")
			o.Outputs["arn"] = a.arn("ec2", "route-table/"+o.ID)
			o.Outputs["ownerId"] = a.AccountID
			return nil
		},
	}
}

func mainRouteTableKind() Kind {
	return Kind{
		Type: mainTableType, CreateAction: "ec2:ReplaceRoute", UpdateAction: "ec2:ReplaceRoute", DeleteAction: "ec2:DescribeRouteTables",
		NotFound: "InvalidRouteTableID.NotFound",
		Refs:     append(routeRefs("routes[]."), soft("defaultRouteTableId", "defaultRouteTableId", vpcType)),
		Defaults: map[string]any{"routes": []any{}},
		Check: func(in Inputs, unknown Unknowns) []Problem {
			return allOf(routesProblems(in, unknown), tagProblems(in))
		},
		Compute: func(a *Account, o *Object) error {
			o.ID = Inputs(o.Inputs).String("defaultRouteTableId")
			o.Outputs["arn"] = a.arn("ec2", "route-table/"+o.ID)
			o.Outputs["ownerId"] = a.AccountID
			if vpc := find(a, "defaultRouteTableId", o.ID, vpcType); vpc != nil {
				o.Outputs["vpcId"] = vpc.ID
			}
			return nil
		},
	}
}

func routeKind() Kind {
	return Kind{
		Type: routeType, CreateAction: "ec2:CreateRoute", UpdateAction: "ec2:ReplaceRoute", DeleteAction: "ec2:DeleteRoute",
		NotFound: "InvalidRoute.NotFound",
		Refs:     append(routeRefs(""), soft("routeTableId", "id", anyTable...)),
		Check: func(in Inputs, unknown Unknowns) []Problem {
			return routeProblems(in, unknown, "", "destinationCidrBlock")
		},
		CheckState: checkRouteState,
		Compute: func(a *Account, o *Object) error {
			in := Inputs(o.Inputs)
			o.ID = fmt.Sprintf("r-%s%d", in.String("routeTableId"), crc(destination(in)))
			o.Outputs["origin"] = "CreateRoute"
			o.Outputs["state"] = "active"
			o.Outputs["instanceId"] = ""
			o.Outputs["instanceOwnerId"] = ""
			fill(o, "networkInterfaceId", "")
			return nil
		},
	}
}

func routeTableAssociationKind() Kind {
	return Kind{
		Type: "aws:ec2/routeTableAssociation:RouteTableAssociation", CreateAction: "ec2:AssociateRouteTable",
		UpdateAction: "ec2:ReplaceRouteTableAssociation", DeleteAction: "ec2:DisassociateRouteTable",
		NotFound: "InvalidAssociationID.NotFound",
		Refs:     []Ref{held("routeTableId", "id", anyTable...), soft("subnetId", "id", subnetType), soft("gatewayId", "id", gatewayType)},
		Check: func(in Inputs, unknown Unknowns) []Problem {
			if n := given(in, unknown, "subnetId", "gatewayId"); n != 1 {
				return []Problem{problem("subnetId", "exactly one of subnetId and gatewayId must be given, got %d", n)}
			}
			return nil
		},
		CheckState: func(a *Account, o *Object) error {
			in := Inputs(o.Inputs)
			for _, other := range others(a, o, o.Type) {
				if s := in.String("subnetId"); s != "" && Inputs(other.Inputs).String("subnetId") == s {
					return refuse("Resource.AlreadyAssociated", s+" is associated by "+other.URN,
						"the specified association for route table %s conflicts with an existing association", in.String("routeTableId"))
				}
			}
			subnet, table := find(a, "id", in.String("subnetId"), subnetType), find(a, "id", in.String("routeTableId"), anyTable...)
			if subnet != nil && table != nil && subnet.Outputs["vpcId"] != table.Outputs["vpcId"] {
				return refuse("InvalidParameterValue", "", "Route table %s and subnet %s belong to different networks", table.ID, subnet.ID)
			}
			return nil
		},
		Compute: func(a *Account, o *Object) error { newID(a, o, "rtbassoc-"); return nil },
	}
}

func mainRouteTableAssociationKind() Kind {
	return Kind{
		Type: "aws:ec2/mainRouteTableAssociation:MainRouteTableAssociation", CreateAction: "ec2:ReplaceRouteTableAssociation",
		UpdateAction: "ec2:ReplaceRouteTableAssociation", DeleteAction: "ec2:ReplaceRouteTableAssociation",
		NotFound: "InvalidAssociationID.NotFound",
		Refs:     []Ref{held("routeTableId", "id", anyTable...), soft("vpcId", "id", vpcType)},
		Compute: func(a *Account, o *Object) error {
			newID(a, o, "rtbassoc-")
			if vpc := find(a, "id", Inputs(o.Inputs).String("vpcId"), vpcType); vpc != nil {
				o.Outputs["originalRouteTableId"] = vpc.Outputs["mainRouteTableId"]
			}
			return nil
		},
	}
}

func dhcpKind() Kind {
	return Kind{
		Type: dhcpType, CreateAction: "ec2:CreateDhcpOptions", DeleteAction: "ec2:DeleteDhcpOptions",
		NotFound: "InvalidDhcpOptionID.NotFound", InUse: "DependencyViolation",
		Compute: func(a *Account, o *Object) error {
			newID(a, o, "dopt-0")
			o.Outputs["arn"] = a.arn("ec2", "dhcp-options/"+o.ID)
			o.Outputs["ownerId"] = a.AccountID
			return nil
		},
	}
}

func vpcDhcpOptionsAssociationKind() Kind {
	return Kind{
		Type: "aws:ec2/vpcDhcpOptionsAssociation:VpcDhcpOptionsAssociation", CreateAction: "ec2:AssociateDhcpOptions",
		UpdateAction: "ec2:AssociateDhcpOptions", DeleteAction: "ec2:AssociateDhcpOptions",
		NotFound: "InvalidDhcpOptionID.NotFound",
		Refs:     []Ref{held("dhcpOptionsId", "id", dhcpType), soft("vpcId", "id", vpcType)},
		Compute: func(a *Account, o *Object) error {
			in := Inputs(o.Inputs)
			o.ID = in.String("dhcpOptionsId") + "-" + in.String("vpcId")
			return nil
		},
	}
}

// ownDefaults creates what AWS creates with every VPC: its main route table, its default security group and network ACL.
func ownDefaults(a *Account, vpc *Object) error {
	out := Inputs(vpc.Outputs)
	everything := map[string]any{"protocol": "-1", "fromPort": 0, "toPort": 0}
	within, outward := cloneMap(everything), cloneMap(everything)
	within["self"], outward["cidrBlocks"] = true, []any{"0.0.0.0/0"}
	for _, child := range []*Object{
		{Type: routeTableType, ID: out.String("defaultRouteTableId"), Inputs: map[string]any{"vpcId": vpc.ID}},
		{Type: groupType, ID: out.String("defaultSecurityGroupId"), Inputs: map[string]any{"vpcId": vpc.ID, "name": "default",
			"description": "default VPC security group", "ingress": []any{within}, "egress": []any{outward}}},
		{Type: aclType, ID: out.String("defaultNetworkAclId"), Inputs: map[string]any{"vpcId": vpc.ID}},
	} {
		if a.get(child.Type, child.ID) != nil {
			continue
		}
		child.Outputs = cloneMap(child.Inputs)
		child.Outputs["ownerId"] = a.AccountID
		if err := a.own(vpc, child); err != nil {
			return err
		}
	}
	return nil
}

// checkSubnetState checks the range against the VPC and its other subnets, and the zone against the region.
func checkSubnetState(a *Account, o *Object) error {
	in := Inputs(o.Inputs)
	if z := in.String("availabilityZone"); z != "" && !slices.Contains(zonesOf(a), z) {
		return refuse("InvalidParameterValue", "the region is "+a.Region,
			"Value (%s) for parameter availabilityZone is invalid. Subnets can currently only be created in the following availability zones: %s.",
			z, strings.Join(zonesOf(a), ", "))
	}
	vpc := find(a, "id", in.String("vpcId"), vpcType)
	block, err := netip.ParsePrefix(in.String("cidrBlock"))
	if vpc == nil || err != nil {
		return nil
	}
	inside := slices.ContainsFunc(vpcBlocks(a, vpc), func(p netip.Prefix) bool { return p.Bits() <= block.Bits() && p.Contains(block.Addr()) })
	if !inside {
		return refuse("InvalidSubnet.Range", fmt.Sprintf("%s is not inside %s of %s", block, joined(vpcBlocks(a, vpc)), vpc.ID),
			"The CIDR '%s' is invalid.", block)
	}
	for _, other := range others(a, o, subnetType) {
		if other.Outputs["vpcId"] != vpc.ID {
			continue
		}
		if p, err := netip.ParsePrefix(Inputs(other.Outputs).String("cidrBlock")); err == nil && p.Overlaps(block) {
			return refuse("InvalidSubnet.Conflict", fmt.Sprintf("it overlaps %s of %s", p, other.ID),
				"The CIDR '%s' conflicts with another subnet", block)
		}
	}
	return limit{most: quotaSubnetsPerVPC, code: "SubnetLimitExceeded",
		message: "The maximum number of subnets has been reached.", among: sameVPC(vpc.ID)}.check(a, o)
}

// vpcBlocks are the IPv4 ranges of a VPC, including secondary ones.
func vpcBlocks(a *Account, vpc *Object) []netip.Prefix {
	texts := []string{Inputs(vpc.Outputs).String("cidrBlock")}
	for _, o := range a.list(secondaryCIDRType) {
		if o.Inputs["vpcId"] == vpc.ID {
			texts = append(texts, Inputs(o.Inputs).String("cidrBlock"))
		}
	}
	var blocks []netip.Prefix
	for _, t := range texts {
		if p, err := netip.ParsePrefix(t); err == nil {
			blocks = append(blocks, p)
		}
	}
	return blocks
}

// checkGatewayDelete refuses to detach an internet gateway while the VPC has public addresses.
func checkGatewayDelete(a *Account, o *Object) error {
	vpc := Inputs(o.Outputs).String("vpcId")
	for _, nat := range a.list(natType) {
		subnet := find(a, "id", Inputs(nat.Outputs).String("subnetId"), subnetType)
		if subnet != nil && vpc != "" && subnet.Outputs["vpcId"] == vpc && Inputs(nat.Outputs).String("publicIp") != "" {
			return refuse("DependencyViolation", nat.ID+" has one",
				"Network %s has some mapped public address(es). Please unmap those public address(es) before detaching the gateway.", vpc)
		}
	}
	for _, balancer := range a.list(balancerType) {
		if vpc != "" && balancer.Outputs["vpcId"] == vpc && balancer.Outputs["internal"] == false {
			return refuse("DependencyViolation", balancer.ID+" has some",
				"Network %s has some mapped public address(es). Please unmap those public address(es) before detaching the gateway.", vpc)
		}
	}
	return nil
}

func checkNATState(a *Account, o *Object) error {
	in := Inputs(o.Inputs)
	subnet := find(a, "id", in.String("subnetId"), subnetType)
	if subnet == nil {
		return nil
	}
	if in.String("connectivityType") != "private" {
		vpc := Inputs(subnet.Outputs).String("vpcId")
		if !hasGateway(a, vpc) {
			return refuse("Gateway.NotAttached", "", "Network %s has no Internet gateway attached", vpc)
		}
		if err := addressFits("allocationId")(a, o); err != nil {
			return err
		}
	}
	zone := subnet.Outputs["availabilityZone"]
	return limit{
		most: quotaNATsPerZone, code: "NatGatewayLimitExceeded",
		message: fmt.Sprintf("Performing this operation would exceed the limit of %d NAT gateways", quotaNATsPerZone),
		among: func(other *Object) bool {
			s := find(a, "id", Inputs(other.Outputs).String("subnetId"), subnetType)
			return s != nil && s.Outputs["availabilityZone"] == zone
		},
	}.check(a, o)
}

// addressFits refuses an Elastic IP that is in use.
func addressFits(path string) func(*Account, *Object) error {
	return func(a *Account, o *Object) error {
		allocation := Inputs(o.Inputs).String(path)
		for _, t := range []string{natType, "aws:ec2/eipAssociation:EipAssociation"} {
			for _, other := range others(a, o, t) {
				if allocation != "" && other.Inputs["allocationId"] == allocation {
					return refuse("Resource.AlreadyAssociated", other.ID+" has it", "Elastic IP address [%s] is already associated", allocation)
				}
			}
		}
		return nil
	}
}

// routeTargets are the inputs that name a route's target. A route has exactly one.
var routeTargets = words(`gatewayId natGatewayId networkInterfaceId egressOnlyGatewayId transitGatewayId vpcEndpointId
	vpcPeeringConnectionId carrierGatewayId coreNetworkArn localGatewayId instanceId`)

func routeRefs(prefix string) []Ref {
	return []Ref{
		{Path: prefix + "gatewayId", To: []string{gatewayType}, By: "id", Weak: true},
		{Path: prefix + "natGatewayId", To: []string{natType}, By: "id", Weak: true},
		{Path: prefix + "networkInterfaceId", To: []string{interfaceType}, By: "id", Weak: true},
		{Path: prefix + "vpcEndpointId", To: []string{endpointType}, By: "id", Weak: true},
	}
}

func routesProblems(in Inputs, unknown Unknowns) []Problem {
	var p []Problem
	seen := map[string]bool{}
	if unknown.Within("routes") {
		return nil
	}
	for i, r := range in.Maps("routes") {
		path := at("routes", i)
		p = append(p, routeProblems(r, nil, path+".", "cidrBlock")...)
		if d := destination(r); seen[d] {
			p = append(p, awsProblem(path, "RouteAlreadyExists", "there is already a route to %s", d))
		}
		seen[destination(r)] = true
	}
	if n := len(in.List("routes")); n > quotaRoutes {
		p = append(p, awsProblem("routes", "RouteLimitExceeded", "a route table takes %d routes, got %d", quotaRoutes, n))
	}
	return p
}

// routeProblems checks one route; prefix is its path with a dot, cidr the name of its IPv4 destination.
func routeProblems(in Inputs, unknown Unknowns, prefix, cidr string) []Problem {
	var p []Problem
	for _, x := range cidrProblems(in, cidr, 0, 32, "InvalidParameterValue") {
		x.Path = prefix + x.Path
		p = append(p, x)
	}
	destinations := []string{cidr, "destinationIpv6CidrBlock", "destinationPrefixListId"}
	if prefix != "" {
		destinations[1] = "ipv6CidrBlock"
	}
	if n := given(in, unknown, destinations...); n != 1 {
		p = append(p, problem(prefix+cidr, "a route has exactly one destination (%s), got %d", alternatives(destinations), n))
	}
	if n := given(in, unknown, routeTargets...); n != 1 {
		p = append(p, problem(prefix+"gatewayId", "a route has exactly one target (%s), got %d", alternatives(routeTargets[:3]), n))
	}
	return p
}

// destination is a route's destination, whichever input holds it.
func destination(in Inputs) string {
	for _, name := range words("destinationCidrBlock destinationIpv6CidrBlock destinationPrefixListId cidrBlock ipv6CidrBlock") {
		if s := in.String(name); s != "" {
			return s
		}
	}
	return ""
}

func routesFit(a *Account, o *Object, vpc string) error {
	for _, r := range Inputs(o.Inputs).Maps("routes") {
		if err := routeTargetFits(a, r, o.ID, vpc); err != nil {
			return err
		}
	}
	return nil
}

func checkRouteState(a *Account, o *Object) error {
	in := Inputs(o.Inputs)
	table := find(a, "id", in.String("routeTableId"), anyTable...)
	if table == nil {
		return nil
	}
	vpc := find(a, "id", Inputs(table.Outputs).String("vpcId"), vpcType)
	to := destination(in)
	taken := func(why string) error {
		return refuse("RouteAlreadyExists", why, "The route identified by %s already exists.", to)
	}
	for _, other := range others(a, o, routeType) {
		if other.Inputs["routeTableId"] == table.ID && destination(other.Inputs) == to {
			return taken("created by " + other.URN)
		}
	}
	for _, r := range Inputs(table.Inputs).Maps("routes") {
		if destination(r) == to {
			return taken("the table has it inline")
		}
	}
	if vpc == nil {
		return nil
	}
	for _, p := range vpcBlocks(a, vpc) {
		if p.String() == to {
			return taken("every table has the local route of the VPC")
		}
	}
	return routeTargetFits(a, in, table.ID, vpc.ID)
}

func routeTargetFits(a *Account, in Inputs, table, vpc string) error {
	if g := find(a, "id", in.String("gatewayId"), gatewayType); g != nil && g.Outputs["vpcId"] != vpc {
		return refuse("InvalidParameterValue", "", "route table %s and network gateway %s belong to different networks", table, g.ID)
	}
	if e := find(a, "id", in.String("vpcEndpointId"), endpointType); e != nil {
		// VPC guide, "Example routing options": only the endpoint of a Gateway Load Balancer can be the target of a route. A gateway endpoint
		// adds its own routes.
		if kind := orElse(Inputs(e.Outputs).String("vpcEndpointType"), "Gateway"); kind != "GatewayLoadBalancer" {
			return refuse("InvalidParameterValue", "its type is "+kind+"; a gateway endpoint names route tables in routeTableIds",
				"%s is not a Gateway Load Balancer endpoint, so it cannot be the target of a route", e.ID)
		}
	}
	if n := find(a, "id", in.String("natGatewayId"), natType); n != nil {
		if s := find(a, "id", Inputs(n.Outputs).String("subnetId"), subnetType); s != nil && s.Outputs["vpcId"] != vpc {
			return refuse("InvalidParameterValue", "", "route table %s and NAT gateway %s belong to different networks", table, n.ID)
		}
	}
	return nil
}

// cidrProblems checks an IPv4 range: its form, that it has no host bits, and how long its prefix may be.
func cidrProblems(in Inputs, path string, low, high int, code string) []Problem {
	text := in.String(path)
	if text == "" {
		return nil
	}
	p, err := netip.ParsePrefix(text)
	switch {
	case err != nil || !p.Addr().Is4():
		return []Problem{awsProblem(path, code, "expected an IPv4 range such as 10.0.0.0/16, got %q", text)}
	case p != p.Masked():
		return []Problem{problem(path, "%q is not a valid CIDR block; did you mean %q?", text, p.Masked())}
	case p.Bits() < low || p.Bits() > high:
		return []Problem{awsProblem(path, code, "expected a range between /%d and /%d, got %s", low, high, text)}
	}
	return nil
}

// privateAddress assigns an address of the subnet: AWS reserves the first four and the last.
func privateAddress(a *Account, o *Object, subnet string) string {
	s := find(a, "id", subnet, subnetType)
	if s == nil {
		return ""
	}
	p, err := netip.ParsePrefix(Inputs(s.Outputs).String("cidrBlock"))
	if err != nil {
		return ""
	}
	taken := map[string]bool{}
	for _, t := range []string{natType, instanceType, interfaceType} {
		for _, other := range others(a, o, t) {
			taken[Inputs(other.Outputs).String("privateIp")] = true
		}
	}
	hosts := 1<<(32-p.Bits()) - 5
	start := int(crc(o.ID)) % hosts
	from := netipx.RangeOfPrefix(p).From()
	for i := range hosts {
		ip := addTo(from, 4+(start+i)%hosts).String()
		if !taken[ip] {
			return ip
		}
	}
	return ""
}

// freeAddresses counts the addresses of a subnet that AWS does not reserve and that nothing uses. Tasks do not count: they come and go.
func freeAddresses(a *Account, o *Object, subnet string) (n int, known bool) {
	s := find(a, "id", subnet, subnetType)
	if s == nil {
		return 0, false
	}
	p, err := netip.ParsePrefix(Inputs(s.Outputs).String("cidrBlock"))
	if err != nil {
		return 0, false
	}
	n = 1<<(32-p.Bits()) - 5
	for _, kind := range []string{natType, instanceType, interfaceType} {
		for _, other := range others(a, o, kind) {
			if Inputs(other.Outputs).String("subnetId") == subnet {
				n--
			}
		}
	}
	for _, other := range others(a, o, endpointType) {
		if slices.Contains(Inputs(other.Outputs).Strings("subnetIds"), subnet) {
			n--
		}
	}
	for _, other := range others(a, o, balancerType) {
		if slices.Contains(balancerSubnets(Inputs(other.Inputs)), subnet) {
			n--
		}
	}
	return n, true
}

func addTo(ip netip.Addr, n int) netip.Addr {
	b := ip.As4()
	v := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	v += uint32(n)
	return netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)})
}

// publicAddress is a public IPv4 address, derived from an id.
func publicAddress(id string) string {
	n := crc(id)
	return fmt.Sprintf("%d.%d.%d.%d", []int{3, 13, 18, 35, 44, 52, 54}[n%7], n>>8&255, n>>16&255, 1+n>>24&253)
}

// publicName is the host name of a public address.
func publicName(a *Account, ip string) string {
	if a.Region == "us-east-1" {
		return "ec2-" + strings.ReplaceAll(ip, ".", "-") + ".compute-1.amazonaws.com"
	}
	return "ec2-" + strings.ReplaceAll(ip, ".", "-") + "." + a.Region + ".compute.amazonaws.com"
}

// zoneID is the id of a zone of the region: us-east-1a is use1-az1.
func zoneID(a *Account, zone string) string {
	r := regions[a.Region]
	if i := slices.Index(r.zoneNames(), zone); i >= 0 {
		return r.zoneIDs()[i]
	}
	return ""
}

// Quotas are those of a new account that count in a whole region. A plan compares them with what it would create.
var Quotas = []struct {
	Type, Name string
	Most       int
}{
	{"aws:ec2/vpc:Vpc", "VPCs per Region", quotaVPCs},
	{"aws:ec2/internetGateway:InternetGateway", "Internet gateways per Region", quotaGateways},
	{"aws:ec2/eip:Eip", "EC2-VPC Elastic IPs", quotaAddresses},
}
