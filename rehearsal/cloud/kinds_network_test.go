package cloud

import (
	"fmt"
	"strings"
	"testing"
)

func TestNetworkIncidents(t *testing.T) {
	refuses(t, []incident{
		{name: "a VPC that is larger than /16", like: "vpc", change: properties{"cidrBlock": "10.0.0.0/8"},
			code: "InvalidVpc.Range", path: "cidrBlock"},
		{name: "a VPC that is smaller than /28", like: "vpc", change: properties{"cidrBlock": "10.0.0.0/29"},
			code: "InvalidVpc.Range", path: "cidrBlock"},
		{name: "a VPC whose range is none", like: "vpc", change: properties{"cidrBlock": "10.0.0.0/33"},
			code: "InvalidVpc.Range", path: "cidrBlock"},
		{name: "a VPC with host bits", like: "vpc", change: properties{"cidrBlock": "10.0.0.1/16"},
			code: `did you mean "10.0.0.0/16"`, path: "cidrBlock"},
		{name: "a VPC without a range", like: "vpc", change: properties{"cidrBlock": nil}, code: "one of cidrBlock", path: "cidrBlock"},
		{name: "a sixth VPC", before: func(w *world) {
			for i := range 4 {
				w.create(vpcType, fmt.Sprint("vpc", i), properties{"cidrBlock": fmt.Sprintf("10.%d.0.0/16", i+1)})
			}
		}, like: "vpc", code: "VpcLimitExceeded"},
		{name: "a VPC deleted with subnets", like: "vpc", delete: true, code: "DependencyViolation"},
		{name: "a subnet outside its VPC", like: "private-a", change: properties{"cidrBlock": "10.1.0.0/24"}, code: "InvalidSubnet.Range"},
		{name: "a subnet that overlaps another", like: "private-a", change: properties{"cidrBlock": "10.0.0.0/20"},
			code: "InvalidSubnet.Conflict"},
		{name: "a subnet of /29", like: "private-a", change: properties{"cidrBlock": "10.0.20.0/29"},
			code: "InvalidSubnet.Range", path: "cidrBlock"},
		{name: "a subnet in a zone of another region", like: "private-a", change: properties{"cidrBlock": "10.0.20.0/24",
			"availabilityZone": "eu-west-1a"}, code: "InvalidParameterValue"},
		{name: "a subnet in a VPC that does not exist", like: "private-a", change: properties{"vpcId": "vpc-00000000000000000"},
			code: "InvalidVpcID.NotFound"},
		{name: "a subnet deleted while a NAT gateway is in it", like: "public-a", delete: true, code: "DependencyViolation"},
		{name: "a second internet gateway", like: "igw", code: "InvalidParameterValue"},
		{name: "an internet gateway detached before the NAT gateway is gone", like: "igw", delete: true, code: "DependencyViolation"},
		{name: "a sixth Elastic IP", before: func(w *world) {
			for i := range 4 {
				w.create(eipType, fmt.Sprint("eip", i), properties{"domain": "vpc"})
			}
		}, like: "eip", code: "AddressLimitExceeded"},
		{name: "an Elastic IP released while the NAT gateway has it", like: "eip", delete: true, code: "InvalidIPAddress.InUse"},
		{name: "two NAT gateways with one Elastic IP", like: "nat", code: "Resource.AlreadyAssociated"},
		{name: "a public NAT gateway without an address", like: "nat", change: properties{"allocationId": nil},
			code: "MissingParameter", path: "allocationId"},
		{name: "a NAT gateway before the internet gateway", before: func(w *world) {
			w.create(vpcType, "island", properties{"cidrBlock": "10.9.0.0/16"})
			w.create(subnetType, "island-a", properties{"vpcId": w.id("island"), "cidrBlock": "10.9.0.0/24", "availabilityZone": "us-east-1a"})
			w.create(eipType, "island-eip", properties{"domain": "vpc"})
			w.inputs["nat"] = properties{"subnetId": w.id("island-a"), "allocationId": w.id("island-eip")}
		}, like: "nat", code: "Gateway.NotAttached"},
		{name: "two routes to one destination", like: "public-default", code: "RouteAlreadyExists"},
		{name: "a route to the VPC's own range", like: "public-default", change: properties{"destinationCidrBlock": "10.0.0.0/16"},
			code: "RouteAlreadyExists"},
		{name: "a route to nowhere", like: "public-default", change: properties{"gatewayId": nil}, code: "exactly one target", path: "gatewayId"},
		{name: "a route with two targets", like: "public-default", change: properties{"natGatewayId": "nat-0123456789abcdef0"},
			code: "exactly one target", path: "gatewayId"},
		{name: "a route to the gateway of another VPC", before: func(w *world) {
			w.create(vpcType, "other", properties{"cidrBlock": "10.9.0.0/16"})
			w.create(gatewayType, "other-igw", properties{"vpcId": w.id("other")})
			w.inputs["public-default"] = properties{"routeTableId": w.id("private-routes"), "destinationCidrBlock": "192.168.0.0/16",
				"gatewayId": w.id("other-igw")}
		}, like: "public-default", code: "InvalidParameterValue"},
		{name: "a subnet with two route tables", like: "public-a-routes", code: "Resource.AlreadyAssociated"},
		{name: "a route table deleted while a subnet has it", like: "public-routes", delete: true, code: "DependencyViolation"},
	})
}

