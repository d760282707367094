package cloud

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"

	"slipway/rehearsal/finding"
	"slipway/rehearsal/iam"
)

// A Question asks whether a caller may make a call.
type Question struct {
	// Caller is a role by its logical name, name or ARN, by what people call it ("deploy"), a service such as
	// firehose.amazonaws.com, or "administrator".
	Caller string
	Action string // "kms:Decrypt"
	// Resource is an ARN, "*", or [TYPE::]NAME of a resource, with what is within it: archive-logs/2026/x.
	Resource string
	// Context are condition keys. If the site makes the call, those that it sends need not be given.
	Context map[string][]string
}

// Why answers a question. An error means that it could not be answered.
func (a *Account) Why(q Question) (finding.Answer, error) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	if service, name, ok := strings.Cut(q.Action, ":"); !ok || service == "" || name == "" || strings.ContainsAny(q.Action, "*? ") {
		return finding.Answer{}, fmt.Errorf("%q is not one action; expected service:Action, as in kms:Decrypt", q.Action)
	}
	by, err := a.callerNamed(q.Caller)
	if err != nil {
		return finding.Answer{}, err
	}
	arn, err := a.resourceNamed(q.Resource, q.Action)
	if err != nil {
		return finding.Answer{}, err
	}
	call := a.asked(by, Call{Action: q.Action, Resource: arn}, q.Context)
	request, policies, err := a.request(by, call)
	if err != nil {
		return finding.Answer{}, err
	}
	d := iam.Decide(request, policies)
	answer := finding.Answer{Allowed: d.Allowed(), Decision: string(d.Outcome), Caller: request.Principal.String(), Action: q.Action,
		Resource: arn, Source: call.Source, Context: map[string][]string{}}
	for key := range call.Context {
		answer.Context[key], _ = call.Context.Get(key)
	}
	if err := a.disabledKey(call); err != nil {
		var e *Error
		errors.As(err, &e)
		answer.Allowed, answer.Decision, answer.Code, answer.Message = false, "ExplicitlyDenied", e.Code, e.Message
		answer.Chain, answer.Fix = []string{a.link(by, call) + ": the key is disabled"}, "enable the key"
		return answer, nil
	}
	if answer.Allowed {
		answer.Chain = []string{a.link(by, call) + ": allowed by " + strings.Join(d.Reasons(), "; ")}
		return answer, nil
	}
	e := &Error{}
	errors.As(a.denied(by, call, request, policies, d), &e)
	answer.Code, answer.Message, answer.Chain, answer.Fix, answer.Change = e.Code, e.Message, e.Chain, e.Fix, e.Change
	answer.Chain = slices.DeleteFunc(slices.Clone(answer.Chain), func(s string) bool { return strings.HasPrefix(s, "nearest: ") })
	const shown = 3
	for _, n := range iam.Nearest(request, policies, shown) {
		answer.Nearest = append(answer.Nearest, fmt.Sprintf("%s: %s", n.Match, n.Because))
	}
	if len(answer.Nearest) == 0 && d.Outcome != iam.ExplicitlyDenied {
		answer.Nearest = []string{"no statement is about " + q.Action}
	}
	return answer, nil
}

// asked completes a call with what the site sends if it makes this call, and with what follows from the resource.
func (a *Account) asked(by Caller, call Call, keys map[string][]string) Call {
	call.Context = iam.Context{}
	for _, known := range a.knownCalls(by, call) {
		call.VPC, call.Reason, call.Source = known.VPC, known.Reason, known.Source
		maps.Copy(call.Context, known.Context)
		break
	}
	a.resourceTags(call.Context, call.Resource, call.Action)
	for key, values := range keys {
		if len(values) == 1 {
			call.Context.Set(key, iam.One(values[0]))
		} else {
			call.Context.Set(key, iam.Several(values...))
		}
	}
	return call
}

// knownCalls are the calls with this action on this resource that the site makes, or the deployment if it is the caller.
func (a *Account) knownCalls(by Caller, call Call) []Call {
	var all []Call
	fits := func(c Call) bool { return c.Action == call.Action && c.Resource == call.Resource }
	for _, o := range a.all() {
		for _, use := range a.usesOf(o) {
			if use.By == by && fits(use.Call) {
				all = append(all, use.Call)
			}
		}
	}
	if by != a.Caller {
		return all
	}
	for _, o := range a.all() {
		if o.URN == "" || o.Seeded {
			continue
		}
		for _, op := range []operation{creates, follows, reads, deletes} {
			for _, c := range a.callsOf(op, o, nil) {
				if fits(c) {
					return append(all, c)
				}
			}
		}
	}
	return all
}

