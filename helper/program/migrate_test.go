package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

const table = "CREATE TABLE post (id serial PRIMARY KEY, text text)"

func TestMigrateAppliesAndGrants(t *testing.T) {
	s := newSite(t)
	s.migrations([2]string{"feed.0001_initial", table}, [2]string{"feed.0002_more",
		`CREATE SCHEMA "other ""one"; CREATE TABLE "other ""one".note (id serial); CREATE VIEW seen AS SELECT * FROM post`})
	s.expect(0, "Planned operations:\nfeed.0001_initial\n",
		"2 migrations applied\n  feed.0001_initial\n  feed.0002_more\n", "created and granted")
	s.expect(0, "0 migrations applied\n", "altered and granted")

	site := s.asRole()
	for _, allowed := range []string{
		"INSERT INTO post (text) VALUES ('a')", "UPDATE post SET text = 'b'", "SELECT * FROM seen", "DELETE FROM post",
		"SELECT setval('post_id_seq', 7)", // as loaddata does
		`INSERT INTO "other ""one".note DEFAULT VALUES`, `SELECT setval('"other ""one".note_id_seq', 7)`, "SELECT * FROM django_migrations",
	} {
		s.exec(site, allowed)
	}
	for _, forbidden := range []string{
		"CREATE TABLE mine (id int)", "DROP TABLE post", "ALTER TABLE post ADD COLUMN x int", "TRUNCATE post", "DELETE FROM django_migrations",
		"INSERT INTO django_migrations (app, name) VALUES ('a', 'b')", "UPDATE django_migrations SET name = 'b'", "CREATE ROLE other",
		"SET ROLE owner", `CREATE TABLE "other ""one".mine (id int)`,
	} {
		_, err := site.Exec(context.Background(), forbidden)
		if said := (*pgconn.PgError)(nil); !errors.As(err, &said) || said.Code != "42501" {
			t.Errorf("%s: want a refusal, got %v", forbidden, err)
		}
	}
	// Tables that come later are granted as well, in every schema.
	s.exec(s.asOwner(), `CREATE TABLE later (id serial); CREATE TABLE "other ""one".later (id serial)`)
	s.exec(site, `INSERT INTO later DEFAULT VALUES; SELECT setval('later_id_seq', 9); INSERT INTO "other ""one".later DEFAULT VALUES`)
}

// An extension's table belongs to the superuser who made it: RDS's rdsadmin.
func TestTablesOfOthersAreLeftAlone(t *testing.T) {
	s := newSite(t)
	admin := s.connect("postgres", "", s.name)
	s.exec(admin, "CREATE TABLE spatial (id int); CREATE SEQUENCE theirs; CREATE SCHEMA theirs; CREATE TABLE theirs.thing (id int)")
	s.migrations([2]string{"feed.0001_initial", table})
	s.expect(0, "created and granted")
	s.exec(s.asRole(), "INSERT INTO post (text) VALUES ('a')")
	if _, err := s.asRole().Exec(context.Background(), "SELECT * FROM theirs.thing"); err == nil {
		t.Error("the role reads a table that is not the owner's")
	}
}

func TestNewPasswordOfTheRole(t *testing.T) {
	s := newSite(t)
	old := s.env["SLIPWAY_DB_ROLE_PASSWORD"]
	s.expect(0, "created and granted")
	s.asRole()
	s.env["SLIPWAY_DB_ROLE_PASSWORD"] = "another"
	s.expect(0, "altered and granted")
	s.asRole()
	if _, err := s.login(s.role, old, s.name); err == nil {
		t.Error("the old password still works")
	}
}

