package cloud

import (
	"encoding/json"
	"fmt"
)

// policySource answers getPolicyDocument: it builds the JSON from the arguments.
func policySource(_ *Account, in Inputs) (map[string]any, error) {
	statements, err := mergedStatements(in)
	if err != nil {
		return nil, err
	}
	doc := map[string]any{"Version": orElse(in.String("version"), "2012-10-17"), "Statement": statements}
	if id := in.String("policyId"); id != "" {
		doc["Id"] = id
	}
	text, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		return nil, err
	}
	small, err := json.Marshal(doc)
	if err != nil {
		return nil, err
	}
	return map[string]any{"id": draw(10, string(small)), "json": string(text), "minifiedJson": string(small)}, nil
}

// mergedStatements are the statements of the source documents, then the argument's own, then those of the overriding documents.
func mergedStatements(in Inputs) ([]any, error) {
	var all []any
	add := func(text string) error {
		var source struct{ Statement any }
		if err := json.Unmarshal([]byte(text), &source); err != nil {
			return fmt.Errorf("a policy document to merge is not JSON: %w", err)
		}
		if l, ok := source.Statement.([]any); ok {
			all = append(all, l...)
		} else if source.Statement != nil {
			all = append(all, source.Statement)
		}
		return nil
	}
	for _, text := range in.Strings("sourcePolicyDocuments") {
		if err := add(text); err != nil {
			return nil, err
		}
	}
	for _, s := range in.Maps("statements") {
		all = append(all, writtenStatement(s))
	}
	for _, text := range in.Strings("overridePolicyDocuments") {
		if err := add(text); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func writtenStatement(s Inputs) map[string]any {
	written := map[string]any{"Effect": orElse(s.String("effect"), "Allow")}
	if sid := s.String("sid"); sid != "" {
		written["Sid"] = sid
	}
	for input, key := range map[string]string{
		"actions": "Action", "notActions": "NotAction", "resources": "Resource", "notResources": "NotResource",
	} {
		if l := s.Strings(input); len(l) > 0 {
			written[key] = sole(l)
		}
	}
	for input, key := range map[string]string{"principals": "Principal", "notPrincipals": "NotPrincipal"} {
		if principals := writtenPrincipals(s.Maps(input)); principals != nil {
			written[key] = principals
		}
	}
	conditions := map[string]any{}
	for _, c := range s.Maps("conditions") {
		m, _ := conditions[c.String("test")].(map[string]any)
		if m == nil {
			m = map[string]any{}
			conditions[c.String("test")] = m
		}
		m[c.String("variable")] = sole(c.Strings("values"))
	}
	if len(conditions) > 0 {
		written["Condition"] = conditions
	}
	return written
}

func writtenPrincipals(principals []Inputs) any {
	byType := map[string][]string{}
	for _, p := range principals {
		byType[p.String("type")] = append(byType[p.String("type")], p.Strings("identifiers")...)
	}
	if len(byType) == 0 {
		return nil
	}
	if len(byType["*"]) > 0 {
		return "*"
	}
	written := map[string]any{}
	for t, ids := range byType {
		written[t] = sole(ids)
	}
	return written
}

// sole turns a list of one into its value, as the provider does.
func sole(l []string) any {
	if len(l) == 1 {
		return l[0]
	}
	return l
}
