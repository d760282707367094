package check

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Rules about the settings.

// setting is a setting of the project. Known reports whether it is clear that it is set or not.
func (p *project) setting(name string) (v value, set, known bool) {
	if p.facts == nil || p.facts.Settings == nil || p.facts.Settings.File == "" {
		return value{}, false, false
	}
	v, set = p.facts.Settings.Names[name]
	return v, set, set || p.facts.Settings.Complete
}

// settingsFile is the place of a setting that is not there.
func (p *project) settingsFile() place { return place{p.facts.Settings.File, 0} }

var (
	postgres = regexp.MustCompile(`postgres|postgis|psycopg|cockroach|timescale`)
	sqlite   = regexp.MustCompile(`sqlite|spatialite`)
	foreigns = regexp.MustCompile(`mysql|mariadb|oracle|mssql|sql_server|djongo|mongodb|firebird|snowflake|redshift|ibm_db`)
)

// An engine is one that the site may use.
type engine struct {
	name string // "" if it is not known
	value
	fixed bool // no variable changes the connection
}

// engines are those that the default database may have, the one in the environment that was given first.
func (p *project) engines() (all []engine, databases value) {
	databases, set, _ := p.setting("DATABASES")
	if !set {
		return nil, databases
	}
	for _, d := range databases.all() {
		if d.Dict == nil {
			if !d.Known && len(d.Alts) == 0 {
				all = append(all, engine{value: d})
			}
			continue
		}
		one, has := d.Dict["default"]
		if !has {
			continue
		}
		for _, c := range one.all() {
			e, has := c.Dict["ENGINE"]
			if !has || c.Dict == nil {
				if c.is("url") && c.Known && len(c.Dict) == 0 || !c.Known && len(c.Alts) > 0 {
					continue // no database without the variable
				}
				all = append(all, engine{value: c})
				continue
			}
			fixed := true
			for _, name := range []string{"HOST", "NAME", "USER", "PASSWORD", "ENGINE"} {
				if v, has := c.Dict[name]; has && !v.fixed() && !v.is("path") {
					fixed = false
				}
			}
			for _, alt := range e.all() {
				all = append(all, engine{alt.text(), alt, fixed && len(c.Reads) == 0})
			}
		}
	}
	return all, databases
}

func (p *project) usesPostgres() bool {
	all, _ := p.engines()
	return slices.ContainsFunc(all, func(e engine) bool { return postgres.MatchString(e.name) })
}

func (p *project) checkDatabase() {
	all, databases := p.engines()
	if len(all) == 0 {
		return
	}
	at := place{p.facts.Settings.File, databases.Line}
	if databases.File != "" {
		at = databases.at()
	}
	count := func(form *regexp.Regexp) (n int) {
		for _, e := range all {
			if form.MatchString(e.name) {
				n++
			}
		}
		return n
	}
	names := map[string]bool{}
	for _, e := range all {
		for _, name := range e.Reads {
			names[name] = true
		}
	}
	reads := slices.Concat(databases.Reads, sortedKeys(names))
	slices.Sort(reads)
	reads = slices.Compact(reads)
	fromEnv := slices.ContainsFunc(all, func(e engine) bool { return len(e.Reads) > 0 })
	switch {
	case count(foreigns) == len(all) && !fromEnv:
		p.find("database-engine", at, "the engine is %s; Slipway's database is Postgres", all[0].name)
	case count(sqlite) == len(all) && !fromEnv:
		f := p.find("database-engine", at, "the engine is SQLite, whose file is lost with each task; Slipway's database is Postgres")
		f.Fix = checkOf("database-engine").Fix
	case count(sqlite) == len(all) && p.Stack != nil, sqlite.MatchString(all[0].name) && p.Stack != nil:
		p.find("database-fallback", at, "the stack does not set %s, so the site would use SQLite", listed(reads)).Severity = Refused
	case sqlite.MatchString(all[0].name):
		p.find("database-fallback", at, "without %s the site uses SQLite", orVariables(reads))
	case postgres.MatchString(all[0].name) && all[0].fixed && len(databases.Alts) == 0 && len(databases.Reads) == 0:
		p.find("database-fixed", at, "the connection is written in the code")
	}
}

func orVariables(reads []string) string {
	if len(reads) == 0 {
		return "its variables"
	}
	return listed(reads)
}

func sortedKeys(m map[string]bool) []string {
	var all []string
	for k := range m {
		all = append(all, k)
	}
	slices.Sort(all)
	return all
}

