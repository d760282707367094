package cloud

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// A CheckRequest asks to validate inputs and to complete them as the provider does.
type CheckRequest struct {
	Type, URN  string
	News       map[string]any    // raw
	Olds       map[string]any    // raw inputs of the last deployment; nil for a new resource
	Tags       map[string]string // the provider's default tags
	RandomSeed []byte            // makes a generated name repeatable
	Name       string            // a name from the engine's auto-naming configuration; "" for the provider's own
	Unnamed    bool              // the engine's configuration disables auto-naming
}

// Check returns the inputs, with a generated name if the program set none, and everything that is wrong with them.
func (a *Account) Check(r CheckRequest) (map[string]any, []Problem) {
	k, e, err := a.registry.find(r.Type)
	if err != nil {
		return nil, []Problem{{Rule: err.Error()}}
	}
	news := make(map[string]any, len(r.News)+2)
	for name, v := range r.News {
		if !strings.HasPrefix(name, "__") && v != nil {
			news[name] = document(e.In[name], v)
		}
	}
	if e.In["tags"] != nil && e.Out["tagsAll"] != nil {
		if tags := defaultTags(r.Tags, news["tags"]); tags != nil {
			news["tags"] = tags
		}
	}
	problems := e.check(news)
	if p := k.autoname(e, news, r); p != nil {
		problems = append(problems, *p)
	}
	in, unknown, secret := plainInputs(news)
	add := func(more []Problem) {
		for _, p := range more {
			if !slices.ContainsFunc(problems, func(q Problem) bool { return q.Path == p.Path }) {
				problems = append(problems, p)
			}
		}
	}
	add(k.checkName(in))
	if k.Check != nil {
		add(k.Check(in, unknown))
	}
	hidden := secretStrings(in, secret)
	secretIn := map[string]bool{}
	secretPaths(e.In, in, "", secretIn)
	hidden = append(hidden, secretStrings(in, secretIn)...)
	for i := range problems {
		problems[i].Rule = redact(problems[i].Rule, hidden)
	}
	return news, problems
}

// document serializes a policy that was given as an object, as the provider does.
func document(k *kindOf, v any) any {
	if k == nil || k.Kind != "document" {
		return v
	}
	if m, ok := v.(map[string]any); ok {
		if p, unknown, secret := plainInputs(m); len(unknown) == 0 && len(secret) == 0 {
			if text, err := json.Marshal(p); err == nil {
				return string(text)
			}
		}
	}
	return v
}

// defaultTags merges the provider's default tags into raw tags, as the provider does. Unknown or invalid tags are returned
// unchanged.
func defaultTags(defaults map[string]string, tags any) any {
	if s, ok := tags.(Secret); ok {
		return Secret{defaultTags(defaults, s.Value)}
	}
	own, ok := tags.(map[string]any)
	if len(defaults) == 0 || !ok && tags != nil {
		return tags
	}
	all := make(map[string]any, len(defaults)+len(own))
	for name, v := range defaults {
		all[name] = v
	}
	maps.Copy(all, own)
	return all
}

func allTags(defaults map[string]string, in Inputs) map[string]any {
	all := map[string]any{}
	for name, v := range defaults {
		all[name] = v
	}
	maps.Copy(all, in.Map("tags"))
	return all
}
