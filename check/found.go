package check

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// finish says what was found, and brings the keys into the order in which they are written.
func (s *surveyor) finish(p *project) {
	s.workers(p)
	if name, at := p.health(); name != "" {
		s.out.Health = &Key{Name: "web.healthPath", Value: name, File: at.file, Line: at.line}
	}
	s.out.Redirects = s.domain
	s.defaultSettings(p)
	if last, err := s.open(s.app); err == nil {
		p = last
	}
	s.out.Report = p.report
	s.listKeys()
	s.out.Secrets = []Key{}
	for _, name := range s.secrets {
		at := s.from["secrets."+name]
		s.out.Secrets = append(s.out.Secrets, Key{Name: name, File: at.file, Line: at.line})
	}
	s.optional(p)
	s.out.Found = p.found()
	for _, h := range []*Key{s.out.Health} {
		if h != nil {
			s.out.Found = append(s.out.Found, Fact{"health", h.Value.(string), h.File, h.Line})
		}
	}
	for _, one := range s.out.Processes {
		s.out.Found = append(s.out.Found, Fact{"process " + one.Name, strings.Join(one.Command, " "), one.File, one.Line})
	}
	for _, one := range s.out.Beside {
		s.out.Found = append(s.out.Found, Fact{"not deployed: " + one.Name, strings.Join(one.Command, " "), one.File, one.Line})
	}
	if s.out.Questions == nil {
		s.out.Questions = []Question{}
	}
}

// defaultSettings leaves out a settings module that the image has anyway and that nothing else needs.
func (s *surveyor) defaultSettings(p *project) {
	if s.app.Settings != "" || len(s.app.Overlay) == 0 || p.facts == nil || p.facts.Settings == nil {
		return
	}
	s.app.Settings = p.facts.Settings.Module
}

// listKeys lists the keys of app.
func (s *surveyor) listKeys() {
	add := func(name string, value any) {
		at := s.from[name]
		key := Key{Name: name, Value: value, File: at.file, Line: at.line, Note: at.note, Open: at.open}
		if list, is := value.([]string); is && slices.Contains([]string{"overlay", "writable", "packages"}, name) {
			for _, item := range list {
				at := s.from[name+"."+item]
				key.Items = append(key.Items, Key{Name: name + "." + item, File: at.file, Line: at.line, Note: at.note})
			}
		}
		s.out.Keys = append(s.out.Keys, key)
	}
	a := s.app
	add("path", shownPath(a.Path))
	if path.Clean(a.Context) != path.Clean(a.Path) {
		add("context", shownPath(a.Context))
	}
	if a.Dockerfile != "" && a.Dockerfile != path.Join(a.Context, "Dockerfile") {
		add("dockerfile", relative(a.Context, a.Dockerfile))
	}
	for _, one := range []struct{ name, value string }{{"target", a.Target}, {"settings", a.Settings}} {
		if one.value != "" {
			add(one.name, one.value)
		}
	}
	for _, one := range []struct {
		name   string
		values []string
	}{{"packages", a.Packages}, {"overlay", a.Overlay}, {"entrypoint", a.Entrypoint}, {"command", a.Command}} {
		if len(one.values) > 0 || one.name == "entrypoint" && one.values != nil {
			add(one.name, one.values)
		}
	}
	if a.Port != 0 && a.Port != defaultPort {
		add("port", a.Port)
	}
	if len(a.Writable) > 0 {
		add("writable", a.Writable)
	}
	if a.Static.URL != "" && a.Static.URL != defaultStatic {
		add("static.url", a.Static.URL)
	}
	for _, name := range sortedBy(a.Env, s.order()) {
		add("env."+name, a.Env[name])
	}
}

// order is the place of each variable in the settings.
func (s *surveyor) order() func(a, b string) int {
	return func(a, b string) int {
		x, y := s.from["env."+a], s.from["env."+b]
		if x.file != y.file {
			return strings.Compare(x.file, y.file)
		}
		if x.line != y.line {
			return x.line - y.line
		}
		return strings.Compare(a, b)
	}
}

func sortedBy(m map[string]string, order func(a, b string) int) []string {
	names := sortedNames(m)
	slices.SortStableFunc(names, order)
	return names
}

func shownPath(folder string) string {
	if folder = path.Clean(folder); folder == "." || strings.HasPrefix(folder, "..") {
		return folder
	}
	return "./" + folder
}