var (
	debugName = regexp.MustCompile(`(^|_)DEBUG$`)
	hostsName = regexp.MustCompile(`(^|_)ALLOWED_HOSTS?$`)
	truthy    = regexp.MustCompile(`(?i)^(1|on|t|true|y|yes)$`)
)

// stackValue is the line of a variable in the stack's configuration that has such a value and that the settings read.
func (p *project) stackValue(name, value *regexp.Regexp) (found string, at place) {
	if p.Stack == nil {
		return "", place{}
	}
	var names []string
	for n := range p.Stack.Env {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		v := p.Stack.Env[n]
		if v == nil || !name.MatchString(n) || !value.MatchString(strings.TrimSpace(*v)) {
			continue
		}
		if p.facts != nil && p.facts.Settings != nil && p.facts.Settings.Complete &&
			!slices.ContainsFunc(p.facts.Reads, func(r variable) bool { return r.Name == n }) {
			continue
		}
		line := 0
		if at := regexp.MustCompile(`(?m)^\s*["']?(?:[\w-]+:)?(?:env\.)?` + regexp.QuoteMeta(n) +
			`["']?\s*:`).FindStringIndex(p.Stack.Text); at != nil {
			line = lineAt(p.Stack.Text, at[1]-1)
		}
		return n, place{p.Stack.File, line}
	}
	return "", place{}
}

func (p *project) checkDebug() {
	if name, at := p.stackValue(debugName, truthy); name != "" {
		f := p.find("debug-on", at, "env.%s turns DEBUG on", name)
		f.Severity, f.Fix = p.severe(), "Remove env."+name+" from the stack's configuration."
		return
	}
	v, set, _ := p.setting("DEBUG")
	switch {
	case !set || !v.on():
	case v.fixed():
		p.find("debug-on", v.at(), "DEBUG is True")
	case len(v.Reads) > 0 && !v.is("set"):
		f := p.find("debug-on", v.at(), "DEBUG is True unless %s is set", listed(v.Reads))
		f.Severity, f.Fix = p.severe(), "Make False the default, or set "+v.Reads[0]+" in env of the stack."
	}
}

var local = regexp.MustCompile(`^(|localhost|\.localhost|127\.0\.0\.1|0\.0\.0\.0|\[?::1\]?|testserver|host\.docker\.internal|` +
	`.*\.(local|localhost|test))$`)

// checkHosts looks at which hosts Django answers to.
func (p *project) checkHosts() {
	if name, at := p.stackValue(hostsName, regexp.MustCompile(`(^|[\s,])\*($|[\s,])`)); name != "" {
		f := p.find("hosts-any", at, "env.%s allows every host", name)
		f.Severity, f.Fix = p.severe(), "List the site's hosts in env."+name+"."
		return
	}
	v, set, known := p.setting("ALLOWED_HOSTS")
	if !set {
		if known && p.facts.Settings.File != "" {
			p.find("hosts-fixed", p.settingsFile(), "ALLOWED_HOSTS is not set, so Django answers 400 to every request")
		}
		return
	}
	hosts, all := v.texts()
	if !v.Known || !all && !slices.Contains(hosts, "*") {
		return
	}
	from := ""
	if len(v.Reads) > 0 || len(v.Alts) > 0 {
		from = " unless " + listed(append(slices.Clone(v.Reads), "another setting")[:max(1, len(v.Reads))]) + " is set"
	}
	switch {
	case slices.Contains(hosts, "*"):
		p.find("hosts-any", v.at(), "ALLOWED_HOSTS is [\"*\"]%s", from).Severity = p.severe()
	case from != "" && p.Stack == nil:
	case p.Stack != nil && p.Stack.Domain != "" && slices.ContainsFunc(hosts, func(h string) bool { return matches(h, p.Stack.Domain) }):
	case !slices.ContainsFunc(hosts, func(h string) bool { return !local.MatchString(h) }):
		reason := "ALLOWED_HOSTS is empty"
		if len(hosts) > 0 {
			reason = "ALLOWED_HOSTS is " + listed(hosts)
		}
		p.find("hosts-fixed", v.at(), "%s%s, so Django answers 400 to visitors and to the load balancer", reason, from)
	case p.Stack != nil && p.Stack.Domain != "":
		p.find("hosts-fixed", v.at(), "ALLOWED_HOSTS is %s, without %s", listed(hosts), p.Stack.Domain)
	default:
		p.find("hosts-fixed", v.at(), "ALLOWED_HOSTS is %s, whatever the stack's host is", listed(hosts)).Severity = Warning
	}
}

