// Package setup writes the configuration for a Django project that has none yet.
package setup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/google/renameio/v2"
	"github.com/rogpeppe/go-internal/diff"

	"slipway/check"
	"slipway/config"
	"slipway/internal/yamlmerge"
	"slipway/operation"
)

// Options say what Run asks and writes.
type Options struct {
	Path    string            // the folder of the project; "": the current one
	Stacks  []string          // besides local
	Answers map[string]string // by the ID of the question

	// Ask gets what was found so far and asks a question; nil takes the defaults. An error ends Run, and nothing is written.
	Ask func(found []check.Fact, q check.Question) (string, error)
	// Confirm asks before files that exist are changed. Nil: yes.
	Confirm func(*Result) (bool, error)
}

// Result is what Run found and wrote.
type Result struct {
	Path      string           `json:"path"`
	Project   string           `json:"project"`
	Found     []check.Fact     `json:"found"`
	Questions []check.Question `json:"questions"`
	Files     []File           `json:"files"`
	Kept      []Kept           `json:"kept"`
	Todo      []Todo           `json:"todo"`
	Optional  []check.Key      `json:"optional"`
	Unread    bool             `json:"unread"` // the settings cannot be read, so more may be missing
}

// A File is a file of the configuration.
type File struct {
	Name         string `json:"name"`
	Did          string `json:"did"`  // created, changed or unchanged
	Diff         string `json:"diff"` // of a changed file
	before, text []byte
}

// A Kept value is one that a file has and that the project would not suggest.
type Kept struct {
	Key   string `json:"key"`
	Value string `json:"value"`
	Found string `json:"found"`
	File  string `json:"file"`
	Line  int    `json:"line"`
}

// A Todo is what only the user can do.
type Todo struct {
	What string `json:"what"`
	File string `json:"file"`
	Line int    `json:"line"`
}

// What happened to a file.
const (
	Created   = "created"
	Changed   = "changed"
	Unchanged = "unchanged"
)

// Run reads a Django project and writes the configuration of its stacks: Pulumi.yaml, a file for each stack, and lines of .gitignore. It
// changes no other file. What a file has already stays: Run only adds what is missing.
func Run(ctx context.Context, o Options) (*Result, error) {
	if o.Ask != nil { // no one should answer questions about files that are refused then
		trial, err := begin(Options{Path: o.Path, Stacks: o.Stacks, Answers: o.Answers})
		if err == nil && trial.exist() {
			err = trial.prepare(ctx)
		}
		if err != nil {
			return nil, err
		}
	}
	i, err := begin(o)
	if err != nil {
		return nil, err
	}
	if err := i.prepare(ctx); err != nil {
		return nil, err
	}
	changed := slices.ContainsFunc(i.out.Files, func(f File) bool { return f.Did == Changed })
	if changed && !i.fresh && o.Confirm != nil {
		agreed, err := o.Confirm(i.out)
		if err != nil {
			return nil, err
		}
		if !agreed {
			return nil, errors.New("nothing was written")
		}
	}
	return i.out, i.write()
}

// begin reads what is there already.
func begin(o Options) (*initializer, error) {
	root, err := folder(o.Path)
	if err != nil {
		return nil, operation.UsageError{Err: err}
	}
	i := &initializer{o: o, root: root, out: &Result{Path: o.Path, Kept: []Kept{}, Todo: []Todo{}, Files: []File{}}}
	if o.Path == "" {
		i.out.Path = "."
	}
	return i, i.readProject()
}

// prepare asks, and makes the texts of all files.
func (i *initializer) prepare(ctx context.Context) error {
	if err := i.survey(ctx); err != nil {
		return err
	}
	if err := i.compose(); err != nil {
		return err
	}
	if i.exist() {
		if err := i.refuseMistakes(); err != nil {
			return err
		}
	}
	i.todo()
	return nil
}

// An initializer collects what to write.
type initializer struct {
	o       Options
	root    string
	fresh   bool // there is no Pulumi.yaml yet
	project *yamlmerge.File
	found   *check.Survey
	out     *Result
}

