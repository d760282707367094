package screen

import (
	"fmt"
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// A Column is one of a table.
type Column struct {
	Name string
	// Drop is which column gives way first where the terminal is narrow: the one with the highest number. 0: never.
	Drop int
}

// WriteTable writes rows below the names of their columns. On a terminal it takes no more than its width: columns give way,
// and then the last one is shortened. Elsewhere it is complete.
func (t Terminal) WriteTable(columns []Column, rows [][]string) {
	shown := make([]int, len(columns)) // indexes
	for i := range columns {
		shown[i] = i
	}
	widthOf := func(i int) int {
		width := ansi.StringWidth(columns[i].Name)
		for _, row := range rows {
			width = max(width, ansi.StringWidth(row[i]))
		}
		return width
	}
	// What the table takes if its last column is shortened to its name, which is then still worth reading.
	const least = 12
	needed := func() int {
		sum := 0
		for n, i := range shown {
			if n == len(shown)-1 {
				return sum + min(widthOf(i), least)
			}
			sum += widthOf(i) + 2
		}
		return sum
	}
	for t.Width > 0 && needed() > t.Width {
		first := slices.MaxFunc(shown, func(a, b int) int { return columns[a].Drop - columns[b].Drop })
		if columns[first].Drop == 0 {
			break
		}
		shown = slices.DeleteFunc(shown, func(i int) bool { return i == first })
	}
	line := func(cell func(i int) string) string {
		var b strings.Builder
		for n, i := range shown {
			b.WriteString(cell(i))
			if n < len(shown)-1 {
				b.WriteString(strings.Repeat(" ", widthOf(i)-ansi.StringWidth(cell(i))+2))
			}
		}
		return fit(strings.TrimRight(b.String(), " "), t.Width)
	}
	fmt.Fprintln(t.Out, t.Bold(line(func(i int) string { return columns[i].Name })))
	for _, row := range rows {
		fmt.Fprintln(t.Out, line(func(i int) string { return row[i] }))
	}
}

// A Pair is a name and what it stands for.
type Pair struct{ Name, Value string }

// WritePairs writes a line for each pair. A value is never cut or broken, so that it can be copied from a terminal.
func (t Terminal) WritePairs(pairs []Pair) {
	width := 0
	for _, p := range pairs {
		width = max(width, ansi.StringWidth(p.Name))
	}
	for _, p := range pairs {
		fmt.Fprintf(t.Out, "%s%s  %s\n", t.Bold(p.Name), strings.Repeat(" ", width-ansi.StringWidth(p.Name)), p.Value)
	}
}

// WriteCommands writes commands, each below what it is for. They are not cut or broken either.
func (t Terminal) WriteCommands(title string, pairs []Pair) {
	if len(pairs) == 0 {
		return
	}
	fmt.Fprintf(t.Out, "\n%s\n", title)
	for _, p := range pairs {
		fmt.Fprintf(t.Out, "%s:\n  %s\n", t.Bold(p.Name), p.Value)
	}
}
