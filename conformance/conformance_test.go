// Package conformance compares the program and the rehearsal with code that others wrote: the real AWS provider, and an AWS endpoint
// that it talks to. See README.md.
package conformance

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"

	"slipway/config"
	"slipway/site"
)

// A cell is one configuration that is deployed, checked, changed and destroyed.
type cell struct {
	name    string
	stack   string
	further map[string]any // settings in addition to the stack's own
	always  bool           // runs without allVariable too
}

// Each stack of this repository, and then the pairs that they do not cover of nat, route, domain, architecture, workers and bastion.
// See TestPairs.
var cells = []cell{
	{name: "local", stack: "local", further: workflows, always: true},
	{name: "prod", stack: "prod", always: true},
	{name: "dev", stack: "dev", further: merged(workflows, cached, withPsql)},
	{name: "staging", stack: "staging"},
	{name: "per-zone-firelens-amd64", stack: "dev", further: map[string]any{
		"slipway:network.nat": "perZone", "slipway:logs.route": "firelens", "slipway:web.architecture": "amd64", "slipway:bastion.enabled": false,
	}},
	{name: "no-nat-domain-amd64-worker", stack: "dev", further: map[string]any{
		"slipway:network.nat": "none", "slipway:domain": "dev.example.com", "slipway:zone": "example.com", "slipway:web.architecture": "amd64",
		"slipway:workers": feed, "slipway:bastion.enabled": false,
	}},
	{name: "no-nat", stack: "dev", further: map[string]any{
		"slipway:network.nat": "none", "slipway:bastion.enabled": false,
	}},
	{name: "no-nat-amd64-worker-bastion", stack: "dev", further: map[string]any{
		"slipway:network.nat": "none", "slipway:web.architecture": "amd64", "slipway:workers": feed,
	}},
	{name: "domain-amd64", stack: "dev", further: map[string]any{
		"slipway:domain": "dev.example.com", "slipway:zone": "example.com", "slipway:web.architecture": "amd64", "slipway:bastion.enabled": false,
	}},
}

// workflows are the settings of a stack that GitHub's workflows deploy: its calls are then compared with the rights of its roles.
var workflows = map[string]any{"slipway:github": map[string]any{
	"repository": "example/site", "branches": []any{"main"}, "readBranches": []any{"main"},
}}

// cached is a cache whose URL the app gets.
var cached = map[string]any{
	"slipway:cache":             map[string]any{"node": "cache.t4g.micro", "replicas": 1, "snapshotDays": 1},
	"slipway:app.env.REDIS_URL": "{redis.url}",
}

// withPsql is an image with psql in the stack's own registry.
var withPsql = map[string]any{"slipway:database.psqlImage": "public.ecr.aws/docker/library/postgres"}

func merged(all ...map[string]any) map[string]any {
	one := map[string]any{}
	for _, m := range all {
		maps.Copy(one, m)
	}
	return one
}

var feed = []any{map[string]any{"name": "feed", "command": []any{"python", "manage.py", "run_worker"}}}

// TestPairs fails unless each allowed pair of values of the main options occurs in a cell.
func TestPairs(t *testing.T) {
	dimensions := map[string][]any{
		"nat": {"none", "single", "perZone"}, "route": {"subscription", "firelens"}, "architecture": {"arm64", "amd64"},
		"domain": {false, true}, "workers": {false, true}, "bastion": {false, true},
	}
	missing := map[string]bool{}
	each := func(f func(pair string, a, b string, x, y any)) {
		names := slices.Sorted(maps.Keys(dimensions))
		for i, a := range names {
			for _, b := range names[i+1:] {
				for _, x := range dimensions[a] {
					for _, y := range dimensions[b] {
						f(fmt.Sprintf("%s %v with %s %v", a, x, b, y), a, b, x, y)
					}
				}
			}
		}
	}
	each(func(pair, _, _ string, _, _ any) { missing[pair] = true })
	delete(missing, "nat none with route firelens") // the log router comes from a public registry
	for _, c := range cells {
		d := &deployment{t: t, name: c.stack, further: c.further, dir: t.TempDir()}
		d.configure()
		app, err := filepath.Abs(filepath.Join("..", "app"))
		if err == nil {
			err = os.Symlink(app, filepath.Join(d.dir, "app")) // the configuration checks that the Dockerfiles exist
		}
		if err != nil {
			t.Fatal(err)
		}
		source, err := config.FromFile(filepath.Join(d.dir, "Pulumi."+c.stack+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		s, err := site.Load(source)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		values := map[string]any{
			"nat": s.Network.NAT, "route": s.Logs.Route, "architecture": s.Web.Architecture,
			"domain": s.Domain != "", "workers": len(s.Workers) > 0, "bastion": s.Bastion.Enabled,
		}
		each(func(pair, a, b string, x, y any) {
			if values[a] == x && values[b] == y {
				delete(missing, pair)
			}
		})
	}
	for _, pair := range slices.Sorted(maps.Keys(missing)) {
		t.Errorf("no cell has %s", pair)
	}
}

// TestCells runs each cell's lifecycle. Cells mostly wait, so they may run concurrently; -parallel sets how many.
func TestCells(t *testing.T) {
	folder, why := asksGenuine()
	if why != "" {
		t.Skip(why)
	}
	var (
		mu    sync.Mutex
		table []string
	)
	t.Cleanup(func() {
		slices.Sort(table)
		if len(table) == 0 {
			return
		}
		t.Logf("%d cells:\n%s", len(table), strings.Join(table, "\n"))
	})
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
			started := time.Now()
			row := c.run(t, aws(t), folder, all)
			mu.Lock()
			defer mu.Unlock()
			table = append(table, fmt.Sprintf("%-28s %s; %s", c.name, row, time.Since(started).Round(time.Second)))
		})
	}
}

