package operation

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"slipway/engine"
	"slipway/operation/account"
	"slipway/operation/account/modelaccount"
)

// An ExitError is a program of the site that ended with another exit code than 0.
type ExitError struct {
	What   string // "the command", "job clean-up"
	Code   int    // -1: it never started
	Reason string // of ECS; may be empty
}

func (e *ExitError) Error() string {
	text := fmt.Sprintf("%s ended with exit code %d", e.What, e.Code)
	switch {
	case e.Code < 0:
		text = e.What + " did not start"
	case e.Code == 127:
		text += ": the image has no such command"
	case e.Code == 137:
		text += ": it was killed, as ECS does when a task has too little memory"
	}
	if e.Reason != "" {
		text += " (" + e.Reason + ")"
	}
	return text
}

// Exit is the exit code of a command that reports this error, and the error's kind.
func (e *ExitError) Exit() (code int, kind string) {
	if e.Code < 0 {
		return 1, "failed"
	}
	return e.Code, "exit"
}

// ended is nil for exit code 0.
func ended(what string, code int, reason string) error {
	if code == 0 {
		return nil
	}
	return &ExitError{What: what, Code: code, Reason: reason}
}

// An entrance is a stack that runs, with the account where it does. Nothing of it is changed: no engine is started.
type entrance struct {
	target   Target
	account  account.Account
	sessions account.Sessions
	layout   *layout
}

// enter opens a stack in order to get into what runs. what is the command. has checks that what was deployed has what the command names:
// a wrong name is reported before anything is opened that has to run. It may be nil.
func enter(ctx context.Context, t Target, what string, has func(*layout) error) (*entrance, error) {
	c, err := configure(t)
	if err != nil {
		return nil, err
	}
	e := &entrance{target: t}
	options := engine.Options{Dir: t.dir(), Stack: t.Stack, Project: c.project, Config: c.engine}
	if t.Live {
		if options.Backend = awsArgs(t, c).State; options.Backend == nil {
			return nil, notBootstrapped(t)
		}
		if e.account, err = openAccount(ctx, t, c, what); err != nil {
			return nil, err
		}
	} else if _, err := os.Stat(t.dir()); errors.Is(err, fs.ErrNotExist) {
		return nil, missing(t, engine.ErrNoStack)
	}
	if err = e.read(ctx, options); err == nil && has != nil {
		err = has(e.layout)
	}
	if err == nil && !t.Live {
		err = e.openModel(ctx, c, what)
	}
	if err != nil {
		return nil, errors.Join(err, e.close())
	}
	e.sessions = e.account.Sessions()
	return e, nil
}

// openModel opens the model, if the stack also runs.
func (e *entrance) openModel(ctx context.Context, c *configuration, what string) error {
	t := e.target
	if !modelaccount.Running(t.dir()) {
		return fmt.Errorf("%s needs a stack that runs, and stack %s is only modelled; run it in containers first: slipway up%s --run",
			what, t.Stack, t.Flags())
	}
	var err error
	e.account, err = openModel(ctx, t, c, openArgs{operation: what, dir: t.dir()})
	return err
}

func (e *entrance) close() error {
	if e.account == nil {
		return nil
	}
	containers := e.account.Containers()
	err := e.account.Close()
	if containers != nil {
		err = errors.Join(err, containers.Close())
	}
	e.account = nil
	return err
}

// read reads the state.
func (e *entrance) read(ctx context.Context, options engine.Options) error {
	s, err := engine.Open(options)
	if err != nil {
		return err
	}
	state, err := s.Checkpoint(ctx)
	if err != nil {
		return err
	}
	e.layout = layoutOf(s.ProjectName(), s.Stack, state.Resources)
	if len(e.layout.services()) == 0 {
		return fmt.Errorf("stack %s is not deployed: it has no service; begin with: slipway up%s", e.target.Stack, e.target.Flags())
	}
	return nil
}
