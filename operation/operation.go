// Package operation has one file for each operation on a stack that a user can ask for.
//
// An operation returns what it did and prints nothing. It reports what it is doing to a Progress. Where it needs the user's consent,
// it calls a function that its caller supplies. It works on an account.Account, and does not know whether that is AWS or the
// model: open.go alone chooses.
package operation

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"slipway/config"
	"slipway/engine"
	"slipway/operation/account"
	"slipway/operation/account/modelaccount"
)

// A Progress receives what an operation is doing.
type Progress interface {
	// Event is a step of the engine.
	Event(engine.Event)
	// Logf is a line for the user.
	Logf(format string, args ...any)
}

// Containers say whether a rehearsed stack also runs as containers.
type Containers struct {
	Run      bool   // also a stack that does not run yet
	Postgres string // the image of the database; "": the official one
	Valkey   string // the image of the cache; "": the official one

	AlarmPace int // divides the periods of alarms; 0: as the stack has it

	// Ask asks the user for the value of a secret; "" is none. It may be nil.
	Ask func(ctx context.Context, name string) (string, error)
}

// A WhatIf is a change that a rehearsal or a preview tries. The program and the project stay as they are.
type WhatIf struct {
	Without []string // [TYPE::]NAME or [TYPE::]NAME#Sid
	With    []string // [TYPE::]NAME.path=value
	Add     []string // files with resources
	Files   []string // PATH=FILE: a file of the app, and what replaces it
}

// Asked says whether there is a change to try.
func (w WhatIf) Asked() bool { return w.changesResources() || len(w.Files) > 0 }

func (w WhatIf) changesResources() bool { return len(w.Without)+len(w.With)+len(w.Add) > 0 }

// ModelHooks let tests read the model, and inject faults.
type ModelHooks = modelaccount.Hooks

// A Target is the stack that an operation works on, and where the operation reports.
type Target struct {
	Root       string // the folder of Pulumi.yaml
	Stack      string
	Live       bool     // in the stack's own AWS account, not in the model
	Overrides  []string // settings for this run, as key=value
	SCP        []string // files with control policies of the organization, which limit every call of the model
	Faults     []string // faults that the model plays, see Faults
	WhatIf     WhatIf   // a change that Rehearse and Preview try
	Containers Containers
	Throwaway  bool // the engine writes its state once, at the end: fast, but a killed run cannot be continued
	Progress   Progress

	// Confirm asks the user before an operation changes a real account. Nil: yes.
	Confirm func(operation string, where account.Identity) error
	// OnEngine receives the stack that the engine is about to work on, so that an interrupt can end it. It may be nil.
	OnEngine func(*engine.Stack)
	Model    ModelHooks
}

// A UsageError is a mistake in what the user asked for. Nothing was done.
type UsageError struct{ Err error }

func (e UsageError) Error() string { return e.Err.Error() }

func (e UsageError) Unwrap() error { return e.Err }

var stackName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)

// taken are folders of .slipway that are not a stack's.
var taken = []string{"contexts", "rehearsed", "sandbox"}

// IsStackName says whether a text can be the name of a stack. A stack has a folder of its name in .slipway, so it cannot have the
// name of another folder there.
func IsStackName(text string) bool { return CheckStackName(text) == nil }

// CheckStackName says why a text cannot be the name of a stack; nil: it can.
func CheckStackName(text string) error {
	if !stackName.MatchString(text) {
		return fmt.Errorf("%q is not the name of a stack", text)
	}
	if i := slices.IndexFunc(taken, func(name string) bool { return strings.EqualFold(name, text) }); i >= 0 {
		return fmt.Errorf("a stack cannot be called %q: Slipway keeps something else in .slipway/%s", text, taken[i])
	}
	return nil
}

// DefaultStack is the stack of a command that names none, and StackVariable the environment variable that says otherwise.
const (
	DefaultStack  = config.DefaultStack
	StackVariable = "SLIPWAY_STACK"
)

// Flags are what a suggested command needs to work on this stack: "", " --stack prod" or " --stack prod --live". The variable is not
// relied on: the command may be run in another shell.
func (t Target) Flags() string {
	flags := ""
	if t.Stack != DefaultStack || t.Live || os.Getenv(StackVariable) != "" {
		flags = " --stack " + t.Stack
	}
	if t.Live {
		flags += " --live"
	}
	return flags
}

// dir is where a stack keeps everything that is local.
func (t Target) dir() string { return filepath.Join(t.Root, ".slipway", t.Stack) }

// known refuses a name that no stack can have.
func (t Target) known() error {
	if err := CheckStackName(t.Stack); err != nil {
		return UsageError{err}
	}
	return nil
}

// of is another stack of the project. Settings for this run are not the other stack's.
func (t Target) of(stack string) Target {
	t.Stack, t.Overrides = stack, nil
	return t
}
