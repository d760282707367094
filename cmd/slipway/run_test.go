package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
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
	"syscall"
	"testing"
	"time"
)

// TestRun takes a stack through its life with real containers and visitors: sign-up, a picture, a release under load, two
// releases that fail, a kill, and destroy.
func TestRun(t *testing.T) {
	r := newRunning(t)
	r.line = append(r.upLine(), "-c", "database.psqlImage=public.ecr.aws/docker/library/postgres")
	before := r.held()

	r.serve()
	first := r.tasks()
	if len(first) != 2 {
		t.Fatalf("tasks of web and worker: %q", first)
	}

	r.mounts()

	t.Log("visitors with a real browser")
	seen := r.browse()
	r.archived(
		`"logger":"nginx","request_id":"`+seen.Request+`"`,
		`"message": "POST / 302", "request_id": "`+seen.Request+`"`,
		`"path": "`+seen.Picture+`"`,
		`migrations applied`)
	ada := r.visitor()
	r.logged(ada, seen.Request)
	if _, kind := ada.get(seen.Picture); kind != "image/webp" {
		t.Errorf("the picture is %q", kind)
	}
	ada.signUp("ada")
	ada.post("first light")

	t.Log("the same again, from new files with the same contents")
	pushed := r.pushed()
	if err := os.RemoveAll(filepath.Join(r.dir, "app")); err != nil {
		t.Fatal(err)
	}
	r.copyApp()
	r.write("README.md", "no part of an image")
	r.write("feed/tests/test_more.py", "# nor is a test\n")
	if out, code := r.up(); code != 0 || !strings.Contains(out, "is up: 0 changes") ||
		!strings.Contains(out, "served by the up that runs already") || pushed != r.pushed() || !slices.Equal(first, r.tasks()) {
		t.Errorf("exit code %d; the registry held\n%s\nand holds\n%s\ntasks were %q and are %q; the command said:\n%s", code, pushed, r.pushed(),
			first, r.tasks(), out)
	}

	t.Log("a release with a migration and another stylesheet, under load")
	r.write("feed/static/feed/site.css", r.read("feed/static/feed/site.css")+"\nbody { border-color: red }\n")
	sheets := r.readers()
	old := sheets.current(t)
	r.write("feed/migrations/0900_mood.py", r.migration("migrations.AddField('post', 'mood', models.CharField(max_length=20, null=True))"))
	load := ada.load()
	out, code := r.up()
	second := r.tasks()
	answered, posts, failed := load()
	t.Logf("%d requests, %d of them posts, %d failed", answered, posts, len(failed))
	if code != 0 || len(failed) > 0 || answered < 200 || posts < 20 {
		t.Fatalf("exit code %d, %d requests, %d posts, failed: %q\n%s", code, answered, posts, failed, out)
	}
	if slices.ContainsFunc(second, func(id string) bool { return slices.Contains(first, id) }) || len(second) != 2 {
		t.Errorf("tasks were %q and are %q", first, second)
	}
	if pushed == r.pushed() {
		t.Error("a new release pushed nothing")
	}
	r.archived("feed.0900_mood")
	sheets.fetch(old)
	pages, missing := sheets.stop()
	t.Logf("%d pages loaded, %d stylesheets missing", pages, len(missing))
	if pages < 100 || len(missing) > 0 || sheets.current(t) == old {
		t.Errorf("%d pages loaded, stylesheets missing: %q", pages, missing)
	}
	all := 1 + posts
	ada.wrote(all)

	t.Log("a release whose migration fails")
	r.write("feed/migrations/0901_broken.py", r.migration("migrations.RunSQL('SELECT 1/0')"))
	load = ada.load()
	out, code = r.up()
	answered, posts, failed = load()
	if code != exitFailed || len(failed) > 0 || answered < 50 {
		t.Errorf("exit code %d, %d requests, failed: %q\n%s", code, answered, failed, out)
	}
	named := strings.Contains(out, "failed in feed.0901_broken: exit code 1") && strings.Contains(out, "This run started no deployment")
	if !named || !strings.Contains(out, "division by zero") || !slices.Equal(second, r.tasks()) {
		t.Errorf("tasks were %q and are %q; the command said:\n%s", second, r.tasks(), out)
	}
	all += posts
	ada.wrote(all)

	t.Log("a release that never becomes healthy")
	if err := os.Remove(filepath.Join(r.dir, "app/feed/migrations/0901_broken.py")); err != nil {
		t.Fatal(err)
	}
	good := r.read("gunicorn.conf.py")
	r.write("gunicorn.conf.py", good+"\nsys.exit('the dog ate it')\n")
	load = ada.load()
	out, code = r.up()
	answered, posts, failed = load()
	if code != exitFailed || len(failed) > 0 || answered < 50 {
		t.Errorf("exit code %d, %d requests, failed: %q\n%s", code, answered, failed, out)
	}
	for _, want := range []string{"the dog ate it", "deployment failed: tasks failed to start (3 of 3)", "rolled back"} {
		if !strings.Contains(out, want) {
			t.Errorf("the command does not say %q:\n%s", want, out)
		}
	}
	// The worker is a service of its own: it may have begun with the release before the other one failed.
	if web := slices.IndexFunc(second, func(id string) bool { return strings.HasPrefix(id, "slipway-dev-web ") }); web < 0 ||
		!slices.Contains(r.tasks(), second[web]) {
		t.Errorf("tasks were %q and are %q", second, r.tasks())
	}
	all += posts
	ada.wrote(all)

	t.Log("kill -9 of both commands in the middle of a release, and an up after it")
	r.write("gunicorn.conf.py", good+"\n# a release of its own\n")
	cut := r.start(r.upLine()...)
	r.until("the migration runs", func() bool { return len(r.ends()) > 0 })
	kill(cut)
	kill(r.server)
	if len(r.ends()) == 0 {
		t.Error("the kill left no orphaned task, so this proves nothing")
	}
	r.serve()
	if left := r.ends(); len(left) > 0 {
		t.Errorf("the killed migration is still there: %q", left)
	}
	if now := r.tasks(); len(now) != 2 || slices.ContainsFunc(now, func(id string) bool { return slices.Contains(second, id) }) {
		t.Errorf("tasks were %q and are %q", second, now)
	}
	ada.wrote(all)
	t.Log("into what runs: exec, task, job, psql and a tunnel")
	r.enter()

	t.Log("a task that dies is replaced")
	now := r.tasks()
	r.docker("kill", r.containers("slipway.service=slipway-dev-web", "slipway.container=nginx")[0])
	r.until("another task serves", func() bool {
		_, status, err := ada.try("/latest/")
		return err == nil && status == http.StatusOK && !slices.Equal(now, r.tasks())
	})

	t.Log("what Pulumi.yaml configures of nginx")
	r.configured(ada, seen.Picture)

	for _, want := range []string{"slipway-dev-web: task ", " stopped: container nginx: Essential container in task exited with code 137",
		" runs in its place."} {
		r.until("the command that serves says "+want, func() bool { return strings.Contains(r.said.String(), want) })
	}

	t.Log("restart, pause, resume and scale")
	r.acts(t, ada, all)

	t.Log("destroy")
	if out, code := r.slipway("destroy"); code != 0 {
		t.Fatalf("exit code %d\n%s", code, out)
	}
	r.left(before)
	if err := r.server.Wait(); err != nil {
		t.Errorf("the command that served ended with %v", err)
	}
}

