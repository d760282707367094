// Package reach answers one question about the networks of an AWS account: can a source open a connection to a destination and port?
// The answer is the path, hop by hop, or every setting that would have to change, as in "Debugging Network Reachability with Blocked
// Paths" (Bayless et al., CAV 2021), and not only the first one that stops the packet.
//
// It models VPCs, subnets, route tables, internet and NAT gateways, gateway and interface endpoints, private DNS, peering, prefix
// lists, security groups (stateful) and network ACLs (stateless). It models IPv4 only: IPv6 rules and routes do not take part, and a
// question about an IPv6 address is an error. What lies behind other targets of routes, such as a transit gateway, counts as open.
//
// The package is pure: it reads a Network and changes nothing.
package reach

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
)

// A Network is everything that decides about connections. The keys of the maps are IDs.
type Network struct {
	VPCs      map[string]*VPC
	Subnets   map[string]*Subnet
	Tables    map[string]*Table
	Gateways  map[string]*Gateway
	NATs      map[string]*NAT
	Endpoints map[string]*Endpoint
	Groups    map[string]*Group
	ACLs      map[string]*ACL
	Lists     map[string]*PrefixList
	Peerings  map[string]*Peering
	// Nodes are the nodes that have host names, by name in lower case: databases, caches, balancers.
	Nodes map[string]*Node
	Zones map[string]*Zone
}

// New is an empty network.
func New() *Network {
	return &Network{map[string]*VPC{}, map[string]*Subnet{}, map[string]*Table{}, map[string]*Gateway{}, map[string]*NAT{},
		map[string]*Endpoint{}, map[string]*Group{}, map[string]*ACL{}, map[string]*PrefixList{}, map[string]*Peering{}, map[string]*Node{},
		map[string]*Zone{}}
}

// A VPC is a network of its own.
type VPC struct {
	ID, Label     string
	CIDRs         []netip.Prefix
	MainTable     string // of subnets without an association
	DefaultACL    string // of subnets without another one
	DNS, DNSNames bool   // enableDnsSupport and enableDnsHostnames
}

// A Subnet is a range of its VPC in one zone.
type Subnet struct {
	ID, Label, VPC, Zone string
	CIDR                 netip.Prefix
	Table                string // the associated route table; empty: the VPC's main table
	ACL                  string // empty: the VPC's default ACL
}

// A Table is a route table. Every table also has the local routes of its VPC.
type Table struct {
	ID, Label, VPC string
	Routes         []Route
}

// A Route leads to one target. Exactly one of CIDR and List is set.
type Route struct {
	Label  string
	CIDR   netip.Prefix
	List   string // a prefix list, as in the routes of gateway endpoints
	To     Target
	Target string // the ID
}

// A Target is the kind of a route's target.
type Target int

// The kinds of targets. Beyond is what the model does not know, such as a transit gateway.
const (
	ToLocal Target = iota
	ToGateway
	ToNAT
	ToEndpoint
	ToPeering
	ToBeyond
	ToNothing // a blackhole
)

// A Gateway is an internet gateway. VPC is empty while it is detached.
type Gateway struct{ ID, Label, VPC string }

// A NAT is a NAT gateway. Only one with a public address reaches the internet.
type NAT struct {
	ID, Label, Subnet string
	Address           netip.Addr // private; the zero value is any address of the subnet
	Public            bool       // it has an elastic IP address
}

// An Endpoint is a VPC endpoint for one service.
type Endpoint struct {
	ID, Label, VPC, Service string // Service as in com.amazonaws.REGION.SERVICE
	// Gateway endpoints are targets of routes. The others have a network interface in each place.
	Gateway    bool
	PrivateDNS bool
	Names      []string // the host names of the service, which private DNS resolves to the endpoint; may begin with "*."
	Policy     bool     // it has a policy of its own, which decides about each request
	Places     []Place
	Groups     []string
}

// A Group is a security group. It allows what a rule allows, and the replies.
type Group struct {
	ID, Label, VPC string
	In, Out        []Rule
}

