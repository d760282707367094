package cloud

import (
	"slices"
	"strings"
)

// A Difference asks which changes new inputs need.
type Difference struct {
	Type       string
	OldInputs  map[string]any // raw, as Check returned them for the last deployment
	OldOutputs map[string]any // raw
	News       map[string]any // raw, as Check returned them
	Tags       map[string]string
}

// A PropertyChange is one input that differs.
type PropertyChange struct {
	Path     string
	Op       Op
	Replaces bool // the change replaces the resource
}

// Op is the kind of change.
type Op int

// The kinds of change.
const (
	Add Op = iota
	Delete
	Update
)

// A Plan is the answer: no changes, changes in place, or a replacement.
type Plan struct {
	Changes     []PropertyChange // in the order of their paths
	Replaces    bool
	DeleteFirst bool // delete the old resource before creating the new one
}

// Diff compares the inputs of a resource with new ones, property by property. An absent input equals
// AWS's default; JSON documents are compared by their contents.
func (a *Account) Diff(d Difference) (Plan, error) {
	k, e, err := a.registry.find(d.Type)
	if err != nil {
		return Plan{}, err
	}
	p := Plan{Changes: k.compare(e, d)}
	p.Replaces = slices.ContainsFunc(p.Changes, func(c PropertyChange) bool { return c.Replaces })
	p.DeleteFirst = p.Replaces && (k.DeleteFirst || k.keepsName(d, p.Changes))
	return p, nil
}

func (k *rule) compare(e *entry, d Difference) []PropertyChange {
	olds, _, _ := plainInputs(d.OldInputs)
	for _, name := range k.ServiceManaged {
		if is, _, _ := plainInputs(d.OldOutputs); olds[name] != nil && is[name] != nil {
			olds[name] = is[name]
		}
	}
	c := comparer{kind: k, entry: e}
	if k.Replaces != nil {
		news, _, _ := plainInputs(d.News)
		c.replaces = k.Replaces(news)
	}
	for name := range mergedKeys(olds, d.News) {
		if strings.HasPrefix(name, "__") {
			continue
		}
		// A value that AWS chose, or may choose, stays when the program stops setting it.
		if d.News[name] == nil && slices.Contains(e.Always, name) {
			continue
		}
		c.walk(name, olds[name], d.News[name])
	}
	if e.Out["tagsAll"] != nil && !slices.ContainsFunc(c.changes, func(p PropertyChange) bool { return strings.HasPrefix(p.Path, "tags") }) {
		outputs, _, _ := plainInputs(d.OldOutputs)
		news, unknown, _ := plainInputs(d.News)
		if was, ok := outputs["tagsAll"]; ok && !unknown.Within("tags") && !same(was, allTags(d.Tags, news)) {
			c.changes = append(c.changes, PropertyChange{Path: "tagsAll", Op: Update})
		}
	}
	slices.SortFunc(c.changes, func(x, y PropertyChange) int { return strings.Compare(x.Path, y.Path) })
	return c.changes
}

type comparer struct {
	kind     *rule
	entry    *entry
	replaces []string // inputs, in addition to those of the schema
	changes  []PropertyChange
}

// walk compares an old plain value with a new raw one.
func (c *comparer) walk(path string, was, now any) {
	for {
		s, ok := now.(Secret)
		if !ok {
			break
		}
		now = s.Value
	}
	if now == any(Unknown) {
		c.add(path, was, now)
		return
	}
	switch now := now.(type) {
	case map[string]any:
		if m, ok := was.(map[string]any); ok {
			for name := range mergedKeys(m, now) {
				c.walk(join(path, name), m[name], now[name])
			}
			return
		}
		if was == nil && len(now) == 0 {
			return
		}
	case []any:
		if l, ok := was.([]any); ok {
			for i := range max(len(l), len(now)) {
				var x, y any
				if i < len(l) {
					x = l[i]
				}
				if i < len(now) {
					y = now[i]
				}
				c.walk(at(path, i), x, y)
			}
			return
		}
		if was == nil && len(now) == 0 {
			return
		}
	}
	if hasUnknown(now) {
		c.add(path, was, now)
		return
	}
	now = clone(now)
	x, y := was, now
	if fixed, ok := c.kind.defaults[pattern(path)]; ok {
		if x == nil {
			x = fixed
		}
		if y == nil {
			y = fixed
		}
	}
	if !same(x, y) && !(blank(x) && blank(y)) && !(c.policy(path) && samePolicy(x, y)) {
		c.add(path, was, now)
	}
}

// policy reports whether path holds a policy document.
func (c *comparer) policy(path string) bool {
	kind := ""
	c.entry.along(parsePath(path), func(k *kindOf) bool { kind = k.Kind; return true })
	return kind == "document" || kind == "string" && path == "policy"
}

// blank reports whether a value is empty: the provider cannot tell an empty list or map from an absent one.
func blank(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case map[string]any:
		return len(v) == 0
	case []any:
		return len(v) == 0
	}
	return false
}

func hasUnknown(v any) bool {
	u := Unknowns{}
	plain(v, "", u, nil)
	return len(u) > 0
}

func (c *comparer) add(path string, was, now any) {
	change := PropertyChange{Path: path, Op: Update, Replaces: c.entry.replaces(path) || slices.Contains(c.replaces, Top(path))}
	switch {
	case was == nil:
		change.Op = Add
	case now == nil:
		change.Op = Delete
	}
	c.changes = append(c.changes, change)
}

// recomputed lists the outputs that are unknown until a change at path is applied.
func (k *rule) recomputed(path string) []string {
	top := parsePath(path)[0].key
	var all []string
	for _, key := range []string{"*", top, pattern(path)} {
		all = append(all, k.Recomputed[key]...)
	}
	return all
}

func mergedKeys[V any](x map[string]V, y map[string]any) map[string]bool {
	all := make(map[string]bool, len(x)+len(y))
	for k := range x {
		all[k] = true
	}
	for k := range y {
		all[k] = true
	}
	return all
}
