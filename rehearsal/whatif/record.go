package whatif

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/agnivade/levenshtein"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/structpb"
)

type (
	request  = pulumirpc.RegisterResourceRequest
	response = pulumirpc.RegisterResourceResponse
	register = func(context.Context, *request) (*response, error)
)

// A Resource is what the program registered, and what it got.
type Resource struct {
	URN, Type, Name string
	Custom          bool
	Inputs          *structpb.Struct
	Outputs         *structpb.Struct // nil: it was never made
	ID              string
	Frames          []Frame // where the program registered it, the innermost first
}

// A Frame is a line of the program.
type Frame struct {
	URI  string // file:///...
	Line int
}

// called is how a flag can name the resource, and no other.
func (r *Resource) called() string { return r.Type + "::" + r.Name }

// A Record is what a program registers. It is a Monitor that changes nothing.
type Record struct {
	mu    sync.Mutex
	byURN map[string]*Resource
	order []*Resource
}

// NewRecord returns an empty Record.
func NewRecord() *Record { return &Record{byURN: map[string]*Resource{}} }

// Register notes a resource.
func (r *Record) Register(ctx context.Context, q *request, engine register) (*response, error) {
	one := &Resource{Type: q.GetType(), Name: q.GetName(), Custom: q.GetCustom(), Inputs: q.GetObject(), Frames: framesOf(q)}
	// The engine's URN is not known before it answers, and a resource that cannot be made is of interest too.
	provisional := q.GetParent() + "\x00" + one.called()
	r.put(provisional, one)
	answer, err := engine(ctx, q)
	if err == nil {
		done := *one
		done.URN, done.ID, done.Outputs = answer.GetUrn(), answer.GetId(), answer.GetObject()
		r.put(provisional, &done)
	}
	return answer, err
}

func (r *Record) put(key string, one *Resource) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if was := r.byURN[key]; was != nil {
		r.order[slices.Index(r.order, was)] = one
	} else {
		r.order = append(r.order, one)
	}
	r.byURN[key] = one
}

// Outputs passes the outputs of components on.
func (r *Record) Outputs(*pulumirpc.RegisterResourceOutputsRequest) bool { return true }

// Finish has nothing to do.
func (r *Record) Finish(context.Context, register) error { return nil }

// Resources are the resources in the order in which the program registered them.
func (r *Record) Resources() []*Resource {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.order)
}

// Frames are the lines of the program that registered the resource with a URN, the innermost first. A resource that could not be made
// is found by its type and name.
func (r *Record) Frames(urn string) []Frame {
	parts := strings.Split(urn, "::")
	if len(parts) < 4 {
		return nil
	}
	name := parts[2][strings.LastIndex(parts[2], "$")+1:] + "::" + strings.Join(parts[3:], "::")
	for _, one := range r.Resources() {
		if one.URN == urn || one.called() == name {
			return one.Frames
		}
	}
	return nil
}

func framesOf(q *request) []Frame {
	var all []Frame
	for _, f := range q.GetStackTrace().GetFrames() {
		if p := f.GetPc(); p.GetUri() != "" {
			all = append(all, Frame{p.GetUri(), int(p.GetLine())})
		}
	}
	if p := q.GetSourcePosition(); len(all) == 0 && p.GetUri() != "" {
		all = append(all, Frame{p.GetUri(), int(p.GetLine())})
	}
	return all
}

// find is the one resource that a flag names: [TYPE::]NAME.
func (r *Record) find(target string) (*Resource, error) {
	return one(target, r.named(target), r.Resources())
}

// named are the resources that [TYPE::]NAME fits.
func (r *Record) named(target string) []*Resource {
	token, name := splitTarget(target)
	var found []*Resource
	for _, one := range r.Resources() {
		if one.Name == name && (token == "" || isType(one.Type, token)) {
			found = append(found, one)
		}
	}
	return found
}

// one is the only one of those that were found; otherwise an error says what there is.
func one(target string, found, all []*Resource) (*Resource, error) {
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return nil, unknownName(target, all)
	}
	var candidates []string
	for _, r := range found {
		candidates = append(candidates, "\n  "+r.called())
	}
	return nil, fmt.Errorf("%d resources have this name; name one of them:%s", len(found), strings.Join(candidates, ""))
}

func unknownName(target string, all []*Resource) error {
	token, name := splitTarget(target)
	var sameName, names []string
	for _, r := range all {
		names = append(names, r.Name)
		if r.Name == name {
			sameName = append(sameName, r.called())
		}
	}
	if token != "" && len(sameName) > 0 {
		return fmt.Errorf("no resource of type %s has this name; there are %s", token, strings.Join(sameName, ", "))
	}
	return fmt.Errorf("the program has no resource %q%s", name, suggest(name, names))
}

// splitTarget splits [TYPE::]NAME.
func splitTarget(target string) (token, name string) {
	if i := strings.LastIndex(target, "::"); i >= 0 {
		return target[:i], target[i+2:]
	}
	return "", target
}

// isType says whether a type may be written so: aws:ec2/vpc:Vpc, aws:ec2:Vpc or Vpc.
func isType(token, written string) bool {
	return token == written || token == canonical(written) || strings.EqualFold(token[strings.LastIndex(token, ":")+1:], written)
}

// canonical is the full form of a type: aws:ec2/vpc:Vpc for aws:ec2:Vpc.
func canonical(token string) string {
	parts := strings.Split(token, ":")
	if len(parts) != 3 || strings.Contains(parts[1], "/") || parts[2] == "" {
		return token
	}
	return fmt.Sprintf("%s:%s/%s%s:%s", parts[0], parts[1], strings.ToLower(parts[2][:1]), parts[2][1:], parts[2])
}

// suggest ends a message about a name that is not known: with the nearest one, or with all if they are few.
func suggest(name string, known []string) string {
	best, distance := "", len(name)/2+1
	for _, k := range known {
		d := levenshtein.ComputeDistance(strings.ToLower(name), strings.ToLower(k))
		if name != "" && strings.HasPrefix(strings.ToLower(k), strings.ToLower(name)) {
			d = min(d, 1)
		}
		if d < distance {
			best, distance = k, d
		}
	}
	switch {
	case best != "":
		return fmt.Sprintf("; did you mean %q?", best)
	case len(known) > 0 && len(known) <= 30:
		sorted := slices.Compact(slices.Sorted(slices.Values(known)))
		return "; there are " + strings.Join(sorted, ", ")
	}
	return ""
}
