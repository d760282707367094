package main

import (
	"net/netip"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"slipway/rehearsal/cloud"
)

// state STACK TYPE NAME [KEY VALUE]... is what AWS keeps about an object of the model: of an alarm "state", of a target group
// "health". Without keys it is what it was at first.
func state(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 || len(args)%2 == 0 {
		ts.Fatalf("usage: state stack type name [key value]...")
	}
	byHand(ts, args[0], args[1], args[2], func(account *cloud.Account, o *cloud.Object) error {
		return account.Alter(o.Type, o.ID, func(o *cloud.Object) {
			o.State = map[string]string{}
			for i := 3; i < len(args); i += 2 {
				o.State[args[i]] = args[i+1]
			}
		})
	})
}

// forgotten STACK TEXT deletes the images of the model whose name contains a text, as a lifecycle rule does.
func forgotten(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: forgotten stack text")
	}
	model, err := cloud.Open(ts.MkAbs(filepath.Join(".slipway", args[0], "model.json")), cloud.Options{})
	ts.Check(err)
	defer model.Close()
	for _, o := range model.Objects() {
		if o.Type == "ecr:image" && strings.Contains(o.ID, args[1]) {
			_, err := model.Remove(o.Type, o.ID)
			ts.Check(err)
		}
	}
}

// TestRunDoctor plants problems in a site that runs in containers with Postgres, and doctor looks from inside.
func TestRunDoctor(t *testing.T) {
	r := newRunning(t)
	before := r.held()
	r.serve()
	firstLine := regexp.MustCompile(`(?m)^(Likely cause: |Stack dev is ).*$`)
	doctor := func(code int, want string, also ...string) {
		t.Helper()
		out, got := r.slipway("doctor")
		if line := firstLine.FindString(out); got != code || !strings.Contains(line, want) {
			t.Errorf("exit code %d, first line %q, want %q:\n%s", got, line, want, out)
		}
		for _, words := range also {
			if !strings.Contains(out, words) {
				t.Errorf("it does not say %q:\n%s", words, out)
			}
		}
		if strings.Contains(out, "The inside was not seen") {
			t.Errorf("the inside was not seen:\n%s", out)
		}
	}

	t.Log("a healthy site")
	doctor(0, "Stack dev is healthy", "inside   tables         ok", "inside   health         ok", "GET /healthz answers 200")

	t.Log("a wrong password")
	r.sql("CREATE TABLE kept AS SELECT rolpassword FROM pg_authid WHERE rolname = 'slipway_site'")
	r.sql("ALTER ROLE slipway_site PASSWORD 'changed by hand'")
	doctor(3, `password authentication failed for user "slipway_site"`, "database.rotation")
	r.sql("DO $$ BEGIN EXECUTE format('ALTER ROLE slipway_site PASSWORD %L', (SELECT rolpassword FROM kept)); END $$; DROP TABLE kept")
	doctor(0, "Stack dev is healthy")

	t.Log("a missing table")
	r.sql("ALTER TABLE feed_post RENAME TO gone")
	doctor(3, "the database has no table feed_post", "dropped by hand")

	t.Log("two at once: a missing table and a migration that is not applied")
	r.sql("DELETE FROM django_migrations WHERE app = 'sessions'")
	doctor(3, "migrations are missing, the first is sessions.0001_initial", "inside   tables         not seen")
	r.sql("INSERT INTO django_migrations (app, name, applied) VALUES ('sessions', '0001_initial', now())")
	r.sql("ALTER TABLE gone RENAME TO feed_post")

	t.Log("no route")
	open := r.cutOff(r.containers("slipway.database")[0])
	doctor(3, "no answer from ", ":5432 within 5 s",
		"why: packets to the database are dropped: a security group, a network ACL or a route table",
		"inside   log-in         not seen")
	open()
	r.until("the site has its database again", func() bool { _, code := r.slipway("doctor"); return code == 0 })

	t.Log("a wrong host, by hand")
	model := func(from, to string) {
		t.Helper()
		account, err := cloud.Open(filepath.Join(r.dir, ".slipway/dev/model.json"), cloud.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer account.Close()
		for _, o := range account.Objects() {
			if o.Type != "aws:ecs/taskDefinition:TaskDefinition" || !strings.HasSuffix(o.URN, "::web-task") {
				continue
			}
			if err := account.Alter(o.Type, o.ID, func(o *cloud.Object) {
				text, _ := o.Outputs["containerDefinitions"].(string)
				o.Outputs["containerDefinitions"] = strings.ReplaceAll(text, from, to)
			}); err != nil {
				t.Fatal(err)
			}
		}
	}
	model(`.rds.amazonaws.com"`, `.rds.invalid"`)
	doctor(3, "web asks the host ", ".rds.invalid does not resolve", "inside   log-in         not seen")
	model(`.rds.invalid"`, `.rds.amazonaws.com"`)
	doctor(0, "Stack dev is healthy")

	t.Log("a health path that answers 404")
	r.bad([]string{"-c", "web.healthPath=/nowhere"}, "rolled back")
	doctor(3, "tasks of web fail: ", "answered 404")
	r.good()
	doctor(0, "Stack dev is healthy")

	if out, code := r.slipway("destroy"); code != 0 {
		t.Fatalf("exit code %d\n%s", code, out)
	}
	r.left(before)
}

// cutOff makes what reaches a container vanish, as a security group does that does not allow it. Docker has none, so the container gets
// routes to nowhere for both halves of its network: its answers never leave, and who connects waits in vain. The returned function removes
// them.
func (r *running) cutOff(container string) func() {
	r.t.Helper()
	pid := strings.TrimSpace(r.docker("inspect", "-f", "{{.State.Pid}}", container))
	const address = "{{range .NetworkSettings.Networks}}{{.IPAddress}}/{{.IPPrefixLen}}{{end}}"
	network := strings.TrimSpace(r.docker("inspect", "-f", address, container))
	whole, err := netip.ParsePrefix(network)
	if err != nil {
		r.t.Fatal(err)
	}
	low := netip.PrefixFrom(whole.Masked().Addr(), whole.Bits()+1)
	upper := low.Addr().As4()
	upper[whole.Bits()/8] |= 0x80 >> (whole.Bits() % 8)
	route := func(do string) {
		r.t.Helper()
		for _, half := range []netip.Prefix{low, netip.PrefixFrom(netip.AddrFrom4(upper), low.Bits())} {
			out, err := exec.Command("nsenter", "-t", pid, "-n", "ip", "route", do, "blackhole", half.String()).CombinedOutput()
			if err != nil {
				r.t.Fatalf("ip route %s %s in the container's network, which needs root: %v: %s", do, half, err, out)
			}
		}
	}
	route("add")
	return func() { r.t.Helper(); route("del") }
}
