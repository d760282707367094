package operation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"slipway/engine"
	"slipway/internal/catalog"
	"slipway/site"
	"slipway/verdict"
)

// draining is how long the tasks of services may take to end before they are deleted anyway. The balancer lets a request
// that is under way end for 30 seconds at most; stop timeouts come on top.
const draining = 5 * time.Minute

// A Loss is a resource that destroy ends, deletes, or leaves behind on purpose.
type Loss struct {
	Kind string `json:"kind"` // "database", "bucket", "repository", "service", "balancer" or "key"
	Name string `json:"name"`
	Says string `json:"says"`
}

// DestroyArgs say how a stack is destroyed.
type DestroyArgs struct {
	KeepData bool // the database and the media stay
	// Confirm gets the losses before anything is deleted. It is not called if there is nothing to destroy.
	Confirm func(Destruction) error
}

// A Destruction lists the consequences of destroying a stack.
type Destruction struct {
	Losses    []Loss
	Protected bool
	Live      bool
}

// Destroyed is what destroy did.
type Destroyed struct {
	Nothing  bool // there was nothing to destroy
	Where    string
	Result   engine.Result
	Losses   []Loss
	Kept     []engine.Import // as `pulumi import --file` takes it
	Left     map[string]int
	Snapshot string // that the database left
	Key      string // the ARN of the key that encrypts it, and stays with it
}

// Destroy deletes every resource of the stack, after it was confirmed.
func Destroy(ctx context.Context, t Target, args DestroyArgs) (report *Destroyed, err error) {
	c, err := configure(t)
	if err != nil {
		return nil, err
	}
	s, err := open(ctx, t, c, openArgs{operation: "destroy"})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	d := &demolition{session: s, keep: args.KeepData}
	state, err := s.stack.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	if err := d.deletable(ctx, state); err != nil {
		return nil, err
	}
	losses, err := d.survey(ctx, state)
	if err != nil {
		return nil, err
	}
	resources := state.Managed()
	report = &Destroyed{Where: s.where(), Losses: losses}
	if len(resources) == 0 && len(s.account.Leftovers(nil)) == 0 {
		if err := errors.Join(s.retire(ctx), s.removePaused(ctx)); err != nil { // a destroy that was interrupted may have left them
			return nil, err
		}
		report.Nothing = true
		report.Result.Counts = map[string]int{}
		return report, nil
	}
	protected := c.stack.Protect || slices.ContainsFunc(resources, func(r engine.Resource) bool { return r.Protect })
	if err := args.Confirm(Destruction{Losses: losses, Protected: protected, Live: t.Live}); err != nil {
		return nil, err
	}
	ended, err := newDestroyKeeper(ctx, s)
	if err != nil {
		return nil, err
	}
	report.Result, err = d.demolish(ctx)
	if err = errors.Join(err, ended(report.Result, err)); err != nil {
		return nil, err
	}
	report.Kept, report.Snapshot, report.Key = d.kept, d.snapshot, d.key
	if !args.KeepData {
		if err := errors.Join(s.removeContainers(ctx), s.removePaused(ctx)); err != nil {
			return nil, err
		}
	}
	report.Left = s.account.Leftovers(d.kept)
	return report, nil
}

// A demolition is one destroy of a stack.
type demolition struct {
	*session
	keep bool

	kept     []engine.Import // what stays on purpose
	snapshot string          // that the database leaves
	key      string          // the ARN of the key that encrypts it, and stays with it
}

const (
	typeInstance   = "aws:rds/instance:Instance"
	typeBucket     = "aws:s3/bucketV2:BucketV2"
	typeService    = "aws:ecs/service:Service"
	typeRepository = "aws:ecr/repository:Repository"
	typeKey        = "aws:kms/key:Key"
)

// ofData reports whether a resource belongs to the database or to the media bucket.
func ofData(r engine.Resource) bool { return strings.Contains(r.URN, "slipway:datastore:") }

func dataOf(resources []engine.Resource) []string {
	var urns []string
	for _, r := range resources {
		if ofData(r) {
			urns = append(urns, r.URN)
		}
	}
	return urns
}

