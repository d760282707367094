package inprocess_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/config"
	"github.com/pulumi/pulumi/sdk/v3/go/common/workspace"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/structpb"

	"slipway/engine/inprocess"
	"slipway/internal/toy"
)

// A nursery is a stack of toys.
type nursery struct {
	*inprocess.Stack
	toy    *toy.Provider
	events []apitype.EngineEvent
}

func newNursery(t *testing.T, program pulumi.RunFunc) *nursery {
	t.Helper()
	n := &nursery{toy: toy.New()}
	stack, err := inprocess.Open(inprocess.Options{
		Project: &workspace.Project{Name: "nursery", Runtime: workspace.NewProjectRuntimeInfo("go", nil)},
		Stack:   "local", Dir: t.TempDir(), State: t.TempDir(), Passphrase: "correct horse",
		Config: config.Map{
			config.MustParseKey("nursery:size"): config.NewValue("2"),
			config.MustParseKey("nursery:code"): config.NewSecureValue("open-sesame"),
		},
		Program: program, Providers: map[string]pulumirpc.ResourceProviderServer{"toy": n.toy},
		OnEvent: func(e apitype.EngineEvent) { n.events = append(n.events, e) },
	})
	if err != nil {
		t.Fatal(err)
	}
	n.Stack = stack
	return n
}

type made struct{ pulumi.CustomResourceState }

func register(ctx *pulumi.Context, name string, inputs pulumi.Map, opts ...pulumi.ResourceOption) (*made, error) {
	r := &made{}
	return r, ctx.RegisterResource(toy.Type, name, inputs, r, opts...)
}