func TestPasswordsAreNotInTheStatementLog(t *testing.T) {
	s := newSite(t)
	s.env["SLIPWAY_DB_ROLE_PASSWORD"] = "distinctive-role-password"
	s.expect(0, "created and granted")
	s.env["SLIPWAY_DB_ROLE_PASSWORD"] = "distinctive-second-password"
	s.expect(0, "altered and granted")
	log, err := os.ReadFile(filepath.Join(server.dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(log), "ROLE "+identifier(s.role)+" LOGIN PASSWORD") {
		t.Fatal("the statements are not logged: this test sees nothing")
	}
	if strings.Contains(string(log), "distinctive-") {
		t.Error("a password is in the log of the server")
	}
}

func TestOutputOfCommandsIsWithoutPasswords(t *testing.T) {
	s := newSite(t)
	s.env["SLIPWAY_MIGRATE"] = `[["leak"]]`
	out := s.expect(1, "logging in with …")
	if got := lastLine(out); !strings.HasSuffix(got, `as-manage leak": ValueError: postgres://owner:…@db refused`) {
		t.Errorf("last line %s", got)
	}
}

func TestEnvironmentOfCommands(t *testing.T) {
	s := newSite(t)
	s.env["SLIPWAY_MIGRATE"] = `[["env"]]`
	s.env["PGOPTIONS"] = "-c statement_timeout=15s"
	out := s.expect(0, "\nPGOPTIONS=-c statement_timeout=15s -c statement_timeout=0 -c lock_timeout=15000", "\nPGAPPNAME=slipway-migrate\n",
		"\nSLIPWAY_DB_HOST=localhost\n")
	for _, absent := range []string{"SLIPWAY_DB_OWNER_PASSWORD", "SLIPWAY_DB_ROLE_PASSWORD"} {
		if strings.Contains(out, absent) {
			t.Errorf("the project's commands see %s", absent)
		}
	}
}

func TestWithoutARoleItOnlyMigrates(t *testing.T) {
	s := newSite(t)
	s.env["SLIPWAY_DB_ROLE"], s.env["SLIPWAY_DB_ROLE_PASSWORD"] = "", ""
	s.migrations([2]string{"feed.0001_initial", table})
	if out := s.expect(0, "1 migrations applied"); strings.Contains(out, "granted") {
		t.Errorf("it granted something: %s", out)
	}
}

func TestCommandsRunInOrderAndEndAtTheFirstFailure(t *testing.T) {
	s := newSite(t)
	calls := filepath.Join(t.TempDir(), "calls")
	s.env["TEST_CALLS"] = calls
	s.env["SLIPWAY_MIGRATE"] = `[["migrate","--noinput"],["check","--tag","x"],["unknown"],["env"]]`
	out := s.expect(1)
	text, err := os.ReadFile(calls)
	if err != nil {
		t.Fatal(err)
	}
	if want := "migrate --noinput --plan\nmigrate --noinput\ncheck --tag x\nunknown\n"; string(text) != want {
		t.Errorf("commands %q, want %q", text, want)
	}
	if got := lastLine(out); !strings.HasSuffix(got, `as-manage unknown": CommandError: Unknown command: 'unknown'`) {
		t.Errorf("last line %s", got)
	}
	if s.count(s.connect("postgres", "", "postgres"), "SELECT count(*) FROM pg_roles WHERE rolname = $1", s.role) != 0 {
		t.Error("the role was made although a command failed")
	}
}

// The pattern by which ecs/migration.go finds the name.
var deploymentReads = regexp.MustCompile(`(?:migration failed: |the migration )(\w+\.\w+)`)

func TestFailureNamesTheMigration(t *testing.T) {
	broken := [][2]string{{"feed.0001_initial", table}, {"feed.0002_broken", "SELECT nothing"}, {"feed.0003_later", "SELECT 1"}}
	for _, command := range []string{`[["migrate","--noinput"]]`, `[["migrate","-v0"]]`} {
		s := newSite(t)
		s.env["SLIPWAY_MIGRATE"] = command
		s.migrations(broken...)
		last := lastLine(s.expect(1))
		const want = "migration failed: feed.0002_broken: django.db.utils.ProgrammingError: " +
			`ERROR: column "nothing" does not exist (SQLSTATE 42703)`
		if last != want {
			t.Errorf("%s: last line %s, want %s", command, last, want)
		}
		if m := deploymentReads.FindStringSubmatch(last); m == nil || m[1] != "feed.0002_broken" {
			t.Errorf("the deployment reads %q", m)
		}
		if n := s.count(s.asOwner(), "SELECT count(*) FROM django_migrations"); n != 1 {
			t.Errorf("%d migrations are applied, want the first one", n)
		}
		// Repeated with the mistake repaired, it continues where it stopped.
		broken[1][1] = "SELECT 1"
		s.migrations(broken...)
		s.expect(0, "2 migrations applied\n  feed.0002_broken\n  feed.0003_later\n")
		broken[1][1] = "SELECT nothing"
	}
}

// manage.py and django.db are no migrations.
func TestFailureWithoutAMigrationNamesNone(t *testing.T) {
	s := newSite(t)
	s.env["TEST_FAIL_migrate"] = "django.core.exceptions.ImproperlyConfigured: Set the X environment variable"
	last := lastLine(s.expect(1, "the plan failed: exit code 1"))
	m := deploymentReads.FindStringSubmatch(last)
	if m != nil || !strings.HasSuffix(last, "ImproperlyConfigured: Set the X environment variable") {
		t.Errorf("last line %s names %q", last, m)
	}
}

func TestDoesNotWaitLongForATableInUse(t *testing.T) {
	s := newSite(t)
	s.migrations([2]string{"feed.0001_initial", table})
	s.expect(0)
	s.migrations([2]string{"feed.0001_initial", table}, [2]string{"feed.0002_column", "ALTER TABLE post ADD COLUMN later int"})
	page := s.asRole()
	s.exec(page, "BEGIN; SELECT 1 FROM post")
	code, out := s.run("migrate", "--lock-timeout=500ms")
	const want = "migration failed: feed.0002_column: it waited 500ms for a table that is in use and gave up"
	if code != 1 || !strings.HasPrefix(lastLine(out), want) {
		t.Errorf("exit code %d, last line %s", code, lastLine(out))
	}
	s.exec(page, "COMMIT")
	s.expect(0, "1 migrations applied")
}

func TestTwoAtOnce(t *testing.T) {
	s := newSite(t)
	s.migrations([2]string{"feed.0001_initial", table}, [2]string{"feed.0002_slow", "SELECT pg_sleep(2)"}, [2]string{"feed.0003_row",
		"INSERT INTO post (text) VALUES ('once')"})
	first := s.start("migrate")
	first.until(t, "Planned operations")
	second := s.start("migrate")
	second.until(t, "waiting for another migration")
	for n, k := range []*task{first, second} {
		code, out := k.wait(t)
		if want := fmt.Sprintf("%d migrations applied", []int{3, 0}[n]); code != 0 || !strings.Contains(out, want) {
			t.Errorf("task %d: exit code %d, want %q: %s", n, code, want, out)
		}
	}
	if n := s.count(s.asOwner(), "SELECT count(*) FROM post"); n != 1 {
		t.Errorf("the row is there %d times", n)
	}
	if !strings.Contains(first.text(), "still migrating: feed.0002_slow, ") {
		t.Errorf("the running migration was not reported: %s", first.text())
	}
}

func TestGivesUpWaitingForTheLock(t *testing.T) {
	s := newSite(t)
	s.exec(s.asOwner(), fmt.Sprintf("SELECT pg_advisory_lock(%d)", migrationLock))
	code, out := s.run("migrate", "--wait=500ms")
	if code != exitLocked || lastLine(out) != "migration failed: another migration is running and did not finish in time" {
		t.Errorf("exit code %d: %s", code, out)
	}
	// Also if the limit comes first.
	s.env["SLIPWAY_MIGRATE_LIMIT"] = "3"
	if code, out := s.run("migrate"); code != exitLocked {
		t.Errorf("exit code %d: %s", code, out)
	}
}

func TestWaiterDoesNotDisturbTheOneThatRuns(t *testing.T) {
	s := newSite(t)
	s.migrations([2]string{"feed.0001_slow", "SELECT pg_sleep(3)"})
	first := s.start("migrate")
	first.until(t, "still migrating: feed.0001_slow")
	if code, out := s.run("migrate", "--wait=300ms"); code != exitLocked {
		t.Errorf("exit code %d: %s", code, out)
	}
	if code, out := first.wait(t); code != 0 {
		t.Errorf("exit code %d: %s", code, out)
	}
}

// statements counts what commands of a migration run in the database.
func (s *site) statements() int {
	admin := s.connect("postgres", "", "postgres")
	return s.count(admin, "SELECT count(*) FROM pg_stat_activity WHERE datname = $1 AND usename = 'owner'", s.name)
}

func (s *site) noStatements(within time.Duration) {
	s.t.Helper()
	for end := time.Now().Add(within); s.statements() > 0; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Errorf("%d connections of the owner are left after %s", s.statements(), within)
			return
		}
	}
}

