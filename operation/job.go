package operation

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"slipway/internal/fargate/size"
	"slipway/operation/account"
)

// TaskArgs say what a one-off task runs, and who hears of it.
type TaskArgs struct {
	Command     []string
	CPU, Memory int // units and MiB; 0: the web service's
	Detach      bool

	Started func(arn string)
	Line    func(text string) // of its log
}

// Task runs a command as a task of its own, with the image and the environment of the running release.
func Task(ctx context.Context, t Target, args TaskArgs) (result account.JobResult, err error) {
	e, err := enter(ctx, t, "task", func(d inside) (err error) {
		if d.task.definition == "" {
			return fmt.Errorf("stack %s has no definition of one-off tasks yet: an earlier version of Slipway deployed it; "+
				"the next up makes it: slipway up%s", t.Stack, t.Flags())
		}
		args.CPU, args.Memory, err = d.size(args.CPU, args.Memory)
		return err
	})
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	return e.run(ctx, e.deployed.task, "slipway task", args)
}

// size completes the size of a one-off task, and checks it.
func (d inside) size(cpu, memory int) (int, int, error) {
	if cpu == 0 && memory == 0 {
		return 0, 0, nil
	}
	own := d.sizes[d.task.definition]
	if cpu == 0 {
		cpu = own.cpu
	}
	if memory == 0 {
		memory = own.memory
	}
	if err := size.Check(cpu, memory); err != nil {
		return 0, 0, UsageError{fmt.Errorf("no task of Fargate has this size: %w; give --cpu and --memory together", err)}
	}
	return cpu, memory, nil
}

// Job runs a scheduled job now, as its schedule would.
func Job(ctx context.Context, t Target, name string, args TaskArgs) (result account.JobResult, err error) {
	e, err := enter(ctx, t, "job", func(d inside) error { return d.hasJob(name) })
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	return e.run(ctx, e.deployed.jobs[name], "slipway job "+name, args)
}

// hasJob says which jobs there are if there is none of this name.
func (d inside) hasJob(name string) error {
	if _, there := d.jobs[name]; there {
		return nil
	}
	names := slices.Sorted(maps.Keys(d.jobs))
	known := "the stack has " + strings.Join(names, ", ")
	if len(names) == 0 {
		known = "the stack has none"
	} else if near := Near(name, names); near != "" {
		known = "did you mean " + near + "?"
	}
	return UsageError{fmt.Errorf("there is no job %q: %s", name, known)}
}

// run runs a task to its end.
func (e *entrance) run(ctx context.Context, where placed, by string, args TaskArgs) (account.JobResult, error) {
	group, prefix := e.deployed.log(where.definition, appContainer)
	if group == "" && !args.Detach {
		e.target.Progress.Logf("Its log goes to Firehose, not to CloudWatch, so its lines are not shown here: slipway logs%s", e.target.Flags())
	}
	result, err := e.sessions.Run(ctx, account.OneOff{
		Cluster: e.deployed.cluster, TaskDefinition: where.definition, Subnets: where.subnets, SecurityGroups: where.securityGroups,
		Container: appContainer, Command: args.Command, CPU: args.CPU, Memory: args.Memory, LogGroup: group, LogPrefix: prefix,
		StartedBy: by, Detach: args.Detach, Started: args.Started, Line: args.Line,
	})
	if errors.Is(err, context.Canceled) && result.ARN != "" {
		e.target.Progress.Logf("Task %s: %s.", result.ARN, result.Reason)
	}
	if err == nil {
		err = ended("task "+result.ARN[strings.LastIndex(result.ARN, "/")+1:], result.ExitCode, result.Reason)
	}
	return result, err
}
