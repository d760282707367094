package main

import (
	"context"
	"errors"

	"slipway/operation"
)

// checkProject writes what would keep a project from running.
func checkProject(ctx context.Context, run *invocation, path string) error {
	report, err := operation.Check(ctx, operation.Target{Stack: run.stack, Overrides: run.overrides}, path)
	if report == nil {
		return err
	}
	return errors.Join(run.out.print(report, func() { report.Write(run.out.stdout) }), err)
}
