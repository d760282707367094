package adapter

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
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

// A stand is nginx with the template, in front of an app and of what serves the bucket.
type stand struct {
	address string
	static  string // the folder of collected files
	log     string
	app     *recorder
	bucket  *recorder
}

// A recorder is a server that keeps what it was asked.
type recorder struct {
	http.Handler
	mu   sync.Mutex
	seen []*http.Request
}

func (r *recorder) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	r.mu.Lock()
	r.seen = append(r.seen, q)
	r.mu.Unlock()
	r.Handler.ServeHTTP(w, q)
}

// asked are the requests since the last call.
func (r *recorder) asked() []*http.Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	seen := r.seen
	r.seen = nil
	return seen
}

func serve(t *testing.T, h http.HandlerFunc) (*recorder, string) {
	t.Helper()
	r := &recorder{Handler: h}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: r, ReadHeaderTimeout: time.Minute}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return r, l.Addr().String()
}

var variable = regexp.MustCompile(`\$\{(SLIPWAY_\w+)\}`)

// defaults are the values of a task without anything configured.
func defaults() map[string]string {
	return map[string]string{
		"SLIPWAY_HOST": "shop.example.com", "SLIPWAY_HEALTH_PATH": "/", "SLIPWAY_MAX_BODY": "1m", "SLIPWAY_TIMEOUT": "2s",
		"SLIPWAY_KEEPALIVE": "75s", "SLIPWAY_STATIC_URL": "/static/", "SLIPWAY_STATIC_BUCKET": "", "SLIPWAY_HEADERS": "",
		"SLIPWAY_LIMITS": "", "SLIPWAY_CACHES": "",
	}
}

