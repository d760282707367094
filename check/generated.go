package check

import (
	"path"
	"regexp"
	"strings"
)

// lists are the files from which Slipway generates a Dockerfile, the one that counts first.
var lists = []string{"uv.lock", "poetry.lock", "Pipfile.lock", "requirements.txt", "pyproject.toml"}

// generate makes the image that Slipway would build of a project without a Dockerfile: one that installs what the lock file lists and
// starts gunicorn. If it would not, ungenerated says why.
func (p *project) generate() {
	context := path.Clean(p.App.Context)
	if p.App.Context == "" {
		context = p.folderOfProject()
	}
	list := ""
	for _, name := range lists {
		if f := path.Join(context, name); p.tree.has[f] {
			list = f
			break
		}
	}
	if list == "" {
		p.ungenerated = "there is no requirements.txt, pyproject.toml or lock file in " + shownFolder(context)
		return
	}
	text := strings.ToLower(p.tree.text(list))
	if list == path.Join(context, "requirements.txt") {
		for _, m := range included.FindAllStringSubmatch(p.tree.text(list), -1) {
			text += "\n" + strings.ToLower(p.tree.text(path.Join(path.Dir(list), m[1])))
		}
	}
	open := elsewhere.MatchString(text)
	var missing []string
	d := &dependencies{text: text}
	if !d.has("gunicorn") {
		missing = append(missing, "gunicorn")
	}
	if !regexp.MustCompile(`psycopg|pg8000`).MatchString(text) {
		missing = append(missing, "psycopg")
	}
	if len(missing) > 0 && !open {
		p.ungenerated = list + " does not list " + strings.Join(missing, " and ")
		return
	}
	module := p.anyModule()
	if module == "" {
		p.ungenerated = "no wsgi.py was found"
		return
	}
	p.report.Generated = list
	p.image = parseDockerfile("FROM python:3.13-slim\nWORKDIR /app\nCOPY . .\nRUN pip install\nCMD [\"gunicorn\", \""+module+"\"]\n", nil)
	p.image.file, p.image.context, p.image.generated = list, context, true
	p.image.ignore = readIgnore(p.tree, context, path.Join(context, "Dockerfile"))
	for _, s := range p.image.stages {
		s.line = 0
		s.copies[0].line = 0
	}
	p.image.cmd.at = &place{list, 0}
}

var included = regexp.MustCompile(`(?m)^\s*(?:-r|--requirement)[ =]\s*(\S+)`)

// folderOfProject is the folder of the nearest manage.py.
func (p *project) folderOfProject() string {
	if p.App.Path != "" {
		return path.Clean(p.App.Path)
	}
	for _, f := range p.tree.named("manage.py") {
		if !beside(f) {
			return path.Dir(f)
		}
	}
	return "."
}
