// Package contracts judges container images against the tasks that run them, without running either. It reads a Dockerfile
// (Read) or a built image (Inspect), and says what a container of a task needs that the image does not give (Judge).
//
// What it cannot know it counts as unknown: that is neither a fault nor a proof.
package contracts

import (
	"path"
	"slices"
	"strconv"
	"strings"
)

// An Image is what is known about an image. It is stored as JSON.
type Image struct {
	Base       string            `json:"base,omitempty"`     // the last base image that is not a stage
	Platform   string            `json:"platform,omitempty"` // linux/arm64
	Size       int64             `json:"size,omitempty"`     // unpacked, in bytes; 0: unknown
	User       string            `json:"user,omitempty"`     // as in USER
	WorkDir    string            `json:"workDir,omitempty"`
	Volumes    []string          `json:"volumes,omitempty"`
	Ports      []string          `json:"ports,omitempty"` // 8080/tcp
	Entrypoint []string          `json:"entrypoint,omitempty"`
	Command    []string          `json:"command,omitempty"`
	Health     []string          `json:"health,omitempty"` // HEALTHCHECK, which ECS ignores
	StopSignal string            `json:"stopSignal,omitempty"`
	Env        map[string]string `json:"env,omitempty"`
	Users      map[string]int    `json:"users,omitempty"` // user name -> uid; -1: unknown; lower: stands for an unknown one
	Files      map[string]File   `json:"files,omitempty"` // by absolute path
	Programs   map[string]bool   `json:"programs,omitempty"`

	// Opaque are directories with files that are not known: copied from elsewhere, or written by a command that the reader does not
	// know. "/" means that anything may have changed.
	Opaque []string `json:"opaque,omitempty"`

	// Complete: the image itself was read, so that a path that is not in Files does not exist.
	Complete bool `json:"complete,omitempty"`
}

// A File is one path of an image.
type File struct {
	Link  string `json:"link,omitempty"`  // what a symbolic link names
	Owner int    `json:"owner"`           // uid, as in Users
	Mode  int    `json:"mode,omitempty"`  // permissions; 0: unknown
	Gone  bool   `json:"gone,omitempty"`  // removed
	Text  string `json:"text,omitempty"`  // of scripts and configuration that the judge reads
	Stage bool   `json:"stage,omitempty"` // a directory that was copied as a whole
}

// An Answer is yes, no or unknown.
type Answer int

// The answers.
const (
	Unknown Answer = iota
	Yes
	No
)

// clean is an absolute path below the image's root.
func clean(p string) string { return path.Clean("/" + p) }

// Link returns the first symbolic link on the way to p and what it names; "" if there is none that is known.
func (i *Image) Link(p string) (link, target string) {
	at := ""
	for _, part := range strings.Split(strings.Trim(clean(p), "/"), "/") {
		at += "/" + part
		if f, ok := i.Files[at]; ok && f.Link != "" && !f.Gone {
			if path.IsAbs(f.Link) {
				return at, path.Clean(f.Link)
			}
			return at, path.Join(path.Dir(at), f.Link)
		}
	}
	return "", ""
}

// Real is the path that p has without symbolic links.
func (i *Image) Real(p string) string {
	p = clean(p)
	for range 40 { // as Linux does
		link, target := i.Link(p)
		if link == "" {
			break
		}
		p = path.Join(target, strings.TrimPrefix(p, link))
	}
	return p
}

// file returns what is known about a path.
func (i *Image) file(p string) (File, bool) {
	f, ok := i.Files[i.Real(p)]
	return f, ok && !f.Gone
}

// opaque reports whether p may have been changed by what the reader does not know.
func (i *Image) opaque(p string) bool {
	return slices.ContainsFunc(i.Opaque, func(dir string) bool { return within(p, dir) })
}

// within reports whether p is dir or below it.
func within(p, dir string) bool {
	return p == dir || dir == "/" || strings.HasPrefix(p, strings.TrimRight(dir, "/")+"/")
}

// systemDirs are the directories that system packages put programs into.
var systemDirs = []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"}

