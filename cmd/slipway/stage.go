package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"sync/atomic"

	"slipway/ecs"
	"slipway/engine"
	"slipway/rehearsal"
	"slipway/rehearsal/cloud"
	live "slipway/rehearsal/run"
	"slipway/release"
	"slipway/site"
)

// A stage is all that one operation needs: the engine, and behind it either the model of AWS with its providers and the
// right to change the stack, or a real account, where the engine's own lock is that right.
type stage struct {
	stack    *engine.Stack
	progress *progress
	first    func() error                   // what is done when the engine has the stack, before anything else; may be nil
	images   atomic.Pointer[release.Images] // that are to run, as soon as it is known

	live *place // nil in a rehearsal; all that follows is nil where this is not

	hold   *engine.Lock
	model  *rehearsal.Rehearsal
	run    *live.Run // nil unless the stack is run
	runDir string
}

// Tests look into a run, and break it, through these.
var (
	onModel = func(*cloud.Account) {}  // before the model is used
	onDone  = func(rehearsal.Event) {} // after a provider did something, before the engine hears of it
)

// stackDir is where a stack keeps everything.
func stackDir(root, stack string) string { return filepath.Join(root, ".slipway", stack) }

// modelFile is where a stack's folder keeps its model of AWS.
func modelFile(dir string) string { return filepath.Join(dir, "model.json") }

// open sets the stage in dir. A throwaway stage is fast, and a killed run of it cannot be gone on with.
func (t *tool) open(ctx context.Context, c *configuration, dir, operation string, throwaway bool) (_ *stage, err error) {
	if t.live {
		return t.openLive(ctx, c, operation)
	}
	if err := c.overlay(dir); err != nil {
		return nil, err
	}
	cli, err := engine.FindCLI(ctx, t.say)
	if err != nil {
		return nil, err
	}
	t.interrupts.engine(cli)
	hold, err := engine.Acquire(dir, t.stack, operation)
	if err != nil {
		return nil, err
	}
	s := &stage{hold: hold}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()

	options := rehearsal.Options{Region: c.stack.Region, Root: c.root, Progress: func(e rehearsal.Event) { onDone(e) }}
	if c.stack.Zone != "" { // a registered domain has its zone before any program runs
		options.Zones = []cloud.HostedZone{{Name: c.stack.Zone}}
	}
	if len(c.accounts) > 0 {
		options.AccountID = c.accounts[0]
	}
	if s.model, err = rehearsal.Open(modelFile(dir), options); err != nil {
		return nil, err
	}
	onModel(s.model.Account)
	s.progress = newProgress(t.stderr)
	if err := t.running(ctx, c, s, runDir(c, dir, operation, t.stack), operation); err != nil {
		return nil, err
	}
	// The providers must outlive the interrupt: an engine that is stopping still has calls under way.
	env, err := s.model.Serve(context.WithoutCancel(ctx))
	if err != nil {
		return nil, err
	}
	s.stack, err = engine.Open(engine.Options{
		CLI: cli, Dir: dir, Stack: t.stack, Project: c.project, Config: c.engine, Env: env,
		Program:   t.program(c, s, site.Options{Runner: runner{s.model.Account}, Carry: t.carrier(c, s)}),
		Inventory: account{s.model.Account},
		Throwaway: throwaway,
		OnEvent:   s.progress.told, Logf: s.progress.logf,
	})
	return s, err
}

// tell goes on telling what the engine does, after the progress was closed.
func (s *stage) tell(out io.Writer) {
	s.progress = newProgress(out)
	s.stack.OnEvent, s.stack.Logf = s.progress.told, s.progress.logf
}

func (s *stage) close() error {
	err := s.rest()
	if s.run != nil {
		err = errors.Join(err, s.run.Close())
	}
	return err
}

// rest closes everything but the running side.
func (s *stage) rest() error {
	var errs []error
	if s.progress != nil {
		s.progress.close()
	}
	if s.model != nil {
		errs = append(errs, s.model.Close())
	}
	if s.hold != nil {
		errs = append(errs, s.hold.Unlock())
	}
	s.model, s.hold = nil, nil
	return errors.Join(errs...)
}

// A runner runs the migration in the model.
type runner struct{ account *cloud.Account }

func (r runner) RunTask(_ context.Context, run ecs.TaskRun) (ecs.TaskResult, error) {
	result, err := r.account.RunTask(cloud.TaskRun{
		Cluster: run.Cluster, TaskDefinition: run.TaskDefinition, Subnets: run.Subnets, SecurityGroups: run.SecurityGroups,
		Container: run.Container, StartedBy: run.StartedBy,
	})
	return ecs.TaskResult{TaskARN: result.ARN, ExitCode: result.ExitCode, StoppedReason: result.Reason, Logs: result.Logs}, err
}

// An account is the model as the repair of a killed run sees it.
type account struct{ *cloud.Account }

func (a account) Keeps(kind string) bool { return slices.Contains(cloud.Types(), kind) }

func (a account) Objects() []engine.Object {
	var all []engine.Object
	for _, o := range a.Made() {
		all = append(all, engine.Object{URN: o.URN, Type: o.Type, ID: o.ID})
	}
	return all
}

func (a account) Delete(_ context.Context, o engine.Object) error {
	gone, err := a.Account.Remove(o.Type, o.ID)
	if err == nil && !gone {
		err = fmt.Errorf("%s %s is not in the model", o.Type, o.ID)
	}
	return err
}
