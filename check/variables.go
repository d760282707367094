package check

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Variables of a configuration that init writes.

// A readVariable is a variable of the project, once.
type readVariable struct {
	variable
	template string
	has      bool // Slipway has a value for it
}

// readings are the variables that the settings read, without those that each container has.
func (p *project) readings() []readVariable {
	var all []readVariable
	if p.facts == nil {
		return nil
	}
	always := p.always()
	at := map[string]int{}
	for _, r := range p.facts.Reads {
		if _, has := always[r.Name]; has || slices.Contains(usual, r.Name) || r.Name == "DJANGO_SETTINGS_MODULE" ||
			!variableName.MatchString(r.Name) {
			continue
		}
		if i, seen := at[r.Name]; seen {
			if r.Required && r.Sure && !all[i].Required {
				all[i].variable = r
			}
			continue
		}
		at[r.Name] = len(all)
		one := readVariable{variable: r}
		one.template, one.has = p.hostOr(r.Name)
		all = append(all, one)
	}
	return all
}

// hostOr is the template of a variable. One whose name is in the singular is one host.
func (p *project) hostOr(name string) (value string, has bool) {
	value, has = p.template(name)
	if value == "{hosts}" && !strings.HasSuffix(strings.ToUpper(name), "S") {
		value = "{host}"
	}
	return value, has
}

// variables gives values to the variables for which Slipway has one, as far as their use is clear without a trial.
func (s *surveyor) variables(p *project) bool {
	if s.try("variables") || p.facts == nil || p.facts.Settings == nil {
		return false
	}
	all := s.first.readings()
	if s.first.facts == nil || s.app.Settings != s.first.App.Settings && s.first.facts.Settings != nil &&
		s.app.Settings != s.first.facts.Settings.Module {
		all = p.readings()
	}
	set := false
	add := func(r readVariable) {
		if _, given := s.app.Env[r.Name]; given || slices.Contains(s.secrets, r.Name) {
			return
		}
		s.app.Env[r.Name] = r.template
		s.set("env."+r.Name, place{r.File, r.Line}, "")
		set = true
	}
	database := p.connection(all)
	for _, r := range all {
		switch {
		case !r.has:
		case strings.Contains(r.template, "{db."), r.template == "django.db.backends.postgresql":
			if slices.Contains(database, r.Name) {
				add(r)
			}
		case r.template == "{bucket}", r.template == "{https}", r.template == "{region}", r.template == "":
			// These change what the settings do, so they are tried, or demanded.
		case r.template == "{key}", r.Required && r.Sure && !r.Conditional, p.plainly(r):
			add(r)
		}
	}
	for name, value := range p.documents() {
		add(readVariable{variable{Name: name, File: value.File, Line: value.Line}, value.text(), true})
	}
	return set
}

// plainly reports whether an optional variable is for certain about this site's own address.
func (p *project) plainly(r readVariable) bool {
	prefix := ownPrefix.ReplaceAllString(strings.ToUpper(r.Name), "")
	switch upper := strings.ToUpper(r.Name); r.template {
	case "{hosts}":
		return ownHosts.MatchString(upper)
	case "{origins}":
		return strings.Contains(upper, "CSRF") || strings.Contains(upper, "TRUSTED")
	}
	return !strings.Contains(prefix, "_")
}

var ownHosts = regexp.MustCompile(`(^|_)ALLOWED(_CLIENT)?_HOSTS?$|^HOSTS?$`)

var ownPrefix = regexp.MustCompile(`^(DJANGO|APP|WEB|SITE|BACKEND|SERVER)_|_(URL|URI|HOST|NAME|DOMAIN)$`)

