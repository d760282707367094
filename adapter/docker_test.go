package adapter

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"slipway/internal/image"
)

// The bases that the tests of the sample use (app/debian-base.sh).
const pythonBase, nginxBase = "slipway-base:sid", "slipway-nginx:sid"

// docker runs a docker command and returns what it prints.
func docker(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("docker", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("docker %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// shop is a small project with nothing of Slipway's in it.
var shop = map[string]string{
	"manage.py": "import os, sys\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n" +
		"from django.core.management import execute_from_command_line\nexecute_from_command_line(sys.argv)\n",
	"shop/__init__.py": "",
	"shop/settings.py": "import os\nSECRET_KEY = os.environ['SECRET_KEY']\nALLOWED_HOSTS = ['*']\n" +
		"ROOT_URLCONF = 'shop.urls'\nDEBUG = False\n" +
		"INSTALLED_APPS = ['django.contrib.staticfiles']\nSTATIC_URL = '/static/'\nSTATICFILES_DIRS = ['assets']\n" +
		"STORAGES = {'staticfiles': {'BACKEND': 'django.contrib.staticfiles.storage.ManifestStaticFilesStorage'}}\n" +
		"WSGI_APPLICATION = 'shop.wsgi.application'\n",
	"shop/urls.py": "import getpass, os\nfrom django.http import JsonResponse\nfrom django.urls import path\n" +
		"from django.templatetags.static import static\n" +
		"def home(request):\n    open('/app/media/new', 'w').close()\n" +
		"    return JsonResponse({'user': getpass.getuser(), 'uid': os.getuid(), 'home': os.environ['HOME'], 'css': static('site.css'),\n" +
		"                         'kept': os.path.exists('/app/media/old'), 'scheme': request.META['HTTP_X_FORWARDED_PROTO']})\n" +
		"urlpatterns = [path('', home)]\n",
	"shop/wsgi.py": "from django.core.wsgi import get_wsgi_application\nimport os\n" +
		"os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\napplication = get_wsgi_application()\n",
	"assets/site.css":  "body { color: red }\n",
	"requirements.txt": "django\ngunicorn\npsycopg\n",
	"media/old":        "",
}

const shopDockerfile = `FROM ` + pythonBase + ` AS app
WORKDIR /app
COPY . .
%s
ENTRYPOINT ["/usr/bin/env", "ENTERED=yes"]
CMD ["python3", "-m", "gunicorn", "--bind", "0.0.0.0:8000", "shop.wsgi"]
# What must not run.
FROM app AS tests
RUN false
`

// Images of a small project, built by the Docker of this machine, run as a task runs them: read-only, without capabilities, as the
// user slipway, on one loopback interface.
func TestRealImages(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds images")
	}
	for _, base := range []string{pythonBase, nginxBase} {
		if exec.Command("docker", "image", "inspect", base).Run() != nil {
			t.Skipf("there is no Docker engine with %s (app/debian-base.sh)", base)
		}
	}
	for _, c := range []struct{ name, dockerfile, user string }{
		{"root", fmt.Sprintf(shopDockerfile, ""), `"user": "slipway", "uid": 10001, "home": "/tmp"`},
		{"its own user", fmt.Sprintf(shopDockerfile, "RUN useradd --uid 4321 --create-home web && chmod 700 /home/web && chown web media\n"+
			"USER web\nENV HOME=/home/web"),
			`"uid": 4321, "home": "/home/web"`},
		{"generated", "", `"user": "slipway", "uid": 10001, "home": "/tmp"`},
	} {
		t.Run(c.name, func(t *testing.T) { runShop(t, c.dockerfile, c.user) })
	}
}

func runShop(t *testing.T, dockerfile, user string) {
	a := someApp()
	a.Root, a.Context, a.Path = tree(t, shop), ".", "."
	a.Platform, a.NginxBase = "linux/"+runtime.GOARCH, nginxBase
	a.Manage, a.Writable, a.Env = []string{"python3", "manage.py"}, []string{"/app/media"}, map[string]string{"SECRET_KEY": "x"}
	a.Overlay, a.Settings = []string{"STATIC_ROOT"}, "shop.settings"
	if dockerfile == "" {
		a.Args = map[string]string{"BASE": pythonBase}
	} else {
		a.Target = "app"
		if err := os.WriteFile(filepath.Join(a.Root, "Dockerfile"), []byte(dockerfile), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	builds, err := a.Builds()
	if err != nil {
		t.Fatal(err)
	}
	var images []string
	for _, b := range []image.Build{builds.Django, builds.Nginx} {
		images = append(images, dockerBuild(t, a.Root, b))
	}
	// As in a task: read-only, no capabilities, volumes where the image has VOLUME, one loopback interface.
	run := func(image string, more ...string) string {
		id := docker(t, append(append([]string{"run", "-d", "--pull=never", "--read-only", "--cap-drop=ALL",
			"--security-opt=no-new-privileges"}, more...), image)...)
		t.Cleanup(func() {
			if t.Failed() {
				out, _ := exec.Command("docker", "logs", id).CombinedOutput()
				t.Logf("%s:\n%s", image, out)
			}
			docker(t, "rm", "-f", "-v", id)
		})
		return id
	}
	app := run(images[0], "--user=slipway", "--publish=127.0.0.1::8080", "--env=SECRET_KEY=x", "--env=PORT=8000",
		"--env=DJANGO_SETTINGS_MODULE=slipway_settings", "--env=SLIPWAY_SETTINGS=shop.settings", "--env=SLIPWAY_OVERLAY=STATIC_ROOT")
	more := []string{"--user=101:101", "--network=container:" + app}
	values := defaults()
	values["SLIPWAY_PORT"], values["SLIPWAY_APP_PORT"] = "8080", "8000"
	for name, value := range values {
		more = append(more, "--env="+name+"="+value)
	}
	nginx := run(images[1], more...)
	s := &stand{address: docker(t, "port", app, "8080/tcp")}
	first := s.wait(t)
	if !strings.Contains(first.body, user) || !strings.Contains(first.body, `"kept": true`) {
		t.Errorf("the app says %s\nwant %s and that the volume has the image's content", first.body, user)
	}
	css := regexp.MustCompile(`/static/site\.[0-9a-f]{12}\.css`).FindString(first.body)
	if css == "" {
		t.Fatalf("the app names no hashed file: %s", first.body)
	}
	if r := s.get(t, "GET", css); r.body != shop["assets/site.css"] || r.Header.Get("Cache-Control") != "public, max-age=31536000, immutable" {
		t.Errorf("%s: %s %q", css, r.Status, r.body)
	}
	if got := docker(t, "exec", app, "/opt/slipway/helper", "health", "--port=8000", "--path=/", "--below=400"); strings.Contains(got,
		"fail") {
		t.Errorf("the health check says %s", got)
	}
	if dockerfile != "" {
		if got := docker(t, "inspect", "--format={{json .Config.Entrypoint}}", app); got != `["/usr/bin/env","ENTERED=yes"]` {
			t.Errorf("the entrypoint is %s", got)
		}
	}
	const mine = "import os; s = os.stat('/app/media'); print(s.st_uid == os.getuid(), oct(os.stat('/tmp').st_mode), " +
		"os.stat('/opt/slipway').st_uid)"
	if got := docker(t, "exec", app, "python3", "-c", mine); got != "True 0o41777 0" {
		t.Errorf("owner of the volume, mode of /tmp, owner of /opt/slipway: %s", got)
	}
	start := time.Now()
	docker(t, "stop", "--time=20", nginx)
	if code := docker(t, "inspect", "--format={{.State.ExitCode}}", nginx); code != "0" || time.Since(start) > 15*time.Second {
		t.Errorf("nginx stopped with %s after %s", code, time.Since(start))
	}
}

// wait asks for the first page until the app answers.
func (s *stand) wait(t *testing.T) answer {
	t.Helper()
	for range 60 {
		if c, err := net.Dial("tcp", s.address); err == nil {
			_ = c.Close()
			if r, err := http.Get("http://" + s.address + "/"); err == nil {
				_ = r.Body.Close()
				if r.StatusCode == http.StatusOK {
					return s.get(t, "GET", "/")
				}
			}
		}
		time.Sleep(500 * time.Millisecond)
	}
	t.Fatal("the app does not answer")
	return answer{}
}

// dockerBuild stages a build with the helper, builds it, and returns the image.
func dockerBuild(t *testing.T, root string, b image.Build) string {
	t.Helper()
	read, err := b.Read()
	if err != nil {
		t.Fatal(err)
	}
	staged := filepath.Join(root, ".slipway", "contexts", read.Tag())
	if err := read.Stage(staged); err != nil {
		t.Fatal(err)
	}
	for _, name := range read.Late() {
		made, err := Helper(b.Platform)
		if err == nil {
			err = read.Supply(staged, name, made)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	tag := "slipway-test:" + read.Tag()
	args := []string{"build", "--network=none", "--target", b.Target, "--tag", tag, "-f", read.Dockerfile(staged)}
	for name, value := range b.Args {
		args = append(args, "--build-arg", name+"="+value)
	}
	docker(t, append(args, staged)...)
	t.Cleanup(func() { docker(t, "rmi", "-f", tag) })
	return tag
}
