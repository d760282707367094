package reach

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// A trace follows one connection from one place to another. Filters that stop it are noted, and the trace continues; only a route that
// leads nowhere ends it.
type trace struct {
	n    *Network
	q    *Question
	d    destination
	from *Place // nil: the internet
	hops []Hop
	// blocks are what the filters stop; each has one repair.
	blocks []Block
	// lost is why the trace ended, and the repairs of which any one may help. The best of them comes first among equals.
	lost    *Block
	repairs []Repair
}

func (t *trace) hop(at, format string, args ...any) {
	t.hops = append(t.hops, Hop{at, fmt.Sprintf(format, args...)})
}

func (t *trace) block(at, why string, r Repair) { t.blocks = append(t.blocks, Block{at, why, r}) }

func (t *trace) lose(at, why string, repairs ...Repair) {
	t.lost, t.repairs = &Block{At: at, Why: why}, repairs
}

func (t *trace) ok() bool { return t.lost == nil && len(t.blocks) == 0 }

// replies are the ports that the source's answers go to (VPC User Guide, "Ephemeral ports").
func replies(k Kind) Ports {
	switch k {
	case Balancer, Internet:
		return Ports{1024, 65535}
	}
	return Ports{32768, 61000} // Amazon Linux, and so Fargate and EC2 hosts
}

// place is the range of addresses that a place may have: the address, or any of the subnet.
func (n *Network) place(p Place) (*Subnet, netip.Prefix) {
	s := n.Subnets[p.Subnet]
	switch {
	case p.Address.IsValid():
		return s, netip.PrefixFrom(p.Address, p.Address.BitLen())
	case s == nil:
		return nil, netip.Prefix{}
	}
	return s, s.CIDR
}

// follow follows the connection from a place of the source, or from the internet, to a place of the destination, or outside.
func (n *Network) follow(q *Question, d destination, from, to *Place) *trace {
	t := &trace{n: n, q: q, d: d, from: from}
	if from == nil {
		t.enter(*to)
		return t
	}
	s, source := n.place(*from)
	if s == nil {
		t.lose(named(q.From.Label, q.From.ID), "its subnet does not exist")
		return t
	}
	if v := d.unresolved; v != nil && d.name != "" {
		t.block("VPC "+named(v.Label, v.ID), "enableDnsSupport is off, so its resolver does not answer for "+d.name,
			Repair{Change: TurnOnDNS, On: v.ID, Label: v.Label})
	}
	if z := d.hidden; z != nil && d.name != "" {
		t.block("private zone "+named(z.Label, z.ID), "it answers for "+z.Name+", and has no record "+d.name,
			Repair{Change: Dissociate, On: z.ID, Label: z.Label, Target: s.VPC, Named: t.vpcName(s.VPC)})
	}
	t.hop(kindOf(q.From.Kind)+" "+named(q.From.Label, q.From.ID), "in subnet %s", named(s.Label, s.ID))
	if to == nil {
		outside := n.outside(d)
		t.allow(q.From, AllowOut, outside, d.label)
		t.leave(s, source, leaving{public: q.From.Public, node: q.From, replies: replies(q.From.Kind), to: outside})
		return t
	}
	t.inside(s, source, *to)
	return t
}

func kindOf(k Kind) string {
	return [...]string{"host", "task", "balancer", "database", "endpoint", "internet"}[k]
}

func (t *trace) vpcName(id string) string {
	if v := t.n.VPCs[id]; v != nil {
		return v.Label
	}
	return ""
}

// outside are the addresses of a destination that is in no VPC.
func (n *Network) outside(d destination) peer {
	p := peer{addresses: []netip.Prefix{netip.PrefixFrom(d.outside, d.outside.BitLen())}, list: d.list}
	if list := n.Lists[d.list]; list != nil && d.name != "" {
		p.addresses = list.CIDRs
	}
	return p
}

