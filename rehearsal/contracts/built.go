package contracts

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"path"
	"slices"
	"strings"
)

// inspected is what docker image inspect says about an image.
type inspected struct {
	Os, Architecture string
	Size             int64
	Config           struct {
		User, WorkingDir, StopSignal string
		Env, Entrypoint, Cmd         []string
		Volumes, ExposedPorts        map[string]any
		Healthcheck                  *struct{ Test []string }
	}
}

// unread are directories of a built image that the judge has no question about.
var unread = []string{"/usr/lib", "/usr/share", "/usr/include", "/lib", "/lib64", "/proc", "/sys", "/dev", "/boot", "/usr/libexec"}

// Built says what is known about a built image, from the answer of docker image inspect and the stream of docker export.
func Built(inspect []byte, files io.Reader) (*Image, error) {
	var all []inspected
	if err := json.Unmarshal(inspect, &all); err != nil {
		return nil, err
	}
	if len(all) != 1 {
		return nil, errors.New("docker image inspect describes another number of images than one")
	}
	c := all[0].Config
	i := &Image{Platform: all[0].Os + "/" + all[0].Architecture, Size: all[0].Size, User: c.User, WorkDir: c.WorkingDir,
		StopSignal: c.StopSignal,
		Entrypoint: c.Entrypoint, Command: c.Cmd, Env: map[string]string{}, Users: map[string]int{"root": 0}, Files: map[string]File{},
		Programs: map[string]bool{}, Opaque: slices.Clone(unread), Complete: true}
	for _, e := range c.Env {
		name, value, _ := strings.Cut(e, "=")
		i.Env[name] = value
	}
	for v := range c.Volumes {
		i.Volumes = append(i.Volumes, v)
	}
	for p := range c.ExposedPorts {
		i.Ports = append(i.Ports, p)
	}
	slices.Sort(i.Volumes)
	slices.Sort(i.Ports)
	if c.Healthcheck != nil {
		i.Health = c.Healthcheck.Test
	}
	return i, i.unpack(tar.NewReader(files))
}

// unpack reads the files that the judge may ask for.
func (i *Image) unpack(files *tar.Reader) error {
	for {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		p := clean(h.Name)
		f := File{Owner: h.Uid, Mode: int(h.Mode & 0o7777)}
		deep := strings.Count(p, "/")
		switch {
		case slices.ContainsFunc(unread, func(dir string) bool { return p != dir && within(p, dir) }):
		case h.Typeflag == tar.TypeSymlink && slices.Contains(systemDirs, path.Dir(p)):
			i.Programs[path.Base(p)] = true
		case h.Typeflag == tar.TypeSymlink && deep <= 4:
			f.Link = h.Linkname
			i.Files[p] = f
		case h.Typeflag == tar.TypeSymlink && f.Mode&0o111 != 0: // a program of an environment
			i.Files[p] = File{Owner: h.Uid, Mode: 0o755}
		case h.Typeflag == tar.TypeDir && (deep <= 3 || slices.Contains(i.Volumes, p)):
			i.Files[p] = f
		case h.Typeflag == tar.TypeReg || h.Typeflag == tar.TypeLink:
			if err := i.regular(p, f, h, files); err != nil {
				return err
			}
		}
	}
}

// regular takes over one regular file: programs by their name, scripts of the image's own and configuration with their text.
func (i *Image) regular(p string, f File, h *tar.Header, content io.Reader) error {
	const most = 64 << 10
	system := slices.Contains(systemDirs, path.Dir(p)) && !strings.HasPrefix(p, "/usr/local/")
	switch {
	case p == "/etc/passwd":
		data, err := io.ReadAll(content)
		for line := range strings.Lines(string(data)) {
			if fields := strings.Split(line, ":"); len(fields) > 2 {
				if n, ok := number(fields[2]); ok {
					i.Users[fields[0]] = n
				}
			}
		}
		return err
	case slices.Contains(stores, p):
		i.Files[p] = f
	case system && f.Mode&0o111 != 0:
		i.Programs[path.Base(p)] = true
	case f.Mode&0o111 != 0 || configuration(p) && (within(p, "/etc/nginx") || strings.HasSuffix(p, ".conf.py") ||
		strings.HasSuffix(p, ".ini") && !within(p, "/usr")):
		if h.Size <= most {
			data, err := io.ReadAll(content)
			if err != nil {
				return err
			}
			if configuration(p) && readable(p, data) || bytes.HasPrefix(data, []byte("#!")) {
				f.Text = string(data)
			}
		}
		i.Files[p] = f
	}
	return nil
}
