// Package catalog has the types in which each component states the facts about the resources that it creates: the
// permissions they need, what a change or a loss of them means, what is watched, which names and ports they take.
//
// Each component has a function Facts in its facts.go, beside the code that creates the resources. site.Catalog joins
// them. The roles of the workflows, the permissions boundary, the rules of drift, the losses that destroy lists and the
// reserved names come from there and nowhere else.
package catalog

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/internal/policy"
)

// A Resource is what a component knows about one type of resource that it creates.
//
// Every column is filled or named in None. A column that is neither is a mistake, which Check reports: an author who
// forgot it has not said that there is nothing to say.
type Resource struct {
	Type string // Pulumi's type token

	Deploy []Grant            // what the deploy role needs for it; the read role gets the part of it that reads
	Bound  []policy.Statement // what the roles of the stack may do with it, or with the role it has: for the boundary

	AWSManaged string // the outputs that AWS changes automatically, as a regular expression: no drift
	Mirrors    string // what it shows of other resources among its outputs, which change when those do
	Risks      []Risk // the changes that are dangerous; the first that fits counts
	Missing    string // what its deletion outside of the program means, if `up` cannot restore it
	Loss       Loss   // what destroy and a plan say about it when it is deleted or replaced

	// Effects are what changes do beyond the change itself. Most resources have none, so this is no column.
	Effects []Effect

	Alarms []Alarm
	Offers []Value // what the app's environment may use of it
	Ports  []int   // on which it listens inside the network

	None Columns // the columns in which there is nothing to say
}

// Columns are columns of the catalog.
type Columns uint

// The columns of a Resource.
const (
	Deploy Columns = 1 << iota
	Bound
	AWSManaged
	Mirrors
	Risks
	Missing
	Losses
	Alarms
	Offers
	Ports
)

// Inert is every column but Deploy and Risks: the None of a resource that only has to be deployed and not be changed.
const Inert = Bound | AWSManaged | Mirrors | Missing | Losses | Alarms | Offers | Ports

var columns = []struct {
	column Columns
	name   string
	filled func(Resource) bool
}{
	{Deploy, "Deploy", func(r Resource) bool { return len(r.Deploy) > 0 }},
	{Bound, "Bound", func(r Resource) bool { return len(r.Bound) > 0 }},
	{AWSManaged, "AWSManaged", func(r Resource) bool { return r.AWSManaged != "" }},
	{Mirrors, "Mirrors", func(r Resource) bool { return r.Mirrors != "" }},
	{Risks, "Risks", func(r Resource) bool { return len(r.Risks) > 0 }},
	{Missing, "Missing", func(r Resource) bool { return r.Missing != "" }},
	{Losses, "Loss", func(r Resource) bool { return r.Loss != Loss{} }},
	{Alarms, "Alarms", func(r Resource) bool { return len(r.Alarms) > 0 }},
	{Offers, "Offers", func(r Resource) bool { return len(r.Offers) > 0 }},
	{Ports, "Ports", func(r Resource) bool { return len(r.Ports) > 0 }},
}

// A Risk is a change that gives access, exposes data or removes a protection.
type Risk struct {
	Path string // of the properties, as a regular expression; what is below them is included
	Why  string
	When func(from, to any) bool // the values for which it is one; nil: all
}

// TurnedOff, TurnedOn and Fewer are values of Risk.When.
func TurnedOff(from, to any) bool { return from == true && to != true }

// TurnedOn is a setting that is on and was not.
func TurnedOn(_, to any) bool { return to == true }

// Fewer is a number that became smaller.
func Fewer(from, to any) bool {
	was, _ := from.(float64)
	is, _ := to.(float64)
	return is < was
}

// A Loss is what destroy says about a resource before it deletes it, and a plan before it replaces or deletes it.
type Loss struct {
	Kind    string // "database", "bucket": the word for it in the list
	Order   int    // in the list: smaller is first
	Says    string
	Holds   string // what is counted in it: "object" or "image"; "": nothing
	Counted string // what becomes of that, after the number
	Again   bool   // nothing is lost with it but time: the program creates it again as it was
}

// An Alarm watches one metric.
type Alarm struct {
	Name       string // "5xx": the physical name is project-stack-5xx
	Why        string // what it means and what to do first
	Namespace  string
	Metric     string
	Statistic  string   // Average, Sum, Maximum, Minimum, or a percentile such as p99
	Dimensions []string // by CloudWatch's names; a Watch has the values
	Above      bool     // true: alarms at or above Threshold; false: at or below it
	Threshold  float64
	Of         string // the capacity of which Threshold is a part, such as "storage"; "": Threshold is the value itself
	Minutes    int    // how long it lasts before it alarms
	Period     int    // seconds

	Check   []string // what to look at, in this order
	Next    string   // the command that comes next, without the flags of the stack: "doctor"
	Entry   string   // of docs/runbook.md; "": Name
	Release bool     // fires if a release is bad: ECS rolls it back
}

// A Watch is the alarms of one component of a stack, with what the facts cannot know: which resource they watch. A component
// that the stack does not have returns the zero Watch, which has no alarms.
type Watch struct {
	Alarms     []Alarm
	Dimensions map[string]pulumi.StringInput // by CloudWatch's names
	Capacity   map[string]float64            // of which thresholds are parts: see Alarm.Of
}

