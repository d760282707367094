package contracts

import (
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// What Slipway's own program does in an image and in a container. The judge knows it by its paths, arguments and variables only, as it
// knows nginx or gunicorn.

const (
	helperPath   = "/opt/slipway/helper"
	helperUser   = "slipway"
	templatePath = "/etc/nginx/slipway.conf.template"
	renderedPath = "/tmp/nginx.conf"

	// rootsStandIn is the number that an image's user gets if it is root.
	rootsStandIn = 10001
)

// helperCommands are the commands that a container may start. The others run while an image is built.
var helperCommands = words("health migrate nginx doctor")

// isHelper reports whether a command runs Slipway's program.
func isHelper(argv []string) bool { return len(argv) > 0 && path.Clean(argv[0]) == helperPath }

// helper follows a RUN of Slipway's program.
func (s *stage) helper(args []string) {
	if s.image.Has(helperPath) == No {
		s.err = fmt.Errorf("RUN %s: no such file or directory", helperPath)
		return
	}
	if len(args) == 0 {
		return
	}
	note := option(args[1:], "/opt/slipway/user/id", "--note")
	switch args[0] {
	case "whoami": // notes who runs it, for install
		owner := s.user
		if s.image.User == "" && !s.image.known() {
			owner = -1
		}
		s.put(note, File{Owner: owner, Mode: 0o644, Text: s.image.User + "\n"})
	case "install":
		uid := -1
		if given := option(args[1:], "", "--user"); given != "" {
			uid, _ = s.image.uid(given)
		} else if noted, ok := s.image.file(note); ok && noted.Text != "" {
			uid = noted.Owner
		} else {
			s.err = fmt.Errorf("RUN %s install: %s does not name the image's user", helperPath, note)
		}
		s.installHelper(uid, allOf(args[1:], nil, "--writable"))
	case "collect":
		if into := option(args[1:], "", "--into"); into != "" {
			s.directory(into, s.user)
			s.hide(into)
		}
		s.hide(s.at("."))
	}
}

// installHelper makes the user and the directories that it writes.
func (s *stage) installHelper(uid int, writable []string) {
	if s.user != 0 {
		s.err = fmt.Errorf("RUN %s install: it needs root, and USER is %s", helperPath, s.image.User)
		return
	}
	if uid == 0 {
		uid = rootsStandIn
	}
	s.image.Users[helperUser] = uid
	s.image.Files["/tmp"] = File{Owner: uid, Mode: 0o1777}
	for _, p := range execPaths {
		s.directory(p, 0)
	}
	for _, p := range writable {
		if link, target := s.image.Link(p); link != "" {
			s.err = fmt.Errorf("RUN %s install: %s is a symbolic link to %s", helperPath, link, target)
			return
		}
		s.directory(p, uid)
		for name, f := range s.image.Files {
			if within(name, p) && f.Link == "" && !f.Gone {
				f.Owner = uid
				s.image.Files[name] = f
			}
		}
	}
}

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

// slipway judges what Slipway's program needs in a container.
func (j *judge) slipway() {
	const source = "the arguments and variables of " + helperPath
	if j.p.rendered != nil {
		if j.p.rendered.fault != "" {
			j.say("EssentialContainerExited", fmt.Sprintf("container %s ends with exit code 1", j.c.Name), source,
				"set the variable in the task definition, or correct the template", "nginx gets no configuration: "+j.p.rendered.fault)
		}
		if j.c.ReadOnly {
			j.write(helperPath, "nginx's configuration", renderedPath)
		}
		return
	}
	if !isHelper(j.p.given) {
		return
	}
	command := ""
	if len(j.p.given) > 1 {
		command = j.p.given[1]
	}
	if !slices.Contains(helperCommands, command) {
		j.say("EssentialContainerExited", fmt.Sprintf("container %s ends with exit code 2", j.c.Name), source,
			"name one of "+strings.Join(helperCommands, ", "), fmt.Sprintf("%s has no command %q", helperPath, command))
		return
	}
	if command == "migrate" {
		j.migrates(source)
	}
}

// migrationNeeds are the variables without which the migration cannot begin.
var migrationNeeds = words("SLIPWAY_DB_HOST SLIPWAY_DB_PORT SLIPWAY_DB_NAME SLIPWAY_DB_OWNER SLIPWAY_DB_OWNER_PASSWORD")

// migrates judges what the migration runs.
func (j *judge) migrates(source string) {
	fails := func(why, fix string) {
		j.say("EssentialContainerExited", fmt.Sprintf("container %s ends with exit code 2: nothing is migrated", j.c.Name), source, fix, why)
	}
	for _, name := range migrationNeeds {
		if !j.has(name) {
			fails(fmt.Sprintf("container %s runs the migration without %s", j.c.Name, name), "set "+name+" in the task definition")
		}
	}
	if j.c.Env["SLIPWAY_DB_ROLE"] != "" && !j.has("SLIPWAY_DB_ROLE_PASSWORD") {
		fails(fmt.Sprintf("container %s makes the role %s without SLIPWAY_DB_ROLE_PASSWORD", j.c.Name, j.c.Env["SLIPWAY_DB_ROLE"]),
			"give the migration the role's password")
	}
	var manage []string
	var commands [][]string
	wrong := json.Unmarshal([]byte(j.c.Env["SLIPWAY_MIGRATE"]), &commands) != nil || len(commands) == 0
	if json.Unmarshal([]byte(j.c.Env["SLIPWAY_MANAGE"]), &manage) != nil || len(manage) == 0 || wrong {
		fails(fmt.Sprintf("container %s migrates with SLIPWAY_MANAGE=%s and SLIPWAY_MIGRATE=%s", j.c.Name, j.c.Env["SLIPWAY_MANAGE"],
			j.c.Env["SLIPWAY_MIGRATE"]), "set both to lists in JSON")
		return
	}
	if limit, ok := number(j.c.Env["SLIPWAY_MIGRATE_LIMIT"]); j.has("SLIPWAY_MIGRATE_LIMIT") && (!ok || limit == 0) {
		fails("SLIPWAY_MIGRATE_LIMIT is "+j.c.Env["SLIPWAY_MIGRATE_LIMIT"], "set it to a number of seconds")
	}
	switch j.i.Has(manage[0]) {
	case No:
		fails(fmt.Sprintf("it runs %s, which the image of container %s does not have", manage[0], j.c.Name),
			"correct what stands for manage.py, or install it in the Dockerfile")
	case Unknown:
		j.unknown("%s: whether the image has %s for the migration", j.c.Name, manage[0])
	}
}

// has reports whether a container gets a variable, as a value or as a secret.
func (j *judge) has(name string) bool {
	_, set := j.c.Env[name]
	return set || slices.Contains(j.c.Secrets, name)
}
