package operation

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"slipway/engine"
	"slipway/operation/account"
	"slipway/operation/account/awsaccount"
	"slipway/operation/account/modelaccount"
	"slipway/verdict"
)

// An observed stack is one that is looked at: its state, its ledger, its locks and what runs. Looking takes no lock and starts no engine, so it
// works while another run deploys, and changes nothing.
type observed struct {
	target   Target
	config   *configuration
	stack    *engine.Stack
	state    engine.Checkpoint
	layout   *layout
	observer account.Observer
	services verdict.ECSReader
	identity account.Identity
	notes    []string // what cannot be seen
	looked   bool     // a status was made of it
}

// observe looks at a stack that is deployed.
func observe(ctx context.Context, t Target) (*observed, error) {
	c, err := configure(t)
	if err != nil {
		return nil, err
	}
	o := &observed{target: t, config: c}
	options := engine.Options{Dir: t.dir(), Stack: t.Stack, Project: c.project, Config: c.engine}
	if t.Live {
		args := awsArgs(t, c)
		if options.Backend = args.State; options.Backend == nil {
			return nil, notBootstrapped(t)
		}
		a, err := awsaccount.Open(ctx, args)
		if err != nil {
			return nil, err
		}
		o.observer, o.services, o.identity = a.Observe(), a.ECS(), a.Identity()
		if err := a.Engine(&options); err != nil { // who can say whether a run in CI still lives
			return nil, err
		}
	} else {
		glance, err := modelaccount.Look(ctx, t.Stack, t.dir(), c.stack.Domain)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, missing(t, engine.ErrNoStack)
		}
		if err != nil {
			return nil, err
		}
		o.observer, o.services = glance.Observer, glance.ECS
		if glance.Note != "" {
			o.notes = append(o.notes, glance.Note)
		}
	}
	if o.stack, err = engine.Open(options); err != nil {
		return nil, err
	}
	return o, o.read(ctx)
}

// read reads the state. What deploys while it is looked at changes it.
func (o *observed) read(ctx context.Context) error {
	state, err := o.stack.Checkpoint(ctx)
	if err != nil {
		return err
	}
	o.state = state
	o.layout = layoutOf(o.stack.ProjectName(), o.stack.Stack, state.Resources)
	if len(o.layout.parts) == 0 && !state.Deployed() {
		return fmt.Errorf("stack %s is not deployed: it was destroyed, or its first up did not end; begin with: slipway up%s", o.target.Stack,
			o.target.Flags())
	}
	return nil
}
