//go:build unix

package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"slipway/internal/awstest"
)

// built is the folder of the binaries, once there is one.
var built string

// binaries are sandbox and slipway, built once.
var binaries = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "slipway-sandbox-")
	if err != nil {
		return "", err
	}
	built = dir
	out, err := exec.Command("go", "build", "-o", dir, "../cmd/sandbox", "../cmd/slipway").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return dir, nil
})

// A trial is a clone of the project, and a moto behind AWS's names, in which the sandbox command runs.
type trial struct {
	*testing.T
	*internet
	moto   string
	bin    string
	dir    string // the clone
	env    []string
	before map[string][]string
}

func newTrial(t *testing.T) *trial {
	t.Helper()
	if os.Getenv("SLIPWAY_CONFORMANCE") != "moto" {
		t.Skip("set SLIPWAY_CONFORMANCE=moto to run the sandbox command with the genuine AWS provider")
	}
	plugins, err := awstest.Plugins()
	if err != nil {
		t.Skip(err)
	}
	bin, err := binaries()
	if err != nil {
		t.Fatal(err)
	}
	work := t.TempDir()
	moto := awstest.Genuine(t, "SERVE_TASK_ENDS_WITH="+filepath.Join(work, "task-ends-with"))
	r := &trial{T: t, internet: newInternet(t, moto), moto: moto, bin: bin, dir: filepath.Join(work, "clone")}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	project, err := os.ReadFile(filepath.Join(root, "Pulumi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	home, docker := filepath.Join(work, "home"), filepath.Join(work, "bin", "docker")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.MkdirAll(r.dir, 0o700), os.MkdirAll(home, 0o700), os.MkdirAll(filepath.Dir(docker), 0o700),
		os.WriteFile(filepath.Join(r.dir, "Pulumi.yaml"), project, 0o600),
		os.Symlink(filepath.Join(root, "app"), filepath.Join(r.dir, "app")),
		os.Symlink(plugins, filepath.Join(home, "plugins")),
		os.WriteFile(docker, []byte("#!/bin/sh\nSANDBOX_DOCKER='"+work+"' exec '"+self+"' \"$@\"\n"), 0o700)); err != nil {
		t.Fatal(err)
	}
	ours := map[string]string{
		"HTTPS_PROXY": r.internet.url, "SSL_CERT_FILE": r.authority, "PULUMI_HOME": home,
		"PATH":              filepath.Dir(docker) + string(os.PathListSeparator) + os.Getenv("PATH"),
		"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
	}
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		if strings.HasPrefix(name, "AWS_") || strings.HasPrefix(name, "PULUMI_") || strings.EqualFold(name, "HTTPS_PROXY") ||
			strings.EqualFold(name, "NO_PROXY") {
			continue
		}
		if _, ok := ours[name]; !ok {
			r.env = append(r.env, pair)
		}
	}
	for name, value := range ours {
		r.env = append(r.env, name+"="+value)
	}
	r.before = inventory(t, moto)
	return r
}

// sandbox starts the command.
func (r *trial) sandbox(args ...string) (*exec.Cmd, *bytes.Buffer) {
	cmd := exec.Command(filepath.Join(r.bin, "sandbox"),
		append(args, "--yes", "--account", testAccount, "--slipway", filepath.Join(r.bin, "slipway"))...)
	var words bytes.Buffer
	cmd.Dir, cmd.Env = r.dir, r.env
	cmd.Stderr = io.MultiWriter(&words, r.Output())
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { cmd.Process.Kill() })
	return cmd, &words
}

// empty checks that moto holds what it held before the run, and that no request was changed on its way.
func (r *trial) empty() {
	r.Helper()
	if diff := cmp.Diff(r.before, inventory(r.T, r.moto)); diff != "" {
		r.Errorf("the run left something (-before +after):\n%s", diff)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.unsigned) > 0 {
		r.Errorf("%d requests arrived with a wrong signature, the first of them: %s", len(r.unsigned), r.unsigned[0])
	}
	if len(r.forbidden) > 0 {
		r.Logf("asked for, and not reached: %v", r.forbidden)
	}
}

