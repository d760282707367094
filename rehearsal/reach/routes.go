package reach

import (
	"net/netip"
)

// route is the route that a table chooses for a destination: the most specific one, and of equals the local one first, then a static
// route before one with a prefix list (VPC User Guide, "Route priority"). ok is false if none matches.
func (n *Network) route(t *Table, to netip.Prefix, list string) (best Route, ok bool) {
	bits := -1
	if vpc := n.VPCs[t.VPC]; vpc != nil {
		for _, p := range vpc.CIDRs {
			if p.Contains(to.Addr()) && p.Bits() > bits {
				best, bits = Route{CIDR: p, To: ToLocal}, p.Bits()
			}
		}
	}
	for _, r := range t.Routes {
		if r.List != "" {
			if entry := n.entry(r.List, to, list); entry > bits {
				best, bits = r, entry
			}
			continue
		}
		if longer := r.CIDR.Bits() > bits || r.CIDR.Bits() == bits && best.List != ""; r.CIDR.IsValid() && longer && r.CIDR.Contains(to.Addr()) {
			best, bits = r, r.CIDR.Bits()
		}
	}
	return best, bits >= 0
}

// entry is how specific the entry of a prefix list is that contains the destination; -1 if none does.
func (n *Network) entry(id string, to netip.Prefix, list string) int {
	known := n.Lists[id]
	if known == nil {
		if id == list {
			return to.Bits()
		}
		return -1
	}
	bits := -1
	for _, p := range known.CIDRs {
		if p.Contains(to.Addr()) {
			bits = max(bits, p.Bits())
		}
	}
	return bits
}

// leads says where a route really leads: a target that does not exist, or that is in another network, is a blackhole.
func (n *Network) leads(r Route, vpc string) Target {
	gone := false
	switch r.To {
	case ToGateway:
		g := n.Gateways[r.Target]
		gone = g == nil || g.VPC != vpc
	case ToNAT:
		nat := n.NATs[r.Target]
		gone = nat == nil || n.Subnets[nat.Subnet] == nil || n.Subnets[nat.Subnet].VPC != vpc
	case ToEndpoint:
		gone = n.Endpoints[r.Target] == nil
	case ToPeering:
		p := n.Peerings[r.Target]
		gone = p == nil || !p.Active || p.A != vpc && p.B != vpc
	}
	if gone {
		return ToNothing
	}
	return r.To
}

// public reports whether a subnet is public: its route to everywhere leads to an internet gateway.
func (n *Network) public(s *Subnet) bool {
	t := n.table(s)
	if t == nil {
		return false
	}
	r, ok := n.route(t, netip.PrefixFrom(somewhere, 32), "")
	return ok && n.leads(r, s.VPC) == ToGateway
}

// somewhere is an address on the internet (RFC 5737).
var somewhere = netip.MustParseAddr("198.51.100.7")

var anywhere = netip.MustParsePrefix("0.0.0.0/0")
