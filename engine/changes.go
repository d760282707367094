package engine

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/diag/colors"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// A Change is what an operation did, or would do, to one resource.
type Change struct {
	URN        string     `json:"urn"`
	Type       string     `json:"type"`
	Op         string     `json:"op"` // "create", "update", "replace" or "delete"
	Properties []Property `json:"properties,omitempty"`

	Inputs    map[string]any `json:"-"` // of a resource that is created or replaced
	Protected bool           `json:"-"` // the state says that the engine must not delete it
	Component bool           `json:"-"` // it is a group of resources, nothing in itself
}

// Name is the resource's name in the program.
func (c Change) Name() string { return resource.URN(c.URN).Name() }

// Made is an input, at a property path, of a resource that is created or replaced: a string, "[unknown]" or "[secret]"; "" if
// it has none there.
func (c Change) Made(path string) string {
	text, _ := valueAt(c.Inputs, path).(string)
	return text
}

// A Property is one input that changed. The value of a secret is "[secret]".
type Property struct {
	Path string `json:"path"` // "tags.team", "rules[0].port"
	Kind string `json:"kind"` // "add", "update" or "delete"; ends in "-replace" if it is what replaces the resource
	From any    `json:"from,omitempty"`
	To   any    `json:"to,omitempty"`
}

// A Result is what an operation did, or would do.
type Result struct {
	Changes []Change       // sorted by URN; what stays as it is has none
	Counts  map[string]int // by operation, "same" included
	Groups  map[Group]int  // how many resources change, components aside
	Outputs map[string]any // of the stack, secrets masked
	Took    time.Duration

	// Reread are the steps that read a resource back, of a preview that did so.
	Reread []apitype.StepEventMetadata

	// Unsettled says that an update would write something into the state although no resource changes, such as a protection.
	Unsettled bool
}

// Changed is how many resources changed.
func (r Result) Changed() int { return len(r.Changes) }

// Add is what two operations did, in sequence.
func (r Result) Add(next Result) Result {
	sum := Result{Changes: slices.Concat(r.Changes, next.Changes), Counts: map[string]int{}, Outputs: next.Outputs, Took: r.Took + next.Took,
		Unsettled: r.Unsettled || next.Unsettled}
	for _, counts := range []map[string]int{r.Counts, next.Counts} {
		for op, n := range counts {
			sum.Counts[op] += n
		}
	}
	return sum
}

// An Event is a step of an operation, reported while it happens.
type Event struct {
	Change    Change
	Phase     Phase
	Component bool          // it only groups resources
	Group     Group         // the outermost component that the resource is in
	Took      time.Duration // how long the step took, once it is over
}

// A Group is a component that stands directly below the stack, with everything that is in it. A resource without one has the zero
// Group.
type Group struct{ Name, Type string }

// A Phase is where a step is.
type Phase int

const (
	Begun Phase = iota
	Done
	Failed
)

// A Failure is an operation that did not complete. The state says what was done.
type Failure struct {
	Operation   string
	Interrupted bool
	Problems    []Problem
	Cause       error  // what the engine said, where no resource is to blame
	Done        Result // what was done before it failed, or planned
}

// A Problem is what went wrong with a resource, or with the program if URN is empty.
type Problem struct {
	URN       string
	Message   string
	Protected bool   // the operation would have deleted or replaced it, and it is protected
	Hook      string // the hook of the program that failed; "": none did
}

// protected is how the engine begins when it refuses to replace or delete a protected resource. It goes on to recommend
// commands of its own, which would take the protection away for good.
var protected = []struct {
	message *regexp.Regexp
	op      string
}{
	{regexp.MustCompile(`(?s)unable to replace resource "([^"]+)".*as it is currently marked for protection`), "replace"},
	{regexp.MustCompile(`resource "([^"]+)" cannot be deleted\s+because it is protected`), "delete"},
}

// hook is what the engine says of a hook that failed.
var hook = regexp.MustCompile(`(?s)^(?:Preview failed: )?(?:before|after) hook "([^"]*)" failed: (.*)$`)

// valued is how the engine quotes the value of a property that a provider refuses.
var valued = regexp.MustCompile(`(?s)^(\S+ resource '[^']*': property \S+ value \{)(.*)(\} has a problem: .*)$`)

// short shortens such a value: it may be the whole policy or all containers of a task, in one line. The engine quotes a secret in
// plain text, as a pointer to it, so that is left out.
func short(message string) string {
	const most = 200
	m := valued.FindStringSubmatch(message)
	if m == nil {
		return message
	}
	if strings.HasPrefix(m[2], "&{") {
		return m[1] + "[secret]" + m[3]
	}
	value := []rune(m[2])
	if len(value) <= most {
		return message
	}
	return fmt.Sprintf("%s%s... (%d characters)%s", m[1], string(value[:most]), len(value), m[3])
}

