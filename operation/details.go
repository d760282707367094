package operation

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"slipway/engine"
)

// A Detail is one setting that differs, by name: a variable of a container, an action of a policy statement, a tag. The
// engine shows the documents that hold these as one string.
type Detail struct {
	Op   string `json:"op"`   // "add", "delete" or "update"
	Name string `json:"name"` // "web/django env GREETING", "statement ReadSecrets action", "tags.team"
	From any    `json:"from,omitempty"`
	To   any    `json:"to,omitempty"`

	Replaces bool `json:"replaces,omitempty"` // the resource is replaced because of it
}

const unknown, secret = "[unknown]", "[secret]"

// detailsOf are the settings that differ in a change.
func detailsOf(c engine.Change) []Detail {
	var d details
	tagged := slices.ContainsFunc(c.Properties, func(p engine.Property) bool {
		return strings.HasPrefix(p.Path, "tags") && !strings.HasPrefix(p.Path, "tagsAll")
	})
	for _, p := range c.Properties {
		if tagged && strings.HasPrefix(p.Path, "tagsAll") { // the same, with the tags of the provider
			continue
		}
		first := len(d)
		from, to := document(p.From), document(p.To)
		_, wasText := from.(string)
		_, isText := to.(string)
		switch {
		case p.To == secret || p.From == secret: // not even the other side: it is likely a secret too
			d.leaf(p.Path, secret, secret)
		case p.Path == "containerDefinitions" && p.To == unknown:
			for _, container := range list(from) {
				d.leaf(strings.TrimSuffix(c.Name(), "-task")+"/"+label(container, 0), nil, unknown)
			}
		case p.To == unknown || wasText && isText || from == nil && isText || wasText && to == nil:
			d.leaf(p.Path, p.From, p.To)
		case p.Path == "containerDefinitions":
			d.walk(strings.TrimSuffix(c.Name(), "-task")+"/", from, to)
		case p.Path == "policy":
			d.walk("", from, to)
		default:
			d.walk(p.Path, from, to)
		}
		for i := first; i < len(d); i++ {
			d[i].Replaces = strings.HasSuffix(p.Kind, "-replace")
		}
	}
	return d
}

func list(v any) []any {
	all, _ := v.([]any)
	return all
}

// document is what a string holds in JSON; any other value is itself.
func document(v any) any {
	text, ok := v.(string)
	if !ok || !strings.HasPrefix(text, "{") && !strings.HasPrefix(text, "[") {
		return v
	}
	var value any
	if json.Unmarshal([]byte(text), &value) != nil {
		return v
	}
	return value
}

type details []Detail

func (d *details) leaf(name string, from, to any) {
	name = strings.TrimSpace(name)
	if to == unknown { // what it will be is not known yet, so the old value is of little help
		if text, ok := from.(string); ok && len(text) > 100 {
			from = nil
		}
	}
	op := "update"
	switch {
	case from == nil && to != unknown:
		op = "add"
	case to == nil:
		op = "delete"
	}
	*d = append(*d, Detail{Op: op, Name: name, From: from, To: to})
}

// walk compares two values, and records every leaf that differs.
func (d *details) walk(name string, from, to any) {
	if reflect.DeepEqual(from, to) {
		return
	}
	was, wasMap := from.(map[string]any)
	is, isMap := to.(map[string]any)
	wasList, listed := from.([]any)
	isList, lists := to.([]any)
	switch {
	case (wasMap || from == nil) && (isMap || to == nil) && (wasMap || isMap):
		names := maps.Clone(was)
		if names == nil {
			names = map[string]any{}
		}
		maps.Copy(names, is)
		for _, key := range slices.Sorted(maps.Keys(names)) {
			if !named[key] {
				d.walk(below(name, key), was[key], is[key])
			}
		}
	case (listed || from == nil) && (lists || to == nil) && (listed || lists):
		d.list(name, wasList, isList)
	default:
		d.leaf(name, from, to)
	}
}

// named are the keys that name an element of a list, and Version, which every policy has.
var named = map[string]bool{"name": true, "Sid": true, "Version": true}

// below is the name of a key of an object. The parts of a container and of a statement have words that users know.
func below(name, key string) string {
	words := map[string]string{"environment": "env", "secrets": "secret", "Statement": "statement", "Action": "action", "Resource": "resource",
		"Condition": "condition", "Principal": "principal", "Effect": "effect"}
	if word, ok := words[key]; ok {
		return strings.TrimSpace(name + " " + word)
	}
	if key == "value" || key == "valueFrom" { // of a variable: its name says all
		return name
	}
	switch {
	case name == "" || strings.HasSuffix(name, "/"):
		return name + key
	case strings.Contains(name, " ") || strings.Contains(name, "/"):
		return name + " " + key
	}
	return name + "." + key
}

// list compares lists: of objects by their names, of anything else as sets.
func (d *details) list(name string, was, is []any) {
	keyed := func(list []any) map[string]any {
		all := map[string]any{}
		for i, element := range list {
			all[label(element, i)] = element
		}
		return all
	}
	olds, news := keyed(was), keyed(is)
	names := maps.Clone(olds)
	maps.Copy(names, news)
	for _, key := range slices.Sorted(maps.Keys(names)) {
		old, now := olds[key], news[key]
		_, isObject := names[key].(map[string]any)
		switch {
		case reflect.DeepEqual(old, now):
		case isObject:
			d.walk(element(name, key), old, now)
		default:
			d.leaf(name, old, now)
		}
	}
}

// label is what tells an element of a list from the others.
func label(element any, i int) string {
	object, ok := element.(map[string]any)
	if !ok {
		return fmt.Sprint(element)
	}
	for _, key := range []string{"name", "Sid", "id", "key"} {
		if text, ok := object[key].(string); ok && text != "" {
			return text
		}
	}
	return fmt.Sprintf("[%d]", i)
}

func element(name, key string) string {
	switch {
	case strings.HasPrefix(key, "["), strings.HasSuffix(name, "/"):
		return name + key
	case name == "":
		return key
	}
	return name + " " + key
}
