package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"slipway/cmd/slipway/commandline"
	"slipway/cmd/slipway/interrupts"
	"slipway/engine"
	"slipway/operation"
	"slipway/operation/account"
	"slipway/screen"
)

// modelHooks let tests read the model of a rehearsal, and inject faults.
var modelHooks operation.ModelHooks

// An invocation is one run of the command: its flags, and where it writes.
type invocation struct {
	out        *output
	interrupts *interrupts.Interrupts
	began      bool // the command line was understood

	dir       string   // to work in; "": here
	args      []string // of the command line
	stack     string
	live      bool          // in the stack's own account, not in the model
	yes       bool          // do not ask, except about a loss
	dryRun    bool          // stop after the plan
	confirmed string        // --confirm: the stack whose data may be lost
	wait      time.Duration // for a stack that is in use
	overrides []string
	scp       []string // files
	faults    []string // of the model
	whatIf    operation.WhatIf
	run       operation.Containers // up and rehearse
}

func newInvocation(out *output, listening *interrupts.Interrupts) *invocation {
	return &invocation{out: out, interrupts: listening}
}

// target is the stack that the flags name.
func (i *invocation) target() (operation.Target, error) {
	root, err := operation.FindRoot()
	if err != nil {
		return operation.Target{}, err
	}
	t := operation.Target{
		Root: root, Stack: i.stack, Live: i.live, Overrides: i.overrides, SCP: i.scp, Faults: i.faults, WhatIf: i.whatIf,
		Containers: i.run,
		Progress:   i.out.progress, Confirm: i.confirm, OnEngine: func(s *engine.Stack) { i.interrupts.On(s) }, Model: modelHooks,
	}
	t.Containers.Ask, i.out.progress.usual = i.askSecret, t.Usual
	return t, nil
}

// flags are what a suggested command needs to work on the same stack.
func (i *invocation) flags() string { return operation.Target{Stack: i.stack, Live: i.live}.Flags() }

// confirm asks whether to continue, on a terminal.
func (i *invocation) confirm(what string, where account.Identity) error {
	if i.yes {
		return nil
	}
	answer, err := i.ask(fmt.Sprintf("This is %s of stack %s in %s, as %s. Type yes to continue: ", what, i.stack, where, where.Caller))
	if err != nil {
		return fmt.Errorf("%s of stack %s changes %s: %w; nothing was done\nto do it, run: %s", what, i.stack, where, err, i.commandWith("--yes"))
	}
	if answer != "yes" {
		return errors.New("nothing was done")
	}
	return nil
}

// ask asks a question on the terminal. An interrupt is no answer.
func (i *invocation) ask(question string) (string, error) {
	i.out.progress.Close()
	line, err := commandline.Ask(i.interrupts.Context, i.out.stderr, question)
	return strings.TrimSpace(line), err
}

// askSecret asks for the value of a secret, unless nothing is to be asked.
func (i *invocation) askSecret(ctx context.Context, name string) (string, error) {
	if i.yes {
		return "", nil
	}
	i.out.progress.Close()
	return screen.AskSecret(ctx, i.out.stderr, fmt.Sprintf("Value of the secret %s for the containers (Enter: a stand-in): ", name))
}

// argument is the only argument of a command that may have one.
func argument(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}
