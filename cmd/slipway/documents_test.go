package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"go/types"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"mvdan.cc/sh/v3/syntax"
)

// repository is the folder of the documents, from this one.
const repository = "../.."

// A fence is a fenced block of a document.
type fence struct {
	language string
	section  int // the number of headings before it
	line     int // of its first line
	body     string
}

// A document is a Markdown file of the repository.
type document struct {
	name   string // README.md, docs/ci.md
	text   string
	fences []fence
}

// documents are all Markdown files with text for users or developers.
func documents(t *testing.T) []document {
	t.Helper()
	var all []document
	for _, pattern := range []string{"*.md", "*/*.md"} {
		files, err := filepath.Glob(filepath.Join(repository, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			name, err := filepath.Rel(repository, file)
			if err != nil {
				t.Fatal(err)
			}
			d := document{name: filepath.ToSlash(name), text: string(data)}
			if d.fences, err = fences(d.text); err != nil {
				t.Errorf("%s: %v", d.name, err)
			}
			all = append(all, d)
		}
	}
	if len(all) < 15 {
		t.Fatalf("only %d documents", len(all))
	}
	return all
}

// languages are what a fence may hold. A fence without a language could hide a command from the tests.
var languages = []string{"sh", "text", "yaml", "json", "mermaid"}

func fences(text string) ([]fence, error) {
	var all []fence
	var open *fence
	section := 0
	for i, line := range strings.Split(text, "\n") {
		mark, isMark := strings.CutPrefix(strings.TrimSpace(line), "```")
		switch {
		case open != nil && isMark:
			all = append(all, *open)
			open = nil
		case open != nil:
			open.body += line + "\n"
		case isMark && !slices.Contains(languages, mark):
			return nil, fmt.Errorf("line %d: a fence of language %q; it must be one of %v", i+1, mark, languages)
		case isMark:
			open = &fence{language: mark, section: section, line: i + 2}
		case strings.HasPrefix(line, "#"):
			section++
		}
	}
	if open != nil {
		return nil, fmt.Errorf("line %d: the fence does not end", open.line)
	}
	return all, nil
}

// A documented command is one simple command of a fence, without its shell.
type documented struct {
	words []string
	out   string // the file that its output goes to
}

// commandsIn parses a fence as bash does.
func commandsIn(f fence) ([]documented, error) {
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(f.body), "")
	if err != nil {
		return nil, err
	}
	var all []documented
	syntax.Walk(file, func(node syntax.Node) bool {
		stmt, ok := node.(*syntax.Stmt)
		if !ok {
			return true
		}
		var words []*syntax.Word
		switch cmd := stmt.Cmd.(type) {
		case *syntax.CallExpr:
			words = cmd.Args
		case *syntax.DeclClause: // export
			all = append(all, documented{words: []string{cmd.Variant.Value}})
		}
		if len(words) == 0 {
			return true
		}
		var d documented
		for _, w := range words {
			d.words = append(d.words, plainWord(w))
		}
		for _, r := range stmt.Redirs {
			if r.Op == syntax.RdrOut {
				d.out = plainWord(r.Word)
			}
		}
		all = append(all, d)
		return true
	})
	return all, nil
}

