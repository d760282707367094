package iam

import (
	"encoding/json"
	"fmt"
	"strings"
)

// A Principal is who makes a request.
type Principal struct {
	kind    principalKind
	name    string // ARN, service name, or provider
	account string
	session string // of a role session: the name after the role's
	role    string // of a role or a role session: the name without its path
}

type principalKind int

const (
	anonymous principalKind = iota
	root
	user
	role
	session
	federatedUser
	service
	federated // a web identity or SAML token, before it has assumed a role
)

// Anonymous is a request without credentials.
var Anonymous = Principal{}

// Federated is the bearer of a token from a web identity or SAML provider, such as GitHub's, when it assumes a role.
func Federated(provider string) Principal { return Principal{kind: federated, name: provider} }

// ParsePrincipal reads the ARN of an account root, user, role, role session or federated user, or the name of a service such
// as ec2.amazonaws.com.
func ParsePrincipal(name string) (Principal, error) {
	if strings.HasSuffix(name, ".amazonaws.com") || strings.HasSuffix(name, ".amazonaws.com.cn") || strings.HasSuffix(name, ".amazon.com") {
		return Principal{kind: service, name: name}, nil
	}
	parts := strings.SplitN(name, ":", 6)
	if len(parts) < 6 || parts[0] != "arn" || (parts[2] != "iam" && parts[2] != "sts") || parts[4] == "" {
		return Principal{}, fmt.Errorf("%q is no principal: expected the ARN of a user, role, session or account root, or a service", name)
	}
	p := Principal{name: name, account: parts[4]}
	kind, rest, _ := strings.Cut(parts[5], "/")
	last := rest[strings.LastIndex(rest, "/")+1:]
	switch parts[2] + ":" + kind {
	case "iam:root":
		p.kind = root
	case "iam:user":
		p.kind = user
	case "iam:role":
		p.kind, p.role = role, last
	case "sts:assumed-role":
		p.kind = session
		p.role, p.session, _ = strings.Cut(rest, "/")
	case "sts:federated-user":
		p.kind = federatedUser
	default:
		return p, fmt.Errorf("%q is no principal: %s is not a user, role, session, federated user or root", name, parts[5])
	}
	if p.kind != root && last == "" {
		return p, fmt.Errorf("%q is no principal: it has no name", name)
	}
	return p, nil
}

// Account is the account of the principal; empty for services and anonymous requests.
func (p Principal) Account() string { return p.account }

// String is the ARN or the name of the principal.
func (p Principal) String() string {
	if p.kind == anonymous {
		return "anonymous"
	}
	return p.name
}

// serviceLinked reports whether the principal is a service-linked role, which service control and resource control policies do
// not limit (Organizations User Guide, "Service control policies" and "Resource control policies").
func (p Principal) serviceLinked() bool {
	return p.kind == role && strings.Contains(p.name, ":role/aws-service-role/") ||
		p.kind == session && strings.HasPrefix(p.role, "AWSServiceRoleFor")
}

// A principal is one entry of a Principal element.
type principal struct {
	kind string // "*", "AWS", "Service", "Federated", "CanonicalUser"
	name string
}

func parsePrincipals(text []byte) ([]principal, error) {
	var everyone string
	if json.Unmarshal(text, &everyone) == nil {
		if everyone != "*" {
			return nil, fmt.Errorf("expected Principal * or an object, got %q", everyone)
		}
		return []principal{{"*", "*"}}, nil
	}
	var byKind map[string]many
	if err := json.Unmarshal(text, &byKind); err != nil {
		return nil, fmt.Errorf("Principal: %w", err)
	}
	var all []principal
	for kind, names := range byKind {
		switch kind {
		case "AWS", "Service", "Federated", "CanonicalUser":
		default:
			return nil, fmt.Errorf("%q is not a kind of principal: expected AWS, Service, Federated or CanonicalUser", kind)
		}
		for _, name := range names {
			all = append(all, principal{kind, name})
		}
	}
	return all, nil
}

// naming is how closely a Principal element names the caller. It decides what else may limit the grant.
type naming int

const (
	notNamed   naming = iota
	byAccount         // the account: its own policies decide
	byRole            // the role of a session: boundary and session policy still limit
	byWildcard        // everyone
	byIdentity        // the user, session or service: nothing in the caller's account limits the grant
)

// names compares one entry with the caller.
func (entry principal) names(p Principal) naming {
	if entry.name == "*" && (entry.kind == "*" || entry.kind == "AWS") {
		return byWildcard
	}
	switch entry.kind {
	case "Service":
		if p.kind == service && (entry.name == p.name || entry.name == "*") {
			return byIdentity
		}
	case "Federated":
		if p.kind == federated && entry.name == p.name {
			return byIdentity
		}
	case "AWS":
		return entry.namesIdentity(p)
	}
	return notNamed
}

func (entry principal) namesIdentity(p Principal) naming {
	if p.account == "" {
		return notNamed
	}
	if entry.name == p.name && p.kind != root {
		if p.kind == role {
			return byRole
		}
		return byIdentity
	}
	named, err := ParsePrincipal(entry.name)
	switch {
	case entry.name == p.account, err == nil && named.kind == root && named.account == p.account:
		return byAccount
	case err == nil && named.kind == role && p.kind == session && named.account == p.account && named.role == p.role:
		return byRole
	}
	return notNamed
}

// names is the closest way in which a statement names the caller. A statement of an identity policy has no Principal: it
// applies to whom it is attached to.
func (s *Statement) names(p Principal) naming {
	if !s.hasPrincipal {
		return byIdentity
	}
	closest := notNamed
	for _, entry := range s.principals {
		closest = max(closest, entry.names(p))
	}
	if !s.notPrincipal {
		return closest
	}
	if closest == notNamed {
		return byWildcard
	}
	return notNamed
}
