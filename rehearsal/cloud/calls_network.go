package cloud

import (
	"strings"

	"slipway/rehearsal/iam"
)

// EC2: networks, firewalls, hosts.

const (
	ec2Page        = authorization + "amazonec2.html"
	ebsPage        = "https://docs.aws.amazon.com/ebs/latest/userguide/ebs-encryption-requirements.html"
	flowLogsRole   = "https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-iam-role.html"
	flowLogsIssue  = "https://github.com/iann0036/iam-dataset/issues/12"
	groupCleanup   = "the provider's deleteLingeringENIs, before it deletes a subnet or a security group"
	instanceCalls  = "recorded requests of the genuine provider for aws_instance"
	describeRoutes = "recorded requests of the genuine provider for aws_route"
)

// ec2Tags are the rows of a change of tags.
func ec2Tags(kind string) []row {
	return retag("ec2:CreateTags", "ec2:DeleteTags", "ec2:"+kind+"/{id}")
}

// ec2New is the call that creates a resource, with its tags.
func ec2New(operation string, kind string, on ...string) []row {
	rows := []row{
		call("ec2:"+operation, "ec2:"+kind+"/*").tags(),
		call("ec2:CreateTags", "ec2:"+kind+"/*").creating("ec2:CreateAction", operation),
	}
	if len(on) > 0 {
		rows = append(rows, call("ec2:"+operation, on...))
	}
	return rows
}

