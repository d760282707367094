package provider

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/emptypb"

	"slipway/rehearsal/cloud"
	"slipway/rehearsal/contracts"
)

// Docker is the docker provider, with its Image resource. Without a Builder it builds nothing: an image's digest is computed from
// everything that a build would read, so that it changes exactly when the image would. A push is recorded in the account's
// registry.
type Docker struct {
	base
	account *cloud.Account

	// Set these before the provider is served.
	Root    string // the project's folder, which relative paths start from; default: the working directory
	Builder Builder
}

// A Builder builds images with Docker and pushes them.
type Builder interface {
	Build(Build) (digest string, err error)
	Has(reference string) bool // whether repository@digest was pushed
}

// A Build is one image to build and push.
type Build struct {
	Name                        string // registry/repository:tag
	Context, Dockerfile, Target string
	Args                        []string // NAME=value, sorted
}

// NewDocker returns the docker provider, which pushes to the registry of account. It calls report, if not nil, after each
// operation.
func NewDocker(account *cloud.Account, report func(Event)) *Docker {
	return &Docker{base: base{name: "docker", version: "4.10.0", report: report}, account: account}
}

const dockerImage = "docker:index/image:Image"

// contextDigest is an input that the provider adds to build, as the real one does. It shows the engine that a file changed.
const contextDigest = "contextDigest"

var imageShape = cloud.Shape{
	"imageName!": "string", "buildOnPreview": "boolean", "skipPush": "boolean",
	"registry": cloud.Shape{"server": "string", "username": "string", "password": "string"},
	"build": cloud.Shape{
		"addHosts": "[]string", "args": "map", "builderVersion": "string", "cacheFrom": cloud.Shape{"images": "[]string"},
		"context": "string", "dockerfile": "string", "network": "string", "platform": "string", "target": "string",
		contextDigest: "string",
	},
}

var (
	platformForm  = regexp.MustCompile(`^[a-z0-9]+/[a-z0-9]+(/v[0-9]+)?$`)
	imageNameForm = regexp.MustCompile(`^([a-zA-Z0-9.-]+(:[0-9]+)?/)?[a-z0-9]+([._/-]+[a-z0-9]+)*(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?$`)
)

// A build is what an image is made from.
type build struct {
	context, dockerfile, platform, target string
	args                                  map[string]any
}

func buildOf(in cloud.Inputs) build {
	b := build{context: in.String("build.context"), dockerfile: in.String("build.dockerfile"), platform: in.String("build.platform"),
		target: in.String("build.target"), args: in.Map("build.args")}
	if b.context == "" {
		b.context = "."
	}
	if b.dockerfile == "" {
		b.dockerfile = filepath.Join(b.context, "Dockerfile")
	}
	if b.platform == "" {
		b.platform = "linux/amd64"
	}
	return b
}

// found is the build with its paths resolved for this process. The engine sees the paths unchanged.
func (b build) found(root string) build {
	for _, path := range []*string{&b.context, &b.dockerfile} {
		if !filepath.IsAbs(*path) {
			*path = filepath.Join(root, *path)
		}
	}
	return b
}

func (b build) order(name string) Build {
	o := Build{Name: name, Context: b.context, Dockerfile: b.dockerfile, Target: b.target}
	for arg, value := range b.args {
		o.Args = append(o.Args, fmt.Sprintf("%s=%v", arg, value))
	}
	slices.Sort(o.Args)
	return o
}

