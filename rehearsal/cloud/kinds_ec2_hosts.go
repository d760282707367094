package cloud

import (
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"
)

// Instances, launch templates, key pairs, network interfaces, and VPC endpoints.

// armFamilies are the instance families with Graviton processors; the others of instanceFamilies are x86.
var armFamilies = words("t4g m6g m6gd m7g m7gd m8g c6g c6gd c6gn c7g c7gd c7gn c8g r6g r6gd r7g r7gd r8g x2gd im4gn is4gen a1")

var instanceFamilies = append(words("t2 t3 t3a m4 m5 m5a m5d m6a m6i m6id m7a m7i m7i-flex c4 c5 c5a c5d c6a c6i c7a c7i c7i-flex r4 r5 "+
	"r5a r5d r6a r6i r7a r7i"), armFamilies...)

var instanceSizes = words("nano micro small medium large xlarge 2xlarge 3xlarge 4xlarge 6xlarge 8xlarge 9xlarge 10xlarge 12xlarge " +
	"16xlarge 18xlarge 24xlarge 32xlarge 48xlarge metal metal-24xl metal-48xl")

var amiForm = regexp.MustCompile(`^ami-([0-9a-f]{8}|[0-9a-f]{17})$`)

// hostKinds are the resource types of EC2 instances and what attaches to a network interface.
func hostKinds() []Kind {
	return []Kind{
		instanceKind(), launchTemplateKind(), keyPairKind(), networkInterfaceKind(), vpcEndpointKind(), vpcEndpointRouteTableAssociationKind(),
		vpcEndpointSubnetAssociationKind(), vpcEndpointPolicyKind(),
	}
}

func instanceKind() Kind {
	return Kind{
		Type: instanceType, CreateAction: "ec2:RunInstances", UpdateAction: "ec2:ModifyInstanceAttribute", DeleteAction: "ec2:TerminateInstances",
		NotFound: "InvalidInstanceID.NotFound",
		Refs: []Ref{held("subnetId", "id", subnetType), held("vpcSecurityGroupIds[]", "id", anyGroup...), soft("keyName", "id", keyPairType),
			held("iamInstanceProfile", "id,arn", profileType), keyRef("rootBlockDevice.kmsKeyId"), keyRef("ebsBlockDevices[].kmsKeyId"),
			held("networkInterfaces[].networkInterfaceId", "id", interfaceType),
			soft("launchTemplate.id", "id", templateType), soft("launchTemplate.name", "name", templateType)},
		Defaults: map[string]any{"sourceDestCheck": true, "getPasswordData": false, "monitoring": false,
			"disableApiTermination": false, "disableApiStop": false,
			"instanceInitiatedShutdownBehavior": "stop", "tenancy": "default", "userDataReplaceOnChange": false},
		Check: checkInstance,
		Replaces: func(in Inputs) []string {
			if in.Bool("userDataReplaceOnChange") {
				return []string{"userData", "userDataBase64"}
			}
			return nil
		},
		CheckState: checkInstanceState,
		Compute:    computeInstance,
		CheckDelete: func(a *Account, o *Object) error {
			if Inputs(o.Outputs).Bool("disableApiTermination") {
				return refuse("OperationNotPermitted", "",
					"The instance '%s' may not be terminated. Modify its 'disableApiTermination' instance attribute and try again.", o.ID)
			}
			return nil
		},
	}
}

