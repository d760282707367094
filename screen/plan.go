package screen

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// A Plan is what an operation would do to a stack. What is lost comes first.
type Plan struct {
	Losses   []Effect
	Downtime []Effect
	Changes  []Change
}

// An Effect is what a change does to the site or its data.
type Effect struct {
	Kind, Name string // "database", "slipway-prod-database-1a2b3c4d"
	Op         string // "replace"
	Says       string
	Why        string // the setting that causes it; "": none
}

// A Change is what happens to one resource.
type Change struct {
	Op, Name, Type string
	Part           string // the part of the site that it is in: "network"
	Settings       []Setting
}

// A Setting is one that differs.
type Setting struct {
	Op       string // "add", "delete" or "update"
	Name     string
	From, To any
	Replaces bool // the resource is replaced because of it
}

// A Look is how a plan is written.
type Look struct {
	Width  int  // of the terminal; 0: lines are not broken
	Colour bool // red for losses, and so on
	Brief  bool // many creates are counted by the part of the site that they are in, and many equal changes are listed once
}

// most is how many creates, and mostEqual how many equal changes, a brief plan lists one by one.
const most, mostEqual = 8, 3

// Write writes the plan.
func (p Plan) Write(out io.Writer, look Look) {
	look.effects(out, "Data would be lost:", red, p.Losses)
	look.effects(out, "Down for a while:", yellow, p.Downtime)
	created := map[string]int{}
	for _, c := range p.Changes {
		if c.Op == "create" {
			created[cmp.Or(c.Part, "other")]++
		}
	}
	total := 0
	for _, n := range created {
		total += n
	}
	brief := look.Brief && total > most
	equal := map[string]int{}
	for _, c := range p.Changes {
		equal[c.equals()]++
	}
	for _, c := range p.Changes {
		lines, n := c.Lines(), equal[c.equals()]
		switch {
		case brief && c.Op == "create" || n == 0:
			continue
		case look.Brief && n > mostEqual && len(lines) > 1:
			lines[0] = fmt.Sprintf("%-8s %d resources", c.Op, n)
			equal[c.equals()] = 0
		}
		for i, line := range lines {
			if i == 0 {
				line = look.paint(colours[c.Op], line)
			}
			fmt.Fprintln(out, line)
		}
	}
	if brief {
		var parts []string
		for _, part := range slices.Sorted(maps.Keys(created)) {
			parts = append(parts, fmt.Sprintf("%s %d", part, created[part]))
		}
		look.paragraph(out, fmt.Sprintf("%-8s ", "create"), strings.Join(parts, ", "))
	}
}

func (l Look) effects(out io.Writer, title, colour string, all []Effect) {
	if len(all) == 0 {
		return
	}
	fmt.Fprintln(out, l.paint(colour, title))
	width := 0
	for _, e := range all {
		width = max(width, len(e.Kind))
	}
	for _, e := range all {
		what := e.Name
		if word := past[e.Op]; word != "" {
			what += " is " + word
		}
		text := what + ": " + e.Says
		if e.Why != "" {
			text += " (" + e.Why + ")"
		}
		l.paragraph(out, fmt.Sprintf("  %-*s ", width, e.Kind), text)
	}
}

var past = map[string]string{"replace": "replaced", "delete": "deleted", "update": "changed"}

// paragraph writes text after a head, broken at the width, with further lines below the text.
func (l Look) paragraph(out io.Writer, head, text string) {
	room := l.Width - len(head)
	if l.Width == 0 || room < 20 {
		fmt.Fprintln(out, head+text)
		return
	}
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len([]rune(line))+1+len([]rune(word)) > room {
			fmt.Fprintln(out, head+line)
			head, line = strings.Repeat(" ", len(head)), ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	fmt.Fprintln(out, head+line)
}

const red, yellow, green, plain = "\x1b[31m", "\x1b[33m", "\x1b[32m", "\x1b[0m"

var colours = map[string]string{"create": green, "update": yellow, "replace": red, "delete": red}

func (l Look) paint(colour, text string) string {
	if !l.Colour || colour == "" {
		return text
	}
	return colour + text + plain
}

// equals is the same for changes that differ only in the resource.
func (c Change) equals() string { return c.Op + "\n" + strings.Join(c.Lines()[1:], "\n") }

// Lines are the resource, and a line for each setting that differs.
func (c Change) Lines() []string {
	lines := []string{fmt.Sprintf("%-8s %s  %s", c.Op, c.Name, c.Type)}
	for _, s := range c.Settings {
		line := "           "
		switch s.Op {
		case "add":
			line += "+ " + s.Name + "=" + Short(s.To)
		case "delete":
			line += "- " + s.Name + "=" + Short(s.From)
		default:
			line += "~ " + s.Name + ": " + fromTo(s.From, s.To)
		}
		if s.Replaces {
			line += "  (replaces it)"
		}
		lines = append(lines, line)
	}
	return lines
}

// fromTo says from what to what a setting changes. The value that the engine cannot know before it is there has its word.
func fromTo(from, to any) string {
	now := Short(to)
	if to == "[unknown]" {
		now = "known when it is done"
		if from == nil {
			return now
		}
	}
	return Short(from) + " -> " + now
}

// CommandLine is a command that a shell takes as it is.
func CommandLine(words ...string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = word
		if word == "" || strings.ContainsFunc(word, func(r rune) bool { return !strings.ContainsRune(shellSafe, r) }) {
			quoted[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
	}
	return strings.Join(quoted, " ")
}

const shellSafe = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=.,:/@%+"
