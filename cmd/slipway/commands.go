package main

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"slipway/cmd/slipway/commandline"
	"slipway/operation"
)

// groups are the groups of commands in the help, by what people want to do.
var groups = []struct {
	title    string
	commands []string
}{
	{"Deploy", []string{"up", "preview", "rehearse", "destroy"}},
	{"Release", []string{"promote", "rollback", "releases"}},
	{"Inspect", []string{"check", "outputs", "stacks", "drift", "why", "export"}},
	{"Operate", []string{"unlock", "run"}},
	{"Set up", []string{"bootstrap", "ci", "comment", "schema"}},
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
		Version:                    commandline.Version(),
		Args:                       commandline.None,
		SilenceErrors:              true,
		SilenceUsage:               true,
		SuggestionsMinimumDistance: 2,
		PersistentPreRunE:          func(cmd *cobra.Command, _ []string) error { return run.prepare(cmd) },
		RunE:                       func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetFlagErrorFunc(commandline.FlagError)
	flags := root.PersistentFlags()
	flags.StringVarP(&run.dir, "directory", "C", "", "work in this `folder` instead of the current one")
	flags.StringVarP(&run.stack, "stack", "s", operation.DefaultStack,
		"the stack: the middle of Pulumi.<stack>.yaml; SLIPWAY_STACK names another default")
	flags.BoolVar(&run.live, "live", false, "work on the stack's AWS account instead of the model")
	flags.BoolVarP(&run.yes, "yes", "y", false, "with --live: do not ask before the account is changed, unless data would be lost")
	flags.BoolVar(&run.out.json, "json", run.out.json, "write the result, or the error, to stdout as JSON")
	flags.BoolVarP(&run.out.verbose, "verbose", "v", false, "show every resource, not only every component")
	flags.BoolVarP(&run.out.quiet, "quiet", "q", false, "show no progress and no messages, only data, warnings, questions and errors")
	root.MarkFlagsMutuallyExclusive("verbose", "quiet")

	configured := func(cmd *cobra.Command) *cobra.Command {
		cmd.Flags().StringArrayVarP(&run.overrides, "config", "c", nil,
			"a setting for this run, as `key=value`: web.max=6, aws:region=eu-west-1, 'env.SITE_TITLE=Shop #1'")
		cmd.Flags().StringArrayVar(&run.scp, "scp", nil, "in the model: a `FILE` with a service control policy (one for each level, root first) "+
			"or a resource control policy")
		cmd.Flags().StringSliceVar(&run.faults, "faults", nil,
			"in the model: `FAULTS` to play; iam-delay: services see new roles and policies late")
		return cmd
	}
	trying := func(cmd *cobra.Command) *cobra.Command {
		w := &run.whatIf
		cmd.Flags().StringArrayVar(&w.Without, "without", nil, "try: without a `[TYPE::]NAME`, or without one statement of its policy, NAME#Sid")
		cmd.Flags().StringArrayVar(&w.With, "with", nil, "try: with another value of a property, as `[TYPE::]NAME.path=value`; the value is JSON")
		cmd.Flags().StringArrayVar(&w.Add, "add", nil,
			"try: with the resources of a `FILE` in Pulumi YAML, which may refer to others by ${NAME.output}")
		cmd.Flags().StringArrayVar(&w.Files, "file", nil, "try: with another file of the app, as `PATH=FILE`")
		return cmd
	}
	running := func(cmd *cobra.Command) *cobra.Command {
		cmd.Flags().BoolVar(&run.runs, "run", false, "also run what is deployed, as containers of the Docker engine")
		cmd.Flags().StringVar(&run.postgres, "postgres", "", "with --run: the image of the database (default the official one of its version)")
		return cmd
	}
	root.AddCommand(
		run.planFlags(running(configured(upCommand(run)))),
		trying(configured(previewCommand(run))),
		configured(commandline.CheckCommand(func() operation.Target {
			return operation.Target{Stack: run.stack, Overrides: run.overrides}
		}, run.out.print)),
		run.planFlags(running(configured(promoteCommand(run)))),
		run.planFlags(running(configured(rollbackCommand(run)))),
		releasesCommand(run),
		destroyCommand(run),
		driftCommand(run),
		trying(configured(whyCommand(run))),
		bootstrapCommand(run),
		stacksCommand(run),
		unlockCommand(run),
		outputsCommand(run),
		exportCommand(run),
		ciCommand(run),
		commentCommand(run),
		schemaCommand(run),
		jobCommand(run),
		trying(running(configured(rehearseCommand(run)))),
	)
	run.letWait(root)
	for _, g := range groups {
		root.AddGroup(&cobra.Group{ID: g.title, Title: g.title + ":"})
		for _, name := range g.commands {
			cmd, _, _ := root.Find([]string{name})
			cmd.GroupID = g.title
			run.out.commands = append(run.out.commands, name)
		}
	}
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
	case i.live && (i.runs || len(i.scp)+len(i.faults) > 0 || slices.Contains([]string{"rehearse", "run"}, cmd.Name())):
		return errors.New("--live: containers, rehearsals, --scp and --faults are of the model, not of an account")
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
