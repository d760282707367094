package operation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"slices"
	"strings"
	"sync"
	"time"

	"slipway/engine"
	"slipway/internal/version"
	"slipway/release"
	"slipway/verdict"
)

// who is the person or the workflow run that deploys.
func who() string {
	if run := engine.GitHubRunOf(os.Getenv); run != nil {
		return fmt.Sprintf("%s, %s/%s/actions/runs/%s", run.Actor, cmp.Or(os.Getenv("GITHUB_SERVER_URL"), "https://github.com"),
			run.Repository, run.ID)
	}
	name, host := "unknown", "an unknown host"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if h, err := os.Hostname(); err == nil {
		host = h
	}
	return name + "@" + host
}

// A keeper writes one deployment into the ledger: its beginning, once the engine has locked the stack, and its end.
type keeper struct {
	session    *session
	ledger     *release.Ledger
	before     release.History
	source     release.Source
	deployment release.Deployment
}

// newKeeper reads the ledger. Damaged entries are reported and ignored.
func newKeeper(ctx context.Context, s *session, operation string) (*keeper, error) {
	t, p := s.target, s.pinned
	ledger, err := ledgerOf(ctx, s.stack)
	if err != nil {
		return nil, err
	}
	k := &keeper{session: s, ledger: ledger, deployment: release.Deployment{Operation: operation, Who: who(), Slipway: version.Number,
		Settings: overridden(t)}}
	if k.before, err = ledger.Read(ctx); err != nil {
		return nil, errors.Join(err, ledger.Close())
	}
	for _, d := range k.before.Damaged {
		t.Progress.Logf("The ledger is damaged: %s: %s", d.Key, d.Why)
	}
	if operation == "up" { // the others have said so before they asked
		sayDropped(t, k.before, operation)
	}
	if p != nil {
		k.deployment.Release, k.deployment.From = p.release.ID, p.from
		return k, nil
	}
	if last, _ := k.before.Last(); last.Release != "" && slices.Contains([]string{"promote", "rollback"}, last.Operation) {
		t.Progress.Logf(
			"Stack %s was given release %s by a %s. This up builds what is in the folder instead; to keep the release: slipway up%s --release %[2]s",
			t.Stack, last.Release, last.Operation, t.Flags())
	}
	if k.source, err = release.ReadSource(ctx, s.config.root, s.contexts...); err != nil {
		return nil, errors.Join(err, ledger.Close())
	}
	if k.source.Dirty {
		t.Progress.Logf("This is not exactly commit %.7s: %s.", k.source.Commit, k.source.Differs)
	}
	running, _ := k.before.Running()
	warnOfMigrations(t, running.Without(release.Release{Migrations: k.source.Migrations}), "this build")
	return k, nil
}

func (k *keeper) close() error { return k.ledger.Close() }

// begin records that the deployment begins.
func (k *keeper) begin(ctx context.Context) error {
	if p := k.session.pinned; p != nil {
		if err := k.ledger.Keep(ctx, p.release); err != nil {
			return err
		}
	}
	var err error
	k.deployment, err = k.ledger.Begin(ctx, k.deployment)
	return err
}

// keepPatience is how long writing the end of a deployment may take, also after an interrupt.
const keepPatience = 30 * time.Second

// end records how the deployment ended, and returns its release: a new one, if it was built and anything changed. A
// deployment that never began, because another run had locked the stack, is not recorded.
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
		if images, known := k.session.program.Images(); known {
			d.Images = &images
		}
	}
	var of *release.Release
	switch {
	case k.session.pinned != nil:
		of = &k.session.pinned.release
	case d.Images != nil:
		running, runs := k.before.Running()
		if of = &running; !runs || wrong != nil || result.Changed() > 0 || d.Images.Digests() != running.Images.Digests() {
			made := release.NewRelease(k.ledger.Stack, d.Who, k.before.Next(time.Now()), *d.Images, k.source)
			made.Adds, made.Processor = made.Without(running), k.session.config.stack.Web.Architecture
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

// overridden are the keys that --config sets for this run. Their values may be secret.
func overridden(t Target) []string {
	var keys []string
	for _, words := range t.Overrides {
		key, _, _ := strings.Cut(words, "=")
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// sayDropped says which settings the last deployment had from --config and this one does not have. They were for that run alone,
// and their resources go back to what the stack's file says.
func sayDropped(t Target, h release.History, operation string) {
	last, ok := h.Last()
	if !ok || last.Operation == "destroy" {
		return
	}
	now := overridden(t)
	dropped := slices.DeleteFunc(slices.Clone(last.Settings), func(key string) bool { return slices.Contains(now, key) })
	if len(dropped) == 0 {
		return
	}
	t.Progress.Logf("The last %s set %s with --config, this %s does not: what Pulumi.%s.yaml says applies again. "+
		"To keep them, put them into that file, or give each again with --config.",
		last.Operation, strings.Join(dropped, ", "), operation, t.Stack)
}

// newDestroyKeeper records that a stack is destroyed: the beginning with the engine's first event, which shows that it has
// locked the stack, and the end when the returned function is called.
func newDestroyKeeper(ctx context.Context, s *session) (func(engine.Result, error) error, error) {
	ledger, err := ledgerOf(ctx, s.stack)
	if err != nil {
		return nil, err
	}
	k := &keeper{session: s, ledger: ledger, deployment: release.Deployment{Operation: "destroy", Who: who(),
		Slipway: version.Number}}
	var once sync.Once
	var unkept error
	onEvent := s.stack.OnEvent
	s.stack.OnEvent = func(e engine.Event) {
		once.Do(func() { unkept = k.begin(ctx) })
		onEvent(e)
	}
	return func(result engine.Result, wrong error) error {
		_, err := k.end(ctx, result, verdict.Verdict{Good: wrong == nil, Services: []verdict.ServiceStatus{}}, wrong)
		return errors.Join(unkept, err, k.close())
	}, nil
}

// reasons list what went wrong, one per line.
func reasons(err error, interrupted bool) []string {
	if interrupted {
		return []string{"it was interrupted"}
	}
	line := func(text string) string {
		first, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
		return first
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
