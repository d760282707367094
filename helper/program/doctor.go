package main

import (
	"cmp"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// A diagnosis is one step of doctor.
type diagnosis struct {
	Step  string   `json:"step"`
	State string   `json:"state"` // ok, failed, not tried
	Found []string `json:"found,omitempty"`
	Seen  string   `json:"seen,omitempty"`  // what happened
	Cause string   `json:"cause,omitempty"` // what is likely the matter
}

// A sickness is why a step failed: what was seen, and the likely cause.
type sickness struct{ seen, cause string }

func (s *sickness) Error() string { return s.seen }

// An examination finds out why the app cannot reach its database. Four steps; after a failed one the others are not tried:
//
//	1 environment  are all variables set?
//	2 network      does the name resolve, does the port respond?
//	3 log-in       does Postgres accept this role for this database, over verified TLS?
//	4 Django       does Django's own connection work, are the migrations applied?
//
// It prints no secret, and of the environment only names.
type examination struct {
	env      environment
	manage   []string
	hide     *strings.Replacer
	database address
	found    []string
}

func doctor(i *invocation, flags *flag.FlagSet, args []string) error {
	asJSON := flags.Bool("json", false, "print JSON")
	if err := parse(flags, args, 0); err != nil {
		return err
	}
	manage, err := i.manage()
	if err != nil {
		return err
	}
	e := &examination{env: i.env, manage: manage, hide: hiding(i.env["SLIPWAY_DB_PASSWORD"], i.env["SLIPWAY_DB_OWNER_PASSWORD"])}
	report, sick := e.examine()
	if *asJSON {
		text, err := json.MarshalIndent(report, "", "  ")
		if err != nil {
			return err
		}
		fmt.Fprintf(i.out, "%s\n", text)
	} else {
		for n, d := range report {
			fmt.Fprintf(i.out, "%d %s: %s\n", n+1, d.Step, strings.ReplaceAll(d.State, "failed", "FAILED"))
			for _, line := range d.Found {
				fmt.Fprintf(i.out, "    %s\n", line)
			}
			if d.Seen != "" {
				fmt.Fprintf(i.out, "    seen: %s\n    likely cause: %s\n", d.Seen, d.Cause)
			}
		}
	}
	if sick {
		return &failure{code: exitFailed}
	}
	return nil
}

func (e *examination) examine() (report []diagnosis, sick bool) {
	for _, step := range []struct {
		name string
		run  func() *sickness
	}{{"environment", e.environment}, {"network", e.network}, {"log-in", e.login}, {"Django", e.django}} {
		d := diagnosis{Step: step.name, State: "not tried"}
		if !sick {
			e.found = nil
			s := step.run()
			d.State = "ok"
			for _, line := range e.found {
				d.Found = append(d.Found, e.clean(line))
			}
			if s != nil {
				sick = true
				d.State, d.Seen, d.Cause = "failed", e.clean(s.seen), s.cause
			}
		}
		report = append(report, d)
	}
	return report, sick
}

func (e *examination) clean(text string) string { return (&project{hide: e.hide}).clean(text) }

func (e *examination) tell(format string, args ...any) {
	e.found = append(e.found, fmt.Sprintf(format, args...))
}

// environment finds the database that the app uses.
func (e *examination) environment() *sickness {
	var set, empty []string
	for name, value := range e.env {
		if value == "" {
			empty = append(empty, name)
		} else {
			set = append(set, name)
		}
	}
	slices.Sort(set)
	slices.Sort(empty)
	e.tell("set: %s", strings.Join(set, " "))
	if len(empty) > 0 {
		e.tell("empty: %s", strings.Join(empty, " "))
	}
	from, err := e.findDatabase()
	if err != nil {
		return err
	}
	e.tell("the database's address comes from %s", from)
	if file := e.database.rootcert; file != "" {
		if _, err := os.Stat(file); err != nil {
			return &sickness{words(err), "PGSSLROOTCERT names a file that is not in the image: build the image again"}
		}
	}
	return nil
}

// findDatabase fills in the database and says where it found it.
func (e *examination) findDatabase() (string, *sickness) {
	e.database = address{sslmode: e.env["PGSSLMODE"], rootcert: e.env["PGSSLROOTCERT"]}
	if e.env["SLIPWAY_DB_HOST"] != "" {
		return e.fromVariables()
	}
	names := make([]string, 0, len(e.env))
	for name := range e.env {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if u, err := url.Parse(e.env[name]); err == nil && postgresScheme.MatchString(u.Scheme) && u.Host != "" {
			password, _ := u.User.Password()
			e.setDatabase(u.Hostname(), u.Port(), strings.TrimPrefix(u.Path, "/"), u.User.Username(), password)
			if mode := u.Query().Get("sslmode"); mode != "" {
				e.database.sslmode = mode
			}
			return name, nil
		}
	}
	return e.fromDjango()
}

var postgresScheme = regexp.MustCompile(`^(postgres|postgresql|postgis|psql|pgsql)$`)

func (e *examination) fromVariables() (string, *sickness) {
	user, password := "SLIPWAY_DB_USER", "SLIPWAY_DB_PASSWORD"
	if e.env[user] == "" && e.env["SLIPWAY_DB_OWNER"] != "" {
		user, password = "SLIPWAY_DB_OWNER", "SLIPWAY_DB_OWNER_PASSWORD" // in the task of a migration
	}
	for _, name := range []string{"SLIPWAY_DB_NAME", user, password} {
		if e.env[name] == "" {
			return "", &sickness{name + " is not set", "the task definition: a variable or a secret is missing there"}
		}
	}
	e.setDatabase(e.env["SLIPWAY_DB_HOST"], e.env["SLIPWAY_DB_PORT"], e.env["SLIPWAY_DB_NAME"], e.env[user], e.env[password])
	return "SLIPWAY_DB_HOST", nil
}

func (e *examination) setDatabase(host, port, name, user, password string) {
	d := &e.database
	d.host, d.port, d.name, d.user, d.password = host, cmp.Or(port, "5432"), name, user, password
	e.hide = hiding(password, e.env["SLIPWAY_DB_PASSWORD"], e.env["SLIPWAY_DB_OWNER_PASSWORD"])
}

// printDatabase makes Django print the database of its settings.
const printDatabase = `import json
from django.conf import settings
d = settings.DATABASES["default"]
print("slipway-database " + json.dumps({k: str(d.get(k) or "") for k in ("ENGINE", "HOST", "PORT", "NAME", "USER", "PASSWORD")}))`

const settingsCause = "the settings cannot be loaded: a variable that they demand is missing in the task definition, or has a wrong value"

func (e *examination) fromDjango() (string, *sickness) {
	r := e.run("shell", "-c", printDatabase)
	if r.err != nil {
		return "", &sickness{r.reason, settingsCause}
	}
	var d map[string]string
	_, text, _ := strings.Cut(r.secret, "slipway-database ")
	text, _, _ = strings.Cut(text, "\n")
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		return "", &sickness{"Django printed no database", settingsCause}
	}
	switch {
	case !strings.Contains(d["ENGINE"], "postgis") && !strings.Contains(d["ENGINE"], "postgresql"):
		return "", &sickness{"the settings use " + d["ENGINE"], "the variables that name the Postgres database are not set: see app.env"}
	case d["HOST"] == "" || d["NAME"] == "":
		return "", &sickness{fmt.Sprintf("the settings use host %q and name %q", d["HOST"], d["NAME"]),
			"the variables that name the Postgres database are not set: see app.env"}
	}
	e.setDatabase(d["HOST"], d["PORT"], d["NAME"], d["USER"], d["PASSWORD"])
	return "Django's settings", nil
}

