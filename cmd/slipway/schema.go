package main

import (
	_ "embed"
	"strings"

	"github.com/spf13/cobra"

	"slipway/cmd/slipway/commandline"
	"slipway/operation"
)

// What --json writes, as a JSON Schema.
//
//go:embed schema.json
var schemas commandline.Schemas

func schemaCommand(run *invocation) *cobra.Command {
	return &cobra.Command{
		Use:   "schema COMMAND",
		Short: "Say what a command writes with --json, as a JSON Schema",
		Example: `  slipway schema preview
  slipway schema "ci github"`,
		Args: commandline.AtLeast(1),
		RunE: func(_ *cobra.Command, words []string) error {
			schema, err := schemas.Of(strings.Join(words, " "))
			if err != nil {
				return operation.UsageError{Err: err}
			}
			_, err = run.out.stdout.Write(schema)
			return err
		},
	}
}
