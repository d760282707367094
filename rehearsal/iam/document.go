package iam

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
)

// A Document is a parsed policy document. It is safe for concurrent use.
type Document struct {
	Name       string // how explanations name the document; optional
	Statements []*Statement

	byAction sync.Map // action in lower case -> []*Statement whose Action or NotAction matches it
}

// A Statement is one statement of a document.
type Statement struct {
	Sid   string // may be empty
	Index int    // position in the document, from 0
	Deny  bool   // false: Allow

	actions      []action
	notActions   bool
	resources    []pattern
	notResources bool
	hasResource  bool // false in trust policies and in some repository policies: the statement applies to what it is attached to
	principals   []principal
	notPrincipal bool
	hasPrincipal bool
	conditions   []condition
}

// NamesPrincipals reports whether a statement has a Principal. Those of resource control policies have one, those of service control
// policies cannot (Organizations User Guide, "RCP syntax" and "SCP syntax").
func (d *Document) NamesPrincipals() bool {
	return slices.ContainsFunc(d.Statements, func(s *Statement) bool { return s.hasPrincipal })
}

// Compared lists the values without a wildcard that conditions compare a key with.
func (d *Document) Compared(key string) []string {
	var values []string
	for _, s := range d.Statements {
		for _, c := range s.conditions {
			if c.lower != strings.ToLower(key) {
				continue
			}
			for _, v := range c.values {
				if !strings.ContainsAny(v.text, "*?$") {
					values = append(values, v.text)
				}
			}
		}
	}
	return values
}

// Title names a statement: its Sid, else its position from 1.
func (s *Statement) Title() string {
	if s.Sid != "" {
		return s.Sid
	}
	return fmt.Sprintf("statement %d", s.Index+1)
}

// An action is a pattern such as s3:Get*, in lower case. Actions are not case-sensitive (IAM User Guide, "Action").
type action struct{ service, name string }

func (a action) matches(service, name string) bool {
	return (a.service == service || Glob(a.service, service)) && Glob(a.name, name)
}

// ErrPolicy is wrapped by every error of Parse.
var ErrPolicy = errors.New("invalid policy document")

// Parse reads a policy document in JSON. It refuses what IAM's grammar refuses: unknown elements and operators, a statement
// without Effect or Action, elements that exclude each other, a repeated key. It does not check lengths, and accepts a
// document of any kind: whether a Principal or a Resource is required depends on where the document is attached.
func Parse(text []byte) (*Document, error) {
	d, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPolicy, err)
	}
	return d, nil
}

func parse(text []byte) (*Document, error) {
	if err := UniqueKeys(text); err != nil {
		return nil, err
	}
	var raw struct {
		Version   string
		ID        json.RawMessage `json:"Id"`
		Statement json.RawMessage
	}
	if err := strict(text, &raw); err != nil {
		return nil, err
	}
	if raw.Version != "" && raw.Version != version2008 && raw.Version != version2012 {
		return nil, fmt.Errorf("expected Version %s or %s, got %q", version2012, version2008, raw.Version)
	}
	var statements []json.RawMessage
	if json.Unmarshal(raw.Statement, &statements) != nil {
		statements = []json.RawMessage{raw.Statement}
	}
	d := &Document{}
	var wrong []error
	for i, text := range statements {
		s, err := parseStatement(text, raw.Version == version2012)
		if err != nil {
			wrong = append(wrong, fmt.Errorf("statement %d: %w", i+1, err))
			continue
		}
		s.Index = i
		d.Statements = append(d.Statements, s)
	}
	return d, errors.Join(wrong...)
}

// Version 2008-10-17 is the default, and has no policy variables: "${aws:username}" is literal text there (IAM User Guide,
// "Version").
const (
	version2012 = "2012-10-17"
	version2008 = "2008-10-17"
)

type rawStatement struct {
	Sid                   string
	Effect                string
	Principal             json.RawMessage
	NotPrincipal          json.RawMessage
	Action, NotAction     many
	Resource, NotResource many
	Condition             map[string]map[string]many
}

