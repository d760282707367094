package check

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
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
			if f.Name == "want" {
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

// options are what the first lines of an archive say. Without any, the project goes to a stack that sets what Slipway sets.
func options(t *testing.T, folder, comment string) Options {
	t.Helper()
	o := Options{Path: folder, Stack: &Stack{Name: "dev", File: "Pulumi.dev.yaml", Env: map[string]*string{}}}
	for _, name := range []string{"SECRET_KEY", "ALLOWED_HOSTS", "DB_HOST", "DB_PORT", "DB_DATABASE", "DB_USERNAME", "DB_PASSWORD"} {
		o.Stack.Env[name] = nil
	}
	for _, line := range strings.Split(comment, "\n") {
		words := strings.Fields(line)
		switch {
		case line == "stack none":
			o.Stack = nil
		case line == "stack protected":
			o.Stack.Protected = true
		case len(words) == 2 && words[0] == "domain":
			o.Stack.Domain = words[1]
		case len(words) == 2 && words[0] == "env":
			name, value, set := strings.Cut(words[1], "=")
			if o.Stack.Env[name] = nil; set {
				o.Stack.Env[name] = &value
			}
		case len(words) > 0 && words[0] == "prepared":
			o.Prepared = true
			if len(words) > 1 {
				o.Nginx = "Dockerfile.nginx"
			}
		}
	}
	return o
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
			r := run(t, options(t, folder, string(a.Comment)))
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

func golden(t *testing.T, file string, a *txtar.Archive, got string) {
	t.Helper()
	want := ""
	i := slices.IndexFunc(a.Files, func(f txtar.File) bool { return f.Name == "want" })
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
		a.Files = append(a.Files, txtar.File{Name: "want"})
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
	if got := shown(run(t, Options{Path: "../app", Dockerfile: "Dockerfile", Context: ".", Prepared: true,
		Nginx: "Dockerfile.nginx"})); got != "" {
		t.Errorf("the check of app/ says:\n%s", got)
	}
}

// Without Python the rest is still checked, and the report says what was not.
func TestWithoutPython(t *testing.T) {
	folder := t.TempDir()
	write(t, folder, read(t, "base.txtar"), read(t, "low-port.txtar"), read(t, "debug-on.txtar"))
	o := options(t, folder, "")
	o.LookPath = func(string) (string, error) { return "", errors.New("not found") }
	want := "refused low-port Dockerfile:8: gunicorn listens on port 80\n    Listen on a port from 1024 up, such as 8000.\n" +
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
