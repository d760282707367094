package iam

import (
	"slices"
	"strings"
)

// A Request is one call of one action on one resource.
type Request struct {
	Principal Principal
	Action    string // service:Action, in any case
	Resource  string // ARN, or * for an action without resource-level permissions
	Account   string // the account that owns the resource
	Context   Context
}

// Policies are the documents that apply to a request.
type Policies struct {
	Identity   []*Document // of the user or role, groups included
	Resource   *Document   // of the resource; nil if it has none. For sts:AssumeRole the trust policy, for KMS the key policy
	Boundaries []*Document // the permissions boundary; nil if the principal has none
	Session    []*Document // session policies; nil if the session has none
	Endpoint   []*Document // of each VPC endpoint that the request passes; nil if it passes none
	SCP        []Level     // from the root of the organisation down to the account of the principal
	RCP        []Level     // from the root of the organisation down to the account of the resource
	Grants     []Grant     // of the key
}

// A Level is a place in an organisation with the policies attached there. At every level one of them must allow the request.
type Level struct {
	Name     string
	Policies []*Document
}

// An Outcome is how a request ends.
type Outcome string

// The outcomes, as IAM's policy simulator calls them.
const (
	Allowed          Outcome = "Allowed"
	ImplicitlyDenied Outcome = "ImplicitlyDenied"
	ExplicitlyDenied Outcome = "ExplicitlyDenied"
)

// A Decision is the answer to a request.
type Decision struct {
	Outcome Outcome
	By      []Match // the statements that decided: the denials, or those that allowed
	Missing []Layer // for an implicit denial: the kinds of policy that would have to allow the request and do not
	Grant   string  // the grant that allowed the request, if one did
}

// Allowed reports whether AWS would let the request through.
func (d Decision) Allowed() bool { return d.Outcome == Allowed }

// A Layer is a kind of policy.
type Layer string

// The layers, in the order in which AWS evaluates them.
const (
	LayerRCP      Layer = "resource control policy"
	LayerSCP      Layer = "service control policy"
	LayerEndpoint Layer = "endpoint policy"
	LayerResource Layer = "resource policy"
	LayerIdentity Layer = "identity policy"
	LayerBoundary Layer = "permissions boundary"
	LayerSession  Layer = "session policy"
)

// A Match is a statement that applied to a request.
type Match struct {
	Layer     Layer
	Level     string // of a control policy
	Document  *Document
	Statement *Statement
}

// A result is what the documents of one layer say.
type result struct {
	allows, denies []Match
	naming         naming // the closest naming among the statements that allow
}

func (r result) allowed() bool { return len(r.allows) > 0 }

// Decide evaluates a request (IAM User Guide, "Policy evaluation logic").
func Decide(r Request, p Policies) Decision {
	e := evaluation{request: r, context: r.context(), bounded: p.Boundaries != nil}
	return e.decide(p)
}

type evaluation struct {
	request Request
	context Context
	bounded bool // the caller has a permissions boundary
	denials []Match
	allows  []Match
	missing []Layer
}

func (e *evaluation) decide(p Policies) Decision {
	if !e.request.Principal.serviceLinked() {
		e.denyOnly(p.RCP)
		if e.request.Principal.account != "" {
			e.levels(LayerSCP, p.SCP)
		}
	}
	for _, document := range p.Endpoint {
		e.limit(LayerEndpoint, []*Document{document})
	}

	resource := e.ask(LayerResource, documents(p.Resource))
	identity := e.ask(LayerIdentity, p.Identity)
	boundary := e.ask(LayerBoundary, p.Boundaries)
	session := e.ask(LayerSession, p.Session)
	e.denials = slices.Concat(e.denials, resource.denies, identity.denies, boundary.denies, session.denies)
	if len(e.denials) > 0 {
		return Decision{Outcome: ExplicitlyDenied, By: e.denials}
	}

	grant := e.grant(p.Grants)
	e.combine(p, layers{resource, identity, boundary, session}, grant != "")
	if len(e.missing) > 0 {
		return Decision{Outcome: ImplicitlyDenied, Missing: e.missing}
	}
	return Decision{Outcome: Allowed, By: e.allows, Grant: grant}
}

// layers are the answers of a request's policies.
type layers struct{ resource, identity, boundary, session result }

// combine joins the answers of the layers that grant with those that limit a grant.
func (e *evaluation) combine(p Policies, l layers, granted bool) {
	resource, identity, boundary, session := l.resource, l.identity, l.boundary, l.session
	caller := e.request.Principal
	same := caller.account != "" && caller.account == e.request.Account
	byResource := resource.allowed() && resource.naming != byAccount

	// Callers without policies of their own.
	if caller.account == "" {
		e.require(LayerResource, byResource || granted, resource)
		return
	}
	// The root user has every permission in the account, which no identity policy or boundary limits.
	own := identity.allowed() || caller.kind == root
	limits := func() {
		e.require(LayerBoundary, p.Boundaries == nil || caller.kind == root || boundary.allowed(), boundary)
		e.require(LayerSession, p.Session == nil || session.allowed(), session)
	}

	if !same {
		e.require(LayerResource, resource.allowed() || granted, resource)
		e.require(LayerIdentity, own, identity)
		limits()
		return
	}
	switch {
	case byResource && resource.naming == byIdentity:
		// A grant to a user, or to this very session, is not limited by what the other policies fail to allow (IAM User Guide,
		// "Resource-based policies and implicit denies in other policy types").
		e.allows = append(e.allows, resource.allows...)
	case byResource && resource.naming == byWildcard:
		// The guide does not say whether a session policy limits a grant to everyone. It says of a boundary that it does not.
		e.allows = append(e.allows, resource.allows...)
		e.require(LayerSession, p.Session == nil || session.allowed(), session)
	case byResource || granted:
		// A grant to a role: its boundary and the session policy still limit it.
		e.allows = append(e.allows, resource.allows...)
		limits()
	default:
		e.require(LayerResource, !e.needsResourcePolicy() || resource.allowed(), resource)
		e.require(LayerIdentity, own, identity)
		limits()
	}
}