// chain declares three resources, each of which needs the one before. The second has the configured size and code.
func chain(ctx *pulumi.Context) error {
	size, _ := ctx.GetConfig("nursery:size")
	code, _ := ctx.GetConfig("nursery:code")
	base, err := register(ctx, "base", nil)
	if err != nil {
		return err
	}
	middle, err := register(ctx, "middle", pulumi.Map{
		"size": pulumi.String(size), "code": pulumi.ToSecret(pulumi.String(code)), "on": base.ID(),
	})
	if err != nil {
		return err
	}
	if _, err := register(ctx, "top", pulumi.Map{"on": middle.ID()}); err != nil {
		return err
	}
	ctx.Export("size", pulumi.String(size))
	ctx.Export("code", pulumi.ToSecret(pulumi.String(code)))
	return nil
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A state is the part of the state file that the tests read.
type state struct {
	Version    int
	Checkpoint struct {
		Stack  string
		Latest *apitype.DeploymentV3
	}
}

func (n *nursery) state(t *testing.T) state {
	t.Helper()
	data, err := os.ReadFile(n.StatePath())
	must(t, err)
	var s state
	must(t, json.Unmarshal(data, &s))
	return s
}

func (s state) names() []string {
	var names []string
	if s.Checkpoint.Latest != nil {
		for _, r := range s.Checkpoint.Latest.Resources {
			names = append(names, r.URN.Name())
		}
	}
	return names
}

func (s state) pending() []string {
	var all []string
	for _, op := range s.Checkpoint.Latest.PendingOperations {
		all = append(all, string(op.Type)+" "+op.Resource.URN.Name())
	}
	return all
}

func wants[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestUpAgainUpdateDestroy(t *testing.T) {
	n := newNursery(t, chain)
	must(t, n.Preview(t.Context(), inprocess.Run{}))
	wants(t, "a preview did", n.toy.Done(), nil)
	if _, err := os.Stat(n.StatePath()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a preview wrote the state: %v", err)
	}

	must(t, n.Up(t.Context(), inprocess.Run{}))
	wants(t, "up did", n.toy.Done(), []string{"create base", "create middle", "create top"})
	first := n.state(t)
	wants(t, "the state's stack", first.Checkpoint.Stack, "organization/nursery/local")
	wants(t, "resources", first.names(), []string{"nursery-local", "default", "base", "middle", "top"})

	must(t, n.Up(t.Context(), inprocess.Run{}))
	wants(t, "up again did", n.toy.Done(), nil)

	n.Config[config.MustParseKey("nursery:size")] = config.NewValue("3")
	must(t, n.Up(t.Context(), inprocess.Run{}))
	wants(t, "another size did", n.toy.Done(), []string{"update middle"})

	must(t, n.Destroy(t.Context(), inprocess.Run{}))
	wants(t, "destroy did", n.toy.Done(), []string{"delete base", "delete middle", "delete top"})
	wants(t, "resources after destroy", n.state(t).names(), nil)
}

// What the CLI writes to its event log comes as plain JSON values, secrets as their marker.
func TestEvents(t *testing.T) {
	n := newNursery(t, chain)
	must(t, n.Up(t.Context(), inprocess.Run{}))
	done := map[string]apitype.StepEventMetadata{}
	for i, e := range n.events {
		if e.Sequence != i+1 || e.Timestamp == 0 {
			t.Errorf("event %d has sequence %d and timestamp %d", i, e.Sequence, e.Timestamp)
		}
		if e.ResOutputsEvent != nil {
			done[e.ResOutputsEvent.Metadata.URN] = e.ResOutputsEvent.Metadata
		}
	}
	middle := done["urn:pulumi:local::nursery::toy:index:Thing::middle"]
	if middle.Op != apitype.OpCreate || middle.New == nil {
		t.Fatalf("the creation of middle is not among %v", slices.Collect(maps.Keys(done)))
	}
	wants(t, "a secret", middle.New.Inputs["code"], any(map[string]any{resource.SigKey: resource.SecretSig, "ciphertext": "[secret]"}))
	wants(t, "a plain value", middle.New.Inputs["size"], any("2"))
	last := n.events[len(n.events)-2:]
	if last[0].SummaryEvent == nil || last[0].SummaryEvent.ResourceChanges[apitype.OpCreate] != 4 || last[1].CancelEvent == nil {
		t.Errorf("the last events are %+v", last)
	}
}

func TestSecretsAreEncrypted(t *testing.T) {
	n := newNursery(t, chain)
	must(t, n.Up(t.Context(), inprocess.Run{}))
	data, err := os.ReadFile(n.StatePath())
	must(t, err)
	if bytes.Contains(data, []byte("open-sesame")) {
		t.Error("the state holds the secret in plain text")
	}
	shown, err := n.Outputs(t.Context(), true)
	must(t, err)
	masked, err := n.Outputs(t.Context(), false)
	must(t, err)
	wants(t, "outputs", shown, map[string]any{"size": "2", "code": "open-sesame"})
	wants(t, "outputs", masked, map[string]any{"size": "2", "code": "[secret]"})

	events, err := json.Marshal(n.events)
	must(t, err)
	if bytes.Contains(events, []byte("open-sesame")) {
		t.Error("an event holds the secret in plain text")
	}
}

// A secret of the configuration reaches the program decrypted, also one inside of an object, and the program knows that it
// is a secret.
func TestConfiguration(t *testing.T) {
	var got string
	var secret bool
	n := newNursery(t, func(ctx *pulumi.Context) error {
		got, _ = ctx.GetConfig("nursery:nested")
		secret = ctx.IsConfigSecret("nursery:nested") && !ctx.IsConfigSecret("nursery:size")
		return nil
	})
	n.Config[config.MustParseKey("nursery:nested")] = config.NewSecureObjectValue(`{"plain":"x","hidden":{"secure":"v1:abc"}}`)
	must(t, n.Up(t.Context(), inprocess.Run{}))
	wants(t, "configuration", got, `{"hidden":"v1:abc","plain":"x"}`)
	n.Decrypter = upper{}
	must(t, n.Up(t.Context(), inprocess.Run{}))
	wants(t, "decrypted configuration", got, `{"hidden":"V1:ABC","plain":"x"}`)
	wants(t, "secret", secret, true)
}

// upper decrypts by another rule than any real one.
type upper struct{}

func (upper) DecryptValue(_ context.Context, text string) (string, error) {
	return strings.ToUpper(text), nil
}

func (u upper) BatchDecrypt(ctx context.Context, texts []string) ([]string, error) {
	return config.DefaultBatchDecrypt(ctx, u, texts)
}

// The state of an up without changes differs in its time and its ciphertexts alone.
func TestUpAgainLeavesTheSameState(t *testing.T) {
	n := newNursery(t, chain)
	must(t, n.Up(t.Context(), inprocess.Run{}))
	before := n.state(t)
	must(t, n.Up(t.Context(), inprocess.Run{}))
	after := n.state(t)
	sealed := cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == `["ciphertext"]` }, cmp.Ignore())
	if diff := cmp.Diff(before, after, sealed, cmpopts.IgnoreFields(apitype.ManifestV1{}, "Time")); diff != "" {
		t.Errorf("the state changed (-before +after):\n%s", diff)
	}
}