// connection are the variables that connect to the database: one with a whole URL if the settings read one, or else the parts.
func (p *project) connection(all []readVariable) (names []string) {
	databases, _, _ := p.setting("DATABASES")
	used := map[string]bool{}
	collect(databases, used, 0)
	var urls, parts []string
	for _, r := range all {
		switch {
		case r.template == "{db.url}" && !replica.MatchString(r.Name):
			urls = append(urls, r.Name)
		case strings.Contains(r.template, "{db.") || r.template == "django.db.backends.postgresql":
			parts = append(parts, r.Name)
		}
	}
	for _, name := range urls {
		if used[name] {
			return []string{name}
		}
	}
	if len(urls) > 0 && len(used) == 0 {
		return urls[:1]
	}
	own := slices.DeleteFunc(slices.Clone(parts), func(n string) bool { return !used[n] })
	switch {
	case len(own) > 1:
		// Some parts may be read where they cannot be followed, such as the options.
		for _, n := range parts {
			if !used[n] && strings.HasPrefix(n, commonPrefix(own)) && commonPrefix(own) != "" && !replica.MatchString(n) {
				own = append(own, n)
			}
		}
		return own
	case len(urls) > 0:
		return urls[:1]
	}
	return slices.DeleteFunc(parts, replica.MatchString)
}

var replica = regexp.MustCompile(`(?i)replica|read_?only|_RO(_|$)|test|celery|result|analytics|clickhouse|mysql|migration`)

// commonPrefix is what all names begin with, up to an underscore.
func commonPrefix(names []string) string {
	prefix := names[0]
	for _, n := range names {
		for !strings.HasPrefix(n, prefix) {
			prefix = prefix[:len(prefix)-1]
		}
	}
	return prefix[:strings.LastIndex(prefix, "_")+1]
}

// collect notes the variables of a value, and of all that is in it.
func collect(v value, into map[string]bool, depth int) {
	if depth > 6 {
		return
	}
	for _, name := range v.Reads {
		into[name] = true
	}
	for _, x := range slices.Concat(v.List, v.Alts) {
		collect(x, into, depth+1)
	}
	for _, x := range v.Dict {
		collect(x, into, depth+1)
	}
}

// documents are the variables whose value is a JSON document, with the parts of it that settings name.
func (p *project) documents() map[string]value {
	parts := map[string]map[string]string{}
	places := map[string]place{}
	note := func(v value, template string) {
		if len(v.Reads) != 1 || !v.is("json") {
			return
		}
		for _, flag := range v.Flags {
			if key, is := strings.CutPrefix(flag, "key:"); is {
				if parts[v.Reads[0]] == nil {
					parts[v.Reads[0]] = map[string]string{}
				}
				parts[v.Reads[0]][key] = template
				places[v.Reads[0]] = v.at()
			}
		}
	}
	databases, _, _ := p.setting("DATABASES")
	for part, template := range map[string]string{"HOST": "{db.host}", "PORT": "{db.port}", "NAME": "{db.name}", "USER": "{db.user}",
		"PASSWORD": "{db.password}"} {
		note(databases.get("default").get(part), template)
	}
	if key, set, _ := p.setting("SECRET_KEY"); set {
		note(key, "{key}")
	}
	found := map[string]value{}
	for name, document := range parts {
		text, err := json.Marshal(document)
		if err != nil {
			continue
		}
		template := strings.NewReplacer(`"{`, "\x00", `}"`, "\x01", "{", "{{", "}", "}}").Replace(string(text))
		template = strings.NewReplacer("\x00", `"{`, "\x01", `}"`).Replace(template)
		if standard(document) {
			template = "{db.json}"
		}
		found[name] = value{Known: true, Value: template, File: places[name].file, Line: places[name].line}
	}
	return found
}

// standard reports whether {db.json} has these keys.
func standard(document map[string]string) bool {
	for key, template := range document {
		if map[string]string{"host": "{db.host}", "port": "{db.port}", "username": "{db.user}", "password": "{db.password}",
			"dbname": "{db.name}"}[key] != template {
			return false
		}
	}
	return true
}

// values tries what a variable has to be so that the settings are as production needs them: how a boolean is written, which separator a
// list has, and what chooses the engine.
func (s *surveyor) values(p *project) bool {
	if p.facts == nil || p.facts.Settings == nil {
		return false
	}
	return s.engine(p) || s.debug(p) || s.hosts(p) || s.bucket(p) || s.keys(p) || s.sslmode(p)
}

func (s *surveyor) engine(p *project) bool {
	all, databases := p.engines()
	if len(all) == 0 || postgres.MatchString(all[0].name) || p.App.replaces("DATABASES") {
		return false
	}
	used := map[string]bool{}
	collect(databases, used, 0)
	right := func(q *project) bool {
		all, _ := q.engines()
		return len(all) > 0 && postgres.MatchString(all[0].name)
	}
	for _, r := range p.readings() {
		chooses := engineName.MatchString(r.Name) || used[r.Name] && s.app.Env[r.Name] == ""
		if !chooses || s.try("engine "+r.Name) {
			continue
		}
		at := place{r.File, r.Line}
		if s.fits(r.Name, at, right, "postgres", "postgresql", "django.db.backends.postgresql", "True", "true", "1", "{db.url}") {
			return true
		}
	}
	return false
}

