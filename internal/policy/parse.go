package policy

import (
	"encoding/json"
	"path"
	"slices"
)

// A ParsedStatement is one statement of a document in JSON.
type ParsedStatement struct {
	Sid, Effect      string
	Action, Resource Many
	Principal        map[string]Many
	Condition        map[string]map[string]Many
}

// Many are the values of a field. IAM writes a list of one as a single value.
type Many []string

// UnmarshalJSON accepts a list or a single value.
func (m *Many) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*m = Many{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(m))
}

// Parse returns the statements of a document, in their order.
func Parse(document string) ([]ParsedStatement, error) {
	var d struct{ Statement []ParsedStatement }
	err := json.Unmarshal([]byte(document), &d)
	return d.Statement, err
}

// Covers reports whether the statement's actions, which may contain wildcards, include action.
func (s ParsedStatement) Covers(action string) bool {
	return slices.ContainsFunc(s.Action, func(a string) bool {
		ok, err := path.Match(a, action)
		return ok || err != nil
	})
}