func TestKilledInTheMiddleAndRepeated(t *testing.T) {
	s := newSite(t)
	slow := [][2]string{{"feed.0001_initial", table}, {"feed.0002_slow", "ALTER TABLE post ADD COLUMN more int; SELECT pg_sleep(60)"}}
	s.migrations(slow...)
	k := s.start("migrate")
	k.until(t, "still migrating: feed.0002_slow")
	child := childOf(t, k.cmd.Process.Pid)
	_ = k.cmd.Process.Kill()
	<-k.end
	for n := 0; syscall.Kill(child, 0) == nil && !zombie(child); n++ {
		if n > 50 {
			t.Fatal("the project's command runs on without the lock")
		}
		time.Sleep(100 * time.Millisecond)
	}
	// The next one does not wait for the statement that is still running.
	slow[1][1] = "ALTER TABLE post ADD COLUMN more int"
	s.migrations(slow...)
	code, out := s.run("migrate", "--lock-timeout=1s")
	if code != 0 || !strings.Contains(out, "1 migrations applied\n  feed.0002_slow\n") {
		t.Errorf("exit code %d: %s", code, out)
	}
	s.exec(s.asRole(), "INSERT INTO post (more) VALUES (1)")
}

func TestKilledMigrationLeavesNoStatement(t *testing.T) {
	s := newSite(t)
	s.migrations([2]string{"feed.0001_slow", "SELECT pg_sleep(60)"})
	k := s.start("migrate")
	k.until(t, "still migrating: feed.0001_slow")
	_ = k.cmd.Process.Kill()
	<-k.end
	s.noStatements(10 * time.Second)
}

