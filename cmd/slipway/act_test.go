package main

import (
	"slices"
	"strings"
	"testing"
)

// acts restarts, scales, pauses and resumes the stack that runs, with visitors.
func (r *running) acts(t *testing.T, ada *visitor, posts int) {
	t.Helper()
	do := func(want string, args ...string) {
		t.Helper()
		if out, code := r.slipway(args...); code != 0 || !strings.Contains(out, want) {
			t.Fatalf("%q: exit code %d, want %q:\n%s", args, code, want, out)
		}
	}
	before := r.tasks()
	load := ada.load()
	do("Restarted: web.", "restart", "web")
	answered, added, failed := load()
	posts += added
	after := r.tasks()
	web := func(id string) bool { return strings.HasPrefix(id, "slipway-dev-web ") }
	if len(failed) > 0 || answered < 20 || len(after) != len(before) ||
		slices.ContainsFunc(after, func(id string) bool { return web(id) && slices.Contains(before, id) }) {
		t.Errorf("%d requests, failed: %q; tasks were %q and are %q", answered, failed, before, after)
	}

	do("Stack dev is paused.", "pause")
	r.until("no task runs", func() bool { return len(r.tasks()) == 0 })
	if left := r.containers("slipway.database"); len(left) > 0 {
		t.Errorf("the database of a paused stack runs: %q", left)
	}
	if out, code := r.up(); code != exitFailed || !strings.Contains(out, "stack dev is paused since") {
		t.Errorf("up of a paused stack: exit code %d\n%s", code, out)
	}
	do("Stack dev is back: ", "resume")
	if now := r.tasks(); len(now) != len(before) {
		t.Errorf("tasks were %q and are %q", before, now)
	}
	ada.wrote(posts)

	do("Service worker-feed has 2 tasks.", "scale", "worker-feed", "2")
	if now := r.tasks(); len(now) != len(before)+1 {
		t.Errorf("after scaling a worker to 2, tasks were %q and are %q", before, now)
	}
}
