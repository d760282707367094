package site

import (
	"fmt"
	"strings"
	"testing"

	"slipway/internal/graph"
	"slipway/internal/policy"
)

// read is the policy in a resource's input. What cannot be read is a statement that no rule lets pass.
func read(input any) []policy.Told {
	if input == nil {
		return nil
	}
	told, err := policy.Read(fmt.Sprint(input))
	if err != nil {
		return []policy.Told{{Sid: "Unreadable", Effect: "Allow", Action: policy.Many{"*"}, Resource: policy.Many{"*"}, Principal: map[string]policy.Many{"AWS": {"*"}}}}
	}
	return told
}

// granting are the types whose input says what an identity may do.
var granting = []string{"aws:iam/rolePolicy:RolePolicy", "aws:iam/policy:Policy"}

// eachGrant asks about every permission of an identity.
func eachGrant(wrong func(r graph.Resource, s policy.Told) string) rule {
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

// bounds reports whether a policy is the permissions boundary, which grants nothing: it is what may be granted at most.
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
