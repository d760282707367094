package engine

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
)

// The engine recommends commands that take a protection away for good. A problem says what is wrong without them.
func TestProblemsAreInTheUsersTerms(t *testing.T) {
	const urn = "urn:pulumi:prod::slipway::aws:rds/instance:Instance::database"
	for _, c := range []struct {
		name, message string
		want          Problem
	}{
		{"a replacement", "<{%reset%}>unable to replace resource \"" + urn + "\"\nas it is currently marked for protection. " +
			"To unprotect the resource, remove the " +
			"`protect` flag from the resource in your Pulumi program and run `pulumi up`<{%reset%}>\n",
			Problem{URN: urn, Message: "it is protected, and this would replace it", Protected: true}},
		{"a replacement of what it needs", "unable to replace resource \"" + urn + "\" as part of replacing \"urn:x\" " +
			"as it is currently marked for protection. " +
			"To unprotect the resource, run:\n`pulumi state unprotect 'x'`", Problem{URN: urn,
			Message: "it is protected, and this would replace it", Protected: true}},
		{"a deletion", "resource \"" + urn + "\" cannot be deleted\nbecause it is protected. " +
			"To unprotect the resource, either remove the `protect` flag " +
			"from the resource in your Pulumi program and run `pulumi up`, or use the command:\n`pulumi state unprotect 'x'`",
			Problem{URN: urn, Message: "it is protected, and this would delete it", Protected: true}},
		{"a hook in a preview", "Preview failed: before hook \"fixed-check\" failed: a: b\nc", Problem{URN: "urn:self", Message: "a: b\nc",
			Hook: "fixed-check"}},
		{"a hook in an update", "before hook \"images-carry\" failed: images: gone", Problem{URN: "urn:self", Message: "images: gone",
			Hook: "images-carry"}},
		{"a long value", "aws:iam/rolePolicy:RolePolicy resource 'x': property policy value {" + strings.Repeat("é", 4000) +
			"} has a problem: no (A)",
			Problem{URN: "urn:self", Message: "aws:iam/rolePolicy:RolePolicy resource 'x': property policy value {" + strings.Repeat("é", 200) +
				"... (4000 characters)} has a problem: no (A)"}},
		{"a short value", "a:b:C resource 'x': property n value {5} has a problem: expected 7 to 30, got 5",
			Problem{URN: "urn:self", Message: "a:b:C resource 'x': property n value {5} has a problem: expected 7 to 30, got 5"}},
		{"a secret value", "a:b:C resource 'x': property password value {&{{hunter2}}} has a problem: too short",
			Problem{URN: "urn:self", Message: "a:b:C resource 'x': property password value {[secret]} has a problem: too short"}},
		{"anything else", " creating: AccessDenied \n", Problem{URN: "urn:self", Message: "creating: AccessDenied"}},
	} {
		if diff := cmp.Diff(c.want, problemOf("urn:self", c.message)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", c.name, diff)
		}
	}
}

// An update is only left out when it would write nothing: a protection alone is no change of a resource, and has to be kept.
func TestAProtectionIsNotSettled(t *testing.T) {
	step := func(change func(old, now *apitype.StepEventStateMetadata)) apitype.StepEventMetadata {
		old, now := apitype.StepEventStateMetadata{Parent: "p", Provider: "a"}, apitype.StepEventStateMetadata{Parent: "p", Provider: "a"}
		change(&old, &now)
		return apitype.StepEventMetadata{Op: apitype.OpSame, Type: "a:b:C", Old: &old, New: &now}
	}
	type state = apitype.StepEventStateMetadata
	for name, change := range map[string]func(old, now *state){
		"protect":   func(_, now *state) { now.Protect = true },
		"unprotect": func(old, _ *state) { old.Protect = true },
		"parent":    func(_, now *state) { now.Parent = "q" },
		"provider":  func(_, now *state) { now.Provider = "b" },
		"errors":    func(old, _ *state) { old.InitErrors = []string{"x"} },
	} {
		r := newRecord(func(Event) {}, Checkpoint{})
		r.add(apitype.EngineEvent{ResourcePreEvent: &apitype.ResourcePreEvent{Metadata: step(change), Planning: true}})
		if !r.result.Unsettled || len(r.result.Changes) > 0 {
			t.Errorf("%s: unsettled is %t, changes are %v", name, r.result.Unsettled, r.result.Changes)
		}
	}
	r := newRecord(func(Event) {}, Checkpoint{})
	r.add(apitype.EngineEvent{ResourcePreEvent: &apitype.ResourcePreEvent{Metadata: step(func(*state, *state) {}), Planning: true}})
	if r.result.Unsettled || r.result.Counts["same"] != 1 {
		t.Errorf("what stays as it is: %+v", r.result)
	}
	kept := apitype.StepEventMetadata{Op: apitype.OpUpdate, Type: "pulumi:index:Stash", New: &state{}}
	r.add(apitype.EngineEvent{ResourcePreEvent: &apitype.ResourcePreEvent{Metadata: kept, Planning: true}})
	if !r.result.Unsettled || len(r.result.Changes) > 0 {
		t.Errorf("a value in the state: %+v", r.result)
	}
}

func TestAFailureHasWhatWasDone(t *testing.T) {
	f := &Failure{Operation: "up", Problems: []Problem{{URN: "urn:pulumi:a::b::c:d:E::web", Message: "no", Protected: true}},
		Done: Result{Counts: map[string]int{"same": 1}}}
	if got := f.Error(); !strings.Contains(got, "web (c:d:E): no") {
		t.Errorf("it says %s", got)
	}
}
