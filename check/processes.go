package check

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
	"mvdan.cc/sh/v3/shell"
)

// Processes beside the web server: what compose files and Procfiles start.

// A Process is a long-running command of the project's image.
type Process struct {
	Name    string   `json:"name"`
	Command []string `json:"command"`
	Single  bool     `json:"single"` // never two at once
	File    string   `json:"file"`
	Line    int      `json:"line"`
	Note    string   `json:"note,omitempty"`
	Kind    string   `json:"kind,omitempty"` // of celeryCommand, also behind a script
	App     string   `json:"app,omitempty"`  // of Celery, where it is known
}

// A started command is one that a file beside the Dockerfile starts.
type startedCommand struct {
	name  string
	words []string
	at    place
	web   bool
}

var (
	composeFile = regexp.MustCompile(`(?i)(^|/)(docker-)?compose[\w.-]*\.ya?ml$|(^|/)[\w-]+\.compose\.ya?ml$`)
	procfile    = regexp.MustCompile(`(^|/)Procfile$`)
	procLine    = regexp.MustCompile(`(?m)^([A-Za-z0-9_-]+):[ \t]*(.+)$`)
)

// started are the commands of the file that most looks like production's, and has any that are wanted.
func (p *project) started(wanted func(startedCommand) bool) []startedCommand {
	files := p.tree.where(func(f string) bool { return (composeFile.MatchString(f) || procfile.MatchString(f)) && !beside(f) })
	rank := func(f string) int {
		switch {
		case productions.MatchString(f):
			return 0
		case developments.MatchString(f) || strings.Contains(f, "override"):
			return 2
		}
		return 1
	}
	slices.SortStableFunc(files, func(a, b string) int { return rank(a) - rank(b) })
	for _, f := range files {
		all := p.compose(f)
		if procfile.MatchString(f) {
			all = p.procfile(f)
		}
		all = slices.DeleteFunc(all, func(c startedCommand) bool { return !wanted(c) })
		if len(all) > 0 {
			return all
		}
	}
	return nil
}

func (p *project) procfile(file string) (all []startedCommand) {
	text := p.tree.text(file)
	for _, m := range procLine.FindAllStringSubmatchIndex(text, -1) {
		name := text[m[2]:m[3]]
		if name == "release" {
			continue
		}
		if words := fields(text[m[4]:m[5]]); words != nil {
			all = append(all, startedCommand{name, words, place{file, lineAt(text, m[0])}, name == "web"})
		}
	}
	return all
}

// fields are the words of a command line; nil if a shell would have to run it. Variables stay as they are written.
func fields(line string) []string {
	words, err := shell.Fields(line, func(name string) string {
		if name == "IFS" { // which separates words
			return ""
		}
		return "$" + name
	})
	if err != nil || slices.ContainsFunc(words, func(w string) bool { return strings.ContainsAny(w, "&|;<>`") }) {
		return nil
	}
	return words
}

// compose reads the commands of a compose file's services that this project's image may run.
func (p *project) compose(file string) (all []startedCommand) {
	var document struct{ Services yaml.Node }
	if yaml.Unmarshal([]byte(p.tree.text(file)), &document) != nil || document.Services.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(document.Services.Content); i += 2 {
		name, node := document.Services.Content[i], document.Services.Content[i+1]
		var service struct {
			Command, Entrypoint yaml.Node
			Ports               []any
		}
		if node.Decode(&service) != nil {
			continue
		}
		line := name.Line
		for _, part := range []yaml.Node{service.Entrypoint, service.Command} {
			if words := composed(part); words != nil {
				if part.Line > 0 {
					line = part.Line
				}
				all = append(all, startedCommand{name.Value, words, place{file, line}, len(service.Ports) > 0})
			}
		}
	}
	return all
}

func composed(n yaml.Node) []string {
	switch n.Kind {
	case yaml.ScalarNode:
		return fields(n.Value)
	case yaml.SequenceNode:
		var words []string
		if n.Decode(&words) != nil {
			return nil
		}
		return words
	}
	return nil
}