// logged reads the lines of a request from both stores of logs, and follows what is written.
func (r *running) logged(v *visitor, request string) {
	r.t.Helper()
	read := func() []string {
		r.t.Helper()
		out, code := r.slipway("logs", "--since", "20m", "--request", request)
		if code != 0 || !strings.Contains(out, " nginx ") || !strings.Contains(out, " django ") || !strings.Contains(out, "POST / 302") {
			r.t.Errorf("the log of request %s: exit code %d\n%s", request, code, out)
		}
		lines := strings.Split(strings.TrimSpace(out), "\n")
		slices.Sort(lines)
		return lines
	}
	recent := read()
	// As if the log groups had been deleted and created again: the archive has the same lines.
	if err := os.RemoveAll(filepath.Join(r.dir, ".slipway/dev/run/cloudwatch")); err != nil {
		r.t.Fatal(err)
	}
	if old := read(); !slices.Equal(old, recent) {
		r.t.Errorf("the archive has\n%s\nCloudWatch had\n%s", strings.Join(old, "\n"), strings.Join(recent, "\n"))
	}

	follow := r.command("logs", "--follow", "--filter", "/followed/", "--container", "nginx")
	var out lockedBuffer
	follow.Stdout, follow.Stderr = &out, &out
	if err := follow.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.until("logs --follow shows a request", func() bool {
		if _, _, err := v.try("/followed/"); err != nil {
			r.t.Fatal(err)
		}
		return strings.Contains(out.String(), "GET /followed/ 404")
	})
	follow.Process.Signal(os.Interrupt)
	if follow.Wait(); follow.ProcessState.ExitCode() != 128+int(syscall.SIGINT) {
		r.t.Errorf("logs --follow ends with %v\n%s", follow.ProcessState, out.String())
	}
	if status, code := r.slipway("status"); code != 0 || !regexp.MustCompile(`(?m)^web +1 +1 +1 `).MatchString(status) {
		r.t.Errorf("status: exit code %d\n%s", code, status)
	}
}

