package check

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
)

// The reader of settings. It gets a request on its input, and parses the project's code without importing it.
//
//go:embed facts.py
var reader string

const (
	readerTime   = 20 * time.Second
	readerOutput = 32 << 20
)

// request is what the reader gets.
type request struct {
	Root     string             `json:"root"`
	Roots    []string           `json:"roots"` // where modules are looked for
	Settings string             `json:"settings"`
	Entries  []string           `json:"entries"`
	Prefer   []string           `json:"prefer"`  // entries whose settings count before others
	Aliases  map[string]string  `json:"aliases"` // files of modules that the Dockerfile puts in place
	Env      map[string]*string `json:"env"`
	Explore  bool               `json:"explore"` // env is not complete
}

var settingsModule = regexp.MustCompile(`DJANGO_SETTINGS_MODULE`)

// readFacts asks Python what the settings are.
func (p *project) readFacts(ctx context.Context) {
	ask := p.request()
	if len(ask.Entries) == 0 && ask.Settings == "" {
		p.unknown("", 0, "settings", "there is no manage.py, wsgi.py or asgi.py that names a settings module")
		return
	}
	f, err := p.ask(ctx, ask)
	if again, changed := p.better(ask, f); err == nil && changed {
		f, err = p.ask(ctx, again)
	} else if again, changed := p.filled(ask, f); err == nil && changed {
		f, err = p.ask(ctx, again)
	}
	if err != nil {
		p.unknown("", 0, "settings", err.Error()+"; the Dockerfile and the other files were checked")
		return
	}
	p.facts = f
	p.report.Python = f.Python
	for _, u := range f.Unreadable {
		if p.invalid(u) {
			continue // a finding says it
		}
		p.unknown(u.File, u.Line, "this file", u.Why)
	}
	for _, a := range f.Assumed {
		p.unknown(a.File, a.Line, "which settings are included", a.Why)
	}
	switch s := f.Settings; {
	case s == nil:
		p.unknownModule()
	case s.File == "":
		p.report.Settings = s.Module
		p.unknown("", 0, "settings", "the project has no module "+s.Module)
	default:
		p.report.Settings = s.Module
		if !s.Complete {
			p.unknown(s.File, 0, "settings", "some are made by code that cannot be followed, so what is not found may be set there")
		}
	}
}

// unknownModule says that no settings are known, and which code chooses them.
func (p *project) unknownModule() {
	for _, e := range p.facts.Entries {
		if e.Line > 0 {
			p.unknown(e.File, e.Line, "settings", "code chooses the module: name it in app.settings, so that it is checked")
			return
		}
	}
	p.unknown("", 0, "settings", "no file names a settings module: name it in app.settings")
}

// ask runs the reader.
func (p *project) ask(ctx context.Context, ask request) (*facts, error) {
	in, _ := json.Marshal(ask)
	file, version := p.readingFile(in), "python3"
	out := p.kept(file)
	if out == nil {
		var err error
		if out, version, err = p.python(ctx, in); err != nil {
			return nil, err
		}
		p.keep(file, out)
	}
	f := &facts{}
	if err := json.Unmarshal(out, f); err != nil {
		return nil, fmt.Errorf("%s did not answer as expected", version)
	}
	return f, nil
}

var (
	developing = regexp.MustCompile(`(?i)(^|[._])(local|dev|devel|development|debug|testing|tests?|ci)$`)
	producing  = []string{"production", "prod", "prd", "live", "deploy", "deployment", "docker", "container", "staging"}
)

// better is a request for the settings that the site should use, if the first answer is about others: those of development, or of a
// file that the Dockerfile puts in place.
func (p *project) better(ask request, f *facts) (request, bool) {
	if f == nil || f.Settings == nil {
		return ask, false
	}
	module := f.Settings.Module
	if f.Settings.File == "" {
		if p.image == nil || p.image.target == nil {
			return ask, false
		}
		file := p.image.source(p.tree, absolute(p.image.workdir, strings.ReplaceAll(module, ".", "/")+".py"))
		if file == "" {
			file = p.madeModule(strings.ReplaceAll(module, ".", "/") + ".py")
		}
		ask.Settings, ask.Aliases = module, map[string]string{module: file}
		return ask, file != ""
	}
	at := strings.LastIndex(module, ".")
	if !developing.MatchString(module) || at < 0 {
		return ask, false
	}
	p.developing = &development{module: module}
	for _, e := range f.Entries {
		if e.Settings == module {
			p.developing.at = place{e.File, e.Line}
			break
		}
	}
	for _, name := range producing {
		if other := module[:at+1] + name; p.moduleFile(ask.Roots, other) != "" {
			p.developing.other, ask.Settings = other, other
			return ask, true
		}
	}
	return ask, false
}

// madeModule is the file of the project that the Dockerfile makes a module of.
func (p *project) madeModule(name string) string {
	for _, s := range p.image.chain() {
		for _, run := range s.runs {
			for _, m := range copying.FindAllStringSubmatch(run.text, -1) {
				if path.Clean(m[2]) != name && !strings.HasSuffix(m[2], "/"+name) {
					continue
				}
				if file := p.image.source(p.tree, absolute(s.image.workdir, m[1])); file != "" {
					return file
				}
			}
		}
	}
	return ""
}

var copying = regexp.MustCompile(`\bcp\s+(?:-\w+\s+)*(\S+)\s+(\S+?\.py)\b`)