// inside follows the connection to a place in the same VPC or in a peered one.
func (t *trace) inside(s *Subnet, source netip.Prefix, to Place) {
	n, q := t.n, t.q
	goal, target := n.place(to)
	if goal == nil {
		t.lose(t.d.label, "its subnet does not exist")
		return
	}
	other := peer{addresses: []netip.Prefix{target}}
	if t.d.node != nil {
		other.groups = t.d.node.Groups
	}
	t.allow(q.From, AllowOut, other, t.d.label)
	if s.VPC == goal.VPC {
		t.local(s, target)
	} else {
		t.peer(s, goal, source, target)
	}
	if t.lost != nil {
		return
	}
	t.cross(s, goal, crossing{source, target, replies(q.From.Kind)})
	if t.d.node == nil {
		t.hop("address "+t.d.label, "in subnet %s", named(goal.Label, goal.ID))
		return
	}
	t.allow(*t.d.node, AllowIn, peer{addresses: []netip.Prefix{source}, groups: q.From.Groups}, named(q.From.Label, q.From.ID))
	t.hop(kindOf(t.d.node.Kind)+" "+named(t.d.node.Label, t.d.node.ID), "port %d in subnet %s", q.Port, named(goal.Label, goal.ID))
	t.listens()
}

// local checks that no route takes the traffic out of the VPC: one that is more specific than the local route may.
func (t *trace) local(s *Subnet, target netip.Prefix) {
	table := t.n.table(s)
	if table == nil {
		return
	}
	r, ok := t.n.route(table, target, "")
	if !ok || r.To == ToLocal {
		return
	}
	at := "route table " + named(table.Label, table.ID)
	if t.n.leads(r, s.VPC) == ToBeyond {
		t.hop(at, "route %s leads through an appliance that the model does not know", r.CIDR)
		return
	}
	t.lose(at, fmt.Sprintf("route %s -> %s is more specific than the local route", r.CIDR, r.Target),
		Repair{Change: SetRoute, On: table.ID, Label: table.Label, Peer: r.CIDR.String(), To: ToLocal, Target: "local"})
}

// peer checks the routes in both directions.
func (t *trace) peer(s, goal *Subnet, source, target netip.Prefix) {
	n := t.n
	var connection *Peering
	for _, p := range sorted(n.Peerings) {
		if p.A == s.VPC && p.B == goal.VPC || p.B == s.VPC && p.A == goal.VPC {
			connection = p
		}
	}
	if connection == nil {
		t.lose("VPC "+s.VPC, "it is not connected with VPC "+goal.VPC)
		return
	}
	if !connection.Active {
		t.block("peering "+named(connection.Label, connection.ID), "it was not accepted",
			Repair{Change: ActivatePeer, On: connection.ID, Label: connection.Label})
	}
	for _, way := range []struct {
		from *Subnet
		to   netip.Prefix
		dest *Subnet
	}{{s, target, goal}, {goal, source, s}} {
		table := n.table(way.from)
		if table == nil {
			t.lose("subnet "+named(way.from.Label, way.from.ID), "it has no route table")
			return
		}
		at := "route table " + named(table.Label, table.ID)
		r, ok := n.route(table, way.to, "")
		if ok && r.To == ToPeering && r.Target == connection.ID {
			t.hop(at, "route %s -> peering %s", r.CIDR, named(connection.Label, connection.ID))
			continue
		}
		t.block(at, fmt.Sprintf("no route to %s through peering %s", way.dest.CIDR, named(connection.Label, connection.ID)),
			Repair{Change: SetRoute, On: table.ID, Label: table.Label, Peer: way.dest.CIDR.String(), To: ToPeering, Target: connection.ID,
				Named: "peering " + named(connection.Label, connection.ID)})
	}
}

// leaving is what leaves a subnet for an address outside.
type leaving struct {
	public  bool // the sender has a public address
	node    Node
	nat     *NAT // the NAT gateway that sends, if it is not the node itself
	replies Ports
	to      peer
}

