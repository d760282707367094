package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// userName is the user of every app container. ECS and Docker take its number and its groups from the image's /etc/passwd and
// /etc/group, so that a task definition need not know the number.
const userName = "slipway"

// Root becomes this user and group.
const unprivileged = 10001

const notePath = "/opt/slipway/user/id"

// execPaths are written by the agent of ECS Exec, which runs as root (ECS guide, "Monitor Amazon ECS containers with ECS Exec").
var execPaths = []string{"/managed-agents", "/var/lib/amazon/ssm", "/var/log/amazon/ssm"}

// A user is a user of an image.
type user struct {
	UID    int    `json:"uid"`
	GID    int    `json:"gid"`
	Groups []int  `json:"groups"`
	Home   string `json:"home"`
}

// whoami notes who runs it. Only a program that runs as the image's user knows the number: USER may be a name of a base image.
func whoami(i *invocation, flags *flag.FlagSet, args []string) error {
	note := flags.String("note", notePath, "file to write")
	if err := parse(flags, args, 0); err != nil {
		return err
	}
	groups, err := os.Getgroups()
	if err != nil {
		return err
	}
	u := user{UID: os.Getuid(), GID: os.Getgid(), Groups: groups, Home: i.env["HOME"]}
	text, err := json.Marshal(u)
	if err != nil {
		return err
	}
	return os.WriteFile(*note, append(text, '\n'), 0o644)
}

// install makes the user and the paths that a task mounts as volumes. A volume gets the content, the owner and the mode that its
// path has in the image (ECS guide, "Bind mounts": VOLUME).
func install(_ *invocation, flags *flag.FlagSet, args []string) error {
	var writable texts
	flags.Var(&writable, "writable", "absolute path that the user writes; may be repeated")
	given := flags.String("user", "", "UID:GID instead of the note of whoami")
	note := flags.String("note", notePath, "file that whoami wrote")
	root := flags.String("root", "/", "root of the image")
	if err := parse(flags, args, 0); err != nil {
		return err
	}
	s := &system{root: *root}
	for _, name := range writable {
		if err := s.checkWritable(name); err != nil {
			return err
		}
	}
	u, err := s.user(*given, *note)
	if err != nil {
		return err
	}
	if err := s.register(u); err != nil {
		return err
	}
	if err := s.own("/tmp", u, 0o777|fs.ModeSticky); err != nil {
		return err
	}
	for _, name := range execPaths {
		if err := s.own(name, user{}, 0o755); err != nil {
			return err
		}
	}
	for _, name := range writable {
		if err := s.give(name, u); err != nil {
			return err
		}
	}
	if *given != "" {
		return nil
	}
	return s.seal(*note, u)
}

// A system is the file system of the image that is built.
type system struct{ root string }

func (s *system) path(name string) string { return filepath.Join(s.root, name) }

// ours are paths that never become an app's volume, with everything below them.
var ours = append([]string{"/opt/slipway", "/proc", "/sys", "/dev"}, execPaths...)

func (s *system) checkWritable(name string) error {
	if !path.IsAbs(name) || path.Clean(name) != name {
		return usage("writable path %q must be absolute, without . and .. and without a slash at its end", name)
	}
	if slices.Contains([]string{"/", "/bin", "/boot", "/etc", "/lib", "/lib64", "/opt", "/sbin", "/usr", "/var", "/home"}, name) {
		return usage("writable path %s holds the system: name the folder that the app writes", name)
	}
	if name == "/tmp" || strings.HasPrefix(name, "/tmp/") {
		return usage("writable path %s: /tmp is always writable, and empty when a task starts", name)
	}
	for _, o := range ours {
		if name == o || strings.HasPrefix(name, o+"/") || strings.HasPrefix(o, name+"/") {
			return usage("writable path %s overlaps %s, which is not the app's", name, o)
		}
	}
	// A volume below a symbolic link belongs to root on Fargate.
	for at := name; at != "/"; at = path.Dir(at) {
		info, err := os.Lstat(s.path(at))
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR): // what is above it decides
		case err != nil:
			return err
		case info.Mode()&fs.ModeSymlink != 0:
			target, _ := os.Readlink(s.path(at))
			return usage("writable path %s: %s is a symbolic link to %s; name the path that it stands for", name, at, target)
		case !info.IsDir():
			return usage("writable path %s: %s is a file; a volume is a folder", name, at)
		}
	}
	return nil
}

