package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"gopkg.in/yaml.v3"

	"slipway/engine/inprocess"
)

// enginePatience is how long an engine that lost its slipway may take to end before the stack is refused.
const enginePatience = 10 * time.Second

// Options describe a stack.
type Options struct {
	Dir     string         // the stack's own directory; without a Backend everything that is kept is in it
	Stack   string         // its name
	Project []byte         // Pulumi.yaml
	Config  Config         // the configuration that the engine sees
	Program pulumi.RunFunc // runs in this process

	// Providers are values, by package ("aws"). The engine of a stack without a Backend runs in this process and calls them.
	Providers map[string]pulumirpc.ResourceProviderServer

	// Monitor makes what stands between the program and the engine in one run of the program, to try a change. Only for an engine
	// in this process; nil: nothing does.
	Monitor func() inprocess.Monitor

	// Backend is where the state is kept and locked, and the CLI is what runs the engine. Nil: the state is in Dir, with a
	// passphrase of its own; the engine runs in this process, and an operation that changes the stack needs its Lock.
	Backend *Backend
	CLI     *CLI
	Env     map[string]string // further variables of the CLI
	Home    string            // the CLI's home, with its plugins; "": in Dir
	GitHub  GitHub            // who can say whether a run in CI, which left a lock, still lives

	// Inventory lists what exists in the account. With one, an operation that follows a killed one first finds out what that
	// one did. Nil: the engine's own state is all that is known.
	Inventory Inventory

	// Throwaway has the engine write its state once, at the end. It is much faster, but the next run cannot continue from
	// a killed one.
	Throwaway bool

	// ReadBack names the resources, by URN, whose outputs an up may have made outdated, given the state before and after it.
	// The engine reads these back. Only for a stack with a Backend; nil: none.
	ReadBack func(before, after []apitype.ResourceV3) []string

	OnEvent func(Event)                      // receives every step; may be nil
	Logf    func(format string, args ...any) // receives everything else that the user should know; may be nil
}

// A Stack is one deployment of the program. Operations that change it need its Lock.
type Stack struct {
	Options
	store
	locks stateLocks
	local *inprocess.Stack // without a Backend

	// With a Backend:
	env  map[string]string
	auto auto.Stack
}

// ErrNoStack means that a stack was never deployed.
var ErrNoStack = errors.New("there is no such stack yet")

// Open opens a stack. It fails if the state in its directory is damaged. Until the first operation it creates nothing and
// calls nothing.
func Open(o Options) (*Stack, error) {
	var project struct{ Name string }
	if err := yaml.Unmarshal(o.Project, &project); err != nil {
		return nil, fmt.Errorf("in Pulumi.yaml: %w", err)
	}
	if project.Name == "" {
		return nil, errors.New("in Pulumi.yaml: name is missing")
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	s := &Stack{Options: o, store: store{dir: dir, project: project.Name, stack: o.Stack, backend: o.Backend, last: &parsed{}}}
	if s.OnEvent == nil {
		s.OnEvent = func(Event) {}
	}
	if s.Logf == nil {
		s.Logf = func(string, ...any) {}
	}
	s.locks = stateLocks{s.store, o.GitHub, s.Logf}
	if o.Backend != nil {
		s.env = s.variables()
		return s, nil // the state is read when there is an operation
	}
	if s.local, err = s.openLocal(); err != nil {
		return nil, err
	}
	_, err = s.read(context.Background())
	return s, err
}

// prepare creates the stack's directory and the stack, if they do not exist.
func (s *Stack) prepare(ctx context.Context) error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	if s.Backend == nil {
		return s.prepareLocal(ctx)
	}
	return s.prepareCLI(ctx)
}

// Checkpoint is the state of the stack as it is stored. A stack that was never created has an empty one.
func (s *Stack) Checkpoint(ctx context.Context) (Checkpoint, error) { return s.read(ctx) }

