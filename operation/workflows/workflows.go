// Package workflows writes the GitHub workflows of a project, from its stacks.
package workflows

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/template"

	"github.com/google/renameio/v2"

	"slipway/config"
	"slipway/internal/version"
	"slipway/operation"
	"slipway/site"
)

//go:embed templates
var templates embed.FS

// A pipeline is what the workflows are made of.
type pipeline struct {
	All       []string   // every stack of the project, sorted
	Path      []*ciStack // those that are deployed, in order
	Previewed *ciStack   // the one whose account a pull request is compared with, with its Preview; nil if no role lets it
	Branches  []string   // a merge to these is deployed
	Source    source     // of slipway
}

// A ciStack is the part of a stack that its jobs need.
type ciStack struct {
	rights                // of the jobs that change it
	Watch, Preview rights // of those that only read: at night, and for a pull request
	Emulated       bool   // its images are built for arm64
	From           *ciStack

	branches []string
}

// Rights are how a job gets its permissions in a stack's account.
type rights struct {
	ID, Name, Region string
	RoleToAssume     string // the role, or the variable that holds it
	Condition        string // what must hold for the job to run; empty if the role is known
	Environment      string // of GitHub, which the role trusts and which may ask for approval; empty if it trusts branches
	ReadOnly         bool   // it is the read role
}

// Written is what Write wrote.
type Written struct {
	Dir   string   `json:"dir"`
	Files []string `json:"files"`
	Path  []string `json:"path"`            // the stacks that a release goes through
	Notes []string `json:"notes,omitempty"` // what is still to be done by hand
}

// Write writes the workflows of the project in the folder root. Either all of them are written or none.
func Write(root string, asked Request) (Written, error) {
	p, notes, err := newPipeline(root, asked)
	if err != nil {
		return Written{}, err
	}
	dir := asked.Dir
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(root, dir)
	}
	made, err := p.render()
	if err != nil {
		return Written{}, err
	}
	names := make([]string, 0, len(made))
	var theirs []error
	for name, text := range made {
		names = append(names, name)
		was, err := os.ReadFile(filepath.Join(dir, name))
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			theirs = append(theirs, err)
		case !bytes.Equal(was, text) && !untouched(was):
			theirs = append(theirs, fmt.Errorf("%s was not written by slipway, or was changed since: move it away and run this again",
				filepath.Join(dir, name)))
		}
	}
	if len(theirs) > 0 {
		return Written{}, fmt.Errorf("nothing was written:\n%w", errors.Join(theirs...))
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return Written{}, err
	}
	slices.Sort(names)
	for _, name := range names {
		if err := renameio.WriteFile(filepath.Join(dir, name), made[name], 0o644); err != nil {
			return Written{}, err
		}
	}
	return Written{Dir: dir, Files: names, Path: stacksOf(p.Path), Notes: notes}, nil
}

// newPipeline reads the project's stacks. The notes say what its owner still has to do.
func newPipeline(root string, asked Request) (_ *pipeline, notes []string, err error) {
	from, err := sourceOf(root, asked)
	if err != nil {
		return nil, nil, err
	}
	files, err := readStacks(root)
	if err != nil {
		return nil, nil, err
	}
	path := asked.Path
	if len(path) == 0 {
		path = files.usualPath()
	}
	notes, err = files.mistakes(path)
	if err != nil {
		return nil, nil, err
	}
	p := &pipeline{All: files.valid, Source: from}
	if len(path) == 0 {
		return nil, nil, operation.UsageError{
			Err: fmt.Errorf("--path: there is no stack dev, staging or prod; say which of %s a release goes through", strings.Join(p.All, ", "))}
	}
	for _, name := range path {
		said, err := p.append(name, files.stacks[name])
		if err != nil {
			return nil, nil, err
		}
		notes = append(notes, said...)
	}
	if len(p.Branches) == 0 {
		p.Branches = []string{"main"}
	}
	if note := p.choosePreview(); note != "" {
		notes = append(notes, note)
	}
	return p, notes, nil
}

// stackFiles are the files of a project's stacks.
type stackFiles struct {
	valid  []string // names, sorted
	stacks map[string]*config.Stack
	broken map[string]error // a template such as Pulumi.example.yaml is one, and does not matter unless a release goes through it
}

