package engine

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/toy"
)

func TestWhatAKeptResourceNeeds(t *testing.T) {
	urn := func(name string) resource.URN { return resource.URN("urn:pulumi:dev::shop::t:t:T::" + name) }
	provider := resource.URN("urn:pulumi:dev::shop::pulumi:providers:aws::aws")
	all := []apitype.ResourceV3{
		{URN: urn("stack")}, {URN: provider, Custom: true, ID: "p"},
		{URN: urn("vpc"), Parent: urn("stack")}, {URN: urn("nat"), Dependencies: []resource.URN{urn("vpc")}},
		{URN: urn("subnet"), Dependencies: []resource.URN{urn("vpc")}}, {URN: urn("key"), Parent: urn("ring")},
		{URN: urn("ring"), Parent: urn("stack")},
		{URN: urn("database"), Parent: urn("store"), Provider: string(provider) + "::p", Dependencies: []resource.URN{urn("subnet")},
			PropertyDependencies: map[resource.PropertyKey][]resource.URN{"kmsKeyId": {urn("key")}}},
		{URN: urn("store"), Parent: urn("stack")}, {URN: urn("web"), Dependencies: []resource.URN{urn("database"), urn("nat")}},
		{URN: urn("database"), Delete: true, Dependencies: []resource.URN{urn("nat")}}, // the one before, still to be deleted
	}
	got := closure(all, []string{string(urn("database")), string(urn("absent"))})
	want := map[resource.URN]bool{}
	for _, u := range []resource.URN{urn("database"), urn("store"), urn("stack"), urn("subnet"), urn("vpc"), urn("key"),
		urn("ring"), provider} {
		want[u] = true
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The program that lifts a protection need not be the one that made the stack: a release's marker is not declared by a program
// that builds. What needs one in the state must still come after it, or the engine refuses the state from then on.
func TestLiftingAProtectionLeavesAStateInOrder(t *testing.T) {
	b := newBench(t)
	declared := func(size, markers int) pulumi.RunFunc {
		return func(ctx *pulumi.Context) error {
			register := func(name string, size int, opts ...pulumi.ResourceOption) (*pulumi.CustomResourceState, error) {
				made := &pulumi.CustomResourceState{}
				return made, ctx.RegisterResource(toy.Type, name, pulumi.Map{"size": pulumi.Sprintf("%d", size)}, made, opts...)
			}
			var needs []pulumi.ResourceOption
			for i := range markers { // each needs the one before
				marker, err := register(fmt.Sprintf("marker-%d", i), 1, needs...)
				if err != nil {
					return err
				}
				needs = []pulumi.ResourceOption{pulumi.DependsOn([]pulumi.Resource{marker})}
			}
			for i := range 60 {
				if _, err := register(fmt.Sprintf("user-%d", i), 1, needs...); err != nil {
					return err
				}
			}
			_, err := register("locked", size)
			return err
		}
	}
	lock, err := Acquire(b.dir, "local", "destroy")
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Unlock()
	s, err := b.open()
	if err != nil {
		t.Fatal(err)
	}
	s.Program = declared(1, 20)
	if _, err := s.Up(t.Context(), lock, UpOptions{}); err != nil {
		t.Fatal(err)
	}
	result, err := s.Unprotect(t.Context(), lock, declared(2, 0), []string{"urn:pulumi:local::bench::" + toy.Type + "::locked"})
	if err != nil {
		t.Fatal(err)
	}
	if result.Counts["update"] != 1 {
		t.Errorf("it did %v, want 1 update", result.Counts)
	}
	state, err := s.read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	seen := map[resource.URN]bool{}
	for _, r := range state.Resources {
		for _, needed := range r.Dependencies {
			if !seen[needed] {
				t.Errorf("%s stands before %s, which it needs", r.URN.Name(), needed.Name())
			}
		}
		seen[r.URN] = true
	}
	if len(seen) != 83 { // the stack, its provider, and what was declared
		t.Errorf("%d resources are in the state", len(seen))
	}
	if _, err := s.Destroy(t.Context(), lock); err != nil {
		t.Error(err)
	}
}

func TestWhatTheEngineWouldDeleteIsTargetedToo(t *testing.T) {
	failure := &Failure{Problems: []Problem{
		{URN: "a", Message: "Resource 'a' will be destroyed but was not specified in --target list.\nEither include it"},
		{URN: "b", Message: "Resource 'b' will be destroyed but was not specified in --target list."},
		{URN: "c", Message: "AccessDenied"},
	}}
	if diff := cmp.Diff([]string{"b"}, untargeted(fmt.Errorf("up: %w", failure), []string{"a"})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// The same answer again, or another one, ends the attempts.
	for _, err := range []error{nil, errors.New("x"), &Failure{Problems: failure.Problems[:1]}} {
		if got := untargeted(err, []string{"a"}); got != nil {
			t.Errorf("%v: %q", err, got)
		}
	}
}

func TestWhatCanBeImported(t *testing.T) {
	got := Imports([]Resource{
		{Type: "aws:rds/instance:Instance", Name: "database", ID: "shop-dev-database"},
		{Type: "random:index/randomPassword:RandomPassword", Name: "owner", ID: "none"},
	})
	if diff := cmp.Diff([]Import{{Type: "aws:rds/instance:Instance", Name: "database", ID: "shop-dev-database"}}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
