package check

import (
	"path"
	"regexp"
	"strings"
)

// Rules about files: secrets, and lists of packages.

// checkContext looks for secrets that the build gets, and in variables of the image.
func (p *project) checkContext() {
	i := p.image
	if i == nil || i.target == nil {
		return
	}
	for _, f := range p.tree.files {
		if _, in := under(i.context, f); !in || i.ignore.ignores(f) {
			continue
		}
		what := p.tree.secretFile(f)
		if what == "" {
			continue
		}
		if i.generated && !beside(f) && !sharedName.MatchString(path.Base(f)) {
			p.find("secret-in-image", place{f, 0}, "the file contains %s, and the generated Dockerfile copies it into the image", what)
		} else if copied := p.copies(f); copied > 0 && !beside(f) && !sharedName.MatchString(path.Base(f)) {
			p.find("secret-in-image", place{f, 0}, "the file contains %s, and line %d of %s copies it into the image", what, copied, i.file)
		} else {
			p.find("secret-in-image", place{f, 0}, "the file contains %s, and is part of the build context", what).Severity = Warning
		}
	}
	for _, s := range i.chain() {
		for _, w := range s.secrets {
			value := i.env[w.text]
			if secretName.MatchString(w.text) && value != "" && !harmless.MatchString(value) && !strings.Contains(value, "$") && len(value) > 3 &&
				!strings.Contains(value, "/") {
				p.find("secret-in-image", place{i.file, w.line}, "ENV writes a value for %s into the image", w.text).with(Warning,
					"Remove it from the Dockerfile and give a new value as a secret: "+p.setSecret(w.text))
			}
		}
	}
}

func (f *Finding) with(s Severity, fix string) { f.Severity, f.Fix = s, fix }

// copies is the line of the instruction that copies a file of the context into the image, 0 if none does.
func (p *project) copies(file string) int {
	i := p.image
	for _, s := range i.chain() {
		for _, c := range s.copies {
			for _, source := range c.sources {
				if c.from != "" {
					continue
				}
				name := path.Join(i.context, path.Clean("/" + source)[1:])
				if _, in := under(name, file); in {
					return c.line
				}
				if matched, err := path.Match(name, file); err == nil && matched {
					return c.line
				}
			}
		}
	}
	return 0
}

// checkDependencies looks at the packages.
func (p *project) checkDependencies() {
	if p.image == nil || p.image.target == nil {
		return
	}
	if len(p.needs.files) == 0 {
		if !p.needs.open && !p.needs.has("django") {
			p.find("packages-unlisted", place{"", 0}, "there is no requirements.txt, pyproject.toml or lock file")
		}
		return
	}
	if p.needs.open || !p.needs.has("django") && !elsewhere.MatchString(p.needs.text) { // Django comes with another package: so may others
		return
	}
	for _, s := range p.start.servers {
		if name := serverPrograms[s.program]; name != "" && name != "unit" && !strings.Contains(p.needs.text, name) {
			p.unlisted(p.find("server-not-installed", s.at, "%s starts, and none of %s lists it", s.program, listed(p.needs.files)))
		}
	}
	if own, _ := p.engines(); p.App.replaces("DATABASES") && !p.usesPostgres() && len(own) > 0 && !p.needs.has("psycopg") &&
		!strings.Contains(p.needs.text, "psycopg") {
		p.find("driver-not-installed", p.source("app.overlay", "overlay"), "app.overlay replaces DATABASES, and none of %s lists psycopg",
			listed(p.needs.files))
	} else if p.usesPostgres() && !regexp.MustCompile(`psycopg|pg8000|aiopg`).MatchString(p.needs.text) {
		at := p.facts.Settings.Names["DATABASES"].at()
		p.unlisted(p.find("driver-not-installed", at, "the engine is Postgres, and none of %s lists psycopg", listed(p.needs.files)))
	}
}

// checkStorage looks at the packages that the overlay of MEDIA needs.
func (p *project) checkStorage() {
	if !p.App.replaces("MEDIA") || p.image == nil || p.image.target == nil || p.needs.open || len(p.needs.files) == 0 {
		return
	}
	at := p.source("app.overlay", "overlay")
	switch {
	case !p.needs.has("django-storages"):
		p.find("storage-not-installed", at, "app.overlay names MEDIA, and none of %s lists django-storages", listed(p.needs.files))
	case !p.needs.has("boto3") && !regexp.MustCompile(`django[-_]storages\[[^\]]*(s3|boto3)`).MatchString(p.needs.text):
		p.unlisted(p.find("storage-not-installed", at, "app.overlay names MEDIA, and none of %s lists boto3", listed(p.needs.files)))
	}
}

// unlisted only warns if a package that is not listed may come with another one.
func (p *project) unlisted(f *Finding) {
	if !p.needs.locked {
		f.Severity = Warning
	}
}
