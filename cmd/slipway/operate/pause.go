package operate

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"slipway/operation"
	"slipway/screen"
)

func pauseCommand(t *Tools) *cobra.Command {
	return &cobra.Command{
		Use:   "pause",
		Short: "Take a stack out of use to save money: no tasks, no jobs, the database stopped",
		Long: `Pause suspends scaling, takes every service to zero, disables the schedules of jobs, and stops the database. Nothing is
lost, but the site is down. It first says what still costs money: NAT gateways, load balancer, storage. A protected or live stack is
paused only after yes, on the terminal or with --yes.

AWS starts a stopped database again after seven days, and pause says when. The tasks stay at zero then; repeat pause to stop the
database again. Until resume, up, promote, rollback and destroy are refused.

What was before is kept beside the state, so a pause that was interrupted can be repeated, or taken back with resume.`,
		Example: `  slipway pause --stack prod --yes
  slipway resume --stack prod`,
		Args: cobra.NoArgs,
		RunE: t.on(func(ctx context.Context, target operation.Target, _ []string) error {
			r, err := operation.Pause(ctx, target, operation.PauseArgs{Confirm: func(p operation.Pausing) error {
				return t.agreeToPause(target, p)
			}})
			if err != nil {
				return err
			}
			t.Say("Stack %s is paused. Back with:\n  slipway resume%s", target.Stack, target.Flags())
			if r.Starts != nil {
				t.Say("AWS starts the database again on %s: before that, resume, or pause again.", screen.Day(*r.Starts))
			}
			return t.Print(r, func() {})
		}),
	}
}

// agreeToPause shows what a pause means, and asks where the stack is protected or live.
func (t *Tools) agreeToPause(target operation.Target, p operation.Pausing) error {
	shown := screen.Pause{Stack: p.Stack, Where: p.Where, Services: p.Services, Schedules: p.Schedules, Database: p.Database,
		Dollars: p.Dollars(), Unpriced: p.Unpriced}
	for _, c := range p.Costs {
		shown.Costs = append(shown.Costs, c.String())
	}
	if p.Again {
		t.Say("Stack %s was paused on %s. What is still running is stopped now.", p.Stack, p.Since.Format(time.DateTime+" MST"))
	}
	t.Say("%s", strings.Join(shown.Lines(), "\n"))
	if !p.Live && !p.Protected || t.Yes() {
		return nil
	}
	what := map[bool]string{true: "live", false: "protected"}[p.Live]
	answer, err := t.Ask(fmt.Sprintf("Stack %s is %s. Type yes to pause it: ", p.Stack, what))
	if err != nil {
		return fmt.Errorf("stack %s is %s: %w; nothing was changed\nto pause it, run: slipway pause%s --yes", p.Stack, what, err,
			target.Flags())
	}
	if answer != "yes" {
		return errors.New("nothing was changed")
	}
	return nil
}

func resumeCommand(t *Tools) *cobra.Command {
	return &cobra.Command{
		Use:   "resume",
		Short: "Bring a paused stack back, as it was",
		Long: `Resume starts the database and waits for it, which takes minutes. Then it restores the tasks, the scaling and the schedules
that were before the pause, and waits for the verdict. After an interrupt, run it again: it continues from there.`,
		Example: `  slipway resume --stack prod --live`,
		Args:    cobra.NoArgs,
		RunE: t.on(func(ctx context.Context, target operation.Target, _ []string) error {
			r, err := operation.Resume(ctx, target)
			if err != nil {
				return err
			}
			if r.Nothing {
				t.Say("Stack %s is not paused. Nothing was changed.", target.Stack)
			} else {
				t.Say("Stack %s is back: %s.", target.Stack, r.Verdict)
			}
			return t.Print(r, func() {})
		}),
	}
}
