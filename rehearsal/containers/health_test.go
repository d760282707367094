package containers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway/rehearsal/cloud"
)

func TestProbeSaysWhatItWasAnswered(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		switch q.URL.Path {
		case "/redirected":
			w.Header().Set("Location", "https://"+q.Host+"/redirected")
			w.WriteHeader(http.StatusMovedPermanently)
		case "/refused":
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, "<html><head><title>x</title><style>p{}</style></head><body><h1>Bad Request (400)</h1>&nbsp;</body></html>")
		}
	}))
	defer server.Close()
	host, port, err := net.SplitHostPort(strings.TrimPrefix(server.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	p := &probe{group: &cloud.Object{ID: "targets"}, matcher: "200", client: &http.Client{CheckRedirect: func(*http.Request,
		[]*http.Request) error {
		return http.ErrUseLastResponse
	}}}
	fmt.Sscan(port, &p.port)
	for path, want := range map[string]string{
		"/":           "",
		"/redirected": "GET /redirected answered 301, to https://" + host + ":" + port + "/redirected",
		"/refused":    "GET /refused answered 400: Bad Request (400)",
	} {
		p.path = path
		got := ""
		if wrong := p.ask(t.Context(), host); wrong != nil {
			got = strings.Join(wrong.said, "|")
			if !strings.Contains(wrong.reason, "(target-group targets)") || !wrong.target {
				t.Errorf("%s: %+v", path, wrong)
			}
		}
		if got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	server.Close()
	if wrong := p.ask(t.Context(), host); wrong == nil || !strings.Contains(wrong.said[0], "got no answer") {
		t.Errorf("a port without a server: %+v", wrong)
	}
}

func TestRecordOfABuildIsWrittenWhileItRuns(t *testing.T) {
	var kept strings.Builder
	r := &recorder{to: &kept, before: "aaaaaaaaaaaa\n"}
	for _, part := range []string{"Step 1/3 : FROM x\n ---> aaaaaaaa",
		"aaaa\nStep 2/3 : RUN true\n ---> Running in bbbbbbbbbbbb\nwords ---> cccccccccccc\n --->", " dddddddddddd\n ---> Running in eeee"} {
		if n, err := r.Write([]byte(part)); n != len(part) || err != nil {
			t.Fatal(n, err)
		}
	}
	if want := "container:bbbbbbbbbbbb\ndddddddddddd\n"; kept.String() != want {
		t.Errorf("the record is %q, want %q", kept.String(), want)
	}
}

func TestMissingLimitsAreReportedOnce(t *testing.T) {
	r := frozen(t)
	said := 0
	r.options.Say = func(string) { said++ }
	for range 2 {
		if err := r.reportLimits(); err != nil {
			t.Fatal(err)
		}
	}
	if text, err := os.ReadFile(filepath.Join(r.dir, "kept.json")); said != 1 || err != nil || !strings.Contains(string(text),
		`"Unlimited":true`) {
		t.Errorf("said %d times; the next command reads %s, %v", said, text, err)
	}
}

// dockered is a run with a real engine, and a task definition with these containers.
func dockered(t *testing.T, definitions string) *Run {
	t.Helper()
	e, err := newEngine(t.Context(), "test-"+draw())
	if err == nil {
		_, err = e.do(t.Context(), nil, "image", "inspect", "slipway-debian:sid")
	}
	if err != nil {
		t.Skip("there is no Docker engine with slipway-debian:sid, which app/debian-base.sh makes")
	}
	r := frozen(t, &cloud.Object{Type: "aws:ecs/taskDefinition:TaskDefinition", Outputs: map[string]any{"arn": "task:1", "family": "task",
		"containerDefinitions": definitions}})
	r.engine, r.id, r.network, r.options.Haste, r.options.Say = e, "test", "none", 5, func(string) {}
	t.Cleanup(func() {
		if err := e.clean(context.WithoutCancel(t.Context()), "", nil); err != nil {
			t.Error(err)
		}
	})
	return r
}

// AWS's runner stops the migration's task after its time limit. So must this one: a migration that waits forever would do so
// without a word.
func TestATaskIsStoppedWhenItsTimeIsOver(t *testing.T) {
	r := dockered(t, `[{"name":"django","image":"slipway-debian:sid","stopTimeout":1,
		"command":["sh","-c","echo waiting for the lock; exec sleep 600"]}]`)
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
	defer cancel()
	began := time.Now()
	result := r.Task(ctx, cloud.TaskRun{TaskDefinition: "task:1", Container: "django"})
	if took := time.Since(began); took > 2*time.Minute || result.ExitCode != cloud.NeverStarted || !slices.Contains(result.Logs,
		"waiting for the lock") {
		t.Errorf("after %s: %+v", took, result)
	}
	if boxes, err := r.engine.boxes(t.Context()); err != nil || len(boxes) > 0 {
		t.Errorf("%d containers are left: %v", len(boxes), err)
	}
}

func TestAFailedHealthCheckSaysWhatItsCommandSaid(t *testing.T) {
	r := dockered(t, `[{"name":"django","image":"slipway-debian:sid","stopTimeout":1,
		"command":["sh","-c","echo a line of the application; exec sleep 600"],
		"healthCheck":{"command":["CMD-SHELL","echo the dog ate it >&2; exit 3"],"interval":1,"retries":2}},
		{"name":"nginx","image":"slipway-debian:sid","command":["true"],"dependsOn":[{"containerName":"django","condition":"HEALTHY"}]}]`)
	d, err := r.definition("task:1")
	if err != nil {
		t.Fatal(err)
	}
	err = r.start(t.Context(), &task{id: draw(), definition: d}, nil)
	f, ok := errors.AsType[*cloud.Failure](err)
	if !ok {
		t.Fatalf("error is %v", err)
	}
	if f.Container != "django" || f.Reason != "Task failed container health checks" || f.Detail == "" ||
		!slices.Equal(f.Check, []string{"exit code 3 after 2 tries", "the dog ate it"}) || !slices.Contains(f.Logs, "a line of the application") {
		t.Errorf("failure is %+v", f)
	}
}

// A step that fails leaves its container with the classic builder, which has no label. It is removed by its ID.
func TestAFailedBuildLeavesNothing(t *testing.T) {
	r := dockered(t, `[]`)
	if r.engine.buildKit {
		t.Skip("BuildKit keeps neither containers nor images of stages")
	}
	dir := t.TempDir()
	text := fmt.Sprintf("FROM slipway-debian:sid AS first\nRUN echo %s >/stage\n"+
		"FROM slipway-debian:sid\nCOPY --from=first /stage /stage\nRUN exit 7\n", draw())
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := r.build([]string{"DOCKER_BUILDKIT=0"}, nil, []string{"build", "--rm=false", dir}); err == nil {
		t.Fatal("the build succeeds")
	}
	record, err := os.ReadFile(r.stagesFile())
	if err != nil {
		t.Fatal(err)
	}
	made := strings.Fields(string(record))
	if len(made) < 4 {
		t.Fatalf("the record is %q", made)
	}
	if err := r.engine.clean(t.Context(), "127.0.0.1:1", made); err != nil {
		t.Fatal(err)
	}
	for _, id := range made {
		if _, err := r.engine.do(t.Context(), nil, "inspect", strings.TrimPrefix(id, inContainer)); err == nil {
			t.Errorf("%s is left", id)
		}
	}
}
