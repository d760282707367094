package cloud

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"slipway/rehearsal/finding"
	"slipway/rehearsal/iam"
)

// A Finding is something that does not work.
type Finding = finding.Finding

// Findings are the calls of services and roles that would be denied when they happen, and the connections that would be blocked.
func (a *Account) Findings() []Finding {
	a.mu.RLock()
	defer a.mu.RUnlock()
	var all []Finding
	for _, o := range a.all() {
		for _, use := range a.usesOf(o) {
			if err := a.authorize(use.By, use.Call); err != nil {
				all = append(all, a.findingOf(use, o, err))
			}
		}
	}
	for _, j := range a.judges {
		all = append(all, j.findings()...)
	}
	return all
}

// Refusals are the calls of a deployment that AWS refused, in the order in which they were made.
func (a *Account) Refusals() []Finding {
	a.refusing.Lock()
	defer a.refusing.Unlock()
	return slices.Clone(a.refusals)
}

// refused keeps AWS's refusal of an operation on a resource.
func (a *Account) refused(urn string, err error) {
	var e *Error
	var late *Unsteady
	f := Finding{Resource: urn}
	switch {
	case errors.As(err, &e):
		f.Code, f.Message, f.Chain, f.Fix, f.Source, f.Change = e.Code, e.Message, e.Chain, e.Fix, e.Source, e.Change
		if len(f.Chain) == 0 {
			f.Chain = []string{strings.TrimSuffix(e.Action+": "+e.Why, ": ")}
		}
		f.Fix, f.Source = orElse(f.Fix, "change "+finding.Name(urn)+" so that AWS accepts it"), orElse(f.Source, referenceOf(e.Action))
	case errors.As(err, &late):
		f.Code, f.Message = "DeploymentFailed", err.Error()
		f.Chain = []string{fmt.Sprintf("%s: %s", late.Rollout.Service, late.Rollout.Failure.Reason)}
		f.Fix = "change what the tasks of " + finding.Name(urn) + " run, or what they need to start"
		f.Source = "ECS Developer Guide, \"How the Amazon ECS deployment circuit breaker detects failures\""
	default:
		return
	}
	a.refusing.Lock()
	defer a.refusing.Unlock()
	a.refusals = append(a.refusals, f)
}

// referenceOf is AWS's page about an API action.
func referenceOf(action string) string {
	service, operation, ok := strings.Cut(action, ":")
	if !ok {
		return ""
	}
	return fmt.Sprintf("%s API reference, %s", orElse(services[service], service), operation)
}

// findingOf says what of o does not work because a call of the account's own services or roles is denied.
func (a *Account) findingOf(u Use, o *Object, err error) Finding {
	f := Finding{Resource: o.URN, Code: "AccessDenied", Message: err.Error(), Source: u.Call.Source, Fix: u.fix(),
		Chain: []string{a.link(u.By, u.Call)}}
	if f.Resource == "" {
		f.Resource = Key(o.Type, o.ID)
	}
	var e *Error
	if !errors.As(err, &e) {
		return f
	}
	f.Code, f.Message = e.Code, e.Message
	if u.Refusal != nil {
		f.Code, f.Message = u.Refusal.Code, u.Refusal.Message
	}
	if len(e.Chain) > 0 {
		f.Chain, f.Fix, f.Change = e.Chain, e.Fix, e.Change
	}
	return f
}

// link is a call in a chain, by the names that the program gives: "deploy role -> kms:Encrypt on keys-disk via ec2".
func (a *Account) link(by Caller, call Call) string {
	text := a.callerName(by) + " -> " + call.Action + " on " + a.nameOf(call.Resource)
	if via, ok := call.Context.Get("kms:ViaService"); ok && len(via) == 1 {
		service, _, _ := strings.Cut(via[0], ".")
		text += " via " + service
	}
	return text
}