func TestFirewallIncidents(t *testing.T) {
	var sixty []any
	for i := range 61 {
		sixty = append(sixty, properties{"protocol": "tcp", "fromPort": 1000 + i, "toPort": 1000 + i, "cidrBlocks": []any{"10.0.0.0/16"}})
	}
	refuses(t, []incident{
		{name: "a group that is called default", like: "web", change: properties{"name": "default"}, code: "InvalidParameterValue", path: "name"},
		{name: "a group whose name looks like an id", like: "web", change: properties{"name": "sg-web"},
			code: "InvalidParameterValue", path: "name"},
		{name: "a group described with an umlaut", like: "web", change: properties{"description": "für nginx"},
			code: "InvalidParameterValue", path: "description"},
		{name: "two groups of one name in a VPC", like: "web", change: properties{"name": "site-edge"}, code: "InvalidGroup.Duplicate"},
		{name: "a group deleted while tasks use it", like: "web", delete: true, code: "DependencyViolation"},
		{name: "a group deleted while another's rule names it", like: "edge", delete: true, code: "DependencyViolation"},
		{name: "more rules than a group takes", like: "web", change: properties{"ingress": sixty}, code: "RulesPerSecurityGroupLimitExceeded"},
		{name: "a rule that the group has already", like: "web-from-edge", code: "InvalidPermission.Duplicate"},
		{name: "a pooler's rule made twice in two forms", like: "data-from-web", change: properties{"fromPort": 6432,
			"toPort": 6432}, before: func(w *world) {
			w.create(ingressType, "again", properties{"securityGroupId": w.id("data"), "ipProtocol": "tcp", "fromPort": 6432, "toPort": 6432,
				"referencedSecurityGroupId": w.id("web")})
		}, code: "InvalidPermission.Duplicate"},
		{name: "a rule to ports that end before they begin", like: "edge-https", change: properties{"fromPort": 443, "toPort": 80},
			code: "InvalidParameterValue", path: "fromPort"},
		{name: "a rule to port 70000", like: "edge-https", change: properties{"toPort": 70000}, code: "InvalidParameterValue", path: "toPort"},
		{name: "a rule without ports", like: "edge-https", change: properties{"fromPort": nil, "toPort": nil},
			code: "InvalidParameterValue", path: "fromPort"},
		{name: "a rule of every protocol with ports", like: "web-out", change: properties{"fromPort": 0, "toPort": 65535},
			code: "do not set ports", path: "fromPort"},
		{name: "a rule of an unknown protocol", like: "edge-https", change: properties{"ipProtocol": "http"},
			code: "InvalidParameterValue", path: "ipProtocol"},
		{name: "a rule from two peers", like: "edge-https", change: properties{"cidrIpv6": "::/0"}, code: "exactly one of", path: "cidrIpv4"},
		{name: "a rule from a range with host bits", like: "edge-https", change: properties{"cidrIpv4": "10.0.0.1/16"},
			code: "did you mean", path: "cidrIpv4"},
		{name: "a rule from a group that does not exist", like: "web-from-edge",
			change: properties{"referencedSecurityGroupId": "sg-00000000000000000"}, code: "InvalidGroup.NotFound"},
		{name: "a rule from a group of another VPC", before: func(w *world) {
			w.create(vpcType, "other", properties{"cidrBlock": "10.9.0.0/16"})
			w.create(groupType, "stranger", properties{"vpcId": w.id("other"), "name": "stranger", "description": "elsewhere"})
			w.inputs["web-from-edge"] = changed(w.inputs["web-from-edge"], properties{"referencedSecurityGroupId": w.id("stranger")})
		}, like: "web-from-edge", code: "InvalidGroup.NotFound"},
		{name: "flow logs without a role", like: "flow", change: properties{"iamRoleArn": nil}, code: "InvalidParameter", path: "iamRoleArn"},
		{name: "flow logs with a role of another service", like: "flow", change: properties{"iamRoleArn": "arn:aws:iam::" + DefaultAccountID +
			":role/task"}, code: "InvalidParameter"},
		{name: "flow logs twice", like: "flow", code: "FlowLogAlreadyExists"},
		{name: "flow logs every five minutes", like: "flow", change: properties{"maxAggregationInterval": 300}, code: "expected 60 or 600",
			path: "maxAggregationInterval"},
	})
}

