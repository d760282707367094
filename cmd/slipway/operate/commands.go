package operate

import "github.com/spf13/cobra"

// Commands are the commands of this package.
func Commands(t *Tools) []*cobra.Command {
	return []*cobra.Command{
		initCommand(t), secretCommand(t),
		statusCommand(t), logsCommand(t), doctorCommand(t),
		execCommand(t), taskCommand(t), jobCommand(t), shellCommand(t), databaseCommand(t), runCommand(),
		scaleCommand(t),
		restartCommand(t),
		pauseCommand(t),
		resumeCommand(t),
		policyCommand(t),
	}
}
