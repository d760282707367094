package catalog

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"slipway/internal/policy"
	"slipway/internal/wiring"
)

// A Grant is a statement of the deploy role, or a part of one: parts with the same Sid become one statement, which has the
// actions, the resources and the condition values of all of them.
type Grant struct {
	Area string // the managed policy that it is in: network, edge, data, keys, compute, logs or identity
	policy.Statement
}

// Look allows actions that describe or list and take no resource.
func Look(area string, actions ...string) Grant {
	return Grant{area, policy.Statement{
		Sid: "LookAt" + strings.ToUpper(area[:1]) + area[1:], Actions: actions, Resources: []any{"*"},
	}}
}

// PassRole allows the deploy role to give roles of the stack to a service, such as firehose.amazonaws.com.
func PassRole(site wiring.Site, service string) Grant {
	return Grant{"identity", policy.Statement{
		Sid: "PassRoles", Actions: []string{"iam:PassRole"}, Resources: []any{Global(site, "iam", "role/"+site.Name("*"))},
		Conditions: policy.Conditions{"StringEquals": {"iam:PassedToService": []any{service}}},
	}}
}

// FirstUse lets the first resource of a service in an account make the service-linked role.
func FirstUse(site wiring.Site, service string) Grant {
	return Grant{"identity", policy.Statement{
		Sid: "FirstUseOfServices", Actions: []string{"iam:CreateServiceLinkedRole"},
		Resources:  []any{Global(site, "iam", "role/aws-service-role/*")},
		Conditions: policy.Conditions{"StringEquals": {"iam:AWSServiceName": []any{service}}},
	}}
}

// UseKey lets a service use the stack's keys with the deploy role's permissions: a key of this stack or one without tags.
// Some keys without tags (of other programs in the account) leave the decision to IAM: a workflow cannot call KMS with
// those itself.
func UseKey(site wiring.Site, service string) Grant {
	return Grant{"keys", policy.Statement{
		Sid: "UseKeysThroughServices", Actions: []string{"kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"},
		Resources: []any{site.ARN("kms", "key/*")}, Conditions: through(site, []any{Endpoint(site, service)}),
	}}
}

// GrantKey is UseKey for a service that uses a key later, without a caller: the caller creates a grant for it.
func GrantKey(site wiring.Site, service string) Grant {
	conditions := through(site, []any{Endpoint(site, service)})
	conditions["Bool"] = map[string]any{"kms:GrantIsForAWSResource": "true"}
	return Grant{"keys", policy.Statement{
		Sid: "GrantKeysToServices", Actions: []string{"kms:CreateGrant"}, Resources: []any{site.ARN("kms", "key/*")},
		Conditions: conditions,
	}}
}

func through(site wiring.Site, services any) policy.Conditions {
	return policy.Conditions{
		"StringEquals": {"kms:ViaService": services}, "StringEqualsIfExists": Tagged(site, "aws:ResourceTag"),
	}
}

// Endpoint is a service of this region as KMS names it when it calls with the caller's permissions.
func Endpoint(site wiring.Site, service string) string {
	return fmt.Sprintf("%s.%s.amazonaws.com", service, site.Region)
}

// Tagged requires the two tags by which a resource belongs to this stack: "aws:ResourceTag" those that it has,
// "aws:RequestTag" those that the request gives it. The stack's AWS provider puts both on everything that it makes
// (site/provider.go), and the configuration cannot give them other values (config.Stack.TagPrefix). They are compared as a
// whole, so prod does not match prod-eu.
func Tagged(site wiring.Site, where string) map[string]any {
	return map[string]any{where + "/" + site.Tag("project"): site.Project, where + "/" + site.Tag("stack"): site.Stack}
}

// MadeBy is the tag that bootstrap puts on the key of a stack's state. The key has none of the stack's own tags.
const MadeBy = "slipway:made-by"

// Named are the resources of a service whose ARN is prefix and a name of this stack.
func Named(site wiring.Site, service string, prefixes ...string) []any {
	var arns []any
	for _, prefix := range prefixes {
		arns = append(arns, site.ARN(service, prefix+site.Name("*")))
	}
	return arns
}

