package check

import (
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// A start is what happens when a container of the image starts: the commands of its entrypoint and its command, and of the
// scripts that they run.
type start struct {
	commands []command
	servers  []server
	settings string // DJANGO_SETTINGS_MODULE that a script exports
	// ignores is where an entrypoint drops the arguments that it gets: a migration, a job or a worker would start the web server.
	ignores *place
	// unread are programs that the project does not contain, so what they start is not known.
	unread []word
	text   string          // all commands, for rules about words in them
	all    string          // all scripts
	sets   map[string]bool // variables that scripts set
	// demands are variables without which a script ends.
	demands []demand
}

// A demand is a variable that a script needs.
type demand struct {
	name string
	at   place
}

// A command is one that a container runs when it starts.
type command struct {
	words       []string
	text        string // as it is written, with what it gets on its input
	at          place
	conditional bool
	asRoot      bool // only if the user is root
	strict      bool // the container ends if the command fails
	env         map[string]string
}

// A server answers requests.
type server struct {
	command
	program string
	module  string // a.b of a.b:application
	name    string // application
	port    int    // 0: not known
	reload  bool
	// elsewhere says that the address may come from a file, a variable or a socket.
	elsewhere bool
}

const maxScripts = 30

// A shellReader reads scripts.
type shellReader struct {
	t       *tree
	image   *dockerImage
	start   *start
	read    map[string]bool
	env     map[string]string
	depth   int
	passing bool // the script that is read uses its arguments
}

// readStart follows the entrypoint and the command of the image.
func readStart(t *tree, image *dockerImage, env map[string]*string) *start {
	s := &start{sets: map[string]bool{}}
	if image == nil || image.target == nil {
		return s
	}
	r := &shellReader{t: t, image: image, start: s, read: map[string]bool{}, env: map[string]string{}}
	for name, value := range image.env {
		r.env[name] = value
	}
	for name, value := range env {
		if value != nil {
			r.env[name] = *value
		}
	}
	passes := true
	if e := image.entrypoint; e != nil && len(e.words) > 0 && strings.Join(e.words, "") != "" {
		passes = r.instruction(e, true)
	}
	switch e, c := image.entrypoint, image.cmd; {
	case c != nil && passes:
		r.instruction(c, false)
	case c != nil && !c.shell && !e.shell && runsManage(unwrapped(e.words)):
		r.instruction(&dockerCommand{words: append(slices.Clip(e.words), c.words...), line: c.line, at: c.at}, false)
	}
	for i := 0; i < len(s.commands); i++ { // uWSGI's configuration adds commands
		if v, ok := serverOf(s.commands[i]); ok {
			r.configured(&v)
			s.servers = append(s.servers, v)
		}
	}
	return s
}

// instruction reads ENTRYPOINT or CMD, and reports whether what follows it, the command, runs.
func (r *shellReader) instruction(c *dockerCommand, entrypoint bool) bool {
	at := c.place(r.image)
	if c.shell {
		r.script(strings.Join(c.words, " "), at.file, c.line-1)
		if entrypoint && !r.passing {
			r.start.ignores = &at
			return false
		}
		return true
	}
	words := unwrapped(c.words)
	if len(words) == 0 {
		return true
	}
	r.passing = false
	before := len(r.start.unread)
	r.run(command{words: c.words, text: strings.Join(c.words, " "), at: at, env: r.env})
	if !entrypoint {
		return true
	}
	switch {
	case runsManage(words): // a command becomes the arguments of manage.py
		r.start.ignores = &at
	case isShell(words[0]) && len(words) > 2 && slices.ContainsFunc(words[1:2], func(w string) bool { return strings.HasSuffix(w, "c") }):
		if !r.passing { // sh -c '...' without "$@"
			r.start.ignores = &at
		}
	case r.scriptOf(words) != "":
		if file := r.scriptOf(words); !r.passing && !r.foreign(file) {
			r.start.ignores = &place{file, r.lastLine(file)}
		}
	case len(r.start.unread) > before:
		// A program of a package: most pass on what they get, and this is not known.
	case isServer(words):
		// gunicorn as the entrypoint: a command becomes its arguments.
		r.start.ignores = &at
	}
	return r.start.ignores == nil
}

// runsManage reports whether words run manage.py.
func runsManage(words []string) bool {
	words = withoutPython(words)
	return len(words) > 0 && path.Base(words[len(words)-1]) == "manage.py" || managing(words) != ""
}

func (r *shellReader) lastLine(file string) int {
	text := strings.TrimRight(r.t.text(file), "\n \t")
	return 1 + strings.Count(text, "\n")
}

// wrappers run the command that follows their options.
var wrappers = map[string]int{ // the number of arguments before the command, -1: up to --
	"tini": 0, "dumb-init": 0, "catatonit": 0, "exec": 0, "nohup": 0, "env": 0, "time": 0, "nice": 0, "command": 0, "setsid": 0,
	"gosu": 1, "su-exec": 1, "chroot": 1, "timeout": 1, "ddtrace-run": 0, "opentelemetry-instrument": 0, "chpst": 0, "setpriv": 0, "sudo": 0,
	"xvfb-run": 0, "stdbuf": 0, "pidproxy": 1, "newrelic-admin": 1, "chamber": 2, "doppler": 1, "dotenv": 1, "honcho": 1,
}

// runners are tools whose subcommand run does that.
var runners = []string{"uv", "poetry", "pipenv", "pdm", "hatch", "rye", "pixi"}

var assignment = regexp.MustCompile(`^[A-Za-z_]\w*=`)

// unwrapped is a command without the programs that only start it.
func unwrapped(words []string) []string {
	for range 10 {
		if len(words) == 0 {
			return words
		}
		name := path.Base(words[0])
		n, wraps := wrappers[name]
		switch {
		case assignment.MatchString(words[0]):
			words = words[1:]
		case wraps:
			words = words[1:]
			for len(words) > 0 && (strings.HasPrefix(words[0], "-") || name == "env" && assignment.MatchString(words[0])) {
				if words[0] == "--" {
					words = words[1:]
					break
				}
				if slices.Contains([]string{"-u", "-g"}, words[0]) && len(words) > 1 {
					words = words[1:]
				}
				words = words[1:]
			}
			words = words[min(n, len(words)):]
			if len(words) > 0 && words[0] == "--" {
				words = words[1:]
			}
		case slices.Contains(runners, name) && len(words) > 1 && slices.Contains(words[1:min(4, len(words))], "run"):
			words = words[slices.Index(words, "run")+1:]
			for len(words) > 0 && strings.HasPrefix(words[0], "-") {
				if slices.Contains([]string{"--group", "--extra", "--with", "--project", "--directory", "--env-file", "--python", "-p"},
					words[0]) && len(words) > 1 {
					words = words[1:]
				}
				words = words[1:]
			}
		default:
			return words
		}
	}
	return words
}

func isShell(name string) bool {
	return slices.Contains([]string{"sh", "bash", "ash", "dash", "zsh", "busybox"}, path.Base(name))
}

// scriptOf is the script of the project that a command runs.
func (r *shellReader) scriptOf(words []string) string {
	words = unwrapped(words)
	if len(words) == 0 {
		return ""
	}
	name := words[0]
	if isShell(name) || name == "." || name == "source" || pythonProgram.MatchString(path.Base(name)) {
		rest := words[1:]
		for len(rest) > 0 && strings.HasPrefix(rest[0], "-") && !strings.HasSuffix(rest[0], "c") && rest[0] != "-m" {
			rest = rest[1:]
		}
		if len(rest) == 0 || strings.HasPrefix(rest[0], "-") {
			return ""
		}
		name = rest[0]
	}
	if strings.Contains(name, "$") {
		return ""
	}
	if file := r.image.source(r.t, absolute(r.image.workdir, name)); file != "" {
		return file
	}
	if strings.Contains(name, "/") || strings.HasSuffix(name, ".sh") || words[0] != name {
		base := path.Base(name)
		// The file that has its name, if it is a script and there is no other.
		found := slices.DeleteFunc(r.t.named(base), beside)
		if len(found) == 1 && base != "manage.py" {
			return found[0]
		}
		return ""
	}
	// A program on the PATH that the Dockerfile puts there.
	for _, dir := range []string{"/usr/local/bin", "/usr/bin", "/bin", "/"} {
		if file := r.image.source(r.t, path.Join(dir, name)); file != "" && r.copied(file) {
			return file
		}
	}
	return ""
}

// copied reports whether COPY names this very file.
func (r *shellReader) copied(file string) bool {
	return slices.ContainsFunc(r.image.stages, func(s *stage) bool {
		return slices.ContainsFunc(s.copies, func(c copyStep) bool {
			return slices.ContainsFunc(c.sources, func(source string) bool { return path.Base(path.Clean(source)) == path.Base(file) })
		})
	})
}

var pythonProgram = regexp.MustCompile(`^python[0-9.]*$`)

// run notes a command, and reads the script that it is.
func (r *shellReader) run(c command) {
	if len(r.start.commands) > 2000 {
		return
	}
	bare := unwrapped(c.words)
	if len(bare) == 0 {
		return
	}
	r.start.commands = append(r.start.commands, c)
	r.start.text += c.text + "\n"
	if isShell(bare[0]) && len(bare) > 2 && strings.HasPrefix(bare[1], "-") && strings.HasSuffix(bare[1], "c") {
		r.nested(bare[2], c)
		return
	}
	if path.Base(bare[0]) == "supervisord" {
		r.supervised(bare, c)
		return
	}
	file := r.scriptOf(c.words)
	switch {
	case file != "" && strings.HasSuffix(file, ".py") && path.Base(file) == "manage.py":
	case file != "":
		r.file(file, c)
	case strings.Contains(bare[0], "/") && !strings.Contains(bare[0], "$") && !isServer(bare) && !isShell(bare[0]) &&
		!pythonProgram.MatchString(path.Base(bare[0])):
		r.start.unread = append(r.start.unread, word{bare[0], c.at.line})
	}
}

// nested reads the text of sh -c.
func (r *shellReader) nested(text string, c command) {
	if r.depth > 4 {
		return
	}
	r.depth++
	r.parse(text, c.at.file, c.at.line-1, c)
	r.depth--
}

// file reads a script of the project. Whether it passes its arguments on is noted for the outermost one.
func (r *shellReader) file(name string, c command) {
	if r.read[name] || len(r.read) > maxScripts || r.depth > 4 {
		return
	}
	r.read[name] = true
	text := r.t.text(name)
	if r.foreign(name) {
		r.start.text += text + "\n"
		r.start.unread = append(r.start.unread, word{name, 0})
		return
	}
	outer := r.passing
	r.passing = false
	r.depth++
	r.parse(text, name, 0, c)
	r.depth--
	if r.depth > 0 {
		r.passing = outer || r.passing && mentionsArguments(c.text)
	}
}

// foreign reports whether a script is not one of a shell.
func (r *shellReader) foreign(name string) bool {
	first, _, _ := strings.Cut(r.t.text(name), "\n")
	return strings.HasSuffix(name, ".py") || first == "" || strings.HasPrefix(first, "#!") && !strings.Contains(first, "sh")
}

// script reads a shell command of the Dockerfile.
func (r *shellReader) script(text, file string, before int) {
	r.passing = false
	r.parse(text, file, before, command{})
}

func mentionsArguments(text string) bool { return arguments.MatchString(text) }

var (
	errexit      = regexp.MustCompile(`(?m)^\s*set\s+(-\w*e\w*\b|-\w+ -\w*e\w*\b|-o\s+errexit)|\A#!\S+ .*-\w*e\w*\b`)
	nounset      = regexp.MustCompile(`(?m)^\s*set\s+(-\w*u\w*\b|-\w+ -\w*u\w*\b|-o\s+nounset)|\A#!\S+ .*-\w*u\w*\b`)
	variableName = regexp.MustCompile(`^[A-Za-z_]\w+$`)
	arguments    = regexp.MustCompile(`\$(@|\*|\{@|\{\*|[1-9]|\{[1-9])`)
	rootTest     = regexp.MustCompile(`\bid -u\b|\$\{?E?UID\b|\bwhoami\b|\bid -un\b|\[ -w `)
	exported     = regexp.MustCompile(`DJANGO_SETTINGS_MODULE=["']?([\w.]+)`)
)

// parse collects the commands of a script.
func (r *shellReader) parse(text, file string, before int, outer command) {
	tree, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(text), file)
	if err != nil || tree == nil {
		r.passing = true // it is not known
		r.start.unread = append(r.start.unread, word{file, before + 1})
		return
	}
	w := &shellWalk{r: r, text: text, file: file, before: before, outer: outer, strict: errexit.MatchString(text)}
	if mentionsArguments(w.withoutServers(tree)) {
		r.passing = true
	}
	r.start.all += text + "\n"
	if m := exported.FindStringSubmatch(text); m != nil && r.start.settings == "" {
		r.start.settings = m[1]
	}
	if !outer.conditional {
		w.demands(tree.Stmts, nounset.MatchString(text))
	}
	w.statements(tree.Stmts, outer.conditional, outer.asRoot)
}