// callerNamed is the caller that a word means.
func (a *Account) callerNamed(name string) (Caller, error) {
	switch {
	case strings.HasSuffix(name, ".amazonaws.com") || strings.HasSuffix(name, ".amazonaws.com.cn"):
		return Caller{Service: name}, nil
	case name == "administrator":
		return Caller{}, nil
	}
	for role, word := range a.Called {
		if role != "" && (name == word || name == strings.TrimSuffix(word, " role")) {
			if a.get(roleType, role) == nil {
				return Caller{}, fmt.Errorf("the %s does not exist yet; begin with bootstrap", word)
			}
			return Caller{Role: role}, nil
		}
	}
	if id := roleOfARN(name); id != "" && a.get(roleType, id) != nil {
		return Caller{Role: id}, nil
	}
	_, logical := splitName(name)
	var found []*Object
	known := []string{"administrator"}
	for _, o := range a.list(roleType) {
		if o.ID == name || o.logical() == logical && logical != "" {
			found = append(found, o)
		}
		known = append(known, orElse(o.logical(), o.ID))
	}
	switch len(found) {
	case 0:
		for role, word := range a.Called {
			if role != "" {
				known = append(known, strings.TrimSuffix(word, " role"))
			}
		}
		return Caller{}, fmt.Errorf("there is no role %q%s", name, nearestName(name, known))
	case 1:
		return Caller{Role: found[0].ID}, nil
	}
	return Caller{}, fmt.Errorf("%d roles are called %q; name one by its ARN", len(found), name)
}

// roleOfARN is the name of the role in the ARN of a role or of its session; "" for other text.
func roleOfARN(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 || parts[0] != "arn" {
		return ""
	}
	path := strings.Split(parts[5], "/")
	switch {
	case path[0] == "role":
		return path[len(path)-1]
	case path[0] == "assumed-role" && len(path) > 1:
		return path[1]
	}
	return ""
}

// splitName splits [TYPE::]NAME.
func splitName(text string) (token, name string) {
	if i := strings.LastIndex(text, "::"); i >= 0 && !strings.HasPrefix(text, "arn:") {
		return text[:i], text[i+2:]
	}
	return "", text
}

// within are the actions on what is in a bucket or a log group, and what is asked about if only that is named.
var within = map[string]string{
	"s3:GetObject": "/*", "s3:PutObject": "/*", "s3:DeleteObject": "/*", "s3:GetObjectVersion": "/*", "s3:DeleteObjectVersion": "/*",
	"s3:PutObjectAcl": "/*", "s3:PutObjectTagging": "/*", "s3:AbortMultipartUpload": "/*",
	"logs:CreateLogStream": ":log-stream:*", "logs:PutLogEvents": ":log-stream:*", "logs:GetLogEvents": ":log-stream:*",
}

// resourceNamed is the ARN that a word means in a call.
func (a *Account) resourceNamed(text, action string) (string, error) {
	if text == "*" || strings.HasPrefix(text, "arn:") {
		return text, nil
	}
	token, rest := splitName(text)
	service, _, _ := strings.Cut(action, ":")
	longest := 0
	found := map[string]*Object{}
	var names []string
	for _, o := range a.all() {
		arn := a.arnOf(o)
		if arn == "" {
			continue
		}
		names = append(names, o.logical())
		for _, name := range []string{o.logical(), o.ID} {
			if name == "" || len(name) < longest || !strings.HasPrefix(rest, name) || token != "" && !typeIs(o.Type, token) ||
				len(rest) > len(name) && !strings.ContainsRune("/:", rune(rest[len(name)])) {
				continue
			}
			if len(name) > longest {
				longest = len(name)
				clear(found)
			}
			found[arn] = o
		}
	}
	arns := slices.Sorted(maps.Keys(found))
	// A name may be that of a key and of its alias, of a service and of its role: the action says which of them.
	for _, keep := range []func(arn string) bool{
		func(arn string) bool { return serviceOfARN(arn) == service },
		func(arn string) bool { return service != "kms" || found[arn].Type == keyType },
	} {
		if kept := slices.DeleteFunc(slices.Clone(arns), func(arn string) bool { return !keep(arn) }); len(kept) > 0 {
			arns = kept
		}
	}
	switch len(arns) {
	case 0:
		return "", fmt.Errorf("there is no resource %q with an ARN%s", text, nearestName(rest, names))
	case 1:
		tail := rest[longest:]
		if tail == "" {
			tail = within[action]
		}
		return strings.TrimSuffix(arns[0], ":*") + tail, nil
	}
	var candidates []string
	for _, arn := range arns {
		candidates = append(candidates, found[arn].Type+"::"+found[arn].logical())
	}
	return "", fmt.Errorf("%d resources are called %q; name one of %s", len(arns), rest[:longest], strings.Join(candidates, ", "))
}

func serviceOfARN(arn string) string {
	parts := strings.SplitN(arn, ":", 4)
	if len(parts) < 4 {
		return ""
	}
	return parts[2]
}

func typeIs(token, written string) bool {
	return token == written || strings.EqualFold(token[strings.LastIndex(token, ":")+1:], written[strings.LastIndex(written, ":")+1:])
}

// nearestName ends a message about a name that is not known.
func nearestName(name string, known []string) string {
	var near []string
	for _, k := range known {
		if k != "" && (levenshtein.ComputeDistance(name, k) <= len(name)/3 || len(name) > 2 && strings.Contains(k, name)) {
			near = append(near, k)
		}
	}
	slices.Sort(near)
	if near = slices.Compact(near); len(near) > 0 {
		return "; did you mean " + several(near) + "?"
	}
	slices.Sort(known)
	const most = 40
	if known = slices.Compact(known); len(known) > most || len(known) == 0 {
		return suggest(name, known)
	}
	return "; there are " + strings.Join(known, ", ")
}