var engineName = regexp.MustCompile(`(?i)(^|_)(DB|DATABASE)?_?(ENGINE|BACKEND|TYPE|VENDOR|DBENGINE)$|^DB$`)

func (s *surveyor) debug(p *project) bool {
	v, set, _ := p.setting("DEBUG")
	if !set || !v.on() || p.App.replaces("DEBUG") {
		return false
	}
	off := func(q *project) bool { v, _, _ := q.setting("DEBUG"); return v.Known && !v.on() }
	unclear := func(q *project) bool { v, _, _ := q.setting("DEBUG"); return !v.on() }
	first, _, _ := s.first.setting("DEBUG") // in which every branch is open
	for _, name := range slices.Concat(v.Reads, first.Reads) {
		if !s.try("debug "+name) && (s.fits(name, v.at(), off, "False", "false", "0", "") || s.fits(name, v.at(), unclear, "False")) {
			return true
		}
	}
	return false
}

// hosts makes ALLOWED_HOSTS contain the site's host.
func (s *surveyor) hosts(p *project) bool {
	f := p.finding("hosts-fixed", "hosts-any")
	v, set, _ := p.setting("ALLOWED_HOSTS")
	if f == nil || !set || p.App.replaces("ALLOWED_HOSTS") {
		return false
	}
	right := func(q *project) bool {
		v, _, _ := q.setting("ALLOWED_HOSTS")
		hosts, _ := v.texts()
		return slices.Contains(hosts, q.host()) && !slices.Contains(hosts, "*")
	}
	used := map[string]bool{}
	collect(v, used, 0)
	for _, name := range sortedKeys(used) {
		likely := "{host}"
		if strings.HasSuffix(strings.ToUpper(name), "S") {
			likely = "{hosts}"
		}
		if !s.try("hosts "+name) && s.fits(name, v.at(), right, likely, "{hosts}", "{host}", "{url}", `["{host}"]`) {
			return true
		}
	}
	return false
}

// bucket sets the variable that names the bucket for uploads.
func (s *surveyor) bucket(p *project) bool {
	f := p.finding("media-on-disk")
	if f == nil {
		return s.named(p)
	}
	static, _ := p.storage("staticfiles", "STATICFILES_STORAGE")
	right := func(q *project) bool {
		after, _ := q.storage("staticfiles", "STATICFILES_STORAGE")
		return q.finding("media-on-disk") == nil && after == static
	}
	for _, r := range p.readings() {
		if r.template == "{bucket}" && !strings.Contains(r.Name, "STATIC") && !s.try("bucket "+r.Name) &&
			s.fits(r.Name, place{r.File, r.Line}, right, "{bucket}") {
			return true
		}
	}
	return false
}

// named sets the variable that names a bucket, where uploads go to one already.
func (s *surveyor) named(p *project) bool {
	now, _ := p.storage("default", "DEFAULT_FILE_STORAGE")
	v, set, _ := p.setting("AWS_STORAGE_BUCKET_NAME")
	if !set || !strings.Contains(strings.ToLower(now), "s3") || len(v.Reads) != 1 {
		return false
	}
	name := v.Reads[0]
	if _, given := s.app.Env[name]; given || s.try("bucket "+name) {
		return false
	}
	s.app.Env[name] = "{bucket}"
	s.set("env."+name, v.at(), "")
	return true
}

// keys makes access keys empty: boto3 then finds the role of the task.
func (s *surveyor) keys(p *project) bool {
	f := p.finding("storage-keys")
	if f == nil {
		return false
	}
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_S3_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} {
		v, _, _ := p.setting(name)
		for _, variable := range v.Reads {
			if _, set := s.app.Env[variable]; !set && !s.try("keys "+variable) {
				s.app.Env[variable] = ""
				s.set("env."+variable, v.at(), "the role of the task has the rights")
				return true
			}
		}
	}
	return false
}

