package image

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

const ignoreFile = ".dockerignore"

// Patterns around those of the user. The last match counts, so the user can include again what is omitted, and not what never
// enters a context.
var (
	omitted = []string{"**/.git"}
	never   = []string{"**/" + Own, "**/.pulumi", "**/Pulumi.*.yaml", "**/slipway.secrets.env"}
)

// ignoreFiles are the names of the ignore files, the one that counts first.
func (b Build) ignoreFiles() []string {
	if b.Dockerfile == "" {
		return []string{ignoreFile}
	}
	return []string{b.Dockerfile + ignoreFile, ignoreFile}
}

// ignored reads the ignore patterns. DOCKERFILE.dockerignore takes precedence over .dockerignore.
// A pattern with "!" in .dockerignore includes what only Slipway's own patterns exclude.
func (b Build) ignored() (*patternmatcher.PatternMatcher, error) {
	patterns, from := []string(nil), ignoreFile
	for _, name := range b.ignoreFiles() {
		text, err := os.Open(filepath.Join(b.folder(), filepath.FromSlash(name)))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			defer text.Close()
			patterns, err = ignorefile.ReadAll(text)
		}
		if err != nil {
			return nil, b.unreadable(name, err)
		}
		from = name
		break
	}
	own := omitted
	if b.Dockerfile == "" {
		own = slices.Concat(omitted, environments)
	}
	matcher, err := patternmatcher.New(slices.Concat(own, patterns, never, b.ignoreFiles()))
	if err == nil {
		_, _, err = matcher.MatchesUsingParentResults("any", patternmatcher.MatchInfo{}) // compiles the patterns
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", b.in(from), err)
	}
	return matcher, nil
}

// environments are files with the variables of a laptop, secrets among them. A generated Dockerfile copies the whole context, and the
// project has no Dockerfile that would ask for them.
var environments = []string{"**/.env", "**/.env.*"}

// includes reports whether a pattern with "!" may include something below an ignored folder.
func (w *walk) includes(folder string) bool {
	may, _ := w.again(folder)
	return may
}

// names reports whether a pattern with "!" names, without wildcards, something below an ignored folder.
func (w *walk) names(folder string) bool {
	_, named := w.again(folder)
	return named
}

func (w *walk) again(folder string) (may, named bool) {
	at := strings.Split(folder, "/")
	for _, p := range w.ignored.Patterns() {
		if !p.Exclusion() {
			continue
		}
		parts := strings.Split(filepath.ToSlash(p.String()), "/")
		if i := slices.IndexFunc(parts, func(part string) bool { return strings.ContainsAny(part, `*?[\`) }); i >= 0 {
			parts = parts[:i]
		}
		if n := min(len(parts), len(at)); slices.Equal(parts[:n], at[:n]) {
			may, named = true, named || len(parts) > len(at)
		}
	}
	return may, named
}
