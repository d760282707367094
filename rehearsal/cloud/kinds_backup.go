package cloud

// AWS Backup.

// backupKinds are the resource types of AWS Backup.
func backupKinds() []Kind {
	return []Kind{
		backupVaultKind(), backupPlanKind(), backupSelectionKind(),
	}
}

func backupVaultKind() Kind {
	return Kind{
		Type: vaultType, CreateAction: "backup:CreateBackupVault", UpdateAction: "backup:TagResource", DeleteAction: "backup:DeleteBackupVault",
		Name:     Name{Input: "name", Max: 50, Form: `[a-zA-Z0-9_-]{2,50}`, Taken: "AlreadyExistsException"},
		NotFound: "ResourceNotFoundException", InUse: "InvalidRequestException",
		Refs:     []Ref{keyRef("kmsKeyArn")},
		Defaults: map[string]any{"forceDestroy": false},
		Check:    func(in Inputs, unknown Unknowns) []Problem { return tagProblems(in) },
		Compute: func(a *Account, o *Object) error {
			o.ID = Inputs(o.Outputs).String("name")
			o.Outputs["arn"] = a.arn("backup", "backup-vault:"+o.ID)
			o.Outputs["recoveryPoints"] = 0
			fill(o, "kmsKeyArn", a.arn("kms", "key/"+drawUUID(a.AccountID, "aws/backup")))
			return nil
		},
	}
}

func backupPlanKind() Kind {
	return Kind{
		Type: planType, CreateAction: "backup:CreateBackupPlan", UpdateAction: "backup:UpdateBackupPlan", DeleteAction: "backup:DeleteBackupPlan",
		Name:     Name{Input: "name", Max: 50, Form: `[a-zA-Z0-9_.-]+`, Taken: "AlreadyExistsException"},
		NotFound: "ResourceNotFoundException", InUse: "InvalidRequestException",
		Refs: []Ref{held("rules[].targetVaultName", "id", vaultType), maybe("rules[].copyActions[].destinationVaultArn", "arn", vaultType)},
		Check: func(in Inputs, unknown Unknowns) []Problem {
			const code = "InvalidParameterValueException"
			p := tagProblems(in)
			for i, r := range in.Maps("rules") {
				path := at("rules", i)
				for _, x := range allOf(scheduleProblems(r, "schedule", code, "rate", "cron"), longest(r, "ruleName", 50)) {
					x.Path = path + "." + x.Path
					p = append(p, x)
				}
				if z := r.String("scheduleExpressionTimezone"); z != "" && zoneFault(z) != "" {
					p = append(p, awsProblem(path+".scheduleExpressionTimezone", code, "%s", zoneFault(z)))
				}
				start, finish := numberOr(r, "startWindow", 60), numberOr(r, "completionWindow", 180)
				if start < 60 {
					p = append(p, awsProblem(path+".startWindow", code, "expected at least 60 minutes, got %v", start))
				}
				if finish < start+60 {
					p = append(p, awsProblem(path+".completionWindow", code, "expected at least 60 minutes more than startWindow (%v), got %v", start,
						finish))
				}
				cold, gone := r.Int("lifecycle.coldStorageAfter"), r.Int("lifecycle.deleteAfter")
				if cold > 0 && gone > 0 && gone < cold+90 {
					p = append(p, awsProblem(path+".lifecycle.deleteAfter", code,
						"what goes to cold storage stays there at least 90 days: expected %d or more, got %d", cold+90, gone))
				}
				if r.Bool("enableContinuousBackup") && (gone < 1 || gone > 35) && !unknown.Within(path) {
					p = append(p, awsProblem(path+".lifecycle.deleteAfter", code, "continuous backups are kept 1 to 35 days, got %d", gone))
				}
			}
			return p
		},
		Compute: func(a *Account, o *Object) error {
			if o.ID == "" {
				o.ID = drawUUID(fresh(a, o)...)
			}
			o.Outputs["arn"] = a.arn("backup", "backup-plan:"+o.ID)
			o.Outputs["version"] = drawLetters(48, fresh(a, o)...)
			return nil
		},
		Recomputed: map[string][]string{"*": {"version"}},
	}
}

func backupSelectionKind() Kind {
	return Kind{
		Type: "aws:backup/selection:Selection", CreateAction: "backup:CreateBackupSelection", DeleteAction: "backup:DeleteBackupSelection",
		Name:     Name{Input: "name", Max: 50, Form: `[a-zA-Z0-9_.-]+`, Scope: "planId", Taken: "AlreadyExistsException"},
		NotFound: "ResourceNotFoundException",
		Refs:     []Ref{held("planId", "id", planType), roleRef("iamRoleArn"), maybe("resources[]", "arn", databaseType, bucketType)},
		Check: func(in Inputs, unknown Unknowns) []Problem {
			if given(in, unknown, "resources", "selectionTags", "notResources", "conditions") == 0 {
				return []Problem{awsProblem("resources", "InvalidParameterValueException", "a selection needs resources or selectionTags")}
			}
			return nil
		},
		Compute: func(a *Account, o *Object) error {
			if o.ID == "" {
				o.ID = drawUUID(fresh(a, o)...)
			}
			for _, name := range words("conditions notResources") {
				fill(o, name, []any{})
			}
			return nil
		},
	}
}
