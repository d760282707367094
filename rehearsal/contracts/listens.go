package contracts

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// Which server runs, and what it listens on.

// programOf is the name of a command's program, without its version: uwsgi-python3 is a build of uWSGI.
func programOf(argv []string) string {
	if len(argv) == 0 {
		return ""
	}
	name := path.Base(argv[0])
	switch {
	case strings.HasPrefix(name, "uwsgi"):
		return "uwsgi"
	case name == "pyuwsgi":
		return "uwsgi"
	}
	return name
}

// serving is a command without the programs that only start it: python -m, uv run, gosu, agents of monitoring services. It is nil where
// one of them may change the command or its variables.
func serving(argv []string) []string {
	for range 5 {
		if len(argv) < 2 {
			return argv
		}
		switch name := path.Base(argv[0]); {
		case strings.HasPrefix(name, "python"):
			at := slices.Index(argv, "-m")
			if at < 0 || at+1 >= len(argv) || slices.ContainsFunc(argv[1:at], func(a string) bool { return !strings.HasPrefix(a, "-") }) {
				return argv
			}
			argv = argv[at+1:]
		case slices.Contains(words("uv poetry pipenv pdm hatch"), name) && argv[1] == "run":
			if argv = argv[2:]; len(argv) > 0 && strings.HasPrefix(argv[0], "-") {
				if argv = afterOptions(argv); argv == nil {
					return nil
				}
			}
		case name == "gosu" || name == "su-exec":
			argv = argv[2:]
		case name == "newrelic-admin" && argv[1] == "run-program":
			argv = argv[2:]
		case slices.Contains(words("ddtrace-run opentelemetry-instrument"), name) && !strings.HasPrefix(argv[1], "-"):
			argv = argv[1:]
		case slices.Contains(words("env doppler chamber infisical supervisord s6-svscan circusd honcho"), name):
			return nil
		default:
			return argv
		}
	}
	return argv
}

// runSwitches are the options of uv run and its like that take no value.
var runSwitches = words("--no-sync --frozen --locked --offline --no-dev --isolated --quiet -q --no-cache -n --no-project --active -v")

func afterOptions(argv []string) []string {
	for len(argv) > 0 && strings.HasPrefix(argv[0], "-") {
		if argv[0] == "--" {
			return argv[1:]
		}
		if !slices.Contains(runSwitches, argv[0]) && !strings.Contains(argv[0], "=") {
			return nil
		}
		argv = argv[1:]
	}
	return argv
}

// listens are the ports that the program listens on; ok is false if that is not known. Nothing that listens on a Unix socket is in the
// list.
func (i *Image) listens(p process, env variables) (all []listener, ok bool) {
	if !p.known {
		return nil, false
	}
	argv := serving(p.argv)
	if len(argv) == 0 {
		return nil, false
	}
	args := argv[1:]
	switch name := programOf(argv); {
	case name == "nginx":
		c := i.nginx(p)
		return c.listens, c.known && len(c.listens) > 0
	case name == "gunicorn":
		return i.gunicorn(args, env)
	case name == "uvicorn":
		return addressed(args, env, "UVICORN_", "127.0.0.1", "8000")
	case name == "granian":
		return addressed(args, env, "GRANIAN_", "127.0.0.1", "8000")
	case name == "daphne":
		return daphne(args)
	case name == "uwsgi":
		return i.uwsgi(args, env)
	case name == "hypercorn":
		if option(args, "", "-c", "--config") != "" {
			return nil, false
		}
		return bound(allOf(args, []string{"127.0.0.1:8000"}, "-b", "--bind")...)
	case name == "waitress-serve":
		if option(args, "", "--unix-socket") != "" {
			return nil, true
		}
		return bound(allOf(args, []string{option(args, "0.0.0.0", "--host") + ":" + option(args, "8080", "--port")}, "--listen")...)
	case strings.HasPrefix(name, "python") && slices.Contains(args, "runserver"):
		return runserver(args[slices.Index(args, "runserver")+1:])
	}
	return nil, false
}

