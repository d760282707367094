package cloud

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Security groups and their rules in all three forms (inline, SecurityGroupRule, and the vpc rules), network ACLs and flow logs.

var groupDescription = regexp.MustCompile(`^[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]*$`)

// firewallKinds are the resource types of a VPC's firewall: security groups and network ACLs.
func firewallKinds() []Kind {
	return []Kind{
		securityGroupKind(), defaultSecurityGroupKind(), securityGroupRuleKind(), oneRuleKind(ingressType, "Ingress"),
		oneRuleKind(egressType, "Egress"), networkAclKind(), defaultNetworkAclKind(), networkAclRuleKind(),
		networkAclAssociationKind(), flowLogKind(),
	}
}

func securityGroupKind() Kind {
	return prefixed(Kind{
		Type: groupType, CreateAction: "ec2:CreateSecurityGroup", UpdateAction: "ec2:AuthorizeSecurityGroupIngress",
		DeleteAction: "ec2:DeleteSecurityGroup",
		Name:         Name{Input: "name", Prefix: "namePrefix", Max: 255, Taken: "InvalidGroup.Duplicate", Scope: "vpcId"},
		NotFound:     "InvalidGroup.NotFound", InUse: "DependencyViolation",
		Refs: append(inlineGroupRefs, held("vpcId", "id", vpcType)),
		Defaults: map[string]any{"description": "Managed by Pulumi", "ingress": []any{}, "egress": []any{},
			"revokeRulesOnDelete": false, "namePrefix": ""},
		Check: func(in Inputs, unknown Unknowns) []Problem {
			p := allOf(inlineRuleProblems(in, unknown, "ingress"), inlineRuleProblems(in, unknown, "egress"),
				longest(in, "description", 255), tagProblems(in))
			name := in.String("name")
			if strings.HasPrefix(name, "sg-") {
				p = append(p, awsProblem("name", "InvalidParameterValue", "group names may not begin with sg-"))
			}
			if name == "default" {
				p = append(p, awsProblem("name", "InvalidParameterValue", "the name default is reserved"))
			}
			if d := in.String("description"); in.Has("description") && (d == "" || !groupDescription.MatchString(d)) {
				p = append(p, awsProblem("description", "InvalidParameterValue",
					"a description takes letters, digits, spaces and ._-:/()#,@[]+=&;{}!$*, and at least one"))
			}
			return p
		},
		CheckState: func(a *Account, o *Object) error {
			vpc := Inputs(o.Inputs).String("vpcId")
			if err := (limit{most: quotaGroupsPerVPC, code: "SecurityGroupLimitExceeded",
				message: "The maximum number of security groups has been reached.", among: sameVPC(vpc)}).check(a, o); err != nil {
				return err
			}
			return groupRulesFit(a, o, o.ID, vpc)
		},
		Compute: func(a *Account, o *Object) error {
			newID(a, o, "sg-0")
			o.Outputs["arn"] = a.arn("ec2", "security-group/"+o.ID)
			o.Outputs["ownerId"] = a.AccountID
			return nil
		},
	})
}

func defaultSecurityGroupKind() Kind {
	return Kind{
		Type: defaultGroupType, CreateAction: "ec2:RevokeSecurityGroupIngress", UpdateAction: "ec2:AuthorizeSecurityGroupIngress",
		DeleteAction: "ec2:DescribeSecurityGroups",
		NotFound:     "InvalidGroup.NotFound",
		Refs:         append(inlineGroupRefs, soft("vpcId", "id", vpcType)),
		Defaults: map[string]any{"ingress": []any{}, "egress": []any{}, "revokeRulesOnDelete": false, "name": "default", "namePrefix": "",
			"description": "default VPC security group"},
		Check: func(in Inputs, unknown Unknowns) []Problem {
			return allOf(inlineRuleProblems(in, unknown, "ingress"), inlineRuleProblems(in, unknown, "egress"), tagProblems(in))
		},
		Compute: func(a *Account, o *Object) error {
			if vpc := find(a, "id", Inputs(o.Inputs).String("vpcId"), vpcType); vpc != nil {
				o.ID = Inputs(vpc.Outputs).String("defaultSecurityGroupId")
			}
			o.Outputs["arn"] = a.arn("ec2", "security-group/"+o.ID)
			o.Outputs["ownerId"] = a.AccountID
			return nil
		},
	}
}

