package cloud

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// Unknown is a value that is not known before the update.
var Unknown = unknown{}

type unknown struct{}

// A Secret is a value that must not be shown or kept in plain text. The model's own code sees plain values; Secrets
// exist only in the arguments and results of exported methods, and in the file.
type Secret struct{ Value any }

// Inputs are the properties of a resource as the model sees them: map[string]any, []any, string, float64, bool.
// Accessors take a property path such as "loadBalancers[0].containerName" and return the zero value if there is
// no value of their type. A key that holds a dot or a bracket is written ["key"].
type Inputs map[string]any

// Get returns the value at path, nil if there is none.
func (in Inputs) Get(path string) any {
	var v any = map[string]any(in)
	for _, s := range parsePath(path) {
		v = s.step(v)
	}
	return v
}

// Has reports whether there is a value at path.
func (in Inputs) Has(path string) bool { return in.Get(path) != nil }

// String returns the string at path.
func (in Inputs) String(path string) string { s, _ := in.Get(path).(string); return s }

// Bool returns the boolean at path.
func (in Inputs) Bool(path string) bool { b, _ := in.Get(path).(bool); return b }

// Int returns the integer at path.
func (in Inputs) Int(path string) int { return int(in.Float(path)) }

// Float returns the number at path.
func (in Inputs) Float(path string) float64 { f, _ := number(in.Get(path)); return f }

// List returns the list at path.
func (in Inputs) List(path string) []any { l, _ := in.Get(path).([]any); return l }

// Map returns the object or map at path.
func (in Inputs) Map(path string) Inputs { m, _ := in.Get(path).(map[string]any); return m }

// Maps returns the objects of the list at path.
func (in Inputs) Maps(path string) []Inputs {
	var all []Inputs
	for _, v := range in.List(path) {
		if m, ok := v.(map[string]any); ok {
			all = append(all, m)
		}
	}
	return all
}

// Strings returns the strings of the list at path.
func (in Inputs) Strings(path string) []string {
	var all []string
	for _, v := range in.List(path) {
		if s, ok := v.(string); ok {
			all = append(all, s)
		}
	}
	return all
}

// Each calls f with every value that pattern matches and with that value's path; "subnets[]" names every element.
func (in Inputs) Each(pattern string, f func(path string, v any)) {
	each(map[string]any(in), parsePath(pattern), "", f)
}

// Unknowns are the paths of inputs that are not known before the update.
type Unknowns map[string]bool

// Has reports whether the value at path, or the object or list that would hold it, is unknown.
func (u Unknowns) Has(path string) bool {
	for p := range u {
		if path == p || strings.HasPrefix(path, p) && strings.ContainsRune(".[", rune(path[len(p)])) {
			return true
		}
	}
	return false
}

// Within reports whether anything at or below path is unknown, so that it cannot be counted or compared.
func (u Unknowns) Within(path string) bool {
	if u.Has(path) {
		return true
	}
	for p := range u {
		if strings.HasPrefix(p, path) && strings.ContainsRune(".[", rune(p[len(path)])) {
			return true
		}
	}
	return false
}

// A segment is one step of a property path: a key, an index, or every element.
type segment struct {
	key   string
	index int // -1: every element
	list  bool
}

func parsePath(path string) []segment {
	var segs []segment
	for path != "" {
		switch {
		case path[0] == '.':
			path = path[1:]
		case strings.HasPrefix(path, `["`):
			end := strings.Index(path, `"]`)
			if end < 0 {
				return append(segs, segment{key: path})
			}
			key, err := strconv.Unquote(path[1 : end+1])
			if err != nil {
				key = path[2:end]
			}
			segs = append(segs, segment{key: key})
			path = path[end+2:]
		case path[0] == '[':
			end := strings.IndexByte(path, ']')
			if end < 0 {
				return append(segs, segment{key: path})
			}
			i, err := strconv.Atoi(path[1:end])
			if err != nil {
				i = -1
			}
			segs = append(segs, segment{list: true, index: i})
			path = path[end+1:]
		default:
			end := strings.IndexAny(path, ".[")
			if end < 0 {
				end = len(path)
			}
			segs = append(segs, segment{key: path[:end]})
			path = path[end:]
		}
	}
	return segs
}

func (s segment) step(v any) any {
	if s.list {
		if l, ok := v.([]any); ok && s.index >= 0 && s.index < len(l) {
			return l[s.index]
		}
		return nil
	}
	if m, ok := v.(map[string]any); ok {
		return m[s.key]
	}
	return nil
}

