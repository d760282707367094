package check

import (
	"path"
	"regexp"
	"strings"
)

// Commands that are not those of the image: of compose files, and of the stack's workers.

// within are the commands that a command runs: itself, or those of the script that it is.
func (p *project) within(words []string) *start {
	if p.image == nil || p.image.target == nil {
		image := parseDockerfile("FROM scratch\nCOPY . .\n", nil)
		image.file, image.context = "", "."
		image.cmd = &dockerCommand{words: words}
		return readStart(p.tree, image, p.environment())
	}
	image := *p.image
	image.entrypoint, image.cmd = nil, &dockerCommand{words: words}
	return readStart(p.tree, &image, p.environment())
}

// celeryCommand is the subcommand of Celery that words run; "" if none.
func celeryCommand(words []string) string {
	words = withoutPython(words)
	if len(words) == 0 || path.Base(words[0]) != "celery" {
		return ""
	}
	for _, w := range words[1:] {
		if w == "worker" || w == "beat" || w == "flower" || w == "inspect" || w == "events" {
			return w
		}
	}
	return ""
}

var celeryModule = regexp.MustCompile(`(?m)^\w+\s*=\s*Celery\(`)

// celeryApp is the module with the Celery app, as celery -A takes it.
func (p *project) celeryApp() (string, place) {
	for _, f := range p.tree.where(func(f string) bool { return strings.HasSuffix(f, ".py") && !beside(f) }) {
		line := p.tree.line(f, celeryModule)
		if line == 0 {
			continue
		}
		for _, root := range p.roots(p.tree.named("manage.py")) {
			if rel, in := under(root, f); in {
				module := strings.ReplaceAll(strings.TrimSuffix(rel, ".py"), "/", ".")
				return strings.TrimSuffix(strings.TrimSuffix(module, ".__init__"), ".celery"), place{f, line}
			}
		}
	}
	return "", place{}
}