// callerName is what people call a caller.
func (a *Account) callerName(by Caller) string {
	if by.Role == "" {
		return by.String()
	}
	if name := a.Called[by.Role]; name != "" {
		return name
	}
	if o := a.get(roleType, by.Role); o != nil && o.logical() != "" {
		return "role " + o.logical()
	}
	return by.String()
}

// nameOf is the logical name of the resource with an ARN, with what is within it; the ARN if the program does not know it.
func (a *Account) nameOf(arn string) string {
	if o := a.arns[arn]; o != nil && o.logical() != "" {
		return o.logical()
	}
	for _, separator := range []string{":log-stream:", "/"} {
		if i := strings.Index(arn, separator); i > 0 {
			if o := a.arns[arn[:i]]; o != nil && o.logical() != "" {
				return o.logical() + arn[i:]
			}
		}
	}
	return arn
}

// explain completes AWS's refusal of a call with the chain and with what to change.
func (a *Account) explain(e *Error, c Caller, call Call, d iam.Decision, near []iam.Near) {
	link := a.link(c, call)
	if d.Outcome == iam.ExplicitlyDenied {
		e.Chain = []string{link + ": denied by " + d.By[0].String()}
	} else {
		e.Chain = []string{link + ": no matching statement", strings.Join(d.Reasons(), "; ")}
	}
	if call.Reason != "" {
		e.Chain = append(e.Chain, call.Reason)
	}
	for _, n := range near {
		e.Chain = append(e.Chain, fmt.Sprintf("nearest: %s: %s", n.Match, n.Because))
	}
	e.Fix, e.Change = a.remedy(c, call, d, near)
	e.Source, e.Why = call.Source, strings.Join(e.Chain, "\n  ")
}

// remedy says which policy must change so that a call is allowed, and names its resource.
func (a *Account) remedy(c Caller, call Call, d iam.Decision, near []iam.Near) (fix string, change []string) {
	if d.Outcome == iam.ExplicitlyDenied {
		m := d.By[0]
		return fmt.Sprintf("change %s so that it does not deny %s on %s", m, call.Action, a.nameOf(call.Resource)), a.holder(m.Document)
	}
	layer := iam.LayerIdentity
	if len(d.Missing) > 0 {
		layer = d.Missing[0]
	}
	right := fmt.Sprintf("allow %s on %s", call.Action, call.Resource)
	for _, n := range near {
		if n.Layer == layer {
			change = a.holder(n.Document)
			break
		}
	}
	target := a.byARN(call.Resource)
	switch {
	case layer == iam.LayerIdentity && c.Role != "":
		fix = right + " in a policy of " + a.callerName(c)
		if change == nil {
			change = a.holderOf(c)
		}
		if target != nil && target.Type == keyType {
			fix += ", or name the role in the policy of the key"
		}
	case layer == iam.LayerResource || layer == iam.LayerIdentity:
		who := a.callerName(c)
		fix = fmt.Sprintf("allow %s to %s in the policy of %s", who, call.Action, a.nameOf(call.Resource))
		if call.Action == "sts:AssumeRole" {
			fix = fmt.Sprintf("let %s assume %s in its trust policy", who, a.nameOf(call.Resource))
		}
		if change == nil && target != nil && target.URN != "" {
			change = []string{target.URN}
		}
	default:
		fix = right + " in the " + awsNames[layer]
	}
	return fix, change
}

// holder is the resource that a policy document belongs to.
func (a *Account) holder(d *iam.Document) []string {
	if d == nil {
		return nil
	}
	for _, o := range a.all() {
		if o.URN != "" && o.describe() == d.Name {
			return []string{o.URN}
		}
	}
	return nil
}

// holderOf is the first policy of a role that the program made.
func (a *Account) holderOf(c Caller) []string {
	for _, p := range a.list("aws:iam/rolePolicy:RolePolicy") {
		if p.Inputs["role"] == c.Role && p.URN != "" {
			return []string{p.URN}
		}
	}
	if o := a.get(roleType, c.Role); o != nil && o.URN != "" {
		return []string{o.URN}
	}
	return nil
}