// Check validates inputs, finds the files, and adds the digest of what a build would read.
func (p *Docker) Check(_ context.Context, r *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	if t := typeOf(r.GetUrn()); t != dockerImage {
		return &pulumirpc.CheckResponse{Inputs: r.GetNews(),
			Failures: failures([]cloud.Problem{{Rule: fmt.Sprintf("the rehearsal's docker provider knows %s only, not %s", dockerImage, t)}})}, nil
	}
	news, err := raw(r.GetNews())
	if err != nil {
		return nil, err
	}
	problems := imageShape.Check(news)
	in, unknown := cloud.Plain(news)
	say := func(path, rule string, args ...any) {
		problems = append(problems, cloud.Problem{Path: path, Rule: fmt.Sprintf(rule, args...)})
	}
	if name := in.String("imageName"); name != "" && !imageNameForm.MatchString(name) {
		say("imageName", "%q is not an image name: expected registry/repository:tag in lower case", name)
	}
	if v := in.String("build.builderVersion"); v != "" && v != "BuilderV1" && v != "BuilderBuildKit" {
		say("build.builderVersion", "expected BuilderV1 or BuilderBuildKit, got %q", v)
	}
	b := buildOf(in)
	if !platformForm.MatchString(b.platform) {
		say("build.platform", "expected a platform such as linux/arm64, got %q", b.platform)
	}
	if !unknown.Has("build.context") && !unknown.Has("build.dockerfile") {
		digest, err := b.found(p.Root).digest()
		var missing *missingError
		switch {
		case errors.As(err, &missing):
			say(missing.property, "%v", missing)
		case err != nil:
			return nil, err
		default:
			given, secret := news["build"].(cloud.Secret)
			if !secret {
				given.Value = news["build"]
			}
			m, _ := given.Value.(map[string]any)
			given.Value = merged(m, map[string]any{contextDigest: digest})
			news["build"] = given.Value
			if secret {
				news["build"] = given
			}
		}
	}
	s, err := wire(news)
	return &pulumirpc.CheckResponse{Inputs: s, Failures: failures(problems)}, err
}

// Diff compares everything but the registry's password, which is different every time.
func (p *Docker) Diff(_ context.Context, r *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	olds, err := raw(r.GetOldInputs())
	if err != nil {
		return nil, err
	}
	news, err := raw(r.GetNews())
	if err != nil {
		return nil, err
	}
	plan := differ(olds, news, map[string]any{"buildOnPreview": false, "skipPush": false}, func(string) bool { return false })
	plan.Changes = slices.DeleteFunc(plan.Changes, func(c cloud.PropertyChange) bool {
		return c.Path == "registry.password" || c.Path == "registry" || c.Path == "buildOnPreview"
	})
	if p.Builder != nil && len(plan.Changes) == 0 {
		// A stack that was rehearsed without containers has digests of images that were never built.
		outputs, err := raw(r.GetOlds())
		if err != nil {
			return nil, err
		}
		if out, _ := cloud.Plain(outputs); !p.Builder.Has(out.String("repoDigest")) {
			plan.Changes = append(plan.Changes, cloud.PropertyChange{Path: "build", Op: cloud.Update})
		}
	}
	return planned(plan), nil
}

// Create builds and pushes an image, or simulates it.
func (p *Docker) Create(_ context.Context, r *pulumirpc.CreateRequest) (*pulumirpc.CreateResponse, error) {
	start := time.Now()
	inputs, err := raw(r.GetProperties())
	if err != nil {
		return nil, err
	}
	outputs, err := p.make(inputs, r.GetPreview())
	if !r.GetPreview() {
		p.event("build", r.GetUrn(), start, err)
	}
	if err != nil {
		return nil, err
	}
	id, _ := outputs["imageName"].(string)
	if r.GetPreview() {
		id = ""
	}
	s, err := wire(outputs)
	return &pulumirpc.CreateResponse{Id: id, Properties: s}, err
}

// Update builds and pushes the image again.
func (p *Docker) Update(_ context.Context, r *pulumirpc.UpdateRequest) (*pulumirpc.UpdateResponse, error) {
	start := time.Now()
	inputs, err := raw(r.GetNews())
	if err != nil {
		return nil, err
	}
	outputs, err := p.make(inputs, r.GetPreview())
	if !r.GetPreview() {
		p.event("build", r.GetUrn(), start, err)
	}
	if err != nil {
		return nil, err
	}
	s, err := wire(outputs)
	return &pulumirpc.UpdateResponse{Properties: s}, err
}