// problemOf is an error that the engine reported, in the user's terms.
func problemOf(urn, message string) Problem {
	message = strings.TrimSpace(colors.Never.Colorize(message))
	if m := hook.FindStringSubmatch(message); m != nil {
		return Problem{URN: urn, Message: m[2], Hook: m[1]}
	}
	for _, p := range protected {
		if m := p.message.FindStringSubmatch(message); m != nil {
			return Problem{URN: m[1], Message: "it is protected, and this would " + p.op + " it", Protected: true}
		}
	}
	return Problem{URN: urn, Message: short(message)}
}

func (f *Failure) Unwrap() error { return f.Cause }

func (f *Failure) Error() string {
	var b strings.Builder
	if f.Interrupted {
		b.WriteString(f.Operation + " was interrupted; what was done is recorded, and the next run continues from there")
	} else {
		b.WriteString(f.Operation + " failed")
	}
	for _, p := range f.Problems {
		b.WriteString("\n  ")
		if p.URN != "" {
			urn := resource.URN(p.URN)
			b.WriteString(urn.Name() + " (" + string(urn.Type()) + "): ")
		}
		b.WriteString(strings.ReplaceAll(p.Message, "\n", "\n    "))
	}
	if len(f.Problems) == 0 && !f.Interrupted && f.Cause != nil {
		b.WriteString(": " + f.Cause.Error())
	}
	return b.String()
}

// A record makes a Result of the engine's events.
type record struct {
	onEvent  func(Event)
	result   Result
	problems []Problem
	begun    map[string]time.Time // by operation and URN
	parents  map[string]string    // of components, by URN
}

// newRecord is a record of an operation on the resources of a state: a component that is deleted is heard of after what is in it.
func newRecord(onEvent func(Event), state Checkpoint) *record {
	r := &record{
		onEvent: onEvent, result: Result{Counts: map[string]int{}, Groups: map[Group]int{}},
		begun: map[string]time.Time{}, parents: map[string]string{},
	}
	for _, known := range state.Resources {
		if !known.Custom {
			r.parents[string(known.URN)] = string(known.Parent)
		}
	}
	return r
}

// finish sorts the changes when the last event was added.
func (r *record) finish() {
	slices.SortFunc(r.result.Changes, func(a, b Change) int { return cmp.Compare(a.URN, b.URN) })
}

func (r *record) add(event apitype.EngineEvent) {
	switch {
	case event.ResourcePreEvent != nil:
		meta := event.ResourcePreEvent.Metadata
		if state := cmp.Or(meta.New, meta.Old); state != nil && !state.Custom {
			r.parents[meta.URN] = state.Parent
		}
		if event.ResourcePreEvent.Planning { // a preview reports nothing else about the step
			r.count(meta)
			return
		}
		r.begun[string(meta.Op)+meta.URN] = time.Now()
		if meta.Op != apitype.OpSame {
			r.tell(meta, Begun)
		}
	case event.ResOutputsEvent != nil:
		meta := event.ResOutputsEvent.Metadata
		if meta.Type == string(resource.RootStackType) && meta.New != nil {
			r.result.Outputs = meta.New.Outputs
		}
		if event.ResOutputsEvent.Planning {
			return
		}
		r.count(meta)
		if meta.Op != apitype.OpSame {
			r.tell(meta, Done)
		}
	case event.ResOpFailedEvent != nil:
		meta := event.ResOpFailedEvent.Metadata
		r.tell(meta, Failed)
	case event.DiagnosticEvent != nil && event.DiagnosticEvent.Severity == "error":
		problem := problemOf(event.DiagnosticEvent.URN, event.DiagnosticEvent.Message)
		says := problem.Message != "update failed" && problem.Message != "preview failed"
		if says && !slices.Contains(r.problems, problem) {
			r.problems = append(r.problems, problem)
		}
	}
}

func (r *record) tell(meta apitype.StepEventMetadata, phase Phase) {
	if kept(meta.Type) {
		return
	}
	change := changeOf(meta)
	event := Event{Change: change, Phase: phase, Component: change.Component}
	if state := cmp.Or(meta.New, meta.Old); state != nil {
		event.Group = r.groupOf(state.Parent)
	}
	if at, ok := r.begun[string(meta.Op)+meta.URN]; ok && phase != Begun {
		event.Took = time.Since(at)
	}
	r.onEvent(event)
}

