package operation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
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
	Began func(task account.Task, container string) (over func())
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
	var services []*part
	e, err := enter(ctx, t, "exec", func(l *layout) (err error) {
		services, err = l.choose(args.Service, args.Task)
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
	session, err := e.sessions.Exec(ctx, account.Exec{Cluster: e.layout.cluster, Task: task, Container: container, Command: args.Command,
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
func (l *layout) choose(service, task string) (chosen []*part, err error) {
	if service != "" || task == "" {
		p, err := l.service(cmp.Or(service, "web"))
		return []*part{p}, err
	}
	for i := range l.parts {
		if l.parts[i].Service != "" {
			chosen = append(chosen, &l.parts[i])
		}
	}
	return chosen, nil
}

// tasks are the running tasks of some services, the newest of each first.
func (e *entrance) tasks(ctx context.Context, services []*part) (running []account.Task, err error) {
	all, err := e.account.Observe().Tasks(ctx, e.layout.cluster)
	slices.SortStableFunc(all, func(a, b account.Task) int { return b.Started.Compare(a.Started) })
	for _, service := range services {
		for _, t := range all {
			if t.Service == service.Service && t.Status == "RUNNING" && !t.Stops {
				running = append(running, t)
			}
		}
	}
	return running, err
}

// find finds a running task of some services: the newest, or the one whose ID begins like this.
func (e *entrance) find(ctx context.Context, services []*part, id string) (none account.Task, err error) {
	id = id[strings.LastIndex(id, "/")+1:]
	tasks, err := e.tasks(ctx, services)
	if err != nil {
		return none, err
	}
	var found []account.Task
	var running, ids, names []string
	for _, t := range tasks {
		running = append(running, strings.TrimPrefix(t.Service, e.layout.prefix)+" "+t.ID)
		if strings.HasPrefix(t.ID, id) {
			found, ids = append(found, t), append(ids, t.ID)
		}
	}
	for _, s := range services {
		names = append(names, s.Name)
	}
	where := "service " + strings.Join(names, ", ")
	switch {
	case len(running) == 0:
		return none, fmt.Errorf("no task of %s runs; what has happened to it: slipway status%s", where, e.target.Flags())
	case len(found) == 0:
		return none, fmt.Errorf("no running task of %s has an ID that begins with %s; these run:\n  %s", where, id,
			strings.Join(running, "\n  "))
	case id != "" && len(found) > 1:
		return none, UsageError{fmt.Errorf("--task %s is ambiguous; give more of the ID:\n  %s", id, strings.Join(ids, "\n  "))}
	case !found[0].Exec:
		return none, fmt.Errorf("task %s started without ECS Exec; a new one has it: slipway restart%s", found[0].ID, e.target.Flags())
	}
	return found[0], nil
}

// containerIn is the name of a container of a task.
func containerIn(task account.Task, name string) (string, error) {
	if name == "" {
		name = appContainer
	}
	var names []string
	for _, c := range task.Containers {
		if c.Name == name && !c.Exec {
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
	e, err := enter(ctx, t, "shell", func(l *layout) error {
		if l.instance == "" {
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
	session, err := e.sessions.Shell(ctx, e.layout.instance, e.layout.document)
	if err != nil {
		return err
	}
	over := args.Began()
	defer over()
	_, err = session.Run(ctx, args.Streams)
	return err
}
