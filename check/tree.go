package check

import (
	"bytes"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

const (
	maxFiles = 60_000
	maxText  = 1 << 20 // a larger file is data
	maxDepth = 40
)

// A tree is the files of the project, without what tools keep beside it.
type tree struct {
	root      string
	files     []string // sorted, with slashes
	has       map[string]bool
	folders   map[string]bool
	texts     map[string]string
	byName    map[string][]string
	truncated bool
}

// foreign are folders that are not the project's own code.
var foreign = map[string]bool{
	".git": true, ".hg": true, ".svn": true, "node_modules": true, "bower_components": true, ".venv": true, "venv": true, "virtualenv": true,
	"__pycache__": true, ".tox": true, ".nox": true, ".mypy_cache": true, ".pytest_cache": true, ".ruff_cache": true,
	"site-packages": true, ".slipway": true, ".pulumi": true, ".terraform": true, ".idea": true, ".eggs": true,
}

// readTree lists the files. What cannot be read is left out: the build says so, if it is part of it.
func readTree(root string) *tree {
	t := &tree{root: root, has: map[string]bool{}, folders: map[string]bool{".": true}, texts: map[string]string{}}
	_ = filepath.WalkDir(root, func(at string, d fs.DirEntry, err error) error {
		if err != nil || at == root {
			if d != nil && d.IsDir() && err != nil && at != root {
				return filepath.SkipDir
			}
			return nil
		}
		rel, _ := filepath.Rel(root, at)
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			if foreign[d.Name()] || strings.Count(rel, "/") > maxDepth {
				return filepath.SkipDir
			}
			t.folders[rel] = true
			return nil
		}
		if len(t.files) >= maxFiles {
			t.truncated = true
			return filepath.SkipAll
		}
		if d.Type()&fs.ModeSymlink != 0 {
			info, err := os.Stat(at)
			if err != nil || !t.inside(at) {
				return nil
			}
			if info.IsDir() {
				t.folders[rel] = true
				return nil
			}
			if !info.Mode().IsRegular() {
				return nil
			}
		} else if !d.Type().IsRegular() {
			return nil
		}
		t.files = append(t.files, rel)
		t.has[rel] = true
		return nil
	})
	slices.Sort(t.files)
	t.byName = map[string][]string{}
	for _, f := range t.where(func(string) bool { return true }) {
		t.byName[path.Base(f)] = append(t.byName[path.Base(f)], f)
	}
	return t
}

// inside reports whether a link leads to something in the folder.
func (t *tree) inside(at string) bool {
	real, err := filepath.EvalSymlinks(at)
	return err == nil && (real == t.root || strings.HasPrefix(real, t.root+string(filepath.Separator)))
}

// text is the content of a file; "" if it cannot be read, is binary or too large.
func (t *tree) text(name string) string {
	if !t.has[name] {
		return ""
	}
	if text, read := t.texts[name]; read {
		return text
	}
	t.texts[name] = ""
	f, err := os.Open(filepath.Join(t.root, filepath.FromSlash(name)))
	if err != nil {
		return ""
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxText+1))
	if data = decoded(data); err != nil || len(data) > maxText || bytes.IndexByte(data, 0) >= 0 {
		return ""
	}
	t.texts[name] = strings.ReplaceAll(string(data), "\r\n", "\n")
	return t.texts[name]
}

// decoded is a file in UTF-8 without a byte order mark, whatever its mark says. PowerShell's > writes UTF-16.
func decoded(data []byte) []byte {
	text, _, err := transform.Bytes(unicode.BOMOverride(transform.Nop), data)
	if err != nil {
		return data
	}
	return text
}

// named are the files with a name, the one nearest to the root first.
func (t *tree) named(name string) []string { return slices.Clone(t.byName[name]) }

// where are the files that are wanted, those nearest to the root first.
func (t *tree) where(wanted func(file string) bool) []string {
	var found []string
	for _, f := range t.files {
		if wanted(f) {
			found = append(found, f)
		}
	}
	slices.SortStableFunc(found, func(a, b string) int { return strings.Count(a, "/") - strings.Count(b, "/") })
	return found
}

// besides are folders whose files are not what runs.
var besides = regexp.MustCompile(`(?i)(^|/)(tests?|testing|unittests?|docs?|examples?|samples?|fixtures|e2e|\.devcontainer|` +
	`\.github|locale)(/|$)`)

// beside reports whether a file belongs to tests, documentation or examples.
func beside(file string) bool { return besides.MatchString(path.Dir(file) + "/") }

// line is the first line of a file that matches, 0 if none does.
func (t *tree) line(file string, wanted *regexp.Regexp) int {
	at := wanted.FindStringIndex(t.text(file))
	if at == nil {
		return 0
	}
	return lineAt(t.text(file), at[0])
}

// lineAt is the line of a position in a text.
func lineAt(text string, offset int) int { return 1 + strings.Count(text[:offset], "\n") }

// An ignore is the .dockerignore of a build.
type ignore struct {
	file    string // "" if there is none
	matcher *patternmatcher.PatternMatcher
	context string
}

// readIgnore reads what a build does not send to the builder. A file beside the Dockerfile takes precedence (Docker's documentation,
// "Build context", filename and location of .dockerignore).
func readIgnore(t *tree, context, dockerfile string, own ...string) *ignore {
	i := &ignore{context: context}
	if len(own) > 0 {
		i.matcher, _ = patternmatcher.New(own)
	}
	for _, name := range []string{dockerfile + ".dockerignore", path.Join(context, ".dockerignore")} {
		if !t.has[name] {
			continue
		}
		patterns, err := ignorefile.ReadAll(strings.NewReader(t.text(name)))
		if err != nil {
			continue
		}
		if matcher, err := patternmatcher.New(slices.Concat(own, patterns)); err == nil {
			i.file, i.matcher = name, matcher
		}
		return i
	}
	return i
}

// ignores reports whether a file of the project is not sent. Its name is from the project's folder.
func (i *ignore) ignores(file string) bool {
	rel, in := under(i.context, file)
	if !in {
		return true
	}
	if i.matcher == nil {
		return false
	}
	ignored, err := i.matcher.MatchesOrParentMatches(rel)
	return err == nil && ignored
}

// under is the name of a file from a folder, if it is in it.
func under(folder, file string) (string, bool) {
	if folder == "." || folder == "" {
		return file, true
	}
	if file == folder {
		return ".", true
	}
	return strings.CutPrefix(file, folder+"/")
}

// A place is where something stands in the project.
type place struct {
	file string
	line int
}
