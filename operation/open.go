package operation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"gopkg.in/yaml.v3"

	"slipway/engine"
	"slipway/engine/inprocess"
	"slipway/internal/image"
	"slipway/operation/account"
	"slipway/operation/account/awsaccount"
	"slipway/operation/account/modelaccount"
	"slipway/site"
)

// openArgs describe a session.
type openArgs struct {
	operation string
	dir       string                   // "": the stack's own
	pinned    *pinned                  // nil: the images are built
	builds    bool                     // the program runs, and builds the images or shows that it would
	monitor   func() inprocess.Monitor // stands between the program and the engine; nil: nothing does
}

// A session is one operation on a stack: the account, and the engine that works on it.
type session struct {
	target     Target
	config     *configuration
	account    account.Account
	containers account.Containers // nil: the stack does not run as containers
	stack      *engine.Stack
	program    *site.Program
	pinned     *pinned
	contexts   []*image.Context // what the images are built from, Django's first; nil if nothing is built
	first      func() error     // called when the engine has locked the stack, before anything else; may be nil
	remove     string           // a folder that ends with the session
	removed    bool             // the containers are
	begun      begun            // what the engine has begun in this run
	public     string           // the site's own URL, once an up has ended
}

// confirmed are the operations that ask before anything is done. The others ask when they have shown what they would change.
var confirmed = []string{"bootstrap"}

// lasting are the operations that can take as long as a database: those that deploy or destroy.
var lasting = []string{"up", "promote", "rollback", "destroy"}

