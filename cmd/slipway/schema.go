package main

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"slipway/operation"
)

// What --json writes, as a JSON Schema. A definition of a command has the command's name; one that begins with - is
// part of others.
//
//go:embed schema.json
var schemas []byte

func schemaCommand(run *invocation) *cobra.Command {
	return &cobra.Command{
		Use:   "schema COMMAND",
		Short: "Say what a command writes with --json, as a JSON Schema",
		Example: `  slipway schema preview
  slipway schema "ci github"`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, words []string) error {
			schema, err := schemaOf(strings.Join(words, " "))
			if err != nil {
				return operation.UsageError{Err: err}
			}
			_, err = run.out.stdout.Write(schema)
			return err
		},
	}
}

// schemaOf is the schema of what a command writes, complete in itself.
func schemaOf(command string) ([]byte, error) {
	var all struct {
		Schema string                     `json:"$schema"`
		Defs   map[string]json.RawMessage `json:"$defs"`
	}
	if err := json.Unmarshal(schemas, &all); err != nil {
		return nil, err
	}
	if known := schemaNames(); !slices.Contains(known, command) {
		return nil, fmt.Errorf("no command %q writes JSON; these do: %s", command, strings.Join(known, ", "))
	}
	used := map[string]json.RawMessage{}
	var use func(name string)
	use = func(name string) {
		if _, done := used[name]; done {
			return
		}
		used[name] = all.Defs[name]
		for other := range all.Defs {
			if strings.Contains(string(all.Defs[name]), `"#/$defs/`+other+`"`) {
				use(other)
			}
		}
	}
	use(command)
	text, err := json.MarshalIndent(map[string]any{
		"$schema": all.Schema, "title": "slipway " + command + " --json",
		"$ref": "#/$defs/" + strings.ReplaceAll(command, " ", "%20"), "$defs": used,
	}, "", "  ")
	return append(text, '\n'), err
}

// schemaNames are what there are schemas of, sorted: commands, and the error of any.
func schemaNames() []string {
	var all struct {
		Defs map[string]json.RawMessage `json:"$defs"`
	}
	_ = json.Unmarshal(schemas, &all) // TestEveryCommandHasASchema reads it
	return slices.DeleteFunc(slices.Sorted(maps.Keys(all.Defs)), func(name string) bool { return strings.HasPrefix(name, "-") })
}
