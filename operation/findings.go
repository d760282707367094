package operation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"slipway/engine"
	"slipway/rehearsal/finding"
	"slipway/rehearsal/whatif"
	"slipway/verdict"
)

// A judging account knows what of the site does not work, although a deployment does not trip over it: an alarm that cannot publish, a
// task that cannot write. It also knows how it refused the calls of a deployment.
type judging interface {
	Findings() []finding.Finding
	Refusals() []finding.Finding
	Unjudged() []string
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
	return finding.Merge(append(all, judge.Findings()...))
}

// invalid is how the engine reports a property that a provider refuses; coded is an error code of AWS at the end of a provider's reason.
var (
	invalid = regexp.MustCompile(`(?s)^\S+ resource '[^']*'(?:: property (\S+) value \{.*\})? has a problem: (.*)$`)
	coded   = regexp.MustCompile(`\(([A-Z][A-Za-z]+)(?:\.[A-Za-z.]+)?\)$`)
)

// problem is what the engine or the program says of a resource.
func problem(p engine.Problem) finding.Finding {
	f := finding.Finding{Resource: p.URN, Code: "InvalidResource", Message: strings.TrimSpace(p.Message), Chain: []string{},
		Fix: "change " + finding.Name(p.URN)}
	if m := invalid.FindStringSubmatch(f.Message); m != nil {
		f.Message = m[2]
		if m[1] != "" {
			f.Chain, f.Fix = []string{"property " + m[1]}, fmt.Sprintf("change %s of %s", m[1], finding.Name(p.URN))
		}
		if c := coded.FindStringSubmatch(m[2]); c != nil {
			f.Code, f.Message = c[1], strings.TrimSpace(strings.TrimSuffix(m[2], c[0]))
		}
	}
	switch {
	case p.Hook != "":
		f.Code = "HookFailed"
	case p.Protected:
		f.Code = "Protected"
	case p.URN == "":
		f.Resource, f.Code, f.Fix = "the program", "ProgramFailed", ""
	}
	return f
}

// unstable are the findings on resources that a second up changes.
func unstable(changes []engine.Change) []finding.Finding {
	var all []finding.Finding
	for _, c := range changes {
		f := finding.Finding{Resource: c.URN, Code: "ChangesAgain",
			Message: fmt.Sprintf("a second up would %s it although the program did not change", c.Op),
			Chain:   []string{}, Fix: "set what AWS stores, or ignore changes of the property"}
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

// later notes an error after which a rehearsal can continue: the site runs, and calls that happen later would fail.
func (v *Rehearsal) later(err error, found []finding.Finding) bool {
	var bad *badVerdict
	if !errors.As(err, &bad) || bad.engine != nil || unhealthy(err) || len(found) == 0 {
		return false
	}
	v.wrong(err.Error(), firstLine(err, found), found...)
	return true
}

// locate adds to what must change in each finding where the program says it. The program runs for that, but only if something is wrong.
func (t Target) locate(ctx context.Context, args asideArgs, found []finding.Finding) {
	if len(found) == 0 {
		return
	}
	var record *whatif.Record
	if args.tried != nil && args.tried.plan != nil {
		record = args.tried.plan.Record()
	} else if record, _ = t.recorded(ctx, args.from); record == nil { // it fails where the rehearsal did, and knows what was registered
		return
	}
	for i, f := range found {
		places := f.Change
		if len(places) == 0 {
			places = []string{f.Resource}
		}
		for _, urn := range places {
			if at := sourceLine(record, urn); at != "" {
				found[i].Fix = strings.TrimSpace(f.Fix + " (" + finding.Name(urn) + ": " + at + ")")
				break
			}
		}
	}
}

// sourceLine is where the program registers a resource: network/network.go:42. It is the line of a component, and not of what it shares
// with others; "" if it is not known.
func sourceLine(record *whatif.Record, urn string) string {
	_, file, _, _ := runtime.Caller(0)
	root := strings.TrimPrefix(strings.TrimSuffix(file, "operation/findings.go"), "/")
	shared := ""
	for _, frame := range record.Frames(urn) {
		uri, err := url.PathUnescape(strings.TrimLeft(strings.TrimPrefix(frame.URI, "file:"), "/"))
		name, ours := strings.CutPrefix(uri, root)
		if err != nil || !ours {
			continue
		}
		at := fmt.Sprintf("%s:%d", name, frame.Line)
		switch top, _, _ := strings.Cut(name, "/"); top {
		case "internal":
			shared = cmp.Or(shared, at)
		case "operation", "engine", "rehearsal":
			return shared
		case "site": // it only wires what the shared code makes
			return cmp.Or(shared, at)
		default:
			return at
		}
	}
	return shared
}
