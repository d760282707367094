package check

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Rules about the Dockerfile and about what a container starts.

// unfit are the names of stages that are not for production.
var unfit = regexp.MustCompile(`(?i)^(dev|devel|development|test|tests|testing|unittests?|ci|debug|lint|docs?|local|builder|` +
	`build|assets)$|` +
	`[-_.](dev|devel|development|tests?|unittests?|testing|debug|lint|local|ci)$|^(dev|development|tests?|testing|debug|lint|local)[-_.]`)

func (p *project) checkDockerfile() {
	i := p.image
	switch {
	case i == nil && p.App.Dockerfile != "":
		p.find("dockerfile-missing", place{p.App.Dockerfile, 0}, "there is no such file")
		return
	case i == nil && p.ungenerated != "":
		f := p.find("dockerfile-missing", place{"", 0}, "there is no Dockerfile, and none can be generated: %s", p.ungenerated)
		if other := p.findDockerfile(); other != "" {
			f.Fix = "Set app.dockerfile to the path of " + other + " from app.context."
		}
		return
	case i == nil:
		return // it is too large
	case i.invalid != nil && i.frontend:
		p.unknown(i.file, i.invalid.line, "this Dockerfile", "its syntax line may allow what was not understood: "+i.problem)
		return
	case i.invalid != nil:
		p.find("dockerfile-invalid", place{i.file, i.invalid.line}, "%s", i.problem)
		return
	case i.target == nil:
		p.find("dockerfile-invalid", place{i.file, 1}, "it has no FROM")
		return
	}
	for _, m := range p.missingSources() {
		if at := (place{i.file, m.line}); m.ignored {
			f := p.find("copy-missing", at, "%s is excluded from the build context", m.source)
			if i.ignore.file != "" {
				f.Reason = m.source + " is excluded from the build context by " + i.ignore.file
				f.Fix = "Add !" + strings.TrimPrefix(path.Clean("/"+m.source), "/") + " to " + i.ignore.file + "."
			}
		} else {
			p.find("copy-missing", at, "%s does not exist in the build context (%s)", m.source, shownFolder(i.context))
		}
	}
	if len(i.stages) > 1 && unfit.MatchString(i.target.name) && p.App.Target == "" {
		f := p.find("last-stage", place{i.file, i.target.line}, "the last stage, which runs, is %s", i.target.name)
		if name := i.fitStage(); name != "" {
			f.Fix = "Set app.target: " + name + "."
		}
	}
}

// fitStage is the name of the stage that looks like the site's, "" if it is not clear.
func (i *dockerImage) fitStage() string {
	best, most := "", 0
	for _, s := range i.stages {
		score := 0
		own := dockerImage{env: map[string]string{}}
		own.run(s)
		switch {
		case s.name == "" || unfit.MatchString(s.name):
			continue
		case own.cmd != nil:
			score = 2
		case own.entrypoint != nil:
			score = 1
		}
		if productions.MatchString(s.name) {
			score += 2
		}
		if score > most {
			best, most = s.name, score
		}
	}
	return best
}

func shownFolder(folder string) string {
	if folder == "." {
		return "the folder that is checked"
	}
	return folder
}

// checkCommand looks at how the image starts.
func (p *project) checkCommand() {
	i := p.image
	if i == nil || i.target == nil {
		return
	}
	s := p.start
	for _, u := range s.unread {
		p.unknown(i.file, 0, "what "+u.text+" does at the start", "it is not a shell script of the project")
	}
	if s.ignores != nil {
		f := p.find("entrypoint-arguments", *s.ignores, "the entrypoint starts the same program whatever command it gets")
		if command := p.command(); command != "" {
			f.Fix = "Set app.entrypoint: [] and app.command: " + command + ". Or end the script with exec \"$@\", with the server in CMD."
		}
	}
	if len(s.servers) > 0 || i.cmd != nil && len(i.cmd.words) > 0 || s.ignores != nil {
		return
	}
	at := place{i.file, i.target.line}
	if i.entrypoint == nil && !official.MatchString(i.base) {
		p.unknown(i.file, i.target.line, "the image's command", "it may come from the base image "+i.base)
		return
	}
	if i.entrypoint != nil {
		at.line = i.entrypoint.line
		if len(s.unread) > 0 {
			p.unknown(i.file, at.line, "the image's command", "the entrypoint may start the server by itself")
			return
		}
		if !mentionsArguments(p.start.all) {
			return
		}
	}
	f := p.find("command-missing", at, "no CMD says what runs")
	if command := p.command(); command != "" {
		f.Fix = "Set app.command: " + command + "."
	}
}

