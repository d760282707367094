package release

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"gocloud.dev/gcerrors"
)

// A checkpoint is the part of the engine's state file that can be read without its passphrase.
type checkpoint struct {
	Resources []apitype.ResourceV3
	Pending   []apitype.OperationV2
}

// statePath is where the file backend keeps the state of the stack.
func (s *Stack) statePath() string {
	return filepath.Join(s.stateDir(), filepath.FromSlash(s.stateKey()))
}

// readState reads the state. A stack that was never made has an empty one.
func (s *Stack) readState(ctx context.Context) (checkpoint, error) {
	if s.Backend != nil {
		return s.readObject(ctx)
	}
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

// readObject reads the state in the bucket of the backend.
func (s *Stack) readObject(ctx context.Context) (checkpoint, error) {
	bucket, err := s.Bucket(ctx)
	if err != nil {
		return checkpoint{}, err
	}
	defer bucket.Close()
	data, err := bucket.ReadAll(ctx, s.stateKey())
	if gcerrors.Code(err) == gcerrors.NotFound {
		return checkpoint{}, nil
	}
	if err != nil {
		return checkpoint{}, fmt.Errorf("the backend %s: %w", s.Backend.URL, err)
	}
	state, err := parseState(data)
	if err != nil {
		return checkpoint{}, fmt.Errorf("the state of stack %s is damaged: %s in %s: %w\nnothing was changed; the bucket keeps the versions before it",
			s.Stack, s.stateKey(), s.Backend.URL, err)
	}
	return state, nil
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
	state := checkpoint{Resources: latest.Latest.Resources, Pending: latest.Latest.Pending}
	for i, r := range state.Resources {
		if !r.URN.IsValid() {
			return checkpoint{}, fmt.Errorf("resource %d has the URN %q, which is none", i, r.URN)
		}
	}
	for i, op := range state.Pending {
		if !op.Resource.URN.IsValid() {
			return checkpoint{}, fmt.Errorf("pending operation %d has the URN %q, which is none", i, op.Resource.URN)
		}
	}
	return state, nil
}

// mendBackend removes what an engine that was killed while it wrote has left cut short, below a key of the file backend. The file backend puts a file in
// place whole, but the note of attributes beside it (.attrs) it writes in place, and then cannot read the file without
// it. A file does without the note, which says nothing that is needed.
func (s *Stack) mendBackend(below string) error {
	return filepath.WalkDir(filepath.Join(s.stateDir(), filepath.FromSlash(below)), func(path string, entry fs.DirEntry, err error) error {
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