// groupOf is the outermost component at or above a resource.
func (r *record) groupOf(urn string) (group Group) {
	for seen := 0; urn != "" && seen <= len(r.parents); seen++ { // a state that was edited by hand may have a circle
		if kind := resource.URN(urn).Type(); kind != resource.RootStackType {
			group = Group{Name: resource.URN(urn).Name(), Type: string(kind)}
		}
		urn = r.parents[urn]
	}
	return group
}

// kept says whether a type is a value that the program keeps in the state, or the provider of those. They are nothing in the
// account, so their changes do not count.
func kept(token string) bool {
	return token == "pulumi:index:Stash" || token == "pulumi:providers:pulumi"
}

// count enters a step. A replacement is three steps to the engine; here it is the one that it calls "replace".
func (r *record) count(meta apitype.StepEventMetadata) {
	r.result.Unsettled = r.result.Unsettled || unsettled(meta)
	if kept(meta.Type) {
		return
	}
	switch meta.Op {
	case apitype.OpCreateReplacement, apitype.OpDeleteReplaced, apitype.OpRead, apitype.OpReadDiscard, apitype.OpRefresh,
		apitype.OpDiscardReplaced, apitype.OpRemovePendingReplace, apitype.OpReadReplacement:
		return
	}
	r.result.Counts[string(meta.Op)]++
	if meta.Op != apitype.OpSame {
		r.result.Changes = append(r.result.Changes, changeOf(meta))
		if state := cmp.Or(meta.New, meta.Old); state != nil && state.Custom {
			r.result.Groups[r.groupOf(state.Parent)]++
		}
	}
}

// unsettled says whether a step writes something into the state.
func unsettled(meta apitype.StepEventMetadata) bool {
	if meta.Op != apitype.OpSame || meta.Old == nil || meta.New == nil {
		return true
	}
	old, now := meta.Old, meta.New
	return old.Protect != now.Protect || old.RetainOnDelete != now.RetainOnDelete || old.Parent != now.Parent ||
		old.Provider != now.Provider ||
		len(old.InitErrors) > 0
}

func changeOf(meta apitype.StepEventMetadata) Change {
	state := cmp.Or(meta.New, meta.Old)
	change := Change{
		URN: meta.URN, Type: meta.Type, Op: string(meta.Op), Properties: propertiesOf(meta),
		Protected: meta.Old != nil && meta.Old.Protect, Component: state != nil && !state.Custom,
	}
	if meta.New != nil && (meta.Op == apitype.OpCreate || meta.Op == apitype.OpReplace) {
		change.Inputs = meta.New.Inputs
	}
	return change
}

func propertiesOf(meta apitype.StepEventMetadata) []Property {
	if meta.Old == nil || meta.New == nil {
		return nil
	}
	kinds := map[string]string{}
	for path, diff := range meta.DetailedDiff {
		kinds[path] = string(diff.Kind)
	}
	if len(kinds) == 0 {
		for _, path := range meta.Diffs {
			kinds[path] = string(apitype.DiffUpdate)
		}
	}
	var all []Property
	for path, kind := range kinds {
		all = append(all, Property{Path: path, Kind: kind, From: valueAt(meta.Old.Inputs, path), To: valueAt(meta.New.Inputs, path)})
	}
	slices.SortFunc(all, func(a, b Property) int { return cmp.Compare(a.Path, b.Path) })
	return all
}

// valueAt is the value at a property path, or nil. The engine has masked secrets already; a value that is not known
// yet is "[unknown]".
func valueAt(inputs map[string]any, at string) any {
	path, err := resource.ParsePropertyPath(at)
	if err != nil {
		return nil
	}
	var value any = inputs
	for _, key := range path {
		switch container := value.(type) {
		case map[string]any:
			name, _ := key.(string)
			value = container[name]
		case []any:
			index, ok := key.(int)
			if !ok || index < 0 || index >= len(container) {
				return nil
			}
			value = container[index]
		default:
			return value // a secret or an asset: masked as a whole
		}
	}
	if value == unknownValue {
		return "[unknown]"
	}
	if marked, ok := value.(map[string]any); ok && marked[resource.SigKey] == resource.SecretSig {
		return "[secret]"
	}
	return value
}

// unknownValue is how the engine writes a string that is known only when the operation has been done.
const unknownValue = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"

// A Summary is a Result for other programs to read.
type Summary struct {
	Changes []Change       `json:"changes"`
	Counts  map[string]int `json:"counts"`
	Seconds float64        `json:"seconds"`
}

// Summary is the result without its outputs.
func (r Result) Summary() Summary {
	return Summary{Changes: append([]Change{}, r.Changes...), Counts: r.Counts, Seconds: float64(r.Took.Milliseconds()) / 1000}
}
