package whatif

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"slipway/rehearsal/cloud"
)

// An addition is a resource that the program does not have.
type addition struct {
	file, name, token string
	properties        map[string]any
	dependsOn         []string // [TYPE::]NAME
	protect           bool
	refs              []string // what it refers to
}

// readAdditions reads resources from a file, which is a Pulumi YAML program or has its form: {resources: {NAME: {type, properties,
// options: {dependsOn, protect}}}}, in YAML or JSON.
func readAdditions(file string) ([]*addition, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var document map[string]any
	if err := yaml.Unmarshal(data, &document); err != nil {
		return nil, fmt.Errorf("it is neither YAML nor JSON: %w", err)
	}
	if err := only(document, "", "resources", "name", "runtime", "description"); err != nil {
		return nil, err
	}
	resources, ok := document["resources"].(map[string]any)
	if !ok || len(resources) == 0 {
		return nil, errors.New("it has no resources: {resources: {NAME: {type: ..., properties: {...}}}}")
	}
	var all []*addition
	for _, name := range keysOf(resources) {
		a, err := readAddition(resources[name])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		a.file, a.name = file, name
		all = append(all, a)
	}
	return all, nil
}

func only(m map[string]any, where string, known ...string) error {
	for _, key := range keysOf(m) {
		if !slices.Contains(known, key) {
			return fmt.Errorf("%q is not supported%s%s", key, where, suggest(key, known))
		}
	}
	return nil
}

func readAddition(v any) (*addition, error) {
	m, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New("expected {type: ..., properties: {...}}")
	}
	if err := only(m, " for a resource", "type", "properties", "options"); err != nil {
		return nil, err
	}
	a := &addition{properties: map[string]any{}}
	if a.token, ok = m["type"].(string); !ok || a.token == "" {
		return nil, errors.New("type is missing")
	}
	a.token = canonical(a.token)
	if properties := m["properties"]; properties != nil {
		// As JSON has them: numbers are floats, and keys strings.
		text, err := json.Marshal(properties)
		if err == nil {
			err = json.Unmarshal(text, &a.properties)
		}
		if err != nil {
			return nil, fmt.Errorf("properties: %w", err)
		}
	}
	if m["options"] == nil {
		return a, nil
	}
	settings, ok := m["options"].(map[string]any)
	if !ok {
		return nil, errors.New("options: expected {dependsOn: [...], protect: true}")
	}
	if err := only(settings, " in options", "dependsOn", "protect"); err != nil {
		return nil, err
	}
	a.protect, _ = settings["protect"].(bool)
	names, err := list(settings["dependsOn"])
	if err != nil {
		return nil, errors.New("options: dependsOn is a list of names")
	}
	for _, name := range names {
		a.dependsOn = append(a.dependsOn, strings.TrimSuffix(strings.TrimPrefix(name, "${"), "}"))
	}
	return a, nil
}

// admit checks the type and the name of an added resource.
func (p *Plan) admit(a *addition) error {
	if strings.HasPrefix(a.token, "aws:") && !slices.Contains(cloud.Types(), a.token) {
		return fmt.Errorf("%s: the model does not know the type %s%s", a.name, a.token, suggestType(a.token))
	}
	if known := cloud.Properties(a.token); known != nil {
		for _, name := range keysOf(a.properties) {
			if known[name] == "" {
				return fmt.Errorf("%s: %s has no property %q%s", a.name, a.token, name, suggest(name, keysOf(asAny(known))))
			}
		}
	}
	if p.types[a.name] != "" {
		return fmt.Errorf("%s: two added resources have this name", a.name)
	}
	for _, r := range p.record.named(a.name) {
		if r.Type == a.token {
			return fmt.Errorf("%s: the program has a %s with this name; to change it, use --with", a.name, a.token)
		}
	}
	p.types[a.name] = a.token
	return nil
}

// suggestType ends a message about a type that is not known: what it is called counts more than where it is.
func suggestType(token string) string {
	var words []string
	for _, known := range cloud.Types() {
		words = append(words, lastWord(known))
	}
	for _, known := range cloud.Types() {
		if near := suggest(lastWord(token), words); strings.Contains(near, `"`+lastWord(known)+`"`) {
			return fmt.Sprintf("; did you mean %q?", known)
		}
	}
	return ""
}

func lastWord(token string) string { return token[strings.LastIndex(token, ":")+1:] }

// connect checks what an added resource refers to.
func (p *Plan) connect(a *addition) error {
	a.refs = nil
	note := func(ref string) (any, error) {
		at, path, err := p.reference(ref)
		if err != nil {
			return nil, err
		}
		if at == nil {
			name, _ := p.ownReference(ref)
			a.refs = append(a.refs, name)
			return markUnknown, nil
		}
		a.refs = append(a.refs, at.called())
		return outputOf(at.URN, at.ID, at.Outputs, path)
	}
	if _, err := resolve(clone(any(a.properties)), note); err != nil {
		return fmt.Errorf("%s: %w", a.name, err)
	}
	for _, name := range a.dependsOn {
		if p.types[name] != "" {
			a.refs = append(a.refs, name)
			continue
		}
		at, err := p.record.find(name)
		if err != nil {
			return fmt.Errorf("%s: dependsOn: %s: %w", a.name, name, err)
		}
		a.refs = append(a.refs, at.called())
	}
	return nil
}

