package operation

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"slipway/operation/account/modelaccount"
	"slipway/rehearsal/cloud"
	"slipway/rehearsal/iam"
)

// An evaluation is a request that the model decided during the life of a stack.
type evaluation struct {
	phase    string
	request  iam.Request
	policies iam.Policies
}

// evaluations records each different request once.
type evaluations struct {
	mu    sync.Mutex
	phase string
	seen  map[string]bool
	all   []evaluation
}

func (e *evaluations) hooks() ModelHooks {
	return ModelHooks{Opened: func(a *cloud.Account) { a.Evaluated = e.add }}
}

func (e *evaluations) add(r iam.Request, p iam.Policies) {
	documents := []string{}
	for _, d := range slices.Concat(p.Identity, p.Boundaries, p.Endpoint, []*iam.Document{p.Resource}) {
		if d != nil {
			documents = append(documents, d.Name)
		}
	}
	key := fmt.Sprint(r.Principal, r.Action, r.Resource, r.Context, documents)
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.seen[key] {
		e.seen[key] = true
		e.all = append(e.all, evaluation{e.phase, r, p})
	}
}

// A phase is one operation of a stack's life.
type phase struct {
	name string
	run  func() error
}

// life are the operations of a stack and of the stack that its releases come from, from bootstrap to destroy.
func life(t testing.TB, target Target, from string) []phase {
	t.Helper()
	source := target
	source.Stack, source.Model = from, ModelHooks{}
	up := func(target Target) error {
		_, err := Up(t.Context(), target, UpArgs{Confirm: anything})
		return err
	}
	return []phase{
		{"bootstrap", func() error {
			_, err := Bootstrap(t.Context(), target)
			return err
		}},
		{"up", func() error { return up(target) }},
		{"second up", func() error { return up(target) }},
		{"preview", func() error {
			_, err := Preview(t.Context(), target, "")
			return err
		}},
		{"drift", func() error {
			_, err := Drift(t.Context(), target, DriftArgs{})
			return err
		}},
		{"release", func() error {
			settings, err := os.OpenFile(filepath.Join(target.Root, "app", "website", "settings.py"), os.O_APPEND|os.O_WRONLY, 0)
			if err == nil {
				_, err = settings.WriteString("\n# a release\n")
			}
			if err = errors.Join(err, settings.Close()); err != nil {
				return err
			}
			return up(target)
		}},
		{"rollback", func() error {
			_, err := Rollback(t.Context(), target, "", anything)
			return err
		}},
		{"promotion", func() error {
			if err := up(source); err != nil {
				return err
			}
			_, err := Promote(t.Context(), target, PromoteArgs{From: from, Confirm: anything})
			return err
		}},
		{"changes", func() error { return changes(target) }},
		{"destroy", func() error {
			_, err := Destroy(t.Context(), target, DestroyArgs{Confirm: func(Destruction) error { return nil }})
			return err
		}},
	}
}

// changes tries the calls of an update of every input of every resource.
func changes(target Target) error {
	account, err := cloud.Open(modelaccount.File(target.dir()), cloud.Options{Zones: []cloud.HostedZone{{Name: "example.com"}}})
	if err != nil {
		return err
	}
	defer account.Close()
	target.Model.Opened(account)
	var wrong []error
	for _, o := range account.Made() {
		if err := account.Try(cloud.Caller{Role: "slipway-" + target.Stack + "-deploy"}, "update", o.Type, o.ID); err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", o.URN, err))
		}
	}
	return errors.Join(wrong...)
}

// A removal is an Allow statement, or one action of it, and the request that is refused without it.
type removal struct {
	document, statement, action string // action "": the whole statement
	missed                      *evaluation
}

func (r removal) String() string {
	return strings.TrimSpace(r.document + " " + r.statement + " " + r.action)
}

// removals re-evaluates the requests without each statement, and without each action, of the documents.
func removals(documents []*iam.Document, recorded []evaluation) []removal {
	missed := map[string]*evaluation{}
	for i := range recorded {
		e := &recorded[i]
		d := iam.Decide(e.request, e.policies)
		if !d.Allowed() {
			continue
		}
		for _, m := range d.By {
			if iam.Decide(e.request, e.policies.Without(m.Statement)).Allowed() {
				continue
			}
			r := removal{document: m.Document.Name, statement: m.Statement.Title()}
			missed[r.String()] = cmp.Or(missed[r.String()], e)
			if actions := m.Statement.ActionsFor(e.request.Action); len(actions) == 1 {
				r.action = actions[0]
				missed[r.String()] = cmp.Or(missed[r.String()], e)
			}
		}
	}
	var all []removal
	for _, d := range documents {
		for _, s := range d.Statements {
			if s.Deny {
				continue
			}
			for _, action := range append([]string{""}, s.Actions()...) {
				r := removal{document: d.Name, statement: s.Title(), action: action}
				r.missed = missed[r.String()]
				all = append(all, r)
			}
		}
	}
	return all
}

func TestEveryStatementAndActionIsNeeded(t *testing.T) {
	for stack, from := range map[string]string{"prod": "staging", "staging": "dev"} {
		t.Run(stack, func(t *testing.T) {
			t.Parallel()
			e := &evaluations{seen: map[string]bool{}}
			target := Target{Root: checkout(t), Stack: stack, Throwaway: true, Progress: logged{t}, Model: e.hooks()}
			var documents []*iam.Document
			for _, p := range life(t, target, from) {
				if p.name == "destroy" {
					documents = documentsOf(t, target)
				}
				e.phase = p.name
				if err := p.run(); err != nil {
					t.Fatalf("%s: %v", p.name, err)
				}
			}
			perPhase := map[string]int{}
			for _, one := range e.all {
				perPhase[one.phase]++
			}
			t.Log(len(e.all), "requests", perPhase)
			for _, r := range removals(documents, e.all) {
				if r.missed == nil {
					t.Error("nothing needs", r)
				}
			}
		})
	}
}

// documentsOf are the policies of a deployed stack.
func documentsOf(t testing.TB, target Target) []*iam.Document {
	t.Helper()
	account, err := cloud.Open(modelaccount.File(target.dir()), cloud.Options{Zones: []cloud.HostedZone{{Name: "example.com"}}})
	if err != nil {
		t.Fatal(err)
	}
	defer account.Close()
	return account.Policies()
}