func networkCalls() map[string]lifecycle {
	return map[string]lifecycle{
		vpcType: {
			source: ec2Page,
			create: ec2New("CreateVpc", "vpc"),
			then: all(call("ec2:ModifyVpcAttribute", "ec2:vpc/{id}").if_(on("enableDnsHostnames")),
				call("ec2:DescribeVpcs", "*")),
			read: all(call("ec2:DescribeVpcs", "*"), call("ec2:DescribeVpcAttribute", "ec2:vpc/{id}"), call("ec2:DescribeNetworkAcls", "*"),
				call("ec2:DescribeRouteTables", "*"), call("ec2:DescribeSecurityGroups", "*")),
			update: all(call("ec2:ModifyVpcAttribute", "ec2:vpc/{id}").if_(otherThan()), ec2Tags("vpc")),
			delete: all(call("ec2:DeleteVpc", "ec2:vpc/{id}")),
		},
		subnetType: {
			source: ec2Page,
			create: ec2New("CreateSubnet", "subnet", "ec2:vpc/{vpcId}"),
			then:   all(call("ec2:ModifySubnetAttribute", "ec2:subnet/{id}").if_(on("mapPublicIpOnLaunch"))),
			read:   all(call("ec2:DescribeSubnets", "*")),
			update: all(call("ec2:ModifySubnetAttribute", "ec2:subnet/{id}").if_(otherThan()), ec2Tags("subnet")),
			delete: all(call("ec2:DescribeNetworkInterfaces", "*").from(groupCleanup), call("ec2:DeleteSubnet", "ec2:subnet/{id}")),
		},
		gatewayType: {
			source: ec2Page,
			create: ec2New("CreateInternetGateway", "internet-gateway"),
			then:   all(call("ec2:AttachInternetGateway", "ec2:internet-gateway/{id}", "ec2:vpc/{vpcId}").if_(has("vpcId"))),
			read:   all(call("ec2:DescribeInternetGateways", "*")),
			update: all(call("ec2:DetachInternetGateway", "ec2:internet-gateway/{id}").if_(otherThan()),
				call("ec2:AttachInternetGateway", "ec2:internet-gateway/{id}", "ec2:vpc/{vpcId}").if_(otherThan(), has("vpcId")),
				ec2Tags("internet-gateway")),
			delete: all(call("ec2:DetachInternetGateway", "ec2:internet-gateway/{id}", "ec2:vpc/{vpcId}").if_(has("vpcId")),
				call("ec2:DeleteInternetGateway", "ec2:internet-gateway/{id}")),
		},
		eipType: {
			source: ec2Page,
			create: ec2New("AllocateAddress", "elastic-ip"),
			then:   all(call("ec2:AssociateAddress", "ec2:elastic-ip/{id}", "ec2:instance/{instance}").if_(has("instance"))),
			read:   all(call("ec2:DescribeAddresses", "*"), call("ec2:DescribeAddressesAttribute", "*")),
			update: all(call("ec2:AssociateAddress", "ec2:elastic-ip/{id}").if_(otherThan()), ec2Tags("elastic-ip")),
			delete: all(call("ec2:DisassociateAddress", "ec2:elastic-ip/{id}").
				from("recorded requests of the genuine provider: the address of a NAT gateway is still associated in the state"),
				call("ec2:ReleaseAddress", "ec2:elastic-ip/{id}")),
		},
		natType: {
			source: ec2Page,
			create: all(ec2New("CreateNatGateway", "natgateway", "ec2:subnet/{subnetId}"),
				call("ec2:CreateNatGateway", "ec2:elastic-ip/{allocationId}").if_(has("allocationId"))),
			read:   all(call("ec2:DescribeNatGateways", "*")),
			update: ec2Tags("natgateway"),
			delete: all(call("ec2:DeleteNatGateway", "ec2:natgateway/{id}")),
		},
		routeTableType: {
			source: ec2Page,
			create: ec2New("CreateRouteTable", "route-table", "ec2:vpc/{vpcId}"),
			then:   all(call("ec2:CreateRoute", "ec2:route-table/{id}").if_(has("routes[]"))),
			read:   all(call("ec2:DescribeRouteTables", "*")),
			update: all(call("ec2:CreateRoute", "ec2:route-table/{id}").if_(changes("routes")),
				call("ec2:ReplaceRoute", "ec2:route-table/{id}").if_(changes("routes")),
				call("ec2:DeleteRoute", "ec2:route-table/{id}").if_(changes("routes")), ec2Tags("route-table")),
			delete: all(call("ec2:DeleteRouteTable", "ec2:route-table/{id}")),
		},
		routeType: {
			source: ec2Page,
			create: all(call("ec2:CreateRoute", "ec2:route-table/{routeTableId}")),
			read:   all(call("ec2:DescribeRouteTables", "*").from(describeRoutes)),
			update: all(call("ec2:ReplaceRoute", "ec2:route-table/{routeTableId}")),
			delete: all(call("ec2:DeleteRoute", "ec2:route-table/{routeTableId}")),
		},
		"aws:ec2/routeTableAssociation:RouteTableAssociation": {
			source: ec2Page,
			create: all(call("ec2:AssociateRouteTable", "ec2:route-table/{routeTableId}"),
				call("ec2:AssociateRouteTable", "ec2:subnet/{subnetId}").if_(has("subnetId")),
				call("ec2:AssociateRouteTable", "ec2:internet-gateway/{gatewayId}").if_(has("gatewayId"))),
			read: all(call("ec2:DescribeRouteTables", "*")),
			update: all(call("ec2:ReplaceRouteTableAssociation", "ec2:route-table/{routeTableId}"),
				call("ec2:ReplaceRouteTableAssociation", "ec2:subnet/{subnetId}").if_(has("subnetId"))),
			delete: all(call("ec2:DisassociateRouteTable", "ec2:route-table/{routeTableId}"),
				call("ec2:DisassociateRouteTable", "ec2:subnet/{subnetId}").if_(has("subnetId"))),
		},
		groupType: {
			source: ec2Page,
			create: ec2New("CreateSecurityGroup", "security-group", "ec2:vpc/{vpcId}"),
			then: all(call("ec2:RevokeSecurityGroupEgress", "ec2:security-group/{id}").
				from("the provider's resourceSecurityGroupCreate removes the rule to everywhere that EC2 adds to a group"),
				groupRules("ec2:security-group/{id}")),
			read: all(call("ec2:DescribeSecurityGroups", "*")),
			update: all(groupRules("ec2:security-group/{id}"),
				call("ec2:RevokeSecurityGroupIngress", "ec2:security-group/{id}").if_(changes("ingress")),
				call("ec2:RevokeSecurityGroupEgress", "ec2:security-group/{id}").if_(changes("egress")), ec2Tags("security-group")),
			delete: all(call("ec2:DescribeNetworkInterfaces", "*").from(groupCleanup), call("ec2:DeleteSecurityGroup", "ec2:security-group/{id}")),
		},
		// The provider adopts the group that EC2 made with the VPC: it tags it and removes its rules.
		defaultGroupType: {
			source: "the provider's resourceDefaultSecurityGroupCreate",
			create: all(call("ec2:DescribeSecurityGroups", "*"), call("ec2:CreateTags").on_(defaultGroup).if_(tagged).tags()),
			then: all(call("ec2:RevokeSecurityGroupIngress", "ec2:security-group/{id}"),
				call("ec2:RevokeSecurityGroupEgress", "ec2:security-group/{id}"), groupRules("ec2:security-group/{id}")),
			read:   all(call("ec2:DescribeSecurityGroups", "*")),
			update: all(groupRules("ec2:security-group/{id}"), ec2Tags("security-group")),
			delete: nil, // the group stays, as it belongs to the VPC
		},
		ingressType: securityRule("Ingress"),
		egressType:  securityRule("Egress"),
		endpointType: {
			source: ec2Page,
			create: all(ec2New("CreateVpcEndpoint", "vpc-endpoint", "ec2:vpc/{vpcId}", "ec2:route-table/{routeTableIds[]}",
				"ec2:subnet/{subnetIds[]}", "ec2:security-group/{securityGroupIds[]}")),
			read: all(call("ec2:DescribeVpcEndpoints", "*"), call("ec2:DescribePrefixLists", "*").if_(is("vpcEndpointType", "Gateway"))),
			update: all(call("ec2:ModifyVpcEndpoint", "ec2:vpc-endpoint/{id}", "ec2:route-table/{routeTableIds[]}", "ec2:subnet/{subnetIds[]}",
				"ec2:security-group/{securityGroupIds[]}").if_(otherThan()), ec2Tags("vpc-endpoint")),
			delete: all(call("ec2:DeleteVpcEndpoints", "ec2:vpc-endpoint/{id}")),
		},
		"aws:ec2/flowLog:FlowLog": {
			source: ec2Page,
			create: all(ec2New("CreateFlowLogs", "vpc-flow-log"),
				call("ec2:CreateFlowLogs", "ec2:vpc/{vpcId}").if_(has("vpcId")),
				call("ec2:CreateFlowLogs", "ec2:subnet/{subnetId}").if_(has("subnetId")),
				passes("iamRoleArn", "vpc-flow-logs.amazonaws.com").from(flowLogsRole),
				call("logs:CreateLogDelivery", "*").because("flow logs are delivered with the caller's rights").from(flowLogsIssue)),
			read:   all(call("ec2:DescribeFlowLogs", "*")),
			update: ec2Tags("vpc-flow-log"),
			delete: all(call("ec2:DeleteFlowLogs", "ec2:vpc-flow-log/{id}")),
		},
		instanceType: {
			source: ec2Page,
			create: all(
				call("ec2:RunInstances", "ec2:instance/*").tags().key("ec2:InstanceType", "{instanceType}"),
				call("ec2:RunInstances", "ec2:network-interface/*", "ec2:volume/*", "ec2:subnet/{subnetId}",
					"ec2:security-group/{vpcSecurityGroupIds[]}", "ec2:key-pair/{keyName}").if_(has("keyName")),
				call("ec2:RunInstances", "ec2:network-interface/*", "ec2:volume/*", "ec2:subnet/{subnetId}",
					"ec2:security-group/{vpcSecurityGroupIds[]}").if_(not(has("keyName"))),
				call("ec2:RunInstances").on_(func(v view) []string {
					return []string{"arn:" + v.a.Partition + ":ec2:" + v.a.Region + "::image/" + v.str("ami")}
				}),
				call("ec2:DescribeImages", "*").if_(has("rootBlockDevice")).from(instanceCalls),
				call("ec2:CreateTags", "ec2:instance/*").creating("ec2:CreateAction", "RunInstances"),
				call("ec2:CreateTags", "ec2:volume/*").creating("ec2:CreateAction", "RunInstances").if_(has("volumeTags")),
				call("iam:GetInstanceProfile", "iam::instance-profile/{iamInstanceProfile}").if_(has("iamInstanceProfile")).from(instanceCalls),
				call("iam:PassRole").on_(profileRole).because("the instance profile passes its role to ec2.amazonaws.com").from(passRolePage).
					with(func(_ view, c iam.Context) { c.Set("iam:PassedToService", iam.One("ec2.amazonaws.com")) }),
				keyRights("ec2", "rootBlockDevice.kmsKeyId", ebsPage, ebsActions...),
				keyRights("ec2", "ebsBlockDevices[].kmsKeyId", ebsPage, ebsActions...)),
			then: all(call("ec2:MonitorInstances", "ec2:instance/{id}").if_(on("monitoring")).from(instanceCalls),
				call("ec2:CreateTags", "ec2:volume/*").if_(has("rootBlockDevice.tags")).from(instanceCalls).with(func(v view, c iam.Context) {
					requestTags(c, plainTags(Inputs(v.o.Outputs).Map("rootBlockDevice.tags")))
				})),
			read: all(call("ec2:DescribeInstances", "*"), call("ec2:DescribeInstanceTypes", "*"), call("ec2:DescribeVolumes", "*"),
				call("ec2:DescribeTags", "*"), call("ec2:DescribeVpcs", "*"), call("ec2:DescribeInstanceAttribute", "ec2:instance/{id}"),
				call("ec2:DescribeInstanceCreditSpecifications", "*").if_(has("creditSpecification"))),
			update: all(
				call("ec2:ModifyInstanceAttribute", "ec2:instance/{id}").if_(changes("instanceType", "userData", "vpcSecurityGroupIds",
					"disableApiTermination", "disableApiStop", "sourceDestCheck", "ebsOptimized")),
				call("ec2:StopInstances", "ec2:instance/{id}").if_(changes("instanceType", "userData", "ebsOptimized")),
				call("ec2:StartInstances", "ec2:instance/{id}").if_(changes("instanceType", "userData", "ebsOptimized")),
				call("ec2:ModifyInstanceMetadataOptions", "ec2:instance/{id}").if_(changes("metadataOptions")),
				call("ec2:ModifyInstanceCreditSpecification", "ec2:instance/{id}").if_(changes("creditSpecification")),
				call("ec2:MonitorInstances", "ec2:instance/{id}").if_(changes("monitoring"), on("monitoring")),
				call("ec2:UnmonitorInstances", "ec2:instance/{id}").if_(changes("monitoring"), not(on("monitoring"))),
				call("ec2:ModifyVolume", "ec2:volume/*").if_(changes("rootBlockDevice")), ec2Tags("instance")),
			delete: all(call("ec2:ModifyInstanceAttribute", "ec2:instance/{id}").
				from("recorded requests of the genuine provider: it turns API termination on before it terminates an instance"),
				call("ec2:TerminateInstances", "ec2:instance/{id}"), call("ec2:DescribeInstances", "*")),
		},
	}
}

