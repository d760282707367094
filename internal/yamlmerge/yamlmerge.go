// Package yamlmerge adds keys to a YAML file. What the file has already stays, with its comments.
package yamlmerge

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// A Value is a value of a YAML file, with comments.
type Value struct {
	scalar *string
	tag    string // of a scalar that is no string
	keys   []entry
	items  []*Value
	kind   yaml.Kind
	flow   bool
	line   string // a comment at the end of the line
	named  string // of an item that is an object: the value of its key name
}

type entry struct {
	name  string
	above string // a comment above it
	value *Value
}

// Object is an object without keys.
func Object() *Value { return &Value{kind: yaml.MappingNode} }

// With adds a key: with a *Value, a string, a number, true or false; without a value, nothing.
func (t *Value) With(name string, value any) *Value { return t.Below("", name, value) }

// Below is With, with a comment above the key.
func (t *Value) Below(comment, name string, value any) *Value {
	var v *Value
	switch x := value.(type) {
	case *Value:
		v = x
	case string:
		v = Text(x, "")
	default:
		v = Plain(x, "")
	}
	if v != nil {
		t.keys = append(t.keys, entry{name, comment, v})
	}
	return t
}

// At is an object in an object, which is made if it is not there.
func (t *Value) At(name string) *Value {
	for _, k := range t.keys {
		if k.name == name {
			return k.value
		}
	}
	child := Object()
	t.keys = append(t.keys, entry{name: name, value: child})
	return child
}

// Text is a string, with a comment at the end of its line.
func Text(value, comment string) *Value {
	return &Value{kind: yaml.ScalarNode, scalar: &value, tag: "!!str", line: comment}
}

// Plain is a number, true or false.
func Plain(value any, comment string) *Value {
	written := fmt.Sprint(value)
	tag := "!!int"
	if _, is := value.(bool); is {
		tag = "!!bool"
	}
	return &Value{kind: yaml.ScalarNode, scalar: &written, tag: tag, line: comment}
}

// List is a list of strings on one line.
func List(all []string, comment string) *Value {
	t := &Value{kind: yaml.SequenceNode, flow: true, line: comment}
	for _, w := range all {
		t.items = append(t.items, Text(w, ""))
	}
	return t
}

// Add adds an item to a list, which is written with one item on a line. Name is that of an item that is an object.
func (t *Value) Add(name string, item *Value) *Value {
	item.named = name
	t.items = append(t.items, item)
	return t
}

// Lines is an empty list for Add.
func Lines() *Value { return &Value{kind: yaml.SequenceNode} }

// node is the value for the library.
func (t *Value) node() *yaml.Node {
	n := &yaml.Node{Kind: t.kind, LineComment: t.line}
	if t.flow {
		n.Style = yaml.FlowStyle
	}
	switch t.kind {
	case yaml.ScalarNode:
		n.Tag, n.Value = t.tag, *t.scalar
		if t.tag == "!!str" && strings.HasPrefix(n.Value, "{") {
			if n.Style = yaml.DoubleQuotedStyle; strings.Contains(n.Value, `"`) {
				n.Style = yaml.SingleQuotedStyle
			}
		}
	case yaml.MappingNode:
		for _, k := range t.keys {
			n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: k.name, HeadComment: k.above}, k.value.node())
		}
	default:
		for _, item := range t.items {
			n.Content = append(n.Content, item.node())
		}
	}
	return n
}

// A File is a YAML file.
type File struct {
	Name string
	Text []byte // nil: there is none
	node yaml.Node
}

// Read reads a file of a folder. One that does not exist has no Text.
func Read(root, name string) (*File, error) {
	d := &File{Name: name}
	var err error
	if d.Text, err = ReadText(root, name); err != nil || d.Text == nil {
		return d, err
	}
	if err := yaml.Unmarshal(d.Text, &d.node); err != nil {
		return nil, fmt.Errorf("%s is not valid YAML: %w", name, err)
	}
	if len(d.node.Content) > 0 && d.node.Content[0].Kind != yaml.MappingNode {
		return nil, fmt.Errorf("%s is not an object of keys", name)
	}
	return d, nil
}