func TestRefreshFindsDriftAndUpRevertsIt(t *testing.T) {
	n := newNursery(t, chain)
	must(t, n.Up(t.Context(), inprocess.Run{}))
	n.toy.Done()
	for id, is := range n.toy.Things {
		switch is.Name() {
		case "top":
			delete(n.toy.Things, id)
		case "middle":
			is.Inputs.Fields["size"] = structpb.NewStringValue("9")
		}
	}
	written, err := os.ReadFile(n.StatePath())
	must(t, err)
	n.events = nil
	must(t, n.PreviewRefresh(t.Context(), inprocess.Run{}))
	found := map[string]apitype.OpType{}
	for _, e := range n.events {
		if e.ResOutputsEvent != nil && e.ResOutputsEvent.Metadata.Old != nil && e.ResOutputsEvent.Metadata.Old.Custom {
			m := e.ResOutputsEvent.Metadata
			found[m.URN[strings.LastIndex(m.URN, ":")+1:]] = m.Op
		}
	}
	if found["top"] != apitype.OpDelete || found["middle"] != apitype.OpUpdate || found["base"] != apitype.OpSame && found["base"] != "" {
		t.Errorf("a drift check found %v", found)
	}
	after, err := os.ReadFile(n.StatePath())
	must(t, err)
	wants(t, "state after a drift check", string(after), string(written))

	must(t, n.Up(t.Context(), inprocess.Run{Refresh: true}))
	wants(t, "up with a refresh did", n.toy.Done(), []string{"create top", "update middle"})
}

func TestProtectAndTargets(t *testing.T) {
	n := newNursery(t, func(ctx *pulumi.Context) error {
		if _, err := register(ctx, "kept", nil, pulumi.Protect(true)); err != nil {
			return err
		}
		_, err := register(ctx, "loose", pulumi.Map{"size": pulumi.String("1")})
		return err
	})
	must(t, n.Up(t.Context(), inprocess.Run{}))
	n.toy.Done()
	if err := n.Destroy(t.Context(), inprocess.Run{}); err == nil {
		t.Error("a protected resource was destroyed")
	}
	said := ""
	for _, e := range n.events {
		if e.DiagnosticEvent != nil && e.DiagnosticEvent.Severity == "error" {
			said += e.DiagnosticEvent.Message
		}
	}
	if !strings.Contains(said, "protected") {
		t.Errorf("the reason is %q", said)
	}
	n.toy.Done()
	must(t, n.Up(t.Context(), inprocess.Run{}))
	n.toy.Done()
	must(t, n.Destroy(t.Context(), inprocess.Run{Targets: []string{"urn:pulumi:local::nursery::toy:index:Thing::loose"}}))
	wants(t, "a destroy of one target did", n.toy.Done(), []string{"delete loose"})
	if err := n.Destroy(t.Context(), inprocess.Run{Targets: []string{"urn:pulumi:local::nursery::toy:index:Thing::absent"}}); err == nil {
		t.Error("a target that does not exist was accepted")
	}
}

func TestHooks(t *testing.T) {
	var called []string
	refuse := true
	n := newNursery(t, func(ctx *pulumi.Context) error {
		hook := func(name string, fail func() bool) (*pulumi.ResourceHook, error) {
			return ctx.RegisterResourceHook(name, func(args *pulumi.ResourceHookArgs) error {
				called = append(called, name+" "+args.Name)
				if fail() {
					return errors.New("not today")
				}
				return nil
			}, nil)
		}
		before, err := hook("before", func() bool { return refuse })
		if err != nil {
			return err
		}
		after, err := hook("after", func() bool { return false })
		if err != nil {
			return err
		}
		_, err = register(ctx, "hooked", nil, pulumi.ResourceHooks(&pulumi.ResourceHookBinding{
			BeforeCreate: []*pulumi.ResourceHook{before}, AfterCreate: []*pulumi.ResourceHook{after}, BeforeDelete: []*pulumi.ResourceHook{after},
		}))
		return err
	})
	if err := n.Up(t.Context(), inprocess.Run{}); err == nil {
		t.Error("a failing hook did not fail the up")
	}
	wants(t, "up did", n.toy.Done(), nil)
	wants(t, "hooks", called, []string{"before hooked"})

	refuse, called = false, nil
	must(t, n.Up(t.Context(), inprocess.Run{}))
	wants(t, "hooks", called, []string{"before hooked", "after hooked"})

	called = nil
	must(t, n.Destroy(t.Context(), inprocess.Run{RunProgram: true}))
	wants(t, "hooks", called, []string{"after hooked"})
}

