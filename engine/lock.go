package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
	"github.com/google/renameio/v2"
)

// An Owner is the run that has a lock.
type Owner struct {
	PID       int       `json:"pid"`
	Host      string    `json:"host"`
	Since     time.Time `json:"since"`
	Operation string    `json:"operation"` // "up"

	// Unrepaired is the run whose work was still to be repaired when this one began, nil if there was none.
	Unrepaired *Owner `json:"unrepaired,omitempty"`

	GitHub *GitHubRun `json:"github,omitempty"` // the workflow run that it is part of
}

func (o Owner) String() string {
	return fmt.Sprintf("slipway %s, process %d on %s, since %s (%s ago)", o.Operation, o.PID, o.Host,
		o.Since.Format(time.RFC3339), time.Since(o.Since).Round(time.Second))
}

// A LockedError says that another operation is under way on the stack.
type LockedError struct {
	Stack string
	Owner Owner
}

func (e *LockedError) Error() string {
	return fmt.Sprintf("stack %s is in use by %s; wait for it to end", e.Stack, e.Owner)
}

// changes says whether a run changes the stack. One that only looks leaves nothing to repair when it is killed.
func (o Owner) changes() bool {
	return o.Operation != "preview" && o.Operation != "drift" && o.Operation != "read"
}

// A Lock is the right to change a stack in a local directory. One process has it at a time.
//
// The kernel releases it when its process ends, however it ends, so no process number has to be checked. A note beside
// the lock says who has it. An operation removes its note when it ends normally, so a note that is found while the lock
// is free comes from an operation that was killed.
type Lock struct {
	Dir   string // of the stack
	Stack string

	// Killed is the owner that was killed and whose work has not been repaired yet, or nil.
	Killed *Owner

	owner Owner // this process
	file  *flock.Flock
}

// Acquire locks the stack whose directory is dir, and creates the directory if necessary. It does not wait: if another
// process has the lock the error is a *LockedError.
func Acquire(dir, stack, operation string) (*Lock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("lock stack %s: %w", stack, err)
	}
	l := &Lock{Dir: dir, Stack: stack, owner: self(operation), file: flock.New(filepath.Join(dir, "lock"), flock.SetPermissions(0o600))}
	free, err := l.file.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock stack %s: %w", stack, err)
	}
	owner, noteErr := l.readNote()
	if !free {
		if owner == nil {
			owner = &Owner{Operation: "operation"}
		}
		return nil, &LockedError{Stack: stack, Owner: *owner}
	}
	if noteErr != nil { // damaged: an earlier version wrote it in place
		owner = &Owner{Operation: "operation"}
	}
	if owner != nil && !owner.changes() {
		owner = owner.Unrepaired
	}
	if owner != nil { // repairing its work includes what it did not get to repair
		owner.Unrepaired = nil
	}
	l.Killed, l.owner.Unrepaired = owner, owner
	if err := l.writeNote(); err != nil {
		l.file.Unlock()
		return nil, err
	}
	return l, nil
}

// Unlock releases the stack. The note of an operation that was killed stays until a later operation has repaired its work.
func (l *Lock) Unlock() error {
	var err error
	if l.Killed == nil {
		err = os.Remove(l.note())
	}
	return errors.Join(err, l.file.Unlock())
}

// Holder returns the run that holds the lock of the stack in dir, judged by its note and its process; nil if none does. It takes no lock
// itself, so it never blocks a run.
func Holder(dir string) (*Owner, error) {
	l := Lock{Dir: dir}
	owner, err := l.readNote()
	if owner == nil || err != nil {
		return nil, err
	}
	if host, err := os.Hostname(); err == nil && host == owner.Host && !running(owner.PID) {
		return nil, nil // it was killed
	}
	return owner, nil
}

func (l *Lock) note() string { return filepath.Join(l.Dir, "owner.json") }

func (l *Lock) readNote() (*Owner, error) {
	data, err := os.ReadFile(l.note())
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var owner Owner
	if err := json.Unmarshal(data, &owner); err != nil {
		return nil, err
	}
	return &owner, nil
}

func (l *Lock) writeNote() error {
	data, err := json.Marshal(l.owner)
	if err != nil {
		return err
	}
	if err := renameio.WriteFile(l.note(), data, 0o600, renameio.WithTempDir(l.Dir)); err != nil {
		return fmt.Errorf("lock stack %s: %w", l.Stack, err)
	}
	return nil
}

func self(operation string) Owner {
	host, err := os.Hostname()
	if err != nil {
		host = "an unknown host"
	}
	return Owner{PID: os.Getpid(), Host: host, Since: time.Now().Truncate(time.Second), Operation: operation, GitHub: GitHubRunOf(os.Getenv)}
}