// matches reports whether Django's pattern allows a host.
func matches(pattern, host string) bool {
	if rest, sub := strings.CutPrefix(pattern, "."); sub {
		return host == rest || strings.HasSuffix(host, pattern)
	}
	return strings.EqualFold(pattern, host)
}

func (p *project) checkSecretKey() {
	v, set, known := p.setting("SECRET_KEY")
	switch {
	case p.facts == nil || !known:
	case !set, v.fixed() && !v.isText(), v.fixed() && v.text() == "":
		p.find("secret-key-missing", orFile(v.at(), p.settingsFile()), "SECRET_KEY is not set in %s", p.facts.Settings.Module)
	case v.fixed():
		p.find("secret-key-in-code", v.at(), "SECRET_KEY is written in the code")
	case v.is("random") && len(v.Reads) == 0 && len(v.Alts) == 0:
		p.find("secret-key-random", v.at(), "SECRET_KEY differs in each process")
	case v.is("file") && len(v.Reads) == 0:
		p.find("secret-key-file", v.at(), "SECRET_KEY is read from a file")
	case p.Stack != nil && slices.ContainsFunc(v.Reads, p.provided):
	case v.isText() && v.text() != "" && len(v.Reads) > 0 && v.is("default"):
		f := p.find("secret-key-in-code", v.at(), "SECRET_KEY has a default in the code, used when %s is not set", listed(v.Reads))
		f.Severity = p.stackless()
	case v.is("random") && v.is("default"):
		f := p.find("secret-key-random", v.at(), "SECRET_KEY differs in each process when %s is not set", listed(v.Reads))
		f.Severity = p.stackless()
	}
}

// stackless is the severity of what the stack would have to set: without one it is not known.
func (p *project) stackless() Severity {
	if p.Stack == nil {
		return Warning
	}
	return Refused
}

func orFile(at, other place) place {
	if at.file == "" {
		return other
	}
	return at
}

// storage is the backend for uploads or static files, in the environment that was given, and all that it may be.
func (p *project) storage(kind, old string) (now string, all []string) {
	add := func(v value) {
		for _, a := range v.all() {
			if a.isText() {
				all = append(all, a.text())
			} else {
				all = append(all, "?")
			}
		}
	}
	storages, set, _ := p.setting("STORAGES")
	if set {
		for _, s := range storages.all() {
			if one, has := s.Dict[kind]; has {
				for _, o := range one.all() {
					add(o.Dict["BACKEND"])
				}
			} else if s.Dict == nil {
				all = append(all, "?")
			}
		}
	}
	if v, has, _ := p.setting(old); has {
		add(v)
	}
	if len(all) > 0 {
		now = all[0]
	}
	return now, all
}

var manifest = regexp.MustCompile(`Manifest`)

// checkStatic looks at who collects and serves static files.
func (p *project) checkStatic() {
	installed, set, _ := p.setting("INSTALLED_APPS")
	apps, _ := installed.texts()
	now, _ := p.storage("staticfiles", "STATICFILES_STORAGE")
	if manifest.MatchString(now) && p.image != nil && p.image.target != nil && !p.collects() && len(p.start.unread) == 0 {
		at := p.settingsFile()
		for _, name := range []string{"STORAGES", "STATICFILES_STORAGE"} {
			if v, has, _ := p.setting(name); has {
				at = v.at()
			}
		}
		f := p.find("static-not-collected", at, "%s needs collectstatic, and neither a Dockerfile nor the start runs it", last(now))
		if len(p.start.servers) == 0 { // the command may be one that the project's own tools give
			f.Severity = Warning
		}
	}
	if _, has, known := p.setting("STATIC_ROOT"); has || !known || !set || !slices.Contains(apps, "django.contrib.staticfiles") {
		return
	}
	if finders, _, _ := p.setting("WHITENOISE_USE_FINDERS"); finders.on() || now != "" && !strings.Contains(now, "staticfiles") &&
		!strings.Contains(now, "whitenoise") {
		return
	}
	p.find("static-root-missing", p.settingsFile(), "STATIC_ROOT is not set")
}

func last(dotted string) string { return dotted[strings.LastIndex(dotted, ".")+1:] }

