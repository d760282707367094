package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/providers"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// A Resource is the state's record of one resource. Secrets in it are encrypted.
type Resource struct {
	URN, Type, ID   string
	Name            string // in the program
	Inputs, Outputs map[string]any
	Protect         bool // the engine refuses to delete it
}

// Text is an output that is a string; "" for any other.
func (r Resource) Text(output string) string { s, _ := r.Outputs[output].(string); return s }

// Managed is the resources that the provider manages, in the order of their creation. Components are left out.
func (c Checkpoint) Managed() []Resource {
	var all []Resource
	for _, r := range c.Resources {
		if r.Custom && !r.Delete && !r.External && !isProvider(r) {
			all = append(all, Resource{URN: string(r.URN), Type: string(r.Type), ID: string(r.ID), Name: r.URN.Name(),
				Inputs: r.Inputs, Outputs: r.Outputs, Protect: r.Protect})
		}
	}
	return all
}

func isProvider(r apitype.ResourceV3) bool { return providers.IsProviderType(r.Type) }

// Unprotect runs a program that declares these resources without their protection, for these resources only. Other changes
// of the program are not made. A resource that the program no longer declares is deleted together with what needs it: the
// engine does not keep either.
func (s *Stack) Unprotect(ctx context.Context, lock *Lock, program pulumi.RunFunc, urns []string) (Result, error) {
	declared := s.Program
	s.Program = program
	defer func() { s.Program = declared }()
	for targets := slices.Clone(urns); ; {
		// One after the other. What program does not declare the engine takes over from the state just before the first
		// that needs it, and with several at a time the second may overtake both: a state in that order it refuses.
		result, err := s.operate(ctx, lock, "lifting the protection", action{kind: update, targets: targets, parallel: 1})
		more := untargeted(err, targets)
		if len(more) == 0 {
			return result, err
		}
		targets = append(targets, more...)
	}
}

// untargeted are the resources that an operation refused to delete because they were not among its targets.
func untargeted(err error, targets []string) []string {
	var failure *Failure
	if !errors.As(err, &failure) {
		return nil
	}
	var urns []string
	for _, p := range failure.Problems {
		if strings.Contains(p.Message, "will be destroyed but was not specified in --target list") && p.URN != "" &&
			!slices.Contains(targets, p.URN) {
			urns = append(urns, p.URN)
		}
	}
	return urns
}

// Destroy deletes the resources of the stack, or none: if one that would go is protected the error is a *Protected. (The
// engine alone would delete whatever no protected resource needs, the web service first.) It uses the state; the
// program does not run.
func (s *Stack) Destroy(ctx context.Context, lock *Lock) (Result, error) {
	return s.DestroyBut(ctx, lock, nil)
}

// DestroyBut is Destroy for all resources except those kept, by URN. These stay in the account and in the state, with
// everything that they need, and the next up continues with them.
func (s *Stack) DestroyBut(ctx context.Context, lock *Lock, kept []string) (Result, error) {
	state, err := s.read(ctx)
	if err != nil {
		return Result{}, err
	}
	stays := closure(state.Resources, kept)
	refusal := &Protected{Stack: s.Stack}
	var targets []string
	for _, r := range state.Resources {
		if stays[r.URN] {
			continue
		}
		targets = append(targets, string(r.URN))
		if r.Protect {
			refusal.URNs = append(refusal.URNs, string(r.URN))
		}
	}
	if len(refusal.URNs) > 0 {
		return Result{}, refusal
	}
	if len(kept) > 0 && len(targets) == 0 {
		return Result{Counts: map[string]int{}}, nil // without targets the engine would delete everything
	}
	if len(kept) == 0 {
		targets = nil
	}
	return s.operate(ctx, lock, "destroy", action{kind: destroy, targets: targets})
}

// Needs is the set of resources that the given ones need, themselves included: their dependencies, parents and providers.
func (c Checkpoint) Needs(urns []string) map[string]bool {
	needs := map[string]bool{}
	for urn := range closure(c.Resources, urns) {
		needs[string(urn)] = true
	}
	return needs
}

func closure(resources []apitype.ResourceV3, urns []string) map[resource.URN]bool {
	byURN := map[resource.URN]apitype.ResourceV3{}
	for _, r := range resources {
		if !r.Delete {
			byURN[r.URN] = r
		}
	}
	needs := map[resource.URN]bool{}
	var add func(urn resource.URN)
	add = func(urn resource.URN) {
		r, ok := byURN[urn]
		if !ok || needs[urn] {
			return
		}
		needs[urn] = true
		add(r.Parent)
		add(r.DeletedWith)
		if provider, err := providers.ParseReference(r.Provider); err == nil {
			add(provider.URN())
		}
		for _, on := range r.Dependencies {
			add(on)
		}
		for _, all := range r.PropertyDependencies {
			for _, on := range all {
				add(on)
			}
		}
	}
	for _, urn := range urns {
		add(resource.URN(urn))
	}
	return needs
}

// Forget takes a resource out of the state and leaves it in the account. Nothing in the state may need it.
func (s *Stack) Forget(ctx context.Context, urn string) error {
	forget := func() error {
		if s.Backend != nil {
			_, err := s.command(ctx, "state", "delete", urn, "--force", "--yes", "--stack", s.Stack)
			return err
		}
		if err := s.unlockSecrets(); err != nil {
			return err
		}
		return s.local.Forget(ctx, urn)
	}
	if err := forget(); err != nil {
		return fmt.Errorf("%s stays in the account, but the state still has it: %w", resource.URN(urn).Name(), err)
	}
	return nil
}

// An Import is one line of the file that `pulumi import --file` reads.
type Import struct {
	Type string `json:"type"`
	Name string `json:"name"`
	ID   string `json:"id"`
}

// Imports are the lines for those of the resources that can be imported.
func Imports(resources []Resource) []Import {
	lines := []Import{}
	for _, r := range resources {
		if !slices.Contains([]string{"random:index/randomId:RandomId", "random:index/randomPassword:RandomPassword"}, r.Type) &&
			!kept(r.Type) { // not in the account
			lines = append(lines, Import{Type: r.Type, Name: r.Name, ID: r.ID})
		}
	}
	return lines
}
