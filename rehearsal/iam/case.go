package iam

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// A Case is a request with its policies in JSON, the form in which tools/iamcase reads them.
type Case struct {
	ID      string `json:"id"`
	Request struct {
		// The ARN of a user, role, session, federated user or account root; a service such as ec2.amazonaws.com; or
		// {"type": "Anonymous"}, {"type": "Federated", "provider": ARN or host}.
		Principal json.RawMessage `json:"principal"`
		Action    string          `json:"action"`
		Resource  struct {
			Resource  string `json:"resource"`
			AccountID string `json:"accountId"`
		} `json:"resource"`
		Context map[string]contextValue `json:"context"`
	} `json:"request"`
	IdentityPolicies        []json.RawMessage `json:"identityPolicies"`
	ResourcePolicy          json.RawMessage   `json:"resourcePolicy"`
	PermissionBoundaries    []json.RawMessage `json:"permissionBoundaries"`
	ServiceControlPolicies  []caseLevel       `json:"serviceControlPolicies"`
	ResourceControlPolicies []caseLevel       `json:"resourceControlPolicies"`
	SessionPolicy           json.RawMessage   `json:"sessionPolicy"`
	EndpointPolicies        []json.RawMessage `json:"endpointPolicies"`
}

type caseLevel struct {
	OrgIdentifier string            `json:"orgIdentifier"`
	Policies      []json.RawMessage `json:"policies"`
}

// ParseCase reads a case, and reports every mistake in it.
func ParseCase(text []byte) (Case, Request, Policies, error) {
	var c Case
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		// The caller needs the ID for its answer even if the rest is unusable.
		var only struct{ ID string }
		_ = json.Unmarshal(text, &only)
		c.ID = only.ID
		return c, Request{}, Policies{}, err
	}
	r := Request{Action: c.Request.Action, Resource: c.Request.Resource.Resource, Account: c.Request.Resource.AccountID, Context: Context{}}
	for key, value := range c.Request.Context {
		r.Context.Set(key, Values(value))
	}
	reader := caseReader{}
	r.Principal = reader.principal(c.Request.Principal)
	if _, err := parseAction(r.Action); err != nil {
		reader.wrong = append(reader.wrong, err)
	}
	if r.Resource == "" {
		reader.wrong = append(reader.wrong, errors.New("request.resource.resource is missing"))
	}
	p := Policies{
		Identity:   reader.documents("identityPolicies", c.IdentityPolicies),
		Resource:   reader.document("resourcePolicy", c.ResourcePolicy),
		Boundaries: reader.documents("permissionBoundaries", c.PermissionBoundaries),
		Session:    documents(reader.document("sessionPolicy", c.SessionPolicy)),
		Endpoint:   reader.documents("endpointPolicies", c.EndpointPolicies),
		SCP:        reader.levels("serviceControlPolicies", c.ServiceControlPolicies),
		RCP:        reader.levels("resourceControlPolicies", c.ResourceControlPolicies),
	}
	return c, r, p, errors.Join(reader.wrong...)
}

type caseReader struct{ wrong []error }

func (r *caseReader) principal(text json.RawMessage) Principal {
	var name string
	if json.Unmarshal(text, &name) == nil {
		p, err := ParsePrincipal(name)
		if err != nil {
			r.wrong = append(r.wrong, err)
		}
		return p
	}
	var kind struct{ Type, Provider string }
	_ = json.Unmarshal(text, &kind)
	switch {
	case kind.Type == "Anonymous":
		return Anonymous
	case kind.Type == "Federated" && kind.Provider != "":
		return Federated(kind.Provider)
	}
	r.wrong = append(r.wrong, fmt.Errorf("request.principal: expected an ARN, a service or {\"type\": \"Anonymous\"}, got %s", text))
	return Anonymous
}

func (r *caseReader) document(name string, text json.RawMessage) *Document {
	if len(text) == 0 || string(text) == "null" {
		return nil
	}
	d, err := Parse(text)
	if err != nil {
		r.wrong = append(r.wrong, fmt.Errorf("%s: %w", name, err))
		return nil
	}
	d.Name = name
	return d
}

// documents keeps the difference between no list and an empty one: an empty list of boundaries allows nothing.
func (r *caseReader) documents(name string, texts []json.RawMessage) []*Document {
	if texts == nil {
		return nil
	}
	all := []*Document{}
	for i, text := range texts {
		if d := r.document(fmt.Sprintf("%s[%d]", name, i), text); d != nil {
			all = append(all, d)
		}
	}
	return all
}

func (r *caseReader) levels(name string, levels []caseLevel) []Level {
	var all []Level
	for _, level := range levels {
		all = append(all, Level{level.OrgIdentifier, r.documents(name+" of "+level.OrgIdentifier, level.Policies)})
	}
	return all
}

// contextValue is one value, or the list of a multivalued key.
type contextValue Values

func (v *contextValue) UnmarshalJSON(text []byte) error {
	var values many
	if err := json.Unmarshal(text, &values); err != nil {
		return err
	}
	*v = contextValue{list: values, several: bytes.HasPrefix(bytes.TrimSpace(text), []byte("["))}
	return nil
}
