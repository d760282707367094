package site

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"

	"slipway/internal/graph"
)

// many are the values of a policy's field, which may be written as one.
type many []string

func (m *many) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*m = many{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(m))
}

type statement struct {
	Sid, Effect      string
	Action, Resource many
	Principal        map[string]many
	Condition        map[string]map[string]many
}

// allows reports whether the statement's actions take in the one.
func (s statement) allows(action string) bool {
	return slices.ContainsFunc(s.Action, func(a string) bool {
		ok, err := path.Match(a, action)
		return ok || err != nil
	})
}

// read is the policy in a resource's input. What cannot be read is a statement that no rule lets pass.
func read(input any) []statement {
	if input == nil {
		return nil
	}
	var document struct{ Statement []statement }
	if err := json.Unmarshal([]byte(fmt.Sprint(input)), &document); err != nil {
		return []statement{{Sid: "Unreadable", Effect: "Allow", Action: many{"*"}, Resource: many{"*"}, Principal: map[string]many{"AWS": {"*"}}}}
	}
	return document.Statement
}

// granting are the types whose input says what an identity may do.
var granting = []string{"aws:iam/rolePolicy:RolePolicy", "aws:iam/policy:Policy"}

// eachGrant asks about every permission of an identity.
func eachGrant(wrong func(r graph.Resource, s statement) string) rule {
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
