package drift

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// A Class is how bad a difference is; a greater one is worse.
type Class int

const (
	Harmless  Class = iota
	Replaced        // reverting it replaces the resource
	Dangerous       // it grants access, or removes a protection
	Missing         // the resource is gone
)

var classes = []string{"harmless", "replaced", "dangerous", "missing"}

func (c Class) String() string { return classes[c] }

// MarshalText writes the class as a word.
func (c Class) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads the word.
func (c *Class) UnmarshalText(word []byte) error {
	i := slices.Index(classes, string(word))
	if i < 0 {
		return fmt.Errorf("no class of drift: %q", word)
	}
	*c = Class(i)
	return nil
}

// A Resource is one that differs from what the last operation left.
type Resource struct {
	URN        string       `json:"urn"`
	Type       string       `json:"type"`
	Name       string       `json:"name"` // in the program
	ID         string       `json:"id"`
	Class      Class        `json:"class"`         // of the worst property
	Why        string       `json:"why,omitempty"` // the class applies
	Properties []Difference `json:"properties,omitempty"`
}

// A Difference is one output that differs. The value of a secret is "[secret]".
type Difference struct {
	Path  string `json:"path"`
	From  any    `json:"from"` // as it was left; null: it was not there
	To    any    `json:"to"`   // as it is; null: it is not there
	Class Class  `json:"class"`
	Why   string `json:"why,omitempty"`
}

// Rules classify differences by the type of the resource. Without a matching rule a difference is harmless.
type Rules interface {
	ManagedByAWS(token, path string) bool              // AWS changes the output automatically: no drift
	Dangerous(token, path string, from, to any) string // why a change is dangerous; "": it is not
	Missing(token string) string                       // what is lost when the resource is missing, and up cannot restore
}

// Of returns the resources that differ from the result of the last operation, given the steps of a refresh. The worst comes first.
func Of(rules Rules, steps []apitype.StepEventMetadata) []Resource {
	all := []Resource{}
	for _, step := range steps {
		if d := resourceOf(rules, step); d != nil {
			all = append(all, *d)
		}
	}
	slices.SortStableFunc(all, func(a, b Resource) int { return cmp.Or(int(b.Class-a.Class), cmp.Compare(a.URN, b.URN)) })
	return all
}

// resourceOf is the drift that a step of a refresh found, nil if there is none.
func resourceOf(rules Rules, meta apitype.StepEventMetadata) *Resource {
	if meta.Old == nil || !meta.Old.Custom || strings.HasPrefix(meta.Type, "pulumi:") {
		return nil
	}
	d := &Resource{URN: meta.URN, Type: meta.Type, Name: resource.URN(meta.URN).Name(), ID: meta.Old.ID}
	if meta.New == nil || meta.Op == apitype.OpDelete {
		d.Class, d.Why = Missing, "it was deleted outside Slipway"
		if reason := rules.Missing(meta.Type); reason != "" {
			d.Why += "; " + reason
		}
		return d
	}
	replaces := map[string]bool{}
	for path, diff := range meta.DetailedDiff {
		if strings.HasSuffix(string(diff.Kind), "-replace") {
			top, _, _ := strings.Cut(strings.ReplaceAll(path, "[", "."), ".")
			replaces[top] = true
		}
	}
	compare("", meta.Old.Outputs, meta.New.Outputs, func(path string, from, to any) {
		if rules.ManagedByAWS(meta.Type, path) {
			return
		}
		p := Difference{Path: path, From: from, To: to}
		top, _, _ := strings.Cut(strings.ReplaceAll(path, "[", "."), ".")
		if replaces[top] {
			p.Class, p.Why = Replaced, "putting it right replaces the resource"
		}
		if reason := rules.Dangerous(meta.Type, path, from, to); reason != "" {
			p.Class, p.Why = Dangerous, reason
		}
		d.Properties = append(d.Properties, p)
	})
	if len(d.Properties) == 0 {
		return nil
	}
	slices.SortFunc(d.Properties, func(a, b Difference) int { return cmp.Or(int(b.Class-a.Class), cmp.Compare(a.Path, b.Path)) })
	d.Class, d.Why = d.Properties[0].Class, d.Properties[0].Why
	return d
}

// compare reports every leaf in which two values differ. Lists are compared as a whole: their elements have no names.
func compare(path string, from, to any, report func(path string, from, to any)) {
	was, isMap := from.(map[string]any)
	is, areMaps := to.(map[string]any)
	if isMap && areMaps && was[resource.SigKey] == nil && is[resource.SigKey] == nil {
		names := map[string]bool{}
		for name := range was {
			names[name] = true
		}
		for name := range is {
			names[name] = true
		}
		for name := range names {
			at := name
			if path != "" {
				at = path + "." + name
				if strings.ContainsAny(name, `.[]"`) {
					at = path + "[" + strconv.Quote(name) + "]"
				}
			}
			compare(at, was[name], is[name], report)
		}
		return
	}
	if !reflect.DeepEqual(from, to) && !(empty(from) && empty(to)) {
		report(path, shownValue(from), shownValue(to))
	}
}

// empty reports whether a value is empty. To a provider an empty value and none are the same.
func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

// shownValue is a value for people, without secrets.
func shownValue(v any) any {
	if marked, ok := v.(map[string]any); ok && marked[resource.SigKey] != nil {
		return "[secret]"
	}
	return v
}
