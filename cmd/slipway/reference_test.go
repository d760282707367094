package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

var update = flag.Bool("update", false, "write docs/commands.md")

func TestReferenceIsInTheDocument(t *testing.T) {
	const path = "../../docs/commands.md"
	want := commandsMarkdown()
	got, err := os.ReadFile(path)
	if err != nil && !*update {
		t.Fatal(err)
	}
	if string(got) == want {
		return
	}
	if !*update {
		t.Fatalf("out of date; go test ./cmd/slipway -run TestReference -update writes it:\n%s", cmp.Diff(string(got), want))
	}
	if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

// conforms COMMAND FILE checks that what the command wrote with --json is what its schema says.
func conforms(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: conforms command file")
	}
	schema, err := schemas.Of(args[0])
	ts.Check(err)
	ts.Check(conform(schema, []byte(ts.ReadFile(args[1]))))
}

// conformLines is conform for a command that writes JSON Lines.
func conformLines(schema, data []byte) error {
	for line := range bytes.Lines(data) {
		if err := conform(schema, line); err != nil {
			return fmt.Errorf("%s: %w", line, err)
		}
	}
	return nil
}

func conform(schema, data []byte) error {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		return err
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("slipway.json", document); err != nil {
		return err
	}
	compiled, err := compiler.Compile("slipway.json")
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return err
	}
	if decoder.More() {
		return errors.New("there is more than one JSON value")
	}
	return compiled.Validate(value)
}

// writesNone are the commands that have no JSON of their own: export writes Pulumi's, schema a JSON Schema, and others what a program of
// the site writes.
var writesNone = map[string]bool{"export": true, "schema": true, "help": true, "exec": true, "shell": true, "db psql": true, "run": true}

// TestEveryCommandHasASchema, which refuses what the command does not write.
func TestEveryCommandHasASchema(t *testing.T) {
	seen := 0
	var each func(cmd *cobra.Command)
	each = func(cmd *cobra.Command) {
		for _, sub := range cmd.Commands() {
			each(sub)
		}
		name := strings.TrimPrefix(cmd.CommandPath(), "slipway ")
		if cmd.HasSubCommands() || !cmd.Runnable() || writesNone[name] || strings.HasPrefix(name, "completion") {
			return
		}
		seen++
		schema, err := schemas.Of(name)
		if err != nil {
			t.Error(err)
			return
		}
		for _, wrong := range []string{`[[]]`, `"x"`, `null`, `[{"stack":"dev","surprise":1}]`} {
			if conform(schema, []byte(wrong)) == nil {
				t.Errorf("the schema of %s accepts %s", name, wrong)
			}
		}
		if name != "outputs" && conform(schema, []byte(`{"stack":"dev","surprise":1}`)) == nil {
			t.Errorf("the schema of %s accepts everything", name)
		}
	}
	each(rootCommand(unused()))
	if seen < 6 {
		t.Errorf("only %d commands were looked at", seen)
	}
}

func TestSchemaCommand(t *testing.T) {
	var out, words bytes.Buffer
	if code := execute([]string{"schema", "ci", "github"}, &out, &words); code != 0 || !json.Valid(out.Bytes()) {
		t.Errorf("exit %d: %s%s", code, out.String(), words.String())
	}
	if err := conform(out.Bytes(), []byte(`{"dir":"x","files":["a"],"path":["dev"]}`)); err != nil {
		t.Error(err)
	}
	if strings.Contains(out.String(), "-verdict") {
		t.Error("it holds definitions that the command does not use")
	}
	out.Reset()
	if code := execute([]string{"schema", "--", "-stack"}, &out, &words); code != exitUsage || out.Len() > 0 ||
		!strings.Contains(words.String(), "these do: bootstrap, check, ci github, comment") {
		t.Errorf("exit %d: %s%s", code, out.String(), words.String())
	}
}

// exitCodes is the table of what a command may end with.
const exitCodes = `| code | meaning |
|---|---|
| 0 | it is done, and good |
| 1 | it was tried and went wrong; a verdict or a rehearsal that is not good is that too |
| 2 | the command line is wrong; nothing was tried |
| 3 | ` + "`drift`" + `: the account differs from the state; ` + "`why`" + `: the answer is no |
| 4 | the stack is locked or in use by another run; nothing was done |
| 128 + n | signal n stopped it: 130 after Ctrl-C, 143 after SIGTERM, 129 after the terminal was closed, 141 after the reader left a pipe |

A stopped run finishes the calls under way and records them; the next run continues from there.
`

// commandsMarkdown is docs/commands.md.
func commandsMarkdown() string {
	root := rootCommand(unused())
	root.InitDefaultHelpFlag()
	var b strings.Builder
	b.WriteString(`# Commands

Data goes to stdout, messages go to stderr. With ` + "`--json`" + ` the data is one JSON value; ` + "`slipway schema COMMAND`" +
		` writes its JSON Schema,
and [schema.json](../cmd/slipway/schema.json) holds all of them. This page is made from the commands themselves:
` + "`go test ./cmd/slipway -run TestReference -update`" + `.

## Exit codes

` + exitCodes + `
With ` + "`--json`" + ` a command that fails before it has a result writes ` + "`{\"error\": {\"message\", \"kind\", \"code\"}}`" + ` to
stdout; the message is also on stderr. The schema is ` + "`slipway schema error`" + `.

## Progress

On a terminal of at least 60 columns each component has a line that says what it is doing and for how
long. With ` + "`--live`" + ` it also says how long such a step usually takes. Elsewhere each component gets
a line when it is done, and every 30 seconds a line says what is in progress.
` + "`-v`" + ` shows every resource, ` + "`-q`" + ` no progress and no messages.
` + "`NO_COLOR`" + ` and ` + "`TERM=dumb`" + ` are respected.

## Completion

` + "`slipway completion bash`" + ` (or zsh, fish, powershell) writes a script that completes commands, flags, stacks, releases and outputs.
` + "`slipway completion bash --help`" + ` says where your shell looks for it. For one session of bash, which needs the package bash-completion:

` + "```sh\nsource <(slipway completion bash)\n```" + `

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
			fmt.Fprintf(&b, "%s\n\nUsage: `%s`\n", plain.Replace(words), strings.TrimSuffix(cmd.UseLine(), " [flags]"))
			if cmd.Example != "" {
				fmt.Fprintf(&b, "\n```sh\n%s\n```\n", examples(cmd))
			}
			if table := flagsMarkdown(cmd.LocalNonPersistentFlags()); table != "" {
				b.WriteString("\n" + table)
			}
			if _, err := schemas.Of(name); err == nil {
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

// examples are a command's examples without the indent that its help gives them. What the help says beside one is a comment.
func examples(cmd *cobra.Command) string {
	var lines []string
	for _, line := range strings.Split(cmd.Example, "\n") {
		lines = append(lines, beside.ReplaceAllString(strings.TrimPrefix(line, "  "), "$1  # $3"))
	}
	return strings.Join(lines, "\n")
}

// beside is an example with words after three spaces or more.
var beside = regexp.MustCompile(`^(.*\S)( {3,})(\S.*)$`)

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
