package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"gocloud.dev/gcerrors"
)

// A Checkpoint is the part of the engine's state file that can be read without its passphrase.
type Checkpoint struct {
	Resources []apitype.ResourceV3
	Pending   []apitype.OperationV2
}

// statePath is where the file backend keeps the state of the stack.
func (s store) statePath() string {
	return filepath.Join(s.stateDir(), filepath.FromSlash(s.stateKey()))
}

// exists reports whether the stack was ever created.
func (s store) exists(ctx context.Context) (bool, error) {
	if s.backend == nil {
		_, err := os.Stat(s.statePath())
		return err == nil, nil
	}
	bucket, err := s.Bucket(ctx)
	if err != nil {
		return false, err
	}
	defer bucket.Close()
	there, err := bucket.Exists(ctx, s.stateKey())
	if err != nil {
		return false, fmt.Errorf("the backend %s: %w", s.backend.URL, err)
	}
	return there, nil
}

// read reads the state. A stack that does not exist yet has an empty one.
func (s store) read(ctx context.Context) (Checkpoint, error) {
	if s.backend != nil {
		return s.readObject(ctx)
	}
	path := s.statePath()
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return Checkpoint{}, nil
	}
	if err != nil {
		return Checkpoint{}, fmt.Errorf("engine: %w", err)
	}
	state, err := s.last.parse(data)
	if err == nil {
		return state, nil
	}
	advice := "there is no backup beside it; delete the directory " + s.dir + " to begin again"
	if backup, readErr := os.ReadFile(path + ".bak"); readErr == nil {
		if _, backupErr := ParseState(backup); backupErr == nil {
			advice = fmt.Sprintf("the state before the last change is %s.bak: copy it over the damaged file and run again", path)
		}
	}
	return Checkpoint{}, fmt.Errorf("the state of stack %s is damaged: %s: %w\nnothing was changed; %s", s.stack, path, err, advice)
}

// readObject reads the state in the bucket of the backend.
func (s store) readObject(ctx context.Context) (Checkpoint, error) {
	bucket, err := s.Bucket(ctx)
	if err != nil {
		return Checkpoint{}, err
	}
	defer bucket.Close()
	data, err := bucket.ReadAll(ctx, s.stateKey())
	if gcerrors.Code(err) == gcerrors.NotFound {
		return Checkpoint{}, nil
	}
	if err != nil {
		return Checkpoint{}, fmt.Errorf("the backend %s: %w", s.backend.URL, err)
	}
	state, err := ParseState(data)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("the state of stack %s is damaged: %s in %s: %w\n"+
			"nothing was changed; the bucket keeps the versions before it. This finds the newest one that can be read, and asks "+
			"before it restores that:\n  slipway unlock --stack %[1]s --live --restore-state",
			s.stack, s.stateKey(), s.backend.URL, err)
	}
	return state, nil
}

// A parsed state is what an operation last read. It reads its state several times, and parsing takes longer than reading.
type parsed struct {
	sync.Mutex
	data  []byte
	state Checkpoint
}

func (p *parsed) parse(data []byte) (Checkpoint, error) {
	p.Lock()
	defer p.Unlock()
	if p.data != nil && bytes.Equal(p.data, data) {
		return p.state, nil
	}
	state, err := ParseState(data)
	if err == nil {
		p.data, p.state = data, state
	}
	return state, err
}

// ParseState reads a state file. It needs no passphrase.
func ParseState(data []byte) (Checkpoint, error) {
	var file struct {
		Version    int `json:"version"`
		Checkpoint *struct {
			Latest *struct {
				Resources []apitype.ResourceV3  `json:"resources"`
				Pending   []apitype.OperationV2 `json:"pending_operations"`
			} `json:"latest"`
		} `json:"checkpoint"`
	}
	err := json.Unmarshal(data, &file)
	if v := file.Version; (v != 0 || err == nil) && (v < 3 || v > apitype.DeploymentSchemaVersionLatest) {
		return Checkpoint{}, fmt.Errorf("its version is %d, this program reads 3 to %d", v, apitype.DeploymentSchemaVersionLatest)
	}
	if err != nil {
		return Checkpoint{}, err
	}
	if file.Checkpoint == nil {
		return Checkpoint{}, errors.New("it has no checkpoint")
	}
	latest := file.Checkpoint.Latest
	if latest == nil {
		return Checkpoint{}, nil
	}
	state := Checkpoint{Resources: latest.Resources, Pending: latest.Pending}
	for i, r := range state.Resources {
		if !r.URN.IsValid() {
			return Checkpoint{}, fmt.Errorf("resource %d has the URN %q, which is none", i, r.URN)
		}
	}
	for i, op := range state.Pending {
		if !op.Resource.URN.IsValid() {
			return Checkpoint{}, fmt.Errorf("pending operation %d has the URN %q, which is none", i, op.Resource.URN)
		}
	}
	return state, nil
}

// has reports whether the checkpoint holds a resource.
func (c Checkpoint) has(urn resource.URN) bool {
	return slices.ContainsFunc(c.Resources, func(r apitype.ResourceV3) bool { return r.URN == urn })
}

// Deployed reports whether the state holds any resource of the program.
func (c Checkpoint) Deployed() bool {
	return slices.ContainsFunc(c.Resources, func(r apitype.ResourceV3) bool { return r.Custom && r.Type.Package() != "pulumi" })
}

// mend removes what an engine that was killed while writing has left truncated, below a key of the file backend. The file
// backend replaces a file atomically, but it writes the attributes beside it (.attrs) in place, and cannot read the file
// if they are truncated. Nothing needs the attributes.
func (s store) mend(below string) error {
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
