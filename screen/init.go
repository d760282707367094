package screen

import (
	"fmt"
	"strings"
)

// A Place is something in a project, and where it is.
type Place struct{ What, Value, File string }

// mostVariables is how many places of one kind are shown.
const mostVariables = 12

// WritePlaces shows what was found. Of the many variables of a large project only the first are shown, unless all are wanted.
func (t Terminal) WritePlaces(title string, places []Place, all bool) {
	var rows [][]string
	variables, hidden := 0, 0
	for _, p := range places {
		if strings.HasPrefix(p.What, "variable ") {
			if variables++; variables > mostVariables && !all {
				hidden++
				continue
			}
		}
		rows = append(rows, []string{p.File, p.What, p.Value})
	}
	if len(rows) == 0 {
		return
	}
	fmt.Fprintln(t.Out, title)
	t.WriteTable([]Column{{"WHERE", 0}, {"WHAT", 0}, {"VALUE", 0}}, rows)
	if hidden > 0 {
		fmt.Fprintf(t.Out, "and %d more variables; --verbose shows all\n", hidden)
	}
	fmt.Fprintln(t.Out)
}

// WriteFiles shows what happened to files, and the differences of those that exist.
func (t Terminal) WriteFiles(files [][2]string, diffs []string) {
	for n, f := range files {
		fmt.Fprintf(t.Out, "%-9s  %s\n", f[0], t.Bold(f[1]))
		if diffs[n] != "" {
			fmt.Fprint(t.Out, diffs[n])
		}
	}
}

// WriteTasks numbers what is left to do.
func (t Terminal) WriteTasks(title string, tasks []Place) {
	if len(tasks) == 0 {
		return
	}
	fmt.Fprintf(t.Out, "\n%s\n", t.Bold(title))
	for n, one := range tasks {
		fmt.Fprintf(t.Out, "%2d. %s", n+1, one.What)
		if one.File != "" {
			fmt.Fprintf(t.Out, " (%s)", one.File)
		}
		fmt.Fprintln(t.Out)
	}
}
