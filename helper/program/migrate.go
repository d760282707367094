package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// Advisory locks are numbers; this one is Slipway's ("slipway" in ASCII).
const migrationLock int64 = 0x736C6970776179

// What the connections of the helper and of its commands are called in pg_stat_activity.
const (
	keeperName   = "slipway-lock"
	commandsName = "slipway-migrate"
)

// reportEach is how often a running migration is reported.
var reportEach = 30 * time.Second

var (
	errLimit   = errors.New("the limit is reached")
	errStopped = errors.New("SIGTERM")
	errLocked  = errors.New("another migration is running and did not finish in time")
)

// A migration runs the project's commands as the owner of the database, one task at a time, and maintains the lesser role.
// It can be repeated at any time, also after it was killed.
type migration struct {
	project  *project
	commands [][]string
	owner    address
	role     role

	limit, wait, lockTimeout time.Duration
	out                      io.Writer

	keeper   *pgx.Conn  // holds the lock
	keeping  sync.Mutex // a connection serves one query at a time
	planned  []string   // the migrations that the plan lists
	mu       sync.Mutex
	applying string
}

// migrate is the migration's task.
func migrate(i *invocation, flags *flag.FlagSet, args []string) error {
	wait := flags.Duration("wait", 5*time.Minute, "how long to wait for the database and for another migration")
	lockTimeout := flags.Duration("lock-timeout", 15*time.Second, "how long a migration may wait for a table in use")
	if err := parse(flags, args, 0); err != nil {
		return err
	}
	m, err := newMigration(i)
	if err != nil {
		return err
	}
	m.wait, m.lockTimeout = *wait, *lockTimeout
	ctx, cancel := context.WithTimeoutCause(context.Background(), m.limit, errLimit)
	defer cancel()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	defer signal.Stop(signals)
	go func() {
		select {
		case <-signals:
			stop(errStopped)
		case <-ctx.Done():
		}
	}()
	if err := m.migrate(ctx); err != nil {
		code, why := m.explain(ctx, err)
		// The deployment reads the name of the migration from the last line.
		m.say("%s", m.project.clean("migration failed: "+why))
		return &failure{code: code}
	}
	return nil
}

// explain gives the exit code and the reason in the user's terms.
func (m *migration) explain(ctx context.Context, err error) (code int, why string) {
	name := ""
	if failed, ok := asError[*commandError](err); ok {
		name = failed.name + ": "
	}
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errStopped):
		return exitStopped, name + "the task was stopped (SIGTERM) before it finished"
	case errors.Is(err, errLocked):
		return exitLocked, errLocked.Error()
	case errors.Is(cause, errLimit):
		return exitLimit, fmt.Sprintf("%sit did not finish within the limit of %s and was stopped", name, m.limit)
	}
	return exitFailed, words(err)
}

func newMigration(i *invocation) (*migration, error) {
	manage, err := i.manage()
	if err != nil {
		return nil, err
	}
	m := &migration{out: &shared{to: i.out}}
	text := i.env.or("SLIPWAY_MIGRATE", `[["migrate","--noinput"]]`)
	if err := json.Unmarshal([]byte(text), &m.commands); err != nil {
		return nil, usage("SLIPWAY_MIGRATE must be a JSON list of lists of strings, got %s", text)
	}
	seconds, err := strconv.Atoi(i.env.or("SLIPWAY_MIGRATE_LIMIT", "900"))
	if err != nil || seconds < 1 {
		return nil, usage("SLIPWAY_MIGRATE_LIMIT must be a number of seconds above 0, got %q", i.env["SLIPWAY_MIGRATE_LIMIT"])
	}
	m.limit = time.Duration(seconds) * time.Second
	for _, name := range []string{"SLIPWAY_DB_HOST", "SLIPWAY_DB_NAME", "SLIPWAY_DB_OWNER", "SLIPWAY_DB_OWNER_PASSWORD"} {
		if i.env[name] == "" {
			return nil, usage("%s is not set", name)
		}
	}
	m.owner = address{
		host: i.env["SLIPWAY_DB_HOST"], port: i.env.or("SLIPWAY_DB_PORT", "5432"), name: i.env["SLIPWAY_DB_NAME"],
		user: i.env["SLIPWAY_DB_OWNER"], password: i.env["SLIPWAY_DB_OWNER_PASSWORD"],
		sslmode: i.env["PGSSLMODE"], rootcert: i.env["PGSSLROOTCERT"],
	}
	if m.role, err = newRole(i.env); err != nil {
		return nil, err
	}
	env := maps.Clone(i.env)
	delete(env, "SLIPWAY_DB_OWNER_PASSWORD")
	delete(env, "SLIPWAY_DB_ROLE_PASSWORD")
	env["PGAPPNAME"] = commandsName
	m.project = &project{manage: manage, env: env.list(), out: m.out, hide: hiding(m.owner.password, m.role.password)}
	return m, nil
}

