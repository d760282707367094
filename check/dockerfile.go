package check

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// A dockerImage is what a Dockerfile says about the image that it builds.
type dockerImage struct {
	file, context string // from the project's folder
	ignore        *ignore
	stages        []*stage
	target        *stage // the last one, which runs
	invalid       *place
	problem       string
	generated     bool
	frontend      bool // a syntax line may allow what this parser does not know

	base             string // the image that the target stage begins with; "" if a variable without a value names it
	env              map[string]string
	user             *word
	workdir          string
	cmd, entrypoint  *dockerCommand
	volumes, exposed []string
}

// A stage of a Dockerfile.
type stage struct {
	name, from string
	line       int
	parent     *stage
	copies     []copyStep
	runs       []word
	secrets    []word // names that ENV sets
	uses       []string
	image      dockerImage // what this stage alone sets
}

// A word is a text and its line.
type word struct {
	text string
	line int
}

type dockerCommand struct {
	words []string
	shell bool
	line  int
	at    *place // if it is not one of the Dockerfile
}

// place is where the command stands.
func (c *dockerCommand) place(i *dockerImage) place {
	if c.at != nil {
		return *c.at
	}
	return place{i.file, c.line}
}

type copyStep struct {
	sources []string
	dest    string // absolute, with a slash at its end if it is a folder
	from    string // another stage or image
	line    int
}

const maxDockerfile = 256 << 10

var (
	pythonWords = regexp.MustCompile(`manage\.py|gunicorn|uvicorn|uwsgi|daphne|granian|\bpip3?\b|\buv\b|poetry|pipenv|python`)
	otherImages = regexp.MustCompile(`(?i)(^|[/._-])(nginx|caddy|traefik|postgres|mysql|redis|node|frontend|docs?|awscli|aws|` +
		`tests?|testing|integration|e2e|ci|devcontainer)([/._-]|$)`)
	developments = regexp.MustCompile(`(?i)(^|[/._-])(local|dev|development|debug|base|builder)([/._-]|$)`)
	productions  = regexp.MustCompile(`(?i)(^|[/._-])(prod|production|release|deploy|django|api|app|default)([/._-]|$)`)
	dockerName   = regexp.MustCompile(`(?i)^(Dockerfile|Containerfile)([.\-_].+)?$|\.(Dockerfile|Containerfile)$`)
)

// parseDockerfile reads a Dockerfile as BuildKit does. Nothing in it makes this fail: what is wrong is noted in the image.
func parseDockerfile(text string, args map[string]string) (image *dockerImage) {
	image = &dockerImage{env: map[string]string{}}
	defer func() {
		if r := recover(); r != nil { // a text that the library does not expect
			image.wrong(1, fmt.Errorf("it cannot be parsed: %v", r))
		}
	}()
	if syntax, _, _, found := parser.DetectSyntax([]byte(text)); found {
		image.frontend = syntax != ""
	}
	parsed, err := parser.Parse(strings.NewReader(text))
	if err != nil {
		image.wrong(1, err)
		return image
	}
	stages, global, err := instructions.Parse(parsed.AST, nil)
	if err != nil {
		image.wrong(1, err)
		return image
	}
	r := &stageReader{lex: shell.NewLex(parsed.EscapeToken), given: args, global: map[string]string{}}
	for _, g := range global {
		for _, a := range g.Args {
			r.argument(r.global, r.global, a)
		}
	}
	for i := range stages {
		image.stages = append(image.stages, r.stage(image.stages, &stages[i]))
	}
	if len(image.stages) > 0 {
		image.run(image.stages[len(image.stages)-1])
	}
	return image
}

func (i *dockerImage) wrong(line int, err error) {
	var at *parser.LocationError
	if errors.As(err, &at) && len(at.Locations) > 0 && len(at.Locations[0]) > 0 {
		line = at.Locations[0][0].Start.Line
	}
	i.invalid, i.problem = &place{"", line}, strings.TrimSuffix(strings.SplitN(err.Error(), "\n", 2)[0], ".")
}

// run makes t the stage that runs: what it inherits becomes what the image has.
func (i *dockerImage) run(t *stage) {
	i.target = t
	var chain []*stage
	for s := t; s != nil && len(chain) < 100; s = s.parent {
		chain = append(chain, s)
	}
	i.base = chain[len(chain)-1].from
	for _, s := range slices.Backward(chain) {
		maps.Copy(i.env, s.image.env)
		i.user, i.workdir = first(s.image.user, i.user), s.image.workdir
		i.volumes, i.exposed = append(i.volumes, s.image.volumes...), append(i.exposed, s.image.exposed...)
		if s.image.entrypoint != nil { // which resets an inherited command (Dockerfile reference, CMD and ENTRYPOINT)
			i.entrypoint, i.cmd = s.image.entrypoint, nil
		}
		i.cmd = first(s.image.cmd, i.cmd)
	}
}

