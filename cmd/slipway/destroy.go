package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"slipway/cmd/slipway/commandline"
	"slipway/engine"
	"slipway/operation"
	"slipway/screen"
)

func destroyCommand(run *invocation) *cobra.Command {
	var keep bool
	var confirm string
	cmd := &cobra.Command{
		Use:   "destroy",
		Short: "Delete every resource of the stack, after saying what is lost",
		Long: `Destroy first lists what stands in the way and what is lost: protection, the database, full buckets and repositories,
running tasks, keys. To destroy a protected or live stack you confirm its name, on the terminal or with --confirm.

Then it scales every service to zero, lifts the protection, and deletes. The database of a protected stack leaves a final
snapshot, and the key that encrypts it stays too. All revisions of the task definitions are deregistered. With --keep-data
the database and the media stay, with the network and the keys that they need: the next up continues with them.

An unprotected rehearsed stack is destroyed without a question: the next up creates it again.`,
		Example: `  slipway destroy
  slipway destroy --stack prod --keep-data
  slipway destroy --stack prod --live --confirm prod`,
		Args: commandline.None,
		RunE: func(cmd *cobra.Command, _ []string) error { return destroy(cmd.Context(), run, keep, confirm) },
	}
	cmd.Flags().StringVar(&confirm, "confirm", "", "the `name` of the stack, to destroy it although it is protected or live")
	cmd.Flags().BoolVar(&keep, "keep-data", false, "keep the database and the media bucket, with what they need")
	return cmd
}

// destroyed is what destroy writes with --json.
type destroyed struct {
	Stack string `json:"stack"`
	engine.Summary
	Losses []operation.Loss `json:"losses"`
	Kept   []engine.Import  `json:"kept,omitempty"` // as `pulumi import --file` takes it
	Left   map[string]int   `json:"left,omitempty"`
}

func destroy(ctx context.Context, run *invocation, keep bool, confirm string) error {
	if confirm != "" && confirm != run.stack {
		return operation.UsageError{Err: fmt.Errorf("--confirm names %s, and the stack is %s", confirm, run.stack)}
	}
	target, err := run.target()
	if err != nil {
		return err
	}
	d, err := operation.Destroy(ctx, target, operation.DestroyArgs{KeepData: keep, Confirm: func(d operation.Destruction) error {
		return run.confirmDestruction(d, keep, confirm)
	}})
	if err != nil {
		return err
	}
	if d.Nothing {
		where := " here"
		if run.live {
			where = " in " + d.Where
		}
		run.out.say("There is nothing to destroy: stack %s was never deployed%s, or is already destroyed.", run.stack, where)
	}
	err = run.out.print(destroyed{run.stack, d.Result.Summary(), d.Losses, d.Kept, d.Left}, func() {})
	switch {
	case d.Nothing:
	case len(d.Left) > 0:
		err = errors.Join(err, fmt.Errorf("the stack is destroyed, but the model still holds %s", operation.Tally(d.Left)))
	case keep:
		run.out.say("Stack %s is down: %s, in %s. The database and the media stay, with what they need: %s in all.\n"+
			"To adopt them elsewhere, --json lists them as pulumi import --file takes them. Next, to continue with them here:\n  slipway up%s",
			run.stack, counted(d.Result), elapsed(d.Result.Took), screen.Some(len(d.Kept), "resource"), run.flags())
	case d.Key != "":
		run.out.say("Stack %s is gone: %s, in %s. What stays is the snapshot %s and the key that encrypts it, $1 a month:\n  %s",
			run.stack, counted(d.Result), elapsed(d.Result.Took), d.Snapshot, d.Key)
		if !run.live {
			break
		}
		run.out.say("To delete both later:\n"+
			"  aws rds delete-db-snapshot%s --db-snapshot-identifier %s\n  aws kms schedule-key-deletion%[1]s --key-id %[3]s",
			regionFlag(d.Key), d.Snapshot, d.Key)
	case run.live:
		run.out.say("Stack %s is gone: %s, in %s. It was in %s.", run.stack, counted(d.Result), elapsed(d.Result.Took), d.Where)
	default:
		run.out.say("Stack %s is gone: %s, in %s. The model of AWS is empty.", run.stack, counted(d.Result), elapsed(d.Result.Took))
	}
	return err
}

// confirmDestruction shows what is lost, and asks for the stack's name unless the next up of a rehearsal creates it
// again.
func (i *invocation) confirmDestruction(d operation.Destruction, keep bool, confirm string) error {
	say := i.out.say
	if (d.Protected || d.Live) && confirm != i.stack { // what is asked must be seen
		say = i.out.warn
	}
	say("Destroying stack %s means:", i.stack)
	for _, l := range d.Losses {
		say("  %-10s %s: %s", l.Kind, l.Name, l.Says)
	}
	if !d.Protected && !d.Live || confirm == i.stack {
		return nil
	}
	what := "live"
	if d.Protected {
		what = "protected"
	}
	name, err := i.ask(fmt.Sprintf("Stack %s is %s. Type its name to destroy it: ", i.stack, what))
	if errors.Is(err, commandline.ErrNoTerminal) {
		flags := i.flags()
		if keep {
			flags += " --keep-data"
		}
		return fmt.Errorf("stack %s is %s, and there is no terminal to confirm on; nothing was deleted\n"+
			"to destroy it, run: slipway destroy%s --confirm %s", i.stack, what, flags, i.stack)
	}
	switch {
	case err != nil:
		return fmt.Errorf("%w; nothing was deleted", err)
	case name != i.stack:
		return fmt.Errorf("%q is not the name of the stack; nothing was deleted", name)
	}
	return nil
}

// regionFlag is the flag of the AWS CLI for the region that an ARN names.
func regionFlag(arn string) string {
	if parts := strings.Split(arn, ":"); len(parts) > 3 {
		return " --region " + parts[3]
	}
	return ""
}