func start(t *testing.T, env map[string]string, app, bucket http.HandlerFunc) *stand {
	t.Helper()
	program, err := exec.LookPath("nginx")
	if err != nil {
		t.Skip("nginx is not installed")
	}
	folder := t.TempDir()
	// The workers are another user if the tests run as root.
	for at := folder; at != os.TempDir() && at != "/"; at = filepath.Dir(at) {
		if err := os.Chmod(at, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s := &stand{static: filepath.Join(folder, "static"), log: filepath.Join(folder, "access.log")}
	for _, name := range []string{s.static, filepath.Join(folder, "cache")} {
		if err := os.Mkdir(name, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(folder, "cache"), 0o777); err != nil {
		t.Fatal(err)
	}
	var appAddress, bucketAddress string
	s.app, appAddress = serve(t, app)
	s.bucket, bucketAddress = serve(t, bucket)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.address = l.Addr().String()
	_ = l.Close()
	values := defaults()
	maps.Copy(values, env)
	_, values["SLIPWAY_APP_PORT"], _ = strings.Cut(appAddress, ":")
	_, values["SLIPWAY_PORT"], _ = strings.Cut(s.address, ":")
	fill := func(text string) string {
		text = variable.ReplaceAllStringFunc(text, func(name string) string {
			value, ok := values[variable.FindStringSubmatch(name)[1]]
			if !ok {
				t.Errorf("the template uses %s, which no task sets", name)
			}
			return value
		})
		// The paths and the port of the image, which this machine does not have.
		return strings.NewReplacer("/var/cache/nginx", filepath.Join(folder, "cache"), collected, s.static, "127.0.0.1:8079", bucketAddress,
			cachedOut, filepath.Join(folder, "cached"), "/tmp/nginx.pid", filepath.Join(folder, "pid"), "/dev/stdout", s.log,
			"listen ", "listen 127.0.0.1:").Replace(text)
	}
	conf := filepath.Join(folder, "nginx.conf")
	for at, text := range map[string]string{conf: fill(nginxTemplate), filepath.Join(folder, "cached"): fill(nginxCached)} {
		if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command(program, "-t", "-c", conf, "-e", "stderr").CombinedOutput(); err != nil || strings.Contains(string(out),
		"[warn]") {
		if !strings.Contains(string(out), `the "user" directive`) || err != nil {
			t.Fatalf("nginx -t: %v\n%s", err, out)
		}
	}
	cmd := exec.Command(program, "-c", conf, "-e", "stderr", "-g", "daemon off;")
	var words strings.Builder
	cmd.Stderr = &words
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("nginx:\n%s", &words)
		}
	})
	for range 100 {
		if c, err := net.Dial("tcp", s.address); err == nil {
			_ = c.Close()
			return s
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("nginx does not listen:\n%s", &words)
	return nil
}

// collect puts a file where collectstatic puts it.
func (s *stand) collect(t *testing.T, name, content string) {
	t.Helper()
	at := filepath.Join(s.static, name)
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(at, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

type answer struct {
	*http.Response
	body string
}

// get asks nginx. Headers are NAME: value.
func (s *stand) get(t *testing.T, method, target string, headers ...string) answer {
	t.Helper()
	return s.send(t, method, target, nil, headers...)
}

func (s *stand) send(t *testing.T, method, target string, body io.Reader, headers ...string) answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	q, err := http.NewRequestWithContext(ctx, method, "http://"+s.address+target, body)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Host" {
			q.Host = value
		}
		q.Header.Set(name, value)
	}
	client := http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     &http.Transport{DisableKeepAlives: true, DisableCompression: true},
	}
	r, err := client.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{r, string(text)}
}

// logged is the access log, once it has a line with this text: nginx writes a line after the answer.
func (s *stand) logged(t *testing.T, text string) string {
	t.Helper()
	for range 100 {
		log, err := os.ReadFile(s.log)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(log), text) {
			return string(log)
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("nothing with %s was logged", text)
	return ""
}

func hello(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "app %s", r.RequestURI) }

func nothing(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }

func TestTheAppGetsTheVisitorsAddressAndNothingForged(t *testing.T) {
	s := start(t, nil, hello, nothing)
	s.get(t, "GET", "/a%20b/?q=%2F", "Host: shop.example.com", "X-Forwarded-For: 6.6.6.6, 203.0.113.9", "X-Forwarded-Proto: https",
		"X-Forwarded-Host: evil.example", "X-Real-IP: 6.6.6.6", "Forwarded: for=6.6.6.6;host=evil.example", "X-Forwarded-Ssl: on",
		"X-Forwarded-Protocol: ssl", "X-Request-ID: mine", "Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAA")
	asked := s.app.asked()
	if len(asked) != 1 {
		t.Fatalf("the app got %d requests", len(asked))
	}
	q := asked[0]
	if q.RequestURI != "/a%20b/?q=%2F" || q.Host != "shop.example.com" {
		t.Errorf("the app got %s of %s", q.RequestURI, q.Host)
	}
	for name, want := range map[string]string{
		"X-Forwarded-For": "203.0.113.9", "X-Real-Ip": "203.0.113.9", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "shop.example.com",
		"Forwarded": "", "X-Forwarded-Ssl": "", "X-Forwarded-Protocol": "", "Upgrade": "", "Connection": "",
	} {
		if got := q.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if id := q.Header.Get("X-Request-Id"); len(id) != 32 {
		t.Errorf("the request's ID is %q", id)
	}
}

func TestRedirectsOfTheAppPass(t *testing.T) {
	s := start(t, nil, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", r.URL.Query().Get("to"))
		w.WriteHeader(http.StatusFound)
	}, nothing)
	for _, to := range []string{"/account/", "https://shop.example.com/up/", "https://other.example/"} {
		if r := s.get(t, "GET", "/?to="+to); r.StatusCode != http.StatusFound || r.Header.Get("Location") != to {
			t.Errorf("a redirect to %s became %d to %s", to, r.StatusCode, r.Header.Get("Location"))
		}
	}
}

func TestWebsocketsPass(t *testing.T) {
	s := start(t, nil, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "websocket" || !strings.EqualFold(r.Header.Get("Connection"), "upgrade") {
			http.Error(w, "no upgrade", http.StatusUpgradeRequired)
			return
		}
		c, b, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer c.Close()
		fmt.Fprint(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
		line, _ := b.ReadString('\n')
		fmt.Fprintf(c, "echo %s", line)
	}, nothing)
	c, err := net.Dial("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	fmt.Fprint(c, "GET /ws/ HTTP/1.1\r\nHost: shop.example.com\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n\r\n")
	in := bufio.NewReader(c)
	r, err := http.ReadResponse(in, nil)
	if err != nil || r.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("got %v, %v", r, err)
	}
	fmt.Fprint(c, "hello\n")
	if line, err := in.ReadString('\n'); line != "echo hello\n" {
		t.Errorf("got %q, %v", line, err)
	}
}

func TestLimits(t *testing.T) {
	s := start(t, map[string]string{
		"SLIPWAY_LIMITS": "\"POST /log-in/\" $binary_remote_addr;\n\"~^POST /admin/\" $binary_remote_addr;",
	}, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow/" {
			time.Sleep(3 * time.Second)
		}
		hello(w, r)
	}, nothing)
	if r := s.send(t, "POST", "/upload/", strings.NewReader(strings.Repeat("x", 1<<20))); r.StatusCode != http.StatusOK {
		t.Errorf("1 MB: %s", r.Status)
	}
	r := s.send(t, "POST", "/upload/", strings.NewReader(strings.Repeat("x", 1<<20+1)))
	if r.StatusCode != http.StatusRequestEntityTooLarge || r.body != "That is more than this site accepts at once.\n" {
		t.Errorf("more than 1 MB: %s %q", r.Status, r.body)
	}
	if r := s.get(t, "GET", "/slow/"); r.StatusCode != http.StatusServiceUnavailable || !strings.HasPrefix(r.body, "The site is busy") {
		t.Errorf("an app that does not answer: %s %q", r.Status, r.body)
	}
	status := func(method, target, address string) map[int]int {
		count := map[int]int{}
		for range 40 {
			count[s.get(t, method, target, "X-Forwarded-For: "+address).StatusCode]++
		}
		return count
	}
	for i, target := range []string{"/log-in/", "/admin/login/"} {
		if got := status("POST", target, fmt.Sprint("203.0.113.", i)); got[429] < 15 || got[200] < 20 {
			t.Errorf("40 times POST %s: %v", target, got)
		}
	}
	for _, request := range []string{"GET /log-in/", "POST /log-in/more/", "POST /"} {
		method, target, _ := strings.Cut(request, " ")
		if got := status(method, target, "203.0.113.77"); got[200] != 40 {
			t.Errorf("40 times %s: %v", request, got)
		}
	}
	if r := s.get(t, "POST", "/log-in/", "X-Forwarded-For: 203.0.113.0"); r.body != "Too many requests. Wait a minute and try again.\n" {
		t.Errorf("got %q", r.body)
	}
}

