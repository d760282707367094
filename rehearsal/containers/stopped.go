package containers

import (
	"strconv"
	"strings"

	"slipway/rehearsal/cloud"
)

// errStopped is a task that stopped although it should run.
type errStopped struct {
	reason  string
	logs    []string
	failure *cloud.Failure // as ECS reports it; nil for what ECS does not run
}

func (e *errStopped) Unwrap() error {
	if e.failure == nil {
		return nil
	}
	return e.failure
}

func (e *errStopped) Error() string {
	if len(e.logs) == 0 {
		return e.reason
	}
	return e.reason + "\nLast lines of its log:\n  " + strings.Join(e.logs, "\n  ")
}

// essentialExited is a reason for a stopped task in ECS's wording.
type essentialExited int

func (code essentialExited) Error() string {
	return "Essential container in task exited with code " + strconv.Itoa(int(code))
}
