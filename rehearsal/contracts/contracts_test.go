package contracts

import (
	"archive/tar"
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// site is a site whose images are its own: Django and nginx.
const site = "testdata/site"

// sample reads a Dockerfile of the sample site, after a change of its text and of other files.
func sample(t *testing.T, name string, changes ...string) *Image {
	t.Helper()
	build := Build{Context: os.DirFS(site), Platform: "linux/arm64"}
	text, err := os.ReadFile(site + "/" + name)
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; n < len(changes); n += 2 {
		if !strings.Contains(string(text), changes[n]) {
			t.Fatalf("%s does not contain %q", name, changes[n])
		}
		text = []byte(strings.ReplaceAll(string(text), changes[n], changes[n+1]))
	}
	build.Dockerfile = text
	i, err := Read(build)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func django() Container {
	return Container{Name: "django", User: "10001:10001", ReadOnly: true, Serves: true, Exec: true, StopTimeout: 40, Architecture: "ARM64",
		Ports: []int{8000}, Health: []string{"CMD", "healthcheck"}, Mounts: mounts("/tmp", execPaths...),
		Neighbours: map[int]string{8080: "nginx"}}
}

func nginx() Container {
	return Container{Name: "nginx", User: "101:101", ReadOnly: true, Serves: true, Exec: true, StopTimeout: 40, Architecture: "ARM64",
		Ports: []int{8080}, Health: []string{"CMD", "healthcheck"}, Mounts: mounts("/tmp", append([]string{"/var/cache/nginx"}, execPaths...)...),
		Neighbours: map[int]string{8000: "django"}, Target: &Target{Port: 8080, Protocol: "HTTP", Group: "web"}}
}

func mounts(first string, more ...string) []Mount {
	all := []Mount{{Path: first}}
	for _, m := range more {
		all = append(all, Mount{Path: m})
	}
	return all
}

func why(v Verdict) string {
	var lines []string
	for _, p := range v.Problems {
		lines = append(lines, p.Code+" "+p.Message+": "+strings.Join(p.Why, ": "))
	}
	return strings.Join(lines, "\n")
}

func TestTheSampleKeepsItsContracts(t *testing.T) {
	for name, c := range map[string]Container{"Dockerfile": django(), "Dockerfile.nginx": nginx()} {
		v := Judge(sample(t, name), c)
		if len(v.Problems) > 0 {
			t.Errorf("%s:\n%s", name, why(v))
		}
		t.Logf("%s: unknown: %q", name, v.Unknown)
	}
	v := Judge(sample(t, "Dockerfile.nginx"), nginx())
	if len(v.Unknown) > 0 {
		t.Errorf("of nginx everything is known, not %q", v.Unknown)
	}
}

// A defect is planted in the sample, in its Dockerfile or in the task.
func TestDefectsOfImages(t *testing.T) {
	for _, c := range []struct {
		name    string
		file    string
		changes []string
		task    func(c *Container)
		code    string
		says    string
	}{
		{"containers-roadmap#938 a mount that is no VOLUME", "Dockerfile.nginx", []string{`"/var/cache/nginx", "/managed`, `"/managed`}, nil,
			"EssentialContainerExited", "mount /var/cache/nginx is no VOLUME"},
		{"druid#11278 a VOLUME that is a symbolic link", "Dockerfile.nginx", []string{`"/tmp", `, `"/tmp", "/var/run", `}, func(c *Container) {
			c.Mounts = append(c.Mounts, Mount{Path: "/var/run"})
		}, "EssentialContainerExited", "mount /var/run is a symbolic link to /run"},
		{"runc#4991 a mount that crosses a link", "Dockerfile.nginx", []string{"USER 101:101", "RUN ln -s /srv/data /srv/static\nUSER 101:101"},
			func(c *Container) { c.Mounts = append(c.Mounts, Mount{Path: "/srv/static/media"}) }, "CannotStartContainerError",
			"crosses /srv/static, a symbolic link to /srv/data"},
		{"a VOLUME that belongs to root", "Dockerfile.nginx", []string{" /tmp /var/cache/nginx", " /tmp"}, nil, "EssentialContainerExited",
			"/var/cache/nginx does not belong to user 101"},
		{"no volume for the pid", "Dockerfile.nginx", nil, func(c *Container) { c.Mounts = c.Mounts[1:] }, "EssentialContainerExited",
			"nginx writes /tmp/nginx.pid (pid)"},
		{"no volume for gunicorn's heartbeat", "Dockerfile", []string{`CMD ["gunicorn", `, `CMD ["gunicorn", "--worker-tmp-dir", "/srv", `}, nil,
			"EssentialContainerExited", "gunicorn writes /srv (worker_tmp_dir)"},
		{"parse-server#5780 curl", "Dockerfile.nginx", nil, func(c *Container) {
			c.Health = []string{"CMD-SHELL", "curl -f http://localhost:8080/healthz/nginx || exit 1"}
		}, "ContainerHealthCheck", "runs curl"},
		{"curl in Python's slim image", "Dockerfile", nil, func(c *Container) { c.Health = []string{"CMD", "curl", "-f", "localhost"} },
			"ContainerHealthCheck", "runs curl"},
		{"a health check whose script needs wget", "Dockerfile.nginx", []string{"ARG NGINX_BASE=nginx:1.28.0-alpine-slim",
			"ARG NGINX_BASE=nginx:1.28.0"}, nil, "ContainerHealthCheck", "runs wget"},
		{"notifications-api#3996 CMD in shell form", "Dockerfile", []string{`CMD ["gunicorn", "website.wsgi"]`, `CMD gunicorn website.wsgi`}, nil,
			"EssentialContainerExited", "process 1 is a shell"},
		{"an entrypoint without exec", "Dockerfile", []string{`CMD ["gunicorn", "website.wsgi"]`,
			"COPY <<EOF /start\n#!/bin/sh\n\\$@\nEOF\nENTRYPOINT [\"/start\"]\nCMD [\"gunicorn\", \"website.wsgi\"]"}, nil,
			"EssentialContainerExited", "process 1 is a shell, /start"},
		{"an entrypoint that ignores the command", "Dockerfile", []string{`CMD ["gunicorn", "website.wsgi"]`,
			"COPY <<EOF /start\n#!/bin/sh\nexec gunicorn website.wsgi\nEOF\nENTRYPOINT [\"/start\"]"}, func(c *Container) {
			c.Command = []string{"python", "manage.py", "migrate"}
		}, "EssentialContainerExited", `"/start" ignores its arguments`},
		{"ENTRYPOINT in shell form", "Dockerfile", []string{`CMD ["gunicorn", "website.wsgi"]`, `ENTRYPOINT gunicorn website.wsgi`},
			func(c *Container) { c.Command = []string{"python", "manage.py", "migrate"} }, "EssentialContainerExited", "ignores its arguments"},
		{"a health check asks another port", "Dockerfile.nginx", nil, func(c *Container) {
			c.Health = []string{"CMD-SHELL", "wget -q -O /dev/null http://localhost/healthz || exit 1"}
		}, "ContainerHealthCheck", "asks port 80, and nginx listens on 8080"},
		{"nginx in the background", "Dockerfile.nginx", []string{`, "-g", "daemon off;"]`, `]`}, nil, "EssentialContainerExited",
			"puts nginx into the background"},
		{"the whole configuration as a part of it", "Dockerfile.nginx", []string{"COPY nginx/nginx.conf /etc/nginx/nginx.conf",
			"COPY nginx/nginx.conf /etc/nginx/conf.d/default.conf"}, nil, "EssentialContainerExited", "refuses its configuration"},
		{"a script that was not copied", "Dockerfile", []string{`CMD ["gunicorn", `,
			`ENTRYPOINT ["/entrypoint.sh"]` + "\n" + `CMD ["gunicorn", `},
			nil, "CannotStartContainerError", "has no /entrypoint.sh"},
		{"a Linux image in a Windows task", "Dockerfile", nil, func(c *Container) {
			c.Architecture, c.System = "X86_64", "WINDOWS_SERVER_2022_CORE"
		}, "CannotPullContainerError", "operatingSystemFamily is WINDOWS_SERVER_2022_CORE"},
		{"TLS to a target that speaks HTTP", "Dockerfile.nginx", nil, func(c *Container) {
			c.Target = &Target{Port: 8080, Protocol: "HTTP", Speaks: "HTTPS", Group: "web"}
		}, "HTTPCode_ELB_502_Count", "target group web speaks HTTPS"},
		{"the balancer keeps connections longer than nginx", "Dockerfile.nginx", nil, func(c *Container) {
			c.Target = &Target{Port: 8080, Protocol: "HTTP", Group: "web", Idle: 120}
		}, "HTTPCode_ELB_502_Count", "after 75 s (keepalive_timeout), the load balancer after 120 s"},
		{"an image for another processor", "Dockerfile", nil, func(c *Container) { c.Architecture = "X86_64" }, "CannotPullContainerError",
			"linux/amd64"},
		{"a user that the image does not have", "Dockerfile", nil, func(c *Container) { c.User = "django" }, "CannotStartContainerError",
			"no user django"},
		{"exec-checker#71 ECS Exec with a read-only root", "Dockerfile", nil, func(c *Container) { c.Mounts = c.Mounts[:1] },
			"TargetNotConnectedException", "/var/lib/amazon/ssm"},
		{"ssm-agent#653 an image without script", "Dockerfile.nginx", []string{" || apk add --no-cache util-linux-misc", ""},
			func(c *Container) { c.Recorded = true }, "SessionNotRecorded",
			"records them with script"},
		{"a port on which nothing listens", "Dockerfile.nginx", nil, func(c *Container) { c.Ports = []int{8081} }, "ResponseCodeMismatch",
			"nginx listens on 8080"},
		{"a program that is not there", "Dockerfile.nginx", []string{`CMD ["nginx"`, `CMD ["python3"`}, nil, "CannotStartContainerError",
			"has no python3"},
		{"a target on the loopback interface", "Dockerfile", nil, func(c *Container) {
			c.Target = &Target{Port: 8000, Protocol: "HTTP", Group: "web"}
		},
			"Target.Timeout", "loopback"},
	} {
		t.Run(c.name, func(t *testing.T) {
			task := django()
			if c.file == "Dockerfile.nginx" {
				task = nginx()
			}
			if c.task != nil {
				c.task(&task)
			}
			v := Judge(sample(t, c.file, c.changes...), task)
			if !slices.ContainsFunc(v.Problems, func(p Problem) bool {
				return p.Code == c.code && strings.Contains(p.Message+" "+strings.Join(p.Why, " "), c.says) && p.Fix != "" && p.Source != ""
			}) {
				t.Errorf("no %s that says %q:\n%s\nunknown: %q", c.code, c.says, why(v), v.Unknown)
			}
		})
	}
}

// Defects in nginx's configuration, which the image holds.
func TestDefectsOfNginx(t *testing.T) {
	dockerfile := func(base, rest string) []byte {
		return []byte("FROM " + base + "\nCOPY nginx.conf /etc/nginx/nginx.conf\n" + rest)
	}
	for _, c := range []struct{ name, base, conf, says string }{
		{"docker-archive/compose-cli#2093 pid below /run", "nginx:1.28", "pid /var/run/nginx.pid; http { server { listen 8080; } }",
			"nginx writes /var/run/nginx.pid (pid)"},
		{"the default temporary paths", "nginx:1.28", "pid /tmp/p; http { server { listen 8080; } }",
			"nginx writes /var/cache/nginx/client_temp (client_body_temp_path)"},
		{"archimedes#1055 the name of Compose", "nginx:1.28", "http { upstream django { server django:8000; } server { listen 8080; location / " +
			"{ proxy_pass http://django; } } }", `host "django", which nothing in the VPC resolves`},
		{"proxy_pass to a name of Compose", "nginx:1.28", "http { server { listen 8080; location / { proxy_pass http://app:8000/; } } }",
			`host "app", which nothing in the VPC resolves`},
		{"another port than gunicorn's", "nginx:1.28", "http { server { listen 8080; location / { proxy_pass http://127.0.0.1:8001; } } }",
			"no other container of the task maps port 8001"},
		{"FINRAOS/aphelion#19 TLS on the health port", "nginx:1.28", "http { server { listen 8080 ssl; } }", "speaks TLS only"},
		{"nginx's own port", "nginx:1.28", "http { include /etc/nginx/conf.d/*.conf; }", "nginx listens on 80"},
		{"the loopback interface", "nginx:1.28", "http { server { listen 127.0.0.1:8080; } }", "loopback interface only"},
	} {
		t.Run(c.name, func(t *testing.T) {
			i, err := Read(Build{Dockerfile: dockerfile(c.base, ""), Context: fstest.MapFS{"nginx.conf": {Data: []byte(c.conf)}}})
			if err != nil {
				t.Fatal(err)
			}
			task := nginx()
			task.Mounts = mounts("/tmp", execPaths...)
			if v := Judge(i, task); !strings.Contains(why(v), c.says) {
				t.Errorf("it does not say %q:\n%s\nunknown: %q", c.says, why(v), v.Unknown)
			}
		})
	}
}

// Images that are built differently and work.
func TestNoFalseAlarms(t *testing.T) {
	for _, c := range []struct{ name, dockerfile, health, run string }{
		{"curl from the package", "FROM python:3.13-slim\nRUN apt-get update && apt-get install -y --no-install-recommends curl libpq5",
			"curl -f localhost", ""},
		{"curl in the whole Python image", "FROM python:3.13", "curl -f localhost", ""},
		{"wget of busybox", "FROM alpine:3.22", "wget -q -O- localhost", ""},
		{"a program of Python's environment", "FROM python:3.13-slim\nCOPY --from=ghcr.io/astral-sh/uv:0.8 /uv /bin/uv\nRUN uv sync",
			"uv --version", ""},
		{"a base image that is not known", "FROM example.com/base:1", "curl -f localhost", ""},
		{"volumes of a base image that is not known", "FROM example.com/base:1", "true", "gunicorn site.wsgi -b 0.0.0.0:8000"},
		{"an installer that is not known", "FROM python:3.13-slim\nCOPY setup.sh /setup.sh\nRUN /setup.sh", "curl -f localhost", ""},
		{"a program that was built elsewhere", "FROM scratch\nCOPY . /\nCMD [\"site\"]", "curl -f localhost", ""},
		{"an argument selects the base", "ARG VARIANT=\nFROM python:3.13${VARIANT}", "curl -f localhost", ""},
		{"an entrypoint that hands over", "FROM python:3.13\nCOPY <<EOF /start\n#!/bin/bash\nset -e\nif [ \"\\$1\" = web ]; then shift; " +
			"fi\nexec \"\\$@\"\nEOF\n" +
			"ENTRYPOINT [\"/start\"]", "true", "gunicorn site.wsgi -b 0.0.0.0:8000 --worker-tmp-dir /dev/shm"},
		{"a shell that hands over", "FROM python:3.13\nCMD exec gunicorn site.wsgi -b 0.0.0.0:8000 --worker-tmp-dir /dev/shm", "true", ""},
		{"an init", "FROM python:3.13\nRUN apt-get install -y tini\nENTRYPOINT [\"tini\", \"--\"]", "true",
			"gunicorn site.wsgi -b 0.0.0.0:8000 --worker-tmp-dir /dev/shm"},
		{"settings in the environment", "FROM python:3.13\nENV GUNICORN_CMD_ARGS='-b 0.0.0.0:8000 --worker-tmp-dir /dev/shm'", "true",
			"gunicorn site.wsgi"},
		{"a file of settings that is not known", "FROM python:3.13\nWORKDIR /srv\nCOPY . .", "true", "gunicorn site.wsgi"},
		{"nginx-unprivileged", "FROM nginxinc/nginx-unprivileged:1.28-alpine\nVOLUME /tmp", "curl -f localhost", "nginx -g 'pid /tmp/p;'"},
	} {
		t.Run(c.name, func(t *testing.T) {
			i, err := Read(Build{Dockerfile: []byte(c.dockerfile)})
			if err != nil {
				t.Fatal(err)
			}
			task := Container{Name: "app", User: "1000", ReadOnly: true, Serves: true, Health: []string{"CMD-SHELL", c.health},
				Mounts: mounts("/tmp")}
			if i.User != "" {
				task.User = ""
			}
			if i.known() {
				i.Volumes = append(i.Volumes, "/tmp")
			}
			if c.run != "" {
				task.Command = strings.Fields(c.run)
				task.Ports = []int{8000}
				if i.Entrypoint != nil && strings.Contains(c.run, "nginx") {
					task.Command, task.Ports = nil, []int{8080}
				}
			}
			if v := Judge(i, task); len(v.Problems) > 0 {
				t.Errorf("%s", why(v))
			}
		})
	}
}

func FuzzRead(f *testing.F) {
	for _, name := range []string{"Dockerfile", "Dockerfile.nginx"} {
		text, err := os.ReadFile(site + "/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text), "http { server { listen 8080; } }")
	}
	f.Add("FROM nginx\nRUN ln -s /a /b && ln -s /b /a\nWORKDIR /a", "a { b \"{ c; }")
	f.Fuzz(func(t *testing.T, text, conf string) {
		i, err := Read(Build{Dockerfile: []byte(text), Context: fstest.MapFS{"nginx/nginx.conf": {Data: []byte(conf)}}})
		if err == nil {
			Judge(i, nginx())
		}
	})
}

// TestBuildsThatFail: what Docker refuses is no image.
func TestBuildsThatFail(t *testing.T) {
	for _, c := range []struct{ text, says string }{
		{"FROM debian:13\nCOPY nothing.txt /srv/", `"/nothing.txt": not found in the build context`},
		{"FROM debian:13 AS build\nCOPY nothing.txt /srv/\nFROM debian:13\nCOPY --from=build /srv /srv", "not found in the build context"},
		{"FROM debian:13 AS build\nFROM debian:13\nCOPY --from=builder /srv /srv", "the stage is called build"},
	} {
		if _, err := Read(Build{Dockerfile: []byte(c.text), Context: fstest.MapFS{}}); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q: expected %q, got %v", c.text, c.says, err)
		}
	}
	for _, text := range []string{
		"FROM debian:13 AS unused\nCOPY nothing.txt /srv/\nFROM debian:13", // BuildKit skips stages that nothing uses
		"FROM debian:13 AS build\nFROM debian:13\nCOPY --from=nginx /etc/nginx /etc/nginx",
		"FROM debian:13\nCOPY *.txt /srv/",
	} {
		if _, err := Read(Build{Dockerfile: []byte(text), Context: fstest.MapFS{}}); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestConfigurationsThatNginxRefuses: nginx -t says so.
func TestConfigurationsThatNginxRefuses(t *testing.T) {
	for text, says := range map[string]string{
		"events {}\nhttp { sendfile on\n tcp_nopush on; }": `invalid number of arguments in "sendfile" directive`,
		"events {}\nhttp { server { listen 80; }":          "unexpected end of file",
		"server { listen 80; }":                            `"server" directive is not allowed here`,
	} {
		i := fromBase("nginx:1.28.0")
		i.Files["/etc/nginx/nginx.conf"] = File{Mode: 0o644, Text: text}
		if c := i.nginx(process{}); !strings.Contains(strings.Join(c.faults, "\n"), says) {
			t.Errorf("%q: expected %q, got %q", text, says, c.faults)
		}
	}
}

// TestProgramsOfAnEnvironment: in a built image, the python of a virtual environment is a link to that of the system.
func TestProgramsOfAnEnvironment(t *testing.T) {
	var files bytes.Buffer
	w := tar.NewWriter(&files)
	for _, h := range []tar.Header{
		{Name: "usr/bin/python3.14", Typeflag: tar.TypeReg, Mode: 0o755},
		{Name: "usr/bin/python3", Typeflag: tar.TypeSymlink, Linkname: "python3.14", Mode: 0o777},
		{Name: "opt/venv/bin/python", Typeflag: tar.TypeSymlink, Linkname: "/usr/bin/python3", Mode: 0o777},
		{Name: "opt/venv/bin/broken", Typeflag: tar.TypeSymlink, Linkname: "/usr/bin/python2", Mode: 0o777},
	} {
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	image, err := Built([]byte(`[{"Os": "linux", "Architecture": "arm64", "Config": {"Env": ["PATH=/opt/venv/bin:/usr/bin"]}}]`), &files)
	if err != nil {
		t.Fatal(err)
	}
	for program, want := range map[string]Answer{"python": Yes, "python3": Yes, "broken": No,
		"perl": No} {
		if got := image.Has(program); got != want {
			t.Errorf("%s: %v, want %v", program, got, want)
		}
	}
}
