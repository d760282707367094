package containers

import (
	"archive/tar"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"slipway/rehearsal/provider"
)

// helperFile is Slipway's program in a build context.
const helperFile = ".slipway/helper"

// helper is the program for a build on Docker's platform; "" if the Dockerfile has no use for it.
func (r *Run) helper(b provider.Build) (string, error) {
	if r.options.Helper == nil {
		return "", nil
	}
	text, err := os.ReadFile(b.Dockerfile)
	if err != nil || !strings.Contains(string(text), helperFile) {
		return "", err
	}
	platform, err := r.engine.do(r.ctx, nil, "version", "--format", "{{.Server.Os}}/{{.Server.Arch}}")
	if err != nil {
		return "", err
	}
	return r.options.Helper(platform)
}

// buildWith builds from a context with another program than it has. The context itself stays as it is: it may be that of a deployment for
// another platform.
func (r *Run) buildWith(b provider.Build, helper string, extra, args []string) (string, error) {
	dockerfile, err := filepath.Rel(b.Context, b.Dockerfile)
	if err != nil || !filepath.IsLocal(dockerfile) {
		return "", errors.Join(err, errors.New("the Dockerfile is outside of the build context"))
	}
	out, in := io.Pipe()
	go func() { in.CloseWithError(pack(in, b.Context, helper)) }()
	defer out.Close()
	return r.build(extra, out, append(args, "-f", filepath.ToSlash(dockerfile), "-"))
}

// pack writes a build context as a tar, with another program.
func pack(w io.Writer, context, helper string) error {
	t := tar.NewWriter(w)
	root, err := os.OpenRoot(context)
	if err != nil {
		return err
	}
	defer root.Close()
	err = fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == "." || name == helperFile {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		target := ""
		if info.Mode()&fs.ModeSymlink != 0 {
			if target, err = root.Readlink(name); err != nil {
				return err
			}
		}
		return add(t, name, target, info, func() (io.ReadCloser, error) { return root.Open(name) })
	})
	if err != nil {
		return err
	}
	info, err := os.Stat(helper)
	if err != nil {
		return err
	}
	if err := add(t, helperFile, "", info, func() (io.ReadCloser, error) { return os.Open(helper) }); err != nil {
		return err
	}
	return t.Close()
}

// add writes one file. Owners and times are no part of a context.
func add(t *tar.Writer, name, target string, info fs.FileInfo, open func() (io.ReadCloser, error)) error {
	h, err := tar.FileInfoHeader(info, target)
	if err != nil {
		return err
	}
	h.Name, h.Uid, h.Gid, h.Uname, h.Gname = name, 0, 0, "", ""
	if info.IsDir() {
		h.Name += "/"
	}
	if err := t.WriteHeader(h); err != nil || !info.Mode().IsRegular() {
		return err
	}
	f, err := open()
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(t, f)
	return err
}