// StateKey is the object that holds the state in the bucket of a Backend.
func (s *Stack) StateKey() string { return s.stateKey() }

// RestoreState replaces a damaged state in the bucket of the Backend. The bucket keeps that as an older version.
func (s *Stack) RestoreState(ctx context.Context, data []byte) error {
	if _, err := ParseState(data); err != nil {
		return fmt.Errorf("engine: the state to restore is damaged: %w", err)
	}
	bucket, err := s.Bucket(ctx)
	if err != nil {
		return err
	}
	defer bucket.Close()
	if err := bucket.WriteAll(ctx, s.stateKey(), data, nil); err != nil {
		return fmt.Errorf("the backend %s: %w", s.backend.URL, err)
	}
	return nil
}

// Locks is the engine's locks on the stack, oldest first.
func (s *Stack) Locks(ctx context.Context) ([]StateLock, error) { return s.locks.list(ctx) }

// Free returns a *StateLockedError while a run that is alive, or may be, has the stack. It changes nothing.
func (s *Stack) Free(ctx context.Context) error { return s.locks.free(ctx) }

// Break removes locks, and the notes of their runs.
func (s *Stack) Break(ctx context.Context, locks []StateLock) error {
	return s.locks.remove(ctx, locks)
}

// ProjectName is the name in Pulumi.yaml.
func (s *Stack) ProjectName() string { return s.project }

// Init creates an empty stack in its backend if it does not exist.
func (s *Stack) Init(ctx context.Context) error { return s.prepare(ctx) }

// Terminate ends at once an operation that is already ending. Calls under way are abandoned: the state says that they are
// pending, and the next operation on the stack finds out what became of them.
func (s *Stack) Terminate() {
	if s.Backend == nil {
		s.local.Terminate()
	} else {
		s.CLI.Terminate()
	}
}

// UpOptions are the choices of one Up or Preview.
type UpOptions struct {
	// Refresh reads every resource from the provider first. Without it the engine compares the program with the state, and
	// does not see manual changes.
	Refresh bool
}

// An action is one operation of the engine.
type action struct {
	kind     kind
	refresh  bool     // before an update or its preview
	targets  []string // URNs; nil: all resources
	parallel int      // steps at a time; 0: the engine's default

	heard func(apitype.EngineEvent) // receives every event; may be nil
}

type kind int

const (
	update kind = iota
	preview
	destroy
	refresh
	previewRefresh
)

// Up creates, updates and deletes resources until they match the program.
func (s *Stack) Up(ctx context.Context, lock *Lock, o UpOptions) (Result, error) {
	return s.operate(ctx, lock, "up", action{kind: update, refresh: o.Refresh})
}

// Preview says what Up would do with the same options. It changes nothing, but for repairing what a killed operation left.
func (s *Stack) Preview(ctx context.Context, lock *Lock, o UpOptions) (Result, error) {
	return s.operate(ctx, lock, "preview", action{kind: preview, refresh: o.Refresh})
}

// A Protected error says that a stack was not destroyed because the program protects some of it.
type Protected struct {
	Stack string
	URNs  []string
}

func (e *Protected) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "stack %s is protected; nothing was deleted. Protected are:", e.Stack)
	for _, urn := range e.URNs {
		fmt.Fprintf(&b, "\n  %s (%s)", resource.URN(urn).Name(), resource.URN(urn).Type())
	}
	return b.String()
}

// operate runs one operation, after repairing what the last one left if that was killed.
func (s *Stack) operate(ctx context.Context, lock *Lock, name string, a action) (Result, error) {
	if s.Backend != nil {
		return s.operateShared(ctx, name, a)
	}
	if err := s.ready(ctx, lock); err != nil {
		return Result{}, err
	}
	// A repair would record what is missing, and a drift check must find exactly that.
	if name != "drift" || lock.Killed != nil {
		if err := s.repair(ctx, lock); err != nil {
			return Result{}, err
		}
	}
	result, err := s.engine(ctx, name, a)
	if errors.Is(err, inprocess.ErrTerminated) {
		lock.Killed = &lock.owner
	}
	return result, err
}

