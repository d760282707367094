package main

import (
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// TestSuggestedCommandsWork finds the commands that messages suggest, in every package whose messages people see, and parses each
// with the command tree: the command exists, its flags and arguments are right, and none that it needs is missing.
func TestSuggestedCommandsWork(t *testing.T) {
	seen := map[string]bool{}
	for _, dir := range []string{".", "../../operation", "../../operation/*", "../../operation/account/*", "../../engine", "../../release",
		"../../verdict",
		"../../config", "../../drift", "../../bootstrap", "../../rehearsal/containers", "../../screen", "../../diagnosis"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			for _, message := range messages(t, file) {
				for _, words := range suggestions(message) {
					seen[words] = true
					if err := parse(words); err != nil {
						t.Errorf("%s suggests what does not work: %s: %v", file, words, err)
					}
				}
			}
		}
	}
	if len(seen) < 15 {
		t.Errorf("only %d commands were found: %v", len(seen), seen)
	}
}

// The test above must refuse what does not work.
func TestSuggestionsAreChecked(t *testing.T) {
	for message, want := range map[string][]string{
		"begin with: slipway up%s":                               {"slipway up --stack dev --live"},
		"Next:\n  slipway preview%[1]s --config a.b=6    what":   {"slipway preview --stack dev --live --config a.b=6"},
		"name a release (slipway releases%[3]s), or: slipway up": {"slipway releases --stack dev --live", "slipway up"},
		"slipway %s, process %d on %s":                           nil,
		"to the database: slipway db psql%[2]s":                  {"slipway db psql --stack dev --live"},
		"a folder of slipway":                                    nil,
	} {
		if got := suggestions(message); !slices.Equal(got, want) {
			t.Errorf("%q suggests %q, want %q", message, got, want)
		}
	}
	for _, wrong := range []string{"slipway lift", "slipway up --stak dev", "slipway up dev", "slipway promote --from dev",
		"slipway up --config",
		"slipway job"} {
		if parse(wrong) == nil {
			t.Errorf("%s passes", wrong)
		}
	}
}

// messages are the texts of a file, those that are joined by + in one piece. Help and examples are commands' own.
func messages(t *testing.T, file string) []string {
	t.Helper()
	parsed, err := parser.ParseFile(gotoken.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	var joined func(ast.Expr) (string, bool)
	joined = func(e ast.Expr) (string, bool) {
		switch e := e.(type) {
		case *ast.BasicLit:
			text, err := strconv.Unquote(e.Value)
			return text, err == nil && e.Kind == gotoken.STRING
		case *ast.BinaryExpr:
			left, isLeft := joined(e.X)
			right, isRight := joined(e.Y)
			if !isRight {
				right = "x"
			}
			return left + right, isLeft && e.Op == gotoken.ADD
		}
		return "", false
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		e, ok := n.(ast.Expr)
		if !ok {
			return true
		}
		if text, ok := joined(e); ok {
			all = append(all, text)
			return false
		}
		return true
	})
	return all
}

var (
	suggested = regexp.MustCompile(`\bslipway (--help|[a-z]+)(%(\[\d\])?s)?(( ("[^"]*"|'[^']*'|[^\s;:,()"` + "`" + `]+))*)`)
	flagsVerb = regexp.MustCompile(`%(\[\d\])?s`)
	afterWord = regexp.MustCompile(`([a-z])%(\[\d\])?s`) // Target.Flags after the command of a command
)

// suggestions are the commands in a message, with values in the place of its verbs.
func suggestions(message string) []string {
	var names []string
	for _, cmd := range rootCommand(unused()).Commands() {
		names = append(names, cmd.Name())
	}
	var all []string
	for _, m := range suggested.FindAllStringSubmatch(message, -1) {
		if !slices.Contains(names, m[1]) && m[1] != "--help" {
			continue
		}
		words := "slipway " + m[1]
		if m[2] != "" { // Target.Flags has a space of its own
			words += " --stack dev --live"
		}
		words += flagsVerb.ReplaceAllString(afterWord.ReplaceAllString(m[4], "$1 --stack dev --live"), "x")
		words, _, _ = strings.Cut(words, " | ")
		words, _, _ = strings.Cut(words, " > ")
		if strings.Contains(message, "<!--") { // a mark in Markdown
			continue
		}
		all = append(all, strings.TrimRight(words, "."))
	}
	return all
}

// parse says what is wrong with a command line.
func parse(line string) error {
	line = strings.NewReplacer(`"ci github"`, "ci github").Replace(line)
	root := rootCommand(unused())
	root.InitDefaultHelpFlag()
	cmd, rest, err := root.Find(strings.Fields(line)[1:])
	if err != nil {
		return err
	}
	if err := cmd.ParseFlags(rest); err != nil && err != pflag.ErrHelp {
		return err
	}
	if err := cmd.ValidateArgs(cmd.Flags().Args()); err != nil {
		return err
	}
	return cmd.ValidateRequiredFlags()
}
