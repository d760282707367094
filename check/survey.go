package check

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// A Survey is what a project says about the configuration that it needs.
type Survey struct {
	Found     []Fact     `json:"found"`
	Questions []Question `json:"questions"`
	Keys      []Key      `json:"keys"`    // of app, in the order in which they are written
	Secrets   []Key      `json:"secrets"` // names that the settings demand, for which Slipway has no value
	Optional  []Key      `json:"optional"`
	Health    *Key       `json:"health"`    // a path that answers without a log-in
	Cache     *Key       `json:"cache"`     // why the stack needs a cache
	Redirects *Key       `json:"redirects"` // why the stack needs a domain
	Processes []Process  `json:"processes"`
	Beside    []Process  `json:"beside"` // of Celery, which a stack does not run as they are written
	Report    *Report    `json:"report"` // what a check of a stack with these keys says
}

// A Fact is something that was found in the project.
type Fact struct {
	What  string `json:"what"`
	Value string `json:"value"`
	File  string `json:"file"` // "" if it is about the whole project
	Line  int    `json:"line"`
}

// A Key is a value of the configuration, and where it comes from.
type Key struct {
	Name  string `json:"name"` // from app: settings, env.DATABASE_URL, static.url
	Value any    `json:"value"`
	File  string `json:"file"`
	Line  int    `json:"line"`
	Note  string `json:"note,omitempty"`
	Items []Key  `json:"-"`    // where each item of a list comes from
	Open  bool   `json:"open"` // the value stands for one that only the user knows
}

// A Question is a doubtful point. Without an answer the default counts.
type Question struct {
	ID      string   `json:"id"`
	Text    string   `json:"text"`
	File    string   `json:"file"`
	Line    int      `json:"line"`
	Choices []string `json:"choices,omitempty"` // none: any text
	Default string   `json:"default"`
	Answer  string   `json:"answer"`
}

// maxRounds is more than any project needs: each round sets at least one key.
const maxRounds = 60

// Look reads a project and says which configuration it needs. Given is what a configuration that exists says; the rest of it is found.
// An answer is kept under the ID of its question.
func Look(ctx context.Context, o Options, answers map[string]string) (*Survey, error) {
	s := &surveyor{ctx: ctx, o: o, answers: answers, from: map[string]origin{}, out: &Survey{}}
	s.app = o.App
	s.app.Env = map[string]string{}
	for name, value := range o.App.Env {
		s.app.Env[name] = value
	}
	if o.Stack != nil {
		s.secrets = slices.Clone(o.Stack.Secrets)
	}
	p, err := s.locate()
	if err != nil {
		return nil, err
	}
	for range maxRounds {
		if !s.improved(p) {
			break
		}
		if p, err = s.open(s.app); err != nil {
			return nil, err
		}
	}
	s.finish(p)
	return s.out, nil
}

// A surveyor collects keys until a check has nothing more to say that a key could change.
type surveyor struct {
	ctx     context.Context
	o       Options
	answers map[string]string
	app     App
	secrets []string
	first   *project // without any key
	from    map[string]origin
	tried   map[string]bool
	domain  *Key
	out     *Survey
}

// An origin is why a key has its value.
type origin struct {
	place
	note string
	open bool
}

// open reads the project as a stack with these keys has it.
func (s *surveyor) open(app App) (*project, error) {
	o := s.o
	o.App = app
	o.Stack = &Stack{Name: "dev", Region: "us-east-1", Secrets: s.secrets, Cache: s.out.Cache != nil}
	if s.domain != nil {
		o.Stack.Domain = standInHost
	}
	p, err := open(s.ctx, o, s.first.tree)
	if err == nil {
		p.judge()
	}
	return p, err
}

// ask is the answer to a question.
func (s *surveyor) ask(q Question) string {
	for _, known := range s.out.Questions {
		if known.ID == q.ID {
			return known.Answer
		}
	}
	q.Answer = q.Default
	if answer, given := s.answers[q.ID]; given {
		q.Answer = answer
	}
	s.out.Questions = append(s.out.Questions, q)
	return q.Answer
}