// ebsActions are the rights of the caller on the key of a volume. ReEncrypt is two actions for IAM.
var ebsActions = words("CreateGrant Decrypt DescribeKey GenerateDataKeyWithoutPlaintext ReEncryptFrom ReEncryptTo")

// securityRule are the calls for a rule of a security group.
func securityRule(direction string) lifecycle {
	authorize, revoke := "ec2:AuthorizeSecurityGroup"+direction, "ec2:RevokeSecurityGroup"+direction
	return lifecycle{
		source: ec2Page,
		create: all(call(authorize, "ec2:security-group/{securityGroupId}"),
			call("ec2:CreateTags", "ec2:security-group-rule/*").creating("ec2:CreateAction", "AuthorizeSecurityGroup"+direction)),
		read: all(call("ec2:DescribeSecurityGroupRules", "*")),
		update: all(call("ec2:ModifySecurityGroupRules", "ec2:security-group/{securityGroupId}", "ec2:security-group-rule/{id}").
			if_(otherThan()),
			ec2Tags("security-group-rule")),
		delete: all(call(revoke, "ec2:security-group/{securityGroupId}")),
	}
}

// groupRules are the calls for the rules in a group's own inputs.
func groupRules(on string) []row {
	return all(call("ec2:AuthorizeSecurityGroupIngress", on).if_(changes("ingress"), has("ingress[]")),
		call("ec2:AuthorizeSecurityGroupEgress", on).if_(changes("egress"), has("egress[]")))
}

