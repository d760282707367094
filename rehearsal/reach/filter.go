package reach

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"go4.org/netipx"
)

// An area is a range of addresses and a range of ports. A connection from any address of a subnet, or an answer to any ephemeral
// port, must be allowed as a whole.
type area struct {
	addresses netipx.IPRange
	ports     Ports
}

func over(p netip.Prefix, ports Ports) area { return area{netipx.RangeOfPrefix(p), ports} }

func (a area) overlaps(b area) bool {
	return a.addresses.Overlaps(b.addresses) && a.ports.From <= b.ports.To && b.ports.From <= a.ports.To
}

// minus is what b does not cover of a.
func (a area) minus(b area) []area {
	if !a.overlaps(b) {
		return []area{a}
	}
	var rest []area
	from, to := a.addresses.From(), a.addresses.To()
	if from.Less(b.addresses.From()) {
		rest = append(rest, area{netipx.IPRangeFrom(from, b.addresses.From().Prev()), a.ports})
		from = b.addresses.From()
	}
	if b.addresses.To().Less(to) {
		rest = append(rest, area{netipx.IPRangeFrom(b.addresses.To().Next(), to), a.ports})
		to = b.addresses.To()
	}
	within := netipx.IPRangeFrom(from, to)
	if a.ports.From < b.ports.From {
		rest = append(rest, area{within, Ports{a.ports.From, b.ports.From - 1}})
	}
	if b.ports.To < a.ports.To {
		rest = append(rest, area{within, Ports{b.ports.To + 1, a.ports.To}})
	}
	return rest
}

// without is what b does not cover of all areas.
func without(all []area, b area) []area {
	var rest []area
	for _, a := range all {
		rest = append(rest, a.minus(b)...)
	}
	return rest
}

var allPorts = Ports{0, 65535}

func covers(protocol string, ports Ports, asked string) (Ports, bool) {
	switch strings.ToLower(protocol) {
	case "-1", "all":
		return allPorts, true
	case "6":
		protocol = "tcp"
	case "17":
		protocol = "udp"
	}
	return ports, strings.EqualFold(protocol, asked)
}

// A peer is the other end as a filter sees it: its addresses, and its security groups where it is addressed privately.
type peer struct {
	addresses []netip.Prefix
	list      string // the prefix list that the addresses are
	groups    []string
}

// admits reports whether the rules of groups allow the connection. A group may only name groups that it can see: those of its own VPC
// and of peered ones, which the caller has checked (VPC User Guide, "Security group rules").
func (n *Network) admits(groups []string, rules func(*Group) []Rule, other peer, protocol string, port uint16) bool {
	left := make([]area, len(other.addresses))
	for i, p := range other.addresses {
		left[i] = over(p, Ports{port, port})
	}
	for _, id := range groups {
		g := n.Groups[id]
		if g == nil {
			continue
		}
		for _, r := range rules(g) {
			ports, ok := covers(r.Protocol, r.Ports, protocol)
			if !ok || port < ports.From || port > ports.To {
				continue
			}
			switch {
			case r.Group != "":
				if slices.Contains(other.groups, r.Group) {
					return true
				}
			case r.List != "":
				if r.List == other.list {
					return true
				}
				if list := n.Lists[r.List]; list != nil {
					for _, p := range list.CIDRs {
						left = without(left, over(p, ports))
					}
				}
			case r.CIDR.IsValid():
				left = without(left, over(r.CIDR, ports))
			}
			if len(left) == 0 {
				return true
			}
		}
	}
	return false
}

func inbound(g *Group) []Rule  { return g.In }
func outbound(g *Group) []Rule { return g.Out }

// denies names the entry of an ACL that stops part of the traffic; empty if all of it passes.
func denies(entries []Entry, addresses []netip.Prefix, protocol string, ports Ports) string {
	var left []area
	for _, p := range addresses {
		left = append(left, over(p, ports))
	}
	ordered := slices.IsSortedFunc(entries, byNumber)
	if !ordered {
		entries = slices.SortedFunc(slices.Values(entries), byNumber)
	}
	for _, e := range entries {
		covered, ok := covers(e.Protocol, e.Ports, protocol)
		if !ok || !e.CIDR.IsValid() {
			continue
		}
		rule := over(e.CIDR, covered)
		if !e.Allow && slices.ContainsFunc(left, rule.overlaps) {
			return fmt.Sprintf("rule %d denies it", e.Number)
		}
		if e.Allow {
			left = without(left, rule)
		}
		if len(left) == 0 {
			return ""
		}
	}
	return "no rule allows it"
}

func byNumber(a, b Entry) int { return a.Number - b.Number }

func (p Ports) String() string {
	switch {
	case p == allPorts:
		return "all ports"
	case p.From == p.To:
		return fmt.Sprint(p.From)
	}
	return fmt.Sprintf("%d-%d", p.From, p.To)
}