// demands notes the variables that a script needs in what it always runs.
func (w *shellWalk) demands(all []*syntax.Stmt, unset bool) {
	for _, s := range all {
		switch c := s.Cmd.(type) {
		case *syntax.CallExpr, *syntax.DeclClause:
			w.demanded(s, unset)
		case *syntax.IfClause:
			w.demands(c.Cond, unset)
		case *syntax.BinaryCmd:
			w.demands([]*syntax.Stmt{c.X}, unset)
		case *syntax.Block:
			w.demands(c.Stmts, unset)
		}
	}
}

func (w *shellWalk) demanded(s *syntax.Stmt, unset bool) {
	syntax.Walk(s, func(n syntax.Node) bool {
		x, is := n.(*syntax.ParamExp)
		switch {
		case !is || x.Param == nil || !variableName.MatchString(x.Param.Value):
		case x.Exp == nil && unset && !x.Excl, x.Exp != nil && (x.Exp.Op == syntax.ErrorUnset || x.Exp.Op == syntax.ErrorUnsetOrNull):
			at := place{w.file, w.before + int(x.Pos().Line())}
			w.r.start.demands = append(w.r.start.demands, demand{x.Param.Value, at})
		}
		return true
	})
}

// A shellWalk goes through one script.
type shellWalk struct {
	strict     bool // the script ends if a command fails
	r          *shellReader
	text, file string
	before     int
	outer      command
}

