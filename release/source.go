package release

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// A Source is the tree that a release is built from.
type Source struct {
	Commit     string   // of git; "": not known
	Dirty      bool     // files differ from the commit, or are not in it
	Migrations []string // sorted: "feed/0001_first"
	Note       string   // why there is no commit
}

// gitPatience is how long git may take to read the tree.
const gitPatience = 20 * time.Second

// ReadSource reads the project in root, whose app is in its folder app. Without git, or outside of a repository, the source
// has no commit, and its Note says why.
func ReadSource(ctx context.Context, root, app string) (Source, error) {
	s := Source{}
	var err error
	if s.Migrations, err = migrations(filepath.Join(root, app)); err != nil {
		return s, fmt.Errorf("the migrations of %s cannot be listed: %w", app, err)
	}
	ctx, cancel := context.WithTimeout(ctx, gitPatience)
	defer cancel()
	git := func(args ...string) (string, error) {
		cmd := exec.CommandContext(ctx, "git", args...)
		cmd.Dir, cmd.Env, cmd.WaitDelay = root, append(os.Environ(), "LC_ALL=C", "GIT_OPTIONAL_LOCKS=0"), time.Second
		var words bytes.Buffer
		cmd.Stderr = &words
		out, err := cmd.Output()
		if err != nil && words.Len() > 0 {
			err = errors.New(strings.TrimSpace(words.String()))
		}
		return strings.TrimSpace(string(out)), err
	}
	commit, err := git("rev-parse", "--verify", "HEAD")
	if err == nil {
		var changed string
		changed, err = git("status", "--porcelain", "--", ".")
		s.Commit, s.Dirty = commit, changed != ""
	}
	switch {
	case err == nil:
	case errors.Is(err, exec.ErrNotFound):
		s.Note = "git is not installed"
	default:
		first, _, _ := strings.Cut(err.Error(), "\n")
		s.Note = "git says: " + first
	}
	if s.Note != "" {
		s.Commit, s.Dirty = "", false
	}
	return s, nil
}

var migrationForm = regexp.MustCompile(`^[0-9]{4}_\w+\.py$`)

// migrations are the names of Django's migrations below dir, as app/name. Installed packages are not looked into.
func migrations(dir string) ([]string, error) {
	found := []string{}
	root, err := filepath.EvalSymlinks(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return found, nil
	}
	if err != nil {
		return nil, err
	}
	err = filepath.WalkDir(root, func(at string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() {
			_, env := os.Stat(filepath.Join(at, "pyvenv.cfg"))
			if at != root && (strings.HasPrefix(name, ".") || name == "node_modules" || name == "site-packages" || env == nil) {
				return filepath.SkipDir
			}
			return nil
		}
		folder := filepath.Dir(at)
		if migrationForm.MatchString(name) && filepath.Base(folder) == "migrations" {
			found = append(found, path.Join(filepath.Base(filepath.Dir(folder)), strings.TrimSuffix(name, ".py")))
		}
		return nil
	})
	slices.Sort(found)
	return slices.Compact(found), err
}
