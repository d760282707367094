package containers

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"

	"slipway/rehearsal/contracts"
	"slipway/rehearsal/provider"
)

// A shelf is the registry behind the modelled ECR. go-containerregistry stores layers on disk and manifests in memory; the shelf
// also stores the manifests, so that images outlive the process that pushed them.
type shelf struct {
	dir     string
	handler http.Handler
}

type manifest struct {
	Path, Type string
	Body       []byte
}

func openShelf(dir string) (*shelf, error) {
	for _, d := range []string{"blobs", "manifests"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			return nil, err
		}
	}
	s := &shelf{dir: dir, handler: registry.New(
		registry.WithBlobHandler(registry.NewDiskBlobHandler(filepath.Join(dir, "blobs"))),
		registry.Logger(log.New(io.Discard, "", 0)))}
	kept, err := filepath.Glob(filepath.Join(dir, "manifests", "*.json"))
	if err != nil {
		return nil, err
	}
	for _, file := range kept {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		var m manifest
		if err := json.Unmarshal(text, &m); err != nil {
			return nil, fmt.Errorf("%s is damaged: %w", file, err)
		}
		r, err := http.NewRequest(http.MethodPut, m.Path, bytes.NewReader(m.Body))
		if err != nil {
			return nil, err
		}
		r.Header.Set("Content-Type", m.Type)
		s.handler.ServeHTTP(&quiet{header: http.Header{}}, r)
	}
	return s, nil
}

