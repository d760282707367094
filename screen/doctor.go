package screen

import (
	"fmt"
	"strings"
)

// A Checkup is what doctor found.
type Checkup struct {
	Stack   string
	State   string  // healthy, deploying, problem, unknown
	Causes  []Cause // the likely one first
	Notices []Cause
	Checks  []Checked
	Inside  string // "seen", or why not
}

// A Cause is why a site does not work.
type Cause struct {
	Text, Because, Next string
	Services            []string
	Evidence, Explains  []string
}

// A Checked is one thing that doctor looked at.
type Checked struct {
	View, Name, State string
	Detail            []string
}

// verdicts are the first line where there is no cause.
var verdicts = map[string]string{
	"healthy":   "Stack %s is healthy.",
	"deploying": "Stack %s is being deployed. Nothing is wrong.",
	"unknown":   "Stack %s: no problem was found, but not everything could be looked at.",
}

// WriteCheckup writes what doctor found: the likely cause in the first line, or that there is none.
func (t Terminal) WriteCheckup(c Checkup) {
	if text, ok := verdicts[c.State]; ok {
		fmt.Fprintln(t.Out, t.Good(fmt.Sprintf(text, c.Stack)))
	}
	for i, cause := range c.Causes {
		title := "Also wrong: "
		if i == 0 {
			title = "Likely cause: "
		}
		t.writeCause(t.Bad(title)+cause.Text, cause)
	}
	for _, notice := range c.Notices {
		t.writeCause("Note: "+notice.Text, notice)
	}
	fmt.Fprintln(t.Out)
	var rows [][]string
	for _, check := range c.Checks {
		detail := ""
		if len(check.Detail) > 0 {
			detail = check.Detail[0]
		}
		if more := len(check.Detail) - 1; more > 0 {
			detail += fmt.Sprintf(" (and %d more)", more)
		}
		rows = append(rows, []string{check.View, check.Name, check.State, detail})
	}
	t.WriteTable([]Column{{Name: "VIEW"}, {Name: "CHECK"}, {Name: "STATE"}, {Name: "SEEN", Drop: 1}}, rows)
	if c.Inside != "seen" {
		fmt.Fprintf(t.Out, "The inside was %s.\n", c.Inside)
	}
}

func (t Terminal) writeCause(title string, c Cause) {
	fmt.Fprintln(t.Out, title)
	if len(c.Services) > 0 {
		fmt.Fprintln(t.Out, "  services:", strings.Join(c.Services, ", "))
	}
	fmt.Fprintln(t.Out, "  why:", c.Because)
	for _, line := range c.Evidence {
		fmt.Fprintln(t.Out, "  seen:", line)
	}
	for _, line := range c.Explains {
		fmt.Fprintln(t.Out, "  explains:", line)
	}
	fmt.Fprintln(t.Out, "  next:", c.Next)
}
