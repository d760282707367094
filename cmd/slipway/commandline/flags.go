package commandline

import (
	"github.com/spf13/cobra"

	"slipway/operation"
)

// ConfigFlags adds the flags that change a stack's configuration, or the model that it runs in, for one run.
func ConfigFlags(cmd *cobra.Command, overrides, scp, faults *[]string) *cobra.Command {
	cmd.Flags().StringArrayVarP(overrides, "config", "c", nil,
		"a setting for this run, as `key=value`: web.max=6, aws:region=eu-west-1, 'app.env.SITE_TITLE=Shop #1'")
	cmd.Flags().StringArrayVar(scp, "scp", nil, "in the model: a `FILE` with a service control policy (one for each level, root first) "+
		"or a resource control policy")
	cmd.Flags().StringSliceVar(faults, "faults", nil,
		"in the model: `FAULTS` to play; iam-delay: services see new roles and policies late")
	return cmd
}

// WhatIfFlags adds the flags that try a change without making it.
func WhatIfFlags(cmd *cobra.Command, w *operation.WhatIf) *cobra.Command {
	cmd.Flags().StringArrayVar(&w.Without, "without", nil, "try: without a `[TYPE::]NAME`, or without one statement of its policy, NAME#Sid")
	cmd.Flags().StringArrayVar(&w.With, "with", nil, "try: with another value of a property, as `[TYPE::]NAME.path=value`; the value is JSON")
	cmd.Flags().StringArrayVar(&w.Add, "add", nil,
		"try: with the resources of a `FILE` in Pulumi YAML, which may refer to others by ${NAME.output}")
	cmd.Flags().StringArrayVar(&w.Files, "file", nil, "try: with another file of the app, as `PATH=FILE`")
	return cmd
}

// ContainerFlags adds the flags that run what is deployed.
func ContainerFlags(cmd *cobra.Command, run *operation.Containers) *cobra.Command {
	cmd.Flags().BoolVar(&run.Run, "run", false, "also run what is deployed, as containers of the Docker engine")
	cmd.Flags().StringVar(&run.Postgres, "postgres", "", "with --run: the image of the database (default the official one of its version)")
	cmd.Flags().StringVar(&run.Valkey, "valkey", "", "with --run: the image of the cache (default the official one of its version)")
	cmd.Flags().IntVar(&run.AlarmPace, "alarm-pace", 0,
		"with --run: divide the periods of alarms by `N` (default 1: minutes are minutes, as in AWS)")
	return cmd
}