// runserver is Django's development server: its address is the only argument that is no option.
func runserver(args []string) ([]listener, bool) {
	at := "127.0.0.1:8000"
	for _, a := range args {
		if strings.HasPrefix(a, "-") {
			continue
		}
		if at = a; !strings.Contains(a, ":") {
			at = "127.0.0.1:" + a
		}
	}
	return bound(at)
}

// addressed is a server with --host, --port and --uds, which are variables too. Sources: uvicorn.org, "Settings";
// github.com/emmett-framework/granian, README, "Options".
func addressed(args []string, env variables, prefix, host, port string) ([]listener, bool) {
	if option(args, env[prefix+"UDS"], "--uds") != "" {
		return nil, true
	}
	if option(args, "", "--fd") != "" {
		return nil, false
	}
	if value := env[prefix+"HOST"]; value != "" {
		host = value
	}
	if value := env[prefix+"PORT"]; value != "" {
		port = value
	}
	host, port = option(args, host, "--host"), option(args, port, "--port")
	if slices.ContainsFunc(args, unknownWord) && (option(args, "", "--port") == "" || option(args, "", "--host") == "") {
		return nil, false
	}
	return bound(host + ":" + port)
}

// daphne takes an address, sockets and endpoints of Twisted. Its defaults count only without any of them. Source:
// github.com/django/daphne, daphne/cli.py.
func daphne(args []string) ([]listener, bool) {
	if slices.ContainsFunc(args, unknownWord) {
		return nil, false
	}
	host, port := option(args, "", "-b", "--bind"), option(args, "", "-p", "--port")
	endpoints := allOf(args, nil, "-e", "--endpoint")
	elsewhere := len(endpoints) > 0 || option(args, "", "-u", "--unix-socket") != "" || option(args, "", "--fd") != ""
	var all []listener
	if host != "" || port != "" || !elsewhere {
		all, _ = bound(orElse(host, "127.0.0.1") + ":" + orElse(port, "8000"))
	}
	for _, e := range endpoints {
		l, ok := endpoint(e)
		if !ok {
			return nil, false
		}
		all = append(all, l...)
	}
	return all, option(args, "", "--fd") == ""
}

// endpoint follows tcp:port=8000:interface=0.0.0.0, tcp:8000, ssl:443:... and unix:/run/x.
func endpoint(text string) ([]listener, bool) {
	parts := strings.Split(text, ":")
	if parts[0] == "unix" {
		return nil, true
	}
	if parts[0] != "tcp" && parts[0] != "ssl" && parts[0] != "tcp6" || len(parts) < 2 {
		return nil, false
	}
	l := listener{port: strings.TrimPrefix(parts[1], "port="), tls: parts[0] == "ssl"}
	for _, p := range parts[2:] {
		if at, ok := strings.CutPrefix(p, "interface="); ok {
			l.loopback = loopback(at)
		}
		if at, ok := strings.CutPrefix(p, "port="); ok {
			l.port = at
		}
	}
	_, isPort := number(l.port)
	return []listener{l}, isPort
}

var (
	bindSetting   = regexp.MustCompile(`(?m)^bind\s*=\s*(.+?)\s*$`)
	anyBind       = regexp.MustCompile(`(?m)^\s*bind\s*[=:]`)
	tmpDirSetting = regexp.MustCompile(`(?m)^worker_tmp_dir\s*=\s*["']([^"']+)["']`)
	fromVariable  = regexp.MustCompile(`(?:int|str)?\(?\s*(?:os\.)?(?:environ\.get|getenv)\(\s*["'](\w+)["']\s*` +
		`(?:,\s*["']?([\w.:\[\]]+)["']?\s*)?\)\)?` +
		`|(?:os\.)?environ\[["'](\w+)["']\]`)
	plainAddress = regexp.MustCompile(`^[\w.\[\]:/-]*$`)
	quoted       = regexp.MustCompile(`"[^"]*"|'[^']*'`)
	onlyJoins    = regexp.MustCompile(`^[\[\](),+f\s]*$`)
	computed     = regexp.MustCompile(`\{[^}]+\}`)
)

