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
// mapping {secure: x} in it is a secret whose value is Secrets[x] in a rehearsal, or StandIn(x) if there is none.
type Config struct {
	Node    *yaml.Node
	Secrets map[string]string // never printed
}

// Format keeps the values of secrets out of messages.
func (c Config) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "configuration with %d secrets", len(c.Secrets))
}

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
	err = sdkworkspace.ValidateStackConfigAndApplyProjectConfig(ctx, stack, project, esc.Value{}, values, config.NopEncrypter, c.decrypter())
	if err != nil {
		return nil, fmt.Errorf("engine: the configuration of stack %s: %w", stack, err)
	}
	return values, nil
}

// decrypter has the values of the secrets.
func (c Config) decrypter() config.Decrypter { return localSecrets{c.Secrets} }

// localSecrets decrypt each secret to its value on this machine, or to its stand-in.
type localSecrets struct{ values map[string]string }

func (s localSecrets) DecryptValue(_ context.Context, ciphertext string) (string, error) {
	if value, ok := s.values[ciphertext]; ok {
		return value, nil
	}
	return StandIn(ciphertext), nil
}

func (s localSecrets) BatchDecrypt(ctx context.Context, ciphertexts []string) ([]string, error) {
	var all []string
	for _, c := range ciphertexts {
		value, err := s.DecryptValue(ctx, c)
		if err != nil {
			return nil, err
		}
		all = append(all, value)
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
