package operate

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"slipway/cmd/slipway/commandline"
	"slipway/cmd/slipway/interrupts"
	"slipway/operation"
	"slipway/operation/account"
	"slipway/operation/account/process"
	"slipway/screen"
)

func execCommand(t *Tools) *cobra.Command {
	var args operation.ExecArgs
	cmd := &cobra.Command{
		Use:   "exec [-- COMMAND [ARGUMENT]...]",
		Short: "Run a command in a running task, or open a shell there",
		Long: `Exec runs a command in a container of a task that runs already, with ECS Exec: without a command, a shell. On a terminal the
command may ask questions, and the keys are its own, Ctrl-C too. If stdin or stdout is not a terminal, stdout has what the command writes
and nothing else, the command reads no input, and its exit code is that of this command.

ECS Exec runs commands as root and records them. It needs AWS's Session Manager plugin. For a command that takes long, or a lot of memory,
see slipway task. A rehearsed stack must be up with --run; the command then runs as the container's user.`,
		Example: `  slipway exec -- python manage.py createsuperuser
  slipway exec --service feed -- ps
  slipway exec --container nginx --stack prod --live
  slipway exec -s prod --live -- python manage.py dumpdata auth > auth.json`,
		Args: afterDash,
		RunE: t.on(func(ctx context.Context, target operation.Target, command []string) error {
			args.Command, args.Streams = command, t.streams()
			args.Began = func(task account.Task, container string) func() {
				t.Say("Task %s, container %s.", task.ID, container)
				return t.cede(ctx, args.Streams, true)
			}
			return operation.Exec(ctx, target, args)
		}),
	}
	cmd.Flags().StringVar(&args.Service, "service", "", "a task of this service: web, or a worker's `name` (default web)")
	cmd.Flags().StringVar(&args.Task, "task", "", "the task with this `ID`, or the beginning of one (default the newest)")
	cmd.Flags().StringVar(&args.Container, "container", "", "the `name` of the container (default django)")
	return cmd
}

func shellCommand(t *Tools) *cobra.Command {
	return &cobra.Command{
		Use:   "shell",
		Short: "Open a shell on the bastion",
		Long: `Shell opens a session on the bastion with Session Manager and the stack's own document, which records and encrypts it. The bastion
has psql and reaches the database, but has no password. It needs AWS's Session Manager plugin. The bastion of a rehearsal is
only modelled.`,
		Example: `  slipway shell --stack prod --live`,
		Args:    commandline.None,
		RunE: t.on(func(ctx context.Context, target operation.Target, _ []string) error {
			streams := t.streams()
			return operation.Shell(ctx, target, operation.ShellArgs{Streams: streams,
				Began: func() func() { return t.cede(ctx, streams, true) }})
		}),
	}
}

// streams are those of a program of the site. It talks to the terminal if both its ends are there.
func (t *Tools) streams() process.Streams {
	out, _ := t.Stdout.(*os.File)
	return process.Streams{In: os.Stdin, Out: t.Stdout, Err: os.Stderr,
		Terminal: term.IsTerminal(int(os.Stdin.Fd())) && out != nil && term.IsTerminal(int(out.Fd()))}
}

// cede gives the keyboard's signals to a program that talks to the terminal.
func (t *Tools) cede(ctx context.Context, s process.Streams, far bool) (back func()) {
	if !s.Terminal {
		return func() {}
	}
	return interrupts.Cede(ctx, far)
}

// afterDash refuses arguments before --, which may be a command whose own flags would be read as those of slipway.
func afterDash(cmd *cobra.Command, args []string) error {
	if dash := cmd.ArgsLenAtDash(); len(args) > 0 && dash != 0 {
		return fmt.Errorf("write -- before what is not for slipway: %s -- %s", cmd.CommandPath(), screen.CommandLine(args...))
	}
	return nil
}
