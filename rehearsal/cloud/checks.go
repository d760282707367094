package cloud

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// The forms of names that AWS gives: ARNs, ids, host names. Everything that AWS draws at random is derived from the
// object's ID here, so that it stays the same when the object is read again or updated.

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

// allOf gathers findings.
func allOf(lists ...[]Problem) []Problem { return slices.Concat(lists...) }

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

// A Problem is one thing that is wrong with inputs.
type Problem struct {
	Path string // property path
	Rule string // "expected memory to be one of 512, 1024, 2048 for cpu 256, got 4096"
}

// inside moves problems of a document to the input that holds it.
func inside(path string, inner []Problem) []Problem {
	for i := range inner {
		inner[i].Rule = inner[i].Path + ": " + inner[i].Rule
		inner[i].Path = path
	}
	return inner
}

func atoi(s string) int { n, _ := strconv.Atoi(s); return n }
