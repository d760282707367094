// Package policy writes IAM policy documents as Go values.
//
// A document is made of Statements whose resources and condition values may be plain strings or Pulumi inputs; the
// JSON is canonical (sorted keys, lists kept in the order given), so that the same statements always make the same
// document and a second `pulumi up` never differs.
package policy

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// A Statement is one statement of a policy document. Values in Resources, Principals and Conditions are strings or
// pulumi.StringInput.
type Statement struct {
	Sid        string           // what the statement is for, in letters and digits; required, because reviewers read it
	Deny       bool             // false: Allow
	Principals map[string][]any // "Service", "AWS", "Federated" -> names; nil in identity policies
	Actions    []string
	Resources  []any
	Conditions Conditions
}

// Document returns the policy document that holds statements, in their order.
func Document(statements ...Statement) pulumi.StringOutput {
	return pulumi.JSONMarshal(document(statements))
}

// JSON is the same document for whoever has no program around it. Every value must be a plain string.
func JSON(statements ...Statement) (string, error) {
	for _, s := range statements {
		values := slices.Clone(s.Resources)
		for _, names := range s.Principals {
			values = append(values, names...)
		}
		for _, keys := range s.Conditions {
			for _, value := range keys {
				if several, ok := value.([]any); ok {
					values = append(values, several...)
				} else {
					values = append(values, value)
				}
			}
		}
		for _, value := range values {
			if _, plain := value.(string); !plain {
				return "", fmt.Errorf("policy: statement %s holds a %T, which is known only to a program", s.Sid, value)
			}
		}
	}
	text, err := json.Marshal(document(statements))
	return string(text), err
}

func document(statements []Statement) map[string]any {
	list := make([]any, 0, len(statements))
	for _, s := range statements {
		list = append(list, s.value())
	}
	return map[string]any{"Version": "2012-10-17", "Statement": list}
}

// Conditions are the conditions of a statement: operator -> key -> a value or a []any of values. All of them must hold.
type Conditions = map[string]map[string]any

// Trust returns the trust policy of a role that service may assume under conditions, which are nil for a service that
// sends no source. A condition on a key that the service does not send locks it out, so each caller names AWS's page
// about its service.
func Trust(service string, conditions Conditions) pulumi.StringOutput {
	return Document(Statement{
		Sid:        "Assume",
		Principals: map[string][]any{"Service": {service}},
		Actions:    []string{"sts:AssumeRole"},
		Conditions: conditions,
	})
}

// From holds for requests that a service makes for a resource of the account whose ARN is like arn. It is the form that
// the IAM guide recommends against the confused deputy ("Cross-service confused deputy prevention").
func From(accountID string, arn any) Conditions {
	return Conditions{"StringEquals": {"aws:SourceAccount": accountID}, "ArnLike": {"aws:SourceArn": arn}}
}

func (s Statement) value() map[string]any {
	v := map[string]any{"Sid": s.Sid, "Effect": "Allow", "Action": list(s.Actions)}
	if s.Deny {
		v["Effect"] = "Deny"
	}
	if s.Principals != nil {
		p := map[string]any{}
		for kind, names := range s.Principals {
			p[kind] = one(names)
		}
		v["Principal"] = p
	}
	if s.Resources != nil {
		v["Resource"] = one(s.Resources)
	}
	if s.Conditions != nil {
		c := map[string]any{}
		for op, keys := range s.Conditions {
			m := map[string]any{}
			for k, val := range keys {
				m[k] = val
			}
			c[op] = m
		}
		v["Condition"] = c
	}
	return v
}

// IAM stores a list of one as its one value, so that is how it is written.
func one(values []any) any {
	if len(values) == 1 {
		return values[0]
	}
	return values
}

func list(values []string) any {
	all := make([]any, len(values))
	for i, v := range values {
		all[i] = v
	}
	return one(all)
}