func TestHostAndEndpointIncidents(t *testing.T) {
	refuses(t, []incident{
		{name: "a machine of a type that does not exist", like: "bastion", change: properties{"instanceType": "t9.huge"},
			code: "InvalidInstanceType", path: "instanceType"},
		{name: "an arm image on an x86 machine", like: "bastion", change: properties{"instanceType": "t3.nano"}, code: "InvalidParameterValue"},
		{name: "an image that is none", like: "bastion", change: properties{"ami": "al2023"}, code: "InvalidAMIID.Malformed", path: "ami"},
		{name: "instance metadata that is neither optional nor required", like: "bastion",
			change: properties{"metadataOptions.httpTokens": "enforced"}, code: "optional or required", path: "metadataOptions.httpTokens"},
		{name: "instance metadata over 65 hops", like: "bastion", change: properties{"metadataOptions.httpPutResponseHopLimit": 65},
			code: "1 to 64", path: "metadataOptions.httpPutResponseHopLimit"},
		{name: "a disk that is smaller than its image", like: "bastion", change: properties{"rootBlockDevice.volumeSize": 4},
			code: "InvalidBlockDeviceMapping", path: "rootBlockDevice.volumeSize"},
		{name: "a machine in a subnet of another VPC than its group", before: func(w *world) {
			w.create(vpcType, "other", properties{"cidrBlock": "10.9.0.0/16"})
			w.create(subnetType, "other-a", properties{"vpcId": w.id("other"), "cidrBlock": "10.9.0.0/24"})
			w.inputs["bastion"] = changed(w.inputs["bastion"], properties{"subnetId": w.id("other-a")})
		}, like: "bastion", code: "InvalidParameter"},
		{name: "a machine with a role for tasks", before: func(w *world) {
			w.create(profileType, "wrong", properties{"name": "wrong", "role": "task"})
		}, like: "bastion", change: properties{"iamInstanceProfile": "wrong"}, code: "InvalidParameterValue"},
		{name: "a machine protected from termination", before: func(w *world) {
			if err := w.update("bastion", properties{"disableApiTermination": true}); err != nil {
				w.t.Fatal(err)
			}
		}, like: "bastion", delete: true, code: "OperationNotPermitted"},
		{name: "too much user data", like: "bastion", change: properties{"userData": strings.Repeat("#", 16385)},
			code: "InvalidParameterValue", path: "userData"},
		{name: "an endpoint of a service that does not exist", like: "ssm-endpoint",
			change: properties{"serviceName": "com.amazonaws.us-east-1.ecr"}, code: "InvalidServiceName"},
		{name: "an endpoint of another region", like: "ssm-endpoint", change: properties{"serviceName": "com.amazonaws.eu-west-1.kms"},
			code: "InvalidServiceName"},
		{name: "a gateway endpoint of ECR", like: "s3-endpoint", change: properties{"serviceName": "com.amazonaws.us-east-1.ecr.dkr"},
			code: "InvalidParameter"},
		{name: "two endpoints with one private name", like: "ssm-endpoint", code: "InvalidParameter"},
		{name: "two gateway endpoints in one route table", like: "s3-endpoint", code: "RouteAlreadyExists"},
		{name: "private names in a VPC without DNS host names", before: func(w *world) {
			if err := w.update("vpc", properties{"enableDnsHostnames": false}); err != nil {
				w.t.Fatal(err)
			}
		}, like: "ssm-endpoint", change: properties{"serviceName": "com.amazonaws.us-east-1.kms"}, code: "InvalidParameter"},
		{name: "an endpoint with two subnets in one zone", before: func(w *world) {
			w.inputs["ssm-endpoint"] = changed(w.inputs["ssm-endpoint"], properties{"serviceName": "com.amazonaws.us-east-1.kms",
				"subnetIds": []any{w.id("private-a"), w.id("public-a")}})
		}, like: "ssm-endpoint", code: "DuplicateSubnetsInSameZone"},
		{name: "a gateway endpoint with security groups", like: "s3-endpoint",
			change: properties{"securityGroupIds": []any{"sg-00000000000000000"}}, code: "InvalidParameter", path: "securityGroupIds"},
	})
}