func launchTemplateKind() Kind {
	return prefixed(Kind{
		Type: templateType, CreateAction: "ec2:CreateLaunchTemplate", UpdateAction: "ec2:CreateLaunchTemplateVersion",
		DeleteAction: "ec2:DeleteLaunchTemplate",
		Name: Name{Input: "name", Prefix: "namePrefix", Max: 128, Form: `[a-zA-Z0-9().\-/_]{3,128}`,
			Taken: "InvalidLaunchTemplateName.AlreadyExistsException"},
		NotFound: "InvalidLaunchTemplateId.NotFound",
		Refs: []Ref{soft("vpcSecurityGroupIds[]", "id", anyGroup...), soft("iamInstanceProfile.arn", "arn", profileType),
			soft("iamInstanceProfile.name", "id", profileType)},
		Defaults: map[string]any{"namePrefix": ""},
		Check: func(in Inputs, unknown Unknowns) []Problem {
			return allOf(typeProblems(in), imageProblems(in, "imageId"), metadataProblems(in), tagProblems(in))
		},
		Compute: func(a *Account, o *Object) error {
			newID(a, o, "lt-0")
			o.Outputs["arn"] = a.arn("ec2", "launch-template/"+o.ID)
			latest := 1
			if was := a.was(o); was != nil {
				latest = Inputs(was.Outputs).Int("latestVersion") + 1
			}
			o.Outputs["latestVersion"] = latest
			fill(o, "defaultVersion", 1)
			return nil
		},
		Recomputed: map[string][]string{"*": {"latestVersion"}},
	})
}

func keyPairKind() Kind {
	return prefixed(Kind{
		Type: keyPairType, CreateAction: "ec2:ImportKeyPair", DeleteAction: "ec2:DeleteKeyPair",
		Name:     Name{Input: "keyName", Prefix: "keyNamePrefix", Max: 255, Taken: "InvalidKeyPair.Duplicate"},
		NotFound: "InvalidKeyPair.NotFound",
		Defaults: map[string]any{"keyNamePrefix": ""},
		Check: func(in Inputs, unknown Unknowns) []Problem {
			fields := strings.Fields(in.String("publicKey"))
			if !in.Has("publicKey") {
				return nil
			}
			if len(fields) < 2 || fields[0] != "ssh-rsa" && fields[0] != "ssh-ed25519" {
				return []Problem{awsProblem("publicKey", "InvalidKey.Format",
					"Key is not in valid OpenSSH public key format: expected ssh-rsa or ssh-ed25519 and the key")}
			}
			if _, err := base64.StdEncoding.DecodeString(fields[1]); err != nil {
				return []Problem{awsProblem("publicKey", "InvalidKey.Format",
					"Key is not in valid OpenSSH public key format: what follows %s is not base64", fields[0])}
			}
			return tagProblems(in)
		},
		Compute: func(a *Account, o *Object) error {
			in := Inputs(o.Outputs)
			o.ID = in.String("keyName")
			o.Outputs["keyPairId"] = kept(a, o, "keyPairId", func() any { return "key-0" + draw(16, fresh(a, o)...) })
			o.Outputs["arn"] = a.arn("ec2", "key-pair/"+o.ID)
			o.Outputs["fingerprint"] = draw(32, in.String("publicKey"))
			o.Outputs["keyType"] = strings.TrimPrefix(strings.Fields(in.String("publicKey") + " x")[0], "ssh-")
			return nil
		},
	})
}

func networkInterfaceKind() Kind {
	return Kind{
		Type: interfaceType, CreateAction: "ec2:CreateNetworkInterface", UpdateAction: "ec2:ModifyNetworkInterfaceAttribute",
		DeleteAction: "ec2:DeleteNetworkInterface",
		NotFound:     "InvalidNetworkInterfaceID.NotFound", InUse: "InvalidParameterValue",
		Refs: []Ref{held("subnetId", "id", subnetType), held("securityGroups[]", "id", anyGroup...),
			held("attachments[].instance", "id", instanceType)},
		Defaults: map[string]any{"sourceDestCheck": true, "interfaceType": "interface"},
		Check:    func(in Inputs, unknown Unknowns) []Problem { return tagProblems(in) },
		Compute: func(a *Account, o *Object) error {
			newID(a, o, "eni-0")
			in := Inputs(o.Inputs)
			ip := orElse(in.String("privateIp"), firstOf(in.Strings("privateIps")))
			if ip == "" {
				ip = kept(a, o, "privateIp", func() any { return privateAddress(a, o, in.String("subnetId")) }).(string)
			}
			for name, v := range map[string]any{"privateIp": ip, "privateIps": []any{ip},
				"arn": a.arn("ec2", "network-interface/"+o.ID), "ownerId": a.AccountID,
				"macAddress": "02:" + strings.Join(slices.Collect(pairs(draw(10, o.ID))), ":"), "privateDnsName": privateName(a, ip)} {
				fill(o, name, v)
			}
			return nil
		},
	}
}

