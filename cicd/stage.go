package cicd

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// stage copies the build's files to folder, as Git would check them out under the usual umask (0644, 0755), and
// nothing else.
//
// The Docker provider decides whether to build by a digest that includes every bit of a file's mode. The same commit
// checked out with umask 002 and with 022 would be built twice, and the second push of the tag refused because tags are
// immutable. From the staged copy both machines see the same.
//
// The folder is named after the tag, so one that exists is complete: it appears under its name only when it is.
func (b build) stage(folder string) error {
	if _, err := os.Stat(folder); err == nil {
		return nil
	}
	files, err := b.files()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(folder), 0o755); err != nil {
		return err
	}
	temporary, err := os.MkdirTemp(filepath.Dir(folder), ".new-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temporary)
	for _, f := range files {
		if err := f.copy(filepath.Join(temporary, filepath.FromSlash(f.name))); err != nil {
			return err
		}
	}
	err = os.Rename(temporary, folder)
	if errors.Is(err, fs.ErrExist) { // another run was faster, with the same files
		return nil
	}
	return err
}

func (f file) copy(to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if f.kind == "link" {
		target, err := os.Readlink(f.path)
		if err != nil {
			return err
		}
		return os.Symlink(target, to)
	}
	mode := fs.FileMode(0o644)
	if f.kind == "program" {
		mode = 0o755
	}
	in, err := os.Open(f.path)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	// The umask of this machine may have taken bits away.
	return errors.Join(err, out.Chmod(mode), out.Close())
}
