package reach

import (
	"fmt"
	"net/netip"
	"strings"
)

// A Question asks whether From can open a connection to To.
type Question struct {
	From     Node // Kind Internet: a client somewhere on the internet
	To       To
	Port     uint16
	Protocol string // default "tcp"
}

// To is a destination. Exactly one of Node, Address and Name is set.
type To struct {
	Node    *Node
	Address netip.Addr
	Name    string  // a host name
	Service Service // the AWS service that the name belongs to
}

// An Answer is the path, or what stops it.
type Answer struct {
	From string `json:"from"`
	To   string `json:"to"`
	Port uint16 `json:"port"`
	Open bool   `json:"open"`
	// Path is the path from the first place of the source, or the first blocked one. If it is blocked, it is the path that the
	// repairs would open.
	Path []Hop `json:"path"`
	// Blocks are all settings that would have to change. No part of them is enough.
	Blocks []Block `json:"blocks,omitempty"`
}

// A Hop is one step of a path.
type Hop struct {
	At     string `json:"at"`     // "subnet network-private-a"
	Detail string `json:"detail"` // "route 0.0.0.0/0 -> NAT gateway network-nat-a"
}

// A Block is a setting that stops the connection.
type Block struct {
	At     string `json:"at"`  // "security group network-web"
	Why    string `json:"why"` // "no egress rule for tcp 443 to logs.us-east-1.amazonaws.com"
	Repair Repair `json:"repair"`
}

func (b Block) String() string { return b.At + ": " + b.Why }

func (a Answer) String() string {
	var b strings.Builder
	state := "open"
	if !a.Open {
		state = "blocked"
	}
	fmt.Fprintf(&b, "%s -> %s:%d: %s\n", a.From, a.To, a.Port, state)
	for _, h := range a.Path {
		fmt.Fprintf(&b, "  %s: %s\n", h.At, h.Detail)
	}
	for _, x := range a.Blocks {
		fmt.Fprintf(&b, "  blocked by %s\n    fix: %s\n", x, x.Repair)
	}
	return b.String()
}