// request says what to read: the entry points, and in which folders modules are looked for.
func (p *project) request() request {
	ask := request{Root: p.Path, Env: p.environment(), Explore: p.Stack == nil, Prefer: []string{}, Entries: []string{},
		Aliases: map[string]string{}}
	if v := ask.Env["DJANGO_SETTINGS_MODULE"]; v != nil {
		ask.Settings = *v
	}
	if ask.Settings == "" && p.start != nil {
		ask.Settings = p.start.settings
	}
	named := func(name string) []string {
		return p.tree.where(func(f string) bool {
			return path.Base(f) == name && !beside(f) && settingsModule.MatchString(p.tree.text(f))
		})
	}
	managers := named("manage.py")
	ask.Roots = p.roots(managers)
	if file := p.serverFile(ask.Roots); file != "" {
		ask.Prefer = append(ask.Prefer, file)
	}
	ask.Entries = append(append(append(slices.Clone(ask.Prefer), named("wsgi.py")...), named("asgi.py")...), managers...)
	if len(ask.Entries) > 12 {
		ask.Entries = ask.Entries[:12]
	}
	for _, f := range ask.Entries { // the web process before manage.py
		if path.Base(f) != "manage.py" {
			ask.Prefer = append(ask.Prefer, f)
		}
	}
	return ask
}

// roots are the folders in which Python finds the project's modules.
func (p *project) roots(managers []string) []string {
	var roots []string
	add := func(folder string) {
		if p.tree.folders[folder] && !slices.Contains(roots, folder) {
			roots = append(roots, folder)
		}
	}
	if p.App.Path != "" {
		add(path.Clean(p.App.Path))
	}
	if len(managers) > 0 {
		add(path.Dir(managers[0]))
	}
	if p.image != nil {
		add(p.image.context)
		for _, sub := range []string{"src", "app", "backend", "web", "project"} {
			add(path.Join(p.image.context, sub))
		}
	}
	for _, m := range managers {
		add(path.Dir(m))
	}
	add(".")
	add("src")
	for _, w := range slices.Concat(p.tree.named("wsgi.py"), p.tree.named("asgi.py")) {
		if dir := path.Dir(w); !beside(w) && dir != "." {
			add(path.Dir(dir))
		}
	}
	if len(roots) > 10 {
		roots = roots[:10]
	}
	return roots
}

// serverFile is the file of the module that the server loads.
func (p *project) serverFile(roots []string) string {
	if p.start == nil {
		return ""
	}
	for _, s := range p.start.servers {
		if file := p.moduleFile(roots, s.module); file != "" {
			return file
		}
	}
	return ""
}

// moduleFile is the file of a module of the project.
func (p *project) moduleFile(roots []string, module string) string {
	if module == "" || strings.ContainsAny(module, "/$") {
		return ""
	}
	name := strings.ReplaceAll(module, ".", "/")
	for _, root := range roots {
		for _, file := range []string{path.Join(root, name) + ".py", path.Join(root, name, "__init__.py")} {
			if p.tree.has[file] {
				return file
			}
		}
	}
	return ""
}

// python runs the reader with this machine's Python, or with that of the image if only that exists.
func (p *project) python(ctx context.Context, in []byte) (out []byte, version string, err error) {
	look := p.LookPath
	if look == nil {
		look = exec.LookPath
	}
	args := []string{"-I", "-S", "-B", "-c", reader}
	if at, err := look("python3"); err == nil {
		out, err := answer(ctx, at, args, in)
		return out, "python3", err
	}
	missing := errors.New("no python3 was found on this machine")
	docker, err := look("docker")
	if err != nil || p.image == nil || p.image.base == "" {
		return nil, "", fmt.Errorf("%w, so the Python code was not read", missing)
	}
	// Only an image that is here already: a check downloads nothing.
	if _, err := answer(ctx, docker, []string{"image", "inspect", "--format", "{{.Id}}", p.image.base}, nil); err != nil {
		return nil, "", fmt.Errorf("%w, and the base image %s is not here yet, so the Python code was not read", missing, p.image.base)
	}
	var ask request
	_ = json.Unmarshal(in, &ask)
	ask.Root = "/project"
	in, _ = json.Marshal(ask)
	run := append([]string{"run", "--rm", "-i", "--network", "none", "--read-only", "--mount",
		"type=bind,readonly,source=" + p.Path + ",target=/project", "--entrypoint", "python3", p.image.base}, args...)
	out, err = answer(ctx, docker, run, in)
	return out, "the python3 of " + p.image.base, err
}

// answer runs a program and returns what it writes.
func answer(ctx context.Context, program string, args []string, in []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, readerTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdin = bytes.NewReader(in)
	cmd.Dir = os.TempDir()
	cmd.WaitDelay = time.Second
	var out, words limited
	cmd.Stdout, cmd.Stderr = &out, &words
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("reading the Python code took longer than %s", readerTime)
	case err != nil:
		lines := strings.Split(strings.TrimSpace(words.String()), "\n")
		last := lines[len(lines)-1]
		return nil, fmt.Errorf("reading the Python code failed: %s: %w: %s", path.Base(program), err, last[:min(len(last), 200)])
	case out.full:
		return nil, errors.New("the settings are too large")
	}
	return out.Bytes(), nil
}

// limited keeps what a program writes, up to a limit.
type limited struct {
	bytes.Buffer
	full bool
}

func (l *limited) Write(b []byte) (int, error) {
	if l.Len()+len(b) > readerOutput {
		l.full = true
		return len(b), nil
	}
	return l.Buffer.Write(b)
}
