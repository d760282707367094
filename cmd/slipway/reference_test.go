package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/spf13/cobra"
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
	schema, err := schemaOf(args[0])
	ts.Check(err)
	ts.Check(conform(schema, []byte(ts.ReadFile(args[1]))))
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

// writesNone are the commands that have no JSON of their own: export writes Pulumi's, schema a JSON Schema.
var writesNone = map[string]bool{"export": true, "schema": true, "help": true}

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
		schema, err := schemaOf(name)
		if err != nil {
			t.Error(err)
			return
		}
		for _, wrong := range []string{`[[]]`, `"x"`, `null`, `[{"stack":"dev","surprise":1}]`} {
			if conform(schema, []byte(wrong)) == nil {
				t.Errorf("the schema of %s takes %s", name, wrong)
			}
		}
		if name != "outputs" && conform(schema, []byte(`{"stack":"dev","surprise":1}`)) == nil {
			t.Errorf("the schema of %s takes anything", name)
		}
	}
	each(new(tool).command())
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
		t.Error("it holds what the command has no use for")
	}
	out.Reset()
	if code := execute([]string{"schema", "--", "-stack"}, &out, &words); code != exitUsage || out.Len() > 0 || !strings.Contains(words.String(), "these do: bootstrap, ci github, comment") {
		t.Errorf("exit %d: %s%s", code, out.String(), words.String())
	}
}
