package cicd

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// stage copies the build's files to folder, with the modes of a Git checkout under the usual umask (0644, 0755).
//
// The Docker provider decides whether to build by a digest that includes every bit of a file's mode. The same commit
// checked out with umask 002 and with 022 would be built twice, and the second push would fail because tags are
// immutable. The staged copy is the same on both machines.
//
// The folder is named after the tag and renamed into place, so a folder that exists is complete.
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
	if errors.Is(err, fs.ErrExist) { // another run made it, with the same files
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
	// This machine's umask may have removed bits.
	return errors.Join(err, out.Chmod(mode), out.Close())
}
