package image

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// unprivileged takes from this thread the right to read every file, which root has. The thread ends with the test.
func unprivileged(t *testing.T) {
	t.Helper()
	runtime.LockOSThread()
	header, none := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, [2]unix.CapUserData{}
	if err := unix.Capset(&header, &none[0]); err != nil {
		t.Fatal(err)
	}
}

// docker/cli#3043: ignored is ignored, and what is not ignored is named.
func TestUnreadableFiles(t *testing.T) {
	for _, c := range []struct{ name, ignore, locked, want string }{
		{"an ignored folder", "secret\n", "secret", ""},
		{"an ignored folder, and everything but", "*\n!manage.py\n", "secret", ""},
		{"an ignored folder, with a pattern that may mean something in it", "secret\n!**/*.md\n", "secret", ""},
		{"an ignored folder, with a file in it that is wanted", "secret\n!secret/x\n", "secret",
			"shop/secret cannot be read: permission denied. Make it readable, or name it in shop/.dockerignore"},
		{"an ignored file", "secret/x\n", "secret/x", ""},
		{"a folder", "", "secret",
			"shop/secret cannot be read: permission denied. Make it readable, or name it in shop/.dockerignore"},
		{"a file", "", "secret/x",
			"shop/secret/x cannot be read: permission denied. Make it readable, or name it in shop/.dockerignore"},
		{"the ignore file", "*", ".dockerignore", "shop/.dockerignore cannot be read: permission denied. Make it readable"},
		{"the context", "", ".", "shop cannot be read: permission denied. Make it readable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := tree(t, map[string]string{"shop/Dockerfile": "", "shop/manage.py": "x", "shop/secret/x": "x", "shop/.dockerignore": c.ignore})
			locked := filepath.Join(root, "shop", c.locked)
			if err := os.Chmod(locked, 0); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.Chmod(locked, 0o755) })
			b := of(root)
			b.Context = "shop"
			problem := make(chan error)
			go func() {
				unprivileged(t)
				_, err := b.Read()
				problem <- err
			}()
			got := ""
			if err := <-problem; err != nil {
				got = err.Error()
			}
			if got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}