func (m *migration) say(format string, args ...any) { fmt.Fprintf(m.out, format+"\n", args...) }

func (m *migration) migrate(ctx context.Context) error {
	deadline := time.Now().Add(m.wait)
	if err := m.reach(ctx, deadline); err != nil {
		return err
	}
	defer m.release()
	if err := m.lock(ctx, deadline); err != nil {
		return err
	}
	if err := m.prepare(ctx); err != nil {
		return err
	}
	before, _ := m.applied(ctx)
	if err := m.runAll(ctx); err != nil {
		return err
	}
	after, err := m.applied(ctx)
	if err != nil {
		return fmt.Errorf("cannot read which migrations are applied: %w", err)
	}
	added := slices.DeleteFunc(after, func(name string) bool { return slices.Contains(before, name) })
	m.say("%d migrations applied", len(added))
	for _, name := range added {
		m.say("  %s", name)
	}
	if m.role.user == "" {
		return nil
	}
	return m.role.maintain(ctx, m.owner, m.say)
}

// reach opens the keeper's connection, and waits for a new database that is still starting. A refused login fails at once.
func (m *migration) reach(ctx context.Context, deadline time.Time) error {
	said := time.Time{}
	for {
		keeper, err := m.owner.connect(ctx, keeperName)
		if err == nil {
			m.keeper = keeper
			return nil
		}
		if !passing(err) || ctx.Err() != nil || time.Now().After(deadline) {
			return fmt.Errorf("cannot connect to the database: %s", words(err))
		}
		if time.Since(said) > reportEach/3 {
			m.say("waiting for the database")
			said = time.Now()
		}
		if err := pause(ctx, min(2*time.Second, m.wait/10)); err != nil {
			return fmt.Errorf("cannot connect to the database: %w", err)
		}
	}
}

// lock takes the lock on a connection of its own: the lock is held whatever the commands do to theirs, and Postgres releases it
// when the task ends. If the task's host is lost, Postgres notices after a minute.
func (m *migration) lock(ctx context.Context, deadline time.Time) error {
	_, err := m.keeper.Exec(ctx, "SET statement_timeout = 0; SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; "+
		"SET tcp_keepalives_count = 3")
	if err != nil {
		return fmt.Errorf("cannot prepare the lock: %w", err)
	}
	said := time.Time{}
	for {
		var got bool
		if err := m.keeper.QueryRow(ctx, "SELECT pg_try_advisory_lock($1)", migrationLock).Scan(&got); err != nil {
			if ctx.Err() != nil && !said.IsZero() { // the limit came while another migration had the lock
				return errors.Join(errLocked, err)
			}
			return fmt.Errorf("cannot take the lock: %w", err)
		}
		if got {
			return nil
		}
		if time.Now().After(deadline) {
			return errLocked
		}
		if time.Since(said) > reportEach/3 {
			m.say("waiting for another migration")
			said = time.Now()
		}
		if err := pause(ctx, min(time.Second, m.wait/10)); err != nil {
			return errors.Join(errLocked, err)
		}
	}
}

// release ends what the commands still run in the database, because Postgres finishes a statement whose client is gone, and
// then the keeper's connection.
func (m *migration) release() {
	m.keeping.Lock()
	defer m.keeping.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = m.endCommands(ctx)
	_ = m.keeper.Close(ctx)
}

// endCommands changes nothing without the lock: another migration's statements have the same name.
func (m *migration) endCommands(ctx context.Context) error {
	_, err := m.keeper.Exec(ctx, "SELECT pg_terminate_backend(a.pid) FROM pg_stat_activity a JOIN pg_locks l "+
		"ON l.pid = pg_backend_pid() AND l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND l.database = a.datid "+
		"AND (l.classid::bigint << 32 | l.objid::bigint) = $2 "+
		"WHERE a.datname = current_database() AND a.usename = current_user AND a.application_name = $1", commandsName, migrationLock)
	return err
}

