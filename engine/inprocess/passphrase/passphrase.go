// Package passphrase makes Pulumi's passphrase secrets managers, and derives a key once. Deriving one takes longer than an up
// without changes, so a file keeps it.
//
// The managers are those of pkg/v3/secrets/passphrase with salts of version v1: AES-256-GCM, with a key from 1,000,000 rounds of
// PBKDF2. Another version of Pulumi cannot change that without another version of the salt. The tests compare the keys.
package passphrase

import (
	"context"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/google/renameio/v2"
	"github.com/pulumi/pulumi/pkg/v3/resource/stack"
	"github.com/pulumi/pulumi/pkg/v3/secrets"
	"github.com/pulumi/pulumi/pkg/v3/secrets/passphrase"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/config"
)

// Keys make the secrets managers of a passphrase. They are a secrets.Provider.
type Keys struct {
	Passphrase string

	// File keeps the last key. It is as secret as the passphrase, which must be a random one. "": no file does.
	File string
}

// derived are the keys that this process knows, by Keys.name.
var derived sync.Map

// OfType implements secrets.Provider.
func (k Keys) OfType(ctx context.Context, kind string, state json.RawMessage) (secrets.Manager, error) {
	if kind != passphrase.Type {
		return nil, fmt.Errorf("its secrets are encrypted with %q: only %q can be rehearsed", kind, passphrase.Type)
	}
	var salted struct{ Salt string }
	if err := json.Unmarshal(state, &salted); err != nil {
		return nil, err
	}
	return k.Manager(ctx, salted.Salt)
}

// Manager makes the manager for a salt, or for a new one if it is "". It encrypts a secret once.
func (k Keys) Manager(ctx context.Context, salt string) (secrets.Manager, error) {
	if salt == "" {
		var err error
		if salt, err = k.fresh(ctx); err != nil {
			return nil, err
		}
	}
	version, rest, _ := strings.Cut(salt, ":")
	text, sealed, ok := strings.Cut(rest, ":")
	raw, err := base64.StdEncoding.DecodeString(text)
	if version != "v1" || !ok || err != nil {
		return nil, errors.New("its salt is not one of version v1")
	}
	key := k.kept(salt)
	if key == nil || !opens(ctx, key, sealed) { // the file may be damaged
		if key, err = k.derive(raw); err != nil {
			return nil, err
		}
		if !opens(ctx, key, sealed) {
			return nil, passphrase.ErrIncorrectPassphrase
		}
		k.keep(salt, key)
	}
	state, err := json.Marshal(map[string]string{"salt": salt})
	return stack.NewBatchingCachingSecretsManager(&manager{config.NewSymmetricCrypter(key), state}), err
}

// fresh makes a salt: random bytes, and a text with which its reader tests a passphrase.
func (k Keys) fresh(ctx context.Context) (string, error) {
	raw := make([]byte, 8)
	rand.Read(raw)
	key, err := k.derive(raw)
	if err != nil {
		return "", err
	}
	sealed, err := config.NewSymmetricCrypter(key).EncryptValue(ctx, proof)
	salt := "v1:" + base64.StdEncoding.EncodeToString(raw) + ":" + sealed
	k.keep(salt, key)
	return salt, err
}

// proof is the text that Pulumi uses.
const proof = "pulumi"

func opens(ctx context.Context, key []byte, sealed string) bool {
	text, err := config.NewSymmetricCrypter(key).DecryptValue(ctx, sealed)
	return err == nil && text == proof
}

func (k Keys) derive(salt []byte) ([]byte, error) {
	return pbkdf2.Key(sha256.New, k.Passphrase, salt, 1_000_000, config.SymmetricCrypterKeyBytes)
}

// name identifies a key without giving away the passphrase, which is random where there is a file.
func (k Keys) name(salt string) string {
	sum := sha256.Sum256([]byte(salt + "\n" + k.Passphrase))
	return hex.EncodeToString(sum[:])
}

func (k Keys) kept(salt string) []byte {
	name := k.name(salt)
	if key, ok := derived.Load(name); ok {
		return key.([]byte)
	}
	data, _ := os.ReadFile(k.File) // without the file, or with another's, the key is derived again
	if of, text, _ := strings.Cut(strings.TrimSpace(string(data)), " "); of == name {
		if key, err := hex.DecodeString(text); err == nil && len(key) == config.SymmetricCrypterKeyBytes {
			return key
		}
	}
	return nil
}

func (k Keys) keep(salt string, key []byte) {
	name := k.name(salt)
	derived.Store(name, key)
	if k.File != "" {
		_ = renameio.WriteFile(k.File, []byte(name+" "+hex.EncodeToString(key)+"\n"), 0o600) // a file that cannot be written costs time alone
	}
}

// A manager implements secrets.Manager.
type manager struct {
	crypter config.Crypter
	state   json.RawMessage
}

func (m *manager) Type() string                { return passphrase.Type }
func (m *manager) State() json.RawMessage      { return m.state }
func (m *manager) Encrypter() config.Encrypter { return m.crypter }
func (m *manager) Decrypter() config.Decrypter { return m.crypter }