// The first interrupt ends the operation in an orderly way: the step that is under way ends and is recorded.
func TestInterrupt(t *testing.T) {
	n := newNursery(t, chain)
	ctx, interrupt := context.WithCancel(t.Context())
	n.toy.BeforeCreate = func(name string) error {
		if name == "middle" {
			interrupt()
			time.Sleep(100 * time.Millisecond)
		}
		return nil
	}
	err := n.Up(ctx, inprocess.Run{})
	if err == nil || errors.Is(err, inprocess.ErrTerminated) {
		t.Errorf("the error of an interrupted up is %v", err)
	}
	wants(t, "the interrupted up did", n.toy.Done(), []string{"create base", "create middle"})
	wants(t, "resources", n.state(t).names(), []string{"nursery-local", "default", "base", "middle"})
	wants(t, "pending", n.state(t).pending(), nil)
	if n.toy.Canceled == 0 {
		t.Error("the provider was not notified")
	}
	must(t, n.Up(t.Context(), inprocess.Run{}))
	wants(t, "the next up did", n.toy.Done(), []string{"create top"})

	if err := n.Up(ctx, inprocess.Run{}); !errors.Is(err, context.Canceled) {
		t.Errorf("an operation began although its context was done: %v", err)
	}
}

// Terminate does not wait for the step. The state lists it as pending, and its provider can no longer do anything.
func TestTerminate(t *testing.T) {
	n := newNursery(t, chain)
	stuck, free := make(chan struct{}), make(chan struct{})
	n.toy.BeforeCreate = func(name string) error {
		if name == "middle" {
			close(stuck)
			<-free
		}
		return nil
	}
	go func() { <-stuck; n.Terminate(); time.Sleep(100 * time.Millisecond); close(free) }()
	if err := n.Up(t.Context(), inprocess.Run{}); !errors.Is(err, inprocess.ErrTerminated) {
		t.Errorf("the error of a terminated up is %v", err)
	}
	wants(t, "the terminated up did", n.toy.Done(), []string{"create base", "create middle"})
	time.Sleep(100 * time.Millisecond)
	wants(t, "afterwards it did", n.toy.Done(), nil)
	if s := n.state(t); len(s.names()) != 3 || !slices.Equal(s.pending(), []string{"creating middle"}) {
		t.Errorf("the state has %v and pending %v", s.names(), s.pending())
	}
	n.Terminate() // nothing is running
}

func TestProgramErrors(t *testing.T) {
	for name, c := range map[string]struct {
		program pulumi.RunFunc
		want    string
	}{
		"error": {func(*pulumi.Context) error { return errors.New("no reason") }, "no reason"},
		"panic": {func(*pulumi.Context) error { panic("at the disco") }, "the program panicked: at the disco"},
		"package": {func(ctx *pulumi.Context) error {
			var r made
			return ctx.RegisterResource("gcp:index:Thing", "other", nil, &r)
		}, "has no provider for it"},
		"reference": {func(ctx *pulumi.Context) error {
			_, err := pulumi.NewStackReference(ctx, "organization/other/prod", nil)
			return err
		}, "a rehearsed stack cannot refer to other stacks"},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNursery(t, c.program)
			err := n.Up(t.Context(), inprocess.Run{})
			if err == nil {
				t.Fatal("it went up")
			}
			said := err.Error()
			for _, e := range n.events {
				if e.DiagnosticEvent != nil {
					said += "\n" + e.DiagnosticEvent.Message
				}
			}
			if !strings.Contains(said, c.want) {
				t.Errorf("the error lacks %q:\n%s", c.want, said)
			}
		})
	}
}

