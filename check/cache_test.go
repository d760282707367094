package check

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Python is asked again only if something has changed that its answer depends on.
func TestReadingsAreKept(t *testing.T) {
	needPython(t)
	folder, tools := t.TempDir(), t.TempDir()
	write(t, folder, read(t, "base.txtar"))
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(tools, "python3")
	script := "#!/bin/sh\necho asked >> " + tools + "/calls\nexec " + python + " \"$@\"\n"
	if err := os.WriteFile(program, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	o := options(t, folder, "")
	o.Cache = filepath.Join(tools, "cache")
	o.LookPath = func(string) (string, error) { return program, nil }
	calls := func() int {
		data, _ := os.ReadFile(filepath.Join(tools, "calls"))
		return strings.Count(string(data), "asked")
	}
	put := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	settings, err := os.ReadFile(filepath.Join(folder, "shop/settings.py"))
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		what   string
		change func()
		asks   int
		says   string
	}{
		{"the first time", func() {}, 1, ""},
		{"nothing changed", func() {}, 0, ""},
		{"another file", func() { put("README.md", "x") }, 0, ""},
		{"the settings", func() { put("shop/settings.py", string(settings)+"DEBUG = True\n") }, 1, "DEBUG is True"},
		{"nothing again", func() {}, 0, "DEBUG is True"},
		{"the settings as they were", func() { put("shop/settings.py", string(settings)) }, 1, ""},
		{"the environment", func() { delete(o.App.Env, "SECRET_KEY") }, 1, "no value for SECRET_KEY"},
		{"a new module", func() { put("os.py", "environ = {}\n") }, 1, ""},
		{"a damaged reading", func() {
			files, _ := filepath.Glob(filepath.Join(o.Cache, "*.json"))
			for _, f := range files {
				if err := os.WriteFile(f, []byte("{"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}, 1, ""},
	} {
		before := calls()
		step.change()
		got := shown(run(t, o))
		if asked := calls() - before; asked != step.asks {
			t.Errorf("%s: Python was asked %d times, not %d", step.what, asked, step.asks)
		}
		if !strings.Contains(got, step.says) || step.says == "" && strings.Contains(got, "DEBUG is True") {
			t.Errorf("%s: it says:\n%s", step.what, got)
		}
	}
	info, err := os.Stat(o.Cache)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder of what is kept has mode %v: %v", info.Mode(), err)
	}
}
