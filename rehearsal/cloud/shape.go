package cloud

import "strings"

// A Shape describes the properties of the small providers beside AWS, which the embedded schema does not have. It maps a name,
// ending in "!" if the property is required, to "string", "integer", "number", "boolean", "[]string",
// "map" (of strings), "any", or another Shape.
type Shape map[string]any

// Check validates raw inputs by name, type and presence, as for AWS.
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

// Plain converts raw properties to plain values, and returns the paths of unknown ones, which are left out.
func Plain(raw map[string]any) (Inputs, Unknowns) {
	in, unknown, _ := plainInputs(raw)
	return in, unknown
}

// Same reports whether two plain values are equal; JSON documents are compared by their contents.
func Same(a, b any) bool { return same(a, b) }

// Nearest completes a message about an unknown name with the most similar known one.
func Nearest(name string, known []string) string { return suggest(name, known) }

// CheckConfig validates the provider's configuration by name and type, and checks that its region exists.
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
