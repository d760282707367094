package network_test

import (
	"fmt"
	"net/netip"

	"slipway/network"
)

// A /16 over two zones: the third zone's ranges stay free.
func ExamplePlan() {
	layout, err := network.Plan(netip.MustParsePrefix("10.0.0.0/16"), 2)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("public ", layout.Public)
	fmt.Println("private", layout.Private)
	fmt.Println("data   ", layout.Data)
	// Output:
	// public  [10.0.192.0/20 10.0.208.0/20]
	// private [10.0.0.0/18 10.0.64.0/18]
	// data    [10.0.240.0/22 10.0.244.0/22]
}

// Mistakes are reported before anything is created.
func ExamplePlan_mistake() {
	_, err := network.Plan(netip.MustParsePrefix("10.0.0.1/16"), 2)
	fmt.Println(err)
	// Output: network: cidr 10.0.0.1/16 has host bits set; did you mean 10.0.0.0/16?
}

// What may a worker connect to in a network without NAT?
func ExampleRules() {
	for _, r := range network.Rules(network.None, false, true, network.Ports{Web: 8080, Data: 5432}) {
		if r.From == network.Work {
			fmt.Printf("%s:%d %s\n", r.To, r.Port, r.Why)
		}
	}
	// Output:
	// data:5432 Postgres
	// endpoints:443 AWS services, through endpoints in the VPC
	// s3:443 image layers, media, session logs, through the gateway endpoint
}