// mounts checks every path that a task mounts. On Fargate a volume gets the owner of its path in the image, but only if the image
// declares exactly that path as VOLUME and no part of it is a symbolic link. Otherwise it belongs to root, and Docker hides this by
// following the link. ECS Exec's agent runs as root.
func (r *running) mounts() {
	r.t.Helper()
	checked := 0
	for _, id := range r.containers("slipway.task") {
		var all []struct {
			Config struct{ Image, User string }
			Mounts []struct{ Type, Destination string }
		}
		if err := json.Unmarshal([]byte(r.docker("inspect", id)), &all); err != nil || len(all) != 1 {
			r.t.Fatalf("%d containers: %v", len(all), err)
		}
		image := all[0].Config.Image
		look := func(program string, args ...string) string {
			r.t.Helper()
			line := []string{"run", "--rm", "--network", "none", "--user", "0", "--entrypoint", program, image}
			return strings.TrimSpace(r.docker(append(line, args...)...))
		}
		declared := r.docker("image", "inspect", "-f", `{{range $path, $_ := .Config.Volumes}}{{println $path}}{{end}}`, image)
		number := strings.TrimSpace(r.docker("exec", id, "id", "-u")) + ":" + strings.TrimSpace(r.docker("exec", id, "id", "-g"))
		if strings.HasPrefix(number, "0:") {
			r.t.Errorf("%s runs as root", image)
		}
		for _, m := range all[0].Mounts {
			if m.Type != "volume" {
				continue
			}
			at, owner := m.Destination, number
			if at == "/managed-agents" || strings.HasSuffix(at, "/amazon/ssm") {
				owner = "0:0"
			}
			real, holder := look("readlink", "-f", at), look("stat", "-c", "%u:%g", at)
			if !slices.Contains(strings.Fields(declared), at) || real != at || holder != owner {
				r.t.Errorf("%s: %s is %s and belongs to %s, not to %s; volumes:\n%s", image, at, real, holder, owner, declared)
			}
			checked++
		}
	}
	if checked < 13 { // four of each container of the app, five of nginx
		r.t.Errorf("the tasks have only %d mounts", checked)
	}
}

// configured checks what app.nginx says: headers, limits and sizes; and what nginx does for every project.
func (r *running) configured(v *visitor, picture string) {
	r.t.Helper()
	ask := func(method, path, body string) *http.Response {
		r.t.Helper()
		q, err := http.NewRequest(method, r.url+path, strings.NewReader(body))
		if err != nil {
			r.t.Fatal(err)
		}
		q.Header.Set("X-Forwarded-For", "10.9.9.9") // what a visitor claims
		q.Header.Set("X-Request-ID", "chosen-by-the-visitor")
		answer, err := v.client.Do(q)
		if err != nil {
			r.t.Fatal(err)
		}
		io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		return answer
	}
	policies := func(path string, want ...string) {
		r.t.Helper()
		answer := ask(http.MethodGet, path, "")
		got := strings.Join(answer.Header.Values("Content-Security-Policy"), "\n")
		for _, policy := range append(want, "default-src 'none'; style-src 'self';") {
			if answer.StatusCode != http.StatusOK || !strings.Contains(got, policy) || answer.Header.Get("Permissions-Policy") == "" ||
				answer.Header.Get("X-Content-Type-Options") != "nosniff" {
				r.t.Errorf("%s: %s with the headers %v, want the policy %s", path, answer.Status, answer.Header, policy)
			}
		}
	}
	policies("/latest/")
	policies(picture, "default-src 'none'; sandbox")
	page, _ := v.get("/latest/")
	policies(stylesheet.FindString(page))
	if id := ask(http.MethodGet, "/latest/", "").Header.Get("X-Request-ID"); !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(id) {
		r.t.Errorf("the request's ID is %q", id)
	}
	if answer := ask(http.MethodPost, "/", strings.Repeat("x", 7<<20)); answer.StatusCode != http.StatusRequestEntityTooLarge {
		r.t.Errorf("7 MB: %s", answer.Status)
	}
	refused := 0
	for range 26 {
		if ask(http.MethodPost, "/account/log-in/", "x=1").StatusCode == http.StatusTooManyRequests {
			refused++
		}
	}
	if refused == 0 || ask(http.MethodGet, "/account/log-in/", "").StatusCode != http.StatusOK {
		r.t.Errorf("%d of 26 passwords refused; the form itself must never be", refused)
	}
	ask(http.MethodGet, "/@nobody/", "")
	r.archived(`"address":"127.0.0.1","method":"GET","path":"/@nobody/"`)
}

