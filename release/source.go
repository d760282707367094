package release

import (
	"context"
	"errors"
	"os/exec"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"slipway/internal/image"
)

// A Source is the tree that a release is built from.
type Source struct {
	Commit     string            // of git; "": not known
	Dirty      bool              // the tree is not what the commit has
	Differs    string            // a file that makes it so, and how
	Migrations []string          // sorted: "feed/0001_first"
	Packages   map[string]string // versions of installed packages, by name, as far as lock files say
	Note       string            // why there is no commit
}

// gitPatience is how long git may take to read the tree.
const gitPatience = 20 * time.Second

// ReadSource looks at the project in root, whose images are built from the contexts, Django's first. Without git, or outside of a
// repository, the source has no commit, and says so. It is clean only if each file of the contexts is what the commit has, and git
// knows no change in the project.
func ReadSource(ctx context.Context, root string, contexts ...*image.Context) (Source, error) {
	s := Source{Migrations: []string{}}
	if len(contexts) == 0 {
		s.Note = "its images are those that the configuration names"
		return s, nil
	}
	s.Migrations = migrations(contexts[0])
	var err error
	if s.Packages, err = packages(contexts[0]); err != nil {
		return s, err
	}
	ctx, cancel := context.WithTimeout(ctx, gitPatience)
	defer cancel()
	g := git{ctx: ctx, dir: root}
	if s.Commit, err = g.line("rev-parse", "--verify", "HEAD"); err == nil {
		s.Differs, err = g.differs(s.Commit, contexts)
		s.Dirty = s.Differs != ""
	}
	switch {
	case err == nil:
		return s, nil
	case errors.Is(err, exec.ErrNotFound):
		s.Note = "git is not installed"
	default:
		first, _, _ := strings.Cut(err.Error(), "\n")
		s.Note = "git says: " + first
	}
	s.Commit, s.Dirty, s.Differs = "", false, ""
	return s, nil
}

var migrationForm = regexp.MustCompile(`^[0-9]{4}_\w+\.py$`)

// migrations are the names of Django's migrations in the image, as app/name. Those of installed packages are not among them.
func migrations(c *image.Context) []string {
	found := []string{}
	for _, f := range c.Files {
		dir, name := path.Split(f.Name)
		dir = path.Clean(dir)
		if migrationForm.MatchString(name) && path.Base(dir) == "migrations" && !foreign(dir) {
			found = append(found, path.Join(path.Base(path.Dir(dir)), strings.TrimSuffix(name, ".py")))
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}
