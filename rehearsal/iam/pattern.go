package iam

import (
	"strings"
	"unicode/utf8"
)

// Glob reports whether value matches pattern, in which * stands for any characters and ? for one. It backtracks to the last
// * only, so that no pattern is slow.
func Glob(pattern, value string) bool { return match(pattern, value, '*', '?') }

// A literal * or ? beside wildcards (from "${*}", or from the value of a policy variable) needs another sign for the
// wildcards. These bytes appear in no UTF-8 text.
const (
	anyText = 0xFF
	anyRune = 0xFE
)

func match(pattern, value string, many, one byte) bool {
	star, from := -1, 0
	p, v := 0, 0
	for v < len(value) {
		switch {
		case p < len(pattern) && pattern[p] == many:
			star, from = p, v
			p++
		case p < len(pattern) && pattern[p] == one:
			_, size := utf8.DecodeRuneInString(value[v:])
			p++
			v += size
		case p < len(pattern) && pattern[p] == value[v]:
			p++
			v++
		case star >= 0:
			from++
			p, v = star+1, from
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == many {
		p++
	}
	return p == len(pattern)
}

// A pattern is a value of a policy that may hold wildcards and policy variables.
type pattern struct {
	text  string // as written
	parts []part // nil: text holds no variable and no escape
	wild  bool   // * and ? are wildcards
}

// A part of a pattern is literal text (wildcards replaced by anyText and anyRune), or a variable.
type part struct {
	literal    string
	variable   string // in lower case; empty: the part is literal
	fallback   string
	hasDefault bool
}

// parsePattern reads a value. variables is false in documents of version 2008-10-17; wild is false for operators such as
// StringEquals, which compare * literally.
func parsePattern(text string, variables, wild bool) pattern {
	p := pattern{text: text, wild: wild}
	if !variables || !strings.Contains(text, "${") {
		return p
	}
	rest := text
	for {
		before, after, found := strings.Cut(rest, "${")
		inside, tail, closed := strings.Cut(after, "}")
		if !found || !closed {
			p.parts = append(p.parts, part{literal: p.wildcards(rest)})
			return p
		}
		p.parts = append(p.parts, part{literal: p.wildcards(before)}, variable(inside))
		rest = tail
	}
}

func (p pattern) wildcards(literal string) string {
	if !p.wild {
		return literal
	}
	return strings.NewReplacer("*", "\xFF", "?", "\xFE").Replace(literal)
}

// variable reads what stands between "${" and "}": a condition key, with a default in single quotes after a comma, or one of
// the escapes *, ? and $ (IAM User Guide, "Policy variables").
func variable(inside string) part {
	if inside == "*" || inside == "?" || inside == "$" {
		return part{literal: inside}
	}
	name, rest, hasDefault := strings.Cut(inside, ",")
	p := part{variable: strings.ToLower(strings.TrimSpace(name))}
	if hasDefault {
		quoted := strings.TrimSpace(rest)
		if len(quoted) >= 2 && quoted[0] == '\'' && quoted[len(quoted)-1] == '\'' {
			p.fallback, p.hasDefault = quoted[1:len(quoted)-1], true
		}
	}
	return p
}

// expanded is a pattern whose variables have their values.
type expanded struct {
	text      string
	many, one byte // the signs for wildcards in text; 0: none
}

// expand replaces the variables. ok is false if one has no value and no default, or several values: the pattern then matches
// nothing.
func (p pattern) expand(c Context) (e expanded, ok bool) {
	if p.parts == nil {
		if p.wild {
			return expanded{p.text, '*', '?'}, true
		}
		return expanded{text: p.text}, true
	}
	var b strings.Builder
	for _, part := range p.parts {
		if part.variable == "" {
			b.WriteString(part.literal)
			continue
		}
		values, known := c[part.variable]
		switch {
		case known && len(values.list) == 1 && !values.several:
			b.WriteString(values.list[0])
		case !known && part.hasDefault:
			b.WriteString(part.fallback)
		default:
			return expanded{}, false
		}
	}
	e.text = b.String()
	if p.wild {
		e.many, e.one = anyText, anyRune
	}
	return e, true
}

func (e expanded) matches(value string) bool {
	if e.many == 0 {
		return e.text == value
	}
	return match(e.text, value, e.many, e.one)
}

// matchesARN compares the six parts of an ARN one by one, as ArnLike does (IAM User Guide, "Amazon Resource Name (ARN)
// condition operators").
func (e expanded) matchesARN(value string) bool {
	want, got := strings.SplitN(e.text, ":", 6), strings.SplitN(value, ":", 6)
	if len(want) < 6 || len(got) < 6 {
		return false
	}
	for i := range want {
		if !(expanded{want[i], e.many, e.one}).matches(got[i]) {
			return false
		}
	}
	return true
}

// matchesResource compares a Resource element with the ARN of a resource. A * may stand for colons, so the ARN is compared as a
// whole (IAM User Guide, "IAM JSON policy elements: Resource": a * at the end of a segment expands beyond colons).
func (e expanded) matchesResource(arn string) bool { return e.matches(arn) }
