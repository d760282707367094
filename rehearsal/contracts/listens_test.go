package contracts

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// listening is what the program of an image listens on: "8000", "8000 loopback", "3031 uwsgi", "a socket", or "unknown".
func listening(i *Image, c Container) string {
	all, ok := i.listens(i.start(c), i.environment(c))
	if !ok {
		return "unknown"
	}
	var said []string
	for _, l := range all {
		text := l.port
		if l.loopback {
			text += " loopback"
		}
		if l.tls {
			text += " tls"
		}
		if l.binary {
			text += " uwsgi"
		}
		said = append(said, text)
	}
	slices.Sort(said)
	if len(said) == 0 {
		return "a socket"
	}
	return strings.Join(said, ", ")
}

// Servers of Django projects, as their Dockerfiles and documentation start them.
func TestPortsOfServers(t *testing.T) {
	const port = "PORT"
	for _, c := range []struct {
		command string // CMD, in exec form without brackets or in shell form
		files   map[string]string
		env     string // NAME=value, by blanks
		want    string
	}{
		// gunicorn
		{`["gunicorn", "a.wsgi"]`, nil, "", "8000 loopback"},
		{`["gunicorn", "a.wsgi"]`, nil, "PORT=5000", "5000"},
		{`["gunicorn", "a.wsgi", "--bind", "0.0.0.0:5000"]`, nil, "PORT=8000", "5000"},
		{`["gunicorn", "a.wsgi", "--bind=:5000"]`, nil, "", "5000"},
		{`["gunicorn", "-b0.0.0.0:5000", "a.wsgi"]`, nil, "", "5000"},
		{`["gunicorn", "-b", "0.0.0.0", "a.wsgi"]`, nil, "", "8000"},
		{`["gunicorn", "-b", "[::]:8011", "a.wsgi"]`, nil, "", "8011"},
		{`["gunicorn", "-b", "127.0.0.1:8000", "-b", "0.0.0.0:9000", "a.wsgi"]`, nil, "", "8000 loopback, 9000"},
		{`["gunicorn", "-b", "unix:/run/g.sock", "a.wsgi"]`, nil, "", "a socket"},
		{`["gunicorn", "-b", "fd://3", "a.wsgi"]`, nil, "", "unknown"},
		{`["gunicorn", "a.wsgi"]`, nil, "GUNICORN_CMD_ARGS=--bind=0.0.0.0:7000", "7000"},
		{`["gunicorn", "-b", ":5000", "a.wsgi"]`, nil, "GUNICORN_CMD_ARGS=--bind=0.0.0.0:7000", "5000"},
		{`["python", "-m", "gunicorn", "-b", ":5000", "a.wsgi"]`, nil, "", "5000"},
		{`["uv", "run", "--no-sync", "gunicorn", "-b", ":5000", "a.wsgi"]`, nil, "", "5000"},
		{`["uv", "run", "--with", "x", "gunicorn", "-b", ":5000", "a.wsgi"]`, nil, "", "unknown"},
		{`["poetry", "run", "gunicorn", "-b", ":5000", "a.wsgi"]`, nil, "", "5000"},
		{`["newrelic-admin", "run-program", "gunicorn", "-b", ":5000", "a.wsgi"]`, nil, "", "5000"},
		{`["ddtrace-run", "gunicorn", "-b", ":5000", "a.wsgi"]`, nil, "", "5000"},
		{`["env", "PORT=1", "gunicorn", "a.wsgi"]`, nil, "", "unknown"},
		{`gunicorn a.wsgi --bind 0.0.0.0:$PORT`, nil, "PORT=8000", "8000"},
		{`exec gunicorn a.wsgi --bind "0.0.0.0:${PORT:-5000}" --workers 2`, nil, "", "5000"},
		{`exec gunicorn a.wsgi --bind "0.0.0.0:${PORT:-5000}"`, nil, "PORT=8000", "8000"},
		{`exec gunicorn a.wsgi --bind 0.0.0.0:$(cat /port)`, nil, "", "unknown"},
		{`exec gunicorn a.wsgi $GUNICORN_OPTIONS`, nil, "GUNICORN_OPTIONS=-b\u00a00.0.0.0:6000", "6000"},
		{`exec gunicorn a.wsgi $GUNICORN_OPTIONS`, nil, "", "8000 loopback"},
		{`PORT=9 && exec gunicorn a.wsgi -b :$PORT`, nil, "PORT=8000", "unknown"},
		{`. /env && exec gunicorn a.wsgi $GUNICORN_OPTIONS`, nil, "", "unknown"},
		{`python manage.py migrate && python manage.py collectstatic --noinput && gunicorn a.wsgi -b 0.0.0.0:5000`, nil, "", "5000"},
		{`["gunicorn", "-c", "g.conf.py", "a.wsgi"]`, map[string]string{"g.conf.py": "bind = '0.0.0.0:5000'\n"}, "", "5000"},
		{`["gunicorn", "a.wsgi"]`, map[string]string{"gunicorn.conf.py": "import os\nbind = f\"0.0.0.0:{os.environ.get('PORT', 5000)}\"\n"},
			"PORT=8000", "8000"},
		{`["gunicorn", "a.wsgi"]`, map[string]string{"gunicorn.conf.py": "bind = '0.0.0.0:' + os.getenv('PORT', '5000')  # all\n"}, "", "5000"},
		{`["gunicorn", "a.wsgi"]`, map[string]string{"gunicorn.conf.py": "bind = ['[::]:5000']\n"}, "", "5000"},
		{`["gunicorn", "a.wsgi"]`, map[string]string{"gunicorn.conf.py": "bind = f'0.0.0.0:{os.environ[\"PORT\"]}'\n"}, "PORT=7", "7"},
		{`["gunicorn", "a.wsgi"]`, map[string]string{"gunicorn.conf.py": "bind = f'0.0.0.0:{os.environ[\"PORT\"]}'\n"}, "", "unknown"},
		{`["gunicorn", "a.wsgi"]`, map[string]string{"gunicorn.conf.py": "bind = address()\n"}, "", "unknown"},
		{`["gunicorn", "a.wsgi"]`, map[string]string{"gunicorn.conf.py": "bind = ADDRESS\n"}, "", "unknown"},
		{`["gunicorn", "a.wsgi"]`, map[string]string{"gunicorn.conf.py": "bind = f'{HOST}:8000'\n"}, "", "unknown"},
		{`["gunicorn", "a.wsgi"]`, map[string]string{"gunicorn.conf.py": "bind = '0.0.0.0:%s' % port\n"}, "", "unknown"},
		{`["gunicorn", "a.wsgi"]`, map[string]string{"gunicorn.conf.py": "bind = os.environ.get('BIND', '0.0.0.0:5000')\n"}, "", "5000"},
		{`["gunicorn", "a.wsgi"]`, map[string]string{"gunicorn.conf.py": "if x:\n    bind = '0.0.0.0:1'\n"}, "", "unknown"},
		{`["gunicorn", "-b", ":6000", "a.wsgi"]`, map[string]string{"gunicorn.conf.py": "bind = address()\n"}, "", "6000"},

		// uvicorn, granian, hypercorn, waitress
		{`["uvicorn", "a.asgi:application", "--host", "0.0.0.0", "--port=8080"]`, nil, "", "8080"},
		{`["uvicorn", "a.asgi:application"]`, nil, "PORT=5000", "8000 loopback"},
		{`["uvicorn", "a.asgi:application"]`, nil, "UVICORN_PORT=5000 UVICORN_HOST=0.0.0.0", "5000"},
		{`["uvicorn", "a.asgi:application", "--uds", "/run/u.sock"]`, nil, "", "a socket"},
		{`["uvicorn", "a.asgi:application", "--fd", "3"]`, nil, "", "unknown"},
		{`["python3", "-m", "uvicorn", "a.asgi:application", "--port", "9000"]`, nil, "", "9000 loopback"},
		{`uvicorn a.asgi:application --host 0.0.0.0 --port ${PORT}`, nil, "PORT=8000", "8000"},
		{`["granian", "--interface", "wsgi", "a.wsgi:application"]`, nil, "", "8000 loopback"},
		{`["granian", "--host", "0.0.0.0", "--port", "8080", "a.wsgi:application"]`, nil, "", "8080"},
		{`["granian", "a.wsgi:application"]`, nil, "GRANIAN_HOST=0.0.0.0 GRANIAN_PORT=8081", "8081"},
		{`["hypercorn", "--bind", "0.0.0.0:8080", "a.asgi"]`, nil, "", "8080"},
		{`["hypercorn", "-c", "h.toml", "a.asgi"]`, nil, "", "unknown"},
		{`["waitress-serve", "--port=8041", "a.wsgi:application"]`, nil, "", "8041"},
		{`["waitress-serve", "--listen=*:8042", "a.wsgi:application"]`, nil, "", "8042"},

		// daphne
		{`["daphne", "a.asgi:application"]`, nil, "PORT=5000", "8000 loopback"},
		{`["daphne", "-b", "0.0.0.0", "-p", "8001", "a.asgi:application"]`, nil, "", "8001"},
		{`["daphne", "-p", "8001", "a.asgi:application"]`, nil, "", "8001 loopback"},
		{`["daphne", "-u", "/run/d.sock", "a.asgi:application"]`, nil, "", "a socket"},
		{`["daphne", "-e", "tcp:port=8080:interface=0.0.0.0", "a.asgi:application"]`, nil, "", "8080"},
		{`["daphne", "-e", "systemd:domain=INET", "a.asgi:application"]`, nil, "", "unknown"},
		{`daphne -b 0.0.0.0 -p $PORT a.asgi:application`, nil, "PORT=8000", "8000"},

		// uWSGI
		{`["uwsgi", "--http", ":8000", "--module", "a.wsgi"]`, nil, "", "8000"},
		{`["uwsgi", "--http-socket", "0.0.0.0:9090", "--wsgi-file", "a.py"]`, nil, "", "9090"},
		{`["uwsgi", "--http=:8081", "--socket=:3031", "-w", "a.wsgi"]`, nil, "", "3031 uwsgi, 8081"},
		{`["uwsgi", "--socket", "/run/u.sock", "-w", "a.wsgi"]`, nil, "", "a socket"},
		{`["uwsgi-python3", "--http-socket", ":8000", "-w", "a.wsgi"]`, nil, "", "8000"},
		{`["uwsgi", "uwsgi.ini"]`, map[string]string{"uwsgi.ini": "# web\n[uwsgi]\nhttp-socket = :8000\nprocesses = 4\n"}, "", "8000"},
		{`["uwsgi", "--ini", "uwsgi.ini"]`, map[string]string{"uwsgi.ini": "[uwsgi]\nhttp = :$(PORT)\n"}, "PORT=8000", "8000"},
		{`["uwsgi", "--ini", "uwsgi.ini"]`, map[string]string{"uwsgi.ini": "[uwsgi]\nhttp = :%(port)\n"}, "", "unknown"},
		{`["uwsgi", "--ini", "uwsgi.ini"]`, map[string]string{"uwsgi.ini": "[uwsgi]\ninclude = x.ini\nhttp = :8000\n"}, "", "unknown"},
		{`["uwsgi", "--yaml", "u.yml"]`, nil, "", "unknown"},
		{`["uwsgi", "-w", "a.wsgi"]`, nil, "UWSGI_HTTP=:8000", "8000"},

		// others
		{`["python", "manage.py", "runserver", "0.0.0.0:8000", "--noreload"]`, nil, "", "8000"},
		{`["python", "manage.py", "runserver", "--noreload", "9000"]`, nil, "", "9000 loopback"},
		{`["celery", "-A", "a", "worker"]`, nil, "", "unknown"},
		{`["supervisord", "-n"]`, nil, "", "unknown"},
		{`["unitd", "--no-daemon"]`, nil, "", "unknown"},
		{`["/entry.sh", "gunicorn", "-b", ":5000", "a.wsgi"]`, map[string]string{
			"entry.sh": "#!/bin/sh\nset -e\nexec gosu app \"$@\"\n"}, "", "5000"},
		{`["/entry.sh"]`, map[string]string{"entry.sh": "#!/bin/sh\nexec gunicorn -b 0.0.0.0:${PORT:-8011} a.wsgi\n"}, "", "8011"},
		{`["/entry.sh", "web"]`, map[string]string{"entry.sh": "#!/bin/sh\ncase $1 in web) exec gunicorn a.wsgi;; esac\n"}, "", "unknown"},
	} {
		files := fstest.MapFS{}
		dockerfile := "FROM python:3.13\nWORKDIR /srv\n"
		for name, text := range c.files {
			files[name] = &fstest.MapFile{Data: []byte(text), Mode: 0o755}
			dockerfile += "COPY " + name + " ./\n"
			if name == "entry.sh" {
				dockerfile += "COPY " + name + " /\n"
			}
		}
		i, err := Read(Build{Dockerfile: []byte(dockerfile + "CMD " + c.command + "\n"), Context: files})
		if err != nil {
			t.Fatal(err)
		}
		env := map[string]string{}
		for _, pair := range strings.Split(c.env, " ") {
			if name, value, ok := strings.Cut(pair, "="); ok {
				env[name] = strings.ReplaceAll(value, "\u00a0", " ")
			}
		}
		if got := listening(i, Container{Env: env}); got != c.want {
			t.Errorf("CMD %s with %q and %q listens on %s, want %s", c.command, c.env, c.files, got, c.want)
		}
	}
	// A secret has a value that is not known.
	i, err := Read(Build{Dockerfile: []byte("FROM python:3.13\nCMD gunicorn a.wsgi -b :$" + port + "\n")})
	if err != nil {
		t.Fatal(err)
	}
	if got := listening(i, Container{Secrets: []string{port}}); got != "unknown" {
		t.Errorf("with a secret port it listens on %s", got)
	}
}

