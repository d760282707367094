package check

import (
	"fmt"
	"io"
	"strings"
	"unicode"
)

// Write writes the report for people: a paragraph for each finding, what is unknown, and a summary.
func (r *Report) Write(out io.Writer) {
	for _, f := range r.Findings {
		fmt.Fprintf(out, "%-8s %s (%s)\n", f.Severity, printable(f.where()), f.Check)
		fmt.Fprintf(out, "         %s\n         Fix: %s\n", printable(f.Reason), printable(f.Fix))
	}
	for _, u := range r.Unknown {
		fmt.Fprintf(out, "%-8s %s\n         %s: %s\n", "unknown", printable(Finding{File: u.File, Line: u.Line}.where()),
			printable(u.What), printable(u.Why))
	}
	if r.Generated != "" {
		fmt.Fprintf(out, "There is no Dockerfile: Slipway generates one from %s, which starts gunicorn.\n", printable(r.Generated))
	}
	fmt.Fprintln(out, r.summary())
}

// where is the place of a finding.
func (f Finding) where() string {
	switch {
	case f.File == "":
		return "the project"
	case f.Line == 0:
		return f.File
	}
	return fmt.Sprintf("%s:%d", f.File, f.Line)
}

func (r *Report) summary() string {
	counts := map[Severity]int{}
	for _, f := range r.Findings {
		counts[f.Severity]++
	}
	if len(r.Findings)+len(r.Unknown) == 0 {
		return "Nothing found. Whether the site runs shows in: slipway up --run"
	}
	parts := []string{fmt.Sprintf("%d refused", counts[Refused]), plural(counts[Warning], "warning")}
	if len(r.Unknown) > 0 {
		parts = append(parts, fmt.Sprintf("%d unknown", len(r.Unknown)))
	}
	return strings.Join(parts, ", ") + "."
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// printable replaces what a terminal would obey: a file of the project may have any name.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
}

// Table is the table of all checks in Markdown.
func Table() string {
	var b strings.Builder
	b.WriteString("| check | | what is found | fix |\n|---|---|---|---|\n")
	escape := strings.NewReplacer("|", `\|`, "<", "&lt;", "*", `\*`, "{%", "`{%", "%}", "%}`").Replace
	for _, c := range Checks {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", c.Code, c.Severity, escape(c.What), escape(c.Fix))
	}
	return b.String()
}
