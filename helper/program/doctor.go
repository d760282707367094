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

// A diagnosis is one step of doctor, and a line of its JSON.
type diagnosis struct {
	Step  string   `json:"check"`
	State string   `json:"state"`           // ok, failed, not tried
	Kind  string   `json:"kind,omitempty"`  // of the cause, as package diagnosis knows it
	Seen  string   `json:"seen,omitempty"`  // what happened
	Cause string   `json:"cause,omitempty"` // what is likely the matter
	Found []string `json:"evidence,omitempty"`
}

// A sickness is why a step failed: what was seen, the likely cause, and its kind.
type sickness struct{ kind, seen, cause string }

func (s *sickness) Error() string { return s.seen }

// An examination finds out why the app does not work. A step is not tried if one that it needs failed:
//
//	environment  are all variables set?
//	network      does the database's name resolve, does the port respond?
//	log-in       does Postgres accept the app's role for this database, over verified TLS?
//	settings     can Django load its settings?
//	database     does Django's own connection work?
//	migrations   are they all applied?
//	tables       does each model have its table?
//	cache        does the cache answer, if the app has the URL of one?
//	health       does Django answer the health path, if one is given?
//
// It prints no secret, and of the environment only names.
type examination struct {
	env      environment
	manage   []string
	hide     *strings.Replacer
	database address
	others   []login // further roles that must be able to log in
	found    []string

	path  string // of the health check; "": none
	below int    // the lowest status that is unhealthy
}

// A step is one of the examination. skip says that the app has nothing for it.
type step struct {
	name  string
	needs []string
	run   func() *sickness
	skip  bool
}

func (e *examination) steps() []step {
	return []step{
		{name: "environment", run: e.environment},
		{name: "network", needs: []string{"environment"}, run: e.network},
		{name: "log-in", needs: []string{"network"}, run: e.login},
		{name: "settings", run: e.settings},
		{name: "database", needs: []string{"log-in", "settings"}, run: e.connection},
		{name: "migrations", needs: []string{"database"}, run: e.migrations},
		{name: "tables", needs: []string{"migrations"}, run: e.tables},
		{name: "cache", run: e.cache, skip: e.cacheURL() == nil},
		{name: "health", needs: []string{"tables"}, run: e.health, skip: e.path == ""},
	}
}

func doctor(i *invocation, flags *flag.FlagSet, args []string) error {
	asJSON := flags.Bool("json", false, "print each check as a line of JSON")
	path := flags.String("path", "", "path of the health check, which Django must answer")
	below := flags.Int("below", 400, "the lowest status of the health check that is unhealthy")
	if err := parse(flags, args, 0); err != nil {
		return err
	}
	manage, err := i.manage()
	if err != nil {
		return err
	}
	e := &examination{env: i.env, manage: manage, path: *path, below: *below}
	e.hidePasswords()
	out := json.NewEncoder(i.out)
	out.SetEscapeHTML(false)
	sick, n := false, 0
	e.examine(func(d diagnosis) {
		n++
		sick = sick || d.State == "failed"
		if *asJSON {
			_ = out.Encode(d)
			return
		}
		fmt.Fprintf(i.out, "%d %s: %s\n", n, d.Step, strings.ReplaceAll(d.State, "failed", "FAILED"))
		for _, line := range d.Found {
			fmt.Fprintf(i.out, "    %s\n", line)
		}
		if d.Seen != "" {
			fmt.Fprintf(i.out, "    seen: %s\n    likely cause: %s\n", d.Seen, d.Cause)
		}
	})
	if sick {
		return &failure{code: exitFailed}
	}
	return nil
}

// examine makes every step that can be made, and reports each as soon as it is done.
func (e *examination) examine(report func(diagnosis)) {
	done := map[string]bool{}
	for _, s := range e.steps() {
		if s.skip {
			continue
		}
		d := diagnosis{Step: s.name, State: "not tried"}
		if !slices.ContainsFunc(s.needs, func(name string) bool { return !done[name] }) {
			e.found = nil
			sick := s.run()
			d.State, done[s.name] = "ok", sick == nil
			for _, line := range e.found {
				d.Found = append(d.Found, e.clean(line))
			}
			if sick != nil {
				d.State, d.Kind, d.Seen, d.Cause = "failed", sick.kind, e.clean(sick.seen), sick.cause
			}
		}
		report(d)
	}
}

