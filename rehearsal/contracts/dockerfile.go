package contracts

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// A Build is what an image is built from.
type Build struct {
	Dockerfile []byte
	Context    fs.FS // may be nil: nothing that is copied from it is known
	Args       map[string]string
	Target     string // stage; "" is the last one
	Platform   string // linux/arm64
}

// Read reads a Dockerfile and says what is known about the image, without building it. An error means that the file is not a valid
// Dockerfile.
func Read(b Build) (*Image, error) {
	parsed, err := parser.Parse(bytes.NewReader(b.Dockerfile))
	if err != nil {
		return nil, err
	}
	stages, globals, err := instructions.Parse(parsed.AST, nil)
	if err != nil {
		return nil, err
	}
	r := &reader{build: b, lex: shell.NewLex(parsed.EscapeToken), globals: r0(b), stages: map[string]*stage{}}
	for _, g := range globals {
		for _, a := range g.Args {
			r.declare(r.globals, r.globals, a)
		}
	}
	last := len(stages) - 1
	if b.Target != "" {
		if last = slices.IndexFunc(stages, func(s instructions.Stage) bool { return strings.EqualFold(s.Name, b.Target) }); last < 0 {
			return nil, fmt.Errorf("target stage %q could not be found", b.Target)
		}
	}
	var made *stage
	for n := range stages[:last+1] {
		if made, err = r.stage(stages[n]); err != nil {
			return nil, err
		}
		r.stages[strings.ToLower(stages[n].Name)], r.stages[fmt.Sprint(n)] = made, made
	}
	if made == nil {
		return nil, errors.New("the Dockerfile has no stage")
	}
	if made.err != nil {
		return nil, made.err
	}
	made.image.Platform = b.Platform
	return &made.image, nil
}

// r0 are the arguments that BuildKit sets itself.
func r0(b Build) map[string]string {
	system, machine, _ := strings.Cut(b.Platform, "/")
	return map[string]string{"TARGETPLATFORM": b.Platform, "TARGETOS": system, "TARGETARCH": machine, "BUILDPLATFORM": b.Platform}
}

// A reader follows the stages of a Dockerfile.
type reader struct {
	build   Build
	lex     *shell.Lex
	globals map[string]string
	stages  map[string]*stage // by name and by number
}

// A stage is an image while it is built.
type stage struct {
	*reader
	image Image
	args  map[string]string
	user  int // who runs RUN; -1: unknown
	shell []string
	err   error // why the build ends here
}

// declare sets an argument: the value from outside, or the default.
func (r *reader) declare(into, scope map[string]string, a instructions.KeyValuePairOptional) {
	if v, ok := r.build.Args[a.Key]; ok {
		into[a.Key] = v
	} else if a.Value != nil {
		into[a.Key] = r.word(*a.Value, scope)
	} else if v, ok := r.globals[a.Key]; ok {
		into[a.Key] = v
	}
}

// word replaces the variables of a word. An error leaves the word as it is: no image and no path has a dollar sign.
func (r *reader) word(text string, scope map[string]string) string {
	done, _, err := r.lex.ProcessWord(text, shell.EnvsFromSlice(pairs(scope)))
	if err != nil {
		return text
	}
	return done
}

func pairs(m map[string]string) []string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		all = append(all, name+"="+m[name])
	}
	return all
}

// stage follows one stage.
func (r *reader) stage(from instructions.Stage) (*stage, error) {
	name := r.word(from.BaseName, r.globals)
	if name == "" {
		return nil, fmt.Errorf("base name (%s) should not be blank", from.BaseName)
	}
	s := &stage{reader: r, args: map[string]string{}, shell: []string{"/bin/sh", "-c"}}
	if before := r.stages[strings.ToLower(name)]; before != nil {
		s.image, s.shell, s.err = before.image.copy(), before.shell, before.err
	} else {
		s.image = fromBase(name)
	}
	s.as(s.image.User)
	for _, c := range from.Commands {
		s.follow(c)
	}
	return s, nil
}

func (i *Image) copy() Image {
	c := *i
	c.Env, c.Users, c.Files, c.Programs = maps.Clone(i.Env), maps.Clone(i.Users), maps.Clone(i.Files), maps.Clone(i.Programs)
	c.Volumes, c.Ports, c.Opaque = slices.Clone(i.Volumes), slices.Clone(i.Ports), slices.Clone(i.Opaque)
	return c
}

func (s *stage) as(user string) {
	s.image.User = user
	s.user = -1
	if n, ok := s.image.uid(user); ok {
		s.user = n
	}
}

// scope are the variables that an instruction sees: an environment variable hides an argument.
func (s *stage) scope() map[string]string {
	all := maps.Clone(s.args)
	maps.Copy(all, s.image.Env)
	return all
}

func (s *stage) expand(text string) string { return s.word(text, s.scope()) }

// at is a path of the image, from the working directory.
func (s *stage) at(p string) string {
	if path.IsAbs(p) {
		return path.Clean(p)
	}
	return path.Join("/", s.image.WorkDir, p)
}

