package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"gopkg.in/yaml.v3"

	"slipway/internal/toy"
)

// cli is the CLI of the tests. On a cold machine getting it takes minutes, which is why it is announced.
var cli = sync.OnceValues(func() (*CLI, error) {
	return FindCLI(context.Background(), func(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) })
})

// An inventory is the toy's account as repair sees it.
type inventory struct{ *toy.Provider }

func (a inventory) Keeps(kind string) bool { return kind == toy.Type }

func (a inventory) Objects() []Object {
	var all []Object
	for id, t := range a.All() {
		all = append(all, Object{URN: t.URN, Type: toy.Type, ID: id})
	}
	return all
}

func (a inventory) Delete(_ context.Context, o Object) error {
	a.Remove(o.ID)
	return nil
}

// A bench is a stack in a directory of its own, with a toy account behind it.
type bench struct {
	t       *testing.T
	toy     *toy.Provider
	config  string
	secrets map[string]string // by ciphertext
	dir     string
	said    []string
}

func newBench(t *testing.T) *bench {
	t.Helper()
	return &bench{t: t, toy: toy.New(), dir: filepath.Join(t.TempDir(), "local"),
		config: "bench:size: 2\nbench:code: {secure: v1:abc}\n"}
}

// program declares a chain of three resources. The second has the configured size and the configured secret code.
func program(ctx *pulumi.Context) error {
	size, _ := ctx.GetConfig("bench:size")
	code, _ := ctx.GetConfig("bench:code")
	args := pulumi.Map{}
	var parent []pulumi.ResourceOption
	for _, name := range []string{"base", "middle", "top"} {
		var made pulumi.CustomResourceState
		if name == "middle" {
			args = pulumi.Map{"size": pulumi.String(size), "code": pulumi.ToSecret(pulumi.String(code))}
		}
		if err := ctx.RegisterResource(toy.Type, name, args, &made, parent...); err != nil {
			return err
		}
		args = pulumi.Map{"on": made.ID()}
		parent = []pulumi.ResourceOption{pulumi.DependsOn([]pulumi.Resource{&made})}
	}
	ctx.Export("url", pulumi.String("http://toy.example"))
	ctx.Export("code", pulumi.ToSecret(pulumi.String(code)))
	return nil
}

// up is an Up without options.
func up(s *Stack) func(context.Context, *Lock) (Result, error) {
	return func(ctx context.Context, lock *Lock) (Result, error) { return s.Up(ctx, lock, UpOptions{}) }
}

// do opens the stack and runs one operation on it.
func (b *bench) do(ctx context.Context, operation string) (Result, error) {
	b.t.Helper()
	lock, err := Acquire(b.dir, "local", operation)
	if err != nil {
		return Result{}, err
	}
	defer lock.Unlock()
	s, err := b.open()
	if err != nil {
		return Result{}, err
	}
	run := map[string]func(context.Context, *Lock) (Result, error){"up": up(s), "preview": func(ctx context.Context, lock *Lock) (Result,
		error) {
		return s.Preview(ctx, lock, UpOptions{})
	}, "destroy": s.Destroy}[operation]
	return run(ctx, lock)
}

func (b *bench) open() (*Stack, error) {
	b.t.Helper()
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(b.config), &doc); err != nil {
		b.t.Fatal(err)
	}
	return Open(Options{
		Dir: b.dir, Stack: "local", Project: []byte("name: bench\nruntime: go\n"), Config: Config{Node: doc.Content[0], Secrets: b.secrets},
		Program: program, Providers: map[string]pulumirpc.ResourceProviderServer{"toy": b.toy}, Inventory: inventory{b.toy},
		Logf: func(format string, args ...any) { b.said = append(b.said, fmt.Sprintf(format, args...)) },
	})
}

func (b *bench) must(operation string) Result {
	b.t.Helper()
	result, err := b.do(b.t.Context(), operation)
	if err != nil {
		b.t.Fatalf("%s: %v", operation, err)
	}
	return result
}

