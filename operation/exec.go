package operation

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"slipway/operation/account"
	"slipway/operation/account/process"
)

// ExecArgs say which container, and what to run in it.
type ExecArgs struct {
	Service   string // "": web
	Task      string // the beginning of an ID, or an ARN; "": the newest task of the service
	Container string // "": the application's
	Command   []string
	Streams   process.Streams
	// Began is called before the command begins. On a terminal the keyboard's signals are the command's from then on, until the function
	// that it returns is called.
	Began func(task account.RunningTask, container string) (over func())
}

// shell is the shell of an image that has one: bash is more comfortable.
var shell = []string{"sh", "-c", "if command -v bash >/dev/null; then exec bash; fi; exec sh"}

// Exec runs a command in a container of a running task.
func Exec(ctx context.Context, t Target, args ExecArgs) (err error) {
	if len(args.Command) == 0 {
		if !args.Streams.Terminal {
			return UsageError{fmt.Errorf("there is no terminal, which a shell needs; give a command: slipway exec%s -- python manage.py check",
				t.Flags())}
		}
		args.Command = shell
	}
	var services []string
	e, err := enter(ctx, t, "exec", func(d inside) (err error) {
		services, err = d.choose(args.Service, args.Task)
		return err
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	if err := e.sessions.Ready(ctx); err != nil {
		return err
	}
	task, err := e.find(ctx, services, args.Task)
	if err != nil {
		return err
	}
	container, err := containerIn(task, args.Container)
	if err != nil {
		return err
	}
	session, err := e.sessions.Exec(ctx, account.Exec{Cluster: e.deployed.cluster, Task: task, Container: container, Command: args.Command,
		Terminal: args.Streams.Terminal})
	if err != nil {
		return err
	}
	// A rehearsed stack is locked while it is open, and nothing more is asked of it.
	if err := e.close(); err != nil {
		return err
	}
	over := args.Began(task, container)
	exit, err := session.Run(ctx, args.Streams)
	over()
	if err != nil {
		return err
	}
	return ended("the command", exit, "")
}

// choose returns the services whose tasks are looked at.
func (d inside) choose(service, task string) ([]string, error) {
	if service == "" && task != "" {
		return slices.Sorted(maps.Keys(d.services)), nil
	}
	if service == "" {
		service = "web"
	}
	name, err := d.service(service)
	return []string{name}, err
}

// find finds a running task of some services: the newest, or the one whose ID begins like this.
func (e *entrance) find(ctx context.Context, services []string, id string) (account.RunningTask, error) {
	id = id[strings.LastIndex(id, "/")+1:]
	var found []account.RunningTask
	var running []string
	for _, service := range services {
		tasks, err := e.sessions.Tasks(ctx, account.TaskQuery{Cluster: e.deployed.cluster, Service: e.deployed.services[service]})
		if err != nil {
			return account.RunningTask{}, err
		}
		for _, t := range tasks {
			running = append(running, service+" "+t.ID)
			if strings.HasPrefix(t.ID, id) {
				found = append(found, t)
			}
		}
	}
	where := "service " + strings.Join(services, ", ")
	switch {
	case len(running) == 0:
		return account.RunningTask{}, fmt.Errorf("no task of %s runs; what has happened to it: slipway status%s", where, e.target.Flags())
	case len(found) == 0:
		return account.RunningTask{}, fmt.Errorf("no running task of %s has an ID that begins with %s; these run:\n  %s", where, id,
			strings.Join(running, "\n  "))
	case id != "" && len(found) > 1:
		var ids []string
		for _, t := range found {
			ids = append(ids, t.ID)
		}
		return account.RunningTask{}, UsageError{fmt.Errorf("--task %s is ambiguous; give more of the ID:\n  %s", id, strings.Join(ids, "\n  "))}
	case !found[0].Exec:
		return account.RunningTask{}, fmt.Errorf("task %s started without ECS Exec; a new one has it: slipway restart%s", found[0].ID, e.target.Flags())
	}
	return found[0], nil
}

// containerIn is the name of a container of a task.
func containerIn(task account.RunningTask, name string) (string, error) {
	if name == "" {
		name = appContainer
	}
	var names []string
	for _, c := range task.Containers {
		if c.Name == name && !c.Ready {
			return "", fmt.Errorf("the agent of ECS Exec does not run in container %s of task %s (yet: it needs up to a minute after the start)",
				name, task.ID)
		}
		if c.Name == name {
			return name, nil
		}
		names = append(names, c.Name)
	}
	slices.Sort(names)
	return "", UsageError{fmt.Errorf("task %s has no container %q; its containers are %s", task.ID, name, strings.Join(names, ", "))}
}

// ShellArgs say what a shell on the bastion gets.
type ShellArgs struct {
	Streams process.Streams
	Began   func() (over func())
}

// Shell opens a shell on the bastion.
func Shell(ctx context.Context, t Target, args ShellArgs) (err error) {
	if !args.Streams.Terminal {
		return UsageError{errors.New("there is no terminal, which a shell needs")}
	}
	e, err := enter(ctx, t, "shell", func(d inside) error {
		if d.instance == "" {
			return fmt.Errorf("stack %s has no bastion (bastion.enabled in Pulumi.%[1]s.yaml); to get into a task: slipway exec%[2]s; to the "+
				"database: slipway db psql%[2]s", t.Stack, t.Flags())
		}
		return nil
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	if err := e.sessions.Ready(ctx); err != nil {
		return err
	}
	session, err := e.sessions.Shell(ctx, e.deployed.instance, e.deployed.document)
	if err != nil {
		return err
	}
	over := args.Began()
	defer over()
	_, err = session.Run(ctx, args.Streams)
	return err
}