// addressOf is the value of a setting in Python: a string, a list of one, or one that is put together with variables.
func addressOf(text string, env variables) (address string, ok bool) {
	if before, _, comment := strings.Cut(text, " #"); comment {
		text = before
	}
	rest := fromVariable.ReplaceAllString(text, "")
	known := onlyJoins.MatchString(quoted.ReplaceAllString(rest, "")) && !computed.MatchString(rest)
	text = fromVariable.ReplaceAllStringFunc(text, func(found string) string {
		m := fromVariable.FindStringSubmatch(found)
		value, set := env[orElse(m[1], m[3])]
		if !set {
			value, set = m[2], m[2] != ""
		}
		known = known && set && !unknownWord(value)
		return value
	})
	formatted := strings.HasPrefix(strings.TrimLeft(text, "[( "), "f")
	text = strings.TrimPrefix(strings.Trim(text, "[]() ,"), "f")
	if formatted {
		text = strings.NewReplacer("{", "", "}", "").Replace(text)
	}
	text = strings.NewReplacer(`"`, "", "'", "", "+", "", " ", "").Replace(text)
	return text, known && plainAddress.MatchString(text)
}

// gunicornFile is the text of gunicorn's configuration; ok is false if it may exist without being known.
func (i *Image) gunicornFile(args []string) (text string, ok bool) {
	name := strings.TrimPrefix(option(args, "gunicorn.conf.py", "-c", "--config"), "file:")
	if !path.IsAbs(name) {
		name = path.Join("/", i.WorkDir, name)
	}
	f, there := i.file(name)
	if there && f.Text != "" {
		return f.Text, true
	}
	return "", !there && (i.Complete || !i.opaque(i.Real(name)))
}

// gunicornArgs are the arguments, after those of the environment: what is on the command line counts (docs.gunicorn.org,
// "Configuration Overview").
func gunicornArgs(args []string, env variables) []string {
	return append(strings.Fields(env["GUNICORN_CMD_ARGS"]), args...)
}

func (i *Image) gunicorn(own []string, env variables) ([]listener, bool) {
	args := gunicornArgs(own, env)
	at := allOf(own, nil, "-b", "--bind")
	if at == nil && !slices.ContainsFunc(own, unknownWord) {
		at = allOf(args, nil, "-b", "--bind")
	}
	if at != nil {
		return bound(at...)
	}
	text, ok := i.gunicornFile(args)
	if !ok || slices.ContainsFunc(args, unknownWord) {
		return nil, false
	}
	if m := bindSetting.FindAllStringSubmatch(text, -1); len(m) == 1 {
		address, known := addressOf(m[0][1], env)
		if !known {
			return nil, false
		}
		return bound(address)
	}
	if anyBind.MatchString(text) || strings.Contains(text, "import *") {
		return nil, false
	}
	if port := env["PORT"]; port != "" {
		return bound("0.0.0.0:" + port)
	}
	return bound("127.0.0.1:8000")
}

// heartbeat is where gunicorn's processes write that they live; ok is false if that is not known.
func (i *Image) heartbeat(args []string, env variables) (dir string, ok bool) {
	args = gunicornArgs(args, env)
	if dir := option(args, "", "--worker-tmp-dir"); dir != "" {
		return dir, !unknownWord(dir)
	}
	text, ok := i.gunicornFile(args)
	if m := tmpDirSetting.FindStringSubmatch(text); m != nil {
		return m[1], true
	}
	return "/tmp", ok && !strings.Contains(text, "worker_tmp_dir") && !slices.ContainsFunc(args, unknownWord)
}

