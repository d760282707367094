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

// The text of a Dockerfile and the image that is built from it must give the same answers, for the sample and with defects.
func TestBuiltImagesAnswerLikeTheirDockerfiles(t *testing.T) {
	if exec.Command("docker", "image", "inspect", "slipway-base:sid", "slipway-nginx:sid").Run() != nil {
		t.Skip("needs Docker and the base images of app/debian-base.sh")
	}
	engine, err := newEngine(t.Context(), "contracts-test")
	if err != nil {
		t.Skip(err)
	}
	exec := []contracts.Mount{{Path: "/managed-agents"}, {Path: "/var/lib/amazon/ssm"}, {Path: "/var/log/amazon/ssm"}}
	django := contracts.Container{Name: "django", User: "10001:10001", ReadOnly: true, Serves: true, Exec: true, Recorded: true,
		Ports:  []int{8000},
		Health: []string{"CMD", "healthcheck"}, Mounts: append([]contracts.Mount{{Path: "/tmp"}}, exec...)}
	nginx := contracts.Container{Name: "nginx", User: "101:101", ReadOnly: true, Serves: true, Exec: true, Recorded: true, Ports: []int{8080},
		Health: []string{"CMD", "healthcheck"}, Mounts: append([]contracts.Mount{{Path: "/tmp"}, {Path: "/var/cache/nginx"}}, exec...),
		Neighbours: map[int]string{8000: "django"}}
	curl := nginx
	curl.Health = []string{"CMD-SHELL", "curl -f http://localhost:8080/ || exit 1"}
	linked := nginx
	linked.Mounts = append(slices.Clone(nginx.Mounts), contracts.Mount{Path: "/var/run"})
	migrate := django
	migrate.Command = []string{"python", "manage.py", "migrate"}
	const proxy = "Dockerfile.nginx"
	for _, c := range []struct {
		name, file, old, now string
		task                 contracts.Container
		code                 string
	}{
		{"django", "Dockerfile", "", "", django, ""},
		{"nginx", proxy, "", "", nginx, ""},
		{"a mount that is no VOLUME", proxy, `"/var/cache/nginx", "/managed`, `"/managed`, nginx, "EssentialContainerExited"},
		{"a VOLUME that is a link", proxy, `"/tmp", `, `"/tmp", "/var/run", `, linked, "EssentialContainerExited"},
		{"a directory that belongs to root", proxy, " /tmp /var/cache/nginx", " /tmp", nginx, "EssentialContainerExited"},
		{"a health check with curl", proxy, "", "", curl, "ContainerHealthCheck"},
		{"an entrypoint that ignores the command", "Dockerfile", `CMD ["gunicorn", "website.wsgi"]`, "ENTRYPOINT gunicorn website.wsgi", migrate,
			"EssentialContainerExited"},
		{"a shell as process 1", "Dockerfile", `CMD ["gunicorn", "website.wsgi"]`, "CMD gunicorn website.wsgi", django,
			"EssentialContainerExited"},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := t.TempDir()
			if err := os.CopyFS(root, os.DirFS(filepath.Join("..", "..", "app"))); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(root, c.file)
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			text := strings.Replace(string(data), c.old, c.now, 1)
			if c.old != "" && text == string(data) {
				t.Fatalf("%s does not contain %q", c.file, c.old)
			}
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			fromText, err := contracts.Read(contracts.Build{Dockerfile: []byte(text), Context: os.DirFS(root)})
			if err != nil {
				t.Fatal(err)
			}
			const tag = "slipway-contracts-test"
			if _, err := engine.do(t.Context(), []string{"DOCKER_BUILDKIT=0"}, "build", "-q", "-t", tag, "-f", file,
				"--build-arg", "BASE=slipway-base:sid", "--build-arg", "PACKAGES=base", "--build-arg", "RDS_CA=/etc/ssl/certs/ca-certificates.crt",
				"--build-arg", "NGINX_BASE=slipway-nginx:sid", root); err != nil {
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
