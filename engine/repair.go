package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// An Inventory lists what exists in the account of a stack. Everything in it belongs to the stack.
type Inventory interface {
	// Objects lists everything that exists. An object without a URN outlived its resource, as a task definition does.
	Objects() []Object
	// Keeps reports whether resources of a type are in the account at all: a random password is nowhere but in the state.
	Keeps(resourceType string) bool
	// Delete deletes an object. It fails while another one needs it.
	Delete(ctx context.Context, o Object) error
}

// An Object is a resource in the account, and the resource of the state that it was created for. URN is "" if there is none.
type Object struct{ URN, Type, ID string }

// repair reconciles the engine's state with the account after an operation was killed. The engine records each step before
// and after it; a step that was killed in between has an unknown outcome. The account shows the outcome:
//
//   - a create that happened, of a resource that is not in the state: the object is adopted. The pending operation holds
//     everything that the state needs (inputs, parent, provider) except the object's ID;
//   - a create that did not happen: the pending operation is removed;
//   - an update or a delete: the engine refreshes every resource, which records new values and removes what is gone;
//   - an object that still belongs to no resource of the state: it is deleted. It is the second half of a replacement, or
//     the engine lived just long enough to record the create as failed. Nothing depends on it, because no later step
//     began. The next run creates it again.
//
// There is no race: the caller holds the lock, no engine is alive, and nothing else changes the account. If repair itself
// is killed the next run starts it again; every step leaves fewer pending creates than before.
//
// Objects that are gone, and nothing else, need no repair if the operation reads every resource itself: then a preview finds them
// as it finds other manual changes, and leaves the state as it is.
func (s *Stack) repair(ctx context.Context, lock *Lock, rereads bool) error {
	state, err := s.read(ctx)
	if err != nil {
		return err
	}
	orphans, lost := s.compare(state)
	if lock.Killed == nil && len(state.Pending) == 0 && len(orphans) == 0 && (lost == 0 || rereads) {
		return nil
	}
	if lock.Killed != nil {
		s.Logf("The last operation was killed: %s.", lock.Killed)
	}
	if len(state.Resources) == 0 && len(state.Pending) == 0 && len(orphans) == 0 {
		lock.Killed = nil
		return nil
	}
	if lock.Killed != nil {
		s.Logf("Checking what it did and repairing the state.")
	} else {
		s.Logf("The state does not list what the account has. Repairing the state.")
	}
	if len(state.Pending) > 0 {
		if err := s.settlePending(ctx, state, orphans); err != nil {
			return err
		}
	}
	if err := s.refresh(ctx); err != nil {
		return err
	}
	if state, err = s.read(ctx); err != nil {
		return err
	}
	orphans, _ = s.compare(state)
	if err := s.deleteAll(ctx, orphans); err != nil {
		return err
	}
	lock.Killed = nil
	return nil
}

// compare returns the objects without a resource, and the number of resources without an object. An object without a URN is not
// an orphan. If its delete was cut short, the resource is still in the state, and the next operation keeps it or deletes it.
func (s *Stack) compare(state Checkpoint) (orphans []Object, lost int) {
	if s.Inventory == nil {
		return nil, 0
	}
	type key struct{ kind, id string }
	known := map[key]bool{}
	for _, r := range state.Resources {
		if r.Custom && !r.External && s.Inventory.Keeps(string(r.Type)) {
			known[key{string(r.Type), string(r.ID)}] = true
		}
	}
	for _, o := range s.Inventory.Objects() {
		if k := (key{o.Type, o.ID}); known[k] {
			delete(known, k)
		} else if o.URN != "" {
			orphans = append(orphans, o)
		}
	}
	return orphans, len(known)
}