// An answer for one visitor never goes to another.
func TestCachedPathsKeepNothingPrivate(t *testing.T) {
	n := 0
	var mu sync.Mutex
	s := start(t, map[string]string{
		"SLIPWAY_CACHES": `location ^~ "/media/" { include ` + cachedOut + `; }
location = "/logo" { include ` + cachedOut + `; }`,
		"SLIPWAY_HEADERS": `add_header Content-Security-Policy "default-src 'self'" always;`,
	}, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		n++
		switch r.URL.Path {
		case "/media/cookie":
			http.SetCookie(w, &http.Cookie{Name: "sessionid", Value: "x"})
		case "/media/vary":
			w.Header().Set("Vary", "Accept-Language, Cookie")
		case "/media/private", "/media/no-store", "/media/no-cache":
			w.Header().Set("Cache-Control", strings.TrimPrefix(r.URL.Path, "/media/"))
		case "/media/missing":
			w.WriteHeader(http.StatusNotFound)
		}
		fmt.Fprintf(w, "%d for %s%s", n, r.Header.Get("Cookie"), r.Header.Get("Authorization"))
	}, nothing)
	same := func(target string, a, b []string) bool {
		return s.get(t, "GET", target, a...).body == s.get(t, "GET", target, b...).body
	}
	anna, ben := []string{"Cookie: sessionid=anna"}, []string{"Cookie: sessionid=ben"}
	for _, target := range []string{"/media/a.jpg", "/media/a.jpg?size=1", "/logo"} {
		if !same(target, nil, nil) {
			t.Errorf("%s was not kept", target)
		}
	}
	if s.get(t, "GET", "/media/a.jpg").body == s.get(t, "GET", "/media/a.jpg?size=1").body {
		t.Error("two addresses have one answer")
	}
	if same("/media/a.jpg", []string{"Host: a.example.com"}, []string{"Host: b.example.com"}) {
		t.Error("two hosts have one answer")
	}
	if !same("/media/vary", anna, anna) {
		t.Error("/media/vary was not kept for one session")
	}
	for _, target := range []string{"/media/vary", "/media/cookie", "/media/private", "/media/no-store", "/media/no-cache"} {
		if same(target, anna, ben) {
			t.Errorf("%s: ben got anna's answer", target)
		}
	}
	for _, target := range []string{"/media/cookie", "/media/private", "/media/no-store", "/media/no-cache", "/media/missing", "/logo/", "/"} {
		if same(target, nil, nil) {
			t.Errorf("%s was kept", target)
		}
	}
	key := []string{"Authorization: Token anna"}
	if same("/media/token", key, nil) || same("/media/token", key, key) {
		t.Error("an answer for a token was kept")
	}
	s.app.asked()
	s.get(t, "GET", "/page", "If-None-Match: \"1\"", "Range: bytes=0-1")
	if q := s.app.asked()[0]; q.Header.Get("If-None-Match") == "" || q.Header.Get("Range") == "" {
		t.Error("conditions and ranges do not reach the app where nothing is kept")
	}
	if got := s.get(t, "GET", "/media/a.jpg").Header.Get("Content-Security-Policy"); got != "default-src 'self'" {
		t.Errorf("the project's header is %q", got)
	}
}

