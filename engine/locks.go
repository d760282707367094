package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"
)

// A Life is whether the run that took a lock is still alive.
type Life string

const (
	Alive   Life = "alive"
	Gone    Life = "ended"
	Unclear Life = "unknown" // it runs, or ran, where this host cannot see it
)

// A StateLock is the engine's lock on a stack, and what is known about its owner. Unlike a Lock it outlives its process.
type StateLock struct {
	Key   string    `json:"key"` // its object in the backend's bucket
	PID   int       `json:"pid"` // of the engine
	Host  string    `json:"host"`
	User  string    `json:"user"`
	Since time.Time `json:"since"`
	Run   *Owner    `json:"run,omitempty"` // the run of slipway that it belongs to, if that left a note
	Life  Life      `json:"life"`
	Why   string    `json:"why"` // how Life is known

	note string // the object in which Run is kept
}

func (l StateLock) String() string {
	who := fmt.Sprintf("%s@%s, process %d, since %s (%s ago)", l.User, l.Host, l.PID,
		l.Since.Format(time.RFC3339), time.Since(l.Since).Round(time.Second))
	if l.Run != nil {
		who = "slipway " + l.Run.Operation + ": " + who
		if l.Run.GitHub != nil {
			who += ", " + l.Run.GitHub.String()
		}
	}
	return who + ": " + l.Why
}

// A StateLockedError says that another engine has the stack.
type StateLockedError struct {
	Stack string
	Locks []StateLock
}

func (e *StateLockedError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "stack %s is in use by a Pulumi engine:", e.Stack)
	for _, l := range e.Locks {
		b.WriteString("\n  " + l.String())
	}
	fmt.Fprintf(&b, "\nwait for it to end; if its run has ended already, this frees the stack: slipway unlock --stack %s --live", e.Stack)
	return b.String()
}

// stateLocks are the engine's locks on a stack, in the bucket of its state.
type stateLocks struct {
	store
	github GitHub
	logf   func(format string, args ...any)
}

// list is the locks, oldest first.
func (s stateLocks) list(ctx context.Context) ([]StateLock, error) {
	if s.backend == nil {
		if err := s.mend(s.locksKey()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("engine: %w", err)
		}
	}
	bucket, err := s.Bucket(ctx)
	if err != nil {
		return nil, err
	}
	defer bucket.Close()
	runs, err := s.notes(ctx, bucket)
	if err != nil {
		return nil, err
	}
	var locks []StateLock
	err = each(ctx, bucket, s.locksKey(), func(key string, data []byte) {
		lock := StateLock{Key: key}
		var written struct {
			PID       int
			Hostname  string
			Username  string
			Timestamp time.Time
		}
		if err := json.Unmarshal(data, &written); err != nil {
			lock.Life, lock.Why = Unclear, "the lock is damaged: "+err.Error()
			if s.backend == nil { // a file can be cut short, an object of S3 cannot
				lock.Life = Gone
			}
		} else {
			lock.PID, lock.Host, lock.User, lock.Since = written.PID, written.Hostname, written.Username, written.Timestamp
			lock = s.attribute(ctx, lock, runs)
		}
		locks = append(locks, lock)
	})
	return locks, err
}

// each reads every object below a prefix. One that is gone by the time it is read is left out.
func each(ctx context.Context, bucket *blob.Bucket, prefix string, found func(key string, data []byte)) error {
	for list := bucket.List(&blob.ListOptions{Prefix: prefix}); ; {
		object, err := list.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("engine: listing %s: %w", prefix, err)
		}
		if !strings.HasSuffix(object.Key, ".json") {
			continue
		}
		data, err := bucket.ReadAll(ctx, object.Key)
		if gcerrors.Code(err) == gcerrors.NotFound {
			continue
		}
		if err != nil {
			return fmt.Errorf("engine: %s: %w", object.Key, err)
		}
		found(object.Key, data)
	}
}

// life finds out whether the run behind a lock is still alive.
func (s stateLocks) life(ctx context.Context, l StateLock) (Life, string) {
	if ofThisMachine(l) {
		if running(l.PID) {
			return Alive, "the process runs on this host"
		}
		return Gone, "the process is gone from this host"
	}
	if l.Run == nil || l.Run.GitHub == nil {
		return Unclear, "it cannot be seen from this host"
	}
	return s.github.life(ctx, *l.Run.GitHub)
}

// running reports whether a process of this host exists.
func running(pid int) bool {
	process, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	err = process.Signal(syscall.Signal(0))
	return err == nil || errors.Is(err, os.ErrPermission)
}

