package contracts

import (
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// layer is what Slipway adds to a Dockerfile: the last stage of the app's image.
func layer(writable ...string) string {
	install, volumes := `"install"`, `"/tmp", "/managed-agents", "/var/lib/amazon/ssm", "/var/log/amazon/ssm"`
	for _, p := range writable {
		install += `, "--writable=` + p + `"`
		volumes += `, "` + p + `"`
	}
	return `
FROM project
COPY .slipway/helper /opt/slipway/helper
COPY .slipway/empty /opt/slipway/user/id
RUN ["/opt/slipway/helper", "whoami"]
USER 0:0
RUN ["/opt/slipway/helper", ` + install + `]
VOLUME [` + volumes + `]
USER slipway
`
}

// nginxLayer is Slipway's nginx.
const nginxLayer = `FROM nginx:1.28.0-alpine-slim
COPY .slipway/helper /opt/slipway/helper
RUN command -v script >/dev/null || apk add --no-cache util-linux-misc
COPY .slipway/slipway.conf.template /etc/nginx/slipway.conf.template
COPY .slipway/slipway.cached /etc/nginx/slipway.cached
RUN ["/opt/slipway/helper", "install", "--user=101:101", "--writable=/var/cache/nginx"]
VOLUME ["/tmp", "/var/cache/nginx", "/managed-agents", "/var/lib/amazon/ssm", "/var/log/amazon/ssm"]
USER 101:101
STOPSIGNAL SIGQUIT
ENTRYPOINT ["/opt/slipway/helper"]
CMD ["nginx"]
`

// context is a build context: Slipway's files, without the program, which is made when the image is built, and those of the project.
func context(t *testing.T, files map[string]string) fstest.MapFS {
	t.Helper()
	template, err := os.ReadFile("testdata/slipway.conf.template")
	if err != nil {
		t.Fatal(err)
	}
	all := fstest.MapFS{".slipway/slipway.conf.template": {Data: template}, ".slipway/empty": {},
		".slipway/slipway.cached": {Data: []byte("proxy_pass http://app;\nproxy_cache kept;\n")}}
	for name, text := range files {
		all[name] = &fstest.MapFile{Data: []byte(text), Mode: 0o755}
	}
	return all
}

// project reads an image of a project with Slipway's layer, whose Dockerfile ends without one.
func project(t *testing.T, dockerfile string, files map[string]string, writable ...string) *Image {
	t.Helper()
	text := strings.Replace(dockerfile, "\n", " AS project\n", 1) + layer(writable...)
	i, err := Read(Build{Dockerfile: []byte(text), Context: context(t, files), Platform: "linux/arm64"})
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return i
}

// proxy reads Slipway's nginx after changes of its Dockerfile or template.
func proxy(t *testing.T, changes ...string) *Image {
	t.Helper()
	text, files := nginxLayer, context(t, nil)
	template := string(files[".slipway/slipway.conf.template"].Data)
	for n := 0; n < len(changes); n += 2 {
		if !strings.Contains(text+template, changes[n]) {
			t.Fatalf("neither the Dockerfile nor the template contains %q", changes[n])
		}
		text, template = strings.ReplaceAll(text, changes[n], changes[n+1]), strings.ReplaceAll(template, changes[n], changes[n+1])
	}
	files[".slipway/slipway.conf.template"].Data = []byte(template)
	i, err := Read(Build{Dockerfile: []byte(text), Context: files, Platform: "linux/arm64"})
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func web(change func(*Container), writable ...string) Container {
	c := Container{Name: "django", User: "slipway", ReadOnly: true, Serves: true, Exec: true, StopTimeout: 40, Architecture: "ARM64",
		Ports: []int{8000}, Health: []string{"CMD", "/opt/slipway/helper", "health", "--port=8000", "--path=/healthz", "--below=400"},
		Mounts: mounts("/tmp", append(slices.Clone(writable), execPaths...)...), Neighbours: map[int]string{8080: "nginx"},
		Env: map[string]string{"PORT": "8000", "SLIPWAY_HOST": "www.example.com", "GUNICORN_CMD_ARGS": "--worker-tmp-dir=/dev/shm"}}
	if change != nil {
		change(&c)
	}
	return c
}

func front(change func(*Container)) Container {
	c := Container{Name: "nginx", User: "101:101", ReadOnly: true, Serves: true, Exec: true, Recorded: true, StopTimeout: 40,
		Architecture: "ARM64", Ports: []int{8080},
		Health: []string{"CMD", "/opt/slipway/helper", "health", "--port=8080", "--path=/.slipway/nginx", "--below=400"},
		Mounts: mounts("/tmp", append([]string{"/var/cache/nginx"}, execPaths...)...), Neighbours: map[int]string{8000: "django"},
		Target: &Target{Port: 8080, Protocol: "HTTP", Speaks: "HTTP", Group: "web", Idle: 60, Path: "/.slipway/health", Codes: "200-399"},
		Env: map[string]string{"SLIPWAY_HOST": "www.example.com", "SLIPWAY_PORT": "8080", "SLIPWAY_APP_PORT": "8000",
			"SLIPWAY_HEALTH_PATH": "/healthz", "SLIPWAY_MAX_BODY": "25m", "SLIPWAY_TIMEOUT": "60s", "SLIPWAY_KEEPALIVE": "75s",
			"SLIPWAY_STATIC_URL": "/static/",
			"SLIPWAY_HEADERS":    `add_header X-Frame-Options "DENY" always;`, "SLIPWAY_LIMITS": `"POST /login/" $binary_remote_addr;`,
			"SLIPWAY_CACHES": `location ^~ "/media/" { include /etc/nginx/slipway.cached; }`}}
	if change != nil {
		change(&c)
	}
	return c
}

func migration(change func(*Container)) Container {
	c := Container{Name: "django", User: "slipway", ReadOnly: true, Architecture: "ARM64", Mounts: mounts("/tmp"),
		Entrypoint: []string{"/opt/slipway/helper"}, Command: []string{"migrate"},
		Secrets: []string{"SLIPWAY_DB_OWNER_PASSWORD", "SLIPWAY_DB_ROLE_PASSWORD"},
		Env: map[string]string{"SLIPWAY_MANAGE": `["python","manage.py"]`, "SLIPWAY_MIGRATE": `[["migrate","--noinput"]]`,
			"SLIPWAY_MIGRATE_LIMIT": "900", "SLIPWAY_DB_HOST": "db.example.com", "SLIPWAY_DB_PORT": "5432", "SLIPWAY_DB_NAME": "site",
			"SLIPWAY_DB_OWNER": "site_owner", "SLIPWAY_DB_ROLE": "site"}}
	if change != nil {
		change(&c)
	}
	return c
}

func gone(c *Container, name string) { delete(c.Env, name) }

const plainProject = "FROM python:3.13-slim\nRUN pip install django gunicorn\nWORKDIR /srv\nCOPY manage.py .\n" +
	"CMD [\"gunicorn\", \"-b\", \"0.0.0.0:8000\", \"mysite.wsgi\"]\n"

var manage = map[string]string{"manage.py": "#!/usr/bin/env python\n"}

func TestTheAdapterKeepsItsContracts(t *testing.T) {
	for name, v := range map[string]Verdict{
		"web":       Judge(project(t, plainProject, manage, "/srv/data"), web(nil, "/srv/data")),
		"migration": Judge(project(t, plainProject, manage), migration(nil)),
		"doctor": Judge(project(t, plainProject, manage), migration(func(c *Container) {
			c.Command = []string{"doctor"}
		})),
	} {
		if len(v.Problems) > 0 {
			t.Errorf("%s:\n%s", name, why(v))
		}
	}
	v := Judge(proxy(t), front(nil))
	if len(v.Problems) > 0 || len(v.Unknown) > 0 {
		t.Errorf("nginx:\n%s\nunknown: %q", why(v), v.Unknown)
	}
	if n := proxy(t).MaxBody(front(nil)); n != 25<<20 {
		t.Errorf("nginx takes bodies up to %d", n)
	}
}

// Who the image's user becomes.
func TestTheUserOfALayeredImage(t *testing.T) {
	for _, c := range []struct {
		name, dockerfile string
		uid              int
	}{
		{"root", "FROM python:3.13\n", 10001},
		{"a number", "FROM python:3.13\nUSER 1234:1234\n", 1234},
		{"a name", "FROM python:3.13\nRUN useradd -u 5678 app\nUSER app\n", 5678},
		{"a name without a number", "FROM python:3.13\nRUN adduser --system django\nUSER django\n", -2},
		{"root by its name", "FROM python:3.13\nUSER root\n", 10001},
		{"an image that is not known", "FROM example.com/base:1\n", -1},
		{"an image that is not known, with a number", "FROM example.com/base:1\nUSER 1000\n", 1000},
	} {
		i := project(t, c.dockerfile, nil, "/srv/data")
		if i.Users["slipway"] != c.uid || i.User != "slipway" {
			t.Errorf("%s: user %s has number %d, want %d", c.name, i.User, i.Users["slipway"], c.uid)
		}
		if v := Judge(i, web(func(c *Container) { c.Command = []string{"true"} }, "/srv/data")); len(v.Problems) > 0 {
			t.Errorf("%s: %s", c.name, why(v))
		}
		if c.uid != -1 {
			if got := i.mayWrite("/srv/data", i.Users["slipway"]); got != Yes {
				t.Errorf("%s: it may write its volume: %v", c.name, got)
			}
		}
	}
}

func TestDefectsOfLayeredImages(t *testing.T) {
	image := func(dockerfile string, files map[string]string, writable ...string) func(*testing.T) *Image {
		return func(t *testing.T) *Image { t.Helper(); return project(t, dockerfile, files, writable...) }
	}
	plain, front := image(plainProject, manage), func(changes ...string) func(*testing.T) *Image {
		return func(t *testing.T) *Image { t.Helper(); return proxy(t, changes...) }
	}
	unlayered := func(t *testing.T) *Image {
		t.Helper()
		i, err := Read(Build{Dockerfile: []byte(plainProject), Context: context(t, manage)})
		if err != nil {
			t.Fatal(err)
		}
		return i
	}
	for _, c := range []struct {
		name       string
		image      func(*testing.T) *Image
		task       Container
		code, says string
	}{
		{"an image without the layer", unlayered, web(nil), "CannotStartContainerError", "the image has no user slipway"},
		{"an image without the program", unlayered, web(func(c *Container) { c.User = "1000" }), "ContainerHealthCheck",
			"runs /opt/slipway/helper, which its image does not have"},
		{"a migration without the program", unlayered, migration(func(c *Container) { c.User = "1000" }), "CannotStartContainerError",
			"has no /opt/slipway/helper"},
		{"another name", plain, web(func(c *Container) { c.User = "site" }), "CannotStartContainerError", "no user site"},
		{"a path that is no VOLUME", plain, web(nil, "/srv/media"), "EssentialContainerExited", "mount /srv/media is no VOLUME"},
		{"a health check on another port", plain, web(func(c *Container) { c.Health[3] = "--port=8001" }), "ContainerHealthCheck",
			"asks port 8001, and gunicorn listens on 8000"},
		{"a TCP health check on another port", plain, web(func(c *Container) {
			c.Health = []string{"CMD", "/opt/slipway/helper", "health", "--tcp", "--port=9000"}
		}), "ContainerHealthCheck", "asks port 9000"},
		{"a health check without a port", plain, web(func(c *Container) { c.Health = c.Health[:3] }), "ContainerHealthCheck", "names no port"},
		{"a port below 1024", image(strings.Replace(plainProject, "0.0.0.0:8000", "0.0.0.0:80", 1), manage), web(nil),
			"EssentialContainerExited", "gunicorn of container django listens on port 80, and its user 10001 is not root"},
		{"a heartbeat that the command moves", image(strings.Replace(plainProject, `"mysite.wsgi"`, `"--worker-tmp-dir", "/srv/x", "mysite.wsgi"`,
			1), manage), web(nil), "EssentialContainerExited", "gunicorn writes /srv/x"},
		{"a migration without manage.py's program", plain, migration(func(c *Container) { c.Env["SLIPWAY_MANAGE"] = `["/srv/bin/shopctl"]` }),
			"", ""},
		{"a migration in an image without Python", func(t *testing.T) *Image {
			t.Helper()
			return project(t, "FROM debian:13-slim\nCMD [\"sleep\", \"9\"]\n", nil)
		}, migration(nil), "EssentialContainerExited", "it runs python, which the image of container django does not have"},
		{"a migration without commands", plain, migration(func(c *Container) { c.Env["SLIPWAY_MIGRATE"] = "[]" }), "EssentialContainerExited",
			"SLIPWAY_MIGRATE=[]"},
		{"a migration without the owner's password", plain, migration(func(c *Container) { c.Secrets = c.Secrets[1:] }),
			"EssentialContainerExited", "runs the migration without SLIPWAY_DB_OWNER_PASSWORD"},
		{"a migration without the role's password", plain, migration(func(c *Container) { c.Secrets = c.Secrets[:1] }),
			"EssentialContainerExited", "makes the role site without SLIPWAY_DB_ROLE_PASSWORD"},
		{"a migration without a limit", plain, migration(func(c *Container) { c.Env["SLIPWAY_MIGRATE_LIMIT"] = "15m" }),
			"EssentialContainerExited", "SLIPWAY_MIGRATE_LIMIT is 15m"},
		{"a command that the program does not have", plain, migration(func(c *Container) { c.Command = []string{"migrations"} }),
			"EssentialContainerExited", `no command "migrations"`},

		{"nginx without a variable", front(), func() Container { return frontWithout("SLIPWAY_APP_PORT") }(), "EssentialContainerExited",
			"names ${SLIPWAY_APP_PORT}, which is not set"},
		{"nginx without a template", front("COPY .slipway/slipway.conf.template /etc/nginx/slipway.conf.template\n", ""), frontWithout(""),
			"EssentialContainerExited", "open /etc/nginx/slipway.conf.template: no such file"},
		{"nginx asks another port", front(), frontWith("SLIPWAY_APP_PORT", "8001"), "ResponseCodeMismatch",
			"no other container of the task maps port 8001"},
		{"nginx listens on another port", front(), frontWith("SLIPWAY_PORT", "8081"), "ResponseCodeMismatch", "nginx listens on 8081"},
		{"nginx asks a name of Compose", front("server 127.0.0.1:", "server web:"), frontWithout(""), "EssentialContainerExited",
			`host "web", which nothing in the VPC resolves`},
		{"nginx waits longer than the balancer", front(), frontWith("SLIPWAY_TIMEOUT", "300s"), "HTTPCode_ELB_504_Count",
			"waits 300 s for an answer (proxy_read_timeout), the load balancer 60 s"},
		{"nginx closes connections first", front(), frontWith("SLIPWAY_KEEPALIVE", "30s"), "HTTPCode_ELB_502_Count",
			"after 30 s (keepalive_timeout), the load balancer after 60 s"},
		{"headers of the configuration", front(), frontWith("SLIPWAY_HEADERS", "user nginx;"), "EssentialContainerExited",
			"refuses its configuration"},
		{"no volume for its configuration", front(), func() Container {
			c := frontWithout("")
			c.Mounts = c.Mounts[1:]
			return c
		}(), "EssentialContainerExited", "writes /tmp/nginx.conf"},
		{"a redirect before the health path", front("listen ${SLIPWAY_PORT} default_server;",
			`listen ${SLIPWAY_PORT} default_server; if ($http_x_forwarded_proto != "https") { return 301 https://$host$request_uri; }`),
			frontCodes("200-299"), "Target.ResponseCodeMismatch", "answers GET /.slipway/health with 301 itself"},
		{"the health path with the balancer's host", front("proxy_set_header Host ${SLIPWAY_HOST};", "proxy_set_header Host $http_host;"),
			frontWithout(""), "Target.ResponseCodeMismatch", `with Host "$http_host" instead of "www.example.com"`},
		{"the health path without https", front("proxy_set_header X-Forwarded-Proto https;\n", ""), frontCodes("200"),
			"Target.ResponseCodeMismatch", `with X-Forwarded-Proto "" instead of "https"`},
		{"nginx's own health path", front("location = /.slipway/nginx { return 200", "location = /.slipway/nginx { return 404"), frontWithout(""),
			"ContainerHealthCheck", "answers GET /.slipway/nginx with 404 itself"},
		{"a cache outside of the volumes", front("/var/cache/nginx/kept", "/srv/kept"), frontWithout(""), "EssentialContainerExited",
			"nginx writes /srv/kept (proxy_cache_path)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := Judge(c.image(t), c.task)
			if c.code == "" {
				if len(v.Problems) > 0 {
					t.Errorf("a false alarm: %s", why(v))
				}
				return
			}
			if !slices.ContainsFunc(v.Problems, func(p Problem) bool {
				return p.Code == c.code && strings.Contains(p.Message+" "+strings.Join(p.Why, " "), c.says) && p.Fix != "" && p.Source != ""
			}) {
				t.Errorf("no %s that says %q:\n%s\nunknown: %q", c.code, c.says, why(v), v.Unknown)
			}
		})
	}
}

func frontWith(name, value string) Container {
	return front(func(c *Container) { c.Env[name] = value })
}

func frontWithout(name string) Container { return front(func(c *Container) { gone(c, name) }) }

func frontCodes(codes string) Container { return front(func(c *Container) { c.Target.Codes = codes }) }

// What ends the build.
func TestLayersThatCannotBeBuilt(t *testing.T) {
	for _, c := range []struct{ name, text, says string }{
		{"no program", strings.Replace(layer(), "COPY .slipway/helper /opt/slipway/helper\n", "", 1), "no such file"},
		{"install without root", strings.Replace(layer(), "USER 0:0\n", "USER 1000\n", 1), "it needs root, and USER is 1000"},
		{"install without the image's user", strings.Replace(layer(), "RUN [\"/opt/slipway/helper\", \"whoami\"]\n", "", 1),
			"/opt/slipway/user/id does not name the image's user"},
		{"a writable path behind a link", layer("/var/run/x"), "/var/run is a symbolic link to /run"},
	} {
		_, err := Read(Build{Dockerfile: []byte("FROM python:3.13 AS project\n" + c.text),
			Context: fstest.MapFS{".slipway/empty": {}}})
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