// Global is the ARN of a resource that has no region.
func Global(site wiring.Site, service, resource string) string {
	return fmt.Sprintf("arn:%s:%s::%s:%s", site.Partition, service, site.AccountID, resource)
}

// A Place is where a statement stands in its document. Documents are compared as text, so a statement that several
// resources fill lists its actions and resources in one order, however the resources are listed.
type Place struct {
	Sid   string
	First []string // the actions, or resources, that contain these stand first, in this order (the longest counts); actions then by name
}

// Merge creates one statement of all that have the same Sid. The statements in places stand first, in that order; the others
// follow as they come. Parts must agree in effect, principals and conditions, except that lists of condition values are joined.
func Merge(parts []policy.Statement, places []Place) ([]policy.Statement, error) {
	var order []string
	bySid := map[string][]policy.Statement{}
	for _, part := range parts {
		if bySid[part.Sid] == nil {
			order = append(order, part.Sid)
		}
		bySid[part.Sid] = append(bySid[part.Sid], part)
	}
	place := func(sid string) int {
		if i := slices.IndexFunc(places, func(p Place) bool { return p.Sid == sid }); i >= 0 {
			return i
		}
		return len(places)
	}
	slices.SortStableFunc(order, func(a, b string) int { return place(a) - place(b) })
	var all []policy.Statement
	for _, sid := range order {
		var first []string
		if i := place(sid); i < len(places) {
			first = places[i].First
		}
		merged, err := merge(bySid[sid], first)
		if err != nil {
			return nil, err
		}
		all = append(all, merged)
	}
	return all, nil
}

func merge(parts []policy.Statement, first []string) (policy.Statement, error) {
	one := parts[0]
	if len(parts) == 1 {
		return one, nil
	}
	one.Actions, one.Resources = slices.Clone(one.Actions), slices.Clone(one.Resources)
	for _, part := range parts[1:] {
		if part.Deny != one.Deny || part.Principals != nil || one.Principals != nil {
			return one, fmt.Errorf("catalog: parts of statement %s differ in effect, or have principals", one.Sid)
		}
		one.Actions = append(one.Actions, part.Actions...)
		for _, resource := range part.Resources {
			if !slices.Contains(one.Resources, resource) {
				one.Resources = append(one.Resources, resource)
			}
		}
		var err error
		if one.Conditions, err = mergeConditions(one.Sid, one.Conditions, part.Conditions); err != nil {
			return one, err
		}
	}
	rank := func(text string) int {
		at, longest := len(first), 0
		for i, f := range first {
			if strings.Contains(text, f) && len(f) > longest {
				at, longest = i, len(f)
			}
		}
		return at
	}
	slices.SortFunc(one.Actions, func(a, b string) int {
		if by := rank(a) - rank(b); by != 0 {
			return by
		}
		return strings.Compare(strings.ToLower(a), strings.ToLower(b))
	})
	one.Actions = slices.Compact(one.Actions)
	slices.SortStableFunc(one.Resources, func(a, b any) int { return rank(fmt.Sprint(a)) - rank(fmt.Sprint(b)) })
	return one, nil
}

func mergeConditions(sid string, a, b policy.Conditions) (policy.Conditions, error) {
	differ := func(what string) error {
		return fmt.Errorf("catalog: parts of statement %s differ in condition %s", sid, what)
	}
	if !slices.Equal(slices.Sorted(maps.Keys(a)), slices.Sorted(maps.Keys(b))) {
		return nil, differ("operators")
	}
	if a == nil {
		return nil, nil
	}
	joined := policy.Conditions{}
	for operator, keys := range a {
		joined[operator] = map[string]any{}
		if !slices.Equal(slices.Sorted(maps.Keys(keys)), slices.Sorted(maps.Keys(b[operator]))) {
			return nil, differ(operator)
		}
		for key, value := range keys {
			was, isList := value.([]any)
			more, areLists := b[operator][key].([]any)
			switch {
			case isList && areLists:
				list := append(slices.Clone(was), more...)
				slices.SortFunc(list, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
				joined[operator][key] = slices.Compact(list)
			case isList || areLists || value != b[operator][key]:
				return nil, differ(operator + " " + key)
			default:
				joined[operator][key] = value
			}
		}
	}
	return joined, nil
}
