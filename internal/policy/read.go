package policy

import (
	"encoding/json"
	"path"
	"slices"
)

// A Told is one statement of a document, as whoever checks the document reads it.
type Told struct {
	Sid, Effect      string
	Action, Resource Many
	Principal        map[string]Many
	Condition        map[string]map[string]Many
}

// Many are the values of a field, which IAM writes as the one value if there is one.
type Many []string

// UnmarshalJSON reads either form.
func (m *Many) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*m = Many{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(m))
}

// Read gives the statements of a document, in their order.
func Read(document string) ([]Told, error) {
	var d struct{ Statement []Told }
	err := json.Unmarshal([]byte(document), &d)
	return d.Statement, err
}

// About reports whether the statement's actions, which may have wildcards, take in the one.
func (t Told) About(action string) bool {
	return slices.ContainsFunc(t.Action, func(a string) bool {
		ok, err := path.Match(a, action)
		return ok || err != nil
	})
}
