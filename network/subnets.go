package network

import (
	"fmt"
	"net/netip"

	"go4.org/netipx"
)

// A Layout divides the addresses of a VPC into subnets. Zone i has Public[i], Private[i] and Data[i].
type Layout struct {
	Public  []netip.Prefix // balancer and NAT gateways: reachable from the internet
	Private []netip.Prefix // tasks, bastion and interface endpoints: reach the internet, not reachable from it
	Data    []netip.Prefix // the database: neither
}

const (
	maxZones = 3

	// A balancer needs a /27 with eight free addresses in every zone; AWS has no subnet smaller than a /28.
	smallestPublic = 27
	smallestData   = 28
)

// Plan divides cidr over 2 or 3 zones. Private subnets are the largest, because every task takes an address: three
// quarters of the VPC are private, three quarters of the rest public, and three quarters of what remains data. In a VPC
// smaller than /22 the private subnets shrink to leave AWS's minimum for the others. A /16 gives each zone a private
// /18, a public /20 and a data /22; a /24, the smallest accepted, gives a /27, a /27 and a /28.
//
// There is always room for a third zone: a site that grows from two zones to three keeps every subnet.
func Plan(cidr netip.Prefix, zones int) (Layout, error) {
	switch {
	case zones < 2 || zones > maxZones:
		return Layout{}, fmt.Errorf("network: zones must be 2 or 3, got %d", zones)
	case !cidr.IsValid() || !cidr.Addr().Is4():
		return Layout{}, fmt.Errorf("network: cidr must be an IPv4 range such as 10.0.0.0/16, got %s", cidr)
	case cidr != cidr.Masked():
		return Layout{}, fmt.Errorf("network: cidr %s has host bits set; did you mean %s?", cidr, cidr.Masked())
	case cidr.Bits() < 16 || cidr.Bits() > 24:
		return Layout{}, fmt.Errorf("network: cidr must be between /16 (the largest VPC) and /24 (the smallest that holds three zones), "+
			"got %s", cidr)
	case !cidr.Addr().IsPrivate() && !sharedSpace.Contains(cidr.Addr()):
		return Layout{}, fmt.Errorf("network: cidr must be in 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 or 100.64.0.0/10, "+
			"because other addresses are public, got %s", cidr)
	}
	public := min(cidr.Bits()+4, smallestPublic)
	data := min(cidr.Bits()+6, smallestData)
	for private := cidr.Bits() + 2; private <= public; private++ {
		if all, ok := divide(cidr, private, public, data); ok {
			return Layout{Private: all[0][:zones], Public: all[1][:zones], Data: all[2][:zones]}, nil
		}
	}
	return Layout{}, fmt.Errorf("network: cidr %s has no room for three zones", cidr)
}

// sharedSpace is for networks behind a provider's NAT (RFC 6598); AWS recommends it where RFC 1918 space is scarce.
var sharedSpace = netip.MustParsePrefix("100.64.0.0/10")

// divide takes three subnets of each size out of cidr, in the order of sizes: from large to small, so that alignment
// wastes nothing. It reports whether they fit.
func divide(cidr netip.Prefix, sizes ...int) (all [][]netip.Prefix, ok bool) {
	var b netipx.IPSetBuilder
	b.AddPrefix(cidr)
	free, err := b.IPSet()
	if err != nil {
		return nil, false
	}
	for _, bits := range sizes {
		subnets := make([]netip.Prefix, maxZones)
		for i := range subnets {
			if subnets[i], free, ok = free.RemoveFreePrefix(uint8(bits)); !ok {
				return nil, false
			}
		}
		all = append(all, subnets)
	}
	return all, true
}
