// Package inprocess runs Pulumi operations with the engine in this process. It needs no CLI and no plugin: the program is
// a function, the providers are values, and an operation on an empty stack takes a few milliseconds. Rehearsals use it.
// Stacks in a real account stay with the CLI and the Automation API, the interfaces that Pulumi supports.
//
// The state has the layout of Pulumi's file backend: State/.pulumi/stacks/PROJECT/STACK.json, a checkpoint with pending
// operations, secrets encrypted with a passphrase. The CLI opens it with
//
//	PULUMI_CONFIG_PASSPHRASE=... pulumi login file://STATE
//
// An operation writes the state before and after every step, so a process that is killed at any moment leaves a state
// that says what was under way. The caller makes sure that only one operation at a time changes a stack.
//
// # Pulumi's packages
//
// pkg/v3 is not a stable interface: the module must have the version of the SDK and of the CLI in tools/pulumi. This
// package relies on:
//
//	engine           Update, Destroy, DestroyV2, Refresh, RefreshV2, Context, UpdateInfo, UpdateOptions, HostFactory, Event
//	backend          NewSnapshotManager, which makes a SnapshotManager of a SnapshotPersister; it reads PULUMI_SKIP_CHECKPOINTS
//	backend/display  ConvertEngineEvent, MassageSecrets
//	display          ResourceChanges
//	host             New: the plugin host, of which Provider, LanguageRuntime and SignalCancellation are replaced
//	resource/deploy  Snapshot, Target, Plan, NewUrnTargets, BackendClient
//	resource/edit    LocateResource, DeleteResource
//	resource/plugin  NewProviderWithClient, NewLanguageRuntimeClient; Host, Provider, ProviderHandshakeRequest, LanguageRuntime,
//	                 Context, DebugContext
//	resource/stack   UnmarshalVersionedCheckpointToLatestCheckpoint, DeserializeCheckpoint, DeserializeUntypedDeployment,
//	                 SerializeDeploymentWithMetadata, SerializeUntypedDeployment, SerializeOptions, SerializeProperties,
//	                 GetRootStackResource, NewBatchingCachingSecretsManager
//	secrets          Manager, Provider; passphrase.Type, ErrIncorrectPassphrase and the format of its salts, in package passphrase
//	util/cancel      NewContext, Source
//
// The engine is made for a process that ends with its operation. It leaves a goroutine (newStepExecutor) and a server
// (resourceStatusServer, as it never calls deploy.Deployment.Close) behind, which hold the operation's states: 3 MB for 260
// resources.
//
// To move to another version, raise github.com/pulumi/pulumi/sdk/v3 and pkg/v3 here and pkg/v3 in tools/pulumi together,
// build, and run this package's tests with a CLI: TestSameStateAsTheCLI compares the two states. Where it differs, read
// in pkg/v3: diyBackend.apply and saveStack (backend/diy), the UpdateOptions in cmd/pulumi/operations, and
// languageRuntimeServer (sdk/v3/go/auto).
package inprocess

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pulumi/pulumi/pkg/v3/backend"
	"github.com/pulumi/pulumi/pkg/v3/backend/display"
	pkgdisplay "github.com/pulumi/pulumi/pkg/v3/display"
	"github.com/pulumi/pulumi/pkg/v3/engine"
	"github.com/pulumi/pulumi/pkg/v3/resource/deploy"
	"github.com/pulumi/pulumi/pkg/v3/secrets"
	"github.com/pulumi/pulumi/pkg/v3/util/cancel"
	"github.com/pulumi/pulumi/sdk/v3"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/constant"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/config"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	"github.com/pulumi/pulumi/sdk/v3/go/common/version"
	"github.com/pulumi/pulumi/sdk/v3/go/common/workspace"
	"github.com/pulumi/pulumi/sdk/v3/go/property"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

func init() {
	// The linker sets it in the CLI. The state says which version wrote it.
	version.Version = cmp.Or(version.Version, "v"+sdk.Version.String())
}

// organization is what Pulumi's file backend calls the organization of every stack.
const organization = "organization"

// callTimeout is how long Terminate waits for calls that it abandons.
const callTimeout = 10 * time.Second

// ErrTerminated means that Terminate cut an operation short: some steps are pending in the state.
var ErrTerminated = errors.New("the operation was terminated")