// prepare ends what a killed migration left in the database, and sets the limits of the commands' statements.
func (m *migration) prepare(ctx context.Context) error {
	if err := m.endCommands(ctx); err != nil {
		return fmt.Errorf("cannot end the statements of an earlier migration: %w", err)
	}
	var version int
	if err := m.keeper.QueryRow(ctx, "SELECT current_setting('server_version_num')::int").Scan(&version); err != nil {
		return fmt.Errorf("cannot read the server's version: %w", err)
	}
	// A migration needs longer than a page. But it must not wait long for a table in use, because all other queries on that
	// table queue up behind it.
	options := fmt.Sprintf("-c statement_timeout=0 -c lock_timeout=%d", m.lockTimeout.Milliseconds())
	if version >= 140000 {
		options += " -c client_connection_check_interval=5000" // a killed migration leaves no statement behind
	}
	env := slices.DeleteFunc(m.project.env, func(line string) bool {
		own, found := strings.CutPrefix(line, "PGOPTIONS=")
		if found {
			options = strings.TrimSpace(own + " " + options) // the last of several settings wins
		}
		return found
	})
	m.project.env = append(env, "PGOPTIONS="+options)
	return nil
}

// applied lists the migrations that the database records; none if it has no such table yet.
func (m *migration) applied(ctx context.Context) ([]string, error) {
	m.keeping.Lock()
	defer m.keeping.Unlock()
	var table *string
	if err := m.keeper.QueryRow(ctx, "SELECT to_regclass('django_migrations')::text").Scan(&table); err != nil || table == nil {
		return nil, err
	}
	rows, err := m.keeper.Query(ctx, "SELECT app || '.' || name FROM django_migrations ORDER BY id")
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// runAll runs the commands one after the other. It reports every half minute, and stops if the lock is lost.
func (m *migration) runAll(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	done := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() { m.watch(stop, done) })
	defer watching.Wait()
	defer close(done)
	m.plan(ctx)
	for _, args := range m.commands {
		if r := m.project.run(ctx, args, m.progress); r.err != nil {
			return m.failed(ctx, args, r)
		}
	}
	return nil
}

func (m *migration) progress(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.applying = name
}

// watch reports that the commands still run. The lock is lost with its connection, and another task could migrate then.
func (m *migration) watch(stop context.CancelCauseFunc, done <-chan struct{}) {
	began := time.Now()
	// A deadline for each question would close the connection of a database that is only slow, and lose the lock.
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		<-done
		time.AfterFunc(5*time.Second, cancel)
	}()
	ticker := time.NewTicker(reportEach)
	defer ticker.Stop()
	for {
		select {
		case <-done:
			return
		case <-ticker.C:
		}
		m.mu.Lock()
		what := cmp.Or(m.applying, "the commands")
		m.mu.Unlock()
		m.say("still migrating: %s, %s of at most %s", what, time.Since(began).Round(time.Second), m.limit)
		m.keeping.Lock()
		err := m.keeper.Ping(ctx)
		m.keeping.Unlock()
		if err != nil {
			stop(fmt.Errorf("the connection that holds the lock broke: %w", err))
		}
	}
}

var plannedLine = regexp.MustCompile(`(?m)^(\w+\.\w[\w.-]*)$`)

// plan prints what Django is about to do. Without a plan the migration runs all the same: Django's own error says more.
func (m *migration) plan(ctx context.Context) {
	if len(m.commands) == 0 || len(m.commands[0]) == 0 || m.commands[0][0] != "migrate" {
		return
	}
	r := m.project.run(ctx, append(slices.Clone(m.commands[0]), "--plan"), nil)
	if r.err != nil {
		m.say("the plan failed: %s", words(r.err))
	}
	for _, found := range plannedLine.FindAllStringSubmatch(r.out, -1) {
		m.planned = append(m.planned, found[1])
	}
}

// A commandError is a failed command of the project.
type commandError struct {
	name   string // the migration that failed, or the command if it is not known
	reason string
}

func (e *commandError) Error() string { return e.name + ": " + e.reason }

func (m *migration) failed(ctx context.Context, args []string, r result) error {
	// In quotes, because the deployment takes manage.py for the name of a migration.
	command := strconv.Quote(strings.Join(slices.Concat(m.project.manage, args), " "))
	e := &commandError{cmp.Or(r.applying, m.firstMissing(), command), r.reason}
	if cause := context.Cause(ctx); cause != nil {
		e.reason = cause.Error()
	} else if r.locked {
		e.reason = fmt.Sprintf("it waited %s for a table that is in use and gave up, to avoid blocking the site; try again", m.lockTimeout)
	}
	return e
}

// firstMissing is the first planned migration that is not applied; "" if the database does not say.
func (m *migration) firstMissing() string {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	done, err := m.applied(ctx)
	if err != nil {
		return ""
	}
	missing := slices.IndexFunc(m.planned, func(name string) bool { return !slices.Contains(done, name) })
	if missing < 0 {
		return ""
	}
	return m.planned[missing]
}

// A shared writer may be written to by several goroutines.
type shared struct {
	to io.Writer
	mu sync.Mutex
}

func (s *shared) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.to.Write(p)
}
