package adapter

import (
	"crypto/sha256"
	"debug/elf"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

var update = flag.Bool("update", false, "rewrite versions.txt")

// golist lists what the helper's program is made of.
func golist(t *testing.T, format string) []string {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps", "-f", format, helperPackage)
	cmd.Dir = ".."
	cmd.Env = append(os.Environ(), "GOOS=linux", "CGO_ENABLED=0")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	slices.Sort(lines)
	return slices.DeleteFunc(slices.Compact(lines), func(line string) bool { return line == "" })
}

// The helper's hash covers everything that the binary is made of: its own files, the version of Go that go.mod names, the modules,
// and what it uses of this one.
func TestHelperSumCoversTheBinary(t *testing.T) {
	want := golist(t, "{{with .Module}}{{if .Version}}{{.Path}} {{.Version}}{{end}}{{end}}")
	mod, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(mod), "\n") {
		if strings.HasPrefix(line, "go ") || strings.HasPrefix(line, "toolchain ") {
			want = append(want, line)
		}
	}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range golist(t, `{{if and .Module (not .Module.Version)}}{{range .GoFiles}}{{$.Dir}}/{{.}}{{"\n"}}{{end}}{{end}}`) {
		name, err := filepath.Rel(root, file)
		if err != nil {
			t.Fatal(err)
		}
		if name = filepath.ToSlash(name); strings.HasPrefix(name, "helper/program/") {
			continue // in the hash itself
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, fmt.Sprintf("%s %x", name, sha256.Sum256(data)))
	}
	slices.Sort(want)
	text := strings.Join(want, "\n") + "\n"
	if *update {
		if err := os.WriteFile("versions.txt", []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if text != versions {
		t.Errorf("versions.txt is not what the helper is made of: go test ./adapter -run HelperSum -update\n%s", text)
	}
}

func TestHelperSum(t *testing.T) {
	of := func(files map[string]string) string {
		m := fstest.MapFS{}
		for name, content := range files {
			m[name] = &fstest.MapFile{Data: []byte(content)}
		}
		return sumOf(m)
	}
	before := of(map[string]string{"program/a.go": "a", "program/b.go": "b"})
	for name, files := range map[string]map[string]string{
		"a byte":      {"program/a.go": "A", "program/b.go": "b"},
		"a new file":  {"program/a.go": "a", "program/b.go": "b", "program/c.go": ""},
		"a file less": {"program/a.go": "a"},
		"swapped":     {"program/a.go": "b", "program/b.go": "a"},
	} {
		if of(files) == before {
			t.Errorf("%s does not change the hash", name)
		}
	}
	if of(map[string]string{"program/a.go": "a", "program/b.go": "b", "program/a_test.go": "x", "program/x.txt": "x"}) != before {
		t.Error("a test changes the hash")
	}
	if helperSum() != sumOf(os.DirFS("../helper")) {
		t.Error("the embedded sources are not those of this tree")
	}
}

// A clone compiles the helper once for each platform; afterwards neither Go nor the sources are needed.
func TestHelperIsMadeOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("it compiles the helper")
	}
	cache := t.TempDir()
	machines := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}
	for architecture, machine := range machines {
		at, err := helperIn(cache, architecture)
		if err != nil {
			t.Fatal(err)
		}
		f, err := elf.Open(at)
		if err != nil {
			t.Fatal(err)
		}
		libraries, err := f.ImportedLibraries()
		if f.Machine != machine || err != nil || len(libraries) > 0 || f.Section(".interp") != nil {
			t.Errorf("%s: made for %s, with %q: it must run in an image without libraries", architecture, f.Machine, libraries)
		}
		_ = f.Close()
		info, err := os.Stat(at)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&0o111 == 0 || info.Size() > 18<<20 {
			t.Errorf("%s: mode %s, %d bytes", architecture, info.Mode(), info.Size())
		}
	}
	if out, err := exec.Command(filepath.Join(cache, helperSum()[:20]+"-"+runtime.GOARCH), "whoami", "--note="+filepath.Join(cache,
		"note")).CombinedOutput(); err != nil {
		t.Errorf("it does not run: %v\n%s", err, out)
	}
	t.Setenv("PATH", "")
	for architecture := range machines {
		if _, err := helperIn(cache, architecture); err != nil {
			t.Errorf("%s was not kept: %v", architecture, err)
		}
	}
	if _, err := binaries.Open("bin"); err == nil {
		return // this build carries them
	}
	if _, err := helperIn(t.TempDir(), "arm64"); err == nil || !strings.Contains(err.Error(), "Go, which would compile it, is not installed") {
		t.Errorf("without Go: %v", err)
	}
}

func TestHelperOfOtherSources(t *testing.T) {
	old := helperSum
	defer func() { helperSum = old }()
	helperSum = func() string { return strings.Repeat("0", 64) }
	if _, err := binaries.Open("bin"); err == nil {
		return // this build carries them
	}
	if _, err := helperIn(t.TempDir(), "arm64"); err == nil || !strings.Contains(err.Error(), "Build slipway again") {
		t.Errorf("got %v", err)
	}
	for _, platform := range []string{"linux/riscv64", "windows/amd64", "arm64", ""} {
		if _, err := Helper(platform); err == nil || !strings.Contains(err.Error(), "linux/arm64 and linux/amd64") {
			t.Errorf("%q: %v", platform, err)
		}
	}
}
