package cloud

import (
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"slipway/rehearsal/reach"
)

// The account's networks as the package reach sees them. They are built once for each change of a network.

const (
	tableLinkType     = "aws:ec2/routeTableAssociation:RouteTableAssociation"
	mainLinkType      = "aws:ec2/mainRouteTableAssociation:MainRouteTableAssociation"
	aclRuleType       = "aws:ec2/networkAclRule:NetworkAclRule"
	aclLinkType       = "aws:ec2/networkAclAssociation:NetworkAclAssociation"
	endpointTableType = "aws:ec2/vpcEndpointRouteTableAssociation:VpcEndpointRouteTableAssociation"
	endpointPlaceType = "aws:ec2/vpcEndpointSubnetAssociation:VpcEndpointSubnetAssociation"
	cacheType         = "aws:elasticache/replicationGroup:ReplicationGroup"
)

// networkTypes are the types that decide about paths.
var networkTypes = func() map[string]bool {
	all := map[string]bool{}
	for _, t := range []string{vpcType, secondaryCIDRType, subnetType, gatewayType, natType, routeTableType, mainTableType, routeType,
		tableLinkType, mainLinkType, groupType, defaultGroupType, groupRuleType, ingressType, egressType, endpointType, endpointTableType,
		endpointPlaceType, aclType, defaultAclType, aclRuleType, aclLinkType, databaseType, databaseSubnetType, cacheType, cacheSubnetType,
		balancerType, listenerType, zoneType, recordType} {
		all[t] = true
	}
	return all
}()

// paths judges the connections that resources need.
type paths struct {
	a       *Account
	change  int // counts changes of networks
	network atomic.Pointer[networks]
}

// networks are the account's networks as of a change.
type networks struct {
	*reach.Network
	change int

	mu   sync.Mutex
	open map[string]bool // questions whose answer was yes
}

func (p *paths) changed(o *Object) {
	if networkTypes[o.Type] {
		p.change++
	}
}

// networks returns the account's networks.
func (p *paths) networks() *networks {
	if known := p.network.Load(); known != nil && known.change == p.change {
		return known
	}
	n := &networks{Network: reach.New(), change: p.change, open: map[string]bool{}}
	b := netBuilder{p.a, n.Network}
	b.vpcs()
	b.tables()
	b.firewall()
	b.endpoints()
	b.acls()
	b.nodes()
	b.zones()
	p.network.Store(n)
	return n
}

type netBuilder struct {
	a *Account
	n *reach.Network
}

// label is how the program calls an object.
func label(o *Object) string {
	if name := o.logical(); name != "" {
		return name
	}
	return o.ID
}

func (b netBuilder) vpcs() {
	for _, o := range b.a.list(vpcType) {
		out := Inputs(o.Outputs)
		b.n.VPCs[o.ID] = &reach.VPC{ID: o.ID, Label: label(o), CIDRs: vpcBlocks(b.a, o), MainTable: out.String("mainRouteTableId"),
			DefaultACL: out.String("defaultNetworkAclId"), DNS: out.Bool("enableDnsSupport"), DNSNames: out.Bool("enableDnsHostnames")}
	}
	for _, o := range b.a.list(mainLinkType) {
		if vpc := b.n.VPCs[Inputs(o.Inputs).String("vpcId")]; vpc != nil {
			vpc.MainTable = Inputs(o.Inputs).String("routeTableId")
		}
	}
	for _, o := range b.a.list(subnetType) {
		out := Inputs(o.Outputs)
		cidr, err := netip.ParsePrefix(out.String("cidrBlock"))
		if err != nil {
			continue // IPv6 only
		}
		b.n.Subnets[o.ID] = &reach.Subnet{ID: o.ID, Label: label(o), VPC: out.String("vpcId"), Zone: out.String("availabilityZone"), CIDR: cidr}
	}
	for _, o := range b.a.list(gatewayType) {
		b.n.Gateways[o.ID] = &reach.Gateway{ID: o.ID, Label: label(o), VPC: Inputs(o.Outputs).String("vpcId")}
	}
	for _, o := range b.a.list(natType) {
		out := Inputs(o.Outputs)
		address, _ := netip.ParseAddr(out.String("privateIp"))
		b.n.NATs[o.ID] = &reach.NAT{ID: o.ID, Label: label(o), Subnet: out.String("subnetId"), Address: b.within(address, out.String("subnetId")),
			Public: out.String("connectivityType") != "private" && out.String("allocationId") != ""}
	}
}