// survey lists what destroy ends, deletes or leaves.
func (d *demolition) survey(ctx context.Context, state engine.Checkpoint) ([]Loss, error) {
	resources := state.Managed()
	stays := map[string]bool{}
	if d.keep {
		stays = state.Needs(dataOf(resources))
	}
	sealed := ""
	if !d.keep {
		sealed = d.sealed(resources)
	}
	losses, order, rules := []Loss{}, map[string]int{}, facts()
	for _, r := range resources {
		l := Loss{Name: cmp.Or(r.Text("identifier"), r.Text("bucket"), r.Text("name"), r.ID)}
		flag := func(name string) bool { is, _ := r.Outputs[name].(bool); return is }
		lifted := map[bool]string{true: "its deletion protection is lifted; "}[flag("deletionProtection") || flag("enableDeletionProtection")]
		loss, lost := rules.Loss(r.Type)
		if !lost {
			continue
		}
		order[loss.Kind] = loss.Order
		l.Kind, l.Says = loss.Kind, lifted+loss.Says
		switch {
		case r.Type == typeInstance && flag("skipFinalSnapshot") && !r.Protect:
			l.Says += ", and no snapshot is left"
		case r.Text("finalSnapshotIdentifier") != "":
			l.Says = lifted + "it leaves the snapshot " + r.Text("finalSnapshotIdentifier") + "; " + loss.Says
		case r.Type == typeKey:
			l.Name = r.Text("arn")
			if r.URN == sealed {
				l.Says = "it stays: it encrypts the snapshot"
			}
		case loss.Holds != "":
			l.Says = d.counted(ctx, loss, l.Name)
		}
		if r.Type == typeBucket && r.Name == "archive-logs" {
			l.Says = "the archive of the logs: " + l.Says
		}
		if stays[r.URN] {
			l.Says = "stays as it is"
		}
		losses = append(losses, l)
	}
	slices.SortStableFunc(losses, func(a, b Loss) int { return order[a.Kind] - order[b.Kind] })
	return losses, nil
}

// counted describes the contents that are deleted with a resource.
func (d *demolition) counted(ctx context.Context, loss catalog.Loss, name string) string {
	var n int
	var more bool
	var err error
	if loss.Holds == "image" {
		n, err = d.account.Contents().Images(ctx, name)
	} else {
		n, more, err = d.account.Contents().Objects(ctx, name)
	}
	switch {
	case err != nil:
		return loss.Says + "; counting failed: " + err.Error()
	case n == 0:
		return "it is empty"
	}
	return "it holds " + some(n, more, loss.Holds) + ", " + loss.Counted
}