func (w *shellWalk) source(n syntax.Node) string {
	from, to := int(n.Pos().Offset()), int(n.End().Offset())
	if from < 0 || to > len(w.text) || from > to {
		return ""
	}
	return w.text[from:to]
}

// withoutServers is the script without functions, and without the commands that start a server: arguments that go there are its options.
func (w *shellWalk) withoutServers(tree *syntax.File) string {
	text := []byte(w.text)
	blank := func(n syntax.Node) {
		if from, to := int(n.Pos().Offset()), int(n.End().Offset()); from >= 0 && from <= to && to <= len(text) {
			for i := from; i < to; i++ {
				text[i] = ' '
			}
		}
	}
	syntax.Walk(tree, func(n syntax.Node) bool {
		if f, is := n.(*syntax.FuncDecl); is { // its arguments are its own
			blank(f.Body)
			return false
		}
		c, is := n.(*syntax.CallExpr)
		if !is {
			return true
		}
		var words []string
		for _, arg := range c.Args {
			words = append(words, w.word(arg))
		}
		if isServer(words) {
			blank(c)
		}
		return true
	})
	return string(text)
}

func (w *shellWalk) statements(all []*syntax.Stmt, conditional, asRoot bool) {
	for _, s := range all {
		w.statement(s, conditional, asRoot)
	}
}

