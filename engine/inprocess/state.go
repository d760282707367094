package inprocess

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/pulumi/pulumi/pkg/v3/backend/display"
	"github.com/pulumi/pulumi/pkg/v3/resource/deploy"
	"github.com/pulumi/pulumi/pkg/v3/resource/edit"
	"github.com/pulumi/pulumi/pkg/v3/resource/stack"
	"github.com/pulumi/pulumi/pkg/v3/secrets"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/encoding"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/config"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"

	"slipway/engine/inprocess/passphrase"
)

// ErrNoState means that the stack has no state yet.
var ErrNoState = errors.New("the stack has no state yet")

// StatePath is the file that holds the state.
func (s *Stack) StatePath() string {
	return filepath.Join(s.State, ".pulumi", "stacks", string(s.Project.Name), s.name.String()+".json")
}

// Init creates an empty state if there is none.
func (s *Stack) Init(context.Context) error {
	if _, err := os.Stat(s.StatePath()); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return errors.Join((&persister{s: s}).Save(apitype.TypedDeployment{Version: apitype.DeploymentSchemaVersionCurrent}), s.sync())
}

// checkpoint reads the state file.
func (s *Stack) checkpoint() (*apitype.CheckpointV3, apitype.UntypedDeployment, error) {
	data, err := os.ReadFile(s.StatePath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, apitype.UntypedDeployment{}, ErrNoState
	}
	if err != nil {
		return nil, apitype.UntypedDeployment{}, fmt.Errorf("inprocess: %w", err)
	}
	read, version, features, err := stack.UnmarshalVersionedCheckpointToLatestCheckpoint(encoding.JSON, data)
	if err != nil {
		return nil, apitype.UntypedDeployment{}, fmt.Errorf("inprocess: the state %s is damaged: %w", s.StatePath(), err)
	}
	return read, apitype.UntypedDeployment{Version: version, Features: features}, nil
}

// load reads the state for the engine, with what encrypts its secrets.
func (s *Stack) load(ctx context.Context) (*deploy.Snapshot, secrets.Manager, error) {
	read, _, err := s.checkpoint()
	var base *deploy.Snapshot
	if err == nil {
		if base, err = stack.DeserializeCheckpoint(ctx, s.keys(), read); err == nil && base != nil {
			err = base.VerifyIntegrity()
		}
	}
	if err != nil && !errors.Is(err, ErrNoState) {
		return nil, nil, fmt.Errorf("inprocess: the state of stack %s: %w", s.Stack, err)
	}
	if base != nil && base.SecretsManager != nil {
		return base, base.SecretsManager, nil
	}
	manager, err := s.keys().Manager(ctx, s.Salt)
	if err != nil {
		return nil, nil, fmt.Errorf("inprocess: the passphrase of stack %s: %w", s.Stack, err)
	}
	return base, manager, nil
}

func (s *Stack) keys() passphrase.Keys {
	return passphrase.Keys{Passphrase: s.Passphrase, File: s.KeyFile}
}

// A persister writes the state of one operation.
type persister struct {
	s    *Stack
	kept bool         // the state before the operation is in the backup
	data bytes.Buffer // used again by every Save
}

// Save implements backend.SnapshotPersister.
func (p *persister) Save(d apitype.TypedDeployment) error {
	p.data.Reset()
	encoder := json.NewEncoder(&p.data)
	encoder.SetEscapeHTML(false)
	qualified := tokens.QName(organization + "/" + string(p.s.Project.Name) + "/" + p.s.name.String())
	err := encoder.Encode(struct {
		Version    int                  `json:"version"`
		Features   []string             `json:"features,omitempty"`
		Checkpoint apitype.CheckpointV3 `json:"checkpoint"`
	}{d.Version, d.Features, apitype.CheckpointV3{Stack: qualified, Latest: d.Deployment}})
	if err != nil {
		return fmt.Errorf("inprocess: %w", err)
	}
	if !p.kept {
		if err := p.s.prepare(); err != nil {
			return err
		}
		p.kept = true
	}
	return replace(p.s.StatePath(), bytes.TrimSpace(p.data.Bytes()))
}

// prepare creates the folders, and backs up the current state as the CLI does, in STACK.json.bak.
func (s *Stack) prepare() error {
	path := s.StatePath()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("inprocess: %w", err)
	}
	// Without this file the CLI takes a folder with stacks for one of its first layout.
	meta := filepath.Join(s.State, ".pulumi", "meta.yaml")
	if _, err := os.Stat(meta); errors.Is(err, fs.ErrNotExist) {
		if err := replace(meta, []byte("version: 1\n")); err != nil {
			return err
		}
	}
	// The attributes that the CLI keeps beside a file would not fit the next one. It does without.
	_ = os.Remove(path + ".attrs")
	if _, err := os.Stat(path); err == nil {
		_ = os.Remove(path + ".bak")
		_ = os.Link(path, path+".bak") // a file system without links has no backup
	}
	return nil
}