// remove removes locks, and the notes of their runs.
func (s stateLocks) remove(ctx context.Context, locks []StateLock) error {
	bucket, err := s.Bucket(ctx)
	if err != nil {
		return err
	}
	defer bucket.Close()
	for _, l := range locks {
		for _, key := range []string{l.Key, l.note} {
			if key == "" {
				continue
			}
			if err := bucket.Delete(ctx, key); err != nil && gcerrors.Code(err) != gcerrors.NotFound {
				return fmt.Errorf("engine: %s: %w", key, err)
			}
		}
	}
	return nil
}

// clear removes the locks of dead engines from the stack's own directory. The caller has the Lock, so an engine that is
// alive either belongs to the last owner and is about to end, because its program is gone, or to someone who uses the
// backend without slipway. It waits for such an engine for the given patience, then refuses.
func (s stateLocks) clear(ctx context.Context, patience time.Duration) error {
	if _, err := os.Stat(filepath.Join(s.stateDir(), filepath.FromSlash(s.locksKey()))); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		locks, err := s.list(ctx)
		if err != nil {
			return err
		}
		ended, left := divide(locks, func(l StateLock) bool { return l.Life == Gone })
		if err := s.remove(ctx, ended); err != nil {
			return err
		}
		if len(left) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return &StateLockedError{Stack: s.stack, Locks: left}
		}
	}
}

func divide(locks []StateLock, by func(StateLock) bool) (yes, no []StateLock) {
	for _, l := range locks {
		if by(l) {
			yes = append(yes, l)
		} else {
			no = append(no, l)
		}
	}
	return yes, no
}

// admit lets an operation begin on a stack with a Backend. It removes a lock whose run is known to have ended, if that was
// a run of this host or of this repository's workflows. Any other lock is refused. The engine then takes its own lock,
// which decides between two runs that start at once.
func (s stateLocks) admit(ctx context.Context) error {
	locks, err := s.list(ctx)
	if err != nil {
		return err
	}
	own := GitHubRunOf(os.Getenv)
	ended, left := divide(locks, func(l StateLock) bool {
		ours := ofThisMachine(l) || own != nil && l.Run != nil && l.Run.GitHub != nil && own.Repository == l.Run.GitHub.Repository
		return ours && l.Life == Gone
	})
	if len(left) > 0 {
		return &StateLockedError{Stack: s.stack, Locks: left}
	}
	for _, l := range ended {
		s.logf("Releasing the lock of a run that has ended: %s.", l)
	}
	return s.remove(ctx, ended)
}

// notesKey is the folder for the notes of runs on a stack with a Backend: the engine's lock names a process and a host,
// which does not identify a run in CI.
func (s stateLocks) notesKey() string { return ".slipway/runs/" + s.project + "/" + s.stack + "/" }

// note writes the note of this run, and returns a function that removes it.
func (s stateLocks) note(ctx context.Context, operation string) (func() error, error) {
	bucket, err := s.Bucket(ctx)
	if err != nil {
		return nil, err
	}
	defer bucket.Close()
	owner := self(operation)
	data, err := json.Marshal(owner)
	if err != nil {
		return nil, err
	}
	key := s.notesKey() + owner.noteName()
	if err := bucket.WriteAll(ctx, key, data, nil); err != nil {
		return nil, fmt.Errorf("the backend %s: %w", s.url(), err)
	}
	return func() error {
		return s.remove(context.WithoutCancel(ctx), []StateLock{{Key: key}})
	}, nil
}

// A note identifies a run.
type note struct {
	Owner
	key string
}

// notes are the runs that left a note.
func (s stateLocks) notes(ctx context.Context, bucket *blob.Bucket) ([]note, error) {
	var runs []note
	err := each(ctx, bucket, s.notesKey(), func(key string, data []byte) {
		n := note{key: key}
		if json.Unmarshal(data, &n.Owner) == nil {
			runs = append(runs, n)
		}
	})
	return runs, err
}

// notesOf are the runs that a lock may belong to, the last first: those that began on the lock's host before the lock was
// taken. A run leaves its note before it starts the engine.
func notesOf(l StateLock, runs []note) []note {
	var found []note
	for _, r := range runs {
		if r.Host == l.Host && !r.Since.After(l.Since) {
			found = append(found, r)
		}
	}
	slices.SortStableFunc(found, func(a, b note) int { return b.Since.Compare(a.Since) })
	return found
}
