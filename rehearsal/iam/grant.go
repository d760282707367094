package iam

import (
	"maps"
	"slices"
	"strings"
)

// A Grant is a KMS grant: a right to use one key that its policy need not mention (KMS Developer Guide, "Grants in AWS KMS").
type Grant struct {
	ID         string
	Grantee    string   // ARN or service name
	Operations []string // as in the API: Decrypt, CreateGrant ...
	// Constraints on the encryption context; nil: none.
	ContextEquals, ContextSubset map[string]string
}

// grant returns the ID of the first grant that allows the request.
func (e *evaluation) grant(grants []Grant) string {
	service, operation, _ := strings.Cut(e.request.Action, ":")
	if !strings.EqualFold(service, "kms") {
		return ""
	}
	for _, g := range grants {
		named := principal{"AWS", g.Grantee}
		if strings.HasSuffix(g.Grantee, ".amazonaws.com") {
			named.kind = "Service"
		}
		if named.names(e.request.Principal) > byAccount && g.permits(operation) && g.constrains(e.context) {
			return g.ID
		}
	}
	return ""
}

func (g Grant) permits(operation string) bool {
	return slices.ContainsFunc(g.Operations, func(o string) bool { return strings.EqualFold(o, operation) })
}

// constrains reports whether the encryption context of the request is one that the grant allows.
func (g Grant) constrains(c Context) bool {
	const prefix = "kms:encryptioncontext:"
	sent := map[string]string{}
	for key, value := range c {
		if name, ok := strings.CutPrefix(key, prefix); ok && len(value.list) == 1 {
			sent[name] = value.list[0]
		}
	}
	if g.ContextEquals != nil && !maps.Equal(lower(g.ContextEquals), sent) {
		return false
	}
	for name, value := range lower(g.ContextSubset) {
		if sent[name] != value {
			return false
		}
	}
	return true
}

func lower(m map[string]string) map[string]string {
	all := map[string]string{}
	for key, value := range m {
		all[strings.ToLower(key)] = value
	}
	return all
}
