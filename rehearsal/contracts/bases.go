package contracts

import (
	"maps"
	"regexp"
	"strings"
)

// Well-known base images. Only what is certain is in the table: a program that is not named is unknown.

// A base is a family of images.
type base struct {
	match    *regexp.Regexp // of the repository and tag, without registry
	like     string         // the family that it is built from
	links    map[string]string
	owners   map[string]int // directories that do not belong to root
	users    map[string]int
	has      string
	lacks    string
	user     string
	entry    []string
	command  []string
	workDir  string
	stop     string
	ports    []string
	nginx    *nginxDefaults
	source   string
	provides map[string]string // contents of configuration files
}

// nginxDefaults are the paths that a build of nginx uses unless its configuration names others.
type nginxDefaults struct {
	pid, errorLog string
	temp          map[string]string // directive -> path
}

// officialNginx is how nginx.org's packages are configured: docker-nginx, stable/debian/Dockerfile and pkg-oss, --pid-path and
// --http-*-temp-path.
var officialNginx = &nginxDefaults{pid: "/run/nginx.pid", errorLog: "/var/log/nginx/error.log", temp: map[string]string{
	"client_body_temp_path": "/var/cache/nginx/client_temp", "proxy_temp_path": "/var/cache/nginx/proxy_temp",
	"fastcgi_temp_path": "/var/cache/nginx/fastcgi_temp", "uwsgi_temp_path": "/var/cache/nginx/uwsgi_temp",
	"scgi_temp_path": "/var/cache/nginx/scgi_temp"}}

// debianNginx is how Debian builds nginx: debian/rules of the source package, --pid-path and --http-*-temp-path.
var debianNginx = &nginxDefaults{pid: "/run/nginx.pid", errorLog: "/var/log/nginx/error.log", temp: map[string]string{
	"client_body_temp_path": "/var/lib/nginx/body", "proxy_temp_path": "/var/lib/nginx/proxy",
	"fastcgi_temp_path": "/var/lib/nginx/fastcgi", "uwsgi_temp_path": "/var/lib/nginx/uwsgi", "scgi_temp_path": "/var/lib/nginx/scgi"}}

// nginxLogs are links that the official images make, so that Docker collects the logs.
var nginxLogs = map[string]string{"/var/log/nginx/access.log": "/dev/stdout", "/var/log/nginx/error.log": "/dev/stderr"}

const systemPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// bases are the families, the more particular ones first.
var bases = []base{
	{
		match: tagged(`nginxinc/nginx-unprivileged`, `.*alpine-slim.*`), like: "alpine",
		links: nginxLogs, users: map[string]int{"nginx": 101}, owners: map[string]int{"/var/cache/nginx": 101, "/etc/nginx": 101},
		has: "nginx envsubst", lacks: "curl", user: "101", ports: []string{"8080/tcp"}, stop: "SIGQUIT", nginx: officialNginx,
		entry: []string{"/docker-entrypoint.sh"}, command: []string{"nginx", "-g", "daemon off;"}, provides: unprivileged,
		source: "github.com/nginx/docker-nginx-unprivileged, stable/alpine-slim/Dockerfile",
	},
	{
		match: tagged(`nginxinc/nginx-unprivileged`, `.*alpine.*`), like: "alpine",
		links: nginxLogs, users: map[string]int{"nginx": 101}, owners: map[string]int{"/var/cache/nginx": 101, "/etc/nginx": 101},
		has: "nginx envsubst curl", user: "101", ports: []string{"8080/tcp"}, stop: "SIGQUIT", nginx: officialNginx,
		entry: []string{"/docker-entrypoint.sh"}, command: []string{"nginx", "-g", "daemon off;"}, provides: unprivileged,
		source: "github.com/nginx/docker-nginx-unprivileged, stable/alpine/Dockerfile",
	},
	{
		match: tagged(`nginxinc/nginx-unprivileged`, `.*`), like: "debian",
		links: nginxLogs, users: map[string]int{"nginx": 101}, owners: map[string]int{"/var/cache/nginx": 101, "/etc/nginx": 101},
		has: "nginx envsubst curl", lacks: "wget", user: "101", ports: []string{"8080/tcp"}, stop: "SIGQUIT", nginx: officialNginx,
		entry: []string{"/docker-entrypoint.sh"}, command: []string{"nginx", "-g", "daemon off;"}, provides: unprivileged,
		source: "github.com/nginx/docker-nginx-unprivileged, stable/debian/Dockerfile",
	},
	{
		match: tagged(`nginx`, `.*alpine-slim.*`), like: "alpine", users: map[string]int{"nginx": 101},
		links: nginxLogs,
		has:   "nginx envsubst", lacks: "curl", ports: []string{"80/tcp"}, stop: "SIGQUIT", nginx: officialNginx,
		entry: []string{"/docker-entrypoint.sh"}, command: []string{"nginx", "-g", "daemon off;"},
		source: "github.com/nginx/docker-nginx, stable/alpine-slim/Dockerfile",
	},
	{
		match: tagged(`nginx`, `.*alpine.*`), like: "alpine", users: map[string]int{"nginx": 101},
		links: nginxLogs,
		has:   "nginx envsubst curl", ports: []string{"80/tcp"}, stop: "SIGQUIT", nginx: officialNginx,
		entry: []string{"/docker-entrypoint.sh"}, command: []string{"nginx", "-g", "daemon off;"},
		source: "github.com/nginx/docker-nginx, stable/alpine/Dockerfile",
	},
	{
		match: tagged(`nginx`, `.*`), like: "debian", users: map[string]int{"nginx": 101},
		links: nginxLogs,
		has:   "nginx envsubst curl", lacks: "wget", ports: []string{"80/tcp"}, stop: "SIGQUIT", nginx: officialNginx,
		entry: []string{"/docker-entrypoint.sh"}, command: []string{"nginx", "-g", "daemon off;"},
		source: "github.com/nginx/docker-nginx, stable/debian/Dockerfile",
	},
	{
		match: tagged(`python`, `.*alpine.*`), like: "alpine", has: "python python3 pip", command: []string{"python3"},
		source: "github.com/docker-library/python, 3.13/alpine3.22/Dockerfile",
	},
	{
		match: tagged(`python`, `.*slim.*`), like: "debian", has: "python python3 pip", lacks: "curl wget git gcc",
		command: []string{"python3"}, source: "github.com/docker-library/python, 3.13/slim-trixie/Dockerfile",
	},
	{
		match: tagged(`python`, `.*`), like: "debian", has: "python python3 pip curl wget git gcc", command: []string{"python3"},
		source: "github.com/docker-library/python, 3.13/trixie/Dockerfile: buildpack-deps has curl, wget, git and gcc",
	},
	{
		match: tagged(`(ghcr\.io/)?astral-sh/uv`, `.*alpine.*`), like: "alpine", has: "uv", command: []string{"/usr/local/bin/uv"},
		source: "docs.astral.sh/uv, \"Using uv in Docker\"",
	},
	{
		match: tagged(`(ghcr\.io/)?astral-sh/uv`, `(python.*-)?(bookworm|trixie|debian)(-slim)?`), like: "debian", has: "uv",
		command: []string{"/usr/local/bin/uv"}, source: "docs.astral.sh/uv, \"Using uv in Docker\"",
	},
	{
		match: tagged(`ubuntu`, `.*`), like: "debian", users: map[string]int{"ubuntu": 1000}, command: []string{"/bin/bash"},
		source: "packages.ubuntu.com, priorities required and important; /bin, /lib and /sbin are links since 19.04",
	},
	{
		// Merged /usr since Debian 12; /var/run and /var/lock are links since Debian 7 (package base-files, postinst). script is in the
		// essential package bsdutils. curl, wget, ps and nc are in packages of lower priority, which the image omits.
		match: tagged(`debian`, `.*`),
		links: map[string]string{"/bin": "usr/bin", "/sbin": "usr/sbin", "/lib": "usr/lib", "/var/run": "/run", "/var/lock": "/run/lock",
			"/var/spool/mail": "../mail"},
		has:     "sh bash dash script cat true false test echo ls mkdir grep sed tar perl kill sleep id env cp mv rm",
		lacks:   "curl wget nc ncat netcat ps pgrep pidof python python3 nginx ip ping jq git gcc socat",
		users:   map[string]int{"root": 0, "nobody": 65534, "www-data": 33, "daemon": 1},
		command: []string{"bash"},
		source:  "packages.debian.org: base-files, bsdutils; hub.docker.com/_/debian, debuerreotype's minbase",
	},
	{
		// busybox has wget and nc. script is in util-linux-misc, curl and bash in packages of their own.
		match: tagged(`alpine`, `.*`),
		links: map[string]string{"/var/run": "../run", "/var/lock": "../run/lock", "/var/spool/mail": "../mail"},
		has:   "sh wget nc ps pgrep pidof ping cat true false test echo ls mkdir grep sed tar kill sleep id env cp mv rm ip",
		lacks: "curl bash script python python3 nginx jq git gcc perl socat netcat ncat",
		users: map[string]int{"root": 0, "nobody": 65534, "daemon": 2}, command: []string{"/bin/sh"},
		source: "pkgs.alpinelinux.org: alpine-baselayout, busybox, util-linux-misc",
	},
}

