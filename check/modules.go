package check

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

var namesModule = regexp.MustCompile(`DJANGO_SETTINGS_MODULE["']?\s*[:=,]\s*["']?([A-Za-z_][\w.]*)`)

// modules are the settings modules that may be those of production, the most likely one first, and the place that names it.
func (p *project) modules() (at place, all []string) {
	if p.facts == nil || p.facts.Settings == nil || p.facts.Settings.File == "" {
		return at, nil
	}
	module := p.facts.Settings.Module
	if h := p.hollow; h != nil && len(h.others) > 0 {
		return p.namedAt(h.module), h.fit()
	}
	at = p.namedAt(module)
	all = []string{module}
	if d := p.developing; d != nil && d.other == module {
		at = d.at
		for _, name := range producing { // its neighbours may be meant too
			other := module[:strings.LastIndex(module, ".")+1] + name
			if p.moduleFile(p.roots(p.tree.named("manage.py")), other) != "" && !slices.Contains(all, other) {
				all = append(all, other)
			}
		}
	} else if d != nil || regexp.MustCompile(`(^|[._])(base|common|defaults?)$`).MatchString(module) {
		others := p.deployed()
		if len(others) == 0 {
			others = p.siblings(module)
		}
		others = slices.DeleteFunc(others, func(other string) bool { return other == module })
		all = append(others, all...)
	}
	return at, all
}

// filled is a request for the module that is meant, if the settings module sets nothing that a site needs and its neighbours do.
func (p *project) filled(ask request, f *facts) (request, bool) {
	if f == nil || f.Settings == nil || f.Settings.File == "" || !f.Settings.Complete {
		return ask, false
	}
	for _, name := range []string{"ROOT_URLCONF", "INSTALLED_APPS"} {
		if _, set := f.Settings.Names[name]; set {
			return ask, false
		}
	}
	module := f.Settings.Module
	p.hollow = &hollow{module: module, at: place{f.Settings.File, 0}, others: p.inside(f.Settings.File, module)}
	if len(p.hollow.others) == 0 || developing.MatchString(p.hollow.others[0]) {
		return ask, false
	}
	ask.Settings = p.hollow.others[0]
	return ask, true
}

// fit are the modules that may be those of production: with one of that name, others are not meant.
func (h *hollow) fit() []string {
	var fit []string
	for _, other := range h.others {
		name := other[strings.LastIndex(other, ".")+1:]
		if !developing.MatchString(name) && !shared.MatchString(name) {
			fit = append(fit, other)
		}
	}
	if len(fit) == 0 {
		return h.others
	}
	return fit
}

// inside are the modules of a settings package: those of production first, then others, and those of a laptop last.
func (p *project) inside(file, module string) (all []string) {
	if path.Base(file) != "__init__.py" {
		return nil
	}
	rank := func(name string) int {
		switch at := slices.Index(producing, name); {
		case at >= 0:
			return at
		case developing.MatchString(name):
			return len(producing) + 2
		case shared.MatchString(name):
			return len(producing) + 1
		}
		return len(producing)
	}
	for _, f := range p.tree.files {
		name, python := strings.CutSuffix(path.Base(f), ".py")
		if path.Dir(f) == path.Dir(file) && python && name != "__init__" &&
			(settingsLike.MatchString(p.tree.text(f)) || importsAll.MatchString(p.tree.text(f))) {
			all = append(all, name)
		}
	}
	slices.SortStableFunc(all, func(a, b string) int { return rank(a) - rank(b) })
	for i, name := range all {
		all[i] = module + "." + name
	}
	return all
}

// siblings are the modules beside one for development that may be those of production.
func (p *project) siblings(module string) (all []string) {
	folder := path.Dir(p.facts.Settings.File)
	for _, f := range p.tree.files {
		name := strings.TrimSuffix(path.Base(f), ".py")
		if path.Dir(f) != folder || !strings.HasSuffix(f, ".py") || developing.MatchString(name) || shared.MatchString(name) ||
			!settingsLike.MatchString(p.tree.text(f)) {
			continue
		}
		all = append(all, module[:strings.LastIndex(module, ".")+1]+name)
	}
	return all
}

