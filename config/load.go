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
	"gopkg.in/yaml.v3"

	"slipway/internal/version"
)

// Load decodes and validates a Source. Its error is a Mistakes: every mistake, sorted by key.
func Load(source Source) (*Stack, error) {
	if len(source.Reserved) == 0 {
		return nil, errors.New("config: the reserved environment variables are missing: site.Load adds them")
	}
	d := &decoder{source: source, mistakes: slices.Clone(source.mistakes), bad: map[string]bool{}}
	for _, m := range d.mistakes {
		d.bad[m.Key] = true
	}
	stack := &Stack{Project: source.Project, Name: source.Stack}
	if d.tooNew() {
		return nil, d.mistakes[len(source.mistakes):] // what else this program does not understand follows from it
	}
	d.shared = readShared(source.Root, source.Project)
	d.namespaces()
	d.provider(stack)
	v := reflect.ValueOf(stack).Elem()
	for _, f := range fieldsOf(v.Type()) {
		if f.key == "secrets" {
			d.secrets(stack)
			continue
		}
		raw, ok := source.Values[source.Project+":"+f.key]
		if !ok && f.key == "app" {
			raw, ok = RawValue{tree: &node{kind: object}}, true
		}
		if !ok {
			d.absent(v.FieldByIndex(f.index), f, f.key)
			continue
		}
		n := d.parse(f, f.key, raw)
		if f.key == "app" {
			n = d.merged(n)
			stack.App.Shared = d.shared.env()
		}
		if n != nil {
			d.value(v.FieldByIndex(f.index), n, f.key, f)
		}
	}
	d.rules(stack)
	if len(d.mistakes) > 0 {
		return nil, d.mistakes.sorted()
	}
	return stack, nil
}

// tooNew refuses a stack that was set up with a newer slipway, and reports whether it was.
func (d *decoder) tooNew() bool {
	of := d.source.writtenFor()
	if !version.Newer(of) {
		return false
	}
	d.add(versionKey, "", "the stack was set up with slipway %s, and this is %s. Get %[1]s from %[3]s; or, if the stack needs nothing that "+
		"is new in it, write %[2]s here", of, version.Number, version.Release(of))
	return true
}

func (d *decoder) version(of string) {
	if of != "" && !version.Valid(of) {
		d.add(versionKey, quoted(of), "must be a version of slipway, such as 0.4.0")
	}
}

// A decoder fills a Stack and collects mistakes.
type decoder struct {
	source   Source
	mistakes Mistakes
	bad      map[string]bool // keys that have a mistake
	shared   shared          // app of Pulumi.yaml
}

// add records a mistake. Only the first mistake of a key is kept, because others may just follow from it.
func (d *decoder) add(path, value, rule string, args ...any) {
	if d.invalid(path) {
		return
	}
	d.bad[path] = true
	m := Mistake{Key: path, Value: value, Rule: fmt.Sprintf(rule, args...), File: d.source.File, Line: d.lineOf(path)}
	if line, ok := d.shared.lineOf(path); ok && d.source.lines[path] == 0 {
		m.File, m.Line = projectFile, line
	} else if d.source.inherited[d.fullKey(path)] {
		m.File, m.Line = projectFile, 0
	}
	d.mistakes = append(d.mistakes, m)
}

