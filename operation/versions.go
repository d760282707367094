package operation

import (
	"errors"
	"fmt"
	"slices"

	"slipway/internal/version"
)

// compared are the operations that an older slipway may not do on what a newer one deployed, unless the stack's file says so: they
// change the stack, or show what would be changed.
var compared = []string{"up", "preview", "promote", "rollback", "destroy"}

// met are the versions of slipway that a stack has met; "" is unknown.
type met struct {
	stack, file string
	stated      string // in the stack's file
	older       string // in the stack's file, if that is older than this one
	deployed    string // by which the stack was last changed
}

// note is about a stack that an older slipway set up; "" if there is nothing to say.
func (v met) note() string {
	if v.older == "" {
		return ""
	}
	return fmt.Sprintf("Stack %s was set up with slipway %s, and this is %s. What changed: %s\nOnce the plan is what you expect, write "+
		"version: %[3]s in %[5]s.", v.stack, v.older, version.Number, version.Release(version.Number), v.file)
}

// back compares this slipway with the one that deployed the stack last. An older one would delete what only a newer one makes, so that
// does not happen by accident. Going back is a decision, and the stack's file is where it is written down and reviewed.
func (v met) back() (note string, err error) {
	switch {
	case !version.Newer(v.deployed):
		return "", nil
	case v.stated == version.Number:
		return fmt.Sprintf("Stack %s was last deployed by slipway %s, and goes back to %s, as its file says: what only the newer one makes is "+
			"deleted.", v.stack, v.deployed, version.Number), nil
	}
	return "", fmt.Errorf("stack %s was last deployed by slipway %s, and this is %s, which would delete what only the newer one makes; "+
		"nothing was changed\nNext: get %[2]s from %[4]s\nTo go back to %[3]s, write version: %[3]s in %[5]s, and read the plan",
		v.stack, v.deployed, version.Number, version.Release(v.deployed), v.file)
}

// sinceVersion adds to the mistakes of a stack that an older slipway set up where its changes are listed.
func sinceVersion(older string, err error) error {
	var usage UsageError
	if older == "" || errors.As(err, &usage) {
		return err
	}
	return fmt.Errorf("%w\nThe stack was set up with slipway %s, and this is %s. What changed: %s", err, older, version.Number,
		version.Release(version.Number))
}

// comparesVersions reports whether an operation needs to know which slipway deployed the stack.
func comparesVersions(operation string) bool {
	return version.Number != "" && slices.Contains(compared, operation)
}
