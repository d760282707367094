package main

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// call runs a subcommand in this process.
func call(env environment, args ...string) (int, string) {
	var out bytes.Buffer
	code := run(&invocation{&out, &out, env}, args)
	return code, out.String()
}

func portOf(t *testing.T, address net.Addr) string {
	t.Helper()
	_, port, err := net.SplitHostPort(address.String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func TestHealthByStatus(t *testing.T) {
	visited := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		visited++
		if r.Host != "shop.example.com" || r.Header.Get("X-Forwarded-Proto") != "https" {
			http.Error(w, "as Django does for another host", http.StatusTeapot)
			return
		}
		var status int
		fmt.Sscanf(r.URL.Path, "/%d", &status)
		w.Header().Set("Location", "/500")
		w.WriteHeader(status)
	}))
	defer s.Close()
	env := environment{"SLIPWAY_HOST": "shop.example.com"}
	for _, test := range []struct {
		status, below, code int
	}{
		{200, 400, 0}, {204, 400, 0}, {301, 400, 0}, {302, 300, 1}, {399, 400, 0}, {400, 400, 1}, {404, 400, 1}, {404, 500, 0}, {499, 500, 0},
		{500, 500, 1}, {503, 500, 1}, {503, 600, 0},
	} {
		visited = 0
		path, below := fmt.Sprintf("--path=/%d?x=1", test.status), fmt.Sprintf("--below=%d", test.below)
		code, out := call(env, "health", "--port="+portOf(t, s.Listener.Addr()), path, below)
		if code != test.code || visited != 1 {
			t.Errorf("%d below %d: exit code %d after %d requests, want %d after 1: %s", test.status, test.below, code, visited, test.code, out)
		}
		if code != 0 && !strings.Contains(out, fmt.Sprint(test.status)) {
			t.Errorf("%d is not in the message %q", test.status, out)
		}
	}
	if code, _ := call(environment{}, "health", "--port="+portOf(t, s.Listener.Addr()), "--path=/200"); code != 1 {
		t.Errorf("without SLIPWAY_HOST it sent another host: exit code %d", code)
	}
}

func TestHealthWithoutAServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := "--port=" + portOf(t, l.Addr())
	if code, out := call(nil, "health", port, "--tcp"); code != 0 {
		t.Errorf("tcp: exit code %d: %s", code, out)
	}
	began := time.Now()
	if code, out := call(nil, "health", port, "--timeout=200ms"); code != 1 || time.Since(began) > 3*time.Second {
		t.Errorf("a server that does not answer: exit code %d after %s: %s", code, time.Since(began), out)
	}
	l.Close()
	for _, extra := range []string{"--tcp", "--path=/"} {
		if code, out := call(nil, "health", port, extra); code != 1 || !strings.Contains(out, "refused") {
			t.Errorf("%s without a server: exit code %d: %s", extra, code, out)
		}
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{
		{}, {"unknown"}, {"health"}, {"health", "--port=0"}, {"health", "--port=1", "--path=x"}, {"health", "--port=1", "--below=1"},
		{"health", "--port=x"}, {"health", "--port=1", "extra"}, {"collect"}, {"collect", "--into=static"}, {"migrate"}, {"migrate", "--nothing"},
		{"doctor", "extra"},
	} {
		if code, out := call(nil, args...); code != exitUsage || out == "" {
			t.Errorf("%q: exit code %d, want %d: %s", args, code, exitUsage, out)
		}
	}
	if code, out := call(nil, "health", "-h"); code != 0 || !strings.Contains(out, "-below") {
		t.Errorf("help: exit code %d: %s", code, out)
	}
}
