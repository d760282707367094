//go:build unix

package sandbox

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"gopkg.in/yaml.v3"
)

// Options configure a run.
type Options struct {
	Root    string // the folder of Pulumi.yaml and app/
	Slipway string // the command; "" builds it from Root
	Confirm string // the number of the account that the run is for; "" asks
	Yes     bool   // do not ask; needs Confirm
	Actions string // owner/name of a repository of the caller's; with it bootstrap makes the roles for its workflows
	In      io.Reader
	Err     io.Writer
	Signals <-chan os.Signal // that interrupt a run after its context was cancelled
}

// prefix begins the name of every sandbox project, and so of everything that a run makes.
const prefix = "slipway-sbx-"

// logDays is how long the stacks keep log lines.
const logDays = 3

// stacks are those of a run.
var stacks = []string{"dev", "staging"}

// A run is one sandbox run, or the clean-up of one.
type run struct {
	Options
	*Journal
	aws      *account
	recorder *Recorder
	lock     *os.File
	secrets  []string // never to be written down

	mu       sync.Mutex
	outputs  []string // files of the step under way
	notes    []string
	commands int

	first, second up       // releases
	remains       []string // what stays on purpose
}

// folder is where runs are kept.
func folder(root string) string { return filepath.Join(root, ".slipway", "sandbox") }

func (o *Options) say(format string, args ...any) { fmt.Fprintf(o.Err, format+"\n", args...) }

// note records a remark about the step under way, and prints it.
func (r *run) note(format string, args ...any) {
	r.mu.Lock()
	r.notes = append(r.notes, fmt.Sprintf(format, args...))
	r.mu.Unlock()
	r.say("    "+format, args...)
}

