package engine

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/renameio/v2"
	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/events"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optpreview"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"gopkg.in/yaml.v3"
)

// enginePatience is how long an engine that lost its slipway may take to end before the stack is refused.
const enginePatience = 10 * time.Second

// Options say what a stack is made of.
type Options struct {
	CLI     *CLI
	Dir     string            // the stack's own directory; without a Backend everything that is kept is in it
	Stack   string            // its name
	Project []byte            // Pulumi.yaml
	Config  Config            // the configuration that the engine is to see
	Program pulumi.RunFunc    // runs in this process
	Env     map[string]string // further variables of the engine: where the providers are

	// Backend is where the state is kept and locked. Nil: in Dir, with a passphrase of its own, and who changes the stack
	// has its Lock.
	Backend *Backend
	Home    string // the engine's home, with its plugins; "": in Dir
	GitHub  GitHub // who can say whether a run in CI, which left a lock, still lives

	// Inventory lists what exists in the account. With one, an operation that follows a killed one first finds out what that
	// one did. Nil: the engine's own state is all that is known.
	Inventory Inventory

	// Throwaway makes the engine write its state once, at the end. It is much faster, and a run that is killed leaves
	// nothing to go on from.
	Throwaway bool

	// ReadBack names the resources, by URN, whose outputs an up may have made outdated, given the state before and after it.
	// The engine reads these back. Only for a stack with a Backend; nil: none.
	ReadBack func(before, after []apitype.ResourceV3) []string

	OnEvent func(Event)                      // hears of every step; may be nil
	Logf    func(format string, args ...any) // hears of everything else that the user should know; may be nil
}

// A Stack is one deployment of the program. Operations that change it need its Lock.
type Stack struct {
	Options
	store
	locks stateLocks
	env   map[string]string
	auto  auto.Stack
}

// ErrNoStack says that a stack was never put up.
var ErrNoStack = errors.New("there is no such stack yet")

// Open opens a stack. It fails if the state in its directory is damaged. Nothing is made and nothing is called until there
// is an operation.
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
	s := &Stack{Options: o, store: store{dir: dir, project: project.Name, stack: o.Stack, backend: o.Backend}}
	if s.OnEvent == nil {
		s.OnEvent = func(Event) {}
	}
	if s.Logf == nil {
		s.Logf = func(string, ...any) {}
	}
	s.locks = stateLocks{s.store, o.GitHub, s.Logf}
	s.env = map[string]string{
		"HOME":                     s.home(),
		"PULUMI_BACKEND_URL":       s.url(),
		"PULUMI_SKIP_UPDATE_CHECK": "true",
	}
	if o.Backend == nil {
		s.env["PULUMI_CONFIG_PASSPHRASE_FILE"] = s.passphraseFile()
		s.env["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] = "true"
	}
	if o.Throwaway {
		s.env["PULUMI_SKIP_CHECKPOINTS"] = "true"
	}
	for name, value := range o.Env {
		s.env[name] = value
	}
	if o.Backend != nil {
		return s, nil // it is read when there is an operation
	}
	_, err = s.read(context.Background())
	return s, err
}

// prepare lays out the stack's directory, and makes the stack if there is none.
func (s *Stack) prepare(ctx context.Context) error {
	needed := []string{s.dir, s.home()}
	if s.Backend == nil {
		needed = append(needed, s.stateDir())
	}
	for _, made := range needed {
		if err := os.MkdirAll(made, 0o700); err != nil {
			return fmt.Errorf("engine: %w", err)
		}
	}
	if s.Backend == nil {
		if err := s.makePassphrase(ctx); err != nil {
			return err
		}
	}
	if s.Home == "" {
		if err := s.silence(); err != nil {
			return err
		}
	}
	if err := renameio.WriteFile(filepath.Join(s.dir, "Pulumi.yaml"), s.Project, 0o600); err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	path := filepath.Join(s.dir, "Pulumi."+s.Stack+".yaml")
	write := func() error { return s.Config.write(path, s.passphraseFile()) }
	if s.Backend != nil {
		write = func() error { return s.Config.writeShared(path, *s.Backend) }
	}
	if err := write(); err != nil {
		return err
	}
	options := []auto.LocalWorkspaceOption{auto.WorkDir(s.dir), auto.PulumiHome(s.home()), auto.Pulumi(s.CLI),
		auto.Program(s.Program), auto.EnvVars(s.env)}
	if s.Backend != nil {
		options = append(options, auto.SecretsProvider(s.Backend.SecretsProvider))
	}
	local, err := auto.NewLocalWorkspace(ctx, options...)
	if err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	s.auto, err = auto.UpsertStack(ctx, s.Stack, &workspace{local.(*auto.LocalWorkspace), s})
	if err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	return nil
}

