package modelaccount

import (
	"context"
	"fmt"
	"path/filepath"
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
func (a *Account) Quotas(context.Context) ([]account.Quota, error) {
	var all []account.Quota
	for _, q := range cloud.Quotas {
		all = append(all, account.Quota{Type: q.Type, Name: q.Name, Most: q.Most})
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
