package screen

import (
	"fmt"
	"io"
	"time"
)

// An Act is one operation of a rehearsal.
type Act struct {
	Name    string
	Seconds float64
	Counts  map[string]int
}

// A Rehearsal is what a rehearsal did and found.
type Rehearsal struct {
	Stack     string
	Good      bool
	Acts      []Act // in their order
	Protected int   // resources that refused to be destroyed, as they should
	Wrong     []string
	Unjudged  []string // questions without an answer
}

// Write writes the rehearsal as text. The questions without an answer are counted, or listed.
func (r Rehearsal) Write(out io.Writer, list bool) {
	for _, a := range r.Acts {
		if a.Name == "destroy" && r.Protected > 0 {
			fmt.Fprintf(out, "%-9s %7s  %d resources refuse to be destroyed, until it is lifted\n", "protected", "", r.Protected)
		}
		fmt.Fprintf(out, "%-9s %7s  %s\n", a.Name, Elapsed(time.Duration(a.Seconds*float64(time.Second))), Counted(a.Counts))
	}
	for _, reason := range r.Wrong {
		fmt.Fprintln(out, "wrong:", reason)
	}
	r.unjudged(out, list)
	if r.Good {
		fmt.Fprintf(out, "Stack %s deploys, stays unchanged and is destroyed.\n", r.Stack)
	} else {
		fmt.Fprintf(out, "Stack %s is not fit to be deployed.\n", r.Stack)
	}
}

func (r Rehearsal) unjudged(out io.Writer, list bool) {
	n := len(r.Unjudged)
	switch {
	case n == 0:
		return
	case list:
		for _, question := range r.Unjudged {
			fmt.Fprintln(out, "not judged:", question)
		}
	case n == 1:
		fmt.Fprintln(out, "1 question cannot be judged before the site runs; -v shows it.")
	default:
		fmt.Fprintf(out, "%d questions cannot be judged before the site runs; -v lists them.\n", n)
	}
}