// plainWord is a word without its quotes. What the shell would put in its place stays as it is written.
func plainWord(w *syntax.Word) string {
	var b strings.Builder
	var write func(parts []syntax.WordPart)
	write = func(parts []syntax.WordPart) {
		for _, part := range parts {
			switch part := part.(type) {
			case *syntax.Lit:
				b.WriteString(strings.ReplaceAll(part.Value, `\`, ""))
			case *syntax.SglQuoted:
				b.WriteString(part.Value)
			case *syntax.DblQuoted:
				write(part.Parts)
			default:
				_ = syntax.NewPrinter().Print(&b, part)
			}
		}
	}
	write(w.Parts)
	return b.String()
}

// ours are the arguments of slipway, if it is the command.
func (d documented) ours() ([]string, bool) {
	for _, form := range [][]string{{"slipway"}, {"bin/slipway"}, {"go", "run", "./cmd/slipway"}} {
		if len(d.words) >= len(form) && slices.Equal(d.words[:len(form)], form) {
			return d.words[len(form):], true
		}
	}
	return nil, false
}

// inlineCommand is a command of slipway in the text of a document.
var inlineCommand = regexp.MustCompile("`slipway ([a-z][^`]*)`")

// TestDocumentedCommandsExist parses every command of the documents with the command tree, and looks the other programs up in a
// list. It runs nothing.
func TestDocumentedCommandsExist(t *testing.T) {
	used, count := map[string]bool{}, 0
	for _, d := range documents(t) {
		for _, f := range d.fences {
			if f.language != "sh" {
				continue
			}
			commands, err := commandsIn(f)
			if err != nil {
				t.Errorf("%s:%d: %v", d.name, f.line, err)
			}
			for _, c := range commands {
				count++
				args, ok := c.ours()
				if ok {
					err = parseDocumented(args)
				} else {
					err = foreign(c.words, filepath.Dir(d.name), used)
				}
				if err != nil {
					t.Errorf("%s:%d: %s: %v", d.name, f.line, strings.Join(c.words, " "), err)
				}
			}
		}
		for _, m := range inlineCommand.FindAllStringSubmatch(d.text, -1) {
			count++
			commands, err := commandsIn(fence{body: "slipway " + strings.NewReplacer("[", "", "]", "", "...", "").Replace(m[1])})
			if err == nil && len(commands) > 0 {
				err = parseInline(commands[0].words[1:])
			}
			if err != nil {
				t.Errorf("%s: %s: %v", d.name, m[0], err)
			}
		}
	}
	for _, o := range others {
		if !used[o.command] {
			t.Errorf("no document has the command %q any more", o.command)
		}
	}
	if count < 150 {
		t.Errorf("only %d commands were found", count)
	}
}

// The test above must refuse what does not work.
func TestDocumentedCommandsAreChecked(t *testing.T) {
	for _, wrong := range []string{"lift", "up --stak dev", "up dev", "promote --from dev", "up --config", "up --stack nowhere",
		"promote --from dev --to nowhere", "outputs --show-secret"} {
		if parseDocumented(strings.Fields(wrong)) == nil {
			t.Errorf("slipway %s passes", wrong)
		}
	}
	for _, wrong := range []string{"pulumi up", "pulumi config set --plaintext x", "terraform apply", ".ci/nothing", "go test ./nowhere",
		"go test ./cmd/slipway -run TestNothingOfThisName", "go run ./cmd/other"} {
		if foreign(strings.Fields(wrong), ".", map[string]bool{}) == nil {
			t.Errorf("%s passes", wrong)
		}
	}
	for _, wrong := range []string{"```\nslipway up\n```\n", "```sh\nslipway up\n", "```console\n$ slipway up\n```\n"} {
		if all, err := fences(wrong); err == nil {
			t.Errorf("%q passes as %v", wrong, all)
		}
	}
	found, err := commandsIn(fence{body: "x=1 slipway up --config 'a.b=\"5\"' \\\n  --json | jq -r .url   # why\n" +
		"ls $(slipway outputs --json) > file\n"})
	if err != nil || len(found) != 4 || found[0].words[3] != `a.b="5"` || found[2].out != "file" || found[3].words[1] != "outputs" {
		t.Errorf("%q, %v", found, err)
	}
}

func documentTree() *cobra.Command {
	root := rootCommand(unused())
	root.InitDefaultHelpFlag()
	return root
}

// parseInline is parseDocumented for a command that only names what the text is about: arguments may be missing.
func parseInline(args []string) error {
	cmd, rest, err := documentTree().Find(args)
	if err != nil {
		return err
	}
	err = cmd.ParseFlags(rest)
	if missing := new(pflag.ValueRequiredError); errors.Is(err, pflag.ErrHelp) || errors.As(err, &missing) {
		return nil
	}
	return err
}

// parseDocumented says what is wrong with the arguments of slipway.
func parseDocumented(args []string) error {
	cmd, rest, err := documentTree().Find(args)
	if err != nil {
		return err
	}
	if err := cmd.ParseFlags(rest); err != nil {
		if errors.Is(err, pflag.ErrHelp) {
			return nil
		}
		return err
	}
	if err := errors.Join(cmd.ValidateArgs(cmd.Flags().Args()), cmd.ValidateRequiredFlags(), cmd.ValidateFlagGroups()); err != nil {
		return err
	}
	for _, name := range []string{"stack", "from", "to", "confirm"} {
		if f := cmd.Flag(name); f != nil && f.Changed {
			if _, err := os.Stat(filepath.Join(repository, "Pulumi."+f.Value.String()+".yaml")); err != nil {
				return fmt.Errorf("--%s names no stack of the project: %w", name, err)
			}
		}
	}
	return nil
}

// An other is a program that is not slipway, with the flags that the documents use and the reason why no test here runs it.
type other struct {
	command string // with its subcommands
	flags   string
	why     string
}

const (
	needsAWS   = "it needs an AWS account"
	needsSite  = ".ci/site runs the containers and the site's own tests"
	isTest     = "it is a test, or measures"
	isShell    = "the shell does it"
	noDatabase = "it needs a database in AWS"
)

var others = []other{
	{"git clone", "", ".ci/readme runs it"},
	{"curl", "-fL", "no release is published yet; .ci/binary tests the file"}, {"sudo mv", "", "it writes to the system"},
	{"uname", "-s -m", isShell}, {"tr", "", isShell}, {"sed", "", isShell}, {"tar", "-xz", "it needs the file; .ci/binary has it"},
	{"aws iam put-role-policy", "--role-name --policy-name --policy-document", needsAWS},
	{"cd", "", isShell}, {"export", "", isShell}, {"mktemp", "-d", isShell}, {"source", "", isShell},
	{"git commit", "", "it commits to the user's own repository"},
	{"go install", "", "it writes to the user's home; .ci/readme runs the same build"},
	{"go run ./cmd/sandbox", "--github", needsAWS + "; the tests of package sandbox run it"},
	{"go test", "-update -run -bench -benchtime -fuzz -fuzztime -timeout -parallel", isTest},
	{".ci/run", "", isTest}, {".ci/conformance", "", isTest}, {"app/load.sh", "", isTest}, {"bash", "-c", isTest},
	{"aws ecr batch-delete-image", "--repository-name --image-ids", needsAWS}, {"aws ssm delete-parameter", "--name", needsAWS},
	{"aws s3 cp", "--recursive", needsAWS},
	{"aws ssm get-parameter", "--with-decryption --name --query --output", needsAWS},
	{"aws ecs update-service", "--cluster --service --desired-count", needsAWS},
	{"aws rds describe-db-instances", "--query", needsAWS},
	{"aws rds restore-db-instance-to-point-in-time", "--source-db-instance-identifier --target-db-instance-identifier --restore-time " +
		"--db-subnet-group-name --vpc-security-group-ids --db-parameter-group-name", needsAWS},
	{"aws rds wait db-instance-available", "--db-instance-identifier", needsAWS},
	{"aws rds delete-db-instance", "--db-instance-identifier --skip-final-snapshot", needsAWS},
	{"aws ce get-cost-and-usage", "--time-period --granularity --metrics --filter --group-by", needsAWS},
	{"pg_dump", "--host --username --format --file", noDatabase},
	{"pg_restore", "--host --username --dbname --clean --if-exists --single-transaction", noDatabase},
	{"gzip", "-dc", "it needs an archive; logging's tests check its format"},
	{"jq", "-r -rR", "the command before it is run, and its JSON is checked against its schema"},
	{"gh api", "--jq", "it needs a repository on GitHub"},
	{"docker compose up", "--build", needsSite}, {"docker compose exec", "", needsSite},
	{"app/debian-base.sh", "", needsSite}, {"./test.sh", "", needsSite}, {"npm ci", "--prefix --no-bin-links", needsSite},
	{"node browser/visit.mjs", "", needsSite},
	{"./lock.sh", "", "it asks PyPI"},
}

// foreign says what is wrong with a command that is not slipway's. Programs and folders of the repository must exist, and so
// must the tests that "go test" names.
func foreign(words []string, dir string, used map[string]bool) error {
	line := strings.Join(words, " ") + " "
	i := slices.IndexFunc(others, func(o other) bool { return strings.HasPrefix(line, o.command+" ") })
	if i < 0 {
		return errors.New("the command is not in the list of programs; others in documents_test.go")
	}
	used[others[i].command] = true
	allowed := strings.Fields(others[i].flags)
	for _, word := range words {
		if name, _, _ := strings.Cut(word, "="); strings.HasPrefix(name, "-") && !slices.Contains(allowed, name) {
			return fmt.Errorf("the flag %s is not in the list; others in documents_test.go", name)
		}
	}
	if strings.Contains(words[0], "/") {
		_, here := os.Stat(filepath.Join(repository, words[0]))
		_, beside := os.Stat(filepath.Join(repository, dir, words[0]))
		if here != nil && beside != nil {
			return here
		}
	}
	if words[0] != "go" {
		return nil
	}
	folder := ""
	for _, word := range words[2:] {
		if strings.HasPrefix(word, "./") && word != "./..." {
			folder = filepath.Join(repository, word)
			if _, err := os.Stat(folder); err != nil {
				return err
			}
		}
	}
	for i, word := range words[:len(words)-1] {
		if pattern := words[i+1]; slices.Contains([]string{"-run", "-bench", "-fuzz"}, word) && pattern != "^$" {
			if err := testExists(folder, pattern); err != nil {
				return err
			}
		}
	}
	return nil
}

func testExists(folder, pattern string) error {
	pattern, _, _ = strings.Cut(pattern, "/")
	want, err := regexp.Compile(pattern)
	if err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	if err != nil {
		return err
	}
	function := regexp.MustCompile(`(?m)^func ((?:Test|Benchmark|Fuzz)(\w*))\(`)
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		for _, m := range function.FindAllStringSubmatch(string(data), -1) {
			if want.MatchString(m[1]) {
				return nil
			}
		}
	}
	return fmt.Errorf("no test, benchmark or fuzz test of %s matches %s", folder, pattern)
}

// unrun is the reason why a command of slipway is not run against the rehearsal; "" if it is.
func unrun(args []string) string {
	has := func(word string) bool { return slices.Contains(args, word) }
	switch {
	case has("--run"), slices.Contains([]string{"exec", "task", "job", "shell", "db", "logs"}, args[0]):
		return "it needs Docker; TestRun runs it"
	case has("--follow"), has("--watch"):
		return "it does not end; TestRun and the scripts interrupt it"
	case args[0] == "secret" && has("set"):
		return "it asks for the value; the scripts secrets and live/secret give one"
	case has("--post"):
		return "it writes to GitHub; TestComment does, to a server of its own"
	case has("--restore-state"), has("--force"), has("--made"):
		return "it needs a live stack with a damaged state or a lock; the scripts of TestLive have one"
	}
	return ""
}

// TestDocuments runs the commands of the documents against the rehearsal, each document in a folder of its own, and compares what
// they print with the samples. Only the README is run without SLIPWAY_SCRIPTS=further.
func TestDocuments(t *testing.T) {
	ran := 0
	for _, d := range documents(t) {
		if d.name != "README.md" && os.Getenv("SLIPWAY_SCRIPTS") != "further" {
			continue
		}
		r := &reader{document: d, up: map[string]bool{}}
		script := r.script(t)
		if len(r.commands) == 0 {
			continue
		}
		ran += len(r.commands)
		file := filepath.Join(t.TempDir(), strings.NewReplacer("/", "-", ".md", ".txtar").Replace(d.name))
		if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			testscript.Run(t, testscript.Params{
				Files: []string{file},
				Setup: furnish,
				Cmds: map[string]func(*testscript.TestScript, bool, []string){
					"unlink": unlink, "read": r.read, "prints": r.prints,
				},
			})
		})
	}
	if ran < 10 {
		t.Errorf("only %d commands were run", ran)
	}
}

// A reader does what a document says.
type reader struct {
	document document
	commands []documented    // that are run, by the number that the script calls them by
	up       map[string]bool // stacks
	changed  int             // how often the app was changed
	printed  strings.Builder // since the last sample
}

// script is the document as a script: "read N" runs command N, "prints N" compares with sample N.
func (r *reader) script(t *testing.T) string {
	var b strings.Builder
	b.WriteString("unlink app\n")
	before := -1 // the section of the last command
	for n, f := range r.document.fences {
		fmt.Fprintf(&b, "# %s, line %d\n", r.document.name, f.line)
		if f.language == "text" && f.section == before {
			fmt.Fprintf(&b, "prints %d\n", n)
		}
		if f.language != "sh" {
			continue
		}
		commands, err := commandsIn(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range commands {
			if args, ok := c.ours(); ok && unrun(args) == "" {
				before = f.section
				fmt.Fprintf(&b, "read %d\n", len(r.commands))
				r.commands = append(r.commands, c)
			}
		}
	}
	return b.String()
}

var releaseForm = regexp.MustCompile(`^(RELEASE|\d{8}-\d{6}-[0-9a-f]{7})$`)

// read NUMBER runs a command of the document without --live. What the page takes for granted is made first: a stack that is up,
// an earlier release.
func (r *reader) read(ts *testscript.TestScript, _ bool, args []string) {
	var number int
	_, err := fmt.Sscan(args[0], &number)
	ts.Check(err)
	c := r.commands[number]
	words, _ := c.ours()
	words = slices.DeleteFunc(slices.Clone(words), func(word string) bool { return word == "--live" })
	stack := "local"
	for i, word := range words[:len(words)-1] {
		if word == "--stack" || word == "--from" {
			stack = words[i+1]
		}
	}
	if words[0] == "init" { // in a project of its own: the sample site has a configuration
		project := ts.MkAbs("project")
		ts.Check(os.RemoveAll(project))
		ts.Check(os.CopyFS(project, os.DirFS(filepath.Join(repository, ".ci", "startproject"))))
		words = append([]string{"-C", project}, append(words, "--yes")...)
	}
	r.prepare(ts, words, stack)
	for i, word := range words {
		if releaseForm.MatchString(word) {
			words[i] = firstRelease(ts, stack)
		}
	}
	// The user types the name where the command asks for it. Nothing in the README loses data but destroy.
	asks := words[0] == "destroy" || words[0] == "up" && r.document.name != "README.md"
	if asks && !slices.Contains(words, "--confirm") {
		words = append(words, "--confirm", stack)
	}
	// A change that is tried may make the stack unfit; that is what the page says it is for.
	tries := slices.ContainsFunc(words, func(word string) bool { return strings.HasPrefix(word, "--with") })
	unfit := func() bool {
		return strings.Contains(ts.ReadFile("stdout"), "is not fit to be deployed") || strings.Contains(ts.ReadFile("stderr"), "the answer is no")
	}
	if err := ts.Exec("slipway", words...); err != nil && !(tries && unfit()) {
		ts.Fatalf("%s: %v", strings.Join(c.words, " "), err)
	}
	r.printed.WriteString(ts.ReadFile("stdout") + ts.ReadFile("stderr"))
	if c.out != "" {
		ts.Check(os.WriteFile(ts.MkAbs(c.out), []byte(ts.ReadFile("stdout")), 0o600))
	}
	switch words[0] {
	case "up":
		r.up[stack] = true
	case "destroy":
		r.up[stack] = false
	}
}

// prepare makes what a command needs. The README says itself how to bring up the stack that it is read with.
func (r *reader) prepare(ts *testscript.TestScript, words []string, stack string) {
	running := []string{"outputs", "export", "drift", "promote", "status", "doctor", "scale", "restart", "pause", "resume"}
	needsUp := slices.Contains(running, words[0]) ||
		slices.ContainsFunc(words, releaseForm.MatchString)
	if r.document.name == "README.md" && stack == "local" {
		return
	}
	deploy := func() {
		r.changed++
		ts.Check(os.WriteFile(ts.MkAbs("app/website/changed.txt"), fmt.Append(nil, r.changed), 0o600))
		ts.Check(ts.Exec("slipway", "up", "--stack", stack))
		r.up[stack] = true
	}
	if (needsUp || words[0] == "rollback") && !r.up[stack] {
		deploy()
	}
	if words[0] == "rollback" {
		deploy()
	}
}

// firstRelease is the oldest release of a stack.
func firstRelease(ts *testscript.TestScript, stack string) string {
	ts.Check(ts.Exec("slipway", "releases", "--stack", stack, "--json"))
	ts.Check(os.WriteFile(ts.MkAbs("history.json"), []byte(ts.ReadFile("stdout")), 0o600))
	return ledger(ts, "history.json").Releases[0].ID
}

// prints NUMBER checks that each line of a sample was printed since the last sample, apart from numbers and spaces. A line "..." is
// for lines that the sample leaves out.
func (r *reader) prints(ts *testscript.TestScript, _ bool, args []string) {
	var number int
	_, err := fmt.Sscan(args[0], &number)
	ts.Check(err)
	printed := map[string]bool{"...": true, "": true}
	for _, line := range strings.Split(r.printed.String(), "\n") {
		printed[withoutNumbers(line)] = true
	}
	for _, line := range strings.Split(r.document.fences[number].body, "\n") {
		if !printed[withoutNumbers(line)] {
			ts.Fatalf("%s: the sample has a line that was not printed: %s\nprinted was:\n%s", r.document.name, line, r.printed.String())
		}
	}
	r.printed.Reset()
}

var numbers = regexp.MustCompile(`\b[0-9a-f]{7,}\b|[0-9]+(\.[0-9]+)?(m?s|m[0-9.]+s)?`)

// withoutNumbers also leaves out the time of a component, which is not printed if it is below a second.
func withoutNumbers(line string) string {
	return strings.TrimSuffix(strings.Join(strings.Fields(numbers.ReplaceAllString(line, "#")), " "), ", #")
}

// TestTheReadmeBegins holds the README to two commands that do all of the set-up. .ci/readme runs them on a machine without a home.
func TestTheReadmeBegins(t *testing.T) {
	for _, d := range documents(t) {
		if d.name != "README.md" {
			continue
		}
		want := "git clone https://github.com/example/slipway && cd slipway\ngo run ./cmd/slipway up\n"
		if len(d.fences) == 0 || d.fences[0].language != "sh" || d.fences[0].body != want {
			t.Errorf("the README begins with %+v", d.fences[0])
		}
	}
}

// TestLinksOfDocuments checks that every link to a file, and to a heading in it, has a target.
func TestLinksOfDocuments(t *testing.T) {
	all := documents(t)
	headings := map[string][]string{}
	for _, d := range all {
		for _, line := range strings.Split(d.text, "\n") {
			if title, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && strings.HasPrefix(line, "#") {
				headings[d.name] = append(headings[d.name], anchor(title))
			}
		}
	}
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	count := 0
	for _, d := range all {
		for _, m := range link.FindAllStringSubmatch(d.text, -1) {
			target, part, hasPart := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			count++
			name := d.name
			if target != "" {
				name = filepath.ToSlash(filepath.Join(filepath.Dir(d.name), target))
			}
			if _, err := os.Stat(filepath.Join(repository, name)); err != nil {
				t.Errorf("%s: %s: %v", d.name, m[1], err)
			} else if hasPart && !slices.Contains(headings[name], part) {
				t.Errorf("%s: %s: the page has no such heading, only %q", d.name, m[1], headings[name])
			}
		}
	}
	if count < 60 {
		t.Errorf("only %d links", count)
	}
}

// anchor is how GitHub addresses a heading.
func anchor(title string) string {
	title = strings.ToLower(strings.TrimSpace(title))
	return strings.ReplaceAll(regexp.MustCompile(`[^\p{L}\p{N}\- ]`).ReplaceAllString(title, ""), " ", "-")
}

// TestDocumentsAreIndexed checks that docs/README.md leads to every page.
func TestDocumentsAreIndexed(t *testing.T) {
	index, err := os.ReadFile(filepath.Join(repository, "docs/README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range documents(t) {
		base := filepath.Base(d.name)
		if filepath.Dir(d.name) == "docs" && base != "README.md" && !strings.Contains(string(index), "]("+base) {
			t.Errorf("docs/README.md does not mention %s", base)
		}
	}
}

// others' messages of docs/troubleshooting.md: of AWS, Docker, Django, Postgres, Go, and of the libraries that Slipway is made of.
var foreignMessages = []string{
	"go run", "unknown command ...", "unknown flag: ...", "AddressLimitExceeded", "VpcLimitExceeded", "exec format error",
	"toomanyrequests", "failed to read downloaded context: ... invalid response status 403",
	`\r: not found`, "no such file or directory", "relation ... already exists",
	"Not authorized to perform sts:AssumeRoleWithWebIdentity",
}

// TestTroubleshooting checks that the messages in docs/troubleshooting.md are those of the code. What AWS says is in its last section.
func TestTroubleshooting(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(repository, "docs/troubleshooting.md"))
	if err != nil {
		t.Fatal(err)
	}
	text, _, found := strings.Cut(string(data), "\n## What AWS says\n")
	if !found {
		t.Fatal("the page has no section of what AWS says")
	}
	code := saidByCode(t)
	quotes, used, count := regexp.MustCompile("`([^`]+)`"), map[string]bool{}, 0
	for _, line := range strings.Split(text, "\n") {
		cells := strings.Split(line, " | ")
		if len(cells) != 3 {
			continue
		}
		for _, m := range quotes.FindAllStringSubmatch(cells[0], -1) {
			if slices.Contains(foreignMessages, m[1]) {
				used[m[1]] = true
				continue
			}
			count++
			if missing := unsaid(code, m[1]); missing != "" {
				t.Errorf("no message of the code has %q, of %q", missing, m[1])
			}
		}
	}
	for _, m := range foreignMessages {
		if !used[m] {
			t.Errorf("the page does not have %q", m)
		}
	}
	if count < 50 {
		t.Errorf("only %d messages", count)
	}
	if unsaid(code, "the configuration of stack ... is lovely") == "" || unsaid(code, "is in use by ...; wait for it to end") != "" {
		t.Error("a message that is not in the code passes, or one that is does not")
	}
}

// TestTroubleshootingOfBuildContexts checks that every refusal of a build context is in docs/troubleshooting.md by its words.
func TestTroubleshootingOfBuildContexts(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(repository, "docs/troubleshooting.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(data), "\n## Images and build contexts\n")
	section, _, _ = strings.Cut(section, "\n## ")
	files, err := filepath.Glob(filepath.Join(repository, "internal/image/*.go"))
	if err != nil {
		t.Fatal(err)
	}
	verbs, count := regexp.MustCompile(`%\w`), 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(gotoken.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			var says ast.Expr
			switch fun, _ := call.Fun.(*ast.SelectorExpr); {
			case fun == nil:
			case fun.Sel.Name == "refused":
				says = call.Args[1]
			case fun.Sel.Name == "Errorf", fun.Sel.Name == "New" && types.ExprString(fun.X) == "errors":
				says = call.Args[0]
			}
			if says == nil {
				return true
			}
			ast.Inspect(says, func(n ast.Node) bool {
				literal, ok := n.(*ast.BasicLit)
				if !ok || literal.Kind != gotoken.STRING {
					return true
				}
				text, _ := strconv.Unquote(literal.Value)
				for _, part := range verbs.Split(text, -1) {
					// errPointer is only compared, and never shown.
					if part = strings.Trim(part, " .:,"); len(part) < 8 || part == "a pointer of Git LFS" {
						continue
					}
					if count++; !strings.Contains(section, part) {
						t.Errorf("%s says %q, and the page does not have it", filepath.Base(file), part)
					}
				}
				return true
			})
			return true
		})
	}
	if count < 8 {
		t.Errorf("only %d messages were found", count)
	}
}

// unsaid is the first part of a message that no text of the code has. "..." stands for what a message fills in.
func unsaid(code, message string) string {
	for _, part := range strings.Split(message, "...") {
		if part = strings.TrimSpace(part); len(part) > 2 && !strings.Contains(code, part) {
			return part
		}
	}
	return ""
}

// saidByCode is every text of the packages whose messages people see, a line each.
func saidByCode(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for _, dir := range []string{"cmd/slipway", "operation", "operation/*", "operation/account/*", "engine", "engine/*", "release", "verdict",
		"config", "site", "drift", "bootstrap", "cicd", "ecs", "internal/image", "rehearsal/containers", "screen",
		"diagnosis", "helper/program"} {
		files, err := filepath.Glob(filepath.Join(repository, dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			for _, message := range messages(t, file) {
				b.WriteString(message + "\n")
			}
		}
	}
	return b.String()
}