// hidePasswords keeps what has the name of a secret out of everything that is printed.
func (e *examination) hidePasswords(further ...string) {
	all := further
	for name, value := range e.env {
		if secretName.MatchString(name) {
			all = append(all, value)
		}
	}
	slices.SortFunc(all, func(a, b string) int { return len(b) - len(a) }) // a secret may be part of another
	e.hide = hiding(all...)
}

var secretName = regexp.MustCompile(`(?i)PASSWORD|SECRET|TOKEN|_KEY$|^KEY$`)

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
			return &sickness{"tls", words(err), "PGSSLROOTCERT names a file that is not in the image: build the image again"}
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

// A login is a role and its password.
type login struct{ user, password string }

// fromVariables takes the app's role. The task of a migration has the app's own under other names, and the owner's besides: both must
// be able to log in.
func (e *examination) fromVariables() (string, *sickness) {
	var roles []login
	for _, names := range [][2]string{{"SLIPWAY_DB_ROLE", "SLIPWAY_DB_ROLE_PASSWORD"}, {"SLIPWAY_DB_USER", "SLIPWAY_DB_PASSWORD"},
		{"SLIPWAY_DB_OWNER", "SLIPWAY_DB_OWNER_PASSWORD"}} {
		user, password := e.env[names[0]], e.env[names[1]]
		if user == "" {
			continue
		}
		if password == "" {
			return "", &sickness{"environment", names[1] + " is not set", "the task definition: a variable or a secret is missing there"}
		}
		if !slices.Contains(roles, login{user, password}) {
			roles = append(roles, login{user, password})
		}
	}
	switch {
	case len(roles) == 0:
		return "", &sickness{"environment", "SLIPWAY_DB_USER is not set", "the task definition: a variable or a secret is missing there"}
	case e.env["SLIPWAY_DB_NAME"] == "":
		return "", &sickness{"environment", "SLIPWAY_DB_NAME is not set", "the task definition: a variable or a secret is missing there"}
	}
	e.setDatabase(e.env["SLIPWAY_DB_HOST"], e.env["SLIPWAY_DB_PORT"], e.env["SLIPWAY_DB_NAME"], roles[0].user, roles[0].password)
	e.others = roles[1:]
	return "SLIPWAY_DB_HOST", nil
}

func (e *examination) setDatabase(host, port, name, user, password string) {
	d := &e.database
	d.host, d.port, d.name, d.user, d.password = host, cmp.Or(port, "5432"), name, user, password
	e.hidePasswords(password)
}

// printDatabase makes Django print the database of its settings.
const printDatabase = `import json
from django.conf import settings
d = settings.DATABASES["default"]
print("slipway-database " + json.dumps({k: str(d.get(k) or "") for k in ("ENGINE", "HOST", "PORT", "NAME", "USER", "PASSWORD")}))`

const settingsCause = "the settings cannot be loaded: a variable that they demand is missing in the task definition, or has a wrong value"

// djangoDatabase is the database of Django's settings.
func (e *examination) djangoDatabase() (map[string]string, *sickness) {
	r := e.run("shell", "-c", printDatabase)
	if r.err != nil {
		return nil, &sickness{"settings", r.reason, settingsCause}
	}
	var d map[string]string
	if err := json.Unmarshal([]byte(after(r.secret, "slipway-database ")), &d); err != nil {
		return nil, &sickness{"settings", "Django printed no database", settingsCause}
	}
	return d, nil
}

// after is the rest of the line behind a marker.
func after(text, marker string) string {
	_, text, _ = strings.Cut(text, marker)
	text, _, _ = strings.Cut(text, "\n")
	return text
}

