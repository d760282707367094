package check

import (
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
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
		p.checkURL(databases)
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
	find := func(code, format string, args ...any) *Finding {
		f := p.find(code, at, format, args...)
		if names := p.databaseVariables(reads); len(names) > 0 {
			f.Fix = "Set " + p.lines(names) + "."
		} else {
			f.Fix = p.orOverlay(f.Fix, "DATABASES")
		}
		return f
	}
	switch {
	case p.App.replaces("DATABASES"):
	case count(foreigns) == len(all) && !fromEnv:
		f := find("database-engine", "the engine is %s; Slipway's database is Postgres", all[0].name)
		f.Fix = p.orOverlay(checkOf("database-engine").Fix, "DATABASES")
	case count(sqlite) == len(all) && !fromEnv:
		f := find("database-engine", "the engine is SQLite, whose file is lost with each task; Slipway's database is Postgres")
		if f.Fix = p.orOverlay(checkOf("database-engine").Fix, "DATABASES"); len(p.choosers()) > 0 {
			f.Fix = p.orOverlay("Set "+p.lines(p.choosers())+".", "DATABASES")
		}
	case count(sqlite) == len(all) && p.Stack != nil, sqlite.MatchString(all[0].name) && p.Stack != nil:
		find("database-fallback", "the stack does not set %s, so the site would use SQLite", listed(reads)).Severity = Refused
	case sqlite.MatchString(all[0].name):
		find("database-fallback", "without %s the site uses SQLite", orVariables(reads))
	case foreigns.MatchString(all[0].name) && p.Stack != nil:
		find("database-engine", "the stack does not set %s, so the engine is %s", orVariables(reads), all[0].name)
	case postgres.MatchString(all[0].name) && all[0].fixed && len(databases.Alts) == 0 && len(databases.Reads) == 0:
		find("database-fixed", "the connection is written in the code")
	default:
		p.checkConnection()
	}
}

// checkConnection looks for parts of the connection whose variables have no value, so that a default in the code counts.
func (p *project) checkConnection() {
	databases, _, _ := p.setting("DATABASES")
	one := databases.get("default")
	if len(databases.Alts) > 0 || len(one.Alts) > 0 {
		return
	}
	p.checkURL(databases)
	p.checkEncryption(one, databases.at())
	for _, part := range []string{"HOST", "NAME", "USER", "PASSWORD"} {
		v, has := one.Dict[part]
		if !has || len(v.Reads) == 0 || len(v.Alts) > 0 || !v.is("default") || v.is("set") || slices.ContainsFunc(v.Reads, p.provided) {
			continue
		}
		f := p.find("database-unset", orFile(v.at(), databases.at()), "without %s the database's %s is a default of the code", listed(v.Reads),
			part)
		f.Severity, f.Fix, f.variable = p.sure(), p.setVariable(v.Reads[0]), v.Reads[0]
		if v.is("url") {
			return
		}
	}
}

// checkURL looks for a connection that a URL alone describes, in a variable that has no value. dj_database_url then returns an empty
// dictionary, and Django fails at the first query.
func (p *project) checkURL(databases value) {
	one := databases.get("default")
	_, named := one.Dict["NAME"]
	if named || !one.is("url") || !one.Known || one.is("set") || len(one.Reads) == 0 || len(one.Alts) > 0 ||
		p.App.replaces("DATABASES") || slices.ContainsFunc(one.Reads, p.provided) {
		return
	}
	f := p.find("database-unset", orFile(one.at(), databases.at()), "without %s there is no database", listed(one.Reads))
	f.Severity, f.Fix, f.variable = p.sure(), p.setVariable(one.Reads[0]), one.Reads[0]
}

// checkEncryption looks for an sslmode in the settings. It takes precedence over PGSSLMODE, which Slipway sets.
func (p *project) checkEncryption(one value, at place) {
	v, has := one.get("OPTIONS").Dict["sslmode"]
	if !has || !v.isText() || v.text() == "" || len(v.Alts) > 0 || v.text() == "verify-full" || v.text() == "verify-ca" {
		return
	}
	f := p.find("database-tls", orFile(v.at(), at), "sslmode is %s", v.text())
	if len(v.Reads) > 0 {
		f.Reason += " unless " + listed(v.Reads) + " is set"
		f.Fix = fmt.Sprintf("Set app.env.%s: %q.", v.Reads[0], "{db.sslmode}")
	}
	if v.text() == "disable" {
		f.Severity = p.stackless()
	}
}

