// Package cloud is a model of one AWS account in one region: what it holds, what AWS refuses, and why.
//
// Property names, types and replacements come from the schema of the AWS provider (schema.go). AWS's own rules are in one
// Kind per resource type (kind.go, kinds_*.go). The account stores objects (account.go, store.go) and runs the operations of a
// resource's life (check.go, diff.go, preview.go, operate.go); each checks references, names in use and dependants (judge.go).
// Checks of the account as a whole, such as who may call what, read it through Objects; Account.Before sees each call.
// The package does not depend on Pulumi.
package cloud

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"slipway/rehearsal/iam"
)

// An Account is the model of one AWS account in one region. It is safe for concurrent use. Kinds use its unexported methods,
// which expect the operation that calls them to hold the lock.
type Account struct {
	// Before is called before each API call that changes something, with the number of the call (from 1), the API action, and
	// the object as known so far. Its error becomes the answer, and nothing changes. It must not call the account. Set it
	// before the account is used.
	Before func(n int, action string, o *Object) error

	// Tasks decides how a started task ends; by default with exit code 0. When its context is done it stops the task. Set it
	// before the account is used.
	Tasks func(context.Context, TaskRun) TaskResult

	// Carry runs the tasks of a service: it is called after the service was created (was is nil) or updated, and before it is
	// deleted (now is nil). It may call the account. A *Failure in its error means that the deployment failed, see Healthy; any
	// other error becomes the answer of the operation, which is undone. By default no tasks run. Set it while the account is
	// not in use.
	Carry func(was, now *Object) error

	// Healthy decides whether the tasks of a created or updated service become healthy; definition is its task definition. A
	// failure trips the deployment circuit breaker. By default all tasks become healthy. It must not call the account. Set it
	// before the account is used.
	Healthy func(service, definition *Object) *Failure

	// Caller makes the calls; by default an administrator. Organization limits every caller of the account. Set both while the
	// account is not in use.
	Caller       Caller
	Organization ControlPolicies

	// Called is what people call roles, by their names: "deploy role". Set it while the account is not in use.
	Called map[string]string
	// IAMDelay is a fault: other services see what this process creates or changes in IAM only at a later attempt. Set it before the
	// account is used.
	IAMDelay bool

	// Watch sees each call before it is authorised. Set it while the account is not in use; it must not call the account.
	Watch func(Caller, Call)
	// Evaluated sees each request that is decided, with the policies that decide it: those of the caller's own calls, and those of
	// services and roles (see Use). It can be called by several goroutines at once. Set it while the account is not in use; it must not
	// call the account.
	Evaluated func(iam.Request, iam.Policies)

	// Read only. Move changes the region of an empty account.
	Region, AccountID, Partition string

	registry  *registry
	now       func() time.Time
	store     *store
	calls     atomic.Int64
	documents sync.Map // policies by name and text -> *iam.Document
	// The documents of each role, by its ID -> rolePolicies.
	identities sync.Map

	mu       sync.RWMutex
	objects  map[string]map[string]*Object // by type and ID
	order    map[*Object]int               // creation order
	next     int
	encoded  map[*Object]json.RawMessage
	arns     map[string]*Object // by ARN
	iam      int                // counts changes of IAM's objects
	judges   map[string]judge
	delay    delay
	tasks    []TaskRecord
	rollouts []Rollout
	version  int // counts changes

	refusing sync.Mutex
	refusals []Finding // see Refusals

	saving sync.Mutex
	saved  int // the version that is on disk

	contracts sync.Map // what is known about images: its JSON -> *contracts.Image
}

// Close writes pending changes and releases the lock.
func (a *Account) Close() error {
	return errors.Join(a.write(true), a.store.close())
}

// Path is the account's file.
func (a *Account) Path() string { return a.store.path }

// Move changes the region of an empty account.
func (a *Account) Move(region string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	r, ok := regions[region]
	switch {
	case !ok:
		return UnknownRegion(region)
	case region == a.Region:
		return nil
	case !a.empty():
		return fmt.Errorf("the model holds resources in %s, and the provider's region is %s: destroy them first", a.Region, region)
	}
	a.Region, a.Partition = region, r.partition()
	a.version++
	return nil
}

// Objects lists copies of all objects, in the order of their creation.
func (a *Account) Objects() []*Object {
	a.mu.RLock()
	defer a.mu.RUnlock()
	all := a.all()
	for i, o := range all {
		all[i] = o.copy()
	}
	return all
}

