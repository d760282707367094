package whatif

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/types/known/structpb"

	"slipway/rehearsal/cloud"
)

// A Plan is a set of changes that fits the program.
type Plan struct {
	record *Record
	left   map[string]bool // resources that are left out, by TYPE::NAME
	edits  map[string][]change
	added  []*addition
	types  map[string]string // of the added resources, by name
}

// A change is made to the request for a resource.
type change struct {
	flag  string
	apply func(properties map[string]any, resolve resolver) error
	// property is the one that apply changes, and whole means that nothing of it remains.
	property string
	whole    bool
	// option changes how the engine handles the resource; it has no properties.
	option func(*request) error
}

// A resolver replaces the references in a value by the outputs of resources.
type resolver func(any) (any, error)

// On checks the changes against what the program registers. An error says which flag is wrong, and what is possible.
func (c *Changes) On(record *Record) (*Plan, error) {
	p := &Plan{record: record, left: map[string]bool{}, edits: map[string][]change{}, added: c.added, types: map[string]string{}}
	var wrong []error
	say := func(flag string, err error) {
		if err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", flag, err))
		}
	}
	for _, r := range c.without {
		if r.stmt == "" {
			say(r.flag, p.leaveOut(r))
		} else {
			say(r.flag, p.removeStatement(r))
		}
	}
	for _, a := range c.added {
		say("--add "+a.file, p.admit(a))
	}
	for _, a := range c.with {
		say(a.flag, p.assign(a))
	}
	for _, a := range c.added {
		say("--add "+a.file, p.connect(a))
	}
	if err := cycle(c.added); err != nil {
		say("--add", err)
	}
	return p, errors.Join(wrong...)
}

// Record is what the program registers without the changes.
func (p *Plan) Record() *Record { return p.record }

func (p *Plan) leaveOut(r removal) error {
	found, err := p.record.find(r.target)
	if err != nil {
		return err
	}
	if strings.HasPrefix(found.Type, "pulumi:") {
		return fmt.Errorf("%s belongs to the engine, and there is no stack without it", found.called())
	}
	p.left[found.called()] = true
	return nil
}

// removeStatement leaves out one statement of a policy. A policy cannot be without any: the last one goes with its resource if that is
// nothing but the policy, and else stays with a condition that never holds.
func (p *Plan) removeStatement(r removal) error {
	all := p.record.named(r.target)
	if len(all) == 0 {
		return unknownName(r.target, p.record.Resources())
	}
	var found []*Resource
	var sids []string
	property, alone := "", false
	for _, one := range all {
		for name, statements := range policiesOf(one) {
			for _, s := range statements {
				sids = append(sids, sidOf(s))
				if sidOf(s) == r.stmt {
					found, property, alone = append(found, one), name, len(statements) == 1
				}
			}
		}
	}
	if len(found) == 0 && len(sids) == 0 {
		return errors.New("it has no policy with statements")
	}
	if len(found) == 0 {
		return fmt.Errorf("no statement has the Sid %s%s", r.stmt, suggest(r.stmt, sids))
	}
	at, err := one(r.target, found, nil)
	if err != nil {
		return err
	}
	switch {
	case alone && strings.HasSuffix(at.Type, "Policy"):
		p.left[at.called()] = true
	case alone:
		never, _ := parsePath(property + `.Statement["` + r.stmt + `"].Condition.StringEquals["aws:RequestedRegion"]`)
		p.edit(at, change{flag: r.flag, apply: func(m map[string]any, _ resolver) error { return edit{value: "nowhere"}.in(m, never) }})
	default:
		steps, _ := parsePath(property + `.Statement["` + r.stmt + `"]`)
		p.edit(at, change{flag: r.flag, apply: func(m map[string]any, _ resolver) error { return edit{delete: true}.in(m, steps) }})
	}
	return nil
}

func (p *Plan) edit(r *Resource, c change) { p.edits[r.called()] = append(p.edits[r.called()], c) }