func readStacks(root string) (*stackFiles, error) {
	names, err := operation.StackNames(root)
	if err != nil {
		return nil, err
	}
	f := &stackFiles{stacks: map[string]*config.Stack{}, broken: map[string]error{}}
	for _, name := range names {
		if !operation.IsStackName(name) {
			f.broken[name] = fmt.Errorf("the file Pulumi.%s.yaml: %q is not the name of a stack", name, name)
			continue
		}
		stack, err := readStack(root, name)
		if err != nil {
			f.broken[name] = operation.Mistakes(name, err)
			continue
		}
		f.valid, f.stacks[name] = append(f.valid, name), stack
	}
	return f, nil
}

func readStack(root, name string) (*config.Stack, error) {
	source, err := config.FromProject(root, name)
	if err != nil {
		return nil, err
	}
	return site.Load(source)
}

// usualPath are the stacks with the usual names of environments, in the usual order.
func (f *stackFiles) usualPath() (path []string) {
	for _, name := range []string{"dev", "staging", "prod", "production"} {
		if f.stacks[name] != nil || f.broken[name] != nil {
			path = append(path, name)
		}
	}
	return path
}

// mistakes are those of the stacks on a path; the others get a note.
func (f *stackFiles) mistakes(path []string) (notes []string, _ error) {
	var wrong []error
	for _, name := range slices.Sorted(maps.Keys(f.broken)) {
		if slices.Contains(path, name) {
			wrong = append(wrong, f.broken[name])
		} else {
			notes = append(notes, fmt.Sprintf("Stack %s is in no workflow: Pulumi.%s.yaml has mistakes (slipway preview --stack %[1]s).", name,
				name))
		}
	}
	return notes, errors.Join(wrong...)
}

// append makes a stack the next one on the path. Its releases come from the one before. The first branch that deploys a stack is the
// one that starts the pipeline.
func (p *pipeline) append(name string, stack *config.Stack) (notes []string, err error) {
	switch {
	case stack == nil:
		return nil, operation.UsageError{Err: fmt.Errorf("--path: there is no stack %q; the project has %s", name, strings.Join(p.All, ", "))}
	case slices.Contains(stacksOf(p.Path), name):
		return nil, operation.UsageError{Err: fmt.Errorf("--path: %s is named twice", name)}
	}
	s, notes, err := ciStackOf(stack)
	if err != nil {
		return nil, err
	}
	if len(p.Path) > 0 {
		s.From = p.Path[len(p.Path)-1]
	}
	p.Path = append(p.Path, s)
	if len(p.Branches) == 0 && len(s.branches) > 0 {
		p.Branches = []string{s.branches[0]}
	}
	return notes, nil
}

// choosePreview decides whether pull requests are compared with the account of the first stack. The note is what its owner may change
// about that.
func (p *pipeline) choosePreview() (note string) {
	switch first := p.Path[0]; {
	case first.Preview.ReadOnly:
		p.Previewed = first
		return ""
	case first.Environment != "":
		p.Previewed = first
		return fmt.Sprintf("Pull requests are compared with the account of %s with the rights of a deployment, "+
			"which their own code has then. With github.readPullRequests in Pulumi.%[1]s.yaml they may only read. "+
			"%[2]s says what that reads.", first.Name, version.Page("docs/ci.md#approval"))
	default:
		return fmt.Sprintf("Pull requests are not compared with the account of %s: its role trusts branches only. "+
			"Let them read, with github.readPullRequests in Pulumi.%[1]s.yaml. %[2]s says what that reads.", first.Name,
			version.Page("docs/ci.md#approval"))
	}
}

