package engine

import (
	"context"
	"fmt"
	"os"
	"time"
)

// Holder names the run in a few words that stay the same while it holds the stack.
func (o Owner) Holder() string {
	words := fmt.Sprintf("slipway %s, process %d on %s", o.Operation, o.PID, o.Host)
	if o.GitHub != nil {
		words += ", " + o.GitHub.String()
	}
	return words
}

// Holder names the run behind the lock in a few words that stay the same while it holds the stack.
func (l StateLock) Holder() string {
	if l.Run != nil {
		return l.Run.Holder()
	}
	return fmt.Sprintf("%s@%s, process %d, since %s", l.User, l.Host, l.PID, l.Since.Format(time.RFC3339))
}

// noteName is the name of the object in which the run says who it is. No two runs have the same.
func (o Owner) noteName() string {
	name := fmt.Sprintf("%s-%d-%s", o.Since.UTC().Format("20060102T150405"), o.PID, o.Host)
	if run := o.GitHub; run != nil {
		name += fmt.Sprintf("-%s-%d-%s", run.ID, run.Attempt, run.Job)
	}
	return name + ".json"
}

// same reports whether two runs are the same job on the same machine. A job has one machine from its first step to its last.
func (r *GitHubRun) same(other *GitHubRun) bool {
	return r != nil && other != nil && r.Repository == other.Repository && r.ID == other.ID && r.Attempt == other.Attempt && r.Job == other.Job
}

// ofThisMachine reports whether a process of a run can be found on this host. For a user's machine the host name decides. Two
// GitHub-hosted runners may have the same name and process numbers, so there it must be the same job.
func ofThisMachine(l StateLock) bool {
	here, err := os.Hostname()
	if err != nil || l.Host != here {
		return false
	}
	own := GitHubRunOf(os.Getenv)
	if l.Run == nil {
		return own == nil
	}
	return own == nil && l.Run.GitHub == nil || own.same(l.Run.GitHub)
}

// attribute finds the run that a lock belongs to, among the runs that left a note, and whether it lives.
//
// The engine's lock names a host and a process that slipway does not know beforehand, so a lock belongs to a run of the same
// host that began before the lock was taken. Runs of people take turns on their host: it is the last of these. Two runners
// of GitHub may share a name, so of several it is one that lives, or may live, as long as there is one.
func (s stateLocks) attribute(ctx context.Context, l StateLock, runs []note) StateLock {
	var found *StateLock
	for _, n := range notesOf(l, runs) {
		candidate := l
		candidate.Run, candidate.note = &n.Owner, n.key
		candidate.Life, candidate.Why = s.life(ctx, candidate)
		if found == nil {
			found = &candidate
		}
		if candidate.Life != Gone {
			return candidate
		}
		if n.GitHub == nil {
			break
		}
	}
	if found == nil {
		l.Life, l.Why = s.life(ctx, l)
		return l
	}
	return *found
}

// free returns a *StateLockedError while a run that is alive, or may be, has the stack. It changes nothing.
func (s stateLocks) free(ctx context.Context) error {
	locks, err := s.list(ctx)
	if err != nil {
		return err
	}
	if _, left := divide(locks, func(l StateLock) bool { return l.Life == Gone }); len(left) > 0 {
		return &StateLockedError{Stack: s.stack, Locks: left}
	}
	return nil
}