// leave follows the connection out of a subnet to an address outside of the VPC.
func (t *trace) leave(s *Subnet, source netip.Prefix, l leaving) {
	n := t.n
	t.filter(s, ACLOut, l.to.addresses, Ports{t.q.Port, t.q.Port}, t.d.label)
	t.filter(s, ACLIn, l.to.addresses, l.replies, "answers of "+t.d.label)
	table := n.table(s)
	if table == nil {
		t.lose("subnet "+named(s.Label, s.ID), "it has no route table")
		return
	}
	at := "route table " + named(table.Label, table.ID)
	r, ok := n.route(table, l.to.addresses[0], l.to.list)
	if !ok {
		t.lose(at, t.noRoute(s, l), t.ways(s, table, anywhere, l)...)
		return
	}
	dest, replace := r.List, anywhere
	if r.CIDR.IsValid() {
		dest, replace = r.CIDR.String(), r.CIDR
	}
	gone := Repair{Change: DeleteRoute, On: table.ID, Label: table.Label, Peer: dest, list: r.List != ""}
	switch n.leads(r, s.VPC) {
	case ToNothing:
		t.lose(at, fmt.Sprintf("route %s -> %s is a blackhole: the target does not exist in this network", dest, r.Target),
			append(t.ways(s, table, replace, l), gone)...)
	case ToEndpoint:
		e := n.Endpoints[r.Target]
		t.hop(at, "route %s -> endpoint %s", named(label(n.Lists[r.List]), dest), named(e.Label, e.ID))
	case ToGateway:
		t.gateway(s, table, l, r.CIDR)
	case ToNAT:
		t.hop(at, "route %s -> NAT gateway %s", dest, named(n.NATs[r.Target].Label, r.Target))
		t.translate(s, source, l, n.NATs[r.Target])
	case ToLocal:
		t.lose(at, l.to.addresses[0].String()+" is in the VPC's own range, and the model knows nothing there")
	case ToPeering:
		t.lose(at, fmt.Sprintf("route %s leads into a peered VPC, which passes nothing on", dest),
			append(t.ways(s, table, replace, l), gone)...)
	default:
		t.hop(at, "route %s -> %s, which the model does not follow", dest, r.Target)
	}
}

func label(l *PrefixList) string {
	if l == nil {
		return ""
	}
	return l.Label
}

func (t *trace) noRoute(s *Subnet, l leaving) string {
	why := "no route to " + t.d.label + " (no 0.0.0.0/0)"
	if s.Table == "" {
		why += ", and subnet " + named(s.Label, s.ID) + " uses it only as the VPC's main table"
	}
	if t.d.service == "" {
		return why
	}
	for _, e := range sorted(t.n.Endpoints) {
		if e.VPC != s.VPC || e.Service != t.d.service {
			continue
		}
		if e.Gateway {
			return why + "; endpoint " + named(e.Label, e.ID) + " is not associated with the table"
		}
		return why + "; endpoint " + named(e.Label, e.ID) + " has no private DNS"
	}
	if l.nat != nil {
		return why
	}
	return why + ", and no endpoint for " + t.d.service
}

// gateway passes the internet gateway, which only translates public addresses (VPC User Guide, "Internet gateways").
func (t *trace) gateway(s *Subnet, table *Table, l leaving, dest netip.Prefix) {
	at := "route table " + named(table.Label, table.ID)
	if l.public {
		t.hop(at, "route %s -> internet gateway %s", dest, named(t.n.gateway(s.VPC).Label, t.n.gateway(s.VPC).ID))
		return
	}
	if l.nat != nil {
		t.block("NAT gateway "+named(l.nat.Label, l.nat.ID), "it is private: it has no elastic IP address",
			Repair{Change: PublishNAT, On: l.nat.ID, Label: l.nat.Label})
		return
	}
	t.lose(at, fmt.Sprintf("route %s -> internet gateway, and %s %s has no public address", dest, kindOf(l.node.Kind),
		named(l.node.Label, l.node.ID)), append(t.ways(s, table, dest, l), Repair{Change: Publish, On: l.node.ID, Label: l.node.Label})...)
}

