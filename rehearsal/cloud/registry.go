package cloud

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// A rule is a Kind made ready: its paths parsed, its schema entry found on first use.
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

// A holder is a kind and one of its references, seen from the target.
type holder struct {
	kind *rule
	ref  *parsedRef
}

var (
	kinds   = map[string]*rule{}
	holders = map[string][]holder{} // by the type that is referred to
)

// register makes a kind known. It panics on mistakes of the kind itself, so that they are seen by the first test.
func register(k Kind) {
	if kinds[k.Type] != nil {
		panic("cloud: " + k.Type + " is registered twice")
	}
	if k.CreateAction == "" {
		panic("cloud: " + k.Type + " has no CreateAction")
	}
	r := &rule{Kind: k, defaults: map[string]any{}}
	for path, v := range k.Defaults {
		r.defaults[path] = clone(v)
	}
	for _, ref := range k.Refs {
		r.refs = append(r.refs, parsedRef{Ref: ref, path: parsePath(ref.Path), by: strings.Split(ref.By, ",")})
	}
	kinds[k.Type] = r
	for i := range r.refs {
		for _, to := range r.refs[i].To {
			holders[to] = append(holders[to], holder{r, &r.refs[i]})
		}
	}
}

// Types lists the resource types that the model knows.
func Types() []string { return sortedKeys(kinds) }

// Valid reports mistakes of the registered kinds against the schema and each other. It is for tests.
func Valid() []error {
	var wrong []error
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	for _, token := range Types() {
		k, e := kinds[token], schema().get("R "+token)
		if e == nil {
			say("%s is not in the schema", token)
			continue
		}
		has := func(path string) bool {
			return e.along(parsePath(path), func(*kindOf) bool { return true })
		}
		for path := range k.Defaults {
			if !has(path) {
				say("%s: default of %s, which the schema does not have", token, path)
			}
		}
		for _, ref := range k.Refs {
			if !has(ref.Path) {
				say("%s: reference at %s, which the schema does not have", token, ref.Path)
			}
			for _, to := range ref.To {
				if kinds[to] == nil {
					say("%s: %s refers to %s, which is not registered", token, ref.Path, to)
				}
			}
		}
		for _, name := range []string{k.Name.Input, k.Name.Prefix} {
			if name != "" && e.In[name] == nil {
				say("%s: name in %s, which is no input", token, name)
			}
		}
		for in, outs := range k.Recomputed {
			for _, out := range outs {
				if in != "*" && !has(in) || !has(out) {
					say("%s: change of %s recomputes %s: one of them is not in the schema", token, in, out)
				}
			}
		}
	}
	return wrong
}

// known finds the kind and the schema of a type; its error names the type and the nearest known one.
func known(token string) (*rule, *entry, error) {
	e := schema().get("R " + token)
	k := kinds[token]
	switch {
	case e == nil:
		return nil, nil, fmt.Errorf("the AWS provider has no resource type %s%s", token, suggest(token, Types()))
	case k == nil:
		return nil, nil, fmt.Errorf("the model does not know the resource type %s, so the rehearsal cannot say what AWS would do with it%s", token, suggest(token, Types()))
	}
	return k, e, nil
}

// noun is what people call a type: "aws:ec2/securityGroup:SecurityGroup" is a security group.
func noun(token string) string {
	name := token[strings.LastIndexByte(token, ':')+1:]
	var b strings.Builder
	for i, r := range name {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return strings.TrimSuffix(b.String(), " v2")
}

// name is the name of an object whose kind names it, else "".
func (k *rule) name(o *Object) string {
	if k.Name.Input == "" {
		return ""
	}
	for _, m := range []Inputs{o.Outputs, o.Inputs} {
		if s := m.String(k.Name.Input); s != "" {
			return s
		}
	}
	return ""
}

// matches reports whether o is what value names by one of the reference's ways.
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
