package cloud

import (
	"strings"
)

// Secrets Manager.

// secretsKinds are the resource types of Secrets Manager.
func secretsKinds() []Kind {
	return []Kind{
		secretKind(), secretVersionKind(), secretRotationKind(),
	}
}

func secretKind() Kind {
	return prefixed(Kind{
		Type: secretType, CreateAction: "secretsmanager:CreateSecret", UpdateAction: "secretsmanager:UpdateSecret",
		DeleteAction: "secretsmanager:DeleteSecret",
		Name:         Name{Input: "name", Prefix: "namePrefix", Max: 512, Form: `[a-zA-Z0-9/_+=.@-]+`, Taken: "ResourceExistsException"},
		NotFound:     "ResourceNotFoundException",
		Refs:         []Ref{keyRef("kmsKeyId")},
		Defaults:     map[string]any{"recoveryWindowInDays": 30, "forceOverwriteReplicaSecret": false, "namePrefix": "", "policy": ""},
		Check: func(in Inputs, unknown Unknowns) []Problem {
			p := allOf(policyProblems(in, "policy", secretDocument), longest(in, "description", 2048), tagProblems(in))
			if n := in.Int("recoveryWindowInDays"); in.Has("recoveryWindowInDays") && n != 0 && (n < 7 || n > 30) {
				p = append(p, awsProblem("recoveryWindowInDays", "InvalidParameterException", "expected 0 (at once) or 7 to 30 days, got %d", n))
			}
			return p
		},
		CheckState: func(a *Account, o *Object) error {
			name := Inputs(o.Inputs).String("name")
			if old := find(a, "id", name, scheduledSecret); old != nil && a.was(o) == nil {
				return refuse("InvalidRequestException", "its window of recovery is not over; recoveryWindowInDays 0 deletes at once",
					"You can't create this secret because a secret with this name is already scheduled for deletion.")
			}
			return nil
		},
		Compute: func(a *Account, o *Object) error {
			if o.ID == "" {
				o.ID = a.arn("secretsmanager", "secret:"+Inputs(o.Outputs).String("name")+"-"+strings.ToLower(drawLetters(6, fresh(a, o)...)))
			}
			o.Outputs["arn"] = o.ID
			fill(o, "replicas", []any{})
			return nil
		},
		AfterDelete: func(a *Account, o *Object) {
			if out := Inputs(o.Outputs); out.Int("recoveryWindowInDays") > 0 {
				_ = a.put(&Object{Type: scheduledSecret, ID: out.String("name"), Seeded: true, Outputs: map[string]any{"deletedAt": stamp(a)}})
			}
		},
	})
}

func secretVersionKind() Kind {
	return Kind{
		Type: "aws:secretsmanager/secretVersion:SecretVersion", CreateAction: "secretsmanager:PutSecretValue",
		UpdateAction: "secretsmanager:UpdateSecretVersionStage", DeleteAction: "secretsmanager:UpdateSecretVersionStage",
		NotFound: "ResourceNotFoundException",
		Refs:     []Ref{soft("secretId", "id,arn,name", secretType)},
		Check: func(in Inputs, unknown Unknowns) []Problem {
			var p []Problem
			if n := given(in, unknown, "secretString", "secretBinary"); n > 1 {
				p = append(p, problem("secretString", "only one of secretString and secretBinary may be given"))
			}
			if n := len(in.String("secretString")); n > 65536 {
				p = append(p, awsProblem("secretString", "ValidationException", "expected at most 65536 bytes, got %d", n))
			}
			return p
		},
		Compute: func(a *Account, o *Object) error {
			in := Inputs(o.Inputs)
			arn := in.String("secretId")
			if s := find(a, "name", arn, secretType); s != nil {
				arn = s.ID
			}
			if o.ID == "" {
				o.ID = arn + "|" + drawUUID(fresh(a, o)...)
			}
			o.Outputs["arn"] = arn
			_, o.Outputs["versionId"], _ = strings.Cut(o.ID, "|")
			fill(o, "versionStages", []any{"AWSCURRENT"})
			return nil
		},
	}
}

func secretRotationKind() Kind {
	return Kind{
		Type: "aws:secretsmanager/secretRotation:SecretRotation", CreateAction: "secretsmanager:RotateSecret",
		UpdateAction: "secretsmanager:RotateSecret", DeleteAction: "secretsmanager:CancelRotateSecret",
		NotFound: "ResourceNotFoundException",
		Refs:     []Ref{soft("secretId", "id,arn,name", secretType)},
		Defaults: map[string]any{"rotateImmediately": true},
		Check: func(in Inputs, unknown Unknowns) []Problem {
			p := allOf(between(in, "rotationRules.automaticallyAfterDays", 1, 1000), scheduleProblems(in, "rotationRules.scheduleExpression",
				"InvalidParameterException", "rate", "cron"))
			if n := given(in, unknown, "rotationRules.automaticallyAfterDays", "rotationRules.scheduleExpression"); n != 1 &&
				!unknown.Within("rotationRules") {
				p = append(p, problem("rotationRules", "exactly one of automaticallyAfterDays and scheduleExpression must be given, got %d", n))
			}
			return p
		},
		Compute: func(a *Account, o *Object) error {
			o.ID = Inputs(o.Inputs).String("secretId")
			o.Outputs["rotationEnabled"] = true
			return nil
		},
	}
}
