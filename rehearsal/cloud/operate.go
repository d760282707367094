package cloud

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// The operations of a resource's life. The inputs and outputs of exported methods are raw: they may hold Unknown and Secret.

// A Change asks to create or update a resource.
type Change struct {
	Type, URN string
	ID        string            // of the object to update; "" in a create
	Inputs    map[string]any    // raw, as Check returned them
	Tags      map[string]string // the provider's default tags
	Preview   bool              // change nothing; outputs that the change would compute are Unknown
}

// Create creates an object and returns its ID and raw outputs, after the account was written to disk. With an *Unsteady
// error the object exists nevertheless.
func (a *Account) Create(c Change) (id string, outputs map[string]any, err error) {
	defer func() { a.refused(c.URN, err) }()
	k, e, err := a.registry.find(c.Type)
	if err != nil {
		return "", nil, err
	}
	if c.Preview {
		if err := a.foreseenName(k, c); err != nil {
			return "", nil, err
		}
		return "", k.foresee(e, c, nil, nil), nil
	}
	o, err := prepare(k, e, c)
	if err != nil {
		return "", nil, err
	}
	if err := a.permitted(creates, o, nil); err != nil {
		return "", nil, o.hide(err)
	}
	if err := a.before(k.CreateAction, o); err != nil {
		return "", nil, err
	}
	a.mu.Lock()
	err = a.create(k, e, o)
	a.mu.Unlock()
	if err != nil {
		return "", nil, o.hide(err)
	}
	failure, err := a.carry(nil, o)
	if err != nil {
		_, gone := a.Remove(o.Type, o.ID)
		return "", nil, o.hide(errors.Join(err, gone))
	}
	unsteady := a.settle(nil, o, failure)
	if err := a.flush(); err != nil {
		return "", nil, err
	}
	if unsteady == nil {
		unsteady = a.finished(o, follows, reads)
	}
	return o.ID, o.raw(o.Outputs), unsteady
}

func (a *Account) create(k *rule, e *entry, o *Object) error {
	if err := a.checkState(k, o, k.CreateAction); err != nil {
		return err
	}
	if err := a.delayed(k, o, k.CreateAction); err != nil {
		return err
	}
	if err := a.compute(k, e, o); err != nil {
		return err
	}
	if a.get(o.Type, o.ID) != nil {
		a.dropOwned(o)
		return acting(&Error{Code: k.Name.taken(), Message: fmt.Sprintf("%s already exists", o.ID), Why: "the account has " + a.get(o.Type,
			o.ID).called()}, k.CreateAction)
	}
	return a.put(o)
}

// Update changes an object in place and returns its raw outputs. With an *Unsteady error the change was made nevertheless.
func (a *Account) Update(c Change, olds map[string]any) (outputs map[string]any, err error) {
	defer func() { a.refused(c.URN, err) }()
	k, e, err := a.registry.find(c.Type)
	if err != nil {
		return nil, err
	}
	if c.Preview {
		a.mu.RLock()
		was := a.get(c.Type, c.ID)
		a.mu.RUnlock()
		return k.foresee(e, c, was, olds), nil
	}
	o, err := prepare(k, e, c)
	if err != nil {
		return nil, err
	}
	o.ID = c.ID
	action := k.UpdateAction
	if action == "" {
		action = k.CreateAction
	}
	was := a.Object(o.Type, o.ID)
	if was != nil {
		if err := a.permitted(updates, o, was); err != nil {
			return nil, o.hide(err)
		}
	}
	if err := a.before(action, o); err != nil {
		return nil, err
	}
	a.mu.Lock()
	err = a.update(k, e, o, action)
	a.mu.Unlock()
	if err != nil {
		return nil, o.hide(err)
	}
	failure, err := a.carry(was, o)
	if err != nil {
		return nil, o.hide(errors.Join(err, a.Alter(o.Type, o.ID, func(o *Object) { *o = *was })))
	}
	unsteady := a.settle(was, o, failure)
	if err := a.flush(); err != nil {
		return nil, err
	}
	if unsteady == nil {
		unsteady = a.finished(o, reads)
	}
	return o.raw(o.Outputs), unsteady
}

