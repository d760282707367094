package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"regexp"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/spf13/cobra"
	"gocloud.dev/gcerrors"

	"slipway/engine"
	"slipway/rehearsal/cloud"
	live "slipway/rehearsal/run"
	"slipway/release"
	"slipway/site"
	"slipway/verdict"
)

// A coming is a release that is to run again, or elsewhere, instead of one that is built.
type coming struct {
	release release.Release
	from    string         // the stack that it comes from; "": it was in this one before
	images  release.Images // where they are there
	profile string         // of the shared AWS configuration, to read them with
	running release.Release
}

// settings make the release part of the configuration of this run.
func (r *coming) settings() []string {
	digests := r.release.Images.Digests()
	return []string{"images.django=" + digests.Django, "images.nginx=" + digests.Nginx}
}

// program is what the engine runs: the site, with the release that comes if one does. The engine has locked the stack by
// then, so what is to be done first, such as writing into the ledger, is done by nobody else at the same time.
func (t *tool) program(c *configuration, s *stage, options site.Options) pulumi.RunFunc {
	options.Root = c.root
	options.Images = func(django, nginx string) { s.images.Store(&release.Images{Django: django, Nginx: nginx}) }
	if t.comes != nil && t.comes.from != "" {
		where := t.comes.images.Repositories()
		options.Source = site.Source{Django: where.Django, Nginx: where.Nginx, Tag: "release-" + t.comes.release.ID, Profile: t.comes.profile}
	}
	return func(ctx *pulumi.Context) error {
		if s.first != nil {
			if err := s.first(); err != nil {
				return err
			}
		}
		return site.Program(options)(ctx)
	}
}

// carrier copies images from the model of one stack to that of another, byte for byte as far as models go: a digest.
func (t *tool) carrier(c *configuration, s *stage) func(ctx context.Context, from, to, tag string) error {
	return func(_ context.Context, from, to, tag string) error {
		if from == "" {
			if !s.model.Account.Holds(to) || s.run != nil && !s.run.Has(to) {
				return fmt.Errorf("%s is not in the repository (any more): promote the release again from a stack that has it", to)
			}
			return nil
		}
		source := stackDir(c.root, t.comes.from)
		there, err := cloud.Look(modelFile(source))
		if err != nil {
			return err
		}
		if here := s.model.Account.AccountID; there.AccountID != here {
			if err := there.MayPull(here, from); err != nil {
				return fmt.Errorf("reading %s: %w\n%s", from, err, t.crossing(t.comes.from, there.AccountID, here))
			}
		}
		if !there.Holds(from) {
			return fmt.Errorf("%s is not in the repository (any more): deploy the release there again", from)
		}
		if s.run != nil {
			if err := s.run.Bring(live.Dir(source), from, to, tag); err != nil {
				return err
			}
		}
		repository, digest, _ := strings.Cut(to, "@")
		return s.model.Account.Push(repository+":"+tag, digest)
	}
}

// who is the person or the workflow run that deploys.
func who() string {
	if run := engine.GitHubRunOf(os.Getenv); run != nil {
		return fmt.Sprintf("%s, %s/%s/actions/runs/%s", run.Actor, cmp.Or(os.Getenv("GITHUB_SERVER_URL"), "https://github.com"), run.Repository, run.ID)
	}
	name, host := "somebody", "an unknown host"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if h, err := os.Hostname(); err == nil {
		host = h
	}
	return name + "@" + host
}

// A keeper writes one deployment into the ledger: that it begins, once the engine has the stack, and how it ended.
type keeper struct {
	ledger     *release.Ledger
	before     release.History
	source     release.Source
	processor  string
	comes      *coming
	images     func() *release.Images
	deployment release.Deployment
}

// keeper reads the ledger. What is damaged in it is said, and does not count.
func (t *tool) keeper(ctx context.Context, c *configuration, s *stage, operation string) (*keeper, error) {
	ledger, err := ledgerOf(ctx, s.stack)
	if err != nil {
		return nil, err
	}
	k := &keeper{
		ledger: ledger, processor: c.stack.Web.Architecture, comes: t.comes, images: s.images.Load,
		deployment: release.Deployment{Operation: operation, Who: who()},
	}
	if k.before, err = ledger.Read(ctx); err != nil {
		return nil, errors.Join(err, ledger.Close())
	}
	for _, d := range k.before.Damaged {
		s.progress.say("The ledger is damaged: " + d.Key + ": " + d.Why)
	}
	if t.comes != nil {
		k.deployment.Release, k.deployment.From = t.comes.release.ID, t.comes.from
		return k, nil
	}
	if last, _ := k.before.Last(); last.Release != "" && slices.Contains([]string{"promote", "rollback"}, last.Operation) {
		s.progress.say(fmt.Sprintf("Stack %s was given release %s by a %s. This up builds what is in the folder instead; to keep the release: slipway up%s --release %[2]s",
			t.stack, last.Release, last.Operation, t.stackFlag()))
	}
	if k.source, err = release.ReadSource(ctx, c.root, c.stack.Images.App); err != nil {
		return nil, errors.Join(err, ledger.Close())
	}
	return k, nil
}

