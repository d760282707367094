package screen

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"
)

// A live draws the lines of a Progress at the bottom of a terminal, and draws them again while they change. It reads no keys:
// Ctrl-C stays a signal, and typing ahead works.
type live struct {
	program *tea.Program
	ended   chan struct{}
}

// draw begins to draw.
func draw(p *Progress) *live {
	l := &live{ended: make(chan struct{})}
	l.program = tea.NewProgram(&canvas{progress: p, width: p.terminal.Width, height: p.terminal.Height},
		tea.WithOutput(flushLeft(p.terminal.Out)), tea.WithInput(nil), tea.WithoutSignalHandler(), tea.WithoutBracketedPaste(), tea.WithFPS(20))
	go func() {
		defer close(l.ended)
		_, _ = l.program.Run() // a terminal that is gone is not the operation's failure
	}()
	return l
}

// flushLeft is a terminal on which every picture begins in the first column. What people type, such as the ^C of an interrupt, is
// echoed where the cursor is; the renderer only moves it up and down.
func flushLeft(out io.Writer) io.Writer {
	if file, ok := out.(*os.File); ok {
		return leftFile{file}
	}
	return out
}

type leftFile struct{ *os.File }

// Write implements io.Writer.
func (f leftFile) Write(p []byte) (int, error) {
	n, err := f.File.Write(append([]byte{'\r'}, p...))
	return max(0, n-1), err
}

// close removes the live lines, writes what goes above them, and gives the cursor back.
func (l *live) close() {
	l.program.Send(closing{})
	<-l.ended
}

type (
	tick    struct{}
	closing struct{}
)

// A canvas is the bubbletea model of a Progress. All that it knows of its own is the size of the terminal.
type canvas struct {
	progress      *Progress
	width, height int
	closed        bool
}

// Init implements tea.Model.
func (c *canvas) Init() tea.Cmd { return c.wait() }

func (c *canvas) wait() tea.Cmd {
	return tea.Tick(c.progress.resting, func(time.Time) tea.Msg { return tick{} })
}

// Update implements tea.Model.
func (c *canvas) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		c.width, c.height = msg.Width, msg.Height
	case tick:
		return c, tea.Batch(c.above(), c.wait())
	case closing:
		c.closed = true
		return c, tea.Sequence(c.above(), tea.Quit)
	}
	return c, nil
}

// above writes the lines that are waiting.
func (c *canvas) above() tea.Cmd {
	c.progress.mu.Lock()
	defer c.progress.mu.Unlock()
	if len(c.progress.queued) == 0 {
		return nil
	}
	words := strings.Join(c.progress.queued, "\n")
	c.progress.queued = nil
	if c.width > 0 { // the rest of a line that the terminal itself breaks would not be erased
		words = ansi.Wrap(words, c.width, "")
	}
	return tea.Println(words)
}

// View implements tea.Model.
func (c *canvas) View() string {
	if c.closed {
		return ""
	}
	c.progress.mu.Lock()
	defer c.progress.mu.Unlock()
	return c.progress.picture(c.width, c.height)
}

// picture is the live lines: every component, or those at work if there is no room for all, and the total.
func (p *Progress) picture(width, height int) string {
	rows := p.rows
	hidden := ""
	if len(rows) > height-2 {
		rows = p.active()
		hidden = fmt.Sprintf(", %s waiting or done", Some(len(p.rows)-len(rows), "component"))
	}
	if most := max(1, height-2); height > 0 && len(rows) > most {
		rows = rows[:most]
	}
	var lines []string
	for _, r := range rows {
		text := p.text(r, width-1)
		if len(r.busy) == 0 {
			text = p.terminal.faint.Render(p.plain(r, width-1))
		}
		lines = append(lines, text)
	}
	total := fmt.Sprintf("%s: %s, %s%s", p.terminal.Bold("total"), p.total(), whole(p.now().Sub(p.started)), hidden)
	lines = append(lines, fit(total, width-1))
	return strings.Join(lines, "\n")
}

// plain is the line of a component without colours.
func (p *Progress) plain(r *row, width int) string {
	without := Progress{terminal: Terminal{}, now: p.now}
	return without.text(r, width)
}