// checkKeys looks for access keys of AWS in the settings: with them boto3 does not ask for the role of the task.
func (p *project) checkKeys() {
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_S3_ACCESS_KEY_ID"} {
		v, set, _ := p.setting(name)
		if !set || !v.isText() || v.text() == "" || v.is("set") || len(v.Alts) > 0 {
			continue
		}
		f := p.find("storage-keys", v.at(), "%s has a value in the code", name)
		if len(v.Reads) > 0 {
			f.Reason += ", used when " + listed(v.Reads) + " is not set"
			f.Fix = "Set app.env." + v.Reads[0] + `: "".`
		}
	}
}

// databaseVariables are those that choose the database, and others that seem to be about it, without those that have a value.
func (p *project) databaseVariables(reads []string) []string {
	names := slices.DeleteFunc(slices.Clone(reads), p.provided)
	for _, r := range p.facts.Reads {
		part := strings.Contains(p.suggested(r.Name), "{db.")
		if part && len(reads) > 0 && !p.suggestsURL(names) && !p.provided(r.Name) && !slices.Contains(names, r.Name) {
			names = append(names, r.Name)
		}
	}
	return names
}

// choosers are variables without a value that seem to choose the database, by a URL or an engine: settings often ask for one before they
// use SQLite.
func (p *project) choosers() (names []string) {
	for _, r := range p.facts.Reads {
		line := p.suggested(r.Name)
		if (strings.Contains(line, "{db.url}") || strings.Contains(line, "django.db.backends.")) && !p.provided(r.Name) &&
			!slices.Contains(names, r.Name) {
			names = append(names, r.Name)
		}
	}
	return names
}

// suggestsURL reports whether one of these variables has the whole connection.
func (p *project) suggestsURL(names []string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return strings.Contains(p.suggested(n), "{db.url}") })
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

// stackValue is a variable of app.env that has such a value and that the settings read.
func (p *project) stackValue(name, value *regexp.Regexp) (found string, at place) {
	if p.Stack == nil {
		return "", place{}
	}
	for _, n := range sortedNames(p.App.Env) {
		if !name.MatchString(n) || !value.MatchString(strings.TrimSpace(p.render(p.App.Env[n]))) {
			continue
		}
		if p.facts != nil && p.facts.Settings != nil && p.facts.Settings.Complete &&
			!slices.ContainsFunc(p.facts.Reads, func(r variable) bool { return r.Name == n }) {
			continue
		}
		return n, p.source("app.env."+n, n)
	}
	return "", place{}
}

func sortedNames(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }

func (p *project) checkDebug() {
	if name, at := p.stackValue(debugName, truthy); name != "" {
		f := p.find("debug-on", at, "app.env.%s turns DEBUG on", name)
		f.Severity, f.Fix = p.severe(), "Remove app.env."+name+" from the stack's configuration."
		return
	}
	v, set, _ := p.setting("DEBUG")
	switch {
	case !set || !v.on() || p.App.replaces("DEBUG"):
	case v.fixed():
		f := p.find("debug-on", v.at(), "DEBUG is True")
		f.Fix = p.orOverlay(f.Fix, "DEBUG")
	case len(v.Reads) > 0 && !v.is("set"):
		f := p.find("debug-on", v.at(), "DEBUG is True unless %s is set", listed(v.Reads))
		f.Severity, f.Fix = p.severe(), "Make False the default, or set app.env."+v.Reads[0]+"."
	}
}

var local = regexp.MustCompile(`^(|localhost|\.localhost|127\.0\.0\.1|0\.0\.0\.0|\[?::1\]?|testserver|host\.docker\.internal|` +
	`.*\.(local|localhost|test))$`)