func TestRarerNetworkIncidents(t *testing.T) {
	route := func(i int) any {
		return properties{"cidrBlock": fmt.Sprintf("172.16.%d.0/24", i), "gatewayId": "igw-00000000000000000"}
	}
	refuses(t, []incident{
		{name: "a private NAT gateway with an Elastic IP", like: "nat", change: properties{"connectivityType": "private"},
			code: "takes no Elastic IP", path: "allocationId"},
		{name: "a route table of another VPC", like: "public-a-routes", before: func(w *world) {
			elsewhere(w)
			if err := w.delete("public-b-routes"); err != nil {
				w.t.Fatal(err)
			}
			w.create(routeTableType, "other-routes", properties{"vpcId": w.id("other")})
			w.inputs["public-a-routes"] = properties{"subnetId": w.id("public-b"), "routeTableId": w.id("other-routes")}
		}, code: "InvalidParameterValue"},
		{name: "a NAT gateway of another VPC", like: "public-default", before: func(w *world) {
			elsewhere(w)
			w.create(eipType, "other-eip", properties{"domain": "vpc"})
			w.create(natType, "other-nat", properties{"subnetId": w.id("other-a"), "allocationId": w.id("other-eip")})
			w.inputs["public-default"] = properties{"routeTableId": w.id("private-routes"), "destinationCidrBlock": "192.168.0.0/16",
				"natGatewayId": w.id("other-nat")}
		}, code: "InvalidParameterValue"},
		{name: "51 routes", like: "public-routes", change: properties{"routes": many(51, route)}, code: "RouteLimitExceeded", path: "routes"},
		{name: "one destination twice in a table", like: "public-routes", change: properties{"routes": []any{route(1), route(1)}},
			code: "RouteAlreadyExists", path: "routes[1]"},
		{name: "an internet gateway taken from a public balancer", like: "other-igw", delete: true, before: func(w *world) {
			elsewhere(w)
			w.create(balancerType, "other-balancer", properties{"name": "other", "subnets": []any{w.id("other-a"), w.id("other-b")}})
		}, code: "DependencyViolation"},
		{name: "a network ACL rule twice", like: "again", before: func(w *world) {
			w.create(aclType, "acl", properties{"vpcId": w.id("vpc")})
			in := properties{"networkAclId": w.id("acl"), "ruleNumber": 100, "protocol": "tcp", "ruleAction": "allow", "cidrBlock": "0.0.0.0/0",
				"fromPort": 443, "toPort": 443}
			w.create("aws:ec2/networkAclRule:NetworkAclRule", "again", in)
		}, code: "NetworkAclEntryAlreadyExists"},
		{name: "a network ACL with one number twice", like: "acl", before: offer("acl", aclType, func(w *world) properties {
			rule := properties{"ruleNo": 1, "action": "allow", "protocol": "-1", "fromPort": 0, "toPort": 0, "cidrBlock": "0.0.0.0/0"}
			return properties{"vpcId": w.id("vpc"), "ingress": []any{rule, rule}}
		}), code: "NetworkAclEntryAlreadyExists", path: "ingress[1].ruleNo"},
		{name: "a key that is no key", like: "pair", before: offer("pair", keyPairType, func(w *world) properties {
			return properties{"keyName": "ops", "publicKey": "ssh-ed25519 not~base64"}
		}), code: "InvalidKey.Format", path: "publicKey"},
		{name: "a throughput on gp2", like: "bastion", change: properties{"rootBlockDevice.volumeType": "gp2", "rootBlockDevice.throughput": 250},
			code: "only gp3", path: "rootBlockDevice.throughput"},
		{name: "iops on gp2", like: "bastion", change: properties{"rootBlockDevice.volumeType": "gp2", "rootBlockDevice.iops": 4000},
			code: "take iops", path: "rootBlockDevice.iops"},
		{name: "six groups on a machine", like: "bastion", change: properties{"vpcSecurityGroupIds": many(6, func(i int) any {
			return fmt.Sprintf("sg-0000000000000000%d", i)
		})}, code: "SecurityGroupsPerInterfaceLimitExceeded", path: "vpcSecurityGroupIds"},
		{name: "a profile without a role", like: "bastion", before: func(w *world) {
			w.create(profileType, "empty", properties{"name": "empty"})
		}, change: properties{"iamInstanceProfile": "empty"}, code: "InvalidParameterValue"},
		{name: "an endpoint in subnets of another VPC", like: "ssm-endpoint", before: and(elsewhere, "ssm-endpoint", func(w *world) properties {
			return properties{"serviceName": "com.amazonaws.us-east-1.kms", "subnetIds": []any{w.id("other-a")},
				"securityGroupIds": []any{w.id("stranger")}}
		}), code: "InvalidParameter"},
		{name: "51 tags", like: "vpc", change: properties{"tags": func() properties {
			tags := properties{}
			for i := range 51 {
				tags[fmt.Sprint("t", i)] = "x"
			}
			return tags
		}()}, code: "at most 50", path: "tags"},
		{name: "a tag of AWS", like: "vpc", change: properties{"tags": properties{"aws:name": "x"}},
			code: "are reserved for internal use", path: "tags.aws:name"},
		{name: "a tag that is too long", like: "vpc", change: properties{"tags": properties{"a": strings.Repeat("x", 257)}},
			code: "at most 256", path: "tags.a"},
		{name: "a tag with a brace", like: "vpc", change: properties{"tags": properties{"a": "{}"}}, code: "letters, digits", path: "tags.a"},
	})
}
