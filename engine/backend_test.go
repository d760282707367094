package engine

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"gocloud.dev/blob"
	"google.golang.org/grpc"
	"gopkg.in/yaml.v3"

	"slipway/internal/awstest"

	"slipway/internal/toy"
)

// A shared bench is a stack whose state is in S3 and whose secrets a KMS key encrypts, as they are for real. Pulumi's own
// code calls the bucket and the key; behind both is moto.
type sharedBench struct {
	*bench
	s3      *s3.Client
	bucket  string
	key     string // ARN
	dataKey string
	backend Backend
	github  GitHub
	env     map[string]string
}

const planted = "correct-horse-battery-staple"

func newSharedBench(t *testing.T) *sharedBench {
	t.Helper()
	awstest.Point(t, awstest.Moto(t, "-m", "moto.server"))
	t.Setenv("AWS_REGION", "eu-west-1")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("GITHUB_ACTIONS", "")
	settings, err := config.LoadDefaultConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b := &sharedBench{bench: newBench(t), bucket: "bench-local-state", env: Surroundings(),
		s3: s3.NewFromConfig(settings, func(o *s3.Options) { o.UsePathStyle = true })}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err = b.s3.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &b.bucket,
		CreateBucketConfiguration: &s3types.CreateBucketConfiguration{LocationConstraint: "eu-west-1"}})
	must(err)
	_, err = b.s3.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{Bucket: &b.bucket,
		VersioningConfiguration: &s3types.VersioningConfiguration{Status: s3types.BucketVersioningStatusEnabled}})
	must(err)
	keys := kms.NewFromConfig(settings)
	made, err := keys.CreateKey(t.Context(), &kms.CreateKeyInput{})
	must(err)
	b.key = aws.ToString(made.KeyMetadata.Arn)
	data, err := keys.GenerateDataKeyWithoutPlaintext(t.Context(), &kms.GenerateDataKeyWithoutPlaintextInput{
		KeyId: &b.key, KeySpec: kmstypes.DataKeySpecAes256})
	must(err)
	b.dataKey = base64.StdEncoding.EncodeToString(data.CiphertextBlob)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	server := grpc.NewServer()
	pulumirpc.RegisterResourceProviderServer(server, b.toy)
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	b.env["PULUMI_DEBUG_PROVIDERS"] = fmt.Sprintf("toy:%d", listener.Addr().(*net.TCPAddr).Port)
	return b
}

