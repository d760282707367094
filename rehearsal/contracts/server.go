package contracts

import (
	"fmt"
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

// servers are the programs whose ports the judge knows how to find.
var servers = words("nginx gunicorn uvicorn daphne uwsgi granian hypercorn waitress-serve")

// isHelper reports whether a command runs Slipway's program.
func isHelper(argv []string) bool { return len(argv) > 0 && path.Clean(argv[0]) == helperPath }

// mayBeUnset are the variables of nginx's configuration that count as empty without a value.
var mayBeUnset = words("SLIPWAY_HEADERS SLIPWAY_LIMITS SLIPWAY_CACHES SLIPWAY_STATIC_BUCKET SLIPWAY_HEALTH_PATH")

// helps follows a container's start of Slipway's program to what that starts.
func (p *process) helps(i *Image, env variables) {
	args := p.argv[1:]
	if len(args) == 0 || args[0] != "nginx" {
		return
	}
	template := templatePath
	for _, a := range args[1:] {
		if !strings.HasPrefix(a, "-") {
			template = a
		}
	}
	p.argv = []string{"nginx", "-c", renderedPath, "-e", "stderr", "-g", "daemon off;"}
	r := &rendered{}
	p.rendered = r
	// Static files of earlier releases, which the program serves to nginx.
	if at, ok := bound(option(args, "127.0.0.1:8079", "--listen")); ok && len(at) == 1 {
		r.stored, _ = number(at[0].port)
	}
	f, ok := i.file(template)
	if !ok || f.Text == "" {
		if !ok && (i.Complete || i.known() && !i.opaque(i.Real(template))) {
			r.fault = fmt.Sprintf("open %s: no such file or directory", template)
		}
		return
	}
	r.known = true
	r.text = variable.ReplaceAllStringFunc(f.Text, func(found string) string {
		name := variable.FindStringSubmatch(found)[1]
		value, set := env[name]
		if !set && !slices.Contains(mayBeUnset, name) && r.fault == "" {
			r.fault = fmt.Sprintf("%s names ${%s}, which is not set", template, name)
		}
		return value
	})
}

// variable is what the program replaces in nginx's configuration.
var variable = regexp.MustCompile(`\$\{(SLIPWAY_[A-Z0-9_]+)\}`)

// A rendered is nginx's configuration as it is when nginx starts in a container.
type rendered struct {
	text   string
	known  bool
	stored int    // port of the static files of earlier releases
	fault  string // why nginx does not start
}