// unprivileged is what the configuration of nginx-unprivileged changes.
var unprivileged = map[string]string{"/etc/nginx/nginx.conf": "pid /tmp/nginx.pid;\nhttp {\n client_body_temp_path /tmp/client_temp;\n" +
	" proxy_temp_path /tmp/proxy_temp_path;\n fastcgi_temp_path /tmp/fastcgi_temp;\n uwsgi_temp_path /tmp/uwsgi_temp;\n" +
	" scgi_temp_path /tmp/scgi_temp;\n include /etc/nginx/conf.d/*.conf;\n}\n",
	"/etc/nginx/conf.d/default.conf": "server { listen 8080; }\n"}

func tagged(repository, tag string) *regexp.Regexp {
	tag = "(:" + tag + ")"
	if tag == "(:.*)" {
		tag += "?" // the family of an image without a tag
	}
	return regexp.MustCompile(`^(docker\.io/|public\.ecr\.aws/docker/|public\.ecr\.aws/nginx/)?(library/)?` + repository + tag +
		`(@sha256:[0-9a-f]+)?$`)
}

// baseOf finds the family of an image; nil if the table has none.
func baseOf(reference string) *base {
	for n := range bases {
		if b := &bases[n]; b.match.MatchString(reference) {
			return b
		}
	}
	return nil
}

// Known is what the table knows about an image of a public registry; nil if it is not in the table.
func Known(reference string) *Image {
	if baseOf(reference) == nil {
		return nil
	}
	i := fromBase(reference)
	return &i
}

// fromBase is what the table knows about a base image. An image that is not in the table is opaque.
func fromBase(reference string) Image {
	i := Image{Base: reference, Env: map[string]string{"PATH": systemPath}, Users: map[string]int{}, Files: map[string]File{},
		Programs: map[string]bool{}}
	if reference == "scratch" {
		i.Complete = true
		return i
	}
	b := baseOf(reference)
	if b == nil {
		i.Opaque = []string{"/"}
		return i
	}
	if b.like != "" {
		i.add(baseOf(b.like))
	}
	i.add(b)
	return i
}

// add puts what a family has on top of what it is built from.
func (i *Image) add(b *base) {
	maps.Copy(i.Users, b.users)
	for p, target := range b.links {
		i.Files[p] = File{Link: target}
	}
	for _, dir := range []string{"/tmp", "/var/tmp"} {
		i.Files[dir] = File{Mode: 0o1777}
	}
	for _, dir := range []string{"/run", "/usr", "/var", "/etc", "/opt", "/srv", "/var/cache", "/var/lib", "/var/log", "/home"} {
		i.Files[dir] = File{Mode: 0o755}
	}
	if b.nginx != nil {
		i.Files["/var/cache/nginx"] = File{Mode: 0o755}
		i.Files["/etc/nginx/nginx.conf"] = File{Mode: 0o644, Text: "user nginx;\npid /run/nginx.pid;\nhttp { include " +
			"/etc/nginx/conf.d/*.conf; }\n"}
		i.Files["/etc/nginx/conf.d/default.conf"] = File{Mode: 0o644, Text: "server { listen 80; }\n"}
		i.Files["/docker-entrypoint.sh"] = File{Mode: 0o755, Text: "#!/bin/sh\nexec \"$@\"\n"}
	}
	for dir, uid := range b.owners {
		i.Files[dir] = File{Owner: uid, Mode: 0o755}
	}
	for p, text := range b.provides {
		i.Files[p] = File{Mode: 0o644, Text: text}
	}
	for _, p := range strings.Fields(b.lacks) {
		i.Programs[p] = false
	}
	for _, p := range strings.Fields(b.has) {
		i.Programs[p] = true
	}
	i.User, i.Ports, i.WorkDir, i.StopSignal = b.user, b.ports, b.workDir, b.stop
	i.Entrypoint, i.Command = b.entry, b.command
}

// known reports whether the image's configuration is known, and not only what its Dockerfile adds to it.
func (i *Image) known() bool { return i.Complete || baseOf(i.Base) != nil }

// nginxOf are the paths that the image's nginx uses by default; nil if that is not known.
func (i *Image) nginxOf() *nginxDefaults {
	if b := baseOf(i.Base); b != nil && b.nginx != nil {
		return b.nginx
	}
	if _, ok := i.file("/var/lib/nginx"); ok {
		return debianNginx
	}
	if _, ok := i.file("/var/cache/nginx"); ok && i.Complete {
		return officialNginx
	}
	return nil
}
