package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// newPatient is a site whose database is migrated; the doctor runs as the app.
func newPatient(t *testing.T) *site {
	t.Helper()
	s := newSite(t)
	s.migrations([2]string{"feed.0001_initial", table})
	s.expect(0)
	s.env["SLIPWAY_DB_USER"], s.env["SLIPWAY_DB_PASSWORD"] = s.role, s.env["SLIPWAY_DB_ROLE_PASSWORD"]
	s.env["DB_USER"], s.env["DB_PASSWORD"] = "owner", ownerPassword
	s.env["EMPTY_ONE"] = ""
	delete(s.env, "SLIPWAY_DB_OWNER")
	delete(s.env, "SLIPWAY_DB_OWNER_PASSWORD")
	return s
}

func TestDoctorOfAHealthySite(t *testing.T) {
	s := newPatient(t)
	code, out := s.run("doctor")
	for _, want := range []string{
		"1 environment: ok\n", " SLIPWAY_DB_PASSWORD ", "    empty: EMPTY_ONE\n", "2 network: ok\n    localhost is ", "answers after",
		"3 log-in: ok\n    Postgres ", " into " + s.name + ", TLSv1.3\n",
		"4 Django: ok\n    Django's connection works and every migration is applied\n",
	} {
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("exit code %d, it lacks %q: %s", code, want, out)
		}
	}
	if strings.Contains(out, "note:") {
		t.Errorf("verify-full is as it should be: %s", out)
	}
}

func TestDoctorFindsTheDatabase(t *testing.T) {
	for name, change := range map[string]func(*site){
		"DATABASE_URL": func(s *site) {
			login := url.UserPassword(s.role, s.env["SLIPWAY_DB_ROLE_PASSWORD"])
			u := url.URL{Scheme: "postgres", User: login, Host: "localhost:" + server.port, Path: s.name}
			s.env["DATABASE_URL"] = u.String()
		},
		"SLIPWAY_DB_HOST": func(s *site) {
			s.env["SLIPWAY_DB_HOST"], s.env["SLIPWAY_DB_OWNER"], s.env["SLIPWAY_DB_OWNER_PASSWORD"] = "localhost", owner, ownerPassword
		},
		"Django's settings": func(s *site) {
			s.fakeManage(`case $1 in shell) echo 'noise'; printf '%s\n' 'slipway-database {"ENGINE": "django.db.backends.postgresql", ` +
				`"HOST": "localhost", "PORT": "` + server.port + `", "NAME": "` + s.name + `", "USER": "owner", ` +
				`"PASSWORD": "it'"'"'s the \"owner\\word'"'"'"}';; esac`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newPatient(t)
			s.env["TEST_HOST"] = ""
			for _, variable := range []string{"SLIPWAY_DB_HOST", "SLIPWAY_DB_USER", "SLIPWAY_DB_PASSWORD"} {
				delete(s.env, variable)
			}
			change(s)
			code, out := s.run("doctor")
			if code != 0 || !strings.Contains(out, "the database's address comes from "+name+"\n") || !strings.Contains(out, "3 log-in: ok") {
				t.Errorf("exit code %d: %s", code, out)
			}
		})
	}
}

// fakeManage replaces manage.py by a shell script.
func (s *site) fakeManage(script string) {
	s.t.Helper()
	file := filepath.Join(s.t.TempDir(), "manage")
	if err := os.WriteFile(file, []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		s.t.Fatal(err)
	}
	s.env["SLIPWAY_MANAGE"] = fmt.Sprintf("[%q]", file)
}

