package check

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// readImage finds and reads the Dockerfile of the site.
func (p *project) readImage() {
	file := path.Clean(p.App.Dockerfile)
	if p.App.Dockerfile == "" && p.App.Own {
		if file = path.Join(p.App.Context, "Dockerfile"); !p.tree.has[file] {
			p.generate()
			return
		}
	} else if p.App.Dockerfile == "" {
		if file = p.findDockerfile(); file == "" {
			p.generate()
			return
		}
	} else if !p.tree.has[file] {
		return
	}
	p.report.Dockerfile = file
	if len(p.tree.text(file)) > maxDockerfile {
		p.unknown(file, 0, "this Dockerfile", "it is too large")
		return
	}
	p.image = parseDockerfile(p.tree.text(file), p.App.Args)
	p.image.file = file
	p.image.context = path.Clean(p.App.Context)
	if p.App.Context == "" {
		p.image.context = p.findContext()
	}
	p.image.ignore = readIgnore(p.tree, p.image.context, file)
	if t := p.image.target; t != nil {
		p.report.Target = t.name
	}
}

// findDockerfile chooses the Dockerfile that most looks like the one of a Django site in production.
func (p *project) findDockerfile() string {
	best, most, second, next := "", 0, "", 0
	for _, f := range p.tree.where(func(f string) bool { return dockerName.MatchString(path.Base(f)) && !beside(f) }) {
		if strings.HasSuffix(f, ".dockerignore") || strings.HasSuffix(f, ".json") || strings.HasSuffix(f, ".md") {
			continue
		}
		score := 50 - 5*strings.Count(f, "/")
		if f == "Dockerfile" {
			score += 40
		}
		for _, c := range []struct {
			form  *regexp.Regexp
			in    string
			worth int
		}{{pythonWords, p.tree.text(f), 40}, {otherImages, f, -60}, {developments, f, -30}, {productions, f, 20}} {
			if c.form.MatchString(c.in) {
				score += c.worth
			}
		}
		if !pythonWords.MatchString(p.tree.text(f)) {
			score -= 60
		}
		if score > most {
			best, most, second, next = f, score, best, most
		} else if score > next {
			second, next = f, score
		}
	}
	if second != "" && most-next <= 20 {
		p.unknown(best, 0, "which Dockerfile is the site's", "this one was checked, and there is also "+second)
	}
	return best
}

// findContext chooses the folder from which the Dockerfile's COPY instructions find the most files.
func (p *project) findContext() string {
	own := path.Dir(p.image.file)
	best, fewest := own, -1
	for dir := own; ; dir = path.Dir(dir) {
		p.image.context, p.image.ignore = dir, readIgnore(p.tree, dir, p.image.file)
		missing := 2 * len(p.missingSources())
		if !slices.ContainsFunc(p.tree.named("manage.py"), func(f string) bool { _, in := under(dir, f); return in }) {
			missing++
		}
		if fewest < 0 || missing < fewest {
			best, fewest = dir, missing
		}
		if dir == "." || dir == "/" {
			return best
		}
	}
}

// A missingSource is what COPY names and the build does not get.
type missingSource struct {
	copyStep
	source  string
	ignored bool // it is there, and .dockerignore excludes it
}

// missingSources are the files that the stages of the target copy from the context, and that are not in it.
func (p *project) missingSources() []missingSource {
	var all []missingSource
	for _, s := range p.image.built() {
		for _, c := range s.copies {
			if c.from != "" {
				continue
			}
			for _, source := range c.sources {
				if strings.ContainsAny(source, "$*?[") || remote.MatchString(source) {
					continue // a pattern may match nothing, and a variable is not known
				}
				there, sent := p.sent(source)
				if !sent {
					all = append(all, missingSource{c, source, there})
				}
			}
		}
	}
	return all
}

// sent reports whether a source is in the project, and whether the builder gets it.
func (p *project) sent(source string) (there, sent bool) {
	rel := path.Clean("/" + source)[1:]
	name := path.Join(p.image.context, rel)
	if name == "." || rel == "" {
		return true, true
	}
	if p.tree.has[name] {
		return true, !p.image.ignore.ignores(name)
	}
	if !p.tree.folders[name] {
		// Folders of tools are not in the tree, and a build may copy them.
		return foreign[path.Base(name)], foreign[path.Base(name)]
	}
	if p.image.ignore.matcher == nil {
		return true, true
	}
	for _, f := range p.tree.files {
		if strings.HasPrefix(f, name+"/") && !p.image.ignore.ignores(f) {
			return true, true
		}
	}
	return true, !slices.ContainsFunc(p.tree.files, func(f string) bool { return strings.HasPrefix(f, name+"/") })
}

// inImage is where a path of the settings leads in the image; "" if that is not known.
func (p *project) inImage(v value) string {
	i := p.image
	switch text := v.text(); {
	case len(v.Alts) > 0 || v.is("maybe"):
		return ""
	case v.isText() && text != "" && !v.is("path"):
		if i == nil || i.target == nil {
			return ""
		}
		return absolute(i.workdir, text)
	case path.IsAbs(v.Path):
		return v.Path
	case v.Path == "" || i == nil || i.target == nil:
		return ""
	case strings.HasPrefix(v.Path, ".."):
		if top := i.pathIn(i.target, i.context, 0); top != "" && i.context == "." {
			return path.Join(top, v.Path)
		}
		return ""
	}
	return i.pathIn(i.target, v.Path, 0)
}