func (w *shellWalk) statement(s *syntax.Stmt, conditional, asRoot bool) {
	input := ""
	for _, redirect := range s.Redirs {
		if redirect.Hdoc != nil {
			input += "\n" + w.source(redirect.Hdoc)
		}
	}
	switch c := s.Cmd.(type) {
	case *syntax.CallExpr:
		w.call(c, input, conditional, asRoot)
	case *syntax.IfClause:
		for i := c; i != nil; i = i.Else {
			test := ""
			for _, cond := range i.Cond {
				test += w.source(cond)
			}
			w.statements(i.Cond, conditional, asRoot)
			w.statements(i.Then, true, asRoot || rootTest.MatchString(test))
		}
	case *syntax.BinaryCmd:
		outer := w.strict // of a && b the container ends if a fails; of a || b it does not
		w.strict = c.Op == syntax.AndStmt || c.Op != syntax.OrStmt && outer
		w.statement(c.X, conditional, asRoot)
		w.strict = outer
		test := w.source(c.X)
		w.statement(c.Y, conditional || c.Op == syntax.OrStmt || strings.HasPrefix(test, "[") || strings.HasPrefix(test, "test "),
			asRoot || c.Op == syntax.AndStmt && rootTest.MatchString(test))
	case *syntax.CaseClause:
		for _, item := range c.Items {
			w.statements(item.Stmts, true, asRoot)
		}
	case *syntax.WhileClause:
		w.statements(c.Cond, true, asRoot)
		w.statements(c.Do, true, asRoot)
	case *syntax.ForClause:
		w.statements(c.Do, true, asRoot)
	case *syntax.Block:
		w.statements(c.Stmts, conditional, asRoot)
	case *syntax.Subshell:
		w.statements(c.Stmts, conditional, asRoot)
	case *syntax.FuncDecl:
		w.statement(c.Body, conditional, asRoot)
	case *syntax.DeclClause:
		for _, a := range c.Args {
			if a.Name != nil && a.Value != nil {
				w.r.env[a.Name.Value] = w.word(a.Value)
				w.r.start.sets[a.Name.Value] = true
			}
		}
	}
}