// report is that of the only run.
func (r *trial) report() (report Report, words string, calls []Call) {
	r.Helper()
	dirs, err := filepath.Glob(filepath.Join(r.dir, ".slipway", "sandbox", "*"))
	if err != nil || len(dirs) != 1 {
		r.Fatalf("there are runs %v: %v", dirs, err)
	}
	data, err := os.ReadFile(filepath.Join(dirs[0], "report.json"))
	if err == nil {
		err = json.Unmarshal(data, &report)
	}
	if err != nil {
		r.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dirs[0], "report.md"))
	if err != nil {
		r.Fatal(err)
	}
	if calls, err = recorded(dirs[0]); err != nil {
		r.Fatal(err)
	}
	for _, s := range report.Steps {
		r.Logf("%-18s %s %s", s.Name, s.Took(), s.Failed)
	}
	// The folder may be shared: it holds no secret.
	for file, has := range r.secretsBelow(dirs[0]) {
		r.Errorf("%s holds %s", file, has)
	}
	return report, string(text), calls
}

// secretsBelow finds credentials and signatures in the files of a report.
func (r *trial) secretsBelow(dir string) map[string]string {
	found := map[string]string{}
	files, _ := filepath.Glob(filepath.Join(dir, "output", "*"))
	for _, file := range append(files, filepath.Join(dir, "report.json"), filepath.Join(dir, "report.md"), filepath.Join(dir, "calls.jsonl"),
		filepath.Join(dir, "journal.json")) {
		data, err := os.ReadFile(file)
		if err != nil {
			r.Fatal(err)
		}
		for _, secret := range []string{"AWS4-HMAC-SHA256", "X-Amz-Signature=", "-auth-token", "PRIVATE KEY"} {
			if bytes.Contains(data, []byte(secret)) {
				found[file] = secret
			}
		}
	}
	return found
}

func outcomes(report Report) (names []string) {
	for _, s := range report.Steps {
		names = append(names, s.Name)
	}
	return names
}

// TestSandbox runs the whole story on moto, through AWS's own host names.
func TestSandbox(t *testing.T) {
	if os.Getenv("SLIPWAY_DEEP") == "" {
		t.Skip("set SLIPWAY_DEEP=1 as well to play the whole story: about ten minutes")
	}
	t.Parallel()
	r := newTrial(t)
	run, _ := r.sandbox("--github", "acme/shop")
	if err := run.Wait(); err != nil {
		t.Errorf("sandbox: %v", err)
	}
	report, words, calls := r.report()
	if !report.Good || !report.Clean {
		t.Errorf("the report says good: %v, clean: %v", report.Good, report.Clean)
	}
	var want []string
	for _, s := range story() {
		want = append(want, s.name)
	}
	if diff := cmp.Diff(append(want, "clean-stacks", "clean-account", "look"), outcomes(report)); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	if !strings.Contains(words, "IAM refused no call") {
		t.Errorf("the report does not say that no call was refused:\n%s", words)
	}
	// Every kind of client went through the recorder: the command's SDK, the genuine provider, the engine's state and secrets.
	for service, action := range map[string]string{"ecs": "CreateService", "rds": "CreateDBInstance", "kms": "Decrypt", "s3": "PutObject",
		"sts": "GetCallerIdentity"} {
		if !slices.ContainsFunc(calls, func(c Call) bool {
			return c.Service == service && c.Action == action && c.By == "slipway" && c.Status == http.StatusOK && c.Region == "us-east-1" &&
				strings.HasSuffix(c.Host, ".amazonaws.com")
		}) {
			t.Errorf("no call %s %s was recorded", service, action)
		}
	}
	r.empty()
}

