package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"image"
	"image/png"
	"io"
	"io/fs"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestRun takes a stack through its life with real containers, as its visitors live through it: sign-up, a picture, a
// release under load, two releases that fail, a kill, and the end.
func TestRun(t *testing.T) {
	if os.Getenv("SLIPWAY_RUN") == "" {
		t.Skip("set SLIPWAY_RUN=1 to run the site in containers: it takes minutes and needs Docker with the images of app/debian-base.sh")
	}
	for _, image := range []string{"slipway-base:sid", "slipway-nginx:sid", "slipway-postgres:sid"} {
		if out, err := exec.Command("docker", "image", "inspect", image).CombinedOutput(); err != nil {
			t.Skipf("no Docker engine with %s, which app/debian-base.sh makes: %s", image, lastLine(out))
		}
	}
	r := newRunning(t)
	before := r.held()

	r.serve()
	first := r.tasks()
	if len(first) != 2 {
		t.Fatalf("tasks of web and worker: %q", first)
	}
	ada := r.visitor()
	ada.form("/account/sign-up/", map[string]string{"username": "ada", "password1": "a long phrase 7", "password2": "a long phrase 7"}, nil)
	page := ada.form("/", map[string]string{"text": "first light"}, picture(t))
	at := regexp.MustCompile(`/media/pictures/[0-9a-f]+\.webp`).FindString(page)
	if at == "" {
		t.Fatalf("the time line shows no picture:\n%s", page)
	}
	if got, kind := ada.get(at); kind != "image/webp" || !strings.HasPrefix(got, "RIFF") {
		t.Errorf("the picture is %q, %d bytes", kind, len(got))
	}
	r.archived(`"path": "`+at+`"`, `migrations applied`)

	t.Log("a release with a migration, under load")
	r.write("feed/migrations/0900_mood.py", migration("migrations.AddField('post', 'mood', models.CharField(max_length=20, null=True))"))
	load := r.load(ada)
	out, code := r.up()
	answered, failed := load()
	t.Logf("%d requests, %d failed", answered, len(failed))
	if code != 0 || len(failed) > 0 || answered < 20 {
		t.Fatalf("exit code %d, %d requests, failed: %q\n%s", code, answered, failed, out)
	}
	second := r.tasks()
	if slices.ContainsFunc(second, func(id string) bool { return slices.Contains(first, id) }) || len(second) != 2 {
		t.Errorf("tasks were %q and are %q", first, second)
	}
	r.archived("feed.0900_mood")

	t.Log("a release whose migration fails")
	r.write("feed/migrations/0901_broken.py", migration("migrations.RunSQL('SELECT 1/0')"))
	load = r.load(ada)
	out, code = r.up()
	if _, failed := load(); code != exitFailed || len(failed) > 0 {
		t.Errorf("exit code %d, failed: %q\n%s", code, failed, out)
	}
	if !strings.Contains(out, "division by zero") || !slices.Equal(second, r.tasks()) {
		t.Errorf("tasks were %q and are %q; the command said:\n%s", second, r.tasks(), out)
	}

	t.Log("a release that never becomes healthy")
	if err := os.Remove(filepath.Join(r.dir, "app/feed/migrations/0901_broken.py")); err != nil {
		t.Fatal(err)
	}
	good := r.read("gunicorn.conf.py")
	r.write("gunicorn.conf.py", good+"\nsys.exit('the dog ate it')\n")
	load = r.load(ada)
	out, code = r.up()
	if _, failed := load(); code != exitFailed || len(failed) > 0 {
		t.Errorf("exit code %d, failed: %q\n%s", code, failed, out)
	}
	for _, want := range []string{"the dog ate it", "deployment failed: tasks failed to start (3 of 3)", "rolled back"} {
		if !strings.Contains(out, want) {
			t.Errorf("the command does not say %q:\n%s", want, out)
		}
	}
	if !slices.Equal(second, r.tasks()) {
		t.Errorf("tasks were %q and are %q", second, r.tasks())
	}
	r.write("gunicorn.conf.py", good)

	t.Log("kill -9, and an up after it")
	r.kill()
	r.serve()
	if page, _ := ada.get("/"); !strings.Contains(page, "first light") {
		t.Errorf("the post is gone:\n%s", page)
	}
	if out, code := r.slipway("run", "clean-up"); code != 0 || !strings.Contains(out, "0 pictures deleted of ") {
		t.Errorf("job: exit code %d\n%s", code, out)
	}

	t.Log("a task that dies is replaced")
	now := r.tasks()
	if out, err := exec.Command("docker", "kill", r.containers("slipway.service=slipway-dev-web", "slipway.container=nginx")[0]).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	r.until("another task serves", func() bool {
		_, status, err := ada.try("/latest/")
		return err == nil && status == http.StatusOK && !slices.Equal(now, r.tasks())
	})

	t.Log("destroy")
	if out, code := r.slipway("destroy"); code != 0 {
		t.Fatalf("exit code %d\n%s", code, out)
	}
	if left := r.held(); left != before {
		t.Errorf("destroy left:\n%s\nthere was before:\n%s", left, before)
	}
	if err := r.server.Wait(); err != nil {
		t.Errorf("the command that served ended with %v", err)
	}
}