func (b *sharedBench) open() *Stack {
	b.t.Helper()
	found, err := cli()
	if err != nil {
		b.t.Fatal(err)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(b.config), &doc); err != nil {
		b.t.Fatal(err)
	}
	s, err := Open(Options{
		CLI: &CLI{path: found.path, version: found.version}, Dir: b.t.TempDir(), Stack: "local", Project: []byte("name: bench\nruntime: go\n"),
		Config: Config{Node: doc.Content[0]}, Program: program, Env: b.env, Backend: &b.backend, GitHub: b.github,
		Logf: func(format string, args ...any) { b.said = append(b.said, fmt.Sprintf(format, args...)) },
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}

func (b *sharedBench) must(operation string) Result {
	b.t.Helper()
	s := b.open()
	run := map[string]func(context.Context, *Lock) (Result, error){"up": up(s), "preview": func(ctx context.Context, lock *Lock) (Result,
		error) {
		return s.Preview(ctx, lock, UpOptions{})
	}, "destroy": s.Destroy}[operation]
	result, err := run(b.t.Context(), nil)
	if err != nil {
		b.t.Fatalf("%s: %v", operation, err)
	}
	return result
}

// everything is every object of the bucket, by key.
func (b *sharedBench) everything() map[string][]byte {
	b.t.Helper()
	bucket, err := b.open().Bucket(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	defer bucket.Close()
	all := map[string][]byte{}
	for list := bucket.List(nil); ; {
		object, err := list.Next(b.t.Context())
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			b.t.Fatal(err)
		}
		if all[object.Key], err = bucket.ReadAll(b.t.Context(), object.Key); err != nil {
			b.t.Fatal(err)
		}
	}
}

func (b *sharedBench) put(key string, value any) {
	b.t.Helper()
	bucket, err := b.open().Bucket(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	defer bucket.Close()
	data, err := json.Marshal(value)
	if err == nil {
		err = bucket.WriteAll(b.t.Context(), key, data, &blob.WriterOptions{})
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

func TestSharedBackend(t *testing.T) {
	b := newSharedBench(t)
	ctx := t.Context()

	// The secret is encrypted as a user would have Pulumi do it, with the KMS key.
	b.backend = Backend{URL: S3(b.bucket, "eu-west-1", ""), SecretsProvider: KMS(b.key, "eu-west-1"), EncryptedKey: b.dataKey}
	b.config = "bench:size: 2\n"
	s := b.open()
	if err := s.Init(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := s.command(ctx, "config", "set", "--secret", "code", planted, "--stack", "local"); err != nil {
		t.Fatal(err)
	}
	written, err := os.ReadFile(filepath.Join(s.dir, "Pulumi.local.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		EncryptedKey string
		Config       yaml.Node
	}
	if err := yaml.Unmarshal(written, &file); err != nil {
		t.Fatal(err)
	}
	settings, err := yaml.Marshal(&file.Config)
	if err != nil || file.EncryptedKey != b.dataKey || !bytes.Contains(settings, []byte("secure:")) ||
		bytes.Contains(written, []byte(planted)) {
		t.Fatalf("the engine encrypted the setting as\n%s%v", written, err)
	}
	b.config = string(settings)

	if up := b.must("up"); up.Counts["create"] != 5 || len(b.toy.Things) != 3 {
		t.Errorf("the first up counts %v", up.Counts)
	}
	if again := b.must("up"); again.Changed() != 0 {
		t.Errorf("the second up changed %v", again.Changes)
	}
	for show, code := range map[bool]string{false: "[secret]", true: planted} {
		if outputs, err := b.open().Outputs(ctx, show); err != nil || outputs["code"] != code {
			t.Errorf("outputs with secrets shown %t: %v, %v", show, outputs, err)
		}
	}
	for _, thing := range b.toy.Things {
		if strings.HasSuffix(thing.URN, "middle") && !strings.Contains(thing.Inputs.String(), planted) {
			t.Errorf("the provider got %v: the engine did not decrypt the secret", thing.Inputs)
		}
	}
	all := b.everything()
	if len(all) < 3 || all[".pulumi/stacks/bench/local.json"] == nil {
		t.Errorf("the bucket holds %d objects and no state", len(all))
	}
	for key, data := range all {
		if bytes.Contains(data, []byte(planted)) {
			t.Errorf("%s has the secret in plain text", key)
		}
		if strings.Contains(key, "/locks/") || strings.HasPrefix(key, ".slipway/runs/") {
			t.Errorf("%s is left of a run that has ended", key)
		}
	}

	t.Run("looks", b.looks)
	t.Run("two at once", b.twoAtOnce)
	t.Run("killed", b.killed)
	t.Run("workflow", b.workflow)
	t.Run("runners", b.runners)
	t.Run("restored", b.restored)

	if b.must("destroy"); len(b.toy.Things) != 0 {
		t.Errorf("destroy left %v", b.toy.Names())
	}
}

// A preview and a drift check take no lock and write nothing: a role that cannot write is enough for them. The bucket
// keeps versions, so what was written and deleted again would be seen.
func (b *sharedBench) looks(t *testing.T) {
	versions := func() map[string]int {
		listed, err := b.s3.ListObjectVersions(t.Context(), &s3.ListObjectVersionsInput{Bucket: &b.bucket})
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]int{}
		for _, v := range listed.Versions {
			seen[aws.ToString(v.Key)]++
		}
		for _, d := range listed.DeleteMarkers {
			seen[aws.ToString(d.Key)]++
		}
		return seen
	}
	before := versions()
	if before[".pulumi/stacks/bench/local.json"] < 2 {
		t.Fatalf("the bucket keeps no versions: %v", before)
	}
	b.must("preview")
	steps, err := b.open().Reread(t.Context(), nil)
	if err != nil || len(steps) < 3 {
		t.Errorf("a drift check read %v, %v", steps, err)
	}
	for _, step := range steps {
		if step.New == nil || !cmp.Equal(step.Old.Outputs, step.New.Outputs) {
			t.Errorf("a drift check found %+v", step)
		}
	}
	if diff := cmp.Diff(before, versions()); diff != "" {
		t.Errorf("looking wrote (-before +after):\n%s", diff)
	}
}

// The second of two concurrent deployments is refused, says who has locked the stack, and touches nothing.
func (b *sharedBench) twoAtOnce(t *testing.T) {
	inside, leave := make(chan struct{}), make(chan struct{})
	b.config = strings.Replace(b.config, `size: 2`, `size: 3`, 1)
	if !strings.Contains(b.config, "size: 3") {
		b.config = strings.Replace(b.config, `size: "2"`, `size: "3"`, 1)
	}
	b.toy.BeforeUpdate = func() { close(inside); <-leave }
	first := make(chan error)
	go func() { _, err := b.open().Up(t.Context(), nil, UpOptions{}); first <- err }()
	select {
	case <-inside:
	case err := <-first:
		t.Fatalf("the first ended before it changed anything: %v", err)
	case <-time.After(time.Minute):
		t.Fatal("the first does not begin")
	}
	_, err := b.open().Up(t.Context(), nil, UpOptions{})
	var locked *StateLockedError
	if !errors.As(err, &locked) || len(locked.Locks) != 1 {
		t.Errorf("the second: %v, want a *StateLockedError", err)
	} else if l := locked.Locks[0]; l.Life != Alive || l.Run == nil || l.Run.Operation != "up" || l.Run.PID != os.Getpid() {
		t.Errorf("the lock is %+v of %+v", l, l.Run)
	}
	// Pulumi itself refuses as well, whatever slipway has looked at before.
	s := b.open()
	if err := s.prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.command(t.Context(), "refresh", "--yes", "--skip-preview", "--run-program=false", "--stack", "local"); err == nil ||
		!strings.Contains(err.Error(), engineLocked) {
		t.Errorf("the engine: %v, want %q", err, engineLocked)
	}
	b.toy.BeforeUpdate = nil
	close(leave)
	if err := <-first; err != nil {
		t.Errorf("the first: %v", err)
	}
}

// A run whose engine is killed leaves its lock, and a create with an unknown outcome. The next run frees
// the stack, and then asks; with the resolution nothing is created twice.
func (b *sharedBench) killed(t *testing.T) {
	for id, thing := range b.toy.Things { // so that the next up creates one
		if strings.HasSuffix(thing.URN, "::top") {
			delete(b.toy.Things, id)
		}
	}
	s := b.open()
	if err := s.prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.toy.AfterCreate = func(toy.Thing) {
		locks, err := s.Locks(context.WithoutCancel(t.Context()))
		if err != nil || len(locks) != 1 {
			t.Errorf("locks while the engine works: %v, %v", locks, err)
			return
		}
		syscall.Kill(locks[0].PID, syscall.SIGKILL)
	}
	if _, err := b.open().Up(t.Context(), nil, UpOptions{}); err == nil {
		t.Fatal("an engine that was killed reported success")
	}
	b.toy.AfterCreate = nil
	made := b.toy.Created
	locks, err := b.open().Locks(t.Context())
	if err != nil || len(locks) != 1 || locks[0].Life != Gone || locks[0].Run == nil {
		t.Fatalf("after the kill the locks are %+v, %v", locks, err)
	}

	b.said = nil
	_, err = b.open().Up(t.Context(), nil, UpOptions{})
	var pending *PendingCreatesError
	if !errors.As(err, &pending) || len(pending.Creates) != 1 || pending.Creates[0].Name != "top" {
		t.Fatalf("the up after the kill: %v, want to be asked about top", err)
	}
	if !strings.Contains(strings.Join(b.said, "\n"), "Releasing the lock of a run that has ended") {
		t.Errorf("the release of the lock was not reported: %q", b.said)
	}
	if _, err := b.open().Recover(t.Context(), nil, &Resolution{Made: map[string]string{"bottom": "thing-1"}}); err == nil ||
		!strings.Contains(err.Error(), `"bottom"`) {
		t.Errorf("a resolution of what is not pending: %v", err)
	}
	if _, err := b.open().Recover(t.Context(), nil, &Resolution{}); err == nil ||
		!strings.Contains(err.Error(), "nothing is said about top (toy:index:Thing)") {
		t.Errorf("no resolution: %v", err)
	}
	left, err := b.open().Recover(t.Context(), nil, &Resolution{Made: map[string]string{"top": fmt.Sprintf("thing-%d", made)}})
	if err != nil || len(left) != 0 {
		t.Fatalf("after the resolution: %v, %v", left, err)
	}
	if up := b.must("up"); b.toy.Created != made || up.Counts["create"] != 0 {
		t.Errorf("the up after the resolution counts %v, and %d resources were created in all, want %d", up.Counts, b.toy.Created, made)
	}
	if got := b.toy.Names(); !slices.Equal(got, []string{"base", "middle", "top"}) {
		t.Errorf("the account has %v", got)
	}
}

// The lock of a workflow run that was cancelled is released by the next run of the repository, when GitHub says that it has
// ended. Until then, and for every other run, it stays.
func (b *sharedBench) workflow(t *testing.T) {
	run := &GitHubRun{Repository: "example/site", ID: "77", Attempt: 1, Workflow: "deploy", Actor: "ada"}
	const key = ".pulumi/locks/organization/bench/local/0b1c.json"
	since := time.Now().Add(-time.Hour).Truncate(time.Second)
	b.put(key, map[string]any{"pid": 4, "username": "runner", "hostname": "fv-az1", "timestamp": since})
	b.put(".slipway/runs/bench/local/old.json", Owner{PID: 3, Host: "fv-az1", Since: since.Add(-time.Second), Operation: "up", GitHub: run})

	says := func(status, conclusion string, err error) func(context.Context, GitHubRun) (string, string, error) {
		return func(_ context.Context, asked GitHubRun) (string, string, error) {
			if diff := cmp.Diff(*run, asked); diff != "" {
				t.Errorf("GitHub is asked about another run (-want +got):\n%s", diff)
			}
			return status, conclusion, err
		}
	}
	for _, c := range []struct {
		name, repository string
		says             func(context.Context, GitHubRun) (string, string, error)
		free             bool
		why              string
	}{
		{"no token", "example/site", nil, false, "without GITHUB_TOKEN"},
		{"still running", "example/site", says("in_progress", "", nil), false, "GitHub says that it is in_progress"},
		{"no access", "example/site", says("completed", "", errors.New("404 Not Found")), false,
			"GitHub does not say whether it has ended: 404 Not Found"},
		{"another repository", "example/other", says("completed", "cancelled", nil), false, "it has ended: cancelled"},
		{"cancelled", "example/site", says("completed", "cancelled", nil), true, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			for name, value := range map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_RUN_ID": "78", "GITHUB_RUN_ATTEMPT": "1",
				"GITHUB_REPOSITORY": c.repository} {
				t.Setenv(name, value)
			}
			b.github = GitHub{RunStatus: c.says, Own: GitHubRunOf(os.Getenv)}
			err := b.open().locks.admit(t.Context())
			var locked *StateLockedError
			if c.free && err != nil || !c.free && (!errors.As(err, &locked) || !strings.Contains(err.Error(), c.why)) {
				t.Errorf("got %v, want free %t, %q", err, c.free, c.why)
			}
			for _, key := range []string{key, ".slipway/runs/bench/local/old.json"} {
				if _, there := b.everything()[key]; there == c.free {
					t.Errorf("%s is there: %t", key, there)
				}
			}
		})
	}
	if got, _ := (GitHub{Own: &GitHubRun{Repository: "example/site", ID: "77", Attempt: 2}}).life(t.Context(), *run); got != Gone {
		t.Errorf("a second attempt takes the first for %s", got)
	}
}
