package network

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func prefixes(all ...string) []netip.Prefix {
	var list []netip.Prefix
	for _, s := range all {
		list = append(list, netip.MustParsePrefix(s))
	}
	return list
}

var comparePrefix = cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })

func TestPlan(t *testing.T) {
	for _, test := range []struct {
		cidr string
		want Layout
	}{
		{"10.0.0.0/16", Layout{
			Private: prefixes("10.0.0.0/18", "10.0.64.0/18", "10.0.128.0/18"),
			Public:  prefixes("10.0.192.0/20", "10.0.208.0/20", "10.0.224.0/20"),
			Data:    prefixes("10.0.240.0/22", "10.0.244.0/22", "10.0.248.0/22"),
		}},
		{"172.20.16.0/20", Layout{
			Private: prefixes("172.20.16.0/22", "172.20.20.0/22", "172.20.24.0/22"),
			Public:  prefixes("172.20.28.0/24", "172.20.29.0/24", "172.20.30.0/24"),
			Data:    prefixes("172.20.31.0/26", "172.20.31.64/26", "172.20.31.128/26"),
		}},
		{"100.64.4.0/22", Layout{
			Private: prefixes("100.64.4.0/24", "100.64.5.0/24", "100.64.6.0/24"),
			Public:  prefixes("100.64.7.0/26", "100.64.7.64/26", "100.64.7.128/26"),
			Data:    prefixes("100.64.7.192/28", "100.64.7.208/28", "100.64.7.224/28"),
		}},
		{"192.168.2.0/23", Layout{
			Private: prefixes("192.168.2.0/26", "192.168.2.64/26", "192.168.2.128/26"),
			Public:  prefixes("192.168.2.192/27", "192.168.2.224/27", "192.168.3.0/27"),
			Data:    prefixes("192.168.3.32/28", "192.168.3.48/28", "192.168.3.64/28"),
		}},
		{"10.9.8.0/24", Layout{
			Private: prefixes("10.9.8.0/27", "10.9.8.32/27", "10.9.8.64/27"),
			Public:  prefixes("10.9.8.96/27", "10.9.8.128/27", "10.9.8.160/27"),
			Data:    prefixes("10.9.8.192/28", "10.9.8.208/28", "10.9.8.224/28"),
		}},
	} {
		for zones := 2; zones <= 3; zones++ {
			got, err := Plan(netip.MustParsePrefix(test.cidr), zones)
			if err != nil {
				t.Errorf("%s over %d zones: %v", test.cidr, zones, err)
				continue
			}
			want := Layout{Public: test.want.Public[:zones], Private: test.want.Private[:zones], Data: test.want.Data[:zones]}
			if diff := cmp.Diff(want, got, comparePrefix); diff != "" {
				t.Errorf("%s over %d zones (-want +got):\n%s", test.cidr, zones, diff)
			}
		}
	}
}

func TestPlanRefuses(t *testing.T) {
	for _, test := range []struct {
		why   string
		cidr  string
		zones int
		want  string
	}{
		{"one zone has no balancer", "10.0.0.0/16", 1, "zones must be 2 or 3, got 1"},
		{"no zone", "10.0.0.0/16", 0, "zones must be 2 or 3, got 0"},
		{"too many zones", "10.0.0.0/16", 5, "zones must be 2 or 3, got 5"},
		{"host bits", "10.0.0.1/16", 2, "10.0.0.1/16 has host bits set; did you mean 10.0.0.0/16?"},
		{"too small for three zones", "10.0.0.0/25", 2,
			"between /16 (the largest VPC) and /24 (the smallest that holds three zones), got 10.0.0.0/25"},
		{"larger than AWS makes", "10.0.0.0/15", 2, "between /16"},
		{"IPv6", "fd00::/16", 2, "must be an IPv4 range such as 10.0.0.0/16, got fd00::/16"},
		{"public addresses", "8.8.0.0/16", 2, "because other addresses are public, got 8.8.0.0/16"},
		{"beyond the private range", "172.32.0.0/16", 2, "got 172.32.0.0/16"},
		{"beyond the shared range", "100.128.0.0/16", 2, "got 100.128.0.0/16"},
	} {
		_, err := Plan(netip.MustParsePrefix(test.cidr), test.zones)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: want an error with %q, got %v", test.why, test.want, err)
		}
	}
	if _, err := Plan(netip.Prefix{}, 2); err == nil {
		t.Error("no range at all was taken")
	}
}