func (w *shellWalk) call(c *syntax.CallExpr, input string, conditional, asRoot bool) {
	env := map[string]string{}
	for _, a := range c.Assigns {
		if a.Name != nil && a.Value != nil {
			env[a.Name.Value] = w.word(a.Value)
		}
	}
	if len(c.Args) == 0 {
		for name, value := range env {
			w.r.env[name] = value
			w.r.start.sets[name] = true
		}
		return
	}
	line := w.before + int(c.Pos().Line())
	made := command{text: w.source(c) + input, at: place{w.file, line}, conditional: conditional, asRoot: asRoot, env: env,
		strict: w.strict}
	for _, arg := range c.Args {
		made.words = append(made.words, w.word(arg))
	}
	w.r.run(made)
}

// word is a word of a script: variables have their value or their default, if that is known.
func (w *shellWalk) word(in *syntax.Word) string {
	var b strings.Builder
	w.parts(&b, in.Parts)
	return b.String()
}

func (w *shellWalk) parts(b *strings.Builder, parts []syntax.WordPart) {
	for _, part := range parts {
		switch x := part.(type) {
		case *syntax.Lit:
			b.WriteString(strings.ReplaceAll(x.Value, "\\\n", ""))
		case *syntax.SglQuoted:
			b.WriteString(x.Value)
		case *syntax.DblQuoted:
			w.parts(b, x.Parts)
		case *syntax.ParamExp:
			w.parameter(b, x)
		default:
			b.WriteString(w.source(part))
		}
	}
}

func (w *shellWalk) parameter(b *strings.Builder, x *syntax.ParamExp) {
	if x.Param != nil {
		if value, set := w.r.env[x.Param.Value]; set && value != "" {
			b.WriteString(value)
			return
		}
		if x.Exp != nil && x.Exp.Word != nil && (x.Exp.Op == syntax.DefaultUnset || x.Exp.Op == syntax.DefaultUnsetOrNull ||
			x.Exp.Op == syntax.AssignUnset || x.Exp.Op == syntax.AssignUnsetOrNull) {
			b.WriteString(w.word(x.Exp.Word))
			return
		}
	}
	b.WriteString(w.source(x))
}

// supervised reads the commands of a supervisor's configuration.
func (r *shellReader) supervised(words []string, c command) {
	for i, word := range words {
		if (word == "-c" || word == "--configuration") && i+1 < len(words) {
			file := r.scriptOf([]string{"sh", words[i+1]})
			for _, m := range supervisorCommand.FindAllStringSubmatchIndex(r.t.text(file), -1) {
				text := r.t.text(file)
				r.nested(text[m[2]:m[3]], command{at: place{file, lineAt(text, m[2])}, conditional: c.conditional})
			}
		}
	}
}

