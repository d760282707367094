package screen

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/lipgloss"
	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"
	"github.com/hinshun/vt10x"
	"github.com/muesli/termenv"
)

var update = flag.Bool("update", false, "write the screens in testdata")

// golden compares a screen with the one in testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got); go test ./screen -update writes it:\n%s", path, diff)
	}
}

// A recording is the steps of testdata/up.events, and a clock that they set.
type recording struct {
	steps []Step
	at    []time.Duration
	now   time.Time
}

func newPlayer(t *testing.T) *player {
	t.Helper()
	data, err := os.ReadFile("testdata/up.events")
	if err != nil {
		t.Fatal(err)
	}
	r := &player{recording: recording{now: time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)}}
	begun := map[string]int{}
	for _, line := range strings.Split(strings.TrimSpace(string(data)), "\n") {
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Fields(line)
		seconds, err := strconv.Atoi(f[0])
		if err != nil {
			t.Fatal(err)
		}
		s := Step{ID: f[3], Group: f[2], Name: f[3], Type: f[4], Op: "create",
			Phase: map[string]Phase{"begun": Begun, "done": Done, "failed": Failed}[f[1]]}
		if s.Phase == Begun {
			usual, err := strconv.Atoi(f[5])
			if err != nil {
				t.Fatal(err)
			}
			s.Usual = time.Duration(usual) * time.Second
			begun[s.ID] = seconds
		} else {
			s.Took = time.Duration(seconds-begun[s.ID]) * time.Second
		}
		r.steps, r.at = append(r.steps, s), append(r.at, time.Duration(seconds)*time.Second)
	}
	return r
}

type player struct {
	mu sync.Mutex
	recording
	next  int
	start time.Time
}

func (r *player) clock() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

// play gives a progress every step up to a moment, second by second, with what a second brings beside.
func (r *player) play(p *Progress, until time.Duration, second func()) {
	if r.start.IsZero() {
		r.start = r.now
	}
	for at := r.now.Sub(r.start); at <= until; at += time.Second {
		r.mu.Lock()
		r.now = r.start.Add(at)
		r.mu.Unlock()
		for ; r.next < len(r.steps) && r.at[r.next] <= at; r.next++ {
			p.Step(r.steps[r.next])
		}
		second()
	}
}

// expected is how many steps the recording has, by group.
func (r *player) expected() map[string]int {
	counts := map[string]int{}
	for _, s := range r.steps {
		if s.Phase == Begun {
			counts[s.Group]++
		}
	}
	return counts
}

// A display is a terminal: what is written to it, as it shows it.
type display struct {
	vt      vt10x.Terminal
	written *bytes.Buffer
	mu      sync.Mutex
}

func newDisplay(columns, rows int) *display {
	return &display{vt: vt10x.New(vt10x.WithSize(columns, rows)), written: &bytes.Buffer{}}
}

// Write implements io.Writer, and does what the driver of a terminal does to a newline.
func (d *display) Write(data []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.written.Write(data)
	if _, err := d.vt.Write(bytes.ReplaceAll(data, []byte("\n"), []byte("\r\n"))); err != nil {
		return 0, err
	}
	return len(data), nil
}

// String is what the terminal shows, without empty lines at its end.
func (d *display) String() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	lines := strings.Split(d.vt.String(), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n") + "\n"
}

// terminal is the display as a Terminal with colours.
func (d *display) terminal(columns, rows int) Terminal {
	r := lipgloss.NewRenderer(d)
	r.SetColorProfile(termenv.ANSI)
	return Terminal{Out: d, Live: true, Width: columns, Height: rows}.style(r)
}

// What a terminal shows while an up is at work: a line for each component and a total, at any width from 60 columns.
func TestProgressOnATerminal(t *testing.T) {
	for _, columns := range []int{60, 80, 120} {
		for _, at := range []time.Duration{20 * time.Second, 140 * time.Second, 4*time.Minute + 28*time.Second, 500 * time.Second} {
			r, d := newPlayer(t), newDisplay(columns, 24)
			p := NewProgress(Terminal{Out: io.Discard}, Components)
			p.now = r.clock
			p.Expect(r.expected())
			r.play(p, at, func() {})
			p.terminal = d.terminal(columns, 24)
			picture := p.picture(columns, 24)
			for _, line := range strings.Split(picture, "\n") {
				if width := ansi.StringWidth(line); width >= columns {
					t.Errorf("%d columns, and a line of %d: %s", columns, width, line)
				}
			}
			fmt.Fprintln(d, picture)
			p.terminal.Live, p.terminal.Out = false, io.Discard
			p.Close()
			golden(t, fmt.Sprintf("up-%d-at-%s", columns, at), d.String())
		}
	}
}

