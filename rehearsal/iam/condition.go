package iam

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Context holds the condition keys of a request, by name in lower case. Build it with NewContext or Set.
type Context map[string]Values

// Values are what a request sends for one condition key.
type Values struct {
	list    []string
	several bool // a multivalued key: aws:TagKeys, aws:PrincipalOrgPaths
}

// One is the value of a single-valued key.
func One(value string) Values { return Values{list: []string{value}} }

// Several are the values of a multivalued key.
func Several(values ...string) Values { return Values{list: values, several: true} }

// Set gives key a value. Names of keys are not case-sensitive.
func (c Context) Set(key string, values Values) { c[strings.ToLower(key)] = values }

// Get returns the values of key, and whether the request has the key.
func (c Context) Get(key string) ([]string, bool) {
	v, ok := c[strings.ToLower(key)]
	return v.list, ok
}

// A condition is one line of a Condition element: all of its values are alternatives.
type condition struct {
	operator string // as written, for explanations
	key      string // as written
	lower    string

	compare  comparison
	negated  bool // StringNotEquals and its like: true if no value matches
	ifExists bool
	all, any bool // ForAllValues, ForAnyValue
	null     bool
	values   []pattern
}

// A comparison says whether the value of a request matches one value of a policy.
type comparison struct {
	wild    bool
	matches func(want expanded, got string) bool
}

// comparisons are IAM's condition operators (IAM User Guide, "Condition operators") without their negations.
var comparisons = map[string]comparison{
	"StringEquals":             {matches: expanded.matches},
	"StringEqualsIgnoreCase":   {matches: func(w expanded, got string) bool { return strings.EqualFold(w.text, got) }},
	"StringLike":               {wild: true, matches: expanded.matches},
	"ArnEquals":                {wild: true, matches: matchesARN},
	"ArnLike":                  {wild: true, matches: matchesARN},
	"NumericEquals":            numbers(func(c int) bool { return c == 0 }),
	"NumericLessThan":          numbers(func(c int) bool { return c < 0 }),
	"NumericLessThanEquals":    numbers(func(c int) bool { return c <= 0 }),
	"NumericGreaterThan":       numbers(func(c int) bool { return c > 0 }),
	"NumericGreaterThanEquals": numbers(func(c int) bool { return c >= 0 }),
	"DateEquals":               dates(func(c int) bool { return c == 0 }),
	"DateLessThan":             dates(func(c int) bool { return c < 0 }),
	"DateLessThanEquals":       dates(func(c int) bool { return c <= 0 }),
	"DateGreaterThan":          dates(func(c int) bool { return c > 0 }),
	"DateGreaterThanEquals":    dates(func(c int) bool { return c >= 0 }),
	"Bool":                     {matches: func(w expanded, got string) bool { return strings.EqualFold(w.text, got) && isBool(got) }},
	"BinaryEquals":             {matches: sameBytes},
	"IpAddress":                {matches: inRange},
}

// negations are the operators that are true if the positive operator matches no value.
var negations = map[string]string{
	"StringNotEquals":           "StringEquals",
	"StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
	"StringNotLike":             "StringLike",
	"ArnNotEquals":              "ArnEquals",
	"ArnNotLike":                "ArnLike",
	"NumericNotEquals":          "NumericEquals",
	"DateNotEquals":             "DateEquals",
	"NotIpAddress":              "IpAddress",
}

func matchesARN(want expanded, got string) bool { return want.matchesARN(got) }

func isBool(s string) bool { return strings.EqualFold(s, "true") || strings.EqualFold(s, "false") }

func sameBytes(want expanded, got string) bool {
	a, err := base64.StdEncoding.DecodeString(want.text)
	b, bad := base64.StdEncoding.DecodeString(got)
	return err == nil && bad == nil && string(a) == string(b)
}

func inRange(want expanded, got string) bool {
	address, err := netip.ParseAddr(got)
	if err != nil {
		return false
	}
	if prefix, err := netip.ParsePrefix(want.text); err == nil {
		return prefix.Contains(address)
	}
	one, err := netip.ParseAddr(want.text)
	return err == nil && one == address
}

// numberForm is an integer or decimal, as the guide says; strconv accepts more.
var numberForm = regexp.MustCompile(`^[+-]?[0-9]+(\.[0-9]+)?$`)