func (k *keeper) close() error { return k.ledger.Close() }

// begin records that the deployment begins.
func (k *keeper) begin(ctx context.Context) error {
	if k.comes != nil {
		if err := k.ledger.Keep(ctx, k.comes.release); err != nil {
			return err
		}
	}
	var err error
	k.deployment, err = k.ledger.Begin(ctx, k.deployment)
	return err
}

// keepPatience is how long the last words of a deployment may take to be written, also after an interrupt.
const keepPatience = 30 * time.Second

// end records how the deployment ended, and gives the release that it was of: a new one, if it was built and anything
// changed. A deployment that never began, because the engine could not have the stack, leaves no trace.
func (k *keeper) end(ctx context.Context, result engine.Result, v verdict.Verdict, wrong error) (*release.Release, error) {
	if k.deployment.ID == "" {
		return nil, nil
	}
	interrupted := ctx.Err() != nil
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepPatience)
	defer cancel()
	d := k.deployment
	d.Changes = result.Changed()
	if d.Operation != "destroy" { // which may run the program once more, to lift its protection
		d.Images = k.images()
	}
	var of *release.Release
	switch {
	case k.comes != nil:
		of = &k.comes.release
	case d.Images != nil:
		running, runs := k.before.Running()
		if of = &running; !runs || wrong != nil || result.Changed() > 0 || d.Images.Digests() != running.Images.Digests() {
			made := release.NewRelease(k.ledger.Stack, d.Who, time.Now(), *d.Images, k.source)
			made.Adds, made.Processor = made.Without(running), k.processor
			if err := k.ledger.Keep(ctx, made); err != nil {
				return nil, err
			}
			of = &made
		}
		d.Release = of.ID
	}
	d.Verdict = &v
	if wrong != nil && (v.Good || len(v.Reasons) == 0) {
		d.Verdict.Good, d.Verdict.Reasons = false, reasons(wrong, interrupted)
	}
	return of, k.ledger.End(ctx, d)
}

// goes keeps in the ledger that the stack is destroyed: that it begins, once the engine has something to tell and so has the
// stack, and, when the function that it returns is called, how it ended.
func (t *tool) goes(ctx context.Context, s *stage) (func(engine.Result, error) error, error) {
	ledger, err := ledgerOf(ctx, s.stack)
	if err != nil {
		return nil, err
	}
	k := &keeper{ledger: ledger, images: s.images.Load, deployment: release.Deployment{Operation: "destroy", Who: who()}}
	var once sync.Once
	var unkept error
	told := s.stack.OnEvent
	s.stack.OnEvent = func(e engine.Event) {
		once.Do(func() { unkept = k.begin(ctx) })
		told(e)
	}
	return func(result engine.Result, wrong error) error {
		_, err := k.end(ctx, result, verdict.Verdict{Good: wrong == nil}, wrong)
		return errors.Join(unkept, err, k.close())
	}, nil
}

// sayRelease says which release runs now.
func (t *tool) sayRelease(of *release.Release, k *keeper) {
	if of == nil {
		return
	}
	t.say("It runs release %s.", of.ID)
	if _, err := k.before.Find(of.ID); err != nil && k.source.Note != "" {
		t.say("The release names no commit: %s.", k.source.Note)
	}
}

// hookFailure is what the engine says before the words of a hook.
var hookFailure = regexp.MustCompile(`^before hook "[^"]*" failed: `)

func idOf(r *release.Release) string {
	if r == nil {
		return ""
	}
	return r.ID
}

// reasons are what went wrong, in a line each.
func reasons(err error, interrupted bool) []string {
	if interrupted {
		return []string{"it was interrupted"}
	}
	line := func(text string) string {
		first, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
		return hookFailure.ReplaceAllString(first, "")
	}
	var failure *engine.Failure
	if !errors.As(err, &failure) || len(failure.Problems) == 0 {
		return []string{line(err.Error())}
	}
	var all []string
	for _, p := range failure.Problems {
		all = append(all, line(p.Message))
	}
	return slices.Compact(all)
}

