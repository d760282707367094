package drift

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
)

// rules are those of a database.
type rules struct{}

func (rules) ManagedByAWS(_, path string) bool { return path == "latestRestorableTime" }
func (rules) Missing(string) string            { return "up makes an empty database; restore a snapshot first" }
func (rules) Dangerous(_, path string, from, to any) string {
	if path == "multiAz" && from == true && to == false {
		return "the database is less protected"
	}
	return ""
}

func TestDriftOfAResource(t *testing.T) {
	const database = "aws:rds/instance:Instance"
	state := func(outputs map[string]any) *apitype.StepEventStateMetadata {
		return &apitype.StepEventStateMetadata{Type: database, ID: "db-1", Custom: true, Outputs: outputs}
	}
	secret := map[string]any{"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "a"}
	other := map[string]any{"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "b"}
	meta := func(op apitype.OpType, old, is *apitype.StepEventStateMetadata) apitype.StepEventMetadata {
		return apitype.StepEventMetadata{Op: op, URN: "urn:pulumi:dev::shop::" + database + "::database", Type: database, Old: old, New: is}
	}
	found := func(class Class, why string, properties ...Difference) *Resource {
		return &Resource{URN: "urn:pulumi:dev::shop::" + database + "::database", Type: database, Name: "database", ID: "db-1", Class: class,
			Why: why, Properties: properties}
	}
	for _, c := range []struct {
		name string
		meta apitype.StepEventMetadata
		want *Resource
	}{
		{"as it was", meta(apitype.OpSame, state(map[string]any{"port": 5432.0}), state(map[string]any{"port": 5432.0})), nil},
		{"an input that was not set is empty now", meta(apitype.OpUpdate, state(map[string]any{}),
			state(map[string]any{"tags": map[string]any{}, "domain": ""})), nil},
		{"an output that AWS changes automatically", meta(apitype.OpUpdate, state(map[string]any{"latestRestorableTime": "1"}),
			state(map[string]any{"latestRestorableTime": "2"})), nil},
		{"gone", meta(apitype.OpDelete, state(nil), nil),
			found(Missing, "it was deleted outside Slipway; up makes an empty database; restore a snapshot first")},
		{"the worst comes first", meta(apitype.OpUpdate, state(map[string]any{"tags": map[string]any{"a": "1", "b.c": "1"}, "multiAz": true}),
			state(map[string]any{"tags": map[string]any{"a": "2"}, "multiAz": false})),
			found(Dangerous, "the database is less protected",
				Difference{Path: "multiAz", From: true, To: false, Class: Dangerous, Why: "the database is less protected"},
				Difference{Path: "tags.a", From: "1", To: "2"}, Difference{Path: `tags["b.c"]`, From: "1"})},
		{"a secret is not shown", meta(apitype.OpUpdate, state(map[string]any{"password": secret}), state(map[string]any{"password": other})),
			found(Harmless, "", Difference{Path: "password", From: "[secret]", To: "[secret]"})},
		{"what is put right by a replacement", func() apitype.StepEventMetadata {
			m := meta(apitype.OpUpdate, state(map[string]any{"username": "a"}), state(map[string]any{"username": "b"}))
			m.DetailedDiff = map[string]apitype.PropertyDiff{"username": {Kind: apitype.DiffUpdateReplace}}
			return m
		}(), found(Replaced, "putting it right replaces the resource",
			Difference{Path: "username", From: "a", To: "b", Class: Replaced, Why: "putting it right replaces the resource"})},
		{"a component is nothing in itself", apitype.StepEventMetadata{Type: "slipway:x:Y", Old: &apitype.StepEventStateMetadata{},
			Op: apitype.OpDelete}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, resourceOf(rules{}, c.meta)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestDifferencesThatAnUpTookIntoTheState(t *testing.T) {
	const urn = "urn:pulumi:dev::shop::aws:ec2/securityGroup:SecurityGroup::data"
	open := []any{map[string]any{"fromPort": 5432.0}}
	taken := []Resource{{URN: urn, ID: "sg-1", Properties: []Difference{
		{Path: "ingress", From: []any{}, To: open}, {Path: `tags["a.b"]`, To: "1"}}}}
	both := map[string]any{"ingress": open, "tags": map[string]any{"a.b": "1"}}
	undone := map[string]any{"ingress": []any{}, "tags": both["tags"]}
	for _, c := range []struct {
		name             string
		id               string
		inputs, old, new map[string]any
		held, found      []string // paths
	}{
		{"all still there", "sg-1", nil, both, both, []string{"ingress", `tags["a.b"]`}, []string{"ingress", `tags["a.b"]`}},
		{"one undone where it was done", "sg-1", nil, both, undone, []string{"ingress", `tags["a.b"]`}, []string{`tags["a.b"]`}},
		{"one undone, and read since", "sg-1", nil, undone, undone, []string{`tags["a.b"]`}, []string{`tags["a.b"]`}},
		{"one put into the program", "sg-1", map[string]any{"tags": both["tags"]}, both, both, []string{"ingress"}, []string{"ingress"}},
		{"another resource of the name", "sg-2", nil, both, both, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			paths := func(all []Resource) (of []string) {
				for _, r := range all {
					for _, d := range r.Properties {
						of = append(of, d.Path)
					}
				}
				return of
			}
			state := func(outputs map[string]any) *apitype.StepEventStateMetadata {
				return &apitype.StepEventStateMetadata{ID: c.id, Custom: true, Inputs: c.inputs, Outputs: outputs}
			}
			before, _ := json.Marshal(c.old)
			steps, held := Without(taken, []apitype.StepEventMetadata{{Op: apitype.OpSame, URN: urn, Old: state(c.old), New: state(c.new)}})
			if diff := cmp.Diff(c.held, paths(held)); diff != "" {
				t.Errorf("held (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.found, paths(Of(rules{}, steps))); diff != "" {
				t.Errorf("found (-want +got):\n%s", diff)
			}
			if after, _ := json.Marshal(c.old); string(after) != string(before) {
				t.Errorf("the caller's steps were changed: %s", after)
			}
		})
	}
}