// translate passes a NAT gateway, which has its own subnet, table and ACL, and no security group.
func (t *trace) translate(s *Subnet, source netip.Prefix, l leaving, nat *NAT) {
	n := t.n
	home, address := n.place(Place{nat.Subnet, nat.Address})
	at := "NAT gateway " + named(nat.Label, nat.ID)
	if l.nat != nil {
		t.lose("NAT gateway "+named(l.nat.Label, l.nat.ID), "the default route of its subnet "+named(s.Label, s.ID)+" leads to "+
			map[bool]string{true: "itself", false: at}[nat.ID == l.nat.ID]+", not to an internet gateway", t.ways(s, n.table(s), anywhere, l)...)
		return
	}
	if home.ID != s.ID {
		// Between the subnets the packets keep the destination's address: the ACL of the gateway's subnet sees the destination's port.
		t.filter(home, ACLIn, []netip.Prefix{source}, Ports{t.q.Port, t.q.Port}, named(s.Label, s.ID))
		t.filter(home, ACLOut, []netip.Prefix{source}, l.replies, "answers to "+named(s.Label, s.ID))
	}
	// A NAT gateway opens connections from ports 1024 to 65535 (VPC User Guide, "Ephemeral ports").
	t.leave(home, address, leaving{public: nat.Public, node: l.node, nat: nat, replies: Ports{1024, 65535}, to: l.to})
}

// moves are the public subnets that a NAT gateway could be in: of its own zone first.
func (t *trace) moves(nat *NAT) []Repair {
	home := t.n.Subnets[nat.Subnet]
	var same, other []Repair
	for _, s := range sorted(t.n.Subnets) {
		if s.VPC != home.VPC || !t.n.public(s) {
			continue
		}
		r := Repair{Change: MoveNAT, On: nat.ID, Label: nat.Label, Target: s.ID, Named: s.Label}
		if s.Zone == home.Zone {
			same = append(same, r)
		} else {
			other = append(other, r)
		}
	}
	return append(same, other...)
}

// ways are the repairs that may give a subnet a way to an address outside, the preferred one first. dest is the destination of the new
// route.
func (t *trace) ways(s *Subnet, table *Table, dest netip.Prefix, l leaving) []Repair {
	n := t.n
	if l.nat != nil {
		return slices.Concat(t.moves(l.nat), t.internet(s, table), t.associations(s))
	}
	var all []Repair
	for _, e := range sorted(n.Endpoints) {
		if e.VPC != s.VPC || e.Service != t.d.service || t.d.service == "" {
			continue
		}
		for _, list := range sorted(n.Lists) {
			if e.Gateway && list.Service == e.Service {
				all = append(all, Repair{Change: SetRoute, On: table.ID, Label: table.Label, Peer: list.ID, To: ToEndpoint, Target: e.ID,
					Named: "endpoint " + named(e.Label, e.ID), list: true})
			}
		}
		if !e.Gateway && !e.PrivateDNS {
			all = append(all, Repair{Change: TurnOnPrivate, On: e.ID, Label: e.Label})
		}
	}
	if v := n.VPCs[s.VPC]; v != nil && !v.DNSNames && t.d.service != "" {
		all = append(all, Repair{Change: TurnOnDNSNames, On: v.ID, Label: v.Label})
	}
	if s.Table == "" {
		all = append(all, t.associations(s)...)
	}
	for _, nat := range t.gatewaysFor(s) {
		all = append(all, Repair{Change: SetRoute, On: table.ID, Label: table.Label, Peer: dest.String(), To: ToNAT, Target: nat.ID,
			Named: "NAT gateway " + named(nat.Label, nat.ID)})
	}
	if t.d.service != "" && n.Endpoints[newEndpoint+t.d.service] == nil && len(t.q.To.Service.Hosts) > 0 {
		all = append(all, Repair{Change: AddEndpoint, On: s.VPC, Label: labelOf(n.VPCs[s.VPC]), Target: t.d.service})
	}
	all = append(all, t.internet(s, table)...)
	if s.Table != "" {
		all = append(all, t.associations(s)...)
	}
	return all
}

func labelOf(v *VPC) string {
	if v == nil {
		return ""
	}
	return v.Label
}

// internet are the repairs that make a subnet public.
func (t *trace) internet(s *Subnet, table *Table) []Repair {
	g := t.n.gateway(s.VPC)
	if g == nil {
		for _, free := range sorted(t.n.Gateways) {
			if free.VPC == "" {
				return []Repair{{Change: Attach, On: s.VPC, Target: free.ID, Named: free.Label}}
			}
		}
		return []Repair{{Change: Attach, On: s.VPC, Target: "igw-new"}}
	}
	if r, ok := t.n.route(table, netip.PrefixFrom(somewhere, 32), ""); ok && t.n.leads(r, s.VPC) == ToGateway {
		return nil
	}
	return []Repair{{Change: SetRoute, On: table.ID, Label: table.Label, Peer: anywhere.String(), To: ToGateway, Target: g.ID,
		Named: "internet gateway " + named(g.Label, g.ID)}}
}