func (p *Docker) make(inputs map[string]any, preview bool) (map[string]any, error) {
	in, unknown := cloud.Plain(inputs)
	b := buildOf(in)
	name := in.String("imageName")
	out := map[string]any{
		"imageName": name, "baseImageName": name, "context": b.context, "dockerfile": b.dockerfile, "platform": b.platform,
		"registryServer": in.String("registry.server"),
	}
	if out["registryServer"] == "" {
		out["registryServer"] = registryOf(name)
	}
	for path, outputs := range map[string][]string{
		"imageName": {"imageName", "baseImageName", "registryServer"}, "registry.server": {"registryServer"},
		"build.context": {"context", "dockerfile"}, "build.dockerfile": {"dockerfile"}, "build.platform": {"platform"},
	} {
		if unknown.Has(path) {
			for _, o := range outputs {
				out[o] = cloud.Unknown
			}
		}
	}
	if preview && (len(unknown) > 0 || !in.Bool("buildOnPreview")) {
		out["repoDigest"] = cloud.Unknown
		return out, nil
	}
	digest, err := b.found(p.Root).digest()
	if err == nil && p.Builder != nil && !preview {
		digest, err = p.Builder.Build(b.found(p.Root).order(name))
	}
	if err != nil {
		return nil, err
	}
	if in.Bool("skipPush") {
		out["repoDigest"] = digest
		return out, nil
	}
	out["repoDigest"] = untagged(name) + "@" + digest
	if preview {
		return out, nil
	}
	if strings.Contains(registryOf(name), ".dkr.ecr.") && in.String("registry.password") == "" {
		return nil, fmt.Errorf("error pushing %s: no basic auth credentials: the image's registry needs a username and a password", name)
	}
	if err := p.account.Push(name, digest); err != nil {
		return out, err
	}
	image, err := b.found(p.Root).describe(p.Builder, name)
	if err != nil {
		return out, fmt.Errorf("read %s: %w", b.dockerfile, err)
	}
	return out, p.account.Describe(untagged(name)+"@"+digest, image)
}

// An Inspector is a Builder that can read the images that it built.
type Inspector interface {
	Inspect(name string) (*contracts.Image, error)
}

// describe says what is known about the image: from the built one if there is one, else from the Dockerfile.
func (b build) describe(builder Builder, name string) (*contracts.Image, error) {
	if inspector, ok := builder.(Inspector); ok {
		image, err := inspector.Inspect(name)
		if image != nil {
			image.Platform = b.platform // the containers of this machine may be of another one
		}
		return image, err
	}
	text, err := os.ReadFile(b.dockerfile)
	if err != nil {
		return nil, err
	}
	ignored, err := b.ignored()
	if err != nil {
		return nil, err
	}
	args := map[string]string{}
	for arg, value := range b.args {
		args[arg] = fmt.Sprint(value)
	}
	return contracts.Read(contracts.Build{Dockerfile: text, Context: contextFiles{os.DirFS(b.context), ignored}, Args: args, Target: b.target,
		Platform: b.platform})
}

// contextFiles are the build context without the files that .dockerignore excludes.
type contextFiles struct {
	fs.FS
	ignored *patternmatcher.PatternMatcher
}

// Open implements fs.FS.
func (s contextFiles) Open(name string) (fs.File, error) {
	if skip, err := s.ignored.MatchesOrParentMatches(filepath.FromSlash(name)); name != "." && (err != nil || skip) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: errors.Join(fs.ErrNotExist, err)}
	}
	return s.FS.Open(name)
}

// Read returns what is in the state.
func (p *Docker) Read(_ context.Context, r *pulumirpc.ReadRequest) (*pulumirpc.ReadResponse, error) {
	return &pulumirpc.ReadResponse{Id: r.GetId(), Inputs: r.GetInputs(), Properties: r.GetProperties()}, nil
}

