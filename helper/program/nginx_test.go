package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestRender(t *testing.T) {
	env := environment{"SLIPWAY_PORT": "8080", "SLIPWAY_HEADERS": "add_header A \"${SLIPWAY_PORT} $host\" always;\n"}
	got, err := render("listen ${SLIPWAY_PORT}; set $a ${host}$uri; ${SLIPWAY_HEADERS}${SLIPWAY_LIMITS}#$SLIPWAY_PORT ${PATH}", env)
	// A value is not a template, and nginx's own variables stay.
	const want = "listen 8080; set $a ${host}$uri; add_header A \"${SLIPWAY_PORT} $host\" always;\n#$SLIPWAY_PORT ${PATH}"
	if err != nil || got != want {
		t.Errorf("got %q, %v", got, err)
	}
	_, err = render("${SLIPWAY_PORT} ${SLIPWAY_PROT} ${SLIPWAY_HOST} ${SLIPWAY_PROT} ${SLIPWAY_}", env)
	if want := "the environment lacks SLIPWAY_PROT, SLIPWAY_HOST, SLIPWAY_"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestNginxWithAnUnknownVariable(t *testing.T) {
	dir := t.TempDir()
	template := filepath.Join(dir, "template")
	if err := os.WriteFile(template, []byte("listen ${SLIPWAY_PORT};"), 0o644); err != nil {
		t.Fatal(err)
	}
	code, out := call(environment{}, "nginx", "--conf="+filepath.Join(dir, "nginx.conf"), template)
	if code != exitUsage || !strings.Contains(out, "the environment lacks SLIPWAY_PORT") {
		t.Errorf("exit code %d: %s", code, out)
	}
}

const testTemplate = `pid ${SLIPWAY_TEST_DIR}/nginx.pid;
error_log stderr warn;
events { worker_connections 64; }
http {
    access_log off;
    client_body_temp_path ${SLIPWAY_TEST_DIR}/body; proxy_temp_path ${SLIPWAY_TEST_DIR}/proxy; fastcgi_temp_path ${SLIPWAY_TEST_DIR}/f;
    uwsgi_temp_path ${SLIPWAY_TEST_DIR}/u; scgi_temp_path ${SLIPWAY_TEST_DIR}/s;
    server {
        listen 127.0.0.1:${SLIPWAY_PORT};
        location / { proxy_pass http://127.0.0.1:${SLIPWAY_APP_PORT}; }
        location /static/ { alias ${SLIPWAY_TEST_DIR}/static/; try_files $uri @earlier; }
        location @earlier { rewrite ^/static(/.*)$ $1 break; proxy_pass http://127.0.0.1:${SLIPWAY_TEST_ARCHIVE}; }
    }
}
`

// A frontend is helper nginx, with an app behind it.
type frontend struct {
	*task
	url string
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return portOf(t, l.Addr())
}

func startNginx(t *testing.T, b *bucket, app string) *frontend {
	t.Helper()
	if _, err := exec.LookPath("nginx"); err != nil {
		t.Skip("no nginx on this machine")
	}
	dir := t.TempDir()
	for parent := dir; parent != os.TempDir() && len(parent) > 1; parent = filepath.Dir(parent) {
		_ = os.Chmod(parent, 0o755) // nginx's workers are not root
	}
	if err := os.Mkdir(filepath.Join(dir, "static"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "static", "new.0123456789ab.css"), []byte("new"), 0o644); err != nil {
		t.Fatal(err)
	}
	template := filepath.Join(dir, "template")
	if err := os.WriteFile(template, []byte(testTemplate), 0o644); err != nil {
		t.Fatal(err)
	}
	port, archive := freePort(t), freePort(t)
	env := b.env()
	for name, value := range map[string]string{
		"PATH": os.Getenv("PATH") + ":/usr/sbin", "SLIPWAY_TEST_DIR": dir, "SLIPWAY_PORT": port, "SLIPWAY_APP_PORT": app,
		"SLIPWAY_TEST_ARCHIVE": archive,
	} {
		env[name] = value
	}
	s := &site{t: t, env: env}
	f := &frontend{s.start("nginx", "--conf="+filepath.Join(dir, "nginx.conf"), "--files="+filepath.Join(dir, "static"),
		"--listen=127.0.0.1:"+archive, template), "http://127.0.0.1:" + port}
	for range 200 {
		if c, err := net.Dial("tcp", "127.0.0.1:"+port); err == nil {
			c.Close()
			return f
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("nginx does not listen: %s", f.text())
	return nil
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(response.Body)
	return response.StatusCode, string(text)
}

func TestNginxDrainsAndServesEarlierReleases(t *testing.T) {
	b := newBucket(t)
	css := http.Header{"Content-Type": {"text/css"}}
	b.objects[archivePrefix+"old.ba9876543210.css"] = object{text: []byte("old"), header: css, when: time.Now()}
	slow := make(chan struct{})
	app := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(slow)
		time.Sleep(time.Second)
		fmt.Fprint(w, "finished")
	})}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = app.Serve(l) }()
	defer app.Close()
	f := startNginx(t, b, portOf(t, l.Addr()))
	if got := b.written(); len(got) != 1 || got[0] != archivePrefix+"new.0123456789ab.css" {
		t.Errorf("before nginx listened, %q was published", got)
	}
	for path, want := range map[string]string{"new.0123456789ab.css": "new", "old.ba9876543210.css": "old"} {
		if status, text := get(t, f.url+"/static/"+path); status != 200 || text != want {
			t.Errorf("%s: %d %q", path, status, text)
		}
	}
	if status, _ := get(t, f.url+"/static/absent.0123456789ab.css"); status != 404 {
		t.Errorf("absent: %d", status)
	}
	// The bucket fails, and nginx does not.
	b.mu.Lock()
	b.down = true
	b.mu.Unlock()
	if status, _ := get(t, f.url+"/static/old.ba9876543210.css"); status != 502 {
		t.Errorf("the bucket is down: %d", status)
	}
	if status, text := get(t, f.url+"/static/new.0123456789ab.css"); status != 200 || text != "new" {
		t.Errorf("the bucket is down: %d %q", status, text)
	}
	answer := make(chan string)
	go func() {
		_, text := get(t, f.url+"/slow")
		answer <- text
	}()
	<-slow
	_ = f.cmd.Process.Signal(syscall.SIGTERM)
	if text := <-answer; text != "finished" {
		t.Errorf("the running request got %q", text)
	}
	if code, out := f.wait(t); code != 0 {
		t.Errorf("exit code %d: %s", code, out)
	}
	if _, err := net.Dial("tcp", strings.TrimPrefix(f.url, "http://")); err == nil {
		t.Error("nginx still listens")
	}
}

func TestNginxStartsWithoutTheBucket(t *testing.T) {
	b := newBucket(t)
	b.down = true
	f := startNginx(t, b, "1")
	if !strings.Contains(f.text(), "cannot publish the static files, trying again in 1m0s") {
		t.Errorf("it logged %s", f.text())
	}
	if status, text := get(t, f.url+"/static/new.0123456789ab.css"); status != 200 || text != "new" {
		t.Errorf("%d %q", status, text)
	}
	_ = f.cmd.Process.Signal(syscall.SIGQUIT)
	if code, out := f.wait(t); code != 0 {
		t.Errorf("exit code %d: %s", code, out)
	}
}

func TestNginxPassesTheExitCodeOn(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "nginx"), []byte("#!/bin/sh\nexit 7\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	template := filepath.Join(dir, "template")
	if err := os.WriteFile(template, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, env: environment{"PATH": dir}}
	if code, out := s.run("nginx", "--conf="+filepath.Join(dir, "conf"), "--listen=127.0.0.1:0", template); code != 7 {
		t.Errorf("exit code %d: %s", code, out)
	}
}