var (
	shared       = regexp.MustCompile(`^(__init__|base|common|defaults?|utils?|urls|wsgi|asgi|celery\w*)$`)
	importsAll   = regexp.MustCompile(`(?m)^from\s+\.\w*\s+import\s+\*`)
	settingsLike = regexp.MustCompile(`(?m)^(DEBUG|DATABASES|SECRET_KEY|ALLOWED_HOSTS)\b.*=`)
)

// namedAt is where a settings module is named.
func (p *project) namedAt(module string) place {
	for _, e := range p.facts.Entries {
		if e.Settings == module && e.Line > 0 {
			return place{e.File, e.Line}
		}
	}
	return place{p.facts.Settings.File, 0}
}

// deployed are modules that files of a deployment name.
func (p *project) deployed() (all []string) {
	for _, f := range p.tree.where(func(f string) bool { return deployment.MatchString(f) && !developments.MatchString(f) && !beside(f) }) {
		for _, m := range namesModule.FindAllStringSubmatch(p.tree.text(f), -1) {
			if p.moduleFile(p.roots(p.tree.named("manage.py")), m[1]) != "" && !developing.MatchString(m[1]) && !slices.Contains(all, m[1]) {
				all = append(all, m[1])
			}
		}
	}
	return all
}

// deployment are files that say how a site is deployed.
var deployment = regexp.MustCompile(`(^|/)((docker-)?compose[\w.-]*\.ya?ml|Procfile|app\.json|render\.yaml|fly\.toml|heroku\.yml|` +
	`[\w.-]*\.env[\w.-]*|\.envs/.*|[\w-]+\.service)$`)

// health is a path that answers whether the site is well, and where it is.
func (p *project) health() (string, place) {
	for _, f := range p.tree.where(func(f string) bool { return path.Base(f) == "urls.py" && !beside(f) && p.rootURLs(f) }) {
		text := p.tree.text(f)
		for _, m := range healthRoute.FindAllStringSubmatchIndex(text, -1) {
			name, rest := text[m[2]:m[3]], text[m[1]:min(len(text), m[1]+80)]
			if strings.Contains(rest, "include(") && !p.answersAtRoot(rest) {
				continue
			}
			return "/" + strings.TrimPrefix(name, "^"), place{f, lineAt(text, m[0])}
		}
	}
	for _, f := range p.tree.where(func(f string) bool {
		return strings.Contains(path.Base(f), "middleware") && strings.HasSuffix(f, ".py")
	}) {
		if m := healthAnswer.FindStringSubmatchIndex(p.tree.text(f)); m != nil && !beside(f) {
			return p.tree.text(f)[m[2]:m[3]], place{f, lineAt(p.tree.text(f), m[0])}
		}
	}
	return "", place{}
}

const healthWords = `_?(?:health|healthz|healthcheck|health-check|health_check|up|ping|livez|alive|readyz|liveness|status|heartbeat)`

var (
	healthRoute  = regexp.MustCompile(`(?m)^[^#\n]*\b(?:path|re_path|url)\(\s*r?["'](\^?` + healthWords + `/?)\$?["']\s*,`)
	healthAnswer = regexp.MustCompile(`\.path(?:_info)?\s*==\s*["'](/` + healthWords + `/?)["']`)
	including    = regexp.MustCompile(`include\(\s*["']([\w.]+)["']`)
	emptyRoute   = regexp.MustCompile(`(?m)^[^#\n]*\b(?:path|re_path|url)\(\s*r?["']\^?\$?["']\s*,`)
)

// rootURLs reports whether a file is the one that ROOT_URLCONF names.
func (p *project) rootURLs(file string) bool {
	v, set, _ := p.setting("ROOT_URLCONF")
	if !set || !v.isText() {
		return false
	}
	return p.moduleFile(p.roots(p.tree.named("manage.py")), v.text()) == file
}

// answersAtRoot reports whether included routes have an empty one.
func (p *project) answersAtRoot(text string) bool {
	m := including.FindStringSubmatch(text)
	if m == nil {
		return false
	}
	file := p.moduleFile(p.roots(p.tree.named("manage.py")), m[1])
	return emptyRoute.MatchString(p.tree.text(file))
}