func TestLimit(t *testing.T) {
	s := newSite(t)
	s.migrations([2]string{"feed.0001_initial", table}, [2]string{"feed.0002_slow", "INSERT INTO post (text) SELECT 'x' FROM pg_sleep(60)"})
	s.env["SLIPWAY_MIGRATE_LIMIT"] = "2"
	k := s.start("migrate")
	k.until(t, "still migrating: feed.0002_slow")
	child := childOf(t, k.cmd.Process.Pid)
	code, out := k.wait(t)
	const want = "migration failed: feed.0002_slow: it did not finish within the limit of 2s and was stopped"
	if code != exitLimit || lastLine(out) != want {
		t.Errorf("exit code %d, last line %s", code, lastLine(out))
	}
	if err := syscall.Kill(-child, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("the process group is still there: %v", err)
	}
	s.noStatements(2 * time.Second)
	if n := s.count(s.asOwner(), "SELECT count(*) FROM post"); n != 0 {
		t.Error("the stopped migration left rows")
	}
}

// A command that ignores SIGTERM is killed, with what it started.
func TestLimitKillsTheWholeGroup(t *testing.T) {
	s := newSite(t)
	script := filepath.Join(t.TempDir(), "manage")
	pids := filepath.Join(t.TempDir(), "pids")
	text := fmt.Sprintf("#!/bin/sh\ntrap '' TERM\necho $$ >>%[1]s\n(trap '' TERM; sleep 60) &\necho $! >>%[1]s\nwait\nsleep 60\n", pids)
	if err := os.WriteFile(script, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	s.env["SLIPWAY_MANAGE"], s.env["SLIPWAY_MIGRATE"], s.env["SLIPWAY_MIGRATE_LIMIT"] = fmt.Sprintf("[%q]", script), `[["go"]]`, "1"
	began := time.Now()
	if code, out := s.run("migrate"); code != exitLimit {
		t.Errorf("exit code %d: %s", code, out)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
	words, err := os.ReadFile(pids)
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range strings.Fields(string(words)) {
		pid, _ := strconv.Atoi(word)
		if syscall.Kill(pid, 0) == nil && !zombie(pid) {
			t.Errorf("process %d is still there", pid)
		}
	}
}

func TestStoppedTask(t *testing.T) {
	s := newSite(t)
	s.migrations([2]string{"feed.0001_slow", "SELECT pg_sleep(60)"})
	k := s.start("migrate")
	k.until(t, "still migrating: feed.0001_slow")
	_ = k.cmd.Process.Signal(syscall.SIGTERM)
	code, out := k.wait(t)
	const want = "migration failed: feed.0001_slow: the task was stopped (SIGTERM) before it finished"
	if code != exitStopped || lastLine(out) != want {
		t.Errorf("exit code %d, last line %s", code, lastLine(out))
	}
	s.noStatements(2 * time.Second)
}

func TestStoppedWhileItWaits(t *testing.T) {
	s := newSite(t)
	s.exec(s.asOwner(), fmt.Sprintf("SELECT pg_advisory_lock(%d)", migrationLock))
	k := s.start("migrate")
	k.until(t, "waiting for another migration")
	_ = k.cmd.Process.Signal(syscall.SIGTERM)
	if code, out := k.wait(t); code != exitStopped {
		t.Errorf("exit code %d: %s", code, out)
	}
}

func TestStopsWhenTheLockIsLost(t *testing.T) {
	s := newSite(t)
	s.migrations([2]string{"feed.0001_slow", "SELECT pg_sleep(60)"})
	k := s.start("migrate")
	k.until(t, "still migrating: feed.0001_slow")
	admin := s.connect("postgres", "", "postgres")
	s.exec(admin, fmt.Sprintf("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '%s' AND datname = '%s'",
		keeperName, s.name))
	code, out := k.wait(t)
	const want = "migration failed: feed.0001_slow: the connection that holds the lock broke"
	if code != exitFailed || !strings.HasPrefix(lastLine(out), want) {
		t.Errorf("exit code %d, last line %s", code, lastLine(out))
	}
}

func TestRefusedLoginFailsAtOnce(t *testing.T) {
	for name, change := range map[string]func(*site){
		"password": func(s *site) { s.env["SLIPWAY_DB_OWNER_PASSWORD"] = "wrong word" },
		"database": func(s *site) { s.env["SLIPWAY_DB_NAME"] = "absent" },
		"host":     func(s *site) { s.env["SLIPWAY_DB_HOST"] = "absent.invalid" },
		"authority": func(s *site) {
			s.env["PGSSLROOTCERT"] = filepath.Join(server.dir, "absent.pem")
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			change(s)
			began := time.Now()
			out := s.expect(1, "migration failed: cannot connect to the database: ")
			if took := time.Since(began); took > 10*time.Second || strings.Contains(out, "waiting") {
				t.Errorf("it waited %s: %s", took, out)
			}
		})
	}
}

func TestWaitsForADatabaseThatIsStarting(t *testing.T) {
	s := newSite(t)
	s.env["SLIPWAY_DB_PORT"] = "1"
	code, out := s.run("migrate", "--wait=500ms")
	if code != 1 || !strings.Contains(out, "waiting for the database") || !strings.Contains(lastLine(out), "refused") {
		t.Errorf("exit code %d: %s", code, out)
	}
}

func TestRefusals(t *testing.T) {
	for _, test := range []struct {
		name, role, password, words string
		code                        int
	}{
		{"the owner", owner, "x", "must not be SLIPWAY_DB_OWNER", exitUsage},
		{"no password", "site", "", "must be set together", exitUsage},
		{"no role", "", "x", "must be set together", exitUsage},
		{"umlaut", "site", "pässword", "printable ASCII", exitUsage},
		{"a superuser", "postgres", "xxxx", "has more permissions than", exitFailed},
		{"reserved", "pg_reserved", "xxxx", "could not be created", exitFailed},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t)
			s.env["SLIPWAY_DB_ROLE"], s.env["SLIPWAY_DB_ROLE_PASSWORD"] = test.role, test.password
			if code, out := s.run("migrate"); code != test.code || !strings.Contains(out, test.words) {
				t.Errorf("exit code %d: %s", code, out)
			}
		})
	}
}

// The example of RFC 7677, section 3: its client's proof and its server's signature follow from these keys.
func TestVerifier(t *testing.T) {
	got := scram("pencil", []byte("[m\x99h\x9d\x125\x8e\xec\xa0K\x14\x126\xfa\x81"), 4096)
	const want = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:" +
		"wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// childOf is the process that the helper started.
func childOf(t *testing.T, parent int) int {
	t.Helper()
	found, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range found {
		text, _ := os.ReadFile(file)
		if fields := strings.Fields(afterName(string(text))); len(fields) > 1 && fields[1] == strconv.Itoa(parent) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			return pid
		}
	}
	t.Skip("this test needs /proc")
	return 0
}

func zombie(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && strings.HasPrefix(strings.TrimSpace(afterName(string(text))), "Z")
}

func afterName(stat string) string { return stat[strings.LastIndexByte(stat, ')')+1:] }
