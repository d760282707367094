package contracts

import (
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// Which program runs in a container, behind shells and entrypoints.

// A process is the program that a container runs in the end, behind shells and entrypoints.
type process struct {
	given []string // entrypoint and command
	argv  []string
	known bool
	shell string // how a shell comes to be process 1 although it does not hand over to the program
	drops bool   // an entrypoint ignores the command
	via   string // the entrypoint that does

	rendered *rendered // of an nginx that Slipway's program starts
}

// start follows the entrypoint and the command to the program that runs. An empty list is the image's, as a missing one: ECS keeps no
// difference between them, and docker run has none.
func (i *Image) start(c Container) process {
	entry, command := c.Entrypoint, c.Command
	if len(entry) == 0 {
		if entry = i.Entrypoint; len(command) == 0 {
			command = i.Command
		}
	}
	env := i.environment(c)
	given := append(slices.Clone(entry), command...)
	p := process{given: given, argv: given, known: true}
	for range 5 {
		if len(p.argv) == 0 {
			return p
		}
		name := path.Base(p.argv[0])
		switch {
		case isHelper(p.argv):
			p.helps(i, env)
			return p
		case slices.Contains(servers, name):
			return p // also where it is a script that starts Python
		case name == "tini" || name == "dumb-init" || name == "catatonit":
			p.argv = after(p.argv[1:])
		case shells[name] && len(p.argv) > 2 && p.argv[1] == "-c":
			if p.line(p.argv, len(entry) > 0 && len(command) > 0 && len(p.argv) > 3, env); !p.known {
				return p
			}
		default:
			script, args := p.argv[0], p.argv[1:]
			if shells[name] && len(args) > 0 {
				script, args = args[0], args[1:]
			}
			f, ok := i.file(i.lookUp(script))
			if !ok || !strings.HasPrefix(f.Text, "#!") || !scripted(f.Text) {
				return p
			}
			if p.script(script, f.Text, args, env); p.argv == nil {
				return p
			}
		}
	}
	return p
}

// environment are the variables of a container, without its secrets.
func (i *Image) environment(c Container) variables {
	all := variables{}
	maps.Copy(all, i.Env)
	for _, name := range c.Secrets {
		all[name] = secretValue
	}
	maps.Copy(all, c.Env)
	return all
}

// variables are the environment of a program. The value of a secret is not known.
type variables map[string]string

// secretValue stands for the value of a secret. A word with a dollar sign is not known.
const secretValue = "$"

var shells = map[string]bool{"sh": true, "bash": true, "dash": true, "ash": true}

// scripted reports whether a script is for a shell.
func scripted(text string) bool {
	first, _, _ := strings.Cut(text, "\n")
	return shells[path.Base(interpreter(first))]
}

// interpreter is the program of a line such as "#!/usr/bin/env python3".
func interpreter(first string) string {
	fields := strings.Fields(strings.TrimPrefix(first, "#!"))
	if len(fields) > 1 && path.Base(fields[0]) == "env" {
		for _, f := range fields[1:] {
			if !strings.HasPrefix(f, "-") {
				return f
			}
		}
	}
	if len(fields) == 0 {
		return ""
	}
	return fields[0]
}

// after is what follows the options of an init.
func after(args []string) []string {
	for n, a := range args {
		if a == "--" {
			return args[n+1:]
		}
		if !strings.HasPrefix(a, "-") {
			return args[n:]
		}
	}
	return nil
}

// lookUp is the path of a program in PATH.
func (i *Image) lookUp(program string) string {
	if strings.Contains(program, "/") {
		if path.IsAbs(program) {
			return path.Clean(program)
		}
		return path.Join("/", i.WorkDir, program)
	}
	for _, dir := range i.searched() {
		if _, ok := i.file(path.Join(dir, program)); ok {
			return path.Join(dir, program)
		}
	}
	return program
}

// line follows sh -c "...".
func (p *process) line(argv []string, ignored bool, env variables) {
	last, exec := lastCommand(argv[2], env)
	p.drops, p.via = p.drops || ignored, strings.Join(argv[:3], " ")
	if !exec {
		p.shell = argv[0] + " -c " + strconv.Quote(argv[2])
	}
	if p.argv = last; len(last) == 0 || unknownWord(last[0]) {
		p.known = false
	}
}

// script follows an entrypoint that is a shell script.
func (p *process) script(name, text string, args []string, env variables) {
	last, exec := lastCommand(text, env)
	takes := argument.MatchString(text)
	if !takes && len(args) > 0 {
		p.drops, p.via = true, name
	}
	if !exec {
		p.shell = name
	}
	if n := len(last); n > 0 && strings.Contains(last[n-1], "$@") { // exec "$@", exec gosu app "$@"
		last = append(last[:n-1:n-1], args...)
	}
	p.argv, p.known = last, len(last) > 0 && !unknownWord(last[0])
	if !p.known {
		p.argv = nil
	}
}

// argument is a use of a script's arguments.
var argument = regexp.MustCompile(`\$[@*1]|\$\{[@*1]|\bshift\b`)

// lastCommand is the last simple command of a script, and whether the shell is replaced by it.
func lastCommand(text string, env variables) (argv []string, exec bool) {
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(text), "")
	if err != nil || len(file.Stmts) == 0 {
		return nil, false
	}
	cmd := file.Stmts[len(file.Stmts)-1].Cmd
	for {
		b, ok := cmd.(*syntax.BinaryCmd)
		if !ok {
			break
		}
		cmd = b.Y.Cmd
	}
	call, ok := cmd.(*syntax.CallExpr)
	if !ok {
		// An if or a case at the end: it hands over if each way does, which only exec can mean.
		return nil, strings.Contains(text, "exec ")
	}
	own := assigned(file)
	for _, w := range call.Args {
		argv = append(argv, expanded(text, w, env, own)...)
	}
	if len(argv) > 1 && argv[0] == "exec" {
		return argv[1:], true
	}
	return argv, false
}