// settlePending removes every pending operation from the state, and adds resources for the creates that happened. The
// state is rewritten by the engine's own import; its secrets stay encrypted on the way.
func (s *Stack) settlePending(ctx context.Context, state Checkpoint, orphans []Object) error {
	exported, err := s.Export(ctx, false)
	if err != nil {
		return err
	}
	var envelope apitype.UntypedDeployment
	if err := json.Unmarshal(exported, &envelope); err != nil {
		return fmt.Errorf("engine: the exported state: %w", err)
	}
	var deployment map[string]json.RawMessage // kept raw, so that what this program does not know survives
	if err := json.Unmarshal(envelope.Deployment, &deployment); err != nil {
		return fmt.Errorf("engine: the exported state: %w", err)
	}
	var resources, pending []json.RawMessage
	for name, into := range map[string]*[]json.RawMessage{"resources": &resources, "pending_operations": &pending} {
		if raw, ok := deployment[name]; ok {
			if err := json.Unmarshal(raw, into); err != nil {
				return fmt.Errorf("engine: the exported state: %s: %w", name, err)
			}
		}
	}
	for _, raw := range pending {
		adopted, err := s.adopt(raw, state, orphans)
		if err != nil {
			return err
		}
		if adopted != nil {
			resources = append(resources, adopted)
		}
	}
	delete(deployment, "pending_operations")
	if deployment["resources"], err = json.Marshal(resources); err != nil {
		return err
	}
	if envelope.Deployment, err = json.Marshal(deployment); err != nil {
		return err
	}
	edited, err := json.Marshal(envelope)
	if err != nil {
		return err
	}
	if s.Backend != nil {
		return s.replaceCLI(ctx, edited)
	}
	return s.local.Import(ctx, edited)
}

// adopt is the resource of a pending create that happened: an orphan has its URN. Other pending operations leave nothing to adopt.
func (s *Stack) adopt(pending json.RawMessage, state Checkpoint, orphans []Object) (json.RawMessage, error) {
	var op struct {
		Type     apitype.OperationType
		Resource map[string]json.RawMessage
	}
	if err := json.Unmarshal(pending, &op); err != nil {
		return nil, fmt.Errorf("engine: the exported state: pending operation: %w", err)
	}
	var urn resource.URN
	if err := json.Unmarshal(op.Resource["urn"], &urn); err != nil {
		return nil, fmt.Errorf("engine: the exported state: pending operation: %w", err)
	}
	made := slices.IndexFunc(orphans, func(o Object) bool { return o.URN == string(urn) })
	if op.Type != apitype.OperationTypeCreating || made < 0 || state.has(urn) {
		return nil, nil
	}
	id, err := json.Marshal(orphans[made].ID)
	if err != nil {
		return nil, err
	}
	op.Resource["id"] = id
	if _, ok := op.Resource["outputs"]; !ok {
		op.Resource["outputs"] = op.Resource["inputs"] // until the refresh that follows
	}
	adopted, err := json.Marshal(op.Resource)
	if err != nil {
		return nil, err
	}
	s.Logf("Adopting %s (%s), which was created but not recorded.", urn.Name(), urn.Type())
	return adopted, nil
}

// deleteAll deletes objects in whatever order the account allows.
func (s *Stack) deleteAll(ctx context.Context, objects []Object) error {
	for len(objects) > 0 {
		var left []Object
		var refusals []string
		for _, o := range objects {
			if err := s.Inventory.Delete(ctx, o); err != nil {
				left, refusals = append(left, o), append(refusals, err.Error())
				continue
			}
			s.Logf("Deleted %s (%s), which has no resource in the state.", o.ID, o.Type)
		}
		if len(left) == len(objects) {
			return fmt.Errorf("engine: the last operation left resources that cannot be deleted:\n  %s", strings.Join(refusals, "\n  "))
		}
		objects = left
	}
	return nil
}

// A PendingCreate is a create that a killed operation started. Only the account shows whether it happened.
type PendingCreate struct {
	URN  string `json:"urn"`
	Type string `json:"type"`
	Name string `json:"name"`
}

// A PendingCreatesError says that the user must resolve creates with an unknown outcome before the next operation.
type PendingCreatesError struct {
	Stack   string
	Creates []PendingCreate
}