func securityGroupRuleKind() Kind {
	return Kind{
		Type: groupRuleType, CreateAction: "ec2:AuthorizeSecurityGroupIngress", UpdateAction: "ec2:UpdateSecurityGroupRuleDescriptionsIngress",
		DeleteAction: "ec2:RevokeSecurityGroupIngress",
		NotFound:     "InvalidPermission.NotFound",
		Refs:         []Ref{soft("securityGroupId", "id", anyGroup...), held("sourceSecurityGroupId", "id", anyGroup...)},
		Defaults:     map[string]any{"self": false},
		Check: func(in Inputs, unknown Unknowns) []Problem {
			p := allOf(oneOf(in, "type", "ingress", "egress"), portProblems(in, "protocol", ""), longest(in, "description", 255))
			if given(in, unknown, "cidrBlocks", "ipv6CidrBlocks", "prefixListIds", "sourceSecurityGroupId") == 0 &&
				!in.Bool("self") && !unknown.Has("self") {
				p = append(p, problem("cidrBlocks", "one of cidrBlocks, ipv6CidrBlocks, prefixListIds, self and sourceSecurityGroupId must be given"))
			}
			return append(p, blocksProblems(in, "")...)
		},
		CheckState: func(a *Account, o *Object) error {
			in := Inputs(o.Inputs)
			g := find(a, "id", in.String("securityGroupId"), anyGroup...)
			if g == nil {
				return nil
			}
			return groupRulesFit(a, o, g.ID, Inputs(g.Outputs).String("vpcId"))
		},
		Compute: func(a *Account, o *Object) error {
			in := Inputs(o.Inputs)
			if o.ID == "" {
				o.ID = fmt.Sprintf("sgrule-%d", crc(in.String("securityGroupId")+fmt.Sprint(ruleKeys(o))))
			}
			o.Outputs["securityGroupRuleId"] = "sgr-0" + draw(16, o.ID)
			fill(o, "sourceSecurityGroupId", "")
			return nil
		},
	}
}

// oneRuleKind is a rule as a separate resource; direction is "Ingress" or "Egress".
func oneRuleKind(token, direction string) Kind {
	return Kind{
		Type: token, CreateAction: "ec2:AuthorizeSecurityGroup" + direction, UpdateAction: "ec2:ModifySecurityGroupRules",
		DeleteAction: "ec2:RevokeSecurityGroup" + direction,
		NotFound:     "InvalidSecurityGroupRuleId.NotFound",
		Replaces:     func(Inputs) []string { return []string{"securityGroupId"} },
		Refs:         []Ref{soft("securityGroupId", "id", anyGroup...), held("referencedSecurityGroupId", "id", anyGroup...)},
		Check: func(in Inputs, unknown Unknowns) []Problem {
			p := allOf(portProblems(in, "ipProtocol", ""), longest(in, "description", 255), tagProblems(in),
				cidrProblems(in, "cidrIpv4", 0, 32, "InvalidParameterValue"))
			sources := words("cidrIpv4 cidrIpv6 prefixListId referencedSecurityGroupId")
			if n := given(in, unknown, sources...); n != 1 {
				p = append(p, problem("cidrIpv4", "exactly one of %s must be given, got %d", alternatives(sources), n))
			}
			if d := in.String("description"); !groupDescription.MatchString(d) {
				p = append(p, awsProblem("description", "InvalidParameterValue",
					"a description takes letters, digits, spaces and ._-:/()#,@[]+=&;{}!$*"))
			}
			if proto := in.String("ipProtocol"); proto == "-1" {
				if in.Has("fromPort") && in.Int("fromPort") != -1 || in.Has("toPort") && in.Int("toPort") != -1 {
					p = append(p, problem("fromPort", "protocol -1 covers all protocols and ports: do not set ports"))
				}
			} else if tcpOrUDP(proto) && (!in.Has("fromPort") && !unknown.Has("fromPort") || !in.Has("toPort") && !unknown.Has("toPort")) {
				p = append(p, awsProblem("fromPort", "InvalidParameterValue", "protocol %s needs fromPort and toPort", proto))
			}
			return p
		},
		CheckState: func(a *Account, o *Object) error {
			g := find(a, "id", Inputs(o.Inputs).String("securityGroupId"), anyGroup...)
			if g == nil {
				return nil
			}
			return groupRulesFit(a, o, g.ID, Inputs(g.Outputs).String("vpcId"))
		},
		Compute: func(a *Account, o *Object) error {
			newID(a, o, "sgr-0")
			o.Outputs["securityGroupRuleId"] = o.ID
			o.Outputs["arn"] = a.arn("ec2", "security-group-rule/"+o.ID)
			return nil
		},
	}
}

