// Package config loads a stack's configuration into one typed struct. It reads strictly and reports all mistakes at once.
//
// It registers no resources, does not call AWS and guesses nothing. A misspelt key, a quoted number or a value out of range is
// an error that names the key and what is allowed. A missing key gets its documented default.
package config

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Load decodes and validates a Source. Its error is a Mistakes: every mistake, sorted by key.
func Load(source Source) (*Stack, error) {
	if len(source.Reserved) == 0 {
		return nil, errors.New("config: the reserved environment variables are missing: site.Load adds them")
	}
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

// A decoder fills a Stack and collects mistakes.
type decoder struct {
	source   Source
	mistakes Mistakes
	bad      map[string]bool // keys that have a mistake
}

// add records a mistake. Only the first mistake of a key is kept, because others may just follow from it.
func (d *decoder) add(path, value, rule string, args ...any) {
	if d.invalid(path) {
		return
	}
	d.bad[path] = true
	d.mistakes = append(d.mistakes, Mistake{Key: path, Value: value, Rule: fmt.Sprintf(rule, args...),
		File: d.source.File, Line: d.lineOf(path)})
}

// invalid reports whether the key, or a key that contains it, has a mistake.
func (d *decoder) invalid(path string) bool {
	for ; path != ""; path = parent(path) {
		if d.bad[path] {
			return true
		}
	}
	return false
}

// parent is the path of the key that contains a key.
func parent(path string) string { return path[:max(0, strings.LastIndexAny(path, ".["))] }

// valid reports whether none of the keys has a mistake, so that rules that relate them can be checked.
func (d *decoder) valid(paths ...string) bool {
	return !slices.ContainsFunc(paths, d.invalid)
}

var plainKey = regexp.MustCompile(`^[A-Za-z0-9_:/@+=-]+$`)

// step appends a key to a path, in quotes if it could be misread.
func step(path, key string) string {
	if !plainKey.MatchString(key) || secretText(key) != "" {
		return path + "[" + quoted(key) + "]"
	}
	return path + "." + key
}

// lineOf is the line of a key, or of the closest key that contains it; 0 if unknown.
func (d *decoder) lineOf(path string) int {
	for ; path != ""; path = parent(path) {
		if line := d.source.lines[path]; line > 0 {
			return line
		}
	}
	return 0
}

// parse turns a raw value into a node. The engine passes every scalar as a string, so a scalar takes the type of its field.
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

// A field is a field of a configuration struct, with its tags.
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
				allowed: choices(f.Tag.Get("allowed")), rule: f.Tag.Get("rule"), required: f.Tag.Get("required") == "true"})
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

// absent sets a field to its default.
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

// value decodes n into v, the value of field f or one of its items.
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
				d.add(at, "", "duplicate key")
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
			d.add(at, "", "duplicate key")
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

// mistyped reports what was found instead, and how to correct it.
func (d *decoder) mistyped(n *node, path string, want kind) {
	switch {
	case n.secret:
		d.add(path, masked, "must not be secret: put secret values under %s:secrets", d.source.Project)
	case n.kind == null:
		d.add(path, "null", "must be %s; omit the key to use its default", want)
	case want == text && (n.kind == number || n.kind == boolean):
		d.add(path, n.text, "must be a string: put it in quotes")
	case n.kind == text && (want == number || want == boolean):
		d.add(path, n.shown(), "must be %s, without quotes", want)
	default:
		d.add(path, n.shown(), "must be %s", want)
	}
}

// text checks what applies to every string.
func (d *decoder) text(n *node, path string) bool {
	rule := ""
	switch {
	case n.secret:
		d.mistyped(n, path, text)
		return false
	case n.text == "" && (path == "domain" || path == "zone"):
	case n.text == "":
		rule = "must not be empty; omit the key to use its default"
	case len(n.text) > 4096:
		rule = "must be at most 4096 bytes"
	case !printable(n.text):
		rule = "must be printable text on one line"
	case n.text != strings.TrimSpace(n.text):
		rule = "must not start or end with a space"
	default:
		if what := secretText(n.text); what != "" {
			d.add(path, masked, "looks like %s: put it under %s:secrets", what, d.source.Project)
			return false
		}
	}
	if rule != "" {
		d.add(path, n.shown(), "%s", rule)
	}
	return rule == ""
}