func TestStaticFiles(t *testing.T) {
	const hashed = "css/site.0123456789ab.css"
	s := start(t, map[string]string{
		"SLIPWAY_STATIC_BUCKET": "media", "SLIPWAY_HEADERS": `add_header X-Frame-Options "DENY" always;`,
	}, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/static/nowhere") {
			w.WriteHeader(http.StatusNotFound)
		}
		hello(w, r)
	}, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, "/old/"):
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
			fmt.Fprintf(w, "bucket %s", r.RequestURI)
		case strings.HasPrefix(r.URL.Path, "/broken"):
			w.WriteHeader(http.StatusInternalServerError)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	})
	s.collect(t, hashed, "collected")
	s.collect(t, "plain.css", "plain")
	s.collect(t, "report.20240101.pdf", "report")
	s.collect(t, "a b.0123456789ab.css", "blank")
	s.collect(t, "app.mjs", "export {}")
	s.collect(t, "zipped.0123456789ab.css", strings.Repeat("x", 2000))
	s.collect(t, "zipped.0123456789ab.css.gz", "zipped")
	s.collect(t, "index/index.html", "an index")
	const forever, short = "public, max-age=31536000, immutable", "public, max-age=300"
	for _, c := range []struct{ target, body, cache string }{
		{"/static/" + hashed, "collected", forever},
		{"/static/plain.css?v=1", "plain", short},
		{"/static/report.20240101.pdf", "report", short},
		{"/static/a%20b.0123456789ab.css", "blank", forever},
		{"/static/old/x%20y.0123456789ab.css", "bucket /old/x%20y.0123456789ab.css", forever},
		{"/static/app%20only.css?x=%2F", "app /static/app%20only.css?x=%2F", ""},
		{"/static/broken.css", "app /static/broken.css", ""},
		{"/static/nowhere.css", "app /static/nowhere.css", ""},
		{"/static/", "app /static/", ""},
		{"/static/index/", "app /static/index/", ""},
		{"/static/../manage.py", "app /static/../manage.py", ""},
		{"/staticx/plain.css", "app /staticx/plain.css", ""},
	} {
		r := s.get(t, "GET", c.target, "Cookie: sessionid=anna", "Authorization: Token anna")
		if r.body != c.body || r.Header.Get("Cache-Control") != c.cache {
			t.Errorf("%s: %s %q, Cache-Control %q; want %q, %q", c.target, r.Status, r.body, r.Header.Get("Cache-Control"), c.body, c.cache)
		}
		if got := r.Header.Values("X-Frame-Options"); !slices.Equal(got, []string{"DENY"}) {
			t.Errorf("%s: the project's header is %q", c.target, got)
		}
		if want := c.target == "/static/nowhere.css"; want != (r.StatusCode == http.StatusNotFound) {
			t.Errorf("%s: %s", c.target, r.Status)
		}
	}
	for _, q := range s.bucket.asked() {
		if q.Header.Get("Cookie")+q.Header.Get("Authorization") != "" {
			t.Errorf("the bucket's reader got the visitor's %v", q.Header)
		}
	}
	s.app.asked()
	if r := s.send(t, "POST", "/static/old/api", strings.NewReader("body")); r.body != "app /static/old/api" {
		t.Errorf("a POST got %s %q", r.Status, r.body)
	}
	if r := s.get(t, "GET", "/static/app.mjs"); !strings.Contains(r.Header.Get("Content-Type"), "javascript") {
		t.Errorf("a module has the type %q", r.Header.Get("Content-Type"))
	}
	r := s.get(t, "GET", "/static/zipped.0123456789ab.css", "Accept-Encoding: gzip")
	if r.body != "zipped" || r.Header.Get("Content-Encoding") != "gzip" {
		t.Errorf("compressed: %s %q", r.Header.Get("Content-Encoding"), r.body)
	}
	if r := s.get(t, "HEAD", "/static/old/x.0123456789ab.css"); r.StatusCode != http.StatusOK {
		t.Errorf("HEAD: %s", r.Status)
	}
}

