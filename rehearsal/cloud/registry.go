package cloud

import (
	"fmt"
	"slices"
	"strings"
)

// A rule is a Kind with its paths parsed.
type rule struct {
	Kind
	refs     []parsedRef
	defaults map[string]any // by pattern
}

type parsedRef struct {
	Ref
	path []segment
	by   []string
}

// A holder is a kind with a reference to another one.
type holder struct {
	kind *rule
	ref  *parsedRef
}

// A registry is a set of resource types and data sources, and how the types refer to each other.
type registry struct {
	kinds   map[string]*rule
	holders map[string][]holder // by the type that they refer to
	sources map[string]source
	calls   map[string]lifecycle // by type, and by data source
}

// newRegistry panics on a mistake in the kinds themselves, so that the first test sees it.
func newRegistry(kinds []Kind, sources map[string]source, calls map[string]lifecycle) *registry {
	r := &registry{kinds: map[string]*rule{}, holders: map[string][]holder{}, sources: sources, calls: calls}
	for _, k := range kinds {
		r.add(k)
	}
	return r
}

func (r *registry) add(k Kind) {
	if r.kinds[k.Type] != nil {
		panic("cloud: there are two kinds of type " + k.Type)
	}
	if k.CreateAction == "" {
		panic("cloud: " + k.Type + " has no CreateAction")
	}
	added := &rule{Kind: k, defaults: map[string]any{}}
	for path, v := range k.Defaults {
		added.defaults[path] = clone(v)
	}
	for _, ref := range k.Refs {
		added.refs = append(added.refs, parsedRef{Ref: ref, path: parsePath(ref.Path), by: strings.Split(ref.By, ",")})
	}
	r.kinds[k.Type] = added
	for i := range added.refs {
		for _, to := range added.refs[i].To {
			r.holders[to] = append(r.holders[to], holder{added, &added.refs[i]})
		}
	}
}

// types lists the resource types that the registry knows.
func (r *registry) types() []string { return sortedKeys(r.kinds) }

// find finds the kind and the schema of a type; its error names the type and the nearest known one.
func (r *registry) find(token string) (*rule, *entry, error) {
	e := schema().get("R " + token)
	k := r.kinds[token]
	switch {
	case e == nil:
		return nil, nil, fmt.Errorf("the AWS provider has no resource type %s%s", token, suggest(token, r.types()))
	case k == nil:
		return nil, nil, fmt.Errorf("the model does not know the resource type %s, so the rehearsal cannot predict what AWS would do%s",
			token, suggest(token, r.types()))
	}
	return k, e, nil
}

// matches reports whether value names o in one of the ways that the reference allows.
func (r *parsedRef) matches(o *Object, value string) bool {
	return slices.Contains(r.To, o.Type) && slices.ContainsFunc(r.by, func(by string) bool { return answersTo(o, by, value) })
}

func answersTo(o *Object, by, value string) bool {
	if by == "id" {
		return o.ID == value
	}
	s, _ := o.Outputs[by].(string)
	return s == value
}

// A source answers one data source.
type source func(a *Account, args Inputs) (map[string]any, error)
