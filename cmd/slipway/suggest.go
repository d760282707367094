package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"slipway/operation"
	"slipway/release"
)

// flagError names the flag that an unknown one is like.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return err
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	name := unknown.GetSpecifiedName()
	if near := operation.Near(name, names); near != "" && len(name) > 1 {
		return fmt.Errorf("%w: did you mean --%s?", err, near)
	}
	return err
}

// completionTime is how long the completion of a word may take: a person waits for it.
const completionTime = 3 * time.Second

// complete says how the shell completes the names of stacks, releases, outputs and schemas.
func (i *invocation) complete(root *cobra.Command) {
	stacks := func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if i.enter() != nil {
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
		target, err := i.completing(cmd, stack)
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
		target, err := i.completing(cmd, "")
		if err != nil || len(args) > 0 || i.live { // which would start an engine
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
		return schemaNames(), cobra.ShellCompDirectiveNoFileComp
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

// completing is the stack of a command line that is being completed; "" is the one of its flags.
func (i *invocation) completing(cmd *cobra.Command, stack string) (operation.Target, error) {
	if err := i.prepare(cmd); err != nil {
		return operation.Target{}, err
	}
	if stack != "" {
		i.stack = stack
	}
	return i.target()
}
