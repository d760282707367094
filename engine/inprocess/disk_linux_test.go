package inprocess_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"slipway/engine"
	"slipway/engine/inprocess"
)

// The disk fills up in the middle of an up. The state is the last one that was written as a whole, and when there is space
// again the next run continues.
func TestFullDisk(t *testing.T) {
	dir, root := filepath.Join(t.TempDir(), "local"), clone(t)
	disk := filepath.Join(dir, "state")
	must(t, os.MkdirAll(disk, 0o700))
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=300k"); err != nil {
		t.Skipf("no file system of 300 kB: mount: %v", err)
	}
	defer syscall.Unmount(disk, syscall.MNT_DETACH)

	lock, err := engine.Acquire(dir, "local", "up")
	must(t, err)
	defer lock.Unlock()
	w := open(t, dir, root, "local")
	defer w.model.Close()
	err = w.Up(t.Context(), inprocess.Run{})
	if err == nil {
		t.Fatal("the state fits the disk: make it smaller")
	}
	if said := err.Error() + strings.Join(w.failed, "\n"); !strings.Contains(said, "no space left on device") {
		t.Errorf("the error does not name the reason:\n%s", said)
	}
	if n := len(latest(t, w.StatePath()).Resources); n < 20 {
		t.Errorf("the state has %d resources", n)
	}
	if _, err := os.Stat(w.StatePath() + ".new"); err == nil {
		t.Error("half a state stayed behind")
	}

	must(t, syscall.Mount("tmpfs", disk, "tmpfs", syscall.MS_REMOUNT, "size=64m"))
	w.repair(t, lock)
	w.up(t, inprocess.Run{})
	w.twins(t)
	w.destroy(t)
	w.empty(t)
}
