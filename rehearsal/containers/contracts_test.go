package containers

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"slipway/rehearsal/contracts"
)

// layeredImages are a project's image with Slipway's stage, and nginx, as far as the contracts depend on them.
const layeredImages = `ARG BASE=python:3.13.7-slim-trixie
ARG NGINX_BASE=nginx:1.28.0-alpine-slim
FROM ${BASE} AS project
RUN useradd --uid 1234 site && mkdir -p /srv/data
WORKDIR /srv
COPY manage.py ./
USER site
CMD ["gunicorn", "mysite.wsgi"]

FROM project AS django
COPY .slipway/helper /opt/slipway/helper
COPY .slipway/user /opt/slipway/user/id
RUN ["/opt/slipway/helper","whoami"]
USER 0:0
RUN ["/opt/slipway/helper","install","--writable=/srv/data"]
VOLUME ["/managed-agents","/srv/data","/tmp","/var/lib/amazon/ssm","/var/log/amazon/ssm"]
USER slipway

FROM ${NGINX_BASE} AS nginx
USER 0:0
RUN command -v script >/dev/null || apk add --no-cache util-linux-misc
RUN mkdir -p /var/cache/nginx /managed-agents /var/lib/amazon/ssm /var/log/amazon/ssm && chown -R 101:101 /tmp /var/cache/nginx
COPY .slipway/slipway.conf.template .slipway/slipway.cached /etc/nginx/
COPY .slipway/helper /opt/slipway/helper
VOLUME ["/tmp", "/var/cache/nginx", "/managed-agents", "/var/lib/amazon/ssm", "/var/log/amazon/ssm"]
USER 101:101
ENTRYPOINT ["/opt/slipway/helper"]
CMD ["nginx"]
`

// layeredContext is the folder that those images are built from. The program in it is the real one, for this machine.
func layeredContext(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	template, err := os.ReadFile(filepath.Join("..", "contracts", "testdata", "slipway.conf.template"))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"manage.py": "#!/usr/bin/env python\n", ".slipway/user": "",
		".slipway/slipway.conf.template": string(template), ".slipway/slipway.cached": "proxy_pass http://app;\nproxy_cache kept;\n"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(root, ".slipway", "user"), 0o666); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-trimpath", "-o", filepath.Join(root, ".slipway", "helper"), "slipway/helper/program")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return root
}

