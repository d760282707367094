package config

import (
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"slipway/internal/fargate/mount"
)

// An App is the Django project: how its image is built and run. A project is the same in all stacks, so app may also stand in
// Pulumi.yaml; what a stack says is merged into that, key by key.
type App struct {
	// Shared is what Pulumi.yaml gives as app.env for all stacks; nil if it has no app.
	Shared map[string]string

	// The folder of the Django project, relative to Pulumi.yaml.
	Path string `key:"path" default:"./app" rule:"a folder of the Git repository; ../ is allowed"`
	// The build context, relative to Pulumi.yaml. Defaults to path.
	Context string `key:"context" rule:"a folder of the Git repository"`
	// The Dockerfile, relative to the context. It may be beside it: ../deploy/Dockerfile. Defaults to Dockerfile. If there is no
	// such file and the key is not set, Slipway generates one from the project's lock file, in its own copy of the context.
	Dockerfile string `key:"dockerfile" rule:"a file of the Git repository"`
	// The stage of the Dockerfile that is deployed. Defaults to the last one.
	Target string `key:"target" rule:"the name of a stage"`
	// Build arguments. They stay readable in the image, so never put a secret here.
	Args map[string]string `key:"args" rule:"NAME: string; nothing that looks like a secret"`
	// The settings module for production, DJANGO_SETTINGS_MODULE. Defaults to what the image or manage.py says.
	Settings string `key:"settings" rule:"a Python module, such as config.settings.production"`
	// Packages that a generated Dockerfile installs beside those of the project's list, such as gunicorn~=23.0. With them, a project
	// needs no list at all. Only without a Dockerfile.
	Packages []string `key:"packages" rule:"requirements of pip, without options; only without a Dockerfile"`
	// What stands for manage.py: [shopctl], [python, -m, shop] or [python, src/manage.py].
	Manage []string `key:"manage" default:"[python, manage.py]" rule:"a list of the program and its arguments"`
	// Settings that Slipway replaces, for a project that has them as literals. MEDIA puts the default storage into the media bucket,
	// with django-storages.
	Overlay []string `key:"overlay" rule:"names of settings: @overlay; together with settings"`
	// Environment variables, by name. A value may contain names in braces, such as {db.url}: see "Templates" in docs/configuration.md. A
	// value with a secret in it becomes an SSM parameter and reaches the containers by ARN. {{ and }} are braces.
	Env map[string]string `key:"env" rule:"NAME: string; nothing that looks like a secret"`
	// The entrypoint. Defaults to the image's; [] means none.
	Entrypoint []string `key:"entrypoint" rule:"a list of strings; [] needs command"`
	// The command of the web container. Defaults to the image's. With entrypoint the image's command is not used: name it here.
	Command []string `key:"command" rule:"a list of strings"`
	// The port on which the app's server listens.
	Port int `key:"port" default:"8000" allowed:"1024..65535" rule:"not 8079"`
	// How many seconds a container may take until it is healthy.
	Start int `key:"start" default:"60" allowed:"1..300"`
	// How the container is checked: http asks web.healthPath, or / if that is not set; tcp only opens a connection.
	Health string `key:"health" default:"http" allowed:"http|tcp"`
	// Paths that the app writes, besides /tmp. Each is a volume that begins with the image's content and is lost with the task.
	Writable []string `key:"writable" rule:"absolute paths, without symbolic links"`
	// Static files.
	Static Static `key:"static"`
	// How the database is migrated, once for each release.
	Migrate Migrate `key:"migrate"`
	// Nginx, in front of the app in each web task.
	Nginx Nginx `key:"nginx"`
}

// Static says who serves static files.
type Static struct {
	// Who serves static files: nginx (they are collected when the images are built, and those of earlier releases stay reachable),
	// or the app itself, for example with WhiteNoise.
	Serve string `key:"serve" default:"nginx" allowed:"nginx|app"`
	// STATIC_URL's path.
	URL string `key:"url" default:"/static/" rule:"a path that starts and ends with /"`
	// What collects them: arguments for app.manage, one list for each command.
	Commands [][]string `key:"commands" default:"[[collectstatic, --noinput]]" rule:"lists of arguments for app.manage"`
}

// Migrate says how the database is migrated.
type Migrate struct {
	// The project's commands: arguments for app.manage, one list for each command. They run as the owner of the database, one after
	// the other.
	Commands [][]string `key:"commands" default:"[[migrate, --noinput]]" rule:"lists of arguments for app.manage"`
	// The limit for all commands together, in minutes. After it the migration is stopped and the deployment fails.
	Limit int `key:"limit" default:"15" allowed:"1..120"`
}

