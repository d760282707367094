package operation

import (
	"fmt"
	"strings"
	"testing"

	"slipway/engine"
	"slipway/rehearsal/cloud"
)

// lines collects what an operation says.
type lines struct{ all []string }

func (*lines) Event(engine.Event)                {}
func (l *lines) Logf(format string, args ...any) { l.all = append(l.all, fmt.Sprintf(format, args...)) }

// A destroy is killed when it has deleted a task definition, which stays registered, and before the state says so. The
// definition is in the account: it is not lost, and an up has nothing to repair.
func TestTaskDefinitionThatStaysIsNotLost(t *testing.T) {
	root := t.TempDir()
	project(t, root)
	said := &lines{}
	target := Target{Root: root, Stack: "local", Throwaway: true, Progress: said}
	if _, err := Up(t.Context(), target, UpArgs{Confirm: nothingLost(t)}); err != nil {
		t.Fatal(err)
	}
	deleted := 0
	target.Model.Opened = func(a *cloud.Account) {
		for _, o := range a.Made() {
			if o.Type == "aws:ecs/taskDefinition:TaskDefinition" {
				if err := a.Delete(o.Type, o.ID); err != nil {
					t.Error(err)
				}
				deleted++
			}
		}
	}
	said.all = nil
	done, err := Up(t.Context(), target, UpArgs{Confirm: nothingLost(t)})
	if err != nil {
		t.Fatal(err)
	}
	if deleted < 2 || done.Result.Changed() != 0 {
		t.Errorf("%d definitions were deleted; the up changed %v", deleted, done.Result.Changes)
	}
	for _, line := range said.all {
		if strings.Contains(line, "repairing") {
			t.Errorf("the up says: %s", line)
		}
	}
}