// within is the address if it is one of the subnet, so that a gateway that was moved has any address of its new one.
func (b netBuilder) within(address netip.Addr, subnet string) netip.Addr {
	if s := b.n.Subnets[subnet]; s != nil && s.CIDR.Contains(address) {
		return address
	}
	return netip.Addr{}
}

func (b netBuilder) tables() {
	for _, o := range b.a.list(routeTableType, mainTableType) {
		t := &reach.Table{ID: o.ID, Label: label(o), VPC: Inputs(o.Outputs).String("vpcId")}
		b.n.Tables[o.ID] = t
		for _, r := range Inputs(o.Outputs).Maps("routes") {
			b.route(t, o, r)
		}
	}
	for _, o := range b.a.list(routeType) {
		if t := b.n.Tables[Inputs(o.Outputs).String("routeTableId")]; t != nil {
			b.route(t, o, o.Outputs)
		}
	}
	for _, o := range b.a.list(tableLinkType) {
		if s := b.n.Subnets[Inputs(o.Inputs).String("subnetId")]; s != nil {
			s.Table = Inputs(o.Outputs).String("routeTableId")
		}
	}
	for _, service := range gatewayServices {
		id := "pl-" + draw(8, b.a.Region, "com.amazonaws."+b.a.Region+"."+service)
		b.n.Lists[id] = &reach.PrefixList{ID: id, Label: service, Service: service, CIDRs: gatewayRanges(b.a.Region, service)}
	}
}

// gatewayRanges stand for the ranges of a service's prefix list. Those of S3 in us-east-1 are from https://ip-ranges.amazonaws.com; of
// other regions the model knows one that represents all.
func gatewayRanges(region, service string) []netip.Prefix {
	switch {
	case service == "dynamodb":
		return []netip.Prefix{netip.MustParsePrefix("3.218.180.0/22")}
	case region == "us-east-1":
		return []netip.Prefix{netip.MustParsePrefix("52.216.0.0/15"), netip.MustParsePrefix("3.5.0.0/19")}
	}
	return []netip.Prefix{netip.MustParsePrefix("3.5.128.0/22")}
}

// routeKinds are the inputs with a target that the model follows. The others lead beyond it.
var routeKinds = map[string]reach.Target{"gatewayId": reach.ToGateway, "natGatewayId": reach.ToNAT, "vpcEndpointId": reach.ToBeyond,
	"vpcPeeringConnectionId": reach.ToPeering}

func (b netBuilder) route(t *reach.Table, o *Object, in Inputs) {
	r := reach.Route{Label: label(o), List: in.String("destinationPrefixListId")}
	if to := orElse(in.String("destinationCidrBlock"), in.String("cidrBlock")); to != "" {
		r.CIDR, _ = netip.ParsePrefix(to)
	}
	if r.List == "" && (!r.CIDR.IsValid() || !r.CIDR.Addr().Is4()) {
		return // IPv6
	}
	for _, name := range routeTargets {
		target := in.String(name)
		if target == "" {
			continue
		}
		kind, known := routeKinds[name]
		if !known {
			kind = reach.ToBeyond
		}
		switch {
		case target == "local":
			kind = reach.ToLocal
		case strings.HasPrefix(target, "vgw-"):
			kind = reach.ToBeyond
		}
		r.To, r.Target = kind, target
	}
	t.Routes = append(t.Routes, r)
}

func (b netBuilder) firewall() {
	for _, o := range b.a.list(groupType, defaultGroupType) {
		out := Inputs(o.Outputs)
		g := &reach.Group{ID: o.ID, Label: label(o), VPC: out.String("vpcId")}
		b.n.Groups[o.ID] = g
		for _, r := range out.Maps("ingress") {
			g.In = append(g.In, b.rules(o, r, "protocol")...)
		}
		for _, r := range out.Maps("egress") {
			g.Out = append(g.Out, b.rules(o, r, "protocol")...)
		}
	}
	for _, o := range b.a.list(groupRuleType, ingressType, egressType) {
		out := Inputs(o.Outputs)
		g := b.n.Groups[out.String("securityGroupId")]
		if g == nil {
			continue
		}
		protocol := "ipProtocol"
		if o.Type == groupRuleType {
			protocol = "protocol"
		}
		rules := b.rules(o, out, protocol)
		if o.Type == ingressType || out.String("type") == "ingress" {
			g.In = append(g.In, rules...)
		} else {
			g.Out = append(g.Out, rules...)
		}
	}
}