// of is the same command for another stack. Settings for this run are not the other stack's.
func (t *tool) of(stack string) *tool {
	other := *t
	other.stack, other.overrides, other.comes = stack, nil, nil
	return &other
}

// history reads the ledger of the stack.
func (t *tool) history(ctx context.Context) (release.History, error) {
	if err := t.known(); err != nil {
		return release.History{}, err
	}
	if t.live {
		c, err := t.configure()
		if err == nil {
			_, err = t.findPlace(ctx, c)
		}
		if err != nil {
			return release.History{}, err
		}
		return t.recorded(ctx, c)
	}
	s, err := t.stored(ctx)
	if err != nil {
		return release.History{}, err
	}
	if root, err := findRoot(); err == nil {
		if _, err := os.Stat(stackDir(root, t.stack)); errors.Is(err, os.ErrNotExist) { // reading makes nothing
			return release.History{Stack: t.stack, Releases: []release.Release{}, Deployments: []release.Deployment{}}, nil
		}
	}
	ledger, err := ledgerOf(ctx, s)
	if err != nil {
		return release.History{}, err
	}
	h, err := ledger.Read(ctx)
	return h, errors.Join(err, ledger.Close())
}

// recorded reads the ledger of a stack in an account.
func (t *tool) recorded(ctx context.Context, c *configuration) (release.History, error) {
	if c.stack.Backend.Bucket == "" {
		return release.History{}, t.homeless()
	}
	bucket, err := engine.Backend{URL: engine.S3(c.stack.Backend.Bucket, c.stack.Region, c.profile)}.Open(ctx)
	if err != nil {
		return release.History{}, err
	}
	ledger := &release.Ledger{Bucket: bucket, Project: c.stack.Project, Stack: t.stack}
	h, err := ledger.Read(ctx)
	return h, errors.Join(err, ledger.Close())
}

// sourceHistory reads the ledger of the stack that a release comes from, which may be in another account than the one that
// the release goes to: with the credentials of its own profile, if it has one, or else of whoever deploys.
func (t *tool) sourceHistory(ctx context.Context, source *tool) (release.History, error) {
	if err := source.known(); err != nil {
		return release.History{}, err
	}
	from, err := source.configure()
	if err != nil {
		return release.History{}, err
	}
	to, err := t.configure()
	if err != nil {
		return release.History{}, err
	}
	if !t.live {
		if err := t.mayReadHistory(from, to, source.stack); err != nil {
			return release.History{}, err
		}
		return source.history(ctx)
	}
	here, err := t.findPlace(ctx, to)
	if err != nil {
		return release.History{}, err
	}
	if from.profile != "" {
		var asked string
		if here, asked, err = source.findCaller(ctx, from); err == nil && !from.admits(here.account) {
			err = source.foreign(from, here, asked)
		}
		if err != nil {
			return release.History{}, err
		}
	}
	h, err := source.recorded(ctx, from)
	if gcerrors.Code(err) == gcerrors.PermissionDenied && !from.admits(here.account) {
		err = fmt.Errorf("%w\n%s", err, t.crossing(source.stack, from.allowed()[0], here.account))
	}
	return h, err
}

// mayReadHistory says what AWS would say of reading the ledger of a rehearsed stack, if that was bootstrapped in the model of
// another account. Of one that was not, it lies in no bucket.
func (t *tool) mayReadHistory(from, to *configuration, stack string) error {
	dir := stackDir(from.root, stack)
	there, err := cloud.Look(modelFile(dir))
	if err != nil {
		return err
	}
	here := cloud.DefaultAccountID
	if len(to.accounts) > 0 {
		here = to.accounts[0]
	}
	if there.AccountID == "" || there.AccountID == here {
		return nil
	}
	if err := from.overlay(dir); err != nil {
		return err
	}
	var backend struct {
		Bucket string `yaml:"bucket"`
	}
	if laid := valueOf(from.engine.Node, from.stack.Project+":backend"); laid != nil {
		if err := laid.Decode(&backend); err != nil {
			return err
		}
	}
	if backend.Bucket == "" {
		return nil
	}
	if err := there.MayRead(here, backend.Bucket, release.LedgerPrefix(from.stack.Project, stack)); err != nil {
		return fmt.Errorf("the ledger of stack %s cannot be read: %w\n%s", stack, err, t.crossing(stack, there.AccountID, here))
	}
	return nil
}