// follow applies one instruction.
func (s *stage) follow(c instructions.Command) {
	switch c := c.(type) {
	case *instructions.ArgCommand:
		for _, a := range c.Args {
			s.declare(s.args, s.scope(), a)
		}
	case *instructions.EnvCommand:
		set := map[string]string{}
		for _, kv := range c.Env {
			set[kv.Key] = s.expand(kv.Value)
		}
		maps.Copy(s.image.Env, set)
	case *instructions.WorkdirCommand:
		s.image.WorkDir = s.at(s.expand(c.Path))
		s.directory(s.image.WorkDir, 0)
	case *instructions.UserCommand:
		s.as(s.expand(c.User))
	case *instructions.VolumeCommand:
		for _, v := range c.Volumes {
			s.image.Volumes = append(s.image.Volumes, s.expand(v))
		}
	case *instructions.ExposeCommand:
		for _, p := range c.Ports {
			s.image.Ports = append(s.image.Ports, s.port(s.expand(p)))
		}
	case *instructions.ShellCommand:
		s.shell = c.Shell
	case *instructions.StopSignalCommand:
		s.image.StopSignal = s.expand(c.Signal)
	case *instructions.EntrypointCommand:
		// An entrypoint drops the base image's command.
		s.image.Entrypoint, s.image.Command = s.line(c.ShellDependantCmdLine), nil
	case *instructions.CmdCommand:
		s.image.Command = s.line(c.ShellDependantCmdLine)
	case *instructions.HealthCheckCommand:
		s.image.Health = nil
		if c.Health != nil {
			s.image.Health = c.Health.Test
		}
	case *instructions.RunCommand:
		s.run(c)
	case *instructions.CopyCommand:
		s.copyFiles(c.SourcesAndDest, c.From, c.Chown, c.Chmod, false)
	case *instructions.AddCommand:
		s.copyFiles(c.SourcesAndDest, "", c.Chown, c.Chmod, true)
	}
}

func (s *stage) port(p string) string {
	if strings.Contains(p, "/") {
		return p
	}
	return p + "/tcp"
}

// line is a command as Docker stores it: the shell form is an argument of the shell.
func (s *stage) line(c instructions.ShellDependantCmdLine) []string {
	if c.PrependShell {
		return append(slices.Clone(s.shell), strings.Join(c.CmdLine, " "))
	}
	return append([]string{}, c.CmdLine...)
}

func (s *stage) directory(p string, owner int) {
	real := s.image.Real(p)
	if _, ok := s.image.Files[real]; !ok || s.image.Files[real].Gone {
		s.image.Files[real] = File{Owner: owner, Mode: 0o755}
	}
}

// hide marks a directory whose content is not known from now on.
func (s *stage) hide(dir string) {
	if dir = s.image.Real(dir); !slices.Contains(s.image.Opaque, dir) {
		s.image.Opaque = append(s.image.Opaque, dir)
	}
}

// copyFiles follows COPY and ADD.
func (s *stage) copyFiles(c instructions.SourcesAndDest, from, chown, chmod string, add bool) {
	owner, mode := 0, 0
	if chown != "" {
		owner = -1
		if n, ok := s.image.uid(s.expand(chown)); ok {
			owner = n
		}
	}
	if n, ok := octal(s.expand(chmod)); ok {
		mode = n
	}
	dest := s.expand(c.DestPath)
	if s.at(dest) == helperPath {
		// The program is made when the image is built, so it may not lie in the context yet.
		s.put(helperPath, File{Mode: 0o755})
		return
	}
	folder := strings.HasSuffix(dest, "/") || dest == "." || len(c.SourcePaths)+len(c.SourceContents) > 1
	dest = s.at(dest)
	if f, ok := s.image.file(dest); ok && f.Mode&0o111 != 0 && f.Text == "" {
		folder = true // an existing directory
	}
	for _, h := range c.SourceContents {
		s.put(join(dest, h.Path, folder), File{Owner: owner, Mode: or(mode, 0o644), Text: h.Data})
	}
	for _, source := range c.SourcePaths {
		source = s.expand(source)
		to := join(dest, source, folder)
		switch {
		case add && (strings.Contains(source, "://") || archive.MatchString(source)):
			s.hide(dest)
		case from != "":
			s.fromStage(from, source, dest, to, owner)
		default:
			s.fromContext(source, dest, to, owner, mode)
		}
	}
}

func or(n, otherwise int) int {
	if n == 0 {
		return otherwise
	}
	return n
}

func join(dest, source string, folder bool) string {
	if folder {
		return path.Join(dest, path.Base(source))
	}
	return dest
}

// put adds a file, whose directories belong to root unless they exist.
func (s *stage) put(p string, f File) {
	p = s.image.Real(p)
	for dir := path.Dir(p); dir != "/"; dir = path.Dir(dir) {
		s.directory(dir, 0)
	}
	s.image.Files[p] = f
}