func TestLifeOfAStack(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	first := b.must("up")
	if got := len(b.toy.Things); got != 3 {
		t.Errorf("the first up created %d resources, want 3", got)
	}
	if first.Counts["create"] != 5 { // with the stack itself and its provider
		t.Errorf("the first up counts %v, want 5 creates", first.Counts)
	}
	if first.Outputs["url"] != "http://toy.example" {
		t.Errorf("outputs are %v", first.Outputs)
	}
	if again := b.must("up"); again.Changed() != 0 {
		t.Errorf("the second up changed %v", again.Changes)
	}

	b.config = "bench:size: 3\nbench:code: {secure: v1:abc}\n"
	want := []Change{{URN: "urn:pulumi:local::bench::toy:index:Thing::middle", Type: toy.Type, Op: "update",
		Properties: []Property{{Path: "size", Kind: "update", From: "2", To: "3"}}}}
	if diff := cmp.Diff(want, b.must("preview").Changes); diff != "" {
		t.Errorf("preview of a changed size (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, b.must("up").Changes); diff != "" {
		t.Errorf("up of a changed size (-want +got):\n%s", diff)
	}

	b.config = "bench:size: 3\nbench:code: {secure: v1:xyz}\n"
	want[0].Properties = []Property{{Path: "code", Kind: "update", From: "[secret]", To: "[secret]"}}
	if diff := cmp.Diff(want, b.must("preview").Changes); diff != "" {
		t.Errorf("preview of a changed secret (-want +got):\n%s", diff)
	}
	b.must("up")

	s, err := b.open()
	if err != nil {
		t.Fatal(err)
	}
	for show, code := range map[bool]string{false: "[secret]", true: StandIn("v1:xyz")} {
		outputs, err := s.Outputs(t.Context(), show)
		if err != nil || outputs["code"] != code {
			t.Errorf("outputs with secrets shown %t: %v, %v", show, outputs, err)
		}
		state, err := s.Export(t.Context(), show)
		if err != nil || bytes.Contains(state, []byte(StandIn("v1:xyz"))) != show {
			t.Errorf("export with secrets shown %t: has the secret: %t, %v", show, !show, err)
		}
	}

	// The real value of a secret, which a run with containers has, is a secret too.
	b.secrets = map[string]string{"v1:xyz": "hunter2-hunter2"}
	if diff := cmp.Diff(want, b.must("up").Changes); diff != "" {
		t.Errorf("up with the value of the secret (-want +got):\n%s", diff)
	}
	outputs, err := s.Outputs(t.Context(), true)
	if err != nil || outputs["code"] != "hunter2-hunter2" {
		t.Errorf("with its value the secret is %v, %v", outputs["code"], err)
	}
	if said := fmt.Sprintf("%v %+v %s", s.Config, s.Config, Config{Secrets: b.secrets}); strings.Contains(said, "hunter2") {
		t.Errorf("the configuration prints %s", said)
	}

	gone := b.must("destroy")
	if len(b.toy.Things) != 0 || gone.Counts["delete"] < 3 {
		t.Errorf("destroy counts %v and leaves %v", gone.Counts, b.toy.Names())
	}
	noPlainSecret(t, b.dir)
}

// noPlainSecret looks for stand-ins in every file of a stack's directory.
func noPlainSecret(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if bytes.Contains(data, []byte("rehearsed-")) || bytes.Contains(data, []byte("hunter2")) {
			t.Errorf("%s has a secret in plain text", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestProviderRefusal(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.toy.BeforeCreate = func(name string) error {
		if name == "middle" {
			return errors.New("ShelfLimitExceeded: one resource is enough")
		}
		return nil
	}
	_, err := b.do(t.Context(), "up")
	var failure *Failure
	if !errors.As(err, &failure) {
		t.Fatalf("got %v, want a Failure", err)
	}
	if !strings.Contains(err.Error(), "middle (toy:index:Thing): ") || !strings.Contains(err.Error(), "ShelfLimitExceeded") {
		t.Errorf("the error does not name the resource and the reason: %v", err)
	}
	b.toy.BeforeCreate = nil
	b.must("up")
	if got := b.toy.Names(); !slices.Equal(got, []string{"base", "middle", "top"}) {
		t.Errorf("after the refusal was lifted the account has %v", got)
	}
}

// survives returns the stack and the account as they are now to a bench of their own: a process that is killed at this moment
// leaves exactly that.
func (b *bench) survives() *bench {
	b.t.Helper()
	left := *b
	left.dir = filepath.Join(b.t.TempDir(), "local")
	left.toy = &toy.Provider{Things: maps.Clone(b.toy.Things), Created: b.toy.Created}
	if err := os.CopyFS(left.dir, os.DirFS(b.dir)); err != nil {
		b.t.Error(err)
	}
	return &left
}

func TestKilledAfterCreate(t *testing.T) {
	for _, victim := range []string{"base", "middle", "top"} {
		t.Run(victim, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			var left *bench
			b.toy.AfterCreate = func(made toy.Thing) {
				if strings.HasSuffix(made.URN, "::"+victim) {
					left = b.survives()
				}
			}
			b.must("up")
			b = left
			before := b.toy.Created
			b.must("up")
			if said := strings.Join(b.said, "\n"); !strings.Contains(said, "Adopting "+victim) {
				t.Errorf("the repair says:\n%s", said)
			}
			b.wholeAfterRepair(before)
		})
	}
}

// wholeAfterRepair checks a stack that was repaired and brought up after before resources had been created.
func (b *bench) wholeAfterRepair(before int) {
	b.t.Helper()
	if got := b.toy.Names(); !slices.Equal(got, []string{"base", "middle", "top"}) {
		b.t.Errorf("the account has %v after the kill", got)
	}
	if b.toy.Created != 3 {
		b.t.Errorf("%d resources were created before the kill and %d after it, want 3 together: the one in doubt is adopted",
			before, b.toy.Created-before)
	}
	if again := b.must("up"); again.Changed() != 0 {
		b.t.Errorf("the up after the repair changed %v", again.Changes)
	}
	b.must("destroy")
	if got := b.toy.Names(); got != nil {
		b.t.Errorf("destroy left %v", got)
	}
	noPlainSecret(b.t, b.dir)
}

// A second interrupt abandons the calls under way. What they did is in doubt, and the next up finds it out.
func TestTerminated(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	s, err := b.open()
	if err != nil {
		t.Fatal(err)
	}
	lock, err := Acquire(b.dir, "local", "up")
	if err != nil {
		t.Fatal(err)
	}
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	b.toy.AfterCreate = func(made toy.Thing) {
		if strings.HasSuffix(made.URN, "::middle") {
			interrupt()
			s.Terminate()
			time.Sleep(100 * time.Millisecond) // the engine does not wait for this call
		}
	}
	_, err = s.Up(ctx, lock, UpOptions{})
	var failure *Failure
	if !errors.As(err, &failure) || !failure.Interrupted {
		t.Fatalf("got %v, want an interrupted failure", err)
	}
	if lock.Killed == nil {
		t.Error("nothing says that the work of this run is in doubt")
	}
	if err := lock.Unlock(); err != nil {
		t.Fatal(err)
	}
	b.toy.AfterCreate = nil
	before := b.toy.Created
	b.must("up")
	b.wholeAfterRepair(before)
}

func TestOrphansAreDeleted(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.must("up")
	b.toy.Things["thing-99"] = toy.Thing{URN: "urn:pulumi:local::bench::toy:index:Thing::middle"}
	if result := b.must("up"); result.Changed() != 0 {
		t.Errorf("up changed %v", result.Changes)
	}
	if _, ok := b.toy.Things["thing-99"]; ok || len(b.toy.Things) != 3 {
		t.Errorf("the account has %v", b.toy.Names())
	}
}

// An object without a URN was deleted as a resource: it is not an orphan, and a resource in the state that has it is not lost.
func TestObjectsThatStay(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.must("up")
	b.toy.Things["thing-99"] = toy.Thing{}
	for id, kept := range b.toy.Things {
		kept.URN = ""
		b.toy.Things[id] = kept
	}
	b.said = nil
	if result := b.must("up"); result.Changed() != 0 {
		t.Errorf("up changed %v", result.Changes)
	}
	if len(b.said) > 0 || len(b.toy.Things) != 4 {
		t.Errorf("up repaired something: %q, the account has %d things", b.said, len(b.toy.Things))
	}
}

// What was killed while it wrote the state leaves half a file beside it, and what the CLI left may be half a note.
func TestKilledWhileWriting(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.must("up")
	path := filepath.Join(b.dir, "state/.pulumi/stacks/bench/local.json")
	for _, half := range []string{path + ".new", path + ".attrs"} {
		if err := os.WriteFile(half, []byte(`{"versi`), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	lock, err := Acquire(b.dir, "local", "up")
	if err != nil {
		t.Fatal(err)
	}
	lock.file.Unlock() // as the kernel does when a process is killed
	if result := b.must("up"); result.Changed() != 0 {
		t.Errorf("the up after the kill changed %v", result.Changes)
	}
}

func TestTwoAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	lock, err := Acquire(dir, "local", "up")
	if err != nil {
		t.Fatal(err)
	}
	_, err = Acquire(dir, "local", "destroy")
	var held *LockedError
	if !errors.As(err, &held) || held.Owner.PID != os.Getpid() || held.Owner.Operation != "up" {
		t.Errorf("the second hold: %v, want the owner of the first", err)
	}
	if err := lock.Unlock(); err != nil {
		t.Fatal(err)
	}
	after, err := Acquire(dir, "local", "destroy")
	if err != nil || after.Killed != nil {
		t.Fatalf("after the first ended: killed %v, %v", after.Killed, err)
	}
	after.file.Unlock() // as the kernel does when a process is killed
	last, err := Acquire(dir, "local", "up")
	if err != nil || last.Killed == nil || last.Killed.Operation != "destroy" {
		t.Fatalf("after a kill: %+v, %v", last, err)
	}
	last.Unlock()
	if again, err := Acquire(dir, "local", "up"); err != nil || again.Killed == nil {
		t.Errorf("the killed run is not repaired yet, and its note is gone: %+v, %v", again, err)
	}
}

func TestEngineLocks(t *testing.T) {
	t.Parallel()
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		lock   string
		refuse string
	}{
		{"of a process that is gone", fmt.Sprintf(`{"pid":%d,"hostname":%q}`, 1<<30, host), ""},
		{"cut short when its engine was killed", `{"pid":12`, ""},
		{"of a living process", fmt.Sprintf(`{"pid":%d,"hostname":%q,"username":"ada","timestamp":"2026-01-02T03:04:05Z"}`,
			os.Getpid(), host), fmt.Sprintf("ada@%s, process %d, since 2026-01-02T03:04:05Z", host, os.Getpid())},
		{"of another host", `{"pid":1,"hostname":"elsewhere","username":"ada"}`, "ada@elsewhere, process 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := stateLocks{store: store{stack: "local", project: "toy", dir: t.TempDir()}}
			dir := filepath.Join(s.stateDir(), ".pulumi", "locks", "organization", "toy", "local")
			if err := os.MkdirAll(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, "1234.json")
			if err := os.WriteFile(path, []byte(c.lock), 0o600); err != nil {
				t.Fatal(err)
			}
			err := s.clear(t.Context(), 0)
			_, statErr := os.Stat(path)
			if c.refuse == "" && (err != nil || statErr == nil) {
				t.Errorf("it was not cleared: %v", err)
			}
			if c.refuse != "" && (err == nil || !strings.Contains(err.Error(), c.refuse) || statErr != nil) {
				t.Errorf("got %v, want a refusal that says %q", err, c.refuse)
			}
		})
	}
}

func TestDamagedState(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.must("up")
	b.must("up") // so that there is a backup
	path := filepath.Join(b.dir, "state/.pulumi/stacks/bench/local.json")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, damaged := range map[string][]byte{"empty": {}, "cut": whole[:len(whole)/2],
		"from the future": []byte(`{"version":99,"checkpoint":{}}`)} {
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := b.do(t.Context(), "up")
		if err == nil || !strings.Contains(err.Error(), path+".bak: copy it over") {
			t.Errorf("%s: got %v, want a refusal that points to the backup", name, err)
		}
	}
	backup, err := os.ReadFile(path + ".bak")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, backup, 0o600); err != nil {
		t.Fatal(err)
	}
	if result := b.must("up"); len(b.toy.Things) != 3 || result.Counts["create"] != 0 {
		t.Errorf("with the backup in place: %v, %v", result.Counts, b.toy.Names())
	}
}