// TestRunVerdicts brings releases and settings that are wrong in ways that ECS does not notice, or does not explain, and reads
// what the command says about each.
func TestRunVerdicts(t *testing.T) {
	r := newRunning(t)
	before := r.held()
	r.serve()

	t.Log("a health path that answers 400, without another deployment")
	urls := r.read("website/urls.py")
	r.write("website/urls.py", urls+`

def health(request):
    """Like a page that fails only behind the load balancer; its container's own check goes to the same path."""
    from django.core.exceptions import DisallowedHost
    from feed.models import User
    if User.objects.filter(username="sick").exists() and request.headers["User-Agent"].startswith("ELB-"):
        raise DisallowedHost("Invalid HTTP_HOST header: the dog ate it. You may need to add it to ALLOWED_HOSTS.")
    from django.http import HttpResponse
    return HttpResponse("well")

urlpatterns.insert(0, path("ht/", health))
`)
	ht := []string{"-c", "web.healthPath=/ht/"}
	r.good(ht...)
	r.visitor().signUp("sick")
	for range 2 { // the second up changes nothing, and is no better
		if out := r.bad(ht, "its load balancer calls it unhealthy", "GET /.slipway/health must answer 200-399",
			"GET /.slipway/health answered 400", "container django:", "the dog ate it", "ALLOWED_HOSTS"); strings.Contains(out, "updated") {
			t.Errorf("it deploys something:\n%s", out)
		}
	}
	r.sql("UPDATE feed_user SET username = 'well' WHERE username = 'sick'")
	r.good(ht...)
	r.write("website/urls.py", urls)
	r.good()

	t.Log("a site whose every page answers 400: as the check sees, and as it does not")
	settings := r.read("website/settings.py")
	r.write("website/settings.py", settings+"\nALLOWED_HOSTS = ['elsewhere.example.com']\n")
	r.wrong(exitFailed, nil, "app/website/settings.py", "hosts-fixed", "nothing was created")
	r.write("website/settings.py", settings)
	r.write("website/settings.py", settings+ // no reader of the code sees that
		"\nALLOWED_HOSTS = [host[::-1] for host in globals().get('ALLOWED_HOSTS', [])]\n")
	r.bad(nil, "GET / answered 400 Bad Request", "DisallowedHost", "ALLOWED_HOSTS")
	r.write("website/settings.py", settings)

	t.Log("a front page that answers 500, one that is not there, and one behind a log-in")
	r.write("website/urls.py", urls+"\n\ndef fail(request):\n    raise RuntimeError('the dog ate the view')\n"+
		"\n\nurlpatterns.insert(0, path('', fail))\n")
	r.bad(nil, "GET / answered 500 Internal Server Error", "the dog ate the view")
	if out := r.good("-c", "web.checkPath=/nothing/"); !strings.Contains(out, "Note: GET /nothing/ answered 404") {
		t.Errorf("404 is not noted:\n%s", out)
	}
	if out := r.good("-c", "web.checkPath=/account/"); !strings.Contains(out, "Note: GET /account/ is redirected to the log-in page") {
		t.Errorf("a log-in page is not noted:\n%s", out)
	}
	r.write("website/urls.py", urls)

	t.Log("a container whose own health check fails")
	r.bad([]string{"-c", "web.healthPath=/no-healthz", "-c", "app.start=10"}, "was rolled back",
		"Task failed container health checks (django: its health check failed)",
		"container django: CMD /opt/slipway/helper health", "exit code 1 after 3 tries", "/no-healthz answered 404, healthy is 200 to 399",
		"Last lines of the log:", "django, log group")

	t.Log("nginx does not start, and the database would be migrated for a release without an nginx")
	r.wrong(exitUsage, []string{"-c", `app.nginx.headers={"X-Dog": "on;\nthe dog"}`}, "app.nginx.headers")
	r.broken("slipway-nginx-broken:"+filepath.Base(r.dir), "echo 'dog on;' >>/etc/nginx/mime.types")
	r.bad([]string{"-c", "app.nginx.base=slipway-nginx-broken:" + filepath.Base(r.dir)}, "was rolled back", "nginx: exit code 1",
		"nginx, log group", `unknown directive "dog"`)
	r.write("feed/migrations/0900_mood.py", r.migration("migrations.AddField('post', 'mood', models.CharField(max_length=20, null=True))"))
	out := r.bad([]string{"-c", "app.static={commands: [[collectstatic, --noinput, --dog]]}"}, "This run started no deployment",
		"unrecognized arguments: --dog")
	// The plan names the marker, which the migration updates when it is done.
	if _, done, planned := strings.Cut(out, "Plan for dev:"); !planned || regexp.MustCompile(`(?m)^migration: .*updated`).MatchString(done) {
		t.Errorf("it has migrated, or shows no plan:\n%s", out)
	}

	t.Log("another number of tasks")
	if out := r.good("-c", "web.min=2"); !strings.Contains(out, "Service slipway-dev-web: 2 tasks instead of 1") {
		t.Errorf("it does not say what it scales:\n%s", out)
	}
	if web := r.containers("slipway.service=slipway-dev-web", "slipway.container=nginx"); len(web) != 2 {
		t.Errorf("%d tasks run, want 2", len(web))
	}
	if n := strings.Count(r.said.String(), "ulimits"); n > 1 {
		t.Errorf("it says %d times that there are no limits", n)
	}

	if out, code := r.slipway("destroy"); code != 0 {
		t.Fatalf("exit code %d\n%s", code, out)
	}
	r.left(before)
}

