package modelaccount

import (
	"context"
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"slipway/internal/image"
	"slipway/operation/account"
	"slipway/rehearsal/cloud"
	live "slipway/rehearsal/containers"
)

// Carry implements account.Account: it copies from the model of another stack. An image is a digest there, and real where
// containers run.
func (a *Account) Carry(origin account.Origin) func(ctx context.Context, from, to, tag string) error {
	return func(_ context.Context, from, to, tag string) error {
		if from == "" {
			if err := a.holds(to); err != nil {
				return err
			}
			repository, digest, _ := strings.Cut(to, "@")
			return a.model.Account.Push(repository+":"+image.AgainTag(digest), digest)
		}
		if err := a.readable(origin, from); err != nil {
			return err
		}
		if a.containers != nil {
			if err := a.containers.Bring(live.Dir(a.source(origin)), from, to, tag); err != nil {
				return err
			}
		}
		repository, digest, _ := strings.Cut(to, "@")
		return a.model.Account.Push(repository+":"+tag, digest)
	}
}

// Mirror implements account.Account. A model copies from no registry. Where containers run, the image is the one that their database
// runs, and so for the processor of this machine only.
func (a *Account) Mirror() func(ctx context.Context, from, to string) error {
	return func(ctx context.Context, from, to string) error {
		_, rest, _ := strings.Cut(to, "/")
		repository, tag, _ := strings.Cut(rest, ":")
		held, err := a.Contents().Tagged(ctx, repository, tag)
		if err != nil {
			return err
		}
		if held == "" {
			held = fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(from)))
			if err := a.model.Account.Push(to, held); err != nil {
				return err
			}
		}
		if a.containers == nil {
			return nil
		}
		return a.containers.Mirror(a.containers.PostgresImage(tag), to)
	}
}

// fillRegistry puts the images with psql into the registry of containers that run for the first time. If the stack was only modelled
// before, the copy was made in the model alone, and no up makes it again.
func (a *Account) fillRegistry() error {
	if !a.containers.Untried() {
		return nil
	}
	for _, o := range a.model.Account.Objects() {
		out := cloud.Inputs(o.Outputs)
		if o.Type != typeImage || !strings.HasSuffix(out.String("repositoryName"), "/psql") {
			continue
		}
		repository, _, _ := strings.Cut(out.String("imageUri"), "@")
		for _, tag := range out.Strings("imageTags") {
			if err := a.containers.Mirror(a.containers.PostgresImage(tag), repository+":"+tag); err != nil {
				return err
			}
		}
	}
	return nil
}

// Find implements account.Account.
func (a *Account) Find(origin account.Origin) func(ctx context.Context, from, to string) error {
	return func(_ context.Context, from, to string) error {
		if to != "" {
			if err := a.holds(to); err == nil || from == "" {
				return err
			}
		}
		return a.readable(origin, from)
	}
}

// holds returns an error unless the stack's own repositories have the image.
func (a *Account) holds(image string) error {
	if !a.model.Account.Holds(image) || a.containers != nil && !a.containers.Has(image) {
		return fmt.Errorf("%s is not in the repository (any more): promote the release again from a stack that has it", image)
	}
	return nil
}

// source is the folder of the stack that images are copied from.
func (a *Account) source(origin account.Origin) string {
	return filepath.Join(filepath.Dir(a.dir), origin.Stack)
}

// readable returns an error unless the image is in the other stack's repositories and may be pulled from there.
func (a *Account) readable(origin account.Origin, image string) error {
	here := a.model.Account
	there, err := cloud.Look(File(a.source(origin)))
	if err != nil {
		return err
	}
	if there.AccountID != here.AccountID {
		if err := there.MayPull(here.AccountID, image); err != nil {
			return fmt.Errorf("reading %s: %w\n%s", image, err, origin.Explain(there.AccountID, here.AccountID))
		}
	}
	if !there.Holds(image) {
		return fmt.Errorf("%s is not in the repository (any more): deploy the release there again", image)
	}
	if err := here.PullsFrom(there, image); err != nil {
		return fmt.Errorf("reading %s: %w", image, err)
	}
	return nil
}

// Quotas implements account.Account.
func (a *Account) Quotas(_ context.Context, types []string) ([]account.Quota, []string) {
	var all []account.Quota
	for _, q := range cloud.Quotas {
		if slices.Contains(types, q.Type) {
			all = append(all, account.Quota{Type: q.Type, Name: q.Name, Most: q.Most})
		}
	}
	for _, o := range a.model.Account.Objects() {
		for i := range all {
			if all[i].Type == o.Type {
				all[i].Used++
			}
		}
	}
	return all, nil
}

// Taken implements account.Account. The model's providers refuse a taken name when they plan, so nothing is left to find.
func (a *Account) Taken(context.Context, []account.Name) ([]account.TakenName, []string) {
	return nil, nil
}

// A Reader is what another account wants to read of the ledger of a rehearsed stack.
type Reader struct {
	Account string // that reads; "": the model's default
	Bucket  string // that holds the ledger; "": none, the stack was not bootstrapped
	Prefix  string // of the ledger in it
}

// A Refusal is what AWS would say to a reader.
type Refusal struct {
	Err           error
	Owner, Reader string // accounts
}

// MayRead reports whether AWS would let another account read the ledger of the stack in dir; nil: it would.
func MayRead(dir string, r Reader) (*Refusal, error) {
	there, err := cloud.Look(File(dir))
	if err != nil {
		return nil, err
	}
	if r.Account == "" {
		r.Account = cloud.DefaultAccountID
	}
	if there.AccountID == "" || there.AccountID == r.Account || r.Bucket == "" {
		return nil, nil
	}
	if err := there.MayRead(r.Account, r.Bucket, r.Prefix); err != nil {
		return &Refusal{Err: err, Owner: there.AccountID, Reader: r.Account}, nil
	}
	return nil, nil
}