// yamlList writes words as a list in YAML.
func yamlList(words []string) string {
	quoted := slices.Clone(words)
	for i, w := range words {
		if !plainWord.MatchString(w) {
			quoted[i] = strconv.Quote(w)
		}
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// plainWord is a string in YAML without quotes.
var plainWord = regexp.MustCompile(`^(--?)?[A-Za-z_./][\w./@=-]*$`)

// command is the command that app.command may have, as YAML; "" if none is clear.
func (p *project) command() string {
	if words := p.serving(); words != nil {
		return yamlList(words)
	}
	return ""
}

// serving is the command that app.command may have: the server that starts now with the module that exists, or gunicorn.
func (p *project) serving() []string {
	module := p.anyModule()
	for _, s := range p.start.servers {
		words := unwrapped(s.words)
		if strings.HasPrefix(s.program, "runserver") || strings.ContainsAny(strings.Join(words, ""), "$\"'`{}[]#") ||
			slices.ContainsFunc(words, func(w string) bool { return strings.Contains(w, "unix:") }) { // nginx needs a port
			continue
		}
		words = slices.Clone(words)
		for i, w := range words {
			if s.module != "" && module != "" && !p.hasModule(s.module) && strings.HasPrefix(w, s.module) {
				words[i] = strings.Replace(w, s.module, module, 1)
			}
		}
		return words
	}
	if module == "" {
		return nil
	}
	if words := p.asynchronous(module); words != nil {
		return words
	}
	if !p.needs.has("gunicorn") && p.needs.has("uwsgi") {
		return []string{"uwsgi", "--http", "0.0.0.0:" + strconv.Itoa(p.App.port()), "--module", module + ":application", "--need-app"}
	}
	if !p.needs.open && len(p.needs.files) > 0 && !p.needs.has("gunicorn") {
		return nil
	}
	if e := p.image; e != nil && e.entrypoint != nil && p.App.Entrypoint == nil && pythonAlone(e.entrypoint) {
		return []string{"-m", "gunicorn", module} // the entrypoint runs what it gets as Python
	}
	return []string{"gunicorn", module}
}

// usesChannels reports whether the project has websockets: Channels 4 does not have to be an installed app (Channels documentation,
// "Installation").
func (p *project) usesChannels(apps []string) bool {
	_, set, _ := p.setting("ASGI_APPLICATION")
	return slices.Contains(apps, "channels") || set && (p.needs.has("channels") || strings.Contains(p.needs.text, "channels["))
}

// asynchronous is a server for ASGI, if only such a one is listed, or the project uses channels.
func (p *project) asynchronous(module string) []string {
	installed, _, _ := p.setting("INSTALLED_APPS")
	apps, _ := installed.texts()
	if asgi := strings.TrimSuffix(module, "wsgi") + "asgi"; p.usesChannels(apps) && p.hasModule(asgi) {
		module = asgi
	} else if p.needs.has("gunicorn") {
		return nil
	}
	for _, s := range [][]string{{"uvicorn", "--host", "0.0.0.0", "--port"}, {"daphne", "-b", "0.0.0.0", "-p"}} {
		if (p.needs.has(s[0]) || strings.Contains(p.needs.text, "["+s[0]+"]")) && strings.HasSuffix(module, "asgi") {
			return append([]string{s[0], module + ":application"}, append(s[1:], strconv.Itoa(p.App.port()))...)
		}
	}
	return nil
}

// pythonAlone reports whether an entrypoint is the interpreter without a script, as that of distroless images.
func pythonAlone(c *dockerCommand) bool {
	words := unwrapped(c.words)
	return !c.shell && len(words) == 1 && pythonProgram.MatchString(path.Base(words[0]))
}

// checkServer looks at the servers that start.
func (p *project) checkServer() {
	production := slices.ContainsFunc(p.start.servers, func(s server) bool { return !strings.HasPrefix(s.program, "runserver") })
	for _, s := range p.start.servers {
		if strings.HasPrefix(s.program, "runserver") {
			if !s.conditional || !production {
				f := p.find("development-server", s.at, "%s is started", s.program)
				if command := p.command(); command != "" {
					f.Fix = "Set app.command: " + command + "."
				}
			}
			continue
		}
		if s.reload && !s.conditional {
			p.find("server-reload", s.at, "%s is started with --reload", s.program)
		}
		if s.port > 0 && s.port < 1024 {
			p.find("low-port", s.at, "%s listens on port %d", s.program, s.port).Fix = p.onPort(s)
		}
		p.checkModule(s)
	}
	if !p.checkOtherPorts() {
		p.checkPort()
	}
}

// onPort is how to make a server listen on another port.
func (p *project) onPort(s server) string {
	words := p.moved(s)
	switch {
	case words == nil:
		return checkOf("low-port").Fix
	case s.program == "gunicorn" && len(words) == 2:
		return "Set app.command: " + yamlList(words) + ": gunicorn then listens on app.port."
	}
	return "Set app.command: " + yamlList(words) + "."
}

// moved is the command of a server that listens on app.port; nil if it is not clear.
func (p *project) moved(s server) []string {
	if s.module != "" && !strings.ContainsAny(s.module, "$") && s.program == "gunicorn" {
		return append([]string{"gunicorn"}, moduleOf(s)...)
	}
	words := slices.Clone(unwrapped(s.words))
	if len(words) == 0 || strings.ContainsAny(strings.Join(words, ", "), "$\"'`{}[]#") {
		return nil
	}
	for i, w := range words {
		words[i] = regexp.MustCompile(`(^|[:=])`+strconv.Itoa(s.port)+`$`).ReplaceAllString(w, "${1}"+strconv.Itoa(p.App.port()))
	}
	return words
}

// moduleOf is the module that a server loads, as one word.
func moduleOf(s server) []string {
	if s.name == "" {
		return []string{s.module}
	}
	return []string{s.module + ":" + s.name}
}

// usualPorts are those on which a server listens if its command does not say.
var usualPorts = map[string]int{"uvicorn": 8000, "daphne": 8000, "hypercorn": 8000, "granian": 8000, "waitress-serve": 8080}

// checkPort compares the port that the command listens on with app.port. Nothing is said if it is not clear.
func (p *project) checkPort() {
	var other *server
	for _, s := range p.start.servers {
		port := s.port
		if port == 0 && !s.elsewhere {
			port = usualPorts[s.program]
		}
		if s.program == "gunicorn" && port == 0 || port == p.App.port() || port == 0 {
			return // gunicorn without an address listens on PORT, which is app.port
		}
		if s.port = port; other == nil && !strings.HasPrefix(s.program, "runserver") {
			other = &s
		}
	}
	if other == nil || other.port < 1024 {
		return
	}
	f := p.find("port-differs", other.at, "%s listens on port %d, and app.port is %d", other.program, other.port, p.App.port())
	f.Severity, f.Fix = p.unconfigured(), fmt.Sprintf("Set app.port: %d.", other.port)
}

var (
	listen    = regexp.MustCompile(`(?m)^\s*listen\s+(?:[\w.\[\]:*]+:)?(\d{1,3})\b`)
	nginxWord = regexp.MustCompile(`(^|\s|/)nginx\b`)
)

// checkOtherPorts looks at an nginx that runs in the same image.
func (p *project) checkOtherPorts() (other bool) {
	for _, c := range p.start.commands {
		bare := unwrapped(c.words)
		if len(bare) == 0 || path.Base(bare[0]) != "nginx" {
			continue
		}
		for _, f := range p.tree.where(func(f string) bool {
			return (strings.HasSuffix(f, ".conf") || strings.HasSuffix(f, ".conf.template")) && !beside(f)
		}) {
			if m := listen.FindStringSubmatch(p.tree.text(f)); m != nil && nginxWord.MatchString(p.start.text) {
				port, _ := strconv.Atoi(m[1])
				p.find("low-port", place{f, p.tree.line(f, listen)}, "nginx, which the start runs, listens on port %d", port)
				return true
			}
		}
		other = true
	}
	return other
}

// checkModule looks whether the module that a server loads is there.
func (p *project) checkModule(s server) {
	if s.module == "" || strings.ContainsAny(s.module, "$/") || p.hasModule(s.module) {
		return
	}
	other := p.anyModule()
	top, _, _ := strings.Cut(s.module, ".")
	if other == "" || p.needs.has(top) {
		p.unknown(s.at.file, s.at.line, "the module "+s.module, "it may be part of a package")
		return
	}
	f := p.find("module-missing", s.at, "%s loads %s, which the project does not have", s.program, s.module)
	f.Fix = "Name the module that exists: " + other + "."
	if command := p.command(); command != "" {
		f.Fix = "Name the module that exists: " + other + ". Without a change of the code: app.command: " + command + "."
	}
}

// hasModule reports whether the project has a module.
func (p *project) hasModule(module string) bool {
	name := strings.ReplaceAll(module, ".", "/")
	return p.moduleFile(p.roots(p.tree.named("manage.py")), module) != "" || slices.ContainsFunc(p.tree.files, func(f string) bool {
		return f == name+".py" || strings.HasSuffix(f, "/"+name+".py") || strings.HasSuffix(f, "/"+name+"/__init__.py")
	})
}

// anyModule is a module of the project that a server can load.
func (p *project) anyModule() string {
	roots := p.roots(p.tree.named("manage.py"))
	for _, name := range []string{"wsgi.py", "asgi.py"} {
		for _, f := range p.tree.named(name) {
			if beside(f) {
				continue
			}
			for _, root := range roots {
				if rel, in := under(root, f); in && strings.Count(rel, "/") > 0 {
					return strings.ReplaceAll(strings.TrimSuffix(rel, ".py"), "/", ".")
				}
			}
		}
	}
	if v, set, _ := p.setting("WSGI_APPLICATION"); set && v.isText() && strings.Contains(v.text(), ".") {
		if module := v.text()[:strings.LastIndex(v.text(), ".")]; p.hasModule(module) {
			return module
		}
	}
	for _, f := range p.tree.where(func(f string) bool { return strings.HasSuffix(f, ".py") && !beside(f) }) {
		if !makesApplication.MatchString(p.tree.text(f)) {
			continue
		}
		for _, root := range roots {
			if rel, in := under(root, f); in && strings.Count(rel, "/") > 0 {
				return strings.ReplaceAll(strings.TrimSuffix(rel, ".py"), "/", ".")
			}
		}
	}
	return ""
}

var makesApplication = regexp.MustCompile(`(?m)^application\s*=\s*get_[aw]sgi_application\(`)

var (
	installs = regexp.MustCompile(`^(pip3?|npm|yarn|pnpm|apt-get|apt|apk|poetry|pipenv|uv|pdm) (\S+ )*?(install|ci|add|sync)\b`)
	droppers = []string{"gosu", "su-exec", "sudo", "setpriv", "runuser", "su", "chpst", "s6-setuidgid", "s6-applyuidgid"}
)

// checkStartUp looks at what else happens at the start.
func (p *project) checkStartUp() {
	seen := map[string]bool{}
	once := func(code string, c command, format string, args ...any) *Finding {
		if seen[code] {
			return &Finding{}
		}
		seen[code] = true
		return p.find(code, c.at, format, args...)
	}
	for _, c := range p.start.commands {
		bare := withoutPython(c.words)
		if len(bare) == 0 {
			continue
		}
		program := ""
		if i := slices.IndexFunc(c.words, func(w string) bool { return !assignment.MatchString(w) && w != "exec" && w != "env" }); i >= 0 {
			program = path.Base(c.words[i])
		}
		line := path.Base(bare[0]) + " " + strings.Join(bare[1:], " ")
		switch {
		case slices.Contains(droppers, program) && !c.asRoot:
			once("drops-privileges", c, "%s changes the user when the container starts", program).Fix = p.withoutStart("drops-privileges")
		case program == "chown" && !c.asRoot:
			once("drops-privileges", c, "chown changes the owner of files when the container starts").Fix = p.withoutStart("drops-privileges")
		case installs.MatchString(line) && !c.conditional:
			once("installs-at-start", c, "%s runs when the container starts", strings.Join(installs.FindStringSubmatch(line)[1:2], "")+" "+
				installs.FindStringSubmatch(line)[3])
		}
		if target, sure := p.writes(bare); target != "" && !c.conditional {
			f := once("writes-at-start", c, "%s writes %s when the container starts", path.Base(bare[0]), target)
			f.Fix = "Set app.writable: [" + strings.Join(append(slices.Clone(p.App.Writable), target), ", ") + "], or write to /tmp."
			f.writable = target
			if sure && c.strict {
				f.Severity = Refused
			}
		}
		switch managing(c.words) {
		case "migrate":
			once("migrates-at-start", c, "migrate runs when a container starts")
		case "collectstatic":
			p.checkCollecting(c, once)
		}
	}
}

// withoutStart is a fix with the command that starts the server alone.
func (p *project) withoutStart(code string) string {
	if command := p.command(); command != "" {
		return "Set app.entrypoint: [] and app.command: " + command + ". Or do it in the Dockerfile, with RUN chown and USER."
	}
	return checkOf(code).Fix
}

// checkCollecting looks at collectstatic in a start: it writes STATIC_ROOT.
func (p *project) checkCollecting(c command, once func(string, command, string, ...any) *Finding) {
	root, set, _ := p.setting("STATIC_ROOT")
	at := p.inImage(root)
	switch {
	case c.conditional || p.App.replaces("STATIC_ROOT"), set && at != "" && p.App.writes(at):
	case at == "":
		once("collects-at-start", c, "collectstatic runs when a container starts")
	default:
		f := once("collects-at-start", c, "collectstatic writes %s when a container starts", at)
		f.Fix = "Set app.writable: [" + strings.Join(append(slices.Clone(p.App.Writable), at), ", ") + "]."
		f.writable = at
		if c.strict {
			f.Severity = Refused
		}
	}
}

// writes is a path that a command writes and that the app may not write, and whether the command then fails for certain.
func (p *project) writes(words []string) (at string, sure bool) {
	program := path.Base(words[0])
	if !slices.Contains([]string{"cp", "mkdir", "touch", "mv", "ln", "tee"}, program) || len(words) < 2 {
		return "", false
	}
	target := words[len(words)-1]
	if strings.HasPrefix(target, "-") || strings.ContainsAny(target, "$&>*`") {
		return "", false
	}
	target = absolute(p.image.workdir, target)
	for _, writable := range []string{"/tmp", "/dev", "/run/secrets"} {
		if _, in := under(writable, target); in {
			return "", false
		}
	}
	if copies := program == "cp" || program == "mv"; copies && len(words) > 2 { // into a folder, or as a file
		into := path.Join(target, path.Base(words[len(words)-2]))
		if p.App.writes(into) {
			return "", false
		}
		if _, in := under(target, p.image.workdir); in && !strings.HasSuffix(words[len(words)-2], "/.") {
			target = into // the folder is there for certain
		}
	}
	if p.App.writes(target) {
		return "", false
	}
	return target, program != "mkdir" || !slices.Contains(words, "-p")
}

var (
	createsUser  = regexp.MustCompile(`create_superuser\(([^)]*)\)`)
	literalWord  = regexp.MustCompile(`(?:^|,)\s*(?:password\s*=\s*)?["']([^"'$]+)["']\s*$`)
	defaultWord  = regexp.MustCompile(`\$\{?\w*SUPER\w*PASSWORD\w*:[-=]["']?([^}"'$]+)`)
	assignedWord = regexp.MustCompile(`(?m)^\s*(?:export\s+|ENV\s+)?(\w*SUPER\w*PASSWORD)[= ]["']?([^\s"'$]+)`)
)

// checkSuperuser looks at a superuser that the start makes.
func (p *project) checkSuperuser() {
	texts := map[string]bool{}
	for _, c := range p.start.commands {
		texts[c.at.file] = true
	}
	known := false
	for file := range texts {
		text := p.tree.text(file)
		for _, form := range []*regexp.Regexp{defaultWord, assignedWord} {
			if at := form.FindStringIndex(text); at != nil && (createsUser.MatchString(text) || strings.Contains(text, "createsuperuser") ||
				form == defaultWord) {
				p.find("superuser-password", place{file, lineAt(text, at[0])}, "the superuser gets a password that is in the code")
				known = true
			}
		}
		for _, at := range createsUser.FindAllStringSubmatchIndex(text, -1) {
			if literalWord.MatchString(text[at[2]:at[3]]) {
				p.find("superuser-password", place{file, lineAt(text, at[0])}, "the superuser gets a password that is in the code")
				known = true
			}
		}
	}
	if p.image != nil {
		for name, value := range p.image.env {
			if strings.Contains(name, "SUPERUSER_PASSWORD") && value != "" && !strings.Contains(value, "$") {
				f := p.find("superuser-password", place{p.image.file, p.tree.line(p.image.file, regexp.MustCompile(regexp.QuoteMeta(name)))},
					"%s is set in the Dockerfile", name)
				if len(p.start.commands) == len(p.start.servers) && len(p.start.servers) > 0 && len(p.start.unread) == 0 {
					f.Severity = Warning // nothing but the server starts
				}
				known = true
			}
		}
	}
	if known || p.provided("DJANGO_SUPERUSER_PASSWORD") {
		return
	}
	for _, c := range p.start.commands {
		if managing(c.words) == "createsuperuser" && !c.conditional && !p.start.mentions("SUPERUSER_PASSWORD") {
			p.find("superuser-no-password", c.at, "createsuperuser runs without DJANGO_SUPERUSER_PASSWORD")
			return
		}
	}
}
