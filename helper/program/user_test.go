package main

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// An image is the root of an image that is built.
type image struct {
	t    *testing.T
	root string
}

func newImage(t *testing.T, note string) image {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root may change the owner of files")
	}
	i := image{t, t.TempDir()}
	i.write("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\ndjango:x:1000:1000::/home/django:/bin/sh") // without a line end
	i.write("/etc/group", "root:x:0:\ndjango:x:1000:\nmedia:x:2000:other\nempty:x:3000:\n")
	i.write(notePath, note)
	if err := os.Chmod(i.path(notePath), 0o666); err != nil {
		t.Fatal(err)
	}
	return i
}

func (i image) path(name string) string { return filepath.Join(i.root, name) }

func (i image) write(name, text string) {
	i.t.Helper()
	if err := os.MkdirAll(filepath.Dir(i.path(name)), 0o755); err != nil {
		i.t.Fatal(err)
	}
	if err := os.WriteFile(i.path(name), []byte(text), 0o600); err != nil {
		i.t.Fatal(err)
	}
}

func (i image) read(name string) string {
	i.t.Helper()
	text, err := os.ReadFile(i.path(name))
	if err != nil {
		i.t.Fatal(err)
	}
	return string(text)
}

func (i image) install(args ...string) (int, string) {
	return call(nil, append([]string{"install", "--root=" + i.root}, args...)...)
}

// owns compares owner and mode of a path.
func (i image) owns(name string, uid, gid int, mode fs.FileMode) {
	i.t.Helper()
	info, err := os.Lstat(i.path(name))
	if err != nil {
		i.t.Error(err)
		return
	}
	stat := info.Sys().(*syscall.Stat_t)
	if int(stat.Uid) != uid || int(stat.Gid) != gid || info.Mode()&(fs.ModePerm|fs.ModeSticky) != mode {
		i.t.Errorf("%s: %d:%d %v, want %d:%d %v", name, stat.Uid, stat.Gid, info.Mode(), uid, gid, mode)
	}
}

func TestInstallForTheImagesUser(t *testing.T) {
	i := newImage(t, `{"uid":1000,"gid":1000,"groups":[1000,2000,3000],"home":"/home/django"}`)
	i.write("/app/media/old.png", "x")
	if err := os.Chmod(i.path("/app/media/old.png"), 0o444); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/passwd", i.path("/app/media/link")); err != nil {
		t.Fatal(err)
	}
	for range 2 { // a second image on top of the first
		if code, out := i.install("--writable=/app/media", "--writable=/var/lib/app/new"); code != 0 {
			t.Fatalf("exit code %d: %s", code, out)
		}
	}
	wantPasswd := "root:x:0:0:root:/root:/bin/sh\ndjango:x:1000:1000::/home/django:/bin/sh\nslipway:x:1000:1000::/home/django:/sbin/nologin\n"
	if got := i.read("/etc/passwd"); got != wantPasswd {
		t.Errorf("/etc/passwd:\n%s", got)
	}
	const wantGroup = "root:x:0:\ndjango:x:1000:\nmedia:x:2000:other,slipway\nempty:x:3000:slipway\nslipway:x:1000:\n"
	if got := i.read("/etc/group"); got != wantGroup {
		t.Errorf("/etc/group:\n%s", got)
	}
	i.owns("/tmp", 1000, 1000, 0o777|fs.ModeSticky)
	i.owns("/app", 0, 0, 0o755)
	i.owns("/app/media", 1000, 1000, 0o755)
	i.owns("/app/media/old.png", 1000, 1000, 0o644)
	i.owns("/app/media/link", 1000, 1000, 0o777)
	i.owns("/etc/passwd", 0, 0, 0o600)
	i.owns("/var/lib/app/new", 1000, 1000, 0o755)
	i.owns("/var/lib/app", 0, 0, 0o755)
	for _, name := range execPaths {
		i.owns(name, 0, 0, 0o755)
	}
	i.owns(notePath, 0, 0, 0o644)
	i.owns(filepath.Dir(notePath), 0, 0, 0o755)
}