func (e *PendingCreatesError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "stack %s: an operation was killed while it created these resources, and it is unknown whether they exist:", e.Stack)
	for _, d := range e.Creates {
		fmt.Fprintf(&b, "\n  %s (%s)", d.Name, d.Type)
	}
	fmt.Fprintf(&b, "\ncheck the account; then run this, with a --made for each that exists, and --not-made if the others do not:"+
		"\n  slipway unlock --stack %s --live --made NAME=ID --not-made", e.Stack)
	return b.String()
}

// A Resolution says what became of pending creates.
type Resolution struct {
	Made    map[string]string // the ID of what was made, by the resource's name or URN
	NotMade bool              // nothing else was
}

// settle completes the pending operations of a stack with a Backend: the engine refreshes every resource, which shows the
// outcome of updates and deletes. A create stays pending until there is a resolution; then it becomes a resource, or is
// removed.
func (s *Stack) settle(ctx context.Context, resolution *Resolution) ([]PendingCreate, error) {
	state, err := s.read(ctx)
	if err != nil || len(state.Pending) == 0 {
		return nil, err
	}
	creates := state.pendingCreates()
	if len(creates) == len(state.Pending) && resolution == nil {
		return creates, nil
	}
	s.Logf("A killed operation left %d steps pending. Refreshing every resource.", len(state.Pending))
	if resolution != nil {
		made, err := resolution.to(creates)
		if err != nil {
			return creates, err
		}
		if err := s.settlePending(ctx, state, made); err != nil {
			return creates, err
		}
	}
	if err := s.refresh(ctx); err != nil {
		return creates, err
	}
	if state, err = s.read(ctx); err != nil {
		return nil, err
	}
	return state.pendingCreates(), nil
}

// to returns the objects that exist. A pending create that the resolution does not mention would be lost, so that is an error.
func (a *Resolution) to(creates []PendingCreate) ([]Object, error) {
	left := maps.Clone(a.Made)
	var made []Object
	var open, wrong []string
	for _, d := range creates {
		id, ok := left[d.URN]
		if !ok {
			id, ok = left[d.Name]
		}
		delete(left, d.URN)
		delete(left, d.Name)
		switch {
		case ok:
			made = append(made, Object{URN: d.URN, Type: d.Type, ID: id})
		case !a.NotMade:
			open = append(open, d.Name+" ("+d.Type+")")
		}
	}
	if len(open) > 0 {
		wrong = append(wrong, "nothing is said about "+strings.Join(open, ", "))
	}
	for _, name := range slices.Sorted(maps.Keys(left)) {
		wrong = append(wrong, fmt.Sprintf("%q is not a pending create", name))
	}
	if len(wrong) > 0 {
		return nil, errors.New(strings.Join(wrong, "; "))
	}
	return made, nil
}

func (c Checkpoint) pendingCreates() []PendingCreate {
	var all []PendingCreate
	for _, op := range c.Pending {
		if op.Type == apitype.OperationTypeCreating && !c.has(op.Resource.URN) {
			all = append(all, PendingCreate{URN: string(op.Resource.URN), Type: string(op.Resource.Type), Name: op.Resource.URN.Name()})
		}
	}
	return all
}

// Recover completes what a killed operation left undone, as the next operation would. The stack must not be locked by another
// run. A stack in a local directory needs its Lock, and is repaired from the inventory. On a stack with a Backend the
// resolution, which may be nil, says what became of pending creates; those that are still pending are returned.
func (s *Stack) Recover(ctx context.Context, lock *Lock, resolution *Resolution) ([]PendingCreate, error) {
	there, err := s.exists(ctx)
	if err != nil {
		return nil, err
	}
	if s.Backend != nil {
		if !there {
			return nil, nil
		}
		if err := s.prepare(ctx); err != nil {
			return nil, err
		}
		return s.settle(ctx, resolution)
	}
	if !there {
		lock.Killed = nil
		return nil, nil
	}
	if err := s.ready(ctx, lock); err != nil {
		return nil, err
	}
	return nil, s.repair(ctx, lock, false)
}
