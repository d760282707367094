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

// inOrder are candidates that the shell does not sort.
const inOrder = cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder

// Complete says how the shell completes the names of stacks, releases, services, jobs, outputs and schemas.
func (w Words) Complete(root *cobra.Command) {
	_ = root.RegisterFlagCompletionFunc("stack", w.stacks)
	for _, cmd := range root.Commands() {
		for name, with := range map[string]cobra.CompletionFunc{
			"from": w.stacks, "to": w.stacks, "confirm": w.stacks, "release": w.releases, "service": w.serviceFlag,
		} {
			if cmd.Flag(name) != nil {
				_ = cmd.RegisterFlagCompletionFunc(name, with) // which fails only for a flag that has one already
			}
		}
		switch cmd.Name() {
		case "promote", "rollback":
			cmd.ValidArgsFunction = w.releases
		case "outputs":
			cmd.ValidArgsFunction = w.outputs
		case "scale", "restart":
			cmd.ValidArgsFunction = w.services
		case "job":
			cmd.ValidArgsFunction = w.jobs
		case "schema":
			cmd.ValidArgsFunction = func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
				return w.Schemas(), cobra.ShellCompDirectiveNoFileComp
			}
		case "comment":
		default:
			cmd.ValidArgsFunction = cobra.NoFileCompletions
		}
	}
}

// stacks are those of the project.
func (w Words) stacks(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
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

// releases are those of the stack, or of the one that --from names, the newest first.
func (w Words) releases(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
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
	return all, inOrder
}

// outputs are those of a stack in the model. The outputs of a live stack would take an engine.
func (w Words) outputs(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	target, err := w.Target(cmd, "")
	if err != nil || len(args) > 0 || target.Live {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(context.Background(), completionTime)
	defer cancel()
	values, _ := operation.Outputs(ctx, target, false)
	var all []cobra.Completion
	for _, one := range operation.Describe(values) {
		all = append(all, cobra.CompletionWithDesc(one.Key, one.Name))
	}
	return all, inOrder
}

// services are those that the stack's file declares, whether or not they are deployed: that takes no account.
func (w Words) services(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return w.declared(cmd, func(w operation.Workloads) []string { return w.Services })
}

func (w Words) serviceFlag(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return w.declared(cmd, func(w operation.Workloads) []string { return w.Services })
}

// jobs are those that the stack's file declares.
func (w Words) jobs(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return w.declared(cmd, func(w operation.Workloads) []string { return w.Jobs })
}

func (w Words) declared(cmd *cobra.Command, which func(operation.Workloads) []string) ([]cobra.Completion, cobra.ShellCompDirective) {
	target, err := w.Target(cmd, "")
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	all, err := operation.DeclaredWorkloads(target)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return which(all), inOrder
}