// Checkpoint is the state of the stack as it is stored. A stack that was never created has an empty one.
func (s *Stack) Checkpoint(ctx context.Context) (Checkpoint, error) { return s.read(ctx) }

// Locks is the engine's locks on the stack, oldest first.
func (s *Stack) Locks(ctx context.Context) ([]StateLock, error) { return s.locks.list(ctx) }

// Free gives a *StateLockedError while a run that is alive, or may be, has the stack. It changes nothing.
func (s *Stack) Free(ctx context.Context) error { return s.locks.free(ctx) }

// Break removes locks, and the notes of their runs.
func (s *Stack) Break(ctx context.Context, locks []StateLock) error {
	return s.locks.remove(ctx, locks)
}

// ProjectName is the name in Pulumi.yaml.
func (s *Stack) ProjectName() string { return s.project }

// Init makes the stack in its backend, without anything in it, if it is not there.
func (s *Stack) Init(ctx context.Context) error { return s.prepare(ctx) }

func (s *Stack) home() string {
	if s.Home != "" {
		return s.Home
	}
	return filepath.Join(s.dir, "home")
}

// silence keeps the engine from its log of every call at debug level, which costs it a quarter of its time and is not
// encrypted before the engine has the stack's secrets at hand. It has no switch: a file stands where the engine would
// make its folder, and then it does without.
func (s *Stack) silence() error {
	logs := filepath.Join(s.home(), "logs")
	if info, err := os.Stat(logs); err == nil && info.Mode().IsRegular() {
		return nil
	}
	if err := os.RemoveAll(logs); err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	if err := os.WriteFile(logs, []byte("The engine keeps no log here.\n"), 0o600); err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	return nil
}

func (s *Stack) passphraseFile() string { return filepath.Join(s.dir, "passphrase") }

// makePassphrase makes the passphrase that encrypts the secrets in the state, once in the life of a stack.
func (s *Stack) makePassphrase(ctx context.Context) error {
	if _, err := os.Stat(s.passphraseFile()); err == nil {
		return nil
	}
	if there, err := s.exists(ctx); err != nil {
		return err
	} else if there {
		return fmt.Errorf("%s is missing: without it the secrets in the state of stack %s cannot be read; "+
			"put it back, or delete the directory %s to begin again", s.passphraseFile(), s.Stack, s.dir)
	}
	if err := renameio.WriteFile(s.passphraseFile(), []byte(rand.Text()), 0o600); err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	return nil
}

// A workspace is the Automation API's, less what would start the CLI to learn what is known here: whether a stack exists
// and what its outputs are. Each costs half a second of every run.
type workspace struct {
	*auto.LocalWorkspace
	s *Stack
}

func (w *workspace) SelectStack(ctx context.Context, name string) error {
	if there, err := w.s.exists(ctx); err != nil || there {
		return err
	}
	return w.CreateStack(ctx, name)
}

func (w *workspace) StackOutputs(context.Context, string) (auto.OutputMap, error) { return nil, nil }

// UpOptions are the choices of one Up.
type UpOptions struct {
	// Refresh reads every resource from the provider first. The engine compares the program with its own record, and does not
	// see what was changed by hand since.
	Refresh bool
}

// Up creates, changes and deletes what it takes to make the resources match the program.
func (s *Stack) Up(ctx context.Context, lock *Lock, o UpOptions) (Result, error) {
	return s.operate(ctx, lock, "up", func(stream chan<- events.EngineEvent, words io.Writer) error {
		options := []optup.Option{optup.EventStreams(stream), optup.ErrorProgressStreams(words), optup.SuppressOutputs(), optup.SuppressProgress()}
		if o.Refresh {
			options = append(options, optup.Refresh())
		}
		if s.Backend == nil || s.ReadBack == nil { // the model's resources show nothing of each other
			_, err := s.auto.Up(ctx, options...)
			return err
		}
		before, err := s.read(ctx)
		if err != nil {
			return err
		}
		_, err = s.auto.Up(ctx, options...)
		if ctx.Err() != nil {
			return err
		}
		if unread := s.readBack(ctx, before); unread != nil && err == nil {
			s.Logf("The next drift check may report changes that this up made as manual changes: reading them back failed: %v", unread)
		}
		return err
	})
}

