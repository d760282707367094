package engine

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strings"

	"github.com/google/renameio/v2"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/encoding"
	sdkworkspace "github.com/pulumi/pulumi/sdk/v3/go/common/workspace"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"slipway/engine/inprocess"
)

// openLocal opens a stack without a Backend. Its passphrase, configuration and program are set before they are used.
func (s *Stack) openLocal() (*inprocess.Stack, error) {
	project, err := sdkworkspace.LoadProjectBytes(s.Project, "Pulumi.yaml", encoding.YAML)
	if err != nil {
		return nil, fmt.Errorf("in Pulumi.yaml: %w", err)
	}
	opened, err := inprocess.Open(inprocess.Options{
		Project: project, Stack: s.Stack, Dir: s.dir, State: s.stateDir(), Decrypter: s.Config.decrypter(),
		KeyFile: filepath.Join(s.dir, "key"), Program: unset, Providers: s.Providers, SkipCheckpoints: s.Throwaway,
		Monitor: s.Monitor,
	})
	if err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	return opened, nil
}

func unset(*pulumi.Context) error {
	return errors.New("engine: the stack was opened without a program")
}

// prepareLocal prepares the stack for an operation.
func (s *Stack) prepareLocal(ctx context.Context) error {
	if err := os.MkdirAll(s.stateDir(), 0o700); err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	if err := s.makePassphrase(ctx); err != nil {
		return err
	}
	if err := s.unlockSecrets(); err != nil {
		return err
	}
	configured, err := s.Config.plain(ctx, s.Stack, s.local.Project)
	if err != nil {
		return err
	}
	s.local.Config, s.local.Program, s.local.Decrypter = configured, s.Program, s.Config.decrypter()
	clearSettings()
	s.settleHome()
	return s.local.Init(ctx)
}

// clearSettings takes Pulumi's own settings out of this process: the engine reads them wherever it runs, and they could name
// a backend, a passphrase or a provider that is not the stack's. PULUMI_HOME stays. It names the plugins of stacks with a
// Backend; an engine in this process needs none.
func clearSettings() {
	for _, pair := range os.Environ() {
		if name, _, _ := strings.Cut(pair, "="); strings.HasPrefix(name, "PULUMI_") && name != "PULUMI_HOME" {
			_ = os.Unsetenv(name)
		}
	}
}

// settleHome names a home for the engine in this process where the system knows none: the engine looks for plugins in the home of
// user.Current, which a statically linked program does not find in a container whose user has no name.
func (s *Stack) settleHome() {
	if _, err := user.Current(); err != nil && os.Getenv("PULUMI_HOME") == "" {
		_ = os.Setenv("PULUMI_HOME", s.home())
	}
}

// runLocal runs an action in this process.
func (s *Stack) runLocal(ctx context.Context, a action, hear func(apitype.EngineEvent)) error {
	s.local.OnEvent = hear
	run := inprocess.Run{Targets: a.targets, Parallel: a.parallel, Refresh: a.refresh}
	return map[kind]func(context.Context, inprocess.Run) error{
		update: s.local.Up, preview: s.local.Preview, destroy: s.local.Destroy, refresh: s.local.Refresh, previewRefresh: s.local.PreviewRefresh,
	}[a.kind](ctx, run)
}

// Backup keeps the present state beside itself, as an Up does. A Backend keeps versions instead.
func (s *Stack) Backup() error {
	if s.Backend != nil {
		return nil
	}
	return s.local.Backup()
}

func (s *Stack) passphraseFile() string { return filepath.Join(s.dir, "passphrase") }

// unlockSecrets reads the passphrase of the secrets in the state.
func (s *Stack) unlockSecrets() error {
	passphrase, err := os.ReadFile(s.passphraseFile())
	if errors.Is(err, fs.ErrNotExist) {
		return s.noPassphrase()
	}
	if err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	s.local.Passphrase = string(passphrase)
	return nil
}

func (s *Stack) noPassphrase() error {
	return fmt.Errorf("%s is missing: without it the secrets in the state of stack %s cannot be read; "+
		"put it back, or delete the directory %s to begin again", s.passphraseFile(), s.Stack, s.dir)
}

// makePassphrase creates the passphrase that encrypts the secrets in the state, once per stack.
func (s *Stack) makePassphrase(ctx context.Context) error {
	if _, err := os.Stat(s.passphraseFile()); err == nil {
		return nil
	}
	if there, err := s.exists(ctx); err != nil {
		return err
	} else if there {
		return s.noPassphrase()
	}
	if err := renameio.WriteFile(s.passphraseFile(), []byte(rand.Text()), 0o600); err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	return nil
}
