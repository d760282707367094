package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestRunMigrations runs migrations that meet another one, that are killed, that take too long, and that fail. The database must be
// what docs/projects.md promises, and the services must keep serving what they served.
func TestRunMigrations(t *testing.T) {
	r := newRunning(t)
	before := r.held()
	r.serve()
	first := r.tasks()
	ada := r.visitor()
	ada.signUp("ada")

	t.Log("two at once")
	r.write("feed/migrations/0900_slow.py", r.migration("migrations.RunSQL(['CREATE TABLE once (id int)', 'SELECT pg_sleep(10)'])"))
	up := r.background()
	r.until("the migration sleeps in the database", func() bool { return r.sleeping() > 0 })
	second := r.again(r.migrating())
	code, said := second()
	if out, failed := up(); failed != 0 || code != 0 || !strings.Contains(said, "waiting for another migration") {
		t.Fatalf("the second migration: exit code %d\n%s\nup: exit code %d\n%s", code, said, failed, out)
	}
	if n := r.sql("SELECT count(*) FROM django_migrations WHERE name = '0900_slow'"); n != "1" {
		t.Errorf("0900_slow was applied %s times", n)
	}
	now := r.tasks()
	if slices.ContainsFunc(now, func(task string) bool { return slices.Contains(first, task) }) {
		t.Errorf("tasks were %q and are %q", first, now)
	}

	// fails is a release that must fail, say all of want, and change nothing that visitors see.
	fails := func(cut func(), args []string, want ...string) {
		t.Helper()
		load := ada.load()
		up := r.background(args...)
		if cut != nil {
			r.until("the migration sleeps in the database", func() bool { return r.sleeping() > 0 })
			cut()
		}
		out, code := up()
		answered, _, failed := load()
		if code != exitFailed || len(failed) > 0 || answered < 50 || !slices.Equal(now, r.tasks()) {
			t.Errorf("exit code %d, %d requests, failed: %q, tasks were %q and are %q", code, answered, failed, now, r.tasks())
		}
		for _, words := range append(want, "This run started no deployment") {
			if !strings.Contains(out, words) {
				t.Errorf("up does not say %q:\n%s", words, out)
			}
		}
		for start := time.Now(); r.sleeping() > 0; time.Sleep(300 * time.Millisecond) {
			if time.Since(start) > 20*time.Second {
				t.Fatal("the migration that ended still runs in the database")
			}
		}
		if n := r.sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"); n != "0" {
			t.Errorf("%s advisory locks are held", n)
		}
	}
	// holds says which of the tables there must be, and which migrations must be recorded.
	holds := func(tables, migrations string) {
		t.Helper()
		found := r.sql("SELECT coalesce(string_agg(tablename, ' ' ORDER BY tablename), '') FROM pg_tables " +
			"WHERE tablename IN ('once', 'half', 'whole')")
		applied := r.sql("SELECT string_agg(name, ' ' ORDER BY name) FROM django_migrations WHERE app = 'feed' AND name > '09'")
		if found != tables || applied != migrations {
			t.Errorf("there are tables %q and migrations %q, want %q and %q", found, applied, tables, migrations)
		}
	}
	holds("once", "0900_slow")

	t.Log("killed in the middle")
	r.write("feed/migrations/0901_half.py", r.migration("migrations.RunSQL(['CREATE TABLE half (id int)', 'SELECT pg_sleep(600)'])"))
	fails(func() { r.docker("kill", r.migrating()) }, nil, "exit code 137")
	holds("once", "0900_slow")

	t.Log("limit reached")
	start := time.Now()
	fails(func() {}, []string{"-c", "app.migrate.limit=1"},
		"failed in feed.0901_half: it did not finish within app.migrate.limit, 1m0s, and was stopped",
		"still migrating: feed.0901_half, 30s of at most 1m0s", "The migration has been running for 30s")
	if took := time.Since(start); took < time.Minute {
		t.Errorf("the migration was stopped after %s", took)
	}
	holds("once", "0900_slow")

	t.Log("failing, after one that succeeds")
	r.write("feed/migrations/0901_half.py", r.after("0900_slow", "migrations.RunSQL('CREATE TABLE half (id int)')"))
	r.write("feed/migrations/0902_whole.py", r.after("0901_half", "migrations.RunSQL(['CREATE TABLE whole (id int)', 'SELECT 1/0'])"))
	fails(nil, nil, "failed in feed.0902_whole: exit code 1", "division by zero")
	holds("half once", "0900_slow 0901_half")

	t.Log("put right")
	r.write("feed/migrations/0902_whole.py", r.after("0901_half", "migrations.RunSQL('CREATE TABLE whole (id int)')"))
	r.good()
	holds("half once whole", "0900_slow 0901_half 0902_whole")
	if now := r.tasks(); len(now) != 2 || slices.ContainsFunc(now, func(task string) bool { return slices.Contains(first, task) }) {
		t.Errorf("tasks were %q and are %q", first, now)
	}

	if out, code := r.slipway("destroy"); code != 0 {
		t.Fatalf("exit code %d\n%s", code, out)
	}
	r.left(before)
}

