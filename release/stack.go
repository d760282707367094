package release

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/google/renameio/v2"
	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/events"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optdestroy"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optpreview"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optrefresh"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"gopkg.in/yaml.v3"
)

// enginePatience is how long an engine that lost its slipway may take to end before the stack is refused.
const enginePatience = 10 * time.Second

// Options say what a stack is made of.
type Options struct {
	CLI     *CLI
	Dir     string            // the stack's own directory; everything that is kept is in it
	Stack   string            // its name
	Project []byte            // Pulumi.yaml
	Config  Config            // the configuration that the engine is to see
	Program pulumi.RunFunc    // runs in this process
	Env     map[string]string // what else the engine is told: where the providers are

	// Account is where the resources live. With one, an operation that follows a killed one first finds out what that
	// one did. Nil: the engine's own state is all that is known.
	Account Account

	// Throwaway makes the engine write its state once, at the end. It is much faster, and a run that is killed leaves
	// nothing to go on from.
	Throwaway bool

	Told func(Event)  // what is being done; nil: nobody is told
	Say  func(string) // what the reader of the terminal should know besides; nil: nobody
}

// A Stack is one deployment of the program. Operations that change it need its Hold.
type Stack struct {
	name, project, dir string
	cli                *CLI
	config             Config
	account            Account
	told               func(Event)
	say                func(string)
	env                map[string]string
	stack              auto.Stack
}

// Open opens a stack, and makes it if there is none. It fails before anything is called if the state is damaged.
func Open(ctx context.Context, o Options) (*Stack, error) {
	var project struct{ Name string }
	if err := yaml.Unmarshal(o.Project, &project); err != nil {
		return nil, fmt.Errorf("Pulumi.yaml: %w", err)
	}
	if project.Name == "" {
		return nil, errors.New("Pulumi.yaml: name is missing")
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, err
	}
	s := &Stack{name: o.Stack, project: project.Name, dir: dir, cli: o.CLI, config: o.Config, account: o.Account,
		told: o.Told, say: o.Say}
	if s.told == nil {
		s.told = func(Event) {}
	}
	if s.say == nil {
		s.say = func(string) {}
	}
	if _, err := s.readState(); err != nil {
		return nil, err
	}
	for _, made := range []string{s.dir, s.backend(), s.home()} {
		if err := os.MkdirAll(made, 0o700); err != nil {
			return nil, fmt.Errorf("release: %w", err)
		}
	}
	if err := s.makePassphrase(); err != nil {
		return nil, err
	}
	if err := renameio.WriteFile(filepath.Join(s.dir, "Pulumi.yaml"), o.Project, 0o600); err != nil {
		return nil, fmt.Errorf("release: %w", err)
	}
	if err := s.writeConfig(); err != nil {
		return nil, err
	}
	s.env = map[string]string{
		"HOME":                          s.home(),
		"PULUMI_BACKEND_URL":            "file://" + filepath.ToSlash(s.backend()),
		"PULUMI_CONFIG_PASSPHRASE_FILE": s.passphraseFile(),
		"PULUMI_SKIP_UPDATE_CHECK":      "true",
		"PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
	}
	if o.Throwaway {
		s.env["PULUMI_SKIP_CHECKPOINTS"] = "true"
	}
	for name, value := range o.Env {
		s.env[name] = value
	}
	local, err := auto.NewLocalWorkspace(ctx, auto.WorkDir(s.dir), auto.PulumiHome(s.home()), auto.Pulumi(o.CLI),
		auto.Program(o.Program), auto.EnvVars(s.env))
	if err != nil {
		return nil, fmt.Errorf("release: %w", err)
	}
	s.stack, err = auto.UpsertStack(ctx, s.name, &workspace{local.(*auto.LocalWorkspace), s})
	if err != nil {
		return nil, fmt.Errorf("release: %w", err)
	}
	return s, nil
}

func (s *Stack) home() string           { return filepath.Join(s.dir, "home") }
func (s *Stack) passphraseFile() string { return filepath.Join(s.dir, "passphrase") }

