package operation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
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
	e, err := enter(ctx, t, "task", func(l *layout) (err error) {
		if l.oneOff == "" {
			return fmt.Errorf("stack %s has no definition of one-off tasks yet: an earlier version of Slipway deployed it; "+
				"the next up makes it: slipway up%s", t.Stack, t.Flags())
		}
		args.CPU, args.Memory, err = l.of(l.oneOff).size(args.CPU, args.Memory)
		return err
	})
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	return e.run(ctx, e.layout.of(e.layout.oneOff), "slipway task", args)
}

// size completes the size of a one-off task, and checks it.
func (p *part) size(cpu, memory int) (int, int, error) {
	if cpu == 0 && memory == 0 {
		return 0, 0, nil
	}
	cpu, memory = cmp.Or(cpu, p.CPU), cmp.Or(memory, p.Memory)
	if err := size.Check(cpu, memory); err != nil {
		return 0, 0, UsageError{fmt.Errorf("no task of Fargate has this size: %w; give --cpu and --memory together", err)}
	}
	return cpu, memory, nil
}

// Job runs a scheduled job now, as its schedule would.
func Job(ctx context.Context, t Target, name string, args TaskArgs) (result account.JobResult, err error) {
	var job *part
	e, err := enter(ctx, t, "job", func(l *layout) (err error) {
		job, err = l.job(name)
		return err
	})
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	return e.run(ctx, job, "slipway job "+name, args)
}

// job finds a job by its name.
func (l *layout) job(name string) (*part, error) {
	if p := l.part("job-" + name); p != nil && p.Schedule != "" {
		return p, nil
	}
	var names []string
	for _, p := range l.parts {
		if p.Schedule != "" {
			names = append(names, strings.TrimPrefix(p.Name, "job-"))
		}
	}
	known := "the stack has " + strings.Join(names, ", ")
	if len(names) == 0 {
		known = "the stack has none"
	} else if near := Near(name, names); near != "" {
		known = "did you mean " + near + "?"
	}
	return nil, UsageError{fmt.Errorf("there is no job %q: %s", name, known)}
}

// run runs a task to its end.
func (e *entrance) run(ctx context.Context, p *part, by string, args TaskArgs) (account.JobResult, error) {
	log := p.container(appContainer)
	if log.Group == "" && !args.Detach {
		e.target.Progress.Logf("Its log goes to Firehose, not to CloudWatch, so its lines are not shown here: slipway logs%s", e.target.Flags())
	}
	result, err := e.sessions.Run(ctx, account.OneOff{
		Cluster: e.layout.cluster, TaskDefinition: p.Definition, Subnets: p.Subnets, SecurityGroups: p.Groups,
		Container: appContainer, Command: args.Command, CPU: args.CPU, Memory: args.Memory, LogGroup: log.Group, LogPrefix: log.Prefix,
		StartedBy: by, Detach: args.Detach, Started: args.Started, Line: args.Line,
	})
	if result.Running && result.Follow == "" {
		result.Follow = fmt.Sprintf("slipway logs%s --service %s --follow", e.target.Flags(), p.Name)
	}
	if errors.Is(err, context.Canceled) && result.ARN != "" {
		e.target.Progress.Logf("Task %s: %s.", result.ARN, result.Reason)
	}
	if err == nil {
		err = ended("task "+result.ARN[strings.LastIndex(result.ARN, "/")+1:], result.ExitCode, result.Reason)
	}
	return result, err
}
