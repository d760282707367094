// Package awstest provides AWS endpoints for tests: one that answers from lists, and moto.
package awstest

import (
	"encoding/json"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Point directs the AWS SDK of this process to url until the test ends, with fake credentials and without the user's
// configuration.
func Point(t *testing.T, url string) {
	t.Helper()
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "",
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
	} {
		t.Setenv(name, value)
	}
}

// An Answer is the body of one response, with status 400 if it has an error type.
type Answer map[string]any

// Pretend serves the JSON protocol of ECS and CloudWatch Logs until the test ends, and points the SDK at it. Each operation
// answers from its list; the last answer repeats. The returned function lists the calls so far.
func Pretend(t *testing.T, answers map[string][]Answer) func() []string {
	t.Helper()
	var mu sync.Mutex
	var calls []string
	answers = maps.Clone(answers)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		var body map[string]any
		_ = json.NewDecoder(r.Body).Decode(&body)
		text, _ := json.Marshal(body)
		mu.Lock()
		defer mu.Unlock()
		calls = append(calls, operation+" "+string(text))
		list := answers[operation]
		if len(list) == 0 {
			t.Errorf("unexpected call: %s %s", operation, text)
			http.Error(w, "unexpected", http.StatusTeapot)
			return
		}
		if len(list) > 1 {
			answers[operation] = list[1:]
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		if list[0]["__type"] != nil {
			w.WriteHeader(http.StatusBadRequest)
		}
		_ = json.NewEncoder(w).Encode(list[0])
	}))
	t.Cleanup(server.Close)
	Point(t, server.URL)
	return func() []string { mu.Lock(); defer mu.Unlock(); return slices.Clone(calls) }
}

// Moto starts moto on loopback until the test ends, and returns its URL. program are Python's arguments: "-m",
// "moto.server", or a script. Without python3 and moto the test is skipped.
func Moto(t *testing.T, program ...string) string {
	t.Helper()
	if err := exec.Command("python3", "-c", "import moto.server").Run(); err != nil {
		t.Skip("python3 has no moto: pip install 'moto[server]'")
	}
	return serve(t, nil, program...)
}

// serve runs moto with python3 on loopback until the test ends, with env added to this process's environment, and returns
// its URL. If moto exits early the test fails.
func serve(t *testing.T, env []string, program ...string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	_, port, _ := net.SplitHostPort(address)
	log, err := os.Create(filepath.Join(t.TempDir(), "moto.log"))
	if err != nil {
		t.Fatal(err)
	}
	moto := exec.Command("python3", append(slices.Clone(program), "-H", "127.0.0.1", "-p", port)...)
	moto.Stdout, moto.Stderr = log, log
	moto.Env = append(os.Environ(), env...)
	if err := moto.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { moto.Wait(); close(ended) }()
	t.Cleanup(func() {
		select {
		case <-ended:
			t.Errorf("moto ended before its test: %v: %s", moto.ProcessState, last(log.Name()))
		default:
		}
		moto.Process.Kill()
		<-ended
		log.Close()
	})
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		if answer, err := http.Get("http://" + address + "/moto-api/data.json"); err == nil {
			answer.Body.Close()
			return "http://" + address
		}
		select {
		case <-ended:
			t.Fatalf("moto ended: %s", last(log.Name()))
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("moto does not answer: %s", last(log.Name()))
		}
	}
}

// last returns the end of a text file.
func last(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-2000):])
}