// The whole way through bubbletea: what stays on the terminal when the operation is over, and the cursor.
func TestProgressLeavesALineForEachComponent(t *testing.T) {
	for _, columns := range []int{60, 80, 120} {
		r, d := newPlayer(t), newDisplay(columns, 24)
		p := NewProgress(d.terminal(columns, 24), Components)
		p.now, p.resting = r.clock, time.Millisecond
		fmt.Fprintln(d, "$ slipway up")
		r.play(p, 0, func() {})
		p.live.program.Send(tea.WindowSizeMsg{Width: columns, Height: 24}) // which a terminal's own size brings
		hidden := false
		r.play(p, 600*time.Second, func() {
			if r.next%4 == 0 {
				time.Sleep(5 * time.Millisecond)
			}
			d.mu.Lock()
			hidden = hidden || !d.vt.CursorVisible()
			d.mu.Unlock()
			if r.now.Sub(r.start) == 100*time.Second {
				p.Logf("A message in the middle of it.")
			}
		})
		p.Close()
		golden(t, fmt.Sprintf("up-%d-at-the-end", columns), d.String())
		if !hidden || !d.vt.CursorVisible() {
			t.Errorf("the cursor was hidden: %t, and is visible again: %t", hidden, d.vt.CursorVisible())
		}
	}
}

// Without a terminal: a line for each component when it is done, and a heartbeat every half minute.
func TestProgressWithoutATerminal(t *testing.T) {
	for _, c := range []struct {
		name   string
		detail Detail
		known  bool
	}{{"up-piped", Components, true}, {"up-piped-not-planned", Components, false}, {"up-piped-verbose", Resources, true},
		{"up-piped-act", Acts, false},
		{"up-piped-quiet", Quiet, true}} {
		r := newPlayer(t)
		var out bytes.Buffer
		p := NewProgress(Terminal{Out: &out}, c.detail)
		p.now = r.clock
		if c.known {
			p.Expect(r.expected())
		}
		r.play(p, 600*time.Second, func() {
			p.mu.Lock()
			if !p.started.IsZero() {
				p.alive(&out)
			}
			p.mu.Unlock()
		})
		p.Logf("Warning: one.")
		p.Logf("A message.")
		p.Close()
		if strings.Contains(out.String(), "\x1b") {
			t.Errorf("%s has escape sequences", c.name)
		}
		golden(t, c.name, out.String())
	}
}

// A terminal that is too low for all components shows those at work.
func TestProgressOnALowTerminal(t *testing.T) {
	r := newPlayer(t)
	p := NewProgress(Terminal{Out: io.Discard}, Components)
	p.now = r.clock
	r.play(p, 140*time.Second, func() {})
	got := p.picture(80, 5)
	p.Close()
	if lines := strings.Count(got, "\n") + 1; lines > 4 || !strings.Contains(got, "database: creating") || !strings.Contains(got, "total: ") ||
		strings.Contains(got, "keys:") {
		t.Errorf("%d lines:\n%s", lines, got)
	}
}

// A colour is only there where the terminal has it: not with NO_COLOR, not on a dumb one, not in a file.
func TestColours(t *testing.T) {
	d := newDisplay(80, 24)
	with := d.terminal(80, 24)
	if !strings.Contains(with.Bad("x"), "\x1b[") {
		t.Errorf("no colour on a terminal: %q", with.Bad("x"))
	}
	file, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if plain := Open(file); plain.Live || plain.Width != 0 || plain.Bad("x") != "x" {
		t.Errorf("a file is taken for a terminal: %+v", plain)
	}
}

func TestTableFitsTheTerminal(t *testing.T) {
	columns := []Column{{Name: "RELEASE"}, {Name: "DEPLOYED", Drop: 1}, {Name: "WHO", Drop: 2}, {Name: "VERDICT"}}
	rows := [][]string{{"20261128-142040-fac6fe6", "2026-11-28 14:20:40 UTC", "ada@Älvängen", "good"},
		{"20261128-142050-1111111", "2026-11-28 14:20:50 UTC", "ci",
			"not good: service slipway-staging-web was rolled back: it runs slipway-staging-web:1"}}
	for _, width := range []int{0, 60, 80, 120} {
		var out bytes.Buffer
		(Terminal{Out: &out, Width: width}).WriteTable(columns, rows)
		for _, line := range strings.Split(out.String(), "\n") {
			if width > 0 && ansi.StringWidth(line) > width {
				t.Errorf("%d columns, and a line of %d", width, ansi.StringWidth(line))
			}
		}
		golden(t, fmt.Sprintf("table-%d", width), out.String())
	}
}