func vpcEndpointKind() Kind {
	return Kind{
		Type: endpointType, CreateAction: "ec2:CreateVpcEndpoint", UpdateAction: "ec2:ModifyVpcEndpoint", DeleteAction: "ec2:DeleteVpcEndpoints",
		NotFound: "InvalidVpcEndpointId.NotFound",
		Refs: []Ref{held("vpcId", "id", vpcType), soft("routeTableIds[]", "id", anyTable...), held("subnetIds[]", "id", subnetType),
			held("securityGroupIds[]", "id", anyGroup...),
			held("subnetConfigurations[].subnetId", "id", subnetType)},
		Defaults:   map[string]any{"vpcEndpointType": "Gateway"},
		Check:      checkEndpoint,
		CheckState: checkEndpointState,
		Compute:    computeEndpoint,
	}
}

func vpcEndpointRouteTableAssociationKind() Kind {
	return Kind{
		Type: "aws:ec2/vpcEndpointRouteTableAssociation:VpcEndpointRouteTableAssociation", CreateAction: "ec2:ModifyVpcEndpoint",
		DeleteAction: "ec2:ModifyVpcEndpoint",
		NotFound:     "InvalidVpcEndpointId.NotFound",
		Refs:         []Ref{soft("vpcEndpointId", "id", endpointType), held("routeTableId", "id", anyTable...)},
		Compute: func(a *Account, o *Object) error {
			in := Inputs(o.Inputs)
			o.ID = "a-" + in.String("vpcEndpointId") + jsonText(crc(in.String("routeTableId")))
			return nil
		},
	}
}

func vpcEndpointSubnetAssociationKind() Kind {
	return Kind{
		Type: "aws:ec2/vpcEndpointSubnetAssociation:VpcEndpointSubnetAssociation", CreateAction: "ec2:ModifyVpcEndpoint",
		DeleteAction: "ec2:ModifyVpcEndpoint",
		NotFound:     "InvalidVpcEndpointId.NotFound",
		Refs:         []Ref{soft("vpcEndpointId", "id", endpointType), held("subnetId", "id", subnetType)},
		Compute: func(a *Account, o *Object) error {
			in := Inputs(o.Inputs)
			o.ID = "a-" + in.String("vpcEndpointId") + jsonText(crc(in.String("subnetId")))
			return nil
		},
	}
}

func vpcEndpointPolicyKind() Kind {
	return Kind{
		Type: "aws:ec2/vpcEndpointPolicy:VpcEndpointPolicy", CreateAction: "ec2:ModifyVpcEndpoint", UpdateAction: "ec2:ModifyVpcEndpoint",
		DeleteAction: "ec2:ModifyVpcEndpoint",
		NotFound:     "InvalidVpcEndpointId.NotFound",
		Refs:         []Ref{soft("vpcEndpointId", "id", endpointType)},
		Check:        func(in Inputs, unknown Unknowns) []Problem { return policyProblems(in, "policy", endpointDocument) },
		Compute: func(a *Account, o *Object) error {
			o.ID = Inputs(o.Inputs).String("vpcEndpointId")
			fill(o, "policy", openPolicy)
			return nil
		},
	}
}

