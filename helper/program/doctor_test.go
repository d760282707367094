package main

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// newPatient is a site whose database is migrated; the doctor runs as the app.
func newPatient(t *testing.T) *site {
	t.Helper()
	s := newSite(t)
	s.migrations([2]string{"feed.0001_initial", table})
	s.expect(0)
	s.env["SLIPWAY_DB_USER"], s.env["SLIPWAY_DB_PASSWORD"] = s.role, s.env["SLIPWAY_DB_ROLE_PASSWORD"]
	s.env["DB_USER"], s.env["DB_PASSWORD"] = "owner", ownerPassword
	s.env["EMPTY_ONE"], s.env["TEST_HEALTH"], s.env["TEST_HOST_OF_SETTINGS"] = "", "200", "localhost"
	delete(s.env, "SLIPWAY_DB_OWNER")
	delete(s.env, "SLIPWAY_DB_OWNER_PASSWORD")
	return s
}

func TestDoctorOfAHealthySite(t *testing.T) {
	s := newPatient(t)
	code, out := s.run("doctor", "--path=/healthz")
	for _, want := range []string{
		"1 environment: ok\n", " SLIPWAY_DB_PASSWORD ", "    empty: EMPTY_ONE\n", "2 network: ok\n    localhost is ", "answers after",
		"3 log-in: ok\n    Postgres ", " into " + s.name + ", TLSv1.3\n", "4 settings: ok\n",
		"5 database: ok\n    Django's own connection works\n",
		"6 migrations: ok\n    every migration is applied\n", "7 tables: ok\n    every model has its table\n",
		"8 health: ok\n    GET /healthz answers 200\n",
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
				`"PASSWORD": "it'"'"'s the \"owner\\word'"'"'"}'; echo 'slipway-tables []';; esac`)
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
		check, kind string
		seen, cause string
	}{
		{"no password", func(s *site) { s.env["SLIPWAY_DB_PASSWORD"] = "" }, "environment", "environment",
			"SLIPWAY_DB_PASSWORD is not set", "the task definition"},
		{"no bundle", func(s *site) { s.env["PGSSLROOTCERT"] = "/absent.pem" }, "environment", "tls", "/absent.pem", "not in the image"},
		{"settings refuse", func(s *site) {
			delete(s.env, "SLIPWAY_DB_HOST")
			s.fakeManage("echo 'KeyError: MAIL_KEY' >&2; exit 1")
		}, "environment", "settings", "KeyError: MAIL_KEY", "the settings cannot be loaded"},
		{"SQLite", func(s *site) {
			delete(s.env, "SLIPWAY_DB_HOST")
			s.fakeManage(`echo 'slipway-database {"ENGINE": "django.db.backends.sqlite3", "NAME": "db"}'`)
		}, "environment", "environment", "django.db.backends.sqlite3", "app.env"},
		{"wrong host", func(s *site) { s.env["SLIPWAY_DB_HOST"] = "absent.invalid" }, "network", "wrong-host",
			"absent.invalid does not resolve", "DNS names"},
		{"no route", func(s *site) { s.env["SLIPWAY_DB_PORT"] = silentPort(s.t) }, "network", "no-route", "no answer from localhost:",
			"the task's security group must be allowed in"},
		{"wrong port", func(s *site) { s.env["SLIPWAY_DB_PORT"] = "1" }, "network", "port-refused", "localhost:1 refuses", "the port is wrong"},
		{"wrong password", func(s *site) { s.env["SLIPWAY_DB_PASSWORD"] = "wrong word" }, "log-in", "password",
			"password authentication failed", "the secret and the database"},
		{"the owner's wrong password", func(s *site) {
			s.env["SLIPWAY_DB_OWNER"], s.env["SLIPWAY_DB_OWNER_PASSWORD"] = owner, "wrong word"
		}, "log-in", "password", `password authentication failed for user "owner"`, "the secret and the database"},
		{"the migration's wrong password", func(s *site) {
			delete(s.env, "SLIPWAY_DB_USER")
			s.env["SLIPWAY_DB_ROLE"], s.env["SLIPWAY_DB_ROLE_PASSWORD"] = s.role, "wrong word"
			s.env["SLIPWAY_DB_OWNER"], s.env["SLIPWAY_DB_OWNER_PASSWORD"] = owner, ownerPassword
		}, "log-in", "password", "password authentication failed for user \"role", "the secret and the database"},
		{"wrong database", func(s *site) { s.env["SLIPWAY_DB_NAME"] = "absent" }, "log-in", "no-database",
			`database "absent" does not exist`, "its name is wrong"},
		{"no TLS", func(s *site) { s.env["PGSSLMODE"] = "disable" }, "log-in", "tls", "no pg_hba.conf entry", "rds.force_ssl"},
		{"alias", func(s *site) { s.env["SLIPWAY_DB_HOST"] = "127.0.0.1" }, "log-in", "tls", "certificate", "an alias"},
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
		}, "log-in", "tls", "certificate", "not signed by the bundle"},
		{"role without LOGIN", func(s *site) {
			s.exec(s.connect("postgres", "", "postgres"), "ALTER ROLE "+identifier(s.role)+" NOLOGIN")
		}, "log-in", "role", "is not permitted to log in", "without LOGIN"},
		{"role may not connect", func(s *site) {
			s.exec(s.connect("postgres", "", "postgres"), "REVOKE CONNECT ON DATABASE "+s.name+" FROM PUBLIC, "+identifier(s.role))
		}, "log-in", "role", "permission denied for database", "has not granted"},
		{"Django's password", func(s *site) { s.env["DB_PASSWORD"] = "wrong word" }, "database", "app-database",
			"password authentication failed", "DATABASES in the settings"},
		{"Django's host", func(s *site) {
			s.env["DB_PASSWORD"], s.env["TEST_HOST_OF_SETTINGS"] = "wrong word", "db.example.com"
		}, "database", "wrong-host", `DATABASES in the settings has the host "db.example.com"`, "the host in DATABASES"},
		{"Django's settings", func(s *site) { s.env["TEST_FAIL_check"] = "KeyError: 'MAIL_KEY'" }, "settings", "settings",
			"KeyError: 'MAIL_KEY'", "settings cannot be loaded"},
		{"missing migration", func(s *site) {
			s.migrations([2]string{"feed.0001_initial", ""}, [2]string{"feed.0002_more", ""}, [2]string{"feed.0003_last", ""})
		}, "migrations", "migrations", "2 migrations are missing, the first is feed.0002_more", "did not run or failed"},
		{"missing table", func(s *site) { s.exec(s.connect("postgres", "", s.name), "DROP TABLE post") }, "tables", "tables",
			"the database has no table post", "dropped by hand"},
		{"health path 404", func(s *site) { s.env["TEST_HEALTH"] = "404" }, "health", "health-path", "GET /healthz answers 404 at /healthz",
			"web.healthPath"},
		{"no cache", func(s *site) { s.env["CACHE_URL"] = "redis://:word@localhost:1/0" }, "cache", "cache", "the cache localhost:1",
			"its security group"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newPatient(t)
			password := s.env["SLIPWAY_DB_PASSWORD"]
			test.plant(s)
			code, out := s.run("doctor", "--json", "--path=/healthz")
			if strings.Contains(out, password) || strings.Contains(out, ownerPassword) || code != 1 {
				t.Errorf("exit code %d, or a password: %s", code, out)
			}
			failed := false
			for line := range strings.Lines(out) {
				var d diagnosis
				if err := json.Unmarshal([]byte(line), &d); err != nil || d.Step == "" {
					t.Fatalf("%v: %s", err, line)
				}
				if d.State != "failed" {
					continue
				}
				if failed && d.Step != "settings" { // which needs no database
					t.Errorf("%s failed as well: %s", d.Step, out)
				}
				failed = true
				if d.Step == test.check && (d.Kind != test.kind || !strings.Contains(d.Seen, test.seen) || !strings.Contains(d.Cause, test.cause)) {
					t.Errorf("kind %s, seen %q, cause %q", d.Kind, d.Seen, d.Cause)
				} else if d.Step != test.check && d.Step != "settings" {
					t.Errorf("%s failed: %s", d.Step, out)
				}
			}
			if !failed {
				t.Errorf("nothing failed: %s", out)
			}
			_, text := s.run("doctor", "--path=/healthz")
			if !strings.Contains(text, ": FAILED\n") || !strings.Contains(text, "    likely cause: ") {
				t.Errorf("as text: %s", text)
			}
		})
	}
}