// uwsgiOptions are the options of uWSGI with which it listens. Source: uwsgi-docs.readthedocs.io, "uWSGI Options".
var uwsgiOptions = map[string]string{"http": "http", "http-socket": "http", "http11-socket": "http", "http-router": "http", "h": "http",
	"https": "https", "socket": "uwsgi", "uwsgi-socket": "uwsgi", "s": "uwsgi", "fastcgi-socket": "uwsgi", "scgi-socket": "uwsgi",
	"http-socket-modifier1": ""}

// uwsgiSettings are the options of uWSGI: of its command line, of its variables and of its files. ok is false if there may be others.
func (i *Image) uwsgiSettings(args []string, env variables) (all map[string][]string, ok bool) {
	all = map[string][]string{}
	var files []string
	for n := 0; n < len(args); n++ {
		name, value, inline := strings.Cut(args[n], "=")
		switch {
		case !strings.HasPrefix(name, "-"):
			if strings.HasSuffix(name, ".ini") {
				files = append(files, name)
			} else if path.Ext(name) != "" && slices.Contains(words(".xml .yml .yaml .json"), path.Ext(name)) {
				return nil, false
			}
			continue
		case !inline && n+1 < len(args) && !strings.HasPrefix(args[n+1], "-"):
			n++
			value = args[n]
		}
		name = strings.TrimLeft(name, "-")
		if slices.Contains(words("ini i"), name) {
			files = append(files, value)
		}
		if slices.Contains(words("xml x yaml y yml json j config pyargv emperor"), name) {
			return nil, false
		}
		all[name] = append(all[name], value)
	}
	for name, value := range env {
		if option, is := strings.CutPrefix(name, "UWSGI_"); is {
			option = strings.ReplaceAll(strings.ToLower(option), "_", "-")
			if option == "ini" {
				files = append(files, value)
			}
			all[option] = append(all[option], value)
		}
	}
	for _, name := range files {
		if !i.uwsgiFile(name, env, all) {
			return nil, false
		}
	}
	return all, true
}

var uwsgiVariable = regexp.MustCompile(`\$\((\w+)\)`)

// uwsgiFile reads one configuration.
func (i *Image) uwsgiFile(name string, env variables, all map[string][]string) bool {
	f, ok := i.file(i.at(name))
	if !ok || f.Text == "" {
		return false
	}
	inside := false
	for line := range strings.Lines(f.Text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			inside = line == "[uwsgi]"
			continue
		}
		key, value, is := strings.Cut(line, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		switch {
		case !inside || !is || strings.HasPrefix(line, "#") || strings.HasPrefix(line, ";"):
			continue
		case slices.Contains(words("ini include if-env if-not-env if-opt for emperor"), key):
			return false // it decides, or continues elsewhere
		}
		value = uwsgiVariable.ReplaceAllStringFunc(value, func(found string) string {
			if v, set := env[uwsgiVariable.FindStringSubmatch(found)[1]]; set {
				return v
			}
			return found
		})
		all[key] = append(all[key], value)
	}
	return true
}

// at is a path of the image, from its working directory.
func (i *Image) at(p string) string {
	if path.IsAbs(p) {
		return path.Clean(p)
	}
	return path.Join("/", i.WorkDir, p)
}

func (i *Image) uwsgi(args []string, env variables) ([]listener, bool) {
	settings, ok := i.uwsgiSettings(args, env)
	if !ok {
		return nil, false
	}
	var all []listener
	for name, values := range settings {
		speaks := uwsgiOptions[name]
		if speaks == "" {
			continue
		}
		for _, v := range values {
			v, _, _ = strings.Cut(v, ",") // https takes a certificate
			if strings.ContainsAny(v, "%=") {
				return nil, false
			}
			l, known := bound(v)
			if !known {
				return nil, false
			}
			for n := range l {
				l[n].tls, l[n].binary = speaks == "https", speaks == "uwsgi"
			}
			all = append(all, l...)
		}
	}
	slices.SortFunc(all, func(a, b listener) int { return strings.Compare(a.port, b.port) })
	return all, !slices.ContainsFunc(args, unknownWord)
}
