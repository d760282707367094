package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
)

// TestRunCelery runs a project with a cache, a worker and beat: a task is executed, beat never runs twice during a release, and a task
// that is being executed then is finished, once.
func TestRunCelery(t *testing.T) {
	r := &running{t: t, dir: t.TempDir(), line: []string{"up", "--run", "--postgres", "slipway-postgres:sid", "--valkey",
		"slipway-valkey:sid"}}
	needsImages(t, "slipway-celery:sid", "slipway-nginx:sid", "slipway-postgres:sid", "slipway-valkey:sid")
	archive, err := txtar.ParseFile("testdata/celery.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range archive.Files {
		name := filepath.Join(r.dir, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	before := r.held()
	t.Cleanup(func() {
		kill(r.server)
		if _, err := os.Stat(filepath.Join(r.dir, ".slipway/dev/run")); err == nil {
			r.slipway("destroy")
		}
		if t.Failed() && r.said != nil {
			t.Logf("the command that served said:\n%s", r.said)
		}
	})
	r.serve()
	if got := r.page("/add/19/23/"); got != "42" {
		t.Errorf("19 + 23 is %q", got)
	}
	r.until("beat's tasks are executed", func() bool { return r.ticks() >= 3 })
	if out, code := r.up(); code != 0 || !strings.Contains(out, "is up: 0 changes") {
		t.Errorf("a second up: exit code %d\n%s", code, out)
	}

	t.Log("a release, while a task is being executed")
	tasks := filepath.Join(r.dir, "shop/tasks.py")
	text, err := os.ReadFile(tasks)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(tasks, append(text, "# another release\n"...), 0o644); err != nil {
		t.Fatal(err)
	}
	since, ticks := time.Now(), r.ticks()
	slow := make(chan string, 1)
	go func() { // the worker is stopped some seconds after the images are built and the web service is replaced
		worker := r.onlyTask("worker")
		for r.onlyTask("worker") == worker && r.count("worker") < 2 {
			time.Sleep(50 * time.Millisecond)
		}
		slow <- r.page("/slow/once/8/")
	}()
	if out, code := r.up(); code != 0 {
		t.Fatalf("exit code %d\n%s", code, out)
	}
	id := <-slow
	for service, want := range map[string]int{"beat": 1, "worker": 2} {
		if most := r.most(service, since); most != want {
			t.Errorf("%s: %d tasks at once, want %d", service, most, want)
		}
	}
	r.until("the task is executed", func() bool { return strings.HasPrefix(r.page("/result/"+id+"/"), "SUCCESS") })
	if got := r.page("/result/" + id + "/"); got != "SUCCESS 1" {
		t.Errorf("the task that was executed during the release: %q, want once", got)
	}
	now := r.ticks()
	r.until("beat's tasks are executed", func() bool { return r.ticks() > now })
	if now <= ticks {
		t.Errorf("%d ticks before the release and %d after: the cache lost its data", ticks, now)
	}

	if out, code := r.slipway("destroy"); code != 0 {
		t.Fatalf("exit code %d\n%s", code, out)
	}
	r.left(before)
}

// page is the body of a page, or "" while the site does not answer.
func (r *running) page(path string) string {
	answer, err := http.Get(r.url + path)
	if err != nil {
		return ""
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		return fmt.Sprintf("%s: %.200s", answer.Status, body)
	}
	return string(body)
}

func (r *running) ticks() int {
	n, _ := strconv.Atoi(r.page("/ticks/"))
	return n
}

func workerLabel(worker string) string { return "label=slipway.service=shop-dev-worker-" + worker }

// ids are the containers of a worker that run.
func (r *running) ids(worker string) []string {
	out, err := exec.Command("docker", "ps", "-q", "--no-trunc", "--filter", workerLabel(worker)).Output()
	if err != nil {
		return nil
	}
	return strings.Fields(string(out))
}

func (r *running) count(worker string) int { return len(r.ids(worker)) }

func (r *running) onlyTask(worker string) string {
	if all := r.ids(worker); len(all) == 1 {
		return all[0]
	}
	return ""
}

// most is how many containers of a worker ran at the same time at most, of which one ran at the beginning.
func (r *running) most(worker string, since time.Time) int {
	r.t.Helper()
	out, err := exec.Command("docker", "events", "--since", fmt.Sprint(since.Unix()), "--until", fmt.Sprint(time.Now().Unix()+1), "--format",
		"{{json .}}", "--filter", workerLabel(worker), "--filter", "event=start", "--filter", "event=die").Output()
	if err != nil {
		r.t.Fatal(err)
	}
	runs, most := 1, 1
	for line := range strings.Lines(string(out)) {
		var event struct{ Action string }
		if err := json.Unmarshal([]byte(line), &event); err != nil {
			r.t.Fatalf("%q: %v", line, err)
		}
		if event.Action == "start" {
			runs++
		} else {
			runs--
		}
		most = max(most, runs)
	}
	if runs != 1 {
		r.t.Errorf("%s: %d tasks run after the release", worker, runs)
	}
	return most
}