// TestSandboxFailingStep has IAM refuse one call of the first up.
func TestSandboxFailingStep(t *testing.T) {
	t.Parallel()
	r := newTrial(t)
	r.refuse = func(_, action string) bool { return action == "CreateDBInstance" }
	run, words := r.sandbox("--github", "acme/shop")
	err := run.Wait()
	if code := run.ProcessState.ExitCode(); code != 1 {
		t.Errorf("sandbox exited with %d: %v", code, err)
	}
	if !strings.Contains(words.String(), "step up-dev: slipway up --stack dev --yes --json exited with 1") ||
		!strings.Contains(words.String(), "Nothing of the run is left in the account") {
		t.Errorf("sandbox does not say which step failed, or that it cleaned up")
	}
	report, text, _ := r.report()
	if report.Good || !report.Clean {
		t.Errorf("the report says good: %v, clean: %v", report.Good, report.Clean)
	}
	if diff := cmp.Diff([]string{"bootstrap-dev", "bootstrap-staging", "up-dev", "clean-stacks", "clean-account", "look"},
		outcomes(report)); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	if len(report.Refused) != 1 || report.Refused[0].Refused.Action != "rds:CreateDBInstance" || report.Refused[0].Step != "up-dev" {
		t.Errorf("refused calls: %+v", report.Refused)
	}
	if refused := strings.Index(text, "| up-dev | rds CreateDBInstance: AccessDenied | rds:CreateDBInstance |"); refused < 0 ||
		refused > strings.Index(text, "## Steps") {
		t.Errorf("the refused call does not stand at the top of the report:\n%s", text)
	}
	r.empty()
}

// TestSandboxInterrupted stops the command while bootstrap creates the second stack's bucket, as Ctrl-C does.
func TestSandboxInterrupted(t *testing.T) {
	t.Parallel()
	r := newTrial(t)
	var run *exec.Cmd
	var once sync.Once
	ready := make(chan struct{})
	r.seen = func(req *http.Request, _ string) {
		if req.Method == http.MethodPut && strings.Contains(req.Host, "-staging-state-") {
			once.Do(func() { <-ready; run.Process.Signal(syscall.SIGTERM) })
		}
	}
	var words *bytes.Buffer
	run, words = r.sandbox("--github", "acme/shop")
	close(ready)
	run.Wait()
	if code := run.ProcessState.ExitCode(); code != 128+int(syscall.SIGTERM) {
		t.Errorf("sandbox exited with %d", code)
	}
	if !strings.Contains(words.String(), "Nothing of the run is left in the account") {
		t.Error("sandbox does not say that it cleaned up")
	}
	report, _, _ := r.report()
	if report.Good || !report.Clean {
		t.Errorf("the report says good: %v, clean: %v", report.Good, report.Clean)
	}
	if diff := cmp.Diff([]string{"bootstrap-dev", "bootstrap-staging", "clean-stacks", "clean-account", "look"},
		outcomes(report)); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	r.empty()
}

// TestSandboxKilled kills the command in the middle of the first up, between the request for a balancer and AWS's answer, so
// that its outcome is unknown. The clean-up finds it.
func TestSandboxKilled(t *testing.T) {
	t.Parallel()
	r := newTrial(t)
	var run *exec.Cmd
	var once sync.Once
	ready := make(chan struct{})
	r.seen = func(req *http.Request, action string) {
		if action != "CreateLoadBalancer" {
			return
		}
		once.Do(func() {
			<-ready
			go func() {
				time.Sleep(3 * time.Second) // the balancer is made by then, and the provider waits for it
				run.Process.Signal(syscall.SIGKILL)
			}()
		})
	}
	run, _ = r.sandbox("--github", "acme/shop")
	close(ready)
	run.Wait()
	if run.ProcessState.Exited() {
		t.Fatalf("sandbox ended early: %v", run.ProcessState)
	}
	if diff := cmp.Diff(r.before, inventory(t, r.moto)); diff == "" {
		t.Fatal("the killed run left nothing: this test tests nothing")
	}
	clean, words := r.sandbox("clean")
	if err := clean.Wait(); err != nil {
		t.Errorf("sandbox clean: %v", err)
	}
	if !strings.Contains(words.String(), "was being created: arn:aws:elasticloadbalancing:") {
		t.Errorf("the balancer was not found among the creates under way:\n%s", words)
	}
	report, text, _ := r.report()
	if report.Good || !report.Clean || !strings.Contains(text, "| up-dev | 0s | 11 to 22 min | was killed |") {
		t.Errorf("the report says good: %v, clean: %v:\n%s", report.Good, report.Clean, text)
	}
	r.empty()

	// Once more: there is nothing to do, and it prints nothing.
	clean, words = r.sandbox("clean")
	if err := clean.Wait(); err != nil || words.Len() > 0 {
		t.Errorf("a second clean: %v: %s", err, words)
	}
}
