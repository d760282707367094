package operation

import (
	"fmt"
	"sync"
	"testing"

	"slipway/engine"
	"slipway/rehearsal/cloud"
)

// logged is a Progress that writes to the test's log.
type logged struct{ t *testing.T }

func (l logged) Event(engine.Event)               {}
func (l logged) Logf(format string, args ...any) { l.t.Logf(format, args...) }

// github are the settings that let workflows deploy a stack that has none of its own.
const github = `github={"repository": "example/site", "branches": ["main"], "readBranches": ["main"]}`

// The deploy role that bootstrap makes may do all that a stack's life takes, from its first deployment in an empty account to its
// destroy.
func TestTheDeployRoleMayDeploy(t *testing.T) {
	root, err := FindRoot()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		stack     string
		overrides []string
	}{
		{"prod", nil}, {"staging", nil}, {"dev", []string{github}}, {"local", []string{github}},
	} {
		t.Run(c.stack, func(t *testing.T) {
			var mu sync.Mutex
			made := map[cloud.Caller]int{}
			target := Target{Root: root, Stack: c.stack, Overrides: c.overrides, Progress: logged{t}, Model: ModelHooks{
				Opened: func(a *cloud.Account) {
					a.Watch = func(caller cloud.Caller, _ cloud.Call) { mu.Lock(); made[caller]++; mu.Unlock() }
				}}}
			v, err := Rehearse(t.Context(), target)
			if err != nil {
				t.Fatal(err)
			}
			for _, reason := range v.Reasons {
				t.Error(reason)
			}
			role := cloud.Caller{Role: "slipway-" + c.stack + "-deploy"}
			if made[role] < 500 {
				t.Errorf("the deploy role made %d calls: %v", made[role], fmt.Sprint(made))
			}
			t.Logf("calls: %v", made)
		})
	}
}
