package reach

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"testing"
)

// damage breaks a network at random: each of these is one mistake that people make.
var damage = []func(*rand.Rand, *Network){
	func(r *rand.Rand, n *Network) { t := any1(r, n.Tables); t.Routes = t.Routes[:r.IntN(len(t.Routes)+1)] },
	func(r *rand.Rand, n *Network) {
		t := any1(r, n.Tables)
		t.Routes = append(t.Routes, Route{CIDR: netip.PrefixFrom(netip.AddrFrom4([4]byte{8, 8, 0, 0}), 8+r.IntN(9)).Masked(), To: ToNAT,
			Target: []string{"nat-a", "gone"}[r.IntN(2)]})
	},
	func(r *rand.Rand, n *Network) { any1(r, n.Subnets).Table = "" },
	func(r *rand.Rand, n *Network) { s := any1(r, n.Subnets); s.Table = any1(r, n.Tables).ID },
	func(r *rand.Rand, n *Network) { g := any1(r, n.Groups); g.In = g.In[:r.IntN(len(g.In)+1)] },
	func(r *rand.Rand, n *Network) { g := any1(r, n.Groups); g.Out = g.Out[:r.IntN(len(g.Out)+1)] },
	func(r *rand.Rand, n *Network) {
		acl(n, any1(r, n.Subnets).ID, entries(r), entries(r))
	},
	func(r *rand.Rand, n *Network) { any1(r, n.VPCs).DNS = false },
	func(r *rand.Rand, n *Network) {
		n.Zones["hiding"] = &Zone{ID: "hiding", Name: "amazonaws.com", VPCs: []string{any1(r, n.VPCs).ID}}
	},
	func(r *rand.Rand, n *Network) { any1(r, n.VPCs).DNSNames = false },
	func(r *rand.Rand, n *Network) { any1(r, n.Gateways).VPC = "" },
	func(r *rand.Rand, n *Network) {
		if len(n.NATs) > 0 {
			any1(r, n.NATs).Subnet = any1(r, n.Subnets).ID
		}
	},
	func(r *rand.Rand, n *Network) {
		if len(n.NATs) > 0 {
			delete(n.NATs, any1(r, n.NATs).ID)
		}
	},
	func(r *rand.Rand, n *Network) {
		if e := n.Endpoints["logs"]; e != nil {
			e.PrivateDNS = false
		}
	},
	func(r *rand.Rand, n *Network) { delete(n.Endpoints, "logs") },
	func(r *rand.Rand, n *Network) { any1(r, n.Nodes).Public = r.IntN(2) == 0 },
}

// any1 is a value at random; IDs are sorted, so that a seed repeats it.
func any1[T any](r *rand.Rand, m map[string]*T) *T {
	ids := slices.Sorted(maps.Keys(m))
	return m[ids[r.IntN(len(ids))]]
}

func entries(r *rand.Rand) []Entry {
	var all []Entry
	for i := range r.IntN(4) {
		from := uint16([]int{0, 443, 1024, 5432, 32768}[r.IntN(5)])
		all = append(all, Entry{Number: 1 + r.IntN(1000)*4 + i, Allow: r.IntN(4) > 0, Protocol: []string{"tcp", "-1"}[r.IntN(2)],
			Ports: Ports{from, max(from, uint16([]int{443, 5432, 61000, 65535}[r.IntN(4)]))},
			CIDR:  netip.MustParsePrefix([]string{"0.0.0.0/0", "10.0.0.0/16", "10.0.10.0/24", "8.8.0.0/16"}[r.IntN(4)])})
	}
	return all
}

func damaged(r *rand.Rand) *Network {
	n := []func() *Network{site, isolated, peered}[r.IntN(3)]()
	for range r.IntN(5) {
		damage[r.IntN(len(damage))](r, n)
	}
	return n
}

