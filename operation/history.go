package operation

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"gocloud.dev/gcerrors"

	"slipway/config"
	"slipway/engine"
	"slipway/operation/account/awsaccount"
	"slipway/operation/account/modelaccount"
	"slipway/release"
)

// Releases reads the ledger of the stack. It creates nothing.
func Releases(ctx context.Context, t Target) (h release.History, err error) {
	defer func() { h.Flags = t.Flags() }()
	if err := t.known(); err != nil {
		return release.History{}, err
	}
	if t.Live {
		c, err := configure(t)
		if err == nil {
			_, err = awsaccount.Open(ctx, awsArgs(t, c))
		}
		if err != nil {
			return release.History{}, err
		}
		return liveLedger(ctx, t, c)
	}
	options, err := stored(t)
	if err != nil {
		return release.History{}, err
	}
	if _, err := os.Stat(options.Dir); errors.Is(err, fs.ErrNotExist) {
		return release.History{Stack: t.Stack, Releases: []release.Release{}, Deployments: []release.Deployment{}}, nil
	}
	return readLedger(ctx, options)
}

// liveLedger reads the ledger of a stack in its own account.
func liveLedger(ctx context.Context, t Target, c *configuration) (release.History, error) {
	state := awsArgs(t, c).State
	if state == nil {
		return release.History{}, notBootstrapped(t)
	}
	return readLedger(ctx, engine.Options{Dir: t.dir(), Stack: t.Stack, Project: c.project, Backend: state})
}

// stored is a rehearsed stack as it is on disk. Its configuration is not checked, because it may have changed since.
func stored(t Target) (engine.Options, error) {
	project, err := os.ReadFile(filepath.Join(t.Root, "Pulumi.yaml"))
	if err != nil {
		return engine.Options{}, err
	}
	if _, err := config.FromProject(t.Root, t.Stack); err != nil {
		return engine.Options{}, Mistakes(t.Stack, err)
	}
	return engine.Options{Dir: t.dir(), Stack: t.Stack, Project: project}, nil
}

// readLedger reads the ledger beside the state of a stack.
func readLedger(ctx context.Context, options engine.Options) (release.History, error) {
	s, err := engine.Open(options)
	if err != nil {
		return release.History{}, err
	}
	ledger, err := ledgerOf(ctx, s)
	if err != nil {
		return release.History{}, err
	}
	h, err := ledger.Read(ctx)
	return h, errors.Join(err, ledger.Close())
}

// ledgerOf opens the ledger beside the state of a stack. The caller closes it.
func ledgerOf(ctx context.Context, s *engine.Stack) (*release.Ledger, error) {
	bucket, err := s.Bucket(ctx)
	if err != nil {
		return nil, err
	}
	return &release.Ledger{Bucket: bucket, Project: s.ProjectName(), Stack: s.Stack}, nil
}

// deployedBy is the version of slipway that last changed the stack; "": it was built from a clone, or there is nothing of it any more.
func deployedBy(ctx context.Context, s *engine.Stack) (string, error) {
	ledger, err := ledgerOf(ctx, s)
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

// sourceReleases reads the ledger of the stack that a release comes from, which may be in another account than the one that
// the release goes to. It uses the credentials of that stack's profile, if it has one, else the caller's.
func sourceReleases(ctx context.Context, source, t Target) (release.History, error) {
	if err := source.known(); err != nil {
		return release.History{}, err
	}
	from, err := configure(source)
	if err != nil {
		return release.History{}, err
	}
	to, err := configure(t)
	if err != nil {
		return release.History{}, err
	}
	if !t.Live {
		if err := mayReadModel(source, t, from, to); err != nil {
			return release.History{}, err
		}
		return Releases(ctx, source)
	}
	here, err := awsaccount.Open(ctx, awsArgs(t, to))
	if err != nil {
		return release.History{}, err
	}
	reader := here.Identity().Account
	foreign := len(from.allowed()) > 0 && !slices.Contains(from.allowed(), reader)
	if from.profile != "" {
		there, err := awsaccount.Caller(ctx, awsArgs(source, from))
		if err == nil && !there.Admitted() {
			err = there.Foreign()
		}
		if err != nil {
			return release.History{}, err
		}
		foreign = false
	}
	h, err := liveLedger(ctx, source, from)
	h.Flags = source.Flags()
	if gcerrors.Code(err) == gcerrors.PermissionDenied && foreign {
		err = fmt.Errorf("%w\n%s", err, crossAccount(t, source.Stack, from.allowed()[0], reader))
	}
	return h, err
}

// mayReadModel answers as AWS would about reading the ledger of a rehearsed stack that was bootstrapped in the model of
// another account. If it was not bootstrapped, its ledger is in no bucket.
func mayReadModel(source, t Target, from, to *configuration) error {
	if err := from.overlay(source.dir()); err != nil {
		return err
	}
	var backend struct {
		Bucket string `yaml:"bucket"`
	}
	if written := valueOf(from.engine.Node, from.stack.Project+":backend"); written != nil {
		if err := written.Decode(&backend); err != nil {
			return err
		}
	}
	reader := modelaccount.Reader{Bucket: backend.Bucket, Prefix: release.LedgerPrefix(from.stack.Project, source.Stack)}
	if len(to.accounts) > 0 {
		reader.Account = to.accounts[0]
	}
	refusal, err := modelaccount.MayRead(source.dir(), reader)
	if err != nil {
		return err
	}
	if refusal != nil {
		return fmt.Errorf("the ledger of stack %s cannot be read: %w\n%s", source.Stack, refusal.Err,
			crossAccount(t, source.Stack, refusal.Owner, refusal.Reader))
	}
	return nil
}