// webCommand is a command for the web container that a file of a deployment has; nil if none.
func (p *project) webCommand() ([]string, place) {
	all := p.started(func(c startedCommand) bool {
		if developments.MatchString(c.at.file) || strings.ContainsAny(strings.Join(c.words, ""), "$`") {
			return false
		}
		run := p.within(c.words)
		return run.ignores == nil && slices.ContainsFunc(run.servers, func(s server) bool {
			return !strings.HasPrefix(s.program, "runserver") && !s.reload && s.module != "" && p.hasModule(s.module)
		})
	})
	if len(all) == 0 {
		return nil, place{}
	}
	return all[0].words, all[0].at
}

// consumers are commands of manage.py that run for as long as the site does.
var consumers = []string{"rqworker", "rqworker-pool", "rqscheduler", "run_huey", "qcluster", "process_tasks", "rundramatiq", "db_worker",
	"run_worker", "runworker", "django_rq_worker", "procrastinate", "scheduler", "run_scheduler", "djangohuey"}

// processes are the workers and schedulers of the project.
func (p *project) processes() (all []Process) {
	started := p.started(func(c startedCommand) bool { return p.process(c) != nil })
	for _, c := range started {
		one := p.process(c)
		if !slices.ContainsFunc(all, func(o Process) bool { return o.Name == one.Name || slices.Equal(o.Command, one.Command) }) {
			all = append(all, *one)
		}
	}
	return all
}

var unnamed = regexp.MustCompile(`[^a-z0-9]+`)

// process is what a command starts, if that is a worker or a scheduler.
func (p *project) process(c startedCommand) *Process {
	run := p.within(c.words)
	for _, command := range run.commands {
		words := unwrapped(command.words)
		if strings.ContainsAny(strings.Join(words, ""), "$`{}") {
			continue
		}
		name := strings.Trim(unnamed.ReplaceAllString(strings.ToLower(c.name), "-"), "-")
		one := &Process{Name: strings.Trim(name[:min(len(name), 20)], "-"), Command: words, File: c.at.file, Line: c.at.line}
		one.Kind = celeryCommand(words)
		switch kind := one.Kind; {
		case kind == "worker" && slices.ContainsFunc(words, func(w string) bool { return w == "-B" || w == "--beat" }), kind == "beat":
			one.Single = true
			if one.Name == "celery-beat" || one.Name == "celerybeat" || kind == "beat" {
				one.Name = "beat"
			}
			p.writesSchedule(one)
		case kind == "worker":
			if strings.HasPrefix(one.Name, "celery") {
				one.Name = strings.Trim(strings.TrimPrefix(one.Name, "celery"), "-")
			}
			if one.Name == "" {
				one.Name = "worker"
			}
		case slices.Contains(consumers, managing(words)):
		default:
			continue
		}
		if one.Name == "" || one.Name[0] < 'a' {
			one.Name = "worker"
		}
		if one.Note == "" && p.onlyStarts(c.words, run, command) {
			one.Command = c.words
		}
		return one
	}
	return nil
}

// Kinds of a process of Celery that is beside those of a stack.
const (
	Flower   = "flower"   // a site of its own
	Events   = "events"   // watches the workers
	Variable = "variable" // a worker or beat with variables of a shell in its command
)

// besides are processes of Celery that a stack does not run as they are written.
func (p *project) besides() (all []Process) {
	for _, c := range p.started(func(c startedCommand) bool { return p.beside(c) != nil }) {
		all = append(all, *p.beside(c))
	}
	return all
}

// beside is a process of Celery that a command starts and a stack does not run; nil: none.
func (p *project) beside(c startedCommand) *Process {
	if p.process(c) != nil {
		return nil
	}
	for _, command := range p.within(c.words).commands {
		words := unwrapped(command.words)
		one := &Process{Name: c.name, Command: unwrapped(c.words), File: c.at.file, Line: c.at.line, Kind: celeryCommand(words),
			App: celeryOption(words, "-A", "--app")}
		switch {
		case len(words) > 0 && path.Base(words[0]) == Flower:
			one.Kind = Flower
		case one.Kind == "worker", one.Kind == "beat": // process takes those without variables
			one.Kind = Variable
		}
		if one.Kind == Flower || one.Kind == Events || one.Kind == Variable {
			return one
		}
	}
	return nil
}

