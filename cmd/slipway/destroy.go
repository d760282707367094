package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/spf13/cobra"

	"slipway/engine"
	"slipway/operation/account/awsaccount"
	"slipway/rehearsal/cloud"
	"slipway/site"
	"slipway/verdict"
)

// draining is how long the tasks of services may take to end before they are deleted anyway. The balancer lets a request
// that is under way end for 30 seconds at most; stop timeouts come on top.
const draining = 5 * time.Minute

// A loss is something that destroy ends, or deletes, or leaves behind on purpose.
type loss struct {
	Kind string `json:"kind"` // "database", "bucket", "repository", "service", "balancer" or "key"
	Name string `json:"name"`
	Says string `json:"says"`
}

// A wish is how a stack is to be destroyed.
type wish struct {
	confirm string // the stack's name, typed as a flag
	keep    bool   // database and media stay
}

func (t *tool) destroyCommand() *cobra.Command {
	var w wish
	cmd := &cobra.Command{
		Use:   "destroy",
		Short: "Delete every resource of the stack, after saying what is lost",
		Long: `Destroy first lists what stands in the way and what is lost: protection, the database, full buckets and repositories,
running tasks, keys. A stack that is protected, or live, must be named to go on: on the terminal, or with --confirm.

Then it scales every service to zero, lifts the protection, and deletes. The database of a protected stack leaves a last
snapshot, and the key that encrypts it stays with it. With --keep-data the database and the media stay, with the network
and the keys that they need: the next up goes on with them.

An unprotected stack of the rehearsal is destroyed without a question: the next up makes it all again.`,
		Example: `  slipway destroy
  slipway destroy --stack prod --keep-data
  slipway destroy --stack prod --live --confirm prod`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return t.destroy(cmd.Context(), w) },
	}
	cmd.Flags().StringVar(&w.confirm, "confirm", "", "the `name` of the stack, to destroy it although it is protected or live")
	cmd.Flags().BoolVar(&w.keep, "keep-data", false, "leave the database and the media bucket, with what they need")
	return cmd
}

// A destroyed is what destroy writes with --json.
type destroyed struct {
	Stack string `json:"stack"`
	engine.Summary
	Losses []loss          `json:"losses"`
	Kept   []engine.Import `json:"kept,omitempty"` // as `pulumi import --file` takes it
	Left   map[string]int  `json:"left,omitempty"`
}