// needsResourcePolicy reports whether identity policies count only where the resource's own policy delegates to the account: so
// it is with KMS keys (KMS Developer Guide, "Key policies") and with trust policies (IAM User Guide, "IAM roles").
func (e *evaluation) needsResourcePolicy() bool {
	service, name, _ := strings.Cut(strings.ToLower(e.request.Action), ":")
	return service == "kms" && strings.Contains(e.request.Resource, ":key/") || service == "sts" && strings.HasPrefix(name, "assumerole")
}

// require records whether a layer that must allow the request does.
func (e *evaluation) require(layer Layer, ok bool, r result) {
	if ok {
		e.allows = append(e.allows, r.allows...)
		return
	}
	e.missing = append(e.missing, layer)
}

// denyOnly asks resource control policies. They can only deny: RCPFullAWSAccess, which allows everything, is attached at every
// level and cannot be detached (Organizations User Guide, "Resource control policies").
func (e *evaluation) denyOnly(levels []Level) {
	for _, level := range levels {
		for _, m := range e.ask(LayerRCP, level.Policies).denies {
			m.Level = level.Name
			e.denials = append(e.denials, m)
		}
	}
}

// limit asks documents of which one must allow the request.
func (e *evaluation) limit(layer Layer, documents []*Document) {
	r := e.ask(layer, documents)
	e.denials = append(e.denials, r.denies...)
	e.require(layer, r.allowed(), r)
}

func (e *evaluation) levels(layer Layer, levels []Level) {
	for _, level := range levels {
		denials, allows := len(e.denials), len(e.allows)
		e.limit(layer, level.Policies)
		for i := range e.denials[denials:] {
			e.denials[denials+i].Level = level.Name
		}
		for i := range e.allows[allows:] {
			e.allows[allows+i].Level = level.Name
		}
	}
}

// ask evaluates the statements of documents.
func (e *evaluation) ask(layer Layer, documents []*Document) result {
	var r result
	for _, d := range documents {
		for _, s := range d.about(e.request.Action) {
			naming := s.names(e.request.Principal)
			if e.bounded && s.Deny && s.notPrincipal {
				// Such a statement denies every caller that has a boundary, listed or not (IAM User Guide, "NotPrincipal").
				naming = byWildcard
			}
			if naming == notNamed || !s.covers(e.request.Resource, e.context) || !s.conditionsHold(e.context) {
				continue
			}
			m := Match{Layer: layer, Document: d, Statement: s}
			if s.Deny {
				r.denies = append(r.denies, m)
				continue
			}
			r.allows = append(r.allows, m)
			r.naming = max(r.naming, naming)
		}
	}
	return r
}

func documents(d *Document) []*Document {
	if d == nil {
		return nil
	}
	return []*Document{d}
}

// covers reports whether the statement's Resource or NotResource includes the resource. A variable without a value makes a
// NotResource invalid, so that it includes nothing.
func (s *Statement) covers(resource string, c Context) bool {
	if !s.hasResource {
		return true
	}
	for _, p := range s.resources {
		want, ok := p.expand(c)
		switch {
		case !ok && s.notResources:
			return false
		case ok && want.matchesResource(resource):
			return !s.notResources
		}
	}
	return s.notResources
}

func (s *Statement) conditionsHold(c Context) bool {
	return !slices.ContainsFunc(s.conditions, func(one condition) bool { return !one.holds(c) })
}

// context is the request's context with the keys that AWS derives from caller and resource and sends with every request (IAM
// User Guide, "AWS global condition context keys"). A key that the caller of this package passes is kept.
func (r Request) context() Context {
	p := r.Principal
	derived := Context{}
	set := func(key, value string) {
		if _, passed := r.Context[key]; !passed && value != "" {
			derived[key] = One(value)
		}
	}
	set("aws:resourceaccount", r.Account)
	set("aws:principalaccount", p.account)
	switch p.kind {
	case anonymous:
		set("aws:principaltype", "Anonymous")
	case service:
		set("aws:principalservicename", p.name)
		set("aws:principalisawsservice", "true")
	case federated:
		set("aws:principalisawsservice", "false")
	default:
		set("aws:principalisawsservice", "false")
		set("aws:principalarn", p.arn())
		set("aws:principaltype", map[principalKind]string{root: "Account", user: "User", role: "AssumedRole", session: "AssumedRole",
			federatedUser: "FederatedUser"}[p.kind])
		if p.kind == user {
			set("aws:username", p.name[strings.LastIndex(p.name, "/")+1:])
		}
	}
	for key, value := range r.Context {
		derived[key] = value
	}
	return derived
}

// arn is aws:PrincipalArn: of a session it is the role's, without the role's path, which a session's ARN does not tell.
func (p Principal) arn() string {
	if p.kind != session {
		return p.name
	}
	partition := strings.Split(p.name, ":")[1]
	return "arn:" + partition + ":iam::" + p.account + ":role/" + p.role
}