// crossing says how a stack's releases get from its account to that of this one.
func (t *tool) crossing(from, there, here string) string {
	return fmt.Sprintf("stack %s is in account %s, and its releases are to go to account %s. Both must say so: %[3]q in promotion.to of Pulumi.%[1]s.yaml "+
		"(then bootstrap and up of %[1]s), %[2]q in promotion.from of Pulumi.%[4]s.yaml (then bootstrap of %[4]s). "+
		"Or give stack %[1]s a profile of its own: aws:profile", from, there, here, t.stack)
}

func (t *tool) known() error {
	if !stackName.MatchString(t.stack) {
		return usageError{fmt.Errorf("%q is not the name of a stack", t.stack)}
	}
	return nil
}

// again makes the command one that runs a release which this stack had before.
func (t *tool) again(ctx context.Context, id string) (release.History, error) {
	h, err := t.history(ctx)
	if err != nil {
		return h, err
	}
	r, err := h.Find(id)
	if err != nil {
		return h, err
	}
	running, _ := h.Running()
	t.comes = &coming{release: r, running: running}
	t.overrides = append(t.overrides, t.comes.settings()...)
	return h, nil
}

func (t *tool) promoteCommand() *cobra.Command {
	var from, to string
	var unhealthy bool
	cmd := &cobra.Command{
		Use:   "promote --from STACK --to STACK [RELEASE]",
		Short: "Run in one stack what runs in another",
		Long: `Promote runs a release of one stack in another: the very same images, by digest, copied from registry to registry.
Nothing is built. It shows what would change before it begins.

Without RELEASE it is the one that was deployed last in the stack that it comes from. A release that is not good there,
or whose deployment never ended, is refused.`,
		Example: `  slipway promote --from dev --to staging
  slipway promote --from staging --to prod 20261122-190817-3f2a9c1
  slipway promote --from staging --to prod --live`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("stack") {
				return usageError{errors.New("promote takes --from and --to, not --stack")}
			}
			if from == to {
				return usageError{fmt.Errorf("--from and --to are both %q: a release is promoted from one stack to another", from)}
			}
			t.stack = to
			return t.promote(cmd.Context(), from, argument(args), unhealthy)
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "the stack that the release comes from")
	cmd.Flags().StringVar(&to, "to", "", "the stack that is to run it")
	cmd.Flags().BoolVar(&unhealthy, "even-unhealthy", false, "also a release that is not good where it comes from")
	cmd.MarkFlagRequired("from")
	cmd.MarkFlagRequired("to")
	return cmd
}

