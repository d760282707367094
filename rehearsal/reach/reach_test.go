package reach

import (
	"net/netip"
	"strings"
	"testing"
)

// The networks of these tests follow the scenarios of AWS's guide, and of Batfish's test networks for AWS (public and private subnets,
// NAT gateway, gateway and interface endpoints, peering, load balancer).

func prefix(text string) netip.Prefix { return netip.MustParsePrefix(text) }

var tcp443 = Ports{443, 443}

// site is a VPC over two zones: public subnets with NAT gateways, private subnets, data subnets without a way out.
func site() *Network {
	n := New()
	n.VPCs["vpc"] = &VPC{ID: "vpc", CIDRs: []netip.Prefix{prefix("10.0.0.0/16")}, MainTable: "main", DefaultACL: "acl", DNS: true,
		DNSNames: true}
	open := []Entry{{100, true, "-1", Ports{}, anywhere}}
	n.ACLs["acl"] = &ACL{ID: "acl", VPC: "vpc", In: open, Out: open}
	n.Tables["main"] = &Table{ID: "main", VPC: "vpc"}
	n.Tables["public"] = &Table{ID: "public", VPC: "vpc", Routes: []Route{{CIDR: anywhere, To: ToGateway, Target: "igw"}}}
	n.Tables["data"] = &Table{ID: "data", VPC: "vpc"}
	n.Gateways["igw"] = &Gateway{ID: "igw", VPC: "vpc"}
	for i, z := range []string{"a", "b"} {
		n.Tables["private-"+z] = &Table{ID: "private-" + z, VPC: "vpc", Routes: []Route{{CIDR: anywhere, To: ToNAT, Target: "nat-" + z}}}
		for part, third := range map[string]int{"public": 0, "private": 10, "data": 20} {
			table := part
			if part == "private" {
				table += "-" + z
			}
			cidr := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(third + i), 0}), 24)
			n.Subnets[part+"-"+z] = &Subnet{ID: part + "-" + z, VPC: "vpc", Zone: z, CIDR: cidr, Table: table}
		}
		n.NATs["nat-"+z] = &NAT{ID: "nat-" + z, Subnet: "public-" + z, Public: true}
	}
	group := func(id string, in, out []Rule) { n.Groups[id] = &Group{ID: id, VPC: "vpc", In: in, Out: out} }
	tcp := func(port uint16, group string) Rule {
		return Rule{Protocol: "tcp", Ports: Ports{port, port}, Group: group}
	}
	world := func(port uint16) Rule { return Rule{Protocol: "tcp", Ports: Ports{port, port}, CIDR: anywhere} }
	group("edge", []Rule{world(80), world(443)}, []Rule{tcp(8080, "web")})
	group("web", []Rule{tcp(8080, "edge")}, []Rule{world(443), tcp(5432, "data")})
	group("data", []Rule{tcp(5432, "web")}, nil)
	group("default", []Rule{{Protocol: "-1", Group: "default"}}, nil)
	group("endpoints", []Rule{{Protocol: "tcp", Ports: tcp443, Group: "web"}}, nil)
	n.Lists["pl-s3"] = &PrefixList{ID: "pl-s3", Label: "s3", Service: "s3", CIDRs: []netip.Prefix{prefix("52.216.0.0/15"),
		prefix("3.5.0.0/19")}}
	n.Nodes["db.internal"] = &Node{ID: "db", Kind: Database, VPC: "vpc", Places: places("data-a", "data-b"), Groups: []string{"data"},
		Listens: []uint16{5432}}
	n.Nodes["balancer.example"] = &Node{ID: "alb", Kind: Balancer, VPC: "vpc", Places: places("public-a", "public-b"),
		Groups: []string{"edge"}, Public: true, Listens: []uint16{80, 443}}
	return n
}

func places(subnets ...string) []Place {
	var all []Place
	for _, s := range subnets {
		all = append(all, Place{Subnet: s})
	}
	return all
}