func TestInstallReplacesRoot(t *testing.T) {
	i := newImage(t, `{"uid":0,"gid":0,"groups":[0],"home":"/root"}`)
	if code, out := i.install("--writable=/data"); code != 0 {
		t.Fatalf("exit code %d: %s", code, out)
	}
	if !strings.HasSuffix(i.read("/etc/passwd"), "\nslipway:x:10001:10001::/tmp:/sbin/nologin\n") {
		t.Errorf("/etc/passwd:\n%s", i.read("/etc/passwd"))
	}
	if got := i.read("/etc/group"); !strings.HasPrefix(got, "root:x:0:\n") || !strings.HasSuffix(got, "\nslipway:x:10001:\n") {
		t.Errorf("/etc/group:\n%s", got)
	}
	i.owns("/data", unprivileged, unprivileged, 0o755)
	var u user
	if err := json.Unmarshal([]byte(i.read(notePath)), &u); err != nil || u.UID != unprivileged {
		t.Errorf("the note says %s", i.read(notePath))
	}
}

// An image from scratch has no /etc; a number in USER has no home.
func TestInstallWithoutUsers(t *testing.T) {
	i := newImage(t, `{"uid":65532,"gid":65532,"groups":[65532],"home":"/"}`)
	if err := os.RemoveAll(i.path("/etc")); err != nil {
		t.Fatal(err)
	}
	if code, out := i.install(); code != 0 {
		t.Fatalf("exit code %d: %s", code, out)
	}
	if got := i.read("/etc/passwd"); got != "slipway:x:65532:65532::/tmp:/sbin/nologin\n" {
		t.Errorf("/etc/passwd: %s", got)
	}
	i.owns("/etc/passwd", 0, 0, 0o644)
}

func TestInstallForNginx(t *testing.T) {
	i := newImage(t, "")
	if err := os.Remove(i.path(notePath)); err != nil {
		t.Fatal(err)
	}
	if code, out := i.install("--user=101:101", "--writable=/var/cache/nginx"); code != 0 {
		t.Fatalf("exit code %d: %s", code, out)
	}
	i.owns("/var/cache/nginx", 101, 101, 0o755)
	i.owns("/tmp", 101, 101, 0o777|fs.ModeSticky)
}

func TestInstallRefusesPaths(t *testing.T) {
	i := newImage(t, `{"uid":1000,"gid":1000,"home":"/home/django"}`)
	i.write("/app/file", "x")
	if err := os.Symlink("/app", i.path("/link")); err != nil {
		t.Fatal(err)
	}
	before := i.read("/etc/passwd")
	for name, words := range map[string]string{
		"media": "must be absolute", "/a/../b": "must be absolute", "/a/": "must be absolute", "/": "holds the system",
		"/etc": "holds the system",
		"/usr": "holds the system", "/opt/slipway": "not the app's", "/opt/slipway/x": "not the app's", "/proc/x": "not the app's",
		"/var/lib/amazon": "overlaps", "/tmp/x": "always writable", "/app/file": "is a file", "/app/file/x": "is a file",
		"/link": "symbolic link to /app", "/link/media": "symbolic link to /app",
	} {
		if code, out := i.install("--writable=/good", "--writable="+name); code != exitUsage || !strings.Contains(out, words) {
			t.Errorf("%s: exit code %d, want %q in: %s", name, code, words, out)
		}
	}
	if after := i.read("/etc/passwd"); after != before {
		t.Error("a refused call changed the image")
	}
	for _, given := range []string{"0:0", "101", "x:y", "101:0"} {
		if code, out := i.install("--user=" + given); code != exitUsage {
			t.Errorf("--user=%s: exit code %d: %s", given, code, out)
		}
	}
}

func TestWhoami(t *testing.T) {
	note := filepath.Join(t.TempDir(), "id")
	if err := os.WriteFile(note, []byte(strings.Repeat("longer than what is written\n", 20)), 0o666); err != nil {
		t.Fatal(err)
	}
	if code, out := call(environment{"HOME": "/home/django"}, "whoami", "--note="+note); code != 0 {
		t.Fatalf("exit code %d: %s", code, out)
	}
	text, err := os.ReadFile(note)
	if err != nil {
		t.Fatal(err)
	}
	var u user
	if err := json.Unmarshal(text, &u); err != nil || u.UID != os.Getuid() || u.GID != os.Getgid() || u.Home != "/home/django" {
		t.Errorf("it noted %s (%v)", text, err)
	}
}
