package site

import (
	"fmt"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/internals"

	"slipway/config"
)

// fixedName is the logical name of the record of the fixed settings, and FixedHook the hook that refuses changes of them.
const (
	fixedName = "fixed"
	FixedHook = "fixed-check"
)

// A fixedSetting is a setting whose change replaces what holds data, or nearly everything.
type fixedSetting struct {
	key     string
	always  bool   // refused on every stack; false: only on a protected one
	replace string // what the change replaces
	way     string // how to make the change properly
}

const (
	newStack = "create a stack with the new value beside this one, " +
		"copy the data with pg_dump, pg_restore and aws s3 sync, then move the domain"
	giveUp = "; or, to give the data up, set protect to false, run up, and change it then"
)

// fixedSettings are checked in this order.
var fixedSettings = []fixedSetting{
	{key: "aws:region", always: true, replace: "every resource, and no data moves with them", way: newStack},
	{key: "network.cidr", always: true, replace: "the network and everything in it; " +
		"AWS cannot do that while the database and the balancer use it",
		way: newStack + "; a stack without data can be destroyed and put up again"},
	{key: "database.name", replace: "the database with an empty one", way: newStack + giveUp},
	{key: "keys", replace: "the database and the image repositories with empty ones, because AWS cannot change the key of either",
		way: newStack + giveUp},
}

// fixedOf are the values of the fixed settings, as they are recorded.
func fixedOf(stack *config.Stack, protect bool) map[string]string {
	return map[string]string{
		"protect": fmt.Sprint(protect), "aws:region": stack.Region, "network.cidr": stack.Network.CIDR,
		"database.name": stack.Database.Name, "keys": stack.Keys,
	}
}

// recordFixed records the fixed settings in the state before anything else is registered, and refuses to continue if one of
// them changed that must not. The engine alone would refuse to replace a protected database only when it reaches it, after it
// has replaced what the database depends on.
//
// A Stash is a resource of the engine itself and exists in the state alone. Its hook also runs in a preview, so that a
// preview fails with the same message.
func (d *deployment) recordFixed() error {
	values := pulumi.StringMap{}
	for key, value := range d.fixed {
		values[key] = pulumi.String(value)
	}
	hooks := pulumi.ResourceHooks(nil)
	if d.guarded {
		hook, err := d.ctx.RegisterResourceHook(FixedHook, func(args *pulumi.ResourceHookArgs) error {
			return checkFixed(d.stack.Name, settingsIn(args.OldInputs), settingsIn(args.NewInputs))
		}, &pulumi.ResourceHookOptions{OnDryRun: true})
		if err != nil {
			return err
		}
		hooks = pulumi.ResourceHooks(&pulumi.ResourceHookBinding{BeforeUpdate: []*pulumi.ResourceHook{hook}})
	}
	stash, err := pulumi.NewStash(d.ctx, fixedName, &pulumi.StashArgs{Input: values}, hooks)
	if err != nil {
		return err
	}
	// Registering is asynchronous. The other resources must not be registered before the hook has run.
	_, err = internals.UnsafeAwaitOutput(d.ctx.Context(), stash.URN())
	d.record = stash
	return err
}

// settingsIn are the fixed settings in the inputs of the record.
func settingsIn(inputs resource.PropertyMap) map[string]string {
	values := map[string]string{}
	if input := inputs["input"]; input.IsObject() {
		for key, value := range input.ObjectValue() {
			if value.IsString() {
				values[string(key)] = value.StringValue()
			}
		}
	}
	return values
}

// checkFixed refuses changes of fixed settings. A stack that was or will be protected counts as protected: AWS still refuses
// to delete a database whose protection the same run lifts.
func checkFixed(stack string, was, is map[string]string) error {
	protected := was["protect"] == "true" || is["protect"] == "true"
	var lines []string
	for _, f := range fixedSettings {
		from, to := was[f.key], is[f.key]
		if from == "" || from == to || !f.always && !protected {
			continue
		}
		lines = append(lines, fmt.Sprintf("%s: %s -> %s would replace %s.\n  Set it back to %s; or %s.", f.key, from, to, f.replace, from, f.way))
	}
	if len(lines) == 0 {
		return nil
	}
	what := "stack " + stack
	if protected {
		what += ", which is protected,"
	}
	return fmt.Errorf("%s cannot change this; nothing was changed\n%s", what, strings.Join(lines, "\n"))
}