func (e *examination) network() *sickness {
	host, at := e.database.host, net.JoinHostPort(e.database.host, e.database.port)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	addresses, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		return &sickness{fmt.Sprintf("%s does not resolve: %s", host, words(err)),
			"the host is not the address of the instance, or the VPC has DNS names switched off"}
	}
	slices.Sort(addresses)
	e.tell("%s is %s", host, strings.Join(slices.Compact(addresses), ", "))
	began := time.Now()
	c, err := net.DialTimeout("tcp", at, 5*time.Second)
	if timeout, ok := asError[net.Error](err); ok && timeout.Timeout() {
		return &sickness{fmt.Sprintf("no answer from %s within 5 s", at),
			"a firewall: the task's security group must be allowed in by the database's, on this port; " +
				"or the subnets have no route to each other"}
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return &sickness{at + " refuses", "the port is wrong, or the database is stopped or still starting"}
	}
	if err != nil {
		return &sickness{words(err), "the subnets have no route to each other"}
	}
	c.Close()
	e.tell("port %s answers after %d ms", e.database.port, time.Since(began).Milliseconds())
	return nil
}

func (e *examination) login() *sickness {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, err := e.database.connect(ctx, "slipway-doctor")
	if err != nil {
		return &sickness{words(err), loginCause(err)}
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var tls bool
	var version, number string
	err = conn.QueryRow(ctx, "SELECT ssl, coalesce(version, ''), current_setting('server_version') FROM pg_stat_ssl "+
		"WHERE pid = pg_backend_pid()").Scan(&tls, &version, &number)
	if err != nil {
		return &sickness{words(err), loginCause(err)}
	}
	over := "without TLS"
	if tls {
		over = version
	}
	e.tell("Postgres %s let %s into %s, %s", number, e.database.user, e.database.name, over)
	if e.database.sslmode != "verify-full" {
		e.tell("note: sslmode %s does not prove that this is the right server; verify-full does", cmp.Or(e.database.sslmode, "prefer"))
	}
	return nil
}

// loginCauses are the usual causes of Postgres's errors. The first one that has the code, and the words if there are any, wins.
var loginCauses = []struct{ code, words, cause string }{
	{"28P01", "", "the password: the secret and the database's password differ; after a change, " +
		"tasks keep the old one until they are replaced"},
	{"28000", "no pg_hba.conf entry", "the server insists on TLS (rds.force_ssl) and PGSSLMODE does not use it"},
	{"28000", "is not permitted to log in", "the role was created without LOGIN"},
	{"28000", "does not exist", "the role does not exist; the migration creates the app's role"},
	{"3D000", "", "the database does not exist: its name is wrong"},
	{"42501", "", "the role may not connect: the migration has not granted it yet"},
	{"53300", "", "max_connections is reached: fewer tasks or threads, or a larger instance"},
	{"57P03", "", "the database is starting: wait"},
}

func loginCause(err error) string {
	if said, ok := asError[*pgconn.PgError](err); ok {
		for _, c := range loginCauses {
			if c.code == said.Code && strings.Contains(said.Message, c.words) {
				return c.cause
			}
		}
	}
	if _, ok := asError[x509.HostnameError](err); ok {
		return "the host is an alias: use the instance's own address, which its certificate names"
	}
	text := err.Error()
	timeout, ok := asError[net.Error](err)
	switch {
	case strings.Contains(text, "certificate"):
		return "the server's certificate is not signed by the bundle in the image: build the image again with the current bundle"
	case strings.Contains(text, "server refused TLS connection"):
		return "PGSSLMODE asks for TLS and the server has none"
	case ok && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return "the server accepts connections and does not answer: overloaded, or failing over"
	}
	return "none of the usual ones: the words above are the server's own"
}

var unapplied = regexp.MustCompile(`(?m)^\[ \]\s+(\S+)`)

// django lets the project connect by itself.
func (e *examination) django() *sickness {
	if r := e.run("check", "--database", "default"); r.err != nil {
		return e.refused(r)
	}
	r := e.run("showmigrations", "--plan")
	if r.err != nil {
		return e.refused(r)
	}
	if missing := unapplied.FindAllStringSubmatch(r.secret, -1); len(missing) > 0 {
		return &sickness{fmt.Sprintf("%d migrations are missing, the first is %s", len(missing), missing[0][1]),
			"the migration task of this release did not run or failed: see its log"}
	}
	e.tell("Django's connection works and every migration is applied")
	return nil
}

var databaseError = regexp.MustCompile(`(?i)\b(OperationalError|InterfaceError|ProgrammingError|DatabaseError|psycopg2?\.)`)

func (e *examination) refused(r manageResult) *sickness {
	if databaseError.MatchString(r.reason) {
		return &sickness{r.reason, "the helper gets in with the same database, so it is DATABASES in the settings: " +
			"what app.env sets, and its OPTIONS"}
	}
	return &sickness{r.reason, settingsCause}
}

// A manageResult is the result of a command of the project, with its output as it is.
type manageResult struct {
	result
	secret string // may contain a password
}

// run runs a command of the project for at most a minute, and prints nothing of it.
func (e *examination) run(args ...string) manageResult {
	ctx, cancel := context.WithTimeoutCause(context.Background(), time.Minute, errors.New("no answer within a minute"))
	defer cancel()
	var out tail
	var errs tail
	err := runGroup(ctx, slices.Concat(e.manage, args), e.env.list(), &out, &errs)
	r := manageResult{secret: out.String()}
	if r.err = err; err != nil {
		r.reason = e.clean(cmp.Or(exceptionOf(errs.String()), exceptionOf(r.secret), err.Error()))
	}
	return r
}
