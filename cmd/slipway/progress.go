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

// A progress tells what the engine does: a line for each resource that is done, and on a terminal a last line that says
// what is under way.
type progress struct {
	out     io.Writer
	live    bool
	width   int
	started time.Time
	done    chan struct{}
	closed  bool

	mu    sync.Mutex
	count int
	busy  []engine.Event // in the order in which they began
	drawn bool
}

func newProgress(out io.Writer) *progress {
	p := &progress{out: out, started: time.Now(), done: make(chan struct{})}
	if file, ok := out.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		p.live = true
		if p.width, _, _ = term.GetSize(int(file.Fd())); p.width == 0 {
			p.width = 80
		}
		go p.tick()
	}
	return p
}

// told takes in an event of the engine.
func (p *progress) told(e engine.Event) {
	if e.Component {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
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

// say writes a line of words above the live one.
func (p *progress) say(words string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.line(words)
	p.draw()
}

// close wipes the live line. It may be called again.
func (p *progress) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	p.closed = true
	close(p.done)
	p.wipe()
	p.live = false
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
	if !p.live {
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

func (p *progress) tick() {
	ticker := time.NewTicker(250 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-p.done:
			return
		case <-ticker.C:
			p.mu.Lock()
			p.draw()
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

// elapsed is a duration as people say it: 3.2s, 4m12s.
func elapsed(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	return d.Round(time.Second).String()
}

func (p *progress) logf(format string, args ...any) { p.say(fmt.Sprintf(format, args...)) }
