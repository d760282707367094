// Package config is a stack's configuration: one typed struct, read strictly, every mistake reported at once.
//
// Nothing is registered, asked of AWS or guessed. A misspelt key, a number in quotes or a value out of range is an error
// that names the key and what is allowed; an absent key means its documented default.
package config

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Load understands a Source. The error is a Mistakes: all of them, sorted by key.
func Load(source Source) (*Stack, error) {
	d := &decoder{source: source, mistakes: slices.Clone(source.mistakes), bad: map[string]bool{}}
	stack := &Stack{Project: source.Project, Name: source.Stack}
	d.namespaces()
	d.provider(stack)
	v := reflect.ValueOf(stack).Elem()
	for _, f := range fieldsOf(v.Type()) {
		if f.key == "secrets" {
			d.secrets(stack)
			continue
		}
		raw, ok := source.Values[source.Project+":"+f.key]
		if !ok {
			d.absent(v.FieldByIndex(f.index), f, f.key)
			continue
		}
		if n := d.parse(f, raw); n != nil {
			d.value(v.FieldByIndex(f.index), n, f.key, f)
		}
	}
	d.rules(stack)
	if len(d.mistakes) > 0 {
		return nil, d.mistakes.sorted()
	}
	return stack, nil
}

// A decoder fills the struct and gathers mistakes on the way.
type decoder struct {
	source   Source
	mistakes Mistakes
	bad      map[string]bool // the keys of mistakes
}

// add notes a mistake. A key is told one thing at a time: what follows from a mistake is not a further mistake.
func (d *decoder) add(path, value, rule string, args ...any) {
	if d.wrong(path) {
		return
	}
	d.bad[path] = true
	d.mistakes = append(d.mistakes, Mistake{Key: path, Value: value, Rule: fmt.Sprintf(rule, args...),
		File: d.source.File, Line: d.lineOf(path)})
}

// wrong says whether something is known to be wrong with the key itself or a key that holds it.
func (d *decoder) wrong(path string) bool {
	for ; path != ""; path = holder(path) {
		if d.bad[path] {
			return true
		}
	}
	return false
}

// holder is the path of what holds a key.
func holder(path string) string { return path[:max(0, strings.LastIndexAny(path, ".["))] }

// right says that nothing is wrong with any of the keys, so that rules between them can be judged.
func (d *decoder) right(paths ...string) bool {
	return !slices.ContainsFunc(paths, d.wrong)
}

var plainKey = regexp.MustCompile(`^[A-Za-z0-9_:/@+=-]+$`)

// step is the path of a key below another. A key that could be misread is put in quotes.
func step(path, key string) string {
	if !plainKey.MatchString(key) || secretText(key) != "" {
		return path + "[" + quoted(key) + "]"
	}
	return path + "." + key
}

// lineOf is where the key stands, or else the key that holds it.
func (d *decoder) lineOf(path string) int {
	for ; path != ""; path = holder(path) {
		if line := d.source.lines[path]; line > 0 {
			return line
		}
	}
	return 0
}

// parse makes a node of a raw value. What the engine hands over as text has lost its type, so that a scalar takes the
// type of its field.
func (d *decoder) parse(f field, raw RawValue) *node {
	n := raw.tree
	if n == nil {
		n = &node{kind: text, text: raw.Text, secret: raw.Secret}
		if raw.Secret {
			d.mistyped(n, f.key, f.kind())
			return nil
		}
		if f.composite() {
			var err error
			if n, err = parseJSON(raw.Text); err != nil {
				d.add(f.key, "", "must be %s: %v", f.kind(), err)
				return nil
			}
		}
	}
	if !f.composite() && !n.secret && (n.kind == text || n.kind == boolean || n.kind == number) {
		n = &node{kind: text, text: n.text, line: n.line}
		if f.kind() == boolean && (n.text == "true" || n.text == "false") {
			n.kind = boolean
		}
	}
	return n
}

// A field is a field of a configuration struct, by its tags.
type field struct {
	index              []int
	name               string // in Go
	key                string
	typ                reflect.Type
	def, allowed, rule string
	required           bool
}

func fieldsOf(t reflect.Type) []field {
	var all []field
	for i := range t.NumField() {
		f := t.Field(i)
		if key, ok := f.Tag.Lookup("key"); ok {
			all = append(all, field{index: f.Index, name: f.Name, key: key, typ: f.Type, def: f.Tag.Get("default"),
				allowed: f.Tag.Get("allowed"), rule: f.Tag.Get("rule"), required: f.Tag.Get("required") == "true"})
		}
	}
	return all
}

func (f field) composite() bool {
	k := f.kind()
	return k == list || k == object
}

func (f field) kind() kind {
	switch f.typ.Kind() {
	case reflect.Bool:
		return boolean
	case reflect.Int:
		return number
	case reflect.Slice:
		return list
	case reflect.Struct, reflect.Map:
		return object
	}
	return text
}