// Without a bucket, and with an app that serves its files itself, nothing but the app is asked.
func TestStaticFilesOfTheApp(t *testing.T) {
	s := start(t, map[string]string{"SLIPWAY_STATIC_URL": "/assets/v1.0/"}, hello, hello)
	if err := os.Remove(s.static); err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{"/assets/v1.0/site.0123456789ab.css?a=%20", "/static/site.css", "/assets/"} {
		if r := s.get(t, "GET", target); r.body != "app "+target {
			t.Errorf("%s: %s %q", target, r.Status, r.body)
		}
	}
	if asked := s.bucket.asked(); len(asked) > 0 {
		t.Errorf("without a bucket, %s was asked for", asked[0].RequestURI)
	}
}

func TestHealth(t *testing.T) {
	status := http.StatusOK
	var mu sync.Mutex
	s := start(t, map[string]string{"SLIPWAY_HEALTH_PATH": "/up/?deep=1"}, func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		w.WriteHeader(status)
	}, nothing)
	if r := s.get(t, "GET", "/.slipway/nginx", "Host: 10.0.0.9"); r.StatusCode != http.StatusOK || r.body != "alive\n" {
		t.Errorf("nginx: %s %q", r.Status, r.body)
	}
	if asked := s.app.asked(); len(asked) > 0 {
		t.Error("nginx's own check asks the app")
	}
	for _, want := range []int{200, 302, 404, 500} {
		mu.Lock()
		status = want
		mu.Unlock()
		if r := s.get(t, "GET", "/.slipway/health", "Host: 10.0.0.9", "X-Forwarded-Proto: http"); r.StatusCode != want {
			t.Errorf("the app says %d, the balancer hears %s", want, r.Status)
		}
		q := s.app.asked()[0]
		if q.RequestURI != "/up/?deep=1" || q.Host != "shop.example.com" || q.Header.Get("X-Forwarded-Proto") != "https" ||
			q.Header.Get("X-Forwarded-Host") != "shop.example.com" {
			t.Errorf("the app was asked for %s of %s, %v", q.RequestURI, q.Host, q.Header)
		}
	}
	s.get(t, "GET", "/page?secret=1")
	log := s.logged(t, `"path":"/page"`)
	lines := strings.Split(strings.TrimSpace(log), "\n")
	if len(lines) != 3 || !strings.Contains(lines[0], `"status":404`) || !strings.Contains(lines[1], `"status":500`) ||
		!strings.Contains(lines[2], `"path":"/page"`) || strings.Contains(log, "secret") {
		t.Errorf("logged, want the two failed checks and a page without its query:\n%s", log)
	}
}

// Without a health path of the app, / is asked, and what is below 500 is healthy: a site whose first page needs a login says 403
// every few seconds.
func TestHealthWithoutAPathIsQuiet(t *testing.T) {
	s := start(t, nil, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }, nothing)
	s.get(t, "GET", "/.slipway/health")
	s.get(t, "GET", "/")
	log := s.logged(t, `"path":"/"`)
	if got := strings.Count(log, "\n"); got != 1 {
		t.Errorf("logged:\n%s", log)
	}
}