// relative is a path from another folder.
func relative(from, to string) string {
	from, to = path.Clean(from), path.Clean(to)
	up := ""
	for from != "." {
		if rest, in := under(from, to); in {
			return up + rest
		}
		from, up = path.Dir(from), up+"../"
	}
	return up + to
}

// optional lists the variables that have a default, or are demanded only under a condition.
func (s *surveyor) optional(p *project) {
	s.out.Optional = []Key{}
	for _, r := range p.readings() {
		if _, set := s.app.Env[r.Name]; set || slices.Contains(s.secrets, r.Name) || p.provided(r.Name) {
			continue
		}
		s.out.Optional = append(s.out.Optional, Key{Name: r.Name, Value: r.template, File: r.File, Line: r.Line,
			Note: s.from["optional."+r.Name].note})
	}
}

// found lists what the project has, for the user to see that it was understood.
func (p *project) found() (all []Fact) {
	add := func(what, value string, at place) {
		if value != "" {
			all = append(all, Fact{what, value, at.file, at.line})
		}
	}
	for _, f := range p.tree.named("manage.py") {
		if !beside(f) && path.Dir(f) == path.Clean(p.App.Path) {
			add("manage.py", f, place{f, 0})
		}
	}
	if p.facts != nil && p.facts.Settings != nil {
		add("settings", p.facts.Settings.Module, place{p.facts.Settings.File, 0})
		for _, e := range p.facts.Entries {
			if e.Settings != p.facts.Settings.Module && e.Settings != "" {
				add("settings of "+path.Base(e.File), e.Settings, place{e.File, e.Line})
			}
		}
	}
	p.foundImage(add)
	for _, f := range p.needs.files {
		if !p.tree.has[f] {
			continue
		}
		add("packages", path.Base(f), place{f, 0})
	}
	if p.facts != nil && p.facts.Settings != nil {
		p.foundSettings(add)
	}
	if app, at := p.celeryApp(); app != "" {
		add("Celery", app, at)
	}
	return all
}

func (p *project) foundImage(add func(string, string, place)) {
	switch i := p.image; {
	case i == nil || i.target == nil:
		add("Dockerfile", "none", place{})
	case i.generated:
		add("Dockerfile", "none: Slipway generates one from "+p.report.Generated, place{})
	default:
		add("Dockerfile", i.base, place{i.file, i.target.line})
		if i.user != nil {
			add("user", i.user.text, place{i.file, i.user.line})
		}
		if i.entrypoint != nil {
			add("entrypoint", strings.Join(i.entrypoint.words, " "), i.entrypoint.place(i))
		}
		if i.cmd != nil {
			add("command", strings.Join(i.cmd.words, " "), i.cmd.place(i))
		}
	}
	for _, s := range p.start.servers {
		if p.tree.has[s.at.file] {
			add("server", s.program, s.at)
		}
	}
}

var cachesOf = regexp.MustCompile(`(?i)(redis|valkey|memcached|locmem|dummy|file|database|db)\w*cache`)

func (p *project) foundSettings(add func(string, string, place)) {
	for _, name := range []string{"WSGI_APPLICATION", "ASGI_APPLICATION", "STATIC_URL", "STATIC_ROOT", "MEDIA_ROOT"} {
		if v, set, _ := p.setting(name); set {
			text := v.text()
			if text == "" {
				text = v.Path
			}
			add(strings.ReplaceAll(strings.ToLower(name), "_", " "), orElse(text, "made by code"), v.at())
		}
	}
	if all, databases := p.engines(); len(all) > 0 {
		add("database", orElse(all[0].name, "made by code"), databases.at())
	}
	if now, _ := p.storage("staticfiles", "STATICFILES_STORAGE"); now != "" {
		add("static storage", last(now), p.settingsFile())
	}
	if now, _ := p.storage("default", "DEFAULT_FILE_STORAGE"); now != "" {
		add("media storage", last(now), p.settingsFile())
	}
	caches, set, _ := p.setting("CACHES")
	if found, is := caches.search(cachesOf, 0); set && is {
		add("cache", last(found.text()), orFile(found.at(), caches.at()))
	}
	installed, _, _ := p.setting("INSTALLED_APPS")
	if apps, _ := installed.texts(); slices.Contains(apps, "channels") {
		add("websockets", "channels", installed.at())
	}
	for _, r := range p.readings() {
		what := "has a default"
		switch {
		case r.Required && r.Sure && r.Conditional:
			what = "demanded under a condition"
		case r.Required && r.Sure:
			what = "demanded"
		}
		add("variable "+r.Name, what, place{r.File, r.Line})
	}
}

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}
