package operation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"slipway/engine"
	"slipway/internal/wiring"
	"slipway/operation/account"
	"slipway/operation/account/modelaccount"
)

// An ExitError is a program of the site that ended with another exit code than 0.
type ExitError struct {
	What   string // "the command", "job clean-up"
	Code   int    // -1: it never started
	Reason string // of ECS; may be empty
}

func (e *ExitError) Error() string {
	text := fmt.Sprintf("%s ended with exit code %d", e.What, e.Code)
	switch {
	case e.Code < 0:
		text = e.What + " did not start"
	case e.Code == 127:
		text += ": the image has no such command"
	case e.Code == 137:
		text += ": it was killed, as ECS does when a task has too little memory"
	}
	if e.Reason != "" {
		text += " (" + e.Reason + ")"
	}
	return text
}

// Exit is the exit code of a command that reports this error, and the error's kind.
func (e *ExitError) Exit() (code int, kind string) {
	if e.Code < 0 {
		return 1, "failed"
	}
	return e.Code, "exit"
}

// ended is nil for exit code 0.
func ended(what string, code int, reason string) error {
	if code == 0 {
		return nil
	}
	return &ExitError{What: what, Code: code, Reason: reason}
}

// An entrance is a stack that runs, with the account where it does. Nothing of it is changed: no engine is started.
type entrance struct {
	target   Target
	account  account.Account
	sessions account.Sessions
	deployed inside
}

// enter opens a stack in order to get into what runs. what is the command. has checks that what was deployed has what the command names:
// a wrong name is reported before anything is opened that has to run. It may be nil.
func enter(ctx context.Context, t Target, what string, has func(inside) error) (*entrance, error) {
	c, err := configure(t)
	if err != nil {
		return nil, err
	}
	e := &entrance{target: t}
	options := engine.Options{Dir: t.dir(), Stack: t.Stack, Project: c.project, Config: c.engine}
	if t.Live {
		if options.Backend = awsArgs(t, c).State; options.Backend == nil {
			return nil, notBootstrapped(t)
		}
		if e.account, err = openAccount(ctx, t, c, what); err != nil {
			return nil, err
		}
	} else if _, err := os.Stat(t.dir()); errors.Is(err, fs.ErrNotExist) {
		return nil, missing(t, engine.ErrNoStack)
	}
	if err = e.read(ctx, options, c); err == nil && has != nil {
		err = has(e.deployed)
	}
	if err == nil && !t.Live {
		err = e.openModel(ctx, c, what)
	}
	if err != nil {
		return nil, errors.Join(err, e.close())
	}
	e.sessions = e.account.Sessions()
	return e, nil
}

// openModel opens the model, if the stack also runs.
func (e *entrance) openModel(ctx context.Context, c *configuration, what string) error {
	t := e.target
	if !modelaccount.Running(t.dir()) {
		return fmt.Errorf("%s needs a stack that runs, and stack %s is only modelled; run it in containers first: slipway up%s --run",
			what, t.Stack, t.Flags())
	}
	var err error
	e.account, err = openModel(ctx, t, c, openArgs{operation: what, dir: t.dir()})
	return err
}

func (e *entrance) close() error {
	if e.account == nil {
		return nil
	}
	containers := e.account.Containers()
	err := e.account.Close()
	if containers != nil {
		err = errors.Join(err, containers.Close())
	}
	e.account = nil
	return err
}

// An inside is what the last up deployed, as the stack's state has it.
type inside struct {
	cluster  string // ARN
	services map[string]string
	jobs     map[string]placed // by name
	task     placed            // of one-off tasks; without a definition: an earlier version deployed the stack
	families map[string]string // the task definition's ARN, by part: "web", "task", "migration"

	definitions map[string][]containerOf // by ARN
	sizes       map[string]sized

	instance, document string // of the bastion; "": there is none
	postgres           string // the database's version
	psql               string // URL of the repository that has psql; "": there is none
}

// sized is how large a task is: units and MiB.
type sized struct{ cpu, memory int }

// placed is a task definition, and where its tasks run.
type placed struct {
	definition              string
	subnets, securityGroups []string
}

// A containerOf is a container of a task definition.
type containerOf struct {
	Name             string
	Environment      []struct{ Name, Value string }
	Secrets          []struct{ Name, ValueFrom string }
	LogConfiguration struct {
		LogDriver string
		Options   map[string]string
	}
	FirelensConfiguration any
}

