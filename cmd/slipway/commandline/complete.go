package commandline

import (
	"context"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"slipway/operation"
	"slipway/release"
)

// completionTime is how long the completion of a word may take: a person waits for it.
const completionTime = 3 * time.Second

// Words are what a command line is completed with.
type Words struct {
	Enter   func() error                                                     // goes to the folder of -C
	Target  func(cmd *cobra.Command, stack string) (operation.Target, error) // "": the stack of the flags
	Schemas func() []string
}

// Complete says how the shell completes the names of stacks, releases, outputs and schemas.
func (w Words) Complete(root *cobra.Command) {
	stacks := func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if w.Enter() != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		root, err := operation.FindRoot()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		names, _ := operation.StackNames(root)
		return names, cobra.ShellCompDirectiveNoFileComp
	}
	releases := func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		stack := ""
		if from := cmd.Flags().Lookup("from"); from != nil {
			stack = from.Value.String()
		}
		target, err := w.Target(cmd, stack)
		if err != nil || len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(context.Background(), completionTime)
		defer cancel()
		history, err := operation.Releases(ctx, target)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var all []cobra.Completion
		for _, r := range slices.Backward(history.Releases) {
			all = append(all, cobra.CompletionWithDesc(r.ID, "of "+release.Moment(r.When)))
		}
		return all, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
	}
	outputs := func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		target, err := w.Target(cmd, "")
		if err != nil || len(args) > 0 || target.Live { // which would start an engine
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(context.Background(), completionTime)
		defer cancel()
		values, _ := operation.Outputs(ctx, target, false)
		var all []cobra.Completion
		for _, one := range operation.Describe(values) {
			all = append(all, cobra.CompletionWithDesc(one.Key, one.Name))
		}
		return all, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
	}
	schemas := func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return w.Schemas(), cobra.ShellCompDirectiveNoFileComp
	}
	flag := func(cmd *cobra.Command, name string, with cobra.CompletionFunc) {
		if cmd.Flag(name) != nil {
			_ = cmd.RegisterFlagCompletionFunc(name, with) // which fails only for a flag that has one already
		}
	}
	_ = root.RegisterFlagCompletionFunc("stack", stacks)
	for _, cmd := range root.Commands() {
		flag(cmd, "from", stacks)
		flag(cmd, "to", stacks)
		flag(cmd, "release", releases)
		if cmd.Flag("confirm") != nil {
			flag(cmd, "confirm", stacks)
		}
		switch cmd.Name() {
		case "promote", "rollback":
			cmd.ValidArgsFunction = releases
		case "outputs":
			cmd.ValidArgsFunction = outputs
		case "schema":
			cmd.ValidArgsFunction = schemas
		case "comment":
		default:
			cmd.ValidArgsFunction = cobra.NoFileCompletions
		}
	}
}
