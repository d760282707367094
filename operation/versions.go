package operation

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"slipway/internal/version"
)

// compared are the operations that an older slipway may not do on what a newer one deployed, unless the stack's file says so: they
// change the stack, or show what would be changed.
var compared = []string{"up", "preview", "promote", "rollback", "destroy"}

// suitsVersion compares this slipway with the one that the stack was set up with, and with the one that deployed it last. An older
// slipway would delete what only a newer one makes, so it does not start by accident. Going back is a decision, and the stack's file
// is where it is written down and reviewed.
func (s *session) suitsVersion(ctx context.Context, operation string) error {
	t := s.target
	if s.config.older != "" {
		t.Progress.Logf("Stack %s was set up with slipway %s, and this is %s. What changed: %s\nOnce the plan is what you expect, write "+
			"version: %[3]s in %[5]s.", t.Stack, s.config.older, version.Number, version.Release(version.Number), s.config.file)
	}
	if version.Number == "" || !slices.Contains(compared, operation) {
		return nil
	}
	last, err := s.deployedBy(ctx)
	if err != nil || !version.Newer(last) {
		return err
	}
	if s.config.stack.Version == version.Number {
		t.Progress.Logf("Stack %s was last deployed by slipway %s, and goes back to %s, as its file says: what only the newer one makes is "+
			"deleted.", t.Stack, last, version.Number)
		return nil
	}
	return fmt.Errorf("stack %s was last deployed by slipway %s, and this is %s, which would delete what only the newer one makes; nothing "+
		"was changed\nNext: get %[2]s from %[4]s\nTo go back to %[3]s, write version: %[3]s in %[5]s, and read the plan.",
		t.Stack, last, version.Number, version.Release(last), s.config.file)
}

// deployedBy is the version that last changed the stack; "" if there is none, or it was built from a clone.
func (s *session) deployedBy(ctx context.Context) (string, error) {
	ledger, err := ledgerOf(ctx, s.stack)
	if err != nil {
		return "", err
	}
	h, err := ledger.Read(ctx)
	last, _ := h.Last()
	if last.Operation == "destroy" && last.Good() {
		last.Slipway = ""
	}
	return last.Slipway, errors.Join(err, ledger.Close())
}

// sinceVersion adds to the mistakes of a stack that an older slipway set up where its changes are.
func sinceVersion(older string, err error) error {
	var usage UsageError
	if older == "" || errors.As(err, &usage) {
		return err
	}
	return fmt.Errorf("%w\nThe stack was set up with slipway %s, and this is %s. What changed: %s", err, older, version.Number,
		version.Release(version.Number))
}
