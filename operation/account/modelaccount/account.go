// Package modelaccount is the model of AWS as an account. It is kept in a stack's own folder.
package modelaccount

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"slipway/bootstrap"
	"slipway/ecs"
	"slipway/engine"
	"slipway/operation/account"
	"slipway/rehearsal"
	"slipway/rehearsal/cloud"
	"slipway/rehearsal/finding"
	"slipway/rehearsal/iam"
	"slipway/verdict"
)

// Hooks let tests read a model, and inject faults. Both may be nil.
type Hooks struct {
	Opened func(*cloud.Account)  // before the model is used
	Done   func(rehearsal.Event) // after a provider did something, before the engine learns of it
}

// Args describe the model.
type Args struct {
	Dir       string // of the stack
	Root      string // the project's folder
	Stack     string
	Operation string
	Region    string
	Zone      string            // a hosted zone that exists before any program runs; "": none
	AccountID string            // "": the model's default
	Role      string            // that makes the calls, if the model has it; "": an administrator
	Called    map[string]string // what people call roles, by their names
	SCP       []string          // files with the organization's control policies: service ones from the root down, and resource ones
	IAMDelay  bool              // other services see changes of IAM late, see cloud.Account
	Run       RunArgs
	Logf      func(format string, args ...any)
	Hooks     Hooks
}

// An Account is an open model. One process has it at a time.
type Account struct {
	dir, root  string
	lock       *engine.Lock
	model      *rehearsal.Rehearsal
	containers *containers
}

// File is where a stack's folder keeps its model.
func File(dir string) string { return filepath.Join(dir, "model.json") }

// Open locks the stack, opens its model and, for a stack that runs as containers, its containers.
func Open(ctx context.Context, args Args) (_ *Account, err error) {
	lock, err := engine.Acquire(args.Dir, args.Stack, args.Operation)
	if err != nil {
		return nil, err
	}
	a := &Account{dir: args.Dir, root: args.Root, lock: lock}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close())
		}
	}()
	options := rehearsal.Options{Region: args.Region, Root: args.Root, AccountID: args.AccountID, Progress: args.Hooks.Done}
	if args.Zone != "" { // a registered domain has its zone before any program runs
		options.Zones = []cloud.HostedZone{{Name: args.Zone}}
	}
	if Running(args.Dir) { // what serves the site reads the model now and then, for a moment
		options.Wait = 10 * time.Second
	}
	if options.Progress == nil {
		options.Progress = func(rehearsal.Event) {}
	}
	if a.model, err = rehearsal.Open(File(args.Dir), options); err != nil {
		if _, there := os.Stat(File(args.Dir)); there == nil && !isFileSystem(err) {
			err = fmt.Errorf("%w\nnothing was changed, and no account is concerned: to begin the rehearsal again, delete the folder %s", err,
				args.Dir)
		}
		return nil, err
	}
	if a.model.Account.Organization, err = controlPolicies(args.SCP); err != nil {
		return nil, err
	}
	a.model.Account.Called = args.Called
	a.model.Account.IAMDelay = args.IAMDelay
	if args.Role != "" && a.model.Account.Object(typeRole, args.Role) != nil {
		a.model.Account.Caller = cloud.Caller{Role: args.Role}
	}
	if args.Hooks.Opened != nil {
		args.Hooks.Opened(a.model.Account)
	}
	if a.containers, err = openContainers(ctx, a.model.Account, args); err != nil {
		return nil, err
	}
	if a.containers != nil {
		a.model.Builder = a.containers.Run
		if err = a.fillRegistry(); err != nil {
			return nil, errors.Join(err, a.containers.Close())
		}
	}
	return a, nil
}

// controlPolicies reads the policies of the organization.
func controlPolicies(files []string) (policies cloud.ControlPolicies, err error) {
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("--scp: %w", err)
		}
		document, err := iam.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("--scp %s: %w", file, err)
		}
		document.Name = filepath.Base(file)
		policies = append(policies, document)
	}
	return policies, nil
}

// Trespasses are the rights of the deploy role on what does not belong to its stack.
func (a *Account) Trespasses() ([]string, error) {
	role := a.model.Account.Caller.Role
	if role == "" {
		return nil, nil
	}
	found, err := a.model.Account.Trespasses(role)
	var all []string
	for _, t := range found {
		all = append(all, t.String())
	}
	return all, err
}