// agreed asks a question whose answer is yes or no.
func (s *surveyor) agreed(id string, at place, byDefault bool, format string, args ...any) bool {
	answer := "no"
	if byDefault {
		answer = "yes"
	}
	return s.ask(Question{ID: id, Text: fmt.Sprintf(format, args...), File: at.file, Line: at.line, Choices: []string{"yes", "no"},
		Default: answer}) == "yes"
}

// set notes where the value of a key comes from.
func (s *surveyor) set(key string, at place, note string) {
	if at.file != "" && !s.first.tree.has[at.file] { // a command that is set already
		at = s.from["command"].place
	}
	s.from[key] = origin{place: at, note: note}
}

// ErrNoProject means that a folder has no Django project.
var ErrNoProject = errors.New("there is no manage.py, so this is not a Django project")

// ManyProjects means that a folder has several Django projects.
type ManyProjects struct{ Folders []string }

func (m ManyProjects) Error() string {
	return "there is more than one Django project: " + listed(m.Folders)
}

// locate finds the project, its Dockerfile and its build context.
func (s *surveyor) locate() (*project, error) {
	plain := s.o
	plain.Stack, plain.App = nil, App{Path: s.app.Path, Settings: s.app.Settings}
	if s.app.Own {
		plain.App = s.app
		plain.App.Env = nil
	}
	p, err := open(s.ctx, plain, nil)
	if err != nil {
		return nil, err
	}
	p.judge()
	s.first = p
	manager, err := p.manager(s.app.Path)
	if err != nil {
		return nil, err
	}
	if !s.app.Own {
		s.app.Own, s.app.Path = true, path.Dir(manager)
		s.place(p, manager)
	}
	return s.open(s.app)
}

// manager is the manage.py of the site.
func (p *project) manager(folder string) (string, error) {
	if folder != "" {
		if file := path.Join(folder, "manage.py"); p.tree.has[file] {
			return file, nil
		}
	}
	all := p.tree.where(func(f string) bool {
		return path.Base(f) == "manage.py" && !beside(f) && !strings.ContainsAny(f, "{}")
	})
	named := slices.DeleteFunc(slices.Clone(all), func(f string) bool { return !settingsModule.MatchString(p.tree.text(f)) })
	if len(named) == 0 {
		named = all
	}
	switch {
	case len(named) == 0:
		return "", ErrNoProject
	case len(named) > 1 && strings.Count(named[0], "/") == strings.Count(named[1], "/"):
		same := slices.DeleteFunc(slices.Clone(named), func(f string) bool { return strings.Count(f, "/") != strings.Count(named[0], "/") })
		for i, f := range same {
			same[i] = path.Dir(f)
		}
		return "", ManyProjects{same}
	}
	return named[0], nil
}

// place notes the Dockerfile and the build context.
func (s *surveyor) place(p *project, manager string) {
	s.set("path", place{manager, 0}, "")
	i := p.image
	switch {
	case i == nil || i.generated:
		s.app.Context = s.app.Path
		if other := p.findDockerfile(); other != "" && i == nil {
			s.app.Dockerfile, s.app.Context = other, path.Dir(other)
		}
		return
	}
	s.app.Dockerfile, s.app.Context = i.file, i.context
	if second := p.otherDockerfile(); second != "" {
		answer := s.ask(Question{ID: "dockerfile", Text: "Which Dockerfile builds the site?", File: i.file, Choices: []string{i.file, second},
			Default: i.file})
		if answer != i.file && p.tree.has[answer] {
			s.app.Dockerfile = answer
			other := *p
			other.App.Dockerfile, other.App.Context, other.report = answer, "", &Report{}
			other.readImage()
			s.app.Context = other.image.context
		}
	}
	s.set("dockerfile", place{s.app.Dockerfile, 0}, "")
	s.set("context", place{s.app.Dockerfile, 0}, "")
}

// otherDockerfile is one that may as well be the site's.
func (p *project) otherDockerfile() string {
	for _, u := range p.report.Unknown {
		if u.What == "which Dockerfile is the site's" {
			return u.Why[strings.LastIndex(u.Why, " ")+1:]
		}
	}
	return ""
}

// steps set keys. Each reports whether it has set one.
var steps = []func(*surveyor, *project) bool{
	(*surveyor).stage, (*surveyor).settings, (*surveyor).packages, (*surveyor).command, (*surveyor).websockets, (*surveyor).directly,
	(*surveyor).port,
	(*surveyor).cache, (*surveyor).variables, (*surveyor).demanded, (*surveyor).values, (*surveyor).overlay, (*surveyor).files,
	(*surveyor).redirect,
}