// Run runs the story, cleans up, and writes the report. The account is clean afterwards unless the error says otherwise.
func Run(ctx context.Context, o Options) (err error) {
	if err := o.needs(); err != nil {
		return err
	}
	if err := Clean(ctx, o); err != nil { // what earlier runs left
		return err
	}
	SayForecast(o.Err)
	id := make([]byte, 3)
	rand.Read(id)
	began := time.Now().UTC()
	r := &run{Options: o, Journal: &Journal{
		Project: prefix + hex.EncodeToString(id), GitHub: o.Actions, Began: began, PID: os.Getpid(),
		dir: filepath.Join(folder(o.Root), began.Format("20060102-150405")+"-"+hex.EncodeToString(id)),
	}}
	if err := r.open(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	if err := r.identify(ctx); err != nil {
		return err
	}
	r.say("\nIt runs in account %s in %s, as %s, with everything named %s-*.", r.Account, r.Region, r.Caller, r.Project)
	if o.Actions == "" {
		r.say("Without --github OWNER/NAME bootstrap makes no roles for GitHub's workflows, so they are not part of it.")
	}
	r.say("Pushes of images go through the Docker daemon and are not recorded. The report will be in %s", r.dir)
	if err := o.agree(r.Account); err != nil {
		return err
	}
	if err := r.prepare(ctx); err != nil {
		return err
	}
	r.Touched = true
	failed := r.play(ctx, story())
	if failed != nil {
		r.say("\n%v\nCleaning up.", failed)
	}
	return errors.Join(failed, r.cleanUp(context.WithoutCancel(ctx)))
}

// Clean removes what earlier runs left.
func Clean(ctx context.Context, o Options) error {
	left, err := unfinished(folder(o.Root))
	if err != nil {
		return err
	}
	for _, j := range left {
		if err := cleanAfter(ctx, o, j); err != nil {
			return err
		}
	}
	return nil
}

func cleanAfter(ctx context.Context, o Options, j *Journal) (err error) {
	o.say("The run in %s did not end: it may have left resources named %s-* in account %s in %s.", j.dir, j.Project, j.Account, j.Region)
	held, err := takeOver(j, o.say)
	if err != nil {
		return err
	}
	r := &run{Options: o, Journal: j, lock: held}
	j.PID = os.Getpid()
	if err := r.open(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	account, region := j.Account, j.Region
	if err := r.identify(ctx); err != nil {
		return err
	}
	if r.Account != account || r.Region != region {
		found := r.Account + " in " + r.Region
		r.Account, r.Region = account, region
		return fmt.Errorf("these credentials are for account %s, and that run was in account %s in %s", found, account, region)
	}
	if err := o.agree(r.Account); err != nil {
		return err
	}
	return r.cleanUp(ctx)
}

// needs checks what a run needs before anything is made.
func (o *Options) needs() error {
	if o.Yes && o.Confirm == "" {
		return errors.New("--yes needs --account: the number of the account that the run may use")
	}
	if o.Actions != "" && !regexp.MustCompile(`^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$`).MatchString(o.Actions) {
		return fmt.Errorf("--github must be OWNER/NAME, got %q", o.Actions)
	}
	_, _, err := nextMigration(filepath.Join(o.Root, "app"))
	return err
}

// agree asks the caller to type the account ID.
func (o *Options) agree(account string) error {
	if o.Confirm != "" && o.Confirm != account {
		return fmt.Errorf("--account is %s, and these credentials are for account %s; nothing was done", o.Confirm, account)
	}
	if o.Yes {
		return nil
	}
	fmt.Fprintf(o.Err, "Type the number of the account to continue: ")
	var typed string
	fmt.Fscanln(o.In, &typed)
	if typed != account {
		return errors.New("that is not the account; nothing was done")
	}
	return nil
}

// open creates the folder of the run, and starts the recorder.
func (r *run) open(ctx context.Context) (err error) {
	if err := os.MkdirAll(filepath.Join(r.dir, "output"), 0o700); err != nil {
		return err
	}
	if r.Slipway != "" {
		if r.Command, err = filepath.Abs(r.Slipway); err != nil {
			return err
		}
	}
	if r.lock == nil {
		if r.lock, err = lock(r.dir); err != nil {
			return err
		}
	}
	for _, name := range []string{"AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "GITHUB_TOKEN"} {
		if value := os.Getenv(name); len(value) >= 16 {
			r.secrets = append(r.secrets, value)
		}
	}
	if r.recorder, err = Record(r.dir); err != nil {
		return err
	}
	r.recorder.Step("start")
	return nil
}

func (r *run) close() error {
	var errs []error
	if r.Touched { // otherwise there is nothing to report
		errs = append(errs, r.report())
		r.say("The report is %s", filepath.Join(r.dir, "report.md"))
	}
	errs = append(errs, r.recorder.Close(), r.lock.Close())
	if !r.Touched {
		errs = append(errs, os.RemoveAll(r.dir))
	}
	return errors.Join(errs...)
}

// identify finds out whose credentials these are.
func (r *run) identify(ctx context.Context) (err error) {
	if r.aws, err = newAccount(ctx, r.recorder.Client()); err != nil {
		return err
	}
	r.Account, r.Region, r.Caller = r.aws.id, r.aws.region, r.aws.caller
	return nil
}

// prepare creates the project of the run: the app of this one, and stacks of the smallest size.
func (r *run) prepare(ctx context.Context) error {
	if r.GitHub != "" {
		there, err := r.aws.hasProvider(ctx)
		if err != nil {
			return err
		}
		r.Provider = !there
	}
	project := filepath.Join(r.dir, "project")
	if err := os.CopyFS(filepath.Join(project, "app"), os.DirFS(filepath.Join(r.Root, "app"))); err != nil {
		return err
	}
	app, err := appOf(r.Root)
	if err != nil {
		return err
	}
	files := map[string]any{"Pulumi.yaml": map[string]any{
		"name": r.Project, "runtime": "go", "description": "A sandbox run of Slipway. Remove it with: go run ./cmd/sandbox clean",
		"config": map[string]any{r.Project + ":app": app},
	}}
	for _, stack := range stacks {
		files["Pulumi."+stack+".yaml"] = map[string]any{"config": r.settings()}
	}
	for name, content := range files {
		text, err := yaml.Marshal(content)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(project, name), text, 0o600); err != nil {
			return err
		}
	}
	if r.Command == "" {
		r.Command = filepath.Join(r.dir, "slipway")
		r.say("Building slipway.")
		build := exec.CommandContext(ctx, "go", "build", "-o", r.Command, "./cmd/slipway")
		build.Dir, build.Stdout, build.Stderr = r.Root, r.Err, r.Err
		if err := build.Run(); err != nil {
			return fmt.Errorf("building slipway: %w", err)
		}
	}
	return r.Journal.write()
}

// appOf is what Pulumi.yaml of a folder says about the app.
func appOf(root string) (any, error) {
	text, err := os.ReadFile(filepath.Join(root, "Pulumi.yaml"))
	if err != nil {
		return nil, err
	}
	var project struct {
		Name   string
		Config map[string]any
	}
	if err := yaml.Unmarshal(text, &project); err != nil {
		return nil, err
	}
	app, ok := project.Config[project.Name+":app"]
	if !ok {
		return nil, fmt.Errorf("%s:app is missing in Pulumi.yaml", project.Name)
	}
	return app, nil
}

// settings are those of both stacks: every part of a site, in its smallest size. The tasks run on this machine's kind of
// processor, so that the images build without emulation.
func (r *run) settings() map[string]any {
	config := map[string]any{
		"aws:region":            r.Region,
		"aws:allowedAccountIds": []string{r.Account},
		r.Project + ":keys":     "shared",
		r.Project + ":bastion":  map[string]any{"enabled": false},
		r.Project + ":network":  map[string]any{"zones": 2, "nat": "single"},
		r.Project + ":database": map[string]any{"class": "db.t4g.micro", "storage": 20, "backupDays": 1},
		r.Project + ":web":      map[string]any{"cpu": 256, "memory": 512, "min": 1, "max": 2, "architecture": runtime.GOARCH},
		r.Project + ":logs":     map[string]any{"days": logDays, "archiveDays": logDays},
		r.Project + ":tags":     map[string]any{"sandbox": r.Began.Format(time.RFC3339)},
	}
	if r.GitHub != "" {
		// The roles trust one branch that does not exist, so no workflow can assume them.
		config[r.Project+":github"] = map[string]any{"repository": r.GitHub, "branches": []string{r.Project}, "readBranches": []string{r.Project}}
	}
	return config
}

// play runs steps until one fails.
func (r *run) play(ctx context.Context, steps []step) error {
	for _, s := range steps {
		if err := r.step(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// step runs one step, and keeps how it went.
func (r *run) step(ctx context.Context, s step) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := r.begin(s.name); err != nil {
		return err
	}
	r.recorder.Step(s.name)
	r.outputs, r.notes = nil, nil
	r.say("%s  %s: %s (%s)", time.Now().Format(time.TimeOnly), s.name, s.says, s.takes)
	err := s.does(r, ctx)
	if err != nil {
		err = fmt.Errorf("step %s: %w", s.name, errors.New(r.redact(err.Error())))
	}
	ended := r.end(err, r.notes, r.outputs)
	r.say("    %s in %s", map[bool]string{true: "done", false: "FAILED"}[err == nil], r.Steps[len(r.Steps)-1].Took())
	return errors.Join(err, ended)
}

// An answer is what a command wrote, and how it ended.
type answer struct {
	stdout, stderr string
	code           int
}

// stopping is how long a command that was interrupted may take to end what it is doing.
const stopping = 15 * time.Minute

// slipway runs the command on a stack, with --live.
func (r *run) slipway(ctx context.Context, patience time.Duration, args ...string) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r.mu.Lock()
	r.commands++
	base := fmt.Sprintf("output/%s-%02d-%s", r.Steps[len(r.Steps)-1].Name, r.commands, args[0])
	r.mu.Unlock()
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(r.Command, append(slices.Clone(args), "--live")...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = filepath.Join(r.dir, "project"), &stdout, &stderr
	cmd.Env, cmd.ExtraFiles, cmd.WaitDelay = r.env(), []*os.File{r.lock}, 10*time.Second
	bind(cmd)
	// The kernel's "parent" is the thread that starts a process; see bind.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		return answer{}, err
	}
	ended := make(chan struct{})
	go func() {
		select {
		case <-ended:
			return
		case <-ctx.Done():
		}
		cmd.Process.Signal(os.Interrupt)
		select {
		case <-ended:
			return
		case <-r.Signals: // a second Ctrl-C
		case <-time.After(stopping):
		}
		cmd.Process.Signal(os.Interrupt)
		select {
		case <-ended:
		case <-time.After(time.Minute):
			cmd.Process.Kill()
		}
	}()
	waited := cmd.Wait()
	close(ended)
	a := answer{stdout: r.redact(stdout.String()), stderr: r.redact(stderr.String()), code: cmd.ProcessState.ExitCode()}
	var errs []error
	for suffix, text := range map[string]string{".out": a.stdout, ".err": a.stderr} {
		if text != "" {
			r.mu.Lock()
			r.outputs = append(r.outputs, base+suffix)
			r.mu.Unlock()
			errs = append(errs, os.WriteFile(filepath.Join(r.dir, base+suffix), []byte(text), 0o600))
		}
	}
	var exit *exec.ExitError
	if waited != nil && !errors.As(waited, &exit) && !errors.Is(waited, exec.ErrWaitDelay) {
		errs = append(errs, waited)
	}
	if ctx.Err() != nil {
		errs = append(errs, fmt.Errorf("slipway %s was stopped: %w", strings.Join(args, " "), ctx.Err()))
	}
	return a, errors.Join(errs...)
}

// must runs the command and expects exit code code; its JSON goes to into, unless that is nil.
func (r *run) must(ctx context.Context, code int, into any, args ...string) (answer, error) {
	a, err := r.slipway(ctx, time.Hour, args...)
	if err != nil {
		return a, err
	}
	if a.code != code {
		return a, fmt.Errorf("slipway %s exited with %d, want %d:\n%s", strings.Join(args, " "), a.code, code, tail(a.stderr, 30))
	}
	if into != nil {
		if err := json.Unmarshal([]byte(a.stdout), into); err != nil {
			return a, fmt.Errorf("slipway %s wrote JSON that cannot be read: %w", strings.Join(args, " "), err)
		}
	}
	return a, nil
}

// env is the environment of the command: the caller's, with the way through the recorder.
func (r *run) env() []string {
	through := r.recorder.Env()
	through["AWS_REGION"], through["AWS_DEFAULT_REGION"] = r.Region, r.Region
	// Without them slipway asks GitHub about runs, and names them in the ledger.
	through["GITHUB_ACTIONS"], through["GITHUB_TOKEN"] = "", ""
	var env []string
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		if _, ours := through[name]; !ours {
			env = append(env, pair)
		}
	}
	for name, value := range through {
		env = append(env, name+"="+value)
	}
	slices.Sort(env)
	return env
}

var (
	signature = regexp.MustCompile(`(?i)(X-Amz-(?:Signature|Security-Token|Credential)=)[^&"'\s]+`)
	passwords = regexp.MustCompile(`(?i)((?:password|secret[a-z_-]*|token|passphrase)["']?\s*[=:]\s*["']?)([A-Za-z0-9+/=_-]{16,})`)
)

// redact takes credentials and signatures out of a text. Slipway has replaced the secrets of the stack already.
func (r *run) redact(text string) string {
	for _, secret := range r.secrets {
		text = strings.ReplaceAll(text, secret, "[secret]")
	}
	return passwords.ReplaceAllString(signature.ReplaceAllString(text, "${1}[secret]"), "${1}[secret]")
}

// tail are the last lines of a text.
func tail(text string, lines int) string {
	all := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// A migration file of Django is named 0001_initial.py.
var migrationFile = regexp.MustCompile(`^(\d{4})_[A-Za-z0-9_]+\.py$`)

// nextMigration finds an app of the project with migrations, and returns the path of one more and what it depends on.
func nextMigration(app string) (file string, after [2]string, err error) {
	found, err := filepath.Glob(filepath.Join(app, "*", "migrations", "*.py"))
	if err != nil {
		return "", after, err
	}
	best := ""
	for _, path := range found {
		if migrationFile.MatchString(filepath.Base(path)) && (best == "" || filepath.Dir(path) == filepath.Dir(best) && path > best) {
			best = path
		}
	}
	if best == "" {
		return "", after, fmt.Errorf("no app below %s has a numbered migration, and the run adds one to make a second release", app)
	}
	var n int
	fmt.Sscanf(filepath.Base(best), "%d", &n)
	name := strings.TrimSuffix(filepath.Base(best), ".py")
	after = [2]string{filepath.Base(filepath.Dir(filepath.Dir(best))), name}
	return filepath.Join(filepath.Dir(best), fmt.Sprintf("%04d_slipway_sandbox.py", n+1)), after, nil
}

// migration is the text of a migration that does nothing, or fails.
func migration(after [2]string, fails bool) string {
	operation := "[]"
	if fails {
		operation = "[migrations.RunPython(fail)]"
	}
	return fmt.Sprintf(`from django.db import migrations


def fail(apps, schema_editor):
    raise RuntimeError("slipway sandbox: this migration fails on purpose")


class Migration(migrations.Migration):
    dependencies = [(%q, %q)]
    operations = %s
`, after[0], after[1], operation)
}