func TestImportAndForget(t *testing.T) {
	n := newNursery(t, chain)
	must(t, n.Init(t.Context()))
	must(t, n.Init(t.Context()))
	if outputs, err := n.Outputs(t.Context(), false); err != nil || len(outputs) != 0 {
		t.Errorf("an empty stack has the outputs %v: %v", outputs, err)
	}
	must(t, n.Up(t.Context(), inprocess.Run{}))
	n.toy.Done()
	exported, err := n.Export(t.Context(), false)
	must(t, err)

	urn := func(name string) string { return "urn:pulumi:local::nursery::toy:index:Thing::" + name }
	if err := n.Forget(t.Context(), urn("middle")); err == nil {
		t.Error("a resource that another needs was forgotten")
	}
	must(t, n.Forget(t.Context(), urn("top")))
	wants(t, "resources", n.state(t).names(), []string{"nursery-local", "default", "base", "middle"})
	must(t, n.Import(t.Context(), exported))
	must(t, n.Up(t.Context(), inprocess.Run{}))
	wants(t, "up after the import did", n.toy.Done(), nil)

	other := bytes.ReplaceAll(exported, []byte("urn:pulumi:local:"), []byte("urn:pulumi:prod:"))
	if err := n.Import(t.Context(), other); err == nil || !strings.Contains(err.Error(), "another stack") {
		t.Errorf("the state of another stack was imported: %v", err)
	}
}

// The backup is the state before the last operation.
func TestBackup(t *testing.T) {
	n := newNursery(t, chain)
	must(t, n.Up(t.Context(), inprocess.Run{}))
	before, err := os.ReadFile(n.StatePath())
	must(t, err)
	must(t, n.Destroy(t.Context(), inprocess.Run{}))
	backup, err := os.ReadFile(n.StatePath() + ".bak")
	must(t, err)
	wants(t, "backup", string(backup), string(before))
}

// SkipCheckpoints writes once, whatever the environment of the process says.
func TestSkipCheckpoints(t *testing.T) {
	for _, skip := range []bool{false, true} {
		t.Setenv("PULUMI_SKIP_CHECKPOINTS", fmt.Sprint(!skip))
		n := newNursery(t, chain)
		n.SkipCheckpoints = skip
		var there bool
		n.toy.BeforeCreate = func(name string) error {
			_, err := os.Stat(n.StatePath())
			there = err == nil
			return nil
		}
		must(t, n.Up(t.Context(), inprocess.Run{}))
		wants(t, "written while the up ran", there, !skip)
		wants(t, "resources", n.state(t).names(), []string{"nursery-local", "default", "base", "middle", "top"})
		wants(t, "environment", os.Getenv("PULUMI_SKIP_CHECKPOINTS"), fmt.Sprint(!skip))
	}
}

// A state that cannot be written fails the operation, and the old one stays.
func TestUnwritableState(t *testing.T) {
	n := newNursery(t, chain)
	must(t, n.Up(t.Context(), inprocess.Run{}))
	before, err := os.ReadFile(n.StatePath())
	must(t, err)
	must(t, os.Mkdir(n.StatePath()+".new", 0o700)) // in the way of the next file
	must(t, os.WriteFile(filepath.Join(n.StatePath()+".new", "x"), nil, 0o600))
	if err := n.Destroy(t.Context(), inprocess.Run{}); err == nil || !strings.Contains(err.Error(), "local.json.new") {
		t.Errorf("the error is %v", err)
	}
	wants(t, "what was deleted", len(n.toy.Done()), 3) // nothing is done before the state says that it is under way
	after, err := os.ReadFile(n.StatePath())
	must(t, err)
	wants(t, "state", string(after), string(before))
}

func TestOpenRefuses(t *testing.T) {
	project := &workspace.Project{Name: "nursery"}
	for want, o := range map[string]inprocess.Options{
		`stack "a b"`:         {Project: project, Stack: "a b", Program: chain},
		"project has no name": {Stack: "local", Program: chain},
		"there is no program": {Project: project, Stack: "local"},
	} {
		if _, err := inprocess.Open(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error lacks %q: %v", want, err)
		}
	}
}
