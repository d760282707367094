package engine

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"
	_ "gocloud.dev/blob/s3blob" // opens s3://
)

// A Backend is where the engine keeps the state of a stack that is deployed for real, and what encrypts the secrets in it.
// The engine takes its own lock on the stack there.
type Backend struct {
	URL             string // s3://bucket?region=eu-west-1
	SecretsProvider string // awskms:///arn:aws:kms:eu-west-1:111122223333:key/...?region=eu-west-1
	EncryptedKey    string // the data key of the secrets, as SecretsProvider has encrypted it, in base64
}

// S3 is the URL of a backend in a bucket, which is read with a profile of the shared AWS configuration; "" is the
// environment's.
func S3(bucket, region, profile string) string {
	query := url.Values{"region": {region}, "awssdk": {"v2"}, "response_checksum_validation": {"when_required"}}
	if os.Getenv("AWS_ENDPOINT_URL") != "" || os.Getenv("AWS_ENDPOINT_URL_S3") != "" {
		query.Set("s3ForcePathStyle", "true") // an endpoint of one's own has no host name for each bucket
	}
	if profile != "" {
		query.Set("profile", profile)
	}
	return "s3://" + bucket + "?" + query.Encode()
}

// KMS is the URL of a secrets provider that is a key.
func KMS(keyARN, region string) string {
	return "awskms:///" + keyARN + "?" + url.Values{"region": {region}, "awssdk": {"v2"}}.Encode()
}

// A store is where the state of one stack is kept: in a directory of its own, or in a bucket.
type store struct {
	dir            string // absolute
	project, stack string
	backend        *Backend // nil: in dir
	last           *parsed  // of the file in dir
}

// Bucket opens the bucket that holds the stack's state. The caller closes it. The engine keeps its files under .pulumi/;
// everything else about a stack goes under .slipway/.
func (s store) Bucket(ctx context.Context) (*blob.Bucket, error) {
	if s.backend != nil {
		return s.backend.Open(ctx)
	}
	if err := os.MkdirAll(s.stateDir(), 0o700); err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	bucket, err := fileblob.OpenBucket(s.stateDir(), &fileblob.Options{NoTempDir: true, Metadata: fileblob.MetadataDontWrite})
	if err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	return bucket, nil
}

// Open opens the bucket of the backend. The caller closes it.
func (b Backend) Open(ctx context.Context) (*blob.Bucket, error) {
	bucket, err := blob.OpenBucket(ctx, b.URL)
	if err != nil {
		return nil, fmt.Errorf("the backend %s: %w", b.URL, err)
	}
	return bucket, nil
}

// stateKey is where a backend keeps the state of the stack.
func (s store) stateKey() string { return ".pulumi/stacks/" + s.project + "/" + s.stack + ".json" }

// locksKey is the folder in which a backend keeps the locks of the stack.
func (s store) locksKey() string {
	return ".pulumi/locks/organization/" + s.project + "/" + s.stack + "/"
}

// stateDir is the file backend: that of a stack which has no other.
func (s store) stateDir() string { return filepath.Join(s.dir, "state") }

func (s store) url() string {
	if s.backend != nil {
		return s.backend.URL
	}
	return "file://" + filepath.ToSlash(s.stateDir())
}

// Surroundings are the caller's whole environment, as an engine that deploys for real needs it: credentials, the home
// with its configuration, proxies. Only Pulumi's own settings stay out, which could name another backend or stack.
func Surroundings() map[string]string {
	env := map[string]string{}
	for _, pair := range os.Environ() {
		if name, value, ok := strings.Cut(pair, "="); ok && !strings.HasPrefix(name, "PULUMI_") {
			env[name] = value
		}
	}
	return env
}

// PluginHome is where Pulumi keeps the provider plugins of this user.
func PluginHome() (string, error) {
	if home := os.Getenv("PULUMI_HOME"); home != "" {
		return home, nil
	}
	home, err := homeDir()
	if err != nil {
		return "", fmt.Errorf("no place for Pulumi's plugins: %w; set HOME, or PULUMI_HOME to a folder", err)
	}
	return filepath.Join(home, ".pulumi"), nil
}

// homeDir is the user's home: HOME, or what the system says. A service that systemd starts has no HOME.
func homeDir() (string, error) {
	home, err := os.UserHomeDir()
	if err == nil {
		return home, nil
	}
	if u, lookup := user.LookupId(strconv.Itoa(os.Getuid())); lookup == nil && filepath.IsAbs(u.HomeDir) {
		if info, err := os.Stat(u.HomeDir); err == nil && info.IsDir() {
			return u.HomeDir, nil
		}
	}
	return "", err
}

// cacheDir is the user's cache directory.
func cacheDir() (string, error) {
	cache, err := os.UserCacheDir()
	if err == nil {
		return cache, nil
	}
	home, homeless := homeDir()
	if homeless != nil {
		return "", err
	}
	return filepath.Join(home, ".cache"), nil
}