func argument(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

func (t *tool) promote(ctx context.Context, from, id string, unhealthy bool) error {
	if err := t.known(); err != nil {
		return err
	}
	source := t.of(from)
	h, err := t.sourceHistory(ctx, source)
	if err != nil {
		return err
	}
	r, d, err := promotable(h, id)
	if err != nil {
		return err
	}
	if wrong := unfit(h, r, d); wrong != "" {
		if !unhealthy {
			return fmt.Errorf("release %s is not promoted: %s\nnothing was done. Next: mend it there; or promote another one (slipway releases --stack %s); or, knowing what you do, --even-unhealthy",
				r.ID, wrong, from)
		}
		t.say("Promoting release %s although %s", r.ID, wrong)
	}
	t.comes = &coming{release: r, from: from, images: imagesIn(h, r)}
	if t.comes.images == (release.Images{}) {
		return fmt.Errorf("release %s never came so far in stack %s that its images were there; promote it from stack %s, which built it", r.ID, from, r.Stack)
	}
	if c, err := source.configure(); err == nil {
		t.comes.profile = c.profile
	}
	to, err := t.history(ctx)
	if err != nil {
		return err
	}
	t.comes.running, _ = to.Running()
	t.overrides = append(t.overrides, t.comes.settings()...)
	t.say("Promoting release %s from stack %s to stack %s.", r.ID, from, t.stack)
	return t.bring(ctx, "promote")
}

// promotable is the release that is asked for, or that was deployed last, with its newest deployment.
func promotable(h release.History, id string) (r release.Release, d release.Deployment, err error) {
	last, any := h.Last()
	switch {
	case !any:
		return r, d, fmt.Errorf("stack %[1]s was never deployed; begin with: slipway up --stack %[1]s", h.Stack)
	case id != "":
		if r, err = h.Find(id); err != nil {
			return r, d, err
		}
		d, _ = h.Of(r.ID)
		return r, d, nil
	case last.Operation == "destroy" && !last.Good():
		return r, d, fmt.Errorf("stack %[1]s was to be destroyed on %[2]s, and that did not end well; name a release (slipway releases --stack %[1]s), or bring it up again: slipway up --stack %[1]s", h.Stack, moment(last.When))
	case last.Operation == "destroy":
		return r, d, fmt.Errorf("stack %[1]s was destroyed on %[2]s, so nothing runs there; name a release (slipway releases --stack %[1]s)", h.Stack, moment(last.When))
	case last.Release == "" && last.Verdict == nil:
		return r, d, fmt.Errorf("the last deployment of stack %[1]s never ended (%[2]s by %[3]s, on %[4]s); finish it with: slipway up --stack %[1]s", h.Stack, last.Operation, last.Who, moment(last.When))
	case last.Release == "":
		return r, d, fmt.Errorf("the last deployment of stack %[1]s failed before it had images: %[2]s\nmend it there, or name a release (slipway releases --stack %[1]s)", h.Stack, strings.Join(last.Verdict.Reasons, "; "))
	}
	r, err = h.Find(last.Release)
	return r, last, err
}

// unfit says why a release is not fit to go on from a stack; "": it is.
func unfit(h release.History, r release.Release, d release.Deployment) string {
	switch {
	case d.ID == "":
		return fmt.Sprintf("it was never deployed in stack %s.", h.Stack)
	case d.Verdict == nil:
		return fmt.Sprintf("its deployment in stack %s never ended (%s by %s, on %s).", h.Stack, d.Operation, d.Who, moment(d.When))
	case !d.Verdict.Good:
		return fmt.Sprintf("it is not good in stack %s: %s.", h.Stack, cmp.Or(strings.Join(d.Verdict.Reasons, "; "), "the verdict gives no reason"))
	}
	return ""
}

// imagesIn says where the images of a release are in the stack of a history; zero: nowhere.
func imagesIn(h release.History, r release.Release) release.Images {
	for _, d := range slices.Backward(h.Deployments) {
		if d.Release == r.ID && d.Images != nil {
			return *d.Images
		}
	}
	if r.Stack == h.Stack {
		return r.Images
	}
	return release.Images{}
}

func (t *tool) rollbackCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "rollback [RELEASE]",
		Short: "Run an earlier release again",
		Long: `Rollback runs the digests of an earlier release of the stack again: without RELEASE the newest that was good and has
other images than those that run. Nothing is built. It shows what would change before it begins.

The database is not taken back: migrations that the earlier release does not know are named, and stay.`,
		Example: `  slipway rollback --stack prod
  slipway rollback --stack prod 20261122-190817-3f2a9c1`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return t.rollback(cmd.Context(), argument(args)) },
	}
}

func (t *tool) rollback(ctx context.Context, id string) error {
	if id == "" {
		h, err := t.history(ctx)
		if err != nil {
			return err
		}
		previous, ok := h.Previous()
		if !ok {
			return fmt.Errorf("stack %s has no earlier release that was good and has other images: there is nothing to go back to", t.stack)
		}
		id = previous.ID
	}
	h, err := t.again(ctx, id)
	if err != nil {
		return err
	}
	r := t.comes.release
	if d, _ := h.Of(id); !d.Good() {
		t.say("Warning: release %s is not good here itself: %s", id, unfit(h, r, d))
	}
	t.say("Going back to release %s of %s.", id, moment(r.When))
	if stay := t.comes.running.Without(r); len(stay) > 0 {
		t.say("Warning: the database keeps what these migrations did, which release %s does not know: %s.\n"+
			"They are not undone. Its code must suit the database as it is.", id, strings.Join(stay, ", "))
	}
	return t.bring(ctx, "rollback")
}

// suits says whether the release that comes can run as the stack is configured.
func (t *tool) suits(c *configuration) error {
	if t.comes == nil {
		return nil
	}
	if r := t.comes.release; r.Processor != "" && r.Processor != c.stack.Web.Architecture {
		return fmt.Errorf("release %s was built for %s, and stack %s runs on %s: web.architecture must be the same in both stacks; nothing was done",
			r.ID, r.Processor, t.stack, c.stack.Web.Architecture)
	}
	return nil
}