func first[T any](values ...*T) *T {
	for _, v := range values {
		if v != nil {
			return v
		}
	}
	return nil
}

// chain are the target and the stages that it is based on, the target first.
func (i *dockerImage) chain() []*stage {
	var all []*stage
	for s := i.target; s != nil && len(all) < 100; s = s.parent {
		all = append(all, s)
	}
	return all
}

// built are the stages that a build of the target needs.
func (i *dockerImage) built() []*stage {
	var all []*stage
	var need func(s *stage)
	need = func(s *stage) {
		if s == nil || slices.Contains(all, s) {
			return
		}
		all = append(all, s)
		need(s.parent)
		for _, name := range s.uses {
			need(i.named(name))
		}
	}
	need(i.target)
	return all
}

// named is the stage that COPY --from names.
func (i *dockerImage) named(name string) *stage {
	if n, err := strconv.Atoi(name); err == nil && n >= 0 && n < len(i.stages) {
		return i.stages[n]
	}
	for _, s := range i.stages {
		if s.name != "" && strings.EqualFold(s.name, name) {
			return s
		}
	}
	return nil
}

// A stageReader follows the variables of a Dockerfile.
type stageReader struct {
	lex    *shell.Lex
	given  map[string]string
	global map[string]string
}

type variables map[string]string

func (v variables) Get(name string) (string, bool) { value, set := v[name]; return value, set }
func (v variables) Keys() []string                 { return slices.Collect(maps.Keys(v)) }

// expand replaces variables. One without a value stays as it is written, so that a rule can see it.
func (r *stageReader) expand(text string, known map[string]string) string {
	result, err := r.lex.ProcessWordWithMatches(text, variables(known))
	if err != nil || len(result.Unmatched) > 0 {
		return text
	}
	return result.Result
}

func (r *stageReader) argument(into, known map[string]string, a instructions.KeyValuePairOptional) {
	if value, given := r.given[a.Key]; given {
		into[a.Key] = value
	} else if a.Value != nil {
		into[a.Key] = r.expand(*a.Value, known)
	} else if value, set := r.global[a.Key]; set {
		into[a.Key] = value
	}
}

func (r *stageReader) stage(before []*stage, in *instructions.Stage) *stage {
	s := &stage{name: in.Name, from: r.expand(in.BaseName, r.global), image: dockerImage{env: map[string]string{}, workdir: "/"}}
	if len(in.Location) > 0 {
		s.line = in.Location[0].Start.Line
	}
	known := map[string]string{}
	for _, other := range before {
		if other.name != "" && strings.EqualFold(other.name, s.from) {
			s.parent = other
			s.image.workdir = other.image.workdir
		}
	}
	for up := s.parent; up != nil; up = up.parent {
		for name, value := range up.image.env {
			if _, set := known[name]; !set {
				known[name] = value
			}
		}
	}
	if strings.Contains(s.from, "$") {
		s.from = ""
	}
	for _, c := range in.Commands {
		r.command(s, known, c)
	}
	return s
}

// command notes what one instruction does.
func (r *stageReader) command(s *stage, known map[string]string, c instructions.Command) {
	line := 0
	if at := c.Location(); len(at) > 0 {
		line = at[0].Start.Line
	}
	expand := func(text string) string { return r.expand(text, known) }
	switch c := c.(type) {
	case *instructions.ArgCommand:
		for _, a := range c.Args {
			r.argument(known, known, a)
		}
	case *instructions.EnvCommand:
		for _, e := range c.Env {
			value := expand(e.Value)
			known[e.Key], s.image.env[e.Key] = value, value
			s.secrets = append(s.secrets, word{e.Key, line})
		}
	case *instructions.WorkdirCommand:
		s.image.workdir = absolute(s.image.workdir, expand(c.Path))
	case *instructions.UserCommand:
		s.image.user = &word{expand(c.User), line}
	case *instructions.VolumeCommand:
		for _, v := range c.Volumes {
			s.image.volumes = append(s.image.volumes, expand(v))
		}
	case *instructions.ExposeCommand:
		for _, e := range c.Ports {
			s.image.exposed = append(s.image.exposed, expand(e))
		}
	case *instructions.CmdCommand:
		s.image.cmd = &dockerCommand{words: c.CmdLine, shell: c.PrependShell, line: line}
	case *instructions.EntrypointCommand:
		s.image.entrypoint = &dockerCommand{words: c.CmdLine, shell: c.PrependShell, line: line}
	case *instructions.CopyCommand:
		s.copied(expand, c.SourcesAndDest, expand(c.From), line)
	case *instructions.AddCommand:
		s.copied(expand, c.SourcesAndDest, "", line)
	case *instructions.RunCommand:
		text := strings.Join(c.CmdLine, " ")
		for _, f := range c.Files {
			text += "\n" + f.Data
		}
		s.runs = append(s.runs, word{text, line})
		for _, from := range mountFrom.FindAllStringSubmatch(c.String(), -1) {
			s.uses = append(s.uses, from[1])
		}
	}
}

