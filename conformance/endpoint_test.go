package conformance

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// endpointVariable names the AWS that is spoken to: "moto" (also when it is unset) is a moto of the test's own, anything
// else is the URL of an endpoint.
const endpointVariable = "SLIPWAY_CONFORMANCE"

// realaws is where the plugins and moto lie when they come with the machine, seen from this directory.
var realaws = filepath.Join("..", "..", "shared", "realaws")

// allVariable makes every cell run, which takes longer than `go test` lets a package run by default.
const allVariable = "SLIPWAY_CONFORMANCE_ALL"

// keepVariable names a folder in which what the genuine provider did to a cell is kept. A cell that is there already is only
// compared with the rehearsal, in seconds: so the model is brought to agree.
const keepVariable = "SLIPWAY_CONFORMANCE_KEEP"

// plugins are what must be installed, below the engine's folder of plugins.
var plugins = []string{"resource-aws-v6.83.2", "resource-docker-v4.10.0", "resource-random-v4.19.0"}

// pluginFolder finds the provider plugins: the user's own, or those of realaws, which are unpacked into the user's cache
// the first time.
func pluginFolder() (string, error) {
	var looked []string
	for _, home := range []string{os.Getenv("PULUMI_HOME"), userFile(os.UserHomeDir, ".pulumi"), userFile(os.UserCacheDir, "slipway", "plugins")} {
		if home == "" {
			continue
		}
		folder := filepath.Join(home, "plugins")
		if installed(folder) {
			return folder, nil
		}
		looked = append(looked, folder)
	}
	script := filepath.Join(realaws, "install.sh")
	if _, err := os.Stat(script); err != nil {
		return "", fmt.Errorf("the provider plugins are not installed: %v not all in one of %v", plugins, looked)
	}
	home := userFile(os.UserCacheDir, "slipway", "plugins")
	if out, err := exec.Command("sh", script, home).CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s: %w: %s", script, err, out)
	}
	return filepath.Join(home, "plugins"), nil
}

func userFile(base func() (string, error), below ...string) string {
	dir, err := base()
	if err != nil {
		return ""
	}
	return filepath.Join(append([]string{dir}, below...)...)
}

func installed(folder string) bool {
	for _, plugin := range plugins {
		if _, err := os.Stat(filepath.Join(folder, plugin)); err != nil {
			return false
		}
	}
	return true
}

// asksGenuine gives the folder of the plugins, or why the genuine provider is not asked.
func asksGenuine() (folder, why string) {
	// A cell takes minutes, most of them the provider's own waiting: two of them do not fit into the ten that go test gives
	// a package on a busy machine.
	if os.Getenv(endpointVariable) == "" && os.Getenv(allVariable) == "" && os.Getenv(keepVariable) == "" {
		return "", fmt.Sprintf("set %s=moto, or to the URL of an endpoint, to hold the program against the genuine AWS provider", endpointVariable)
	}
	folder, err := pluginFolder()
	if err != nil {
		return "", err.Error()
	}
	return folder, ""
}

// An endpoint is an AWS that can be spoken to.
type endpoint struct {
	url  string
	moto bool
}

// aws is the endpoint to use. A moto is ended with the test.
func aws(t *testing.T) endpoint {
	t.Helper()
	if url := os.Getenv(endpointVariable); url != "" && url != "moto" {
		return endpoint{url: url}
	}
	script := filepath.Join(realaws, "moto_plus.py")
	if _, err := os.Stat(script); errors.Is(err, fs.ErrNotExist) {
		t.Skipf("no AWS to speak to: %s is not set and there is no moto at %s", endpointVariable, script)
	}
	if out, err := exec.Command("python3", "-c", "import moto, boto3, flask").CombinedOutput(); err != nil {
		t.Skipf("no AWS to speak to: python3 has no moto: %s", bytes.TrimSpace(out))
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	_, port, _ := net.SplitHostPort(address)

	said, err := os.Create(filepath.Join(t.TempDir(), "moto.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer said.Close()
	moto := exec.Command("python3", "serve.py", filepath.Dir(script), "-H", "127.0.0.1", "-p", port)
	moto.Stdout, moto.Stderr = said, said
	moto.Env = append(os.Environ(), "MOTO_ACM_VALIDATION_WAIT=1")
	moto.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := moto.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { moto.Wait(); close(ended) }()
	t.Cleanup(func() {
		select {
		case <-ended:
			t.Errorf("moto ended before its cell: %v: %s", moto.ProcessState, last(said.Name()))
		default:
		}
		syscall.Kill(-moto.Process.Pid, syscall.SIGKILL)
		<-ended
	})
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) {
		if response, err := http.Get("http://" + address + "/moto-api/data.json"); err == nil {
			response.Body.Close()
			return endpoint{url: "http://" + address, moto: true}
		}
		select {
		case <-ended:
			t.Fatalf("moto ended: %s", last(said.Name()))
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("moto does not answer: %s", last(said.Name()))
		}
	}
}

// last is the end of a file of words.
func last(path string) string {
	words, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(words[max(0, len(words)-2000):])
}

// env is what a process is told that is to speak to the endpoint.
func (e endpoint) env() map[string]string {
	env := map[string]string{
		"AWS_ENDPOINT_URL": e.url, "AWS_REGION": region, "AWS_DEFAULT_REGION": region, "AWS_EC2_METADATA_DISABLED": "true",
	}
	if e.moto || os.Getenv("AWS_ACCESS_KEY_ID") == "" {
		env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], env["AWS_SESSION_TOKEN"], env["AWS_PROFILE"] = "test", "test", "", ""
		delete(env, "AWS_PROFILE")
	}
	return env
}

//go:embed ask.py
var asking string

// A call is one request to an AWS API, in boto3's words.
type call struct {
	service, operation string
	parameters         map[string]any
}

// ask asks the API itself, past the provider and the state.
func (e endpoint) ask(t *testing.T, calls ...call) []map[string]any {
	t.Helper()
	var asked [][]any
	for _, c := range calls {
		if c.parameters == nil {
			c.parameters = map[string]any{}
		}
		asked = append(asked, []any{c.service, c.operation, c.parameters})
	}
	questions, err := json.Marshal(asked)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	python := exec.CommandContext(ctx, "python3", "-c", asking)
	python.Stdin = bytes.NewReader(questions)
	python.Env = os.Environ()
	for name, value := range e.env() {
		python.Env = append(python.Env, name+"="+value)
	}
	var wrong bytes.Buffer
	python.Stderr = &wrong
	out, err := python.Output()
	if err != nil {
		t.Fatalf("asking the API: %v: %s", err, wrong.String())
	}
	var answers []map[string]any
	if err := json.Unmarshal(out, &answers); err != nil {
		t.Fatal(err)
	}
	return answers
}
