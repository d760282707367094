package operation

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"
)

// Explain adds to an error of the file system what it means for the stack, and what to do. Errors inside the engine reach it as
// text only, so it reads that too.
func Explain(err error) error {
	var path *fs.PathError
	where := ""
	if errors.As(err, &path) {
		where = " " + filepath.Dir(path.Path)
	}
	is := func(number syscall.Errno) bool {
		return errors.Is(err, number) || strings.Contains(err.Error(), ": "+number.Error())
	}
	switch {
	case is(syscall.ENOSPC), is(syscall.EDQUOT):
		return fmt.Errorf("%w\nThe disk is full. Nothing is lost: each file is replaced as a whole, so the state is the last complete one. "+
			"Free some space and run the same command again; it continues from there", err)
	case is(syscall.EROFS):
		return fmt.Errorf("%w\nThe file system of%s is read-only. Nothing is lost: what is there stays as it is. "+
			"Slipway keeps its data in .slipway, beside Pulumi.yaml: make that writable, or copy the project to where it is",
			err, cmp.Or(where, " the project"))
	case errors.As(err, &path) && errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w\nThis user has no permission to use %s. Nothing is lost: what is there stays as it is. "+
			"Give this user permission, or run as the user who owns it: ls -ld %s", err, path.Path, filepath.Dir(path.Path))
	}
	return err
}