// ciStackOf is how the jobs of a stack get their rights. A deploy role trusts an environment, or else a branch; a protected
// stack needs an environment, because only that can ask for approval. The read role trusts branches and pull requests, and
// so needs no environment.
func ciStackOf(stack *config.Stack) (*ciStack, []string, error) {
	var notes []string
	github := stack.GitHub
	s := &ciStack{Emulated: stack.Web.Architecture == "arm64", branches: github.Branches}
	s.ID, s.Name, s.Region = regexp.MustCompile(`[^A-Za-z0-9_-]`).ReplaceAllString(stack.Name, "_"), stack.Name, stack.Region
	if c := s.ID[0]; c >= '0' && c <= '9' {
		s.ID = "_" + s.ID
	}
	from := func(r rights, jobs, key, role, suffix string) rights {
		r.RoleToAssume = role
		if role == "" {
			variable := "SLIPWAY_" + strings.ToUpper(regexp.MustCompile(`[^A-Za-z0-9_]`).ReplaceAllString(stack.Name, "_")) + suffix
			r.RoleToAssume = "${{ vars." + variable + " }}"
			r.Condition = "vars." + variable + " != ''"
			notes = append(notes, fmt.Sprintf("Pulumi.%s.yaml has no %s yet: %s wait for the repository's variable %s. "+
				"Bootstrap the stack and run this again, and they no longer need it.", stack.Name, key, jobs, variable))
		}
		return r
	}
	s.rights = from(s.rights, "its jobs", "github.role", github.Role, "_ROLE")
	switch environments := github.Environments; {
	case len(environments) > 0:
		s.Environment = environments[0]
	case stack.Protect:
		return nil, nil, fmt.Errorf("file Pulumi.%s.yaml: github.environments is empty: a protected stack is deployed behind the approval "+
			"of a GitHub environment; name one, such as production", stack.Name)
	case len(s.branches) == 0:
		s.Environment = stack.Name
	}
	s.Watch, s.Preview = s.rights, s.rights
	if github.Reads() {
		look := from(rights{ID: s.ID, Name: s.Name, Region: s.Region, ReadOnly: true}, "its read-only jobs", "github.readRole",
			github.ReadRole, "_READ_ROLE")
		if len(github.ReadBranches) > 0 {
			s.Watch = look
		}
		if github.ReadPullRequests {
			s.Preview = look
		}
	}
	switch {
	case s.Watch.ReadOnly:
	case len(s.branches) > 0:
		s.Watch.Environment = ""
	case stack.Protect:
		notes = append(notes, fmt.Sprintf("The nightly drift check of %s waits for an approval in %s each time, as a deployment does. "+
			"Name the deployed branch in github.readBranches of Pulumi.%[1]s.yaml, and it only reads and needs no approval.",
			stack.Name, s.Environment))
	}
	return s, notes, nil
}

func stacksOf(path []*ciStack) []string {
	var names []string
	for _, s := range path {
		names = append(names, s.Name)
	}
	return names
}

// render creates the workflows, by file name.
func (p *pipeline) render() (map[string][]byte, error) {
	list := func(texts []string) string {
		var quoted []string
		for _, text := range texts {
			quoted = append(quoted, strconv.Quote(text))
		}
		return "[" + strings.Join(quoted, ", ") + "]"
	}
	all, err := template.New("").Delims("[[", "]]").Funcs(template.FuncMap{
		"yaml":    strconv.Quote,
		"command": p.Source.Command,
		"list":    list,
		"names":   func(path []*ciStack) string { return list(stacksOf(path)) },
	}).ParseFS(templates, "templates/*")
	if err != nil {
		return nil, err
	}
	made := map[string][]byte{}
	for _, file := range all.Templates() {
		if ext := filepath.Ext(file.Name()); ext == ".tmpl" || ext == "" || file.Name() == script && p.Source.Compiled {
			continue
		}
		var text bytes.Buffer
		if err := file.Execute(&text, p); err != nil {
			return nil, err
		}
		made[file.Name()] = signed(text.Bytes())
	}
	return made, nil
}

const signature = "# Written by `slipway ci github`. Change the stacks and run it again, not this file. "

// signed adds a first line that names Slipway as the author and holds a hash, which shows later whether the file was edited.
func signed(text []byte) []byte {
	sum := sha256.Sum256(text)
	return append([]byte(signature+hex.EncodeToString(sum[:8])+"\n"), text...)
}

// untouched reports whether a file is as slipway wrote it.
func untouched(file []byte) bool {
	_, text, _ := bytes.Cut(file, []byte("\n"))
	return bytes.Equal(bytes.ReplaceAll(file, []byte("\r\n"), []byte("\n")), signed(bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))))
}