// good is an up that must succeed. It gives what the command says.
func (r *running) good(args ...string) string {
	r.t.Helper()
	out, code := r.slipway(append(r.upLine(), args...)...)
	if code != 0 {
		r.t.Fatalf("up %q: exit code %d\n%s", args, code, out)
	}
	return out
}

// bad is an up that must fail, and say all of want.
func (r *running) bad(args []string, want ...string) string {
	r.t.Helper()
	out, code := r.slipway(append(r.upLine(), args...)...)
	if code != exitFailed {
		r.t.Errorf("up %q: exit code %d\n%s", args, code, out)
	}
	for _, words := range want {
		if !strings.Contains(out, words) {
			r.t.Errorf("up %q does not say %q:\n%s", args, words, out)
		}
	}
	return out
}

// wrong is an up that is refused before anything is planned, with this exit code, and says all of want.
func (r *running) wrong(exit int, args []string, want ...string) {
	r.t.Helper()
	out, code := r.slipway(append(r.upLine(), args...)...)
	if code != exit || strings.Contains(out, "Plan for dev:") {
		r.t.Errorf("up %q: exit code %d\n%s", args, code, out)
	}
	for _, words := range want {
		if !strings.Contains(out, words) {
			r.t.Errorf("up %q does not say %q:\n%s", args, words, out)
		}
	}
}

// broken makes an image of nginx in which a command was run.
func (r *running) broken(tag, command string) {
	r.t.Helper()
	cmd := exec.Command("docker", "build", "-q", "-t", tag, "-")
	cmd.Stdin = strings.NewReader("FROM slipway-nginx:sid\nRUN " + command + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		r.t.Fatalf("%v\n%s", err, out)
	}
	r.t.Cleanup(func() { exec.Command("docker", "rmi", tag).Run() })
}

// TestRunRehearsed kills an up that is the stack's first, which destroy cleans, and a rehearsal, which the next one
// cleans before it begins. That one is good.
func TestRunRehearsed(t *testing.T) {
	r := newRunning(t)
	before := r.held()
	for _, c := range []struct{ killed, cleans []string }{
		{r.upLine(), []string{"destroy"}},
		{append([]string{"rehearse", "--run"}, settings...), append([]string{"rehearse", "--run"}, settings...)},
	} {
		cut := r.start(c.killed...)
		r.until("the database runs", func() bool { return len(r.containers("slipway.database")) > 0 })
		kill(cut)
		if slices.Equal(r.held(), before) {
			t.Errorf("%s, killed, left nothing, so this proves nothing", c.killed[0])
		}
		out, code := r.slipway(c.cleans...)
		if code != 0 {
			t.Errorf("%s: exit code %d\n%s", c.cleans[0], code, out)
		}
		if c.cleans[0] == "rehearse" && !strings.Contains(out, "Stack dev deploys, stays unchanged and is destroyed.") {
			t.Errorf("no good verdict:\n%s", out)
		}
		r.left(before)
	}
}

