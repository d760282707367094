package main

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// What --json writes, as a JSON Schema. A definition of a command has the command's name; one that begins with - is
// part of others.
//
//go:embed schema.json
var schemas []byte

func (t *tool) schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema COMMAND",
		Short: "Say what a command writes with --json, as a JSON Schema",
		Example: `  slipway schema preview
  slipway schema "ci github"`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, words []string) error {
			schema, err := schemaOf(strings.Join(words, " "))
			if err != nil {
				return usageError{err}
			}
			_, err = t.stdout.Write(schema)
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
	if _, ok := all.Defs[command]; !ok || strings.HasPrefix(command, "-") {
		var known []string
		for _, name := range slices.Sorted(maps.Keys(all.Defs)) {
			if !strings.HasPrefix(name, "-") {
				known = append(known, name)
			}
		}
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
		"$schema": all.Schema, "title": "slipway " + command + " --json", "$ref": "#/$defs/" + strings.ReplaceAll(command, " ", "%20"), "$defs": used,
	}, "", "  ")
	return append(text, '\n'), err
}

// exitCodes is the table of what a command may end with.
const exitCodes = `| code | meaning |
|---|---|
| 0 | it is done, and good |
| 1 | it was tried and went wrong; a verdict or a rehearsal that is not good is that too |
| 2 | the command line is wrong; nothing was tried |
| 3 | ` + "`drift`" + `: the account is not what the program made of it |
| 4 | the stack is locked or in use by another run; nothing was done |
| 128 + n | signal n stopped it: 130 after Ctrl-C, 143 after SIGTERM |
`

// commandsMarkdown is docs/commands.md.
func commandsMarkdown() string {
	root := new(tool).command()
	root.InitDefaultHelpFlag()
	var b strings.Builder
	b.WriteString(`# Commands

Data goes to stdout and words to stderr. With ` + "`--json`" + ` the data is one JSON value; ` + "`slipway schema COMMAND`" + ` writes its JSON Schema,
and [schema.json](../cmd/slipway/schema.json) holds all of them. This page is made from the commands themselves:
` + "`go test ./cmd/slipway -run TestReference -update`" + `.

## Exit codes

` + exitCodes + `
## Flags of every command

` + flagsMarkdown(root.PersistentFlags()))
	var each func(cmd *cobra.Command)
	each = func(cmd *cobra.Command) {
		if cmd.Hidden || cmd.Name() == "help" || cmd.Name() == "completion" {
			return
		}
		if cmd != root && cmd.Runnable() && !cmd.HasSubCommands() {
			name := strings.TrimPrefix(cmd.CommandPath(), "slipway ")
			fmt.Fprintf(&b, "\n## %s\n\n", cmd.CommandPath())
			words := cmd.Long
			if words == "" {
				words = cmd.Short + "."
			}
			fmt.Fprintf(&b, "%s\n\n```sh\n%s\n```\n", plain.Replace(words), examples(cmd))
			if table := flagsMarkdown(cmd.LocalNonPersistentFlags()); table != "" {
				b.WriteString("\n" + table)
			}
			if _, err := schemaOf(name); err == nil {
				fmt.Fprintf(&b, "\nJSON: `slipway schema %s`\n", name)
			}
		}
		for _, sub := range cmd.Commands() {
			each(sub)
		}
	}
	each(root)
	return b.String()
}

// plain takes the meaning from signs of Markdown.
var plain = strings.NewReplacer("<", "&lt;", "|", `\|`, "*", `\*`)

// examples are a command's examples without the indent that its help gives them, after the line that says its form.
func examples(cmd *cobra.Command) string {
	lines := []string{strings.TrimSuffix(cmd.UseLine(), " [flags]")}
	for _, line := range strings.Split(cmd.Example, "\n") {
		if line = strings.TrimPrefix(line, "  "); line != "" && line != lines[0] {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

func flagsMarkdown(flags *pflag.FlagSet) string {
	var b strings.Builder
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		if b.Len() == 0 {
			b.WriteString("| flag | default | what it means |\n|---|---|---|\n")
		}
		kind, words := pflag.UnquoteUsage(f)
		name := "`--" + f.Name
		if kind != "" {
			name += " " + kind
		}
		name += "`"
		if f.Shorthand != "" {
			name += ", `-" + f.Shorthand + "`"
		}
		value := ""
		if f.DefValue != "" && f.DefValue != "[]" && f.DefValue != "0" && f.DefValue != "false" {
			value = "`" + f.DefValue + "`"
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", name, value, plain.Replace(words))
	})
	return b.String()
}