func each(v any, segs []segment, path string, f func(string, any)) {
	if v == nil {
		return
	}
	if len(segs) == 0 {
		f(path, v)
		return
	}
	if s := segs[0]; !s.list || s.index >= 0 {
		next := join(path, s.key)
		if s.list {
			next = at(path, s.index)
		}
		each(s.step(v), segs[1:], next, f)
		return
	}
	if l, ok := v.([]any); ok {
		for i, e := range l {
			each(e, segs[1:], at(path, i), f)
		}
	}
}

// join and at build property paths in Pulumi's notation.
func join(path, key string) string {
	if strings.ContainsAny(key, `.["]`) || key == "" {
		return path + "[" + strconv.Quote(key) + "]"
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

func at(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// pattern turns the path of one element into that of every element: a[3].b becomes a[].b.
func pattern(path string) string {
	var b strings.Builder
	for _, s := range parsePath(path) {
		switch {
		case s.list:
			b.WriteString("[]")
		default:
			next := join(b.String(), s.key)
			b.Reset()
			b.WriteString(next)
		}
	}
	return b.String()
}

// setDefault sets v at the path inside m unless there is a value; a pattern sets it in every element.
func setDefault(m map[string]any, segs []segment, v any) {
	s := segs[0]
	if s.list { // paths begin with a key
		return
	}
	if len(segs) == 1 {
		if m[s.key] == nil {
			m[s.key] = clone(v)
		}
		return
	}
	if !segs[1].list {
		child, ok := m[s.key].(map[string]any)
		if !ok {
			return // a default inside an object that was not given does not make the object
		}
		setDefault(child, segs[1:], v)
		return
	}
	l, _ := m[s.key].([]any)
	for _, e := range l {
		if child, ok := e.(map[string]any); ok && len(segs) > 2 {
			setDefault(child, segs[2:], v)
		}
	}
}

// plain converts a raw value to plain values. Unknown values are left out and their paths added to u; secrets are unwrapped
// and their paths added to s. Nulls are left out.
func plain(v any, path string, u Unknowns, s map[string]bool) (any, bool) {
	switch v := v.(type) {
	case nil:
		return nil, false
	case unknown:
		if u != nil {
			u[path] = true
		}
		return nil, false
	case Secret:
		if s != nil {
			s[path] = true
		}
		return plain(v.Value, path, u, s)
	case Inputs:
		return plain(map[string]any(v), path, u, s)
	case map[string]any:
		m := make(map[string]any, len(v))
		for k, e := range v {
			if e, ok := plain(e, join(path, k), u, s); ok {
				m[k] = e
			}
		}
		return m, true
	case []any:
		l := make([]any, 0, len(v))
		for i, e := range v {
			if e, ok := plain(e, at(path, i), u, s); ok {
				l = append(l, e)
			}
		}
		return l, true
	case string, float64, bool:
		return v, true
	}
	if f, ok := number(v); ok {
		return f, true
	}
	return plain(generic(v), path, u, s)
}

// plainInputs is plain for raw inputs.
func plainInputs(raw map[string]any) (Inputs, Unknowns, map[string]bool) {
	u, s := Unknowns{}, map[string]bool{}
	v, _ := plain(raw, "", u, s)
	m, _ := v.(map[string]any)
	if m == nil {
		m = map[string]any{}
	}
	return m, u, s
}

// generic makes typed maps and lists ([]string, map[string]string, structs) plain.
func generic(v any) any {
	r := reflect.ValueOf(v)
	switch r.Kind() {
	case reflect.Slice, reflect.Array:
		l := make([]any, r.Len())
		for i := range l {
			l[i] = r.Index(i).Interface()
		}
		return l
	case reflect.Map:
		m := make(map[string]any, r.Len())
		for _, k := range r.MapKeys() {
			m[fmt.Sprint(k.Interface())] = r.MapIndex(k).Interface()
		}
		return m
	case reflect.String:
		return r.String()
	case reflect.Bool:
		return r.Bool()
	}
	return fmt.Sprint(v)
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case int:
		return float64(v), true
	case int64:
		return float64(v), true
	case int32:
		return float64(v), true
	case json.Number:
		f, err := v.Float64()
		return f, err == nil
	}
	return 0, false
}

// clone is a deep copy as plain values.
func clone(v any) any {
	c, _ := plain(v, "", nil, nil)
	return c
}

func cloneMap(m map[string]any) map[string]any {
	c, _ := clone(m).(map[string]any)
	if c == nil {
		c = map[string]any{}
	}
	return c
}

// same compares plain values. Strings that hold JSON objects or lists are compared by their contents, as the
// provider compares policies and container definitions.
func same(a, b any) bool {
	switch a := a.(type) {
	case nil:
		return b == nil
	case string:
		s, ok := b.(string)
		return ok && (a == s || sameJSON(a, s))
	case map[string]any:
		m, ok := b.(map[string]any)
		if !ok || len(a) != len(m) {
			return false
		}
		for k, v := range a {
			w, ok := m[k]
			if !ok || !same(v, w) {
				return false
			}
		}
		return true
	case []any:
		l, ok := b.([]any)
		return ok && slices.EqualFunc(a, l, same)
	}
	if f, ok := number(a); ok {
		g, ok := number(b)
		return ok && (f == g || math.IsNaN(f) && math.IsNaN(g))
	}
	return a == b
}

func sameJSON(a, b string) bool {
	if a == "" || b == "" || a[0] != b[0] || a[0] != '{' && a[0] != '[' {
		return false
	}
	var x, y any
	return json.Unmarshal([]byte(a), &x) == nil && json.Unmarshal([]byte(b), &y) == nil && reflect.DeepEqual(x, y)
}

// samePolicy compares policy documents by their meaning: a single value equals a list of it, and order does not matter.
func samePolicy(a, b any) bool {
	read := func(v any) (document any) {
		if text, ok := v.(string); !ok || json.Unmarshal([]byte(text), &document) != nil {
			return nil
		}
		return settled(document)
	}
	x, y := read(a), read(b)
	return x != nil && reflect.DeepEqual(x, y)
}

func settled(v any) any {
	switch v := v.(type) {
	case map[string]any:
		m := make(map[string]any, len(v))
		for k, e := range v {
			m[k] = settled(e)
		}
		return m
	case []any:
		l := make([]any, len(v))
		for i, e := range v {
			l[i] = settled(e)
		}
		if len(l) == 1 {
			return l[0]
		}
		written := func(v any) string { out, _ := json.Marshal(v); return string(out) }
		slices.SortFunc(l, func(a, b any) int { return strings.Compare(written(a), written(b)) })
		return l
	}
	return v
}

// leaves calls f with every string in v.
func leaves(v any, path string, f func(path, s string)) {
	switch v := v.(type) {
	case string:
		f(path, v)
	case map[string]any:
		for k, e := range v {
			leaves(e, join(path, k), f)
		}
	case []any:
		for i, e := range v {
			leaves(e, at(path, i), f)
		}
	}
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// Top is the first property of path.
func Top(path string) string {
	if segs := parsePath(path); len(segs) > 0 {
		return segs[0].key
	}
	return path
}

// asNumber reads a number, or a string that holds one, as several properties of the provider do ("cpu": "256").
func asNumber(v any) (float64, bool) {
	if s, ok := v.(string); ok {
		f, err := strconv.ParseFloat(s, 64)
		return f, err == nil
	}
	return number(v)
}

// numberOr is the number at path, or the default if there is none.
func numberOr(in Inputs, path string, otherwise float64) float64 {
	if n, ok := asNumber(in.Get(path)); ok {
		return n
	}
	return otherwise
}

// oneOrMany reads what JSON documents write as a single value or as a list.
func oneOrMany(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case bool, float64:
		return []string{fmt.Sprint(v)}
	case []any:
		var all []string
		for _, item := range v {
			all = append(all, oneOrMany(item)...)
		}
		return all
	}
	return nil
}

// first is the value of the first key that m has.
func first(m map[string]any, keys ...string) any {
	for _, k := range keys {
		if v, ok := m[k]; ok {
			return v
		}
	}
	return nil
}

// words splits a string at white space.
func words(text string) []string { return strings.Fields(text) }

// lastPart is what follows the last separator: the name in an ARN, the id in a path.
func lastPart(s, separator string) string { return s[strings.LastIndex(s, separator)+1:] }

// plainNumber writes a number without an exponent.
func plainNumber(v any) string {
	if f, ok := number(v); ok {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}

// alternatives formats a list as "a, b or c".
func alternatives(list []string) string {
	switch len(list) {
	case 0:
		return "nothing"
	case 1:
		return list[0]
	}
	return strings.Join(list[:len(list)-1], ", ") + " or " + list[len(list)-1]
}

// jsonText is a value as JSON.
func jsonText(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

func contains(list []string, s string) bool {
	for _, v := range list {
		if v == s {
			return true
		}
	}
	return false
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func orNone(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}

func firstOf(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

// replaceAt changes the value at path in place, if there is one.
func replaceAt(v any, path []segment, f func(any) any) {
	for len(path) > 1 {
		v, path = path[0].step(v), path[1:]
	}
	if len(path) == 0 {
		return
	}
	old := path[0].step(v)
	if old == nil {
		return
	}
	switch v := v.(type) {
	case map[string]any:
		v[path[0].key] = f(old)
	case []any:
		v[path[0].index] = f(old)
	}
}
