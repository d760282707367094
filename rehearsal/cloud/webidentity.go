package cloud

import (
	"fmt"
	"slices"
	"strings"

	"slipway/rehearsal/iam"
)

// A Token is an OpenID Connect token.
type Token struct {
	Issuer   string // without https://
	Audience string
	Subject  string
}

// AssumeWithToken returns AWS's refusal of a call of sts:AssumeRoleWithWebIdentity; nil: the bearer of the token has the role. STS API
// Reference, AssumeRoleWithWebIdentity; IAM User Guide, "Available keys for AWS OIDC federation".
func (a *Account) AssumeWithToken(role string, t Token) error {
	a.mu.RLock()
	defer a.mu.RUnlock()
	const action = "sts:AssumeRoleWithWebIdentity"
	var provider *Object
	for _, o := range a.list(oidcType) {
		if strings.TrimPrefix(Inputs(o.Outputs).String("url"), "https://") == t.Issuer {
			provider = o
		}
	}
	invalid := func(message, why string) error {
		return &Error{Code: "InvalidIdentityToken", Action: action, Status: 400, Message: message, Why: why}
	}
	if provider == nil {
		return invalid("No OpenIDConnect provider found in your account for https://"+t.Issuer, "bootstrap makes one")
	}
	if audiences := Inputs(provider.Outputs).Strings("clientIdLists"); !slices.Contains(audiences, t.Audience) {
		return invalid("Incorrect token audience",
			fmt.Sprintf("the token is for %s, the account's provider admits %s", t.Audience, strings.Join(audiences, " and ")))
	}
	o := a.get(roleType, role)
	if o == nil {
		return &Error{Code: "AccessDenied", Action: action, Status: 403, Message: "Not authorized to perform " + action,
			Why: "the role " + role + " does not exist"}
	}
	r := iam.Request{Principal: iam.Federated(Inputs(provider.Outputs).String("arn")), Action: action,
		Resource: Inputs(o.Outputs).String("arn"), Account: a.AccountID, Context: iam.Context{}}
	r.Context.Set(t.Issuer+":aud", iam.One(t.Audience))
	r.Context.Set(t.Issuer+":sub", iam.One(t.Subject))
	a.globalKeys(r, nil, Call{Action: action, Resource: r.Resource})
	policies := iam.Policies{Resource: a.document(o, "assumeRolePolicy")}
	for i, document := range a.Organization {
		policies.SCP = append(policies.SCP, iam.Level{Name: fmt.Sprint("level ", i+1), Policies: []*iam.Document{document}})
	}
	if a.Evaluated != nil {
		a.Evaluated(r, policies)
	}
	if iam.Decide(r, policies).Allowed() {
		return nil
	}
	why := fmt.Sprintf("the trust policy of role %s does not admit the subject %s", role, t.Subject)
	for _, n := range iam.Nearest(r, policies, 1) {
		why += "\n  " + n.Because
	}
	if hint := likely(policies.Resource, t.Subject); hint != "" {
		why += "\n  " + hint
	}
	return &Error{Code: "AccessDenied", Action: action, Status: 403, Message: "Not authorized to perform " + action, Why: why}
}

// likely says what is probably wrong with a trust policy whose subjects do not match.
func likely(trust *iam.Document, subject string) string {
	if trust == nil {
		return ""
	}
	for _, s := range trust.Statements {
		for operator, values := range s.ConditionsOn(":sub") {
			for _, value := range values {
				switch {
				case strings.EqualFold(value, subject):
					return fmt.Sprintf("%s and the subject differ in upper and lower case only: write the repository as GitHub does", value)
				case strings.Contains(value, "*") && strings.HasPrefix(operator, "StringEquals"):
					return operator + " compares " + value + " as it is: a wildcard needs StringLike"
				case plainRepository(subject) == plainRepository(value) && strings.Contains(subject, "@") != strings.Contains(value, "@"):
					return "the repository sends the immutable form of the subject, and the trust has the classic one, or the reverse: " +
						"name the ids of owner and repository"
				}
			}
		}
	}
	return ""
}

// plainRepository is a subject without the ids of owner and repository.
func plainRepository(subject string) string {
	parts := strings.SplitN(subject, ":", 3)
	if len(parts) < 3 {
		return subject
	}
	owner, name, _ := strings.Cut(parts[1], "/")
	owner, _, _ = strings.Cut(owner, "@")
	name, _, _ = strings.Cut(name, "@")
	return parts[0] + ":" + owner + "/" + name + ":" + parts[2]
}
