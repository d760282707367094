package main

import (
	"crypto/md5"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestRunSkew releases a new stylesheet twice and rolls back once, with two web tasks, while visitors load pages. During each
// rollout one task serves the new page and the other one still the old files, or the other way round. Every page's stylesheet must
// arrive, and so must the stylesheets of pages that were loaded before.
func TestRunSkew(t *testing.T) {
	r := newRunning(t)
	before := r.held()
	two := []string{"-c", "web.min=2", "-c", "web.max=2"}
	r.serve(two...)
	if web := r.containers("slipway.service=slipway-dev-web", "slipway.container=nginx"); len(web) != 2 {
		t.Fatalf("%d web tasks", len(web))
	}
	css := r.read("feed/static/feed/site.css")
	load := r.readers()
	var sheets []string // of the releases, in order
	release := func(name string, deploy func() (string, int)) {
		t.Helper()
		start := time.Now()
		if out, code := deploy(); code != 0 {
			t.Fatalf("%s: exit code %d\n%s", name, code, out)
		}
		sheets = append(sheets, load.current(t))
		t.Logf("%s: %s, after %s", name, sheets[len(sheets)-1], time.Since(start).Round(time.Second))
	}
	up := func(color string) func() (string, int) {
		return func() (string, int) {
			r.write("feed/static/feed/site.css", css+"\nbody { border-color: "+color+" }\n")
			return r.slipway(append(r.upLine(), two...)...)
		}
	}
	sheets = append(sheets, load.current(t))
	release("A to B", up("red"))
	release("B to C", up("green"))
	release("C back to B", func() (string, int) {
		return r.slipway(append(append([]string{"rollback", "--run"}, settings...), two...)...)
	})
	time.Sleep(5 * time.Second) // pages after the last rollout
	pages, missing := load.stop()
	t.Logf("%d pages loaded, %d stylesheets missing; pages by stylesheet: %v", pages, len(missing), load.seen)
	if pages < 400 || len(missing) > 0 {
		t.Errorf("%d pages, missing: %q", pages, missing)
	}
	if sheets[3] != sheets[1] || len(slices.Compact(slices.Sorted(slices.Values(sheets)))) != 3 {
		t.Errorf("the releases' stylesheets are %q: want three, and the last one is B's again", sheets)
	}
	if web := r.containers("slipway.service=slipway-dev-web", "slipway.container=nginx"); len(web) != 2 {
		t.Errorf("%d web tasks", len(web))
	}
	if out, code := r.slipway("destroy"); code != 0 {
		t.Fatalf("exit code %d\n%s", code, out)
	}
	r.left(before)
}

// Readers load pages and stylesheets until they are stopped.
type readers struct {
	visitor *visitor
	mu      sync.Mutex
	pages   int
	seen    map[string]int // pages by the stylesheet that they name
	missing []string
	end     func()
}

var stylesheet = regexp.MustCompile(`/static/feed/site\.([0-9a-f]{12})\.css`)

// readers starts four readers. Each loads a page, its stylesheet, and a stylesheet of an earlier page.
func (r *running) readers() *readers {
	l := &readers{visitor: r.visitor(), seen: map[string]int{}}
	done := make(chan struct{})
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for n := i; ; n++ {
				select {
				case <-done:
					return
				case <-time.After(20 * time.Millisecond):
				}
				l.load(n)
			}
		})
	}
	l.end = sync.OnceFunc(func() { close(done); all.Wait() })
	r.t.Cleanup(l.end)
	return l
}

func (l *readers) stop() (pages int, missing []string) {
	l.end()
	return l.pages, l.missing
}

func (l *readers) load(n int) {
	page, status, err := l.visitor.try("/latest/")
	sheet := stylesheet.FindString(page)
	if err != nil || status != http.StatusOK || sheet == "" {
		l.note(fmt.Sprintf("/latest/ (%d %v, %q)", status, err, sheet))
		return
	}
	l.mu.Lock()
	l.pages++
	l.seen[sheet]++
	earlier := slices.Sorted(maps.Keys(l.seen))
	l.mu.Unlock()
	l.fetch(sheet)
	l.fetch(earlier[n%len(earlier)])
}

// fetch gets a stylesheet. Its name has the hash of its content.
func (l *readers) fetch(sheet string) {
	answer, err := l.visitor.client.Get(l.visitor.url + sheet)
	if err != nil {
		l.note(fmt.Sprintf("%s (%v)", sheet, err))
		return
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	kind, hash := answer.Header.Get("Content-Type"), fmt.Sprintf("%x", md5.Sum(text))[:12]
	kept := strings.Contains(answer.Header.Get("Cache-Control"), "immutable")
	right := answer.StatusCode == http.StatusOK && strings.HasPrefix(kind, "text/css") && hash == stylesheet.FindStringSubmatch(sheet)[1]
	if err != nil || !right || !kept {
		l.note(fmt.Sprintf("%s (%d %v, %s, %d bytes with hash %s, immutable: %t)", sheet, answer.StatusCode, err, kind, len(text), hash, kept))
	}
}

func (l *readers) note(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.missing = append(l.missing, time.Now().Format(time.TimeOnly)+" "+what)
}

// current is the stylesheet of the page that all tasks serve: ten pages in a row name it.
func (l *readers) current(t *testing.T) string {
	t.Helper()
	for start, same, last := time.Now(), 0, ""; ; time.Sleep(50 * time.Millisecond) {
		page, status, err := l.visitor.try("/latest/")
		sheet := stylesheet.FindString(page)
		if same++; err != nil || status != http.StatusOK || sheet != last {
			same, last = 0, sheet
		}
		if same == 10 {
			return last
		}
		if time.Since(start) > time.Minute {
			t.Fatalf("the tasks do not serve the same page: %d %v %q", status, err, sheet)
		}
	}
}
