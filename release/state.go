package release

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
)

// A checkpoint is the part of the engine's state file that can be read without its passphrase.
type checkpoint struct {
	Resources []apitype.ResourceV3
	Pending   []apitype.OperationV2
}

// statePath is where the file backend keeps the state of the stack.
func (s *Stack) statePath() string {
	return filepath.Join(s.backend(), ".pulumi", "stacks", s.project, s.Stack+".json")
}

func (s *Stack) backend() string { return filepath.Join(s.dir, "state") }

// readState reads the state file. A stack that was never made has an empty state.
func (s *Stack) readState() (checkpoint, error) {
	path := s.statePath()
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return checkpoint{}, nil
	}
	if err != nil {
		return checkpoint{}, fmt.Errorf("release: %w", err)
	}
	state, err := parseState(data)
	if err == nil {
		return state, nil
	}
	advice := "there is no backup beside it; delete the directory " + s.dir + " to begin again"
	if backup, readErr := os.ReadFile(path + ".bak"); readErr == nil {
		if _, backupErr := parseState(backup); backupErr == nil {
			advice = fmt.Sprintf("the state before the last change is %s.bak: copy it over the damaged file and run again", path)
		}
	}
	return checkpoint{}, fmt.Errorf("the state of stack %s is damaged: %s: %w\nnothing was changed; %s", s.Stack, path, err, advice)
}

func parseState(data []byte) (checkpoint, error) {
	var versioned apitype.VersionedCheckpoint
	if err := json.Unmarshal(data, &versioned); err != nil {
		return checkpoint{}, err
	}
	if v := versioned.Version; v < 3 || v > apitype.DeploymentSchemaVersionLatest {
		return checkpoint{}, fmt.Errorf("its version is %d, this program reads 3 to %d", v, apitype.DeploymentSchemaVersionLatest)
	}
	var latest struct {
		Latest *struct {
			Resources []apitype.ResourceV3  `json:"resources"`
			Pending   []apitype.OperationV2 `json:"pending_operations"`
		} `json:"latest"`
	}
	if err := json.Unmarshal(versioned.Checkpoint, &latest); err != nil {
		return checkpoint{}, err
	}
	if latest.Latest == nil {
		return checkpoint{}, nil
	}
	return checkpoint{Resources: latest.Latest.Resources, Pending: latest.Latest.Pending}, nil
}

// An engineLock is the file that the engine's file backend leaves where it works on a stack. Unlike a Hold it outlives
// its process.
type engineLock struct {
	PID       int       `json:"pid"`
	Host      string    `json:"hostname"`
	User      string    `json:"username"`
	Timestamp time.Time `json:"timestamp"`
}

// clearEngineLocks removes the locks of engines that are dead. The caller has the Hold, so an engine that is alive is
// either the last owner's, which is ending because its program is gone, or somebody else's who uses the backend without
// slipway: it is waited for as long as patience lasts, and then refused.
func (s *Stack) clearEngineLocks(patience time.Duration) error {
	dir := filepath.Join(s.backend(), ".pulumi", "locks", "organization", s.project, s.Stack)
	here, _ := os.Hostname()
	for deadline := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		locks, err := filepath.Glob(filepath.Join(dir, "*.json"))
		if err != nil {
			return err
		}
		var alive []string
		for _, path := range locks {
			data, err := os.ReadFile(path)
			if errors.Is(err, os.ErrNotExist) {
				continue
			}
			if err != nil {
				return err
			}
			var lock engineLock
			if err := json.Unmarshal(data, &lock); err == nil && (lock.Host != here || running(lock.PID)) {
				alive = append(alive, fmt.Sprintf("%s@%s, process %d, since %s (%s ago): %s", lock.User, lock.Host, lock.PID,
					lock.Timestamp.Format(time.RFC3339), time.Since(lock.Timestamp).Round(time.Second), path))
				continue
			}
			for _, gone := range []string{path, path + ".attrs"} {
				if err := os.Remove(gone); err != nil && !errors.Is(err, os.ErrNotExist) {
					return err
				}
			}
		}
		if len(alive) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("stack %s is in use by a Pulumi engine:\n  %s\n"+
				"wait for it to end; if it does not exist any more, delete that file", s.Stack, strings.Join(alive, "\n  "))
		}
	}
}

// running says whether a process of this host exists.
func running(pid int) bool {
	process, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	err = process.Signal(syscall.Signal(0))
	return err == nil || errors.Is(err, os.ErrPermission)
}

// mendBackend removes what an engine that was killed while it wrote has left cut short. The file backend puts a file in
// place whole, but the note of attributes beside it (.attrs) it writes in place, and then cannot read the file without
// it. A file does without the note, which says nothing that is needed.
func (s *Stack) mendBackend() error {
	return filepath.WalkDir(s.backend(), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".attrs" {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil || json.Valid(data) {
			return err
		}
		return os.Remove(path)
	})
}
