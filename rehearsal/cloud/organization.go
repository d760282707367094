package cloud

import (
	"fmt"
	"slices"
	"strings"

	"slipway/rehearsal/iam"
)

// ControlPolicies are the policies of the organization: service control policies, one document for each level from the root down, and
// resource control policies, whose statements have a Principal. Set them before the account is used.
type ControlPolicies []*iam.Document

// resourceControlled are the services whose resources a resource control policy limits (Organizations User Guide, "Resource control
// policies", list of services), as far as a site uses them.
var resourceControlled = words("s3 sts kms sqs secretsmanager ecr logs dynamodb")

// levels are the policies that apply to an action. Resource control policies do not limit kms:RetireGrant (Organizations User Guide,
// "Resources and entities not restricted by RCPs").
func (c ControlPolicies) levels(action string) (scp, rcp []iam.Level) {
	service, _, _ := strings.Cut(action, ":")
	for i, d := range c {
		level := iam.Level{Name: fmt.Sprint("level ", i+1), Policies: []*iam.Document{d}}
		switch {
		case !d.NamesPrincipals():
			scp = append(scp, level)
		case slices.Contains(resourceControlled, service) && action != "kms:RetireGrant":
			rcp = append(rcp, level)
		}
	}
	return scp, rcp
}

// organizationKeys are the condition keys that hold the ID of an organization.
var organizationKeys = []string{"aws:PrincipalOrgID", "aws:ResourceOrgID", "aws:SourceOrgID"}

// id is the ID of the organization as its own policies name it; "" if they do not.
func (c ControlPolicies) id() string {
	for _, d := range c {
		for _, key := range organizationKeys {
			for _, value := range d.Compared(key) {
				if strings.HasPrefix(value, "o-") {
					return value
				}
			}
		}
	}
	return ""
}

// identify sends the ID of the organization with a request: callers and resources are in the account, which is in the organization.
func (c ControlPolicies) identify(r iam.Request, by Caller) {
	id := c.id()
	if id == "" {
		return
	}
	r.Context.Set("aws:ResourceOrgID", iam.One(id))
	if by.Service == "" {
		r.Context.Set("aws:PrincipalOrgID", iam.One(id))
	} else if _, ok := r.Context.Get("aws:SourceAccount"); ok {
		r.Context.Set("aws:SourceOrgID", iam.One(id))
	}
}
