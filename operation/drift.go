package operation

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"

	"slipway/drift"
	"slipway/engine"
)

// DriftArgs say what a drift check refuses.
type DriftArgs struct {
	// Unlocked refuses a live stack that another run is changing before or after the check: what it finds may be half of a
	// deployment.
	Unlocked bool
}

// A Drifted is the result of a drift check.
type Drifted struct {
	Found []drift.Resource // that differ from what the last operation left
	// Release is what an up must name to revert the differences alone. "": the stack builds its own images, so it needs none.
	Release string
	// LeftOut names the resources whose differences a pause made, and that are therefore no drift.
	LeftOut []string
	Paused  bool
}

// Drift finds the resources that differ from what the last operation left. It changes nothing, but for the record that a check
// was made.
func Drift(ctx context.Context, t Target, args DriftArgs) (d *Drifted, err error) {
	c, err := configure(t)
	if err != nil {
		return nil, err
	}
	s, err := open(ctx, t, c, openArgs{operation: "preview"})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	free := func() error {
		if !args.Unlocked || !t.Live {
			return nil
		}
		return s.stack.Free(ctx)
	}
	if err := free(); err != nil {
		return nil, err
	}
	state, err := s.stack.Checkpoint(ctx)
	if err == nil && len(state.Managed()) == 0 {
		err = engine.ErrNoStack
	}
	if err != nil {
		return nil, undeployed(t, err)
	}
	paused, err := s.readPaused(ctx)
	if err != nil {
		return nil, err
	}
	steps, err := s.stack.Reread(ctx, s.account.Lock())
	if err != nil {
		return nil, missing(t, err)
	}
	if err := free(); err != nil {
		return nil, err
	}
	last, _ := s.lastCheck(ctx) // one that cannot be read is replaced
	steps, left := paused.without(steps)
	found, taken := differences(last, steps)
	d = &Drifted{Found: found, LeftOut: left, Paused: paused != nil}
	if paused != nil {
		t.Progress.Logf("%s", paused.leaves(t, left))
	}
	check := drift.NewCheck(time.Now(), d.Found)
	check.Taken = taken
	if err := s.keepCheck(ctx, check); err != nil {
		t.Progress.Logf("The result is not kept for slipway stacks: %v", err)
	}
	d.Release, err = s.broughtRelease(ctx)
	return d, err
}

// undeployed explains a check of a stack that has no resources.
func undeployed(t Target, err error) error {
	if errors.Is(err, engine.ErrNoStack) {
		return fmt.Errorf("stack %s is not deployed: it was never deployed here, or it was destroyed; begin with: slipway up%s", t.Stack,
			t.Flags())
	}
	return err
}

// differences are those that a refresh found, with those that an earlier up took into the state: the last check has them.
func differences(last *drift.Check, steps []apitype.StepEventMetadata) (all, taken []drift.Resource) {
	if last != nil {
		steps, taken = drift.Without(last.Taken, steps)
	}
	return drift.Of(facts(), withoutScaling(steps)), taken
}

// withoutScaling takes the number of tasks out of the steps of services that scale: Application Auto Scaling owns it. That of a worker is
// the program's, so another one is drift.
func withoutScaling(steps []apitype.StepEventMetadata) []apitype.StepEventMetadata {
	scales := map[any]bool{}
	for _, step := range steps {
		if step.Type == typeScaling && step.Old != nil {
			scales[step.Old.Outputs["resourceId"]] = true
		}
	}
	all := slices.Clone(steps)
	for i, step := range all {
		if step.Type != typeService || step.Old == nil || step.New == nil {
			continue
		}
		_, name, _ := strings.Cut(step.Old.ID, ":service/") // the ARN: CLUSTER/SERVICE
		if scales["service/"+name] {
			is := *step.New
			is.Outputs = maps.Clone(is.Outputs)
			is.Outputs["desiredCount"] = step.Old.Outputs["desiredCount"]
			all[i].New = &is
		}
	}
	return all
}

// broughtRelease is the release that runs, if it is not the newest that this stack built: a promotion or a rollback brought it,
// and an up without it would build what is in the folder instead.
func (s *session) broughtRelease(ctx context.Context) (id string, err error) {
	ledger, err := ledgerOf(ctx, s.stack)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, ledger.Close()) }()
	h, err := ledger.Read(ctx)
	if err != nil {
		return "", err
	}
	running, runs := h.Running()
	newest := ""
	for _, r := range h.Releases {
		if r.Stack == s.target.Stack {
			newest = r.ID
		}
	}
	if runs && running.ID != newest {
		return running.ID, nil
	}
	return "", nil
}

func (s *session) keepCheck(ctx context.Context, c drift.Check) error {
	bucket, err := s.stack.Bucket(ctx)
	if err != nil {
		return err
	}
	defer bucket.Close()
	return c.Write(ctx, bucket, s.stack.ProjectName(), s.stack.Stack)
}

func (s *session) lastCheck(ctx context.Context) (*drift.Check, error) {
	bucket, err := s.stack.Bucket(ctx)
	if err != nil {
		return nil, err
	}
	defer bucket.Close()
	return drift.LastCheck(ctx, bucket, s.stack.ProjectName(), s.stack.Stack)
}
