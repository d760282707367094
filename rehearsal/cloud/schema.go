package cloud

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/agnivade/levenshtein"
)

// schemaGzip is what the model needs of the schema of the AWS provider (HashiCorp's 5.82, with the names of pulumi-aws
// v6): for every resource and data source of the services that a Fargate site can use, the properties, their types,
// which are required, which replace the resource when they change, and which are secret. It is refreshed with
//
//	go run ./rehearsal/cloud/schemagen schema.json > rehearsal/cloud/schema.gz
//
// Each line is one entry, so that entries can be decoded on demand.
//
//go:embed schema.gz
var schemaGzip []byte

// An entry is a resource ("R "), a data source ("F "), an object type ("T ") or the provider's configuration ("C ").
type entry struct {
	In       map[string]*kindOf `json:"in"`
	Out      map[string]*kindOf `json:"out"`
	Required []string           `json:"req"` // inputs that must be given
	Always   []string           `json:"has"` // outputs that are always there: computed, or computed where not given
}

// A kindOf is the type of one property.
type kindOf struct {
	Kind     string  `json:"k"` // string, integer, number, boolean, array, map, object, document, asset, any
	Elem     *kindOf `json:"e"`
	Ref      string  `json:"r"` // the object type
	Secret   bool    `json:"s"`
	Replaces bool    `json:"w"`

	of *entry // an object type that the schema does not have
}

type schemaIndex struct {
	lines   map[string][]byte
	mu      sync.RWMutex
	decoded map[string]*entry
}

var schema = sync.OnceValue(newIndex)

func newIndex() *schemaIndex {
	zip, err := gzip.NewReader(bytes.NewReader(schemaGzip))
	if err != nil {
		panic("cloud: the embedded schema is damaged: " + err.Error())
	}
	text, err := io.ReadAll(zip)
	if err != nil {
		panic("cloud: the embedded schema is damaged: " + err.Error())
	}
	s := &schemaIndex{lines: make(map[string][]byte, 1500), decoded: map[string]*entry{}}
	for line := range bytes.Lines(text) {
		if name := bytes.IndexByte(line, '{'); name > 0 {
			s.lines[string(line[:name-1])] = line[name:]
		}
	}
	return s
}

// get returns the entry of name ("R aws:ec2/vpc:Vpc"), nil if the schema has none.
func (s *schemaIndex) get(name string) *entry {
	s.mu.RLock()
	e := s.decoded[name]
	s.mu.RUnlock()
	if e != nil {
		return e
	}
	line, ok := s.lines[name]
	if !ok {
		return nil
	}
	e = &entry{}
	if err := json.Unmarshal(line, e); err != nil {
		panic("cloud: the embedded schema is damaged at " + name + ": " + err.Error())
	}
	s.mu.Lock()
	s.decoded[name] = e
	s.mu.Unlock()
	return e
}

// check validates raw inputs by name, type and presence. It reports every mistake, sorted by path.
func (e *entry) check(in map[string]any) []Problem {
	c := checker{}
	c.object(e, in, "")
	slices.SortFunc(c.problems, func(a, b Problem) int { return strings.Compare(a.Path, b.Path) })
	return c.problems
}

type checker struct {
	problems []Problem
}

func (c *checker) say(path, rule string, args ...any) {
	c.problems = append(c.problems, Problem{Path: path, Rule: fmt.Sprintf(rule, args...)})
}

func (c *checker) object(e *entry, in map[string]any, path string) {
	for name, v := range in {
		if strings.HasPrefix(name, "__") {
			continue // internal marks of the engine and the providers
		}
		k, ok := e.In[name]
		if !ok {
			c.say(join(path, name), "there is no property %q%s", name, suggest(name, sortedKeys(e.In)))
			continue
		}
		c.value(k, v, join(path, name))
		if s, ok := v.(string); ok && s != "" && (name == "arn" || strings.HasSuffix(name, "Arn")) && !strings.HasPrefix(s, "arn:") {
			c.say(join(path, name), "expected an ARN, got %q", s)
		}
	}
	for _, name := range e.Required {
		v, ok := in[name]
		if s, secret := v.(Secret); secret {
			v = s.Value
		}
		if !ok || v == nil {
			c.say(join(path, name), "missing required property %q", name)
		}
	}
}

func (c *checker) value(k *kindOf, v any, path string) {
	switch w := v.(type) {
	case nil, unknown:
		return
	case Secret:
		c.value(k, w.Value, path)
		return
	case Inputs:
		v = map[string]any(w)
	}
	switch k.Kind {
	case "array":
		c.list(k, v, path)
	case "map":
		m, ok := v.(map[string]any)
		if !ok {
			c.say(path, "expected a map, got %s", describe(v))
			return
		}
		for name, e := range m {
			c.value(k.Elem, e, join(path, name))
		}
	case "object":
		m, ok := v.(map[string]any)
		if !ok {
			c.say(path, "expected an object, got %s", describe(v))
			return
		}
		e := k.of
		if e == nil {
			e = schema().get("T " + k.Ref)
		}
		if e != nil {
			c.object(e, m, path)
		}
	default:
		c.scalar(k, v, path)
	}
}