// allowed enforces the tag of that name: a range of numbers, or alternatives.
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

// secrets reads the names, and the values where they are available. A value becomes a secret output at once: neither the
// Stack nor a mistake ever contains it in plain text.
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
		d.add("secrets", masked, "must be an object of names and encrypted values: pulumi config set --path --secret %s:secrets.NAME",
			d.source.Project)
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
			d.add(path, "", "duplicate key")
		case !hidden:
			d.add(path, masked, "must be secret: pulumi config set --path --secret %s:secrets.%s", d.source.Project, pair.key)
		case pair.value.kind != text:
			d.add(path, masked, "must be a string")
		case d.source.sealed:
		case pair.value.text == "":
			d.add(path, "", "must not be empty")
		case len(pair.value.text) > 4096:
			d.add(path, "", "must be at most 4096 bytes, but has %d", len(pair.value.text))
		case strings.ContainsRune(pair.value.text, 0):
			d.add(path, masked, "must not contain a NUL byte")
		case strings.Contains(pair.value.text, "{{"):
			d.add(path, masked, "must not contain {{, which SSM reads as a reference to another parameter")
		default:
			stack.Secrets[pair.key] = pulumi.ToSecret(pulumi.String(pair.value.text)).(pulumi.StringOutput)
		}
		stack.SecretNames = append(stack.SecretNames, pair.key)
	}
	slices.Sort(stack.SecretNames)
	stack.SecretNames = slices.Compact(stack.SecretNames)
}

// hints explains keys that users of other tools expect.
var hints = map[string]string{
	"database.deletionProtection": "protect controls it",
	"database.skipFinalSnapshot":  "protect controls it",
	"database.password":           "Slipway generates the password; raise rotation to get a new one",
	"database.username":           "Slipway creates both roles and passes them to the app",
	"web.desired":                 "set min and max; autoscaling chooses between them",
	"web.desiredCount":            "set min and max; autoscaling chooses between them",
	"web.count":                   "set min and max; autoscaling chooses between them",
	"web.port":                    "nginx listens on 8080 and Django on 8000",
	"web.command":                 "set it in the Dockerfile; add workers or jobs for other processes",
	"images.tag":                  "images are pinned by digest",
}

// renamed maps the former path of a key to its present one.
var renamed = map[string]string{
	"database.multiZone": "database.multiAz",
}

func unknown(path, key string, keys []string) string {
	if now, ok := renamed[path+"."+key]; ok {
		return "is now " + now
	}
	if hint, ok := hints[path+"."+key]; ok {
		return "unknown key: " + hint
	}
	if near := nearest(key, keys); near != "" {
		return "unknown key, did you mean " + near + "?"
	}
	return "unknown key; valid keys are " + strings.Join(keys, ", ")
}

// providers lists the namespaces that Pulumi and its providers read.
var providers = []string{"aws", "docker", "random", "pulumi"}

// namespaces finds keys that nothing reads.
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
			d.add(full, "", "has no namespace: use %s:%s", project, full)
		case space == project && !slices.Contains(keys, key):
			if top, _, dotted := strings.Cut(key, "."); dotted && slices.Contains(keys, top) {
				d.add(full, "", "unknown key: set a path with pulumi config set --path %s", full)
			} else {
				d.add(full, "", "%s", unknown("", key, keys))
			}
		case space != project && !slices.Contains(providers, space):
			if slices.Contains(keys, key) {
				d.add(full, "", "unknown namespace, did you mean %s:%s?", project, key)
			} else {
				d.add(full, "", "unknown namespace; Slipway reads %s, and its providers read aws, docker and random", project)
			}
		}
	}
}