// isolated is the site without NAT: it reaches AWS through endpoints.
func isolated() *Network {
	n := site()
	n.NATs = map[string]*NAT{}
	n.Endpoints["s3"] = &Endpoint{ID: "s3", VPC: "vpc", Service: "s3", Gateway: true}
	n.Endpoints["logs"] = &Endpoint{ID: "logs", VPC: "vpc", Service: "logs", PrivateDNS: true, Names: logs.Hosts,
		Places: places("private-a", "private-b"), Groups: []string{"endpoints"}}
	for _, z := range []string{"a", "b"} {
		n.Tables["private-"+z].Routes = []Route{{List: "pl-s3", To: ToEndpoint, Target: "s3"}}
	}
	n.Groups["web"].Out = []Rule{{Protocol: "tcp", Ports: tcp443, Group: "endpoints"}, {Protocol: "tcp", Ports: tcp443, List: "pl-s3"}}
	return n
}

var (
	logs   = Service{Name: "logs", Hosts: []string{"logs.us-east-1.amazonaws.com"}}
	dkr    = Service{Name: "ecr.dkr", Hosts: []string{"*.dkr.ecr.us-east-1.amazonaws.com"}}
	s3     = Service{Name: "s3", Hosts: []string{"s3.us-east-1.amazonaws.com", "*.s3.us-east-1.amazonaws.com"}, Gateway: true}
	client = Node{Kind: Internet}
)

func task() Node {
	return Node{ID: "web", Kind: Task, VPC: "vpc", Places: places("private-a", "private-b"), Groups: []string{"web"}}
}

func in(subnets ...string) Node {
	t := task()
	t.Places = places(subnets...)
	return t
}

func toLogs() To { return To{Name: logs.Hosts[0], Service: logs} }
func toS3() To   { return To{Name: "bucket.s3.us-east-1.amazonaws.com", Service: s3} }
func name(host string) To {
	return To{Name: host}
}
func addr(text string) To { return To{Address: netip.MustParseAddr(text)} }

// target is a task as the balancer sees it.
func target() To {
	t := task()
	return To{Node: &t}
}

func balancer() Node { return *site().Nodes["balancer.example"] }

func acl(n *Network, subnet string, in, out []Entry) *Network {
	n.ACLs["own"] = &ACL{ID: "own", VPC: "vpc", In: in, Out: out}
	n.Subnets[subnet].ACL = "own"
	return n
}

func entry(number int, allow bool, from, to uint16, cidr string) Entry {
	return Entry{number, allow, "tcp", Ports{from, to}, prefix(cidr)}
}

// but is a network after a change.
func but(n *Network, change func(*Network)) *Network {
	change(n)
	return n
}

// peered adds a second VPC with one subnet, a host in it, and a peering.
func peered() *Network {
	n := site()
	n.VPCs["other"] = &VPC{ID: "other", CIDRs: []netip.Prefix{prefix("10.9.0.0/16")}, MainTable: "other-main", DNS: true}
	n.Tables["other-main"] = &Table{ID: "other-main", VPC: "other", Routes: []Route{{CIDR: prefix("10.0.0.0/16"), To: ToPeering,
		Target: "pcx"}}}
	n.Subnets["other-a"] = &Subnet{ID: "other-a", VPC: "other", CIDR: prefix("10.9.1.0/24")}
	n.Groups["remote"] = &Group{ID: "remote", VPC: "other", In: []Rule{{Protocol: "tcp", Ports: tcp443, CIDR: prefix("10.0.0.0/16")}}}
	n.Nodes["remote.internal"] = &Node{ID: "remote", VPC: "other", Places: places("other-a"), Groups: []string{"remote"}}
	n.Peerings["pcx"] = &Peering{ID: "pcx", A: "vpc", B: "other", Active: true}
	for _, z := range []string{"a", "b"} {
		t := n.Tables["private-"+z]
		t.Routes = append(t.Routes, Route{CIDR: prefix("10.9.0.0/16"), To: ToPeering, Target: "pcx"})
	}
	return n
}

