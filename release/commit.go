package release

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"slipway/internal/image"
)

// git runs git in a folder.
type git struct {
	ctx context.Context
	dir string
}

// foreignEnv are variables that would lead git elsewhere: a hook of another repository has them, and so has `git rebase --exec`
// (git rev-parse --local-env-vars, without those that only carry configuration).
var foreignEnv = []string{
	"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_COMMON_DIR",
	"GIT_NAMESPACE",
	"GIT_PREFIX", "GIT_IMPLICIT_WORK_TREE", "GIT_GRAFT_FILE", "GIT_SHALLOW_FILE", "GIT_REPLACE_REF_BASE", "GIT_INTERNAL_SUPER_PREFIX",
	"GIT_LITERAL_PATHSPECS", "GIT_GLOB_PATHSPECS", "GIT_NOGLOB_PATHSPECS", "GIT_ICASE_PATHSPECS",
}

func (g git) run(env []string, input string, args ...string) (string, error) {
	cmd := exec.CommandContext(g.ctx, "git", append([]string{"-c", "core.fsmonitor=false"}, args...)...)
	cmd.Dir, cmd.WaitDelay, cmd.Stdin = g.dir, time.Second, strings.NewReader(input)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return slices.Contains(foreignEnv, name)
	})
	cmd.Env = append(append(cmd.Env, "LC_ALL=C", "GIT_OPTIONAL_LOCKS=0", "GIT_TERMINAL_PROMPT=0"), env...)
	var words bytes.Buffer
	cmd.Stderr = &words
	out, err := cmd.Output()
	if err != nil && words.Len() > 0 {
		err = errors.New(strings.TrimSpace(words.String()))
	}
	return string(out), err
}

func (g git) line(args ...string) (string, error) {
	out, err := g.run(nil, "", args...)
	return strings.TrimSuffix(out, "\n"), err
}

// list is output of which each item ends with a NUL.
func (g git) list(args ...string) ([]string, error) {
	out, err := g.run(nil, "", args...)
	return strings.FieldsFunc(out, func(r rune) bool { return r == 0 }), err
}

// A committed file is one of a commit.
type committed struct {
	mode, oid string
	from      *checkout
	path      string // from the top of from
}

// A checkout is a repository, or a submodule in one, at the commit that is compared with.
type checkout struct {
	git
	commit string
	prefix string // of a submodule, from the top of the outermost repository
}

// differs names a file of the project that is not what the commit has, and says how; "": there is none. Git is asked about the
// project. The build contexts are compared byte by byte, because git does not see everything that is in them: a file that it
// ignores, one that is marked assume-unchanged or skip-worktree, one outside of the project that a symlink leads to, or anything
// new if status.showUntrackedFiles is no.
func (g git) differs(commit string, contexts []*image.Context) (string, error) {
	top, err := g.line("rev-parse", "--show-toplevel")
	if err != nil {
		return "", err
	}
	if top, err = filepath.EvalSymlinks(top); err != nil {
		return "", err
	}
	whole := &checkout{git: git{g.ctx, top}, commit: commit}
	tree := map[string]committed{}
	if err := whole.list(tree); err != nil {
		return "", err
	}
	c := comparison{top: top, commit: commit, tree: tree, seen: map[string]bool{}, doubtful: map[*checkout][]doubt{}}
	for _, one := range contexts {
		if why, err := c.context(one); why != "" || err != nil {
			return why, err
		}
	}
	if why, err := c.marked(g); why != "" || err != nil {
		return why, err
	}
	if why, err := c.settle(); why != "" || err != nil {
		return why, err
	}
	changed, err := g.list("status", "--porcelain", "-z", "--untracked-files=normal", "--ignore-submodules=none",
		"--", ".", ":(exclude).slipway")
	if err != nil || len(changed) == 0 {
		return "", err
	}
	return fmt.Sprintf("%s differs from commit %s", changed[0][min(3, len(changed[0])):], short(commit)), nil
}

// list lists the files of the commit, with those of its submodules. A submodule that is not checked out is listed itself.
func (c *checkout) list(tree map[string]committed) error {
	lines, err := c.git.list("ls-tree", "-r", "-z", "--full-tree", c.commit)
	if err != nil {
		return err
	}
	for _, line := range lines {
		what, at, _ := strings.Cut(line, "\t")
		parts := strings.Fields(what)
		if len(parts) != 3 {
			return fmt.Errorf("git ls-tree says %q", line)
		}
		name := path.Join(c.prefix, at)
		if parts[1] == "commit" {
			sub := &checkout{git: git{c.ctx, filepath.Join(c.dir, filepath.FromSlash(at))}, commit: parts[2], prefix: name}
			top, err := sub.line("rev-parse", "--show-toplevel")
			if real, _ := filepath.EvalSymlinks(sub.dir); err == nil && top == real && sub.list(tree) == nil {
				continue
			}
		}
		tree[name] = committed{parts[0], parts[2], c, at}
	}
	return nil
}

// A comparison is of files with those of a commit.
type comparison struct {
	top, commit string
	tree        map[string]committed // by name from top
	seen        map[string]bool
	doubtful    map[*checkout][]doubt
}

// A doubt is a file that is not byte for byte what the commit has, and may still be what git makes of it in a checkout.
type doubt struct {
	name   string // from the top
	file   image.File
	sha256 string
	blob   committed
}

func (c *comparison) name(at string) string {
	name, err := filepath.Rel(c.top, at)
	if err != nil {
		return at
	}
	return filepath.ToSlash(name)
}