// Object returns a copy of one object, nil if there is none.
func (a *Account) Object(token, id string) *Object {
	a.mu.RLock()
	defer a.mu.RUnlock()
	if o := a.get(token, id); o != nil {
		return o.copy()
	}
	return nil
}

// Summary counts the objects of the account by type, without those that existed before the program.
func (a *Account) Summary() map[string]int {
	a.mu.RLock()
	defer a.mu.RUnlock()
	counts := map[string]int{}
	for token, objects := range a.objects {
		for _, o := range objects {
			if !o.Seeded {
				counts[token]++
			}
		}
	}
	return counts
}

// Empty reports whether the account holds only what existed before the program.
func (a *Account) Empty() bool { a.mu.RLock(); defer a.mu.RUnlock(); return a.empty() }

func (a *Account) empty() bool {
	for _, objects := range a.objects {
		for _, o := range objects {
			if !o.Seeded {
				return false
			}
		}
	}
	return true
}

// Made lists the objects that a program created. It leaves out those that existed before, and those that AWS creates and
// deletes together with another object.
func (a *Account) Made() []*Object {
	a.mu.RLock()
	defer a.mu.RUnlock()
	var made []*Object
	for _, o := range a.all() {
		if !o.Seeded && o.Owner == "" && o.URN != "" {
			made = append(made, o.copy())
		}
	}
	return made
}

// Remove deletes an object behind the program's back, without any checks. It reports whether there was one.
func (a *Account) Remove(token, id string) (bool, error) {
	a.mu.Lock()
	o := a.get(token, id)
	if o != nil {
		a.drop(o)
		if k := a.registry.kinds[token]; k != nil && k.AfterDelete != nil {
			k.AfterDelete(a, o)
		}
	}
	a.mu.Unlock()
	return o != nil, a.flush()
}

// Alter changes an object behind the program's back, to cause drift.
func (a *Account) Alter(token, id string, change func(o *Object)) error {
	a.mu.Lock()
	o := a.get(token, id)
	if o == nil {
		a.mu.Unlock()
		return fmt.Errorf("there is no %s %s", noun(token), id)
	}
	c := o.copy()
	change(c)
	c.Inputs, c.Outputs = cloneMap(c.Inputs), cloneMap(c.Outputs)
	err := a.put(c)
	a.mu.Unlock()
	return errors.Join(err, a.flush())
}

// The methods below are for operations and kinds, which hold the account's lock.

// get returns an object, nil if there is none. It is not a copy and must not be changed.
func (a *Account) get(token, id string) *Object { return a.objects[token][id] }

// was returns the object as it was before the current update; nil in a create.
func (a *Account) was(o *Object) *Object {
	if o.ID == "" {
		return nil
	}
	return a.get(o.Type, o.ID)
}

// list returns the objects of the types, oldest first. They are not copies and must not be changed.
func (a *Account) list(tokens ...string) []*Object {
	var all []*Object
	for _, token := range tokens {
		for _, o := range a.objects[token] {
			all = append(all, o)
		}
	}
	slices.SortFunc(all, func(x, y *Object) int { return a.order[x] - a.order[y] })
	return all
}

func (a *Account) all() []*Object {
	all := make([]*Object, 0, len(a.order))
	for o := range a.order {
		all = append(all, o)
	}
	slices.SortFunc(all, func(x, y *Object) int { return a.order[x] - a.order[y] })
	return all
}

// find returns the object of one of the types whose "id", or an output such as "arn", is value.
func (a *Account) find(by, value string, tokens ...string) *Object {
	for _, token := range tokens {
		if by == "id" {
			if o := a.get(token, value); o != nil {
				return o
			}
			continue
		}
		for _, o := range a.objects[token] {
			if answersTo(o, by, value) {
				return o
			}
		}
	}
	return nil
}

// arn is the ARN of a resource of this account and region: arn("ecs", "cluster/x").
func (a *Account) arn(service, resource string) string {
	return "arn:" + a.Partition + ":" + service + ":" + a.Region + ":" + a.AccountID + ":" + resource
}

// globalARN is the ARN of a resource of this account without a region: globalARN("iam", "role/x").
func (a *Account) globalARN(service, resource string) string {
	return "arn:" + a.Partition + ":" + service + "::" + a.AccountID + ":" + resource
}

