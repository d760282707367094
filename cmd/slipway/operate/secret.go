package operate

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"slipway/cmd/slipway/commandline"
	"slipway/operation"
	"slipway/screen"
)

func secretCommand(t *Tools) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "secret",
		Short: "Set and list the secrets of a stack",
		Args:  commandline.None,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(setSecretCommand(t), listSecretsCommand(t))
	return cmd
}

func setSecretCommand(t *Tools) *cobra.Command {
	return &cobra.Command{
		Use:   "set NAME",
		Short: "Set a secret",
		Long: `Set asks for the value of a secret, which the app gets as an environment variable; without a terminal it reads the value
from stdin, to its end. The value is never an argument, so no history and no process list has it.

With --live it is encrypted with the stack's key and written to the stack's file, as "pulumi config set --secret" does; the next up
brings it to the app. Without --live it is the value for containers of this machine (slipway up --run), in slipway.secrets.env, which
Git must ignore; if the stack's file does not have the name, it gets the name. To delete a secret, delete its lines in both files.`,
		Example: `  slipway secret set SENTRY_DSN
  slipway secret set STRIPE_KEY --stack dev --live
  slipway secret set SIGNING_KEY --stack dev --live < key.pem`,
		Args: commandline.Exactly(1),
		RunE: t.on(func(ctx context.Context, target operation.Target, args []string) error {
			set, err := operation.SetSecret(ctx, target, args[0], func(ctx context.Context) (string, error) {
				return t.secretValue(ctx, args[0])
			})
			if err != nil {
				return err
			}
			what := "is set"
			if set.Replaced {
				what = "has a new value"
			}
			if set.Live {
				t.Say("Secret %s of stack %s %s, encrypted in %s. Commit the file. To bring it to the app:\n  slipway up%s",
					set.Name, set.Stack, what, set.File, target.Flags())
			} else {
				t.Say("Secret %s %s, in %s, for containers of this machine:\n  slipway up%s --run", set.Name, what, set.File, target.Flags())
			}
			return t.Print(set, func() {})
		}),
	}
}

// longestSecret is more than any secret may have; config.SecretValue says how much that is.
const longestSecret = 1 << 16

// secretValue asks for a value on the terminal, or reads stdin without the newline at its end, which echo and editors add.
func (t *Tools) secretValue(ctx context.Context, name string) (string, error) {
	if term.IsTerminal(int(os.Stdin.Fd())) {
		return screen.AskSecret(ctx, t.Words.Out, fmt.Sprintf("Value of the secret %s: ", name))
	}
	text, err := io.ReadAll(io.LimitReader(os.Stdin, longestSecret))
	return strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r"), err
}

func listSecretsCommand(t *Tools) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the secrets of a stack, without their values",
		Long:    `List names the secrets in the stack's file, and says which have a value for containers of this machine in slipway.secrets.env.`,
		Example: `  slipway secret list --stack dev`,
		Args:    commandline.None,
		RunE: t.on(func(ctx context.Context, target operation.Target, _ []string) error {
			all, err := operation.Secrets(ctx, target)
			if err != nil {
				return err
			}
			if len(all) == 0 {
				t.Say("Stack %s has no secrets. To set one: slipway secret set NAME%s", target.Stack, target.Flags())
			}
			return t.Print(all, func() {
				var rows [][]string
				for _, s := range all {
					local := "stand-in"
					if s.Local {
						local = "value"
					}
					rows = append(rows, []string{s.Name, local})
				}
				if len(rows) > 0 {
					t.Data.WriteTable([]screen.Column{{Name: "NAME"}, {Name: "IN CONTAINERS HERE"}}, rows)
				}
			})
		}),
	}
}
