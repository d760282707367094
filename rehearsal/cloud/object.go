package cloud

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"unicode"
)

// An Object is one resource in the account. Its values are plain; Secrets says which of them are secret.
type Object struct {
	Type    string         `json:"type"`
	ID      string         `json:"id"`
	URN     string         `json:"urn,omitempty"` // the Pulumi resource that made it
	Inputs  map[string]any `json:"inputs,omitempty"`
	Outputs map[string]any `json:"outputs,omitempty"`
	Secrets []string       `json:"secrets,omitempty"` // paths of secret values, in the inputs and the outputs
	Owner   string         `json:"owner,omitempty"`   // type and ID of the object that AWS created it with, and deletes it with
	Seeded  bool           `json:"seeded,omitempty"`  // existed before the program, such as a registered domain's zone

	// State is what AWS keeps about the object and no provider reads: of an alarm "state" and "reason", of a target group "health" and
	// "reason". An alarm without one is OK, and a target group's targets are healthy.
	State map[string]string `json:"state,omitempty"`
}

func (o *Object) copy() *Object {
	c := *o
	c.Inputs, c.Outputs = cloneMap(o.Inputs), cloneMap(o.Outputs)
	c.Secrets, c.State = slices.Clone(o.Secrets), maps.Clone(o.State)
	return &c
}

// called is how messages name an object: its type, its ID, and its name in the program.
func (o *Object) called() string {
	text := noun(o.Type) + " " + o.ID
	if i := strings.LastIndex(o.URN, "::"); i >= 0 {
		text += " (" + o.URN[i+2:] + ")"
	}
	return text
}

func (o *Object) describe() string {
	if name := o.logical(); name != "" {
		return noun(o.Type) + " " + name
	}
	return "a " + noun(o.Type)
}

// logical is the object's name in the program; "" if no program made it.
func (o *Object) logical() string {
	if i := strings.LastIndex(o.URN, "::"); i >= 0 {
		return o.URN[i+2:]
	}
	return ""
}

// markSecrets marks what the schema calls secret, and every output that contains the value of a secret input.
func (o *Object) markSecrets(e *entry) {
	found := map[string]bool{}
	for _, path := range o.Secrets {
		found[path] = true
	}
	secretPaths(e.In, o.Inputs, "", found)
	secretPaths(e.Out, o.Outputs, "", found)
	hidden := secretStrings(o.Inputs, found)
	if len(hidden) > 0 {
		leaves(o.Outputs, "", func(path, s string) {
			for _, h := range hidden {
				if strings.Contains(s, h) {
					found[path] = true
				}
			}
		})
	}
	o.Secrets = sortedKeys(found)
}

// hide redacts the object's secret values in an error.
func (o *Object) hide(err error) error {
	found := map[string]bool{}
	for _, path := range o.Secrets {
		found[path] = true
	}
	hidden := secretStrings(o.Inputs, found)
	if len(hidden) == 0 {
		return err
	}
	if e, ok := err.(*Error); ok {
		c := *e
		c.Message, c.Why, c.Fix, c.Chain = redact(c.Message, hidden), redact(c.Why, hidden), redact(c.Fix, hidden), slices.Clone(c.Chain)
		for i := range c.Chain {
			c.Chain[i] = redact(c.Chain[i], hidden)
		}
		return &c
	}
	return errors.New(redact(err.Error(), hidden))
}

// raw marks the object's secrets in a copy of m, which is its inputs or its outputs.
func (o *Object) raw(m map[string]any) map[string]any {
	c := cloneMap(m)
	// Longest path first, so that a secret inside a secret is marked before the outer one wraps it.
	paths := slices.Clone(o.Secrets)
	slices.SortFunc(paths, func(x, y string) int { return len(y) - len(x) })
	for _, path := range paths {
		replaceAt(c, parsePath(path), func(v any) any { return Secret{v} })
	}
	return c
}

// secretStrings are the strings at the paths, without those too short to be found reliably in other text.
func secretStrings(in Inputs, paths map[string]bool) []string {
	var all []string
	for path := range paths {
		leaves(in.Get(path), "", func(_, s string) {
			if len(s) >= 6 {
				all = append(all, s)
			}
		})
	}
	return all
}

func redact(text string, hidden []string) string {
	for _, h := range hidden {
		text = strings.ReplaceAll(text, h, "[secret]")
	}
	return text
}

// noun is the readable name of a type: "aws:ec2/securityGroup:SecurityGroup" is a security group.
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

// fill sets the output at path unless the program set it. Unlike Defaults it creates the objects on the way.
func fill(o *Object, path string, value any) {
	m := o.Outputs
	steps := strings.Split(path, ".")
	for _, step := range steps[:len(steps)-1] {
		next, ok := m[step].(map[string]any)
		if !ok {
			next = map[string]any{}
			m[step] = next
		}
		m = next
	}
	if last := steps[len(steps)-1]; m[last] == nil {
		m[last] = clone(value)
	}
}

// Key identifies an object; owned objects hold the key of their owner.
func Key(token, id string) string { return token + " " + id }
