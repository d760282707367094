package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"gopkg.in/yaml.v3"
)

// A node is a YAML or JSON value that keeps how it was written: duplicate keys, quotes, lines and encryption.
type node struct {
	kind   kind
	text   string // of a scalar, as written
	items  []*node
	fields []pair
	line   int
	secret bool // encrypted: {secure: ...}
}

type pair struct {
	key   string
	line  int
	value *node
}

type kind string

const (
	null    kind = "null"
	boolean kind = "a boolean (true or false)"
	number  kind = "a number"
	text    kind = "a string"
	date    kind = "a date"
	list    kind = "a list"
	object  kind = "an object"
)

const deepest = 32 // levels; a valid configuration has five

func (n *node) child(key string) *node {
	for _, f := range n.fields {
		if f.key == key {
			return f.value
		}
	}
	return nil
}

// repeats reports for each field whether an earlier one has the same key.
func (n *node) repeats() []bool {
	seen, all := map[string]bool{}, make([]bool, len(n.fields))
	for i, f := range n.fields {
		all[i] = seen[f.key]
		seen[f.key] = true
	}
	return all
}

func (n *node) holdsSecret() bool {
	if n.secret {
		return true
	}
	for _, item := range n.items {
		if item.holdsSecret() {
			return true
		}
	}
	for _, f := range n.fields {
		if f.value.holdsSecret() {
			return true
		}
	}
	return false
}

// shown is how a value is printed in a mistake.
func (n *node) shown() string {
	switch {
	case n.holdsSecret():
		return masked
	case n.kind == text:
		return quoted(n.text)
	case n.kind == boolean, n.kind == number, n.kind == date:
		return n.text
	}
	return string(n.kind)
}

func fromYAML(y *yaml.Node, depth int) (*node, *Mistake) {
	n := &node{line: y.Line}
	if depth > deepest {
		return nil, &Mistake{Line: y.Line, Rule: "is nested too deeply"}
	}
	if y.Kind != yaml.AliasNode && y.Style&yaml.TaggedStyle != 0 && y.ShortTag() != "!!str" {
		return nil, &Mistake{Line: y.Line, Rule: "has a YAML tag (" + quoted(y.Tag) + "): write the value without it, a string in quotes"}
	}
	switch y.Kind {
	case yaml.AliasNode:
		return nil, &Mistake{Line: y.Line, Rule: "uses an alias (*" + y.Value + "): repeat the value instead"}
	case yaml.SequenceNode:
		n.kind = list
		for _, item := range y.Content {
			v, m := fromYAML(item, depth+1)
			if m != nil {
				return nil, m
			}
			n.items = append(n.items, v)
		}
	case yaml.MappingNode:
		n.kind = object
		for i := 0; i+1 < len(y.Content); i += 2 {
			key, m := keyOf(y.Content[i])
			if m != nil {
				return nil, m
			}
			v, m := fromYAML(y.Content[i+1], depth+1)
			if m != nil {
				return nil, m
			}
			n.fields = append(n.fields, pair{key, y.Content[i].Line, v})
		}
		if len(n.fields) == 1 && n.fields[0].key == "secure" && n.fields[0].value.kind == text {
			return &node{kind: text, line: y.Line, secret: true}, nil
		}
	default:
		n.text = y.Value
		switch y.ShortTag() {
		case "!!null":
			n.kind = null
		case "!!bool":
			n.kind = boolean
		case "!!int", "!!float":
			n.kind = number
		case "!!timestamp":
			n.kind = date
		default:
			n.kind = text
		}
	}
	return n, nil
}

// keyOf is the key of a mapping. A key that YAML reads as a number or a date reaches the engine in another form.
func keyOf(y *yaml.Node) (string, *Mistake) {
	switch {
	case y.Kind != yaml.ScalarNode:
		return "", &Mistake{Line: y.Line, Rule: "a key must be a string"}
	case y.ShortTag() == "!!merge":
		return "", &Mistake{Line: y.Line, Rule: "uses a merge key (<<): repeat the values instead"}
	case y.ShortTag() != "!!str":
		return "", &Mistake{Line: y.Line, Rule: "a key must be a string: write " + quoted(y.Value)}
	}
	return y.Value, nil
}

// parseJSON parses a value from the engine. Its errors never contain any part of the value.
func parseJSON(data string) (*node, error) {
	dec := json.NewDecoder(bytes.NewReader([]byte(data)))
	dec.UseNumber()
	n, err := fromJSON(dec, 0)
	if err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("unexpected data after the value")
	}
	return n, nil
}

func fromJSON(dec *json.Decoder, depth int) (*node, error) {
	if depth > deepest {
		return nil, errors.New("nested too deeply")
	}
	token, err := dec.Token()
	if err != nil {
		return nil, errors.New("invalid JSON")
	}
	switch t := token.(type) {
	case nil:
		return &node{kind: null}, nil
	case bool:
		return &node{kind: boolean, text: fmt.Sprint(t)}, nil
	case json.Number:
		return &node{kind: number, text: t.String()}, nil
	case string:
		return &node{kind: text, text: t}, nil
	}
	n := &node{kind: list}
	if token == json.Delim('{') {
		n.kind = object
	}
	for dec.More() {
		var key string
		if n.kind == object {
			token, err := dec.Token()
			if err != nil {
				return nil, errors.New("invalid JSON")
			}
			key, _ = token.(string)
		}
		v, err := fromJSON(dec, depth+1)
		if err != nil {
			return nil, err
		}
		if n.kind == object {
			n.fields = append(n.fields, pair{key: key, value: v})
		} else {
			n.items = append(n.items, v)
		}
	}
	if _, err := dec.Token(); err != nil {
		return nil, errors.New("invalid JSON")
	}
	return n, nil
}