func TestDoctorFindsPlantedFailures(t *testing.T) {
	for _, test := range []struct {
		name        string
		plant       func(*site)
		step        int
		seen, cause string
	}{
		{"no password", func(s *site) { s.env["SLIPWAY_DB_PASSWORD"] = "" }, 1, "SLIPWAY_DB_PASSWORD is not set", "the task definition"},
		{"no bundle", func(s *site) { s.env["PGSSLROOTCERT"] = "/absent.pem" }, 1, "/absent.pem", "not in the image"},
		{"settings refuse", func(s *site) {
			delete(s.env, "SLIPWAY_DB_HOST")
			s.fakeManage("echo 'KeyError: MAIL_KEY' >&2; exit 1")
		}, 1, "KeyError: MAIL_KEY", "the settings cannot be loaded"},
		{"SQLite", func(s *site) {
			delete(s.env, "SLIPWAY_DB_HOST")
			s.fakeManage(`echo 'slipway-database {"ENGINE": "django.db.backends.sqlite3", "NAME": "db"}'`)
		}, 1, "django.db.backends.sqlite3", "app.env"},
		{"wrong host", func(s *site) { s.env["SLIPWAY_DB_HOST"] = "absent.invalid" }, 2, "absent.invalid does not resolve", "DNS names"},
		{"wrong port", func(s *site) { s.env["SLIPWAY_DB_PORT"] = "1" }, 2, "localhost:1 refuses", "the port is wrong"},
		{"wrong password", func(s *site) { s.env["SLIPWAY_DB_PASSWORD"] = "wrong word" }, 3,
			"password authentication failed", "the secret and the database"},
		{"wrong database", func(s *site) { s.env["SLIPWAY_DB_NAME"] = "absent" }, 3, `database "absent" does not exist`, "its name is wrong"},
		{"no TLS", func(s *site) { s.env["PGSSLMODE"] = "disable" }, 3, "no pg_hba.conf entry", "rds.force_ssl"},
		{"alias", func(s *site) { s.env["SLIPWAY_DB_HOST"] = "127.0.0.1" }, 3, "certificate", "an alias"},
		{"another authority", func(s *site) {
			file := filepath.Join(s.t.TempDir(), "other.pem")
			data := s.t.TempDir()
			if err := new(cluster).certify(data, nil); err != nil {
				s.t.Fatal(err)
			}
			if err := os.Rename(filepath.Join(data, "tls.pem"), file); err != nil {
				s.t.Fatal(err)
			}
			s.env["PGSSLROOTCERT"] = file
		}, 3, "certificate", "not signed by the bundle"},
		{"role without LOGIN", func(s *site) {
			s.exec(s.connect("postgres", "", "postgres"), "ALTER ROLE "+identifier(s.role)+" NOLOGIN")
		}, 3, "is not permitted to log in", "without LOGIN"},
		{"role may not connect", func(s *site) {
			s.exec(s.connect("postgres", "", "postgres"), "REVOKE CONNECT ON DATABASE "+s.name+" FROM PUBLIC, "+identifier(s.role))
		}, 3, "permission denied for database", "has not granted"},
		{"Django's password", func(s *site) { s.env["DB_PASSWORD"] = "wrong word" }, 4,
			"password authentication failed", "DATABASES in the settings"},
		{"Django's settings", func(s *site) { s.env["TEST_FAIL_check"] = "KeyError: 'MAIL_KEY'" }, 4,
			"KeyError: 'MAIL_KEY'", "settings cannot be loaded"},
		{"missing migration", func(s *site) {
			s.migrations([2]string{"feed.0001_initial", ""}, [2]string{"feed.0002_more", ""}, [2]string{"feed.0003_last", ""})
		}, 4, "2 migrations are missing, the first is feed.0002_more", "did not run or failed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newPatient(t)
			password := s.env["SLIPWAY_DB_PASSWORD"]
			test.plant(s)
			code, out := s.run("doctor", "--json")
			var report []diagnosis
			if err := json.Unmarshal([]byte(out), &report); err != nil || len(report) != 4 {
				t.Fatalf("exit code %d, %v: %s", code, err, out)
			}
			if strings.Contains(out, password) || code != 1 {
				t.Errorf("exit code %d, or a password: %s", code, out)
			}
			for n, d := range report {
				want := "ok"
				switch {
				case n+1 == test.step:
					want = "failed"
				case n+1 > test.step:
					want = "not tried"
				}
				if d.State != want {
					t.Errorf("step %d is %s, want %s: %s", n+1, d.State, want, out)
				}
			}
			if d := report[test.step-1]; !strings.Contains(d.Seen, test.seen) || !strings.Contains(d.Cause, test.cause) {
				t.Errorf("seen %q, cause %q", d.Seen, d.Cause)
			}
			if _, text := s.run("doctor"); !strings.Contains(text, ": FAILED\n") || !strings.Contains(text, "    likely cause: ") {
				t.Errorf("as text: %s", text)
			}
		})
	}
}

// A server that accepts and does not answer is not a firewall.
func TestDoctorOfASilentServer(t *testing.T) {
	s := newPatient(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s.env["SLIPWAY_DB_PORT"] = portOf(t, l.Addr())
	code, out := s.run("doctor")
	if code != 1 || !strings.Contains(out, "3 log-in: FAILED") || !strings.Contains(out, "overloaded, or failing over") {
		t.Errorf("exit code %d: %s", code, out)
	}
}
