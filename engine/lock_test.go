package engine_test

import (
	"os"
	"path/filepath"
	"testing"

	"slipway/engine"
)

// A run that only looked leaves nothing to repair when it is killed, and does not hide an earlier one that did.
func TestKilledRuns(t *testing.T) {
	for _, c := range []struct {
		name   string
		killed []string
		want   string // whose work is to be repaired; "": no run
	}{
		{"nothing", nil, ""},
		{"an up", []string{"up"}, "up"},
		{"a preview", []string{"preview"}, ""},
		{"a drift check", []string{"drift"}, ""},
		{"a preview after an up", []string{"up", "preview"}, "up"},
		{"previews after a destroy", []string{"destroy", "preview", "preview"}, "destroy"},
		{"an up after a preview", []string{"preview", "up"}, "up"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			note := filepath.Join(dir, "owner.json")
			for _, operation := range c.killed {
				lock, err := engine.Acquire(dir, "dev", operation)
				if err != nil {
					t.Fatal(err)
				}
				written, err := os.ReadFile(note) // what a kill leaves: the note, without the lock
				if err != nil {
					t.Fatal(err)
				}
				if err := lock.Unlock(); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(note, written, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			lock, err := engine.Acquire(dir, "dev", "up")
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if lock.Killed != nil {
				got = lock.Killed.Operation
			}
			if got != c.want {
				t.Errorf("the killed run is %q, want %q", got, c.want)
			}
			if err := lock.Unlock(); err != nil {
				t.Error(err)
			}
		})
	}
}
