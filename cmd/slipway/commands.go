package main

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"slipway/cmd/slipway/commandline"
	"slipway/cmd/slipway/operate"
	"slipway/internal/version"
	"slipway/operation"
)

// groups are the groups of commands in the help, by what people want to do.
var groups = []struct {
	title    string
	commands []string
}{
	{"Deploy", []string{"up", "preview", "rehearse", "destroy"}},
	{"Release", []string{"promote", "rollback", "releases"}},
	{"Inspect", []string{"status", "logs", "doctor", "check", "outputs", "stacks", "drift", "why", "export"}},
	{"Operate", []string{"exec", "task", "job", "shell", "db", "scale", "restart", "pause", "resume", "policy", "unlock"}},
	{"Set up", []string{"init", "bootstrap", "secret", "ci", "comment", "schema"}},
}

// nameless are the commands that --live does not need a stack for: they work on all, on those of their own flags, or on none.
var nameless = []string{"stacks", "promote", "github", "ci", "comment", "schema", "slipway"}

// rootCommand is the command with all its subcommands.
func rootCommand(run *invocation) *cobra.Command {
	root := &cobra.Command{
		Use:   "slipway",
		Short: "A Django site on AWS Fargate, rehearsed",
		Long:  commandline.Help,
		Example: `  slipway up                            deploy the stack local; again: nothing changes
  slipway preview --config web.max=6    what would change with another setting
  slipway outputs                       where the site is
  slipway rehearse --stack prod         would prod deploy, stay unchanged and be destroyed?
  slipway destroy                       take the stack down`,
		Version:                    version.String(),
		Args:                       commandline.None,
		SilenceErrors:              true,
		SilenceUsage:               true,
		SuggestionsMinimumDistance: 2,
		PersistentPreRunE:          func(cmd *cobra.Command, _ []string) error { return run.prepare(cmd) },
		RunE:                       func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetFlagErrorFunc(commandline.FlagError)
	run.globalFlags(root)
	root.AddCommand(run.subcommands()...)
	run.letWait(root)
	run.group(root)
	root.SetHelpCommand(commandline.HelpCommand())
	root.SetHelpCommandGroupID("Set up")
	root.SetCompletionCommandGroupID("Set up")
	root.InitDefaultCompletionCmd()
	if cmd, _, err := root.Find([]string{"completion"}); err == nil {
		cmd.Args, cmd.RunE = commandline.None, func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	}
	commandline.Words{Enter: run.enter, Target: run.completing, Schemas: schemas.Names}.Complete(root)
	run.understand(root)
	return root
}

func (i *invocation) globalFlags(root *cobra.Command) {
	flags := root.PersistentFlags()
	flags.StringVarP(&i.dir, "directory", "C", "", "work in this `folder` instead of the current one")
	flags.StringVarP(&i.stack, "stack", "s", operation.DefaultStack,
		"the stack: the middle of Pulumi.<stack>.yaml; SLIPWAY_STACK names another default")
	flags.BoolVar(&i.live, "live", false, "work on the stack's AWS account instead of the model")
	flags.BoolVarP(&i.yes, "yes", "y", false, "with --live: do not ask before the account is changed, unless data would be lost")
	flags.BoolVar(&i.out.json, "json", i.out.json, "write the result, or the error, to stdout as JSON")
	flags.BoolVarP(&i.out.verbose, "verbose", "v", false, "show every resource, not only every component")
	flags.BoolVarP(&i.out.quiet, "quiet", "q", false, "show no progress and no messages, only data, warnings, questions and errors")
	root.MarkFlagsMutuallyExclusive("verbose", "quiet")
}

// subcommands are the commands, each with the groups of flags that it shares with others.
func (i *invocation) subcommands() []*cobra.Command {
	configured := func(cmd *cobra.Command) *cobra.Command {
		return commandline.ConfigFlags(cmd, &i.overrides, &i.scp, &i.faults)
	}
	trying := func(cmd *cobra.Command) *cobra.Command { return commandline.WhatIfFlags(cmd, &i.whatIf) }
	running := func(cmd *cobra.Command) *cobra.Command { return commandline.ContainerFlags(cmd, &i.run) }
	return append([]*cobra.Command{
		i.planFlags(running(configured(upCommand(i)))),
		trying(configured(previewCommand(i))),
		configured(commandline.CheckCommand(func() operation.Target {
			return operation.Target{Stack: i.stack, Overrides: i.overrides}
		}, i.out.print)),
		i.planFlags(running(configured(promoteCommand(i)))),
		i.planFlags(running(configured(rollbackCommand(i)))),
		releasesCommand(i),
		destroyCommand(i),
		driftCommand(i),
		trying(configured(whyCommand(i))),
		bootstrapCommand(i),
		stacksCommand(i),
		unlockCommand(i),
		outputsCommand(i),
		exportCommand(i),
		commandline.CICommand(commandline.Writers{Say: i.out.say, Print: i.out.print, Stdout: i.out.stdout}),
		commentCommand(i),
		schemaCommand(i),
		trying(running(configured(rehearseCommand(i)))),
	}, operate.Commands(&operate.Tools{
		Target: i.target, Print: i.out.print, Say: i.out.say, Ask: i.ask,
		Yes: func() bool { return i.yes }, JSON: func() bool { return i.out.json },
		Stdout: i.out.stdout, Data: i.out.data, Words: i.out.words,
	})...)
}

// group sorts the commands of the help into groups.
func (i *invocation) group(root *cobra.Command) {
	for _, g := range groups {
		root.AddGroup(&cobra.Group{ID: g.title, Title: g.title + ":"})
		for _, name := range g.commands {
			cmd, _, _ := root.Find([]string{name})
			cmd.GroupID = g.title
			i.out.commands = append(i.out.commands, name)
		}
	}
}

// understand makes every command note that its command line was understood. Cobra checks required flags and groups of flags after
// every other hook, right before it runs the command.
func (i *invocation) understand(cmd *cobra.Command) {
	if run := cmd.RunE; run != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			i.began = true
			return run(cmd, args)
		}
	}
	for _, sub := range cmd.Commands() {
		i.understand(sub)
	}
}

