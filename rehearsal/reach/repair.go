package reach

import (
	"fmt"
	"net/netip"
	"slices"
)

// A Repair is one change of one setting. It can be applied to a network, so that tests can show that the repairs of an answer open
// the path and that none of them is superfluous.
type Repair struct {
	Change Change `json:"change"`
	On     string `json:"on"`               // the ID of what changes
	Label  string `json:"label"`            // its name
	Peer   string `json:"peer,omitempty"`   // CIDR, security group or prefix list
	Ports  Ports  `json:"ports,omitzero"`   // of a rule
	Target string `json:"target,omitempty"` // of a route, or the service of an endpoint
	To     Target `json:"-"`
	Named  string `json:"named,omitempty"` // the name of peer or target

	protocol string
	list     bool // Peer is a prefix list
	group    bool // Peer is a security group
}

// A Change is what a repair does.
type Change string

// The changes. Of a network ACL the new entry goes before the others.
const (
	AllowIn        Change = "allow inbound"
	AllowOut       Change = "allow outbound"
	ACLIn          Change = "network ACL: allow inbound"
	ACLOut         Change = "network ACL: allow outbound"
	SetRoute       Change = "route"
	DeleteRoute    Change = "delete route"
	Associate      Change = "associate route table"
	AddEndpoint    Change = "create endpoint"
	TurnOnDNS      Change = "enableDnsSupport"
	TurnOnDNSNames Change = "enableDnsHostnames"
	Dissociate     Change = "dissociate private zone"
	TurnOnPrivate  Change = "privateDnsEnabled"
	Publish        Change = "assign public address"
	Attach         Change = "attach internet gateway"
	MoveNAT        Change = "move NAT gateway"
	PublishNAT     Change = "give NAT gateway an elastic IP address"
	ActivatePeer   Change = "accept peering"
	Listen         Change = "listen"
)

func (r Repair) String() string {
	on := named(r.Label, r.On)
	switch r.Change {
	case AllowIn:
		return fmt.Sprintf("security group %s: allow %s %s in from %s", on, r.protocol, r.Ports, named(r.Named, r.Peer))
	case AllowOut:
		return fmt.Sprintf("security group %s: allow %s %s out to %s", on, r.protocol, r.Ports, named(r.Named, r.Peer))
	case ACLIn:
		return fmt.Sprintf("network ACL %s: allow %s %s in from %s", on, r.protocol, r.Ports, r.Peer)
	case ACLOut:
		return fmt.Sprintf("network ACL %s: allow %s %s out to %s", on, r.protocol, r.Ports, r.Peer)
	case SetRoute:
		return fmt.Sprintf("route table %s: add the route %s -> %s", on, r.Peer, named(r.Named, r.Target))
	case DeleteRoute:
		return fmt.Sprintf("route table %s: delete the route %s", on, r.Peer)
	case Associate:
		return fmt.Sprintf("subnet %s: associate the route table %s", on, named(r.Named, r.Target))
	case AddEndpoint:
		return fmt.Sprintf("VPC %s: create an endpoint for %s, or a route to a NAT gateway", on, r.Target)
	case TurnOnDNS, TurnOnDNSNames:
		return fmt.Sprintf("VPC %s: set %s", on, r.Change)
	case Dissociate:
		return fmt.Sprintf("private zone %s: add the record, or dissociate the zone from VPC %s", on, named(r.Named, r.Target))
	case TurnOnPrivate:
		return fmt.Sprintf("endpoint %s: set privateDnsEnabled", on)
	case Publish:
		return fmt.Sprintf("%s: assign a public address", on)
	case Attach:
		return fmt.Sprintf("VPC %s: attach an internet gateway", on)
	case MoveNAT:
		return fmt.Sprintf("NAT gateway %s: place it in the public subnet %s", on, named(r.Named, r.Target))
	case PublishNAT:
		return fmt.Sprintf("NAT gateway %s: give it an elastic IP address", on)
	case ActivatePeer:
		return fmt.Sprintf("peering %s: accept it", on)
	}
	return fmt.Sprintf("%s: listen on %s", on, r.Ports)
}

// Apply returns the network and the question after the repairs; the originals stay as they are.
func Apply(n *Network, q Question, repairs ...Repair) (*Network, Question) {
	c := n.clone()
	if q.To.Node != nil {
		node := *q.To.Node
		q.To.Node = &node
	}
	for _, r := range repairs {
		r.apply(c, &q)
	}
	return c, q
}