// makePassphrase makes the passphrase that encrypts the secrets in the state, once in the life of a stack.
func (s *Stack) makePassphrase() error {
	if _, err := os.Stat(s.passphraseFile()); err == nil {
		return nil
	}
	if _, err := os.Stat(s.statePath()); err == nil {
		return fmt.Errorf("%s is missing: without it the secrets in the state of stack %s cannot be read; "+
			"put it back, or delete the directory %s to begin again", s.passphraseFile(), s.name, s.dir)
	}
	if err := renameio.WriteFile(s.passphraseFile(), []byte(rand.Text()), 0o600); err != nil {
		return fmt.Errorf("release: %w", err)
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
	if _, err := os.Stat(w.s.statePath()); err == nil {
		return nil
	}
	return w.CreateStack(ctx, name)
}

func (w *workspace) StackOutputs(context.Context, string) (auto.OutputMap, error) { return nil, nil }

// Up makes the account what the program says.
func (s *Stack) Up(ctx context.Context, hold *Hold) (Result, error) {
	return s.operate(ctx, hold, "up", func(stream chan<- events.EngineEvent) error {
		_, err := s.stack.Up(ctx, optup.EventStreams(stream), optup.SuppressOutputs(), optup.SuppressProgress())
		return err
	})
}

// Preview says what Up would do. It changes nothing, but for repairing what a killed operation left.
func (s *Stack) Preview(ctx context.Context, hold *Hold) (Result, error) {
	return s.operate(ctx, hold, "preview", func(stream chan<- events.EngineEvent) error {
		_, err := s.stack.Preview(ctx, optpreview.EventStreams(stream), optpreview.SuppressOutputs(), optpreview.SuppressProgress())
		return err
	})
}

// Destroy deletes every resource of the stack. It goes by the state alone: the program does not run.
func (s *Stack) Destroy(ctx context.Context, hold *Hold) (Result, error) {
	return s.operate(ctx, hold, "destroy", func(stream chan<- events.EngineEvent) error {
		_, err := s.stack.Destroy(ctx, optdestroy.EventStreams(stream), optdestroy.SuppressOutputs(), optdestroy.SuppressProgress())
		return err
	})
}

// operate runs one operation, after repairing what the last one left if that was killed.
func (s *Stack) operate(ctx context.Context, hold *Hold, name string, run func(chan<- events.EngineEvent) error) (Result, error) {
	if err := s.repair(ctx, hold); err != nil {
		return Result{}, err
	}
	return s.engine(ctx, name, run)
}

// engine runs one operation of the engine and follows its events.
func (s *Stack) engine(ctx context.Context, name string, run func(chan<- events.EngineEvent) error) (Result, error) {
	started := time.Now()
	r := newRecord(s.told)
	stream, followed := make(chan events.EngineEvent), make(chan struct{})
	go func() { r.follow(stream); close(followed) }()
	err := run(stream)
	select {
	case <-followed:
	case <-time.After(time.Second): // the engine ended before it had anything to tell, so the stream was never opened
		if err == nil {
			<-followed
		}
	}
	if err != nil {
		return Result{}, &Failure{Operation: name, Interrupted: ctx.Err() != nil, Problems: r.problems, Cause: plain(err)}
	}
	r.result.Took = time.Since(started)
	return r.result, nil
}

// plain is the engine's error without the transcript that the Automation API wraps it in.
func plain(err error) error {
	if wrapped := errors.Unwrap(err); wrapped != nil {
		return wrapped
	}
	return err
}

// An Output is one of the values that the program gives.
type Output struct {
	Value  any  `json:"value"`
	Secret bool `json:"secret,omitempty"`
}

// Outputs are what the program gave when it last ran. A secret's value is "[secret]" unless secrets are to be shown.
func (s *Stack) Outputs(ctx context.Context, showSecrets bool) (map[string]any, error) {
	args := []string{"stack", "output", "--json", "--stack", s.name}
	if showSecrets {
		args = append(args, "--show-secrets")
	}
	out, err := s.command(ctx, args...)
	if err != nil {
		return nil, err
	}
	outputs := map[string]any{}
	if err := json.Unmarshal(out, &outputs); err != nil {
		return nil, fmt.Errorf("release: the engine's outputs: %w", err)
	}
	return outputs, nil
}

// Export is the state of the stack, as `pulumi stack export` writes it.
func (s *Stack) Export(ctx context.Context, showSecrets bool) ([]byte, error) {
	args := []string{"stack", "export", "--stack", s.name}
	if showSecrets {
		args = append(args, "--show-secrets")
	}
	return s.command(ctx, args...)
}

// command runs the CLI in the stack's workspace.
func (s *Stack) command(ctx context.Context, args ...string) ([]byte, error) {
	env := []string{"PULUMI_HOME=" + s.home()}
	for name, value := range s.env {
		env = append(env, name+"="+value)
	}
	stdout, stderr, _, err := s.cli.Run(ctx, s.dir, nil, nil, nil, env, args...)
	if err != nil {
		return nil, fmt.Errorf("release: pulumi %s %s: %w\n%s", args[0], args[1], err, bytes.TrimSpace([]byte(stderr)))
	}
	return []byte(stdout), nil
}

// refresh has the engine ask the providers what became of every resource.
func (s *Stack) refresh(ctx context.Context) error {
	_, err := s.engine(ctx, "reading back", func(stream chan<- events.EngineEvent) error {
		_, err := s.stack.Refresh(ctx, optrefresh.EventStreams(stream), optrefresh.SuppressOutputs(),
			optrefresh.SuppressProgress(), optrefresh.RunProgram(false))
		return err
	})
	return err
}
