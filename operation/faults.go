package operation

import (
	"fmt"
	"slices"
	"strings"
)

// IAMDelay is a fault of the model: other services see a new role, policy or service-linked role only at a later attempt. IAM is
// eventually consistent (IAM User Guide, "Troubleshoot IAM", changes that are not immediately visible).
const IAMDelay = "iam-delay"

// Faults are the faults that a model can play.
var Faults = []string{IAMDelay}

// faultsKnown refuses a fault that no model plays.
func faultsKnown(names []string) error {
	for _, name := range names {
		if !slices.Contains(Faults, name) {
			return fmt.Errorf("--faults: %q is not a fault of the model; expected %s", name, strings.Join(Faults, ", "))
		}
	}
	return nil
}

// A delayable account knows which operations met a change of IAM that was too new.
type delayable interface{ Delayed() []string }

// sayDelayed says how often an account met the fault.
func sayDelayed(account any, logf func(format string, args ...any)) {
	if a, ok := account.(delayable); ok {
		if n := len(a.Delayed()); n > 0 {
			logf("IAM was slow. Operations that met a role or policy which was too new: %d.", n)
		}
	}
}
