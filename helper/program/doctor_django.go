package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// settings lets Django load its settings and run its own checks, without a database.
func (e *examination) settings() *sickness {
	r := e.run("check")
	switch {
	case r.err != nil && databaseError.MatchString(r.reason):
		return &sickness{"app-database", r.reason, "the project asks the database while it is loaded, and does not get in"}
	case r.err != nil:
		return &sickness{"settings", r.reason, settingsCause}
	}
	e.tell("Django loads %s", cmp.Or(e.env["DJANGO_SETTINGS_MODULE"], "the settings that manage.py names"))
	return nil
}

var databaseError = regexp.MustCompile(`(?i)\b(OperationalError|InterfaceError|ProgrammingError|DatabaseError|psycopg2?\.)`)

// connection lets the project connect by itself. What its settings say may differ from the database that the other steps asked.
func (e *examination) connection() *sickness {
	r := e.run("check", "--database", "default")
	if r.err == nil {
		e.tell("Django's own connection works")
		return nil
	}
	if !databaseError.MatchString(r.reason) {
		return &sickness{"settings", r.reason, settingsCause}
	}
	if d, sick := e.djangoDatabase(); sick == nil && d["HOST"] != e.database.host {
		e.tell("%s", r.reason)
		return &sickness{"wrong-host", fmt.Sprintf("DATABASES in the settings has the host %q, and the stack's database is %s",
			d["HOST"], e.database.host),
			"the host in DATABASES: what app.env sets, or a default in the settings"}
	}
	return &sickness{"app-database", r.reason, "the helper gets in with the same database, so it is DATABASES in the settings: " +
		"what app.env sets, and its OPTIONS"}
}

var unapplied = regexp.MustCompile(`(?m)^\[ \]\s+(\S+)`)

func (e *examination) migrations() *sickness {
	r := e.run("showmigrations", "--plan")
	if r.err != nil {
		return &sickness{"migrations", r.reason, "the project's migrations cannot be listed"}
	}
	if missing := unapplied.FindAllStringSubmatch(r.secret, -1); len(missing) > 0 {
		return &sickness{"migrations", fmt.Sprintf("%d migrations are missing, the first is %s", len(missing), missing[0][1]),
			"the migration task of this release did not run or failed: see its log"}
	}
	e.tell("every migration is applied")
	return nil
}

// printTables makes Django print the tables of its models that the database does not have. A name with quotes in it is of another
// schema, which introspection does not list.
const printTables = `import json
from django.apps import apps
from django.db import connection, router
with connection.cursor() as c:
    have = set(connection.introspection.table_names(c, include_views=True))
want = {m._meta.db_table for m in apps.get_models(include_auto_created=True) if m._meta.managed and not m._meta.proxy
        and not m._meta.swapped and router.allow_migrate_model("default", m)}
print("slipway-tables " + json.dumps(sorted(t for t in want - have if '"' not in t)))`

func (e *examination) tables() *sickness {
	r := e.run("shell", "-c", printTables)
	if r.err != nil {
		return &sickness{"app-database", r.reason, "Django cannot list the tables of the database"}
	}
	var missing []string
	if err := json.Unmarshal([]byte(after(r.secret, "slipway-tables ")), &missing); err != nil {
		return &sickness{"settings", "Django printed no tables", settingsCause}
	}
	if len(missing) > 0 {
		const shown = 5
		return &sickness{"tables", fmt.Sprintf("the database has no table %s", strings.Join(missing[:min(shown, len(missing))], ", ")),
			"the migrations are recorded as applied, and the table is gone: dropped by hand, or not in the backup that was restored"}
	}
	e.tell("every model has its table")
	return nil
}

// askHealth makes Django answer a request in this process, as a visitor's that came over https.
const askHealth = `import os
from django.test import Client
headers = {"HTTP_HOST": os.environ.get("SLIPWAY_HOST") or "localhost", "HTTP_X_FORWARDED_PROTO": "https"}
r = Client(raise_request_exception=False).get(os.environ["SLIPWAY_DOCTOR_PATH"], secure=True, **headers)
why = repr(r.exc_info[1]) if getattr(r, "exc_info", None) else r.headers.get("Location", "")
print("slipway-health", r.status_code, " ".join(why.split()))`

func (e *examination) health() *sickness {
	r := e.run("shell", "-c", askHealth)
	if r.err != nil {
		return &sickness{"settings", r.reason, settingsCause}
	}
	code, why, _ := strings.Cut(after(r.secret, "slipway-health "), " ")
	status, err := strconv.Atoi(code)
	switch {
	case err != nil:
		return &sickness{"settings", "Django answered nothing", settingsCause}
	case status < 200 || status >= e.below:
		return &sickness{"health-path", strings.TrimSpace(fmt.Sprintf("GET %s answers %d %s", e.path, status, why)),
			fmt.Sprintf("web.healthPath: choose a path that answers 200 to %d", e.below-1)}
	}
	e.tell("GET %s answers %d", e.path, status)
	return nil
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
	env := append(e.env.list(), "SLIPWAY_DOCTOR_PATH="+e.path)
	err := runGroup(ctx, slices.Concat(e.manage, args), env, &out, &errs)
	r := manageResult{secret: out.String()}
	if r.err = err; err != nil {
		r.reason = e.clean(cmp.Or(exceptionOf(errs.String()), exceptionOf(r.secret), err.Error()))
	}
	return r
}
