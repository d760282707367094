package check

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"gopkg.in/yaml.v3"
)

var update = flag.Bool("update", false, "write the golden files")

// read reads an archive of testdata.
func read(t *testing.T, name string) *txtar.Archive {
	t.Helper()
	a, err := txtar.ParseFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// project writes the base project, changed by an archive: a file that says "removed" is not there.
func write(t *testing.T, folder string, archives ...*txtar.Archive) {
	t.Helper()
	for _, a := range archives {
		for _, f := range a.Files {
			at := filepath.Join(folder, filepath.FromSlash(f.Name))
			if f.Name == "want" || f.Name == "want-configured" || f.Name == "app" || strings.HasPrefix(f.Name, "changed/") {
				continue
			}
			if string(f.Data) == "removed\n" {
				_ = os.Remove(at)
				continue
			}
			if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(at, f.Data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// options are what the first lines of an archive say. Without any, the project is that of a stack whose app.env sets what the base project
// reads.
func options(t *testing.T, folder, comment string) Options {
	t.Helper()
	o := Options{Path: folder, Stack: &Stack{Name: "dev", Region: "eu-central-1"}, App: App{Own: true, Context: ".", Env: map[string]string{
		"SECRET_KEY": "{key}", "ALLOWED_HOSTS": "{hosts}", "DB_HOST": "{db.host}", "DB_PORT": "{db.port}", "DB_DATABASE": "{db.name}",
		"DB_USERNAME": "{db.user}", "DB_PASSWORD": "{db.password}"}}}
	o.Project = "shop"
	source := Source{File: "Pulumi.dev.yaml"}
	for _, line := range strings.Split(comment, "\n") {
		words := strings.Fields(line)
		switch {
		case line == "stack none":
			o.Stack, o.App = nil, App{}
		case line == "stack protected":
			o.Stack.Protected = true
		case line == "stack bare":
			o.App.Env = map[string]string{}
		case len(words) == 2 && words[0] == "domain":
			o.Stack.Domain = words[1]
		case len(words) == 2 && words[0] == "secret":
			o.Stack.Secrets = append(o.Stack.Secrets, words[1])
		case strings.HasPrefix(line, "- {name:"):
			source.Text += line + "\n"
			var w struct {
				Name    string
				Command []string
				Count   *int
				Single  bool
			}
			if err := yaml.Unmarshal([]byte(line[2:]), &w); err != nil {
				t.Fatal(err)
			}
			one := Worker{w.Name, w.Command, 1, w.Single}
			if w.Count != nil {
				one.Count = *w.Count
			}
			o.Stack.Workers = append(o.Stack.Workers, one)
		case strings.HasPrefix(line, "app."):
			source.Text += line + "\n"
			configure(t, &o.App, line)
		}
	}
	if o.Stack != nil {
		o.Stack.Sources = []Source{source}
	}
	return o
}

// configure sets a key of app.* as a line of the stack's configuration does.
func configure(t *testing.T, app *App, line string) {
	t.Helper()
	var keys map[string]any
	if err := yaml.Unmarshal([]byte(line), &keys); err != nil {
		t.Fatal(err)
	}
	texts := func(v any) []string {
		all := []string{}
		for _, x := range v.([]any) {
			all = append(all, fmt.Sprint(x))
		}
		return all
	}
	for key, v := range keys {
		switch key = strings.TrimPrefix(key, "app."); key {
		case "path":
			app.Path = v.(string)
		case "context":
			app.Context = v.(string)
		case "dockerfile":
			app.Dockerfile = v.(string)
		case "target":
			app.Target = v.(string)
		case "settings":
			app.Settings = v.(string)
		case "overlay":
			app.Overlay = texts(v)
		case "entrypoint":
			app.Entrypoint = texts(v)
		case "command":
			app.Command = texts(v)
		case "port":
			app.Port = v.(int)
		case "packages":
			app.Packages = texts(v)
		case "writable":
			app.Writable = texts(v)
		case "static.serve":
			app.Static.Serve = v.(string)
		case "static.url":
			app.Static.URL = v.(string)
		default:
			name, is := strings.CutPrefix(key, "env.")
			if !is {
				t.Fatalf("no such key: %s", key)
			}
			app.Env[name] = fmt.Sprint(v)
		}
	}
}

// shown is a report as the golden files have it.
func shown(r *Report) string {
	var b strings.Builder
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "%s %s %s:%d: %s\n    %s\n", f.Severity, f.Check, f.File, f.Line, f.Reason, f.Fix)
	}
	for _, u := range r.Unknown {
		fmt.Fprintf(&b, "unknown %s:%d: %s: %s\n", u.File, u.Line, u.What, u.Why)
	}
	return b.String()
}

func run(t *testing.T, o Options) *Report {
	t.Helper()
	r, err := Run(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func needPython(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("needs python3")
	}
}

// Every check has the smallest project that triggers it, with its exact message. An archive whose name begins with fine- has none.
func TestEveryCheck(t *testing.T) {
	needPython(t)
	base := read(t, "base.txtar")
	files, _ := filepath.Glob("testdata/*.txtar")
	seen := map[string]bool{}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txtar")
		t.Run(name, func(t *testing.T) {
			folder, a := t.TempDir(), read(t, name+".txtar")
			if strings.HasPrefix(name, "fixture-") {
				write(t, folder, a)
			} else {
				write(t, folder, base, a)
			}
			o := options(t, folder, string(a.Comment))
			if app := part(a, "app"); app != "" { // a fixture as it is: only where it lies is known
				o = options(t, folder, located(app))
			}
			r := run(t, o)
			got := shown(r)
			golden(t, file, a, got)
			fine := strings.HasPrefix(name, "fine-") || name == "base"
			if fine && got != "" {
				t.Errorf("nothing is wrong with this project, and it says:\n%s", got)
			}
			found := false
			for _, f := range r.Findings {
				seen[f.Check] = true
				found = found || name == f.Check || strings.HasPrefix(name, f.Check+"-")
			}
			if !found && !fine && !strings.HasPrefix(name, "fixture-") && !strings.HasPrefix(name, "unknown-") {
				t.Errorf("the check that the archive is named after found nothing")
			}
		})
	}
	for _, c := range Checks {
		if !seen[c.Code] {
			t.Errorf("no project in testdata triggers %s", c.Code)
		}
	}
}

// part is a file of an archive, "" if there is none.
func part(a *txtar.Archive, name string) string {
	for _, f := range a.Files {
		if f.Name == name {
			return string(f.Data)
		}
	}
	return ""
}

// where are the keys that say where a project lies, and lines that are no keys of app.*.
var where = regexp.MustCompile(`^(app\.(path|context|dockerfile):|[^a]|$)`)

// located are the lines of a configuration that say where the project lies.
func located(app string) string {
	var kept []string
	for _, line := range strings.Split(app, "\n") {
		if where.MatchString(line) {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\n")
}

// Each fixture is a kind of project. Its configuration makes it deployable, and each of its keys is needed for that. Files below changed/
// are what no configuration can do.
func TestFixtures(t *testing.T) {
	needPython(t)
	files, _ := filepath.Glob("testdata/fixture-*.txtar")
	if len(files) < 6 {
		t.Fatalf("%d fixtures", len(files))
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txtar")
		t.Run(name, func(t *testing.T) {
			folder, a := t.TempDir(), read(t, name+".txtar")
			app := part(a, "app")
			write(t, folder, a)
			if r := run(t, options(t, folder, located(app))); !r.Refused {
				t.Error("it is not refused as it is")
			}
			changed := &txtar.Archive{}
			for _, f := range a.Files {
				if rest, is := strings.CutPrefix(f.Name, "changed/"); is {
					changed.Files = append(changed.Files, txtar.File{Name: rest, Data: f.Data})
				}
			}
			if len(changed.Files) > 0 {
				if r := run(t, options(t, folder, app)); !r.Refused {
					t.Error("the configuration alone makes it deployable")
				}
			}
			write(t, folder, changed)
			r := run(t, options(t, folder, app))
			compare(t, file, "want-configured", a, shown(r))
			if r.Refused {
				t.Error("it is refused although it is configured")
			}
			lines := strings.Split(app, "\n")
			for i, line := range lines {
				if where.MatchString(line) || strings.HasPrefix(line, "app.settings:") && strings.Contains(app, "app.overlay:") {
					continue // the configuration itself demands app.settings with an overlay
				}
				without := strings.Join(slices.Delete(slices.Clone(lines), i, i+1), "\n")
				if r := run(t, options(t, folder, without)); !r.Refused {
					t.Errorf("it is not refused without %s", line)
				}
			}
		})
	}
}

func golden(t *testing.T, file string, a *txtar.Archive, got string) {
	t.Helper()
	compare(t, file, "want", a, got)
}

func compare(t *testing.T, file, name string, a *txtar.Archive, got string) {
	t.Helper()
	want := ""
	i := slices.IndexFunc(a.Files, func(f txtar.File) bool { return f.Name == name })
	if i >= 0 {
		want = string(a.Files[i].Data)
	}
	if want == got {
		return
	}
	if !*update {
		t.Errorf("(-want +got; go test ./check -update writes it)\n%s", cmp.Diff(want, got))
		return
	}
	if i < 0 {
		a.Files = append(a.Files, txtar.File{Name: name})
		i = len(a.Files) - 1
	}
	a.Files[i].Data = []byte(got)
	if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Slipway's own sample is what a project should be.
func TestTheSampleIsFine(t *testing.T) {
	needPython(t)
	if got := shown(run(t, Options{Path: "../app", App: App{Dockerfile: "Dockerfile", Context: "."}})); got != "" {
		t.Errorf("the check of app/ says:\n%s", got)
	}
}

// Without Python the rest is still checked, and the report says what was not.
func TestWithoutPython(t *testing.T) {
	folder := t.TempDir()
	write(t, folder, read(t, "base.txtar"), read(t, "low-port.txtar"), read(t, "debug-on.txtar"))
	o := options(t, folder, "")
	o.LookPath = func(string) (string, error) { return "", errors.New("not found") }
	want := "refused low-port Dockerfile:8: gunicorn listens on port 80\n" +
		"    Set app.command: [gunicorn, shop.wsgi]: gunicorn then listens on app.port.\n" +
		"unknown :0: settings: no python3 was found on this machine, so the Python code was not read; the Dockerfile and the other " +
		"files were checked\n"
	write(t, folder, &txtar.Archive{Files: []txtar.File{{Name: "Dockerfile", Data: read(t, "low-port.txtar").Files[0].Data}}})
	if diff := cmp.Diff(want, shown(run(t, o))); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// A Python that fails is reported with what it says.
func TestPythonFails(t *testing.T) {
	folder, tools := t.TempDir(), t.TempDir()
	write(t, folder, read(t, "base.txtar"))
	if err := os.WriteFile(filepath.Join(tools, "python3"), []byte("#!/bin/sh\necho trouble >&2\nexit 3\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	o := options(t, folder, "")
	o.LookPath = func(name string) (string, error) { return filepath.Join(tools, name), nil }
	want := "unknown :0: settings: reading the Python code failed: python3: exit status 3: trouble; " +
		"the Dockerfile and the other files were checked\n"
	if diff := cmp.Diff(want, shown(run(t, o))); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// If only the image has Python, that one reads, without network and without writing.
func TestPythonOfTheImage(t *testing.T) {
	needPython(t)
	folder, tools := t.TempDir(), t.TempDir()
	write(t, folder, read(t, "base.txtar"), read(t, "debug-on.txtar"))
	python, _ := exec.LookPath("python3")
	docker := filepath.Join(tools, "docker")
	script := `#!/bin/sh
echo "$*" | head -n 1 >> ` + tools + `/calls
[ "$1" = image ] && exit 0
while [ "$1" != -I ]; do shift; done
sed 's|"/project"|"` + folder + `"|' | exec ` + python + ` "$@"
`
	if err := os.WriteFile(docker, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	o := options(t, folder, "")
	o.LookPath = func(name string) (string, error) {
		if name == "docker" {
			return docker, nil
		}
		return "", errors.New("not found")
	}
	if got := shown(run(t, o)); !strings.Contains(got, "refused debug-on shop/settings.py:4: DEBUG is True") {
		t.Errorf("it says:\n%s", got)
	}
	calls, _ := os.ReadFile(filepath.Join(tools, "calls"))
	for _, want := range []string{"image inspect --format {{.Id}} python:3.13-slim", "run --rm -i --network none --read-only",
		"type=bind,readonly,source=" + folder + ",target=/project --entrypoint python3 python:3.13-slim"} {
		if !strings.Contains(string(calls), want) {
			t.Errorf("docker was not called with %q:\n%s", want, calls)
		}
	}
}

// No message and no report contains a secret of the project.
func TestSecretsAreNotShown(t *testing.T) {
	needPython(t)
	folder := t.TempDir()
	write(t, folder, read(t, "base.txtar"), read(t, "secret-in-image.txtar"), read(t, "secret-in-image-env.txtar"), read(t,
		"secret-key-in-code.txtar"),
		read(t, "infra-default-password.txtar"))
	got := shown(run(t, options(t, folder, "")))
	for _, secret := range []string{"0tmf3vbz", "f3b1c0ffee", "5k2hd8", `"password"`} {
		if strings.Contains(got, secret) {
			t.Errorf("%s is in the report:\n%s", secret, got)
		}
	}
	if strings.Count(got, "refused") < 2 {
		t.Errorf("the test sees nothing:\n%s", got)
	}
}

func TestFolderMissing(t *testing.T) {
	if _, err := Run(context.Background(), Options{Path: filepath.Join(t.TempDir(), "none")}); err == nil ||
		!strings.Contains(err.Error(), "cannot be read") {
		t.Errorf("got %v", err)
	}
}