func checkInstance(in Inputs, unknown Unknowns) []Problem {
	p := allOf(typeProblems(in), imageProblems(in, "ami"), metadataProblems(in), tagProblems(in),
		oneOf(in, "tenancy", "default", "dedicated", "host"),
		oneOf(in, "instanceInitiatedShutdownBehavior", "stop", "terminate"), oneOf(in, "creditSpecification.cpuCredits", "standard", "unlimited"))
	for _, name := range words("ami instanceType") {
		if given(in, unknown, name, "launchTemplate") == 0 {
			p = append(p, awsProblem(name, "MissingParameter", "%s must be given unless a launchTemplate has it", name))
		}
	}
	p = append(p, address(in, "privateIp")...)
	if _, err := base64.StdEncoding.DecodeString(in.String("userDataBase64")); err != nil {
		p = append(p, problem("userDataBase64", "expected base64: %v", err))
	}
	if n := given(in, unknown, "userData", "userDataBase64"); n > 1 {
		p = append(p, problem("userData", "only one of userData and userDataBase64 may be given"))
	}
	if n := len(in.String("userData")); n > 16384 {
		p = append(p, awsProblem("userData", "InvalidParameterValue", "User data is limited to 16384 bytes, got %d", n))
	}
	const root = "rootBlockDevice"
	p = append(p, oneOf(in, root+".volumeType", words("standard gp2 gp3 io1 io2 sc1 st1")...)...)
	kind, size := orElse(in.String(root+".volumeType"), "gp3"), in.Int(root+".volumeSize")
	if in.Has(root+".volumeSize") && (size < 8 || size > 16384) {
		p = append(p, awsProblem(root+".volumeSize", "InvalidBlockDeviceMapping",
			"Volume of size %dGB is smaller than snapshot, expect size >= 8GB (and at most 16384)", size))
	}
	if in.Has(root+".kmsKeyId") && !in.Bool(root+".encrypted") && !unknown.Has(root+".encrypted") {
		p = append(p, awsProblem(root+".kmsKeyId", "InvalidParameterDependency",
			"The parameter KmsKeyId requires the parameter Encrypted to be set"))
	}
	if in.Has(root+".throughput") && kind != "gp3" {
		p = append(p, awsProblem(root+".throughput", "InvalidParameterCombination", "only gp3 takes a throughput, got %s", kind))
	}
	if in.Has(root+".iops") && !slices.Contains(words("gp3 io1 io2"), kind) {
		p = append(p, awsProblem(root+".iops", "InvalidParameterCombination", "only gp3, io1 and io2 take iops, got %s", kind))
	}
	if n := len(in.List("vpcSecurityGroupIds")); n > quotaGroupsPerENI {
		p = append(p, awsProblem("vpcSecurityGroupIds", "SecurityGroupsPerInterfaceLimitExceeded",
			"expected at most %d security groups, got %d", quotaGroupsPerENI, n))
	}
	return p
}

func metadataProblems(in Inputs) []Problem {
	return allOf(oneOf(in, "metadataOptions.httpTokens", "optional", "required"),
		oneOf(in, "metadataOptions.httpEndpoint", "enabled", "disabled"),
		between(in, "metadataOptions.httpPutResponseHopLimit", 1, 64), oneOf(in, "metadataOptions.instanceMetadataTags", "enabled", "disabled"))
}

func typeProblems(in Inputs) []Problem {
	kind := in.String("instanceType")
	if kind == "" {
		return nil
	}
	family, size, _ := strings.Cut(kind, ".")
	if !slices.Contains(instanceFamilies, family) || !slices.Contains(instanceSizes, size) {
		return []Problem{awsProblem("instanceType", "InvalidInstanceType",
			"The instance type '%s' does not exist, or the model does not know it%s", kind, suggest(family, instanceFamilies))}
	}
	return nil
}

func imageProblems(in Inputs, path string) []Problem {
	if id := in.String(path); id != "" && !amiForm.MatchString(id) && !strings.HasPrefix(id, "resolve:ssm:") {
		return []Problem{awsProblem(path, "InvalidAMIID.Malformed", "Invalid id: %q (expecting \"ami-...\")", id)}
	}
	return nil
}

// architectureOf is an image's CPU architecture; "" if the model does not know the image.
func architectureOf(a *Account, ami string) string {
	for _, arch := range []string{"x86_64", "arm64"} {
		for _, family := range []string{"al2023-ami-2023.6.20250115.0-kernel-6.1-" + arch, "al2023-ami-minimal-2023.6.20250115.0-kernel-6.1-" +
			arch, "amzn2-ami-hvm-2.0.20250116.0-" + arch + "-gp2"} {
			if ami == "ami-0"+draw(16, a.Region, family) {
				return arch
			}
		}
		for _, name := range words("al2023-ami-kernel-default al2023-ami-kernel-6.1 al2023-ami-minimal-kernel-default " +
			"al2023-ami-minimal-kernel-6.1") {
			if ami == "ami-0"+draw(16, a.Region, "/aws/service/ami-amazon-linux-latest/"+name+"-"+arch) {
				return arch
			}
		}
	}
	return ""
}