func (r Repair) apply(n *Network, q *Question) {
	switch r.Change {
	case AllowIn, AllowOut:
		r.allow(n.Groups[r.On])
	case ACLIn, ACLOut:
		r.enter(n.ACLs[r.On])
	case SetRoute:
		r.route(n.Tables[r.On])
	case DeleteRoute:
		t := n.Tables[r.On]
		t.Routes = slices.DeleteFunc(slices.Clone(t.Routes), func(x Route) bool {
			return r.list && x.List == r.Peer || !r.list && x.CIDR.IsValid() && x.CIDR.String() == r.Peer
		})
	case Associate:
		n.Subnets[r.On].Table = r.Target
	case AddEndpoint:
		r.endpoint(n, q)
	case TurnOnDNS:
		n.VPCs[r.On].DNS = true
	case TurnOnDNSNames:
		n.VPCs[r.On].DNSNames = true
	case Dissociate:
		z := n.Zones[r.On]
		z.VPCs = slices.DeleteFunc(slices.Clone(z.VPCs), func(id string) bool { return id == r.Target })
	case TurnOnPrivate:
		n.Endpoints[r.On].PrivateDNS = true
	case Publish:
		publish(n, q, r.On)
	case Attach:
		if g := n.Gateways[r.Target]; g != nil {
			g.VPC = r.On
		} else {
			n.Gateways[r.Target] = &Gateway{ID: r.Target, VPC: r.On}
		}
	case MoveNAT:
		n.NATs[r.On].Subnet, n.NATs[r.On].Address = r.Target, netip.Addr{}
	case PublishNAT:
		n.NATs[r.On].Public = true
	case ActivatePeer:
		n.Peerings[r.On].Active = true
	case Listen:
		listen(n, q, r.On, r.Ports.From)
	}
}

func (r Repair) allow(g *Group) {
	rule := Rule{Protocol: r.protocol, Ports: r.Ports}
	switch {
	case r.group:
		rule.Group = r.Peer
	case r.list:
		rule.List = r.Peer
	default:
		rule.CIDR = netip.MustParsePrefix(r.Peer)
	}
	if r.Change == AllowIn {
		g.In = append(slices.Clip(g.In), rule)
	} else {
		g.Out = append(slices.Clip(g.Out), rule)
	}
}

func (r Repair) enter(acl *ACL) {
	e := Entry{Allow: true, Protocol: r.protocol, Ports: r.Ports, CIDR: netip.MustParsePrefix(r.Peer)}
	if r.Change == ACLIn {
		acl.In = append([]Entry{e}, acl.In...)
	} else {
		acl.Out = append([]Entry{e}, acl.Out...)
	}
}

// route adds the route, and replaces one with the same destination.
func (r Repair) route(t *Table) {
	route := Route{To: r.To, Target: r.Target}
	if r.list {
		route.List = r.Peer
	} else {
		route.CIDR = netip.MustParsePrefix(r.Peer)
	}
	t.Routes = append(slices.DeleteFunc(slices.Clone(t.Routes), func(x Route) bool {
		return x.List == route.List && x.CIDR == route.CIDR
	}), route)
}

// newEndpoint begins the IDs of endpoints that a repair creates.
const newEndpoint = "vpce-new-"

// endpoint adds an interface endpoint next to the source, with the groups of the VPC's other endpoints.
func (r Repair) endpoint(n *Network, q *Question) {
	e := &Endpoint{ID: newEndpoint + r.Target, VPC: r.On, Service: r.Target, PrivateDNS: true, Names: q.To.Service.Hosts}
	for _, other := range sorted(n.Endpoints) {
		if other.VPC == r.On && !other.Gateway {
			e.Groups, e.Places = other.Groups, other.Places
		}
	}
	if len(e.Places) == 0 {
		e.Places = q.From.Places
	}
	n.Endpoints[e.ID] = e
}

func publish(n *Network, q *Question, id string) {
	if q.From.ID == id {
		q.From.Public = true
	}
	each(n, q, id, func(node *Node) { node.Public = true })
}

func listen(n *Network, q *Question, id string, port uint16) {
	each(n, q, id, func(node *Node) { node.Listens = append(slices.Clip(node.Listens), port) })
}

func each(n *Network, q *Question, id string, do func(*Node)) {
	if q.To.Node != nil && q.To.Node.ID == id {
		do(q.To.Node)
	}
	for _, node := range n.Nodes {
		if node.ID == id && node != q.To.Node {
			do(node)
		}
	}
}