func networkAclKind() Kind {
	return Kind{
		Type: aclType, CreateAction: "ec2:CreateNetworkAcl", UpdateAction: "ec2:ReplaceNetworkAclEntry", DeleteAction: "ec2:DeleteNetworkAcl",
		NotFound: "InvalidNetworkAclID.NotFound", InUse: "DependencyViolation",
		Refs:     []Ref{held("vpcId", "id", vpcType), soft("subnetIds[]", "id", subnetType)},
		Defaults: map[string]any{"ingress": []any{}, "egress": []any{}, "subnetIds": []any{}},
		Check: func(in Inputs, unknown Unknowns) []Problem {
			return allOf(aclProblems(in, "ingress"), aclProblems(in, "egress"), tagProblems(in))
		},
		Compute: func(a *Account, o *Object) error {
			newID(a, o, "acl-0")
			o.Outputs["arn"] = a.arn("ec2", "network-acl/"+o.ID)
			o.Outputs["ownerId"] = a.AccountID
			return nil
		},
	}
}

func defaultNetworkAclKind() Kind {
	return Kind{
		Type: defaultAclType, CreateAction: "ec2:ReplaceNetworkAclEntry", UpdateAction: "ec2:ReplaceNetworkAclEntry",
		DeleteAction: "ec2:DescribeNetworkAcls",
		NotFound:     "InvalidNetworkAclID.NotFound",
		Refs:         []Ref{soft("defaultNetworkAclId", "defaultNetworkAclId", vpcType), soft("subnetIds[]", "id", subnetType)},
		Defaults:     map[string]any{"ingress": []any{}, "egress": []any{}},
		Check: func(in Inputs, unknown Unknowns) []Problem {
			return allOf(aclProblems(in, "ingress"), aclProblems(in, "egress"), tagProblems(in))
		},
		Compute: func(a *Account, o *Object) error {
			o.ID = Inputs(o.Inputs).String("defaultNetworkAclId")
			if vpc := find(a, "defaultNetworkAclId", o.ID, vpcType); vpc != nil {
				o.Outputs["vpcId"] = vpc.ID
			}
			o.Outputs["arn"] = a.arn("ec2", "network-acl/"+o.ID)
			o.Outputs["ownerId"] = a.AccountID
			return nil
		},
	}
}

func networkAclRuleKind() Kind {
	return Kind{
		Type: "aws:ec2/networkAclRule:NetworkAclRule", CreateAction: "ec2:CreateNetworkAclEntry", DeleteAction: "ec2:DeleteNetworkAclEntry",
		NotFound: "InvalidNetworkAclEntry.NotFound",
		Refs:     []Ref{soft("networkAclId", "id", aclType, defaultAclType)},
		Defaults: map[string]any{"egress": false},
		Check: func(in Inputs, unknown Unknowns) []Problem {
			return allOf(between(in, "ruleNumber", 1, 32766), oneOf(in, "ruleAction", "allow", "deny"), cidrProblems(in, "cidrBlock", 0, 32,
				"InvalidParameterValue"))
		},
		CheckState: func(a *Account, o *Object) error {
			in := Inputs(o.Inputs)
			for _, other := range others(a, o, o.Type) {
				oi := Inputs(other.Inputs)
				if oi.String("networkAclId") == in.String("networkAclId") && oi.Int("ruleNumber") == in.Int("ruleNumber") &&
					oi.Bool("egress") == in.Bool("egress") {
					return refuse("NetworkAclEntryAlreadyExists", "created by "+other.URN,
						"The network acl entry identified by %d already exists.", in.Int("ruleNumber"))
				}
			}
			return nil
		},
		Compute: func(a *Account, o *Object) error {
			in := Inputs(o.Inputs)
			o.ID = fmt.Sprintf("nacl-%d", crc(fmt.Sprint(in.String("networkAclId"), in.Int("ruleNumber"), in.Bool("egress"), in.String("protocol"))))
			return nil
		},
	}
}

