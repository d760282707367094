package adapter

import (
	"compress/gzip"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"slipway/helper"
)

// The helper's program, from the top of the module.
const helperPackage = "./helper/program"

// versions are the lines of go.mod that the helper's binary depends on besides its sources. A test keeps them.
//
//go:embed versions.txt
var versions string

// helperSum stands for the helper's content in the tags of images. It is made of its sources, so a rehearsal that builds no image
// needs no binary.
var helperSum = sync.OnceValue(func() string { return sumOf(helper.Sources) })

func sumOf(sources fs.FS) string {
	var names []string
	_ = fs.WalkDir(sources, "program", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") {
			names = append(names, name)
		}
		return err
	})
	slices.Sort(names)
	sum := sha256.New()
	for _, name := range names {
		data, err := fs.ReadFile(sources, name)
		fmt.Fprintf(sum, "%d:%s%d:%s%v", len(name), name, len(data), data, err)
	}
	fmt.Fprintf(sum, "%d:%s", len(versions), versions)
	return hex.EncodeToString(sum.Sum(nil))
}

// Helper is the path of the helper's binary for a platform (linux/arm64). A released slipway carries it. One that was built in a
// clone compiles it once, and keeps it in the user's cache under the hash of its sources.
func Helper(platform string) (string, error) {
	system, architecture, _ := strings.Cut(platform, "/")
	if system != "linux" || architecture != "arm64" && architecture != "amd64" {
		return "", fmt.Errorf("there is no helper for %q: it is made for linux/arm64 and linux/amd64", platform)
	}
	cache, err := os.UserCacheDir()
	if err == nil {
		cache, err = helperIn(filepath.Join(cache, "slipway", "helper"), architecture)
	}
	if err != nil {
		return "", fmt.Errorf("the images need Slipway's helper: %w", err)
	}
	return cache, nil
}

var helperOnce sync.Mutex

func helperIn(cache, architecture string) (string, error) {
	helperOnce.Lock()
	defer helperOnce.Unlock()
	at := filepath.Join(cache, helperSum()[:20]+"-"+architecture)
	if _, err := os.Stat(at); err == nil {
		return at, nil
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	temporary, err := os.MkdirTemp(cache, ".new-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(temporary)
	made := filepath.Join(temporary, "helper")
	if bundled, missing := binaries.Open("bin/helper-linux-" + architecture + ".gz"); missing == nil {
		err = unpack(made, bundled)
	} else {
		err = compile(made, architecture)
	}
	if err != nil {
		return "", err
	}
	return at, os.Rename(made, at) // another run may have made it, of the same sources
}

// unpack writes the helper that this program carries.
func unpack(to string, bundled fs.File) error {
	defer bundled.Close()
	plain, err := gzip.NewReader(bundled)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, plain)
	return errors.Join(err, file.Close())
}

// compile builds the helper from the clone that this program was built in.
func compile(to, architecture string) error {
	module, err := clone()
	if err != nil {
		return err
	}
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", to, helperPackage)
	cmd.Dir = module
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+architecture, "CGO_ENABLED=0", "GOFLAGS=-mod=readonly", "GOWORK=off")
	out, err := cmd.CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		return errors.New("this slipway does not carry it, and Go, which would compile it, is not installed. " +
			"Install Go, or use a released slipway")
	}
	if err != nil {
		return fmt.Errorf("it does not compile: %w\n%s", err, strings.TrimSpace(string(out)))
	}
	return nil
}

// clone finds the sources of this module: where the compiler found them, or above the working directory.
func clone() (string, error) {
	var tried []string
	if _, file, _, ok := runtime.Caller(0); ok && filepath.IsAbs(file) {
		tried = append(tried, filepath.Dir(filepath.Dir(file)))
	}
	if at, err := os.Getwd(); err == nil {
		for ; at != filepath.Dir(at); at = filepath.Dir(at) {
			tried = append(tried, at)
		}
	}
	for _, module := range tried {
		sources := filepath.Join(module, "helper")
		if _, err := os.Stat(filepath.Join(sources, "program")); err == nil && sumOf(os.DirFS(sources)) == helperSum() {
			return module, nil
		}
	}
	return "", errors.New("this slipway does not carry it, and the sources that slipway was built from have changed or are gone. " +
		"Build slipway again, or use a released one")
}
