package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"slipway/engine"
)

// A tool is one run of the command.
type tool struct {
	stdout, stderr io.Writer
	interrupts     *interrupts
	began          bool // the command line was understood

	stack     string
	live      bool // in the stack's own account, not in the model
	yes       bool // whatever would be asked is answered
	json      bool
	overrides []string
	comes     *coming // the release that is not built but runs again, or elsewhere
	runs      bool    // up and rehearse: with containers
	postgres  string  // the image that stands in for the database

	after []func() error // what is cleared away when the command is over

	backendURL string // of the stack, once bootstrap has found or made it
}

const help = `Slipway puts a Django site on AWS Fargate with one Pulumi program, and rehearses it.

Every command works on a model of AWS inside this process. The engine is the real Pulumi engine, and
the program is the one that "pulumi up" deploys; only the account is not real. No credentials are
read, no account is called and nothing costs money.

With --live a command works on the stack's own AWS account, with the credentials of the environment.
Begin there with "slipway bootstrap --live", and see README.md.

What a stack is made of is kept in .slipway/<stack>/. Delete that folder to forget it.`

var stackName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)

func (t *tool) command() *cobra.Command {
	root := &cobra.Command{
		Use:   "slipway",
		Short: "A Django site on AWS Fargate, rehearsed",
		Long:  help,
		Example: `  slipway up                            put the stack local up; again: nothing changes
  slipway preview --config web.max=6    what would change with another setting
  slipway outputs                       where the site is
  slipway rehearse --stack prod         would prod go up, stay as it is, and come down?
  slipway destroy                       take the stack down`,
		Args:          cobra.NoArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if !stackName.MatchString(t.stack) {
				return fmt.Errorf("--stack: %q is not the name of a stack", t.stack)
			}
			if t.live && (t.runs || slices.Contains([]string{"rehearse", "run"}, cmd.Name())) {
				return errors.New("--live: containers and rehearsals are of the model, not of an account")
			}
			t.began = true
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.PersistentFlags().StringVarP(&t.stack, "stack", "s", "local", "the stack: the middle of Pulumi.<stack>.yaml")
	root.PersistentFlags().BoolVar(&t.live, "live", false, "work on the stack's AWS account instead of the model")
	root.PersistentFlags().BoolVarP(&t.yes, "yes", "y", false, "with --live: do not ask before the account is changed")
	root.PersistentFlags().BoolVar(&t.json, "json", false, "write the result to stdout as JSON")

	configured := func(cmd *cobra.Command) *cobra.Command {
		cmd.Flags().StringArrayVarP(&t.overrides, "config", "c", nil,
			"a setting for this run, as `key=value`: web.max=6, aws:region=eu-west-1, 'env.GREETING=\"5\"'")
		return cmd
	}
	var again string // a release
	released := func(cmd *cobra.Command) *cobra.Command {
		cmd.Flags().StringVar(&again, "release", "", "do not build, but take the images of this release of the stack")
		return cmd
	}
	running := func(cmd *cobra.Command) *cobra.Command {
		cmd.Flags().BoolVar(&t.runs, "run", false, "also run what is deployed, as containers of the Docker engine")
		cmd.Flags().StringVar(&t.postgres, "postgres", "", "with --run: the image of the database (default the official one of its version)")
		return cmd
	}
	root.AddCommand(
		running(released(configured(&cobra.Command{
			Use:   "up",
			Short: "Make the account what the program says",
			Long: `Up creates, changes and deletes whatever it takes to make the account what the program says.

A second up changes nothing. If one is interrupted, the next goes on from there; if one is killed,
the next finds out what was done, repairs the state and goes on.

With --run the images are built, every task runs as containers of the Docker engine, and the command stays to serve the
site until Ctrl-C. The containers then stay: the next up finds them, and destroy removes them. While one up serves,
another brings the next release.`,
			Example: `  slipway up
  slipway up --run                      and a browser finds the site
  slipway up --config web.max=6
  slipway up --stack dev --json`,
			Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error { return t.up(cmd.Context(), again) },
		}))),
		released(configured(&cobra.Command{
			Use:   "preview",
			Short: "Say what up would do",
			Long: `Preview says which resources up would create, change, replace or delete, and which of their settings
differ. It changes nothing. Secrets are shown as [secret].`,
			Example: `  slipway preview
  slipway preview --config web.max=6 --json`,
			Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error { return t.preview(cmd.Context(), again) },
		})),
		running(configured(t.promoteCommand())),
		running(configured(t.rollbackCommand())),
		t.releasesCommand(),
		t.destroyCommand(),
		t.driftCommand(),
		t.bootstrapCommand(),
		t.stacksCommand(),
		t.unlockCommand(),
		t.outputsCommand(),
		t.exportCommand(),
		t.ciCommand(),
		t.commentCommand(),
		t.schemaCommand(),
		t.runCommand(),
		running(configured(&cobra.Command{
			Use:   "rehearse",
			Short: "Judge a stack from nothing to nothing",
			Long: `Rehearse takes the configuration of any stack into an empty model of its own and plays its whole life:
up; up again, which must change nothing; destroy, which must leave nothing. A protected stack must refuse to be
destroyed first. It ends with a verdict, exits 0 only if all of it is good, and keeps nothing. Secrets are not
decrypted: each has a stand-in.`,
			Example: `  slipway rehearse --stack prod
  slipway rehearse --stack dev --config network.zones=3 --json`,
			Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error { return t.rehearse(cmd.Context()) },
		})),
	)
	return root
}

func (t *tool) outputsCommand() *cobra.Command {
	var show bool
	cmd := &cobra.Command{
		Use:   "outputs",
		Short: "Say what the program gave: the url, names, addresses",
		Example: `  slipway outputs
  slipway outputs --json | jq -r .url`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return t.outputs(cmd.Context(), show) },
	}
	cmd.Flags().BoolVar(&show, "show-secrets", false, "show secrets in plain text")
	return cmd
}

