package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"slipway/engine"
)

// A progress shows what the engine does: a line for each resource that is done, and on a terminal a last line that says what
// is in progress. It is an operation.Progress.
type progress struct {
	out   io.Writer
	live  bool // out is a terminal
	width int

	mu      sync.Mutex
	started time.Time     // zero: nothing has happened since it was closed
	done    chan struct{} // ends the ticker; nil: there is none
	count   int
	busy    []engine.Event // in the order in which they began
	drawn   bool
}

func newProgress(out io.Writer) *progress {
	p := &progress{out: out}
	if file, ok := out.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		p.live = true
		if p.width, _, _ = term.GetSize(int(file.Fd())); p.width == 0 {
			p.width = 80
		}
	}
	return p
}

// start begins to count the time, and to draw the last line.
func (p *progress) start() {
	if !p.started.IsZero() {
		return
	}
	p.started = time.Now()
	if p.live {
		p.done = make(chan struct{})
		go p.tick(p.done)
	}
}

// Event implements operation.Progress.
func (p *progress) Event(e engine.Event) {
	if e.Component {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.start()
	for i, busy := range p.busy {
		if busy.Change.URN == e.Change.URN && busy.Change.Op == e.Change.Op {
			p.busy = append(p.busy[:i:i], p.busy[i+1:]...)
			break
		}
	}
	switch e.Phase {
	case engine.Begun:
		p.busy = append(p.busy, e)
	case engine.Done:
		p.count++
		p.line(fmt.Sprintf("%7s  %-8s %s  %s%s", elapsed(time.Since(p.started)), past(e.Change.Op), e.Change.Name(), e.Change.Type, took(e)))
	case engine.Failed:
		p.line(fmt.Sprintf("%7s  FAILED   %s  %s%s", elapsed(time.Since(p.started)), e.Change.Name(), e.Change.Type, took(e)))
	}
	p.draw()
}

// Logf implements operation.Progress: it writes a line above the live one.
func (p *progress) Logf(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.line(fmt.Sprintf(format, args...))
	p.draw()
}

// close wipes the live line. The next event begins anew.
func (p *progress) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wipe()
	if p.done != nil {
		close(p.done)
	}
	p.started, p.done, p.count, p.busy = time.Time{}, nil, 0, nil
}

func (p *progress) line(words string) {
	p.wipe()
	fmt.Fprintln(p.out, words)
}

func (p *progress) wipe() {
	if p.drawn {
		fmt.Fprint(p.out, "\r\x1b[K")
		p.drawn = false
	}
}

func (p *progress) draw() {
	if !p.live || p.started.IsZero() {
		return
	}
	p.wipe()
	text := fmt.Sprintf("%7s  %d done", elapsed(time.Since(p.started)), p.count)
	if len(p.busy) > 0 {
		var names []string
		for _, e := range p.busy {
			names = append(names, e.Change.Name())
		}
		text += fmt.Sprintf(", %d under way: %s", len(p.busy), strings.Join(names, ", "))
	}
	if len(text) >= p.width {
		text = text[:p.width-1]
	}
	fmt.Fprint(p.out, text)
	p.drawn = true
}

func (p *progress) tick(done <-chan struct{}) {
	ticker := time.NewTicker(250 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-done:
			return
		case <-ticker.C:
			p.mu.Lock()
			if p.done != nil {
				p.draw()
			}
			p.mu.Unlock()
		}
	}
}

func past(op string) string {
	words := map[string]string{"create": "created", "update": "updated", "delete": "deleted", "replace": "replaced",
		"create-replacement": "created", "delete-replaced": "deleted", "refresh": "read", "read": "read"}
	if word, ok := words[op]; ok {
		return word
	}
	return op
}

func took(e engine.Event) string {
	if e.Took < time.Second {
		return ""
	}
	return "  (" + elapsed(e.Took) + ")"
}
