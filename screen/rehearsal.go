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
}

// Write writes the rehearsal as text.
func (r Rehearsal) Write(out io.Writer) {
	for _, a := range r.Acts {
		if a.Name == "destroy" && r.Protected > 0 {
			fmt.Fprintf(out, "%-9s %7s  %d resources refuse to be destroyed, until it is lifted\n", "protected", "", r.Protected)
		}
		fmt.Fprintf(out, "%-9s %7s  %s\n", a.Name, Elapsed(time.Duration(a.Seconds*float64(time.Second))), Counted(a.Counts))
	}
	for _, reason := range r.Wrong {
		fmt.Fprintln(out, "wrong:", reason)
	}
	if r.Good {
		fmt.Fprintf(out, "Stack %s deploys, stays unchanged and is destroyed.\n", r.Stack)
	} else {
		fmt.Fprintf(out, "Stack %s is not fit to be deployed.\n", r.Stack)
	}
}