func (s *surveyor) sslmode(p *project) bool {
	databases, _, _ := p.setting("DATABASES")
	v := databases.get("default").get("OPTIONS").get("sslmode")
	for _, name := range v.Reads {
		if _, set := s.app.Env[name]; !set && p.finding("database-tls") != nil && !s.try("sslmode "+name) {
			s.app.Env[name] = "{db.sslmode}"
			s.set("env."+name, v.at(), "")
			return true
		}
	}
	return false
}

// demanded gives values to what the settings or the start cannot do without.
func (s *surveyor) demanded(p *project) bool {
	for _, f := range p.report.Findings {
		name := f.variable
		if name == "" || s.try("demanded "+name) {
			continue
		}
		if value, has := p.hostOr(name); has && value != "{https}" {
			s.app.Env[name] = value
			s.set("env."+name, f.at(), "")
			return true
		}
		if secretName.MatchString(name) || saltName.MatchString(name) {
			s.secrets = append(s.secrets, name)
			s.set("secrets."+name, f.at(), "")
			return true
		}
		s.plain(p, name, f.at())
		return true
	}
	return s.conditions(p)
}

var saltName = regexp.MustCompile(`(?i)(^|_)(SALT|PEPPER|SIGNING|PRIVATE)(_|$)`)

// plain asks for the value of a variable.
func (s *surveyor) plain(p *project, name string, at place) {
	value := s.ask(Question{ID: "env." + name, Text: fmt.Sprintf("The settings demand %s. What value should it have?", name), File: at.file,
		Line: at.line, Default: p.likely(name)})
	s.app.Env[name] = p.answered(value)
	s.set("env."+name, at, "")
	if value == p.likely(name) && value != "production" {
		s.from["env."+name] = origin{at, "FILL IN: the settings demand a value", true}
	}
}

// answered is an answer as a template. What is one of Slipway's templates stays one; other braces are the user's own.
func (p *project) answered(value string) string {
	known := p.standIns()
	var b strings.Builder
	for value != "" {
		if m := placeholder.FindStringSubmatchIndex(value); m != nil && m[0] == 0 && m[2] >= 0 {
			if _, is := known[value[m[2]:m[3]]]; is {
				b.WriteString(value[:m[1]])
				value = value[m[1]:]
				continue
			}
		}
		if value[0] == '{' || value[0] == '}' {
			b.WriteByte(value[0])
		}
		b.WriteByte(value[0])
		value = value[1:]
	}
	return b.String()
}

// likely is a value that surely is not wrong, or the placeholder.
func (p *project) likely(name string) string {
	switch upper := strings.ToUpper(name); {
	case stageName.MatchString(upper):
		return "production"
	case strings.HasSuffix(upper, "EMAIL_PORT"):
		return "587" // STARTTLS
	case strings.HasSuffix(upper, "_PORT") || strings.HasSuffix(upper, "_TIMEOUT") || strings.HasSuffix(upper, "_COUNT"):
		return "1"
	}
	return Placeholder
}

var stageName = regexp.MustCompile(`^(DJANGO_|APP_|SERVER_)?(ENV|ENVIRONMENT|STAGE)$`)

// conditions asks for variables that the settings demand only inside of an if.
func (s *surveyor) conditions(p *project) bool {
	if p.facts == nil {
		return false
	}
	for _, r := range p.readings() {
		if !r.Required || !r.Sure || !r.Conditional || p.provided(r.Name) || slices.Contains(s.secrets, r.Name) || s.try("condition "+r.Name) {
			continue
		}
		if slices.ContainsFunc(s.out.Questions, func(q Question) bool { return q.ID == "env."+r.Name }) {
			continue
		}
		if r.has && r.template != "" || secretName.MatchString(r.Name) {
			s.set("optional."+r.Name, place{r.File, r.Line}, "demanded under a condition")
			continue
		}
		value := s.ask(Question{ID: "env." + r.Name, Text: fmt.Sprintf("The settings demand %s, but only under a condition. "+
			"What value should it have? (Empty: none)", r.Name), File: r.File, Line: r.Line})
		if value != "" {
			s.app.Env[r.Name] = p.answered(value)
			s.set("env."+r.Name, place{r.File, r.Line}, "")
			return true
		}
	}
	return false
}