// needsImages skips a test that was not asked for, and fails it without a Docker engine that has these images.
func needsImages(t *testing.T, images ...string) {
	t.Helper()
	if os.Getenv("SLIPWAY_RUN") == "" {
		t.Skip("set SLIPWAY_RUN=1 to run the site in containers: it takes minutes, and needs what .ci/site gets")
	}
	for _, image := range images {
		if out, err := exec.Command("docker", "image", "inspect", image).CombinedOutput(); err != nil {
			t.Fatalf("no Docker engine with %s, which app/debian-base.sh makes: %s", image, out)
		}
	}
}

// A running is a clone of the project whose stack dev runs.
type running struct {
	t      *testing.T
	dir    string
	url    string
	line   []string // the command that deploys; nil: of the sample site
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
	needsImages(t, "slipway-base:sid", "slipway-nginx:sid", "slipway-postgres:sid")
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
	r.copyApp()
	t.Cleanup(func() {
		kill(r.server)
		for _, line := range [][]string{{".slipway/dev/run", "destroy"}, {".slipway/rehearsed/dev/run", "rehearse"}} {
			if _, err := os.Stat(filepath.Join(r.dir, line[0])); err == nil {
				t.Logf("%s after a failure", line[1])
				r.slipway(line[1])
			}
		}
		if t.Failed() && r.said != nil {
			t.Logf("the command that served said:\n%s", r.said)
		}
	})
	r.stranger()
	return r
}

func (r *running) copyApp() {
	r.t.Helper()
	if err := os.CopyFS(filepath.Join(r.dir, "app"), os.DirFS("../../app")); err != nil {
		r.t.Fatal(err)
	}
}

// stranger creates a container, a network and a volume of another owner, with names similar to the stack's.
func (r *running) stranger() {
	const name = "slipway-dev-0-of-another-owner"
	r.t.Cleanup(func() {
		for _, line := range [][]string{{"rm", "-fv", name}, {"network", "rm", name}, {"volume", "rm", name}} {
			if out, err := exec.Command("docker", line...).CombinedOutput(); err != nil {
				r.t.Errorf("a resource of another owner is gone: docker %s: %s", strings.Join(line, " "), out)
			}
		}
	})
	r.docker("network", "create", name)
	r.docker("volume", "create", name)
	r.docker("run", "-d", "--name", name, "--network", name, "-v", name+":/kept", "--label", "slipway.stack=other",
		"slipway-nginx:sid", "sleep", "3600")
}

// settings make the images without a registry and without PyPI, and give the stack a worker and a job.
var settings = []string{
	"--postgres", "slipway-postgres:sid",
	"-c", "app.args.BASE=slipway-base:sid", "-c", "app.args.PACKAGES=base", "-c", "app.nginx.base=slipway-nginx:sid",
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

// upLine is the command line that deploys the release in the folder.
func (r *running) upLine() []string {
	if r.line != nil {
		return slices.Clone(r.line)
	}
	return append([]string{"up", "--run"}, settings...)
}

// up deploys the release in the folder, beside the command that serves.
func (r *running) up() (string, int) { return r.slipway(r.upLine()...) }

// start starts a command whose output is discarded.
func (r *running) start(args ...string) *exec.Cmd {
	r.t.Helper()
	cmd := r.command(args...)
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { kill(cmd) })
	return cmd
}