// Has reports whether the image has a program: a name that is looked up in PATH, or a path.
func (i *Image) Has(program string) Answer {
	if strings.Contains(program, "/") {
		p := program
		if !path.IsAbs(p) {
			p = path.Join("/", i.WorkDir, p)
		}
		if _, ok := i.file(p); ok {
			return Yes
		}
		for _, at := range []string{p, i.Real(p)} {
			if slices.Contains(systemDirs, path.Dir(at)) && i.Programs[path.Base(at)] {
				return Yes
			}
		}
		switch {
		case within(p, path.Dir(helperPath)) && i.known():
			return No // nothing else puts files there
		case i.opaque(i.Real(p)):
			return Unknown
		case i.Complete:
			return No
		case slices.Contains(systemDirs, path.Dir(p)):
			return i.base(path.Base(p))
		case i.known() && !slices.Contains(topDirs, strings.Split(p, "/")[1]):
			return No // no base image of the table has other files below its root, and nothing unknown was copied there
		}
		return Unknown
	}
	for _, dir := range i.searched() {
		at := path.Join(dir, program)
		if _, ok := i.file(at); ok {
			return Yes
		}
		if link, _ := i.Link(at); link != clean(at) {
			continue
		}
		// A link to a program of the system, such as the python of an environment.
		real := i.Real(at)
		if slices.Contains(systemDirs, path.Dir(real)) && i.Programs[path.Base(real)] {
			return Yes
		}
		if i.opaque(real) {
			return Unknown
		}
	}
	return i.base(program)
}

// topDirs are the directories that base images have. Source: Filesystem Hierarchy Standard 3.0, "The Root Filesystem"; docker-nginx has a
// directory of its own.
var topDirs = strings.Fields("bin boot dev docker-entrypoint.d etc home lib lib64 media mnt opt proc root run sbin srv sys tmp usr var")

// base answers for a program of the system: what packages and the base image bring.
func (i *Image) base(program string) Answer {
	has, ok := i.Programs[program]
	switch {
	case has:
		return Yes
	case !ok && !i.Complete:
		return Unknown
	}
	// A system program is not in an environment of Python or Node that another stage made, but in the system's own directories.
	for _, dir := range append([]string{"/"}, systemDirs...) {
		if slices.Contains(i.Opaque, dir) {
			return Unknown
		}
	}
	return No
}

// searched are the directories of PATH.
func (i *Image) searched() []string {
	if p := i.Env["PATH"]; p != "" {
		return strings.Split(p, ":")
	}
	return systemDirs
}

// uid is the number of a user as in USER or in a task definition: "101:101", "site". "" is root.
func (i *Image) uid(user string) (uid int, known bool) {
	name, _, _ := strings.Cut(user, ":")
	if name == "" {
		return 0, true
	}
	if n, ok := number(name); ok {
		return n, true
	}
	n, ok := i.Users[name]
	return n, ok && n != -1
}

// named is a user as a message shows it.
func (i *Image) named(uid int) string {
	for name, n := range i.Users {
		if n == uid && uid < 0 {
			return name
		}
	}
	return strconv.Itoa(uid)
}

func number(text string) (int, bool) {
	n := 0
	for _, r := range text {
		if r < '0' || r > '9' || n > 1<<32 {
			return 0, false
		}
		n = 10*n + int(r-'0')
	}
	return n, text != ""
}

// mayWrite reports whether a user may make files in a directory.
func (i *Image) mayWrite(dir string, uid int) Answer {
	if uid == 0 {
		return Yes
	}
	p := i.Real(dir)
	f, ok := i.Files[p]
	if !ok || f.Gone {
		if i.Complete && !i.opaque(p) {
			return No // Docker makes a missing directory of a VOLUME for root
		}
		return Unknown
	}
	switch {
	case f.Mode&0o002 != 0:
		return Yes
	case uid != -1 && f.Owner == uid && (f.Mode == 0 || f.Mode&0o200 != 0):
		return Yes
	case (f.Owner == 0 || f.Owner != -1 && uid != -1) && f.Owner != uid && f.Mode&0o020 == 0:
		return No
	}
	return Unknown
}

const (
	helperPath   = "/opt/slipway/helper"
	helperUser   = "slipway"
	templatePath = "/etc/nginx/slipway.conf.template"
	renderedPath = "/tmp/nginx.conf"

	// rootsStandIn is the number that an image's user gets if it is root.
	rootsStandIn = 10001
)
