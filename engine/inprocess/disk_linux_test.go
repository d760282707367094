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

// The disk fills up in the middle of an up. The state is the last one that was written as a whole, and the next run, when there
// is space again, continues from it. The state has 560 kB at the end, the model 210 kB.
func TestFullDisk(t *testing.T) {
	for name, c := range map[string]struct {
		reason string
		fill   func(t *testing.T, disk string) (empty func())
	}{
		"file system": {"no space left on device", func(t *testing.T, disk string) func() {
			if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=300k"); err != nil {
				t.Skipf("no file system of 300 kB: mount: %v", err)
			}
			t.Cleanup(func() { _ = syscall.Unmount(disk, syscall.MNT_DETACH) })
			return func() { must(t, syscall.Mount("tmpfs", disk, "tmpfs", syscall.MS_REMOUNT, "size=64m")) }
		}},
		// This one needs no privileges.
		"limit": {"file too large", func(t *testing.T, _ string) func() {
			var before syscall.Rlimit
			must(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before))
			must(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 300 << 10, Max: before.Max}))
			empty := func() { _ = syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before) }
			t.Cleanup(empty)
			return empty
		}},
	} {
		t.Run(name, func(t *testing.T) {
			dir, root := filepath.Join(t.TempDir(), "local"), clone(t)
			disk := filepath.Join(dir, "state")
			must(t, os.MkdirAll(disk, 0o700))
			lock, err := engine.Acquire(dir, "local", "up")
			must(t, err)
			defer lock.Unlock()
			w := open(t, dir, root, "local")
			defer w.model.Close()
			empty := c.fill(t, disk)

			err = w.Up(t.Context(), inprocess.Run{})
			if err == nil {
				t.Fatal("the state fits the disk: make it smaller")
			}
			if said := err.Error() + strings.Join(w.failed, "\n"); !strings.Contains(said, c.reason) {
				t.Errorf("the error does not name the reason:\n%s", said)
			}
			if n := len(latest(t, w.StatePath()).Resources); n < 20 {
				t.Errorf("the state has %d resources", n)
			}
			if _, err := os.Stat(w.StatePath() + ".new"); err == nil {
				t.Error("half a state stayed behind")
			}

			empty()
			w.repair(t, lock)
			w.up(t, inprocess.Run{})
			w.twins(t)
			w.destroy(t)
			w.empty(t)
		})
	}
}
