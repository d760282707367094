package screen

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
)

// A Step is one step of an operation, on one resource.
type Step struct {
	ID    string // the same from its beginning to its end
	Group string // the component that the resource is in: its line
	Name  string
	Type  string
	Op    string // "create"
	Phase Phase
	Took  time.Duration // when it is over
	Usual time.Duration // how long such a step usually takes; 0: not known
}

// A Phase is where a step is.
type Phase int

const (
	Begun Phase = iota
	Done
	Failed
)

// A Detail is how much a Progress shows.
type Detail int

const (
	Components Detail = iota // a line for each component
	Resources                // also a line for each resource
	Acts                     // no lines for components once they are done: the operation is one of several
	Quiet                    // warnings only
)

// heartbeat is how often an operation without a terminal says that it is still at work.
const heartbeat = 30 * time.Second

// A Progress shows what an operation is doing. On a terminal there is a line for each component, drawn again while it works, and
// a total below. Elsewhere there is a line for each component when it is done, and a heartbeat. Its zero value is not usable.
type Progress struct {
	terminal Terminal
	detail   Detail
	now      func() time.Time
	resting  time.Duration // how often a terminal is drawn again; tests wait less

	mu       sync.Mutex
	started  time.Time // zero: nothing has happened since it was closed
	beat     time.Time // the last heartbeat
	rows     []*row
	expected map[string]int // steps, by group; nil: not known
	queued   []string       // lines that go above the live ones
	live     *live          // draws on a terminal; nil: nothing is drawn
	stop     chan struct{}  // ends the heartbeat; nil: there is none
}

// A row is one component.
type row struct {
	name        string
	busy        []underWay
	counts      map[string]int // of steps that are done, by operation
	steps       int            // that are done
	failed      int
	begun, last time.Time
	shown       bool // its last line is written
	said        int  // how many of its steps that line counts
}

type underWay struct {
	Step
	since time.Time
}

// NewProgress is a progress that shows nothing until something happens.
func NewProgress(t Terminal, detail Detail) *Progress {
	return &Progress{terminal: t, detail: detail, now: time.Now, resting: 200 * time.Millisecond}
}

// SetDetail changes how much is shown from now on.
func (p *Progress) SetDetail(detail Detail) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.detail = detail
}

// Expect says how many steps each component is going to have. The total then counts up to them, and a component is done when
// they are.
func (p *Progress) Expect(steps map[string]int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expected = steps
}

// Step takes note of a step.
func (p *Progress) Step(s Step) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.detail == Quiet {
		return
	}
	p.start()
	now := p.now()
	r := p.row(s.Group, now)
	r.last = now
	r.busy = slices.DeleteFunc(r.busy, func(b underWay) bool { return b.ID == s.ID })
	switch s.Phase {
	case Begun:
		r.busy, r.shown = append(r.busy, underWay{s, now}), false
	case Done:
		r.counts[s.Op]++
		if counts(s.Op) {
			r.steps++
		}
		if p.detail == Resources {
			p.write(fmt.Sprintf("%7s  %-8s %s  %s%s", Elapsed(now.Sub(p.started)), done(s.Op), s.Name, s.Type, took(s)))
		}
	case Failed:
		r.failed++
		r.steps++
		p.write(fmt.Sprintf("%7s  %s   %s  %s%s", Elapsed(now.Sub(p.started)), p.terminal.Bad("FAILED"), s.Name, s.Type, took(s)))
	}
	if want, ok := p.expected[s.Group]; ok && r.steps >= want && len(r.busy) == 0 && p.live == nil {
		p.finish(r)
	}
}

// Logf writes a line above the live ones. A quiet progress writes warnings only.
func (p *Progress) Logf(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	words := fmt.Sprintf(format, args...)
	if p.detail == Quiet && !strings.HasPrefix(words, "Warning") {
		return
	}
	if p.detail == Acts { // the next act begins
		p.rows = nil
	}
	p.write(words)
}

