package cloud

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// A CheckRequest asks whether inputs are right, and for the inputs that the provider makes of them.
type CheckRequest struct {
	Type, URN  string
	News       map[string]any    // raw
	Olds       map[string]any    // raw inputs of the resource as it is; nil for a new one
	Tags       map[string]string // the provider's default tags, which become the resource's own
	RandomSeed []byte            // makes a made-up name repeatable
	Name       string            // a name that the engine's own naming rule makes up; "" for the provider's
	Unnamed    bool              // the engine forbids made-up names
}

// Check returns the inputs with a made-up name where the program gave none, and everything that is wrong with them.
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

// document turns a policy that was given as an object into its text, as the provider does.
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

// defaultTags are raw tags with the provider's default ones among them, as the provider puts them there. Tags that are not
// known yet, or are none, stay as they are.
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
