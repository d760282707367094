package operation

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/renameio/v2"
	"github.com/joho/godotenv"

	"slipway/config"
	"slipway/operation/account/awsaccount"
)

// StandIn stands for the ciphertext of a secret without a value in its account. A rehearsal decrypts nothing; a deployment refuses it.
const StandIn = "v1:AAAAAAAAAAAAAAAA:AAAAAAAAAAAAAAAAAAAAAA=="

// A Secret is one of a stack's secrets.
type Secret struct {
	Name  string `json:"name"`
	Local bool   `json:"local"` // slipway.secrets.env has a value for containers of this machine
}

// A SecretSet is a secret that has a new value.
type SecretSet struct {
	Stack    string `json:"stack"`
	Live     bool   `json:"live"`
	Name     string `json:"name"`
	File     string `json:"file"`     // that has the value now
	Replaced bool   `json:"replaced"` // it had another one before
}

// A vault is what a stack's file has about its secrets. The rest of the file may have mistakes: a missing secret may be one.
type vault struct {
	*stackFile
	project string
	sealed  map[string]string // ciphertexts by name
}

func (t Target) secrets() (*vault, error) {
	file, err := t.read()
	if err != nil {
		return nil, err
	}
	return &vault{file, file.source.Project, ciphertexts(file.node, file.source.Project)}, nil
}

// Secrets lists the secrets of a stack by name. It reads no account, and no value leaves it.
func Secrets(ctx context.Context, t Target) ([]Secret, error) {
	s, err := t.secrets()
	if err != nil {
		return nil, err
	}
	values, err := readSecrets(ctx, t.Root)
	if err != nil {
		return nil, err
	}
	all := []Secret{}
	for _, name := range namesOf(s.sealed) {
		_, local := values[name]
		all = append(all, Secret{Name: name, Local: local})
	}
	return all, nil
}

// SetSecret sets a secret of a stack. Live, it is encrypted with the stack's key and written to the stack's file; nothing in the account
// changes before the next up. In a rehearsal it is the value for containers, in slipway.secrets.env. ask is called for the value when
// everything else is known to be right.
func SetSecret(ctx context.Context, t Target, name string, ask func(context.Context) (string, error)) (*SecretSet, error) {
	if rule := config.SecretName(name); rule != "" {
		return nil, UsageError{fmt.Errorf("%q cannot be the name of a secret: it %s", name, rule)}
	}
	s, err := t.secrets()
	if err != nil {
		return nil, err
	}
	if t.Live {
		return s.setLive(ctx, t, name, ask)
	}
	return s.setLocal(ctx, t, name, ask)
}

func (s *vault) setLive(ctx context.Context, t Target, name string, ask func(context.Context) (string, error)) (*SecretSet, error) {
	if s.seal.Provider == "" || s.seal.EncryptedKey == "" {
		return nil, notBootstrapped(t)
	}
	key, ok := strings.CutPrefix(s.seal.Provider, "awskms:///")
	key, _, _ = strings.Cut(key, "?")
	arn := strings.Split(key, ":") // arn:aws:kms:REGION:ACCOUNT:key/ID
	if !ok || len(arn) < 6 || strings.Contains(s.seal.Provider, "context_") {
		return nil, fmt.Errorf("%s says secretsprovider: %s, and slipway encrypts with a KMS key by its ARN alone; "+
			"use: pulumi config set --stack %s --path --secret %s:secrets.%s", filepath.Base(s.path), s.seal.Provider, t.Stack, s.project, name)
	}
	profile := ""
	if n := valueOf(s.node, "aws:profile"); n != nil {
		profile = n.Value
	}
	a, err := awsaccount.Open(ctx, awsaccount.Args{Stack: t.Stack, Region: arn[3], Profile: profile, Allowed: []string{arn[4]}})
	if err != nil {
		return nil, err
	}
	value, err := askValue(ctx, ask)
	if err != nil {
		return nil, err
	}
	sealed, err := a.Seal(ctx, key, s.seal.EncryptedKey, value)
	if err != nil {
		return nil, err
	}
	return s.write(t, name, sealed)
}

// write puts a ciphertext into the stack's file.
func (s *vault) write(t Target, name, sealed string) (*SecretSet, error) {
	_, replaced := s.sealed[name]
	at := []string{"config", s.project + ":secrets", name}
	if err := writeSettings(s.path, []Setting{{at, map[string]string{"secure": sealed}}}); err != nil {
		return nil, err
	}
	return &SecretSet{Stack: t.Stack, Live: t.Live, Name: name, File: filepath.Base(s.path), Replaced: replaced}, nil
}

func (s *vault) setLocal(ctx context.Context, t Target, name string, ask func(context.Context) (string, error)) (*SecretSet, error) {
	_, known := s.sealed[name]
	if !known && s.seal.EncryptedKey != "" {
		return nil, fmt.Errorf("stack %s has no secret %s; give it one in its account first: slipway secret set %[2]s --stack %[1]s --live",
			t.Stack, name)
	}
	values, err := readSecrets(ctx, t.Root)
	if err != nil {
		return nil, err
	}
	if err := secretsIgnored(ctx, t.Root); err != nil {
		return nil, err
	}
	value, err := askValue(ctx, ask)
	if err != nil {
		return nil, err
	}
	if err := keepSecret(filepath.Join(t.Root, secretsFile), values, name, value); err != nil {
		return nil, err
	}
	_, replaced := values[name]
	set := &SecretSet{Stack: t.Stack, Name: name, File: secretsFile, Replaced: replaced}
	if !known { // the rehearsal learns its name
		_, err = s.write(t, name, StandIn)
	}
	return set, err
}

func askValue(ctx context.Context, ask func(context.Context) (string, error)) (string, error) {
	value, err := ask(ctx)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return "", err
	}
	if rule := config.SecretValue(value); rule != "" {
		return "", UsageError{errors.New("the value " + rule + "; nothing was changed")}
	}
	return value, nil
}

// keepSecret writes a value to the file of secrets of this machine. The other lines stay as they are.
func keepSecret(file string, values map[string]string, name, value string) error {
	written, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	line, err := godotenv.Marshal(map[string]string{name: value})
	if err != nil {
		return err
	}
	var lines []string
	if text := strings.TrimSuffix(string(written), "\n"); text != "" {
		lines = strings.Split(text, "\n")
	}
	if from, to := assigned(lines, name, values[name]); from < to {
		lines = slices.Replace(lines, from, to, line)
	} else {
		lines = append(lines, line)
	}
	text := strings.Join(lines, "\n") + "\n"
	read, err := godotenv.Unmarshal(text)
	if err != nil || read[name] != value {
		return fmt.Errorf("%s cannot keep this value: write it there yourself", secretsFile)
	}
	return renameio.WriteFile(file, []byte(text), 0o600)
}

// assigned finds the lines that give a name its value; a value in quotes may have several. from is not below to if there are none.
func assigned(lines []string, name, value string) (from, to int) {
	for from := range lines {
		before := strings.TrimRight(assignment.FindString(lines[from]), "=: \t")
		if words := strings.Fields(before); len(words) == 0 || words[len(words)-1] != name {
			continue
		}
		for to := from + 1; to <= len(lines); to++ {
			read, err := godotenv.Unmarshal(strings.Join(lines[from:to], "\n"))
			if is, has := read[name]; err == nil && has && is == value {
				return from, to
			}
		}
	}
	return 0, 0
}