// silentPort is a port that drops packets, as a firewall does: the kernel answers no SYN while the queue of a listener is full.
func silentPort(t *testing.T) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	if err = syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err == nil {
		err = syscall.Listen(fd, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	port := fmt.Sprint(name.(*syscall.SockaddrInet4).Port)
	for range 10 {
		c, err := net.DialTimeout("tcp", "127.0.0.1:"+port, 200*time.Millisecond)
		if err != nil {
			return port
		}
		t.Cleanup(func() { c.Close() })
	}
	t.Skip("the queue of a listener does not fill up here")
	return ""
}

// What a step needs and did not get is not tried; what needs nothing of it is.
func TestDoctorTriesWhatItCan(t *testing.T) {
	s := newPatient(t)
	s.env["SLIPWAY_DB_HOST"] = "absent.invalid"
	s.env["CACHE_URL"] = "redis://:word@localhost:1/0"
	_, out := s.run("doctor", "--path=/healthz")
	for _, want := range []string{"1 environment: ok", "2 network: FAILED", "3 log-in: not tried", "4 settings: ok", "5 database: not tried",
		"6 migrations: not tried", "7 tables: not tried", "8 cache: FAILED", "9 health: not tried"} {
		if !strings.Contains(out, want) {
			t.Errorf("it lacks %q: %s", want, out)
		}
	}
}

// A cache is asked as its URL says: with its password, over TLS where the image knows the authority, and else without the password.
func TestDoctorAsksTheCache(t *testing.T) {
	serve := func(t *testing.T, l net.Listener, asked *[]string) {
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				lines, authenticated := bufio.NewScanner(c), false
				for lines.Scan() {
					*asked = append(*asked, lines.Text())
					switch lines.Text() {
					case "right":
						authenticated = true
						fmt.Fprint(c, "+OK\r\n")
					case "wrong":
						fmt.Fprint(c, "-WRONGPASS invalid username-password pair\r\n")
					case "PING":
						fmt.Fprint(c, map[bool]string{true: "+PONG\r\n", false: "-NOAUTH Authentication required.\r\n"}[authenticated])
					}
				}
				c.Close()
			}
		}()
	}
	for name, test := range map[string]struct {
		url  string
		tls  bool
		want string
	}{
		"password":       {"redis://:right@localhost:PORT/0", false, "8 cache: ok\n    the cache localhost:PORT answers\n"},
		"user":           {"redis://site:right@localhost:PORT/0", false, "8 cache: ok"},
		"wrong password": {"redis://:wrong@localhost:PORT/0", false, "the cache localhost:PORT answers WRONGPASS"},
		"no password":    {"redis://localhost:PORT/0", false, "the cache localhost:PORT answers NOAUTH"},
		"TLS":            {"rediss://:right@localhost:PORT/0?ssl_ca_certs=BUNDLE", true, "8 cache: ok"},
		"TLS of an unknown authority": {"rediss://:right@localhost:PORT/0?ssl_cert_reqs=required", true,
			"its certificate was not checked and no password sent"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newPatient(t)
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			port := portOf(t, l.Addr())
			bundle := t.TempDir()
			if test.tls {
				if err := new(cluster).certify(bundle, nil); err != nil {
					t.Fatal(err)
				}
				pair, err := tls.LoadX509KeyPair(filepath.Join(bundle, "tls.pem"), filepath.Join(bundle, "tls.key"))
				if err != nil {
					t.Fatal(err)
				}
				l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{pair}})
			}
			var asked []string
			serve(t, l, &asked)
			fill := strings.NewReplacer("PORT", port, "BUNDLE", filepath.Join(bundle, "tls.pem"))
			s.env["CELERY_BROKER_URL"] = fill.Replace(test.url)
			_, out := s.run("doctor")
			if want := fill.Replace(test.want); !strings.Contains(out, want) || strings.Contains(out, "right") {
				t.Errorf("it lacks %q: %s", want, out)
			}
			if sent := slices.Contains(asked, "right"); strings.Contains(name, "unknown") && sent {
				t.Error("the password went to a server without a valid certificate")
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