// Backup backs up the current state, as an update does that changes nothing. It copies: an update replaces the file and can
// leave the old one to the backup, but here both names would be one file, and be damaged together.
func (s *Stack) Backup() error {
	data, err := os.ReadFile(s.StatePath())
	if err != nil {
		return fmt.Errorf("inprocess: %w", err)
	}
	return replace(s.StatePath()+".bak", data)
}

// replace writes a file as a whole: a reader, also one after a crash of this process or on a full disk, finds the old
// content or the new. It does not wait for the disk, because only a power cut would lose what the kernel has; see sync.
func replace(path string, data []byte) error {
	next := path + ".new" // one name, so that a process that was killed leaves nothing that piles up
	file, err := os.OpenFile(next, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("inprocess: %w", err)
	}
	_, err = file.Write(data)
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(next, path)
	}
	if err != nil {
		_ = os.Remove(next)
		return fmt.Errorf("inprocess: write the state: %w", err)
	}
	return nil
}

// sync waits until the state is on the disk.
func (s *Stack) sync() error {
	file, err := os.Open(s.StatePath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil // nothing was written
	}
	if err != nil {
		return fmt.Errorf("inprocess: %w", err)
	}
	defer file.Close()
	if err := file.Sync(); err != nil {
		return fmt.Errorf("inprocess: %w", err)
	}
	return nil
}

// Export is what `pulumi stack export` writes.
func (s *Stack) Export(ctx context.Context, showSecrets bool) ([]byte, error) {
	read, envelope, err := s.checkpoint()
	exported := &envelope
	if err == nil {
		exported.Deployment, err = encoding.JSON.Marshal(read.Latest)
	}
	if err == nil && showSecrets {
		var base *deploy.Snapshot
		if base, err = stack.DeserializeUntypedDeployment(ctx, exported, s.keys()); err == nil {
			exported, err = stack.SerializeUntypedDeployment(ctx, base, &stack.SerializeOptions{ShowSecrets: true, Pretty: true})
		}
	}
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "    ")
	err = encoder.Encode(exported)
	return out.Bytes(), err
}

// Import replaces the state with an export, as `pulumi stack import` does: it drops pending operations.
func (s *Stack) Import(ctx context.Context, exported []byte) error {
	var untyped apitype.UntypedDeployment
	if err := json.Unmarshal(exported, &untyped); err != nil {
		return fmt.Errorf("inprocess: import: %w", err)
	}
	snap, err := stack.DeserializeUntypedDeployment(ctx, &untyped, s.keys())
	if err != nil {
		return fmt.Errorf("inprocess: import: %w", err)
	}
	for _, r := range snap.Resources {
		if r.URN.Stack() != s.name.Q() {
			return fmt.Errorf("inprocess: import: %s is of another stack", r.URN)
		}
	}
	snap.PendingOperations = nil
	return s.save(ctx, snap)
}

// Forget takes a resource out of the state. The error names the resources that need it.
func (s *Stack) Forget(ctx context.Context, urn string) error {
	snap, _, err := s.load(ctx)
	if err != nil {
		return err
	}
	found := edit.LocateResource(snap, resource.URN(urn))
	if len(found) != 1 {
		return fmt.Errorf("inprocess: %d resources of the state are called %s", len(found), urn)
	}
	unprotect := func(r *resource.State) error { r.Protect = false; return nil }
	if err := edit.DeleteResource(snap, found[0], unprotect, false); err != nil {
		return fmt.Errorf("inprocess: %w", err)
	}
	return s.save(ctx, snap)
}

func (s *Stack) save(ctx context.Context, snap *deploy.Snapshot) error {
	if err := snap.VerifyIntegrity(); err != nil {
		return fmt.Errorf("inprocess: %w", err)
	}
	deployment, version, features, err := stack.SerializeDeploymentWithMetadata(ctx, snap, false)
	if err != nil {
		return fmt.Errorf("inprocess: %w", err)
	}
	typed := apitype.TypedDeployment{Deployment: deployment, Version: version, Features: features}
	return errors.Join((&persister{s: s}).Save(typed), s.sync())
}

// Outputs are the stack's, as `pulumi stack output --json` writes them: a secret is "[secret]" unless it is to be shown.
func (s *Stack) Outputs(ctx context.Context, showSecrets bool) (map[string]any, error) {
	snap, _, err := s.load(ctx)
	if err != nil {
		return nil, err
	}
	root, err := stack.GetRootStackResource(snap)
	if err != nil || root == nil {
		return map[string]any{}, err
	}
	return stack.SerializeProperties(ctx, display.MassageSecrets(root.Outputs, showSecrets), config.NewPanicCrypter(), showSecrets)
}