// associations are the repairs that give the subnet another table of its VPC: one without a subnet first, and never the main one.
func (t *trace) associations(s *Subnet) []Repair {
	used := map[string]bool{}
	for _, other := range t.n.Subnets {
		used[other.Table] = true
	}
	var free, others []Repair
	for _, table := range sorted(t.n.Tables) {
		r := Repair{Change: Associate, On: s.ID, Label: s.Label, Target: table.ID, Named: table.Label}
		switch v := t.n.VPCs[s.VPC]; {
		case table.VPC != s.VPC || table.ID == s.Table || v != nil && v.MainTable == table.ID:
		case used[table.ID]:
			others = append(others, r)
		default:
			free = append(free, r)
		}
	}
	return append(free, others...)
}

// gatewaysFor are the NAT gateways of a subnet's VPC: those of its zone first, and those that are in a public subnet.
func (t *trace) gatewaysFor(s *Subnet) []*NAT {
	var near, far []*NAT
	for _, nat := range sorted(t.n.NATs) {
		home := t.n.Subnets[nat.Subnet]
		if home == nil || home.VPC != s.VPC || home.ID == s.ID {
			continue
		}
		if home.Zone == s.Zone {
			near = append(near, nat)
		} else {
			far = append(far, nat)
		}
	}
	return append(near, far...)
}

// enter follows a connection from the internet to a place.
func (t *trace) enter(to Place) {
	n, node := t.n, t.d.node
	s := n.Subnets[to.Subnet]
	if s == nil || node == nil {
		t.lose(t.d.label, "nothing in this account answers there")
		return
	}
	client := peer{addresses: []netip.Prefix{netip.PrefixFrom(somewhere, 32)}}
	if a := t.q.From.Places; len(a) > 0 && a[0].Address.IsValid() {
		client.addresses = []netip.Prefix{netip.PrefixFrom(a[0].Address, 32)}
	}
	t.hop("internet", "any client")
	if !node.Public {
		t.block(kindOf(node.Kind)+" "+named(node.Label, node.ID), "it has no public address",
			Repair{Change: Publish, On: node.ID, Label: node.Label})
	}
	table := n.table(s)
	if table == nil {
		t.lose("subnet "+named(s.Label, s.ID), "it has no route table")
		return
	}
	at := "route table " + named(table.Label, table.ID)
	r, ok := n.route(table, client.addresses[0], "")
	if !ok || n.leads(r, s.VPC) != ToGateway {
		why := "no route 0.0.0.0/0 to an internet gateway"
		repairs := t.internet(s, table)
		if s.Table == "" {
			why += ", and subnet " + named(s.Label, s.ID) + " uses it only as the VPC's main table"
		}
		t.lose(at, why, append(repairs, t.associations(s)...)...)
		return
	}
	t.hop(at, "route %s -> internet gateway %s", r.CIDR, named(n.Gateways[r.Target].Label, r.Target))
	t.filter(s, ACLIn, client.addresses, Ports{t.q.Port, t.q.Port}, "the internet")
	t.filter(s, ACLOut, client.addresses, replies(Internet), "answers to the internet")
	t.allow(*node, AllowIn, client, "the internet")
	t.hop(kindOf(node.Kind)+" "+named(node.Label, node.ID), "port %d in subnet %s", t.q.Port, named(s.Label, s.ID))
	t.listens()
}

func (t *trace) listens() {
	node := t.d.node
	if node.Listens == nil {
		return
	}
	var ports []string
	for _, p := range node.Listens {
		if p == t.q.Port {
			return
		}
		ports = append(ports, fmt.Sprint(p))
	}
	at, why := kindOf(node.Kind)+" "+named(node.Label, node.ID), fmt.Sprintf("nothing listens on port %d, only on %s", t.q.Port,
		strings.Join(ports, ", "))
	if node.Kind == Interface {
		t.lose(at, why)
		return
	}
	t.block(at, why, Repair{Change: Listen, On: node.ID, Label: node.Label, Ports: Ports{t.q.Port, t.q.Port}})
}

