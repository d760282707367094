package modelaccount

import (
	"context"
	"errors"
	"path/filepath"
	"slices"

	"slipway/internal/redact"
	"slipway/rehearsal/cloud"
	live "slipway/rehearsal/containers"
)

// RunArgs say how a stack runs as containers.
type RunArgs struct {
	Run      bool   // also a stack that does not run yet
	Postgres string // the image of the database; "": the official one
	Valkey   string // the image of the cache; "": the official one
	Pace     int    // divides the periods of alarms; 0: as the stack has it
	Domain   string
	Helper   func(platform string) (path string, err error) // see live.Options
}

// Running reports whether the stack in a folder runs as containers. One whose first up --run failed does not.
func Running(dir string) bool { return live.Deploys(live.Dir(dir)) }

// containers are the containers of a stack, and the model that they were started from.
type containers struct {
	*live.Run
	dir, model string
	options    live.Options
}

// openContainers opens the containers of a stack that runs, or should run; nil for any other stack.
func openContainers(ctx context.Context, model *cloud.Account, args Args) (*containers, error) {
	dir := live.Dir(args.Dir)
	rehearsed := args.Operation == "rehearse"
	if rehearsed { // not in the folder of the rehearsal, which a kill would hide from the next one
		dir = filepath.Join(args.Root, ".slipway", "rehearsed", args.Stack, "run")
	}
	options := live.Options{Stack: args.Stack, Domain: args.Run.Domain, Postgres: args.Run.Postgres, Valkey: args.Run.Valkey,
		AlarmPace: args.Run.Pace, Helper: args.Run.Helper,
		Say: func(words string) { args.Logf("%s", redact.Text(words)) }} // which may be an application's
	if args.Operation == "preview" || !args.Run.Run && !live.Deploys(dir) && !rehearsed {
		if slices.Contains([]string{"up", "destroy"}, args.Operation) && live.Exists(dir) {
			// A first up --run that was killed left this. Without Docker it stays until the next time.
			if err := live.Remove(ctx, dir, options); err != nil {
				args.Logf("The containers of an up --run that did not succeed are still there: %v", err)
			}
		}
		return nil, nil
	}
	if rehearsed && !args.Run.Run && !live.Exists(dir) {
		return nil, nil
	}
	if rehearsed { // one that was killed may have left its containers
		if err := live.Remove(ctx, dir, options); err != nil || !args.Run.Run {
			return nil, err
		}
	}
	run, err := live.Open(ctx, dir, model, options)
	if err != nil {
		return nil, err
	}
	return &containers{Run: run, dir: dir, model: model.Path(), options: options}, nil
}

// Serve implements account.Containers.
func (c *containers) Serve(ctx context.Context) error {
	return c.Run.Serve(ctx, func() (*cloud.Account, error) { return cloud.Open(c.model, cloud.Options{}) })
}

// Remove implements account.Containers.
func (c *containers) Remove(ctx context.Context) error {
	quiet := c.options
	quiet.Say = nil
	return errors.Join(c.Run.Close(), live.Remove(ctx, c.dir, quiet))
}