func TestPaths(t *testing.T) {
	for _, c := range []struct {
		name   string
		n      *Network
		from   Node
		to     To
		port   uint16
		blocks []string // in the text of the blocks, one for each; none: the path is open
	}{
		// Routes.
		{"private task to the internet through NAT", site(), task(), addr("8.8.8.8"), 443, nil},
		{"no route", but(site(), func(n *Network) { n.Tables["private-a"].Routes = nil }), task(), toLogs(), 443,
			[]string{"route table private-a: no route to logs.us-east-1.amazonaws.com (no 0.0.0.0/0), and no endpoint for logs"}},
		{"no routes in two zones are two repairs", but(site(), func(n *Network) {
			n.Tables["private-a"].Routes, n.Tables["private-b"].Routes = nil, nil
		}), task(), addr("8.8.8.8"), 443, []string{"route table private-a", "route table private-b"}},
		{"blackhole", but(site(), func(n *Network) { delete(n.NATs, "nat-a") }), task(), addr("8.8.8.8"), 443,
			[]string{"route 0.0.0.0/0 -> nat-a is a blackhole"}},
		{"the most specific route wins over a working default", but(site(), func(n *Network) {
			n.Tables["private-a"].Routes = append(n.Tables["private-a"].Routes, Route{CIDR: prefix("8.8.8.0/24"), To: ToNAT, Target: "gone"})
		}), task(), addr("8.8.8.8"), 443, []string{"route 8.8.8.0/24 -> gone is a blackhole"}},
		{"the most specific route wins over a broken default", but(site(), func(n *Network) {
			n.Tables["private-a"].Routes = []Route{{CIDR: anywhere, To: ToNAT, Target: "gone"}, {CIDR: prefix("8.8.8.0/24"), To: ToNAT,
				Target: "nat-a"}}
		}), in("private-a"), addr("8.8.8.8"), 443, nil},
		{"a subnet without an association uses the main table", but(site(), func(n *Network) { n.Subnets["private-a"].Table = "" }), task(),
			addr("8.8.8.8"), 443,
			[]string{"route table main: no route to 8.8.8.8 (no 0.0.0.0/0), and subnet private-a uses it only as the VPC's main"}},
		{"the main table may have the route", but(site(), func(n *Network) {
			n.Subnets["private-a"].Table = ""
			n.Tables["main"].Routes = []Route{{CIDR: anywhere, To: ToNAT, Target: "nat-a"}}
		}), task(), addr("8.8.8.8"), 443, nil},
		{"data subnets have no way out", site(), in("data-a"), addr("8.8.8.8"), 443, []string{"route table data: no route"}},
		{"a transit gateway counts as open", but(site(), func(n *Network) {
			n.Tables["private-a"].Routes = []Route{{CIDR: anywhere, To: ToBeyond, Target: "tgw"}}
		}), in("private-a"), addr("8.8.8.8"), 443, nil},

		// Internet gateway and public addresses.
		{"a public subnet without a public address does not reach the internet", but(site(), func(n *Network) { n.NATs = nil }), in("public-a"),
			addr("8.8.8.8"), 443, []string{"route 0.0.0.0/0 -> internet gateway, and task web has no public address"}},
		{"with a public address it does", site(), but2(in("public-a"), func(t *Node) { t.Public = true }), addr("8.8.8.8"), 443, nil},
		{"a detached gateway", but(site(), func(n *Network) { n.Gateways["igw"].VPC = "" }), task(), addr("8.8.8.8"), 443,
			[]string{"route table public: route 0.0.0.0/0 -> igw is a blackhole"}},
		{"a gateway of another VPC", but(site(), func(n *Network) { n.Gateways["igw"].VPC = "other" }),
			but2(in("public-a"), func(t *Node) { t.Public = true }), addr("8.8.8.8"), 443, []string{"blackhole", "route table public"}},
		{"a private subnet routed to the internet gateway", but(site(), func(n *Network) {
			n.Tables["private-a"].Routes = []Route{{CIDR: anywhere, To: ToGateway, Target: "igw"}}
		}), task(), toLogs(), 443, []string{"task web has no public address"}},

		// NAT gateways.
		{"a NAT gateway in a private subnet leads to itself", but(site(), func(n *Network) { n.NATs["nat-a"].Subnet = "private-a" }), task(),
			addr("8.8.8.8"), 443,
			[]string{"NAT gateway nat-a: the default route of its subnet private-a leads to itself, not to an internet gateway"}},
		{"a NAT gateway without an elastic address", but(site(), func(n *Network) { n.NATs["nat-b"].Public = false }), task(), addr("8.8.8.8"),
			443,
			[]string{"NAT gateway nat-b: it is private"}},
		{"one NAT gateway serves all zones", but(site(), func(n *Network) {
			n.Tables["private-b"].Routes[0].Target = "nat-a"
			delete(n.NATs, "nat-b")
		}), task(), addr("8.8.8.8"), 443, nil},
		{"the ACL of the NAT gateway's subnet stops answers", acl(site(), "public-a", []Entry{entry(1, true, 443, 443, "0.0.0.0/0")},
			[]Entry{entry(1, true, 0, 65535, "0.0.0.0/0")}), task(), addr("8.8.8.8"), 443,
			[]string{"network ACL own of subnet public-a: ingress: no rule allows it for tcp 1024-65535"}},

		// Gateway endpoints.
		{"S3 through the gateway endpoint", isolated(), task(), toS3(), 443, nil},
		{"other services have no way", isolated(), task(), To{Name: "1.dkr.ecr.us-east-1.amazonaws.com", Service: dkr}, 443,
			[]string{"no endpoint for ecr.dkr"}},
		{"the gateway endpoint needs its route in the subnet's own table", but(isolated(), func(n *Network) {
			n.Tables["private-b"].Routes = nil
		}),
			task(), toS3(), 443,
			[]string{"route table private-b: no route to bucket.s3.us-east-1.amazonaws.com (no 0.0.0.0/0); endpoint s3 is not associated"}},
		{"the egress rule names S3's prefix list", but(isolated(), func(n *Network) { n.Groups["web"].Out = n.Groups["web"].Out[:1] }), task(),
			toS3(), 443, []string{"security group web: no egress rule for tcp 443 to bucket.s3.us-east-1.amazonaws.com"}},
		{"egress to ranges of S3 is as good as its prefix list", but(isolated(), func(n *Network) {
			n.Groups["web"].Out = []Rule{{Protocol: "tcp", Ports: tcp443, CIDR: prefix("52.216.0.0/15")}, {Protocol: "tcp", Ports: tcp443,
				CIDR: prefix("3.0.0.0/8")}}
		}), task(), toS3(), 443, nil},
		{"egress to half of S3's ranges is not", but(isolated(), func(n *Network) {
			n.Groups["web"].Out = []Rule{{Protocol: "tcp", Ports: tcp443, CIDR: prefix("52.216.0.0/15")}}
		}), task(), toS3(), 443, []string{"no egress rule"}},
		{"S3 through the endpoint does not need NAT", but(site(), func(n *Network) {
			n.Tables["private-a"].Routes = append(n.Tables["private-a"].Routes, Route{List: "pl-s3", To: ToEndpoint, Target: "s3"})
			n.Endpoints["s3"] = &Endpoint{ID: "s3", VPC: "vpc", Service: "s3", Gateway: true}
			delete(n.NATs, "nat-a")
		}), in("private-a"), toS3(), 443, nil},

		// Interface endpoints and DNS.
		{"an interface endpoint by its private name", isolated(), task(), toLogs(), 443, nil},
		{"its own group must admit 443", but(isolated(), func(n *Network) { n.Groups["endpoints"].In = nil }), task(), toLogs(), 443,
			[]string{"security group endpoints: no ingress rule for tcp 443 from web"}},
		{"the task's group must let it out", but(isolated(), func(n *Network) { n.Groups["web"].Out = n.Groups["web"].Out[1:] }), task(),
			toLogs(),
			443, []string{"security group web: no egress rule for tcp 443 to logs"}},
		{"both groups at once are two repairs", but(isolated(), func(n *Network) {
			n.Groups["web"].Out, n.Groups["endpoints"].In = nil, nil
		}), task(), toLogs(), 443, []string{"security group web", "security group endpoints"}},
		{"without private DNS the name is public", but(isolated(), func(n *Network) { n.Endpoints["logs"].PrivateDNS = false }), task(), toLogs(),
			443, []string{"endpoint logs has no private DNS"}},
		{"private DNS requires enableDnsHostnames", but(isolated(), func(n *Network) { n.VPCs["vpc"].DNSNames = false }), task(), toLogs(), 443,
			[]string{"no route to logs"}},
		{"without enableDnsSupport no name resolves", but(isolated(), func(n *Network) { n.VPCs["vpc"].DNS = false }), task(), toLogs(), 443,
			[]string{"enableDnsSupport is off"}},
		{"a private zone hides the names that it lacks", but(site(), func(n *Network) {
			n.Zones["z"] = &Zone{ID: "z", Name: "amazonaws.com", VPCs: []string{"vpc"}}
		}), task(), toLogs(), 443, []string{"private zone z: it answers for amazonaws.com, and has no record"}},
		{"a private zone of another VPC hides nothing", but(site(), func(n *Network) {
			n.Zones["z"] = &Zone{ID: "z", Name: "amazonaws.com", VPCs: []string{"other"}}
		}), task(), toLogs(), 443, nil},
		{"a private zone with the name", but(site(), func(n *Network) {
			n.Zones["z"] = &Zone{ID: "z", Name: "amazonaws.com", VPCs: []string{"vpc"}, Records: []string{"*.amazonaws.com"}}
		}), task(), toLogs(), 443, nil},
		{"the private DNS of an endpoint is more specific", but(isolated(), func(n *Network) {
			n.Zones["z"] = &Zone{ID: "z", Name: "amazonaws.com", VPCs: []string{"vpc"}}
		}), task(), toLogs(), 443, nil},
		{"with NAT a missing private name does not matter", but(site(), func(n *Network) {
			n.Endpoints["logs"] = &Endpoint{ID: "logs", VPC: "vpc", Service: "logs", Names: logs.Hosts, Places: places("private-a")}
		}), task(), toLogs(), 443, nil},
		{"with NAT an endpoint that admits no one does", but(site(), func(n *Network) {
			n.Groups["closed"] = &Group{ID: "closed", VPC: "vpc"}
			n.Endpoints["logs"] = &Endpoint{ID: "logs", VPC: "vpc", Service: "logs", Names: logs.Hosts, PrivateDNS: true,
				Places: places("private-a"),
				Groups: []string{"closed"}}
		}), task(), toLogs(), 443, []string{"security group closed: no ingress rule"}},

		// Security groups.
		{"balancer to task", site(), balancer(), target(), 8080, nil},
		{"the health port is another one", site(), balancer(), target(), 8081,
			[]string{"security group edge: no egress rule for tcp 8081 to web", "security group web: no ingress rule for tcp 8081 from alb"}},
		{"the default group admits only itself", site(), balancer(), To{Node: &Node{ID: "web", Kind: Task, VPC: "vpc",
			Places: places("private-a"),
			Groups: []string{"default"}}}, 8080, []string{"security group edge: no egress", "security group default: no ingress"}},
		{"the default group admits itself", but(site(), func(n *Network) {
			n.Groups["default"].Out = []Rule{{Protocol: "-1", CIDR: anywhere}}
		}), but2(task(), func(t *Node) { t.Groups = []string{"default"} }), To{Node: &Node{ID: "x", VPC: "vpc", Places: places("data-a"),
			Groups: []string{"default"}}}, 1234, nil},
		{"several groups add up", but(site(), func(n *Network) { n.Groups["extra"] = n.Groups["web"] }),
			but2(task(), func(t *Node) { t.Groups = []string{"default", "extra"} }), addr("8.8.8.8"), 443, nil},
		{"a rule by range covers the whole subnet", but(site(), func(n *Network) {
			n.Groups["data"].In = []Rule{{Protocol: "tcp", Ports: Ports{5432, 5432}, CIDR: prefix("10.0.10.0/23")}}
		}), task(), name("db.internal"), 5432, nil},
		{"half of the subnet is not enough", but(site(), func(n *Network) {
			n.Groups["data"].In = []Rule{{Protocol: "tcp", Ports: Ports{5432, 5432}, CIDR: prefix("10.0.10.0/25")}}
		}), in("private-a"), name("db.internal"), 5432, []string{"security group data: no ingress rule for tcp 5432 from web"}},
		{"two halves are", but(site(), func(n *Network) {
			n.Groups["data"].In = []Rule{{Protocol: "tcp", Ports: Ports{5432, 5432}, CIDR: prefix("10.0.10.0/25")},
				{Protocol: "tcp", Ports: Ports{5000, 6000}, CIDR: prefix("10.0.10.128/25")}}
		}), in("private-a"), name("db.internal"), 5432, nil},
		{"a rule for UDP is none for TCP", but(site(), func(n *Network) {
			n.Groups["web"].Out = []Rule{{Protocol: "udp", Ports: tcp443, CIDR: anywhere}}
		}), task(), addr("8.8.8.8"), 443, []string{"no egress rule"}},
		{"no ingress rule is needed for answers", but(site(), func(n *Network) { n.Groups["web"].In = nil }), task(), addr("8.8.8.8"), 443, nil},
		{"a group that a rule names does not match public addresses", site(), client, To{Node: &Node{ID: "web", Kind: Task, VPC: "vpc",
			Public: true,
			Places: places("public-a"), Groups: []string{"web"}}}, 8080, []string{
			"security group web: no ingress rule for tcp 8080 from the internet"}},

		// Database.
		{"task to the database", site(), task(), name("db.internal"), 5432, nil},
		{"the database listens on another port", but(site(), func(n *Network) {
			n.Groups["web"].Out, n.Groups["data"].In = []Rule{{Protocol: "-1", CIDR: anywhere}}, []Rule{{Protocol: "-1", CIDR: anywhere}}
		}), task(), name("db.internal"), 5433, []string{"database db: nothing listens on port 5433, only on 5432"}},

		// Network ACLs.
		{"an ACL that stops answers on ephemeral ports", acl(site(), "data-a", []Entry{entry(1, true, 5432, 5432, "10.0.0.0/16")},
			[]Entry{entry(1, true, 443, 443, "0.0.0.0/0")}), task(), name("db.internal"), 5432,
			[]string{"network ACL own of subnet data-a: egress: no rule allows it for tcp 32768-61000 to answers to private-a",
				"to answers to private-b"}},
		{"an ACL with ephemeral ports", acl(site(), "data-a", []Entry{entry(1, true, 5432, 5432, "10.0.0.0/16")},
			[]Entry{entry(1, true, 1024, 65535, "10.0.0.0/16")}), task(), name("db.internal"), 5432, nil},
		{"balancers answer on more ports than tasks", acl(site(), "private-a", []Entry{entry(1, true, 8080, 8080, "0.0.0.0/0")},
			[]Entry{entry(1, true, 32768, 61000, "10.0.0.0/16")}), balancer(), target(), 8080, []string{"tcp 1024-65535", "tcp 1024-65535"}},
		{"an ACL without 443 out", acl(site(), "private-a", []Entry{entry(1, true, 1024, 65535, "0.0.0.0/0")},
			[]Entry{entry(1, true, 5432, 5432, "0.0.0.0/0")}), task(), addr("8.8.8.8"), 443,
			[]string{"network ACL own of subnet private-a: egress: no rule allows it for tcp 443"}},
		{"the lowest number decides: deny first", acl(site(), "private-a", []Entry{{100, true, "-1", Ports{}, anywhere}},
			[]Entry{{100, true, "-1", Ports{}, anywhere}, entry(50, false, 443, 443, "0.0.0.0/0")}), task(), addr("8.8.8.8"), 443,
			[]string{"rule 50 denies it"}},
		{"the lowest number decides: allow first", acl(site(), "private-a", []Entry{{100, true, "-1", Ports{}, anywhere}},
			[]Entry{entry(50, true, 443, 443, "0.0.0.0/0"), entry(100, false, 0, 65535, "0.0.0.0/0")}), task(), addr("8.8.8.8"), 443, nil},
		{"a denied range that is not concerned", acl(site(), "private-a", []Entry{entry(1, false, 0, 65535, "203.0.113.0/24"),
			{100, true, "-1", Ports{}, anywhere}}, []Entry{{100, true, "-1", Ports{}, anywhere}}), task(), addr("8.8.8.8"), 443, nil},
		{"no ACL within a subnet", acl(site(), "data-a", nil, nil), in("data-a"), To{Node: &Node{ID: "db", Kind: Database, VPC: "vpc",
			Places: places("data-a"), Groups: []string{"data"}}}, 5432, nil},

		// From the internet.
		{"a visitor to the balancer", site(), client, name("balancer.example"), 443, nil},
		{"no listener", site(), client, name("balancer.example"), 8443, []string{"no ingress rule",
			"nothing listens on port 8443, only on 80, 443"}},
		{"an internal balancer", but(site(), func(n *Network) { n.Nodes["balancer.example"].Public = false }), client, name("balancer.example"),
			443,
			[]string{"balancer alb: it has no public address"}},
		{"a balancer in private subnets", but(site(), func(n *Network) { n.Nodes["balancer.example"].Places = places("private-a") }), client,
			name("balancer.example"), 443, []string{"route table private-a: no route 0.0.0.0/0 to an internet gateway"}},
		{"a visitor to a task", site(), client, target(), 8080,
			[]string{"it has no public address", "no route 0.0.0.0/0 to an internet gateway", "no ingress rule", "no route 0.0.0.0/0"}},
		{"a subnet of the balancer lost its association", but(site(), func(n *Network) { n.Subnets["public-b"].Table = "" }), client,
			name("balancer.example"), 443, []string{"subnet public-b uses it only as the VPC's main table"}},

		// Addresses and peering.
		{"an address in the VPC", but(site(), func(n *Network) { n.Groups["web"].Out[0].CIDR = prefix("10.0.0.0/16") }), task(),
			addr("10.0.20.9"), 443,
			nil},
		{"a peered VPC", peered(), task(), name("remote.internal"), 443, nil},
		{"no route back", but(peered(), func(n *Network) { n.Tables["other-main"].Routes = nil }), task(), name("remote.internal"), 443,
			[]string{"route table other-main: no route to 10.0.10.0/24", "no route to 10.0.11.0/24"}},
		{"a peering that was not accepted", but(peered(), func(n *Network) { n.Peerings["pcx"].Active = false }), task(),
			name("remote.internal"), 443,
			[]string{"peering pcx: it was not accepted"}},
		{"a peered VPC is no way to the internet", but(peered(), func(n *Network) {
			n.Tables["private-a"].Routes = []Route{{CIDR: anywhere, To: ToPeering, Target: "pcx"}}
		}), task(), addr("8.8.8.8"), 443, []string{"leads into a peered VPC, which passes nothing on"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := Question{From: c.from, To: c.to, Port: c.port}
			a := c.n.Ask(q)
			if a.Open != (len(c.blocks) == 0) || len(a.Blocks) != len(c.blocks) {
				t.Fatalf("expected %d blocks:\n%s", len(c.blocks), a)
			}
			for i, text := range c.blocks {
				if !strings.Contains(a.Blocks[i].String(), text) {
					t.Errorf("block %d does not say %q: %s", i, text, a.Blocks[i])
				}
			}
			if !a.Open {
				repaired(t, c.n, q, a)
			}
		})
	}
}