func (s *shelf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPut || !strings.Contains(r.URL.Path, "/manifests/") {
		s.handler.ServeHTTP(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	text, err := json.Marshal(manifest{r.URL.Path, r.Header.Get("Content-Type"), body})
	if err == nil {
		name := fmt.Sprintf("%x.json", sha256.Sum256([]byte(r.URL.Path)))
		err = replace(filepath.Join(s.dir, "manifests", name), text)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	s.handler.ServeHTTP(w, r)
}

// quiet is a response writer that keeps only the status code.
type quiet struct {
	header http.Header
	code   int
}

func (q *quiet) Header() http.Header         { return q.header }
func (q *quiet) WriteHeader(code int)        { q.code = code }
func (q *quiet) Write(b []byte) (int, error) { return len(b), nil }

// has reports whether the registry holds repository@digest.
func (s *shelf) has(repository, digest string) bool {
	r, err := http.NewRequest(http.MethodHead, "/v2/"+repository+"/manifests/"+digest, nil)
	if err != nil {
		return false
	}
	q := &quiet{header: http.Header{}, code: http.StatusOK}
	s.handler.ServeHTTP(q, r)
	return q.code == http.StatusOK
}

// shelve serves the registry on this stack's port, which is part of its images' names in Docker.
func (r *Run) shelve() error {
	s, err := openShelf(filepath.Join(r.dir, "registry"))
	if err != nil {
		return err
	}
	l, err := listen("127.0.0.1", &r.kept.Registry)
	if err != nil {
		return err
	}
	r.shelf, r.store = s, r.serve(l, s)
	return r.keep()
}

// local is the name in Docker of an image of the account's registry; other names are unchanged.
func (r *Run) local(image string) string {
	host, rest, ok := strings.Cut(image, "/")
	if !ok || !strings.Contains(host, ".dkr.ecr.") {
		return image
	}
	return r.registry() + "/" + rest
}

func (r *Run) registry() string { return net.JoinHostPort("127.0.0.1", fmt.Sprint(r.kept.Registry)) }

// Has reports whether the image (registry/repository@sha256:...) was pushed.
func (r *Run) Has(reference string) bool {
	_, rest, _ := strings.Cut(reference, "/")
	repository, digest, ok := strings.Cut(rest, "@")
	return ok && r.shelf.has(repository, digest)
}

// Build builds an image, pushes it to the registry in place of ECR, and returns its digest.
//
// The image is for Docker's own platform, not the stack's, because it must run here.
func (r *Run) Build(b provider.Build) (string, error) {
	name := r.local(b.Name)
	args := []string{"build", "-t", name}
	if !r.engine.buildKit {
		args = append(args, "--force-rm") // else a step that fails leaves its container
	}
	if r.engine.buildKit {
		// An attestation would turn the image into an index with a different digest for every build.
		args = append(args, "--provenance=false")
	}
	if b.Target != "" {
		args = append(args, "--target", b.Target)
	}
	for _, arg := range b.Args {
		args = append(args, "--build-arg", arg)
	}
	extra := []string{"DOCKER_BUILDKIT=0"}
	if r.engine.buildKit {
		extra = nil
	}
	helper, err := r.helper(b)
	if err != nil {
		return "", err
	}
	var said string
	if helper == "" {
		said, err = r.build(extra, nil, append(args, "-f", b.Dockerfile, b.Context))
	} else {
		said, err = r.buildWith(b, helper, extra, args)
	}
	if err != nil {
		return "", fmt.Errorf("build %s: %w", b.Dockerfile, tail(errors.New(said+"\n"+err.Error()), 20))
	}
	if _, err := r.engine.do(r.ctx, nil, "push", "-q", name); err != nil {
		return "", err
	}
	out, err := r.engine.do(r.ctx, nil, "image", "inspect", "--format", "{{json .RepoDigests}}", name)
	if err != nil {
		return "", err
	}
	var digests []string
	if err := json.Unmarshal([]byte(out), &digests); err != nil {
		return "", err
	}
	repository := name[:strings.LastIndexByte(name, ':')]
	// An image that other stacks also pushed has a digest for each of their registries.
	i := slices.IndexFunc(digests, func(d string) bool { return strings.HasPrefix(d, repository+"@") })
	if i < 0 {
		return "", fmt.Errorf("push %s: Docker has no digest for it", name)
	}
	return strings.TrimPrefix(digests[i], repository+"@"), nil
}

// Inspect reads an image that Build built: its configuration and its files.
func (r *Run) Inspect(name string) (*contracts.Image, error) {
	return r.engine.image(r.ctx, r.local(name))
}

// image reads an image through a container that never starts.
func (e *engine) image(ctx context.Context, name string) (*contracts.Image, error) {
	config, err := e.do(ctx, nil, "image", "inspect", name)
	if err != nil {
		return nil, err
	}
	// The command is never run; an image without one could not be created.
	id, err := e.do(ctx, nil, "create", "--label", e.label, name, "never")
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "docker", "export", id)
	cmd.WaitDelay = time.Second
	files, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	var image *contracts.Image
	if err == nil {
		image, err = contracts.Built([]byte(config), files)
		_, unread := io.Copy(io.Discard, files)
		err = errors.Join(err, unread, cmd.Wait())
	}
	_, removed := e.do(context.WithoutCancel(ctx), nil, "rm", "-v", id)
	return image, errors.Join(err, removed)
}

// build runs a build and returns its output. It records the untagged images of earlier stages that the classic builder leaves
// behind, for Remove. BuildKit cleans up its own cache.
func (r *Run) build(extra []string, input io.Reader, args []string) (said string, err error) {
	r.building.Lock() // the classic builder would build the same first stage twice
	defer r.building.Unlock()
	if r.engine.buildKit {
		return r.engine.feed(r.ctx, extra, input, nil, args...)
	}
	before, err := r.engine.do(r.ctx, nil, "images", "-aq")
	if err != nil {
		return "", err
	}
	f, err := os.OpenFile(r.stagesFile(), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return "", err
	}
	said, wrong := r.engine.feed(r.ctx, extra, input, &recorder{to: f, before: before}, args...)
	return said, errors.Join(wrong, f.Close())
}

func (r *Run) stagesFile() string { return filepath.Join(r.dir, "stages") }

// A recorder reads the output of the classic builder, and writes down at once what the builder makes: a kill of this process, or a
// step that fails, leaves images without a name and stopped containers, and nothing else says whose they are.
type recorder struct {
	to     io.Writer
	before string // the images that existed already
	rest   string // of a line that is not complete
}

// inContainer is how the record marks a container; other lines of it are images.
const inContainer = "container:"

func (r *recorder) Write(p []byte) (int, error) {
	r.rest += string(p)
	for {
		line, after, complete := strings.Cut(r.rest, "\n")
		if !complete {
			return len(p), nil
		}
		r.rest = after
		step := builtStep.FindStringSubmatch(line)
		if step == nil || step[1] == "" && strings.Contains(r.before, step[2]) {
			continue
		}
		mark := ""
		if step[1] != "" {
			mark = inContainer
		}
		if _, err := fmt.Fprintln(r.to, mark+step[2]); err != nil {
			return len(p), err
		}
	}
}

var builtStep = regexp.MustCompile(`^ ---> (Running in )?([0-9a-f]{12})\r?$`)

// tail shortens an error to its first and last lines.
func tail(err error, lines int) error {
	all := strings.Split(strings.TrimSpace(err.Error()), "\n")
	if len(all) <= lines {
		return err
	}
	return fmt.Errorf("%s\n...\n%s", all[0], strings.Join(all[len(all)-lines:], "\n"))
}
