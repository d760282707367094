package cloud

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// The checks that kinds share. Absent and unknown values pass all of them.

// awsProblem is a violation of a rule of AWS, with AWS's error code.
func awsProblem(path, code, format string, args ...any) Problem {
	return Problem{Path: path, Rule: fmt.Sprintf(format, args...) + " (" + code + ")"}
}

// problem is a violation of a rule of the provider, or of AWS without an error code.
func problem(path, format string, args ...any) Problem {
	return Problem{Path: path, Rule: fmt.Sprintf(format, args...)}
}

// oneOf checks an enumeration.
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

// between checks a range of whole numbers.
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

// arns checks inputs that take an ARN without saying so in their name. The check against the schema covers the rest.
func arns(in Inputs, paths ...string) []Problem {
	var p []Problem
	for _, path := range paths {
		if s := in.String(path); s != "" && !strings.HasPrefix(s, "arn:") {
			p = append(p, problem(path, "expected an ARN, got %q", s))
		}
	}
	return p
}

// address checks an IPv4 address.
func address(in Inputs, path string) []Problem {
	if s := in.String(path); s != "" {
		if ip, err := netip.ParseAddr(s); err != nil || !ip.Is4() {
			return []Problem{problem(path, "expected an IPv4 address, got %q", s)}
		}
	}
	return nil
}

// longest checks the length of a string.
func longest(in Inputs, path string, most int) []Problem {
	if n := len([]rune(in.String(path))); n > most {
		return []Problem{problem(path, "expected at most %d characters, got %d", most, n)}
	}
	return nil
}

// allOf concatenates lists of problems.
func allOf(lists ...[]Problem) []Problem { return slices.Concat(lists...) }

// given counts the inputs that are set, including those that are still unknown.
func given(in Inputs, unknown Unknowns, paths ...string) int {
	n := 0
	for _, p := range paths {
		if v := in.Get(p); v != nil && v != "" || unknown.Has(p) {
			n++
		}
	}
	return n
}

// tagProblems checks tags by the rules that all services share.
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
			p = append(p, problem(path, "tag keys starting with 'aws:' are reserved for internal use"))
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

// A Problem is one mistake in inputs.
type Problem struct {
	Path string // property path
	Rule string // "expected memory to be one of 512, 1024, 2048 for cpu 256, got 4096"
}

// inside moves problems in a document to the input that holds it.
func inside(path string, inner []Problem) []Problem {
	for i := range inner {
		inner[i].Rule = inner[i].Path + ": " + inner[i].Rule
		inner[i].Path = path
	}
	return inner
}

func atoi(s string) int { n, _ := strconv.Atoi(s); return n }