// A Value is one that a resource offers to the templates of app.env.
type Value struct {
	Name   string // "db.host", which a template writes as {db.host}
	Secret bool
}

// Offering is r with the values that it offers.
func (r Resource) Offering(values ...Value) Resource {
	r.Offers, r.None = values, r.None&^Offers
	return r
}

// Plain and Secret are values by their names.
func Plain(names ...string) []Value { return values(names, false) }

// Secret values never appear in a task definition.
func Secret(names ...string) []Value { return values(names, true) }

func values(names []string, secret bool) []Value {
	all := make([]Value, len(names))
	for i, name := range names {
		all[i] = Value{Name: name, Secret: secret}
	}
	return all
}

// Check finds the columns that are neither filled nor named in None, and those that are both.
func (r Resource) Check() error {
	var wrong []error
	if !typeForm.MatchString(r.Type) {
		wrong = append(wrong, fmt.Errorf("catalog: %q is not a type token", r.Type))
	}
	for _, c := range columns {
		switch filled, none := c.filled(r), r.None&c.column != 0; {
		case filled && none:
			wrong = append(wrong, fmt.Errorf("catalog: %s: column %s is filled, and None says that there is nothing", r.Type, c.name))
		case !filled && !none:
			wrong = append(wrong, fmt.Errorf("catalog: %s: column %s is empty: fill it, or name it in None", r.Type, c.name))
		}
	}
	for _, risk := range r.Risks {
		if _, err := regexp.Compile(risk.Path); err != nil || risk.Why == "" {
			wrong = append(wrong, fmt.Errorf("catalog: %s: risk of %q needs a regular expression and a reason", r.Type, risk.Path))
		}
	}
	for _, a := range r.Alarms {
		if !a.valid() {
			wrong = append(wrong, fmt.Errorf("catalog: %s: alarm %s has no entry for the runbook: it needs Why, Check and Next", r.Type, a.Name))
		}
	}
	for _, e := range r.Effects {
		if !e.valid() {
			wrong = append(wrong, fmt.Errorf("catalog: %s: effect of %q needs a regular expression, what it does and what it says, "+
				"and a way if it is impossible", r.Type, e.Path))
		}
	}
	return errors.Join(wrong...)
}

var typeForm = regexp.MustCompile(`^[a-z]+:[A-Za-z0-9/]+:[A-Za-z0-9]+$`)

// A Catalog is the facts of several components. A type that several of them create has a row from each.
type Catalog []Resource

// Check checks every row.
func (c Catalog) Check() error {
	var wrong []error
	for _, r := range c {
		wrong = append(wrong, r.Check())
	}
	return errors.Join(wrong...)
}

// Grants are the permissions of the deploy role.
func (c Catalog) Grants() []Grant {
	var all []Grant
	for _, r := range c {
		all = append(all, r.Deploy...)
	}
	return all
}

// Bounds are the statements of the permissions boundary.
func (c Catalog) Bounds() []policy.Statement {
	var all []policy.Statement
	for _, r := range c {
		all = append(all, r.Bound...)
	}
	return all
}

// Values are the names that templates of app.env may use, and whether each is a secret.
func (c Catalog) Values() map[string]bool {
	all := map[string]bool{}
	for _, r := range c {
		for _, v := range r.Offers {
			all[v.Name] = v.Secret
		}
	}
	return all
}

// Loss is what destroy says about resources of a type; ok is false if it says nothing.
func (c Catalog) Loss(token string) (loss Loss, ok bool) {
	for _, r := range c {
		if r.Type == token && r.Loss != (Loss{}) {
			return r.Loss, true
		}
	}
	return Loss{}, false
}

// Missing is what the deletion of a resource of a type means; "": `up` restores it.
func (c Catalog) Missing(token string) string {
	for _, r := range c {
		if r.Type == token && r.Missing != "" {
			return r.Missing
		}
	}
	return ""
}

// Dangerous is why a change of a property is dangerous; "" if it is not.
func (c Catalog) Dangerous(token, path string, from, to any) string {
	if label(path) {
		return ""
	}
	for _, r := range c {
		if r.Type != token {
			continue
		}
		for _, risk := range r.Risks {
			if within(risk.Path, path) && (risk.When == nil || risk.When(from, to)) {
				return risk.Why
			}
		}
	}
	return ""
}

// ManagedByAWS reports whether AWS changes an output automatically.
func (c Catalog) ManagedByAWS(token, path string) bool {
	return slices.ContainsFunc(c, func(r Resource) bool {
		return r.Type == token && r.AWSManaged != "" && regexp.MustCompile(`^(?:`+r.AWSManaged+`)$`).MatchString(path)
	})
}

// Mirrors reports whether resources of a type show other resources among their outputs.
func (c Catalog) Mirrors(token string) bool {
	return slices.ContainsFunc(c, func(r Resource) bool { return r.Type == token && r.Mirrors != "" })
}

// within reports whether path is one that pattern fits, or below it.
func within(pattern, path string) bool {
	return regexp.MustCompile(`^(?:` + pattern + `)(?:$|[.\[])`).MatchString(path)
}

// label reports whether a property only describes the resource.
func label(path string) bool {
	top, _, _ := strings.Cut(strings.ReplaceAll(path, "[", "."), ".")
	return path == "description" || top == "tags" || top == "tagsAll"
}