// cycle reports added resources that refer to each other in a circle.
func cycle(all []*addition) error {
	done := map[string]bool{}
	for range all {
		for _, a := range all {
			ready := true
			for _, ref := range a.refs {
				ready = ready && (done[ref] || !slices.ContainsFunc(all, func(o *addition) bool { return o.name == ref }))
			}
			if ready {
				done[a.name] = true
			}
		}
	}
	for _, a := range all {
		if !done[a.name] {
			return fmt.Errorf("%s refers to itself, through %s", a.name, strings.Join(a.refs, ", "))
		}
	}
	return nil
}

// reference finds the resource of the program that [TYPE::]NAME.output means, or nil for an added one.
func (p *Plan) reference(ref string) (at *Resource, path string, err error) {
	if name, rest := p.ownReference(ref); name != "" {
		return nil, rest, nil
	}
	at, path, err = p.split(ref)
	if err != nil {
		return nil, "", fmt.Errorf("${%s}: %w", ref, err)
	}
	return at, path, nil
}

// ownReference splits a reference to an added resource.
func (p *Plan) ownReference(ref string) (name, path string) {
	for _, known := range slices.SortedFunc(maps.Keys(p.types), func(a, b string) int { return len(b) - len(a) }) {
		if rest, ok := strings.CutPrefix(ref, known); ok && rest != "" && (rest[0] == '.' || rest[0] == '[') {
			return known, strings.TrimPrefix(rest, ".")
		}
	}
	return "", ""
}

// referenced finds ${...}. $${ is a dollar sign and a brace.
var referenced = regexp.MustCompile(`\$?\$\{[^{}]*\}`)

// variable is a policy variable, which IAM replaces and not this package: aws:username, s3:prefix.
var variable = regexp.MustCompile(`^[a-z0-9-]+:[A-Za-z][^:]*$`)

// resolve replaces references and the functions of Pulumi YAML that need no engine.
func resolve(v any, output func(ref string) (any, error)) (any, error) {
	switch v := v.(type) {
	case string:
		return resolveText(v, output)
	case []any:
		for i := range v {
			r, err := resolve(v[i], output)
			if err != nil {
				return nil, err
			}
			v[i] = r
		}
		return v, nil
	case map[string]any:
		for _, key := range keysOf(v) {
			r, err := resolve(v[key], output)
			if err != nil {
				return nil, err
			}
			if strings.HasPrefix(key, "fn::") {
				if len(v) != 1 {
					return nil, fmt.Errorf("%s stands alone in its object", key)
				}
				return call(key, r)
			}
			v[key] = r
		}
	}
	return v, nil
}

func call(name string, argument any) (any, error) {
	switch name {
	case "fn::toJSON":
		if holdsUnknown(argument) {
			return markUnknown, nil
		}
		return encode(argument)
	case "fn::join":
		parts, _ := argument.([]any)
		if len(parts) == 2 {
			separator, isText := parts[0].(string)
			items, err := list(parts[1])
			if isText && err == nil {
				if slices.Contains(items, markUnknown) {
					return markUnknown, nil
				}
				return strings.Join(items, separator), nil
			}
		}
		return nil, errors.New("fn::join takes a separator and a list of strings")
	}
	return nil, fmt.Errorf("%s is not supported; there are fn::toJSON and fn::join", name)
}

func holdsUnknown(v any) bool {
	switch v := v.(type) {
	case string:
		return v == markUnknown
	case []any:
		return slices.ContainsFunc(v, holdsUnknown)
	case map[string]any:
		for _, e := range v {
			if holdsUnknown(e) {
				return true
			}
		}
	}
	return false
}

func resolveText(text string, output func(ref string) (any, error)) (any, error) {
	var wrong error
	secret, unknown := false, false
	value := func(match string) (any, bool) {
		ref, _ := strings.CutPrefix(match, "${")
		ref = strings.TrimSuffix(ref, "}")
		if strings.HasPrefix(match, "$$") {
			return match[1:], true
		}
		if variable.MatchString(ref) {
			return match, true
		}
		v, err := output(ref)
		wrong = errors.Join(wrong, err)
		return v, err == nil
	}
	if referenced.FindString(text) == text && text != "" {
		v, _ := value(text)
		return v, wrong
	}
	replaced := referenced.ReplaceAllStringFunc(text, func(match string) string {
		v, ok := value(match)
		if m, inner, marked := wrapped(v); marked {
			secret, v = secret || m[markKey] == markSecret, inner
		}
		unknown = unknown || v == markUnknown
		if _, isText := v.(string); ok && !isText {
			if number, isNumber := v.(float64); isNumber {
				return fmt.Sprint(number)
			}
			wrong = errors.Join(wrong, fmt.Errorf("%s is not a string, and cannot be part of one", match))
			return ""
		}
		s, _ := v.(string)
		return s
	})
	switch {
	case wrong != nil:
		return nil, wrong
	case unknown:
		return markUnknown, nil
	case secret:
		return map[string]any{markKey: markSecret, "value": replaced}, nil
	}
	return replaced, nil
}