// rules are the rules that one object, or one entry of a group, stands for. IPv6 ranges are left out.
func (b netBuilder) rules(o *Object, in Inputs, protocol string) []reach.Rule {
	base := reach.Rule{Label: label(o), Protocol: in.String(protocol), Ports: ports(in)}
	var all []reach.Rule
	for _, text := range append(in.Strings("cidrBlocks"), in.String("cidrIpv4")) {
		if p, err := netip.ParsePrefix(text); err == nil {
			r := base
			r.CIDR = p
			all = append(all, r)
		}
	}
	for _, id := range append(in.Strings("prefixListIds"), in.String("prefixListId")) {
		if id != "" {
			r := base
			r.List = id
			all = append(all, r)
		}
	}
	groups := append(in.Strings("securityGroups"), in.String("sourceSecurityGroupId"), in.String("referencedSecurityGroupId"))
	if in.Bool("self") {
		groups = append(groups, orElse(in.String("securityGroupId"), o.ID))
	}
	for _, id := range groups {
		if id != "" {
			r := base
			r.Group = id
			all = append(all, r)
		}
	}
	return all
}

func ports(in Inputs) reach.Ports {
	return reach.Ports{From: port(in.Int("fromPort")), To: port(in.Int("toPort"))}
}

func port(n int) uint16 { return uint16(min(max(n, 0), 65535)) }

func (b netBuilder) endpoints() {
	for _, o := range b.a.list(endpointType) {
		out := Inputs(o.Outputs)
		service := regions[b.a.Region].endpointService(out.String("serviceName"))
		e := &reach.Endpoint{ID: o.ID, Label: label(o), VPC: out.String("vpcId"), Service: service,
			Gateway: out.String("vpcEndpointType") == "Gateway", PrivateDNS: out.Bool("privateDnsEnabled"),
			Names: regions[b.a.Region].service(service).Hosts, Policy: out.String("policy") != openPolicy}
		b.n.Endpoints[o.ID] = e
		for _, table := range out.Strings("routeTableIds") {
			b.through(e, table)
		}
		addresses := map[string]string{}
		for _, c := range out.Maps("subnetConfigurations") {
			addresses[c.String("subnetId")] = c.String("ipv4")
		}
		for _, subnet := range out.Strings("subnetIds") {
			address, _ := netip.ParseAddr(addresses[subnet])
			e.Places = append(e.Places, reach.Place{Subnet: subnet, Address: b.within(address, subnet)})
		}
		if !e.Gateway {
			e.Groups = b.a.groupsOr(out.Strings("securityGroupIds"), e.VPC)
		}
	}
	for _, o := range b.a.list(endpointTableType) {
		if e := b.n.Endpoints[Inputs(o.Inputs).String("vpcEndpointId")]; e != nil {
			b.through(e, Inputs(o.Inputs).String("routeTableId"))
		}
	}
	for _, o := range b.a.list(endpointPlaceType) {
		if e := b.n.Endpoints[Inputs(o.Inputs).String("vpcEndpointId")]; e != nil {
			e.Places = append(e.Places, reach.Place{Subnet: Inputs(o.Inputs).String("subnetId")})
		}
	}
}

// through adds the route that AWS adds to a table for a gateway endpoint.
func (b netBuilder) through(e *reach.Endpoint, table string) {
	t := b.n.Tables[table]
	for _, list := range b.n.Lists {
		if t != nil && list.Service == e.Service {
			t.Routes = append(t.Routes, reach.Route{Label: e.Label, List: list.ID, To: reach.ToEndpoint, Target: e.ID})
		}
	}
}

// groupsOr are the security groups, or the VPC's default one if there are none.
func (a *Account) groupsOr(groups []string, vpc string) []string {
	if o := a.get(vpcType, vpc); len(groups) == 0 && o != nil {
		return []string{Inputs(o.Outputs).String("defaultSecurityGroupId")}
	}
	return groups
}

func (b netBuilder) acls() {
	for _, o := range b.a.list(aclType, defaultAclType) {
		out := Inputs(o.Outputs)
		acl := &reach.ACL{ID: o.ID, Label: label(o), VPC: out.String("vpcId")}
		b.n.ACLs[o.ID] = acl
		if o.Owner != "" { // the VPC's own, which allows everything
			all := []reach.Entry{{Number: 100, Allow: true, Protocol: "-1", CIDR: netip.MustParsePrefix("0.0.0.0/0")}}
			acl.In, acl.Out = all, slices.Clone(all)
		}
		for _, r := range out.Maps("ingress") {
			acl.In = append(acl.In, aclEntry(r, "ruleNo", "action"))
		}
		for _, r := range out.Maps("egress") {
			acl.Out = append(acl.Out, aclEntry(r, "ruleNo", "action"))
		}
		for _, subnet := range out.Strings("subnetIds") {
			b.guard(subnet, o.ID)
		}
	}
	for _, o := range b.a.list(aclRuleType) {
		out := Inputs(o.Outputs)
		switch acl := b.n.ACLs[out.String("networkAclId")]; {
		case acl == nil:
		case out.Bool("egress"):
			acl.Out = append(acl.Out, aclEntry(out, "ruleNumber", "ruleAction"))
		default:
			acl.In = append(acl.In, aclEntry(out, "ruleNumber", "ruleAction"))
		}
	}
	for _, o := range b.a.list(aclLinkType) {
		b.guard(Inputs(o.Inputs).String("subnetId"), Inputs(o.Inputs).String("networkAclId"))
	}
}