// collects reports whether a Dockerfile or the start collects static files, as far as that can be seen.
func (p *project) collects() bool {
	if p.start.mentions("collectstatic") {
		return true
	}
	files := p.tree.where(func(f string) bool { return dockerName.MatchString(path.Base(f)) && !beside(f) })
	for _, f := range append(files, p.image.file) {
		text := p.tree.text(f)
		if strings.Contains(text, "collectstatic") {
			return true
		}
		for _, w := range strings.FieldsFunc(text, func(r rune) bool {
			return strings.ContainsRune(" "+
				"\t\n\"'[],;&|", r)
		}) { // scripts that it runs
			base := path.Base(w)
			if !strings.Contains(base, ".") && !strings.Contains(w, "/") && base != "make" {
				continue
			}
			for _, s := range p.tree.named(base) {
				if strings.Contains(p.tree.text(s), "collectstatic") {
					return true
				}
			}
		}
		for tool, file := range map[string]string{"make": "Makefile", "just": "justfile", "invoke": "tasks.py", "task": "Taskfile.yml"} {
			if regexp.MustCompile(`(?m)(RUN|&&|;|^)\s*` + tool + `\s+\w`).MatchString(text) {
				found := p.tree.named(file)
				if len(found) == 0 || strings.Contains(p.tree.text(found[0]), "collectstatic") {
					return true
				}
			}
		}
	}
	return false
}

func (p *project) checkTLS() {
	v, _, _ := p.setting("SECURE_SSL_REDIRECT")
	if !v.on() || v.is("maybe") || p.Stack != nil && p.Stack.Domain != "" {
		return
	}
	f := p.find("tls-without-domain", v.at(), "SECURE_SSL_REDIRECT is on")
	f.Severity = p.stackless()
	if p.Stack == nil {
		f.Reason += ": a stack for this site needs a domain"
	} else {
		f.Reason += fmt.Sprintf(", and stack %s has no domain: every page redirects to an address that does not answer", p.Stack.Name)
	}
	if len(v.Reads) > 0 && len(v.Reads) < 3 {
		f.Fix = "Set domain in the stack's configuration, or env." + v.Reads[0] + " to false."
	}
}

var (
	fileField  = regexp.MustCompile(`(?m)^[^#\n]*\b(?:models\.)?(?:File|Image|FilePath|Thumbnailer|ProcessedImage|VersatileImage)Field\(`)
	modelFile  = regexp.MustCompile(`(^|/)models(\.py$|/)`)
	bucketName = regexp.MustCompile(`BUCKET|AZURE_CONTAINER|CLOUDINARY|STORAGE_DSN|FILE_STORAGE|S3_`)
)

// checkMedia looks at where uploads go.
func (p *project) checkMedia() {
	v, set, known := p.setting("MEDIA_ROOT")
	now, all := p.storage("default", "DEFAULT_FILE_STORAGE")
	if p.facts == nil || !known || now != "" && !strings.Contains(now, "FileSystemStorage") {
		return
	}
	if slices.ContainsFunc(all, func(s string) bool { return !strings.Contains(s, "FileSystemStorage") }) ||
		slices.ContainsFunc(p.facts.Reads, func(r variable) bool { return bucketName.MatchString(r.Name) }) {
		return // a variable can choose a bucket
	}
	if set && v.Known && v.text() == "" && !v.is("path") {
		set = false
	}
	var field place
	for _, f := range p.tree.files {
		if modelFile.MatchString(f) && strings.HasSuffix(f, ".py") && !beside(f) {
			if line := p.tree.line(f, fileField); line > 0 {
				field = place{f, line}
				break
			}
		}
	}
	switch {
	case field.file != "":
		p.find("media-on-disk", field, "this field's files are stored on the disk of a task, and no storage for a bucket is configured")
	case set && p.facts.Settings.Complete:
		p.find("media-on-disk", v.at(), "MEDIA_ROOT is on the disk of a task").Severity = Warning
	}
}

// checkLogging looks for log files.
func (p *project) checkLogging() {
	v, _, _ := p.setting("LOGGING")
	for _, name := range slices.Sorted(keysOf(v.get("handlers").Dict)) {
		h := v.get("handlers").get(name)
		file, has := h.Dict["filename"]
		if !has || h.get("delay").on() || len(file.Reads) > 0 || file.is("tmp") || strings.HasPrefix(file.text(), "/tmp/") ||
			strings.HasPrefix(file.text(), "/dev/") {
			continue
		}
		if !file.isText() && !file.is("path") {
			continue
		}
		if len(v.Alts) > 0 || !strings.Contains(h.get("class").text(), "File") {
			continue
		}
		p.find("log-on-disk", orFile(file.at(), v.at()), "the handler %s writes to a file", name)
	}
}

