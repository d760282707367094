package contracts

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// How much a container takes at the same time: requests, and bytes in one of them.

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

// uwsgiThreads is how many requests uWSGI answers at the same time.
func (i *Image) uwsgiThreads(args []string, env variables) (int, bool) {
	settings, ok := i.uwsgiSettings(args, env)
	if !ok || settings["cheaper"] != nil {
		return 0, false
	}
	count := func(names ...string) int {
		for _, name := range names {
			if values := settings[name]; len(values) > 0 {
				n, err := strconv.Atoi(values[len(values)-1])
				if ok = ok && err == nil; err == nil {
					return n
				}
			}
		}
		return 1
	}
	n := count("processes", "workers", "p") * count("threads")
	return n, ok && n > 0
}
