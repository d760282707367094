package cloud

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// The forms of names that AWS gives: ARNs, ids, host names. Everything that AWS draws at random is derived from the
// object's ID here, so that it stays the same when the object is read again or updated.

var (
	accountForm = regexp.MustCompile(`^[0-9]{12}$`)
)

func knownRegion(name string) bool { _, ok := regions[name]; return ok }

// draw returns n hexadecimal digits that stand for what AWS would have drawn for these parts.
func draw(n int, parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:])[:n]
}

// drawLetters is draw in capital letters and digits, as Route 53 zones and RDS resource ids have them.
func drawLetters(n int, parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return base32.StdEncoding.EncodeToString(sum[:])[:n]
}

// drawDigits is draw in decimal digits.
func drawDigits(n int, parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	var b strings.Builder
	for i := range n {
		b.WriteByte('0' + sum[i%len(sum)]%10)
	}
	return b.String()
}

// drawUUID is draw in the form of a UUID of version 4.
func drawUUID(parts ...string) string {
	h := draw(32, parts...)
	return h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-a" + h[17:20] + "-" + h[20:32]
}

// words splits a table written as text.
func words(text string) []string { return strings.Fields(text) }

// asNumber reads a number; numbers written as text count, as the provider has several ("cpu": "256").
func asNumber(v any) (float64, bool) {
	if s, ok := v.(string); ok {
		f, err := strconv.ParseFloat(s, 64)
		return f, err == nil
	}
	return number(v)
}

// numberOr is the number at path or, when there is none, what AWS takes instead.
func numberOr(in Inputs, path string, otherwise float64) float64 {
	if n, ok := asNumber(in.Get(path)); ok {
		return n
	}
	return otherwise
}

// oneOrMany reads what JSON documents write as one value or a list of them.
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

// fill puts value into the outputs at path unless the program gave one; unlike Defaults it makes the objects on the way.
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

// awsProblem is a problem that AWS itself refuses, with its error code.
func awsProblem(path, code, format string, args ...any) Problem {
	return Problem{Path: path, Rule: fmt.Sprintf(format, args...) + " (" + code + ")"}
}

// problem is a problem that the provider or AWS refuses by a plain rule.
func problem(path, format string, args ...any) Problem {
	return Problem{Path: path, Rule: fmt.Sprintf(format, args...)}
}

// oneOf judges an enumeration; absent and unknown values pass.
func oneOf(in Inputs, path string, allowed ...string) []Problem {
	v := in.Get(path)
	if v == nil {
		return nil
	}
	s := fmt.Sprint(v)
	if slices.Contains(allowed, s) {
		return nil
	}
	return []Problem{problem(path, "expected %s, got %q", alternatives(allowed), s)}
}

// between judges a range of whole numbers; absent and unknown values pass.
func between(in Inputs, path string, low, high float64) []Problem {
	v := in.Get(path)
	if v == nil {
		return nil
	}
	n, ok := asNumber(v)
	if ok && n >= low && n <= high {
		return nil
	}
	return []Problem{problem(path, "expected %s to %s, got %s", plainNumber(low), plainNumber(high), plainNumber(v))}
}

