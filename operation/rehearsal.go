package operation

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"slipway/engine"
	"slipway/rehearsal/finding"
)

// A Rehearsal is the result of Rehearse.
type Rehearsal struct {
	Stack   string   `json:"stack"`
	Good    bool     `json:"good"`
	Reasons []string `json:"reasons,omitempty"` // why it is not
	// Findings are the reasons that concern one resource, in detail.
	Findings []finding.Finding `json:"findings,omitempty"`
	// Unjudged are questions that have no answer before the site runs, such as whether an image has a program.
	Unjudged  []string       `json:"unjudged"`
	Up        *Act           `json:"up,omitempty"`
	Again     *Act           `json:"again,omitempty"`
	Protected []string       `json:"protected,omitempty"` // the resources that refused to be destroyed, as they should
	Destroy   *Act           `json:"destroy,omitempty"`
	Left      map[string]int `json:"left,omitempty"` // what destroy left, by type
	// Warnings are about the project.
	Warnings []finding.Finding `json:"warnings,omitempty"`

	said []string // the reasons, without what is in the findings
}

// An Act is one operation of a rehearsal.
type Act struct {
	Counts  map[string]int  `json:"counts"`
	Seconds float64         `json:"seconds"`
	Changes []engine.Change `json:"changes,omitempty"` // of an act that should have none
	Result  engine.Result   `json:"-"`
}

// A NamedAct is an act with its name.
type NamedAct struct {
	Name string
	*Act
}

// Acts are those that took place, in their order.
func (v *Rehearsal) Acts() []NamedAct {
	return slices.DeleteFunc([]NamedAct{{"up", v.Up}, {"up again", v.Again}, {"destroy", v.Destroy}},
		func(a NamedAct) bool { return a.Act == nil })
}

func newAct(r engine.Result) *Act {
	return &Act{Counts: r.Counts, Seconds: r.Summary().Seconds, Result: r}
}

// Wrong is what a rehearsal found, for a terminal: the reasons, then the findings in full.
func (v *Rehearsal) Wrong() []string {
	all := slices.Clone(v.said)
	for _, f := range v.Findings {
		all = append(all, f.String())
	}
	return all
}

// wrong adds a reason, and the findings that it is about. said is the reason without what is in them; "": the reason.
func (v *Rehearsal) wrong(reason, said string, found ...finding.Finding) {
	v.Reasons, v.said = append(v.Reasons, reason), append(v.said, cmp.Or(said, reason))
	v.Findings = finding.Merge(append(v.Findings, found...))
}

// Tally lists counts by name: "2 aws:ec2/vpc:Vpc, 1 aws:kms/key:Key".
func Tally(counts map[string]int) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%d %s", counts[name], name))
	}
	return strings.Join(parts, ", ")
}