// Preview says what Up would do. It changes nothing, but for repairing what a killed operation left.
func (s *Stack) Preview(ctx context.Context, lock *Lock) (Result, error) {
	return s.operate(ctx, lock, "preview", func(stream chan<- events.EngineEvent, words io.Writer) error {
		_, err := s.auto.Preview(ctx, optpreview.EventStreams(stream), optpreview.ErrorProgressStreams(words), optpreview.SuppressOutputs(), optpreview.SuppressProgress())
		return err
	})
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
func (s *Stack) operate(ctx context.Context, lock *Lock, name string, run func(chan<- events.EngineEvent, io.Writer) error) (Result, error) {
	if s.Backend != nil {
		return s.operateShared(ctx, name, run)
	}
	if err := s.ready(ctx, lock); err != nil {
		return Result{}, err
	}
	// Repairing takes note of what is missing, which is what a look for drift is to find.
	if name != "drift" || lock.Killed != nil {
		if err := s.repair(ctx, lock); err != nil {
			return Result{}, err
		}
	}
	result, err := s.engine(ctx, name, run)
	if err != nil && s.CLI.killed.Load() {
		lock.Killed = &lock.owner
	}
	return result, err
}

// ready makes the stack's own directory one that an engine can work in, whatever the last one left there.
func (s *Stack) ready(ctx context.Context, lock *Lock) error {
	if err := s.locks.clear(ctx, enginePatience); err != nil {
		return err
	}
	if lock.Killed != nil {
		if err := s.mend(""); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("engine: %w", err)
		}
	}
	return s.prepare(ctx)
}

// operateShared runs one operation on a stack with a Backend, where the engine's own lock keeps others out. A preview
// takes no lock, and repairs nothing.
func (s *Stack) operateShared(ctx context.Context, name string, run func(chan<- events.EngineEvent, io.Writer) error) (result Result, err error) {
	if name == "preview" || name == "drift" {
		if err := s.prepare(ctx); err != nil {
			return Result{}, err
		}
		return s.engine(ctx, name, run)
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
		result, err = s.engine(ctx, name, run)
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
func (s *Stack) engine(ctx context.Context, name string, run func(chan<- events.EngineEvent, io.Writer) error) (Result, error) {
	started := time.Now()
	r := newRecord(s.OnEvent)
	stream, followed := make(chan events.EngineEvent), make(chan struct{})
	go func() { r.follow(stream); close(followed) }()
	var words bytes.Buffer
	err := run(stream, &words)
	select {
	case <-followed:
	case <-time.After(time.Second): // the engine ended before it had anything to tell, so the stream was never opened
		if err == nil {
			<-followed
		}
	}
	if err != nil {
		if said := strings.TrimSpace(words.String()); said != "" { // the Automation API's error is the whole transcript
			err = errors.New(said)
		}
		return Result{}, &Failure{Operation: name, Interrupted: ctx.Err() != nil, Problems: r.problems, Cause: err}
	}
	r.result.Took = time.Since(started)
	return r.result, nil
}

// Outputs are what the program gave when it last ran. A secret's value is "[secret]" unless secrets are to be shown.
func (s *Stack) Outputs(ctx context.Context, showSecrets bool) (map[string]any, error) {
	if err := s.readable(ctx); err != nil {
		return nil, err
	}
	args := []string{"stack", "output", "--json", "--stack", s.Stack}
	if showSecrets {
		args = append(args, "--show-secrets")
	}
	out, err := s.command(ctx, args...)
	if err != nil {
		return nil, err
	}
	outputs := map[string]any{}
	if err := json.Unmarshal(out, &outputs); err != nil {
		return nil, fmt.Errorf("engine: the engine's outputs: %w", err)
	}
	return outputs, nil
}

// Export is the state of the stack, as `pulumi stack export` writes it.
func (s *Stack) Export(ctx context.Context, showSecrets bool) ([]byte, error) {
	if err := s.readable(ctx); err != nil {
		return nil, err
	}
	args := []string{"stack", "export", "--stack", s.Stack}
	if showSecrets {
		args = append(args, "--show-secrets")
	}
	return s.command(ctx, args...)
}

// readable says that the CLI can be asked about the stack, laying out the workspace if it is another one each time.
func (s *Stack) readable(ctx context.Context) error {
	there, err := s.exists(ctx)
	if err == nil && !there {
		err = ErrNoStack
	}
	if err == nil && s.Backend != nil {
		err = s.prepare(ctx)
	}
	return err
}

// command runs the CLI in the stack's workspace.
func (s *Stack) command(ctx context.Context, args ...string) ([]byte, error) {
	env := []string{"PULUMI_HOME=" + s.home()}
	for name, value := range s.env {
		env = append(env, name+"="+value)
	}
	stdout, stderr, _, err := s.CLI.Run(ctx, s.dir, nil, nil, nil, env, args...)
	if err != nil {
		return nil, fmt.Errorf("engine: pulumi %s %s: %w\n%s", args[0], args[1], err, bytes.TrimSpace([]byte(stderr)))
	}
	return []byte(stdout), nil
}