// fullKey is the key of the file that holds a path: slipway:web for web.max.
func (d *decoder) fullKey(path string) string {
	if strings.Contains(path, ":") {
		return path
	}
	return d.source.Project + ":" + path[:len(path)-len(strings.TrimLeftFunc(path, func(r rune) bool { return r != '.' && r != '[' }))]
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

// parse turns a raw value into a node. The engine passes every scalar as a string, so there a scalar takes the type of its
// field. A file has types of its own: a number where a string belongs could reach the engine in another form.
func (d *decoder) parse(f field, path string, raw RawValue) *node {
	n := raw.tree
	if n == nil {
		n = &node{kind: text, text: raw.Text}
		if raw.Secret {
			d.mistyped(&node{kind: text, secret: true}, path, f.kind())
			return nil
		}
	}
	fromJSON := raw.tree == nil || strings.Contains(path, ":") // Pulumi and its providers take lists as JSON text, too
	switch {
	case n.secret || n.kind != text:
	case f.composite() && fromJSON:
		parsed, err := parseJSON(n.text)
		if err != nil {
			d.add(path, "", "must be %s: %v", f.kind(), err)
			return nil
		}
		return parsed
	case f.kind() == boolean && (n.text == "true" || n.text == "false"):
		return &node{kind: boolean, text: n.text, line: n.line}
	case f.kind() == number && wholeNumber(n.text):
		return &node{kind: number, text: n.text, line: n.line}
	}
	return n
}

func wholeNumber(s string) bool {
	i, err := strconv.Atoi(s)
	return err == nil && strconv.Itoa(i) == s
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
	case f.def != "" && f.composite():
		d.value(v, composite(f.def), path, f)
	case f.def != "":
		d.value(v, &node{kind: f.kind(), text: f.def}, path, f)
	}
}

// composite is a default that is a list, as the tag has it.
func composite(def string) *node {
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(def), &doc); err != nil {
		panic(err) // TestEveryDefaultIsValid
	}
	n, m := fromYAML(doc.Content[0], 0)
	if m != nil {
		panic(m)
	}
	return n
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
		if !wholeNumber(n.text) {
			d.add(path, n.text, "must be a whole number")
			return
		}
		i, _ := strconv.Atoi(n.text)
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
	keys := keysOf(v.Type())
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
	case path == "domain" && n.kind == list:
		d.add(path, "", "%s", oneName)
	case n.kind == null && mayBeEmpty(path) && !siteKey(path):
		d.add(path, "null", `must be a string: write "" for an empty one`)
	case n.kind == null:
		d.add(path, "null", "must be %s; omit the key to use its default", want)
	case want == text && (n.kind == number || n.kind == boolean || n.kind == date):
		d.add(path, "", "%s", unquoted(n))
	case n.kind == text && (want == number || want == boolean):
		d.add(path, n.shown(), "must be %s, without quotes", want)
	default:
		d.add(path, n.shown(), "must be %s", want)
	}
}

// unquoted is the rule for a string that YAML reads as something else. The engine then passes on another text: 2023-05-15
// becomes a time, 0x1F becomes 31, 1.10 becomes 1.1.
func unquoted(n *node) string {
	what := strings.TrimSuffix(string(n.kind), " (true or false)")
	return "must be a string, but YAML reads " + n.text + " as " + what + ": write " + strconv.Quote(n.text)
}

// mayBeEmpty reports whether a string may be "". The values of app.env, app.args and tags are the user's own.
func mayBeEmpty(path string) bool {
	for _, m := range []string{"app.env", "app.args", "tags"} {
		if rest, ok := strings.CutPrefix(path, m); ok && rest != "" {
			return true
		}
	}
	return siteKey(path)
}

// siteKey reports whether "" leaves the key out: Pulumi.yaml declares them with that default.
func siteKey(path string) bool {
	return path == "domain" || path == "zone" || path == "zoneId" || path == versionKey
}