// user is the user that the app runs as.
func (s *system) user(given, note string) (user, error) {
	if given != "" {
		var u user
		uid, gid, _ := strings.Cut(given, ":")
		var err1, err2 error
		u.UID, err1 = strconv.Atoi(uid)
		u.GID, err2 = strconv.Atoi(gid)
		if err1 != nil || err2 != nil || u.UID <= 0 || u.GID <= 0 {
			return u, usage("--user must be UID:GID, both above 0, got %q", given)
		}
		u.Home = "/tmp"
		return u, nil
	}
	text, err := os.ReadFile(s.path(note))
	if err != nil {
		return user{}, fmt.Errorf("cannot read what whoami noted: %w", err)
	}
	var u user
	if err := json.Unmarshal(text, &u); err != nil {
		return user{}, fmt.Errorf("%s: %w", note, err)
	}
	if u.UID == 0 {
		return user{UID: unprivileged, GID: unprivileged, Home: "/tmp"}, nil
	}
	if u.Home == "" || u.Home == "/" {
		u.Home = "/tmp" // a number without a line in /etc/passwd
	}
	return u, nil
}

// register writes the user into /etc/passwd and /etc/group. A second run replaces its lines.
func (s *system) register(u user) error {
	if strings.ContainsAny(u.Home, ":\n") {
		return fmt.Errorf("the home %q of the image's user does not fit into /etc/passwd", u.Home)
	}
	passwd := func(lines []string) []string {
		return append(lines, fmt.Sprintf("%s:x:%d:%d::%s:/sbin/nologin", userName, u.UID, u.GID, u.Home))
	}
	if err := s.edit("/etc/passwd", passwd); err != nil {
		return err
	}
	return s.edit("/etc/group", func(lines []string) []string {
		for n, line := range lines {
			fields := strings.Split(line, ":")
			if len(fields) != 4 {
				continue
			}
			gid, err := strconv.Atoi(fields[2])
			if err != nil || gid == u.GID || !slices.Contains(u.Groups, gid) {
				continue
			}
			members := slices.DeleteFunc(strings.Split(fields[3], ","), func(m string) bool { return m == "" || m == userName })
			fields[3] = strings.Join(append(members, userName), ",")
			lines[n] = strings.Join(fields, ":")
		}
		return append(lines, fmt.Sprintf("%s:x:%d:", userName, u.GID))
	})
}

// edit changes the lines of a file of users, without the line of a user slipway. A file that does not exist is made.
func (s *system) edit(name string, change func([]string) []string) error {
	text, err := os.ReadFile(s.path(name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	lines := slices.DeleteFunc(strings.Split(string(text), "\n"), func(l string) bool {
		return l == "" || strings.HasPrefix(l, userName+":")
	})
	if err := os.MkdirAll(s.path(path.Dir(name)), 0o755); err != nil {
		return err
	}
	return os.WriteFile(s.path(name), []byte(strings.Join(change(lines), "\n")+"\n"), 0o644)
}

// own makes a folder if it does not exist, and sets its owner and mode.
func (s *system) own(name string, u user, mode fs.FileMode) error {
	if err := os.MkdirAll(s.path(name), 0o755); err != nil {
		return err
	}
	if err := os.Lchown(s.path(name), u.UID, u.GID); err != nil {
		return err
	}
	return os.Chmod(s.path(name), mode)
}

// give makes a folder the user's with everything in it. Symbolic links are not followed.
func (s *system) give(name string, u user) error {
	if err := os.MkdirAll(s.path(name), 0o755); err != nil {
		return err
	}
	return filepath.WalkDir(s.path(name), func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if stat, ok := info.Sys().(*syscall.Stat_t); !ok || int(stat.Uid) != u.UID || int(stat.Gid) != u.GID {
			if err := os.Lchown(file, u.UID, u.GID); err != nil {
				return err
			}
		}
		// The owner may write; root did not need the bits.
		switch mode := info.Mode().Perm(); {
		case d.IsDir() && mode&0o700 != 0o700:
			return os.Chmod(file, mode|0o700)
		case d.Type().IsRegular() && mode&0o600 != 0o600:
			return os.Chmod(file, mode|0o600)
		}
		return nil
	})
}

// seal makes the note and its folder root's: they were writable by all for whoami.
func (s *system) seal(note string, u user) error {
	text, err := json.Marshal(u)
	if err != nil {
		return err
	}
	folder := path.Dir(note)
	if err := os.Lchown(s.path(folder), 0, 0); err != nil {
		return err
	}
	if err := os.Chmod(s.path(folder), 0o755); err != nil {
		return err
	}
	if err := os.Remove(s.path(note)); err != nil {
		return err
	}
	return os.WriteFile(s.path(note), append(text, '\n'), 0o644)
}
