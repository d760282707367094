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
	if c.beside != nil {
		if err := c.beside.copy(c.Dockerfile(staged)); err != nil {
			return fmt.Errorf("%s: %w", c.build.in(c.beside.Name), err)
		}
	}
	err = os.Rename(staged, folder)
	if errors.Is(err, fs.ErrExist) { // another run made it, with the same files
		return nil
	}
	return err
}

// Dockerfile is where the Dockerfile is if the context is staged in folder. One from beside the context is put where no file of
// the context can be: of a Dockerfile outside of the folder the Docker provider makes a file with a random name in it, so that
// every build would differ.
func (c *Context) Dockerfile(folder string) string {
	if c.beside != nil {
		return filepath.Join(folder, ".slipway", "Dockerfile")
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
	files := slices.Clone(c.Files)
	if c.beside != nil {
		files = append(files, *c.beside)
	}
	for _, name := range []string{ignoreFile, c.build.Dockerfile + ignoreFile} {
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