// after is a migration that depends on another one.
func (r *running) after(name, operation string) string {
	return fmt.Sprintf("from django.db import migrations\n\n\nclass Migration(migrations.Migration):\n    dependencies = [('feed', %q)]\n    "+
		"operations = [%s]\n", name, operation)
}

// background starts an up. The returned function waits for its end.
func (r *running) background(args ...string) func() (string, int) {
	r.t.Helper()
	cmd := r.command(append(r.upLine(), args...)...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { kill(cmd) })
	return func() (string, int) {
		cmd.Wait()
		return out.String(), cmd.ProcessState.ExitCode()
	}
}

// sql is a query's first value.
func (r *running) sql(query string) string {
	r.t.Helper()
	database := r.containers("slipway.database")[0]
	return strings.TrimSpace(r.docker("exec", database, "psql", "-qXAt", "-h", "/tmp", "-U", "postgres", "-c", query, "site"))
}

// sleeping is how many connections execute pg_sleep.
func (r *running) sleeping() int {
	r.t.Helper()
	var n int
	fmt.Sscan(r.sql("SELECT count(*) FROM pg_stat_activity "+
		"WHERE state = 'active' AND pid <> pg_backend_pid() AND query LIKE '%pg_sleep%'"), &n)
	return n
}

// migrating is the container of the migration that runs.
func (r *running) migrating() string {
	r.t.Helper()
	found := r.containers("slipway.service=", "slipway.container=django")
	if len(found) != 1 {
		r.t.Fatalf("%d migrations run", len(found))
	}
	return found[0]
}

// again starts a copy of a container: the same image, command, environment, network and bind mounts. The returned function waits for
// its end.
func (r *running) again(container string) func() (code int, said string) {
	r.t.Helper()
	var all []struct {
		Config struct {
			Image, User string
			Env         []string
			Entrypoint  []string
			Cmd         []string
		}
		HostConfig      struct{ NetworkMode string }
		Mounts          []struct{ Type, Source, Destination string }
		NetworkSettings struct{ Networks map[string]any }
	}
	if err := json.Unmarshal([]byte(r.docker("inspect", container)), &all); err != nil || len(all) != 1 {
		r.t.Fatalf("%d containers: %v", len(all), err)
	}
	c := all[0]
	name := "slipway-test-" + filepath.Base(r.t.TempDir()) + "-" + container
	args := []string{"run", "--name", name, "--read-only", "--tmpfs", "/tmp", "--network", c.HostConfig.NetworkMode, "--user", c.Config.User,
		"--entrypoint", c.Config.Entrypoint[0]}
	for _, m := range c.Mounts {
		if m.Type == "bind" {
			args = append(args, "--mount", "type=bind,readonly,src="+m.Source+",dst="+m.Destination)
		}
	}
	cmd := exec.Command("docker")
	cmd.Env = cmd.Environ()
	for _, variable := range c.Config.Env {
		name, _, _ := strings.Cut(variable, "=")
		args, cmd.Env = append(args, "--env", name), append(cmd.Env, variable)
	}
	cmd.Args = append(cmd.Args, slices.Concat(args, []string{c.Config.Image}, c.Config.Entrypoint[1:], c.Config.Cmd)...)
	var out lockedBuffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	remove := func() { exec.Command("docker", "rm", "-fv", name).Run() }
	r.t.Cleanup(remove)
	return func() (int, string) {
		cmd.Wait()
		remove()
		return cmd.ProcessState.ExitCode(), out.String()
	}
}
