package drift

import (
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// Outdated is the resources, by URN, whose recorded outputs an operation may have made outdated: mirrors that are new or
// changed, or that a new, changed or deleted resource depends on. Mirrors are the types whose outputs include what other
// resources declare: the policy of a bucket, the routes of a route table, the rules of a security group.
func Outdated(mirrors func(token string) bool, before, after []apitype.ResourceV3) []string {
	was := map[resource.URN]apitype.ResourceV3{}
	for _, r := range before {
		was[r.URN] = r
	}
	touched := map[resource.URN]bool{}
	touch := func(r apitype.ResourceV3) {
		touched[r.URN] = true
		for _, urn := range r.Dependencies {
			touched[urn] = true
		}
	}
	for _, r := range after {
		old, there := was[r.URN]
		delete(was, r.URN)
		if there && old.ID == r.ID && (old.Modified == r.Modified || old.Modified != nil && r.Modified != nil &&
			old.Modified.Equal(*r.Modified)) {
			continue
		}
		touch(r)
	}
	for _, gone := range was {
		touch(gone)
	}
	var urns []string
	for _, r := range after {
		if touched[r.URN] && mirrors(string(r.Type)) {
			urns = append(urns, string(r.URN))
		}
	}
	return urns
}
