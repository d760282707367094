package operation

import (
	"slices"
	"strings"
	"testing"

	"slipway/engine"
	"slipway/rehearsal/finding"
)

// A provider's check fails in the engine's words. The finding has AWS's code, and names the property without its value.
func TestAnErrorOfACheckIsAFinding(t *testing.T) {
	got := problem(engine.Problem{URN: "urn:pulumi:dev::slipway::a$aws:rds/instance:Instance::database",
		Message: "aws:rds/instance:Instance resource 'database': property instanceClass value {db.foo} has a problem: Invalid DB Instance " +
			"class: db.foo (InvalidParameterValue)"})
	if got.Code != "InvalidParameterValue" || got.Message != "Invalid DB Instance class: db.foo" ||
		!slices.Equal(got.Chain, []string{"property instanceClass"}) || got.Fix != "change instanceClass of database" {
		t.Errorf("got %+v", got)
	}
	if got := problem(engine.Problem{Message: "the program panicked"}); got.Code != "ProgramFailed" || got.Resource != "the program" {
		t.Errorf("got %+v", got)
	}
}

// A right that many tasks lack is shown once, with the names of the others.
func TestTheSameCauseIsShownOnce(t *testing.T) {
	v := &Rehearsal{}
	for _, name := range []string{"web", "worker", "job"} {
		v.wrong("up failed", "", finding.Finding{Resource: "urn:pulumi:dev::slipway::aws:ecs/taskDefinition:TaskDefinition::" + name,
			Code:    "AccessDenied",
			Message: "no", Chain: []string{"role x -> s3:GetObject on media: no matching statement"}, Fix: "allow it"})
	}
	got := v.Wrong()[3:]
	if len(v.Findings) != 1 || len(v.Findings[0].Also) != 2 || len(got) != 1 ||
		!strings.HasSuffix(got[0], "It shows at worker, job as well.") ||
		!strings.HasPrefix(got[0], "web (aws:ecs/taskDefinition:TaskDefinition): AccessDenied: no\n  role x -> s3:GetObject on media") {
		t.Errorf("%d findings, shown as %q", len(v.Findings), got)
	}
}

// A rehearsal without a statement names the role, the call and the source line; the second up and destroy are judged as well.
func TestATriedChangeIsJudged(t *testing.T) {
	target := Target{Root: checkout(t), Stack: "dev", Progress: logged{t}}
	target.WhatIf.Without = []string{"site-roles-execution-policy#Nothing"}
	if _, err := Rehearse(t.Context(), target); err == nil || !strings.Contains(err.Error(), "no statement has the Sid Nothing") {
		t.Errorf("got %v", err)
	}
	target.WhatIf = WhatIf{With: []string{"Instance::database.deletionProtection=true"}}
	v, err := Rehearse(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(v.Findings, func(f finding.Finding) bool { return strings.HasSuffix(f.Resource, "::database") })
	if v.Good || v.Again == nil || v.Destroy != nil || at < 0 || !strings.Contains(v.Findings[at].Fix, "datastore/store.go:") {
		t.Errorf("got %+v", v)
	}
}
