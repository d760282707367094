package operate

import "github.com/spf13/cobra"

// Commands are the commands of this package.
func Commands(t *Tools) []*cobra.Command {
	return []*cobra.Command{
		initCommand(t),
		jobCommand(t),
		scaleCommand(t),
		restartCommand(t),
		pauseCommand(t),
		resumeCommand(t),
		policyCommand(t),
	}
}
