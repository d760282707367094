package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"slipway/cmd/slipway/commandline"
	"slipway/operation"
	"slipway/operation/workflows"
)

func ciCommand(run *invocation) *cobra.Command {
	var dir string
	var path []string
	github := &cobra.Command{
		Use:   "github",
		Short: "Write GitHub workflows for the project's stacks",
		Long: `Github writes the workflows that test pull requests, deploy what was merged from stack to stack, look for
drift at night, and roll back and destroy by hand. Stacks, roles, regions, branches and environments are read from the
project's own files. Run it again when these change.

The workflows hold no secret: a job gets its rights from AWS for an hour, through the role in github.role of its stack.
A read-only job uses github.readRole, if the stack has one. Until a stack has its role, its jobs take the ARN from the
repository's variable SLIPWAY_<STACK>_ROLE or SLIPWAY_<STACK>_READ_ROLE, and are skipped while that is empty.

A workflow that was changed by hand is not overwritten, and nothing else is touched. See docs/ci.md.`,
		Example: `  slipway ci github
  slipway ci github --path dev,prod`,
		Args: commandline.None,
		RunE: func(*cobra.Command, []string) error { return writeWorkflows(run.out, dir, path) },
	}
	github.Flags().StringVar(&dir, "dir", ".github/workflows", "where the workflows go, from the folder of Pulumi.yaml")
	github.Flags().StringSliceVar(&path, "path", nil,
		"the stacks that a release goes through, in order (default dev, staging, prod, as far as they exist)")
	ci := &cobra.Command{
		Use:   "ci",
		Short: "Let a CI system do it",
		Args:  commandline.None,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	ci.AddCommand(github)
	return ci
}

func writeWorkflows(out *output, dir string, path []string) error {
	root, err := operation.FindRoot()
	if err != nil {
		return err
	}
	written, err := workflows.Write(root, dir, path)
	if err != nil {
		return err
	}
	for _, note := range written.Notes {
		out.say("%s", note)
	}
	return out.print(written, func() {
		for _, name := range written.Files {
			fmt.Fprintln(out.stdout, filepath.Join(written.Dir, name))
		}
	})
}