func (t *tool) exportCommand() *cobra.Command {
	var show bool
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write the stack's state, as `pulumi stack export` does",
		Example: `  slipway export > state.json
  slipway export --show-secrets`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return t.export(cmd.Context(), show) },
	}
	cmd.Flags().BoolVar(&show, "show-secrets", false, "show secrets in plain text")
	return cmd
}

// say writes words for people.
func (t *tool) say(format string, args ...any) { fmt.Fprintf(t.stderr, format+"\n", args...) }

// print writes data: v as JSON, or whatever words puts in its place.
func (t *tool) print(v any, words func()) error {
	if !t.json {
		words()
		return nil
	}
	out := json.NewEncoder(t.stdout)
	out.SetEscapeHTML(false)
	out.SetIndent("", "  ")
	return out.Encode(v)
}

func (t *tool) printOutputs(outputs map[string]any) {
	width := 0
	for name := range outputs {
		width = max(width, len(name))
	}
	for _, name := range slices.Sorted(maps.Keys(outputs)) {
		fmt.Fprintf(t.stdout, "%-*s  %s\n", width, name, shown(outputs[name]))
	}
}

// shown is a value on one line.
func shown(v any) string {
	switch v := v.(type) {
	case nil:
		return "-"
	case string:
		return v
	default:
		var b strings.Builder
		out := json.NewEncoder(&b)
		out.SetEscapeHTML(false)
		if err := out.Encode(v); err != nil {
			return fmt.Sprint(v)
		}
		return strings.TrimSuffix(b.String(), "\n")
	}
}

// missing explains an operation on a stack that was never put up.
func (t *tool) missing(err error) error {
	if errors.Is(err, engine.ErrNoStack) {
		return fmt.Errorf("stack %s was never put up here; begin with: slipway up%s", t.stack, t.stackFlag())
	}
	return err
}

func (t *tool) stackFlag() string {
	if t.stack == "local" {
		return ""
	}
	return " --stack " + t.stack
}