func (b netBuilder) guard(subnet, acl string) {
	if s := b.n.Subnets[subnet]; s != nil {
		s.ACL = acl
	}
}

func aclEntry(in Inputs, number, action string) reach.Entry {
	cidr, _ := netip.ParsePrefix(in.String("cidrBlock"))
	return reach.Entry{Number: in.Int(number), Allow: in.String(action) == "allow", Protocol: in.String("protocol"), Ports: ports(in),
		CIDR: cidr}
}

// nodes are what has a host name.
func (b netBuilder) nodes() {
	for _, o := range b.a.list(databaseType) {
		out := Inputs(o.Outputs)
		if node := b.inGroup(o, databaseSubnetType, "dbSubnetGroupName", "vpcSecurityGroupIds"); node != nil {
			node.Public = out.Bool("publiclyAccessible")
			b.n.Nodes[strings.ToLower(out.String("address"))] = node
		}
	}
	for _, o := range b.a.list(cacheType) {
		out := Inputs(o.Outputs)
		node := b.inGroup(o, cacheSubnetType, "subnetGroupName", "securityGroupIds")
		for _, name := range words("primaryEndpointAddress readerEndpointAddress configurationEndpointAddress") {
			if host := out.String(name); host != "" && node != nil {
				b.n.Nodes[strings.ToLower(host)] = node
			}
		}
	}
	listens := map[string][]uint16{}
	for _, o := range b.a.list(listenerType) {
		balancer := Inputs(o.Outputs).String("loadBalancerArn")
		listens[balancer] = append(listens[balancer], port(Inputs(o.Outputs).Int("port")))
	}
	for _, o := range b.a.list(balancerType) {
		out := Inputs(o.Outputs)
		node := &reach.Node{ID: o.ID, Label: label(o), Kind: reach.Balancer, VPC: out.String("vpcId"), Public: !out.Bool("internal"),
			Groups: out.Strings("securityGroups"), Listens: append([]uint16{}, listens[o.ID]...)}
		if out.String("loadBalancerType") != "application" && len(node.Groups) == 0 {
			node.Ungrouped = true
		}
		node.Groups = b.a.groupsOr(node.Groups, node.VPC)
		node.Places = placesOf(balancerSubnets(o.Outputs))
		b.n.Nodes[strings.ToLower(out.String("dnsName"))] = node
	}
}

// inGroup is a node in the subnets of a subnet group, in any of which it may be.
func (b netBuilder) inGroup(o *Object, groupType, input, groups string) *reach.Node {
	out := Inputs(o.Outputs)
	group := find(b.a, "id", out.String(input), groupType)
	if group == nil {
		return nil
	}
	vpc := Inputs(group.Outputs).String("vpcId")
	return &reach.Node{ID: o.ID, Label: label(o), Kind: reach.Database, VPC: vpc, Places: placesOf(Inputs(group.Outputs).Strings("subnetIds")),
		Groups: b.a.groupsOr(out.Strings(groups), vpc), Listens: []uint16{port(out.Int("port"))}}
}

func placesOf(subnets []string) []reach.Place {
	var all []reach.Place
	for _, s := range subnets {
		if p := (reach.Place{Subnet: s}); !slices.Contains(all, p) {
			all = append(all, p)
		}
	}
	return all
}

// zones are the private DNS zones.
func (b netBuilder) zones() {
	for _, o := range b.a.list(zoneType) {
		z := &reach.Zone{ID: o.ID, Label: label(o), Name: bareHost(Inputs(o.Outputs).String("name"))}
		for _, vpc := range Inputs(o.Outputs).Maps("vpcs") {
			z.VPCs = append(z.VPCs, vpc.String("vpcId"))
		}
		for _, r := range b.a.list(recordType) {
			if out := Inputs(r.Outputs); out.String("zoneId") == o.ID {
				z.Records = append(z.Records, out.String("fqdn"))
			}
		}
		if len(z.VPCs) > 0 {
			b.n.Zones[o.ID] = z
		}
	}
}
