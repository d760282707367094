package screen

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// A Status is what is shown of a stack: a line for each fact, in blocks.
type Status struct {
	Title    string
	Facts    []Pair // the name of each is a label at its left
	Services [][]string
	Jobs     [][]string
	Deployed [][]string
	Firing   [][]string
	Unknown  []Pair
}

// WriteStatus writes a status.
func (t Terminal) WriteStatus(s Status) {
	fmt.Fprintln(t.Out, t.Bold(fit(s.Title, t.Width)))
	width := 0
	for _, p := range s.Facts {
		width = max(width, len(p.Name))
	}
	for _, p := range s.Facts {
		fmt.Fprintln(t.Out, fit(fmt.Sprintf("%-*s  %s", width, p.Name, Harmless(p.Value)), t.Width))
	}
	for _, table := range []struct {
		columns []Column
		rows    [][]string
	}{
		{[]Column{{Name: "SERVICE"}, {Name: "WANTED"}, {Name: "RUNNING"}, {Name: "HEALTHY"}, {Name: "SCALING", Drop: 1}, {Name: "NOTE"}}, s.Services},
		{[]Column{{Name: "JOB"}, {Name: "SCHEDULE", Drop: 1}, {Name: "LAST RUN"}, {Name: "RESULT"}}, s.Jobs},
		{[]Column{{Name: "ALARM"}, {Name: "SINCE"}, {Name: "WHY"}}, s.Firing},
		{[]Column{{Name: "DEPLOYED"}, {Name: "BY"}, {Name: "RELEASE"}, {Name: "WHO", Drop: 1}, {Name: "VERDICT"}}, s.Deployed},
	} {
		if len(table.rows) > 0 {
			for _, row := range table.rows {
				for i := range row {
					row[i] = Harmless(row[i])
				}
			}
			fmt.Fprintln(t.Out)
			t.WriteTable(table.columns, table.rows)
		}
	}
	if len(s.Unknown) > 0 {
		fmt.Fprintln(t.Out)
	}
	for _, p := range s.Unknown {
		fmt.Fprintln(t.Out, fit(t.Bad("unknown")+" "+p.Name+": "+Harmless(p.Value), t.Width))
	}
}

// Redraw writes pictures again and again until ctx ends or draw returns an error. On a terminal each picture replaces the one before; elsewhere
// they follow each other, with an empty line between them.
func (t Terminal) Redraw(ctx context.Context, every time.Duration, draw func(Terminal) error) error {
	for first := true; ; first = false {
		var picture strings.Builder
		page := t
		page.Out = &picture
		if err := draw(page); err != nil {
			return err
		}
		switch {
		case t.Live:
			// home, then each line with the rest of it erased, then what is below
			text := "\x1b[H" + strings.ReplaceAll(picture.String(), "\n", "\x1b[K\n") + "\x1b[J"
			if first {
				text = "\x1b[2J" + text
			}
			if _, err := fmt.Fprint(t.Out, text); err != nil {
				return err
			}
		case first:
			fmt.Fprint(t.Out, picture.String())
		default:
			fmt.Fprint(t.Out, "\n"+picture.String())
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(every):
		}
	}
}