// plainNumber writes a number without an exponent.
func plainNumber(v any) string {
	if f, ok := number(v); ok {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}

// arns judges inputs that take an ARN and whose name does not say so; what is called arn is judged with the schema.
func arns(in Inputs, paths ...string) []Problem {
	var p []Problem
	for _, path := range paths {
		if s := in.String(path); s != "" && !strings.HasPrefix(s, "arn:") {
			p = append(p, problem(path, "expected an ARN, got %q", s))
		}
	}
	return p
}

// address judges an IPv4 address.
func address(in Inputs, path string) []Problem {
	if s := in.String(path); s != "" {
		if ip, err := netip.ParseAddr(s); err != nil || !ip.Is4() {
			return []Problem{problem(path, "expected an IPv4 address, got %q", s)}
		}
	}
	return nil
}

// longest judges the length of a text.
func longest(in Inputs, path string, most int) []Problem {
	if n := len([]rune(in.String(path))); n > most {
		return []Problem{problem(path, "expected at most %d characters, got %d", most, n)}
	}
	return nil
}

// alternatives reads "a, b or c".
func alternatives(list []string) string {
	switch len(list) {
	case 0:
		return "nothing"
	case 1:
		return list[0]
	}
	return strings.Join(list[:len(list)-1], ", ") + " or " + list[len(list)-1]
}

// allOf gathers findings.
func allOf(lists ...[]Problem) []Problem { return slices.Concat(lists...) }

// lastPart is what follows the last separator: the name in an ARN, the id in a path.
func lastPart(s, separator string) string { return s[strings.LastIndex(s, separator)+1:] }

// newID gives a new object an id of 17 hexadecimal digits after the prefix, as EC2 does.
func newID(a *Account, o *Object, prefix string) {
	if o.ID == "" {
		prefix = strings.TrimSuffix(prefix, "0")
		o.ID = prefix + "0" + draw(16, fresh(a, o)...)
	}
}

// fresh are parts from which a new object's id is drawn: another resource, or the same one made again, has others.
func fresh(a *Account, o *Object) []string {
	return []string{a.AccountID, a.Region, o.Type, o.URN, strconv.Itoa(a.next), strconv.FormatInt(a.now().UnixNano(), 10)}
}

// others are the objects of a type but o itself, which is among them when it is updated.
func others(a *Account, o *Object, token string) []*Object {
	var all []*Object
	for _, other := range a.list(token) {
		if other.Type != o.Type || o.ID == "" || other.ID != o.ID {
			all = append(all, other)
		}
	}
	return all
}

// find is a.find for values that may be absent.
func find(a *Account, by, value string, tokens ...string) *Object {
	if value == "" {
		return nil
	}
	return a.find(by, value, tokens...)
}

// zonesOf are the names of the region's availability zones.
func zonesOf(a *Account) []string { return regions[a.Region].zoneNames() }

// refuse is AWS's refusal of what is being done; the account adds the action.
func refuse(code, why, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...), Why: why}
}

// quota refuses one more of a type than the account may have; among picks those that count, nil for all.
func quota(a *Account, o *Object, most int, code, message string, among func(*Object) bool) error {
	if o.ID != "" {
		return nil // it has its place already
	}
	n := 0
	for _, other := range a.list(o.Type) {
		if among == nil || among(other) {
			n++
		}
	}
	if n >= most {
		return refuse(code, fmt.Sprintf("the quota is %d and there are %d", most, n), "%s", message)
	}
	return nil
}

// given counts those of the inputs that are there or will be once they are known.
func given(in Inputs, unknown Unknowns, paths ...string) int {
	n := 0
	for _, p := range paths {
		if v := in.Get(p); v != nil && v != "" || unknown.Has(p) {
			n++
		}
	}
	return n
}

// crc is the checksum by which the provider shortens what it puts into ids.
func crc(s string) uint32 { return crc32.ChecksumIEEE([]byte(s)) }

// tagProblems judges tags as every service does.
func tagProblems(in Inputs) []Problem {
	tags := in.Map("tags")
	var p []Problem
	if len(tags) > 50 {
		p = append(p, problem("tags", "expected at most 50 tags, got %d", len(tags)))
	}
	for _, key := range sortedKeys(tags) {
		value, _ := tags[key].(string)
		path := join("tags", key)
		switch {
		case key == "" || len([]rune(key)) > 128:
			p = append(p, problem(path, "a tag's key has 1 to 128 characters, got %d", len([]rune(key))))
		case strings.HasPrefix(strings.ToLower(key), "aws:"):
			p = append(p, problem(path, "keys that begin with aws: belong to AWS"))
		case !tagForm.MatchString(key):
			p = append(p, problem(path, "a tag takes letters, digits, spaces and + - = . _ : / @"))
		}
		if len([]rune(value)) > 256 {
			p = append(p, problem(path, "a tag's value has at most 256 characters, got %d", len([]rune(value))))
		} else if !tagForm.MatchString(value) {
			p = append(p, problem(path, "a tag takes letters, digits, spaces and + - = . _ : / @"))
		}
	}
	return p
}

var tagForm = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`)
