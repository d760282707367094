package operation

import (
	"context"
	"errors"
	"fmt"

	"slipway/operation/account"
	"slipway/operation/account/modelaccount"
)

// Job runs a scheduled job of a stack that runs as containers, now.
func Job(ctx context.Context, t Target, name string) (result account.JobResult, err error) {
	c, err := configure(t)
	if err != nil {
		return result, err
	}
	if !modelaccount.Running(t.dir()) {
		return result, fmt.Errorf("stack %s does not run; begin with: slipway up%s --run", t.Stack, t.Flags())
	}
	s, err := open(ctx, t, c, openArgs{operation: "run"})
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	return s.containers.Job(name)
}
