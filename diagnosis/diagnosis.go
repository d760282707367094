package diagnosis

import (
	"slices"
	"strings"

	"slipway/internal/redact"
)

// A Finding is something that a view of the site found wrong.
type Finding struct {
	Kind     Kind
	Part     string   // the service that it is about; "": the whole stack
	Subject  string   // what is wrong: an image, a parameter; "": nothing more than the kind says
	Text     string   // what is wrong, in one line
	Evidence []string // how that is known
	Next     string   // what to do; "": what the rule says
}

// A Cause is a finding that no other explains, with the consequences that it explains.
type Cause struct {
	Kind     Kind     `json:"kind"`
	Parts    []string `json:"services,omitempty"` // none: the whole stack
	Text     string   `json:"cause"`
	Because  string   `json:"because"`
	Evidence []string `json:"evidence,omitempty"`
	Explains []string `json:"explains,omitempty"` // consequences, each in one line
	Next     string   `json:"next"`
}

// A Diagnosis is what is wrong, in the order of likelihood.
type Diagnosis struct {
	Causes  []Cause `json:"causes"`            // the likely one first; none: nothing is wrong
	Notices []Cause `json:"notices,omitempty"` // worth knowing
}

// a group is the findings of one kind about one subject.
type group struct {
	Finding
	parts []string
	rank  int
	root  int // the cause that explains it, an index of groups; its own: it is a cause
}

// Of finds the causes of findings. flags are what a suggested command needs to work on the stack.
func Of(findings []Finding, flags string) Diagnosis {
	groups := grouped(findings)
	for i := range groups {
		groups[i].root = i
		for j := range i { // a cause stands before its consequences
			if rules[groups[j].rank].explainsKind(groups[i].Kind) && overlap(groups[j].parts, groups[i].parts) {
				groups[i].root = groups[j].root
				break
			}
		}
	}
	d := Diagnosis{Causes: []Cause{}}
	for i, g := range groups {
		if g.root != i {
			continue
		}
		r := rules[g.rank]
		cause := Cause{Kind: g.Kind, Parts: g.parts, Text: g.Text, Because: r.because, Evidence: g.Evidence, Next: g.Next}
		if cause.Next == "" {
			cause.Next = r.next
		}
		cause.Next = strings.ReplaceAll(cause.Next, "{flags}", flags)
		for k, other := range groups {
			if k != i && other.root == i {
				cause.Explains = append(cause.Explains, other.Text)
			}
		}
		if r.notice {
			d.Notices = append(d.Notices, cause)
		} else {
			d.Causes = append(d.Causes, cause)
		}
	}
	return d
}

// grouped joins the findings of one kind about one subject, and sorts them by the rules. Findings that both views made become one.
func grouped(findings []Finding) []group {
	var groups []group
	for _, f := range findings {
		f.Text = Clean(f.Text)
		rank := slices.IndexFunc(rules, func(r rule) bool { return r.kind == f.Kind })
		if rank < 0 { // of a helper that is newer than this program
			f.Kind = Crash
			rank = slices.IndexFunc(rules, func(r rule) bool { return r.kind == Crash })
		}
		at := slices.IndexFunc(groups, func(g group) bool {
			same := g.Subject != "" && g.Subject == f.Subject
			unnamed := (g.Subject == "" || f.Subject == "") && overlap(g.parts, parts(f))
			return g.Kind == f.Kind && (same || unnamed)
		})
		if at < 0 {
			var evidence []string
			for _, line := range f.Evidence {
				evidence = append(evidence, Clean(line))
			}
			f.Evidence = evidence
			groups = append(groups, group{Finding: f, parts: parts(f), rank: rank})
			continue
		}
		g := &groups[at]
		if f.Part == "" {
			g.parts = nil
		} else if len(g.parts) > 0 && !slices.Contains(g.parts, f.Part) {
			g.parts = append(g.parts, f.Part)
		}
		for _, line := range append([]string{f.Text}, f.Evidence...) {
			if line = Clean(line); line != g.Text && !slices.Contains(g.Evidence, line) {
				g.Evidence = append(g.Evidence, line)
			}
		}
	}
	slices.SortStableFunc(groups, func(a, b group) int { return a.rank - b.rank })
	return groups
}

// Clean is a text on one line, without the secrets that AWS or an application wrote into it.
func Clean(text string) string { return redact.Text(strings.Join(strings.Fields(text), " ")) }

func parts(f Finding) []string {
	if f.Part == "" {
		return nil
	}
	return []string{f.Part}
}

// overlap says whether two findings can have to do with each other: they are about the same service, or one is about the whole stack.
func overlap(a, b []string) bool {
	return len(a) == 0 || len(b) == 0 || slices.ContainsFunc(a, func(part string) bool { return slices.Contains(b, part) })
}

func (r rule) explainsKind(k Kind) bool { return slices.Contains(r.explains, k) }

// IsNotice says whether findings of a kind are worth knowing, and nothing is wrong.
func IsNotice(k Kind) bool {
	return slices.ContainsFunc(rules, func(r rule) bool { return r.kind == k && r.notice })
}