func checkInstanceState(a *Account, o *Object) error {
	in := Inputs(o.Inputs)
	family, _, _ := strings.Cut(in.String("instanceType"), ".")
	want := "x86_64"
	if slices.Contains(armFamilies, family) {
		want = "arm64"
	}
	if arch := architectureOf(a, in.String("ami")); family != "" && arch != "" && arch != want {
		return refuse("InvalidParameterValue", "",
			"The architecture '%s' of the specified instance type does not match the architecture '%s' of the specified AMI. Specify an instance "+
				"type and an AMI that have matching architectures, and try again.", want, arch)
	}
	if _, err := oneNetwork(a, []string{in.String("subnetId")}, in.Strings("vpcSecurityGroupIds")); err != nil {
		return refuse("InvalidParameter", err.Error(), "Security group and subnet belong to different networks.")
	}
	if profile := find(a, "id", in.String("iamInstanceProfile"), profileType); profile != nil {
		role := find(a, "id", Inputs(profile.Inputs).String("role"), roleType)
		if role == nil {
			return refuse("InvalidParameterValue", "it has no role",
				"Value (%s) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name", profile.ID)
		}
	}
	if key := keyNamed(a, in.String("rootBlockDevice.kmsKeyId")); key != nil && key.Outputs["isEnabled"] == false {
		return refuse("Client.InvalidKMSKey.InvalidState", "the key is disabled", "The KMS key provided is in an incorrect state")
	}
	return nil
}

func computeInstance(a *Account, o *Object) error {
	newID(a, o, "i-0")
	in := Inputs(o.Inputs)
	subnet := find(a, "id", in.String("subnetId"), subnetType)
	ip := in.String("privateIp")
	if ip == "" {
		ip = kept(a, o, "privateIp", func() any { return privateAddress(a, o, in.String("subnetId")) }).(string)
	}
	public := in.Bool("associatePublicIpAddress")
	zone := zonesOf(a)[0]
	if subnet != nil {
		zone = Inputs(subnet.Outputs).String("availabilityZone")
		public = public || !in.Has("associatePublicIpAddress") && Inputs(subnet.Outputs).Bool("mapPublicIpOnLaunch")
	}
	address, name := "", ""
	if public {
		address = publicAddress(o.ID)
		name = publicName(a, address)
	}
	for output, v := range map[string]any{
		"arn": a.arn("ec2", "instance/"+o.ID), "instanceState": "running", "primaryNetworkInterfaceId": "eni-0" + draw(16, o.ID, "eni"),
		"privateDns": privateName(a, ip),
		"publicIp":   address, "publicDns": name, "instanceLifecycle": "", "outpostArn": "", "passwordData": "", "spotInstanceRequestId": "",
	} {
		o.Outputs[output] = v
	}
	for path, v := range map[string]any{
		"privateIp": ip, "availabilityZone": zone, "associatePublicIpAddress": public, "ebsOptimized": false, "securityGroups": []any{},
		"vpcSecurityGroupIds": []any{},
		"secondaryPrivateIps": []any{}, "ipv6Addresses": []any{}, "ipv6AddressCount": 0, "keyName": "", "iamInstanceProfile": "", "hostId": "",
		"placementGroup": "", "placementPartitionNumber": 0, "userData": "", "userDataBase64": "",
		"metadataOptions.httpEndpoint": "enabled", "metadataOptions.httpTokens": "optional", "metadataOptions.httpPutResponseHopLimit": 1,
		"metadataOptions.httpProtocolIpv6": "disabled", "metadataOptions.instanceMetadataTags": "disabled",
		"rootBlockDevice.volumeId": "vol-0" + draw(16, o.ID, "root"), "rootBlockDevice.volumeType": "gp3", "rootBlockDevice.volumeSize": 8,
		"rootBlockDevice.deviceName":          "/dev/xvda",
		"rootBlockDevice.deleteOnTermination": true, "rootBlockDevice.encrypted": false, "rootBlockDevice.iops": 3000,
		"rootBlockDevice.throughput":      125,
		"maintenanceOptions.autoRecovery": "default", "capacityReservationSpecification.capacityReservationPreference": "open",
		"enclaveOptions.enabled": false,
	} {
		fill(o, path, v)
	}
	if text := in.String("userData"); text != "" { // the provider stores a digest
		sum := sha1.Sum([]byte(text))
		o.Outputs["userData"] = hex.EncodeToString(sum[:])
	}
	return nil
}