// fromStage copies from another stage or image.
func (s *stage) fromStage(from, source, dest, to string, owner int) {
	other := s.stages[strings.ToLower(s.expand(from))]
	source = clean(source)
	if other != nil && other.err != nil {
		s.err = other.err
	}
	if other == nil {
		s.misnamed(s.expand(from))
		// From an image, for example uv's. A single program has a name; of a directory nothing is known.
		if path.Ext(source) == "" && slices.Contains(systemDirs, path.Dir(source)) || path.Dir(source) == "/" && dest != "/" {
			s.put(to, File{Owner: owner, Mode: 0o755})
			return
		}
		s.hide(dest)
		return
	}
	if f, ok := other.image.file(source); ok && (f.Mode&0o111 == 0 || f.Text != "" || source == helperPath) {
		f.Owner = owner
		s.put(to, f)
		return
	}
	s.put(dest, File{Owner: owner, Mode: 0o755, Stage: true})
	s.hide(dest)
	for p, f := range other.image.Files {
		if rest, below := strings.CutPrefix(p, source+"/"); below && !f.Gone {
			if f.Link == "" {
				f.Owner = owner
			}
			s.image.Files[path.Join(dest, rest)] = f
		}
	}
}

// misnamed ends the build if a stage was meant: Docker takes the name for an image of Docker Hub, which denies access to what does not
// exist.
func (s *stage) misnamed(from string) {
	if strings.ContainsAny(from, "/:.$") || baseOf(from) != nil {
		return
	}
	for name := range s.stages {
		if _, isNumber := number(name); name != "" && !isNumber && (strings.HasPrefix(name, from) || strings.HasPrefix(from, name)) {
			s.err = fmt.Errorf("COPY --from=%s: pull access denied, repository does not exist; the stage is called %s", from, name)
		}
	}
}

// fromContext copies from the build context.
func (s *stage) fromContext(source, dest, to string, owner, mode int) {
	name := strings.TrimPrefix(clean(source), "/")
	if name == "" {
		name = "."
	}
	if s.build.Context == nil {
		s.hide(dest)
		return
	}
	names := []string{name}
	if strings.ContainsAny(name, "*?[") {
		names, _ = fs.Glob(s.build.Context, name)
		to = dest
	}
	for _, name := range names {
		info, err := fs.Stat(s.build.Context, name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			s.err = fmt.Errorf("COPY %s: failed to compute cache key: %q: not found in the build context", source, "/"+name)
		case err != nil:
			s.hide(dest)
		case info.IsDir():
			s.tree(name, dest, owner, mode)
		case strings.ContainsAny(source, "*?["):
			s.read(name, path.Join(to, path.Base(name)), info, owner, mode)
		default:
			s.read(name, to, info, owner, mode)
		}
	}
}

// mostFiles is how many files of a directory the reader looks at.
const mostFiles = 5000

// tree copies the content of a directory. Only programs and configuration matter; the rest is unknown.
func (s *stage) tree(dir, dest string, owner, mode int) {
	s.put(dest, File{Owner: owner, Mode: or(mode, 0o755)})
	s.hide(dest)
	seen := 0
	_ = fs.WalkDir(s.build.Context, dir, func(p string, d fs.DirEntry, err error) error {
		if seen++; err != nil || seen > mostFiles {
			return fs.SkipAll // what was not seen is unknown: the directory is opaque
		}
		info, err := d.Info()
		to := path.Join(dest, strings.TrimPrefix(strings.TrimPrefix(p, dir), "/"))
		if err != nil || !info.Mode().IsRegular() || info.Mode()&0o100 == 0 && !configuration(to) {
			return nil
		}
		s.read(p, to, info, owner, mode)
		return nil
	})
}

// configuration reports whether the judge reads a file of this name: nginx's, gunicorn's and uWSGI's.
func configuration(p string) bool {
	if within(p, "/etc/nginx") {
		return path.Base(p) != "mime.types"
	}
	return slices.ContainsFunc(words(".conf .conf.py .ini"), func(end string) bool { return strings.HasSuffix(p, end) })
}

// readable reports whether a configuration is one that the judge has questions about: other programs have .ini files too.
func readable(p string, data []byte) bool {
	return !strings.HasSuffix(p, ".ini") || bytes.Contains(data, []byte("[uwsgi]"))
}

// read copies one file. Texts of scripts and configuration are kept.
func (s *stage) read(name, to string, info fs.FileInfo, owner, mode int) {
	f := File{Owner: owner, Mode: or(mode, int(info.Mode().Perm()))}
	const most = 64 << 10
	if info.Size() <= most && (configuration(to) || f.Mode&0o100 != 0 || strings.HasSuffix(to, ".sh")) {
		if data, err := fs.ReadFile(s.build.Context, name); err == nil && (configuration(to) && readable(to, data) ||
			bytes.HasPrefix(data, []byte("#!"))) {
			f.Text = string(data)
		}
	}
	s.put(to, f)
}
