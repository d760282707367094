package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheApp(t *testing.T) {
	for _, c := range []struct{ name, app, want string }{
		{"a Dockerfile, a port and a command of its own",
			"{context: ., dockerfile: app/Dockerfile, target: run, settings: config.settings.production, " +
				"manage: [python, src/manage.py], entrypoint: [/entrypoint], command: [/start], port: 5000, start: 120, health: tcp, " +
				"writable: [/app/static], overlay: [DEBUG, ALLOWED_HOSTS], static: {serve: app, url: /assets/, commands: [[compress], " +
				"[collectstatic, --noinput]]}, migrate: {commands: [], limit: 120}, nginx: {maxBody: 100, headers: {X-Frame-Options: DENY}, " +
				"limitPaths: [/in/, /a/*], cachePaths: [/media/*], base: 'registry.example.com:5000/nginx@sha256:00'}}", ""},
		{"a target with a space", "{target: a b}", `app.target: must be the name of a stage, got "a b"`},
		{"a file as the settings", "{settings: config/settings.py}",
			`app.settings: must be a Python module, such as config.settings.production, got "config/settings.py"`},
		{"manage as one string", "{manage: [python manage.py]}",
			`app.manage[0]: must be the program only: list each argument separately; the command does not run in a shell, got "python manage.py"`},
		{"no manage", "{manage: []}", `app.manage: must not be empty: the program and its arguments`},
		{"a setting that cannot be replaced", "{settings: a, overlay: [DEBUG, CACHES, DEBUG]}",
			`app.overlay[1]: must be DATABASES, SECRET_KEY, DEBUG, ALLOWED_HOSTS, CSRF_TRUSTED_ORIGINS, STATIC_ROOT, SECURE_PROXY_SSL_HEADER or ` +
				`MEDIA, got "CACHES"` + "\n" + `app.overlay[2]: is listed twice, got "DEBUG"`},
		{"packages of a generated Dockerfile", "{path: ., packages: [gunicorn, 'psycopg[binary]~=3.2', 'django>=5.2, <6']}", ""},
		{"an option of pip", "{path: ., packages: [--index-url=https://example.com]}",
			`app.packages[0]: must be a requirement such as gunicorn~=23.0 or psycopg[binary], got "--index-url=https://example.com"`},
		{"a package that ends the command", "{path: ., packages: [\"a'; id\"]}",
			`app.packages[0]: must be a requirement such as gunicorn~=23.0 or psycopg[binary], got "a'; id"`},
		{"packages beside a Dockerfile", "{context: ., dockerfile: app/Dockerfile, packages: [gunicorn]}",
			`app.packages: is for a generated Dockerfile, and app/Dockerfile is used: install them there`},
		{"an overlay of unknown settings", "{overlay: [DEBUG]}",
			`app.settings: is required with app.overlay: the module whose settings are replaced`},
		{"no entrypoint", "{entrypoint: [], command: [gunicorn, shop.wsgi]}", ""},
		{"no entrypoint and no command", "{entrypoint: []}",
			`app.entrypoint: [] also needs app.command: the image's own command cannot run without the image's entrypoint`},
		{"no command", "{command: []}", `app.command: must not be empty; omit the key for the image's own`},
		{"a privileged port", "{port: 80}", `app.port: must be from 1024 to 65535, got 80`},
		{"the port of the helper", "{port: 8079}", `app.port: is used by Slipway, got 8079`},
		{"longer than ECS waits", "{start: 301}", `app.start: must be from 1 to 300, got 301`},
		{"another health check", "{health: grpc}", `app.health: must be http or tcp, got "grpc"`},
		{"a relative path", "{writable: [data]}",
			`app.writable[0]: must be an absolute path of letters, digits and ._-, without .. or a / at its end, got "data"`},
		{"a path with ..", "{writable: [/app/../etc]}",
			`app.writable[0]: must be an absolute path of letters, digits and ._-, without .. or a / at its end, got "/app/../etc"`},
		{"a link", "{writable: [/var/run/app]}",
			`app.writable[0]: is below /var/run, a symbolic link in most images: on Fargate only root could write it, got "/var/run/app"`},
		{"a path of ECS Exec", "{writable: [/var/lib/amazon]}", `app.writable[0]: is used by Slipway, got "/var/lib/amazon"`},
		{"a folder below /etc", "{writable: [/etc/shop/data]}", ""},
		{"all of /etc", "{writable: [/etc]}", `app.writable[0]: is used by Slipway, got "/etc"`},
		{"the helper's folder", "{writable: [/opt/slipway/x]}", `app.writable[0]: is used by Slipway, got "/opt/slipway/x"`},
		{"what is writable already", "{writable: [/tmp/x]}", `app.writable[0]: is writable already: /tmp is, got "/tmp/x"`},
		{"twice", "{writable: [/data, /data]}", `app.writable[1]: is listed twice, got "/data"`},
		{"two paths, one volume", "{writable: [/a/b, /a-b]}", `app.writable[1]: would have the same volume name as /a/b, got "/a-b"`},
		{"a whole URL", "{static: {url: 'https://cdn.example.com/static/'}}",
			`app.static.url: must be a path that starts and ends with /, such as /static/, got "https://cdn.example.com/static/"`},
		{"every path", "{static: {url: /}}", `app.static.url: must be a path that starts and ends with /, such as /static/, got "/"`},
		{"a command as a string", "{migrate: {commands: [migrate --noinput]}}",
			`app.migrate.commands[0]: must be a list, got "migrate --noinput"`},
		{"a command in one piece", "{migrate: {commands: [[migrate --noinput]]}}",
			`app.migrate.commands[0][0]: must be one argument: list each separately; no shell reads them, got "migrate --noinput"`},
		{"an empty command", "{static: {commands: [[]]}}", `app.static.commands[0]: must not be empty: arguments for app.manage`},
		{"a migration of three hours", "{migrate: {limit: 180}}", `app.migrate.limit: must be from 1 to 120, got 180`},
		{"a header with a space", "{nginx: {headers: {'X A': x}}}", `app.nginx.headers["X A"]: must be the name of a header`},
		{"a header with a variable", "{nginx: {headers: {X-A: $host}}}",
			`app.nginx.headers.X-A: must not contain $, which begins a variable of nginx, got "$host"`},
		{"a path that is a pattern", "{nginx: {limitPaths: ['/(a|b)/']}}",
			`app.nginx.limitPaths[0]: must be a path such as /log-in/, or all that begin with one such as /account/*, of at most 200 characters, ` +
				`got "/(a|b)/"`},
		{"a directive in a path", "{nginx: {cachePaths: ['/a; deny all']}}",
			`app.nginx.cachePaths[0]: must be a path such as /log-in/, or all that begin with one such as /account/*, of at most 200 characters, ` +
				`got "/a; deny all"`},
		{"static files as a cached path", "{static: {url: /s/}, nginx: {cachePaths: ['/s/*']}}",
			`app.nginx.cachePaths[0]: is app.static.url, which has rules of its own, got "/s/*"`},
		{"an instruction as the base", "{nginx: {base: \"nginx as x\"}}",
			`app.nginx.base: must be an image such as nginx:1.28.0-alpine-slim, got "nginx as x"`},
		{"former keys", "{dockerFile: x}", `app.dockerFile: unknown key, did you mean dockerfile?`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := strings.Join(written(t, "dev", in("slipway:app: "+c.app)), "\n")
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestFormerKeysNameTheNewOnes(t *testing.T) {
	want := []string{
		"images.app: is now app.path",
		"images.buildArgs: is now app.args",
		"images.dockerfile: is now app.dockerfile",
		"images.nginxDockerfile: unknown key: nginx is Slipway's own image now; app.nginx configures it",
		"slipway:env: is now app.env",
	}
	got := written(t, "dev", in("slipway:env: {A: b}",
		"slipway:images: {app: ./app, dockerfile: Dockerfile, nginxDockerfile: x, buildArgs: {A: b}}"))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	engine := map[string]string{"aws:region": "us-east-1", "slipway:env": `{"A":"b"}`, "slipway:images": `{"app":"./app"}`}
	for name, inline := range map[string]bool{"pulumi up": false, "an inline program": true} {
		if diff := cmp.Diff([]string{want[0], want[4]}, lines(t, fromEngine(t, engine, nil, inline, ""), false)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// A project may be anywhere in its repository: the folder of Pulumi.yaml is often one of several.
func TestTheAppMayBeAnywhereInTheRepository(t *testing.T) {
	repository := t.TempDir()
	for name, data := range map[string]string{
		"deploy/Pulumi.yaml": "name: slipway\nruntime: go\n", "backend/Dockerfile": "FROM scratch\n", "docker/Dockerfile": "FROM scratch\n",
	} {
		file := filepath.Join(repository, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	try := func(app string) string {
		t.Helper()
		file := filepath.Join(repository, "deploy", "Pulumi.dev.yaml")
		if err := os.WriteFile(file, []byte(in("slipway:app: "+app)), 0o644); err != nil {
			t.Fatal(err)
		}
		source, err := FromFile(file)
		if err == nil {
			_, err = load(source)
		}
		return strings.Join(lines(t, err, false), "\n")
	}
	const outside = `app.path: must be a path inside the Git repository, relative to Pulumi.yaml, got "../backend"`
	if got := try("{path: ../backend}"); got != outside {
		t.Errorf("without Git: %s", got)
	}
	if err := os.WriteFile(filepath.Join(repository, ".git"), []byte("gitdir: elsewhere\n"), 0o644); err != nil { // a worktree
		t.Fatal(err)
	}
	for app, want := range map[string]string{
		"{path: ../backend}": "",
		"{path: ../backend, context: .., dockerfile: docker/Dockerfile}": "",
		"{path: ../backend, dockerfile: ../docker/Dockerfile}":           "",
		"{path: ../backend, dockerfile: ../../x}": `app.dockerfile: must be a path inside the Git repository, relative to the build context, ` +
			`../backend, got "../../x"`,
		"{path: ../..}": `app.path: must be a path inside the Git repository, relative to Pulumi.yaml, got "../.."`,
		"{path: ../backend, context: ../../x}": `app.context: must be a path inside the Git repository, relative to Pulumi.yaml, ` +
			`got "../../x"`,
		"{path: ../none}": `app.path: no such folder, got "../none"`,
	} {
		if got := try(app); got != want {
			t.Errorf("%s: %s, want %s", app, got, want)
		}
	}
}

// A folder without a Dockerfile is no mistake: Slipway generates one.
func TestADockerfileIsOnlyRequiredIfItIsNamed(t *testing.T) {
	file := project(t, "dev", in())
	if err := os.Remove(filepath.Join(filepath.Dir(file), "app", "Dockerfile")); err != nil {
		t.Fatal(err)
	}
	for content, want := range map[string]string{
		in(): "",
		in("slipway:app: {dockerfile: Dockerfile}"): `app.dockerfile: no such file in ./app, got "Dockerfile"`,
	} {
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		source, err := FromFile(file)
		if err == nil {
			_, err = load(source)
		}
		if got := strings.Join(lines(t, err, false), "\n"); got != want {
			t.Errorf("%s: %s, want %s", content, got, want)
		}
	}
}
