package check

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// What Slipway runs in an image today, and that a project has to bring: the rest of the package knows nothing of it.

var databaseVariables = []string{"DB_HOST", "DB_DATABASE", "DB_USERNAME", "DB_PASSWORD"}

// checkPrepared looks for the programs, the volume and the user that Slipway expects.
func (p *project) checkPrepared() {
	i := p.image
	if !p.Prepared || i == nil || i.target == nil {
		return
	}
	at := place{i.file, i.target.line}
	if !slices.ContainsFunc(p.tree.files, func(f string) bool { return strings.HasSuffix(f, "/management/commands/migrate_locked.py") }) &&
		!p.needs.has("migrate_locked") {
		p.find("not-prepared", at, "no app has the management command migrate_locked, with which Slipway migrates")
	}
	program := regexp.MustCompile(`\bhealthcheck\b`)
	if !slices.ContainsFunc(i.chain(), func(s *stage) bool {
		return slices.ContainsFunc(s.copies, func(c copyStep) bool {
			return program.MatchString(path.Base(c.dest)) || slices.ContainsFunc(c.sources,
				func(s string) bool { return program.MatchString(path.Base(s)) })
		}) || slices.ContainsFunc(s.runs, func(w word) bool { return program.MatchString(w.text) })
	}) {
		p.find("not-prepared", at, "the image has no program healthcheck, with which Slipway asks whether a container is healthy")
	}
	if !slices.Contains(i.volumes, "/tmp") {
		p.find("not-prepared", at, "the image has no VOLUME at /tmp, so on Fargate /tmp belongs to root and cannot be written")
	}
	user := ""
	if i.user != nil {
		user, _, _ = strings.Cut(i.user.text, ":")
		at.line = i.user.line
	}
	if user != "10001" && !strings.Contains(user, "$") {
		if user == "" {
			user = "root"
		}
		p.find("not-prepared", at, "Slipway runs the container as user 10001, and the image is made for %s: files that only that user "+
			"may read are missing", user).
			Severity = Warning
	}
	if p.Nginx != "" && !p.tree.has[path.Join(i.context, p.Nginx)] {
		p.find("nginx-missing", place{path.Join(i.context, p.Nginx), 0}, "there is no such file")
	}
	p.checkDatabaseVariables()
}

func (p *project) checkDatabaseVariables() {
	if p.facts == nil || p.facts.Settings == nil || !p.facts.Settings.Complete {
		return
	}
	databases, set, _ := p.setting("DATABASES")
	if !set {
		return
	}
	var missing []string
	for _, name := range databaseVariables {
		if !slices.ContainsFunc(p.facts.Reads, func(r variable) bool { return r.Name == name }) {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		p.find("database-variables", databases.at(), "the settings do not read %s", listed(missing))
	}
}
