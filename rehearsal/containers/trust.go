package containers

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"slipway/rehearsal/cloud"
)

// ElastiCache's certificates are signed by Amazon Trust Services, which every store of CA certificates has; here they are signed by this
// run's authority. So each container gets its image's own store plus that authority, in SSL_CERT_FILE, which OpenSSL reads in place of its
// default file. Programs that verify with the system's store, such as redis-py and Celery, need no change. An image without a store
// cannot verify the certificate in AWS, and gets none here.

// stores are the files that hold an image's CA certificates: of Debian and Alpine, of Red Hat, of OpenSSL.
var stores = []string{"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"}

const (
	certFile = "SSL_CERT_FILE"
	trustAt  = "/etc/ssl/slipway-run.pem" // in a container
)

// trust lets a container verify the certificates of caches. It is nil if there is no cache with TLS, or the image has no store.
func (r *Run) trust(ctx context.Context, c *container, image string) ([]string, error) {
	if !slices.ContainsFunc(r.all(replicationGroupType), func(o *cloud.Object) bool {
		return cloud.Inputs(o.Outputs).Bool("transitEncryptionEnabled")
	}) {
		return nil, nil
	}
	from, at := stores, trustAt
	for _, e := range c.Environment {
		if e.Name == certFile && e.Value != "" {
			from, at = []string{e.Value}, e.Value
		}
	}
	id, err := r.engine.do(ctx, nil, "image", "inspect", "-f", "{{.Id}}", image)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(r.dir, "trust", strings.ReplaceAll(id+strings.ReplaceAll(at, "/", "-"), ":", "-")+".pem")
	size, err := r.extend(ctx, image, from, file)
	if size == 0 || err != nil {
		return nil, err
	}
	args := []string{"--mount", "type=bind,readonly,src=" + file + ",dst=" + at}
	if at == trustAt {
		args = append(args, "-e", certFile+"="+at)
	}
	return args, nil
}

// extend writes an image's store and the run's authority to a file, once, and returns its size. It is empty if the image has no store.
func (r *Run) extend(ctx context.Context, image string, from []string, file string) (int64, error) {
	r.trusting.Lock()
	defer r.trusting.Unlock()
	info, err := os.Stat(file)
	if err == nil {
		return info.Size(), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return 0, err
	}
	store, err := r.storeOf(ctx, image, from, file+".new")
	if err != nil {
		return 0, err
	}
	if len(store) > 0 {
		authority, err := os.ReadFile(filepath.Join(r.dir, "ca.pem"))
		if err != nil {
			return 0, err
		}
		store = slices.Concat(store, []byte("\n"), authority)
	}
	// Every user of a container must be able to read it.
	if err := os.WriteFile(file+".new", store, 0o644); err != nil {
		return 0, err
	}
	return int64(len(store)), os.Rename(file+".new", file)
}

// storeOf is the first of these files that an image has, copied from a container that never starts.
func (r *Run) storeOf(ctx context.Context, image string, from []string, to string) ([]byte, error) {
	id, err := r.engine.do(ctx, nil, "create", "--label", r.engine.label, image, "never")
	if err != nil {
		return nil, err
	}
	defer r.engine.do(context.WithoutCancel(ctx), nil, "rm", "-v", id)
	for _, path := range from {
		if _, err := r.engine.do(ctx, nil, "cp", "-L", id+":"+path, to); err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			continue // it has no such file
		}
		return os.ReadFile(to)
	}
	return nil, nil
}