var supervisorCommand = regexp.MustCompile(`(?m)^[ \t]*command[ \t]*=[ \t]*(.+)$`)

// serverPrograms are programs that serve a site, and the package that each comes with.
var serverPrograms = map[string]string{
	"gunicorn": "gunicorn", "uvicorn": "uvicorn", "hypercorn": "hypercorn", "daphne": "daphne", "granian": "granian", "uwsgi": "uwsgi",
	"waitress-serve": "waitress", "unitd": "unit", "mod_wsgi-express": "mod-wsgi",
}

// withoutPython is a command without the interpreter before a module.
func withoutPython(words []string) []string {
	words = unwrapped(words)
	if len(words) > 2 && pythonProgram.MatchString(path.Base(words[0])) {
		rest := words[1:]
		for len(rest) > 1 && strings.HasPrefix(rest[0], "-") && rest[0] != "-m" && rest[0] != "-c" {
			if (rest[0] == "-W" || rest[0] == "-X") && len(rest) > 2 {
				rest = rest[1:]
			}
			rest = rest[1:]
		}
		if rest[0] == "-m" && len(rest) > 1 {
			return rest[1:]
		}
		return rest
	}
	return words
}

func isServer(words []string) bool {
	words = withoutPython(words)
	return len(words) > 0 && serverPrograms[path.Base(words[0])] != "" || managing(words) == "runserver" || managing(words) == "runserver_plus"
}

// managing is the command of manage.py or django-admin that words run.
func managing(words []string) string {
	words = withoutPython(words)
	for i, w := range words {
		if base := path.Base(w); base == "manage.py" || base == "django-admin" || base == "django-admin.py" || i == 0 && base == "django" {
			for _, rest := range words[i+1:] {
				if !strings.HasPrefix(rest, "-") {
					return rest
				}
			}
		}
		if i > 1 {
			break
		}
	}
	return ""
}

var (
	moduleForm   = regexp.MustCompile(`^([A-Za-z_]\w*(?:\.\w+)+|[A-Za-z_]\w*(?:\.\w+)*(?::[A-Za-z_][\w.]*(?:\(.*\))?))$`)
	portForm     = regexp.MustCompile(`:(\d{1,5})$`)
	bindLine     = regexp.MustCompile(`(?m)^\s*bind\s*=.*?[:"'](\d{2,5})["')}\]\s]*$`)
	fromVariable = regexp.MustCompile(`environ|getenv|config\(`)
	uwsgiLine    = regexp.MustCompile(`(?m)^[ \t]*([\w-]+)[ \t]*=[ \t]*(.+?)[ \t]*$`)
)

// configured adds what a server's configuration file says.
func (r *shellReader) configured(s *server) {
	words := withoutPython(s.words)
	switch s.program {
	case "gunicorn":
		file := "gunicorn.conf.py"
		for i, w := range words {
			if name, value, joined := strings.Cut(w, "="); (name == "-c" || name == "--config") && (joined || i+1 < len(words)) {
				if file = value; !joined {
					file = words[i+1]
				}
			}
		}
		if module, is := strings.CutPrefix(file, "python:"); is {
			file = strings.ReplaceAll(module, ".", "/") + ".py"
		}
		named := r.t.where(func(f string) bool { return f == path.Clean(file) || strings.HasSuffix(f, "/"+path.Base(file)) })
		if len(named) == 0 {
			return
		}
		if m := bindLine.FindStringSubmatch(r.t.text(named[0])); m != nil && s.port == 0 && !fromVariable.MatchString(m[0]) {
			s.port, _ = strconv.Atoi(m[1])
		}
	case "uwsgi":
		for _, w := range words[1:] {
			_, value, joined := strings.Cut(w, "=")
			if joined {
				w = value
			}
			if !strings.HasSuffix(w, ".ini") {
				continue
			}
			if file := r.scriptOf([]string{"sh", w}); file != "" {
				r.uwsgi(s, file)
			}
		}
	}
}