func (a *Account) update(k *rule, e *entry, o *Object, action string) error {
	was := a.get(o.Type, o.ID)
	if was == nil {
		return &Error{Code: k.notFound(), Action: action, Status: 404, Message: fmt.Sprintf("The %s '%s' does not exist", noun(o.Type), o.ID),
			Why: "it was deleted outside the program; run a refresh to update the state"}
	}
	o.Owner, o.State = was.Owner, was.State
	// A value that AWS once chose stays when the program stops setting it.
	for _, name := range e.Always {
		if v, ok := was.Outputs[name]; ok && e.In[name] != nil && o.Inputs[name] == nil && name != "tagsAll" {
			o.Outputs[name] = clone(v)
		}
	}
	// The provider sends desiredCount only if the program changes it, so the number that scaling chose stays.
	if asked := "desiredCount"; o.Type == serviceType && reflect.DeepEqual(o.Inputs[asked], was.Inputs[asked]) {
		o.Outputs[asked] = was.Outputs[asked]
	}
	if err := a.checkState(k, o, action); err != nil {
		return err
	}
	if err := a.delayed(k, o, action); err != nil {
		return err
	}
	if err := a.compute(k, e, o); err != nil {
		return err
	}
	for _, name := range e.Always {
		if v, ok := was.Outputs[name]; ok && o.Outputs[name] == nil {
			o.Outputs[name] = v
		}
	}
	return a.put(o)
}

// A Partial error means that AWS made a change, and then refused a further call of the provider. The object exists. It is in the
// state, and the next update completes it.
type Partial struct{ Err error }

func (e *Partial) Error() string { return e.Err.Error() }

func (e *Partial) Unwrap() error { return e.Err }

// finished authorises the calls that the provider makes on an object that it has just created or changed.
func (a *Account) finished(o *Object, operations ...operation) error {
	for _, op := range operations {
		if err := a.permitted(op, o, nil); err != nil {
			return &Partial{o.hide(err)}
		}
	}
	return nil
}

// MayRead returns AWS's refusal of the calls that read an object; nil also if there is none.
func (a *Account) MayRead(token, id string) error {
	a.mu.RLock()
	defer a.mu.RUnlock()
	o := a.get(token, id)
	if o == nil {
		return nil
	}
	if err := a.permittedCalls(a.callsOf(reads, o, nil)); err != nil {
		err = o.hide(err)
		a.refused(o.URN, err)
		return err
	}
	return nil
}

// Read returns an object's raw inputs and outputs; ok is false when there is none.
func (a *Account) Read(token, id string) (inputs, outputs map[string]any, ok bool) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	o := a.get(token, id)
	if o == nil {
		return nil, nil, false
	}
	return o.raw(o.Inputs), o.raw(o.Outputs), true
}

// Delete deletes an object. It is not an error if there is none.
func (a *Account) Delete(token, id string) (err error) {
	k, _, err := a.registry.find(token)
	if err != nil {
		return err
	}
	a.mu.RLock()
	o := a.get(token, id)
	a.mu.RUnlock()
	if o == nil {
		return nil
	}
	defer func() { a.refused(o.URN, err) }()
	// The provider then makes no call, and the resource stays in the account. It no longer belongs to any program.
	if Inputs(o.Outputs).Bool("skipDestroy") {
		return a.Alter(token, id, func(o *Object) { o.URN = "" })
	}
	action := k.DeleteAction
	if action == "" {
		action = k.CreateAction
	}
	if err := a.permitted(deletes, o, nil); err != nil {
		return o.hide(err)
	}
	if err := a.before(action, o); err != nil {
		return err
	}
	if _, err := a.carry(o, nil); err != nil {
		return o.hide(err)
	}
	a.mu.Lock()
	err = a.delete(k, token, id, action)
	a.mu.Unlock()
	if err != nil {
		return o.hide(err)
	}
	return a.flush()
}

