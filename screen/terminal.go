package screen

import (
	"io"
	"os"

	_ "colourquery" // before any command begins
	"github.com/charmbracelet/lipgloss"
	"github.com/charmbracelet/x/ansi"
	"golang.org/x/term"
)

// A Terminal is where words go: a terminal, or a file or a pipe, which has no width and takes no colours.
type Terminal struct {
	Out    io.Writer
	Live   bool // lines can be drawn again; not on a dumb terminal
	Width  int  // in columns; 0: no limit
	Height int

	bold, faint, good, bad lipgloss.Style
}

// Open finds out what out is. NO_COLOR, CLICOLOR and TERM are respected.
func Open(out io.Writer) Terminal {
	t := Terminal{Out: out}
	if file, ok := out.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		t.Live = os.Getenv("TERM") != "dumb"
		var err error
		if t.Width, t.Height, err = term.GetSize(int(file.Fd())); err != nil || t.Width == 0 {
			t.Width, t.Height = 80, 24
		}
	}
	return t.style(lipgloss.NewRenderer(out))
}

// style chooses the colours that the renderer's profile allows.
func (t Terminal) style(r *lipgloss.Renderer) Terminal {
	t.bold, t.faint = r.NewStyle().Bold(true), r.NewStyle().Faint(true)
	t.good, t.bad = r.NewStyle().Foreground(lipgloss.Color("2")), r.NewStyle().Bold(true).Foreground(lipgloss.Color("1"))
	return t
}

// Bold is a text that stands out.
func (t Terminal) Bold(text string) string { return t.bold.Render(text) }

// Good is a text that says that all is well.
func (t Terminal) Good(text string) string { return t.good.Render(text) }

// Bad is a text that says that something failed.
func (t Terminal) Bad(text string) string { return t.bad.Render(text) }

// fit shortens a text to the width, 0 being no limit.
func fit(text string, width int) string {
	if width <= 0 {
		return text
	}
	return ansi.Truncate(text, width, "…")
}
