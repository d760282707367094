package operation

import (
	"context"
	"errors"
	"time"

	"slipway/drift"
)

// DriftArgs say what a drift check refuses.
type DriftArgs struct {
	// Unlocked refuses a live stack that another run is changing before or after the check: what it finds may be half of a
	// deployment.
	Unlocked bool
}

// Drift returns the resources that differ from the result of the last operation. It changes nothing, except that it records
// the check.
func Drift(ctx context.Context, t Target, args DriftArgs) (found []drift.Resource, err error) {
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
	steps, err := s.stack.Reread(ctx, s.account.Lock())
	if err != nil {
		return nil, missing(t, err)
	}
	if err := free(); err != nil {
		return nil, err
	}
	found = drift.Of(facts(), steps)
	if err := s.keepCheck(ctx, drift.NewCheck(time.Now(), found)); err != nil {
		t.Progress.Logf("The result is not kept for slipway stacks: %v", err)
	}
	return found, nil
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
