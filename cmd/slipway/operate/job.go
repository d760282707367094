package operate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"slipway/cmd/slipway/commandline"
	"slipway/operation"
	"slipway/operation/account"
)

func taskCommand(t *Tools) *cobra.Command {
	var args operation.TaskArgs
	cmd := &cobra.Command{
		Use:   "task -- COMMAND [ARGUMENT]...",
		Short: "Run a command as a task of its own",
		Long: `Task starts a Fargate task from the image and the environment of the running release, without nginx, and runs one command in it, as
the site's own database role. It writes the task's log to stdout while the command runs, and exits with the command's exit code. Ctrl-C
stops the task. The command reads no input: what asks questions needs slipway exec.

With --detach it only starts the task, and prints its ARN.`,
		Example: `  slipway task -- python manage.py clearsessions
  slipway task --cpu 1024 --memory 4096 -- python manage.py rebuild_index
  slipway task --detach --stack prod --live -- python manage.py import photos`,
		Args: afterDash,
		RunE: t.on(func(ctx context.Context, target operation.Target, command []string) error {
			if len(command) == 0 {
				return operation.UsageError{Err: errors.New("name the command, after --: slipway task -- python manage.py check")}
			}
			args.Command = command
			t.follow(&args)
			result, err := operation.Task(ctx, target, args)
			return t.ran(result, err)
		}),
	}
	cmd.Flags().IntVar(&args.CPU, "cpu", 0, "the task's CPU `units`; 1024 are one vCPU (default as the web service's)")
	cmd.Flags().IntVar(&args.Memory, "memory", 0, "the task's memory in `MiB` (default as the web service's)")
	cmd.Flags().BoolVar(&args.Detach, "detach", false, "only start the task, and print its ARN")
	return cmd
}

func jobCommand(t *Tools) *cobra.Command {
	return &cobra.Command{
		Use:   "job NAME",
		Short: "Run a scheduled job now",
		Long: `Job starts one of the stack's jobs as its schedule does, from the same task definition and in the same network. It writes the
task's log to stdout while the job runs, and exits with the job's exit code. Ctrl-C stops the task. A rehearsed stack must be up with
--run.`,
		Example: `  slipway job clean-up
  slipway job clean-up --stack prod --live`,
		Args: commandline.Exactly(1),
		RunE: t.on(func(ctx context.Context, target operation.Target, names []string) error {
			args := operation.TaskArgs{}
			t.follow(&args)
			result, err := operation.Job(ctx, target, names[0], args)
			return t.ran(result, err)
		}),
	}
}

// runCommand is what job was called before.
func runCommand() *cobra.Command {
	return &cobra.Command{
		Use: "run", Hidden: true, DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error {
			return operation.UsageError{Err: errors.New("run is called job now: slipway " + strings.Join(append([]string{"job"}, args...), " "))}
		},
	}
}

// follow writes what a task does while it runs: its log to stdout, or to stderr if stdout is for JSON.
func (t *Tools) follow(args *operation.TaskArgs) {
	to := t.Stdout
	if t.JSON() {
		to = os.Stderr
	}
	args.Started = func(arn string) { t.Say("Task %s", arn) }
	args.Line = func(text string) { fmt.Fprintln(to, text) }
}

// ran writes how a task ended, or that it was started.
func (t *Tools) ran(result account.JobResult, err error) error {
	var exit *operation.ExitError
	if err != nil && !errors.As(err, &exit) {
		return err
	}
	wrong := t.Print(result, func() {
		if result.Running {
			fmt.Fprintln(t.Stdout, result.ARN)
		}
	})
	if result.Running {
		t.Say("It runs on its own. To follow it:\n  %s", result.Follow)
	}
	return errors.Join(wrong, err)
}