// Options describe a stack.
type Options struct {
	Project *workspace.Project // Pulumi.yaml; its runtime is not used
	Stack   string
	Dir     string // the folder of Pulumi.yaml
	State   string // the folder of the file backend: file://STATE to the CLI

	Passphrase string // encrypts the secrets in the state
	KeyFile    string // of passphrase.Keys; "": none
	Salt       string // the encryptionsalt of Pulumi.STACK.yaml; "": the state's own, or a new one

	Config    config.Map
	Decrypter config.Decrypter // of the secrets in Config; nil: they are plain text

	Program   pulumi.RunFunc
	Providers map[string]pulumirpc.ResourceProviderServer // by package: "aws"

	// Monitor makes what stands between the program and the engine in one run of the program. Nil: nothing does.
	Monitor func() Monitor

	// SkipCheckpoints writes the state once, at the end. That is faster, but a process that is killed loses everything it did.
	SkipCheckpoints bool

	// OnEvent receives what the CLI writes to its event log. It is called from one goroutine at a time; nil: no events.
	OnEvent func(apitype.EngineEvent)
}

// A Stack is one deployment of the program.
type Stack struct {
	Options
	name    tokens.StackName
	running atomic.Pointer[cancel.Source] // of the current operation
}

// A Run is how an operation runs. Its zero value is what the CLI does without flags.
type Run struct {
	Targets    []string // URNs; nil: all resources
	Parallel   int      // steps at a time; 0: four for each processor
	Refresh    bool     // read every resource back first
	RunProgram bool     // run the program in a destroy or refresh, as resources with delete hooks need
}

// Open checks the options. It reads nothing and writes nothing.
func Open(o Options) (*Stack, error) {
	name, err := tokens.ParseStackName(o.Stack)
	if err != nil {
		return nil, fmt.Errorf("inprocess: stack %q: %w", o.Stack, err)
	}
	if o.Project == nil || o.Project.Name == "" {
		return nil, errors.New("inprocess: the project has no name")
	}
	if o.Program == nil {
		return nil, errors.New("inprocess: there is no program")
	}
	if o.Decrypter == nil {
		// Not NopDecrypter itself, with which Pulumi leaves the secrets inside of objects as they are.
		o.Decrypter = struct{ config.Decrypter }{config.NopDecrypter}
	}
	return &Stack{Options: o, name: name}, nil
}

// Up runs the program and makes the resources match it.
func (s *Stack) Up(ctx context.Context, run Run) error {
	return s.operate(ctx, run, engine.Update, false)
}

// Preview is Up without its effects.
func (s *Stack) Preview(ctx context.Context, run Run) error {
	return s.operate(ctx, run, engine.Update, true)
}

// Destroy deletes the resources in the state.
func (s *Stack) Destroy(ctx context.Context, run Run) error {
	if run.RunProgram {
		return s.operate(ctx, run, engine.DestroyV2, false)
	}
	return s.operate(ctx, run, engine.Destroy, false)
}

// Refresh reads every resource back into the state.
func (s *Stack) Refresh(ctx context.Context, run Run) error {
	return s.operate(ctx, run, refresh(run), false)
}

// PreviewRefresh is Refresh without its effects.
func (s *Stack) PreviewRefresh(ctx context.Context, run Run) error {
	return s.operate(ctx, run, refresh(run), true)
}

func refresh(run Run) operation {
	if run.RunProgram {
		return engine.RefreshV2
	}
	return engine.Refresh
}

// Terminate ends the current operation at once, if there is one: it does not wait for its steps. Cancel the operation's
// context for a graceful stop: no new step begins, and those under way finish and are recorded.
func (s *Stack) Terminate() {
	if source := s.running.Load(); source != nil {
		source.Terminate()
	}
}

type operation func(engine.UpdateInfo, *engine.Context, engine.UpdateOptions, bool) (*deploy.Plan, pkgdisplay.ResourceChanges, error)

