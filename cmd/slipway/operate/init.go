package operate

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"slipway/check"
	"slipway/cmd/slipway/commandline"
	"slipway/operation"
	"slipway/operation/setup"
	"slipway/screen"
)

func initCommand(t *Tools) *cobra.Command {
	var stacks, answers []string
	cmd := &cobra.Command{
		Use:   "init [PATH]",
		Short: "Read a Django project, and write the configuration of its stacks",
		Long: `Init reads the Django project in PATH, or in the current folder, shows what it found and where, asks about doubtful points, and
writes Pulumi.yaml, a file for each stack and lines of .gitignore. It changes no other file. Run it again after the project
changed: it shows the difference, asks first, and only adds what is missing. Without a terminal, --yes takes the defaults.`,
		Example: "  slipway init\n  slipway init --yes --stacks dev,prod\n  slipway init --answer packages=yes --yes",
		Args:    commandline.AtMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c := initialization{Tools: t, cmd: cmd}
			o, err := c.options(args, stacks, answers)
			if err != nil {
				return err
			}
			result, err := setup.Run(cmd.Context(), o)
			if err != nil {
				return err
			}
			return t.Print(result, func() { c.write(result) })
		},
	}
	cmd.Flags().StringSliceVar(&stacks, "stacks", []string{"dev"}, "the `stacks` beside local: dev, staging, prod or others")
	cmd.Flags().StringArrayVar(&answers, "answer", nil, "the answer to a question, as `ID=VALUE`; may be repeated")
	return cmd
}

// An initialization is one run of init.
type initialization struct {
	*Tools
	cmd   *cobra.Command
	shown bool // what was found
}

func (c *initialization) options(args, stacks, answers []string) (setup.Options, error) {
	o := setup.Options{Answers: map[string]string{}}
	if len(args) > 0 {
		o.Path = args[0]
	}
	for _, name := range stacks {
		if err := operation.CheckStackName(name); err != nil {
			return o, operation.UsageError{Err: fmt.Errorf("--stacks: %w", err)}
		}
		if name != operation.DefaultStack && !slices.Contains(o.Stacks, name) {
			o.Stacks = append(o.Stacks, name)
		}
	}
	for _, one := range answers {
		id, value, is := strings.Cut(one, "=")
		if !is {
			return o, operation.UsageError{Err: fmt.Errorf("--answer %s: write ID=VALUE", one)}
		}
		o.Answers[id] = value
	}
	if !c.Yes() {
		o.Ask, o.Confirm = c.question, c.confirm
	}
	return o, nil
}

// found shows what was found, once.
func (c *initialization) found(on screen.Terminal, facts []check.Fact) {
	if c.shown {
		return
	}
	c.shown = true
	var places []screen.Place
	for _, f := range facts {
		places = append(places, screen.Place{What: f.What, Value: f.Value, File: where(f.File, f.Line)})
	}
	verbose, _ := c.cmd.Flags().GetBool("verbose")
	on.WritePlaces("Found:", places, verbose)
}

func where(file string, line int) string {
	if line == 0 {
		return file
	}
	return fmt.Sprintf("%s:%d", file, line)
}

// question shows what was found and asks until the answer is one of the choices.
func (c *initialization) question(found []check.Fact, q check.Question) (string, error) {
	text := q.Text
	if at := where(q.File, q.Line); at != "" {
		text = at + ": " + text
	}
	if len(q.Choices) > 0 {
		text += " " + strings.Join(q.Choices, "/")
	}
	if q.Default != "" {
		text += " [" + q.Default + "]"
	}
	if commandline.Interactive() {
		c.found(c.Words, found)
	}
	for {
		answer, err := c.Ask(text + " ")
		switch {
		case err != nil:
			return "", err
		case c.cmd.Context().Err() != nil:
			return "", c.cmd.Context().Err()
		case answer == "":
			return q.Default, nil
		case len(q.Choices) == 0 || slices.Contains(q.Choices, answer):
			return answer, nil
		}
		near := slices.DeleteFunc(slices.Clone(q.Choices), func(choice string) bool { return !strings.HasPrefix(choice, answer) })
		if len(near) == 1 {
			return near[0], nil
		}
		c.Say("%s is none of: %s", answer, strings.Join(q.Choices, ", "))
	}
}

// confirm shows how files would change, and asks.
func (c *initialization) confirm(r *setup.Result) (bool, error) {
	c.files(c.Words, r)
	answer, err := c.Ask("Type yes to change these files: ")
	if err != nil {
		return false, fmt.Errorf("files exist and would change: %w; nothing was written\nto change them, run: slipway init --yes", err)
	}
	return answer == "yes", c.cmd.Context().Err()
}

func (c *initialization) files(on screen.Terminal, r *setup.Result) {
	var names [][2]string
	var diffs []string
	for _, f := range r.Files {
		if names = append(names, [2]string{f.Did, f.Name}); r.Files[0].Did == setup.Created { // there is nothing to lose
			f.Diff = ""
		}
		diffs = append(diffs, f.Diff)
	}
	on.WriteFiles(names, diffs)
}

// write shows what was done and what is left.
func (c *initialization) write(r *setup.Result) {
	c.found(c.Data, r.Found)
	c.files(c.Data, r)
	var kept, todo []screen.Place
	for _, k := range r.Kept {
		kept = append(kept, screen.Place{What: fmt.Sprintf("%s is %s; the project suggests %s", k.Key, k.Value, k.Found),
			File: where(k.File, k.Line)})
	}
	for _, one := range r.Todo {
		todo = append(todo, screen.Place{What: one.What, File: where(one.File, one.Line)})
	}
	c.Data.WriteTasks("Kept as it is:", kept)
	c.Data.WriteTasks("To do:", todo)
	if n := len(r.Optional); n > 0 {
		fmt.Fprintf(c.Stdout, "\n%d more variables have defaults in the code; slipway init --json lists them.\n", n)
	}
	to := ""
	if here, err := os.Getwd(); err == nil {
		if at, err := filepath.Abs(r.Path); err == nil && at != here {
			to = " -C " + commandline.Quoted(r.Path)
		}
	}
	next := "slipway" + to + " up"
	if r.Unread {
		next = "correct the settings, and run init again: nothing could be read from them"
	}
	fmt.Fprintf(c.Stdout, "\nNext: %s\n", next)
}