func networkAclAssociationKind() Kind {
	return Kind{
		Type: "aws:ec2/networkAclAssociation:NetworkAclAssociation", CreateAction: "ec2:ReplaceNetworkAclAssociation",
		DeleteAction: "ec2:ReplaceNetworkAclAssociation",
		NotFound:     "InvalidAssociationID.NotFound",
		Refs:         []Ref{held("networkAclId", "id", aclType, defaultAclType), soft("subnetId", "id", subnetType)},
		Compute:      func(a *Account, o *Object) error { newID(a, o, "aclassoc-0"); return nil },
	}
}

func flowLogKind() Kind {
	return Kind{
		Type: "aws:ec2/flowLog:FlowLog", CreateAction: "ec2:CreateFlowLogs", DeleteAction: "ec2:DeleteFlowLogs",
		NotFound: "InvalidFlowLogId.NotFound",
		Refs: []Ref{soft("vpcId", "id", vpcType), soft("subnetId", "id", subnetType), soft("eniId", "id", interfaceType), roleRef("iamRoleArn"),
			maybe("logDestination", "arn", logGroupType, bucketType, firehoseType)},
		Defaults: map[string]any{"logDestinationType": "cloud-watch-logs", "maxAggregationInterval": 600,
			"logFormat": "${version} ${account-id} ${interface-id} ${srcaddr} ${dstaddr} ${srcport} ${dstport} ${protocol} ${packets} ${bytes} " +
				"${start} ${end} ${action} ${log-status}"},
		Check:      flowLogProblems,
		CheckState: checkFlowLogState,
		Compute: func(a *Account, o *Object) error {
			newID(a, o, "fl-0")
			o.Outputs["arn"] = a.arn("ec2", "vpc-flow-log/"+o.ID)
			fill(o, "logDestination", "")
			fill(o, "logGroupName", "")
			return nil
		},
	}
}

var inlineGroupRefs = []Ref{held("ingress[].securityGroups[]", "id", anyGroup...), held("egress[].securityGroups[]", "id", anyGroup...)}

func tcpOrUDP(protocol string) bool {
	return slices.Contains(words("tcp udp 6 17"), strings.ToLower(protocol))
}

// portProblems checks a protocol and its ports; prefix is the path of the rule, with a dot.
func portProblems(in Inputs, protocol, prefix string) []Problem {
	var p []Problem
	proto := strings.ToLower(in.String(protocol))
	if n, err := strconv.Atoi(proto); proto != "" && !slices.Contains(words("tcp udp icmp icmpv6 all"), proto) &&
		(err != nil || n < -1 || n > 255) {
		p = append(p, awsProblem(prefix+protocol, "InvalidParameterValue",
			"expected tcp, udp, icmp, icmpv6, -1 or a protocol number, got %q", proto))
	}
	if !tcpOrUDP(proto) || !in.Has("fromPort") || !in.Has("toPort") {
		return p
	}
	from, to := in.Int("fromPort"), in.Int("toPort")
	for _, end := range []string{"fromPort", "toPort"} {
		if n := in.Int(end); n < 0 || n > 65535 {
			p = append(p, awsProblem(prefix+end, "InvalidParameterValue", "expected a port from 0 to 65535, got %d", n))
		}
	}
	if from > to {
		p = append(p, awsProblem(prefix+"fromPort", "InvalidParameterValue", "the range of ports ends before it begins: %d to %d", from, to))
	}
	return p
}