// Delayed are the operations that met a change of IAM which was too new.
func (a *Account) Delayed() []string { return a.model.Account.Delayed() }

// isFileSystem says whether an error is of the file system, and not of what is in a file.
func isFileSystem(err error) bool {
	var path *fs.PathError
	return errors.As(err, &path)
}

// Findings are what of the site does not work, although a deployment does not trip over it.
func (a *Account) Findings() []finding.Finding { return a.model.Account.Findings() }

// Refusals are the calls that this account refused.
func (a *Account) Refusals() []finding.Finding { return a.model.Account.Refusals() }

// Unjudged are questions about the site that have no answer before it runs.
func (a *Account) Unjudged() []string { return a.model.Account.Unjudged() }

// Why says whether a caller may make a call.
func (a *Account) Why(caller, action, resource string, keys map[string][]string) (finding.Answer, error) {
	return a.model.Account.Why(cloud.Question{Caller: caller, Action: action, Resource: resource, Context: keys})
}

// Reach says whether a connection is possible.
func (a *Account) Reach(source, destination string) (finding.Answer, error) {
	r, err := a.model.Account.Reach(source, destination)
	if err != nil {
		return finding.Answer{}, err
	}
	answer := finding.Answer{Allowed: r.Open, Decision: "Open", Caller: r.From, Resource: fmt.Sprintf("%s:%d", r.To, r.Port),
		Chain: []string{}}
	for _, hop := range r.Path {
		answer.Chain = append(answer.Chain, hop.At+": "+hop.Detail)
	}
	var fixes []string
	for _, block := range r.Blocks {
		answer.Chain = append(answer.Chain, "blocked by "+block.String())
		fixes = append(fixes, block.Repair.String())
	}
	if !r.Open {
		answer.Decision = "Blocked"
	}
	answer.Fix = strings.Join(fixes, "; and ")
	return answer, nil
}

// Holds says whether a program made anything in the account.
func (a *Account) Holds() bool { return !a.model.Account.Empty() }

// Identity implements account.Account.
func (a *Account) Identity() account.Identity {
	m := a.model.Account
	return account.Identity{Account: m.AccountID, Region: m.Region, Partition: m.Partition}
}

// Engine implements account.Account.
func (a *Account) Engine(o *engine.Options) error {
	o.Dir, o.Providers, o.Inventory = a.dir, a.model.Providers(), Inventory(a.model.Account)
	return nil
}

// Lock implements account.Account.
func (a *Account) Lock() *engine.Lock { return a.lock }

// ECS implements account.Account.
func (a *Account) ECS() verdict.ECSScaler { return ecsModel{a.model.Account, a.containers} }

// TaskDefinitions implements account.Account.
func (a *Account) TaskDefinitions() account.TaskDefinitions { return taskDefinitions{a.model.Account} }

// Contents implements account.Account.
func (a *Account) Contents() account.Contents {
	c := contents{account: a.model.Account}
	if a.containers != nil {
		c.has = a.containers.Has
	}
	return c
}

// Bootstrap implements account.Account. What bootstrap creates counts as there before any program, so a destroy of the
// program still leaves nothing.
func (a *Account) Bootstrap() bootstrap.Account { return bootstrapModel{a.model.Account} }

// Runner implements account.Account.
func (a *Account) Runner() ecs.Runner { return Runner(a.model.Account) }

// Containers implements account.Account.
func (a *Account) Containers() account.Containers {
	if a.containers == nil {
		return nil
	}
	return a.containers
}

// Disown implements account.Account. The repair of a killed run then leaves the key alone.
func (a *Account) Disown(_ context.Context, keyARN string) error {
	for _, o := range a.model.Account.Objects() {
		if o.Type == typeKey && cloud.Inputs(o.Outputs).String("arn") == keyARN {
			return a.model.Account.Alter(o.Type, o.ID, func(o *cloud.Object) { o.URN = "" })
		}
	}
	return nil
}

// disowned reports whether an object was left behind on purpose.
func disowned(o *cloud.Object) bool { return o.Type == typeKey && o.URN == "" && o.Owner == "" }

