package whatif

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// A step of a path: a key, the place or the name of an element, or [+] for a new element.
type step struct {
	key    string
	append bool
}

// parsePath reads "containerDefinitions[web].environment[+]", `policy.Statement["Read"].Condition.StringEquals["aws:SourceArn"]`.
func parsePath(text string) ([]step, error) {
	var steps []step
	for rest := text; rest != ""; {
		switch {
		case rest[0] == '[':
			inner, after, err := bracket(rest)
			if err != nil {
				return nil, fmt.Errorf("the path %s: %w", text, err)
			}
			steps, rest = append(steps, inner), after
		default:
			rest = strings.TrimPrefix(rest, ".")
			end := strings.IndexAny(rest, ".[")
			if end < 0 {
				end = len(rest)
			}
			if end == 0 {
				return nil, fmt.Errorf("the path %s has an empty step", text)
			}
			steps, rest = append(steps, step{key: rest[:end]}), rest[end:]
		}
	}
	return steps, nil
}

func bracket(text string) (step, string, error) {
	if strings.HasPrefix(text, `["`) {
		end := strings.Index(text, `"]`)
		if end < 2 {
			return step{}, "", errors.New(`[" has no "]`)
		}
		return step{key: text[2:end]}, text[end+2:], nil
	}
	end := strings.IndexByte(text, ']')
	switch {
	case end < 0:
		return step{}, "", errors.New("[ has no ]")
	case end == 1:
		return step{}, "", errors.New("[] is empty; [+] appends")
	case text[1:end] == "+":
		return step{append: true}, text[end+1:], nil
	}
	return step{key: text[1:end]}, text[end+1:], nil
}

// errUnknown means that what a path leads into is not known before the resource is made, which only happens in a preview.
var errUnknown = errors.New("not known in a preview")

// Marks of Pulumi's wire format, which is stable: sdk/proto/property.md and sdk/go/common/resource/sig.
const (
	markKey     = "4dabf18193072939515e22adb298388d"
	markSecret  = "1b47061264138c4ac30d75fd1eb44270"
	markOutput  = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
	markUnknown = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
)

// wrapped is a secret or an output value; inner is its value.
func wrapped(v any) (m map[string]any, inner any, ok bool) {
	m, isMap := v.(map[string]any)
	if !isMap || m[markKey] != markSecret && m[markKey] != markOutput {
		return nil, nil, false
	}
	inner, known := m["value"]
	if !known {
		inner = markUnknown
	}
	return m, inner, true
}

// An edit sets or deletes what is at a path.
type edit struct {
	value  any
	delete bool
	// text says whether a property of the resource is a string, and so its value a document in one.
	text func(property string) bool
}

// in edits the properties of a resource.
func (e edit) in(properties map[string]any, steps []step) error {
	changed, err := e.at(properties, steps, "")
	if err != nil {
		return err
	}
	if first := steps[0].key; len(steps) == 1 && !e.delete && e.text != nil && e.text(first) {
		changed.(map[string]any)[first], err = asText(changed.(map[string]any)[first])
	}
	return err
}

// asText is a document as JSON text, which is what properties such as policy take.
func asText(v any) (any, error) {
	if _, _, marked := wrapped(v); marked {
		return v, nil
	}
	switch v.(type) {
	case map[string]any, []any:
		return encode(v)
	}
	return v, nil
}

func encode(v any) (string, error) {
	var b bytes.Buffer
	out := json.NewEncoder(&b)
	out.SetEscapeHTML(false)
	err := out.Encode(v)
	return strings.TrimSuffix(b.String(), "\n"), err
}

// at returns v with the edit. where is the path that led to it, for messages.
func (e edit) at(v any, steps []step, where string) (any, error) {
	if m, inner, ok := wrapped(v); ok && len(steps) > 0 {
		changed, err := e.at(inner, steps, where)
		m["value"] = changed
		return m, err
	}
	if text, ok := v.(string); ok {
		switch document, parsed := parseDocument(text); {
		case text == markUnknown && len(steps) > 0:
			return v, errUnknown
		case parsed && len(steps) > 0:
			changed, err := e.at(document, steps, where)
			if err != nil {
				return v, err
			}
			return encode(changed)
		case parsed && len(steps) == 0:
			return asText(e.value)
		}
	}
	if len(steps) == 0 {
		return e.value, nil
	}
	switch v := v.(type) {
	case nil:
		if e.delete {
			return v, fmt.Errorf("%s is not set", orWhole(where))
		}
		if steps[0].append || steps[0].key == "0" {
			return e.inList(nil, steps, where)
		}
		return e.inMap(map[string]any{}, steps, where)
	case map[string]any:
		return e.inMap(v, steps, where)
	case []any:
		return e.inList(v, steps, where)
	}
	return v, fmt.Errorf("%s is %s and has nothing in it", orWhole(where), kindOf(v))
}

