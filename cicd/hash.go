package cicd

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

// A build is everything in this repository that determines the content of an image.
type build struct {
	context    string // folder
	dockerfile string // from the context
	platform   string // linux/arm64
	args       map[string]string
}

// tag returns the image's tag: 80 bits of a hash over the files that Docker would send, the Dockerfile, the arguments and
// the platform. The same tree has the same tag on every machine, so nothing is built twice. Of a file's mode only the
// executable bit counts, as in Git: the others depend on the umask of the checkout.
//
// Not included: what the Dockerfile downloads (a base image by tag, packages without a hash).
func (b build) tag() (string, error) {
	files, err := b.files()
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	// Each string is written with its length, so that no two lists of strings have the same bytes.
	write := func(values ...string) {
		for _, v := range values {
			fmt.Fprintf(sum, "%d:%s", len(v), v)
		}
	}
	write("platform", b.platform)
	for _, name := range slices.Sorted(maps.Keys(b.args)) {
		write("arg", name, b.args[name])
	}
	write("dockerfile", b.dockerfile)
	for _, f := range files {
		content, err := f.digest()
		if err != nil {
			return "", err
		}
		write(f.kind, f.name, content)
	}
	return hex.EncodeToString(sum.Sum(nil))[:20], nil
}

// A file of a build context.
type file struct {
	kind string // "file", "program" (executable) or "link"
	name string // from the context, with slashes
	path string
}

func (f file) digest() (string, error) {
	if f.kind == "link" {
		return os.Readlink(f.path)
	}
	in, err := os.Open(f.path)
	if err != nil {
		return "", err
	}
	defer in.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, in); err != nil {
		return "", err
	}
	return string(sum.Sum(nil)), nil
}

// files lists what Docker would send, sorted by name: everything that .dockerignore does not exclude, and the Dockerfile
// in any case. It omits empty folders, which Git does not store, and sockets and devices, which Docker does not send.
func (b build) files() ([]file, error) {
	ignored, err := b.ignored()
	if err != nil {
		return nil, err
	}
	var files []file
	root, err := filepath.EvalSymlinks(b.context)
	if err != nil {
		return nil, err
	}
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		local, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(local)
		skip, err := ignored.MatchesOrParentMatches(name)
		if err != nil {
			return err
		}
		if entry.IsDir() {
			// A later pattern may include a file again ("!keep/this"), or the folder may hold the Dockerfile.
			if skip && !ignored.Exclusions() && !strings.HasPrefix(b.dockerfile, name+"/") {
				return filepath.SkipDir
			}
			return nil
		}
		if skip && name != b.dockerfile {
			return nil
		}
		switch mode := entry.Type(); {
		case mode&fs.ModeSymlink != 0:
			files = append(files, file{"link", name, path})
		case mode.IsRegular():
			info, err := entry.Info()
			if err != nil {
				return err
			}
			kind := "file"
			if info.Mode()&0o100 != 0 {
				kind = "program"
			}
			files = append(files, file{kind, name, path})
		}
		return nil
	})
	slices.SortFunc(files, func(a, b file) int { return strings.Compare(a.name, b.name) })
	return files, err
}

// ignored reads the ignore patterns. DOCKERFILE.dockerignore takes precedence over .dockerignore.
func (b build) ignored() (*patternmatcher.PatternMatcher, error) {
	for _, name := range []string{b.dockerfile + ".dockerignore", ".dockerignore"} {
		text, err := os.Open(filepath.Join(b.context, filepath.FromSlash(name)))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		defer text.Close()
		patterns, err := ignorefile.ReadAll(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		matcher, err := patternmatcher.New(patterns)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return matcher, nil
	}
	return patternmatcher.New(nil)
}
