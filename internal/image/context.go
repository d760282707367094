package image

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/moby/patternmatcher"
)

// A Build is everything that determines the content of an image.
type Build struct {
	Root       string // the project's folder; "" is the working directory
	Context    string // the folder that Docker gets, from Root; it may be outside of Root (../app)
	Dockerfile string // from Context; it may be beside it (../deploy/Dockerfile); "": the project has none, Text stands for it
	Platform   string // linux/arm64
	Args       map[string]string

	Text   string  // what Docker reads instead of the Dockerfile; "": the Dockerfile as it is
	Target string  // the stage that is the image; "": the last one
	Added  []Added // files of the staged copy that the project does not have
	Bare   bool    // the staged copy has the added files only, and nothing of the project
}

// Builds are the builds of the two images.
type Builds struct{ Django, Nginx Build }

// An Added file is in the staged copy, below the folder Own, and not in the project.
type Added struct {
	Name    string      // from the context
	Mode    fs.FileMode // as it is in the image
	Content string
	// Sum stands for the content of a file that is made when Docker really builds: see Context.Supply.
	Sum string
}

// Own is the folder of added files in a staged copy. No file of a project is in it.
const Own = ".slipway"

// CABundle is where every image has the certificates of RDS.
const CABundle = "/etc/ssl/rds/global-bundle.pem"

// A Context is what Docker gets for a build: every file that .dockerignore does not exclude, and the Dockerfile in any case.
// The tag of the image and the staged copy are made from it, so they cannot disagree.
//
// Three things are not in it although Docker would send them:
//   - what Slipway and Pulumi write or read (.slipway, .pulumi, Pulumi.STACK.yaml, slipway.secrets.env): it changes with every run,
//     and it has secrets in it;
//   - .git, unless .dockerignore says "!.git": two clones of a commit differ there, and a workflow's checkout keeps its token
//     there. BuildKit omits it as well when it builds from a Git URL (Dockerfile reference, BUILDKIT_CONTEXT_KEEP_GIT_DIR);
//   - the ignore files, which are applied here.
//
// Empty folders are omitted, because Git does not store them, and so are sockets, pipes and devices. Of a file's mode only the
// executable bit counts, as in Git: the other bits depend on the umask of the checkout.
type Context struct {
	Files  []File // sorted by name
	Folder string // on this machine, without symlinks; "" if nothing of the project is in the context

	build   Build
	beside  *File // the Dockerfile, if no file of the folder is: it is beside it, or behind a link
	ignored *patternmatcher.PatternMatcher
}

// A File of a build context.
type File struct {
	Name string // from the context, with slashes
	Path string // on this machine
	Kind Kind

	content string // the target of a link, the SHA-256 of a file
}

// A Kind of file.
type Kind string

// The kinds of files that a build context has.
const (
	Plain   Kind = "file"
	Program Kind = "program" // executable
	Link    Kind = "link"
)