// folder is the folder that is to be initialized.
func folder(name string) (string, error) {
	if name == "" {
		name = "."
	}
	root, err := filepath.Abs(name)
	if err == nil {
		root, err = filepath.EvalSymlinks(root)
	}
	var info fs.FileInfo
	if err == nil {
		info, err = os.Stat(root)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("there is no folder %s", name)
	case err != nil:
		return "", fmt.Errorf("%s cannot be read: %w", name, err)
	case !info.IsDir():
		return "", fmt.Errorf("%s is not a folder: name the one with the Django project", name)
	}
	return root, nil
}

// readProject reads a Pulumi.yaml that exists. One of another program is refused.
func (i *initializer) readProject() error {
	p, err := yamlmerge.Read(i.root, "Pulumi.yaml")
	if err != nil {
		return err
	}
	i.project, i.fresh = p, p.Text == nil
	if i.fresh {
		i.out.Project = projectName(i.root)
		return nil
	}
	i.out.Project = p.Get("name").Value
	if i.out.Project == "" {
		return errors.New("no name in Pulumi.yaml, so it is not one of Slipway's: move it, or name another folder")
	}
	if p.Get("runtime", "options", "binary").Value != "slipway" && p.Get("config", i.out.Project+":app").Kind == 0 {
		return fmt.Errorf("the Pulumi.yaml here describes another program, %s: Slipway needs a folder of its own. Move that program's files "+
			"to a folder of their own, such as infra, and run init again", i.out.Project)
	}
	return nil
}

var notInName = regexp.MustCompile(`[^a-z0-9]+`)

// longestProject leaves room for the name of the longest stack that init writes: a load balancer's name has at most 32 characters.
const longestProject = 32 - len("-staging-web")

// projectName makes the name of a project from its folder.
func projectName(root string) string {
	name := strings.Trim(notInName.ReplaceAllString(strings.ToLower(filepath.Base(root)), "-"), "-")
	name = strings.TrimLeft(name, "0123456789-")
	if len(name) > longestProject {
		name = strings.Trim(name[:longestProject], "-")
	}
	if name == "" {
		return "site"
	}
	if slices.Contains(config.Namespaces, name) {
		return name + "-site"
	}
	return name
}

// survey asks until no question is new.
func (i *initializer) survey(ctx context.Context) error {
	given, err := i.given()
	if err != nil {
		return err
	}
	answers := map[string]string{}
	for id, answer := range i.o.Answers {
		answers[id] = answer
	}
	for {
		s, err := check.Look(ctx, given, answers)
		if errors.Is(err, check.ErrNoProject) {
			return fmt.Errorf("%s: %w. Name the folder of the project: slipway init PATH", i.out.Path, err)
		}
		var many check.ManyProjects
		if errors.As(err, &many) {
			return fmt.Errorf("%w. Name the folder of one: slipway init %s", err, filepath.Join(i.out.Path, many.Folders[0]))
		}
		if err != nil {
			return err
		}
		for id := range i.o.Answers {
			if !slices.ContainsFunc(s.Questions, func(q check.Question) bool { return q.ID == id }) {
				return operation.UsageError{Err: fmt.Errorf("--answer %s: there is no such question; %s", id, ids(s.Questions))}
			}
		}
		if err := i.choices(s.Questions); err != nil {
			return err
		}
		asked := false
		for n, q := range s.Questions {
			if _, answered := answers[q.ID]; answered || i.o.Ask == nil {
				continue
			}
			answer, err := i.o.Ask(s.Found, q)
			if err != nil {
				return unanswered(err, s.Questions)
			}
			answers[q.ID], s.Questions[n].Answer, asked = answer, answer, true
		}
		if asked {
			continue
		}
		i.found, i.out.Found, i.out.Questions, i.out.Optional = s, s.Found, s.Questions, s.Optional
		return nil
	}
}

// choices refuses an answer that a question does not have.
func (i *initializer) choices(questions []check.Question) error {
	for _, q := range questions {
		answer, given := i.o.Answers[q.ID]
		if given && len(q.Choices) > 0 && !slices.Contains(q.Choices, answer) {
			return operation.UsageError{Err: fmt.Errorf("--answer %s=%s: the answer must be %s", q.ID, answer, strings.Join(q.Choices, " or "))}
		}
	}
	return nil
}