// open opens a stack: in its own account, or in the model. It is the only place that chooses.
func open(ctx context.Context, t Target, c *configuration, args openArgs) (*session, error) {
	if args.dir == "" {
		args.dir = t.dir()
	}
	if t.Live && (c.stack.Backend.Bucket == "" || c.seal.EncryptedKey == "") {
		return nil, notBootstrapped(t)
	}
	if t.Live && (args.builds || slices.Contains(lasting, args.operation)) {
		if err := c.secretsHaveValues(t); err != nil {
			return nil, err
		}
	}
	var cli *engine.CLI // only for an engine in a process of its own
	s := &session{target: t, config: c, pinned: args.pinned}
	var err error
	if args.pinned == nil && args.builds {
		if s.contexts, err = c.contexts(); err != nil {
			return nil, err
		}
	}
	if t.Live {
		if s.account, err = openAccount(ctx, t, c, args.operation); err == nil {
			cli, err = engine.FindCLI(ctx, t.Progress.Logf)
		}
		if err == nil {
			args.dir, err = workspace(t)
			s.remove = args.dir
		}
	} else if err = c.overlay(args.dir); err == nil {
		if s.account, err = openModel(ctx, t, c, args); err == nil && t.runs(args.operation, args.dir) {
			err = c.localSecrets(ctx, t, args.operation)
		}
	}
	if err == nil {
		s.containers = s.account.Containers()
		err = s.engine(cli, args)
	}
	if err == nil && !t.Throwaway {
		err = s.notRenamed(ctx)
	}
	if err == nil && !t.Throwaway {
		err = s.suitsVersion(ctx, args.operation)
	}
	if err == nil && t.Live && slices.Contains(lasting, args.operation) { // before anything is read that another run may change
		err = s.stack.Free(ctx)
	}
	if err == nil {
		err = s.reuse(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// suitsVersion compares the versions of slipway that the stack has met with this one.
func (s *session) suitsVersion(ctx context.Context, operation string) (err error) {
	seen := met{stack: s.target.Stack, file: s.config.file, stated: s.config.stack.Version, older: s.config.older}
	if note := seen.note(); note != "" {
		s.target.Progress.Logf("%s", note)
	}
	if !comparesVersions(operation) {
		return nil
	}
	if seen.deployed, err = deployedBy(ctx, s.stack); err != nil {
		return err
	}
	note, err := seen.back()
	if note != "" {
		s.target.Progress.Logf("%s", note)
	}
	return err
}

// openAccount opens an account, real or modelled, without a stack. A bootstrap needs nothing else.
func openAccount(ctx context.Context, t Target, c *configuration, operation string) (account.Account, error) {
	if !t.Live {
		if err := c.overlay(t.dir()); err != nil {
			return nil, err
		}
		return openModel(ctx, t, c, openArgs{operation: operation, dir: t.dir()})
	}
	a, err := awsaccount.Open(ctx, awsArgs(t, c))
	if err != nil {
		return nil, err
	}
	if slices.Contains(lasting, operation) {
		if err := a.Lasts(ctx, operation, t.Progress.Logf); err != nil {
			return nil, err
		}
	}
	if slices.Contains(confirmed, operation) && t.Confirm != nil {
		if err := t.Confirm(operation, a.Identity()); err != nil {
			return nil, err
		}
	}
	return a, nil
}

func awsArgs(t Target, c *configuration) awsaccount.Args {
	args := awsaccount.Args{Stack: t.Stack, Region: c.stack.Region, Profile: c.profile, Allowed: c.allowed(),
		Forbidden: c.stack.AWS.ForbiddenAccountIDs,
		Mirrors:   facts().Mirrors}
	if bucket := c.stack.Backend.Bucket; bucket != "" {
		args.State = &engine.Backend{
			URL: engine.S3(bucket, c.stack.Region, c.profile), SecretsProvider: c.seal.Provider, EncryptedKey: c.seal.EncryptedKey,
		}
	}
	return args
}

func openModel(ctx context.Context, t Target, c *configuration, args openArgs) (account.Account, error) {
	if err := faultsKnown(t.Faults); err != nil {
		return nil, UsageError{err}
	}
	model := modelaccount.Args{
		Dir: args.dir, Root: c.root, Stack: t.Stack, Operation: args.operation, Region: c.stack.Region, Zone: c.stack.Zone,
		Run: modelaccount.RunArgs{Run: t.Containers.Run, Postgres: t.Containers.Postgres, Valkey: t.Containers.Valkey,
			Pace: t.Containers.AlarmPace, Domain: c.stack.Domain, Helper: site.Helper},
		Logf: t.Progress.Logf, Hooks: t.Model, Role: c.role(args.operation), SCP: t.SCP,
		Called: c.called(),
		// A bootstrap is long over when workflows deploy.
		IAMDelay: slices.Contains(t.Faults, IAMDelay) && args.operation != "bootstrap",
	}
	if len(c.accounts) > 0 {
		model.AccountID = c.accounts[0]
	}
	a, err := modelaccount.Open(ctx, model)
	if err != nil {
		return nil, err // and not a nil *Account in an interface
	}
	return a, nil
}

// roles are the names of the deploy role and the read role that bootstrap made; "" if the stack makes its roles itself, or has none.
func (c *configuration) roles() (deploy, read string) {
	var github struct{ Role, ReadRole string }
	if node := valueOf(c.engine.Node, c.stack.Project+":github"); node != nil {
		for i := 0; node.Kind == yaml.MappingNode && i+1 < len(node.Content); i += 2 { // what a rehearsed bootstrap wrote is only here
			switch node.Content[i].Value {
			case "role":
				github.Role = node.Content[i+1].Value
			case "readRole":
				github.ReadRole = node.Content[i+1].Value
			}
		}
	}
	name := func(arn string) string { return arn[strings.LastIndex(arn, "/")+1:] }
	return name(github.Role), name(github.ReadRole)
}

// called is what people call those roles, and those that a stack makes itself.
func (c *configuration) called() map[string]string {
	deploy, read := c.roles()
	if of := c.stack.Project + "-" + c.stack.Name; deploy == "" {
		deploy, read = of+"-deploy", of+"-read"
	}
	return map[string]string{deploy: "deploy role", read: "read role"}
}

// role is the role that an operation of the stack's workflows runs as: the one that bootstrap made. "" is an administrator: a stack
// that no workflow deploys, or that makes its roles itself, which no role can do for itself.
func (c *configuration) role(operation string) string {
	deploy, read := c.roles()
	switch operation {
	case "up", "promote", "rollback", "destroy", "rehearse":
		return deploy
	case "preview":
		return cmp.Or(read, deploy)
	}
	return ""
}

// workspace is a folder for the engine of one run, so that a setting for this run never ends up in the user's file. The program
// names the folders of the images from the project's, and the docker plugin looks for them from here.
func workspace(t Target) (dir string, err error) {
	if dir, err = os.MkdirTemp("", "slipway-"+t.Stack+"-"); err != nil {
		return "", err
	}
	contexts := filepath.Join(t.Root, ".slipway")
	if err = os.MkdirAll(contexts, 0o700); err == nil {
		err = os.Symlink(contexts, filepath.Join(dir, ".slipway"))
	}
	if err != nil {
		return "", errors.Join(err, os.RemoveAll(dir))
	}
	return dir, nil
}

// engine opens the stack over the account.
func (s *session) engine(cli *engine.CLI, args openArgs) error {
	options := engine.Options{
		CLI: cli, Dir: args.dir, Stack: s.target.Stack, Project: s.config.project, Config: s.config.engine,
		Throwaway: s.target.Throwaway, OnEvent: s.event, Logf: s.target.Progress.Logf,
		Monitor: args.monitor,
	}
	if err := s.account.Engine(&options); err != nil {
		return err
	}
	program := site.Options{Root: s.config.root, Runner: s.account.Runner(), Carry: s.account.Carry(s.origin()),
		Mirror: s.account.Mirror(), Say: func(text string) { s.target.Progress.Logf("%s", text) }, Unbuilt: !s.target.Live}
	if s.pinned != nil {
		program.Release = s.pinned.program()
	}
	s.program = site.New(program)
	// The engine has locked the stack when it runs the program, so only one run writes the beginning of a deployment.
	options.Program = func(ctx *pulumi.Context) error {
		if s.first != nil {
			if err := s.first(); err != nil {
				return err
			}
		}
		return s.program.Run(ctx)
	}
	var err error
	if s.stack, err = engine.Open(options); err == nil && s.target.OnEngine != nil {
		s.target.OnEngine(s.stack)
	}
	return err
}

// origin is where the images of a pinned release are copied from.
func (s *session) origin() account.Origin {
	p := s.pinned
	if p == nil {
		return account.Origin{}
	}
	return account.Origin{Stack: p.from, Profile: p.profile, Explain: func(theirs, ours string) string {
		return crossAccount(s.target, p.from, theirs, ours)
	}}
}

// event passes a step of the engine on.
func (s *session) event(e engine.Event) {
	s.begun.hear(e)
	s.target.Progress.Event(e)
}

// release closes everything except the containers.
func (s *session) release() error {
	var errs []error
	if s.account != nil {
		errs = append(errs, s.account.Close())
	}
	if s.remove != "" {
		errs = append(errs, os.RemoveAll(s.remove))
	}
	s.account, s.remove = nil, ""
	return errors.Join(errs...)
}

func (s *session) close() error {
	containers := s.containers
	if containers == nil && s.account != nil && !s.removed {
		containers = s.account.Containers()
	}
	err := s.release()
	if containers != nil {
		err = errors.Join(err, containers.Close())
	}
	s.containers = nil
	return err
}

// where is the account, as a user knows it.
func (s *session) where() string {
	if s.target.Live {
		return s.account.Identity().String()
	}
	return "the model of AWS"
}

func notBootstrapped(t Target) error {
	return fmt.Errorf("stack %s is not bootstrapped; begin with: slipway bootstrap%s", t.Stack, t.Flags())
}

// crossAccount explains what must be configured so that releases of one stack can go to another account.
func crossAccount(to Target, from, theirs, ours string) string {
	return fmt.Sprintf(
		"stack %s is in account %s, and its releases are to go to account %s. Both must say so: %[3]q in promotion.to of Pulumi.%[1]s.yaml "+
			"(then bootstrap and up of %[1]s), %[2]q in promotion.from of Pulumi.%[4]s.yaml (then bootstrap of %[4]s). "+
			"Or give stack %[1]s a profile of its own: aws:profile", from, theirs, ours, to.Stack)
}

// missing explains an operation on a stack that was never deployed.
func missing(t Target, err error) error {
	if errors.Is(err, engine.ErrNoStack) {
		return fmt.Errorf("stack %s was never deployed here; begin with: slipway up%s", t.Stack, t.Flags())
	}
	return err
}
