// Package commandline makes command lines exact: what is wrong with one is a usage error that names what was probably meant, and
// a command in a message can be run as it is written.
package commandline

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"slipway/operation"
)

// suggestion is a command of slipway in a message. "slipway up, process 12 on host" names a run, and suggests nothing.
var suggestion = regexp.MustCompile(`\bslipway (--help|[a-z]+)\b(, process |: \S+@)?`)

// Runnable makes the commands in a message those that work as written where this program was started: under the name program, where
// slipway may not be on the PATH, and with -C dir, unless that is "".
func Runnable(words, program, dir string, commands []string) string {
	name := programName(program)
	if dir != "" {
		name += " -C " + Quoted(dir)
	}
	if name == "slipway" {
		return words
	}
	return suggestion.ReplaceAllStringFunc(words, func(found string) string {
		match := suggestion.FindStringSubmatch(found)
		if match[2] != "" || match[1] != "--help" && !slices.Contains(commands, match[1]) {
			return found
		}
		return name + strings.TrimPrefix(found, "slipway")
	})
}

// programName is how this program was started, as far as it knows.
func programName(arg string) string {
	switch dir := filepath.ToSlash(filepath.Dir(arg)); {
	case strings.Contains(dir, "/go-build") && (strings.HasSuffix(dir, "/exe") || strings.HasSuffix(dir, "-d")): // the second: from its cache
		return "go run ./cmd/slipway"
	case filepath.Base(arg) == arg || strings.HasSuffix(filepath.Base(arg), ".test"):
		return "slipway"
	}
	return Quoted(arg)
}

// Quoted is a word for a shell.
func Quoted(word string) string {
	if word != "" && !strings.ContainsFunc(word, func(r rune) bool { return !strings.ContainsRune(plainInShell, r) }) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

const plainInShell = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:@+=,%"

// AsksForJSON finds --json also on a command line that cannot be understood: what is wrong with that is written as JSON too.
func AsksForJSON(args []string) bool {
	for _, arg := range args {
		if arg == "--" {
			return false
		}
		if arg == "--json" || arg == "--json=true" {
			return true
		}
	}
	return false
}

// FlagError names the flag that an unknown one is like.
func FlagError(cmd *cobra.Command, err error) error {
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

// HelpCommand is cobra's, but what it does not know is a usage error.
func HelpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Show what a command does",
		RunE: func(cmd *cobra.Command, args []string) error {
			found, rest, err := cmd.Root().Find(args)
			if err == nil && len(rest) > 0 {
				err = None(found, rest)
			}
			if err != nil {
				return operation.UsageError{Err: err}
			}
			found.InitDefaultHelpFlag()
			return found.Help()
		},
	}
}

// None refuses arguments: of a command with others below it, one that is not known; of any other, one that may be the stack.
func None(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return nil
	case cmd.HasAvailableSubCommands():
		words := fmt.Sprintf("unknown command %q", strings.TrimPrefix(cmd.CommandPath()+" "+args[0], "slipway "))
		cmd.SuggestionsMinimumDistance = 2
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			words += ": did you mean " + strings.Join(near, " or ") + "?"
		}
		return errors.New(words)
	}
	words := fmt.Sprintf("%s takes no such argument: %q", strings.TrimPrefix(cmd.CommandPath(), "slipway "), args[0])
	if root, err := operation.FindRoot(); err == nil {
		if stacks, err := operation.StackNames(root); err == nil && slices.Contains(stacks, args[0]) {
			words += ": did you mean --stack " + args[0] + "?"
		}
	}
	return errors.New(words)
}

// AtLeast refuses fewer than n arguments. What the arguments are stands in the command's usage.
func AtLeast(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < n {
			name := strings.TrimPrefix(cmd.CommandPath(), "slipway ")
			return fmt.Errorf("%s needs more arguments: slipway %s", name, strings.TrimSuffix(strings.TrimPrefix(cmd.UseLine(), "slipway "), " [flags]"))
		}
		return nil
	}
}

// Exactly refuses fewer and more than n arguments.
func Exactly(n int) cobra.PositionalArgs { return cobra.MatchAll(AtLeast(n), AtMost(n)) }

// AtMost refuses more than n arguments.
func AtMost(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > n {
			return None(cmd, args[n:])
		}
		return nil
	}
}