// text checks what applies to every string.
func (d *decoder) text(n *node, path string) bool {
	rule := ""
	switch {
	case n.secret:
		d.mistyped(n, path, text)
		return false
	case n.text == "" && mayBeEmpty(path):
	case n.text == "":
		rule = "must not be empty; omit the key to use its default"
	case len(n.text) > 4096:
		rule = "must be at most 4096 bytes"
	case !printable(n.text):
		rule = "must be printable text on one line"
	case n.text != strings.TrimSpace(n.text):
		rule = "must not start or end with a space"
	case strings.HasPrefix(path, "app.env"): // a template; see decoder.template
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
		d.add("secrets", masked, "must be an object of names and encrypted values: %s", d.source.SetSecret("NAME"))
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
			d.add(path, masked, "must be secret: %s", d.source.SetSecret(pair.key))
		case pair.value.kind != text:
			d.add(path, masked, "must be a string")
		case d.source.sealed:
		default:
			if rule := SecretValue(pair.value.text); rule != "" {
				d.add(path, "", "%s", rule)
				break
			}
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
	"web.port":                    "app.port is the port of the app's server",
	"web.command":                 "app.command is the command of the web container; add workers or jobs for other processes",
	"web.entrypoint":              "it is app.entrypoint",
	"web.user":                    "the container runs as the image's user, or as 10001 if that is root",
	"images.nginxDockerfile":      "nginx is Slipway's own image now; app.nginx configures it",
	"images.tag":                  "images are pinned by digest",
	".domains":                    oneName,
	".aliases":                    oneName,
	".alias":                      oneName,
	".www":                        oneName,
	".redirect":                   oneName,
	".redirects":                  oneName,
	".hostnames":                  oneName,
	".alternateNames":             oneName,
	".alternateDomains":           oneName,
	".subjectAlternativeNames":    oneName,
}

const oneName = "a site has one host name for now: a second one, such as example.com beside www.example.com, is not supported yet. " +
	"Redirect the other name to this one outside of Slipway, for example at the DNS provider or with an S3 website bucket"

// renamed maps the former path of a key to its present one.
var renamed = map[string]string{
	"database.multiZone": "database.multiAz",
	"images.app":         "app.path",
	"images.dockerfile":  "app.dockerfile",
	"images.buildArgs":   "app.args",
	".env":               "app.env",
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

// nested says how a key that is written as a path is set.
func nested(space, key string, value RawValue) string {
	text := value.String()
	if value.Secret || text == "" || strings.ContainsAny(text, "\n{[") || strings.Contains(key, "[") {
		return fmt.Sprintf("write it nested, or set it with pulumi config set --path '%s:%s' VALUE", space, key)
	}
	parts := strings.Split(key, ".")
	written := parts[len(parts)-1] + ": " + text
	for i := len(parts) - 2; i > 0; i-- {
		written = parts[i] + ": {" + written + "}"
	}
	return fmt.Sprintf("write it nested, as %s:%s: {%s}, or run pulumi config set --path %[1]s:%[4]s %[5]s", space,
		parts[0], written, key, text)
}

// Namespaces are names that a project must not have: its keys would be in the namespace of the engine or of a provider, as aws:region is.
var Namespaces = []string{"aws", "docker", "kubernetes", "pulumi", "random", "tls"}

// namespaces finds keys that nothing reads.
func (d *decoder) namespaces() {
	project := d.source.Project
	if slices.Contains(Namespaces, project) {
		return // no key has a clear owner: the name is the mistake
	}
	keys := keysOf(reflect.TypeFor[Stack]())
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
				d.add(full, "", "unknown key: %s", nested(space, key, d.source.Values[full]))
			} else {
				d.add(full, "", "%s", unknown("", key, keys))
			}
		case space == project:
		case providers[space] != nil:
			if rule := providers[space](key); rule != "" {
				d.add(full, "", "%s", rule)
			}
		case slices.Contains(keys, key):
			d.add(full, "", "unknown namespace, did you mean %s:%s?", project, key)
		default:
			d.add(full, "", "unknown namespace; Slipway reads %s and aws, and the engine reads pulumi", project)
		}
	}
}

func keysOf(t reflect.Type) []string {
	var keys []string
	for _, f := range fieldsOf(t) {
		keys = append(keys, f.key)
	}
	return keys
}

// SecretValue is the rule that the value of a secret breaks; "" if it is right. The value is not in it.
func SecretValue(text string) string {
	switch {
	case text == "":
		return "must not be empty"
	case len(text) > 4096:
		return fmt.Sprintf("must be at most 4096 bytes, but has %d", len(text))
	case strings.ContainsRune(text, 0):
		return "must not contain a NUL byte"
	case strings.Contains(text, "{{"):
		return "must not contain {{, which SSM reads as a reference to another parameter"
	}
	return ""
}
