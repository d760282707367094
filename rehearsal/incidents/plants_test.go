package incidents_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"slipway/rehearsal/cloud"
)

// A plant changes the account.
type plant func(t *testing.T, a *cloud.Account)

// named finds the object that a program calls name; several types may share one.
func named(t *testing.T, a *cloud.Account, kind, name string) *cloud.Object {
	t.Helper()
	for _, o := range a.Objects() {
		if strings.HasSuffix(o.URN, "::"+name) && strings.HasSuffix(o.Type, ":"+kind) {
			return o
		}
	}
	t.Fatalf("the site has no %s %s", kind, name)
	return nil
}

// set changes a property.
func set(kind, name, property string, value any) plant {
	return func(t *testing.T, a *cloud.Account) {
		t.Helper()
		o := named(t, a, kind, name)
		must(t, a.Alter(o.Type, o.ID, func(o *cloud.Object) { o.Inputs[property], o.Outputs[property] = value, value }))
	}
}

type statement = map[string]any

// edit changes the statements of the policy in a property.
func edit(kind, name, property string, change func(t *testing.T, all []statement) []statement) plant {
	return func(t *testing.T, a *cloud.Account) {
		t.Helper()
		o := named(t, a, kind, name)
		text, _ := o.Outputs[property].(string)
		var document struct {
			Version   string
			Statement []statement
		}
		must(t, json.Unmarshal([]byte(text), &document))
		before := len(text)
		document.Statement = change(t, document.Statement)
		edited, err := json.Marshal(document)
		must(t, err)
		if len(edited) == before && string(edited) == text {
			t.Fatalf("%s %s is as before", kind, name)
		}
		set(kind, name, property, string(edited))(t, a)
	}
}

// without removes the statement with a Sid.
func without(kind, name, property, sid string) plant {
	return edit(kind, name, property, func(t *testing.T, all []statement) []statement {
		t.Helper()
		left := slices.DeleteFunc(slices.Clone(all), func(s statement) bool { return s["Sid"] == sid })
		if len(left) == len(all) {
			t.Fatalf("%s %s has no statement %s", kind, name, sid)
		}
		return left
	})
}

// replaced replaces text in a policy.
func replaced(kind, name, property, old, now string) plant {
	return func(t *testing.T, a *cloud.Account) {
		t.Helper()
		text, _ := named(t, a, kind, name).Outputs[property].(string)
		if !strings.Contains(text, old) {
			t.Fatalf("%s %s does not contain %s:\n%s", kind, name, old, text)
		}
		set(kind, name, property, strings.ReplaceAll(text, old, now))(t, a)
	}
}

// added adds a statement.
func added(kind, name, property string, s statement) plant {
	return edit(kind, name, property, func(_ *testing.T, all []statement) []statement { return append(all, s) })
}

// denyPut is a statement that denies uploads by their header for encryption.
func denyPut(sid, operator, value string) statement {
	return statement{"Sid": sid, "Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": "*",
		"Condition": statement{operator: statement{"s3:x-amz-server-side-encryption": value}}}
}

// condition replaces the conditions of a statement.
func condition(kind, name, sid string, conditions statement) plant {
	return edit(kind, name, "policy", func(t *testing.T, all []statement) []statement {
		t.Helper()
		i := slices.IndexFunc(all, func(s statement) bool { return s["Sid"] == sid })
		if i < 0 {
			t.Fatalf("%s %s has no statement %s", kind, name, sid)
		}
		all[i]["Condition"] = conditions
		return all
	})
}

func both(one, other plant) plant {
	return func(t *testing.T, a *cloud.Account) {
		t.Helper()
		one(t, a)
		other(t, a)
	}
}

// deployer replaces text in the policies of the deploy role. What it may then call instead means nothing.
func deployer(old, now string) plant {
	return func(t *testing.T, a *cloud.Account) {
		t.Helper()
		if !editDeployPolicies(t, a, old, func(text string) string { return strings.ReplaceAll(text, old, now) }) {
			t.Fatalf("the deploy role's policies do not contain %s", old)
		}
	}
}

// editDeployPolicies changes those policies of the deploy role that contain a text, and reports whether there are any.
func editDeployPolicies(t *testing.T, a *cloud.Account, containing string, edit func(document string) string) bool {
	t.Helper()
	found := false
	for _, o := range a.Objects() {
		text := cloud.Inputs(o.Outputs).String("policy")
		if o.Type != "aws:iam/policy:Policy" || !strings.HasPrefix(cloud.Inputs(o.Outputs).String("name"), deploy.Role) ||
			!strings.Contains(text, containing) {
			continue
		}
		found = true
		edited := edit(text)
		must(t, a.Alter(o.Type, o.ID, func(o *cloud.Object) { o.Inputs["policy"], o.Outputs["policy"] = edited, edited }))
	}
	return found
}

// mayNot takes actions from the deploy role.
func mayNot(actions ...string) plant {
	return func(t *testing.T, a *cloud.Account) {
		t.Helper()
		for _, action := range actions {
			deployer(`"`+action+`"`, `"sts:GetCallerIdentity"`)(t, a)
		}
	}
}

// onlyOn limits the statements that let the deploy role do something to a resource.
func onlyOn(action, resource string) plant {
	return func(t *testing.T, a *cloud.Account) {
		t.Helper()
		found := 0
		editDeployPolicies(t, a, action, func(text string) string {
			var document map[string]any
			must(t, json.Unmarshal([]byte(text), &document))
			for _, s := range document["Statement"].([]any) {
				s := s.(statement)
				if actions, _ := s["Action"].([]any); s["Effect"] == "Allow" && slices.Contains(actions, any(action)) {
					s["Resource"] = resource
					found++
				}
			}
			edited, err := json.Marshal(document)
			must(t, err)
			return string(edited)
		})
		if found == 0 {
			t.Fatalf("no statement lets the deploy role %s", action)
		}
	}
}

// unset removes a property.
func unset(kind, name, property string) plant {
	return func(t *testing.T, a *cloud.Account) {
		t.Helper()
		o := named(t, a, kind, name)
		if o.Inputs[property] == nil {
			t.Fatalf("%s %s has no %s", kind, name, property)
		}
		must(t, a.Alter(o.Type, o.ID, func(o *cloud.Object) { delete(o.Inputs, property); delete(o.Outputs, property) }))
	}
}