// allow checks the security groups of a node in one direction.
func (t *trace) allow(node Node, change Change, other peer, name string) {
	if node.Ungrouped {
		return
	}
	rules, direction, preposition := outbound, "egress", "to"
	if change == AllowIn {
		rules, direction, preposition = inbound, "ingress", "from"
	}
	if t.n.admits(node.Groups, rules, other, t.q.Protocol, t.q.Port) {
		t.hop("security group "+t.groupNames(node.Groups), "%s allows %s %d %s %s", direction, t.q.Protocol, t.q.Port, preposition, name)
		return
	}
	why := fmt.Sprintf("no %s rule for %s %d %s %s", direction, t.q.Protocol, t.q.Port, preposition, name)
	at := "security group " + t.groupNames(node.Groups)
	if len(node.Groups) == 0 || t.n.Groups[node.Groups[0]] == nil {
		t.lose(kindOf(node.Kind)+" "+named(node.Label, node.ID), "it has no security group that exists")
		return
	}
	g := t.n.Groups[node.Groups[0]]
	r := Repair{Change: change, On: g.ID, Label: g.Label, Ports: Ports{t.q.Port, t.q.Port}, protocol: t.q.Protocol}
	switch {
	case len(other.groups) > 0 && t.n.Groups[other.groups[0]] != nil && t.n.Groups[other.groups[0]].VPC == g.VPC:
		r.Peer, r.group, r.Named = other.groups[0], true, "security group "+named(t.n.Groups[other.groups[0]].Label, other.groups[0])
	case other.list != "":
		r.Peer, r.list, r.Named = other.list, true, "prefix list "+named(label(t.n.Lists[other.list]), other.list)
	case other.addresses[0].Addr().IsPrivate():
		r.Peer = other.addresses[0].String()
	default:
		r.Peer = anywhere.String()
	}
	t.block(at, why, r)
}

func (t *trace) groupNames(ids []string) string {
	var all []string
	for _, id := range ids {
		if g := t.n.Groups[id]; g != nil {
			all = append(all, named(g.Label, id))
		}
	}
	return strings.Join(all, ", ")
}

// crossing is a connection from one subnet into another one.
type crossing struct {
	source, target netip.Prefix
	replies        Ports
}

// cross passes the network ACLs between two subnets, which filter requests and answers in both directions. Traffic within a subnet
// passes none (VPC User Guide, "Control subnet traffic with network access control lists").
func (t *trace) cross(s, goal *Subnet, c crossing) {
	if s.ID == goal.ID {
		return
	}
	port := Ports{t.q.Port, t.q.Port}
	from, to := []netip.Prefix{c.source}, []netip.Prefix{c.target}
	t.filter(s, ACLOut, to, port, t.d.label)
	t.filter(goal, ACLIn, from, port, named(s.Label, s.ID))
	t.filter(goal, ACLOut, from, c.replies, "answers to "+named(s.Label, s.ID))
	t.filter(s, ACLIn, to, c.replies, "answers of "+t.d.label)
}

// filter checks the network ACL of a subnet in one direction.
func (t *trace) filter(s *Subnet, change Change, addresses []netip.Prefix, ports Ports, name string) {
	acl := t.n.acl(s)
	if acl == nil {
		return
	}
	entries, direction, preposition := acl.Out, "egress", "to"
	if change == ACLIn {
		entries, direction, preposition = acl.In, "ingress", "from"
	}
	why := denies(entries, addresses, t.q.Protocol, ports)
	if why == "" {
		return
	}
	for _, p := range addresses {
		if denies(entries, []netip.Prefix{p}, t.q.Protocol, ports) == "" {
			continue
		}
		wide := p
		if p.Bits() == 32 && !p.Addr().IsPrivate() {
			wide = anywhere
		}
		t.block(fmt.Sprintf("network ACL %s of subnet %s", named(acl.Label, acl.ID), named(s.Label, s.ID)),
			fmt.Sprintf("%s: %s for %s %s %s %s", direction, why, t.q.Protocol, ports, preposition, name),
			Repair{Change: change, On: acl.ID, Label: acl.Label, Peer: wide.String(), Ports: ports, protocol: t.q.Protocol})
	}
}