// operate runs one operation of the engine.
func (s *Stack) operate(ctx context.Context, run Run, do operation, preview bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	base, manager, err := s.load(ctx)
	if err != nil {
		return err
	}
	// Terminating the source is also what makes the engine close its host, so it ends every operation.
	cancellation, source := cancel.NewContext(context.WithoutCancel(ctx))
	defer source.Terminate()
	defer context.AfterFunc(ctx, source.Cancel)()
	s.running.Store(source)
	defer s.running.Store(nil)

	events, followed := make(chan engine.Event), make(chan struct{})
	go func() { defer close(followed); s.follow(events) }()
	calls := &calls{}
	opCtx := &engine.Context{Cancel: cancellation, Events: events, BackendClient: noStacks{}}
	var snapshots *backend.SnapshotManager
	writer := &persister{s: s}
	if !preview {
		snapshots = s.snapshots(writer, base, manager)
		opCtx.SnapshotManager = snapshots
	}
	_, _, err = do(engine.UpdateInfo{
		Root:    s.Dir,
		Project: s.Project,
		Target: &deploy.Target{
			Name: s.name, Organization: organization, Config: s.Config, Decrypter: s.Decrypter, Snapshot: base,
		},
	}, opCtx, engine.UpdateOptions{
		HostFactory: s.hosts(calls),
		Targets:     deploy.NewUrnTargets(run.Targets),
		Parallel:    int32(cmp.Or(run.Parallel, 4*runtime.GOMAXPROCS(0))),
		Refresh:     run.Refresh,

		ExecKind:             constant.ExecKindAutoInline,
		SkipPluginPreInstall: true, // the providers are here
	}, preview)

	// An operation that was terminated returns while its calls are still running. They must not change anything later.
	calls.end(callTimeout)
	if snapshots != nil {
		err = errors.Join(err, snapshots.Close(), s.sync())
		writer.data = bytes.Buffer{} // the engine keeps what it knows of an operation until the process ends; see Pulumi's packages
	}
	close(events)
	<-followed
	if cancellation.TerminateErr() != nil {
		return errors.Join(ErrTerminated, err)
	}
	return err
}

// checkpoints guards the environment variable that NewSnapshotManager reads.
var checkpoints sync.Mutex

func (s *Stack) snapshots(writer *persister, base *deploy.Snapshot, manager secrets.Manager) *backend.SnapshotManager {
	const name = "PULUMI_SKIP_CHECKPOINTS"
	checkpoints.Lock()
	defer checkpoints.Unlock()
	if before, ok := os.LookupEnv(name); ok {
		defer os.Setenv(name, before)
	} else {
		defer os.Unsetenv(name)
	}
	os.Setenv(name, strconv.FormatBool(s.SkipCheckpoints))
	return backend.NewSnapshotManager(writer, manager, base, nil)
}

// follow passes events on, as a reader of the CLI's event log finds them.
func (s *Stack) follow(events <-chan engine.Event) {
	for n := 1; ; n++ {
		event, ok := <-events
		if !ok {
			return
		}
		if s.OnEvent == nil {
			continue
		}
		converted, err := display.ConvertEngineEvent(event, false)
		if err != nil {
			continue // the CLI's log leaves it out, too
		}
		converted.Sequence, converted.Timestamp = n, int(time.Now().Unix())
		var about []apitype.StepEventMetadata
		switch {
		case converted.ResourcePreEvent != nil:
			about = append(about, converted.ResourcePreEvent.Metadata)
		case converted.ResOutputsEvent != nil:
			about = append(about, converted.ResOutputsEvent.Metadata)
		case converted.ResOpFailedEvent != nil:
			about = append(about, converted.ResOpFailedEvent.Metadata)
		}
		for _, m := range about {
			for _, state := range []*apitype.StepEventStateMetadata{m.Old, m.New} {
				if state != nil {
					plain(state.Inputs)
					plain(state.Outputs)
				}
			}
		}
		s.OnEvent(converted)
	}
}

// plain turns values, in place, into those that their JSON is read as: a secret is a map. To write and read a whole event
// takes a tenth of an up without changes.
func plain(v any) any {
	switch v := v.(type) {
	case nil, bool, float64, string:
		return v
	case []any:
		for i := range v {
			v[i] = plain(v[i])
		}
		return v
	case map[string]any:
		for key := range v {
			v[key] = plain(v[key])
		}
		return v
	}
	var read any
	if data, err := json.Marshal(v); err == nil {
		_ = json.Unmarshal(data, &read)
	}
	return read
}

// noStacks answers a program that refers to another stack.
type noStacks struct{}

func (noStacks) GetStackOutputs(_ context.Context, name string, _ func(error) error) (property.Map, error) {
	return property.Map{}, fmt.Errorf("stack %s: a rehearsed stack cannot refer to other stacks", name)
}

func (n noStacks) GetStackResourceOutputs(ctx context.Context, name string) (property.Map, error) {
	return n.GetStackOutputs(ctx, name, nil)
}
