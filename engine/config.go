package engine

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"

	"github.com/google/renameio/v2"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/config"
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

// write writes the workspace's Pulumi.<stack>.yaml, encrypted with the passphrase in a file. Encrypting takes most of a
// second, by design of the key derivation, so a file that was made from the same configuration is not written again.
func (c Config) write(path, passphraseFile string) error {
	source, err := yaml.Marshal(c.Node)
	if err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	mark := []byte(fmt.Sprintf("# made from a configuration with checksum %x\n", sha256.Sum256(source)))
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("engine: %w", err)
	}
	if bytes.HasPrefix(old, mark) {
		return nil
	}
	passphrase, err := os.ReadFile(passphraseFile)
	if err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	var settings struct {
		Salt   string     `yaml:"encryptionsalt"`
		Config *yaml.Node `yaml:"config,omitempty"`
	}
	if err := yaml.Unmarshal(old, &settings); err != nil {
		return fmt.Errorf("engine: %s: %w", path, err)
	}
	var salt []byte
	if settings.Salt == "" {
		salt = make([]byte, 8)
		rand.Read(salt)
	} else if _, err := fmt.Sscanf(settings.Salt, "v1:%s", new(string)); err != nil {
		return fmt.Errorf("engine: %s: encryptionsalt is damaged", path)
	} else if salt, err = base64.StdEncoding.DecodeString(string(bytes.SplitN([]byte(settings.Salt), []byte(":"), 3)[1])); err != nil {
		return fmt.Errorf("engine: %s: encryptionsalt: %w", path, err)
	}
	crypter := config.NewSymmetricCrypterFromPassphrase(string(passphrase), salt)
	if settings.Salt == "" { // the form in which the engine keeps it: the salt, and a known word by which it knows the passphrase
		proof, err := crypter.EncryptValue(context.Background(), "pulumi")
		if err != nil {
			return fmt.Errorf("engine: %w", err)
		}
		settings.Salt = "v1:" + base64.StdEncoding.EncodeToString(salt) + ":" + proof
	}
	var copied yaml.Node
	if err := yaml.Unmarshal(source, &copied); err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	if len(copied.Content) == 1 {
		settings.Config = copied.Content[0]
	}
	if err := standIns(settings.Config, crypter); err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	written, err := yaml.Marshal(settings)
	if err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	if err := renameio.WriteFile(path, append(mark, written...), 0o600); err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	return nil
}

// writeShared writes the workspace's Pulumi.<stack>.yaml of a stack whose secrets the engine itself decrypts.
func (c Config) writeShared(path string, backend Backend) error {
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

// standIns puts the encrypted stand-in in the place of every secret.
func standIns(node *yaml.Node, crypter config.Encrypter) error {
	if node == nil {
		return nil
	}
	if value := secure(node); value != nil {
		encrypted, err := crypter.EncryptValue(context.Background(), StandIn(value.Value))
		if err != nil {
			return err
		}
		value.SetString(encrypted)
		return nil
	}
	for _, child := range node.Content {
		if err := standIns(child, crypter); err != nil {
			return err
		}
	}
	return nil
}

// secure is the ciphertext of a mapping {secure: ciphertext}, nil for any other node.
func secure(node *yaml.Node) *yaml.Node {
	if node.Kind == yaml.MappingNode && len(node.Content) == 2 && node.Content[0].Value == "secure" &&
		node.Content[1].Kind == yaml.ScalarNode {
		return node.Content[1]
	}
	return nil
}
