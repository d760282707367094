package main

import (
	"path/filepath"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"

	"slipway/rehearsal/cloud"
)

// reserve STACK N takes addresses of the account for something else.
func reserve(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: reserve stack n")
	}
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	account, err := cloud.Open(ts.MkAbs(filepath.Join(".slipway", args[0], "model.json")), cloud.Options{})
	ts.Check(err)
	defer account.Close()
	const address = "aws:ec2/eip:Eip"
	for i := range n {
		id, _, err := account.Create(cloud.Change{Type: address, URN: "urn:pulumi:x::x::" + address + "::elsewhere-" + strconv.Itoa(i),
			Inputs: map[string]any{"domain": "vpc"}})
		ts.Check(err)
		ts.Check(account.Alter(address, id, func(o *cloud.Object) { o.URN, o.Seeded = "", true }))
	}
}