// uwsgi reads a configuration of uWSGI.
func (r *shellReader) uwsgi(s *server, file string) {
	text := r.t.text(file)
	for _, m := range uwsgiLine.FindAllStringSubmatchIndex(text, -1) {
		name, value, at := text[m[2]:m[3]], text[m[4]:m[5]], place{file, lineAt(text, m[2])}
		switch name {
		case "http", "http-socket", "https":
			s.port = max(s.port, portOf(value))
		case "module", "wsgi":
			s.module, s.name, _ = strings.Cut(value, ":")
		case "env":
			if m := exported.FindStringSubmatch(value); m != nil && r.start.settings == "" {
				r.start.settings = m[1]
			}
		case "attach-daemon", "attach-daemon2", "hook-pre-app", "hook-post-app", "hook-asap", "hook-pre-jail":
			r.nested(strings.ReplaceAll(strings.TrimPrefix(value, "exec:"), "%(_)", "0"), command{at: at})
		}
	}
}

// serverOf reads the command line of a server.
func serverOf(c command) (server, bool) {
	if !isServer(c.words) {
		return server{}, false
	}
	words := withoutPython(c.words)
	s := server{command: c, program: path.Base(words[0])}
	if m := managing(words); m != "" {
		s.program = m
		for _, w := range words[1:] {
			if m := portForm.FindStringSubmatch(w); m != nil {
				s.port, _ = strconv.Atoi(m[1])
			}
		}
		return s, true
	}
	for i := 1; i < len(words); i++ {
		name, value, joined := strings.Cut(words[i], "=")
		if !joined && i+1 < len(words) {
			value = words[i+1]
		}
		switch name {
		case "-b", "--bind", "--http", "--http-socket", "--listen", "--insecure-bind", "--port", "-p", "-e", "--endpoint", "--config", "-c",
			"--uds", "-u", "--fd", "--unix-socket", "--quick-bind":
			if takesAddress(name, s.program) {
				s.port = max(s.port, portOf(value), portOf(":"+value))
			}
			s.elsewhere = s.elsewhere || s.port == 0
		case "--reload":
			s.reload = true
		case "--wsgi", "--module", "-w", "--wsgi-file":
			if s.program == "uwsgi" {
				s.module, s.name, _ = strings.Cut(value, ":")
			}
		}
		if s.module == "" && moduleForm.MatchString(words[i]) && (i == 1 || takesNoModule(words[i-1])) && s.program != "uwsgi" {
			s.module, s.name, _ = strings.Cut(words[i], ":")
		}
		if strings.HasPrefix(words[i], "-b") && !strings.HasPrefix(words[i], "-b=") && len(words[i]) > 2 && s.program == "gunicorn" {
			s.port = max(s.port, portOf(words[i][2:]))
		}
	}
	return s, true
}

// takesAddress reports whether the value of an option is where the server listens.
func takesAddress(option, program string) bool {
	switch option {
	case "-b": // of daphne and uvicorn the host alone
		return program != "daphne"
	case "--config", "-c", "-e", "--endpoint", "--uds", "-u", "--fd", "--unix-socket":
		return false
	case "-p":
		return program != "gunicorn" && program != "uwsgi" && program != "waitress-serve" // a file with the process id, or a number
	}
	return true
}

// takesNoModule reports whether what follows this word is not its value, or may be the module.
func takesNoModule(before string) bool {
	if !strings.HasPrefix(before, "-") || strings.Contains(before, "=") {
		return true
	}
	return slices.Contains([]string{"--preload", "--reload", "--proxy-headers", "--factory", "--enable-stdio-inheritance", "--no-sendfile",
		"--capture-output", "--no-access-log", "--reuse-port", "--no-server-header", "--", "--call", "--proxy-protocol", "--daemon"}, before)
}

func portOf(bind string) int {
	if m := portForm.FindStringSubmatch(bind); m != nil {
		port, _ := strconv.Atoi(m[1])
		return port
	}
	if n, err := strconv.Atoi(bind); err == nil {
		return n
	}
	return 0
}

func (s *start) mentions(word string) bool { return strings.Contains(s.text, word) }