// blocksProblems checks the lists of ranges in a rule.
func blocksProblems(in Inputs, prefix string) []Problem {
	var p []Problem
	for _, list := range []string{"cidrBlocks", "ipv6CidrBlocks"} {
		in.Each(list+"[]", func(path string, v any) {
			text, _ := v.(string)
			c, err := netip.ParsePrefix(text)
			switch {
			case err != nil || c.Addr().Is4() != (list == "cidrBlocks"):
				p = append(p, awsProblem(prefix+path, "InvalidParameterValue", "%q is not a valid CIDR block", text))
			case c != c.Masked():
				p = append(p, problem(prefix+path, "%q is not a valid CIDR block; did you mean %q?", text, c.Masked()))
			}
		})
	}
	return p
}

func inlineRuleProblems(in Inputs, unknown Unknowns, list string) []Problem {
	var p []Problem
	if unknown.Within(list) {
		return nil
	}
	for i, r := range in.Maps(list) {
		path := at(list, i) + "."
		p = append(p, portProblems(r, "protocol", path)...)
		p = append(p, blocksProblems(r, path)...)
		if given(r, nil, "cidrBlocks", "ipv6CidrBlocks", "prefixListIds", "securityGroups") == 0 && !r.Bool("self") {
			p = append(p, awsProblem(path+"cidrBlocks", "InvalidParameterValue", "the rule needs an address range or a security group"))
		}
	}
	return p
}

// ruleKeys are the rules of an object, one string per direction, protocol, port range and peer. A group can have each only once.
func ruleKeys(o *Object) []string {
	in := Inputs(o.Inputs)
	switch o.Type {
	case ingressType, egressType:
		direction := "ingress"
		if o.Type == egressType {
			direction = "egress"
		}
		from, to := in.Int("fromPort"), in.Int("toPort")
		return []string{ruleKey(direction, in.String("ipProtocol"), from, to,
			in.String("cidrIpv4")+in.String("cidrIpv6")+in.String("prefixListId")+in.String("referencedSecurityGroupId"))}
	case groupRuleType:
		return peersOf(in.String("type"), in, in.String("securityGroupId"))
	}
	var all []string
	for _, direction := range []string{"ingress", "egress"} {
		for _, r := range in.Maps(direction) {
			all = append(all, peersOf(direction, r, o.ID)...)
		}
	}
	return all
}

func peersOf(direction string, r Inputs, group string) []string {
	peers := slices.Concat(r.Strings("cidrBlocks"), r.Strings("ipv6CidrBlocks"), r.Strings("prefixListIds"), r.Strings("securityGroups"))
	if s := r.String("sourceSecurityGroupId"); s != "" {
		peers = append(peers, s)
	}
	if r.Bool("self") {
		peers = append(peers, group)
	}
	var all []string
	for _, peer := range peers {
		all = append(all, ruleKey(direction, r.String("protocol"), r.Int("fromPort"), r.Int("toPort"), peer))
	}
	return all
}

var protocolNumbers = map[string]string{"6": "tcp", "17": "udp", "1": "icmp", "58": "icmpv6", "all": "-1"}

func ruleKey(direction, protocol string, from, to int, peer string) string {
	protocol = strings.ToLower(protocol)
	if name := protocolNumbers[protocol]; name != "" {
		protocol = name
	}
	if protocol == "-1" {
		return fmt.Sprintf("%s peer: %s, ALL, ALLOW", direction, peer)
	}
	return fmt.Sprintf("%s peer: %s, %s, from port: %d, to port: %d, ALLOW", direction, peer, strings.ToUpper(protocol), from, to)
}

