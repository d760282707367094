package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"slipway/cmd/slipway/commandline"
	"slipway/engine"
	"slipway/operation"
)

// unlockFlags are the flags of unlock.
type unlockFlags struct {
	force   bool
	restore bool
	confirm string
	made    []string
	notMade bool
}

func unlockCommand(run *invocation) *cobra.Command {
	var f unlockFlags
	cmd := &cobra.Command{
		Use:   "unlock",
		Short: "Show who has locked a stack, and free it from a run that has ended",
		Long: `Unlock shows who has locked the stack, since when, and whether that run is still alive: it looks for a process on this
host, and asks GitHub about a workflow run if GITHUB_TOKEN is set. It removes the lock of a run that has ended, and completes
what the run left undone: every resource is refreshed. Creates with an unknown outcome stay listed until you resolve them,
with --made or --not-made.

The lock of a run that is alive, or may be, is not removed. With --force it is, when the stack's name is typed or given with
--confirm: two concurrent runs corrupt the state.

With --restore-state it replaces a damaged state with its newest readable version. It says which version that is, and asks
for the stack's name too. Resources that were created after that version are not in it: they still exist, and you have to
import or delete them by hand.

In the rehearsal the lock is the kernel's and ends with its process: there is nothing to break, only to repair.`,
		Example: `  slipway unlock --stack prod --live
  slipway unlock --stack prod --live --force
  slipway unlock --stack prod --live --restore-state
  slipway unlock --stack prod --live --made web-logs=/slipway/prod/web --not-made`,
		Args: commandline.None,
		RunE: func(cmd *cobra.Command, _ []string) error { return unlock(cmd.Context(), run, f) },
	}
	cmd.Flags().BoolVar(&f.force, "force", false, "with --live: remove the lock of a run that is alive, or may be")
	cmd.Flags().StringVar(&f.confirm, "confirm", "", "with --force or --restore-state: the `name` of the stack, instead of typing it")
	cmd.Flags().BoolVar(&f.restore, "restore-state", false, "with --live: replace a damaged state with its newest readable version")
	cmd.Flags().StringArrayVar(&f.made, "made", nil, "what a create with unknown outcome has made, as `name=ID`")
	cmd.Flags().BoolVar(&f.notMade, "not-made", false, "no other create with unknown outcome has made anything")
	return cmd
}

func unlock(ctx context.Context, run *invocation, f unlockFlags) error {
	resolution, err := f.resolution()
	if err != nil {
		return err
	}
	if f.confirm != "" && f.confirm != run.stack {
		return operation.UsageError{Err: fmt.Errorf("--confirm names %s, and the stack is %s", f.confirm, run.stack)}
	}
	if f.restore && !run.live {
		return operation.UsageError{Err: errors.New("--restore-state: only with --live; a rehearsal keeps no versions of its state")}
	}
	target, err := run.target()
	if err != nil {
		return err
	}
	args := operation.UnlockArgs{Force: f.force, Resolution: resolution, Confirm: func() error { return run.confirmBreak(f.confirm) }}
	if f.restore {
		args.Restore = func(operation.StateVersion) error { return run.confirmRestore(f.confirm) }
	}
	report, err := operation.Unlock(ctx, target, args)
	if report == nil {
		return err
	}
	switch {
	case err != nil:
	case report.Restored != nil:
		run.out.say("Import or delete each existing resource that this plans to create. Next:\n  slipway preview%s", run.flags())
	case len(report.Locks) == 0 && report.Killed == nil:
		run.out.say("Stack %s is not locked.", run.stack)
	default:
		run.out.say("Stack %s is free, and its state matches the account.", run.stack)
	}
	return errors.Join(run.out.print(report, func() {}), err)
}

// confirmBreak asks for the stack's name before the lock of a run is broken that is alive, or may be.
func (i *invocation) confirmBreak(confirm string) error {
	if confirm == i.stack {
		return nil
	}
	i.out.warn("Two concurrent runs corrupt the state. Be sure that this run has ended.")
	name, err := i.ask("The name of the stack, to break its lock: ")
	if err != nil {
		return fmt.Errorf("%w; --force needs --confirm %s too", err, i.stack)
	}
	if name != i.stack {
		return errors.New("that is not its name; nothing was done")
	}
	return nil
}

// confirmRestore asks for the stack's name before a damaged state is replaced.
func (i *invocation) confirmRestore(confirm string) error {
	if confirm == i.stack {
		return nil
	}
	name, err := i.ask("Type the name of the stack to restore this version: ")
	if err != nil {
		return fmt.Errorf("%w; --restore-state needs --confirm %s too", err, i.stack)
	}
	if name != i.stack {
		return errors.New("that is not its name; nothing was done")
	}
	return nil
}

// resolution is what the flags say about pending creates, nil if they say nothing.
func (f unlockFlags) resolution() (*engine.Resolution, error) {
	if len(f.made) == 0 && !f.notMade {
		return nil, nil
	}
	resolution := &engine.Resolution{Made: map[string]string{}, NotMade: f.notMade}
	for _, words := range f.made {
		name, id, ok := strings.Cut(words, "=")
		if !ok || name == "" || id == "" {
			return nil, operation.UsageError{Err: fmt.Errorf("--made: expected name=ID, got %q", words)}
		}
		resolution.Made[name] = id
	}
	return resolution, nil
}
