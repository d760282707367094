package bootstrap

import (
	"context"
	"fmt"
	"strings"
	"unicode"
)

// OwnerTag is the tag that keeps Spec.Owner.
const OwnerTag = "slipway:owner"

// Owned is a text as the value of OwnerTag. AWS allows letters, digits, spaces and _.:/=+-@ in it, 256 at most; the end of a
// path says more than its beginning.
func Owned(text string) string {
	allowed := []rune(strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune(" _.:/=+-@", r) {
			return r
		}
		return '_'
	}, text))
	return string(allowed[max(0, len(allowed)-256):])
}

// A ForeignError says that another project of the same name has bootstrapped the account.
type ForeignError struct {
	What, ID string // "the key", its ARN
	Owner    string // "": unknown
	Own      string
}

func (e *ForeignError) Error() string {
	owner := "it does not say by which project"
	if e.Owner != "" {
		owner = "by the project in " + e.Owner
	}
	return fmt.Sprintf("%s was bootstrapped already, %s; this project is in %s", e.ID, owner, e.Own)
}

// own is a resource whose Find refuses what another project created. What the stack's file names is its own.
func (f *Spec) own(t Resource, known string) Resource {
	if t.Owner == nil || f.Owner == "" {
		return t
	}
	find := t.Find
	t.Find = func(ctx context.Context) (string, error) {
		id, err := find(ctx)
		if err != nil || id == "" || id == known {
			return id, err
		}
		owner, err := t.Owner(ctx, id)
		if err == nil && owner != f.Owner {
			err = &ForeignError{What: t.What, ID: id, Owner: owner, Own: f.Owner}
		}
		return id, err
	}
	return t
}
