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
// both stacks run as containers.
func (a *Account) Carry(origin account.Origin) func(ctx context.Context, from, to, tag string) error {
	return func(_ context.Context, from, to, tag string) error {
		here := a.model.Account
		if from == "" {
			if !here.Holds(to) || a.containers != nil && !a.containers.Has(to) {
				return fmt.Errorf("%s is not in the repository (any more): promote the release again from a stack that has it", to)
			}
			repository, digest, _ := strings.Cut(to, "@")
			return here.Push(repository+":"+image.AgainTag(digest), digest)
		}
		source := filepath.Join(filepath.Dir(a.dir), origin.Stack)
		there, err := cloud.Look(File(source))
		if err != nil {
			return err
		}
		if there.AccountID != here.AccountID {
			if err := there.MayPull(here.AccountID, from); err != nil {
				return fmt.Errorf("reading %s: %w\n%s", from, err, origin.Explain(there.AccountID, here.AccountID))
			}
		}
		if !there.Holds(from) {
			return fmt.Errorf("%s is not in the repository (any more): deploy the release there again", from)
		}
		if a.containers != nil {
			if err := a.containers.Bring(live.Dir(source), from, to, tag); err != nil {
				return err
			}
		}
		repository, digest, _ := strings.Cut(to, "@")
		return here.Push(repository+":"+tag, digest)
	}
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
