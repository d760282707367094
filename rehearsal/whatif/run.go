package whatif

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/structpb"

	"slipway/rehearsal/cloud"
)

// A Run is a Monitor that makes the changes of a Plan in one run of the program.
type Run struct {
	plan *Plan

	mu      sync.Mutex
	stack   string               // URN
	known   map[string]*response // by TYPE::NAME, and by name for added resources
	left    map[string]bool      // URNs of what was left out
	pending []*addition
	samples map[string]*request // a request for each package, which knows its provider
}

// Run starts a run of the program.
func (p *Plan) Run() *Run {
	return &Run{plan: p, known: map[string]*response{}, left: map[string]bool{}, pending: slices.Clone(p.added),
		samples: map[string]*request{}}
}

// Register makes the changes to one resource.
func (r *Run) Register(ctx context.Context, q *request, engine register) (*response, error) {
	name := q.GetType() + "::" + q.GetName()
	if r.leaves(name, q) {
		answer, err := r.standIn(name, q)
		if err != nil {
			return nil, err
		}
		return answer, r.registered(ctx, name, q, answer, engine)
	}
	if err := r.change(name, q); err != nil {
		return nil, err
	}
	r.forget(q)
	answer, err := engine(ctx, q)
	if err != nil {
		return nil, err
	}
	return answer, r.registered(ctx, name, q, answer, engine)
}

// Outputs says whether the engine knows the component.
func (r *Run) Outputs(q *pulumirpc.RegisterResourceOutputsRequest) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.left[q.GetUrn()]
}

// Finish reports additions that refer to what this run of the program did not register.
func (r *Run) Finish(context.Context, register) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range r.pending {
		return fmt.Errorf("--add %s: %s was not added: the program did not register all of %s", a.file, a.name, strings.Join(a.refs, ", "))
	}
	return nil
}

// leaves says whether a resource is left out: it was named, or is in a resource that is left out.
func (r *Run) leaves(name string, q *request) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.plan.left[name] || r.left[q.GetParent()]
}

// standIn is what the program gets for a resource that is left out.
func (r *Run) standIn(name string, q *request) (*response, error) {
	was := r.recorded(name)
	answer := &response{Object: q.GetObject()}
	if was == nil {
		return nil, fmt.Errorf("%s is left out, and the program as it is does not have it", name)
	}
	answer.Urn, answer.Id = was.URN, was.ID
	if was.URN == "" { // it could not be made
		answer.Urn = "urn:pulumi:left-out::left-out::" + name
	}
	if was.Outputs != nil {
		// What repeats an input is that of this run: it may name a resource that has another ID now.
		outputs, inputs := was.Outputs.AsMap(), q.GetObject().AsMap()
		for key, v := range inputs {
			if _, _, marked := wrapped(v); outputs[key] != nil && !marked {
				outputs[key] = v
			}
		}
		object, err := structpb.NewStruct(outputs)
		if err != nil {
			return nil, err
		}
		answer.Object = object
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.left[answer.Urn] = true
	return answer, nil
}

func (r *Run) recorded(name string) *Resource {
	for _, one := range r.plan.record.Resources() {
		if one.called() == name {
			return one
		}
	}
	return nil
}

// change edits the request for a resource.
func (r *Run) change(name string, q *request) error {
	changes := r.plan.edits[name]
	if len(changes) == 0 {
		return nil
	}
	properties := q.GetObject().AsMap()
	for _, c := range changes {
		var err error
		if c.option != nil {
			err = c.option(q)
		} else {
			err = c.apply(properties, func(v any) (any, error) { return resolve(v, r.output) })
		}
		if err != nil && !errors.Is(err, errUnknown) {
			return fmt.Errorf("%s: %w", c.flag, err)
		}
	}
	object, err := structpb.NewStruct(properties)
	if err == nil {
		q.Object = object
	}
	return err
}

// output is an output that a value refers to.
func (r *Run) output(ref string) (any, error) {
	at, path, err := r.plan.reference(ref)
	if err != nil {
		return nil, err
	}
	name := ""
	if at == nil {
		name, _ = r.plan.ownReference(ref)
	} else {
		name = at.called()
	}
	r.mu.Lock()
	answer := r.known[name]
	r.mu.Unlock()
	if answer == nil {
		return nil, fmt.Errorf("${%s} is not there yet when this resource is made", ref)
	}
	return outputOf(answer.GetUrn(), answer.GetId(), answer.GetObject(), path)
}

// forget drops what refers to resources that the engine does not know.
func (r *Run) forget(q *request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.left) == 0 {
		return
	}
	gone := func(urn string) bool { return r.left[urn] }
	q.Dependencies = slices.DeleteFunc(q.GetDependencies(), gone)
	q.ReplaceWith = slices.DeleteFunc(q.GetReplaceWith(), gone)
	for _, d := range q.GetPropertyDependencies() {
		d.Urns = slices.DeleteFunc(d.GetUrns(), gone)
	}
	if gone(q.GetDeletedWith()) {
		q.DeletedWith = ""
	}
	for _, v := range q.GetObject().GetFields() {
		forgetIn(v, gone)
	}
}