// defaultGroup is the security group that EC2 made with the VPC.
func defaultGroup(v view) []string {
	vpc := v.a.get(vpcType, v.str("vpcId"))
	if vpc == nil {
		return []string{v.a.arn("ec2", "security-group/*")}
	}
	return []string{v.a.arn("ec2", "security-group/"+Inputs(vpc.Outputs).String("defaultSecurityGroupId"))}
}

// profileRole is the role in the instance's profile.
func profileRole(v view) []string {
	name := lastPart(v.str("iamInstanceProfile"), "/")
	profile := v.a.find("name", name, profileType)
	if name == "" || profile == nil {
		return nil
	}
	return roleNamed(v.a, Inputs(profile.Outputs).String("role"))
}

// roleNamed is the ARN of the role with a name.
func roleNamed(a *Account, name string) []string {
	if name == "" {
		return nil
	}
	if role := a.get(roleType, name); role != nil {
		return []string{Inputs(role.Outputs).String("arn")}
	}
	return []string{a.globalARN("iam", "role/"+strings.TrimPrefix(name, "/"))}
}

func plainTags(from Inputs) map[string]string {
	tags := map[string]string{}
	for name, value := range from {
		if s, ok := value.(string); ok {
			tags[name] = s
		}
	}
	return tags
}
