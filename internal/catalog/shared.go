package catalog

import (
	"slipway/internal/policy"
	"slipway/internal/wiring"
)

const widened = "the role or policy allows something other than the program declares"

// Role is the row of the roles of services and tasks. What lets the deploy role make and widen roles depends on the
// boundary: see cicd.
func Role(site wiring.Site) Resource {
	return Resource{
		Type: "aws:iam/role:Role",
		Deploy: []Grant{keepRoles(site, "iam:DeleteRole", "iam:GetRole", "iam:ListAttachedRolePolicies",
			"iam:ListInstanceProfilesForRole", "iam:ListRolePolicies", "iam:TagRole", "iam:UntagRole", "iam:UpdateAssumeRolePolicy",
			"iam:UpdateRoleDescription")},
		AWSManaged: `lastUsed|roleLastUsed`,
		Mirrors:    "its policies",
		Risks:      []Risk{{Path: `policy|assumeRolePolicy|inlinePolicies|managedPolicyArns|permissionsBoundary`, Why: widened}},
		None:       Bound | Missing | Losses | Alarms | Offers | Ports,
	}
}

// RolePolicy is the row of a role's own policy.
func RolePolicy(site wiring.Site) Resource {
	return Resource{
		Type:   "aws:iam/rolePolicy:RolePolicy",
		Deploy: []Grant{keepRoles(site, "iam:DeleteRolePolicy", "iam:GetRolePolicy", "iam:ListRolePolicies")},
		Risks:  []Risk{{Path: `policy`, Why: widened}},
		None:   Inert,
	}
}

func keepRoles(site wiring.Site, actions ...string) Grant {
	return Grant{"identity", policy.Statement{
		Sid: "KeepRoles", Actions: actions, Resources: []any{Global(site, "iam", "role/"+site.Name("*"))},
	}}
}

// Attachment is the row of a managed policy on a role.
func Attachment(site wiring.Site) Resource {
	return Resource{
		Type:   "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
		Deploy: []Grant{keepRoles(site, "iam:DetachRolePolicy", "iam:ListAttachedRolePolicies")},
		Risks:  []Risk{{Path: `.*`, Why: "a role has other permissions than the program declares"}},
		None:   Inert,
	}
}

// LogGroup is the row of log groups whose names begin with one of these.
func LogGroup(site wiring.Site, names ...string) Resource {
	var groups []any
	for _, name := range names {
		groups = append(groups, site.ARN("logs", "log-group:"+name+"*"))
	}
	return Resource{
		Type: "aws:cloudwatch/logGroup:LogGroup",
		Deploy: []Grant{
			Look("logs", "logs:DescribeLogGroups"),
			{"logs", policy.Statement{
				Sid: "KeepLogGroups",
				Actions: []string{
					"logs:AssociateKmsKey", "logs:CreateLogGroup", "logs:DeleteLogGroup", "logs:DeleteRetentionPolicy",
					"logs:DisassociateKmsKey", "logs:GetLogEvents", "logs:ListTagsForResource", "logs:PutRetentionPolicy",
					"logs:TagResource", "logs:UntagResource",
				},
				Resources: groups,
			}},
		},
		Bound: []policy.Statement{
			{
				Sid:       "WriteLogs",
				Actions:   []string{"logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"},
				Resources: []any{site.ARN("logs", "log-group:"+site.Path("*"))},
			},
			{Sid: "FindLogGroups", Actions: []string{"logs:DescribeLogGroups"}, Resources: []any{site.ARN("logs", "log-group:*")}},
		},
		AWSManaged: `storedBytes`,
		Risks: []Risk{
			{Path: `kmsKeyId`, Why: "the log is encrypted differently, or not at all"},
			{Path: `retentionInDays`, Why: "log lines are deleted sooner", When: Fewer},
		},
		Effects: []Effect{{Path: `retentionInDays`, Does: Loses, When: Fewer, Says: "log lines older than that are deleted from CloudWatch"}},
		None:    Mirrors | Missing | Losses | Alarms | Offers | Ports,
	}
}

// MetricAlarm is the row of alarms.
func MetricAlarm(site wiring.Site) Resource {
	change := []string{"cloudwatch:DeleteAlarms", "cloudwatch:PutMetricAlarm"}
	// Alarms of other stacks are denied: their tag has another value. Alarms of target tracking have no tags.
	others := func(sid, tag, own string) Grant {
		return Grant{"logs", policy.Statement{
			Sid: sid, Deny: true, Actions: change, Resources: []any{"*"},
			Conditions: policy.Conditions{
				"Null": {"aws:ResourceTag/" + tag: "false"}, "StringNotEquals": {"aws:ResourceTag/" + tag: own},
			},
		}}
	}
	return Resource{
		Type: "aws:cloudwatch/metricAlarm:MetricAlarm",
		Deploy: []Grant{
			Look("logs", "cloudwatch:DescribeAlarms"),
			{"logs", policy.Statement{
				Sid:       "TagAlarms",
				Actions:   []string{"cloudwatch:ListTagsForResource", "cloudwatch:TagResource", "cloudwatch:UntagResource"},
				Resources: Named(site, "cloudwatch", "alarm:"),
			}},
			// The stack's own alarms, and those of target tracking: Application Auto Scaling makes them with its own role, but
			// first checks that the caller may. AWS documents these rights for every alarm and names none. Application Auto
			// Scaling guide, "Permissions validation for Application Auto Scaling API calls on target resources".
			{"logs", policy.Statement{Sid: "KeepAlarms", Actions: change, Resources: []any{"*"}}},
			others("OtherStacksAlarms", site.Tag("stack"), site.Stack),
			others("OtherProjectsAlarms", site.Tag("project"), site.Project),
		},
		Risks: []Risk{
			{Path: `actionsEnabled`, Why: "the alarm no longer notifies anyone", When: TurnedOff},
			{
				Path: `alarmActions|threshold|comparisonOperator|evaluationPeriods|metricName|namespace|dimensions|treatMissingData`,
				Why:  "the alarm watches something else or notifies someone else",
			},
		},
		Missing: "what it watched raises no alarm",
		None:    Bound | AWSManaged | Mirrors | Losses | Alarms | Offers | Ports,
	}
}

// Parameter is the row of SSM parameters below /project/stack/.
func Parameter(site wiring.Site) Resource {
	parameters := []any{site.ARN("ssm", "parameter"+site.Path("*"))}
	return Resource{
		Type: "aws:ssm/parameter:Parameter",
		Deploy: []Grant{
			Look("data", "ssm:DescribeParameters"),
			{"data", policy.Statement{
				Sid: "KeepParameters",
				Actions: []string{
					"ssm:AddTagsToResource", "ssm:DeleteParameter", "ssm:GetParameter", "ssm:ListTagsForResource", "ssm:PutParameter",
					"ssm:RemoveTagsFromResource",
				},
				Resources: parameters,
			}},
			UseKey(site, "ssm"),
		},
		Bound: []policy.Statement{{Sid: "ReadSecrets", Actions: []string{"ssm:GetParameters"}, Resources: parameters}},
		Risks: []Risk{{
			Path: `value|insecureValue|type|keyId|version`,
			Why:  "the site gets another value, or a secret is no longer encrypted",
		}},
		Missing: "new tasks start without it",
		None:    AWSManaged | Mirrors | Losses | Alarms | Offers | Ports,
	}
}

// Random is the row of a value that exists in the state alone: AWS does not know it, so it cannot change there.
func Random(token string) Resource {
	return Resource{Type: token, None: Deploy | Risks | Inert}
}
