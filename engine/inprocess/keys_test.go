package inprocess_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/pkg/v3/secrets/passphrase"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/config"

	"slipway/engine/inprocess"
)

// A key that the file keeps is used instead of one that is derived: no passphrase gives this one.
func TestKeptKey(t *testing.T) {
	n := newNursery(t, chain)
	raw, key := make([]byte, 8), make([]byte, config.SymmetricCrypterKeyBytes)
	rand.Read(raw)
	rand.Read(key)
	sealed, err := config.NewSymmetricCrypter(key).EncryptValue(t.Context(), "pulumi")
	must(t, err)
	n.Salt = "v1:" + base64.StdEncoding.EncodeToString(raw) + ":" + sealed
	if err := n.Up(t.Context(), inprocess.Run{}); err == nil || !strings.Contains(err.Error(), "incorrect passphrase") {
		t.Errorf("a key that the passphrase does not give: %v", err)
	}
	name := sha256.Sum256([]byte(n.Salt + "\n" + n.Passphrase))
	n.KeyFile = filepath.Join(t.TempDir(), "key")
	must(t, os.WriteFile(n.KeyFile, []byte(hex.EncodeToString(name[:])+" "+hex.EncodeToString(key)+"\n"), 0o600))
	must(t, n.Up(t.Context(), inprocess.Run{}))
	shown, err := n.Outputs(t.Context(), true)
	must(t, err)
	wants(t, "a secret", shown["code"], any("open-sesame"))
}

// The file holds the key that Pulumi derives. A damaged file costs time and nothing else, and a wrong passphrase stays wrong.
func TestKeyFile(t *testing.T) {
	// Pulumi's own salt, so that this process has not derived its key yet.
	salt, theirs, err := passphrase.NewPassphraseSecretsManager("correct horse")
	must(t, err)
	n := newNursery(t, chain)
	n.Salt, n.KeyFile = salt, filepath.Join(t.TempDir(), "key")
	must(t, os.WriteFile(n.KeyFile, []byte("damaged"), 0o600))
	must(t, n.Up(t.Context(), inprocess.Run{}))
	written, err := os.ReadFile(n.KeyFile)
	must(t, err)
	info, err := os.Stat(n.KeyFile)
	must(t, err)
	wants(t, "mode of the file", info.Mode().Perm(), 0o600)
	_, text, _ := strings.Cut(strings.TrimSpace(string(written)), " ")
	key, err := hex.DecodeString(text)
	must(t, err)
	sealed, err := theirs.Encrypter().EncryptValue(t.Context(), "the same key")
	must(t, err)
	opened, err := config.NewSymmetricCrypter(key).DecryptValue(t.Context(), sealed)
	must(t, err)
	wants(t, "what Pulumi encrypted", opened, "the same key")
	if bytes.Contains(written, []byte(n.Passphrase)) {
		t.Error("the file gives away the passphrase")
	}

	n.Passphrase = "battery staple"
	if err := n.Up(t.Context(), inprocess.Run{}); err == nil || !strings.Contains(err.Error(), "incorrect passphrase") {
		t.Errorf("a wrong passphrase: %v", err)
	}
	after, err := os.ReadFile(n.KeyFile)
	must(t, err)
	wants(t, "the file after a wrong passphrase", string(after), string(written))
}