// bring deploys the release that comes, after it has shown what that changes.
func (t *tool) bring(ctx context.Context, operation string) (err error) {
	c, err := t.configure()
	if err == nil {
		err = t.suits(c)
	}
	if err != nil {
		return err
	}
	s, err := t.open(ctx, c, stackDir(c.root, t.stack), operation, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	would, err := s.stack.Preview(ctx, s.hold)
	if err != nil {
		return err
	}
	// It would draw over what follows, and over the question.
	s.progress.close()
	if t.comes.running.ID != "" { // of a stack that is new, everything
		t.tellChanges(t.stderr, would.Changes)
	}
	t.say("This %s of stack %s makes: %s.", operation, t.stack, counted(would))
	if s.live != nil {
		if err := t.agree(operation, s.live); err != nil {
			return err
		}
	}
	s.tell(t.stderr)
	return t.deploy(ctx, c, s, operation)
}

func (t *tool) releasesCommand() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "releases",
		Short: "List what was deployed, by whom, and how it went",
		Long: `Releases lists the deployments of the stack, newest first: which release, when, by whom, and the verdict. A deployment
that never ended is under way, or was killed. With --json it is the whole ledger, oldest first.`,
		Example: `  slipway releases --stack prod
  slipway releases --json | jq -r '.releases[-1].images.django'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return t.releases(cmd.Context(), all) },
	}
	cmd.Flags().BoolVar(&all, "all", false, "also those that are old, or changed nothing")
	return cmd
}

// listed is how many deployments are listed unless all are asked for.
const listed = 20

func (t *tool) releases(ctx context.Context, all bool) error {
	h, err := t.history(ctx)
	if err != nil {
		return err
	}
	for _, d := range h.Damaged {
		t.say("Damaged, and left out: %s: %s", d.Key, d.Why)
	}
	running, runs := h.Running()
	err = t.print(struct {
		release.History
		Running string `json:"running,omitempty"`
	}{h, running.ID}, func() { t.printReleases(h, all) })
	switch {
	case err != nil:
	case len(h.Deployments) == 0:
		t.say("Stack %s was never deployed; begin with: slipway up%s", t.stack, t.stackFlag())
	case runs:
		d, _ := h.Of(running.ID)
		t.say("Release %s was deployed last: %s.", running.ID, outcome(d))
	default:
		t.say("No release runs in stack %s.", t.stack)
	}
	return err
}

func (t *tool) printReleases(h release.History, all bool) {
	table := tabwriter.NewWriter(t.stdout, 0, 0, 2, ' ', 0)
	rows := 0
	for i, d := range slices.Backward(h.Deployments) {
		if !all && (rows == listed || i > 0 && d.Good() && d.Changes == 0 && d.Operation != "destroy" && h.Deployments[i-1].Release == d.Release) {
			continue
		}
		if rows++; rows == 1 {
			fmt.Fprintln(table, "RELEASE\tDEPLOYED\tBY\tCOMMIT\tMIGRATIONS\tWHO\tVERDICT")
		}
		operation := d.Operation
		if d.From != "" {
			operation += " from " + d.From
		}
		commit, adds := "-", "-"
		if r, err := h.Find(d.Release); err == nil {
			if len(r.Commit) > 10 {
				commit = r.Commit[:10]
			}
			if r.Dirty {
				commit += " (changed)"
			}
			before := func(earlier release.Deployment) bool { return earlier.Release == r.ID }
			if r.Stack == h.Stack && len(r.Adds) > 0 && !slices.ContainsFunc(h.Deployments[:i], before) {
				adds = fmt.Sprintf("%d new", len(r.Adds))
			}
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", cmp.Or(d.Release, "-"), moment(d.When), operation, commit, adds, d.Who, outcome(d))
	}
	table.Flush()
}

// outcome is a deployment's verdict in a few words.
func outcome(d release.Deployment) string {
	switch {
	case d.Verdict == nil:
		return "never ended"
	case d.Verdict.Good:
		return "good"
	case len(d.Verdict.Reasons) == 0:
		return "not good"
	}
	return "not good: " + short(strings.Join(d.Verdict.Reasons, "; "))
}

func moment(at time.Time) string { return at.UTC().Format("2006-01-02 15:04:05 UTC") }

func ledgerOf(ctx context.Context, s *engine.Stack) (*release.Ledger, error) {
	bucket, err := s.Bucket(ctx)
	if err != nil {
		return nil, err
	}
	return &release.Ledger{Bucket: bucket, Project: s.ProjectName(), Stack: s.Stack}, nil
}
