package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"slipway/rehearsal/cloud"
)

// A permission is one statement of a policy.
type permission struct {
	Sid, Effect      string
	Action, Resource oneOrMore
}

type oneOrMore []string

func (o *oneOrMore) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*o = oneOrMore{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(o))
}

// bounded STACK checks that every role of a stack in the model, but those of its workflows, has the stack's permissions
// boundary, and that all that its own policies allow lies within: the rest would be refused while the site runs.
func bounded(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: bounded stack")
	}
	account, err := cloud.Open(ts.MkAbs(filepath.Join(".slipway", args[0], "model.json")), cloud.Options{})
	ts.Check(err)
	defer account.Close()
	read := func(o *cloud.Object) []permission {
		var document struct{ Statement []permission }
		ts.Check(json.Unmarshal([]byte(fmt.Sprint(o.Inputs["policy"])), &document))
		return document.Statement
	}
	name := "slipway-" + args[0] + "-"
	boundary := fmt.Sprintf("arn:aws:iam::%s:policy/%sboundary", account.AccountID, name)
	var limits []permission
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
				if outside := p.outside(limits); outside != "" {
					ts.Fatalf("%s of role %v allows what the boundary does not: %s", p.Sid, o.Inputs["role"], outside)
				}
			}
		case "aws:iam/rolePolicyAttachment:RolePolicyAttachment":
			policy := fmt.Sprint(o.Inputs["policyArn"])
			workflows := strings.Contains(policy, name+"deploy-") || strings.Contains(policy, name+"read-")
			if known := []string{"AmazonSSMManagedInstanceCore", "AmazonRDSEnhancedMonitoringRole"}; !workflows && !slices.Contains(known, policy[strings.LastIndex(policy, "/")+1:]) {
				ts.Fatalf("role %v has %s; see that the boundary holds it", o.Inputs["role"], policy)
			}
		}
	}
	if roles < 5 || statements < 10 {
		ts.Fatalf("%d roles and %d statements are too few to say anything", roles, statements)
	}
}

// outside is an action and a resource that limits do not allow together, "" if there is none.
func (p permission) outside(limits []permission) string {
	for _, action := range p.Action {
		for _, resource := range p.Resource {
			if !slices.ContainsFunc(limits, func(limit permission) bool {
				return limit.Effect == "Allow" && slices.Contains(limit.Action, action) && slices.ContainsFunc(limit.Resource, func(pattern string) bool {
					return regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, ".*") + "$").MatchString(resource)
				})
			}) {
				return action + " on " + resource
			}
		}
	}
	return ""
}