// privateName is the host name of a private address.
func privateName(a *Account, ip string) string {
	if a.Region == "us-east-1" {
		return "ip-" + strings.ReplaceAll(ip, ".", "-") + ".ec2.internal"
	}
	return "ip-" + strings.ReplaceAll(ip, ".", "-") + "." + a.Region + ".compute.internal"
}

// pairs are the digits of a hexadecimal string in pairs.
func pairs(hex string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for i := 0; i+1 < len(hex); i += 2 {
			if !yield(hex[i : i+2]) {
				return
			}
		}
	}
}

const openPolicy = `{"Statement":[{"Action":"*","Effect":"Allow","Principal":"*","Resource":"*"}],"Version":"2008-10-17"}`

func checkEndpoint(in Inputs, unknown Unknowns) []Problem {
	p := allOf(oneOf(in, "vpcEndpointType", "Gateway", "Interface", "GatewayLoadBalancer"), policyProblems(in, "policy", endpointDocument),
		oneOf(in, "ipAddressType", "ipv4", "dualstack", "ipv6"), tagProblems(in))
	gateway := orElse(in.String("vpcEndpointType"), "Gateway") == "Gateway" && !unknown.Has("vpcEndpointType")
	if gateway {
		for _, name := range words("subnetIds securityGroupIds") {
			if len(in.List(name)) > 0 {
				p = append(p, awsProblem(name, "InvalidParameter", "a gateway endpoint takes route tables, not %s", name))
			}
		}
		if in.Bool("privateDnsEnabled") {
			p = append(p, awsProblem("privateDnsEnabled", "InvalidParameter", "Private DNS can only be enabled for interface endpoints"))
		}
	} else if len(in.List("routeTableIds")) > 0 {
		p = append(p, awsProblem("routeTableIds", "InvalidParameter", "Route table IDs are only supported for Gateway type VPC Endpoint."))
	}
	return p
}