// Nginx is what a project may change about nginx.
type Nginx struct {
	// The largest request body, in MB.
	MaxBody int `key:"maxBody" default:"25" allowed:"1..5000"`
	// How many seconds the app may take to answer, and a connection may be idle.
	Timeout int `key:"timeout" default:"60" allowed:"1..3600"`
	// Headers of every response, such as Content-Security-Policy.
	Headers map[string]string `key:"headers" rule:"Name: value; no $"`
	// Paths whose POSTs are limited to 30 a minute for each address: exactly one (/login/), or all that begin with one (/account/*).
	LimitPaths []string `key:"limitPaths" rule:"each starts with /; * only at the end"`
	// Paths whose responses are the same for every visitor and never change: nginx keeps those with status 200 on its disk for 7 days.
	CachePaths []string `key:"cachePaths" rule:"each starts with /; * only at the end"`
	// The base of nginx's image.
	Base string `key:"base" default:"nginx:1.28.0-alpine-slim" rule:"an image whose nginx runs as 101:101"`
}

// Overlays are the settings that app.overlay may name.
var Overlays = []string{"DATABASES", "SECRET_KEY", "DEBUG", "ALLOWED_HOSTS", "CSRF_TRUSTED_ORIGINS", "STATIC_ROOT",
	"SECURE_PROXY_SSL_HEADER", "MEDIA"}

// staticFallback is a port of the nginx container: there the helper serves static files of earlier releases.
const staticFallback = 8079