// forgetIn drops dependencies of output values.
func forgetIn(v *structpb.Value, gone func(string) bool) {
	for _, e := range v.GetListValue().GetValues() {
		forgetIn(e, gone)
	}
	fields := v.GetStructValue().GetFields()
	for key, e := range fields {
		if key == "dependencies" && fields[markKey].GetStringValue() == markOutput {
			list := e.GetListValue()
			list.Values = slices.DeleteFunc(list.GetValues(), func(u *structpb.Value) bool { return gone(u.GetStringValue()) })
			continue
		}
		forgetIn(e, gone)
	}
}

// registered notes a resource, and adds those that only waited for it.
func (r *Run) registered(ctx context.Context, name string, q *request, answer *response, engine register) error {
	r.mu.Lock()
	r.known[name] = answer
	if q.GetType() == "pulumi:pulumi:Stack" {
		r.stack = answer.GetUrn()
	}
	if pkg, _, _ := strings.Cut(q.GetType(), ":"); q.GetCustom() && r.samples[pkg] == nil && !r.left[answer.GetUrn()] {
		r.samples[pkg] = q
	}
	r.mu.Unlock()
	for {
		a, urns := r.ready()
		if a == nil {
			return nil
		}
		made, err := r.add(ctx, a, urns, engine)
		if err != nil {
			return fmt.Errorf("--add %s: %s: %w", a.file, a.name, err)
		}
		r.mu.Lock()
		r.known[a.name] = made
		r.mu.Unlock()
	}
}

// ready takes an addition that has everything that it refers to. urns are those resources, without what is left out.
func (r *Run) ready() (*addition, []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, a := range r.pending {
		pkg, _, _ := strings.Cut(a.token, ":")
		if r.stack == "" || r.samples[pkg] == nil {
			continue
		}
		var urns []string
		complete := true
		for _, ref := range a.refs {
			answer := r.known[ref]
			complete = complete && answer != nil
			if complete && !r.left[answer.GetUrn()] {
				urns = append(urns, answer.GetUrn())
			}
		}
		if complete {
			r.pending = slices.Delete(slices.Clone(r.pending), i, i+1)
			return a, urns
		}
	}
	return nil, nil
}

// add registers an addition, with the provider that other resources of its package have.
func (r *Run) add(ctx context.Context, a *addition, urns []string, engine register) (*response, error) {
	v, err := resolve(clone(any(a.properties)), r.output)
	if err != nil {
		return nil, err
	}
	properties := v.(map[string]any)
	known := cloud.Properties(a.token)
	for name, value := range properties {
		if known[name] == "string" || known[name] == "document" {
			if properties[name], err = asText(value); err != nil {
				return nil, err
			}
		}
	}
	object, err := structpb.NewStruct(properties)
	if err != nil {
		return nil, err
	}
	pkg, _, _ := strings.Cut(a.token, ":")
	sample := r.samples[pkg]
	return engine(ctx, &request{Type: a.token, Name: a.name, Parent: r.stack, Custom: true, Object: object, Dependencies: urns,
		Protect: &a.protect, Provider: sample.GetProvider(), Version: sample.GetVersion(), PluginDownloadURL: sample.GetPluginDownloadURL(),
		AcceptSecrets: true, AcceptResources: true, SupportsPartialValues: true, SupportsResultReporting: true,
		PackageRef: sample.GetPackageRef()})
}