// absent gives a field its default.
func (d *decoder) absent(v reflect.Value, f field, path string) {
	switch {
	case f.required:
		d.add(path, "", "is required: %s", f.rule)
	case f.typ.Kind() == reflect.Struct:
		d.value(v, &node{kind: object}, path, f)
	case f.def != "":
		d.value(v, &node{kind: f.kind(), text: f.def}, path, f)
	}
}

// value decodes n into v, which is the value of field f or an item of it.
func (d *decoder) value(v reflect.Value, n *node, path string, f field) {
	want := field{typ: v.Type()}.kind()
	if n.kind != want {
		d.mistyped(n, path, want)
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		if n.text != "true" && n.text != "false" {
			d.add(path, quoted(n.text), "must be true or false")
			return
		}
		v.SetBool(n.text == "true")
	case reflect.Int:
		i, err := strconv.Atoi(n.text)
		if err != nil || strconv.Itoa(i) != n.text {
			d.add(path, n.text, "must be a whole number")
			return
		}
		v.SetInt(int64(i))
		d.allowed(n, path, f)
	case reflect.String:
		if d.text(n, path) {
			v.SetString(n.text)
			d.allowed(n, path, f)
		}
	case reflect.Slice:
		if f.required && len(n.items) == 0 {
			d.add(path, "", "must not be empty: %s", f.rule)
		}
		v.Set(reflect.MakeSlice(v.Type(), len(n.items), len(n.items)))
		for i, item := range n.items {
			d.value(v.Index(i), item, fmt.Sprintf("%s[%d]", path, i), field{typ: v.Type().Elem()})
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		twice := n.repeats()
		for i, pair := range n.fields {
			at := step(path, pair.key)
			if twice[i] {
				d.add(at, "", "is written twice")
				continue
			}
			item := reflect.New(v.Type().Elem()).Elem()
			d.value(item, pair.value, at, field{typ: item.Type()})
			v.SetMapIndex(reflect.ValueOf(pair.key), item)
		}
	case reflect.Struct:
		d.object(v, n, path)
	}
}

func (d *decoder) object(v reflect.Value, n *node, path string) {
	fields := fieldsOf(v.Type())
	keys := make([]string, len(fields))
	for i, f := range fields {
		keys[i] = f.key
	}
	twice := n.repeats()
	for i, pair := range n.fields {
		at := step(path, pair.key)
		switch {
		case twice[i]:
			d.add(at, "", "is written twice")
		case !slices.Contains(keys, pair.key):
			d.add(at, "", "%s", unknown(path, pair.key, keys))
		}
	}
	for _, f := range fields {
		if child := n.child(f.key); child != nil {
			d.value(v.FieldByIndex(f.index), child, path+"."+f.key, f)
		} else {
			d.absent(v.FieldByIndex(f.index), f, path+"."+f.key)
		}
	}
}

// mistyped says what was found instead, and how to write what was meant.
func (d *decoder) mistyped(n *node, path string, want kind) {
	switch {
	case n.secret:
		d.add(path, masked, "must not be secret: what is secret stands under %s:secrets", d.source.Project)
	case n.kind == null:
		d.add(path, "null", "must be %s; leave the key out for its default", want)
	case want == text && (n.kind == number || n.kind == boolean):
		d.add(path, n.text, "must be a text: put it in quotes")
	case n.kind == text && (want == number || want == boolean):
		d.add(path, n.shown(), "must be %s, without quotes", want)
	default:
		d.add(path, n.shown(), "must be %s", want)
	}
}

// text judges what holds for every text.
func (d *decoder) text(n *node, path string) bool {
	rule := ""
	switch {
	case n.secret:
		d.mistyped(n, path, text)
		return false
	case n.text == "" && (path == "domain" || path == "zone"):
	case n.text == "":
		rule = "must not be empty; leave the key out for its default"
	case len(n.text) > 4096:
		rule = "must be at most 4096 bytes"
	case !printable(n.text):
		rule = "must be printable text on one line"
	case n.text != strings.TrimSpace(n.text):
		rule = "must not begin or end with a space"
	default:
		if what := secretText(n.text); what != "" {
			d.add(path, masked, "looks like %s: keep it under %s:secrets", what, d.source.Project)
			return false
		}
	}
	if rule != "" {
		d.add(path, n.shown(), "%s", rule)
	}
	return rule == ""
}

// allowed enforces the tag: a range of numbers or alternatives.
func (d *decoder) allowed(n *node, path string, f field) {
	if f.allowed == "" {
		return
	}
	if low, high, ok := strings.Cut(f.allowed, ".."); ok {
		lo, _ := strconv.Atoi(low)
		hi, _ := strconv.Atoi(high)
		if i, _ := strconv.Atoi(n.text); i >= lo && i <= hi {
			return
		}
		if hi == lo+1 {
			d.add(path, n.text, "must be %d or %d", lo, hi)
		} else {
			d.add(path, n.text, "must be from %d to %d", lo, hi)
		}
		return
	}
	if all := strings.Split(f.allowed, "|"); !slices.Contains(all, n.text) {
		d.add(path, n.shown(), "must be %s", either(all))
	}
}

// secrets takes the names, and the values where there are any. A value goes straight into a secret output: neither the
// Stack nor a mistake ever holds it in plain text.
func (d *decoder) secrets(stack *Stack) {
	raw, ok := d.source.Values[d.source.Project+":secrets"]
	if !ok {
		return
	}
	n := raw.tree
	if n == nil {
		var err error
		if n, err = parseJSON(raw.Text); err != nil {
			n = &node{kind: text}
		}
	}
	if n.kind != object {
		d.add("secrets", masked, "must be a map of names to secrets: pulumi config set --path --secret %s:secrets.NAME", d.source.Project)
		return
	}
	if !d.source.sealed {
		stack.Secrets = map[string]pulumi.StringOutput{}
	}
	twice := n.repeats()
	for i, pair := range n.fields {
		path := step("secrets", pair.key)
		hidden := pair.value.secret || raw.tree == nil && raw.Secret && !d.source.plain[pair.key]
		switch {
		case twice[i]:
			d.add(path, "", "is written twice")
		case !hidden:
			d.add(path, masked, "must be secret: pulumi config set --path --secret %s:secrets.%s", d.source.Project, pair.key)
		case pair.value.kind != text:
			d.add(path, masked, "must be a text")
		case d.source.sealed:
		case pair.value.text == "":
			d.add(path, "", "must not be empty")
		case len(pair.value.text) > 4096:
			d.add(path, "", "must be at most 4096 bytes, has %d", len(pair.value.text))
		case strings.ContainsRune(pair.value.text, 0):
			d.add(path, masked, "must not hold a zero byte")
		case strings.Contains(pair.value.text, "{{"):
			d.add(path, masked, "must not hold {{, which SSM takes for the name of another parameter")
		default:
			stack.Secrets[pair.key] = pulumi.ToSecret(pulumi.String(pair.value.text)).(pulumi.StringOutput)
		}
		stack.SecretNames = append(stack.SecretNames, pair.key)
	}
	slices.Sort(stack.SecretNames)
	stack.SecretNames = slices.Compact(stack.SecretNames)
}

// elsewhere answers keys that people of other tools look for.
var elsewhere = map[string]string{
	"database.deletionProtection": "it follows " + "protect",
	"database.skipFinalSnapshot":  "it follows " + "protect",
	"database.password":           "the password is made, and made anew when rotation is raised",
	"database.username":           "both roles are made and told to the app",
	"web.desired":                 "give min and max; scaling decides between them",
	"web.desiredCount":            "give min and max; scaling decides between them",
	"web.count":                   "give min and max; scaling decides between them",
	"web.port":                    "nginx listens on 8080 and Django on 8000",
	"web.command":                 "the Dockerfile says it; for further processes there are workers and jobs",
	"images.tag":                  "images are pinned by digest",
}

func unknown(path, key string, keys []string) string {
	if words, ok := elsewhere[path+"."+key]; ok {
		return "unknown key: " + words
	}
	if near := nearest(key, keys); near != "" {
		return "unknown key, did you mean " + near + "?"
	}
	return "unknown key; known are " + strings.Join(keys, ", ")
}

// providers are the namespaces that belong to somebody else.
var providers = []string{"aws", "docker", "random", "pulumi"}

// namespaces finds keys that nobody reads.
func (d *decoder) namespaces() {
	project := d.source.Project
	var keys []string
	for _, f := range fieldsOf(reflect.TypeFor[Stack]()) {
		keys = append(keys, f.key)
	}
	for _, full := range slices.Sorted(maps.Keys(d.source.Values)) {
		space, key, ok := strings.Cut(full, ":")
		if shown := strings.ReplaceAll(full, ".", ""); !plainKey.MatchString(shown) || secretText(full) != "" {
			d.add(quoted(full), "", "unknown key")
			continue
		}
		switch {
		case !ok:
			d.add(full, "", "has no namespace: write %s:%s", project, full)
		case space == project && !slices.Contains(keys, key):
			if top, _, dotted := strings.Cut(key, "."); dotted && slices.Contains(keys, top) {
				d.add(full, "", "unknown key: a path needs pulumi config set --path %s", full)
			} else {
				d.add(full, "", "%s", unknown("", key, keys))
			}
		case space != project && !slices.Contains(providers, space):
			if slices.Contains(keys, key) {
				d.add(full, "", "unknown namespace, did you mean %s:%s?", project, key)
			} else {
				d.add(full, "", "unknown namespace; Slipway reads %s, and its providers aws, docker and random", project)
			}
		}
	}
}