var (
	targetForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)
	moduleForm = regexp.MustCompile(`^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$`)
	headerForm = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$")
	imageForm  = regexp.MustCompile(`^[a-z0-9][A-Za-z0-9._/:@-]*$`)
	staticURL  = regexp.MustCompile(`^/([A-Za-z0-9._~-]+/)+$`)
	nginxPath  = regexp.MustCompile(`^/[A-Za-z0-9\-._~+,=:@/%]*\*?$`)
	// A name with extras and versions (PEP 508), without markers and addresses.
	packageForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*(\[[A-Za-z0-9._, -]+\])?( ?(~=|==|!=|<=|>=|<|>) ?[A-Za-z0-9.*+!-]+,?)*$`)
	volumePath  = regexp.MustCompile(`^(/[A-Za-z0-9._-]+)+$`)
)

// app checks what the tags of App cannot express.
func (d *decoder) app(s *Stack) {
	a := &s.App
	if a.Context == "" {
		a.Context = a.Path
	}
	d.sources(s)
	if a.Target != "" && !targetForm.MatchString(a.Target) {
		d.add("app.target", quoted(a.Target), "must be the name of a stage")
	}
	if a.Settings != "" && !moduleForm.MatchString(a.Settings) {
		d.add("app.settings", quoted(a.Settings), "must be a Python module, such as config.settings.production")
	}
	d.overlay(a)
	d.packages(a)
	d.processes(a)
	d.writable(a.Writable)
	if d.valid("app.static.url") && !staticURL.MatchString(a.Static.URL) {
		d.add("app.static.url", quoted(a.Static.URL), "must be a path that starts and ends with /, such as /static/")
	}
	d.managed("app.static.commands", a.Static.Commands)
	d.managed("app.migrate.commands", a.Migrate.Commands)
	d.nginx(a.Nginx, a.Static.URL)
	for _, name := range slices.Sorted(maps.Keys(a.Args)) {
		at := step("app.args", name)
		if !envForm.MatchString(name) {
			d.add(at, "", "must contain only letters, digits and _, must not start with a digit, and must be at most 128 characters")
		} else if secretName(name) {
			d.add(at, masked, "has the name of a secret, and build arguments stay readable in the image")
		}
	}
}

// sources checks the folders and the Dockerfile. They may be anywhere in the Git repository; without Git they are in the folder
// of Pulumi.yaml.
func (d *decoder) sources(s *Stack) {
	a, root := s.App, d.source.Root
	inside := func(key, folder, name, of string) bool {
		switch {
		case !d.valid(key):
			return false
		case filepath.IsAbs(name) || strings.Contains(name, `\`):
			d.add(key, quoted(name), "must be a path relative to %s", of)
		case !within(root, filepath.Join(folder, name)):
			d.add(key, quoted(name), "must be a path inside the Git repository, relative to %s", of)
		}
		return d.valid(key)
	}
	exists := root != "" && s.Images.Django == "" && s.Images.Nginx == ""
	folder := func(key, name string) bool {
		if !inside(key, "", name, projectFile) {
			return false
		}
		if f, err := os.Stat(filepath.Join(root, name)); exists && (err != nil || !f.IsDir()) {
			d.add(key, quoted(name), "no such folder")
		}
		return d.valid(key)
	}
	if !folder("app.path", a.Path) || a.Context != a.Path && !folder("app.context", a.Context) {
		return
	}
	if a.Dockerfile == "" || !inside("app.dockerfile", a.Context, a.Dockerfile, "the build context, "+a.Context) || !exists {
		return
	}
	if f, err := os.Stat(filepath.Join(root, a.Context, a.Dockerfile)); err != nil || !f.Mode().IsRegular() {
		d.add("app.dockerfile", quoted(a.Dockerfile), "no such file in %s", a.Context)
	}
}

// within reports whether a path from the folder of Pulumi.yaml is in the Git repository that contains it. Git marks the top of a
// clone with a folder .git, and that of a worktree or a submodule with a file.
func within(root, name string) bool {
	if filepath.IsLocal(name) {
		return true
	}
	folder, err := filepath.Abs(root)
	if err != nil || root == "" {
		return false
	}
	up := 0
	for steps := strings.Split(filepath.ToSlash(filepath.Clean(name)), "/"); up < len(steps) && steps[up] == ".."; up++ {
	}
	for ; up > 0; up-- {
		if _, err := os.Lstat(filepath.Join(folder, ".git")); err == nil || folder == filepath.Dir(folder) {
			return false // the repository ends here
		}
		folder = filepath.Dir(folder)
	}
	for ; ; folder = filepath.Dir(folder) {
		if _, err := os.Lstat(filepath.Join(folder, ".git")); err == nil {
			return true
		}
		if folder == filepath.Dir(folder) {
			return false
		}
	}
}

func (d *decoder) overlay(a *App) {
	for i, name := range a.Overlay {
		at := fmt.Sprintf("app.overlay[%d]", i)
		switch {
		case !d.valid(at):
		case !slices.Contains(Overlays, name):
			d.add(at, quoted(name), "must be %s", either(Overlays))
		case slices.Index(a.Overlay, name) != i:
			d.add(at, quoted(name), "is listed twice")
		}
	}
	if len(a.Overlay) > 0 && a.Settings == "" && d.valid("app.settings", "app.overlay") {
		d.add("app.settings", "", "is required with app.overlay: the module whose settings are replaced")
	}
}

func (d *decoder) packages(a *App) {
	for i, one := range a.Packages {
		if at := fmt.Sprintf("app.packages[%d]", i); d.valid(at) && !packageForm.MatchString(one) {
			d.add(at, quoted(one), "must be a requirement such as gunicorn~=23.0 or psycopg[binary]")
		}
	}
	if len(a.Packages) == 0 || !d.valid("app.packages", "app.context", "app.dockerfile") || d.source.Root == "" {
		return
	}
	name := a.Dockerfile
	if name == "" {
		name = "Dockerfile"
	}
	if _, err := os.Stat(filepath.Join(d.source.Root, a.Context, name)); err == nil || a.Dockerfile != "" {
		d.add("app.packages", "", "is for a generated Dockerfile, and %s is used: install them there", filepath.ToSlash(filepath.Join(a.Context,
			name)))
	}
}

func (d *decoder) processes(a *App) {
	d.command("app.manage", a.Manage)
	if len(a.Manage) == 0 && d.valid("app.manage") {
		d.add("app.manage", "", "must not be empty: the program and its arguments")
	}
	d.command("app.entrypoint", a.Entrypoint)
	d.command("app.command", a.Command)
	if a.Command != nil && len(a.Command) == 0 {
		d.add("app.command", "", "must not be empty; omit the key for the image's own")
	}
	// ECS reads an empty list as the image's own, so Slipway makes an entrypoint of the command's program.
	if a.Entrypoint != nil && len(a.Entrypoint) == 0 && a.Command == nil && d.valid("app.command") {
		d.add("app.entrypoint", "", "[] also needs app.command: the image's own command cannot run without the image's entrypoint")
	}
	if a.Port == staticFallback {
		d.add("app.port", strconv.Itoa(a.Port), "is used by Slipway")
	}
}

// managed checks lists of arguments for app.manage.
func (d *decoder) managed(path string, commands [][]string) {
	for i, args := range commands {
		at := fmt.Sprintf("%s[%d]", path, i)
		if len(args) == 0 && d.valid(at) {
			d.add(at, "", "must not be empty: arguments for app.manage")
		}
		if len(args) > 0 && strings.Contains(args[0], " ") {
			d.add(at+"[0]", quoted(args[0]), "must be one argument: list each separately; no shell reads them")
		}
	}
}

func (d *decoder) writable(paths []string) {
	volumes := map[string]string{mount.Volume("", "/tmp"): "/tmp"}
	for i, name := range paths {
		at := fmt.Sprintf("app.writable[%d]", i)
		other, twice := volumes[mount.Volume("", name)]
		link := mount.LinkAbove(name)
		switch {
		case !d.valid(at):
		case !volumePath.MatchString(name) || path.Clean(name) != name:
			d.add(at, quoted(name), "must be an absolute path of letters, digits and ._-, without .. or a / at its end")
		case link != "":
			d.add(at, quoted(name), "is below %s, a symbolic link in most images: on Fargate only root could write it", link)
		case usedBySlipway(name) || slices.ContainsFunc(mount.ExecPaths, func(own string) bool {
			return mount.Within(name, own) || mount.Within(own, name)
		}):
			d.add(at, quoted(name), "is used by Slipway")
		case mount.Within(name, "/tmp"):
			d.add(at, quoted(name), "is writable already: /tmp is")
		case twice && other == name:
			d.add(at, quoted(name), "is listed twice")
		case twice:
			d.add(at, quoted(name), "would have the same volume name as %s", other)
		}
		volumes[mount.Volume("", name)] = name
	}
}

// usedBySlipway reports whether a path has files of Slipway's, or of the system, in it.
func usedBySlipway(path string) bool {
	return slices.ContainsFunc([]string{"/opt/slipway", "/etc/ssl", "/etc/nginx", "/proc", "/sys", "/dev"}, func(own string) bool {
		return mount.Within(path, own) || mount.Within(own, path)
	})
}

func (d *decoder) nginx(n Nginx, static string) {
	for _, name := range slices.Sorted(maps.Keys(n.Headers)) {
		at, value := step("app.nginx.headers", name), n.Headers[name]
		switch {
		case !d.valid(at):
		case !headerForm.MatchString(name) || strings.Contains(name, "$"):
			d.add(at, "", "must be the name of a header")
		case strings.Contains(value, "$"):
			d.add(at, quoted(value), "must not contain $, which begins a variable of nginx")
		}
	}
	for _, list := range []struct {
		key   string
		paths []string
	}{{"app.nginx.limitPaths", n.LimitPaths}, {"app.nginx.cachePaths", n.CachePaths}} {
		for i, name := range list.paths {
			at := fmt.Sprintf("%s[%d]", list.key, i)
			switch {
			case !d.valid(at):
			case !nginxPath.MatchString(name) || len(name) > 200:
				d.add(at, quoted(name), "must be a path such as /log-in/, or all that begin with one such as /account/*, of at most 200 characters")
			case slices.Index(list.paths, name) != i:
				d.add(at, quoted(name), "is listed twice")
			case strings.TrimSuffix(name, "*") == static:
				d.add(at, quoted(name), "is app.static.url, which has rules of its own")
			}
		}
	}
	if d.valid("app.nginx.base") && !imageForm.MatchString(n.Base) {
		d.add("app.nginx.base", quoted(n.Base), "must be an image such as nginx:1.28.0-alpine-slim")
	}
}

// secretPrefix begins the names of the stack's own secrets in a template: secret.API_KEY.
const secretPrefix = "secret."

// template checks one value of app.env.
func (d *decoder) template(s *Stack, path, name, value string) {
	t, err := ParseTemplate(value)
	if err != nil {
		d.add(path, quoted(value), "%v", err)
		return
	}
	secret := func(name string) bool { return d.source.Names[name] || strings.HasPrefix(name, secretPrefix) }
	if what := secretText(t.literal(secret)); what != "" {
		d.add(path, masked, "looks like %s: put it under %s:secrets", what, s.Project)
		return
	}
	names := t.Names()
	if secretName(name) && len(names) == 0 && value != "" {
		d.add(path, masked, "has the name of a secret: %s", d.source.SetSecret(name))
		return
	}
	for _, n := range names {
		own, isOwn := strings.CutPrefix(n, secretPrefix)
		_, known := d.source.Names[n]
		switch {
		case isOwn && !slices.Contains(s.SecretNames, own):
			d.add(path, "", "has {%s}, and %s is not in secrets: %s", n, own, d.source.SetSecret(own))
		case !isOwn && !known:
			d.add(path, "", "has the unknown name {%s}; the names are %s and secret.NAME", n,
				strings.Join(slices.Sorted(maps.Keys(d.source.Names)), ", "))
		case OfCache(n) && !s.Cache.Enabled() && d.valid("cache"):
			d.add(path, "", "has {%s}, and the stack has no cache: set cache.node", n)
		}
	}
	// Connections differ from one kind of task to the next; what contains a secret is stored once for all of them.
	if slices.Contains(names, "connections") && slices.ContainsFunc(names, secret) {
		d.add(path, "", "must not combine {connections} with a secret: use two variables")
	}
}