func (s *stage) copied(expand func(string) string, c instructions.SourcesAndDest, from string, line int) {
	step := copyStep{from: from, line: line, dest: absolute(s.image.workdir, expand(c.DestPath))}
	if strings.HasSuffix(c.DestPath, "/") || c.DestPath == "." || len(c.SourcePaths) > 1 {
		step.dest = strings.TrimSuffix(step.dest, "/") + "/"
	}
	for _, source := range c.SourcePaths {
		step.sources = append(step.sources, expand(source))
	}
	if from != "" {
		s.uses = append(s.uses, from)
	}
	s.copies = append(s.copies, step)
}

// absolute is a path in the image.
func absolute(workdir, name string) string {
	if path.IsAbs(name) {
		return path.Clean(name)
	}
	return path.Join("/", workdir, name)
}

// mountFrom is a stage whose files RUN --mount reads.
var mountFrom = regexp.MustCompile(`--mount=\S*\bfrom=([\w.-]+)`)

// remote are sources that ADD downloads.
var remote = regexp.MustCompile(`^(https?|ftp|git|ssh)://|^git@`)

// source is the file of the project that is at a path of the image; "" if that is not known.
func (i *dockerImage) source(t *tree, at string) string {
	return i.sourceIn(t, i.target, at, 0)
}

func (i *dockerImage) sourceIn(t *tree, s *stage, at string, depth int) string {
	for ; s != nil && depth < 20; s, depth = s.parent, depth+1 {
		for _, c := range slices.Backward(s.copies) {
			for _, source := range c.sources {
				inner, found := inside(c, source, at, t, i.context)
				if !found {
					continue
				}
				if c.from == "" {
					if name := path.Join(i.context, inner); t.has[name] {
						return name
					}
				} else if other := i.named(c.from); other != nil && other != s {
					if name := i.sourceIn(t, other, absolute("/", inner), depth+1); name != "" {
						return name
					}
				}
			}
		}
	}
	return ""
}

// pathIn is where a file or folder of the project, or one that the code makes in it, is in the image; "" if that is not known.
func (i *dockerImage) pathIn(s *stage, name string, depth int) string {
	for ; s != nil && depth < 20; s, depth = s.parent, depth+1 {
		for _, c := range slices.Backward(s.copies) {
			for _, source := range c.sources {
				var from string
				if c.from == "" {
					rel, in := under(i.context, name)
					if !in {
						continue
					}
					from = "/" + rel
				} else if other := i.named(c.from); other != nil && other != s {
					if from = i.pathIn(other, name, depth+1); from == "" {
						continue
					}
				} else {
					continue
				}
				if rest, in := under(path.Clean("/"+source), path.Clean(from)); in && path.Clean("/"+source) != "/" {
					if rest == "." { // a folder's content goes to the destination, a file into it or in its place
						rest = ""
					}
					return path.Join(c.dest, rest)
				} else if path.Clean("/"+source) == "/" {
					return path.Join(c.dest, from)
				}
			}
		}
	}
	return ""
}

// inside is where a path of the image comes from, if this step copies it.
func inside(c copyStep, source, at string, t *tree, context string) (string, bool) {
	source = path.Clean(strings.TrimSuffix(source, "/"))
	dest := strings.TrimSuffix(c.dest, "/")
	if at == dest && !strings.HasSuffix(c.dest, "/") {
		return source, true
	}
	if at == dest+"/"+path.Base(source) && !t.folders[path.Join(context, source)] {
		return source, true
	}
	if rest, below := strings.CutPrefix(at, dest+"/"); below {
		return path.Join(source, rest), true
	}
	return "", false
}

// official are base images whose content is known: no site's programs are in them.
var official = regexp.MustCompile(`^((docker\.io/)?(library/)?|public\.ecr\.aws/docker/library/)(python|debian|ubuntu|alpine|` +
	`buildpack-deps|fedora|centos|` +
	`amazonlinux|almalinux|rockylinux|pypy|node)(:|@|$)|^(ghcr\.io/astral-sh/uv|mcr\.microsoft\.com/devcontainers/python)(:|@|$)`)

// distroless are base images without pip: what the last stage has, another one has installed.
var distroless = regexp.MustCompile(`^gcr\.io/distroless/(python3|base|cc|static)(-debian\d+)?(:|@|$)`)