// The text of a Dockerfile and the image that is built from it must give the same answers, for layered images and with defects.
func TestBuiltImagesAnswerLikeTheirDockerfiles(t *testing.T) {
	if exec.Command("docker", "image", "inspect", "slipway-base:sid", "slipway-nginx:sid").Run() != nil {
		t.Skip("needs Docker and the base images of app/debian-base.sh")
	}
	engine, err := newEngine(t.Context(), "contracts-test")
	if err != nil {
		t.Skip(err)
	}
	root := layeredContext(t)
	mounts := func(paths ...string) (all []contracts.Mount) {
		for _, p := range append(paths, "/managed-agents", "/var/lib/amazon/ssm", "/var/log/amazon/ssm") {
			all = append(all, contracts.Mount{Path: p})
		}
		return all
	}
	health := func(flags ...string) []string {
		return append([]string{"CMD", "/opt/slipway/helper", "health"}, flags...)
	}
	web := contracts.Container{Name: "django", User: "slipway", ReadOnly: true, Serves: true, Exec: true, Recorded: true, Ports: []int{8000},
		Health: health("--port=8000"), Mounts: mounts("/tmp", "/srv/data"),
		Env: map[string]string{"PORT": "8000", "GUNICORN_CMD_ARGS": "--worker-tmp-dir=/dev/shm"}}
	front := contracts.Container{Name: "nginx", User: "101:101", ReadOnly: true, Serves: true, Exec: true, Recorded: true, Ports: []int{8080},
		Health: health("--port=8080", "--path=/.slipway/nginx"), Mounts: mounts("/tmp", "/var/cache/nginx"),
		Neighbours: map[int]string{8000: "django"}, Env: map[string]string{"SLIPWAY_HOST": "www.example.com", "SLIPWAY_PORT": "8080",
			"SLIPWAY_APP_PORT": "8000", "SLIPWAY_MAX_BODY": "25m", "SLIPWAY_TIMEOUT": "60s", "SLIPWAY_KEEPALIVE": "75s",
			"SLIPWAY_STATIC_URL": "/static/"}}
	change := func(c contracts.Container, by func(*contracts.Container)) contracts.Container { by(&c); return c }
	curl := change(front, func(c *contracts.Container) {
		c.Health = []string{"CMD-SHELL", "curl -f http://localhost:8080/ || exit 1"}
	})
	elsewhere := change(web, func(c *contracts.Container) { c.Health = health("--port=9000") })
	linked := change(front, func(c *contracts.Container) { c.Mounts = mounts("/tmp", "/var/cache/nginx", "/var/run") })
	named := change(web, func(c *contracts.Container) { c.User = "www" })
	command := change(web, func(c *contracts.Container) { c.Command = []string{"python", "manage.py", "migrate"} })
	migrate := change(web, func(c *contracts.Container) {
		c.Entrypoint, c.Command = []string{"/opt/slipway/helper"}, []string{"migrate"}
		c.Serves, c.Exec, c.Health, c.Ports = false, false, nil, nil
		c.Env = map[string]string{"SLIPWAY_DB_HOST": "db", "SLIPWAY_DB_PORT": "5432", "SLIPWAY_DB_NAME": "site", "SLIPWAY_DB_OWNER": "o",
			"SLIPWAY_MANAGE": `["/opt/slipway/manage"]`, "SLIPWAY_MIGRATE": `[["migrate"]]`}
		c.Secrets = []string{"SLIPWAY_DB_OWNER_PASSWORD"}
	})
	const run = `CMD ["gunicorn", "mysite.wsgi"]`
	for _, c := range []struct {
		name, stage, old, now string
		task                  contracts.Container
		code                  string
	}{
		{"django", "django", "", "", web, ""},
		{"nginx", "nginx", "", "", front, ""},
		{"a mount that is no VOLUME", "nginx", `"/tmp", "/var/cache/nginx", `, `"/tmp", `, front, "EssentialContainerExited"},
		{"a writable path that is no VOLUME", "django", `"/srv/data",`, "", web, "EssentialContainerExited"},
		{"a VOLUME that is a link", "nginx", `"/tmp", "/var`, `"/tmp", "/var/run", "/var`, linked, "EssentialContainerExited"},
		{"a directory that belongs to root", "nginx", " /tmp /var/cache/nginx\n", " /tmp\n", front, "EssentialContainerExited"},
		{"a writable path that belongs to root", "django", `,"--writable=/srv/data"`, "", web, "EssentialContainerExited"},
		{"a health check with curl", "nginx", "", "", curl, "ContainerHealthCheck"},
		{"a health check of another port", "django", "", "", elsewhere, "ContainerHealthCheck"},
		{"no template", "nginx", ".slipway/slipway.conf.template .slipway/slipway.cached /etc/nginx/", ".slipway/slipway.cached /etc/nginx/",
			front, "EssentialContainerExited"},
		{"a user that is not there", "django", "", "", named, "CannotStartContainerError"},
		{"an image without the layer", "project", "", "", web, "CannotStartContainerError"},
		{"a migration with a program that is not there", "django", "", "", migrate, "EssentialContainerExited"},
		{"an entrypoint that ignores the command", "django", run, "ENTRYPOINT gunicorn mysite.wsgi", command, "EssentialContainerExited"},
		{"a shell as process 1", "django", run, "CMD gunicorn mysite.wsgi", web, "EssentialContainerExited"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := strings.Replace(layeredImages, c.old, c.now, 1)
			if c.old != "" && text == layeredImages {
				t.Fatalf("the Dockerfile does not contain %q", c.old)
			}
			file := filepath.Join(root, ".slipway", "Dockerfile")
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			fromText, err := contracts.Read(contracts.Build{Dockerfile: []byte(text), Context: os.DirFS(root), Target: c.stage})
			if err != nil {
				t.Fatal(err)
			}
			const tag = "slipway-contracts-test"
			if _, err := engine.do(t.Context(), []string{"DOCKER_BUILDKIT=0"}, "build", "-q", "-t", tag, "-f", file, "--target", c.stage,
				"--build-arg", "BASE=slipway-base:sid", "--build-arg", "NGINX_BASE=slipway-nginx:sid", root); err != nil {
				t.Fatal(err)
			}
			defer engine.do(t.Context(), nil, "image", "rm", tag)
			built, err := engine.image(t.Context(), tag)
			if err != nil {
				t.Fatal(err)
			}
			one, other := answers(fromText, c.task), answers(built, c.task)
			if !slices.Equal(one, other) {
				t.Errorf("the Dockerfile says\n%s\nand the image says\n%s", strings.Join(one, "\n"), strings.Join(other, "\n"))
			}
			if found := strings.Join(one, "\n"); (found == "") != (c.code == "") || !strings.Contains(found, c.code) {
				t.Errorf("expected %q, got %q", c.code, found)
			}
		})
	}
}

func answers(i *contracts.Image, c contracts.Container) []string {
	var all []string
	for _, p := range contracts.Judge(i, c).Problems {
		all = append(all, p.Code+" "+p.Message)
	}
	slices.Sort(all)
	return all
}