func (t *tool) destroy(ctx context.Context, w wish) (err error) {
	if w.confirm != "" && w.confirm != t.stack {
		return usageError{fmt.Errorf("--confirm names %s, and the stack is %s", w.confirm, t.stack)}
	}
	c, err := t.configure()
	if err != nil {
		return err
	}
	s, err := t.open(ctx, c, stackDir(c.root, t.stack), "destroy", false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	state, err := s.stack.Checkpoint(ctx)
	if err != nil {
		return err
	}
	resources := state.Managed()
	d := &demolition{tool: t, c: c, s: s, keep: w.keep}
	losses, err := d.survey(ctx, resources)
	if err != nil {
		return err
	}
	s.progress.close()
	if len(resources) == 0 && (s.live != nil || len(s.model.Account.Made()) == 0) {
		t.say("There is nothing to destroy: stack %s was never put up%s, or is destroyed already.", t.stack, s.elsewhere())
		return t.print(destroyed{Stack: t.stack, Summary: engine.Result{Counts: map[string]int{}}.Summary(), Losses: losses}, func() {})
	}
	d.say(losses)
	if err := d.agree(c, resources, w.confirm); err != nil {
		return err
	}
	s.tell(t.stderr)

	ended, err := t.goes(ctx, s)
	if err != nil {
		return err
	}
	result, err := d.demolish(ctx, resources)
	if err = errors.Join(err, ended(result, err)); err != nil {
		return err
	}
	report := destroyed{Stack: t.stack, Summary: result.Summary(), Losses: losses, Kept: d.kept}
	if s.live == nil {
		if !w.keep {
			if err := t.unrun(ctx, c, s); err != nil {
				return err
			}
		}
		report.Left = d.left()
	}
	s.progress.close()
	err = t.print(report, func() {})
	if len(report.Left) > 0 {
		return errors.Join(err, fmt.Errorf("the stack is destroyed, but the model still holds %s", tally(report.Left)))
	}
	d.tell(result)
	return err
}

// elsewhere says where a stack is that is not here.
func (s *stage) elsewhere() string {
	if s.live != nil {
		return " in " + s.live.String()
	}
	return " here"
}

// A demolition takes a stack down.
type demolition struct {
	*tool
	c    *configuration
	s    *stage
	keep bool

	kept     []engine.Import // what stays on purpose
	snapshot string          // that the database leaves
	key      string          // the ARN of the key that encrypts it, and stays with it
}

const (
	typeInstance   = "aws:rds/instance:Instance"
	typeBucket     = "aws:s3/bucketV2:BucketV2"
	typeRepository = "aws:ecr/repository:Repository"
	typeBalancer   = "aws:lb/loadBalancer:LoadBalancer"
	typeKey        = "aws:kms/key:Key"
)

// ofData says whether a resource is of the database or of the media bucket.
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
func (d *demolition) survey(ctx context.Context, resources []engine.Resource) ([]loss, error) {
	stays := map[string]bool{}
	if d.keep {
		state, err := d.s.stack.Checkpoint(ctx)
		if err != nil {
			return nil, err
		}
		stays = state.Needs(dataOf(resources))
	}
	contents := d.s.contents()
	sealed := ""
	if !d.keep {
		sealed = d.sealed(resources)
	}
	losses := []loss{}
	for _, r := range resources {
		l := loss{Name: cmp.Or(r.Text("identifier"), r.Text("bucket"), r.Text("name"), r.ID)}
		flag := func(name string) bool { is, _ := r.Outputs[name].(bool); return is }
		lifted := map[bool]string{true: "its deletion protection is lifted; "}[flag("deletionProtection") || flag("enableDeletionProtection")]
		switch r.Type {
		case typeInstance:
			l.Kind = "database"
			switch {
			case flag("skipFinalSnapshot") && !r.Protect:
				l.Says = lifted + "all that it holds is deleted, and no snapshot is left"
			default:
				l.Says = lifted + "it leaves the snapshot " + r.Text("finalSnapshotIdentifier") + "; all that it holds is deleted"
			}
		case typeBucket:
			l.Kind = "bucket"
			n, more, err := contents.Objects(ctx, l.Name)
			l.Says = "it holds " + some(n, more, "object") + ", deleted with every old version"
			if err != nil {
				l.Says = "all that it holds is deleted; it cannot be counted: " + err.Error()
			}
			if n == 0 && err == nil {
				l.Says = "it is empty"
			}
			if r.Name == "archive-logs" {
				l.Says = "the archive of the logs: " + l.Says
			}
		case typeRepository:
			l.Kind = "repository"
			n, err := contents.Images(ctx, l.Name)
			l.Says = "it holds " + some(n, false, "image") + ", deleted with it; a release that runs nowhere else cannot be had again"
			if err != nil {
				l.Says = "its images are deleted; they cannot be counted: " + err.Error()
			}
			if n == 0 && err == nil {
				l.Says = "it is empty"
			}
		case typeBalancer:
			l.Kind, l.Says = "balancer", lifted+"the site is not reachable any more"
		case typeService:
			l.Kind, l.Says = "service", "its tasks end, those that answer a request within its time"
		case typeKey:
			l.Kind, l.Name, l.Says = "key", r.Text("arn"), "it opens nothing any more, and is deleted after its waiting time"
			if r.URN == sealed {
				l.Says = "it stays: it encrypts the snapshot"
			}
		default:
			continue
		}
		if stays[r.URN] {
			l.Says = "stays as it is"
		}
		losses = append(losses, l)
	}
	order := []string{"database", "bucket", "repository", "service", "balancer", "key"}
	slices.SortStableFunc(losses, func(a, b loss) int { return slices.Index(order, a.Kind) - slices.Index(order, b.Kind) })
	return losses, nil
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

func (d *demolition) say(losses []loss) {
	d.tool.say("Destroying stack %s means:", d.stack)
	for _, l := range losses {
		d.tool.say("  %-10s %s: %s", l.Kind, l.Name, l.Says)
	}
}

// agree asks for the stack's name where more than a rehearsal of a moment is lost.
func (d *demolition) agree(c *configuration, resources []engine.Resource, confirm string) error {
	protected := c.stack.Protect || slices.ContainsFunc(resources, func(r engine.Resource) bool { return r.Protect })
	if !protected && d.s.live == nil || confirm == d.stack {
		return nil
	}
	what := "live"
	if protected {
		what = "protected"
	}
	name, err := d.ask(fmt.Sprintf("Stack %s is %s. Type its name to destroy it: ", d.stack, what))
	if errors.Is(err, errNobody) {
		return fmt.Errorf("stack %s is %s, and nobody is there to name it; nothing was deleted\nto destroy it, say: slipway destroy%s --confirm %s",
			d.stack, what, d.flags(), d.stack)
	}
	if err != nil {
		return err
	}
	if name != d.stack {
		return fmt.Errorf("%q is not the name of the stack; nothing was deleted", name)
	}
	return nil
}

// flags are the stack's, and those of a destroy like this one.
func (d *demolition) flags() string {
	flags := d.stackFlag()
	if d.s.live != nil {
		flags += " --live"
	}
	if d.keep {
		flags += " --keep-data"
	}
	return flags
}

// demolish takes the stack down: tasks first, then the protection, then all but what stays.
func (d *demolition) demolish(ctx context.Context, resources []engine.Resource) (engine.Result, error) {
	s := d.s
	if err := d.drain(ctx); err != nil {
		return engine.Result{}, err
	}
	var kept []string
	stays := map[string]bool{}
	if d.keep {
		kept = dataOf(resources)
		state, err := s.stack.Checkpoint(ctx)
		if err != nil {
			return engine.Result{}, err
		}
		stays = state.Needs(kept)
	}
	var locked []string
	for _, r := range resources {
		if r.Protect && !stays[r.URN] {
			locked = append(locked, r.URN)
		}
	}
	if len(locked) > 0 {
		s.progress.say(fmt.Sprintf("Lifting the protection of %d resources.", len(locked)))
		if _, err := s.stack.Unprotect(ctx, s.hold, d.unlocked(), locked); err != nil {
			return engine.Result{}, err
		}
		state, err := s.stack.Checkpoint(ctx)
		if err != nil {
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
	s.progress.say("Deleting.")
	result, err := s.stack.DestroyBut(ctx, s.hold, kept)
	if err != nil {
		return result, err
	}
	if d.keep {
		rest, err := s.stack.Checkpoint(ctx)
		d.kept = engine.Imports(rest.Managed())
		return result, err
	}
	if keyURN == "" {
		return result, nil
	}
	// The snapshot is worth nothing without its key, which therefore stays as well.
	if err := s.stack.Forget(ctx, keyURN); err != nil {
		return result, err
	}
	if err := s.disown(d.key); err != nil {
		return result, err
	}
	rest, err := s.stack.Destroy(ctx, s.hold)
	return result.Add(rest), err
}

// unlocked is the program without its protection.
func (d *demolition) unlocked() pulumi.RunFunc {
	options := site.Options{Root: d.c.root, Unlock: true}
	if d.s.live == nil {
		options.Runner = runner{d.s.model.Account}
	}
	return site.Program(options)
}

// sealed finds the snapshot that the database is going to leave, and the key that encrypts it.
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

// drain scales every service to zero and waits until its tasks have ended, so that nothing is deleted from under them.
func (d *demolition) drain(ctx context.Context) error {
	asked, err := d.s.expected(ctx)
	if err != nil || len(asked.Services) == 0 {
		return err
	}
	d.s.progress.say("Scaling the services to zero.")
	if err := d.s.scale(ctx, func(verdict.Running, verdict.Service) int { return 0 }); err != nil {
		return err
	}
	var names []string
	for _, r := range asked.Services {
		names = append(names, r.Service)
	}
	for deadline := time.Now().Add(draining); time.Now().Before(deadline); {
		services, err := d.s.crew().Services(ctx, asked.Cluster, names)
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

// left is what the model holds that is not meant to stay.
func (d *demolition) left() map[string]int {
	left := map[string]int{}
	for _, o := range d.s.model.Account.Objects() {
		stays := slices.ContainsFunc(d.kept, func(k engine.Import) bool {
			return o.Type == k.Type && o.ID == k.ID || o.Owner == cloud.Key(k.Type, k.ID)
		})
		if !o.Seeded && !stays && !disowned(o) {
			left[o.Type]++
		}
	}
	return left
}

// tell says how it ended.
func (d *demolition) tell(result engine.Result) {
	where := "The model of AWS is empty."
	if d.s.live != nil {
		where = "It was in " + d.s.live.String() + "."
	}
	switch {
	case d.keep:
		d.tool.say("Stack %s is down: %s, in %s. The database and the media stay, with what they need: %s in all.\n"+
			"The next slipway up%s goes on with them. To adopt them elsewhere, --json lists them as pulumi import --file takes them.",
			d.stack, counted(result), elapsed(result.Took), some(len(d.kept), false, "resource"), d.stackFlag())
	case d.key != "":
		d.tool.say("Stack %s is gone: %s, in %s. What stays is the snapshot %s and the key that encrypts it, $1 a month:\n  %s\n"+
			"When the snapshot is not needed any more: aws rds delete-db-snapshot --db-snapshot-identifier %s; aws kms schedule-key-deletion --key-id %s",
			d.stack, counted(result), elapsed(result.Took), d.snapshot, d.key, d.snapshot, d.key)
	default:
		d.tool.say("Stack %s is gone: %s, in %s. %s", d.stack, counted(result), elapsed(result.Took), where)
	}
}

// contents are those of the account's buckets and repositories, or of the model's.
func (s *stage) contents() awsaccount.Contents {
	if s.live != nil {
		return awsaccount.AWSContents(s.live.aws)
	}
	return contents{s.model.Account}
}

// contents is the model as S3 and ECR.
type contents struct{ account *cloud.Account }

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

// disowned says whether an object of the model stays behind on purpose and belongs to no stack.
func disowned(o *cloud.Object) bool { return o.Type == typeKey && o.URN == "" && o.Owner == "" }

// disown says to the model that a key belongs to no stack any more: the repair of a killed run lets it be.
func (s *stage) disown(key string) error {
	if s.live != nil {
		return nil
	}
	for _, o := range s.model.Account.Objects() {
		if o.Type == typeKey && cloud.Inputs(o.Outputs).String("arn") == key {
			return s.model.Account.Alter(o.Type, o.ID, func(o *cloud.Object) { o.URN = "" })
		}
	}
	return nil
}
