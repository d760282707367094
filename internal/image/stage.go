package image

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Stage copies the context to folder, with the modes of a Git checkout under the usual umask (0644, 0755).
//
// Docker copies modes into the image, and the Docker provider decides whether to build by a digest that includes every bit of
// them. The same commit checked out with umask 027 and with 022 would give two images under one tag, and the second push would
// fail because tags are immutable. The staged copy is the same on both machines.
//
// The folder is named after the tag and renamed into place, so a folder that exists is complete.
func (c *Context) Stage(folder string) error {
	if _, err := os.Stat(folder); err == nil {
		return nil
	}
	parent := filepath.Dir(folder)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return err
	}
	temporary, err := os.MkdirTemp(parent, ".new-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temporary)
	staged := filepath.Join(temporary, "context")
	if err := makeFolder(staged); err != nil {
		return err
	}
	for _, f := range c.Files {
		if err := f.copy(filepath.Join(staged, filepath.FromSlash(f.Name))); err != nil {
			return fmt.Errorf("%s: %w", c.build.in(f.Name), err)
		}
	}
	if err := c.addTo(staged); err != nil {
		return err
	}
	err = os.Rename(staged, folder)
	if errors.Is(err, fs.ErrExist) { // another run made it, with the same files
		return nil
	}
	return err
}

// addTo writes what is not in the project's folder: the Dockerfile, if it is another one, and the added files.
func (c *Context) addTo(staged string) error {
	switch {
	case c.build.Text != "":
		if err := writeFile(c.Dockerfile(staged), c.build.Text, 0o644); err != nil {
			return err
		}
	case c.beside != nil:
		if err := c.beside.copy(c.Dockerfile(staged)); err != nil {
			return fmt.Errorf("%s: %w", c.build.in(c.beside.Name), err)
		}
	}
	for _, a := range c.build.Added {
		if a.Sum != "" {
			continue
		}
		if err := writeFile(filepath.Join(staged, filepath.FromSlash(a.Name)), a.Content, a.Mode); err != nil {
			return err
		}
	}
	return nil
}

// Late are the names of the added files whose content is made when Docker builds.
func (c *Context) Late() []string {
	var names []string
	for _, a := range c.build.Added {
		if a.Sum != "" {
			names = append(names, a.Name)
		}
	}
	return names
}

// Supply puts the content of an added file, which is in the file from, into the folder of a staged copy. A reader of the folder
// sees all of it or nothing.
func (c *Context) Supply(folder, name, from string) error {
	i := slices.IndexFunc(c.build.Added, func(a Added) bool { return a.Name == name && a.Sum != "" })
	if i < 0 {
		return fmt.Errorf("the build has no file %s that is supplied later", name)
	}
	to := filepath.Join(folder, filepath.FromSlash(name))
	if _, err := os.Stat(to); err == nil {
		return nil // supplied before; the folder's name says which content it has
	}
	if err := makeFolder(filepath.Dir(to)); err != nil {
		return err
	}
	// Beside the folder and not in it: another run may read the folder now.
	temporary, err := os.MkdirTemp(filepath.Dir(folder), ".new-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temporary)
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	made := filepath.Join(temporary, "file")
	out, err := os.OpenFile(made, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err = errors.Join(err, out.Chmod(c.build.Added[i].Mode), out.Sync(), out.Close()); err != nil {
		return err
	}
	return os.Rename(made, to)
}

func writeFile(at, content string, mode fs.FileMode) error {
	if err := makeFolder(filepath.Dir(at)); err != nil {
		return err
	}
	if err := os.WriteFile(at, []byte(content), 0o600); err != nil {
		return err
	}
	return os.Chmod(at, mode)
}

const ownDockerfile = Own + "/Dockerfile"

// Dockerfile is where the Dockerfile is if the context is staged in folder. One from beside the context, or of another text than
// the project's, is put where no file of the context can be: of a Dockerfile outside of the folder the Docker provider makes a
// file with a random name in it, so that every build would differ.
func (c *Context) Dockerfile(folder string) string {
	if c.beside != nil || c.build.Text != "" {
		return filepath.Join(folder, filepath.FromSlash(ownDockerfile))
	}
	return filepath.Join(folder, filepath.FromSlash(c.build.Dockerfile))
}

// copy copies the file, and makes sure that it is what was read before: the folder is named after that.
func (f File) copy(to string) error {
	if err := makeFolder(filepath.Dir(to)); err != nil {
		return err
	}
	if f.Kind == Link {
		return os.Symlink(f.content, to)
	}
	mode := fs.FileMode(0o644)
	if f.Kind == Program {
		mode = 0o755
	}
	in, err := os.Open(f.Path)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err = errors.Join(err, out.Chmod(mode), out.Close()); err != nil {
		return err
	}
	copied := File{Path: to, Kind: f.Kind}
	if err := copied.read(); err != nil {
		return err
	}
	if copied.content != f.content {
		return errors.New("the file changed while it was copied: try again")
	}
	return nil
}

// makeFolder makes a folder, and those above it, whose mode does not depend on this machine's umask.
func makeFolder(at string) error {
	err := os.Mkdir(at, 0o755)
	switch {
	case err == nil:
		return os.Chmod(at, 0o755)
	case errors.Is(err, fs.ErrExist):
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if err := makeFolder(filepath.Dir(at)); err != nil {
		return err
	}
	return makeFolder(at)
}

// Copy copies everything that determines the image to folder, as a project has it: the context, its ignore files, and the Dockerfile
// where the build looks for it. Files that are there already stay.
func (c *Context) Copy(folder string) error {
	if c.build.Bare {
		return nil
	}
	files := slices.Clone(c.Files)
	if c.beside != nil {
		files = append(files, *c.beside)
	}
	for _, name := range c.build.ignoreFiles() {
		f := File{Name: name, Path: filepath.Join(c.build.folder(), filepath.FromSlash(name)), Kind: Plain}
		if info, err := os.Stat(f.Path); err != nil || !info.Mode().IsRegular() {
			continue
		}
		if err := f.read(); err != nil {
			return err
		}
		files = append(files, f)
	}
	for _, f := range files {
		to := filepath.Join(folder, filepath.FromSlash(f.Name))
		if _, err := os.Lstat(to); err == nil {
			continue
		}
		if err := f.copy(to); err != nil {
			return fmt.Errorf("%s: %w", c.build.in(f.Name), err)
		}
	}
	return nil
}