// own adds an object that AWS creates and deletes together with parent.
func (a *Account) own(parent, child *Object) error {
	if parent.ID == "" {
		return fmt.Errorf("%s owns a %s before it has an ID", parent.Type, child.Type)
	}
	child.Owner = Key(parent.Type, parent.ID)
	child.Inputs, child.Outputs = cloneMap(child.Inputs), cloneMap(child.Outputs)
	return a.put(child)
}

// insert adds o, or replaces the object of the same type and ID.
func (a *Account) insert(o *Object) {
	place := a.next
	if old := a.get(o.Type, o.ID); old != nil {
		place = a.order[old]
		delete(a.order, old)
		delete(a.encoded, old)
	} else {
		a.next++
	}
	if a.objects[o.Type] == nil {
		a.objects[o.Type] = map[string]*Object{}
	}
	a.objects[o.Type][o.ID] = o
	a.order[o] = place
	if arn := a.arnOf(o); arn != "" {
		a.arns[arn] = o
	}
	a.changedIAM(o)
	for _, j := range a.judges {
		j.changed(o)
	}
}

func (a *Account) put(o *Object) error {
	data, err := a.store.encode(o)
	if err != nil {
		return fmt.Errorf("%s %s: %w", o.Type, o.ID, err)
	}
	a.insert(o)
	a.encoded[o] = data
	a.version++
	return nil
}

// drop removes o and what it owns.
func (a *Account) drop(o *Object) {
	delete(a.objects[o.Type], o.ID)
	if len(a.objects[o.Type]) == 0 {
		delete(a.objects, o.Type)
	}
	delete(a.order, o)
	delete(a.encoded, o)
	if arn := a.arnOf(o); a.arns[arn] == o {
		delete(a.arns, arn)
	}
	a.changedIAM(o)
	for _, j := range a.judges {
		j.changed(o)
	}
	a.version++
	a.dropOwned(o)
}

func (a *Account) dropOwned(o *Object) {
	key := Key(o.Type, o.ID)
	for _, objects := range a.objects {
		for _, c := range objects {
			if c.Owner == key {
				a.drop(c)
			}
		}
	}
}

// flush returns when every change made before the call is in the file. Concurrent calls share one write.
func (a *Account) flush() error { return a.write(false) }

func (a *Account) write(lasting bool) error {
	a.mu.RLock()
	want := a.version
	a.mu.RUnlock()
	a.saving.Lock()
	defer a.saving.Unlock()
	if a.saved >= want && !(lasting && a.saved > 0) {
		return nil
	}
	a.mu.RLock()
	img := &image{Version: imageVersion, Region: a.Region, AccountID: a.AccountID, Partition: a.Partition}
	for _, o := range a.all() {
		img.Objects = append(img.Objects, a.encoded[o])
	}
	for _, t := range a.tasks {
		data, err := json.Marshal(t)
		if err != nil {
			a.mu.RUnlock()
			return err
		}
		img.Tasks = append(img.Tasks, data)
	}
	for _, r := range a.rollouts {
		data, err := json.Marshal(r)
		if err != nil {
			a.mu.RUnlock()
			return err
		}
		img.Rollouts = append(img.Rollouts, data)
	}
	have := a.version
	a.mu.RUnlock()
	if err := a.store.save(img, lasting); err != nil {
		return err
	}
	a.saved = have
	return nil
}

// others are the objects of a type, without o itself.
func others(a *Account, o *Object, token string) []*Object {
	var all []*Object
	for _, other := range a.list(token) {
		if other.Type != o.Type || o.ID == "" || other.ID != o.ID {
			all = append(all, other)
		}
	}
	return all
}

// find is a.find for values that may be empty.
func find(a *Account, by, value string, tokens ...string) *Object {
	if value == "" {
		return nil
	}
	return a.find(by, value, tokens...)
}

// zonesOf are the names of the region's availability zones.
func zonesOf(a *Account) []string { return regions[a.Region].zoneNames() }

// A limit is a quota of the account. among selects the objects that count; nil means all of the type.
type limit struct {
	most          int
	code, message string
	among         func(*Object) bool
}

// check refuses an object beyond the limit.
func (l limit) check(a *Account, o *Object) error {
	if o.ID != "" {
		return nil // an update
	}
	n := 0
	for _, other := range a.list(o.Type) {
		if l.among == nil || l.among(other) {
			n++
		}
	}
	if n >= l.most {
		return refuse(l.code, fmt.Sprintf("the quota is %d and there are %d", l.most, n), "%s", l.message)
	}
	return nil
}