// commands are the programs that a script runs, without the shell's own commands and its functions.
func commands(text string) []string {
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(text), "")
	if err != nil {
		return nil
	}
	var all []string
	own := map[string]bool{}
	syntax.Walk(file, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.FuncDecl:
			own[n.Name.Value] = true
		case *syntax.CallExpr:
			args := make([]string, 0, len(n.Args))
			for _, w := range n.Args {
				args = append(args, plain(text, w))
			}
			for len(args) > 0 && (args[0] == "exec" || args[0] == "command" || args[0] == "time") {
				args = args[1:]
			}
			if len(args) > 0 && !strings.ContainsAny(args[0], "$`*") && !slices.Contains(builtins, args[0]) && !slices.Contains(all, args[0]) {
				all = append(all, args[0])
			}
		}
		return true
	})
	return slices.DeleteFunc(all, func(name string) bool { return own[name] })
}

var builtins = words(`: . [ alias bg break cd continue echo eval exit export false fg getopts hash jobs kill local printf pwd read readonly
	return set shift source test times trap true type ulimit umask unalias unset wait`)

// A setting is a number in gunicorn's configuration.
type setting struct{ simple, any *regexp.Regexp }

var workersSetting, threadsSetting = settingOf("workers"), settingOf("threads")

// settingOf is the setting of a name: a number, or an environment variable with a default.
func settingOf(name string) setting {
	return setting{regexp.MustCompile(`(?m)^` + name +
		`\s*=\s*(?:int\(os\.environ\.get\(["'](\w+)["'],\s*["']?(\d+)["']?\)\)|(\d+))\s*(?:#.*)?$`),
		regexp.MustCompile(`(?m)^\s*` + name + `\s*=`)}
}

// connectionsVariable is a variable that limits the connections of a task, for a configuration of gunicorn that obeys it.
const connectionsVariable = "DB_CONNECTIONS"

// Threads is how many requests a container answers at the same time, each of which holds a connection to the database. A program that
// is not a web server counts as one. ok is false if that is not known.
func (i *Image) Threads(c Container) (n int, ok bool) {
	p, env := i.start(c), i.environment(c)
	if !p.known || len(p.argv) == 0 {
		return 0, false
	}
	argv := serving(p.argv)
	switch name := programOf(argv); {
	case name == "gunicorn":
	case name == "uwsgi":
		return i.uwsgiThreads(argv[1:], env)
	case name == "" || name != "nginx" && slices.Contains(servers, name):
		return 0, false // threads come and go with the requests
	default:
		return 1, true
	}
	args := gunicornArgs(argv[1:], env)
	text, known := i.gunicornFile(args)
	if limit, isNumber := number(env[connectionsVariable]); isNumber && strings.Contains(text, connectionsVariable) {
		return limit, true
	}
	workers, known1 := workersSetting.count(option(args, "", "-w", "--workers"), text, env, orOne(env["WEB_CONCURRENCY"]))
	threads, known2 := threadsSetting.count(option(args, "", "--threads"), text, env, 1)
	return workers * threads, known && known1 && known2
}

func orOne(text string) int {
	if n, ok := number(text); ok && n > 0 {
		return n
	}
	return 1
}

// count is a number from an argument, from the setting in a file, or the default.
func (s setting) count(argument, text string, env variables, otherwise int) (int, bool) {
	if n, ok := number(argument); ok {
		return n, true
	}
	m := s.simple.FindStringSubmatch(text)
	switch {
	case m == nil:
		return otherwise, !s.any.MatchString(text)
	case m[1] != "":
		if n, ok := number(env[m[1]]); ok {
			return n, true
		}
		return number(m[2])
	}
	return number(m[3])
}

// MaxBody is the largest body in bytes that nginx accepts in a container, if its configuration says so explicitly; else 0.
func (i *Image) MaxBody(c Container) int {
	p := i.start(c)
	if len(p.argv) == 0 || programOf(p.argv) != "nginx" {
		return 0
	}
	text := strings.ToLower(i.nginx(p).maxBody)
	unit := 1
	switch {
	case strings.HasSuffix(text, "k"):
		unit = 1 << 10
	case strings.HasSuffix(text, "m"):
		unit = 1 << 20
	case strings.HasSuffix(text, "g"):
		unit = 1 << 30
	}
	n, _ := number(strings.TrimRight(text, "kmg"))
	return n * unit
}
