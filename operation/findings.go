package operation

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"slipway/engine"
	"slipway/rehearsal/finding"
	"slipway/verdict"
)

// A judging account knows what of the site does not work, although a deployment does not trip over it: an alarm that cannot publish, a
// task that cannot write. It also knows how it refused the calls of a deployment.
type judging interface {
	Findings() []finding.Finding
	Refusals() []finding.Finding
}

// findings are what the account refused, what would not work later, and what the engine reported besides.
func (s *session) findings(err error) []finding.Finding {
	judge, ok := s.account.(judging)
	if !ok {
		return nil
	}
	var all []finding.Finding
	var failed *engine.Failure
	if errors.As(err, &failed) {
		all = judge.Refusals()
		for _, p := range failed.Problems {
			if !slices.ContainsFunc(all, func(f finding.Finding) bool { return f.Resource == p.URN }) {
				all = append(all, problem(p))
			}
		}
	}
	return finding.Unique(append(all, judge.Findings()...))
}

// problem is what the engine or the program says of a resource.
func problem(p engine.Problem) finding.Finding {
	f := finding.Finding{Resource: p.URN, Code: "InvalidResource", Message: strings.TrimSpace(p.Message), Chain: []string{}}
	switch {
	case p.Hook != "":
		f.Code = "HookFailed"
	case p.Protected:
		f.Code = "Protected"
	case p.URN == "":
		f.Resource, f.Code = "the program", "ProgramFailed"
	}
	return f
}

// unstable are the findings on resources that a second up changes.
func unstable(changes []engine.Change) []finding.Finding {
	var all []finding.Finding
	for _, c := range changes {
		f := finding.Finding{Resource: c.URN, Code: "ChangesAgain", Message: fmt.Sprintf("a second up would %s it although the program did not change", c.Op),
			Chain: []string{}, Fix: "set what AWS stores, or ignore changes of the property"}
		for _, p := range c.Properties {
			f.Chain = append(f.Chain, change(p))
		}
		all = append(all, f)
	}
	return all
}

// firstLine is an error whose details are in findings. An error that says more than they do is given in full.
func firstLine(err error, found []finding.Finding) string {
	text := err.Error()
	if len(found) == 0 || unhealthy(err) {
		return text
	}
	first, _, _ := strings.Cut(text, "\n")
	return first
}

// unhealthy says whether an error is about services that do not run what they should.
func unhealthy(err error) bool {
	var bad *badVerdict
	return errors.As(err, &bad) && slices.ContainsFunc(bad.Services, func(s verdict.ServiceStatus) bool { return !s.Good })
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
	v.Findings = finding.Unique(append(v.Findings, found...))
}

// later notes an error after which a rehearsal can still be played on: the site runs, and calls that happen later would fail.
func (v *Rehearsal) later(err error, found []finding.Finding) bool {
	var bad *badVerdict
	if !errors.As(err, &bad) || bad.engine != nil || unhealthy(err) || len(found) == 0 {
		return false
	}
	v.wrong(err.Error(), firstLine(err, found), found...)
	return true
}
