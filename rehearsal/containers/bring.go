package containers

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// Bring copies an image from the registry of another stack, whose folder is dir, to this one's, and tags it. from and to are
// registry/repository@digest. Nothing is built.
func (r *Run) Bring(dir, from, to, tag string) error {
	if r.Has(to) {
		return nil
	}
	missing := fmt.Errorf("%s was never built: the stack that it comes from must be up with --run", from)
	if !Exists(dir) {
		return missing
	}
	other, err := openShelf(filepath.Join(dir, "registry"))
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: other, ReadHeaderTimeout: 10 * time.Second}
	go server.Serve(l)
	defer server.Close()

	_, rest, _ := strings.Cut(from, "/")
	source, err := name.NewDigest(l.Addr().String() + "/" + rest)
	if err != nil {
		return err
	}
	repository, _, _ := strings.Cut(r.local(to), "@")
	target, err := name.NewTag(repository + ":" + tag)
	if err != nil {
		return err
	}
	found, err := remote.Get(source, remote.WithContext(r.ctx))
	if answer := (*transport.Error)(nil); errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound {
		return missing
	}
	if err != nil {
		return err
	}
	if found.MediaType.IsIndex() {
		index, err := found.ImageIndex()
		if err != nil {
			return err
		}
		return remote.WriteIndex(target, index, remote.WithContext(r.ctx))
	}
	image, err := found.Image()
	if err != nil {
		return err
	}
	return remote.Write(target, image, remote.WithContext(r.ctx))
}

// Mirror copies an image of Docker to the registry, under the name to (registry/repository:tag), unless the registry has that. Docker
// does not keep the name: who runs the image pulls it from the registry.
func (r *Run) Mirror(image, to string) error {
	_, rest, _ := strings.Cut(to, "/")
	repository, tag, _ := strings.Cut(rest, ":")
	if r.shelf.has(repository, tag) {
		return nil
	}
	if _, err := r.engine.do(r.ctx, nil, "image", "inspect", image); err != nil {
		if _, err := r.engine.do(r.ctx, nil, "pull", "-q", image); err != nil {
			return err
		}
	}
	name := r.local(to)
	for _, args := range [][]string{{"tag", image, name}, {"push", "-q", name}, {"rmi", name}} {
		if _, err := r.engine.do(r.ctx, nil, args...); err != nil {
			return err
		}
	}
	return nil
}