// ready prepares the stack's own directory for an engine, whatever the last one left there.
func (s *Stack) ready(ctx context.Context, lock *Lock) error {
	if err := s.locks.clear(ctx, enginePatience); err != nil {
		return err
	}
	return s.prepare(ctx)
}

// operateShared runs one operation on a stack with a Backend, where the engine's own lock keeps others out. A preview
// takes no lock, and repairs nothing.
func (s *Stack) operateShared(ctx context.Context, name string, a action) (result Result, err error) {
	if name == "preview" || name == "drift" {
		if err := s.prepare(ctx); err != nil {
			return Result{}, err
		}
		return s.engine(ctx, name, a)
	}
	if err := s.locks.admit(ctx); err != nil {
		return Result{}, err
	}
	takeBack, err := s.locks.note(ctx, name)
	if err != nil {
		return Result{}, err
	}
	defer func() {
		if !s.CLI.killed.Load() { // a killed engine leaves its lock, and the note says whose it is
			err = errors.Join(err, takeBack())
		}
	}()
	if err := s.prepare(ctx); err != nil {
		return Result{}, err
	}
	pending, err := s.settle(ctx, nil)
	if err == nil && len(pending) > 0 {
		err = &PendingCreatesError{Stack: s.Stack, Creates: pending}
	}
	if err == nil {
		result, err = s.engine(ctx, name, a)
	}
	if err != nil && strings.Contains(err.Error(), engineLocked) {
		locks, lockErr := s.locks.list(ctx)
		if lockErr != nil || len(locks) == 0 {
			return Result{}, errors.Join(err, lockErr)
		}
		return Result{}, &StateLockedError{Stack: s.Stack, Locks: locks}
	}
	return result, err
}

// engineLocked is how the engine's message begins if another run has the lock.
const engineLocked = "the stack is currently locked by"

// engine runs one operation of the engine and follows its events.
func (s *Stack) engine(ctx context.Context, name string, a action) (Result, error) {
	started := time.Now()
	before, err := s.read(ctx)
	if err != nil {
		return Result{}, err
	}
	r := newRecord(s.OnEvent, before)
	hear := func(e apitype.EngineEvent) {
		r.add(e)
		if a.heard != nil {
			a.heard(e)
		}
	}
	run := s.runCLI
	if s.Backend == nil {
		run = s.runLocal
	}
	err = run(ctx, a, hear)
	r.finish()
	if err != nil {
		return Result{}, &Failure{Operation: name, Interrupted: ctx.Err() != nil, Problems: r.problems, Cause: err, Done: r.result}
	}
	r.result.Took = time.Since(started)
	return r.result, nil
}

// Outputs returns the outputs of the program's last run. A secret's value is "[secret]" unless show is set.
func (s *Stack) Outputs(ctx context.Context, showSecrets bool) (map[string]any, error) {
	if err := s.readable(ctx); err != nil {
		return nil, err
	}
	if s.Backend == nil {
		return s.local.Outputs(ctx, showSecrets)
	}
	return s.outputsCLI(ctx, showSecrets)
}

// Export is the state of the stack, as `pulumi stack export` writes it.
func (s *Stack) Export(ctx context.Context, showSecrets bool) ([]byte, error) {
	if err := s.readable(ctx); err != nil {
		return nil, err
	}
	if s.Backend == nil {
		return s.local.Export(ctx, showSecrets)
	}
	return s.exportCLI(ctx, showSecrets)
}

// readable checks that the stack exists and can be read, and creates the workspace if every run has its own.
func (s *Stack) readable(ctx context.Context) error {
	there, err := s.exists(ctx)
	switch {
	case err != nil:
		return err
	case !there:
		return ErrNoStack
	case s.Backend != nil:
		return s.prepare(ctx)
	}
	return s.unlockSecrets()
}
