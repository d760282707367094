package cloud

import (
	"fmt"
	"net/netip"
	"strings"
)

// oneNetwork is the VPC of subnets and security groups. Its error names the first one that is in another VPC.
func oneNetwork(a *Account, subnets, groups []string) (string, error) {
	vpc, first := "", ""
	judge := func(id string, o *Object) error {
		if o == nil {
			return nil
		}
		v := Inputs(o.Outputs).String("vpcId")
		if vpc == "" {
			vpc, first = v, id
		}
		if v != vpc {
			return fmt.Errorf("%s is in %s, %s in %s", first, vpc, id, v)
		}
		return nil
	}
	for _, id := range subnets {
		if err := judge(id, find(a, "id", id, subnetType)); err != nil {
			return "", err
		}
	}
	for _, id := range groups {
		if err := judge(id, find(a, "id", id, anyGroup...)); err != nil {
			return "", err
		}
	}
	return vpc, nil
}

func hasGateway(a *Account, vpc string) bool {
	for _, g := range a.list(gatewayType) {
		if g.Outputs["vpcId"] == vpc {
			return true
		}
	}
	return false
}

func joined(blocks []netip.Prefix) string {
	var all []string
	for _, b := range blocks {
		all = append(all, b.String())
	}
	return strings.Join(all, ", ")
}

// sameVPC selects the objects of one VPC.
func sameVPC(vpc string) func(*Object) bool {
	return func(o *Object) bool { return o.Outputs["vpcId"] == vpc }
}

// withoutIPv6 is the first of several subnets that has no IPv6 addresses; "" if all have.
func withoutIPv6(a *Account, subnets []string) string {
	for _, id := range subnets {
		if s := find(a, "id", id, subnetType); s != nil && Inputs(s.Outputs).String("ipv6CidrBlock") == "" {
			return id
		}
	}
	return ""
}
