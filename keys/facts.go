package keys

import (
	"slipway/internal/catalog"
	"slipway/internal/policy"
	"slipway/internal/wiring"
)

// Facts are the facts about the stack's KMS keys. A key's ARN does not name the stack, so its tags do.
//
// Sources: KMS guide, "Controlling access to tags" (CreateKey with tags needs kms:TagResource on all keys of the account and
// region), "Use tags to control access to KMS keys" (a change of tags or aliases takes up to five minutes to affect
// authorization), "Controlling access to aliases" (a call is authorized on the alias and on the key).
func Facts(site wiring.Site) []catalog.Resource {
	every := []any{site.ARN("kms", "key/*")}
	own := policy.Conditions{"StringEquals": catalog.Tagged(site, "aws:ResourceTag")}
	ownOrUntagged := policy.Conditions{"StringEqualsIfExists": catalog.Tagged(site, "aws:ResourceTag")}
	created := catalog.Tagged(site, "aws:RequestTag")
	created["aws:RequestedRegion"] = site.Region
	keep := func(s policy.Statement) catalog.Grant { return catalog.Grant{Area: "keys", Statement: s} }
	// These follow seconds after CreateKey, when KMS may not yet see the tags. On a key without tags they do no harm: the
	// alias still has to be one of this stack's.
	name := func(actions ...string) catalog.Grant {
		return keep(policy.Statement{Sid: "NameKeys", Actions: actions, Resources: every, Conditions: ownOrUntagged})
	}
	aliases := []string{"kms:CreateAlias", "kms:DeleteAlias", "kms:UpdateAlias"}
	return []catalog.Resource{
		{
			Type: "aws:kms/key:Key",
			Deploy: []catalog.Grant{
				keep(policy.Statement{
					Sid:       "LookAtKeys",
					Actions:   []string{"kms:DescribeKey", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus", "kms:ListResourceTags"},
					Resources: every,
				}),
				keep(policy.Statement{ // a key has no ARN before it exists
					Sid: "MakeKeys", Actions: []string{"kms:CreateKey"}, Resources: []any{"*"},
					Conditions: policy.Conditions{"StringEquals": created},
				}),
				keep(policy.Statement{
					// Tags decide who may change a key, so this must not take over an existing one: whatever has a stack's tags, the
					// tag of bootstrap or an alias is not new.
					Sid: "TagNewKeys", Actions: []string{"kms:TagResource"}, Resources: every,
					Conditions: policy.Conditions{
						"StringEquals": catalog.Tagged(site, "aws:RequestTag"),
						"Null": {
							"aws:ResourceTag/" + catalog.MadeBy: "true", "aws:ResourceTag/" + site.Tag("project"): "true",
							"aws:ResourceTag/" + site.Tag("stack"): "true",
							"kms:ResourceAliases":                  "true",
						},
					},
				}),
				keep(policy.Statement{
					Sid: "KeepKeys",
					Actions: []string{
						"kms:PutKeyPolicy", "kms:ScheduleKeyDeletion", "kms:TagResource", "kms:UntagResource", "kms:UpdateKeyDescription",
					},
					Resources: every, Conditions: own,
				}),
				name("kms:EnableKeyRotation"),
			},
			Bound: []policy.Statement{{
				// Each role names its keys, whose own policies say through which services they are used. A key of another stack is
				// out of reach by its tags; KMS may not see those of this stack's keys in their first five minutes, so none is
				// allowed too.
				Sid: "UseKeys", Actions: []string{"kms:Decrypt", "kms:GenerateDataKey"}, Resources: every, Conditions: ownOrUntagged,
			}},
			Risks: []catalog.Risk{
				{Path: `policy`, Why: "other principals may use the key or grant its use"},
				{Path: `isEnabled|enableKeyRotation`, Why: "the key is disabled, or no longer rotated", When: catalog.TurnedOff},
			},
			Missing: "what it encrypted cannot be read until its deletion is cancelled",
			Loss:    catalog.Loss{Kind: "key", Order: 6, Says: "it can no longer decrypt anything, and is deleted after its waiting period"},
			None:    catalog.AWSManaged | catalog.Mirrors | catalog.Alarms | catalog.Offers | catalog.Ports,
		},
		{
			Type: "aws:kms/alias:Alias",
			Deploy: []catalog.Grant{
				catalog.Look("data", "kms:ListAliases"), name(aliases...),
				keep(policy.Statement{Sid: "KeepAliases", Actions: aliases, Resources: catalog.Named(site, "kms", "alias/")}),
			},
			None: catalog.Inert | catalog.Risks,
		},
	}
}
