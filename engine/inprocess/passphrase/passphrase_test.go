package passphrase

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/pkg/v3/secrets"
	pulumi "github.com/pulumi/pulumi/pkg/v3/secrets/passphrase"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/config"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func salt(t *testing.T, m secrets.Manager) string {
	t.Helper()
	var state struct{ Salt string }
	must(t, json.Unmarshal(m.State(), &state))
	return state.Salt
}

// Pulumi's manager reads what this one encrypts and the other way round, with a salt of either.
func TestPulumiReadsItAndTheOtherWayRound(t *testing.T) {
	theirSalt, theirs, err := pulumi.NewPassphraseSecretsManager("correct horse")
	must(t, err)
	keys := Keys{Passphrase: "correct horse"}
	ours, err := keys.Manager(t.Context(), theirSalt)
	must(t, err)
	exchange(t, ours, theirs)

	ours, err = keys.Manager(t.Context(), "")
	must(t, err)
	theirs, err = pulumi.GetPassphraseSecretsManager("correct horse", salt(t, ours))
	must(t, err)
	exchange(t, ours, theirs)

	again, err := keys.OfType(t.Context(), theirs.Type(), theirs.State())
	must(t, err)
	exchange(t, again, theirs)
	if _, err := keys.OfType(t.Context(), "cloud", nil); err == nil || !strings.Contains(err.Error(), `only "passphrase" can be rehearsed`) {
		t.Errorf("another type: %v", err)
	}
}

func exchange(t *testing.T, a, b secrets.Manager) {
	t.Helper()
	if !secrets.AreCompatible(a, b) {
		t.Errorf("%s %s and %s %s are not compatible", a.Type(), a.State(), b.Type(), b.State())
	}
	for _, way := range [][2]secrets.Manager{{a, b}, {b, a}} {
		sealed, err := way[0].Encrypter().EncryptValue(t.Context(), "open-sesame")
		must(t, err)
		if text, err := way[1].Decrypter().DecryptValue(t.Context(), sealed); text != "open-sesame" || err != nil {
			t.Errorf("read %q, %v", text, err)
		}
	}
}

// A key that the file keeps is used instead of one that is derived: no passphrase gives this one.
func TestKeptKey(t *testing.T) {
	raw, key := make([]byte, 8), make([]byte, config.SymmetricCrypterKeyBytes)
	rand.Read(raw)
	rand.Read(key)
	sealed, err := config.NewSymmetricCrypter(key).EncryptValue(t.Context(), proof)
	must(t, err)
	salt := "v1:" + base64.StdEncoding.EncodeToString(raw) + ":" + sealed
	keys := Keys{"correct horse", filepath.Join(t.TempDir(), "key")}
	if _, err := keys.Manager(t.Context(), salt); !errors.Is(err, pulumi.ErrIncorrectPassphrase) {
		t.Errorf("without the file: %v", err)
	}
	must(t, os.WriteFile(keys.File, []byte(keys.name(salt)+" "+hex.EncodeToString(key)+"\n"), 0o600))
	if _, err := keys.Manager(t.Context(), salt); err != nil {
		t.Error(err)
	}
}

// A file that is damaged or has another key costs time and nothing else. A wrong passphrase stays wrong.
func TestKeyFile(t *testing.T) {
	keys := Keys{"correct horse", filepath.Join(t.TempDir(), "key")}
	for _, damaged := range []string{"", "damaged", "name key\n", strings.Repeat("0", 64) + " " + strings.Repeat("0", 64) + "\n"} {
		salt, theirs, err := pulumi.NewPassphraseSecretsManager("correct horse") // one whose key this process has not derived
		must(t, err)
		if strings.HasPrefix(damaged, "name") {
			damaged = keys.name(salt) + " " + strings.Repeat("0", 64) + "\n"
		}
		must(t, os.WriteFile(keys.File, []byte(damaged), 0o600))
		ours, err := keys.Manager(t.Context(), salt)
		must(t, err)
		exchange(t, ours, theirs)
		written, err := os.ReadFile(keys.File)
		must(t, err)
		if !strings.HasPrefix(string(written), keys.name(salt)+" ") || strings.Contains(string(written), keys.Passphrase) {
			t.Errorf("the file holds %q", written)
		}
		if _, err := (Keys{"battery staple", keys.File}).Manager(t.Context(), salt); !errors.Is(err, pulumi.ErrIncorrectPassphrase) {
			t.Errorf("a wrong passphrase: %v", err)
		}
		if after, err := os.ReadFile(keys.File); err != nil || string(after) != string(written) {
			t.Errorf("a wrong passphrase changed the file: %v", err)
		}
	}
	info, err := os.Stat(keys.File)
	must(t, err)
	if mode := info.Mode().Perm(); mode != 0o600 {
		t.Errorf("the file has the mode %o", mode)
	}
}

func TestSaltOfAnotherVersion(t *testing.T) {
	for _, salt := range []string{"v2:AAAAAAAAAAA=:v1:x:y", "v1:AAAAAAAAAAA=", "v1:?:x", "salt"} {
		if _, err := (Keys{Passphrase: "correct horse"}).Manager(t.Context(), salt); err == nil || !strings.Contains(err.Error(), "version v1") {
			t.Errorf("%s: %v", salt, err)
		}
	}
}
