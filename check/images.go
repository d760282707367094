package check

import (
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
	case i == nil && p.Dockerfile != "":
		p.find("dockerfile-missing", place{p.Dockerfile, 0}, "there is no such file")
		return
	case i == nil:
		p.find("dockerfile-missing", place{"", 0}, "no Dockerfile here builds an image of the site")
		return
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
	if len(i.stages) > 1 && unfit.MatchString(i.target.name) {
		p.find("last-stage", place{i.file, i.target.line}, "the last stage, which runs, is %s", i.target.name)
	}
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
		p.find("entrypoint-arguments", *s.ignores, "the entrypoint starts the same program whatever command it gets")
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
	if module := p.anyModule(); module != "" {
		f.Fix = "Add the command to the Dockerfile, such as CMD [\"gunicorn\", \"" + module + "\"]."
	}
}

// checkServer looks at the servers that start.
func (p *project) checkServer() {
	production := slices.ContainsFunc(p.start.servers, func(s server) bool { return !strings.HasPrefix(s.program, "runserver") })
	for _, s := range p.start.servers {
		if strings.HasPrefix(s.program, "runserver") {
			if !s.conditional || !production {
				p.find("development-server", s.at, "%s is started", s.program)
			}
			continue
		}
		if s.reload && !s.conditional {
			p.find("server-reload", s.at, "%s is started with --reload", s.program)
		}
		if s.port > 0 && s.port < 1024 {
			p.find("low-port", s.at, "%s listens on port %d", s.program, s.port)
		}
		p.checkModule(s)
	}
	p.checkOtherPorts()
}

var (
	listen    = regexp.MustCompile(`(?m)^\s*listen\s+(?:[\w.\[\]:*]+:)?(\d{1,3})\b`)
	nginxWord = regexp.MustCompile(`(^|\s|/)nginx\b`)
)

// checkOtherPorts looks at an nginx that runs in the same image.
func (p *project) checkOtherPorts() {
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
				return
			}
		}
	}
}

// checkModule looks whether the module that a server loads is there.
func (p *project) checkModule(s server) {
	if s.module == "" || strings.ContainsAny(s.module, "$/") {
		return
	}
	roots := p.roots(p.tree.named("manage.py"))
	name := strings.ReplaceAll(s.module, ".", "/")
	if p.moduleFile(roots, s.module) != "" || slices.ContainsFunc(p.tree.files, func(f string) bool {
		return f == name+".py" || strings.HasSuffix(f, "/"+name+".py") || strings.HasSuffix(f, "/"+name+"/__init__.py")
	}) {
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
	return ""
}

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
			once("drops-privileges", c, "%s changes the user when the container starts", program)
		case program == "chown" && !c.asRoot:
			once("drops-privileges", c, "chown changes the owner of files when the container starts")
		case installs.MatchString(line) && !c.conditional:
			once("installs-at-start", c, "%s runs when the container starts", strings.Join(installs.FindStringSubmatch(line)[1:2], "")+" "+
				installs.FindStringSubmatch(line)[3])
		case runsSync(c.words) && !p.provided("UV_NO_SYNC"):
			once("installs-at-start", c, "uv run checks and installs the packages when the container starts").Severity = Warning
		}
		if target := writes(bare); target != "" && !c.conditional {
			once("writes-at-start", c, "%s writes %s when the container starts", path.Base(bare[0]), target)
		}
		switch managing(c.words) {
		case "migrate":
			once("migrates-at-start", c, "migrate runs when a container starts")
		case "collectstatic":
			once("collects-at-start", c, "collectstatic runs when a container starts")
		}
	}
}

// writes is a path outside of /tmp that a command writes.
func writes(words []string) string {
	if !slices.Contains([]string{"cp", "mkdir", "touch", "mv", "ln", "tee"}, path.Base(words[0])) || len(words) < 2 {
		return ""
	}
	target := words[len(words)-1]
	for _, writable := range []string{"/tmp", "/dev/", "/run/secrets", "-", "$", "&", ">"} {
		if strings.HasPrefix(target, writable) {
			return ""
		}
	}
	return target
}

// runsSync reports whether a command is run by uv, with its check of the packages.
func runsSync(words []string) bool {
	at := slices.IndexFunc(words, func(w string) bool { return path.Base(w) == "uv" })
	return at >= 0 && at < 2 && slices.Contains(words, "run") && !slices.Contains(words, "--no-sync") && !slices.Contains(words,
		"--frozen-no-sync")
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
				p.find("superuser-password", place{p.image.file, p.tree.line(p.image.file, regexp.MustCompile(regexp.QuoteMeta(name)))},
					"%s is set in the Dockerfile", name)
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