// read reads the state.
func (e *entrance) read(ctx context.Context, options engine.Options, c *configuration) error {
	s, err := engine.Open(options)
	if err != nil {
		return err
	}
	state, err := s.Checkpoint(ctx)
	if err != nil {
		return err
	}
	e.deployed = inside{services: map[string]string{}, jobs: map[string]placed{}, families: map[string]string{},
		definitions: map[string][]containerOf{}, sizes: map[string]sized{}}
	site := wiring.Site{Project: c.stack.Project, Stack: c.stack.Name}
	for _, r := range state.Resources {
		if r.Delete { // it is being replaced
			continue
		}
		if err := e.deployed.add(string(r.Type), r.Outputs, site.Name("")); err != nil {
			return fmt.Errorf("the state of stack %s: %s: %w", e.target.Stack, r.URN, err)
		}
	}
	if len(e.deployed.services) == 0 {
		return fmt.Errorf("stack %s is not deployed: it has no service; begin with: slipway up%s", e.target.Stack, e.target.Flags())
	}
	return nil
}

// add notes what a resource says. prefix is that of the stack's names.
func (d *inside) add(kind string, outputs map[string]any, prefix string) error {
	short := func(key string) string { return strings.TrimPrefix(text(outputs[key]), prefix) }
	switch kind {
	case "aws:ecs/service:Service":
		d.services[short("name")] = text(outputs["name"])
		d.cluster = text(outputs["cluster"])
	case "aws:ecs/taskDefinition:TaskDefinition":
		var containers []containerOf
		if err := json.Unmarshal([]byte(text(outputs["containerDefinitions"])), &containers); err != nil {
			return fmt.Errorf("its containers: %w", err)
		}
		var own sized
		own.cpu, _ = strconv.Atoi(text(outputs["cpu"]))
		own.memory, _ = strconv.Atoi(text(outputs["memory"]))
		d.sizes[text(outputs["arn"])] = own
		d.definitions[text(outputs["arn"])], d.families[short("family")] = containers, text(outputs["arn"])
	case "aws:scheduler/schedule:Schedule":
		target, _ := outputs["target"].(map[string]any)
		task, _ := target["ecsParameters"].(map[string]any)
		network, _ := task["networkConfiguration"].(map[string]any)
		if name, is := strings.CutPrefix(short("name"), "job-"); is {
			d.jobs[name] = placed{text(task["taskDefinitionArn"]), texts(network["subnets"]), texts(network["securityGroups"])}
		}
	case "slipway:batch:Task":
		d.task = placed{text(outputs["taskDefinition"]), texts(outputs["subnets"]), texts(outputs["securityGroups"])}
	case "slipway:bastion:Host":
		d.instance, d.document = text(outputs["instanceId"]), text(outputs["sessionDocument"])
	case "slipway:cicd:Psql":
		d.psql = text(outputs["repository"])
	case "aws:rds/instance:Instance":
		if d.postgres = text(outputs["engineVersionActual"]); d.postgres == "" {
			d.postgres = text(outputs["engineVersion"])
		}
	}
	return nil
}

func text(value any) string {
	s, _ := value.(string)
	return s
}

func texts(value any) []string {
	list, _ := value.([]any)
	var all []string
	for _, v := range list {
		all = append(all, text(v))
	}
	return all
}

// service finds a service by its name, which a worker has also without "worker-".
func (d inside) service(name string) (string, error) {
	for _, known := range []string{name, "worker-" + name} {
		if d.services[known] != "" {
			return known, nil
		}
	}
	var names []string
	for known := range d.services {
		names = append(names, strings.TrimPrefix(known, "worker-"))
	}
	slices.Sort(names)
	if near := Near(name, names); near != "" {
		return "", UsageError{fmt.Errorf("there is no service %q: did you mean %s?", name, near)}
	}
	return "", UsageError{fmt.Errorf("there is no service %q; the services are %s", name, strings.Join(names, ", "))}
}

// log is where a container of a definition writes its log in CloudWatch, if it does.
func (d inside) log(definition, container string) (group, prefix string) {
	for _, c := range d.definitions[definition] {
		if c.Name == container && c.LogConfiguration.LogDriver == "awslogs" {
			return c.LogConfiguration.Options["awslogs-group"], c.LogConfiguration.Options["awslogs-stream-prefix"]
		}
	}
	return "", ""
}
