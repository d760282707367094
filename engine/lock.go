package release

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// An Owner is who holds a stack.
type Owner struct {
	PID       int       `json:"pid"`
	Host      string    `json:"host"`
	Since     time.Time `json:"since"`
	Operation string    `json:"operation"` // "up"

	GitHub *GitHubRun `json:"github,omitempty"` // the workflow run that it is part of
}

func (o Owner) String() string {
	return fmt.Sprintf("slipway %s, process %d on %s, since %s (%s ago)", o.Operation, o.PID, o.Host,
		o.Since.Format(time.RFC3339), time.Since(o.Since).Round(time.Second))
}

// A Held error says that another operation is under way on the stack.
type Held struct {
	Stack string
	Owner Owner
}

func (e *Held) Error() string {
	return fmt.Sprintf("stack %s is in use by %s; wait for it to end", e.Stack, e.Owner)
}

// A Hold is the right to change a stack; one process has it at a time.
//
// It is a lock that the kernel gives back when its process ends, however it ends: nobody has to guess whether a process
// number of long ago is alive. Beside the lock lies a note of who took it. The note is removed when an operation ends in
// an orderly way, so a note that is found while the lock is free was left by an operation that was killed.
type Hold struct {
	Dir   string // of the stack
	Stack string

	// Killed is the owner that was killed and whose work has not been repaired yet, or nil.
	Killed *Owner

	owner Owner // this process
	lock  *flock.Flock
}

// Take takes hold of the stack whose directory is dir, making the directory if need be. It does not wait: if another
// process holds the stack the error is a *Held.
func Take(dir, stack, operation string) (*Hold, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("release: %w", err)
	}
	h := &Hold{Dir: dir, Stack: stack, owner: self(operation), lock: flock.New(filepath.Join(dir, "lock"), flock.SetPermissions(0o600))}
	free, err := h.lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("release: %s: %w", h.lock.Path(), err)
	}
	owner, noteErr := h.readNote()
	if !free {
		if owner == nil {
			owner = &Owner{Operation: "operation"}
		}
		return nil, &Held{Stack: stack, Owner: *owner}
	}
	if noteErr != nil { // killed in the middle of writing it
		owner = &Owner{Operation: "operation"}
	}
	h.Killed = owner
	if err := h.writeNote(); err != nil {
		h.lock.Unlock()
		return nil, err
	}
	return h, nil
}

// Release gives the stack back. The note of an operation that was killed stays until an operation has repaired its work.
func (h *Hold) Release() error {
	var err error
	if h.Killed == nil {
		err = os.Remove(h.note())
	}
	return errors.Join(err, h.lock.Unlock())
}

func (h *Hold) note() string { return filepath.Join(h.Dir, "owner.json") }

func (h *Hold) readNote() (*Owner, error) {
	data, err := os.ReadFile(h.note())
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

func (h *Hold) writeNote() error {
	data, err := json.Marshal(h.owner)
	if err != nil {
		return err
	}
	return os.WriteFile(h.note(), data, 0o600)
}

func self(operation string) Owner {
	host, err := os.Hostname()
	if err != nil {
		host = "an unknown host"
	}
	return Owner{PID: os.Getpid(), Host: host, Since: time.Now().Truncate(time.Second), Operation: operation, GitHub: GitHubRunOf(os.Getenv)}
}
