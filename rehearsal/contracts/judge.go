package contracts

import (
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A Problem is a contract that the image breaks.
type Problem struct {
	Code    string // as ECS calls what follows
	Message string
	Why     []string
	Fix     string
	Source  string
}

// A Verdict is what an image means for a container.
type Verdict struct {
	Problems []Problem
	Unknown  []string // questions without an answer
}

// judge collects the verdict on one container.
type judge struct {
	i   *Image
	c   Container
	uid int // -1: unknown
	p   process
	Verdict
}

// Judge says which contracts an image breaks in a container.
func Judge(i *Image, c Container) Verdict {
	j := &judge{i: i, c: c, uid: -1, p: i.start(c)}
	user := c.User
	if user == "" {
		user = i.User
	}
	if n, ok := i.uid(user); ok {
		j.uid = n
	} else if name, _, _ := strings.Cut(user, ":"); i.Complete || !i.opaque("/etc/passwd") && i.Users["root"] == 0 && len(i.Users) > 0 {
		if _, made := i.Users[name]; !made {
			j.say("CannotStartContainerError", fmt.Sprintf("unable to find user %s: no matching entries in passwd file", name),
				"ECS Developer Guide, "+
					"\"Stopped tasks error messages\"", "add the user in the Dockerfile, or name it by its number", "the image has no user "+name)
		}
	}
	j.platform()
	j.mounts()
	j.program()
	j.slipway()
	j.signals()
	j.writes()
	j.celery()
	j.trusts()
	j.ports()
	j.health()
	j.exec()
	return j.Verdict
}

func (j *judge) say(code, message, source, fix string, why ...string) {
	j.Problems = append(j.Problems, Problem{Code: code, Message: message, Why: why, Fix: fix, Source: source})
}

func (j *judge) unknown(format string, args ...any) {
	j.Unknown = append(j.Unknown, fmt.Sprintf(format, args...))
}

func (j *judge) platform() {
	if system, _, ok := strings.Cut(j.i.Platform, "/"); ok && strings.HasPrefix(j.c.System, "WINDOWS") && system == "linux" {
		j.say("CannotPullContainerError", "image Manifest does not contain descriptor matching platform 'windows/amd64'",
			"ECS Developer Guide, \"CannotPullContainer task errors\"", "set operatingSystemFamily to LINUX",
			fmt.Sprintf("the image is built for %s, and the task's operatingSystemFamily is %s", j.i.Platform, j.c.System))
		return
	}
	machine := map[string]string{"X86_64": "amd64", "ARM64": "arm64"}[j.c.Architecture]
	_, have, _ := strings.Cut(j.i.Platform, "/")
	if have, _, _ = strings.Cut(have, "/"); machine == "" || have == "" || have == machine {
		return
	}
	j.say("CannotPullContainerError", fmt.Sprintf("image Manifest does not contain descriptor matching platform 'linux/%s'", machine),
		"ECS Developer Guide, \"CannotPullContainer task errors\"", "build the image for linux/"+machine,
		fmt.Sprintf("the image is built for linux/%s, and the task's cpuArchitecture is %s", have, j.c.Architecture))
}

const bindMounts = "ECS Developer Guide, \"Use bind mounts with Amazon ECS\"; aws/containers-roadmap#938"

// mounts judges who may write to the task's volumes. Fargate gives a volume the content, owner and mode of the image's directory only
// if the image declares exactly this path as VOLUME, and none of it is a symbolic link; otherwise it belongs to root, with mode 0755.
func (j *judge) mounts() {
	var volumes []string
	for _, v := range j.i.Volumes {
		volumes = append(volumes, clean(v))
	}
	for _, m := range j.c.Mounts {
		p := clean(m.Path)
		if link, target := j.i.Link(p); link != "" {
			if link != p {
				j.say("CannotStartContainerError", fmt.Sprintf("runc create failed: unable to start container process: error mounting to "+
					"rootfs at %q: "+
					"make mountpoint %q: not a directory", p, p), bindMounts+"; opencontainers/runc#4991",
					"mount "+j.i.Real(p)+" instead, or make "+link+" a directory",
					"mount "+p+" crosses "+link+", a symbolic link to "+target+" in the image")
			} else if j.uid != 0 {
				j.denied(m, p, fmt.Sprintf("mount %s is a symbolic link to %s in the image: Fargate takes no owner from it, and the volume belongs "+
					"to root", p, target), "use a path that is no symbolic link, in the Dockerfile's VOLUME and in the task")
			}
			continue
		}
		if m.ReadOnly || j.uid == 0 || slices.Contains(execPaths, p) {
			continue
		}
		switch {
		case slices.Contains(volumes, p):
		case !j.i.known():
			j.unknown("%s: whether %s is a VOLUME of the base image", j.c.Name, p)
			continue
		default:
			j.denied(m, p, fmt.Sprintf("mount %s is no VOLUME of the image, so it belongs to root with mode 0755", p),
				fmt.Sprintf("declare VOLUME %q in the Dockerfile, on a directory that belongs to the user", p))
			continue
		}
		switch j.i.mayWrite(p, j.uid) {
		case No:
			j.denied(m, p, fmt.Sprintf("VOLUME %s does not belong to user %s in the image, and the volume takes over its owner", p,
				j.i.named(j.uid)), fmt.Sprintf("chown %s %s in the Dockerfile before VOLUME", j.i.named(j.uid), p))
		case Unknown:
			j.unknown("%s: who owns %s in the image", j.c.Name, p)
		}
	}
}

func (j *judge) denied(m Mount, p, why, fix string) {
	who := "the container's user"
	if j.uid > 0 || j.uid < -1 {
		who = "user " + j.i.named(j.uid)
	}
	j.say("EssentialContainerExited", fmt.Sprintf("Permission denied: %s of container %s cannot write %s", who, j.c.Name, p), bindMounts,
		fix, why)
}

// covered reports whether a volume that may be written covers a path.
func (j *judge) covered(p string) bool {
	return slices.ContainsFunc(j.c.Mounts, func(m Mount) bool { return !m.ReadOnly && within(p, j.i.Real(m.Path)) })
}

// program judges whether the program exists, and whether it gets the task's command.
func (j *judge) program() {
	if j.p.drops && j.c.Command != nil {
		j.say("EssentialContainerExited", fmt.Sprintf("container %s does not run its command %q", j.c.Name, strings.Join(j.c.Command, " ")),
			"Dockerfile reference, \"Shell form ENTRYPOINT example\"", "use the exec form of ENTRYPOINT, and end the script with exec \"$@\"",
			fmt.Sprintf("the entrypoint %q ignores its arguments", j.p.via))
	}
	if len(j.p.given) == 0 {
		if j.i.known() {
			j.say("CannotStartContainerError", "no command specified", "ECS Developer Guide, \"Stopped tasks error messages\"",
				"add CMD to the Dockerfile, or a command to the task", "neither the image nor the task names a program")
		}
		return
	}
	programs := []string{j.p.given[0]}
	if len(j.p.argv) > 0 && j.p.known {
		programs = append(programs, j.p.argv[0])
	}
	for _, program := range slices.Compact(programs) {
		switch j.i.Has(program) {
		case No:
			j.say("CannotStartContainerError", fmt.Sprintf("exec: %q: executable file not found in $PATH", program),
				"ECS Developer Guide, \"Stopped tasks error messages\"", "install it in the Dockerfile, or correct the command",
				"image of container "+j.c.Name+" has no "+program)
		case Unknown:
			j.unknown("%s: whether the image has %s", j.c.Name, program)
		}
	}
}

// signals judges whether the program receives the signal to stop.
func (j *judge) signals() {
	if j.p.shell == "" || !j.c.Serves {
		return
	}
	timeout := j.c.StopTimeout
	if timeout == 0 {
		timeout = 30
	}
	j.say("EssentialContainerExited", fmt.Sprintf("container %s ends with exit code 137: SIGTERM does not reach its program", j.c.Name),
		"ECS Developer Guide, \"Optimize load balancer connection draining parameters\", SIGTERM responsiveness; Dockerfile reference, CMD",
		"set app.command to the program and its arguments (with app.entrypoint: [] if a script starts it), or use the exec form, "+
			"CMD [\"program\", \"argument\"], and end a script with exec",
		fmt.Sprintf("process 1 is a shell, %s, which passes no SIGTERM on: requests are cut off, or the task is killed after its stopTimeout of "+
			"%d s", j.p.shell, timeout))
}

// writes judges what the program writes while the root file system is read-only.
func (j *judge) writes() {
	if len(j.p.argv) == 0 || !j.p.known {
		return
	}
	argv := serving(j.p.argv)
	switch programOf(argv) {
	case "nginx":
		j.nginx(j.i.nginx(j.p))
	case "gunicorn":
		if !j.c.ReadOnly {
			return
		}
		dir, ok := j.i.heartbeat(argv[1:], j.i.environment(j.c))
		if !ok {
			j.unknown("%s: where gunicorn writes its heartbeat", j.c.Name)
			return
		}
		j.write("gunicorn", "worker_tmp_dir", dir)
	}
}

// nginx judges nginx's configuration.
func (j *judge) nginx(c nginxConf) {
	if !c.known {
		j.unknown("%s: nginx's configuration", j.c.Name)
	}
	if j.c.ReadOnly {
		for _, p := range slices.Sorted(maps.Keys(c.writes)) {
			j.write("nginx", c.writes[p], p)
		}
	}
	j.upstreams(c)
	j.nginxFaults(c)
	if t := j.c.Target; t != nil && c.known {
		j.keepsConnections(c, t)
		j.waits(c, t)
		j.passesHealth(c, t)
	}
}

func (j *judge) write(program, setting, p string) {
	real := j.i.Real(p)
	if strings.HasPrefix(real, "/dev/") || strings.HasPrefix(real, "/proc/") || j.covered(real) {
		return
	}
	j.say("EssentialContainerExited", fmt.Sprintf("open() %q failed (30: Read-only file system)", p),
		"ECS Developer Guide, task definition parameters, readonlyRootFilesystem", fmt.Sprintf("mount a volume at %s, or let %s write elsewhere "+
			"with %s", path.Dir(real), program, setting),
		fmt.Sprintf("%s writes %s (%s), readonlyRootFilesystem of container %s is true and no volume covers it", program, p, setting, j.c.Name))
}

// upstreams judges the servers that nginx passes requests to. The containers of a task share localhost and no names.
func (j *judge) upstreams(c nginxConf) {
	for _, u := range slices.Compact(slices.Sorted(slices.Values(c.upstreams))) {
		if strings.HasPrefix(u, "unix:") {
			continue
		}
		host, port := u, 80
		if at := strings.LastIndexByte(u, ':'); at >= 0 {
			if n, ok := number(u[at+1:]); ok {
				host, port = u[:at], n
			}
		}
		switch {
		case loopback(host):
			if j.p.rendered != nil && port == j.p.rendered.stored {
				continue // Slipway's program, beside nginx
			}
			if j.c.Neighbours[port] == "" && !slices.Contains(j.c.Ports, port) && len(j.c.Neighbours) > 0 {
				j.say("ResponseCodeMismatch", fmt.Sprintf("connect() failed (111: Connection refused) while connecting to upstream %s", u),
					"ECS Developer Guide, \"Task networking with the awsvpc network mode\"", "correct the port in nginx's configuration or in the task",
					fmt.Sprintf("nginx passes requests to %s, and no other container of the task maps port %d", u, port))
			}
		case !strings.ContainsAny(host, ".:"):
			j.say("EssentialContainerExited", fmt.Sprintf("[emerg] host not found in upstream %q", host),
				"ECS Developer Guide, \"Task networking with the awsvpc network mode\"",
				fmt.Sprintf("use 127.0.0.1:%d: the containers of a task share "+
					"one network interface", port),
				fmt.Sprintf("nginx of container %s passes requests to host %q, which nothing in the VPC resolves", j.c.Name, host))
		}
	}
}

// ports judges whether something listens on the ports that the task maps.
func (j *judge) ports() {
	all, ok := j.i.listens(j.p, j.i.environment(j.c))
	if !ok {
		if len(j.c.Ports) > 0 {
			j.unknown("%s: which ports its program listens on", j.c.Name)
		}
		return
	}
	j.lowPorts(all)
	for _, port := range j.c.Ports {
		at := slices.IndexFunc(all, func(l listener) bool { return l.port == strconv.Itoa(port) })
		if at < 0 {
			j.say("ResponseCodeMismatch", fmt.Sprintf("nothing listens on port %d of container %s", port, j.c.Name),
				"ECS Developer Guide, task definition parameters, portMappings", "map the port that the program listens on, or change the program",
				j.listening(all))
			continue
		}
		if t := j.c.Target; t != nil && t.Port == port {
			j.target(all[at], t)
		}
	}
}

// server is the name of the program that listens.
func (j *judge) server() string { return programOf(serving(j.p.argv)) }

// listening says which ports the program has.
func (j *judge) listening(all []listener) string {
	if len(all) == 0 {
		return j.server() + " listens on a Unix socket only"
	}
	var have []string
	for _, l := range all {
		have = append(have, l.port)
	}
	return fmt.Sprintf("%s listens on %s", j.server(), strings.Join(slices.Compact(have), ", "))
}

// lowPorts: only root may listen below 1024 on Fargate, which has no setting for it.
func (j *judge) lowPorts(all []listener) {
	if j.uid == 0 || j.uid == -1 {
		return
	}
	for _, l := range all {
		if n, ok := number(l.port); ok && n > 0 && n < 1024 {
			j.say("EssentialContainerExited", fmt.Sprintf("bind() to port %d failed (13: Permission denied)", n),
				"aws/containers-roadmap#1721", "let the program listen on a port from 1024", fmt.Sprintf("%s of container %s listens on port %d, "+
					"and its user %s is not root", j.server(), j.c.Name, n, j.i.named(j.uid)))
		}
	}
}

func (j *judge) target(l listener, t *Target) {
	const source = "Elastic Load Balancing guide, \"Health checks for Application Load Balancer target groups\""
	switch {
	case l.loopback:
		j.say("Target.Timeout", "Request timed out", source, "listen on 0.0.0.0",
			fmt.Sprintf("the program of container %s listens on the loopback "+
				"interface only, which target group %s cannot reach", j.c.Name, t.Group))
	case !l.tls && t.Speaks == "HTTPS":
		j.say("HTTPCode_ELB_502_Count", "502 Bad Gateway", "Application Load Balancers guide, \"Troubleshoot your Application Load Balancers\", "+
			"HTTP 502", "set the target group's protocol to HTTP, or let the program speak TLS",
			fmt.Sprintf("target group %s speaks HTTPS, and the "+
				"program of container %s speaks plain HTTP on port %d", t.Group, j.c.Name, t.Port))
	case l.tls && t.Protocol == "HTTP":
		j.say("Target.ResponseCodeMismatch", "Health checks failed with these codes: [400]", source,
			"set the target group's protocol to HTTPS, or let nginx speak plain HTTP", fmt.Sprintf("target group %s speaks HTTP on port %d, where "+
				"nginx of container %s speaks TLS only (\"The plain HTTP request was sent to HTTPS port\")", t.Group, t.Port, j.c.Name))
	case programOf(j.p.argv) == "nginx":
		r, ok := j.i.nginx(j.p).answer(l.port, t)
		said := fmt.Sprintf("nginx of container %s answers GET %s with %d itself (%s), and target group %s takes %s", j.c.Name, t.Path, r.code,
			r.by, t.Group, t.Codes)
		switch {
		case !ok:
		case !healthy(t.Codes, r.code):
			j.say("Target.ResponseCodeMismatch", fmt.Sprintf("Health checks failed with these codes: [%d]", r.code), source,
				"exempt the health path from the rule, or check another path", said)
		case len(j.c.Neighbours) > 0: // the program behind nginx
			j.say("HTTPCode_Target_5XX_Count", "a task whose app does not answer stays in service", source,
				"pass the health path on to the app", said)
		}
	}
}

// health judges whether the programs of the health check exist.
func (j *judge) health() {
	h := j.c.Health
	if len(h) < 2 || h[0] == "NONE" {
		return
	}
	j.healthPorts(strings.Join(h[1:], " "))
	if isHelper(h[1:]) && len(h) > 2 && h[2] == "health" {
		j.asked(h[3:])
	}
	programs := []string{h[1]}
	if h[0] == "CMD-SHELL" {
		programs = append([]string{"/bin/sh"}, commands(h[1])...)
	}
	for n := 0; n < len(programs) && n < 50; n++ {
		f, ok := j.i.file(j.i.lookUp(programs[n]))
		if !ok || !strings.HasPrefix(f.Text, "#!") {
			continue
		}
		first, _, _ := strings.Cut(f.Text, "\n")
		more := []string{interpreter(first)}
		if scripted(f.Text) {
			more = append(more, commands(f.Text)...)
		}
		for _, m := range more {
			if !slices.Contains(programs, m) {
				programs = append(programs, m)
			}
		}
	}
	for _, program := range programs {
		switch j.i.Has(program) {
		case No:
			j.say("ContainerHealthCheck", "Task failed container health checks",
				"ECS Developer Guide, \"Determine Amazon ECS task health using container health checks\"",
				"install it in the Dockerfile, or use a health check with what the image has",
				fmt.Sprintf("the health check of container %s runs %s, which its image does not have: it can never be healthy", j.c.Name, program))
		case Unknown:
			j.unknown("%s: whether the image has %s for the health check", j.c.Name, program)
		}
	}
}

var loopbackURL = regexp.MustCompile(`(https?)://(?:localhost|127\.0\.0\.1|0\.0\.0\.0)(?::([0-9]+))?(?:[/?\s"']|$)`)

// healthPorts judges the ports that a health check asks on the loopback interface: containers of a task share it.
func (j *judge) healthPorts(command string) {
	for _, m := range loopbackURL.FindAllStringSubmatch(command, -1) {
		port, isPort := number(m[2])
		if !isPort {
			port = map[string]int{"http": 80, "https": 443}[m[1]]
		}
		j.asks(port, true)
	}
}

// asks judges a port that the health check asks.
func (j *judge) asks(port int, http bool) {
	all, ok := j.i.listens(j.p, j.i.environment(j.c))
	if !ok || j.c.Neighbours[port] != "" {
		return
	}
	const fix = "ask a port that the program listens on"
	at := slices.IndexFunc(all, func(l listener) bool { return l.port == strconv.Itoa(port) })
	if at < 0 {
		j.unhealthy(fix, fmt.Sprintf("the health check of container %s asks port %d, and %s", j.c.Name, port, j.listening(all)))
	} else if http && all[at].binary {
		j.unhealthy(fix, fmt.Sprintf("the health check of container %s asks port %d with HTTP, and %s speaks the uwsgi protocol there",
			j.c.Name, port, j.server()))
	}
}

func (j *judge) unhealthy(fix, why string) {
	j.say("ContainerHealthCheck", "Task failed container health checks",
		"ECS Developer Guide, \"Determine Amazon ECS task health using container health checks\"", fix, why)
}

// asked judges a health check with Slipway's program: helper health --port=8000 --path=/healthz --below=400.
func (j *judge) asked(args []string) {
	port, isPort := number(option(args, "", "--port"))
	if !isPort || port == 0 || port > 65535 {
		j.unhealthy("name the port that the program listens on", fmt.Sprintf("the health check of container %s names no port: %q", j.c.Name,
			strings.Join(args, " ")))
		return
	}
	tcp := slices.Contains(args, "--tcp")
	j.asks(port, !tcp)
	below, isCode := number(option(args, "400", "--below"))
	target := option(args, "/", "--path")
	if tcp || programOf(j.p.argv) != "nginx" || !isCode {
		return
	}
	r, ok := j.i.nginx(j.p).answer(strconv.Itoa(port), &Target{Protocol: "HTTP", Path: target})
	if ok && r.code >= below {
		j.unhealthy("answer the health check with 200", fmt.Sprintf("nginx of container %s answers GET %s with %d itself (%s)", j.c.Name, target,
			r.code, r.by))
	}
}

// keepsConnections: a target that closes an idle connection first may do so while a request is on its way.
func (j *judge) keepsConnections(c nginxConf, t *Target) {
	if c.keepalive >= 0 && t.Idle > c.keepalive {
		j.say("HTTPCode_ELB_502_Count", "502 Bad Gateway now and then, when nginx closes a connection that the load balancer reuses",
			"Application Load Balancers guide, \"Troubleshoot your Application Load Balancers\", HTTP 502",
			"make nginx's keepalive_timeout longer than the load balancer's idleTimeout",
			fmt.Sprintf("nginx of container %s closes idle connections "+
				"after %v s (keepalive_timeout), the load balancer after %v s", j.c.Name, c.keepalive, t.Idle))
	}
}

// waits: the load balancer gives up on an answer after its idle timeout, whatever nginx waits.
func (j *judge) waits(c nginxConf, t *Target) {
	if t.Idle > 0 && c.readTimeout > t.Idle {
		j.say("HTTPCode_ELB_504_Count", "504 Gateway Timeout for requests that nginx still waits for",
			"Application Load Balancers guide, \"Troubleshoot your Application Load Balancers\", HTTP 504",
			"make the load balancer's idleTimeout at least as long as nginx's proxy_read_timeout",
			fmt.Sprintf("nginx of container %s waits %v s for an answer (proxy_read_timeout), the load balancer %v s", j.c.Name, c.readTimeout,
				t.Idle))
	}
}

// passesHealth: where nginx knows the site's host, the health check must reach Django with it. Django answers 400 to another host, and a
// redirect to plain HTTP.
func (j *judge) passesHealth(c nginxConf, t *Target) {
	host := j.c.Env["SLIPWAY_HOST"]
	if j.p.rendered == nil || host == "" {
		return
	}
	headers, ok := c.passed(strconv.Itoa(t.Port), t.Path)
	if !ok {
		return
	}
	for _, h := range []struct {
		name, want, source string
		code               int
	}{
		{"Host", host, "Django documentation, settings, ALLOWED_HOSTS", 400},
		{"X-Forwarded-Proto", "https", "Django documentation, settings, SECURE_PROXY_SSL_HEADER and SECURE_SSL_REDIRECT", 301},
	} {
		if got := headers[strings.ToLower(h.name)]; got != h.want && !healthy(t.Codes, h.code) {
			j.say("Target.ResponseCodeMismatch", fmt.Sprintf("Health checks failed with these codes: [%d]", h.code), h.source,
				fmt.Sprintf("set %s to %s where nginx passes the health check on", h.name, h.want), fmt.Sprintf("nginx of container %s passes "+
					"GET %s on with %s %q instead of %q", j.c.Name, t.Path, h.name, got, h.want))
		}
	}
}

// nginxFaults judges whether nginx accepts its configuration, and stays in the foreground.
func (j *judge) nginxFaults(c nginxConf) {
	for _, fault := range c.faults {
		j.say("EssentialContainerExited", "nginx: [emerg] "+fault, "nginx.org, \"Core functionality\"", "correct nginx's configuration",
			"container "+j.c.Name+" ends at once: nginx -t refuses its configuration")
	}
	if c.known && !c.foreground {
		j.say("EssentialContainerExited", fmt.Sprintf("container %s ends with exit code 0 as soon as nginx has started", j.c.Name),
			"nginx.org, \"Core functionality\", daemon; ECS Developer Guide, \"Stopped tasks error messages\"",
			"start it with -g \"daemon off;\"", "process 1 puts nginx into the background and ends, and so does the container")
	}
}

// exec judges what ECS Exec needs in a container.
func (j *judge) exec() {
	const source = "ECS Developer Guide, \"Monitor Amazon ECS containers with ECS Exec\", considerations and logging"
	if !j.c.Exec {
		return
	}
	if j.c.ReadOnly {
		for _, p := range execPaths {
			if !j.covered(j.i.Real(p)) {
				j.say("TargetNotConnectedException", "The execute command failed due to an internal error: ExecuteCommandAgent is STOPPED",
					source+"; aws/containers-roadmap#1359", "mount a volume at "+p,
					fmt.Sprintf("ECS Exec is enabled, readonlyRootFilesystem of container %s is true and no volume is at %s", j.c.Name, p))
			}
		}
	}
	if !j.c.Recorded {
		return
	}
	for _, program := range []string{"script", "cat"} {
		switch j.i.Has(program) {
		case No:
			j.say("SessionNotRecorded", "sessions in container "+j.c.Name+" are not recorded", source+"; aws/amazon-ssm-agent#653",
				"install "+program+" in the Dockerfile", fmt.Sprintf("sessions of ECS Exec are logged, and the agent records them with %s, which the "+
					"image of container %s does not have", program, j.c.Name))
		case Unknown:
			j.unknown("%s: whether the image has %s to record sessions", j.c.Name, program)
		}
	}
}
