package reach

import (
	"net/netip"
	"slices"
	"strings"
)

// A destination is what a name or an address stands for, as seen from a VPC.
type destination struct {
	label    string
	name     string     // the host name, if it was asked for by name
	service  string     // the AWS service that the name belongs to
	node     *Node      // what listens there, if the model knows it
	endpoint *Endpoint  // the interface endpoint that the name resolves to
	places   []Place    // inside of a VPC
	outside  netip.Addr // otherwise
	list     string     // the prefix list that contains the address
	// unresolved is the VPC whose resolver does not answer.
	unresolved *VPC
	// hidden is the private zone that has no such name.
	hidden *Zone
}

// A Service is an AWS service as clients reach it.
type Service struct {
	Name    string   // as in com.amazonaws.REGION.NAME
	Hosts   []string // its host names; may begin with "*."
	Gateway bool     // it has gateway endpoints
}

// matches reports whether a pattern that may begin with "*." matches a host name.
func matches(pattern, host string) bool {
	if rest, wild := strings.CutPrefix(pattern, "*"); wild {
		return strings.HasSuffix(host, rest) && len(host) > len(rest)
	}
	return pattern == host
}

// resolve finds what the question asks for, as the resolver of the VPC answers. vpc is empty for the internet.
func (n *Network) resolve(q *Question, vpc string) destination {
	switch {
	case q.To.Node != nil:
		return destination{label: named(q.To.Node.Label, q.To.Node.ID), node: q.To.Node, places: q.To.Node.Places}
	case q.To.Address.IsValid():
		return n.addressed(q, vpc)
	}
	d := n.look(q, vpc)
	// The resolver of the VPC is the base of the VPC's range plus two; without enableDnsSupport it does not answer (VPC User Guide,
	// "DNS attributes for your VPC").
	if v := n.VPCs[vpc]; v != nil && !v.DNS {
		d.unresolved = v
	}
	own := "" // private DNS of an endpoint is a zone of its own
	if d.endpoint != nil {
		own = strings.TrimPrefix(d.endpoint.named(d.name), "*.")
	}
	if vpc != "" {
		d.hidden = n.hides(d.name, vpc, own)
	}
	return d
}

// named is the name of an endpoint that matches a host name.
func (e *Endpoint) named(host string) string {
	for _, name := range e.Names {
		if matches(name, host) {
			return name
		}
	}
	return ""
}

func (n *Network) look(q *Question, vpc string) destination {
	host := strings.ToLower(strings.TrimSuffix(q.To.Name, "."))
	if node := n.Nodes[host]; node != nil {
		d := destination{label: named(node.Label, node.ID), name: host, node: node, places: node.Places}
		// The name of an internet-facing balancer resolves to its public addresses, also inside of the VPC.
		if node.Kind == Balancer && node.Public && vpc != "" {
			d.places, d.outside = nil, somewhere
		}
		return d
	}
	d := destination{label: host, name: host, service: q.To.Service.Name, outside: somewhere}
	v := n.VPCs[vpc]
	for _, e := range sorted(n.Endpoints) {
		if e.VPC != vpc || e.Gateway || !e.PrivateDNS || v == nil || !v.DNS || !v.DNSNames {
			continue
		}
		for _, name := range e.Names {
			if matches(name, host) {
				d.endpoint, d.places, d.outside = e, e.Places, netip.Addr{}
				d.node = e.node()
				return d
			}
		}
	}
	for _, list := range sorted(n.Lists) {
		if list.Service == d.service && d.service != "" && len(list.CIDRs) > 0 {
			d.list, d.outside = list.ID, list.CIDRs[0].Addr()
		}
	}
	return d
}

// node is the endpoint's network interfaces as a node.
func (e *Endpoint) node() *Node {
	return &Node{ID: e.ID, Label: e.Label, Kind: Interface, VPC: e.VPC, Places: e.Places, Groups: e.Groups, Listens: []uint16{443},
		Ungrouped: len(e.Groups) == 0}
}

// addressed finds what an address stands for: in the VPC itself, in one that is peered with it, or outside.
func (n *Network) addressed(q *Question, vpc string) destination {
	d := destination{label: q.To.Address.String(), outside: q.To.Address}
	for _, s := range sorted(n.Subnets) {
		if !s.CIDR.Contains(q.To.Address) || vpc != s.VPC && !n.peered(vpc, s.VPC) {
			continue
		}
		d.places, d.outside = []Place{{s.ID, q.To.Address}}, netip.Addr{}
		for _, e := range sorted(n.Endpoints) {
			for _, p := range e.Places {
				if p.Address == q.To.Address {
					d.node, d.endpoint = e.node(), e
				}
			}
		}
		if s.VPC == vpc {
			return d
		}
	}
	for _, list := range sorted(n.Lists) {
		for _, p := range list.CIDRs {
			if p.Contains(q.To.Address) {
				d.list = list.ID
			}
		}
	}
	return d
}

func (n *Network) peered(a, b string) bool {
	for _, p := range n.Peerings {
		if p.A == a && p.B == b || p.A == b && p.B == a {
			return true
		}
	}
	return false
}

// hides is the private zone that answers a VPC for a host name, and has no record for it. Of several zones the most specific one answers;
// at is the name of another that competes with them.
func (n *Network) hides(host, vpc, at string) *Zone {
	var zone *Zone
	for _, z := range sorted(n.Zones) {
		if slices.Contains(z.VPCs, vpc) && (host == z.Name || strings.HasSuffix(host, "."+z.Name)) && len(z.Name) > len(at) {
			zone, at = z, z.Name
		}
	}
	if zone == nil || slices.ContainsFunc(zone.Records, func(r string) bool { return matches(r, host) }) {
		return nil
	}
	return zone
}