func checkEndpointState(a *Account, o *Object) error {
	in := Inputs(o.Inputs)
	name := in.String("serviceName")
	kind := orElse(in.String("vpcEndpointType"), "Gateway")
	service := regions[a.Region].endpointService(name)
	foreign := service == "" && (strings.HasPrefix(name, "com.amazonaws.vpce.") || strings.HasPrefix(name, "aws."))
	if known := slices.Contains(endpointServices, service); !foreign && (!known || regions[a.Region].endpointName(service, kind) != name) {
		why := "in " + a.Region + " the services of AWS are com.amazonaws." + a.Region + ".<service>" + suggest(service, endpointServices)
		if known {
			why = "in " + a.Region + " its name is " + regions[a.Region].endpointName(service, kind)
		}
		return refuse("InvalidServiceName", why, "The Vpc Endpoint Service '%s' does not exist", name)
	}
	if kind == "Gateway" && !slices.Contains(gatewayServices, service) {
		return refuse("InvalidParameter", "", "Endpoint type (Gateway) does not match available service types ([Interface]).")
	}
	vpc := find(a, "id", in.String("vpcId"), vpcType)
	if vpc == nil {
		return nil
	}
	if in.Bool("privateDnsEnabled") && (!Inputs(vpc.Outputs).Bool("enableDnsHostnames") || !Inputs(vpc.Outputs).Bool("enableDnsSupport")) {
		return refuse("InvalidParameter", "", "Enabling private DNS requires both enableDnsSupport and enableDnsHostnames VPC attributes set "+
			"to true for %s", vpc.ID)
	}
	for _, other := range others(a, o, endpointType) {
		oi := Inputs(other.Inputs)
		if oi.String("vpcId") != vpc.ID || oi.String("serviceName") != name {
			continue
		}
		if in.Bool("privateDnsEnabled") && oi.Bool("privateDnsEnabled") {
			return refuse("InvalidParameter", other.ID+" has it",
				"private-dns-enabled cannot be set because there is already a conflicting DNS domain for %s.%s.amazonaws.com in the VPC %s",
				service, a.Region, vpc.ID)
		}
		for _, table := range in.Strings("routeTableIds") {
			if slices.Contains(oi.Strings("routeTableIds"), table) {
				return refuse("RouteAlreadyExists", other.ID+" made it", "route table %s already has a route with the prefix list of %s", table, name)
			}
		}
	}
	zones := map[string]string{}
	for _, id := range in.Strings("subnetIds") {
		s := find(a, "id", id, subnetType)
		if s == nil {
			continue
		}
		zone := Inputs(s.Outputs).String("availabilityZone")
		if first := zones[zone]; first != "" {
			return refuse("DuplicateSubnetsInSameZone", first+" and "+id+" are in it",
				"Found another VPC endpoint subnet in the availability zone of %s. VPC endpoint subnets should be in different availability zones "+
					"supported by the VPC endpoint service.", id)
		}
		zones[zone] = id
	}
	network, err := oneNetwork(a, in.Strings("subnetIds"), in.Strings("securityGroupIds"))
	if err != nil || network != "" && network != vpc.ID {
		return refuse("InvalidParameter", "", "The subnets and security groups of the endpoint must be in %s", vpc.ID)
	}
	return nil
}

func computeEndpoint(a *Account, o *Object) error {
	newID(a, o, "vpce-0")
	in := Inputs(o.Outputs)
	service := in.String("serviceName")
	o.Outputs["arn"] = a.arn("ec2", "vpc-endpoint/"+o.ID)
	o.Outputs["ownerId"] = a.AccountID
	o.Outputs["state"] = "available"
	o.Outputs["requesterManaged"] = false
	o.Outputs["cidrBlocks"] = []any{}
	o.Outputs["dnsEntries"] = []any{}
	o.Outputs["networkInterfaceIds"] = []any{}
	o.Outputs["prefixListId"] = ""
	fill(o, "policy", openPolicy)
	fill(o, "serviceRegion", a.Region)
	for _, list := range words("routeTableIds subnetIds securityGroupIds") {
		fill(o, list, []any{})
	}
	if in.String("vpcEndpointType") == "Gateway" {
		o.Outputs["prefixListId"] = "pl-" + draw(8, a.Region, service)
		fill(o, "privateDnsEnabled", false)
		return nil
	}
	fill(o, "ipAddressType", "ipv4")
	fill(o, "privateDnsEnabled", false)
	var enis, addresses []any
	for _, subnet := range in.Strings("subnetIds") {
		enis = append(enis, "eni-0"+draw(16, o.ID, subnet))
		addresses = append(addresses, map[string]any{"subnetId": subnet, "ipv4": privateAddress(a, o, subnet)})
	}
	fill(o, "subnetConfigurations", addresses)
	o.Outputs["networkInterfaceIds"] = enis
	short := orElse(regions[a.Region].endpointService(service), service)
	entries := []any{map[string]any{"dnsName": o.ID + "-" + draw(8, o.ID, "dns") + "." + short + "." + a.Region + ".vpce.amazonaws.com",
		"hostedZoneId": "Z" + drawLetters(13, a.Region, "vpce")}}
	if in.Bool("privateDnsEnabled") {
		entries = append(entries, map[string]any{"dnsName": short + "." + a.Region + ".amazonaws.com",
			"hostedZoneId": "Z" + drawLetters(20, o.ID)})
	}
	o.Outputs["dnsEntries"] = entries
	return nil
}