// A running is a clone of the project whose stack dev runs.
type running struct {
	t      *testing.T
	dir    string
	url    string
	server *exec.Cmd
	said   *lockedBuffer
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}
func (l *lockedBuffer) String() string { l.mu.Lock(); defer l.mu.Unlock(); return l.b.String() }

func newRunning(t *testing.T) *running {
	r := &running{t: t, dir: t.TempDir()}
	files, err := filepath.Glob("../../Pulumi*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(r.dir, filepath.Base(file)), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.CopyFS(filepath.Join(r.dir, "app"), os.DirFS("../../app")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.kill()
		if _, err := os.Stat(filepath.Join(r.dir, ".slipway/dev/run")); err == nil {
			r.slipway("destroy")
		}
		if t.Failed() && r.said != nil {
			t.Logf("the command that served said:\n%s", r.said)
		}
	})
	return r
}

// settings make the images without a registry and without PyPI, and give the stack a worker and a job.
var settings = []string{
	"--postgres", "slipway-postgres:sid",
	"-c", "images.buildArgs.BASE=slipway-base:sid", "-c", "images.buildArgs.PACKAGES=base",
	"-c", "images.buildArgs.RDS_CA=/etc/ssl/certs/ca-certificates.crt", "-c", "images.buildArgs.NGINX_BASE=slipway-nginx:sid",
	"-c", `workers=[{name: feed, command: [python, manage.py, run_worker], cpu: 256, memory: 512, count: 1}]`,
	"-c", `jobs=[{name: clean-up, schedule: rate(12 hours), command: [python, manage.py, clean_up]}]`,
}

func (r *running) command(args ...string) *exec.Cmd {
	cmd := exec.Command("slipway", append(args, "--stack", "dev")...)
	cmd.Dir = r.dir
	return cmd
}

