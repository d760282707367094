package site

import (
	"fmt"
	"strings"
	"testing"

	"slipway/internal/graph"
	"slipway/internal/policy"
)

// read is the policy in a resource's input. What cannot be read is a statement that no rule lets pass.
func read(input any) []policy.ParsedStatement {
	if input == nil {
		return nil
	}
	statements, err := policy.Parse(fmt.Sprint(input))
	if err != nil {
		return []policy.ParsedStatement{{Sid: "Unreadable", Effect: "Allow", Action: policy.Many{"*"}, Resource: policy.Many{"*"},
			Principal: map[string]policy.Many{"AWS": {"*"}}}}
	}
	return statements
}

// granting are the types with identity policies, and the input that holds the policy.
var granting = []string{"aws:iam/rolePolicy:RolePolicy", "aws:iam/policy:Policy"}

// eachGrant checks every permission of an identity.
func eachGrant(wrong func(r graph.Resource, s policy.ParsedStatement) string) rule {
	return func(g graph.Graph) []offender {
		var found []offender
		seen := 0
		for _, token := range granting {
			for _, r := range g.Of(token) {
				if bounds(r) {
					continue
				}
				for _, s := range read(r.Input("policy")) {
					if s.Effect != "Allow" {
						continue
					}
					seen++
					if why := wrong(r, s); why != "" {
						found = append(found, offender{r.Type, r.Name, s.Sid + " " + why})
					}
				}
			}
		}
		if seen == 0 {
			return []offender{{granting[0], "", "nothing is granted"}}
		}
		return found
	}
}

// deploys reports whether a policy is the deploy role's, and looks whether it is the read role's.
func deploys(r graph.Resource) bool { return strings.HasPrefix(r.Name, "github-") && !looks(r) }
func looks(r graph.Resource) bool   { return strings.HasPrefix(r.Name, "github-read-") }

// bounds reports whether a policy is the permissions boundary, which grants nothing: it limits what others grant.
func bounds(r graph.Resource) bool { return r.Name == "boundary" }

func TestEveryStatementSaysWhatItIsFor(t *testing.T) {
	everywhere(t, func(_ graph.Graph, r graph.Resource) string {
		for _, input := range []string{"policy", "assumeRolePolicy"} {
			text, ok := r.Input(input).(string)
			if !ok || !strings.Contains(text, `"Statement"`) {
				continue
			}
			seen := map[string]bool{}
			for _, s := range read(text) {
				if s.Sid == "" || seen[s.Sid] {
					return fmt.Sprintf("has a statement named %q in %s, or two", s.Sid, input)
				}
				seen[s.Sid] = true
			}
		}
		return ""
	})
}

// The policies of the workflows and the boundary name tags, buckets, a cluster and a role of the stack. They must
// match what the stack creates: a key with other tags could be created, and then not be changed.
func TestTheWorkflowsPoliciesAreForWhatTheStackMakes(t *testing.T) {
	for _, stack := range published {
		g := declared(t, stack, nil)
		tags, _ := g.Named("pulumi:providers:aws", "aws").Input("defaultTags.tags").(map[string]any)
		prefixes := map[string]bool{}
		for _, r := range g.Of(bucketType) {
			prefixes[fmt.Sprint(r.Input("bucketPrefix"))] = true
		}
		writer, cluster := g.Named(roleType, "subscription-writer").Input("name"), g.Named(clusterType, "cluster").Input("name")
		seen := map[string]int{}
		for _, r := range g.Of("aws:iam/policy:Policy") {
			for _, s := range read(r.Input("policy")) {
				for operator, keys := range s.Condition {
					for key, values := range keys {
						where, tag, _ := strings.Cut(key, "/")
						if s.Effect == "Allow" && operator != "Null" && (where == "aws:ResourceTag" || where == "aws:RequestTag") {
							seen["tag"]++
							if len(values) != 1 || values[0] != tags[tag] {
								t.Errorf("%s: %s requires %s to be %v, the provider's tags are %v", stack, s.Sid, key, values, tags)
							}
						}
						if key == "ecs:cluster" {
							seen["cluster"]++
							if len(values) != 1 || !strings.HasSuffix(values[0], fmt.Sprintf(":cluster/%v", cluster)) {
								t.Errorf("%s: %s is for %v, the cluster is %v", stack, s.Sid, values, cluster)
							}
						}
					}
				}
				for _, resource := range s.Resource {
					switch {
					case s.Sid == "KeepBuckets" && deploys(r):
						prefix := strings.TrimSuffix(strings.TrimPrefix(resource, "arn:aws:s3:::"), "*")
						if !prefixes[prefix] {
							t.Errorf("%s: %s is for %s, which no bucket of the stack is called", stack, s.Sid, resource)
						}
						delete(prefixes, prefix)
					case s.Sid == "PassSubscriptionRole":
						seen["writer"]++
						if !strings.HasSuffix(resource, fmt.Sprintf(":role/%v", writer)) {
							t.Errorf("%s: %s is for %s, the role is %v", stack, s.Sid, resource, writer)
						}
					}
				}
			}
		}
		if len(prefixes) > 0 {
			t.Errorf("%s: the deploy role may not make the buckets %v", stack, prefixes)
		}
		if seen["tag"] < 10 || seen["cluster"] != 2 || seen["writer"] != 1 {
			t.Errorf("%s: too little was looked at: %v", stack, seen)
		}
		for _, r := range g.Of(keyType) {
			if r.Input("tags") != nil {
				t.Errorf("%s: key %s has tags of its own: %v", stack, r.Name, r.Input("tags"))
			}
		}
	}
}