// Delete does not change the registry: the real provider removes neither image nor tag.
func (p *Docker) Delete(_ context.Context, r *pulumirpc.DeleteRequest) (*emptypb.Empty, error) {
	p.event("delete", r.GetUrn(), time.Now(), nil)
	return &emptypb.Empty{}, nil
}

func registryOf(name string) string {
	if host, _, ok := strings.Cut(name, "/"); ok && strings.ContainsAny(host, ".:") {
		return host
	}
	return "docker.io"
}

// untagged is the image's name without its tag.
func untagged(name string) string {
	if i := strings.LastIndexByte(name, ':'); i > strings.LastIndexByte(name, '/') {
		return name[:i]
	}
	return name
}

// A missingError is a file or directory that an image needs and that is not there.
type missingError struct{ property, what, path string }

func (e *missingError) Error() string {
	path := e.path
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	return fmt.Sprintf("%s %s does not exist", e.what, path)
}

// digest hashes everything that a build reads: the Dockerfile, the files of the context that .dockerignore does not exclude,
// arguments, target and platform.
func (b build) digest() (string, error) {
	if info, err := os.Stat(b.context); err != nil || !info.IsDir() {
		return "", &missingError{"build.context", "the build context", b.context}
	}
	if info, err := os.Stat(b.dockerfile); err != nil || info.IsDir() {
		return "", &missingError{"build.dockerfile", "the Dockerfile", b.dockerfile}
	}
	ignored, err := b.ignored()
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	fmt.Fprintf(sum, "platform %q target %q\n", b.platform, b.target)
	for _, name := range slices.Sorted(maps.Keys(b.args)) {
		fmt.Fprintf(sum, "arg %q %q\n", name, b.args[name])
	}
	fmt.Fprint(sum, "dockerfile ")
	if err := hashFile(sum, b.dockerfile); err != nil {
		return "", err
	}
	if err := b.hashContext(sum, ignored); err != nil {
		return "", fmt.Errorf("read the build context: %w", err)
	}
	return "sha256:" + hex.EncodeToString(sum.Sum(nil)), nil
}

// madeLater is Slipway's program in a context. It is made when an image is really built, from sources whose hash the Dockerfile beside it
// has, so that the digest is the same with and without it.
const madeLater = ".slipway/helper"

// hashContext hashes the files of the build context that .dockerignore does not exclude.
func (b build) hashContext(sum hash.Hash, ignored *patternmatcher.PatternMatcher) error {
	return filepath.WalkDir(b.context, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(b.context, path)
		if err != nil || rel == "." {
			return err
		}
		if filepath.ToSlash(rel) == madeLater {
			return nil
		}
		skip, err := ignored.MatchesOrParentMatches(rel)
		if err != nil {
			return err
		}
		if skip {
			if d.IsDir() && !ignored.Exclusions() {
				return filepath.SkipDir
			}
			return nil
		}
		if d.IsDir() {
			return nil // as in git, a directory only matters for its files
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		// Only the mode bits that git stores, so that two checkouts give the same image.
		fmt.Fprintf(sum, "%q %v %t\n", filepath.ToSlash(rel), info.Mode().Type(), info.Mode().Perm()&0o100 != 0)
		switch {
		case info.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink(path)
			fmt.Fprintf(sum, "link %q\n", target)
			return err
		case info.Mode().IsRegular():
			return hashFile(sum, path)
		}
		return nil
	})
}

// ignored reads the Dockerfile's own ignore file, or the context's if there is none.
func (b build) ignored() (*patternmatcher.PatternMatcher, error) {
	for _, path := range []string{b.dockerfile + ".dockerignore", filepath.Join(b.context, ".dockerignore")} {
		f, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		defer f.Close()
		patterns, err := ignorefile.ReadAll(bufio.NewReader(f))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		return patternmatcher.New(patterns)
	}
	return patternmatcher.New(nil)
}

func hashFile(w io.Writer, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	n, err := io.Copy(w, f)
	fmt.Fprintf(w, " %d\n", n)
	return err
}
