package main

import (
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// mood is a page that fails for some requests.
const mood = `

def mood(request):
    from django.http import HttpResponse

    return HttpResponse({"ada": "sunny"}[request.GET["of"]])


urlpatterns.insert(0, path("mood/", mood))
`

// TestRunNight is a night on call with real containers: nothing in it is written by hand. A release has a page that fails for some
// requests, visitors meet it, the alarm fires, and status, logs and doctor lead to the rollback, after which the alarm ends. Then the same
// release is deployed while visitors are there, and ECS rolls it back itself.
//
// The alarm's periods are five seconds long instead of a minute. Nothing else about it is different.
func TestRunNight(t *testing.T) {
	const alarm = "slipway-dev-5xx-site"
	r := newRunning(t)
	before := r.held()
	r.serve("--alarm-pace", "12")
	says := func(code int, args string, want ...string) string {
		t.Helper()
		out, got := r.slipway(strings.Fields(args)...)
		if got != code {
			t.Errorf("%s: exit code %d, want %d\n%s", args, got, code, out)
		}
		for _, pattern := range want {
			if !regexp.MustCompile("(?m)" + pattern).MatchString(out) {
				t.Errorf("%s does not say %s:\n%s", args, pattern, out)
			}
		}
		return out
	}
	fires := func(n string) func() bool {
		return func() bool {
			out, code := r.slipway("status")
			return code == 0 && regexp.MustCompile(`(?m)^Alarms +`+n+` fire, `).MatchString(out)
		}
	}
	running := func() string {
		t.Helper()
		found := regexp.MustCompile(`(?m)^Release +(\S+), good$`).FindStringSubmatch(says(0, "status"))
		if found == nil {
			t.Fatal("status shows no good release")
		}
		return found[1]
	}
	first := running()
	if !fires("0")() {
		t.Fatal("an alarm fires on a site that works")
	}

	t.Log("a release with a page that fails for some requests, and visitors who meet it")
	urls := r.read("website/urls.py")
	r.write("website/urls.py", urls+mood)
	r.good()
	if second := running(); second == first {
		t.Fatalf("release %s runs still", first)
	}
	visitors := r.moody()
	began := time.Now()
	r.until("the alarm fires", fires("1"))
	t.Logf("the alarm fires after %s", time.Since(began).Round(time.Second))
	says(0, "status", `^`+alarm+` +\S+ .*Threshold Crossed: 5 out of the last 5 datapoints \[`)

	t.Log("the request that fails")
	lines := says(0, "logs --since 10m --filter 500", ` nginx .* GET /mood/ 500 `)
	failed := regexp.MustCompile(`GET /mood/ 500 .*request=([0-9a-f]{32})`).FindStringSubmatch(lines)
	if failed == nil {
		t.Fatalf("no request:\n%s", lines)
	}
	says(0, "logs --since 10m --request "+failed[1], ` nginx .* GET /mood/ 500 `, ` django +ERROR +Internal Server Error: /mood/ `,
		`^ +Traceback \(most recent call last\):$`, `website/urls\.py", line \d+, in mood$`, `^ +KeyError: 'bob'$`)

	t.Log("doctor, and back")
	out := says(3, "doctor", `^Likely cause: alarm `+alarm+` fires: The site answers 5xx\.`,
		`^  next: slipway releases --stack dev: .*slipway rollback --stack dev goes back$`)
	if line, _, _ := strings.Cut(out[strings.Index(out, "Likely cause"):], "\n"); !strings.Contains(line, alarm) {
		t.Errorf("the first line of doctor is %s", line)
	}
	out, code := r.slipway(append([]string{"rollback", "--run"}, settings...)...)
	if code != 0 || !strings.Contains(out, "It runs release "+first) {
		t.Errorf("rollback: exit code %d\n%s", code, out)
	}
	began = time.Now()
	r.until("the alarm ends", fires("0"))
	t.Logf("the alarm ends after %s", time.Since(began).Round(time.Second))
	says(0, "doctor", `^Stack dev is healthy\.$`)
	says(0, "releases", `^`+first+` .* good$`)
	if now := running(); now != first {
		t.Errorf("release %s runs, want %s", now, first)
	}
	for _, want := range []string{" fires: Threshold Crossed: 5 out of", " ends: Threshold Crossed: "} {
		if !strings.Contains(r.said.String(), "Alarm "+alarm+want) {
			t.Errorf("the command that serves does not say %q", alarm+want)
		}
	}

	t.Log("the same release while visitors are there")
	ada := r.visitor()
	was := r.tasks()
	out = r.bad(nil, "deployment failed: alarm detected: rolled back", "was rolled back because of alarm "+alarm,
		"Likely cause: an alarm fired while the release was being deployed")
	t.Logf("up says:\n%s", out)
	if _, status, err := ada.try("/mood/?of=ada"); err != nil || status != http.StatusNotFound {
		t.Errorf("after it was rolled back: %d %v, want the release before, which has no such page", status, err)
	}
	ada.get("/latest/")
	if now := r.tasks(); len(now) != len(was) {
		t.Errorf("tasks were %q and are %q", was, now)
	}
	r.until("the alarm ends", fires("0"))

	t.Log("a release that mends the page, under the same load")
	r.write("website/urls.py", urls+strings.Replace(mood, `[request.GET["of"]]`, `.get(request.GET["of"])`, 1))
	r.good()
	if page, _ := ada.get("/mood/?of=ada"); page != "sunny" {
		t.Errorf("the mended page says %q", page)
	}
	if n := visitors(); n < 500 {
		t.Errorf("the visitors sent %d requests", n)
	}
	if out, code := r.slipway("destroy"); code != 0 {
		t.Fatalf("exit code %d\n%s", code, out)
	}
	r.left(before)
}

// moody asks for the page of moods, with and without success, until the returned function is called.
func (r *running) moody() func() (asked int64) {
	stop, ended := make(chan struct{}), make(chan struct{})
	var asked atomic.Int64
	v := r.visitor()
	go func() {
		defer close(ended)
		for {
			select {
			case <-stop:
				return
			case <-time.After(50 * time.Millisecond):
				for _, path := range []string{"/mood/?of=ada", "/mood/?of=bob"} {
					if _, _, err := v.try(path); err == nil {
						asked.Add(1)
					}
				}
			}
		}
	}()
	return func() int64 { close(stop); <-ended; return asked.Load() }
}