func parseDocument(text string) (any, bool) {
	trimmed := strings.TrimSpace(text)
	if trimmed == "" || trimmed[0] != '{' && trimmed[0] != '[' {
		return nil, false
	}
	var v any
	return v, json.Unmarshal([]byte(trimmed), &v) == nil
}

func (e edit) inMap(m map[string]any, steps []step, where string) (any, error) {
	first := steps[0]
	if first.append {
		return m, fmt.Errorf("%s is an object, and [+] appends to a list", orWhole(where))
	}
	child, there := m[first.key]
	if !there {
		// A Sid may follow the policy without the word Statement.
		if statements := statementsOf(m); slices.ContainsFunc(statements, func(s any) bool { return isNamed(s, first.key) }) {
			changed, err := e.inList(statements, steps, join(where, "Statement"))
			m["Statement"] = changed
			return m, err
		}
	}
	if e.delete && !there {
		return m, fmt.Errorf("%s has no %s%s", orWhole(where), first.key, suggest(first.key, keysOf(m)))
	}
	if e.delete && len(steps) == 1 {
		delete(m, first.key)
		return m, nil
	}
	// A policy may have one statement that is not in a list.
	if sole, ok := child.(map[string]any); ok && first.key == "Statement" && len(steps) > 1 && sole["Effect"] != nil {
		child = []any{sole}
	}
	changed, err := e.at(child, steps[1:], join(where, first.key))
	if err != nil {
		return m, err
	}
	m[first.key] = changed
	return m, nil
}

func statementsOf(m map[string]any) []any {
	switch s := m["Statement"].(type) {
	case []any:
		return s
	case map[string]any:
		return []any{s}
	}
	return nil
}

func (e edit) inList(list []any, steps []step, where string) (any, error) {
	first := steps[0]
	at := len(list)
	if !first.append && (len(list) > 0 || first.key != "0") {
		at = placeOf(list, first.key)
		if at < 0 {
			return list, fmt.Errorf("%s has no element %s%s", orWhole(where), first.key, elements(first.key, list))
		}
	}
	here := fmt.Sprintf("%s[%d]", where, at)
	switch {
	case at == len(list) && e.delete:
		return list, fmt.Errorf("%s does not exist, and cannot be deleted", here)
	case at == len(list):
		changed, err := e.at(nil, steps[1:], here)
		return append(list, changed), err
	case e.delete && len(steps) == 1:
		return slices.Delete(list, at, at+1), nil
	}
	changed, err := e.at(list[at], steps[1:], here)
	if err == nil {
		list[at] = changed
	}
	return list, err
}

// identifying are the keys that name an element of a list, in policies, containers, tags, volumes and rules.
var identifying = []string{"Sid", "sid", "name", "Name", "key", "Key", "id", "Id", "containerName", "sourceVolume", "containerPort"}

// isNamed says whether an element of a list has a name. A string is its own.
func isNamed(element any, name string) bool {
	if m, inner, ok := wrapped(element); ok && m != nil {
		return isNamed(inner, name)
	}
	switch v := element.(type) {
	case string:
		return v == name
	case map[string]any:
		return slices.ContainsFunc(identifying, func(key string) bool { return v[key] != nil && fmt.Sprint(v[key]) == name })
	}
	return false
}

// placeOf is the place of an element that is given by number or name; -1: there is none. Sids and names go before numbers.
func placeOf(list []any, key string) int {
	if at := slices.IndexFunc(list, func(v any) bool { return isNamed(v, key) }); at >= 0 {
		return at
	}
	if n, err := strconv.Atoi(key); err == nil && n >= 0 && n < len(list) {
		return n
	}
	return -1
}

// elements ends a message about an element that does not exist.
func elements(name string, list []any) string {
	if _, err := strconv.Atoi(name); err == nil {
		return fmt.Sprintf(": it has %d; [+] appends one", len(list))
	}
	var names []string
	for _, v := range list {
		for _, key := range identifying {
			if m, ok := v.(map[string]any); ok && m[key] != nil {
				names = append(names, fmt.Sprint(m[key]))
				break
			}
		}
		if text, ok := v.(string); ok {
			names = append(names, text)
		}
	}
	return suggest(name, names)
}

func keysOf(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }

func join(where, key string) string {
	if where == "" {
		return key
	}
	return where + "." + key
}

func orWhole(where string) string {
	if where == "" {
		return "the resource"
	}
	return where
}

// kindOf is what a value is, in words: the value itself may be a secret.
func kindOf(v any) string {
	switch v.(type) {
	case string:
		return "a string"
	case float64, int:
		return "a number"
	case bool:
		return "true or false"
	}
	return fmt.Sprintf("a %T", v)
}