// services are what a site may use and Slipway does not create.
var services = []struct {
	name            string
	variable, value *regexp.Regexp
}{
	{"RabbitMQ", regexp.MustCompile(`AMQP|RABBITMQ`), regexp.MustCompile(`^(py)?amqps?://`)},
	{"Redis", regexp.MustCompile(`(^|_)(REDIS|VALKEY)(_|$)|^CELERY_BROKER_URL$`),
		regexp.MustCompile(`^rediss?://|RedisCache|RedisChannelLayer`)},
	{"Elasticsearch", regexp.MustCompile(`ELASTIC|OPENSEARCH|SEARCHBOX|^ES_(URL|HOST|URLS|HOSTS)$`), regexp.MustCompile(`(?i)elasticsearch`)},
	{"Kafka", regexp.MustCompile(`KAFKA_`), regexp.MustCompile(`^kafka://`)},
	{"ClickHouse", regexp.MustCompile(`CLICKHOUSE`), regexp.MustCompile(`(?i)^clickhouse://`)},
	{"Memcached", regexp.MustCompile(`MEMCACHE`), regexp.MustCompile(`PyMemcacheCache|PyLibMCCache|MemcachedCache|memcached://`)},
	{"MongoDB", regexp.MustCompile(`MONGO`), regexp.MustCompile(`^mongodb(\+srv)?://`)},
}

func (p *project) checkServices() {
	if p.facts == nil || p.facts.Settings == nil {
		return
	}
	for _, s := range services {
		at, name := place{}, ""
		for _, r := range p.facts.Reads {
			if s.variable.MatchString(r.Name) && !(p.Stack != nil && p.provided(r.Name)) && !slices.Contains([]string{"HOME"}, r.Name) {
				at, name = place{r.File, r.Line}, r.Name
				break
			}
		}
		if name == "" {
			for _, n := range slices.Sorted(keysOf(p.facts.Settings.Names)) {
				if v := p.facts.Settings.Names[n]; n != "INSTALLED_APPS" && n != "LOGGING" {
					if found, ok := v.search(s.value, 0); ok {
						at, name = orFile(found.at(), v.at()), n
						break
					}
				}
			}
		}
		if name != "" {
			p.find("service-missing", at, "%s is used (%s)", s.name, name)
		}
	}
}

// checkModules looks whether all processes use the same settings, and believe the proxy.
func (p *project) checkModules() {
	if p.facts == nil || p.facts.Settings == nil {
		return
	}
	if d := p.developing; d != nil {
		f := p.find("settings-development", d.at, "the web process uses %s", d.module)
		if d.other != "" {
			f.Fix = "Add ENV DJANGO_SETTINGS_MODULE=" + d.other + " to the Dockerfile."
		}
	}
	for _, e := range p.facts.Entries {
		if p.developing != nil && p.developing.module == e.Settings {
			break
		}
		if path.Base(e.File) != "manage.py" || e.Settings == "" {
			continue
		}
		if e.Settings != p.facts.Settings.Module && p.facts.Settings.File != "" && !p.provided("DJANGO_SETTINGS_MODULE") &&
			p.start.settings == "" {
			p.find("settings-differ", place{e.File, e.Line}, "manage.py uses %s, and the web process %s", e.Settings, p.facts.Settings.Module)
		}
		break
	}
	for _, s := range p.start.servers {
		if _, set, known := p.setting("SECURE_PROXY_SSL_HEADER"); !set && known && slices.Contains([]string{"daphne", "granian", "unitd"},
			s.program) {
			p.find("proxy-header", s.at, "%s starts, and SECURE_PROXY_SSL_HEADER is not set", s.program)
			return
		}
	}
}

// checkVariables looks for variables that the settings demand.
func (p *project) checkVariables() {
	if p.facts == nil || p.facts.Settings == nil {
		return
	}
	var names []string
	at := place{}
	for _, r := range p.facts.Reads {
		if !r.Required || !r.Sure || r.Conditional || p.provided(r.Name) || p.start.sets[r.Name] || slices.Contains(names, r.Name) ||
			slices.Contains(usual, r.Name) {
			continue
		}
		if at.file == "" {
			at = place{r.File, r.Line}
		}
		names = append(names, r.Name)
	}
	if len(names) == 0 {
		return
	}
	slices.Sort(names)
	p.find("variables-missing", at, "no value for %s", listed(names)).Severity = p.stackless()
}

// usual are variables that every container has.
var usual = []string{"HOME", "PATH", "PWD", "USER", "HOSTNAME", "LANG", "PYTHONPATH", "TZ", "PORT"}
