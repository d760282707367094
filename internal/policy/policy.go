// Package policy builds IAM policy documents from Go values, and parses them.
//
// A document is made of Statements whose resources and condition values may be plain strings or Pulumi inputs; the
// JSON is canonical (sorted keys, lists kept in the order given), so that the same statements always make the same
// document and a second `pulumi up` finds no change.
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
	Sid        string           // what the statement is for, in letters and digits; required, for the people who review it
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

// JSON returns the same document outside a Pulumi program. Every value must be a plain string.
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
				return "", fmt.Errorf("policy: statement %s holds a %T, which resolves only in a Pulumi program", s.Sid, value)
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

// Trust returns the trust policy of a role that service may assume under conditions; nil for a service that sends no
// source. A condition on a key that the service does not send locks the service out, so each caller cites AWS's page
// about it.
func Trust(service string, conditions Conditions) pulumi.StringOutput {
	return Document(Statement{
		Sid:        "Assume",
		Principals: map[string][]any{"Service": {service}},
		Actions:    []string{"sts:AssumeRole"},
		Conditions: conditions,
	})
}

// From limits a statement to requests that a service makes on behalf of a resource of the account whose ARN matches arn.
// It is the form that the IAM guide recommends against the confused deputy ("Cross-service confused deputy prevention").
func From(accountID string, arn any) Conditions {
	return Conditions{"StringEquals": {"aws:SourceAccount": accountID}, "ArnLike": {"aws:SourceArn": arn}}
}

// AccountRoot is the principal that stands for a whole account, not for its root user: the account's own IAM policies
// decide who in it has access.
func AccountRoot(partition, accountID string) string {
	return fmt.Sprintf("arn:%s:iam::%s:root", partition, accountID)
}

// AccountRoots are the principals of several accounts.
func AccountRoots(partition string, accountIDs ...string) map[string][]any {
	roots := make([]any, len(accountIDs))
	for i, id := range accountIDs {
		roots[i] = AccountRoot(partition, id)
	}
	return map[string][]any{"AWS": roots}
}

// Anyone is every principal of every account, for statements that deny or whose conditions decide.
func Anyone() map[string][]any { return map[string][]any{"AWS": {"*"}} }

// TLSOnly denies every action of a service ("s3", "sqs") on resources over plain HTTP.
func TLSOnly(service string, resources ...any) Statement {
	return Statement{
		Sid: "TLSOnly", Deny: true,
		Principals: Anyone(),
		Actions:    []string{service + ":*"},
		Resources:  resources,
		Conditions: Conditions{"Bool": {"aws:SecureTransport": "false"}},
	}
}

// EncryptRecords lets a role put records into a Firehose stream that is encrypted with a customer-managed key. AWS's guide does not
// say that a producer needs it (Firehose uses a grant), but puts were refused without it:
// https://github.com/ministryofjustice/modernisation-platform-environments/pull/19063.
func EncryptRecords(region string, keyARN any) Statement {
	return Statement{
		Sid:        "EncryptRecords",
		Actions:    []string{"kms:Decrypt", "kms:GenerateDataKey"},
		Resources:  []any{keyARN},
		Conditions: Conditions{"StringEquals": {"kms:ViaService": "firehose." + region + ".amazonaws.com"}},
	}
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

// one writes a list of one as a single value, as IAM stores it.
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