// checkHosts looks at which hosts Django answers to.
func (p *project) checkHosts() {
	if name, at := p.stackValue(hostsName, regexp.MustCompile(`(^|[\s,])\*($|[\s,])`)); name != "" {
		f := p.find("hosts-any", at, "app.env.%s allows every host", name)
		f.Severity, f.Fix = p.severe(), fmt.Sprintf("Set app.env.%s: %q.", name, "{hosts}")
		return
	}
	v, set, known := p.setting("ALLOWED_HOSTS")
	if p.App.replaces("ALLOWED_HOSTS") {
		return
	}
	if !set {
		if known && p.facts.Settings.File != "" {
			f := p.find("hosts-fixed", p.settingsFile(), "ALLOWED_HOSTS is not set, so Django answers 400 to every request")
			f.Fix = p.orOverlay(f.Fix, "ALLOWED_HOSTS")
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
	fix := func(f *Finding) {
		if len(v.Reads) > 0 {
			f.Fix = "Set " + p.lines(v.Reads) + "."
		} else {
			f.Fix = p.orOverlay(f.Fix, "ALLOWED_HOSTS")
		}
	}
	switch {
	case slices.Contains(hosts, "*"):
		f := p.find("hosts-any", v.at(), "ALLOWED_HOSTS is [\"*\"]%s", from)
		f.Severity = p.severe()
		fix(f)
	case from != "" && p.Stack == nil:
	case p.Stack != nil && slices.ContainsFunc(hosts, func(h string) bool { return matches(h, p.host()) }):
	case !slices.ContainsFunc(hosts, func(h string) bool { return !local.MatchString(h) }):
		reason := "ALLOWED_HOSTS is empty"
		if strings.Join(hosts, "") != "" {
			reason = "ALLOWED_HOSTS is " + listed(hosts)
		}
		fix(p.find("hosts-fixed", v.at(), "%s%s, so Django answers 400 to visitors and to the load balancer", reason, from))
	case p.Stack != nil && p.Stack.Domain != "":
		fix(p.find("hosts-fixed", v.at(), "ALLOWED_HOSTS is %s, without %s", listed(hosts), p.Stack.Domain))
	default:
		f := p.find("hosts-fixed", v.at(), "ALLOWED_HOSTS is %s, whatever the stack's host is", listed(hosts))
		if fix(f); p.Stack == nil || slices.ContainsFunc(hosts, func(h string) bool { return strings.HasSuffix(h, "amazonaws.com") }) {
			f.Severity = Warning // without a domain the host is that of the load balancer
		}
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
	find := func(code string, at place, format string, args ...any) *Finding {
		f := p.find(code, at, format, args...)
		if len(v.Reads) > 0 {
			f.Fix = "Set " + p.lines(v.Reads[:1]) + "."
		} else {
			f.Fix = p.orOverlay(f.Fix, "SECRET_KEY")
		}
		return f
	}
	switch {
	case p.facts == nil || !known || p.App.replaces("SECRET_KEY"):
	case !set, v.fixed() && !v.isText(), v.fixed() && v.text() == "":
		find("secret-key-missing", orFile(v.at(), p.settingsFile()), "SECRET_KEY is not set in %s", p.facts.Settings.Module)
	case v.fixed():
		find("secret-key-in-code", v.at(), "SECRET_KEY is written in the code")
	case v.is("random") && len(v.Reads) == 0 && len(v.Alts) == 0:
		find("secret-key-random", v.at(), "SECRET_KEY differs in each process")
	case v.is("file") && len(v.Reads) == 0:
		find("secret-key-file", v.at(), "SECRET_KEY is read from a file")
	case p.Stack != nil && slices.ContainsFunc(v.Reads, p.provided):
	case v.isText() && v.text() != "" && len(v.Reads) > 0 && v.is("default"):
		find("secret-key-in-code", v.at(), "SECRET_KEY has a default in the code, used when %s is not set", listed(v.Reads)).Severity =
			p.sure()
	case v.is("random") && v.is("default"):
		find("secret-key-random", v.at(), "SECRET_KEY differs in each process when %s is not set", listed(v.Reads)).Severity = p.sure()
	}
}

// stackless is the severity of what the stack would have to set: without one it is not known.
func (p *project) stackless() Severity {
	if p.Stack == nil {
		return Warning
	}
	return Refused
}

// sure is the same for a value that code which cannot be followed may replace.
func (p *project) sure() Severity {
	if p.facts != nil && p.facts.Settings != nil && !p.facts.Settings.Complete {
		return Warning
	}
	return p.stackless()
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
	readable := p.image != nil && p.image.target != nil && len(p.start.unread) == 0
	if readable && manifest.MatchString(now) && !p.App.replaces("STATIC_ROOT") && !p.collects() {
		at := p.settingsFile()
		for _, name := range []string{"STORAGES", "STATICFILES_STORAGE"} {
			if v, has, _ := p.setting(name); has {
				at = v.at()
			}
		}
		f := p.find("static-not-collected", at, "%s needs collectstatic, and neither a Dockerfile nor the start runs it", last(now))
		f.Fix = p.orOverlay(f.Fix, "STATIC_ROOT")
		if len(p.start.servers) == 0 { // the command may be one that the project's own tools give
			f.Severity = Warning
		}
	}
	p.checkStaticURL(apps, now)
	if _, has, known := p.setting("STATIC_ROOT"); has || !known || !set || !slices.Contains(apps, "django.contrib.staticfiles") ||
		p.App.replaces("STATIC_ROOT") || p.App.Static.Serve != "app" {
		return // for nginx, Slipway sets one when it collects
	}
	if finders, _, _ := p.setting("WHITENOISE_USE_FINDERS"); finders.on() || now != "" && !strings.Contains(now, "staticfiles") &&
		!strings.Contains(now, "whitenoise") {
		return
	}
	f := p.find("static-root-missing", p.settingsFile(), "STATIC_ROOT is not set, and the app serves its static files itself")
	f.Fix = p.orOverlay(f.Fix, "STATIC_ROOT")
}

// checkStaticURL compares where pages look for static files with where nginx serves them.
func (p *project) checkStaticURL(apps []string, storage string) {
	v, set, _ := p.setting("STATIC_URL")
	text := v.text()
	if !set || !v.isText() || text == "" || len(v.Alts) > 0 || strings.Contains(text, "//") || p.App.Static.Serve == "app" ||
		!slices.Contains(apps, "django.contrib.staticfiles") {
		return
	}
	if storage != "" && !strings.Contains(storage, "staticfiles") {
		return // a bucket may serve them
	}
	middleware, _, _ := p.setting("MIDDLEWARE")
	if names, all := middleware.texts(); !all || slices.ContainsFunc(names, func(n string) bool { return strings.Contains(n, "whitenoise") }) {
		return // the app serves them too
	}
	served := p.App.Static.URL
	if served == "" {
		served = defaultStatic
	}
	url := "/" + strings.TrimPrefix(text, "/") // Django adds the slash
	if strings.HasPrefix(url, served) {
		return
	}
	f := p.find("static-url", v.at(), "STATIC_URL is %s, and nginx serves static files under %s", text, served)
	f.Severity, f.Fix = p.unconfigured(), "Set app.static.url: "+strings.TrimSuffix(url, "/")+"/."
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
		f.Fix = fmt.Sprintf("Set domain in the stack's configuration, or app.env.%s: %q.", v.Reads[0], "{https}")
		if p.stackSets(v.Reads[0]) {
			f.Fix = "Set domain in the stack's configuration, or give app.env." + v.Reads[0] + " a value that these settings take for false, " +
				"such as \"False\" or \"0\"."
		}
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
	if p.facts == nil || !known || now != "" && !strings.Contains(now, "FileSystemStorage") || p.App.replaces("MEDIA") {
		return
	}
	var buckets []string
	for _, r := range p.facts.Reads {
		if bucketName.MatchString(r.Name) && !slices.Contains(buckets, r.Name) {
			buckets = append(buckets, r.Name)
		}
	}
	if slices.ContainsFunc(all, func(s string) bool { return !strings.Contains(s, "FileSystemStorage") }) || len(buckets) > 0 {
		if p.Stack == nil || now == "" && len(all) > 0 || len(buckets) == 0 || slices.ContainsFunc(buckets, p.provided) {
			return // a variable can choose a bucket
		}
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
		f := p.find("media-on-disk", field, "this field's files are stored on the disk of a task, and no storage for a bucket is configured")
		f.Fix = p.orOverlay(f.Fix, "MEDIA")
		if slices.ContainsFunc(buckets, func(n string) bool { return strings.Contains(p.suggested(n), "{bucket}") }) {
			f.Fix = "Set " + p.lines(buckets) + "."
		}
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
		where := p.inImage(file)
		if where != "" && p.App.writes(path.Dir(where)) {
			continue
		}
		if where == "" && len(p.App.Writable) > 0 {
			at := orFile(file.at(), v.at())
			p.unknown(at.file, at.line, "where the handler "+name+" writes", "it may be in a folder of app.writable")
			continue
		}
		if !file.isText() && !file.is("path") {
			continue
		}
		if len(v.Alts) > 0 || !strings.Contains(h.get("class").text(), "File") {
			continue
		}
		f := p.find("log-on-disk", orFile(file.at(), v.at()), "the handler %s writes to a file", name)
		if where != "" {
			f.Fix = "Log to the console: Slipway collects it. To keep the code: app.writable: [" +
				strings.Join(append(slices.Clone(p.App.Writable), path.Dir(where)), ", ") + "]."
			f.writable = path.Dir(where)
		}
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
			if s.variable.MatchString(r.Name) && !p.stackSets(r.Name) && !slices.Contains([]string{"HOME"}, r.Name) {
				at, name = place{r.File, r.Line}, r.Name
				break
			}
		}
		if name == "" {
			for _, n := range slices.Sorted(keysOf(p.facts.Settings.Names)) {
				if v := p.facts.Settings.Names[n]; n != "INSTALLED_APPS" && n != "LOGGING" {
					if found, ok := v.search(s.value, 0); ok && !slices.ContainsFunc(slices.Concat(found.Reads, v.Reads), p.stackSets) {
						at, name = orFile(found.at(), v.at()), n
						break
					}
				}
			}
		}
		if name != "" {
			f := p.find("service-missing", at, "%s is used (%s)", s.name, name)
			if s.name == "Redis" && p.Stack != nil && p.Stack.Cache {
				f.Reason += ", and nothing gives it the address of the stack's cache"
				f.Fix = "Read the address from a variable, and give it {redis.url} or its parts in app.env."
			} else if s.name == "Redis" {
				f.Fix = "Set cache.node: cache.t4g.micro, and give the variable {redis.url} or its parts in app.env. Or give the address of your own " +
					"as a secret of the stack."
			}
		}
	}
}

// checkSyntax looks for settings that Python cannot parse: Django does not start with them.
func (p *project) checkSyntax() {
	if p.facts == nil {
		return
	}
	for _, u := range p.facts.Unreadable {
		if p.invalid(u) {
			p.find("settings-invalid", place{u.File, u.Line}, "the settings cannot be parsed: %s", u.Syntax)
		}
	}
}

var (
	pythonVersion = regexp.MustCompile(`python:3\.(\d+)`)
	// encodings are messages about the bytes of a file, on which all versions of Python agree.
	encodings = regexp.MustCompile(`(?i)utf-8|encoding|codec`)
	// newSyntax are lines with syntax that Python got since 3.8: an older one calls it an error.
	newSyntax = regexp.MustCompile(`\b(match|case|type|except|with|lambda)\b|\b[fFtT][rR]?["']|\b(def|class)\s+\w+\[|^\s*@`)
)

// invalid reports whether a file keeps Django from starting because it does not parse. A Python older than the image's may not know the
// syntax of a line that the image's does.
func (p *project) invalid(u unreadable) bool {
	if u.Syntax == "" || !u.Loaded {
		return false
	}
	reader, _ := strconv.Atoi(strings.TrimPrefix(p.facts.Python, "3."))
	if p.image != nil {
		if m := pythonVersion.FindStringSubmatch(p.image.base); m != nil {
			if image, _ := strconv.Atoi(m[1]); image <= reader {
				return true
			}
		}
	}
	lines := strings.Split(p.tree.text(u.File), "\n")
	return encodings.MatchString(u.Syntax) || !strings.Contains(u.Syntax, "f-string") &&
		(u.Line < 1 || u.Line > len(lines) || !newSyntax.MatchString(lines[u.Line-1]))
}

// checkModules looks whether all processes use the same settings, and believe the proxy.
func (p *project) checkModules() {
	if p.facts == nil || p.facts.Settings == nil {
		return
	}
	if h := p.hollow; h != nil {
		f := p.find("settings-empty", h.at, "the settings module %s sets neither ROOT_URLCONF nor INSTALLED_APPS", h.module)
		if fit := h.fit(); len(fit) > 0 {
			f.Fix = "Set app.settings: " + strings.Join(fit, " or ") + "."
		}
	}
	if d := p.developing; d != nil {
		f := p.find("settings-development", d.at, "the web process uses %s", d.module)
		if d.other != "" {
			f.Fix = "Set app.settings: " + d.other + "."
		}
	}
	for _, e := range p.facts.Entries {
		if p.developing != nil && p.developing.module == e.Settings || p.hollow != nil {
			break
		}
		if path.Base(e.File) != "manage.py" || e.Settings == "" {
			continue
		}
		if e.Settings != p.facts.Settings.Module && p.facts.Settings.File != "" && !p.provided("DJANGO_SETTINGS_MODULE") {
			f := p.find("settings-differ", place{e.File, e.Line}, "manage.py uses %s, and the web process %s", e.Settings, p.facts.Settings.Module)
			if f.Fix = "Set app.settings: " + p.facts.Settings.Module + "."; developing.MatchString(e.Settings) {
				f.Severity = p.unconfigured()
			}
		}
		break
	}
	for _, s := range p.start.servers {
		if !slices.Contains([]string{"daphne", "granian", "unitd"}, s.program) || p.App.replaces("SECURE_PROXY_SSL_HEADER") {
			continue
		}
		if _, set, known := p.setting("SECURE_PROXY_SSL_HEADER"); !set && known {
			f := p.find("proxy-header", s.at, "%s starts, and SECURE_PROXY_SSL_HEADER is not set", s.program)
			f.Fix = p.orOverlay(f.Fix, "SECURE_PROXY_SSL_HEADER")
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
	for _, r := range p.facts.Reads {
		if !r.Required || !r.Sure || r.Conditional || p.provided(r.Name) || slices.Contains(names, r.Name) || slices.Contains(usual, r.Name) {
			continue
		}
		names = append(names, r.Name)
		f := p.find("variables-missing", place{r.File, r.Line}, "no value for %s", r.Name)
		f.Severity, f.Fix, f.variable = p.stackless(), p.setVariable(r.Name), r.Name
		if p.start.sets[r.Name] {
			f.Reason += ": only the start sets it, and migrations run without that"
		}
	}
}

// checkPlaceholders looks for values that init left to the user.
func (p *project) checkPlaceholders() {
	if p.Stack == nil {
		return
	}
	for _, name := range sortedNames(p.App.Env) {
		if p.App.Env[name] == Placeholder {
			f := p.find("placeholder", p.source("app.env."+name, name), "%s is %s", name, Placeholder)
			f.Severity, f.Fix = p.severe(), "Set app.env."+name+"."
		}
	}
}

// checkDemands looks for variables without which a script of the start ends.
func (p *project) checkDemands() {
	var names []string
	for _, d := range p.start.demands {
		if p.provided(d.name) || p.start.sets[d.name] || slices.Contains(names, d.name) || slices.Contains(usual, d.name) {
			continue
		}
		names = append(names, d.name)
		f := p.find("variables-missing", d.at, "no value for %s, and the script ends without it", d.name)
		f.Severity, f.Fix, f.variable = p.stackless(), p.setVariable(d.name), d.name
	}
}

// usual are variables that every container has.
var usual = []string{"HOME", "PATH", "PWD", "USER", "HOSTNAME", "LANG", "PYTHONPATH", "TZ", "PORT", "UID", "EUID", "PPID", "RANDOM",
	"SECONDS", "LINENO", "IFS", "OPTARG", "OPTIND", "BASH_SOURCE", "BASH_VERSION", "FUNCNAME", "OLDPWD", "SHELL", "TERM", "_"}
