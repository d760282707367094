package engine

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/blang/semver"
	"github.com/gofrs/flock"
	"github.com/google/renameio/v2"
	"github.com/pulumi/pulumi/sdk/v3"
	"golang.org/x/mod/modfile"
)

const (
	downloads       = "https://get.pulumi.com/releases/sdk/"
	downloadTimeout = 5 * time.Minute
	connectTimeout  = 10 * time.Second
	largestDownload = 1 << 30 // bytes; the archive of a release is about 250 MB
)

// A finder looks for a Pulumi CLI in four places, nearest first.
type finder struct {
	version  semver.Version // the version that is cached, downloaded and built; also the oldest that is accepted
	cache    string         // directory of cached versions
	homeless error          // why there is no such directory: only the CLI on PATH can be used
	site     string         // URL below which the official archives are
	module   func() (string, error)
	say      func(format string, args ...any)
}

// FindCLI returns the Pulumi CLI. It is, in this order: the one on PATH if it is at least as new as the SDK that this
// program is built with; the one in the user's cache directory (slipway/pulumi/<version>); the official download,
// checked against its published checksum; or one built from the pinned module in tools/pulumi. The last two fill the
// cache and take minutes, so they are announced through say. Two processes that need a CLI make it once.
func FindCLI(ctx context.Context, say func(format string, args ...any)) (*CLI, error) {
	cache, err := cacheDir()
	if err == nil {
		cache = filepath.Join(cache, "slipway", "pulumi")
	}
	f := finder{
		version:  sdk.Version,
		cache:    cache,
		homeless: err,
		site:     downloads,
		module:   pinnedModule,
		say:      say,
	}
	return f.find(ctx)
}

func (f finder) find(ctx context.Context) (*CLI, error) {
	if path, err := exec.LookPath(executable("pulumi")); err == nil {
		if cli, err := newCLI(ctx, path); err == nil && f.recent(cli.version) {
			return cli, nil
		}
	}
	if f.homeless != nil {
		return nil, fmt.Errorf("engine: no Pulumi CLI of version %s or newer is on PATH, and there is no place to keep one: %w; set HOME, "+
			"or install it",
			f.version, f.homeless)
	}
	dir := filepath.Join(f.cache, "v"+f.version.String())
	cached := filepath.Join(dir, executable("pulumi"))
	if cli := f.cached(cached); cli != nil {
		return cli, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	lock := flock.New(filepath.Join(dir, "lock"))
	if held, err := lock.TryLock(); err != nil {
		return nil, fmt.Errorf("engine: %s: %w", lock.Path(), err)
	} else if !held {
		f.say("another process is getting the Pulumi CLI; waiting for it")
		if _, err := lock.TryLockContext(ctx, 200*time.Millisecond); err != nil {
			return nil, fmt.Errorf("engine: waiting for the Pulumi CLI: %w", err)
		}
	}
	defer lock.Unlock()
	if cli := f.cached(cached); cli != nil { // the other process has made it
		return cli, nil
	}

	downloadErr := f.download(ctx, cached)
	if downloadErr == nil {
		return newCLI(ctx, cached)
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	f.say("the Pulumi CLI cannot be downloaded (%v)", downloadErr)
	if err := f.build(ctx, cached); err != nil {
		return nil, fmt.Errorf("engine: no Pulumi CLI: none of version %s or newer on PATH, none in %s, "+
			"the download failed (%v), and the build failed: %w", f.version, dir, downloadErr, err)
	}
	return newCLI(ctx, cached)
}

// cached is the CLI at path, or nil. Running it to get its version would take half a second; the name of its directory has it.
func (f finder) cached(path string) *CLI {
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return nil
	}
	return &CLI{path: path, version: f.version}
}

// recent reports whether a CLI of version v can be driven by this program's SDK.
func (f finder) recent(v semver.Version) bool {
	return v.Major == f.version.Major && v.GTE(f.version)
}

// download puts the official binary at path. Only the engine itself is unpacked: an inline program needs no language
// plugin.
func (f finder) download(ctx context.Context, path string) error {
	ctx, cancel := context.WithTimeout(ctx, downloadTimeout)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: connectTimeout}).DialContext,
		TLSHandshakeTimeout:   connectTimeout,
		ResponseHeaderTimeout: connectTimeout,
	}}
	arch := map[string]string{"amd64": "x64"}[runtime.GOARCH]
	if arch == "" {
		arch = runtime.GOARCH
	}
	archive := fmt.Sprintf("pulumi-v%s-%s-%s.tar.gz", f.version, runtime.GOOS, arch)

	sums, err := fetch(ctx, client, fmt.Sprintf("%spulumi-%s-checksums.txt", f.site, f.version))
	if err != nil {
		return err
	}
	want, err := checksum(sums, archive)
	if err != nil {
		return err
	}
	f.say("downloading %s", f.site+archive)
	body, err := fetch(ctx, client, f.site+archive)
	if err != nil {
		return err
	}
	if got := sha256.Sum256(body); hex.EncodeToString(got[:]) != want {
		return fmt.Errorf("%s has checksum %x, its publisher says %s", archive, got, want)
	}
	return unpack(body, path)
}