func parseStatement(text []byte, variables bool) (*Statement, error) {
	var raw rawStatement
	if err := strict(text, &raw); err != nil {
		return nil, err
	}
	s := &Statement{Sid: raw.Sid, Deny: raw.Effect == "Deny"}
	if !s.Deny && raw.Effect != "Allow" {
		return nil, fmt.Errorf("expected Effect Allow or Deny, got %q", raw.Effect)
	}
	actions, err := either("Action", raw.Action, raw.NotAction)
	if err != nil {
		return nil, err
	}
	s.notActions = raw.NotAction != nil
	if len(actions) == 0 {
		return nil, errors.New("it needs an Action or a NotAction")
	}
	for _, name := range actions {
		a, err := parseAction(name)
		if err != nil {
			return nil, err
		}
		s.actions = append(s.actions, a)
	}
	resources, err := either("Resource", raw.Resource, raw.NotResource)
	if err != nil {
		return nil, err
	}
	s.notResources, s.hasResource = raw.NotResource != nil, len(resources) > 0
	for _, name := range resources {
		s.resources = append(s.resources, parsePattern(name, variables, true))
	}
	if raw.Principal != nil && raw.NotPrincipal != nil {
		return nil, errors.New("Principal and NotPrincipal exclude each other")
	}
	if p := slices.Concat(raw.Principal, raw.NotPrincipal); p != nil {
		s.hasPrincipal, s.notPrincipal = true, raw.NotPrincipal != nil
		if s.principals, err = parsePrincipals(p); err != nil {
			return nil, err
		}
	}
	s.conditions, err = parseConditions(raw.Condition, variables)
	return s, err
}

func either(element string, positive, negative many) (many, error) {
	if positive != nil && negative != nil {
		return nil, fmt.Errorf("%s and Not%s exclude each other", element, element)
	}
	if positive != nil {
		return positive, nil
	}
	return negative, nil
}

func parseAction(name string) (action, error) {
	if name == "*" {
		return action{"*", "*"}, nil
	}
	service, rest, ok := strings.Cut(strings.ToLower(name), ":")
	if !ok || service == "" || rest == "" {
		return action{}, fmt.Errorf("action %q must be a service and an action, such as s3:GetObject", name)
	}
	return action{service, rest}, nil
}

// about returns the statements whose actions include the one named, and remembers them: a document is asked for the same few
// actions again and again.
func (d *Document) about(name string) []*Statement {
	name = strings.ToLower(name)
	if known, ok := d.byAction.Load(name); ok {
		return known.([]*Statement)
	}
	service, rest, _ := strings.Cut(name, ":")
	found := []*Statement{}
	for _, s := range d.Statements {
		if slices.ContainsFunc(s.actions, func(a action) bool { return a.matches(service, rest) }) != s.notActions {
			found = append(found, s)
		}
	}
	d.byAction.Store(name, found)
	return found
}

// many is an element that may be one value or a list. Numbers and booleans count as their text.
type many []string

func (m *many) UnmarshalJSON(text []byte) error {
	list := []json.RawMessage{text}
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("[")) {
		list = nil
		if err := json.Unmarshal(text, &list); err != nil {
			return err
		}
	}
	*m = many{}
	for _, item := range list {
		var value any
		if err := json.Unmarshal(item, &value); err != nil {
			return err
		}
		switch v := value.(type) {
		case string:
			*m = append(*m, v)
		case bool, float64:
			*m = append(*m, string(bytes.TrimSpace(item)))
		default:
			return fmt.Errorf("expected a string or a list of strings, got %s", item)
		}
	}
	return nil
}

func strict(text []byte, into any) error {
	if !bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
		return errors.New("expected an object")
	}
	// encoding/json matches names in any case; IAM does not.
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(text, &keys); err != nil {
		return err
	}
	for key := range keys {
		if !slices.Contains(elements, key) {
			return fmt.Errorf("%q is not an element of a policy", key)
		}
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	return d.Decode(into)
}

var elements = []string{"Version", "Id", "Statement", "Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction",
	"Resource", "NotResource", "Condition"}

// UniqueKeys refuses JSON in which an object has a key twice, as AWS does and encoding/json does not, and text after its end.
func UniqueKeys(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	if err := repeatedKey(d, 0); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("unexpected text after the end of the object")
	}
	return nil
}

// deepest bounds the recursion over a document that someone else wrote. A policy is at most six levels deep.
const deepest = 32

func repeatedKey(d *json.Decoder, depth int) error {
	if depth > deepest {
		return errors.New("nested too deeply")
	}
	token, err := d.Token()
	if err != nil {
		return err
	}
	delim, ok := token.(json.Delim)
	if !ok {
		return nil
	}
	seen := map[string]bool{}
	for d.More() {
		if delim == '{' {
			key, err := d.Token()
			if err != nil {
				return err
			}
			name := key.(string)
			if seen[name] {
				return fmt.Errorf("the key %q appears twice", name)
			}
			seen[name] = true
		}
		if err := repeatedKey(d, depth+1); err != nil {
			return err
		}
	}
	_, err = d.Token()
	return err
}