func numbers(holds func(int) bool) comparison {
	return ordered(func(text string) (float64, bool) {
		n, err := strconv.ParseFloat(text, 64)
		return n, err == nil && numberForm.MatchString(text)
	}, holds)
}

func dates(holds func(int) bool) comparison { return ordered(instant, holds) }

func ordered(read func(string) (float64, bool), holds func(int) bool) comparison {
	return comparison{matches: func(want expanded, got string) bool {
		w, ok := read(want.text)
		g, known := read(got)
		if !ok || !known {
			return false
		}
		switch {
		case g < w:
			return holds(-1)
		case g > w:
			return holds(1)
		}
		return holds(0)
	}}
}

// dateForms are the W3C profile of ISO 8601, which IAM names, besides seconds since 1970.
var dateForms = []string{time.RFC3339Nano, "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05", "2006-01-02", "2006-01", "2006"}

// instant reads a date as seconds since 1970. Four digits are a year.
func instant(text string) (float64, bool) {
	for _, form := range dateForms {
		if t, err := time.Parse(form, text); err == nil {
			return float64(t.UnixNano()) / 1e9, true
		}
	}
	n, err := strconv.ParseFloat(text, 64)
	return n, err == nil
}

func parseConditions(raw map[string]map[string]many, variables bool) ([]condition, error) {
	var all []condition
	for _, operator := range slices.Sorted(maps.Keys(raw)) {
		for _, key := range slices.Sorted(maps.Keys(raw[operator])) {
			c, err := parseOperator(operator)
			if err != nil {
				return nil, err
			}
			c.key, c.lower = key, strings.ToLower(key)
			for _, value := range raw[operator][key] {
				c.values = append(c.values, parsePattern(value, variables, c.compare.wild))
			}
			all = append(all, c)
		}
	}
	return all, nil
}

func parseOperator(name string) (condition, error) {
	c := condition{operator: name}
	bare := name
	if rest, ok := strings.CutPrefix(bare, "ForAllValues:"); ok {
		c.all, bare = true, rest
	} else if rest, ok := strings.CutPrefix(bare, "ForAnyValue:"); ok {
		c.any, bare = true, rest
	}
	if bare == "Null" {
		c.null = true
		return c, nil
	}
	bare, c.ifExists = strings.CutSuffix(bare, "IfExists")
	if positive, ok := negations[bare]; ok {
		bare, c.negated = positive, true
	}
	var known bool
	if c.compare, known = comparisons[bare]; !known {
		return c, fmt.Errorf("%q is not a condition operator", name)
	}
	return c, nil
}

// holds evaluates one condition.
//
// Keys that the request does not send: a positive operator does not match, a negated one does; IfExists and ForAllValues do;
// ForAnyValue does not, even with IfExists (IAM User Guide, "Condition operators" and "Set operators for multivalued context
// keys"; https://repost.aws/questions/QU9HFmDzP0QGuU-fd7rS6B7w).
func (c condition) holds(request Context) bool {
	values, present := request[c.lower]
	present = present && len(values.list) > 0
	switch {
	case c.null:
		return slices.ContainsFunc(c.values, func(v pattern) bool { return strings.EqualFold(v.text, "true") != present })
	case !present:
		return c.all || (c.ifExists || c.negated) && !c.any
	case c.all:
		return !slices.ContainsFunc(values.list, func(got string) bool { return !c.accepts(got, request) })
	case c.any:
		return slices.ContainsFunc(values.list, func(got string) bool { return c.accepts(got, request) })
	case values.several && len(values.list) > 1:
		// Without a set operator a multivalued key has no defined result; the guide says never to write it.
		return false
	}
	return c.accepts(values.list[0], request)
}

// accepts compares one value of the request with the alternatives of the policy. A variable without a value makes the statement
// invalid, so a negated operator does not hold either (IAM User Guide, "IAM policy elements: Variables and tags").
func (c condition) accepts(got string, request Context) bool {
	for _, v := range c.values {
		want, ok := v.expand(request)
		switch {
		case !ok && c.negated:
			return false
		case ok && c.compare.matches(want, got):
			return !c.negated
		}
	}
	return c.negated
}

// String is the condition as a policy says it, in one line.
func (c condition) String() string {
	var values []string
	for _, v := range c.values {
		values = append(values, v.text)
	}
	return c.operator + " " + c.key + " = " + strings.Join(values, " or ")
}