// Leftovers implements account.Account.
func (a *Account) Leftovers(kept []engine.Import) map[string]int {
	left := map[string]int{}
	for _, o := range a.model.Account.Objects() {
		stays := slices.ContainsFunc(kept, func(k engine.Import) bool {
			return o.Type == k.Type && o.ID == k.ID || o.Owner == cloud.Key(k.Type, k.ID)
		})
		if !o.Seeded && !stays && !disowned(o) {
			left[o.Type]++
		}
	}
	return left
}

// Close implements account.Account.
func (a *Account) Close() error {
	var errs []error
	if a.model != nil {
		errs = append(errs, a.model.Close())
	}
	if a.lock != nil {
		errs = append(errs, a.lock.Unlock())
	}
	a.model, a.lock = nil, nil
	return errors.Join(errs...)
}

// Runner runs the migration in a model.
func Runner(model *cloud.Account) ecs.Runner { return runner{model} }

type runner struct{ account *cloud.Account }

// attempts is how often the runner asks for a task whose roles ECS does not see yet. ecs.AWSRunner does so for two minutes.
const attempts = 4

func (r runner) RunTask(ctx context.Context, run ecs.TaskRun) (ecs.TaskResult, error) {
	asked := cloud.TaskRun{
		Cluster: run.Cluster, TaskDefinition: run.TaskDefinition, Subnets: run.Subnets, SecurityGroups: run.SecurityGroups,
		Container: run.Container, StartedBy: run.StartedBy, Command: run.Command, Environment: run.Environment,
	}
	result, err := r.account.RunTask(ctx, asked)
	for n := 1; n < attempts && ecs.MayBeTooNew(err); n++ {
		result, err = r.account.RunTask(ctx, asked)
	}
	return ecs.TaskResult{TaskARN: result.ARN, ExitCode: result.ExitCode, StoppedReason: result.Reason, Logs: result.Logs}, err
}

// Inventory is a model as the repair of a killed run sees it.
func Inventory(model *cloud.Account) engine.Inventory { return inventory{model} }

type inventory struct{ *cloud.Account }

func (i inventory) Keeps(kind string) bool { return slices.Contains(cloud.Types(), kind) }

func (i inventory) Objects() []engine.Object {
	var all []engine.Object
	for _, o := range i.Account.Objects() {
		switch {
		case o.Seeded:
		case o.Owner != "": // AWS makes and deletes it together with another object
			all = append(all, engine.Object{Type: o.Type, ID: o.ID})
		default:
			all = append(all, engine.Object{URN: o.URN, Type: o.Type, ID: o.ID})
		}
	}
	return all
}

func (i inventory) Delete(_ context.Context, o engine.Object) error {
	gone, err := i.Remove(o.Type, o.ID)
	if err == nil && !gone {
		err = fmt.Errorf("%s %s is not in the model", o.Type, o.ID)
	}
	return err
}

// contents is the model as S3 and ECR.
type contents struct {
	account *cloud.Account
	has     func(reference string) bool // whether Docker has the image as well; nil: it is a digest and nothing else
}

func (c contents) Objects(_ context.Context, bucket string) (n int, more bool, err error) {
	for _, o := range c.account.Objects() {
		if o.Type == "aws:s3/bucketObjectv2:BucketObjectv2" && cloud.Inputs(o.Outputs).String("bucket") == bucket {
			n++
		}
	}
	return n, false, nil
}

func (c contents) Images(_ context.Context, repository string) (n int, err error) {
	for _, o := range c.account.Objects() {
		if o.Type == "ecr:image" && o.Owner == cloud.Key(typeRepository, repository) {
			n++
		}
	}
	return n, nil
}

func (c contents) Tagged(_ context.Context, repository, tag string) (string, error) {
	for _, o := range c.account.Objects() {
		out := cloud.Inputs(o.Outputs)
		if o.Type != "ecr:image" || o.Owner != cloud.Key(typeRepository, repository) || !slices.Contains(out.Strings("imageTags"), tag) {
			continue
		}
		if c.has == nil || c.has(out.String("imageUri")) {
			return out.String("imageDigest"), nil
		}
	}
	return "", nil
}