// policiesOf are the statements of the policies in a resource's properties.
func policiesOf(r *Resource) map[string][]any {
	all := map[string][]any{}
	for name, v := range r.Inputs.AsMap() {
		if _, inner, ok := wrapped(v); ok {
			v = inner
		}
		text, _ := v.(string)
		document, _ := parseDocument(text)
		if m, ok := document.(map[string]any); ok && len(statementsOf(m)) > 0 {
			all[name] = statementsOf(m)
		}
	}
	return all
}

func sidOf(statement any) string {
	m, _ := statement.(map[string]any)
	sid, _ := m["Sid"].(string)
	return sid
}

// assign finds out which resource and which path an assignment means, and tries it on what the program registers.
func (p *Plan) assign(a assignment) error {
	at, path, err := p.split(a.target)
	if err != nil {
		return err
	}
	if !at.Custom {
		return fmt.Errorf("%s is a component, which has no properties; name a resource in it", at.called())
	}
	steps, err := parsePath(path)
	if err != nil {
		return err
	}
	known := cloud.Properties(at.Type)
	if steps[0].key == "options" && known["options"] == "" {
		return p.assignOption(at, a, steps)
	}
	if known != nil && known[steps[0].key] == "" {
		return fmt.Errorf("%s has no property %q%s", at.Type, steps[0].key, suggest(steps[0].key, keysOf(asAny(known))))
	}
	text := func(property string) bool { return known[property] == "string" || known[property] == "document" }
	do := func(properties map[string]any, resolve resolver) error {
		value, err := resolve(clone(a.value))
		if err != nil {
			return err
		}
		return edit{value, a.delete, text}.in(properties, steps)
	}
	// The edits before it may have made what it changes.
	tried := at.Inputs.AsMap()
	for _, before := range p.edits[at.called()] {
		if before.apply != nil {
			if err := before.apply(tried, p.foresee); err != nil {
				return err
			}
		}
	}
	if err := do(tried, p.foresee); err != nil {
		return err
	}
	p.edit(at, change{flag: a.flag, apply: do, property: steps[0].key, whole: len(steps) == 1})
	return nil
}

// split tells a name, which may have dots in it, from the path that follows.
func (p *Plan) split(target string) (at *Resource, path string, err error) {
	token, rest := "", target
	if i := strings.LastIndex(nameOnly(target), "::"); i >= 0 {
		token, rest = target[:i], target[i+2:]
	}
	var found []*Resource
	longest := -1
	for _, r := range p.record.Resources() {
		after, ok := strings.CutPrefix(rest, r.Name)
		if !ok || after == "" || after[0] != '.' && after[0] != '[' || token != "" && !isType(r.Type, token) {
			continue
		}
		switch {
		case len(r.Name) > longest:
			longest, found = len(r.Name), []*Resource{r}
		case len(r.Name) == longest:
			found = append(found, r)
		}
	}
	if longest < 0 {
		name, _, _ := strings.Cut(rest, ".")
		if len(p.record.named(target)) > 0 {
			return nil, "", errors.New("a path must follow the name: NAME.property=value")
		}
		if token != "" {
			name = token + "::" + name
		}
		return nil, "", unknownName(name, p.record.Resources())
	}
	path = strings.TrimPrefix(rest[longest:], ".")
	at, err = one(target[:len(target)-len(rest)+longest], fitting(found, path), nil)
	return at, path, err
}

// fitting are those of several resources that have the first property of a path; all if none has. A component has no properties.
func fitting(all []*Resource, path string) []*Resource {
	first := path[:strings.IndexAny(path+".", ".[")]
	fit := slices.DeleteFunc(slices.Clone(all), func(r *Resource) bool {
		known := cloud.Properties(r.Type)
		_, output := r.Outputs.GetFields()[first]
		return !r.Custom || known != nil && known[first] == "" && !output && !slices.Contains([]string{"id", "urn", "options"}, first)
	})
	if len(fit) == 0 {
		return all
	}
	return fit
}

// nameOnly is a target up to the first bracket: a key in brackets may have :: in it.
func nameOnly(target string) string {
	name, _, _ := strings.Cut(target, "[")
	return name
}