// Read reads the build context. An error names the file and what to do about it.
func (b Build) Read() (*Context, error) {
	if err := b.checkAdded(); err != nil {
		return nil, err
	}
	if b.Bare {
		ignored, err := patternmatcher.New(nil)
		return &Context{build: b, ignored: ignored}, err
	}
	if b.Dockerfile != "" {
		b.Dockerfile = path.Clean(filepath.ToSlash(b.Dockerfile))
	}
	root, err := filepath.EvalSymlinks(b.folder())
	if err == nil {
		_, err = os.ReadDir(root)
	}
	if err != nil {
		return nil, b.unreadable(".", err)
	}
	ignored, err := b.ignored()
	if err != nil {
		return nil, err
	}
	w := &walk{Build: b, root: root, ignored: ignored}
	if err := w.enter(".", patternmatcher.MatchInfo{}, false); err != nil {
		return nil, err
	}
	slices.SortFunc(w.files, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	c := &Context{Files: w.files, Folder: root, build: b, ignored: ignored}
	if b.Dockerfile != "" && !slices.ContainsFunc(c.Files, func(f File) bool { return f.Name == b.Dockerfile }) {
		at, err := filepath.EvalSymlinks(filepath.Join(b.folder(), b.Dockerfile))
		c.beside = &File{Name: b.Dockerfile, Path: at, Kind: Plain}
		if err == nil {
			err = c.beside.read()
		}
		if err != nil {
			return nil, b.unreadable(b.Dockerfile, err)
		}
	}
	return c, nil
}

// checkAdded reports a mistake of the program's: an added file that could be one of the project's, or two with one name.
func (b Build) checkAdded() error {
	if b.Text == "" && (b.Dockerfile == "" || b.Bare) {
		return errors.New("a build needs a Dockerfile")
	}
	seen := map[string]bool{ownDockerfile: true}
	for _, a := range b.Added {
		if !strings.HasPrefix(a.Name, Own+"/") || path.Clean(a.Name) != a.Name || seen[a.Name] {
			return fmt.Errorf("%s cannot be added to a build context", a.Name)
		}
		seen[a.Name] = true
	}
	return nil
}

func (b Build) folder() string { return filepath.Join(b.Root, b.Context) }

// in is the name of a file of the context, from the project.
func (b Build) in(name string) string { return path.Join(filepath.ToSlash(b.Context), name) }

// unreadable says which file cannot be read, and what to do.
func (b Build) unreadable(name string, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s does not exist", b.in(name))
	}
	var at *fs.PathError
	if errors.As(err, &at) { // without the path on this machine
		err = at.Err
	}
	remedy := ", or name it in " + b.in(ignoreFile)
	if name == "." || name == b.Dockerfile || strings.HasSuffix(name, ignoreFile) {
		remedy = ""
	}
	return fmt.Errorf("%s cannot be read: %w. Make it readable%s", b.in(name), err, remedy)
}

// refused is an error about a file that can be read and must not be in an image.
func (b Build) refused(name, why, remedy string) error {
	return fmt.Errorf("%s %s. %s, or name it in %s", quoteOdd(b.in(name)), why, remedy, b.in(ignoreFile))
}

// quoteOdd quotes a name that a terminal cannot show.
func quoteOdd(name string) string {
	if quoted := fmt.Sprintf("%q", name); quoted != `"`+name+`"` {
		return quoted
	}
	return name
}

// A walk lists the files of a context.
type walk struct {
	Build
	root    string // without symlinks
	ignored *patternmatcher.PatternMatcher
	files   []File
}