func (r *running) slipway(args ...string) (string, int) {
	cmd := r.command(args...)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		r.t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// up brings the release that lies in the folder, beside the command that serves.
func (r *running) up() (string, int) {
	return r.slipway(append([]string{"up", "--run"}, settings...)...)
}

// serve starts an up that stays, and waits until it says where the site is.
func (r *running) serve() {
	r.t.Helper()
	r.said = &lockedBuffer{}
	r.server = r.command(append([]string{"up", "--run"}, settings...)...)
	r.server.Stdout, r.server.Stderr = r.said, r.said
	if err := r.server.Start(); err != nil {
		r.t.Fatal(err)
	}
	start := time.Now()
	where := regexp.MustCompile(`The site is at (\S+) until`)
	for {
		if m := where.FindStringSubmatch(r.said.String()); m != nil {
			if r.url != "" && r.url != m[1] {
				r.t.Errorf("the site was at %s and is at %s", r.url, m[1])
			}
			r.url = m[1]
			r.t.Logf("up after %s", time.Since(start).Round(time.Second))
			return
		}
		if time.Since(start) > 10*time.Minute || r.server.Process.Signal(syscall.Signal(0)) != nil || strings.Contains(r.said.String(), "slipway: ") {
			r.t.Fatalf("it does not come up:\n%s", r.said)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

func (r *running) kill() {
	if r.server != nil && r.server.ProcessState == nil {
		r.server.Process.Kill()
		r.server.Wait()
	}
}

func (r *running) read(name string) string {
	text, err := os.ReadFile(filepath.Join(r.dir, "app", name))
	if err != nil {
		r.t.Fatal(err)
	}
	return string(text)
}

func (r *running) write(name, text string) {
	r.t.Helper()
	if err := os.WriteFile(filepath.Join(r.dir, "app", name), []byte(text), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

// migration is a file with one operation, after the newest that there is.
func migration(operation string) string {
	after := "0900_mood"
	if strings.Contains(operation, "mood") {
		names, _ := filepath.Glob("../../app/feed/migrations/0*.py")
		slices.Sort(names)
		after = strings.TrimSuffix(filepath.Base(names[len(names)-1]), ".py")
	}
	return fmt.Sprintf("from django.db import migrations, models\n\n\nclass Migration(migrations.Migration):\n    dependencies = [('feed', %q)]\n    operations = [%s]\n", after, operation)
}

func (r *running) containers(labels ...string) []string {
	args := []string{"ps", "-q", "--filter", "name=slipway-dev-"}
	for _, l := range labels {
		args = append(args, "--filter", "label="+l)
	}
	out, err := exec.Command("docker", args...).Output()
	if err != nil {
		r.t.Fatal(err)
	}
	return strings.Fields(string(out))
}

// tasks are the tasks of services that run, sorted.
func (r *running) tasks() []string {
	out, err := exec.Command("docker", "ps", "--filter", "name=slipway-dev-", "--filter", "label=slipway.service", "--format", `{{.Label "slipway.service"}} {{.Label "slipway.task"}}`).Output()
	if err != nil {
		r.t.Fatal(err)
	}
	all := strings.Split(strings.TrimSpace(string(out)), "\n")
	slices.Sort(all)
	return slices.DeleteFunc(slices.Compact(all), func(s string) bool { return !strings.HasPrefix(s, "slipway-") })
}

// held is all that the engine holds of slipway's stacks.
func (r *running) held() string {
	var all strings.Builder
	for _, list := range [][]string{{"ps", "-a"}, {"network", "ls"}, {"volume", "ls"}} {
		out, err := exec.Command("docker", append(list, "-q", "--filter", "label=slipway.stack")...).Output()
		if err != nil {
			r.t.Fatal(err)
		}
		names := strings.Fields(string(out))
		slices.Sort(names)
		fmt.Fprintln(&all, list[0], names)
	}
	return all.String()
}

func (r *running) until(what string, yes func() bool) {
	r.t.Helper()
	for start := time.Now(); !yes(); time.Sleep(300 * time.Millisecond) {
		if time.Since(start) > time.Minute {
			r.t.Fatalf("not after a minute: %s", what)
		}
	}
}

// archived waits until the log bucket holds each text, in a gzipped object under a dated prefix.
func (r *running) archived(texts ...string) {
	r.t.Helper()
	dated := regexp.MustCompile(`/subscription/20\d\d/\d\d/\d\d/\d\d/[^/]+\.gz$`)
	for _, text := range texts {
		r.until("the archive holds "+text, func() bool {
			found := false
			filepath.WalkDir(filepath.Join(r.dir, ".slipway/dev/run/s3/buckets"), func(path string, _ fs.DirEntry, err error) error {
				if err != nil || !dated.MatchString(filepath.ToSlash(path)) {
					return err
				}
				f, err := os.Open(path)
				if err != nil {
					return err
				}
				defer f.Close()
				z, err := gzip.NewReader(f)
				if err != nil {
					return err
				}
				lines, err := io.ReadAll(z)
				found = found || strings.Contains(string(lines), text)
				return err
			})
			return found
		})
	}
}

// load asks for pages, four at a time, until the returned function is called.
func (r *running) load(v *visitor) func() (int64, []string) {
	ctx, stop := context.WithCancel(r.t.Context())
	var answered atomic.Int64
	var mu sync.Mutex
	var failed []string
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for n := i; ctx.Err() == nil; n++ {
				path := []string{"/", "/latest/", "/account/log-in/", "/search/?q=light"}[n%4]
				_, status, err := v.try(path)
				answered.Add(1)
				if err != nil || status >= 500 {
					mu.Lock()
					failed = append(failed, fmt.Sprintf("%s %s: %d %v", time.Now().Format(time.TimeOnly), path, status, err))
					mu.Unlock()
				}
				time.Sleep(50 * time.Millisecond)
			}
		})
	}
	return func() (int64, []string) { stop(); all.Wait(); return answered.Load(), failed }
}

// A visitor is a browser without JavaScript.
type visitor struct {
	t      *testing.T
	url    string
	client *http.Client
}

func (r *running) visitor() *visitor {
	jar, err := cookiejar.New(nil)
	if err != nil {
		r.t.Fatal(err)
	}
	return &visitor{r.t, r.url, &http.Client{Jar: jar, Timeout: 30 * time.Second}}
}

func (v *visitor) try(path string) (string, int, error) {
	answer, err := v.client.Get(v.url + path)
	if err != nil {
		return "", 0, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return string(body), answer.StatusCode, err
}

func (v *visitor) get(path string) (body, kind string) {
	v.t.Helper()
	answer, err := v.client.Get(v.url + path)
	if err != nil {
		v.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		v.t.Fatalf("GET %s: %s %v\n%s", path, answer.Status, err, text)
	}
	return string(text), answer.Header.Get("Content-Type")
}

var token = regexp.MustCompile(`name="csrfmiddlewaretoken" value="([^"]+)"`)

// form fills in the form of a page and returns the page after it.
func (v *visitor) form(path string, fields map[string]string, picture []byte) string {
	v.t.Helper()
	page, _ := v.get(path)
	m := token.FindStringSubmatch(page)
	if m == nil {
		v.t.Fatalf("%s has no form:\n%s", path, page)
	}
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	w.WriteField("csrfmiddlewaretoken", m[1])
	for name, value := range fields {
		w.WriteField(name, value)
	}
	if picture != nil {
		part, err := w.CreateFormFile("picture", "light.png")
		if err != nil {
			v.t.Fatal(err)
		}
		part.Write(picture)
	}
	w.Close()
	q, err := http.NewRequest(http.MethodPost, v.url+path, &b)
	if err != nil {
		v.t.Fatal(err)
	}
	q.Header.Set("Content-Type", w.FormDataContentType())
	origin, _ := url.Parse(v.url)
	q.Header.Set("Origin", origin.Scheme+"://"+origin.Host)
	answer, err := v.client.Do(q)
	if err != nil {
		v.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK || answer.Request.Method != http.MethodGet {
		v.t.Fatalf("POST %s: %s %v\n%s", path, answer.Status, err, text)
	}
	return string(text)
}

func picture(t *testing.T) []byte {
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewRGBA(image.Rect(0, 0, 40, 30))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func lastLine(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1]
}
