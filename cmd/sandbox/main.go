//go:build unix

// Command sandbox deploys a throwaway copy of the project to a real AWS account, checks every step, and removes it again.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"slipway/sandbox"
)

func main() { os.Exit(execute(os.Args[1:])) }

// execute is the whole command. It exits with 0 if every step was good and nothing is left, 1 if not, 2 for a command line
// that is wrong, and 128 and the signal's number when it was stopped.
func execute(args []string) int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	signals, further := make(chan os.Signal, 4), make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	first := make(chan os.Signal, 1)
	go func() {
		got := <-signals
		first <- got
		fmt.Fprintln(os.Stderr, "Stopping the step under way, then cleaning up. Press Ctrl-C again to abandon the step.")
		cancel()
		for got := range signals {
			further <- got
		}
	}()

	o := sandbox.Options{In: os.Stdin, Err: os.Stderr, Signals: further}
	began := false
	root := &cobra.Command{
		Use:   "sandbox",
		Short: "Try the whole life of a site in a real AWS account, and remove it again",
		Long: `Sandbox deploys a throwaway copy of this project to the AWS account of your credentials: bootstrap, up, promote, a failed
migration, rollback, drift, destroy. It says first what that costs and how long it takes, and asks. It records every AWS
call, and cleans up whatever happens. Everything that it makes begins with slipway-sbx-.

Credentials and region come from the usual places: AWS_PROFILE, AWS_REGION.`,
		Args: cobra.NoArgs, SilenceErrors: true, SilenceUsage: true,
		RunE: func(*cobra.Command, []string) error { began = true; return sandbox.Run(ctx, o) },
	}
	root.PersistentFlags().BoolVarP(&o.Yes, "yes", "y", false, "do not ask; needs --account")
	root.PersistentFlags().StringVar(&o.Confirm, "account", "", "the `number` of the account that the run may use")
	root.PersistentFlags().StringVar(&o.Slipway, "slipway", "", "the slipway `command` to drive (default: built from this project)")
	root.Flags().StringVar(&o.Actions, "github", "",
		"`OWNER/NAME` of a repository of yours: bootstrap then makes the roles for its workflows too")
	root.AddCommand(&cobra.Command{
		Use: "clean", Short: "Remove what a killed run left", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { began = true; return sandbox.Clean(ctx, o) },
	}, &cobra.Command{
		Use: "plan", Short: "Say what a run does, costs and takes, and do nothing", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { began = true; sandbox.SayForecast(os.Stdout); return nil },
	})
	root.SetArgs(args)
	var err error
	if o.Root, err = findRoot(); err == nil {
		err = root.Execute()
	} else {
		began = true
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "sandbox:", err)
	}
	select {
	case got := <-first:
		return 128 + int(got.(syscall.Signal))
	default:
	}
	switch {
	case err == nil:
		return 0
	case !began:
		return 2
	}
	return 1
}

// findRoot is the folder of Pulumi.yaml: the working directory or the nearest one above it.
func findRoot() (string, error) {
	here, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := here; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "Pulumi.yaml")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("there is no Pulumi.yaml here or above: run this in a clone of slipway")
		}
	}
}