func (s *surveyor) improved(p *project) bool {
	for _, step := range steps {
		if step(s, p) {
			return true
		}
	}
	return false
}

// finding is the first finding of one of these checks.
func (p *project) finding(codes ...string) *Finding {
	for i, f := range p.report.Findings {
		if slices.Contains(codes, f.Check) {
			return &p.report.Findings[i]
		}
	}
	return nil
}

func (f *Finding) at() place { return place{f.File, f.Line} }

// stage chooses the stage that runs.
func (s *surveyor) stage(p *project) bool {
	f := p.finding("last-stage", "target-missing")
	if f == nil || p.image == nil {
		return false
	}
	name := p.image.fitStage()
	if name == "" || name == s.app.Target {
		return false
	}
	s.app.Target = name
	s.set("target", f.at(), "")
	return true
}

// settings chooses the settings module of production.
func (s *surveyor) settings(p *project) bool {
	if s.app.Settings != "" || s.tried["settings"] {
		return false
	}
	s.try("settings")
	at, all := p.modules()
	switch len(all) {
	case 0:
		return false
	case 1:
		s.app.Settings = all[0]
	default:
		s.app.Settings = s.ask(Question{ID: "settings", Text: "Which settings module is for production?", File: at.file, Line: at.line,
			Choices: all, Default: all[0]})
	}
	s.set("settings", at, "")
	return true
}

// try notes that something was tried, and reports whether it was before.
func (s *surveyor) try(what string) (before bool) {
	if s.tried == nil {
		s.tried = map[string]bool{}
	}
	before, s.tried[what] = s.tried[what], true
	return before
}

// packages are those that a generated Dockerfile installs beside those that the project lists.
func (s *surveyor) packages(p *project) bool {
	if p.ungenerated == "" || s.try("packages") {
		return false
	}
	names := p.lacking
	if len(names) == 0 || !s.agreed("packages", place{p.lackingFrom, 0}, true,
		"There is no Dockerfile, so Slipway generates one. Install %s in its image? (Your files stay as they are.)", listed(names)) {
		return false
	}
	s.app.Packages = append(s.app.Packages, names...)
	for _, name := range names {
		s.set("packages."+name, place{}, orElse(strings.TrimSuffix("not in "+p.lackingFrom, "not in "), "no file lists the packages"))
	}
	return true
}

// starts are the findings that another command or entrypoint mends.
var starts = []string{"command-missing", "development-server", "module-missing", "entrypoint-arguments", "drops-privileges", "low-port",
	"installs-at-start"}

// command sets what starts, if the image's own start does not do.
func (s *surveyor) command(p *project) bool {
	if p.image == nil || p.image.target == nil {
		return false
	}
	for _, code := range starts {
		if f := p.finding(code); f != nil && (f.Severity == Refused || code == "low-port") && !s.try("command "+code) && s.starting(p, f) {
			return true
		}
	}
	return false
}

// starting sets the command that mends a finding.
func (s *surveyor) starting(p *project, f *Finding) bool {
	absent := f.Check == "command-missing" || f.Check == "development-server"
	if own, at := p.webCommand(); absent && own != nil {
		s.app.Command = own
		s.set("command", at, "")
		return true
	}
	words, note := p.serving(), ""
	switch {
	case absent:
		note = "the image has no command for production"
	case f.Check == "low-port":
		for _, server := range p.start.servers {
			if server.port > 0 && server.port < 1024 {
				words = p.moved(server)
			}
		}
		note = "only root may listen on the port that the image uses"
	}
	if module := p.anyModule(); words == nil && module != "" && f.Check != "installs-at-start" {
		words, note = []string{"gunicorn", module}, strings.TrimPrefix(note+"; gunicorn has to be installed", "; ")
	}
	if words == nil {
		return false
	}
	s.app.Command = words
	s.set("command", f.at(), note)
	if why := map[string]string{"entrypoint-arguments": "drops its arguments", "drops-privileges": "needs root",
		"low-port": "starts what needs root"}[f.Check]; why != "" && p.image.entrypoint != nil {
		s.app.Entrypoint = []string{}
		s.set("entrypoint", f.at(), "the image's own "+why)
	}
	return true
}

