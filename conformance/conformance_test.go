// Package conformance holds the program, and the rehearsal, against code that others wrote: the genuine AWS provider, and
// an AWS that it speaks to. See README.md.
package conformance

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
)

// A cell is one configuration that is put up, looked at, changed and taken down.
type cell struct {
	name    string
	stack   string
	further map[string]any // settings on top of the stack's own
	always  bool           // also without allVariable
}

// Each shipped stack, and then pairs of what they do not have: nat x route x domain x architecture x workers x bastion.
var cells = []cell{
	{name: "local", stack: "local", always: true},
	{name: "prod", stack: "prod", always: true},
	{name: "dev", stack: "dev"},
	{name: "staging", stack: "staging"},
	{name: "no-nat-amd64", stack: "dev", further: map[string]any{ // FireLens needs a NAT
		"slipway:network.nat": "none", "slipway:web.architecture": "amd64", "slipway:bastion.enabled": false,
		"slipway:workers": []any{map[string]any{"name": "feed", "command": []any{"python", "manage.py", "run_worker"}}},
	}},
	{name: "per-zone-firelens-domain-bastion", stack: "dev", further: map[string]any{
		"slipway:network.nat": "perZone", "slipway:logs.route": "firelens", "slipway:domain": "dev.example.com", "slipway:zone": "example.com",
		"slipway:bastion.enabled": true, "slipway:web.architecture": "amd64",
	}},
	{name: "no-nat-domain", stack: "staging", further: map[string]any{
		"slipway:network.nat": "none", "slipway:logs.route": "subscription", "slipway:workers": []any{}, "slipway:jobs": []any{}, "slipway:bastion.enabled": true,
	}},
}

// TestCells takes each cell through its life. It runs two at a time, no more: each is an engine with a provider.
func TestCells(t *testing.T) {
	folder, why := asksGenuine()
	if why != "" {
		t.Skip(why)
	}
	all := os.Getenv(allVariable) != "" || strings.Contains(flag.Lookup("test.run").Value.String(), "/")
	for _, c := range cells {
		if !c.always && !all {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if kept, there := c.kept(t); there {
				c.compare(t, kept)
				return
			}
			c.live(t, aws(t), folder, all)
		})
	}
}

// live takes a cell through its life. A full one is protected if its stack is, and its database gets another class: every
// change of a database costs a minute and a half of the provider's patience.
func (c cell) live(t *testing.T, e endpoint, folder string, full bool) {
	d := deploy(t, c.stack, c.further, e.env(), folder)
	protected := full && d.setting("slipway:protect") == "true"
	d.unlock = !protected
	if zone := d.setting("slipway:zone"); zone != "" { // a registered domain has its zone before any program runs
		e.ask(t, call{"route53", "create_hosted_zone", map[string]any{"Name": zone + ".", "CallerReference": t.Name()}})
	}
	d.up()
	up := d.state()
	told := genuine{Unlocked: !protected, State: up}
	t.Logf("%d resources", len(up))
	quiet(t, "a second preview", d.preview())
	quiet(t, "a refresh", d.refresh())
	c.lookAtTheAPI(t, e, up, protected)

	d.edit()
	told.Released = d.up()
	aRelease(t, told.Released)
	if full {
		told.Resized = d.resize()
		aResize(t, told.Resized, protected)
	}
	c.keep(t, told)
	c.compare(t, told)

	d.destroy()
	if left := d.state(); len(left) > 0 {
		t.Errorf("destroy left %d resources in the state", len(left))
	}
	c.lookForRemains(t, e, up)
}

func quiet(t *testing.T, what string, done changes) {
	t.Helper()
	if len(done) > 0 {
		t.Errorf("%s changes %d resources:\n%s", what, len(done), done)
	}
}

// types are the types of what had one of these operations.
func (c changes) types(ops ...apitype.OpType) []string {
	var types []string
	for _, name := range c.of(ops...) {
		kind, _, _ := strings.Cut(name, " ")
		types = append(types, kind)
	}
	slices.Sort(types)
	return slices.Compact(types)
}

// only fails for every type that is not among those allowed.
func only(t *testing.T, what string, types []string, allowed ...string) {
	t.Helper()
	for _, kind := range types {
		if !slices.Contains(allowed, kind) {
			t.Errorf("%s %s", what, kind)
		}
	}
}

// aRelease fails if new images touched more than what runs them.
func aRelease(t *testing.T, done changes) {
	t.Helper()
	only(t, "a release replaces", done.types(apitype.OpReplace), "ecs/taskDefinition:TaskDefinition")
	only(t, "a release updates", done.types(apitype.OpUpdate), "docker:index/image:Image", "ecs/service:Service", "ssm/parameter:Parameter", "scheduler/schedule:Schedule")
	only(t, "a release creates", done.types(apitype.OpCreate))
	only(t, "a release deletes", done.types(apitype.OpDelete))
	for _, must := range []string{"ssm/parameter:Parameter migration-marker", "ecs/service:Service web"} {
		if !slices.Contains(done.of(apitype.OpUpdate), must) {
			t.Errorf("a release does not update %s:\n%s", must, done)
		}
	}
	t.Logf("a release:\n%s", done)
}

// resize gives the database another class. A protected stack loses its protection with it, so that it can be destroyed.
func (d *deployment) resize() changes {
	d.t.Helper()
	d.further["slipway:database.class"] = "db.m7g.xlarge"
	d.configure()
	d.unlock = true
	return d.up()
}

// aResize fails if another database class does more than change the database, and the alarms and the dashboard that
// know how much it holds; when unlocked also what is protected, but all of it in place.
func aResize(t *testing.T, done changes, unlocked bool) {
	t.Helper()
	updated := []string{"rds/instance:Instance", "cloudwatch/metricAlarm:MetricAlarm", "cloudwatch/dashboard:Dashboard"}
	if unlocked {
		updated = append(updated, "s3/bucketV2:BucketV2", "lb/loadBalancer:LoadBalancer", "ecr/repository:Repository", "kms/key:Key")
	}
	only(t, "another database class updates", done.types(apitype.OpUpdate), updated...)
	only(t, "another database class replaces", done.types(apitype.OpReplace))
	only(t, "another database class creates", done.types(apitype.OpCreate))
	only(t, "another database class deletes", done.types(apitype.OpDelete))
	if !slices.Contains(done.of(apitype.OpUpdate), "rds/instance:Instance database") {
		t.Errorf("another database class does not update the database in place:\n%s", done)
	}
	t.Logf("another database class:\n%s", done)
}