// Close ends the drawing, and writes the line of every component that has none yet. The next step begins anew.
func (p *Progress) Close() {
	p.mu.Lock()
	drawn := p.live
	p.live = nil
	if p.stop != nil {
		close(p.stop)
		p.stop = nil
	}
	p.mu.Unlock()
	if drawn != nil {
		drawn.close() // which takes the lock to draw for the last time
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, words := range p.queued {
		fmt.Fprintln(p.terminal.Out, words)
	}
	p.queued = nil
	for _, r := range p.rows {
		p.finish(r)
	}
	p.started, p.rows, p.expected = time.Time{}, nil, nil
}

// start begins to count the time, and to draw or to say that it is at work.
func (p *Progress) start() {
	if !p.started.IsZero() {
		return
	}
	p.started = p.now()
	p.beat = p.started
	if p.terminal.Live {
		p.live = draw(p)
		return
	}
	p.stop = make(chan struct{})
	go p.beats(p.stop)
}

func (p *Progress) row(name string, now time.Time) *row {
	for _, r := range p.rows {
		if r.name == name {
			return r
		}
	}
	r := &row{name: name, counts: map[string]int{}, begun: now}
	p.rows = append(p.rows, r)
	return r
}

// write writes a line, above the live ones if there are any.
func (p *Progress) write(words string) {
	if p.live != nil {
		p.queued = append(p.queued, words)
		return
	}
	fmt.Fprintln(p.terminal.Out, words)
}

// finish writes the last line of a component.
func (p *Progress) finish(r *row) {
	if r.shown || p.detail == Acts || p.detail == Resources || len(r.busy) == 0 && r.changed() == 0 && r.failed == 0 {
		return
	}
	// After a replacement the engine deletes the old resource, which the line already counts.
	if r.said == r.changed()+r.failed {
		r.shown = true
		return
	}
	r.shown, r.said = true, r.changed()+r.failed
	fmt.Fprintln(p.terminal.Out, p.text(r, p.terminal.Width))
}

// beats says every half minute what is in progress, until it is stopped.
func (p *Progress) beats(stop <-chan struct{}) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-stop:
			return
		case <-ticker.C:
			p.mu.Lock()
			if p.stop != nil {
				p.alive(p.terminal.Out)
			}
			p.mu.Unlock()
		}
	}
}

// alive writes a heartbeat if it is time for one.
func (p *Progress) alive(out io.Writer) {
	now := p.now()
	if now.Sub(p.beat) < heartbeat {
		return
	}
	p.beat = now
	words := fmt.Sprintf("%s: %s", whole(now.Sub(p.started)), p.total())
	const most = 3
	active := p.active()
	for i, r := range active {
		if i == most {
			words += fmt.Sprintf("; and %d more", len(active)-most)
			break
		}
		words += "; " + p.text(r, 0)
	}
	fmt.Fprintln(out, words)
}

// active are the components with something in progress, the one that began first at the top.
func (p *Progress) active() []*row {
	return slices.DeleteFunc(slices.Clone(p.rows), func(r *row) bool { return len(r.busy) == 0 })
}

// total says how far the operation is.
func (p *Progress) total() string {
	steps, busy, want := 0, 0, 0
	for _, r := range p.rows {
		steps += r.steps
		busy += len(r.busy)
	}
	for _, n := range p.expected {
		want += n
	}
	words := fmt.Sprintf("%d done", steps)
	if want >= steps && want > 0 {
		words = fmt.Sprintf("%d of %d done", steps, want)
	}
	if busy > 0 {
		words += fmt.Sprintf(", %d in progress", busy)
	}
	return words
}

// text is the line of a component in a width, 0 being no limit. What gives way in a narrow one is the resource's name.
func (p *Progress) text(r *row, width int) string {
	now := p.now()
	if len(r.busy) == 0 {
		var words []string
		if r.failed > 0 {
			words = append(words, p.terminal.Bad(fmt.Sprintf("%d failed", r.failed)))
		}
		if r.changed() > 0 || r.failed == 0 {
			words = append(words, Counted(r.counts))
		}
		if d := r.last.Sub(r.begun); d >= time.Second {
			words = append(words, Elapsed(d))
		}
		return fit(p.terminal.Bold(r.name)+": "+strings.Join(words, ", "), width)
	}
	// The step that is going to take longest says most about the component.
	lead := slices.MaxFunc(r.busy, func(a, b underWay) int {
		return cmp.Or(cmp.Compare(a.left(now), b.left(now)), b.since.Compare(a.since))
	})
	tail := ", " + whole(now.Sub(lead.since))
	if lead.Usual > 0 {
		tail += " of about " + about(lead.Usual)
	}
	if more := len(r.busy) - 1; more > 0 {
		tail += fmt.Sprintf(", %d more", more)
	}
	if r.steps > 0 {
		tail += fmt.Sprintf(", %d done", r.steps)
	}
	head := doing(lead.Op)
	if lead.Name != r.name {
		head += " " + lead.Name
	}
	if width > 0 {
		head = fit(head, max(width-len(r.name)-len(": ")-len(tail), len("replacing")))
	}
	return fit(p.terminal.Bold(r.name)+": "+head+tail, width)
}

// counts says whether a step is one that a plan has: reading changes nothing, and a replacement is one step.
func counts(op string) bool {
	return op != "refresh" && op != "read" && op != "create-replacement" && op != "delete-replaced"
}

// left is how long a step is still going to take, as far as that is known.
func (u underWay) left(now time.Time) time.Duration { return max(0, u.Usual-now.Sub(u.since)) }

// changed is how many steps changed something.
func (r *row) changed() (n int) {
	for op, steps := range r.counts {
		if counts(op) {
			n += steps
		}
	}
	return n
}

func took(s Step) string {
	if s.Took < time.Second {
		return ""
	}
	return "  (" + Elapsed(s.Took) + ")"
}