// websockets replaces the server of a generated Dockerfile, which knows WSGI alone.
func (s *surveyor) websockets(p *project) bool {
	if p.image == nil || !p.image.generated || s.app.Command != nil || s.try("websockets") {
		return false
	}
	at, set, _ := p.setting("ASGI_APPLICATION")
	installed, _, _ := p.setting("INSTALLED_APPS")
	apps, _ := installed.texts()
	if !set || !p.usesChannels(apps) {
		return false
	}
	words := p.asynchronous(p.anyModule())
	if words == nil {
		return false
	}
	s.app.Command = words
	s.set("command", at.at(), "the generated Dockerfile starts gunicorn, which has no websockets")
	return true
}

// directly makes the server the first process of the container: a shell that starts it would not pass on the signal to stop.
func (s *surveyor) directly(p *project) bool {
	i := p.image
	if i == nil || i.target == nil || i.generated {
		return false
	}
	if c := i.cmd; c != nil && c.shell && s.app.Command == nil && !s.try("shell form") {
		words := slices.DeleteFunc(fields(strings.Join(c.words, " ")), func(w string) bool { return w == "--reload" })
		if len(words) > 0 && words[0] != "exec" && !assignment.MatchString(words[0]) && !strings.Contains(strings.Join(words, ""), "$") {
			s.app.Command = words
			s.set("command", c.place(i), unshelled)
			return true
		}
	}
	if len(p.start.servers) != 1 || len(p.start.unread) > 0 || s.try("directly") {
		return false
	}
	server := p.start.servers[0]
	if len(server.words) == 0 || server.words[0] == "exec" || i.startsWith(server.words[0]) {
		return false
	}
	for _, c := range p.start.commands {
		words := unwrapped(c.words)
		if c.at.file != server.at.file || len(words) == 0 || slices.Contains(harmlessPrograms, path.Base(words[0])) ||
			managing(words) == "migrate" || isServer(c.words) || isShell(words[0]) || c.at.file == i.file && c.at.line == server.at.line {
			continue
		}
		return false // the script does something that the server may need
	}
	words := slices.DeleteFunc(slices.Clone(server.words), func(w string) bool { return w == "--reload" })
	for len(words) > 0 && (assignment.MatchString(words[0]) || words[0] == "env") {
		words = words[1:]
	}
	if strings.ContainsAny(strings.Join(words, ""), "$\"'`{}[]#") {
		words = p.serving()
	}
	if words == nil || strings.HasPrefix(server.program, "runserver") {
		return false
	}
	s.app.Command = words
	s.set("command", server.at, unshelled)
	if i.cmd == nil {
		s.app.Entrypoint = []string{}
		s.set("entrypoint", server.at, "")
	}
	return true
}

const unshelled = "without the shell, which would not pass on the signal to stop"

// harmlessPrograms are those of a script that the server does not need.
var harmlessPrograms = []string{"echo", "printf", "set", "sleep", "true", ":", "date", "id", "whoami", "pwd"}

// startsWith reports whether a program is the first process.
func (i *dockerImage) startsWith(program string) bool {
	for _, c := range []*dockerCommand{i.cmd, i.entrypoint} {
		if c != nil && !c.shell && slices.Contains(c.words, program) && !slices.ContainsFunc(c.words, isShell) {
			return true
		}
	}
	return false
}

// port sets the port on which the server listens.
func (s *surveyor) port(p *project) bool {
	f := p.finding("port-differs")
	if f == nil || s.try("port") {
		return false
	}
	for _, server := range p.start.servers {
		port := server.port
		if port == 0 && !server.elsewhere {
			port = usualPorts[server.program]
		}
		if port >= 1024 && port != s.app.port() {
			s.app.Port = port
			s.set("port", server.at, "")
			return true
		}
	}
	return false
}