// onlyStarts reports whether words are a script of the image that only sets its environment and becomes the command. Such a script stays
// the place where the project sets options. Others may wait for a host of the compose file, migrate, or keep signals from the command.
func (p *project) onlyStarts(words []string, run *start, c command) bool {
	if len(words) != 1 || p.image == nil || p.image.source(p.tree, absolute(p.image.workdir, words[0])) != c.at.file ||
		c.conditional || c.words[0] != "exec" || len(run.unread) > 0 {
		return false
	}
	return !slices.ContainsFunc(run.commands, func(o command) bool {
		return o.at.file == c.at.file && o.at.line != c.at.line && !slices.Contains([]string{"set", "cd", "echo"}, o.words[0])
	})
}

// writesSchedule keeps the file in which beat notes what ran: the root file system is read-only.
func (p *project) writesSchedule(one *Process) {
	scheduler, _, _ := p.setting("CELERY_BEAT_SCHEDULER")
	text := strings.Join(one.Command, " ")
	if strings.Contains(scheduler.text()+text, "DatabaseScheduler") || strings.Contains(scheduler.text()+text, "django_celery_beat") ||
		strings.Contains(text, "redbeat") {
		return
	}
	for i, w := range one.Command {
		if (w == "-s" || w == "--schedule") && i+1 < len(one.Command) || strings.HasPrefix(w, "--schedule=") {
			return
		}
	}
	one.Command = append(slices.Clone(one.Command), "-s", "/tmp/celerybeat-schedule")
	one.Note = "-s: only /tmp is writable"
}

// periodic is what makes a schedule.
var periodic = regexp.MustCompile(`(?m)beat_schedule|CELERY_BEAT_SCHEDULE|on_after_(configure|finalize)|\bcrontab\(`)

// workers are the processes that the stack runs beside the web service.
func (s *surveyor) workers(p *project) {
	s.out.Processes, s.out.Beside = p.processes(), p.besides()
	app, at := p.celeryApp()
	if app == "" || !p.needs.has("celery") && len(p.needs.files) > 0 {
		return
	}
	has := func(kind string) bool {
		return slices.ContainsFunc(s.out.Processes, func(o Process) bool {
			return o.Kind == kind || kind == "beat" && o.Kind == "worker" && o.Single
		})
	}
	if !has("worker") && s.agreed("worker", at, true, "There is a Celery app, and no file says how its worker starts. Run one?") {
		s.out.Processes = append(s.out.Processes, Process{Name: "worker", Command: []string{"celery", "-A", app, "worker", "-l", "info"},
			File: at.file, Line: at.line})
	}
	_, scheduled, _ := p.setting("CELERY_BEAT_SCHEDULE")
	_, scheduler, _ := p.setting("CELERY_BEAT_SCHEDULER")
	if scheduled = scheduled || scheduler || periodic.MatchString(p.tree.text(at.file)); !scheduled || has("beat") {
		return
	}
	if s.agreed("beat", at, true, "There is a schedule for Celery, and no file says how beat starts. Run it?") {
		beat := Process{Name: "beat", Command: []string{"celery", "-A", app, "beat", "-l", "info"}, Single: true, File: at.file, Line: at.line}
		p.writesSchedule(&beat)
		s.out.Processes = append(s.out.Processes, beat)
	}
}

// Variables that get the address of a Redis, and values that are one.
var (
	redisURL = regexp.MustCompile(`(REDIS|VALKEY)\w*_?(URL|URI|DSN|LOCATION|CONNECTION)?$|` +
		`^(DJANGO_)?(CACHE|CACHES|BROKER|CELERY_BROKER|CELERY_RESULT_BACKEND)_?(URL|LOCATION)?$`)
	redisHost = regexp.MustCompile(`(REDIS|VALKEY)\w*_(HOST|HOSTNAME|SERVER|ADDRESS|ENDPOINT)$`)
	redisPort = regexp.MustCompile(`(REDIS|VALKEY)\w*_PORT$`)
	redisPass = regexp.MustCompile(`(REDIS|VALKEY)\w*_(PASSWORD|PASS|AUTH|TOKEN)$`)
	redisText = regexp.MustCompile(`^rediss?://|RedisCache|RedisChannelLayer`)
	queueText = regexp.MustCompile(`^(py)?amqps?://|^sqs://`)
)