// unanswered says which questions are open.
func unanswered(err error, questions []check.Question) error {
	words := "; nothing was written. The questions are:"
	for _, q := range questions {
		words += fmt.Sprintf("\n  %s: %s", q.ID, q.Text)
		if len(q.Choices) > 0 {
			words += " " + strings.Join(q.Choices, "/")
		}
		if q.Default != "" {
			words += " [" + q.Default + "]"
		}
	}
	return fmt.Errorf("%w%s\nTake the defaults with --yes, or answer with --answer ID=VALUE", err, words)
}

// ids names the questions.
func ids(questions []check.Question) string {
	if len(questions) == 0 {
		return "this project has no questions"
	}
	var all []string
	for _, q := range questions {
		all = append(all, q.ID)
	}
	return "the questions are " + strings.Join(all, ", ")
}

// given is what the files say that exist already.
func (i *initializer) given() (check.Options, error) {
	o := check.Options{Path: i.root, Project: i.out.Project}
	app := i.project.Get("config", i.out.Project+":app", "default")
	if app.Kind == 0 {
		return o, nil
	}
	var a struct {
		Path, Context, Dockerfile, Target, Settings string
		Packages, Overlay, Entrypoint, Command      []string
		Writable                                    []string
		Port                                        int
		Static                                      struct{ URL string }
		Env, Args                                   map[string]string
	}
	if err := app.Decode(&a); err != nil {
		if wrong := i.unreadable(); len(wrong) > 0 {
			return o, mistaken(wrong)
		}
		return o, fmt.Errorf("cannot read %s:app in Pulumi.yaml: %w", i.out.Project, err)
	}
	if a.Path == "" {
		a.Path = "app"
	}
	if a.Context == "" {
		a.Context = a.Path
	}
	o.App = check.App{
		Own: true, Path: slashed(a.Path), Context: slashed(a.Context), Target: a.Target, Args: a.Args, Settings: a.Settings,
		Packages: a.Packages, Overlay: a.Overlay, Entrypoint: a.Entrypoint, Command: a.Command, Port: a.Port, Writable: a.Writable,
		Static: check.Static{URL: a.Static.URL}, Env: a.Env,
	}
	if a.Dockerfile != "" {
		o.App.Dockerfile = slashed(filepath.Join(a.Context, a.Dockerfile))
	}
	return o, nil
}

func slashed(name string) string { return filepath.ToSlash(filepath.Clean(name)) }

// todo lists what is left for the user.
func (i *initializer) todo() {
	for _, f := range i.found.Report.Findings {
		if slices.Contains(unreadable, f.Check) {
			i.out.Unread = true
			i.refused(f)
		}
	}
	for _, k := range i.found.Keys {
		if k.Open {
			i.add(k.File, k.Line, "Fill in app.%s in Pulumi.yaml: the settings demand it.", k.Name)
		}
	}
	for _, k := range i.found.Secrets {
		i.add(k.File, k.Line, "Give the secret %s a value in each stack that you deploy, after its bootstrap: "+
			"slipway secret set %[1]s --stack dev --live", k.Name)
	}
	for _, one := range i.found.Beside {
		i.add(one.File, one.Line, "%s is not deployed: %s", one.Name, i.instead(one))
	}
	if r := i.found.Redirects; r != nil {
		i.add(r.File, r.Line, "Set %s:domain and zone of each stack that you deploy: the site redirects to https.", i.out.Project)
	}
	if slices.Contains(i.o.Stacks, "prod") && strings.Contains(i.written("Pulumi.prod.yaml"), "FILL IN") {
		i.add("Pulumi.prod.yaml", 0, "Fill in the domain, its zone and who receives alarms.")
	}
	for _, f := range i.found.Report.Findings {
		unfit := f.Check == "service-missing" && i.found.Cache != nil || // the site does not use the stack's cache
			f.Check == "broker-missing"
		if (f.Severity == check.Refused || unfit) && !slices.Contains(unreadable, f.Check) {
			i.refused(f)
		}
	}
}

