package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"slipway/cmd/slipway/commandline"
	"slipway/operation"
	"slipway/screen"
)

// planFlags adds the flags of the commands that show a plan before they change anything.
func (i *invocation) planFlags(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().BoolVar(&i.dryRun, "dry-run", false, "stop after the plan")
	cmd.Flags().StringVar(&i.confirmed, "confirm", "", "the `name` of the stack: go ahead although data would be lost")
	return cmd
}

// confirmPlan shows a plan, and asks where the user has to agree to it.
func (i *invocation) confirmPlan(p *operation.Plan) error {
	i.showPlan(p)
	if i.dryRun {
		return errors.Join(operation.ErrPlanned, i.out.print(p.Summary(), func() {}))
	}
	if err := i.agree(p); err != nil {
		return err
	}
	i.out.progress.expect(p.Result)
	return nil
}

// agree asks if data would be lost, or a real account changes.
func (i *invocation) agree(p *operation.Plan) error {
	loses := len(p.Losses) > 0
	switch {
	case i.confirmed == i.stack, !loses && (!i.live || i.yes || p.Result.Changed() == 0):
		return nil
	case !loses:
		return i.confirm(p.Operation, p.Where)
	}
	name, err := i.ask(fmt.Sprintf("This loses data of stack %s. Type its name to continue: ", i.stack))
	if errors.Is(err, commandline.ErrNoTerminal) {
		return fmt.Errorf("this loses data of stack %s, and there is no terminal to confirm on; nothing was done\nto do it, run: %s",
			i.stack, i.commandWith("--confirm", i.stack))
	}
	switch {
	case err != nil:
		return fmt.Errorf("%w; nothing was done", err)
	case name != i.stack:
		return fmt.Errorf("%q is not the name of the stack; nothing was done", name)
	}
	return nil
}

// commandWith is the command line of this run, with more words.
func (i *invocation) commandWith(more ...string) string {
	return screen.CommandLine(append(append([]string{"slipway"}, i.args...), more...)...)
}

// showPlan writes the plan to stderr, as messages are.
func (i *invocation) showPlan(p *operation.Plan) {
	i.out.progress.Close()
	if i.out.quiet && !i.live && !i.dryRun && len(p.Losses) == 0 {
		return
	}
	if !p.New { // of a stack that is new, everything
		look := screen.Look{Brief: true}
		if file, ok := i.out.stderr.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
			look.Width, _, _ = term.GetSize(int(file.Fd()))
			look.Colour = os.Getenv("NO_COLOR") == ""
		}
		shownPlan(p).Write(i.out.stderr, look)
	}
	i.out.say("Plan for %s: %s.", i.stack, planned(p.Result))
}

// shownPlan is a plan as the screen shows it.
func shownPlan(p *operation.Plan) screen.Plan {
	effects := func(all []operation.Effect) (shown []screen.Effect) {
		for _, e := range all {
			shown = append(shown, screen.Effect(e))
		}
		return shown
	}
	s := screen.Plan{Losses: effects(p.Losses), Downtime: effects(p.Downtime)}
	for _, c := range p.Changes {
		if !c.Component {
			s.Changes = append(s.Changes, shownChange(c))
		}
	}
	return s
}

func shownChange(c operation.PlannedChange) screen.Change {
	s := screen.Change{Op: c.Op, Name: c.Name(), Type: c.Type, Part: c.Part()}
	for _, d := range c.Details {
		s.Settings = append(s.Settings, screen.Setting(d))
	}
	if c.Details == nil { // from a file that an earlier version wrote
		for _, p := range c.Properties {
			s.Settings = append(s.Settings, screen.Setting{Op: "update", Name: p.Path, From: p.From, To: p.To,
				Replaces: strings.HasSuffix(p.Kind, "-replace")})
		}
	}
	return s
}
