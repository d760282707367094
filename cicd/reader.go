package cicd

import (
	"fmt"
	"slices"
	"strings"

	"slipway/internal/catalog"
	"slipway/internal/policy"
)

// readerPart is the read role's part of its physical name; its policies' names begin with it.
const readerPart = "read"

// verbs begin the names of read-only actions.
var verbs = []string{"Describe", "Get", "List"}

// contents are the exceptions: they return contents (images, log lines, objects), not settings. A comparison of settings
// does not need them.
var contents = []string{"ecr:GetDownloadUrlForLayer", "logs:GetLogEvents", "s3:GetObject", "s3:ListBucketVersions"}

// reads reports whether an action only reads settings.
//
// ssm:GetParameter is one of these, although it opens secrets: the provider compares a parameter's value, and a changed
// one would be an unnoticed difference.
func reads(action string) bool {
	_, call, _ := strings.Cut(action, ":")
	return !slices.Contains(contents, action) &&
		slices.ContainsFunc(verbs, func(verb string) bool { return strings.HasPrefix(call, verb) })
}

// reading returns the statements with only their actions that read. Resources and conditions stay.
func reading(statements []policy.Statement) []policy.Statement {
	var left []policy.Statement
	for _, s := range statements {
		s.Actions = slices.DeleteFunc(slices.Clone(s.Actions), func(action string) bool { return !reads(action) })
		if len(s.Actions) > 0 {
			left = append(left, s)
		}
	}
	return left
}

// looks are the permissions of a preview and of a drift check: everything that the deploy role may read of the stack's
// resources. Two policies hold them, with room to grow.
func (a *DeployerArgs) looks() []area {
	site, operation := area{name: "site"}, area{name: "operation"}
	for _, deploy := range a.permissions() {
		switch deploy.name {
		case "network", "edge", "data", "keys":
			site.statements = append(site.statements, reading(deploy.statements)...)
		case "state": // of the state it needs less, and something else: see lookAtState
		default:
			operation.statements = append(operation.statements, reading(deploy.statements)...)
		}
	}
	// SSM opens this stack's parameters with the key of the stack, for principals that may use it, and for no other parameter's
	// sake: the context in which a parameter is encrypted is its ARN.
	site.statements = append(site.statements, policy.Statement{
		Sid: "OpenParameters", Actions: []string{"kms:Decrypt"}, Resources: []any{a.Site.ARN("kms", "key/*")},
		Conditions: map[string]map[string]any{
			"StringEquals": {"kms:ViaService": catalog.Endpoint(a.Site, "ssm")},
			"StringLike":   {"kms:EncryptionContext:PARAMETER_ARN": a.Site.ARN("ssm", "parameter"+a.Site.Path("*"))},
		},
	})
	areas := []area{site, operation}
	if a.StateBucket != "" || a.StateKeyARN != "" {
		areas = append(areas, area{"state", a.lookAtState()})
	}
	return areas
}

// lookAtState lets Pulumi read the state and open what is secret in it. A preview takes no lock and writes nothing. A drift
// check records what it found in one object beside the state, the only object that this role can write.
func (a *DeployerArgs) lookAtState() []policy.Statement {
	var statements []policy.Statement
	if a.StateBucket != "" {
		bucket := fmt.Sprintf("arn:%s:s3:::%s", a.Site.Partition, a.StateBucket)
		statements = append(statements,
			policy.Statement{Sid: "FindState", Actions: []string{"s3:ListBucket"}, Resources: []any{bucket}},
			policy.Statement{Sid: "ReadState", Actions: []string{"s3:GetObject"}, Resources: []any{bucket + "/*"}},
			policy.Statement{
				Sid: "KeepLook", Actions: []string{"s3:PutObject"},
				Resources: []any{fmt.Sprintf("%s/.slipway/drift/%s/%s.json", bucket, a.Site.Project, a.Site.Stack)},
			})
	}
	if a.StateKeyARN != "" {
		statements = append(statements, policy.Statement{
			Sid: "OpenState", Actions: []string{"kms:Decrypt"}, Resources: []any{a.StateKeyARN},
		})
	}
	if a.StateBucket != "" && a.StateKeyARN != "" {
		statements = append(statements, policy.Statement{
			Sid: "SealLook", Actions: []string{"kms:GenerateDataKey"}, Resources: []any{a.StateKeyARN},
			Conditions: map[string]map[string]any{"StringEquals": {"kms:ViaService": catalog.Endpoint(a.Site, "s3")}},
		})
	}
	return statements
}