// instead says why a process of Celery is not deployed, and what the user can do.
func (i *initializer) instead(one check.Process) string {
	app := one.App
	if app == "" {
		app = "APP"
	}
	switch one.Kind {
	case check.Flower:
		return "it is a site of its own, and a stack serves one. To see what the workers do: slipway task -- celery -A " + app + " inspect active"
	case check.Events:
		return "it only watches the workers. If the site needs what it does, add its command to " + i.out.Project + ":workers"
	}
	return "its command has variables, and no shell replaces them. Add it to " + i.out.Project + ":workers with their values"
}

// unreadable are the checks that find settings from which nothing can be read.
var unreadable = []string{"settings-invalid"}

// refused adds a finding of the check.
func (i *initializer) refused(f check.Finding) {
	reason := f.Reason
	if !strings.HasPrefix(reason, "app.") {
		reason = strings.ToUpper(reason[:1]) + reason[1:]
	}
	i.add(f.File, f.Line, "%s. %s", reason, f.Fix)
}

// written is the text that a file gets.
func (i *initializer) written(name string) string {
	for _, f := range i.out.Files {
		if f.Name == name {
			return string(f.text)
		}
	}
	return ""
}

func (i *initializer) add(file string, line int, format string, args ...any) {
	i.out.Todo = append(i.out.Todo, Todo{fmt.Sprintf(format, args...), file, line})
}

// compose makes the texts of all files.
func (i *initializer) compose() error {
	if err := i.file(i.project, i.projectTree()); err != nil {
		return err
	}
	for _, stack := range i.stacks() {
		d, err := yamlmerge.Read(i.root, stackFile(stack))
		if err != nil {
			return err
		}
		if err := i.file(d, i.stackTree(stack)); err != nil {
			return err
		}
	}
	return i.ignored()
}

// file adds to a file what it does not have.
func (i *initializer) file(d *yamlmerge.File, wanted *yamlmerge.Value) error {
	before := d.Text
	text, err := d.With(wanted, i.keep)
	if err != nil {
		return fmt.Errorf("%s: %w", d.Name, err)
	}
	i.out.Files = append(i.out.Files, compared(d.Name, before, text))
	return nil
}

// keep notes a value that stays. That of a placeholder is the user's answer, and paths may be written in several ways.
func (i *initializer) keep(k yamlmerge.Kept) {
	if k.Wanted == check.Placeholder || slices.Contains([]string{"name", "description", "config.aws:region"}, k.Key) ||
		strings.HasSuffix(k.Key, ".path") || strings.HasSuffix(k.Key, ".description") {
		return
	}
	i.out.Kept = append(i.out.Kept, Kept{Key: k.Key, Value: k.Value, Found: k.Wanted, File: k.File, Line: k.Line})
}

func compared(name string, before, after []byte) File {
	f := File{Name: name, Did: Created, before: before, text: after}
	switch {
	case before == nil:
	case string(before) == string(after):
		f.Did = Unchanged
	default:
		f.Did, f.Diff = Changed, string(diff.Diff(name+" now", before, name+" after init", after))
	}
	return f
}

// private are lines of .gitignore.
var private = []string{".slipway/", ".pulumi/", "slipway.secrets.env"}

// ignored adds lines to .gitignore.
func (i *initializer) ignored() error {
	before, err := yamlmerge.ReadText(i.root, ".gitignore")
	if err != nil {
		return err
	}
	have := map[string]bool{}
	for _, line := range strings.Split(string(before), "\n") {
		have[strings.Trim(strings.TrimSpace(line), "/")] = true
	}
	after := string(before)
	for _, line := range private {
		if !have[strings.Trim(line, "/")] {
			if after != "" && !strings.HasSuffix(after, "\n") {
				after += "\n"
			}
			after += line + "\n"
		}
	}
	i.out.Files = append(i.out.Files, compared(".gitignore", before, []byte(after)))
	return nil
}

// write writes the files that differ.
func (i *initializer) write() error {
	for _, f := range i.out.Files {
		if f.Did == Unchanged {
			continue
		}
		if err := renameio.WriteFile(filepath.Join(i.root, f.Name), f.text, 0o644); err != nil {
			return fmt.Errorf("%s cannot be written: %w", f.Name, err)
		}
	}
	return nil
}