// assignOption changes an option of a resource.
func (p *Plan) assignOption(at *Resource, a assignment, steps []step) error {
	name := ""
	if len(steps) == 2 {
		name = steps[1].key
	}
	set := options[name]
	if set == nil {
		return fmt.Errorf("%q is not an option that can be changed; there are %s", name, strings.Join(slices.Sorted(maps.Keys(options)), ", "))
	}
	if err := set(&request{}, a.value); err != nil {
		return err
	}
	p.edit(at, change{flag: a.flag, option: func(q *request) error { return set(q, a.value) }})
	return nil
}

// options are the options of a resource that can be changed. null is the engine's default.
var options = map[string]func(*request, any) error{
	"protect": func(q *request, v any) (err error) { q.Protect, err = truth(v); return err },
	"retainOnDelete": func(q *request, v any) (err error) {
		q.RetainOnDelete, err = truth(v)
		return err
	},
	"deleteBeforeReplace": func(q *request, v any) error {
		set, err := truth(v)
		q.DeleteBeforeReplaceDefined, q.DeleteBeforeReplace = set != nil, set != nil && *set
		return err
	},
	"ignoreChanges": func(q *request, v any) (err error) { q.IgnoreChanges, err = list(v); return err },
	"dependsOn": func(q *request, v any) error {
		if v != nil {
			return errors.New("dependencies can only be removed: the value is null")
		}
		// What remains follows from the properties.
		q.Dependencies = nil
		for _, d := range q.GetPropertyDependencies() {
			q.Dependencies = append(q.Dependencies, d.GetUrns()...)
		}
		return nil
	},
}

func truth(v any) (*bool, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case bool:
		return &v, nil
	}
	return nil, errors.New("the value is true, false or null")
}

func list(v any) ([]string, error) {
	all, ok := v.([]any)
	var names []string
	for _, one := range all {
		text, isText := one.(string)
		ok = ok && isText
		names = append(names, text)
	}
	if v != nil && !ok {
		return nil, errors.New("the value is a list of strings, or null")
	}
	return names, nil
}

// foresee resolves references with the outputs of the Record, to find out whether they can be resolved at all.
func (p *Plan) foresee(v any) (any, error) {
	return resolve(v, func(ref string) (any, error) {
		at, path, err := p.reference(ref)
		if err != nil || at == nil {
			return markUnknown, err
		}
		return outputOf(at.URN, at.ID, at.Outputs, path)
	})
}

func asAny(m map[string]string) map[string]any {
	all := map[string]any{}
	for k, v := range m {
		all[k] = v
	}
	return all
}

// clone copies a JSON value.
func clone(v any) any {
	switch v := v.(type) {
	case map[string]any:
		c := make(map[string]any, len(v))
		for k, e := range v {
			c[k] = clone(e)
		}
		return c
	case []any:
		c := make([]any, len(v))
		for i, e := range v {
			c[i] = clone(e)
		}
		return c
	}
	return v
}

// outputOf is an output of a resource.
func outputOf(urn, id string, outputs *structpb.Struct, path string) (any, error) {
	switch path {
	case "urn":
		return urn, nil
	case "id":
		if id == "" {
			return markUnknown, nil
		}
		return id, nil
	}
	steps, err := parsePath(path)
	if err != nil {
		return nil, err
	}
	var at any = outputs.AsMap()
	secret := false
	for i, s := range steps {
		if m, inner, ok := wrapped(at); ok {
			at, secret = inner, secret || m[markKey] == markSecret
		}
		switch v := at.(type) {
		case map[string]any:
			at = v[s.key]
			if at == nil && i == 0 && outputs != nil {
				return nil, fmt.Errorf("it has no output %q%s", s.key, suggest(s.key, keysOf(v)))
			}
		case []any:
			n := placeOf(v, s.key)
			if n < 0 {
				return nil, fmt.Errorf("its output %s has no element %s", path, s.key)
			}
			at = v[n]
		case string:
			if v == markUnknown {
				return v, nil
			}
			return nil, fmt.Errorf("its output has nothing at %s", path)
		default:
			return markUnknown, nil
		}
	}
	if at == nil {
		return markUnknown, nil
	}
	if _, _, ok := wrapped(at); secret && !ok {
		return map[string]any{markKey: markSecret, "value": at}, nil
	}
	return at, nil
}