// How many connections the server keeps to the database.
func TestThreadsOfServers(t *testing.T) {
	for command, want := range map[string]string{
		`["gunicorn", "a.wsgi", "-w", "3", "--threads", "4"]`:                "12",
		`["gunicorn", "a.wsgi"]`:                                             "1",
		`["python", "-m", "gunicorn", "-w", "3", "a.wsgi"]`:                  "3",
		`["uwsgi", "--http", ":8000", "--processes", "4", "--threads", "2"]`: "8",
		`["uwsgi", "--http", ":8000", "--processes=4"]`:                      "4",
		`["uwsgi", "--http", ":8000", "--processes", "4", "--cheaper", "2"]`: "unknown",
		`["uvicorn", "a.asgi:application"]`:                                  "unknown",
		`["daphne", "a.asgi:application"]`:                                   "unknown",
		`["granian", "a.wsgi:application"]`:                                  "unknown",
		`["celery", "-A", "a", "worker"]`:                                    "1",
		`["python", "manage.py", "clean_up"]`:                                "1",
		`["gunicorn", "a.wsgi", "-w", "3", "--threads", "4", "-w", "2"]`:     "8",
		`["gunicorn", "a.wsgi", "--workers=3", "--worker-class", "gthread"]`: "3",
	} {
		i, err := Read(Build{Dockerfile: []byte("FROM python:3.13\nCMD " + command + "\n")})
		if err != nil {
			t.Fatal(err)
		}
		got := "unknown"
		if n, ok := i.Threads(Container{}); ok {
			got = fmt.Sprint(n)
		}
		if got != want {
			t.Errorf("%s: %s, want %s", command, got, want)
		}
	}
}

