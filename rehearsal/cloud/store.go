package cloud

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"github.com/google/renameio/v2"
)

// The account is one JSON file. It is written to a temporary file and renamed, so that a save happens completely or not at
// all. Beside it are its lock (.lock, which holds the process ID of the holder) and the key that encrypts secret values (.key,
// readable by the owner only).

// A store is an account's file.
type store struct {
	path string
	lock *flock.Flock // nil: it is only looked at
	seal cipher.AEAD
}

// image is the contents of the file.
type image struct {
	Version   int               `json:"version"`
	Region    string            `json:"region"`
	AccountID string            `json:"accountID"`
	Partition string            `json:"partition"`
	Objects   []json.RawMessage `json:"objects"`
	Tasks     []json.RawMessage `json:"tasks,omitempty"`
	Rollouts  []json.RawMessage `json:"rollouts,omitempty"`
}

const (
	imageVersion = 1
	sealedMark   = "$sealed" // the key of an object that holds an encrypted value
)

func openStore(path string, wait time.Duration) (*store, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	s := &store{path: path, lock: flock.New(path+".lock", flock.SetPermissions(0o600))}
	if err := s.take(wait); err != nil {
		return nil, err
	}
	if err := s.readKey(); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// take locks the account for this process, waiting at most wait for another one to finish.
func (s *store) take(wait time.Duration) error {
	ok, err := s.lock.TryLock() // with a deadline alone, it could pass before the first try
	if err == nil && !ok && wait > 0 {
		ctx, cancel := context.WithTimeout(context.Background(), wait)
		defer cancel()
		ok, err = s.lock.TryLockContext(ctx, 50*time.Millisecond)
		if errors.Is(err, context.DeadlineExceeded) {
			err = nil
		}
	}
	switch {
	case err != nil:
		return fmt.Errorf("lock the model %s: %w", s.path, err)
	case ok:
		err := os.WriteFile(s.lock.Path(), fmt.Appendf(nil, "%d\n", os.Getpid()), 0o600)
		if err != nil {
			s.lock.Close()
		}
		return err
	}
	holder := "another process"
	if text, err := os.ReadFile(s.lock.Path()); err == nil && len(text) > 0 {
		holder = "process " + strings.TrimSpace(string(text))
	}
	return fmt.Errorf("the model %s is in use by %s: wait until it finishes, or stop it", s.path, holder)
}

func (s *store) close() error {
	if s.lock == nil {
		return nil
	}
	return s.lock.Close()
}

func (s *store) readKey() error {
	path := s.path + ".key"
	key, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(s.path); err == nil {
			return fmt.Errorf("%s, the key to the secrets of %s, is missing: restore it, or delete both and the stack's state", path, s.path)
		}
		key = make([]byte, 32)
		rand.Read(key)
		err = renameio.WriteFile(path, key, 0o600, renameio.WithStaticPermissions(0o600))
	}
	if err != nil {
		return err
	}
	if len(key) != 32 {
		return fmt.Errorf("%s is damaged: expected 32 bytes, got %d", path, len(key))
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return err
	}
	s.seal, err = cipher.NewGCM(block)
	return err
}

// load reads the file; nil if there is none.
func (s *store) load() (*image, error) {
	data, err := os.ReadFile(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var img image
	if err := json.Unmarshal(data, &img); err != nil {
		return nil, fmt.Errorf("the model %s is damaged: %w", s.path, err)
	}
	if img.Version != imageVersion {
		return nil, fmt.Errorf("the model %s has version %d, and this program supports version %d", s.path, img.Version, imageVersion)
	}
	return &img, nil
}

// save writes one object per line, so that the file can be read, compared and searched. The result survives the end of this
// process; only a lasting save, which waits for the disk, also survives a crash of the machine.
func (s *store) save(img *image, lasting bool) error {
	if s.lock == nil {
		return fmt.Errorf("the model %s is only looked at, and cannot be changed", s.path)
	}
	var b bytes.Buffer
	size := 1 << 10
	for _, o := range img.Objects {
		size += len(o) + 2
	}
	b.Grow(size)
	fmt.Fprintf(&b, "{\"version\":%d,\"region\":%q,\"accountID\":%q,\"partition\":%q,\n\"objects\":[", img.Version, img.Region,
		img.AccountID, img.Partition)
	list := func(items []json.RawMessage) {
		for i, item := range items {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteByte('\n')
			b.Write(item)
		}
		b.WriteString("\n]")
	}
	list(img.Objects)
	if len(img.Tasks) > 0 {
		b.WriteString(",\n\"tasks\":[")
		list(img.Tasks)
	}
	if len(img.Rollouts) > 0 {
		b.WriteString(",\n\"rollouts\":[")
		list(img.Rollouts)
	}
	b.WriteString("}\n")
	var err error
	if lasting {
		err = renameio.WriteFile(s.path, b.Bytes(), 0o600, renameio.WithTempDir(filepath.Dir(s.path)), renameio.WithStaticPermissions(0o600))
	} else if err = os.WriteFile(s.path+".new", b.Bytes(), 0o600); err == nil {
		err = os.Rename(s.path+".new", s.path)
	}
	if err != nil {
		return fmt.Errorf("save the model: %w", err)
	}
	return nil
}

// encode serializes an object with its secret values encrypted.
func (s *store) encode(o *Object) (json.RawMessage, error) {
	c := *o
	if len(o.Secrets) > 0 {
		c.Inputs, c.Outputs = cloneMap(o.Inputs), cloneMap(o.Outputs)
		for _, path := range o.Secrets {
			for _, m := range []map[string]any{c.Inputs, c.Outputs} {
				replaceAt(m, parsePath(path), s.sealed)
			}
		}
	}
	return json.Marshal(&c)
}

func (s *store) decode(data json.RawMessage) (*Object, error) {
	var o Object
	if err := json.Unmarshal(data, &o); err != nil {
		return nil, err
	}
	for _, path := range o.Secrets {
		for _, m := range []map[string]any{o.Inputs, o.Outputs} {
			var err error
			replaceAt(m, parsePath(path), func(v any) any {
				opened, e := s.opened(v)
				err = errors.Join(err, e)
				return opened
			})
			if err != nil {
				return nil, fmt.Errorf("%s %s: %s: %w", o.Type, o.ID, path, err)
			}
		}
	}
	if o.Inputs == nil {
		o.Inputs = map[string]any{}
	}
	if o.Outputs == nil {
		o.Outputs = map[string]any{}
	}
	return &o, nil
}

func (s *store) sealed(v any) any {
	if m, ok := v.(map[string]any); ok && m[sealedMark] != nil {
		return v // inside a secret that is already encrypted
	}
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // plain values always have a JSON form
	}
	nonce := make([]byte, s.seal.NonceSize())
	rand.Read(nonce)
	return map[string]any{sealedMark: base64.StdEncoding.EncodeToString(s.seal.Seal(nonce, nonce, text, nil))}
}

func (s *store) opened(v any) (any, error) {
	m, _ := v.(map[string]any)
	text, ok := m[sealedMark].(string)
	if !ok {
		return v, nil
	}
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(data) < s.seal.NonceSize() {
		return nil, errors.New("an encrypted value is damaged")
	}
	n := s.seal.NonceSize()
	clear, err := s.seal.Open(nil, data[:n], data[n:], nil)
	if err != nil {
		return nil, fmt.Errorf("%s.key cannot decrypt a value: it belongs to another model", s.path)
	}
	var out any
	err = json.Unmarshal(clear, &out)
	return out, err
}