// TestWhatNoSettingOpens: the answer says why, and has no repair.
func TestWhatNoSettingOpens(t *testing.T) {
	everything := func(n *Network) {
		n.Groups["web"].Out = []Rule{{Protocol: "-1", CIDR: anywhere}}
		n.Groups["endpoints"].In = []Rule{{Protocol: "-1", CIDR: anywhere}}
	}
	for _, c := range []struct {
		n    *Network
		q    Question
		says string
	}{
		{but(isolated(), everything), Question{From: task(), To: toLogs(), Port: 80}, "endpoint logs: nothing listens on port 80, only on 443"},
		{site(), Question{From: client, To: addr("8.8.8.8"), Port: 443}, "8.8.8.8: it is not in this account"},
		{site(), Question{From: Node{ID: "web", VPC: "vpc", Groups: []string{"web"}}, To: toLogs(), Port: 443}, "web: it is in no subnet"},
		{site(), Question{From: in("gone"), To: toLogs(), Port: 443}, "web: its subnet does not exist"},
		{site(), Question{From: but2(task(), func(n *Node) { n.Groups = []string{"gone"} }), To: toLogs(), Port: 443},
			"task web: it has no security group that exists"},
		{but(peered(), func(n *Network) { delete(n.Peerings, "pcx") }), Question{From: task(), To: name("remote.internal"), Port: 443},
			"it is not connected with VPC other"},
	} {
		a := c.n.Ask(c.q)
		if a.Open || len(a.Blocks) == 0 || !strings.Contains(a.String(), c.says) {
			t.Errorf("expected %q:\n%s", c.says, a)
		}
	}
}

