package engine

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/blang/semver"
	"github.com/pulumi/pulumi/sdk/v3"
)

// The CLI that is built must be the one that the SDK expects.
func TestPinnedVersion(t *testing.T) {
	module, err := pinnedModule()
	if err != nil {
		t.Fatal(err)
	}
	pinned, err := requirement(filepath.Join(module, "go.mod"), "github.com/pulumi/pulumi/pkg/v3")
	if err != nil {
		t.Fatal(err)
	}
	if pinned != "v"+sdk.Version.String() {
		t.Errorf("tools/pulumi pins %s, the SDK is v%s", pinned, sdk.Version)
	}
}

// fakeCLI is a program that prints a version.
func fakeCLI(version string) []byte { return []byte("#!/bin/sh\necho " + version + "\n") }

func writeFake(t *testing.T, path, version string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, fakeCLI(version), 0o755); err != nil {
		t.Fatal(err)
	}
}

// publisher serves a release, and counts how often its archive was fetched.
func publisher(t *testing.T, version string, tamper bool) (site string, fetched func() int) {
	t.Helper()
	var archive bytes.Buffer
	zipped := gzip.NewWriter(&archive)
	files := tar.NewWriter(zipped)
	for _, name := range []string{"pulumi/pulumi-language-go", "pulumi/pulumi"} {
		body := fakeCLI("v" + version)
		files.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o755, Size: int64(len(body))})
		files.Write(body)
	}
	files.Close()
	zipped.Close()
	sum := sha256.Sum256(archive.Bytes())
	if tamper {
		sum[0]++
	}
	arch := map[string]string{"amd64": "x64", "arm64": "arm64"}[runtime.GOARCH]
	name := fmt.Sprintf("pulumi-v%s-%s-%s.tar.gz", version, runtime.GOOS, arch)
	var mu sync.Mutex
	count := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/pulumi-" + version + "-checksums.txt":
			fmt.Fprintf(w, "%x  %s\n%064d  other.tar.gz\n", sum, name, 0)
		case "/" + name:
			mu.Lock()
			count++
			mu.Unlock()
			time.Sleep(50 * time.Millisecond)
			w.Write(archive.Bytes())
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL + "/", func() int { mu.Lock(); defer mu.Unlock(); return count }
}

