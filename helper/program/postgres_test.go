package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	osuser "os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// The test binary is also the helper, so that it can be killed, and a project's manage.py.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "as-helper":
			reportEach = 300 * time.Millisecond
			grace = time.Second
			os.Exit(run(&invocation{os.Stdout, os.Stderr, currentEnvironment()}, os.Args[2:]))
		case "as-manage":
			os.Exit(manage(os.Args[2:]))
		}
	}
	code := m.Run()
	server.stop()
	os.Exit(code)
}

// A cluster is a Postgres server for all tests, like an instance of RDS: it accepts only TLS, and logs every statement.
type cluster struct {
	once sync.Once
	dir  string
	port string
	cmd  *exec.Cmd
	why  string // why there is none
}

var server cluster

const (
	owner         = "owner"
	ownerPassword = `it's the "owner\word'`
)

func (c *cluster) stop() {
	if c.cmd != nil {
		_ = c.cmd.Process.Signal(syscall.SIGINT)
		_ = c.cmd.Wait()
	}
	if c.dir != "" {
		_ = os.RemoveAll(c.dir)
	}
}

// start starts the server on the first call. Postgres refuses to run as root.
func (c *cluster) start() error {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	initdb, err := exec.LookPath("initdb")
	if len(found) > 0 {
		initdb = found[len(found)-1]
	} else if err != nil {
		c.why = "no initdb on this machine"
		return nil
	}
	if c.dir, err = os.MkdirTemp("", "helper-postgres-"); err != nil {
		return err
	}
	attr := &syscall.SysProcAttr{}
	if os.Getuid() == 0 {
		u, err := osuser.Lookup("postgres")
		if err != nil {
			if u, err = osuser.Lookup("nobody"); err != nil {
				return err
			}
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		if err := os.Chown(c.dir, uid, gid); err != nil {
			return err
		}
	}
	command := func(name string, args ...string) *exec.Cmd {
		cmd := exec.Command(filepath.Join(filepath.Dir(initdb), name), args...)
		cmd.SysProcAttr, cmd.Dir = attr, c.dir
		return cmd
	}
	data := filepath.Join(c.dir, "data")
	out, err := command("initdb", "-D", data, "--auth", "trust", "-U", "postgres", "--encoding", "UTF8", "--no-sync").CombinedOutput()
	if err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	if err := c.certify(data, attr.Credential); err != nil {
		return err
	}
	hba := "local all all trust\nhostssl all all all scram-sha-256\n"
	if err := os.WriteFile(filepath.Join(data, "pg_hba.conf"), []byte(hba), 0o644); err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	c.port = strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	l.Close()
	log, err := os.Create(filepath.Join(c.dir, "log"))
	if err != nil {
		return err
	}
	c.cmd = command("postgres", "-D", data, "-k", c.dir, "-p", c.port, "-c", "fsync=off", "-c", "listen_addresses=127.0.0.1",
		"-c", "ssl=on", "-c", "ssl_cert_file=tls.pem", "-c", "ssl_key_file=tls.key", "-c", "log_statement=all",
		"-c", "log_min_duration_statement=0",
		"-c", "log_connections=on")
	c.cmd.Stdout, c.cmd.Stderr = log, log
	if err := c.cmd.Start(); err != nil {
		return err
	}
	var conn *pgx.Conn
	for range 100 {
		if conn, err = pgx.Connect(context.Background(), c.local("postgres")); err == nil {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if err != nil {
		return err
	}
	defer conn.Close(context.Background())
	_, err = conn.Exec(context.Background(), fmt.Sprintf("CREATE ROLE owner LOGIN CREATEDB CREATEROLE PASSWORD '%s'", verifier(ownerPassword)))
	return err
}

func (c *cluster) local(database string) string {
	return fmt.Sprintf("host=%s port=%s user=postgres dbname=%s", c.dir, c.port, database)
}

func (c *cluster) authority() string { return filepath.Join(c.dir, "data", "tls.pem") }

// certify makes the server's certificate, which is its own authority.
func (c *cluster) certify(data string, owner *syscall.Credential) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, DNSNames: []string{"localhost"}, IsCA: true,
		BasicConstraintsValid: true, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	for name, block := range map[string]*pem.Block{
		"tls.pem": {Type: "CERTIFICATE", Bytes: certificate}, "tls.key": {Type: "PRIVATE KEY", Bytes: private},
	} {
		file := filepath.Join(data, name)
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			return err
		}
		if owner != nil {
			if err := os.Chown(file, int(owner.Uid), int(owner.Gid)); err != nil {
				return err
			}
		}
	}
	return nil
}

// A site is a database, its roles, and the environment of its tasks.
type site struct {
	t    *testing.T
	name string
	role string
	env  environment
}

var sites int

// newSite makes a database of the owner's.
func newSite(t *testing.T) *site {
	t.Helper()
	server.once.Do(func() {
		if err := server.start(); err != nil {
			server.why = err.Error()
			t.Fatal(err)
		}
	})
	if server.why != "" {
		t.Skip(server.why)
	}
	sites++
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program, _ := json.Marshal([]string{exe, "as-manage"})
	s := &site{t: t, name: fmt.Sprintf("site%d", sites), role: fmt.Sprintf(`role "%d"`, sites)}
	s.env = environment{
		"PATH": os.Getenv("PATH"), "HOME": t.TempDir(),
		"SLIPWAY_MANAGE": string(program), "SLIPWAY_MIGRATE": `[["migrate","--noinput"]]`, "SLIPWAY_MIGRATE_LIMIT": "60",
		"SLIPWAY_DB_HOST": "localhost", "SLIPWAY_DB_PORT": server.port, "SLIPWAY_DB_NAME": s.name,
		"SLIPWAY_DB_OWNER": owner, "SLIPWAY_DB_OWNER_PASSWORD": ownerPassword,
		"SLIPWAY_DB_ROLE": s.role, "SLIPWAY_DB_ROLE_PASSWORD": `pass\word'; DROP TABLE post`,
		"PGSSLMODE": "verify-full", "PGSSLROOTCERT": server.authority(),
		"DB_USER": owner, "DB_PASSWORD": ownerPassword,
	}
	admin := s.connect("postgres", "", "postgres")
	s.exec(admin, fmt.Sprintf("CREATE DATABASE %s OWNER owner", s.name))
	t.Cleanup(func() {
		s.exec(admin, fmt.Sprintf("DROP DATABASE %s WITH (FORCE)", s.name))
		if n := s.count(admin, "SELECT count(*) FROM pg_roles WHERE rolname = $1", s.role); n > 0 {
			s.exec(admin, "DROP ROLE "+identifier(s.role))
		}
	})
	return s
}

// connect logs in; as postgres without a password.
func (s *site) connect(user, password, database string) *pgx.Conn {
	s.t.Helper()
	conn, err := s.login(user, password, database)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

func (s *site) login(user, password, database string) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if user == "postgres" {
		return pgx.Connect(ctx, server.local(database))
	}
	a := address{"localhost", server.port, database, user, password, "verify-full", server.authority()}
	return a.connect(ctx, "test")
}

func (s *site) asOwner() *pgx.Conn { return s.connect(owner, ownerPassword, s.name) }
func (s *site) asRole() *pgx.Conn {
	return s.connect(s.role, s.env["SLIPWAY_DB_ROLE_PASSWORD"], s.name)
}

func (s *site) exec(c *pgx.Conn, sql string) {
	s.t.Helper()
	if _, err := c.Exec(context.Background(), sql); err != nil {
		s.t.Fatalf("%s: %v", sql, err)
	}
}

func (s *site) count(c *pgx.Conn, sql string, args ...any) (n int) {
	s.t.Helper()
	if err := c.QueryRow(context.Background(), sql, args...).Scan(&n); err != nil {
		s.t.Fatalf("%s: %v", sql, err)
	}
	return n
}

// migrations are what the project's migrate applies: names and statements.
func (s *site) migrations(pairs ...[2]string) {
	text, err := json.Marshal(pairs)
	if err != nil {
		s.t.Fatal(err)
	}
	s.env["TEST_MIGRATIONS"] = string(text)
}

// A task is a helper that runs.
type task struct {
	cmd *exec.Cmd
	out *shared
	buf *bytes.Buffer
	end chan struct{}
}

// start starts a helper. What it prints never holds a password.
func (s *site) start(args ...string) *task {
	s.t.Helper()
	exe, err := os.Executable()
	if err != nil {
		s.t.Fatal(err)
	}
	k := &task{cmd: exec.Command(exe, append([]string{"as-helper"}, args...)...), buf: &bytes.Buffer{}, end: make(chan struct{})}
	k.out = &shared{to: k.buf}
	k.cmd.Env, k.cmd.Stdout, k.cmd.Stderr = s.env.list(), k.out, k.out
	if err := k.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func() { _ = k.cmd.Wait(); close(k.end) }()
	s.t.Cleanup(func() {
		_ = k.cmd.Process.Kill()
		<-k.end
		for _, password := range []string{ownerPassword, s.env["SLIPWAY_DB_ROLE_PASSWORD"]} {
			if password != "" && strings.Contains(k.text(), password) {
				s.t.Errorf("a password was printed: %s", k.text())
			}
		}
	})
	return k
}

func (k *task) text() string {
	k.out.mu.Lock()
	defer k.out.mu.Unlock()
	return k.buf.String()
}

func (k *task) wait(t *testing.T) (int, string) {
	t.Helper()
	select {
	case <-k.end:
	case <-time.After(time.Minute):
		t.Fatalf("the helper does not end: %s", k.text())
	}
	return k.cmd.ProcessState.ExitCode(), k.text()
}

// until waits until it printed this.
func (k *task) until(t *testing.T, words string) {
	t.Helper()
	for range 300 {
		if strings.Contains(k.text(), words) {
			return
		}
		select {
		case <-k.end:
			t.Fatalf("it ended before it printed %q: %s", words, k.text())
		case <-time.After(50 * time.Millisecond):
		}
	}
	t.Fatalf("it never printed %q: %s", words, k.text())
}

func (s *site) run(args ...string) (int, string) {
	s.t.Helper()
	return s.start(args...).wait(s.t)
}

// expect runs the migration and compares its end.
func (s *site) expect(code int, words ...string) string {
	s.t.Helper()
	got, out := s.run("migrate")
	if got != code {
		s.t.Fatalf("exit code %d, want %d: %s", got, code, out)
	}
	for _, w := range words {
		if !strings.Contains(out, w) {
			s.t.Errorf("it lacks %q: %s", w, out)
		}
	}
	return out
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

// manage is a project's manage.py: it behaves like Django's in what the helper depends on.
// shell does what doctor's scripts do in a project with one model, whose table is post, and one view, which answers TEST_HEALTH.
func shell(ctx context.Context, conn *pgx.Conn, script string) int {
	if strings.Contains(script, "slipway-health") {
		fmt.Println("slipway-health", os.Getenv("TEST_HEALTH"), "at", os.Getenv("SLIPWAY_DOCTOR_PATH"))
		return 0
	}
	var n int
	_ = conn.QueryRow(ctx, "SELECT count(*) FROM pg_tables WHERE tablename = 'post'").Scan(&n)
	fmt.Println(map[bool]string{true: "slipway-tables []", false: `slipway-tables ["post"]`}[n > 0])
	return 0
}

func manage(args []string) int {
	ctx := context.Background()
	if path := os.Getenv("TEST_CALLS"); path != "" {
		f, _ := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		fmt.Fprintln(f, strings.Join(args, " "))
		f.Close()
	}
	fail := func(err error) int {
		fmt.Fprintf(os.Stderr, "Traceback (most recent call last):\n  File \"manage.py\", line 1\n%v\n", err)
		return 1
	}
	if text := os.Getenv("TEST_FAIL_" + args[0]); text != "" {
		return fail(errors.New(text))
	}
	switch {
	case len(args) == 1 && args[0] == "check":
		return 0 // without a database
	case args[0] == "shell" && strings.Contains(args[2], "slipway-database"):
		fmt.Printf(`slipway-database {"ENGINE": "django.db.backends.postgresql", "HOST": %q, "NAME": "x"}`+"\n",
			os.Getenv("TEST_HOST_OF_SETTINGS"))
		return 0
	}
	var migrations [][2]string
	_ = json.Unmarshal([]byte(os.Getenv("TEST_MIGRATIONS")), &migrations)
	// pgx reads PGOPTIONS and PGAPPNAME, as psycopg does.
	password := strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(os.Getenv("DB_PASSWORD"))
	conn, err := pgx.Connect(ctx, fmt.Sprintf(`host=localhost port=%s dbname=%s user=%s password='%s'`, os.Getenv("SLIPWAY_DB_PORT"),
		os.Getenv("SLIPWAY_DB_NAME"), os.Getenv("DB_USER"), password))
	if err != nil {
		return fail(fmt.Errorf("django.db.utils.OperationalError: %w", err))
	}
	defer conn.Close(ctx)
	done := map[string]bool{}
	if rows, err := conn.Query(ctx, "SELECT app || '.' || name FROM django_migrations"); err == nil {
		names, _ := pgx.CollectRows(rows, pgx.RowTo[string])
		for _, name := range names {
			done[name] = true
		}
	}
	switch args[0] {
	case "check":
		return 0
	case "shell":
		return shell(ctx, conn, args[len(args)-1])
	case "showmigrations":
		for _, m := range migrations {
			fmt.Printf("[%s]  %s\n", map[bool]string{true: "X", false: " "}[done[m[0]]], m[0])
		}
		return 0
	case "leak":
		fmt.Printf("logging in with %s\n", os.Getenv("DB_PASSWORD"))
		return fail(fmt.Errorf("ValueError: postgres://owner:%s@db refused", os.Getenv("DB_PASSWORD")))
	case "env":
		fmt.Println(strings.Join(slices.Sorted(slices.Values(os.Environ())), "\n"))
		return 0
	case "migrate":
	default:
		return fail(fmt.Errorf("CommandError: Unknown command: '%s'", args[0]))
	}
	if slices.Contains(args, "--plan") {
		fmt.Println("Planned operations:")
		for _, m := range migrations {
			if !done[m[0]] {
				fmt.Printf("%s\n    Create model\n", m[0])
			}
		}
		return 0
	}
	if _, err := conn.Exec(ctx, "CREATE TABLE IF NOT EXISTS django_migrations (id serial PRIMARY KEY, app text, name text)"); err != nil {
		return fail(err)
	}
	fmt.Println("Running migrations:")
	quiet := slices.Contains(args, "-v0")
	for _, m := range migrations {
		if done[m[0]] {
			continue
		}
		if !quiet {
			fmt.Printf("  Applying %s...", m[0])
		}
		app, name, _ := strings.Cut(m[0], ".")
		err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, m[1]); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, "INSERT INTO django_migrations (app, name) VALUES ($1, $2)", app, name)
			return err
		})
		if err != nil {
			return fail(fmt.Errorf("django.db.utils.ProgrammingError: %w", err))
		}
		if !quiet {
			fmt.Println(" OK")
		}
	}
	return 0
}