// repaired checks that the repairs open the path, and that each of them is needed.
func repaired(t *testing.T, n *Network, q Question, a Answer) {
	t.Helper()
	all := repairsOf(a.Blocks)
	if len(all) != len(a.Blocks) || !n.Opens(q, all...) {
		t.Errorf("the repairs do not open the path:\n%s", a)
	}
	for i, r := range all {
		rest := append(append([]Repair{}, all[:i]...), all[i+1:]...)
		if n.Opens(q, rest...) {
			t.Errorf("the path is open without %s:\n%s", r, a)
		}
		if r.String() == "" {
			t.Error("a repair has no text")
		}
	}
	if n.Opens(q) {
		t.Error("the network was changed by the question")
	}
}

func but2(node Node, change func(*Node)) Node {
	change(&node)
	return node
}

// TestPathIsComplete: the path names every component, also if it is blocked in the middle.
func TestPathIsComplete(t *testing.T) {
	n := site()
	n.Groups["web"].Out = nil
	a := n.Ask(Question{From: task(), To: addr("8.8.8.8"), Port: 443})
	var at []string
	for _, h := range a.Path {
		at = append(at, h.At)
	}
	if got := a.Path[1].Detail; got != "once fixed, egress allows tcp 443 to 8.8.8.8" {
		t.Errorf("the hop that is blocked says %q", got)
	}
	got := strings.Join(at, " | ")
	const want = "task web | security group web | route table private-a | route table public"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func BenchmarkAsk(b *testing.B) {
	n, q := site(), Question{From: task(), To: toLogs(), Port: 443}
	b.ReportAllocs()
	for b.Loop() {
		if !n.Ask(q).Open {
			b.Fatal("blocked")
		}
	}
}