// run runs a cell's lifecycle. Only a full run keeps the protection of its stack and changes the database's class, because the provider
// waits 90 seconds for every change of a database.
func (c cell) run(t *testing.T, e endpoint, folder string, full bool) (row string) {
	proxy := listen(t, e)
	d := deploy(t, c.stack, c.further, proxy.env(), folder)
	protected := full && d.setting("slipway:protect") == "true"
	d.unlock = !protected
	if zone := d.setting("slipway:zone"); zone != "" { // the hosted zone exists before any program runs
		e.ask(t, call{"route53", "create_hosted_zone", map[string]any{"Name": zone + ".", "CallerReference": t.Name()}})
	}
	d.up()
	up := d.state()
	result := genuine{Unlocked: !protected, State: up}
	t.Logf("%d resources", len(up))
	calls := proxy.take(t)
	quiet(t, "a preview", d.preview())
	quiet(t, "a second up", d.up())
	quiet(t, "a refresh", d.refresh())
	reads := proxy.take(t)
	c.checkAPI(t, e, up, protected)

	d.edit()
	result.Released = d.up()
	aRelease(t, result.Released)
	if full {
		result.Resized = d.resize()
		aResize(t, result.Resized, protected)
	}
	c.keep(t, result)
	c.compare(t, result)

	d.destroy()
	if left := d.state(); len(left) > 0 {
		t.Errorf("destroy left %d resources in the state", len(left))
	}
	c.checkDestroyed(t, e, up)
	if deploy := grants(t, up, "slipway-"+c.stack+"-deploy-"); len(deploy) > 0 { // the stack has roles for workflows
		suffices(t, "the read role", grants(t, up, "slipway-"+c.stack+"-read-"), reads)
		suffices(t, "the deploy role", deploy, slices.Concat(calls, reads, proxy.take(t)))
	}

	row = fmt.Sprintf("%d resources; a second up and a refresh change 0; a release %s", len(up), result.Released.counted())
	if result.Resized != nil {
		row += "; another class " + result.Resized.counted()
	}
	return row + fmt.Sprintf("; destroy leaves %d", len(d.state()))
}

// counted is the number of replacements and updates.
func (c changes) counted() string {
	return fmt.Sprintf("replaces %d, updates %d", len(c.of(apitype.OpReplace)), len(c.of(apitype.OpUpdate)))
}

func quiet(t *testing.T, what string, done changes) {
	t.Helper()
	if len(done) > 0 {
		t.Errorf("%s changes %d resources:\n%s", what, len(done), done)
	}
}

// types returns the types of the resources with one of these steps.
func (c changes) types(ops ...apitype.OpType) []string {
	var types []string
	for _, name := range c.of(ops...) {
		kind, _, _ := strings.Cut(name, " ")
		types = append(types, kind)
	}
	slices.Sort(types)
	return slices.Compact(types)
}

// only fails for every type that is not allowed.
func only(t *testing.T, what string, types []string, allowed ...string) {
	t.Helper()
	for _, kind := range types {
		if !slices.Contains(allowed, kind) {
			t.Errorf("%s %s", what, kind)
		}
	}
}

// aRelease fails if new images changed more than what runs them.
func aRelease(t *testing.T, done changes) {
	t.Helper()
	only(t, "a release replaces", done.types(apitype.OpReplace), "ecs/taskDefinition:TaskDefinition")
	only(t, "a release updates", done.types(apitype.OpUpdate), "docker:index/image:Image", "ecs/service:Service", "ssm/parameter:Parameter",
		"scheduler/schedule:Schedule")
	only(t, "a release creates", done.types(apitype.OpCreate))
	only(t, "a release deletes", done.types(apitype.OpDelete))
	for _, must := range []string{"ssm/parameter:Parameter migration-marker", "ecs/service:Service web"} {
		if !slices.Contains(done.of(apitype.OpUpdate), must) {
			t.Errorf("a release does not update %s:\n%s", must, done)
		}
	}
	t.Logf("a release:\n%s", done)
}

// resize changes the database's class. It also removes the protection of a protected stack, so that it can be destroyed.
func (d *deployment) resize() changes {
	d.t.Helper()
	d.further["slipway:database.class"] = "db.m7g.xlarge"
	d.configure()
	d.unlock = true
	return d.up()
}

// aResize fails if another database class changes more than the database, and the alarms and the dashboard that depend on its size. If
// unlocked, protected resources may change too, but only in place.
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