// groupRulesFit refuses rules that the group already has, peers in another VPC, and more rules than the quota. group is "" if it
// does not exist yet.
func groupRulesFit(a *Account, o *Object, group, vpc string) error {
	mine := ruleKeys(o)
	have := map[string]string{}
	for _, t := range []string{groupType, defaultGroupType, groupRuleType, ingressType, egressType} {
		for _, other := range others(a, o, t) {
			if other.ID == group || group != "" && other.Inputs["securityGroupId"] == group {
				for _, k := range ruleKeys(other) {
					have[k] = other.URN
				}
			}
		}
	}
	count := map[string]int{}
	for k := range have {
		direction, _, _ := strings.Cut(k, " ")
		count[direction]++
	}
	for _, k := range mine {
		direction, rule, _ := strings.Cut(k, " ")
		if by, taken := have[k]; taken {
			return refuse("InvalidPermission.Duplicate", "created by "+by, "the specified rule %q already exists", rule)
		}
		have[k] = o.URN
		if count[direction]++; count[direction] > quotaGroupRules {
			return refuse("RulesPerSecurityGroupLimitExceeded", fmt.Sprintf("a group takes %d %s rules", quotaGroupRules, direction),
				"The maximum number of rules per security group has been reached.")
		}
	}
	for _, k := range mine {
		_, peer, _ := strings.Cut(k, "peer: ")
		peer, _, _ = strings.Cut(peer, ",")
		if g := find(a, "id", peer, anyGroup...); g != nil && vpc != "" && g.Outputs["vpcId"] != vpc {
			return refuse("InvalidGroup.NotFound", g.ID+" is in another VPC", "You have specified two resources that belong to different networks.")
		}
	}
	return nil
}

func aclProblems(in Inputs, list string) []Problem {
	var p []Problem
	seen := map[int]bool{}
	for i, r := range in.Maps(list) {
		path := at(list, i) + "."
		for _, x := range allOf(between(r, "ruleNo", 1, 32766), oneOf(r, "action", "allow", "deny"), cidrProblems(r, "cidrBlock", 0, 32,
			"InvalidParameterValue")) {
			x.Path = path + x.Path
			p = append(p, x)
		}
		if n := r.Int("ruleNo"); seen[n] {
			p = append(p, awsProblem(path+"ruleNo", "NetworkAclEntryAlreadyExists", "there is already a rule %d", n))
		}
		seen[r.Int("ruleNo")] = true
	}
	return p
}

func flowLogProblems(in Inputs, unknown Unknowns) []Problem {
	p := allOf(oneOf(in, "trafficType", "ACCEPT", "REJECT", "ALL"), oneOf(in, "maxAggregationInterval", "60", "600"),
		oneOf(in, "logDestinationType", "cloud-watch-logs", "s3", "kinesis-data-firehose"), arns(in, "logDestination"), tagProblems(in))
	subjects := words("vpcId subnetId eniId transitGatewayId transitGatewayAttachmentId")
	if n := given(in, unknown, subjects...); n != 1 {
		p = append(p, problem("vpcId", "exactly one of %s must be given, got %d", alternatives(subjects), n))
	}
	toLogs := in.String("logDestinationType") == "" && !unknown.Has("logDestinationType") ||
		in.String("logDestinationType") == "cloud-watch-logs"
	if toLogs && !in.Has("iamRoleArn") && !unknown.Has("iamRoleArn") {
		p = append(p, awsProblem("iamRoleArn", "InvalidParameter",
			"DeliverLogsPermissionArn can't be empty if LogDestinationType is cloud-watch-logs"))
	}
	if in.String("logDestinationType") == "s3" && given(in, unknown, "iamRoleArn") > 0 {
		p = append(p, awsProblem("iamRoleArn", "InvalidParameter",
			"DeliverLogsPermissionArn is not applicable for s3 delivery: the bucket's policy admits the delivery service"))
	}
	if given(in, unknown, "logDestination", "logGroupName") == 0 {
		p = append(p, awsProblem("logDestination", "InvalidParameter", "a flow log needs a destination"))
	}
	if !in.Has("trafficType") && !unknown.Has("trafficType") && given(in, unknown, subjects[:3]...) > 0 {
		p = append(p, awsProblem("trafficType", "MissingParameter", "expected ACCEPT, REJECT or ALL"))
	}
	return p
}

func checkFlowLogState(a *Account, o *Object) error {
	in := Inputs(o.Inputs)
	for _, other := range others(a, o, o.Type) {
		oi := Inputs(other.Inputs)
		if oi.String("logDestination") == in.String("logDestination") && oi.String("trafficType") == in.String("trafficType") &&
			oi.String("vpcId")+oi.String("subnetId")+oi.String("eniId") == in.String("vpcId")+in.String("subnetId")+in.String("eniId") {
			return refuse("FlowLogAlreadyExists", "created by "+other.URN,
				"There is an existing Flow Log with the same configuration and log destination.")
		}
	}
	return nil
}
