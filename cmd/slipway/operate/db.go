package operate

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"slipway/cmd/slipway/commandline"
	"slipway/operation"
)

func databaseCommand(t *Tools) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "db",
		Short: "Get to the database: psql, or a tunnel for other clients",
		Args:  commandline.None,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(psqlCommand(t), tunnelCommand(t))
	return cmd
}

const ownerUsage = "as the owner of the database, which may change tables, instead of the site's own role"

func psqlCommand(t *Tools) *cobra.Command {
	var args operation.PsqlArgs
	cmd := &cobra.Command{
		Use:   "psql [-- ARGUMENT...]",
		Short: "Run psql on the database",
		Long: `Psql opens a tunnel to the database, as slipway db tunnel does, and runs psql in it: the one on PATH if it is as new as the
database, else one from an image, with Docker: that of the stack's own registry (database.psqlImage), or the official one of Postgres.
What follows -- is for psql. It logs in as the site's own database role, as the app does; --owner is the role of migrations. The password
comes from Parameter Store, and is in psql's environment alone.`,
		Example: `  slipway db psql
  slipway db psql --stack prod --live -- -c 'SELECT count(*) FROM feed_post'
  slipway db psql --owner < fix.sql`,
		Args: afterDash,
		RunE: t.on(func(ctx context.Context, target operation.Target, further []string) error {
			args.Args, args.Streams = further, t.streams()
			// It reads the keyboard also if its output is for a pipe.
			args.Streams.Terminal = term.IsTerminal(int(os.Stdin.Fd()))
			args.Note = func(text string) { t.Say("%s", text) }
			args.Began = func(a operation.DatabaseAddress, client string) func() {
				t.Say("Database %s as %s, through %s; %s.", a.Database, a.User, a.Through, client)
				return t.cede(ctx, args.Streams, false)
			}
			return operation.Psql(ctx, target, args)
		}),
	}
	cmd.Flags().BoolVar(&args.Owner, "owner", false, ownerUsage)
	return cmd
}

func tunnelCommand(t *Tools) *cobra.Command {
	var args operation.TunnelArgs
	cmd := &cobra.Command{
		Use:   "tunnel",
		Short: "Open a tunnel to the database for a client on this machine",
		Long: `Tunnel opens a port on the loopback interface of this machine that leads to the database, and says so when the database answers
there. It goes through a running task of the site, or through the bastion if no task runs. Ctrl-C closes it. It needs AWS's Session
Manager plugin. No password is shown: slipway db psql reads it itself.`,
		Example: `  slipway db tunnel
  slipway db tunnel --port 5433 --stack prod --live`,
		Args: commandline.None,
		RunE: t.on(func(ctx context.Context, target operation.Target, _ []string) error {
			var wrong error
			args.Open = func(a operation.DatabaseAddress) {
				wrong = t.Print(a, func() {
					fmt.Fprintf(t.Stdout, "postgresql://%s@%s:%d/%s?sslmode=require\n", a.User, a.Host, a.Port, a.Database)
				})
				t.Say("The database answers there, through %s, until you press Ctrl-C.", a.Through)
			}
			if err := operation.Tunnel(ctx, target, args); err != nil {
				return err
			}
			t.Say("The tunnel is closed.")
			return wrong
		}),
	}
	cmd.Flags().IntVar(&args.Port, "port", 0, "the `port` on this machine (default a free one)")
	cmd.Flags().BoolVar(&args.Owner, "owner", false, ownerUsage)
	return cmd
}
