package drift

import (
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
