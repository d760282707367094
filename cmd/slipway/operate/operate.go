// Package operate has the commands for the days after a deployment: look at a running site, get into it, act on it. Each is a file.
//
// A command parses its flags, calls its operation and prints what that returns. What a terminal shows is in package screen.
package operate

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"slipway/operation"
	"slipway/screen"
)

// Tools are what a command gets from the command line.
type Tools struct {
	Target func() (operation.Target, error)                 // the stack that the flags name
	Print  func(v any, text func()) error                   // data: v as JSON, or what text writes to Data
	Say    func(format string, args ...any)                 // a message, which --quiet leaves out
	Ask    func(question string) (answer string, err error) // on the terminal; commandline.ErrNoTerminal
	Yes    func() bool                                      // --yes: do not ask
	JSON   func() bool                                      // --json

	Stdout      io.Writer
	Data, Words screen.Terminal // stdout and stderr
}

// Commands are the commands of this package.
func Commands(t *Tools) []*cobra.Command {
	return []*cobra.Command{
		jobCommand(t),
		logsCommand(t),
		statusCommand(t),
		doctorCommand(t),
	}
}

// on runs a command on the stack that its flags name.
func (t *Tools) on(run func(ctx context.Context, target operation.Target, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		target, err := t.Target()
		if err != nil {
			return err
		}
		return run(cmd.Context(), target, args)
	}
}
