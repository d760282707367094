package contracts

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// What Slipway's own program does in an image and in a container. The judge knows it by its paths, arguments and variables only, as it
// knows nginx or gunicorn.

// helperCommands are the commands that a container may start. The others run while an image is built.
var helperCommands = words("health migrate nginx doctor")

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