// A Rule of a security group. Exactly one of CIDR, List and Group is set.
type Rule struct {
	Label    string
	Protocol string // "tcp", "udp", ...; "-1" is all of them
	Ports    Ports
	CIDR     netip.Prefix
	List     string
	Group    string
}

// An ACL is a network ACL. The entry with the lowest number that matches decides; what matches none is denied.
type ACL struct {
	ID, Label, VPC string
	In, Out        []Entry
}

// An Entry of a network ACL.
type Entry struct {
	Number   int
	Allow    bool
	Protocol string
	Ports    Ports
	CIDR     netip.Prefix
}

// Ports is a range of ports, both ends included.
type Ports struct{ From, To uint16 }

// A PrefixList names ranges: those of an AWS service in the region, or the account's own.
type PrefixList struct {
	ID, Label string
	Service   string // "s3" for the list of a gateway endpoint's service
	CIDRs     []netip.Prefix
}

// A Peering connects two VPCs.
type Peering struct {
	ID, Label, A, B string
	Active          bool
}

// A Node is one end of a connection, or several that are alike, such as the tasks of a service.
type Node struct {
	ID, Label string
	Kind      Kind
	VPC       string
	Places    []Place // where it is, or may be: the connection must work from, or to, each
	Groups    []string
	Ungrouped bool     // no security group filters it, as a network load balancer without groups
	Public    bool     // it has a public address
	Listens   []uint16 // nil: unknown
}

// A Place is a subnet, and the address in it if that is known.
type Place struct {
	Subnet  string
	Address netip.Addr
}

// A Kind of node.
type Kind int

// The kinds of nodes.
const (
	Host Kind = iota
	Task
	Balancer
	Database
	Interface // of an endpoint
	Internet
)

// table is the route table of a subnet; nil if there is none.
func (n *Network) table(s *Subnet) *Table {
	if s.Table != "" {
		return n.Tables[s.Table]
	}
	if vpc := n.VPCs[s.VPC]; vpc != nil {
		return n.Tables[vpc.MainTable]
	}
	return nil
}

// acl is the network ACL of a subnet; nil if the model has none, which then filters nothing.
func (n *Network) acl(s *Subnet) *ACL {
	if s.ACL != "" {
		return n.ACLs[s.ACL]
	}
	if vpc := n.VPCs[s.VPC]; vpc != nil {
		return n.ACLs[vpc.DefaultACL]
	}
	return nil
}

// gateway is the internet gateway of a VPC; nil if there is none.
func (n *Network) gateway(vpc string) *Gateway {
	for _, g := range n.Gateways {
		if g.VPC == vpc && vpc != "" {
			return g
		}
	}
	return nil
}

// clone copies everything that a repair may change.
func (n *Network) clone() *Network {
	c := *n
	c.VPCs, c.Subnets, c.Gateways, c.NATs = copies(n.VPCs), copies(n.Subnets), copies(n.Gateways), copies(n.NATs)
	c.Tables, c.Endpoints, c.Groups, c.ACLs = copies(n.Tables), copies(n.Endpoints), copies(n.Groups), copies(n.ACLs)
	c.Nodes, c.Peerings, c.Zones = copies(n.Nodes), copies(n.Peerings), copies(n.Zones)
	return &c
}

// copies copies the values. Repairs only append to their slices, or replace them: append to a clipped slice copies it.
func copies[T any](m map[string]*T) map[string]*T {
	c := make(map[string]*T, len(m))
	for id, v := range m {
		one := *v
		c[id] = &one
	}
	return c
}

// sorted are the values in the order of their IDs, so that answers do not depend on the order of a map.
func sorted[T any](m map[string]*T) []*T {
	var all []*T
	for _, id := range slices.Sorted(maps.Keys(m)) {
		all = append(all, m[id])
	}
	return all
}

func named(label, id string) string { return cmp.Or(label, id) }

// A Zone is a private DNS zone. The VPCs that it is associated with take its answers for every name below its own, also the answer that
// there is no such name (Route 53 guide, "Considerations when working with a private hosted zone").
type Zone struct {
	ID, Label, Name string
	VPCs            []string
	Records         []string // names; may begin with "*."
}