func fetch(ctx context.Context, client *http.Client, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", url, resp.Status)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, largestDownload))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", url, err)
	}
	return body, nil
}

// checksum finds the line "<sha256>  <file>" of the named file.
func checksum(sums []byte, file string) (string, error) {
	lines := bufio.NewScanner(bytes.NewReader(sums))
	for lines.Scan() {
		if fields := strings.Fields(lines.Text()); len(fields) == 2 && strings.TrimPrefix(fields[1], "*") == file {
			return strings.ToLower(fields[0]), nil
		}
	}
	return "", fmt.Errorf("the list of checksums has none for %s", file)
}

// unpack writes the file pulumi/pulumi of a gzipped tar archive to path, all of it or nothing.
func unpack(archive []byte, path string) error {
	unzipped, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		return err
	}
	for files := tar.NewReader(unzipped); ; {
		file, err := files.Next()
		if errors.Is(err, io.EOF) {
			return errors.New("the archive has no pulumi in it")
		}
		if err != nil {
			return err
		}
		if file.Typeflag != tar.TypeReg || filepath.Base(file.Name) != executable("pulumi") {
			continue
		}
		out, err := renameio.NewPendingFile(path, renameio.WithStaticPermissions(0o755))
		if err != nil {
			return err
		}
		defer out.Cleanup()
		if _, err := io.Copy(out, io.LimitReader(files, largestDownload)); err != nil {
			return err
		}
		return out.CloseAtomicallyReplace()
	}
}

// build compiles the pinned module and puts the binary at path.
func (f finder) build(ctx context.Context, path string) error {
	module, err := f.module()
	if err != nil {
		return err
	}
	const engine = "github.com/pulumi/pulumi/pkg/v3"
	pinned, err := requirement(filepath.Join(module, "go.mod"), engine)
	if err != nil {
		return err
	}
	f.say("building the Pulumi CLI %s from %s, once: about four minutes on two cores", pinned, module)
	part := path + ".part"
	defer os.Remove(part)
	cmd := exec.CommandContext(ctx, "go", "build", "-C", module, "-o", part, "-trimpath",
		"-ldflags=-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version="+pinned, engine+"/cmd/pulumi")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=readonly", "GOWORK=off")
	var words bytes.Buffer
	cmd.Stdout, cmd.Stderr = &words, &words
	started := time.Now()
	ticker := time.NewTicker(30 * time.Second)
	defer ticker.Stop()
	done := make(chan error, 1)
	go func() { done <- cmd.Run() }()
	for {
		select {
		case <-ticker.C:
			f.say("still building the Pulumi CLI: %s", time.Since(started).Round(time.Second))
		case err := <-done:
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				return fmt.Errorf("%w\n%s", err, tail(words.String(), 20))
			}
			f.say("built the Pulumi CLI in %s", time.Since(started).Round(time.Second))
			return os.Rename(part, path)
		}
	}
}

// pinnedModule is the directory tools/pulumi of the clone that the process works in. A module of its own cannot be
// embedded in this one, so it is looked for from the working directory upwards, where go.mod is.
func pinnedModule() (string, error) {
	here, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := here; ; dir = filepath.Dir(dir) {
		module := filepath.Join(dir, "tools", "pulumi")
		if _, err := os.Stat(filepath.Join(module, "go.mod")); err == nil {
			return module, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("its source, the module tools/pulumi of a clone of slipway, is not above %s; install the Pulumi CLI: "+
				"https://www.pulumi.com/docs/install", here)
		}
	}
}

// requirement is the version of a module that a go.mod file asks for.
func requirement(file, module string) (string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	parsed, err := modfile.Parse(file, data, nil)
	if err != nil {
		return "", err
	}
	for _, r := range parsed.Require {
		if r.Mod.Path == module {
			return r.Mod.Version, nil
		}
	}
	return "", fmt.Errorf("%s does not require %s", file, module)
}

func executable(name string) string {
	if runtime.GOOS == "windows" {
		return name + ".exe"
	}
	return name
}

// tail is the last n lines of text.
func tail(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