func question(r *rand.Rand, n *Network) Question {
	all := []Question{
		{From: task(), To: toLogs(), Port: 443}, {From: task(), To: toS3(), Port: 443}, {From: task(), To: addr("8.8.8.8"), Port: 443},
		{From: task(), To: name("db.internal"), Port: 5432}, {From: *n.Nodes["balancer.example"], To: target(), Port: 8080},
		{From: client, To: name("balancer.example"), Port: 443}, {From: in("public-a"), To: addr("8.8.8.8"), Port: 443},
		{From: task(), To: name("db.internal"), Port: 6000}, {From: client, To: target(), Port: 22},
	}
	if n.Nodes["remote.internal"] != nil {
		all = append(all, Question{From: task(), To: name("remote.internal"), Port: 443})
	}
	return all[r.IntN(len(all))]
}

// TestRepairsOfAnyNetwork: whatever is wrong with a network, the repairs open the path, each is needed, the answer does not depend on
// the order of maps, and asking changes nothing.
func TestRepairsOfAnyNetwork(t *testing.T) {
	blocked, several := 0, 0
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed, 1))
		n := damaged(r)
		q := question(r, n)
		before := n.clone()
		a := n.Ask(q)
		if !reflect.DeepEqual(a, n.Ask(q)) {
			t.Fatalf("seed %d: two answers to one question:\n%s%s", seed, a, n.Ask(q))
		}
		if !reflect.DeepEqual(before, n.clone()) {
			t.Fatalf("seed %d: the question changed the network", seed)
		}
		if a.Open {
			continue
		}
		if blocked++; len(a.Blocks) > 1 {
			several++
		}
		repaired(t, n, q, a)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	if blocked < 500 || several < 200 {
		t.Errorf("only %d of the paths were blocked, %d of them in several places", blocked, several)
	}
}

// TestARuleNeverClosesAPath: security groups have no rule that denies, and an entry at the end of a network ACL only adds.
func TestARuleNeverClosesAPath(t *testing.T) {
	open := 0
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed, 2))
		n := damaged(r)
		q := question(r, n)
		if !n.Ask(q).Open {
			continue
		}
		open++
		g := any1(r, n.Groups)
		rule := Rule{Protocol: "tcp", Ports: Ports{uint16(r.IntN(1000)), 65535}, CIDR: netip.MustParsePrefix("10.0.0.0/8")}
		g.In, g.Out = append(g.In, rule), append(g.Out, rule)
		a := any1(r, n.ACLs)
		last := Entry{Number: 32766, Allow: true, Protocol: "-1", CIDR: anywhere}
		a.In, a.Out = append(a.In, last), append(a.Out, last)
		if after := n.Ask(q); !after.Open {
			t.Fatalf("seed %d: a rule closed the path:\n%s", seed, after)
		}
	}
	if open < 500 {
		t.Errorf("only %d of the paths were open", open)
	}
}

// TestFiltersAgreeWithSamples: the rectangles of addresses and ports give the same as looking at each address and port.
func TestFiltersAgreeWithSamples(t *testing.T) {
	stopped := 0
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 3))
		all := entries(r)
		subnet := netip.MustParsePrefix([]string{"10.0.10.0/28", "10.0.9.0/29", "8.8.8.8/32"}[r.IntN(3)])
		from := uint16(r.IntN(65000))
		ports := Ports{from, from + uint16(r.IntN(500))}
		want := true
		for a := subnet.Addr(); subnet.Contains(a); a = a.Next() {
			for p := ports.From; p <= ports.To && want; p++ {
				want = want && decides(all, a, p)
			}
		}
		why := denies(all, []netip.Prefix{subnet}, "tcp", ports)
		if (why == "") != want {
			t.Fatalf("seed %d: %v of %s %s: %q, expected allowed %v", seed, all, subnet, ports, why, want)
		}
		if !want {
			stopped++
		}
	}
	if stopped < 300 || stopped > 1950 {
		t.Error(fmt.Sprint("stopped: ", stopped))
	}
}

// decides is one packet against an ACL.
func decides(all []Entry, a netip.Addr, port uint16) bool {
	all = slices.SortedFunc(slices.Values(all), byNumber)
	for _, e := range all {
		ports, ok := covers(e.Protocol, e.Ports, "tcp")
		if ok && e.CIDR.Contains(a) && port >= ports.From && port <= ports.To {
			return e.Allow
		}
	}
	return false
}