// context compares a build context.
func (c *comparison) context(one *image.Context) (string, error) {
	if one.Folder == "" { // it has nothing of the project
		return "", nil
	}
	folder, there := c.name(one.Folder), map[string]bool{}
	for _, f := range one.All() {
		name := c.name(f.Path)
		there[name] = true
		if why, err := c.file(name, f); why != "" || err != nil {
			return why, err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.tree)) {
		within := name
		if folder != "." {
			var ok bool
			if within, ok = strings.CutPrefix(name, folder+"/"); !ok {
				continue
			}
		}
		if !there[name] && !one.Ignored(within) {
			if c.tree[name].mode == submodule {
				return fmt.Sprintf("the submodule %s is not checked out at the commit that %s names", name, short(c.commit)), nil
			}
			return fmt.Sprintf("%s of commit %s is missing", name, short(c.commit)), nil
		}
	}
	return "", nil
}

const submodule = "160000"

var modes = map[image.Kind]string{image.Plain: "100644", image.Program: "100755", image.Link: "120000"}

func (c *comparison) file(name string, f image.File) (string, error) {
	if c.seen[name] { // in the context of the other image
		return "", nil
	}
	c.seen[name] = true
	b, ok := c.tree[name]
	if !ok {
		return fmt.Sprintf("%s is not in commit %s", name, short(c.commit)), nil
	}
	if b.mode != modes[f.Kind] {
		return fmt.Sprintf("%s has another mode than in commit %s", name, short(c.commit)), nil
	}
	oid, err := oidOf(f, len(b.oid))
	if err != nil {
		return "", err
	}
	if oid != b.oid && f.Kind == image.Link {
		return fmt.Sprintf("%s differs from commit %s", name, short(c.commit)), nil
	}
	if oid != b.oid {
		c.doubtful[b.from] = append(c.doubtful[b.from], doubt{name, f, f.SHA256(), b})
	}
	return "", nil
}

// oidOf is git's name for the content of a file: SHA-1, or SHA-256 where names have 64 digits (gitformat-loose).
func oidOf(f image.File, digits int) (string, error) {
	var content io.Reader
	var size int64
	if f.Kind == image.Link {
		target, err := os.Readlink(f.Path)
		if err != nil {
			return "", err
		}
		content, size = strings.NewReader(target), int64(len(target))
	} else {
		in, err := os.Open(f.Path)
		if err != nil {
			return "", err
		}
		defer in.Close()
		info, err := in.Stat()
		if err != nil {
			return "", err
		}
		content, size = in, info.Size()
	}
	sum := hash.Hash(sha1.New())
	if digits == hex.EncodedLen(sha256.Size) {
		sum = sha256.New()
	}
	fmt.Fprintf(sum, "blob %d\x00", size)
	_, err := io.Copy(sum, content)
	return hex.EncodeToString(sum.Sum(nil)), err
}

// marked compares the files of the project that git does not look at: git ls-files -v shows assume-unchanged in lower case, and
// skip-worktree as S. One that is not there is none: a sparse checkout leaves files out.
func (c *comparison) marked(g git) (string, error) {
	lines, err := g.list("ls-files", "-v", "-z", "--full-name", "--", ".")
	if err != nil {
		return "", err
	}
	for _, line := range lines {
		mark, name, _ := strings.Cut(line, " ")
		if mark != "S" && mark == strings.ToUpper(mark) {
			continue
		}
		at := filepath.Join(c.top, filepath.FromSlash(name))
		info, err := os.Lstat(at)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		f, err := image.Look(at, info)
		if err != nil {
			return "", err
		}
		if why, err := c.file(name, f); why != "" || err != nil {
			return why, err
		}
	}
	return "", nil
}

var pointer = regexp.MustCompile(`(?m)^oid sha256:([0-9a-f]{64})$`)

// settle compares what differs from the commit byte for byte with a checkout that depends on nothing but the commit: attributes
// such as eol=crlf count, the configuration of this clone does not. Of a file in Git LFS the pointer names the content.
func (c *comparison) settle() (string, error) {
	for from, doubts := range c.doubtful {
		folder, err := os.MkdirTemp("", "slipway-commit-")
		if err != nil {
			return "", err
		}
		defer os.RemoveAll(folder)
		index := []string{"GIT_INDEX_FILE=" + filepath.Join(folder, "index")}
		if _, err := from.run(index, "", "read-tree", from.commit); err != nil {
			return "", err
		}
		var paths strings.Builder
		for _, d := range doubts {
			paths.WriteString(d.blob.path + "\x00")
		}
		files := filepath.Join(folder, "files")
		if _, err := from.run(index, paths.String(), "-c", "core.autocrlf=false", "-c", "core.eol=lf", "-c", "filter.lfs.process=",
			"-c", "filter.lfs.smudge=", "-c", "filter.lfs.required=false", "checkout-index", "-z", "--stdin", "--prefix="+files+"/"); err != nil {
			return "", err
		}
		for _, d := range doubts {
			at := filepath.Join(files, filepath.FromSlash(d.blob.path))
			info, err := os.Lstat(at)
			if err != nil {
				return "", err
			}
			clean, err := image.Look(at, info)
			if err != nil {
				return "", err
			}
			if clean.SHA256() == d.sha256 {
				continue
			}
			if info.Size() < 1024 {
				text, err := os.ReadFile(at)
				if err != nil {
					return "", err
				}
				if m := pointer.FindSubmatch(text); m != nil && string(m[1]) == d.sha256 {
					continue
				}
			}
			return fmt.Sprintf("%s differs from commit %s", d.name, short(c.commit)), nil
		}
	}
	return "", nil
}

// short is a commit as people write it.
func short(commit string) string { return commit[:min(len(commit), 7)] }
