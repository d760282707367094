package main

import (
	"encoding/json"
	"path/filepath"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"

	"slipway/rehearsal/cloud"
)

// reserve STACK N TYPE JSON takes N objects of the account for something else than the stack.
func reserve(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: reserve stack n type json")
	}
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	account, err := cloud.Open(ts.MkAbs(filepath.Join(".slipway", args[0], "model.json")), cloud.Options{})
	ts.Check(err)
	defer account.Close()
	for i := range n {
		var inputs map[string]any
		ts.Check(json.Unmarshal([]byte(args[3]), &inputs))
		urn := "urn:pulumi:x::x::" + args[2] + "::elsewhere-" + strconv.Itoa(i)
		id, _, err := account.Create(cloud.Change{Type: args[2], URN: urn, Inputs: inputs})
		ts.Check(err)
		ts.Check(account.Alter(args[2], id, func(o *cloud.Object) { o.URN, o.Seeded = "", true }))
	}
}