// What a health check and a balancer find on those ports.
func TestPortsAgainstTasks(t *testing.T) {
	for _, c := range []struct{ name, command, says string }{
		{"the port of the configuration", `["gunicorn", "-b", "0.0.0.0:5000", "a.wsgi"]`, "gunicorn listens on 5000"},
		{"a Unix socket", `["gunicorn", "-b", "unix:/tmp/g", "a.wsgi"]`, "gunicorn listens on a Unix socket only"},
		{"uWSGI's protocol", `["uwsgi", "--socket", ":8000", "-w", "a.wsgi"]`, "uwsgi speaks the uwsgi protocol there"},
		{"daphne", `["daphne", "-p", "8001", "a.asgi:application"]`, "daphne listens on 8001"},
		{"behind uv run", `["uv", "run", "granian", "--port", "8001", "a.wsgi"]`, "granian listens on 8001"},
		{"nothing is wrong", `["uvicorn", "--host", "0.0.0.0", "a.asgi:application"]`, ""},
		{"an unknown program", `["start-site"]`, ""},
	} {
		i := project(t, "FROM python:3.13\nRUN pip install uv\nCOPY . /srv\nCMD "+c.command+"\n", manage)
		said := why(Judge(i, web(nil)))
		if c.says == "" && said != "" || !strings.Contains(said, c.says) {
			t.Errorf("%s: %q does not say %q", c.name, said, c.says)
		}
	}
}