// serve starts an up that stays, and waits until it says where the site is.
func (r *running) serve(args ...string) {
	r.t.Helper()
	r.said = &lockedBuffer{}
	r.server = r.command(append(r.upLine(), args...)...)
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
		if time.Since(start) > 10*time.Minute || r.server.Process.Signal(syscall.Signal(0)) != nil ||
			strings.Contains(r.said.String(), "slipway: ") {
			r.t.Fatalf("it does not come up:\n%s", r.said)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

func kill(cmd *exec.Cmd) {
	if cmd != nil && cmd.ProcessState == nil {
		cmd.Process.Kill()
		cmd.Wait()
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
func (r *running) migration(operation string) string {
	names, err := filepath.Glob(filepath.Join(r.dir, "app/feed/migrations/0*.py"))
	if err != nil || len(names) == 0 {
		r.t.Fatalf("the site has no migrations: %v", err)
	}
	after := strings.TrimSuffix(filepath.Base(slices.Max(names)), ".py")
	return fmt.Sprintf(
		"from django.db import migrations, models\n\n\nclass Migration(migrations.Migration):\n    dependencies = [('feed', %q)]\n    "+
			"operations = [%s]\n", after, operation)
}

func (r *running) docker(args ...string) string {
	r.t.Helper()
	out, err := exec.Command("docker", args...).CombinedOutput()
	if err != nil {
		r.t.Fatalf("docker %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func (r *running) containers(labels ...string) []string {
	args := []string{"ps", "-q", "--filter", "name=^slipway-dev-[0-9a-f]{8}-", "--filter", "label=slipway.stack"}
	for _, l := range labels {
		args = append(args, "--filter", "label="+l)
	}
	return strings.Fields(r.docker(args...))
}

// tasks are the tasks of services that run, sorted: service and task.
func (r *running) tasks() []string {
	return r.running(func(service string) bool { return service != "" })
}

// ends are the tasks that run to their end, such as the migration.
func (r *running) ends() []string {
	return r.running(func(service string) bool { return service == "" })
}

func (r *running) running(which func(service string) bool) []string {
	out := r.docker("ps", "--filter", "name=^slipway-dev-[0-9a-f]{8}-", "--filter", "label=slipway.task", "--format",
		`{{.Label "slipway.service"}} {{.Label "slipway.task"}}`)
	var all []string
	for line := range strings.Lines(out) {
		line = strings.TrimSuffix(line, "\n")
		if service, _, _ := strings.Cut(line, " "); which(service) {
			all = append(all, line)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// held is all that the engine holds of slipway's stacks, a line each.
func (r *running) held() []string {
	var all []string
	for _, list := range [][]string{
		{"ps", "-a", "--filter", "label=slipway.stack"}, {"network", "ls", "--filter", "label=slipway.stack"},
		{"ps", "-a", "--filter", "status=exited", "--filter", "status=created"},
		{"volume", "ls", "--filter", "label=slipway.stack"},
		{"images", "--filter", "reference=127.0.0.1:*/slipway-*/*"}, {"images", "--filter", "dangling=true"},
	} {
		for _, name := range strings.Fields(r.docker(append(list, "-q")...)) {
			all = append(all, list[0]+" "+name)
		}
	}
	return all
}

// left reports what the engine holds now and did not hold before, including images without a name.
func (r *running) left(before []string) {
	r.t.Helper()
	for _, line := range r.held() {
		if !slices.Contains(before, line) {
			r.t.Errorf("left behind: %s", line)
		}
	}
}

// pushed is all that was ever pushed to the stack's registry, and when.
func (r *running) pushed() string {
	var all strings.Builder
	err := filepath.WalkDir(filepath.Join(r.dir, ".slipway/dev/run/registry"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			fmt.Fprintln(&all, d.Name(), info.ModTime())
		}
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return all.String()
}

// browse sends a real browser to the site. It returns the ID of the request that posted the picture, and the picture's path.
func (r *running) browse() (seen struct{ Request, Picture string }) {
	r.t.Helper()
	ctx, stop := context.WithTimeout(r.t.Context(), 3*time.Minute)
	defer stop()
	cmd := exec.CommandContext(ctx, "node", "visit.mjs", r.url)
	cmd.Dir = "../../app/browser"
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		r.t.Fatalf("the browser fails: %s", exit.Stderr)
	}
	if err == nil {
		err = json.Unmarshal(out, &seen)
	}
	if err != nil || seen.Request == "" || seen.Picture == "" {
		r.t.Fatalf("the browser prints %q: %v", out, err)
	}
	return seen
}

func (r *running) until(what string, yes func() bool) {
	r.t.Helper()
	for start := time.Now(); !yes(); time.Sleep(300 * time.Millisecond) {
		if time.Since(start) > 5*time.Minute {
			r.t.Fatalf("not after five minutes: %s", what)
		}
	}
}

// archived waits until the log bucket holds each text, in a gzipped object under a dated prefix, in a batch of events that
// says from which log group and log stream it is.
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
				batches := json.NewDecoder(z)
				for batches.More() {
					var batch struct {
						LogGroup, LogStream string
						LogEvents           []struct {
							Timestamp int64
							Message   string
						}
					}
					if err := batches.Decode(&batch); err != nil {
						return fmt.Errorf("%s: %w", path, err)
					}
					for _, e := range batch.LogEvents {
						named := strings.HasPrefix(batch.LogGroup, "/") && batch.LogStream != "" && e.Timestamp > 0
						found = found || named && strings.Contains(e.Message, text)
					}
				}
				return nil
			})
			return found
		})
	}
}

// A visitor is a browser without JavaScript.
type visitor struct {
	t         *testing.T
	name, url string
	client    *http.Client
}

func (r *running) visitor() *visitor {
	jar, err := cookiejar.New(nil)
	if err != nil {
		r.t.Fatal(err)
	}
	return &visitor{t: r.t, url: r.url, client: &http.Client{Jar: jar, Timeout: 30 * time.Second}}
}

func (v *visitor) try(path string) (page string, status int, err error) {
	q, err := http.NewRequest(http.MethodGet, v.url+path, nil)
	if err != nil {
		return "", 0, err
	}
	return v.do(q)
}

func (v *visitor) do(q *http.Request) (page string, status int, err error) {
	answer, err := v.client.Do(q)
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

// token is what a form of the page must be sent with.
func (v *visitor) token(path string) string {
	v.t.Helper()
	page, _ := v.get(path)
	m := token.FindStringSubmatch(page)
	if m == nil {
		v.t.Fatalf("%s has no form:\n%s", path, page)
	}
	return m[1]
}

// send sends a form and follows to the page after it.
func (v *visitor) send(path string, fields url.Values) (page string, status int, err error) {
	q, err := http.NewRequest(http.MethodPost, v.url+path, strings.NewReader(fields.Encode()))
	if err != nil {
		return "", 0, err
	}
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	q.Header.Set("Origin", v.url)
	return v.do(q)
}

func (v *visitor) must(page string, status int, err error) {
	v.t.Helper()
	if err != nil || status != http.StatusOK || strings.Contains(page, "errorlist") {
		v.t.Fatalf("%d %v\n%s", status, err, page)
	}
}

func (v *visitor) signUp(name string) {
	v.t.Helper()
	v.name = name
	const path, password = "/account/sign-up/", "a long phrase 7"
	v.must(v.send(path, url.Values{"csrfmiddlewaretoken": {v.token(path)}, "username": {name}, "password1": {password},
		"password2": {password}}))
}

func (v *visitor) post(text string) {
	v.t.Helper()
	v.must(v.send("/", url.Values{"csrfmiddlewaretoken": {v.token("/")}, "text": {text}}))
}

// wrote says how many posts of the visitor there must be: none is lost, none is there twice.
func (v *visitor) wrote(n int) {
	v.t.Helper()
	page, _ := v.get("/@" + v.name + "/")
	if want := fmt.Sprintf("%d posts", n); !strings.Contains(page, want) {
		v.t.Errorf("the profile does not say %s:\n%s", want, page)
	}
}

// load asks for pages and posts, four requests at a time, until the returned function is called. Whatever ends in an
// error or in a status of 400 or above has failed.
func (v *visitor) load() func() (answered, posts int, failed []string) {
	v.t.Helper()
	ctx, stop := context.WithCancel(v.t.Context())
	secret := v.token("/")
	var mu sync.Mutex
	var answered, posts int
	var failed []string
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for n := i; ctx.Err() == nil; n++ {
				path := []string{"/", "/latest/", "/account/", "/search/?q=light", "POST"}[n%5]
				var status int
				var err error
				if path == "POST" {
					_, status, err = v.send("/", url.Values{"csrfmiddlewaretoken": {secret}, "text": {fmt.Sprint("light ", i, " ", n)}})
				} else {
					_, status, err = v.try(path)
				}
				mu.Lock()
				answered++
				switch {
				case err != nil || status >= 400:
					failed = append(failed, fmt.Sprintf("%s %s: %d %v", time.Now().Format(time.TimeOnly), path, status, err))
				case path == "POST":
					posts++
				}
				mu.Unlock()
				time.Sleep(50 * time.Millisecond)
			}
		})
	}
	return func() (int, int, []string) { stop(); all.Wait(); return answered, posts, failed }
}
