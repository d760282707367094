package cloud

import "strings"

// A Shape describes properties that are in no schema of ours: those of the small providers beside AWS. It maps a name,
// with "!" at its end if the property is required, to "string", "integer", "number", "boolean", "[]string",
// "map" (of strings), "any", or another Shape.
type Shape map[string]any

// Check judges raw inputs by name, type and presence, as it is done for AWS.
func (s Shape) Check(in map[string]any) []Problem { return s.entry().check(in) }

func (s Shape) entry() *entry {
	e := &entry{In: map[string]*kindOf{}}
	for name, t := range s {
		name, required := strings.CutSuffix(name, "!")
		if required {
			e.Required = append(e.Required, name)
		}
		switch t := t.(type) {
		case Shape:
			e.In[name] = &kindOf{Kind: "object", of: t.entry()}
		case string:
			switch t {
			case "map":
				e.In[name] = &kindOf{Kind: "map", Elem: &kindOf{Kind: "string"}}
			case "[]string":
				e.In[name] = &kindOf{Kind: "array", Elem: &kindOf{Kind: "string"}}
			default:
				e.In[name] = &kindOf{Kind: t}
			}
		}
	}
	return e
}

// Plain takes the unknown values out of raw properties, naming their paths, and the secret marks off.
func Plain(raw map[string]any) (Inputs, Unknowns) {
	in, unknown, _ := plainInputs(raw)
	return in, unknown
}

// Same reports whether two plain values say the same.
func Same(a, b any) bool { return same(a, b) }

// Nearest ends a sentence about a name that is not known with the nearest one that is.
func Nearest(name string, known []string) string { return suggest(name, known) }

// CheckConfig judges the provider's configuration by name and type, and its region by what exists.
func CheckConfig(config map[string]any) []Problem {
	problems := schema().get("C config").check(config)
	in, unknown := Plain(config)
	if region := in.String("region"); region != "" || !unknown.Has("region") {
		if _, ok := regions[region]; !ok {
			rule := UnknownRegion(region).Error()
			if region == "" {
				rule = "missing required property \"region\": set aws:region, such as us-east-1"
			}
			problems = append(problems, Problem{Path: "region", Rule: rule})
		}
	}
	return problems
}
