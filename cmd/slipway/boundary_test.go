package main

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"slipway/internal/policy"
	"slipway/rehearsal/cloud"
)

// bounded STACK checks that every role of a stack in the model, but those of its workflows, has the stack's permissions
// boundary, and that all that its own policies allow lies within: the rest would be refused while the site runs.
func bounded(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: bounded stack")
	}
	account, err := cloud.Open(ts.MkAbs(filepath.Join(".slipway", args[0], "model.json")), cloud.Options{})
	ts.Check(err)
	defer account.Close()
	read := func(o *cloud.Object) []policy.ParsedStatement {
		statements, err := policy.Parse(fmt.Sprint(o.Inputs["policy"]))
		ts.Check(err)
		return statements
	}
	name := "slipway-" + args[0] + "-"
	boundary := fmt.Sprintf("arn:aws:iam::%s:policy/%sboundary", account.AccountID, name)
	var limits []policy.ParsedStatement
	for _, o := range account.Objects() {
		if o.Type == "aws:iam/policy:Policy" && o.Outputs["arn"] == boundary {
			limits = read(o)
		}
	}
	roles, statements := 0, 0
	for _, o := range account.Objects() {
		switch o.Type {
		case "aws:iam/role:Role":
			roles++
			workflows := o.ID == name+"deploy" || o.ID == name+"read"
			if given := o.Inputs["permissionsBoundary"]; !workflows && given != boundary {
				ts.Fatalf("role %s has the boundary %v, want %s", o.ID, given, boundary)
			}
		case "aws:iam/rolePolicy:RolePolicy":
			for _, p := range read(o) {
				statements++
				if outside := outside(p, limits); outside != "" {
					ts.Fatalf("%s of role %v allows what the boundary does not: %s", p.Sid, o.Inputs["role"], outside)
				}
			}
		case "aws:iam/rolePolicyAttachment:RolePolicyAttachment":
			attached := fmt.Sprint(o.Inputs["policyArn"])
			workflows := strings.Contains(attached, name+"deploy-") || strings.Contains(attached, name+"read-")
			if known := []string{"AmazonSSMManagedInstanceCore", "AmazonRDSEnhancedMonitoringRole"}; !workflows &&
				!slices.Contains(known, attached[strings.LastIndex(attached, "/")+1:]) {
				ts.Fatalf("role %v has %s; see that the boundary holds it", o.Inputs["role"], attached)
			}
		}
	}
	if roles < 5 || statements < 10 {
		ts.Fatalf("%d roles and %d statements are too few to prove anything", roles, statements)
	}
}

// outside is an action and a resource that limits do not allow together, "" if there is none.
func outside(p policy.ParsedStatement, limits []policy.ParsedStatement) string {
	for _, action := range p.Action {
		for _, resource := range p.Resource {
			if !slices.ContainsFunc(limits, func(limit policy.ParsedStatement) bool {
				return limit.Effect == "Allow" && slices.Contains(limit.Action, action) &&
					slices.ContainsFunc(limit.Resource, func(pattern string) bool {
						return regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, ".*") + "$").MatchString(resource)
					})
			}) {
				return action + " on " + resource
			}
		}
	}
	return ""
}