// Get is a value of the document; one of the kind 0 if there is none.
func (d *File) Get(path ...string) *yaml.Node {
	if len(d.node.Content) == 0 {
		return &yaml.Node{}
	}
	n := d.node.Content[0]
	for _, name := range path {
		if n = member(n, name); n == nil {
			return &yaml.Node{}
		}
	}
	return n
}

// member is the value of a key; nil if there is none.
func member(n *yaml.Node, name string) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i+1]
		}
	}
	return nil
}

// With is the text of the document with what it does not have yet. What it has stays as it is, with the user's comments.
func (d *File) With(wanted *Value, kept func(Kept)) ([]byte, error) {
	if d.Text == nil {
		return encoded(wanted.node())
	}
	if len(d.node.Content) == 0 { // a file without any key
		data, err := encoded(wanted.node())
		return append(bytes.TrimRight(d.Text, "\n"), append([]byte("\n"), data...)...), err
	}
	m := &merger{document: d, kept: kept}
	m.merge(d.node.Content[0], wanted, "")
	if m.err != nil || !m.changed {
		return d.Text, m.err
	}
	return encoded(&d.node)
}

func encoded(n *yaml.Node) ([]byte, error) {
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(n); err != nil {
		return nil, err
	}
	return b.Bytes(), e.Close()
}

// Kept is a value that a file has and that differs from the wanted one.
type Kept struct {
	Key, Value, Wanted string
	File               string
	Line               int
}

// A merger adds to a document.
type merger struct {
	document *File
	kept     func(Kept)
	changed  bool
	err      error
}

func (m *merger) merge(have *yaml.Node, want *Value, path string) {
	switch {
	case have.Kind == yaml.AliasNode:
		// What it stands for is also somewhere else.
	case have.Kind == yaml.MappingNode && want.kind == yaml.MappingNode:
		for _, k := range want.keys {
			at := strings.TrimPrefix(path+"."+k.name, ".")
			if child := member(have, k.name); child != nil {
				m.merge(child, k.value, at)
				continue
			}
			have.Content = append(have.Content, Object().Below(k.above, k.name, k.value).node().Content...)
			m.changed = true
		}
	case have.Kind == yaml.SequenceNode && want.kind == yaml.SequenceNode && !want.flow:
		m.items(have, want)
	case have.Kind == yaml.ScalarNode && have.Tag == "!!null":
		node := want.node()
		node.HeadComment, node.FootComment = have.HeadComment, have.FootComment
		*have, m.changed = *node, true
	case have.Kind != want.kind:
		if want.kind == yaml.MappingNode && have.Kind == yaml.ScalarNode && path == "runtime" {
			return // runtime: go is another way to start the same program
		}
		m.err = errors.Join(m.err, fmt.Errorf("line %d: %s has another form than Slipway expects", have.Line, path))
	default:
		if one, other := flat(have), flat(want.node()); one != other {
			m.kept(Kept{Key: path, Value: one, Wanted: other, File: m.document.Name, Line: have.Line})
		}
	}
}

// items adds the items of a list that it does not have. Objects are the same if their names are.
func (m *merger) items(have *yaml.Node, want *Value) {
	for _, item := range want.items {
		same := func(n *yaml.Node) bool { return flat(n) == flat(item.node()) }
		if item.named != "" {
			same = func(n *yaml.Node) bool {
				name := member(n, "name")
				return name != nil && name.Value == item.named
			}
		}
		if !slices.ContainsFunc(have.Content, same) {
			have.Content = append(have.Content, item.node())
			m.changed = true
		}
	}
}

// flat is a value on one line.
func flat(n *yaml.Node) string {
	switch n.Kind {
	case yaml.ScalarNode:
		return n.Value
	case yaml.SequenceNode:
		all := make([]string, len(n.Content))
		for i, item := range n.Content {
			all[i] = flat(item)
		}
		return "[" + strings.Join(all, ", ") + "]"
	}
	return "{...}"
}

// ReadText reads a file; nil if there is none.
func ReadText(root, name string) ([]byte, error) {
	data, err := os.ReadFile(filepath.Join(root, name))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("%s cannot be read: %w", name, errors.Unwrap(err))
	case data == nil:
		return []byte{}, nil
	}
	return data, nil
}