// judge names everything that is wrong with a layout.
func judge(t *testing.T, cidr netip.Prefix, zones int, l Layout) {
	t.Helper()
	var all []netip.Prefix
	for _, kind := range []struct {
		name     string
		subnets  []netip.Prefix
		smallest int
	}{{"private", l.Private, 27}, {"public", l.Public, 27}, {"data", l.Data, 28}} {
		if len(kind.subnets) != zones {
			t.Errorf("%s over %d zones: %d %s subnets", cidr, zones, len(kind.subnets), kind.name)
		}
		for _, s := range kind.subnets {
			if s != s.Masked() || s.Bits() < cidr.Bits() || !cidr.Contains(s.Addr()) {
				t.Errorf("%s: %s subnet %s is not within it", cidr, kind.name, s)
			}
			if s.Bits() > kind.smallest {
				t.Errorf("%s: %s subnet %s is smaller than AWS takes", cidr, kind.name, s)
			}
			for _, other := range all {
				if s.Overlaps(other) {
					t.Errorf("%s: %s and %s overlap", cidr, s, other)
				}
			}
			all = append(all, s)
		}
	}
	for i := range l.Private {
		if l.Private[i].Bits() > l.Public[i].Bits() || l.Private[i].Bits() > l.Data[i].Bits() {
			t.Errorf("%s: private %s is not the largest: %s, %s", cidr, l.Private[i], l.Public[i], l.Data[i])
		}
	}
}

// judgeGrowth names every subnet that a third zone would move.
func judgeGrowth(t *testing.T, cidr netip.Prefix, two Layout) {
	t.Helper()
	three, err := Plan(cidr, 3)
	if err != nil {
		t.Fatalf("%s holds two zones but not three: %v", cidr, err)
	}
	kept := Layout{Public: three.Public[:2], Private: three.Private[:2], Data: three.Data[:2]}
	if diff := cmp.Diff(two, kept, comparePrefix); diff != "" {
		t.Errorf("%s: a third zone moves subnets (-two +three):\n%s", cidr, diff)
	}
}

func TestEverySizeOfVPCIsDivided(t *testing.T) {
	for bits := 16; bits <= 24; bits++ {
		cidr := netip.PrefixFrom(netip.MustParseAddr("10.20.0.0"), bits)
		for zones := 2; zones <= 3; zones++ {
			layout, err := Plan(cidr, zones)
			if err != nil {
				t.Errorf("%s over %d zones: %v", cidr, zones, err)
				continue
			}
			judge(t, cidr, zones, layout)
			if zones == 2 {
				judgeGrowth(t, cidr, layout)
			}
		}
	}
}

func FuzzPlan(f *testing.F) {
	f.Add([]byte{10, 0, 0, 0}, 16, 2)
	f.Add([]byte{192, 168, 2, 0}, 23, 3)
	f.Add([]byte{172, 31, 255, 0}, 24, 3)
	f.Add([]byte{100, 127, 255, 255}, 32, 4)
	f.Add([]byte{0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 64, 2)
	f.Add([]byte{}, -1, 0)
	f.Fuzz(func(t *testing.T, address []byte, bits, zones int) {
		addr, _ := netip.AddrFromSlice(address)
		cidr := netip.PrefixFrom(addr, bits)
		layout, err := Plan(cidr, zones)
		if err != nil {
			good := cidr.IsValid() && addr.Is4() && addr.IsPrivate() && cidr == cidr.Masked() && bits >= 16 && bits <= 24
			if good && (zones == 2 || zones == 3) {
				t.Errorf("%s over %d zones was refused: %v", cidr, zones, err)
			}
			if diff := cmp.Diff(Layout{}, layout, comparePrefix); diff != "" {
				t.Errorf("%s: an error and a layout:\n%s", cidr, diff)
			}
			return
		}
		judge(t, cidr, zones, layout)
		if zones == 2 {
			judgeGrowth(t, cidr, layout)
		}
	})
}
