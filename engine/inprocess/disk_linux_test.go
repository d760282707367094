package inprocess_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"slipway/engine"
	"slipway/engine/inprocess"
)

// The disk fills up in the middle of an up. The state is the last one that was written as a whole, and the next run, when there
// is space again, continues from it. The state has 560 kB at the end, the model 210 kB.
func TestFullDisk(t *testing.T) {
	for name, c := range map[string]struct {
		reason string
		up     func(t *testing.T, dir, root string) (said string)
	}{
		"file system": {"no space left on device", upOnSmallDisk},
		"limit":       {"file too large", upWithSmallFiles}, // needs no privileges
	} {
		t.Run(name, func(t *testing.T) {
			dir, root := filepath.Join(t.TempDir(), "local"), clone(t)
			must(t, os.MkdirAll(filepath.Join(dir, "state"), 0o700))
			if said := c.up(t, dir, root); !strings.Contains(said, c.reason) {
				t.Errorf("the error does not name the reason:\n%s", said)
			}
			lock, err := engine.Acquire(dir, "local", "up")
			must(t, err)
			defer lock.Unlock()
			w := open(t, dir, root, "local")
			defer w.model.Close()
			if n := len(latest(t, w.StatePath()).Resources); n < 20 {
				t.Errorf("the state has %d resources", n)
			}
			if _, err := os.Stat(w.StatePath() + ".new"); err == nil {
				t.Error("half a state stayed behind")
			}
			w.repair(t, lock)
			w.up(t, inprocess.Run{})
			w.twins(t)
			w.destroy(t)
			w.empty(t)
		})
	}
}

// upOnSmallDisk keeps the state on a file system of 300 kB, which is larger afterwards.
func upOnSmallDisk(t *testing.T, dir, root string) (said string) {
	disk := filepath.Join(dir, "state")
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=300k"); err != nil {
		t.Skipf("no file system of 300 kB: mount: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(disk, syscall.MNT_DETACH) })
	lock, err := engine.Acquire(dir, "local", "up")
	must(t, err)
	defer lock.Unlock()
	w := open(t, dir, root, "local")
	defer w.model.Close()
	if err = w.Up(t.Context(), inprocess.Run{}); err == nil {
		t.Fatal("the state fits the disk: make it smaller")
	}
	must(t, syscall.Mount("tmpfs", disk, "tmpfs", syscall.MS_REMOUNT, "size=64m"))
	return err.Error() + strings.Join(w.failed, "\n")
}

// upWithSmallFiles runs the up in a process whose files are limited to 300 kB.
func upWithSmallFiles(t *testing.T, dir, root string) (said string) {
	self, err := os.Executable()
	must(t, err)
	child := exec.Command(self)
	child.Env = append(os.Environ(), "INPROCESS_VICTIM="+dir, "INPROCESS_ROOT="+root, "INPROCESS_OPERATION=up",
		"INPROCESS_LIMIT="+strconv.Itoa(300<<10))
	out, err := child.CombinedOutput()
	if err == nil {
		t.Fatal("the state fits the limit: make it smaller")
	}
	return string(out)
}

func init() {
	if limit, err := strconv.ParseUint(os.Getenv("INPROCESS_LIMIT"), 10, 64); err == nil {
		_ = syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: limit, Max: limit})
	}
}