func some(n int, more bool, what string) string {
	switch {
	case more:
		return fmt.Sprintf("more than %d %ss", n, what)
	case n == 1:
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// demolish ends the tasks, lifts the protection, deletes everything except what stays, and deregisters the task definitions.
func (d *demolition) demolish(ctx context.Context) (engine.Result, error) {
	result, err := d.delete(ctx)
	if err == nil && ctx.Err() != nil && len(d.account.Leftovers(d.kept)) > 0 {
		err = &engine.Failure{Operation: "destroy", Interrupted: true, Cause: ctx.Err()}
	}
	if err == nil {
		return result, d.retire(ctx)
	}
	if ctx.Err() == nil {
		return result, err
	}
	if errors.Is(err, context.Canceled) && !errors.As(err, new(*engine.Failure)) {
		err = &engine.Failure{Operation: "destroy", Interrupted: true, Cause: ctx.Err()}
	}
	return result, &unfinished{err, "slipway destroy" + d.target.Flags()}
}

// An unfinished destroy was interrupted.
type unfinished struct {
	error
	again string // the command that completes it
}

func (u *unfinished) Error() string {
	return u.error.Error() + "\nto complete it, run: " + u.again
}

// Unwrap leaves the cancelled context out: its error would hide what was interrupted.
func (u *unfinished) Unwrap() []error {
	if failure := (*engine.Failure)(nil); errors.As(u.error, &failure) {
		plain := *failure
		plain.Cause = nil
		return []error{&plain}
	}
	return []error{u.error}
}

// interrupted is an error if the run was interrupted before everything that goes was deleted. The engine may end without one.
func (d *demolition) interrupted(ctx context.Context, kept []string) error {
	if ctx.Err() == nil {
		return nil
	}
	rest, err := d.stack.Checkpoint(context.WithoutCancel(ctx))
	if err != nil {
		return err
	}
	stays := rest.Needs(kept)
	if slices.ContainsFunc(rest.Managed(), func(r engine.Resource) bool { return !stays[r.URN] }) {
		return &engine.Failure{Operation: "destroy", Interrupted: true, Cause: ctx.Err()}
	}
	return nil
}

func (d *demolition) delete(ctx context.Context) (engine.Result, error) {
	lock := d.account.Lock()
	if err := d.drain(ctx); err != nil {
		return engine.Result{}, err
	}
	state, err := d.stack.Checkpoint(ctx)
	if err != nil {
		return engine.Result{}, err
	}
	resources := state.Managed()
	var kept []string
	stays := map[string]bool{}
	if d.keep {
		kept = dataOf(resources)
		stays = state.Needs(kept)
	}
	var locked []string
	for _, r := range resources {
		if r.Protect && !stays[r.URN] {
			locked = append(locked, r.URN)
		}
	}
	if len(locked) > 0 {
		d.target.Progress.Logf("Lifting the protection of %s.", some(len(locked), false, "resource"))
		if _, err := d.stack.Unprotect(ctx, lock, d.unprotected().Run, locked); err != nil {
			return engine.Result{}, err
		}
		if state, err = d.stack.Checkpoint(ctx); err != nil {
			return engine.Result{}, err
		}
		resources = state.Managed()
	}
	keyURN := ""
	if !d.keep {
		if keyURN = d.sealed(resources); keyURN != "" {
			kept = []string{keyURN}
		}
	}
	d.target.Progress.Logf("Deleting.")
	result, err := d.stack.DestroyBut(ctx, lock, kept)
	if err == nil {
		err = d.interrupted(ctx, kept)
	}
	if err != nil {
		return result, err
	}
	if d.keep {
		rest, err := d.stack.Checkpoint(ctx)
		d.kept = engine.Imports(rest.Managed())
		return result, err
	}
	if keyURN == "" {
		return result, nil
	}
	// The snapshot is useless without its key, so the key stays as well.
	if err := d.stack.Forget(ctx, keyURN); err != nil {
		return result, err
	}
	if err := d.account.Disown(ctx, d.key); err != nil {
		return result, err
	}
	rest, err := d.stack.Destroy(ctx, lock)
	return result.Add(rest), err
}

// unprotected is the program without its protection. Only protected resources are updated with it, and an image is none, so the
// helper for images is not needed in an account either.
func (d *demolition) unprotected() *site.Program {
	return site.New(site.Options{Root: d.config.root, Unlock: true, Runner: d.account.Runner(), Unbuilt: true})
}

// sealed finds the name of the database's final snapshot, and the key that encrypts it.
func (d *demolition) sealed(resources []engine.Resource) (keyURN string) {
	for _, r := range resources {
		if skip, _ := r.Outputs["skipFinalSnapshot"].(bool); r.Type != typeInstance || skip {
			continue
		}
		d.snapshot, d.key = r.Text("finalSnapshotIdentifier"), r.Text("kmsKeyId")
		for _, k := range resources {
			if k.Type == typeKey && k.Text("arn") == d.key {
				return k.URN
			}
		}
	}
	return ""
}

// drain scales every service to zero and waits until its tasks have ended, so that nothing is deleted while they use it.
func (d *demolition) drain(ctx context.Context) error {
	expected, err := d.expected(ctx)
	if err != nil || len(expected.Services) == 0 {
		return err
	}
	d.target.Progress.Logf("Scaling the services to zero.")
	if err := d.scale(ctx, func(verdict.Running, verdict.Service) int { return 0 }); err != nil {
		return err
	}
	var names []string
	for _, r := range expected.Services {
		names = append(names, r.Service)
	}
	for deadline := time.Now().Add(draining); time.Now().Before(deadline); {
		services, err := d.account.ECS().Services(ctx, expected.Cluster, names)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(services, func(s verdict.Service) bool { return s.Running > 0 }) {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Second):
		}
	}
	return nil // deleting a service waits for its tasks as well
}