// files sets the paths that the app writes, and where it looks for static files.
func (s *surveyor) files(p *project) bool {
	for _, f := range p.report.Findings {
		if f.writable != "" && !slices.Contains(s.app.Writable, f.writable) && !strings.HasPrefix(f.writable, "/etc/") {
			s.app.Writable = append(s.app.Writable, f.writable)
			s.set("writable."+f.writable, f.at(), "")
			return true
		}
	}
	if f := p.finding("static-url"); f != nil && !s.try("static-url") {
		v, _, _ := p.setting("STATIC_URL")
		s.app.Static.URL = "/" + strings.Trim(v.text(), "/") + "/"
		s.set("static.url", f.at(), "")
		return true
	}
	return false
}

// overlay replaces settings that no variable reaches.
func (s *surveyor) overlay(p *project) bool {
	if s.app.Settings == "" || p.facts == nil || p.facts.Settings == nil {
		return false
	}
	add := func(name string, f *Finding) bool {
		if f == nil || s.app.replaces(name) || s.try("overlay "+name) {
			return false
		}
		s.app.Overlay = append(s.app.Overlay, name)
		s.set("overlay."+name, f.at(), f.Reason)
		return true
	}
	fixed := func(name string, codes ...string) *Finding {
		v, _, _ := p.setting(name)
		f := p.finding(codes...)
		if f == nil || f.Severity != Refused && f.Check != "secret-key-file" || len(v.Reads) > 0 && f.Check != "hosts-fixed" {
			return nil
		}
		return f
	}
	databases := p.finding("database-engine", "database-fixed", "database-fallback")
	if databases != nil && databases.Severity != Refused {
		databases = nil
	}
	return add("DATABASES", databases) ||
		add("SECRET_KEY", fixed("SECRET_KEY", "secret-key-in-code", "secret-key-random", "secret-key-missing", "secret-key-file")) ||
		add("DEBUG", fixed("DEBUG", "debug-on")) ||
		add("ALLOWED_HOSTS", fixed("ALLOWED_HOSTS", "hosts-fixed")) ||
		add("STATIC_ROOT", p.finding("static-not-collected", "static-root-missing")) ||
		add("SECURE_PROXY_SSL_HEADER", p.finding("proxy-header")) ||
		s.media(p, add)
}

// media puts uploads into the bucket.
func (s *surveyor) media(p *project, add func(string, *Finding) bool) bool {
	f := p.finding("media-on-disk")
	if f == nil {
		return false
	}
	generated := p.image != nil && p.image.generated
	refused := f.Severity == Refused
	listed := p.needs.has("django-storages") && p.needs.has("boto3") ||
		strings.Contains(p.needs.text, "django-storages[s3]") || strings.Contains(p.needs.text, "django-storages[boto3]") || p.needs.open
	if !listed && !refused {
		return false // no model of the project has files
	}
	if generated && !listed && !slices.Contains(s.app.Packages, "django-storages[s3]") {
		s.app.Packages = append(s.app.Packages, "django-storages[s3]")
		s.set("packages.django-storages[s3]", f.at(), "files go to the bucket")
	}
	return add("MEDIA", f)
}

// redirect notes that the site answers only over https.
func (s *surveyor) redirect(p *project) bool {
	f := p.finding("tls-without-domain")
	if f == nil || f.Severity != Refused || s.domain != nil {
		return false
	}
	v, _, _ := p.setting("SECURE_SSL_REDIRECT")
	off := func(q *project) bool { v, _, _ := q.setting("SECURE_SSL_REDIRECT"); return !v.on() }
	for _, name := range v.Reads {
		if !s.try("redirect "+name) && s.fits(name, v.at(), off, "{https}", "False", "false", "0", "") {
			if s.app.Env[name] != "{https}" {
				s.from["env."+name] = origin{v.at(), "off, as long as the stack has no domain; with one, remove this line", false}
			}
			return true
		}
	}
	s.domain = &Key{Name: "domain", File: f.File, Line: f.Line, Note: f.Reason}
	return true
}

// fits sets a variable to the first of some values with which the settings are as they should be.
func (s *surveyor) fits(name string, at place, right func(*project) bool, values ...string) bool {
	for _, value := range values {
		app := s.app
		app.Env = map[string]string{name: value}
		for n, v := range s.app.Env {
			if n != name {
				app.Env[n] = v
			}
		}
		if p, err := s.open(app); err == nil && p.facts != nil && p.facts.Settings != nil && right(p) {
			s.app = app
			s.set("env."+name, at, "")
			return true
		}
	}
	return false
}
