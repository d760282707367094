package operation

import (
	"context"
	"errors"
	"testing"

	"slipway/engine"
	"slipway/operation/account"
)

// versions is a StateHistory, the newest version first.
type versions []string

func (v versions) StateVersions(_ context.Context, _ string, visit func(account.StateVersion) bool) error {
	for i, data := range v {
		if !visit(account.StateVersion{ID: data, Latest: i == 0, Data: []byte(data)}) {
			break
		}
	}
	return nil
}

// The newest version that can be read is found among damaged ones. A sound state and a deleted one are not restored.
func TestRestorable(t *testing.T) {
	const good, older = `{"version": 3, "checkpoint": {"latest": {"resources": [{"urn": "urn:pulumi:dev::site::a::b"}]}}}`,
		`{"version": 3, "checkpoint": {}}`
	for _, c := range []struct {
		name  string
		in    versions
		newer int
		err   error
	}{
		{"cut short twice", versions{"", good[:len(good)/2], good, older}, 2, nil},
		{"sound", versions{good, older}, 0, errSound},
		{"deleted, or never there", nil, 0, engine.ErrNoStack},
	} {
		t.Run(c.name, func(t *testing.T) {
			v, err := restorable(t.Context(), c.in, "key")
			if !errors.Is(err, c.err) {
				t.Fatalf("the error is %v, want %v", err, c.err)
			}
			if c.err == nil && (v.ID != good || string(v.data) != good || v.Newer != c.newer || v.Resources != 1) {
				t.Errorf("found %+v", v)
			}
		})
	}
	if v, err := restorable(t.Context(), versions{"nonsense", ""}, "key"); err == nil || errors.Is(err, engine.ErrNoStack) {
		t.Errorf("of a state that was never sound it finds %v, %v", v, err)
	}
}