// cache decides whether the stack has a cache, and which variables get its address.
func (s *surveyor) cache(p *project) bool {
	if p.facts == nil || p.facts.Settings == nil || s.try("cache") {
		return false
	}
	names := map[string]string{}
	var first *readVariable
	for _, r := range p.readings() {
		template := ""
		switch upper := strings.ToUpper(r.Name); {
		case redisHost.MatchString(upper):
			template = "{redis.host}"
		case redisPort.MatchString(upper):
			template = "{redis.port}"
		case redisPass.MatchString(upper):
			template = "{redis.password}"
		case redisURL.MatchString(upper) && !strings.HasSuffix(upper, "_DB") && s.urlOfCache(p, r):
			template = "{redis.url}"
		default:
			continue
		}
		names[r.Name] = template
		if first == nil {
			first = &r
		}
	}
	at, what := place{}, ""
	if first != nil {
		at, what = place{first.File, first.Line}, first.Name
	} else if name, v := p.redisSetting(); name != "" {
		at, what = v.at(), name
	}
	if what == "" {
		return s.broker(p)
	}
	if !s.agreed("cache", at, true, "The settings use Redis (%s). Create a cache (Valkey, cache.t4g.micro, billed by the hour)?", what) {
		return false
	}
	s.out.Cache = &Key{Name: "cache.node", Value: "cache.t4g.micro", File: at.file, Line: at.line, Note: what}
	for _, r := range p.readings() {
		if template := names[r.Name]; template != "" {
			s.app.Env[r.Name] = template
			s.secrets = slices.DeleteFunc(s.secrets, func(n string) bool { return n == r.Name })
			s.set("env."+r.Name, place{r.File, r.Line}, "")
		}
	}
	if len(names) == 0 {
		s.out.Cache.Note = fmt.Sprintf("%s has its address in the code: read it from a variable, with {redis.url}", what)
	}
	return len(names) > 0
}

// broker gives Celery a cache as its broker if the project names none. Celery reads the variable by itself.
func (s *surveyor) broker(p *project) bool {
	app, at := p.celeryApp()
	if !p.brokerless() || !p.needs.has("celery") && len(p.needs.files) > 0 || !s.agreed("cache", at, true,
		"Nothing sets the broker of the Celery app %s, so it would look for RabbitMQ on localhost. "+
			"Create a cache as its broker (Valkey, cache.t4g.micro, billed by the hour)?", app) {
		return false
	}
	s.out.Cache = &Key{Name: "cache.node", Value: "cache.t4g.micro", File: at.file, Line: at.line, Note: "the broker of Celery"}
	s.app.Env["CELERY_BROKER_URL"] = "{redis.url}"
	s.set("env.CELERY_BROKER_URL", at, "Celery reads it")
	return true
}

// urlOfCache reports whether a variable has the address of a Redis, as far as the code says.
func (s *surveyor) urlOfCache(p *project, r readVariable) bool {
	upper := strings.ToUpper(r.Name)
	if strings.Contains(upper, "REDIS") || strings.Contains(upper, "VALKEY") {
		return strings.HasSuffix(upper, "URL") || strings.HasSuffix(upper, "URI") || strings.HasSuffix(upper, "DSN") ||
			strings.HasSuffix(upper, "LOCATION") || strings.HasSuffix(upper, "REDIS") || strings.HasSuffix(upper, "CONNECTION")
	}
	for _, name := range p.settingsWith(r.Name) {
		if v := p.facts.Settings.Names[name]; v.isText() && queueText.MatchString(v.text()) {
			return false
		}
		if _, found := p.facts.Settings.Names[name].search(redisText, 0); found {
			return true
		}
	}
	return p.needs.has("redis") && !p.needs.has("django-environ") || strings.Contains(upper, "CELERY") && p.needs.has("redis")
}

// settingsWith are the settings whose value depends on a variable.
func (p *project) settingsWith(variable string) (names []string) {
	for name, v := range p.facts.Settings.Names {
		used := map[string]bool{}
		collect(v, used, 0)
		if used[variable] {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// redisSetting is a setting with the address of a Redis in the code.
func (p *project) redisSetting() (string, value) {
	if p.facts == nil || p.facts.Settings == nil {
		return "", value{}
	}
	for _, name := range slices.Sorted(keysOf(p.facts.Settings.Names)) {
		if name == "INSTALLED_APPS" || name == "LOGGING" {
			continue
		}
		if v, found := p.facts.Settings.Names[name].search(redisText, 0); found {
			return name, v
		}
	}
	return "", value{}
}