func (c *checker) list(k *kindOf, v any, path string) {
	l, ok := v.([]any)
	if !ok {
		c.say(path, "expected a list, got %s", describe(v))
		return
	}
	for i, e := range l {
		if e == nil {
			c.say(at(path, i), "a list cannot hold null")
			continue
		}
		c.value(k.Elem, e, at(path, i))
	}
}

func (c *checker) scalar(k *kindOf, v any, path string) {
	switch k.Kind {
	case "string":
		if _, ok := v.(string); !ok {
			c.say(path, "expected a string, got %s", describe(v))
		}
	case "boolean":
		if _, ok := v.(bool); !ok {
			c.say(path, "expected a boolean, got %s", describe(v))
		}
	case "integer":
		if f, ok := number(v); !ok {
			c.say(path, "expected an integer, got %s", describe(v))
		} else if f != math.Trunc(f) || math.IsInf(f, 0) {
			c.say(path, "expected an integer, got %v", f)
		}
	case "number":
		if f, ok := number(v); !ok || math.IsNaN(f) || math.IsInf(f, 0) {
			c.say(path, "expected a number, got %s", describe(v))
		}
	case "document":
		switch v := v.(type) {
		case string:
			if !json.Valid([]byte(v)) {
				c.say(path, "expected a JSON document; the text is not JSON")
			}
		case map[string]any:
		default:
			c.say(path, "expected a JSON document, got %s", describe(v))
		}
	case "asset":
		if m, ok := v.(map[string]any); !ok || m[assetMark] == nil {
			c.say(path, "expected an asset or an archive, got %s", describe(v))
		}
	}
}

// assetMark is the key that marks an asset or an archive in Pulumi's wire format.
const assetMark = "4dabf18193072939515e22adb298388d"

// describe names the type of a value. The value itself may be a secret and is not shown.
func describe(v any) string {
	switch v.(type) {
	case string:
		return "a string"
	case bool:
		return "a boolean"
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	}
	if _, ok := number(v); ok {
		return "a number"
	}
	return fmt.Sprintf("a %T", v)
}

// suggest names the most similar known name, or lists the known names if they are few.
func suggest(name string, known []string) string {
	best, distance := "", len(name)/2+1
	for _, k := range known {
		d := levenshtein.ComputeDistance(strings.ToLower(name), strings.ToLower(k))
		if d < distance {
			best, distance = k, d
		}
	}
	switch {
	case best != "":
		return fmt.Sprintf("; did you mean %q?", best)
	case len(known) > 0 && len(known) <= 8:
		return "; expected one of " + strings.Join(known, ", ")
	}
	return ""
}

// along calls f with the type of every property on the way to path, until f returns false. It reports whether the schema has
// the path.
func (e *entry) along(path []segment, f func(*kindOf) bool) bool {
	at := e
	var k *kindOf
	for _, s := range path {
		switch {
		case s.list:
			if k == nil || k.Kind != "array" {
				return false
			}
			k = k.Elem
		case k != nil && k.Kind == "map":
			k = k.Elem
		case at == nil:
			return false
		default:
			k = at.In[s.key]
			if k == nil {
				k = at.Out[s.key]
			}
		}
		if k == nil {
			return false
		}
		if !f(k) {
			return true
		}
		at = nil
		if k.Kind == "object" {
			at = schema().get("T " + k.Ref)
		}
	}
	return true
}

// replaces reports whether a change at path replaces the resource.
func (e *entry) replaces(path string) bool {
	found := false
	e.along(parsePath(path), func(k *kindOf) bool { found = found || k.Replaces; return !found })
	return found
}

// secretPaths adds the paths of m that are secret by the schema to found.
func secretPaths(properties map[string]*kindOf, m map[string]any, path string, found map[string]bool) {
	for name, v := range m {
		k := properties[name]
		if k == nil {
			continue
		}
		secretPath(k, v, join(path, name), found)
	}
}

func secretPath(k *kindOf, v any, path string, found map[string]bool) {
	if k == nil || v == nil {
		return
	}
	if k.Secret {
		found[path] = true
		return
	}
	switch v := v.(type) {
	case []any:
		for i, e := range v {
			secretPath(k.Elem, e, at(path, i), found)
		}
	case map[string]any:
		if k.Kind == "map" {
			for name, e := range v {
				secretPath(k.Elem, e, join(path, name), found)
			}
		} else if e := schema().get("T " + k.Ref); e != nil && k.Ref != "" {
			secretPaths(e.In, v, path, found)
		}
	}
}
