package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/google/renameio/v2"
	"github.com/pulumi/esc"
	"github.com/pulumi/pulumi/sdk/v3/go/common/encoding"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/config"
	sdkworkspace "github.com/pulumi/pulumi/sdk/v3/go/common/workspace"
	"gopkg.in/yaml.v3"
)

// A Config is the configuration of a stack as the engine is to see it: the node `config` of a Pulumi.<stack>.yaml. A
// mapping {secure: x} in it is a secret whose value is StandIn(x).
type Config struct{ Node *yaml.Node }

// StandIn is what a rehearsal uses in the place of a secret: it never has the key that would decrypt the secret, but
// another secret has another stand-in, so that a changed secret is seen to change.
func StandIn(ciphertext string) string {
	sum := sha256.Sum256([]byte(ciphertext))
	return "rehearsed-" + hex.EncodeToString(sum[:])
}

// plain is the configuration for an engine in this process, with the project's defaults.
func (c Config) plain(ctx context.Context, stack string, project *sdkworkspace.Project) (config.Map, error) {
	var values config.Map
	written, err := yaml.Marshal(c.Node)
	if err == nil {
		err = encoding.YAML.Unmarshal(written, &values)
	}
	if err != nil {
		return nil, fmt.Errorf("engine: the configuration of stack %s: %w", stack, err)
	}
	if values == nil {
		values = config.Map{}
	}
	err = sdkworkspace.ValidateStackConfigAndApplyProjectConfig(ctx, stack, project, esc.Value{}, values, config.NopEncrypter, standIns{})
	if err != nil {
		return nil, fmt.Errorf("engine: the configuration of stack %s: %w", stack, err)
	}
	return values, nil
}

// standIns decrypt each secret to its stand-in.
type standIns struct{}

func (standIns) DecryptValue(_ context.Context, ciphertext string) (string, error) {
	return StandIn(ciphertext), nil
}

func (standIns) BatchDecrypt(_ context.Context, ciphertexts []string) ([]string, error) {
	var all []string
	for _, c := range ciphertexts {
		all = append(all, StandIn(c))
	}
	return all, nil
}

// write writes the workspace's Pulumi.<stack>.yaml of a stack whose secrets the engine itself decrypts.
func (c Config) write(path string, backend Backend) error {
	written, err := yaml.Marshal(struct {
		SecretsProvider string     `yaml:"secretsprovider"`
		EncryptedKey    string     `yaml:"encryptedkey"`
		Config          *yaml.Node `yaml:"config,omitempty"`
	}{backend.SecretsProvider, backend.EncryptedKey, c.Node})
	if err == nil {
		err = renameio.WriteFile(path, written, 0o600)
	}
	if err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	return nil
}
