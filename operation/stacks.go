package operation

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"slipway/config"
	"slipway/drift"
	"slipway/engine"
	"slipway/operation/account/awsaccount"
	"slipway/release"
)

// An Environment is a stack in the list of them.
type Environment struct {
	Stack     string              `json:"stack"`
	Place     string              `json:"place"` // "rehearsal" or "live"
	Account   string              `json:"account,omitempty"`
	Region    string              `json:"region,omitempty"`
	Protected bool                `json:"protected"`
	Up        bool                `json:"up"` // it was deployed, and is not destroyed
	Release   *release.Release    `json:"release,omitempty"`
	Last      *release.Deployment `json:"last,omitempty"` // the newest deployment, of this release or another
	Drift     *drift.Check        `json:"drift,omitempty"`
	Problem   string              `json:"problem,omitempty"` // why the rest is unknown

	NotBootstrapped bool `json:"notBootstrapped,omitempty"` // the account has no place for its state yet
}

// StackNames lists the stacks of a project: each has a Pulumi.<stack>.yaml.
func StackNames(root string) ([]string, error) {
	pattern, err := config.StackFile(root, "*")
	if err != nil {
		return nil, err
	}
	files, err := filepath.Glob(pattern)
	var names []string
	for _, file := range files {
		names = append(names, strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), "Pulumi."), ".yaml"))
	}
	return names, err
}

// Stacks reports on every stack of the project.
func Stacks(ctx context.Context, t Target) ([]Environment, error) {
	names, err := StackNames(t.Root)
	if err != nil {
		return nil, err
	}
	all := []Environment{}
	for _, name := range names {
		e := Environment{Stack: name, Place: "rehearsal"}
		if t.Live {
			e.Place = "live"
		}
		one := t
		one.Stack = name
		if err := e.look(ctx, one); err != nil {
			if ctx.Err() != nil {
				return nil, err
			}
			e.Problem = err.Error()
		}
		all = append(all, e)
	}
	return all, nil
}

// look fills in what is known of the stack. It changes and creates nothing, and starts no engine.
func (e *Environment) look(ctx context.Context, t Target) error {
	c, err := configure(t)
	if err != nil {
		return err
	}
	e.Region, e.Protected = c.stack.Region, c.stack.Protect
	options := engine.Options{Dir: t.dir(), Stack: t.Stack, Project: c.project, Config: c.engine}
	if t.Live {
		if options.Backend = awsArgs(t, c).State; options.Backend == nil {
			e.NotBootstrapped = true
			return nil
		}
		a, err := awsaccount.Open(ctx, awsArgs(t, c))
		if err != nil {
			return err
		}
		e.Account = a.Identity().Account
	} else {
		if _, err := os.Stat(options.Dir); errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if len(c.accounts) > 0 {
			e.Account = c.accounts[0]
		}
	}
	s, err := engine.Open(options)
	if err != nil {
		return err
	}
	state, err := s.Checkpoint(ctx)
	if err != nil {
		return err
	}
	e.Up = state.Deployed()
	ledger, err := ledgerOf(ctx, s)
	if err != nil {
		return err
	}
	defer ledger.Close()
	history, err := ledger.Read(ctx)
	if err != nil {
		return err
	}
	if running, ok := history.Running(); ok && e.Up {
		e.Release = &running
	}
	if last, ok := history.Last(); ok {
		e.Last = &last
	}
	e.Drift, err = drift.LastCheck(ctx, ledger.Bucket, s.ProjectName(), s.Stack)
	return err
}
