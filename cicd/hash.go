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

// A build is everything that decides what an image contains, as far as this repository knows.
type build struct {
	context    string // folder
	dockerfile string // from the context
	platform   string // linux/arm64
	args       map[string]string
}

// tag names what the build would make: 80 bits of a hash over the files that Docker would send, the Dockerfile, the
// arguments and the platform. The same tree has the same tag on every machine, so nothing is built twice. Of a file's
// mode only the executable bit counts, as in Git: the others differ with the umask of whoever checked out.
//
// What the Dockerfile fetches from elsewhere (a base image by tag, packages without a hash) is not seen here.
func (b build) tag() (string, error) {
	files, err := b.files()
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	// Each text is written with its length, so that no two lists of texts look the same.
	say := func(texts ...string) {
		for _, t := range texts {
			fmt.Fprintf(sum, "%d:%s", len(t), t)
		}
	}
	say("platform", b.platform)
	for _, name := range slices.Sorted(maps.Keys(b.args)) {
		say("arg", name, b.args[name])
	}
	say("dockerfile", b.dockerfile)
	for _, f := range files {
		content, err := f.digest()
		if err != nil {
			return "", err
		}
		say(f.kind, f.name, content)
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

// files lists what Docker would send, sorted by name: what .dockerignore leaves, and the Dockerfile in any case. Empty
// folders are left out, since Git does not keep them; so are sockets and devices, which Docker does not send.
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
			// A later pattern may take a file back ("!keep/this"), and so may the Dockerfile.
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

// ignored reads the patterns of files that are not sent. A file named after the Dockerfile comes before the common one.
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