// prepare checks the flags that all commands have, and goes to the folder that they name.
func (i *invocation) prepare(cmd *cobra.Command) error {
	named := cmd.Flags().Changed("stack")
	if other := os.Getenv(operation.StackVariable); other != "" && !named {
		if err := operation.CheckStackName(other); err != nil {
			return fmt.Errorf("%s: %w", operation.StackVariable, err)
		}
		i.stack, named = other, true
	}
	switch err := operation.CheckStackName(i.stack); {
	case err != nil:
		return fmt.Errorf("--stack: %w", err)
	case i.live && (i.run.Run || len(i.scp)+len(i.faults) > 0 || cmd.Name() == "rehearse"):
		return errors.New("--live: --run, --scp and --faults work only in a rehearsal")
	case i.live && !named && !slices.Contains(nameless, cmd.Name()):
		return fmt.Errorf("--live: name the stack whose account it is, with --stack or %s", operation.StackVariable)
	}
	if err := i.enter(); err != nil {
		return err
	}
	i.out.detail(cmd.Name())
	return nil
}

// enter goes to the folder of -C.
func (i *invocation) enter() error {
	if i.dir == "" {
		return nil
	}
	if err := os.Chdir(i.dir); err != nil {
		return fmt.Errorf("-C: %w", err)
	}
	i.out.dir = i.dir
	return nil
}

// completing is the stack of a command line that is being completed; "" is the one of its flags.
func (i *invocation) completing(cmd *cobra.Command, stack string) (operation.Target, error) {
	if err := i.prepare(cmd); err != nil {
		return operation.Target{}, err
	}
	if stack != "" {
		i.stack = stack
	}
	return i.target()
}