// enter reads a folder. skip says that it is ignored, so only what a later pattern includes again is of interest.
func (w *walk) enter(folder string, parent patternmatcher.MatchInfo, skip bool) error {
	entries, err := os.ReadDir(filepath.Join(w.root, folder))
	if err != nil {
		if skip && !w.names(folder) {
			return nil // ignored is ignored, also if it cannot be read (docker/cli#3043)
		}
		return w.unreadable(folder, err)
	}
	for _, entry := range entries {
		name := path.Join(folder, entry.Name())
		skip, info, err := w.ignored.MatchesUsingParentResults(name, parent)
		if err != nil {
			return fmt.Errorf("%s: %w", w.in(ignoreFile), err)
		}
		if entry.IsDir() {
			if !skip || w.includes(name) || strings.HasPrefix(w.Dockerfile, name+"/") {
				if err := w.enter(name, info, skip); err != nil {
					return err
				}
			}
			continue
		}
		if skip && name != w.Dockerfile {
			continue
		}
		if err := w.add(name, entry); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) add(name string, entry fs.DirEntry) error {
	f := File{Name: name, Path: filepath.Join(w.root, filepath.FromSlash(name)), Kind: Plain}
	info, err := entry.Info()
	if err == nil && name == w.Dockerfile { // also through a link
		info, err = os.Stat(f.Path)
	}
	if err != nil {
		return w.unreadable(name, err)
	}
	if f.Kind = kindOf(info.Mode()); f.Kind == "" {
		if name == w.Dockerfile {
			return w.refused(name, "is not a file", "Choose another Dockerfile")
		}
		return nil
	}
	if !utf8.ValidString(name) {
		return w.refused(name, "has a name that is not UTF-8, which Docker's builder rejects", "Rename it")
	}
	if err := f.read(); errors.Is(err, errPointer) {
		return w.refused(name, "is a pointer of Git LFS, not the file itself", "Run git lfs pull")
	} else if err != nil {
		return w.unreadable(name, err)
	}
	if f.Kind == Link && !path.IsAbs(f.content) && !filepath.IsLocal(path.Join(path.Dir(name), f.content)) {
		return w.refused(name, "is a link to "+quoteOdd(f.content)+", outside of the build context: "+
			"Docker would copy the link and not what it names",
			"Copy the files into the folder")
	}
	w.files = append(w.files, f)
	return nil
}

var errPointer = errors.New("a pointer of Git LFS")

// pointers are the first lines of what Git LFS commits in place of a file (git-lfs, docs/spec.md). The whole is below 1024 bytes.
var pointers = [][]byte{[]byte("version https://git-lfs.github.com/spec/v1\n"), []byte("version https://hawser.github.com/spec/v1\n")}

const pointerSize = 1024

// read reads what the file contains.
func (f *File) read() error {
	if f.Kind == Link {
		target, err := os.Readlink(f.Path)
		f.content = target
		return err
	}
	in, err := os.Open(f.Path)
	if err != nil {
		return err
	}
	defer in.Close()
	sum, first := sha256.New(), &bytes.Buffer{}
	n, err := io.Copy(sum, io.TeeReader(io.LimitReader(in, pointerSize), first))
	if err == nil {
		_, err = io.Copy(sum, in)
	}
	if err != nil {
		return err
	}
	f.content = string(sum.Sum(nil))
	if n < pointerSize {
		for _, begin := range pointers {
			if bytes.HasPrefix(first.Bytes(), begin) && bytes.Contains(first.Bytes(), []byte("\noid sha256:")) {
				return errPointer
			}
		}
	}
	return nil
}

// kindOf is the kind of a file; "" is one that no context has.
func kindOf(mode fs.FileMode) Kind {
	switch {
	case mode&fs.ModeSymlink != 0:
		return Link
	case !mode.IsRegular():
		return ""
	case mode&0o100 != 0:
		return Program
	}
	return Plain
}

// Look reads one file of this machine. It may be a pointer of Git LFS.
func Look(at string, info fs.FileInfo) (File, error) {
	f := File{Name: info.Name(), Path: at, Kind: kindOf(info.Mode())}
	if f.Kind == "" {
		return f, nil
	}
	if err := f.read(); err != nil && !errors.Is(err, errPointer) {
		return f, err
	}
	return f, nil
}

// Tag is the image's tag: 80 bits of a hash over the context, the Dockerfile, the arguments and the platform. The same tree has
// the same tag on every machine, so nothing is built twice.
//
// Not included: what the Dockerfile downloads (a base image by tag, packages without a hash).
func (c *Context) Tag() string {
	sum := sha256.New()
	// Each string is written with its length, so that no two lists of strings have the same bytes.
	write := func(values ...string) {
		for _, v := range values {
			fmt.Fprintf(sum, "%d:%s", len(v), v)
		}
	}
	// A staged copy that is made in another way needs another tag: tags are immutable.
	write("staged", "3", "platform", c.build.Platform)
	for _, name := range slices.Sorted(maps.Keys(c.build.Args)) {
		write("arg", name, c.build.Args[name])
	}
	write("dockerfile", c.build.Dockerfile, "text", c.build.Text, "target", c.build.Target)
	for _, a := range c.build.Added {
		write("added", a.Name, a.Mode.String(), a.Content, a.Sum)
	}
	if c.beside != nil {
		write("beside", c.beside.content)
	}
	for _, f := range c.Files {
		write(string(f.Kind), f.Name, f.content)
	}
	return hex.EncodeToString(sum.Sum(nil))[:20]
}

// Ignored reports whether a file with this name would not be in the context.
func (c *Context) Ignored(name string) bool {
	ignored, err := c.ignored.MatchesOrParentMatches(name)
	return err == nil && ignored
}

// All are the files, and the Dockerfile if it is not among them.
func (c *Context) All() []File {
	if c.beside != nil {
		return append(slices.Clip(c.Files), *c.beside)
	}
	return c.Files
}

// SHA256 is the hash of the content, or of the target of a link, in hexadecimal.
func (f File) SHA256() string {
	if f.Kind == Link {
		sum := sha256.Sum256([]byte(f.content))
		return hex.EncodeToString(sum[:])
	}
	return hex.EncodeToString([]byte(f.content))
}
