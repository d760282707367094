package drift

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// Without undoes, in the steps of a refresh, what an up took into the state because it read the account: the old value of each taken
// difference is again what it was before the manual change, so that Of still finds the change. It also returns the differences that
// the state still holds. Those that the program sets by now are no drift.
func Without(taken []Resource, steps []apitype.StepEventMetadata) (without []apitype.StepEventMetadata, held []Resource) {
	without = slices.Clone(steps)
	for _, r := range taken {
		i := slices.IndexFunc(without, func(s apitype.StepEventMetadata) bool { return s.URN == r.URN })
		if i < 0 || without[i].Old == nil || without[i].Old.ID != r.ID {
			continue
		}
		old := *without[i].Old
		r.Properties = slices.DeleteFunc(slices.Clone(r.Properties), func(d Difference) bool {
			path, err := resource.ParsePropertyPath(d.Path)
			input, _ := resource.ParsePropertyPath(strings.Replace(d.Path, "tagsAll", "tags", 1)) // the program sets tags
			return err != nil || d.To == "[secret]" || !same(value(old.Outputs, path), d.To) ||
				d.To != nil && same(value(old.Inputs, input), d.To)
		})
		for _, d := range r.Properties {
			path, _ := resource.ParsePropertyPath(d.Path)
			old.Outputs = set(old.Outputs, path, d.From)
		}
		without[i].Old = &old
		if len(r.Properties) > 0 {
			held = append(held, r)
		}
	}
	return without, held
}

// value is the value at a path; nil if there is none.
func value(of any, path resource.PropertyPath) any {
	for _, name := range path {
		m, _ := of.(map[string]any)
		key, _ := name.(string)
		of = m[key]
	}
	return of
}

// set is a copy of a map with another value at a path.
func set(of map[string]any, path resource.PropertyPath, to any) map[string]any {
	key, _ := path[0].(string)
	of = maps.Clone(of)
	if len(path) > 1 {
		inner, _ := of[key].(map[string]any)
		to = set(inner, path[1:], to)
	}
	if of == nil {
		of = map[string]any{}
	}
	of[key] = to
	return of
}

// same compares a value with one that was stored as JSON.
func same(a, b any) bool {
	if empty(a) && empty(b) {
		return true
	}
	x, err := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return err == nil && err2 == nil && string(x) == string(y)
}