func (a *Account) delete(k *rule, token, id, action string) error {
	o := a.get(token, id)
	if o == nil {
		return nil
	}
	if k.CheckDelete != nil {
		if err := k.CheckDelete(a, o); err != nil {
			return acting(err, action)
		}
	}
	if k.InUse != "" {
		if users := a.users(o); len(users) > 0 {
			return &Error{Code: k.InUse, Action: action, Message: fmt.Sprintf("The %s '%s' has dependencies and cannot be deleted.", noun(token),
				id), Why: "in use by " + several(users), Fix: "delete what uses it first: make it depend on " + o.describe()}
		}
	}
	a.drop(o)
	if k.AfterDelete != nil {
		k.AfterDelete(a, o)
	}
	return nil
}

// prepare builds the object that a change asks for, without computed outputs.
func prepare(k *rule, e *entry, c Change) (*Object, error) {
	in, unknown, secret := plainInputs(c.Inputs)
	if len(unknown) > 0 {
		return nil, fmt.Errorf("%s: the engine sent an unknown value outside a preview: %s", c.URN, strings.Join(sortedKeys(unknown), ", "))
	}
	o := &Object{Type: c.Type, URN: c.URN, Inputs: in, Outputs: cloneMap(in)}
	delete(o.Outputs, defaultsMark)
	for path, v := range k.defaults {
		setDefault(o.Outputs, parsePath(path), v)
	}
	if e.Out["tagsAll"] != nil {
		o.Outputs["tagsAll"] = allTags(c.Tags, in)
	}
	o.Secrets = sortedKeys(secret)
	return o, nil
}

// before counts the call and lets the Before hook refuse it.
func (a *Account) before(action string, o *Object) error {
	n := a.calls.Add(1)
	if a.Before == nil {
		return nil
	}
	return a.Before(int(n), action, o.copy())
}

// compute sets o's computed outputs.
func (a *Account) compute(k *rule, e *entry, o *Object) error {
	created := o.ID == ""
	if k.Compute != nil {
		if err := k.Compute(a, o); err != nil {
			if created && o.ID != "" {
				a.dropOwned(o)
			}
			return acting(err, k.CreateAction)
		}
	}
	if o.ID == "" {
		o.ID = k.name(o)
	}
	if o.ID == "" {
		return fmt.Errorf("the model has no ID for %s", k.Type)
	}
	o.Outputs = cloneMap(o.Outputs)
	o.markSecrets(e)
	return nil
}

// Invoke answers a data source from the account, or returns what is wrong with the arguments.
func (a *Account) Invoke(token string, args map[string]any) (map[string]any, []Problem, error) {
	e := schema().get("F " + token)
	if e == nil {
		return nil, nil, fmt.Errorf("the AWS provider has no data source %s%s", token, suggest(token, sortedKeys(a.registry.sources)))
	}
	answer := a.registry.sources[token]
	if answer == nil {
		return nil, nil, fmt.Errorf("the model does not know the data source %s, so the rehearsal cannot predict what AWS would answer%s", token,
			suggest(token, sortedKeys(a.registry.sources)))
	}
	if problems := e.check(args); len(problems) > 0 {
		return nil, problems, nil
	}
	in, _ := Plain(args)
	a.mu.RLock()
	var out map[string]any
	err := a.permittedCalls(a.sourceCalls(token, in))
	if err == nil {
		out, err = answer(a, in)
	}
	a.mu.RUnlock()
	if err != nil {
		return nil, nil, err
	}
	out = cloneMap(out)
	for name, v := range in {
		if e.Out[name] != nil && out[name] == nil {
			out[name] = v
		}
	}
	found := map[string]bool{}
	secretPaths(e.Out, out, "", found)
	for path := range found {
		replaceAt(out, parsePath(path), func(v any) any { return Secret{v} })
	}
	return out, nil, nil
}

// Refusals are the calls of a deployment that AWS refused, in the order in which they were made.
func (a *Account) Refusals() []Finding {
	a.refusing.Lock()
	defer a.refusing.Unlock()
	return slices.Clone(a.refusals)
}

// refused keeps AWS's refusal of an operation on a resource.
func (a *Account) refused(urn string, err error) {
	var e *Error
	var late *Unsteady
	var f Finding
	switch {
	case errors.As(err, &e):
		f = e.finding(urn)
	case errors.As(err, &late):
		f = late.finding(urn)
	default:
		return
	}
	a.refusing.Lock()
	defer a.refusing.Unlock()
	a.refusals = append(a.refusals, f)
}