// pinnedFake is a module like tools/pulumi, whose Pulumi CLI is one line long.
func pinnedFake(t *testing.T, version string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module pinned\n\ngo 1.26\n\nrequire github.com/pulumi/pulumi/pkg/v3 v" + version +
			"\n\nreplace github.com/pulumi/pulumi/pkg/v3 => ./fake\n",
		"fake/go.mod":             "module github.com/pulumi/pulumi/pkg/v3\n\ngo 1.26\n",
		"fake/cmd/pulumi/main.go": "package main\n\nimport \"fmt\"\n\nfunc main() { fmt.Println(\"v" + version + "\") }\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestFindCLI(t *testing.T) {
	const version = "3.250.0"
	nowhere := func(*testing.T) string { return "http://127.0.0.1:1/" }
	none := func(*testing.T) (string, error) { return "", fmt.Errorf("no clone here") }
	for _, c := range []struct {
		name    string
		path    string // the version of the CLI on PATH
		cached  bool
		site    func(*testing.T) string
		module  func(*testing.T) (string, error)
		version string
		from    string // part of the path of the CLI
		said    string
		refuse  string
	}{
		{name: "a newer one on PATH", path: "v3.251.2", cached: true, site: nowhere, module: none, version: "3.251.2", from: "onpath"},
		{name: "an older one on PATH is passed over", path: "v3.249.9", cached: true, site: nowhere, module: none,
			version: version, from: "cache"},
		{name: "another major on PATH is passed over", path: "v4.0.0", cached: true, site: nowhere, module: none,
			version: version, from: "cache"},
		{name: "something else on PATH is passed over", path: "usage: pulumi", cached: true, site: nowhere, module: none,
			version: version, from: "cache"},
		{name: "the download", site: func(t *testing.T) string { s, _ := publisher(t, version, false); return s }, module: none,
			version: version, from: "cache", said: "downloading"},
		{name: "a download with a wrong checksum is not used", site: func(t *testing.T) string { s, _ := publisher(t, version, true); return s },
			module: none, refuse: "its publisher says"},
		{name: "no download, so it is built", site: nowhere,
			module:  func(t *testing.T) (string, error) { return pinnedFake(t, version), nil },
			version: version, from: "cache", said: "building the Pulumi CLI v3.250.0"},
		{name: "nothing works", site: nowhere, module: none, refuse: "no clone here"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			t.Setenv("GOFLAGS", "") // t.Setenv also says that these do not run in parallel, which PATH needs
			if c.path != "" {
				writeFake(t, filepath.Join(dir, "onpath", "pulumi"), c.path)
			}
			t.Setenv("PATH", filepath.Join(dir, "onpath")+string(os.PathListSeparator)+withoutPulumi())
			if c.cached {
				writeFake(t, filepath.Join(dir, "cache", "v"+version, "pulumi"), "v"+version)
			}
			var said strings.Builder
			f := finder{version: semver.MustParse(version), cache: filepath.Join(dir, "cache"), site: c.site(t),
				module: func() (string, error) { return c.module(t) },
				say:    func(format string, args ...any) { fmt.Fprintf(&said, format+"\n", args...) }}
			cli, err := f.find(t.Context())
			if c.refuse != "" {
				if err == nil || !strings.Contains(err.Error(), c.refuse) {
					t.Fatalf("got %v, want an error that says %q", err, c.refuse)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if cli.Version().String() != c.version || !strings.Contains(cli.Path(), string(os.PathSeparator)+c.from+string(os.PathSeparator)) {
				t.Errorf("got version %s at %s, want %s from %s", cli.Version(), cli.Path(), c.version, c.from)
			}
			if !strings.Contains(said.String(), c.said) || c.said == "" && said.Len() > 0 {
				t.Errorf("it said %q, want %q", said.String(), c.said)
			}
			out, _, _, err := cli.Run(t.Context(), dir, nil, nil, nil, nil, "version")
			if err != nil || strings.TrimSpace(out) != "v"+c.version {
				t.Errorf("the CLI that was found says %q, %v", out, err)
			}
		})
	}
}

// withoutPulumi is PATH less the folders with a real Pulumi CLI.
func withoutPulumi() string {
	var kept []string
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		if _, err := os.Stat(filepath.Join(dir, executable("pulumi"))); err != nil {
			kept = append(kept, dir)
		}
	}
	return strings.Join(kept, string(os.PathListSeparator))
}