func (e *examination) fromDjango() (string, *sickness) {
	d, sick := e.djangoDatabase()
	const unnamed = "the variables that name the Postgres database are not set: see app.env"
	switch {
	case sick != nil:
		return "", sick
	case !strings.Contains(d["ENGINE"], "postgis") && !strings.Contains(d["ENGINE"], "postgresql"):
		return "", &sickness{"environment", "the settings use " + d["ENGINE"], unnamed}
	case d["HOST"] == "" || d["NAME"] == "":
		return "", &sickness{"environment", fmt.Sprintf("the settings use host %q and name %q", d["HOST"], d["NAME"]), unnamed}
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
		return &sickness{"wrong-host", fmt.Sprintf("%s does not resolve: %s", host, words(err)),
			"the host is not the address of the instance, or the VPC has DNS names switched off"}
	}
	slices.Sort(addresses)
	e.tell("%s is %s", host, strings.Join(slices.Compact(addresses), ", "))
	began := time.Now()
	c, err := net.DialTimeout("tcp", at, 5*time.Second)
	if timeout, ok := asError[net.Error](err); ok && timeout.Timeout() {
		return &sickness{"no-route", fmt.Sprintf("no answer from %s within 5 s", at),
			"a firewall: the task's security group must be allowed in by the database's, on this port; " +
				"or the subnets have no route to each other"}
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return &sickness{"port-refused", at + " refuses", "the port is wrong, or the database is stopped or still starting"}
	}
	if err != nil {
		return &sickness{"no-route", words(err), "the subnets have no route to each other"}
	}
	c.Close()
	e.tell("port %s answers after %d ms", e.database.port, time.Since(began).Milliseconds())
	return nil
}

// login logs in as each role.
func (e *examination) login() *sickness {
	if sick := e.loginAs(e.database); sick != nil {
		return sick
	}
	for _, role := range e.others {
		as := e.database
		as.user, as.password = role.user, role.password
		if sick := e.loginAs(as); sick != nil {
			return sick
		}
	}
	if e.database.sslmode != "verify-full" {
		e.tell("note: sslmode %s does not prove that this is the right server; verify-full does", cmp.Or(e.database.sslmode, "prefer"))
	}
	return nil
}

func (e *examination) loginAs(as address) *sickness {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, err := as.connect(ctx, "slipway-doctor")
	if err != nil {
		return loginSickness(err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var tls bool
	var version, number string
	err = conn.QueryRow(ctx, "SELECT ssl, coalesce(version, ''), current_setting('server_version') FROM pg_stat_ssl "+
		"WHERE pid = pg_backend_pid()").Scan(&tls, &version, &number)
	if err != nil {
		return loginSickness(err)
	}
	over := "without TLS"
	if tls {
		over = version
	}
	e.tell("Postgres %s let %s into %s, %s", number, as.user, as.name, over)
	return nil
}

// loginCauses are the usual causes of Postgres's errors. The first one that has the code, and the words if there are any, wins.
var loginCauses = []struct{ code, words, kind, cause string }{
	{"28P01", "", "password", "the password: the secret and the database's password differ; after a change, " +
		"tasks keep the old one until they are replaced"},
	{"28000", "no pg_hba.conf entry", "tls", "the server insists on TLS (rds.force_ssl) and PGSSLMODE does not use it"},
	{"28000", "is not permitted to log in", "role", "the role was created without LOGIN"},
	{"28000", "does not exist", "role", "the role does not exist; the migration creates the app's role"},
	{"3D000", "", "no-database", "the database does not exist: its name is wrong"},
	{"42501", "", "role", "the role may not connect: the migration has not granted it yet"},
	{"53300", "", "connections", "max_connections is reached: fewer tasks or threads, or a larger instance"},
	{"57P03", "", "database-down", "the database is starting: wait"},
}

func loginSickness(err error) *sickness {
	sick := func(kind, cause string) *sickness { return &sickness{kind, words(err), cause} }
	if said, ok := asError[*pgconn.PgError](err); ok {
		for _, c := range loginCauses {
			if c.code == said.Code && strings.Contains(said.Message, c.words) {
				return &sickness{c.kind, "Postgres says: " + said.Message, c.cause}
			}
		}
	}
	if _, ok := asError[x509.HostnameError](err); ok {
		return sick("tls", "the host is an alias: use the instance's own address, which its certificate names")
	}
	text := err.Error()
	timeout, ok := asError[net.Error](err)
	switch {
	case strings.Contains(text, "certificate"):
		return sick("tls", "the server's certificate is not signed by the bundle in the image: build the image again with the current bundle")
	case strings.Contains(text, "server refused TLS connection"):
		return sick("tls", "PGSSLMODE asks for TLS and the server has none")
	case ok && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return sick("log-in", "the server accepts connections and does not answer: overloaded, or failing over")
	}
	return sick("log-in", "none of the usual ones: the words above are the server's own")
}
