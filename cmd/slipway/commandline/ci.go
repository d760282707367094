package commandline

import (
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"slipway/internal/version"
	"slipway/operation"
	"slipway/operation/workflows"
)

// Writers are where a command writes: messages, and a value as JSON or what text writes for people in its place.
type Writers struct {
	Say    func(format string, args ...any)
	Print  func(v any, text func()) error
	Stdout io.Writer
}

// CICommand is the command ci.
func CICommand(out Writers) *cobra.Command {
	var asked workflows.Request
	github := &cobra.Command{
		Use:   "github",
		Short: "Write GitHub workflows for the project's stacks",
		Long: `Github writes the workflows that check pull requests, deploy what was merged from stack to stack, look for
drift at night, and roll back and destroy by hand. Stacks, roles, regions, branches and environments are read from the
project's own files. Run it again when these change.

The workflows download this version of slipway and check its checksum. To use another version, run its own "ci github".
In a clone of Slipway itself they compile it.

The workflows hold no secret: a job gets its rights from AWS for an hour, through the role in github.role of its stack.
A read-only job uses github.readRole, if the stack has one. Until a stack has its role, its jobs take the ARN from the
repository's variable SLIPWAY_<STACK>_ROLE or SLIPWAY_<STACK>_READ_ROLE, and are skipped while that is empty.

A workflow that was changed by hand is not overwritten, and nothing else is touched. See ` + version.Page("docs/ci.md") + ".",
		Example: `  slipway ci github
  slipway ci github --path dev,prod
  slipway ci github --download https://files.example.com/slipway/0.4.0`,
		Args: None,
		RunE: func(*cobra.Command, []string) error { return writeWorkflows(out, asked) },
	}
	flags := github.Flags()
	flags.StringVar(&asked.Dir, "dir", ".github/workflows", "where the workflows go, from the folder of Pulumi.yaml")
	flags.StringSliceVar(&asked.Path, "path", nil,
		"the stacks that a release goes through, in order (default dev, staging, prod, as far as they exist)")
	flags.StringVar(&asked.Download, "download", "",
		"the `URL` of the folder with slipway-linux-amd64.tar.gz and SHA256SUMS (default the GitHub release of this version)")
	flags.StringVar(&asked.Checksum, "checksum", "",
		"the `SHA256` of slipway-linux-amd64.tar.gz, to trust this instead of the SHA256SUMS beside it")
	ci := &cobra.Command{
		Use:   "ci",
		Short: "Let a CI system do it",
		Args:  None,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	ci.AddCommand(github)
	return ci
}

func writeWorkflows(out Writers, asked workflows.Request) error {
	root, err := operation.FindRoot()
	if err != nil {
		return err
	}
	written, err := workflows.Write(root, asked)
	if err != nil {
		return err
	}
	for _, note := range written.Notes {
		out.Say("%s", note)
	}
	return out.Print(written, func() {
		for _, name := range written.Files {
			fmt.Fprintln(out.Stdout, filepath.Join(written.Dir, name))
		}
	})
}