func TestFindCLIOnce(t *testing.T) {
	const version = "3.250.0"
	t.Setenv("PATH", withoutPulumi())
	site, fetched := publisher(t, version, false)
	cache := t.TempDir()
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			f := finder{version: semver.MustParse(version), cache: cache, site: site, module: pinnedModule, say: func(string, ...any) {}}
			if _, err := f.find(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := fetched(); n != 1 {
		t.Errorf("four that need a CLI fetched it %d times", n)
	}
}

// The first interrupt is passed on, and Run waits however long the engine takes. Terminate is a second one.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	script := filepath.Join(t.TempDir(), "engine")
	text := `#!/bin/sh
count=0
trap 'count=$((count + 1)); echo interrupt $count; [ $count = 2 ] && exit 3' INT
echo ready
while :; do sleep 0.05; done
`
	if err := os.WriteFile(script, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	cli := &CLI{path: script}
	ctx, cancel := context.WithCancel(t.Context())
	said := make(lines, 10)
	ended := make(chan int)
	go func() {
		_, _, code, _ := cli.Run(ctx, "", nil, []io.Writer{said}, nil, nil)
		ended <- code
	}()
	said.await(t, "ready")
	cancel()
	said.await(t, "interrupt 1")
	select {
	case <-ended:
		t.Fatal("it was not waited for after the first interrupt")
	case <-time.After(300 * time.Millisecond):
	}
	cli.Terminate()
	said.await(t, "interrupt 2")
	if code := <-ended; code != 3 {
		t.Errorf("exit code %d, want 3", code)
	}
}

// The engine must not be in the process group that a terminal sends Ctrl-C to, and must not see the environment.
func TestEngineIsApart(t *testing.T) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "leaked")
	t.Setenv("PULUMI_ACCESS_TOKEN", "leaked")
	script := filepath.Join(t.TempDir(), "engine")
	if err := os.WriteFile(script, []byte("#!/bin/sh\necho $$\nenv\nread end\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	stdin, end := io.Pipe()
	said := make(lines, 10)
	ended := make(chan string)
	go func() {
		out, _, _, err := (&CLI{path: script}).Run(t.Context(), "", stdin, []io.Writer{said}, nil, []string{"GIVEN=seen"})
		if err != nil {
			t.Error(err)
		}
		ended <- out
	}()
	pid, err := strconv.Atoi(strings.SplitN(<-said, "\n", 2)[0])
	if err != nil {
		t.Fatal(err)
	}
	if group, err := syscall.Getpgid(pid); err != nil || group == syscall.Getpgrp() {
		t.Errorf("the engine is in process group %d, %v, and this process in %d", group, err, syscall.Getpgrp())
	}
	fmt.Fprintln(end, "now")
	end.Close()
	if env := <-ended; strings.Contains(env, "leaked") || !strings.Contains(env, "GIVEN=seen") {
		t.Errorf("the engine's environment is %s", env)
	}
}

// lines is a writer that hands on what is written.
type lines chan string

func (l lines) Write(p []byte) (int, error) { l <- string(p); return len(p), nil }

func (l lines) await(t *testing.T, text string) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		select {
		case line := <-l:
			if strings.Contains(line, text) {
				return
			}
		case <-deadline:
			t.Fatalf("%q does not come", text)
		}
	}
}

// A service that systemd starts has no HOME (pulumi/pulumi#12969). The CLI on PATH is used all the same; without it the message
// says what is missing.
func TestWithoutAHomeTheCLIOnPathIsUsed(t *testing.T) {
	homeless := errors.New("$HOME is not defined")
	f := finder{version: semver.MustParse("3.250.0"), homeless: homeless, say: t.Logf}
	t.Setenv("PATH", t.TempDir())
	if _, err := f.find(t.Context()); !errors.Is(err, homeless) || !strings.Contains(err.Error(), "is on PATH") ||
		!strings.Contains(err.Error(), "set HOME") {
		t.Errorf("without a CLI: %v", err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "pulumi"), []byte("#!/bin/sh\necho v3.250.0\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	if cli, err := f.find(t.Context()); err != nil || cli.path != filepath.Join(dir, "pulumi") {
		t.Errorf("with a CLI on PATH: %v, %v", cli, err)
	}
}

func TestTheHomeIsTheSystemsWhereTheVariableIsMissing(t *testing.T) {
	t.Setenv("HOME", "")
	t.Setenv("XDG_CACHE_HOME", "")
	t.Setenv("PULUMI_HOME", "")
	u, err := user.LookupId(strconv.Itoa(os.Getuid()))
	if err != nil || u.HomeDir == "" {
		t.Skip("this system knows no home of the user")
	}
	if got, err := PluginHome(); err != nil || got != filepath.Join(u.HomeDir, ".pulumi") {
		t.Errorf("plugins are in %s, %v", got, err)
	}
	if got, err := cacheDir(); err != nil || got != filepath.Join(u.HomeDir, ".cache") {
		t.Errorf("the cache is %s, %v", got, err)
	}
}

// The workspace of a run has its stack's file beside Pulumi.yaml, wherever the project keeps it.
func TestTheWorkspaceHasNoFolderOfStacks(t *testing.T) {
	const rest = "name: shop\nruntime: go\n"
	for _, project := range []string{rest + "stackConfigDir: stacks\n", rest + "config: stacks\n"} {
		got, err := withoutStackDir([]byte(project))
		if err != nil || string(got) != rest {
			t.Errorf("%q became %q, %v", project, got, err)
		}
	}
	const kept = rest + "config: {shop:web: {type: object}} # as it is\n"
	if got, err := withoutStackDir([]byte(kept)); err != nil || string(got) != kept {
		t.Errorf("%q became %q, %v", kept, got, err)
	}
}
